"""What the page makes of a gate's figures: changes by name, their causes, what weakens a record."""

import re
from html import unescape
from typing import Any

import pytest

from pytest_readmit.report import markdown, render

BLOCKS = {"verdict": "fail", "outcome": "failed"}


def words(text: str) -> str:
    """The text of a page, or of a part of one."""
    return " ".join(unescape(re.sub(r"<(style|script)>.*?</\1>|<[^>]*>", " ", text, flags=re.S)).split())


@pytest.fixture
def relation(gate_case) -> Any:
    """Return a case that splits the fall of ROC AUC from 0.708 to 0.568."""

    def make(
        verdict: str = "fail", note: str = "the relation changed", inputs: float = -0.004
    ) -> dict[str, Any]:
        total = -0.14
        outcome = "failed" if verdict == "fail" else "passed"
        return gate_case(
            "concept_drift",
            "relation:roc_auc",
            method="disde",
            verdict=verdict,
            outcome=outcome,
            estimate=inputs - total,
            interval=[0.122, 0.15],
            limit=0.05,
            details={
                "reference": 0.708,
                "current": 0.568,
                "change": total,
                "relative_change": -0.198,
                "inputs": inputs,
                "relation": total - inputs,
                "total": total,
                "notes": [note],
            },
            message=f"{note}; the drop of roc_auc at equal inputs is 0.136, of 0.14 in all",
        )

    return make


def test_a_split_change_shows_its_parts_and_never_the_whole_as_its_own(sample, relation) -> None:
    text = render(sample([relation()]))
    page = words(text)
    assert "ROC AUC at equal inputs falls by 0.136, of 0.14 in all" in page
    assert "0.708 → 0.568" not in page
    assert "due to the inputs −0.004; due to the relation −0.136; in all −0.14" in text
    assert "Reference 0.708, current 0.568" not in text
    assert "fall of roc_auc at equal inputs" in text


@pytest.mark.parametrize(
    ("cases", "said"),
    [
        (
            [{}],
            "the inputs that moved explain little of it: ROC AUC at equal inputs falls by 0.136",
        ),
        ([{"inputs": -0.06}], "The relation of inputs and outcome changed: ROC AUC at equal inputs"),
        ([{"verdict": "pass", "note": "only the inputs moved", "inputs": -0.13}], "Only the inputs moved"),
        ([{"verdict": "pass", "note": "neither moved"}], "If its inputs moved or went missing, mend these"),
    ],
)
def test_what_to_do_follows_the_measured_cause(sample, relation, gate_case, cases, said) -> None:
    found = [relation(**one) for one in cases]
    record = sample([gate_case("concept_drift", "roc_auc", method="drop", **BLOCKS), *found])
    assert said in words(render(record))
    assert said in markdown.render(record)


@pytest.mark.parametrize(
    ("check", "fields", "said"),
    [
        ("concept_drift", {"method": "drop", "estimate": 0.14, "limit": 0.05}, "fall 0.14 at most 0.05"),
        ("concept_drift", {"method": "rise", "estimate": 0.14, "limit": 0.05}, "rise 0.14 at most 0.05"),
        ("concept_drift", {"method": "slope", "estimate": 0.3, "limit": [0.8, 1.25]}, "0.3 0.8 to 1.25"),
        (
            "missing_drift",
            {"method": "risk_difference", "estimate": 0.1, "limit": [-0.05, 0.05], "direction": "within"},
            "change 10 pp ±5 pp",
        ),
        ("my_own", {"method": "drop", "estimate": 0.14, "limit": 0.05}, "0.14 ≤ 0.05"),
    ],
)
def test_a_change_is_called_what_it_is(sample, gate_case, check, fields, said) -> None:
    page = words(render(sample([gate_case(check, "x", **fields)]))).replace("\u00a0", " ")
    assert said in page[page.index("All gates") :]


def test_scores_and_alerts_each_keep_their_own_figures(sample, gate_case) -> None:
    details = {"reference": 0.233, "current": 0.325, "change": 0.092, "threshold": 0.15}
    moved = gate_case("prediction_drift", None, estimate=0.119, limit=0.05, details=details, **BLOCKS)
    assert "scores moved by 0.119, limit ≤ 0.05; alerts 23.3% → 32.5%" in words(render(sample([moved])))


def test_a_column_that_fails_several_checks_is_named_first_with_where_to_look(sample, gate_case) -> None:
    checks = ("unit_change", "out_of_range", "data_drift")
    cases = [gate_case(check, "glucose", **BLOCKS) for check in checks]
    cases += [gate_case(check, "lactate", **BLOCKS) for check in ("missing_drift", "data_drift")]
    page = words(render(sample([*cases, gate_case("data_drift", "age", **BLOCKS)])))
    assert "glucose : 3 gates; look at its unit first lactate : 2 gates; look at how it is collected" in page
    assert "age : " not in page


def test_gates_of_one_check_in_several_entries_say_so(sample, gate_case) -> None:
    cases = [gate_case("concept_drift", "roc_auc", **BLOCKS)]
    cases += [gate_case("losses", "brier_skill", check="concept_drift", **BLOCKS)]
    assert "2 gates concept_drift in entries: concept_drift 1, losses 1" in words(render(sample(cases)))


def test_the_reason_of_several_cards_is_said_once_above_them(sample, gate_case) -> None:
    cases = [gate_case("data_drift", f"f{n}", because="PCCP 4.2", **BLOCKS) for n in range(3)]
    text = render(sample(cases))
    assert words(text[: text.index('id="gates"')]).count("PCCP 4.2") == 1


def test_a_warning_stands_apart_and_says_what_to_do(sample, gate_case) -> None:
    text = render(sample([gate_case("joint_drift", None, verdict="fail", severity="warn", warned=True)]))
    assert 'class="badge v-fail warns"' in text
    assert "What to do: See which features it uses" in words(text[text.index('id="warnings"') :])


def test_an_expectation_says_why_it_stays_undecided_and_what_the_labels_say(sample, gate_case) -> None:
    case = gate_case(
        "estimated_performance",
        "roc_auc",
        verdict="inconclusive",
        details={"truth": 0.568},
        message="roc_auc is 0.704; cannot tell: an expectation proves no performance; labels decide",
    )
    page = words(render(sample([case])))
    assert "an expectation proves no performance; labels decide; by the labels it is 0.568" in page


def test_nothing_found_needs_no_picture(sample, gate_case) -> None:
    none = {"decide_by": "estimate", "interval": None, "fail_bound": None, "limit": 0.0}
    texts = [render(sample([gate_case("unique", None, estimate=found, **none)])) for found in (0.0, 2.0)]
    assert ["<figure" in text[: text.index('id="provenance"')] for text in texts] == [False, True]


@pytest.mark.parametrize(("error", "shown"), [(0.0125, True), (0.0214, False)])
def test_a_standard_error_is_shown_only_on_the_scale_of_its_estimate(sample, gate_case, error, shown) -> None:
    case = gate_case("performance", "roc_auc", estimate=0.6, interval=[0.58, 0.62])
    page = render(sample([case | {"details": {"standard_error": error}}]))
    assert ("Standard error" in page) is shown


@pytest.mark.parametrize(("p_value", "alpha", "said"), [(3e-9, 0.05, "< 0.001"), (3e-4, 5e-4, "0.0003")])
def test_a_small_p_value_has_no_more_digits_than_its_threshold_needs(
    sample, gate_case, p_value, alpha, said
) -> None:
    page = words(render(sample([gate_case("data_drift", "age", p_value=p_value, alpha=alpha)])))
    assert f"p-value against the limit {said}" in page.replace("\u00a0", " ")


def test_the_overview_ranks_an_auc_from_chance_and_says_how_far_beyond(sample, gate_case) -> None:
    cases = [
        gate_case("joint_drift", None, estimate=0.59, interval=[0.58, 0.595], limit=0.6),
        gate_case("data_drift", "age", estimate=0.095, interval=[0.09, 0.098]),
        gate_case("missing_drift", "age", estimate=0.5, interval=[0.4, 0.6], **BLOCKS),
    ]
    text = render(sample(cases))
    overview = text[text.index('class="overview"') : text.index("</ol>")]
    names = re.findall(r'<a href="#\w+">(?:<bdi>)?([^<]+)<', overview)
    assert names == ["missing_drift · age", "data_drift · age", "joint_drift"]
    assert ">5×</text>" in overview


@pytest.mark.parametrize(
    ("cases", "fields", "said"),
    [
        ([("performance", {})], {"models": {"champion": None}}, "it names no model"),
        ([("data_drift", {})], {"models": {"champion": None}}, ""),
        ([("unique", {})], {"datasets": {"current": {"source": "demo: drifted"}}}, "demo data, made up"),
        ([("unique", {})], {"git": {"dirty": True}}, "code or suite with uncommitted changes"),
        ([("unique", {})], {"started": "2027-03-01T10:00:00+00:00"}, "judged as of a day 120 days before"),
        ([("unique", {})], {"started": "2026-11-20T10:00:00+00:00"}, ""),
        (
            [("unique", {"verdict": "fail", "outcome": "xfailed", "waiver": {"until": "2027-01-01"}})],
            {},
            "a waiver in force",
        ),
    ],
)
def test_what_weakens_a_record_is_said_only_where_it_is_true(sample, gate_case, cases, fields, said) -> None:
    record = sample([gate_case(check, None, **case) for check, case in cases], provenance=fields)
    found = re.search(r'class="caution">(.*?)</p>', render(record))
    assert (said in found[1] and ";" not in found[1]) if said and found else found is None and not said


def test_markdown_keeps_the_counts_and_tells_passes_without_a_limit(sample, gate_case) -> None:
    text = markdown.render(sample([gate_case("a", None), gate_case("b", None, limit=None)]))
    assert "2 (1 without a limit)" in text
