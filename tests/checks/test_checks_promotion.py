"""Promotion on two columns of scores: what passes, fails and stays undecided, and what is refused."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit, logit
from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score

from pytest_readmit import Claim, Finding, SuiteError, run_suite
from pytest_readmit.api import Result
from pytest_readmit.rule import Policy, decide

Run = Callable[..., Result]
SCORES = "{champion: {score: old}, challenger: {score: new}}"
COLUMNS = "target: y, positive_label: 1, sensitive: [sex]"


def patients(rows: int = 5000, *, gain: float = 0.6, seed: int = 5) -> pd.DataFrame:
    """Return rows whose challenger knows a second cause of the outcome, `gain` strong."""
    rng = np.random.default_rng(seed)
    known, hidden, noise = rng.normal(size=(3, rows))
    y = rng.random(rows) < expit(-2 + known + 0.6 * hidden)
    return pd.DataFrame(
        {
            "y": y.astype(int),
            "old": expit(-2 + known + 0.1 * noise),
            "new": expit(-2 + known + gain * hidden + 0.1 * noise),
            "sex": rng.choice(["F", "M"], rows),
            "pid": rng.integers(0, rows // 2, rows),
        }
    )


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    def ran(
        keys: str = "{}",
        frame: pd.DataFrame | None = None,
        *,
        models: str = SCORES,
        columns: str = COLUMNS,
        more: str = "",
    ) -> Result:
        text = f"columns: {{{columns}}}\nmodels: {models}\nchecks:\n  - promotion: {keys}\n{more}"
        (tmp_path / "promotion.yml").write_text(text)
        data = {} if frame is None else {"current": frame}
        return run_suite(tmp_path / "promotion.yml", data=data)

    return ran


def one(result: Result) -> Finding:
    (finding,) = result.findings
    return finding


def by_subject(result: Result) -> Mapping[str, Finding]:
    return {str(finding.subject): finding for finding in result.findings}


def refusals(run: Run, keys: str) -> str:
    with pytest.raises(SuiteError) as error:
        run(keys, patients(100))
    return "\n".join(str(problem) for problem in error.value.problems)


def test_a_clearly_better_challenger_passes_on_estimate_and_lower_bound(run: Run) -> None:
    frame = patients()
    found = one(run("{}", frame))
    old, new = (roc_auc_score(frame["y"], frame[name]) for name in ("old", "new"))
    assert (found.verdict, found.outcome) == ("pass", "passed"), found.message
    assert found.subject == "roc_auc"
    assert found.estimate == pytest.approx(new - old)
    assert found.interval is not None
    assert 0 < found.interval[0] < new - old < found.interval[1]
    assert (found.limit, found.direction, found.method) == (0.01, "at_least", "paired_delong")
    assert found.details["reference"] == pytest.approx(old)
    assert found.details["current"] == pytest.approx(new)
    assert (found.details["champion"], found.details["challenger"]) == ("champion", "challenger")
    assert found.n_reference is None
    assert found.n_current == 5000
    assert "the floor is 0.01 and the lower bound must be above 0" in found.message


def test_a_worse_challenger_fails_and_the_gate_blocks(run: Run) -> None:
    result = run("{}", patients(), models="{champion: {score: new}, challenger: {score: old}}")
    assert one(result).verdict == "fail", one(result).message
    assert result.blocked


def test_a_better_estimate_that_is_not_proven_is_undecided_and_blocks(run: Run) -> None:
    frame, rng = patients(300, gain=0.3), np.random.default_rng(1)
    frame["old"] = expit(logit(frame["old"]) + rng.normal(0, 1.5, 300))
    frame["new"] = expit(logit(frame["new"]) + rng.normal(0, 1.4, 300))
    result = run("{}", frame)
    found = one(result)
    assert found.estimate is not None
    assert found.estimate > 0.01
    assert (found.verdict, found.outcome) == ("inconclusive", "failed"), found.message
    assert found.needed_n is not None
    assert found.needed_n > 300
    assert result.blocked


def test_a_proven_improvement_below_the_minimum_does_not_pass(run: Run) -> None:
    frame = patients(20_000, gain=0.15)
    found = one(run("{min_improvement: 0.03}", frame))
    assert found.interval is not None
    assert found.interval[0] > 0
    assert found.estimate is not None
    assert found.estimate < 0.03
    assert found.verdict in ("fail", "inconclusive"), found.message
    assert one(run("{min_improvement: 0.005}", frame)).verdict == "pass"


def test_a_margin_that_must_be_proven_is_held_by_the_lower_bound(run: Run) -> None:
    frame = patients()
    lower = one(run("{}", frame)).interval
    assert lower is not None
    assert one(run(f"{{proven_above: {lower[0] - 1e-6}}}", frame)).verdict == "pass"
    assert one(run(f"{{proven_above: {lower[0] + 1e-6}}}", frame)).verdict == "inconclusive"


@pytest.mark.parametrize("keys", ["{}", "{min_improvement: 0}", "{min_improvement: 0, metric: brier}"])
def test_the_same_scores_twice_are_never_promoted(keys: str, run: Run) -> None:
    found = one(run(keys, patients(), models="{champion: {score: old}, challenger: {score: old}}"))
    assert found.estimate == 0
    assert found.verdict in ("fail", "inconclusive")
    assert "both give every row the same score" in found.message


@pytest.mark.parametrize(("rows", "verdict"), [(5000, "pass"), (300, "inconclusive")])
def test_the_same_scores_hold_a_guard_only_with_rows_enough(rows: int, verdict: str, run: Run) -> None:
    keys = "{guards: {brier: {max_rise: 0.002}, recall: {max_drop: 0.02}}, threshold: 0.15}"
    same = run(keys, patients(rows), models="{champion: {score: old}, challenger: {score: old}}")
    for name in ("guard:brier", "guard:recall"):
        found = by_subject(same)[name]
        assert found.verdict == verdict, found.message
        assert found.interval is not None
        assert found.interval[0] < 0 < found.interval[1]
        assert "the same score" in found.details["notes"][-1]


def test_a_simpler_model_may_be_as_good_within_a_margin(run: Run) -> None:
    frame = patients(gain=0.0).assign(old=lambda rows: rows["new"])
    assert one(run("{non_inferior_by: 0.01}", frame)).verdict == "pass"
    worse = one(
        run(
            "{non_inferior_by: 0.01}", patients(), models="{champion: {score: new}, challenger: {score: old}}"
        )
    )
    assert worse.verdict == "fail"
    assert worse.limit == -0.01


def test_the_improvement_of_a_loss_is_old_minus_new(run: Run) -> None:
    frame = patients()
    found = one(run("{metric: brier, min_improvement: 0.002}", frame))
    old, new = (brier_score_loss(frame["y"], frame[name]) for name in ("old", "new"))
    assert found.estimate == pytest.approx(old - new)
    assert found.details["change"] == pytest.approx(new - old)
    assert found.verdict == "pass", found.message


@pytest.mark.parametrize("metric", ["average_precision", "log_loss", "brier_skill", "recall", "f1"])
def test_other_metrics_are_compared_on_the_same_rows(metric: str, run: Run) -> None:
    frame = patients(3000)
    found = one(run(f"{{metric: {metric}, threshold: 0.15, min_improvement: 0.001}}", frame))
    assert found.verdict in ("pass", "inconclusive"), found.message
    assert found.interval is not None
    assert found.estimate is not None
    assert found.interval[0] < found.estimate < found.interval[1]
    if metric == "average_precision":
        old, new = (average_precision_score(frame["y"], frame[name]) for name in ("old", "new"))
        assert found.estimate == pytest.approx(new - old)


def test_guards_are_cases_of_their_own(run: Run) -> None:
    keys = (
        "{guards: {brier: {max_rise: 0.002}, recall: {max_drop: 0.1}, "
        "calibration: {measures: {observed_expected: {min: 0.8, max: 1.25}}}, "
        "fairness: {threshold: 0.15, measures: {equalised_odds: {max: 0.3}}}}, threshold: 0.15}"
    )
    found = by_subject(run(keys, patients()))
    assert set(found) == {
        "roc_auc",
        "guard:brier",
        "guard:recall",
        "guard:calibration:observed_expected",
        "guard:fairness:equalised_odds:sex",
    }
    assert {case.verdict for case in found.values()} == {"pass"}, [case.message for case in found.values()]
    assert found["guard:brier"].limit == 0.002
    assert "a rise of -0.0" in found["guard:brier"].message
    assert all(case.m == 5 for case in found.values())


def test_a_guard_stops_a_challenger_that_ranks_better_and_means_nothing(run: Run) -> None:
    frame = patients().assign(new=lambda rows: np.sqrt(rows["new"]))
    result = run("{guards: {brier: {max_rise: 0.002}, calibration: {}}}", frame)
    found = by_subject(result)
    assert found["roc_auc"].verdict == "pass"
    assert found["guard:brier"].verdict == "fail"
    assert found["guard:calibration:observed_expected"].verdict == "fail"
    assert {"guard:calibration:slope", "guard:calibration:ece"} <= set(found)
    assert result.blocked


def test_rows_without_label_or_either_score_are_left_out_of_both_and_counted(run: Run) -> None:
    frame = patients()
    frame.loc[:49, "old"] = np.nan
    frame.loc[25:99, "new"] = np.nan
    frame["y"] = frame["y"].astype(float)
    frame.loc[100:119, "y"] = np.nan
    found, kept = one(run("{}", frame)), frame.iloc[120:]
    assert found.n_current == len(kept)
    assert found.details["left_out"] == 120
    gain = roc_auc_score(kept["y"], kept["new"]) - roc_auc_score(kept["y"], kept["old"])
    assert found.estimate == pytest.approx(gain)


def test_too_many_missing_scores_are_an_error(run: Run) -> None:
    frame = patients()
    frame.loc[:999, "new"] = np.nan
    found = one(run("{}", frame))
    assert found.verdict == "error"
    assert "max_missing_label" in found.message
    assert one(run("{max_missing_label: 0.3}", frame)).verdict == "pass"


def test_patients_make_the_comparison_less_sure(run: Run) -> None:
    frame = patients()
    twice = pd.concat([frame, frame], ignore_index=True).assign(pid=[*range(5000)] * 2)
    alone = one(run("{}", frame)).interval
    again = one(run("{}", twice, columns=f"{COLUMNS}, patient: pid")).interval
    assert alone is not None
    assert again is not None
    assert again == pytest.approx(alone, abs=5e-4)


def test_segments_are_compared_on_their_own_rows(run: Run) -> None:
    frame = patients(8000)
    found = run("{segments: sex}", frame).findings
    for case in found:
        rows = frame[frame["sex"] == case.segment]
        assert case.n_current == len(rows)
        gain = roc_auc_score(rows["y"], rows["new"]) - roc_auc_score(rows["y"], rows["old"])
        assert case.estimate == pytest.approx(gain)


def test_few_events_leave_it_undecided(run: Run) -> None:
    frame = patients()
    few = pd.concat([frame[frame["y"] == 0], frame[frame["y"] == 1].head(9)])
    assert one(run("{}", few)).verdict == "inconclusive"
    assert one(run("{}", frame.head(29))).verdict == "inconclusive"


def test_candidates_share_alpha_and_the_best_is_judged_where_no_challenger_is_named(run: Run) -> None:
    frame = patients().assign(third=lambda rows: expit(-2 + 0.2 * np.log(rows["old"])))
    alone = one(run("{}", frame))
    models = "{champion: {score: old}}"
    found = one(run("{candidates: [{score: third}, {score: new}]}", frame, models=models))
    assert found.verdict == "pass", found.message
    assert found.estimate == pytest.approx(alone.estimate)
    assert found.details["challenger"] == "candidate-2"
    assert found.details["candidates"] == ["candidate-1", "candidate-2"]
    assert found.interval is not None
    assert alone.interval is not None
    assert found.interval[0] < alone.interval[0]
    assert "corrected for 2 models" in found.details["notes"][0]


def test_a_named_challenger_is_judged_though_a_candidate_is_better(run: Run) -> None:
    frame = patients().assign(third=lambda rows: expit(-2 + rows["y"] + rows["new"]))
    result = run("{candidates: [{score: third}]}", frame)
    found = one(result)
    assert found.details["challenger"] == "challenger"
    assert "candidate-1 did better than challenger, which is judged" in found.details["notes"]
    assert result.record["provenance"]["models"]["candidate-1"]["source"] == "score: third"


def test_the_holdout_is_recorded(run: Run) -> None:
    result = run("{}", patients())
    told = one(result).details["holdout"]
    assert told["dataset"] == "current"
    assert told["sha256"] == result.record["provenance"]["datasets"]["current"]["sha256"]
    assert told["uses"] is None


def test_another_dataset_may_be_the_holdout(tmp_path: Path) -> None:
    data = "data: {holdout: h.csv}\nchecks: [promotion: {on: holdout}]"
    text = f"columns: {{{COLUMNS}}}\nmodels: {SCORES}\n{data}"
    (tmp_path / "s.yml").write_text(text)
    patients().to_csv(tmp_path / "h.csv", index=False)
    assert one(run_suite(tmp_path / "s.yml")).verdict == "pass"


def test_the_estimate_alone_decides_where_asked(run: Run) -> None:
    found = one(run("{decide_by: estimate}", patients(700)))
    assert (found.verdict, found.decide_by) == ("pass", "estimate")
    assert one(run("{decide_by: estimate, min_improvement: 0.2}", patients(700))).verdict == "fail"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"new": 1.7}, "outside [0, 1]"),
        ({"new": np.inf}, "infinite"),
        ({"old": np.nan}, "every row is missing"),
        ({"y": 1}, "every label is positive"),
    ],
)
def test_a_broken_score_or_label_is_an_error_that_blocks(change: Any, says: str, run: Run) -> None:
    result = run("{}", patients(300).assign(**change))
    assert one(result).verdict == "error"
    assert says in one(result).message
    assert result.blocked


@pytest.mark.parametrize(
    ("models", "says"),
    [
        ("{champion: {score: old}}", "names no challenger"),
        ("{challenger: {score: new}}", "names no model 'champion'"),
        ("{champion: {score: odl}, challenger: {score: new}}", "did you mean 'old'"),
        ("{champion: {score: sex}, challenger: {score: new}}", "sex"),
        ("{champion: gone.skops, challenger: {score: new}}", "there is no file gone.skops"),
    ],
)
def test_a_model_that_cannot_be_had_is_an_error(models: str, says: str, run: Run) -> None:
    found = one(run("{}", patients(300), models=models))
    assert found.verdict == "error"
    assert says in found.message


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ("{metric: auc}", "did you mean"),
        ("{metric: alert_rate, threshold: 0.1}", "best neither high nor low"),
        ("{metric: recall}", "needs `threshold`"),
        ("{guards: {recall: {max_drop: 0.1}}}", "needs `threshold`"),
        ("{guards: {brier: {max_drop: 0.1}}}", "write {max_rise: LIMIT}"),
        ("{guards: {roc_auc: {max_rise: 0.1}}}", "write {max_drop: LIMIT}"),
        ("{guards: {brier: {}}}", "write {max_rise: LIMIT}"),
        ("{guards: {brier: {max_rise: -1}}}", "a number at least 0"),
        ("{guards: {briar: {max_rise: 0.1}}}", "brier"),
        ("{guards: {fairness: {}}}", "threshold"),
        ("{guards: {calibration: {measures: {}}}}", "name at least one"),
        ("{guards: {calibration: {measures: {ece: {min: 0.1}}}}}", "it takes `max`"),
        ("{guards: {fairness: {threshold: 0.1, measures: {}}}}", "name at least one"),
        ("{non_inferior_by: 0.01, min_improvement: 0.01}", "two rules; keep one"),
        ("{non_inferior_by: 0.01, proven_above: 0}", "two rules; keep one"),
        ("{non_inferior_by: -0.01}", "a number at least 0"),
        ("{p_value: 0.05}", "leave p_value out"),
        ("{evidence: logged}", "decide_by: estimate"),
        ("{evidence: logged, decide_by: estimate, proven_above: 0}", "have no bounds"),
        ("{evidence: logged, decide_by: estimate, guards: {calibration: {}}}", "needs rows"),
        ("{evidence: logged, decide_by: estimate, candidates: [{score: c}]}", "needs bounds"),
        ("{logged_as: {roc_auc: auc}}", "needs `evidence: logged`"),
        ("{candidates: [{}]}", "name one source"),
        ("{candidates: [{score: a, path: b}]}", "name one source"),
        ("{candidates: new}", "list"),
    ],
)
def test_a_contradiction_is_a_suite_error(keys: str, says: str, run: Run) -> None:
    assert says in refusals(run, keys)


def test_two_logged_metrics_need_mlflow(run: Run) -> None:
    found = one(run("{evidence: logged, decide_by: estimate}"))
    assert found.verdict == "error"
    assert "is not in MLflow" in found.message


def test_a_source_in_mlflow_needs_a_store_and_there_is_no_default(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    models = '{champion: {mlflow: "models:/m@champion"}, challenger: {score: new}}'
    with pytest.raises(SuiteError, match="no MLflow store is named"):
        run("{}", patients(100), models=models)
    models = "{champion: {score: old}}"
    with pytest.raises(SuiteError, match="no MLflow store is named"):
        run('{candidates: [{mlflow: "models:/m@next"}]}', patients(100), models=models)


@given(
    estimate=st.floats(-0.1, 0.1),
    width=st.floats(0, 0.1),
    limit=st.floats(-0.05, 0.05),
    proven=st.floats(-0.05, 0.05),
)
def test_passing_needs_both_and_never_meets_failing(
    estimate: float, width: float, limit: float, proven: float
) -> None:
    lower, upper = estimate - width, estimate + width
    limit = max(limit, proven)
    claim = Claim(
        estimate=estimate,
        limit=limit,
        proven=proven,
        direction="at_least",
        bounds=lambda _: (lower, upper),
        n_current=1000,
    )
    verdict = decide(claim, Policy()).verdict
    assert (verdict == "pass") == (estimate >= limit and lower > proven)
    if verdict == "fail":
        assert upper < limit
