"""Models that compete for one place, on the rows that all of them scored."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from pytest_readmit import Claim, Context, DataError, Dataset, Models
from pytest_readmit.stats.metrics import METRICS
from readmit_checks import claims, curves

if TYPE_CHECKING:
    from pytest_readmit.stats.effect import Effect
    from pytest_readmit.stats.predictions import Predictions

CHAMPION = "champion"
CHALLENGER = "challenger"
METHODS = {"roc_auc": "paired_delong", "average_precision": "paired_bootstrap"}
MIN_IMPROVEMENT = 0.01
SAME = (
    "Challenger and champion give every row the same score: the bounds are what so many rows without a "
    "difference allow."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """
    What an improvement must be.

    Args:
        min_improvement: The least that the estimate may be; None: 0.01.
        proven_above: What the lower bound must be above; None: 0.
        non_inferior_by: In place of both: the most that the lower bound may be below 0.
    """

    min_improvement: float | None = None
    proven_above: float | None = None
    non_inferior_by: float | None = None

    def limit(self, *, bounds: bool) -> dict[str, Any]:
        """
        Return the Claim's limit.

        Args:
            bounds: Whether bounds decide; else the estimate does.
        """
        if self.non_inferior_by is not None:
            return {"limit": -self.non_inferior_by, "direction": "at_least"}
        least = MIN_IMPROVEMENT if self.min_improvement is None else self.min_improvement
        if not bounds:
            return {"limit": least, "direction": "at_least"}
        proven = self.proven_above or 0.0
        return {"limit": max(least, proven), "proven": proven, "direction": "at_least"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Contest:
    """
    The models on the rows that have a label and a score of each.

    Args:
        metric: What they are compared by.
        threshold: A score at or above it raises an alert, for the metrics that need one.
        dataset: The rows' dataset.
        rows: Name of a model → its predictions of the shared rows.
        rivals: Names of those who want the place.
        left_out: Rows of the dataset that some of them cannot be compared on.
        champion: The name of the one who holds it; None where nobody does.
    """

    metric: str
    threshold: float | None
    dataset: Dataset
    rows: "Mapping[str, Predictions]"
    rivals: tuple[str, ...]
    left_out: int
    champion: str | None = CHAMPION

    @classmethod
    def of(
        cls,
        dataset: Dataset,
        models: Models,
        sources: Sequence[Any],
        metric: str,
        threshold: float | None,
        *,
        max_missing: float,
        vacant: bool = False,
    ) -> "Contest":
        """
        Return the contest on a dataset.

        Args:
            dataset: The rows.
            models: The suite's models.
            sources: Of further models that compete.
            metric: What they are compared by.
            threshold: For the metrics that need one.
            max_missing: The largest share of missing labels, or of scores of one model.
            vacant: Whether there is no champion.

        Raises:
            DataError: A model or its scores cannot be had, or no row has all.
        """
        rivals = rivals_of(models, sources)
        names = rivals if vacant else (CHAMPION, *rivals)
        scored = {name: models.scored(name, dataset, max_missing) for name in names}
        shared = next(iter(scored.values())).kept
        for each in scored.values():
            shared = shared & each.kept
        if not shared.any():
            raise DataError(f"{dataset.source}: no row has a label and the scores of {' and '.join(names)}")
        rows = {name: each.predictions.take(shared[each.kept]) for name, each in scored.items()}
        return cls(
            metric=metric,
            threshold=threshold,
            dataset=dataset,
            rows=rows,
            rivals=rivals,
            left_out=int(dataset.rows - shared.sum()),
            champion=None if vacant else CHAMPION,
        )

    def value(self, name: str, metric: str | None = None) -> float:
        """Return a metric of a model, without the cost of its bounds."""
        from pytest_readmit.stats import metrics, precision
        from pytest_readmit.stats.effect import Undefined

        metric = metric or self.metric
        try:
            if metric == "average_precision":
                return precision.average_precision(self.rows[name])
            return metrics.level(metric, self.rows[name], threshold=self.threshold).estimate
        except Undefined as error:
            raise DataError(f"{self.dataset.source}: {metric} of {name}: {error}") from None

    def challenger(self) -> str:
        """Return the model that is judged: the suite's challenger, else the best of the others."""
        if CHALLENGER in self.rivals:
            return CHALLENGER
        sign = -1 if METRICS[self.metric].is_loss else 1
        return max(self.rivals, key=lambda name: sign * self.value(name))

    def better(self, metric: str, context: Context) -> "Effect":
        """
        Return how much better the challenger is than the champion: new - old, or old - new for a loss.

        The bounds hold for the best of all rivals at once (Bonferroni).
        """
        from pytest_readmit.stats import metrics
        from pytest_readmit.stats.effect import Undefined

        sides = [self.rows[CHAMPION], self.rows[self.challenger()]]
        if METRICS[metric].is_loss:
            sides.reverse()
        try:
            effect = metrics.paired(metric, *sides, threshold=self.threshold, seed=context.seed)
        except Undefined as error:
            raise DataError(f"{self.dataset.source}: {metric}: {error}") from None
        return shared_error(effect, len(self.rivals))

    @property
    def one_model(self) -> bool:
        """Whether challenger and champion give every row the same score."""
        from pytest_readmit.stats import metrics

        return metrics.one_model(self.rows[CHAMPION], self.rows[self.challenger()])

    def facts(self, metric: str) -> dict[str, Any]:
        """Return the Claim's counts."""
        from pytest_readmit.stats import metrics

        used = self.threshold if METRICS[metric].needs_threshold else None
        new = self.rows[self.challenger()]
        return {
            "method": METHODS.get(metric, "paired_difference"),
            "n_current": new.n,
            "units_current": new.units,
            "events": min(metrics.fewest(metric, each, used) for each in self.rows.values()),
        }

    def curves(self, metric: str, context: Context) -> dict[str, Any]:
        """Return what the report draws of champion and challenger."""
        sides = {CHALLENGER: self.rows[self.challenger()]}
        if self.champion is not None:
            sides = {CHAMPION: self.rows[self.champion], **sides}
        return curves.of_metric(metric, sides, context)

    def details(self, metric: str) -> dict[str, Any]:
        """Return what the record says of the contest."""
        new, rivals = self.challenger(), len(self.rivals)
        told: dict[str, Any] = {CHAMPION: self.champion, CHALLENGER: new, "left_out": self.left_out}
        values = {name: self.value(name, metric) for name in self.rows}
        if self.champion is None:
            return {**told, "current": values[new]}
        told |= claims.change(values[self.champion], values[new])
        if rivals == 1:
            return told
        rows = [[name, value, value - values[self.champion]] for name, value in values.items()]
        notes = [f"the bounds are corrected for {rivals} models that competed on these rows"]
        sign = -1 if METRICS[metric].is_loss else 1
        best = max(self.rivals, key=lambda name: sign * values[name])
        if sign * values[best] > sign * values[new]:
            notes.append(f"{best} did better than {new}, which is judged")
        table = {"columns": ["model", metric, "change"], "rows": rows}
        return {**told, "candidates": list(self.rivals), "table": table, "notes": notes}


def rivals_of(models: Models, sources: Sequence[Any]) -> tuple[str, ...]:
    """
    Return the names of the models that want the champion's place.

    Raises:
        DataError: There are none.
    """
    found = [models.book.named(source) for source in sources]
    if CHALLENGER in models:
        found.insert(0, CHALLENGER)
    if not found:
        raise DataError(
            "the suite names no challenger: add `challenger` under `models`, or `candidates` to the entry"
        )
    return tuple(dict.fromkeys(found))


def shared_error(effect: "Effect", several: int) -> "Effect":
    """Return the effect of one of several, its bounds such that all of theirs hold at once."""
    bounds, above, below, projected = effect.bounds, effect.p_beyond, effect.p_below, effect.projected
    if several == 1 or not (bounds and above and below and projected):
        return effect
    return replace(
        effect,
        bounds=lambda alpha: bounds(alpha / several),
        p_beyond=lambda limit: min(1.0, several * above(limit)),
        p_below=lambda limit: min(1.0, several * below(limit)),
        p_null=None if effect.p_null is None else min(1.0, several * effect.p_null),
        projected=lambda alpha, rows: projected(alpha / several, rows),
    )


def compared(contest: Contest, rule: Rule, models: Models, context: Context) -> Claim:
    """Return the Claim that the challenger is better than the champion."""
    metric, bounds = contest.metric, context.decide_by == "interval"
    effect, details = contest.better(metric, context), contest.details(metric)
    summary = said(metric, details, effect.estimate)
    if contest.one_model:
        summary = f"{summary}: {_one_model(models, details)}"
    return claims.of_effect(
        effect,
        summary=summary,
        details={
            **effect.details,
            **details,
            "holdout": _holdout(contest, models),
            **contest.curves(metric, context),
        },
        **contest.facts(metric),
        **rule.limit(bounds=bounds),
    )


def _one_model(models: Models, details: Mapping[str, Any]) -> str:
    """Return why there is nothing to compare."""
    known = models.book.facts()
    old, new = (known.get(str(details[role]), {}) for role in (CHAMPION, CHALLENGER))
    if old.get("name") and (old["name"], old.get("version")) == (new.get("name"), new.get("version")):
        return f"both are version {old['version']} of {old['name']}"
    return "both give every row the same score"


def said(metric: str, details: Mapping[str, Any], change: float, noun: str = "an improvement") -> str:
    """Return a change from champion to challenger in words."""
    new, old = claims.figure(details["current"]), claims.figure(details["reference"])
    return (
        f"{metric} is {new} for {details[CHALLENGER]} and {old} for {details[CHAMPION]}, "
        f"{noun} of {claims.figure(change)}"
    )


def guarded(contest: Contest, metric: str, most: float, context: Context) -> Claim:
    """Return the Claim that a metric got worse by no more than `most`."""
    effect = contest.better(metric, context)
    details = contest.details(metric)
    if contest.one_model:
        details = {**details, "notes": [*details.get("notes", []), SAME]}
    return claims.of_effect(
        opposite(effect),
        summary=said(metric, details, -effect.estimate, f"a {worse(metric)}"),
        limit=most,
        direction="at_most",
        details={**effect.details, **details, **contest.curves(metric, context)},
        **contest.facts(metric),
    )


def worse(metric: str) -> str:
    """Return which way a metric gets worse."""
    return "rise" if METRICS[metric].is_loss else "drop"


def opposite(effect: "Effect") -> "Effect":
    """Return the effect of minus the value."""
    bounds, above, below, projected = effect.bounds, effect.p_beyond, effect.p_below, effect.projected

    def swapped(pair: tuple[float, float]) -> tuple[float, float]:
        return -pair[1], -pair[0]

    return replace(
        effect,
        estimate=-effect.estimate,
        bounds=None if bounds is None else lambda alpha: swapped(bounds(alpha)),
        p_beyond=None if below is None else lambda limit: below(-limit),
        p_below=None if above is None else lambda limit: above(-limit),
        projected=None if projected is None else lambda alpha, rows: swapped(projected(alpha, rows)),
    )


def unopposed(contest: Contest, metric: str, why: str, models: Models) -> Claim:
    """Return the Claim of a challenger whom there is no champion to compare with: it has no limit."""
    details = contest.details(metric)
    facts = {**contest.facts(metric), "method": "first_model"}
    return Claim(
        estimate=details["current"],
        summary=f"{metric} is {claims.figure(details['current'])} for {details[CHALLENGER]}; {why}",
        details={**details, "first": True, "holdout": _holdout(contest, models)},
        **facts,
    )


def _holdout(contest: Contest, models: Models) -> dict[str, Any]:
    """Return which data the models were judged on, and how often the registry says they were used so."""
    sha256 = contest.dataset.digest()
    uses = None if sha256 is None else models.book.uses(contest.challenger(), sha256)
    return {"dataset": contest.dataset.name, "sha256": sha256, "uses": uses}
