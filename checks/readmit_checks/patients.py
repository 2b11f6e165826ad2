"""Generated patients: drawn from what a dataset's columns hold, and none of them anybody's."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pytest_readmit import DataError, MissingExtra

BINS = 20
ROUNDS = 4
"""Hypothesis draws at most so many times what is asked for: it may draw a patient twice."""
Patient = tuple[int, ...]
"""The place of each column's value among its `Values`."""


@dataclass(frozen=True, slots=True, eq=False)
class Values:
    """
    The values of one column that patients are made of.

    Args:
        name: The column.
        array: Its values, ascending, of the type that a model is given; a missing one is last.
        missing: Whether the last one stands for a missing value.
        ordered: Whether more and less mean something.
        slots: Places in `array`, the most typical first and the frequent ones often; a power of two long.
        rows: Rows of the column that the values stand for.
    """

    name: str
    array: np.ndarray
    missing: bool
    ordered: bool
    slots: np.ndarray
    rows: int

    @property
    def bits(self) -> int:
        """Truth values that name a slot."""
        return (len(self.slots) - 1).bit_length()

    @property
    def known(self) -> int:
        """Values that are not missing."""
        return len(self.array) - self.missing

    def text(self, place: int) -> str:
        """Return a value in words."""
        if self.missing and place == self.known:
            return "(missing)"
        value = self.array[place]
        if isinstance(value, float | np.floating):
            return f"{float(value):.15g}"
        return str(value)


def values_of(name: str, series: Any, min_cell: int) -> Values:
    """
    Return the values of a column that at least `min_cell` rows stand behind.

    A number with few distinct values is taken as it is; else its rows are cut into up to 20 bins of equal
    size, each told by its median, rounded to a hundredth of the spread.

    Args:
        name: The column.
        series: The column as pandas holds it.
        min_cell: The fewest rows behind a value.

    Raises:
        DataError: There is no such value.
    """
    absent = series.isna().to_numpy()
    present = series.to_numpy()[~absent]
    ordered = present.dtype.kind in "iufbM"
    if present.dtype.kind in "iufM":
        found, weights = _of_numbers(present, min_cell)
    else:
        found, weights = _of_levels(present, min_cell)
        ordered = ordered or all(isinstance(value, bool) for value in found.tolist())
    missing = int(np.count_nonzero(absent)) >= min_cell
    if missing:
        weights = np.append(weights, np.count_nonzero(absent))
        found = _with_missing(found)
    if not len(found):
        raise DataError(
            f"column {name!r} has no value that at least {min_cell} rows share: no patient can be made up "
            "of it without showing a real one"
        )
    slots = _slots(weights, known=len(found) - missing, ordered=ordered)
    return Values(name, found, missing, ordered, slots, int(weights.sum()))


def _of_numbers(present: np.ndarray, min_cell: int) -> tuple[np.ndarray, np.ndarray]:
    if present.dtype.kind == "f":
        present = present[np.isfinite(present)]
    distinct, counts = np.unique(present, return_counts=True)
    if len(distinct) <= BINS or present.dtype.kind == "M":
        shared = counts >= min_cell
        return distinct[shared], counts[shared]
    ordered = np.sort(present)
    bins = np.array_split(ordered, min(BINS, len(ordered) // min_cell)) if len(ordered) >= min_cell else []
    medians = _rounded(np.array([part[len(part) // 2] for part in bins], dtype=present.dtype))
    representatives, where = np.unique(medians, return_inverse=True)
    sizes = np.array([len(part) for part in bins], dtype=np.float64)
    return representatives, np.bincount(where, sizes) if len(bins) else sizes


def _rounded(values: np.ndarray) -> np.ndarray:
    """Round to about a hundredth of the spread; whole numbers stay whole."""
    spread = float(values[-1]) - float(values[0]) if len(values) else 0.0
    if not spread:
        return values
    places = math.ceil(-math.log10(spread / 100))
    whole = values.dtype.kind in "iu" or bool(np.all(values == np.floor(values)))
    rounded = np.round(values.astype(np.float64), min(places, 0) if whole else places)
    if values.dtype.kind in "iu":
        limits = np.iinfo(values.dtype)
        rounded = np.clip(rounded, limits.min, limits.max)
    return rounded.astype(values.dtype)


def _of_levels(present: np.ndarray, min_cell: int) -> tuple[np.ndarray, np.ndarray]:
    counts: dict[Any, int] = {}
    for value in present.tolist():
        counts[value] = counts.get(value, 0) + 1
    shared = sorted((value for value, rows in counts.items() if rows >= min_cell), key=str)
    array = np.array(shared, dtype=present.dtype if present.dtype.kind == "b" else object)
    return array, np.array([counts[value] for value in shared], dtype=np.float64)


def _with_missing(found: np.ndarray) -> np.ndarray:
    if found.dtype.kind == "f":
        return np.append(found, np.nan)
    if found.dtype.kind == "M":
        return np.append(found, np.datetime64("NaT"))
    return np.array([*found.tolist(), np.nan], dtype=object)


def _slots(weights: np.ndarray, *, known: int, ordered: bool) -> np.ndarray:
    """Give each value one slot at least and the others by weight, the most typical value first."""
    count = len(weights)
    if count == 1:
        return np.zeros(1, dtype=np.int64)
    size = 1 << max(4, (2 * count - 1).bit_length())
    share = weights / weights.sum() * (size - count)
    each = np.floor(share).astype(np.int64) + 1
    for place in np.argsort(-(share - np.floor(share)), kind="stable")[: size - int(each.sum())]:
        each[place] += 1
    far = np.arange(count, dtype=np.float64)
    if ordered and known:
        middle = int(np.searchsorted(np.cumsum(weights[:known]), weights[:known].sum() / 2))
        far = np.abs(far - middle)
    else:
        far = -weights.astype(np.float64)
    if known < count:
        far[-1] = np.inf
    order = np.argsort(far, kind="stable")
    return np.repeat(order, each[order])


class Generator:
    """
    Draws patients with Hypothesis, the same ones for the same seed.

    Args:
        values: What their columns may hold.
        examples: How many to draw.
        seed: Seed.

    Raises:
        MissingExtra: Hypothesis is not installed.
    """

    def __init__(self, values: Sequence[Values], examples: int, seed: int) -> None:
        try:
            import hypothesis
        except ImportError:
            raise MissingExtra("behavior", "behavior") from None
        from hypothesis import strategies

        self._values = values
        self._examples = examples
        self._seed = seed
        self._find = hypothesis.find
        self._nothing = hypothesis.errors.NoSuchExample
        # Truth values alone: Hypothesis draws numbers with a view to the constants of the modules that
        # happen to be loaded, and writes these to a folder.
        self._strategy = strategies.tuples(*[strategies.booleans()] * sum(each.bits for each in values))
        self._settings = hypothesis.settings(
            max_examples=ROUNDS * examples,
            database=None,
            deadline=None,
            derandomize=False,
            print_blob=False,
            verbosity=hypothesis.Verbosity.quiet,
            backend="hypothesis",
        )

    def patients(self) -> list[Patient]:
        """Return the patients drawn, each once, and fewer where the values allow no more."""
        drawn: dict[Patient, None] = {}

        def enough(patient: Patient) -> bool:
            drawn.setdefault(patient)
            return len(drawn) >= self._examples

        self._search(enough, shrink=False)
        return list(drawn)

    def smallest(self, fails: Callable[[Patient], bool]) -> Patient | None:
        """
        Return the patient nearest to the typical one that still fails; None if none of those drawn does.

        Args:
            fails: Asked for the patients drawn, in their order, then for ever simpler ones.
        """
        return self._search(fails, shrink=True)

    def _search(self, condition: Callable[[Patient], bool], *, shrink: bool) -> Patient | None:
        from random import Random

        from hypothesis import Phase, settings

        phases = (Phase.generate, Phase.shrink) if shrink else (Phase.generate,)
        try:
            found = self._find(
                self._strategy,
                lambda bits: condition(self._decoded(bits)),
                settings=settings(self._settings, phases=phases),
                random=Random(self._seed),  # noqa: S311 - decides no secret
            )
        except self._nothing:
            return None
        return self._decoded(found)

    def _decoded(self, bits: Sequence[bool]) -> Patient:
        patient, start = [], 0
        for each in self._values:
            number = 0
            for bit in bits[start : start + each.bits]:
                number = 2 * number + bit
            start += each.bits
            patient.append(int(each.slots[number]))
        return tuple(patient)


def table_of(values: Sequence[Values], patients: Sequence[Patient]) -> dict[str, np.ndarray]:
    """Return patients as columns."""
    places = np.array(patients, dtype=np.int64).reshape(len(patients), len(values))
    return {each.name: each.array[places[:, i]] for i, each in enumerate(values)}


def row_of(values: Sequence[Values], patient: Patient) -> Mapping[str, str]:
    """Return a patient in words."""
    return {each.name: each.text(place) for each, place in zip(values, patient, strict=True)}
