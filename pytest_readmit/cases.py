"""Suites + checks + the schemas of the data → cases with ids, in suite order."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pytest_readmit import needs
from pytest_readmit.data.dataset import Dataset
from pytest_readmit.errors import DataError, Problem, SuiteError
from pytest_readmit.inputs import Opened, as_of, open_datasets, open_models, pins_of
from pytest_readmit.models.opening import ModelBook
from pytest_readmit.names import safe_names, shown_path
from pytest_readmit.registry import Registry, load
from pytest_readmit.rule import Policy, Waiver
from pytest_readmit.selection import SINGLE_ROLES, Draft, segments, select
from pytest_readmit.settings import PlanSettings
from pytest_readmit.signature import CheckSpec, Schema
from pytest_readmit.suite import Entry, Settings, Suite, read_suite


@dataclass(slots=True, kw_only=True, eq=False)
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

    def pins(self) -> dict[str, str]:
        """Return the versions that moving sources name now, for `PlanSettings` of other processes."""
        pins: dict[str, str] = {}
        for suite, datasets, models in zip(self.suites, self.datasets, self.models, strict=True):
            pins |= pins_of(suite, datasets, models)
        return pins

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
    opened = tuple(open_datasets(suite, settings, checks) for suite in suites)
    cases: list[PlannedCase] = []
    for index, (suite, datasets) in enumerate(zip(suites, opened, strict=True)):
        cases += _expand_suite(index, suite, datasets, checks, settings)
    return Plan(
        suites=tuple(suites),
        cases=tuple(cases),
        datasets=opened,
        models=tuple(
            open_models(suite, settings, checks, datasets)
            for suite, datasets in zip(suites, opened, strict=True)
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
    if not hidden:
        return list(names)
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
