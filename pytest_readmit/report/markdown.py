"""The record as one page of GitHub's Markdown: a build's job summary, a comment, a wiki page."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from pytest_readmit.report.about import about
from pytest_readmit.report.actions import IF_MEANT, action, meaning
from pytest_readmit.report.gates import SHOWN, Gate, gate
from pytest_readmit.report.gfm import code, prose, table
from pytest_readmit.report.verdict import Decision, complete, decide, doubts
from pytest_readmit.report.words import DASH, clean, items, mapping, moment, name, plural, real

MOST_BYTES = 1024 * 1024
# Rows of each table, tried from the left until the page fits.
ROWS = (100, 30, 10, 3, 0)
NO_REASON = "default limit, no rationale given"

Place = Callable[[Gate], str]


def render(
    record: Mapping[str, Any],
    *,
    most_bytes: int = MOST_BYTES,
    address: Callable[[Gate], str] = lambda _: "",
) -> str:
    """
    Return a record as Markdown; tables are cut at whole rows until it fits, "" if nothing would.

    Args:
        record: The record as `json.load` gives it; what is missing or null is left out.
        most_bytes: The most that the page may take as UTF-8.
        address: The web address of a gate's line, percent-encoded; "" where there is none.
    """

    def place(one: Gate) -> str:
        found = address(one)
        return f"[{code(one.place)}]({found})" if found else code(one.place)

    cases = [mapping(case) for case in items(record.get("cases"))]
    gates = [
        gate(case, as_of=day, detailed=False) for case, day in zip(cases, _days(record, cases), strict=True)
    ]
    decision = decide(record, gates)
    for rows in ROWS:
        text = "\n".join(_lines(record, gates, decision, rows, place)) + "\n"
        if len(text.encode()) <= most_bytes:
            return text
    return ""


def of_problems(problems: Sequence[str], *, most_bytes: int = MOST_BYTES) -> str:
    """Return what is wrong with suites as Markdown; "" if it does not fit."""
    for rows in ROWS:
        shown = [f"- Wrong: {prose(problem)}" for problem in problems[:rows]]
        more = [f"- and {len(problems) - rows:,} more"] if len(problems) > rows else []
        head = [
            "## readmit: No result",
            "",
            f"**{plural(len(problems), 'problem')}: nothing was decided.**",
            "",
        ]
        text = "\n".join([*head, *shown, *more]) + "\n"
        if len(text.encode()) <= most_bytes:
            return text
    return ""


def _days(record: Mapping[str, Any], cases: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the `as_of` of each case's suite."""
    suites = [mapping(suite) for suite in items(record.get("suites"))]
    as_of = {name(suite.get("path")): name(suite.get("as_of")) for suite in suites}
    return [as_of.get(name(clean(case.get("id")).partition("::")[0]), "") for case in cases]


def _lines(
    record: Mapping[str, Any], gates: Sequence[Gate], decision: Decision, rows: int, place: Place
) -> Iterator[str]:
    yield f"## readmit: {decision.stamp}"
    yield ""
    silent = [f"{decision.silent}."] if decision.silent else []
    yield " ".join([f"**{decision.sentence}**", *decision.meaning, *silent])
    yield ""
    yield prose(decision.step)
    yield ""
    yield from (f"- {code(label)}: {code(text, most=400)}" for label, text in about(record))
    yield ""
    yield from table(
        [count.shown for count in decision.counts],
        [[f"{count.number:,}" + (f" ({count.parts})" if count.parts else "") for count in decision.counts]],
    )
    for alert in _alerts(record, gates):
        yield ""
        yield f"> **Note:** {alert}"
    yield from _waivers(gates, rows, place)
    yield from _blocking(gates, rows, place)
    yield from _open(gates, rows, place)
    yield from _entries(gates, rows, place)
    yield from _sources(record, decision, rows)


def _alerts(record: Mapping[str, Any], gates: Sequence[Gate]) -> list[str]:
    said = doubts(record, gates, digest=None)
    if not complete(record, gates):
        said.append("This record is not complete, so it can never count as a pass.")
    return said


def _waivers(gates: Sequence[Gate], rows: int, place: Place) -> Iterator[str]:
    waived = [one for one in gates if one.covered]
    idle = [one for one in gates if one.waiver and not one.covered]
    yield from _section(
        "Waived",
        ["Gate", "Verdict", "By", "Until", "Reason", "Line"],
        waived,
        lambda one: [
            _gate(one),
            one.shown,
            code(one.waiver.get("by")),
            code(one.waiver.get("until")),
            prose(one.waiver.get("reason")),
            place(one),
        ],
        rows,
    )
    yield from _section(
        "Waivers that cover nothing",
        ["Gate", "Verdict", "Why", "By", "Until", "Line"],
        idle,
        lambda one: [
            _gate(one),
            one.shown,
            prose(one.tags[-1] if one.tags else ""),
            code(one.waiver.get("by")),
            code(one.waiver.get("until")),
            place(one),
        ],
        rows,
    )


def _blocking(gates: Sequence[Gate], rows: int, place: Place) -> Iterator[str]:
    blocking = [one for one in gates if one.blocks]
    yield from _section(
        "What blocks",
        ["Gate", "Verdict", "What was found", "Estimate", "Limit", "Reason for the limit", "Line"],
        blocking,
        lambda one: [
            _gate(one),
            one.shown,
            prose(one.message),
            one.estimate or DASH,
            one.limit or DASH,
            (prose(one.because) if one.because else NO_REASON) if one.limit else DASH,
            place(one),
        ],
        rows,
    )
    asked = dict.fromkeys((one.check if one.verdict == "fail" else "", one.verdict) for one in blocking)
    if asked:
        yield ""
        yield "What to do:"
        yield ""
    for check, verdict in list(asked)[: max(rows, 1)]:
        which = f" of {code(check)}" if check else ""
        yield f"- **{SHOWN[verdict]}**{which}: {meaning(check, verdict)}. {action(check, verdict, gates)}"
    if any(verdict == "fail" for _, verdict in asked):
        yield f"- {IF_MEANT}"


def _open(gates: Sequence[Gate], rows: int, place: Place) -> Iterator[str]:
    passed = [one for one in gates if one.outcome == "passed"]
    yield from _section(
        "Warnings",
        ["Gate", "Verdict", "What was found", "Line"],
        [one for one in passed if one.verdict == "fail" or (one.warned and one.verdict == "pass")],
        lambda one: [_gate(one), one.shown, prose(one.message), place(one)],
        rows,
    )
    yield from _section(
        "Undecided",
        ["Gate", "Estimate", "Limit", "Limit that these data certify", "Rows needed", "Line"],
        [one for one in passed if one.verdict == "inconclusive"],
        lambda one: [
            _gate(one),
            one.estimate or DASH,
            one.limit or DASH,
            one.certifiable or DASH,
            prose(one.needed) or DASH,
            place(one),
        ],
        rows,
    )


def _entries(gates: Sequence[Gate], rows: int, place: Place) -> Iterator[str]:
    entries: dict[tuple[str, str], list[Gate]] = {}
    for one in gates:
        entries.setdefault((one.path, one.entry), []).append(one)
    yield from _section(
        "Every entry",
        ["Entry", "Gates", *SHOWN.values(), "Reason for the limit", "Line"],
        list(entries.values()),
        lambda members: [
            code(members[0].entry),
            f"{len(members):,}",
            *(f"{sum(one.verdict == verdict for one in members):,}" for verdict in SHOWN),
            prose(members[0].because) if members[0].because else NO_REASON,
            place(members[0]),
        ],
        rows,
    )


def _section(title: str, head: Sequence[str], found: Sequence[Any], row: Any, rows: int) -> Iterator[str]:
    """Yield a heading, a table of at most `rows` rows and how many more there are; nothing if none."""
    if not found:
        return
    yield ""
    yield f"### {title}"
    yield ""
    if rows:
        yield from table(head, map(row, found[:rows]))
    if len(found) > rows:
        yield ""
        yield f"and {len(found) - rows:,} more" if rows else f"{len(found):,} in the record"


def _sources(record: Mapping[str, Any], decision: Decision, rows: int) -> Iterator[str]:
    facts = mapping(record.get("provenance"))
    git = mapping(facts.get("git"))
    packages = mapping(facts.get("packages"))
    yield ""
    yield "### Where it comes from"
    yield ""
    suites = [mapping(suite) for suite in items(record.get("suites"))]
    yield from (f"- Suite: {', '.join(_suite(suite))}" for suite in suites[: max(rows, 1)])
    for what, key in (("Data", "datasets"), ("Model", "models")):
        for role, found in list(mapping(facts.get(key)).items())[: max(rows, 1)]:
            if found:
                yield f"- {what}: {code(role)} from {_source(mapping(found))}"
    if git.get("commit"):
        dirty = " with uncommitted changes" if git.get("dirty") is True else ""
        yield f"- Commit: {code(git['commit'])}{dirty}"
    version = code(packages.get("pytest-readmit"))
    yield f"- Run: {code(moment(facts.get('finished')))}, pytest-readmit {version}"
    if record.get("digest"):
        yield f"- Record: {code(record['digest'])}"
    if decision.alarms:
        yield f"- {decision.alarms}"


def _suite(suite: Mapping[str, Any]) -> Iterable[str]:
    yield f"{code(suite.get('name'))} ({code(suite.get('path'))}, sha256 {code(suite.get('sha256'))})"
    told = (
        ("as of", "as_of"),
        ("owner", "owner"),
        ("approver", "approver"),
        ("protocol", "protocol"),
        ("intended use:", "intended_use"),
    )
    for word, key in told:
        if suite.get(key) is not None:
            yield f"{word} {code(suite[key], most=300)}"


def _source(found: Mapping[str, Any]) -> str:
    digest = found.get("sha256") or found.get("digest")
    rows = real(mapping(found.get("flow")).get("read"))
    told = [code(found.get("source"), most=300)]
    if found.get("version") is not None:
        told.append(f"version {code(found['version'])}")
    if digest:
        told.append(f"sha256 {code(str(digest).removeprefix('sha256:'))}")
    return ", ".join([*told, *([f"{rows:,.0f} rows"] if rows is not None else [])])


def _gate(one: Gate) -> str:
    return code(one.entry) + (f" {code(one.label)}" if one.label else "")
