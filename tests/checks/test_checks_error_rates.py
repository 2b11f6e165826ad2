"""Simulated error rates of unit_change with its own estimated ranges, the true share at the limit."""

import math
from types import SimpleNamespace

import numpy as np
import pytest

from pytest_readmit import Context
from pytest_readmit.stats.distribution import Distribution
from readmit_checks.units import unit_change

pytestmark = pytest.mark.slow

ALPHA, LIMIT, RUNS = 0.05, 0.002, 5000
ALLOWED = ALPHA + 3 * math.sqrt(ALPHA * (1 - ALPHA) / RUNS)


def column(values: np.ndarray) -> SimpleNamespace:
    return SimpleNamespace(
        name="x", kind="numerical", integer_like=False, distribution=Distribution.of_numbers(values)
    )


@pytest.mark.parametrize("n", [50, 300, 3000, 30_000])
def test_unit_change_keeps_its_error_rates(n, capsys) -> None:
    rng = np.random.default_rng(n)
    # Of the rows in the other unit, those from the central nine tenths come back to where they were.
    rows_in_other_unit = LIMIT / 0.9
    fails = passes = 0
    for _ in range(RUNS):
        before, after = rng.lognormal(math.log(5.8), 0.25, n), rng.lognormal(math.log(5.8), 0.25, n)
        after[rng.random(n) < rows_in_other_unit] *= 18
        claim = unit_change(column(before), column(after), Context(), factors=[18.0, 88.4, 10.0])
        fails += claim.p_above(LIMIT) <= ALPHA
        passes += claim.bounds(ALPHA)[1] <= LIMIT
    with capsys.disabled():
        print(f"\nunit_change, n={n}: false fails {fails / RUNS:.4f}, false passes {passes / RUNS:.4f}")
    assert fails / RUNS <= ALLOWED
    assert passes / RUNS <= ALLOWED
