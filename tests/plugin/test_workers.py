"""The same gates, dealt out to workers by pytest-xdist."""

import os
import subprocess
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


def test_a_worker_that_dies_is_an_error_of_its_gate_and_the_record_is_incomplete(
    project, monkeypatch, tmp_path
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))  # a process that is killed leaves its folder behind
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


@pytest.mark.slow
def test_the_first_failure_under_x_exits_1_with_workers_too(project) -> None:
    project.suite("- moved: {far: [age, bmi, los, sex]}")
    result = project.run_apart("-n2", "-x", "--readmit-json=record.json")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    made = project.read()
    assert (made["blocked"], made["exit_code"]) == (True, 1)


@pytest.mark.slow
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


def as_a_worker(project, monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    """Have each worker run some code before it reads anything; `worker` is its name."""
    text = f"import os, subprocess\nworker = os.environ.get('PYTEST_XDIST_WORKER')\nif worker:\n    {code}\n"
    (project.path / "hurried.py").write_text(text)
    monkeypatch.setenv("PYTHONPATH", str(project.path), prepend=os.pathsep)
    monkeypatch.setenv("PYTEST_PLUGINS", "hurried")


@pytest.mark.slow
def test_a_branch_that_moves_while_workers_start_is_read_where_it_stood(project, monkeypatch) -> None:
    git = ("git", "-c", "user.name=a", "-c", "user.email=a@example.org", "-C", str(project.path))
    subprocess.run([*git, "init", "-q", "-b", "main"], check=True)
    subprocess.run([*git, "add", "suites/current.csv"], check=True)
    for name in ("gw0", "gw1", "start"):
        subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", name], check=True)
        subprocess.run([*git, "tag", name], check=True)
    project.suite("- moved")
    path = project.path / "suites" / "drift.yml"
    path.write_text(path.read_text().replace("current.csv", "{git: current.csv, rev: main}"))
    alone = project.record()
    as_a_worker(project, monkeypatch, "subprocess.run(['git', 'update-ref', 'refs/heads/main', worker])")
    result = project.run_apart("-n2", "--readmit-json=record.json")
    assert result.ret == pytest.ExitCode.OK
    made = project.read()["provenance"]["datasets"]
    assert made == alone["provenance"]["datasets"]
    named = subprocess.run([*git, "rev-parse", "start", "main"], check=True, capture_output=True, text=True)
    start, now = named.stdout.split()
    assert made["current"]["version"] == start != now


def test_workers_that_read_different_bytes_block_the_run(project, monkeypatch) -> None:
    project.suite("- moved")
    path = project.path / "suites" / "drift.yml"
    path.write_text(path.read_text().replace("current.csv", '"${READMIT_FILE:-current.csv}"'))
    rows = (project.path / "suites" / "current.csv").read_text()
    for name in ("gw0", "gw1"):
        (project.path / "suites" / f"{name}.csv").write_text(rows + ("20,1.5,1,m\n" if name == "gw1" else ""))
    as_a_worker(project, monkeypatch, "os.environ['READMIT_FILE'] = f'{worker}.csv'")
    result = project.run_apart("-n2", "--readmit-json=record.json")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    made = project.read()
    assert (made["blocked"], made["complete"], made["exit_code"]) == (True, False, 1)
    current = made["provenance"]["datasets"]["current"]
    assert current["sha256"] is None
    assert "different versions" in current["error"]
    result.stdout.fnmatch_lines(["readmit: datasets.current: workers read different versions*run again"])
