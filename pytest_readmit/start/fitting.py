"""Look at the data, guess, write the files, and say what was found and done."""

import argparse
import os
import shlex
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from pytest_readmit.data.dataset import Dataset, Roles
from pytest_readmit.data.source import SourceSpec, open_dataset
from pytest_readmit.errors import ReadmitError, SuiteError
from pytest_readmit.start import guess as guesses
from pytest_readmit.start import pipeline
from pytest_readmit.start.facts import Facts, copies, facts_of
from pytest_readmit.start.fitted import SUITE, Data, Fitted
from pytest_readmit.start.folder import refuse_existing, write_new
from pytest_readmit.start.suite_text import write_suite
from pytest_readmit.start.yaml_text import some
from pytest_readmit.stats import roc
from pytest_readmit.stats.calibration import at_edge
from pytest_readmit.stats.effect import Undefined
from pytest_readmit.suite import parse_source

OK = 0
WORKFLOW = ".github/workflows/gates.yml"
HOOK = ".pre-commit-config.yaml"
MANY_ROWS = 300_000
DEMO = {"reference": "demo:reference", "current": "demo:current"}

Lines = Generator[str, None, int]


def init(options: argparse.Namespace) -> Lines:
    """Write the files; yield what is said, return the exit code."""
    folder = Path(options.folder)
    parts = {SUITE: "", WORKFLOW: "workflow", HOOK: "hook"}
    names = {name: part for name, part in parts.items() if part not in options.without}
    refuse_existing(folder, names)
    sources = _sources(options)
    with ExitStack() as opened:
        fitted = _fitted(options, folder, sources, opened)
    files = {SUITE: write_suite(fitted)}
    if WORKFLOW in names:
        reads_files = any(each.kind == "path" for each in fitted.data.values())
        files[WORKFLOW] = pipeline.workflow(SUITE, below=_below(folder), files=reads_files)
    if HOOK in names:
        files[HOOK] = pipeline.hook()
    write_new(folder, files)
    yield from _told(fitted, folder, files)
    return OK


def _sources(options: argparse.Namespace) -> dict[str, str]:
    given = {"reference": options.reference, "current": options.current}
    absent = [name for name, source in given.items() if source is None]
    if len(absent) == 1:
        here = next(name for name in given if name not in absent)
        raise SuiteError(
            [f"--{here} is given without --{absent[0]}: gates compare two datasets (neither: the demo data)"]
        )
    return DEMO if absent else given


def _fitted(options: argparse.Namespace, folder: Path, sources: dict[str, str], opened: ExitStack) -> Fitted:
    read = _reading(options.read)
    specs = {name: _spec(name, text, read) for name, text in sources.items()}
    said = guesses.Said(
        roles={role: column for role in guesses.ROLES if (column := getattr(options, role)) is not None},
        positive_label=options.positive_label,
        sensitive=tuple(options.sensitive),
    )
    plain = _open("reference", specs["reference"], Roles(), None)
    opened.callback(plain.close)
    current = _open("current", specs["current"], Roles(), plain)
    opened.callback(current.close)
    names = [field.name for field in plain.fields]
    absent = [name for name in names if not current.has(name)]
    if len(absent) == len(names):
        raise SuiteError(["--reference and --current have no column in common: are these the right files?"])
    for name, dataset in (("reference", plain), ("current", current)):
        said.check([field.name for field in dataset.fields], f"--{name} {sources[name]}")
    patient = _patient(plain, said, absent)
    roles = Roles(patient=patient.column if patient else None)
    reference = _open("reference", specs["reference"], roles, plain)
    many = reference.rows > MANY_ROWS
    facts = facts_of(plain, design_effect=copies(reference)) if many else facts_of(reference)
    _check_score(said, facts)
    guess = guesses.guess(facts, said, patient=patient, absent=absent)
    measured = _measured(specs, guess, plain)
    return Fitted(
        name=folder.resolve().name.strip() or "gates",
        data={
            name: Data(value=_value(spec, folder), kind=spec.kind, rows=dataset.rows, read=spec.read)
            for (name, spec), dataset in zip(specs.items(), (reference, current), strict=True)
        },
        facts=facts,
        guess=guess,
        threshold=options.threshold,
        **measured,
    )


def _measured(specs: Mapping[str, SourceSpec], guess: guesses.Guess, plain: Dataset) -> dict[str, Any]:
    """Return what `Fitted` says of outcomes and scores."""
    if guess.positive is None:
        return {}
    roles = Roles(
        target=guess.column("target"),
        score=guess.column("score"),
        patient=guess.column("patient"),
        positive_label=guess.positive.label,
        negative_label=list(guess.negatives) or None,
    )
    reference = _open("reference", specs["reference"], roles, plain)
    try:
        reference.labels()
    except ReadmitError as error:
        return {"no_outcome": str(error), "no_model": str(error)}
    found: dict[str, Any] = {}
    if roles.score is not None:
        try:
            predictions = reference.scored().predictions
            found["area_error"] = roc.measure(predictions).standard_error
            found["logits"] = not at_edge(predictions)
        except (ReadmitError, Undefined) as problem:
            found["no_model"] = str(problem)
    current = _open("current", specs["current"], roles, plain)
    try:
        if "area_error" in found:
            found["logits"] &= not at_edge(current.scored().predictions)
        else:
            current.labels()
    except ReadmitError as error:
        found["later"] = str(error)
    finally:
        current.close()
    return found


def _check_score(said: guesses.Said, facts: Mapping[str, Facts]) -> None:
    score = said.roles.get("score")
    if score is not None and not (facts[score].kind == "numerical" and facts[score].unit_interval):
        raise SuiteError(
            [f"--score {score}: a score is a probability, but it does not hold numbers from 0 to 1"]
        )


def _spec(name: str, text: str, read: Mapping[str, Any]) -> SourceSpec:
    try:
        source = parse_source(text)
    except SuiteError as error:
        raise SuiteError([str(error).replace("--readmit-data", f"--{name}")]) from None
    if source.kind in ("git", "dvc", "mlflow", "sql"):
        raise SuiteError(
            [f"--{name} {text}: give a file; write the {source.kind} source into the suite then"]
        )
    return SourceSpec(kind=source.kind, value=str(source.value), base=Path.cwd(), read=read)


def _reading(given: Sequence[tuple[str, str]]) -> dict[str, Any]:
    read: dict[str, Any] = {key: value for key, value in given if key != "null_values"}
    missing = [value for key, value in given if key == "null_values"]
    return read | ({"null_values": missing} if missing else {})


def _open(name: str, spec: SourceSpec, roles: Roles, like: Dataset | None) -> Dataset:
    try:
        return open_dataset(name, spec, roles, like=like)
    except ReadmitError as error:
        said = str(error).replace("read: {encoding: latin-1}", "--read encoding=latin-1")
        raise SuiteError([f"--{name}: {said}"]) from None


def _patient(dataset: Dataset, said: guesses.Said, absent: Sequence[str]) -> guesses.Role | None:
    given = said.roles.get("patient")
    if given is not None:
        return guesses.Role(column=given)
    taken = {*said.roles.values(), *absent}
    free = [field.name for field in dataset.fields if field.name not in taken]
    for name in guesses.patient_candidates(free):
        if guesses.is_patient(facts_of(dataset, [name])[name]):
            return guesses.Role(column=name, why="its name; its values repeat")
    return None


def _value(spec: SourceSpec, folder: Path) -> str:
    """Return a path as the suite writes it, from its own folder."""
    if spec.kind != "path":
        return spec.value
    here = os.path.abspath(spec.value)
    # `..` in a path leaves the folder that a link leads to, so links on the way are followed first.
    target = os.path.join(os.path.realpath(os.path.dirname(here)), os.path.basename(here))
    base = os.path.join(os.path.realpath(folder), os.path.dirname(SUITE))
    try:
        return Path(os.path.relpath(target, base)).as_posix()
    except ValueError:  # another drive on Windows
        return Path(target).as_posix()


def _below(folder: Path) -> str:
    """Return where a folder is in its Git repository; empty at the top, or outside of any."""
    here = folder.resolve()
    top = next((each for each in (here, *here.parents) if (each / ".git").exists()), here)
    below = here.relative_to(top).as_posix()
    return "" if below == "." else below


def _shown(path: Path) -> str:
    return path.as_posix()


def _told(fitted: Fitted, folder: Path, files: dict[str, str]) -> Iterator[str]:
    found = fitted.guess
    for name, data in fitted.data.items():
        columns = f", {len(fitted.facts)} columns" if name == "reference" else ""
        yield f"{name}: {data.rows:,} rows{columns}"
    for role in guesses.ROLES:
        given = found.roles.get(role)
        if given is None:
            near = f" ({found.near[role]})" if role in found.near else ""
            yield f"{role + ':':<11}none found{near}; name it with --{role} COL, if there is one"
        else:
            yield f"{role + ':':<11}{given.column}{_because(given.why)}"
        if role == "target":
            yield from _told_positive(found)
    if found.sensitive:
        guessed = None if found.sensitive_given else "the names"
        yield f"sensitive: {some(found.sensitive, 6)}{_because(guessed)}"
    yield f"compared:  {len(found.numerical)} numerical and {len(found.categorical)} categorical columns"
    if found.ignore:
        yield f"left out:  {some(tuple(found.ignore), 6)} (the suite says why)"
    yield from _notes(fitted)
    yield "wrote:     " + ", ".join(_shown(folder / name) for name in files)
    below = _below(folder)
    if below and len(files) > 1:
        yield f"note:      only the top of a repository is looked at for these: move them there from {below}"
    yield "next:"
    suite = shlex.quote(_shown(folder / SUITE))
    yield f"  pytest --readmit-suite={suite} --readmit-report=report.html"
    yield f"  readmit calibrate {suite}"


def _notes(fitted: Fitted) -> Iterator[str]:
    found, (before, after) = fitted.guess, fitted.data.values()
    for like, reason in guesses.LIKE.items():
        names = [name for name, why in found.ignore.items() if like and why == reason]
        if like in ("dates", "commas"):
            names += [name for name in found.categorical if fitted.facts[name].like == like]
        if names:
            yield f"note:      {some(names, 6)}: {reason}"
    if fitted.no_outcome is not None:
        yield f"note:      no gate on outcome and model: {fitted.no_outcome}"
    elif fitted.no_model is not None:
        yield f"note:      no gate on the model: {fitted.no_model}"
    if fitted.later is not None:
        yield f"note:      gates on outcome and model are errors, which block, until mended: {fitted.later}"
    if (before.kind, before.value) == (after.kind, after.value):
        yield "note:      reference and current are one file: nothing can have moved"


def _because(why: str | None) -> str:
    return "" if why is None else f" (guessed from {why})"


def _told_positive(found: guesses.Guess) -> Iterator[str]:
    if found.positive is not None:
        why = found.positive.why
        yield f"positive:  {found.positive.label}{'' if why is None else f' (GUESSED: {why}; check it)'}"
    elif found.no_positive is not None:
        yield f"positive:  not guessed, since {found.no_positive}; say it with --positive-label VALUE"
