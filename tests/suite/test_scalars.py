"""Plain scalars mean what YAML 1.2's core schema says."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_readmit.suite.scalars import NotFinite, resolve


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"),
        ("on", "on"),
        ("Yes", "Yes"),
        ("12:30:45", "12:30:45"),
        ("2026-11-01", "2026-11-01"),
        ("1_000", "1_000"),
        ("1e-3", 0.001),
        ("1e3", 1000.0),
        ("1.0e3", 1000.0),
        (".5", 0.5),
        ("5.", 5.0),
        ("+1", 1),
        ("-0", 0),
        ("010", 10),
        ("0o17", 15),
        ("0x1F", 31),
        ("0b11", "0b11"),
        ("-0x1F", "-0x1F"),
        ("1.2.3", "1.2.3"),
        (".", "."),
        ("-", "-"),
        ("e5", "e5"),
        ("true", True),
        ("True", True),
        ("FALSE", False),
        ("tRUE", "tRUE"),
        ("~", None),
        ("", None),
        ("NULL", None),
        ("nUll", "nUll"),
        ("inf", "inf"),
        ("nan", "nan"),
        ("1" * 300, int("1" * 300)),
        ("٣", "٣"),
    ],
)
def test_a_plain_scalar_resolves_by_the_core_schema(text: str, value: Any) -> None:
    assert resolve(text) == value
    assert type(resolve(text)) is type(value)


@pytest.mark.parametrize(
    "text",
    [".inf", "-.INF", "+.Inf", ".nan", ".NaN", "1e999", "-1e400", "1" * 309, "1" * 5000, "0x" + "F" * 390],
)
def test_a_number_that_is_not_finite_is_refused(text: str) -> None:
    with pytest.raises(NotFinite):
        resolve(text)


@given(st.floats(allow_nan=False, allow_infinity=False, width=64).filter(lambda x: abs(x) < 1e308))
def test_every_finite_float_survives(value: float) -> None:
    assert resolve(repr(value)) == value


@given(st.text(max_size=30))
def test_any_text_resolves_or_is_not_finite(text: str) -> None:
    try:
        value = resolve(text)
    except NotFinite:
        return
    assert value is None or isinstance(value, str | int | float | bool)
