"""`readmit baseline`: what it takes and says; it saves a dataset's distributions without its rows."""

import argparse
import os
from collections.abc import Callable, Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_readmit.errors import MIN_CELL, SuiteError

if TYPE_CHECKING:
    from pytest_readmit.data.dataset import Dataset

OK = 0
REFERENCE = "reference"
_SINGLE = (
    ("target", "the outcome"),
    ("score", "the predicted probability"),
    ("patient", "who a row is about; not saved, but how much rows of one patient repeat each other is"),
    ("id", "what names a row; not saved"),
    ("time", "when a row happened; not saved"),
)
_SEVERAL = (
    ("ignore", "a column that is not saved"),
    ("categorical", "a column of categories, whatever its type"),
    ("numerical", "a column of numbers, whatever its type"),
)

Lines = Generator[str, None, int]
AddCommand = Callable[[str, Callable[[argparse.Namespace], Lines], str], argparse.ArgumentParser]


def add_commands(add: AddCommand) -> None:
    """Add the command, which yields its lines and returns its exit code."""
    command = add("baseline", _baseline, "save a dataset's distributions, without its rows, as a reference")
    command.add_argument(
        "data", nargs="?", metavar="DATA", help="a file, folder, glob or source; default: SUITE's reference"
    )
    command.add_argument("-o", "--output", required=True, metavar="FILE", help="the baseline")
    command.add_argument("--suite", metavar="SUITE", help="take columns, filters and min_cell from it")
    command.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="what ${NAME} in SUITE stands for"
    )
    for name, what in _SINGLE:
        command.add_argument(f"--{name}", metavar="COL", help=what)
    for name, what in _SEVERAL:
        command.add_argument(
            f"--{name}", action="append", default=[], metavar="COL", help=f"{what}; repeatable"
        )
    command.add_argument(
        "--min-cell",
        type=int,
        metavar="N",
        help=f"no count below it is saved; default: SUITE's, or {MIN_CELL}",
    )


def _baseline(options: argparse.Namespace) -> Lines:
    from pytest_readmit.data.baseline import saved
    from pytest_readmit.data.profile import write

    if options.suite:
        dataset, least = _of_suite(options)
    elif options.data:
        dataset, least = _plain(options), MIN_CELL
    else:
        raise SuiteError(["name DATA to save, or --suite SUITE, whose reference is saved"])
    try:
        _known(options, dataset)
        content = saved(dataset, min_cell=least if options.min_cell is None else options.min_cell)
    finally:
        dataset.close()
    output = Path(options.output)
    write(content, output)
    columns = content["columns"]
    kept = [column for column in columns if "left_out" not in column]
    yield (
        f"{options.output}: {content['rows']:,} rows, {len(kept)} of {len(columns)} columns, "
        f"{output.stat().st_size / 1024:,.0f} KB; no count below {content['min_cell']}"
    )
    for column in columns:
        if "left_out" in column:
            yield f"  not saved: {column['name']} ({column['left_out']})"
    return OK


def _given(options: argparse.Namespace) -> list[str]:
    return [name for name, _ in (*_SINGLE, *_SEVERAL) if getattr(options, name)]


def _known(options: argparse.Namespace, dataset: "Dataset") -> None:
    """Hold the columns that were named to those that are there; a typo would save an identifier."""
    for name in _given(options):
        value = getattr(options, name)
        for column in [value] if isinstance(value, str) else value:
            dataset.field(column)
    for role in ("patient", "id", "time", "ignore") if options.suite else ():
        value = getattr(dataset.roles, role)
        for column in [value] if isinstance(value, str) else value or ():
            dataset.field(column)


def _plain(options: argparse.Namespace) -> "Dataset":
    from pytest_readmit.data.dataset import Roles
    from pytest_readmit.inputs import open_source

    named: dict[str, Any] = {name: getattr(options, name) for name, _ in _SINGLE}
    named |= {name: tuple(getattr(options, name)) for name, _ in _SEVERAL}
    return open_source(REFERENCE, options.data, Roles(**named), Path.cwd(), os.environ)


def _of_suite(options: argparse.Namespace) -> "tuple[Dataset, int]":
    from pytest_readmit import registry
    from pytest_readmit.errors import DataError
    from pytest_readmit.inputs import open_datasets
    from pytest_readmit.settings import PlanSettings
    from pytest_readmit.suite import Settings, read_suite

    given = _given(options)
    if given:
        raise SuiteError([f"--{given[0]} and --suite: the suite says what its columns are; leave one out"])
    checks = registry.load()
    path = Path(options.suite)
    variables = dict(_pair(text) for text in options.set)
    environ = dict(os.environ)
    data = {REFERENCE: options.data} if options.data else {}
    reading = Settings(variables=variables, environ=environ, datasets=frozenset(data))
    suite = read_suite(path, shown=options.suite, checks=checks, settings=reading)
    settings = PlanSettings(variables=variables, environ=environ, data=data)
    opened = open_datasets(suite, settings, checks, only=(REFERENCE,)).get(REFERENCE)
    if opened is None:
        raise SuiteError([f"{options.suite} has no `reference` under `data`; name DATA"])
    if isinstance(opened, DataError):
        raise opened
    return opened, suite.min_cell


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise SuiteError([f"--set {text}: write NAME=VALUE"])
    return name, value
