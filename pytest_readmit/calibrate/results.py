"""What a calibration found: of each gate, and of the suite."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from pytest_readmit.claim import Limit

POWER = 0.8

Interval = tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class GateRate:
    """
    What one gate does on windows in which nothing has changed.

    Args:
        id: The case's id, as pytest shows it.
        check: The check.
        subject: What it measures.
        segment: The segment, if it has one.
        severity: What a fail does.
        decide_by: What decides.
        method: How the effect is measured.
        direction: Which way the limit holds.
        limit: The limit; for a gate decided by p-value its threshold.
        rows_reference: Usable rows of the reference in a window (the median).
        rows_current: Likewise of current.
        replicates: Windows that it was decided on.
        false_alarm: Share of them in which it fails.
        false_alarm_interval: Exact 95% interval of that share.
        blocked: Share in which it blocks, for whatever reason.
        blocked_interval: Exact 95% interval of that share.
        undecided: Share in which it is inconclusive.
        passed: Share in which it passes.
        error: Share in which it could not be measured.
        unchanged: The effect where nothing has changed: of the whole reference against itself.
        passable_limit: The tightest limit that it passes in 80% of windows; None where none is passed.
        smallest_change: The effect, in the unit of the limit, at which it fails in 80% of windows.
        smallest_change_interval: 95% interval of that effect, given 17 windows or more.
        change: The kind of change that this was found with.
        changed_share: The share of rows that changed so.
        reason: Why a figure is not given.
    """

    id: str
    check: str
    subject: str | None
    segment: str | None = None
    severity: str = "block"
    decide_by: str | None = None
    method: str | None = None
    direction: str | None = None
    limit: Limit | None = None
    rows_reference: int | None = None
    rows_current: int | None = None
    replicates: int = 0
    false_alarm: float | None = None
    false_alarm_interval: Interval | None = None
    blocked: float | None = None
    blocked_interval: Interval | None = None
    undecided: float | None = None
    passed: float | None = None
    error: float | None = None
    unchanged: float | None = None
    passable_limit: Limit | None = None
    smallest_change: float | None = None
    smallest_change_interval: Interval | None = None
    change: str | None = None
    changed_share: float | None = None
    reason: str | None = None

    @property
    def calibrated(self) -> bool:
        """Whether it was decided on windows."""
        return self.replicates > 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """
    What a suite does on windows in which nothing has changed.

    Args:
        suite: Its name.
        sha256: Of its bytes.
        replicates: How many windows were drawn.
        searched: How many of them the smallest changes were found on.
        seed: Of the random numbers.
        with_replacement: Whether a row can be in a window twice and in both.
        patients: Whether whole patients were drawn.
        rows: Rows of the window of each dataset.
        blocked: Share of the windows in which any calibrated gate blocks.
        blocked_interval: Exact 95% interval of that share.
        gates: Each gate, in suite order.
    """

    suite: str
    sha256: str
    replicates: int
    searched: int
    seed: int
    with_replacement: bool
    patients: bool
    rows: Mapping[str, int]
    blocked: float | None
    blocked_interval: Interval | None
    gates: tuple[GateRate, ...]

    def to_json(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        facts = {"schema": "pytest-readmit/calibration/1", **asdict(self), "power": POWER}
        return {name: _plain(value) for name, value in facts.items()}


def _plain(value: Any) -> Any:
    """Return JSON values; what is not finite as None."""
    if isinstance(value, Mapping):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
