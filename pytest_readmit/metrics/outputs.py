"""What a test run does with its metrics: writes them, pushes them, and says what went wrong."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pytest_readmit.errors import ReadmitError
from pytest_readmit.metrics import push as pushes
from pytest_readmit.metrics import textfile
from pytest_readmit.metrics.runs import Run, Standing, run_of, standings
from pytest_readmit.metrics.series import need_client
from pytest_readmit.report import history as histories


def ready(file: str | None, url: str | None) -> None:
    """
    Hold what the command line asks for to what can be done.

    Raises:
        SuiteError: The URL is none.
        MissingExtra: prometheus_client is not installed.
    """
    if url is not None:
        pushes.gateway(url, os.environ)
    if file or url is not None:
        need_client("--readmit-metrics" if file else pushes.OPTION)


def write(path: Path, record: Mapping[str, Any], history: Path | None) -> list[str]:
    """Write the metrics of a run; return what went wrong."""
    try:
        textfile.write(path, _standings(record, history))
    except Exception as error:  # metrics that cannot be made must not cost the record
        return [f"the metrics could not be written: {_said(error)}"]
    return []


def push(url: str, record: Mapping[str, Any], history: Path | None) -> tuple[str | None, list[str]]:
    """
    Push the metrics of a run; return the line that says so, and what went wrong.

    A suite of which the run decided nothing is left as it is: its last run must not look newer.
    """
    to = pushes.gateway(url, os.environ)
    try:
        decided = [one for one in _standings(record, history) if one.run.gates[one.suite]]
        pushes.push(to, decided)
    except Exception as error:  # likewise
        return None, [f"the metrics could not be pushed: {_said(error)}"]
    return f"metrics pushed to {to.url}" if decided else None, []


def _standings(record: Mapping[str, Any], history: Path | None) -> list[Standing]:
    run = run_of(record)
    before = [] if history is None else [_earlier(one) for one in histories.earlier(history, record)]
    return standings([run, *(one for one in before if one is not None)], run.gates.__contains__)


def _earlier(record: Mapping[str, Any]) -> Run | None:
    try:
        return run_of(record)
    except ReadmitError:
        return None


def _said(error: Exception) -> str:
    return str(error) if isinstance(error, ReadmitError | OSError) else type(error).__name__
