"""What a valid suite becomes."""

# ruff: noqa: E501 - a message stands on one line, as the user sees it

import hashlib
from datetime import date
from pathlib import Path

import pytest

from pytest_readmit import registry, signature
from pytest_readmit.errors import SuiteError
from pytest_readmit.suite import ColumnRoles, Settings, Source, parse_source, read_suite
from pytest_readmit.suite.common import COMMON, DEFAULTS
from pytest_readmit.suite.schema import COMMON_KEYS as SCHEMA_KEYS

FULL = """\
suite: readmission-drift
description: Weekly drift gate.
owner: clinical-ml@hospital.example
intended_use: Flag adults at discharge.
approver: medical-ai-board@hospital.example
protocol: PCCP-2026-03
schedule: {runs: 52}
as_of: 2026-11-01
data:
  reference: data/2023.parquet
  current: {path: data/2024.csv, where: "age >= 18"}
  later:
    path: "parts/*.csv"
    read: {format: csv, delimiter: ';', header: false, encoding: latin-1, null_values: [NA, -999], types: {zip: categorical}}
    rename: {old: new}
    matured: {horizon: 30d, index_time: dischtime}
  shown: {demo: drifted}
columns:
  target: readmitted_30d
  positive_label: [1, yes]
  negative_label: 0
  score: risk
  patient: subject_id
  id: hadm_id
  time: admittime
  sensitive: [sex, insurance]
  numerical: age
  categorical: [admission_type]
  features: [age, sex]
  ignore: [note_text]
models: {champion: {mlflow: "models:/readmission@champion"}, other: model.skops}
model: {score: risk_new}
privacy: {min_cell: 5}
defaults: {severity: warn, confidence: 0.9}
checks:
  - data_drift
  - data_drift:
      columns: [age]
      method: ks
      p_value: 0.05
      id: age-classic
      because: as in the 2021 protocol
      title: Age, as before
      on: later
      model: champion
      segments: [sex, {column: insurance, values: [1, no], min_rows: 50}]
      severity: block
      inconclusive: pass
      confidence: 0.99
      warn_above: 0.05
      tags: nightly
      timeout: 5m
      waiver: {until: 2026-12-01, by: a. person, reason: new laboratory}
  - missing_drift: {max: 0.05}
"""


def test_every_key_of_a_suite_is_kept(read):
    suite = read(FULL)
    assert (suite.name, suite.owner, suite.protocol) == (
        "readmission-drift",
        "clinical-ml@hospital.example",
        "PCCP-2026-03",
    )
    assert (suite.runs, suite.as_of, suite.min_cell) == (52, date(2026, 11, 1), 5)
    assert suite.sha256 == hashlib.sha256(FULL.encode()).hexdigest()
    assert suite.columns == ColumnRoles(
        target="readmitted_30d",
        positive_label=(1, "yes"),
        negative_label=0,
        score="risk",
        patient="subject_id",
        id="hadm_id",
        time="admittime",
        sensitive=("sex", "insurance"),
        numerical=("age",),
        categorical=("admission_type",),
        features=("age", "sex"),
        ignore=("note_text",),
    )
    assert suite.warnings == ()


def test_every_form_of_a_source_is_kept(read):
    suite = read(FULL)
    assert suite.data["reference"] == Source(kind="path", value="data/2023.parquet", line=10, column=14)
    assert suite.data["current"].where == "age >= 18"
    later = suite.data["later"]
    assert later.read == {
        "format": "csv",
        "delimiter": ";",
        "header": False,
        "encoding": "latin-1",
        "null_values": ["NA", "-999"],
        "types": {"zip": "categorical"},
    }
    assert later.rename == {"old": "new"}
    assert later.matured == {"horizon": "30d", "index_time": "dischtime"}
    assert (suite.data["shown"].kind, suite.data["shown"].value) == ("demo", "drifted")
    assert {name: (each.kind, each.value) for name, each in suite.models.items()} == {
        "champion": ("mlflow", "models:/readmission@champion"),
        "other": ("path", "model.skops"),
        "challenger": ("score", "risk_new"),
    }


def test_an_entry_keeps_its_keys_and_takes_defaults_for_the_others(read):
    bare, full, last = read(FULL).entries
    assert (bare.id, bare.line, bare.column) == ("data_drift", 36, 5)
    assert bare.parameters == {"method": "auto", "max": None, "bins": 10, "yates": False}
    assert (bare.severity, bare.confidence, bare.inconclusive) == ("warn", 0.9, "warn")
    assert (bare.decide_by, bare.correction, bare.given) == ("interval", "entry", frozenset())
    assert (full.id, full.title, full.because) == ("age-classic", "Age, as before", "as in the 2021 protocol")
    assert (full.columns, full.on, full.model, full.tags) == (("age",), "later", "champion", ("nightly",))
    assert (full.severity, full.inconclusive, full.confidence) == ("block", "pass", 0.99)
    assert (full.decide_by, full.p_value, full.correction) == ("p_value", 0.05, "none")
    assert (full.warn_above, full.timeout) == (0.05, 300)
    assert full.waiver == {"until": date(2026, 12, 1), "by": "a. person", "reason": "new laboratory"}
    assert full.segments == (
        {"column": "sex", "values": None, "min_rows": None},
        {"column": "insurance", "values": ("1", "no"), "min_rows": 50},
    )
    assert full.marks["method"] == (39, 7)
    assert {"method", "p_value", "columns"} <= full.given
    assert last.parameters["max"] == 0.05


def test_the_example_of_the_contract_reads_with_the_built_in_checks(tmp_path):
    path = tmp_path / "drift.yml"
    text = FULL.replace("data_drift:\n      columns", "data_drift:\n      columns")
    path.write_text(text, encoding="utf-8")
    suite = read_suite(path, shown="drift.yml", checks=registry.load(), settings=Settings())
    assert [entry.check for entry in suite.entries] == ["data_drift", "data_drift", "missing_drift"]


def test_the_name_is_the_files_stem_by_default(read):
    assert read("checks: [data_drift]\n").name == "s"


def test_a_check_with_nothing_under_it_takes_every_default(read):
    bare, empty, braces = read("checks:\n  - data_drift\n  - data_drift:\n  - data_drift: {}\n").entries
    assert bare.parameters == empty.parameters == braces.parameters


def test_ids_are_numbered_and_lint_is_told(read):
    suite = read(
        "checks:\n  - data_drift\n  - data_drift\n  - data_drift: {id: data_drift-3}\n  - data_drift\n"
        "  - data_drift: {id: own}\n  - missing_drift\n"
    )
    assert [entry.id for entry in suite.entries] == [
        "data_drift",
        "data_drift-2",
        "data_drift-3",
        "data_drift-4",
        "own",
        "missing_drift",
    ]
    assert [warning.partition(" will ")[0] for warning in suite.warnings] == [
        "s.yml:3:5: data_drift: repeated without `id`; 'data_drift-2'",
        "s.yml:5:5: data_drift: repeated without `id`; 'data_drift-4'",
    ]


def test_anchors_and_aliases_repeat_values(read):
    one, two = read("checks:\n  - data_drift: &same {max: 0.2}\n  - data_drift: *same\n").entries
    assert one.parameters == two.parameters == {"method": "auto", "max": 0.2, "bins": 10, "yates": False}


def test_keys_are_text_whatever_they_look_like(read):
    (entry,) = read("checks:\n  - out_of_range: {ranges: {2023: [0, 1], no: [0, null]}}\n").entries
    assert entry.parameters["ranges"] == {"2023": (0.0, 1.0), "no": (0.0, None)}


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ("", ("interval", "entry")),
        ("p_value: 0.05", ("p_value", "none")),
        ("p_value: 0.05, correction: entry", ("p_value", "entry")),
        ("p_value: 0.05, decide_by: p_value", ("p_value", "none")),
        ("p_value: 0.05, decide_by: estimate", ("estimate", "entry")),
        ("decide_by: estimate", ("estimate", "entry")),
        ("correction: suite", ("interval", "suite")),
    ],
)
def test_giving_a_p_value_decides_by_it_without_correction(read, keys, expected):
    (entry,) = read(f"checks:\n  - data_drift: {{{keys}}}\n").entries
    assert (entry.decide_by, entry.correction) == expected


def test_an_entry_wins_over_defaults_and_defaults_over_the_check(read):
    text = "defaults: {severity: warn}\nchecks:\n  - data_drift: {severity: block}\n  - missing_drift\n"
    assert [entry.severity for entry in read(text).entries] == ["block", "warn"]
    assert read("checks: [estimated_performance]\n").entries[0].severity == "warn"


def test_defaults_do_not_make_a_check_block_that_may_not(read):
    text = "defaults: {severity: block}\nchecks:\n  - estimated_performance\n  - data_drift\n"
    assert [entry.severity for entry in read(text).entries] == ["warn", "block"]


@pytest.mark.parametrize(("written", "seconds"), [("30", 30), ("0.5", 0.5), ("45s", 45), ("2h", 7200)])
def test_a_timeout_is_seconds_or_a_duration(read, written, seconds):
    assert read(f"checks:\n  - data_drift: {{timeout: {written}}}\n").entries[0].timeout == seconds


def test_a_waiver_may_have_ended(read):
    text = "checks:\n  - data_drift: {waiver: {until: 2020-01-01, by: me, reason: r}}\n"
    assert read(text).entries[0].waiver == {"until": date(2020, 1, 1), "by": "me", "reason": "r"}


def test_on_may_name_a_dataset_that_the_run_brings(read):
    text = "checks:\n  - data_drift: {on: fresh}\n"
    assert read(text, datasets=frozenset({"fresh"})).entries[0].on == "fresh"


SOURCES = {
    "{pth: a}": "s.yml:1:18: data.current: unknown source 'pth', did you mean 'path'?",
    "{}": "s.yml:1:17: data.current: names no source; give one of path, demo, sql, dvc, git, mlflow, profile",
    "{where: a}": "s.yml:1:17: data.current: names no source; give one of path, demo, sql, dvc, git, mlflow, profile",
    "{path: a, demo: b}": "s.yml:1:27: data.current: `path` and `demo` in one source; keep one",
    "[a]": "s.yml:1:17: data.current: a source is a path or a mapping such as {demo: current}, not a list",
    "": "s.yml:1:17: data.current: `path` must be a path or a mapping such as {demo: current}, not nothing",
    "{path: a, whre: b}": "s.yml:1:27: data.current: unknown key 'whre', did you mean 'where'?",
    "{path: [a]}": "s.yml:1:24: data.current: `path` must be text, not a list",
    "{path: a, where: 1}": (
        's.yml:1:34: data.current: `where` must be a condition in SQL, such as "age >= 18", not 1'
    ),
    "{path: a, read: {formt: csv}}": "s.yml:1:34: data.current.read: unknown key 'formt', did you mean 'format'?",
    "{path: a, read: {format: xls}}": (
        "s.yml:1:42: data.current.read: `format` must be 'csv', 'tsv', 'parquet', 'feather', 'arrow', 'jsonl', 'json' or 'ndjson', "
        "not 'xls'"
    ),
    "{path: a, read: {delimiter: ab}}": (
        "s.yml:1:45: data.current.read: `delimiter` must be one character, such as ';', not 'ab'"
    ),
    "{path: a, read: {header: no}}": "s.yml:1:42: data.current.read: `header` must be true or false, not 'no'",
    "{path: a, read: {types: {a: number}}}": (
        "s.yml:1:45: data.current.read: `types.a` must be 'numerical', 'categorical' or 'time', not 'number', did you "
        "mean 'numerical'?"
    ),
    "{path: a, rename: {a: c, b: c}}": (
        "s.yml:1:42: data.current: `rename` gives 'a' and 'b' the same name 'c'"
    ),
    "{path: a, matured: {horizon: 30d}}": "s.yml:1:36: data.current.matured: missing `index_time`",
    "{path: a, matured: {horizon: 30, index_time: t}}": (
        "s.yml:1:46: data.current.matured: `horizon` must be a duration such as 30d, 12h or 45m, not 30"
    ),
    "{dvc: a, rev: 1.0}": "s.yml:1:31: data.current: `rev` must be a tag, branch or commit, not 1.0; put it in quotes",
    "{git: a, connect: b}": (
        "s.yml:1:26: data.current: unknown key 'connect'; known: git, rev, repo, where, read, rename, matured"
    ),
    "{git: a, dvc: b}": "s.yml:1:26: data.current: `git` and `dvc` in one source; keep one",
    "{profile: a}": (
        "s.yml:1:18: data.current: a profile can only be the reference: this dataset needs rows"
    ),
    "{score: a}": "s.yml:1:18: data.current: the `score` source is not available in this version",
}


@pytest.mark.parametrize(("source", "said"), SOURCES.items())
def test_a_wrong_source_is_told_with_its_place(problems, source, said):
    assert problems(f"data: {{current: {source}}}\nchecks: [data_drift]\n") == [said]


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ("{pkl: a}", "s.yml:1:17: models.champ: names no source; give one of path, mlflow, score, git, dvc"),
        (
            "{score: a, x: b}",
            "s.yml:1:28: models.champ: unknown key 'x'; known: score, sha256, rev, repo, name",
        ),
        (
            "3",
            (
                "s.yml:1:17: models.champ: `path` must be a path or a mapping such as {score: COLUMN}, not 3; put it "
                "in quotes"
            ),
        ),
    ],
)
def test_a_wrong_model_is_told_with_its_place(problems, model, said):
    assert problems(f"models: {{champ: {model}}}\nchecks: [data_drift]\n") == [said]


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("data/a.csv", "path", "data/a.csv"),
        ("demo:drifted", "demo", "drifted"),
        ("path:demo:drifted", "path", "demo:drifted"),
        (r"C:\data\a.csv", "path", r"C:\data\a.csv"),
        ("c:/data/a.csv", "path", "c:/data/a.csv"),
        ("s3://bucket/a", "path", "s3://bucket/a"),
        ("a=b.csv", "path", "a=b.csv"),
    ],
)
def test_a_source_on_the_command_line_is_a_path_unless_it_begins_with_a_kind(text, kind, value):
    source = parse_source(text)
    assert (source.kind, source.value) == (kind, value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "the source is empty"),
        ("demo:", "nothing after 'demo:'"),
        ("score:risk", "the `score` source is not available in this version"),
        ("dvc:data.csv@", "give dvc:PATH@REV"),
    ],
)
def test_a_wrong_source_on_the_command_line_is_told(text, said):
    with pytest.raises(SuiteError, match=said):
        parse_source(text)


def test_the_files_that_cannot_be_read_are_told(tmp_path):
    def said(path: Path) -> str:
        with pytest.raises(SuiteError) as caught:
            read_suite(path, shown="x.yml", checks={}, settings=Settings())
        return str(caught.value)

    assert said(tmp_path / "none.yml") == "x.yml: no such file"
    assert said(tmp_path) == "x.yml: not a file"


def test_the_closed_lists_of_the_rooms_are_one_list():
    assert tuple(COMMON) == signature.COMMON_KEYS == tuple(SCHEMA_KEYS)
    assert set(DEFAULTS) < set(COMMON)
