"""One rule decides every gate: what a Claim and a Policy make together."""

import math
from datetime import date
from statistics import NormalDist

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_readmit.claim import Claim
from pytest_readmit.rule import Policy, Waiver, decide, number, outcome

NORMAL = NormalDist()


def claim(estimate: float, se: float, limit=0.1, direction="at_most", n: int = 1000, **more) -> Claim:
    """A textbook Claim: a normal estimate with a known standard error."""

    def bounds(alpha: float) -> tuple[float, float]:
        z = NORMAL.inv_cdf(1 - alpha)
        return estimate - z * se, estimate + z * se

    def projected(alpha: float, rows: float) -> tuple[float, float]:
        scale = math.sqrt(n / rows)
        low, high = bounds(alpha)
        return estimate + (low - estimate) * scale, estimate + (high - estimate) * scale

    facts = {
        "summary": "age moved",
        "bounds": bounds,
        "p_beyond": lambda x: 1 - NORMAL.cdf((estimate - x) / se),
        "p_below": lambda x: NORMAL.cdf((estimate - x) / se),
        "projected": projected,
        "n_reference": n,
        "n_current": n,
    }
    return Claim(estimate=estimate, limit=limit, direction=direction, method="textbook", **{**facts, **more})


def test_an_effect_proven_beyond_its_limit_fails() -> None:
    ruling = decide(claim(0.2, 0.01), Policy())
    assert ruling.verdict == "fail"
    assert ruling.p_value < 1e-20
    assert "limit is 0.1" in ruling.message


def test_an_effect_proven_within_its_limit_passes() -> None:
    assert decide(claim(0.05, 0.01), Policy()).verdict == "pass"


def test_what_the_data_cannot_tell_is_inconclusive_and_says_what_would_help() -> None:
    ruling = decide(claim(0.08, 0.05), Policy())
    assert ruling.verdict == "inconclusive"
    assert ruling.certifiable == pytest.approx(0.08 + 1.6449 * 0.05, abs=1e-4)
    assert ruling.needed_n == pytest.approx(1000 * (1.6449 * 0.05 / 0.02) ** 2, rel=0.06)
    assert f"{ruling.needed_n:,} rows of current" in ruling.message


@pytest.mark.parametrize("decide_by", ["interval", "estimate"])
@pytest.mark.parametrize(("estimate", "verdict"), [(0.01, "inconclusive"), (0.2, "fail")])
def test_a_claim_that_cannot_pass_fails_or_is_inconclusive(
    decide_by: str, estimate: float, verdict: str
) -> None:
    ruling = decide(claim(estimate, 0.01, unpassable="labels are not in"), Policy(decide_by=decide_by))
    assert ruling.verdict == verdict
    assert ("cannot tell: labels are not in" in ruling.message) == (verdict == "inconclusive")


def test_a_claim_that_cannot_pass_does_not_pass_without_a_limit_either() -> None:
    assert decide(claim(0.01, 0.01, limit=None, unpassable="labels are not in"), Policy()).verdict == (
        "inconclusive"
    )


@pytest.mark.parametrize(
    ("limit", "estimate", "noticed"),
    [((0.8, 1.25), 1.0, False), ((0.8, 1.25), 1.18, True), ((-0.2, 0.2), -0.15, True), (0.2, 0.15, True)],
)
def test_a_warning_level_lies_on_the_side_of_the_limit(limit, estimate: float, noticed: bool) -> None:
    level = 1.1 if limit == (0.8, 1.25) else 0.1
    ruling = decide(
        claim(estimate, 0.01, limit=limit, direction="within" if type(limit) is tuple else "at_most"),
        Policy(warn_above=level),
    )
    assert (ruling.verdict, ruling.noticed) == ("pass", noticed)


def test_an_estimate_beyond_its_limit_may_still_be_undecided() -> None:
    ruling = decide(claim(0.12, 0.05), Policy())
    assert ruling.verdict == "inconclusive"
    assert ruling.needed_n is not None


def test_no_rows_of_current_help_where_the_reference_is_too_small() -> None:
    ruling = decide(claim(0.08, 0.05, projected=lambda a, n: (0.0, 0.2)), Policy())
    assert ruling.needed_n is None
    assert "reference too small" in ruling.message


def test_failing_is_corrected_for_the_number_of_cases_and_passing_is_not() -> None:
    fails_alone = claim(0.12, 0.01)
    assert decide(fails_alone, Policy()).verdict == "fail"
    assert decide(fails_alone, Policy(m=50)).verdict == "inconclusive"
    passes = claim(0.08, 0.01)
    assert decide(passes, Policy(m=50)).verdict == "pass"


def test_repeated_runs_share_the_error_rate_for_failing_only() -> None:
    assert decide(claim(0.12, 0.01), Policy(runs=52)).alpha == pytest.approx(0.05 / 52)
    assert decide(claim(0.08, 0.01), Policy(runs=52)).verdict == "pass"
    assert Policy(m=3, runs=52).shares == 156
    assert Policy(m=3, runs=52, decide_by="p_value", p_value=0.05).shares == 3


def test_a_floor_mirrors_a_ceiling() -> None:
    below = claim(0.6, 0.01, limit=0.7, direction="at_least")
    above = claim(0.8, 0.01, limit=0.7, direction="at_least")
    assert decide(below, Policy()).verdict == "fail"
    assert decide(above, Policy()).verdict == "pass"


@pytest.mark.parametrize(("estimate", "verdict"), [(0.2, "fail"), (-0.2, "fail"), (0.0, "pass")])
def test_a_change_is_held_on_both_sides(estimate: float, verdict: str) -> None:
    assert decide(claim(estimate, 0.01, limit=(-0.1, 0.1), direction="within"), Policy()).verdict == verdict


def test_two_sided_p_is_twice_the_smaller_tail() -> None:
    two_sided = claim(0.12, 0.01, limit=(-0.1, 0.1), direction="within")
    one_sided = claim(0.12, 0.01)
    assert decide(two_sided, Policy()).p_value == pytest.approx(2 * decide(one_sided, Policy()).p_value)


@pytest.mark.parametrize("side", ["n_reference", "n_current"])
def test_no_usable_rows_is_an_error(side: str) -> None:
    assert decide(claim(0.0, 0.01, **{side: 0}), Policy()).verdict == "error"


@pytest.mark.parametrize("field", ["n_reference", "n_current", "units_reference", "units_current"])
def test_fewer_than_thirty_rows_or_patients_decide_nothing(field: str) -> None:
    assert decide(claim(0.9, 0.001, **{field: 29}), Policy()).verdict == "inconclusive"
    assert decide(claim(0.9, 0.001, **{field: 30}), Policy()).verdict == "fail"


def test_fewer_than_ten_events_decide_nothing() -> None:
    assert decide(claim(0.9, 0.001, events=9), Policy()).verdict == "inconclusive"
    assert decide(claim(0.9, 0.001, events=10), Policy()).verdict == "fail"


@pytest.mark.parametrize("estimate", [math.nan, math.inf])
def test_an_estimate_that_is_no_number_is_an_error(estimate: float) -> None:
    assert decide(claim(estimate, 0.01), Policy()).verdict == "error"
    assert decide(Claim(estimate=estimate, limit=0), Policy()).verdict == "error"


def test_bounds_that_are_no_numbers_are_an_error() -> None:
    assert decide(claim(0.0, 0.01, bounds=lambda a: (math.nan, math.nan)), Policy()).verdict == "error"
    assert decide(claim(0.0, 0.01, p_beyond=lambda _: math.nan), Policy()).verdict == "error"


def test_a_census_is_decided_by_its_estimate_alone() -> None:
    assert decide(Claim(estimate=0, limit=0, n_current=3), Policy()).verdict == "pass"
    ruling = decide(Claim(estimate=1, limit=0, n_current=3), Policy())
    assert (ruling.verdict, ruling.decide_by) == ("fail", "estimate")


def test_the_share_at_the_limit_is_within_it() -> None:
    assert decide(Claim(estimate=0.3, limit=0.3), Policy(decide_by="estimate")).verdict == "pass"


def test_a_p_value_below_its_threshold_fails_and_says_nothing_about_size_above_it() -> None:
    policy = Policy(decide_by="p_value", p_value=0.05)
    assert decide(claim(0.2, 0.01, p_null=0.049), policy).verdict == "fail"
    ruling = decide(claim(0.2, 0.01, p_null=0.05), policy)
    assert ruling.verdict == "pass"
    assert "says nothing about size" in ruling.message


def test_a_method_without_p_value_cannot_be_decided_by_one() -> None:
    assert decide(claim(0.2, 0.01), Policy(decide_by="p_value", p_value=0.05)).verdict == "error"


def test_proven_beyond_the_warning_level_passes_with_a_notice() -> None:
    ruling = decide(claim(0.07, 0.005), Policy(warn_above=0.05))
    assert (ruling.verdict, ruling.noticed) == ("pass", True)
    assert outcome("pass", Policy(strict=True), noticed=True)[0] == "failed"


WAIVER = Waiver(until=date(2026, 11, 1), by="A. Person", reason="known")


@pytest.mark.parametrize(
    ("verdict", "policy", "expected"),
    [
        ("pass", Policy(), ("passed", False)),
        ("fail", Policy(), ("failed", False)),
        ("fail", Policy(severity="warn"), ("passed", True)),
        ("inconclusive", Policy(), ("passed", True)),
        ("inconclusive", Policy(inconclusive="pass"), ("passed", False)),
        ("inconclusive", Policy(inconclusive="block"), ("failed", False)),
        ("inconclusive", Policy(inconclusive="block", severity="warn"), ("passed", True)),
        ("inconclusive", Policy(inconclusive="pass", strict=True), ("failed", False)),
        ("fail", Policy(severity="warn", strict=True), ("failed", False)),
        ("error", Policy(severity="warn"), ("failed", False)),
        ("fail", Policy(waiver=WAIVER, today=date(2026, 11, 1)), ("xfailed", False)),
        ("fail", Policy(waiver=WAIVER, today=date(2026, 11, 1), strict=True), ("xfailed", False)),
        ("fail", Policy(waiver=WAIVER, today=date(2026, 11, 2)), ("failed", False)),
        ("fail", Policy(waiver=WAIVER, today=date(2026, 11, 1), honour_waivers=False), ("failed", False)),
        ("error", Policy(waiver=WAIVER, today=date(2026, 11, 1)), ("failed", False)),
    ],
)
def test_what_pytest_shows_for_a_verdict(verdict, policy, expected) -> None:
    assert outcome(verdict, policy) == expected


@given(
    estimate=st.floats(-1, 1),
    se=st.floats(1e-3, 1),
    m=st.integers(1, 1000),
    direction=st.sampled_from(["at_most", "at_least", "within"]),
)
def test_a_verdict_follows_from_the_bounds_alone(estimate, se, m, direction) -> None:
    limit = (-0.1, 0.1) if direction == "within" else 0.1
    policy = Policy(m=m)
    with_p = decide(claim(estimate, se, limit=limit, direction=direction), policy)
    found = decide(claim(estimate, se, limit=limit, direction=direction, p_beyond=None, p_below=None), policy)
    assert with_p.verdict == found.verdict
    if with_p.p_value > 1e-10:
        assert found.p_value == pytest.approx(with_p.p_value, rel=1e-4) or with_p.p_value >= 0.5


@given(st.floats(allow_nan=False, allow_infinity=False, min_value=-1e12, max_value=1e12))
def test_a_figure_in_a_message_reads_back_within_a_half_percent(value: float) -> None:
    assert float(number(value).replace(",", "")) == pytest.approx(value, rel=0.06, abs=0)
