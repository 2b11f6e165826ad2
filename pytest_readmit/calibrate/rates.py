"""How often each gate of a suite alarms with nothing wrong, and the smallest change that it would catch."""

import math
import os
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from pytest_readmit import cases
from pytest_readmit.calibrate.bench import Bench, Windows, lean
from pytest_readmit.calibrate.clock import Clock
from pytest_readmit.calibrate.results import POWER, Calibration, GateRate, Interval
from pytest_readmit.calibrate.search import Search
from pytest_readmit.calibrate.windows import Sizes, draw
from pytest_readmit.cases import Plan, PlannedCase
from pytest_readmit.claim import Finding, Limit
from pytest_readmit.data.dataset import Dataset
from pytest_readmit.data.pool import Pool
from pytest_readmit.data.profiled import Profiled
from pytest_readmit.errors import SuiteError, did_you_mean
from pytest_readmit.privacy import Mask
from pytest_readmit.settings import PlanSettings
from pytest_readmit.stats.domain import one_thread
from pytest_readmit.stats.proportion import clopper_pearson

REPLICATES = 200
SEARCHED = 30
Progress = Callable[[int, int, float], None]


def calibrate(
    suite: str | os.PathLike[str],
    *,
    replicates: int = REPLICATES,
    seed: int = 0,
    data: Mapping[str, Any] | None = None,
    variables: Mapping[str, str] | None = None,
    current_rows: int | None = None,
    models: Mapping[str, Any] | None = None,
    trust: Sequence[str] = (),
    check_modules: Sequence[str] = (),
    env: Collection[str] = (),
    skip: Collection[str] = (),
    power: bool = True,
    progress: Progress | None = None,
) -> Calibration:
    """
    Decide a suite's gates on windows drawn from its reference, in which nothing has changed.

    Args:
        suite: The suite file.
        replicates: How many windows to draw.
        seed: Of the random numbers; the same seed gives the same figures.
        data: Dataset name → a frame, a path or a source, as `run_suite` takes it.
        variables: Values for ``${NAME}``.
        current_rows: Rows of the other windows; default: as many as each dataset has.
        models: Model name → a fitted classifier or a path.
        trust: Globs on the models that may be loaded even where loading runs code.
        check_modules: Importable modules that register checks.
        env: Names of the environment that the suite may use beside ``READMIT_*``.
        skip: Ids of entries to leave out.
        power: Whether to look for the smallest change that each gate would catch.
        progress: Called after each window: windows done, all windows, seconds that the rest may take.

    Raises:
        SuiteError: The suite is wrong, or it has no reference to draw from.
    """
    if replicates < 1:
        raise SuiteError([f"{replicates} replicates: at least 1 is needed"])
    if seed < 0:
        raise SuiteError([f"seed {seed}: must be 0 or more"])
    settings = PlanSettings(
        variables=dict(variables or {}),
        environ=dict(os.environ),
        allowed_env=frozenset(env),
        data=dict(data or {}),
        models=dict(models or {}),
        trust=tuple(trust),
        check_modules=tuple(check_modules),
    )
    plan = cases.plan([Path(suite)], settings)
    try:
        _known_entries(plan, skip)
        pool = _pool(plan)
        sizes = _sizes(plan, current_rows)
        bench = Bench(plan, pool)
        gates = [_Gate(case, _why_not(case, pool, skip)) for case in plan.cases]
        searches = {gate.id: Search(bench, pool, gate.case) for gate in gates if gate.drawn and power}
        searched = min(replicates, SEARCHED) if power else 0
        clock = Clock(replicates, searched)
        with one_thread():
            for search in searches.values():
                search.prepare()
            for number in range(replicates):
                windows = bench.windows(draw(pool, sizes, np.random.default_rng([seed, number])))
                with clock.deciding():
                    _decide(gates, bench, windows)
                if number < searched:
                    with clock.searching():
                        _search(gates, searches, windows, [seed, number])
                if progress is not None:
                    progress(number + 1, replicates, clock.left())
        return _calibration(plan, gates, searches, sizes, pool, replicates, searched, seed)
    finally:
        plan.close()


def _known_entries(plan: Plan, skip: Collection[str]) -> None:
    known = list(dict.fromkeys(case.entry.id for case in plan.cases))
    wrong = [name for name in skip if name not in known]
    if wrong:
        raise SuiteError([f"skip: no entry has the id {name!r}{did_you_mean(name, known)}" for name in wrong])


def _pool(plan: Plan) -> Pool:
    suite, reference = plan.suites[0], plan.datasets[0].get("reference")
    if reference is None:
        wanted = "a dataset `reference` to draw windows from: give one with --data reference=SOURCE"
        raise SuiteError([f"{suite.shown}: needs {wanted}"])
    if not isinstance(reference, Dataset):
        raise SuiteError([f"{suite.shown}: reference: {reference.told(suite.min_cell)}"])
    if isinstance(reference, Profiled):
        wanted = "rows to draw windows from: give some with --data reference=SOURCE"
        raise SuiteError([f"{suite.shown}: reference is a profile, which has no rows; needs {wanted}"])
    return Pool(reference)


def _sizes(plan: Plan, current_rows: int | None) -> Sizes:
    if current_rows is not None and current_rows < 1:
        raise SuiteError([f"{current_rows} rows of current: at least 1 is needed"])
    suite, opened = plan.suites[0], plan.datasets[0]
    # Without it there is no real size, and its gates could not be decided on any window.
    missing = {name: found for name, found in opened.items() if not isinstance(found, Dataset)}
    if missing:
        raise SuiteError(
            f"{suite.shown}: {name}: {error.told(suite.min_cell)}" for name, error in missing.items()
        )
    others = {
        name: current_rows or dataset.rows
        for name, dataset in opened.items()
        if name != "reference" and isinstance(dataset, Dataset)
    }
    reference = opened["reference"]
    assert isinstance(reference, Dataset)  # noqa: S101 - `_pool` has refused anything else
    return Sizes(reference.rows, others)


def _why_not(case: PlannedCase, pool: Pool, skip: Collection[str]) -> str | None:
    """Return why a case is not decided on windows; None where it is."""
    if case.entry.id in skip:
        return "left out"
    if case.error is not None:
        return case.error
    if case.spec.census:
        return "counts what was delivered: chance has no part in it"
    if case.spec.sources is not None or case.spec.rowless is not None:
        return "compares models: nothing can be unchanged"
    needs = dict(case.spec.needs)
    if needs.get("current", "") == "scored" and pool.dataset.roles.target is None:
        return "the reference has no target"
    return None


@dataclass(slots=True, eq=False)
class _Gate:
    """A case and what was found of it so far."""

    case: PlannedCase
    reason: str | None
    findings: list[Finding] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.reason is None:
            self.case = lean(self.case)

    @property
    def id(self) -> str:
        return self.case.id

    @property
    def drawn(self) -> bool:
        return self.reason is None


def _decide(gates: Sequence[_Gate], bench: Bench, windows: Windows) -> None:
    for gate in gates:
        if gate.drawn:
            gate.findings.append(bench.decide(gate.case, windows))


def _search(
    gates: Sequence[_Gate], searches: Mapping[str, Search], windows: Windows, seed: Sequence[int]
) -> None:
    """Look for the change that each gate just catches in these windows."""
    for gate in gates:
        if gate.id in searches:
            # The same rows change for every gate; 1 keeps their luck apart from that of the windows.
            searches[gate.id].look(windows, gate.findings[-1], np.random.default_rng([*seed, 1]))


def _calibration(
    plan: Plan,
    gates: Sequence[_Gate],
    searches: Mapping[str, Search],
    sizes: Sizes,
    pool: Pool,
    replicates: int,
    searched: int,
    seed: int,
) -> Calibration:
    suite = plan.suites[0]
    mask = Mask(min_cell=suite.min_cell, secrets=suite.secrets)
    drawn = [gate for gate in gates if gate.drawn]
    blocked = np.zeros(replicates, dtype=bool)
    for gate in drawn:
        blocked |= [finding.outcome == "failed" for finding in gate.findings]
    return Calibration(
        suite=suite.name,
        sha256=suite.sha256,
        replicates=replicates,
        searched=searched,
        seed=seed,
        with_replacement=not sizes.split,
        patients=pool.owners() is not None,
        rows={"reference": sizes.reference, **sizes.others},
        blocked=float(blocked.mean()) if drawn else None,
        blocked_interval=_interval(int(blocked.sum()), replicates) if drawn else None,
        gates=tuple(_rate(gate, searches.get(gate.id), mask) for gate in gates),
    )


def _interval(events: int, of: int) -> Interval:
    low, high = clopper_pearson(float(events), float(of), 0.025)
    return float(low), float(high)


def _rate(gate: _Gate, search: Search | None, mask: Mask) -> GateRate:
    case, findings = gate.case, gate.findings
    facts: dict[str, Any] = {
        "id": mask.text(case.id),
        "check": case.entry.check,
        "subject": None if case.subject is None else mask.text(case.subject),
        "segment": None if case.segment is None else mask.text(case.segment),
        "severity": case.policy.severity,
    }
    if not findings:
        return GateRate(**facts, reason=mask.text(gate.reason or ""))
    verdicts = [finding.verdict for finding in findings]
    count = len(findings)
    failed = verdicts.count("fail")
    blocked = sum(finding.outcome == "failed" for finding in findings)
    measured = next((finding for finding in findings if finding.verdict != "error"), findings[0])
    answer = None if search is None else search.answer()
    reason = None if answer is None else answer.reason
    if "error" in verdicts:
        reason = findings[verdicts.index("error")].message
    by_p_value = measured.decide_by == "p_value"
    return GateRate(
        **facts,
        decide_by=measured.decide_by,
        method=measured.method,
        direction=measured.direction,
        limit=measured.alpha if by_p_value else measured.limit,
        rows_reference=mask.count(_median([finding.n_reference for finding in findings])),
        rows_current=mask.count(_median([finding.n_current for finding in findings])),
        replicates=count,
        false_alarm=failed / count,
        false_alarm_interval=_interval(failed, count),
        blocked=blocked / count,
        blocked_interval=_interval(blocked, count),
        undecided=verdicts.count("inconclusive") / count,
        passed=verdicts.count("pass") / count,
        error=verdicts.count("error") / count,
        unchanged=None if answer is None else answer.unchanged,
        passable_limit=_passable(findings),
        smallest_change=None if answer is None else answer.effect,
        smallest_change_interval=None if answer is None else answer.interval,
        change=None if answer is None else answer.change,
        changed_share=None if answer is None else answer.share,
        reason=None if reason is None else mask.text(reason),
    )


def _passable(findings: Sequence[Finding]) -> Limit | None:
    """Return the tightest limit that is passed in 80% of windows; each side of a pair in 90% of them."""
    found = [finding.certifiable for finding in findings]
    if not any(isinstance(limit, tuple) for limit in found):
        at_least = findings[0].direction == "at_least"
        worst = -math.inf if at_least else math.inf
        numbers = [limit if isinstance(limit, float) else worst for limit in found]
        return _finite(_quantile(numbers, 1 - POWER if at_least else POWER))
    pairs = [limit if isinstance(limit, tuple) else (-math.inf, math.inf) for limit in found]
    rare = (1 - POWER) / 2
    low = _finite(_quantile([pair[0] for pair in pairs], rare))
    high = _finite(_quantile([pair[1] for pair in pairs], 1 - rare))
    return None if low is None or high is None else (low, high)


def _quantile(values: Sequence[float], share: float) -> float:
    """Return the value below which a share lies, on the far side of it in doubt."""
    place = math.floor if share < 0.5 else math.ceil
    return sorted(values)[place(share * (len(values) - 1))]


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _median(rows: Sequence[int | None]) -> int | None:
    known = [count for count in rows if count is not None]
    return round(float(np.median(known))) if known else None
