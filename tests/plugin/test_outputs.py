"""What a run leaves behind: the record, the report, nothing stale, nothing private."""

import json
import pickle
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from pytest_readmit import record
from pytest_readmit.report import markdown, render

BOTH_FILES = ("record.json", "report.html")
BOTH = ("--readmit-json=record.json", "--readmit-report=report.html")
FILES = (*BOTH, "--readmit-attestation=proof.json", "--readmit-metrics=readmit.prom", "--junitxml=junit.xml")
EVERY = (*FILES, "-vv", "-l", "--tb=long", "-rA")


@pytest.fixture
def on_github(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the runs of a test annotate and write a job summary, as they do on GitHub."""
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", "summary.md")


def test_the_record_fits_its_schema_and_its_digest(project) -> None:
    project.suite("- moved: {far: [age], broken: [bmi], unsure: [los]}\n- unique: {columns: [age], max: 1}")
    made = project.record()
    jsonschema.validate(made, json.loads(record.SCHEMA_FILE.read_text()))
    assert record.read(project.path / "record.json") == made
    assert (made["verdict"], made["blocked"], made["certified"], made["complete"]) == (
        "error",
        True,
        False,
        True,
    )
    assert made["counts"] == {"pass": 2, "fail": 1, "inconclusive": 1, "error": 1}
    assert (made["planned"], made["deselected"], made["exit_code"]) == (5, 0, 1)
    assert [case["id"].partition("::")[2] for case in made["cases"]] == [
        "moved::age",
        "moved::bmi",
        "moved::los",
        "moved::sex",
        "unique",
    ]


def test_the_record_says_where_it_came_from(project) -> None:
    project.suite("- moved", head="suite: ward\nowner: o@example.org\nprotocol: P-1\nas_of: 2026-11-01")
    made = project.record("-q")
    suite = made["suites"][0]
    assert (suite["name"], suite["path"], suite["owner"]) == ("ward", "suites/drift.yml", "o@example.org")
    assert (suite["protocol"], suite["approver"], suite["as_of"]) == ("P-1", None, "2026-11-01")
    facts = made["provenance"]
    assert facts["command"] == "pytest --readmit-suite=suites/drift.yml --readmit-json=record.json -q"
    dataset = facts["datasets"]["current"]
    assert (dataset["columns"], dataset["flow"]["read"]) == (4, 60)
    assert re.fullmatch("[0-9a-f]{64}", dataset["sha256"])
    assert {"pytest-readmit", "pytest", "numpy", "duckdb"} <= set(facts["packages"])
    assert facts["started"] <= facts["finished"]


def test_the_flow_of_rows_shows_no_small_count(project) -> None:
    path = project.suite("- moved")
    path.write_text(path.read_text().replace("current.csv", "{path: current.csv, where: 'age > 75'}"))
    flow = project.record("-q")["provenance"]["datasets"]["current"]["flow"]
    assert flow == {"read": 60, "where": None, "matured": None}


def test_an_error_of_one_feature_shows_no_small_count_through_drift_share(project) -> None:
    for name, broken in (("before.csv", 0), ("after.csv", 20)):
        rows = ["inf" if row < broken else str(row / 7) for row in range(90)]
        (project.path / "suites" / name).write_text("\n".join(["lab", *rows]) + "\n")
    path = project.suite("- drift_share", head="privacy: {min_cell: 40}")
    both = "reference: before.csv, current: after.csv"
    path.write_text(path.read_text().replace("current: current.csv", both))
    (case,) = project.record("-q")["cases"]
    assert case["verdict"] == "error"
    assert "fewer than 40 infinite values" in case["message"]


def test_a_column_and_a_segment_named_by_the_environment_are_shown_by_their_variables(
    project, monkeypatch
) -> None:
    monkeypatch.setenv("READMIT_COLUMN", "xSECRETx")
    monkeypatch.setenv("READMIT_LEVEL", "ySECRETy")
    rows = [f"{row},{'ySECRETy' if row % 2 else 'z'},1" for row in range(60)]
    (project.path / "suites" / "current.csv").write_text("\n".join(["xSECRETx,level,site", *rows]) + "\n")
    axes = "[{column: level, values: ['${READMIT_LEVEL}']}, site]"
    project.suite(f"- moved: {{columns: ['${{READMIT_COLUMN}}'], segments: {axes}}}")
    result = project.run(*BOTH, "--junitxml=junit.xml", "-vv", "-rA")
    assert result.ret == pytest.ExitCode.OK
    assert project.read()["cases"][0]["id"].endswith("::moved::${READMIT_COLUMN}::${READMIT_LEVEL} / 1")
    for text in everything(project.path, result):
        assert "SECRET" not in text


def test_two_runs_differ_in_times_and_command_only(project) -> None:
    project.suite("- moved: {far: [age], broken: [bmi]}")
    assert timeless(project.record("-q")) == timeless(project.record("-v"))


def timeless(made: dict[str, Any]) -> dict[str, Any]:
    facts = {**made["provenance"], "started": "", "finished": "", "command": ""}
    cases = [{**case, "seconds": 0} for case in made["cases"]]
    return {**made, "digest": "", "provenance": facts, "cases": cases}


def test_the_report_is_written(project) -> None:
    project.suite("- moved: {far: [age]}")
    project.run(*BOTH)
    page = (project.path / "report.html").read_text()
    assert "age moved by 0.5" in page
    assert "No result" not in page


def stale(project: Any) -> None:
    (project.path / "record.json").write_text('{"verdict": "pass"}')
    (project.path / "report.html").write_text("last week: pass")


def nothing_decided(project: Any, code: int) -> None:
    made = record.read(project.path / "record.json")
    jsonschema.validate(made, json.loads(record.SCHEMA_FILE.read_text()))
    assert (made["verdict"], made["complete"], made["blocked"], made["exit_code"]) == (
        "error",
        False,
        True,
        code,
    )
    assert "last week" not in (project.path / "report.html").read_text()


def test_a_wrong_suite_leaves_no_old_result(project) -> None:
    project.suite("- nothing_like_it")
    stale(project)
    assert project.run(*BOTH).ret == pytest.ExitCode.USAGE_ERROR
    nothing_decided(project, 4)


def test_a_suite_that_does_not_exist_leaves_no_old_result(project) -> None:
    stale(project)
    assert project.run(*BOTH, suite="nobody.yml").ret == pytest.ExitCode.USAGE_ERROR
    nothing_decided(project, 4)


def test_a_broken_conftest_leaves_no_old_result(project) -> None:
    project.suite("- moved")
    (project.path / "conftest.py").write_text("raise RuntimeError\n")
    stale(project)
    assert project.run(*BOTH).ret != 0
    nothing_decided(project, 3)


def test_an_unknown_option_leaves_no_old_result(project) -> None:
    project.suite("- moved")
    stale(project)
    assert project.run(*BOTH, "--readmit-jsno=x").ret == pytest.ExitCode.USAGE_ERROR
    nothing_decided(project, 3)


def test_an_output_without_a_suite_is_a_usage_error(project) -> None:
    (project.path / "test_a.py").write_text("def test_a(): pass\n")
    stale(project)
    result = project.run(*BOTH, suite=None)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*--readmit-json and --readmit-report need a suite*"])
    nothing_decided(project, 4)


def test_the_old_result_is_gone_while_the_gates_run(project) -> None:
    project.suite("- moved")
    stale(project)
    (project.path / "conftest.py").write_text(
        "import json\nfrom pathlib import Path\n"
        "def pytest_runtest_setup():\n"
        "    made = json.loads(Path('record.json').read_text())\n"
        "    assert made['verdict'] == 'error' and not made['complete']\n"
        "    assert 'last week' not in Path('report.html').read_text()\n"
    )
    project.run(*BOTH).assert_outcomes(passed=4)
    assert project.read()["verdict"] == "pass"


@pytest.mark.parametrize("option", ["--readmit-json", "--readmit-report", "--readmit-metrics"])
def test_an_output_that_cannot_be_written_is_exit_3_before_any_work(project, option) -> None:
    project.suite("- moved")
    (project.path / "folder").mkdir()
    (project.path / "file").write_text("")
    for name in ("folder", "file/record"):
        result = project.run(f"{option}={name}")
        assert result.ret == pytest.ExitCode.INTERNAL_ERROR
        result.stderr.fnmatch_lines(["*could not be written*"])


@pytest.mark.parametrize("name", ["record.json", "report.html", "readmit.prom"])
def test_an_output_that_cannot_be_written_at_the_end_is_exit_3(project, name) -> None:
    project.suite("- moved")
    (project.path / "conftest.py").write_text(
        f"import os\ndef pytest_sessionfinish():\n    os.remove({name!r})\n    os.mkdir({name!r})\n"
    )
    result = project.run(*BOTH, "--readmit-metrics=readmit.prom")
    assert result.ret == pytest.ExitCode.INTERNAL_ERROR
    told = [line for line in result.outlines if re.match("readmit: the .* could not be written: ", line)]
    assert len(told) == 1
    if name != "record.json":
        assert project.read()["exit_code"] == 3


def test_a_gate_that_never_ran_to_its_end_is_an_error(project) -> None:
    project.suite("- moved")
    (project.path / "conftest.py").write_text(
        "def pytest_runtest_setup(item):\n    assert item.name != 'age', 'a fixture of somebody else'\n"
    )
    made = project.record()
    assert [case["verdict"] for case in made["cases"]] == ["error", "pass", "pass", "pass"]
    assert (made["verdict"], made["exit_code"]) == ("error", 1)


def test_a_gate_that_somebody_skips_leaves_the_record_incomplete(project) -> None:
    project.suite("- moved")
    (project.path / "conftest.py").write_text(
        "import pytest\n"
        "def pytest_collection_modifyitems(items):\n    items[0].add_marker(pytest.mark.skip)\n"
    )
    made = project.record()
    assert (made["complete"], made["verdict"], len(made["cases"])) == (False, "inconclusive", 3)


def test_an_interrupted_run_leaves_an_incomplete_record(project) -> None:
    project.suite("- moved")
    (project.path / "conftest.py").write_text(
        "def pytest_runtest_setup(item):\n    if item.name == 'los': raise KeyboardInterrupt\n"
    )
    project.run_apart("--readmit-json=record.json")
    made = project.read()
    assert (made["complete"], made["blocked"], made["exit_code"], len(made["cases"])) == (False, True, 2, 2)


def test_a_gate_that_blocks_is_not_talked_out_of_it(project) -> None:
    project.suite("- moved: {far: [age]}")
    (project.path / "conftest.py").write_text(
        "def pytest_sessionfinish(session):\n    session.exitstatus = 0\n"
    )
    assert project.run().ret == pytest.ExitCode.TESTS_FAILED


def test_collect_only_certifies_nothing(project) -> None:
    project.suite("- moved")
    made = project.record("--collect-only")
    assert (made["verdict"], made["complete"], made["cases"]) == ("error", False, [])


def test_a_value_of_the_environment_appears_in_no_output(project, monkeypatch, on_github) -> None:
    monkeypatch.setenv("READMIT_WARD", "wardseven")
    (project.path / "suites" / "wardseven.csv").write_text("age\n" + "1\n" * 20)
    path = project.suite(
        head="suite: '${READMIT_WARD}'\nowner: '${READMIT_WARD}'\napprover: '${READMIT_WARD}'",
        checks="- moved: {far: [age], because: '${READMIT_WARD} said so'}\n- moved: {id: b, broken: [age]}",
    )
    path.write_text(path.read_text().replace("current.csv", "'${READMIT_WARD}.csv'"))
    result = project.run(*EVERY, "--readmit-data=other=x")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result = project.run(*EVERY)
    result.assert_outcomes(failed=2)
    assert "wardseven" not in "".join(everything(project.path, result))
    assert "${READMIT_WARD}" in (project.path / "record.json").read_text()


def everything(folder: Path, result: pytest.RunResult) -> list[str]:
    """Return every text that a run showed or left behind, except what the test itself wrote."""
    left = [folder / name for name in (*BOTH_FILES, "readmit.prom", "junit.xml", "summary.md", "proof.json")]
    left += [path for path in (folder / ".pytest_cache").rglob("*") if path.is_file()]
    texts = [path.read_text(errors="replace") for path in left if path.exists()]
    made = record.read(folder / "record.json")
    texts += [page(made) for page in (markdown.render, render)]
    return [*texts, result.stdout.str(), result.stderr.str()]


CANARY = "xCANARYx"


def test_no_cell_of_the_data_appears_in_any_output(project, on_github) -> None:
    """A canary sits in every column of both tables, once, and in a row that cannot be read."""

    def table(name: str, *, last: str) -> None:
        rows = [f"{20 + row % 50},{row / 7},{'mf'[row % 2]},{row},{row % 2},{row / 100}" for row in range(99)]
        lines = ["age,lab,sex,patient,label,risk", *rows, last]
        (project.path / "suites" / name).write_text("\n".join(lines) + "\n")

    every = ",".join(f"{CANARY}{number}" for number in range(6))
    torn = f'"{CANARY},{CANARY}\n{every},{every}'
    checks = """
- data_drift
- data_drift: {id: as-numbers, columns: [age, lab], method: psi}
- data_drift: {id: by-sex, columns: [age], segments: sex}
- missing_drift
- unseen_categories
- extreme_values
- unit_change
- schema
- unique: {columns: [patient]}
- patient_overlap: {max: 0}
- target_drift
- prediction_drift
- drift_share
- out_of_range: {ranges: {age: [0, 120]}}
- moved: {crash: [age, sex]}
"""
    head = "columns: {target: label, positive_label: 1, score: risk, patient: patient, numerical: [age]}"
    for before, after in (("99,1,m,99,1,0.5", every), (every, "1,1,m,1,1,0.5"), ("1,1,m,1,1,0.5", torn)):
        table("reference.csv", last=before)
        table("current.csv", last=after)
        path = project.suite(checks, head=head)
        path.write_text(path.read_text().replace("data: {", "data: {reference: reference.csv, "))
        result = project.run(*EVERY)
        assert result.ret == pytest.ExitCode.TESTS_FAILED
        assert "by error" in result.outlines[-1]
        assert (project.path / "summary.md").stat().st_size > 0
        for text in everything(project.path, result):
            assert CANARY.casefold() not in text.casefold()


MODEL = f"""
import logging
import warnings
import numpy as np

class Broken:
    classes_ = np.array([0, 1])
    feature_names_in_ = np.array(["age"])
    def predict_proba(self, rows):
        print("{CANARY}")
        logging.getLogger("own").warning("{CANARY}")
        warnings.warn("{CANARY}")
        raise ValueError(f"{CANARY} cannot be scored in {{rows}}")
"""


def test_what_a_model_says_when_it_crashes_appears_in_no_output(project, monkeypatch, on_github) -> None:
    (project.path / "broken_model.py").write_text(MODEL)
    monkeypatch.syspath_prepend(project.path)
    import broken_model

    (project.path / "suites" / "m.pkl").write_bytes(pickle.dumps(broken_model.Broken()))
    rows = [f"{20 + row % 50},{row % 2}" for row in range(99)]
    (project.path / "suites" / "current.csv").write_text("\n".join(["age,y", *rows]) + "\n")
    project.suite(
        "- performance: {metrics: {brier: {max: 0.5}}}",
        head="columns: {target: y, positive_label: 1}\nmodels: {challenger: m.pkl}",
    )
    result = project.run(*EVERY, "--readmit-trust=*")
    assert project.read()["counts"]["error"] == 1
    assert not any(CANARY in text for text in everything(project.path, result))


def test_no_output_is_written_over_a_suite_or_over_another(project) -> None:
    suite = project.suite("- moved")
    text = suite.read_text()
    result = project.run("--readmit-json=suites/drift.yml")
    assert (result.ret, suite.read_text()) == (4, text)
    result = project.run("--readmit-json=a.out", "--readmit-report=./a.out")
    assert result.ret == 4
    result.stderr.fnmatch_lines(["*name the same file*"])
    assert not (project.path / "a.out").exists()


def test_the_runs_of_a_schedule_count_in_m(project) -> None:
    project.suite("- moved", head="schedule: {runs: 10}")
    made = project.record("-q")
    assert {case["m"] for case in made["cases"]} == {40}
    assert made["cases"][0]["alpha"] == pytest.approx(0.05 / 40)
    assert made["false_alarm_bound"] == pytest.approx(0.05)


@pytest.mark.parametrize(
    ("current", "noted"), [("current.csv", True), ("{path: current.csv, where: 'age > 50'}", False)]
)
def test_the_same_rows_as_reference_and_current_are_noted(project, current: str, noted: bool) -> None:
    path = project.suite("- missing_drift: {max: 0.5}")
    path.write_text(
        path.read_text().replace("{current: current.csv}", f"{{reference: current.csv, current: {current}}}")
    )
    assert ("the same rows of the same file" in project.run().stdout.str()) == noted


def test_the_flow_counts_rows_with_a_label_and_with_a_score(project) -> None:
    rows = [
        "y,risk",
        *(f"{'' if row % 40 == 3 else row % 2},{'' if row % 50 == 7 else 0.3}" for row in range(400)),
    ]
    (project.path / "suites" / "current.csv").write_text("\n".join(rows) + "\n")
    head = "columns: {target: y, positive_label: 1, score: risk}"
    project.suite("- performance: {metrics: {brier: {max: 0.5}}}", head=head)
    apart = project.record("-q")["provenance"]["datasets"]["current"]["flow"]
    # 390 have a label: from 400 and 382 it would follow that few have none, and few of them no score.
    assert apart == {"read": 400, "where": 400, "matured": 400, "labelled": None, "analysed": 382}
    assert project.record("-q", "-n2")["provenance"]["datasets"]["current"]["flow"] == apart


def test_a_small_segment_does_not_follow_from_the_others_on_one_process_or_many(project) -> None:
    wards = ["a"] * 300 + ["b"] * 299 + ["c"] * 5
    rows = [f"{row % 60},{row % 7},{ward},{'mf'[row % 2]}" for row, ward in enumerate(wards)]
    (project.path / "suites" / "current.csv").write_text("\n".join(["age,los,ward,sex", *rows]) + "\n")
    project.suite(
        "- missing_drift: {columns: [age, los], segments: ward}\n"
        "- data_drift: {id: crossed, columns: [age], segments: [sex, ward]}\n"
        "- data_drift: {id: some, columns: [los], segments: {column: ward, values: [a, b]}}\n"
        "- data_drift: {columns: [age, los]}"
    )
    path = project.path / "suites" / "drift.yml"
    path.write_text(path.read_text().replace("data: {", "data: {reference: current.csv, "))
    made = project.record("-q")
    shown = {case["id"].partition("::")[2]: case["n_current"] for case in made["cases"]}
    for entry in ("missing_drift::age", "missing_drift::los", "some::los"):
        assert shown[f"{entry}::a"] == 300
        assert shown[f"{entry}::b"] is None
    assert shown["missing_drift::age::(small segment 1)"] is None
    assert {rows for name, rows in shown.items() if name.startswith("crossed")} == {None}
    assert shown["data_drift::age"] == 604
    again = project.record("-q", "-n2")["cases"]
    assert [{**case, "seconds": 0} for case in again] == [{**case, "seconds": 0} for case in made["cases"]]


@pytest.mark.parametrize(
    ("old", "reference", "current"), [(0, 100, 100), (3, None, 97), (10, None, 90), (11, 100, 89)]
)
def test_two_datasets_of_one_file_do_not_tell_the_few_rows_between_them(
    project, old: int, reference: int | None, current: int
) -> None:
    path = project.suite("- missing_drift: {columns: [los], max: 0.5}")
    rows = [f"{200 if row < old else row % 60},{row % 7}" for row in range(100)]
    (project.path / "suites" / "current.csv").write_text("\n".join(["age,los", *rows]) + "\n")
    datasets = "{reference: current.csv, current: {path: current.csv, where: 'age < 100'}}"
    path.write_text(path.read_text().replace("{current: current.csv}", datasets))
    made = project.record("-q")
    flows = {name: facts["flow"] for name, facts in made["provenance"]["datasets"].items()}
    assert flows == {
        "reference": dict.fromkeys(("read", "where", "matured"), reference),
        "current": {"read": reference, "where": current, "matured": current},
    }
    assert (made["cases"][0]["n_reference"], made["cases"][0]["n_current"]) == (reference, current)
