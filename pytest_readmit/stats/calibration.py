"""Calibration by recalibration: slope, intercept in the large, and observed over expected events."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pytest_readmit.stats.effect import Undefined
from pytest_readmit.stats.measure import Measure
from pytest_readmit.stats.predictions import Predictions

Floats = npt.NDArray[np.float64]

MOST_STEPS = 60
CLOSE_ENOUGH = 1e-10
LEAST_EXPECTED = 1e-9
"""With fewer expected events no ratio to them is worth stating."""
FEWEST_WRONG = 20
"""With fewer rows (patients) that the scores call wrongly, the ratio is less sure than it seems."""
# 1.68 / k times the quantile of Student's t with 10 degrees of freedom is at least log(1 / alpha) / k, the
# most that a share can be of which k rows hold none
EDGE_ERROR = 1.68
EDGE_DF = 10.0


@dataclass(frozen=True, slots=True)
class Fit:
    """
    A logistic regression.

    Args:
        coefficients: Shape (k,).
        fitted: Fitted probability of each row, shape (n,).
        inverse: Inverse of the information matrix, shape (k, k): the model's covariance.
    """

    coefficients: Floats
    fitted: Floats
    inverse: Floats

    @property
    def standard_errors(self) -> Floats:
        """Standard errors if the model holds and rows are independent, shape (k,)."""
        return np.sqrt(np.diag(self.inverse))


def at_edge(predictions: Predictions) -> int:
    """Return how many scores are exactly 0 or 1, where no logit exists."""
    score = predictions.score
    return int(np.count_nonzero((score <= 0.0) | (score >= 1.0)))


def logits(predictions: Predictions) -> Floats:
    """
    Return log(p / (1 - p)) of the scores, shape (n,).

    Raises:
        Undefined: If a score is exactly 0 or 1.
    """
    if at_edge(predictions):
        raise Undefined("some scores are exactly 0 or 1, whose logit is infinite")
    score = predictions.score
    return np.asarray(np.log(score) - np.log1p(-score))


def recalibration(predictions: Predictions) -> Fit:
    """
    Fit logit P(y) = a + b logit(score) by maximum likelihood; coefficients are (a, b).

    Raises:
        Undefined: If a score is exactly 0 or 1, only one class or one score is there, or the scores
            separate the classes, so that no finite slope is most likely.

    References:
        Cox (1958), Biometrika 45, 562-565; Albert and Anderson (1984), Biometrika 71, 1-10 (when the
        estimate exists).
    """
    x = logits(predictions)
    _need_both_classes(predictions)
    with_event, without = x[predictions.positive], x[~predictions.positive]
    if x.min() == x.max():
        raise Undefined("every score is the same, so there is no slope")
    if with_event.min() >= without.max() or without.min() >= with_event.max():
        raise Undefined("the scores separate the classes, so the slope is infinite")
    middle, width = float(x.mean()), float(x.std())
    if width == 0.0:
        raise Undefined("the scores hardly differ, so there is no slope")
    design = np.vstack([np.ones_like(x), (x - middle) / width])
    # No slope is where Newton's first step is best conditioned, however wrong the scores are.
    prevalence = predictions.prevalence
    start = np.array([math.log(prevalence / (1.0 - prevalence)), 0.0])
    fit = _newton(design, np.zeros_like(x), predictions.positive, start)
    back = np.array([[1.0, -middle / width], [0.0, 1.0 / width]])
    return Fit(back @ fit.coefficients, fit.fitted, back @ fit.inverse @ back.T)


def calibration_in_the_large(predictions: Predictions) -> Fit:
    """
    Fit logit P(y) = a + logit(score) by maximum likelihood; the coefficient is (a,).

    Raises:
        Undefined: If a score is exactly 0 or 1, or only one class is there.
    """
    x = logits(predictions)
    _need_both_classes(predictions)
    return _newton(np.ones((1, len(x))), x, predictions.positive, np.zeros(1))


def slope(predictions: Predictions) -> Measure:
    """
    Return the calibration slope: b of logit P(y) = a + b logit(score).

    1 is ideal; below 1 the scores are too extreme, above 1 not extreme enough. The standard error is
    that of leaving out one row (one patient) at a time, which holds whether or not the true relation
    is logistic; Student's t has as many degrees of freedom as there are rows (patients) of the rarer
    class, less one. At n = 1000 and the limits 0.8 and 1.25 that errs 5%, by patient too.

    Raises:
        Undefined: As `recalibration`.

    References:
        Van Calster et al. (2016), J. Clin. Epidemiol. 74, 167-176; MacKinnon and White (1985),
        J. Econometrics 29, 305-325 (leaving one out).
    """
    fit = recalibration(predictions)
    x = logits(predictions)
    design = np.vstack([np.ones_like(x), x])
    return _of_fit(fit, design, predictions, 1)


def intercept(predictions: Predictions) -> Measure:
    """
    Return calibration in the large: a of logit P(y) = a + logit(score).

    0 is ideal; above 0 more happens than is predicted. In log odds. Standard error and degrees of
    freedom as `slope`.

    Raises:
        Undefined: As `calibration_in_the_large`.

    References:
        Cox (1958), Biometrika 45, 562-565; Van Calster et al. (2019), BMC Med. 17, 230.
    """
    fit = calibration_in_the_large(predictions)
    return _of_fit(fit, np.ones((1, predictions.n)), predictions, 0)


def observed_expected(predictions: Predictions) -> Measure:
    """
    Return observed over expected events: sum of labels / sum of scores, on a logarithmic scale.

    Scores of exactly 0 or 1 are welcome. Standard error and degrees of freedom as `slope`, widened by
    `_edge_error` where hardly a row is called wrongly; `details["log_se_binomial"]` is the textbook's
    sqrt((1 - O/n) / O) for independent rows. Bounds end where ten times the rows would all be events.

    Raises:
        Undefined: If no event was observed or hardly any was expected.

    References:
        Debray et al. (2017), BMJ 356, i6460 (the ratio and its logarithm).
    """
    observed, expected, n = predictions.events, float(predictions.score.sum()), predictions.n
    if n == 0:
        raise Undefined("there are no rows")
    if observed == 0:
        raise Undefined("no event was observed, so the ratio to the expected has no interval")
    if expected <= 0.0:
        raise Undefined("no event was expected: every score is 0")
    if expected < LEAST_EXPECTED:
        raise Undefined("hardly any event was expected: every score is almost 0")
    ratio = observed / expected
    residual = predictions.positive - ratio * predictions.score
    influence = residual * (n / expected)
    sums, weights = _by_patient(predictions.owners, residual, predictions.score)
    changes = sums / np.maximum(expected - weights, 1e-12 * expected)
    error, edge = math.sqrt(float(changes @ changes)), ratio * _edge_error(predictions)
    return Measure(
        estimate=ratio,
        standard_error=math.hypot(error, edge),
        n=n,
        scale="log",
        df=min(_degrees(predictions), EDGE_DF) if edge else _degrees(predictions),
        span=(0.0, 10.0 * n / expected),
        influence=influence,
        owners=predictions.owners,
        details={
            "observed_events": observed,
            "expected_events": expected,
            "log_se_binomial": math.sqrt((1.0 - observed / n) / observed),
        },
    )


def _edge_error(predictions: Predictions) -> float:
    """
    Return the relative standard error that events nobody expected add while hardly one was seen.

    A row is called wrongly if its score is on the other side of 0.5. Where none of k rows (patients) is, the
    share of such rows may still be 1 - alpha^(1 / k), at most log(1 / alpha) / k, and each is an event more
    or less. It fades out until FEWEST_WRONG were seen. Patients count with as many rows as a row's own has
    on average.
    """
    wrong = (predictions.score < 0.5) == predictions.positive
    rows_each = 1.0
    if predictions.owners is None:
        seen = int(np.count_nonzero(wrong))
    else:
        seen = int(np.count_nonzero(np.bincount(predictions.owners[wrong])))
        rows_of = np.bincount(predictions.owners).astype(np.float64)
        rows_each = float(rows_of @ rows_of) / predictions.n
    return max(0.0, 1.0 - seen / FEWEST_WRONG) * EDGE_ERROR * rows_each / predictions.events


def _need_both_classes(predictions: Predictions) -> None:
    if predictions.events in (0, predictions.n):
        raise Undefined("only one class is there")


def _degrees(predictions: Predictions) -> float:
    return float(max(1, predictions.fewest_events - 1))


def _by_patient(owners: npt.NDArray[np.int64] | None, *values: Floats) -> list[Floats]:
    """Return sums over patients; without patients the values themselves."""
    if owners is None:
        return list(values)
    return [np.asarray(np.bincount(owners, weights=each), dtype=np.float64) for each in values]


def _of_fit(fit: Fit, design: Floats, predictions: Predictions, which: int) -> Measure:
    """Return the Measure of one coefficient, with the standard error of leaving out one patient."""
    residual = predictions.positive - fit.fitted
    weight = fit.fitted * (1.0 - fit.fitted)
    influence = (fit.inverse[which] @ design) * residual * predictions.n
    changes = _left_out(fit, design, residual, weight, predictions.owners)[which]
    return Measure(
        estimate=float(fit.coefficients[which]),
        standard_error=math.sqrt(float(changes @ changes)),
        n=predictions.n,
        df=_degrees(predictions),
        influence=influence,
        owners=predictions.owners,
        details={"model_standard_error": float(fit.standard_errors[which])},
    )


def _left_out(
    fit: Fit, design: Floats, residual: Floats, weight: Floats, owners: npt.NDArray[np.int64] | None
) -> Floats:
    """
    Return how much one Newton step without a patient changes the coefficients, shape (k, patients).

    That is (A - A_c)^-1 s_c, with A the information and s_c, A_c a patient's score and information.
    """
    total = np.linalg.inv(fit.inverse)
    if len(design) == 1:
        score, own = _by_patient(owners, residual, weight)
        return np.atleast_2d(score / np.maximum(total[0, 0] - own, 1e-12 * total[0, 0]))
    x = design[1]
    s0, s1, a, b, c = _by_patient(owners, residual, residual * x, weight, weight * x, weight * x * x)
    a, b, c = total[0, 0] - a, total[0, 1] - b, total[1, 1] - c
    determinant = a * c - b * b
    determinant = np.maximum(determinant, 1e-12 * float(np.linalg.det(total)))
    return np.vstack([(c * s0 - b * s1) / determinant, (a * s1 - b * s0) / determinant])


def _newton(design: Floats, offset: Floats, positive: npt.NDArray[np.bool_], start: Floats) -> Fit:
    """
    Maximise a logistic likelihood by Newton's steps, halved where one would overshoot.

    Args:
        design: Shape (k, n).
        offset: Added to the linear predictor, shape (n,).
        positive: Bools, shape (n,).
        start: Coefficients to begin with, shape (k,).

    Raises:
        Undefined: If the steps do not converge.
    """
    coefficients = start
    loss, fitted = _loss(coefficients @ design + offset, positive)
    for _ in range(MOST_STEPS):
        weight = fitted * (1.0 - fitted)
        information = (design * weight) @ design.T
        gradient = design @ (positive - fitted)
        try:
            step = np.linalg.solve(information, gradient)
        except np.linalg.LinAlgError:
            break
        gain = float(gradient @ step)
        if not math.isfinite(gain):
            break
        if gain <= CLOSE_ENOUGH**2 * len(offset):
            return Fit(coefficients, fitted, np.asarray(np.linalg.inv(information), dtype=np.float64))
        better = loss
        for _ in range(MOST_STEPS):
            tried = coefficients + step
            better, fitted = _loss(tried @ design + offset, positive)
            if better <= loss + 1e-12 * abs(loss):
                break
            step = step / 2.0
        coefficients, loss = tried, better
    raise Undefined("the recalibration does not converge")


def _loss(predictor: Floats, positive: npt.NDArray[np.bool_]) -> tuple[float, Floats]:
    """Return the negative log-likelihood and the fitted probabilities, without overflow."""
    small = np.exp(-np.abs(predictor))
    above = 1.0 / (1.0 + small)
    fitted = np.where(predictor >= 0.0, above, small * above)
    against = np.where(positive, -predictor, predictor)
    return float((np.log1p(small) + np.maximum(against, 0.0)).sum()), fitted
