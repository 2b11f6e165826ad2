"""Text that tries to be markup, a mention, a link or a command stays text in every view but the page."""

import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from pytest_readmit.privacy import printable
from pytest_readmit.report import github, markdown
from pytest_readmit.report.gfm import code, prose

markdown_it = pytest.importorskip("markdown_it")

HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<!-- --><b>bold</b>",
    "</code></td></table><h1>Certified</h1>",
    "![beacon](https://evil.example/x.png)",
    "[click](javascript:alert(1)) [a]: https://evil.example",
    "https://evil.example/?q=1 http://a.b www.evil.example mailto:a@b.example",
    "//evil.example evil.example/path <https://evil.example>",
    "thank @team and @org/team, dr.ada@hospital.example",
    "fixes #1 and org/repo#2, GH-3, 3f2a9c7e5b1d4a60f8e2c9b7a6d5e4f3c2b1a098, 3f2a9c7",
    "`code` ``more`` ` ```",
    "`",
    "trailing`",
    "a | b \\| c \\\\| d |",
    "backslash at the end \\",
    "**bold** _it_ ~~gone~~ __x__ *",
    "# heading",
    "- list\n\n# heading\n\n| a |\n| - |\n\n```",
    "1. one",
    "> quote [!WARNING]",
    "$x$ $$y$$ :tada: &lt;b&gt; &#64;team",
    "line\r\n::error::forged",
    "::error file=a.py,line=1::forged",
    "  ::set-output name=a::b",
    "##[error]forged",
    "##vso[task.setvariable variable=a]b",
    "%0A::error::forged %25 100%",
    "\x1b[31mred\x1b[0m \x07\x00\x85\u2028\u2029",
    "\u202eevil\u202c \u200bteam\u2066",
    "\ud800 lone \udfff",
    "x" * 10_000,
    "@" * 3_000,
    "`|" * 2_000,
]
MEANT_BY_GITHUB = re.compile(
    r"@\w|#\d|GH-\d|\b[0-9a-f]{7,40}\b|:\w+:|\$|https?:|www\.|//|\w@\w", re.IGNORECASE
)


def everywhere(text: str, build: Any, case: Any) -> dict[str, Any]:
    """Return a record that holds a text wherever a text from outside can stand."""
    waiver = {"until": text, "by": text, "reason": text}
    names = {
        "segment": text,
        "check": text,
        "because": text,
        "message": text,
        "method": text,
        "suite": text,
        "direction": text,
    }
    cases = [
        case(text, text, id=f"{text}::{number}", waiver=waiver, **{**names, **fields})
        for number, fields in enumerate(
            (
                {"verdict": "fail", "outcome": "failed"},
                {"verdict": "error", "outcome": "failed", "needed_n": text, "limit": text},
                {"verdict": "inconclusive", "needed_n": text, "certifiable": text},
                {"verdict": "fail", "outcome": "xfailed"},
                {"warned": True},
                {"outcome": text, "decide_by": text, "severity": text, "line": text},
                {"verdict": text},
            )
        )
    ]
    keys = ("name", "path", "sha256", "owner", "approver", "intended_use", "protocol", "as_of")
    source = {"source": text, "sha256": text, "version": text, "digest": text, "flow": {"read": text}}
    facts = {
        "started": text,
        "finished": text,
        "datasets": {text: source},
        "models": {text: source},
        "git": {"commit": text, "dirty": True},
        "packages": {"pytest-readmit": text},
    }
    made: dict[str, Any] = build(cases, provenance=facts, suites=[dict.fromkeys(keys, text)], digest=text)
    return made


def tokens(text: str) -> Iterator[Any]:
    """Yield what a renderer of CommonMark and GitHub's additions makes of a text, HTML allowed."""
    for token in markdown_it.MarkdownIt("gfm-like", {"html": True, "linkify": True}).parse(text):
        yield token
        yield from token.children or ()


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_markdown_holds_no_tag_link_image_mention_or_reference(sample, gate_case, text) -> None:
    text = markdown.render(everywhere(text, sample, gate_case))
    found = list(tokens(text))
    assert not {token.type for token in found} & {"html_inline", "html_block", "image", "link_open", "fence"}
    told = [token.content for token in found if token.type == "text"]
    assert [words for words in told if MEANT_BY_GITHUB.search(words)] == []
    headings = [after.content for token, after in pairwise(found) if token.type == "heading_open"]
    assert_rows_fit_their_head(text)
    assert headings[0] == "readmit: Blocked"
    assert set(headings[1:]) <= {
        "Waived",
        "Waivers that cover nothing",
        "What blocks",
        "Warnings",
        "Undecided",
        "Every entry",
        "Where it comes from",
    }


def assert_rows_fit_their_head(text: str) -> None:
    """A pipe after a backslash ends no cell; a renderer would drop what is too much without a word."""
    width = 0
    for before, line in pairwise(["", *text.splitlines()]):
        if line.startswith("|"):
            cells = len(re.findall(r"(?<!\\)\|", line))
            width = width if before.startswith("|") else cells
            assert cells == width


def test_a_code_span_shows_the_text_as_it_is() -> None:
    for text in ("a | b", "`", "x`", "``x`", "a\\", "\\|", "<b>", "@team"):
        shown = [token.content for token in tokens(f"- {code(text)}") if token.type == "code_inline"]
        assert shown == [text]
    cell = "\n".join(["| h |", "| --- |", f"| {code('a|b').replace('|', chr(92) + '|')} |"])
    assert [token.content for token in tokens(cell) if token.type == "code_inline"] == ["a|b"]


def test_a_plain_sentence_stays_plain() -> None:
    for text in (
        "age moved by 0.31 (one-sided 95% bounds 0.28 and 0.33); the limit is 0.1",
        "about 52,000 rows of current would decide, if the estimate stays",
        "größe: p = 3.2e-09 against 0.05, −0.5 ≤ 1 ± 0.1",
    ):
        assert prose(text) == text


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_an_annotation_is_one_command_that_no_text_can_end(sample, gate_case, text) -> None:
    record = everywhere(text, sample, gate_case)
    lines = github.annotations(record, root=Path("/w/project"), workspace=Path("/w"))
    assert lines
    for line in lines:
        assert len(line.splitlines()) == 1
        command = re.fullmatch(
            r"::(error|warning|notice) ((?:file|line|title)=[^:,]*(?:,(?:file|line|title)=[^:,]*)*)::(.*)",
            line,
        )
        assert command, line
        assert not re.search(r"%(?!25|0A|0D|3A|2C)", line)
        assert line.isprintable()


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_a_line_of_the_terminal_holds_no_control_character_and_is_no_command(text) -> None:
    line = printable(text)
    assert line.isprintable()
    assert not line.lstrip().startswith("::")
    assert not re.search(r"##\w*\[", line)
