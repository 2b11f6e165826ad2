"""What a first suite has to know of each column; values stay here, only sizes and shares go further."""

import re
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from pytest_readmit.data.dataset import Dataset, Field
from pytest_readmit.data.store import Kind
from pytest_readmit.errors import DataError

READERS = 2
FEW_LEVELS = 10
SAMPLE = 200
MOST = 0.9
_NUMBER = re.compile(r"[-+]?\d+([.,]\d+)?([eE][-+]?\d+)?")
_DATE = re.compile(r"(\d{1,2}[./-]\d{1,2}[./-]\d{4}|\d{4}[./-]?\d{2}[./-]?\d{2})([ T]\d{1,2}:\d{2}.*)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """
    One column of the reference.

    Args:
        name: The column.
        kind: As its type suggests.
        rows: Rows of the dataset.
        present: Rows with a value.
        distinct: Different values.
        whole: Whether every value is a whole number.
        unit_interval: Whether every value is a number from 0 to 1.
        shares: The share of each value, where it is compared by value.
        design_effect: How much repeated patients widen its intervals.
        levels: The values with their rows, where there are few.
        like: What most values of a text look like: "dates", "numbers", "commas" (numbers with one) or "".
        trouble: Why it cannot be measured.
    """

    name: str
    kind: Kind
    rows: int
    present: int = 0
    distinct: int = 0
    whole: bool = False
    unit_interval: bool = False
    shares: np.ndarray | None = None
    design_effect: float = 1.0
    levels: tuple[tuple[str, int], ...] = ()
    like: str = ""
    trouble: str | None = None

    @property
    def missing_share(self) -> float:
        return 1.0 - self.present / self.rows

    @property
    def effective(self) -> float:
        """Rows with a value that would say as much were they independent."""
        return self.present / self.design_effect


def facts_of(
    dataset: Dataset, names: Iterable[str] | None = None, *, design_effect: float | None = None
) -> dict[str, Facts]:
    """
    Return what is known of each column, read one at a time by each of a few readers.

    Args:
        dataset: The reference.
        names: Only these columns.
        design_effect: Taken for that of every column, where measuring each would take too long.
    """
    fields = [field for field in dataset.fields if names is None or field.name in set(names)]
    with ThreadPoolExecutor(READERS) as readers:
        found = readers.map(lambda field: _facts(dataset, field), fields)
        if design_effect is not None:
            found = (replace(facts, design_effect=design_effect) for facts in found)
        return {facts.name: facts for facts in found}


def copies(dataset: Dataset) -> float:
    """Return the largest design effect there can be: rows of a patient are copies of each other."""
    owners = dataset.owners()
    if owners is None:
        return 1.0
    rows = np.bincount(owners).astype(np.float64)
    return float((rows**2).sum() / rows.sum())


def _facts(dataset: Dataset, field: Field) -> Facts:
    common: dict[str, Any] = {"name": field.name, "kind": field.kind, "rows": dataset.rows}
    if field.kind == "other":
        return Facts(**common, trouble="holds nested values")
    try:
        distribution = dataset.column(field.name).distribution
    except DataError:
        return Facts(**common, trouble="holds infinite values, or some that do not fit its type")
    except Exception:  # a crashed reader; its text could quote the data
        return Facts(**common, trouble="could not be read")
    finally:
        dataset.release(field.name)
    values, counts = distribution.distinct()
    common |= {
        "present": distribution.n,
        "distinct": len(values),
        "design_effect": distribution.design_effect,
        "shares": counts / distribution.n if distribution.n else None,
        "levels": tuple(_levels(dataset, field)) if 2 <= len(values) <= FEW_LEVELS else (),
    }
    if distribution.is_text and len(values) > FEW_LEVELS:
        common["like"] = _like(values)
    if distribution.is_text or field.kind != "numerical" or not len(values):
        return Facts(**common)
    whole = field.integer or bool(np.all(values == np.floor(values)))
    return Facts(**common, whole=whole, unit_interval=bool(values[0] >= 0.0 and values[-1] <= 1.0))


def _like(values: np.ndarray) -> str:
    sample = [str(value).strip() for value in values[:: max(1, len(values) // SAMPLE)]]
    for like, form in (("dates", _DATE), ("numbers", _NUMBER)):
        fits = [each for each in sample if form.fullmatch(each)]
        if len(fits) >= MOST * len(sample):
            return "commas" if like == "numbers" and any("," in each for each in fits) else like
    return ""


def _levels(dataset: Dataset, field: Field) -> Iterator[tuple[str, int]]:
    codes = dataset.codes(field.name)
    rows = np.bincount(codes.codes[codes.codes >= 0], minlength=len(codes.levels))
    dataset.release(field.name)
    yield from ((level, int(n)) for level, n in zip(codes.levels, rows, strict=True) if n)
