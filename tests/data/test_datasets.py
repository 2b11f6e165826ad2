from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from pytest_readmit.errors import DataError

FRAME = {
    "subject_id": np.array([1, 1, 2, 3]),
    "hadm_id": np.array([10, 11, 12, 12]),
    "admittime": np.array(["2026-01-01", "2026-02-01", "2026-03-01", "NaT"], dtype="datetime64[D]"),
    "age": np.array([50, 51, 60, 70]),
    "sex": np.array(["F", "F", "M", None], dtype=object),
    "kind": np.array([1, 2, 2, 1]),
    "note": np.array(["a", "b", "c", "d"], dtype=object),
    "y": np.array([0, 1, 0, 1]),
    "risk": np.array([0.1, 0.2, 0.3, 0.4]),
}
ROLES = {
    "patient": "subject_id",
    "id": "hadm_id",
    "time": "admittime",
    "target": "y",
    "score": "risk",
    "sensitive": ("sex",),
    "categorical": ("kind",),
    "ignore": ("note",),
}


def test_features_are_what_has_no_other_role(open_source):
    dataset = open_source(FRAME, **ROLES)
    assert dataset.features == ("age", "sex", "kind")
    assert dict(dataset.left_out) == {
        "subject_id": "patient",
        "hadm_id": "id",
        "admittime": "time",
        "note": "ignore",
        "y": "target",
        "risk": "score",
    }
    assert dataset.field("kind").kind == "categorical"
    assert [dataset.column(name).classified for name in ("kind", "age", "risk")] == [True, False, True]


def test_named_features_are_taken_as_they_are(open_source):
    dataset = open_source(FRAME, features=("age", "gone", "admittime"), target="y")
    assert dataset.features == ("age", "gone", "admittime")
    assert dataset.left_out["sex"] == "not in columns.features"
    assert dataset.left_out["y"] == "target"
    with pytest.raises(DataError, match="no column 'gone'"):
        dataset.column("gone")


def test_a_role_is_a_column_or_an_error_that_names_the_key(open_source):
    dataset = open_source(FRAME, score="risk")
    assert dataset.role("score").name == "risk"
    with pytest.raises(DataError, match=r"columns\.target is not set in the suite"):
        dataset.role("target")


def test_duplicates_are_rows_beyond_the_first_of_a_key(open_source):
    dataset = open_source(FRAME)
    assert dataset.duplicates(["hadm_id"]) == 1
    assert dataset.duplicates(["subject_id"]) == 1
    assert dataset.duplicates(["subject_id", "hadm_id"]) == 0
    assert dataset.duplicates(["sex", "kind"]) == 0
    assert dataset.duplicates(["sex"]) == 1
    assert dataset.duplicates(["admittime"]) == 0
    with pytest.raises(DataError, match="no column 'hadm', did you mean 'hadm_id'"):
        dataset.duplicates(["hadm"])


def test_missing_keys_are_equal_to_each_other(open_source):
    frame = {"f": np.array([1.0, np.nan, np.nan]), "s": np.array([None, None, "x"], dtype=object)}
    frame["i"] = np.ma.masked_array([1, 7, 8], mask=[0, 1, 1])
    dataset = open_source(frame)
    assert [dataset.duplicates([name]) for name in "fsi"] == [1, 1, 1]


def test_large_whole_numbers_are_different_keys(tmp_path, open_source):
    parquet.write_table(pa.table({"id": [2**60, 2**60 + 1, 2**60 + 1]}), tmp_path / "t.parquet")
    assert open_source("t.parquet").duplicates(["id"]) == 1


def test_patients_in_common_are_found_whatever_their_type(tmp_path, open_source):
    mine = open_source(FRAME, patient="subject_id")
    theirs = open_source({"subject_id": ["2", "3", "9", "9"]}, patient="subject_id")
    floats = open_source({"subject_id": np.array([3.0, np.nan])}, patient="subject_id")
    assert mine.patients_in_common(theirs) == (2, 3)
    assert theirs.patients_in_common(mine) == (2, 3)
    assert mine.patients_in_common(floats) == (1, 1)
    with pytest.raises(DataError, match=r"columns\.patient is not set"):
        open_source(FRAME).patients_in_common(mine)


def test_immature_rows_are_those_whose_outcome_cannot_be_known(open_source):
    dataset = open_source(FRAME)
    young = dataset.immature("admittime", timedelta(days=30), date(2026, 3, 3))
    assert (young.events, young.rows) == (2, 4)
    assert dataset.immature("admittime", timedelta(days=30), date(2026, 3, 2)).events == 3
    with pytest.raises(DataError, match="'age' holds no dates"):
        dataset.immature("age", timedelta(days=30), date(2026, 3, 3))
    with pytest.raises(DataError, match="no column 'admit', did you mean 'admittime'"):
        dataset.immature("admit", timedelta(days=30), date(2026, 3, 3))
    texts = open_source({"t": ["2026-01-01", "2026-06-01T10:00"], "u": ["01/02/2026", "2026-01-01"]})
    assert texts.immature("t", timedelta(days=30), date(2026, 6, 2)).events == 1
    with pytest.raises(DataError, match="'u': fewer than 11 of fewer than 11 values are not dates"):
        texts.immature("u", timedelta(days=30), date(2026, 6, 2))


def test_matured_drops_and_counts_rows(open_source):
    matured = {"horizon": "30d", "index_time": "admittime"}
    dataset = open_source(
        FRAME, matured=matured, as_of=date(2026, 3, 3), where="age > 50", patient="subject_id"
    )
    assert dataset.flow == {"read": 4, "where": 3, "matured": 1, "patients": 1}
    assert dataset.column("age").distribution.expanded().tolist() == [51]
    with pytest.raises(DataError, match="none of fewer than 11 rows is old enough"):
        open_source(FRAME, matured=matured, as_of=date(2026, 1, 3))
    with pytest.raises(DataError, match=r"matured\.index_time names 'admit', which is no column"):
        open_source(FRAME, matured={"horizon": "30d", "index_time": "admit"})
    with pytest.raises(DataError, match="'thirty' is not a duration"):
        open_source(FRAME, matured={"horizon": "thirty", "index_time": "admittime"})


@pytest.mark.parametrize("how", ["frame", "file"])
def test_segments_hold_the_rows_of_a_value(tmp_path, open_source, how):
    source = FRAME
    if how == "file":
        columns = {name: pa.array(values, from_pandas=True) for name, values in FRAME.items()}
        parquet.write_table(pa.table(columns), tmp_path / "t.parquet")
        source = "t.parquet"
    dataset = open_source(source, patient="subject_id", target="y", positive_label=1)
    assert dataset.values("sex") == ["(missing)", "F", "M"]
    assert dataset.values("kind") == ["1", "2"]
    women = dataset.segment({"sex": "F"})
    assert women is dataset.segment({"sex": "F"})
    assert women.rows == 2
    assert women.column("age").distribution.expanded().tolist() == [50, 51]
    assert women.column("age").distribution.units == 1
    assert women.labels().proportion.share == 0.5
    assert dataset.segment({"sex": "(missing)"}).column("age").distribution.expanded().tolist() == [70]
    both = dataset.segment({"sex": "F", "kind": "2"})
    assert both.column("age").distribution.expanded().tolist() == [51]
    assert both.column("sex").distribution.distinct()[1].tolist() == [1]
    assert dataset.segment({"sex": "X"}).rows == 0
    assert dataset.segment({"sex": "X"}).column("age").distribution.n == 0
    assert dataset.column("age").distribution.n == 4
    dataset.release("age")
    assert women.column("age").distribution.n == 2


def test_segments_of_filtered_data_keep_the_filter(open_source):
    dataset = open_source(FRAME, where="age > 50")
    assert dataset.values("sex") == ["(missing)", "F", "M"]
    assert dataset.segment({"sex": "F"}).rows == 1
    assert open_source(FRAME, where="age < 60").values("sex") == ["F"]


def test_more_than_fifty_values_are_too_many_for_segments(open_source):
    dataset = open_source({"zip": np.arange(51), "ok": np.arange(51) % 50})
    assert len(dataset.values("ok")) == 50
    with pytest.raises(DataError, match="column 'zip' has 51 values; segments take at most 50"):
        dataset.values("zip")


def test_no_message_ever_quotes_a_cell(tmp_path, open_source):
    (tmp_path / "r.csv").write_text("a,b,c,d,when\n1,2,true,x,2020-01-01\n")
    (tmp_path / "c.csv").write_text("a,b,c,d,when\n" + "CANARY," * 4 + "CANARY\n1,2,true,x,2020-01-01\n")
    (tmp_path / "ragged.csv").write_text("a,b\n1,2\nCANARY\n")
    (tmp_path / "bad.jsonl").write_text('{"a": CANARY}\n')
    reference = open_source("r.csv")
    current = open_source(
        "c.csv", like=reference, target="d", positive_label="x", negative_label="y", patient="d"
    )
    attempts = [
        lambda: current.column("a"),
        lambda: current.column("b"),
        lambda: current.column("c"),
        lambda: current.column("when"),
        lambda: current.immature("when", timedelta(days=1), date(2026, 1, 1)),
        current.labels,
        lambda: open_source("ragged.csv"),
        lambda: open_source("bad.jsonl"),
        lambda: open_source("c.csv", where="a > 1"),
        lambda: open_source("c.csv", where="a::int > 1"),
        lambda: open_source("c.csv", numerical=("a",)).column("a").distribution,
        lambda: open_source("c.csv", matured={"index_time": "when", "horizon": "1d"}),
    ]
    for attempt in attempts:
        with pytest.raises(DataError) as caught:
            attempt()
        error: BaseException | None = caught.value
        assert "CANARY" not in str(error)
        assert error.__cause__ is None
        assert error.__suppress_context__ or error.__context__ is None


def test_a_mimic_table_opens_as_it_is(open_source):
    import os
    from pathlib import Path

    shared = Path(os.environ.get("READMIT_SHARED_DATA", Path(__file__).parents[3] / "shared" / "data"))
    path = shared / "mimic_iv_demo_2.2" / "hosp" / "admissions.parquet"
    if not path.is_file():
        pytest.skip("the shared data are not here")
    dataset = open_source(str(path), patient="subject_id", id="hadm_id")
    assert dataset.rows == 275
    assert dataset.flow["patients"] == 100
    assert dataset.left_out["admittime"] == "date or time"
    assert all(dataset.column(name).distribution.n <= 275 for name in dataset.features)
