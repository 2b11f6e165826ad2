"""Draw admissions of invented patients: who they are, what was measured, when they came, what followed."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

PATIENTS_PER_ROW = 0.625
AGE_SD = 16.6
EMERGENCY = ("EW EMER.", "DIRECT EMER.", "URGENT")
PLANNED = ("ELECTIVE", "SURGICAL SAME DAY ADMISSION")

_POOL_SEED = 20230101
_DRAWS_PER_PATIENT = 20
_ROW_DRAWS = 38
_SECONDS_A_DAY = 86_400

# Shares of patients with 1, 2, 3 and 4 admissions in a window: 1.6 on average.
_ADMISSIONS = np.array([0.62, 0.22, 0.10, 0.06])

# Each level with its share among the less and among the more severe admissions.
ADMISSION_TYPE = (
    ("EW EMER.", 0.28, 0.48),
    ("EU OBSERVATION", 0.16, 0.10),
    ("OBSERVATION ADMIT", 0.13, 0.15),
    ("URGENT", 0.07, 0.13),
    ("SURGICAL SAME DAY ADMISSION", 0.16, 0.05),
    ("DIRECT EMER.", 0.04, 0.05),
    ("ELECTIVE", 0.12, 0.03),
    ("DIRECT OBSERVATION", 0.04, 0.01),
)
DISCHARGE = (
    ("HOME", 0.60, 0.27),
    ("HOME HEALTH CARE", 0.23, 0.29),
    ("SKILLED NURSING FACILITY", 0.08, 0.22),
    ("REHAB", 0.03, 0.06),
    ("CHRONIC/LONG TERM ACUTE CARE", 0.01, 0.05),
    ("HOSPICE", 0.01, 0.04),
    ("AGAINST ADVICE", 0.02, 0.02),
    (None, 0.02, 0.05),
)
# Each level with its share under 65 and from 65.
INSURANCE = (
    ("Medicare", 0.16, 0.82),
    ("Private", 0.48, 0.10),
    ("Medicaid", 0.26, 0.03),
    ("Other", 0.10, 0.05),
)

_INTERCEPT = -2.28

Columns = dict[str, np.ndarray]


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """
    One period of one hospital.

    Args:
        seed: Seed of everything that belongs to the admissions rather than to the patients.
        start: First day, ISO format.
        days: Length in days; patients come at most four times, so 180 days always suffice.
        earlier_rows: Rows of the period before, whose last patients also come in this one.
        years_older: Added to every age before the rest is drawn.
        sicker: Added to every patient's burden of disease, in its standard deviations.
    """

    seed: int
    start: str
    days: int
    earlier_rows: int = 0
    years_older: float = 0.0
    sicker: float = 0.0


@dataclass(frozen=True, slots=True)
class Patients:
    """Patients of a window, one entry a patient; normals have mean 0 and variance 1."""

    subject_id: np.ndarray
    age: np.ndarray
    male: np.ndarray
    insurance_draw: np.ndarray
    burden: np.ndarray
    renal: np.ndarray
    blood: np.ndarray
    salts: np.ndarray
    immune: np.ndarray
    diabetic: np.ndarray
    earlier: np.ndarray


def uniforms(generator: np.random.PCG64, shape: tuple[int, ...]) -> np.ndarray:
    """
    Return draws in [0, 1) of the generator's raw 64-bit stream.

    numpy promises the raw stream for good, and not that of `Generator`'s methods.
    """
    raw = np.asarray(generator.random_raw(int(np.prod(shape))))
    return np.asarray((raw >> np.uint64(11)).reshape(shape) * 2.0**-53)


def normals(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return standard normals from two arrays of uniforms (Box and Muller 1958)."""
    return np.asarray(np.sqrt(-2.0 * np.log1p(-first)) * np.cos(2.0 * np.pi * second))


def draw_patients(window: Window, count: int) -> Patients:
    """
    Return `count` patients of the window.

    All windows share one endless list of patients, so that somebody who comes in two periods is the same
    person in both: 3% of the first patients of a window are the last of the period before.
    """
    skipped = int(0.97 * PATIENTS_PER_ROW * window.earlier_rows)
    pool = np.random.PCG64(_POOL_SEED).advance(skipped * _DRAWS_PER_PATIENT)
    draws = uniforms(pool, (count, _DRAWS_PER_PATIENT)).T
    index = skipped + np.arange(count, dtype=np.int64)
    seen_before = index < PATIENTS_PER_ROW * window.earlier_rows
    # The mean of two uniforms: a triangle from 18 to 100.
    place = (draws[0] + draws[1]) / 2
    own_burden = normals(draws[2], draws[3]) + window.sicker
    return Patients(
        # Multiplying modulo a prime shuffles the numbers and keeps them distinct.
        subject_id=10_000_000 + index * 7_919_273 % 9_999_991,
        age=18.0 + 82.0 * place + seen_before + window.years_older,
        male=draws[4] < 0.49,
        insurance_draw=draws[5],
        burden=0.94 * own_burden + 0.34 * (place - 0.5) * np.sqrt(24.0),
        renal=normals(draws[6], draws[7]),
        blood=normals(draws[8], draws[9]),
        salts=normals(draws[10], draws[11]),
        immune=normals(draws[12], draws[13]),
        diabetic=draws[14] < 0.28,
        earlier=draws[15],
    )


def draw_visits(draws: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """
    Return the patient (0, 1, ...) and the visit (0, 1, ...) of as many admissions as there are draws.

    Args:
        draws: Uniforms, shape (rows,): enough, as nobody comes less than once.
    """
    rows = len(draws)
    each = 1 + np.searchsorted(np.cumsum(_ADMISSIONS)[:-1], draws, side="right")
    patient = np.repeat(np.arange(rows), each)[:rows]
    first_row = np.cumsum(each) - each
    return patient, np.arange(rows) - first_row[patient]


def draw_features(window: Window, rows: int) -> Columns:
    """
    Return the columns that a model may learn from, one entry an admission.

    With them come subject_id, `visit` (0 for a patient's first here) and `years` (the exact age). The
    admissions of a patient are side by side and in order.
    """
    generator = np.random.PCG64(window.seed)
    draw = uniforms(generator, (_ROW_DRAWS, rows))
    who, visit = draw_visits(draw[0])
    patients = draw_patients(window, int(who[-1]) + 1)
    burden = patients.burden[who]
    acute = normals(draw[1], draw[2])
    severity = 0.7 * burden + 0.714 * acute
    columns: Columns = {
        "subject_id": patients.subject_id[who],
        "visit": visit,
        "years": patients.age[who],
        "age": recorded_age(patients.age[who]),
        "sex": np.where(patients.male, "M", "F").astype(object)[who],
        "insurance": draw_insurance(patients, who, draw[3], draw[4]),
    }
    worse = draw[5] < 1.0 / (1.0 + np.exp(-1.2 * severity))
    columns["admission_type"] = draw_level(ADMISSION_TYPE, worse, draw[6])
    columns["discharge_location"] = draw_level(DISCHARGE, worse, draw[7])
    stay = np.clip(0.3 * severity + 0.62 * normals(draw[8], draw[9]), -2.4, 2.4)
    columns["los_days"] = np.round(3.3 * np.exp(stay), 2)
    earlier = np.floor(-np.log1p(-patients.earlier) * 0.7 * np.exp(np.clip(0.35 * patients.burden, -1, 1)))
    columns["prior_admissions"] = (np.minimum(earlier, 8)[who] + visit).astype(np.int64)
    counted = np.rint(11.5 + 3.6 * severity + 2.2 * normals(draw[10], draw[11]))
    columns["diagnosis_count"] = np.clip(counted, 1, 39).astype(np.int64)
    index = np.floor(2.0 * np.exp(0.45 * burden + 0.08 * acute))
    columns["comorbidity_index"] = np.minimum(index, 15).astype(np.int64)
    return columns | draw_labs(patients, who, severity, draw[12:])


def recorded_age(years: np.ndarray) -> np.ndarray:
    """Return whole years; who is older than 89 is recorded as 91, as in MIMIC-IV."""
    whole = np.floor(years).astype(np.int64)
    return np.where(whole > 89, 91, whole)


def draw_level(
    table: tuple[tuple[str | None, float, float], ...], second: np.ndarray, draw: np.ndarray
) -> np.ndarray:
    """Return levels: by the table's second shares where `second` is true, else by its first."""
    names = np.array([row[0] for row in table], dtype=object)
    chosen = np.empty(len(draw), dtype=np.int64)
    for flag in (False, True):
        edges = np.cumsum([row[1 + flag] for row in table])[:-1]
        mask = second == flag
        chosen[mask] = np.searchsorted(edges, draw[mask], side="right")
    return names[chosen]


def draw_insurance(
    patients: Patients, who: np.ndarray, switches: np.ndarray, fresh: np.ndarray
) -> np.ndarray:
    """Return the payer: the patient's own, except for one admission in forty."""
    draw = np.where(switches < 0.025, fresh, patients.insurance_draw[who])
    return draw_level(INSURANCE, patients.age[who] >= 65, draw)


def draw_labs(patients: Patients, who: np.ndarray, severity: np.ndarray, draw: np.ndarray) -> Columns:
    """
    Return the nine labs of each admission, NaN where not measured.

    Args:
        patients: Everybody.
        who: The patient of each admission.
        severity: Of each admission.
        draw: Uniforms, shape (26, admissions).
    """
    noise = [normals(draw[2 * i], draw[2 * i + 1]) for i in range(9)]
    renal = patients.renal[who] + 1.3 * np.maximum(patients.renal[who] - 1.2, 0.0)
    blood, salts, immune = patients.blood[who], patients.salts[who], patients.immune[who]
    male, diabetic = patients.male[who], patients.diabetic[who]
    infection = noise[0]
    haemoglobin = 11.0 + 1.0 * male - 0.6 * severity + 0.8 * blood - 0.15 * renal + 0.9 * noise[1]
    labs = {
        "glucose": np.round(
            110.0 * np.exp(0.33 * diabetic + 0.07 * severity + 0.08 * salts + 0.2 * noise[2])
        ),
        "creatinine": np.round(
            0.88 * np.exp(0.14 * male + 0.08 * severity + 0.28 * renal + 0.14 * noise[3]), 1
        ),
        "urea_nitrogen": np.round(16.5 * np.exp(0.10 * severity + 0.28 * renal + 0.22 * noise[4])),
        "haemoglobin": np.round(np.clip(haemoglobin, 4.0, 19.5), 1),
        "sodium": np.round(138.6 - 0.7 * severity + 1.3 * salts + 2.6 * noise[5]),
        "potassium": np.round(4.1 + 0.1 * renal + 0.12 * salts + 0.38 * noise[6], 1),
        "white_cells": np.round(8.4 * np.exp(0.05 * severity + 0.14 * immune + 0.32 * infection), 1),
        "platelets": np.round(
            222.0 * np.exp(-0.04 * severity + 0.2 * blood + 0.12 * infection + 0.2 * noise[7])
        ),
        "lactate": np.round(1.55 * np.exp(0.15 * severity + 0.2 * infection + 0.25 * noise[8]), 1),
    }
    _lose(labs, severity, draw[18:])
    return labs


def _lose(labs: Columns, severity: np.ndarray, draw: np.ndarray) -> None:
    """Replace by NaN what was not measured: panels together, lactate mostly where nobody was worried."""
    calm = 1.0 / (1.0 + np.exp(severity))
    chemistry = draw[0] < 0.05 * calm
    counts = draw[1] < 0.06 * calm
    singles = ("glucose", "creatinine", "urea_nitrogen", "sodium", "potassium")
    for place, name in enumerate(singles, start=2):
        labs[name][chemistry | (draw[place] < 0.01)] = np.nan
    for name in ("haemoglobin", "white_cells", "platelets"):
        labs[name][counts] = np.nan
    labs["lactate"][draw[7] < 0.35 + 0.4 * calm] = np.nan


def log_odds(columns: Mapping[str, np.ndarray]) -> np.ndarray:
    """
    Return the log-odds of readmission by the model that the cohort's `risk` comes from.

    It reads what was recorded; a missing lab counts as typical, an unknown level as the most common.
    Glucose and creatinine are left out on purpose: a unit error in them must not leak into the risk.
    """
    kind, place = columns["admission_type"], columns["discharge_location"]
    anaemia = 11.5 - columns["haemoglobin"]
    dilution = 138.6 - columns["sodium"]
    urea = np.log(np.fmax(columns["urea_nitrogen"], 1.0) / 17.0)
    return np.asarray(
        _INTERCEPT
        + 0.42 * (columns["age"] - 59.0) / AGE_SD
        + 0.45 * (np.log1p(columns["prior_admissions"]) - 0.6)
        + 0.12 * (columns["comorbidity_index"] - 2.0)
        + 0.035 * (columns["diagnosis_count"] - 11.5)
        + 0.15 * (np.log1p(columns["los_days"]) - 1.5)
        + 0.20 * _among(kind, EMERGENCY)
        - 0.40 * _among(kind, PLANNED)
        + 0.20 * _among(place, ("SKILLED NURSING FACILITY", "CHRONIC/LONG TERM ACUTE CARE"))
        + 0.60 * _among(place, ("AGAINST ADVICE",))
        - 0.90 * _among(place, ("HOSPICE",))
        + 0.08 * np.nan_to_num(anaemia)
        + 0.03 * np.nan_to_num(dilution)
        + 0.20 * np.where(np.isnan(columns["urea_nitrogen"]), 0.0, urea)
    )


def _among(column: np.ndarray, levels: tuple[str, ...]) -> np.ndarray:
    found = np.zeros(len(column), dtype=bool)
    for level in levels:
        found |= column == level
    return found


def probability(log_odds: np.ndarray) -> np.ndarray:
    """Return probabilities to four decimals, never 0 or 1: what a scoring service would write down."""
    return np.asarray(np.clip(np.round(1.0 / (1.0 + np.exp(-log_odds)), 4), 0.0001, 0.9999))


def place_in_time(
    window: Window, columns: Columns, readmitted: np.ndarray, draw: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """
    Return admission and discharge times, datetime64[s], that agree with the labels.

    A patient's next admission in the window is within 30 days of discharge if the label says so, and
    later if it does not; the rest of the window is spread over the gaps that are free.

    Args:
        window: The period.
        columns: `visit` and `los_days`, the admissions of a patient side by side and in order.
        readmitted: Labels, shape (rows,).
        draw: Uniforms, shape (3, rows).
    """
    stay = columns["los_days"]
    opens = columns["visit"] == 0
    patient = np.cumsum(opens) - 1
    starts = np.flatnonzero(opens)
    previous = np.roll(stay, 1)
    soon = np.roll(readmitted, 1) == 1
    forced = np.where(opens, 0.0, previous + np.where(soon, 0.5 + 29.0 * draw[0], 30.1))
    weight = np.where(opens | ~soon, -np.log1p(-draw[1]), 0.0)
    after = -np.log1p(-draw[2][starts])
    free = np.maximum(window.days - 0.01 - np.add.reduceat(forced, starts), 0.0)
    share = free / (np.add.reduceat(weight, starts) + after)
    day = forced + weight * share[patient]
    for visit in range(1, len(_ADMISSIONS)):
        rows = np.flatnonzero(columns["visit"] == visit)
        day[rows] += day[rows - 1]
    admitted = np.datetime64(window.start, "s") + np.rint(day * 1440).astype("timedelta64[m]")
    stayed = np.rint(stay * _SECONDS_A_DAY).astype("timedelta64[s]")
    return admitted, admitted + stayed
