"""What a performance change is due to: did the inputs move, or their relation to the label?"""

import math
import threading
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal
from weakref import WeakKeyDictionary

from pytest_readmit import Claim, Context, DataError, Dataset, Scored
from readmit_checks import claims, joint

if TYPE_CHECKING:
    from pytest_readmit.stats.disde import Overlap, Split
    from pytest_readmit.stats.effect import Effect

Metric = Literal["roc_auc", "log_loss"]
LIMITS: dict[Metric, float] = {"roc_auc": 0.05, "log_loss": 0.04}
FEWEST_EFFECTIVE = 0.2
MOST_APART = 0.9
INPUTS_MOVED = 0.6
"""AUC of a classifier of the datasets above which the inputs are said to have moved, as in joint_drift."""


@dataclass(frozen=True, slots=True)
class Common:
    """What two datasets' inputs share, and what to tell of how it was found."""

    overlap: "Overlap"
    notes: tuple[str, ...]


_FOUND: WeakKeyDictionary[Scored, WeakKeyDictionary[Scored, Common]] = WeakKeyDictionary()
_GUARD = threading.Lock()


def relation(
    reference: Dataset,
    current: Dataset,
    before: Scored,
    after: Scored,
    metric: Metric,
    context: Context,
    *,
    limit: float | None = None,
) -> Claim:
    """
    Return the Claim of what a changed relation of inputs and label did to a metric (DISDE).

    The change from reference to current is split on the inputs that both share: what the relation did on
    those, and what moving to and from them did. The Claim is of the first, as a harm: the drop of
    ``roc_auc`` or the rise of ``log_loss``. Without enough in common it is undecidable, whatever decides.

    Args:
        reference: The dataset that `before` belongs to; its features are the inputs.
        current: The dataset that `after` belongs to.
        before: Labelled predictions of the reference.
        after: Labelled predictions of current.
        metric: ``roc_auc`` sees that the order of risks changed, ``log_loss`` that their level did: ask both.
        context: Its confidence, or the estimate where that decides, is the one for the words.
        limit: The most harm allowed. Default: 0.05 for ``roc_auc``, as for the AUC itself; 0.04 for
            ``log_loss``, which is what two more events in 100 rows at equal inputs and a prevalence of 0.11
            cost, or about 0.1 of the log-loss there.

    Raises:
        DataError: No features, an unusable one, or one class only.
    """
    from pytest_readmit.stats import disde, domain
    from pytest_readmit.stats.effect import Undefined

    common = _common(reference, current, before, after)
    try:
        split = disde.split(before.predictions, after.predictions, common.overlap, metric)
    except Undefined as error:
        raise DataError(f"{reference.name} and {current.name}: {error}") from None
    most = LIMITS[metric] if limit is None else limit
    inputs = common.overlap.classifiers.inputs
    effect = domain.effect(disde.harm(split.relation, metric), inputs)
    apart = domain.effect(common.overlap.auc, inputs)
    reason = _no_overlap(common.overlap)
    said = "cannot tell what changed" if reason else _which(effect, apart, most, context)
    word, total = ("drop" if metric == "roc_auc" else "rise"), disde.harm(split.total, metric).estimate
    summary = (
        f"{said}; the {word} of {metric} at equal inputs is {claims.figure(effect.estimate)}, "
        f"of {claims.figure(total)} in all"
    )
    if reason and context.decide_by != "interval":
        # An estimate decides whatever is said of it, and this one means nothing.
        effect = replace(effect, estimate=math.nan)
        summary = f"{said}; the {word} of {metric} is {claims.figure(total)} in all"
    return claims.of_scored(
        effect,
        before,
        after,
        method="disde",
        summary=summary,
        limit=most,
        direction="at_most",
        undecidable=reason,
        unpassable=reason,
        details=_details(split, common, f"{said}: {reason}" if reason else said),
    )


def _common(reference: Dataset, current: Dataset, before: Scored, after: Scored) -> Common:
    """Return what the inputs share; found once for all metrics of the same rows."""
    from pytest_readmit.stats import disde
    from pytest_readmit.stats.effect import Undefined

    with _GUARD:
        known = _FOUND.setdefault(before, WeakKeyDictionary())
        if after not in known:
            names = joint.features_of(reference)
            inputs = joint.inputs_of(reference, current, names=names, keep=(before.kept, after.kept))
            try:
                known[after] = Common(disde.overlap(inputs), tuple(joint.notes_on(inputs)))
            except Undefined as error:
                raise DataError(f"{reference.name} and {current.name}: {error}") from None
        return known[after]


def _no_overlap(common: "Overlap") -> str | None:
    """Return why the datasets have too little in common, or nothing known in common, to be compared."""
    if nothing := joint.nothing_told(common.classifiers.inputs):
        return nothing
    if common.auc.estimate > MOST_APART:
        return (
            f"the inputs have too little in common (a classifier tells the datasets apart with AUC "
            f"{claims.figure(common.auc.estimate)}, above {MOST_APART})"
        )
    least = min(common.shares)
    if least < FEWEST_EFFECTIVE:
        return (
            f"the inputs have too little in common (the rows compared are worth {claims.percent(least)} of "
            f"a dataset, less than {claims.percent(FEWEST_EFFECTIVE)})"
        )
    return None


def _which(effect: "Effect", apart: "Effect", most: float, context: Context) -> str:
    """Say which it was, by what decides: the estimates or the bounds at the context's confidence."""
    if context.decide_by == "estimate":
        said = _in_words(moved=apart.estimate > INPUTS_MOVED, changed=effect.estimate > most)
        return f"{said}, going by the estimates"
    alpha = round(1 - context.confidence, 12)
    assert effect.bounds  # noqa: S101 - a level has bounds
    assert apart.bounds  # noqa: S101
    lower, upper = effect.bounds(alpha)
    moved = apart.bounds(alpha)[0] > INPUTS_MOVED
    if lower <= most < upper:
        also = "the inputs moved; " if moved else ""
        return f"{also}cannot tell whether the relation between inputs and label changed"
    return _in_words(moved=moved, changed=lower > most)


def _in_words(*, moved: bool, changed: bool) -> str:
    if changed:
        also = "; the inputs moved too" if moved else ""
        return f"the relation between inputs and label changed{also}"
    return "only the inputs moved" if moved else "neither the inputs nor the relation moved beyond its limit"


def _details(split: "Split", common: Common, said: str) -> dict[str, Any]:
    terms = {"inputs": split.inputs, "relation": split.relation, "total": split.total}
    rows = [[name, term.estimate, term.standard_error] for name, term in terms.items()]
    before, after = common.overlap.shares
    return {
        **claims.change(split.reference, split.current),
        **{name: term.estimate for name, term in terms.items()},
        "effective_share_reference": before,
        "effective_share_current": after,
        "domain_auc": common.overlap.auc.estimate,
        "table": {"columns": ["part of the change", "estimate", "standard error"], "rows": rows},
        "notes": [said, *common.notes],
    }
