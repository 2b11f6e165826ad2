"""
How many rows a gate needs, found by running it: the figures of docs/choosing.md.

Usage: python benchmarks/rows.py [--runs N] [NAME ...]
For each gate the fewest rows a side (on a grid of about 12% steps) with which it passes in four of five runs
where nothing differs, and with which it fails in four of five runs where the truth is twice its limit away.
Rows are independent; 11% are positive where there are labels. A gate is run on invented data by `run_check`.
"""

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
from scipy import optimize, special, stats

from pytest_readmit import run_check

SHARE, RUNS, COLUMNS = 0.8, 200, 50
GRID = tuple(round(10 ** (step / 20), 1) for step in range(20))
SPREAD, LEVEL = 0.85, -2.36
"""Standard deviation and mean of the log odds: 11% positive, an AUC of 0.71."""
ROLES = {"target": "y", "positive_label": 1, "score": "s"}

Frame = dict[str, Any]
Draw = Callable[[np.random.Generator, int, bool], Frame]


@dataclass(frozen=True)
class Gate:
    """
    A gate whose rows are sought.

    Args:
        name: What the table calls it.
        check: The check.
        keys: Its parameters.
        draw: (generator, rows, changed) -> one side.
        roles: The suite's `columns`.
        both: Whether it compares with a reference.
        all_of: How many columns must pass together, and share the error rate of a fail; 1: each alone.
        least: The fewest rows to try.
    """

    name: str
    check: str
    keys: Mapping[str, Any]
    draw: Draw
    roles: Mapping[str, Any] = field(default_factory=dict)
    both: bool = True
    all_of: int = 1
    least: int = 30

    def share(self, rows: int, runs: int, *, changed: bool) -> float:
        """Return in which share of runs it passes, or fails where something changed."""
        wanted = "fail" if changed else "pass"
        found: list[bool] = []
        seed = 0
        while len(found) < runs:
            draw = np.random.default_rng([seed, rows])
            reference = self.draw(draw, rows, False) if self.both else None
            current = self.draw(draw, rows, changed)
            seed += 1
            verdicts = [
                each.verdict == wanted
                for each in run_check(self.check, reference, current, roles=self.roles, **self.keys)
            ]
            # Where something changed it is the first column; the others stand beside it.
            found += verdicts if self.all_of == 1 else [verdicts[0] if changed else all(verdicts)]
        return sum(found) / len(found)

    def rows(self, runs: int, *, changed: bool) -> int:
        """Return the fewest rows of the grid that do."""
        sizes = [size for size in grid() if size >= self.least]
        low, high = 0, len(sizes) - 1
        while low < high:
            middle = (low + high) // 2
            if self.share(sizes[middle], runs, changed=changed) >= SHARE:
                high = middle
            else:
                low = middle + 1
        return sizes[low]


def grid() -> Iterator[int]:
    """Return the sizes to try, from 10 to 200,000."""
    for power in range(1, 6):
        for step in GRID:
            if step * 10**power <= 200_000:
                yield int(step * 10**power)


def columns(one: Callable[[np.random.Generator, int, bool], Any], many: int = COLUMNS) -> Draw:
    """Return a draw of many columns, each a run by itself."""
    return lambda draw, rows, changed: {f"x{i}": one(draw, rows, changed) for i in range(many)}


def normal(shift: float) -> Callable[[np.random.Generator, int, bool], Any]:
    """Return normal values, moved by `shift` standard deviations where something changed."""
    return lambda draw, rows, changed: draw.normal(shift if changed else 0.0, 1.0, rows)


def ks_shift(distance: float) -> float:
    """Return the shift of a normal distribution that is a KS distance."""
    return float(2 * stats.norm.ppf((1 + distance) / 2))


def psi_shift(psi: float) -> float:
    """Return the shift of a normal distribution that is a PSI over ten equal bins."""
    edges = stats.norm.ppf(np.linspace(0, 1, 11))

    def found(shift: float) -> float:
        moved = np.diff(stats.norm.cdf(edges - shift))
        return float(((moved - 0.1) * np.log(moved / 0.1)).sum())

    return float(optimize.brentq(lambda shift: found(shift) - psi, 0.0, 2.0))


def levels(many: int, moved: float) -> Callable[[np.random.Generator, int, bool], Any]:
    """Return equally frequent levels; `moved` of the rows go from the second half to the first."""
    names = np.array([f"level {i}" for i in range(many)])
    plain, sides = np.full(many, 1 / many), np.repeat([1.0, -1.0], many // 2)
    shifted = plain + sides * moved / (many / 2)
    return lambda draw, rows, changed: draw.choice(names, rows, p=shifted if changed else plain)


def missing(before: float, after: float) -> Callable[[np.random.Generator, int, bool], Any]:
    """Return values of which a share is missing."""

    def one(draw: np.random.Generator, rows: int, changed: bool) -> Any:
        values = draw.normal(size=rows)
        values[draw.random(rows) < (after if changed else before)] = np.nan
        return values

    return one


def planted(value: Callable[[np.random.Generator, int], Any], odd: Any, share: float) -> Any:
    """Return values of which, where something changed, a share is turned by `odd`."""

    def one(draw: np.random.Generator, rows: int, changed: bool) -> Any:
        values = value(draw, rows)
        if changed:
            which = draw.random(rows) < share
            values[which] = odd(values[which])
        return values

    return one


def patients(
    draw: np.random.Generator,
    rows: int,
    *,
    kept: float = 1.0,
    stretch: float = 1.0,
    offset: float = 0.0,
    shift: float = 0.0,
) -> Frame:
    """
    Return labels with scores that are right, or wrong in one way.

    Args:
        draw: The generator.
        rows: How many.
        kept: Correlation of the score's log odds with the true ones; less lowers the AUC.
        stretch: The calibration slope.
        offset: What is added to the true log odds, which the score does not know of.
        shift: What is added to the log odds of the score in group b.
    """
    truth = draw.normal(size=rows)
    known = kept * truth + np.sqrt(1 - kept**2) * draw.normal(size=rows)
    group = draw.integers(0, 2, rows)
    odds = LEVEL + SPREAD * truth + offset
    score = LEVEL + SPREAD * known / stretch + shift * group
    return {
        "y": (draw.random(rows) < special.expit(odds)).astype(int),
        "s": special.expit(score),
        "g": np.where(group == 1, "b", "a"),
    }


@lru_cache
def solved(measure: str, wanted: float, low: float, high: float) -> float:
    """Return the setting of `patients` with which a measure is as wanted, on 300,000 rows."""

    def miss(setting: float) -> float:
        rows = patients(np.random.default_rng(1), 300_000, **{setting_of[measure]: setting})
        return measures[measure](rows) - wanted

    return float(optimize.brentq(miss, low, high, xtol=1e-3))


def auc(rows: Frame) -> float:
    """Return the area under the ROC curve."""
    positive = rows["y"] == 1
    ranks = stats.rankdata(rows["s"])
    n, m = int(positive.sum()), int((~positive).sum())
    return float((ranks[positive].sum() - n * (n + 1) / 2) / (n * m))


def ratio(rows: Frame) -> float:
    """Return observed over expected events."""
    return float(rows["y"].sum() / rows["s"].sum())


def gap(rows: Frame) -> float:
    """Return by how much the true positive rate of group b exceeds that of group a."""
    found = [rows["s"][(rows["y"] == 1) & (rows["g"] == name)] >= 0.15 for name in "ab"]
    return float(found[1].mean() - found[0].mean())


def calibration_error(rows: Frame) -> float:
    """Return the expected calibration error over ten equal bins."""
    order = np.argsort(rows["s"])
    bins = np.array_split(order, 10)
    return float(sum(len(i) * abs(rows["y"][i].mean() - rows["s"][i].mean()) for i in bins) / len(order))


setting_of = {"auc": "kept", "ratio": "offset", "gap": "shift", "ece": "offset"}
measures = {"auc": auc, "ratio": ratio, "gap": gap, "ece": calibration_error}


def scored(**settings: Callable[[], float]) -> Draw:
    """Return a draw of `patients` that is right, or has these settings where something changed."""

    def one(draw: np.random.Generator, rows: int, changed: bool) -> Frame:
        return patients(draw, rows, **({name: get() for name, get in settings.items()} if changed else {}))

    return one


def scores(draw: np.random.Generator, rows: int, changed: bool) -> Frame:
    """Return scores whose log odds moved by a KS distance of 0.10 where something changed."""
    found = patients(draw, rows)
    moved = SPREAD * ks_shift(0.1) if changed else 0.0
    return {**found, "s": special.expit(special.logit(found["s"]) + moved)}


def drift(name: str, one: Any, **keys: Any) -> Gate:
    """Return a gate on each of many columns."""
    check = keys.pop("check", "data_drift")
    kind = keys.pop("kind", "numerical")
    roles = {kind: [f"x{i}" for i in range(COLUMNS)]}
    return Gate(name, check, {"correction": "none", **keys}, columns(one), roles)


def model(name: str, check: str, draw: Draw, *, both: bool = False, **keys: Any) -> Gate:
    """Return a gate on labels and scores."""
    roles = {**ROLES, **({"sensitive": ["g"]} if check == "fairness" else {})}
    return Gate(name, check, keys, draw, roles, both=both, least=100)


def twenty() -> Gate:
    """Return twenty columns that must pass together."""

    def draw(rng: np.random.Generator, rows: int, changed: bool) -> Frame:
        return {f"x{i}": normal(ks_shift(0.2) if i == 0 else 0.0)(rng, rows, changed) for i in range(20)}

    roles = {"numerical": [f"x{i}" for i in range(20)]}
    return Gate("data_drift ks 0.10, twenty columns", "data_drift", {"max": 0.1}, draw, roles, all_of=20)


GLUCOSE = lambda draw, rows: draw.normal(110.0, 15.0, rows)  # noqa: E731 - a value, beside the others
WORD = lambda draw, rows: draw.choice(np.array(["a", "b", "c", "other"]), rows, p=[0.4, 0.4, 0.2, 0.0])  # noqa: E731

GATES = (
    drift("data_drift ks 0.10", normal(ks_shift(0.2)), max=0.1),
    twenty(),
    drift("data_drift ks 0.05", normal(ks_shift(0.1)), max=0.05),
    drift("data_drift total_variation 0.10, 2 levels", levels(2, 0.2), max=0.1, kind="categorical"),
    drift("data_drift total_variation 0.10, 10 levels", levels(10, 0.2), max=0.1, kind="categorical"),
    drift("data_drift psi 0.06", normal(psi_shift(0.12)), method="psi"),
    drift("data_drift mean_shift 0.25", normal(0.5), method="mean_shift"),
    drift("missing_drift 0.05, 10% missing", missing(0.1, 0.2), check="missing_drift"),
    drift("missing_drift 0.01, none missing", missing(0.0, 0.02), check="missing_drift"),
    drift(
        "unseen_categories 0.002",
        planted(WORD, lambda values: np.full(len(values), "other"), 0.004),
        check="unseen_categories",
        kind="categorical",
    ),
    drift(
        "unit_change 0.002, factor 18",
        planted(GLUCOSE, lambda values: values / 18, 0.004),
        check="unit_change",
        factors=[18],
    ),
    model("target_drift 0.02", "target_drift", scored(offset=lambda: 0.388), both=True),
    model("prediction_drift 0.05", "prediction_drift", scores, both=True),
    model(
        "performance roc_auc, floor 0.05 below the truth",
        "performance",
        scored(kept=lambda: solved("auc", 0.611, 0.2, 0.9)),
        metrics={"roc_auc": {"min": 0.661}},
    ),
    model(
        "concept_drift roc_auc, drop 0.05",
        "concept_drift",
        scored(kept=lambda: solved("auc", 0.611, 0.2, 0.9)),
        both=True,
        metrics={"roc_auc": {"max_drop": 0.05}},
    ),
    model(
        "calibration observed_expected 0.8 to 1.25",
        "calibration",
        scored(offset=lambda: solved("ratio", 1.5, 0.1, 1.0)),
        measures={"observed_expected": {"min": 0.8, "max": 1.25}},
    ),
    model(
        "calibration slope 0.8 to 1.25",
        "calibration",
        scored(stretch=lambda: 0.6),
        measures={"slope": {"min": 0.8, "max": 1.25}},
    ),
    model(
        "calibration ece 0.02",
        "calibration",
        scored(offset=lambda: solved("ece", 0.04, 0.05, 1.0)),
        measures={"ece": {"max": 0.02}},
    ),
    model(
        "fairness equalised_odds 0.10, two groups",
        "fairness",
        scored(shift=lambda: solved("gap", 0.2, 0.05, 1.5)),
        threshold=0.15,
        measures={"equalised_odds": {"max": 0.1}},
    ),
)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=RUNS)
    parser.add_argument("names", nargs="*", help="only gates whose name holds one of these")
    options = parser.parse_args()
    print("| gate and limit | rows a side to pass | rows a side to fail |\n| --- | --- | --- |")
    for gate in GATES:
        if options.names and not any(part in gate.name for part in options.names):
            continue
        passing, failing = (gate.rows(options.runs, changed=changed) for changed in (False, True))
        print(f"| {gate.name} | {passing:,} | {failing:,} |")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
