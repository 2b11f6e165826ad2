"""promote, rollback and history on a real MLflow registry in SQLite; processes killed and racing."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

TABLE: list[str] = []
SCRIPT = Path(__file__).with_name("killed.py")


def driven(mode: str, store: Any, *paths: Path) -> Any:
    """Run the script beside this file; return what it found."""
    done = subprocess.run(
        [sys.executable, SCRIPT, mode, store.database, *paths],
        capture_output=True,
        text=True,
        env={**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true"},
        timeout=900,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def tell(mode: str, steps: list[dict[str, Any]], after: str) -> None:
    """Note for the log how many steps there were and what the next run made of them."""
    died = [step for step in steps if step["code"] != 0]
    taken = sum(step["after"]["champion"] == after for step in died)
    TABLE.append(
        f"{mode}: stopped at {len(died)} steps, {taken} after the alias had moved; after a rerun each has "
        f"champion {after}, one entry more, nothing pending, a whole chain"
    )


def test_a_model_is_promoted_rolled_back_and_its_story_told(kit: Any, store: Any) -> None:
    undecided = kit.finding("age", "data_drift", "inconclusive")
    store.good("1", "2", cases=kit.good_cases(undecided))
    before = store.database.read_bytes()
    assert "dry run, nothing was written" in store.run("promote", "--record", "record.json", "--dry-run")
    assert store.database.read_bytes() == before
    said = store.run("promote", "--record", "record.json", "--by", "alice", "--reason", "it is better")
    assert "unsigned: trusts whoever could write this file" in said
    assert "version 2 is champion" in said
    assert f"undecided: {undecided['id']}" in said
    registry = store.registry()
    model = registry.model("readmission")
    assert dict(model.aliases) == {"champion": "2", "previous": "1"}
    record = json.loads((store.folder / "record.json").read_text())
    tags = {number: registry.version("readmission", number).tags for number in ("1", "2")}
    assert tags["2"]["readmit.record"] == record["digest"]
    assert (tags["1"]["readmit.status"], tags["2"]["readmit.status"]) == ("archived", "champion")
    again = store.run("promote", "--record", "record.json", code=1)
    assert "version 2 is champion already; alice@" in again
    assert "rolled back" in store.run("rollback", "readmission")
    used = store.run("promote", "--record", "record.json", code=1)
    assert "the record promoted version 2 already (history entry 1)" in used
    assert dict(store.registry().model("readmission").aliases) == {"champion": "1"}
    assert "none came before" in store.run("rollback", "readmission", code=1)
    story = store.run("history", "readmission", "--verify")
    for text in (
        "promote 1 -> 2  by alice@",
        "it is better",
        record["digest"],
        undecided["id"],
        "chain is whole",
    ):
        assert text in story
    entry = json.loads(store.run("history", "readmission", "--json"))["entries"][0]
    store.registry().set_tag("readmission", f"readmit.history.000001.{entry['digest'][7:19]}", None)
    assert "entry 1: is missing" in store.run("history", "readmission", "--verify", code=1)
    assert not [name for name in os.listdir(store.folder) if name in ("mlflow.db", "mlruns")]


def test_what_forbids_a_promotion_is_told_and_changes_nothing(kit: Any, store: Any) -> None:
    other = {**store.challenger("2"), "digest": "sha256:" + "0" * 64}
    store.write("digest.json", kit.made(kit.good_cases(), champion=store.challenger("1"), challenger=other))
    other = {**store.challenger("2"), "run_id": "another"}
    store.write("run.json", kit.made(kit.good_cases(), champion=store.challenger("1"), challenger=other))
    store.good("3", "2", "moved.json")
    store.good("1", "2", "old.json", finished="2020-01-01T00:00:00Z")
    store.good(None, "2", "first.json")
    edited = store.good("1", "2", "edited.json")
    edited.write_text(edited.read_text().replace('"blocked": false', '"blocked": true'))
    store.good("1", "2", "good.json")
    suite = store.folder / "s.yml"
    suite.write_text("checks: []")
    before = store.registry().model("readmission")
    for arguments, told in (
        (["digest.json"], "another model: the digest"),
        (["run.json"], "another model version"),
        (["moved.json"], "the champion has moved since"),
        (["old.json"], "days old"),
        (["first.json"], "compared with none, now champion is version 1"),
        (["edited.json"], "damaged"),
        (["good.json", "--suite", "s.yml"], "s.yml is not a suite of the record"),
        (["good.json", "--commit", "d" * 40], "not " + "d" * 40),
        (["good.json", "--max-age", "0m"], "--max-age"),
    ):
        assert told in store.run("promote", "--record", *arguments, code=1)
    for arguments in (["good.json", "--commit", "abc"], ["good.json", "--max-age", "x"], ["none.json"]):
        store.run("promote", "--record", *arguments, code=4)
    store.run("promote", "--record", "good.json", "--tracking-uri", "http://127.0.0.1:9", code=3)
    assert store.registry().model("readmission") == before


def test_a_missing_alias_that_the_history_knows_is_told(store: Any) -> None:
    store.good("1", "2")
    store.run("promote", "--record", "record.json")
    store.registry().set_alias("readmission", "champion", None)
    store.good("2", "3")
    assert "no alias `champion`" in store.run("promote", "--record", "record.json", code=1)
    assert "the alias was moved without readmit" in store.run("history", "readmission", "--verify", code=1)


@pytest.mark.parametrize("mode", ["promote-killed", "promote-dead"])
def test_a_promotion_that_dies_at_any_step_is_finished_or_undone_by_the_next(
    kit: Any, store: Any, mode: str
) -> None:
    store.good("1", "2", "earlier.json")
    store.run("promote", "--record", "earlier.json")
    steps = driven(mode, store, store.good("2", "3"))
    assert len(steps) > 10
    for step in steps:
        assert step["after"]["champion"] in ("2", "3")
        assert step["after"]["entries"][0] == "1>2"
        assert step["again"] in ("promoted", "finished") or "champion already" in step["again"]
        assert "champion already" in step["once_more"]
        end = step["end"]
        assert (end["champion"], end["previous"], end["entries"]) == ("3", "2", ["1>2", "2>3"])
        assert (end["pending"], end["breaks"]) == (0, [])
        assert {end["status"][number] for number in "12"} == {"archived"}
        assert end["status"]["3"] == "champion"
    tell(mode, steps, "3")


@pytest.mark.parametrize("mode", ["rollback-killed", "rollback-dead"])
def test_a_rollback_that_dies_at_any_step_is_finished_or_undone_by_the_next(store: Any, mode: str) -> None:
    for before, after in (("1", "2"), ("2", "3")):
        store.good(before, after, f"{after}.json")
        store.run("promote", "--record", f"{after}.json")
    steps = driven(mode, store, store.folder / "3.json")
    assert len(steps) > 8
    for step in steps:
        assert step["after"]["champion"] in ("2", "3")
        assert step["after"]["entries"][:2] == ["1>2", "2>3"]
        assert step["again"] in ("promoted", "finished") or "champion is version 2, not 3" in step["again"]
        assert "champion is version 2, not 3" in step["once_more"]
        end = step["end"]
        assert (end["champion"], end["previous"], end["entries"]) == ("2", "1", ["1>2", "2>3", "3>2"])
        assert (end["pending"], end["breaks"]) == (0, [])
        assert [end["status"][number] for number in "123"] == ["archived", "champion", "archived"]
    tell(mode, steps, "2")


@pytest.mark.parametrize(("mode", "processes"), [("at-once", 20), ("at-once-alone", 6)])
def test_of_many_promotions_at_once_one_wins_and_the_others_say_why(
    store: Any, mode: str, processes: int
) -> None:
    paths = [store.good("1", str(2 + number % 4), f"{number}.json") for number in range(processes)]
    found = driven(mode, store, *paths)
    assert sorted(found["codes"]) == [0, *[1] * (processes - 1)]
    lost = [text for text in found["said"] if text != "promoted"]
    assert all("champion" in text or "has not ended" in text for text in lost)
    end = found["end"]
    assert end["entries"] == [f"1>{end['champion']}"]
    assert (end["previous"], end["pending"], end["breaks"]) == ("1", 0, [])
    assert list(end["status"].values()).count("champion") == 1
    TABLE.append(f"{mode}: {processes} processes, 1 promoted, {len(lost)} refused, 1 entry")
