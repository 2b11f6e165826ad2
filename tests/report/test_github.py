"""Annotations of a GitHub build: which, how many, at which line."""

from pathlib import Path
from typing import Any

import pytest

from pytest_readmit.report import github


def commands(record: dict[str, Any], root: str = "/w", workspace: str = "/w") -> list[str]:
    return github.annotations(record, root=Path(root), workspace=Path(workspace))


def test_what_blocks_is_an_error_at_its_line_what_warns_a_warning_and_a_waiver_a_notice(sample) -> None:
    lines = commands(sample())
    kinds = [line.split(" ")[0] for line in lines]
    assert kinds == ["::error"] * 4 + ["::warning"] * 6 + ["::notice"] * 2
    assert lines[0] == (
        "::error file=suites/drift.yml,line=24,title=Fail%3A data_drift · age::age moved by 0.31"
        " (one-sided 95%25 bounds 0.283 and 0.326); the limit is 0.1"
    )
    assert lines[-2].startswith("::notice file=suites/drift.yml,line=24,title=Waived%3A prediction_drift")


def test_ten_of_a_kind_at_most_and_the_tenth_counts_the_rest(sample, gate_case) -> None:
    cases = [gate_case("a", f"w{n}", warned=True) for n in range(11)]
    cases += [gate_case("b", f"f{n}", verdict="fail", outcome="failed") for n in range(1_234)]
    cases += [gate_case("c", f"x{n}", verdict="fail", outcome="xfailed") for n in range(10)]
    lines = commands(sample(cases))
    kinds = [line.split(" ")[0] for line in lines]
    assert kinds == ["::error"] * 10 + ["::warning"] * 10 + ["::notice"] * 10
    assert "title=readmit%3A 1,225 more::1,225 more of this kind" in lines[9].replace("%2C", ",")
    assert "2 more" in lines[19]
    assert "more" not in lines[29]


@pytest.mark.parametrize(
    ("root", "workspace", "file"),
    [
        ("/w", "/w", "suites/drift.yml"),
        ("/w/model", "/w", "model/suites/drift.yml"),
        ("/elsewhere", "/w", "suites/drift.yml"),
    ],
)
def test_paths_are_those_of_the_checkout(sample, root, workspace, file) -> None:
    assert commands(sample(), root, workspace)[0].startswith(f"::error file={file},line=24,")


def test_a_run_that_decided_nothing_is_an_error_of_the_run(sample) -> None:
    (line,) = commands(sample([], complete=False, blocked=True))
    assert line.startswith("::error title=readmit%3A no verdict::The run did not finish")


@pytest.mark.parametrize(
    ("variables", "linked"),
    [
        ({}, True),
        ({"GITHUB_SHA": ""}, False),
        ({"GITHUB_SERVER_URL": "javascript:alert(1)//"}, False),
        ({"GITHUB_REPOSITORY": "org/repo)[x](http://evil"}, False),
    ],
)
def test_the_job_summary_links_each_line_in_the_commit_that_is_built(
    sample, tmp_path, monkeypatch, variables, linked
) -> None:
    known = {
        "GITHUB_SERVER_URL": "https://github.example:8443",
        "GITHUB_REPOSITORY": "org/repo",
        "GITHUB_SHA": "3f" * 20,
    }
    for key, value in (known | variables).items():
        monkeypatch.setenv(key, value)
    summary = tmp_path / "summary.md"
    github.append_summary(summary, sample(), root=Path("/w/my model"), workspace=Path("/w"))
    text = summary.read_text(encoding="utf-8")
    address = f"https://github.example:8443/org/repo/blob/{'3f' * 20}/my%20model/suites/drift.yml#L24"
    assert (f"| [`suites/drift.yml:24`]({address}) |" in text) is linked
    assert ("](" in text) is linked
