"""A page per check in docs/checks: what the generator writes, with a suite that runs as it stands."""

import importlib.util
import re
import runpy
from pathlib import Path
from types import ModuleType

import pytest

from pytest_readmit import run_suite
from pytest_readmit.registry import load

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "docs" / "checks"
WITH_A_MODEL = ("behavior", "promotion")
CHECKS = sorted(name for name, spec in load().items() if spec.module.startswith("readmit_checks."))
MEND = "run `python docs/build_checks.py`"


@pytest.fixture(scope="module")
def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("build_checks", ROOT / "docs" / "build_checks.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model that the overview tells how to make."""
    folder = tmp_path_factory.mktemp("model")
    (text,) = re.findall(
        r"```python\n# make_model\.py\n(.*?)```", (FOLDER / "README.md").read_text(encoding="utf-8"), re.S
    )
    (folder / "make_model.py").write_text(text, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        runpy.run_path("make_model.py")
    return folder / "model.skops"


def test_the_pages_are_what_the_docstrings_say(generator: ModuleType) -> None:
    written = {path.name: path.read_text(encoding="utf-8") for path in FOLDER.iterdir()}
    wanted = generator.pages()
    assert sorted(written) == sorted(wanted), MEND
    different = [name for name, text in wanted.items() if written[name] != text]
    assert different == [], MEND


def suite_of(name: str, folder: Path) -> Path:
    page = (FOLDER / f"{name}.md").read_text(encoding="utf-8")
    (text,) = re.findall(rf"```yaml\n# {name}\.yml\n(.*?)```", page, re.S)
    suite = folder / f"{name}.yml"
    suite.write_text(text, encoding="utf-8")
    return suite


@pytest.mark.parametrize("name", [name for name in CHECKS if name not in WITH_A_MODEL])
def test_the_suite_on_a_page_runs_on_the_demo_data(name: str, tmp_path: Path) -> None:
    suite = suite_of(name, tmp_path)
    verdicts = {finding.check: finding.verdict for finding in run_suite(suite).findings}
    assert verdicts == {name: "inconclusive" if name == "estimated_performance" else "pass"}


@pytest.mark.slow
@pytest.mark.parametrize("name", WITH_A_MODEL)
def test_the_suite_on_a_page_runs_with_the_model_of_the_overview(name: str, model: Path) -> None:
    assert {finding.verdict for finding in run_suite(suite_of(name, model.parent)).findings} == {"pass"}


@pytest.mark.parametrize("name", CHECKS)
def test_a_page_answers_what_a_newcomer_asks(name: str) -> None:
    page = (FOLDER / f"{name}.md").read_text(encoding="utf-8")
    for heading in ("## Example", "## Parameters", "## Verdicts"):
        assert f"\n{heading}\n" in page
    for verdict in ("pass", "fail", "inconclusive", "error"):
        assert f"\n| {verdict} | " in page
    assert all(f"\n| `{key}` | " in page for key in load()[name].fields)
