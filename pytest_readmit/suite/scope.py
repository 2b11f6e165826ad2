"""Read one node as text, number, choice, names or mapping, or say in plain words what it must be."""

import math
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from pytest_readmit.errors import did_you_mean
from pytest_readmit.suite.nodes import Listing, Node, Problems, Scalar, Table, quoted

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*([smhdw])", re.ASCII)
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_LONGEST = 1e9


def seconds(text: str) -> float | None:
    """Return the seconds that a duration such as ``30d``, ``12h`` or ``45m`` names, None if it is none."""
    match = _DURATION.fullmatch(text.strip())
    amount = float(match[1]) * _UNITS[match[2]] if match else math.inf
    # Python's own time spans end long before a float does.
    return amount if amount <= timedelta.max.total_seconds() / 10 else None


def is_number(value: Any) -> bool:
    """Whether a value is a number; a boolean is not."""
    return isinstance(value, int | float) and not isinstance(value, bool)


@dataclass(frozen=True, slots=True)
class Scope:
    """A place in the suite, named in every message about it."""

    where: str
    problems: Problems

    def add(self, place: Node | tuple[int, int], message: str) -> None:
        """Note a problem."""
        self.problems.add(place, self.where, message)

    def wrong(self, key: str, node: Node, expected: str, hint: str = "") -> None:
        """Note that a value is not what its key asks for."""
        self.add(node, f"`{key}` must be {expected}, not {node.shown}{'' if node.secret else hint}")

    def unknown(self, kind: str, name: str, place: tuple[int, int], known: Collection[str]) -> None:
        """Note a key or parameter that does not exist."""
        hint = did_you_mean(name, known)
        listed = "" if hint else f"; known: {', '.join(known)}"
        self.add(place, f"unknown {kind} {quoted(name)}{hint}{listed}")

    def closed(self, table: Table, known: Collection[str]) -> Iterator[tuple[str, Node]]:
        """Yield the known keys of a mapping with their nodes; note the others."""
        for key, node in table.items.items():
            if key in known:
                yield key, node
            else:
                self.unknown("key", key, table.marks[key], known)

    def table(self, key: str, node: Node, expected: str = "a mapping") -> Table | None:
        """Return a mapping."""
        if isinstance(node, Table):
            return node
        self.wrong(key, node, expected)
        return None

    def text(self, key: str, node: Node, expected: str = "text") -> str | None:
        """Return a text that is not empty; a variable's value is text if text is wanted."""
        if isinstance(node, Scalar) and node.text.strip():
            if isinstance(node.value, str) or (node.public is not None and node.value is not None):
                return node.text
            if is_number(node.value) or isinstance(node.value, bool):
                self.wrong(key, node, expected, "; put it in quotes")
                return None
        self.wrong(key, node, expected)
        return None

    def word(self, key: str, node: Node, pattern: re.Pattern[str], expected: str) -> str | None:
        """Return a text of a given form."""
        text = self.text(key, node, expected)
        if text is None or pattern.fullmatch(text):
            return text
        self.wrong(key, node, expected)
        return None

    def number(self, key: str, node: Node, expected: str, low: float, high: float) -> float | None:
        """Return a number strictly between `low` and `high`."""
        value: Any = node.value if isinstance(node, Scalar) else None
        if is_number(value) and low < value < high:
            return float(value)
        self.wrong(key, node, expected)
        return None

    def whole(self, key: str, node: Node, low: int, high: int) -> int | None:
        """Return a whole number from `low` to `high`."""
        value = node.value if isinstance(node, Scalar) else None
        if isinstance(value, int) and not isinstance(value, bool) and low <= value <= high:
            return value
        self.wrong(key, node, f"a whole number from {low:,} to {high:,}")
        return None

    def choice(self, key: str, node: Node, options: Collection[str]) -> str | None:
        """Return one of some words."""
        value = node.text if isinstance(node, Scalar) else ""
        if value in options:
            return value
        *first, last = (repr(option) for option in options)
        expected = f"{', '.join(first)} or {last}" if first else last
        self.wrong(key, node, expected, did_you_mean(value, options))
        return None

    def names(
        self, key: str, node: Node, expected: str = "a name or a list of names"
    ) -> tuple[str, ...] | None:
        """Return one text, or a list of different texts, as a tuple."""
        if not isinstance(node, Listing):
            name = self.text(key, node, expected)
            return None if name is None else (name,)
        found: dict[str, None] = {}
        sound = True
        for item in node.items:
            name = self.text(key, item, "a list of names")
            if name is None:
                sound = False
            elif name in found:
                self.add(item, f"`{key}` names {item.shown} twice")
                sound = False
            else:
                found[name] = None
        return tuple(found) if sound else None

    def day(self, key: str, node: Node) -> date | None:
        """Return a date."""
        text = node.text if isinstance(node, Scalar) else ""
        try:
            if _DATE.fullmatch(text):
                return date.fromisoformat(text)
        except ValueError:  # the 31st of February
            pass
        self.wrong(key, node, "a date such as 2026-11-01")
        return None

    def duration(self, key: str, node: Node) -> str | None:
        """Return the text of a duration."""
        text = node.text if isinstance(node, Scalar) and isinstance(node.value, str) else ""
        if seconds(text) is not None:
            return text.strip()
        self.wrong(key, node, "a duration such as 30d, 12h or 45m")
        return None

    def seconds(self, key: str, node: Node) -> float | None:
        """Return seconds above 0, written as a number or a duration."""
        value = node.value if isinstance(node, Scalar) else None
        amount: Any = seconds(value) if isinstance(value, str) else value
        if is_number(amount) and 0 < amount < _LONGEST:
            return float(amount)
        self.wrong(key, node, "seconds above 0, or a duration such as 30s or 5m")
        return None

    def mapping_of_text(self, key: str, node: Node, expected: str) -> dict[str, str] | None:
        """Return a mapping from name to text."""
        table = self.table(key, node, expected)
        if table is None:
            return None
        found = {name: self.text(f"{key}.{name}", item) for name, item in table.items.items()}
        return {name: text for name, text in found.items() if text is not None}
