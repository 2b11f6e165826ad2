"""Suites + checks + the schemas of the data → cases with ids, in suite order."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from pytest_readmit import needs
from pytest_readmit.data.dataset import Dataset, Roles
from pytest_readmit.data.source import SourceSpec, open_dataset
from pytest_readmit.errors import DataError, Problem, ReadmitError, SuiteError
from pytest_readmit.models.mlflow import tracking_uri
from pytest_readmit.models.opening import ModelBook, model_specs
from pytest_readmit.models.trust import Trust
from pytest_readmit.names import safe_names, shown_path
from pytest_readmit.registry import CheckSpec, Registry, Schema, load
from pytest_readmit.rule import Policy, Waiver
from pytest_readmit.selection import SINGLE_ROLES, Draft, segments, select
from pytest_readmit.suite import Entry, Settings, Source, Suite, parse_source, read_suite, source_of

Opened = Dataset | DataError


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanSettings:
    """
    What the command line, the environment and the configuration add to the suite files.

    Args:
        variables: Values given by name for ``${NAME}``.
        environ: The environment.
        allowed_env: Names of the environment that a suite may use beside ``READMIT_*``.
        data: Dataset name → source text (``demo:drifted``, a path) or a frame.
        models: Model name → a fitted classifier, or a path; replaces what the suite names.
        trust: Globs on the models that may be loaded even where loading runs their code.
        check_modules: Importable modules that register checks.
        max_cases: The most cases a suite may expand to.
        strict: Every warning and undecided gate blocks.
        honour_waivers: False under ``--runxfail``.
        root: The folder that suite paths are shown relative to.
        folder: The folder that paths on the command line start from.
        shown: How each suite is called in ids and messages, where `root` does not say it.
    """

    variables: Mapping[str, str] = field(default_factory=dict)
    environ: Mapping[str, str] = field(default_factory=dict)
    allowed_env: frozenset[str] = frozenset()
    data: Mapping[str, Any] = field(default_factory=dict)
    models: Mapping[str, Any] = field(default_factory=dict)
    trust: Sequence[str] = ()
    check_modules: Sequence[str] = ()
    max_cases: int = 10_000
    strict: bool = False
    honour_waivers: bool = True
    root: Path = field(default_factory=Path.cwd)
    folder: Path = field(default_factory=Path.cwd)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PlannedCase:
    """
    One case of a suite, not yet decided.

    Args:
        id: The full id, ``suites/drift.yml::data_drift::age``.
        names: The parts of the id after the file.
        index: The suite's place in the plan.
        column: The column that is measured, for checks that measure one at a time.
        features: The columns that a map-reduce check measures.
        selected: The entry's `columns` as column names, for checks on whole datasets.
        arguments: What the check's own expansion adds to the entry's parameters.
        segment: The segment's text; `selection` says which rows it holds.
        error: Why the case cannot be measured; its verdict is error.
    """

    id: str
    names: tuple[str, ...]
    index: int
    suite: Suite
    entry: Entry
    spec: CheckSpec
    policy: Policy
    subject: str | None = None
    column: str | None = None
    features: tuple[str, ...] = ()
    selected: tuple[str, ...] = ()
    arguments: Mapping[str, Any] = field(default_factory=dict)
    segment: str | None = None
    selection: Mapping[str, str] = field(default_factory=dict)
    error: str | None = None

    @property
    def line(self) -> int:
        return self.entry.line

    def dataset_name(self, parameter: str) -> str:
        """Return the name of the dataset that an injected parameter stands for."""
        return needs.dataset_name(self.entry, parameter)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Plan:
    """Everything known before a row is measured: suites, cases in suite order, opened data and models."""

    suites: tuple[Suite, ...]
    cases: tuple[PlannedCase, ...]
    datasets: tuple[Mapping[str, Opened], ...]
    models: tuple[ModelBook, ...]

    def close(self) -> None:
        """Let go of files and connections."""
        for datasets in self.datasets:
            for dataset in datasets.values():
                if isinstance(dataset, Dataset):
                    dataset.close()


def plan(paths: Sequence[Path], settings: PlanSettings, *, registry: Registry | None = None) -> Plan:
    """
    Read suites and open the schemas of their data.

    Raises:
        SuiteError: If any suite, or what the command line adds to it, is wrong.
    """
    checks = registry if registry is not None else load(settings.check_modules)
    suites = _read(paths, settings, checks)
    given = {"models": settings.models, "environ": settings.environ}
    problems: list[Problem | str] = list(needs.problems(suites, settings.data, checks, **given))
    if problems:
        raise SuiteError(problems)
    opened = tuple(_open(suite, settings, checks) for suite in suites)
    cases: list[PlannedCase] = []
    for index, (suite, datasets) in enumerate(zip(suites, opened, strict=True)):
        cases += _expand_suite(index, suite, datasets, checks, settings)
    return Plan(
        suites=tuple(suites),
        cases=tuple(cases),
        datasets=opened,
        models=tuple(
            _models(suite, settings, checks, datasets) for suite, datasets in zip(suites, opened, strict=True)
        ),
    )


def _read(paths: Sequence[Path], settings: PlanSettings, checks: Registry) -> list[Suite]:
    reading = Settings(
        variables=settings.variables,
        environ=settings.environ,
        allowed_env=settings.allowed_env,
        max_cases=settings.max_cases,
        datasets=frozenset(settings.data),
    )
    suites: list[Suite] = []
    problems: list[Problem | str] = []
    for path in paths:
        try:
            shown = shown_path(path, settings.root)
            suites.append(read_suite(path, shown=shown, checks=checks, settings=reading))
        except SuiteError as error:
            problems += error.problems
    if problems:
        raise SuiteError(problems)
    return suites


def _open(suite: Suite, settings: PlanSettings, checks: Registry) -> dict[str, Opened]:
    roles = _roles(suite, checks)
    today = as_of(suite)
    specs = {name: _spec(source, suite.path.parent, today) for name, source in suite.data.items()}
    for name, given in settings.data.items():
        specs[name] = _override(specs.get(name), given, settings.folder, today)
    uri = tracking_uri(suite.mlflow.get("tracking_uri"), settings.environ, suite.path.parent)
    specs = {
        name: replace(spec, options={"uri": uri}) if spec.kind == "mlflow" else spec
        for name, spec in specs.items()
    }
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


def _models(
    suite: Suite, settings: PlanSettings, checks: Registry, datasets: Mapping[str, Opened]
) -> ModelBook:
    trust = Trust(settings.trust, (settings.folder, settings.root))
    base, columns = suite.path.parent, suite.columns
    uri = tracking_uri(suite.mlflow.get("tracking_uri"), settings.environ, base)
    specs = model_specs(suite.models, settings.models, base, settings.folder, uri)
    extra = needs.brought(suite, checks)
    sources = {name: source_of(source) for name, source in extra.items()}
    specs |= model_specs(sources, {}, base, base, uri)
    return ModelBook(specs, columns.positive_label, columns.score, trust, datasets, extra)


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


def _expand_suite(
    index: int, suite: Suite, datasets: Mapping[str, Opened], checks: Registry, settings: PlanSettings
) -> list[PlannedCase]:
    drafts = [_expand_entry(suite, entry, checks[entry.check], datasets) for entry in suite.entries]
    total = sum(map(len, drafts))
    if total > settings.max_cases:
        raise SuiteError(
            [f"{suite.shown}:1:1: {total:,} cases; at most {settings.max_cases:,} (ini readmit_max_cases)"]
        )
    shared = sum(
        len(draft)
        for entry, draft in zip(suite.entries, drafts, strict=True)
        if entry.decide_by == "interval" and not checks[entry.check].census
    )
    cases: list[PlannedCase] = []
    for entry, draft in zip(suite.entries, drafts, strict=True):
        m = {"suite": shared, "none": 1}.get(entry.correction, len(draft))
        policy = _policy(suite, entry, checks[entry.check], max(m, 1), settings)
        cases += _named(index, suite, entry, checks[entry.check], policy, draft)
    return cases


def _policy(suite: Suite, entry: Entry, spec: CheckSpec, m: int, settings: PlanSettings) -> Policy:
    waiver = Waiver(**entry.waiver) if entry.waiver else None
    return Policy(
        severity=entry.severity,
        inconclusive=entry.inconclusive,
        decide_by=entry.decide_by,
        confidence=entry.confidence,
        p_value=entry.p_value,
        m=m,
        runs=suite.runs,
        warn_above=entry.warn_above,
        waiver=waiver,
        today=as_of(suite),
        strict=settings.strict and spec.may_block,
        honour_waivers=settings.honour_waivers,
    )


def _public(names: Sequence[str], suite: Suite) -> list[str]:
    """Return names for ids; a value that the suite took from the environment is shown as ``${NAME}``."""
    hidden = {value: f"${{{name}}}" for name, value in suite.secrets.items()}
    return [" / ".join(hidden.get(part, part) for part in name.split(" / ")) for name in names]


def _named(
    index: int, suite: Suite, entry: Entry, spec: CheckSpec, policy: Policy, drafts: Sequence[Draft]
) -> Iterator[PlannedCase]:
    """Give each draft its id. Subjects are made unique among themselves, segments likewise."""
    subjects = list(dict.fromkeys(draft.subject for draft in drafts if draft.subject is not None))
    segments = list(dict.fromkeys(draft.segment for draft in drafts if draft.segment is not None))
    subject_names = dict(zip(subjects, safe_names(_public(subjects, suite)), strict=True))
    segment_names = dict(zip(segments, safe_names(_public(segments, suite)), strict=True))
    for draft in drafts:
        names = [entry.id]
        if draft.subject is not None:
            names.append(subject_names[draft.subject])
        if draft.segment is not None:
            names.append(segment_names[draft.segment])
        yield PlannedCase(
            id="::".join([suite.shown, *names]),
            names=tuple(names),
            index=index,
            suite=suite,
            entry=entry,
            spec=spec,
            policy=policy,
            subject=draft.subject,
            column=draft.column,
            features=draft.features,
            selected=draft.selected,
            arguments=draft.arguments,
            segment=draft.segment,
            selection=draft.selection,
            error=draft.error,
        )


def _expand_entry(suite: Suite, entry: Entry, spec: CheckSpec, datasets: Mapping[str, Opened]) -> list[Draft]:
    """Expand one entry; what cannot be had becomes a case with an error, never nothing."""
    used = {name: datasets[name] for name in _used(entry, spec, datasets)}
    broken = [dataset.told(suite.min_cell) for dataset in used.values() if isinstance(dataset, DataError)]
    if broken:
        return [Draft(error="; ".join(dict.fromkeys(broken)))]
    sides = [dataset for dataset in used.values() if isinstance(dataset, Dataset)]
    drafts = _subjects(entry, spec, sides)
    try:
        found = list(segments(entry.segments or (), sides, suite.min_cell))
    except DataError as error:
        return [Draft(error=error.told(suite.min_cell))]
    if not found:
        return drafts
    return [
        replace(draft, segment=text, selection=selection) for draft in drafts for text, selection in found
    ]


def _used(entry: Entry, spec: CheckSpec, datasets: Mapping[str, Opened]) -> list[str]:
    names = [needs.dataset_name(entry, parameter) for parameter, _ in needs.datasets(spec, entry)]
    return [name for name in dict.fromkeys(names) if name in datasets]


def _subjects(entry: Entry, spec: CheckSpec, sides: Sequence[Dataset]) -> list[Draft]:
    if spec.cases is not None:
        return _own_cases(entry, spec, sides)
    if spec.part is not None:
        chosen = list(select(entry.columns, spec, sides))
        errors = [draft.error for draft in chosen if draft.error]
        if errors:
            return [Draft(error="; ".join(errors))]
        return [Draft(features=tuple(draft.column for draft in chosen if draft.column))]
    if spec.per_column:
        return list(select(entry.columns, spec, sides))
    if entry.columns is None:
        return [Draft()]
    chosen = list(select(entry.columns, spec, sides))
    errors = [draft.error for draft in chosen if draft.error]
    if errors:
        return [Draft(error="; ".join(errors))]
    return [Draft(selected=tuple(draft.column for draft in chosen if draft.column))]


def _own_cases(entry: Entry, spec: CheckSpec, sides: Sequence[Dataset]) -> list[Draft]:
    assert spec.cases is not None  # noqa: S101 - the caller looked
    schema = _schema(entry, spec, sides)
    drafts = [
        Draft(subject=case.subject, column=case.column, arguments=case.arguments)
        for case in spec.cases(entry.parameters, schema)
    ]
    if not drafts:
        where = f" in {sides[0].name}" if sides else ""
        return [Draft(error=f"{entry.check} found nothing to measure{where}")]
    if entry.columns is None or not any(draft.column for draft in drafts):
        return drafts
    wanted = list(select(entry.columns, spec, sides))
    kept = [draft for draft in drafts if draft.column in {each.column for each in wanted}]
    # What `columns` names yields a case, also where there is no such column or nothing to ask of it.
    covered = {draft.column for draft in kept}
    idle = [
        replace(draft, error=f"{entry.check} is given nothing to measure {draft.column!r} by")
        for draft in wanted
        if not draft.error and draft.column in entry.columns and draft.column not in covered
    ]
    return [*kept, *(draft for draft in wanted if draft.error), *idle] or [
        Draft(error=f"{entry.check}: `columns` leaves nothing to measure")
    ]


def _schema(entry: Entry, spec: CheckSpec, sides: Sequence[Dataset]) -> Schema:
    if not sides:
        return Schema(columns={})
    anchor = sides[0]
    return Schema(
        columns={each.name: each.kind for each in anchor.fields},
        features=anchor.features,
        roles={name: getattr(anchor.roles, name) for name in SINGLE_ROLES if getattr(anchor.roles, name)},
        selected=_selected(entry, spec, sides),
        sensitive=anchor.roles.sensitive,
    )


def _selected(entry: Entry, spec: CheckSpec, sides: Sequence[Dataset]) -> tuple[str, ...] | None:
    if entry.columns is None:
        return None
    return tuple(draft.column for draft in select(entry.columns, spec, sides) if draft.column)
