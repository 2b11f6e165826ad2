"""The record: what it says, that it fits its schema, that damage shows."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_readmit import provenance, record
from pytest_readmit.claim import Finding
from pytest_readmit.errors import ReadmitError

SCHEMA = json.loads(record.SCHEMA_FILE.read_text(encoding="utf-8"))


@dataclass
class Suite:
    name: str = "s"
    shown: str = "suites/s.yml"
    sha256: str = "0" * 64
    owner: str | None = None
    intended_use: str | None = None
    approver: str | None = None
    protocol: str | None = None
    as_of: Any = None
    min_cell: int = 11
    secrets: dict[str, str] = field(default_factory=dict)


@dataclass
class Entry:
    id: str = "e"
    correction: str = "entry"


@dataclass
class Case:
    id: str
    entry: Entry
    index: int = 0


@dataclass
class Plan:
    cases: list[Case]
    suites: list[Suite] = field(default_factory=lambda: [Suite()])


def finding(name: str, verdict: str = "pass", **changes: Any) -> Finding:
    facts: dict[str, Any] = {
        "id": name,
        "suite": "s",
        "check": "data_drift",
        "entry": "e",
        "subject": name,
        "segment": None,
        "line": 3,
        "because": None,
        "verdict": verdict,
        "severity": "block",
        "outcome": "passed" if verdict in ("pass", "inconclusive") else "failed",
        "limit": 0.1,
        "decide_by": "interval",
        "alpha": 0.05,
        "m": 1,
        "confidence": 0.95,
        "direction": "at_most",
        "estimate": 0.05,
        "interval": (0.01, 0.2),
    }
    return Finding(**{**facts, **changes})


def facts(**changes: Any) -> dict[str, Any]:
    given = {
        "started": "2026-11-01T10:00:00.000Z",
        "finished": "2026-11-01T10:00:01.000Z",
        "git": {"commit": None, "dirty": None},
        "command": "pytest",
    }
    return provenance.collect(**{**given, **changes})


def build(*found: Finding, planned: int | None = None, **changes: Any) -> dict[str, Any]:
    names = [each.id for each in found]
    names += [f"unseen{number}" for number in range((planned or len(found)) - len(found))]
    plan = Plan([Case(name, Entry()) for name in names])
    given = {"exit_code": 0, "provenance": facts()}
    return record.build(plan, {each.id: each.to_json() for each in found}, **{**given, **changes})


def valid(made: dict[str, Any]) -> dict[str, Any]:
    jsonschema.validate(json.loads(record.dumps(made)), SCHEMA)
    return made


def test_the_schema_file_is_a_json_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize(
    ("verdicts", "worst"),
    [
        (["pass", "pass"], "pass"),
        (["pass", "inconclusive"], "inconclusive"),
        (["inconclusive", "fail", "pass"], "fail"),
        (["fail", "error", "inconclusive"], "error"),
    ],
)
def test_the_verdict_is_the_worst_of_its_cases(verdicts: list[str], worst: str) -> None:
    made = valid(build(*(finding(str(number), verdict) for number, verdict in enumerate(verdicts))))
    assert made["verdict"] == worst
    assert made["complete"] is True
    assert made["certified"] is (worst == "pass")
    assert sum(made["counts"].values()) == made["planned"] == len(verdicts)


def test_a_waived_case_does_not_count_for_the_verdict_and_spoils_the_certificate() -> None:
    made = valid(build(finding("a"), finding("b", "fail", outcome="xfailed")))
    assert (made["verdict"], made["blocked"], made["certified"]) == ("pass", False, False)


def test_an_incomplete_record_never_passes() -> None:
    made = valid(build(finding("a"), planned=3, deselected=2))
    assert (made["verdict"], made["complete"], made["certified"]) == ("inconclusive", False, False)
    assert (made["planned"], made["deselected"]) == (3, 2)


def test_a_run_that_decided_nothing_is_an_error_that_blocks() -> None:
    made = valid(record.incomplete(exit_code=4, provenance=facts(finished=None)))
    assert (made["verdict"], made["blocked"], made["complete"]) == ("error", True, False)
    assert made["exit_code"] == 4


def test_a_dead_worker_spoils_completeness_though_its_case_has_a_finding() -> None:
    made = build(finding("a"), finding("b", "error"), broken=True)
    assert (made["complete"], made["verdict"], made["blocked"]) == (False, "error", True)


def test_cases_stand_in_the_order_of_the_suite() -> None:
    plan = Plan([Case(name, Entry()) for name in "abc"])
    found = {name: finding(name).to_json() for name in "cab"}
    made = record.build(plan, found, exit_code=0, provenance=facts())
    assert [case["id"] for case in made["cases"]] == ["a", "b", "c"]


def test_as_of_is_the_day_of_the_run_unless_the_suite_says_otherwise() -> None:
    assert build(finding("a"))["suites"][0]["as_of"] == "2026-11-01"


def bound(*groups: tuple[str, list[Finding]]) -> float:
    decided = [
        (Case(f"{number}:{each.id}", Entry(id=str(number), correction=correction)), each.to_json())
        for number, (correction, found) in enumerate(groups)
        for each in found
    ]
    return record.false_alarm_bound(decided)


def test_an_entry_that_shares_alpha_counts_it_once() -> None:
    shared = [finding(name, alpha=0.05 / 4, m=4) for name in "abcd"]
    assert bound(("entry", shared)) == 0.05
    assert bound(("entry", shared), ("entry", shared)) == 0.1


def test_entries_that_share_alpha_with_the_suite_count_it_once_together() -> None:
    shared = [finding(name, alpha=0.01, m=5) for name in "abcde"]
    assert bound(("suite", shared[:2]), ("suite", shared[2:])) == 0.05


def test_cases_without_correction_count_alpha_each_up_to_certainty() -> None:
    alone = [finding(str(name)) for name in range(3)]
    assert bound(("none", alone)) == 0.15
    assert bound(("none", alone * 10)) == 0.15  # the same three cases
    assert bound(("none", [finding(str(name)) for name in range(30)])) == 1.0


def test_p_values_count_their_threshold() -> None:
    tested = [finding(name, decide_by="p_value", limit=None, alpha=0.02) for name in "ab"]
    assert bound(("none", tested)) == 0.04


def test_p_values_share_nothing_with_the_interval_cases_of_a_suite() -> None:
    tested = [finding(name, decide_by="p_value", limit=None, alpha=0.02, m=3) for name in "ab"]
    assert bound(("suite", tested)) == 0.04


def test_what_cannot_fail_by_chance_raises_no_false_alarm() -> None:
    census = finding("a", decide_by="estimate", alpha=None)
    reported = finding("b", limit=None)
    error = finding("c", "error", alpha=None)
    assert bound(("entry", [census, reported, error])) == 0.0


def test_a_record_that_was_written_is_read_back(tmp_path: Path) -> None:
    made = build(finding("a\n\x1b\ud800"), finding("b", "fail", limit=(-0.1, 0.1)))
    record.write(tmp_path / "new" / "r.json", made)
    assert record.read(tmp_path / "new" / "r.json") == json.loads(record.dumps(made))
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["r.json"]


def test_a_changed_record_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    record.write(path, build(finding("a", "fail")))
    path.write_text(path.read_text().replace('"fail"', '"pass"'))
    with pytest.raises(ReadmitError, match="damaged"):
        record.read(path)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"schema": NaN}', '{"schema": "other/1"}'])
def test_what_is_no_record_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "r.json"
    path.write_text(text)
    with pytest.raises(ReadmitError, match="not a record"):
        record.read(path)


def test_no_record_says_so(tmp_path: Path) -> None:
    with pytest.raises(ReadmitError, match="no record"):
        record.read(tmp_path / "r.json")


def test_the_digest_does_not_depend_on_the_order_of_keys() -> None:
    made = build(finding("a"))
    assert record.digest(dict(reversed(made.items()))) == made["digest"]


@given(st.dictionaries(st.text(), st.floats() | st.text() | st.none() | st.lists(st.floats())))
def test_a_record_is_strict_json_whatever_a_check_measured(details: dict[str, Any]) -> None:
    made = build(finding("a", details=details, estimate=float("nan"), p_value=float("inf")))
    read = json.loads(record.dumps(made), parse_constant=pytest.fail)
    assert read["cases"][0]["estimate"] is None
    assert record.digest(read) == made["digest"]


def test_a_failed_write_leaves_the_old_file_and_no_litter(tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    record.write_text(path, "old")
    with pytest.raises(UnicodeEncodeError):
        record.write_text(path, "new \ud800")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_is_written_through(tmp_path: Path) -> None:
    (tmp_path / "real.json").write_text("old")
    (tmp_path / "link.json").symlink_to(tmp_path / "real.json")
    record.write_text(tmp_path / "link.json", "new")
    assert (tmp_path / "real.json").read_text() == "new"
    assert (tmp_path / "link.json").is_symlink()


@pytest.mark.skipif(not os.path.exists("/dev/null"), reason="no devices")
def test_a_device_is_written_straight() -> None:
    record.write_text(Path("/dev/null"), "x")
    assert Path("/dev/null").is_char_device()


def git(folder: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True)


def test_git_commit_and_whether_it_is_dirty(tmp_path: Path) -> None:
    assert provenance.GitState(tmp_path).read() == {"commit": None, "dirty": None}
    git(tmp_path, "init")
    (tmp_path / "a").write_text("1")
    git(tmp_path, "add", "a")
    git(tmp_path, "commit", "-m", "a")
    clean = provenance.GitState(tmp_path).read()
    assert len(clean["commit"]) == 40
    assert clean["dirty"] is False
    (tmp_path / "untracked").write_text("1")
    assert provenance.GitState(tmp_path).read()["dirty"] is False
    (tmp_path / "a").write_text("2")
    assert provenance.GitState(tmp_path).read()["dirty"] is True


def test_no_git_no_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert provenance.GitState(tmp_path).read() == {"commit": None, "dirty": None}


def test_package_versions_are_found_without_importing_them() -> None:
    script = (
        "import sys; from pytest_readmit.provenance import packages; found = packages();"
        "print(found['pytest-readmit'], found['numpy'], 'numpy' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split()[0] == provenance.packages()["pytest-readmit"]
    assert done.stdout.split()[2] == "False"
