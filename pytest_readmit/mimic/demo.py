"""The `demo` source: four windows of one invented cohort, and what was planted in them."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl

import numpy as np

from pytest_readmit.errors import DataError, did_you_mean
from pytest_readmit.mimic.cohort import (
    Columns,
    Window,
    draw_features,
    log_odds,
    place_in_time,
    probability,
    recorded_age,
    uniforms,
)

DEFAULT_ROWS = 20_000
MOST_ROWS = 2_000_000
CREATININE_FACTOR = 88.4
GLUCOSE_FACTOR = 18.0
NEW_ADMISSION_TYPE = "HOSPITAL AT HOME"
# A little more than half a standard deviation, because those over 89 are recorded as 91 all the same.
YEARS_OLDER = 8.75

_ORDER = (
    "subject_id",
    "hadm_id",
    "admittime",
    "dischtime",
    "age",
    "sex",
    "insurance",
    "admission_type",
    "discharge_location",
    "los_days",
    "prior_admissions",
    "diagnosis_count",
    "comorbidity_index",
    "glucose",
    "creatinine",
    "urea_nitrogen",
    "haemoglobin",
    "sodium",
    "potassium",
    "white_cells",
    "platelets",
    "lactate",
    "readmitted_30d",
    "risk",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Planted:
    """
    One thing that is wrong in a window.

    Args:
        column: Where it shows.
        what: What was done, or what it follows from.
        fails: The checks of `suites/drift.yml` that must fail for this column.
        consequence: True if it was not planted itself but follows from what was.
    """

    column: str
    what: str
    fails: tuple[str, ...]
    consequence: bool = False


PLANTED: Mapping[str, tuple[Planted, ...]] = {
    "reference": (),
    "current": (),
    "drifted": (
        Planted(
            column="creatinine",
            what="3% of rows in umol/L instead of mg/dL: multiplied by 88.4",
            fails=("unit_change", "extreme_values", "out_of_range"),
        ),
        Planted(
            column="glucose",
            what="3% of rows in mmol/L instead of mg/dL: divided by 18",
            fails=("unit_change", "out_of_range"),
        ),
        Planted(
            column="age",
            what="every patient older by half a standard deviation",
            fails=("data_drift",),
        ),
        Planted(
            column="admission_type",
            what=f"2% of rows have the new type {NEW_ADMISSION_TYPE}",
            fails=("unseen_categories",),
        ),
        Planted(column="lactate", what="missing 10 points more often", fails=("missing_drift",)),
        Planted(
            column="readmitted_30d",
            what="what the model knows counts half, early discharge counts more, and more patients return",
            fails=("target_drift",),
        ),
        Planted(
            column="risk",
            what="the model reads the higher age",
            fails=("prediction_drift",),
            consequence=True,
        ),
    ),
    "inputs_shifted": (
        Planted(
            column="age",
            what="patients older by half a standard deviation",
            fails=("data_drift",),
        ),
        Planted(
            column="comorbidity_index",
            what="patients sicker by 0.6 standard deviations of the burden of disease",
            fails=("data_drift",),
        ),
        Planted(
            column="diagnosis_count",
            what="sicker patients have more diagnoses",
            fails=("data_drift",),
            consequence=True,
        ),
        Planted(
            column="insurance",
            what="more patients are 65 or older, so more are on Medicare",
            fails=("data_drift",),
            consequence=True,
        ),
        Planted(
            column="risk",
            what="older and sicker patients are at a higher risk",
            fails=("prediction_drift",),
            consequence=True,
        ),
        Planted(
            column="readmitted_30d",
            what="and come back more often, just as the risk says",
            fails=("target_drift",),
            consequence=True,
        ),
    ),
}


def planted(name: str) -> tuple[Planted, ...]:
    """Return what is wrong in a window, in the words of `PLANTED`; DataError for an unknown name."""
    return PLANTED[_parse(name)[0]]


def open_demo(name: str) -> dict[str, np.ndarray]:
    """
    Return one window of the invented cohort, column by column.

    * `reference`: the year 2023.
    * `current`: the first half of 2024; the same law, other patients (3% come in both).
    * `drifted`: the admissions of `current`, to which happened what `PLANTED` lists.
    * `inputs_shifted`: older and sicker patients; the risk still says how often they come back.

    The same name gives the same values on every computer. Rows are ordered by admission time.

    Args:
        name: A window; `current?rows=5000` asks for another number of rows than 20,000.

    Returns:
        Arrays of equal length: int64 for identifiers, counts and the label; float64 with NaN for labs, stay
        (days) and risk; object arrays of text with None for categories; datetime64[s] for times. Labs are
        in US units (mg/dL, g/dL, mmol/L, 10^9/L).

    Raises:
        DataError: If there is no such window, or the number of rows is not 1 to 2,000,000.
    """
    window, rows = _parse(name)
    period = _window(window, rows)
    columns = draw_features(period, rows)
    generator = np.random.PCG64(period.seed).jumped()
    draw = uniforms(generator, (8, rows))
    if window == "drifted":
        _plant(columns, draw[4:])
    odds = log_odds(columns)
    columns["risk"] = probability(odds)
    truth = _changed_relation(columns, odds) if window == "drifted" else columns["risk"]
    columns["readmitted_30d"] = (draw[0] < truth).astype(np.int64)
    columns["admittime"], columns["dischtime"] = place_in_time(
        period, columns, columns["readmitted_30d"], draw[1:4]
    )
    # Multiplying modulo a prime shuffles the numbers and keeps them distinct, also between periods.
    serial = (period.earlier_rows > 0) * MOST_ROWS + np.arange(rows, dtype=np.int64)
    columns["hadm_id"] = 20_000_000 + serial * 7_919_273 % 9_999_991
    order = np.argsort(columns["admittime"], kind="stable")
    return {column: columns[column][order] for column in _ORDER}


def _window(name: str, rows: int) -> Window:
    if name == "reference":
        return Window(seed=1, start="2023-01-01", days=365)
    shifted = name == "inputs_shifted"
    return Window(
        seed=2,
        start="2024-01-01",
        days=182,
        earlier_rows=rows,
        years_older=YEARS_OLDER if shifted else 0.0,
        sicker=0.6 if shifted else 0.0,
    )


def _plant(columns: Columns, draw: np.ndarray) -> None:
    """Change the columns as `PLANTED` says; each on rows of its own choosing."""
    flipped = draw[0] < 0.03
    columns["creatinine"][flipped] = np.round(columns["creatinine"][flipped] * CREATININE_FACTOR)
    flipped = draw[1] < 0.03
    columns["glucose"][flipped] = np.round(columns["glucose"][flipped] / GLUCOSE_FACTOR, 1)
    columns["admission_type"][draw[2] < 0.02] = NEW_ADMISSION_TYPE
    # Among the rows that have a value, so that the share missing rises by 10 points of all rows.
    kept = np.mean(~np.isnan(columns["lactate"]))
    columns["lactate"][draw[3] * kept < 0.10] = np.nan
    # Only the age itself: the payer, the burden of disease and all that hangs on them stay as they were.
    columns["age"] = recorded_age(columns["years"] + YEARS_OLDER)


def _changed_relation(columns: Columns, odds: np.ndarray) -> np.ndarray:
    """Return the true probability of readmission once early discharge has become the main cause."""
    early = 1.5 - np.log1p(columns["los_days"])
    return probability(-1.55 + 0.45 * (odds - odds.mean()) + 0.5 * early)


def _parse(name: str) -> tuple[str, int]:
    window, _, query = name.partition("?")
    if window not in PLANTED:
        hint = did_you_mean(window, PLANTED) or f"; there are {', '.join(PLANTED)}"
        raise DataError(f"demo: no window {window!r}{hint}")
    options = dict(parse_qsl(query, keep_blank_values=True))
    for key in options:
        if key != "rows":
            raise DataError(f"demo:{window}: unknown option {key!r}; there is only 'rows'")
    text = options.get("rows", str(DEFAULT_ROWS))
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:9]) <= MOST_ROWS:
        raise DataError(f"demo:{window}: 'rows' must be a whole number from 1 to {MOST_ROWS}")
    return window, int(text)
