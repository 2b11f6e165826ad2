"""What the command line, the environment and the configuration add to the suite files."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanSettings:
    """
    What the command line, the environment and the configuration add to the suite files.

    Args:
        variables: Values given by name for ``${NAME}``.
        environ: The environment.
        allowed_env: Names of the environment that a suite may use beside ``READMIT_*``.
        data: Dataset name → source text (``demo:drifted``, a path) or a frame.
        models: Model name → a fitted classifier, or a path; replaces what the suite names.
        trust: Globs on the models that may be loaded even where loading runs their code.
        check_modules: Importable modules that register checks.
        max_cases: The most cases a suite may expand to.
        strict: Every warning and undecided gate blocks.
        honour_waivers: False under ``--runxfail``.
        root: The folder that suite paths are shown relative to.
        folder: The folder that paths on the command line start from.
        pins: Versions that another process of this run resolved, as `Plan.pins` returned them.
    """

    variables: Mapping[str, str] = field(default_factory=dict)
    environ: Mapping[str, str] = field(default_factory=dict)
    allowed_env: frozenset[str] = frozenset()
    data: Mapping[str, Any] = field(default_factory=dict)
    models: Mapping[str, Any] = field(default_factory=dict)
    trust: Sequence[str] = ()
    check_modules: Sequence[str] = ()
    max_cases: int = 10_000
    strict: bool = False
    honour_waivers: bool = True
    root: Path = field(default_factory=Path.cwd)
    folder: Path = field(default_factory=Path.cwd)
    pins: Mapping[str, str] = field(default_factory=dict)
