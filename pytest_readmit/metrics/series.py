"""What holds of each suite, as families of Prometheus metrics."""

import importlib.util
import math
from collections.abc import Iterable, Sequence
from typing import Any

from pytest_readmit.errors import MissingExtra
from pytest_readmit.metrics.runs import Gate, Standing
from pytest_readmit.record import VERDICTS

MOST_SUITES = 200
"""The most suites of a folder that have series."""
MOST_GATES = 1000
"""The most cases of a suite that have series of their own."""
SIDES = ("lower", "upper")
DATASETS = ("reference", "current")
NO_EFFECT = {"joint_drift": 0.5}
"""What checks measure where nothing differs, if not 0, and not 1 as for a ratio."""
_GATE = ("suite", "check", "case")

LAST_RUN = "readmit_last_run_timestamp_seconds"
COMPLETE = "readmit_run_complete"
FAMILIES: dict[str, tuple[str, tuple[str, ...]]] = {
    LAST_RUN: ("When a run that decided gates of the suite last finished, seconds since 1970.", ("suite",)),
    COMPLETE: ("Whether every planned gate of the last run was decided: 1 or 0.", ("suite",)),
    "readmit_run_blocked": ("Whether the last run blocks, by a gate or by its own failure.", ("suite",)),
    "readmit_run_certified": ("Whether the last run is complete and every gate passed.", ("suite",)),
    "readmit_run_duration_seconds": ("How long the last run took.", ("suite",)),
    "readmit_run_gates": ("Gates of the last run by verdict.", ("suite", "verdict")),
    "readmit_run_info": (
        "Commit and pytest-readmit of the last run.",
        ("suite", "commit", "version"),
    ),
    "readmit_model_info": ("Models that the last run names.", ("suite", "role", "name", "version")),
    "readmit_gates_omitted": ("Gates beyond the most that have series of their own.", ("suite",)),
    "readmit_gate_verdict": ("1 for the verdict of the gate, 0 for the others.", (*_GATE, "verdict")),
    "readmit_gate_blocked": ("Whether the gate blocks.", _GATE),
    "readmit_gate_blocked_since_timestamp_seconds": (
        "When the first of its latest runs on end that blocked finished, seconds since 1970.",
        _GATE,
    ),
    "readmit_gate_estimate": ("The measured effect, in its own unit.", _GATE),
    "readmit_gate_bound": ("One-sided bounds of the effect.", (*_GATE, "side")),
    "readmit_gate_limit": ("The least (lower) and the most (upper) that is allowed.", (*_GATE, "side")),
    "readmit_gate_limit_used_ratio": ("How much of its limit the estimate uses; 1 is at the limit.", _GATE),
    "readmit_gate_rows": ("Usable rows that the gate rests on.", (*_GATE, "dataset")),
    "readmit_gate_undecided_runs": ("Latest runs on end in which the gate was inconclusive.", _GATE),
    "readmit_suites_omitted": ("Suites beyond the most that have series.", ()),
    "readmit_records_unreadable": ("Files of the folder that are no record or a damaged one.", ()),
    "readmit_records_unfinished": ("Records of runs that came to no end.", ()),
}


def need_client(feature: str) -> None:
    """
    Make sure that prometheus_client is there.

    Raises:
        MissingExtra: It is not.
    """
    if importlib.util.find_spec("prometheus_client") is None:
        raise MissingExtra(feature, "prometheus")


class Families:
    """The families, filled one series at a time; what has no finite value has no series."""

    def __init__(self) -> None:
        from prometheus_client.core import GaugeMetricFamily

        self._made = {
            name: GaugeMetricFamily(name, about, labels=labels) for name, (about, labels) in FAMILIES.items()
        }

    def add(self, name: str, labels: Sequence[str], value: float | None) -> None:
        if value is not None and math.isfinite(value):
            self._made[name].add_metric(labels, value)

    def collect(self) -> list[Any]:
        return [family for family in self._made.values() if family.samples]


def families(standings: Iterable[Standing], counts: dict[str, int] | None = None) -> Families:
    """
    Return the metrics of suites.

    Args:
        standings: What holds of each.
        counts: Values of metrics without labels.
    """
    made = Families()
    for name, count in (counts or {}).items():
        made.add(name, (), count)
    for standing in standings:
        _add_run(made, standing)
        gates = list(standing.run.gates[standing.suite].values())
        shown = sorted(gates, key=_matters_less)[:MOST_GATES] if len(gates) > MOST_GATES else gates
        made.add("readmit_gates_omitted", (standing.suite,), len(gates) - len(shown))
        for gate in shown:
            _add_gate(made, standing, gate)
    return made


def _matters_less(gate: Gate) -> tuple[bool, bool]:
    return not gate.blocked, gate.verdict == "pass"


def _add_run(made: Families, standing: Standing) -> None:
    run, suite = standing.run, (standing.suite,)
    gates = list(run.gates[standing.suite].values())
    made.add(LAST_RUN, suite, standing.decided)
    made.add(COMPLETE, suite, run.complete)
    blocked = not run.ended or not gates or any(gate.blocked for gate in gates)
    made.add("readmit_run_blocked", suite, blocked)
    certified = run.complete and bool(gates) and all(gate.verdict == "pass" for gate in gates)
    made.add("readmit_run_certified", suite, certified)
    made.add("readmit_run_duration_seconds", suite, run.seconds)
    for verdict in VERDICTS:
        made.add("readmit_run_gates", (*suite, verdict), sum(gate.verdict == verdict for gate in gates))
    made.add("readmit_run_info", (*suite, run.commit, run.version), 1)
    for model in run.models[standing.suite]:
        made.add("readmit_model_info", (*suite, model.role, model.name, model.version), 1)


def _add_gate(made: Families, standing: Standing, gate: Gate) -> None:
    labels = (standing.suite, gate.check, gate.case)
    for verdict in VERDICTS:
        made.add("readmit_gate_verdict", (*labels, verdict), gate.verdict == verdict)
    made.add("readmit_gate_blocked", labels, gate.blocked)
    made.add("readmit_gate_blocked_since_timestamp_seconds", labels, standing.blocked.get(gate.case))
    made.add("readmit_gate_estimate", labels, gate.estimate)
    for side, bound, limit in zip(SIDES, gate.bounds, gate.limits, strict=True):
        made.add("readmit_gate_bound", (*labels, side), bound)
        made.add("readmit_gate_limit", (*labels, side), limit)
    made.add("readmit_gate_limit_used_ratio", labels, _used(gate))
    for dataset, rows in zip(DATASETS, gate.rows, strict=True):
        made.add("readmit_gate_rows", (*labels, dataset), rows)
    made.add("readmit_gate_undecided_runs", labels, standing.undecided[gate.case])


def _used(gate: Gate) -> float | None:
    """
    Return how much of its limit an effect uses, counted from the value that means no effect.

    None where that value is not within the limits: an AUC of at least 0.7 has no part of its limit used up.
    """
    (lower, upper), estimate = gate.limits, gate.estimate
    if estimate is None or (lower is None and upper is None):
        return None
    start = NO_EFFECT.get(gate.check, 1.0 if _is_ratio(lower, upper) else 0.0)
    if (lower is not None and lower >= start) or (upper is not None and upper <= start):
        return None
    limit = upper if estimate > start else lower
    return 0.0 if limit is None else (estimate - start) / (limit - start)


def _is_ratio(lower: float | None, upper: float | None) -> bool:
    return lower is not None and upper is not None and 0 < lower < 1 < upper


def text(made: Families) -> str:
    """Return metrics as Prometheus reads them."""
    from prometheus_client import CollectorRegistry, generate_latest

    registry = CollectorRegistry()
    registry.register(made)
    return generate_latest(registry).decode("utf-8")
