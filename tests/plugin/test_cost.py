"""What the plugin costs a project that never uses it."""

import subprocess
import sys

SCRIPT = """
import sys, pytest
before = set(sys.modules)
import pytest_readmit.plugin
print(*sorted(set(sys.modules) - before))
"""


def test_loading_the_plugin_imports_at_most_five_modules() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["pytest_readmit", "pytest_readmit.plugin"]


def test_a_run_without_suites_imports_nothing_more(project) -> None:
    (project.path / "test_a.py").write_text(
        "import sys\ndef test_a():\n"
        "    ours = [name for name in sys.modules if name.startswith(('pytest_readmit', 'readmit_checks'))]\n"
        "    assert sorted(ours) == ['pytest_readmit', 'pytest_readmit.plugin']\n"
        "    assert not {'numpy', 'pydantic', 'duckdb', 'yaml'} & set(sys.modules)\n"
    )
    project.run_apart(suite=None).assert_outcomes(passed=1)
