"""PSI, Jensen-Shannon and Hellinger over fixed bins, decided by one non-central chi-square gate."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from pytest_readmit.stats.distribution import (
    OTHER,
    Array,
    Distribution,
    aligned,
    effective_size,
    harmonic,
    require_rows,
)
from pytest_readmit.stats.effect import Effect, Undefined
from pytest_readmit.stats.tails import normal_quantile, root_of_rising
from pytest_readmit.stats.variation import together

Terms = Callable[[Array, Array], Array]
_HALF = 0.5  # rows added to a bin
_SMALLEST_ALPHA = 1e-300


def reference_edges(reference: Distribution, bins: int = 10) -> Array:
    """
    Return the inner edges of `bins` equal-count bins of the reference, without repeats.

    Bins are right-closed and the outer ones open; an edge at the reference's largest value would
    leave the bin above it empty by construction, so there is none.
    """
    at = np.arange(1, bins) / bins
    if reference.spans is not None:
        # Where a bin of the reference ends, its shares are known.
        edges = np.unique(reference.quantile_range(at)[1])
        return np.asarray(edges[edges < reference.spans[-1, 1]])
    edges = np.unique(reference.interpolated_quantile(at))
    return np.asarray(edges[edges < reference.support[-1]])


def bin_counts(distribution: Distribution, edges: Array) -> Array:
    """Return the rows in (-inf, e1], (e1, e2], ..., (ek, inf), int64."""
    ranks = distribution.rank(edges)
    return np.diff(np.concatenate(([0], ranks, [distribution.n])))


def counts(reference: Distribution, current: Distribution, bins: int = 10) -> tuple[Array, Array]:
    """
    Return the rows of both sides by bin of the reference (numbers) or by level (text).

    Raises:
        Undefined: If a side has no rows, or the numbers of the reference are all the same.
    """
    require_rows(reference, current)
    if reference.is_text:
        levels, (before, after) = aligned(reference, current)
        if reference.pooled is not None:
            before, after, rest, _ = together(reference, before, after, np.asarray(levels))
            before, after = np.append(before, int(rest[0])), np.append(after, int(rest[1]))
        if len(before) == 1:  # one level everywhere: the others exist, but nobody has them
            before, after = np.append(before, 0), np.append(after, 0)
    else:
        edges = reference_edges(reference, bins)
        before, after = bin_counts(reference, edges), bin_counts(current, edges)
        filled = before + after > 0  # an edge may fall into a gap between values
        before, after = before[filled], after[filled]
    if len(before) < 2:
        raise Undefined("reference has a single value: no bins to compare over")
    return before, after


def proportions(rows: Array, smoothing: float = 0.0) -> Array:
    """Return (rows + smoothing) over their sum."""
    raised = rows + smoothing
    return np.asarray(raised / raised.sum())


def psi_terms(p: Array, q: Array) -> Array:
    """Return (p - q) ln(p / q) by bin, in nats; infinite where exactly one is 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = (p - q) * np.log(p / q)
    return np.where(p == q, 0.0, terms)


def jensen_shannon_terms(p: Array, q: Array) -> Array:
    """Return the Jensen-Shannon divergence by bin, in nats."""
    middle = (p + q) / 2.0
    with np.errstate(divide="ignore", invalid="ignore"):
        left = np.where(p > 0, p * np.log(p / middle), 0.0)
        right = np.where(q > 0, q * np.log(q / middle), 0.0)
    return np.asarray(np.where(p == q, 0.0, (left + right) / 2.0))


def hellinger_terms(p: Array, q: Array) -> Array:
    """Return the squared Hellinger distance by bin."""
    return np.asarray((np.sqrt(p) - np.sqrt(q)) ** 2 / 2.0)


def psi(reference: Distribution, current: Distribution, bins: int = 10) -> Effect:
    """
    Return the population stability index, shares smoothed by half a row a bin.

    Smoothing shrinks both shares towards each other, which is safe for a fail and not for a pass; so
    the upper bound rests on the index with the shrinking undone. The law is local: where a rare
    level's share changes twentyfold, errors come to about 0.10 at alpha 0.05 (`jensen_shannon` keeps
    to 0.05 there).

    Args:
        reference: Numbers (binned on the reference's quantiles) or text (by level).
        current: The same.
        bins: Bins for numbers.

    Returns:
        The index in nats, 0 = same, without an upper end.

    Raises:
        Undefined: If a side has no rows, or the numbers of the reference are all the same.

    References:
        Yurdakul and Naranjo (2020), J. Risk Model Valid. 14(4) (null law); Potgieter et al. (2023),
        arXiv 2307.11878 (non-central chi-square gate).
    """
    before, after = counts(reference, current, bins)
    least, greatest = _smoothed(psi_terms, reference, current, before, after)
    if reference.pooled is not None:
        least, greatest = _known_psi(reference, current, before, after)
        greatest += _pooled_psi(reference, current)
    kept = math.prod(rows.sum() / (rows.sum() + _HALF * len(rows)) for rows in (before, after))
    gate = _Gate(len(before) - 1, 1.0, least, greatest / kept, math.inf, _same, _same)
    return gate.effect(reference, current, float(_smoothed_sum(psi_terms, before, after)))


def _known_psi(
    reference: Distribution, current: Distribution, before: Array, after: Array
) -> tuple[float, float]:
    """Return what the known levels add, as a range: the more levels there are, the more is smoothed."""
    assert reference.pooled is not None  # noqa: S101 - the caller looked
    more = _HALF * (reference.pooled.levels + len(current.distinct()[0]))
    p, q = proportions(before, _HALF)[:-1], proportions(after, _HALF)[:-1]
    low_p, low_q = (share * rows.sum() / (rows.sum() + more) for share, rows in ((p, before), (q, after)))
    near = np.clip(q, low_p, p)
    far = (np.where(p >= q, p, low_p), np.where(p >= q, low_q, q))
    slack = _slack(reference, current)
    least, _ = _range(psi_terms, near, np.clip(near, low_q, q), slack)
    return least, _range(psi_terms, *far, slack)[1]


def _pooled_psi(reference: Distribution, current: Distribution) -> float:
    """Return the most that levels taken together may add: were no level of the one a level of the other."""
    assert reference.pooled is not None  # noqa: S101 - the caller looked
    levels, (before, after) = aligned(reference, current)
    unknown = (np.asarray(levels) == OTHER) | (before == 0)
    several = reference.pooled.levels + int((after[unknown] > 0).sum())
    n, m = (side.n + _HALF * (len(np.asarray(levels)) + several) for side in (reference, current))
    terms = (
        (before[unknown].sum(), (reference.pooled.most + _HALF) / reference.n / (_HALF / m), reference.n),
        (after[unknown].sum(), (after[unknown].max(initial=0) + _HALF) / current.n / (_HALF / n), current.n),
    )
    return float(sum((rows + _HALF * several) / of * max(0.0, math.log(ratio)) for rows, ratio, of in terms))


def jensen_shannon(reference: Distribution, current: Distribution, bins: int = 10) -> Effect:
    """
    Return the Jensen-Shannon distance, base 2, in [0, 1]; arguments and errors as `psi`.

    The estimate and the upper bound rest on raw shares, the lower bound on shares smoothed by half a
    row a bin: either way sparse bins make the gate cautious.

    References:
        Lin (1991), IEEE Trans. Inf. Theory 37, 145-151; 8 times the divergence is locally PSI.
    """
    return _bounded(reference, current, bins, jensen_shannon_terms, math.log(2.0))


def hellinger(reference: Distribution, current: Distribution, bins: int = 10) -> Effect:
    """
    Return the Hellinger distance in [0, 1]; arguments and errors as `psi`, bounds as `jensen_shannon`.

    References:
        Hellinger (1909); 8 times its square is locally PSI.
    """
    return _bounded(reference, current, bins, hellinger_terms, 1.0)


def _bounded(reference: Distribution, current: Distribution, bins: int, terms: Terms, unit: float) -> Effect:
    """Gate the root of a divergence over its unit (ln 2 for base 2)."""
    before, after = counts(reference, current, bins)
    least, _ = _smoothed(terms, reference, current, before, after)
    p, q = proportions(before), proportions(after)
    slack = _slack(reference, current)
    raw = float(terms(p, q).sum())
    greatest = _range(terms, p, q, slack)[1] if slack else raw
    if reference.pooled is not None:
        # at most, no level of the one is a level of the other
        rest = p[-1:], q[-1:]
        apart = float((terms(rest[0], 0 * rest[1]) + terms(0 * rest[0], rest[1])).sum())
        greatest += apart - float(terms(*rest).sum())
    gate = _Gate(
        len(before) - 1,
        8.0,
        least,
        greatest,
        1.0,
        lambda divergence: math.sqrt(max(0.0, divergence) / unit),
        lambda size: unit * size * size,
    )
    return gate.effect(reference, current, raw)


def _same(value: float) -> float:
    return value


def _smoothed_sum(terms: Terms, before: Array, after: Array) -> float:
    return float(terms(proportions(before, _HALF), proportions(after, _HALF)).sum())


def _slack(reference: Distribution, current: Distribution) -> float:
    """Return how far one bin's shares may be off: twice the error of a cumulative share, both sides."""
    return 2.0 * (_share_error(reference) + _share_error(current))


def _share_error(side: Distribution) -> float:
    """Return how far a cumulative share may be off at an edge; bins may have lent a few rows to others."""
    if side.is_text:
        return side.error + side.left_out
    if side.spans is None or side.counts is None:
        return side.error
    wide = side.counts[side.spans[:, 0] < side.spans[:, 1]]
    return float(wide.min(initial=side.n)) / side.n + side.left_out if len(wide) else side.left_out


def _smoothed(
    terms: Terms, reference: Distribution, current: Distribution, before: Array, after: Array
) -> tuple[float, float]:
    """Return the smoothed divergence, as a range where shares are approximate."""
    slack = _slack(reference, current)
    if slack:
        return _range(terms, proportions(before, _HALF), proportions(after, _HALF), slack)
    value = _smoothed_sum(terms, before, after)
    return value, value


@dataclass(frozen=True, slots=True)
class _Gate:
    """
    T = Ne x weight x divergence against a non-central chi-square.

    Args:
        df: Bins - 1.
        weight: What makes the divergence locally PSI.
        least: The divergence that the lower bound rests on.
        greatest: The divergence that the upper bound rests on.
        most: The largest possible effect.
        to_effect: Divergence -> effect.
        to_divergence: Effect -> divergence.
    """

    df: int
    weight: float
    least: float
    greatest: float
    most: float
    to_effect: Callable[[float], float]
    to_divergence: Callable[[float], float]

    def bounds(self, alpha: float, ne: float) -> tuple[float, float]:
        scale = ne * self.weight
        lower = lower_noncentrality(scale * self.least, self.df, alpha)
        upper = upper_noncentrality(self._statistic_to_pass(scale), self.df, alpha)
        return min(self.most, self.to_effect(lower / scale)), min(self.most, self.to_effect(upper / scale))

    def p_beyond(self, limit: float, ne: float) -> float:
        if limit < 0.0 or limit >= self.most:
            return 0.0 if limit < 0.0 else 1.0
        scale = ne * self.weight
        return noncentral_tails(scale * self.least, self.df, scale * self.to_divergence(limit))[1]

    def p_below(self, limit: float, ne: float) -> float:
        if limit <= 0.0 or limit > self.most:
            return 1.0 if limit <= 0.0 else 0.0
        scale = ne * self.weight
        statistic = self._statistic_to_pass(scale)
        return noncentral_tails(statistic, self.df, scale * self.to_divergence(limit))[0]

    def _statistic_to_pass(self, scale: float) -> float:
        """
        Return T for the upper bound: never less than its lower quartile where nothing differs.

        Few rows in few levels often agree to the row; such luck certifies nothing. The quartile is
        Wilson and Hilferty's (1931).
        """
        spread = 2.0 / (9.0 * self.df)
        luck = self.df * (1.0 - spread - 0.6745 * math.sqrt(spread)) ** 3
        return max(scale * self.greatest, luck)

    def effect(self, reference: Distribution, current: Distribution, divergence: float) -> Effect:
        """Return the gate's answers for the sizes of two distributions."""
        ne = effective_size(reference, current)
        scale = ne * self.weight
        ends = self.to_effect(min(self.least, divergence)), min(self.most, self.to_effect(self.greatest))
        return Effect(
            estimate=self.to_effect(divergence),
            bounds=lambda alpha: self.bounds(alpha, ne),
            p_beyond=lambda limit: self.p_beyond(limit, ne),
            p_below=lambda limit: self.p_below(limit, ne),
            p_null=noncentral_tails(scale * self.least, self.df, 0.0)[1],
            projected=lambda alpha, rows: self.bounds(
                alpha, harmonic(reference.effective_n, rows / current.design_effect)
            ),
            estimates=ends if reference.approximate or current.approximate else None,
            details={
                "statistic": scale * divergence,
                "df": self.df,
                "effective_size": ne,
                "expected_without_drift": self.to_effect(self.df / scale),
            },
        )


def _range(terms: Terms, p: Array, q: Array, slack: float) -> tuple[float, float]:
    """Return the least and greatest divergence if each share may be off; terms grow as p and q part."""
    shift = np.minimum(slack, np.abs(p - q)) / 2.0 * np.sign(q - p)
    least = float(terms(p + shift, q - shift).sum())
    outward = np.where(q >= p, 1.0, -1.0) * slack / 2.0
    tiny = 1e-12
    parted = terms(np.clip(p - outward, tiny, 1.0), np.clip(q + outward, tiny, 1.0))
    return least, float(parted.sum())


def noncentral_tails(statistic: float, df: float, noncentrality: float) -> tuple[float, float]:
    """
    Return P(X <= statistic) and P(X >= statistic) of a non-central chi-square, both small ones exact.

    The law is a Poisson mixture of central ones; only the weights that can matter are summed.

    References:
        Johnson, Kotz and Balakrishnan (1995), Continuous Univariate Distributions 2, eq. 29.2.
    """
    from scipy.special import gammainc, gammaincc, gammaln

    half, mean = statistic / 2.0, noncentrality / 2.0
    if half <= 0:
        return 0.0, 1.0
    if mean <= 0:
        return float(gammainc(df / 2.0, half)), float(gammaincc(df / 2.0, half))
    saddle = math.sqrt(mean * half)  # where the summand of a far tail peaks
    reach = 12.0 * math.sqrt(max(mean, saddle) + 1.0) + 40.0
    first = max(0, math.floor(min(mean, saddle) - reach))
    j = np.arange(first, math.ceil(max(mean, saddle) + reach) + 1, dtype=np.float64)
    weights = np.exp(j * math.log(mean) - mean - gammaln(j + 1.0))
    lower = float(weights @ gammainc(df / 2.0 + j, half))
    upper = float(weights @ gammaincc(df / 2.0 + j, half))
    return min(1.0, lower), min(1.0, upper)


def lower_noncentrality(statistic: float, df: float, alpha: float) -> float:
    """Return the noncentrality at which a statistic this large has probability alpha; 0 if none."""
    target = math.log(max(alpha, _SMALLEST_ALPHA))

    def risen(root: float) -> float:
        return _log(noncentral_tails(statistic, df, root * root)[1]) - target

    if risen(0.0) >= 0.0:
        return 0.0
    guess = math.sqrt(max(0.0, statistic - df)) - normal_quantile(alpha)
    return root_of_rising(risen, max(0.0, guess)) ** 2


def upper_noncentrality(statistic: float, df: float, alpha: float) -> float:
    """Return the noncentrality at which a statistic this small has probability alpha; 0 if none."""
    target = math.log(max(alpha, _SMALLEST_ALPHA))

    def fallen(root: float) -> float:
        return target - _log(noncentral_tails(statistic, df, root * root)[0])

    if fallen(0.0) >= 0.0:
        return 0.0
    return root_of_rising(fallen, math.sqrt(max(0.0, statistic - df)) + normal_quantile(alpha)) ** 2


def _log(p: float) -> float:
    return math.log(p) if p > 0.0 else -1000.0
