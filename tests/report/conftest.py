"""A record as a run writes it, made by hand: 35 gates of every kind, also with hostile names."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from pytest_readmit import record as records

HOSTILE = "<script>alert(1)</script>\"'&\n\x1b[31m\u202eevil\u202c"
COMMIT = "3f2a9c7e5b1d4a60f8e2c9b7a6d5e4f3c2b1a098"


def numbers(shift: float = 0.0, bins: int = 24, tail: bool = False) -> dict[str, Any]:
    """A bell of `bins` bins, the current one moved by `shift` bins; widths grow to the right."""
    edges = [20.0]
    for index in range(bins):
        edges.append(round(edges[-1] + 2 + index * 0.1, 3))
    if tail:
        edges[-1] = 1400.0

    def bell(middle: float) -> list[float]:
        heights = [2.718281828 ** (-((index - middle) ** 2) / 30) for index in range(bins)]
        total = sum(heights)
        return [round(height / total, 5) for height in heights]

    return {"edges": edges, "reference": bell(bins / 2), "current": bell(bins / 2 + shift)}


def levels(count: int = 5, shift: float = 0.0) -> dict[str, Any]:
    names = [
        "EMERGENCY",
        "URGENT",
        "ELECTIVE",
        "OBSERVATION ADMIT",
        "(other)",
        *(f"level {n}" for n in range(99)),
    ]
    share = [2.0 ** -(n + 1) for n in range(count)]
    share[-1] *= 2
    now = [share[0] - shift, share[1] + shift, *share[2:]]
    return {"levels": names[:count], "reference": share, "current": now}


def case(entry: str, subject: str | None, **fields: Any) -> dict[str, Any]:
    """One case of the record: a pass by interval unless `fields` say otherwise."""
    segment = fields.get("segment")
    parts = ["suites/drift.yml", entry, *(part for part in (subject, segment) if part)]
    found: dict[str, Any] = {
        "id": "::".join(parts),
        "suite": "readmission-drift",
        "check": entry,
        "entry": entry,
        "subject": subject,
        "segment": None,
        "line": 24,
        "because": None,
        "verdict": "pass",
        "severity": "block",
        "outcome": "passed",
        "warned": False,
        "method": "ks",
        "estimate": 0.011,
        "interval": [0.002, 0.029],
        "fail_bound": 0.0,
        "limit": 0.1,
        "direction": "at_most",
        "p_value": 1.0,
        "confidence": 0.95,
        "m": 14,
        "alpha": 0.00357142857,
        "decide_by": "interval",
        "n_reference": 20000,
        "n_current": 20000,
        "needed_n": None,
        "certifiable": 0.029,
        "message": f"{subject or entry} moved by 0.011 (one-sided 95% bounds 0.002 and 0.029);"
        " the limit is 0.1",
        "waiver": None,
        "seconds": 0.004,
        "details": {},
    }
    return found | fields


def _drift() -> list[dict[str, Any]]:
    calm = ["los_days", "prior_admissions", "diagnosis_count", "comorbidity_index", "sodium", "potassium"]
    found = [
        case(
            "data_drift",
            feature,
            estimate=round(0.006 + 0.004 * n, 4),
            interval=[0.001 * n, 0.022 + 0.005 * n],
            details={"histogram": numbers(0.1 * n, tail=n == 4), "bins": 10},
            message=f"{feature} moved by {0.006 + 0.004 * n:.3g}; the limit is 0.1",
        )
        for n, feature in enumerate(calm)
    ]
    found += [
        case(
            "data_drift",
            "age",
            verdict="fail",
            outcome="failed",
            estimate=0.31,
            interval=[0.283, 0.326],
            fail_bound=0.276,
            p_value=3e-96,
            certifiable=0.326,
            details={"histogram": numbers(4)},
            message="age moved by 0.31 (one-sided 95% bounds 0.283 and 0.326); the limit is 0.1",
        ),
        case(
            "data_drift",
            "glucose",
            verdict="inconclusive",
            estimate=0.094,
            interval=[0.081, 0.108],
            fail_bound=0.078,
            p_value=0.8,
            certifiable=0.108,
            needed_n=52000,
            warned=True,
            details={"histogram": numbers(1.2)},
            message="glucose moved by 0.094; the limit is 0.1; cannot tell: the tightest limit that these"
            " data could certify is 0.108; about 52,000 rows of current would decide, if the estimate stays",
        ),
        case(
            "data_drift",
            "admission_type",
            method="total_variation",
            estimate=0.02,
            details={"histogram": levels(5, 0.02)},
        ),
        case(
            "data_drift",
            "diagnosis_group",
            method="total_variation",
            verdict="inconclusive",
            warned=True,
            estimate=0.12,
            interval=[0.02, 0.2],
            fail_bound=0.001,
            certifiable=0.2,
            n_current=410,
            details={"histogram": levels(30, 0.12)},
            message="diagnosis_group moved by 0.12; reference too small",
        ),
        case(
            "data_drift",
            HOSTILE,
            details={
                "histogram": {"levels": [HOSTILE, "b"], "reference": [0.4, 0.6], "current": [0.5, 0.5]},
                "notes": [HOSTILE],
                HOSTILE: HOSTILE,
                "table": {"columns": [HOSTILE], "rows": [[HOSTILE]]},
            },
            message=f"{HOSTILE} moved",
            because=HOSTILE,
            id=f"suites/drift.yml::data_drift::{HOSTILE}",
        ),
        case(
            "data_drift",
            "a_rather_long_feature_name_that_somebody_wrote_without_any_space_" + "x" * 60,
            details={"histogram": numbers(0.2)},
            warned=True,
            message="moved by 0.011, beyond the warning level 0.005",
        ),
    ]
    for sex in ("F", "M", "(missing)"):
        found.append(
            case(
                "age-by-sex",
                "age",
                segment=sex,
                check="data_drift",
                estimate=0.02,
                line=31,
                because="limit of the 2021 protocol, section 4.2",
                details={"histogram": numbers(0.3)},
            )
        )
    return found


def _classic() -> list[dict[str, Any]]:
    common = {
        "check": "data_drift",
        "decide_by": "p_value",
        "limit": None,
        "direction": None,
        "interval": None,
        "fail_bound": None,
        "certifiable": None,
        "alpha": 0.05,
        "m": 1,
        "line": 36,
    }
    return [
        case(
            "age-classic",
            "age",
            verdict="fail",
            p_value=3.2e-9,
            severity="warn",
            warned=True,
            estimate=0.08,
            message="age moved by 0.08; p = 3.2e-09 against 0.05: significant",
            because="as in the 2021 protocol",
            **common,
        ),
        case(
            "age-classic",
            "los_days",
            p_value=0.41,
            estimate=0.006,
            message="los_days moved by 0.006; p = 0.41 against 0.05: not significant;"
            " says nothing about size",
            **common,
        ),
        case(
            "age-classic",
            "zero",
            p_value=0.0,
            estimate=0.9,
            verdict="fail",
            severity="warn",
            warned=True,
            **common,
        ),
    ]


def _others() -> list[dict[str, Any]]:
    census = {
        "interval": None,
        "fail_bound": None,
        "p_value": None,
        "alpha": None,
        "m": None,
        "certifiable": None,
        "decide_by": "estimate",
        "confidence": None,
    }
    return [
        case("drift_share", None, estimate=0.14, interval=[0.07, 0.21], limit=0.3, line=40),
        case(
            "target_drift",
            None,
            direction="within",
            limit=[-0.02, 0.02],
            estimate=0.004,
            interval=[-0.001, 0.009],
            fail_bound=-0.003,
            method="risk_difference",
            certifiable=0.009,
            details={"reference": 0.112, "current": 0.116, "change": 0.004, "relative_change": 0.0357},
        ),
        case(
            "prediction_drift",
            "score",
            limit=0.05,
            estimate=0.031,
            interval=[0.019, 0.044],
            verdict="fail",
            outcome="xfailed",
            fail_bound=0.012,
            waiver={
                "until": "2026-12-31",
                "by": "dr.ada@hospital.example",
                "reason": "new triage form since October",
            },
            details={"histogram": numbers(1)},
            message="score moved by 0.031",
        ),
        case(
            "prediction_drift",
            "alert_rate",
            direction="within",
            limit=[-0.02, 0.02],
            estimate=-0.0207,
            interval=[-0.028, -0.013],
            fail_bound=-0.008,
            verdict="inconclusive",
            outcome="xfailed",
            waiver={"until": "2026-12-31", "by": "dr.ada@hospital.example", "reason": HOSTILE},
            details={"reference": 0.2, "current": 0.179, "change": -0.021, "relative_change": -0.105},
        ),
        case(
            "missing_drift",
            "lactate",
            direction="within",
            limit=[-0.05, 0.05],
            estimate=0.1,
            interval=[0.093, 0.107],
            fail_bound=0.091,
            verdict="fail",
            outcome="failed",
            line=44,
            p_value=1e-70,
            details={"reference": 0.34, "current": 0.44, "change": 0.1, "relative_change": 0.294},
            message="missing values of lactate went from 34% to 44%",
            because="labs are ordered by protocol",
        ),
        case(
            "missing_drift",
            "age",
            direction="within",
            limit=[-0.01, 0.01],
            estimate=0.0,
            interval=[-0.0002, 0.0002],
            waiver={"until": "2026-12-31", "by": "dr.ada@hospital.example", "reason": "not needed any more"},
        ),
        case(
            "unseen_categories",
            "admission_type",
            verdict="error",
            outcome="failed",
            estimate=None,
            interval=None,
            fail_bound=None,
            p_value=None,
            certifiable=None,
            method=None,
            alpha=None,
            line=47,
            message="data/2024.parquet: there is no column 'admission_type', did you mean 'admission_kind'?",
        ),
        case("out_of_range", "age", limit=0.01, estimate=0.0003, interval=[0.0001, 0.0008]),
        case("extreme_values", "sodium", limit=0.002, estimate=0.0, interval=[0.0, 0.0002]),
        case(
            "unit_change",
            "glucose",
            limit=0.002,
            estimate=0.029,
            interval=[0.027, 0.031],
            fail_bound=0.026,
            verdict="fail",
            outcome="failed",
            line=52,
            details={
                "histogram": numbers(0, tail=True),
                "factor": "18",
                "table": {"columns": ["factor", "share"], "rows": [[18, 0.029], ["1/18", 0]]},
                "notes": ["3% of rows look like glucose in mmol/l: multiply by 18"],
            },
            message="2.9% of glucose looks as if it were multiplied by 18; the limit is 0.002",
        ),
        case(
            "schema",
            None,
            limit=0,
            estimate=2,
            verdict="fail",
            severity="warn",
            warned=True,
            method="census",
            details={
                "table": {
                    "columns": ["column", "reference", "current"],
                    "rows": [["ward", "text", "–"], ["unit", "–", "text"]],
                },
                "notes": ["'ward' seems to have become 'unit'"],
            },
            message="2 columns differ",
            **census,
        ),
        case("unique", "hadm_id", limit=0, estimate=0, method="census", message="no duplicates", **census),
        case(
            "patient_overlap",
            None,
            limit=None,
            estimate=812,
            method="census",
            message="812 patients; no limit, reported only",
            **census,
        ),
        case("label_maturity", None, limit=0, estimate=0, method="census", **census),
        case(
            "performance",
            "roc_auc",
            direction="at_least",
            limit=0.7,
            estimate=0.7443,
            interval=[0.731, 0.757],
            fail_bound=0.772,
            certifiable=0.731,
            method="delong",
        ),
        case(
            "calibration",
            "slope",
            direction="within",
            limit=[0.8, 1.25],
            estimate=1.02,
            interval=[0.93, 1.11],
            fail_bound=1.16,
            certifiable=[0.93, 1.11],
            decide_by="estimate",
        ),
        case(
            "nothing",
            "known",
            **dict.fromkeys(
                (
                    "line",
                    "because",
                    "method",
                    "estimate",
                    "interval",
                    "fail_bound",
                    "limit",
                    "direction",
                    "p_value",
                    "confidence",
                    "m",
                    "alpha",
                    "decide_by",
                    "n_reference",
                    "n_current",
                    "needed_n",
                    "certifiable",
                    "waiver",
                    "details",
                    "seconds",
                ),
                None,
            ),
        ),
    ]


def build(cases: list[dict[str, Any]] | None = None, **fields: Any) -> dict[str, Any]:
    """A whole record; `fields` replace the top-level ones; the digest fits."""
    cases = [*_drift(), *_classic(), *_others()] if cases is None else cases
    counts = {
        name: sum(one["verdict"] == name for one in cases)
        for name in ("pass", "fail", "inconclusive", "error")
    }
    complete = fields.get("complete", True)
    record: dict[str, Any] = {
        "schema": "pytest-readmit/record/1",
        "digest": "",
        "verdict": "fail",
        "blocked": any(one["outcome"] == "failed" for one in cases),
        "certified": bool(complete) and all(one["verdict"] == "pass" for one in cases),
        "complete": True,
        "exit_code": 1,
        "planned": len(cases),
        "deselected": 0,
        "counts": counts,
        "false_alarm_bound": 0.25,
        "suites": [
            {
                "name": "readmission-drift",
                "path": "suites/drift.yml",
                "sha256": "9d" * 32,
                "owner": "clinical-ml@hospital.example",
                "approver": "medical-ai-board@hospital.example",
                "intended_use": "Flag adults at discharge for a follow-up call.",
                "protocol": "PCCP-2026-03",
                "as_of": "2026-11-01",
            }
        ],
        "cases": cases,
        "provenance": {
            "started": "2026-11-23T04:20:11.402Z",
            "finished": "2026-11-23T04:20:13.877Z",
            "datasets": {
                "reference": {
                    "source": "data/2023.parquet",
                    "sha256": "ab" * 32,
                    "version": None,
                    "columns": 21,
                    "flow": {"read": 20000, "where": 19400, "matured": 19400, "patients": 14213},
                    "left_out": {"admittime": "time", "readmitted_30d": "target"},
                },
                "current": {
                    "source": "data/2024.parquet",
                    "sha256": "cd" * 32,
                    "version": "dvc:1f2e",
                    "columns": 21,
                    "flow": {"read": 20000, "where": 19500, "matured": 18100, "patients": "fewer than 11"},
                },
            },
            "models": {
                "champion": None,
                "challenger": {
                    "source": "models:/readmission@challenger",
                    "name": "readmission",
                    "version": 7,
                    "run_id": None,
                    "digest": "sha256:" + "ef" * 32,
                },
            },
            "git": {"commit": COMMIT, "dirty": True},
            "python": "3.12.1",
            "packages": {"pytest-readmit": "0.1.0", "pytest": "9.2.0", "numpy": "2.4.0", "duckdb": "2.0.0"},
            "platform": "Linux-6.1-x86_64",
            "command": "pytest --readmit-suite=suites/drift.yml --readmit-report=report.html",
        },
    }
    record |= fields
    record = json.loads(json.dumps(record))
    if "digest" not in fields:
        record["digest"] = records.digest(record)
    return record


@pytest.fixture
def sample() -> Callable[..., dict[str, Any]]:
    """`build`: a record of 35 gates of every kind, or of the cases given."""
    return build


@pytest.fixture
def gate_case() -> Callable[..., dict[str, Any]]:
    """`case`: one case of a record."""
    return case


@pytest.fixture
def bins() -> Callable[..., dict[str, Any]]:
    """`numbers`: the histogram of a case."""
    return numbers


@pytest.fixture
def hostile() -> str:
    """A name that tries everything at once."""
    return HOSTILE
