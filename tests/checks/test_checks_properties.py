"""What no check may depend on: the order of rows, the unit of a column, the names of its levels."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pytest_readmit import Context
from pytest_readmit.stats.distribution import Distribution
from readmit_checks.methods import METHODS, Options
from readmit_checks.units import Conversion, Ranges

values = arrays(np.float64, st.integers(40, 80), elements=st.integers(-50, 50).map(float))
UNITLESS = ("ks", "wasserstein", "psi", "jensen_shannon", "hellinger", "mean_shift")


def measured(method: str, before: Distribution, after: Distribution) -> float:
    return METHODS[method].measure(before, after, Options()).estimate


@pytest.mark.parametrize("method", UNITLESS)
@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 1000), factor=st.sampled_from([0.5, 1.8, 88.4]), offset=st.sampled_from([0.0, 32.0])
)
def test_a_change_of_unit_in_both_datasets_is_no_drift(method, seed, factor, offset) -> None:
    # Without ties: where a value meets a bin's edge, the edge's last bit decides on which side it falls.
    rng = np.random.default_rng(seed)
    before, after = rng.normal(0, 1, 70), rng.normal(0.3, 1.2, 50)
    plain = measured(method, Distribution.of_numbers(before), Distribution.of_numbers(after))
    other = measured(
        method,
        Distribution.of_numbers(before * factor + offset),
        Distribution.of_numbers(after * factor + offset),
    )
    assert other == pytest.approx(plain, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("method", [name for name, method in METHODS.items() if "numerical" in method.kinds])
@settings(max_examples=15, deadline=None)
@given(sample=values)
def test_a_column_has_not_moved_from_itself(method, sample) -> None:
    sample[:2] = (-60.0, 60.0)
    side = Distribution.of_numbers(sample)
    found = METHODS[method].measure(side, side, Options(wants_p=True))
    assert (
        found.estimate <= 0.2 if method in ("cramer_von_mises", "anderson_darling") else found.estimate == 0
    )
    if found.p_null is not None:
        assert found.p_null >= 0.2


@settings(max_examples=100, deadline=None)
@given(
    sample=values,
    factor=st.sampled_from([1.611, 2.2046, 10.0, 18.0, 88.4]),
    multiplied=st.booleans(),
    value=st.floats(-1e4, 1e4, allow_nan=False),
)
def test_a_value_counts_as_converted_iff_it_is_strange_and_central_when_undone(
    sample, factor, multiplied, value
) -> None:
    _, ranges = Ranges.of(Distribution.of_numbers(sample))
    conversion = Conversion(factor=factor, multiplied=multiplied)
    counted = any(start <= value <= end for start, end in ranges.pieces(conversion.scale))
    undone = value / conversion.scale
    on_edge = min(abs(undone - ranges.low), abs(undone - ranges.high)) < 1e-9 * (1 + abs(undone))
    strange = not ranges.lowest <= value <= ranges.highest
    assert on_edge or counted == (strange and ranges.low <= undone <= ranges.high)


@pytest.mark.parametrize(
    "check", ["data_drift", "missing_drift", "unseen_categories", "unit_change", "extreme_values"]
)
def test_the_order_of_rows_changes_nothing(check, find, reference, make_cohort) -> None:
    current = make_cohort(1)
    shuffled = current.sample(frac=1, random_state=3).reset_index(drop=True)

    def numbers(frame: pd.DataFrame) -> list:
        findings = find(check, reference, frame)
        return [(f.id, f.verdict, f.estimate, f.interval, f.message, f.details) for f in findings]

    assert numbers(current) == numbers(shuffled)


@pytest.mark.parametrize("patient", [None, "subject_id"])
def test_counts_of_converted_rows_agree_however_they_are_counted(patient, opened, make_cohort) -> None:
    from readmit_checks import units

    after = make_cohort(1, 2000)
    after.loc[:99, "glucose"] *= 18
    pairs = [opened(make_cohort(0, 2000), after, patient=name) for name in (None, patient)]
    plain, other = (
        units.unit_change(*(side.column("glucose") for side in pair), Context()) for pair in pairs
    )
    assert other.estimate == pytest.approx(plain.estimate, abs=1e-15)
    assert plain.details["table"]["rows"] == other.details["table"]["rows"]
    if patient:
        assert other.units_current < other.n_current
