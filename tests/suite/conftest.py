"""Checks and a reader that the suite's tests share; the checks measure nothing."""

from collections.abc import Callable, Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from pydantic import Field

from pytest_readmit.claim import Claim
from pytest_readmit.errors import SuiteError
from pytest_readmit.registry import check, spec_of
from pytest_readmit.signature import CheckSpec, Direction, Share
from pytest_readmit.suite import Settings, Suite, read_suite


class Column:
    __readmit_injected__ = "column"


def _no_limit(parameters: Mapping[str, Any], decide_by: str) -> Iterator[tuple[str, str]]:
    if parameters["method"] == "chi2" and decide_by == "interval":
        yield "method", "chi2 needs `p_value` or `decide_by: estimate`"


@check(validate=_no_limit)
def data_drift(
    reference: Column,
    current: Column,
    *,
    method: Literal["auto", "ks", "chi2"] = "auto",
    max: Annotated[float, Field(ge=0)] | None = None,
    bins: Annotated[int, Field(ge=2, le=1000)] = 10,
    yates: bool = False,
) -> Claim:
    """Has it moved?"""
    raise NotImplementedError


@check
def missing_drift(
    reference: Column, current: Column, *, max: Share = 0.05, direction: Direction = "either"
) -> Claim:
    """Are more values missing?"""
    raise NotImplementedError


@check
def out_of_range(
    current: Column, *, ranges: dict[str, tuple[float | None, float | None]], note: str = ""
) -> Claim:
    """Are values out of range?"""
    raise NotImplementedError


@check(severity="warn", inconclusive="warn", may_block=False)
def estimated_performance(current: Column, *, floor: float = 0.7) -> Claim:
    """Is it still good, without labels?"""
    raise NotImplementedError


CHECKS: dict[str, CheckSpec] = {
    function.__name__: spec_of(function)
    for function in (data_drift, missing_drift, out_of_range, estimated_performance)
}

Read = Callable[..., Suite]
Problems = Callable[..., list[str]]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Return what reads a text (or bytes) as the suite ``s.yml``."""

    def reader(text: str | bytes, **settings: Any) -> Suite:
        path = tmp_path / "s.yml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8"))
        settings = {"today": date(2026, 11, 1), **settings}
        return read_suite(path, shown="s.yml", checks=CHECKS, settings=Settings(**settings))

    return reader


@pytest.fixture
def problems(read: Read) -> Problems:
    """Return what reads a text and gives the lines of its error, none if it is valid."""

    def reader(text: str | bytes, **settings: Any) -> list[str]:
        try:
            read(text, **settings)
        except SuiteError as error:
            return str(error).splitlines()
        return []

    return reader
