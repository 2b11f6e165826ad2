"""A small project with a check whose verdicts the suite decides, so that these tests need no statistics."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from pytest_readmit import registry

CHECKS = '''
import os
import numpy as np
from pytest_readmit import Claim, Column, DataError, check


@check
def moved(
    current: Column,
    *,
    far: list[str] = [],
    broken: list[str] = [],
    unsure: list[str] = [],
    crash: list[str] = [],
    dies: list[str] = [],
    notes: list[str] = [],
    zero: list[str] = [],
) -> Claim:
    """Has a column moved? The suite says so itself."""
    name = current.name
    if name in dies:
        os._exit(1)
    if name in broken:
        raise DataError(f"{name} cannot be read")
    if name in crash:
        raise KeyError("a cell")
    if name in zero:
        np.log(np.zeros(1))
    # A scalar of numpy, as checks often have: it must not reach another process as it is.
    estimate = np.float64(0.5 if name in far else 0.0)
    width = 1.0 if name in unsure else 0.01

    def bounds(alpha: float) -> tuple[float, float]:
        return estimate - width * (1 - alpha), estimate + width * (1 - alpha)

    return Claim(
        estimate=estimate,
        limit=0.1,
        method="moved",
        summary=f"{name} moved by {float(estimate)}",
        n_current=1000,
        bounds=bounds,
        warning=f"look at {name}" if name in notes else None,
    )
'''
COLUMNS = "age,bmi,los,sex"


class Project:
    """A project folder, and pytest run in it."""

    def __init__(self, pytester: pytest.Pytester) -> None:
        self.pytester = pytester
        self.path = pytester.path
        pytester.makeini("[pytest]\nreadmit_checks = own_checks\npythonpath = .\n")
        (self.path / "own_checks.py").write_text(CHECKS)
        (self.path / "suites").mkdir()
        rows = [COLUMNS, *(f"{20 + row % 60},{row % 9}.5,{row % 7},{'mf'[row % 2]}" for row in range(60))]
        (self.path / "suites" / "current.csv").write_text("\n".join(rows) + "\n")

    def suite(self, checks: str, *, name: str = "drift.yml", head: str = "") -> Path:
        """Write a suite; `checks` is the YAML below `checks:`."""
        path = self.path / "suites" / name
        path.parent.mkdir(exist_ok=True)
        indented = "\n".join(f"  {line}" for line in checks.strip().splitlines())
        path.write_text(f"data: {{current: current.csv}}\n{head}\nchecks:\n{indented}\n")
        return path

    def run(self, *arguments: str, suite: str | None = "suites/drift.yml") -> pytest.RunResult:
        """Run pytest in this process."""
        return self.pytester.runpytest_inprocess(*self._typed(arguments, suite))

    def run_apart(self, *arguments: str, suite: str | None = "suites/drift.yml") -> pytest.RunResult:
        """Run pytest in a process of its own."""
        return self.pytester.runpytest_subprocess(*self._typed(arguments, suite))

    def record(self, *arguments: str, **given: Any) -> dict[str, Any]:
        """Run pytest and return the record."""
        self.run("--readmit-json=record.json", *arguments, **given)
        return self.read()

    def read(self, name: str = "record.json") -> dict[str, Any]:
        """Return a record that was written."""
        made: dict[str, Any] = json.loads((self.path / name).read_text())
        return made

    def _typed(self, arguments: Sequence[str], suite: str | None) -> list[str]:
        return [*([f"--readmit-suite={suite}"] if suite else []), *arguments]


@pytest.fixture(scope="session")
def everything_imported(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Import all that a run imports: pytester takes back what is new, and numpy bears one import only."""
    import pytest_readmit.reporter
    from pytest_readmit import run_suite

    folder = tmp_path_factory.mktemp("warm")
    (folder / "d.csv").write_text("x,y\n" + "".join(f"{row},{'ab'[row % 2]}\n" for row in range(40)))
    (folder / "s.yml").write_text("data: {reference: d.csv, current: d.csv}\nchecks: [data_drift]\n")
    assert pytest_readmit.reporter.Reporter
    run_suite(folder / "s.yml").to_html(folder / "s.html")


@pytest.fixture
def project(everything_imported: None, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)
    monkeypatch.setattr(registry, "_REGISTERED", dict(registry._REGISTERED))
    monkeypatch.setattr(registry, "_BROUGHT", dict(registry._BROUGHT))
    return Project(pytester)
