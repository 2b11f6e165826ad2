"""
The ranking metrics against their floors, in one process: numpy's argsort, and a loop over scikit-learn.

Usage: python benchmarks/performance.py [--repeats N] [--loop N]
Area under the ROC curve with DeLong's interval at 1,000,000 rows, random and rounded scores, each time on
fresh predictions so that their sort is paid for, against one numpy.argsort of the same scores. Then 1,000
patient-bootstrap replicates of average precision at 100,000 rows against a loop over
average_precision_score(sample_weight), run for --loop replicates and scaled up. All of it uses one thread, so
processor time is taken: it holds on a busy machine. Tasks run in turn; the shortest of the repeats counts.
"""

import argparse
import os
import sys
import time
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
from measure import verdict

from pytest_readmit.stats import measure, precision, roc
from pytest_readmit.stats.predictions import Predictions

SORT_ROWS, BOOTSTRAP_ROWS = 1_000_000, 100_000
ROWS_A_PATIENT = 1.6
REPLICATES = 1000
PREVALENCE = 0.11
TARGET_SORT, TARGET_LOOP, SAME = 1.5, 10.0, 1e-9


def shortest(tasks: Sequence[Callable[[], object]], repeats: int) -> list[float]:
    """Return the shortest processor time (s) of each task; they run in turn, after a round to warm up."""
    best = [float("inf")] * len(tasks)
    for round_number in range(repeats + 1):
        for i, task in enumerate(tasks):
            start = time.process_time()
            task()
            if round_number:
                best[i] = min(best[i], time.process_time() - start)
    return best


def cohort(rows: int, seed: int) -> Predictions:
    """Return labelled rows with a probability of the label as score, several rows a patient."""
    random = np.random.default_rng(seed)
    score = random.beta(1.2, 1.2 / PREVALENCE - 1.2, rows)
    owners = np.unique(random.integers(0, round(rows / ROWS_A_PATIENT), rows), return_inverse=True)[1]
    return Predictions(random.random(rows) < score, score, owners)


def areas(name: str, decimals: int | None, repeats: int) -> bool:
    """Time the area with its interval against one argsort, and compare it with scikit-learn's."""
    from sklearn.metrics import roc_auc_score

    rows = cohort(SORT_ROWS, 1)
    score = rows.score if decimals is None else rows.score.round(decimals)

    def interval() -> tuple[float, float]:
        bounds = measure.level(roc.measure(Predictions(rows.positive, score))).bounds
        assert bounds
        return bounds(0.05)

    ours, sort = shortest([interval, lambda: np.argsort(score)], repeats)
    difference = abs(roc.auc(Predictions(rows.positive, score)) - roc_auc_score(rows.positive, score))
    print(f"{name}: {1e3 * ours:.0f} ms, argsort {1e3 * sort:.0f} ms, off scikit-learn by {difference:.0e}")
    return verdict(f"area with interval / argsort, {name}", ours / sort, TARGET_SORT) & (difference < SAME)


def bootstrap(repeats: int, loop: int) -> bool:
    """Time the replicates against the loop, and compare both on equal resamples."""
    from sklearn.metrics import average_precision_score

    rows = cohort(BOOTSTRAP_ROWS, 2)
    assert rows.owners is not None
    random = np.random.default_rng(3)

    def resample() -> npt.NDArray[np.int64]:
        chosen = random.integers(0, rows.units, rows.units)
        return np.bincount(chosen, minlength=rows.units)[rows.owners]

    def ours() -> None:
        precision.measure(Predictions(rows.positive, rows.score, rows.owners), replicates=REPLICATES)

    def theirs() -> None:
        for _ in range(loop):
            average_precision_score(rows.positive, rows.score, sample_weight=resample())

    our_time, their_time = shortest([ours, theirs], repeats)
    their_time *= REPLICATES / loop
    weights = np.stack([resample() for _ in range(loop)])
    expected = [
        average_precision_score(rows.positive, rows.score, sample_weight=weight) for weight in weights
    ]
    difference = float(np.abs(precision.replicates(rows, weights) - expected).max())
    print(
        f"{REPLICATES:,} replicates of {BOOTSTRAP_ROWS:,} rows, {rows.units:,} patients: {our_time:.2f} s; "
        f"loop over scikit-learn {their_time:.1f} s, scaled from {loop} replicates"
    )
    print(f"equal resamples differ by {difference:.0e} at most, over {loop}")
    faster = verdict("a tenth of the loop's time / the bootstrap's", our_time * TARGET_LOOP / their_time, 1.0)
    print(f"that is {their_time / our_time:.1f} times as fast as the loop; wanted {TARGET_LOOP:g}")
    return faster & (difference < SAME)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--loop", type=int, default=20, help="replicates of the scikit-learn loop")
    options = parser.parse_args()
    print(f"{SORT_ROWS:,} rows, {os.cpu_count()} processors, numpy's sort as this machine dispatches it")
    met = [
        areas("random scores", None, options.repeats),
        areas("scores rounded to 3 decimals", 3, options.repeats),
        areas("scores rounded to 2 decimals", 2, options.repeats),
        bootstrap(max(2, options.repeats // 2), options.loop),
    ]
    return 0 if all(met) else 1


if __name__ == "__main__":
    sys.exit(main())
