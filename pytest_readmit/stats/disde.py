"""What made a performance change: the inputs, or the relation between inputs and label (DISDE)."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from pytest_readmit.stats import domain
from pytest_readmit.stats.effect import Undefined
from pytest_readmit.stats.inputs import Floats, Inputs
from pytest_readmit.stats.losses import CLIP
from pytest_readmit.stats.measure import Measure, of_influence
from pytest_readmit.stats.predictions import Predictions

Metric = Literal["roc_auc", "log_loss"]
Statistic = Callable[[Predictions, Floats | None], tuple[float, Floats]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """
    A change of a mean loss in three terms that add up to it.

    Args:
        reference: Mean loss of the reference.
        current: Mean loss of current.
        to_shared: E_S[R_P] - E_P[R_P]: the reference's relation on shared inputs rather than its own.
        relation: E_S[R_Q] - E_S[R_P]: the relation changed, on shared inputs.
        from_shared: E_Q[R_Q] - E_S[R_Q]: current's relation on its own inputs rather than shared ones.
        ess_reference: Effective rows of the reference under the shared weights.
        ess_current: Likewise of current.
    """

    reference: float
    current: float
    to_shared: float
    relation: float
    from_shared: float
    ess_reference: float
    ess_current: float

    @property
    def total(self) -> float:
        """The change, current - reference."""
        return self.current - self.reference


def shared_weights(share: Floats, prior: float, *, current: bool) -> Floats:
    """
    Return the weights that take rows to the inputs both datasets share.

    The shared law has density proportional to p q / (p + q), for inputs with density p in the reference
    and q in current.

    Args:
        share: P(current | inputs) of each row, in [0, 1], shape (n,).
        prior: Share of current among all rows that the classifier was fitted to.
        current: Whether the rows are of current.

    References:
        Cai, Namkoong and Yadlowsky, Diagnosing model performance under distribution shift,
        arXiv 2303.02011; Oper. Res., doi 10.1287/opre.2023.0217.
    """
    after, before = share * (1.0 - prior), (1.0 - share) * prior
    return np.asarray((before if current else after) / (after + before))


def effective(weight: Floats) -> float:
    """Return the number of equally weighted rows that say as much: (sum w)^2 / sum w^2 (Kish 1965)."""
    squares = float(weight @ weight)
    return float(weight.sum()) ** 2 / squares if squares else 0.0


def split_mean(
    loss_reference: npt.ArrayLike,
    share_reference: npt.ArrayLike,
    loss_current: npt.ArrayLike,
    share_current: npt.ArrayLike,
) -> Terms:
    """
    Split the change of a mean loss, given P(current | inputs) of each row.

    Args:
        loss_reference: Shape (n,).
        share_reference: Shape (n,), cross-fitted, prior that of the rows.
        loss_current: Shape (m,).
        share_current: Shape (m,).

    Raises:
        Undefined: If a side has no rows, or no weight on the shared inputs.
    """
    losses = [np.asarray(each, np.float64) for each in (loss_reference, loss_current)]
    shares = [np.asarray(each, np.float64) for each in (share_reference, share_current)]
    before, after = (len(each) for each in losses)
    if not before or not after:
        raise Undefined("a split needs rows on both sides")
    prior = after / (before + after)
    weights = [shared_weights(shares[side], prior, current=bool(side)) for side in (0, 1)]
    if not all(each.sum() > 0 for each in weights):
        raise Undefined("the datasets share no inputs")
    own = [float(each.mean()) for each in losses]
    shared = [float(weights[side] @ losses[side] / weights[side].sum()) for side in (0, 1)]
    return Terms(
        reference=own[0],
        current=own[1],
        to_shared=shared[0] - own[0],
        relation=shared[1] - shared[0],
        from_shared=own[1] - shared[1],
        ess_reference=effective(weights[0]),
        ess_current=effective(weights[1]),
    )


@dataclass(frozen=True, eq=False)
class Overlap:
    """
    What two datasets' inputs have in common: the classifiers and the weights that follow.

    Args:
        classifiers: Cross-fitted on all rows, reference first.
        weight: Weight of each row on the shared inputs, shape (n,).
        slope: Derivative of the weight with respect to the row's log-odds, shape (n,).
        auc: How well the classifiers tell the datasets apart.
        shares: Effective share of the rows of reference and of current.
    """

    classifiers: domain.Additive
    weight: Floats
    slope: Floats
    auc: Measure
    shares: tuple[float, float]


def overlap(inputs: Inputs) -> Overlap:
    """
    Find what two datasets' inputs share; the classifier is an additive logistic regression, cross-fitted.

    Raises:
        Undefined: If the datasets share no inputs.
    """
    classifiers = domain.additive(inputs)
    share = domain.expit(classifiers.log_odds)
    prior, current = inputs.n_current / inputs.n, inputs.current
    weight = np.where(
        current,
        shared_weights(share, prior, current=True),
        shared_weights(share, prior, current=False),
    )
    slope = np.where(current, -1.0, 1.0) * weight * (1.0 - weight)
    sides = (~current, current)
    if not all(weight[side].sum() > 0 for side in sides):
        raise Undefined("the datasets share no inputs")
    before, after = (effective(weight[side]) / float(np.count_nonzero(side)) for side in sides)
    auc = domain.auc_by_fold(classifiers.log_odds, inputs)
    return Overlap(classifiers, weight, slope, auc, (before, after))


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """
    The change of a metric, current - reference, in what the inputs and what the relation did.

    Args:
        reference: The metric on the reference.
        current: The metric on current.
        relation: The change on shared inputs.
        inputs: The rest of the change: of both moves to and from the shared inputs.
        total: Their sum.
    """

    reference: float
    current: float
    relation: Measure
    inputs: Measure
    total: Measure


def split(reference: Predictions, current: Predictions, common: Overlap, metric: Metric) -> Split:
    """
    Split the change of a metric into what the inputs and what the relation to the label did.

    Standard errors are those of the whole procedure, the fit of the classifiers included: the influence of
    each row is followed through their coefficients, which is what a bootstrap with refits estimates, at
    any confidence and without its random error. Rows of a patient are summed, on both sides together.

    Args:
        reference: Rows of the reference, as the classifiers saw them.
        current: Rows of current, likewise.
        common: What `overlap` found for the same rows.
        metric: ``roc_auc``, each pair weighted by both its rows, or ``log_loss``.

    Raises:
        Undefined: If a side lacks a class.

    References:
        Cai, Namkoong and Yadlowsky, arXiv 2303.02011; stacked estimating equations: Stefanski and Boos
        (2002), Am. Stat. 56, 29-38.
    """
    inputs = common.classifiers.inputs
    statistic = _STATISTICS[metric]
    sides = ((reference, slice(0, reference.n)), (current, slice(reference.n, inputs.n)))
    values, direct, through = [], np.zeros((2, inputs.n)), np.zeros(inputs.n)
    for sign, (rows, place) in zip((-1.0, 1.0), sides, strict=True):
        if not 0 < rows.events < rows.n:
            raise Undefined("a split needs events and non-events on both sides")
        weight = common.weight[place]
        own, slope = statistic(rows, None)
        shared, shared_slope = statistic(rows, weight)
        values.append((own, shared))
        direct[0, place] = sign * slope
        direct[1, place] = sign * weight * shared_slope
        through[place] = sign * common.slope[place] * shared_slope
    with domain.one_thread():
        learnt = common.classifiers.influence_of(through)
    (own_before, shared_before), (own_after, shared_after) = values
    owners = inputs.owners

    def measured(estimate: float, influence: Floats) -> Measure:
        return of_influence(estimate, influence * inputs.n, owners)

    total, relation = own_after - own_before, shared_after - shared_before
    with domain.one_thread():
        return Split(
            reference=own_before,
            current=own_after,
            relation=measured(relation, direct[1] + learnt),
            inputs=measured(total - relation, direct[0] - direct[1] - learnt),
            total=measured(total, direct[0]),
        )


def harm(change: Measure, metric: Metric) -> Measure:
    """Return a change as what it makes worse: the drop of ``roc_auc``, the rise of ``log_loss``."""
    if metric == "log_loss":
        return change
    influence = None if change.influence is None else -change.influence
    return replace(change, estimate=-change.estimate, influence=influence)


def _weighted_auc(rows: Predictions, weight: Floats | None) -> tuple[float, Floats]:
    return domain.auc(rows.positive, rows.score, weight)


def _weighted_log_loss(rows: Predictions, weight: Floats | None) -> tuple[float, Floats]:
    given = np.where(rows.positive, rows.score, 1.0 - rows.score)
    loss = -np.log(np.clip(given, CLIP, 1.0 - CLIP))
    weights = np.ones(rows.n) if weight is None else weight
    total = float(weights.sum())
    mean = float(weights @ loss) / total
    return mean, (loss - mean) / total


_STATISTICS: dict[str, Statistic] = {"roc_auc": _weighted_auc, "log_loss": _weighted_log_loss}
