"""A picture of the page: its drawing, what is said below it, and its figures as a table."""

from dataclasses import dataclass

from markupsafe import Markup


@dataclass(frozen=True, slots=True)
class Table:
    """
    A small table of text.

    Args:
        columns: Names of the columns.
        rows: Cells, one row of as many cells as there are columns each.
        left_out: Rows that are only in the record.
    """

    columns: list[str]
    rows: list[list[str]]
    left_out: int = 0

    @property
    def blank(self) -> bool:
        """Whether some cell is without a figure."""
        return any(not cell for row in self.rows for cell in row)


@dataclass(frozen=True, slots=True)
class Picture:
    """
    A picture that stands in a gate, a suite or a dataset.

    Args:
        svg: The drawing, with its title and its description.
        note: What goes below it; "" if there is nothing to add.
        table: The figures that are drawn, for who cannot see them; None where the gate lists them anyway.
        wide: It needs the whole width of the page.
    """

    svg: Markup
    note: str = ""
    table: Table | None = None
    wide: bool = False
