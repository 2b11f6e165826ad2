"""Who, what, when: Git, packages, platform and command of a run."""

import os
import platform
import re
import subprocess
from datetime import UTC, datetime
from functools import cached_property
from importlib import metadata
from pathlib import Path
from typing import Any

DISTRIBUTION = "pytest-readmit"
GIT_SECONDS = 20
# Nothing that a repository configures may run: no hooks, no file system monitor, no locks taken.
_GIT = ("git", "--no-optional-locks", "-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false")


class GitState:
    """The commit a run started from, asked for in the background while the run goes on."""

    def __init__(self, folder: Path) -> None:
        self._commit = _start_git(folder, "rev-parse", "--verify", "--end-of-options", "HEAD^{commit}")
        self._status = _start_git(folder, "status", "--porcelain", "--untracked-files=no", "--no-renames")

    def read(self) -> dict[str, Any]:
        """Return ``{"commit": hash, "dirty": bool}``; both None without Git or outside a repository."""
        return dict(self._found)

    @cached_property
    def _found(self) -> dict[str, Any]:
        commit, status = _finish_git(self._commit), _finish_git(self._status)
        if not commit:
            return {"commit": None, "dirty": None}
        return {"commit": commit.strip(), "dirty": None if status is None else bool(status.strip())}


def now() -> str:
    """Return the time in ISO 8601, UTC."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def collect(
    *,
    started: str,
    finished: str | None,
    git: dict[str, Any],
    command: str,
    datasets: dict[str, Any] | None = None,
    models: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """
    Return the record's `provenance`.

    Args:
        started: ISO 8601, UTC.
        finished: Likewise; None while the run goes on.
        git: What `GitState.read` returned.
        command: The command line as typed, without secrets.
        datasets: Name → source, digest, columns and flow.
        models: Role → source, name, version and digest.
    """
    return {
        "started": started,
        "finished": finished,
        "datasets": datasets or {},
        "models": models or {"champion": None, "challenger": None},
        "git": git,
        "python": platform.python_version(),
        "packages": packages(),
        "platform": platform.platform(),
        "command": command,
    }


def packages() -> dict[str, str]:
    """Return the installed versions of this package and of what it names as dependencies."""
    found: dict[str, str] = {}
    try:
        named = metadata.requires(DISTRIBUTION) or []
    except metadata.PackageNotFoundError:
        named = []
    for requirement in (DISTRIBUTION, *named):
        name = re.split(r"[^A-Za-z0-9._-]", requirement, maxsplit=1)[0]
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def _start_git(folder: Path, *arguments: str) -> "subprocess.Popen[str] | None":
    try:
        return subprocess.Popen(  # noqa: S603 - fixed arguments, no shell
            [*_GIT, "-C", os.fspath(folder), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            encoding="utf-8",
            errors="replace",
        )
    except OSError:
        return None


def _finish_git(process: "subprocess.Popen[str] | None") -> str | None:
    if process is None:
        return None
    try:
        output, _ = process.communicate(timeout=GIT_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return None
    return output if process.returncode == 0 else None
