"""Model gates as pytest cases: the public names. Importing this module loads nothing else."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pytest_readmit.api import Result, run_check, run_suite
    from pytest_readmit.claim import Claim, Context, Finding, Gate
    from pytest_readmit.data.dataset import Column, Dataset, Labels, Scored, Scores
    from pytest_readmit.errors import DataError, MissingExtra, ReadmitError, SuiteError
    from pytest_readmit.models.model import Model, Models
    from pytest_readmit.registry import check
    from pytest_readmit.signature import (
        Case,
        Direction,
        Duration,
        Parts,
        Positive,
        Schema,
        Selected,
        Share,
    )

__all__ = [
    "Case",
    "Claim",
    "Column",
    "Context",
    "DataError",
    "Dataset",
    "Direction",
    "Duration",
    "Finding",
    "Gate",
    "Labels",
    "MissingExtra",
    "Model",
    "Models",
    "Parts",
    "Positive",
    "ReadmitError",
    "Result",
    "Schema",
    "Scored",
    "Scores",
    "Selected",
    "Share",
    "SuiteError",
    "check",
    "run_check",
    "run_suite",
]

_HOMES = {
    "pytest_readmit.api": ("Result", "run_check", "run_suite"),
    "pytest_readmit.claim": ("Claim", "Context", "Finding", "Gate"),
    "pytest_readmit.data.dataset": ("Column", "Dataset", "Labels", "Scored", "Scores"),
    "pytest_readmit.errors": ("DataError", "MissingExtra", "ReadmitError", "SuiteError"),
    "pytest_readmit.models.model": ("Model", "Models"),
    "pytest_readmit.registry": ("check",),
    "pytest_readmit.signature": (
        "Case",
        "Direction",
        "Duration",
        "Parts",
        "Positive",
        "Schema",
        "Selected",
        "Share",
    ),
}


def __getattr__(name: str) -> Any:
    import importlib

    if name == "__version__":
        from importlib.metadata import version

        return version("pytest-readmit")
    for home, names in _HOMES.items():
        if name in names:
            return getattr(importlib.import_module(home), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
