"""Runs the steps of a job or of the action here, as a runner of GitHub would; what others wrote is played."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
PIPELINE = ROOT / ".github" / "workflows" / "mlops.yml"
TEMPLATE = ROOT / "templates" / "workflows" / "mlops.yml"
ACTION = ROOT / "action.yml"
SHELLS = {"bash": ["--noprofile", "--norc", "-eo", "pipefail"], None: ["-e"]}
TOKEN = re.compile(r"'[^']*'|!cancelled\(\)|&&|\|\||[a-z][\w-]*(?:\.[\w-]+)+")
WORDS = {"!cancelled()": "True", "&&": " and ", "||": " or "}
# `python -m pip` would change the environment that the tests run in; everything else is the real one.
PYTHON = """#!/bin/sh
if [ "$1 $2" = "-m pip" ]; then echo "$*" >> "{log}"; exit 0; fi
exec "{python}" "$@"
"""
WATCHED = """#!/bin/sh
echo "{name} $*" >> "{log}"
exec "{folder}/{name}" "$@"
"""
RECORDED = """#!/bin/sh
echo "{name} $*" >> "{log}"
echo "{says}"
exit {code}
"""


def load(path: Path) -> dict[Any, Any]:
    """Return a YAML file."""
    found: dict[Any, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return found


class Runner:
    """A machine of its own for one job: its workspace, and the programs that are only played."""

    def __init__(self, folder: Path, workspace: Path, *, artifacts: Path | None = None) -> None:
        self.folder, self.workspace = folder, workspace
        self.artifacts = artifacts or folder / "artifacts"
        self.temp = folder / "temp"
        self.programs = folder / "bin"
        self.log = folder / "calls.log"
        for each in (self.temp, self.programs, self.artifacts):
            each.mkdir(parents=True)
        self.log.touch()
        self._write("python", PYTHON.format(log=self.log, python=sys.executable))
        self.summary = folder / "summary.md"
        self.summary.touch()
        self.outputs: dict[str, dict[str, str]] = {}
        self.outcomes: dict[str, str] = {}
        self.said = ""
        self.known: dict[str, str] = {"github.token": "token-of-this-run", "runner.temp": str(self.temp)}
        self.environ = {
            "GITHUB_ACTIONS": "true",
            "GITHUB_REPOSITORY": "hospital/readmission",
            "GITHUB_RUN_ID": "7",
            "GITHUB_SERVER_URL": "https://github.com",
            "GITHUB_WORKSPACE": str(workspace),
            "RUNNER_TEMP": str(self.temp),
        }

    def play(self, name: str, code: int = 0, says: str = "") -> None:
        """Let a program only note how it was called, and say something."""
        self._write(name, RECORDED.format(name=name, log=self.log, code=code, says=says))

    def watch(self, name: str) -> None:
        """Note how a program is called, and run it."""
        self._write(name, WATCHED.format(name=name, log=self.log, folder=Path(sys.executable).parent))

    @property
    def calls(self) -> list[str]:
        """How the programs that are played or watched were called."""
        return self.log.read_text(encoding="utf-8").splitlines()

    def run(
        self,
        steps: Sequence[Mapping[str, Any]],
        *,
        environ: Mapping[str, Any] | None = None,
        shell: Any = None,
    ) -> bool:
        """Run steps in order; return whether all of those that had to run went well."""
        well = True
        for number, step in enumerate(steps):
            condition = str(step.get("if", "true"))
            wanted = well or "cancelled()" in condition
            if not (wanted and (condition == "true" or self.value(condition))):
                self.outcomes[step.get("id", str(number))] = "skipped"
                continue
            name = step.get("id", str(number))
            done = self._uses(step) if "uses" in step else self._bash(step, name, environ or {}, shell)
            self.outcomes[name] = "success" if done else "failure"
            well = well and done
        return well

    def job(self, workflow: Path, name: str) -> bool:
        """Run a job of a workflow; return whether it went well."""
        found = load(workflow)
        job = found["jobs"][name]
        shell = found.get("defaults", {}).get("run", {}).get("shell")
        return self.run(job["steps"], environ=job.get("env"), shell=shell)

    def value(self, expression: str) -> Any:
        """Return what an expression of GitHub's stands for: names, texts, comparisons, and, or."""
        text = expression.strip().removeprefix("${{").removesuffix("}}")
        return eval(TOKEN.sub(lambda found: self._word(found[0]), text), {})

    def _word(self, word: str) -> str:
        if word in WORDS or word.startswith("'"):
            return WORDS.get(word, word)
        kind, *rest = word.split(".")
        if kind == "steps":
            step, what, *name = rest
            found = (
                self.outcomes.get(step, "")
                if what == "outcome"
                else self.outputs.get(step, {}).get(name[0], "")
            )
            return repr(found)
        if kind in ("vars", "secrets", "inputs"):
            return repr(self.known.get(word, ""))
        return repr(self.known[word])

    def _filled(self, value: object) -> str:
        return re.sub(r"\$\{\{.*?\}\}", lambda found: str(self.value(found[0])), str(value))

    def _bash(self, step: Mapping[str, Any], name: str, environ: Mapping[str, Any], shell: Any) -> bool:
        script = self.temp / f"step-{name}.sh"
        script.write_text(step["run"], encoding="utf-8")
        output = self.temp / f"output-{name}"
        output.touch()
        variables = {**environ, **step.get("env", {})}
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("PYTEST_", "MLFLOW_"))}
        path = [str(self.programs), str(Path(sys.executable).parent), kept["PATH"]]
        done = subprocess.run(
            ["bash", *SHELLS[step.get("shell", shell)], script],
            cwd=self.workspace,
            env={
                **kept,
                **self.environ,
                **{key: self._filled(value) for key, value in variables.items()},
                "GITHUB_OUTPUT": str(output),
                "GITHUB_STEP_SUMMARY": str(self.summary),
                "MLFLOW_DISABLE_TELEMETRY": "true",
                "PATH": os.pathsep.join(path),
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            timeout=600,
            check=False,
        )
        self.said += done.stdout
        lines = [line.partition("=") for line in output.read_text(encoding="utf-8").splitlines()]
        self.outputs[name] = {key: value for key, _, value in lines}
        self.code = done.returncode
        return done.returncode == 0

    def _uses(self, step: Mapping[str, Any]) -> bool:
        action = step["uses"].partition("@")[0]
        given = {key: self._filled(value) for key, value in step.get("with", {}).items()}
        if action == "actions/upload-artifact":
            for path in given["path"].splitlines():
                here = self.workspace / path
                if here.is_dir():
                    shutil.copytree(here, self.artifacts / given["name"], dirs_exist_ok=True)
                elif here.is_file():
                    (self.artifacts / given["name"]).mkdir(exist_ok=True)
                    shutil.copy(here, self.artifacts / given["name"])
        elif action == "actions/download-artifact":
            shutil.copytree(self.artifacts / given["name"], given["path"])
        elif action == "actions/attest":
            assert all(Path(path).is_file() for path in given["subject-path"].split())
            (self.temp / "bundle.jsonl").write_text("{}\n", encoding="utf-8")
            self.outputs[step["id"]] = {"bundle-path": str(self.temp / "bundle.jsonl")}
        else:
            assert action in ("actions/checkout", "actions/setup-python"), action
        return True

    def _write(self, name: str, text: str) -> None:
        path = self.programs / name
        path.write_text(text, encoding="utf-8")
        path.chmod(0o755)
