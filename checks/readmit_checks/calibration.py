"""Do the scores mean what they say: calibration of the predicted risk on current data."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from pytest_readmit import Case, Claim, Context, DataError, Schema, Scored, Share, check
from readmit_checks import claims, limits
from readmit_checks.limits import Range

if TYPE_CHECKING:
    from pytest_readmit.stats.effect import Effect
    from pytest_readmit.stats.predictions import Predictions

Bins = Annotated[int, Field(ge=2, le=1000)]
Allowed = Mapping[str, float | None]
MeasureName = Literal["slope", "intercept", "observed_expected", "ece", "ici"]

SPAN: Mapping[str, tuple[float, float]] = {
    "slope": (-math.inf, math.inf),
    "intercept": (-math.inf, math.inf),
    "observed_expected": (0.0, math.inf),
    "ece": (0.0, 1.0),
    "ici": (0.0, 1.0),
}
"""Where each measure always lies."""
ERRORS = ("ece", "ici")
WORDS: Mapping[str, str] = {
    "slope": "calibration slope is",
    "intercept": "calibration in the large (log odds) is",
    "observed_expected": "observed events per expected event are",
    "ece": "expected calibration error is",
    "ici": "integrated calibration index is",
}
REVEALING = ("observed_events", "expected_events", "log_se_binomial")
DEFAULT: Any = {
    "slope": {"min": 0.8, "max": 1.25},
    "observed_expected": {"min": 0.8, "max": 1.25},
    "ece": {"max": 0.02},
}


def _problems(parameters: Mapping[str, Any], decide_by: str) -> Iterator[tuple[str, str]]:
    measures: Mapping[str, Allowed] = parameters["measures"]
    if not measures:
        yield "measures", "`measures`: name at least one, such as {slope: {min: 0.8, max: 1.25}}"
    for name, allowed in measures.items():
        for problem in limits.range_problems(name, allowed, *SPAN[name]):
            yield "measures", problem
        if name in ERRORS and allowed.get("min") is not None:
            yield "measures", f"`{name}`: an error has no `min`; it takes `max`"
        if name == "slope" and any(limit is not None and limit < 0 for limit in allowed.values()):
            yield "measures", "`slope`: a limit below 0 would allow scores that rank backwards; 1 is ideal"
    if decide_by == "p_value":
        yield "measures", "calibration compares with limits, not with a null hypothesis: leave p_value out"


def _cases(parameters: Mapping[str, Any], _: Schema) -> Sequence[Case]:
    return [Case(name, {"measures": {name: allowed}}) for name, allowed in parameters["measures"].items()]


@check(cases=_cases, validate=_problems)
def calibration(
    current: Scored,
    context: Context,
    *,
    measures: dict[MeasureName, Range] = DEFAULT,
    bins: Bins = 10,
    max_missing_label: Share = 0.05,  # noqa: ARG001 - read where labels and scores are
) -> Claim:
    """
    Do the predicted risks agree with what happened?

    slope is b of logit P(y) = a + b logit(score), intercept is a where b is held at 1 (calibration in the
    large, in log odds), observed_expected the events over their expected number, ece the expected
    calibration error over quantile bins, ici the integrated calibration index (decided by its estimate: it
    has no bounds). Scores of exactly 0 or 1 have no logit: slope and intercept are errors then.

    One case per measure.

    Args:
        measures: Measure (slope, intercept, observed_expected, ece, ici) to its limits `min` and `max`
            (ece and ici: `max`); {} reports only. Default: slope and observed_expected within 0.8 and
            1.25, ece at most 0.02.
        bins: Bins of ece and of the calibration curve.
        max_missing_label: The largest share of missing labels, and of scores; above it the case is an
            error.

    Raises:
        DataError: The measure does not exist for these rows (one class only, a score of exactly 0 or 1 for
            slope and intercept); too many labels or scores are missing.

    References:
        slope and intercept: Cox (1958), Biometrika 45, 562-565; Van Calster et al. (2019), BMC Med. 17,
        230. observed_expected: Debray et al. (2017), BMJ 356, i6460. ece: Naeini et al. (2015), AAAI,
        2901-2907. ici: Austin and Steyerberg (2019), Stat. Med. 38, 4051-4065.

    Example:
        data: {current: {demo: current}}
        columns: {target: readmitted_30d, positive_label: 1, score: risk}
        checks:
          - calibration: {measures: {observed_expected: {min: 0.8, max: 1.25}, ece: {max: 0.04}}}
    """
    ((name, allowed),) = measures.items()
    predictions, limit = current.predictions, limits.of_range(dict(allowed))
    effect = _measured(name, current, context, bins)
    summary = f"{WORDS[name]} {claims.figure(effect.estimate)}"
    if name == "ece":
        summary += f" (about {claims.figure(float(effect.details['noise_floor']))} by chance alone)"
    elif effect.bounds is None and limit["limit"] is not None and context.decide_by == "interval":
        summary += "; it has no bounds, so its estimate decides"
    details: dict[str, Any] = {"current": float(effect.estimate), **_curve(predictions, context, bins)}
    if name == "ece":
        details |= _hosmer_lemeshow(predictions, bins)
    if min(predictions.events, predictions.n - predictions.events) < context.min_cell:
        # The exact number of events could be had from these.
        details |= {key: None for key in REVEALING if key in effect.details}
    return claims.of_scored(effect, None, current, method=name, summary=summary, details=details, **limit)


def _measured(name: str, current: Scored, context: Context, bins: int) -> "Effect":
    """
    Return the effect of one measure.

    Raises:
        DataError: It is undefined for these data.
    """
    from pytest_readmit.stats import calibration as recalibration
    from pytest_readmit.stats import measure, reliability
    from pytest_readmit.stats.effect import Undefined

    predictions = current.predictions
    at_edge = recalibration.at_edge(predictions)
    if at_edge and name in ("slope", "intercept"):
        raise DataError(
            f"{current.source}: {context.count(at_edge)} of {context.count(current.n)} values of score "
            f"{current.score!r} are exactly 0 or 1, whose logit is infinite, so {name} does not exist; bound "
            "the scores where they are made, or measure observed_expected and ece"
        )
    try:
        if name == "ece":
            return reliability.ece(predictions, bins)
        if name == "ici":
            return reliability.ici(predictions)
        # A measure's own p-value is against 0, which is not what calibration is held to.
        return replace(measure.level(getattr(recalibration, name)(predictions)), p_null=None)
    except Undefined as error:
        raise DataError(
            f"{current.source}: {name} of score {current.score!r} does not exist: {error}"
        ) from None


def _hosmer_lemeshow(predictions: "Predictions", bins: int) -> dict[str, Any]:
    """Return the test for the report; it takes rows for independent, so there is none by patient."""
    from pytest_readmit.stats import reliability
    from pytest_readmit.stats.effect import Undefined

    if predictions.owners is not None:
        return {}
    try:
        found = reliability.hosmer_lemeshow(predictions, bins)
    except Undefined:
        return {}
    told = {"statistic": found["statistic"], "df": int(found["groups"]), "p_value": found["p_df_g"]}
    return {"hosmer_lemeshow": told}


def _curve(predictions: "Predictions", context: Context, bins: int) -> dict[str, Any]:
    """Return the calibration curve for the report, as lists and as a table."""
    from pytest_readmit.stats import reliability

    curve = reliability.curve(predictions, bins, context.min_cell)
    table = {"columns": list(curve), "rows": [list(row) for row in zip(*curve.values(), strict=True)]}
    return {"calibration_curve": curve, "table": table}
