"""
The report of 100 gates and of 5,000: its size, and the seconds that it adds to a run.

Usage: python benchmarks/report.py [--repeats N] [--peer NAME=PYTHON ...]
Whole processes in turn, so that a busy minute hits all alike: the gates with their record, the same with the
report, and, where PYTHON is an interpreter that has it, the drift check of evidently, deepchecks or
great_expectations on the same two tables, without and with its HTML.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from measure import Series, interleave, verdict
from report_peers import SCRIPTS, runs

TARGET_KB, TARGET_SECONDS = 300.0, 1.0
ROWS, NUMBERS, CATEGORIES = 5_000, 80, 20
MANY = 50

SUITE = """\
suite: benchmark
data: {{reference: reference.csv, current: current.csv}}
checks:
{checks}
"""
RENDER = """
import json, sys, time
from pytest_readmit.report import render
with open(sys.argv[1], encoding="utf-8") as file:
    record = json.load(file)
start = time.perf_counter()
page = render(record)
print(json.dumps([len(record["cases"]), time.perf_counter() - start, len(page.encode())]))
"""


def write(folder: Path) -> None:
    """Write two tables of 100 columns, a tenth of which moved, and the suites."""
    random = np.random.default_rng(0)
    for name, shift in (("reference", 0.0), ("current", 0.6)):
        table = {
            f"lab_{i:02d}": np.round(random.normal(shift * (i % 10 == 0), 1.0, ROWS) * 10 + 100, 2)
            for i in range(NUMBERS)
        }
        for i in range(CATEGORIES):
            shares = 1.0 / np.arange(1, 9) ** (1 + shift * (i % 10 == 0))
            levels = [f"level {letter}" for letter in "abcdefgh"]
            table[f"code_{i:02d}"] = random.choice(levels, ROWS, p=shares / shares.sum())
        pd.DataFrame(table).to_csv(folder / f"{name}.csv", index=False)
    (folder / "pytest.ini").write_text("[pytest]\n")
    (folder / "100.yml").write_text(SUITE.format(checks="  - data_drift"))
    entries = "\n".join(f"  - data_drift: {{id: e{i}}}" for i in range(MANY))
    (folder / "5000.yml").write_text(SUITE.format(checks=entries))


def gates(name: str, suite: str, folder: Path, *more: str) -> Series:
    """Return the runs of a suite with its record."""
    command = [
        sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider",
        f"--readmit-suite={suite}.yml", f"--readmit-json={suite}.json", *more,
    ]  # fmt: skip
    return Series(name, command, folder, codes=(1,))


def added(plain: Series, drawn: Series) -> float:
    """Print and return the seconds that a report adds to a run."""
    seconds, ratio = drawn.wall - plain.wall, drawn.wall / plain.wall
    processor = drawn.processor - plain.processor
    print(f"{drawn.name}: {seconds:+.2f} s beyond {plain.name}, {ratio:.2f} times its wall time; ", end="")
    print(f"processor {processor:+.2f} s")
    return seconds


def rendered(suite: str, folder: Path) -> tuple[int, float, int]:
    """Return the cases of a record, the seconds to draw it alone, and the bytes of the page."""
    one = Series("render", [sys.executable, "-c", RENDER, f"{suite}.json"], folder)
    one.once()
    cases, seconds, size = json.loads(one.runs[0].output)
    print(f"{cases:,} cases: page {size / 1e3:,.0f} KB, drawn in {seconds:.2f} s in a process of its own")
    return cases, seconds, size


def named(text: str) -> tuple[str, str]:
    """Return a peer and its interpreter."""
    name, _, python = text.partition("=")
    if name not in SCRIPTS or not python:
        raise argparse.ArgumentTypeError(f"write NAME=PYTHON, NAME one of {', '.join(SCRIPTS)}")
    return name, python


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument(
        "--peer", action="append", default=[], type=named, metavar="NAME=PYTHON",
        help=f"an interpreter that has one of {', '.join(SCRIPTS)}",
    )  # fmt: skip
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write(folder)
        plain = gates("100 gates", "100", folder)
        drawn = gates("100 gates and report", "100", folder, "--readmit-report=100.html")
        peers = {name: runs(name, python, folder) for name, python in options.peer}
        series = [plain, drawn, *(one for pair in peers.values() for one in pair)]
        interleave(series, options.repeats)
        print(f"2 x {ROWS:,} rows x {NUMBERS + CATEGORIES} columns")
        for one in series:
            print(one.line())
        seconds = added(plain, drawn)
        size = (folder / "100.html").stat().st_size
        for peer, pair in peers.items():
            added(*pair)
            theirs = (folder / f"{peer}.html").stat().st_size
            print(f"{peer}'s page: {theirs / 1e3:,.0f} KB, {theirs / size:.1f} times ours")
        rendered("100", folder)
        gates("5,000 gates", "5000", folder).once()
        rendered("5000", folder)
        met = [
            verdict("page of 100 cases", size / 1e3, TARGET_KB, "KB"),
            verdict("seconds that the report of 100 cases adds to the run", seconds, TARGET_SECONDS, "s"),
        ]
    return 0 if all(met) else 1


if __name__ == "__main__":
    sys.exit(main())
