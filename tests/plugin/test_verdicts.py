"""From verdict to outcome, exit code and what the user reads."""

import json

import pytest


def test_a_suite_whose_gates_all_pass_exits_0_and_is_certified(project) -> None:
    project.suite("- moved")
    result = project.run()
    result.assert_outcomes(passed=4)
    assert result.ret == pytest.ExitCode.OK
    assert result.outlines[-1] == "readmit: pass, every gate certified (4 pass, 0 fail, 0 undecided, 0 error)"


def test_a_failing_gate_says_what_moved_against_which_limit_and_where_and_shows_no_traceback(project) -> None:
    project.suite("- moved: {far: [bmi], because: 'as in the protocol'}")
    result = project.run()
    result.assert_outcomes(passed=3, failed=1)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(
        [
            "*moved::bmi*",
            "fail: bmi moved by 0.5 (one-sided 95% bounds 0.49 and 0.509); the limit is 0.1",
            "  bound 0.49 at alpha 0.0125 (m = 4), 1,000 usable rows of current",
            "  suites/drift.yml:4: moved: as in the protocol",
        ]
    )
    assert "Traceback" not in result.stdout.str()
    assert "runtest" not in result.stdout.str()
    assert result.outlines[-1] == "readmit: blocked by fail (1) (3 pass, 1 fail, 0 undecided, 0 error)"


def test_one_broken_column_is_an_error_and_the_others_are_decided(project) -> None:
    project.suite("- moved: {broken: [age], far: [los]}")
    result = project.run()
    result.assert_outcomes(passed=2, failed=2)
    result.stdout.fnmatch_lines(["error: age cannot be read", "  suites/drift.yml:4: moved"])
    assert result.outlines[-1].startswith("readmit: blocked by fail (1), by error (1) ")


def test_a_reader_that_crashes_is_an_error_that_quotes_nothing(project, monkeypatch) -> None:
    def crash(*_: object, **__: object) -> None:
        raise OSError("a cell")

    monkeypatch.setattr("pytest_readmit.inputs.open_dataset", crash)
    project.suite("- moved")
    result = project.run("--showlocals")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["error: dataset 'current' could not be opened (OSError)"])
    result.stdout.no_fnmatch_line("*a cell*")


def test_a_crashed_check_is_an_error_that_quotes_nothing(project) -> None:
    project.suite("- moved: {crash: [age]}")
    result = project.run("-vv", "--showlocals", "--tb=long")
    result.assert_outcomes(passed=3, failed=1)
    assert "KeyError" in result.stdout.str()
    assert "a cell" not in result.stdout.str()


@pytest.mark.parametrize(
    ("keys", "outcomes", "code"),
    [
        ("{unsure: [age]}", {"passed": 4, "warnings": 1}, 0),
        ("{unsure: [age], inconclusive: pass}", {"passed": 4}, 0),
        ("{unsure: [age], inconclusive: block}", {"passed": 3, "failed": 1}, 1),
        ("{far: [age], severity: warn}", {"passed": 4, "warnings": 1}, 0),
        ("{broken: [age], severity: warn}", {"passed": 3, "failed": 1}, 1),
        ("{notes: [age]}", {"passed": 4, "warnings": 1}, 0),
        ("{notes: [age], far: [age]}", {"passed": 3, "failed": 1, "warnings": 1}, 1),
    ],
)
def test_severity_and_inconclusive_decide_the_outcome(project, keys, outcomes, code) -> None:
    project.suite(f"- moved: {keys}")
    result = project.run()
    result.assert_outcomes(**outcomes)
    assert result.ret == code


def test_an_undecided_gate_that_blocks_is_named_so(project) -> None:
    project.suite("- moved: {unsure: [age], inconclusive: block}")
    assert project.run().outlines[-1].startswith("readmit: blocked by undecided (1) ")


def test_a_warning_stays_a_warning_under_w_error(project) -> None:
    project.suite("- moved: {far: [age], unsure: [bmi], notes: [los], severity: warn}")
    result = project.run("-W", "error")
    result.assert_outcomes(passed=4, warnings=3)
    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines(["*suites/drift.yml:4: GateWarning: *age moved by 0.5*"])


@pytest.mark.slow
def test_a_warning_of_a_library_is_no_error_under_w_error(project) -> None:
    project.suite("- moved: {zero: [age, bmi, los, sex]}")
    for _ in range(3):
        assert project.run_apart("-W", "error").ret == pytest.ExitCode.OK


def test_strict_makes_every_warning_and_every_undecided_gate_block(project) -> None:
    project.suite("- moved: {far: [age], unsure: [bmi], severity: warn}")
    result = project.run("--readmit-strict")
    result.assert_outcomes(passed=2, failed=2)
    assert result.outlines[-1].startswith("readmit: blocked by fail (1), by undecided (1) ")


WAIVER = "waiver: {until: 2026-12-31, by: A. Lee, reason: known shift}"


def test_a_waived_gate_is_xfailed_with_its_reason(project) -> None:
    project.suite(f"- moved: {{far: [age], unsure: [bmi], {WAIVER}}}", head="as_of: 2026-11-01")
    result = project.run("-rx")
    result.assert_outcomes(passed=2, xfailed=2)
    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines(["XFAIL suites/drift.yml::moved::age - age moved *known shift*"])
    assert result.outlines[-1] == "readmit: nothing blocks (2 pass, 1 fail, 1 undecided, 0 error)"


def test_the_summary_says_what_blocks_what_is_waived_and_what_is_open(project) -> None:
    project.suite(
        f"""
- moved: {{far: [age], unsure: [bmi], broken: [sex]}}
- moved: {{id: later, far: [age], unsure: [los], inconclusive: pass, {WAIVER}}}
- moved: {{id: quiet, unsure: [los], inconclusive: pass}}
""",
        head="as_of: 2026-11-01",
    )
    result = project.run("--readmit-json=a.json", "--readmit-report=a.html")
    result.stdout.fnmatch_lines(
        [
            "*= readmit =*",
            "Blocked by fail (1), by error (1) (6 pass, 2 fail, 3 undecided, 1 error)",
            "  fail: suites/drift.yml::moved::age: age moved by 0.5*",
            "  error: suites/drift.yml::moved::sex: sex cannot be read",
            "  waived: suites/drift.yml::later::age: age moved by 0.5*",
            "  waived: suites/drift.yml::later::los: *",
            "  warned: suites/drift.yml::moved::bmi: bmi moved by 0.0*",
            "  undecided: suites/drift.yml::quiet::los: *",
            "written: a.json",
            "written: a.html",
        ]
    )


def test_a_long_list_is_cut(project) -> None:
    project.suite(
        "\n".join(f"- moved: {{id: n{number}, broken: [age, bmi, los, sex]}}" for number in range(6))
    )
    project.run().stdout.fnmatch_lines(["  ... and 14 more that block: n3 4, n4 4, n5 4, ..."])


def test_the_summary_of_many_gates_fits_one_screen(project) -> None:
    names = [f"c{number}{'x' * 500}" for number in range(60)]
    rows = [",".join(map(str, range(60)))] * 60
    (project.path / "suites" / "current.csv").write_text("\n".join([",".join(names), *rows]) + "\n")
    far, unsure = json.dumps(names[:30]), json.dumps(names[30:])
    project.suite(
        f"""
- moved: {{far: {far}, unsure: {unsure}}}
- moved: {{id: later, far: {far}, {WAIVER}}}
- moved: {{id: quiet, unsure: {unsure}, inconclusive: pass}}
""",
        head="as_of: 2026-11-01",
    )
    lines = project.run("--tb=no", "-rN", "--disable-warnings").outlines
    shown = lines[next(at for at, line in enumerate(lines) if "= readmit =" in line) :]
    assert len(shown) <= 30
    assert max(map(len, shown)) <= 450


def test_quiet_keeps_the_last_line_only(project) -> None:
    project.suite("- moved: {far: [age]}")
    result = project.run("-q")
    assert "= readmit =" not in result.stdout.str()
    assert result.outlines[-1].startswith("readmit: blocked by fail (1)")


def test_text_from_a_suite_cannot_steer_a_terminal(project) -> None:
    project.suite('- moved: {far: [age], because: "\\e[2Jgone\\n::error::x"}')
    result = project.run()
    assert "\x1b[2J" not in result.stdout.str()
    assert not any(line.startswith("::error") for line in result.outlines)


def test_a_fault_of_ours_shows_no_text_and_no_locals(project, monkeypatch) -> None:
    from pytest_readmit.run import Session

    def broken(self: Session, case: object) -> None:
        cell = "a cell"
        raise RuntimeError(cell)

    monkeypatch.setattr(Session, "finding", broken)
    project.suite("- moved: {columns: [age]}")
    result = project.run("-vv", "--showlocals", "--tb=long", "--readmit-json=record.json")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["error: RuntimeError; nothing was measured", "*test_verdicts.py:* broken"])
    assert "a cell" not in result.stdout.str()
    assert project.read()["verdict"] == "error"


def test_a_fault_of_somebody_elses_hook_is_shown_in_full(project) -> None:
    project.suite("- moved: {columns: [age]}")
    (project.path / "conftest.py").write_text(
        "def pytest_runtest_setup():\n    raise RuntimeError('theirs')\n"
    )
    result = project.run()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*RuntimeError: theirs"])


def test_a_gate_that_another_plugin_stops_is_an_error(project) -> None:
    project.suite("- moved: {columns: [age]}")
    (project.path / "conftest.py").write_text(
        "import pytest\nfrom pytest_readmit.run import Session\n"
        "def stop(self, case): pytest.fail('Timeout (>1.0s)')\n"
        "Session.finding, before = stop, Session.finding\n"
        "def pytest_unconfigure(): Session.finding = before\n"
    )
    result = project.run("--readmit-json=record.json")
    result.stdout.fnmatch_lines(["error: Timeout (>1.0s)"])
    assert project.read()["verdict"] == "error"
