"""What the entries of a suite ask for, and whether suite and run give it."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import count
from typing import Any

from pytest_readmit.errors import Problem, did_you_mean
from pytest_readmit.registry import Registry
from pytest_readmit.signature import CheckSpec
from pytest_readmit.suite import Entry, Suite, source_of

TRACKING_URI = "MLFLOW_TRACKING_URI"


def problems(
    suites: Sequence[Suite],
    given: Collection[str],
    checks: Registry,
    *,
    models: Collection[str] = (),
    environ: Mapping[str, str] | None = None,
) -> Iterator[Problem | str]:
    """
    Yield what is wrong with what the entries ask for.

    Args:
        suites: The suites of the run.
        given: Names of the datasets that the run brings itself.
        checks: The registered checks.
        models: Names of the models that the run brings itself.
        environ: The environment.
    """
    yield from _unknown_data(suites, given)
    yield from _missing_data(suites, given, checks)
    yield from _needless_columns(suites, checks)
    yield from _missing_roles(suites, models, checks)
    if not (environ or {}).get(TRACKING_URI):
        yield from _no_store(suites, models, given, checks)


def _missing_roles(suites: Sequence[Suite], models: Collection[str], checks: Registry) -> Iterator[Problem]:
    """Yield a problem where labelled predictions are asked for and the suite does not say what they are."""
    for suite in suites:
        roles = {
            "target": suite.columns.target,
            "positive_label": suite.columns.positive_label,
            "score": suite.columns.score if not (suite.models or models) else "a model's",
        }
        for entry in suite.entries:
            if not any(kind == "scored" for _, kind in checks[entry.check].needs):
                continue
            for role, given in roles.items():
                if given is None:
                    guess = "; it is never guessed" if role == "positive_label" else ""
                    message = f"{entry.check}: needs `columns: {{{role}: …}}`{guess}"
                    yield Problem(suite.shown, entry.line, entry.column, message)


def _no_store(
    suites: Sequence[Suite], given: Collection[str], data: Collection[str], checks: Registry
) -> Iterator[Problem]:
    """Yield a problem for each source in MLflow where nothing says which store is meant."""
    for suite in suites:
        if suite.mlflow.get("tracking_uri"):
            continue
        named = {f"models.{name}": source for name, source in suite.models.items() if name not in given}
        named |= {f"data.{name}": source for name, source in suite.data.items() if name not in data}
        found = [(where, source.line, source.column, source) for where, source in named.items()]
        for entry in suite.entries:
            extra = checks[entry.check].sources
            sources = extra(entry.parameters) if extra else ()
            found += [(entry.check, entry.line, entry.column, source_of(source)) for source in sources]
        for where, line, column, source in found:
            if source.kind == "mlflow":
                said = (
                    f"no MLflow store is named: write `mlflow: {{tracking_uri: URI}}` or set {TRACKING_URI}"
                )
                yield Problem(suite.shown, line, column, f"{where}: {said}")


def brought(suite: Suite, checks: Registry) -> dict[str, Any]:
    """Return the sources of models that the entries of a suite bring themselves, by a name for each."""
    found: dict[str, Any] = {}
    names = (name for n in count(1) if (name := f"candidate-{n}") not in suite.models)
    for entry in suite.entries:
        sources = checks[entry.check].sources
        for source in sources(entry.parameters) if sources else ():
            if source not in found.values():
                found[next(names)] = source
    return found


def _unknown_data(suites: Sequence[Suite], given: Collection[str]) -> Iterator[str]:
    known = {"reference", "current"}.union(*(suite.data for suite in suites))
    for name in given:
        if name not in known:
            yield f"--readmit-data: no suite has a dataset {name!r}{did_you_mean(name, known)}"


def _missing_data(suites: Sequence[Suite], given: Collection[str], checks: Registry) -> Iterator[Problem]:
    for suite in suites:
        known = {*suite.data, *given}
        for entry in suite.entries:
            for parameter, _ in datasets(checks[entry.check], entry):
                name = dataset_name(entry, parameter)
                if name == "reference" and parameter == "current" and entry.on:
                    line, column = entry.marks.get("on", (entry.line, entry.column))
                    message = f"{entry.check}: `on: reference` compares the reference with itself"
                    if any(other == "reference" for other, _ in datasets(checks[entry.check])):
                        yield Problem(suite.shown, line, column, message)
                if name not in known:
                    hint = did_you_mean(name, known)
                    message = f"{entry.check}: needs a dataset {name!r} under `data`{hint}"
                    yield Problem(suite.shown, entry.line, entry.column, message)


def _needless_columns(suites: Sequence[Suite], checks: Registry) -> Iterator[Problem]:
    """Yield a problem where `columns` would be read by nobody."""
    for suite in suites:
        for entry in suite.entries:
            spec = checks[entry.check]
            takes = (
                spec.per_column
                or spec.part
                or spec.cases
                or any(kind == "selected" for _, kind in spec.needs)
            )
            if entry.columns is not None and not takes:
                line, column = entry.marks.get("columns", (entry.line, entry.column))
                message = f"{entry.check}: measures no chosen columns; remove `columns`"
                yield Problem(suite.shown, line, column, message)


def datasets(spec: CheckSpec, entry: Entry | None = None) -> list[tuple[str, str]]:
    """Return the injected parameters that stand for datasets; a map-reduce check needs both sides."""
    if entry is not None and spec.rowless is not None and spec.rowless(entry.parameters):
        return []
    needs = [(name, kind) for name, kind in spec.needs if kind in ("column", "dataset", "scored")]
    if spec.part is not None:
        needs += [(name, "column") for name in ("reference", "current") if (name, "column") not in needs]
    return needs


def dataset_name(entry: Entry, parameter: str) -> str:
    return entry.on if parameter == "current" and entry.on else parameter
