"""Suites and single checks from Python: frames or files in, Findings out."""

import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_readmit import cases, provenance, record
from pytest_readmit.claim import Finding
from pytest_readmit.errors import SuiteError
from pytest_readmit.registry import Registry, load, spec_of
from pytest_readmit.run import decide_all
from pytest_readmit.settings import PlanSettings

if TYPE_CHECKING:
    import pandas as pd

TESTS = {"ks": "Kolmogorov-Smirnov", "chi2": "Chi-squared"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """
    What a suite found.

    Args:
        findings: One for each case, in suite order.
        record: The record, as `--readmit-json` writes it.
    """

    findings: tuple[Finding, ...]
    record: Mapping[str, Any]

    @property
    def verdict(self) -> str:
        """The worst verdict: ``error``, ``fail``, ``inconclusive`` or ``pass``."""
        return str(self.record["verdict"])

    @property
    def blocked(self) -> bool:
        """Whether any gate blocks; False does not mean certified (``record["certified"]``)."""
        return bool(self.record["blocked"])

    def to_frame(self) -> "pd.DataFrame":
        """
        Return the cases as a frame, one row each, in suite order.

        Returns:
            `feature` (the case's subject), `feature_type`, `test`, `statistic` (the estimate), `p_value`,
            `drift_detected` (the verdict is fail), `check`, `segment`, `verdict`, `limit`, `lower` and
            `upper` (one-sided bounds) and `message`; None where a case has none.
        """
        import pandas as pd

        rows = [_row(finding) for finding in self.findings]
        return pd.DataFrame(rows, columns=_COLUMNS)

    def to_html(self, path: str | os.PathLike[str]) -> None:
        """
        Write the report, one HTML page that loads nothing.

        Raises:
            OSError: It cannot be written.
        """
        from pytest_readmit.report import render

        Path(path).write_text(render(self.record), encoding="utf-8")


_COLUMNS = (
    "feature", "feature_type", "test", "statistic", "p_value", "drift_detected",
    "check", "segment", "verdict", "limit", "lower", "upper", "message",
)  # fmt: skip


def _row(finding: Finding) -> tuple[Any, ...]:
    details = finding.details
    lower, upper = finding.interval or (None, None)
    return (
        finding.subject,
        details.get("kind"),
        TESTS.get(finding.method or "", finding.method),
        details.get("statistic", finding.estimate),
        finding.p_value,
        finding.verdict == "fail",
        finding.check,
        finding.segment,
        finding.verdict,
        finding.limit,
        lower,
        upper,
        finding.message,
    )


def run_suite(
    path: str | os.PathLike[str],
    *,
    data: Mapping[str, Any] | None = None,
    variables: Mapping[str, str] | None = None,
    models: Mapping[str, Any] | None = None,
    trust: Sequence[str] = (),
    check_modules: Sequence[str] = (),
    strict: bool = False,
) -> Result:
    """
    Decide every case of a suite.

    Args:
        path: The suite file.
        data: Dataset name → a pandas or Arrow frame, a path, or a source such as ``demo:drifted``;
            replaces what the suite names, as ``--readmit-data`` does.
        variables: Values for ``${NAME}``, as ``--readmit-set`` gives them.
        models: Model name → a fitted classifier or a path; replaces what the suite names.
        trust: Globs on the models that may be loaded even where loading runs code, as ``--readmit-trust``.
        check_modules: Importable modules that register checks, as ini ``readmit_checks``.
        strict: Every warning and undecided gate blocks.

    Returns:
        A Finding for each case, and the record. Nothing is printed or written. Data that cannot be had raise
        nothing: the verdict of their cases is error.

    Raises:
        SuiteError: If the suite is wrong; it lists every problem with line and column.
    """
    settings = PlanSettings(
        variables=dict(variables or {}),
        environ=dict(os.environ),
        data=dict(data or {}),
        models=dict(models or {}),
        trust=tuple(trust),
        check_modules=tuple(check_modules),
        strict=strict,
    )
    return _run(Path(path), settings, None)


def run_check(
    check: str | Callable[..., Any],
    reference: Any = None,
    current: Any = None,
    *,
    roles: Mapping[str, Any] | None = None,
    models: Mapping[str, Any] | None = None,
    trust: Sequence[str] = (),
    check_modules: Sequence[str] = (),
    **keys: Any,
) -> list[Finding]:
    """
    Decide one check on two frames, without a suite file.

    Args:
        check: A check's name, or a function decorated with `check`.
        reference: A frame, a path or a source such as ``demo:reference``; None where it is not used.
        current: Likewise.
        roles: The suite's `columns` (``{"patient": "subject_id", "numerical": ["stage"]}``).
        models: Model name → a fitted classifier or a path.
        trust: Globs on the models that may be loaded even where loading runs code.
        check_modules: Importable modules that register checks.
        **keys: The check's parameters and any key that an entry takes (`columns`, `confidence`, ...).

    Returns:
        A Finding for each case. Data that cannot be had raise nothing: the verdict of their cases is error.

    Raises:
        SuiteError: If the check or a key is unknown, or a value is wrong.
    """
    registry = load(check_modules)
    if callable(check):
        spec = spec_of(check)
        registry = Registry({**registry, spec.name: spec})
        name = spec.name
    else:
        name = check
    data = {
        key: value for key, value in (("reference", reference), ("current", current)) if value is not None
    }
    suite = {
        "suite": name,
        "columns": dict(roles or {}),
        "models": dict.fromkeys(models or {}, "given"),
        "checks": [{name: keys} if keys else name],
    }
    with tempfile.TemporaryDirectory(prefix="readmit-") as folder:
        path = Path(folder) / f"{name}.yml"
        path.write_text(_yaml(suite), encoding="utf-8")
        settings = PlanSettings(
            environ={}, data=data, models=dict(models or {}), trust=tuple(trust), root=Path(folder)
        )
        return list(_run(path, settings, registry).findings)


def _yaml(value: Mapping[str, Any]) -> str:
    """Write values so that the suite reader gets the same ones back: JSON is YAML."""
    import json

    try:
        return json.dumps(value, allow_nan=False, default=str).replace("${", "$${")
    except ValueError as error:
        raise SuiteError(["a number must be finite, and no value may hold itself"]) from error


def _run(path: Path, settings: PlanSettings, registry: Registry | None) -> Result:
    plan = cases.plan([path], settings, registry=registry)
    started = provenance.now()
    findings, sources = decide_all(plan)
    command = f"run_suite({plan.suites[0].shown!r})"
    facts = record.of_run(plan, findings, sources=sources, started=started, command=command)
    private = tuple(Finding.from_json(case) for case in facts["cases"])
    return Result(findings=private, record=facts)
