"""A record cut down to what its metrics say, and every part of it held to its type."""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import takewhile
from typing import Any

from pytest_readmit.errors import ReadmitError
from pytest_readmit.metrics.labels import label
from pytest_readmit.record import VERDICTS

Pair = tuple[float | None, float | None]

UNKNOWN = "unknown"
ENDED = (0, 1)
"""Exit codes of runs that came to their end; any other blocks every suite of the run."""


@dataclass(frozen=True, slots=True)
class Gate:
    """
    What one run says of one case.

    Args:
        check: Name of the check.
        case: Node id without the file.
        verdict: The verdict.
        blocked: Whether its outcome is failed.
        estimate: The measured effect.
        bounds: Its lower and upper bound.
        limits: The least and the most that is allowed.
        rows: Usable rows of reference and current.
    """

    check: str
    case: str
    verdict: str
    blocked: bool
    estimate: float | None
    bounds: Pair
    limits: Pair
    rows: Pair


@dataclass(frozen=True, slots=True)
class Model:
    """A model that a record names."""

    role: str
    name: str
    version: str


@dataclass(frozen=True, slots=True)
class Run:
    """
    What one record says.

    Args:
        digest: Of the record.
        finished: Seconds since 1970; None if the run came to no end.
        seconds: How long it took.
        complete: Whether every planned case was decided.
        ended: False where the run itself went wrong, whatever its cases say.
        commit: The Git commit it started from.
        version: The version of pytest-readmit.
        gates: Suite to case to gate, in the record's order.
        models: Suite to the models of its run.
    """

    digest: str
    finished: float | None
    seconds: float | None
    complete: bool
    ended: bool
    commit: str
    version: str
    gates: Mapping[str, Mapping[str, Gate]]
    models: Mapping[str, Sequence[Model]]


def run_of(record: Mapping[str, Any]) -> Run:
    """
    Return what a record says.

    Raises:
        ReadmitError: It has not the form of a record.
    """
    try:
        return _run(record)
    except (ArithmeticError, AttributeError, KeyError, TypeError, ValueError) as error:
        raise ReadmitError("not a record: it has not the form of one") from error


def _run(record: Mapping[str, Any]) -> Run:
    facts = record["provenance"]
    finished = _moment(facts["finished"])
    started = _moment(facts["started"])
    gates, names = _gates(record)
    blocks = any(gate.blocked for found in gates.values() for gate in found.values())
    return Run(
        digest=_text(record["digest"]),
        finished=finished,
        seconds=None if finished is None or started is None else max(0.0, finished - started),
        complete=_flag(record["complete"]),
        ended=record["exit_code"] in ENDED and (blocks or not _flag(record["blocked"])),
        commit=label(_text(facts["git"].get("commit") or UNKNOWN)),
        version=label(_text(facts["packages"].get("pytest-readmit") or UNKNOWN)),
        gates=gates,
        models={suite: _models(facts["models"], names, suite) for suite in gates},
    )


def _gates(record: Mapping[str, Any]) -> tuple[dict[str, dict[str, Gate]], dict[str, str]]:
    """Return each suite's gates by case, and each suite's name by its label."""
    named = [_text(suite["name"]) for suite in record["suites"]]
    names = {label(name): name for name in named}
    gates: dict[str, dict[str, Gate]] = {suite: {} for suite in names}
    shared = {name for name, suites in Counter(named).items() if suites > 1}
    for case in record["cases"]:
        name, node = _text(case["suite"]), _text(case["id"])
        # Where two files share a suite's name, the file tells their cases apart.
        short = node if name in shared else node.partition("::")[2] or node
        gate = _gate(case, label(short))
        if gates[label(name)].setdefault(gate.case, gate) is not gate:
            raise ValueError("two cases of one id")
    return gates, names


def _gate(case: Mapping[str, Any], name: str) -> Gate:
    verdict = _text(case["verdict"])
    return Gate(
        check=label(_text(case["check"])),
        case=name,
        verdict=VERDICTS[VERDICTS.index(verdict)],
        blocked=_text(case["outcome"]) == "failed",
        estimate=_number(case["estimate"]),
        bounds=_pair(case["interval"]),
        limits=_limits(case["limit"], case["direction"]),
        rows=(_number(case["n_reference"]), _number(case["n_current"])),
    )


def _limits(limit: Any, direction: Any) -> Pair:
    if isinstance(limit, Sequence) or limit is None:
        return _pair(limit)
    one = _number(limit)
    return (one, None) if direction == "at_least" else (None, one)


def _models(models: Mapping[str, Any], names: Mapping[str, str], suite: str) -> list[Model]:
    """Return the models of a suite; a role stands under ``suite:role`` where suites of a run differ in it."""
    prefixes = [f"{name}:" for name in names.values()]
    own = f"{names[suite]}:"
    found = {}
    for key, facts in models.items():
        belongs = key.startswith(own) or not any(key.startswith(prefix) for prefix in prefixes)
        if belongs and facts and facts.get("name"):
            role = label(_text(key.removeprefix(own)))
            if role not in found or key.startswith(own):
                version = label(str(facts.get("version") or UNKNOWN))
                found[role] = Model(role, label(_text(facts["name"])), version)
    return list(found.values())


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("not a text")
    return value


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError("not true or false")
    return value


def _number(value: Any) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise TypeError("not a number")
    return float(value)


def _pair(value: Any) -> Pair:
    if value is None:
        return None, None
    low, high = value
    return _number(low), _number(high)


def _moment(value: Any) -> float | None:
    if value is None:
        return None
    moment = datetime.fromisoformat(_text(value))
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


@dataclass(frozen=True, slots=True)
class Standing:
    """
    What holds of a suite: its newest run, and what the runs before it add.

    Args:
        suite: Its name.
        run: The newest run.
        decided: When a run last decided a gate of it; None if none did.
        undecided: Case to the number of its latest runs on end that were inconclusive.
        blocked: Case to when the first of its latest runs on end that blocked finished, where it blocks.
    """

    suite: str
    run: Run
    decided: float | None
    undecided: Mapping[str, int]
    blocked: Mapping[str, float]


def standings(runs: Iterable[Run], wanted: Callable[[str], bool] = lambda _: True) -> list[Standing]:
    """
    Return what holds of each suite that finished runs name.

    Args:
        runs: In any order; the same run twice counts once.
        wanted: Which suites are meant.
    """
    told = {run.digest or str(id(run)): run for run in runs if run.finished is not None}
    newest_first = sorted(told.values(), key=lambda run: (run.finished, run.digest), reverse=True)
    of_suite: dict[str, list[Run]] = {}
    for run in newest_first:
        for suite in filter(wanted, run.gates):
            of_suite.setdefault(suite, []).append(run)
    return [_standing(suite, of_suite[suite]) for suite in sorted(of_suite)]


def _standing(suite: str, runs: Sequence[Run]) -> Standing:
    newest = runs[0]
    blocked = {case: _on_end(suite, case, runs, _blocks) for case in newest.gates[suite]}
    return Standing(
        suite=suite,
        run=newest,
        decided=next((run.finished for run in runs if run.gates[suite]), None),
        undecided={case: len(_on_end(suite, case, runs, _is_undecided)) for case in newest.gates[suite]},
        blocked={case: times[-1] for case, times in blocked.items() if times},
    )


def _blocks(gate: Gate) -> bool:
    return gate.blocked


def _is_undecided(gate: Gate) -> bool:
    return gate.verdict == "inconclusive"


def _on_end(suite: str, case: str, runs: Sequence[Run], holds: Callable[[Gate], bool]) -> list[float]:
    """
    Return when the latest runs finished for which something holds of a case, newest first.

    A run that left the case out neither counts nor ends the row.
    """
    known = ((run, run.gates[suite].get(case)) for run in runs)
    of_case = ((run, gate) for run, gate in known if gate is not None)
    return [run.finished or 0.0 for run, _ in takewhile(lambda one: holds(one[1]), of_case)]
