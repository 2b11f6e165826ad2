"""pytest hooks, thin: everything else is imported when a suite is named."""

import argparse
import os
from pathlib import Path

import pytest

SUFFIXES = (".yml", ".yaml")
PATHS = pytest.StashKey[list[Path]]()
REPLACED = pytest.StashKey[bool]()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("readmit", "model gates from YAML suites")
    group.addoption(
        "--readmit-suite",
        action="append",
        nargs="?",
        const="",
        metavar="PATH",
        help="run the gates of this suite: a file, a folder of suites or a glob; repeatable; "
        "without PATH, those of ini readmit_suites",
    )
    group.addoption("--readmit-report", metavar="FILE", help="write the report, one HTML page")
    group.addoption(
        "--readmit-history",
        metavar="DIR",
        help="earlier records of the suite: a trend of each gate in the report, runs on end in the metrics",
    )
    group.addoption("--readmit-json", metavar="FILE", help="write the record, JSON")
    group.addoption(
        "--readmit-attestation",
        metavar="FILE",
        help="write an in-toto test result on the record, for signing with your own tool",
    )
    group.addoption(
        "--readmit-mlflow",
        metavar="URI",
        help="log the run to this MLflow store: record, report, verdicts, estimates",
    )
    group.addoption(
        "--readmit-metrics",
        metavar="FILE",
        help="write Prometheus metrics, for a textfile collector",
    )
    group.addoption(
        "--readmit-pushgateway", metavar="URL", help="push Prometheus metrics to this Pushgateway"
    )
    group.addoption(
        "--readmit-set",
        action="append",
        metavar="NAME=VALUE",
        help="what a suite's ${NAME} stands for; repeatable",
    )
    group.addoption(
        "--readmit-data",
        action="append",
        metavar="NAME=SOURCE",
        help="use this file or source as the dataset NAME; repeatable",
    )
    group.addoption(
        "--readmit-strict", action="store_true", help="every warning and every undecided gate blocks"
    )
    group.addoption(
        "--readmit-trust",
        action="append",
        metavar="GLOB",
        help="models that may be loaded although loading them can run code; repeatable",
    )
    parser.addini("readmit_suites", "suites that a bare --readmit-suite runs", type="paths", default=[])
    parser.addini("readmit_checks", "importable modules that register checks", type="args", default=[])
    parser.addini("readmit_env", "environment variables that suites may use", type="args", default=[])
    parser.addini("readmit_trust", "models that may be loaded, as --readmit-trust", type="args", default=[])
    parser.addini(
        "readmit_mlflow_experiment", "the experiment that --readmit-mlflow logs to", default="readmit-gates"
    )
    parser.addini("readmit_max_cases", "the most cases a suite may have", default="10000")


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config, args: list[str]) -> None:
    """Put the named suites in the place of path arguments before pytest looks for conftest files."""
    options = early_config.known_args_namespace
    if "PYTEST_XDIST_WORKER" not in os.environ:
        replace_outputs(early_config, *_outputs(options))
    if not options.readmit_suite or options.help or options.version:
        return
    from pytest_readmit.collect import named_suites

    try:
        found = named_suites(
            options.readmit_suite,
            early_config.getini("readmit_suites"),
            folder=early_config.invocation_params.dir,
        )
    except pytest.UsageError:
        if early_config.stash.get(REPLACED, False):
            from pytest_readmit import reporter

            reporter.replace_stale(early_config, exit_code=pytest.ExitCode.USAGE_ERROR)
        raise
    early_config.stash[PATHS] = found
    given = {_path_of(argument, early_config) for argument in options.file_or_dir}
    # At the front: after a bare --readmit-suite a path would be taken for its value.
    added = [str(path) for path in found if path not in given]
    args[:0] = added
    options.file_or_dir[:0] = added


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Validate the suites on every process; take part in the session if there are any."""
    options = config.option
    arguments = [argument for argument in config.args if argument.partition("::")[0].endswith(SUFFIXES)]
    paths = config.stash.get(PATHS, [])
    outputs = _outputs(options)
    if options.help or options.version or not (arguments or paths or any(outputs)):
        return
    is_controller = not hasattr(config, "workerinput")
    if is_controller:
        replace_outputs(config, *outputs, must=True)
    from pytest_readmit import collect

    named = [path for argument in arguments if collect.is_suite(path := _path_of(argument, config))]
    suites = list(dict.fromkeys([*paths, *named]))
    if is_controller and options.readmit_history and _path_of(options.readmit_history, config).is_file():
        raise pytest.UsageError(f"--readmit-history {options.readmit_history}: a file, not a folder")
    if suites or any(outputs):
        _take_part(config, suites, is_controller=is_controller)


def _take_part(config: pytest.Config, suites: list[Path], *, is_controller: bool) -> None:
    from pytest_readmit import collect, reporter
    from pytest_readmit.errors import ReadmitError

    try:
        if is_controller and config.option.readmit_mlflow is not None:
            from pytest_readmit.tracking.suites import ready

            ready(config.option.readmit_mlflow)
        if is_controller and (config.option.readmit_metrics or config.option.readmit_pushgateway is not None):
            from pytest_readmit.metrics import outputs

            outputs.ready(config.option.readmit_metrics, config.option.readmit_pushgateway)
        gates = collect.Gates(config, suites)
    except ReadmitError as error:
        if is_controller:
            reporter.replace_stale(config, exit_code=pytest.ExitCode.USAGE_ERROR)
            reporter.tell_build(error, config.rootpath)
        raise pytest.UsageError(reporter.told(error)) from None
    config.pluginmanager.register(gates, "readmit-gates")
    if is_controller:
        reporter.take_part(config, gates)


def _outputs(options: argparse.Namespace) -> tuple[str | None, ...]:
    return (
        options.readmit_json,
        options.readmit_report,
        options.readmit_attestation,
        options.readmit_metrics,
    )


def replace_outputs(config: pytest.Config, *files: str | None, must: bool = False) -> None:
    """Replace what an earlier run left, once, so that nobody takes it for this run's."""
    if config.stash.get(REPLACED, False) or not any(files):
        return
    _refuse_outputs(config, [each for each in files if each])
    from pytest_readmit import reporter

    try:
        reporter.replace_stale(config)
    except OSError as error:
        if must:
            pytest.exit(f"readmit: an output could not be written: {error}", pytest.ExitCode.INTERNAL_ERROR)
        return
    config.stash[REPLACED] = True


def _refuse_outputs(config: pytest.Config, outputs: list[str]) -> None:
    """Refuse to write over a suite, or one output over another."""
    for output in outputs:
        if output.endswith(SUFFIXES):
            raise pytest.UsageError(f"{output} is a suite's name; no output is written there")
    paths = [os.path.realpath(config.invocation_params.dir / output) for output in outputs]
    files = [path for path in paths if os.path.isfile(path) or not os.path.exists(path)]
    if len(set(files)) < len(files):
        raise pytest.UsageError(f"two outputs of --readmit-… name the same file: {outputs[0]}")


def _path_of(argument: str, config: pytest.Config) -> Path:
    return Path(os.path.abspath(config.invocation_params.dir / argument.partition("::")[0]))
