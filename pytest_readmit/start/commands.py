"""`readmit init`: what it takes; the work is done by `fitting`, which is loaded when it is asked for."""

import argparse
from collections.abc import Callable, Generator

Lines = Generator[str, None, int]
READ = ("encoding", "delimiter", "null_values")

AddCommand = Callable[[str, Callable[[argparse.Namespace], Lines], str], argparse.ArgumentParser]


def add_commands(add: AddCommand) -> None:
    """Add the command, which yields its lines and returns its exit code."""
    init = add("init", _init, "write a suite fitted to your data, a workflow and a hook")
    init.add_argument("folder", nargs="?", default=".", metavar="DIR", help="default: this folder")
    for name, what in (("reference", "what the model was made on"), ("current", "what is judged")):
        init.add_argument(
            f"--{name}", metavar="SRC", help=f"{what}: a file, folder or glob; default: the demo"
        )
    init.add_argument("--target", metavar="COL", help="the outcome")
    init.add_argument("--positive-label", metavar="VALUE", help="the outcome's value that the score predicts")
    init.add_argument("--score", metavar="COL", help="the predicted probability of it")
    init.add_argument("--threshold", type=_share, metavar="T", help="a score at or above it raises an alert")
    init.add_argument("--patient", metavar="COL", help="who a row is about, where people have several rows")
    init.add_argument("--id", metavar="COL", help="what names a row")
    init.add_argument("--time", metavar="COL", help="when a row happened")
    init.add_argument(
        "--read",
        action="append",
        default=[],
        type=_reading,
        metavar="KEY=VALUE",
        help="how the files are read: encoding=latin-1, delimiter=;, null_values=NA; repeatable",
    )
    init.add_argument(
        "--sensitive", action="append", default=[], metavar="COL", help="groups to serve alike; repeatable"
    )
    init.add_argument(
        "--without",
        action="append",
        default=[],
        choices=("workflow", "hook"),
        help="do not write the GitHub workflow, or the pre-commit hook; repeatable",
    )


def _reading(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if key not in READ or not equals or not value or (key == "delimiter" and len(value) > 1):
        raise argparse.ArgumentTypeError(f"must be KEY=VALUE with KEY one of {', '.join(READ)}")
    return key, value


def _share(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError("must be a number from 0 to 1")
    return value


def _init(options: argparse.Namespace) -> Lines:
    from pytest_readmit.start.fitting import init

    return (yield from init(options))
