"""The flow of rows: how many of a dataset are left after each step."""

from collections.abc import Mapping
from typing import Any

from pytest_readmit.report.picture import Picture
from pytest_readmit.report.svg import WIDTH, Scale, box, drawing, element, line
from pytest_readmit.report.words import count, mapping, name, real

STEPS = (
    ("read", "read"),
    ("where", "kept by where"),
    ("matured", "outcome can be known"),
    ("labelled", "with a label"),
    ("analysed", "with label and score"),
)
PATIENTS = "patients"
LABEL, ROW = 136, 21


def of_dataset(dataset: str, facts: Mapping[str, Any]) -> Picture | None:
    """
    Return the steps of ``flow`` as bars, each over the outline of the step before.

    What is null would tell a small number of rows.
    """
    flow = mapping(facts.get("flow"))
    known = [(label, real(flow.get(step))) for step, label in STEPS if step in flow]
    most = max((rows for _, rows in known if rows is not None), default=0.0)
    if most <= 0 or any(rows is not None and rows < 0 for _, rows in known):
        return None
    scale = Scale(0.0, most, LABEL, WIDTH - 56)
    parts, said, before = [], [], most
    for index, (label, rows) in enumerate(known):
        y = index * ROW + 2.0
        parts.append(element("text", label, x=LABEL - 6, y=y + 13, text_anchor="end"))
        told = "not shown" if rows is None else count(rows)
        said.append(f"{label} {told}")
        if rows is None:
            parts.append(element("text", told, x=LABEL + 4, y=y + 13, klass="sm"))
            continue
        if rows < before:
            parts.append(box(scale(rows), y + 1, scale(before), y + 17, "lost"))
        parts.append(box(LABEL, y + 1, scale(rows), y + 17, "curb"))
        parts.append(element("text", told, x=scale(max(rows, before)) + 4, y=y + 13, klass="sm"))
        before = rows
    parts.append(line(LABEL, 0, LABEL, len(known) * ROW, "ax"))
    height = len(known) * ROW + 4.0
    patients = real(flow.get(PATIENTS))
    if patients is not None:
        height += ROW
        told = f"{count(patients)} patients among the rows whose outcome can be known"
        parts.append(element("text", told, x=0, y=height - 7))
        said.append(told)
    title = f"{name(dataset, most=60)}: rows left after each step"
    svg = drawing(parts, height=height, title=title, description=f"{'; '.join(said)}.")
    lost = any(rows is not None and rows < most for _, rows in known)
    note = "Rows left after each step; hatched: rows that the step left out." if lost else ""
    if "where" in flow and flow.get("where") != flow.get("read"):
        note += f" The filter is what the suite says under data.{name(dataset, most=60)}.where."
    return Picture(svg, note)
