import hashlib
import subprocess
import sys
import time

import numpy as np
import pytest

from pytest_readmit.errors import DataError
from pytest_readmit.mimic import demo
from pytest_readmit.mimic.cohort import log_odds, probability

WINDOWS = ("reference", "current", "drifted", "inputs_shifted")
LABS = [
    "glucose",
    "creatinine",
    "urea_nitrogen",
    "haemoglobin",
    "sodium",
    "potassium",
    "white_cells",
    "platelets",
    "lactate",
]
TEXT = ("sex", "insurance", "admission_type", "discharge_location")
DAY = np.timedelta64(1, "D")
DIGESTS = {
    "reference": "6d2041d7d519ea14b98609666e32afc52fe238e1432835d6134af78d598880fb",
    "current": "0933b3a026cfce701bda02bf10f6e2ad80a3868a597bfe02655a0a4f9238dfa9",
    "drifted": "73e43593d4729e760af817115ea78af6e67b3d6d8336b2832008c6c129cad763",
    "inputs_shifted": "d7430bb7c9a4ba6ef46ae8bffa939c5d47812aa880b0d9a8c5ef394634dc2789",
}


@pytest.fixture(scope="module")
def windows():
    return {name: demo.open_demo(name) for name in WINDOWS}


def digest(columns):
    state = hashlib.sha256()
    for name, values in columns.items():
        data = "\x1f".join(map(str, values)).encode() if values.dtype == object else values.tobytes()
        state.update(f"{name}:{values.dtype}:{len(values)}:".encode() + data)
    return state.hexdigest()


def area_under_roc(label, score):
    _, place, ties = np.unique(score, return_inverse=True, return_counts=True)
    rank = (np.cumsum(ties) - (ties - 1) / 2)[place]
    positives = label.sum()
    wins = rank[label == 1].sum() - positives * (positives + 1) / 2
    return wins / (positives * (len(label) - positives))


def ks(first, second):
    first, second = (np.sort(side[~np.isnan(side)]) for side in (first, second))
    points = np.concatenate([first, second])
    shares = [np.searchsorted(side, points, side="right") / len(side) for side in (first, second)]
    return np.abs(shares[0] - shares[1]).max()


def missing(values):
    return np.mean([value is None for value in values]) if values.dtype == object else np.isnan(values).mean()


@pytest.mark.parametrize("name", WINDOWS)
def test_a_window_is_the_same_on_every_computer_and_with_every_numpy(windows, name):
    assert digest(windows[name]) == DIGESTS[name]


def test_a_window_is_the_same_in_another_process():
    code = (
        "import runpy, sys\n"
        f"digest = runpy.run_path({__file__!r})['digest']\n"
        "from pytest_readmit.mimic.demo import open_demo\n"
        "print(digest(open_demo('drifted')))"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == DIGESTS["drifted"]


def test_the_global_random_state_is_left_alone():
    np.random.seed(1)
    before = np.random.get_state()[1].copy()
    demo.open_demo("current?rows=100")
    assert (np.random.get_state()[1] == before).all()


@pytest.mark.parametrize("name", WINDOWS)
def test_a_window_has_20000_rows_of_the_same_columns_and_types(windows, name):
    columns = windows[name]
    assert {len(values) for values in columns.values()} == {20_000}
    assert list(columns) == list(windows["reference"])
    for column, values in columns.items():
        if column in TEXT:
            assert {type(value) for value in values} <= {str, type(None)}
        elif column in ("admittime", "dischtime"):
            assert values.dtype == "datetime64[s]"
        elif column in (*LABS, "los_days", "risk"):
            assert values.dtype == np.float64
            assert not np.isinf(values).any()
        else:
            assert values.dtype == np.int64


@pytest.mark.parametrize("rows", [1, 2, 7, 5000])
def test_the_number_of_rows_can_be_chosen(rows):
    for name in WINDOWS:
        columns = demo.open_demo(f"{name}?rows={rows}")
        assert {len(values) for values in columns.values()} == {rows}


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("refrence", "did you mean 'reference'"),
        ("zebra", "reference, current, drifted, inputs_shifted"),
        ("current?row=5", "unknown option 'row'"),
        ("current?rows=0", "whole number"),
        ("current?rows=-3", "whole number"),
        ("current?rows=", "whole number"),
        ("current?rows=1e3", "whole number"),
        ("current?rows=" + "9" * 5000, "whole number"),
    ],
)
def test_what_is_no_window_is_a_data_error_that_says_what_would_be(name, said):
    with pytest.raises(DataError, match=said) as caught:
        demo.open_demo(name)
    assert len(str(caught.value)) < 200


def test_a_window_is_drawn_in_a_moment():
    best = []
    for _ in range(3):
        start = time.perf_counter()
        demo.open_demo("current")
        best.append(time.perf_counter() - start)
    assert min(best) < 0.5  # 0.04 s on an idle machine


@pytest.mark.parametrize("name", ["reference", "current"])
def test_about_eleven_percent_are_readmitted(windows, name):
    assert 0.10 <= windows[name]["readmitted_30d"].mean() <= 0.12


@pytest.mark.parametrize("name", ["reference", "current", "inputs_shifted"])
def test_the_risk_is_calibrated_and_discriminates_as_such_models_do(windows, name):
    label, risk = windows[name]["readmitted_30d"], windows[name]["risk"]
    assert 0.68 <= area_under_roc(label, risk) <= 0.74
    spread = np.sqrt((risk * (1 - risk)).sum()) / len(risk)
    assert abs(label.mean() - risk.mean()) < 3 * spread
    for group in np.array_split(np.argsort(risk, kind="stable"), 10):
        spread = np.sqrt((risk[group] * (1 - risk[group])).sum()) / len(group)
        assert abs(label[group].mean() - risk[group].mean()) < 3.5 * spread


@pytest.mark.parametrize("name", WINDOWS)
def test_the_risk_is_the_same_function_of_the_recorded_columns_everywhere(windows, name):
    assert (probability(log_odds(windows[name])) == windows[name]["risk"]).all()


@pytest.mark.parametrize("name", WINDOWS)
def test_patients_repeat_and_admissions_do_not(windows, name):
    columns = windows[name]
    assert len(np.unique(columns["hadm_id"])) == 20_000
    _, visits = np.unique(columns["subject_id"], return_counts=True)
    assert 1.5 < visits.mean() < 1.7
    assert visits.max() == 4


def test_few_patients_come_in_two_periods_and_are_the_same_persons(windows):
    reference, current = windows["reference"], windows["current"]
    common = np.intersect1d(reference["subject_id"], current["subject_id"])
    assert 0.01 < len(common) / len(np.unique(current["subject_id"])) < 0.05
    assert not set(reference["hadm_id"]) & set(current["hadm_id"])
    sexes = [dict(zip(side["subject_id"], side["sex"], strict=True)) for side in (reference, current)]
    ages = [dict(zip(side["subject_id"], side["age"], strict=True)) for side in (reference, current)]
    assert all(sexes[0][patient] == sexes[1][patient] for patient in common)
    grown = {ages[0][patient]: ages[1][patient] for patient in common}
    assert all(now == (then + 1 if then < 89 else 91) for then, now in grown.items())


@pytest.mark.parametrize("name", WINDOWS)
def test_the_admissions_of_a_patient_agree_with_each_other_and_with_the_label(windows, name):
    columns = windows[name]
    order = np.lexsort((columns["admittime"], columns["subject_id"]))
    patient, came, left, label = (
        columns[c][order] for c in ("subject_id", "admittime", "dischtime", "readmitted_30d")
    )
    again = patient[1:] == patient[:-1]
    gap = (came[1:] - left[:-1])[again]
    assert (gap > np.timedelta64(0, "s")).all()
    assert ((gap <= 30 * DAY) == (label[:-1][again] == 1)).all()
    for fixed in ("sex", "age"):
        assert (columns[fixed][order][1:] == columns[fixed][order][:-1])[again].all()
    earlier = columns["prior_admissions"][order]
    assert (np.diff(earlier)[again] == 1).all()
    same_payer = (columns["insurance"][order][1:] == columns["insurance"][order][:-1])[again]
    assert 0.9 < same_payer.mean() < 1
    stay = (left - came) / DAY
    assert np.allclose(stay, columns["los_days"][order], atol=1e-4)


def test_every_admission_is_in_its_period_and_the_rows_are_in_its_order(windows):
    periods = {"reference": ("2023-01-01", "2024-01-01")}
    for name in WINDOWS:
        first, end = periods.get(name, ("2024-01-01", "2024-07-01"))
        came = windows[name]["admittime"]
        assert came.min() >= np.datetime64(first)
        assert came.max() < np.datetime64(end)
        assert (np.diff(came) >= np.timedelta64(0, "s")).all()


def test_ages_over_89_are_recorded_as_91_as_in_mimic(windows):
    for columns in windows.values():
        assert columns["age"].min() >= 18
        assert columns["age"].max() == 91
        assert 90 not in columns["age"]


def test_labs_lie_in_realistic_ranges(windows):
    usual = {
        "glucose": (70, 250),
        "creatinine": (0.4, 2.5),
        "urea_nitrogen": (6, 45),
        "haemoglobin": (8, 16),
        "sodium": (130, 147),
        "potassium": (3.0, 5.3),
        "white_cells": (3, 20),
        "platelets": (90, 500),
        "lactate": (0.6, 4.5),
    }
    for lab, (low, high) in usual.items():
        values = windows["reference"][lab]
        values = values[~np.isnan(values)]
        assert np.mean((values >= low) & (values <= high)) > 0.95


def test_related_labs_are_correlated(windows):
    reference = windows["reference"]

    def correlation(first, second):
        both = ~np.isnan(reference[first]) & ~np.isnan(reference[second])
        return np.corrcoef(reference[first][both], reference[second][both])[0, 1]

    assert correlation("creatinine", "urea_nitrogen") > 0.5
    assert correlation("white_cells", "lactate") > 0.15
    assert correlation("comorbidity_index", "diagnosis_count") > 0.3
    assert correlation("age", "comorbidity_index") > 0.1
    assert abs(correlation("sodium", "white_cells")) < 0.1


def test_missing_values_are_few_except_lactate_and_depend_on_severity(windows):
    reference = windows["reference"]
    for column, values in reference.items():
        if column == "lactate":
            assert 0.5 < missing(values) < 0.6
        elif column in LABS or column == "discharge_location":
            assert 0.01 < missing(values) < 0.06
        elif values.dtype.kind != "M":
            assert missing(values) == 0
    sick = reference["diagnosis_count"] > 14
    lost = np.isnan(reference["lactate"])
    assert lost[sick].mean() < lost[~sick].mean() - 0.05


def test_current_has_the_law_of_reference(windows):
    reference, current = windows["reference"], windows["current"]
    for column in set(reference) - {"subject_id", "hadm_id", "admittime", "dischtime"}:
        now, then = current[column], reference[column]
        assert abs(missing(now) - missing(then)) < 0.01
        if column in TEXT:
            levels = set(now) | set(then)
            assert set(now) == set(then)
            assert sum(abs(np.mean(now == level) - np.mean(then == level)) for level in levels) / 2 < 0.02
        else:
            # The 99.9% point of the null law at a design effect of 2.1, the largest there can be.
            assert ks(now.astype(float), then.astype(float)) < 1.95 * np.sqrt(2.1 * 2 / 20_000)


def test_drifted_holds_exactly_what_is_planted(windows):
    current, drifted = windows["current"], windows["drifted"]
    current, drifted = (
        {c: values[np.argsort(side["hadm_id"])] for c, values in side.items()} for side in (current, drifted)
    )
    named = {planted.column for planted in demo.planted("drifted")}
    times = {"admittime", "dischtime"}  # readmissions decide when patients come
    for column in set(current) - named - times:
        assert (current[column].astype(str) == drifted[column].astype(str)).all()

    was, became = current["creatinine"], drifted["creatinine"]
    changed = ~np.isnan(was) & (was != became)
    assert 0.025 < changed.mean() < 0.035
    assert np.allclose(became[changed], was[changed] * 88.4, atol=0.5)

    was, became = current["glucose"], drifted["glucose"]
    changed = ~np.isnan(was) & (was != became)
    assert 0.025 < changed.mean() < 0.035
    assert np.allclose(became[changed], was[changed] / 18, atol=0.05)

    older = (drifted["age"] - current["age"]).astype(float)
    assert older.mean() == pytest.approx(windows["reference"]["age"].std() / 2, rel=0.02)
    assert set(older[drifted["age"] < 90]) == {8.0, 9.0}

    new = drifted["admission_type"] == demo.NEW_ADMISSION_TYPE
    assert 0.016 < new.mean() < 0.024
    assert (drifted["admission_type"][~new] == current["admission_type"][~new]).all()

    rise = missing(drifted["lactate"]) - missing(current["lactate"])
    assert rise == pytest.approx(0.10, abs=0.01)
    kept = ~np.isnan(drifted["lactate"])
    assert (drifted["lactate"][kept] == current["lactate"][kept]).all()


def test_the_label_of_drifted_no_longer_follows_the_risk(windows):
    label, risk = windows["drifted"]["readmitted_30d"], windows["drifted"]["risk"]
    assert (
        area_under_roc(label, risk)
        < area_under_roc(windows["current"]["readmitted_30d"], windows["current"]["risk"]) - 0.08
    )
    assert label.mean() / risk.mean() > 1.3


def test_inputs_shifted_moves_the_inputs_and_nothing_else(windows):
    reference, shifted = windows["reference"], windows["inputs_shifted"]
    assert ks(shifted["age"].astype(float), reference["age"].astype(float)) > 0.15
    assert shifted["risk"].mean() > reference["risk"].mean() + 0.03
    assert set(shifted["admission_type"]) == set(reference["admission_type"])


def test_every_planted_thing_names_a_column_and_the_checks_that_must_fail(windows):
    assert set(demo.PLANTED) == set(WINDOWS)
    assert not demo.planted("reference")
    assert not demo.planted("current?rows=50")
    for name in ("drifted", "inputs_shifted"):
        for planted in demo.planted(name):
            assert planted.column in windows[name]
            assert planted.fails
