"""The record of a run: what is in it, how it is written, read and checked for damage."""

import hashlib
import json
import os
import secrets
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from pytest_readmit import cells
from pytest_readmit import provenance as provenances
from pytest_readmit.claim import Finding
from pytest_readmit.errors import ReadmitError
from pytest_readmit.privacy import PrivacyFacts, mask_of_all, masks

SCHEMA = "pytest-readmit/record/1"
SCHEMA_NAME = "pytest-readmit/record/"
LFS_POINTER = "version https://git-lfs.github.com/spec/"
SCHEMA_FILE = Path(__file__).with_name("record.schema.json")
VERDICTS = ("pass", "fail", "inconclusive", "error")
# What suppression cannot keep back, said on the page beside the data.
STILL_TOLD = (
    "Counts of rows and patients below privacy.min_cell are left out, and so are counts from which they "
    "would follow. An estimate times a number of rows can still tell one (a share of 0.0006 of 5,000 rows "
    "is 3 rows), the rows of a gate tell how many values of its column are missing, and two records of "
    "overlapping rows can be subtracted. Keep a record where its data may be seen."
)
_WORST_FIRST = ("error", "fail", "inconclusive")
_ENCODER = json.JSONEncoder(allow_nan=False)

Case = Mapping[str, Any]


class SuiteFacts(PrivacyFacts, Protocol):
    """What the record says of a suite."""

    @property
    def name(self) -> str: ...
    @property
    def shown(self) -> str: ...
    @property
    def sha256(self) -> str: ...
    @property
    def owner(self) -> str | None: ...
    @property
    def intended_use(self) -> str | None: ...
    @property
    def approver(self) -> str | None: ...
    @property
    def protocol(self) -> str | None: ...
    @property
    def as_of(self) -> Any: ...


class EntryFacts(cells.EntryFacts, Protocol):
    """What the record must know of an entry to count false alarms and to guard small counts."""

    @property
    def correction(self) -> str: ...


class CaseFacts(cells.CaseFacts, Protocol):
    """What the record must know of a planned case."""

    @property
    def id(self) -> str: ...
    @property
    def entry(self) -> EntryFacts: ...


class PlanFacts(Protocol):
    """The suites and cases that a run set out to decide."""

    @property
    def suites(self) -> Sequence[SuiteFacts]: ...
    @property
    def cases(self) -> Sequence[CaseFacts]: ...


def build(
    plan: PlanFacts,
    findings: Mapping[str, Case],
    *,
    exit_code: int,
    provenance: Mapping[str, Any],
    deselected: int = 0,
    broken: bool = False,
    sealed: bool = True,
) -> dict[str, Any]:
    """
    Return the record of a run.

    Args:
        plan: What was planned; its order is the record's order.
        findings: Id of a case → its Finding as JSON, already private.
        exit_code: The run's exit code.
        provenance: What `pytest_readmit.provenance.collect` returned.
        deselected: Planned cases that a selection left out.
        broken: Whether a worker died or the run was interrupted.
        sealed: False leaves the digest empty, for a record that is summed up but not written.
    """
    decided = [(planned, dict(findings[planned.id])) for planned in plan.cases if planned.id in findings]
    cases = [case for _, case in decided]
    min_cells = [suite.min_cell for suite in plan.suites]
    datasets, left_out = cells.guard_flows(provenance.get("datasets") or {}, max(min_cells, default=0))
    cells.guard_cases(decided, left_out, min_cells)
    complete = bool(cases) and len(cases) == len(plan.cases) and not broken
    made = {
        "schema": SCHEMA,
        "digest": "",
        "verdict": _verdict(cases, complete=complete),
        "blocked": broken or not cases or any(case["outcome"] == "failed" for case in cases),
        "certified": complete and all(case["verdict"] == "pass" for case in cases),
        "complete": complete,
        "exit_code": exit_code,
        "planned": len(plan.cases),
        "deselected": deselected,
        "counts": {name: sum(case["verdict"] == name for case in cases) for name in VERDICTS},
        "false_alarm_bound": false_alarm_bound(decided),
        "suites": [_suite(suite, str(provenance["started"])[:10]) for suite in plan.suites],
        "cases": cases,
        "provenance": {**provenance, "datasets": datasets},
    }
    if sealed:
        made["digest"] = digest(made)
    return made


def of_run(
    plan: PlanFacts, findings: Iterable[Finding], *, sources: Mapping[str, Any], started: str, command: str
) -> dict[str, Any]:
    """
    Return the record of a run outside pytest, its Findings made private.

    Args:
        plan: What was planned.
        findings: What was decided.
        sources: The run's datasets and models.
        started: ISO 8601, UTC.
        command: What stands for the command line.
    """
    mask_of = masks(plan.suites)
    index_of = {case.id: case.index for case in plan.cases}
    private = [mask_of[index_of[finding.id]].case(finding) for finding in findings]
    git = provenances.GitState(Path.cwd()).read()
    blocked = any(case["outcome"] == "failed" for case in private)
    facts = provenances.collect(
        started=started,
        finished=provenances.now(),
        git=git,
        command=command,
        **mask_of_all(plan.suites).json(sources),
    )
    return build(plan, {case["id"]: case for case in private}, exit_code=int(blocked), provenance=facts)


def incomplete(*, exit_code: int, provenance: Mapping[str, Any]) -> dict[str, Any]:
    """Return the record of a run that decided nothing: an error that blocks."""
    return build(_Nothing(), {}, exit_code=exit_code, provenance=provenance, broken=True)


class _Nothing:
    suites: tuple[SuiteFacts, ...] = ()
    cases: tuple[CaseFacts, ...] = ()


def false_alarm_bound(decided: Iterable[tuple[CaseFacts, Case]]) -> float:
    """
    Return a bound on the probability that a run in which nothing is wrong fails somewhere.

    The union bound over entries: an entry whose cases share alpha counts alpha once, cases without
    correction count alpha each, entries that share alpha with the suite count it once together; where a
    schedule shares it too, its runs count as one. A census and a rule on the estimate raise no false alarm
    by chance.
    """
    rates: dict[tuple[object, ...], float] = {}
    for planned, case in decided:
        alpha, m = case["alpha"], case["m"] or 1
        if alpha is None or (case["decide_by"] == "interval" and case["limit"] is None):
            continue
        correction = planned.entry.correction
        if correction == "entry":
            rates[planned.index, "entry", planned.entry.id] = alpha * m
        elif case["decide_by"] != "interval":
            rates[planned.id,] = alpha  # also under `suite`, whose m counts interval cases only
        elif correction == "suite":
            rates[planned.index, "suite"] = max(alpha * m, rates.get((planned.index, "suite"), 0.0))
        else:
            rates[planned.id,] = alpha * m
    return round(min(1.0, sum(rates.values())), 6)


def canonical(record: Mapping[str, Any]) -> bytes:
    """Return the bytes that the digest is taken of: sorted keys, no spaces, ASCII, without `digest`."""
    rest = {key: value for key, value in record.items() if key != "digest"}
    return json.dumps(rest, sort_keys=True, separators=(",", ":"), allow_nan=False).encode("ascii")


def digest(record: Mapping[str, Any]) -> str:
    """Return ``sha256:…`` of the canonical JSON without the digest itself."""
    return f"sha256:{hashlib.sha256(canonical(record)).hexdigest()}"


def dumps(record: Mapping[str, Any]) -> str:
    """Return the record as strict JSON, one line a key and one line a case."""
    lines = []
    for key, value in record.items():
        if key == "cases" and value:
            cases = ",\n  ".join(map(_ENCODER.encode, value))
            lines.append(f' "cases": [\n  {cases}\n ]')
        else:
            lines.append(f" {_ENCODER.encode(key)}: {_ENCODER.encode(value)}")
    return "{\n" + ",\n".join(lines) + "\n}\n"


def write(path: Path, record: Mapping[str, Any]) -> None:
    """
    Write the record in one step: a reader sees the old file or the new one.

    Raises:
        OSError: If it cannot be written.
    """
    write_text(path, dumps(record))


def write_text(path: Path, text: str, *, mode: int | None = None) -> None:
    """
    Write a text file in one step, its folders as needed; devices and pipes are written straight.

    Args:
        path: The file.
        text: What it is to hold.
        mode: Its permissions; None: as the umask has it.

    Raises:
        OSError: If it cannot be written.
    """
    target = Path(os.path.realpath(path))
    if target.exists() and not target.is_file():
        target.write_text(text, encoding="utf-8")
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(f".{target.name[:80]}.{secrets.token_hex(4)}.part")
    try:
        with draft.open("x", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        if mode is not None:
            draft.chmod(mode)
        draft.replace(target)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def read(path: Path) -> dict[str, Any]:
    """
    Return the record in a file.

    Raises:
        ReadmitError: If there is none, or it is not one, or it is damaged.
    """
    try:
        text = path.read_text(encoding="utf-8")
        found = json.loads(text, parse_constant=_not_json)
        record: dict[str, Any] = found if isinstance(found, dict) else {}
        sealed = digest(record)
    except OSError as error:
        raise ReadmitError(f"{path}: no record: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ReadmitError(f"{path}: not a record: not text in UTF-8") from error
    except (ValueError, RecursionError) as error:
        raise ReadmitError(f"{path}: {_no_json(text)}") from error
    schema = record.get("schema")
    if schema != SCHEMA:
        other = f"schema is {schema!r}, not {SCHEMA!r}"
        if str(schema).startswith(SCHEMA_NAME):
            other += "; read it with the pytest-readmit that wrote it"
        raise ReadmitError(f"{path}: not a record: {other}")
    if record.get("digest") != sealed:
        raise ReadmitError(
            f"{path}: damaged: its digest does not fit its content; take the file as it was written"
        )
    return record


def _no_json(text: str) -> str:
    """Return what a file is that is no JSON."""
    if not text.strip():
        return "not a record: the file is empty"
    if text.startswith(LFS_POINTER):
        return "a Git LFS pointer, not the record itself; fetch it with `git lfs pull`"
    if text.lstrip().startswith("{") and not text.rstrip().endswith("}"):
        return "not a record: cut off before its end"
    return "not a record: not JSON"


def _verdict(cases: Sequence[Case], *, complete: bool) -> str:
    """Return the worst unwaived verdict; what is incomplete has passed nothing."""
    found = {case["verdict"] for case in cases if case["outcome"] != "xfailed"}
    for verdict in _WORST_FIRST:
        if verdict in found:
            return verdict
    if complete:
        return "pass"
    return "inconclusive" if cases else "error"


def _suite(suite: SuiteFacts, today: str) -> dict[str, Any]:
    told = {
        "name": suite.name,
        "owner": suite.owner,
        "intended_use": suite.intended_use,
        "approver": suite.approver,
        "protocol": suite.protocol,
    }
    (mask,) = masks([suite])
    shown = mask.json(told)
    return {
        "name": shown.pop("name"),
        "path": suite.shown,
        "sha256": suite.sha256,
        **shown,
        "as_of": today if suite.as_of is None else str(suite.as_of),
    }


def _not_json(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")
