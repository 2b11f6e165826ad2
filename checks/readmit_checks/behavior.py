"""Does the model behave: the same prediction whoever pays, no lower one for more of what harms?"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from pytest_readmit import Case, Claim, Context, DataError, Dataset, Model, Models, Schema, check
from readmit_checks import claims
from readmit_checks.patients import Generator, Patient, Values, row_of, table_of, values_of

TOLERANCE = 1e-6
"""Predictions that differ by less are taken for equal: models count in single precision too."""
OUTSIDE = 1e-9


class Monotonic(BaseModel):
    """A feature that may only raise (`up`) or only lower (`down`) the prediction."""

    model_config = ConfigDict(extra="forbid", strict=True)

    feature: str
    direction: Literal["up", "down"]


def _problems(parameters: Mapping[str, Any], _: str) -> Iterator[tuple[str, str]]:
    if not (parameters["monotonic"] or parameters["invariant"] or parameters["bounded"]):
        yield "bounded", "nothing to check: give `monotonic`, `invariant` or `bounded: true`"
    named = [each["feature"] for each in parameters["monotonic"]]
    for key, features in (("monotonic", named), ("invariant", list(parameters["invariant"]))):
        twice = sorted({name for name in features if features.count(name) > 1})
        if twice:
            yield key, f"{twice[0]!r} is named twice"


def _properties(parameters: Mapping[str, Any], _: Schema) -> list[Case]:
    nothing: dict[str, Any] = {"monotonic": (), "invariant": (), "bounded": False}
    found = [
        Case(f"monotonic:{each['feature']}", {**nothing, "monotonic": (each,)})
        for each in parameters["monotonic"]
    ]
    found += [
        Case(f"invariant:{name}", {**nothing, "invariant": (name,)}) for name in parameters["invariant"]
    ]
    return [*found, Case("bounded", {**nothing, "bounded": True})] if parameters["bounded"] else found


@check(cases=_properties, validate=_problems, census=True)
def behavior(
    reference: Dataset,
    models: Models,
    context: Context,
    *,
    monotonic: tuple[Monotonic, ...] = (),
    invariant: tuple[str, ...] = (),
    bounded: bool = True,  # noqa: ARG001 - what is left where no feature is named
    examples: Annotated[int, Field(ge=1, le=10_000)] = 200,
) -> Claim:
    """
    Does the model behave under generated patients?

    The patients are drawn by Hypothesis from what the reference's columns hold, each column on its own, of
    values that at least `min_cell` rows stand behind; rare ones come up more often than in the data. A
    feature under test runs through all such values of its own, and how many rows hold others, which were
    not tried, is said. Differences below one in a million count as none.

    One case per property: `monotonic:FEATURE`, `invariant:FEATURE`, `bounded`.

    Args:
        monotonic: Features that may only raise (`up`) or only lower (`down`) the prediction.
        invariant: Features that may not change the prediction.
        bounded: Whether every prediction must be a number from 0 to 1.
        examples: How many patients to draw.

    Raises:
        DataError: A feature is not there, holds no numbers where an order is asked, or has fewer than two
            values that enough rows share; the model takes no such feature or gives no number.
        MissingExtra: Hypothesis is not installed.

    Example:
        data: {reference: {demo: reference}}
        columns: {target: readmitted_30d, positive_label: 1}
        models: {challenger: {path: model.skops}}
        checks:
          - behavior: {monotonic: [{feature: prior_admissions, direction: up}], invariant: [sex]}
    """
    model = models.chosen
    names = model.columns(reference)
    rule = _rule([dict(each) for each in monotonic], invariant)
    if rule.feature is not None and rule.feature not in names:
        return _untouched(reference, model, rule)
    frame = reference.frame(names)
    values = [values_of(name, frame[name], context.min_cell) for name in names]
    return _Trial(model, values, rule, context).claim(reference, examples)


@dataclass(frozen=True, slots=True)
class _Rule:
    """
    One property of a model.

    Args:
        name: ``monotonic``, ``invariant`` or ``bounded``.
        feature: The column that it is about; None for `bounded`.
        sign: 1 where predictions may only rise with the feature, -1 where they may only fall.
    """

    name: str
    feature: str | None = None
    sign: int = 1

    @property
    def tolerance(self) -> float:
        return OUTSIDE if self.feature is None else TOLERANCE

    def excess(self, curves: np.ndarray) -> np.ndarray:
        """Return how far each step of each patient's predictions breaks the rule, shape (patients, steps)."""
        if self.name == "monotonic":
            return np.asarray(-self.sign * np.diff(curves, axis=1))
        if self.name == "invariant":
            return np.asarray(np.ptp(curves, axis=1, keepdims=True))
        beyond = np.maximum(curves - 1, -curves)
        return np.where(np.isnan(curves), np.inf, beyond)

    def step(self, curve: np.ndarray) -> tuple[int, int]:
        """Return between which places of one patient's predictions the rule is broken most."""
        if self.name == "invariant":
            first, last = sorted((int(np.argmin(curve)), int(np.argmax(curve))))
            return first, last
        worst = int(np.argmax(self.excess(curve[None])[0]))
        return worst, worst + (self.name == "monotonic")

    def broken(self, before: float, after: float) -> str:
        """Say how it is broken."""
        first, last = _apart(before, after)
        if self.feature is None:
            return f"prediction is {first}, no number from 0 to 1"
        if self.name == "invariant":
            return f"prediction goes from {first} to {last}"
        return f"prediction {'falls' if self.sign > 0 else 'rises'} from {first} to {last}"

    def held(self) -> str:
        """Say how it is kept."""
        if self.feature is None:
            return "prediction is a number from 0 to 1"
        if self.name == "invariant":
            return f"prediction does not change with {self.feature}"
        return f"prediction never {'falls' if self.sign > 0 else 'rises'} as {self.feature} rises"


def _rule(monotonic: Sequence[Mapping[str, Any]], invariant: Sequence[str]) -> _Rule:
    if monotonic:
        wanted = monotonic[0]
        return _Rule("monotonic", wanted["feature"], 1 if wanted["direction"] == "up" else -1)
    return _Rule("invariant", invariant[0]) if invariant else _Rule("bounded")


def _apart(before: float, after: float) -> tuple[str, str]:
    """Return two numbers with as many digits as it takes to tell them apart."""
    for digits in range(3, 17):
        texts = f"{before:.{digits}g}", f"{after:.{digits}g}"
        if texts[0] != texts[1]:
            break
    return texts


class _Trial:
    """A model, asked about generated patients."""

    def __init__(self, model: Model, values: Sequence[Values], rule: _Rule, context: Context) -> None:
        self._model = model
        self._rule = rule
        self._names = [each.name for each in values]
        self._others = [each for each in values if each.name != rule.feature]
        self._tested = next((each for each in values if each.name == rule.feature), None)
        self._context = context
        if self._tested is not None:
            self._need_values(self._tested)

    def _need_values(self, tested: Values) -> None:
        if self._rule.name == "monotonic" and not tested.ordered:
            raise DataError(f"column {tested.name!r} holds no numbers: more and less of it mean nothing")
        if self._steps(tested) < 2:
            raise DataError(
                f"column {tested.name!r} has fewer than two values that at least {self._context.min_cell} "
                "rows share: nothing can be asked of it"
            )

    def _steps(self, tested: Values) -> int:
        return tested.known if self._rule.name == "monotonic" else len(tested.array)

    def curves(self, patients: Sequence[Patient]) -> np.ndarray:
        """Return predictions while the feature runs through its values, shape (patients, values)."""
        if self._tested is None:
            return self._model.predict(table_of(self._others, patients)).reshape(-1, 1)
        steps = self._steps(self._tested)
        repeated = [patient for patient in patients for _ in range(steps)]
        columns = table_of(self._others, repeated)
        columns[self._tested.name] = np.tile(self._tested.array[:steps], len(patients))
        found = self._model.predict({name: columns[name] for name in self._names}).reshape(-1, steps)
        if not np.isfinite(found).all():
            raise DataError("the model gives no number for some generated patients (see `bounded`)")
        return found

    def _breaks(self, patients: Sequence[Patient]) -> list[bool]:
        worst = self._rule.excess(self.curves(patients)).max(axis=1)
        return [bool(breaks) for breaks in worst > self._rule.tolerance]

    def claim(self, reference: Dataset, examples: int) -> Claim:
        """Return the Claim: how many of the patients drawn break the rule."""
        generator = Generator(self._others, examples, self._context.seed)
        patients = generator.patients()
        broken = dict(zip(patients, self._breaks(patients), strict=True))
        failing = [patient for patient, breaks in broken.items() if breaks]
        said, share = self._rule.held(), "all"
        untried = self._untried(reference.rows)
        details: dict[str, Any] = {}
        if failing:
            share = f"{len(failing)} of"

            def fails(patient: Patient) -> bool:
                if patient not in broken:
                    broken[patient] = self._breaks([patient])[0]
                return broken[patient]

            smallest = self._nearest(generator.smallest(fails) or failing[0])
            said, details = self._counterexample(smallest)
        return Claim(
            estimate=float(len(failing)),
            limit=0.0,
            method="generated patients",
            summary=f"{said}, for {share} {len(patients)} generated patients"
            + (f"; {untried}" if untried else ""),
            n_reference=reference.rows,
            details={"examples": len(patients), **details, **({"notes": [untried]} if untried else {})},
        )

    def _untried(self, rows: int) -> str:
        """Say how many rows hold values of the feature that the model was not asked about."""
        if self._tested is None or self._tested.rows >= rows:
            return ""
        left, fewest = rows - self._tested.rows, self._context.min_cell
        many = claims.percent(left / rows) if left >= fewest else self._context.count(left)
        return (
            f"values of {self._tested.name} that fewer than {fewest} rows share were not tried "
            f"({many} of the rows)"
        )

    def _nearest(self, patient: Patient) -> Patient:
        """Return the patient with each column, on its own, as typical as it can be."""
        for place, each in enumerate(self._others):
            order = list(dict.fromkeys(each.slots.tolist()))
            nearer = order[: order.index(patient[place])]
            trials = [(*patient[:place], value, *patient[place + 1 :]) for value in nearer]
            breaks = self._breaks(trials) if trials else []
            patient = next((trial for trial, bad in zip(trials, breaks, strict=True) if bad), patient)
        return patient

    def _counterexample(self, patient: Patient) -> tuple[str, dict[str, Any]]:
        curve = self.curves([patient])[0]
        first, last = self._rule.step(curve)
        said = self._rule.broken(float(curve[first]), float(curve[last]))
        before = dict(row_of(self._others, patient))
        if self._tested is None:
            rows = [[name, before[name]] for name in self._names]
            shown = [*rows, ["prediction", f"{curve[0]:.6g}"]]
            return said, {"table": {"columns": ["feature", "value"], "rows": shown}}
        values = self._tested.text(first), self._tested.text(last)
        rows = [
            [name, *(values if name == self._tested.name else (before[name],) * 2)] for name in self._names
        ]
        shown = [*rows, ["prediction", *_apart(float(curve[first]), float(curve[last]))]]
        said += f" where {self._tested.name} goes from {values[0]} to {values[1]}"
        return said, {"table": {"columns": ["feature", "before", "after"], "rows": shown}}


def _untouched(reference: Dataset, model: Model, rule: _Rule) -> Claim:
    """Return the Claim for a feature that the model does not take."""
    name = reference.field(str(rule.feature)).name
    if rule.name == "monotonic":
        raise DataError(f"models.{model.name} does not take {name!r}: nothing can be asked of it")
    return Claim(
        estimate=0.0,
        limit=0.0,
        method="generated patients",
        summary=f"models.{model.name} does not take {name}, so its predictions do not depend on it",
        n_reference=reference.rows,
    )
