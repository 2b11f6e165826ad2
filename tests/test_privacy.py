"""What stands between a Finding and every output."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_readmit.claim import Finding
from pytest_readmit.privacy import Mask, mask_of_all, plain_uris, printable


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
        "table": {"columns": ["category", "rows", "share"], "rows": [["A", 3, 0.5], ["B", 12, 0.5]]},
    }
    shown = Mask(min_cell=11).case(finding(details=details))["details"]
    assert shown == {
        **details,
        "n_new": None,
        "events": None,
        "someones_own_key": None,
        "effective_size": None,
        "table": {"columns": ["category", "rows", "share"], "rows": [["A", None, 0.5], ["B", 12, 0.5]]},
    }


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
