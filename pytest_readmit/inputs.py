"""The datasets and models of a suite: named by it or by the run, opened, never measured."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from pytest_readmit import needs
from pytest_readmit.data.dataset import Dataset, Roles
from pytest_readmit.data.source import SourceSpec, open_dataset
from pytest_readmit.errors import DataError, ReadmitError
from pytest_readmit.models.mlflow import tracking_uri
from pytest_readmit.models.opening import ModelBook, model_specs
from pytest_readmit.models.trust import Trust
from pytest_readmit.registry import Registry
from pytest_readmit.settings import PlanSettings
from pytest_readmit.suite import Source, Suite, parse_source, source_of

Opened = Dataset | DataError


def open_datasets(
    suite: Suite, settings: PlanSettings, checks: Registry, *, only: Collection[str] | None = None
) -> dict[str, Opened]:
    """Open each dataset of a suite, or some; what cannot be had is a DataError in its place."""
    roles = _roles(suite, checks)
    today = as_of(suite)
    specs = {name: _spec(source, suite.path.parent, today) for name, source in suite.data.items()}
    for name, given in settings.data.items():
        specs[name] = _override(specs.get(name), given, settings.folder, today)
    uri = tracking_uri(suite.mlflow.get("tracking_uri"), settings.environ, suite.path.parent)
    specs = {
        name: replace(spec, options={"uri": uri}) if spec.kind in ("mlflow", "profile") else spec
        for name, spec in specs.items()
        if only is None or name in only
    }
    for name, spec in specs.items():
        pin = settings.pins.get(_pin_key(suite, "data", name))
        if pin is not None:
            specs[name] = replace(spec, options={**spec.options, "pinned": pin})
    opened: dict[str, Opened] = {}
    for name in sorted(specs, key=lambda name: name != "reference"):
        like = opened.get("reference")
        try:
            opened[name] = open_dataset(
                name, specs[name], roles, like=like if isinstance(like, Dataset) else None
            )
        except ReadmitError as error:
            opened[name] = error if isinstance(error, DataError) else DataError(str(error))
        except Exception as error:  # a crashed reader is an error of its cases; its text could quote cells
            opened[name] = DataError(f"dataset {name!r} could not be opened ({type(error).__name__})")
    return opened


def open_source(name: str, given: str, roles: Roles, folder: Path, environ: Mapping[str, str]) -> Dataset:
    """
    Open a dataset that the command line names, without a suite.

    Raises:
        DataError: It cannot be had.
    """
    spec = _spec(parse_source(given), folder, datetime.now(UTC).date())
    if spec.kind == "mlflow":
        spec = replace(spec, options={"uri": tracking_uri(None, environ, folder)})
    return open_dataset(name, spec, roles)


def open_models(
    suite: Suite, settings: PlanSettings, checks: Registry, datasets: Mapping[str, Opened]
) -> ModelBook:
    """Return the models of a suite; each is loaded when it is asked for."""
    trust = Trust(settings.trust, (settings.folder, settings.root))
    base, columns = suite.path.parent, suite.columns
    uri = tracking_uri(suite.mlflow.get("tracking_uri"), settings.environ, base)
    specs = model_specs(suite.models, settings.models, base, settings.folder, uri)
    extra = needs.brought(suite, checks)
    sources = {name: source_of(source) for name, source in extra.items()}
    specs |= model_specs(sources, {}, base, base, uri)
    for name, spec in specs.items():
        pin = settings.pins.get(_pin_key(suite, "models", name))
        if pin is not None:
            specs[name] = replace(spec, options={**spec.options, "pinned": pin})
    return ModelBook(specs, columns.positive_label, columns.score, trust, datasets, extra)


def pins_of(suite: Suite, datasets: Mapping[str, Opened], models: ModelBook) -> dict[str, str]:
    """Return the versions that the sources of a suite name now, for other processes of the same run."""
    versions = {name: dataset.version for name, dataset in datasets.items() if isinstance(dataset, Dataset)}
    named = {_pin_key(suite, "data", name): version for name, version in versions.items() if version}
    return named | {_pin_key(suite, "models", name): pin for name, pin in models.pins().items()}


def _pin_key(suite: Suite, room: str, name: str) -> str:
    return f"{suite.shown}:{room}.{name}"


def as_of(suite: Suite) -> date:
    """Return the day that counts as today for a suite."""
    return suite.as_of or datetime.now(UTC).date()


def _roles(suite: Suite, checks: Registry) -> Roles:
    named = suite.columns
    models = [*suite.models.values(), *map(source_of, needs.brought(suite, checks).values())]
    return Roles(
        target=named.target,
        positive_label=named.positive_label,
        negative_label=named.negative_label,
        score=named.score,
        patient=named.patient,
        id=named.id,
        time=named.time,
        sensitive=tuple(named.sensitive),
        numerical=tuple(named.numerical),
        categorical=tuple(named.categorical),
        features=None if named.features is None else tuple(named.features),
        ignore=tuple(named.ignore),
        scores=tuple(model.value for model in models if model.kind == "score"),
    )


def _spec(source: Source, base: Path, today: date) -> SourceSpec:
    return SourceSpec(
        kind=source.kind,
        value=str(source.value),
        base=base,
        read=source.read,
        rename=source.rename,
        where=source.where,
        parameters=source.where_parameters,
        matured=source.matured,
        as_of=today,
        options=source.options,
    )


def _override(old: SourceSpec | None, given: Any, folder: Path, today: date) -> SourceSpec:
    """Return the spec that the command line or the caller puts in a dataset's place; filters stay."""
    if isinstance(given, str | Path):
        new = _spec(parse_source(str(given)), folder, today)
    else:
        new = SourceSpec(kind="frame", value=type(given).__name__, base=folder, frame=given, as_of=today)
    if old is None:
        return new
    return replace(
        new, read=old.read, rename=old.rename, where=old.where, parameters=old.parameters, matured=old.matured
    )
