"""`readmit calibrate`: what it takes and says."""

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_readmit.errors import SuiteError

if TYPE_CHECKING:
    from pytest_readmit.calibrate.results import Calibration

OK = 0
REPLICATES = 200
EVERY = 5.0

Lines = Generator[str, None, int]
AddCommand = Callable[[str, Callable[[argparse.Namespace], Lines], str], argparse.ArgumentParser]


def add_commands(add: AddCommand) -> None:
    """Add the command, which yields its lines and returns its exit code."""
    command = add(
        "calibrate", _calibrate, "how often each gate alarms with nothing wrong, and what it would catch"
    )
    command.add_argument("suite", metavar="SUITE", help="a suite; windows are drawn from its reference")
    command.add_argument(
        "--replicates",
        type=int,
        default=REPLICATES,
        metavar="N",
        help=f"how many windows; default: {REPLICATES}",
    )
    command.add_argument("--seed", type=int, default=0, metavar="S", help="of the random numbers; default: 0")
    command.add_argument(
        "--current-rows", type=int, metavar="N", help="rows of current in a window; default: what current has"
    )
    command.add_argument(
        "--data", action="append", default=[], metavar="NAME=SOURCE", help="take this for a dataset"
    )
    command.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="what ${NAME} stands for"
    )
    command.add_argument(
        "--env", action="append", default=[], metavar="NAME", help="read NAME from the environment too"
    )
    command.add_argument(
        "--skip", action="append", default=[], metavar="ENTRY", help="leave out an entry that takes long"
    )
    command.add_argument("--trust", action="append", default=[], metavar="GLOB", help="models to trust")
    command.add_argument(
        "--checks", action="append", default=[], metavar="MODULE", help="a module that registers checks"
    )
    command.add_argument("-o", "--output", metavar="FILE.json", help="write every figure here too")


def _calibrate(options: argparse.Namespace) -> Lines:
    from pytest_readmit.calibrate.table import lines

    if not Path(options.suite).is_file():
        raise SuiteError([f"{options.suite}: there is no such suite"])
    output = None if options.output is None else _writable(options.output)
    if options.checks and "" not in sys.path:
        sys.path.insert(0, os.getcwd())  # modules of this folder, as `python -m` would find them
    found = _calibrated(options)
    if output is not None:
        _write(output, found)
    yield from lines(found)
    return OK


def _calibrated(options: argparse.Namespace) -> "Calibration":
    from pytest_readmit.calibrate.rates import calibrate

    try:
        return calibrate(
            options.suite,
            replicates=options.replicates,
            seed=options.seed,
            data=_pairs("--data", "NAME=SOURCE", options.data),
            variables=_pairs("--set", "NAME=VALUE", options.set),
            current_rows=options.current_rows,
            trust=options.trust,
            check_modules=options.checks,
            env=options.env,
            skip=options.skip,
            progress=_Told(),
        )
    except SuiteError as error:
        # The options have other names here.
        told = str(error).replace("--readmit-data", "--data").replace("ini readmit_checks", "--checks")
        raise SuiteError([told]) from error


class _Told:
    """Says on standard error how far it is: at once how long it may take, then now and then."""

    def __init__(self) -> None:
        self._last = 0.0

    def __call__(self, done: int, of: int, left: float) -> None:
        now = time.monotonic()
        if done == of or (done > 2 and now - self._last < EVERY):
            return
        self._last = now
        sys.stderr.write(f"window {done:,} of {of:,}, about {_duration(left)} left\n")
        sys.stderr.flush()


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"


def _pairs(option: str, form: str, given: Sequence[str]) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not name or not equals:
            raise SuiteError([f"{option} {text}: write {form}"])
        pairs[name] = value
    return pairs


def _writable(name: str) -> Path:
    """Return the path of a file to be; what is wrong with it is said before the work."""
    path = Path(name)
    if path.is_dir() or not path.absolute().parent.is_dir():
        raise SuiteError(
            [f"{name}: cannot be written: {'it is a' if path.is_dir() else 'there is no such'} folder"]
        )
    if not os.access(path if path.exists() else path.absolute().parent, os.W_OK):
        raise SuiteError([f"{name}: cannot be written: permission denied"])
    return path


def _write(path: Path, found: "Calibration") -> None:
    text = json.dumps(found.to_json(), indent=1, ensure_ascii=False, allow_nan=False)
    try:
        path.write_text(f"{text}\n", encoding="utf-8")
    except OSError as error:
        raise SuiteError([f"{path}: cannot be written ({error.strerror})"]) from error
