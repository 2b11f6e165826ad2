"""The record in brief, as JSON for a script: the verdict, what blocks, what is waived or open."""

from collections.abc import Callable, Mapping
from typing import Any

from pytest_readmit.report.words import items, mapping

SCHEMA = "pytest-readmit/brief/1"
WHOLE = (
    "digest",
    "verdict",
    "blocked",
    "certified",
    "complete",
    "exit_code",
    "planned",
    "counts",
    "false_alarm_bound",
)
OF_A_CASE = (
    "id",
    "line",
    "verdict",
    "message",
    "estimate",
    "interval",
    "limit",
    "direction",
    "needed_n",
    "because",
    "waiver",
)
GROUPS: Mapping[str, Callable[[Mapping[str, Any]], bool]] = {
    "blocking": lambda case: case.get("outcome") == "failed",
    "waived": lambda case: case.get("outcome") == "xfailed",
    "warned": lambda case: case.get("outcome") == "passed" and case.get("warned") is True,
    "undecided": lambda case: (
        case.get("outcome") == "passed" and case.get("verdict") == "inconclusive" and not case.get("warned")
    ),
    "waivers_not_needed": lambda case: (
        bool(case.get("waiver")) and case.get("verdict") == "pass" and case.get("warned") is not True
    ),
}


def brief(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return a record without its passing cases, their details and its provenance."""
    cases = [mapping(case) for case in items(record.get("cases"))]
    groups = {
        title: [{key: case.get(key) for key in OF_A_CASE} for case in cases if belongs(case)]
        for title, belongs in GROUPS.items()
    }
    return {"schema": SCHEMA, **{key: record.get(key) for key in WHOLE}, **groups}
