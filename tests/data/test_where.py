import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from pytest_readmit.errors import DataError

ROWS = {
    "age": np.array([17, 40, 80]),
    "sex": np.array(["F", "M", None], dtype=object),
    "when": np.array(["2020-01-01", "2021-06-01", "NaT"], dtype="datetime64[us]"),
    "ok": np.array([True, False, True]),
    "a.b": np.array([0.5, np.nan, 2.0]),
}


@pytest.fixture(params=["frame", "parquet"])
def source(request, tmp_path):
    if request.param == "frame":
        return dict(ROWS)
    parquet.write_table(
        pa.table({name: pa.array(values, from_pandas=True) for name, values in ROWS.items()}),
        tmp_path / "t.parquet",
    )
    (tmp_path / "other.csv").write_text("a\n1\n")
    return "t.parquet"


@pytest.mark.parametrize(
    ("where", "kept"),
    [
        ("age >= 18", [40, 80]),
        ("AGE >= 18 and Sex = 'M'", [40]),
        ("age between 18 and 80", [40, 80]),
        ("age in (17, 80)", [17, 80]),
        ("not ok", [40]),
        ("ok", [17, 80]),
        ("sex is null or sex <> 'F'", [40, 80]),
        ("sex <> 'F'", [40]),
        ("sex like 'F%' or sex ilike 'm'", [17, 40]),
        ("coalesce(sex, '?') = '?'", [80]),
        ("\"when\" >= date '2021-01-01'", [40]),
        ("\"when\" + interval 30 day < '2020-03-01'", [17]),
        ('extract(year from "when") = 2021', [40]),
        ('"a.b" > 1', [80]),
        ("case when age > 50 then ok else false end", [80]),
        ("age % 2 = 0 and abs(-age) > 50", [80]),
        ("sex = '--x;' or age = 17", [17]),
        ("starts_with(sex, 'M')", [40]),
        ("age::varchar = '40'", [40]),
        ("true", [17, 40, 80]),
    ],
)
def test_rows_are_kept_where_the_expression_is_true(open_source, source, where, kept):
    dataset = open_source(source, where=where)
    assert dataset.column("age").distribution.expanded().tolist() == kept
    assert dataset.flow["read"] == 3
    assert dataset.flow["where"] == len(kept) == dataset.rows


ATTACKS = {
    "another file": "age > (select count(*) from 'other.csv')",
    "another table": "age in (select age from data)",
    "a table function": "exists (from read_csv('other.csv'))",
    "a scalar file function": "read_text('/etc/passwd') is null",
    "copy": "1=1; copy (select 1) to 'stolen.csv'",
    "attach": "1=1; attach 'stolen.db'",
    "install": "1=1; install httpfs",
    "load": "1=1; load httpfs",
    "set": "1=1; set threads = 1",
    "pragma": "1=1; pragma database_list",
    "drop": "1=1; DROP VIEW data",
    "random": "random() > 0.5",
    "uuid": "uuid() is not null",
    "the clock": 'now() > "when"',
    "today": 'today() > "when"',
    "current_date": 'current_date > "when"',
    "the environment": "getenv('HOME') is not null",
    "settings": "current_setting('threads') > 0",
    "version": "version() is not null",
    "current_user": "current_user = 'x'",
    "a variable": "getvariable('x') is null",
    "a sequence": "nextval('s') > 0",
    "python objects": "exists (select 1 from ROWS)",
    "a glob": "exists (select 1 from '*.csv')",
    "a comment": "age > 18 -- and sex = 'F'",
    "a block comment": "age > 18 /* x */",
    "a closing bracket": "true) from data where (true",
    "two questions": "true, false",
    "a union": "true union select false",
    "an aggregate": "count(*) > 1",
    "another aggregate": "age > avg(age)",
    "a window": "row_number() over () < 2",
    "a lambda": "list_transform([1], x -> x) is not null",
    "all columns": "COLUMNS(*) > 1",
    "a column number": "#1 > 1",
    "sleep": "sleep_ms(1000) is null",
    "an error that talks": "error('x')",
    "a catalog type": "'data'::regclass is not null",
    "dollar quotes": "sex = $$F$$",
    "a filter": "sum(age) filter (age > 1) > 2",
    "a qualified name": "main.data.c0 > 1",
    "the engine's own names": "c0 > 1",
    "a positional parameter": "age > ?",
    "an alias": "age > 1 as x",
    "nothing": "   ",
    "half an expression": "age >",
    "an open quote": "sex = 'F",
}


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS)
def test_what_is_not_one_question_about_a_row_is_refused(open_source, source, tmp_path, attack):
    before = sorted(tmp_path.iterdir())
    with pytest.raises(DataError, match="where") as caught:
        open_source(source, where=attack)
    assert sorted(tmp_path.iterdir()) == before
    assert "Error" not in str(caught.value)


def test_the_engine_itself_can_read_only_its_own_files(tmp_path, open_source):
    (tmp_path / "other.csv").write_text("a\n1\n")
    parquet.write_table(pa.table({"a": [1]}), tmp_path / "t.parquet")
    engine = open_source("t.parquet")._store.table.engine
    assert engine.rows("SELECT count(*) FROM data") == [(1,)]
    statements = [
        f"SELECT * FROM '{tmp_path}/other.csv'",
        f"SELECT * FROM read_csv('{tmp_path}/*.csv')",
        "SELECT * FROM read_text('/etc/passwd')",
        "SELECT * FROM glob('/*')",
        f"COPY (SELECT 1) TO '{tmp_path}/stolen.csv'",
        f"ATTACH '{tmp_path}/stolen.db'",
        f"EXPORT DATABASE '{tmp_path}/stolen'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET threads = 1",
        "SET enable_external_access = true",
        "RESET lock_configuration",
        "SET allowed_directories = ['/']",
        "SELECT * FROM ROWS",
    ]
    for statement in statements:
        with pytest.raises(DataError):
            engine.run(statement)
    assert not list(tmp_path.glob("stolen*"))


def test_values_are_bound_and_never_spliced(open_source, source):
    assert open_source(source, where="age >= $MIN", parameters={"MIN": "18"}).rows == 2
    assert open_source(source, where="sex = $SEX", parameters={"SEX": "F", "OTHER": "x"}).rows == 1
    with pytest.raises(DataError, match="where keeps 0 of fewer than 11 rows"):
        open_source(source, where="sex = $SEX", parameters={"SEX": "' or '1'='1"})
    with pytest.raises(DataError, match=r"where uses \$SEX"):
        open_source(source, where="sex = $SEX")
    with pytest.raises(DataError, match="cannot be evaluated") as caught:
        open_source(source, where="age >= $MIN", parameters={"MIN": "hunter2"})
    assert "hunter2" not in str(caught.value)


def test_an_unknown_column_names_the_nearest(open_source, source):
    with pytest.raises(DataError, match="where names 'agee', which is no column, did you mean 'age'"):
        open_source(source, where="agee > 1")
    with pytest.raises(DataError, match="if it is a text, put it in single quotes: 'M'"):
        open_source(source, where="sex = M")
    with pytest.raises(DataError, match="write it in double quotes"):
        open_source(source, where="a.b > 1")


def test_columns_that_differ_in_letter_case_alone_are_not_taken_for_one(open_source, tmp_path):
    columns = {"A": np.array([1, 3]), "a": np.array([2, 4])}
    parquet.write_table(pa.table(columns), tmp_path / "twins.parquet")
    (tmp_path / "twins.csv").write_text("A,a\n1,2\n3,4\n")
    for source in (columns, "twins.parquet", "twins.csv"):
        assert open_source(source, where="a = 4").rows == open_source(source, where="A = 3").rows == 1
        with pytest.raises(DataError, match="where names 'A' and 'a', which differ in letter case alone"):
            open_source(source, where='"A" < 2 and "a" > 1')


def test_what_is_no_question_is_refused(open_source, source):
    for where in ("age", "sex", "null", "age + 1"):
        with pytest.raises(DataError, match="not a yes-or-no question"):
            open_source(source, where=where)


def test_an_expression_that_the_data_defeat_quotes_nothing(open_source):
    frame = {"x": np.array(["CANARY", "1"], dtype=object)}
    with pytest.raises(DataError, match="where cannot be evaluated") as caught:
        open_source(frame, where="x::int > 0")
    assert "CANARY" not in str(caught.value)


def test_no_row_left_is_an_error_with_both_counts(open_source, source):
    with pytest.raises(DataError, match="where keeps 0 of fewer than 11 rows"):
        open_source(source, where="age > 200")
