"""`readmit demo` and the commands that it prints, as a user runs them; beside MLflow's own pytest plugin."""

import json
import re
import shlex
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow


def test_the_commands_that_the_demo_prints_tell_a_whole_story(demo: Any) -> None:
    commands = [line.strip() for line in demo.printed.splitlines() if line.startswith("   ")]
    gates, verify, promote, history, rollback = commands
    assert "[1/6]" in demo.progress
    assert "[6/6]" in demo.progress
    assert "Traceback" not in demo.progress
    assert "5 passed" in demo.shell(gates)
    checked = demo.shell(verify)
    for text in ("record: whole", "report: is just what", "attestation: agrees", "is the one that ran"):
        assert text in checked
    assert "would be promoted from version 1 to 2" in demo.shell(f"{promote} --dry-run")
    promoted = demo.shell(promote)
    assert "an improvement of 0.0" in promoted
    assert "version 2 is champion, before it version 1" in promoted
    assert "version 1 is champion, before it version 2" in demo.shell(rollback)
    story = demo.shell(history)
    for text in (
        "champion is version 1; 3 entries",
        "promote none -> 1",
        "first champion, by `readmit demo`",
        "promote 1 -> 2",
        "rollback 2 -> 1",
        "chain is whole",
    ):
        assert text in story
    assert sorted(path.name for path in demo.cwd.iterdir() if path.name != ".pytest_cache") == ["demo"]
    assert not (demo.folder / "UNFINISHED").exists()


def commands_on(page: str) -> list[str]:
    """Return the lines of the blocks ```sh demo of a page in docs."""
    text = (Path(__file__).parents[2] / "docs" / page).read_text(encoding="utf-8")
    return "".join(re.findall(r"```sh demo\n(.*?)```", text, re.DOTALL)).splitlines()


def test_the_page_on_promotion_shows_the_commands_that_the_demo_prints(demo: Any) -> None:
    printed = [line.strip() for line in demo.printed.splitlines() if line.startswith("   ")]
    printed = [re.sub(r"^\S*/(?=(?:pytest|readmit) )", "", command) for command in printed]
    install, build, *shown = commands_on("promotion.md")
    assert (install, build) == ("pip install 'pytest-readmit[mlflow]'", "readmit demo demo")
    assert [command for command in shown if not command.endswith(" --dry-run")] == printed
    assert f"{printed[2]} --dry-run" in shown


def test_the_page_on_pipelines_retrains_and_evaluates(demo: Any) -> None:
    build, *commands = commands_on("pipeline.md")
    assert build == "readmit demo demo"
    uri = f"sqlite:///{demo.copy('by_hand.db')}"
    for command in commands:
        own = command.replace("python", shlex.quote(sys.executable), 1)
        said = demo.shell(own.replace("sqlite:///demo/mlflow.db", uri))
    assert "| metric | champion, version 1 | challenger, version 3 |" in said
    assert (demo.cwd / "evaluated" / "current.parquet").is_file()
    shutil.rmtree(demo.cwd / "evaluated")


def test_promote_runs_the_gates_of_a_suite_itself(demo: Any) -> None:
    uri = f"sqlite:///{demo.copy('gates.db')}"
    rest = ["--", "--readmit-set", f"TRACKING_URI={uri}"]
    said = demo.readmit("promote", "demo/promotion.yml", "--tracking-uri", uri, *rest)
    for text in ("the record is not kept (--keep FILE keeps it)", "5 passed", "version 2 is champion"):
        assert text in said


def test_mlflows_own_pytest_plugin_and_ours_run_side_by_side(demo: Any) -> None:
    uri = f"sqlite:///{demo.copy('beside.db')}"
    (demo.cwd / "test_theirs.py").write_text(
        "import mlflow\n\n\n"
        "@mlflow.test\n"
        "def test_theirs():\n"
        f"    mlflow.set_tracking_uri({uri!r})\n"
        "    assert mlflow.active_run()\n"
    )
    arguments = ["test_theirs.py", "--readmit-suite=demo/promotion.yml", "--readmit-json=beside.json"]
    said = demo.pytest(
        "-p",
        "mlflow.pytest.plugin",
        *arguments,
        "--readmit-set",
        f"TRACKING_URI={uri}",
        MLFLOW_TRACKING_URI=uri,
    )
    assert "6 passed" in said
    record = json.loads((demo.cwd / "beside.json").read_text())
    assert (record["verdict"], record["complete"], len(record["cases"])) == ("pass", True, 5)
    for name in ("test_theirs.py", "beside.json"):
        (demo.cwd / name).unlink()
    left = {path.name for path in demo.cwd.iterdir()} - {".pytest_cache", "__pycache__"}
    assert left == {"demo"}
