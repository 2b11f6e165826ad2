"""The history of a model's champions: a chain of entries, kept as tags of the registered model."""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from itertools import pairwise
from typing import Any

from pytest_readmit.mlops.registry import RegisteredModel, Version

SCHEMA = "pytest-readmit/history/1"
PREFIX = "readmit.history."
ENTRY_TAG = "readmit.history"
MOST_CHARACTERS = 4500  # a registry's database holds 5,000 in a tag of a model
_KEY = re.compile(r"readmit\.history\.([0-9]{6,})\.([0-9a-f]{12})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """
    One move of the alias `champion`.

    Args:
        number: 1 for the first.
        action: ``promote`` or ``rollback``.
        model: The registered model.
        moved_from: The version that was champion; None for the first champion.
        moved_to: The version that is.
        kept: The version that the alias `previous` names afterwards.
        who: Who did it, as the process that did it says.
        when: ISO 8601, UTC.
        record: Digest of the record that it rests on.
        model_digest: Digest of the new champion's files.
        commit: Git commit of the run.
        dirty: Whether files had changed since that commit.
        undecided: Ids of the cases that decided nothing.
        waived: Ids of the cases under a waiver.
        attested: Whether an attestation came with the record.
        reason: Why, in the words of whoever did it.
        previous: Digest of the entry before.
        schema: Of this object.
    """

    number: int
    action: str
    model: str
    moved_from: str | None
    moved_to: str
    kept: str | None
    who: str
    when: str
    record: str | None = None
    model_digest: str | None = None
    commit: str | None = None
    dirty: bool | None = None
    undecided: Sequence[str] = ()
    waived: Sequence[str] = ()
    attested: bool = False
    reason: str | None = None
    previous: str | None = None
    schema: str = SCHEMA

    @property
    def digest(self) -> str:
        """``sha256:…`` of the canonical JSON."""
        return f"sha256:{hashlib.sha256(_json(self.json()).encode('ascii')).hexdigest()}"

    def json(self) -> dict[str, Any]:
        """Return the entry as JSON values."""
        return {**asdict(self), "undecided": list(self.undecided), "waived": list(self.waived)}

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> "Entry":
        """
        Return the entry that JSON values hold.

        Raises:
            ValueError: They hold none.
        """
        names = {field.name for field in fields(cls)}
        if set(values) != names or values["schema"] != SCHEMA or not isinstance(values["number"], int):
            raise ValueError("not an entry of a history")
        return cls(**values)

    @property
    def key(self) -> str:
        """The tag that holds it; the digest in it keeps one entry from overwriting another."""
        return f"{PREFIX}{self.number:06d}.{self.digest.removeprefix('sha256:')[:12]}"


@dataclass(frozen=True, slots=True)
class History:
    """
    What the tags of a model tell.

    Args:
        entries: By number.
        breaks: What is wrong with the chain, each saying where.
    """

    entries: Sequence[Entry]
    breaks: Sequence[str]

    @property
    def last(self) -> Entry | None:
        """The newest entry."""
        return self.entries[-1] if self.entries else None

    def following(self, entry: Entry) -> Entry:
        """Return an entry as the next of the chain."""
        if self.last is None:
            return replace(entry, number=1, previous=None)
        return replace(entry, number=self.last.number + 1, previous=self.last.digest)

    def champions(self) -> list[str]:
        """Return the champions that a rollback goes back through, the present one last."""
        line: list[str] = []
        for entry in self.entries:
            if entry.action == "rollback":
                line = line[: line.index(entry.moved_to) + 1] if entry.moved_to in line else [entry.moved_to]
                continue
            if entry.moved_from is not None and line[-1:] != [entry.moved_from]:
                line.append(entry.moved_from)
            line.append(entry.moved_to)
        return line


def read(model: RegisteredModel) -> History:
    """Return the history in a model's tags, with every break in its chain."""
    entries: list[Entry] = []
    breaks: list[str] = []
    for key in sorted(key for key in model.tags if _KEY.fullmatch(key)):
        number = int(key.split(".")[2])
        try:
            entry = Entry.of(unpacked(model.tags, key))
        except (KeyError, TypeError, ValueError):
            breaks.append(f"entry {number}: cannot be read")
            continue
        if entry.key != key:
            breaks.append(f"entry {number}: was changed after it was written: its digest does not fit it")
        if entry.model != model.name:
            breaks.append(f"entry {number}: is of another model, {entry.model!r}")
        entries.append(entry)
    entries.sort(key=lambda entry: entry.number)
    return History(entries, [*breaks, *_links(entries)])


def _links(entries: Sequence[Entry]) -> Iterable[str]:
    if entries and entries[0].number != 1:
        yield f"entry 1: is missing; the history begins with entry {entries[0].number}"
    elif entries and entries[0].previous is not None:
        yield "entry 1: names an entry before it"
    for before, entry in pairwise(entries):
        if entry.number == before.number:
            yield f"entry {entry.number}: there are two of this number"
        elif entry.number > before.number + 1:
            missing = range(before.number + 1, entry.number)
            yield (
                f"entry {missing[0]}: is missing"
                if len(missing) == 1
                else (f"entries {missing[0]} to {missing[-1]}: are missing")
            )
        elif entry.previous != before.digest:
            yield f"entry {entry.number}: does not hold the digest of entry {before.number}"
        elif entry.moved_from != before.moved_to:
            yield (
                f"entry {entry.number}: starts from version {entry.moved_from}, but entry {before.number} "
                f"left version {before.moved_to}: the alias was moved without readmit in between"
            )


def against_registry(history: History, model: RegisteredModel, versions: Iterable[Version]) -> list[str]:
    """Return where a history and the registry's aliases and version tags contradict each other."""
    digests = {entry.digest for entry in history.entries}
    found = [
        f"version {version.number}: its tag {ENTRY_TAG} names an entry that is not in the history"
        for version in versions
        if version.tags.get(ENTRY_TAG) not in (None, *digests)
    ]
    if history.last is not None and history.last.moved_to != model.champion:
        now = "no version" if model.champion is None else f"version {model.champion}"
        found.append(
            f"after entry {history.last.number}: champion is {now}, not version {history.last.moved_to}: "
            "the alias was moved without readmit"
        )
    return found


def packed(key: str, values: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the tags that hold a JSON object, in the order to write them: the one that counts last."""
    text = _json(values)
    if len(text) <= MOST_CHARACTERS:
        return [(key, text)]
    parts = [text[start : start + MOST_CHARACTERS] for start in range(0, len(text), MOST_CHARACTERS)]
    return [*((f"{key}.{index}", part) for index, part in enumerate(parts)), (key, f"parts:{len(parts)}")]


def unpacked(tags: Mapping[str, str], key: str) -> dict[str, Any]:
    """
    Return the JSON object that tags hold.

    Raises:
        KeyError: A part is missing.
        ValueError: It is none.
    """
    text = tags[key]
    if text.startswith("parts:"):
        text = "".join(tags[f"{key}.{index}"] for index in range(int(text.removeprefix("parts:"))))
    values = json.loads(text)
    if not isinstance(values, dict):
        raise ValueError("not a JSON object")  # noqa: TRY004 - of the text, as JSON's own errors
    return values


def _json(values: Mapping[str, Any]) -> str:
    return json.dumps(values, sort_keys=True, separators=(",", ":"), allow_nan=False)
