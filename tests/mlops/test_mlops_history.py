"""The chain of a model's history: written to tags, read back, broken in every way."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_readmit.mlops import history as histories
from pytest_readmit.mlops.history import Entry, History
from pytest_readmit.mlops.registry import RegisteredModel, Version

MODEL = "readmission"


def entry(moved_from: str | None, moved_to: str, action: str = "promote", **facts: Any) -> Entry:
    given = {"model": MODEL, "kept": moved_from, "who": "alice", "when": "2026-11-23T08:00:00Z", **facts}
    return Entry(number=0, action=action, moved_from=moved_from, moved_to=moved_to, **given)


def chained(*moves: Entry) -> list[Entry]:
    found: list[Entry] = []
    for move in moves:
        found.append(History(found, ()).following(move))
    return found


def registered(*entries: Entry, champion: str | None = None) -> RegisteredModel:
    tags = dict(tag for one in entries for tag in histories.packed(one.key, one.json()))
    return RegisteredModel(MODEL, {"champion": champion} if champion else {}, tags)


THREE = chained(entry(None, "1"), entry("1", "2"), entry("2", "3"))


def test_a_chain_is_read_back_whole() -> None:
    found = histories.read(registered(*THREE))
    assert list(found.entries) == [replace(one, undecided=[], waived=[]) for one in THREE]
    assert list(found.breaks) == []


@given(st.lists(st.text(max_size=200), max_size=80), st.none() | st.text())
def test_what_an_entry_holds_survives_the_tags_of_a_registry(ids: list[str], reason: str | None) -> None:
    one = chained(entry("1", "2", undecided=tuple(ids), reason=reason))[0]
    tags = histories.packed(one.key, one.json())
    assert all(len(value) <= 5000 and len(key) <= 250 for key, value in tags)
    assert tags[-1][0] == one.key
    (back,) = histories.read(registered(one)).entries
    assert (list(back.undecided), back.reason, back.digest) == (ids, reason, one.digest)


@pytest.mark.parametrize("gone", [0, 1])
def test_a_missing_entry_is_named(gone: int) -> None:
    left = [one for one in THREE if one.number != gone + 1]
    assert f"entry {gone + 1}: is missing" in histories.read(registered(*left)).breaks[0]


def test_an_entry_that_was_changed_is_named() -> None:
    model = registered(*THREE)
    tags = {**model.tags, THREE[1].key: model.tags[THREE[1].key].replace("alice", "mallory")}
    found = histories.read(replace(model, tags=tags)).breaks
    assert found[0].startswith("entry 2: was changed")
    assert found[1].startswith("entry 3: does not hold the digest of entry 2")


def test_an_entry_that_was_changed_and_sealed_again_breaks_the_next() -> None:
    forged = replace(THREE[1], who="mallory")
    assert list(histories.read(registered(THREE[0], forged, THREE[2])).breaks) == [
        "entry 3: does not hold the digest of entry 2"
    ]


def test_two_entries_of_one_number_both_stay_and_are_told() -> None:
    other = replace(THREE[2], who="bob")
    found = histories.read(registered(*THREE, other))
    assert len(found.entries) == 4
    assert list(found.breaks) == ["entry 3: there are two of this number"]


def test_an_unreadable_or_torn_entry_is_told() -> None:
    long = chained(entry("1", "2", undecided=tuple("x" * 100 for _ in range(99))))[0]
    model = registered(long)
    torn = {key: value for key, value in model.tags.items() if not key.endswith(".1")}
    assert "entry 1: cannot be read" in histories.read(replace(model, tags=torn)).breaks
    assert "entry 1: cannot be read" in histories.read(replace(model, tags={long.key: "["})).breaks


def test_a_move_without_readmit_is_told() -> None:
    by_hand = chained(entry(None, "1"), entry("5", "2"))
    assert "the alias was moved without readmit in between" in histories.read(registered(*by_hand)).breaks[0]
    model = registered(*THREE, champion="5")
    (told,) = histories.against_registry(histories.read(model), model, [])
    assert "champion is version 5, not version 3" in told


def test_an_entry_cut_from_the_end_is_missed_by_the_version_that_it_promoted() -> None:
    model = registered(*THREE[:2], champion="2")
    version = Version("3", None, {histories.ENTRY_TAG: THREE[2].digest})
    (told,) = histories.against_registry(histories.read(model), model, [version])
    assert told.startswith("version 3:")


@pytest.mark.parametrize(
    ("moves", "line"),
    [
        ([entry("1", "2"), entry("2", "3")], ["1", "2", "3"]),
        ([entry("1", "2"), entry("2", "3"), entry("3", "2", "rollback")], ["1", "2"]),
        ([entry("1", "2"), entry("2", "1", "rollback"), entry("1", "3")], ["1", "3"]),
        ([entry(None, "1"), entry("5", "2")], ["1", "5", "2"]),
    ],
)
def test_a_rollback_goes_back_through_the_champions(moves: list[Entry], line: list[str]) -> None:
    assert History(chained(*moves), ()).champions() == line
