"""Why a run is blocked: its gates by what failed, the worst of each first, and what they have in common."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from pytest_readmit.report import actions
from pytest_readmit.report.gates import Gate
from pytest_readmit.report.overview import closeness

# An error hides a verdict, so it comes before what is known.
ORDER = ("error", "fail", "inconclusive", "pass")
MOST_CARDS = 12
MOST_WORST = 2
MOST_COLUMNS = 3
OF_COLUMNS = frozenset(
    {"data_drift", "missing_drift", "unseen_categories", "out_of_range", "extreme_values", "unit_change"}
)
FIRST_LOOK = {
    "unit_change": "look at its unit first",
    "missing_drift": "look at how it is collected first",
    "unseen_categories": "look at its codes first",
}


@dataclass(frozen=True, slots=True)
class Run:
    """Gates that stand below each other; `reason` is one of them where all have the same reason."""

    reason: Gate | None
    gates: list[Gate]


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """
    Gates of one check that block with the same verdict: what that means, and what to do.

    Args:
        gates: The first of them.
        total: How many there are.
        entries: Which entries they are of, where the check alone does not say it.
        worst: Those that are farthest beyond their limits.
        runs: The gates, put together by the reason for their limits.
    """

    verdict: str
    check: str
    meaning: str
    action: str
    gates: list[Gate]
    total: int
    entries: str
    worst: list[Gate]
    runs: list[Run]


def groups(gates: Sequence[Gate]) -> list[Group]:
    """Return what blocks by verdict, errors first, and fails by check."""
    found: dict[tuple[str, str], list[Gate]] = {}
    for verdict in ORDER:
        for one in gates:
            if one.blocks and one.verdict == verdict:
                found.setdefault((verdict, one.check if verdict == "fail" else ""), []).append(one)
    return [_group(verdict, check, own, gates) for (verdict, check), own in found.items()]


def _group(verdict: str, check: str, own: list[Gate], gates: Sequence[Gate]) -> Group:
    return Group(
        verdict=verdict,
        check=check,
        meaning=actions.meaning(check, verdict),
        action=actions.action(check, verdict, gates),
        gates=own[:MOST_CARDS],
        total=len(own),
        entries=_entries(check, own),
        worst=sorted(own, key=lambda one: -_beyond(one))[:MOST_WORST],
        runs=_runs(own[:MOST_CARDS]),
    )


def _beyond(one: Gate) -> float:
    return (closeness(one.standing) or 0.0) if one.standing else 0.0


def _entries(check: str, own: Sequence[Gate]) -> str:
    """Return "concept_drift 6, losses 1"; "" where every gate is of the entry named like the check."""
    names = [one.entry for one in own]
    different = list(dict.fromkeys(names))
    if not check or different == [check]:
        return ""
    return ", ".join(f"{entry} {names.count(entry)}" for entry in different[:MOST_CARDS])


def _runs(gates: Sequence[Gate]) -> list[Run]:
    """Put gates together whose limits have the same reason; a gate alone keeps its own."""
    found = []
    for _, members in groupby(gates, key=lambda one: (one.because, one.place, bool(one.limit))):
        own = list(members)
        found.append(Run(own[0] if len(own) > 1 else None, own))
    return found


def columns(gates: Sequence[Gate]) -> list[tuple[str, int, str]]:
    """Return the columns that fail several checks at once: name, number of gates, where to look first."""
    failing: dict[str, list[str]] = {}
    for one in gates:
        if one.blocks and one.verdict == "fail" and one.check in OF_COLUMNS and one.brief.column:
            failing.setdefault(one.brief.column, []).append(one.check)
    several = [(column, checks) for column, checks in failing.items() if len(set(checks)) > 1]
    several.sort(key=lambda found: -len(found[1]))
    return [
        (
            column,
            len(checks),
            next(
                (words for check, words in FIRST_LOOK.items() if check in checks), "look at its source first"
            ),
        )
        for column, checks in several[:MOST_COLUMNS]
    ]
