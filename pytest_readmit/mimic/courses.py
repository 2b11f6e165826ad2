"""Follow invented patients from stay to stay: what each stay was like, and what came after it."""

from dataclasses import dataclass

import numpy as np

from pytest_readmit.mimic.cohort import (
    ADMISSION_TYPE,
    DISCHARGE,
    PLANNED,
    Columns,
    Patients,
    draw_insurance,
    draw_labs,
    draw_level,
    log_odds,
    normals,
    probability,
    recorded_age,
    uniforms,
)
from pytest_readmit.mimic.diagnoses import ACUTE, CHRONIC, charlson, likelihood

MOST_STAYS = 12
START = np.datetime64("2008-01-01", "D")
DAYS = 4383
"""The hospital's records run from 2008 to the end of 2019."""

_PATIENT_DRAWS = 32 + len(CHRONIC)
_LABS_AT = 26
_CODES_AT = _LABS_AT + 26
_EXTRAS_AT = _CODES_AT + len(CHRONIC) + len(ACUTE)
EXTRAS = 24
_STAY_DRAWS = _EXTRAS_AT + EXTRAS
_DRAWS = _PATIENT_DRAWS + MOST_STAYS * _STAY_DRAWS


@dataclass(frozen=True, slots=True)
class People:
    """
    Patients, one entry each.

    Args:
        patients: What their stays depend on.
        chronic: Which of `CHRONIC` they have, shape (diagnoses, patients).
        first_day: Day of the first admission since `START`.
        extras: Uniforms for what nothing else depends on, shape (8, patients).
    """

    patients: Patients
    chronic: np.ndarray
    first_day: np.ndarray
    extras: np.ndarray


@dataclass(frozen=True, slots=True)
class Stays:
    """
    Stays, one entry each, those of a patient side by side and in order.

    Args:
        who: Place of the patient.
        columns: What was recorded, with `start` and `end` in days since `START` and `died`.
        coded: Which of `CHRONIC` and `ACUTE` were coded, shape (diagnoses, stays).
        extras: Uniforms for what nothing else depends on, shape (24, stays).
    """

    who: np.ndarray
    columns: Columns
    coded: np.ndarray
    extras: np.ndarray


def draw_course(seed: int, first: int, count: int) -> tuple[People, Stays, np.ndarray]:
    """
    Return patients `first` to `first + count`, their stays, and the day each died.

    A patient is the same whoever else is drawn. The day of death is infinite for who lives on.
    """
    generator = np.random.PCG64(seed).advance(first * _DRAWS)
    draws = uniforms(generator, (count, _DRAWS)).T
    people = _draw_people(first, draws[:_PATIENT_DRAWS])
    blocks = draws[_PATIENT_DRAWS:].reshape(MOST_STAYS, _STAY_DRAWS, count)
    start, death = people.first_day, np.full(count, np.inf)
    forced = np.zeros(count, dtype=np.int64)
    before: list[np.ndarray] = []
    parts: list[Stays] = []
    who = np.arange(count)
    for block in blocks:
        who = who[np.isfinite(start[who]) & (start[who] < death[who])]
        stays = _draw_stays(people, who, block[:, who], start[who], forced[who], before)
        # What runs beyond the records is not in them, nor is what came later.
        inside = stays.columns["end"] < DAYS
        stays, who, draw = _kept(stays, inside), who[inside], block[:, who[inside]]
        parts.append(stays)
        before.append(_by_patient(count, who, stays.columns["start"]))
        death[who] = _day_of_death(stays, draw)
        following = np.full(count, np.inf)
        following[who], forced[who] = _next_start(people, stays, draw)
        start = following
    return people, _in_order(parts), death


def _draw_people(first: int, draw: np.ndarray) -> People:
    index = first + np.arange(draw.shape[1], dtype=np.int64)
    place = (draw[0] + draw[1]) / 2
    age = 18.0 + 82.0 * place
    burden = 0.94 * normals(draw[2], draw[3]) + 0.34 * (place - 0.5) * np.sqrt(24.0)
    renal = normals(draw[6], draw[7])
    diabetic = draw[14] < 0.28
    chronic = draw[32:] < likelihood(CHRONIC, burden, age)
    chronic[0], chronic[1] = diabetic, renal > 1.2
    patients = Patients(
        subject_id=10_000_000 + index * 7_919_273 % 9_999_991,
        age=age,
        male=draw[4] < 0.49,
        insurance_draw=draw[5],
        burden=burden,
        renal=renal,
        blood=normals(draw[8], draw[9]),
        salts=normals(draw[10], draw[11]),
        immune=normals(draw[12], draw[13]),
        diabetic=diabetic,
        earlier=draw[15],
    )
    return People(patients, chronic, draw[16] * DAYS, draw[17:25])


def _draw_stays(
    people: People,
    who: np.ndarray,
    draw: np.ndarray,
    start: np.ndarray,
    forced: np.ndarray,
    before: list[np.ndarray],
) -> Stays:
    """
    Return one stay of each of some patients.

    Args:
        people: Everybody.
        who: Whose stay it is.
        draw: Uniforms, shape (_STAY_DRAWS, stays).
        start: Day of admission.
        forced: 1 where the stay is no planned one, 2 where it is, 0 where that is open.
        before: Days of all earlier admissions, one array over all patients a round.
    """
    patients = people.patients
    acute = normals(draw[0], draw[1])
    severity = 0.7 * patients.burden[who] + 0.714 * acute
    worse = draw[2] < 1.0 / (1.0 + np.exp(-1.2 * severity))
    kind = draw_level(ADMISSION_TYPE, worse, draw[3])
    planned = np.isin(kind, PLANNED)
    kind[planned & (forced == 1)] = "EW EMER."
    kind[~planned & (forced == 2)] = "ELECTIVE"
    place = draw_level(DISCHARGE, worse, draw[4])
    died = draw[5] < probability(-4.6 + 1.0 * severity)
    place[died] = "DIED"
    stay = np.clip(0.3 * severity + 0.62 * normals(draw[6], draw[7]), -2.4, 2.4)
    minutes = np.rint(3.3 * np.exp(stay) * 1440.0)
    start = np.floor(start) + _hour(draw[8]) / 24.0
    years = patients.age[who] + (start - people.first_day[who]) / 365.25
    chance = likelihood(ACUTE, severity, years)
    codes = draw[_CODES_AT:_EXTRAS_AT]
    coded = np.vstack(
        [
            people.chronic[:, who] & (codes[: len(CHRONIC)] < 0.9),
            codes[len(CHRONIC) :] < chance,
        ]
    )
    coded[len(CHRONIC)] |= ~coded.any(axis=0)
    recent = [(start - days[who] <= 365.0) & (days[who] < start) for days in before]
    columns: Columns = {
        "severity": severity,
        "start": start,
        "end": start + minutes / 1440.0,
        "minutes": minutes.astype(np.int64),
        "died": died,
        "age": recorded_age(years),
        "insurance": draw_insurance(patients, who, draw[9], draw[10]),
        "admission_type": kind,
        "discharge_location": place,
        "los_days": minutes / 1440.0,
        "prior_admissions": np.sum([np.zeros(len(who)), *recent], axis=0),
        "diagnosis_count": coded.sum(axis=0),
        "comorbidity_index": charlson(people.chronic)[who],
    }
    columns |= draw_labs(patients, who, severity, draw[_LABS_AT:_CODES_AT])
    return Stays(who, columns, coded, draw[_EXTRAS_AT:])


def _hour(draw: np.ndarray) -> np.ndarray:
    """Return the hour of admission to the minute: mostly from morning to midnight."""
    return np.asarray(np.floor(1440.0 * (1.0 - draw**1.4)) / 60.0)


def _next_start(people: People, stays: Stays, draw: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the day of the next admission, infinite for none, and whether it is planned (2) or not (1)."""
    columns = stays.columns
    returns = draw[11] < probability(_odds_of_return(columns))
    back = ~returns & (draw[12] < 0.025)
    burden = people.patients.burden[stays.who]
    later = ~returns & ~back & (draw[13] < 0.42 + 0.08 * np.clip(burden, -2.0, 2.0))
    wait = np.full(len(returns), np.inf)
    wait[returns] = 0.4 + 29.0 * draw[14][returns] ** 1.4
    wait[back] = 4.0 + 25.0 * draw[14][back]
    wait[later] = 31.5 - 320.0 * np.log1p(-draw[14][later])
    wait[columns["died"]] = np.inf
    forced = np.where(returns, 1, np.where(back, 2, 0))
    # Rounded up to the next day, as the hour is drawn with the stay.
    return np.ceil(columns["end"] + wait), forced


def _odds_of_return(columns: Columns) -> np.ndarray:
    """Return the log-odds of an unplanned return within 30 days: more than a sum of its parts."""
    again = columns["prior_admissions"] >= 1
    uraemic = np.nan_to_num(columns["urea_nitrogen"]) > 22.0
    hasty = (columns["los_days"] < 2.5) & (columns["age"] >= 70)
    anaemic = np.nan_to_num(columns["haemoglobin"], nan=12.0) < 9.8
    extra = 1.0 * (again & uraemic) + 1.6 * hasty + 1.2 * (anaemic & ~again)
    return np.asarray(0.05 + 0.8 * log_odds(columns) + extra)


def _day_of_death(stays: Stays, draw: np.ndarray) -> np.ndarray:
    columns = stays.columns
    hospice = columns["discharge_location"] == "HOSPICE"
    soon = draw[15] < np.where(hospice, 0.9, probability(-4.2 + 0.8 * columns["severity"]))
    wait = np.where(hospice, -14.0, -120.0) * np.log1p(-draw[16])
    day = np.where(soon, columns["end"] + 0.5 + wait, np.inf)
    return np.asarray(np.where(columns["died"], columns["end"], day))


def _by_patient(count: int, who: np.ndarray, values: np.ndarray) -> np.ndarray:
    spread = np.full(count, -np.inf)
    spread[who] = values
    return spread


def _kept(stays: Stays, keep: np.ndarray) -> Stays:
    columns = {name: values[keep] for name, values in stays.columns.items()}
    return Stays(stays.who[keep], columns, stays.coded[:, keep], stays.extras[:, keep])


def _in_order(parts: list[Stays]) -> Stays:
    who = np.concatenate([part.who for part in parts])
    order = np.argsort(who, kind="stable")
    columns = {
        name: np.concatenate([part.columns[name] for part in parts])[order] for name in parts[0].columns
    }
    coded = np.concatenate([part.coded for part in parts], axis=1)[:, order]
    extras = np.concatenate([part.extras for part in parts], axis=1)[:, order]
    return Stays(who[order], columns, coded, extras)
