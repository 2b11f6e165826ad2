"""One case + data → Finding: no pytest here, no files written."""

import hashlib
import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import Any

from pytest_readmit import findings, needs
from pytest_readmit.cases import Plan, PlannedCase
from pytest_readmit.claim import Claim, Context, Finding, Gate
from pytest_readmit.data.dataset import Column, Dataset
from pytest_readmit.data.scored import MOST_MISSING, Scored
from pytest_readmit.errors import DataError, ReadmitError
from pytest_readmit.inputs import as_of
from pytest_readmit.rule import decide

WORKERS = 2
KEPT_ROWS = 32_000_000
FEWEST_KEPT = 4

Key = tuple[int, str]


class Session:
    """
    Decides the cases of a plan.

    Two ways lead to the same Findings. `start` measures ahead in the background, one column at a time:
    every case of a column is decided while the column is in memory, and then it is let go. Without
    `start`, `finding` measures on demand and keeps the columns used last.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._kept = _Kept(plan)
        self._pool: ThreadPoolExecutor | None = None
        self._ahead_of: dict[str, Future[dict[str, Finding | None]]] = {}
        self._parts: dict[tuple[str, str], Future[Any]] = {}
        self._gates: dict[int, tuple[Gate, ...]] = {}

    def start(self, cases: Iterable[PlannedCase]) -> None:
        """Begin to measure these cases in the background, column by column."""
        if self._pool is not None:
            return
        self._pool = ThreadPoolExecutor(WORKERS, thread_name_prefix="readmit")
        groups = _by_column(cases)
        for group in groups.values():
            for case in group.cases:
                self._ahead_of[case.id] = group.measured
            for case in group.reduced:
                self._parts[case.id, group.column] = Future()
        for group in groups.values():
            self._pool.submit(self._measure_column, group)

    def finding(self, case: PlannedCase) -> Finding:
        """Return the Finding of a case; waits for the background where it is being measured there."""
        future = self._ahead_of.get(case.id)
        # Whoever asks again (a plugin that reruns) has it measured again, so that nothing is kept twice.
        found = None if future is None else future.result().pop(case.id, None)
        return self._evaluate(case) if found is None else found

    def provenance(self) -> dict[str, Any]:
        """Return what the run read: each dataset's source, digest, number of columns and flow of rows."""
        return {"datasets": _datasets(self._plan), "models": _models(self._plan)}

    def close(self) -> None:
        """Stop measuring and let go of the data."""
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
        self._plan.close()

    def _measure_column(self, group: "_Group") -> None:
        try:
            group.measured.set_result({case.id: self._ahead(case) for case in group.cases})
            for case in group.reduced:
                part = self._parts[case.id, group.column]
                try:
                    part.set_result(self._part(case, group.column))
                except Warning as warning:  # as in _ahead
                    part.set_exception(warning)
        finally:
            for dataset in group.datasets(self._plan):
                dataset.release(group.column)
            # A crash must not leave anybody waiting.
            group.measured.cancel()
            for case in group.reduced:
                self._parts[case.id, group.column].cancel()

    def _ahead(self, case: PlannedCase) -> Finding | None:
        """
        Decide a case in the background; None where it is to be measured on demand.

        That is where a warning became an error, and where the interpreter itself failed: CPython 3.11's
        parser does so now and then when two threads import at once.
        """
        try:
            return self._evaluate(case)
        except (Warning, SystemError):
            return None

    def _evaluate(self, case: PlannedCase) -> Finding:
        started = time.perf_counter()
        if case.error is not None:
            return findings.undecided(case, case.error, 0.0)
        decided = _within(case.entry.timeout, lambda: self._decide(case, started))
        if isinstance(decided, str):
            return findings.undecided(case, decided, _since(started))
        return decided

    def _decide(self, case: PlannedCase, started: float) -> Finding | str:
        """Return the Finding, or why nothing was measured."""
        try:
            claim = self._short_of_rows(case) or case.spec.function(
                **self._injected(case), **self._parameters(case)
            )
            if not isinstance(claim, Claim):
                return f"{case.entry.check} returned {type(claim).__name__}, not a Claim"
            claim = _segment_floor(case, claim)
            finding = findings.decided(case, claim, decide(claim, case.policy), _since(started))
            finding.to_json()  # what a record cannot hold is the check's mistake, not the reporter's
        except DataError as error:
            return error.told(case.suite.min_cell)
        except ReadmitError as error:
            return str(error)
        except (Warning, KeyboardInterrupt):
            raise  # a warning: under -W error, from a thread that pytest's filters do not reach
        except BaseException as error:  # a check that crashes, exits or skips is an error of its case alone
            if isinstance(error, SystemError) and threading.current_thread() is not threading.main_thread():
                raise
            return findings.crash(case.entry.check, error)
        return finding

    def _short_of_rows(self, case: PlannedCase) -> Claim | None:
        """Return an undecided Claim for a segment with fewer rows than may be shown, or than `min_rows`."""
        if not case.selection or case.spec.census or case.policy.decide_by != "interval":
            return None
        least = max([case.suite.min_cell, *_floors(case)])
        sides = [name for name, kind in case.spec.needs if kind in ("column", "dataset", "scored")]
        few = [name for name in sides if 0 < self._dataset(case, name).rows < least]
        if not few:
            return None
        return Claim(
            estimate=math.nan,
            summary=f"{case.names[-1]}: nothing was measured",
            undecidable=f"fewer than {least:,} rows of {' and '.join(few)} are in this segment",
        )

    def _parameters(self, case: PlannedCase) -> dict[str, Any]:
        return {**case.entry.parameters, **case.arguments}

    def _injected(self, case: PlannedCase) -> dict[str, Any]:
        injected: dict[str, Any] = {}
        for name, kind in case.spec.needs:
            if kind == "column":
                injected[name] = self._column(case, name, case.column or "")
            elif kind == "dataset":
                reads = needs.datasets(case.spec, case.entry)
                injected[name] = self._dataset(case, name) if reads else None
            elif kind == "scored":
                injected[name] = self._scored(case, name)
            elif kind == "parts":
                injected[name] = self._gather(case)
            elif kind == "models":
                injected[name] = self._plan.models[case.index].models(case.entry.model)
            elif kind == "selected":
                injected[name] = case.selected
            elif kind == "context":
                injected[name] = self._context(case)
            else:
                raise DataError(f"{case.entry.check} needs {kind}, which this version does not offer")
        if case.spec.takes_context:
            injected.setdefault("context", self._context(case))
        return injected

    def _context(self, case: PlannedCase) -> Context:
        if case.index not in self._gates:
            book = self._plan.models[case.index]
            blocking = (entry for entry in case.suite.entries if entry.severity == "block")
            self._gates[case.index] = tuple(
                Gate(each.check, each.parameters, book.measured(each.model)) for each in blocking
            )
        return replace(_context(case), gates=self._gates[case.index])

    def _dataset(self, case: PlannedCase, parameter: str) -> Dataset:
        dataset = self._plan.datasets[case.index].get(case.dataset_name(parameter))
        if not isinstance(dataset, Dataset):
            raise dataset or DataError(f"no dataset {parameter!r}")
        seen = self._plan.models[case.index].seen(dataset, case.entry.model)
        return seen.segment(case.selection) if case.selection else seen

    def _scored(self, case: PlannedCase, parameter: str) -> Scored:
        most = self._parameters(case).get("max_missing_label", MOST_MISSING)
        return self._dataset(case, parameter).scored(most)

    def _column(self, case: PlannedCase, parameter: str, name: str) -> Column:
        dataset = self._dataset(case, parameter)
        if self._pool is None:
            self._kept.touch(case.index, case.dataset_name(parameter), name)
        return dataset.column(name)

    def _gather(self, case: PlannedCase) -> dict[str, Any]:
        parts: dict[str, Any] = {}
        for name in case.features:
            future = self._parts.get((case.id, name))
            try:
                parts[name] = self._part(case, name) if future is None else future.result()
            except Warning:
                parts[name] = self._part(case, name)
        return parts

    def _part(self, case: PlannedCase, name: str) -> Any:
        """Return a map-reduce check's measurement of one column, or the DataError in its place."""
        assert case.spec.part is not None  # noqa: S101 - only such cases come here
        try:
            return case.spec.part(
                self._column(case, "reference", name),
                self._column(case, "current", name),
                context=_context(case),
                **self._parameters(case),
            )
        except DataError as error:
            return error
        except ReadmitError as error:
            return DataError(str(error))
        except (Warning, KeyboardInterrupt):
            raise
        except BaseException as error:  # as in _decide
            return DataError(findings.crash(case.entry.check, error))


class _Kept:
    """The columns that on-demand measuring keeps, least recently used first out, bounded by rows."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._used: OrderedDict[tuple[int, str, str], int] = OrderedDict()
        self._rows = 0

    def touch(self, index: int, dataset: str, column: str) -> None:
        key = (index, dataset, column)
        if key in self._used:
            self._used.move_to_end(key)
            return
        opened = self._plan.datasets[index][dataset]
        if not isinstance(opened, Dataset):
            return
        self._used[key] = opened.rows
        self._rows += opened.rows
        while self._rows > KEPT_ROWS and len(self._used) > FEWEST_KEPT:
            (old_index, old_dataset, old_column), rows = self._used.popitem(last=False)
            self._rows -= rows
            stale = self._plan.datasets[old_index][old_dataset]
            if isinstance(stale, Dataset):
                stale.release(old_column)


class _Group:
    """All the cases that measure one column, and the map-reduce cases that want a part of it."""

    def __init__(self, index: int, column: str) -> None:
        self.index = index
        self.column = column
        self.cases: list[PlannedCase] = []
        self.reduced: list[PlannedCase] = []
        self.measured: Future[dict[str, Finding | None]] = Future()

    def datasets(self, plan: Plan) -> list[Dataset]:
        return [each for each in plan.datasets[self.index].values() if isinstance(each, Dataset)]


def _by_column(cases: Iterable[PlannedCase]) -> Mapping[Key, _Group]:
    groups: dict[Key, _Group] = {}

    def group(case: PlannedCase, column: str) -> _Group:
        key = (case.index, column)
        if key not in groups:
            groups[key] = _Group(case.index, column)
        return groups[key]

    for case in cases:
        if case.error is not None:
            continue
        if case.spec.part is not None:
            for name in case.features:
                group(case, name).reduced.append(case)
        elif case.spec.per_column and case.column is not None:
            group(case, case.column).cases.append(case)
    return groups


def _within(seconds: float | None, measure: Callable[[], Finding | str]) -> Finding | str:
    """Measure, but wait no longer than `seconds`; the thread that is too slow is left behind."""
    if seconds is None:
        return measure()
    result: list[Finding | str | Warning | SystemError] = []

    def measured() -> None:
        try:
            result.append(measure())
        except (Warning, SystemError) as raised:
            result.append(raised)

    thread = threading.Thread(target=measured, daemon=True)
    thread.start()
    thread.join(seconds)
    found = result[0] if result else f"timed out after {seconds:g} s"
    if isinstance(found, Warning | SystemError):
        raise found
    return found


def _since(started: float) -> float:
    return round(time.perf_counter() - started, 6)


def _context(case: PlannedCase) -> Context:
    identity = f"{case.suite.sha256}:{case.entry.id}::{case.subject}::{case.segment}"
    return Context(
        decide_by=case.policy.decide_by,
        p_value=case.policy.p_value,
        confidence=case.policy.confidence,
        as_of=as_of(case.suite),
        min_cell=case.suite.min_cell,
        seed=int.from_bytes(hashlib.sha256(identity.encode()).digest()[:8], "big"),
    )


def _floors(case: PlannedCase) -> list[int]:
    """Return the fewest rows that the entry asks of a segment."""
    return [int(axis["min_rows"]) for axis in case.entry.segments or () if axis.get("min_rows")]


def _segment_floor(case: PlannedCase, claim: Claim) -> Claim:
    """Hold a segment to the fewest rows that the suite asks for."""
    floors = _floors(case)
    rows = [n for n in (claim.n_reference, claim.n_current) if n is not None]
    if floors and rows and min(rows) < max(floors):
        return replace(claim, undecidable=f"the segment has fewer than min_rows {max(floors):,} rows")
    return claim


def _datasets(plan: Plan) -> dict[str, Any]:
    found: dict[str, Any] = {}
    several = len(plan.suites) > 1
    for suite, datasets in zip(plan.suites, plan.datasets, strict=True):
        for name, dataset in datasets.items():
            facts = _dataset_facts(dataset, suite.min_cell)
            if several and found.get(name, facts) != facts:
                found[f"{suite.name}:{name}"] = facts
            else:
                found[name] = facts
    return found


def _models(plan: Plan) -> dict[str, Any]:
    found: dict[str, Any] = {"champion": None, "challenger": None}
    for suite, book in zip(plan.suites, plan.models, strict=True):
        for name, facts in book.facts().items():
            known = found.get(name)
            found[name if known in (None, facts) else f"{suite.name}:{name}"] = facts
    return found


def _dataset_facts(dataset: Dataset | DataError, min_cell: int) -> dict[str, Any]:
    if not isinstance(dataset, Dataset):
        return {
            "source": None,
            "sha256": None,
            "version": None,
            "columns": None,
            "flow": {},
            "error": dataset.told(min_cell),
        }
    return {
        "source": dataset.source,
        "sha256": dataset.digest(),
        "version": dataset.version,
        "columns": len(dataset.fields),
        "flow": {step: rows if not 0 < rows < min_cell else None for step, rows in dataset.flow.items()},
        "left_out": dict(dataset.left_out),
    }


def decide_all(
    plan: Plan, cases: Sequence[PlannedCase] | None = None
) -> tuple[list[Finding], dict[str, Any]]:
    """Decide cases (default: all) and return the Findings in order with the provenance of the data."""
    session = Session(plan)
    chosen = plan.cases if cases is None else cases
    try:
        session.start(chosen)
        found = [session.finding(case) for case in chosen]
        return found, session.provenance()
    finally:
        session.close()
