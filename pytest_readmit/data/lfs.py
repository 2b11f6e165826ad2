"""Resolve a Git LFS pointer to the bytes it stands for, checked against their sha256."""

import shutil
from pathlib import Path

from pytest_readmit.data.git import Repository
from pytest_readmit.data.versions import lfs_object, sha256_file
from pytest_readmit.errors import DataError

_LARGEST_POINTER = 1024


def resolve_pointer(repository: Repository, path: Path, shown: str) -> None:
    """
    Put the content in a file's place if it is a Git LFS pointer.

    Args:
        repository: Where the pointer was committed.
        path: The file as Git holds it.
        shown: How messages name it.

    Raises:
        DataError: The object is missing or damaged.
    """
    if path.stat().st_size > _LARGEST_POINTER:
        return
    pointer = path.read_bytes()
    oid = lfs_object(pointer)
    if oid is None:
        return
    kept = repository.common_folder() / "lfs" / "objects" / oid[:2] / oid[2:4] / oid
    if kept.is_file():
        shutil.copyfile(kept, path)
        if sha256_file(path) != oid:
            raise DataError(
                f"{shown}: its Git LFS object {oid[:12]} is damaged: the bytes do not match the oid; "
                "run `git lfs fsck`, then `git lfs pull`"
            )
        return
    _download(repository, pointer, path, shown)
    if sha256_file(path) != oid:
        raise DataError(_missing(oid, shown))


def _download(repository: Repository, pointer: bytes, path: Path, shown: str) -> None:
    # Where an object is missing, git-lfs writes the pointer itself to its output and exits with 2.
    with path.open("wb") as stream:
        found = repository.run("lfs", "smudge", given=pointer, output=stream)
    if b"is not a git command" in found.stderr:
        raise DataError(
            f"{shown} is a Git LFS pointer and Git LFS is not installed; "
            "install git-lfs, then run `git lfs pull`"
        )
    if found.returncode:
        raise DataError(_missing(lfs_object(pointer) or "", shown))


def _missing(oid: str, shown: str) -> str:
    return (
        f"{shown} is a Git LFS pointer whose object {oid[:12]} is not here and could not be fetched; "
        "run `git lfs pull` to see why (`git lfs push --all` where the object is)"
    )
