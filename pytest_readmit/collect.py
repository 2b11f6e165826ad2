"""SuiteFile → CheckGroup → CheckItem: cases as pytest items, and what they share on one process."""

import gc
import json
import os
import re
import sys
import warnings
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

from pytest_readmit import cases, privacy
from pytest_readmit.cases import Plan, PlannedCase
from pytest_readmit.claim import Finding
from pytest_readmit.errors import SuiteError, did_you_mean
from pytest_readmit.run import Session
from pytest_readmit.settings import PlanSettings

SUFFIXES = (".yml", ".yaml")
PAYLOAD = "readmit_finding"
"""The attribute of a call report that carries the Finding: JSON values, between processes their text."""
PINS = "readmit_pins"
"""What the controller tells a worker: the versions that moving sources named when the run began."""
GATES = pytest.StashKey["Gates"]()
UNDISTURBED = (
    RuntimeWarning,
    UserWarning,
    FutureWarning,
    DeprecationWarning,
    PendingDeprecationWarning,
)
_ENCODER = json.JSONEncoder(allow_nan=False)


class GateWarning(UserWarning):
    """A gate that warns: shown in pytest's warnings summary, never turned into a failure."""


class GateBlocked(Exception):
    """A gate blocks; carries what is shown."""

    def __init__(self, finding: Mapping[str, Any], text: str) -> None:
        super().__init__(f"{finding['id']}: {finding['verdict']}")
        self.text = text


class SuiteFile(pytest.File):
    """A suite file; its children are entries."""

    def collect(self) -> Iterator[pytest.Item | pytest.Collector]:
        gates = self.config.stash[GATES]
        yield from _children(self, gates.cases_of[self.path], depth=0)


class CheckGroup(pytest.Collector):
    """The cases of one entry, or those of one subject where the entry has segments."""

    def __init__(self, *, members: Sequence[PlannedCase], depth: int, **given: Any) -> None:
        super().__init__(**given)
        self.members = members
        self.depth = depth

    def collect(self) -> Iterator[pytest.Item | pytest.Collector]:
        yield from _children(self, self.members, depth=self.depth)


class CheckItem(pytest.Item):
    """One case."""

    def __init__(self, *, case: PlannedCase, **given: Any) -> None:
        super().__init__(**given)
        self.case = case
        self.measuring = False
        self.payload: str | dict[str, Any] | None = None
        for tag in case.entry.tags:
            self.add_marker(tag)

    @cached_property
    def ihook(self) -> Any:
        """The hooks of its suite: looked up once instead of seven times a case."""
        return super().ihook

    def runtest(self) -> None:
        self.measuring = True
        gates = self.config.stash[GATES]
        finding = gates.finding(self.case)
        self.payload = finding if gates.is_controller else _ENCODER.encode(finding)
        self.user_properties.append(("verdict", finding["verdict"]))
        if finding["estimate"] is not None:
            self.user_properties.append(("estimate", finding["estimate"]))
        if finding["limit"] is not None:
            limit = finding["limit"]
            self.user_properties.append(("limit", str(limit) if isinstance(limit, list) else limit))
        if finding["details"].get("warning"):
            self._warn(f"{finding['id']}: {finding['details']['warning']}")
        if finding["outcome"] == "xfailed":
            # pytest folds a reason, so that any part of it may begin a line.
            pytest.xfail(privacy.printable(finding["message"]).replace("::", r":\x3a"))
        if finding["outcome"] != "passed":
            raise GateBlocked(finding, failure_text(self.case, finding))
        if finding["warned"]:
            self._warn(f"{finding['id']}: {finding['message']}")

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        if isinstance(excinfo.value, GateBlocked):
            return excinfo.value.text
        if isinstance(excinfo.value, pytest.fail.Exception):
            return f"error: {privacy.printable(str(excinfo.value))}"
        if not self.measuring:
            return super().repr_failure(excinfo, style)
        # Neither the text nor the locals of whatever went wrong beside the data: both could quote it.
        frames = [f"  {Path(entry.path).name}:{entry.lineno + 1} {entry.name}" for entry in excinfo.traceback]
        return "\n".join([f"error: {excinfo.typename}; nothing was measured", *frames])

    def reportinfo(self) -> tuple[Path, int, str]:
        return self.path, *self.location[1:]

    @cached_property
    def location(self) -> tuple[str, int, str]:
        """The suite as ids call it, its line from 0, and the rest of the id."""
        return self.case.suite.shown, self.case.line - 1, "::".join(self.case.names)

    def _warn(self, text: str) -> None:
        # The hook, not item.warn(): under -W error a gate that warns must not become a failure.
        warning = warnings.WarningMessage(
            GateWarning(privacy.printable(text)), GateWarning, str(self.path), self.case.line, line=""
        )
        self.ihook.pytest_warning_recorded.call_historic(
            kwargs={"warning_message": warning, "when": "runtest", "nodeid": self.nodeid, "location": None}
        )


class Gates:
    """The plan of this process, and the hooks that turn it into items and Findings."""

    def __init__(self, config: pytest.Config, paths: Sequence[Path]) -> None:
        """Validate the suites; raises SuiteError."""
        if not paths:
            raise SuiteError(
                ["--readmit-json and --readmit-report need a suite: name it with --readmit-suite"]
            )
        self.config = config
        self.is_controller = not hasattr(config, "workerinput")
        self._pause = GarbagePause()
        config.add_cleanup(self._pause.end)
        self.plan: Plan = cases.plan(paths, _settings(config))
        self.masks = privacy.masks(self.plan.suites)
        self.shown = {suite.path: suite.shown for suite in self.plan.suites}
        self.cases_of: dict[Path, list[PlannedCase]] = {suite.path: [] for suite in self.plan.suites}
        for case in self.plan.cases:
            self.cases_of[case.suite.path].append(case)
        config.stash[GATES] = self
        for tag in sorted({tag for case in self.plan.cases for tag in case.entry.tags}):
            config.addinivalue_line("markers", f"{tag}: a tag of a readmit suite")

    @cached_property
    def session(self) -> Session:
        """What decides the cases on this process."""
        return Session(self.plan)

    @cached_property
    def pins(self) -> dict[str, str]:
        """The versions that moving sources name, so that every worker reads the same ones."""
        return self.plan.pins()

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        node.workerinput[PINS] = self.pins

    def finding(self, case: PlannedCase) -> dict[str, Any]:
        """Return the Finding of a case as JSON values, fit to be shown."""
        return self.masks[case.index].case(self.session.finding(case))

    def sources(self) -> dict[str, Any]:
        """Return what this process read: datasets and models, fit to be shown."""
        shown: dict[str, Any] = privacy.mask_of_all(self.plan.suites).json(self.session.provenance())
        return shown

    def pytest_collect_file(self, file_path: Path, parent: pytest.Collector) -> SuiteFile | None:
        if file_path not in self.shown:
            return None
        file: SuiteFile = SuiteFile.from_parent(parent, path=file_path, nodeid=self.shown[file_path])
        # Checks are measured beside the items, so under -W error a warning of numpy would be an error or
        # not by chance of timing; here and between items (see pytest_runtestloop) it stays a warning.
        if (
            sys.warnoptions
            or self.config.getini("filterwarnings")
            or self.config.known_args_namespace.pythonwarnings
        ):
            file.add_marker(pytest.mark.filterwarnings("default"))
        return file

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> Generator[None, object, object]:
        self._pause.settle()
        with warnings.catch_warnings():
            if not sys.warnoptions:
                for category in UNDISTURBED:
                    warnings.simplefilter("default", category)
            # A worker does not know which of the items will be its own: it measures on demand.
            if self.is_controller and not self.config.option.collectonly:
                self.session.start([item.case for item in session.items if isinstance(item, CheckItem)])
            return (yield)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> pytest.TestReport | None:
        if not isinstance(item, CheckItem):
            return None
        report = pytest.TestReport.from_item_and_call(item, call)
        # What a model or a check printed may quote the data; -s shows it to who asks for it.
        report.sections.clear()
        if call.when == "call" and item.payload is not None:
            setattr(report, PAYLOAD, item.payload)
            item.payload = None
        return report

    def pytest_sessionfinish(self) -> None:
        output = getattr(self.config, "workeroutput", None)
        if output is not None:
            output["readmit_sources"] = json.dumps(self.sources(), allow_nan=False)

    def pytest_unconfigure(self) -> None:
        self.session.close()


class GarbagePause:
    """
    Keeps Python's cycle collector from walking again and again over a plan that stays to the end.

    Planning and collecting 10,000 cases makes a million objects and no garbage; walking over them costs as
    much as a tenth of such a run.
    """

    def __init__(self) -> None:
        self._was_on = gc.isenabled()
        gc.disable()

    def settle(self) -> None:
        """Leave what exists out of later walks, and let the collector work."""
        gc.freeze()
        if self._was_on:
            gc.enable()

    def end(self) -> None:
        """Put everything back."""
        gc.unfreeze()
        if self._was_on:
            gc.enable()


def failure_text(case: PlannedCase, finding: Mapping[str, Any]) -> str:
    """Say what moved, by how much, between which bounds, against which limit, from which line."""
    verdict, bound, alpha = finding["verdict"], finding["fail_bound"], finding["alpha"]
    lines = [f"{verdict}: {finding['message']}"]
    facts = []
    if bound is not None and alpha is not None:
        facts.append(f"bound {bound:.3g} at alpha {alpha:.3g} (m = {finding['m']})")
    for side in ("reference", "current"):
        rows = finding[f"n_{side}"]
        if rows is not None:
            facts.append(f"{rows:,} usable rows of {side}")
    if facts:
        lines.append(f"  {', '.join(facts)}")
    place = f"  {case.suite.shown}:{case.line}: {case.entry.id}"
    reason = finding["because"] or "default limit, no rationale given"
    lines.append(place if verdict == "error" else f"{place}: {reason}")
    return "\n".join(privacy.printable(line) for line in lines)


def lost(case: PlannedCase, message: str) -> dict[str, Any]:
    """Return the error Finding of a case that came to no end, as JSON values fit to be shown."""
    finding = Finding(
        id=case.id,
        suite=case.suite.name,
        check=case.entry.check,
        entry=case.entry.id,
        subject=case.subject,
        segment=case.segment,
        line=case.line,
        because=case.entry.because,
        verdict="error",
        severity=case.policy.severity,
        outcome="failed",
        confidence=case.policy.confidence,
        m=case.policy.shares,
        decide_by=case.policy.decide_by,
        message=message,
    )
    return privacy.masks([case.suite])[0].case(finding)


def named_suites(options: Iterable[str], ini: Sequence[Path], *, folder: Path) -> list[Path]:
    """
    Return the suite files that the options name: files, folders, globs; an empty one stands for the ini.

    Raises:
        pytest.UsageError: If one names nothing.
    """
    found: list[Path] = []
    for option in options:
        if option:
            found += _expand(option, folder)
        elif not ini:
            raise pytest.UsageError("--readmit-suite without PATH needs ini readmit_suites")
        else:
            for path in ini:
                found += _expand(str(path), folder)
    return list(dict.fromkeys(found))


def is_suite(path: Path) -> bool:
    """Whether a YAML file that an argument names looks like a suite; other plugins have YAML files too."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return re.search(r"""(?m)^[\s{'"]*(checks|suite)['"]?\s*:""", text) is not None


def _expand(named: str, folder: Path) -> list[Path]:
    import glob

    path = Path(os.path.abspath(folder / named))
    if path.is_file():
        return [path]
    if path.is_dir():
        found = sorted(each for each in path.iterdir() if each.suffix in SUFFIXES)
        if not found:
            raise pytest.UsageError(f"--readmit-suite: {named} holds no .yml or .yaml file")
        return found
    found = sorted(Path(each) for each in glob.glob(str(path), recursive=True) if Path(each).is_file())
    if not found:
        known = [each.name for each in path.parent.glob("*") if each.suffix in SUFFIXES]
        raise pytest.UsageError(f"--readmit-suite: {named} does not exist{did_you_mean(path.name, known)}")
    return found


def _settings(config: pytest.Config) -> PlanSettings:
    most = str(config.getini("readmit_max_cases"))
    if not most.isdecimal():
        raise SuiteError([f"ini readmit_max_cases must be a whole number, got {most!r}"])
    return PlanSettings(
        variables=_pairs("--readmit-set", config.option.readmit_set),
        environ=dict(os.environ),
        allowed_env=frozenset(config.getini("readmit_env")),
        data=_pairs("--readmit-data", config.option.readmit_data),
        trust=(*(config.option.readmit_trust or ()), *config.getini("readmit_trust")),
        check_modules=tuple(config.getini("readmit_checks")),
        max_cases=int(most),
        strict=config.option.readmit_strict,
        honour_waivers=not config.option.runxfail,
        root=config.rootpath,
        folder=config.invocation_params.dir,
        pins=getattr(config, "workerinput", {}).get(PINS, {}),
    )


def _pairs(option: str, given: Sequence[str] | None) -> dict[str, str]:
    pairs = {}
    for text in given or ():
        name, equals, value = text.partition("=")
        if not (name and equals):
            raise SuiteError([f"{option} takes NAME=VALUE, got {text!r}"])
        pairs[name] = value
    return pairs


def _children(
    parent: pytest.Collector, members: Sequence[PlannedCase], *, depth: int
) -> Iterator[pytest.Item | pytest.Collector]:
    """Yield an item for each case whose id ends here, a group for those that share the next part."""
    shared: dict[tuple[str, bool], list[PlannedCase]] = {}
    for case in members:
        shared.setdefault((case.names[depth], len(case.names) == depth + 1), []).append(case)
    for (name, ends_here), alike in shared.items():
        if ends_here:
            for case in alike:
                yield CheckItem.from_parent(parent, name=name, case=case)
        else:
            yield CheckGroup.from_parent(parent, name=name, members=alike, depth=depth + 1)
