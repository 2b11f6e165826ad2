"""Are the values of a column still plausible: unknown levels, values out of range, gross outliers."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from pytest_readmit import Case, Claim, Column, Context, DataError, Schema, Share, check
from readmit_checks import claims, methods

if TYPE_CHECKING:
    from pytest_readmit.stats.distribution import Array, Distribution

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
    """
    from pytest_readmit.stats import proportion

    _has_kind(reference, "categorical")
    before, after = methods.usable(reference, context), methods.usable(current, context)
    known = frozenset(before.distinct()[0].tolist())
    unseen, expected = current.share(lambda levels: _not_in(levels, known)), proportion.singletons(before)
    beside = f" ({claims.percent(expected.share)} were to be expected)" if expected.events else ""
    return claims.of_effect(
        proportion.excess_over(unseen, expected),
        limit=max,
        method="unseen_share",
        summary=f"{reference.name}: {claims.percent(unseen.share)} of rows are in unseen categories{beside}",
        n_reference=before.n,
        n_current=after.n,
        units_reference=before.units,
        units_current=after.units,
        details={
            **claims.change(expected.share, unseen.share),
            "table": _unseen_table(known, after, context),
        },
    )


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

    Args:
        ranges: Column to its lowest and highest plausible value, both allowed; null leaves an end open.
        max: The largest share allowed.
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
    """
    from pytest_readmit.stats import proportion

    _has_kind(reference, "numerical")
    before, after = methods.usable(reference, context), methods.usable(current, context)
    if scale == "log1p":
        _above_minus_one(reference, context)
        _above_minus_one(current, context)
    middle, reach = _reach(before, scale)
    notes = []
    if reach == 0:
        if after.support[0] != after.support[-1] or after.support[0] != before.support[0]:
            raise DataError(
                f"column {reference.name!r} is constant in {reference.dataset}, so it has no spread to "
                "measure outliers by: use out_of_range"
            )
        notes = [f"{reference.name} holds one and the same value throughout"]

    def extreme(values: "Array") -> "Array":
        import numpy as np

        scaled = np.log1p(values) if scale == "log1p" else values
        return np.asarray(np.abs(scaled - middle) > reach)

    old, new = reference.share(extreme), current.share(extreme)
    return claims.of_shares(
        proportion.rare_difference(old, new),
        old,
        new,
        limit=max,
        method="risk_difference",
        summary=f"{reference.name}: gross outliers went {claims.went(old.share, new.share)}",
        details={"notes": notes} if notes else None,
    )


def _above_minus_one(column: Column, context: Context) -> None:
    below = column.share(lambda values: values <= -1)
    if below.events:
        raise DataError(
            f"column {column.name!r}: {context.count(below.events)} values of {column.dataset} are -1 or "
            "less, which scale: log1p cannot take"
        )


def _reach(reference: "Distribution", scale: Scale) -> tuple[float, float]:
    """Return the reference's median and how far from it a value may be, on the scale."""
    import numpy as np

    quartiles = np.asarray(reference.quantile(np.array([0.25, 0.5, 0.75])), dtype=float)
    # A quantile here is one of the values, so a monotone scale may be applied after it.
    low, middle, high = (np.log1p(quartiles) if scale == "log1p" else quartiles).tolist()
    if high > low:
        return middle, FAR * (high - low)
    values, counts = reference.distinct()
    scaled = np.log1p(values) if scale == "log1p" else values
    mean = float(np.average(scaled, weights=counts))
    sd = math.sqrt(float(np.average((scaled - mean) ** 2, weights=counts))) if len(values) > 1 else 0.0
    return middle, FAR * IQR_OF_SD * sd
