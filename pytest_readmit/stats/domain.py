"""Can a classifier tell two datasets apart: cross-fitted classifiers and their AUC on unseen rows."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from pytest_readmit.stats.effect import Effect
from pytest_readmit.stats.inputs import SEED, Basis, Bools, Floats, Inputs, Levels
from pytest_readmit.stats.measure import Measure, level, of_influence, standard_error, upper_tail

_RIDGE = 1.0


@contextmanager
def one_thread() -> Iterator[None]:
    """Hold numerical libraries to one thread: sums come in the same order wherever a case runs."""
    # Only libraries that are loaded can be held.
    import scipy.linalg  # noqa: F401
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    with threadpool_limits(limits=1):
        yield


@dataclass(frozen=True, eq=False)
class Additive:
    """
    Cross-fitted ridge logistic regressions of "the row is of current" on a Basis, one for each fold.

    Args:
        inputs: What they were fitted to.
        basis: What they see.
        coefficients: Shape (folds, width).
        factors: Cholesky factor of each fit's Hessian, as scipy's `cho_factor` returns it.
        log_odds: Of each row, from the classifier that has not seen its patient, shape (n,).
    """

    inputs: Inputs
    basis: Basis
    coefficients: Floats
    factors: tuple[Any, ...]
    log_odds: Floats

    def influence_of(self, gradient: Floats) -> Floats:
        """
        Return what each row does to a statistic through the classifiers that learnt from it.

        Args:
            gradient: Derivative of the statistic with respect to each row's log-odds, shape (n,).

        Returns:
            Shape (n,): the statistic's change for an extra weight of 1 on the row while learning.
        """
        from scipy.linalg import cho_solve

        found, every = np.zeros(self.inputs.n), np.arange(self.inputs.n)
        for fold, factor in enumerate(self.factors):
            view = self.basis.in_fold(fold)
            held = every[self.inputs.fold == fold]
            slope = np.zeros(self.basis.width)
            for rows, seen in view.chunks(held):
                slope += gradient[rows] @ seen
            direction = cho_solve(factor, slope)
            for rows, seen in view.chunks(self.inputs.training(fold)):
                residual = self.inputs.current[rows] - expit(seen @ self.coefficients[fold])
                found[rows] += residual * (seen @ direction)
        return found


def additive(inputs: Inputs) -> Additive:
    """
    Return additive classifiers of the two datasets, cross-fitted by patient.

    They are smooth in the data, so that what their estimation adds to the variance of a statistic can be
    followed (`Additive.influence_of`).
    """
    with one_thread():
        basis = Basis(inputs)
        log_odds, factors, coefficients = np.empty(inputs.n), [], []
        start = np.zeros(basis.width)
        for fold in range(inputs.folds):
            rows, view = inputs.training(fold), basis.in_fold(fold)
            start, factor = _logistic(view.rows(rows), inputs.current[rows], start)
            factors.append(factor)
            coefficients.append(start)
            for held, seen in view.chunks(np.flatnonzero(inputs.fold == fold)):
                log_odds[held] = seen @ start
        return Additive(inputs, basis, np.array(coefficients), tuple(factors), log_odds)


def _logistic(seen: Floats, current: Bools, start: Floats) -> tuple[Floats, Any]:
    """Return the coefficients of a ridge logistic regression and the factor of its Hessian (Newton)."""
    from scipy.linalg import cho_factor, cho_solve

    ridge = np.full(seen.shape[1], _RIDGE)
    ridge[0] = 1e-6

    def badness(beta: Floats) -> float:
        odds = seen @ beta
        return float(np.logaddexp(0.0, odds).sum() - odds[current].sum() + 0.5 * ridge @ beta**2)

    beta, worst = start, badness(start)
    for _ in range(50):
        share = expit(seen @ beta)
        hessian = (seen * (share * (1.0 - share))[:, None]).T @ seen
        hessian[np.diag_indices_from(hessian)] += ridge
        factor = cho_factor(hessian)
        step = cho_solve(factor, seen.T @ (current - share) - ridge * beta)
        size = 1.0
        while size > 1e-4 and badness(beta + size * step) > worst:
            size /= 2.0
        if size <= 1e-4 or np.abs(step).max() < 1e-6:
            return beta, factor
        beta = beta + size * step
        worst = badness(beta)
    return beta, factor


def expit(value: Floats) -> Floats:
    """Return the probability of log-odds."""
    from scipy import special

    return np.asarray(special.expit(value))


@dataclass(frozen=True, eq=False)
class Classified:
    """
    How well the two datasets can be told apart.

    Args:
        auc: The mean over folds of the AUC on rows whose patients were not learnt from.
        telling: Inputs by how much the AUC falls if they are shuffled, the most first; only those by which
            it falls noticeably.
    """

    auc: Measure
    telling: tuple[str, ...]


def classify(inputs: Inputs) -> Classified:
    """
    Tell two datasets apart with two cross-fitted classifiers whose log-odds are added.

    An additive one finds moved means with few rows; boosted trees find what changed in spread, shape and
    in how inputs go together.

    References:
        Lopez-Paz and Oquab (2017), ICLR (classifier two-sample test); Friedman (2001), Ann. Stat. 29.
    """
    import sklearn.ensemble  # noqa: F401 - before its threads are limited

    with one_thread():
        smooth = additive(inputs)
        trees, telling = _boosted(smooth)
        found = auc_by_fold(smooth.log_odds + trees, inputs)
        # Where the datasets are alike, what the trees split by is chance.
        by_chance = upper_tail((found.estimate - 0.5) / max(found.standard_error, 1e-12)) > 0.01
        return Classified(found, () if by_chance else telling)


def auc_by_fold(score: Floats, inputs: Inputs) -> Measure:
    """
    Return the AUC of a cross-fitted score within folds, averaged with the pairs of each as weights.

    Scores of different folds come from different classifiers and are not compared. The variance is
    DeLong's in each fold, by patient where patients are known, who may be on both sides; it is widened by
    1 + K / (K - 1) for K folds, because each fold's rows also taught the classifiers of the others.

    What is estimated is the area that such classifiers reach when they learn from so many rows: a little
    less than the best possible one, so that proof of more holds for that too.

    Args:
        score: Shape (n,); higher is more like current.
        inputs: Whose rows they are.

    References:
        DeLong, DeLong and Clarke-Pearson (1988), Biometrics 44, 837-845; LeDell, Petersen and van der Laan
        (2015), Electron. J. Stat. 9, 1583-1607 (cross-validated AUC); Nadeau and Bengio (2003), Mach.
        Learn. 52, 239-281 (the widening).
    """
    influence, estimate, pairs = np.zeros(inputs.n), 0.0, 0.0
    for fold in range(inputs.folds):
        rows = np.flatnonzero(inputs.fold == fold)
        current = inputs.current[rows]
        after = int(np.count_nonzero(current))
        weight = float(after * (len(rows) - after))
        value, slope = auc(current, score[rows])
        sides = np.where(current, *(_widened(inputs, rows[side]) for side in (current, ~current)))
        influence[rows] = weight * slope * sides
        estimate, pairs = estimate + weight * value, pairs + weight
    facts = {"folds": inputs.folds, "trained_on_rows": inputs.trained_on}
    owners = None if inputs.owners is None else np.unique(inputs.owners, return_inverse=True)[1]
    widened = influence * np.sqrt(1.0 + inputs.folds / (inputs.folds - 1.0))
    return of_influence(estimate / pairs, widened / pairs * inputs.n, owners, scale="logit", details=facts)


def _widened(inputs: Inputs, rows: npt.NDArray[np.intp]) -> float:
    """Return the factor that makes the variance of few rows (patients) unbiased."""
    count = len(rows) if inputs.owners is None else len(np.unique(inputs.owners[rows]))
    return float(np.sqrt(count / (count - 1))) if count > 1 else 1.0


def effect(measured: Measure, inputs: Inputs) -> Effect:
    """
    Return the Effect of a measure of both datasets' rows; more rows of current shrink only their part.

    Args:
        measured: With the influence of each row, reference first.
        inputs: Whose rows they are.
    """
    found = level(measured)
    if measured.influence is None or found.bounds is None:
        return found
    parts = [
        standard_error(measured.influence[side], None if measured.owners is None else measured.owners[side])
        * side.sum()
        for side in (~inputs.current, inputs.current)
    ]
    share = 1.0 if not any(parts) else parts[1] ** 2 / (parts[0] ** 2 + parts[1] ** 2)
    bounds, middle = found.bounds, found.estimate

    def projected(alpha: float, rows: float) -> tuple[float, float]:
        shrunk = np.sqrt(1.0 - share + share * inputs.n_current / rows)
        lower, upper = bounds(alpha)
        return float(middle + (lower - middle) * shrunk), float(middle + (upper - middle) * shrunk)

    return replace(found, projected=projected)


def auc(positive: Bools, score: Floats, weight: Floats | None = None) -> tuple[float, Floats]:
    """
    Return a weighted AUC, and its derivative with respect to the weight of each row.

    Args:
        positive: Shape (n,), both classes.
        score: Shape (n,).
        weight: At least 0, not all 0 in a class, shape (n,); None: 1.

    Returns:
        The share of pairs whose positive has the higher score, ties half, pairs weighted by the product of
        their weights; and its derivatives, shape (n,).
    """
    weights = np.ones(len(score)) if weight is None else weight
    _, tie = np.unique(score, return_inverse=True)
    yes = np.bincount(tie, weights=np.where(positive, weights, 0.0))
    no = np.bincount(tie, weights=np.where(positive, 0.0, weights))
    total_yes, total_no = float(yes.sum()), float(no.sum())
    below = ((np.cumsum(no) - no / 2.0) / total_no)[tie]
    above = 1.0 - ((np.cumsum(yes) - yes / 2.0) / total_yes)[tie]
    value = float(weights[positive] @ below[positive]) / total_yes
    slope = np.where(positive, (below - value) / total_yes, (above - value) / total_no)
    return value, slope


def _boosted(smooth: Additive) -> tuple[Floats, tuple[str, ...]]:
    """Return cross-fitted log-odds of boosted trees, and the inputs that they tell the datasets apart by."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    inputs, always = smooth.inputs, smooth.basis.as_trees_see()
    rare = len(inputs.with_rare)
    levels_at = [isinstance(column, Levels) for column in inputs.columns] + [False] * rare
    log_odds = np.empty(inputs.n)
    telling: tuple[str, ...] = ()
    for fold in range(inputs.folds):
        rows = inputs.training(fold)
        seen = np.column_stack([always, inputs.leaning(fold)])
        trees = HistGradientBoostingClassifier(
            max_iter=60,
            max_leaf_nodes=8,
            learning_rate=0.1,
            l2_regularization=1.0,
            early_stopping=False,
            categorical_features=levels_at,
            monotonic_cst=[0] * len(inputs.columns) + [1] * rare,
            random_state=SEED % 2**31,
        )
        trees.fit(seen[rows], inputs.current[rows])
        held = np.flatnonzero(inputs.fold == fold)
        log_odds[held] = trees.decision_function(seen[held])
        if fold == 0:
            telling = _telling(trees, seen[held], inputs.current[held], inputs)
    return log_odds, telling


def _telling(
    trees: Any, seen: npt.NDArray[np.float32], current: Bools, inputs: Inputs, most_rows: int = 4000
) -> tuple[str, ...]:
    """Return the inputs whose shuffling costs at least 0.005 of AUC on unseen rows, at most five."""
    random = np.random.default_rng(SEED)
    rows = random.permutation(len(seen))[:most_rows]
    seen, current = seen[rows].copy(), current[rows]
    if current.all() or not current.any():
        return ()
    whole = auc(current, trees.decision_function(seen))[0]
    costs = {}
    beside = {place: len(inputs.columns) + i for i, place in enumerate(inputs.with_rare)}
    for place, column in enumerate(inputs.columns):
        both = [place, *([beside[place]] if place in beside else [])]
        kept = seen[:, both]
        seen[:, both] = random.permutation(kept)
        costs[column.name] = whole - auc(current, trees.decision_function(seen))[0]
        seen[:, both] = kept
    ranked = sorted(costs, key=lambda name: -costs[name])
    return tuple(name for name in ranked[:5] if costs[name] >= 0.005)
