"""The alert rules: what promtool says of them, and that each tells who, what and what to do."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from pytest_readmit import registry

from ..metrics.servers import program
from .files import MONITORING, ROOT, RULES

PROMETHEUS = MONITORING / "prometheus"
BY_CASE = {"ReadmitGateFailed", "ReadmitGateInconclusive", "ReadmitDriftApproachingLimit"}
BY_SUITE = {"ReadmitRunBlocked", "ReadmitRunIncomplete", "ReadmitNoRecentRun"}


def rules() -> list[dict[str, Any]]:
    groups = yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule["alert"])
def test_an_alert_says_how_bad_it_is_where_and_what_to_do(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in ("critical", "warning")
    assert set(rule["annotations"]) == {"summary", "description"}
    for text in rule["annotations"].values():
        told = set(re.findall(r"\$labels\.(\w+)", text))
        if rule["alert"] in BY_CASE:
            assert {"suite", "case"} <= told
        elif rule["alert"] in BY_SUITE:
            assert "suite" in told


def test_the_drift_alert_covers_every_check_of_drift() -> None:
    (expression,) = [rule["expr"] for rule in rules() if rule["alert"] == "ReadmitDriftApproachingLimit"]
    covered = re.search(r'check=~"([^"]+)"', expression)
    assert covered
    names = {name for name in registry.load() if "drift" in name}
    assert {name for name in names if not re.fullmatch(covered.group(1), name)} == set()


@pytest.mark.real
@pytest.mark.parametrize(
    "arguments",
    [
        ("check", "config", PROMETHEUS / "prometheus.yml"),
        ("check", "rules", RULES),
        ("test", "rules", *sorted((PROMETHEUS / "tests").glob("*.yml"))),
    ],
    ids=lambda arguments: " ".join(map(str, arguments[:2])),
)
def test_promtool_is_content(arguments: tuple[str | Path, ...]) -> None:
    done = subprocess.run([program("promtool"), *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "SUCCESS" in done.stdout


@pytest.mark.real
def test_promtool_notices_an_alert_that_no_longer_fires(tmp_path: Path) -> None:
    for name in ("rules", "tests"):
        (tmp_path / name).mkdir()
        for path in (PROMETHEUS / name).glob("*.yml"):
            text = path.read_text(encoding="utf-8").replace("undecided_runs) >= 3", "undecided_runs) > 3")
            (tmp_path / name / path.name).write_text(text, encoding="utf-8")
    tests = tmp_path / "tests" / "readmit_test.yml"
    done = subprocess.run([program("promtool"), "test", "rules", tests], capture_output=True, check=False)
    assert done.returncode != 0


def test_the_page_on_monitoring_lists_every_alert_with_its_severity() -> None:
    page = (ROOT / "docs" / "monitoring.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| `(Readmit\w+)` \|.*\| (\w+) \|$", page, flags=re.MULTILINE)
    assert sorted(listed) == sorted((rule["alert"], rule["labels"]["severity"]) for rule in rules())


def test_every_alert_has_a_unit_test() -> None:
    tested = "".join(path.read_text(encoding="utf-8") for path in (PROMETHEUS / "tests").glob("*.yml"))
    assert [rule["alert"] for rule in rules() if f"alertname: {rule['alert']}" not in tested] == []
