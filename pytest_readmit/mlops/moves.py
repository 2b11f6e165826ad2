"""Moves the alias `champion` in steps that a kill between any two of them leaves to be finished or undone."""

import re
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import SystemRandom
from typing import Any

from pytest_readmit import provenance
from pytest_readmit.errors import ReadmitError
from pytest_readmit.mlops import history as histories
from pytest_readmit.mlops.history import Entry, History
from pytest_readmit.mlops.registry import (
    CHAMPION,
    PREVIOUS,
    STATUS_TAG,
    Refused,
    RegisteredModel,
    Registry,
    RegistryFailed,
)

RECORD_TAG = "readmit.record"
PENDING = "readmit.pending."
STALE = timedelta(minutes=10)
WAIT_SECONDS = 60.0
_PENDING_KEY = re.compile(r"readmit\.pending\.[0-9a-f]{16}")
_PENDING_PART = re.compile(r"(readmit\.pending\.[0-9a-f]{16})\.[0-9]+")

Make = Callable[[RegisteredModel, History], Entry]


@dataclass(frozen=True, slots=True)
class Pending:
    """
    A move that was begun.

    Args:
        key: The tag that announces it.
        lock: The lock that its process held.
        when: ISO 8601, UTC.
        entry: What it will put in the history; None while it has changed nothing.
        before: What stood where it writes: the tag `readmit.record` of the version, the alias `previous`.
    """

    key: str
    lock: str
    when: str
    entry: Entry | None = None
    before: Mapping[str, str | None] | None = None

    def json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        entry = None if self.entry is None else self.entry.json()
        return {"lock": self.lock, "when": self.when, "entry": entry, "before": self.before}


@dataclass(frozen=True, slots=True)
class Settled:
    """
    A move of a process that died, brought to an end.

    Args:
        entry: What it was.
        finished: Whether it took effect; else it was undone.
    """

    entry: Entry
    finished: bool


def pendings(model: RegisteredModel) -> list[Pending]:
    """Return the moves that were begun and not ended, oldest first."""
    found = []
    for key in filter(_PENDING_KEY.fullmatch, model.tags):
        try:
            values = histories.unpacked(model.tags, key)
            entry = values["entry"]
            found.append(
                Pending(
                    key=key,
                    lock=str(values["lock"]),
                    when=str(values["when"]),
                    entry=None if entry is None else Entry.of(entry),
                    before=values["before"],
                )
            )
        except (KeyError, TypeError, ValueError):
            raise Refused(
                f"{model.name}: the tag {key} of the model cannot be read; it announces a promotion that "
                "was begun: look at the aliases, then delete the tag"
            ) from None
    return sorted(found, key=lambda one: (one.when, one.key))


def recover(registry: Registry, name: str, lock: str) -> list[Settled]:
    """Bring to an end what processes that died have begun; the lock of this host is held."""
    model = registry.model(name)
    for key in model.tags:
        part = _PENDING_PART.fullmatch(key)
        if part and part[1] not in model.tags:
            registry.set_tag(name, key, None)
    settled = []
    for pending in pendings(model):
        if pending.lock != lock and not _is_stale(pending):
            continue
        finished = settle(registry, name, pending)
        if pending.entry is not None:
            settled.append(Settled(pending.entry, finished))
    return settled


def carry_out(registry: Registry, name: str, lock: str, make: Make) -> Entry:
    """
    Move the champion and write it down.

    Args:
        registry: Where.
        name: The registered model.
        lock: The name of the lock of this host, which is held.
        make: What is to be done, given the model as it stands; raises Refused where that forbids it.

    Raises:
        Refused: `make` refused, or somebody else was faster.
        RegistryFailed: The registry failed; what was begun is undone, or finished by the next call.
    """
    key = _claim(registry, name, lock, make)
    pending = Pending(key, lock, provenance.now())
    try:
        pending = _announce(registry, name, pending, make)
        _step(registry, name, pending)
    except RegistryFailed as error:
        if not _end(registry, name, pending, error):
            raise
    except BaseException as error:
        _end(registry, name, pending, error)
        raise
    assert pending.entry is not None  # noqa: S101 - announced above
    return pending.entry


def settle(registry: Registry, name: str, pending: Pending) -> bool:
    """Finish a move that took effect, undo one that did not; returns whether it took effect."""
    entry, before = pending.entry, pending.before
    model = registry.model(name)
    if pending.key not in model.tags:
        return entry is not None and model.champion == entry.moved_to
    took_effect = entry is not None and model.champion == entry.moved_to
    if entry is not None and took_effect:
        _finish(registry, name, entry)
    elif entry is not None and before is not None:
        if entry.record is not None and registry.version(name, entry.moved_to) is not None:
            registry.set_version_tag(name, entry.moved_to, RECORD_TAG, before["record"])
        if model.aliases.get(PREVIOUS) == entry.kept != before["previous"]:
            registry.set_alias(name, PREVIOUS, before["previous"])
    _withdraw(registry, name, pending.key)
    return took_effect


def _claim(registry: Registry, name: str, lock: str, make: Make) -> str:
    """Announce a move, alone: whoever sees another's announcement takes back their own and waits."""
    key = f"{PENDING}{secrets.token_hex(8)}"
    placeholder = Pending(key, lock, provenance.now()).json()
    until = time.monotonic() + WAIT_SECONDS
    while True:
        model = registry.model(name)
        make(model, histories.read(model))
        others = pendings(model)
        if not others:
            for tag, value in histories.packed(key, placeholder):
                registry.set_tag(name, tag, value)
            others = [one for one in pendings(registry.model(name)) if one.key != key]
            if not others:
                return key
            _withdraw(registry, name, key)
        if time.monotonic() > until:
            minutes = STALE.seconds // 60
            raise Refused(
                f"{name}: another promotion or rollback was begun at {others[0].when} and has not ended; "
                f"nothing was changed. If its process died, try again {minutes} minutes after that"
            )
        time.sleep(SystemRandom().uniform(0.1, 2.0))


def _announce(registry: Registry, name: str, pending: Pending, make: Make) -> Pending:
    """Write down what is going to be done and what stood there before."""
    model = registry.model(name)
    history = histories.read(model)
    entry = history.following(make(model, history))
    version = registry.version(name, entry.moved_to)
    if version is None:
        raise Refused(f"{name} has no version {entry.moved_to}")
    before = {"record": version.tags.get(RECORD_TAG), "previous": model.aliases.get(PREVIOUS)}
    announced = Pending(pending.key, pending.lock, pending.when, entry, before)
    for tag, value in histories.packed(pending.key, announced.json()):
        registry.set_tag(name, tag, value)
    return announced


def _step(registry: Registry, name: str, pending: Pending) -> None:
    entry = pending.entry
    assert entry is not None  # noqa: S101 - announced before
    if entry.record is not None:
        registry.set_version_tag(name, entry.moved_to, RECORD_TAG, entry.record)
    registry.set_alias(name, PREVIOUS, entry.kept)
    model = registry.model(name)
    if pending.key not in model.tags:
        raise Refused(f"{name}: another process took this for dead and undid it; nothing was changed")
    if model.champion != entry.moved_from:
        raise Refused(f"{name}: {_now(model)}: it was moved at the same moment by other means")
    registry.set_alias(name, CHAMPION, entry.moved_to)
    model = registry.model(name)
    if model.champion != entry.moved_to:
        raise Refused(f"{name}: {_now(model)}: the alias was overwritten at the same moment by other means")
    if model.aliases.get(PREVIOUS) != entry.kept:
        registry.set_alias(name, PREVIOUS, entry.kept)
    _finish(registry, name, entry)
    _withdraw(registry, name, pending.key)


def _finish(registry: Registry, name: str, entry: Entry) -> None:
    """Write down a move that took effect; doing it twice does no harm."""
    if entry.moved_from is not None and registry.version(name, entry.moved_from) is not None:
        registry.set_version_tag(name, entry.moved_from, STATUS_TAG, "archived")
    registry.set_version_tag(name, entry.moved_to, STATUS_TAG, "champion")
    for tag, value in histories.packed(entry.key, entry.json()):
        registry.set_tag(name, tag, value)
    registry.set_version_tag(name, entry.moved_to, histories.ENTRY_TAG, entry.digest)


def _end(registry: Registry, name: str, pending: Pending, error: BaseException) -> bool:
    """After a failure leave nothing half done; returns whether the move took effect and is written down."""
    try:
        return settle(registry, name, pending)
    except ReadmitError:
        raise RegistryFailed(
            f"{error}\nwhat was begun could not be undone either; run the same command again: it finishes "
            "or undoes it first"
        ) from error


def _withdraw(registry: Registry, name: str, key: str) -> None:
    registry.set_tag(name, key, None)
    for part in _parts(registry.model(name), key):
        registry.set_tag(name, part, None)


def _parts(model: RegisteredModel, key: str) -> Iterator[str]:
    for tag in model.tags:
        part = _PENDING_PART.fullmatch(tag)
        if part and part[1] == key:
            yield tag


def _is_stale(pending: Pending) -> bool:
    try:
        begun = datetime.fromisoformat(pending.when)
        return datetime.now(UTC) - begun > STALE
    except (TypeError, ValueError):
        return True


def _now(model: RegisteredModel) -> str:
    return "there is no champion" if model.champion is None else f"champion is version {model.champion}"
