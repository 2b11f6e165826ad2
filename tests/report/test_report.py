"""The report through its public door: a record goes in, one page comes out."""

import copy
import json
import re
from html.parser import HTMLParser
from typing import Any

import pytest

from pytest_readmit.report import render

VOID = {"meta", "link", "br", "hr", "img", "input", "path", "circle", "rect", "line", "use"}
# The end tags that HTML leaves out, and what stands in for them.
ENDED_BY = {
    "dt": ("dt", "dd"),
    "dd": ("dt", "dd"),
    "td": ("td",),
    "th": ("th",),
    "tr": ("td", "th", "tr"),
}
MAY_STAY_OPEN = ("dt", "dd", "td", "th", "tr")


class Page(HTMLParser):
    """Reads a page strictly: elements closed in order, but for those of lists and tables."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.attributes: list[tuple[str, str, str | None]] = []
        self.shown: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == [], f"left open: {self.open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if values.get("id"):
            self.ids.append(values["id"] or "")
        if tag == "a":
            self.links.append(values.get("href") or "")
        self.attributes += [(tag, key, value) for key, value in attrs]
        while self.open[-1:] and self.open[-1] in ENDED_BY.get(tag, ()):
            self.open.pop()
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        while self.open[-1:] != [tag] and self.open[-1:] and self.open[-1] in MAY_STAY_OPEN:
            self.open.pop()
        assert self.open[-1:] == [tag], f"</{tag}> closes {self.open[-3:]}"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in ("style", "script"):
            self.shown.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.shown).split())


def headline(record: dict[str, Any]) -> str:
    found = re.search(r"<h1>(.*?)</h1>", render(record))
    assert found
    return found[1]


def stamp(record: dict[str, Any]) -> str:
    found = re.search(r'class="stamp">(.*?)<', render(record))
    assert found
    return found[1]


def test_the_page_is_well_formed_and_every_link_leads_to_a_place_on_it(sample) -> None:
    page = Page(render(sample()))
    assert len(page.ids) == len(set(page.ids))
    assert page.links
    assert {link for link in page.links if link[1:] not in page.ids or link[0] != "#"} == set()


def test_every_case_has_an_anchor_of_its_own_that_stays_when_others_come_and_go(sample) -> None:
    record = sample()
    anchors = re.findall(r'id="(g[a-z2-7]{8})"', render(record))
    assert len(set(anchors)) == len(record["cases"])
    fewer = sample(record["cases"][5:])
    assert set(re.findall(r'id="(g[a-z2-7]{8})"', render(fewer))) == set(anchors[5:])


def test_a_record_that_names_a_case_twice_shows_both(sample, gate_case) -> None:
    cases = [gate_case("unique", None), gate_case("unique", None, verdict="fail", outcome="failed")]
    page = Page(render(sample(cases)))
    assert len(page.ids) == len(set(page.ids))
    assert headline(sample(cases)) == "Deployment is blocked by 1 of 2 gates."


def test_the_same_record_gives_the_same_bytes_and_is_left_as_it_was(sample) -> None:
    record = sample()
    before = copy.deepcopy(record)
    assert render(record) == render(json.loads(json.dumps(record)))
    assert record == before


def test_a_hundred_cases_take_less_than_300_kilobytes(sample, gate_case, bins) -> None:
    cases = [
        gate_case("data_drift", f"feature_{n}", details={"histogram": bins(n / 50, bins=27)})
        for n in range(100)
    ]
    assert len(render(sample(cases)).encode()) < 280_000


@pytest.mark.parametrize(
    ("verdict", "outcome"), [("pass", "passed"), ("fail", "failed"), ("inconclusive", "xfailed")]
)
def test_thousands_of_cases_keep_the_page_small_and_every_case_its_place(
    sample, gate_case, bins, verdict, outcome
) -> None:
    common = {"verdict": verdict, "outcome": outcome, "details": {"histogram": bins()}}
    text = render(sample([gate_case("data_drift", f"feature_{n}", **common) for n in range(2000)]))
    assert len(text.encode()) < 1_600_000
    assert len(set(re.findall(r'id="(g[a-z2-7]{8})"', text))) == 2000
    assert "Pictures and figures are shown of the 200 that matter most" in text
    listed = {"failed": "1,988 more are listed", "xfailed": "1,900 more are listed", "passed": "2,000"}
    assert listed[outcome] in text


def test_of_too_many_cases_those_that_matter_keep_their_pictures(sample, gate_case) -> None:
    cases = [gate_case("data_drift", f"f{n}") for n in range(300)]
    cases[-1] = gate_case("data_drift", "last", verdict="fail", outcome="failed")
    cases[-2] = gate_case("data_drift", "late", verdict="inconclusive")
    text = render(sample(cases))
    assert text.count('<details class="g ') == 200
    assert text.count('<div class="g row ') == 100
    assert '<details class="g v-fail blocks">' in text
    assert '<details class="g v-inconclusive">' in text


def test_nothing_is_loaded_from_anywhere(sample) -> None:
    text = render(sample())
    page = Page(text)
    assert text.count("<script") == 1
    assert not re.search(r"\b(fetch|import|eval|XMLHttpRequest|WebSocket|innerHTML)\b", text)
    assert "http://" not in text
    assert "https://" not in text
    loading = {"src", "srcset", "background", "poster", "data", "action", "ping", "style"}
    assert [found for found in page.attributes if found[1] in loading or found[1].startswith("on")] == []
    assert {
        value for _, key, value in page.attributes if key.endswith("href") and not str(value).startswith("#")
    } == set()
    assert "@import" not in text
    assert set(re.findall(r"url\((.*?)\)", text)) == {"#hatch"}


def test_the_policy_allows_our_style_and_script_and_nothing_else(sample) -> None:
    import base64
    import hashlib

    text = render(sample())
    policy = re.search(r'Content-Security-Policy" content="(.*?)"', text)
    assert policy
    for tag in ("style", "script"):
        block = re.search(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        assert block
        digest = base64.b64encode(hashlib.sha256(block[1].encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}';" in policy[1]
    rest = re.sub(r"(style|script)-src 'sha256-[^']+'; ", "", policy[1])
    assert rest == "default-src 'none'; base-uri 'none'; form-action 'none'"


def test_a_hostile_name_is_text_wherever_it_stands(sample, hostile) -> None:
    record = sample()

    def poisoned(value: Any, key: str = "") -> Any:
        if isinstance(value, dict):
            return {name: poisoned(item, name) for name, item in value.items()}
        if isinstance(value, list):
            return [poisoned(item, key) for item in value]
        kept = {"verdict", "outcome", "direction", "decide_by", "digest"}
        return value + hostile if isinstance(value, str) and key not in kept else value

    record = poisoned(record)
    for part in ("datasets", "models", "packages"):
        record["provenance"][part] = {
            hostile + key: value for key, value in record["provenance"][part].items()
        }
    text = render(record)
    assert text.count("<script") == 1
    assert "\x1b" not in text
    assert "\u202e" not in text
    page = Page(text)
    assert [key for _, key, _ in page.attributes if key.startswith("on")] == []
    assert "<script>alert(1)</script>" in page.text


def test_a_name_that_would_reorder_the_text_around_it_shows_its_code(sample, gate_case) -> None:
    text = render(sample([gate_case("data_drift", "age\u202e\u2066\u200b")]))
    assert "age‹U+202E›‹U+2066›‹U+200B›" in text


def test_right_to_left_names_stay_as_they_are_and_stand_apart(sample, gate_case) -> None:
    assert "<bdi>גיל</bdi>" in render(sample([gate_case("data_drift", "גיל")]))


def test_half_a_character_does_not_stop_the_page(sample, gate_case) -> None:
    render(sample([gate_case("data_drift", "age \ud800")])).encode("utf-8")


def test_a_name_of_ten_thousand_characters_is_cut(sample, gate_case) -> None:
    text = render(sample([gate_case("data_drift", "x" * 10_000, id="suites/drift.yml::data_drift::xx")]))
    assert len(text) < 40_000


@pytest.mark.parametrize(
    ("cases", "fields", "said", "stamped"),
    [
        ([{}] * 3, {}, "All 3 gates are within their limits: certified.", "Certified"),
        ([{}], {}, "The one gate is within its limit: certified.", "Certified"),
        (
            [{"verdict": "fail", "outcome": "failed"}, {"verdict": "error", "outcome": "failed"}, {}],
            {},
            "Deployment is blocked by 2 of 3 gates.",
            "Blocked",
        ),
        (
            [{"verdict": "inconclusive"}, {}, {}],
            {},
            "Nothing is proven beyond its limit; 1 of 3 gates undecided.",
            "Not certified",
        ),
        (
            [{"verdict": "inconclusive"}] * 2,
            {},
            "Nothing is proven: all 2 gates are undecided.",
            "Not certified",
        ),
        (
            [{"verdict": "fail", "severity": "warn", "warned": True}, {}],
            {},
            "Nothing blocks, but 1 gate beyond the limit only warns.",
            "Not certified",
        ),
        (
            [
                {"verdict": "fail", "outcome": "xfailed", "waiver": {"until": "2026-12-01"}},
                {"verdict": "inconclusive"},
            ],
            {},
            "Nothing blocks, but 1 gate is beyond the limit under a waiver and 1 gate is undecided.",
            "Not certified",
        ),
        (
            [{}] * 2,
            {"complete": False, "planned": 5},
            "Nothing is decided: only 2 of 5 gates ran.",
            "Incomplete",
        ),
        (
            [],
            {"complete": False, "planned": 5, "blocked": True},
            "Deployment is blocked: no gate ran.",
            "Incomplete",
        ),
        (
            [{"verdict": "fail", "outcome": "failed"}],
            {"complete": False, "planned": 5},
            "Deployment is blocked by 1 of 5 gates.",
            "Blocked",
        ),
    ],
)
def test_the_decision_is_one_sentence(sample, gate_case, cases, fields, said, stamped) -> None:
    record = sample([gate_case("data_drift", f"f{n}", **one) for n, one in enumerate(cases)], **fields)
    assert headline(record) == said
    assert stamp(record) == stamped


def test_the_tally_tells_certified_from_nothing_proven(sample, gate_case) -> None:
    cases = [gate_case("data_drift", f"f{n}", verdict="inconclusive" if n > 2 else "pass") for n in range(12)]
    text = Page(render(sample(cases))).text
    assert "Fail 0" in text
    assert "Undecided 9" in text
    assert "Pass 3" in text
    assert "Error 0" in text
    assert "Not certified" in text


def test_an_incomplete_record_says_so_before_anything_else(sample, gate_case) -> None:
    text = render(sample([gate_case("unique", None)], complete=False, planned=41, certified=False))
    assert "This record is not complete: 40 planned gates have no verdict." in text
    assert text.index("not complete") < text.index("<h1>")


def test_a_complete_looking_record_that_was_cut_short_is_not_certified(sample, gate_case) -> None:
    record = sample([gate_case("unique", None)], complete=False, certified=False)
    assert stamp(record) == "Incomplete"


def test_a_record_edited_by_hand_is_called_out(sample) -> None:
    record = sample()
    record["cases"][6]["verdict"] = "pass"
    record["cases"][6]["outcome"] = "passed"
    record["certified"] = True
    text = render(record)
    assert "its digest does not match" in text
    assert "counts differ" in text
    assert "says certified, but not every case" in text
    assert "its digest does not match" not in render(sample())


def test_a_gate_without_a_limit_is_said_to_report_only(sample, gate_case) -> None:
    cases = [gate_case("performance", "brier", limit=None), gate_case("performance", "roc_auc")]
    page = Page(render(sample(cases))).text
    assert "The one gate with a limit is within it: certified." in page
    assert "Every gate with a limit was shown to stay within its limit." in page
    assert "1 gate has no limit and only reports; the record counts it as pass: performance · brier ." in page
    assert "Pass 1 Reported 1 no limit Error 0" in page


def test_a_run_without_any_limit_reads_as_nothing_proven(sample, gate_case) -> None:
    record = sample([gate_case("performance", name, limit=None) for name in ("brier", "roc_auc")])
    assert (stamp(record), headline(record)) == (
        "Reported only",
        "Nothing is proven: none of the 2 gates has a limit.",
    )
    assert not re.search(r'class="[^"]*v-pass(?! none)', render(record).partition('id="reading"')[0])
    undecided = gate_case("unique", None, verdict="inconclusive")
    assert headline(sample([*record["cases"], undecided])) == (
        "Nothing is proven: the only gate with a limit is undecided."
    )


def test_a_certificate_is_worth_no_more_than_its_cases(sample, gate_case) -> None:
    record = sample([gate_case("unique", None, verdict="inconclusive")], certified=True)
    assert stamp(record) == "Not certified"


def test_a_pass_by_p_value_or_estimate_is_not_sold_as_a_proof(sample, gate_case) -> None:
    cases = [
        gate_case("a", None, decide_by="p_value", interval=None, limit=None),
        gate_case("b", None, decide_by="estimate"),
        gate_case("c", None, decide_by="estimate", interval=None),
        gate_case("d", None),
    ]
    text = Page(render(sample(cases))).text
    assert "1 pass rests on a p-value alone, which says nothing about size." in text
    assert "1 pass rests on the estimate alone, which leaves chance out." in text
    assert "not every one was shown to stay within its limit" in text


def test_what_blocks_shows_message_reason_and_line(sample, gate_case) -> None:
    cases = [
        gate_case(
            "a",
            "age",
            verdict="fail",
            outcome="failed",
            line=24,
            message="age moved by 0.31",
            because="PCCP 4.2",
        ),
        gate_case("b", "sex", verdict="fail", outcome="failed", line=31),
    ]
    text = render(sample(cases))
    blocking = text[text.index('id="blocking"') : text.index('id="gates"')]
    assert "age moved by 0.31" in blocking
    assert "PCCP 4.2" in blocking
    assert "suites/drift.yml:24" in blocking
    assert "default limit, no rationale given" in blocking
    assert "suites/drift.yml:31" in blocking
    assert blocking.count("<svg role") + blocking.count('role="img"') >= 2


def test_what_blocks_is_named_at_once_and_says_what_to_do(sample, gate_case) -> None:
    common = {"verdict": "fail", "outcome": "failed"}
    cases = [gate_case("data_drift", f"f{n}", **common) for n in range(3)]
    cases += [gate_case("calibration", "slope", **common), gate_case("my_own_check", None, **common)]
    cases += [gate_case("unique", None, verdict="error", outcome="failed")]
    text = render(sample(cases))
    page = Page(text).text
    top = page[: page.index("What blocks, and why")]
    assert "Could not be measured : unique" in top[: top.index("The distribution moved")]
    each = "0.011, limit ≤ 0.1"
    assert f"The distribution moved further than its limit : f0 {each}; f1 {each} +1 more" in top
    assert "Predicted risks do not match the outcomes : calibration slope 0.011" in top
    assert "The distribution moved further than its limit: 3 gates" in page
    assert page.count("test the model on recent outcomes") == 1
    assert "Predicted risks do not match the outcomes: 1 gate" in page
    assert "Beyond its limit: 1 gate" in page
    assert "Could not be measured: 1 gate" in page
    assert "No waiver covers an error" in page


def test_every_check_of_ours_says_what_to_do(sample, gate_case) -> None:
    from pytest_readmit.registry import load

    cases = [gate_case(check, None, verdict="fail", outcome="failed") for check in load()]
    assert len(cases) > 15
    assert "Find what changed and put it right" not in render(sample(cases))


def test_what_all_gates_of_an_entry_share_is_said_once(sample, gate_case) -> None:
    cases = [gate_case("data_drift", f"f{n}", because="PCCP 4.2", estimate=n / 100) for n in range(4)]
    page = Page(render(sample(cases))).text
    assert page.count("PCCP 4.2") == 1
    assert page.count("Cases that share the error rate 14") == 1
    assert page.count("suites/drift.yml:24") == 5


@pytest.mark.parametrize(
    ("until", "fields", "said"),
    [
        ("2026-12-31", {"verdict": "fail", "outcome": "xfailed"}, "waived until 2026-12-31"),
        ("2026-10-31", {"verdict": "fail", "outcome": "failed"}, "waiver ended on 2026-10-31"),
        ("2026-12-31", {"verdict": "error", "outcome": "failed"}, "a waiver covers no error"),
        ("2026-12-31", {}, "waiver not needed"),
        ("2026-12-31", {"verdict": "fail", "outcome": "failed"}, "waiver switched off"),
    ],
)
def test_a_waiver_says_whether_it_covers_its_gate(sample, gate_case, until, fields, said) -> None:
    waiver = {"until": until, "by": "dr.ada@hospital.example", "reason": "new form"}
    text = render(sample([gate_case("data_drift", "age", waiver=waiver, **fields)]))
    assert said in text[text.index('id="waivers"') : text.index('id="gates"')]


@pytest.mark.parametrize(
    "wrong", [True, -1, 1e308, "x" * 9, [], {}, [[]], {"a": {"b": []}}, ["\ud800", None, 3]], ids=repr
)
def test_a_record_edited_by_hand_with_wrong_types_everywhere_is_still_a_page(
    sample, gate_case, wrong
) -> None:
    for shift in range(0, 32, 8):
        record = sample()
        for number, case in enumerate(record["cases"]):
            for holder in (case, case["details"] or {}):
                keys = list(holder)
                if keys:
                    holder[keys[(number + shift) % len(keys)]] = wrong
        Page(render(record))
    small = sample([gate_case("unique", None)])
    for holder in (small, small["provenance"], small["suites"][0], small["provenance"]["datasets"]):
        for key in holder:
            kept, holder[key] = holder[key], wrong
            Page(render(small))
            holder[key] = kept


def test_waivers_stand_on_top_with_who_and_until(sample) -> None:
    text = render(sample())
    waivers = text[text.index('id="waivers"') : text.index('id="blocking"')]
    assert "dr.ada@hospital.example" in waivers
    assert "2026-12-31" in waivers
    assert "new triage form since October" in waivers
    assert "waiver not needed" in waivers


def test_an_undecided_gate_shows_the_rows_it_needs_and_the_limit_its_data_certify(sample) -> None:
    text = render(sample())
    undecided = Page(
        "<main>" + text[text.index("<table class") : text.index("</table>")] + "</table></main>"
    ).text
    assert "about 52,000" in undecided
    assert "≤ 0.108" in undecided


def test_the_false_alarm_statement_gives_the_bound(sample) -> None:
    page = Page(render(sample())).text
    assert re.search(r"error rate: at most 5% an entry, 25% that any of \d+ entries .* fails although", page)
    assert page.index("Designed error rate") > page.index("How to read this")
    assert "no useful bound" in render(sample(false_alarm_bound=1.0))
    assert "Designed error rate" not in render(sample(false_alarm_bound=None))


def test_every_picture_says_in_words_what_it_shows(sample) -> None:
    text = render(sample())
    pictures = re.findall(r"<svg(?![^>]*(?:aria-hidden|arrow))[^>]*>.*?</svg>", text)
    assert len(pictures) > 50
    assert all('role="img"' in picture and 'aria-label="' in picture for picture in pictures)
    assert "age. Fail: 0.31 (0.283 to 0.326), limit ≤\u00a00.1" in text


def test_features_are_listed_from_the_farthest_beyond_to_the_farthest_within(sample) -> None:
    text = render(sample())
    overview = text[text.index('class="overview"') : text.index("</ol>")]
    order = re.findall(r'<a href="#\w+">(?:<bdi>)?([^<]+)<', overview)
    moved = [one.removeprefix("data_drift · ") for one in order if one.startswith("data_drift · ")]
    assert moved[:4] == ["age", "diagnosis_group", "glucose", "potassium"]
    assert order[-1] == "label_maturity"
    assert ">age-by-sex · age · F<" in overview
    assert ">age-classic · age<" in overview


def test_every_optional_field_may_be_null(sample, gate_case) -> None:
    whole = gate_case(
        "data_drift", "age", waiver={"until": "2026-12-31"}, details={"histogram": {"levels": ["a"]}}
    )
    for field in whole:
        text = render(sample([{**whole, field: None}], counts={}))
        Page(text)
    Page(render(sample([dict.fromkeys(whole)], counts=None)))
    Page(render({}))
    record = sample()
    for field in record:
        Page(render({**record, field: None}))
    for field in record["provenance"]:
        Page(render({**record, "provenance": {**record["provenance"], field: None}}))


@pytest.mark.parametrize(
    "histogram",
    [
        {"edges": [0, 1, 2], "reference": [0.5, 0.5], "current": [1.0]},
        {"edges": [0], "reference": [], "current": []},
        {"edges": [2, 1, 0], "reference": [0.5, 0.5], "current": [0.5, 0.5]},
        {"edges": [None, None], "reference": [1], "current": [1]},
        {"edges": "abc", "reference": None, "current": {}},
        {"levels": [], "reference": [], "current": []},
        {"levels": ["a"], "reference": [0.5], "current": []},
    ],
)
def test_a_histogram_that_makes_no_sense_is_left_out(sample, gate_case, histogram) -> None:
    assert "</i>reference" not in render(sample([gate_case("a", None, details={"histogram": histogram})]))


@pytest.mark.parametrize(
    "histogram",
    [
        {"edges": [5, 5], "reference": [1], "current": [1]},
        {"edges": [None, 1, 2, None], "reference": [0.2, 0.5, 0.3], "current": [0.1, 0.6, 0.3]},
        {"edges": [0, 1, 1, 2], "reference": [0.2, 0.5, 0.3], "current": [0.1, 0.6, 0.3]},
        {"edges": [-1e300, 0, 1e300], "reference": [0.5, 0.5], "current": [0.5, 0.5]},
        {"edges": [0, 1], "reference": [0], "current": [0]},
        {"levels": ["a", "b"], "reference": [0, 0], "current": [0, 0]},
    ],
)
def test_a_histogram_with_open_or_empty_bins_is_drawn(sample, gate_case, histogram) -> None:
    text = render(sample([gate_case("a", None, details={"histogram": histogram})]))
    assert '<use href="#k-' in text
    assert (
        re.findall(
            r"\b(?:nan|inf|None)\b", Page(text).text + "".join(re.findall(r"<(?:path|rect|line).*?>", text))
        )
        == []
    )


def test_steps_are_as_high_as_their_share_per_unit(sample, gate_case) -> None:
    histogram = {"edges": [0, 1, 3], "reference": [0.5, 0.5], "current": [0.2, 0.8]}
    text = render(sample([gate_case("a", None, details={"histogram": histogram})]))
    # Equal shares in bins of width 1 and 2: the second step is half as high as the first.
    assert 'd="M8 122v-104h115v52h229V122Z"' in text


def test_a_far_tail_is_named_and_does_not_squeeze_the_rest(sample, gate_case, bins) -> None:
    text = render(sample([gate_case("a", None, details={"histogram": bins(0, tail=True)})]))
    assert "Not drawn: " in text
    assert "of current above 91.3" in text


def test_of_many_levels_those_are_drawn_that_are_large_or_moved(sample, gate_case) -> None:
    names = [f"level {n}" for n in range(40)]
    reference = [0.1] * 8 + [0.2 / 32] * 32
    current = [*reference[:-1], reference[-1] + 0.004]
    details = {"histogram": {"levels": names, "reference": reference, "current": current}}
    text = render(sample([gate_case("a", None, details=details)]))
    assert "28 more levels are not drawn" in text
    assert ">level 39<" in text
    assert ">level 0<" in text


@pytest.mark.parametrize(
    "fields",
    [
        {"estimate": 0, "limit": 0, "interval": None, "fail_bound": None, "decide_by": "estimate"},
        {"estimate": 1e-300, "limit": 1e-300, "interval": [1e-300, 1e-300]},
        {"estimate": 1e300, "limit": -1e300, "interval": [1e300, 1e300]},
        {"estimate": -5, "limit": [-0.1, 0.1], "direction": "within", "interval": [-6, -4]},
        {"estimate": 0.5, "limit": 0, "direction": "at_least"},
        {"estimate": 0.5, "limit": [0, 0], "direction": "within"},
        {"p_value": 0, "alpha": 0, "decide_by": "p_value"},
        {"p_value": 1, "alpha": 1, "decide_by": "p_value"},
        {"p_value": 1e-320, "alpha": 1e-9, "decide_by": "p_value"},
    ],
)
def test_extreme_figures_are_drawn_within_the_picture(sample, gate_case, fields) -> None:
    text = render(sample([gate_case("data_drift", "a", **fields), gate_case("data_drift", "b")]))
    Page(text)
    places = [float(x) for x in re.findall(r' (?:x|x1|x2|cx)="(-?[0-9.e+]+)"', text)]
    assert places
    assert all(0 <= x <= 360 for x in places)


def test_a_p_value_stands_on_its_own_axis_and_claims_no_size(sample) -> None:
    text = render(sample())
    assert "Pass: p-value 0.41, threshold 0.05" in text
    assert "not significant; says nothing about size" in text


def test_figures_carry_three_digits_and_a_true_minus(sample, gate_case) -> None:
    details = {"reference": 0.2, "current": 0.179, "change": -0.021, "relative_change": -0.105}
    page = Page(render(sample([gate_case("a", None, details=details)]))).text
    assert "Change −0.021" in page
    assert "Relative change −0.105" in page


def test_provenance_shows_flow_digests_commit_and_command(sample) -> None:
    page = Page(render(sample())).text
    assert "20,000 read → 19,500 after where → 18,100 mature (fewer than 11 patients)" in page
    assert "cd" * 32 in page
    assert "9d" * 32 in page
    assert "3f2a9c7e5b1d4a60f8e2c9b7a6d5e4f3c2b1a098 with uncommitted changes" in page
    assert "pytest --readmit-suite=suites/drift.yml --readmit-report=report.html" in page
    assert "admittime (time)" in page
    assert "medical-ai-board@hospital.example" in page


def test_two_suites_have_a_section_each(sample, gate_case) -> None:
    other = gate_case("unique", None, id="suites/quality.yml::unique", suite="quality")
    text = render(sample([gate_case("unique", None), other]))
    assert "Suite readmission-drift" in text
    assert "Suite quality" in text


def test_the_top_names_models_data_and_the_rows_that_were_judged(sample) -> None:
    page = Page(render(sample())).text
    top = page[: page.index("Deployment is blocked")]
    assert "Challenger model readmission version 7" in top
    assert "Current data data/2024.parquet, version dvc:1f2e, 18,100 of 20,000 rows" in top
    assert "Reference data data/2023.parquet, 19,400 of 20,000 rows, 14,213 patients" in top
    assert "As of 2026-11-01" in top
    record = sample()
    record["provenance"]["models"] = {"champion": None, "challenger": None}
    assert "Model not named in the record" in Page(render(record)).text


@pytest.mark.parametrize(
    ("cases", "fields", "said"),
    [
        ([{"verdict": "fail", "outcome": "failed"}], {}, "Do not put the challenger live. Each cause leads"),
        (
            [{"verdict": "fail", "outcome": "failed"}],
            {"provenance": {}},
            "If it is in use already, ask medical-ai-board@hospital.example whether it may stay",
        ),
        ([{"verdict": "error", "outcome": "failed"}], {}, "live yet: something could not be measured."),
        ([{"verdict": "inconclusive", "outcome": "failed"}], {}, "live yet: nothing is proven wrong, but"),
        ([{"warned": True, "outcome": "failed"}], {}, "looked into the warnings, which block this run."),
        (
            [{"verdict": "inconclusive"}],
            {},
            "not everything is proven: show medical-ai-board@hospital.example",
        ),
        ([{}], {}, "Whether it is used is for medical-ai-board@hospital.example to decide."),
        ([{}], {"suites": []}, "Whether it is used is for those who approve the model to decide."),
        ([{"limit": None}], {}, "Do not decide by this record: none of its gates has a limit."),
        ([{}], {"complete": False}, "Do not decide by this record: run all of its gates first."),
    ],
)
def test_the_next_step_fits_what_was_decided(sample, gate_case, cases, fields, said) -> None:
    found = re.search(
        r'class="next">(.*?)</p>', render(sample([gate_case("a", None, **one) for one in cases], **fields))
    )
    assert found
    assert said in found[1]


def test_measures_stand_in_plain_words_beside_their_names(sample, gate_case) -> None:
    common = {"verdict": "fail", "outcome": "failed"}
    cases = [
        gate_case("calibration", "ece", **common),
        gate_case("fairness", "equalised_odds:sex+age", **common),
        gate_case("promotion", "guard:brier", segment="F", **common),
        gate_case("data_drift", "slope", **common),
        gate_case("concept_drift", "roc_auc", details={"reference": 0.71, "current": 0.57}, **common),
    ]
    page = Page(render(sample(cases))).text
    assert "Predicted risks do not match the outcomes : ECE 0.011, limit ≤ 0.1" in page
    assert "calibration · ece calibration error (ECE)" in page
    assert "errors alike in all groups (equalised odds) by sex and age" in page
    assert "guard: error of the risks (Brier score) · F" in page
    assert "moved further than its limit : slope 0.011" in page
    assert "on the reference : ROC AUC 0.71 → 0.57" in page


def test_shares_of_rows_are_percentages_wherever_they_stand(sample, gate_case) -> None:
    fields: dict[str, Any] = {"verdict": "fail", "outcome": "failed", "fail_bound": 0.0812}
    lactate = gate_case(
        "missing_drift",
        "lactate",
        method="risk_difference",
        estimate=0.0988,
        interval=[-0.0907, 0.107],
        limit=[-0.05, 0.05],
        direction="within",
        certifiable=None,
        details={"reference": 0.552, "current": 0.65, "change": 0.0988},
        message="lactate: missing values went from 55.2% to 65% (one-sided 95% bounds -0.0907 and 0.107);"
        " the limit is 0.05 either way",
        **fields,
    )
    page = Page(render(sample([lactate]))).text
    assert "(one-sided 95% bounds −9.07 and 10.7 pp); the limit is 5 pp either way" in page
    assert "Change 9.88 pp One-sided 95% bounds −9.07 to 10.7 pp" in page
    assert "In reference 55.2% In current 65% Change 9.88 pp" in page
    assert "limit −5 pp" in page
    assert "at the stricter bound on which a fail rests, 8.12 pp" in page
    assert not re.search(r"[ (]-\d", page)
    mine = lactate | {"check": "my_own"}
    assert "bounds −0.0907 and 0.107); the limit is 0.05 either way" in Page(render(sample([mine]))).text


def test_a_waiver_that_covers_a_warning_of_a_strict_run_is_needed(sample, gate_case) -> None:
    waiver = {"until": "2026-12-31", "by": "dr.ada@hospital.example", "reason": "new form", "in_force": True}
    page = Page(render(sample([gate_case("data_drift", "age", waiver=waiver, warned=True)]))).text
    assert "warning covered by a waiver until 2026-12-31" in page
    assert "Allowed by dr.ada@hospital.example" in page
    assert "not needed" not in page


def test_the_overview_of_many_gates_says_that_it_shows_the_nearest(sample, gate_case) -> None:
    page = Page(render(sample([gate_case("data_drift", f"f{n}") for n in range(45)])))
    assert "The 40 gates beyond or nearest to their limits" in page.text
    assert "5 more gates use less of their limits and are not drawn here" in page.text
    assert "#entries-1" in page.links
