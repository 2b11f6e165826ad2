"""Which records may promote a model, and what an operator can ask of them; no registry is needed."""

import copy
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pytest_readmit import record as records
from pytest_readmit.mlops import eligibility
from pytest_readmit.mlops.registry import Refused

DIGEST = "sha256:" + "a" * 64
WEEK = timedelta(days=7)


@pytest.fixture
def good(kit: Any) -> dict[str, Any]:
    """Return a record that promotes version 2 over version 1."""
    return kit.made(
        kit.good_cases(),
        champion=kit.model("1", "run-1", DIGEST),
        challenger=kit.model("2", "run-2", DIGEST),
    )


def reasons(record: dict[str, Any]) -> list[str]:
    return eligibility.shortcomings(record, eligibility.candidate(record))


def edited(record: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """Return a changed record that fits its digest again."""
    changed = copy.deepcopy({**record, **changes})
    changed["digest"] = records.digest(changed)
    return changed


def test_a_good_record_promotes_and_says_what(good: dict[str, Any]) -> None:
    eligibility.check_form(good)
    found = eligibility.candidate(good)
    assert (found.model, found.version, found.champion, found.run_id) == ("readmission", "2", "1", "run-2")
    assert reasons(good) == []


@pytest.mark.parametrize(
    ("cases", "told"),
    [
        (["promotion:inconclusive", "performance"], "no passing `promotion` case"),
        (["performance"], "no passing `promotion` case"),
        (["promotion:fail", "performance"], "is blocked"),
        (["promotion:estimate", "performance:estimate"], "nothing in it is certified"),
        (["promotion:estimate", "performance:warn"], "nothing in it is certified"),
        (["guard", "performance"], "no passing `promotion` case"),
    ],
)
def test_what_a_record_lacks_is_said(kit: Any, cases: list[str], told: str) -> None:
    made = []
    for text in cases:
        check, _, how = text.partition(":")
        facts: dict[str, Any] = {"details": {"challenger": "challenger"}}
        if how == "estimate":
            facts |= {"decide_by": "estimate", "interval": None}
        if how == "warn":
            facts |= {"severity": "warn"}
        verdict = how if how in ("inconclusive", "fail") else "pass"
        name, check = ("guard:brier", "promotion") if check == "guard" else ("roc_auc", check)
        made.append(kit.finding(name, check, verdict, **facts))
    record = kit.made(made, champion=kit.model("1", "r", DIGEST), challenger=kit.model("2", "r", DIGEST))
    assert any(told in reason for reason in reasons(record))


def test_an_incomplete_record_promotes_nothing(kit: Any) -> None:
    record = kit.made(
        kit.good_cases(),
        champion=kit.model("1", "r", DIGEST),
        challenger=kit.model("2", "r", DIGEST),
        planned=3,
    )
    assert any("incomplete: 1 of 3" in reason for reason in reasons(record))


def test_a_mission_rule_by_estimate_promotes_beside_a_certified_gate(kit: Any) -> None:
    rule = kit.finding("roc_auc", "promotion", decide_by="estimate", interval=None)
    record = kit.made(
        [rule, kit.finding("age", "data_drift")],
        champion=kit.model("1", "r", DIGEST),
        challenger=kit.model("2", "r", DIGEST),
    )
    assert reasons(record) == []


@pytest.mark.parametrize(
    ("check", "allowed"), [("performance", True), ("calibration", True), ("data_drift", False)]
)
def test_a_first_champion_needs_a_gate_on_the_model_itself(kit: Any, check: str, allowed: bool) -> None:
    first = kit.finding("roc_auc", "promotion", details={"first": True}, decide_by="estimate", interval=None)
    record = kit.made([first, kit.finding("x", check)], champion=None, challenger=kit.model("1", "r", DIGEST))
    assert (reasons(record) == []) is allowed


def test_without_champion_only_a_promotion_case_that_says_first_counts(kit: Any) -> None:
    record = kit.made(kit.good_cases(), champion=None, challenger=kit.model("1", "r", DIGEST))
    assert any("not a version of a registered model" in reason for reason in reasons(record))


@pytest.mark.parametrize(
    "challenger", [None, {"source": "model.skops", "name": "challenger", "digest": DIGEST}]
)
def test_a_challenger_that_is_no_version_is_refused(kit: Any, challenger: Any) -> None:
    record = kit.made(kit.good_cases(), champion=None, challenger=challenger)
    with pytest.raises(Refused, match="not a version of a registered model"):
        eligibility.candidate(record)


def test_several_challengers_are_refused(kit: Any) -> None:
    cases = [kit.finding(name, "promotion", details={"challenger": name}) for name in ("a", "b")]
    record = kit.made(cases, champion=None, challenger=kit.model("1", "r", DIGEST))
    with pytest.raises(Refused, match="several challengers"):
        eligibility.candidate(record)


@pytest.mark.parametrize(
    "changes",
    [
        {"blocked": False},
        {"counts": {"pass": 2, "fail": 0, "inconclusive": 0, "error": 0}},
        {"cases": []},
        {"cases": [1]},
        {"provenance": None},
        {"suites": None},
        {"planned": "2"},
    ],
)
def test_an_edited_record_with_a_new_digest_contradicts_itself(kit: Any, changes: dict[str, Any]) -> None:
    blocked = kit.made(
        [kit.finding("roc_auc", "promotion", "fail"), kit.finding("roc_auc", "performance")],
        champion=kit.model("1", "r", DIGEST),
        challenger=kit.model("2", "r", DIGEST),
    )
    with pytest.raises(Refused, match="edited"):
        eligibility.check_form(edited(blocked, **changes))


def strict(record: dict[str, Any], **asked: Any) -> list[str]:
    given: dict[str, Any] = {"max_age": WEEK, "suites": {}, "commit": None, "no_waivers": False}
    return eligibility.strictures(record, **{**given, **asked})


def test_an_operator_who_asks_for_what_is_there_is_content(kit: Any, good: dict[str, Any]) -> None:
    assert strict(good, suites={"p.yml": kit.SUITE_SHA}, commit=kit.COMMIT.upper(), no_waivers=True) == []


@pytest.mark.parametrize(
    ("age", "told"), [(timedelta(days=8), "8 days old"), (timedelta(hours=-2), "a clock is wrong")]
)
def test_a_record_must_be_young_and_not_of_the_future(
    good: dict[str, Any], age: timedelta, told: str
) -> None:
    now = datetime.fromisoformat(good["provenance"]["finished"]) + age
    assert told in strict(good, now=now.astimezone(UTC))[0]


def test_suites_commit_and_waivers_are_held_against_the_record(kit: Any, good: dict[str, Any]) -> None:
    (other, unnamed) = strict(good, suites={"p.yml": "0" * 64})
    assert "p.yml is not a suite" in other
    assert "which --suite does not name" in unnamed
    assert "not " + "d" * 40 in strict(good, commit="d" * 40)[0]
    dirty = edited(good, provenance={**good["provenance"], "git": {"commit": kit.COMMIT, "dirty": True}})
    assert "changed files" in strict(dirty, commit=kit.COMMIT)[0]
    unknown = edited(good, provenance={**good["provenance"], "git": {"commit": None, "dirty": None}})
    assert "the run names no commit" in strict(unknown, commit=kit.COMMIT)[0]
    waived = kit.made(
        kit.good_cases(kit.finding("age", "data_drift", "fail", outcome="xfailed", waiver={"reason": "x"})),
        champion=kit.model("1", "r", DIGEST),
        challenger=kit.model("2", "r", DIGEST),
    )
    assert strict(waived) == []
    assert "waivers: suites/promotion.yml::data_drift::age" in strict(waived, no_waivers=True)[0]
