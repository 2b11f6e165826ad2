"""Changes of known size: a share of rows takes other values in one column."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from pytest_readmit.cases import PlannedCase
from pytest_readmit.data.pool import Altered, Drawn, Pool
from pytest_readmit.errors import DataError

TAIL = 0.1
FAR = 1000.0
FIRST, SECOND, THIRD = range(3)
_GOLDEN = (5**0.5 - 1) / 2


@dataclass(frozen=True, slots=True, eq=False)
class Change:
    """
    What happens to the rows that change.

    Args:
        words: The change in words.
        column: The column; None for a model's scores.
        order: The pool's rows in the order of the column, so that an even share can be taken.
        among: Which rows of the pool can change, shape (rows of the pool,); None for all.
        donors: Rows of the pool whose values they take.
        missing: They lose their value.
        value: They take this one.
        factor: Their values are multiplied by it.
        mixes: Whether it matters which row takes from which, so that its size is a mean over pairings.
        turn: When it is tried: first what keeps to the column's values, then values far off, then what
            also changes how many outcomes or alerts there are.
    """

    words: str
    column: str | None
    order: np.ndarray
    among: np.ndarray | None = None
    donors: np.ndarray | None = None
    missing: bool = False
    value: float | str | None = None
    factor: float | None = None
    mixes: bool = False
    turn: int = FIRST

    def at(self, share: float, drawn: Drawn, luck: "Luck") -> Altered:
        """Return the change of a share of drawn rows; a larger share changes the same rows and more."""
        chosen = luck.rank < share
        if self.among is not None:
            chosen &= self.among[drawn.rows]
        places = np.flatnonzero(chosen)
        donors = None
        if self.donors is not None:
            donors = self.donors[(luck.pick[places] * len(self.donors)).astype(np.int64)]
        return Altered(places, donors, self.missing, self.value, self.factor)


@dataclass(frozen=True, slots=True, eq=False)
class Luck:
    """
    Which rows change first, and what they take.

    Args:
        rank: From 0 to 1; a row changes when the share is above it, shape (n,).
        pick: From 0 to 1, which donor it takes from, shape (n,).
    """

    rank: np.ndarray
    pick: np.ndarray

    @classmethod
    def of(cls, drawn: Drawn, rng: np.random.Generator) -> "Luck":
        """Draw it; all the rows of a patient change at once."""
        rows = len(drawn.rows)
        if drawn.owners is None:
            return cls(rng.random(rows), rng.random(rows))
        first, last = int(drawn.owners.min()), int(drawn.owners.max())
        return cls(rng.random(last - first + 1)[drawn.owners - first], rng.random(rows))

    @classmethod
    def even(cls, change: Change, copies: int = 1, start: float = 0.0) -> "Luck":
        """Return the luck by which each part of the column changes alike: hardly any chance is left in it."""
        rows = len(change.order)
        turn = np.empty(rows)
        turn[change.order] = (start + np.arange(1, rows + 1) * _GOLDEN) % 1
        pick = np.empty(rows)
        pick[np.argsort(turn, kind="stable")] = (start + np.arange(rows) * _GOLDEN) % 1
        if change.mixes:
            pick = np.random.default_rng(round(1e6 * start)).random(rows)
        return cls(np.tile(turn, copies), np.tile(pick, copies))


def changes(pool: Pool, case: PlannedCase, factor: float | None, *, by_model: bool) -> Iterator[Change]:
    """
    Yield the changes that may move what a case measures, the likeliest first.

    Args:
        pool: The reference.
        case: The case.
        factor: A factor that the case's details name, for what looks for conversions.
        by_model: Whether the case sees a model's scores, not the score column.
    """
    kinds = {kind for _, kind in case.spec.needs}
    if "column" in kinds and case.column is not None:
        yield from of_column(pool, case.column, factor)
    elif kinds & {"scored", "dataset"} and not kinds & {"selected", "parts"}:
        yield from _of_predictions(pool, case, by_model=by_model)


def of_column(pool: Pool, name: str, factor: float | None) -> Iterator[Change]:
    """Yield the changes of one column."""
    kind = pool.dataset.field(name).kind
    if kind == "categorical":
        yield from _of_levels(pool, name)
    elif kind in ("numerical", "time"):
        yield from _of_numbers(pool, name, kind == "time", factor)


def _of_levels(pool: Pool, name: str) -> Iterator[Change]:
    codes = pool.codes(name)
    order = np.argsort(codes.codes, kind="stable")
    counts = np.bincount(codes.codes[codes.codes >= 0], minlength=len(codes.levels))
    seen = np.flatnonzero(counts)
    if len(seen):
        rarest = np.flatnonzero(codes.codes == seen[np.argmin(counts[seen])])
        yield Change("rows that lose their value", name, order, missing=True)
        yield Change("rows that change to the rarest level", name, order, donors=rarest)
        yield Change(
            "rows that take a level never seen", name, order, value=f"{codes.levels[-1]}~", turn=SECOND
        )


def _of_numbers(pool: Pool, name: str, time: bool, factor: float | None) -> Iterator[Change]:
    if time:
        times = pool.times(name)
        values, absent = times.astype(np.int64).astype(float), np.isnat(times)
    else:
        numbers = pool.numbers(name)
        values, absent = numbers.floats(), numbers.absent
    order = np.argsort(np.where(absent, np.inf, values), kind="stable")
    present = order[: len(order) - int(np.count_nonzero(absent))]
    if not len(present):
        return
    if not time:
        for each in (factor, 1 / factor) if factor else ():
            yield Change(f"rows that are multiplied by {each:.4g}", name, order, factor=each)
    yield Change("rows that lose their value", name, order, missing=True)
    few = max(1, round(TAIL * len(present)))
    yield Change("rows that move into the upper tenth", name, order, donors=present[-few:])
    yield Change("rows that move into the lower tenth", name, order, donors=present[:few])
    if time:
        return
    low, high = float(values[present[0]]), float(values[present[-1]])
    far = FAR * (high - low + 1)
    yield Change("rows that move far above all others", name, order, value=high + far, turn=SECOND)
    yield Change("rows that move far below all others", name, order, value=low - far, turn=SECOND)


def _of_predictions(pool: Pool, case: PlannedCase, *, by_model: bool) -> Iterator[Change]:
    """Yield the changes of scores and labels."""
    score = None if by_model else pool.dataset.roles.score
    order = np.arange(pool.rows)
    if by_model or score is not None:
        if score is not None:
            order = np.argsort(pool.numbers(score).floats(), kind="stable")
        low, high = _tails(pool, score, order)
        group = _group(pool, case)
        if group is not None:
            yield Change("rows of one group that get low scores", score, order, among=group, donors=low)
            yield Change("rows of one group that get high scores", score, order, among=group, donors=high)
        if "scored" in {kind for _, kind in case.spec.needs}:
            somebody = np.arange(pool.rows)
            words = "rows that get the score of somebody else"
            yield Change(words, score, order, donors=somebody, mixes=True)
    yield from _of_labels(pool, order)
    if by_model or score is not None:
        yield Change("rows that get high scores", score, order, donors=high, turn=THIRD)
        yield Change("rows that get low scores", score, order, donors=low, turn=THIRD)


def _tails(pool: Pool, score: str | None, order: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    values = np.zeros(pool.rows) if score is None else pool.numbers(score).floats()
    present = order[: len(order) - int(np.count_nonzero(np.isnan(values)))]
    few = max(1, round(TAIL * len(present)))
    return present[:few], present[-few:]


def _group(pool: Pool, case: PlannedCase) -> np.ndarray | None:
    """Return the rows of the commonest level but one of the column that a case compares groups of."""
    name = case.column
    if name is None or not pool.dataset.has(name) or pool.dataset.field(name).kind != "categorical":
        return None
    codes = pool.codes(name)
    counts = np.bincount(codes.codes[codes.codes >= 0], minlength=len(codes.levels))
    if np.count_nonzero(counts) < 2:
        return None
    return np.asarray(codes.codes == np.argsort(-counts, kind="stable")[1])


def _of_labels(pool: Pool, order: np.ndarray) -> Iterator[Change]:
    target = pool.dataset.roles.target
    if target is None or not pool.dataset.has(target):
        return
    if pool.dataset.roles.positive_label is None:
        yield from of_column(pool, target, None)
        return
    try:
        labels = pool.dataset.labels(1.0)
    except DataError:
        return
    positive = np.flatnonzero(labels.positive & labels.known)
    negative = np.flatnonzero(~labels.positive & labels.known)
    yield Change("rows that become positive", target, order, donors=positive, turn=THIRD)
    yield Change("rows that become negative", target, order, donors=negative, turn=THIRD)
