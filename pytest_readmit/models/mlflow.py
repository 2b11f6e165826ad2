"""Models in an MLflow registry: a source resolved once to its version, run, files and digest."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_readmit.data.tracked import RUN, asked, client, fetched, tracking_uri
from pytest_readmit.errors import DataError, did_you_mean

__all__ = [
    "Resolved",
    "client",
    "digest_of",
    "holdout_uses",
    "metrics",
    "model_file",
    "never_had",
    "past_champions",
    "resolve",
    "tracking_uri",
    "version_of",
]

HISTORY = "readmit.history"
"""Tags of a registered model that begin so hold its history."""
STATUS = "readmit.status"
HOLDOUT = "readmit.holdout"
PREVIOUS = "previous"
FORMS = "models:/NAME@ALIAS, models:/NAME/VERSION, models:/NAME/latest or runs:/RUN/PATH"
_META = "registered_model_meta"
_REGISTERED = re.compile(r"models:/(?P<name>[^/@:'\"]+)(?:@(?P<alias>[^/@]+)|/(?P<version>[^/@]+))")


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """
    An immutable version of a model.

    Args:
        source: As the suite writes it.
        name: The registered model; None for a run's.
        version: Its version as text; None for a run's.
        run_id: The run that made it.
        path: The folder of its files on this machine.
        files: Path in the folder to ``sha256:…``.
        digest: Of all of them.
    """

    source: str
    name: str | None
    version: str | None
    run_id: str | None
    path: Path
    files: Mapping[str, str]
    digest: str


def resolve(source: str, uri: str) -> Resolved:
    """
    Return the version that a source names now, with its files on this machine.

    Raises:
        DataError: There is no such model, alias, version, run or file, or the store cannot be reached.
        MissingExtra: MLflow is not installed.
    """
    registered, run = _REGISTERED.fullmatch(source), RUN.fullmatch(source)
    if registered is None and run is None:
        raise DataError(f"{source} names no model in MLflow: write {FORMS}")
    store = client(uri)
    name: str | None = None
    version: str | None = None
    if registered is not None:
        name = registered["name"]
        version = _version(store, source, name, registered["alias"], registered["version"])
        found = asked(source, lambda: store.get_model_version(name, version))
        run_id = found.run_id or None
        location = asked(source, lambda: store.get_model_version_download_uri(name, version))
    else:
        assert run is not None  # noqa: S101 - one of both matched
        run_id = run["run"]
        location = _of_run(store, source, run_id, run["path"])
    folder = _folder(source, location, uri)
    files = _files(folder)
    if not files:
        raise DataError(f"{source}: MLflow holds no file of it")
    return Resolved(
        source=source,
        name=name,
        version=version,
        run_id=run_id,
        path=folder,
        files=files,
        digest=_digest(files),
    )


def version_of(source: str, uri: str) -> str | None:
    """
    Return the version that a source names now, as a source; None where it can name no other later.

    Raises:
        DataError: There is no such model, alias or version, or the store cannot be reached.
        MissingExtra: MLflow is not installed.
    """
    found = _REGISTERED.fullmatch(source)
    if found is None or (found["version"] or "").isdecimal():
        return None
    name = found["name"]
    return f"models:/{name}/{_version(client(uri), source, name, found['alias'], found['version'])}"


def _version(store: Any, source: str, name: str, alias: str | None, version: str | None) -> str:
    model = _registered_model(store, source, name)
    if alias is not None:
        if alias not in model.aliases:
            hint = did_you_mean(alias, model.aliases)
            raise DataError(f"{source}: the model {name!r} has no alias {alias!r}{hint}")
        return str(model.aliases[alias])
    known = [str(each.version) for each in _versions(store, source, name)]
    if version == "latest" and known:
        return max(known, key=int)
    if version not in known:
        stage = "; stages are gone from MLflow, use an alias" if version and version.isalpha() else ""
        raise DataError(f"{source}: the model {name!r} has no version {version}{stage}")
    return str(version)


def _registered_model(store: Any, source: str, name: str) -> Any:
    found = asked(source, lambda: store.search_registered_models(f"name = '{name}'", max_results=1))
    if found:
        return found[0]
    names = [model.name for model in asked(source, store.search_registered_models)]
    raise DataError(f"{source}: MLflow has no registered model {name!r}{did_you_mean(name, names)}")


def _versions(store: Any, source: str, name: str) -> list[Any]:
    found: list[Any] = []
    token: str | None = None
    while True:
        page = asked(source, lambda: store.search_model_versions(f"name = '{name}'", page_token=token))  # noqa: B023 - called at once
        found += page
        token = page.token
        if not token:
            return found


def _of_run(store: Any, source: str, run_id: str, path: str) -> str:
    """Return where the files of a run's model are: since MLflow 3 a model is beside its run."""
    run = asked(source, lambda: store.get_run(run_id))
    name, _, inner = path.partition("/")
    logged = asked(
        source,
        lambda: store.search_logged_models(
            experiment_ids=[run.info.experiment_id], filter_string=f"source_run_id = '{run_id}'"
        ),
    )
    for model in logged:
        if model.name == name:
            return f"{model.artifact_location}/{inner}".rstrip("/")
    return f"{run.info.artifact_uri}/{path}"


def _folder(source: str, location: str, uri: str) -> Path:
    folder = fetched(source, location, uri)
    if not folder.is_dir():
        raise DataError(f"{source} is no model: MLflow keeps a model as a folder with a file MLmodel")
    return folder


def _files(folder: Path) -> dict[str, str]:
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file() and path.name != _META]
    return {
        path.relative_to(folder).as_posix(): f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"
        for path in paths
    }


def _digest(files: Mapping[str, str]) -> str:
    lines = (f"{path} {digest.removeprefix('sha256:')}\n" for path, digest in sorted(files.items()))
    return f"sha256:{hashlib.sha256(''.join(lines).encode()).hexdigest()}"


def digest_of(folder: Path) -> str:
    """Return the digest of a model's folder: sha256 over its sorted lines of path and sha256."""
    return _digest(_files(folder))


def model_file(resolved: Resolved) -> str:
    """
    Return the path of the one file that holds the estimator, relative to the model's folder.

    Raises:
        DataError: The model has no scikit-learn flavour, or names no file of its own.
    """
    if "MLmodel" not in resolved.files:
        raise DataError(f"{resolved.source} is no model: there is no file MLmodel")

    def flavors() -> Mapping[str, Any]:
        from mlflow.models import Model

        return dict(Model.load(str(resolved.path)).flavors)

    found = asked(f"{resolved.source}: its MLmodel", flavors)
    if "sklearn" not in found:
        named = ", ".join(sorted(found)) or "none"
        raise DataError(
            f"{resolved.source} has no scikit-learn flavour (it has {named}); score the rows with it "
            "elsewhere and name the column: {score: COLUMN}"
        )
    path = str(found["sklearn"].get("pickled_model"))
    if path not in resolved.files:
        raise DataError(f"{resolved.source}: its MLmodel names a file that is not the model's")
    return path


def metrics(run_id: str, uri: str) -> dict[str, float]:
    """
    Return the metrics that a run logged, the last value of each.

    Raises:
        DataError: The run, or the store, cannot be had.
        MissingExtra: MLflow is not installed.
    """
    store = client(uri)
    run = asked(f"run {run_id}", lambda: store.get_run(run_id))
    return {str(name): float(value) for name, value in run.data.metrics.items()}


def never_had(source: str, uri: str) -> str | None:
    """
    Return the registered model whose alias the source names, if it has and had no champion; else None.

    Raises:
        DataError: The alias is missing although history names a champion, or there is no such model.
        MissingExtra: MLflow is not installed.
    """
    found = _REGISTERED.fullmatch(source)
    if found is None or found["alias"] is None:
        return None
    store, name = client(uri), found["name"]
    if found["alias"] in _registered_model(store, source, name).aliases:
        return None
    past = past_champions(name, uri)
    if past:
        raise DataError(
            f"{source}: the alias is missing although the history of {name!r} names a champion "
            f"(version {', '.join(past)}): set it again, or run `readmit history {name}`"
        )
    return name


def past_champions(name: str, uri: str) -> list[str]:
    """
    Return the versions that a model's history names as champion, ``?`` where it names none by number.

    Raises:
        DataError: There is no such model, or the store cannot be reached.
        MissingExtra: MLflow is not installed.
    """
    store = client(uri)
    model = _registered_model(store, f"models:/{name}", name)
    past = {str(model.aliases[alias]) for alias in (PREVIOUS,) if alias in model.aliases}
    for version in _versions(store, f"models:/{name}", name):
        served = dict(version.tags).get(STATUS) in ("champion", "archived")
        staged = str(getattr(version, "current_stage", None)) in ("Production", "Archived")
        if served or staged:
            past.add(str(version.version))
    if not past and any(tag.startswith(HISTORY) for tag in model.tags):
        return ["?"]
    return sorted(past, key=int)


def holdout_uses(name: str, sha256: str, uri: str) -> int:
    """
    Return how many versions of a model were judged on a dataset before, as their tags say.

    Raises:
        DataError: The store cannot be reached.
        MissingExtra: MLflow is not installed.
    """
    found = _versions(client(uri), f"models:/{name}", name)
    return sum(sha256 in dict(version.tags).get(HOLDOUT, "") for version in found)
