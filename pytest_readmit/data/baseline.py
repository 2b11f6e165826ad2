"""Save a dataset's distributions without its rows: nothing that fewer than `min_cell` rows share is told."""

import math
import re
from pathlib import PurePath
from typing import Any

import numpy as np

from pytest_readmit.data.column import Column
from pytest_readmit.data.dataset import Dataset
from pytest_readmit.data.profile import FORMAT, VERSION, filters_of
from pytest_readmit.data.profiled import Profiled
from pytest_readmit.data.store import Field
from pytest_readmit.data.table import number_text
from pytest_readmit.errors import MIN_CELL, DataError
from pytest_readmit.stats.bins import MOST, Bin, binned
from pytest_readmit.stats.cluster import bin_codes, distribution_design_effect
from pytest_readmit.stats.distribution import OTHER, Array, Distribution

OLDEST = 89.0
OLD = 120.0
"""Ages above 89 are one bin that ends here."""
FEWEST_COLLECTIVE = 2
MOST_LEVELS = 1000
MOST_OF_ONE = 0.5
_AGE = re.compile(r"(?:^|[^a-z])age(?:$|[^a-z])")
_UNITS = {"month": 12.0, "week": 52.18, "day": 365.25}
"""How many of each are a year."""
_BIRTH = re.compile(r"birth|(?:^|[^a-z])(?:born|dob|yob)(?:$|[^a-z])")
_FIRST_YEAR, _LAST_YEAR = 1850.0, 2100.0
_DATE = re.compile(r"\s*(?:\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{4})(?:\D|$)")


def saved(dataset: Dataset, *, min_cell: int = MIN_CELL) -> dict[str, Any]:
    """
    Return what a baseline holds of a dataset.

    A column that fewer than `min_cell` rows lack is saved as if that many less one lacked it, so that totals
    do not tell how many they are; patients are counted down to a multiple of `min_cell`.

    Args:
        dataset: The rows.
        min_cell: The smallest count of rows that is saved.

    Raises:
        DataError: `min_cell` tells of single rows, there are fewer rows, or it is a baseline itself.
    """
    if min_cell < FEWEST_COLLECTIVE:
        raise DataError(f"min_cell must be at least {FEWEST_COLLECTIVE}: below it, a count is a row")
    if isinstance(dataset, Profiled):
        raise DataError(f"{dataset.source} is a baseline already: name the data that it was saved from")
    if dataset.rows < min_cell:
        raise DataError(f"{dataset.source} has fewer than {min_cell} rows: nothing of it can be saved")
    patients = dataset.flow.get("patients")
    return {
        "format": FORMAT,
        "version": VERSION,
        "source": {
            "shown": PurePath(dataset.source).name,
            "sha256": dataset.digest(),
            "version": dataset.version,
            "filters": filters_of(dataset._store.spec),
        },
        "min_cell": min_cell,
        "rows": dataset.rows,
        "patients": None if patients is None else _down(patients, min_cell),
        "columns": [_column(dataset, field, min_cell) for field in dataset.fields],
    }


def _down(count: int, min_cell: int) -> int:
    return count // min_cell * min_cell


def _up(value: float) -> float:
    """Return a design effect rounded up: never too small, and not the footprint of a few rows."""
    return math.ceil(value * 20.0 - 1e-9) / 20.0


def _column(dataset: Dataset, field: Field, min_cell: int) -> dict[str, Any]:
    family = dataset._store.table.family(field.name)
    facts: dict[str, Any] = {"name": field.name, "family": family, "type": field.type, "kind": field.kind}
    why = _why_left_out(dataset, field)
    if why is None:
        try:
            return facts | _measured(dataset, field, min_cell)
        except _LeftOut as reason:
            why = str(reason)
        except DataError:
            why = "values that cannot be measured"
        finally:
            dataset.release(field.name)
    return facts | {"left_out": why}


class _LeftOut(Exception):
    """Why a column is not saved."""


def _why_left_out(dataset: Dataset, field: Field) -> str | None:
    """Return the role of a column that is never saved; target and score are."""
    why = dataset.roles.why_left_out(field)
    if field.name in (dataset.roles.target, dataset.roles.score, *dataset.roles.scores):
        return "date or time" if field.kind == "time" else None
    return why


def _measured(dataset: Dataset, field: Field, min_cell: int) -> dict[str, Any]:
    column = dataset.column(field.name)
    found = column.distribution
    missing = column.missing()
    few = 0 < found.missing < min_cell
    if 0 < found.n < min_cell:
        raise _LeftOut(f"fewer than {min_cell} values")
    values, counts = found.distinct()
    if found.n and not found.is_text and _is_birth_year(field.name, values, counts):
        raise _LeftOut("year of birth")
    shared = counts if found.units is None else _patients_of_each(dataset, column, values)
    if few:
        counts = _without(counts, min_cell - 1 - found.missing, ordered=not found.is_text)
    if found.n and int(counts.sum()) < min_cell:
        raise _LeftOut("too few rows")
    facts: dict[str, Any] = {
        "missing": None if few else found.missing,
        "design_effect": _up(found.design_effect),
        # That of a few rows would tell how many they are.
        "missing_design_effect": _up(_of_few(dataset, min_cell - 1) if few else missing.design_effect),
        "share_design_effect": 1.0,
        "units": None if found.units is None else _down(found.units, min_cell),
        "whole": column.integer_like,
    }
    if found.is_text:
        facts |= _levels(field.name, values, counts, shared, min_cell)
        names = [level for level, _ in facts["levels"]]
        edges = np.zeros(0)
    else:
        bins = _bins(field.name, values, counts, shared, min_cell)
        facts["told"] = _moments(found, min_cell)
        facts["bins"] = [[one.low, one.high, one.rows] for one in bins]
        names = [number_text(one.low) for one in bins if one.low == one.high]
        edges = np.unique([one.high for one in bins])
    if found.units is not None:
        facts["share_design_effect"] = _up(_share_effect(dataset, column, found, edges))
        if field.name == dataset.roles.target:
            facts["patients"] = _patients(dataset, field.name, names, min_cell)
    return facts


def _without(counts: Array, rows: int, *, ordered: bool) -> Array:
    """Return counts with so many rows less: around the median, or of the commonest level."""
    kept = counts.copy()
    while rows > 0 and kept.any():
        place = int(np.argmax(kept))
        if ordered:
            place = int(np.searchsorted(np.cumsum(kept), kept.sum() / 2))
        taken = min(rows, int(kept[place]))
        kept[place] -= taken
        rows -= taken
    return kept


def _bins(name: str, values: Array, counts: Array, shared: Array, min_cell: int) -> list[Bin]:
    kept = counts > 0
    values, counts, shared = values[kept], counts[kept], shared[kept]
    year = _year_of_age(name, values, counts)
    oldest = OLDEST * (year or math.inf)
    old = values > oldest
    if year is None or not old.any():
        return binned(values, counts, min_cell, MOST, shared)
    # Of those above 89, no age is told.
    pooled = np.append(values[~old], oldest + year)
    tally = (np.append(each[~old], each[old].sum()) for each in (counts, shared))
    *younger, last = binned(pooled, next(tally), min_cell, MOST, next(tally))
    end = OLD * year
    if values[-1] > end:
        end = 10.0 ** math.ceil(math.log10(float(values[-1])) + 1e-9)
    return [
        *(Bin(one.low, min(one.high, oldest), one.rows) for one in younger),
        Bin(min(last.low, oldest), end, last.rows),
    ]


def _moments(found: Distribution, min_cell: int) -> list[float] | None:
    """
    Return mean and standard deviation, and the unit both are rounded to; only where many values are rare.

    Of few values, these two numbers tell how many rows have each. Where one row makes up much of the
    spread, they tell its value, so the unit is coarser; where it makes up most of it, nothing is told.
    """
    values, counts = found.distinct()
    with np.errstate(over="ignore", invalid="ignore"):
        mean, sd = (found.mean(), found.sd()) if found.n else (0.0, 0.0)
    if sd <= 1e-9 * abs(mean) or not math.isfinite(mean * sd) or int((counts < min_cell).sum()) < min_cell:
        return None
    farthest = max(float(values[-1]) - mean, mean - float(values[0])) / sd
    part = farthest * farthest / found.n
    if part > MOST_OF_ONE:
        return None
    unit = float(f"1e{math.floor(math.log10(sd)) - (2 if part * min_cell <= 1.0 else 1)}")
    return [*(float(f"{round(value / unit) * unit:.12g}") for value in (mean, sd)), unit]


def _year_of_age(name: str, values: Array, counts: Array) -> float | None:
    """Return a year in the unit of a column of ages, by its name and its median; None where it is none."""
    words = _words(name)
    if _AGE.search(words) is None:
        return None
    stated = [days for unit, days in _UNITS.items() if unit in words]
    if stated:
        return stated[0]
    middle = float(values[np.searchsorted(np.cumsum(counts), counts.sum() / 2)])
    return next((year for year in (1.0, *_UNITS.values()) if middle <= OLD * year), None)


def _is_birth_year(name: str, values: Array, counts: Array) -> bool:
    middle = float(values[np.searchsorted(np.cumsum(counts), counts.sum() / 2)])
    return _BIRTH.search(_words(name)) is not None and _FIRST_YEAR <= middle <= _LAST_YEAR


def _words(name: str) -> str:
    return re.sub(r"([a-z])([A-Z])", r"\1 \2", name).lower()


def _patients_of_each(dataset: Dataset, column: Column, values: Array) -> Array:
    """Return how many patients have each value, shape (k,): a value of one patient's rows tells of one."""
    owners = dataset._rows.owners()
    if column.kind == "categorical":
        codes = dataset._rows.codes(column.name)
        places = {value: place for place, value in enumerate(values.tolist())}
        of_level = np.array([*(places.get(level, -1) for level in codes.levels), -1])
        at = of_level[codes.codes]
    else:
        numbers = dataset._rows.numbers(dataset.field(column.name)).floats()
        at = np.where(np.isnan(numbers), -1, np.searchsorted(values, numbers))
    patients = int(owners.max(initial=0)) + 1
    pairs = np.unique(at[at >= 0].astype(np.int64) * patients + owners[at >= 0])
    return np.bincount(pairs // patients, minlength=len(values))


def _levels(name: str, values: Array, counts: Array, shared: Array, min_cell: int) -> dict[str, Any]:
    """Return the levels of enough rows, and what may be told of the others."""
    rows = int(counts.sum())
    known = (np.minimum(counts, shared) >= min_cell) & (values != OTHER)
    if any(_DATE.match(str(value)) for value in values[known]):
        raise _LeftOut("dates as text")
    if _AGE.search(_words(name)) and any(_is_old(str(value)) for value in values):
        raise _LeftOut("ages above 89 as categories; as numbers they are pooled")
    order = np.argsort(-counts, kind="stable")
    shown = [int(place) for place in order if known[place]]
    actual = counts
    counts, lent = _lending(counts, shown, min_cell)
    while shown and 0 < rows - int(counts[shown].sum()) < min_cell:
        shown.pop()
    rest = rows - int(counts[shown].sum())
    if len(shown) > MOST_LEVELS or (rows and 2 * rest > rows):
        raise _LeftOut("text of many values")
    pooled = np.delete(actual, shown)
    most = int(pooled.max(initial=0))
    once, twice = (_down(int((pooled == times).sum()), min_cell) for times in (1, 2))
    return {
        "levels": sorted([str(values[place]), int(counts[place])] for place in shown),
        "pooled": {
            "rows": rest,
            "levels": -_down(-int((pooled > 0).sum()), min_cell),
            "most": min_cell - 1 if most < min_cell else -_down(-most, min_cell),
            "once": once,
            "twice": twice,
            "lent": lent,
        },
    }


def _is_old(text: str) -> bool:
    try:
        return float(text) > OLDEST
    except ValueError:
        return False


def _lending(counts: Array, shown: list[int], min_cell: int) -> tuple[Array, bool]:
    """Leave some rows of the commonest level to the others, where these are too few to be told."""
    wanted = min_cell - (int(counts.sum()) - int(counts[shown].sum()))
    if not shown or not 0 < wanted < min_cell or counts[shown[0]] - wanted < min_cell:
        return counts, False
    kept = counts.copy()
    kept[shown[0]] -= wanted
    return np.append(kept, wanted), True


def _share_effect(dataset: Dataset, column: Column, found: Distribution, edges: Array) -> float:
    """Return the largest design effect of any share that a check may ask for."""
    owners = dataset._rows.owners()
    if column.kind == "categorical":
        codes = dataset._rows.codes(column.name).codes
        present = codes >= 0
    else:
        values = dataset._rows.numbers(dataset.field(column.name)).floats()
        present = ~np.isnan(values)
        codes = bin_codes(np.where(present, values, 0.0), edges)
    if not present.any():
        return 1.0
    ordered = column.kind != "categorical"
    measured = distribution_design_effect(codes[present], owners[present], ordered=ordered)
    if column.name == dataset.roles.target and len(found.support) and column.distinct_count(2) <= 2:
        return measured  # of two labels there is one share
    return max(_copies(dataset), measured, found.design_effect)


def _copies(dataset: Dataset) -> float:
    """Return the design effect of rows that are the same for each patient."""
    owners = dataset.owners()
    if owners is None:
        return 1.0
    rows = np.bincount(owners).astype(np.float64)
    return float(rows @ rows) / float(rows.sum())


def _of_few(dataset: Dataset, rows: int) -> float:
    """Return the largest design effect of a share of so few rows: all of them are one patient's."""
    if dataset.owners() is None:
        return 1.0
    share = min(rows / dataset.rows, 0.5)
    return max(_copies(dataset), (rows + share * _copies(dataset)) / (1.0 - share))


def _patients(dataset: Dataset, name: str, levels: list[str], min_cell: int) -> dict[str, int]:
    """Return how many patients have each label, counted down."""
    codes, owners = dataset._rows.codes(name), dataset._rows.owners()
    found = {}
    for level in levels:
        if level in codes.levels:
            mine = owners[codes.codes == codes.levels.index(level)]
            found[level] = _down(len(np.unique(mine)), min_cell)
    return found
