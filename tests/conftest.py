"""What tests of several rooms share."""

import importlib.util
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest

# How long an example takes says how busy the machine is.
hypothesis.settings.register_profile("readmit", deadline=None)
hypothesis.settings.load_profile("readmit")

# Runs inside these tests would annotate and summarise the build that runs them.
for name in ("GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY"):
    os.environ.pop(name, None)


@pytest.fixture(scope="session")
def steps() -> Any:
    """Return the module that runs the steps of workflows."""
    if os.name == "nt":
        pytest.skip("the steps are bash scripts of Linux runners")
    file = Path(__file__).parent / "workflows" / "runner.py"
    spec = importlib.util.spec_from_file_location("runner", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module", autouse=True)
def print_table(request: pytest.FixtureRequest) -> Iterator[None]:
    """Print what the simulations of a module found, the lines of its TABLE, also under capture."""
    yield
    lines = getattr(request.module, "TABLE", None)
    if isinstance(lines, list) and lines:
        capture = request.config.pluginmanager.getplugin("capturemanager")
        with capture.global_and_fixture_disabled():
            print("\n" + "\n".join(lines))
