"""What a run says on the terminal: one screen, however many gates it has."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pytest_readmit import record

MOST_BLOCKING = 10
MOST_OTHERS = 3
LONGEST = 400
CAUSES = ("fail", "error", "undecided", "warning")
UNDECIDED = {"inconclusive": "undecided"}

Case = Mapping[str, Any]


def summary(made: Mapping[str, Any]) -> Iterator[str]:
    """Yield what a person reads in five seconds: the verdict, what blocks, what is left open."""
    yield last_line(made).capitalize()
    cases = made["cases"]
    yield from _listed([case for case in cases if case["outcome"] == "failed"], MOST_BLOCKING)
    yield from _listed([case for case in cases if case["outcome"] == "xfailed"], MOST_OTHERS, "waived")
    yield from _idle_waivers(cases)
    passed = [case for case in cases if case["outcome"] == "passed"]
    yield from _listed([case for case in passed if case["warned"]], MOST_OTHERS, "warned")
    silent = [case for case in passed if case["verdict"] == "inconclusive" and not case["warned"]]
    yield from _listed(silent, MOST_OTHERS, "undecided")
    yield from _notes(made)


def last_line(made: Mapping[str, Any]) -> str:
    """Say what blocked: fail, error or undecided."""
    cases = made["cases"]
    words = [_cause(case) for case in cases if case["outcome"] == "failed"]
    by = [f"by {cause} ({words.count(cause)})" for cause in CAUSES if cause in words]
    silent = sum(_silent(case) for case in cases)
    told = {**UNDECIDED, "pass": f"pass, {silent} of them without a limit"} if silent else UNDECIDED
    counts = ", ".join(f"{made['counts'][name]} {told.get(name, name)}" for name in record.VERDICTS)
    left = made["planned"] - len(cases)
    tail = f" ({counts}; {left} of {made['planned']} not run)" if left else f" ({counts})"
    if words:
        return f"blocked {', '.join(by)}{tail}"
    if not cases:
        return f"no gate decided{tail}"
    if made["blocked"]:
        return f"blocked by error: the run did not finish{tail}"
    if made["certified"]:
        if silent == len(cases):
            return f"nothing proven: no gate has a limit{tail}"
        return f"pass, every gate{' with a limit' if silent else ''} certified{tail}"
    return f"{'nothing blocks' if made['complete'] else 'nothing blocks, incomplete'}{tail}"


def _listed(cases: Sequence[Case], most: int, title: str | None = None) -> Iterator[str]:
    for case in cases[:most]:
        said = _cut(f"{case['id']}: {case['message']}")
        yield f"  {title or _cause(case)}: {said}"
    if len(cases) > most:
        per_entry = Counter(case["entry"] for case in cases[most:]).most_common()
        where = ", ".join(f"{entry} {number}" for entry, number in per_entry[:MOST_OTHERS])
        more = ", ..." if len(per_entry) > MOST_OTHERS else ""
        yield f"  ... and {len(cases) - most} more {title or 'that block'}: {where}{more}"


def _idle_waivers(cases: Sequence[Case]) -> Iterator[str]:
    """Yield a line for each entry whose waiver covers gates that pass without it."""
    entries: dict[tuple[str, str], list[Case]] = {}
    for case in cases:
        if case["waiver"]:
            entries.setdefault((_file(case), case["entry"]), []).append(case)
    idle = [
        (members[0], sum(case["verdict"] == "pass" and not case["warned"] for case in members), len(members))
        for members in entries.values()
    ]
    lines = [
        f"  waiver not needed: {_file(case)}:{case['line']}: {case['entry']}: "
        f"{number} of {total} gates pass without it"
        for case, number, total in idle
        if number
    ]
    yield from lines[:MOST_OTHERS]
    if len(lines) > MOST_OTHERS:
        yield f"  ... and {len(lines) - MOST_OTHERS} more waivers not needed"


def _notes(made: Mapping[str, Any]) -> Iterator[str]:
    datasets = made["provenance"]["datasets"]
    reference, current = (_rows_of(datasets.get(name) or {}) for name in ("reference", "current"))
    if reference is not None and reference == current:
        yield "  note: reference and current are the same rows of the same file, so nothing can differ"
    late = outlived(made)
    if late:
        yield f"  note: {late}"


def outlived(made: Mapping[str, Any]) -> str:
    """Say how many waived gates were waived only because the suite's `as_of` lies before the run; or ""."""
    today = str(made["provenance"]["started"])[:10]
    late = sum(case["outcome"] == "xfailed" and case["waiver"]["until"] < today for case in made["cases"])
    if not late:
        return ""
    gates = "1 gate is" if late == 1 else f"{late:,} gates are"
    return f"{gates} waived by the suite's `as_of`; by the day of this run, {today}, the waiver has ended"


def _rows_of(dataset: Mapping[str, Any]) -> tuple[Any, ...] | None:
    """Return what tells one dataset's rows from another's; None where its bytes are not known."""
    if dataset.get("sha256") is None:
        return None
    return dataset["sha256"], *(dataset["flow"].get(step) for step in ("read", "where", "matured"))


def _silent(case: Case) -> bool:
    """Whether a case passes for want of a limit."""
    return case["verdict"] == "pass" and case["limit"] is None and case["decide_by"] != "p_value"


def _cause(case: Case) -> str:
    verdict = str(case["verdict"])
    return {"inconclusive": "undecided", "pass": "warning"}.get(verdict, verdict)


def _file(case: Case) -> str:
    return str(case["id"]).partition("::")[0]


def _cut(text: str) -> str:
    """Shorten a text in its middle: its end says what to do, or until when a waiver held."""
    return text if len(text) <= LONGEST else f"{text[: LONGEST // 2]} ... {text[-LONGEST // 2 :]}"
