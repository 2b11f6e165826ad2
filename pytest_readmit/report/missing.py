"""Missing values of all columns at once: the share in reference and in current, one row a column."""

from collections.abc import Sequence

from pytest_readmit.report.picture import Picture, Table
from pytest_readmit.report.svg import WIDTH, Scale, axis, drawing, element
from pytest_readmit.report.words import name, percent, plural

LABEL, ROW, HEAD = 132, 18, 4
VALUES = 102
MOST_COLUMNS = 20


def of_columns(columns: Sequence[tuple[str, float, float]], title: str) -> Picture | None:
    """
    Return one row for each column that lacks values, the emptiest first; None for fewer than two of them.

    Args:
        columns: Name, and the share of rows without a value in reference and in current.
        title: What the columns belong to.
    """
    lacking = sorted((one for one in columns if max(one[1:]) > 0), key=lambda one: -max(one[1:]))
    if len(lacking) < 2 or not all(0 <= share <= 1 for one in lacking for share in one[1:]):
        return None
    shown = lacking[:MOST_COLUMNS]
    scale = Scale(0.0, 100 * max(shown[0][1:]), LABEL, WIDTH - VALUES)
    labels, values, ways, before, now = [], [], "", "", ""
    for index, (column, reference, current) in enumerate(shown):
        y = HEAD + ROW * index + ROW // 2
        start, end = round(scale(100 * reference), 1), round(scale(100 * current), 1)
        ways += f"M{start:g} {y}H{end:g}"
        before += f"M{start - 4:g} {y - 4}h8v8h-8z"
        now += f"M{end:g} {y}h0"
        labels.append(element("text", name(column, most=20), x=LABEL - 10, y=y + 4))
        values.append(
            element("text", f"{percent(reference)} \u2192 {percent(current)}", x=WIDTH - VALUES + 12, y=y + 4)
        )
    floor = HEAD + ROW * len(shown) + 6
    middle = (scale.start + scale.stop) / 2
    parts = [
        element("path", d=ways, klass="run"),
        element("path", d=before, klass="was"),
        element("path", d=now, klass="spot c0"),
        element("g", *labels, text_anchor="end"),
        element("g", *values, klass="sm"),
        *axis(scale, floor, about=3),
        element("text", "% of rows without a value", x=middle, y=floor + 30, text_anchor="middle"),
    ]
    left = len(columns) - len(lacking)
    note = "Square: reference; dot: current."
    if left:
        note += f" {plural(left, 'column has', 'columns have')} none missing."
    if len(lacking) > len(shown):
        note += f" {len(lacking) - len(shown)} more are in the gates below."
    cells = [[column, percent(reference), percent(current)] for column, reference, current in shown]
    svg = drawing(parts, height=floor + 36, title=f"{title}: missing values by column", description=note)
    return Picture(svg, note, table=Table(["column", "reference", "current"], cells))
