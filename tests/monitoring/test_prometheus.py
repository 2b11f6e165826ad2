"""A real Prometheus scrapes our exporter and a real Pushgateway: every expression has data, alerts fire."""

import copy
import json
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from pytest_readmit import record as records

from ..metrics.servers import (
    LOOPBACK,
    Prometheus,
    absent,
    clean_environ,
    exporter,
    prometheus,
    pushgateway,
    wait_until,
)
from .files import DASHBOARDS, MONITORING, RULES, filled, queries

pytestmark = pytest.mark.real

SUITE = """
suite: live
as_of: 2026-11-01
data: {reference: {demo: reference}, current: {demo: drifted}}
columns: {target: readmitted_30d, positive_label: 1, score: risk, patient: subject_id}
checks:
  - data_drift: {columns: [age, sodium]}
  - data_drift: {id: length, columns: [los_days], max: 0.01}
  - performance: {metrics: {roc_auc: {min: 0.99}}}
"""
NEAR = "length::los_days"
VARIABLES = {
    "suite": "live",
    "check": "(data_drift|performance)",
    "case": r"(length::los_days|performance::roc_auc)",
}
FIRING = {
    "ReadmitGateFailed": [{"case": "data_drift::age"}, {"case": "performance::roc_auc"}],
    "ReadmitRunBlocked": [{"suite": "dead"}],
    "ReadmitGateInconclusive": [{"case": NEAR}],
    "ReadmitNoRecentRun": [{"suite": "late"}],
    "ReadmitDriftApproachingLimit": [{"case": NEAR}],
}
PENDING = {
    "ReadmitRunIncomplete": [{"suite": "part"}],
    "ReadmitRecordUnfinished": [{}],
    "ReadmitRecordUnreadable": [{}],
    "ReadmitExporterDown": [{"job": "readmit-exporter"}],
}


def write(folder: Path, name: str, record: dict[str, Any], days_ago: int = 0, **facts: Any) -> None:
    """Write a record as of some days ago, with other facts."""
    made = copy.deepcopy(record) | facts
    for key in ("started", "finished"):
        moment = datetime.fromisoformat(made["provenance"][key]) - timedelta(days=days_ago)
        made["provenance"][key] = moment.isoformat() if days_ago >= 0 else None
    made["digest"] = records.digest(made)
    records.write(folder / name, made)


def renamed(record: dict[str, Any], suite: str) -> dict[str, Any]:
    """Return the record as one of another suite, with its passing gates alone."""
    made = copy.deepcopy(record)
    made["suites"][0]["name"] = suite
    made["cases"] = [case | {"suite": suite} for case in made["cases"] if case["verdict"] == "pass"]
    return made


def fill(folder: Path, now: dict[str, Any]) -> None:
    """Add to a run's record two before it, a suite that is late, runs that went wrong and a damaged file."""
    models = {"source": "mlflow: models:/readmission/3", "name": "readmission", "version": "3"}
    now["provenance"]["models"] = {"model": {**models, "run_id": None, "digest": None}}
    write(folder, "now.json", now)
    for days in (1, 2):
        write(folder, f"before-{days}.json", now, days)
    write(folder, "late.json", renamed(now, "late"), 9, exit_code=0, blocked=False)
    write(folder, "dead.json", renamed(now, "dead"), exit_code=3, complete=False, blocked=True)
    write(folder, "part.json", renamed(now, "part"), exit_code=0, complete=False, blocked=False)
    write(folder, "begun.json", now, -1, suites=[], cases=[])
    (folder / "damaged.json").write_text('{"schema": "pytest-readmit/record/1", "verd', encoding="utf-8")


def alerts(server: Prometheus, state: str) -> dict[str, list[dict[str, str]]]:
    """Return the labels of the alerts in a state, by name."""
    found: dict[str, list[dict[str, str]]] = {}
    for alert in server.alerts():
        if alert["state"] == state:
            found.setdefault(alert["labels"]["alertname"], []).append(alert["labels"])
    return found


def is_complete(server: Prometheus) -> bool:
    """Say whether every target was scraped and every alert has come."""
    told = (
        alerts(server, "firing").keys() == FIRING.keys()
        and alerts(server, "pending").keys() == PENDING.keys()
    )
    return told and len(server.query("up")) == 3


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """Run a suite, push it, serve its record and others, and scrape both until every alert is there."""
    folder = tmp_path_factory.mktemp("stack")
    (folder / "live.yml").write_text(SUITE, encoding="utf-8")
    (folder / "records").mkdir()
    config = yaml.safe_load((MONITORING / "prometheus" / "prometheus.yml").read_text(encoding="utf-8"))
    config["rule_files"] = [str(RULES)]
    # An exporter that is down: a port that is taken and refuses.
    with socket.socket() as down, pushgateway(folder / "gateway.log") as pushed:
        down.bind((LOOPBACK, 0))
        run = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--readmit-suite=live.yml"]
        run += ["--readmit-json=now.json", f"--readmit-pushgateway=http://{LOOPBACK}:{pushed}"]
        done = subprocess.run(
            run, cwd=folder, env=clean_environ(), capture_output=True, text=True, check=False
        )
        assert done.returncode == 1, done.stdout + done.stderr
        fill(folder / "records", records.read(folder / "now.json"))
        with exporter(folder / "records", folder / "exporter.log") as served:
            ports = {"readmit-exporter": (served, down.getsockname()[1]), "pushgateway": (pushed,)}
            for job in config["scrape_configs"]:
                targets = [f"{LOOPBACK}:{port}" for port in ports[job["job_name"]]]
                job["static_configs"] = [{"targets": targets}]
            with prometheus(folder, config) as found:
                wait_until(lambda: is_complete(found), "alerts")
                yield found


def test_both_ways_into_prometheus_say_the_same(server: Prometheus) -> None:
    found = server.query('readmit_gate_estimate{suite="live"}')
    of_job: dict[str, dict[str, str]] = {}
    for one in found:
        of_job.setdefault(one["metric"]["job"], {})[one["metric"]["case"]] = one["value"][1]
    assert set(of_job) == {"readmit-exporter", "readmit"}
    assert of_job["readmit-exporter"] == of_job["readmit"]
    assert len(of_job["readmit"]) == 4


@pytest.mark.parametrize(
    ("state", "alert"), [("firing", name) for name in FIRING] + [("pending", name) for name in PENDING]
)
def test_the_shipped_rules_fire(server: Prometheus, state: str, alert: str) -> None:
    expected = {**FIRING, **PENDING}[alert]
    found = sorted(alerts(server, state)[alert], key=lambda labels: labels.get("case", ""))
    assert len(found) == len(expected)
    assert all(one.items() <= labels.items() for one, labels in zip(expected, found, strict=True))


def expressions() -> list[Any]:
    """Return every expression of the dashboards and the rules."""
    found = []
    for path in DASHBOARDS:
        dashboard = json.loads(path.read_text(encoding="utf-8"))
        for number, (title, expression) in enumerate(queries(dashboard)):
            found.append(pytest.param(filled(expression, **VARIABLES), id=f"{path.stem} {number} {title}"))
    for rule in yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"][0]["rules"]:
        found.append(pytest.param(rule["expr"], id=rule["alert"]))
    return found


@pytest.mark.parametrize("expression", expressions())
def test_an_expression_parses_and_has_data(server: Prometheus, expression: str) -> None:
    try:
        import promql_parser
    except ImportError:
        absent("promql-parser is not installed: pip install promql-parser")
    promql_parser.parse(expression)
    # Only a Prometheus that saw nothing has what `absent` looks for: one of yesterday.
    when = time.time() - (86400 if "absent_over_time" in expression else 0)
    assert server.query(expression, time=str(when))


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_legends_and_variables_name_labels_that_are_there(server: Prometheus, path: Path) -> None:
    dashboard = json.loads(path.read_text(encoding="utf-8"))
    for panel in dashboard["panels"]:
        for target in panel["targets"]:
            wanted = set(re.findall(r"{{(\w+)}}", target["legendFormat"]))
            found = server.query(filled(target["expr"], **VARIABLES))
            assert any(wanted <= set(one["metric"]) for one in found), panel["title"]
    for variable in dashboard["templating"]["list"]:
        asked = re.fullmatch(r"label_values\((.+), (\w+)\)", variable["query"]["query"])
        assert asked
        series = server.api("series", **{"match[]": filled(asked.group(1), **VARIABLES)})
        assert {one[asked.group(2)] for one in series}


def test_every_metric_stands_in_a_dashboard_or_a_rule(server: Prometheus) -> None:
    read = " ".join(path.read_text(encoding="utf-8") for path in (*DASHBOARDS, RULES))
    names = server.api("label/__name__/values")
    assert [name for name in names if name.startswith("readmit_") and name not in read] == []


def test_a_query_over_time_gives_a_line_of_each_bound(server: Prometheus) -> None:
    (estimate,) = [
        panel
        for path in DASHBOARDS
        for panel in json.loads(path.read_text(encoding="utf-8"))["panels"]
        if panel.get("repeat") == "case"
    ]
    values = VARIABLES | {"case": "length::los_days"}
    now = time.time()
    lines = [
        one["metric"]
        for target in estimate["targets"]
        for one in server.api(
            "query_range",
            query=filled(target["expr"], **values),
            start=str(now - 2),
            end=str(now),
            step="1",
        )["result"]
    ]
    assert [line.get("side") for line in lines] == [None, "lower", "upper", "upper"]
