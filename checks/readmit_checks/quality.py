"""Are the values of a column still plausible: unknown levels, values out of range, gross outliers."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from pytest_readmit import Case, Claim, Column, Context, DataError, Schema, Share, check
from readmit_checks import claims, methods

if TYPE_CHECKING:
    from pytest_readmit.stats.distribution import Array, Distribution
    from pytest_readmit.stats.proportion import Proportion

FAR = 10.0
IQR_OF_SD = 1.349
"""Interquartile range of a normal distribution in standard deviations: 2 Φ⁻¹(0.75)."""
MOST_NAMED = 10

Range = tuple[float | None, float | None]
Scale = Literal["linear", "log1p"]


@check(kinds=("categorical",))
def unseen_categories(reference: Column, current: Column, context: Context, *, max: Share = 0.002) -> Claim:
    """
    Do more rows than `max` hold a category that the reference lacks?

    Beyond the share that is to be expected because the reference is a sample: N1 / n, with N1 categories
    that the reference holds once (Good 1953, Turing's estimate).

    Args:
        max: The largest excess share allowed.

    Raises:
        DataError: The column is not categorical, or a side has no value in it.

    References:
        Good (1953), Biometrika 40, 237-264; Esty (1983), Ann. Stat. 11, 905-912 (its variance).

    Example:
        data: {reference: {demo: reference}, current: {demo: current}}
        checks:
          - unseen_categories: {columns: [admission_type]}
    """
    from pytest_readmit.stats import proportion

    _has_kind(reference, "categorical")
    before, after = methods.usable(reference, context), methods.usable(current, context)
    known = _known(before)
    unseen, expected = _unseen_share(before, current, known), proportion.singletons(before)
    beside = f" ({claims.percent(expected.share)} were to be expected)" if expected.events else ""
    return claims.of_effect(
        proportion.excess_over(unseen, expected),
        limit=max,
        method="unseen_share",
        summary=f"{reference.name}: {claims.share(unseen)} of rows are in unseen categories{beside}",
        n_reference=before.n,
        n_current=after.n,
        units_reference=before.units,
        units_current=after.units,
        details={
            **claims.change(expected.share, unseen.share),
            "table": _unseen_table(known, after, context),
        },
    )


def _known(before: "Distribution") -> frozenset[str]:
    """Return the levels that the reference surely has; the one that stands for others is none."""
    from pytest_readmit.stats.distribution import OTHER

    levels = frozenset(before.distinct()[0].tolist())
    return levels if before.pooled is None else levels - {OTHER}


def _unseen_share(before: "Distribution", current: Column, known: frozenset[str]) -> "Proportion":
    """
    Return the share of rows in levels that the reference lacks.

    Of a reference that holds some levels only together, the fewest: were these the commonest of the others.
    """
    import numpy as np

    unseen = current.share(lambda levels: _not_in(levels, known))
    if before.pooled is None:
        return unseen
    levels, counts = current.distribution.distinct()
    new = _not_in(levels, known)
    commonest = levels[new][np.argsort(-counts[new], kind="stable")[: before.pooled.levels]]
    told = known | frozenset(commonest.tolist())
    fewest = current.share(lambda levels: _not_in(levels, told))
    effect = max(unseen.design_effect, fewest.design_effect)
    return replace(fewest, design_effect=effect, unsure=unseen.events - fewest.events)


def _not_in(levels: "Array", known: frozenset[str]) -> "Array":
    import numpy as np

    # Not numpy.isin, which compares every text with every other.
    return np.fromiter((level not in known for level in levels), dtype=bool, count=len(levels))


def _unseen_table(known: frozenset[str], after: "Distribution", context: Context) -> dict[str, Any]:
    """Name the commonest unseen categories; only those with enough rows to be shown."""
    levels, counts = after.distinct()
    new = _not_in(levels, known) & (counts >= context.min_cell)
    common = sorted(
        zip(counts[new].tolist(), levels[new].tolist(), strict=True), key=lambda row: (-row[0], row[1])
    )
    rows = [[str(level), count] for count, level in common[:MOST_NAMED]]
    return {"columns": ["category", "rows"], "rows": rows}


def _has_kind(column: Column, kind: str) -> None:
    if column.kind != kind:
        raise DataError(
            f"column {column.name!r} is {column.kind}, not {kind}: name it under columns.{kind} if it is"
        )


def _range_cases(parameters: Mapping[str, Any], _: Schema) -> Sequence[Case]:
    return [
        Case(name, {"ranges": {name: tuple(bounds)}}, column=name)
        for name, bounds in parameters["ranges"].items()
    ]


def _range_problems(parameters: Mapping[str, Any], decide_by: str) -> Sequence[tuple[str, str]]:
    problems = []
    if not parameters["ranges"]:
        problems.append(("ranges", "'ranges': name at least one column, such as {age: [0, 120]}"))
    for name, (low, high) in parameters["ranges"].items():
        if low is None and high is None:
            problems.append(("ranges", f"'ranges': {name}: give at least one end"))
        elif low is not None and high is not None and low > high:
            problems.append(
                ("ranges", f"'ranges': {name}: the lower end {low:g} is above the upper end {high:g}")
            )
    if decide_by == "p_value":
        problems.append(
            ("ranges", "out_of_range compares with a limit, not with a null hypothesis: leave p_value out")
        )
    return problems


@check(cases=_range_cases, validate=_range_problems)
def out_of_range(current: Column, context: Context, *, ranges: dict[str, Range], max: Share = 0.01) -> Claim:
    """
    Do more rows than `max` hold a value outside the stated range?

    One case per column under `ranges`. Missing values are left out, and no reference is needed.

    Args:
        ranges: Column to its lowest and highest plausible value, both allowed; null leaves an end open.
        max: The largest share allowed.

    Raises:
        DataError: The column is not numerical, or has no value in current.

    References:
        Wilson (1927), JASA 22, 209-212; Clopper and Pearson (1934), Biometrika 26, 404-413.

    Example:
        data: {current: {demo: current}}
        checks:
          - out_of_range: {ranges: {age: [18, 91], sodium: [100, 180]}}
    """
    from pytest_readmit.stats import proportion

    _has_kind(current, "numerical")
    after = methods.usable(current, context)
    low, high = ranges[current.name]
    lowest, highest = -math.inf if low is None else low, math.inf if high is None else high
    outside = current.share(lambda values: (values < lowest) | (values > highest))
    return claims.of_effect(
        proportion.share(outside),
        limit=max,
        method="share",
        summary=f"{current.name}: {claims.percent(outside.share)} of rows are outside {_interval(low, high)}",
        n_current=after.n,
        units_current=after.units,
        details={"current": float(outside.share), "range": [low, high]},
    )


def _interval(low: float | None, high: float | None) -> str:
    if low is None:
        return f"at most {high:g}"
    return f"at least {low:g}" if high is None else f"[{low:g}, {high:g}]"


@check(kinds=("numerical",))
def extreme_values(
    reference: Column, current: Column, context: Context, *, max: Share = 0.002, scale: Scale = "linear"
) -> Claim:
    """
    Has the share of gross outliers risen by more than `max`?

    A gross outlier lies more than 10 interquartile ranges of the reference from its median; where that
    range is 0, 1.349 standard deviations of the reference take its place.

    Args:
        max: The largest rise allowed.
        scale: linear, or log1p to measure counts and other skewed amounts as log(1 + x).

    Raises:
        DataError: The column is not numerical or has no value on a side; the reference is constant and
            current is not; with log1p, a value is -1 or less.

    References:
        Zou and Donner (2008), Stat. Med. 27, 1693-1702, with the exact limits of Clopper and Pearson
        (1934).

    Example:
        data: {reference: {demo: reference}, current: {demo: current}}
        checks:
          - extreme_values: {columns: [glucose, sodium]}
    """
    from pytest_readmit.stats import proportion

    _has_kind(reference, "numerical")
    before, after = methods.usable(reference, context), methods.usable(current, context)
    if scale == "log1p":
        _above_minus_one(reference, context)
        _above_minus_one(current, context)
    fences = _fences(before, scale)
    notes = []
    if fences[0].reach == 0:
        if after.support[0] != after.support[-1] or after.support[0] != before.support[0]:
            raise DataError(
                f"column {reference.name!r} is constant in {reference.dataset}, so it has no spread to "
                "measure outliers by: use out_of_range"
            )
        notes = [f"{reference.name} holds one and the same value throughout"]

    old, new = (claims.share_between(column, *fences) for column in (reference, current))
    return claims.of_shares(
        proportion.rare_difference(old, new),
        old,
        new,
        limit=max,
        method="risk_difference",
        summary=f"{reference.name}: gross outliers went {claims.went(old, new)}",
        details={"notes": notes} if notes else None,
    )


def _above_minus_one(column: Column, context: Context) -> None:
    below = column.share(lambda values: values <= -1).ends[-1]
    if below.events and column.distribution.extremes[0] <= -1:
        raise DataError(
            f"column {column.name!r}: {context.count(below.events)} values of {column.dataset} are -1 or "
            "less, which scale: log1p cannot take"
        )


@dataclass(frozen=True, slots=True)
class Fence:
    """
    What lies further than `reach` below `low` or above `high`, on a scale, is a gross outlier.

    Args:
        low: The reference's median, or what it is at least.
        high: The same, or what it is at most.
        reach: How far a value may be from it.
        scale: On which this is measured.
    """

    low: float
    high: float
    reach: float
    scale: Scale

    def __call__(self, values: "Array") -> "Array":
        """Return which values are gross outliers."""
        import numpy as np

        scaled = _scaled(values, self.scale)
        return np.asarray(np.maximum(scaled - self.high, self.low - scaled) > self.reach)


def _scaled(values: "Array", scale: Scale) -> "Array":
    import numpy as np

    return np.asarray(np.log1p(values)) if scale == "log1p" else values


def _fences(reference: "Distribution", scale: Scale) -> list[Fence]:
    """Return the fence beyond which a value surely is a gross outlier, and that beyond which it may be."""
    import numpy as np

    ends = reference.quantile_range(np.array([0.25, 0.5, 0.75]))
    # A quantile here is one of the values, so a monotone scale may be applied after it.
    least, most = (_scaled(np.asarray(each, dtype=float), scale).tolist() for each in ends)
    reaches = [FAR * (least[2] - most[0]), FAR * (most[2] - least[0])]
    if reaches[0] <= 0 < reaches[1]:
        reaches[0] = 0.0
    elif reaches[1] == 0:
        reaches = [FAR * IQR_OF_SD * sd for sd in _deviations(reference, scale)]
    return [Fence(least[1], most[1], reaches[1], scale), Fence(most[1], least[1], reaches[0], scale)]


def _deviations(reference: "Distribution", scale: Scale) -> tuple[float, float]:
    """Return the least and the most that the reference's standard deviation may be, on the scale."""
    import numpy as np

    values, counts = reference.distinct()
    scaled = _scaled(values, scale)
    mean = float(np.average(scaled, weights=counts))
    sd = math.sqrt(float(np.average((scaled - mean) ** 2, weights=counts))) if len(values) > 1 else 0.0
    if reference.spans is None:
        return sd, sd
    known = reference
    if scale == "log1p":
        known = replace(reference, support=scaled, spans=_scaled(reference.spans, scale), told=None)
    sd, error = known.sd(), known.sd_error()
    return max(0.0, sd - error), sd + error
