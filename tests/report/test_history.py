"""Earlier records of the same suite: which count, which are said, and how a trend is drawn."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pytest_readmit import record as records
from pytest_readmit.errors import ReadmitError
from pytest_readmit.report import read_history, render

NOW = "2026-11-23T04:20:13.877Z"
Write = Callable[..., dict[str, Any]]


@pytest.fixture
def run(sample, gate_case) -> Write:
    """The record of one run: one gate, its estimate, and when it finished."""

    def made(finished: str | None = NOW, estimate: float | None = 0.02, **fields: Any) -> dict[str, Any]:
        suite = fields.pop("suite", "readmission-drift")
        found = sample([gate_case("data_drift", "age", estimate=estimate, **fields)])
        found["suites"][0]["name"] = suite
        found["provenance"]["finished"] = finished
        found["digest"] = records.digest(found)
        return found

    return made


@pytest.fixture
def keep(tmp_path: Path, run: Write) -> Write:
    """Write the record of a run into the folder of records."""

    def kept(name: str, *arguments: Any, **fields: Any) -> dict[str, Any]:
        found = run(*arguments, **fields)
        records.write(tmp_path / name, found)
        return found

    return kept


def day(number: int) -> str:
    return f"2026-10-{number:02}T06:00:00Z"


def trend(text: str) -> str:
    found = re.search(r"<figure[^>]*>(?:(?!</figure>).)*trend over earlier runs.*?</figure>", text, re.DOTALL)
    assert found
    return found[0]


def test_earlier_runs_are_drawn_oldest_first_with_limits_verdicts_and_a_table(tmp_path, run, keep) -> None:
    keep("b.json", day(2), 0.14, verdict="fail", limit=0.1)
    keep("a.json", day(1), 0.12, verdict="pass", limit=0.2)
    keep("c.json", day(3), None, verdict="error", interval=None, method=None)
    now = run(verdict="inconclusive")
    picture = trend(render(now, read_history(tmp_path, now)))
    assert "4 runs since 2026-10-01: 1 pass, 1 fail, 1 undecided, 1 error." in picture
    assert "Estimates from 0.02 to 0.14, last 0.02." in picture
    assert all(f'class="m-{verdict}"' in picture for verdict in ("pass", "fail", "inconclusive", "error"))
    assert picture.count('class="lim"') == 2, "the limit was moved once"
    cells = re.findall(r"<td>(?:<bdi>)?(2026-10-[^<]*|this run)<", picture)
    assert cells == ["this run", *(f"2026-10-0{n} 06:00" for n in (3, 2, 1))]


def test_only_earlier_sound_records_of_the_suite_count_and_the_page_says_what_does_not(
    tmp_path, run, keep
) -> None:
    first = keep("first.json", day(1))
    (tmp_path / "copy.json").write_text(records.dumps(first))
    keep("other.json", day(2), suite="another")
    keep("later.json", "2026-12-01T00:00:00Z")
    keep("aborted.json", None)
    keep("changed.json", day(3))
    changed = (tmp_path / "changed.json").read_text().replace('"estimate": 0.02', '"estimate": 0.01')
    (tmp_path / "changed.json").write_text(changed)
    (tmp_path / "cut <b>.json").write_text((tmp_path / "first.json").read_text()[:900])
    (tmp_path / "empty.json").write_text("")
    (tmp_path / "deep.json").write_text("[" * 100_000)
    (tmp_path / "package.json").write_text('{"name": "not a record"}')
    (tmp_path / "notes.txt").write_text("no record")
    now = keep("now.json")
    history = read_history(tmp_path, now)
    assert [len(points) for points in history.points.values()] == [1]
    assert history.said == (
        "1 earlier record of the same suite, 2026-10-01 06:00:00 UTC to 2026-10-01 06:00:00 UTC; "
        "1 record of other suites skipped; 1 later record skipped; "
        "1 record of runs that came to no end skipped; "
        "4 damaged and not used: changed.json, cut <b>.json, deep.json, empty.json."
    )
    assert "cut &lt;b&gt;.json" in render(now, history)


def test_the_last_thirty_records_count(tmp_path, run, keep) -> None:
    for number in range(1, 32):
        keep(f"{number % 7}-{number}.json", day(number), number / 1000)
    now = run()
    history = read_history(tmp_path, now)
    (points,) = history.points.values()
    assert [point.estimate for point in points] == [number / 1000 for number in range(2, 32)]
    assert "30 are shown at most" in history.said


def test_a_record_written_by_other_means_is_read_too(tmp_path, run, keep) -> None:
    found = run(day(1))
    (tmp_path / "sorted.json").write_text(json.dumps(found, sort_keys=True))
    assert len(read_history(tmp_path, run()).points) == 1


def test_what_another_method_measured_is_left_out_and_said(tmp_path, run, keep) -> None:
    keep("a.json", day(1), 0.3, method="psi")
    keep("b.json", day(2), 0.03)
    now = run()
    picture = trend(render(now, read_history(tmp_path, now)))
    assert "2 runs since 2026-10-02" in picture
    assert "1 run measured by another method left out" in picture


def test_where_a_p_value_decides_it_is_drawn_against_its_threshold(tmp_path, run, keep) -> None:
    classic = {"decide_by": "p_value", "alpha": 0.05, "limit": None, "interval": None, "direction": None}
    keep("a.json", day(1), 0.3, p_value=0.2, **classic)
    now = run(p_value=0.01, verdict="fail", **classic)
    picture = trend(render(now, read_history(tmp_path, now)))
    assert "P-values from 0.01 to 0.2, last 0.01." in picture
    assert picture.count('class="lim"') == 1


def test_without_an_earlier_record_the_page_says_so_and_draws_none(tmp_path, run) -> None:
    now = run()
    text = render(now, read_history(tmp_path / "absent", now))
    assert "No earlier record of the same suite was found." in text
    assert "trend over earlier runs" not in text
    assert "Earlier runs" not in render(now)


def test_a_file_is_no_folder_of_records(tmp_path, run) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ReadmitError, match="no folder of records"):
        read_history(tmp_path / "file", run())


def test_points_of_the_wrong_types_cost_no_page(tmp_path, run, keep) -> None:
    keep("a.json", day(1), 0.1, interval=["x", None], limit="high", direction=7, method=["ks"], verdict={})
    keep("b.json", day(2), 1e308, interval=[-1e308, 1e308], limit=[1, 2, 3])
    keep("c.json", day(3), 0.05, interval=None, limit=[0.1, -0.1], verdict="certified")
    now = run()
    assert "3 runs since 2026-10-02" in trend(render(now, read_history(tmp_path, now)))
