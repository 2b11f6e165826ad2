"""What a run tells the server that builds the project: annotations, a job summary, JUnit properties."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

STEP_SUMMARY = "GITHUB_STEP_SUMMARY"


def annotations(made: Mapping[str, Any], root: Path) -> list[str]:
    """Return the commands that annotate the suites in a GitHub Actions build; none elsewhere."""
    if not _on_github():
        return []
    from pytest_readmit.report import github

    return github.annotations(made, root=root, workspace=_workspace(root))


def of_problems(problems: Sequence[str], root: Path) -> list[str]:
    """Put what is wrong with suites into the job summary; return the commands that annotate them."""
    _append(lambda github, path: github.append_problems(path, problems))
    if not _on_github():
        return []
    from pytest_readmit.report import github

    return github.of_problems(problems, root=root, workspace=_workspace(root))


def append_summary(made: Mapping[str, Any], root: Path) -> str:
    """Append the Markdown of a record to the job summary, if there is one; return why it could not be."""
    return _append(
        lambda github, path: github.append_summary(path, made, root=root, workspace=_workspace(root))
    )


def properties(made: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the properties of the run as a whole, for JUnit."""
    for key in ("verdict", "blocked", "certified", "complete", "planned"):
        value = made[key]
        yield f"readmit.{key}", str(value).lower() if isinstance(value, bool) else str(value)
    for verdict, number in made["counts"].items():
        yield f"readmit.{verdict}", str(number)
    for suite in made["suites"]:
        yield "readmit.suite", f"{suite['path']} sha256:{suite['sha256']}"


def _append(write: Callable[[Any, Path], str]) -> str:
    named = os.environ.get(STEP_SUMMARY)
    if not named:
        return ""
    from pytest_readmit.report import github

    try:
        return write(github, Path(named))
    except Exception as error:  # a view that cannot be drawn must not cost the verdict
        reason = error.strerror if isinstance(error, OSError) else type(error).__name__
        return f"the job summary could not be written: {reason}"


def _on_github() -> bool:
    return os.environ.get("GITHUB_ACTIONS") == "true"


def _workspace(root: Path) -> Path:
    return Path(os.environ.get("GITHUB_WORKSPACE") or root)
