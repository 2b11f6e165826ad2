"""Which models the operator lets this process load."""

import glob
import os
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

# A revision and a repository stand in these names too; a ".." in one of them is no step out of a folder.
_REVISIONS = ("git:", "dvc:")


@dataclass(frozen=True, slots=True)
class Trust:
    """
    What the operator trusts.

    Args:
        patterns: Globs on the place of a model; ``*`` stays within a folder, ``**`` spans folders.
        folders: The folders that relative globs start from.
    """

    patterns: Sequence[str]
    folders: Sequence[Path]

    def covers(self, written: str, path: Path | None = None) -> bool:
        """
        Whether a glob matches a source.

        Args:
            written: The source as the suite writes it.
            path: Its absolute path, if it is a file: matched whole, and as seen from the `folders`.
        """
        names = {_plain(written)}
        if path is not None:
            names |= {path.as_posix(), *(_plain(os.path.relpath(path, folder)) for folder in self.folders)}
        return any(_matches(pattern, name) for pattern in self.patterns for name in names)

    @staticmethod
    def flag(written: str) -> str:
        """Return the option that trusts a source."""
        return f"--readmit-trust={shlex.quote(glob.escape(_plain(written)))}"


def _plain(text: str) -> str:
    """Return a path without detours, so that no ``..`` leads out of a trusted folder."""
    if "://" in text or ":/" in text or text.startswith(_REVISIONS):
        return text
    return os.path.normpath(text).replace(os.sep, "/")


def _matches(pattern: str, name: str) -> bool:
    return _parts_match(_plain(pattern).split("/"), name.split("/"))


def _parts_match(patterns: Sequence[str], parts: Sequence[str]) -> bool:
    if not patterns:
        return not parts
    first, rest = patterns[0], patterns[1:]
    if first == "**":
        inward = bool(parts) and parts[0] != ".." and _parts_match(patterns, parts[1:])
        return _parts_match(rest, parts) or inward
    if not parts:
        return False
    # A step out of a folder is only what the operator wrote as one.
    same = first == parts[0] if parts[0] == ".." else fnmatchcase(parts[0], first)
    return same and _parts_match(rest, parts[1:])
