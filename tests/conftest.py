"""What tests of several rooms share."""

from collections.abc import Iterator

import pytest


@pytest.fixture(scope="module", autouse=True)
def print_table(request: pytest.FixtureRequest) -> Iterator[None]:
    """Print what the simulations of a module found, the lines of its TABLE, also under capture."""
    yield
    lines = getattr(request.module, "TABLE", None)
    if isinstance(lines, list) and lines:
        capture = request.config.pluginmanager.getplugin("capturemanager")
        with capture.global_and_fixture_disabled():
            print("\n" + "\n".join(lines))
