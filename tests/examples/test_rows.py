"""The rows that docs/choosing.md names are those with which the gates pass and fail."""

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROWS = re.findall(
    r"^\| ([a-z_]+ [^|]+) \| ([\d,]+) \| ([\d,]+) \|",
    (ROOT / "docs" / "choosing.md").read_text(encoding="utf-8"),
    re.M,
)
RUNS = {
    "data_drift ks 0.10": 200,
    "data_drift mean_shift 0.25": 200,
    "data_drift ks 0.10, twenty columns": 30,
    "missing_drift 0.05, 10% missing": 200,
}
"""Gate to runs."""
CLEARLY_TOO_FEW = 0.6


@pytest.fixture(scope="module")
def benchmark() -> ModuleType:
    path = ROOT / "benchmarks" / "rows.py"
    if not path.exists():
        pytest.skip("benchmarks are only in the checkout")
    spec = importlib.util.spec_from_file_location("benchmark_rows", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # a dataclass looks its module up
    spec.loader.exec_module(module)
    return module


def test_the_table_has_every_gate_that_the_benchmark_measures(benchmark: ModuleType) -> None:
    assert [name for name, *_ in ROWS] == [gate.name for gate in benchmark.GATES]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "runs"), RUNS.items())
def test_a_gate_decides_with_the_rows_named_and_not_with_far_fewer(
    name: str, runs: int, benchmark: ModuleType
) -> None:
    (gate,) = [each for each in benchmark.GATES if each.name == name]
    ((_, to_pass, to_fail),) = [row for row in ROWS if row[0] == name]
    noise = 3 * (0.8 * 0.2 / runs) ** 0.5
    for rows, changed in ((to_pass, False), (to_fail, True)):
        named = int(rows.replace(",", ""))
        assert gate.share(named, runs, changed=changed) >= 0.8 - noise
        assert gate.share(int(CLEARLY_TOO_FEW * named), runs, changed=changed) < 0.8 + noise / 3
