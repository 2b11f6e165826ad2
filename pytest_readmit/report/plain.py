"""The names of measures in plain words, and sentences of a record as a page writes them."""

import re
from collections.abc import Mapping
from typing import Any

from pytest_readmit.report.words import MINUS, figure, real

MEASURES: Mapping[str, str] = {
    "roc_auc": "ranking (ROC AUC)",
    "average_precision": "ranking of rare events (average precision)",
    "brier": "error of the risks (Brier score)",
    "brier_skill": "gain over one risk for all (Brier skill)",
    "log_loss": "error of the risks (log loss)",
    "accuracy": "share of rows called right (accuracy)",
    "precision": "share of alerts that are right (precision)",
    "recall": "share of events found (recall)",
    "specificity": "share of non-events left alone (specificity)",
    "npv": "share of silence that is right (NPV)",
    "f1": "balance of recall and precision (F1)",
    "balanced_accuracy": "mean of recall and specificity (balanced accuracy)",
    "alert_rate": "share of rows that alert (alert rate)",
    "net_benefit": "use against harm of alerts (net benefit)",
    "slope": "spread of the risks (calibration slope)",
    "intercept": "level of the risks (calibration in the large)",
    "observed_expected": "events for each one predicted (O:E)",
    "ece": "calibration error (ECE)",
    "ici": "calibration error (ICI)",
    "equalised_odds": "errors alike in all groups (equalised odds)",
    "tpr_difference": "events found alike in all groups (true positive rate)",
    "fpr_difference": "false alerts alike in all groups (false positive rate)",
    "demographic_parity": "alerts alike in all groups (demographic parity)",
    "auc_difference": "ranking alike in all groups (ROC AUC)",
    "calibration": "calibration",
    "fairness": "fairness",
}
MEASURING = frozenset(
    {"performance", "concept_drift", "estimated_performance", "calibration", "fairness", "promotion"}
)
# By method, and for checks of ours alone: another's "share" may be anything.
UNITS: Mapping[str, str] = {
    "risk_difference": " pp",
    "share": "%",
    "unseen_share": "%",
    "unit_share": "%",
    "share_of_features": "%",
}
OF_SHARES = frozenset(
    {
        "drift_share",
        "extreme_values",
        "label_maturity",
        "missing_drift",
        "out_of_range",
        "patient_overlap",
        "target_drift",
        "unique",
        "unit_change",
        "unseen_categories",
    }
)
_NUMBER = r"-?[\d,]*\.?\d+(?:e-?\d+)?"
_TOLD = re.compile(
    rf"\b(?P<before>bounds|within) (?P<low>{_NUMBER}) and (?P<high>{_NUMBER})"
    rf"|\b(?P<sense>limit is|floor is|certify is|no more than|level) (?P<one>{_NUMBER})"
)
_USUAL = re.compile(r"^(guard: )?[^(]*\(([^()]+)\)")
_HYPHEN = re.compile(r"(?<![^\s(\[,;:=<>\u2264\u2265])-(?=\.?\d)|(?<=\de)-(?=\d)")


def measure(check: str, subject: str) -> str:
    """Return the plain name of a measure; "" where a check has no measure by this name."""
    if check not in MEASURING or not subject:
        return ""
    kind, _, rest = subject.partition(":")
    if kind == "guard":
        inner = measure(check, rest)
        return f"guard: {inner}" if inner else ""
    if kind == "relation":
        inner = measure(check, rest)
        return f"{inner} at equal inputs" if inner else ""
    known = MEASURES.get(kind, "")
    if known and kind in ("calibration", "fairness") and rest:
        return measure(check, rest)
    return f"{known} by {rest.replace('+', ' and ')}" if known and rest else known


def short(told: str) -> str:
    """Return the usual name out of a plain one: "ROC AUC" of "ranking (ROC AUC)"."""
    return _USUAL.sub(r"\1\2", told)


def unit(case: Mapping[str, Any]) -> str:
    """Return "%" for a case that measures a share of rows, " pp" for a difference of two, else ""."""
    if str(case.get("check")) not in OF_SHARES or case.get("decide_by") == "p_value":
        return ""
    return UNITS.get(str(case.get("method")), "")


def in_unit(case: Mapping[str, Any], unit: str) -> Mapping[str, Any]:
    """Return a case whose effect, bounds and limits are given in the unit, so a hundredfold."""
    if not unit:
        return case
    keys = ("estimate", "interval", "fail_bound", "limit", "certifiable")
    return {**case, **{key: _times_100(case.get(key)) for key in keys}}


def _times_100(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_times_100(each) for each in value]
    found = real(value)
    return value if found is None else 100 * found


def message(text: str, unit: str) -> str:
    """Return a message with true minus signs, and with its bounds and limits in the unit of its gate."""
    if unit:
        text = _TOLD.sub(lambda found: _converted(found, unit), text)
    return _HYPHEN.sub(MINUS, text)


def _converted(found: "re.Match[str]", unit: str) -> str:
    if found["one"]:
        return f"{found['sense']} {_hundredfold(found['one'])}{unit}"
    return f"{found['before']} {_hundredfold(found['low'])} and {_hundredfold(found['high'])}{unit}"


def _hundredfold(number: str) -> str:
    return figure(100 * float(number.replace(",", "")))


def change(reference: Any, current: Any, unit: str) -> str:
    """Return "55.2% → 65%", or "" where one of the two is unknown; shares in the unit of their gate."""
    old, new = real(reference), real(current)
    if old is None or new is None:
        return ""
    factor, sign = (100, "%") if unit else (1, "")
    return f"{figure(factor * old)}{sign} \u2192 {figure(factor * new)}{sign}"
