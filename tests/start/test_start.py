"""`readmit init` as a newcomer uses it: what it writes runs as it is, marks its guesses and leaks nothing."""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import hypothesis
import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import strategies as st

from pytest_readmit import run_suite
from pytest_readmit.cli import main

ROWS = 300
SUITE = "suites/gates.yml"
FILES = (SUITE, ".github/workflows/gates.yml", ".pre-commit-config.yaml")
RNG = np.random.Generator(np.random.PCG64(6))


def frame(rows: int = ROWS, **columns) -> pd.DataFrame:
    """Return admissions whose columns are named as people name them."""
    risk = RNG.uniform(0.01, 0.9, rows).round(4)
    return pd.DataFrame(
        {
            "subject_id": np.arange(rows) // 2 + 10_000,
            "hadm_id": np.arange(rows) + 20_000,
            "admittime": pd.Timestamp("2024-01-01") + pd.to_timedelta(np.arange(rows), "h"),
            "dischtime": pd.Timestamp("2024-01-03") + pd.to_timedelta(np.arange(rows), "h"),
            "age": RNG.integers(18, 95, rows),
            "sex": RNG.choice(["F", "M"], rows),
            "admission_type_id": RNG.integers(1, 6, rows),
            "prior_visits": RNG.poisson(1.2, rows),
            "glucose": RNG.normal(110, 20, rows).round(1),
            "note": [f"free text {number}" for number in range(rows)],
            "constant": 1,
            "empty": None,
            "readmitted_30d": (RNG.random(rows) < risk).astype(int),
            "risk": risk,
        }
        | columns
    )


@pytest.fixture
def init(tmp_path: Path, monkeypatch, capsys):
    """Return what runs `readmit init` on two frames, and gives exit code, what was said and the suite."""
    monkeypatch.chdir(tmp_path)

    def run(reference=None, current=None, *arguments: str, folder: str = "new"):
        sources = []
        for name, table in (("reference", reference), ("current", current)):
            if table is not None:
                table.to_parquet(f"{name}.parquet", index=False)
                sources += [f"--{name}", f"{name}.parquet"]
        code = main(["init", folder, *sources, *arguments])
        said = capsys.readouterr()
        path = tmp_path / folder / SUITE
        text = path.read_text(encoding="utf-8") if path.is_file() else ""
        return code, said.out + said.err, text

    return run


def verdicts(result) -> set[str]:
    return {finding.verdict for finding in result.findings}


@pytest.fixture
def tiny() -> pd.DataFrame:
    return pd.DataFrame({"age": range(40)})


@pytest.fixture
def admissions() -> tuple[pd.DataFrame, pd.DataFrame]:
    return frame(), frame()


def test_without_data_the_suite_is_on_the_demo(init) -> None:
    code, _, text = init()
    assert code == 0
    suite = yaml.safe_load(text)
    assert suite["data"] == {"reference": {"demo": "reference"}, "current": {"demo": "current"}}
    assert {key: suite["columns"][key] for key in ("target", "positive_label", "score", "patient", "id")} == {
        "target": "readmitted_30d",
        "positive_label": 1,
        "score": "risk",
        "patient": "subject_id",
        "id": "hadm_id",
    }


def test_pytest_runs_what_was_written_by_the_command_that_was_said(init, tiny, tmp_path) -> None:
    _, said, _ = init(tiny, tiny.assign(age=80))
    (command,) = re.findall(r"^  (pytest .*) --readmit-report=report.html$", said, flags=re.MULTILINE)
    done = subprocess.run(
        [sys.executable, "-m", *command.split(), "-q", "-p", "no:cacheprovider"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )
    assert done.returncode == 1, done.stdout
    assert re.search(
        r"readmit: blocked by fail \(\d+\) \(\d+ pass, \d+ fail, \d+ undecided, 0 error\)", done.stdout
    )


def test_roles_kinds_and_what_is_left_out_are_guessed_and_marked(init, admissions) -> None:
    code, said, text = init(*admissions)
    assert code == 0
    suite = yaml.safe_load(text)
    columns = suite["columns"]
    assert columns.pop("positive_label") == 1
    assert columns == {
        "target": "readmitted_30d",
        "score": "risk",
        "patient": "subject_id",
        "id": "hadm_id",
        "time": "admittime",
        "sensitive": ["age", "sex"],
        "numerical": ["age", "prior_visits", "glucose"],
        "categorical": ["sex", "admission_type_id"],
        "ignore": ["note", "constant", "empty"],
    }
    for key in ("target", "positive_label", "score", "patient", "id", "time", "sensitive"):
        assert re.search(rf"^  {key}: .*#.*guessed", text, flags=re.MULTILINE | re.IGNORECASE), key
    assert "GUESSED" in said
    for reason in ("free text", "one value in every row", "no value in any row"):
        assert f"# {reason}" in text
    names = [next(iter(entry)) if isinstance(entry, dict) else entry for entry in suite["checks"]]
    assert {"data_drift", "target_drift", "concept_drift", "calibration", "fairness", "unit_change"} <= {
        *names
    }
    assert suite["checks"][names.index("fairness")]["fairness"]["severity"] == "warn"
    assert "error" not in verdicts(run_suite(f"new/{SUITE}"))


def test_what_is_said_is_no_guess(init, admissions) -> None:
    reference, current = (
        table.rename(columns={"readmitted_30d": "back", "risk": "p"}) for table in admissions
    )
    said = [
        "--target",
        "back",
        "--positive-label",
        "0",
        "--score",
        "p",
        "--threshold",
        "0.3",
        "--sensitive",
        "sex",
    ]
    code, _, text = init(reference, current, *said)
    assert code == 0
    lines = {line.split(":")[0].strip(): line for line in text.splitlines() if line.startswith("  ")}
    for key in ("target", "positive_label", "score", "sensitive"):
        assert "uess" not in lines[key]
    assert yaml.safe_load(text)["columns"]["positive_label"] == 0
    assert "threshold: 0.3\n" in text
    assert "severity: warn" not in text


@pytest.mark.parametrize(
    ("values", "positive", "why"),
    [
        (["no"] * 200 + ["yes"] * 100, "yes", "says yes"),
        (["stays"] * 220 + ["returns"] * 80, "returns", "rarer"),
        ([True] * 200 + [False] * 100, "true", "says yes"),
    ],
)
def test_the_positive_label_is_marked_as_a_guess(init, values, positive, why) -> None:
    table = frame(outcome=values).drop(columns="readmitted_30d")
    _, said, text = init(table, table)
    assert yaml.safe_load(text)["columns"]["positive_label"] in (positive, positive == "true")
    assert re.search(rf"positive_label: .*# GUESSED: .*{why}", text)
    assert "GUESSED" in said


def test_a_label_of_few_rows_is_not_written_and_no_gate_rests_on_it(init) -> None:
    table = frame(outcome=["common"] * (ROWS - 10) + ["SECRET"] * 10).drop(columns="readmitted_30d")
    _, said, text = init(table, table)
    assert "SECRET" not in said + text
    assert "positive_label" not in yaml.safe_load(text)["columns"]
    assert "concept_drift" not in text
    assert "error" not in verdicts(run_suite(f"new/{SUITE}"))


def test_an_outcome_of_several_values_takes_a_positive_label_and_names_the_others(init) -> None:
    table = frame(readmitted=RNG.choice(["<30", ">30", "NO"], ROWS)).drop(columns="readmitted_30d")
    _, _, text = init(table, table, "--positive-label", "<30")
    columns = yaml.safe_load(text)["columns"]
    assert (columns["positive_label"], columns["negative_label"]) == ("<30", [">30", "NO"])
    _, _, text = init(table, table, folder="other")
    assert "positive_label" not in yaml.safe_load(text)["columns"]
    assert "- target_drift: {max: 0.1" in text
    assert "error" not in verdicts(run_suite(f"other/{SUITE}"))


def test_too_many_missing_outcomes_or_scores_leave_their_gates_out(init) -> None:
    table = frame()
    _, _, text = init(*[table.assign(readmitted_30d=table.readmitted_30d.where(table.index % 5 > 0))] * 2)
    assert "No gate on the outcome: in the reference 20% are missing" in text
    _, _, more = init(*[table.assign(risk=table.risk.where(table.index % 5 > 0))] * 2, folder="other")
    assert "No gate on the score: in the reference 20% are missing" in more
    for written, entry in ((text, "target_drift"), (more, "prediction_drift")):
        names = [
            each if isinstance(each, str) else next(iter(each)) for each in yaml.safe_load(written)["checks"]
        ]
        assert not {entry, "concept_drift", "fairness"} & {*names}


def test_what_cannot_be_compared_is_named_with_what_to_do(init) -> None:
    table = frame(
        chloride=[f"{99 + row / 10:.1f}".replace(".", ",") for row in range(ROWS)],
        lipase=[f"{row / 10}" if row % 50 else "lysed" for row in range(ROWS)],
        born=[f"{row % 28 + 1}.{row % 12 + 1}.{1900 + row % 120}" for row in range(ROWS)],
        counter=range(7, ROWS + 7),
        readmitted_30d=0,
        risk=[row / 4 for row in range(ROWS)],
    )
    code, said, text = init(table, table.iloc[::2])
    assert code == 0
    for line in (
        "none found (not readmitted_30d: one value in every row)",
        "none found (not risk: it is no number from 0 to 1)",
        "chloride: numbers with commas, read as text: write decimal points",
        "lipase: numbers with other text among them",
        "born: dates as text",
    ):
        assert line in said
    assert "# row numbers or an identifier: no value repeats\n    - counter" in text
    columns = yaml.safe_load(text)["columns"]
    assert {"chloride", "lipase", "born", "counter", "readmitted_30d"} <= {*columns["ignore"]}
    assert "error" not in verdicts(run_suite(f"new/{SUITE}"))


def test_gates_that_current_cannot_feed_stay_and_are_said_to_block(init) -> None:
    table = frame()
    _, said, _ = init(table, table.assign(readmitted_30d=0))
    assert "are errors, which block, until mended: current.parquet: columns.target" in said
    broken = {each.check for each in run_suite(f"new/{SUITE}").findings if each.verdict == "error"}
    assert broken == {"target_drift", "performance", "concept_drift", "calibration", "fairness"}


def test_scores_of_exactly_zero_or_one_get_gates_without_logits(init) -> None:
    table = frame()
    _, _, text = init(table, table.assign(risk=table.risk.where(table.index > 20, 0.0)))
    assert "Without slope: some scores are exactly 0 or 1" in text
    ran = run_suite(f"new/{SUITE}")
    assert "error" not in verdicts(ran)
    assert {"concept_drift", "calibration"} <= {finding.check for finding in ran.findings}


def test_how_files_are_read_is_taken_and_written(tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    table = frame().assign(sex="größer", glucose=["?", *range(1, ROWS)])
    table.to_csv("a.csv", sep=";", index=False, encoding="latin-1")
    assert main(["init", "new", "--reference", "a.csv", "--current", "a.csv"]) == 4
    assert "name its encoding with --read encoding=latin-1" in capsys.readouterr().err
    read = ["--read=encoding=latin-1", "--read=null_values=?", "--read=delimiter=;"]
    assert main(["init", "new", "--reference", "a.csv", "--current", "a.csv", *read]) == 0
    assert "reference and current are one file" in capsys.readouterr().out
    suite = yaml.safe_load(Path("new", SUITE).read_text(encoding="utf-8"))
    assert suite["data"]["current"]["read"] == {
        "encoding": "latin-1",
        "delimiter": ";",
        "null_values": ["?"],
    }
    assert "error" not in verdicts(run_suite(f"new/{SUITE}"))


def test_no_value_of_the_data_reaches_a_file_or_the_screen(init) -> None:
    numbers = RNG.normal(7_000_000, 1, ROWS).round(3)
    table = frame(
        ward=[f"CANARY{number % 7}" for number in range(ROWS)],
        insurance=[f"CANARY{number % 3}" for number in range(ROWS)],
        measured=numbers,
        person_id=[f"CANARY{number // 2}" for number in range(ROWS)],
    )
    code, said, _ = init(table, table)
    assert code == 0
    written = "".join(Path("new", name).read_text(encoding="utf-8") for name in FILES)
    for secret in ("CANARY", "free text 1", *map(str, numbers[:50]), "10001", "20001"):
        assert secret not in said + written


def test_what_the_rows_cannot_decide_says_so_and_only_warns(init) -> None:
    tables = frame(60), frame(60)
    _, _, text = init(*tables)
    assert "CANNOT DECIDE" in text
    drift = next(entry for entry in yaml.safe_load(text)["checks"] if "data_drift" in entry)["data_drift"]
    assert drift["inconclusive"] == "warn"
    assert "takes about 400 positives in the smallest" in text
    result = run_suite(f"new/{SUITE}")
    assert "inconclusive" in verdicts(result)
    assert not [each for each in result.findings if each.verdict == "error"]


@pytest.mark.slow
def test_more_rows_catch_smaller_changes(init) -> None:
    caught = []
    for rows in (200, 20_000):
        plain = {"age": RNG.normal(60, 10, rows)}
        _, _, text = init(pd.DataFrame(plain), pd.DataFrame(plain), folder=str(rows))
        found = re.search(r"False alarm: below 0.001. Catches (0\.\d+)\.\n  (# CANNOT)?", text)
        caught.append((float(found[1]), bool(found[2])))
    (small, undecided), (large, decided) = caught
    assert large < 0.13 < small
    assert undecided
    assert not decided


@pytest.mark.parametrize("there", FILES)
def test_nothing_is_written_over_and_nothing_beside(init, tiny, tmp_path, there) -> None:
    path = tmp_path / "new" / there
    path.parent.mkdir(parents=True)
    path.write_text("mine", encoding="utf-8")
    code, said, _ = init(tiny, tiny)
    assert code == 4
    assert f"new/{there}: exists already" in said
    assert "nothing was written" in said
    assert [each for each in (tmp_path / "new").rglob("*") if each.is_file()] == [path]
    assert path.read_text(encoding="utf-8") == "mine"


def test_a_second_run_names_every_file_of_the_first(init, tiny) -> None:
    assert init(tiny, tiny)[0] == 0
    code, said, _ = init(tiny, tiny)
    assert code == 4
    assert [f"new/{name}: exists already" for name in FILES] == said.splitlines()[:3]


def test_what_exists_can_be_left_out(init, tiny, tmp_path) -> None:
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / FILES[2]).write_text("mine", encoding="utf-8")
    code, said, _ = init(tiny, tiny)
    assert code == 4
    assert "--without hook" in said
    assert init(tiny, tiny, "--without", "hook")[0] == 0


def test_files_that_cannot_all_be_written_leave_none(init, tiny, tmp_path) -> None:
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / ".github").write_text("a file in the way", encoding="utf-8")
    code, said, _ = init(tiny, tiny)
    assert code == 4
    assert "nothing was written" in said
    assert [each.name for each in (tmp_path / "new").rglob("*")] == [".github"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--reference", "a.csv"], "--reference is given without --current"),
        (["--current", "a.csv"], "--current is given without --reference"),
        (["--reference", "no.csv", "--current", "a.csv"], "--reference: there is no file no.csv"),
        (["--reference", "a.csv", "--current", "empty.csv"], "--current: empty.csv is empty"),
        (["--reference", "a.csv", "--current", "header.csv"], "--current: header.csv holds 0 rows"),
        (["--reference", "a.csv", "--current", "other.csv"], "no column in common"),
        (["--reference", "a.csv", "--current", "a.csv", "--target", "agee"], "did you mean 'age'?"),
        (["--reference", "a.csv", "--current", "a.csv", "--id", "age", "--time", "age"], "name one column"),
        (["--reference", "a.csv", "--current", "a.csv", "--score", "age"], "a score is a probability"),
        (
            ["--reference", "a.csv", "--current", "a.csv", "--target", "word", "--positive-label", "X"],
            "no row of word holds it (it holds a, b)",
        ),
        (["--read", "types=x"], "must be KEY=VALUE"),
        (["--reference", "a.xlsx", "--current", "a.csv"], "is a spreadsheet, which is not read"),
        (["--threshold", "2"], "must be a number from 0 to 1"),
        (["--reference", "sql:x", "--current", "a.csv"], "--reference: a query needs"),
    ],
)
def test_what_is_wrong_is_said_in_one_line_and_nothing_is_written(init, tmp_path, arguments, said) -> None:
    for name, text in (
        ("a.csv", "age,word\n" + "60,a\n70,b\n" * 11),
        ("empty.csv", ""),
        ("a.xlsx", "PK"),
        ("header.csv", "age,word\n"),
        ("other.csv", "x,y\n1,2\n"),
    ):
        (tmp_path / name).write_text(text, encoding="utf-8")
    code, printed, text = init(None, None, *arguments)
    assert code == 4
    (line,) = [each for each in printed.splitlines() if not each.startswith(("usage:", " "))]
    assert said in line
    assert not text


def test_a_column_that_current_lost_is_ignored_and_the_schema_fails(init, admissions) -> None:
    reference, current = admissions
    _, _, text = init(reference, current.drop(columns="glucose"))
    assert "# not in current\n    - glucose\n" in text
    failed = [each.check for each in run_suite(f"new/{SUITE}").findings if each.verdict in ("fail", "error")]
    assert failed == ["schema"]


@pytest.mark.parametrize(("one", "other"), [("a b.csv", "it's.csv"), ("$H{x}.csv", "ü #1: y.csv")])
def test_data_of_any_name_anywhere_is_found_again(tmp_path, monkeypatch, one, other) -> None:
    for folder in ("data", "work"):
        (tmp_path / folder).mkdir()
    for name in (one, other):
        (tmp_path / "data" / name).write_text("age\n60\n70\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path / "work")
    assert main(["init", "deep/er", "--reference", f"../data/{one}", "--current", f"../data/{other}"]) == 0
    suite = tmp_path / "work" / "deep" / "er" / SUITE
    assert str(tmp_path) not in suite.read_text(encoding="utf-8")
    assert verdicts(run_suite(suite)) <= {"pass", "inconclusive"}


def test_the_environment_puts_another_file_in_place(init, admissions, monkeypatch, tmp_path) -> None:
    init(*admissions)
    admissions[0].assign(age=30).to_parquet(tmp_path / "moved.parquet")
    monkeypatch.setenv("READMIT_CURRENT", str(tmp_path / "moved.parquet"))
    failed = {f.subject for f in run_suite(f"new/{SUITE}").findings if f.verdict == "fail"}
    assert "age" in failed


def test_workflow_and_hook_run_the_suite_that_was_written(init, tiny, tmp_path) -> None:
    (tmp_path / "repo" / ".git").mkdir(parents=True)
    _, said, _ = init(tiny, tiny, folder="repo/models/readmission")
    written = tmp_path / "repo/models/readmission"
    workflow = yaml.safe_load((written / FILES[1]).read_text(encoding="utf-8"))
    job = workflow["jobs"]["gates"]
    assert workflow["permissions"] == {}
    assert job["permissions"] == {"contents": "read"}
    assert job["defaults"]["run"]["working-directory"] == "models/readmission"
    assert any(f"pytest --readmit-suite={SUITE}" in step.get("run", "") for step in job["steps"])
    assert all(re.search(r"@[0-9a-f]{40}$", step["uses"]) for step in job["steps"] if "uses" in step)
    assert "only the top of a repository" in said
    (hook,) = yaml.safe_load((written / FILES[2]).read_text(encoding="utf-8"))["repos"][0]["hooks"]
    assert hook["entry"] == "readmit lint"
    assert re.search(hook["files"], f"models/readmission/{SUITE}")


VALUES = (
    lambda: np.arange(40),
    lambda: np.arange(40) * 0.37,
    lambda: [f"v{number % 3}" for number in range(40)],
    lambda: [None] * 40,
    lambda: pd.Timestamp("2024-01-01") + pd.to_timedelta(np.arange(40), "D"),
    lambda: [number % 2 == 0 for number in range(40)],
)
NASTY = [
    *(
        "a: b",
        "- x",
        "# c",
        '"q"',
        "'",
        "{",
        "[x]",
        "no",
        "null",
        "1",
        "1e3",
        "a\nb",
        "${A}",
        "$${",
        "role:target",
    ),
    *(
        "glob:*",
        "*",
        "&a",
        "!t",
        "%",
        "@",
        "`",
        " lead",
        "trail ",
        "\t",
        "?",
        "|",
        ">",
        "~",
        "<<",
        ".inf",
        "\x85",
    ),
    *("\u2028", "\U0001f600", "x" * 300, "age", "sex", "id", "score", "patient id", "outcome", "data_drift"),
]
NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12) | st.sampled_from(NASTY)


def check_names(folder: Path, names: list[str]) -> None:
    """Write a suite for columns of these names, run it, and find in it no other name."""
    table = pd.DataFrame({name: VALUES[place % len(VALUES)]() for place, name in enumerate(names)})
    source = str(folder / "data.parquet")
    table.to_parquet(source)
    assert main(["init", str(folder / "new"), "--reference", source, "--current", source]) == 0
    assert verdicts(run_suite(folder / "new" / SUITE)) <= {"pass", "inconclusive"}
    columns = yaml.safe_load((folder / "new" / SUITE).read_text(encoding="utf-8")).get("columns", {})
    listed = [each for key in ("numerical", "categorical", "ignore") for each in columns.get(key, ())]
    assert {str(each).replace("$${", "${") for each in listed} <= {*names}


@pytest.mark.slow
def test_names_that_yaml_would_misread_are_read_back(tmp_path) -> None:
    check_names(tmp_path, NASTY)


@pytest.mark.slow
@hypothesis.settings(max_examples=60, deadline=None, derandomize=True)
@hypothesis.given(st.lists(NAMES.filter(str.strip), min_size=1, max_size=12, unique=True))
def test_columns_of_any_name_are_read_back(names) -> None:
    with tempfile.TemporaryDirectory() as folder:
        check_names(Path(folder), names)
