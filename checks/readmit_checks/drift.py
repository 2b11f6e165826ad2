"""Have the features moved: each of them, and how many of them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from pytest_readmit import Claim, Column, Context, DataError, Parts, Share, check
from readmit_checks import claims, methods
from readmit_checks.methods import BINNED, METHODS, AtLeastZero, Method, MethodName

if TYPE_CHECKING:
    from pytest_readmit.stats.effect import Effect

Bins = Annotated[int, Field(ge=2, le=1000)]
FEW_VALUES = 10


def _method_problems(parameters: Mapping[str, Any], decide_by: str, limit: str) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with a method, its limit (the key `limit`) and its options together."""
    name, most = parameters["method"], parameters[limit]
    method = METHODS.get(name)
    if method is not None and method.limit is None and decide_by == "interval":
        yield (
            "method",
            f"{name} has no population limit: give 'p_value', or 'decide_by: estimate' with {limit!r}",
        )
    elif method is not None and method.limit is None and decide_by == "estimate" and most is None:
        yield "method", f"{name} has no default limit: give {limit!r}"
    largest = 1.0 if method is None else method.most
    if most is not None and most > largest:
        yield limit, f"{limit!r}: {name} is never above {largest:g}"
    if decide_by == "p_value" and most is not None:
        yield limit, f"{limit!r} has no effect where p_value decides: leave one of them out"
    by_level = name == "chi2" or (name == "auto" and decide_by == "p_value")
    if parameters["yates"] and not by_level:
        yield "yates", f"'yates' is for method chi2 only, not {name}"
    if parameters["bins"] is not None and name not in BINNED:
        yield "bins", f"'bins' is for {', '.join(BINNED)} only, not {name}"


def _data_drift_problems(parameters: Mapping[str, Any], decide_by: str) -> Iterator[tuple[str, str]]:
    return _method_problems(parameters, decide_by, "max")


def _drift_share_problems(parameters: Mapping[str, Any], decide_by: str) -> Iterator[tuple[str, str]]:
    return _method_problems(parameters, decide_by, "column_max")


def _limit(method: Method, most: float | None, context: Context) -> float | None:
    """Return the limit of a method: the given one, else its own; none is needed where p_value decides."""
    limit = method.limit if most is None else most
    no_bounds = method.limit is None and context.decide_by == "interval"
    if no_bounds or (limit is None and context.decide_by == "estimate"):
        raise DataError(
            f"{method.name} has no population limit: give p_value, or decide_by: estimate with a limit"
        )
    return limit


@check(validate=_data_drift_problems)
def data_drift(
    reference: Column,
    current: Column,
    context: Context,
    *,
    method: MethodName = "auto",
    max: AtLeastZero | None = None,
    bins: Bins | None = None,
    yates: bool = False,
) -> Claim:
    """
    Has the feature's distribution moved by more than `max`?

    ks is the largest gap between the two cumulative distributions, total_variation the share of rows that
    would have to change level for both to be alike. Missing values are left out; `missing_drift` counts
    them.

    Args:
        method: How the distributions are compared; auto is ks for numerical and total_variation for
            categorical columns (chi2 where `p_value` decides).
        max: The most that is allowed, in the method's own unit. Default: ks 0.10, total_variation 0.10,
            wasserstein 0.25 and mean_shift 0.25 (standard deviations of the reference), psi 0.06,
            jensen_shannon 0.10, hellinger 0.09; chi2, cramers_v, energy, cramer_von_mises and
            anderson_darling have none: give `p_value`, or `decide_by: estimate` and `max`.
        bins: Bins of the reference for psi, jensen_shannon and hellinger of numbers; default 10.
        yates: Whether chi2 of a 2 by 2 table is corrected for continuity.

    Raises:
        DataError: A side has no value in the column; the method does not fit the column's kind; the
            reference is constant and the method measures by its spread.

    References:
        ks: Kolmogorov (1933), Smirnov (1939), upper bound Anderson (1955), Proc. AMS 6, 170-176.
        total_variation and wasserstein: Sriperumbudur et al. (2012), Electron. J. Stat. 6, 1550-1599.
        mean_shift: Welch (1947), Biometrika 34, 28-35; Glass (1976), Educ. Res. 5, 3-8.
        psi: Yurdakul and Naranjo (2020), J. Risk Model Valid. 14(4).
        jensen_shannon: Lin (1991), IEEE Trans. Inf. Theory 37, 145-151. hellinger: Hellinger (1909).
        chi2: Pearson (1900), Yates (1934). cramers_v: Cramer (1946), Bergsma (2013).
        energy: Szekely and Rizzo (2013). cramer_von_mises: Anderson (1962). anderson_darling: Scholz and
        Stephens (1987).

    Example:
        data: {reference: {demo: reference}, current: {demo: current}}
        checks:
          - data_drift: {columns: [age, sex], max: 0.1}
    """
    how = methods.chosen(method, reference, context)
    limit = _limit(how, max, context)
    effect, notes = methods.compare(
        how, reference, current, context, methods.options(context, bins, yates=yates)
    )
    bound = {"limit": limit} if limit is None or not how.signed else claims.limit_of(limit, "either")
    return claims.of_distributions(
        effect,
        reference.distribution,
        current.distribution,
        context,
        notes=notes,
        details={
            "kind": reference.kind,
            "statistic": float(effect.estimate),
            **(_means(reference, current) if how.signed else {}),
        },
        method=how.name,
        summary=methods.moved(reference.name, how, effect.estimate),
        warning=_unclassified(reference),
        **bound,
    )


def _means(reference: Column, current: Column) -> dict[str, float | None]:
    return claims.change(float(reference.distribution.mean()), float(current.distribution.mean()))


def _many_values(column: Column) -> bool:
    """Whether a look at a few quantiles, which costs next to nothing, already shows many values."""
    import numpy as np

    quantiles = column.distribution.quantile(np.linspace(0.0, 1.0, 4 * FEW_VALUES))
    return len(np.unique(quantiles)) > FEW_VALUES


def _unclassified(column: Column) -> str | None:
    """Return a warning about whole numbers that may be codes, where the suite does not say what they are."""
    if column.kind != "numerical" or column.classified or _many_values(column):
        return None
    if not column.integer_like or column.distinct_count(FEW_VALUES) > FEW_VALUES:
        return None
    return (
        f"{column.name} holds at most {FEW_VALUES} distinct whole numbers and is compared as numbers: "
        "list it under columns.numerical or columns.categorical"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureDrift:
    """
    What `drift_share` needs of one feature.

    Args:
        method: How it was compared.
        estimate: The effect.
        p_above: p-value of "it has moved by at most `column_max`".
        p_under: p-value of "it has moved by at least `column_max`".
        drifted: Whether it has drifted by the estimate, or by its p-value where that decides.
        rows: Usable rows of reference and current.
        units: Patients behind them; None where none are named.
    """

    method: str
    estimate: float
    p_above: float | None
    p_under: float | None
    drifted: bool
    rows: tuple[int, int]
    units: tuple[int | None, int | None]


def _feature_drift(
    reference: Column,
    current: Column,
    *,
    context: Context,
    method: MethodName,
    column_max: float | None,
    bins: int | None,
    yates: bool,
    **_others: Any,
) -> FeatureDrift:
    how = methods.chosen(method, reference, context)
    limit = _limit(how, column_max, context)
    effect, _notes = methods.compare(
        how, reference, current, context, methods.options(context, bins, yates=yates)
    )
    before, after = reference.distribution, current.distribution
    p_above, p_under = _p_values(effect, limit, signed=how.signed)
    return FeatureDrift(
        method=how.name,
        estimate=float(effect.estimate),
        p_above=p_above,
        p_under=p_under,
        drifted=_drifted(effect, limit, context),
        rows=(before.n, after.n),
        units=(before.units, after.units),
    )


def _p_values(effect: "Effect", limit: float | None, *, signed: bool) -> tuple[float | None, float | None]:
    """Return the p-values of "at most `limit`" and "at least `limit`"; of the absolute effect if signed."""
    if limit is None or effect.p_beyond is None or effect.p_below is None:
        return None, None
    if not signed:
        return effect.p_beyond(limit), effect.p_below(limit)
    above = 2 * min(effect.p_beyond(limit), effect.p_below(-limit))
    return min(1.0, above), max(effect.p_below(limit), effect.p_beyond(-limit))


def _drifted(effect: "Effect", limit: float | None, context: Context) -> bool:
    if context.decide_by == "estimate" and limit is not None and effect.estimates is not None:
        low, high = effect.estimates
        if low <= limit <= high or low <= -limit <= high:
            raise DataError("approximate counts leave open on which side of the limit the estimate is")
    if context.decide_by != "p_value":
        return limit is not None and abs(effect.estimate) > limit
    if effect.p_null is None or context.p_value is None:
        raise DataError("the method has no p-value here")
    return bool(effect.p_null < context.p_value)


@check(part=_feature_drift, validate=_drift_share_problems)
def drift_share(
    parts: Parts,
    context: Context,
    *,
    method: MethodName = "auto",  # noqa: ARG001 - for `part`
    column_max: AtLeastZero | None = None,  # noqa: ARG001 - for `part`
    bins: Bins | None = None,  # noqa: ARG001 - for `part`
    yates: bool = False,  # noqa: ARG001 - for `part`
    max: Share = 0.3,
) -> Claim:
    """
    Have more than the share `max` of the features drifted?

    Without `p_value`, the share that is proven to have drifted and the share that is certified not to
    have come from partial conjunction tests over the features (Benjamini and Heller 2008), valid however
    the features depend on each other. With `p_value`, a feature has drifted where its p-value is below
    it, and the share is decided as it stands. A feature that cannot be measured is an error.

    Args:
        method: How each feature is compared; as in data_drift.
        column_max: The most that a feature may move; default: as in data_drift.
        bins: As in data_drift.
        yates: As in data_drift.
        max: The largest share of features that may drift.

    Raises:
        DataError: A feature cannot be measured (the message names it and how to leave it out), or there are
            none.

    References:
        Benjamini and Heller (2008), Biometrics 64, 1215-1222.

    Example:
        data: {reference: {demo: reference}, current: {demo: current}}
        checks:
          - drift_share: {columns: [age, sodium, sex], max: 0.3}
    """
    features = _measured(parts)
    drifted = [name for name, feature in features.items() if feature.drifted]
    share = len(drifted) / len(features)
    rows = [min(feature.rows[side] for feature in features.values()) for side in (0, 1)]
    units = [_fewest(feature.units[side] for feature in features.values()) for side in (0, 1)]
    facts: dict[str, Any] = {
        "limit": max,
        "method": "share_of_features",
        "summary": f"{len(drifted)} of {len(features)} features drifted",
        "n_reference": rows[0],
        "n_current": rows[1],
        "units_reference": units[0],
        "units_current": units[1],
        "details": {"table": _feature_table(features), "drifted": drifted},
    }
    above = [feature.p_above for feature in features.values() if feature.p_above is not None]
    under = [feature.p_under for feature in features.values() if feature.p_under is not None]
    if context.decide_by == "p_value" or (context.decide_by == "estimate" and len(above) < len(features)):
        return Claim(estimate=share, **facts)
    from pytest_readmit.stats import conjunction

    return claims.of_effect(conjunction.share(above, under, share), **facts)


def _measured(parts: Parts) -> dict[str, FeatureDrift]:
    broken = {name: part for name, part in parts.items() if isinstance(part, DataError)}
    if broken:
        named = ", ".join(list(broken)[:5]) + (", …" if len(broken) > 5 else "")
        first = next(iter(broken.values())).template
        raise DataError(
            f"{len(broken)} of {len(parts)} features cannot be measured ({named}); leave them out with "
            f"`columns`. The first: {first}"
        )
    if not parts:
        raise DataError("there are no features to measure")
    return dict(parts)


def _fewest(units: Iterator[int | None]) -> int | None:
    known = [each for each in units if each is not None]
    return min(known) if known else None


def _feature_table(features: Mapping[str, FeatureDrift]) -> dict[str, Any]:
    rows = [[name, each.method, each.estimate, each.drifted] for name, each in features.items()]
    return {"columns": ["feature", "method", "estimate", "drifted"], "rows": rows}
