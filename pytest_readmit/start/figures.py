"""What a gate can decide, in words and numbers for the comment above it."""

import math
from collections.abc import Iterator, Sequence

from pytest_readmit.errors import MIN_CELL
from pytest_readmit.start import power
from pytest_readmit.start.fitted import Fitted
from pytest_readmit.start.yaml_text import comment, scalar


def figures(reaches: Sequence[power.Reach]) -> str:
    """Say how often an entry fails with nothing wrong, and what it catches."""
    alarm = min(power.ALPHA, sum(reach.alarm for reach in reaches))
    often = "below 0.001" if alarm < 0.001 else f"{alarm:.3f}"
    return f"False alarm: {often}. {caught(reaches)}"


def caught(reaches: Sequence[power.Reach]) -> str:
    usable = [reach for reach in reaches if reach.caught < 1]
    if not usable:
        return "Too few rows to catch anything."
    worst = max(usable, key=lambda reach: reach.caught)
    middle = power.median(usable)
    if worst.caught - middle < 0.005:
        return f"Catches {up(middle)}."
    return f"Catches {up(middle)} for half of them, {up(worst.caught)} for {scalar(worst.name)}."


def undecided(reaches: Sequence[power.Reach], fitted: Fitted) -> Iterator[str]:
    """Say which columns would stay undecided although nothing is wrong."""
    open_ones = [reach for reach in reaches if not reach.decides]
    if not open_ones:
        return
    worst = max(open_ones, key=lambda reach: reach.rows)
    before, after = (rounded(worst.rows * fitted.data[name].rows) for name in ("reference", "current"))
    if len(reaches) == 1:
        who = "it stays"
    elif len(open_ones) == 1:
        who = f"{scalar(worst.name)} stays"
    else:
        count = "all" if len(open_ones) == len(reaches) else f"{len(open_ones)} of {len(reaches)}"
        who = f"{count} columns stay"
    within = f"{scalar(worst.name)} could be certified within {up(worst.certified)} at best"
    nothing = f"{scalar(worst.name)} cannot be certified at all"
    yield from comment(
        f"CANNOT DECIDE: with so few rows {who} undecided, which warns: "
        f"{within if worst.certified < 1 else nothing}; {worst.limit:g} takes about {before} rows of "
        f"reference and {after} of current.",
        indent=2,
    )


def entry(check: str, keys: Sequence[str], reaches: Sequence[power.Reach]) -> str:
    """Return a one-line entry; what cannot be decided says that this only warns, whatever the defaults."""
    if reaches and not any(reach.decides for reach in reaches):
        keys = [*keys, "inconclusive: warn"]
    return f"  - {check}: {{{', '.join(keys)}}}" if keys else f"  - {check}"


def up(value: float) -> str:
    """Return a share with two digits, three if it is small, never rounded to less than it is."""
    digits = 2 if value > 0.02 else 3
    return f"{min(1.0, math.ceil(value * 10**digits - 1e-9) / 10**digits):.{digits}f}"


def exactly(rows: int) -> str:
    return f"{rows:,}" if rows >= MIN_CELL else f"fewer than {MIN_CELL}"


def rounded(rows: float) -> str:
    """Return a number of rows with two digits, rounded up."""
    if rows < MIN_CELL:
        return f"fewer than {MIN_CELL}"
    step = 10 ** max(0, math.floor(math.log10(rows)) - 1)
    return f"{math.ceil(rows / step) * step:,}"
