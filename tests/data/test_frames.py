import decimal
from datetime import UTC, date, datetime, time

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from pytest_readmit.errors import DataError


def cases(columns):
    return [pytest.param(column, id=f"{i}-{column.dtype}") for i, column in enumerate(columns)]


def held(dataset, name):
    distribution = dataset.column(name).distribution
    return distribution.expanded().tolist(), distribution.missing


NUMBERS = [
    pd.Series([2.0, None, 1.0]),
    pd.Series([2, None, 1], dtype="Int64"),
    pd.Series([2, None, 1], dtype="UInt8"),
    pd.Series([2, None, 1], dtype="Float32"),
    pd.Series([2, None, 1], dtype="int64[pyarrow]"),
    pd.Series([2, None, 1], dtype="double[pyarrow]"),
    pd.Series([decimal.Decimal(2), None, decimal.Decimal(1)]),
    pd.Series([2, None, 1.0], dtype=object),
    pd.Series([np.int32(2), pd.NA, 1], dtype=object),
    pd.Series([decimal.Decimal(2), None, decimal.Decimal(1)], dtype=pd.ArrowDtype(pa.decimal128(8, 2))),
    np.array([2.0, np.nan, 1.0]),
    np.array([2.0, np.nan, 1.0], dtype=np.float32),
    np.array([2, None, 1], dtype=object),
    np.ma.masked_array([2, 9, 1], mask=[0, 1, 0]),
    np.ma.masked_array([2.0, 9, 1], mask=[0, 1, 0]),
]
TEXTS = [
    pd.Series(["b", None, "a"]),
    pd.Series(["b", None, "a"], dtype=object),
    pd.Series(["b", None, "a"], dtype="string"),
    pd.Series(["b", None, "a"], dtype="string[pyarrow]"),
    pd.Series(["b", None, "a"], dtype=pd.ArrowDtype(pa.large_string())),
    pd.Series(["b", np.nan, "a"], dtype="category"),
    pd.Series(pd.Categorical(["b", None, "a"], categories=["z", "b", "unused", "a"])),
    np.array(["b", None, "a"], dtype=object),
    np.array(["b", np.nan, "a"], dtype=object),
    np.ma.masked_array(["b", "x", "a"], mask=[0, 1, 0]),
]
BOOLEANS = [
    pd.Series([True, None, False]),
    pd.Series([True, None, False], dtype="boolean"),
    pd.Series([True, None, False], dtype="bool[pyarrow]"),
    np.array([True, None, False], dtype=object),
    np.ma.masked_array([True, True, False], mask=[0, 1, 0]),
]
TIMES = [
    pd.Series(pd.to_datetime(["1970-01-02", None, "1970-01-01"])),
    pd.Series(pd.to_datetime(["1970-01-02", None, "1970-01-01"])).astype("datetime64[ns]"),
    pd.Series(pd.to_datetime(["1970-01-02", None, "1970-01-01"], utc=True)),
    pd.Series(pd.to_datetime(["1970-01-02 02:00+02:00", None, "1970-01-01 02:00+02:00"])),
    pd.Series([date(1970, 1, 2), None, date(1970, 1, 1)]),
    pd.Series([datetime(1970, 1, 2, tzinfo=UTC), None, datetime(1970, 1, 1, tzinfo=UTC)], dtype=object),
    pd.Series([date(1970, 1, 2), None, date(1970, 1, 1)], dtype=pd.ArrowDtype(pa.date32())),
    pd.Series(pd.PeriodIndex(["1970-01-02", "NaT", "1970-01-01"], freq="D")),
    np.array(["1970-01-02", "NaT", "1970-01-01"], dtype="datetime64[s]"),
    np.array(["1970-01-02", "NaT", "1970-01-01"], dtype="datetime64[D]"),
]


@pytest.mark.parametrize("values", cases(NUMBERS))
def test_numbers_of_every_type_are_numerical(open_source, values):
    dataset = open_source({"x": values})
    assert dataset.field("x").kind == "numerical"
    assert held(dataset, "x") == ([1.0, 2.0], 1)


@pytest.mark.parametrize("values", cases(TEXTS))
def test_texts_of_every_type_are_categorical_with_the_levels_that_occur(open_source, values):
    dataset = open_source({"x": values})
    assert dataset.field("x").kind == "categorical"
    assert held(dataset, "x") == (["a", "b"], 1)


@pytest.mark.parametrize("values", cases(BOOLEANS))
def test_booleans_of_every_type_are_two_level_categories_and_missing_stays_missing(open_source, values):
    dataset = open_source({"x": values})
    assert dataset.field("x").kind == "categorical"
    assert held(dataset, "x") == (["false", "true"], 1)


@pytest.mark.parametrize("values", cases(TIMES))
def test_times_of_every_type_are_days_since_1970_and_no_features(open_source, values):
    dataset = open_source({"x": values, "y": np.arange(3)})
    assert dataset.field("x").kind == "time"
    assert dataset.features == ("y",)
    assert dict(dataset.left_out) == {"x": "date or time"}
    assert held(dataset, "x") == ([0.0, 1.0], 1)


OTHERS = [
    pd.Series([[1], [2], None]),
    pd.Series([{"a": 1}, {}, None]),
    pd.Series([b"x", b"y", None]),
    pd.Series([1j, 2j, 3j]),
    pd.Series([time(10), None, time(11)]),
    pd.Series(pd.to_timedelta(["1D", None, "2D"])),
    pd.Series(pd.interval_range(0, 3)),
    np.array([1j, 2j, 3j]),
    np.array([b"x", b"y", b"z"]),
]


@pytest.mark.parametrize("values", cases(OTHERS))
def test_values_of_any_other_type_are_left_out_and_do_not_stop_the_others(open_source, values):
    dataset = open_source({"x": values, "y": np.arange(3)})
    assert dataset.features == ("y",)
    assert held(dataset, "y") == ([0.0, 1.0, 2.0], 0)
    with pytest.raises(DataError, match="'x' holds nested values"):
        held(dataset, "x")


def test_texts_mixed_with_numbers_are_compared_as_text(open_source):
    dataset = open_source(pd.DataFrame({"x": pd.Series([1, "1", 2.0, "b", True, None], dtype=object)}))
    assert held(dataset, "x") == (["1", "1", "2", "b", "true"], 1)
    assert dataset.column("x").note == "holds texts and other values, compared as text"


def test_the_caller_s_values_stay_as_they_are(open_source):
    frame = {"x": np.array([3.0, np.nan, 1.0]), "i": np.array([3, 1, 2])}
    table = pd.DataFrame(frame)
    for source in (frame, table):
        dataset = open_source(source)
        assert held(dataset, "x") == ([1.0, 3.0], 1)
        assert held(dataset, "i") == ([1.0, 2.0, 3.0], 0)
    np.testing.assert_array_equal(frame["x"], [3.0, np.nan, 1.0])
    np.testing.assert_array_equal(frame["i"], [3, 1, 2])
    assert table["x"].tolist()[0] == 3.0


def test_numeric_categories_are_their_text_without_point_zero(open_source):
    frame = pd.DataFrame({"i": pd.Categorical([8, 1, 8]), "f": pd.Categorical([8.0, 1.5, None])})
    dataset = open_source(frame)
    assert held(dataset, "i") == (["1", "8", "8"], 0)
    assert held(dataset, "f") == (["1.5", "8"], 1)


def test_numeric_codes_named_categorical_are_their_text(open_source):
    frame = {"i": np.array([8, 1, 10]), "f": np.array([8.0, np.nan, 10.0]), "h": np.array([0.5, 2, 2])}
    dataset = open_source(frame, categorical=("i", "f", "h"))
    assert held(dataset, "i") == (["1", "10", "8"], 0)
    assert held(dataset, "f") == (["10", "8"], 1)
    assert held(dataset, "h") == (["0.5", "2", "2"], 0)


def test_text_named_numerical_must_be_numbers(open_source):
    frame = {
        "ok": np.array(["12.0", " 7", None], dtype=object),
        "bad": np.array(["12", "CANARY", None], dtype=object),
    }
    dataset = open_source(frame, numerical=("ok", "bad"))
    assert held(dataset, "ok") == ([7.0, 12.0], 1)
    with pytest.raises(
        DataError, match="column 'bad': fewer than 11 of fewer than 11 values are not numbers"
    ) as caught:
        held(dataset, "bad")
    assert "CANARY" not in str(caught.value)


def test_column_names_that_are_no_text_are_their_text(open_source):
    frame = pd.DataFrame([[1.0, 2.0, 3.0]], columns=[0, ("a", "b"), 1.5])
    dataset = open_source(frame)
    assert dataset.features == ("0", "('a', 'b')", "1.5")
    assert held(dataset, "0") == ([1.0], 0)


def test_two_columns_of_one_name_are_an_error(open_source):
    with pytest.raises(DataError, match="two columns are named '1'"):
        open_source(pd.DataFrame([[1, 2]], columns=[1, "1"]))
    with pytest.raises(DataError, match="two columns are named 'a'"):
        open_source(pd.DataFrame([[1, 2]], columns=["a", "a"]))


def test_frames_that_are_none_say_what_to_give(open_source):
    with pytest.raises(
        DataError, match=r"frame is no table \(list\); give a pandas or Arrow frame or a mapping"
    ):
        open_source([1, 2])
    with pytest.raises(DataError, match="different lengths"):
        open_source({"a": [1], "b": [1, 2]})
    with pytest.raises(DataError, match="not one-dimensional"):
        open_source({"a": np.zeros((2, 2))})
    with pytest.raises(DataError, match="holds 0 rows"):
        open_source(pd.DataFrame({"a": []}))
    with pytest.raises(DataError, match="holds 0 rows"):
        open_source({})


def test_an_arrow_table_keeps_whole_numbers_and_booleans(open_source):
    table = pa.table(
        {
            "id": [2**60 + 1, None, 2**60 + 2],
            "flag": [True, None, False],
            "level": pa.array(["x", None, "x"]).dictionary_encode(),
        }
    )
    dataset = open_source(table, id="id")
    assert dataset.field("id").integer
    assert dataset.duplicates(["id"]) == 0
    assert held(dataset, "flag") == (["false", "true"], 1)
    assert held(dataset, "level") == (["x", "x"], 1)


def test_the_same_values_have_the_same_digest_whatever_holds_them(open_source):
    one = open_source(pd.DataFrame({"a": [1.0, None], "b": ["x", None]}))
    two = open_source({"a": np.array([1.0, np.nan]), "b": np.array(["x", None], dtype=object)})
    other = open_source({"a": np.array([1.0, np.nan]), "b": np.array(["y", None], dtype=object)})
    assert one.digest() == two.digest() != other.digest()
    assert len(one.digest()) == 64


def test_demo_opens_by_its_entry_point(open_source):
    dataset = open_source("reference", kind="demo", patient="subject_id")
    assert dataset.rows == 20_000
    assert dataset.flow["patients"] < 20_000
    assert len(dataset.digest()) == 64
    with pytest.raises(DataError):
        open_source("nonsense", kind="demo")


def test_an_unknown_kind_of_source_names_the_nearest(open_source):
    with pytest.raises(DataError, match="unknown kind of source 'demos', did you mean 'demo'"):
        open_source("reference", kind="demos")
