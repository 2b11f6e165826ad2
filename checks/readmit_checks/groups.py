"""The groups that sensitive columns split a dataset into, and how they may be named."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from pytest_readmit import DataError, Scored
from readmit_checks.claims import figure

MISSING = "(missing)"
MOST_GROUPS = 50


@dataclass(frozen=True, slots=True, eq=False)
class Groups:
    """
    The groups of the analysed rows.

    Args:
        codes: Group of each analysed row, from 0, shape (n,).
        names: Of each group, in words fit to be shown; also of a group whose rows all lack label or score.
        levels: Of each group, which level of each column it is made of.
    """

    codes: np.ndarray
    names: tuple[str, ...]
    levels: tuple[tuple[int, ...], ...]


def of_columns(
    current: Scored, columns: Sequence[str], bins: Mapping[str, Sequence[float]], min_cell: int
) -> Groups:
    """
    Return the groups that one column, or several crossed, make.

    A missing value is a group of its own, and so is what lies outside the bins. The name of a group with
    fewer than `min_cell` rows could be a person's: it is not shown.

    Raises:
        DataError: A column cannot be had or needs bins, or there are too many groups, or only one.
    """
    what = " and ".join(repr(name) for name in columns)
    codes = np.zeros(current.dataset.rows, dtype=np.int64)
    texts: list[str] = [""]
    levels: list[tuple[int, ...]] = [()]
    for name in columns:
        own, own_texts = _of_column(current, name, bins.get(name))
        codes = codes * len(own_texts) + own
        texts = [f"{before} / {text}" if before else text for before in texts for text in own_texts]
        levels = [(*before, level) for before in levels for level in range(len(own_texts))]
        codes, seen = _present(codes, len(texts), what)
        texts, levels = [texts[i] for i in seen], [levels[i] for i in seen]
    if len(texts) < 2:
        raise DataError(
            f"{current.source}: {what} makes one group only, so there is nothing to compare in {current.name}"
        )
    kept = codes[current.kept]
    shown = _shown(texts, np.bincount(kept, minlength=len(texts)), min_cell)
    return Groups(kept, shown, tuple(levels))


def _present(codes: np.ndarray, size: int, what: str) -> tuple[np.ndarray, list[int]]:
    """Number the groups that have rows anew, and return which they are."""
    seen = np.flatnonzero(np.bincount(codes, minlength=size))
    if len(seen) > MOST_GROUPS:
        raise DataError(
            f"{what} makes {len(seen):,} groups; fairness compares at most {MOST_GROUPS}: "
            "put the levels together first"
        )
    places = np.zeros(size, dtype=np.int64)
    places[seen] = np.arange(len(seen))
    return places[codes], seen.tolist()


def _shown(texts: Sequence[str], rows: np.ndarray, min_cell: int) -> tuple[str, ...]:
    names, small = [], 0
    for text, count in zip(texts, rows.tolist(), strict=True):
        if count >= min_cell or set(text.split(" / ")) == {MISSING}:
            names.append(text)
        else:
            small += 1
            names.append(f"(small group {small})")
    return tuple(names)


def _of_column(current: Scored, name: str, edges: Sequence[float] | None) -> tuple[np.ndarray, list[str]]:
    """Return the group of every row of the dataset by one column, and the groups' texts."""
    home = current.dataset
    kind = home.field(name).kind
    if kind == "numerical":
        if not edges:
            raise DataError(
                f"{current.source}: column {name!r} is numerical: give its groups as "
                f"`bins: {{{name}: [...]}}`, or name it under columns.categorical"
            )
        values = home.numbers(name)
        codes = np.where(np.isnan(values), len(edges) + 1, np.searchsorted(edges, values, side="right"))
        return codes.astype(np.int64), [*_bin_texts(edges), MISSING]
    if kind != "categorical":
        raise DataError(
            f"{current.source}: column {name!r} is {kind}; groups come of a categorical column, or of a "
            "numerical one with `bins`"
        )
    if edges:
        raise DataError(f"{current.source}: column {name!r} is categorical; `bins` are for numerical ones")
    found = home.codes(name)
    return np.where(found.codes < 0, len(found.levels), found.codes), [*found.levels, MISSING]


def _bin_texts(edges: Sequence[float]) -> list[str]:
    inner = [f"{low:g} to <{high:g}" for low, high in pairwise(edges)]
    return [f"<{edges[0]:g}", *inner, f">={edges[-1]:g}"]


def listed(names: Sequence[str]) -> str:
    """Return the names of groups as a phrase; nameless ones as their number."""
    said = [name for name in names if not name.startswith("(small group")]
    nameless = len(names) - len(said)
    if nameless:
        said.append(f"{figure(nameless)} small group{'s' if nameless > 1 else ''}")
    return said[0] if len(said) == 1 else f"{', '.join(said[:-1])} and {said[-1]}"
