"""The controller's part: gathers Findings, writes the record and its views once, says what blocks."""

import json
import os
import shlex
import sys
from collections.abc import Generator, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

from pytest_readmit import builds, privacy, provenance, record, workers
from pytest_readmit.collect import PAYLOAD, Gates, lost
from pytest_readmit.errors import ReadmitError, SuiteError
from pytest_readmit.privacy import printable
from pytest_readmit.terminal import last_line, summary

MOST_SUITES = 5
STALE_PAGE = (
    '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>readmit: no result</title></head>\n'
    "<body><h1>No result</h1>\n"
    "<p>This run has not finished, or could not start. Nothing was decided.</p></body></html>\n"
)


def replace_stale(config: pytest.Config, *, exit_code: int = pytest.ExitCode.INTERNAL_ERROR) -> None:
    """
    Put a record of "nothing was decided" in the place of what an earlier run left.

    Raises:
        OSError: If an output cannot be written.
    """
    options = config.known_args_namespace
    if options.readmit_json:
        facts = provenance.collect(
            started=provenance.now(),
            finished=None,
            git={"commit": None, "dirty": None},
            command=_command(config, privacy.Mask()),
        )
        nothing = record.incomplete(exit_code=int(exit_code), provenance=facts)
        record.write(_output(config, options.readmit_json), nothing)
    if options.readmit_report:
        record.write_text(_output(config, options.readmit_report), STALE_PAGE)
    if options.readmit_metrics:
        from pytest_readmit.metrics import textfile

        textfile.replace_stale(_output(config, options.readmit_metrics))
    if options.readmit_attestation:
        _output(config, options.readmit_attestation).unlink(missing_ok=True)


def told(error: ReadmitError) -> str:
    """Return an error as the user reads it: one line a problem, without control characters."""
    lines = [printable(problem) for problem in _problems(error)]
    return lines[0] if len(lines) == 1 else "\n".join([f"{len(lines)} problems", *lines])


def tell_build(error: ReadmitError, root: Path) -> None:
    """Say what is wrong where a build server shows it."""
    for command in builds.of_problems(_problems(error), root):
        sys.stdout.write(f"{command}\n")


def _problems(error: ReadmitError) -> list[str]:
    problems = error.problems if isinstance(error, SuiteError) else (error,)
    return [str(problem) for problem in problems]


class Reporter:
    """Collects what items and workers report; the only one who writes files."""

    def __init__(self, config: pytest.Config, gates: Gates) -> None:
        self._config = config
        self._gates = gates
        self._mask = privacy.mask_of_all(gates.plan.suites)
        self._case_of = {case.id: case for case in gates.plan.cases}
        self._payloads: dict[str, str | dict[str, Any]] = {}
        self._selected: set[str] | None = None
        self._sources: dict[str, Any] = {}
        self._broken = False
        self._reached_maxfail = False
        self._started = provenance.now()
        self._git = provenance.GitState(config.rootpath)
        self.record: dict[str, Any] | None = None
        self.unwritten: list[str] = []
        self.torn: list[str] = []
        self._note = ""
        self._tracked: str | None = None
        self._pushed: str | None = None

    def pytest_report_header(self) -> list[str]:
        gates = len(self._gates.plan.cases)
        shown = [suite.shown for suite in self._gates.plan.suites]
        files = printable(", ".join(shown)) if len(shown) <= MOST_SUITES else f"{len(shown)} suites"
        return [f"readmit: {files}: {_plural(gates, 'gate')}"]

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self._select(item.nodeid for item in session.items)

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, ids: Sequence[str]) -> None:
        self._select(iter(ids))

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Take over what a worker read; a worker that died has nothing to say."""
        sent = (getattr(node, "workeroutput", None) or {}).get("readmit_sources")
        if sent is not None:
            self._sources = workers.joined(self._sources, json.loads(sent))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        case = self._case_of.get(report.nodeid)
        if case is None:
            return
        payload = getattr(report, PAYLOAD, None)
        if payload is not None:
            self._payloads[case.id] = payload
        elif report.failed and case.id not in self._payloads:
            # "???" is xdist's phase for a test whose worker died.
            died = str(report.when) == "???"
            self._broken |= died
            why = "the worker that measured it died" if died else f"it did not get through {report.when}"
            self._payloads[case.id] = lost(case, f"{case.names[-1]}: {why}; nothing was measured")

    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        # xdist ends a run under -x by an interruption of its own; pytest alone ends it with exit code 1.
        self._reached_maxfail = bool(self._config.option.maxfail) and excinfo.typename == "Interrupted"

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Build the record, write it and its views; a record that cannot be written is exit code 3."""
        code = int(session.exitstatus)
        if code == pytest.ExitCode.INTERRUPTED and self._reached_maxfail and self._blocking():
            code = int(pytest.ExitCode.TESTS_FAILED)
        self.torn = list(workers.torn(self._sources))
        self._broken |= bool(self.torn)
        if code in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED) and (
            self._blocking() or self.torn
        ):
            code = int(pytest.ExitCode.TESTS_FAILED)
        facts = self._facts()
        self.record = self._build(code, facts)
        self.unwritten = self._write(self.record)
        for deliver in (self._track, self._push, None):
            if self.unwritten and code != pytest.ExitCode.INTERNAL_ERROR:
                code = int(pytest.ExitCode.INTERNAL_ERROR)
                self.record = self._build(code, facts)
                self._write(self.record)
            if deliver is not None:
                self.unwritten += deliver(self.record)
        session.exitstatus = code
        if not self._config.option.collectonly:
            self._note = builds.append_summary(self.record, self._config.rootpath)

    def standing(self, session: pytest.Session) -> dict[str, Any]:
        """Return the record as it stands before other plugins had a say in how the run ended."""
        self._broken |= any(workers.torn(self._sources))
        code = int(session.exitstatus) or int(self._blocking() or self._broken)
        return self._build(code, {"started": self._started})

    def pytest_unconfigure(self) -> None:
        self._git.read()  # a run that never began leaves no process behind either
        # Python walks over all that is left several times as it ends.
        self.record = None
        self._payloads.clear()
        vars(self).pop("_findings", None)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self.record is None or self._config.option.collectonly:
            return
        for command in builds.annotations(self.record, self._config.rootpath):
            terminalreporter.write_line(command)
        if self._config.get_verbosity() < 0:
            return
        terminalreporter.write_sep("=", "readmit")
        notes = [f"  note: {self._note}"] if self._note else []
        for line in (*summary(self.record), *notes):
            terminalreporter.write_line(printable(line))
        options = self._config.option
        for option in (
            options.readmit_json,
            options.readmit_report,
            options.readmit_attestation,
            options.readmit_metrics,
        ):
            if option and not self.unwritten:
                terminalreporter.write_line(f"written: {printable(option)}")
        for said in filter(None, (self._tracked, self._pushed)):
            terminalreporter.write_line(printable(said))

    def _select(self, ids: Iterator[str]) -> None:
        self._selected = (self._selected or set()) | {each for each in ids if each in self._case_of}

    def _blocking(self) -> bool:
        return any(finding["outcome"] == "failed" for finding in self._findings.values())

    @cached_property
    def _findings(self) -> dict[str, Mapping[str, Any]]:
        """The Findings, read when all have come in: until then a worker's text is lighter."""
        return {
            name: json.loads(payload) if isinstance(payload, str) else payload
            for name, payload in self._payloads.items()
        }

    def _facts(self) -> dict[str, Any]:
        return provenance.collect(
            started=self._started,
            finished=provenance.now(),
            git=self._git.read(),
            command=_command(self._config, self._mask),
            **(self._sources or self._gates.sources()),
        )

    def _build(self, code: int, facts: Mapping[str, Any]) -> dict[str, Any]:
        options = self._config.option
        chosen = len(self._case_of) if self._selected is None else len(self._selected)
        return record.build(
            self._gates.plan,
            self._findings,
            exit_code=code,
            provenance=facts,
            deselected=len(self._case_of) - chosen,
            sealed=bool(
                options.readmit_json
                or options.readmit_report
                or options.readmit_attestation
                or options.readmit_mlflow
                or options.readmit_history
            ),
            broken=self._broken or code in (pytest.ExitCode.INTERRUPTED, pytest.ExitCode.INTERNAL_ERROR),
        )

    def _track(self, content: Mapping[str, Any]) -> list[str]:
        """Log the run to MLflow where the command line asks for it; return what went wrong."""
        options = self._config.option
        if not options.readmit_mlflow or options.collectonly:
            return []
        from pytest_readmit.tracking.suites import track

        files = {"report": options.readmit_report, "attestation": options.readmit_attestation}
        self._tracked, failures = track(
            content,
            options.readmit_mlflow,
            self._config.getini("readmit_mlflow_experiment"),
            folder=Path(self._config.invocation_params.dir),
            **{name: _output(self._config, file) for name, file in files.items() if file},
        )
        return failures

    def _push(self, content: Mapping[str, Any]) -> list[str]:
        """Push the run's metrics where the command line asks for it; return what went wrong."""
        options = self._config.option
        if options.readmit_pushgateway is None or options.collectonly:
            return []
        from pytest_readmit.metrics import outputs

        self._pushed, failures = outputs.push(options.readmit_pushgateway, content, self._history())
        return failures

    def _history(self) -> Path | None:
        folder = self._config.option.readmit_history
        return _output(self._config, folder) if folder else None

    def _write(self, content: dict[str, Any]) -> list[str]:
        """Write what the command line asks for; return what could not be written, and why."""
        options = self._config.option
        failures = []
        if options.readmit_json:
            try:
                record.write(_output(self._config, options.readmit_json), content)
            except OSError as error:
                failures.append(f"the record could not be written: {error}")
        if options.readmit_report:
            try:
                from pytest_readmit.report import read_history, render

                folder = self._history()
                earlier = read_history(folder, content) if folder else None
                record.write_text(_output(self._config, options.readmit_report), render(content, earlier))
            except Exception as error:  # a report that cannot be drawn must not cost the record
                reason = error if isinstance(error, OSError) else type(error).__name__
                failures.append(f"the report could not be written: {reason}")
        if options.readmit_metrics and not options.collectonly:
            from pytest_readmit.metrics import outputs

            file = _output(self._config, options.readmit_metrics)
            failures += outputs.write(file, content, self._history())
        if options.readmit_attestation:
            try:
                _attest(_output(self._config, options.readmit_attestation), content)
            except OSError as error:
                failures.append(f"the attestation could not be written: {error}")
        return failures


def _attest(path: Path, content: dict[str, Any]) -> None:
    from pytest_readmit.mlops import attestation

    made = attestation.statement(content)
    if made is not None:
        record.write_text(path, attestation.dumps(made))


def take_part(config: pytest.Config, gates: Gates) -> None:
    """Register the controller's part."""
    reporter = Reporter(config, gates)
    config.pluginmanager.register(reporter, "readmit-reporter")
    config.pluginmanager.register(LastLine(config, reporter), "readmit-last-line")
    config.pluginmanager.register(JUnit(config, reporter), "readmit-junit")


class JUnit:
    """Adds what the run as a whole says to the file of `--junitxml`."""

    def __init__(self, config: pytest.Config, reporter: Reporter) -> None:
        self._config = config
        self._reporter = reporter

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        for plugin in self._config.pluginmanager.get_plugins():
            # That of `--junitxml`, which has no public name.
            add = getattr(plugin, "add_global_property", None)
            if callable(add):
                for name, value in builds.properties(self._reporter.standing(session)):
                    add(name, value)


class LastLine:
    """Prints what blocked after everything else."""

    def __init__(self, config: pytest.Config, reporter: Reporter) -> None:
        self._config = config
        self._reporter = reporter

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionfinish(self) -> Generator[None]:
        yield
        made, unwritten = self._reporter.record, self._reporter.unwritten
        if made is None or self._config.option.collectonly:
            return
        texts = (*unwritten, *self._reporter.torn, last_line(made))
        lines = [f"readmit: {printable(text)}" for text in texts]
        terminal = self._config.pluginmanager.get_plugin("terminalreporter")
        for line in lines:
            if terminal is not None:
                terminal.write_line(line)
            elif unwritten:
                sys.stderr.write(f"{line}\n")


def _command(config: pytest.Config, mask: privacy.Mask) -> str:
    typed = [os.fspath(argument) for argument in config.invocation_params.args]
    url = config.known_args_namespace.readmit_pushgateway
    if url:
        from pytest_readmit.metrics.push import shown

        typed = [argument.replace(url, shown(url)) for argument in typed]
    typed = [mask.text(argument) for argument in typed]
    return shlex.join(["pytest", *typed])


def _output(config: pytest.Config, named: str) -> Path:
    return Path(config.invocation_params.dir / named)


def _plural(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
