import sys
import types
from importlib import metadata

import numpy as np
import pytest

from pytest_readmit.errors import DataError


@pytest.fixture
def registered(monkeypatch):
    """Register a source under a name as an installed package would."""

    def register(name, opener):
        module = types.ModuleType(f"source_{name}")
        module.open_it = opener
        monkeypatch.setitem(sys.modules, module.__name__, module)
        point = metadata.EntryPoint(name, f"{module.__name__}:open_it", "readmit.sources")
        monkeypatch.setattr(metadata, "entry_points", lambda *, group: metadata.EntryPoints([point]))

    return register


def test_a_registered_source_is_opened_with_its_value_once(open_source, registered):
    opened = []

    def source(value):
        opened.append(value)
        return {"x": np.array([1.0, np.nan]), "s": np.array(["a", None], dtype=object)}

    registered("warehouse", source)
    dataset = open_source("cohort", kind="warehouse", where="s is not null")
    assert dataset.rows == 1
    assert dataset.source == "warehouse: cohort"
    assert open_source("cohort", kind="warehouse").digest() == dataset.digest()
    assert opened == ["cohort"]


def test_a_registered_source_that_fails_is_an_error_without_its_words(open_source, registered):
    def source(value):
        raise ValueError("CANARY in row 3")

    registered("broken", source)
    with pytest.raises(DataError, match=r"the source 'broken' failed \(ValueError\)") as caught:
        open_source("cohort", kind="broken")
    assert "CANARY" not in str(caught.value)


def test_a_registered_source_may_refuse_in_its_own_words(open_source, registered):
    def source(value):
        raise DataError("no window 'x', did you mean 'y'?")

    registered("choosy", source)
    with pytest.raises(DataError, match="no window 'x'"):
        open_source("x", kind="choosy")


def test_a_registered_source_that_returns_no_columns_says_so(open_source, registered):
    registered("odd", lambda value: 7)
    with pytest.raises(DataError, match=r"is no table \(int\); give a pandas or Arrow frame or a mapping"):
        open_source("x", kind="odd")
