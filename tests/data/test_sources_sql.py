from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pytest

from pytest_readmit import run_suite
from pytest_readmit.errors import SuiteError


class Project:
    """A suite beside a database."""

    def __init__(self, folder: Path) -> None:
        self.path = folder
        with duckdb.connect(str(folder / "ward.duckdb")) as database:
            database.execute(
                "CREATE TABLE visits AS SELECT i AS id, i % 7 AS age, (i % 5)::DECIMAL(9, 2) AS cost, "
                "CASE WHEN i % 10 = 0 THEN NULL ELSE 'CANARY' || (i % 3) END AS ward, "
                "DATE '2024-01-01' + (i % 300)::INTEGER AS day, i % 2 = 0 AS urgent FROM range(1000) AS t(i)"
            )
            database.execute("CREATE VIEW young AS SELECT * FROM visits WHERE age < 3")

    def run(self, source: str, checks: str = "[{unique: {on: current, columns: [id]}}]", **more: Any) -> Any:
        path = self.path / "s.yml"
        path.write_text(f"data:\n  current: {source}\nchecks: {checks}\n")
        return run_suite(path, **more)

    def query(self, sql: str, more: str = "", **given: Any) -> Any:
        return self.run(f"{{sql: {sql!r}, connect: 'duckdb:ward.duckdb'{more}}}", **given)

    def facts(self, sql: str, more: str = "", **given: Any) -> dict[str, Any]:
        found = self.query(sql, more, **given)
        assert [one.verdict for one in found.findings] == ["pass"], found.findings[0].message
        facts: dict[str, Any] = found.record["provenance"]["datasets"]["current"]
        return facts

    def refused(self, sql: str, more: str = "", **given: Any) -> str:
        (found,) = self.query(sql, more, **given).findings
        assert found.verdict == "error"
        assert str(self.path) not in found.message
        assert "CANARY" not in found.message
        return str(found.message)

    def problem(self, source: str, **more: Any) -> str:
        with pytest.raises(SuiteError) as caught:
            self.run(source, **more)
        return str(caught.value)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def test_a_query_is_a_dataset(project: Project) -> None:
    facts = project.facts("SELECT * FROM visits")
    assert (facts["source"], facts["version"], facts["columns"]) == ("sql on duckdb:ward.duckdb", None, 6)
    assert facts["flow"]["read"] == 1000
    assert len(facts["sha256"]) == 64


def test_the_digest_tells_the_rows_and_nothing_else(project: Project) -> None:
    def digest(sql: str) -> str:
        return str(project.facts(sql)["sha256"])

    one = digest("SELECT id, ward FROM visits ORDER BY id")
    assert digest("SELECT id, ward FROM visits ORDER BY id DESC;") == one
    assert digest("WITH v AS (FROM visits) SELECT v.id, v.ward FROM v") == one
    assert digest("SELECT id, coalesce(ward, '') AS ward FROM visits") != one
    assert digest("SELECT id, ward AS ward2 FROM visits") != one
    assert digest("SELECT id::VARCHAR AS id, ward FROM visits") != one
    assert digest("SELECT id, ward FROM visits WHERE id > 0") != one


def test_the_values_are_those_of_the_same_frame(project: Project) -> None:
    with duckdb.connect(str(project.path / "ward.duckdb"), read_only=True) as database:
        frame = database.execute("SELECT age, cost::DOUBLE AS cost, ward, urgent FROM visits").df()
    checks = (
        "[{data_drift: {columns: [age, cost, ward, urgent], max: 0.9}}, {missing_drift: {columns: [ward]}}]"
    )
    path = project.path / "s.yml"
    path.write_text(
        "data:\n"
        "  reference: {sql: 'SELECT age, cost, ward, urgent FROM young', connect: 'duckdb:ward.duckdb'}\n"
        "  current: {sql: 'SELECT age, cost, ward, urgent FROM visits', connect: 'duckdb:ward.duckdb'}\n"
        f"checks: {checks}\n"
    )
    asked = run_suite(path).to_frame()
    young = frame[frame.age < 3]
    given = run_suite(path, data={"reference": young, "current": frame}).to_frame()
    pd.testing.assert_frame_equal(asked[["feature", "statistic"]], given[["feature", "statistic"]])
    assert not asked.statistic.isna().any()


def test_variables_are_bound_and_never_spliced(project: Project) -> None:
    sql = "SELECT * FROM visits WHERE ward = ${WARD} AND age >= CAST(${AGE:-0} AS INTEGER)"
    assert project.facts(sql, variables={"WARD": "CANARY1"})["flow"]["read"] == 300
    assert project.facts(sql, variables={"WARD": "CANARY1", "AGE": "3"})["flow"]["read"] < 300
    attack = "x' OR 1=1; DROP TABLE visits; --"
    assert "holds 0 rows" in project.refused(sql, variables={"WARD": attack})
    assert "of the types that it casts them to" in project.refused(
        sql, variables={"WARD": "CANARY1", "AGE": "CANARY"}
    )
    assert "write ${WARD} without quotes" in project.problem(
        "{sql: \"SELECT * FROM visits WHERE ward = '${WARD}'\", connect: 'duckdb:ward.duckdb'}",
        variables={"WARD": "a"},
    )
    assert "variable ${NO} is not set" in project.problem(
        "{sql: 'SELECT ${NO}', connect: 'duckdb:ward.duckdb'}"
    )


def test_where_rename_and_types_hold_for_a_query_too(project: Project) -> None:
    facts = project.facts(
        "SELECT * FROM visits WHERE age < CAST(${TOP} AS INTEGER)",
        ', where: "years >= ${LOW} AND unit IS NOT NULL", rename: {age: years, ward: unit}, '
        "matured: {horizon: 30d, index_time: day}, read: {types: {years: categorical}}",
        variables={"TOP": "5", "LOW": "2"},
    )
    assert facts["flow"]["where"] == sum(2 <= i % 7 < 5 and i % 10 > 0 for i in range(1000))


def test_a_view_and_a_range_are_tables_too(project: Project) -> None:
    assert project.facts("SELECT * FROM young")["flow"]["read"] == sum(i % 7 < 3 for i in range(1000))
    assert project.facts("FROM young")["flow"]["read"] == sum(i % 7 < 3 for i in range(1000))
    assert project.facts("SELECT range AS id FROM range(50) -- few")["flow"]["read"] == 50


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("SELECT * FROM visit", "lacks (its tables: visits, young)"),
        ("SELECT nope(age) FROM visits", "names a table or function that the database lacks"),
        ("SELECT ages FROM visits", "sql names a column that its tables lack"),
        ("SELECT FROM", "sql is one SELECT"),
        ("SELECT 1 AS id; SELECT 2 AS id", "sql is one SELECT"),
        ("DROP TABLE visits", "sql is one SELECT"),
        ("INSERT INTO visits SELECT * FROM visits", "sql is one SELECT"),
        ("COPY visits TO 'out.csv'", "sql is one SELECT"),
        ("ATTACH 'other.db'", "sql is one SELECT"),
        ("SET threads = 1", "sql is one SELECT"),
        ("INSTALL httpfs", "sql is one SELECT"),
        ("SELECT * FROM read_csv('secret.csv')", "may not read from the function 'read_csv'"),
        ("SELECT * FROM read_text('s.yml')", "may not read from the function 'read_text'"),
        ("SELECT * FROM query('SELECT 1')", "may not read from the function 'query'"),
        ("SELECT * FROM 'secret.csv'", "sql "),
        ("SELECT (SELECT count(*) FROM glob('*')) AS id", "may not read from the function 'glob'"),
        ("SELECT random() AS id FROM visits", "may not ask for chance, the clock"),
        ("SELECT now() AS id FROM visits", "may not ask for chance, the clock"),
        ("SELECT current_date AS id FROM visits", "may not ask for chance, the clock"),
        ("SELECT id FROM visits WHERE day < today()", "may not ask for chance, the clock"),
        ("SELECT id FROM visits USING SAMPLE 10", "may not ask for chance, the clock"),
        ("SELECT id FROM visits TABLESAMPLE 10%", "may not ask for chance, the clock"),
        ("SELECT nextval('s') AS id", "may not ask for chance, the clock"),
        ("SELECT id FROM visits WHERE false", "holds 0 rows"),
        ("SELECT id, id FROM visits", "two columns are named 'id'"),
        ("SELECT CAST(ward AS INTEGER) AS id FROM visits", "sql could not be answered (ConversionException)"),
        ("SELECT id FROM visits WHERE id = $x", "sql uses $x; write ${x}"),
        ("SELECT id FROM visits WHERE id = ?", "sql uses $1"),
        ("SELECT ' id FROM visits", "sql is one SELECT"),
    ],
)
def test_a_query_that_is_not_one_steady_question_is_refused(project: Project, sql: str, said: str) -> None:
    (project.path / "secret.csv").write_text("id\n1\n")
    before = (project.path / "ward.duckdb").read_bytes()
    assert said in project.refused(sql)
    assert (project.path / "ward.duckdb").read_bytes() == before
    assert not (project.path / "out.csv").exists()


@pytest.mark.parametrize(
    ("connect", "said"),
    [
        (
            "duckdb:wards.duckdb",
            "sql on duckdb:wards.duckdb: there is no such file, did you mean 'ward.duckdb'?",
        ),
        ("duckdb:no/ward.duckdb", "there is no such file"),
        ("duckdb:.", "connect names no file"),
        (
            "duckdb:bad.duckdb",
            "could not be opened as a DuckDB file: it is damaged, or of another version or kind",
        ),
        ("duckdb:empty.duckdb", "could not be opened as a DuckDB file"),
        ("duckdb:s.yml", "could not be opened as a DuckDB file"),
    ],
)
def test_a_database_that_cannot_be_had_is_an_error(project: Project, connect: str, said: str) -> None:
    (project.path / "bad.duckdb").write_bytes((project.path / "ward.duckdb").read_bytes()[:5000])
    (project.path / "empty.duckdb").write_bytes(b"")
    (found,) = project.run(f"{{sql: SELECT 1 AS id, connect: '{connect}'}}").findings
    assert found.verdict == "error"
    assert said in found.message
    assert str(project.path) not in found.message


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("{sql: SELECT 1}", "s.yml:2:12: data.current: missing `connect`; write connect: duckdb:PATH"),
        ("{sql: [a], connect: 'duckdb:a'}", "`sql` must be a query, such as"),
        ("{sql: '', connect: 'duckdb:a'}", "`sql` must be a query, such as"),
        (
            "{sql: SELECT 1, connect: 'postgresql://u:CANARY@h/d'}",
            "`connect` must be duckdb:PATH, not postgresql; the backends are: duckdb",
        ),
        ("{sql: SELECT 1, connect: ward.duckdb}", "`connect` must be duckdb:PATH; the backends are: duckdb"),
        ("{sql: SELECT 1, connect: 'duckdb:'}", "`connect` must be duckdb:PATH"),
        ("{path: a.csv, connect: 'duckdb:a'}", "unknown key 'connect'"),
        ("{sql: SELECT 1, connect: 'duckdb:a', rev: v1}", "unknown key 'rev'"),
        ("{sql: SELECT 1, connect: 'duckdb:a', read: {format: csv}}", "`read.format` is for files"),
    ],
)
def test_a_wrong_query_source_is_told_before_any_data_is_read(
    project: Project, source: str, said: str
) -> None:
    message = project.problem(source)
    assert said in message
    assert "CANARY" not in message


def test_the_command_line_has_no_queries(project: Project) -> None:
    with pytest.raises(SuiteError, match="a query needs `connect` too; write it in the suite"):
        project.query("SELECT 1 AS id", data={"current": "sql:SELECT 1"})


def test_a_database_that_another_connection_writes_is_left_alone(project: Project) -> None:
    import subprocess
    import sys

    code = (
        "import duckdb, sys; c = duckdb.connect('ward.duckdb'); print('open', flush=True); sys.stdin.read()"
    )
    writer = subprocess.Popen(
        [sys.executable, "-c", code], cwd=project.path, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert writer.stdout is not None
    assert writer.stdin is not None
    try:
        writer.stdout.readline()
        assert "another process is writing it" in project.refused("SELECT * FROM visits")
    finally:
        writer.stdin.close()
        writer.stdout.close()
        writer.wait()
    assert project.facts("SELECT * FROM visits")["flow"]["read"] == 1000


def test_rows_come_in_one_order_whatever_the_engine_does(project: Project) -> None:
    from pytest_readmit.data.dataset import Roles
    from pytest_readmit.data.source import SourceSpec, open_dataset

    spec = SourceSpec(
        kind="sql",
        value="SELECT id, cost FROM visits GROUP BY ALL",
        base=project.path,
        options={"connect": "duckdb:ward.duckdb"},
    )
    dataset = open_dataset("current", spec, Roles())
    assert np.array_equal(dataset.numbers("id"), np.arange(1000.0))
    dataset.close()


def test_the_types_of_a_database_are_kept(project: Project) -> None:
    with duckdb.connect(str(project.path / "ward.duckdb")) as database:
        database.execute("CREATE TYPE size AS ENUM ('s', 'l')")
        database.execute(
            "CREATE TABLE typed AS SELECT i AS id, if(i % 2 = 0, 's', 'l')::size AS size, "
            "i::HUGEINT AS huge, TIMESTAMPTZ '2024-01-01 00:00:00+02' AS moment, [i] AS nested, "
            "uuid() AS key, TIME '10:00' AS clock FROM range(60) AS t(i)"
        )
    found = project.run(
        "{sql: SELECT * FROM typed, connect: 'duckdb:ward.duckdb'}",
        "[{unique: {on: current, columns: [id, size, huge, moment, key]}}]",
    )
    assert [one.verdict for one in found.findings] == ["pass"], found.findings[0].message


def test_a_view_cannot_read_another_file(project: Project) -> None:
    secret = project.path / "secret.csv"
    secret.write_text("id\n1\n")
    with duckdb.connect(str(project.path / "ward.duckdb")) as database:
        database.execute(f"CREATE VIEW leak AS SELECT * FROM read_csv('{secret}')")
    message = project.refused("SELECT * FROM leak")
    assert "and no other file" in message


def test_an_editor_is_told_what_belongs_together() -> None:
    import jsonschema

    from pytest_readmit.suite.schema import suite_schema

    schema = suite_schema({})
    validator = jsonschema.Draft202012Validator({**schema["$defs"]["source"], "$defs": schema["$defs"]})
    for sound in (
        "a.csv",
        {"git": "a.csv", "rev": "v1"},
        {"dvc": "a.csv", "repo": "../x", "where": "a > 1"},
        {"sql": "SELECT 1", "connect": "duckdb:a"},
    ):
        validator.validate(sound)
    for wrong in (
        {"path": "a.csv", "rev": "v1"},
        {"git": "a.csv", "connect": "duckdb:a"},
        {"sql": "SELECT 1"},
        {"sql": "SELECT 1", "connect": "postgresql://h/d"},
        {"git": "a", "dvc": "b"},
        {"connect": "duckdb:a"},
    ):
        assert not validator.is_valid(wrong), wrong
