"""An experiment and a run in an MLflow store, written by a client of their own: nothing global is set."""

import getpass
import importlib.util
import json
import logging
import math
import os
import re
import secrets
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import unquote

from pytest_readmit.data import tracked
from pytest_readmit.errors import DataError, MissingExtra
from pytest_readmit.privacy import plain_uris

T = TypeVar("T")

SHARED_FOLDER = "mlartifacts"
LONGEST_NAME = 250
_LONGEST_TAG = 4000
_LONGEST_PARAM = 6000
_BATCH = 100
_SQLITE = "sqlite:///"
_NOISY = ("mlflow", "alembic")
_ENVIRON = ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI")
_QUIET = "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT"
_ONE_AT_A_TIME = threading.Lock()
_NAME = re.compile(r"[\w.\- :/]+", re.ASCII)


def setup_experiment(name: str, *, tracking_uri: str, artifact_location: str | None = None) -> str:
    """
    Return the id of an experiment, which is made if it is not there.

    Args:
        name: Of the experiment.
        tracking_uri: The store. A local SQLite store is made if it is not there.
        artifact_location: Where a new experiment keeps its files. Default: the server's own; for a SQLite
            store a folder `mlartifacts` beside its file.

    Raises:
        DataError: The store cannot be reached, or the experiment was deleted or keeps its files elsewhere.
        MissingExtra: MLflow is not installed.
    """
    client = opened(tracking_uri)
    found = written("the experiment", lambda: client.get_experiment_by_name(name))
    if found is None:
        place = artifact_location or _beside(tracking_uri)
        try:
            return str(
                written("the experiment", lambda: client.create_experiment(name, artifact_location=place))
            )
        except DataError:
            # Another process may have made it in between.
            found = written("the experiment", lambda: client.get_experiment_by_name(name))
            if found is None:
                raise
    if found.lifecycle_stage != "active":
        raise DataError(f"the experiment {name!r} was deleted: restore it, or choose another name")
    if artifact_location is not None and _same(artifact_location) != _same(found.artifact_location):
        raise DataError(
            f"the experiment {name!r} exists and keeps its files elsewhere: leave artifact_location out, "
            "or choose another name"
        )
    return str(found.experiment_id)


def opened(tracking_uri: str) -> Any:
    """
    Return an MLflow client of a store; a local SQLite store is made if it is not there.

    Raises:
        DataError: The store cannot be reached.
        MissingExtra: MLflow is not installed.
    """
    if not tracking_uri:
        raise DataError("tracking_uri is empty: name the MLflow store, sqlite:///FILE or http://HOST:PORT")
    if importlib.util.find_spec("mlflow") is None:
        raise MissingExtra("tracking", "mlflow")
    file = _database(tracking_uri)
    if file is not None and not file.exists():
        written("the MLflow store", lambda: _make(file))
    return tracked.client(tracking_uri)


def _make(file: Path) -> None:
    """Make a store under another name first: MLflow takes seconds, and two processes would spoil it."""
    import mlflow

    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_name(f".{file.name[:80]}.{secrets.token_hex(4)}.part")
    try:
        uri = f"{_SQLITE}{draft.as_posix()}"
        mlflow.MlflowClient(tracking_uri=uri, registry_uri=uri)
        try:
            os.link(draft, file)
        except FileExistsError:  # another process was faster
            pass
        except OSError:  # a file system without links
            if not file.exists():
                draft.replace(file)
    finally:
        with suppress(OSError):
            draft.unlink(missing_ok=True)


def _database(uri: str) -> Path | None:
    if not uri.startswith(_SQLITE):
        return None
    path = unquote(uri.removeprefix(_SQLITE).partition("?")[0])
    if not path or path.startswith(":"):
        raise DataError("the MLflow store has no file: write sqlite:///FILE")
    return Path(os.path.abspath(path))


def _beside(uri: str) -> str | None:
    file = _database(uri)
    return None if file is None else (file.parent / SHARED_FOLDER).as_uri()


def _same(location: str) -> str:
    """Return a location so that a path and its file URI are the same."""
    plain = (
        location if "://" in location or location.startswith("file:") else Path(location).absolute().as_uri()
    )
    return plain.rstrip("/")


def written(what: str, call: Callable[[], T]) -> T:
    """
    Return what MLflow answers, without its warnings and log lines.

    Raises:
        DataError: It fails; without MLflow's own text, which may hold addresses and secrets.
    """
    levels = {name: logging.getLogger(name).level for name in _NOISY}
    try:
        for name in _NOISY:
            logging.getLogger(name).setLevel(logging.CRITICAL)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return call()
    except DataError:
        raise
    except Exception as error:  # MLflow lets its libraries' errors through
        code = getattr(error, "error_code", None)
        said = f"{type(error).__name__}, {code}" if code else type(error).__name__
        raise DataError(f"{what} could not be logged to MLflow ({said})") from None
    finally:
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)


@contextmanager
def current_store(tracking_uri: str) -> Iterator[None]:
    """
    Let MLflow find a store where it asks its global state, which is put back: the tracking URI and its
    environment variable. A local registry looks up the logged model of a new version so.
    """
    import mlflow
    from mlflow.tracking._tracking_service import utils

    environ = {name: os.environ.get(name) for name in _ENVIRON}
    with _ONE_AT_A_TIME:
        before = getattr(utils, "_tracking_uri", None)
        try:
            mlflow.set_tracking_uri(tracking_uri)
            yield
        finally:
            mlflow.set_tracking_uri(before)
            _restore(environ)


def _restore(environ: Mapping[str, str | None]) -> None:
    for name, value in environ.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


def checked_names(names: Sequence[object], what: str) -> None:
    """
    Hold names to what MLflow takes as a key.

    Raises:
        DataError: One is not.
    """
    for name in names:
        if not isinstance(name, str) or not _NAME.fullmatch(name) or len(name) > LONGEST_NAME:
            raise DataError(
                f"{what}: {name!r} is no name that MLflow takes: letters, digits and _ - . : / and spaces, "
                f"at most {LONGEST_NAME}"
            )


class Run:
    """
    A run that is being written.

    Args:
        client: Of the store.
        run_id: The run.
        experiment_id: Its experiment.
        tracking_uri: The store.
    """

    def __init__(self, client: Any, run_id: str, experiment_id: str, tracking_uri: str) -> None:
        self.client = client
        self.tracking_uri = tracking_uri
        self.id = run_id
        self.experiment_id = experiment_id

    def params(self, values: Mapping[str, object]) -> None:
        """Log parameters; a text loses user, password and query of any URI."""
        from mlflow.entities import Param

        all_of = [Param(name, plain_uris(str(value))[:_LONGEST_PARAM]) for name, value in values.items()]
        for start in range(0, len(all_of), _BATCH):
            self._do("parameters", self.client.log_batch, params=all_of[start : start + _BATCH])

    def tags(self, values: Mapping[str, object]) -> None:
        """Log tags, likewise."""
        from mlflow.entities import RunTag

        all_of = [RunTag(name, plain_uris(str(value))[:_LONGEST_TAG]) for name, value in values.items()]
        for start in range(0, len(all_of), _BATCH):
            self._do("tags", self.client.log_batch, tags=all_of[start : start + _BATCH])

    def metrics(self, values: Mapping[str, float], **of: str | None) -> None:
        """Log the metrics that are finite; `of` says which model and dataset they are of."""
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        all_of = [
            Metric(name, float(value), now, 0, run_id=self.id, **of)
            for name, value in values.items()
            if math.isfinite(value)
        ]
        for start in range(0, len(all_of), _BATCH):
            self._do("metrics", self.client.log_batch, metrics=all_of[start : start + _BATCH])

    def text(self, text: str, file: str) -> None:
        """Log a text file."""
        self._do(file, self.client.log_text, text=text, artifact_file=file)

    def json(self, value: Any, file: str) -> None:
        """Log a JSON file."""
        self.text(json.dumps(value, indent=1, allow_nan=False) + "\n", file)

    def _do(self, what: str, call: Callable[..., Any], **keys: Any) -> None:
        written(what, lambda: call(self.id, **keys))


@contextmanager
def started(
    experiment_id: str, run_name: str, *, tracking_uri: str, tags: Mapping[str, object]
) -> Iterator[Run]:
    """Yield a new run; it ends as finished, or as failed if something goes wrong."""
    client = opened(tracking_uri)
    made = written("the run", lambda: client.create_run(experiment_id, run_name=run_name))
    run = Run(client, str(made.info.run_id), experiment_id, tracking_uri)
    try:
        run.tags({"mlflow.user": _user(), **tags})
        yield run
    except BaseException as error:
        status = "FAILED" if isinstance(error, Exception) else "KILLED"
        _end(run, status)
        raise
    _end(run, "FINISHED")


def _end(run: Run, status: str) -> None:
    before = os.environ.get(_QUIET)
    os.environ[_QUIET] = "true"  # MLflow prints the address of the run, with user and password if it has them
    try:
        written("the run's end", lambda: run.client.set_terminated(run.id, status=status))
    except DataError:
        if status == "FINISHED":
            raise
    finally:
        _restore({_QUIET: before})


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return "unknown"
