"""What was decided of a case, or why nothing was, as a Finding."""

from typing import Any

from pytest_readmit.cases import PlannedCase
from pytest_readmit.claim import Claim, Finding, VerdictName
from pytest_readmit.rule import Ruling, outcome


def crash(check: str, error: BaseException) -> str:
    """Name a crash by type and place; its text could quote the data."""
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    where = ""
    if place is not None:
        file = place.tb_frame.f_code.co_filename.replace("\\", "/").rsplit("/", 1)[-1]
        where = f" at {file}:{place.tb_lineno}"
    return f"{check} crashed: {type(error).__name__}{where}; nothing was measured"


def _blank(case: PlannedCase) -> dict[str, Any]:
    entry = case.entry
    return {
        "id": case.id,
        "suite": case.suite.name,
        "check": entry.check,
        "entry": entry.id,
        "subject": case.subject,
        "segment": case.segment,
        "line": case.line,
        "because": entry.because,
        "severity": case.policy.severity,
        "confidence": case.policy.confidence,
        "m": case.policy.shares,
        "waiver": _waiver(case),
    }


def _waiver(case: PlannedCase) -> dict[str, Any] | None:
    waiver = case.policy.waiver
    if waiver is None or case.policy.today is None:
        return None
    return {
        "until": waiver.until.isoformat(),
        "by": waiver.by,
        "reason": waiver.reason,
        "in_force": waiver.in_force(case.policy.today),
    }


def undecided(case: PlannedCase, message: str, seconds: float) -> Finding:
    """Return the Finding of a case that could not be measured: an error, which blocks."""
    facts = {**_blank(case), "decide_by": case.policy.decide_by, "seconds": seconds}
    words = _waiver_words(case, "error", noticed=False)
    return Finding(**facts, verdict="error", outcome="failed", message=message + words)


def decided(case: PlannedCase, claim: Claim, ruling: Ruling, seconds: float) -> Finding:
    """Return the Finding of a case that was ruled on."""
    shown, warned = outcome(ruling.verdict, case.policy, noticed=ruling.noticed)
    details = dict(claim.details)
    if claim.warning:
        details["warning"] = claim.warning
    return Finding(
        **_blank(case),
        details=details,
        verdict=ruling.verdict,
        outcome=shown,
        warned=warned or ruling.noticed,
        method=claim.method or None,
        estimate=claim.estimate,
        interval=ruling.interval,
        fail_bound=ruling.fail_bound,
        limit=None if ruling.decide_by == "p_value" else claim.limit,
        direction=claim.direction,
        p_value=ruling.p_value,
        alpha=ruling.alpha,
        decide_by=ruling.decide_by,
        n_reference=claim.n_reference,
        n_current=claim.n_current,
        needed_n=ruling.needed_n,
        certifiable=ruling.certifiable,
        message=ruling.message + _waiver_words(case, ruling.verdict, noticed=ruling.noticed),
        seconds=seconds,
    )


def _waiver_words(case: PlannedCase, verdict: VerdictName, *, noticed: bool) -> str:
    policy = case.policy
    waiver, today = policy.waiver, policy.today
    if waiver is None or today is None:
        return ""
    if verdict == "pass" and not (noticed and policy.strict):
        return f"; the waiver by {waiver.by} is not needed"
    if verdict == "error":
        return "; a waiver does not cover an error"
    if not waiver.in_force(today):
        return f"; the waiver by {waiver.by} ended on {waiver.until.isoformat()}"
    if not policy.honour_waivers:
        return f"; the waiver by {waiver.by} is switched off by --runxfail"
    return f"; waived by {waiver.by} until {waiver.until.isoformat()}: {waiver.reason}"
