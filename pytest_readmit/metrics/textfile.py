"""Metrics as a file for node_exporter's textfile collector."""

import contextlib
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from pytest_readmit import record
from pytest_readmit.metrics.runs import Standing
from pytest_readmit.metrics.series import COMPLETE, FAMILIES, LAST_RUN, families, text

MODE = 0o644
"""The collector runs as another user."""
LARGEST = 64 * 1024 * 1024
_TIME = re.compile(rf'^{LAST_RUN}\{{suite="((?:[^"\\\n]|\\.)*)"\}} ([0-9][0-9.e+]{{0,40}})$', re.MULTILINE)


def replace_stale(path: Path) -> None:
    """
    Put "not complete" in the place of what an earlier run left.

    No verdict of the earlier run stays, but the time of the last run does: without it, an alert on its age
    would never fire for a run that dies each time.

    Raises:
        OSError: If it cannot be written.
    """
    times = _last_runs(path)
    lines = ["# This run has not finished, or could not start. Nothing was decided."]
    for name, values in ((COMPLETE, dict.fromkeys(times, 0.0)), (LAST_RUN, times)):
        if values:
            lines += [f"# HELP {name} {FAMILIES[name][0]}", f"# TYPE {name} gauge"]
            lines += [f'{name}{{suite="{suite}"}} {value}' for suite, value in values.items()]
    record.write_text(path, "\n".join(lines) + "\n", mode=MODE)


def write(path: Path, standings: Sequence[Standing]) -> None:
    """
    Write the metrics in one step.

    A suite of which this run decided nothing keeps the time that the file holds.

    Raises:
        OSError: If they cannot be written.
    """
    times = {} if all(one.decided for one in standings) else _last_runs(path)
    told = [one if one.decided else replace(one, decided=_kept(times, one.suite)) for one in standings]
    record.write_text(path, text(families(told)), mode=MODE)


def _kept(times: Mapping[str, float], suite: str) -> float | None:
    return times.get(suite.replace("\\", r"\\").replace('"', r"\""))


def _last_runs(path: Path) -> dict[str, float]:
    """Return suite, escaped as it stands, to the time of its last run; nothing where no file is."""
    try:
        if not path.is_file() or path.stat().st_size > LARGEST:
            return {}
        found = _TIME.findall(path.read_text(encoding="utf-8", errors="replace"))
    except OSError:
        return {}
    times = {}
    for suite, value in found:
        with contextlib.suppress(ValueError):
            times[suite] = float(value)
    return {suite: time for suite, time in times.items() if math.isfinite(time)}
