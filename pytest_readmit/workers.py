"""What several workers of one run read: joined, and refused where they read different bytes."""

from collections.abc import Iterator, Mapping
from typing import Any

IDENTITY = ("sha256", "version", "digest", "run_id")
"""What tells one version of a dataset or model from another."""
TORN = "workers read different versions of it, as it changed while they began"

Facts = Mapping[str, Any]


def joined(first: Facts, second: Facts) -> dict[str, Any]:
    """
    Return what two workers read; what only one of them knows is kept.

    A dataset or model that is not the same for both loses its identity and gets an error.
    """
    return {
        room: {
            name: _same(_facts(first, room, name), _facts(second, room, name))
            for name in {**(first.get(room) or {}), **(second.get(room) or {})}
        }
        for room in {**first, **second}
    }


def torn(sources: Facts) -> Iterator[str]:
    """Yield a problem for each dataset and model of which workers read different versions."""
    for room, found in sources.items():
        for name, facts in found.items():
            if facts and facts.get("error") == TORN:
                yield f"{room}.{name}: {TORN}: run again"


def _facts(sources: Facts, room: str, name: str) -> Facts | None:
    facts: Facts | None = (sources.get(room) or {}).get(name)
    return facts


def _same(first: Facts | None, second: Facts | None) -> dict[str, Any] | None:
    if not first or not second:
        found = first or second
        return None if found is None else dict(found)
    merged = _filled(first, second)
    known = [key for key in IDENTITY if first.get(key) is not None and second.get(key) is not None]
    if TORN in (first.get("error"), second.get("error")) or any(first[key] != second[key] for key in known):
        return {**merged, **{key: None for key in IDENTITY if key in merged}, "error": TORN}
    return merged


def _filled(first: Facts, second: Facts) -> dict[str, Any]:
    """Return the first's facts, with the second's where it has none."""
    filled = dict(first)
    for key, value in second.items():
        known = filled.get(key)
        if isinstance(known, Mapping) and isinstance(value, Mapping):
            filled[key] = _filled(known, value)
        elif known is None:
            filled[key] = value
    return filled
