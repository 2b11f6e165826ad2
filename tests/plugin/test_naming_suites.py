"""Which suites run: only those that an option, the ini or an argument names."""

import os
from pathlib import Path

import pytest

PASSING = "def test_ordinary(): pass\n"


def count(result: pytest.RunResult) -> dict[str, int]:
    return result.parseoutcomes()


def test_a_plain_pytest_runs_no_suite_and_walks_past_yaml_files(project) -> None:
    project.suite("- moved", name="test_drift.yml")
    (project.path / "test_a.py").write_text(PASSING)
    with (project.path / "tox.ini").open("a") as ini:
        ini.write("\nreadmit_suites = suites/test_drift.yml\n")
    result = project.run(suite=None)
    assert count(result) == {"passed": 1}
    assert not any(line.startswith("readmit") for line in result.outlines)


def test_a_folder_that_is_walked_leaves_its_suites_alone_unless_named(project) -> None:
    project.suite("- moved")
    project.suite("- moved", name="other.yml")
    (project.path / "suites" / "test_a.py").write_text(PASSING)
    assert count(project.run("suites", suite=None)) == {"passed": 1}
    assert count(project.run("suites")) == {"passed": 5}


def test_a_suite_alone_runs_no_testpaths_and_imports_no_broken_conftest(project) -> None:
    project.suite("- moved")
    (project.path / "tests").mkdir()
    (project.path / "tests" / "conftest.py").write_text("raise RuntimeError('imported')\n")
    (project.path / "tests" / "test_a.py").write_text(PASSING)
    with (project.path / "tox.ini").open("a") as ini:
        ini.write("\ntestpaths = tests\n")
    assert count(project.run()) == {"passed": 4}


def test_a_suite_beside_ordinary_tests_runs_both(project) -> None:
    project.suite("- moved: {far: [age]}")
    (project.path / "test_a.py").write_text(PASSING)
    result = project.run("test_a.py")
    assert count(result) == {"passed": 4, "failed": 1}
    assert result.ret == pytest.ExitCode.TESTS_FAILED


def test_an_ordinary_test_that_fails_does_not_block_the_gates(project) -> None:
    project.suite("- moved")
    (project.path / "test_a.py").write_text("def test_ordinary(): assert False\n")
    result = project.run("test_a.py", "--readmit-json=record.json")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    made = project.read()
    assert (made["verdict"], made["blocked"], made["exit_code"]) == ("pass", False, 1)


def test_a_folder_a_glob_and_a_list_name_every_suite_once(project) -> None:
    project.suite("- moved")
    project.suite("- moved: {columns: [age]}", name="b.yaml")
    (project.path / "suites" / "notes.txt").write_text("no suite")
    for named in ("suites", "suites/*.y*ml", "**/*.y*ml"):
        assert count(project.run(suite=named)) == {"passed": 5}
    result = project.run("--readmit-suite=suites/b.yaml", "--readmit-suite=suites/b.yaml")
    assert count(result) == {"passed": 5}


@pytest.mark.parametrize(
    "arguments", [["--readmit-suite"], ["-v", "--readmit-suite"], ["--readmit-suite", "-v"]]
)
def test_the_option_without_value_takes_the_ini(project, arguments) -> None:
    project.suite("- moved")
    with (project.path / "tox.ini").open("a") as ini:
        ini.write("\nreadmit_suites = suites/*.yml\n")
    assert count(project.run(*arguments, suite=None)) == {"passed": 4}


def test_the_option_and_its_value_may_be_two_words(project) -> None:
    project.suite("- moved")
    assert count(project.run("--readmit-suite", "suites/drift.yml", suite=None)) == {"passed": 4}


@pytest.mark.parametrize(
    ("named", "said"),
    [
        ("suites/drfit.yml", "*suites/drfit.yml does not exist, did you mean 'drift.yml'?"),
        ("empty", "*empty holds no .yml or .yaml file"),
        ("suites/*.json", "*suites/?.json does not exist*"),
        ("", "*--readmit-suite without PATH needs ini readmit_suites"),
    ],
)
def test_a_name_that_names_nothing_is_a_usage_error(project, named, said) -> None:
    project.suite("- moved")
    (project.path / "empty").mkdir()
    result = project.run(suite=named) if named else project.run("--readmit-suite", suite=None)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([said])


def test_a_suite_outside_rootdir_keeps_its_relative_path(project) -> None:
    suite = project.suite("- moved: {far: [age]}")
    inner = project.path / "inner"
    inner.mkdir()
    (inner / "pytest.ini").write_text("[pytest]\nreadmit_checks = own_checks\npythonpath = ..\n")
    os.chdir(inner)
    result = project.run("-v", suite=str(suite))
    result.stdout.fnmatch_lines(["../suites/drift.yml::moved::age FAILED*"])
    assert count(project.run("--lf", suite=str(suite))) == {"failed": 1, "deselected": 3}
    assert count(project.run("../suites/drift.yml::moved::bmi", suite=None)) == {"passed": 1}


def test_paths_on_the_command_line_start_at_the_current_folder(project) -> None:
    project.suite("- moved")
    os.chdir(project.path / "suites")
    result = project.run("--readmit-json=out/r.json", "--readmit-data=current=current.csv", suite="drift.yml")
    assert count(result) == {"passed": 4}
    assert (project.path / "suites" / "out" / "r.json").exists()


def test_a_yaml_file_of_another_plugin_is_left_to_it(project) -> None:
    (project.path / "test_api.tavern.yaml").write_text("test_name: other\n")
    result = project.run("test_api.tavern.yaml", suite=None)
    assert "readmit" not in result.stderr.str()


def test_a_broken_suite_named_by_a_path_is_reported(project) -> None:
    project.suite("- nothing_like_it")
    result = project.run("suites/drift.yml", suite=None)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*suites/drift.yml:4:5:*nothing_like_it*"])


def test_every_problem_of_a_suite_is_told_at_once_and_no_data_is_read(project) -> None:
    project.suite("- moved: {fra: [age]}\n- moevd\n- moved: {severity: maybe}")
    result = project.run("--readmit-data=current=nothing.csv")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    said = result.stderr.lines
    assert any("drift.yml:4:" in line and "did you mean 'far'?" in line for line in said)
    assert any("drift.yml:5:" in line and "did you mean 'moved'?" in line for line in said)
    assert any("drift.yml:6:" in line for line in said)
    assert "nothing.csv" not in result.stderr.str()


@pytest.mark.parametrize(
    "argument",
    ["--readmit-set=ward", "--readmit-set==7", "--readmit-data=current", "-o readmit_max_cases=many"],
)
def test_a_malformed_option_is_a_usage_error(project, argument) -> None:
    project.suite("- moved")
    assert project.run(*argument.split(" ")).ret == pytest.ExitCode.USAGE_ERROR


def test_more_cases_than_the_ini_allows_is_a_usage_error(project) -> None:
    project.suite("- moved")
    result = project.run("-o", "readmit_max_cases=3")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*at most 3*readmit_max_cases*"])


def test_variables_come_from_the_command_line(project) -> None:
    project.suite("- moved: {far: ['${COLUMN}']}")
    assert count(project.run("--readmit-set=COLUMN=bmi")) == {"passed": 3, "failed": 1}


def test_the_environment_is_used_only_where_the_ini_allows(project, monkeypatch) -> None:
    project.suite("- moved: {far: ['${WARD_COLUMN}']}")
    monkeypatch.setenv("WARD_COLUMN", "bmi")
    assert project.run().ret == pytest.ExitCode.USAGE_ERROR
    assert count(project.run("-o", "readmit_env=WARD_COLUMN")) == {"passed": 3, "failed": 1}


def test_a_dataset_is_replaced_from_the_command_line(project) -> None:
    project.suite("- moved")
    (project.path / "small.csv").write_text("age,bmi\n1,2.5\n" * 20)
    assert count(project.run("--readmit-data=current=small.csv")) == {"passed": 2}


def test_data_that_cannot_be_had_is_an_error_of_its_cases_not_of_the_suite(project) -> None:
    project.suite("- moved")
    result = project.run("--readmit-data=current=nothing.csv")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert count(result) == {"failed": 1}
    assert result.outlines[-1].startswith("readmit: blocked by error (1)")


def test_help_names_every_option(project) -> None:
    text = project.run("--help", suite=None).stdout.str()
    for name in ("suite", "report", "json", "set", "data", "strict"):
        assert f"--readmit-{name}" in text
    for name in ("suites", "checks", "env", "max_cases"):
        assert f"readmit_{name}" in text


def test_the_suite_is_collected_once_where_its_folder_is_an_argument_too(project) -> None:
    project.suite("- moved")
    assert count(project.run("suites", "suites/drift.yml")) == {"passed": 4}
    assert Path.cwd() == project.path


def test_text_of_a_wrong_suite_cannot_steer_a_terminal_or_a_ci_log(project) -> None:
    project.suite('- "x\\n::error::y\\e[2J"\n- "z\\n::warning::y"')
    result = project.run()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert not any(line.startswith("::") for line in result.errlines)
    assert "\x1b" not in result.stderr.str()


def test_an_entry_that_is_deselected_by_its_id_is_left_out(project) -> None:
    project.suite("- moved: {far: [age]}")
    assert count(project.run("--deselect=suites/drift.yml::moved::age")) == {"passed": 3, "deselected": 1}


def test_the_option_may_stand_in_addopts(project) -> None:
    project.suite("- moved")
    (project.path / "test_a.py").write_text(PASSING)
    with (project.path / "tox.ini").open("a") as ini:
        ini.write("\naddopts = --readmit-suite=suites/drift.yml\n")
    assert count(project.run(suite=None)) == {"passed": 4}
    assert count(project.run("test_a.py", suite=None)) == {"passed": 5}
