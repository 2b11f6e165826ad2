"""What the gates say of a real model on real data (the folder READMIT_SHARED_DATA, or ../shared/data)."""

import os
from pathlib import Path

import numpy as np
import pytest

from pytest_readmit import run_suite

pd = pytest.importorskip("pandas")
pytest.importorskip("pyarrow")

FOLDER = Path(os.environ.get("READMIT_SHARED_DATA", Path(__file__).parents[2] / "shared" / "data"))
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not FOLDER.is_dir(), reason="no real data: set READMIT_SHARED_DATA to the folder that holds it"
    ),
]

SUITE = """\
columns:
  target: readmitted
  positive_label: "<30"
  negative_label: [">30", "NO"]
  score: risk
  patient: patient_nbr
  id: encounter_id
checks:
  - concept_drift: {explain: true}
  - concept_drift:
      id: at-all
      metrics:
        roc_auc: {max_drop: 0}
        brier: {max_rise: 0}
        brier_skill: {max_drop: 0}
        observed_expected: {max_change: 0}
  - joint_drift
"""
NOT_INPUTS = ("encounter_id", "patient_nbr", "readmitted")


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    """Train on the first 40% of ten years; the next 20% is the reference, the last 20% is current."""
    from sklearn.compose import make_column_selector, make_column_transformer
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OrdinalEncoder

    table = pd.read_parquet(FOLDER / "diabetes130.parquet").sort_values("encounter_id", ignore_index=True)
    inputs = table.drop(columns=list(NOT_INPUTS))
    codes = OrdinalEncoder(
        handle_unknown="use_encoded_value",
        unknown_value=np.nan,
        encoded_missing_value=np.nan,
        max_categories=200,
    )
    texts = make_column_selector(dtype_exclude="number")
    model = make_pipeline(
        make_column_transformer((codes, texts), remainder="passthrough"),
        HistGradientBoostingClassifier(max_iter=60, max_leaf_nodes=15, random_state=0),
    )
    model.fit(inputs[:40_707], table["readmitted"][:40_707] == "<30")
    table["risk"] = model.predict_proba(inputs)[:, 1]
    path = tmp_path_factory.mktemp("diabetes") / "suite.yml"
    path.write_text(SUITE, encoding="utf-8")
    return run_suite(path, data={"reference": table[40_707:61_060], "current": table[81_413:]})


def finding(result, entry: str, subject: str | None):
    (found,) = (each for each in result.findings if each.entry == entry and each.subject == subject)
    return found


def test_the_inputs_drifted_hugely_and_the_relation_did_not(result) -> None:
    assert finding(result, "joint_drift", None).verdict == "fail"
    assert finding(result, "joint_drift", None).estimate > 0.75
    for metric in ("roc_auc", "log_loss"):
        assert finding(result, "concept_drift", f"relation:{metric}").verdict == "pass"


def test_the_loss_of_auc_is_within_its_limit_and_not_separable_from_zero(result) -> None:
    assert finding(result, "concept_drift", "roc_auc").verdict == "pass"
    assert finding(result, "at-all", "roc_auc").verdict == "inconclusive"
    assert finding(result, "at-all", "roc_auc").estimate == pytest.approx(0.01, abs=0.008)


def test_raw_brier_misleads_and_over_prediction_grows(result) -> None:
    """Fewer patients return, so the Brier score falls while the model becomes worse."""
    assert finding(result, "at-all", "brier").verdict == "pass"
    assert finding(result, "at-all", "brier_skill").estimate > 0
    assert finding(result, "at-all", "brier_skill").verdict == "inconclusive"
    grown = finding(result, "at-all", "observed_expected")
    assert grown.verdict == "fail"
    assert grown.estimate < -0.08
