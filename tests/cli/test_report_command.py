"""`readmit report`: a record as Markdown, page or brief JSON, and why a file cannot be shown."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pytest_readmit import cli
from pytest_readmit import record as records

SUITE = """
suite: ward
data: {reference: r.csv, current: c.csv}
as_of: 2026-11-01
checks:
  - missing_drift: {columns: [lab], because: "as agreed <b>"}
  - unique: {columns: [id], max: 0, waiver: {until: 2026-12-31, by: A. Lee, reason: known}}
  - out_of_range: {ranges: {age: [0, 50]}, max: 1}
"""
WRITTEN = ("--readmit-json=record.json", "--readmit-report=page.html")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a record and the page of the run that wrote it."""
    folder = tmp_path_factory.mktemp("run")
    rows = [f"{row},{20 + row % 60},{'' if row % 9 == 0 else row / 7}" for row in range(400)]
    (folder / "r.csv").write_text("\n".join(["id,age,lab", *rows]) + "\n")
    rows = [f"{row // 2},{20 + row % 60},{'' if row % 2 else row / 7}" for row in range(400)]
    (folder / "c.csv").write_text("\n".join(["id,age,lab", *rows]) + "\n")
    (folder / "s.yml").write_text(SUITE)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "--readmit-suite=s.yml", *WRITTEN],
        check=False,
        cwd=folder,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONSAFEPATH": "1"},
    )
    assert done.returncode == 1, done.stdout
    return folder


@pytest.fixture
def shown(run: Path, monkeypatch, capfdbinary) -> Any:
    """Return a function that runs `readmit report` beside the record: exit code, stdout, stderr."""
    monkeypatch.chdir(run)

    def show(*arguments: str) -> tuple[int, str, str]:
        code = cli.main(["report", *arguments])
        sys.stdout.flush()
        out, err = capfdbinary.readouterr()
        return code, out.decode(), err.decode()

    return show


def test_the_page_is_that_of_the_run_to_the_byte(shown, run) -> None:
    assert shown("record.json", "-o", "again.html") == (0, "", "")
    page = (run / "page.html").read_bytes()
    assert (run / "again.html").read_bytes() == page
    code, out, _ = shown("record.json", "--format=html")
    assert (code, out.encode()) == (0, page)


def test_markdown_is_the_default_on_a_terminal(shown, run) -> None:
    code, out, err = shown("record.json")
    assert (code, err) == (0, "")
    assert out.startswith("## readmit: Blocked\n\n**Deployment is blocked by 1 of 3 gates.**")
    assert "| `unique` | Fail | `A. Lee` | `2026-12-31` | known | `s.yml:7` |" in out
    assert "as agreed `<b>`" in out
    assert shown("record.json", "-o", "page.md")[0] == 0
    assert (run / "page.md").read_bytes() == out.encode()


def test_json_is_brief_and_names_what_a_script_asks_for(shown, run) -> None:
    made = records.read(run / "record.json")
    code, out, _ = shown("record.json", "--format", "json")
    found = json.loads(out)
    assert code == 0
    assert found["schema"] == "pytest-readmit/brief/1"
    for key in ("digest", "verdict", "blocked", "certified", "complete", "exit_code", "counts", "planned"):
        assert found[key] == made[key]
    (blocking,) = found["blocking"]
    assert (blocking["id"], blocking["line"], blocking["limit"]) == (
        "s.yml::missing_drift::lab",
        6,
        [-0.05, 0.05],
    )
    assert [case["waiver"]["by"] for case in found["waived"]] == ["A. Lee"]
    assert (found["warned"], found["undecided"], found["waivers_not_needed"]) == ([], [], [])
    shown("record.json", "-o", "brief.json")
    assert (run / "brief.json").read_text() == out


POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:" + "0" * 64 + "\nsize 12345\n"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "no record: No such file or directory"),
        ("folder", "no record: Is a directory"),
        ("", "not a record: the file is empty"),
        (POINTER, "a Git LFS pointer, not the record itself; fetch it with `git lfs pull`"),
        ("<!doctype html>", "not a record: not JSON"),
        ("[1]", "not a record: schema is None"),
        ('"text"', "not a record: schema is None"),
        ('{"schema": "other/1"}', "not a record: schema is 'other/1', not 'pytest-readmit/record/1'"),
        (
            '{"schema": "pytest-readmit/record/2"}',
            "not 'pytest-readmit/record/1'; read it with the pytest-readmit that wrote it",
        ),
        ("cut", "not a record: cut off before its end"),
        ("edited", "damaged: its digest does not fit its content"),
        ("undigested", "damaged: its digest does not fit its content"),
        ('{"schema": "pytest-readmit/record/1", "a": 1e999}', "not a record: not JSON"),
        ('{"schema": "pytest-readmit/record/1", "a": NaN}', "not a record: not JSON"),
        ("[" * 100_000 + "]" * 100_000, "not a record: not JSON"),
        (b"\xff\xfe{", "not a record: not text in UTF-8"),
    ],
)
def test_a_file_that_is_no_record_is_named_with_what_to_do(shown, run, content, said) -> None:
    path = run / "other.json"
    whole = (run / "record.json").read_text()
    if content == "folder":
        path = run / "folder"
        path.mkdir(exist_ok=True)
    elif content == "cut":
        path.write_text(whole[:-40])
    elif content == "edited":
        path.write_text(whole.replace('"verdict": "fail"', '"verdict": "pass"'))
    elif content == "undigested":
        made = json.loads(whole)
        del made["digest"]
        path.write_text(json.dumps(made))
    elif isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        path.write_text(content)
    else:
        path.unlink(missing_ok=True)
    code, out, err = shown(path.name, "-o", "never.html")
    assert (code, out) == (4, "")
    assert err.startswith(f"{path.name}: ")
    assert said in err
    assert err.count("\n") == 1
    assert not (run / "never.html").exists()


def test_the_record_is_not_written_over(shown, run) -> None:
    before = (run / "record.json").read_bytes()
    code, _, err = shown("record.json", "-o", "./record.json", "--format=html")
    assert (code, err) == (4, "./record.json is the record itself; name another file with -o\n")
    assert (run / "record.json").read_bytes() == before
    code, _, err = shown("record.json", "-o", "record.json/page.html")
    assert (code, "cannot be written" in err) == (4, True)
