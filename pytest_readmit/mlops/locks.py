"""One process of a host at a time changes a model in the registry."""

import hashlib
import os
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pytest_readmit.errors import MissingExtra
from pytest_readmit.mlops.registry import Refused, database_file

SECONDS = 120.0


@contextmanager
def host_lock(uri: str, model: str, seconds: float = SECONDS) -> Iterator[str]:
    """
    Hold the lock of a model on this host; yields the name of the lock.

    Whoever holds a lock knows that any other process which once held one of the same name has ended
    its work or died in it. For a SQLite store the lock stands beside the database, so everybody who can
    write there shares it; for a server it is this user's on this host.

    Raises:
        Refused: Somebody else held it all the time.
        MissingExtra: filelock is not installed.
    """
    try:
        from filelock import FileLock, Timeout
    except ImportError:
        raise MissingExtra("promotion", "mlflow") from None
    path = _path(uri, model)
    try:
        with FileLock(path, timeout=seconds):
            yield _name(path.with_suffix(".id"))
    except Timeout:
        raise Refused(
            f"another process of this host has been changing {model} for {seconds:g} s; nothing was changed"
        ) from None


def _path(uri: str, model: str) -> Path:
    key = hashlib.sha256(f"{uri}\n{model}".encode()).hexdigest()[:16]
    database = database_file(uri)
    if database is not None:
        key = hashlib.sha256(model.encode()).hexdigest()[:16]
        return database.with_name(f".{database.name}.{key}.lock")
    return _folder() / f"{key}.lock"


def _folder() -> Path:
    """Return a folder of this user's; where there is none, a new one: then only the registry guards."""
    state = os.environ.get("XDG_STATE_HOME") or os.environ.get("LOCALAPPDATA")
    try:
        folder = (Path(state) if state else Path.home() / ".local" / "state") / "pytest-readmit"
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except (OSError, RuntimeError):
        return Path(tempfile.mkdtemp(prefix="readmit-"))
    return folder


def _name(path: Path) -> str:
    """Return the random name kept beside a lock; the lock is held."""
    try:
        known = path.read_text(encoding="ascii")
    except (OSError, ValueError):
        known = ""
    if len(known) != 32:
        known = secrets.token_hex(16)
        path.write_text(known, encoding="ascii")
    return known
