"""What the run as a whole says, in sentences: the decision, what it is worth, what is in doubt."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pytest_readmit.report.gates import REPORTED, SHOWN, STATES, VERDICTS, Gate
from pytest_readmit.report.words import items, mapping, name, percent, plural, real


@dataclass(frozen=True, slots=True)
class Count:
    """How many gates have a verdict, and what those come to ("3 block, 1 waived")."""

    verdict: str
    shown: str
    number: int
    parts: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """
    The top of the page.

    Args:
        kind: ``blocked``, ``certified``, ``open`` (nothing blocks, nothing certified), ``reported`` (no gate
            has a limit) or ``incomplete``.
        stamp: Two words that an auditor reads from a distance.
        sentence: The decision.
        step: What somebody who has to act on it does next.
        meaning: What it is worth, one sentence each.
        silent: Of how many passes there is no limit that they could break; "" for none.
        counts: Gates of each verdict as the record counts them; "not run" only where there are any.
        tally: The same with gates without a limit apart from those that passed one.
        alarms: The designed chance of a false alarm, in words.
    """

    kind: str
    stamp: str
    sentence: str
    step: str
    meaning: list[str]
    silent: str
    counts: list[Count]
    tally: list[Count]
    alarms: str


def decide(record: Mapping[str, Any], gates: Sequence[Gate]) -> Decision:
    """Return the decision of a record; where the record contradicts its cases, the cases hold."""
    counts = [_count(gates, verdict) for verdict in VERDICTS]
    missing = max(0, planned(record, gates) - len(gates))
    tally = [one for state in STATES if (one := _state(gates, state)).number or state != REPORTED]
    if missing:
        counts.append(Count("missing", "Not run", missing, ""))
        tally.append(counts[-1])
    kind = _kind(record, gates)
    return Decision(
        kind=kind,
        stamp={
            "blocked": "Blocked",
            "certified": "Certified",
            "open": "Not certified",
            "reported": "Reported only",
            "incomplete": "Incomplete",
        }[kind],
        sentence=_sentence(kind, record, gates),
        step=_step(kind, record, gates),
        meaning=_meaning(kind, gates),
        silent=_silent(gates),
        counts=counts,
        tally=tally,
        alarms=_alarms(record, gates),
    )


def _count(gates: Sequence[Gate], verdict: str) -> Count:
    own = [gate for gate in gates if gate.verdict == verdict]
    silent = sum(gate.state == REPORTED for gate in own)
    told = _parts(own, verdict) + ([f"{silent:,} without a limit"] if silent else [])
    return Count(verdict, SHOWN[verdict], len(own), ", ".join(told))


def _state(gates: Sequence[Gate], state: str) -> Count:
    own = [gate for gate in gates if gate.state == state]
    parts = ["no limit"] if state == REPORTED else []
    return Count(state, STATES[state], len(own), ", ".join(parts + _parts(own, state)))


def _parts(own: Sequence[Gate], verdict: str) -> list[str]:
    parts = [
        (sum(gate.blocks for gate in own), "block"),
        (sum(gate.outcome == "xfailed" for gate in own), "waived"),
        (
            sum(gate.outcome == "passed" and gate.warned for gate in own),
            "warn" if verdict == "fail" else "with a warning",
        ),
    ]
    return [f"{number:,} {word}" for number, word in parts if number]


def planned(record: Mapping[str, Any], gates: Sequence[Gate]) -> int:
    """Return the number of gates the suites ask for."""
    found = real(record.get("planned"))
    return max(len(gates), int(found)) if found is not None else len(gates)


def doubts(record: Mapping[str, Any], gates: Sequence[Gate], *, digest: str | None) -> list[str]:
    """
    Return what is wrong with the record itself.

    Args:
        record: The record.
        gates: Its cases.
        digest: What the record's digest should be, None if that was not worked out.
    """
    said = []
    if digest is not None and (not digest or record.get("digest") != digest):
        said.append("The record was changed after it was written: its digest does not match its content.")
    counts = record.get("counts")
    if isinstance(counts, Mapping) and any(
        (real(counts.get(verdict)) or 0) != _number(gates, verdict) for verdict in VERDICTS
    ):
        said.append("The record's counts differ from its cases; this page counts the cases.")
    if record.get("certified") is True and any(gate.verdict != "pass" for gate in gates):
        said.append("The record says certified, but not every case in it passed.")
    if record.get("blocked") is False and any(gate.blocks for gate in gates):
        said.append("The record says that nothing blocks, but a case in it does.")
    return said + _late(record, gates)


def _late(record: Mapping[str, Any], gates: Sequence[Gate]) -> list[str]:
    """Say that a suite's own date keeps a waiver alive that ended before the run."""
    day = name(mapping(record.get("provenance")).get("started"))[:10]
    late = sum(gate.outcome == "xfailed" and (gate.waiver.get("until") or day) < day for gate in gates)
    if not late:
        return []
    said = f"{plural(late, 'gate is', 'gates are')} waived by the suite's own date, which lies before the run"
    return [f"{said}; by the day of the run the waiver has ended."]


def _number(gates: Sequence[Gate], verdict: str) -> int:
    return sum(gate.verdict == verdict for gate in gates)


def complete(record: Mapping[str, Any], gates: Sequence[Gate]) -> bool:
    """Whether every planned gate has a verdict."""
    return record.get("complete") is True and planned(record, gates) == len(gates)


def _kind(record: Mapping[str, Any], gates: Sequence[Gate]) -> str:
    if any(gate.blocks for gate in gates):
        return "blocked"
    if not gates or not complete(record, gates):
        return "incomplete"
    if record.get("blocked") is True:
        return "blocked"
    if all(gate.state == REPORTED for gate in gates):
        return "reported"
    if record.get("certified") is True and all(gate.verdict == "pass" for gate in gates):
        return "certified"
    return "open"


def _sentence(kind: str, record: Mapping[str, Any], gates: Sequence[Gate]) -> str:
    asked = planned(record, gates)
    if kind == "blocked":
        blocking = sum(gate.blocks for gate in gates)
        if not blocking:
            return "Deployment is blocked."
        return f"Deployment is blocked by {blocking:,} of {plural(asked, 'gate')}."
    if kind == "incomplete":
        ran = f"only {len(gates):,} of {plural(asked, 'gate')} ran" if gates else "no gate ran"
        return f"{'Deployment is blocked' if record.get('blocked') is True else 'Nothing is decided'}: {ran}."
    if kind == "certified":
        limited = sum(not gate.reports_only for gate in gates)
        if limited < len(gates):
            return (
                "The one gate with a limit is within it: certified."
                if limited == 1
                else f"All {limited:,} gates with a limit are within it: certified."
            )
        if asked == 1:
            return "The one gate is within its limit: certified."
        return f"All {asked:,} gates are within their limits: certified."
    if kind == "reported":
        none = "the only gate has no limit" if asked == 1 else f"none of the {asked:,} gates has a limit"
        return f"Nothing is proven: {none}."
    return _open_sentence(gates)


def _open_sentence(gates: Sequence[Gate]) -> str:
    fails = [gate for gate in gates if gate.verdict == "fail"]
    waived = sum(gate.outcome == "xfailed" for gate in fails)
    undecided = _number(gates, "inconclusive")
    parts = []
    if waived:
        parts.append(f"{plural(waived, 'gate is', 'gates are')} beyond the limit under a waiver")
    if len(fails) > waived:
        parts.append(
            f"{plural(len(fails) - waived, 'gate', 'gates')} beyond the limit only warn"
            + ("s" if len(fails) - waived == 1 else "")
        )
    if undecided:
        parts.append(f"{plural(undecided, 'gate is', 'gates are')} undecided")
    if fails:
        return f"Nothing blocks, but {_joined(parts)}."
    silent = sum(gate.state == REPORTED for gate in gates)
    if undecided + silent == len(gates):
        which = " with a limit" if silent else ""
        all_of_them = f"the only gate{which} is" if undecided == 1 else f"all {undecided:,} gates{which} are"
        return f"Nothing is proven: {all_of_them} undecided."
    if undecided:
        return f"Nothing is proven beyond its limit; {undecided:,} of {plural(len(gates), 'gate')} undecided."
    return f"Nothing blocks; {plural(len(gates), 'gate')} passed."


def _joined(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else ", ".join(parts[:-1]) + " and " + parts[-1]


def _meaning(kind: str, gates: Sequence[Gate]) -> list[str]:
    said = []
    if kind == "open":
        said.append("Not certified: an undecided or waived gate is not a proof that its limit holds.")
    if kind == "certified":
        said.append(_proof(gates))
    if kind == "reported":
        said.append("A gate without a limit shows a figure and cannot fail.")
    if kind == "incomplete":
        said.append("A partial run certifies nothing and nothing can be promoted from it.")
    return said + _weak_passes(gates)


def _proof(gates: Sequence[Gate]) -> str:
    judged = [gate for gate in gates if not gate.reports_only]
    if not judged:
        return "No gate has a limit, so nothing was shown."
    if all(gate.decide_by == "interval" or gate.census for gate in judged):
        which = "Every gate" if len(judged) == len(gates) else "Every gate with a limit"
        return f"{which} was shown to stay within its limit."
    return "Every gate passed, but not every one was shown to stay within its limit."


def _weak_passes(gates: Sequence[Gate]) -> list[str]:
    """Say of how many passes the rule itself proves nothing about size or chance."""
    passed = [gate for gate in gates if gate.verdict == "pass" and not gate.reports_only]
    kinds = (
        (
            sum(gate.decide_by == "p_value" for gate in passed),
            "a p-value alone, which says nothing about size",
        ),
        (
            sum(gate.decide_by == "estimate" and not gate.census for gate in passed),
            "the estimate alone, which leaves chance out",
        ),
    )
    return [
        f"{plural(number, 'pass', 'passes')} rest{'s' if number == 1 else ''} on {words}."
        for number, words in kinds
        if number
    ]


def _silent(gates: Sequence[Gate]) -> str:
    silent = sum(gate.reports_only for gate in gates if gate.verdict == "pass")
    if not silent:
        return ""
    only = "has no limit and only reports" if silent == 1 else "have no limit and only report"
    which = "it" if silent == 1 else "these"
    return f"{plural(silent, 'gate')} {only}; the record counts {which} as pass"


def _step(kind: str, record: Mapping[str, Any], gates: Sequence[Gate]) -> str:
    """Return what to do next; it asks those whom the suites name, and promises no more than the record."""
    models = mapping(mapping(record.get("provenance")).get("models"))
    model = "the challenger" if mapping(models.get("challenger")) else "the model"
    owner = _named(record, "owner", "those who look after the suite")
    approver = _named(record, "approver", "those who approve the model")
    judge = _named(record, "approver", owner)
    if kind == "incomplete":
        return "Do not decide by this record: run all of its gates first."
    if kind == "reported":
        return "Do not decide by this record: none of its gates has a limit."
    if kind == "certified":
        return f"No gate stands against {model}. Whether it is used is for {approver} to decide."
    if kind == "open":
        return f"Nothing here blocks {model}, yet not everything is proven: show {approver} what is open."
    causes = {gate.verdict for gate in gates if gate.blocks}
    if "fail" in causes:
        asked = (
            "" if model == "the challenger" else f" If it is in use already, ask {judge} whether it may stay."
        )
        return f"Do not put {model} live.{asked} Each cause leads to what to do."
    wanted = {
        "error": f"yet: something could not be measured. Ask {owner} to mend it and run again",
        "inconclusive": f"yet: nothing is proven wrong, but the data cannot tell. Ask {owner} for more data",
        "pass": f"before {owner} has looked into the warnings, which block this run",
    }
    for verdict, words in wanted.items():
        if verdict in causes:
            return f"Do not put {model} live {words}."
    return f"Do not put {model} live on the strength of this record."


def _named(record: Mapping[str, Any], role: str, otherwise: str) -> str:
    """Return whom all suites of a record name for a role."""
    found = {name(mapping(suite).get(role), most=120) for suite in items(record.get("suites"))}
    return (found.pop() or otherwise) if len(found) == 1 else otherwise


def _alarms(record: Mapping[str, Any], gates: Sequence[Gate]) -> str:
    bound = real(record.get("false_alarm_bound"))
    if bound is None or not gates:
        return ""
    by_chance = [gate for gate in gates if gate.decide_by != "estimate" and not gate.reports_only]
    entries = len({(gate.path, gate.entry) for gate in by_chance})
    if bound <= 0:
        return "No gate of this run rests on chance: none can fail wrongly."
    levels = {real(mapping(case).get("confidence")) for case in items(record.get("cases"))} - {None}
    level = levels.pop() if len(levels) == 1 else None
    each = f"at most {percent(1 - level)} an entry, " if level else ""
    passes = (
        f" A gate whose truth is just beyond its limit passes in at most {percent(1 - level)} of runs; each"
        " gate has this rate for itself, it is not shared."
        if level
        else ""
    )
    any_of = "that the one entry" if entries == 1 else f"that any of {entries:,} entries"
    whole = "no useful bound" if bound >= 1 else percent(bound)
    return (
        f"Designed error rate: {each}{whole} {any_of} decided on a sample fails although every limit holds."
        " It holds before the data are seen; it is not the chance that a fail shown here is wrong."
        f" Repeated runs add up, unless the suite\u2019s schedule makes them share it.{passes}"
    )
