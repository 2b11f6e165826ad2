"""
A drift gate over 1,000,000 x 50 against its floor: wall time and peak memory of whole processes.

Usage: python benchmarks/drift.py [--rows N] [--repeats N] [--profile]
Compared in turn, so that a busy minute hits all alike: the floor (floor.py), the gate with record and sha256,
and a process that only loads both tables into pandas, which is what "the two tables in memory" means here.
"""

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path

from measure import Series, interleave, verdict
from tables import make

HERE = Path(__file__).resolve().parent
TARGET_WALL, TARGET_PEAK = 1.5, 0.25

SUITE = """\
suite: benchmark
data:
  reference: {reference}
  current: {current}
checks:
  - data_drift
  - missing_drift
  - unseen_categories
"""
LOAD = """
import sys, pandas
tables = [pandas.read_parquet(path) for path in sys.argv[1:]]
print(sum(int(table.memory_usage(deep=True).sum()) for table in tables))
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--profile", action="store_true", help="also say where the gate's time goes")
    options = parser.parse_args()
    reference, current = make(options.rows)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "pytest.ini").write_text("[pytest]\n")
        (folder / "bench.yml").write_text(SUITE.format(reference=reference, current=current))
        gate_command = [
            sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider",
            "--readmit-suite=bench.yml", "--readmit-json=record.json",
        ]  # fmt: skip
        floor = Series(
            "floor", [sys.executable, str(HERE / "floor.py"), str(reference), str(current)], folder
        )
        gate = Series("gate, record and sha256 included", gate_command, folder, codes=(1,))
        load = Series(
            "both tables in pandas", [sys.executable, "-c", LOAD, str(reference), str(current)], folder
        )
        interleave([floor, gate, load], options.repeats)
        record = json.loads((folder / "record.json").read_text())
        if options.profile:
            profile(gate_command, folder)
    print(f"{options.rows:,} rows x {len(json.loads(floor.runs[0].output))} columns, two files, ", end="")
    print(f"{os.cpu_count()} processors, numpy's sort as this machine dispatches it")
    for one in (floor, gate, load):
        print(one.line())
    same_answers(json.loads(floor.runs[0].output), record)
    digests = [dataset["sha256"] for dataset in record["provenance"]["datasets"].values()]
    print(
        f"{record['planned']} cases, {record['counts']}, digests taken: {sum(bool(d) for d in digests)} of 2"
    )
    in_memory = int(load.runs[0].output.strip().splitlines()[-1])
    print(f"the two tables in pandas hold {in_memory / 1e6:,.0f} MB, the process that loads them ", end="")
    print(f"{load.peak / 1e6:,.0f} MB at its peak")
    met = [
        verdict("wall time of the gate / the floor's", gate.wall / floor.wall, TARGET_WALL),
        verdict("peak of the gate / the two tables in memory", gate.peak / in_memory, TARGET_PEAK),
        verdict("peak of the gate / peak of a process that loads both", gate.peak / load.peak, TARGET_PEAK),
    ]
    return 0 if all(met) else 1


def same_answers(floor: list[dict[str, float]], record: dict[str, object]) -> None:
    """Stop if the gate measured anything else than the floor did."""
    cases = {(case["check"], case["subject"]): case for case in record["cases"]}  # type: ignore[attr-defined]
    worst = max(abs(one["distance"] - cases["data_drift", one["column"]]["estimate"]) for one in floor)
    if worst > 1e-9:
        raise SystemExit(f"the gate and its floor differ by {worst}")
    print(f"the gate's {len(floor)} distances equal the floor's to {worst:.0e}")


def profile(command: list[str], folder: Path) -> None:
    """Print the functions that the gate spends its time in."""
    import pstats
    import subprocess

    out = folder / "profile.out"
    subprocess.run([command[0], "-m", "cProfile", "-o", str(out), *command[1:]], cwd=folder, check=False)
    pstats.Stats(str(out)).sort_stats("tottime").print_stats(25)


if __name__ == "__main__":
    sys.exit(main())
