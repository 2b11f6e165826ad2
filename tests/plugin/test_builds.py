"""What a run tells the server that builds the project: job summary, annotations, JUnit."""

import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

MIB = 1024 * 1024
HOSTILE = "<b>![x](//e.example) @team #1\\e[31m\\n::error::forged ##[error]x | `%0A\\0"


@pytest.fixture
def build(project, monkeypatch) -> Path:
    """A build of GitHub Actions; returns its job summary."""
    summary = project.path / "step.md"
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_WORKSPACE", str(project.path.parent))
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    return summary


def commands(result: pytest.RunResult) -> list[str]:
    """Return the lines that GitHub would take for commands."""
    return [line for line in result.outlines if line.lstrip().startswith("::") or re.search(r"##\w*\[", line)]


def test_a_build_is_summed_up_and_annotated_at_the_lines_of_the_suite(project, build) -> None:
    build.write_text("# Lint\n\nno problems\n")
    project.suite("- moved: {columns: [los]}\n- moved: {id: far, far: [age], unsure: [bmi]}")
    result = project.run("--readmit-json=record.json")
    text = build.read_text()
    assert text.startswith(
        "# Lint\n\nno problems\n\n## readmit: Blocked\n\n**Deployment is blocked by 1 of 5"
    )
    assert project.read()["digest"] in text
    file = f"{project.path.name}/suites/drift.yml"
    error, warning = commands(result)
    assert error.startswith(
        f"::error file={file},line=5,title=Fail%3A far · age::age moved by 0.5 (one-sided "
    )
    assert warning.startswith(f"::warning file={file},line=5,title=Undecided%3A far · bmi::bmi moved by 0.0 ")
    assert result.outlines[-1].startswith("readmit: blocked by fail (1)")


def test_it_is_said_however_little_the_run_prints(project, build) -> None:
    project.suite("- moved: {columns: [age], far: [age]}")
    assert len(commands(project.run("-qq"))) == 1
    assert build.read_text().count("## readmit: ") == 1


def test_without_a_build_nothing_is_written(project) -> None:
    project.suite("- moved: {far: [age]}")
    assert commands(project.run()) == []


def test_collecting_alone_says_nothing(project, build) -> None:
    project.suite("- moved: {far: [age]}")
    assert commands(project.run("--collect-only")) == []
    assert not build.exists()


def test_a_wrong_suite_is_annotated_and_summed_up(project, build) -> None:
    project.suite("- moved: {farr: [age]}\n- nothing_like_it")
    result = project.run()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    file = f"{project.path.name}/suites/drift.yml"
    first, second = commands(result)
    assert first.startswith(
        f"::error file={file},line=4,title=readmit%3A suite error::moved: unknown parameter"
    )
    assert second.startswith(f"::error file={file},line=5,")
    assert build.read_text().startswith(
        "## readmit: No result\n\n**2 problems: nothing was decided.**\n\n- Wrong: "
    )


def test_the_job_summary_stays_below_one_mebibyte_whatever_stands_in_it(project, build) -> None:
    project.suite("\n".join(f"- moved: {{id: n{number}, far: [age, bmi, los, sex]}}" for number in range(6)))
    for held in (MIB - 4_000, MIB - 100):
        build.write_text("x" * held)
        result = project.run("--tb=no")
        assert build.stat().st_size <= MIB
        assert ("job summary is full" in result.stdout.str()) == (held == MIB - 100)
        assert (build.stat().st_size == held) == (held == MIB - 100)


def test_a_job_summary_that_cannot_be_written_costs_no_verdict(project, build) -> None:
    build.mkdir()
    project.suite("- moved")
    result = project.run()
    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines(["  note: the job summary could not be written: Is a directory"])


def test_no_text_of_a_suite_or_a_table_is_a_command_or_a_tag(project, build) -> None:
    rows = [f"{row},{row}" for row in range(60)]
    name = "<b>@team ##[error]x\x1b[2J|"
    (project.path / "suites" / "current.csv").write_text("\n".join([f'"{name}","::error::y"', *rows]) + "\n")
    quoted = f'"{HOSTILE}"'
    waiver = f"{{until: 2026-12-31, by: {quoted}, reason: {quoted}}}"
    project.suite(
        f"""
- moved: {{far: ["<b>@team ##[error]x\\e[2J|", "::error::y"], because: {quoted}, title: {quoted}}}
- moved: {{id: later, far: ["::error::y"], waiver: {waiver}, because: {quoted}}}
- moved: {{id: noted, notes: ["::error::y"], unsure: ["::error::y"]}}
""",
        head=f"as_of: 2026-11-01\nsuite: {quoted}\nowner: {quoted}\nprotocol: {quoted}",
    )
    result = project.run("--junitxml=junit.xml", "-vv", "-rA", "--readmit-report=report.html")
    said = commands(result)
    assert said
    assert all(re.match(r"::(error|warning|notice) (file|title)=", line) for line in said)
    assert "forged" not in " ".join(line.split("::")[1] for line in said)
    assert all(char.isprintable() or char == "\n" for char in result.stdout.str())
    assert len(ET.parse(project.path / "junit.xml").findall(".//testcase")) == 6


def test_a_text_of_the_suite_in_an_error_of_the_suite_is_no_command(project, build) -> None:
    project.suite(f'- "{HOSTILE}"\n- moved: {{"::error::x\\n::error::y ##[error]z": 1}}')
    result = project.run()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert len(commands(result)) == 2
    both = [*result.errlines, *(line for line in result.outlines if not line.startswith("::error file="))]
    assert not [line for line in both if line.lstrip().startswith("::") or re.search(r"##\w*\[", line)]


def test_junit_says_what_the_run_as_a_whole_decided(project) -> None:
    path = project.suite("- moved: {far: [age], unsure: [bmi]}")
    project.run("--junitxml=junit.xml", "--readmit-json=record.json")
    tree = ET.parse(project.path / "junit.xml")
    suite = {each.get("name"): each.get("value") for each in tree.findall("./testsuite/properties/property")}
    made = project.read()
    assert suite == {
        "readmit.verdict": "fail",
        "readmit.blocked": "true",
        "readmit.certified": "false",
        "readmit.complete": "true",
        "readmit.planned": "4",
        "readmit.pass": "2",
        "readmit.fail": "1",
        "readmit.inconclusive": "1",
        "readmit.error": "0",
        "readmit.suite": f"suites/drift.yml sha256:{made['suites'][0]['sha256']}",
    }
    assert path.exists()
    first = {each.get("name"): each.get("value") for each in tree.findall(".//testcase")[0].iter("property")}
    assert first == {"verdict": "fail", "estimate": "0.5", "limit": "0.1"}
