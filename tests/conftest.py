"""What tests of several rooms share."""

import os
from collections.abc import Iterator

import pytest

# Runs inside these tests would annotate and summarise the build that runs them.
for name in ("GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY"):
    os.environ.pop(name, None)


@pytest.fixture(scope="module", autouse=True)
def print_table(request: pytest.FixtureRequest) -> Iterator[None]:
    """Print what the simulations of a module found, the lines of its TABLE, also under capture."""
    yield
    lines = getattr(request.module, "TABLE", None)
    if isinstance(lines, list) and lines:
        capture = request.config.pluginmanager.getplugin("capturemanager")
        with capture.global_and_fixture_disabled():
            print("\n" + "\n".join(lines))
