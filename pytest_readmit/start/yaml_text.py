"""Names and notes as YAML that reads back as what they were, whatever characters they hold."""

import re
import textwrap
from collections.abc import Iterable, Iterator, Sequence

WIDTH = 100
_PLAIN = re.compile(r"[^\W\d][\w.-]*")
# What some reader of YAML, if not ours, takes for something else than text.
_WORDS = {"null", "true", "false", "yes", "no", "on", "off", "y", "n"}


def scalar(text: str) -> str:
    """Return a text as a scalar: plain where every reader takes it for that text, else in double quotes."""
    if _PLAIN.fullmatch(text) and text.isprintable() and text.casefold() not in _WORDS:
        return text
    return '"' + "".join(map(_escaped, text.replace("${", "$${"))) + '"'


def label(text: str) -> str:
    """Return a level of the target: a whole number as one."""
    return text if re.fullmatch(r"0|-?[1-9][0-9]{0,14}", text) else scalar(text)


def _escaped(character: str) -> str:
    if character in '"\\':
        return "\\" + character
    if character.isprintable():
        return character
    code = ord(character)
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}" if code < 65536 else f"\\U{code:08x}"


def listed(key: str, names: Iterable[str], *, indent: int = 0) -> Iterator[str]:
    """Yield the lines of a key with a list of names, broken where they are too wide."""
    line, rest = f"{' ' * indent}{key}: [", [scalar(name) for name in names]
    deeper = " " * (indent + 2)
    for place, name in enumerate(rest):
        piece = name + ("]" if place == len(rest) - 1 else ",")
        if len(line) + len(piece) + 1 > WIDTH and line.strip() and not line.endswith("["):
            yield line.rstrip()
            line = deeper
        line += piece + " "
    yield line.rstrip()


def comment(text: str, *, indent: int = 0) -> Iterator[str]:
    """Yield a note as comment lines."""
    start = f"{' ' * indent}# "
    yield from textwrap.wrap(
        "".join(character if character.isprintable() else "?" for character in text),
        WIDTH,
        initial_indent=start,
        subsequent_indent=start,
        break_long_words=False,
        break_on_hyphens=False,
    )


def noted(line: str, note: str | None) -> str:
    """Return a line with a note behind it, where there is one."""
    return line if note is None else f"{line}  # {note}"


def some(names: Sequence[str], most: int = 3) -> str:
    """Return the first few names for a note."""
    shown = ", ".join(scalar(name) for name in names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"
