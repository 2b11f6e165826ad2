"""A check is a function; its signature is its YAML."""

import math
import sys
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field
from typing_extensions import TypedDict

from pytest_readmit import registry
from pytest_readmit.claim import Claim, Context
from pytest_readmit.errors import SuiteError
from pytest_readmit.registry import check, load, spec_of
from pytest_readmit.signature import Direction, Duration, Parts, Positive, Share


class Column:
    __readmit_injected__ = "column"


class Dataset:
    __readmit_injected__ = "dataset"


class Limits(TypedDict, total=False):
    min: float
    max: float


@check(kinds=("numerical",), census=True)
def wide(
    reference: Column,
    current: Column,
    context: Context,
    *,
    max: Share | None = None,
    direction: Direction = "either",
    bins: Annotated[int, Field(ge=2)] = 10,
    horizon: Duration = timedelta(days=30),
    ranges: dict[str, tuple[float, float]] = {},  # noqa: B006 - never changed
    metrics: dict[str, Limits] = {},  # noqa: B006 - never changed
    limit: float | Literal["auto"] = "auto",
    names: str | list[str] = "a",
    day: date | None = None,
    ratio: Positive = 1.0,
    copy: bool = False,
    schema: str = "",
) -> Claim:
    """
    Has it moved?

    And more.

    Args:
        max: The most
            that is allowed.
        bins: How many.
    """
    return Claim(estimate=bins)


WIDE = spec_of(wide)


def _said(given: dict[str, Any]) -> list[str]:
    _, faults = WIDE.read(given)
    return [f"{'.'.join(map(str, fault.path))}: {fault.message}{fault.hint}" for fault in faults]


def test_a_check_is_still_the_function_it_was():
    assert wide(None, None, Context(), bins=7).estimate == 7
    assert wide.__name__ == "wide"


def test_the_signature_says_what_is_injected():
    assert WIDE.needs == (("reference", "column"), ("current", "column"))
    assert WIDE.takes_context
    assert WIDE.per_column
    assert WIDE.kinds == ("numerical",)
    assert WIDE.census


def test_defaults_are_filled_in():
    parameters, faults = WIDE.read({})
    assert not faults
    assert parameters == WIDE.defaults
    assert parameters["horizon"] == timedelta(days=30)


@pytest.mark.parametrize(
    ("given", "value"),
    [
        ({"max": 1}, 1.0),
        ({"max": None}, None),
        ({"bins": 3}, 3),
        ({"horizon": "12h"}, timedelta(hours=12)),
        ({"horizon": timedelta(days=2)}, timedelta(days=2)),
        ({"ranges": {"age": [0, 120]}}, {"age": (0.0, 120.0)}),
        ({"metrics": {"auc": {"min": 0.7}, "f1": {}}}, {"auc": {"min": 0.7}, "f1": {}}),
        ({"limit": 2}, 2.0),
        ({"limit": "auto"}, "auto"),
        ({"names": ["a", "b"]}, ["a", "b"]),
        ({"day": "2026-11-01"}, date(2026, 11, 1)),
        ({"copy": True}, True),
        ({"schema": "x"}, "x"),
    ],
)
def test_a_good_value_becomes_a_plain_value(given, value):
    parameters, faults = WIDE.read(given)
    assert not faults
    (name,) = given
    assert parameters[name] == value
    assert type(parameters[name]) is type(value)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"max": True}, "max: must be a number from 0 to 1"),
        ({"max": "0.1"}, "max: must be a number from 0 to 1"),
        ({"max": 1.1}, "max: must be a number from 0 to 1"),
        ({"direction": "upp"}, "direction: must be 'either', 'up' or 'down', did you mean 'up'?"),
        ({"bins": 3.0}, "bins: must be a whole number at least 2"),
        ({"bins": True}, "bins: must be a whole number at least 2"),
        ({"horizon": 30}, "horizon: must be a duration such as 30d, 12h or 45m"),
        ({"horizon": "9" * 30 + "d"}, "horizon: must be a duration such as 30d, 12h or 45m"),
        ({"ranges": {"age": [0]}}, "ranges.age: must be a list of 2 (a number, a number)"),
        ({"ranges": {"age": [0, 1, 2]}}, "ranges.age: must be a list of 2 (a number, a number)"),
        ({"ranges": [0, 1]}, "ranges: must be a mapping of a list of 2 (a number, a number)"),
        ({"metrics": {"auc": {"mim": 1}}}, "metrics.auc.mim: unknown parameter 'mim', did you mean 'min'?"),
        ({"metrics": {"auc": {"min": "a"}}}, "metrics.auc.min: must be a number"),
        ({"limit": "autp"}, "limit: must be a number or 'auto', did you mean 'auto'?"),
        ({"names": [1]}, "names.0: must be text"),
        ({"day": "soon"}, "day: must be a date such as 2026-11-01"),
        ({"ratio": 0}, "ratio: must be a number above 0"),
        ({"copy": 1}, "copy: must be true or false"),
        ({"mx": 1}, "mx: unknown parameter 'mx', did you mean 'max'?"),
        ({"max": math.nan}, ": parameters must be plain values with finite numbers"),
        ({"max": object()}, ": parameters must be plain values with finite numbers"),
    ],
)
def test_a_wrong_value_is_told_in_words(given, said):
    assert _said(given) == [said]


def test_all_wrong_parameters_are_told_at_once():
    assert len(_said({"max": 2, "bins": 1, "nope": 0, "direction": "x"})) == 4


def test_a_required_parameter_must_be_given():
    @check
    def needy(current: Column, *, ranges: dict[str, float], max: float = 1) -> Claim:
        """Needs ranges."""
        raise NotImplementedError

    spec = spec_of(needy)
    _, (fault,) = spec.read({})
    assert (fault.path, fault.message) == (("ranges",), "missing parameter 'ranges': a mapping of a number")
    assert spec.defaults == {"max": 1}


def test_an_annotation_that_yaml_cannot_become_is_told():
    class Own:
        pass

    @check
    def odd(current: Column, *, thing: Own) -> Claim:
        """Odd."""
        raise NotImplementedError

    with pytest.raises(SuiteError, match=r"check .*\.odd: YAML cannot be read as a parameter"):
        spec_of(odd).read({})


def test_notes_of_the_docstring_describe_the_parameters():
    properties = WIDE.json_schema["properties"]
    assert properties["max"]["description"] == "The most that is allowed."
    assert properties["bins"]["description"] == "How many."
    assert properties["horizon"]["default"] == "30d"


@given(st.dictionaries(st.sampled_from(sorted(WIDE.fields)), st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
), max_size=4))  # fmt: skip
def test_any_parameters_are_read_or_told(given):
    parameters, faults = WIDE.read(given)
    assert bool(parameters) != bool(faults)


def test_parts_come_from_a_map_step():
    @check(part=lambda reference, current, **_: 1)
    def shares(parts: Parts, context: Context, *, max: Share = 0.3) -> Claim:
        """Shares."""
        raise NotImplementedError

    spec = spec_of(shares)
    assert spec.needs == (("parts", "parts"),)
    assert spec.part is not None
    assert not spec.per_column


def _refused(source: str) -> str:
    scope: dict[str, Any] = {
        "check": check,
        "Column": Column,
        "Claim": Claim,
        "Context": Context,
        "__name__": "own",
    }
    with pytest.raises(SuiteError) as caught:
        exec(source, scope)
    return str(caught.value)


@pytest.mark.parametrize(
    ("signature", "said"),
    [
        (
            "current: Column, **options: float",
            "`**options: float` would hide misspelt keys; name every parameter",
        ),
        ("*columns: Column", "would hide misspelt keys"),
        (
            "current: Column, max: float = 1",
            "parameter 'max' is neither injected (Column, Dataset, ...) nor keyword-only (after `*`)",
        ),
        ("current: Column, *, max=1", "parameter 'max' has no annotation, so its YAML cannot be checked"),
        ("current: Column, *, id: str = ''", "parameter 'id' is a key of every entry; choose another name"),
        ("current: Column, *, columns: str = ''", "parameter 'columns' is a key of every entry"),
        ("current: 'Colum'", "an annotation cannot be evaluated (NameError: name 'Colum' is not defined)"),
        ("current: Column, how: Context", "call the parameter 'how' 'context'"),
    ],
)
def test_a_signature_that_cannot_be_yaml_is_refused(signature, said):
    found = _refused(f"@check\ndef odd({signature}) -> Claim:\n    ...")
    assert found.startswith("check own.odd: ")
    assert said in found


def test_two_checks_of_one_name_in_one_module_are_refused():
    source = (
        "@check\ndef twice(current: Column) -> Claim: ...\n@check\ndef twice(current: Column) -> Claim: ..."
    )
    assert _refused(source) == "check 'twice' is registered twice, both times by own"


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Return what writes an importable module; it is forgotten afterwards."""
    names: list[str] = []

    def write(name: str, text: str) -> str:
        (tmp_path / f"{name}.py").write_text(
            "from pytest_readmit import Claim, Column, check\n" + text, encoding="utf-8"
        )
        names.append(name)
        return name

    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(registry, "_REGISTERED", dict(registry._REGISTERED))
    monkeypatch.setattr(registry, "_BROUGHT", dict(registry._BROUGHT))
    yield write
    for name in names:
        sys.modules.pop(name, None)


OWN = "@check\ndef {0}(current: Column, *, max: float = 1) -> Claim:\n    '''Own.'''\n    ...\n"


def test_the_built_in_checks_enter_as_anybodys():
    assert {"data_drift", "missing_drift"} <= set(load())


def test_a_module_brings_its_checks(module):
    checks = load([module("own_checks", OWN.format("mine"))])
    assert checks["mine"].module == "own_checks"
    assert "mine" not in load()


def test_a_module_that_was_imported_before_still_brings_its_checks(module):
    name = module("own_again", OWN.format("mine"))
    assert "mine" in load([name])
    assert "mine" in load([name])


def test_a_module_brings_the_checks_of_modules_that_it_imports(module):
    module("own_inner", OWN.format("inner"))
    name = module("own_outer", "import own_inner\n")
    assert load([name])["inner"].module == "own_inner"
    assert "inner" in load([name])


def test_a_module_may_import_a_built_in_check_to_use_it(module):
    name = module(
        "own_user", "from readmit_checks import *\nfrom readmit_checks.missing import missing_drift\n"
    )
    assert load([name])["missing_drift"].module == "readmit_checks.missing"


def test_a_name_registered_twice_is_an_error_naming_both(module):
    name = module("own_copy", OWN.format("missing_drift"))
    with pytest.raises(SuiteError) as caught:
        load([name])
    assert str(caught.value) == (
        "check 'missing_drift' is registered twice: by readmit_checks.missing and by own_copy"
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("1/0\n", "ini readmit_checks: cannot import 'own_bad' (ZeroDivisionError: division by zero)"),
        ("def f(:\n", "ini readmit_checks: cannot import 'own_bad' (SyntaxError: invalid syntax"),
        (
            "@check\ndef odd(current: Column, *, id: str) -> Claim: ...\n",
            "check own_bad.odd: parameter 'id' is a key of every entry",
        ),
    ],
)
def test_a_module_that_cannot_be_imported_is_an_error_naming_the_setting(module, text, said):
    name = module("own_bad", text)
    with pytest.raises(SuiteError) as caught:
        load([name])
    assert str(caught.value).startswith(said)


def test_every_module_that_is_missing_is_told():
    with pytest.raises(SuiteError) as caught:
        load(["nowhere", "also.nowhere"])
    assert str(caught.value).splitlines() == [
        "ini readmit_checks: cannot import 'nowhere' (ModuleNotFoundError: No module named 'nowhere')",
        "ini readmit_checks: cannot import 'also.nowhere' (ModuleNotFoundError: No module named 'also')",
    ]


def test_a_plain_function_is_no_check():
    with pytest.raises(SuiteError, match="'len' is not a check: decorate it with @check"):
        spec_of(len)
