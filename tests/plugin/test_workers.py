"""The same gates, dealt out to workers by pytest-xdist."""

from typing import Any

import pytest

pytest.importorskip("xdist")


def timeless(made: dict[str, Any]) -> dict[str, Any]:
    facts = {**made["provenance"], "started": "", "finished": "", "command": ""}
    cases = [{**case, "seconds": 0} for case in made["cases"]]
    return {**made, "digest": "", "provenance": facts, "cases": cases}


def test_workers_write_the_same_record_and_show_the_same_warnings(project) -> None:
    project.suite(
        "- moved: {far: [age], broken: [bmi], unsure: [los], notes: [sex]}\n- unique: {columns: [age]}"
    )
    alone = project.record()
    result = project.run_apart(
        "-n2", "--readmit-json=record.json", "--readmit-report=report.html", "-W", "error"
    )
    result.assert_outcomes(passed=3, failed=2, warnings=2)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert timeless(project.read()) == timeless(alone)
    result.stdout.fnmatch_lines(["error: bmi cannot be read", "*GateWarning: *los moved by 0.0*"])
    assert result.outlines[-1].startswith("readmit: blocked by fail (1), by error (1)")


def test_a_worker_that_dies_is_an_error_of_its_gate_and_the_record_is_incomplete(project) -> None:
    project.suite("- moved: {dies: [bmi]}")
    result = project.run_apart("-n2", "--readmit-json=record.json")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    made = project.read()
    assert (made["verdict"], made["complete"], made["blocked"]) == ("error", False, True)
    assert [case["verdict"] for case in made["cases"]] == ["pass", "error", "pass", "pass"]
    assert made["provenance"]["datasets"]["current"]["columns"] == 4
    assert "died" in made["cases"][1]["message"]


def test_a_wrong_suite_exits_4_with_workers_too(project) -> None:
    project.suite("- nothing_like_it")
    result = project.run_apart("-n2", "--readmit-json=record.json")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert project.read()["exit_code"] == 4


def test_the_first_failure_under_x_exits_1_with_workers_too(project) -> None:
    project.suite("- moved: {far: [age, bmi, los, sex]}")
    result = project.run_apart("-n2", "-x", "--readmit-json=record.json")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    made = project.read()
    assert (made["blocked"], made["exit_code"]) == (True, 1)


def test_a_selection_with_workers_is_counted(project) -> None:
    project.suite(
        "- moved: {tags: [nightly], columns: [age, bmi], far: [age],\n"
        "    waiver: {until: 2026-12-31, by: b, reason: r}}\n"
        "- moved: {id: other}",
        head="as_of: 2026-11-01",
    )
    result = project.run_apart("-n2", "-m", "nightly", "--readmit-json=record.json", "--strict-markers")
    result.assert_outcomes(passed=1, xfailed=1)
    made = project.read()
    assert (made["planned"], made["deselected"], made["complete"]) == (6, 4, False)
