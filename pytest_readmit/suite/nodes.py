"""YAML text to nodes that know their line and column: one document, YAML 1.2 scalars, bounded."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from pytest_readmit.errors import Problem, SuiteError
from pytest_readmit.suite.scalars import NotFinite, resolve
from pytest_readmit.suite.syntax import explain

MOST_BYTES = 8 * 1024 * 1024
MOST_NODES = 500_000
MOST_PROBLEMS = 1_000
DEEPEST = 60
_SHOWN = 60

# What YAML's reader refuses; found here first, because libyaml gives no line for it.
_FORBIDDEN = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(slots=True, eq=False, kw_only=True)
class Node:
    """A value of the file, at a 1-based line and column."""

    line: int
    column: int
    size: int = 1
    height: int = 0

    @property
    def plain(self) -> Any:
        """The value as plain Python data."""
        raise NotImplementedError

    @property
    def shown(self) -> str:
        """The value as a message may quote it."""
        raise NotImplementedError

    @property
    def secret(self) -> bool:
        """Whether any part of it came from the environment."""
        return False


@dataclass(slots=True, eq=False, kw_only=True)
class Scalar(Node):
    """
    A scalar.

    Args:
        raw: Its text in the file, ``${…}`` untouched.
        text: Its text, variables replaced.
        value: What the text means.
        public: Its text with variables of the environment as ``${NAME}``; None where nothing was replaced.
        hides: Whether `text` holds a value from the environment.
    """

    raw: str
    text: str
    value: Any
    public: str | None = None
    hides: bool = False

    @property
    def plain(self) -> Any:
        return self.value

    @property
    def shown(self) -> str:
        if self.public is not None:
            return self.public if self.hides else quoted(self.public)
        if self.value is None:
            return "nothing"
        return quoted(self.value) if isinstance(self.value, str) else _short(self.text)

    @property
    def secret(self) -> bool:
        return self.hides


@dataclass(slots=True, eq=False, kw_only=True)
class Listing(Node):
    """A list."""

    items: list[Node] = field(default_factory=list)

    @property
    def plain(self) -> Any:
        return [item.plain for item in self.items]

    @property
    def shown(self) -> str:
        return "a list"

    @property
    def secret(self) -> bool:
        return any(item.secret for item in self.items)


@dataclass(slots=True, eq=False, kw_only=True)
class Table(Node):
    """A mapping; `marks` holds where each key stands."""

    items: dict[str, Node] = field(default_factory=dict)
    marks: dict[str, tuple[int, int]] = field(default_factory=dict)

    @property
    def plain(self) -> Any:
        return {key: node.plain for key, node in self.items.items()}

    @property
    def shown(self) -> str:
        return "a mapping"

    @property
    def secret(self) -> bool:
        return any(item.secret for item in self.items.values())


def quoted(text: str) -> str:
    """Return a text in quotes, cut to a length that fits a message."""
    return repr(_short(text))


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"


def _one_line(text: str) -> str:
    """Return a message without line breaks and control characters: names in a suite may hold any."""
    return "".join(each if each.isprintable() else repr(each)[1:-1] for each in text)


class Problems:
    """The problems of one file, each once, sorted by place."""

    def __init__(self, shown: str) -> None:
        self.shown = shown
        self._found: dict[Problem, None] = {}
        self._muted: set[tuple[int, int]] = set()

    def add(self, place: Node | tuple[int, int], where: str, message: str) -> None:
        """
        Note a problem at a node or a (line, column).

        Raises:
            SuiteError: If there are so many that no one would read on.
        """
        line, column = (place.line, place.column) if isinstance(place, Node) else place
        if (line, column) in self._muted:
            return
        said = f"{where}: {message}" if where else message
        self._found[Problem(self.shown, line, column, _one_line(said))] = None
        if len(self._found) >= MOST_PROBLEMS:
            note = f"{self.shown}: {MOST_PROBLEMS:,} problems; reading stopped here"
            raise SuiteError([*sorted(self._found), note])

    def mute(self, place: tuple[int, int]) -> None:
        """Note nothing more at a place: what else is wrong there follows from what was said."""
        self._muted.add(place)

    def __len__(self) -> int:
        return len(self._found)

    def raise_any(self) -> None:
        """
        Raise what was found.

        Raises:
            SuiteError: If anything was.
        """
        if self._found:
            raise SuiteError(sorted(self._found))


class _Stop(Exception):
    """The file cannot be read any further; the reason is among the problems."""


@dataclass(slots=True)
class Document:
    """The root of a file, and every scalar in it with ``$`` outside a `where:` or `sql:`."""

    root: Node
    variables: list[Scalar]


def decode(data: bytes, problems: Problems) -> str | None:
    """Return the text of a file, or note where it is not UTF-8 text."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = error.object[: error.start].decode("utf-8", errors="replace")
        utf16 = data[:2] in (b"\xff\xfe", b"\xfe\xff")
        what = "UTF-16" if utf16 else f"byte 0x{error.object[error.start]:02x} is not UTF-8"
        problems.add(_place(before), "suite", f"{what}; save the file as UTF-8")
        return None
    bad = _FORBIDDEN.search(text)
    if bad:
        problems.add(
            _place(text[: bad.start()]), "suite", f"character U+{ord(bad.group()):04X} is not allowed in YAML"
        )
        return None
    return text


def _place(before: str) -> tuple[int, int]:
    lines = before.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return len(lines), len(lines[-1]) + 1


def compose(text: str, problems: Problems) -> Document | None:
    """Return the file's only document, or None with the reason among the problems."""
    import yaml

    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    events: Any = yaml.parse(text, Loader=loader)
    try:
        return _Composer(events, problems).document()
    except _Stop:
        return None
    except yaml.YAMLError as error:
        place, said = explain(error, text)
        problems.add(place, "suite", said)
        return None
    finally:
        events.close()


class _Composer:
    """Builds nodes from YAML's events, counting size and depth as aliases would expand."""

    def __init__(self, events: Iterator[Any], problems: Problems) -> None:
        self._events = events
        self._problems = problems
        self._anchors: dict[str, Node | None] = {}
        self._variables: list[Scalar] = []
        self._keys: list[str] = []
        self._nodes = 0

    def document(self) -> Document | None:
        import yaml

        next(self._events)
        if isinstance(next(self._events), yaml.StreamEndEvent):
            self._problems.add((1, 1), "suite", "the file is empty")
            return None
        root = self._node(next(self._events), 0)
        next(self._events)
        after = next(self._events)
        if isinstance(after, yaml.DocumentStartEvent):
            self._stop(_mark(after), "a second document begins here; a suite is one document")
        return Document(root, self._variables)

    def _stop(self, place: tuple[int, int], message: str) -> None:
        self._problems.add(place, "suite", message)
        raise _Stop

    def _node(self, event: Any, depth: int) -> Node:
        import yaml

        place = _mark(event)
        if depth > DEEPEST:
            self._stop(place, f"nested more than {DEEPEST} deep")
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event, place, depth)
        if event.tag is not None:
            self._problems.add(place, "suite", f"tags such as {quoted(event.tag)} are not allowed")
        self._count(1, place)
        if event.anchor is not None:
            self._anchors[event.anchor] = None
        if isinstance(event, yaml.ScalarEvent):
            node: Node = self._scalar(event, place)
        elif isinstance(event, yaml.SequenceStartEvent):
            node = self._listing(place, depth)
        else:
            node = self._table(place, depth)
        if event.anchor is not None:
            self._anchors[event.anchor] = node
        return node

    def _count(self, more: int, place: tuple[int, int]) -> None:
        self._nodes += more
        if self._nodes > MOST_NODES:
            self._stop(place, f"more than {MOST_NODES:,} values, aliases expanded")

    def _alias(self, event: Any, place: tuple[int, int], depth: int) -> Node:
        if event.anchor not in self._anchors:
            self._stop(place, f"alias *{event.anchor} has no anchor before it")
        node = self._anchors[event.anchor]
        if node is None:
            self._stop(place, f"alias *{event.anchor} stands inside what it repeats")
            raise AssertionError
        self._count(node.size, place)
        if depth + node.height > DEEPEST:
            self._stop(place, f"nested more than {DEEPEST} deep")
        return node

    def _scalar(self, event: Any, place: tuple[int, int]) -> Scalar:
        text = event.value
        value: Any = text
        if not event.style:
            try:
                value = resolve(text)
            except NotFinite:
                self._problems.add(place, "suite", f"a number must be finite, not {_short(text)}")
                self._problems.mute(place)
                value = 0
        node = Scalar(line=place[0], column=place[1], raw=text, text=text, value=value)
        if "$" in text and not self._bound():
            self._variables.append(node)
        return node

    def _bound(self) -> bool:
        """Whether this is a dataset's `where` or `sql`, whose variables are bound, not replaced."""
        return len(self._keys) == 3 and self._keys[0] == "data" and self._keys[2] in ("where", "sql")

    def _listing(self, place: tuple[int, int], depth: int) -> Listing:
        import yaml

        listing = Listing(line=place[0], column=place[1])
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            self._keys.append("-")
            item = self._node(event, depth + 1)
            self._keys.pop()
            listing.items.append(item)
            listing.size += item.size
            listing.height = max(listing.height, item.height + 1)
        return listing

    def _table(self, place: tuple[int, int], depth: int) -> Table:
        import yaml

        table = Table(line=place[0], column=place[1])
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            key_place = _mark(event)
            key = self._key(event, key_place, depth)
            self._keys.append(key or "?")
            node = self._node(next(self._events), depth + 1)
            self._keys.pop()
            table.size += node.size + 1
            table.height = max(table.height, node.height + 1)
            if key is None:
                continue
            if key in table.items:
                first = table.marks[key][0]
                self._problems.add(key_place, "suite", f"duplicate key {quoted(key)}, first on line {first}")
                continue
            table.items[key] = node
            table.marks[key] = key_place
        return table

    def _key(self, event: Any, place: tuple[int, int], depth: int) -> str | None:
        """Return a key's text as written: a key is never a number, and has no variables."""
        import yaml

        if not isinstance(event, yaml.ScalarEvent):
            node = self._node(event, depth + 1)
            if isinstance(node, Scalar):
                return node.raw
            self._problems.add(place, "suite", f"a key is text, not {node.shown}")
            return None
        self._count(1, place)
        if event.tag is not None:
            self._problems.add(place, "suite", f"tags such as {quoted(event.tag)} are not allowed")
        key: str = event.value
        if event.anchor is not None:
            self._anchors[event.anchor] = Scalar(line=place[0], column=place[1], raw=key, text=key, value=key)
        if key == "" and not event.style:
            self._problems.add(place, "suite", "a key is missing before ':'")
            return None
        if key == "<<" and not event.style:
            self._problems.add(place, "suite", "`<<` is not part of YAML 1.2; write the keys out")
            return None
        return key


def _mark(event: Any) -> tuple[int, int]:
    return event.start_mark.line + 1, event.start_mark.column + 1
