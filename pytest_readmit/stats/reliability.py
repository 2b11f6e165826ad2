"""Calibration by groups and by smoothing: expected calibration error, curve, Hosmer-Lemeshow, ICI."""

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from pytest_readmit.stats.cluster import proportion_design_effect
from pytest_readmit.stats.effect import Effect, Undefined
from pytest_readmit.stats.predictions import Predictions
from pytest_readmit.stats.proportion import wilson
from pytest_readmit.stats.tails import normal_quantile, normal_tail

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Strategy = Literal["quantile", "equal_width"]

MOST_CELLS = 2000
MOST_POINTS = 200
FEWEST_ROWS = 4.0
"""Scores that happen to hit every label (hard 0 and 1, say) are no surer than this many rows make them."""
ROOT_TWO_OVER_PI = math.sqrt(2.0 / math.pi)


@dataclass(frozen=True, slots=True)
class Groups:
    """
    Rows grouped by score, lowest first; no group is empty.

    Args:
        codes: Group of each row, shape (n,).
        rows: Rows of each group, shape (g,).
        observed: Sum of labels, shape (g,).
        expected: Sum of scores, shape (g,).
        variance: Sum of p (1 - p): the variance of `observed` if the scores are true, shape (g,).
    """

    codes: Integers
    rows: Floats
    observed: Floats
    expected: Floats
    variance: Floats


def groups(predictions: Predictions, bins: int = 10, strategy: Strategy = "quantile") -> Groups:
    """
    Group rows by score.

    Quantile bins have the distinct type-7 quantiles of the scores as edges and are closed on the
    right; scores tied at the lowest edge are a group of their own. Bins of equal width are
    min(floor(p bins), bins - 1).

    Raises:
        Undefined: If there are no rows.
    """
    score = predictions.score
    if not len(score):
        raise Undefined("there are no rows")
    if strategy == "quantile":
        cuts = np.unique(np.quantile(score, np.arange(1, bins) / bins))
        codes = np.searchsorted(cuts, score, side="left")
    else:
        codes = np.minimum(np.floor(score * bins), bins - 1).astype(np.int64)
    present = np.bincount(codes) > 0
    codes = (np.cumsum(present) - 1)[codes]

    def total(values: npt.NDArray[Any]) -> Floats:
        return np.asarray(np.bincount(codes, weights=values), dtype=np.float64)

    return Groups(
        codes=codes,
        rows=np.bincount(codes).astype(np.float64),
        observed=total(predictions.positive),
        expected=total(score),
        variance=total(score * (1.0 - score)),
    )


def ece(predictions: Predictions, bins: int = 10, strategy: Strategy = "quantile") -> Effect:
    """
    Return the expected calibration error: the mean over rows of |observed - predicted| of their group.

    It is the largest mean of s (y - p) over signs s that are constant in a group. Upper bound: the true
    error is such a mean at fixed signs, so it takes one standard error and no correction. Lower bound:
    noise makes every group look miscalibrated, so its mean is taken off first: `details["bias"]`, of the
    groups within 3 standard errors; `details["noise_floor"]`, if every score were true.
    Variances are those of the residuals, by patient where patients are known, and never less than
    p (1 - p): the scores' own variance is too small where more happens than is predicted, the
    residuals' where nothing happened at all.

    Args:
        predictions: n rows; scores of exactly 0 or 1 are welcome.
        bins: Groups, at most.
        strategy: ``quantile`` or ``equal_width``.

    Raises:
        Undefined: If there are no rows.

    References:
        Naeini et al. (2015), AAAI, 2901-2907 (the error); Ledoux and Talagrand (1991), Probability in
        Banach Spaces, ch. 3 (suprema of noise).
    """
    found = groups(predictions, bins, strategy)
    n = predictions.n
    gaps = (found.observed - found.expected) / n
    estimate = float(np.abs(gaps).sum())
    variances, total = _residual_variances(predictions, found, np.where(gaps < 0.0, -1.0, 1.0))
    noise, spread = _noise(gaps, np.sqrt(variances) / n), math.sqrt(total) / n

    def bounds_for(alpha: float, shrink: float) -> tuple[float, float]:
        half_width = normal_quantile(alpha) * spread * shrink
        high = estimate - (1.0 - shrink) * min(noise, estimate)
        return max(0.0, high - noise * shrink - half_width), min(1.0, high + half_width)

    def p_beyond(limit: float) -> float:
        return 0.0 if limit < 0.0 else _tail(estimate - noise - limit, spread)

    def p_below(limit: float) -> float:
        return 0.0 if limit > 1.0 else _tail(limit - estimate, spread)

    return Effect(
        estimate=estimate,
        bounds=lambda alpha: bounds_for(alpha, 1.0),
        p_beyond=p_beyond,
        p_below=p_below,
        projected=lambda alpha, rows: bounds_for(alpha, math.sqrt(n / rows)),
        details={
            "bias": noise,
            "standard_error": spread,
            "noise_floor": ROOT_TWO_OVER_PI * float(np.sqrt(variances).sum()) / n,
            "bins": len(gaps),
            "largest_gap": float(np.max(np.abs(gaps) * n / found.rows)),
        },
    )


def noise_floor(found: Groups) -> float:
    """Return what the expected calibration error would be on average if every score were true."""
    return ROOT_TWO_OVER_PI * float(np.sqrt(found.variance).sum() / found.rows.sum())


def _noise(gaps: Floats, spreads: Floats) -> float:
    """Return the mean noise of the groups whose gap is within 3 standard errors."""
    return ROOT_TWO_OVER_PI * float(spreads[np.abs(gaps) <= 3.0 * spreads].sum())


def _tail(distance: float, spread: float) -> float:
    if spread == 0.0:
        return 0.0 if distance > 0.0 else 1.0
    return normal_tail(distance / spread)


def _residual_variances(predictions: Predictions, found: Groups, signs: Floats) -> tuple[Floats, float]:
    """
    Return the variance of observed - expected of each group, and of their sum at the worst signs.

    Rows of a patient in several groups depend on each other: the worst signs are taken to be the ones
    observed, all alike, or whatever makes the groups independent.
    """
    residual = predictions.positive - predictions.score
    within = np.zeros(len(found.rows))
    if predictions.owners is None:
        within += np.bincount(found.codes, weights=residual * residual)
        own = float(found.variance.sum())
        return np.maximum(within, found.variance), max(float(within.sum()), own, FEWEST_ROWS)
    sizes = np.bincount(predictions.owners).astype(np.float64)
    alike, signed = np.zeros(len(sizes)), np.zeros(len(sizes))
    for group, sign in enumerate(signs):
        member = found.codes == group
        sums = np.bincount(predictions.owners[member], weights=residual[member], minlength=len(sizes))
        within[group] = sums @ sums
        alike += sums
        signed += sign * sums
    copies = float(sizes @ sizes) / predictions.n
    squares = float(residual @ residual)
    inflation = max(1.0, float(within.sum()) / squares) if squares > 0.0 else copies
    own_variances = found.variance * inflation
    sums_of_signs = (float(alike @ alike), float(signed @ signed), float(within.sum()))
    total = max(*sums_of_signs, float(own_variances.sum()), FEWEST_ROWS * copies)
    return np.maximum(within, own_variances), total


def hosmer_lemeshow(predictions: Predictions, bins: int = 10) -> dict[str, float]:
    """
    Return Hosmer and Lemeshow's statistic over quantile groups; to be reported, never a gate.

    Returns:
        ``statistic``, ``groups`` (g), ``p_df_g`` for data that the model was not fitted on, and
        ``p_df_g_minus_2`` for the data that it was. Rows are taken for independent.

    Raises:
        Undefined: If there are no rows, or a group's scores are all 0 or all 1.

    References:
        Hosmer and Lemeshow (1980), Commun. Stat. Theory Methods 9, 1043-1069.
    """
    from scipy.special import chdtrc

    found = groups(predictions, bins)
    variance = found.expected * (1.0 - found.expected / found.rows)
    if not (variance > 0.0).all():
        raise Undefined("a group has scores of 0 or of 1 only")
    g = len(found.rows)
    statistic = float(((found.observed - found.expected) ** 2 / variance).sum())
    return {
        "statistic": statistic,
        "groups": float(g),
        "p_df_g": float(chdtrc(g, statistic)),
        "p_df_g_minus_2": float(chdtrc(g - 2, statistic)) if g > 2 else math.nan,
    }


def curve(
    predictions: Predictions, bins: int = 10, min_cell: int = 11, alpha: float = 0.05
) -> dict[str, list[Any]]:
    """
    Return the calibration curve over quantile bins.

    Neighbours are joined until no point tells of a small number of people: each has at least `min_cell`
    rows, and events and non-events are either none or at least `min_cell`.

    Returns:
        Lists of one length: ``predicted`` mean score, ``observed`` share of events with its two-sided
        Wilson interval ``lower`` and ``upper`` at 1 - alpha (by patient: of rows over design effect),
        and ``n``. Empty lists if no point is large enough.
    """
    lines: dict[str, list[Any]] = {key: [] for key in ("predicted", "observed", "lower", "upper", "n")}
    if not predictions.n:
        return lines
    found = groups(predictions, bins)
    joined = _joined(found, min_cell)
    codes = joined[found.codes]
    rows, observed, expected = (
        np.bincount(joined, weights=each) for each in (found.rows, found.observed, found.expected)
    )
    if _is_small(rows[0], observed[0], min_cell):
        return lines
    for group in range(len(rows)):
        effect = _design_effect(predictions, codes == group)
        low, high = wilson(observed[group] / effect, rows[group] / effect, alpha / 2.0)
        lines["predicted"].append(float(expected[group] / rows[group]))
        lines["observed"].append(float(observed[group] / rows[group]))
        lines["lower"].append(float(low))
        lines["upper"].append(float(high))
        lines["n"].append(int(rows[group]))
    return lines


def _is_small(rows: float, events: float, least: int) -> bool:
    return rows < least or 0 < events < least or 0 < rows - events < least


def _joined(found: Groups, least: int) -> Integers:
    """Return for each group the number of the joined group it goes into, none of them small if possible."""
    starts, rows, events = [0], [0.0], [0.0]
    for number, (more_rows, more_events) in enumerate(zip(found.rows, found.observed, strict=True)):
        if number and not _is_small(rows[-1], events[-1], least):
            starts.append(number)
            rows.append(0.0)
            events.append(0.0)
        rows[-1] += more_rows
        events[-1] += more_events
    while len(starts) > 1 and _is_small(rows[-1], events[-1], least):
        last_rows, last_events = rows.pop(), events.pop()
        starts.pop()
        rows[-1] += last_rows
        events[-1] += last_events
    return np.searchsorted(starts, np.arange(len(found.rows)), side="right") - 1


def _design_effect(predictions: Predictions, member: npt.NDArray[np.bool_]) -> float:
    if predictions.owners is None:
        return 1.0
    owners = predictions.owners[member]
    events = np.bincount(owners, weights=predictions.positive[member])
    return proportion_design_effect(events, np.bincount(owners))


def ici(predictions: Predictions, *, span: float = 0.75, degree: int = 2) -> Effect:
    """
    Return the integrated calibration index: the mean of |s(p) - p| with s a loess of labels on scores.

    The index depends on the smoother and is pushed up by noise, so it has no bounds: it is decided by
    its estimate. Above 2000 distinct scores rows are averaged in as many cells of neighbours, above 200
    the smoother is evaluated at 200 points and interpolated; either changes the index by less than 1e-3.

    Returns:
        `details` hold ``e50``, ``e90`` and ``emax``: quantiles of |s(p) - p|.

    Raises:
        Undefined: If there are no rows.

    References:
        Austin and Steyerberg (2019), Stat. Med. 38, 4051-4065; Cleveland (1979), JASA 74, 829-836.
    """
    if not predictions.n:
        raise Undefined("there are no rows")
    order = predictions.order
    score, label = predictions.score[order], predictions.positive[order].astype(np.float64)
    x, y, weight = _cells(score, label)
    at = _points(x, weight)
    smoothed = np.interp(score, at, loess(x, y, weight, at, span=span, degree=degree))
    gaps = np.abs(smoothed - score)
    e50, e90, largest = np.quantile(gaps, [0.5, 0.9, 1.0])
    return Effect(
        estimate=float(gaps.mean()),
        bounds=None,
        details={"e50": float(e50), "e90": float(e90), "emax": float(largest)},
    )


def _cells(score: Floats, label: Floats) -> tuple[Floats, Floats, Floats]:
    """Return mean score, mean label and number of rows of cells of neighbours; `score` is sorted."""
    new = np.concatenate(([True], score[1:] != score[:-1]))
    starts = np.flatnonzero(new)
    if len(starts) > MOST_CELLS:
        even = np.linspace(0, len(score), MOST_CELLS, endpoint=False).astype(np.int64)
        # a cell begins where a run of equal scores does
        starts = np.unique(starts[np.searchsorted(starts, even, side="right") - 1])
    rows = np.diff(starts, append=len(score)).astype(np.float64)
    return np.add.reduceat(score, starts) / rows, np.add.reduceat(label, starts) / rows, rows


def _points(x: Floats, weight: Floats) -> Floats:
    """Return where to evaluate a smoother: everywhere, or at points dense in rows and in range."""
    if len(x) <= MOST_POINTS:
        return x
    share = (np.cumsum(weight) - weight / 2.0) / weight.sum()
    half = MOST_POINTS // 2
    by_rows = np.interp(np.linspace(0.0, 1.0, half), share, x)
    return np.unique(np.concatenate((by_rows, np.linspace(x[0], x[-1], half))))


def loess(x: Floats, y: Floats, weight: Floats, at: Floats, *, span: float = 0.75, degree: int = 2) -> Floats:
    """
    Return local polynomial fits with tricube weights over the nearest share `span` of the rows.

    Args:
        x: Shape (k,), ascending.
        y: Shape (k,).
        weight: Rows behind each, shape (k,).
        at: Where to fit, shape (p,).
        span: In (0, 1].
        degree: 1 or 2; less where fewer distinct x are near.

    Returns:
        Shape (p,).
    """
    distance = np.abs(at[:, np.newaxis] - x)
    near = np.argsort(distance, axis=1)
    reached = np.cumsum(weight[near], axis=1)
    wanted = max(1.0, math.floor(span * weight.sum() + 1e-5))
    last = np.minimum((reached < wanted - 1e-9).sum(axis=1), len(x) - 1)
    width = np.take_along_axis(distance, near, axis=1)[np.arange(len(at)), last]
    width = np.where(width > 0.0, width, 1.0)
    u = (x - at[:, np.newaxis]) / width[:, np.newaxis]
    local = weight * np.maximum(0.0, 1.0 - np.abs(u) ** 3) ** 3
    powers = [local * u**k for k in range(2 * degree + 1)]
    moments = np.stack([power.sum(axis=1) for power in powers])
    normal = moments[np.add.outer(np.arange(degree + 1), np.arange(degree + 1))].transpose(2, 0, 1)
    right = np.stack([powers[k] @ y for k in range(degree + 1)], axis=1)
    coefficients = np.linalg.pinv(normal, rcond=1e-9, hermitian=True) @ right[:, :, np.newaxis]
    return np.asarray(coefficients[:, 0, 0])
