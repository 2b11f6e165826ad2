"""joint_drift: can a classifier tell the datasets apart?"""

import numpy as np
import pandas as pd
import pytest

from pytest_readmit import SuiteError

pytestmark = pytest.mark.slow


def pair(
    rows: int = 1500, rho: float = 0.6, flip: bool = False, seed: int = 0
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Two frames of three features; with `flip` the first two go together the other way round."""
    random = np.random.default_rng(seed)
    frames = []
    for sign in (1.0, -1.0 if flip else 1.0):
        both = random.multivariate_normal([0, 0], [[1, sign * rho], [sign * rho, 1]], size=rows)
        ward = random.choice(["medicine", "surgery"], rows)
        frames.append(pd.DataFrame({"a": both[:, 0], "b": both[:, 1], "ward": ward}))
    return frames[0], frames[1]


def test_the_same_law_passes_and_the_severity_is_warn(find_one) -> None:
    found = find_one("joint_drift", *pair(), roles={})
    assert (found.verdict, found.severity, found.limit) == ("pass", "warn", 0.6), found.message
    assert found.details["telling"] == []
    assert found.n_reference == found.n_current == 1500


def test_what_no_single_feature_shows_fails_as_a_warning(find_one, find) -> None:
    frames = pair(flip=True)
    found = find_one("joint_drift", *frames, roles={})
    assert (found.verdict, found.outcome, found.warned) == ("fail", "passed", True), found.message
    assert found.estimate > 0.65
    assert {each.verdict for each in find("data_drift", *frames, roles={})} == {"pass"}


def test_the_features_that_tell_are_named(find_one) -> None:
    before, after = pair()
    after["ward"] = np.where(np.arange(len(after)) % 4 == 0, "medicine", "surgery")
    found = find_one("joint_drift", before, after.assign(a=after["a"] + 1), roles={})
    assert {"a", "ward"} <= set(found.details["telling"])
    assert "most by a, " in found.message


def test_the_columns_of_the_entry_are_the_inputs(find_one) -> None:
    before, after = pair()
    after["a"] += 2
    assert find_one("joint_drift", before, after, roles={}).verdict == "fail"
    found = find_one("joint_drift", before, after, roles={}, columns=["b", "ward"])
    assert (found.verdict, found.details["features"]) == ("pass", 2)


def test_keys_patients_times_target_and_score_are_no_inputs(find_one, current, reference) -> None:
    found = find_one(
        "joint_drift", reference, current, roles={"patient": "subject_id", "id": "hadm_id",
        "time": "dischtime", "target": "readmitted_30d", "score": "risk", "positive_label": 1},
    )  # fmt: skip
    assert (found.verdict, found.details["features"]) == ("pass", 4), found.message


def test_the_same_patients_in_both_are_never_learnt_and_judged(find_one) -> None:
    """Each patient's rows are alike, and the first half of the patients come in the reference alone."""
    random = np.random.default_rng(1)
    patient = np.repeat(np.arange(300), 8)
    rows = (
        pd.DataFrame(random.normal(size=(300, 3)), columns=["a", "b", "c"])
        .loc[patient]
        .reset_index(drop=True)
    )
    rows["patient"] = patient
    before = rows[(patient < 150) | (np.arange(len(rows)) % 2 == 0)]
    after = rows[(patient >= 150) & (np.arange(len(rows)) % 2 == 1)]
    known = find_one("joint_drift", before, after, roles={"patient": "patient"})
    unknown = find_one("joint_drift", before, after, roles={"ignore": ["patient"]})
    assert known.verdict != "fail", known.message
    assert unknown.verdict == "fail", unknown.message


def test_few_rows_decide_nothing_and_one_row_is_an_error(find_one) -> None:
    before, after = pair()
    assert find_one("joint_drift", before, after.head(20), roles={}).verdict == "inconclusive"
    found = find_one("joint_drift", before, after.head(1), roles={})
    assert found.verdict == "error"
    assert "two rows" in found.message
    assert find_one("joint_drift", before, after.head(0), roles={}).verdict == "error"


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda frame: frame.drop(columns="a"), "no column 'a'"),
        (lambda frame: frame.assign(a=np.where(frame.index == 7, np.inf, frame["a"])), "infinite"),
        (lambda frame: frame.assign(a=[f"x{i}" for i in frame.index]), "'a'"),
    ],
)
def test_a_column_that_cannot_be_used_is_an_error_that_names_it(spoil, said, find_one) -> None:
    before, after = pair()
    found = find_one("joint_drift", before, spoil(after), roles={})
    assert found.verdict == "error"
    assert said in found.message


def test_a_column_without_values_or_of_times_is_an_error(find_one) -> None:
    before, after = (frame.assign(c=np.full(len(frame), np.nan)) for frame in pair())
    found = find_one("joint_drift", before, after, roles={"numerical": ["c"]})
    assert found.verdict == "error"
    assert "'c' has no values" in found.message
    before, after = (frame.assign(t=pd.Timestamp("2026-01-01")) for frame in pair())
    found = find_one("joint_drift", before, after, roles={}, columns=["a", "t"])
    assert found.verdict == "error"
    assert "date or time" in found.message


def test_no_features_are_an_error_and_constant_ones_tell_nothing(find_one) -> None:
    before, after = pair()
    found = find_one("joint_drift", before, after, roles={"ignore": ["a", "b", "ward"]})
    assert found.verdict == "error"
    assert "no features" in found.message
    before, after = (frame.assign(same=1.0) for frame in pair())
    assert find_one("joint_drift", before, after, roles={}).verdict == "pass"


def test_a_new_level_and_missing_values_tell(find_one) -> None:
    before, after = pair()
    wards = after.assign(ward=np.where(np.arange(len(after)) % 2 == 0, "hospice", after["ward"]))
    assert find_one("joint_drift", before, wards, roles={}).verdict == "fail"
    gaps = after.assign(a=np.where(np.arange(len(after)) % 2 == 0, np.nan, after["a"]))
    assert find_one("joint_drift", before, gaps, roles={}).verdict == "fail"


def test_rare_levels_are_said_to_be_taken_together(find_one) -> None:
    before, after = (
        frame.assign(code=[f"c{i % 300}" if i % 2 else "common" for i in range(len(frame))])
        for frame in pair()
    )
    found = find_one("joint_drift", before, after, roles={})
    assert found.details["notes"] == [
        "rare levels were taken together, told apart only by which dataset has them in other rows: code (150)"
    ]


def coded(before: str, after: str, rows_each: int, rows: int = 3000) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Two frames of one column, whose levels have `rows_each` rows on each side."""
    number = np.arange(rows) // rows_each
    return tuple(pd.DataFrame({"t": [f"{letter}{i}" for i in number]}) for letter in (before, after))


@pytest.mark.parametrize("rows_each", [2, 10])
def test_rare_levels_of_which_none_is_shared_tell(rows_each, find_one) -> None:
    found = find_one("joint_drift", *coded("a", "b", rows_each), roles={})
    assert found.verdict == "fail", found.message
    assert found.estimate > 0.95
    assert found.details["telling"] == ["t"]


@pytest.mark.parametrize("rows_each", [1, 2, 10])
def test_the_same_rare_levels_in_both_tell_nothing(rows_each, find_one) -> None:
    found = find_one("joint_drift", *coded("a", "a", rows_each), roles={})
    assert found.verdict == "pass", found.message
    assert found.estimate < 0.53


@pytest.mark.parametrize("how", ["interval", "estimate"])
def test_identifiers_alone_tell_nothing_and_do_not_pass(how, find_one) -> None:
    found = find_one("joint_drift", *coded("a", "b", 1), roles={}, decide_by=how)
    assert found.verdict == "inconclusive"
    assert "values hardly ever repeat in t, and there are no other features" in found.message
    assert found.estimate == 0.5


def test_identifiers_among_other_features_are_named(find_one) -> None:
    frames = pair()
    coded_too = [
        frame.assign(t=ids["t"]) for frame, ids in zip(frames, coded("a", "b", 1, 1500), strict=True)
    ]
    found = find_one("joint_drift", *coded_too, roles={})
    assert found.verdict == "pass", found.message
    assert "values hardly ever repeat in t: nothing was told from them" in found.details["notes"]


def test_a_level_of_one_patient_is_an_identifier_however_many_rows_it_has(find_one) -> None:
    before, after = coded("a", "b", 10)
    frames = [frame.assign(patient=frame["t"]) for frame in (before, after)]
    found = find_one("joint_drift", *frames, roles={"patient": "patient"})
    assert found.verdict == "inconclusive", found.message
    assert "hardly ever repeat in t" in found.message


def test_a_limit_below_chance_is_a_suite_error(find_one) -> None:
    with pytest.raises(SuiteError, match=r"at least 0\.5"):
        find_one("joint_drift", *pair(), roles={}, max=0.4)


def test_decided_twice_it_says_the_same(find_one) -> None:
    one, two = (find_one("joint_drift", *pair(flip=True), roles={}) for _ in range(2))
    assert (one.estimate, one.interval, one.message) == (two.estimate, two.interval, two.message)
