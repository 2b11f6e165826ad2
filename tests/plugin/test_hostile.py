"""Names and cells of data that try to be markup, commands or control characters, in every view of one run."""

import itertools
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from pytest_readmit.report import markdown, render

HOSTILE = {
    "script": "<script>alert(1)</script><img src=x onerror=alert(1)>",
    "quotes": """a"b'c>d\\e""",
    "line": "two\nlines\r::error::owned",
    "ansi": "\x1b[31mred\x1b]0;title\x07",
    "bidi": "\u202eright\u2066to\u2069left",
    "command": "::error file=x,line=1::owned",
    "percent": "%0A::error::owned",
    "image": "![](http://evil.example/a.png) [x](http://evil.example)",
    "mention": "@team #1 GH-1 https://evil.example",
    "cdata": "]]><x/>",
    "table": "a|b`c``d|<!-- e -->",
    "style": "</style></svg></title><a href='javascript:alert(1)'>x</a>",
    "template": "{{ 7 * 7 }} {% raw %} ${READMIT_NOTHING}",
    "long": "L" * 10_000,
}
OURS = re.compile(r"::(error|warning|notice) (file=suites/drift\.yml,line=\d+,)?title=[^:\n]*::")


class Tags(HTMLParser):
    """Gathers the elements of a page and their attributes."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def named(self, *tags: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.found if tag in tags]


def is_harmless(page: str) -> None:
    tags = Tags(page)
    assert "default-src 'none'" in page
    assert len(tags.named("script")) <= 1
    assert len(tags.named("style")) == 1
    assert tags.named("img", "iframe", "object", "embed", "base", "form", "x") == []
    assert all(str(link.get("href")).startswith("#") for link in tags.named("a"))
    assert [key for _, attributes in tags.found for key in attributes if key.startswith("on")] == []


def outside_code(markdown: str) -> str:
    """Return Markdown without its code spans, as CommonMark finds them."""
    return re.sub(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)", "code", markdown)


def is_plain(markdown: str) -> None:
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069]", markdown)
    rest = outside_code(markdown)
    own = re.compile(r"</?(details|summary|sub|br)( open)?>")
    assert "<" not in own.sub("", rest)
    for meant in ("@team", "](http", "http:", "https:", "#1 ", "GH-1", "|b"):
        assert meant not in rest
    assert not any(line.startswith("::") for line in markdown.splitlines())


def shows_no_control(terminal: str) -> None:
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069]", terminal)
    for line in terminal.splitlines():
        assert not line.lstrip().startswith("::") or OURS.match(line), line[:200]
        assert "##[" not in line


def report(folder: Path, record: str, form: str) -> subprocess.CompletedProcess[str]:
    code = "import sys; from pytest_readmit.cli import main; sys.exit(main())"
    command = [sys.executable, "-c", code, "report", record, "--format", form]
    return subprocess.run(command, check=False, cwd=folder, capture_output=True, text=True, timeout=60)


@pytest.fixture
def hostile(project, monkeypatch: pytest.MonkeyPatch) -> Any:
    names = list(HOSTILE.values())
    for table, far in (("reference", 0), ("current", 50)):
        wards = names if far else names[1:]
        rows = [{**dict.fromkeys(names, row * 7 + far), "ward": ward} for row in range(12) for ward in wards]
        text = "\n".join(map(json.dumps, rows))
        (project.path / "suites" / f"{table}.jsonl").write_text(text)
    quoted = json.dumps(HOSTILE["script"] + HOSTILE["line"] + HOSTILE["ansi"] + HOSTILE["mention"])
    path = project.suite(
        f"""
- data_drift: {{because: {quoted}}}
- data_drift: {{id: by-ward, columns: [{json.dumps(HOSTILE["quotes"])}], segments: ward}}
- unseen_categories: {{columns: [ward], waiver: {{until: 2027-01-01, by: {quoted}, reason: {quoted}}}}}
- moved: {{crash: [ward], notes: [{json.dumps(HOSTILE["image"])}]}}
- schema
""",
        head=f"as_of: 2026-11-01\nsuite: {quoted}\nowner: {quoted}\ncolumns: {{categorical: [ward]}}",
    )
    data = "data: {reference: reference.jsonl, current: current.jsonl}"
    path.write_text(path.read_text().replace("data: {current: current.csv}", data))
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(project.path / "summary.md"))
    return project


def test_no_name_and_no_cell_is_taken_for_markup_or_a_command_in_any_view(hostile) -> None:
    outputs = ("--readmit-json=record.json", "--readmit-report=report.html", "--junitxml=junit.xml")
    result = hostile.run_apart(*outputs, "--readmit-attestation=proof.json", "-vv", "-rA", "-l", "--tb=long")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    made = hostile.read()
    assert {case["subject"] for case in made["cases"]} >= {*HOSTILE.values(), "ward"}
    assert {case["segment"] for case in made["cases"]} >= {*HOSTILE.values()}
    shows_no_control(result.stdout.str() + result.stderr.str())
    assert sum(bool(OURS.match(line)) for line in result.outlines) >= 2
    is_harmless((hostile.path / "report.html").read_text())
    is_plain((hostile.path / "summary.md").read_text())
    is_plain(report(hostile.path, "record.json", "md").stdout)
    assert report(hostile.path, "record.json", "html").stdout == (hostile.path / "report.html").read_text()
    names = [case.get("name") for case in ElementTree.parse(hostile.path / "junit.xml").iter("testcase")]
    assert len(names) == len(made["cases"])
    assert json.loads((hostile.path / "proof.json").read_text())


WRONG = (None, [], ["x", None, {}], {"a": [None]}, 1e300, 10**40, -1, True, "NaN", "<b>" * 50)


def edited(made: dict[str, Any], values: Iterator[Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield a record for each of its fields, in which that field has been edited by hand."""
    provenance, suite = made["provenance"], made["suites"][0]
    for key in made:
        yield key, {**made, key: next(values)}
    for key in provenance:
        yield f"provenance.{key}", {**made, "provenance": {**provenance, key: next(values)}}
    facts = provenance["datasets"]["current"]
    for key in (*facts, *facts["flow"]):
        flow = {**facts["flow"], key: next(values)} if key in facts["flow"] else facts["flow"]
        one = {**facts, "flow": flow} if key in facts["flow"] else {**facts, key: next(values)}
        yield f"datasets.{key}", {**made, "provenance": {**provenance, "datasets": {"current": one}}}
    for key in suite:
        yield f"suites.{key}", {**made, "suites": [{**suite, key: next(values)}]}
    for key in made["cases"][0]:
        yield f"cases.{key}", {**made, "cases": [{**case, key: next(values)} for case in made["cases"]]}
    for key in sorted({key for case in made["cases"] for key in case["details"]}):
        cases = [{**case, "details": {**case["details"], key: next(values)}} for case in made["cases"]]
        yield f"details.{key}", {**made, "cases": cases}


@pytest.mark.parametrize("first", [0, *(pytest.param(shift, marks=pytest.mark.slow) for shift in (1, 4, 7))])
def test_a_record_edited_by_hand_is_drawn_and_said_to_be_damaged(project, first: int) -> None:
    project.suite(
        "- data_drift: {columns: [age, sex]}\n- concept_drift: {metrics: {roc_auc: {max_drop: 0.1}}}\n"
        "- calibration: {measures: {ece: {max: 0.1}}}\n- unseen_categories: {columns: [sex]}\n"
        "- fairness: {threshold: 0.2, columns: [sex]}\n- drift_share: {columns: [age, sex]}",
        head="columns: {target: readmitted_30d, positive_label: 1, score: risk, categorical: [sex]}",
    )
    made = project.record(
        "-q", "--readmit-data=reference=demo:reference", "--readmit-data=current=demo:drifted"
    )
    assert made["counts"]["error"] == 0
    values = itertools.islice(itertools.cycle(WRONG), first, None)
    for field, record_edited in edited(made, values):
        if record_edited == made:
            continue
        try:
            page, text = render(record_edited), markdown.render(record_edited)
        except Exception as error:
            pytest.fail(f"{field}: {type(error).__name__}: {error}")
        is_harmless(page)
        assert "its digest does not match" in page, field
        assert "<b>" not in outside_code(text), field


def test_a_damaged_record_is_refused_by_the_command_in_one_line(project) -> None:
    project.suite("- moved")
    project.record("-q")
    path = project.path / "record.json"
    path.write_text(path.read_text().replace('"pass"', '"fail"'))
    for form in ("md", "html", "json"):
        done = report(project.path, "record.json", form)
        assert (done.returncode, done.stdout) == (4, "")
        assert re.fullmatch(r"[^\n]*damaged[^\n]*\n", done.stderr)
