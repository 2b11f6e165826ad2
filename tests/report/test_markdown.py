"""The Markdown of a record: what is on it, in which order, and how it is cut."""

import pytest

from pytest_readmit.report import markdown

MIB = 1024 * 1024


def section(text: str, title: str) -> list[str]:
    """Return the lines below a heading, empty ones left out."""
    lines = text.splitlines()
    start = lines.index(f"### {title}") + 1
    end = next((at for at in range(start, len(lines)) if lines[at].startswith("#")), len(lines))
    return [line for line in lines[start:end] if line]


def test_the_decision_comes_first_then_waivers_then_what_blocks_and_where(sample) -> None:
    text = markdown.render(sample())
    assert text.startswith("## readmit: Blocked\n\n**Deployment is blocked by 4 of 35 gates.** ")
    titles = [line for line in text.splitlines() if line.startswith("### ")]
    assert titles == [
        "### Waived",
        "### Waivers that cover nothing",
        "### What blocks",
        "### Warnings",
        "### Undecided",
        "### Every entry",
        "### Where it comes from",
    ]
    assert section(text, "What blocks")[2] == (
        "| `data_drift` `age` | Fail | age moved by 0.31 (one-sided 95% bounds 0.283 and 0.326); the limit"
        " is 0.1 | 0.31 | ≤\u00a00.1 | default limit, no rationale given | `suites/drift.yml:24` |"
    )
    assert "labs are ordered by protocol" in section(text, "What blocks")[3]
    assert section(text, "Waived")[2].startswith(
        "| `prediction_drift` `score` | Fail | `dr.ada@hospital.example` | `2026-12-31` | new triage"
    )
    assert "| waiver not needed |" in section(text, "Waivers that cover nothing")[2]
    assert "| 52,000 |" in section(text, "Undecided")[2]


def test_a_certified_record_has_no_empty_section(sample, gate_case) -> None:
    text = markdown.render(sample([gate_case("data_drift", "age")], verdict="pass"))
    assert text.startswith("## readmit: Certified\n")
    assert [line for line in text.splitlines() if line.startswith("### ")] == [
        "### Every entry",
        "### Where it comes from",
    ]


def test_an_incomplete_record_and_a_waiver_that_outlived_its_day_are_noted(sample, gate_case) -> None:
    waiver = {"until": "2026-11-22", "by": "A. Lee", "reason": "r", "in_force": True}
    waived = gate_case("data_drift", "age", verdict="fail", outcome="xfailed", waiver=waiver)
    text = markdown.render(sample([waived], complete=False, planned=3))
    assert "## readmit: Incomplete" in text
    assert "> **Note:** This record is not complete" in text
    assert "> **Note:** 1 gate is waived by the suite's own date" in text


def test_every_field_may_be_null(sample, gate_case) -> None:
    whole = gate_case("data_drift", "age", waiver={"until": "2026-12-31"})
    assert markdown.render({}).startswith("## readmit: Incomplete")
    for field in whole:
        assert markdown.render(sample([{**whole, field: None}], counts={}))
    record = sample()
    for field in record:
        assert markdown.render({**record, field: None})
    for field in record["provenance"]:
        assert markdown.render({**record, "provenance": {**record["provenance"], field: None}})


@pytest.mark.parametrize("room", [MIB, 60_000, 9_000, 2_500])
def test_tables_are_cut_at_whole_rows_until_the_page_fits(sample, gate_case, room) -> None:
    cases = [
        gate_case("data_drift", f"column {number} {'ü|' * 200}", verdict="fail", outcome="failed")
        for number in range(1_000)
    ]
    text = markdown.render(sample(cases), most_bytes=room)
    assert 0 < len(text.encode()) <= room
    blocks = section(text, "What blocks")
    rows = [line for line in blocks if line.startswith("| `data_drift`")]
    assert all(row.endswith(" `suites/drift.yml:24` |") for row in rows)
    assert f"and {1_000 - len(rows):,} more" in blocks if rows else "1,000 in the record" in blocks


def test_nothing_is_written_where_nothing_fits(sample) -> None:
    assert markdown.render(sample(), most_bytes=200) == ""
    assert markdown.render(sample(), most_bytes=-5) == ""
