"""The models of a suite: opened by name, loaded when first asked for, each dataset scored once."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeVar

from pytest_readmit.data.dataset import Dataset, Scores
from pytest_readmit.data.modelled import Modelled, scored_by
from pytest_readmit.data.profiled import Profiled
from pytest_readmit.errors import DataError, ReadmitError, SuiteError, did_you_mean
from pytest_readmit.models import mlflow
from pytest_readmit.models.files import ModelFile
from pytest_readmit.models.model import Model, Models
from pytest_readmit.models.trust import Trust
from pytest_readmit.models.versions import VERSIONED, ModelVersion

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSpec:
    """
    Where a model is.

    Args:
        kind: ``path``, ``git``, ``dvc``, ``score``, ``mlflow``, or ``given`` for an estimator in memory.
        value: The path, column or address.
        base: The folder that relative paths start from.
        options: Further keys of the source: `sha256`, `name`, `rev`, `repo`; `pinned` where the version
            is settled already.
        estimator: The estimator of kind ``given``.
        uri: The MLflow store of kind ``mlflow``.
    """

    kind: str
    value: str
    base: Path
    options: Mapping[str, Any] = field(default_factory=dict)
    estimator: Any = None
    uri: str | None = field(default=None, repr=False)


class Named(Protocol):
    """What a suite says of a model."""

    @property
    def kind(self) -> str: ...
    @property
    def value(self) -> str: ...
    @property
    def options(self) -> Mapping[str, Any]: ...


def model_specs(
    named: Mapping[str, Named], given: Mapping[str, Any], base: Path, folder: Path, uri: str | None = None
) -> dict[str, ModelSpec]:
    """
    Return where each model is.

    Args:
        named: What the suite names.
        given: What the run brings itself in its place: an estimator or a path.
        base: The folder of the suite.
        folder: The folder that the run's own paths start from.
        uri: The MLflow store.

    Raises:
        SuiteError: The run brings a model that the suite does not know.
    """
    known = {*named, "champion", "challenger"}
    unknown = [name for name in given if name not in known]
    if unknown:
        raise SuiteError([f"no suite has a model {name!r}{did_you_mean(name, known)}" for name in unknown])
    specs = {
        name: ModelSpec(kind=source.kind, value=source.value, base=base, options=source.options, uri=uri)
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
        datasets: The opened datasets by name, without segments.
        brought: Name of a model that an entry brings itself → its source as written there.
    """

    def __init__(
        self,
        specs: Mapping[str, ModelSpec],
        positive: Any,
        score: str | None,
        trust: Trust,
        datasets: Mapping[str, Any] | None = None,
        brought: Mapping[str, Any] | None = None,
    ) -> None:
        self._specs = dict(specs)
        self._datasets = datasets or {}
        self._brought = brought or {}
        self._positive = positive
        self._score = score
        self._trust = trust
        self._files = {
            name: _file(spec) for name, spec in self._specs.items() if spec.kind in ("path", *VERSIONED)
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
        if isinstance(dataset, Profiled):
            return dataset.with_score(self._column(wanted))
        key = (dataset.name, wanted or "")
        with self._lock:
            if key not in self._views:
                self._views[key] = Modelled(dataset, lambda: self._scores(wanted, dataset))
            return self._views[key]

    def _column(self, wanted: str | None) -> str | None:
        """Return the column that holds a model's scores already; None where there is none."""
        try:
            spec = self._spec(wanted or self._choice())
        except DataError:
            return None
        return spec.value if spec.kind == "score" else None

    def models(self, wanted: str | None) -> Models:
        """Return the models for a check that asks them itself."""
        try:
            name, why = wanted or self._choice(), ""
        except DataError as error:
            name, why = None, str(error)
        return Models(self.load, tuple(self._specs), name, why, self)

    def measured(self, wanted: str | None) -> str | None:
        """Return the model whose scores an entry sees; None where it sees the score column."""
        if wanted is None and (self._score is not None or not self._specs):
            return None
        try:
            return wanted or self._choice()
        except DataError:
            return None

    def scores(self, name: str, dataset: Dataset) -> Scores:
        """
        Return a model's scores of every row of a dataset's table, whatever segment of it is asked.

        Raises:
            DataError: They cannot be had.
        """
        whole = self._datasets.get(dataset.name)
        return self._scores(name, whole if isinstance(whole, Dataset) else dataset)

    def logged(self, name: str) -> Mapping[str, float]:
        """
        Return the metrics that the run of a model logged in MLflow.

        Raises:
            DataError: It is no model of MLflow, no run made it, or they cannot be had.
        """
        spec = self._spec(name)
        if spec.kind != "mlflow" or spec.uri is None:
            raise DataError(f"models.{name} is not in MLflow, so no run logged metrics of it")
        run_id, uri = self._resolved(name).run_id, spec.uri
        if run_id is None:
            raise DataError(f"models.{name} ({spec.value}) names no run, so it has no logged metrics")
        return self._once(("logged", name), lambda: mlflow.metrics(run_id, uri))

    def never_had(self, name: str) -> str | None:
        """
        Return the registered model that has no such alias and never had a champion; None where there is one.

        Raises:
            DataError: The alias is missing although history names a champion.
        """
        spec = self._spec(name)
        if spec.kind != "mlflow" or spec.uri is None:
            return None
        uri = spec.uri
        return self._once(("never_had", name), lambda: mlflow.never_had(spec.value, uri))

    def uses(self, name: str, sha256: str) -> int | None:
        """Return how many versions of a registered model were judged on a dataset; None where unknown."""
        spec = self._spec(name)
        try:
            registered = self._resolved(name).name if spec.kind == "mlflow" else None
            if registered is None or spec.uri is None:
                return None
            return mlflow.holdout_uses(registered, sha256, spec.uri)
        except DataError:
            return None

    def named(self, source: Any) -> str:
        """Return the name of a model that an entry brings itself."""
        for name, known in self._brought.items():
            if known == source:
                return name
        raise DataError("an entry asks for a model that it did not bring")

    def _spec(self, name: str) -> ModelSpec:
        if name not in self._specs:
            known = ", ".join(self._specs) or "none"
            raise DataError(f"the suite names no model {name!r} under `models` (it has {known})")
        return self._specs[name]

    def _resolved(self, name: str) -> "mlflow.Resolved":
        spec = self._specs[name]
        assert spec.uri is not None  # noqa: S101 - a plan is refused without it
        uri, source = spec.uri, str(spec.options.get("pinned", spec.value))
        return self._once(("resolved", name), lambda: mlflow.resolve(source, uri))

    def load(self, name: str) -> Model:
        """
        Return a model.

        Raises:
            DataError: It cannot be had, or is not trusted.
        """
        return self._once((name,), lambda: self._load(name))

    def pins(self) -> dict[str, str]:
        """Return the version of each model whose source may name another one later."""
        pins = {name: self._pinned(name, spec) for name, spec in self._specs.items()}
        return {name: pin for name, pin in pins.items() if pin is not None}

    def _pinned(self, name: str, spec: ModelSpec) -> str | None:
        file = self._files.get(name)
        if isinstance(file, ModelVersion):
            return file.version
        if spec.kind != "mlflow" or spec.uri is None:
            return None
        try:
            return mlflow.version_of(spec.value, spec.uri)
        except ReadmitError:  # whoever asks for the model is told
            return None

    def facts(self) -> dict[str, Any]:
        """Return what the record says of each model."""
        return {name: self._facts(name, spec) for name, spec in self._specs.items()}

    def _choice(self) -> str:
        """Return the model of a case that names none: the challenger, or the only one."""
        named = [name for name in self._specs if name not in self._brought]
        if not named:
            raise DataError("the suite has no model: name one under `models`; a score column cannot be asked")
        if "challenger" in named:
            return "challenger"
        if len(named) > 1:
            known = ", ".join(named)
            raise DataError(f"the suite has several models ({known}): name one with `model:`")
        return named[0]

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
        if spec.kind == "mlflow":
            return Model(name, spec.value, self._of_mlflow(name, spec), self._positive)
        if name not in self._files:
            raise DataError(f"models.{name}: the `{spec.kind}` source is not available in this version")
        return Model(name, spec.value, self._files[name].load(self._trust), self._positive)

    def _of_mlflow(self, name: str, spec: ModelSpec) -> Any:
        """Return the estimator of a model in MLflow, by our rules of trust: MLflow would run its code."""
        found, pin = self._resolved(name), _pin(spec)
        path = mlflow.model_file(found)
        if pin is not None and found.digest.removeprefix("sha256:") != pin.removeprefix("sha256:").lower():
            raise DataError(
                f"{spec.value} is not the model that its sha256: pins; it was replaced or damaged"
            )
        file = ModelFile(spec.value, found.path, pin and found.files[path], path=found.path / path)
        if file.digest != found.files[path]:
            raise DataError(f"{spec.value}: its file changed while it was read")
        return file.load(self._trust)

    def _mlflow_facts(self, name: str) -> dict[str, Any]:
        facts: dict[str, Any] = {"name": None, "version": None, "run_id": None, "digest": None}
        try:
            found = self._resolved(name)
        except ReadmitError:
            return facts
        return {key: getattr(found, key) for key in facts}

    def _facts(self, name: str, spec: ModelSpec) -> dict[str, Any]:
        if spec.kind == "mlflow":
            return {"source": f"mlflow: {spec.value}", **self._mlflow_facts(name)}
        file = self._files.get(name)
        return {
            "source": spec.value if spec.kind in ("path", "given") else f"{spec.kind}: {spec.value}",
            "name": str(spec.options.get("name") or name),
            "version": file.version if isinstance(file, ModelVersion) else None,
            "run_id": None,
            "digest": None if file is None else file.digest,
        }


def _file(spec: ModelSpec) -> ModelFile:
    if spec.kind in VERSIONED:
        return ModelVersion(spec.kind, spec.value, spec.options, spec.base, _pin(spec))
    return ModelFile(spec.value, spec.base, _pin(spec))


def _pin(spec: ModelSpec) -> str | None:
    pinned = spec.options.get("sha256")
    return None if pinned is None else str(pinned)
