"""The embedded engine, locked down to the files it was opened for."""

import contextlib
import os
import shutil
import tempfile
import threading
import weakref
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pytest_readmit.errors import DataError

MEMORY_LIMIT = "1GB"
MOST_THREADS = 4


def literal(text: str) -> str:
    """Return a text as an SQL string literal."""
    return "'" + text.replace("'", "''") + "'"


def identifier(name: str) -> str:
    """Return a name as a quoted SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


class Engine:
    """
    One private in-memory database that can read exactly the files it is given.

    No other file can be read or written, no extension installed or loaded, no Python object seen,
    and none of that changed. What does not fit into memory goes to a folder that only this user can
    read and that is removed at the end. Any thread may use it: each has a cursor of its own.

    Args:
        files: The files it may read.
        shown: How errors name the dataset.
        database: A database file that is attached as ``source``, to be read only.

    Raises:
        DataError: The database cannot be attached.
    """

    __readmit_injected__ = None

    def __init__(self, files: Sequence[Path], shown: str, *, database: Path | None = None) -> None:
        import duckdb

        self.shown = shown
        self.folder = Path(tempfile.mkdtemp(prefix="readmit-"))
        self.files = [_plain_name(path, self.folder, position) for position, path in enumerate(files)]
        self._errors: type[Exception] = duckdb.Error
        self._connection = duckdb.connect(":memory:", config=_settings(self.folder))
        try:
            if database is not None:
                self._attach(database)
            self._lock_down()
        except BaseException:
            _clean(self._connection, weakref.WeakSet(), self.folder)
            raise
        self._local = threading.local()
        self._cursors: weakref.WeakSet[Any] = weakref.WeakSet()
        self._guard = threading.Lock()
        self._finalizer = weakref.finalize(self, _clean, self._connection, self._cursors, self.folder)

    def _attach(self, database: Path) -> None:
        try:
            self._connection.execute(f"ATTACH {literal(str(database))} AS source (TYPE duckdb, READ_ONLY)")
        except self._errors as error:
            held = "lock" in str(error).lower() and type(error).__name__ == "IOException"
            why = "another process is writing it" if held else "it is damaged, or of another version or kind"
            raise DataError(f"{self.shown} could not be opened as a DuckDB file: {why}") from None

    def _lock_down(self) -> None:
        # Where the engine knows no time zones at all, times without one are UTC already.
        with contextlib.suppress(self._errors):
            self._connection.execute("SET TimeZone='UTC'")
        allowed = ", ".join(literal(name) for name in self.files)
        self._connection.execute(f"SET allowed_paths=[{allowed}]")
        self._connection.execute("SET enable_external_access=false")
        self._connection.execute("SET lock_configuration=true")

    def _cursor(self) -> Any:
        cursor = getattr(self._local, "cursor", None)
        if cursor is None:
            with self._guard:
                cursor = self._connection.cursor()
                self._cursors.add(cursor)
            self._local.cursor = cursor
        return cursor

    def run(self, query: str, parameters: Mapping[str, Any] | Sequence[Any] | None = None) -> Any:
        """
        Run a statement on this thread's cursor and return the cursor.

        Raises:
            EngineRefusal: The engine would not; without its words, which may quote cells.
        """
        cursor = self._cursor()
        try:
            return cursor.execute(query, parameters) if parameters else cursor.execute(query)
        except self._errors as error:
            raise EngineRefusal(self.shown, type(error).__name__) from None

    def rows(self, query: str, parameters: Mapping[str, Any] | Sequence[Any] | None = None) -> list[Any]:
        """Return the rows of a query as tuples."""
        cursor = self.run(query, parameters)
        try:
            return list(cursor.fetchall())
        except self._errors as error:
            raise EngineRefusal(self.shown, type(error).__name__) from None

    def arrays(
        self, query: str, parameters: Mapping[str, Any] | Sequence[Any] | None = None
    ) -> dict[str, Any]:
        """Return the columns of a query as numpy arrays, masked where they hold NULL."""
        cursor = self.run(query, parameters)
        try:
            return dict(cursor.fetchnumpy())
        except self._errors as error:
            raise EngineRefusal(self.shown, type(error).__name__) from None

    def register(self, name: str, arrays: Mapping[str, Any]) -> None:
        """Make arrays readable under a name on this thread's cursor."""
        self._cursor().register(name, dict(arrays))

    def unregister(self, name: str) -> None:
        """Forget what `register` made readable."""
        self._cursor().unregister(name)

    def close(self) -> None:
        """Close every cursor and remove the private folder."""
        self._finalizer()


class EngineRefusal(DataError):
    """The engine refused a statement; `kind` is the class of its error, never its words."""

    def __init__(self, shown: str, kind: str) -> None:
        self.kind = kind
        super().__init__(f"{shown} could not be read ({kind})")


def _settings(folder: Path) -> dict[str, str | bool | int | float | list[str]]:
    return {
        "autoinstall_known_extensions": "false",
        "autoload_known_extensions": "false",
        "allow_community_extensions": "false",
        "python_enable_replacements": "false",
        "memory_limit": MEMORY_LIMIT,
        "threads": str(max(1, min(MOST_THREADS, os.cpu_count() or 1))),
        "temp_directory": str(folder),
        "preserve_insertion_order": "true",
    }


def _plain_name(path: Path, folder: Path, position: int) -> str:
    """Return a name of the file that holds no pattern: the engine would expand one."""
    if not any(sign in str(path) for sign in "*?["):
        return str(path)
    link = folder / f"part-{position:06d}{''.join(path.suffixes[-2:])}"
    if any(sign in link.name for sign in "*?["):
        link = folder / f"part-{position:06d}"
    link.symlink_to(path.absolute())
    return str(link)


def _clean(connection: Any, cursors: weakref.WeakSet[Any], folder: Path) -> None:
    for cursor in list(cursors):
        cursor.close()
    connection.close()
    shutil.rmtree(folder, ignore_errors=True)
