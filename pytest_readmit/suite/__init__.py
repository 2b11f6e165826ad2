"""YAML text to a Suite, with line and column for every value; knows nothing of data or pytest."""

from pytest_readmit.suite.model import ColumnRoles, Entry, Settings, Source, Suite
from pytest_readmit.suite.read import read_suite
from pytest_readmit.suite.sources import parse_source, source_of

__all__ = [
    "ColumnRoles",
    "Entry",
    "Settings",
    "Source",
    "Suite",
    "parse_source",
    "read_suite",
    "source_of",
]
