"""Every error raised on purpose; each says where, what was found, and what would be right."""

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass


class ReadmitError(Exception):
    """An error meant for the user: its text is the whole message, shown without a traceback."""


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """
    One thing wrong with a suite file.

    Args:
        path: The suite file as the user named it, with forward slashes.
        line: 1-based line.
        column: 1-based column.
        message: What is wrong and what would be right.
    """

    path: str
    line: int
    column: int
    message: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}:{self.column}: {self.message}"


class SuiteError(ReadmitError):
    """
    A suite or the command line is wrong; exit code 4.

    Args:
        problems: Everything that was found, shown one a line.
    """

    def __init__(self, problems: Iterable[Problem | str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


MIN_CELL = 11
"""The smallest count of rows that is shown where a suite says nothing else."""
_COUNTED = re.compile("\x1f([0-9]+)\x1f")


def counted(rows: float) -> str:
    """Return a count of rows for the text of a DataError, which shows it only where it is large enough."""
    return f"\x1f{int(rows)}\x1f"


class DataError(ReadmitError):
    """Data, a column or a label that cannot be had or measured: the case's verdict is error."""

    @property
    def template(self) -> str:
        """The text with its counts still marked, to be passed on in another DataError."""
        return super().__str__()

    def told(self, min_cell: int) -> str:
        """Return the text; counts from 1 to below `min_cell` only as "fewer than"."""

        def shown(found: re.Match[str]) -> str:
            number = int(found[1])
            return f"fewer than {min_cell}" if 0 < number < min_cell else f"{number:,}"

        return _COUNTED.sub(shown, self.template)

    def __str__(self) -> str:
        return self.told(MIN_CELL)


class MissingExtra(ReadmitError):
    """A feature needs packages that the core install leaves out; the text has the command for it."""

    def __init__(self, feature: str, extra: str) -> None:
        super().__init__(f"{feature} needs an extra: pip install 'pytest-readmit[{extra}]'")


_ALSO_CALLED = {
    "sensitivity": "recall",
    "tpr": "recall",
    "ppv": "precision",
    "auc": "roc_auc",
    "auroc": "roc_auc",
    "auprc": "average_precision",
    "pr_auc": "average_precision",
    "equal_opportunity": "tpr_difference",
    "oe_ratio": "observed_expected",
    "o_e": "observed_expected",
}


def nearest(word: str, known: Iterable[str]) -> str | None:
    """
    Return the known name that means `word` or is closest to it, or None if none is close.

    Letter case is ignored in the comparison; the name is returned as it is known.
    """
    spellings = {name.casefold(): name for name in sorted(known, reverse=True)}
    synonym = _ALSO_CALLED.get(word.casefold())
    if synonym in spellings:
        return spellings[synonym]
    found = difflib.get_close_matches(word.casefold(), list(spellings), n=1, cutoff=0.6)
    return spellings[found[0]] if found else None


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return ", did you mean 'NAME'?" for the nearest known name, or an empty text."""
    name = nearest(word, known)
    return f", did you mean {name!r}?" if name else ""
