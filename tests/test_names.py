"""A suite becomes cases: which ones, under which ids, sharing which error rate."""

import re

from hypothesis import given
from hypothesis import strategies as st

from pytest_readmit.names import LONGEST_NAME, safe_names


def test_plain_names_stay_as_they_are() -> None:
    assert safe_names(["age", "Number of Discharges", "emp.var.rate", "größe"]) == [
        "age",
        "Number of Discharges",
        "emp.var.rate",
        "größe",
    ]


def test_what_would_break_a_node_id_becomes_an_underscore() -> None:
    assert safe_names(["a[b]", "c::d", "e\\f", "g\nh", "i\u202ej"]) == ["a_b_", "c_d", "e_f", "g_h", "i_j"]


def test_a_clash_is_told_apart_by_a_hash_of_the_true_name() -> None:
    plain, altered = safe_names(["a_b", "a[b"])
    assert plain == "a_b"
    assert re.fullmatch(r"a_b~[0-9a-f]{6}", altered)


def test_a_long_name_is_cut_to_eighty_characters_and_marked() -> None:
    (name,) = safe_names(["x" * 200])
    assert len(name) == LONGEST_NAME
    assert re.fullmatch(r"x+~[0-9a-f]{6}", name)


@given(st.lists(st.text(max_size=100), unique=True, max_size=30))
def test_names_are_unique_short_and_fit_for_node_ids(names) -> None:
    safe = safe_names(names)
    assert len(set(safe)) == len(names)
    for name in safe:
        assert 0 < len(name) <= LONGEST_NAME
        assert "::" not in name
        assert not re.search(r"[\[\]\\\x00-\x1f]", name)


@given(st.lists(st.text(max_size=100), unique=True, max_size=10))
def test_a_name_does_not_depend_on_the_order_of_the_others(names) -> None:
    forward = dict(zip(names, safe_names(names), strict=True))
    backward = dict(zip(names[::-1], safe_names(names[::-1]), strict=True))
    assert forward == backward
