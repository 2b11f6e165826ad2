"""
A suite of 10,000 trivial cases against 10,000 parametrised plain tests, whole processes.

Usage: python benchmarks/cases.py [--cases N] [--repeats N]
A trivial case is a check that returns a constant; the plain test asserts one. A suite of as
many `missing_drift` gates, each with its interval, is measured beside them, without a target.
"""

import argparse
import sys
import tempfile
from pathlib import Path

from measure import Series, interleave, verdict

TARGET = 1.0
COLUMNS = 100

PLAIN = """\
import pytest

@pytest.mark.parametrize("number", range({cases}))
def test_trivial(number: int) -> None:
    assert number >= 0
"""
CHECK = """\
from pytest_readmit import Claim, Column, check

@check
def trivial(reference: Column, current: Column, *, max: float = 1.0) -> Claim:
    return Claim(estimate=0.0, limit=max, summary="nothing")
"""
SUITE = """\
suite: many
data: {{reference: data.csv, current: data.csv}}
checks:
{checks}
"""


def write(folder: Path, entries: int) -> None:
    """Write the project: 100 columns of 40 rows, and one entry for each 100 cases."""
    (folder / "pytest.ini").write_text("[pytest]\npythonpath = .\nreadmit_checks = trivial_checks\n")
    (folder / "test_plain.py").write_text(PLAIN.format(cases=COLUMNS * entries))
    (folder / "trivial_checks.py").write_text(CHECK)
    header = ",".join(f"c{i:02d}" for i in range(COLUMNS))
    rows = "\n".join(",".join(str((i * 7 + j) % 41) for j in range(COLUMNS)) for i in range(40))
    (folder / "data.csv").write_text(f"{header}\n{rows}\n")
    for name, entry in (
        ("trivial", "trivial: {{id: e{i}}}"),
        ("missing", "missing_drift: {{id: e{i}, max: 0.5}}"),
    ):
        checks = "\n".join(f"  - {entry.format(i=i)}" for i in range(entries))
        (folder / f"{name}.yml").write_text(SUITE.format(checks=checks))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=10_000)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    entries = options.cases // COLUMNS
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write(folder, entries)
        pytest = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
        plain = Series("parametrised plain tests", [*pytest, "test_plain.py"], folder)
        trivial = Series("trivial cases", [*pytest, "--readmit-suite=trivial.yml"], folder)
        missing = Series("missing_drift gates", [*pytest, "--readmit-suite=missing.yml"], folder)
        interleave([plain, trivial, missing], options.repeats)
    print(f"{COLUMNS * entries:,} each")
    for one in (plain, trivial, missing):
        print(one.line())
    print(trivial.runs[-1].output.strip().splitlines()[-1])
    print(f"missing_drift gates / plain tests: {missing.wall / plain.wall:.2f} x, no target")
    return (
        0
        if verdict("wall time of the trivial cases / the plain tests'", trivial.wall / plain.wall, TARGET)
        else 1
    )


if __name__ == "__main__":
    sys.exit(main())
