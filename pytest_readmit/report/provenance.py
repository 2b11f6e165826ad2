"""Where everything came from, as rows of a table: data, models, code, machine, record."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pytest_readmit.report import gallery
from pytest_readmit.report.picture import Picture
from pytest_readmit.report.words import clean, count, items, mapping, moment, name, plural, real

FLOW = (
    ("read", "read"),
    ("where", "after where"),
    ("matured", "mature"),
    ("labelled", "with a label"),
    ("analysed", "with label and score"),
)


@dataclass(frozen=True, slots=True)
class Source:
    """A dataset, model or suite: its name, what is known of it, and its pictures."""

    name: str
    facts: list[tuple[str, str]]
    pictures: list[Picture] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Provenance:
    """All sources, and the run itself."""

    datasets: list[Source]
    models: list[Source]
    suites: list[Source]
    run: list[tuple[str, str]]


def provenance(record: Mapping[str, Any]) -> Provenance:
    """Return what a record says of its origins; what it does not say is left out."""
    said = mapping(record.get("provenance"))
    return Provenance(
        datasets=[
            Source(name(key), _dataset(mapping(one)), gallery.of_dataset(name(key), mapping(one)))
            for key, one in mapping(said.get("datasets")).items()
        ],
        models=[
            Source(name(key), _scalars(mapping(one)))
            for key, one in mapping(said.get("models")).items()
            if mapping(one)
        ],
        suites=[_suite(mapping(one)) for one in items(record.get("suites"))],
        run=_run(record, said),
    )


def _dataset(one: Mapping[str, Any]) -> list[tuple[str, str]]:
    flow = mapping(one.get("flow"))
    steps = [f"{count(flow[key])} {words}" for key, words in FLOW if flow.get(key) is not None]
    patients = flow.get("patients")
    rows = " \u2192 ".join(steps)
    if patients is not None:
        rows += f"{' ' if rows else ''}({count(patients)} patients)"
    first = [
        ("Source", name(one.get("source"), most=1000)),
        ("SHA-256", name(one.get("sha256"))),
        ("Version", name(one.get("version"), most=300)),
        ("Columns", count(one.get("columns"))),
        ("Rows", rows),
        ("Not used as features", _left_out(mapping(one.get("left_out")))),
    ]
    known = {"source", "sha256", "version", "columns", "flow", "left_out"}
    return [row for row in first if row[1]] + _scalars({key: one[key] for key in one if key not in known})


def _left_out(columns: Mapping[str, Any]) -> str:
    return ", ".join(f"{name(key, most=80)} ({name(why, most=80)})" for key, why in columns.items())


def _scalars(one: Mapping[str, Any]) -> list[tuple[str, str]]:
    rows = [
        (name(key, most=60).replace("_", " ").capitalize(), name(value, most=1000))
        for key, value in one.items()
        if isinstance(value, str) or real(value) is not None
    ]
    return [row for row in rows if row[1]]


def _suite(one: Mapping[str, Any]) -> Source:
    rows = [
        ("File", name(one.get("path"), most=400)),
        ("SHA-256", name(one.get("sha256"))),
        ("Owner", name(one.get("owner"), most=300)),
        ("Intended use", name(one.get("intended_use"), most=600)),
        ("Approver", name(one.get("approver"), most=300)),
        ("Protocol", name(one.get("protocol"), most=300)),
        ("As of", name(one.get("as_of"))),
    ]
    return Source(name(one.get("name"), most=160), [row for row in rows if row[1]])


def _run(record: Mapping[str, Any], said: Mapping[str, Any]) -> list[tuple[str, str]]:
    git = mapping(said.get("git"))
    commit = name(git.get("commit"))
    if commit and git.get("dirty") is not None:
        commit += " with uncommitted changes" if git["dirty"] else ", clean"
    packages = ", ".join(
        f"{name(key)} {name(version)}" for key, version in mapping(said.get("packages")).items() if version
    )
    deselected = real(record.get("deselected"))
    rows = [
        ("Record", name(record.get("digest"))),
        ("Schema", name(record.get("schema"))),
        ("Started", moment(said.get("started"))),
        ("Finished", moment(said.get("finished"))),
        ("Command", clean(said.get("command"), most=2000)),
        ("Exit code", count(record.get("exit_code"))),
        ("Deselected", plural(int(deselected), "gate") if deselected else ""),
        ("Git commit", commit),
        ("Python", name(said.get("python"))),
        ("Packages", packages),
        ("Platform", name(said.get("platform"), most=300)),
    ]
    return [row for row in rows if row[1]]
