"""What holds for every built-in check, whatever it measures."""

import itertools
import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from pytest_readmit import Claim
from pytest_readmit.registry import load
from pytest_readmit.rule import Policy, decide

BUILT_IN = (
    "behavior",
    "calibration",
    "concept_drift",
    "data_drift",
    "drift_share",
    "estimated_performance",
    "extreme_values",
    "fairness",
    "joint_drift",
    "label_maturity",
    "missing_drift",
    "out_of_range",
    "patient_overlap",
    "performance",
    "prediction_drift",
    "promotion",
    "schema",
    "target_drift",
    "unique",
    "unit_change",
    "unseen_categories",
)
CENSUS = ("behavior", "label_maturity", "patient_overlap", "schema", "unique")
ALPHAS = (1e-6, 1e-3, 0.01, 0.05, 0.2, 0.45)

Claims = Mapping[str, list[Claim]]


def test_the_pack_registers_exactly_the_checks_of_the_contract() -> None:
    ours = [spec.name for spec in load().values() if spec.module.startswith("readmit_checks")]
    assert tuple(sorted(ours)) == BUILT_IN


def test_every_check_asks_a_question_and_explains_every_key() -> None:
    from pytest_readmit.parameters import parameter_notes

    for spec in load().values():
        assert spec.doc.splitlines()[0].endswith("?"), spec.name
        assert set(parameter_notes(spec.doc)) == set(spec.fields), spec.name


def test_every_check_is_measured_here(every_claim: Claims) -> None:
    assert tuple(sorted(every_claim)) == BUILT_IN


@pytest.mark.parametrize("name", BUILT_IN)
def test_a_limit_is_proven_exceeded_exactly_where_the_lower_bound_exceeds_it(
    name: str, every_claim: Claims
) -> None:
    for claim in every_claim[name]:
        if claim.bounds is None:
            continue
        for alpha in ALPHAS:
            lower, upper = claim.bounds(alpha)
            for limit in _limits(claim):
                if abs(limit - lower) > 1e-7:
                    assert (claim.p_above(limit) <= alpha) == (lower > limit), (claim.method, alpha, limit)
                if abs(limit - upper) > 1e-7:
                    assert (claim.p_under(limit) <= alpha) == (upper < limit), (claim.method, alpha, limit)


@pytest.mark.parametrize("name", BUILT_IN)
def test_bounds_and_p_values_are_monotone_and_hold_the_estimate(name: str, every_claim: Claims) -> None:
    for claim in every_claim[name]:
        if claim.bounds is None:
            continue
        pairs = [claim.bounds(alpha) for alpha in ALPHAS]
        assert all(one[0] <= two[0] and one[1] >= two[1] for one, two in itertools.pairwise(pairs))
        above = [claim.p_above(limit) for limit in _limits(claim)]
        under = [claim.p_under(limit) for limit in _limits(claim)]
        assert all(np.diff(above) >= -1e-12), claim.method
        assert all(np.diff(under) <= 1e-12), claim.method


def _limits(claim: Claim) -> np.ndarray:
    spread = np.linspace(-0.3, 0.5, 17)
    near = claim.estimate + np.array([-0.05, -0.01, 0.003, 0.011, 0.06])
    return np.sort(np.concatenate((spread, near)) + 1.23e-4)


@pytest.mark.parametrize("name", BUILT_IN)
def test_only_a_census_has_no_bounds_and_it_says_so_beforehand(name: str, every_claim: Claims) -> None:
    assert load()[name].census == (name in CENSUS)
    for claim in every_claim[name]:
        assert (claim.bounds is None) == (name in CENSUS)


@pytest.mark.parametrize("name", BUILT_IN)
def test_a_claim_can_be_decided_by_interval_and_by_estimate(name: str, every_claim: Claims) -> None:
    for claim in every_claim[name]:
        for how in ("interval", "estimate"):
            ruling = decide(claim, Policy(decide_by=how))
            assert ruling.verdict in ("pass", "fail", "inconclusive")
            assert claim.summary
            assert claim.summary.removesuffix(")") in ruling.message
            assert claim.method
            assert claim.limit is not None


@pytest.mark.parametrize(
    "name",
    sorted(
        set(BUILT_IN)
        - set(CENSUS)
        - {"calibration", "drift_share", "estimated_performance", "out_of_range", "performance"}
    ),
)
def test_a_measured_difference_has_a_p_value_for_nothing_differs(name: str, every_claim: Claims) -> None:
    for claim in every_claim[name]:
        if name in ("concept_drift", "data_drift", "target_drift") and claim.p_null is None:
            continue  # a level of current, or computed only where it decides: see test_checks_classic
        assert claim.p_null is not None
        assert 0 <= claim.p_null <= 1


@pytest.mark.parametrize("name", BUILT_IN)
def test_rows_needed_start_from_todays_bounds(name: str, every_claim: Claims) -> None:
    for claim in every_claim[name]:
        if claim.projected is None or claim.bounds is None:
            continue
        assert claim.n_current
        now, then = claim.bounds(0.05), claim.projected(0.05, claim.n_current)
        assert then == pytest.approx(now, rel=0.05, abs=5e-3), claim.method
        later = claim.projected(0.05, 100 * claim.n_current)
        assert later[1] - later[0] <= then[1] - then[0] + 1e-9


def test_details_are_plain_json(every_claim: Claims) -> None:
    import json

    from pytest_readmit.claim import _plain

    for claims in every_claim.values():
        for claim in claims:
            json.dumps(_plain(claim.details), allow_nan=False)


def test_the_same_data_give_the_same_claims(every_claim: Claims, opened, make_cohort) -> None:
    from pytest_readmit import Context
    from readmit_checks import drift

    pair = opened(make_cohort(0, 300), make_cohort(1, 300))
    columns = [side.column("age") for side in pair]
    context = Context(decide_by="p_value", p_value=0.05, seed=7)
    first, second = (drift.data_drift(*columns, context, method="energy") for _ in range(2))
    assert first.p_null == second.p_null
    assert first.details == second.details


def test_no_check_names_a_path_or_a_hospital() -> None:
    import readmit_checks

    for file in Path(readmit_checks.__file__).parent.glob("*.py"):
        text = file.read_text(encoding="utf-8")
        assert not re.search(r"/(work|tmp|home)/|mimic", text, re.IGNORECASE), file.name


def test_importing_the_pack_loads_no_numerical_library() -> None:
    import subprocess
    import sys

    code = (
        "import sys, readmit_checks;"
        "print([m for m in ('scipy', 'pandas', 'duckdb', 'sklearn', 'yaml') if m in sys.modules])"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.strip() == "[]"
