"""The record as one HTML page that stands alone: nothing is computed here that the record does not hold."""

from pytest_readmit.report.history import read_history
from pytest_readmit.report.page import render

__all__ = ["read_history", "render"]
