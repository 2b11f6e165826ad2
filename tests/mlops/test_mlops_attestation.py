"""`--readmit-attestation` and `readmit verify`: the Statement, and what it must agree with."""

import base64
import copy
import json
from pathlib import Path
from typing import Any

import pytest

from pytest_readmit import cli
from pytest_readmit import record as records
from pytest_readmit.mlops import attestation
from pytest_readmit.report import render

DIGEST = "sha256:" + "a" * 64
SUITE = """\
data: {reference: a.csv, current: b.csv}
checks: [data_drift, missing_drift: {columns: [age], max: 0.5}]
"""


@pytest.fixture
def written(kit: Any, tmp_path: Path) -> dict[str, Any]:
    """Write a record, its report and its attestation; return the record."""
    record = kit.made(
        kit.good_cases(kit.finding("age", "data_drift", "inconclusive")),
        champion=kit.model("1", "r", DIGEST),
        challenger=kit.model("2", "r", "sha256:" + "b" * 64),
    )
    records.write(tmp_path / "record.json", record)
    (tmp_path / "report.html").write_text(render(record), encoding="utf-8")
    made = attestation.statement(record)
    assert made is not None
    (tmp_path / "a.json").write_text(attestation.dumps(made))
    return record


def verify(folder: Path, *more: str) -> list[str]:
    names = {"--report": "report.html", "--attestation": "a.json"}
    options = [each for option, name in names.items() for each in (option, str(folder / name))]
    return ["verify", str(folder / "record.json"), *options, *more]


def test_a_statement_names_the_model_and_all_that_it_rests_on(
    written: dict[str, Any], tmp_path: Path
) -> None:
    made = json.loads((tmp_path / "a.json").read_text())
    assert (made["_type"], made["predicateType"]) == (attestation.STATEMENT, attestation.TEST_RESULT)
    assert made["subject"] == [{"name": "model:readmission/2", "digest": {"sha256": "b" * 64}}]
    predicate = made["predicate"]
    digests = {one["name"]: one["digest"]["sha256"] for one in predicate["configuration"]}
    assert digests == {
        "record": written["digest"].removeprefix("sha256:"),
        "suite:suites/promotion.yml": "5" * 64,
        "dataset:current": "d" * 64,
    }
    assert predicate["result"] == "WARNED"
    assert predicate["warnedTests"] == ["suites/promotion.yml::data_drift::age"]
    assert (len(predicate["passedTests"]), predicate["failedTests"]) == (2, [])


def test_without_a_model_the_subject_is_the_data_and_a_blocked_run_has_failed(kit: Any) -> None:
    record = kit.made([kit.finding("age", "data_drift", "fail")], champion=None, challenger=None)
    made = attestation.statement(record)
    assert made is not None
    assert made["subject"] == [{"name": "dataset:current", "digest": {"sha256": "d" * 64}}]
    assert made["predicate"]["result"] == "FAILED"


def test_an_incomplete_run_has_not_passed(kit: Any) -> None:
    record = kit.made(kit.good_cases(), champion=None, challenger=None, planned=3)
    made = attestation.statement(record)
    assert made is not None
    assert made["predicate"]["result"] == "WARNED"


def test_verify_finds_all_three_in_agreement(written: dict[str, Any], tmp_path: Path, capsys: Any) -> None:
    assert cli.main(verify(tmp_path)) == 0
    said = capsys.readouterr().out
    assert "record: whole" in said
    assert "report: is just what the record draws" in said
    assert "attestation: agrees; unsigned" in said


@pytest.mark.parametrize("bundle", [False, True])
def test_verify_opens_a_signed_envelope_and_a_bundle(
    written: dict[str, Any], tmp_path: Path, capsys: Any, bundle: bool
) -> None:
    payload = base64.b64encode((tmp_path / "a.json").read_bytes()).decode()
    envelope: dict[str, Any] = {
        "payloadType": attestation.PAYLOAD_TYPE,
        "payload": payload,
        "signatures": [{"sig": "AAAA"}],
    }
    content = {"mediaType": "x", "dsseEnvelope": envelope} if bundle else envelope
    (tmp_path / "a.json").write_text(json.dumps(content))
    assert cli.main(verify(tmp_path)) == 0
    assert "check the signature with the tool that made it" in capsys.readouterr().out


def test_verify_tells_an_edited_report_a_foreign_one_and_a_foreign_suite(
    written: dict[str, Any], tmp_path: Path, capsys: Any
) -> None:
    page = tmp_path / "report.html"
    text = page.read_text(encoding="utf-8")
    page.write_text(text.replace("roc_auc", "roc_auk", 1), encoding="utf-8")
    assert cli.main(verify(tmp_path)) == 1
    assert "wrong: report: names this record but is not what the record draws" in capsys.readouterr().out
    page.write_text(text.replace(written["digest"], DIGEST), encoding="utf-8")
    suite = tmp_path / "s.yml"
    suite.write_text("checks: []")
    assert cli.main(verify(tmp_path, "--suite", str(suite))) == 1
    said = capsys.readouterr().out
    assert "wrong: report: is of another record" in said
    assert "s.yml is not a suite of the record" in said


@pytest.mark.parametrize(
    ("path", "value", "told"),
    [
        (["subject", 0, "digest", "sha256"], "0" * 64, "its subject differs"),
        (["predicate", "configuration", 0, "digest", "sha256"], "0" * 64, "the digest of record"),
        (["predicate", "configuration", 1, "digest", "sha256"], "0" * 64, "the digest of suite:"),
        (["predicate", "result"], "PASSED", "differs from the record in result"),
        (["predicate", "warnedTests"], [], "in warnedTests"),
        (["predicateType"], "https://slsa.dev/provenance/v1", "is no test result"),
        (["subject"], 7, "its subject differs"),
        (["predicate"], [], "the digest of record"),
    ],
)
def test_verify_tells_what_an_edited_attestation_differs_in(
    written: dict[str, Any], tmp_path: Path, capsys: Any, path: list[Any], value: Any, told: str
) -> None:
    made = json.loads((tmp_path / "a.json").read_text())
    place = made
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    (tmp_path / "a.json").write_text(json.dumps(made))
    assert cli.main(verify(tmp_path)) == 1
    assert told in capsys.readouterr().out


@pytest.mark.parametrize(
    "text", ["", "[]", "7", "{}", '{"payloadType": 1}', '{"dsseEnvelope": []}', "[" * 9999]
)
def test_what_is_no_attestation_is_told_without_traceback(
    written: dict[str, Any], tmp_path: Path, capsys: Any, text: str
) -> None:
    (tmp_path / "a.json").write_text(text)
    assert cli.main(verify(tmp_path)) == 4
    assert "no attestation" in capsys.readouterr().err


def test_an_edited_record_is_told(written: dict[str, Any], tmp_path: Path, capsys: Any) -> None:
    path = tmp_path / "record.json"
    path.write_text(path.read_text().replace('"blocked": false', '"blocked": true'))
    assert cli.main(verify(tmp_path)) == 1
    assert "damaged" in capsys.readouterr().err
    changed = copy.deepcopy(written)
    changed["counts"]["pass"] = 9
    changed["digest"] = records.digest(changed)
    records.write(path, changed)
    assert cli.main(verify(tmp_path)) == 1
    assert "contradicts itself" in capsys.readouterr().err


def test_a_run_attests_what_it_did(pytester: pytest.Pytester, capsys: Any) -> None:
    rows = "age\n" + "".join(f"{20 + row % 50}\n" for row in range(400))
    for name in ("a.csv", "b.csv"):
        (pytester.path / name).write_text(rows)
    (pytester.path / "s.yml").write_text(SUITE)
    outputs = ["--readmit-json=record.json", "--readmit-report=report.html", "--readmit-attestation=a.json"]
    result = pytester.runpytest_subprocess("--readmit-suite=s.yml", *outputs)
    assert result.ret == 0
    assert cli.main(verify(pytester.path, "--suite", str(pytester.path / "s.yml"))) == 0
    made = json.loads((pytester.path / "a.json").read_text())
    assert {one["name"] for one in made["subject"]} == {"dataset:reference", "dataset:current"}
    # A run that cannot start leaves no attestation of an earlier one.
    (pytester.path / "s.yml").write_text("checks: [no_such_check]\n")
    assert pytester.runpytest_subprocess("--readmit-suite=s.yml", *outputs).ret == 4
    assert not (pytester.path / "a.json").exists()
