"""Everything a suite is written from: the two datasets, the reference's columns, and what was guessed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pytest_readmit.start.facts import Facts
from pytest_readmit.start.guess import Guess

SUITE = "suites/gates.yml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Data:
    """
    A dataset as the suite names it.

    Args:
        value: A path from the suite's folder, or what its kind takes.
        kind: "path", or a kind of source such as "demo".
        rows: Its rows.
        read: How its files are read.
    """

    value: str
    kind: str
    rows: int
    read: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """
    Everything a suite is written from.

    Args:
        name: The suite's name.
        data: "reference" and "current".
        facts: The reference's columns.
        guess: What they are taken for.
        threshold: The alert threshold, where the user gave one.
        area_error: The standard error of the AUC on the reference, where there is a score.
        logits: Whether no score of either is exactly 0 or 1.
        no_outcome: Why the reference's outcomes cannot be used.
        no_model: Why its scores with the outcomes cannot be.
        later: Why those of current cannot be, for now.
    """

    name: str
    data: Mapping[str, Data]
    facts: Mapping[str, Facts]
    guess: Guess
    threshold: float | None = None
    area_error: float | None = None
    logits: bool = True
    no_outcome: str | None = None
    no_model: str | None = None
    later: str | None = None

    @property
    def rows(self) -> int:
        return self.data["current"].rows

    def chosen(self, names: Sequence[str]) -> list[Facts]:
        return [self.facts[name] for name in names]

    @property
    def positive_share(self) -> float:
        """The share of positives among the reference's outcomes; 0 where it is not known."""
        target, positive = self.guess.column("target"), self.guess.positive
        if target is None or positive is None or not self.facts[target].present:
            return 0.0
        return dict(self.facts[target].levels).get(positive.label, 0) / self.facts[target].present
