"""Write several new files into a folder, all of them or none, and never over one that is there."""

import os
from collections.abc import Mapping
from pathlib import Path

from pytest_readmit.errors import SuiteError


def refuse_existing(folder: Path, names: Mapping[str, str]) -> None:
    """
    Refuse to write where something is.

    Args:
        folder: Where the files go.
        names: The files, from the folder, to the name of the part that each is.

    Raises:
        SuiteError: Naming every file that exists.
    """
    if folder.exists() and not folder.is_dir():
        raise SuiteError([f"{folder}: is a file; name a folder"])
    there = [name for name in names if os.path.lexists(folder / name)]
    if there:
        parts = [names[name] for name in there]
        spare = [f"--without {part}" for part in parts] if all(parts) else []
        advice = f", or leave it out with {' '.join(spare)}" if spare else ""
        raise SuiteError(
            [
                *(f"{folder / name}: exists already" for name in there),
                f"nothing was written; move what exists away or name another folder{advice}",
            ]
        )


def write_new(folder: Path, files: Mapping[str, str]) -> None:
    """
    Write files that do not exist yet.

    Raises:
        SuiteError: One cannot be written; then none is left.
    """
    made: list[Path] = []
    try:
        for name, text in files.items():
            path = folder / name
            made += _made_folders(path.parent)
            with path.open("x", encoding="utf-8", newline="\n") as stream:
                made.append(path)
                stream.write(text)
    except BaseException as error:
        for path in reversed(made):
            path.rmdir() if path.is_dir() else path.unlink(missing_ok=True)
        if not isinstance(error, OSError):
            raise
        raise SuiteError(
            [f"{folder}: nothing was written, since {error.filename or folder} cannot be ({error.strerror})"]
        ) from None


def _made_folders(folder: Path) -> list[Path]:
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    for each in reversed(missing):
        each.mkdir()
    return list(reversed(missing))
