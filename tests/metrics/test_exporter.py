"""`readmit metrics`: what it serves of a folder of records, and what it makes of files that are none."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import pytest
from prometheus_client.parser import text_string_to_metric_families

from pytest_readmit import record
from pytest_readmit.metrics.folder import Folder

from .made import START, case, content, write
from .servers import LOOPBACK, READMIT, clean_environ, exporter, fetched, running, wait_until

Series = dict[tuple[str, ...], float]
BY_P = {"decide_by": "p_value", "limit": None, "direction": None, "interval": None, "alpha": 0.05}


class Served:
    """A folder of records and the exporter that serves it."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder
        self.url = f"http://{LOOPBACK}:{port}"

    def text(self) -> str:
        return fetched(f"{self.url}/metrics")

    def series(self, name: str) -> Series:
        """Return the values of a metric by the values of its labels, in order of the labels' names."""
        lines = [line for line in self.text().split("\n") if re.match(rf"readmit_{name}[ {{]", line)]
        return {
            tuple(value for _, value in sorted(sample.labels.items())): sample.value
            for family in text_string_to_metric_families("\n".join(lines) + "\n")
            for sample in family.samples
        }

    def write(self, name: str, *cases: dict[str, Any], **facts: Any) -> dict[str, Any]:
        return write(self.folder / name, *cases, **facts)


@pytest.fixture(scope="module")
def only_exporter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("served")
    (folder / "records").mkdir()
    with exporter(folder / "records", folder / "log") as port:
        yield Served(folder / "records", port)
    assert (folder / "log").read_text().splitlines()[1:] == []


@pytest.fixture
def served(only_exporter: Served) -> Served:
    for path in only_exporter.folder.iterdir():
        path.unlink()
    return only_exporter


def test_a_record_becomes_these_series(served: Served) -> None:
    served.write(
        "a.json",
        case("data_drift::age", "fail", estimate=0.2, interval=(0.15, 0.25)),
        case("performance::roc_auc", limit=0.7, direction="at_least", estimate=0.8, interval=(0.75, None)),
        case("missing_drift::lab", limit=(-0.05, 0.05), direction="within", estimate=-0.01),
        case("data_drift::age-classic", n_reference=None, p_value=0.4, **BY_P),
        case("schema", "error", estimate=None, interval=None, limit=None, n_reference=None, n_current=None),
        case("drift_share", "inconclusive", outcome="xfailed"),
        commit="c" * 40,
        models={"champion": {"source": "m", "name": "readmission", "version": "3"}, "challenger": None},
    )
    finished = START.timestamp()
    assert served.series("run_gates") == {
        ("ward", "error"): 1, ("ward", "fail"): 1, ("ward", "inconclusive"): 1, ("ward", "pass"): 3,
    }  # fmt: skip
    for name, value in {
        "run_blocked": 1,
        "run_certified": 0,
        "run_complete": 1,
        "run_duration_seconds": 90,
        "last_run_timestamp_seconds": finished,
        "gates_omitted": 0,
    }.items():
        assert served.series(name) == {("ward",): value}, name
    ((commit, suite, _),) = served.series("run_info")
    assert (commit, suite) == ("c" * 40, "ward")
    assert served.series("model_info") == {("readmission", "champion", "ward", "3"): 1}
    assert {labels[:2]: value for labels, value in served.series("gate_blocked").items()} == {
        ("data_drift::age", "data_drift"): 1,
        ("performance::roc_auc", "performance"): 0,
        ("missing_drift::lab", "missing_drift"): 0,
        ("data_drift::age-classic", "data_drift"): 0,
        ("schema", "schema"): 1,
        ("drift_share", "drift_share"): 0,
    }
    verdicts = served.series("gate_verdict")
    assert len(verdicts) == 6 * 4
    assert {labels[0]: labels[3] for labels, value in verdicts.items() if value} == {
        "data_drift::age": "fail",
        "performance::roc_auc": "pass",
        "missing_drift::lab": "pass",
        "data_drift::age-classic": "pass",
        "schema": "error",
        "drift_share": "inconclusive",
    }
    assert served.series("gate_estimate")["data_drift::age", "data_drift", "ward"] == 0.2
    bounds = {(labels[0], labels[2]): value for labels, value in served.series("gate_bound").items()}
    assert bounds["data_drift::age", "upper"] == 0.25
    assert ("performance::roc_auc", "upper") not in bounds
    assert {(labels[0], labels[2]): value for labels, value in served.series("gate_limit").items()} == {
        ("data_drift::age", "upper"): 0.1,
        ("performance::roc_auc", "lower"): 0.7,
        ("missing_drift::lab", "lower"): -0.05,
        ("missing_drift::lab", "upper"): 0.05,
        ("drift_share", "upper"): 0.1,
    }
    rows = {(labels[0], labels[2]): value for labels, value in served.series("gate_rows").items()}
    assert rows["data_drift::age", "reference"] == 500
    assert ("data_drift::age-classic", "reference") not in rows
    assert {labels[0] for labels in served.series("gate_estimate")} == {labels[0] for labels in verdicts} - {
        "schema"
    }
    assert (served.series("records_unreadable"), served.series("records_unfinished")) == ({(): 0}, {(): 0})
    assert "nan" not in served.text().lower()
    assert "inf}" not in served.text().lower()


@pytest.mark.parametrize(
    ("estimate", "limit", "direction", "used"),
    [
        (0.05, 0.1, "at_most", 0.5),
        (0.2, 0.1, "at_most", 2.0),
        (-0.05, 0.1, "at_most", 0.0),
        (0.0, 0.0, "at_most", None),
        (-0.2, -0.1, "at_most", None),
        (0.8, 0.7, "at_least", None),
        (-0.02, -0.05, "at_least", 0.4),
        (0.02, -0.05, "at_least", 0.0),
        (-0.01, (-0.05, 0.02), "within", 0.2),
        (0.01, (-0.05, 0.02), "within", 0.5),
        (1.1, (0.8, 1.25), "within", 0.4),
        (0.9, (0.8, 1.25), "within", 0.5),
        (0.1, (0.05, 0.2), "within", None),
        (1e300, 1e-300, "at_most", None),
        (None, 0.1, "at_most", None),
        (0.1, None, None, None),
    ],
)
def test_how_much_of_its_limit_an_estimate_uses(served: Served, estimate, limit, direction, used) -> None:
    served.write("a.json", case("data_drift::age", estimate=estimate, limit=limit, direction=direction))
    found = served.series("gate_limit_used_ratio")
    assert found == ({} if used is None else {("data_drift::age", "data_drift", "ward"): pytest.approx(used)})


def test_a_classifier_that_cannot_tell_the_datasets_apart_uses_nothing_of_its_limit(served: Served) -> None:
    served.write("a.json", case("joint_drift", estimate=0.52, limit=0.6))
    ((_, used),) = served.series("gate_limit_used_ratio").items()
    assert used == pytest.approx(0.2)


def test_the_newest_record_of_each_suite_counts_and_runs_on_end_are_counted(served: Served) -> None:
    unsure, other = case("drift::age", "inconclusive"), case("drift::age", suite="clinic")
    served.write("z.json", unsure, case("drift::bmi"), week=0)
    served.write("y.json", case("drift::age"), case("drift::bmi", "inconclusive"), week=1)
    served.write("c.json", other, week=1.5)
    served.write("x.json", unsure, case("drift::bmi", "inconclusive"), week=2)
    served.write("w.json", case("drift::bmi"), week=3, planned=2)
    made = served.write("a.json", unsure, case("drift::bmi"), week=4)
    record.write(served.folder / "copy.json", made)
    assert served.series("gate_undecided_runs") == {
        ("drift::age", "drift", "clinic"): 0,
        ("drift::age", "drift", "ward"): 2,
        ("drift::bmi", "drift", "ward"): 0,
    }
    week = 7 * 24 * 3600
    assert served.series("last_run_timestamp_seconds") == {
        ("clinic",): START.timestamp() + 1.5 * week,
        ("ward",): START.timestamp() + 4 * week,
    }
    (served.folder / "a.json").unlink()
    (served.folder / "copy.json").unlink()
    assert served.series("run_complete") == {("clinic",): 1, ("ward",): 0}


def test_since_when_a_gate_blocks_is_when_the_first_of_its_runs_on_end_did(served: Served) -> None:
    age, bmi, sex = (f"drift::{name}" for name in ("age", "bmi", "sex"))
    waived = case(sex, "fail", outcome="xfailed")
    served.write("a.json", case(age, "fail"), case(bmi, "fail"), case(sex, "fail"), week=0)
    served.write("b.json", case(age), case(bmi, "error"), case(sex, "fail"), week=1)
    served.write("c.json", case(age, "fail"), week=2, planned=3)
    served.write("d.json", case(age, "inconclusive", outcome="failed"), case(bmi, "fail"), waived, week=3)
    started = {
        labels[0]: value for labels, value in served.series("gate_blocked_since_timestamp_seconds").items()
    }
    assert started == {age: START.timestamp() + 2 * 7 * 24 * 3600, bmi: START.timestamp()}


def test_a_run_that_decides_nothing_blocks_and_makes_no_run_look_newer(served: Served) -> None:
    served.write("a.json", case("drift::age"), week=0)
    served.write("b.json", week=1, suites=["ward"], planned=1, code=5)
    assert served.series("last_run_timestamp_seconds") == {("ward",): START.timestamp()}
    assert served.series("run_blocked") == {("ward",): 1}
    assert served.series("gate_verdict") == {}


def test_a_run_that_went_wrong_blocks_every_suite_and_a_gate_only_its_own(served: Served) -> None:
    cases = case("drift::age"), case("drift::age", "fail", suite="clinic")
    served.write("a.json", *cases)
    assert served.series("run_blocked") == {("ward",): 0, ("clinic",): 1}
    served.write("b.json", *cases, week=1, code=2, broken=True)
    assert served.series("run_blocked") == {("ward",): 1, ("clinic",): 1}
    served.write("c.json", cases[0], week=2, code=1, broken=True)
    assert served.series("run_blocked")["ward",] == 1


def test_models_of_suites_that_differ_stand_under_their_own_suite(served: Served) -> None:
    def named(version: str) -> dict[str, str]:
        return {"source": "m", "name": "readmission", "version": version}

    models = {"champion": named("1"), "clinic:champion": named("2"), "challenger": None}
    served.write("a.json", case("drift::age"), case("drift::age", suite="clinic"), models=models)
    assert {(labels[2], labels[3]) for labels in served.series("model_info")} == {
        ("ward", "1"),
        ("clinic", "2"),
    }


def edited(**changes: Any) -> Callable[[dict[str, Any]], str]:
    """Return a record whose digest was made to fit after an edit."""

    def edit(made: dict[str, Any]) -> str:
        changed = {**made, **{key: value for key, value in changes.items() if key != "case"}}
        if "case" in changes:
            changed["cases"] = [{**changed["cases"][0], **changes["case"]}]
        changed["digest"] = record.digest(changed)
        return record.dumps(changed)

    return edit


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda _: "", id="empty"),
        pytest.param(lambda _: "not JSON", id="no-json"),
        pytest.param(lambda made: record.dumps(made)[:-40], id="cut-off"),
        pytest.param(lambda made: record.dumps(made).replace("0.02", "0.01", 1), id="edited"),
        pytest.param(lambda made: record.dumps({**made, "schema": "pytest-readmit/record/9"}), id="newer"),
        pytest.param(lambda _: "[" * 100_000, id="deep"),
        pytest.param(lambda made: record.dumps(made).replace("0.02", "1e999", 1), id="infinite"),
        pytest.param(edited(cases=[3]), id="case-no-object"),
        pytest.param(edited(cases=None), id="no-cases"),
        pytest.param(edited(suites=[]), id="unnamed-suite"),
        pytest.param(edited(provenance={}), id="no-provenance"),
        pytest.param(edited(complete="yes"), id="text-for-a-flag"),
        pytest.param(edited(case={"verdict": "fine"}), id="unknown-verdict"),
        pytest.param(edited(case={"verdict": ["pass"]}), id="list-for-a-verdict"),
        pytest.param(edited(case={"estimate": "0.1"}), id="text-for-a-number"),
        pytest.param(edited(case={"estimate": True}), id="flag-for-a-number"),
        pytest.param(edited(case={"estimate": 10**400}), id="number-too-large"),
        pytest.param(edited(case={"interval": [0.1]}), id="one-bound"),
        pytest.param(edited(case={"limit": "much"}), id="text-for-a-limit"),
    ],
)
def test_a_file_that_is_no_record_is_counted_and_nothing_else_changes(served: Served, spoil) -> None:
    served.write("good.json", case("drift::age"), week=0)
    before = served.text()
    spoiled = spoil(content(case("drift::age", "fail"), week=1))
    (served.folder / "spoiled.json").write_text(spoiled)
    assert served.series("records_unreadable") == {(): 1}
    assert served.text().replace("unreadable 1.0", "unreadable 0.0") == before


def test_other_files_are_passed_over_and_a_run_without_end_is_counted(served: Served) -> None:
    served.write("good.json", case("drift::age"))
    before = served.text()
    (served.folder / "proof.json").write_text(json.dumps({"_type": "https://in-toto.io/Statement/v1"}))
    (served.folder / "notes.txt").write_text("not a record")
    (served.folder / "folder.json").mkdir()
    (served.folder / "gone.json").symlink_to("nowhere")
    try:
        assert served.text() == before
        made = content()
        made["provenance"]["finished"] = None
        record.write(served.folder / "begun.json", {**made, "digest": record.digest(made)})
        assert served.text().replace("unfinished 1.0", "unfinished 0.0") == before
    finally:
        (served.folder / "folder.json").rmdir()


def test_a_record_from_the_future_would_look_fresh_for_ever_and_is_not_used(served: Served) -> None:
    served.write("good.json", case("drift::age"), week=0)
    ahead = (time.time() - START.timestamp()) / (7 * 24 * 3600) + 1
    served.write("ahead.json", case("drift::age", "fail"), week=ahead)
    assert served.series("last_run_timestamp_seconds") == {("ward",): START.timestamp()}
    assert served.series("records_unreadable") == {(): 1}


def test_a_change_that_keeps_size_and_time_of_a_file_is_seen(served: Served) -> None:
    served.write("a.json", case("drift::age"))
    path = served.folder / "a.json"
    assert served.series("gate_verdict")
    stamp = path.stat()
    path.write_bytes(b"x" * stamp.st_size)
    os.utime(path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    assert served.series("records_unreadable") == {(): 1}
    assert served.series("gate_verdict") == {}


def test_a_file_is_read_again_only_where_it_may_have_changed(tmp_path: Path) -> None:
    write(tmp_path / "a.json", case("drift::age"))
    (tmp_path / "loop.json").symlink_to("loop.json")
    folder = Folder(tmp_path)
    (first,) = folder.read().runs
    assert folder.read().runs[0] is first
    assert folder.read().unreadable == 1
    (tmp_path / "loop.json").unlink()
    assert folder.read().unreadable == 0


def test_hostile_names_become_labels_that_stay_apart(served: Served) -> None:
    names = [
        'q"u\\ote',
        "line\nbreak",
        "\x1b[31mred",
        "\u202eright",
        "linebreak",
        "x" * 500,
        "x" * 499,
        "\ud800",
    ]
    served.write("a.json", *(case(f"drift::{name}") for name in names), suites=["ward"])
    found = {labels[0] for labels in served.series("gate_blocked")}
    assert len(found) == len(names)
    assert all(name.isprintable() and len(name) <= 200 for name in found)
    assert {'drift::q"u\\ote', "drift::linebreak"} <= found
    assert len([line for line in served.text().splitlines() if "gate_blocked{" in line]) == len(names)


def test_two_files_of_one_suite_name_keep_their_cases_apart(served: Served) -> None:
    first, second = case("drift::age"), case("drift::age")
    second["id"] = "other/ward.yml::drift::age"
    served.write("a.json", first, second, suites=["ward", "ward"])
    found = {labels[0] for labels in served.series("gate_blocked")}
    assert found == {"suites/ward.yml::drift::age", "other/ward.yml::drift::age"}


def test_a_suite_of_very_many_gates_shows_those_that_matter_most(served: Served) -> None:
    gates = [case(f"drift::c{number}") for number in range(1003)]
    served.write("a.json", *gates, case("drift::last", "fail"), case("drift::unsure", "inconclusive"))
    found = {labels[0] for labels in served.series("gate_blocked")}
    assert len(found) == 1000
    assert {"drift::last", "drift::unsure", "drift::c0"} <= found
    assert served.series("gates_omitted") == {("ward",): 5}
    assert served.series("run_gates")["ward", "pass"] == 1003


def test_a_folder_of_very_many_suites_shows_the_newest(served: Served) -> None:
    gates = [case("drift::age", suite=f"s{number}") for number in range(203)]
    served.write("a.json", *gates, week=0)
    served.write("b.json", *gates[3:], week=1)
    assert {suite for (suite,) in served.series("run_blocked")} == {f"s{number}" for number in range(3, 203)}
    assert served.series("suites_omitted") == {(): 3}


@pytest.mark.parametrize(("path", "method", "code"), [("/x", "GET", 404), ("/metrics", "POST", 405)])
def test_other_requests_are_refused(served: Served, path, method, code) -> None:
    with pytest.raises(HTTPError) as refused:
        fetched(f"{served.url}{path}", method)
    assert refused.value.code == code
    refused.value.close()


def test_health_checks_get_an_answer(served: Served) -> None:
    assert "see /metrics" in fetched(f"{served.url}/-/healthy")
    assert fetched(f"{served.url}/metrics", "HEAD") == ""


def test_sigterm_ends_it_cleanly_and_a_folder_that_goes_is_a_failed_scrape(tmp_path: Path) -> None:
    (tmp_path / "records").mkdir()
    command = [*READMIT, "metrics", "--records", "records", "--port", 0, "--host", LOOPBACK]
    with running(command, tmp_path / "log") as process:
        said = wait_until(lambda: (tmp_path / "log").read_text().strip(), "it says where it serves")
        assert said.startswith(f"serving http://{LOOPBACK}:")
        assert said.endswith("/metrics from records")
        url = said.split()[1]
        (tmp_path / "records").rmdir()
        with pytest.raises(HTTPError) as refused:
            fetched(url)
        assert refused.value.code == 503
        refused.value.close()
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
    assert "Traceback" not in (tmp_path / "log").read_text()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--records", "absent", "--port", "0"], "--records absent: no folder of records"),
        (["--records", "file", "--port", "0"], "--records file: no folder of records"),
        (["--records", ".", "--port", "70000"], "70000: write a number from 0 to 65535"),
        (["--records", ".", "--port", "0", "--host", "192.0.2.1"], "192.0.2.1:0: cannot be served"),
        (["--records", ".", "--port", "TAKEN"], "Address already in use; choose --host and --port"),
    ],
)
def test_what_cannot_be_served_is_one_line_and_exit_4(
    only_exporter: Served, tmp_path: Path, arguments, said
) -> None:
    (tmp_path / "file").write_text("")
    typed = [only_exporter.url.rpartition(":")[2] if one == "TAKEN" else one for one in arguments]
    done = readmit(tmp_path, *typed)
    assert done.returncode == 4
    assert said in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


def test_without_prometheus_client_it_says_what_to_install(tmp_path: Path) -> None:
    code = READMIT[2].replace("import sys;", "import sys; sys.modules['prometheus_client'] = None;")
    done = subprocess.run(
        [sys.executable, "-c", code, "metrics", "--records", "absent"],
        cwd=tmp_path,
        env=clean_environ(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 4
    assert done.stderr == "readmit metrics needs an extra: pip install 'pytest-readmit[prometheus]'\n"


def readmit(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [*READMIT, "metrics", *arguments],
        cwd=folder,
        env=clean_environ(),
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
