"""Earlier records of the same suite: found, checked, and cut down to what a trend shows."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pytest_readmit import record as records
from pytest_readmit.errors import ReadmitError
from pytest_readmit.report.words import items, mapping, moment, name, pair, plural, real

MOST = 30
MOST_NAMED = 5
HEAD = 4096
TAIL = 65536
MARK = b'"schema": "pytest-readmit/record/'


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """
    What one record says of one case.

    Args:
        finished: When the run finished, ISO 8601.
        verdict: The verdict.
        method: How the effect was measured.
        quantity: ``estimate``, or ``p-value`` where that decides: then it and its threshold are meant.
        estimate: The measured effect, None if there is none to show.
        interval: Its one-sided bounds.
        limit: A number, a pair, or None.
        direction: ``at_most``, ``at_least`` or ``within``.
    """

    finished: str
    verdict: str
    method: str
    quantity: str
    estimate: float | None
    interval: tuple[float, float] | None
    limit: float | tuple[float, float] | None
    direction: str


@dataclass(frozen=True, slots=True)
class History:
    """
    Earlier runs of the suites of a record.

    Args:
        points: Case id to what earlier records say of it, oldest first.
        said: What was read and what was not, one sentence.
    """

    points: Mapping[str, Sequence[Point]] = field(default_factory=dict)
    said: str = ""


@dataclass(frozen=True, slots=True)
class _Found:
    """A file that looks like a finished record of these suites, by its first and last lines."""

    path: Path
    finished: str


def read_history(folder: Path, record: Mapping[str, Any]) -> History:
    """
    Return what earlier records in a folder say of the cases of a record.

    Only records that name one of its suites and finished no later than it count; of these the last 30. The
    record itself is known by its digest and left out. A folder that is not there holds no record.

    Args:
        folder: Where the records are, ``*.json``; other files are passed over.
        record: The record that the page shows.

    Raises:
        ReadmitError: The folder is a file, or cannot be listed.
    """
    damaged: list[str] = []
    tally = dict.fromkeys(("others", "later", "unfinished"), 0)
    found = _found(folder, record, tally, damaged)
    wanted = {_text(mapping(case).get("id")) for case in items(record.get("cases"))}
    points: dict[str, list[Point]] = {}
    kept = []
    for one, content in _read(found, damaged):
        kept.append(one.finished)
        for identity, told in _points(content, wanted, one.finished):
            points.setdefault(identity, []).insert(0, told)
    return History(points, _said(kept, len(found), tally, damaged))


def earlier(folder: Path, record: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """
    Yield the records in a folder that `read_history` would use, newest first.

    Raises:
        ReadmitError: The folder is a file, or cannot be listed.
    """
    found = _found(folder, record, dict.fromkeys(("others", "later", "unfinished"), 0), [])
    for _, content in _read(found, []):
        yield content


def _found(
    folder: Path, record: Mapping[str, Any], tally: dict[str, int], damaged: list[str]
) -> list[_Found]:
    """Return what may be an earlier record of the same suites, newest first; count the others."""
    suites = {name(mapping(suite).get("name")) for suite in items(record.get("suites"))}
    until = _finished(record) or "~"
    found: list[_Found] = []
    seen = {record.get("digest")}
    for path in _files(folder):
        try:
            peeked = _peeked(path)
        except (OSError, RecursionError, ValueError):
            damaged.append(path.name)
            continue
        if peeked is None or name(peeked.get("digest")) in seen:
            continue
        seen.add(name(peeked.get("digest")))
        kind = _kind(peeked, suites, until)
        if kind:
            tally[kind] += 1
        else:
            found.append(_Found(path, _finished(peeked)))
    return sorted(found, key=lambda one: (one.finished, one.path.name), reverse=True)


def _files(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if path.suffix == ".json" and path.is_file())
    except FileNotFoundError:
        return []
    except OSError as error:
        raise ReadmitError(f"{folder}: no folder of records ({error.strerror})") from error


def _peeked(path: Path) -> Mapping[str, Any] | None:
    """
    Return digest, suites and provenance of a record without reading its cases; None if it is no record.

    Raises:
        ValueError: It is no JSON, or a record that breaks off.
    """
    with path.open("rb") as file:
        head = file.read(HEAD)
        size = file.seek(0, 2)
        file.seek(max(0, size - TAIL))
        tail = file.read()
    if MARK in head:
        lines = [*head.split(b"\n")[:-1], *tail.split(b"\n")] if size > HEAD else head.split(b"\n")
        told = {key: value for line in lines for key, value in _line(line)}
        if {"digest", "suites", "provenance"} <= set(told):
            return told
    content = json.loads(path.read_bytes())
    return content if isinstance(content, dict) and content.get("schema") == records.SCHEMA else None


def _line(line: bytes) -> Iterator[tuple[str, Any]]:
    """Yield what a line of our own writing holds: ` "key": value,`, one key a line."""
    for key in ("digest", "suites", "provenance"):
        start = f' "{key}": '.encode()
        if line.startswith(start):
            try:
                yield key, json.loads(line[len(start) :].strip().rstrip(b","))
            except ValueError:
                return


def _kind(told: Mapping[str, Any], suites: set[str], until: str) -> str:
    """Return why a record does not count, "" if it does."""
    named = {name(mapping(suite).get("name")) for suite in items(told.get("suites"))}
    finished = _finished(told)
    if not finished:
        return "unfinished"
    if not named & suites:
        return "others"
    return "later" if finished > until else ""


def _finished(told: Mapping[str, Any]) -> str:
    return name(mapping(told.get("provenance")).get("finished"), most=40)


def _read(found: Sequence[_Found], damaged: list[str]) -> Iterator[tuple[_Found, Mapping[str, Any]]]:
    """Yield the newest records whose digest fits, `MOST` at most; add the others to `damaged`."""
    left = MOST
    for one in found:
        if not left:
            return
        try:
            content = records.read(one.path)
        except (ReadmitError, RecursionError):
            damaged.append(one.path.name)
            continue
        left -= 1
        yield one, content


def _points(content: Mapping[str, Any], wanted: set[str], finished: str) -> Iterator[tuple[str, Point]]:
    for case in map(mapping, items(content.get("cases"))):
        identity = _text(case.get("id"))
        if identity in wanted:
            yield identity, point(case, finished)


def point(case: Mapping[str, Any], finished: str) -> Point:
    """Return what a case comes to in a trend."""
    by_p = case.get("decide_by") == "p_value"
    return Point(
        finished=finished,
        verdict=_text(case.get("verdict")),
        method=_text(case.get("method")),
        quantity="p-value" if by_p else "estimate",
        estimate=real(case.get("p_value" if by_p else "estimate")),
        interval=None if by_p else pair(case.get("interval")),
        limit=real(case.get("alpha")) if by_p else pair(case.get("limit")) or real(case.get("limit")),
        direction="at_least" if by_p else _text(case.get("direction")),
    )


def _text(value: Any) -> str:
    """Return text that is compared and never shown; anything else as ""."""
    return value if isinstance(value, str) else ""


def _said(kept: Sequence[str], found: int, tally: Mapping[str, int], damaged: Sequence[str]) -> str:
    if kept:
        first, last = moment(kept[-1]), moment(kept[0])
        said = [f"{plural(len(kept), 'earlier record')} of the same suite, {first} to {last}"]
    else:
        said = ["no earlier record of the same suite was found"]
    if len(kept) == MOST and found > MOST:
        said.append(f"older ones are left out, {MOST} are shown at most")
    if tally["others"]:
        said.append(f"{plural(tally['others'], 'record')} of other suites skipped")
    if tally["later"]:
        said.append(f"{plural(tally['later'], 'later record')} skipped")
    if tally["unfinished"]:
        said.append(f"{plural(tally['unfinished'], 'record')} of runs that came to no end skipped")
    if damaged:
        names = sorted(name(one, most=60) for one in damaged)
        more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
        said.append(f"{len(names)} damaged and not used: {', '.join(names[:MOST_NAMED])}{more}")
    text = "; ".join(said)
    return f"{text[0].upper()}{text[1:]}."
