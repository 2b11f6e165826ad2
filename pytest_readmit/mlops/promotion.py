"""Promote a challenger on the strength of a record; go back to the champion before."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pytest_readmit import provenance
from pytest_readmit.mlops import history as histories
from pytest_readmit.mlops.eligibility import Candidate
from pytest_readmit.mlops.history import Entry, History
from pytest_readmit.mlops.locks import host_lock
from pytest_readmit.mlops.moves import carry_out, pendings, recover
from pytest_readmit.mlops.registry import PREVIOUS, Refused, RegisteredModel, Registry

HOLDOUT_TAG = "readmit.holdout"


@dataclass(frozen=True, slots=True)
class Outcome:
    """
    What became of a promotion or rollback.

    Args:
        entry: The entry of the history; with `dry`, the one that would be written.
        notes: What else there is to say.
        finished: Whether it was begun by an earlier process that died, and finished now.
        dry: Whether nothing was written.
    """

    entry: Entry
    notes: tuple[str, ...] = ()
    finished: bool = False
    dry: bool = False


def promote(
    registry: Registry,
    found: Candidate,
    reasons: list[str],
    *,
    who: str,
    attested: bool = False,
    reason: str | None = None,
    dry_run: bool = False,
) -> Outcome:
    """
    Make a challenger the champion.

    Args:
        registry: Where.
        found: What the record is about.
        reasons: Why the record cannot promote; the registry may add to them.
        who: Who asks for it.
        attested: Whether an attestation came with the record.
        reason: Why, for the history.
        dry_run: Write nothing.

    Raises:
        Refused: The record or the registry forbids it.
        RegistryFailed: The registry could not be asked or changed.
    """
    name = found.model
    # The files are read before the lock is taken: that can take long, and a version never changes.
    wrong = [*reasons, *_other_version(registry, found)]

    def make(model: RegisteredModel, history: History) -> Entry:
        reasons = [*wrong, *_champion_moved(model, history, found)]
        if reasons:
            raise Refused(_listed(f"{name} version {found.version} is not promoted", reasons))
        return Entry(
            number=0,
            action="promote",
            model=name,
            moved_from=model.champion,
            moved_to=found.version,
            kept=model.champion,
            who=who,
            when=provenance.now(),
            record=found.record,
            model_digest=found.digest,
            commit=found.commit,
            dirty=found.dirty,
            undecided=tuple(found.undecided),
            waived=tuple(found.waived),
            attested=attested,
            reason=reason,
        )

    if dry_run:
        return _dry(registry, name, make)
    _count_use(registry, found)
    return _moved(registry, name, make, found.version)


def rollback(
    registry: Registry,
    name: str,
    *,
    who: str,
    reason: str | None = None,
    moved_from: str | None = None,
    dry_run: bool = False,
) -> Outcome:
    """
    Return to the champion before.

    Args:
        registry: Where.
        name: The registered model.
        who: Who asks for it.
        reason: Why, for the history.
        moved_from: The champion to roll back from; default: the one at the start.
        dry_run: Write nothing.

    Raises:
        Refused: There is none, or it is not what it was.
        RegistryFailed: The registry could not be asked or changed.
    """
    asked_from = moved_from or registry.model(name).champion
    checked: dict[str, str] = {}

    def make(model: RegisteredModel, history: History) -> Entry:
        if model.champion is None:
            raise Refused(f"{name} has no champion to roll back from")
        if model.champion != asked_from:
            raise Refused(
                f"{name}: champion is version {model.champion}, not {asked_from}, which was to be rolled "
                "back; nothing was changed"
            )
        target, kept = _targets(model, history)
        if target not in checked:
            checked[target] = _unchanged(registry, name, target, history)
        return Entry(
            number=0,
            action="rollback",
            model=name,
            moved_from=model.champion,
            moved_to=target,
            kept=kept,
            who=who,
            when=provenance.now(),
            model_digest=checked[target],
            reason=reason,
        )

    return _dry(registry, name, make) if dry_run else _moved(registry, name, make, None)


def _moved(
    registry: Registry, name: str, make: Callable[[RegisteredModel, History], Entry], wanted: str | None
) -> Outcome:
    with host_lock(registry.uri, name) as lock:
        notes: list[str] = []
        for settled in recover(registry, name, lock):
            entry = settled.entry
            same = entry.action == "promote" if wanted else entry.action == "rollback"
            if settled.finished and same and wanted in (None, entry.moved_to):
                return Outcome(entry, tuple(notes), finished=True)
            ended = "finished" if settled.finished else "undone"
            notes.append(f"the {entry.action} to version {entry.moved_to} begun at {entry.when} was {ended}")
        entry = carry_out(registry, name, lock, make)
    return Outcome(entry, (*notes, *_broken(registry, name)))


def _dry(registry: Registry, name: str, make: Callable[[RegisteredModel, History], Entry]) -> Outcome:
    model = registry.model(name)
    begun = [one for one in pendings(model) if one.entry is not None]
    notes = [
        f"a {one.entry.action} to version {one.entry.moved_to} was begun at {one.when} and has not ended"
        for one in begun
        if one.entry is not None
    ]
    history = histories.read(model)
    return Outcome(history.following(make(model, history)), (*notes, *_broken(registry, name)), dry=True)


def _other_version(registry: Registry, found: Candidate) -> list[str]:
    """Return how the registry's version differs from the one that the record measured."""
    version = registry.version(found.model, found.version)
    if version is None:
        return [f"{registry.shown} has no {found.model} version {found.version}"]
    if found.run_id is not None and version.run_id != found.run_id:
        return ["the record was made on another model version: its run differs"]
    wrong = []
    if registry.digest(found.model, found.version) != found.digest:
        wrong.append("the record was made on another model: the digest of the version's files differs")
    if found.champion is not None and registry.version(found.model, found.champion) is None:
        wrong.append(f"version {found.champion}, which it was compared with, is not there any more")
    elif (
        found.champion is not None
        and found.champion_digest is not None
        and registry.digest(found.model, found.champion) != found.champion_digest
    ):
        wrong.append("the record was made on another champion: the digest of the version's files differs")
    return wrong


def _champion_moved(model: RegisteredModel, history: History, found: Candidate) -> list[str]:
    """Return why the champion is not the one that the record compared with."""
    champion, last = model.champion, history.last
    by = f"; {_told(last)}" if last is not None and last.moved_to == champion else ""
    if champion == found.version:
        return [f"version {found.version} is champion already{by}"]
    if champion is None and last is not None:
        became = f"version {last.moved_to} became champion at {last.when}"
        return [f"there is no alias `champion`, although {became}: set it again first"]
    used = [entry for entry in history.entries if entry.record == found.record]
    if used:
        became = f"promoted version {found.version} already (history entry {used[-1].number})"
        return [f"the record {became}, and the champion has moved since: run the gates again"]
    if champion != found.champion:
        now = "there is no champion" if champion is None else f"champion is version {champion}"
        then = "none" if found.champion is None else f"version {found.champion}"
        return [f"the champion has moved since: the record compared with {then}, now {now}{by}"]
    return []


def _targets(model: RegisteredModel, history: History) -> tuple[str, str | None]:
    """Return the version to go back to, and the one before it."""
    line = history.champions()
    previous = model.aliases.get(PREVIOUS)
    if not line:
        if previous is None or previous == model.champion:
            raise Refused(f"{model.name}: there is no earlier champion: no history and no alias `{PREVIOUS}`")
        return previous, None
    if line[-1] != model.champion:
        raise Refused(
            f"{model.name}: champion is version {model.champion}, but the history ends with version "
            f"{line[-1]}: the alias was moved without readmit; which champion came before is not known"
        )
    if len(line) < 2:
        raise Refused(f"{model.name}: version {model.champion} is the first champion: none came before")
    if previous is not None and previous != line[-2]:
        raise Refused(
            f"{model.name}: the alias `{PREVIOUS}` names version {previous}, the history version {line[-2]}: "
            "the alias was moved without readmit"
        )
    return line[-2], line[-3] if len(line) > 2 else None


def _unchanged(registry: Registry, name: str, target: str, history: History) -> str:
    """Return the digest of a version that was champion before, if its files are what they were."""
    if registry.version(name, target) is None:
        raise Refused(f"{name}: version {target}, the champion before, is not there any more")
    digest = registry.digest(name, target)
    known = [entry.model_digest for entry in history.entries if entry.moved_to == target]
    if known and known[-1] not in (None, digest):
        raise Refused(f"{name}: the files of version {target} are not those that were promoted")
    return digest


def _count_use(registry: Registry, found: Candidate) -> None:
    """Note on the version which holdout it was held against; a refused promotion has used it too."""
    version = None if found.holdout is None else registry.version(found.model, found.version)
    if version is None or found.holdout is None:
        return
    used = version.tags.get(HOLDOUT_TAG, "").split()
    if found.holdout not in used:
        registry.set_version_tag(found.model, found.version, HOLDOUT_TAG, " ".join([*used, found.holdout]))


def _broken(registry: Registry, name: str) -> tuple[str, ...]:
    breaks = histories.read(registry.model(name)).breaks
    return (f"the history is broken ({breaks[0]}); see `readmit history {name} --verify`",) if breaks else ()


def _told(entry: Entry) -> str:
    return f"{entry.who} moved it from {entry.moved_from or 'none'} to {entry.moved_to} at {entry.when}"


def _listed(title: str, reasons: list[str]) -> str:
    return (
        reasons[0].join([f"{title}: ", ""]) if len(reasons) == 1 else "\n  - ".join([f"{title}:", *reasons])
    )


def json_of(outcome: Outcome) -> dict[str, Any]:
    """Return an outcome as JSON values, for scripts."""
    return {
        "entry": outcome.entry.json(),
        "digest": outcome.entry.digest,
        "finished": outcome.finished,
        "dry_run": outcome.dry,
        "notes": list(outcome.notes),
    }
