"""What weakens a record, whatever its verdict: facts that a reader must know before trusting it."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any

from pytest_readmit.report import plain
from pytest_readmit.report.gates import Gate
from pytest_readmit.report.verdict import complete
from pytest_readmit.report.words import items, mapping, name, plural

READ_SCORES = plain.MEASURING | {"prediction_drift", "behavior"}
DEMO = "demo:"
OLD_DAYS = 90


def cautions(record: Mapping[str, Any], gates: Sequence[Gate]) -> list[str]:
    """Return each fact that weakens the record, in a few words; none where none holds."""
    return list(_found(record, gates, mapping(record.get("provenance"))))


def _found(record: Mapping[str, Any], gates: Sequence[Gate], said: Mapping[str, Any]) -> Iterator[str]:
    if not complete(record, gates):
        yield "not all of its gates ran"
    models = [mapping(one) for one in mapping(said.get("models")).values()]
    if not any(one.get("name") or one.get("source") for one in models) and any(
        one.check in READ_SCORES for one in gates
    ):
        yield "it names no model"
    sources = [name(mapping(one).get("source")) for one in mapping(said.get("datasets")).values()]
    if any(source.startswith(DEMO) for source in sources):
        yield "demo data, made up"
    if mapping(said.get("git")).get("dirty") is True:
        yield "code or suite with uncommitted changes"
    days = max(
        (_days(mapping(one).get("as_of"), said.get("started")) for one in items(record.get("suites"))),
        default=0,
    )
    if days > OLD_DAYS:
        yield f"judged as of a day {days:,} days before the run"
    waived = sum(one.covered for one in gates)
    if waived:
        yield (
            plural(waived, "waiver in force", "gates under waivers in force")
            if waived > 1
            else "a waiver in force"
        )


def _days(as_of: Any, started: Any) -> int:
    """Return the days from one ISO date to another; 0 where either is none."""
    try:
        return (date.fromisoformat(name(started)[:10]) - date.fromisoformat(name(as_of)[:10])).days
    except ValueError:
        return 0
