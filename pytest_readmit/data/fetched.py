"""Fetch one immutable version of a file or folder out of Git or DVC into a private folder."""

import shutil
import tempfile
import weakref
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from pytest_readmit.data.dvc import fetch_dvc
from pytest_readmit.data.git import Entry, Place, nearest_path, place_of, plain_address
from pytest_readmit.data.lfs import resolve_pointer
from pytest_readmit.errors import DataError


@dataclass(frozen=True, eq=False)
class Fetched:
    """
    A file or a folder of parts, as it was; removed at the latest when nobody holds this any more.

    Args:
        folder: The private folder, to be removed.
        files: The folder in it that paths start from.
        path: Below that.
        version: A commit's hash, or an md5.
        shown: The source, as messages and records name it.
    """

    folder: Path
    files: Path
    path: str
    version: str
    shown: str
    _finalizer: "weakref.finalize[Any, Fetched]" = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Watch for the end."""
        finalizer = weakref.finalize(self, shutil.rmtree, self.folder, ignore_errors=True)
        object.__setattr__(self, "_finalizer", finalizer)

    def discard(self) -> None:
        """Remove the private folder."""
        self._finalizer()


def fetch(kind: str, value: str, options: Mapping[str, Any], base: Path) -> Fetched:
    """
    Fetch a version of a file or folder.

    Args:
        kind: ``git`` or ``dvc``.
        value: The path.
        options: `rev` and `repo`; `pinned`, the version that another process of this run found.
        base: The folder that relative paths start from.

    Raises:
        DataError: It cannot be had, its bytes are not those that its version names, or it is another
            version than the pinned one.
        MissingExtra: Only dvc itself can fetch it.
    """
    folder = Path(tempfile.mkdtemp(prefix="readmit-"))
    try:
        into = folder / "files"
        into.mkdir()
        how = _fetch_git if kind == "git" else fetch_dvc
        path, version = how(value, options, base, into)
        shown = shown_source(kind, value, options)
        if options.get("pinned", version) != version:
            raise DataError(f"{shown} names another version now than when this run began")
        return Fetched(folder, into, path or ".", version, shown)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def shown_source(kind: str, value: str, options: Mapping[str, Any]) -> str:
    """Return a source as one text: ``git:PATH@REV``, with its repository where it names one."""
    rev, repo = options.get("rev"), options.get("repo")
    return (
        f"{kind}:{value}" + (f"@{rev}" if rev else "") + (f" in {plain_address(str(repo))}" if repo else "")
    )


def _fetch_git(value: str, options: Mapping[str, Any], base: Path, into: Path) -> tuple[str, str]:
    """Write what a commit holds at a path; return the path below `into` and the commit."""
    place = place_of(value, options.get("repo"), base, into.parent / "clone")
    repository = place.repository
    commit = repository.commit(str(options.get("pinned") or options.get("rev") or "HEAD"))
    entry = repository.entry(commit, place.path)
    if entry is None:
        at = f"{options.get('rev') or 'HEAD'} ({commit[:12]})"
        raise DataError(f"there is no {value} at {at}{nearest_path(place, commit)}")
    for one in _files(place, entry, commit, value):
        target = into / one.path
        repository.save(one, target)
        resolve_pointer(repository, target, one.path)
    return entry.path, commit


def _files(place: Place, entry: Entry, commit: str, value: str) -> list[Entry]:
    """Return the file itself, or the files that lie directly in a folder."""
    if entry.kind == "tree":
        found = place.repository.inside(commit, entry.path)
        plain = [one for one in found if one.kind == "blob" and one.mode != "120000"]
        return [one for one in plain if not PurePosixPath(one.path).name.startswith((".", "_"))]
    if entry.kind == "commit":
        raise DataError(f"{value} is a submodule; name its own repository with repo:")
    if entry.mode == "120000":
        raise DataError(f"{value} is a symbolic link there; name the file that it leads to")
    return [entry]
