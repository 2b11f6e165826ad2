"""What a gate that blocks asks of its reader: in plain words, what is wrong and what to do."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from pytest_readmit.report.changes import INPUTS, RELATION

if TYPE_CHECKING:
    from pytest_readmit.report.gates import Gate


class Advice(NamedTuple):
    """What a verdict means, and what to do about it."""

    meaning: str
    action: str


_FAILS = {
    "data_drift": Advice(
        "The distribution moved further than its limit",
        "Find out why: other patients, a new form, device or code, or an error on the way here. Mend an"
        " error at its source. If the change is real, test the model on recent outcomes.",
    ),
    "drift_share": Advice(
        "More features moved than the limit allows",
        "Look at the features that moved: when many move together, the cause is often one extract, site"
        " or period.",
    ),
    "target_drift": Advice(
        "The outcome is not as frequent as it was",
        "Check how the outcome is coded and whether recent outcomes are all in. If the rate truly"
        " changed, recalibrate the model.",
    ),
    "prediction_drift": Advice(
        "The scores moved",
        "Check that one model version scored both datasets, then see which of its inputs moved. If the"
        " change is real, review the alert threshold and the capacity behind it.",
    ),
    "missing_drift": Advice(
        "The share of missing values changed",
        "Ask the source which form, device or query changed, and restore the column. If it stays so,"
        " refit how the model fills gaps.",
    ),
    "unseen_categories": Advice(
        "There are categories that the model never saw",
        "Map the new codes to known ones at the source, or retrain with them.",
    ),
    "out_of_range": Advice(
        "Values lie outside the stated range",
        "Correct values and units at the source; widen `ranges` only if such values are real.",
    ),
    "extreme_values": Advice(
        "Extreme values became more frequent",
        "Look for wrong units, fill-in codes such as 9999 and device errors at the source.",
    ),
    "unit_change": Advice(
        "Some rows seem to be in another unit",
        "Convert these rows by the factor named, at the source, and run again.",
    ),
    "schema": Advice(
        "Columns or their kinds differ from the reference",
        "Restore the columns and kinds named, or give renamed ones their old names with `rename:`.",
    ),
    "unique": Advice(
        "A key that must be unique repeats",
        "Remove the duplicates at the source; a join that multiplies rows is the usual cause.",
    ),
    "patient_overlap": Advice(
        "Patients are in both datasets",
        "Split by patient, so that nobody is in both; figures on a shared patient are too good.",
    ),
    "label_maturity": Advice(
        "Some outcomes cannot be known yet",
        "Leave out the rows that are too recent (`matured:` on the dataset does), or wait and run again.",
    ),
    "joint_drift": Advice(
        "A classifier can tell the two datasets apart",
        "See which features it uses, and what their own gates say of them.",
    ),
    "performance": Advice(
        "The model does not reach what is asked of it",
        "Do not use it on these patients. See first whether inputs or labels are at fault; if they are"
        " not, recalibrate or retrain.",
    ),
    "concept_drift": Advice(
        "The model does worse than it did on the reference",
        "If its inputs moved or went missing, mend these first. If not, the outcome depends on them in a"
        " new way: retrain on recent outcomes.",
    ),
    "estimated_performance": Advice(
        "The model is expected to do worse than its floor",
        "Get outcomes for recent patients and measure it; this is an estimate without labels.",
    ),
    "calibration": Advice(
        "Predicted risks do not match the outcomes",
        "Recalibrate on recent outcomes, validate on others, and run again.",
    ),
    "fairness": Advice(
        "Groups of patients are not treated alike",
        "See which groups stand apart. Check their labels and how many of them the model learned from;"
        " then retrain or review the threshold with those who answer for it.",
    ),
    "behavior": Advice(
        "The model breaks a property it must have",
        "Look at the example given. Constrain the model (monotonic constraints) or drop the feature, and"
        " retrain.",
    ),
    "promotion": Advice(
        "The challenger is not shown to be good enough",
        "Keep the champion. Improve the challenger, or compare both on more rows.",
    ),
}
_OTHER_FAIL = Advice("Beyond its limit", "Find what changed and put it right.")
_OTHERS = {
    "error": Advice(
        "Could not be measured",
        "Nothing was measured, so nothing is known. Mend what the gate names (a file, a column, a label,"
        " a setting) and run again. No waiver covers an error.",
    ),
    "inconclusive": Advice(
        "These data cannot tell",
        "Collect as many rows as the gate names and run again. Where it names none, it says why.",
    ),
    "pass": Advice(
        "Within the limit, but with a warning",
        "This run treats every warning as blocking: look into the warning, or run without"
        " `--readmit-strict`.",
    ),
}
IF_MEANT = (
    "If a change is meant, let a named person waive the gate until a date. A limit that is changed after"
    " the data were seen needs the approver, a reason (`because`) and fresh data."
)


def meaning(check: str, verdict: str) -> str:
    """Return what a verdict of a check says, as the start of a sentence."""
    return _known(check, verdict).meaning


def action(check: str, verdict: str, gates: "Sequence[Gate]" = ()) -> str:
    """
    Return what to do about it, one to three sentences.

    Args:
        check: The check.
        verdict: The verdict of its gates.
        gates: All gates of the run; some may have measured what a change is due to.
    """
    measured = _measured(gates) if check == "concept_drift" and verdict == "fail" else ""
    return measured or _known(check, verdict).action


def _measured(gates: "Sequence[Gate]") -> str:
    """Return what to do about a change whose cause was measured, "" where it was not."""
    known = [(one, one.split) for one in gates if one.split is not None]
    changed = [(one, due) for one, due in known if due.cause == RELATION]
    if changed:
        mostly = all(due.mostly for _, due in changed)
        little = "; the inputs that moved explain little of it" if mostly else ""
        sizes = "; ".join(f"{one.spoken} {one.size}" for one, _ in changed)
        return (
            f"The relation of inputs and outcome changed{little}: {sizes}. Rule out first that units or the"
            " coding of outcomes changed (gates of drift say which); then retrain on recent outcomes and"
            " validate on others."
        )
    if known and all(due.cause == INPUTS for _, due in known):
        sizes = "; ".join(f"{one.spoken} {one.size}" for one, _ in known)
        return (
            f"Only the inputs moved, their relation to the outcome did not: {sizes}. Find out why they moved,"
            " mend errors at their source, and retrain only if the change is real."
        )
    return ""


def _known(check: str, verdict: str) -> Advice:
    return _OTHERS.get(verdict) or _FAILS.get(check, _OTHER_FAIL)
