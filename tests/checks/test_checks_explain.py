"""What a performance change is due to: the relation between inputs and label, or the inputs."""

import gc
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pytest_readmit import Claim, Context, DataError
from pytest_readmit.data.dataset import Dataset, Roles
from pytest_readmit.data.source import SourceSpec, open_dataset
from pytest_readmit.rule import Policy, decide
from readmit_checks import explain

pytestmark = pytest.mark.slow

METRICS: tuple[explain.Metric, ...] = ("roc_auc", "log_loss")
DEMO = Roles(
    target="readmitted_30d",
    positive_label=1,
    score="risk",
    patient="subject_id",
    id="hadm_id",
    time="admittime",
)


def demo(name: str, window: str, like: Dataset | None = None) -> Dataset:
    return open_dataset(name, SourceSpec(kind="demo", value=window, base=Path(".")), DEMO, like=like)


def related(reference: Dataset, current: Dataset, metric: explain.Metric, **keys) -> Claim:
    return explain.relation(
        reference, current, reference.scored(), current.scored(), metric, Context(), **keys
    )


ROWS = "?rows=8000"


@pytest.fixture(scope="module")
def year() -> Dataset:
    return demo("reference", f"reference{ROWS}")


@pytest.fixture(scope="module")
def windows(year: Dataset) -> dict[str, Dataset]:
    return {name: demo("current", f"{name}{ROWS}", year) for name in ("current", "inputs_shifted", "drifted")}


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize(
    ("window", "verdict", "said"),
    [
        ("current", "pass", "neither the inputs nor the relation moved"),
        ("inputs_shifted", "pass", "only the inputs moved"),
        ("drifted", "fail", "the relation between inputs and label changed"),
    ],
)
def test_demo_is_laid_on_what_was_planted(window, verdict, said, metric, year, windows) -> None:
    claim = related(year, windows[window], metric)
    ruling = decide(claim, Policy())
    assert ruling.verdict == verdict, ruling.message
    assert claim.summary.startswith(said)
    assert claim.details["notes"][0].startswith(said)
    parts = {row[0]: row[1] for row in claim.details["table"]["rows"]}
    assert parts["inputs"] + parts["relation"] == pytest.approx(parts["total"])
    assert claim.details["change"] == pytest.approx(parts["total"])
    assert abs(claim.estimate) == pytest.approx(abs(parts["relation"]))


def test_inputs_alone_raise_the_loss_far_beyond_the_limit_and_the_relation_stays(year, windows) -> None:
    claim = related(year, windows["inputs_shifted"], "log_loss")
    assert claim.details["total"] > 0.05
    assert claim.details["inputs"] > 0.05
    assert abs(claim.estimate) < 0.02
    assert claim.details["domain_auc"] > 0.6


def frames(shift: float, rows: int = 3000, seed: int = 0) -> tuple[pd.DataFrame, pd.DataFrame]:
    random = np.random.default_rng(seed)
    made = []
    for moved in (0.0, shift):
        x = random.normal(size=rows) + moved
        ward = random.choice(["medicine", "surgery"], rows)
        risk = 1 / (1 + np.exp(2.0 - x))
        made.append(
            pd.DataFrame({"x": x, "ward": ward, "risk": risk, "readmitted_30d": random.random(rows) < risk})
        )
    return made[0], made[1]


ROLES = {"patient": None, "id": None, "time": None, "positive_label": True}


def test_too_little_in_common_cannot_be_decided(opened) -> None:
    claim = related(*opened(*frames(3.0), **ROLES), "roc_auc")
    assert claim.undecidable is not None
    assert "too little in common" in claim.undecidable
    ruling = decide(claim, Policy())
    assert ruling.verdict == "inconclusive"
    assert claim.summary.startswith("cannot tell what changed")
    assert ruling.message.count("too little in common") == 1


@pytest.mark.parametrize("metric", METRICS)
def test_no_estimate_decides_what_cannot_be_told(opened, metric) -> None:
    datasets = opened(*frames(3.0), **ROLES)
    claim = explain.relation(
        *datasets, *(each.scored() for each in datasets), metric, Context(decide_by="estimate")
    )
    ruling = decide(claim, Policy(decide_by="estimate"))
    assert ruling.verdict == "inconclusive"
    assert ruling.message.startswith("cannot tell what changed")
    assert "too little in common" in ruling.message


def test_what_the_estimate_passes_is_not_called_open(opened) -> None:
    datasets = opened(*frames(0.0, rows=300), **ROLES)
    for limit, verdict, said in (
        (0.2, "pass", "neither the inputs nor the relation moved beyond its limit, going by the estimates"),
        (-0.2, "fail", "the relation between inputs and label changed, going by the estimates"),
    ):
        claim = explain.relation(
            *datasets,
            *(each.scored() for each in datasets),
            "roc_auc",
            Context(decide_by="estimate"),
            limit=limit,
        )
        ruling = decide(claim, Policy(decide_by="estimate"))
        assert (ruling.verdict, ruling.message.startswith(said)) == (verdict, True), ruling.message
        assert "cannot tell" not in ruling.message


@pytest.mark.parametrize(
    ("rows_each", "said"), [(10, "too little in common"), (1, "hardly ever repeat in t")]
)
def test_rare_levels_of_which_none_is_shared_are_no_overlap(opened, rows_each, said) -> None:
    number = np.arange(3000) // rows_each
    sides = (
        frame[["risk", "readmitted_30d"]].assign(t=[f"{letter}{i}" for i in number])
        for frame, letter in zip(frames(0.0), "ab", strict=True)
    )
    claim = related(*opened(*sides, **ROLES), "roc_auc")
    ruling = decide(claim, Policy())
    assert ruling.verdict == "inconclusive"
    assert said in ruling.message


def test_few_rows_leave_it_open_and_say_so(opened) -> None:
    before, after = frames(0.0, rows=300)
    claim = related(*opened(before, after, **ROLES), "roc_auc", limit=0.05)
    assert decide(claim, Policy()).verdict == "inconclusive"
    assert "cannot tell whether the relation" in claim.summary


def test_rows_without_label_or_score_are_left_out_of_both(opened) -> None:
    before, after = frames(0.3)
    after["risk"] = np.where(np.arange(len(after)) % 50 == 0, np.nan, after["risk"])
    claim = related(*opened(before, after, **ROLES), "log_loss")
    assert claim.n_current == len(after) * 49 // 50
    assert claim.details["missing_scores_current"] == len(after) // 50


def test_no_features_and_unusable_ones_are_errors(opened) -> None:
    before, after = frames(0.0)
    with pytest.raises(DataError, match="no features"):
        related(*opened(before, after, ignore=("x", "ward"), **ROLES), "roc_auc")
    with pytest.raises(DataError, match="no column 'ward'"):
        related(*opened(before, after.drop(columns="ward"), **ROLES), "roc_auc")
    with pytest.raises(DataError, match="infinite"):
        related(*opened(before, after.assign(x=np.inf), **ROLES), "roc_auc")


def test_both_metrics_share_one_fit_and_nothing_is_kept_beyond_the_datasets(opened, monkeypatch) -> None:
    from pytest_readmit.stats import disde

    fits = []
    true_overlap = disde.overlap
    monkeypatch.setattr(disde, "overlap", lambda inputs: fits.append(1) or true_overlap(inputs))
    datasets = opened(*frames(0.2), **ROLES)
    for metric in METRICS:
        related(*datasets, metric)
    assert len(fits) == 1
    gc.collect()
    held = len(explain._FOUND)
    for dataset in datasets:
        dataset.close()
    del datasets, dataset
    gc.collect()
    assert len(explain._FOUND) < held


def test_the_order_of_metrics_changes_nothing(opened) -> None:
    one, two = opened(*frames(0.2), **ROLES), opened(*frames(0.2), **ROLES)
    first = {metric: related(*one, metric).estimate for metric in METRICS}
    last = {metric: related(*two, metric).estimate for metric in reversed(METRICS)}
    assert first == last
