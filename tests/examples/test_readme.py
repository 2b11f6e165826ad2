"""
Every code block of the README and of the pages in docs is run or linted, in the order it stands there.

The second word of a block's first line names what it needs beyond the project: ```sh dvc. Blocks of a page
that need the same run together, in one folder, where it is there; NEEDS says where.
"""

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
CHECKS = sorted((ROOT / "docs" / "checks").glob("*.md"))
LONGEST = 250
SCRIPTS = Path(sys.executable).parent
NEEDS = {
    "dvc": "DVC and Git LFS; marker real",
    "mlflow": "the extra mlflow",
    "slow": "more time; marker slow",
    "demo": "what `readmit demo` builds: tests/mlops/test_mlops_demo.py runs these commands; marker slow",
    "prometheus": "promtool or a server: tests/metrics and tests/monitoring run the like; marker real",
    "install": "a package index: .ci/run installs the wheel",
    "docker": "an engine for containers: nothing here has one, so these blocks are only read",
}
DVC = os.environ.get("READMIT_DVC", "dvc")
APART = {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_SYSTEM": os.devnull,
    "GIT_AUTHOR_NAME": "a",
    "GIT_AUTHOR_EMAIL": "a@example.org",
    "GIT_COMMITTER_NAME": "a",
    "GIT_COMMITTER_EMAIL": "a@example.org",
    "DVC_NO_ANALYTICS": "1",
}
"""Nothing of this machine's settings reaches a command of a page, and nothing is sent."""


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, its text, the line it starts at and what it needs."""

    language: str
    text: str
    line: int
    needs: str = ""

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
            word, _, needs = str(language).partition(" ")
            found.append(Block(word, "\n".join(lines) + "\n", start, needs))
            language = None
        elif language is not None:
            lines.append(line)
    return found


def run(command: list[str], folder: Path) -> tuple[int, str]:
    environ = {**os.environ, **APART, "COLUMNS": "100", "PY_COLORS": "0", "PYTHONIOENCODING": "utf-8"}
    own = os.pathsep.join([str(SCRIPTS), *([str(Path(DVC).parent)] if os.sep in DVC else [])])
    environ["PATH"] = f"{own}{os.pathsep}{environ['PATH']}"
    for name in ("PYTEST_ADDOPTS", "PYTEST_XDIST_WORKER", "PYTEST_CURRENT_TEST", "CI", "GITHUB_ACTIONS"):
        environ.pop(name, None)
    for name in [name for name in environ if name.startswith("MLFLOW_")]:  # of tests in this process
        del environ[name]
    program = shutil.which(command[0], path=environ["PATH"])
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
    project = tmp_path / "project"
    project.mkdir()
    (project / "pyproject.toml").write_text("[tool.pytest]\n", encoding="utf-8")
    return project


@pytest.mark.parametrize(
    "page",
    [pytest.param(page, marks=[] if page == README else pytest.mark.slow) for page in PAGES],
    ids=[name_of(page) for page in PAGES],
)
def test_a_page_runs_from_top_to_bottom(page: Path, folder: Path) -> None:
    play(page, [block for block in blocks(page) if not block.needs], folder)


def that_need(name: str) -> list[Path]:
    return [page for page in PAGES if any(block.needs == name for block in blocks(page))]


@pytest.mark.real
@pytest.mark.parametrize("page", that_need("dvc"), ids=name_of)
def test_blocks_that_need_dvc_and_git_lfs_run(page: Path, folder: Path) -> None:
    for program in (DVC, "git-lfs"):
        if shutil.which(program) is None:
            stop = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
            stop(f"{program} is not installed; READMIT_DVC may name dvc")
    play(page, [block for block in blocks(page) if block.needs == "dvc"], folder)


@pytest.mark.slow
@pytest.mark.parametrize("page", that_need("slow"), ids=name_of)
def test_blocks_that_need_more_time_run(page: Path, folder: Path) -> None:
    play(page, [block for block in blocks(page) if block.needs == "slow"], folder)


@pytest.mark.parametrize("page", that_need("mlflow"), ids=name_of)
def test_blocks_that_need_mlflow_run(page: Path, folder: Path) -> None:
    pytest.importorskip("mlflow", reason="pip install 'pytest-readmit[mlflow]'")
    play(page, [block for block in blocks(page) if block.needs == "mlflow"], folder)


def play(page: Path, these: list[Block], folder: Path) -> None:
    """Run blocks in their order."""
    for block in these:
        where = f"{name_of(page)}:{block.line}"
        if block.file:
            (folder / block.file).write_text(block.text, encoding="utf-8")
        if block.language == "console":
            console(block, folder)
        elif block.language == "sh" and block.needs:
            code, printed = run(["bash", "-euo", "pipefail", "-c", block.text], folder)
            assert code == 0, f"{where}: {printed}"
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
    every = [block for page in PAGES for block in blocks(page)]
    assert [block for block in every if block.language not in known or block.needs not in {"", *NEEDS}] == []
    docs = [block for page in PAGES if page != README for block in blocks(page)]
    assert [block for block in docs if block.language == "sh" and not block.needs] == [], "would not be run"


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


def test_the_overview_of_the_docs_leads_to_every_page() -> None:
    overview = (ROOT / "docs" / "README.md").read_text(encoding="utf-8")
    lost = [page.name for page in PAGES if page.parent.name == "docs" and f"({page.name})" not in overview]
    assert [name for name in lost if name != "README.md"] == []


def test_links_inside_the_repository_lead_somewhere() -> None:
    for page in (*PAGES, *CHECKS, ROOT / "CHANGELOG.md"):
        for target in re.findall(r"\]\((?!https?://|#)([^)#]+)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"
