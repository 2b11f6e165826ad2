"""Records made by hand, as a run would have written them."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from pytest_readmit import provenance, record
from pytest_readmit.claim import Finding

START = datetime(2024, 1, 8, 6, 0, tzinfo=UTC)


def case(name: str, verdict: str = "pass", *, suite: str = "ward", **facts: Any) -> dict[str, Any]:
    """Return a decided case as JSON; `name` is its node id without the file."""
    entry, _, subject = name.partition("::")
    given = {
        "check": entry,
        "entry": entry,
        "subject": subject or None,
        "segment": None,
        "line": 1,
        "because": None,
        "severity": "block",
        "outcome": "failed" if verdict in ("fail", "error") else "passed",
        "decide_by": "interval",
        "estimate": 0.02,
        "interval": (0.01, 0.03),
        "limit": 0.1,
        "direction": "at_most",
        "n_reference": 500,
        "n_current": 400,
        "message": name,
        **facts,
    }
    return Finding(id=f"suites/{suite}.yml::{name}", suite=suite, verdict=verdict, **given).to_json()


def content(*cases: dict[str, Any], week: float = 0, planned: int = 0, **facts: Any) -> dict[str, Any]:
    """
    Return a record of these cases.

    Args:
        cases: What was decided.
        week: When the run was; it took 90 seconds.
        planned: Cases of the suites, where more than were decided.
        facts: `suites`, `code`, `broken`, `models`, `commit`, where they matter.
    """
    finished = START + timedelta(weeks=week)
    names = facts.get("suites") or dict.fromkeys(one["suite"] for one in cases)
    nothing = dict.fromkeys(("owner", "intended_use", "approver", "protocol", "as_of"))
    entry = SimpleNamespace(id="e", correction="none", on=None, segments=())
    ids = [*(one["id"] for one in cases), *(f"left-{n}" for n in range(planned - len(cases)))]
    plan = SimpleNamespace(
        suites=[
            SimpleNamespace(
                name=name, shown=f"suites/{name}.yml", sha256="5" * 64, min_cell=11, secrets={}, **nothing
            )
            for name in names
        ],
        cases=[SimpleNamespace(id=one, index=0, entry=entry) for one in ids],
    )
    told = provenance.collect(
        started=stamp(finished - timedelta(seconds=90)),
        finished=stamp(finished),
        git={"commit": facts.get("commit"), "dirty": None},
        command="pytest",
        models=facts.get("models"),
    )
    blocked = any(one["outcome"] == "failed" for one in cases)
    code = facts.get("code", int(blocked))
    return record.build(
        plan,
        {one["id"]: one for one in cases},
        exit_code=code,
        provenance=told,
        broken=facts.get("broken", False),
    )


def stamp(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def write(path: Path, *cases: dict[str, Any], **facts: Any) -> dict[str, Any]:
    """Write a record."""
    made = content(*cases, **facts)
    record.write(path, made)
    return made
