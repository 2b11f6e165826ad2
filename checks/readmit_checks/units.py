"""Do values look as if they had been recorded in another unit."""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from pytest_readmit import Claim, Column, Context, DataError, Positive, Share, check
from readmit_checks import claims, methods

if TYPE_CHECKING:
    from pytest_readmit.stats.distribution import Array, Distribution
    from pytest_readmit.stats.effect import Effect
    from pytest_readmit.stats.proportion import Proportion

FACTORS: Mapping[str, tuple[float, ...]] = {
    "glucose": (18.0,),  # mg/dL : mmol/L, as all without a unit below
    "creatinine": (88.4,),  # umol/L : mg/dL
    "bilirubin": (17.1,),  # umol/L : mg/dL
    "haemoglobin": (10.0, 1.611),  # g/L : g/dL; g/dL : mmol/L
    "urea": (6.006, 2.8, 2.14),  # urea mg/dL : mmol/L; urea nitrogen mg/dL : mmol/L; urea : urea nitrogen
    "calcium": (4.008,),
    "magnesium": (2.431,),
    "phosphate": (3.097,),
    "potassium": (3.91,),
    "cholesterol": (38.67,),
    "triglycerides": (88.57,),
    "lactate": (9.01,),
    "uric": (59.48,),  # umol/L : mg/dL
    "iron": (5.587,),  # ug/dL : umol/L
    "albumin": (10.0,),  # g/L : g/dL
    "protein": (10.0,),
    "crp": (10.0,),  # mg/L : mg/dL
    "troponin": (1000.0,),  # ng/L : ng/mL
    "platelets": (1000.0,),  # per uL : 10^9/L
    "leukocytes": (1000.0,),
    "pressure": (7.501,),  # mmHg : kPa
    "weight": (2.2046, 1000.0),  # lb : kg; g : kg
    "height": (2.54, 100.0, 30.48),  # cm : in; cm : m; cm : ft
}
"""How many of one common unit make the other. Temperature is not here: its conversion is no factor."""

ALSO_CALLED: Mapping[str, str] = {
    "glu": "glucose",
    "gluc": "glucose",
    "creat": "creatinine",
    "crea": "creatinine",
    "bili": "bilirubin",
    "hemoglobin": "haemoglobin",
    "hgb": "haemoglobin",
    "hb": "haemoglobin",
    "bun": "urea",
    "phosphorus": "phosphate",
    "chol": "cholesterol",
    "hdl": "cholesterol",
    "ldl": "cholesterol",
    "triglyceride": "triglycerides",
    "urate": "uric",
    "alb": "albumin",
    "tnt": "troponin",
    "tni": "troponin",
    "platelet": "platelets",
    "plt": "platelets",
    "wbc": "leukocytes",
    "leucocytes": "leukocytes",
    "bp": "pressure",
    "sbp": "pressure",
    "dbp": "pressure",
    "map": "pressure",
    "wt": "weight",
    "ht": "height",
}
ORDINARY = (0.001, 0.999)
CENTRAL = (0.05, 0.95)
MOST_FACTORS = 100
CLEAR = 3.5
NEARLY = 0.95

Factors = list[Positive] | dict[str, Positive | list[Positive]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversion:
    """
    One way in which values may be in another unit.

    Args:
        factor: The larger unit in smaller ones, above 1 where it is known which is which.
        multiplied: Whether values look multiplied by it, else divided.
    """

    factor: float
    multiplied: bool

    @property
    def words(self) -> str:
        return f"{'multiplied' if self.multiplied else 'divided'} by {self.factor:g}"

    @property
    def scale(self) -> float:
        """What a value of the reference becomes when it is multiplied by this."""
        return self.factor if self.multiplied else 1 / self.factor


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranges:
    """Where the reference's values lie: between its ordinary quantiles, and between its central ones."""

    lowest: float
    low: float
    high: float
    highest: float

    @classmethod
    def of(cls, reference: "Distribution") -> "tuple[Ranges, Ranges]":
        """Return the ranges by which the fewest values look converted, and by which the most do."""
        import numpy as np

        at = np.array([ORDINARY[0], CENTRAL[0], CENTRAL[1], ORDINARY[1]])
        least, most = (np.asarray(each, dtype=float).tolist() for each in reference.quantile_range(at))
        # Nothing is surely central where the two ends may be the same.
        low, high = (most[1], least[2]) if most[1] <= least[2] else (math.nan, math.nan)
        fewest = cls(lowest=least[0], low=low, high=high, highest=most[3])
        return fewest, cls(lowest=most[0], low=least[1], high=most[2], highest=least[3])

    def pieces(self, scale: float) -> list[tuple[float, float]]:
        """
        Return what lies outside the ordinary range and would be central when divided by `scale`.

        Each piece is (from, to), ends included; at most one below and one above the ordinary range.
        """
        import numpy as np

        start, end = sorted((self.low * scale, self.high * scale))
        below = (start, min(end, float(np.nextafter(self.lowest, -np.inf))))
        above = (max(start, float(np.nextafter(self.highest, np.inf))), end)
        return [piece for piece in (below, above) if piece[0] <= piece[1]]


def _factor_problems(parameters: Mapping[str, Any], _: str) -> Iterator[tuple[str, str]]:
    given = parameters["factors"]
    if given is None:
        return
    groups = list(given.values()) if isinstance(given, Mapping) else [given]
    every = [_as_list(group) for group in groups]
    if not every or not all(every):
        yield "factors", "'factors': name at least one factor"
    if any(factor == 1 for group in every for factor in group):
        yield "factors", "'factors': a factor of 1 changes nothing"
    if any(len(group) > MOST_FACTORS for group in every):
        yield "factors", f"'factors': at most {MOST_FACTORS} factors a column"


def _as_list(group: Any) -> list[float]:
    return [float(factor) for factor in group] if isinstance(group, list | tuple) else [float(group)]


@check(kinds=("numerical",), validate=_factor_problems)
def unit_change(
    reference: Column,
    current: Column,
    context: Context,
    *,
    factors: Factors | None = None,
    max: Share = 0.002,
) -> Claim:
    """
    Do more rows than `max` look as if they were in another unit?

    For each factor f, and for 1/f: the share of rows that lie outside the reference's range from its
    0.1% to its 99.9% quantile and that come to lie between its 5% and 95% quantiles when converted, less
    the same share in the reference. The largest excess decides, corrected for all that were tried.

    Args:
        factors: Factors to try: a list for every column, or column to factor or list. Default: those of
            the laboratory value, weight or height that the column's name tells of (glucose 18,
            creatinine 88.4, haemoglobin 10, weight 2.2046, ...), else all known ones from 3.5, of which
            a column of whole numbers takes the whole ones.
        max: The largest excess share allowed.

    Raises:
        DataError: The column is not numerical, or has no value on a side.

    References:
        Zou and Donner (2008), Stat. Med. 27, 1693-1702 (limits of each excess); Berger (1982),
        Technometrics 24, 295-300 (all factors at once).

    Example:
        data: {reference: {demo: reference}, current: {demo: current}}
        checks:
          - unit_change: {columns: [glucose, creatinine]}
    """
    from pytest_readmit.stats import proportion, several

    if reference.kind != "numerical":
        raise DataError(
            f"column {reference.name!r} is {reference.kind}: unit_change measures numerical columns"
        )
    before, after = methods.usable(reference, context), methods.usable(current, context)
    whole = reference.integer_like and current.integer_like
    tried = _conversions(reference.name, factors, whole=whole)
    surely, ranges = Ranges.of(before)
    shares = list(
        zip(*(_between(tried, column, surely, ranges) for column in (reference, current)), strict=True)
    )
    effects = [proportion.rare_difference(old, new) for old, new in shares]
    best = _best(tried, effects, ranges, (before, after))
    largest = several.largest_of(effects)
    return claims.of_effect(
        replace(largest, p_null=_joint_null(effects)),
        limit=max,
        method="unit_share",
        summary=_summary(reference.name, tried[best], effects[best], len(tried)),
        n_reference=before.n,
        n_current=after.n,
        units_reference=before.units,
        units_current=after.units,
        details={
            **claims.change(shares[best][0].share, shares[best][1].share),
            "factor": tried[best].factor,
            "looks": tried[best].words,
            "table": _table(tried, shares, context),
        },
    )


def _conversions(name: str, given: Factors | None, *, whole: bool) -> list[Conversion]:
    """Return what to try for a column; factors the same within 0.1% once."""
    own = given.get(name) if isinstance(given, Mapping) else given
    chosen = known_factors(name, whole=whole) if own is None else _as_list(own)
    distinct: list[float] = []
    for factor in (1 / each if each < 1 else each for each in chosen):
        if all(abs(factor / other - 1) > 1e-3 for other in distinct):
            distinct.append(factor)
    return [Conversion(factor=factor, multiplied=up) for factor in distinct for up in (True, False)]


def known_factors(name: str, *, whole: bool = False) -> Sequence[float]:
    """
    Return the factors that a column's name tells of; all known ones from 3.5 where it tells of none.

    A smaller factor tried on anything would take an ordinary shift for a change of unit.
    Where all values are whole numbers, before and now, then only whole factors: twice a count is a
    count, 2.2046 times a count is none.
    """
    words = re.findall(r"[a-z]+", re.sub(r"([a-z])([A-Z])", r"\1 \2", name).lower())
    found = [factor for word in words for factor in FACTORS.get(ALSO_CALLED.get(word, word), ())]
    if found:
        return found
    every = sorted({factor for group in FACTORS.values() for factor in group if factor >= CLEAR})
    return [factor for factor in every if factor == int(factor)] if whole else every


def _between(
    tried: Sequence[Conversion], column: Column, surely: Ranges, perhaps: Ranges
) -> "list[Proportion]":
    """Return the share of rows that each conversion surely explains, and of how many more it may."""
    most = _shares(tried, column, perhaps)
    if surely == perhaps and column.distribution.spans is None:
        return most
    fewest = _shares(tried, column, surely)
    return [
        replace(low, unsure=max(0.0, high.events + high.unsure - low.events))
        for low, high in zip(fewest, most, strict=True)
    ]


def _shares(tried: Sequence[Conversion], column: Column, ranges: Ranges) -> "list[Proportion]":
    """Return the share of rows that each conversion explains."""
    from pytest_readmit.stats.proportion import Proportion

    distribution = column.distribution
    none: Proportion | None = None
    shares = []
    for conversion in tried:
        pieces = ranges.pieces(conversion.scale)
        if distribution.spans is not None:
            none = none or column.share(partial(_inside, pieces=()))
            shares.append(_of_bins(none, distribution, pieces))
            continue
        rows = sum(_rows_in(distribution, *piece) for piece in pieces)
        if distribution.units is None:
            shares.append(Proportion(float(rows), float(distribution.n)))
        elif rows:
            shares.append(column.share(partial(_inside, pieces=pieces)))
        else:
            # Most conversions explain no row, and of no rows one share is like another.
            none = none or column.share(partial(_inside, pieces=()))
            shares.append(none)
    return shares


def _of_bins(
    none: "Proportion", distribution: "Distribution", pieces: Sequence[tuple[float, float]]
) -> "Proportion":
    """Return the share of rows in the pieces where rows are in bins; a bin may lie in a piece in part."""
    import numpy as np

    assert distribution.spans is not None  # noqa: S101 - the caller looked
    low, high = distribution.spans.T
    counts = np.asarray(distribution.counts)
    inside = sum(counts[(low >= start) & (high <= end)].sum() for start, end in pieces)
    touched = sum(counts[(high >= start) & (low <= end)].sum() for start, end in pieces)
    fewest = float(inside) * (1.0 - distribution.left_out)
    return replace(none, events=fewest, unsure=float(touched) - fewest + none.events + none.unsure)


def _rows_in(distribution: "Distribution", start: float, end: float) -> int:
    return int(distribution.rank(end)) - int(distribution.rank(start, side="left"))


def _inside(values: "Array", pieces: Sequence[tuple[float, float]]) -> "Array":
    import numpy as np

    inside = np.zeros(len(values), dtype=bool)
    for start, end in pieces:
        inside |= (values >= start) & (values <= end)
    return inside


def _best(
    tried: Sequence[Conversion], effects: "Sequence[Effect]", ranges: Ranges, sides: "Sequence[Distribution]"
) -> int:
    """
    Return the conversion to name.

    Of those that explain nearly as many rows as the best one, it is that whose converted rows lie
    closest around the reference's median.
    """
    estimates = [effect.estimate for effect in effects]
    rivals = [index for index, estimate in enumerate(estimates) if estimate >= NEARLY * max(estimates)]
    if max(estimates) <= 0 or len(rivals) == 1:
        return estimates.index(max(estimates))
    before, after = sides

    def off_centre(index: int) -> float:
        scale = tried[index].scale
        return abs(float(before.cdf(_middle(after, ranges.pieces(scale)) / scale)) - 0.5)

    return min(rivals, key=lambda index: (off_centre(index), index))


def _middle(distribution: "Distribution", pieces: Sequence[tuple[float, float]]) -> float:
    """Return the median of the rows in the pieces, of which there are some."""
    import numpy as np

    starts = [int(distribution.rank(start, side="left")) for start, _ in pieces]
    ends = [int(distribution.rank(end)) for _, end in pieces]
    rows = np.concatenate([np.arange(start, end) for start, end in zip(starts, ends, strict=True)])
    return float(distribution.at(rows[len(rows) // 2]))


def _joint_null(effects: "Sequence[Effect]") -> float:
    """Return the p-value of "no factor's share differs" (Bonferroni)."""
    return min(1.0, len(effects) * min(1.0 if effect.p_null is None else effect.p_null for effect in effects))


def _summary(name: str, best: Conversion, effect: "Effect", tried: int) -> str:
    if effect.estimate <= 0:
        return f"{name}: no more rows look converted than in the reference ({tried} conversions tried)"
    return f"{name}: {claims.percent(effect.estimate)} of rows look {best.words}"


def _table(
    tried: Sequence[Conversion], shares: "Sequence[tuple[Proportion, Proportion]]", context: Context
) -> dict[str, Any]:
    """List the conversions that any row fits, the commonest first; a share of very few rows stays untold."""

    def told(share: "Proportion") -> float | None:
        return None if 0 < share.events < context.min_cell else share.share

    fitting = [
        (conversion, old, new) for conversion, (old, new) in zip(tried, shares, strict=True) if new.events
    ]
    fitting.sort(key=lambda row: -row[2].events)
    rows = [[conversion.words, told(old), told(new)] for conversion, old, new in fitting]
    return {"columns": ["looks", "reference", "current"], "rows": rows}
