"""What a real Pushgateway and promtool make of the metrics."""

import subprocess
import sys
from pathlib import Path

import pytest

from .made import case, write
from .servers import LOOPBACK, clean_environ, exporter, fetched, program, pushgateway

pytestmark = pytest.mark.real

SUITE = """
suite: the ward / drift
data: {{reference: {{demo: reference}}, current: {{demo: drifted}}}}
checks:
  - data_drift: {{columns: [{columns}]}}
"""


def run(folder: Path, *options: str, columns: str) -> int:
    """Run a suite of the demo data."""
    (folder / "drift.yml").write_text(SUITE.format(columns=columns))
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--readmit-suite=drift.yml"]
    return subprocess.run(
        [*command, *options], cwd=folder, env=clean_environ(), capture_output=True, check=False
    ).returncode


def test_what_is_written_pushed_and_served_is_in_order_and_a_case_that_is_gone_vanishes(tmp_path) -> None:
    (tmp_path / "records").mkdir()
    models = {"champion": {"source": "m", "name": "readmission", "version": "3"}}
    gates = case("drift::age", "inconclusive"), case('drift::q"u\\o\u202ete', "fail"), case("schema", "error")
    write(tmp_path / "records" / "a.json", *gates, models=models)
    written = tmp_path / "m.prom"
    with (
        exporter(tmp_path / "records", tmp_path / "exporter.log") as port,
        pushgateway(tmp_path / "pushgateway.log") as gateway,
    ):
        options = f"--readmit-pushgateway=http://{LOOPBACK}:{gateway}", f"--readmit-metrics={written}"
        found = []
        for columns, code in (("age, sex", 1), ("age", 1), ("", 4)):
            assert run(tmp_path, *options, columns=columns) == code
            pushed = fetched(f"http://{LOOPBACK}:{gateway}/metrics")
            of_suite = (
                'readmit_gate_blocked{case="data_drift::sex",check="data_drift",instance="",job="readmit"'
            )
            found.append(
                (of_suite in pushed, "gate_blocked" in pushed, "gate_blocked" in written.read_text())
            )
            promtool_is_content(written.read_text())
        promtool_is_content(fetched(f"http://{LOOPBACK}:{port}/metrics"))
    assert found == [(True, True, True), (False, True, True), (False, True, False)]


def promtool_is_content(metrics: str) -> None:
    done = subprocess.run(
        [program("promtool"), "check", "metrics"], input=metrics, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
