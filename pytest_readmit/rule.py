"""The one rule that decides every gate: a Claim and a Policy make a Ruling."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from typing import Literal

from pytest_readmit.claim import Bounds, Claim, DecideBy, Limit, Outcome, Side, VerdictName

FEWEST_UNITS = 30
FEWEST_EVENTS = 10
MOST_ROWS = 1e10


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiver:
    """A named person's permission, until and including a day (UTC), to go on in spite of a gate."""

    until: date
    by: str
    reason: str

    def in_force(self, today: date) -> bool:
        return today <= self.until


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """
    Everything a verdict depends on beside the Claim.

    Args:
        severity: Whether a fail blocks or warns.
        inconclusive: Whether an undecided gate blocks, warns or is silent.
        decide_by: ``interval``, ``estimate`` or ``p_value``.
        confidence: One minus the error rate of the entry.
        p_value: Threshold of ``decide_by: p_value``.
        m: Number of cases that share the error rate.
        runs: Number of runs that share it.
        warn_above: Proven beyond this, yet within the limit, passes with a warning.
        waiver: A waiver, in force or not.
        today: The day that a waiver is judged by.
        strict: Every warning and every undecided gate blocks.
        honour_waivers: False under ``--runxfail``.
    """

    severity: Literal["block", "warn"] = "block"
    inconclusive: Literal["block", "warn", "pass"] = "warn"
    decide_by: DecideBy = "interval"
    confidence: float = 0.95
    p_value: float | None = None
    m: int = 1
    runs: int = 1
    warn_above: float | None = None
    waiver: Waiver | None = None
    today: date | None = None
    strict: bool = False
    honour_waivers: bool = True

    @property
    def error_rate(self) -> float:
        """The error rate of the entry, 1 - confidence, without binary dust."""
        return round(1 - self.confidence, 12)

    @property
    def shares(self) -> int:
        """What the error rate is divided by: cases times scheduled runs; a p-value's threshold by cases."""
        return self.m if self.decide_by == "p_value" else self.m * self.runs


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling:
    """What was decided of a Claim, in the record's terms."""

    verdict: VerdictName
    decide_by: DecideBy
    message: str
    alpha: float | None = None
    interval: Bounds | None = None
    fail_bound: float | None = None
    p_value: float | None = None
    needed_n: int | None = None
    certifiable: Limit | None = None
    noticed: bool = False


def decide(claim: Claim, policy: Policy) -> Ruling:
    """Decide a Claim; an estimate that is no number, or no usable row, is an error."""
    how: DecideBy = policy.decide_by
    # A census has neither bounds nor a p-value (also `drift_share`, whose p-values are its features').
    if claim.bounds is None and (how == "interval" or claim.p_null is None):
        how = "estimate"
    claim = claim.as_decided_by(how)
    if claim.n_reference == 0 or claim.n_current == 0:
        message = f"{'reference' if claim.n_reference == 0 else 'current'} has no usable rows"
        return Ruling(verdict="error", decide_by=how, message=message)
    if not math.isfinite(claim.estimate):
        if claim.undecidable:
            message = f"{claim.summary}; cannot tell: {claim.undecidable}"
            return Ruling(verdict="inconclusive", decide_by=how, message=message)
        message = f"{claim.summary}: the estimate is not a number"
        return Ruling(verdict="error", decide_by=how, message=message)
    by = {"p_value": _by_p_value, "estimate": _by_estimate, "interval": _by_interval}[how]
    ruling = by(claim, policy)
    if claim.unpassable and ruling.verdict == "pass":
        message = f"{ruling.message}; cannot tell: {claim.unpassable}"
        return replace(ruling, verdict="inconclusive", noticed=False, message=message)
    return ruling


def outcome(verdict: VerdictName, policy: Policy, *, noticed: bool = False) -> tuple[Outcome, bool]:
    """Return what pytest shows for a verdict, and whether a warning goes with it."""
    if verdict == "error":
        return "failed", False
    in_force = policy.waiver is not None and policy.today is not None and policy.waiver.in_force(policy.today)
    waived = in_force and policy.honour_waivers
    if verdict == "pass":
        return ("failed" if noticed and policy.strict and not waived else "passed"), noticed
    if waived:
        return "xfailed", False
    if policy.strict:
        return "failed", False
    reaction = policy.inconclusive if verdict == "inconclusive" else policy.severity
    if verdict == "inconclusive" and policy.severity == "warn" and reaction == "block":
        reaction = "warn"
    return ("failed" if reaction == "block" else "passed"), reaction == "warn"


def number(value: float) -> str:
    """Return a figure as a person would write it: three significant digits, no needless exponent."""
    if value == 0:
        return "0"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    if abs(value) < 1e-4:
        return f"{value:.1e}"
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    text = f"{value:.{digits}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def limit_words(limit: Limit, direction: Side) -> str:
    """Return the limit in words."""
    if isinstance(limit, tuple):
        low, high = limit
        if low == -high:
            return f"the limit is {number(high)} either way"
        return f"it must stay within {number(low)} and {number(high)}"
    return f"the {'limit' if direction == 'at_most' else 'floor'} is {number(limit)}"


def _by_p_value(claim: Claim, policy: Policy) -> Ruling:
    if claim.p_null is None or policy.p_value is None or not math.isfinite(claim.p_null):
        return Ruling(
            verdict="error",
            decide_by="p_value",
            message=f"{claim.summary}: {claim.method} has no p-value here",
        )
    threshold = policy.p_value / policy.shares
    failed = claim.p_null < threshold
    words = "significant" if failed else "not significant; says nothing about size"
    return Ruling(
        verdict="fail" if failed else "pass",
        decide_by="p_value",
        alpha=threshold,
        p_value=claim.p_null,
        message=f"{claim.summary}; p = {number(claim.p_null)} against {number(threshold)}: {words}",
    )


def _beyond(value: float, limit: Limit, direction: Side) -> bool:
    if isinstance(limit, tuple):
        return value < limit[0] or value > limit[1]
    return value > limit if direction == "at_most" else value < limit


def _by_estimate(claim: Claim, policy: Policy) -> Ruling:
    if claim.limit is None:
        return Ruling(
            verdict="pass", decide_by="estimate", message=f"{claim.summary}; no limit, reported only"
        )
    failed = _beyond(claim.estimate, claim.limit, claim.direction)
    failed = failed or (claim.strict and claim.estimate == claim.limit)
    interval = claim.bounds(policy.error_rate) if claim.bounds else None
    noticed = not failed and _estimate_notice(claim, policy)
    return Ruling(
        verdict="fail" if failed else "pass",
        decide_by="estimate",
        interval=interval,
        p_value=claim.p_null,
        noticed=noticed,
        message=f"{claim.summary}; {limit_words(claim.limit, claim.direction)}{_notice(policy, noticed)}",
    )


def _estimate_notice(claim: Claim, policy: Policy) -> bool:
    if policy.warn_above is None:
        return False
    return _beyond(claim.estimate, _warn_limit(claim, policy.warn_above), claim.direction)


def _warn_limit(claim: Claim, warn_above: float) -> Limit:
    """Return the warning level: both ways where the limit is the same both ways, else upwards alone."""
    if not isinstance(claim.limit, tuple):
        return warn_above
    low, high = claim.limit
    return (-warn_above if low == -high else low), warn_above


def _notice(policy: Policy, noticed: bool) -> str:
    return f"; beyond the warning level {number(policy.warn_above or 0)}" if noticed else ""


def p_against(claim: Claim, limit: Limit, direction: Side) -> float:
    """Return the p-value of "the effect is within the limit"."""
    if isinstance(limit, tuple):
        return min(1.0, 2 * min(claim.p_above(limit[1]), claim.p_under(limit[0])))
    return claim.p_above(limit) if direction == "at_most" else claim.p_under(limit)


def _within(bounds: Bounds, limit: Limit, direction: Side) -> bool:
    if isinstance(limit, tuple):
        return bounds[0] >= limit[0] and bounds[1] <= limit[1]
    return bounds[1] <= limit if direction == "at_most" else bounds[0] >= limit


def _passes(claim: Claim, bounds: Bounds) -> bool:
    """Whether these bounds certify the claim; with `proven`, its estimate must hold the limit as well."""
    assert claim.limit is not None  # noqa: S101 - a claim without limit is reported only
    if claim.proven is None:
        return _within(bounds, claim.limit, claim.direction)
    return bounds[0] > claim.proven and not _beyond(claim.estimate, claim.limit, claim.direction)


def _proven(bounds_at: Callable[[float], Bounds], limit: Limit, direction: Side, alpha: float) -> bool:
    """Whether the bounds at `alpha` lie beyond the limit (both tails share alpha for a pair)."""
    if isinstance(limit, tuple):
        lower, upper = bounds_at(alpha / 2)
        return lower > limit[1] or upper < limit[0]
    lower, upper = bounds_at(alpha)
    return lower > limit if direction == "at_most" else upper < limit


def _fail_bound(claim: Claim, bounds: Callable[[float], Bounds], alpha: float) -> float:
    """Return the bound that a fail rests on, at alpha over m."""
    if isinstance(claim.limit, tuple):
        return bounds(alpha / 2)[0 if claim.estimate >= sum(claim.limit) / 2 else 1]
    return bounds(alpha)[0 if claim.direction == "at_most" else 1]


def _certifiable(bounds: Bounds, limit: Limit, direction: Side) -> Limit:
    """Return the tightest limit that these bounds would pass."""
    if isinstance(limit, tuple):
        return max(-bounds[0], bounds[1]) if limit[0] == -limit[1] else bounds
    return bounds[1] if direction == "at_most" else bounds[0]


def _by_interval(claim: Claim, policy: Policy) -> Ruling:
    bounds = claim.bounds
    assert bounds is not None  # noqa: S101 - decide() sends claims without bounds elsewhere
    alpha = policy.error_rate / policy.shares
    interval = bounds(policy.error_rate)
    if not all(math.isfinite(bound) for bound in interval):
        return Ruling(
            verdict="error", decide_by="interval", message=f"{claim.summary}: its bounds are not numbers"
        )
    low, high = map(number, interval)
    opening = f"{claim.summary[:-1]}; " if claim.summary.endswith(")") else f"{claim.summary} ("
    said = f"{opening}one-sided {100 * policy.confidence:.4g}% bounds {low} and {high})"
    if claim.limit is None:
        return Ruling(
            verdict="pass",
            decide_by="interval",
            interval=interval,
            alpha=alpha,
            message=f"{said}; no limit, reported only",
        )
    p_value = p_against(claim, claim.limit, claim.direction)
    if not math.isfinite(p_value):
        return Ruling(
            verdict="error", decide_by="interval", message=f"{claim.summary}: its p-value is not a number"
        )
    certifiable = _certifiable(interval, claim.limit, claim.direction)
    fail_bound = _fail_bound(claim, bounds, alpha)
    said = f"{said}; {limit_words(claim.limit, claim.direction)}"
    if claim.proven is not None:
        said += f" and the lower bound must be above {number(claim.proven)}"
    few = too_few(claim)
    needed = None
    noticed = False
    verdict: VerdictName
    if few:
        needed = _rows_for_units(claim, policy, alpha)
        verdict, said = (
            "inconclusive",
            f"{said}; cannot tell: {few}; {_what_would_help(claim, certifiable, needed)}",
        )
    elif p_value <= alpha:
        verdict = "fail"
    elif _passes(claim, interval):
        verdict = "pass"
        if policy.warn_above is not None:
            noticed = p_against(claim, _warn_limit(claim, policy.warn_above), claim.direction) <= alpha
            said += _notice(policy, noticed)
    else:
        verdict = "inconclusive"
        needed = None if claim.unpassable else _rows_needed(claim, policy, alpha)
        said = f"{said}; cannot tell: {claim.unpassable or _what_would_help(claim, certifiable, needed)}"
    return Ruling(
        verdict=verdict,
        decide_by="interval",
        message=said,
        alpha=alpha,
        interval=interval,
        fail_bound=fail_bound,
        p_value=p_value,
        needed_n=needed,
        certifiable=None if claim.unpassable else certifiable,
        noticed=noticed,
    )


def too_few(claim: Claim) -> str | None:
    """Return why no verdict is possible whatever the numbers say, or None."""
    if claim.undecidable:
        return claim.undecidable
    for side, rows, units in (
        ("reference", claim.n_reference, claim.units_reference),
        ("current", claim.n_current, claim.units_current),
    ):
        counted, noun = (units, "patients") if units is not None else (rows, "usable rows")
        if counted is not None and counted < FEWEST_UNITS:
            return f"{side} has fewer than {FEWEST_UNITS} {noun}"
    if claim.events is not None and claim.events < FEWEST_EVENTS:
        noun = (
            "patients with events or without" if claim.units_current is not None else "events or non-events"
        )
        return f"fewer than {FEWEST_EVENTS} {noun}"
    return None


def _rows_for_units(claim: Claim, policy: Policy, alpha: float) -> int | None:
    """Return the rows of current with which there were units and events enough to decide, and decided."""
    rows = claim.n_current
    before = claim.n_reference if claim.units_reference is None else claim.units_reference
    if not rows or claim.undecidable or (before is not None and before < FEWEST_UNITS):
        return None
    factor = max(_times(claim.units_current, FEWEST_UNITS), _times(claim.events, FEWEST_EVENTS))
    decided = _rows_needed(claim, policy, alpha)
    return None if decided is None else max(decided, _rounded_up(max(rows, FEWEST_UNITS) * factor))


def _times(counted: int | None, least: int) -> float:
    """Return how many times as many are enough, as if 1 or 10 were there: the figure tells no small count."""
    return 1.0 if not counted or counted >= least else least / (10 if counted >= 10 else 1)


def _what_would_help(claim: Claim, certifiable: Limit, needed: int | None) -> str:
    if isinstance(certifiable, tuple):
        smallest = f"{number(certifiable[0])} to {number(certifiable[1])}"
    else:
        smallest = number(certifiable)
    words = f"the tightest limit that these data could certify is {smallest}"
    if claim.proven is not None:
        words = f"these data prove no more than {smallest}"
    if needed is not None:
        return f"{words}; about {needed:,} rows of current would decide, if the estimate stays"
    if claim.projected is None:
        return words
    why = "" if claim.n_reference is None else ": reference too small"
    return f"{words}; no number of rows of current would decide at this estimate{why}"


def _rows_needed(claim: Claim, policy: Policy, alpha: float) -> int | None:
    """Return the rows of current at which the same estimate would be decided; None: never."""
    project, limit = claim.projected, claim.limit
    if project is None or limit is None or not claim.n_current:
        return None

    def decided(rows: float) -> bool:
        return _passes(claim, project(policy.error_rate, rows)) or _proven(
            lambda rate: project(rate, rows), limit, claim.direction, alpha
        )

    low, high = float(claim.n_current), float(claim.n_current)
    while not decided(high):
        low, high = high, high * 2
        if high > MOST_ROWS:
            return None
    while high - low > max(1.0, high * 1e-3):
        middle = (low + high) / 2
        low, high = (low, middle) if decided(middle) else (middle, high)
    return _rounded_up(high)


def _rounded_up(rows: float) -> int:
    """Round up to two significant digits: the figure is a plan, not a measurement."""
    unit = 10.0 ** max(0, math.floor(math.log10(max(rows, 1))) - 1)
    return int(math.ceil(rows / unit) * unit)
