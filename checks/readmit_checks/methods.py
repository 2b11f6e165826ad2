"""The ways to compare a column's two distributions: name, kinds, default limit and measurement."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from pytest_readmit import Column, Context, DataError
from readmit_checks.claims import figure

if TYPE_CHECKING:
    from pytest_readmit.stats.distribution import Distribution
    from pytest_readmit.stats.effect import Effect

MethodName = Literal[
    "auto",
    "ks",
    "total_variation",
    "wasserstein",
    "mean_shift",
    "psi",
    "jensen_shannon",
    "hellinger",
    "chi2",
    "cramers_v",
    "energy",
    "cramer_von_mises",
    "anderson_darling",
]
AtLeastZero = Annotated[float, Field(ge=0)]
NUMERICAL = ("numerical",)
CATEGORICAL = ("categorical",)
BOTH = ("numerical", "categorical")


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """
    What a measurement may be told.

    Args:
        bins: Bins of the reference for the binned methods.
        yates: Whether chi-squared of a 2 by 2 table is corrected for continuity.
        wants_p: Whether the p-value of "nothing differs" will decide; only then is it computed.
        seed: Seed of a permutation.
    """

    bins: int = 10
    yates: bool = False
    wants_p: bool = False
    seed: int = 0


Measure = Callable[["Distribution", "Distribution", Options], "Effect"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """
    One way to compare two distributions.

    Args:
        name: Its name in a suite.
        words: Its name in a message, with the unit where it has one.
        kinds: The kinds of column that it can measure.
        measure: The measurement.
        limit: The default limit; None where the number means nothing for a population.
        most: The largest value that it can take.
        signed: Whether it has a direction, so that the limit holds either way.
        needs_spread: Whether numbers of the reference must differ, to give it a unit or bins.
    """

    name: str
    words: str
    kinds: tuple[str, ...]
    measure: Measure
    limit: float | None = None
    most: float = float("inf")
    signed: bool = False
    needs_spread: bool = False


def _ks(reference: "Distribution", current: "Distribution", options: Options) -> "Effect":
    from pytest_readmit.stats import ks

    effect = ks.effect(reference, current)
    if not options.wants_p:
        return effect
    statistic, p_null = ks.scipy_p(reference, current)
    return replace(effect, estimate=float(statistic), p_null=float(p_null))


def _total_variation(reference: "Distribution", current: "Distribution", options: Options) -> "Effect":
    from pytest_readmit.stats import contingency, variation

    effect = variation.effect(reference, current)
    if not options.wants_p or effect.p_null is not None:
        return effect
    return replace(effect, p_null=float(contingency.chi2(reference, current)[2]))


def _wasserstein(reference: "Distribution", current: "Distribution", _: Options) -> "Effect":
    from pytest_readmit.stats import wasserstein

    return wasserstein.effect(reference, current)


def _mean_shift(reference: "Distribution", current: "Distribution", _: Options) -> "Effect":
    from pytest_readmit.stats import shift

    return shift.effect(reference, current)


def _psi(reference: "Distribution", current: "Distribution", options: Options) -> "Effect":
    from pytest_readmit.stats import divergence

    return divergence.psi(reference, current, bins=options.bins)


def _jensen_shannon(reference: "Distribution", current: "Distribution", options: Options) -> "Effect":
    from pytest_readmit.stats import divergence

    return divergence.jensen_shannon(reference, current, bins=options.bins)


def _hellinger(reference: "Distribution", current: "Distribution", options: Options) -> "Effect":
    from pytest_readmit.stats import divergence

    return divergence.hellinger(reference, current, bins=options.bins)


def _chi2(reference: "Distribution", current: "Distribution", options: Options) -> "Effect":
    from pytest_readmit.stats import contingency
    from pytest_readmit.stats.effect import Effect

    statistic, df, p_null = contingency.chi2(reference, current, yates=options.yates)
    return Effect(
        estimate=float(statistic),
        bounds=None,
        p_null=float(p_null),
        details={"statistic": float(statistic), "df": int(df)},
    )


def _cramers_v(reference: "Distribution", current: "Distribution", options: Options) -> "Effect":
    from pytest_readmit.stats import contingency
    from pytest_readmit.stats.effect import Effect

    statistic, df, p_null = contingency.chi2(reference, current)
    return Effect(
        estimate=float(contingency.cramers_v(reference, current)),
        bounds=None,
        p_null=float(p_null) if options.wants_p else None,
        details={"statistic": float(statistic), "df": int(df)},
    )


def _energy(reference: "Distribution", current: "Distribution", options: Options) -> "Effect":
    from pytest_readmit.stats import energy
    from pytest_readmit.stats.effect import Effect

    p_null = energy.permutation_p(reference, current, seed=options.seed) if options.wants_p else None
    return Effect(estimate=float(energy.distance(reference, current)), bounds=None, p_null=p_null)


def _cramer_von_mises(reference: "Distribution", current: "Distribution", _: Options) -> "Effect":
    from pytest_readmit.stats import energy
    from pytest_readmit.stats.effect import Effect

    statistic, p_null = energy.cramer_von_mises(reference, current)
    return Effect(estimate=float(statistic), bounds=None, p_null=float(p_null))


def _anderson_darling(reference: "Distribution", current: "Distribution", _: Options) -> "Effect":
    from pytest_readmit.stats import energy
    from pytest_readmit.stats.effect import Effect

    statistic, p_null = energy.anderson_darling(reference, current)
    return Effect(estimate=float(statistic), bounds=None, p_null=float(p_null))


def _named(*methods: Method) -> Mapping[str, Method]:
    return {method.name: method for method in methods}


METHODS = _named(
    Method(name="ks", words="KS", kinds=NUMERICAL, measure=_ks, limit=0.10, most=1.0),
    Method(
        name="total_variation",
        words="total variation",
        kinds=CATEGORICAL,
        measure=_total_variation,
        limit=0.10,
        most=1.0,
    ),
    Method(
        name="wasserstein",
        words="Wasserstein, in reference sd",
        kinds=NUMERICAL,
        measure=_wasserstein,
        limit=0.25,
        needs_spread=True,
    ),
    Method(
        name="mean_shift",
        words="mean, in reference sd",
        kinds=NUMERICAL,
        measure=_mean_shift,
        limit=0.25,
        signed=True,
        needs_spread=True,
    ),
    Method(name="psi", words="PSI", kinds=BOTH, measure=_psi, limit=0.06, needs_spread=True),
    Method(
        name="jensen_shannon",
        words="Jensen-Shannon",
        kinds=BOTH,
        measure=_jensen_shannon,
        limit=0.10,
        most=1.0,
        needs_spread=True,
    ),
    Method(
        name="hellinger",
        words="Hellinger",
        kinds=BOTH,
        measure=_hellinger,
        limit=0.09,
        most=1.0,
        needs_spread=True,
    ),
    Method(name="chi2", words="chi-squared", kinds=CATEGORICAL, measure=_chi2),
    Method(name="cramers_v", words="Cramér's V", kinds=CATEGORICAL, measure=_cramers_v, most=1.0),
    Method(name="energy", words="energy distance", kinds=NUMERICAL, measure=_energy),
    Method(name="cramer_von_mises", words="Cramér-von Mises", kinds=NUMERICAL, measure=_cramer_von_mises),
    Method(name="anderson_darling", words="Anderson-Darling", kinds=NUMERICAL, measure=_anderson_darling),
)
BINNED = ("psi", "jensen_shannon", "hellinger")


def chosen(name: str, column: Column, context: Context) -> Method:
    """
    Return the method for a column; ``auto`` is settled by its kind and by how the case is decided.

    Raises:
        DataError: If the method cannot measure a column of this kind.
    """
    if name == "auto":
        by_level = "chi2" if context.decide_by == "p_value" else "total_variation"
        name = {"numerical": "ks", "categorical": by_level}.get(column.kind, name)
    method = METHODS.get(name)
    if method is None or column.kind not in method.kinds:
        fitting = " or ".join(each.name for each in METHODS.values() if column.kind in each.kinds)
        advice = (
            f"use {fitting}" if fitting else "name its kind under columns.numerical or columns.categorical"
        )
        raise DataError(f"column {column.name!r} is {column.kind}, which {name} does not measure: {advice}")
    return method


def compare(
    method: Method, reference: Column, current: Column, context: Context, options: Options
) -> "tuple[Effect, tuple[str, ...]]":
    """
    Measure two columns by a method; with what a reader should know of the measurement.

    Raises:
        DataError: If a side has no usable row, or the method has no scale because the reference is constant.
    """
    from pytest_readmit.stats.effect import Undefined

    before, after = usable(reference, context), usable(current, context)
    if before.approximate and (method.limit is None or options.wants_p):
        raise DataError(
            f"column {reference.name!r}: {method.name if method.limit is None else 'p_value'} needs rows of "
            f"{reference.dataset}; {reference.source} is a profile and holds none: give a limit for "
            "ks or total_variation, or the data themselves"
        )
    if _constant(before) and _constant(after) and before.support[0] == after.support[0]:
        note = f"{reference.name} holds one and the same value throughout"
        plain = method.limit is not None and not method.needs_spread
        return _measured(method, before, after, options) if plain else _nothing(), (note,)
    if method.needs_spread and not before.is_text and _constant(before):
        raise DataError(
            f"column {reference.name!r} is constant in {reference.dataset}, so {method.name} has nothing to "
            "measure by: use ks"
        )
    try:
        return _measured(method, before, after, options), ()
    except Undefined as error:
        why = f"is undefined: {error}"
        if before.spans is not None:
            why = f"cannot be had from the few bins that {reference.source} holds: use ks, or give the data"
        raise DataError(f"column {reference.name!r}: {method.name} {why}") from None


def _measured(method: Method, before: "Distribution", after: "Distribution", options: Options) -> "Effect":
    effect = method.measure(before, after, options)
    if not options.wants_p or effect.p_null is not None or effect.p_beyond is None:
        return effect
    # "Nothing differs" is the hypothesis that a distance is at most 0.
    p_null = effect.p_beyond(0.0)
    if method.signed and effect.p_below is not None:
        p_null = min(1.0, 2 * min(p_null, effect.p_below(0.0)))
    return replace(effect, p_null=p_null)


def _constant(distribution: "Distribution") -> bool:
    if distribution.spans is not None:
        return bool(distribution.spans[0, 0] == distribution.spans[-1, 1])
    return bool(distribution.support[0] == distribution.support[-1])


def _nothing() -> "Effect":
    """Return the effect of two columns that hold the same single value: none, whatever the scale."""
    from pytest_readmit.stats.effect import Effect

    return Effect(
        estimate=0.0,
        bounds=lambda _: (0.0, 0.0),
        p_beyond=lambda limit: 1.0 if limit >= 0 else 0.0,
        p_below=lambda limit: 1.0 if limit <= 0 else 0.0,
        p_null=1.0,
    )


def usable(column: Column, context: Context) -> "Distribution":
    """
    Return the distribution of a column's non-missing values.

    Raises:
        DataError: If there are none.
    """
    distribution: Distribution = column.distribution
    if distribution.n == 0:
        raise DataError(
            f"column {column.name!r}: 0 non-missing of {context.count(column.rows)} rows in "
            f"{column.dataset} ({column.source})"
        )
    return distribution


def options(context: Context, bins: int | None = None, *, yates: bool = False) -> Options:
    """Return what a measurement must know, from a check's keys and how its case is decided."""
    wants_p = context.decide_by == "p_value"
    return Options(bins=bins or 10, yates=yates, wants_p=wants_p, seed=context.seed)


def moved(subject: str, method: Method, estimate: float) -> str:
    """Return a measurement in words."""
    if method.signed:
        return f"{subject}: the mean moved by {estimate:+.3g} sd of the reference"
    if method.limit is None:
        return f"{subject}: {method.words} {figure(estimate)}"
    return f"{subject} moved by {figure(estimate)} ({method.words})"
