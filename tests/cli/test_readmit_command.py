"""The `readmit` command as a user runs it."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_readmit import registry

Run = Callable[..., "subprocess.CompletedProcess[str]"]
CODE = "import sys; from pytest_readmit.cli import main; sys.exit(main())"
OWN = """\
from pytest_readmit import Claim, Column, check

@check
def mine(current: Column, *, max: float = 1, word: str = "a") -> Claim:
    \"\"\"
    Is it mine?

    Args:
        max: The most.
    \"\"\"
"""


@pytest.fixture
def readmit(tmp_path: Path) -> Run:
    """Return what runs the command in an empty folder."""

    def run(*arguments: str, **environ: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-c", CODE, *arguments],
            cwd=tmp_path,
            env={**os.environ, "COLUMNS": "100", "PYTHONIOENCODING": "utf-8", **environ},
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=120,
            check=False,
        )

    return run


@pytest.fixture
def suite(tmp_path: Path) -> Callable[..., Path]:
    """Return what writes a suite file."""

    def write(name: str, text: str) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    return write


def test_lint_of_a_good_suite_is_one_line_and_exit_0(readmit, suite):
    suite("a.yml", "checks:\n  - data_drift\n  - missing_drift: {max: 0.1}\n")
    done = readmit("lint", "a.yml")
    assert (done.returncode, done.stdout, done.stderr) == (0, "1 suite, 2 entries: no problems\n", "")


def test_lint_prints_every_problem_of_every_suite_and_exits_4(readmit, suite):
    suite("suites/a.yml", "checks:\n  - data_drift: {metod: ks}\n  - nope\n")
    suite("suites/b.yaml", "ownr: x\nchecks: []\n")
    suite("suites/note.txt", "not: [a suite\n")
    done = readmit("lint", "suites")
    assert done.returncode == 4
    assert done.stdout.splitlines() == [
        "suites/a.yml:2:18: data_drift: unknown parameter 'metod', did you mean 'method'?",
        "suites/a.yml:3:5: checks: unknown check 'nope'; `readmit list` names the checks",
        "suites/b.yaml:1:1: suite: unknown key 'ownr', did you mean 'owner'?",
        "suites/b.yaml:2:9: suite: `checks` is empty: a suite without checks would always pass",
        "4 problems",
    ]
    assert done.stderr == ""


def test_lint_annotates_a_build(readmit, suite, tmp_path):
    suite("a.yml", "checks:\n  - nope\n")
    build = {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(tmp_path / "step.md")}
    done = readmit("lint", "a.yml", **build)
    command = "::error file=a.yml,line=2,title=readmit%3A suite error::"
    assert done.stdout.splitlines()[-1].startswith(command)
    assert "1 problem" in (tmp_path / "step.md").read_text()


def test_lint_takes_globs(readmit, suite):
    suite("a/drift.yml", "checks: [data_drift]\n")
    suite("b/drift.yml", "checks: [data_drift]\n")
    assert readmit("lint", "*/drift.yml").stdout == "2 suites, 2 entries: no problems\n"


def test_lint_warns_of_repeats_without_id(readmit, suite):
    suite("a.yml", "checks:\n  - data_drift\n  - data_drift\n")
    done = readmit("lint", "a.yml")
    assert done.returncode == 0
    assert done.stdout.startswith("a.yml:3:5: data_drift: repeated without `id`; 'data_drift-2' will name")
    assert done.stdout.splitlines()[0].endswith("(warning)")


def test_lint_warns_of_data_that_only_the_run_could_bring(readmit, suite):
    suite("a.yml", "data: {current: a.csv}\nchecks:\n  - data_drift\n  - missing_drift\n")
    done = readmit("lint", "a.yml")
    assert done.returncode == 0
    assert done.stdout.splitlines() == [
        "a.yml:3:5: data_drift: needs a dataset 'reference', which `data` does not name (warning)",
        "1 suite, 2 entries: no problems",
    ]


def test_lint_takes_variables(readmit, suite):
    suite("a.yml", "checks:\n  - missing_drift: {max: '${MAX}'}\n")
    assert readmit("lint", "a.yml", "--set", "MAX=0.2").returncode == 0
    assert readmit("lint", "a.yml", "--env", "MAX", MAX="0.2").returncode == 0
    wrong = readmit("lint", "a.yml", MAX="0.2")
    assert wrong.returncode == 4
    assert "variable ${MAX} is not set" in wrong.stdout


def test_lint_never_prints_a_value_of_the_environment(readmit, suite):
    suite("a.yml", "checks:\n  - missing_drift: {max: '${READMIT_SECRET}'}\n")
    done = readmit("lint", "a.yml", READMIT_SECRET="canary-7")
    assert done.returncode == 4
    assert "canary-7" not in done.stdout + done.stderr


def test_own_checks_are_named_by_module(readmit, suite):
    suite("own_checks.py", OWN)
    suite("a.yml", "checks:\n  - mine: {max: 2}\n")
    assert readmit("lint", "a.yml", "--checks", "own_checks").returncode == 0
    assert readmit("lint", "a.yml").returncode == 4


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["lint", "none.yml"], "none.yml: no such file"),
        (["lint", "drft.yml"], "drft.yml: no such file, did you mean 'drift.yml'?"),
        (["lint", "empty"], "empty: this folder holds no .yml or .yaml file"),
        (["lint", "drift.yml", "--set", "MAX"], "--set MAX: write NAME=VALUE"),
        (["lint", "drift.yml", "--checks", "nowhere"], "--checks: cannot import 'nowhere'"),
        (["lint"], "the following arguments are required: SUITE"),
        (["lnt"], "invalid choice"),
        ([], "the following arguments are required: COMMAND"),
        (["list", "data_drfit"], "unknown check 'data_drfit', did you mean 'data_drift'?"),
        (["schema", "-o", "no/such/folder/s.json"], "no/such/folder/s.json: cannot be written"),
        (["report", "none.json", "-o", "r.html"], "none.json"),
        (["report", "drift.yml", "-o", "r.html"], "drift.yml"),
    ],
)
def test_a_users_mistake_is_one_line_and_exit_4_without_a_traceback(
    readmit, suite, tmp_path, arguments, said
):
    suite("drift.yml", "checks: [data_drift]\n")
    (tmp_path / "empty").mkdir()
    done = readmit(*arguments)
    assert done.returncode == 4
    assert said in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="needs a file that cannot be read")
def test_an_unreadable_suite_is_told(readmit, suite):
    suite("a.yml", "checks: [data_drift]\n").chmod(0)
    done = readmit("lint", "a.yml")
    assert done.returncode == 4
    assert "a.yml: cannot be read (Permission denied)" in done.stdout


def test_neither_control_characters_nor_commands_to_a_build_server_reach_the_terminal(readmit, suite):
    suite("a.yml", 'checks:\n  - "data\\e[31m_drift\\n::error::x ##[error]y"\n')
    done = readmit("lint", "a.yml")
    assert done.returncode == 4
    assert "\x1b" not in done.stdout
    assert "\n::" not in done.stdout
    assert "##[" not in done.stdout


def test_schema_is_json_that_names_every_check(readmit, tmp_path):
    printed = readmit("schema")
    assert printed.returncode == 0
    schema = json.loads(printed.stdout)
    mapping = schema["$defs"]["check"]["anyOf"][-1]
    assert set(mapping["properties"]) == set(registry.load())
    assert readmit("schema", "-o", "s.json").returncode == 0
    assert json.loads((tmp_path / "s.json").read_text(encoding="utf-8")) == schema


def test_list_describes_every_check_with_parameters_and_defaults(readmit, suite):
    suite("own_checks.py", OWN)
    done = readmit("list", "--checks", "own_checks")
    assert done.returncode == 0
    for name in registry.load():
        assert f"\n{name}\n" in f"\n{done.stdout}"
    one = readmit("list", "mine", "--checks", "own_checks")
    assert one.stdout.splitlines() == [
        "mine",
        "    Is it mine? One case per column.",
        "    max: a number; default 1",
        "        The most.",
        "    word: text; default a",
    ]


def test_the_version_is_the_distributions(readmit):
    from importlib.metadata import version

    assert readmit("--version").stdout == f"pytest-readmit {version('pytest-readmit')}\n"


def test_help_needs_no_heavy_library():
    code = (
        "import sys; from pytest_readmit.cli import main; main(['--help']); "
        "print(sorted({'yaml', 'pydantic', 'numpy', 'pandas', 'duckdb', 'pytest'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
    assert {"lint", "schema", "list", "report"} <= set(done.stdout.split())


def test_a_reader_that_stops_early_is_no_error(readmit, tmp_path):
    command = [sys.executable, "-c", CODE, "list"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        told = process.stderr.read()
        process.wait(60)
    assert told == b""
    assert process.returncode == 0
