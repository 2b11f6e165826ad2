"""A model and the probability that it gives the positive label."""

import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from pytest_readmit.data.dataset import Dataset, Scored, Scores
from pytest_readmit.data.labels import as_list, label_text
from pytest_readmit.data.modelled import feature_order, scored_rows
from pytest_readmit.data.table import Family
from pytest_readmit.errors import DataError, counted, did_you_mean

if TYPE_CHECKING:
    import pandas as pd

    Frame = pd.DataFrame | Mapping[str, np.ndarray]

ROWS_AT_ONCE = 200_000
ROUNDING = 1e-9
_FAMILIES: Mapping[str, Family] = {"b": "bool", "i": "integer", "u": "integer", "f": "float"}


class Model:
    """
    A fitted classifier in the way of scikit-learn.

    Args:
        name: As the suite calls it.
        source: Where it came from, for messages.
        estimator: Has `predict_proba` and `classes_`.
        positive: The suite's `columns.positive_label`.
    """

    def __init__(self, name: str, source: str, estimator: Any, positive: Any) -> None:
        self.name = name
        self.source = source
        self._estimator = estimator
        self._where = f"models.{name} ({source})"
        if not callable(getattr(estimator, "predict_proba", None)):
            raise DataError(
                f"{self._where} is a {type(estimator).__name__} without predict_proba: "
                "a gate needs predicted probabilities"
            )
        self._positive = _positive_classes(estimator, positive, self._where)

    def __repr__(self) -> str:
        return f"Model({self.name!r}, {self.source!r})"

    @property
    def features(self) -> tuple[str, ...] | None:
        """The columns it was fitted on, in order; None where it does not tell."""
        names = getattr(self._estimator, "feature_names_in_", None)
        return None if names is None else tuple(str(name) for name in names)

    def columns(self, dataset: Dataset) -> tuple[str, ...]:
        """
        Return the columns of a dataset that the model takes, in order.

        Raises:
            DataError: Some are not there; names each with the nearest that is. One is the target.
        """
        names = self.features or self._by_place(dataset)
        if dataset.roles.target in names:
            target = dataset.roles.target
            raise DataError(f"{self._where} takes the target {target!r} as an input: no gate can judge it")
        known = [field.name for field in dataset.fields]
        absent = [f"{name!r}{did_you_mean(name, known)}" for name in names if not dataset.has(name)]
        if absent:
            lacking = "; ".join(absent)
            raise DataError(f"{self._where} was fitted on columns that {dataset.source} lacks: {lacking}")
        return names

    def _by_place(self, dataset: Dataset) -> tuple[str, ...]:
        """Return the features in the reference's order, for a model that does not tell its columns."""
        takes = getattr(self._estimator, "n_features_in_", None)
        names = feature_order(dataset)
        if takes is not None and takes != len(names):
            raise DataError(
                f"{self._where} takes {takes} columns and does not tell their names; {dataset.source} has "
                f"{len(names)} features: list the columns in its order under columns.features"
            )
        return names

    def predict(self, frame: "Frame") -> np.ndarray:
        """
        Return the probability of the positive label, shape (rows,), as the model gives it.

        Args:
            frame: Its columns, as a pandas frame or a mapping from name to array.

        Raises:
            DataError: The model fails, or gives something else than a probability for each class and row.
        """
        import pandas as pd

        table = frame if isinstance(frame, pd.DataFrame) else pd.DataFrame(dict(frame))
        starts = range(0, len(table), ROWS_AT_ONCE)
        parts = [self._probabilities(table.iloc[start : start + ROWS_AT_ONCE]) for start in starts]
        return np.concatenate([np.zeros(0), *parts])

    def _probabilities(self, rows: Any) -> np.ndarray:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                found = np.asarray(self._estimator.predict_proba(rows), dtype=np.float64)
        except Exception as error:  # its text could quote cells
            raise DataError(f"{self._where} could not predict ({type(error).__name__})") from None
        if found.shape != (len(rows), len(self._positive)):
            raise DataError(f"{self._where} gives no probability for each of its classes and each row")
        return np.asarray(found[:, self._positive].sum(axis=1))

    def score(self, dataset: Dataset) -> Scores:
        """
        Return the scores of every row of a dataset's table.

        Raises:
            DataError: A column is missing, the model fails, or a prediction is no number.
        """
        values = self.predict(dataset.frame(self.columns(dataset)))
        absent = int(np.count_nonzero(np.isnan(values)))
        if absent:
            raise DataError(f"{self._where} gives no number for {counted(absent)} rows of {dataset.source}")
        inside = np.clip(values, 0.0, 1.0)
        values = np.where(np.abs(values - inside) <= ROUNDING, inside, values)
        return scored_rows(dataset, values, f"models.{self.name}")


def _positive_classes(estimator: Any, positive: Any, where: str) -> np.ndarray:
    """Return which of the model's classes are positive, shape (classes,) of bools."""
    classes = getattr(estimator, "classes_", None)
    if classes is None or np.ndim(classes) != 1:
        raise DataError(f"{where} has no classes_: which probability is the positive label's is unknown")
    if positive is None:
        raise DataError(f"{where}: columns.positive_label is not set; it is never guessed")
    array = np.asarray(classes)
    family = _FAMILIES.get(array.dtype.kind, "text")
    texts = [_class_text(value, family) for value in array.tolist()]
    wanted = {label_text(value, family) for value in as_list(positive)}
    found = np.array([text in wanted or (text.lower() in wanted & {"true", "false"}) for text in texts])
    if found.all() or not found.any():
        many = "every one" if found.all() else "none"
        kind = {"bool": "truth values", "text": "texts"}.get(family, "numbers")
        raise DataError(
            f"{where}: {many} of its {len(texts)} classes ({kind}) is columns.positive_label; if the "
            "model calls the label otherwise than the data, list both: positive_label: [LABEL, CLASS]"
        )
    return found


def _class_text(value: Any, family: Family) -> str:
    if family == "text" and isinstance(value, bool | np.bool_):
        return str(bool(value)).lower()
    return label_text(value, family)


class Book(Protocol):
    """What is known of models beside the models themselves; see `ModelBook`."""

    def scores(self, name: str, dataset: Dataset) -> Scores: ...
    def logged(self, name: str) -> Mapping[str, float]: ...
    def never_had(self, name: str) -> str | None: ...
    def facts(self) -> Mapping[str, Mapping[str, Any]]: ...
    def named(self, source: Any) -> str: ...
    def uses(self, name: str, sha256: str) -> int | None: ...


class Models(Mapping[str, Model]):
    """
    The models of a suite, each loaded when it is first asked for.

    Args:
        load: Name of a model → the model, or a DataError.
        names: Their names.
        chosen: The name of the model that the case is about; None where it is not about one.
        why: Why it is about none.
        book: Where scores, logged metrics and the registry's facts are asked for.
    """

    __readmit_injected__ = "models"

    def __init__(
        self,
        load: Callable[[str], Model],
        names: tuple[str, ...],
        chosen: str | None,
        why: str = "",
        book: Book | None = None,
    ) -> None:
        self._load = load
        self._names = names
        self._chosen = chosen
        self._why = why
        self._book = book

    def __getitem__(self, name: str) -> Model:
        if name not in self._names:
            raise KeyError(name)
        return self._load(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __contains__(self, name: object) -> bool:
        return name in self._names  # to ask for the model would load it

    def __len__(self) -> int:
        return len(self._names)

    @property
    def chosen(self) -> Model:
        """
        The model that the case is about.

        Raises:
            DataError: There is none, or it cannot be had.
        """
        if self._chosen is None:
            raise DataError(self._why)
        return self._load(self._chosen)

    @property
    def book(self) -> Book:
        """
        What is known of the models beside the models themselves.

        Raises:
            DataError: They belong to no suite.
        """
        if self._book is None:
            raise DataError("these models belong to no suite")
        return self._book

    def scored(self, name: str, dataset: Dataset, max_missing: float) -> Scored:
        """
        Return the rows of a dataset that have a label and a score of one of the models.

        Raises:
            DataError: The model cannot be had, or its scores are no probabilities.
        """
        if name not in self._names:
            known = ", ".join(self._names) or "none"
            raise DataError(f"the suite names no model {name!r} under `models` (it has {known})")
        return dataset.scored(max_missing, given=self.book.scores(name, dataset))
