"""Which features a model leans on: its own importances, permutation importance, SHAP."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_readmit.errors import MissingExtra
from pytest_readmit.tracking.datasets import kind_of

if TYPE_CHECKING:
    import pandas as pd

SHOWN = 20
SHAP_ROWS = 500
SHAP_SEED = 42
_BACKGROUND = 25
_PERMUTED = 2000
_REPEATS = 5


@dataclass(frozen=True, slots=True)
class Importance:
    """
    Importance of each feature, the largest first.

    Args:
        method: How it was measured, in words.
        values: Feature and value, at most SHOWN.
    """

    method: str
    values: list[tuple[str, float]]

    def to_json(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        features, values = [name for name, _ in self.values], [value for _, value in self.values]
        return {"method": self.method, "features": features, "values": values}


def importance(
    model: Any, data: "pd.DataFrame", positive: "np.ndarray[Any, Any]", *, seed: int
) -> Importance:
    """
    Return the model's own importances where it has one for each column, else permutation importance.

    The latter is the mean loss of ROC AUC over 5 shuffles of a column, on at most 2000 rows.
    """
    own = getattr(model, "feature_importances_", None)
    if own is not None and np.shape(own) == (data.shape[1],):
        return Importance("the model's feature_importances_", _largest(list(data.columns), np.asarray(own)))
    from sklearn.metrics import roc_auc_score
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    draw = np.random.default_rng(seed)
    rows = np.sort(draw.permutation(len(data))[:_PERMUTED])
    some, labels = data.iloc[rows].reset_index(drop=True), positive[rows]
    lost = np.zeros(data.shape[1])
    with threadpool_limits(limits=1):
        # Whichever class comes last: the area lost is the same for either.
        whole = roc_auc_score(labels, _last(model, some))
        for place, name in enumerate(data.columns):
            for _ in range(_REPEATS):
                order = draw.permutation(len(some))
                shuffled = some.assign(**{name: some[name].iloc[order].set_axis(some.index)})
                lost[place] += (whole - roc_auc_score(labels, _last(model, shuffled))) / _REPEATS
    if whole < 0.5:
        lost = -lost
    return Importance("mean loss of ROC AUC when the column is shuffled", _largest(list(data.columns), lost))


def _last(model: Any, data: "pd.DataFrame") -> "np.ndarray[Any, Any]":
    return np.asarray(model.predict_proba(data))[:, -1]


def _largest(names: list[str], values: "np.ndarray[Any, Any]") -> list[tuple[str, float]]:
    order = np.argsort(-np.asarray(values, dtype=np.float64), kind="stable")[:SHOWN]
    return [(names[place], float(values[place])) for place in order]


@dataclass(frozen=True, slots=True)
class Shap:
    """
    SHAP values of a sample of rows.

    Args:
        features: The columns, the largest mean |value| first.
        means: Mean |value| of each, in units of probability.
        values: Shape (rows, features).
        places: Rank of each cell in its column, 0 to 1, NaN where it has none; same shape.
    """

    features: list[str]
    means: list[float]
    values: "np.ndarray[Any, Any]"
    places: "np.ndarray[Any, Any]"

    @property
    def importance(self) -> Importance:
        """The summary."""
        method = f"mean |SHAP value| on {len(self.values)} rows, in units of probability"
        return Importance(method, list(zip(self.features, self.means, strict=True))[:SHOWN])


def shap_values(score: Callable[["pd.DataFrame"], "np.ndarray[Any, Any]"], data: "pd.DataFrame") -> Shap:
    """
    Return SHAP values of the predicted probability on a seeded sample of at most 500 rows.

    Raises:
        MissingExtra: shap is not installed.
    """
    try:
        import shap
    except ImportError:
        raise MissingExtra("the SHAP summary", "explain") from None
    from threadpoolctl import threadpool_limits

    sample = data.sample(SHAP_ROWS, random_state=SHAP_SEED) if len(data) > SHAP_ROWS else data
    # A row number stands for each cell: SHAP takes numbers only, and columns may hold text.
    coded = np.repeat(np.arange(len(sample), dtype=np.float64)[:, None], sample.shape[1], axis=1)
    background = coded[np.random.default_rng(SHAP_SEED).permutation(len(coded))[:_BACKGROUND]]
    masker = shap.maskers.Independent(background, max_samples=_BACKGROUND)
    state = np.random.get_state()  # SHAP seeds and uses the global generator
    try:
        explainer = shap.explainers.Permutation(
            lambda rows: score(_decoded(sample, rows)), masker, seed=SHAP_SEED
        )
        with threadpool_limits(limits=1):
            found = explainer(coded, max_evals=2 * coded.shape[1] + 1, silent=True)
    finally:
        np.random.set_state(state)
    values = np.asarray(found.values, dtype=np.float64)
    means = np.abs(values).mean(axis=0)
    order = np.argsort(-means, kind="stable")
    names = [str(data.columns[place]) for place in order]
    return Shap(names, [float(means[place]) for place in order], values[:, order], _places(sample)[:, order])


def _decoded(sample: "pd.DataFrame", rows: "np.ndarray[Any, Any]") -> "pd.DataFrame":
    import pandas as pd

    chosen = rows.astype(np.intp)
    columns = {
        name: sample[name].take(chosen[:, place]).reset_index(drop=True)
        for place, name in enumerate(sample.columns)
    }
    return pd.DataFrame(columns, columns=list(sample.columns))


def _places(sample: "pd.DataFrame") -> "np.ndarray[Any, Any]":
    """Return the share of a column's values that are at most each one's; NaN where they have no order."""
    found = np.full(sample.shape, np.nan)
    for place, name in enumerate(sample.columns):
        if kind_of(sample[name]) != "text":
            found[:, place] = sample[name].rank(pct=True).to_numpy(dtype=np.float64, na_value=np.nan)
    return found
