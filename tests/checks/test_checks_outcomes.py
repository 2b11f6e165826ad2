"""target_drift and prediction_drift."""

import numpy as np
import pandas as pd
import pytest

from pytest_readmit import SuiteError


def labels(rate: float, rows: int = 20_000, values=(0, 1)) -> pd.DataFrame:
    positives = round(rate * rows)
    return pd.DataFrame({"y": [values[1]] * positives + [values[0]] * (rows - positives)})


BINARY = {"target": "y", "positive_label": 1}


@pytest.mark.parametrize(
    ("after", "verdict"),
    [(0.11, "pass"), (0.12, "pass"), (0.15, "fail"), (0.07, "fail"), (0.128, "inconclusive")],
)
def test_the_share_of_positives_may_move_by_two_points_either_way(after, verdict, find_one) -> None:
    found = find_one("target_drift", labels(0.11), labels(after), roles=BINARY)
    assert found.verdict == verdict, found.message
    assert found.limit == (-0.02, 0.02)
    assert found.details["reference"] == pytest.approx(0.11)
    assert found.details["current"] == pytest.approx(after)
    assert found.method == "risk_difference"


def test_labels_may_be_texts_or_truth_values(find_one) -> None:
    for values in (("NO", "<30"), (False, True)):
        roles = {"target": "y", "positive_label": values[1]}
        found = find_one(
            "target_drift", labels(0.11, values=values), labels(0.15, values=values), roles=roles
        )
        assert (found.verdict, found.details["change"]) == ("fail", pytest.approx(0.04))


@pytest.mark.parametrize(("after", "verdict"), [(0.12, "pass"), (0.22, "fail"), (0.05, "fail")])
def test_a_ratio_limits_growth_and_shrinking_alike(after, verdict, find_one) -> None:
    found = find_one("target_drift", labels(0.11), labels(after), roles=BINARY, max_ratio=1.5)
    assert found.verdict == verdict, found.message
    assert found.limit == (pytest.approx(1 / 1.5), 1.5)
    assert found.estimate == pytest.approx(after / 0.11)


def test_fewer_than_ten_events_never_decide(find_one) -> None:
    found = find_one("target_drift", labels(0.2), labels(9 / 1000, 1000), roles=BINARY)
    assert found.verdict == "inconclusive"
    assert "fewer than 10 events" in found.message


def test_events_of_few_patients_never_decide(find_one) -> None:
    before = labels(0.2).assign(patient=np.arange(20_000))
    after = labels(0.5, 1000).assign(patient=[0] * 500 + list(range(1, 501)))
    found = find_one("target_drift", before, after, roles={**BINARY, "patient": "patient"})
    assert found.verdict == "inconclusive"
    assert "patients with events" in found.message


def test_one_class_alone_and_an_unknown_label_are_errors(find_one) -> None:
    assert find_one("target_drift", labels(0.1), labels(0.0), roles=BINARY).verdict == "error"
    three = pd.DataFrame({"y": [0, 1, 2] * 100})
    found = find_one("target_drift", labels(0.1), three, roles=BINARY)
    assert found.verdict == "error"
    assert "negative_label" in found.message


def test_a_target_of_two_values_needs_its_positive_label(find_one) -> None:
    found = find_one("target_drift", labels(0.1), labels(0.1), roles={"target": "y"})
    assert found.verdict == "error"
    assert "positive_label" in found.message


def test_without_a_target_the_error_names_the_key(find_one) -> None:
    found = find_one("target_drift", labels(0.1), labels(0.1), roles={})
    assert found.verdict == "error"
    assert "columns.target" in found.message


def test_missing_labels_are_an_error_above_their_limit(find_one) -> None:
    after = labels(0.1, 1000).astype(float)
    after.loc[900:, "y"] = np.nan
    found = find_one("target_drift", labels(0.1), after, roles=BINARY)
    assert found.verdict == "error"
    assert "max_missing_label" in found.message
    assert (
        find_one("target_drift", labels(0.1), after, roles=BINARY, max_missing_label=0.2).verdict != "error"
    )


def test_a_numerical_target_is_compared_by_ks(find_one) -> None:
    rng = np.random.default_rng(0)
    before, after = (pd.DataFrame({"days": rng.gamma(2, scale, 5000)}) for scale in (2, 4))
    found = find_one("target_drift", before, after, roles={"target": "days"})
    assert (found.verdict, found.method, found.limit) == ("fail", "ks", 0.1)


def test_a_target_of_several_levels_is_compared_by_total_variation(find_one) -> None:
    rng = np.random.default_rng(0)

    def frame(p) -> pd.DataFrame:
        return pd.DataFrame({"y": rng.choice(["<30", ">30", "NO"], 5000, p=p)})

    before = frame([0.1, 0.3, 0.6])
    moved = find_one("target_drift", before, frame([0.3, 0.3, 0.4]), roles={"target": "y"})
    stayed = find_one("target_drift", before, frame([0.1, 0.3, 0.6]), roles={"target": "y"})
    assert (moved.verdict, moved.method) == ("fail", "total_variation")
    assert stayed.verdict == "pass"
    classic = find_one("target_drift", before, frame([0.3, 0.3, 0.4]), roles={"target": "y"}, p_value=0.05)
    assert classic.verdict == "fail"


@pytest.mark.parametrize(
    "keys", [{"max": 0.1, "max_ratio": 2}, {"max_ratio": 0.9}, {"max": 0.1, "p_value": 0.05}]
)
def test_keys_of_the_target_that_contradict_each_other_are_found_early(keys, find_one) -> None:
    with pytest.raises(SuiteError):
        find_one("target_drift", labels(0.1), labels(0.1), roles=BINARY, **keys)


def scores(a: float, rows: int = 20_000, seed: int = 0) -> pd.DataFrame:
    return pd.DataFrame({"risk": np.random.default_rng(seed).beta(a, 14, rows)})


SCORE = {"score": "risk"}


@pytest.mark.parametrize(("a", "verdict"), [(2.0, "pass"), (2.6, "fail")])
def test_the_score_may_move_by_a_ks_distance_of_a_twentieth(a, verdict, find_one) -> None:
    found = find_one("prediction_drift", scores(2.0), scores(a, seed=1), roles=SCORE)
    assert (found.verdict, found.limit, found.method) == (verdict, 0.05, "ks"), found.message
    assert found.subject is None


def test_a_threshold_tells_the_alert_rates_which_can_move_no_further_than_the_score(find_one) -> None:
    before, after = scores(2.0), scores(2.6, seed=1)
    found = find_one("prediction_drift", before, after, roles=SCORE, threshold=0.15)
    assert found.details["reference"] == pytest.approx((before["risk"] >= 0.15).mean())
    assert found.details["current"] == pytest.approx((after["risk"] >= 0.15).mean())
    assert abs(found.details["change"]) <= found.estimate
    assert "alerts at 0.15 went from" in found.message
    assert found.id.endswith("::prediction_drift")


@pytest.mark.parametrize("bad", [1.2345, -0.1234, np.inf])
def test_a_score_that_is_no_probability_is_an_error_that_shows_no_value(bad, find_one) -> None:
    after = scores(2.0, 500)
    after.loc[0, "risk"] = bad
    found = find_one("prediction_drift", scores(2.0), after, roles=SCORE)
    assert found.verdict == "error"
    assert "1.23" not in found.message
    assert "0.12" not in found.message


def test_missing_scores_are_an_error_above_their_limit(find_one) -> None:
    after = scores(2.0, 1000)
    after.loc[:99, "risk"] = np.nan
    found = find_one("prediction_drift", scores(2.0), after, roles=SCORE)
    assert found.verdict == "error"
    assert "max_missing_label" in found.message


def test_without_a_score_the_error_names_the_key(find_one) -> None:
    found = find_one("prediction_drift", scores(2.0), scores(2.0), roles={})
    assert found.verdict == "error"
    assert "columns.score" in found.message
