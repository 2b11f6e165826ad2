"""A named person's permission to go on until a day: what it covers and what is said of it."""

import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

UNTIL = "2026-12-31"


def waived(keys: str, *, until: str = UNTIL) -> str:
    return f"- moved: {{{keys}, waiver: {{until: {until}, by: A. Lee, reason: known shift}}}}"


def told(made: Mapping[str, Any], subject: str) -> str:
    (case,) = [case for case in made["cases"] if case["subject"] == subject]
    return str(case["message"])


@pytest.mark.parametrize(
    ("as_of", "in_force"), [("2026-11-01", True), ("2026-12-31", True), ("2027-01-01", False)]
)
def test_the_last_day_is_included_and_as_of_is_today(project, as_of, in_force) -> None:
    project.suite(waived("far: [age]"), head=f"as_of: {as_of}")
    result = project.run("--readmit-json=record.json")
    result.assert_outcomes(passed=3, xfailed=int(in_force), failed=int(not in_force))
    (case, *_) = project.read()["cases"]
    words = f"waived by A. Lee until {UNTIL}: known shift" if in_force else f"A. Lee ended on {UNTIL}"
    assert case["message"].endswith(words)
    assert case["waiver"] == {"until": UNTIL, "by": "A. Lee", "reason": "known shift", "in_force": in_force}


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Etc/GMT+12"])
def test_without_as_of_the_day_is_that_of_utc(project, zone, monkeypatch) -> None:
    """One of these two places has another date than UTC at any time."""
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        today = datetime.now(UTC).date()
        for until, outcome in ((today, "xfailed"), (today - timedelta(days=1), "failed")):
            project.suite(waived("columns: [age], far: [age]", until=str(until)))
            assert project.record("-q")["cases"][0]["outcome"] == outcome
    finally:
        monkeypatch.undo()
        time.tzset()


def test_an_expired_waiver_is_named_where_the_gate_fails(project) -> None:
    project.suite(waived("far: [age]"), head="as_of: 2027-01-01")
    result = project.run("--readmit-report=report.html")
    said = f"age moved by 0.5*; the waiver by A. Lee ended on {UNTIL}"
    result.stdout.fnmatch_lines(
        [f"fail: {said}", "*= readmit =*", f"  fail: suites/drift.yml::moved::age: {said}"]
    )
    page = (project.path / "report.html").read_text()
    assert f"waiver ended on {UNTIL}" in page


@pytest.mark.parametrize("keys", ["broken: [age]", "crash: [age]", "columns: [nobody]"])
def test_an_error_is_never_covered_and_says_so(project, keys) -> None:
    project.suite(waived(f"{keys}, severity: warn"), head="as_of: 2026-11-01")
    made = project.record()
    errors = [case for case in made["cases"] if case["verdict"] == "error"]
    assert [case["outcome"] for case in errors] == ["failed"]
    assert errors[0]["message"].endswith("; a waiver does not cover an error")
    assert (made["exit_code"], made["verdict"]) == (1, "error")


def test_a_waiver_that_is_not_needed_is_said_once_an_entry(project) -> None:
    project.suite(
        f"{waived('far: [age]')}\n{waived('id: calm, columns: [los, sex]')}", head="as_of: 2026-11-01"
    )
    result = project.run("--readmit-json=record.json", "--readmit-report=report.html")
    result.stdout.fnmatch_lines(
        [
            "  waived: suites/drift.yml::moved::age: *",
            "  waiver not needed: suites/drift.yml:4: moved: 3 of 4 gates pass without it",
            "  waiver not needed: suites/drift.yml:5: calm: 2 of 2 gates pass without it",
        ]
    )
    assert told(project.read(), "bmi").endswith("; the waiver by A. Lee is not needed")
    assert "waiver not needed" in (project.path / "report.html").read_text()


@pytest.mark.parametrize(
    ("days", "fits"),
    [(180, True), (181, False)],
)
@pytest.mark.parametrize("as_of", ["2026-11-01", None])
def test_a_waiver_ends_at_most_180_days_from_today(project, days, fits, as_of) -> None:
    today = datetime.fromisoformat(as_of).date() if as_of else datetime.now(UTC).date()
    until = today + timedelta(days=days)
    project.suite(
        waived("columns: [age], far: [age]", until=str(until)), head=f"as_of: {as_of}" if as_of else ""
    )
    result = project.run()
    if fits:
        result.assert_outcomes(xfailed=1)
        return
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    latest = today + timedelta(days=180)
    wrong = f"`until` must be at most 180 days after {today}: {latest} or before, not '{until}'"
    result.stderr.fnmatch_lines([f"ERROR: suites/drift.yml:4:*: moved.waiver: {wrong}"])


@pytest.mark.parametrize(
    ("waiver", "wrong"),
    [
        ("{until: 2026-12-31, by: A. Lee}", "4:*: moved: `waiver` needs `reason`"),
        ("{until: 2026-12-31, reason: r}", "4:*: moved: `waiver` needs `by`"),
        ("{by: A. Lee, reason: r}", "4:*: moved: `waiver` needs `until`"),
        ("{until: 2026-12-31, by: A. Lee, reason: ' '}", "4:*: moved.waiver: `reason` must be text, *"),
        ("{until: 2026-12-31, by: '', reason: r}", "4:*: moved.waiver: `by` must be text, *"),
        ("{until: 2026-12-31, by: A. Lee, reason: 7}", "4:*: moved.waiver: `reason` must be text, *"),
        ("{until: 31.12.2026, by: A. Lee, reason: r}", "4:*: moved.waiver: `until` must be *"),
        ("{until: 2026-12-31, by: A. Lee, reason: r, untill: x}", "4:*: *did you mean 'until'?"),
        ("2026-12-31", "4:*: moved: `waiver` must be a mapping with until, by and reason, *"),
    ],
)
def test_a_waiver_that_lacks_something_is_a_suite_error_at_its_line(project, waiver, wrong) -> None:
    project.suite(f"- moved: {{far: [age], waiver: {waiver}}}", head="as_of: 2026-11-01")
    result = project.run()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: suites/drift.yml:{wrong}"])


def test_a_waiver_stands_on_no_defaults(project) -> None:
    project.suite("- moved", head=f"defaults: {{waiver: {{until: {UNTIL}, by: A. Lee, reason: r}}}}")
    assert project.run().ret == pytest.ExitCode.USAGE_ERROR


def test_runxfail_switches_waivers_off_and_says_so(project) -> None:
    project.suite(waived("far: [age], unsure: [bmi], inconclusive: block"), head="as_of: 2026-11-01")
    made = project.record("--runxfail")
    assert [case["outcome"] for case in made["cases"]] == ["failed", "failed", "passed", "passed"]
    assert told(made, "age").endswith("; the waiver by A. Lee is switched off by --runxfail")
    assert (made["verdict"], made["exit_code"]) == ("fail", 1)


def test_a_waiver_wins_over_strict_whatever_it_turned_into_a_block(project) -> None:
    keys = "far: [age], unsure: [bmi]"
    project.suite(waived(f"{keys}, severity: warn, warn_above: -0.5"), head="as_of: 2026-11-01")
    made = project.record("--readmit-strict")
    assert [case["outcome"] for case in made["cases"]] == ["xfailed", "xfailed", "passed", "passed"]
    assert made["exit_code"] == 0
    assert "beyond the warning level" in told(made, "los")
    assert told(made, "los").endswith(f"; waived by A. Lee until {UNTIL}: known shift")


def test_a_waived_gate_certifies_nothing(project) -> None:
    project.suite(waived("far: [age]"), head="as_of: 2026-11-01")
    made = project.record()
    assert (made["verdict"], made["blocked"], made["certified"], made["exit_code"]) == (
        "pass",
        False,
        False,
        0,
    )


def test_a_waiver_that_only_a_past_as_of_keeps_in_force_is_noted(project) -> None:
    project.suite(waived("far: [age]", until="2020-02-01"), head="as_of: 2020-01-15")
    result = project.run()
    result.assert_outcomes(passed=3, xfailed=1)
    result.stdout.fnmatch_lines(
        ["  note: 1 gate is waived by the suite's `as_of`; by the day of this run, *, the waiver has ended"]
    )


def test_a_limit_says_its_reason_or_that_it_has_none(project) -> None:
    project.suite("- moved: {far: [age]}\n- moved: {id: agreed, far: [age], because: as in the protocol}")
    result = project.run("--readmit-report=report.html")
    result.stdout.fnmatch_lines(
        [
            "  suites/drift.yml:4: moved: default limit, no rationale given",
            "  suites/drift.yml:5: agreed: as in the protocol",
        ]
    )
    page = (project.path / "report.html").read_text()
    assert "no rationale given" in page
    assert "as in the protocol" in page
