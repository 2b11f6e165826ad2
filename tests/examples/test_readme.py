"""Every code block of the README and of the pages in docs is run or linted, in the order it stands there."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "README.md"
PAGES = (README, *sorted((ROOT / "docs").glob("*.md")))
LONGEST = 250
SCRIPTS = Path(sys.executable).parent


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, its text and the line it starts at."""

    language: str
    text: str
    line: int

    @property
    def file(self) -> str | None:
        """The file that the first line, a comment, says the block is."""
        found = re.match(r"# (\S+\.(?:yml|py|toml))\n", self.text)
        return found.group(1) if found else None


def blocks(path: Path) -> list[Block]:
    found, language, start, lines = [], None, 0, []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if line.startswith("```") and language is None:
            language, start, lines = line[3:].strip(), number, []
        elif line.startswith("```"):
            found.append(Block(str(language), "\n".join(lines) + "\n", start))
            language = None
        elif language is not None:
            lines.append(line)
    return found


def run(command: list[str], folder: Path) -> tuple[int, str]:
    environ = {**os.environ, "COLUMNS": "100", "PY_COLORS": "0", "PYTHONIOENCODING": "utf-8"}
    for name in ("PYTEST_ADDOPTS", "PYTEST_XDIST_WORKER", "PYTEST_CURRENT_TEST", "CI", "GITHUB_ACTIONS"):
        environ.pop(name, None)
    program = shutil.which(command[0], path=str(SCRIPTS)) or shutil.which(command[0])
    assert program, f"{command[0]} is not installed"
    done = subprocess.run(
        [program, *command[1:]],
        cwd=folder,
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        timeout=300,
        check=False,
    )
    return done.returncode, done.stdout


def matches(shown: list[str], printed: str) -> bool:
    """Say whether the lines shown stand in the output in this order; `...` stands for anything."""
    pattern = ""
    for line in shown:
        if line.strip() == "...":
            pattern += r"(?:.*\n)*?"
            continue
        text = re.escape(line.rstrip())
        text = re.sub(r"\\\.\\\.\\\.", ".*", text)
        text = re.sub(r"\d+\\\.\d+s", r"[\\d.]+s", text)
        pattern += re.sub(r"(?:=|\\=){3,}", "=+", text) + r"[^\S\n]*\n"
    return re.search(r"(?m)^" + pattern, printed.rstrip() + "\n") is not None


def console(block: Block, folder: Path) -> None:
    """Run the commands of a block and compare what they print; `echo $?` is the exit code before it."""
    code, printed, shown = 0, "", list[str]()
    for line in [*block.text.splitlines(), "$ true"]:
        if not line.startswith("$ "):
            shown.append(line)
            continue
        assert not shown or matches(shown, printed), (
            f"the page shows\n{os.linesep.join(shown)}\nbut\n{printed}"
        )
        shown = []
        command = shlex.split(line[2:], comments=True)
        if command == ["echo", "$?"]:
            printed = f"{code}\n"
        elif command != ["true"]:
            code, printed = run(command, folder)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return an empty project folder; pytest's own configuration of the checkout does not reach it."""
    (tmp_path / "pyproject.toml").write_text("[tool.pytest]\n", encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_runs_from_top_to_bottom(page: Path, folder: Path) -> None:
    for block in blocks(page):
        where = f"{page.name}:{block.line}"
        if block.file:
            (folder / block.file).write_text(block.text, encoding="utf-8")
        if block.language == "console":
            console(block, folder)
        elif block.language == "python" and not (block.file or "").startswith("our_"):
            code, printed = run(["python", block.file or "-c", *([] if block.file else [block.text])], folder)
            assert code == 0, f"{where}: {printed}"
        elif block.language == "toml":
            tomllib.loads(block.text)
            if block.file == "pyproject.toml":
                (folder / block.file).write_text(block.text, encoding="utf-8")
        elif block.language == "yaml" and block.file and "our_" not in block.file:
            code, printed = run(["readmit", "lint", block.file], folder)
            assert code == 0, f"{where}: {printed}"
        elif block.language == "json":
            json.loads(block.text)


def test_every_block_says_what_it_is() -> None:
    known = {"sh", "console", "python", "yaml", "toml", "json"}
    assert [block for page in PAGES for block in blocks(page) if block.language not in known] == []


def test_the_readme_can_be_read_in_one_sitting() -> None:
    assert len(README.read_text(encoding="utf-8").splitlines()) < LONGEST


def test_the_first_two_commands_are_one_line_each_and_make_their_own_environment() -> None:
    first, second = [block.text for block in blocks(README) if block.language == "sh"][:2]
    for command in (first, second):
        assert command.count("\n") == 1
        assert command.startswith("python3 -m venv ")
    assert "--readmit-suite=suites/drift.yml" in first


def test_every_option_the_readme_names_exists(folder: Path) -> None:
    _, shown = run(["pytest", "--help"], folder)
    named = set(re.findall(r"--readmit-[a-z]+", README.read_text(encoding="utf-8")))
    assert {name for name in named if name not in shown} == set()


def test_every_check_the_readme_names_is_registered_and_none_is_forgotten(folder: Path) -> None:
    code, shown = run(["readmit", "list"], folder)
    assert code == 0
    table = re.findall(r"^\| `([a-z_]+)` \|", README.read_text(encoding="utf-8"), flags=re.MULTILINE)
    registered = set(re.findall(r"^([a-z_]+)\b", shown, flags=re.MULTILINE))
    assert table
    assert set(table) == registered


def test_links_inside_the_repository_lead_somewhere() -> None:
    for page in (*PAGES, ROOT / "CHANGELOG.md"):
        for target in re.findall(r"\]\((?!https?://|#)([^)#]+)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"
