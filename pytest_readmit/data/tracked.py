"""An MLflow store and the files that its runs logged."""

import atexit
import os
import re
import shutil
import socket
import tempfile
import warnings
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import unquote, urlsplit

from pytest_readmit.errors import DataError, MissingExtra

T = TypeVar("T")

ENVIRONMENT = "MLFLOW_TRACKING_URI"
RUN = re.compile(r"runs:/(?P<run>[^/]+)/(?P<path>.+)")
_SECONDS = 10
_SQLITE = "sqlite:///"


def tracking_uri(given: str | None, environ: Mapping[str, str], base: Path) -> str | None:
    """
    Return where the MLflow store is, or None where nothing says it: there is no default.

    Args:
        given: The suite's `mlflow: {tracking_uri: …}`.
        environ: The environment, for ``MLFLOW_TRACKING_URI``.
        base: The folder of the suite; a relative SQLite path of the suite starts there.
    """
    if given:
        return _absolute(given, base)
    named = environ.get(ENVIRONMENT, "").strip()
    return _absolute(named, Path.cwd()) if named else None


def _absolute(uri: str, base: Path) -> str:
    path = uri.removeprefix(_SQLITE)
    if path == uri or not path or path.startswith(("/", ":")):
        return uri
    return f"{_SQLITE}{(base / path).resolve().as_posix()}"


def client(uri: str) -> Any:
    """
    Return an MLflow client of a store, which must exist: none is ever created.

    Raises:
        DataError: The store cannot be reached.
        MissingExtra: MLflow is not installed.
    """
    return _client(uri)


@lru_cache(maxsize=8)
def _client(uri: str) -> Any:
    try:
        import mlflow
    except ImportError:
        raise MissingExtra("the `mlflow` source", "mlflow") from None
    _reach(uri)
    return asked("the MLflow store", lambda: mlflow.MlflowClient(tracking_uri=uri, registry_uri=uri))


def _reach(uri: str) -> None:
    """Refuse a store that is not there: MLflow would create a database, or try a dead server for minutes."""
    parts = urlsplit(uri)
    allowed = os.environ.get("MLFLOW_ALLOW_FILE_STORE", "").lower() in ("true", "1")
    if parts.scheme in ("", "file") and not allowed:
        raise DataError(
            "the tracking URI names a folder, a kind of store that MLflow has closed: write sqlite:///FILE "
            "or http://HOST:PORT (`mlflow migrate-filestore` moves an old folder)"
        )
    if parts.scheme.startswith("sqlite"):
        path = unquote(parts.path[1:] if uri.startswith(_SQLITE) else parts.path)
        if not Path(path).is_file():
            raise DataError("the MLflow store is not there: its tracking URI names no SQLite file")
    if parts.scheme in ("http", "https") and parts.hostname:
        port = parts.port or (443 if parts.scheme == "https" else 80)
        try:
            socket.create_connection((parts.hostname, port), _SECONDS).close()
        except OSError as error:
            raise DataError(f"the MLflow server does not answer ({type(error).__name__})") from None


def asked(what: str, ask: Callable[[], T]) -> T:
    """
    Return what MLflow answers, without its warnings.

    Raises:
        DataError: It fails; without MLflow's own text, which may hold addresses and secrets.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ask()
    except DataError:
        raise
    except Exception as error:  # MLflow lets its libraries' errors through
        code = getattr(error, "error_code", None)
        said = f"{type(error).__name__}, {code}" if code else type(error).__name__
        raise DataError(f"{what} could not be had from MLflow ({said})") from None


def fetched(what: str, location: str, uri: str, path: str = "") -> Path:
    """
    Return a file or folder of an artifact store, brought to this machine where it is not here.

    Raises:
        DataError: It cannot be had.
    """

    def download() -> str:
        from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

        # Progress bars of a download belong to nobody's test output.
        os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
        repository = get_artifact_repository(location, tracking_uri=uri, registry_uri=uri)
        here = location.startswith(("file:", "/"))
        return str(repository.download_artifacts(path, dst_path=None if here else _scratch()))

    return Path(asked(f"{what}: its files", download))


def _scratch() -> str:
    folder = tempfile.mkdtemp(prefix="readmit-mlflow-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def run_of(source: str) -> str:
    """Return the run that a source names."""
    found = RUN.fullmatch(source)
    return found["run"] if found else ""


def run_file(source: str, uri: str) -> Path:
    """
    Return a file or folder that a run logged: ``runs:/RUN/PATH``.

    Raises:
        DataError: There is no such run or file, or the store cannot be reached.
        MissingExtra: MLflow is not installed.
    """
    found = RUN.fullmatch(source)
    if found is None:
        raise DataError(f"{source} names no data in MLflow: write runs:/RUN/PATH")
    run = asked(source, lambda: client(uri).get_run(found["run"]))
    path = found["path"].strip("/")
    if not path or ".." in path.split("/"):
        raise DataError(f"{source} names no data in MLflow: write runs:/RUN/PATH")
    return fetched(source, run.info.artifact_uri, uri, path)
