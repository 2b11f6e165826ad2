"""The composite action: its steps run in order, with gates that pass, gates that block and wrong input."""

import json
from pathlib import Path
from typing import Any

import pytest

SUITE = """\
suite: small
as_of: 2024-10-01
data: {reference: {demo: "reference?rows=5000"}, current: {demo: "${WINDOW:-current}?rows=5000"}}
checks:
  - missing_drift: {columns: [lactate], severity: "${SEVERITY:-block}"}
"""
EVIL = 'x"; touch pwned; echo "$(touch pwned) `touch pwned`'


class Action:
    """The action's inputs, and what became of a run of its steps."""

    def __init__(self, steps: Any, folder: Path) -> None:
        self.workspace = folder / "workspace"
        self.workspace.mkdir()
        (self.workspace / "small.yml").write_text(SUITE, encoding="utf-8")
        self.runner = steps.Runner(folder / "runner", self.workspace)
        self.runner.known["github.action_path"] = str(steps.ROOT)
        self.action = steps.load(steps.ACTION)

    def run(self, **inputs: str) -> bool:
        given = {name: str(about.get("default", "")) for name, about in self.action["inputs"].items()}
        given |= {name.replace("_", "-"): value for name, value in inputs.items()}
        self.runner.known |= {f"inputs.{name}": value for name, value in given.items()}
        return bool(self.runner.run(self.action["runs"]["steps"]))

    def output(self, name: str) -> str:
        return str(self.runner.value(self.action["outputs"][name]["value"]))

    @property
    def uploaded(self) -> set[str]:
        return {path.name for path in self.runner.artifacts.glob("readmit/*")}


@pytest.fixture
def action(steps: Any, tmp_path: Path) -> Action:
    return Action(steps, tmp_path)


BOTH = {"readmit-record.json", "readmit-report.html"}


def test_gates_that_pass_leave_record_and_report(action: Action) -> None:
    assert action.run(suite="small.yml"), action.runner.said
    assert (action.output("verdict"), action.output("blocked")) == ("pass", "false")
    assert action.uploaded == BOTH
    assert json.loads((action.workspace / action.output("record")).read_text())["verdict"] == "pass"
    assert "readmit: Certified" in action.runner.summary.read_text()


def test_a_gate_that_blocks_fails_the_step_after_the_report_is_kept(action: Action) -> None:
    assert not action.run(suite="small.yml", set="SEVERITY=block\r\n\nWINDOW=drifted\n")
    assert action.runner.code == 1
    assert (action.output("verdict"), action.output("blocked")) == ("fail", "true")
    assert action.uploaded == BOTH


@pytest.mark.slow
@pytest.mark.parametrize(
    ("inputs", "well", "verdict", "blocked"),
    [
        ({"set": "WINDOW=drifted", "fail_on": "never"}, True, "fail", "true"),
        ({"set": "WINDOW=drifted\nSEVERITY=warn"}, True, "fail", "false"),
        ({"set": "WINDOW=drifted\nSEVERITY=warn", "fail_on": "inconclusive"}, False, "fail", "true"),
        ({"data": "current=nowhere.csv", "fail_on": "never"}, False, "error", "true"),
        ({"args": "-k\nnothing", "fail_on": "never"}, False, "error", "true"),
        ({"suite": "nowhere.yml", "fail_on": "never"}, False, "error", "true"),
    ],
)
def test_fail_on_hides_only_gates_that_fail(
    action: Action, inputs: dict[str, str], well: bool, verdict: str, blocked: str
) -> None:
    assert action.run(**{"suite": "small.yml", **inputs}) is well, action.runner.said
    assert (action.output("verdict"), action.output("blocked")) == (verdict, blocked)


@pytest.mark.parametrize(
    ("code", "fail_on", "measured", "expected"),
    [
        ("0", "fail", "true", 0),
        ("1", "fail", "true", 1),
        ("1", "inconclusive", "true", 1),
        ("1", "never", "true", 0),
        ("1", "never", "false", 1),
        *((str(code), "never", "true", code) for code in (2, 3, 4, 5)),
        ("", "never", "", 3),
    ],
)
def test_the_last_step_gives_the_exit_code(
    action: Action, code: str, fail_on: str, measured: str, expected: int
) -> None:
    action.runner.known["inputs.fail-on"] = fail_on
    action.runner.outputs["gates"] = {"code": code, "measured": measured}
    action.runner.run(action.action["runs"]["steps"][-1:])
    assert action.runner.code == expected


@pytest.mark.parametrize(("extras", "wanted"), [("", ""), ("mlflow,dvc", "[mlflow,dvc]")])
def test_the_action_installs_the_commit_that_it_is_taken_at(
    action: Action, steps: Any, extras: str, wanted: str
) -> None:
    action.runner.known |= {"inputs.extras": extras, "inputs.fail-on": "fail"}
    assert action.runner.run(action.action["runs"]["steps"][1:2])
    assert action.runner.calls == [f"-m pip install --quiet {steps.ROOT}{wanted}"]


@pytest.mark.parametrize(
    "inputs", [{"fail_on": "nevr"}, {"fail_on": EVIL}, {"extras": EVIL}, {"extras": "mlflow]; touch pwned"}]
)
def test_wrong_input_stops_before_anything_is_installed(action: Action, inputs: dict[str, str]) -> None:
    assert not action.run(**{"suite": "small.yml", **inputs})
    assert action.runner.code == 4
    assert action.runner.calls == []
    assert not list(action.workspace.glob("pwned"))


def test_what_a_caller_writes_is_never_run_by_the_shell(action: Action) -> None:
    given = dict.fromkeys(("suite", "data", "set", "args", "record", "report"), EVIL)
    assert not action.run(**given)
    assert not list(action.workspace.rglob("pwned"))
    assert action.output("blocked") == "true"
