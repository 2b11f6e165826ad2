"""Foreign text in GitHub's Markdown: nothing in it becomes a tag, link, image, mention or reference."""

import re
from collections.abc import Iterable, Sequence
from typing import Any

from pytest_readmit.report.words import DASH, name

# What a word may hold to stand as plain text. Everything else (markup, @team, #1, addresses, $math$, :emoji:,
# what may be a commit) goes into a code span, the one place that GitHub leaves alone: it links a mention or
# a reference even where its sign is escaped.
_LETTERS = re.compile(r"[^\W_]+")
_SIGNS = re.compile(
    r"""[.,;:()'"%?/+=\u2013\u2014\u2212\u2018-\u201d\u2026\u2264\u2265\u00b1\u00b7\u03b1-]"""
)
_LINKED = re.compile(
    r"://|www\.|mailto:|xmpp:|\w\.[^\W\d_]|:[\w+-]+:|\bGH-\d|\b[0-9a-f]{7,}\b", re.IGNORECASE
)
LONGEST_TEXT = 600
LONGEST_NAME = 160


def code(value: Any, *, most: int = LONGEST_NAME) -> str:
    """Return a text as a code span on one line, an en dash where there is none."""
    text = name(value, most=most)
    if not text:
        return DASH
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", text)), default=0))
    pad = " " if text[0] == "`" or text[-1] == "`" else ""
    return f"{fence}{pad}{text}{pad}{fence}"


def prose(value: Any, *, most: int = LONGEST_TEXT) -> str:
    """Return a sentence on one line; its words that could mean something to GitHub are code spans."""
    parts: list[str] = []
    risky: list[str] = []
    for word in name(value, most=most).split(" "):
        if _is_plain(word):
            parts += [code(" ".join(risky), most=most)] if risky else []
            risky = []
            parts.append(word)
        else:
            risky.append(word)
    parts += [code(" ".join(risky), most=most)] if risky else []
    return " ".join(parts)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Return the lines of a table; cells are Markdown already."""
    lines = [head, ["---"] * len(head), *rows]
    return [f"| {' | '.join(_cell(cell) for cell in line)} |" for line in lines]


def _is_plain(word: str) -> bool:
    return not _LINKED.search(word) and not _LETTERS.sub("", _SIGNS.sub("", word))


def _cell(markdown: str) -> str:
    return markdown.replace("|", "\\|")
