"""What a run is about, in a few lines under its title: which model, on which data, how many rows."""

from collections.abc import Mapping
from typing import Any

from pytest_readmit.report.words import count, items, mapping, name, plural, real

STEPS = ("analysed", "labelled", "matured", "where", "read")
ORDER = ("challenger", "champion", "current", "reference")
MOST = 8


def about(record: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return label and text of each model and dataset of a record, and the day of its suites."""
    said = mapping(record.get("provenance"))
    models = [(role, mapping(one)) for role, one in mapping(said.get("models")).items() if mapping(one)]
    datasets = [(key, mapping(one)) for key, one in mapping(said.get("datasets")).items()]
    lines = [(f"{_capital(role)} model", _model(one)) for role, one in _ordered(models)]
    if not lines and "models" in said:
        lines = [("Model", "not named in the record")]
    lines += [(f"{_capital(key)} data", _dataset(one)) for key, one in _ordered(datasets)]
    days = {name(mapping(suite).get("as_of"), most=40) for suite in items(record.get("suites"))} - {""}
    if len(days) == 1:
        lines.append(("As of", days.pop()))
    return [line for line in lines if line[1]][:MOST]


def _capital(text: Any) -> str:
    shown = name(text, most=60)
    return shown[:1].upper() + shown[1:]


def _ordered(found: list[tuple[Any, Mapping[str, Any]]]) -> list[tuple[Any, Mapping[str, Any]]]:
    """Return what is judged before what it is held against, and the rest as it stands."""
    return sorted(found, key=lambda one: ORDER.index(one[0]) if one[0] in ORDER else len(ORDER))


def _model(one: Mapping[str, Any]) -> str:
    called, version = name(one.get("name"), most=120), name(one.get("version"), most=80)
    if not called:
        return name(one.get("source"), most=200)
    return f"{called} version {version}" if version else called


def _dataset(one: Mapping[str, Any]) -> str:
    version = name(one.get("version"), most=80)
    parts = [name(one.get("source"), most=200), f"version {version}" if version else "", *_rows(one)]
    return ", ".join(part for part in parts if part)


def _rows(one: Mapping[str, Any]) -> list[str]:
    """Return the rows that were judged, of how many read, and their patients; what is too few is not told."""
    flow = mapping(one.get("flow"))
    read = real(flow.get("read"))
    last = next((real(flow.get(step)) for step in STEPS if step in flow), None)
    told = [] if last is None else [plural(int(last), "row")]
    if told and read is not None and read > (last or 0):
        told = [f"{count(last)} of {count(read)} rows"]
    patients = real(flow.get("patients"))
    return told + ([] if patients is None else [plural(int(patients), "patient")])
