"""
What the plugin costs a project that does not use it: modules and milliseconds beyond pytest itself.

Usage: python benchmarks/load.py [--repeats N]
"""

import argparse
import statistics
import subprocess
import sys
import tempfile

from measure import verdict

TARGET_MODULES, TARGET_MS = 5, 5.0

# The clock runs from before pytest reads its entry points to the end of its configuration.
PROBE = """
import sys, time, pytest
from _pytest.config import get_config
before = len(sys.modules)
start = time.perf_counter()
config = get_config(None, None)
config.parse({arguments!r})
config._do_configure()
seconds = time.perf_counter() - start
print(seconds, *sys.modules)
config._ensure_unconfigure()
"""


def probe(arguments: list[str], folder: str) -> tuple[float, set[str]]:
    """Start pytest in a process of its own and return the seconds it took and the modules it loaded."""
    command = [sys.executable, "-c", PROBE.format(arguments=arguments)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    seconds, *modules = done.stdout.split()
    return float(seconds), set(modules)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=20)
    options = parser.parse_args()
    base = ["-p", "no:cacheprovider", "--rootdir=.", "."]
    with_plugin, without = [], []
    with tempfile.TemporaryDirectory() as folder:
        probe(base, folder)
        for _ in range(options.repeats):
            with_plugin.append(probe(base, folder))
            without.append(probe([*base, "-p", "no:readmit"], folder))
    extra = sorted(with_plugin[-1][1] - without[-1][1])
    cost = statistics.median(one[0] - other[0] for one, other in zip(with_plugin, without, strict=True))
    print("modules beyond pytest itself:", *extra)
    met = [
        verdict("modules", len(extra), TARGET_MODULES, ""),
        verdict(f"start of pytest, median of {options.repeats} pairs", cost * 1000, TARGET_MS, "ms"),
    ]
    return 0 if all(met) else 1


if __name__ == "__main__":
    sys.exit(main())
