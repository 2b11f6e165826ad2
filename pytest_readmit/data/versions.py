"""Identify bytes: sha256 of files, and pointers that stand where data should be."""

import hashlib
import re
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

VERSIONED = ("git", "dvc")
"""The kinds of source that have revisions."""
BLOCK = 1 << 20
_LFS = re.compile(
    rb"version https://git-lfs\.github\.com/spec/v1\r?\noid sha256:([0-9a-f]{64})\r?\nsize [0-9]+\s*"
)


def sha256_file(path: Path) -> str:
    """Return the hex sha256 of a file's bytes, read a megabyte at a time."""
    digest = hashlib.sha256()
    with path.open("rb", buffering=0) as stream:
        block = bytearray(BLOCK)
        view = memoryview(block)
        while size := stream.readinto(block):
            digest.update(view[:size])
    return digest.hexdigest()


def sha256_files(paths: Sequence[Path], root: Path | None = None) -> str:
    """
    Return one digest for the files of a dataset.

    Args:
        paths: The files, in any order.
        root: The folder they are named relative to; None for a single file, whose own sha256 is
            the answer.

    Returns:
        For parts, the sha256 over the sorted lines ``NAME SHA256``, names with forward slashes.
    """
    if root is None and len(paths) == 1:
        return sha256_file(paths[0])
    lines = sorted(f"{_relative(path, root)} {sha256_file(path)}\n" for path in paths)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def git_blob_id(path: Path, length: int) -> str:
    """
    Return the id that Git gives to a file's content.

    Args:
        path: The file.
        length: 40 where the repository counts in SHA-1, 64 where it counts in SHA-256.
    """
    digest = hashlib.sha256() if length == 64 else hashlib.sha1(usedforsecurity=False)
    digest.update(f"blob {path.stat().st_size}\0".encode())
    return _fed(digest, path)


def md5_file(path: Path) -> str:
    """Return the hex md5 of a file's bytes, which is how DVC names them."""
    return _fed(hashlib.md5(usedforsecurity=False), path)


def _fed(digest: Any, path: Path) -> str:
    with path.open("rb", buffering=0) as stream:
        while block := stream.read(BLOCK):
            digest.update(block)
    return str(digest.hexdigest())


def lfs_object(head: bytes) -> str | None:
    """Return the sha256 of the content that a Git LFS pointer stands for; None where it is no pointer."""
    found = _LFS.fullmatch(head)
    return None if found is None else found[1].decode()


def _relative(path: Path, root: Path | None) -> str:
    if root is not None and path.is_relative_to(root):
        return path.relative_to(root).as_posix()
    return path.name


def pointer_advice(head: bytes) -> str | None:
    """Return what to do if a file's first bytes are a Git LFS or DVC pointer, else None."""
    if head.startswith(b"version https://git-lfs.github.com/spec/"):
        return "is a Git LFS pointer, not the data: run `git lfs pull`"
    text = head[:400].lstrip()
    if text.startswith((b"outs:", b"md5:", b"deps:")) and b"md5:" in text and b"path:" in text:
        return "is a DVC pointer, not the data: run `dvc pull` and name the file it stands for"
    return None


class Digest:
    """A digest computed beside the work, in a thread of its own."""

    def __init__(self, compute: Callable[[], str]) -> None:
        self._compute = compute
        self._value: str | None = None
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def start(self) -> "Digest":
        """Begin in the background; returns itself."""
        self._thread = threading.Thread(target=self._run, name="readmit-digest", daemon=True)
        self._thread.start()
        return self

    def _run(self) -> None:
        try:
            self._value = self._compute()
        except OSError:
            # The file went away while it was read: the reader meets the same and says so.
            self._value = None

    def result(self) -> str | None:
        """Return the digest, waiting for it if need be; None if the bytes could not be read."""
        with self._lock:
            if self._thread is None:
                self.start()
            thread = self._thread
        assert thread is not None  # noqa: S101 - started above
        thread.join()
        return self._value
