import math
from datetime import date

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from pytest_readmit.data.dataset import Roles
from pytest_readmit.data.source import SourceSpec, open_dataset
from pytest_readmit.errors import DataError

FLOATS = st.lists(st.one_of(st.floats(allow_infinity=False, width=64), st.none()), min_size=1, max_size=60)
INTEGERS = st.lists(
    st.one_of(st.integers(-(2**63), 2**63 - 1), st.integers(-5, 5), st.none()), min_size=1, max_size=60
)
TEXTS = st.lists(st.one_of(st.text(max_size=4), st.none()), min_size=1, max_size=60)


def frame_of(values, tmp_path_factory, how):
    table = pa.table({"x": values})
    if how == "frame":
        return SourceSpec(kind="frame", value="frame", base=tmp_path_factory, frame=table)
    parquet.write_table(table, tmp_path_factory / "t.parquet")
    return SourceSpec(kind="path", value="t.parquet", base=tmp_path_factory)


@pytest.mark.parametrize("how", ["frame", "parquet"])
@settings(max_examples=40, deadline=None)
@given(values=FLOATS)
def test_a_numerical_distribution_is_the_sorted_column(tmp_path_factory, how, values):
    folder = tmp_path_factory.mktemp("floats")
    dataset = open_dataset("d", frame_of(pa.array(values, pa.float64()), folder, how), Roles())
    present = sorted(value for value in values if value is not None and not math.isnan(value))
    distribution = dataset.column("x").distribution
    assert distribution.expanded().tolist() == present
    assert distribution.missing == len(values) - len(present)
    dataset.close()


@pytest.mark.parametrize("how", ["frame", "parquet"])
@settings(max_examples=40, deadline=None)
@given(values=INTEGERS)
def test_whole_numbers_of_any_size_are_counted(tmp_path_factory, how, values):
    folder = tmp_path_factory.mktemp("integers")
    dataset = open_dataset("d", frame_of(pa.array(values, pa.int64()), folder, how), Roles())
    present = sorted(float(value) for value in values if value is not None)
    distribution = dataset.column("x").distribution
    assert distribution.expanded().tolist() == present
    assert distribution.missing == len(values) - len(present)
    dataset.close()


@pytest.mark.parametrize("how", ["frame", "parquet"])
@settings(max_examples=40, deadline=None)
@given(values=TEXTS)
def test_levels_are_counted_sorted_as_text(tmp_path_factory, how, values):
    folder = tmp_path_factory.mktemp("texts")
    dataset = open_dataset("d", frame_of(pa.array(values, pa.string()), folder, how), Roles())
    present = sorted(value for value in values if value is not None)
    distribution = dataset.column("x").distribution
    assert distribution.expanded().tolist() == present
    assert distribution.missing == len(values) - len(present)
    codes = dataset._rows.codes("x")
    assert [codes.levels[code] if code >= 0 else None for code in codes.codes] == values
    dataset.close()


def test_infinite_values_are_an_error_that_counts_them(open_source):
    dataset = open_source({"x": np.array([np.inf, -np.inf, 1.0, np.nan]), "y": np.arange(4)})
    with pytest.raises(DataError, match="column 'x': fewer than 11 infinite values of fewer than 11"):
        dataset.column("x").distribution  # noqa: B018
    assert dataset.column("x").missing().events == 1
    assert dataset.column("y").distribution.n == 4


def test_a_column_wholly_missing_has_no_rows_and_all_missing(open_source):
    dataset = open_source({"x": np.full(3, np.nan), "s": np.array([None] * 3, dtype=object)})
    for name in ("x", "s"):
        column = dataset.column(name)
        assert column.distribution.n == 0
        assert (column.missing().events, column.missing().rows) == (3, 3)
        assert column.share(lambda values: values == 1).rows == 0


def test_missing_and_share_count_rows(open_source):
    dataset = open_source(
        {"x": np.array([1.0, 2.0, np.nan, 9.0]), "s": np.array(["a", "b", None, "a"], dtype=object)}
    )
    assert dataset.column("x").missing().share == 0.25
    outside = dataset.column("x").share(lambda values: values > 5)
    assert (outside.events, outside.rows) == (1, 3)
    of_a = dataset.column("s").share(lambda levels: levels == "a")
    assert (of_a.events, of_a.rows) == (2, 3)


def test_whole_floats_are_integer_like(open_source):
    dataset = open_source(
        {"w": np.array([1.0, np.nan]), "f": np.array([1.5, 2]), "i": np.array([1, 2]), "s": ["a", "b"]}
    )
    assert [dataset.column(name).integer_like for name in "wfis"] == [True, False, True, False]
    assert dataset.column("i").distinct_count(10) == 2
    assert dataset.column("i").distinct_count(1) == 2
    assert open_source({"i": np.arange(50)}).column("i").distinct_count(10) == 11


def test_repr_shows_name_kind_and_rows_only(open_source):
    dataset = open_source({"x": np.array(["CANARY", "b"], dtype=object)}, name="current")
    assert repr(dataset) == "Dataset('current', 1 columns, n=2)"
    assert repr(dataset.column("x")) == "Column('x', categorical, n=2)"
    assert "CANARY" not in str(dataset.column("x"))


def test_an_unknown_column_names_the_source_and_the_nearest(open_source):
    dataset = open_source({"age": np.arange(3)})
    with pytest.raises(DataError, match="frame has no column 'agee', did you mean 'age'"):
        dataset.column("agee")


PATIENTS = {
    "who": np.array([1, 1, 1, 1, 2, 2, 3, 4, 5, 6]),
    "x": np.array([0.0, 0, 0, 0, 1, 1, 5, 6, 7, np.nan]),
    "s": np.array(["a", "a", "a", "a", "b", "b", "c", "a", None, "b"], dtype=object),
}


def test_patients_raise_the_design_effect_of_what_is_the_same_in_all_their_rows(open_source):
    alone = open_source(PATIENTS)
    clustered = open_source(PATIENTS, patient="who")
    for name in ("x", "s"):
        plain, grouped = alone.column(name).distribution, clustered.column(name).distribution
        assert plain.design_effect == 1
        assert plain.units is None
        assert grouped.design_effect > 1.5
        assert grouped.units == 5
        assert grouped.expanded().tolist() == plain.expanded().tolist()


def test_shares_carry_the_patients_behind_them(open_source):
    dataset = open_source(PATIENTS, patient="who")
    zeros = dataset.column("x").share(lambda values: values == 0)
    assert (zeros.events, zeros.rows, zeros.units) == (4, 9, 5)
    assert (zeros.event_units, zeros.non_event_units) == (1, 4)
    assert zeros.design_effect > 1.5
    absent = dataset.column("s").missing()
    assert (absent.events, absent.rows, absent.units, absent.event_units) == (1, 10, 6, 1)


def test_one_row_a_patient_is_as_independent_as_no_patient(open_source):
    frame = {"who": np.arange(50), "x": np.random.default_rng(1).normal(size=50)}
    dataset = open_source(frame, patient="who")
    assert dataset.column("x").distribution.design_effect == pytest.approx(1)
    assert dataset.column("x").share(lambda values: values > 0).design_effect == pytest.approx(1)


def test_rows_without_a_patient_are_patients_of_their_own(open_source):
    frame = {"who": np.array(["a", "a", None, None], dtype=object), "x": np.arange(4)}
    dataset = open_source(frame, patient="who")
    assert dataset.flow["patients"] == 3
    assert dataset.column("x").distribution.units == 3


def test_a_patient_column_that_is_not_there_is_an_error_and_not_independence(open_source):
    dataset = open_source({"subject_id": np.arange(3), "x": np.arange(3)}, patient="subjectid")
    with pytest.raises(
        DataError, match=r"columns\.patient names 'subjectid', which is no column, did you mean"
    ):
        dataset.column("x").distribution  # noqa: B018


def test_patients_give_the_same_answers_from_a_file(tmp_path, open_source):
    rng = np.random.default_rng(3)
    frame = {
        "who": rng.integers(0, 300, 1000).astype(str).astype(object),
        "x": rng.normal(size=1000),
        "s": rng.choice(["a", "b", "c"], 1000).astype(object),
    }
    parquet.write_table(pa.table(frame), tmp_path / "t.parquet")
    one = open_source(frame, patient="who", where="x > -1")
    two = open_source("t.parquet", patient="who", where="x > -1")
    for name in ("x", "s"):
        left, right = one.column(name).distribution, two.column(name).distribution
        assert left.design_effect == pytest.approx(right.design_effect)
        assert left.units == right.units
        assert left.expanded().tolist() == right.expanded().tolist()


def test_times_are_measured_as_days_when_named(open_source):
    dataset = open_source(
        {"t": np.array(["1970-01-01", "1970-01-02T12:00"], dtype="datetime64[m]")}, features=("t",)
    )
    assert dataset.features == ("t",)
    assert dataset.column("t").distribution.expanded().tolist() == [0.0, 1.5]


def test_kinds_of_the_reference_hold_for_the_others(tmp_path, open_source):
    reference = open_source({"n": np.arange(3), "c": ["1", "2", "x"], "t": np.arange(3), "u": np.arange(3)})
    current = open_source(
        {
            "n": np.array(["1", "CANARY", None], dtype=object),
            "c": np.array([1, 2, 3]),
            "t": np.array(["2020-01-01"] * 3, dtype="datetime64[D]"),
            "u": np.array(["1", "2", "3"], dtype=object),
        },
        like=reference,
    )
    assert [field.kind for field in current.fields] == ["numerical", "categorical", "numerical", "numerical"]
    with pytest.raises(DataError, match="fewer than 11 of fewer than 11 values are not numbers"):
        current.column("n").distribution  # noqa: B018
    assert current.column("c").distribution.support.tolist() == ["1", "2", "3"]
    with pytest.raises(DataError, match="'t' holds dates, but numbers in the reference"):
        current.column("t")
    assert current.column("u").distribution.expanded().tolist() == [1, 2, 3]


def test_a_time_zone_on_one_side_only_is_an_error_of_that_column(tmp_path, open_source):
    naive = pd.DataFrame({"t": pd.to_datetime(["2020-01-01"]), "x": [1]})
    zoned = naive.assign(t=naive["t"].dt.tz_localize("Europe/Berlin"))
    parquet.write_table(pa.Table.from_pandas(zoned), tmp_path / "zoned.parquet")
    for source in (zoned, "zoned.parquet"):
        current = open_source(source, like=open_source(naive))
        with pytest.raises(DataError, match="column 't' has a time zone, but none in the reference"):
            current.column("t")
        assert current.column("x").distribution.n == 1
        assert open_source(zoned, like=open_source(source)).column("t").distribution.n == 1


def test_offsets_in_text_are_turned_into_utc(tmp_path, open_source):
    (tmp_path / "t.csv").write_text("t\n1970-01-02T00:00:00+12:00\n1970-01-02T00:00:00Z\n1970-01-02\n")
    frame = {"t": ["1970-01-02T00:00:00+12:00", "1970-01-02T00:00:00Z", "1970-01-02"]}
    assert open_source("t.csv").column("t").distribution.expanded().tolist() == [0.5, 1.0, 1.0]
    late = {"index_time": "t", "horizon": "1h"}
    assert open_source(frame, matured=late, as_of=date(1970, 1, 2)).rows == 1
