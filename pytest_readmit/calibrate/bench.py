"""The gates of a suite, decided on windows of its reference by the rule that decides them on data."""

import functools
import math
from collections.abc import Callable, Mapping
from copy import copy
from dataclasses import dataclass, field, replace
from typing import Any, cast

from pytest_readmit.cases import Plan, PlannedCase
from pytest_readmit.claim import Claim, Finding
from pytest_readmit.data.dataset import Dataset, Scores
from pytest_readmit.data.modelled import Modelled
from pytest_readmit.data.pool import Altered, Drawn, Pool, lent
from pytest_readmit.models.model import Models
from pytest_readmit.models.opening import ModelBook
from pytest_readmit.rule import Policy, too_few
from pytest_readmit.run import Session

CURRENT = "current"


@dataclass(slots=True, eq=False)
class Windows:
    """
    A window for each dataset of the suite.

    Args:
        drawn: Their rows.
        datasets: The same as datasets.
        altered: The scores of models that were altered, by dataset.
    """

    drawn: Mapping[str, Drawn]
    datasets: Mapping[str, Dataset]
    altered: Mapping[str, Altered] = field(default_factory=dict)


class Bench:
    """
    Decides cases on windows.

    Args:
        plan: A plan of one suite.
        pool: Its reference.
    """

    def __init__(self, plan: Plan, pool: Pool) -> None:
        self._plan = plan
        self._pool = pool
        self._scores: dict[str | None, Scores] = {}

    def windows(self, drawn: Mapping[str, Drawn]) -> Windows:
        """Return drawn rows as datasets."""
        return Windows(drawn, {name: self._pool.window(name, rows) for name, rows in drawn.items()})

    def changed(self, windows: Windows, name: str, column: str | None, altered: Altered) -> Windows:
        """Return windows of which one has an altered column; None for the scores of a model."""
        if column is None:
            return Windows(windows.drawn, windows.datasets, {name: altered})
        other = self._pool.window(name, windows.drawn[name], {column: altered})
        return Windows(windows.drawn, {**windows.datasets, name: other})

    def decide(self, case: PlannedCase, windows: Windows) -> Finding:
        """Return the Finding of a case whose datasets are these windows."""
        book = cast("ModelBook", _LentBook(self, self._plan.models[0], windows))
        plan = replace(self._plan, cases=(), datasets=(windows.datasets,), models=(book,))
        return Session(plan).finding(case)

    def lent_scores(self, wanted: str | None, windows: Windows, name: str) -> Scores:
        """Return the scores that a model gives a window; the model is asked once."""
        if wanted not in self._scores:
            self._scores[wanted] = self._plan.models[0].seen(self._pool.dataset, wanted).scores(1.0)
        return lent(self._scores[wanted], windows.drawn[name], windows.altered.get(name))

    def scored_by_model(self, wanted: str | None) -> bool:
        """Whether a case with this `model` sees a model's scores, not the score column."""
        return self._plan.models[0].seen(self._pool.dataset, wanted) is not self._pool.dataset


class _LentBook:
    """The suite's models, whose scores of a window are taken from those of the reference."""

    def __init__(self, bench: Bench, book: ModelBook, windows: Windows) -> None:
        self._bench = bench
        self._book = book
        self._windows = windows

    def __getattr__(self, name: str) -> Any:
        return getattr(self._book, name)

    def seen(self, dataset: Dataset, wanted: str | None) -> Dataset:
        if not self._bench.scored_by_model(wanted):
            return dataset
        return Modelled(dataset, lambda: self._bench.lent_scores(wanted, self._windows, dataset.name))

    def models(self, wanted: str | None) -> Models:
        found = copy(self._book.models(wanted))
        found._book = self
        return found

    def scores(self, name: str, dataset: Dataset) -> Scores:
        return self._bench.lent_scores(name, self._windows, dataset.name)


def lean(case: PlannedCase) -> PlannedCase:
    """
    Return a case without what costs time and changes no verdict, and without its waiver and time limit.

    That is the number of rows needed, and a p-value where only the side of alpha on which it lies counts.
    """
    return replace(
        case,
        spec=replace(case.spec, function=_quick(case.spec.function, case.policy)),
        policy=replace(case.policy, waiver=None),
        entry=replace(case.entry, timeout=None),
    )


def _quick(function: Callable[..., Any], policy: Policy) -> Callable[..., Any]:
    @functools.wraps(function)
    def measured(**injected: Any) -> Any:
        claim = function(**injected)
        if not isinstance(claim, Claim):
            return claim
        claim = replace(claim, projected=None)
        return _decided_by_bounds(claim, policy) if policy.decide_by == "interval" else claim

    return measured


def _decided_by_bounds(claim: Claim, policy: Policy) -> Claim:
    """Return the Claim with p-values of 0 and 1, on the same side of alpha as its own by the Claim's law."""
    bounds = claim.bounds
    if bounds is None:
        return claim
    # A limit on either side tests both at half of alpha.
    alpha = policy.error_rate / policy.shares / (2 if isinstance(claim.limit, tuple) else 1)
    return replace(
        claim,
        # Where there are too few rows or events, no limit could be certified.
        unpassable=claim.unpassable or too_few(claim),
        p_beyond=lambda limit: _side(bounds(alpha)[0] - limit),
        p_below=lambda limit: _side(limit - bounds(alpha)[1]),
    )


def _side(beyond: float) -> float:
    return math.nan if math.isnan(beyond) else float(beyond <= 0)
