"""May the challenger take the champion's place: both on the same rows, or by the metrics of their runs."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, model_validator

from pytest_readmit import (
    Case,
    Claim,
    Context,
    DataError,
    Dataset,
    Gate,
    Models,
    Schema,
    Scored,
    Share,
    check,
)
from pytest_readmit.stats.metrics import METRICS, MetricName
from readmit_checks import calibration as calibrated
from readmit_checks import claims, contest, limits
from readmit_checks import fairness as fair
from readmit_checks.contest import CHALLENGER, CHAMPION, Contest, Rule

AtLeastZero = Annotated[float, Field(ge=0)]
GUARD = "guard:"
LEVELS = ("calibration", "fairness")
KINDS = ("path", "mlflow", "score", "git", "dvc")


class Candidate(BaseModel):
    """Where another model that competed for the same place is."""

    model_config = limits.STRICT
    path: str | None = None
    mlflow: str | None = None
    score: str | None = None
    git: str | None = None
    dvc: str | None = None
    sha256: str | None = None
    rev: str | None = None
    repo: str | None = None
    name: str | None = None

    @model_validator(mode="after")
    def _one_kind(self) -> "Candidate":
        if len(set(KINDS) & self.model_fields_set) != 1:
            raise ValueError(f"name one source, such as {{score: COLUMN}}: one of {', '.join(KINDS)}")
        return self


class Guard(BaseModel):
    """How far a metric may go the wrong way."""

    model_config = limits.STRICT
    max_rise: AtLeastZero | None = None
    max_drop: AtLeastZero | None = None


class CalibrationGuard(BaseModel):
    """What the challenger's calibration must be; keys as in the check `calibration`."""

    model_config = limits.STRICT
    measures: dict[calibrated.MeasureName, limits.Range] | None = None
    bins: calibrated.Bins = 10


class FairnessGuard(BaseModel):
    """How the challenger must treat groups; keys as in the check `fairness`."""

    model_config = limits.STRICT
    threshold: Share
    measures: fair.Measures | None = None
    non_inferior_by: AtLeastZero | None = None
    columns: list[str] | None = None
    bins: dict[str, list[float]] | None = None
    intersections: list[list[str]] | None = None


class Guards(BaseModel):
    """What must not get worse."""

    model_config = limits.STRICT
    roc_auc: Guard | None = None
    average_precision: Guard | None = None
    brier: Guard | None = None
    brier_skill: Guard | None = None
    log_loss: Guard | None = None
    accuracy: Guard | None = None
    precision: Guard | None = None
    recall: Guard | None = None
    specificity: Guard | None = None
    npv: Guard | None = None
    f1: Guard | None = None
    balanced_accuracy: Guard | None = None
    net_benefit: Guard | None = None
    calibration: CalibrationGuard | None = None
    fairness: FairnessGuard | None = None


def _cases(parameters: Mapping[str, Any], schema: Schema) -> Sequence[Case]:
    if schema.selected is not None and "fairness" not in (parameters["guards"] or {}):
        # `columns` chooses the groups of that guard; the check says so.
        return [Case(parameters["metric"], {"guards": {"fairness": None}})]
    cases = [Case(parameters["metric"], {"guards": {}})]
    for name, given in (parameters["guards"] or {}).items():
        if name == "calibration":
            measures = given.get("measures") or calibrated.DEFAULT
            options = [
                (measure, {**given, "measures": {measure: allowed}}) for measure, allowed in measures.items()
            ]
        elif name == "fairness":
            options = list(_fairness_cases(given, schema))
        else:
            options = [("", given)]
        for subject, option in options:
            tail = f":{subject}" if subject else ""
            cases.append(Case(f"{GUARD}{name}{tail}", {"guards": {name: option}}))
    return cases


def _fairness_cases(given: Mapping[str, Any], schema: Schema) -> Iterator[tuple[str, Any]]:
    columns = given.get("columns") or schema.selected or [*schema.sensitive, *(given.get("bins") or {})]
    groups = [[name] for name in dict.fromkeys(columns)] + list(given.get("intersections") or ())
    for measure, allowed in fair.measures_of(given).items():
        for names in groups or [[]]:
            subject = f"{measure}:{'+'.join(names)}" if names else measure
            yield (
                subject,
                {**given, "measures": {measure: allowed}, "intersections": [names] if names else []},
            )


def _problems(parameters: Mapping[str, Any], decide_by: str) -> Iterator[tuple[str, str]]:
    metric = METRICS[parameters["metric"]]
    if metric.better is None:
        yield "metric", f"`{metric.name}` is best neither high nor low, so nothing improves it"
    if parameters["non_inferior_by"] is not None:
        for key in ("min_improvement", "proven_above"):
            if parameters[key] is not None:
                yield key, f"`{key}` and `non_inferior_by` are two rules; keep one"
    if decide_by == "p_value":
        yield "metric", "promotion compares with limits, not with a null hypothesis: leave p_value out"
    if parameters["logged_as"] and parameters["evidence"] == "rows":
        yield "logged_as", "`logged_as` names metrics of runs; it needs `evidence: logged`"
    if parameters["evidence"] == "logged":
        yield from _logged_problems(parameters, decide_by)
    yield from _guard_problems(parameters)
    used = [metric.name, *(name for name in parameters["guards"] or {} if name in METRICS)]
    if parameters["evidence"] == "rows":
        yield from limits.threshold_problems(dict.fromkeys(used), parameters["threshold"])


def _logged_problems(parameters: Mapping[str, Any], decide_by: str) -> Iterator[tuple[str, str]]:
    if decide_by == "interval":
        yield (
            "evidence",
            "logged metrics have no bounds: write `decide_by: estimate` beside `evidence: logged`",
        )
    if parameters["proven_above"] is not None:
        yield (
            "proven_above",
            "logged metrics have no bounds, so nothing can be proven: leave `proven_above` out",
        )
    if parameters["candidates"]:
        yield "candidates", "the correction for `candidates` needs bounds: leave out `evidence: logged`"
    for name in LEVELS:
        if name in (parameters["guards"] or {}):
            yield "guards", f"the guard `{name}` needs rows: leave out `evidence: logged`"


def _guard_problems(parameters: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, given in (parameters["guards"] or {}).items():
        if given is None:
            yield "guards", f"`{name}`: say how far it may change, such as {{max_rise: 0.002}}"
        elif name == "calibration":
            measures = given.get("measures")
            for problem in calibrated._problems(
                {"measures": calibrated.DEFAULT if measures is None else measures}, "interval"
            ):
                yield "guards", problem[1]
        elif name == "fairness":
            for problem in fair._problems(
                {"measures": None, "bins": None, "intersections": None, **given}, "interval"
            ):
                yield "guards", problem[1]
        else:
            right = f"max_{contest.worse(name)}"
            if set(given) != {right} or given[right] is None:
                yield (
                    "guards",
                    f"`{name}` gets worse by a {right.removeprefix('max_')}: write {{{right}: LIMIT}}",
                )


@check(
    cases=_cases,
    validate=_problems,
    inconclusive="block",
    rowless=lambda parameters: parameters["evidence"] == "logged",
    sources=lambda parameters: parameters["candidates"] or (),
)
def promotion(
    current: Dataset,
    models: Models,
    context: Context,
    *,
    metric: MetricName = "roc_auc",
    min_improvement: float | None = None,
    proven_above: float | None = None,
    non_inferior_by: AtLeastZero | None = None,
    guards: Guards | None = None,
    candidates: list[str | Candidate] | None = None,
    evidence: Literal["rows", "logged"] = "rows",
    logged_as: dict[MetricName, str] | None = None,
    threshold: Share | None = None,
    max_missing_label: Share = 0.05,
) -> Claim:
    """
    Is the challenger better than the champion on the same rows, and nothing that matters worse?

    Improvement is new - old, old - new for losses. It passes if the estimate is at least `min_improvement`
    and the lower bound is above `proven_above`; it fails where an improvement of `min_improvement` is ruled
    out; anything else is undecided, which blocks. Rows that lack the label or any of the scores are left
    out for both and counted. A model that never had a champion passes if the suite holds a blocking
    performance or calibration gate of the challenger.

    One case for the metric and one per guard.

    Args:
        metric: What must improve.
        min_improvement: The least improvement of the estimate. Default: 0.01.
        proven_above: The lower bound of the improvement must be above it. Default: 0.
        non_inferior_by: In place of both: the lower bound must not be below minus this.
        guards: What must not get worse: metric to {max_rise: x} or {max_drop: x}, calibration and fairness
            to the keys of the checks of these names, held by the challenger.
        candidates: Other models that competed on these rows; the bounds are corrected for their number.
            Without a challenger under `models` the best of them is judged.
        evidence: rows compares on the data; logged takes the metrics that the runs logged, strictly above
            `min_improvement`.
        logged_as: Metric to the name that the runs logged it under, such as {roc_auc: val_auc}.
        threshold: A score at or above it raises an alert; for the metrics that need one.
        max_missing_label: The largest share of missing labels, or of scores; above it the case is an error.

    Raises:
        DataError: A model cannot be had or gives no score; labels or scores are missing; a first model has
            no other gate; a logged metric is not there.

    References:
        roc_auc: DeLong, DeLong and Clarke-Pearson (1988), Biometrics 44, 837-845 (correlated areas).

    Example:
        data: {current: {demo: current}}
        columns: {target: readmitted_30d, positive_label: 1}
        models: {champion: {path: model.skops}, challenger: {score: risk}}
        checks:
          - promotion: {metric: roc_auc, min_improvement: 0.01}
    """
    rule = Rule(min_improvement=min_improvement, proven_above=proven_above, non_inferior_by=non_inferior_by)
    name, given = next(iter(dict(guards or {}).items()), (metric, None))
    if name in LEVELS and given is None:
        raise DataError(
            "`columns` chooses the groups of the guard `fairness`, which is not there: remove `columns`"
        )
    first = models.book.never_had(CHAMPION) if CHAMPION in models else None
    if first is not None:
        _is_its_first(models, first)
    if evidence == "logged":
        return _logged(models, rule, name, given, logged_as or {}, first)
    found = Contest.of(
        current,
        models,
        candidates or (),
        metric,
        threshold,
        max_missing=max_missing_label,
        vacant=first is not None,
    )
    if name in LEVELS and given is not None:
        side = models.scored(found.challenger(), current, max_missing_label)
        if first is None:
            return _held(name, dict(given), side, models, context)
        held = _held(name, {**given, "non_inferior_by": None}, side, models, context)
        if given.get("non_inferior_by") is None:
            return held
        return replace(held, summary=f"{held.summary}; {first!r} never had a champion to compare with")
    if first is not None:
        return contest.unopposed(found, name, _why_first(first, found.challenger(), context), models)
    if given is not None:
        return contest.guarded(found, name, _most(given), context)
    return contest.compared(found, rule, models, context)


def _held(name: str, given: Mapping[str, Any], side: Scored, models: Models, context: Context) -> Claim:
    """Return the Claim of a guard that the challenger must hold by itself."""
    if name == "calibration":
        return calibrated.calibration(side, context, measures=given["measures"], bins=given.get("bins", 10))
    return fair.fairness(
        side,
        models,
        context,
        threshold=given["threshold"],
        measures=given["measures"],
        non_inferior_by=given.get("non_inferior_by"),
        bins=given.get("bins"),
        intersections=given["intersections"],
    )


def _most(given: Mapping[str, Any]) -> float:
    return next(float(limit) for limit in given.values() if limit is not None)


def _is_its_first(models: Models, registered: str) -> None:
    """
    Hold a challenger without champion to be a version of the very model that never had one.

    Raises:
        DataError: It is another's, or nobody can tell.
    """
    if CHALLENGER not in models:
        raise DataError(f"{registered!r} never had a champion; name the challenger under `models`")
    if models.book.facts()[CHALLENGER]["name"] != registered:
        raise DataError(
            f"{registered!r} has no champion, and the challenger is no version of it: a wrong name would "
            "pass for a first model"
        )


def _why_first(registered: str, challenger: str, context: Context) -> str:
    """
    Return why a model passes that has no champion to be better than.

    Raises:
        DataError: The suite holds no gate that would stop a bad one.
    """
    gates = [gate.check for gate in context.gates if _stops(gate, challenger)]
    if not gates:
        raise DataError(
            f"{registered!r} never had a champion, so other gates must decide: add a `performance` or "
            f"`calibration` entry of severity block with limits that measures {challenger}"
        )
    named = " and ".join(dict.fromkeys(gates))
    return f"{registered!r} never had a champion, so {named} of the suite decide"


def _stops(gate: Gate, challenger: str) -> bool:
    levels = {"performance": "metrics", "calibration": "measures"}
    if gate.check not in levels or gate.model != challenger:
        return False
    limits_of = gate.parameters[levels[gate.check]].values()
    return any(limit is not None for allowed in limits_of for limit in allowed.values())


def _logged(
    models: Models,
    rule: Rule,
    name: str,
    given: Mapping[str, Any] | None,
    logged_as: Mapping[Any, str],
    first: str | None,
) -> Claim:
    """Return the Claim of what the runs logged."""
    key = logged_as.get(name, name)
    new = _metric(models, CHALLENGER, key)
    details: dict[str, Any] = {"logged_as": key, CHALLENGER: CHALLENGER, CHAMPION: None, "current": new}
    if first is not None:
        why = f"{first!r} never had a champion"
        summary = f"logged {key} is {claims.figure(new)} for challenger; {why}"
        return Claim(estimate=new, method="logged", summary=summary, details={**details, "first": True})
    old = _metric(models, CHAMPION, key)
    details |= {CHAMPION: CHAMPION, **claims.change(old, new)}
    better = old - new if METRICS[name].is_loss else new - old
    facts: dict[str, Any] = {"method": "logged", "details": details}
    if given is not None:
        facts["summary"] = f"logged {contest.said(key, details, -better, f'a {contest.worse(name)}')}"
        return Claim(estimate=-better, limit=_most(given), direction="at_most", **facts)
    facts["summary"] = f"logged {contest.said(key, details, better)}"
    return Claim(estimate=better, strict=rule.non_inferior_by is None, **rule.limit(bounds=False), **facts)


def _metric(models: Models, name: str, key: str) -> float:
    logged = models.book.logged(name)
    if key not in logged:
        known = ", ".join(sorted(logged)[:10]) or "none"
        raise DataError(
            f"the run of {name} logged no metric {key!r} (it logged {known}); name it with `logged_as`"
        )
    if not math.isfinite(logged[key]):
        raise DataError(f"the run of {name} logged a {key!r} that is no finite number")
    return logged[key]
