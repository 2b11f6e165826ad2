"""Complementary suppression: no small count follows by subtraction from the counts that are shown."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

# What the gates measure comes first, so that it is an earlier or a later step that is left out.
STEPS = ("matured", "where", "read", "analysed", "labelled", "patients")
SIDES = ("reference", "current")

Case = dict[str, Any]
Hidden = Mapping[str, frozenset[int]]


class EntryFacts(Protocol):
    """What must be known of an entry: which rows its cases measure."""

    @property
    def id(self) -> str: ...
    @property
    def on(self) -> str | None: ...
    @property
    def segments(self) -> Sequence[Mapping[str, Any]]: ...


class CaseFacts(Protocol):
    """What must be known of a planned case."""

    @property
    def index(self) -> int: ...
    @property
    def entry(self) -> EntryFacts: ...


Decided = Sequence[tuple[CaseFacts, Case]]


def guard_flows(datasets: Mapping[str, Any], min_cell: int) -> tuple[dict[str, Any], Hidden]:
    """
    Return datasets whose counts of rows differ by none or by at least `min_cell`, and what was left out.

    Datasets of one file are judged together: `where` may part it into all and all but a few.
    """
    shown_of: dict[str, list[int]] = defaultdict(list)
    guarded: dict[str, Any] = {}
    hidden: dict[str, frozenset[int]] = {}
    for name in sorted(datasets):
        facts = datasets[name]
        shown = shown_of[facts.get("sha256") or name]
        flow = dict(facts.get("flow") or {})
        steps = [step for step in STEPS if step in flow] + sorted(flow.keys() - set(STEPS))
        left_out = set()
        for step in steps:
            rows = flow[step]
            if rows is None:
                continue
            if any(0 < abs(rows - other) < min_cell for other in shown):
                left_out.add(rows)
                flow[step] = None
            else:
                shown.append(rows)
        guarded[name] = {**facts, "flow": flow}
        hidden[name] = frozenset(left_out)
    return {name: guarded[name] for name in datasets}, hidden


def guard_cases(decided: Decided, hidden: Hidden, min_cells: Sequence[int]) -> None:
    """
    Leave out of each case the number of rows from which a small one would follow.

    That is one which the flow of rows leaves out, and the smallest segment beside one that is left out; of
    crossed columns all segments, whose sums over one column may stand in another entry.

    Args:
        decided: Each planned case with what was found, already without small counts; changed in place.
        hidden: What `guard_flows` left out.
        min_cells: The smallest count that may be shown, by the suite's place in the plan.
    """
    left_out = any(hidden.values())
    segmented = any(case["segment"] is not None for _, case in decided)
    for side in SIDES:
        for planned, case in decided if left_out else ():
            name = _dataset(planned.entry, side)
            # Of several suites with other data of one name, the later ones' stand under the suite's name too.
            if case[f"n_{side}"] in hidden.get(f"{case['suite']}:{name}", hidden.get(name, ())):
                _leave_out(case, side)
        for (index, _, axes), lines in (_segmented(decided, side) if segmented else {}).items():
            _guard_segments(lines, side, min_cells[index], crossed=len(axes) > 1)


class _Line:
    """The cases of one measurement, one for each segment, and the rows that they are parts of."""

    def __init__(self) -> None:
        self.cases: dict[str, Case] = {}
        self.wholes: set[int] = set()
        self.left_out: set[str] = set()

    def shown(self, side: str) -> dict[str, int]:
        found = {segment: case[f"n_{side}"] for segment, case in self.cases.items()}
        return {segment: rows for segment, rows in found.items() if rows}

    def leave_out(self, segment: str, side: str) -> None:
        if segment in self.shown(side):
            _leave_out(self.cases[segment], side)
            self.left_out.add(segment)

    def tells_a_small_one(self, side: str, min_cell: int) -> bool:
        """Whether a small segment, or a small rest of the rows, is all that is left out."""
        shown = self.shown(side)
        if not shown or self.left_out:
            return False
        is_short = any(case[f"n_{side}"] is None for case in self.cases.values())
        return is_short or any(0 < whole - sum(shown.values()) < min_cell for whole in self.wholes)


def _segmented(decided: Decided, side: str) -> dict[tuple[Any, ...], list[_Line]]:
    """Gather segmented cases by the rows that they part, so that all of them leave out the same segment."""
    lines: dict[tuple[Any, ...], dict[tuple[Any, ...], _Line]] = defaultdict(lambda: defaultdict(_Line))
    wholes: dict[tuple[Any, ...], set[int]] = defaultdict(set)
    for planned, case in decided:
        entry = planned.entry
        dataset = _dataset(entry, side)
        whole = (planned.index, dataset, case["subject"])
        if case["segment"] is None:
            wholes[whole] |= {case[f"n_{side}"]} - {None}
            continue
        axes = tuple(axis["column"] for axis in entry.segments)
        line = lines[planned.index, dataset, axes][entry.id, case["subject"]]
        line.cases[case["segment"]] = case
        line.wholes = wholes[whole]
    return {key: list(found.values()) for key, found in lines.items()}


def _guard_segments(lines: Sequence[_Line], side: str, min_cell: int, *, crossed: bool) -> None:
    """Leave out segments, the same ones in all lines, until none tells a small number."""
    largest: dict[str, int] = defaultdict(int)
    for line in lines:
        for segment, rows in line.shown(side).items():
            largest[segment] = max(largest[segment], rows)
    for telling in lines:
        if not telling.tells_a_small_one(side, min_cell):
            continue
        smallest = min(telling.shown(side), key=lambda segment: (largest[segment], segment))
        for segment in largest if crossed else (smallest,):
            for line in lines:
                line.leave_out(segment, side)


def _dataset(entry: EntryFacts, side: str) -> str:
    return entry.on or side if side == "current" else side


def _leave_out(case: Case, side: str) -> None:
    rows = case[f"n_{side}"]
    if rows:
        case[f"n_{side}"] = None
        case["details"] = _without(case["details"], rows)


def _without(value: Any, number: int) -> Any:
    """Return plain JSON values without a number."""
    if isinstance(value, Mapping):
        return {key: _without(item, number) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without(item, number) for item in value]
    return None if type(value) in (int, float) and value == number else value
