"""What stands between a Finding and every output."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from pytest_readmit import run_suite
from pytest_readmit.claim import Finding
from pytest_readmit.privacy import Mask, mask_of_all, plain_uris, printable
from pytest_readmit.report import markdown, render


def finding(**changes: object) -> Finding:
    facts: dict[str, object] = {
        "id": "s.yml::data_drift::age",
        "suite": "s",
        "check": "data_drift",
        "entry": "data_drift",
        "subject": "age",
        "segment": None,
        "line": 3,
        "because": None,
        "verdict": "fail",
        "severity": "block",
        "outcome": "failed",
        "message": "age moved by 0.3",
    }
    return Finding(**{**facts, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize("rows", [1, 10])
def test_a_count_below_min_cell_is_not_shown(rows: int) -> None:
    shown = Mask(min_cell=11).case(finding(n_reference=rows, n_current=5000))
    assert (shown["n_reference"], shown["n_current"]) == (None, 5000)


def test_none_and_enough_rows_are_shown() -> None:
    shown = Mask(min_cell=11).case(finding(n_reference=0, n_current=11, needed_n=3, m=2))
    assert [shown[name] for name in ("n_reference", "n_current", "needed_n", "m")] == [0, 11, 3, 2]


def test_small_counts_in_details_are_not_shown_and_what_counts_no_rows_stays() -> None:
    details = {
        "n_new": 3,
        "rows": 400,
        "events": 7.0,
        "someones_own_key": 4,
        "effective_size": 5.93,
        "df": 3,
        "bins": 10,
        "statistic": 2.5,
        "missing": 0.4,
        "flag": True,
        "histogram": {"edges": [0, 1, 2], "reference": [0.5, 0.5], "current": [1.0, 0.0]},
        "table": {"columns": ["category", "rows", "share"], "rows": [["A", 30, 0.5], ["B", 12, 0.5]]},
    }
    shown = Mask(min_cell=11).case(finding(details=details))["details"]
    assert shown == {
        **details,
        "n_new": None,
        "events": None,
        "someones_own_key": None,
        "effective_size": None,
    }


def test_a_small_count_in_a_table_takes_its_level_its_share_and_the_next_count_with_it() -> None:
    table = {
        "columns": ["category", "rows", "share", "auc"],
        "rows": [["A", 3, 0.1, 0.7], ["B", 12, 0.2, 0.8], ["C", 40, 0.7, 0.9], ["all", 55, 1.0, 0.8], []],
    }
    shown = Mask(min_cell=11).case(finding(details={"table": table, "rows": [40, 3, 12]}))["details"]
    assert shown["table"]["rows"] == [
        ["(small)", None, None, 0.7],
        ["B", None, None, 0.8],
        ["C", 40, 0.7, 0.9],
        ["all", 55, 1.0, 0.8],
        [None, None, None, None],
    ]
    assert shown["rows"] == [40, None, None]


def test_a_value_of_the_environment_is_shown_by_its_name_in_every_text() -> None:
    mask = Mask(secrets={"READMIT_WARD": "ward seven"})
    shown = mask.case(
        finding(
            because="ward seven asked",
            message="ward seven moved",
            segment="ward seven",
            details={"notes": ["in ward seven"], "ward seven": {"deep": ["ward%20seven"]}},
            waiver={"by": "ward seven", "reason": "r", "until": "2030-01-01"},
        )
    )
    assert "seven" not in str(shown)
    assert shown["message"] == "${READMIT_WARD} moved"
    assert shown["details"] == {
        "notes": ["in ${READMIT_WARD}"],
        "${READMIT_WARD}": {"deep": ["${READMIT_WARD}"]},
    }


@pytest.mark.parametrize(
    ("secret", "text", "shown"),
    [
        ("5", "5 of 50 at 0.5 and 1.5", "${X} of 50 at 0.5 and 1.5"),
        ("0.05", "the limit is 0.05, not 0.0512 or 10.05", "the limit is ${X}, not 0.0512 or 10.05"),
        ("ab", "ab in cab", "${X} in cab"),
        ("abcd", "xabcdx", "x${X}x"),
    ],
)
def test_a_short_secret_or_a_number_is_hidden_only_where_it_stands_alone(
    secret: str, text: str, shown: str
) -> None:
    assert Mask(secrets={"X": secret}).text(text) == shown


def test_the_longer_of_two_secrets_is_hidden_first() -> None:
    mask = Mask(secrets={"A": "alpha", "B": "alphabet"})
    assert mask.text("alphabet alpha") == "${B} ${A}"


def test_an_empty_secret_hides_nothing() -> None:
    assert Mask(secrets={"A": ""}).text("a b") == "a b"


def test_a_text_of_no_suite_hides_the_secrets_of_all() -> None:
    assert (
        mask_of_all([Mask(secrets={"A": "alpha"}), Mask(secrets={"B": "beta"})]).text("alpha beta")
        == "${A} ${B}"
    )


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("s3://bucket/a.parquet", "s3://bucket/a.parquet"),
        ("https://me:pw@host:8443/a/b?token=1#x is gone", "https://host:8443/a/b is gone"),
        ("postgres://u:p@h/db; file", "postgres://h/db; file"),
        ("mysql://u:p?w#d@h/db", "mysql://h/db"),
        ("https://h?token=1", "https://h"),
        ("READ https://a@h/x, https://b@h/y", "READ https://h/x, https://h/y"),
        ("models:/readmission@champion", "models:/readmission@champion"),
    ],
)
def test_a_uri_loses_user_query_and_fragment(text: str, shown: str) -> None:
    assert plain_uris(text) == shown


@given(st.text())
def test_a_printable_text_is_one_line_without_control_characters(text: str) -> None:
    shown = printable(text)
    assert shown.isprintable()
    if text.isprintable():
        assert shown == text


def test_terminal_control_is_escaped_visibly() -> None:
    assert printable("a\x1b[31mred\nline\u202e") == r"a\x1b[31mred\nline\u202e"


SEGMENTED = """\
columns: {target: y, positive_label: 1, score: risk, categorical: [ward, sex], numerical: [age, lab]}
checks:
- data_drift
- data_drift: {id: by-ward, columns: [age, lab, sex], segments: ward}
- missing_drift: {id: missing-by-ward, columns: [age], segments: ward}
- data_drift: {id: by-both, columns: [age], segments: [ward, sex]}
- data_drift: {id: by-some, columns: [lab], segments: {column: ward, values: [ward-0-text, ward-1-text]}}
- unseen_categories
- performance: {metrics: {brier: {max: 0.5}}, segments: sex, id: brier-by-sex}
- performance: {metrics: {brier: {max: 0.5}}, max_missing_label: 1}
"""
MIN_CELL = 11
sizes = st.lists(st.sampled_from([0, 1, 3, 10, 11, 12, 40, 90]), min_size=2, max_size=4)


def table(rows_of: list[int], gaps: dict[str, int]) -> pd.DataFrame:
    """Return patients of some wards; the first so many of each column are missing."""
    wards = [f"ward-{ward}-text" for ward, rows in enumerate(rows_of) for _ in range(rows)]
    wards += ["ward-9-text"] * 30
    rows = range(len(wards))
    made = pd.DataFrame(
        {
            "ward": wards,
            "sex": ["sex-f-text" if row % 7 else "sex-m-text" for row in rows],
            "age": [20.0 + row * 37 % 60 for row in rows],
            "lab": [row * 0.37 % 9 for row in rows],
            "y": [float(row % 2) for row in rows],
            "risk": [0.2 + 0.5 * (row % 3 == 0) for row in rows],
        }
    )
    for column, missing in gaps.items():
        made.loc[made.index[:missing], column] = float("nan")
    return made


def small(number: int) -> bool:
    return 0 < number < MIN_CELL


def of_segments(cases: list[dict[str, Any]], side: str) -> dict[tuple[str, ...], dict[str, int | None]]:
    found: dict[tuple[str, ...], dict[str, int | None]] = {}
    for case in cases:
        if case["segment"] is not None:
            line = found.setdefault((case["entry"], str(case["subject"])), {})
            line[case["segment"]] = case[f"n_{side}"]
    return found


@given(
    before=sizes,
    after=sizes,
    gaps=st.fixed_dictionaries(
        {name: st.sampled_from([0, 2, 10, 15]) for name in ("age", "lab", "y", "risk")}
    ),
)
@settings(
    max_examples=12,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_no_small_number_of_rows_follows_from_a_record(
    tmp_path: Path, before: list[int], after: list[int], gaps: dict[str, int]
) -> None:
    frames = {"reference": table(before, gaps), "current": table(after, gaps)}
    path = tmp_path / "s.yml"
    path.write_text(SEGMENTED)
    made = run_suite(path, data=frames).record
    shown = json.dumps(made) + render(made) + markdown.render(made)
    for column in ("ward", "sex"):
        counts = [frame[column].value_counts() for frame in frames.values()]
        for level in set(counts[0].index) | set(counts[1].index):
            named_by_suite = level in ("ward-0-text", "ward-1-text")
            if not named_by_suite and max(count.get(level, 0) for count in counts) < MIN_CELL:
                assert level not in shown
    for side, frame in frames.items():
        flow = [rows for rows in made["provenance"]["datasets"][side]["flow"].values() if rows is not None]
        assert not any(small(abs(one - other)) for one in flow for other in flow)
        for (entry, subject), line in of_segments(made["cases"], side).items():
            told = [rows for rows in line.values() if rows]
            assert not any(map(small, told))
            whole = len(frame) if entry == "missing-by-ward" else frame.get(subject, frame["y"]).count()
            if entry != "brier-by-sex":
                assert not told or not small(whole - sum(told)), (entry, subject)
        for case in made["cases"]:
            picture = case["details"].get("histogram") if case["segment"] is None else None
            for share in (picture or {}).get(side, ()):
                rows = share * frame[case["subject"]].count()
                assert rows < 0.5 or rows > MIN_CELL - 0.5
