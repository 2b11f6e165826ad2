"""Golden values: every file of the vectors folder that this package implements, every key."""

import json
import math
import os
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import ks_2samp, norm

from pytest_readmit.stats import (
    calibration,
    cbpe,
    contingency,
    disde,
    divergence,
    energy,
    fairness,
    ks,
    losses,
    measure,
    multiplicity,
    precision,
    reliability,
    roc,
    variation,
    wasserstein,
)
from pytest_readmit.stats.distribution import Distribution
from pytest_readmit.stats.effect import Effect
from pytest_readmit.stats.predictions import Predictions
from pytest_readmit.stats.proportion import Proportion, clopper_pearson, risk_difference, wilson

FOLDER = Path(os.environ.get("READMIT_VECTORS") or Path(__file__).parents[3] / "shared" / "vectors")

NOT_YET = frozenset({})

Inputs = Mapping[str, Any]
Values = dict[str, Any]


def numbers(inputs: Inputs) -> tuple[Distribution, Distribution]:
    return Distribution.of_numbers(inputs["x"]), Distribution.of_numbers(inputs["y"])


def levels(inputs: Inputs) -> tuple[Distribution, Distribution]:
    names = [f"level {i:03d}" for i in range(len(inputs["ref"]))]
    return Distribution.of_levels(names, inputs["ref"]), Distribution.of_levels(names, inputs["cur"])


def verdict(p_fail: float, passes: bool, alpha: float) -> str:
    return "fail" if p_fail <= alpha else "pass" if passes else "inconclusive"


def gate(effect: Effect, inputs: Inputs) -> Values:
    """What a one-sided gate says of an effect, in the vectors' words."""
    assert effect.bounds
    assert effect.p_beyond
    alpha, limit = inputs["alpha"], inputs["tolerance"]
    lower, upper = effect.bounds(alpha)
    p_fail = effect.p_beyond(limit)
    decided = verdict(p_fail, upper <= limit, alpha)
    return {"lower": lower, "upper": upper, "p_fail": p_fail, "verdict": decided}


def run_ks_2samp(inputs: Inputs) -> Values:
    x, y = numbers(inputs)
    statistic, _ = ks.scipy_p(x, y)
    return {
        "D": statistic,
        "p_asymptotic": ks.null_p(x, y),
        "p_exact_with_ties": ks.exact_p(x, y),
        "p_exact_ignoring_ties": ks_2samp(x.expanded(), y.expanded(), method="exact").pvalue,
    }


def run_gate_ks(inputs: Inputs) -> Values:
    effect = ks.effect(*numbers(inputs))
    return {"D": effect.estimate, **gate(effect, inputs)}


def run_plan_ks(inputs: Inputs) -> Values:
    found = ks.plan(
        inputs["tolerance"],
        inputs["n_ref"],
        inputs["n_cur"],
        tests=inputs["n_tests"],
        alpha=inputs["alpha"],
        power=inputs["power"],
    )
    return {
        "mde_fail": found.detectable,
        "smallest_certifiable_tolerance": found.certifiable,
        "ne_needed_to_pass_when_no_drift": found.effective_size_to_certify,
    }


def run_gate_tv(inputs: Inputs) -> Values:
    effect = variation.effect(*levels(inputs))
    return {"tv": effect.estimate, "bias": effect.details["bias"], **gate(effect, inputs)}


def run_wasserstein(inputs: Inputs) -> Values:
    x, y = numbers(inputs)
    raw = wasserstein.raw_distance(x, y)
    sd = np.std(inputs["x"], ddof=1)
    return {
        "w1": raw,
        "w1_over_ref_sd_ddof0": wasserstein.distance(x, y),
        "w1_over_ref_sd_ddof1": raw / sd,
    }


def run_gate_wasserstein(inputs: Inputs) -> Values:
    effect = wasserstein.effect(*numbers(inputs))
    details = {"bias": effect.details["bias"], "se": effect.details["standard_error"]}
    return {"w1_norm": effect.estimate, **details, **gate(effect, inputs)}


def run_psi(inputs: Inputs) -> Values:
    before, after = np.array(inputs["ref"]), np.array(inputs["cur"])
    return _psi_of(before, after) | {"psi_smoothed_half": divergence.psi(*levels(inputs)).estimate}


def _psi_of(before: Any, after: Any) -> Values:
    found = {}
    for key, smoothing in (("psi", 0.0), ("psi_smoothed_half", 0.5)):
        p, q = divergence.proportions(before, smoothing), divergence.proportions(after, smoothing)
        found[key] = float(divergence.psi_terms(p, q).sum())
    return found


def run_psi_binned(inputs: Inputs) -> Values:
    edges = np.array(inputs["edges"], dtype=float)
    before, after = (divergence.bin_counts(side, edges) for side in numbers(inputs))
    return {"counts_ref": before.tolist(), "counts_cur": after.tolist(), **_psi_of(before, after)}


def run_gate_psi(inputs: Inputs) -> Values:
    effect = divergence.psi(*levels(inputs))
    assert effect.bounds
    assert effect.p_beyond
    assert effect.p_below
    alpha, limit = inputs["alpha"], inputs["tolerance"]
    p_fail = effect.p_beyond(limit)
    # the product's own p_below undoes the smoothing first: the plain formula passes too often at n = 50
    size, df, statistic = (effect.details[key] for key in ("effective_size", "df", "statistic"))
    p_pass = divergence.noncentral_tails(statistic, df, size * limit)[0]
    assert effect.p_below(limit) >= p_pass
    return {
        "psi": effect.estimate,
        "statistic": effect.details["statistic"],
        "df": effect.details["df"],
        "noncentrality": size * limit,
        "p_fail": p_fail,
        "p_pass": p_pass,
        "verdict": verdict(p_fail, effect.bounds(alpha)[1] <= limit, alpha),
    }


def run_jensen_shannon(inputs: Inputs) -> Values:
    before, after = np.array(inputs["ref"]), np.array(inputs["cur"])
    p, q = divergence.proportions(before), divergence.proportions(after)
    nats = float(divergence.jensen_shannon_terms(p, q).sum())
    return {
        "divergence_base2": nats / np.log(2.0),
        "distance_base2": divergence.jensen_shannon(*levels(inputs)).estimate,
        "distance_nat": np.sqrt(nats),
    }


def run_chi2(inputs: Inputs) -> Values:
    statistic, df, p = contingency.chi2(*levels(inputs))
    statistic_yates, _, p_yates = contingency.chi2(*levels(inputs), yates=True)
    return {
        "statistic": statistic,
        "df": df,
        "p": p,
        "statistic_yates": statistic_yates,
        "p_yates": p_yates,
    }


def run_cramers_v(inputs: Inputs) -> Values:
    x, y = levels(inputs)
    return {
        "v": contingency.cramers_v(x, y),
        "v_bias_corrected": contingency.cramers_v(x, y, corrected=True),
    }


def run_energy(inputs: Inputs) -> Values:
    x, y = numbers(inputs)
    squared = energy.squared_distance(x, y)
    return {
        "energy_squared": squared,
        "energy_distance": energy.distance(x, y),
        "edist_R": squared * x.n * y.n / (x.n + y.n),
    }


def _two(inputs: Inputs) -> Effect:
    reference = Proportion(inputs["k_ref"], inputs["n_ref"])
    return risk_difference(reference, Proportion(inputs["k_cur"], inputs["n_cur"]))


def run_two_proportions(inputs: Inputs) -> Values:
    effect = _two(inputs)
    assert effect.bounds
    low, high = effect.bounds((1 - inputs["level"]) / 2)
    z = effect.details["z"]
    return {
        "difference": effect.estimate,
        "newcombe_low": low,
        "newcombe_high": high,
        "z": z,
        "p_two_sided": effect.p_null,
    }


def run_gate_risk_difference(inputs: Inputs) -> Values:
    effect = _two(inputs)
    assert effect.bounds
    assert effect.p_beyond
    assert effect.p_below
    assert inputs["two_sided"]
    alpha, limit = inputs["alpha"], inputs["tolerance"]
    p_fail = min(1.0, 2.0 * min(effect.p_beyond(limit), effect.p_below(-limit)))
    lower, upper = effect.bounds(alpha)
    upper_abs = max(upper, -lower)
    return {
        "difference": effect.estimate,
        "p_fail": p_fail,
        "upper_abs": upper_abs,
        "verdict": verdict(p_fail, upper_abs <= limit, alpha),
    }


def run_wilson_clopper(inputs: Inputs) -> Values:
    k, n, alpha = inputs["k"], inputs["n"], (1 - inputs["level"]) / 2
    keys = ("wilson_low", "wilson_high", "clopper_low", "clopper_high")
    return dict(zip(keys, (*wilson(k, n, alpha), *clopper_pearson(k, n, alpha)), strict=True))


def run_p_adjust(inputs: Inputs) -> Values:
    p = inputs["p"]
    return {
        "holm": multiplicity.holm(p).tolist(),
        "bh": multiplicity.bh(p).tolist(),
        "bonferroni": multiplicity.bonferroni(p).tolist(),
    }


def run_cbpe(inputs: Inputs) -> Values:
    scores, threshold = np.array(inputs["p"]), inputs["threshold"]
    cells = cbpe.confusion(scores, threshold)
    names = ("accuracy", "precision", "recall", "specificity", "f1")
    return {
        "tp": cells.tp,
        "fp": cells.fp,
        "fn": cells.fn,
        "tn": cells.tn,
        "sd_of_tp": cells.sd_of_tp,
        "auc_threshold_sweep": cbpe.roc_auc(scores, own_pairs=True),
        "auc_pairs_i_ne_j": cbpe.roc_auc(scores),
        "average_precision_plugin": cbpe.average_precision(scores, plug_in=True),
        "brier_expected": cbpe.expected("brier", scores).estimate,
    } | {name: cbpe.expected(name, scores, threshold=threshold).estimate for name in names}


def _predictions(inputs: Inputs) -> Predictions:
    return Predictions.of(inputs["y"], inputs["p"])


def run_calibration_glm(inputs: Inputs) -> Values:
    predictions = _predictions(inputs)
    both, large = calibration.recalibration(predictions), calibration.calibration_in_the_large(predictions)
    (intercept, slope), (intercept_se, slope_se) = both.coefficients, both.standard_errors
    ratio = calibration.observed_expected(predictions)
    half_width = norm.ppf(0.975) * slope_se
    return {
        "citl_intercept_offset": large.coefficients[0],
        "citl_se": large.standard_errors[0],
        "intercept": intercept,
        "slope": slope,
        "intercept_se": intercept_se,
        "slope_se": slope_se,
        "slope_ci_low": slope - half_width,
        "slope_ci_high": slope + half_width,
        "observed_expected": ratio.estimate,
        "log_oe_se": ratio.details["log_se_binomial"],
    }


def run_ece(inputs: Inputs) -> Values:
    predictions, bins = _predictions(inputs), inputs["bins"]
    found, groups = reliability.ece(predictions, bins), reliability.groups(predictions, bins)
    spread = np.sqrt(groups.variance.sum()) / predictions.n
    return {
        "ece_equal_width": reliability.ece(predictions, bins, "equal_width").estimate,
        "ece_quantile": found.estimate,
        "mce_quantile": found.details["largest_gap"],
        "noise_floor_quantile": reliability.noise_floor(groups),
        "upper95_quantile": found.estimate + norm.ppf(0.95) * spread,
    }


def run_ici_loess(inputs: Inputs) -> Values:
    loess = reliability.ici(_predictions(inputs))
    return {
        "ici_loess_deg2_span075": loess.estimate,
        "e50_loess": loess.details["e50"],
        "e90_loess": loess.details["e90"],
        "emax_loess": loess.details["emax"],
        "ici_lowess_f23_iter0": reliability.ici(_predictions(inputs), span=2 / 3, degree=1).estimate,
    }


def run_equalised_odds(inputs: Inputs) -> Values:
    names, groups = np.unique(inputs["group"], return_inverse=True)
    whole = Predictions.of(inputs["y"], inputs["yhat"])
    parts = fairness.by_group(whole, groups, len(names))
    tpr, fpr, alerts = (
        fairness.rate_by_group(kind, whole, parts, 0.5)
        for kind in ("true positive rate", "false positive rate", "alert rate")
    )
    by_name = [
        {name: value.estimate for name, value in zip(names.tolist(), each.values, strict=True) if value}
        for each in (tpr, fpr, alerts)
    ]
    gaps = [fairness.largest_gap(each, whole.n) for each in ((tpr,), (fpr,), (alerts,), (tpr, fpr))]
    second, first = (fairness.true_positive_rate(part, 0.5) for part in reversed(parts))
    two_sided = risk_difference(second, first)
    assert two_sided.bounds
    low, high = two_sided.bounds(0.025)
    return {
        **dict(zip(("tpr", "fpr", "selection_rate"), by_name, strict=True)),
        "tpr_difference": gaps[0].estimate,
        "fpr_difference": gaps[1].estimate,
        "equalised_odds_difference": gaps[3].estimate,
        "average_odds_gap": (gaps[0].estimate + gaps[1].estimate) / 2,
        "demographic_parity_difference": gaps[2].estimate,
        "demographic_parity_ratio": min(by_name[2].values()) / max(by_name[2].values()),
        "tpr_gap_newcombe_low": low,
        "tpr_gap_newcombe_high": high,
    }


def run_brier(inputs: Inputs) -> Values:
    predictions = Predictions.of(inputs["y"], inputs["p"])
    return {
        "brier": losses.brier(predictions).estimate,
        "brier_skill": losses.brier_skill(predictions).estimate,
    }


def run_brier_decomposition(inputs: Inputs) -> Values:
    predictions = Predictions.of(inputs["y"], inputs["p"])
    return asdict(losses.brier_decomposition(predictions, inputs.get("edges")))


def run_log_loss(inputs: Inputs) -> Values:
    return {"log_loss": losses.log_loss(Predictions.of(inputs["y"], inputs["p"])).estimate}


def run_paired_loss_difference(inputs: Inputs) -> Values:
    errors = []
    for patients in (None, inputs["cluster"]):
        old, new = (
            losses.brier(Predictions.of(inputs["y"], inputs[key], patients)) for key in ("p_a", "p_b")
        )
        difference = measure.paired(old, new)
        errors.append(difference.details["standard_error"])
    # the vectors divide by n - 1 where rows are independent, by n (CR0) where they are not
    iid, clustered = errors[0] * math.sqrt(old.n / (old.n - 1)), errors[1]
    z = measure.quantile((1 - inputs["level"]) / 2)
    return {
        "brier_difference_b_minus_a": difference.estimate,
        "se_iid": iid,
        "ci_low_iid": difference.estimate - z * iid,
        "ci_high_iid": difference.estimate + z * iid,
        "se_cluster_cr0": clustered,
        "design_effect": (clustered / errors[0]) ** 2,
    }


def run_gate_improvement(inputs: Inputs) -> Values:
    found = measure.Measure(estimate=inputs["difference"], standard_error=inputs["se"], n=1000)
    effect = measure.level(found)
    assert effect.bounds
    assert effect.p_below
    lower, upper = effect.bounds(inputs["alpha"])
    p_fail = effect.p_below(inputs["margin"])
    decided = verdict(p_fail, lower > inputs["margin"], inputs["alpha"])
    return {"lower": lower, "upper": upper, "verdict": decided}


def plain_interval(middle: float, error: float, level: float) -> Values:
    """The symmetric normal interval that pROC prints; the product's own is symmetric on the logit scale."""
    half = norm.isf((1 - level) / 2) * error
    return {"ci_low": middle - half, "ci_high": middle + half}


def run_roc_auc(inputs: Inputs) -> Values:
    found = roc.measure(Predictions.of(inputs["y"], inputs["score"]))
    interval = plain_interval(found.estimate, found.standard_error, inputs["level"])
    return {"auc": found.estimate, "variance": found.standard_error**2, **interval}


def run_delong_paired(inputs: Inputs) -> Values:
    old, new = (Predictions.of(inputs["y"], inputs[f"score_{which}"]) for which in "ab")
    effect = roc.paired(old, new)
    assert effect.bounds
    low, high = effect.bounds((1 - inputs["level"]) / 2)
    return {
        "auc_a": roc.auc(old),
        "auc_b": roc.auc(new),
        "difference_b_minus_a": effect.estimate,
        "se": effect.details["standard_error"],
        "z": effect.estimate / effect.details["standard_error"],
        "p_two_sided": effect.p_null,
        "ci_low": low,
        "ci_high": high,
    }


def run_delong_unpaired(inputs: Inputs) -> Values:
    sides = [roc.measure(Predictions.of(inputs[f"y{i}"], inputs[f"score{i}"])) for i in "12"]
    effect = measure.change(*sides)
    error = effect.details["standard_error"]
    df = roc.unpaired_df(*sides)
    return {
        "auc_1": sides[0].estimate,
        "auc_2": sides[1].estimate,
        "difference_2_minus_1": effect.estimate,
        "se": error,
        "z": effect.estimate / error,
        "p_two_sided_normal": 2 * measure.upper_tail(abs(effect.estimate) / error),
        "p_two_sided_pROC_t_df": 2 * measure.upper_tail(abs(effect.estimate) / error, df),
        "df_pROC": df,
    }


def run_average_precision(inputs: Inputs) -> Values:
    rows = Predictions.of(inputs["y"], inputs["score"])
    value = precision.average_precision(rows)
    return {
        "average_precision": value,
        "prevalence": rows.prevalence,
        "ap_at_prevalence_ref": precision.average_precision(rows, prevalence=inputs["prevalence_ref"]),
        "ap_normalised": precision.normalised(value, rows.prevalence),
    }


def run_disde(inputs: Inputs) -> Values:
    terms = disde.split_mean(inputs["loss_ref"], inputs["g_ref"], inputs["loss_cur"], inputs["g_cur"])
    return {
        "loss_ref": terms.reference,
        "loss_cur": terms.current,
        "total": terms.total,
        "x_shift_ref_to_shared": terms.to_shared,
        "y_given_x_shift": terms.relation,
        "x_shift_shared_to_cur": terms.from_shared,
        "ess_ref": terms.ess_reference,
        "ess_cur": terms.ess_current,
    }


KNOWN: Mapping[str, Callable[[Inputs], Values]] = {
    "equalised_odds": run_equalised_odds,
    "ks_2samp": run_ks_2samp,
    "gate_ks": run_gate_ks,
    "plan_ks": run_plan_ks,
    "total_variation": lambda inputs: {"tv": variation.distance(*levels(inputs))},
    "gate_tv": run_gate_tv,
    "wasserstein_1d": run_wasserstein,
    "gate_wasserstein": run_gate_wasserstein,
    "psi": run_psi,
    "psi_binned": run_psi_binned,
    "gate_psi": run_gate_psi,
    "jensen_shannon": run_jensen_shannon,
    "hellinger": lambda inputs: {"hellinger": divergence.hellinger(*levels(inputs)).estimate},
    "chi2_contingency": run_chi2,
    "cramers_v": run_cramers_v,
    "energy_distance": run_energy,
    "two_proportions": run_two_proportions,
    "gate_risk_difference": run_gate_risk_difference,
    "wilson_clopper": run_wilson_clopper,
    "p_adjust": run_p_adjust,
    "disde": run_disde,
    "roc_auc_delong": run_roc_auc,
    "delong_paired": run_delong_paired,
    "delong_unpaired": run_delong_unpaired,
    "average_precision": run_average_precision,
    "brier": run_brier,
    "brier_decomposition": run_brier_decomposition,
    "log_loss": run_log_loss,
    "paired_loss_difference": run_paired_loss_difference,
    "gate_improvement": run_gate_improvement,
    "calibration_glm": run_calibration_glm,
    "ece": run_ece,
    "hosmer_lemeshow": lambda inputs: reliability.hosmer_lemeshow(_predictions(inputs), inputs["groups"]),
    "ici_loess": run_ici_loess,
    "cbpe": run_cbpe,
}


def in_order(value: Any) -> Any:
    """Return the values of a mapping in the order of its keys; anything else as it is."""
    return [value[name] for name in sorted(value)] if isinstance(value, Mapping) else value


def compare(path: Path) -> tuple[int, list[str]]:
    """Return how many values of a file were compared, and what disagreed."""
    content = json.loads(path.read_text(encoding="utf-8"))
    compared, wrong = 0, []
    for case in content["cases"]:
        found = KNOWN[content["function"]](case["inputs"])
        for key, expected in case["expected"].items():
            where = f"{path.name} {case['name']} {key}"
            if key not in found:
                wrong.append(f"{where}: no such value here")
                continue
            if isinstance(expected, str):
                agrees, count = found[key] == expected, 1
            else:
                tolerance = case["tolerance"]
                got, want = (np.atleast_1d(in_order(each)) for each in (found[key], expected))
                count = want.size
                agrees = got.shape == want.shape and bool(
                    np.all(np.abs(got - want) <= tolerance["abs"] + tolerance["rel"] * np.abs(want))
                )
            compared += count
            if not agrees:
                wrong.append(f"{where}: expected {expected}, found {found[key]}")
    return compared, wrong


def test_every_golden_value_of_the_vectors_folder_is_met(capsys: pytest.CaptureFixture[str]) -> None:
    if not FOLDER.is_dir():
        if "READMIT_VECTORS" in os.environ:
            pytest.fail("READMIT_VECTORS names no folder")
        pytest.skip(f"no folder {FOLDER.name!r} beside the repository; set READMIT_VECTORS")
    compared, files, wrong, waiting = 0, 0, [], []
    for path in sorted(FOLDER.glob("*.json")):
        function = json.loads(path.read_text(encoding="utf-8"))["function"]
        if function in NOT_YET:
            waiting.append(function)
            continue
        if function not in KNOWN:
            wrong.append(f"{path.name}: no way to run {function!r}")
            continue
        count, disagreements = compare(path)
        files, compared, wrong = files + 1, compared + count, wrong + disagreements
    with capsys.disabled():
        print(f"\n{compared} golden values of {files} files compared; not yet: {len(waiting)} files")
    assert not wrong, "\n".join(wrong)
    assert files == len(KNOWN)
    assert not NOT_YET & KNOWN.keys()


def test_an_unknown_vector_key_is_reported(tmp_path: Path) -> None:
    case = {
        "name": "planted",
        "inputs": {"ref": [1, 2], "cur": [2, 1]},
        "expected": {"tv": 0.5, "vt": 0.3},
        "tolerance": {"abs": 1e-9, "rel": 1e-9},
    }
    path = tmp_path / "total_variation.json"
    path.write_text(json.dumps({"function": "total_variation", "cases": [case]}))
    _, wrong = compare(path)
    assert wrong == [
        "total_variation.json planted tv: expected 0.5, found 0.3333333333333333",
        "total_variation.json planted vt: no such value here",
    ]
