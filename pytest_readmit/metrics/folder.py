"""A folder of records, read again only where a file has changed."""

import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pytest_readmit import record as records
from pytest_readmit.errors import ReadmitError
from pytest_readmit.metrics.runs import Run, run_of

LARGEST = 64 * 1024 * 1024
"""The most bytes that a file may have to be read."""
AHEAD = 24 * 60 * 60
"""Seconds that a run may have finished ahead of this clock."""

Stamp = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Found:
    """
    What a folder holds.

    Args:
        runs: The records that can be read, of runs that came to an end.
        unfinished: Records of runs that did not.
        unreadable: Files that are no record, a damaged one, or one from the future.
    """

    runs: tuple[Run, ...]
    unfinished: int
    unreadable: int


class Folder:
    """The records ``*.json`` of a folder, without those of its subfolders."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._known: dict[str, tuple[Stamp | None, Run | ReadmitError | None]] = {}

    def read(self) -> Found:
        """
        Return what the folder holds now.

        Raises:
            OSError: The folder cannot be listed.
        """
        known = {}
        for name, stamp in self._files():
            before = self._known.get(name)
            known[name] = before if before and before[0] == stamp else self._read(name, stamp)
        self._known = known
        return self._found()

    def _files(self) -> Iterator[tuple[str, Stamp]]:
        with os.scandir(self.path) as entries:
            for entry in entries:
                try:
                    if entry.name.endswith(".json") and entry.is_file():
                        told = entry.stat()
                        # Who may read it shows in the time of its last change alone.
                        yield entry.name, (told.st_size, told.st_mtime_ns, told.st_ctime_ns, told.st_ino)
                except FileNotFoundError:  # gone since it was listed
                    continue
                except OSError:
                    yield entry.name, (0,)

    def _read(self, name: str, stamp: Stamp) -> tuple[Stamp | None, Run | ReadmitError | None]:
        """
        Return what a file holds and the stamp that it holds for, None if it could not be opened.

        It is a run, None for JSON that does not say it is a record, or why it cannot be read.
        """
        path = self.path / name
        if stamp[0] > LARGEST:
            return stamp, ReadmitError(f"{path}: not a record: larger than {LARGEST >> 20} MB")
        try:
            return stamp, run_of(records.read(path))
        except (ReadmitError, RecursionError, MemoryError) as error:
            if isinstance(error.__cause__, OSError):
                return None, ReadmitError(str(error))
            return stamp, None if _is_other(path) else ReadmitError(str(error))

    def _found(self) -> Found:
        latest = time.time() + AHEAD
        told = [content for _, content in self._known.values()]
        runs = [content for content in told if isinstance(content, Run)]
        ended = [run for run in runs if run.finished is not None]
        past = tuple(run for run in ended if (run.finished or 0) <= latest)
        wrong = sum(isinstance(content, ReadmitError) for content in told)
        return Found(past, len(runs) - len(ended), wrong + len(ended) - len(past))


def _is_other(path: Path) -> bool:
    """Say whether a file is JSON of another kind, such as the attestation that lies beside a record."""
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError, MemoryError):
        return False
    return isinstance(content, dict) and not str(content.get("schema")).startswith(records.SCHEMA_NAME)
