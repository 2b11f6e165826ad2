"""The models of a suite: opened by name, loaded when first asked for, each dataset scored once."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeVar

from pytest_readmit.data.dataset import Dataset, Scores
from pytest_readmit.data.modelled import Modelled, scored_by
from pytest_readmit.errors import DataError, SuiteError, did_you_mean
from pytest_readmit.models.files import ModelFile
from pytest_readmit.models.model import Model, Models
from pytest_readmit.models.trust import Trust

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSpec:
    """
    Where a model is.

    Args:
        kind: ``path``, ``score``, or ``given`` for an estimator in memory.
        value: The path or column.
        base: The folder that relative paths start from.
        options: Further keys of the source: `sha256`, `name`.
        estimator: The estimator of kind ``given``.
    """

    kind: str
    value: str
    base: Path
    options: Mapping[str, Any] = field(default_factory=dict)
    estimator: Any = None


class Named(Protocol):
    """What a suite says of a model."""

    @property
    def kind(self) -> str: ...
    @property
    def value(self) -> str: ...
    @property
    def options(self) -> Mapping[str, Any]: ...


def model_specs(
    named: Mapping[str, Named], given: Mapping[str, Any], base: Path, folder: Path
) -> dict[str, ModelSpec]:
    """
    Return where each model is.

    Args:
        named: What the suite names.
        given: What the run brings itself in its place: an estimator or a path.
        base: The folder of the suite.
        folder: The folder that the run's own paths start from.

    Raises:
        SuiteError: The run brings a model that the suite does not know.
    """
    known = {*named, "champion", "challenger"}
    unknown = [name for name in given if name not in known]
    if unknown:
        raise SuiteError([f"no suite has a model {name!r}{did_you_mean(name, known)}" for name in unknown])
    specs = {
        name: ModelSpec(kind=source.kind, value=source.value, base=base, options=source.options)
        for name, source in named.items()
    }
    for name, model in given.items():
        if isinstance(model, str | Path):
            specs[name] = ModelSpec(kind="path", value=str(model), base=folder)
        else:
            specs[name] = ModelSpec(kind="given", value=type(model).__name__, base=folder, estimator=model)
    return specs


class ModelBook:
    """
    The models of one suite.

    Args:
        specs: Name → where it is.
        positive: The suite's `columns.positive_label`.
        score: The suite's `columns.score`.
        trust: What the operator trusts.
    """

    def __init__(
        self, specs: Mapping[str, ModelSpec], positive: Any, score: str | None, trust: Trust
    ) -> None:
        self._specs = dict(specs)
        self._positive = positive
        self._score = score
        self._trust = trust
        self._files = {
            name: ModelFile(spec.value, spec.base, _pin(spec))
            for name, spec in self._specs.items()
            if spec.kind == "path"
        }
        self._kept: dict[tuple[str, ...], Any] = {}
        self._views: dict[tuple[str, str], Dataset] = {}
        self._lock = threading.RLock()

    def seen(self, dataset: Dataset, wanted: str | None) -> Dataset:
        """
        Return a dataset as the model of a case scores it; as it is where scores are its own.

        Args:
            dataset: The whole dataset, without segment.
            wanted: The entry's `model`.
        """
        if wanted is None and (self._score is not None or not self._specs):
            return dataset
        key = (dataset.name, wanted or "")
        with self._lock:
            if key not in self._views:
                self._views[key] = Modelled(dataset, lambda: self._scores(wanted, dataset))
            return self._views[key]

    def models(self, wanted: str | None) -> Models:
        """Return the models for a check that asks them itself."""
        try:
            name, why = wanted or self._choice(), ""
        except DataError as error:
            name, why = None, str(error)
        return Models(self.load, tuple(self._specs), name, why)

    def load(self, name: str) -> Model:
        """
        Return a model.

        Raises:
            DataError: It cannot be had, or is not trusted.
        """
        return self._once((name,), lambda: self._load(name))

    def facts(self) -> dict[str, Any]:
        """Return what the record says of each model."""
        return {name: self._facts(name, spec) for name, spec in self._specs.items()}

    def _choice(self) -> str:
        """Return the model of a case that names none: the challenger, or the only one."""
        if not self._specs:
            raise DataError("the suite has no model: name one under `models`; a score column cannot be asked")
        if "challenger" in self._specs:
            return "challenger"
        if len(self._specs) > 1:
            known = ", ".join(self._specs)
            raise DataError(f"the suite has several models ({known}): name one with `model:`")
        return next(iter(self._specs))

    def _scores(self, wanted: str | None, dataset: Dataset) -> Scores:
        name = wanted or self._choice()
        spec = self._specs[name]
        if spec.kind == "score":
            return self._once((name, dataset.name), lambda: scored_by(dataset, spec.value))
        return self._once((name, dataset.name), lambda: self.load(name).score(dataset))

    def _once(self, key: tuple[str, ...], make: Callable[[], T]) -> T:
        """Return what was made before, or make it; an error is remembered too."""
        with self._lock:
            if key not in self._kept:
                try:
                    self._kept[key] = make()
                except DataError as error:
                    self._kept[key] = error
            found: T | DataError = self._kept[key]
        if isinstance(found, DataError):
            raise DataError(found.template)
        return found

    def _load(self, name: str) -> Model:
        spec = self._specs[name]
        if spec.kind == "given":
            return Model(name, spec.value, spec.estimator, self._positive)
        if spec.kind == "score":
            raise DataError(f"models.{name} is the score column {spec.value!r}; a model is needed")
        if spec.kind != "path":
            raise DataError(f"models.{name}: the `{spec.kind}` source is not available in this version")
        return Model(name, spec.value, self._files[name].load(self._trust), self._positive)

    def _facts(self, name: str, spec: ModelSpec) -> dict[str, Any]:
        file = self._files.get(name)
        return {
            "source": spec.value if spec.kind in ("path", "given") else f"{spec.kind}: {spec.value}",
            "name": str(spec.options.get("name") or name),
            "version": None,
            "run_id": None,
            "digest": None if file is None else file.digest,
        }


def _pin(spec: ModelSpec) -> str | None:
    pinned = spec.options.get("sha256")
    return None if pinned is None else str(pinned)
