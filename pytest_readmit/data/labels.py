"""Outcomes as the suite names them: which rows are positive, which negative, which unknown."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pytest_readmit.data.table import Codes, Family, number_text
from pytest_readmit.errors import DataError, counted
from pytest_readmit.stats.proportion import Proportion


@dataclass(frozen=True, slots=True, eq=False)
class Labels:
    """
    The outcome of each row.

    Args:
        positive: Shape (rows,) of bools.
        known: Shape (rows,) of bools: the row has a label.
        proportion: Positives of the rows with a label.
    """

    positive: np.ndarray
    known: np.ndarray
    proportion: Proportion

    @property
    def missing(self) -> int:
        """Rows without a label."""
        return int(len(self.known) - np.count_nonzero(self.known))

    @property
    def n(self) -> int:
        """Rows with a label."""
        return int(np.count_nonzero(self.known))


def label_text(value: Any, family: Family) -> str:
    """
    Return the level that a label of the suite stands for.

    ``1`` and ``"1"`` are the same level, as are ``true`` and a column's own true; 1 and 0 also stand
    for true and false where a column holds nothing else.
    """
    if family == "bool":
        text = str(value).lower()
        return {"1": "true", "0": "false", "1.0": "true", "0.0": "false"}.get(text, text)
    if isinstance(value, bool):
        if family in ("integer", "float"):
            return "1" if value else "0"
        return "true" if value else "false"
    if isinstance(value, int | float):
        return number_text(value)
    return str(value)


def as_list(value: Any) -> list[Any]:
    """Return a label or a list of labels as a list."""
    return list(value) if isinstance(value, list | tuple) else [value]


def split_labels(
    codes: Codes,
    family: Family,
    *,
    positive: Any,
    negative: Any,
    where: str,
    known: Collection[str] = (),
) -> tuple[np.ndarray, np.ndarray]:
    """
    Return which rows are positive and which have a label.

    Args:
        codes: The target column.
        family: What it holds.
        positive: A label or a list of labels.
        negative: Likewise; None for the one other level that is present.
        where: How errors name dataset and column.
        known: Levels that the whole dataset and the reference have, also where these rows have not.

    Raises:
        DataError: A level that is neither, a class without rows, or no label at all. Never shows a level.
    """
    if positive is None:
        raise DataError(f"{where}: columns.positive_label is not set; it is never guessed")
    if not len(codes.codes):
        raise DataError(f"{where}: there are 0 rows")
    present = np.flatnonzero(np.bincount(codes.codes[codes.codes >= 0], minlength=len(codes.levels)))
    if not len(present):
        raise DataError(f"{where} has no labels: every row is missing")
    levels = [codes.levels[i] for i in present]
    yes = {_spelling(label_text(value, family), levels) for value in as_list(positive)}
    no = _negatives(sorted({*levels, *known}), yes, negative, family, where, codes)
    if not any(level in yes for level in levels):
        raise DataError(
            f"{where}: no row holds columns.positive_label; "
            + (
                f"the {len(levels)} levels present are {_sort_of(levels)}"
                if len(levels) > 1
                else "all labels are one other value"
            )
        )
    is_yes = np.array([*(level in yes for level in codes.levels), False], dtype=bool)
    is_no = np.array([*(level in no for level in codes.levels), False], dtype=bool)
    unknown = (codes.codes >= 0) & ~is_yes[codes.codes] & ~is_no[codes.codes]
    if unknown.any():
        raise DataError(
            f"{where}: {counted(int(np.count_nonzero(unknown)))} rows hold a label that is neither "
            "positive_label nor negative_label; list it under one of them or leave such rows out with where:"
        )
    if not any(level in no for level in levels):
        raise DataError(f"{where}: every label is positive; two classes are needed")
    return is_yes[codes.codes], codes.codes >= 0


def _spelling(text: str, levels: Sequence[str]) -> str:
    """Return true and false as the data spell them; any other text as it is."""
    if text in levels or text not in ("true", "false"):
        return text
    return next((level for level in levels if level.lower() == text), text)


def _negatives(
    levels: Sequence[str], yes: set[str], negative: Any, family: Family, where: str, codes: Codes
) -> set[str]:
    if negative is not None:
        return {_spelling(label_text(value, family), levels) for value in as_list(negative)}
    others = [level for level in levels if level not in yes]
    if len(others) > 1 and any(level in yes for level in levels):
        here = [codes.levels.index(level) for level in others if level in codes.levels]
        rows = int(np.isin(codes.codes, here).sum())
        raise DataError(
            f"{where}: {len(others)} other labels ({counted(rows)} rows) beside positive_label; "
            "say which are negative with columns.negative_label (a value or a list)"
        )
    return set(others[:1])


def _sort_of(levels: Sequence[str]) -> str:
    try:
        numbers = [float(level) for level in levels]
    except ValueError:
        return "texts"
    return "whole numbers" if all(number.is_integer() for number in numbers) else "numbers"
