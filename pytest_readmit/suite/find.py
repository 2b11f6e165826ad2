"""Which files a name on the command line means: a file, a folder of suites, or a glob."""

import glob
import os
from collections.abc import Iterable
from pathlib import Path

from pytest_readmit.errors import SuiteError, did_you_mean

SUFFIXES = (".yml", ".yaml")


def find_suites(named: Iterable[str], folder: Path) -> list[Path]:
    """
    Return the suite files that names stand for, each once, in order.

    Args:
        named: Files, folders (their own ``.yml`` and ``.yaml`` files) and globs.
        folder: Where relative names start.

    Raises:
        SuiteError: For every name that stands for nothing.
    """
    found: dict[Path, None] = {}
    problems: list[str] = []
    for name in named:
        try:
            found |= dict.fromkeys(_expand(name, folder))
        except SuiteError as error:
            problems += [str(problem) for problem in error.problems]
    if problems:
        raise SuiteError(problems)
    return list(found)


def _expand(name: str, folder: Path) -> list[Path]:
    path = Path(os.path.abspath(folder / name))
    try:
        if path.is_dir():
            inside = sorted(each for each in path.iterdir() if each.suffix in SUFFIXES and each.is_file())
            if not inside:
                raise SuiteError([f"{name}: this folder holds no .yml or .yaml file"])
            return inside
        if path.exists():
            return [path]
        matches = sorted(Path(each) for each in glob.glob(str(path), recursive=True))
        beside = [each.name for each in path.parent.iterdir()] if path.parent.is_dir() else []
    except (OSError, ValueError) as error:
        raise SuiteError([f"{name}: cannot be read ({type(error).__name__})"]) from error
    files = [each for each in matches if each.is_file()]
    if not files:
        raise SuiteError([f"{name}: no such file{did_you_mean(path.name, beside)}"])
    return files
