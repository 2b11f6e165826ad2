"""Run a process and say how long it took and how much memory it held at its peak."""

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Run:
    """One process: wall and processor time (s), peak resident memory (bytes), exit code, what it printed."""

    wall: float
    processor: float
    peak: int
    code: int
    output: str


@dataclass(slots=True)
class Series:
    """Runs of one command, gathered while others run in between."""

    name: str
    command: Sequence[str]
    cwd: Path
    codes: tuple[int, ...] = (0,)
    environ: Mapping[str, str] = field(default_factory=dict)
    runs: list[Run] = field(default_factory=list)

    def once(self) -> None:
        """Run the command once more; another exit code than expected ends the benchmark."""
        run = measure(self.command, cwd=self.cwd, environ=self.environ)
        if run.code not in self.codes:
            raise SystemExit(f"{self.name}: exit {run.code}\n{run.output[-4000:]}")
        self.runs.append(run)

    @property
    def wall(self) -> float:
        return statistics.median(run.wall for run in self.runs)

    @property
    def processor(self) -> float:
        return statistics.median(run.processor for run in self.runs)

    @property
    def peak(self) -> float:
        return statistics.median(run.peak for run in self.runs)

    def line(self) -> str:
        """Return the medians with the range of the wall times."""
        walls = [run.wall for run in self.runs]
        return (
            f"{self.name:<34} {self.wall:7.2f} s ({min(walls):.2f} to {max(walls):.2f}, {len(walls)} runs)"
            f"  processor {self.processor:6.2f} s  peak {self.peak / 1e6:6.0f} MB"
        )


def measure(command: Sequence[str], *, cwd: Path, environ: Mapping[str, str]) -> Run:
    """Run a command to its end, its output kept in a file so that no pipe slows it."""
    log = cwd / "benchmark.log"
    with log.open("wb") as sink:
        start = time.perf_counter()
        process = subprocess.Popen(
            command,
            cwd=cwd,
            stdout=sink,
            stderr=subprocess.STDOUT,
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "0", **environ},
        )
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    scale = 1 if sys.platform == "darwin" else 1024
    processor = usage.ru_utime + usage.ru_stime
    return Run(wall, processor, usage.ru_maxrss * scale, process.returncode, log.read_text(errors="replace"))


def interleave(series: Sequence[Series], repeats: int) -> None:
    """Run every series `repeats` times in turn, so that a busy minute hits all alike; one round warms up."""
    for round_number in range(repeats + 1):
        for one in series:
            one.once()
            if round_number == 0:
                one.runs.clear()
        print(f"round {round_number} of {repeats} done", file=sys.stderr, flush=True)


def verdict(name: str, value: float, target: float, unit: str = "x") -> bool:
    """Print a figure beside its target and return whether it is met."""
    met = value <= target
    print(f"{name:<58} {value:8.2f} {unit:<2} target <= {target:g} {unit:<2} {'met' if met else 'MISSED'}")
    return met
