"""Small cells, secrets and control characters: what stands between a Finding and every output."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol
from urllib.parse import quote

from pytest_readmit.claim import Finding

SHORT_SECRET = 4
_COUNTED = r"n|rows?|counts?|events?|patients?|units|duplicates?"
_COUNT_KEY = re.compile(rf"(^|_)({_COUNTED})(_|$)")
# Whole numbers that count no rows: the rest of a Finding's details is taken for counts of rows.
_NO_ROWS = re.compile(
    r"(^|_)(df|bins?|degrees?|order|levels?|seed|permutations|iterations|factors?|features?|columns?|drifted|certified"
    r"|horizon|days|threshold|k|m|differences|examples|scale|edges|min|max|low|high|ranges?|uses)(_|$)"
)
_SHARE_KEY = re.compile(r"(^|[_ ])(shares?|rates?|fractions?|proportions?|percent)([_ ]|$)")
_LEVEL_KEY = re.compile(r"(^|[_ ])(category|level|group|segment|value)([_ ]|$)")
SMALL_LEVEL = "(small)"
_TEXTS = ("suite", "subject", "segment", "because", "message")
_COMMAND = re.compile(r"(^\s*(?=::)|##\w*(?=\[))(.)")
_URI = re.compile(r"\b([A-Za-z][A-Za-z0-9+.-]*://)([^\s'\"<>]+)")


class PrivacyFacts(Protocol):
    """What a suite says of privacy."""

    @property
    def min_cell(self) -> int: ...
    @property
    def secrets(self) -> Mapping[str, str]: ...


@dataclass(frozen=True, kw_only=True)
class Mask:
    """
    What a suite allows to be shown.

    Args:
        min_cell: Counts of rows or patients above zero and below this are not shown.
        secrets: Name → value of every value that a suite took from the environment; a value is shown
            as ``${NAME}``.
    """

    min_cell: int = 11
    secrets: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def _spellings(self) -> dict[str, str]:
        """Every way a secret may be spelled → what is shown instead."""
        spelled: dict[str, str] = {}
        for name, value in self.secrets.items():
            for spelling in (value, quote(value), quote(value, safe="")):
                if spelling.strip():
                    spelled.setdefault(spelling, f"${{{name}}}")
        return spelled

    @cached_property
    def _pattern(self) -> re.Pattern[str] | None:
        longest_first = sorted(self._spellings, key=len, reverse=True)
        return re.compile("|".join(map(_anywhere, longest_first))) if longest_first else None

    def text(self, text: str) -> str:
        """Return a text without secrets and without user, query and fragment of any URI."""
        if self._pattern is not None:
            text = self._pattern.sub(lambda found: self._spellings[found[0]], text)
        return plain_uris(text)

    def json(self, value: Any) -> Any:
        """Return plain JSON values with every text masked, keys included."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {self.text(str(key)): self.json(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.json(item) for item in value]
        return value

    def count(self, number: int | None) -> int | None:
        """Return a count of rows or patients, None where it is too small to be shown."""
        return None if number is not None and 0 < number < self.min_cell else number

    def case(self, finding: Finding) -> dict[str, Any]:
        """Return a Finding as JSON that may be shown: no secret in a text, no small count in a number."""
        case = finding.to_json()
        for name in _TEXTS:
            if case[name] is not None:
                case[name] = self.text(case[name])
        for name in ("n_reference", "n_current"):
            case[name] = self.count(case[name])
        if case["waiver"]:
            case["waiver"] = self.json(case["waiver"])
        if case["details"]:
            case["details"] = self.json(self._cells(case["details"], key=""))
        return case

    def _cells(self, value: Any, *, key: str) -> Any:
        """Replace small counts in a Finding's details by None; a table's column names are keys."""
        if isinstance(value, Mapping):
            if _is_table(value):
                return {**value, "rows": self._rows([str(name) for name in value["columns"]], value["rows"])}
            return {str(name): self._cells(item, key=str(name)) for name, item in value.items()}
        if isinstance(value, list | tuple):
            return _never_alone(value, [self._cells(item, key=key) for item in value])
        return None if self._is_small(value, key.casefold()) else value

    def _rows(self, columns: list[str], rows: Any) -> list[list[Any]]:
        """Return a table's rows without small counts, and without what they would follow from."""
        before = [_padded(row, len(columns)) for row in rows]
        by_column = [
            _never_alone(column, [self._cells(item, key=key) for item in column])
            for key, column in zip(columns, zip(*before, strict=True), strict=False)
        ]
        keys = [key.casefold() for key in columns]
        told = []
        for old, new in zip(before, zip(*by_column, strict=True), strict=True):
            small = any(self._is_small(item, key) for key, item in zip(keys, old, strict=True))
            left_out = _left_out(old, new)
            told.append([_cell(key, item, small, left_out) for key, item in zip(keys, new, strict=True)])
        return told

    def _is_small(self, value: Any, key: str) -> bool:
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < self.min_cell:
            return False
        if key == "effective_size":  # of both sides together, so it tells the smaller one's rows
            return True
        if _COUNT_KEY.search(key):
            return float(value).is_integer()
        return isinstance(value, int) and not _NO_ROWS.search(key)


def masks(suites: Iterable[PrivacyFacts]) -> list[Mask]:
    """Return what each suite allows to be shown."""
    return [Mask(min_cell=suite.min_cell, secrets=suite.secrets) for suite in suites]


def mask_of_all(suites: Iterable[PrivacyFacts]) -> Mask:
    """Return the mask for texts that belong to no single suite: it hides the secrets of each."""
    hidden: dict[str, str] = {}
    for suite in suites:
        hidden |= suite.secrets
    return Mask(secrets=hidden)


def plain_uris(text: str) -> str:
    """Return a text whose URIs have lost user, password, query and fragment."""
    return _URI.sub(lambda found: found[1] + _plain_rest(found[2]), text) if "://" in text else text


def printable(text: str) -> str:
    r"""
    Return a text fit for a terminal and for a build's log, on one line.

    Control and direction characters are shown as ``\x1b``; so is the character that would make a build
    server take the line for a command (``::error`` at its start, ``##[error]`` and ``##vso[`` anywhere).
    """
    if not text.isprintable():
        text = "".join(
            char if char.isprintable() else char.encode("unicode_escape").decode() for char in text
        )
    return _COMMAND.sub(lambda found: f"{found[1]}\\x{ord(found[2]):02x}", text)


def _plain_rest(rest: str) -> str:
    authority, slash, path = rest.partition("/")
    authority = re.split(r"[?#]", authority.rpartition("@")[2])[0]
    return authority + slash + re.split(r"[?#]", path)[0]


def _anywhere(secret: str) -> str:
    """Match a secret wherever it stands; one that is short or a number only where it stands alone."""
    exact = re.escape(secret)
    if len(secret) < SHORT_SECRET or re.fullmatch(r"[-+.,\deE]+", secret):
        return rf"(?<![\w.]){exact}(?!\w|\.\d)"
    return exact


def _left_out(before: Sequence[Any], after: Sequence[Any]) -> bool:
    return any(old is not None and new is None for old, new in zip(before, after, strict=True))


def _never_alone(before: Sequence[Any], after: list[Any]) -> list[Any]:
    """Leave out the smallest of the counts that are shown where another was left out: both may have a sum."""
    shown = [i for i, count in enumerate(after) if type(count) in (int, float) and count > 0]
    if shown and _left_out(before, after):
        after[min(shown, key=lambda i: after[i])] = None
    return after


def _cell(key: str, item: Any, small: bool, left_out: bool) -> Any:
    """Return a cell of a table; no level of few rows is named, no share tells a count that was left out."""
    if small and isinstance(item, str) and _LEVEL_KEY.search(key):
        return SMALL_LEVEL
    return None if left_out and type(item) is float and _SHARE_KEY.search(key) else item


def _padded(row: Any, length: int) -> list[Any]:
    cells = list(row) if isinstance(row, list | tuple) else []
    return [*cells, *[None] * length][:length]


def _is_table(value: Mapping[Any, Any]) -> bool:
    return isinstance(value.get("columns"), list | tuple) and isinstance(value.get("rows"), list | tuple)
