"""A measurement and the two questions it answers (Claim), and what was decided of it (Finding)."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import date
from operator import attrgetter
from typing import Any, Literal, NamedTuple

VerdictName = Literal["pass", "fail", "inconclusive", "error"]
Outcome = Literal["passed", "failed", "xfailed"]
Side = Literal["at_most", "at_least", "within"]
DecideBy = Literal["interval", "estimate", "p_value"]
Limit = float | tuple[float, float]
Bounds = tuple[float, float]
# Found from bounds, no p-value is smaller: 1 - alpha must stay apart from 1 in a check's own code.
SMALLEST_P = 1e-12


class Gate(NamedTuple):
    """
    An entry of the suite whose fail blocks.

    Args:
        check: Its check.
        parameters: The check's parameters.
        model: The model that it measures; None where it measures a score column, or no model.
    """

    check: str
    parameters: Mapping[str, Any]
    model: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """
    What a check may know of how its Claim will be decided.

    Args:
        decide_by: The rule that will decide.
        p_value: The threshold where `decide_by` is ``p_value``.
        confidence: One minus the error rate of an entry.
        as_of: "Today" for maturity.
        min_cell: The smallest count that may be shown.
        seed: Seed for `numpy.random.default_rng`; the same for the same suite and case.
        gates: The suite's entries that block.
    """

    decide_by: DecideBy = "interval"
    p_value: float | None = None
    confidence: float = 0.95
    as_of: date = field(default_factory=date.today)
    min_cell: int = 11
    seed: int = 0
    gates: tuple[Gate, ...] = ()

    def count(self, number: float) -> str:
        """Return a count as text fit to be shown: from 1 to below `min_cell` only as "fewer than"."""
        if 0 < number < self.min_cell:
            return f"fewer than {self.min_cell}"
        return f"{int(number):,}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """
    What a check measured; it lives in process only.

    Law: ``p_beyond(x) <= alpha`` exactly where ``bounds(alpha)[0] > x``, and ``p_below(x) <= alpha``
    exactly where ``bounds(alpha)[1] < x``; all are monotone.

    Args:
        estimate: The effect in its own unit; signed for a change.
        limit: The most (or least) that is allowed, a pair for ``within``, None to report only.
        direction: ``at_most``, ``at_least`` or ``within``.
        proven: With ``at_least``, what the lower bound must be above to pass; the limit is then that of the
            estimate.
        strict: Whether an estimate that equals the limit is beyond it, where the estimate decides.
        method: How the effect was measured.
        summary: The measurement in words, without bounds or limit ("age moved by 0.31").
        bounds: One-sided lower and upper bound, each at confidence 1 - alpha. None: a census,
            decided by its estimate.
        p_beyond: p-value of the hypothesis that the effect is at most its argument. Left out, it is
            found from `bounds`.
        p_below: p-value of the hypothesis that the effect is at least its argument; likewise.
        p_null: p-value of "nothing differs".
        projected: ``projected(alpha, n_current)``: the bounds if `current` had that many usable rows
            and the estimate stayed.
        n_reference: Usable rows of reference; None where it is not used.
        n_current: Usable rows of current.
        units_reference: Independent units among them: patients where named, else None for rows.
        units_current: Likewise.
        events: The fewest events or non-events on either side, where the method rests on them.
        estimates: Between which two the estimate lies, where the counts behind it are approximate.
        undecidable: Why no verdict is possible whatever the numbers say; makes it inconclusive.
        unpassable: Why it cannot pass whatever the numbers say; it can fail, and is inconclusive otherwise.
        details: What the report's picture needs; plain JSON values, nothing about a single row.
        warning: Something the user should know that does not change the verdict.
    """

    estimate: float
    limit: Limit | None = None
    direction: Side = "at_most"
    proven: float | None = None
    strict: bool = False
    method: str = ""
    summary: str = ""
    bounds: Callable[[float], Bounds] | None = None
    p_beyond: Callable[[float], float] | None = None
    p_below: Callable[[float], float] | None = None
    p_null: float | None = None
    projected: Callable[[float, float], Bounds] | None = None
    n_reference: int | None = None
    n_current: int | None = None
    units_reference: int | None = None
    units_current: int | None = None
    events: int | None = None
    estimates: Bounds | None = None
    undecidable: str | None = None
    unpassable: str | None = None
    details: Mapping[str, Any] = field(default_factory=dict)
    warning: str | None = None

    def as_decided_by(self, how: DecideBy) -> "Claim":
        """Return the Claim, undecidable where the estimate decides and its limit is within what it may be."""
        if how != "estimate" or self.estimates is None or self.limit is None:
            return self
        low, high = self.estimates
        limits = self.limit if isinstance(self.limit, tuple) else (self.limit,)
        if not any(low <= limit <= high for limit in limits):
            return self
        why = f"from approximate counts the estimate may be anything from {low:.3g} to {high:.3g}"
        return replace(self, estimate=math.nan, undecidable=why)

    def p_above(self, limit: float) -> float:
        """
        Return the p-value of "the effect is at most `limit`", in the estimate's unit.

        Raises:
            ValueError: There are neither bounds nor `p_beyond`.
        """
        if self.p_beyond is not None:
            return self.p_beyond(limit)
        return self._invert(lambda bounds: bounds[0] > limit)

    def p_under(self, limit: float) -> float:
        """
        Return the p-value of "the effect is at least `limit`", in the estimate's unit.

        Raises:
            ValueError: There are neither bounds nor `p_below`.
        """
        if self.p_below is not None:
            return self.p_below(limit)
        return self._invert(lambda bounds: bounds[1] < limit)

    def _invert(self, proven: Callable[[Bounds], bool]) -> float:
        """Find the smallest alpha at which the bounds prove it, on a logarithmic scale."""
        if self.bounds is None:
            raise ValueError("a Claim without bounds has no p-value")
        low, high = math.log(SMALLEST_P), math.log(0.5)
        if not proven(self.bounds(0.5)):
            return 1.0
        if proven(self.bounds(SMALLEST_P)):
            return SMALLEST_P
        while high - low > 1e-9:
            middle = (low + high) / 2
            if proven(self.bounds(math.exp(middle))):
                high = middle
            else:
                low = middle
        return math.exp(high)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """
    One decided case, as the record holds it; `record.schema.json` says what each field means.

    The ones asked for most: `estimate`, `limit` and `certifiable` (the tightest limit that these data could
    certify) are in the effect's own unit; `interval` holds the one-sided lower and upper bound, each at
    `confidence`; `fail_bound` is the bound at `alpha`, the error rate divided by the `m` cases that share it;
    `n_reference` and `n_current` are usable rows; `needed_n` is the rows of current that would decide, if
    the estimate stays. What does not exist is None.
    """

    id: str
    suite: str
    check: str
    entry: str
    subject: str | None
    segment: str | None
    line: int
    because: str | None
    verdict: VerdictName
    severity: Literal["block", "warn"]
    outcome: Outcome
    warned: bool = False
    method: str | None = None
    estimate: float | None = None
    interval: tuple[float, float] | None = None
    fail_bound: float | None = None
    limit: Limit | None = None
    direction: Side | None = None
    p_value: float | None = None
    confidence: float | None = None
    m: int | None = None
    alpha: float | None = None
    decide_by: DecideBy | None = None
    n_reference: int | None = None
    n_current: int | None = None
    needed_n: int | None = None
    certifiable: Limit | None = None
    message: str = ""
    waiver: Mapping[str, Any] | None = None
    seconds: float = 0.0
    details: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return the Finding as plain JSON values, keys in the record's order."""
        return {
            name: value if type(value) in _PLAIN else _plain(value)
            for name, value in zip(_NAMES, _VALUES(self), strict=True)
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Finding":
        """Return the Finding that `to_json` wrote."""
        pairs = {key: _pair(value) for key, value in data.items() if key in _PAIRS}
        return cls(**{**data, **pairs})


_NAMES = tuple(each.name for each in fields(Finding))
_VALUES = attrgetter(*_NAMES)
_PAIRS = ("interval", "limit", "certifiable")
_PLAIN = frozenset({type(None), bool, int, str})


def _pair(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _plain(value: Any) -> Any:
    """Turn numpy scalars, tuples and mappings into exact builtins; what is not finite into None."""
    if type(value) in _PLAIN:
        return value
    if type(value) is float:
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, str):
        return str(value)
    if hasattr(value, "tolist"):
        return _plain(value.tolist())
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    raise TypeError(f"{type(value).__name__} has no place in a record")
