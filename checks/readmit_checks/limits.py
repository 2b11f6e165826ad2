"""Floors and ceilings as a suite writes them: `{min: 0.7}`, `{min: 0.8, max: 1.25}`, `{}` to report only."""

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict

from pytest_readmit.stats.metrics import METRICS

STRICT = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


class Range(BaseModel):
    """What a value may be: at least `min`, at most `max`; with neither it is reported only."""

    model_config = STRICT
    min: float | None = None
    max: float | None = None


def of_range(allowed: Mapping[str, float | None]) -> dict[str, Any]:
    """Return the limit and direction of a Claim that must stay within a Range."""
    low, high = allowed.get("min"), allowed.get("max")
    if low is None:
        return {"limit": high, "direction": "at_most"}
    if high is None:
        return {"limit": low, "direction": "at_least"}
    return {"limit": (low, high), "direction": "within"}


def range_problems(
    name: str, allowed: Mapping[str, float | None], lowest: float, highest: float
) -> Iterator[str]:
    """Return what is wrong with the Range of a value that can be from `lowest` to `highest`."""
    low, high = allowed.get("min"), allowed.get("max")
    for key, limit in (("min", low), ("max", high)):
        if limit is not None and not lowest <= limit <= highest:
            where = _interval(lowest, highest)
            yield f"`{name}`: `{key}: {limit:g}` is outside {where}, where {name} always lies"
    if low is not None and high is not None and low > high:
        yield f"`{name}`: `min` is above `max`"


def threshold_problems(metrics: Mapping[str, Any], threshold: float | None) -> Iterator[tuple[str, str]]:
    """Return which metrics need a threshold that is not given, or another one."""
    needy = [name for name in metrics if name in METRICS and METRICS[name].needs_threshold]
    if needy and threshold is None:
        names = ", ".join(f"`{name}`" for name in needy)
        verb = "need" if len(needy) > 1 else "needs"
        yield "metrics", f"{names} {verb} `threshold`: a score at or above it raises an alert"
    if threshold == 1 and "net_benefit" in metrics:
        yield "threshold", "`net_benefit` needs a `threshold` below 1: at 1 a false alert weighs infinitely"


def _interval(lowest: float, highest: float) -> str:
    if lowest == float("-inf"):
        return f"(-inf, {highest:g}]"
    return f"[{lowest:g}, inf)" if highest == float("inf") else f"[{lowest:g}, {highest:g}]"
