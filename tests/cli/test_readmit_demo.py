"""`readmit demo`: what it refuses, and the copy of the suite that it leaves."""

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from pytest_readmit import cli
from pytest_readmit.mimic import demo_folder

SUITES = Path(__file__).parents[2] / "suites"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["full"], "full is not empty: name a folder that is not there yet, or delete it first"),
        (["full/data.csv"], "full/data.csv is a file: name a folder that is not there yet"),
        (["stopped"], "stopped holds a demo that was stopped before it was whole: delete the folder"),
        (["a?b"], "a?b: the address of a SQLite store cannot hold"),
        (["new", "--patients", "100"], "--patients 100: at least 5,000"),
        (["new", "--patients", "many"], "invalid int value: 'many'"),
    ],
)
def test_what_cannot_become_a_demo_is_refused_and_left_as_it_is(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    told: str,
) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "data.csv").touch()
    (tmp_path / "stopped").mkdir()
    (tmp_path / "stopped" / demo_folder.UNFINISHED).touch()
    monkeypatch.chdir(tmp_path)
    assert cli.main(["demo", *arguments]) == cli.WRONG
    assert told in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["UNFINISHED", "data.csv", "full", "stopped"]


@pytest.mark.skipif(find_spec("mlflow") is not None, reason="MLflow is installed")
def test_without_mlflow_the_command_that_installs_it_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["demo", str(tmp_path / "new")]) == cli.WRONG
    assert "pip install 'pytest-readmit[mlflow]'" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("stopped_by", [KeyboardInterrupt, OSError(28, "No space left on device")])
@pytest.mark.parametrize("was_there", [False, True])
def test_a_demo_that_is_stopped_leaves_nothing(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    stopped_by: BaseException,
    was_there: bool,
) -> None:
    folder = tmp_path / "new"
    if was_there:
        folder.mkdir()

    def stop(place: Path, *_: object) -> None:
        (place / "hosp").mkdir()
        (place / "hosp" / "patients.parquet").touch()
        raise stopped_by

    monkeypatch.setattr(demo_folder, "find_spec", lambda _: True)
    monkeypatch.setattr(demo_folder, "_build", stop)
    code = cli.main(["demo", str(folder)])
    assert code == (cli.INTERRUPTED if stopped_by is KeyboardInterrupt else cli.WRONG)
    assert capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["new"] * was_there
    assert not was_there or not list(folder.iterdir())


def test_the_suite_in_the_package_is_the_one_among_the_suites_and_its_copy_finds_the_demo(
    tmp_path: Path,
) -> None:
    assert demo_folder.suite_text() == (SUITES / "promotion.yml").read_text(encoding="utf-8")
    demo_folder._write_suite(tmp_path / "promotion.yml")
    assert "../demo" not in (tmp_path / "promotion.yml").read_text(encoding="utf-8")
    assert cli.main(["lint", str(tmp_path / "promotion.yml")]) == cli.OK


def test_the_commands_of_the_pipeline_tell_a_mistake_in_one_line(tmp_path: Path) -> None:
    for arguments, told in (
        (["tables", "t", "--patients", "0"], "0"),
        (["cohort", "none", "-o", "c.parquet"], "none"),
        (["train", "none.parquet", "-o", "t"], "none.parquet is not there"),
        (["evaluate", "none"], "is not there"),
    ):
        done = subprocess.run(
            [sys.executable, "-m", "pytest_readmit.mimic", *arguments],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == cli.WRONG
        assert told in done.stderr
        assert "Traceback" not in done.stderr
