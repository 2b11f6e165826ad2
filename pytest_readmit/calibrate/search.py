"""The smallest change that a gate would catch: changes of growing size, until it fails in 80% of windows."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from pytest_readmit.calibrate.bench import CURRENT, Bench, Windows
from pytest_readmit.calibrate.changes import FIRST, SECOND, THIRD, Change, Luck, changes
from pytest_readmit.calibrate.results import POWER, Interval
from pytest_readmit.calibrate.windows import whole
from pytest_readmit.cases import PlannedCase
from pytest_readmit.claim import Finding
from pytest_readmit.data.pool import Pool

# The shares at which changes are tried, with the turn of the changes.
TRIED = (
    *((0.05, FIRST), (0.2, FIRST), (0.05, SECOND), (0.2, SECOND), (0.45, FIRST)),
    *((0.05, THIRD), (0.2, THIRD), (0.45, THIRD), (0.45, SECOND), (0.9, FIRST), (0.9, THIRD)),
)
MOST = 0.9
LEAST = 1e-6
FAR = 2.0
TIGHT = 1.15
BEYOND = 1.04
GROWS = 1.5
PAIRINGS = 25
FEW_PAIRINGS = 5
MOST_STEPS = 12
GIVE_UP = 4
RARE = 0.025
UNDECIDED = "stays undecided whatever changes: too few rows or events to decide by"
NO_LIMIT = "has no limit: it is reported only"
NO_CHANGE = "no change of one column makes it fail"
NOT_CAUGHT = f"even when {MOST:.0%} of rows change it fails in less than {POWER:.0%} of windows"
ROWS = "its estimate grows with the rows, so it says no size"
NOISE = "fails in most windows with nothing wrong"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """
    The smallest change that a gate would catch.

    Args:
        unchanged: The effect where nothing has changed.
        effect: The effect that is caught; None if there is no figure.
        interval: Its 95% interval.
        change: What was changed, in words.
        share: The share of rows that changed.
        reason: Why there is no figure.
    """

    unchanged: float | None = None
    effect: float | None = None
    interval: Interval | None = None
    change: str | None = None
    share: float | None = None
    reason: str | None = None


class Search:
    """
    Looks for the share of changed rows at which a gate begins to fail, window by window.

    Args:
        bench: Decides it.
        pool: The reference.
        case: The gate.
    """

    def __init__(self, bench: Bench, pool: Pool, case: PlannedCase) -> None:
        self._bench = bench
        self._pool = pool
        self._case = case
        self._name = case.dataset_name(CURRENT)
        self._change: Change | None = None
        self._reason: str | None = None
        self._unchanged: float | None = None
        self._by_p_value = False
        self._tried: Iterator[tuple[float, Change]] = iter(())
        self._decided = False
        self._whole: dict[int, Windows] = {}
        self._first = MOST
        self._rise: float | None = None
        self._shares: list[float] = []

    def look(self, windows: Windows, finding: Finding, rng: np.random.Generator) -> None:
        """Find the share of changed rows that the gate just catches in these windows."""
        if self._change is None or self._reason is not None:
            return
        change = self._change
        if finding.verdict == "fail":
            self._shares.append(0.0)
            return
        drawn = windows.drawn[self._name]
        luck = Luck.of(drawn, rng)

        def margin(share: float) -> float:
            altered = change.at(share, drawn, luck)
            other = self._bench.changed(windows, self._name, change.column, altered)
            return _margin(self._bench.decide(self._case, other))

        known = [share for share in self._shares if 0 < share < math.inf]
        start = float(np.median(known)) if known else self._first
        share, self._rise = _threshold(margin, start, self._rise)
        self._shares.append(share)
        if len(self._shares) == GIVE_UP and min(self._shares) == math.inf:
            self._reason = NOT_CAUGHT
            self._choose()

    def answer(self) -> Answer:
        """Return what was found."""
        if self._reason is not None or self._change is None or not self._shares:
            return Answer(unchanged=self._unchanged, reason=self._reason or NOT_CAUGHT)
        share = _at_power(self._shares)
        if share in (0.0, math.inf):
            return Answer(unchanged=self._unchanged, reason=NOT_CAUGHT if share else NOISE)
        found = Answer(unchanged=self._unchanged, change=self._change.words, share=share)
        effect = self._effect(self._change, share)
        if effect is None:
            return replace(found, reason=NO_CHANGE)
        doubled = self._truth(self._change, share, copies=2) if self._by_p_value else None
        if doubled is not None and abs(doubled.estimate or 0.0) > GROWS * abs(effect):
            return replace(found, reason=ROWS)
        return replace(found, effect=effect, interval=self._interval(self._change))

    def _interval(self, change: Change) -> Interval | None:
        shares = _around_power(self._shares)
        if shares is None or math.inf in shares:
            return None
        ends = [self._effect(change, share, pairings=FEW_PAIRINGS) for share in shares]
        known = [effect for effect in ends if effect is not None]
        return (min(known), max(known)) if len(known) == len(ends) else None

    def _effect(self, change: Change, share: float, pairings: int = PAIRINGS) -> float | None:
        """Return the true size of a change: what the gate measures when no chance is left in it."""
        starts = [turn / pairings for turn in range(pairings)] if change.mixes else [0.0]
        found = [self._truth(change, share, start=start).estimate for start in starts]
        known = [estimate for estimate in found if estimate is not None and math.isfinite(estimate)]
        return math.fsum(known) / len(known) if known else None

    def prepare(self) -> None:
        """Choose the first change that makes the gate fail when most rows of the reference change."""
        still = self._bench.decide(self._case, self._everyone())
        self._unchanged, self._by_p_value = still.estimate, still.decide_by == "p_value"
        if still.limit is None and not self._by_p_value and still.verdict != "error":
            self._reason = NO_LIMIT
            return
        if still.verdict == "fail":
            self._reason = NOISE
            return
        by_model = self._bench.scored_by_model(self._case.entry.model)
        factor = still.details.get("factor")
        factor = float(factor) if isinstance(factor, int | float) and factor > 0 else None
        found = list(changes(self._pool, self._case, factor, by_model=by_model))
        self._tried = ((share, change) for share, turn in TRIED for change in found if change.turn == turn)
        self._decided = still.verdict == "pass"
        self._reason = NO_CHANGE
        self._choose()
        if self._change is None and not self._decided:
            self._reason = UNDECIDED

    def _choose(self) -> None:
        """Take the next change that makes the gate fail on the whole reference, and begin with it."""
        for share, change in self._tried:
            if change is not self._change and self._moves(change, share):
                self._change, self._first, self._reason = change, share, None
                self._shares, self._rise = [], None
                return

    def _moves(self, change: Change, share: float) -> bool:
        """Whether a change makes the gate fail; values far off only where the gate measures a share."""
        finding = self._truth(change, share)
        self._decided |= finding.verdict in ("pass", "fail")
        sane = change.turn != SECOND or abs(finding.estimate or 0.0) <= 1
        return sane and finding.verdict == "fail"

    def _truth(self, change: Change, share: float, *, copies: int = 1, start: float = 0.0) -> Finding:
        """Return what the gate says of the whole reference with exactly this share changed."""
        everyone = self._everyone(copies)
        drawn = everyone.drawn[self._name]
        altered = change.at(share, drawn, Luck.even(change, copies, start))
        return self._bench.decide(
            self._case, self._bench.changed(everyone, self._name, change.column, altered)
        )

    def _everyone(self, copies: int = 1) -> Windows:
        if copies not in self._whole:
            rows = whole(self._pool, copies)
            self._whole[copies] = self._bench.windows({"reference": rows, self._name: rows})
        return self._whole[copies]


def _margin(finding: Finding) -> float:
    """
    Return how far a gate is beyond the point where it fails: above 0 exactly where it does.

    Infinite where no figure tells how far.
    """
    failed = finding.verdict == "fail"
    found = _distance(finding)
    if found is None or not math.isfinite(found) or (found > 0) != failed:
        return math.inf if failed else -math.inf
    return found


def _distance(finding: Finding) -> float | None:
    if finding.decide_by == "p_value":
        p_value, alpha = finding.p_value, finding.alpha
        return None if not p_value or not alpha else math.log(alpha / p_value)
    shown = finding.fail_bound if finding.decide_by == "interval" else finding.estimate
    limit = finding.limit
    if shown is None or limit is None:
        return None
    if isinstance(limit, tuple):
        return max(shown - limit[1], limit[0] - shown)
    return shown - limit if finding.direction == "at_most" else limit - shown


def _threshold(
    margin: Callable[[float], float], start: float, rise: float | None
) -> tuple[float, float | None]:
    """
    Return the share from which on the margin is above 0, infinite if it is so at none, and how it rises.

    Args:
        margin: Of a share.
        start: A share to begin with.
        rise: How much the margin rises with the share in other windows, if that is known.
    """
    low, high = (0.0, -math.inf), (math.inf, math.inf)
    share = min(start, MOST)
    for turn in range(MOST_STEPS):
        here = (share, margin(share))
        low, high = (low, here) if here[1] > 0 else (here, high)
        if low[0] >= MOST:
            return math.inf, rise
        if high[0] < LEAST:
            return 0.0, rise
        if low[0] > 0 and high[0] < math.inf:
            steep = (high[1] - low[1]) / (high[0] - low[0])
            between = low[0] - low[1] / steep if steep < math.inf else math.sqrt(low[0] * high[0])
            if high[0] <= TIGHT * low[0]:
                return between, (steep if steep < math.inf else rise)
            share = math.sqrt(low[0] * high[0]) if turn % 2 else between
        else:
            share = min(_across(here, rise, TIGHT ** (1 + turn)), MOST)
    return (share if high[0] == math.inf else high[0]), rise


def _across(here: tuple[float, float], rise: float | None, most: float) -> float:
    """Return a share on the other side of the threshold, as far as can be told."""
    share, margin = here
    up = margin <= 0
    if rise is None or not math.isfinite(margin):
        return share * most if up else share / most
    guess = (share - margin / rise) * (BEYOND if up else 1 / BEYOND)
    near, far = (share * BEYOND, share * FAR) if up else (share / FAR, share / BEYOND)
    return min(max(guess, near), far)


def _around_power(shares: list[float]) -> tuple[float, float] | None:
    """Return the two shares between which that of 80% of windows lies with 95% confidence."""
    count, ordered = len(shares), sorted(shares)
    exactly = [math.comb(count, k) * POWER**k * (1 - POWER) ** (count - k) for k in range(count + 1)]
    # The k-th share lies above it when fewer than k windows are caught there, below it when k or more are.
    low = max((k for k in range(1, count + 1) if math.fsum(exactly[:k]) <= RARE), default=None)
    high = min((k for k in range(1, count + 1) if math.fsum(exactly[k:]) <= RARE), default=None)
    return None if low is None or high is None else (ordered[low - 1], ordered[high - 1])


def _at_power(shares: list[float]) -> float:
    """Return the share that is caught in 80% of the windows, between the two that lie around it."""
    ordered = sorted(shares)
    place = POWER * (len(ordered) + 1) - 1
    below = min(max(int(place), 0), len(ordered) - 1)
    above = min(below + 1, len(ordered) - 1)
    if ordered[above] == math.inf or place <= below:
        return ordered[below] if place <= below else ordered[above]
    return ordered[below] + (place - below) * (ordered[above] - ordered[below])
