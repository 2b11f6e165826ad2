"""fairness against the champion, as an entry and as a guard of promotion."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pytest_readmit import Finding, SuiteError, run_suite
from pytest_readmit.api import Result

Run = Callable[..., Result]
FAIR = "fairness: {threshold: 0.2, non_inferior_by: 0.05"
GUARD = "promotion: {guards: {fairness: {threshold: 0.2, non_inferior_by: 0.05"


def scored(rows: int = 20_000, *, favour: float = 0.0, start: float = 0.3, seed: int = 3) -> pd.DataFrame:
    """Return rows of two models; both score women higher by `start` (log odds), `new` by `favour` more."""
    rng = np.random.default_rng(seed)
    sex = rng.choice(["F", "M"], rows).astype(object)
    y = rng.random(rows) < 0.15
    logit = rng.normal(-2.0 + y + start * (sex == "F"), 0.8)
    other = logit + rng.normal(0, 0.2, rows) + favour * (sex == "F")
    return pd.DataFrame(
        {
            "y": y.astype(int),
            "sex": sex,
            "ward": rng.choice(["north", "south"], rows).astype(object),
            "old": 1 / (1 + np.exp(-logit)),
            "new": 1 / (1 + np.exp(-other)),
            "pid": np.arange(rows) // 2,
        }
    )


@pytest.fixture
def run(tmp_path: Path) -> Run:
    def ran(
        entry: str,
        frame: pd.DataFrame,
        *,
        columns: str = "sensitive: [sex]",
        models: str = "{champion: {score: old}, challenger: {score: new}}",
    ) -> Result:
        path = tmp_path / "fair.yml"
        path.write_text(
            f"columns: {{target: y, positive_label: 1, {columns}}}\nmodels: {models}\nchecks:\n  - {entry}\n"
        )
        return run_suite(path, data={"current": frame})

    return ran


def last(result: Result) -> Finding:
    return result.findings[-1]


@pytest.mark.parametrize("entry", [f"{FAIR}}}", f"{GUARD}}}}}}}"])
@pytest.mark.parametrize(
    ("favour", "start", "verdict"),
    [(0.0, 0.3, "pass"), (0.8, 0.3, "fail"), (-0.5, 0.6, "pass"), (0.18, 0.3, "inconclusive")],
)
def test_a_gap_may_not_be_much_larger_than_the_champions(
    favour: float, start: float, verdict: str, entry: str, run: Run
) -> None:
    found = last(run(entry, scored(favour=favour, start=start)))
    assert found.verdict == verdict, found.message
    assert found.subject is not None
    assert found.subject.endswith("equalised_odds:sex")
    assert (found.limit, found.direction, found.method) == (0.05, "at_most", "paired_difference")
    assert found.estimate == pytest.approx(found.details["current"] - found.details["reference"])
    assert "with the champion" in found.message
    assert found.details["champion"]


def test_every_measure_has_a_case_and_patients_make_it_less_sure(run: Run) -> None:
    measures = (
        "measures: {tpr_difference: {}, fpr_difference: {}, demographic_parity: {}, auc_difference: {}, "
    )
    entry = f"{FAIR}, {measures}observed_expected: {{}}}}, intersections: [[sex, ward]]}}"
    frame = scored()
    plain, by_patient = (
        run(entry, frame, columns=f"sensitive: [sex], {more}").findings
        for more in ("ignore: [pid]", "patient: pid")
    )
    assert len(plain) == 10
    assert {each.verdict for each in plain} <= {"pass", "inconclusive"}, [each.message for each in plain]
    assert [each.estimate for each in plain] == [each.estimate for each in by_patient]
    rates = [each for each in plain if str(each.subject).startswith("demographic_parity")]
    assert all(each.n_current == 20_000 for each in rates)
    table = plain[0].details["table"]
    assert table["columns"] == [
        "group",
        "rows",
        "positives",
        "negatives",
        "true positive rate, champion",
        "true positive rate, challenger",
    ]
    women = frame[(frame["sex"] == "F") & (frame["y"] == 1)]
    assert table["rows"][0][-2:] == pytest.approx(
        [(women[name] >= 0.2).mean() for name in ("old", "new")], abs=1e-4
    )


def test_few_rows_never_certify_and_small_groups_are_not_shown(run: Run) -> None:
    frame = scored(2000)
    frame.loc[frame.index[:15], "sex"] = "X"
    found = last(run(f"{FAIR}}}", frame))
    assert found.verdict == "inconclusive"
    assert "too few rows for the true positive rate of X" in found.message
    shown = {row[0]: row[1:] for row in found.details["table"]["rows"]}
    assert set(shown["X"][3:]) == {None}


@pytest.mark.parametrize(
    ("models", "entry", "says"),
    [
        ("{challenger: {score: new}}", f"{FAIR}}}", "names no model 'champion'"),
        ("{champion: {score: old}}", f"{FAIR}, model: champion}}", "measures the champion itself"),
        ("{champion: {score: old}, challenger: {score: old}}", f"{FAIR}}}", "measures the champion itself"),
    ],
)
def test_without_two_models_it_is_an_error(models: str, entry: str, says: str, run: Run) -> None:
    found = last(run(entry, scored(500), models=models))
    assert found.verdict == "error"
    assert says in found.message


@pytest.mark.parametrize(
    "entry",
    [
        f"{FAIR}, measures: {{tpr_difference: {{max: 0.1}}}}}}",
        f"{GUARD}, measures: {{tpr_difference: {{max: 0.1}}}}}}}}}}",
    ],
)
def test_two_rules_in_one_entry_are_a_suite_error(entry: str, run: Run) -> None:
    with pytest.raises(SuiteError) as error:
        run(entry, scored(100))
    assert "two rules" in "\n".join(str(problem) for problem in error.value.problems)


def test_columns_of_a_promotion_choose_the_groups_of_its_fairness_guard(run: Run) -> None:
    both = "sensitive: [sex, ward]"
    found = run(
        "promotion: {columns: [ward], guards: {fairness: {threshold: 0.2}}}", scored(2000), columns=both
    )
    assert [each.subject for each in found.findings] == ["roc_auc", "guard:fairness:equalised_odds:ward"]
    (alone,) = run("promotion: {columns: [ward]}", scored(2000), columns=both).findings
    assert alone.verdict == "error"
    assert "remove `columns`" in alone.message


@pytest.mark.parametrize("entry", [FAIR, GUARD])
def test_a_gap_in_percent_is_a_suite_error_since_nothing_could_break_it(entry: str, run: Run) -> None:
    closing = "}" * (entry.count("{") - entry.count("}"))
    with pytest.raises(SuiteError) as error:
        run(entry.replace("non_inferior_by: 0.05", "non_inferior_by: 5") + closing, scored(100))
    assert "rates lie within 1; write 0.05" in "\n".join(str(problem) for problem in error.value.problems)
