"""Tail probabilities and quantiles that need no scipy: normal, Kolmogorov, binomial (incomplete beta)."""

import math
from collections.abc import Callable
from functools import lru_cache
from statistics import NormalDist

_STANDARD = NormalDist()
_ROOT_TWO = math.sqrt(2.0)
_SMALLEST_ALPHA = 1e-300
_SIGNS = (1.0, -1.0, 1.0, -1.0, 1.0, -1.0, 1.0)


def normal_tail(z: float) -> float:
    """Return P(Z > z) of the standard normal; relative accuracy holds far into the tail."""
    return 0.5 * math.erfc(z / _ROOT_TWO)


@lru_cache(maxsize=4096)
def normal_quantile(alpha: float) -> float:
    """Return the z with P(Z > z) = `alpha`, for `alpha` in (0, 1); below 1e-300 it stays there."""
    return -_STANDARD.inv_cdf(max(alpha, _SMALLEST_ALPHA))


def kolmogorov_tail(t: float) -> float:
    """
    Return Q(t) = P(K > t) of Kolmogorov's distribution.

    References:
        Kolmogorov (1933); the two series are Jacobi theta functions of each other: Marsaglia, Tsang
        and Wang (2003), J. Stat. Softw. 8(18), section 2.
    """
    if t < 0.2:
        return 1.0
    if t < 1.0:
        scale = math.pi**2 / (8.0 * t * t)
        below = sum(math.exp(-((2 * k - 1) ** 2) * scale) for k in (1, 2, 3, 4))
        return 1.0 - math.sqrt(2.0 * math.pi) / t * below
    return 2.0 * sum(sign * math.exp(-2.0 * k * k * t * t) for k, sign in enumerate(_SIGNS, 1))


@lru_cache(maxsize=4096)
def kolmogorov_quantile(alpha: float) -> float:
    """
    Return the t with Q(t) = `alpha`, for `alpha` in (0, 1].

    log Q is concave, and sqrt(log(2 / alpha) / 2) lies right of the root, so Newton's steps fall
    towards it and never past it.
    """
    if alpha >= 1.0:
        return 0.0
    alpha = max(alpha, _SMALLEST_ALPHA)
    target = math.log(alpha)
    t = math.sqrt(math.log(2.0 / alpha) / 2.0)
    for _ in range(200):
        tail = kolmogorov_tail(t)
        step = (math.log(tail) - target) * tail / _kolmogorov_density(t)
        t += step
        if abs(step) < 1e-15 * t:
            break
    return t


def _kolmogorov_density(t: float) -> float:
    """Return -dQ/dt, from whichever series converges."""
    if t < 1.0:
        scale = math.pi**2 / (8.0 * t * t)
        terms = ((2 * k - 1) ** 2 * scale for k in (1, 2, 3, 4))
        return math.sqrt(2.0 * math.pi) / (t * t) * sum((2.0 * x - 1.0) * math.exp(-x) for x in terms)
    return 8.0 * t * sum(sign * k * k * math.exp(-2.0 * k * k * t * t) for k, sign in enumerate(_SIGNS, 1))


def beta_tails(x: float, a: float, b: float) -> tuple[float, float]:
    """
    Return the regularised incomplete beta function I_x(a, b) and 1 - I_x(a, b), each small one exact.

    Args:
        x: Point in [0, 1].
        a: First shape, > 0.
        b: Second shape, > 0.

    References:
        The continued fraction of DLMF 8.17.22, evaluated by Lentz's method.
    """
    if x <= 0.0:
        return 0.0, 1.0
    if x >= 1.0:
        return 1.0, 0.0
    front = _beta_front(x, a, b)
    if x < (a + 1.0) / (a + b + 2.0):
        lower = min(1.0, front * _beta_fraction(x, a, b) / a)
        return lower, 1.0 - lower
    upper = min(1.0, front * _beta_fraction(1.0 - x, b, a) / b)
    return 1.0 - upper, upper


def _beta_front(x: float, a: float, b: float) -> float:
    """Return x^a (1 - x)^b / B(a, b)."""
    scale = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b)
    return math.exp(scale + a * math.log(x) + b * math.log1p(-x))


def beta_quantile(alpha: float, a: float, b: float, *, guess: float) -> float:
    """Return the x with I_x(a, b) = alpha, from a guess nearby."""
    return _beta_point(alpha, a, b, guess, lower=True)


def beta_upper_quantile(alpha: float, a: float, b: float, *, guess: float) -> float:
    """Return the x with 1 - I_x(a, b) = alpha, from a guess nearby."""
    return _beta_point(alpha, a, b, guess, lower=False)


def _beta_point(alpha: float, a: float, b: float, guess: float, *, lower: bool) -> float:
    """
    Solve for one tail by Newton's method for its logarithm in log x.

    Both log tails are concave in log x, so after one step every step comes nearer from one side.
    """
    target = math.log(max(alpha, _SMALLEST_ALPHA))
    inside = a / (a + b)
    x = min(max(guess, 1e-300), 1.0 - 1e-16)
    for _ in range(100):
        tail = beta_tails(x, a, b)[0 if lower else 1]
        if tail <= 0.0:  # too far out for a float
            x = math.sqrt(x * inside)
            continue
        inside = x
        gap = target - math.log(tail) if lower else math.log(tail) - target
        step = gap * tail * (1.0 - x) / max(_beta_front(x, a, b), 5e-324)
        x = min(x * math.exp(min(step, 50.0)), (1.0 + x) / 2.0)
        if abs(step) < 1e-14:
            break
    return x


def _beta_fraction(x: float, a: float, b: float) -> float:
    """Evaluate the continued fraction; about sqrt(max(a, b)) steps."""
    tiny = 1e-300
    c, d = 1.0, 1.0 / _away_from_zero(1.0 - (a + b) * x / (a + 1.0), tiny)
    value = d
    for k in range(1, 100_000):
        even = k * (b - k) * x / ((a + 2 * k - 1.0) * (a + 2 * k))
        odd = -(a + k) * (a + b + k) * x / ((a + 2 * k) * (a + 2 * k + 1.0))
        for term in (even, odd):
            d = 1.0 / _away_from_zero(1.0 + term * d, tiny)
            c = _away_from_zero(1.0 + term / c, tiny)
            value *= c * d
        if abs(c * d - 1.0) < 1e-15:
            return value
    return value


def _away_from_zero(value: float, tiny: float) -> float:
    return value if abs(value) > tiny else tiny


def bisect(positive: Callable[[float], bool], low: float, high: float) -> float:
    """
    Return the point where a monotone question turns from false (at `low`) to true (at `high`).

    The side that answers true is returned, to the last bit that halving can reach.
    """
    for _ in range(200):
        middle = 0.5 * (low + high)
        if middle in (low, high):
            break
        if positive(middle):
            high = middle
        else:
            low = middle
    return high


def root_of_rising(rising: Callable[[float], float], guess: float) -> float:
    """
    Return where a smooth rising function of x >= 0 crosses 0, from a guess nearby.

    Args:
        rising: Below 0 at x = 0, above 0 for x large enough.
        guess: Where to start, >= 0.

    References:
        Dowell and Jarratt (1971), BIT 11, 168-174: false position, "Illinois".
    """
    low = high = guess
    below = above = rising(guess)
    step = 0.25
    while below > 0.0:
        high, above = low, below
        low = max(0.0, low - step)
        below, step = rising(low), 2.0 * step
    while above < 0.0:
        low, below = high, above
        high += step
        above, step = rising(high), 2.0 * step
    for _ in range(100):
        if above == 0.0 or below == 0.0 or abs(high - low) <= 1e-14 * high:
            break
        middle = high - above * (high - low) / (above - below)
        value = rising(middle)
        if value * above < 0.0:
            low, below = high, above
        else:
            below *= 0.5
        high, above = middle, value
    return low if below == 0.0 else high


def tail_where(gap: Callable[[float], float], *, farthest: float) -> float:
    """
    Return P(Z > z) at the z where a bound, walking away from the estimate, reaches a limit.

    Args:
        gap: By how much the bound at z has passed the limit; it rises with z, about linearly.
        farthest: The largest z that the bound holds for; a limit beyond it has a tail of 0.
    """
    start = gap(0.0)
    if start >= 0.0:
        return 1.0
    if gap(farthest) < 0.0:
        return 0.0
    later = gap(2.0)
    guess = -2.0 * start / (later - start) if later > start else 0.0
    return normal_tail(root_of_rising(gap, min(guess, farthest)))
