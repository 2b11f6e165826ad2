"""What a GitHub Actions build shows of a run: annotations at the lines of the suite, and the job summary."""

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from pytest_readmit.report import markdown
from pytest_readmit.report.gates import Gate, gate
from pytest_readmit.report.words import items, mapping, name, real

# What GitHub Actions says of the repository, and the only form in which it becomes part of an address.
ADDRESS = {
    "SERVER_URL": r"https?://[\w.-]+(?::\d+)?",
    "REPOSITORY": r"[\w.-]+/[\w.-]+",
    "SHA": r"[0-9a-f]{40}(?:[0-9a-f]{24})?",
}
MOST_OF_A_KIND = 10
MOST_BYTES = 1024 * 1024
LONGEST_TITLE = 200
LONGEST_MESSAGE = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotation:
    """
    One message at a line of a file.

    Args:
        kind: ``error``, ``warning`` or ``notice``.
        file: Relative to the root of the checkout; "" if there is none.
        line: From 1; None for the whole file.
        title: What it is about.
        message: What was found.
    """

    kind: str
    file: str
    line: int | None
    title: str
    message: str

    def command(self) -> str:
        """Return the workflow command, one line, whatever the texts hold."""
        place = {"file": self.file, "line": str(self.line) if self.line and self.file else ""}
        properties = {**place, "title": name(self.title, most=LONGEST_TITLE)}
        told = ",".join(f"{key}={_property(value)}" for key, value in properties.items() if value)
        return f"::{self.kind} {told}::{_data(name(self.message, most=LONGEST_MESSAGE))}"


def annotations(record: Mapping[str, Any], *, root: Path, workspace: Path) -> list[str]:
    """
    Return the workflow commands for a record: at most ten of a kind, what blocks first.

    Args:
        record: The record.
        root: The folder that the suites' paths in the record are relative to.
        workspace: The root of the checkout, to which GitHub takes paths to be relative.
    """
    cases = [mapping(case) for case in items(record.get("cases"))]
    found: dict[str, list[Annotation]] = {"error": [], "warning": [], "notice": []}
    for case in cases:
        kind = _kind(case)
        if kind:
            one = gate(case, detailed=False)
            found[kind].append(_annotation(kind, one, case.get("line"), root, workspace))
    if not cases or (record.get("blocked") is True and not found["error"]):
        message = "The run did not finish, or no gate ran; nothing can be promoted from it."
        found["error"].append(
            Annotation(kind="error", file="", line=None, title="readmit: no verdict", message=message)
        )
    return [one.command() for kind in found.values() for one in _first(kind)]


def of_problems(problems: Iterable[str], *, root: Path, workspace: Path) -> list[str]:
    """Return the workflow commands for what is wrong with suites, each ``path:line:column: message``."""
    made = []
    for problem in problems:
        path, _, rest = problem.partition(":")
        line, _, rest = rest.partition(":")
        _, _, message = rest.partition(": ")
        placed = line.isdecimal() and bool(message)
        made.append(
            Annotation(
                kind="error",
                file=_relative(path, root, workspace) if placed else "",
                line=int(line) if placed else None,
                title="readmit: suite error",
                message=message if placed else problem,
            )
        )
    return [one.command() for one in _first(made)]


def append_summary(path: Path, record: Mapping[str, Any], *, root: Path, workspace: Path) -> str:
    """
    Append the Markdown of a record to the job summary, which other steps' tools may have begun.

    Args:
        path: The job summary.
        record: The record.
        root: As for `annotations`.
        workspace: Likewise.

    Returns:
        Why nothing was written, or "".

    Raises:
        OSError: If it cannot be written.
    """

    def address(one: Gate) -> str:
        return _address(one, root, workspace)

    return _append(path, lambda room: markdown.render(record, most_bytes=room, address=address))


def _address(one: Gate, root: Path, workspace: Path) -> str:
    """Return the web address of a gate's line in the commit that is built; "" where it is not known."""
    known = [os.environ.get(f"GITHUB_{key}", "") for key in ADDRESS]
    if not all(re.fullmatch(form, each) for form, each in zip(ADDRESS.values(), known, strict=True)):
        return ""
    file, line = _relative(one.path, root, workspace), one.place.removeprefix(f"{one.path}:")
    if os.path.isabs(file) or file.startswith("..") or not line.isdecimal():
        return ""
    server, repository, commit = known
    return f"{server}/{repository}/blob/{commit}/{quote(file)}#L{line}"


def append_problems(path: Path, problems: Sequence[str]) -> str:
    """Append what is wrong with suites to the job summary; returns and raises as `append_summary`."""
    return _append(path, lambda room: markdown.of_problems(problems, most_bytes=room))


def _append(path: Path, write: Callable[[int], str]) -> str:
    held = path.stat().st_size if path.exists() else 0
    text = write(MOST_BYTES - held - 1)
    if not text:
        return "the job summary is full: GitHub takes 1 MiB of a step"
    with path.open("a", encoding="utf-8", newline="\n") as file:
        file.write(f"\n{text}" if held else text)
    return ""


def _kind(case: Mapping[str, Any]) -> str:
    outcome = case.get("outcome")
    if outcome == "passed":
        return "warning" if case.get("warned") is True else ""
    return "notice" if outcome == "xfailed" else "error"


def _annotation(kind: str, one: Gate, line: Any, root: Path, workspace: Path) -> Annotation:
    number = real(line)
    word = "Waived" if kind == "notice" else one.shown
    return Annotation(
        kind=kind,
        file=_relative(one.path, root, workspace),
        line=int(number) if number is not None and number >= 1 else None,
        title=f"{word}: {one.title}",
        message=one.message,
    )


def _first(found: Sequence[Annotation]) -> Iterator[Annotation]:
    """Yield at most ten; where there are more, the tenth says how many."""
    if len(found) <= MOST_OF_A_KIND:
        yield from found
        return
    yield from found[: MOST_OF_A_KIND - 1]
    last = found[MOST_OF_A_KIND - 1]
    rest = len(found) - MOST_OF_A_KIND + 1
    yield Annotation(
        kind=last.kind,
        file=last.file,
        line=last.line,
        title=f"readmit: {rest:,} more",
        message=f"{rest:,} more of this kind; the job summary and the report name them.",
    )


def _relative(shown: str, root: Path, workspace: Path) -> str:
    """Return a suite's path as GitHub wants it; one outside the checkout stays as it is shown."""
    full = os.path.abspath(root / shown)
    inside = os.path.relpath(full, workspace) if os.path.splitdrive(full)[0] == workspace.drive else full
    return shown if inside.startswith("..") else Path(inside).as_posix()


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
