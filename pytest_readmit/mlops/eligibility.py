"""May a record promote a model? What it must hold, and what it says of challenger and champion."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from pytest_readmit.mlops.registry import Refused

MODEL_GATES = ("performance", "calibration")
CLOCKS_DIFFER = timedelta(minutes=5)

Case = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """
    What a record wants promoted.

    Args:
        model: The registered model.
        version: The challenger's version.
        run_id: The run that made it.
        digest: Of its files.
        champion: The champion's version that it was compared with; None where there was none.
        champion_digest: Of the champion's files.
        record: The record's digest.
        finished: When the run ended.
        commit: Git commit of the run.
        dirty: Whether files had changed since.
        undecided: Ids of the cases that decided nothing.
        waived: Ids of the cases under a waiver.
        holdout: sha256 of the dataset that the challenger was compared on.
    """

    model: str
    version: str
    run_id: str | None
    digest: str
    champion: str | None
    champion_digest: str | None
    record: str
    finished: str
    commit: str | None
    dirty: bool | None
    undecided: Sequence[str]
    waived: Sequence[str]
    holdout: str | None


def check_form(record: Mapping[str, Any]) -> None:
    """
    Hold a record that fits its digest against itself: whoever edits one can take the digest anew.

    Raises:
        Refused: It is not a whole record, or contradicts itself.
    """
    try:
        cases, provenance = record["cases"], record["provenance"]
        texts = [case[key] for case in cases for key in ("id", "check", "severity", "verdict", "outcome")]
        texts += [suite[key] for suite in record["suites"] for key in ("path", "sha256")]
        whole = (
            all(isinstance(text, str) for text in texts)
            and all(
                {"waiver", "interval", "limit", "subject", "warned", "decide_by"} <= set(case)
                for case in cases
            )
            and all(isinstance(case["details"], dict) for case in cases)
            and all(isinstance(provenance[key], dict) for key in ("datasets", "models", "git"))
            and all(isinstance(one, dict | None) for one in provenance["models"].values())
            and all(isinstance(one, dict) for one in provenance["datasets"].values())
            and all(isinstance(provenance[key], str | None) for key in ("started", "finished"))
            and all(isinstance(record[key], int) for key in ("planned", "deselected", "complete", "blocked"))
        )
        counts = {name: sum(case["verdict"] == name for case in cases) for name in record["counts"]}
        agrees = (
            counts == record["counts"]
            and sum(counts.values()) == len(cases)
            and record["blocked"] >= any(case["outcome"] == "failed" for case in cases)
            and (not record["complete"] or len(cases) == record["planned"] > 0)
        )
    except (AttributeError, KeyError, TypeError):
        whole = agrees = False
    if not whole:
        raise Refused("the record is not whole: it was not written by readmit, or was edited")
    if not agrees:
        raise Refused("the record contradicts itself: it was edited")


def candidate(record: Mapping[str, Any]) -> Candidate:
    """
    Return what a record is about.

    Raises:
        Refused: It names no one version of a registered model as the challenger.
    """
    models = record["provenance"]["models"]
    compared = _compared(record)
    challengers = {str(case["details"].get("challenger") or "challenger") for case in compared}
    if len(challengers) > 1:
        raise Refused(f"the record has several challengers ({', '.join(sorted(challengers))}): which one?")
    role = challengers.pop() if challengers else "challenger"
    against = {str(case["details"].get("champion") or "champion") for case in compared} or {"champion"}
    champion = (models.get(against.pop()) if len(against) == 1 else None) or {}
    challenger = models.get(role) or {}
    name, version = challenger.get("name"), challenger.get("version")
    if not name or version is None or not challenger.get("digest"):
        source = challenger.get("source") or "none"
        raise Refused(
            f"the record's challenger is not a version of a registered model (it is: {source}); "
            "the suite must name it as {mlflow: models:/NAME@ALIAS}"
        )
    if champion.get("version") is not None and champion.get("name") != name:
        raise Refused(
            f"the record compares {name} with a champion of another registered model, {champion.get('name')}"
        )
    provenance = record["provenance"]
    return Candidate(
        model=str(name),
        version=str(version),
        run_id=challenger.get("run_id"),
        digest=str(challenger["digest"]),
        champion=_text(champion.get("version")),
        champion_digest=champion.get("digest"),
        record=str(record["digest"]),
        finished=str(provenance["finished"] or provenance["started"]),
        commit=provenance["git"].get("commit"),
        dirty=provenance["git"].get("dirty"),
        undecided=[case["id"] for case in record["cases"] if case["verdict"] == "inconclusive"],
        waived=[case["id"] for case in record["cases"] if case["outcome"] == "xfailed"],
        holdout=_holdout(compared),
    )


def shortcomings(record: Mapping[str, Any], found: Candidate) -> list[str]:
    """Return why a record cannot promote anything, whatever the registry says; empty if it can."""
    cases = record["cases"]
    reasons = []
    if not record["complete"] or len(cases) != record["planned"] or record["deselected"]:
        left = max(record["planned"] - len(cases), 0)
        why = f"{left} of {record['planned']} gates were not decided" if left else "the run did not finish"
        reasons.append(f"the record is incomplete: {why}")
    blocking = [case["id"] for case in cases if case["outcome"] == "failed"]
    if record["blocked"] or blocking:
        reasons.append(f"the record is blocked{_named(blocking)}")
    passing = [case for case in cases if case["verdict"] == "pass" and case["outcome"] == "passed"]
    promotion = [case for case in passing if _is_comparison(case)]
    if not promotion:
        reasons.append("the record holds no passing `promotion` case")
    if not any(_is_proof(case) for case in passing):
        reasons.append(
            "the record holds no passing gate of severity block that is decided by its interval: "
            "nothing in it is certified"
        )
    if found.champion is None and promotion:
        reasons += _first(promotion, passing)
    return reasons


def evidence(record: Mapping[str, Any]) -> list[str]:
    """Return what the passing comparisons of a record say, in its own words."""
    return [
        str(case["message"])
        for case in record["cases"]
        if _is_comparison(case) and case["verdict"] == "pass" and case.get("message")
    ]


def strictures(
    record: Mapping[str, Any],
    *,
    max_age: timedelta,
    suites: Mapping[str, str],
    commit: str | None,
    no_waivers: bool,
    now: datetime | None = None,
) -> list[str]:
    """
    Return why the operator's own conditions forbid a record.

    Args:
        record: The record.
        max_age: The oldest it may be.
        suites: Suite file → its sha256; where any is given, every suite of the record must be among them.
        commit: The commit that the run must have been made at, without changes.
        no_waivers: Whether a waiver forbids it.
        now: The time; default: now.
    """
    reasons = _too_old(record["provenance"], max_age, now or datetime.now(UTC))
    if suites:
        ran = {str(suite["sha256"]): str(suite["path"]) for suite in record["suites"]}
        reasons += [
            f"{name} is not a suite of the record: it was changed, or another one ran"
            for name, sha256 in suites.items()
            if sha256 not in ran
        ]
        reasons += [
            f"the record holds gates of {path}, which --suite does not name, or names in another state"
            for sha256, path in ran.items()
            if sha256 not in suites.values()
        ]
    if commit is not None:
        git = record["provenance"]["git"]
        if not git.get("commit"):
            reasons.append(f"the run names no commit: no Git repository, or no git; not {commit}")
        elif git["commit"].lower() != commit.lower():
            reasons.append(f"the run was made at commit {git['commit']}, not {commit}")
        elif git.get("dirty") is not False:
            reasons.append(f"the run was made at commit {commit} with changed files")
    waived = [case["id"] for case in record["cases"] if case["outcome"] == "xfailed" or case["waiver"]]
    if no_waivers and waived:
        reasons.append(f"the record holds waivers{_named(waived)}")
    return reasons


def suite_digests(paths: Sequence[str]) -> dict[str, str]:
    """
    Return the sha256 of suite files by their names.

    Raises:
        OSError: One cannot be read.
    """
    import hashlib

    return {path: hashlib.sha256(Path(path).read_bytes()).hexdigest() for path in paths}


def _is_comparison(case: Case) -> bool:
    """Whether a case compares challenger and champion on the metric itself; a guard alone is no reason."""
    return case["check"] == "promotion" and not str(case["subject"] or "").startswith("guard:")


def _is_proof(case: Case) -> bool:
    return (
        case["severity"] == "block"
        and case["decide_by"] == "interval"
        and case["interval"] is not None
        and case["limit"] is not None
    )


def _compared(record: Mapping[str, Any]) -> list[Case]:
    """Return the promotion cases that speak for a challenger; all of them where none passed."""
    cases = [case for case in record["cases"] if _is_comparison(case)]
    return [case for case in cases if case["verdict"] == "pass"] or cases


def _first(promotion: Sequence[Case], passing: Sequence[Case]) -> list[str]:
    """Return what is missing for a model's first champion."""
    reasons = []
    if not all(case["details"].get("first") for case in promotion):
        reasons.append("the record's champion is not a version of a registered model")
    if not any(case["check"] in MODEL_GATES and _is_proof(case) for case in passing):
        reasons.append(
            "a first champion needs a passing `performance` or `calibration` gate of severity block, "
            "decided by its interval"
        )
    return reasons


def _holdout(compared: Sequence[Case]) -> str | None:
    for case in compared:
        sha256 = (case["details"].get("holdout") or {}).get("sha256")
        if sha256:
            return str(sha256)
    return None


def _too_old(provenance: Mapping[str, Any], max_age: timedelta, now: datetime) -> list[str]:
    try:
        age = now - datetime.fromisoformat(provenance["finished"] or provenance["started"])
    except (TypeError, ValueError):
        return ["the record does not say when it was made"]
    if age > max_age:
        return [f"the record is {_span(age)} old; --max-age is {_span(max_age)}"]
    if age < -CLOCKS_DIFFER:
        return [f"the record was made {_span(-age)} from now: a clock is wrong"]
    return []


def _span(time: timedelta) -> str:
    seconds = time.total_seconds()
    for unit, size in (("days", 86_400), ("hours", 3_600), ("minutes", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds:.0f} seconds"


def _named(ids: Sequence[str]) -> str:
    if not ids:
        return ""
    rest = f" and {len(ids) - 3} more" if len(ids) > 3 else ""
    return f": {', '.join(ids[:3])}{rest}"


def _text(value: object) -> str | None:
    return None if value is None else str(value)
