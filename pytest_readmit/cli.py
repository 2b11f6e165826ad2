"""The `readmit` command: what a person does with suites and records outside a test run."""

import argparse
import os
import sys
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from pytest_readmit.errors import ReadmitError, SuiteError, did_you_mean

if TYPE_CHECKING:
    from pytest_readmit.registry import Registry
    from pytest_readmit.signature import CheckSpec
    from pytest_readmit.suite import Suite

OK = 0
INTERRUPTED = 2
WRONG = 4


class _Parser(argparse.ArgumentParser):
    """argparse with pytest's exit code for a wrong command line."""

    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(WRONG, f"{self.prog}: {message}\n")


def main(argv: Sequence[str] | None = None) -> int:
    """
    Run the command; return its exit code.

    0 done, 1 refused or found wrong, 2 interrupted, 3 the registry failed, 4 suite or command line wrong.
    """
    try:
        options = _options(sys.argv[1:] if argv is None else argv)
        code: int = options.run(options)
        sys.stdout.flush()
    except ReadmitError as error:
        _say(str(error), sys.stderr)
        return int(getattr(error, "exit_code", WRONG))
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else WRONG
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # The reader (`head`, a pager) has seen enough; the interpreter must not complain at exit either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OK
    return code


def _options(argv: Sequence[str]) -> argparse.Namespace:
    """Read the command line; what follows ``--`` after `promote` is for pytest."""
    typed, rest = list(argv), []
    if typed[:1] == ["promote"] and "--" in typed:
        rest = typed[typed.index("--") + 1 :]
        typed = typed[: typed.index("--")]
    options = _parser().parse_args(typed)
    options.rest = rest
    return options


def _parser() -> argparse.ArgumentParser:
    from pytest_readmit.baseline.commands import add_commands as add_baseline
    from pytest_readmit.calibrate.commands import add_commands as add_calibrate
    from pytest_readmit.metrics.commands import add_commands as add_metrics
    from pytest_readmit.mlops.commands import add_commands
    from pytest_readmit.start.commands import add_commands as add_start

    parser = _Parser(prog="readmit", description="Suites and records of pytest-readmit.")
    parser.add_argument("--version", action=_Version, nargs=0, help="show the version")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    lint = _command(commands, "lint", _lint, "check suites without reading data")
    lint.add_argument("suites", nargs="+", metavar="SUITE", help="a file, a folder of suites or a glob")
    lint.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="what ${NAME} stands for"
    )
    lint.add_argument(
        "--env", action="append", default=[], metavar="NAME", help="read NAME from the environment too"
    )
    schema = _command(commands, "schema", _schema, "write the JSON Schema of suites, for editors")
    schema.add_argument("-o", "--output", metavar="FILE", help="default: standard output")
    listing = _command(commands, "list", _list, "describe the checks and their parameters")
    listing.add_argument("check", nargs="?", metavar="CHECK", help="only this one")
    for command in (lint, schema, listing):
        command.add_argument(
            "--checks", action="append", default=[], metavar="MODULE", help="a module that registers checks"
        )
    report = _command(commands, "report", _report, "show a record as Markdown, one HTML page or brief JSON")
    report.add_argument("record", metavar="RECORD", help="a file that --readmit-json wrote")
    report.add_argument("-o", "--output", metavar="FILE", help="default: standard output")
    report.add_argument(
        "--format",
        choices=("md", "html", "json"),
        help="json: verdict, digest and the gates that block, warn or are waived; "
        "default: as FILE is named, html if that says nothing, md without FILE",
    )
    report.add_argument(
        "--history", metavar="DIR", help="earlier records of the suite, drawn as trends; html only"
    )
    demo = _command(commands, "demo", _demo, "build patients, models and a registry to try promotion on")
    demo.add_argument("folder", metavar="DIR", help="a folder that is not there yet")
    demo.add_argument("--patients", type=int, default=20_000, metavar="N", help="default: 20000")
    demo.add_argument("--seed", type=int, default=0, metavar="S", help="which patients; default: 0")
    for add in (add_start, add_calibrate, add_baseline, add_commands, add_metrics):
        add(lambda name, run, about: _command(commands, name, _printed(run), about))
    return parser


def _printed(
    run: Callable[[argparse.Namespace], Generator[str, None, int]],
) -> Callable[[argparse.Namespace], int]:
    """Print what a command yields, each line as it comes."""

    def print_each(options: argparse.Namespace) -> int:
        lines = run(options)
        while True:
            try:
                _say(next(lines))
                sys.stdout.flush()
            except StopIteration as end:
                return int(end.value)

    return print_each


class _Version(argparse.Action):
    """Looks the version up only when it is asked for."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        from importlib.metadata import version

        _say(f"pytest-readmit {version('pytest-readmit')}")
        parser.exit()


def _command(commands: Any, name: str, run: Any, about: str) -> argparse.ArgumentParser:
    command: argparse.ArgumentParser = commands.add_parser(name, help=about, description=about)
    command.set_defaults(run=run)
    return command


def _say(text: str, stream: Any = None) -> None:
    """Print text without control characters or commands to a build server, whatever the encoding."""
    from pytest_readmit.privacy import printable

    stream = stream or sys.stdout
    clean = "\n".join(map(printable, text.split("\n")))
    encoding = stream.encoding or "utf-8"
    stream.write(clean.encode(encoding, "backslashreplace").decode(encoding) + "\n")


def _checks(modules: Sequence[str]) -> "Registry":
    from pytest_readmit import registry

    if modules and "" not in sys.path:
        # A console script starts beside itself; the user means modules of this folder, as in `python -m`.
        sys.path.insert(0, os.getcwd())
    return registry.load(modules, named_by="--checks")


def _pairs(given: Sequence[str]) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not name or not equals:
            raise SuiteError([f"--set {text}: write NAME=VALUE"])
        pairs[name] = value
    return pairs


def _lint(options: argparse.Namespace) -> int:
    from pytest_readmit.suite import Settings, read_suite
    from pytest_readmit.suite.find import find_suites

    checks = _checks(options.checks)
    settings = Settings(
        variables=_pairs(options.set), environ=dict(os.environ), allowed_env=frozenset(options.env)
    )
    folder = Path.cwd()
    problems: list[str] = []
    entries = 0
    paths = find_suites(options.suites, folder)
    for path in paths:
        try:
            suite = read_suite(path, shown=_shown(path, folder), checks=checks, settings=settings)
        except SuiteError as error:
            problems += [str(problem) for problem in error.problems]
            continue
        entries += len(suite.entries)
        for warning in (*suite.warnings, *_absent_data(suite, checks)):
            _say(f"{warning} (warning)")
    if problems:
        _say("\n".join(problems))
        _say(_count(len(problems), "problem"))
        _tell_build(problems, folder)
        return WRONG
    _say(f"{_count(len(paths), 'suite')}, {_count(entries, 'entry', 'entries')}: no problems")
    return OK


def _tell_build(problems: Sequence[str], folder: Path) -> None:
    from pytest_readmit import builds

    for command in builds.of_problems(problems, folder):
        sys.stdout.write(f"{command}\n")


def _absent_data(suite: "Suite", checks: "Registry") -> Iterator[str]:
    """Yield a warning for each dataset that a check needs and `data` lacks; a run may still bring it."""
    told = {*suite.data} if suite.data else {"reference", "current"}
    for entry in suite.entries:
        spec = checks[entry.check]
        needs = [name for name, kind in spec.needs if kind in ("column", "dataset", "scored")]
        for name in [*needs, "reference", "current"] if spec.part else needs:
            wanted = entry.on if name == "current" and entry.on else name
            if wanted not in told:
                told.add(wanted)
                yield (
                    f"{suite.shown}:{entry.line}:{entry.column}: {entry.check}: needs a dataset {wanted!r}, "
                    "which `data` does not name"
                )


def _shown(path: Path, folder: Path) -> str:
    """Return a path as pytest shows it: relative to the folder, with forward slashes."""
    try:
        return Path(os.path.relpath(path, folder)).as_posix()
    except ValueError:  # another drive on Windows
        return path.as_posix()


def _count(number: int, one: str, many: str = "") -> str:
    return f"{number:,} {one if number == 1 else many or f'{one}s'}"


def _schema(options: argparse.Namespace) -> int:
    import json

    from pytest_readmit.suite.schema import suite_schema

    text = json.dumps(suite_schema(_checks(options.checks)), indent=2, ensure_ascii=False)
    if options.output is None:
        _say(text)
    else:
        _write(options.output, f"{text}\n")
    return OK


def _write(name: str, text: str) -> None:
    try:
        Path(name).write_text(text, encoding="utf-8")
    except OSError as error:
        raise SuiteError([f"{name}: cannot be written ({error.strerror})"]) from error


def _demo(options: argparse.Namespace) -> int:
    from pytest_readmit.mimic.demo_folder import build_demo, next_steps

    def say(text: str) -> None:
        _say(text, sys.stderr)
        sys.stderr.flush()

    built = build_demo(options.folder, patients=options.patients, seed=options.seed, say=say)
    _say(next_steps(built))
    return OK


def _list(options: argparse.Namespace) -> int:
    checks = _checks(options.checks)
    wanted: Mapping[str, CheckSpec] = checks
    if options.check is not None:
        if options.check not in checks:
            raise SuiteError([f"unknown check {options.check!r}{did_you_mean(options.check, checks)}"])
        wanted = {options.check: checks[options.check]}
    _say("\n\n".join(_described(spec) for spec in wanted.values()))
    if options.check is None:
        from pytest_readmit.signature import COMMON_KEYS

        _say(f"\nEvery entry also takes: {', '.join(COMMON_KEYS)}.")
    return OK


def _described(spec: "CheckSpec") -> str:
    from pytest_readmit.parameters import describe
    from pytest_readmit.suite.schema import summary

    lines = [spec.name, *_wrapped(f"{summary(spec.doc)} {_cases_of(spec)}", 4)]
    schema = spec.json_schema
    for name, field in schema.get("properties", {}).items():
        default = f"default {_yaml(field['default'])}" if name in spec.defaults else "required"
        lines += _wrapped(f"{name}: {describe(field, schema)}; {default}", 4)
        lines += _wrapped(field.get("description", ""), 8)
    return "\n".join(lines)


def _cases_of(spec: "CheckSpec") -> str:
    if spec.cases is not None:
        return "Its parameters say which cases it has."
    if not spec.per_column:
        return "One case."
    return f"One case per {' or '.join(spec.kinds)} column." if spec.kinds else "One case per column."


def _wrapped(text: str, indent: int) -> list[str]:
    import shutil
    import textwrap

    width = max(40, min(shutil.get_terminal_size().columns, 100))
    return textwrap.wrap(
        text, width, initial_indent=" " * indent, subsequent_indent=" " * indent, break_on_hyphens=False
    )


def _yaml(value: Any) -> str:
    import json

    return "none" if value is None else value if isinstance(value, str) else json.dumps(value)


def _report(options: argparse.Namespace) -> int:
    from pytest_readmit import record

    content = record.read(Path(options.record))
    text = _view(content, options.format or _format_of(options.output), options.history)
    if options.output is None:
        sys.stdout.buffer.write(text.encode())
        return OK
    if os.path.realpath(options.output) == os.path.realpath(options.record):
        raise SuiteError([f"{options.output} is the record itself; name another file with -o"])
    try:
        record.write_text(Path(options.output), text)
    except OSError as error:
        raise SuiteError([f"{options.output}: cannot be written ({error.strerror})"]) from error
    return OK


def _format_of(output: str | None) -> str:
    if output is None:
        return "md"
    return {".md": "md", ".markdown": "md", ".json": "json"}.get(Path(output).suffix.lower(), "html")


def _view(content: Mapping[str, Any], form: str, history: str | None) -> str:
    if history is not None and form != "html":
        raise SuiteError(["--history is drawn on the HTML page only; write one with -o report.html"])
    if form == "md":
        from pytest_readmit.report import markdown

        return markdown.render(content)
    if form == "json":
        import json

        from pytest_readmit.report.brief import brief

        return json.dumps(brief(content), indent=1) + "\n"
    from pytest_readmit.report import read_history, render

    return render(content, None if history is None else read_history(Path(history), content))
