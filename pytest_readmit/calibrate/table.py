"""A calibration as text: one line for each gate, and what must be known to read it."""

from collections.abc import Iterable, Iterator, Sequence

from pytest_readmit.calibrate.results import Calibration, GateRate
from pytest_readmit.claim import Limit

WIDTH = 100
HEADINGS = ("gate", "limit", "rows", "fails", "(95%)", "blocks", "undec.", "catches", "(95%)")
NO_FIGURE = "-"
OFTEN = 0.05
MOSTLY = 0.5


def lines(found: Calibration) -> Iterator[str]:
    """Yield the lines of a table at most 100 columns wide, unless a gate's id is wider, with its notes."""
    gates = [gate for gate in found.gates if gate.calibrated]
    yield f"{found.suite}: {found.replicates:,} windows of its reference, in which nothing has changed"
    if gates:
        yield from _opening(found)
    notes = list(dict.fromkeys(gate.reason for gate in gates if gate.reason))
    if gates:
        yield ""
        yield from _table(gates, notes)
        yield ""
        yield from _closing(found, notes)
    left_out = [gate for gate in found.gates if not gate.calibrated]
    if left_out:
        yield ""
        yield "not calibrated:"
        for reason in dict.fromkeys(gate.reason for gate in left_out):
            names = [_name(gate) for gate in left_out if gate.reason == reason]
            yield from _wrapped(f"{', '.join(names)}: {reason}", "  ")


def _opening(found: Calibration) -> Iterator[str]:
    sizes = ", ".join(f"{name} {rows:,}" for name, rows in found.rows.items())
    what = "patients" if found.patients else "rows"
    yield f"rows: {sizes}; seed {found.seed}"
    if found.with_replacement:
        yield from _wrapped(
            f"{what} are drawn with replacement: the reference stands for everybody, and who is drawn twice "
            "is in a window twice, so values repeat more than in new data"
        )
    else:
        yield from _wrapped(
            f"{what} are drawn without replacement: the reference's window is what the others leave of it"
        )


def _closing(found: Calibration, notes: list[str]) -> Iterator[str]:
    low, high = found.blocked_interval or (0.0, 1.0)
    yield from _wrapped(
        f"with nothing wrong, any gate blocks in {_percent(found.blocked)} of windows "
        f"(95% interval {_percent(low)} to {_percent(high)})"
    )
    yield from _wrapped(
        "rows: of reference / current; fails, blocks, undec. (inconclusive): share of the windows; in the "
        "rest it passes, or errs where its note says so"
    )
    yield from _wrapped("(95%): for the luck in drawing windows; that of the reference itself is not in it")
    if found.searched:
        yield from _wrapped(
            "catches: the effect, in the unit of the limit, at which the gate fails in 80% of windows, found "
            f"on {found.searched:,} of them by changing a growing share of rows (-o FILE says which change)"
        )
    for letter, note in zip(_letters(notes), notes, strict=True):
        yield from _wrapped(f"{letter}: {note}")
    advice = list(_advice([gate for gate in found.gates if gate.calibrated]))
    if advice:
        yield ""
        yield "what to do:"
        for text in advice:
            yield from _wrapped(text, "  ")


def _advice(gates: Sequence[GateRate]) -> Iterator[str]:
    """Yield what would mend gates that fail too often or are mostly undecided with nothing wrong."""
    often = [gate for gate in gates if (gate.false_alarm_interval or (0.0, 1.0))[0] > OFTEN]
    classic = [_name(gate) for gate in often if gate.decide_by == "p_value"]
    if classic:
        yield (
            f"{', '.join(classic)}: fails more often than {OFTEN:.0%} with nothing wrong; decide by the size "
            "of the effect (a limit in place of `p_value`)"
        )
    others = [_name(gate) for gate in often if gate.decide_by != "p_value"]
    if others:
        yield (
            f"{', '.join(others)}: fails more often than {OFTEN:.0%} with nothing wrong; the reference "
            "itself is at or beyond the limit: widen it, or mend what it measures"
        )
    undecided = [gate for gate in gates if (gate.undecided or 0.0) > MOSTLY]
    could = [
        f"{_name(gate)} ({_bound(gate.passable_limit, gate)})"
        for gate in undecided
        if gate.passable_limit is not None
    ]
    if could:
        yield (
            f"{', '.join(could)}: undecided in most windows with nothing wrong; take longer windows, or, "
            "where it is safe, the limit in brackets, which would pass in 80% of windows"
        )
    never = [_name(gate) for gate in undecided if gate.passable_limit is None]
    if never:
        yield (
            f"{', '.join(never)}: undecided in most windows with nothing wrong, whatever the limit; take "
            "longer windows (no help to a check that never passes, as `estimated_performance`)"
        )


def _cells(name: str, gate: GateRate, notes: list[str]) -> tuple[str, ...]:
    low, high = gate.false_alarm_interval or (0.0, 1.0)
    interval = gate.smallest_change_interval
    caught = NO_FIGURE if gate.smallest_change is None else figure(gate.smallest_change)
    if gate.reason:
        caught = f"{caught} {_letters(notes)[notes.index(gate.reason)]}"
    return (
        name,
        _limit(gate),
        f"{_rows(gate.rows_reference)}/{_rows(gate.rows_current)}",
        _percent(gate.false_alarm),
        f"{_percent(low)[:-1]}-{_percent(high)}",
        _percent(gate.blocked),
        _percent(gate.undecided),
        caught,
        NO_FIGURE if interval is None else "-".join(map(figure, interval)),
    )


def _table(gates: Sequence[GateRate], notes: list[str]) -> Iterator[str]:
    """Yield the table; the gates of an entry stand below its id."""
    entries = [_name(gate).split("::")[0] for gate in gates]
    rows = [
        _cells(f"  {_name(gate).partition('::')[2]}" if "::" in _name(gate) else entry, gate, notes)
        for entry, gate in zip(entries, gates, strict=True)
    ]
    widths = [max(len(row[place]) for row in (HEADINGS, *rows)) for place in range(1, len(HEADINGS))]
    room = WIDTH - sum(widths) - 2 * len(widths)
    first = max(min(max(len(row[0]) for row in rows), room), 10)
    yield from _line(HEADINGS, first, widths)
    for place, row in enumerate(rows):
        if row[0].startswith("  ") and entries[place] not in entries[max(place - 1, 0) : place]:
            yield entries[place]
        yield from _line(row, first, widths)


def _line(row: tuple[str, ...], first: int, widths: Sequence[int]) -> Iterator[str]:
    name, *cells = row
    if len(name) > first:
        yield name
        name = ""
    yield f"{name:<{first}}" + "".join(
        f"  {cell:>{width}}" for cell, width in zip(cells, widths, strict=True)
    )


def _name(gate: GateRate) -> str:
    """Return a case's id without its file."""
    return gate.id.split("::", 1)[-1]


def _limit(gate: GateRate) -> str:
    if gate.limit is None:
        return "none"
    if gate.decide_by == "p_value":
        return f"p<{figure(_one(gate.limit))}"
    return _bound(gate.limit, gate)


def _bound(limit: Limit, gate: GateRate) -> str:
    if isinstance(limit, tuple):
        low, high = limit
        return f"+-{figure(high)}" if low == -high else f"{figure(low)}..{figure(high)}"
    if gate.direction == "within":
        return f"+-{figure(limit)}"
    return f"{'>=' if gate.direction == 'at_least' else '<='}{figure(limit)}"


def _one(limit: Limit) -> float:
    return limit[0] if isinstance(limit, tuple) else limit


def _rows(count: int | None) -> str:
    if count is None:
        return NO_FIGURE
    return f"{count / 1000:.1f}k" if count >= 10_000 else str(count)


def _percent(share: float | None) -> str:
    if share is None:
        return NO_FIGURE
    return f"{100 * share:.1f}%" if 0 < share < 0.1 else f"{100 * share:.0f}%"


def figure(value: float) -> str:
    """Return a number with three significant digits."""
    return f"{value:.3g}"


def _letters(notes: Iterable[str]) -> list[str]:
    return [chr(ord("a") + place) for place, _ in enumerate(notes)]


def _wrapped(text: str, indent: str = "") -> list[str]:
    import textwrap

    return textwrap.wrap(
        text, WIDTH, initial_indent=indent, subsequent_indent=f"{indent}  ", break_on_hyphens=False
    )
