"""Golden values: every file of the vectors folder that this package implements, every key."""

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import ks_2samp

from pytest_readmit.stats import (
    contingency,
    divergence,
    energy,
    ks,
    multiplicity,
    variation,
    wasserstein,
)
from pytest_readmit.stats.distribution import Distribution
from pytest_readmit.stats.effect import Effect
from pytest_readmit.stats.proportion import Proportion, clopper_pearson, risk_difference, wilson

FOLDER = Path(os.environ.get("READMIT_VECTORS") or Path(__file__).parents[3] / "shared" / "vectors")

NOT_YET = frozenset(
    {
        "average_precision",
        "brier",
        "brier_decomposition",
        "calibration_glm",
        "cbpe",
        "delong_paired",
        "delong_unpaired",
        "disde",
        "ece",
        "equalised_odds",
        "gate_improvement",
        "hosmer_lemeshow",
        "ici_loess",
        "log_loss",
        "paired_loss_difference",
        "roc_auc_delong",
    }
)

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


KNOWN: Mapping[str, Callable[[Inputs], Values]] = {
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
}


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
                got, want = np.atleast_1d(found[key]), np.atleast_1d(expected)
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
