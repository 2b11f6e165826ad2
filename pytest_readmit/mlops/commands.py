"""`readmit promote`, `rollback`, `history` and `verify`: what they take, do and say."""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from pytest_readmit import record as records
from pytest_readmit.errors import ReadmitError, SuiteError
from pytest_readmit.mlops import attestation as attestations
from pytest_readmit.mlops import eligibility
from pytest_readmit.mlops import history as histories
from pytest_readmit.mlops.moves import pendings
from pytest_readmit.mlops.promotion import Outcome, json_of, promote, rollback
from pytest_readmit.mlops.registry import TRACKING_URI, Refused, Registry, tracking_uri

OK = 0
REFUSED = 1
MAX_AGE = "7d"
UNSIGNED = "unsigned: trusts whoever could write this file"
UNCHECKED = "signed: check the signature with the tool that made it; readmit compares what is signed"
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_ACTORS = ("GITHUB_ACTOR", "GITLAB_USER_LOGIN")

Lines = Generator[str, None, int]
AddCommand = Callable[[str, Callable[[argparse.Namespace], Lines], str], argparse.ArgumentParser]


def add_commands(add: AddCommand) -> None:
    """Add the commands, each of which yields its lines and returns its exit code."""
    command = add("promote", _promote, "make a challenger the champion, if its gates allow it")
    command.add_argument(
        "suite", nargs="?", metavar="SUITE", help="run its gates now; `-- ...` goes to pytest"
    )
    command.add_argument("--record", metavar="FILE", help="rely on this record instead")
    command.add_argument("--max-age", default=MAX_AGE, metavar="TIME", help="30m, 12h, 7d, 2w; default: 7d")
    command.add_argument(
        "--suite", action="append", default=[], dest="suites", metavar="FILE", help="the record must be of it"
    )
    command.add_argument("--commit", metavar="SHA", help="the run must have been made at it, nothing changed")
    command.add_argument("--attestation", metavar="BUNDLE", help="a Statement that must fit the record")
    command.add_argument("--no-waivers", action="store_true", help="refuse a record with waivers")
    command.add_argument("--keep", metavar="FILE", help="where to keep the record of SUITE's run")
    _add_registry(command)
    _add_mover(command)
    command = add("rollback", _rollback, "return to the champion before")
    command.add_argument("model", metavar="MODEL", help="the registered model")
    command.add_argument("--from", dest="moved_from", metavar="VERSION", help="only if this one is champion")
    _add_registry(command)
    _add_mover(command)
    command = add("history", _history, "tell how a model's champions came about")
    command.add_argument("model", metavar="MODEL", help="the registered model")
    command.add_argument("--verify", action="store_true", help="say where the chain of entries breaks")
    command.add_argument("--head", metavar="DIGEST", help="with --verify: an entry that must be there")
    command.add_argument("--json", action="store_true", help="write the entries as JSON")
    command.add_argument("--dry-run", action="store_true", help="taken, and means nothing: it only reads")
    _add_registry(command)
    command = add("verify", _verify, "check record, report and attestation against each other")
    command.add_argument("record", metavar="RECORD", help="a file that --readmit-json wrote")
    command.add_argument("--report", metavar="FILE", help="what --readmit-report wrote")
    command.add_argument(
        "--attestation", metavar="BUNDLE", help="what --readmit-attestation wrote, or signed"
    )
    command.add_argument(
        "--suite", action="append", default=[], dest="suites", metavar="FILE", help="a suite"
    )


def _add_registry(command: argparse.ArgumentParser) -> None:
    command.add_argument("--tracking-uri", metavar="URI", help=f"the MLflow store; default: {TRACKING_URI}")


def _add_mover(command: argparse.ArgumentParser) -> None:
    command.add_argument("--by", metavar="NAME", help="who does it; default: the CI's actor, else the user")
    command.add_argument("--reason", metavar="TEXT", help="why; kept in the history")
    command.add_argument("--dry-run", action="store_true", help="say what would be done; write nothing")
    command.add_argument("--json", action="store_true", help="write the outcome as JSON")


def _promote(options: argparse.Namespace) -> Lines:
    if (options.suite is None) == (options.record is None):
        raise SuiteError(["name a SUITE to run, or --record FILE to rely on"])
    if options.record and (options.keep or options.rest):
        raise SuiteError(["--keep and arguments for pytest are for a SUITE; --record runs nothing"])
    if options.suite and options.attestation:
        raise SuiteError(["--attestation is for --record; a SUITE is run here and now"])
    if options.commit and not re.fullmatch(r"[0-9a-fA-F]{40}|[0-9a-fA-F]{64}", options.commit):
        raise SuiteError([f"--commit {options.commit}: write the whole hash"])
    max_age, suites = _time(options.max_age), _suite_digests(options.suites)
    uri = tracking_uri(options.tracking_uri, os.environ)
    attestation = attestations.read(Path(options.attestation)) if options.attestation else None
    record = _record(options.record) if options.record else None
    registry = Registry(uri)
    if record is None:
        record = yield from _run(options, registry)
    found = eligibility.candidate(record)
    reasons = [
        *eligibility.shortcomings(record, found),
        *eligibility.strictures(
            record, max_age=max_age, suites=suites, commit=options.commit, no_waivers=options.no_waivers
        ),
        *(attestations.contradictions(attestation, record) if attestation else ()),
    ]
    told = _told_candidate(record, found)
    if options.record:
        told.append(UNCHECKED if attestation and attestation.signatures else UNSIGNED)
    if not options.json:
        yield from told
    outcome = promote(
        registry,
        found,
        reasons,
        who=who(options.by),
        attested=attestation is not None,
        reason=options.reason,
        dry_run=options.dry_run,
    )
    return (yield from _told_outcome(outcome, as_json=options.json))


def _rollback(options: argparse.Namespace) -> Lines:
    registry = Registry(tracking_uri(options.tracking_uri, os.environ))
    outcome = rollback(
        registry,
        options.model,
        who=who(options.by),
        reason=options.reason,
        moved_from=options.moved_from,
        dry_run=options.dry_run,
    )
    return (yield from _told_outcome(outcome, as_json=options.json))


def _history(options: argparse.Namespace) -> Lines:
    registry = Registry(tracking_uri(options.tracking_uri, os.environ))
    model = registry.model(options.model)
    history = histories.read(model)
    breaks = list(history.breaks)
    if options.verify:
        breaks += histories.against_registry(history, model, registry.versions(model.name))
        if options.head and options.head not in {entry.digest for entry in history.entries}:
            breaks.append(f"no entry has the digest {options.head}")
    if options.json:
        entries = [{**entry.json(), "digest": entry.digest} for entry in history.entries]
        yield json.dumps({"champion": model.champion, "entries": entries, "breaks": breaks}, indent=1)
        return REFUSED if breaks and options.verify else OK
    count = len(history.entries)
    now = "no champion" if model.champion is None else f"champion is version {model.champion}"
    yield f"{model.name}: {now}; {count} {'entry' if count == 1 else 'entries'}"
    for entry in history.entries:
        yield from _told_entry(entry)
    for pending in pendings(model):
        if pending.entry is not None:
            yield (
                f"a {pending.entry.action} to version {pending.entry.moved_to} was begun at {pending.when} "
                "and has not ended; the next promote or rollback finishes or undoes it"
            )
    yield from (f"broken: {text}" for text in breaks)
    if options.verify and not breaks:
        head = history.last.digest if history.last else "none"
        yield f"the chain is whole; its head is {head}"
    return REFUSED if breaks and options.verify else OK


def _verify(options: argparse.Namespace) -> Lines:
    record = _record(options.record)
    yield f"record: whole, {record['digest']}"
    wrong: list[str] = []
    if options.suites:
        digests = {suite["sha256"] for suite in record["suites"]}
        for path, sha256 in _suite_digests(options.suites).items():
            if sha256 in digests:
                yield f"suite: {path} is the one that ran"
            else:
                wrong.append(f"suite: {path} is not a suite of the record: it was changed, or another ran")
    if options.report:
        differs, line = _report_of(record, _text(options.report))
        if differs:
            wrong.append(f"report: {line}")
        else:
            yield f"report: {line}"
    if options.attestation:
        attestation = attestations.read(Path(options.attestation))
        found = attestations.contradictions(attestation, record)
        wrong += [f"attestation: {text}" for text in found]
        if not found:
            yield f"attestation: agrees; {UNCHECKED if attestation.signatures else 'unsigned'}"
    yield from (f"wrong: {text}" for text in wrong)
    return REFUSED if wrong else OK


def _run(options: argparse.Namespace, registry: Registry) -> Generator[str, None, dict[str, Any]]:
    """Run a suite's gates as pytest runs them here, and return the record."""
    if not Path(options.suite).is_file():
        raise SuiteError([f"{options.suite}: there is no such suite"])
    with tempfile.TemporaryDirectory(prefix="readmit-") as folder:
        path = Path(options.keep or Path(folder) / "record.json").absolute()
        command = [
            *(sys.executable, "-m", "pytest", f"--readmit-suite={options.suite}", f"--readmit-json={path}"),
            *options.rest,
        ]
        kept = "" if options.keep else "; the record is not kept (--keep FILE keeps it)"
        yield f"running the gates of {options.suite}{kept}"
        out = sys.stderr if options.json else None
        code = subprocess.run(  # noqa: S603 - this interpreter, no shell
            command, check=False, env={**os.environ, TRACKING_URI: registry.uri}, stdout=out
        ).returncode
        if code > REFUSED:
            raise _stopped(code)
        return _record(str(path))


def _stopped(code: int) -> ReadmitError:
    if code == 4:
        return SuiteError(["nothing was promoted: the suite or the command line is wrong"])
    return Refused(f"nothing was promoted: the gates did not run to an end (pytest's exit code is {code})")


def _record(name: str) -> dict[str, Any]:
    path = Path(name)
    if not path.is_file():
        raise SuiteError([f"{name}: there is no such record"])
    try:
        record = records.read(path)
    except (ReadmitError, RecursionError) as error:
        raise Refused(str(error)) from None
    try:
        eligibility.check_form(record)
    except Refused as error:
        raise Refused(f"{name}: {error}") from None
    return record


def _text(name: str) -> str:
    try:
        return Path(name).read_bytes().decode("utf-8", "replace")
    except OSError as error:
        raise SuiteError([f"{name}: cannot be read ({error.strerror})"]) from None


def _suite_digests(paths: Sequence[str]) -> dict[str, str]:
    try:
        return eligibility.suite_digests(paths)
    except OSError as error:
        raise SuiteError([f"{error.filename}: cannot be read ({error.strerror})"]) from None


def _report_of(record: Mapping[str, Any], page: str) -> tuple[bool, str]:
    """Return whether a page is another than the record's, and what there is to say."""
    from importlib.metadata import version

    from pytest_readmit.report import render

    if page.replace("\r\n", "\n") == render(record):
        return False, "is just what the record draws"
    if record["digest"] not in page:
        return True, "is of another record"
    drawn, here = record["provenance"]["packages"].get("pytest-readmit"), version("pytest-readmit")
    if drawn != here:
        return False, (
            "names this record; whether it was changed cannot be told: "
            f"it was drawn by pytest-readmit {drawn}, this is {here}"
        )
    return True, "names this record but is not what the record draws: it was changed"


def _told_candidate(record: Mapping[str, Any], found: eligibility.Candidate) -> list[str]:
    against = "no champion yet" if found.champion is None else f"champion {found.champion}"
    words = {"inconclusive": "undecided"}
    counts = ", ".join(f"{count} {words.get(name, name)}" for name, count in record["counts"].items())
    commit = "no commit known"
    if found.commit:
        state = {True: "with changed files", False: "clean"}.get(bool(found.dirty), "")
        commit = f"commit {found.commit[:12]}" + ("" if found.dirty is None else f", {state}")
    lines = [
        f"{found.model}: version {found.version} against {against}",
        f"  record {found.record} of {found.finished}, {commit}",
        f"  {counts}",
        *(f"  {text}" for text in eligibility.evidence(record)),
    ]
    lines += [f"  undecided: {name}" for name in found.undecided]
    lines += [f"  waived: {name}" for name in found.waived]
    return lines


def _told_outcome(outcome: Outcome, *, as_json: bool) -> Lines:
    if as_json:
        yield json.dumps(json_of(outcome), indent=1)
        return OK
    entry = outcome.entry
    yield from outcome.notes
    done = {"promote": "promoted", "rollback": "rolled back"}[entry.action]
    before = "no champion" if entry.moved_from is None else f"version {entry.moved_from}"
    if outcome.dry:
        yield f"dry run, nothing was written: {entry.model} would be {done} from {before} to {entry.moved_to}"
        return OK
    if outcome.finished:
        yield f"finished what {entry.who} began at {entry.when}:"
    yield f"{done}: {entry.model} version {entry.moved_to} is champion, before it {before}"
    if entry.kept is not None:
        yield f"  `readmit rollback {entry.model}` returns to version {entry.kept}"
    yield f"  history entry {entry.number}, {entry.digest}"
    return OK


def _told_entry(entry: histories.Entry) -> Iterable[str]:
    moved = f"{entry.moved_from or 'none'} -> {entry.moved_to}"
    yield f"{entry.number:>4}  {entry.when}  {entry.action} {moved}  by {entry.who}"
    if entry.reason:
        yield f"      reason: {entry.reason}"
    if entry.record:
        state = {True: ", with changed files", False: ", clean"}.get(entry.dirty or False, "")
        commit = f"{entry.commit}{'' if entry.dirty is None else state}" if entry.commit else "unknown"
        yield f"      record {entry.record}{', attested' if entry.attested else ''}"
        yield f"      commit {commit}"
    yield from (f"      undecided: {name}" for name in entry.undecided)
    yield from (f"      waived: {name}" for name in entry.waived)
    yield f"      entry {entry.digest}"


def who(given: str | None) -> str:
    """Return who moves a champion: as named, else the CI's actor, else the user; and on which host."""
    import getpass
    import platform

    named = given or next((os.environ[name] for name in _ACTORS if os.environ.get(name)), None)
    if named is None:
        try:
            named = getpass.getuser()
        except (ImportError, KeyError, OSError):
            named = "unknown"
    return f"{named}@{platform.node() or 'unknown'}"


def _time(text: str) -> timedelta:
    found = re.fullmatch(r"([0-9]{1,6})([mhdw])", text)
    if found is None:
        raise SuiteError([f"--max-age {text}: write a number and m, h, d or w, such as 12h"])
    return timedelta(**{_UNITS[found[2]]: int(found[1])})
