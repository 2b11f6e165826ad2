"""`python -m pytest_readmit.mimic`: invented tables, the cohort built from tables, models trained on it."""

import argparse
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, NoReturn

from pytest_readmit.errors import DataError, ReadmitError

if TYPE_CHECKING:
    import pandas as pd

    from pytest_readmit.mimic.training import Kind

WRONG = 4
INTERRUPTED = 2


class _Parser(argparse.ArgumentParser):
    """argparse with pytest's exit code for a wrong command line."""

    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(WRONG, f"{self.prog}: {message}\n")


def main(argv: Sequence[str] | None = None) -> int:
    """
    Run the command; return its exit code.

    0 done, 1 refused, 2 interrupted, 3 the registry failed, 4 data or command line wrong.
    """
    try:
        options = _parser().parse_args(argv)
        options.run(options)
    except ReadmitError as error:
        _progress(str(error))
        return int(getattr(error, "exit_code", WRONG))
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else WRONG
    except KeyboardInterrupt:
        return INTERRUPTED
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="python -m pytest_readmit.mimic",
        description="The readmission pipeline: tables of MIMIC-IV's shape, cohort, models.",
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    tables = commands.add_parser("tables", help="write synthetic `hosp` tables")
    tables.add_argument("folder", metavar="DIR", help="the tables go into DIR/hosp")
    tables.add_argument("--patients", type=int, default=10_000, metavar="N", help="default: 10000")
    tables.add_argument("--seed", type=int, default=0, metavar="S", help="which patients; default: 0")
    tables.add_argument("--format", choices=("parquet", "csv.gz"), default="parquet", help="default: parquet")
    tables.set_defaults(run=_tables)

    cohort = commands.add_parser("cohort", help="build the modelling table from `hosp` tables, real or not")
    cohort.add_argument("hosp", metavar="HOSP_DIR", help="the folder `hosp`, or the one that holds it")
    cohort.add_argument("-o", "--output", required=True, metavar="FILE", help="the Parquet file to write")
    cohort.add_argument(
        "--last-year", type=int, metavar="YEAR", help="last real year of the records; default: from the data"
    )
    cohort.set_defaults(run=_cohort)

    train = commands.add_parser(
        "train", help="train models on the modelling table and score what they did not see"
    )
    train.add_argument("table", metavar="TABLE", help="what `cohort` wrote")
    train.add_argument("-o", "--output", required=True, metavar="DIR", help="models and datasets go here")
    train.add_argument(
        "--model",
        action="append",
        metavar="NAME=KIND",
        help="logistic or boosting; default: champion=logistic and challenger=boosting",
    )
    train.add_argument(
        "--cutoff-year",
        type=int,
        metavar="YEAR",
        help="first year of `current`; default: half-way through the rows",
    )
    train.add_argument("--seed", type=int, default=0, metavar="S", help="default: 0")
    train.add_argument("--format", choices=("joblib", "skops"), default="joblib", help="default: joblib")
    train.set_defaults(run=_train)

    _add_retrain(commands.add_parser("retrain", help="train, log to MLflow and register as challenger"))
    _add_evaluate(
        commands.add_parser("evaluate", help="print the metrics of a training run, or of a registered model")
    )
    return parser


def _add_retrain(command: argparse.ArgumentParser) -> None:
    command.add_argument("--data", required=True, metavar="TABLE", help="what `cohort` wrote")
    _add_registered(command, required=True)
    command.add_argument(
        "--kind", choices=("logistic", "boosting"), default="boosting", help="default: boosting"
    )
    command.add_argument(
        "--cutoff-year",
        type=int,
        metavar="YEAR",
        help="first year that is tested only; default: half-way through the rows",
    )
    command.add_argument("--seed", type=int, default=0, metavar="S", help="default: 0")
    command.set_defaults(run=_retrain)


def _add_evaluate(command: argparse.ArgumentParser) -> None:
    command.add_argument("folder", nargs="?", metavar="DIR", help="the folder that `train` wrote")
    command.add_argument("--data", metavar="TABLE", help="the table that the challenger was trained on")
    _add_registered(command, required=False)
    command.add_argument("--version", metavar="N", help="refuse if another version is challenger")
    command.add_argument(
        "-o", "--output", metavar="DIR", help="write the table's parts there, for the gates: current.parquet"
    )
    command.set_defaults(run=_evaluate)


def _add_registered(command: argparse.ArgumentParser, *, required: bool) -> None:
    command.add_argument(
        "--tracking-uri", required=required, metavar="URI", help="the MLflow store; there is no default"
    )
    command.add_argument("--model", required=required, metavar="NAME", help="the registered model")


def _tables(options: argparse.Namespace) -> None:
    from pytest_readmit.mimic.tables import write_tables

    hosp = write_tables(
        options.folder,
        patients=options.patients,
        seed=options.seed,
        file_format=options.format,
        say=_progress,
    )
    _say(f"{hosp}")


def _cohort(options: argparse.Namespace) -> None:
    from pytest_readmit.mimic.build import build_cohort, flow_text

    cohort = build_cohort(options.hosp, options.output, last_year=options.last_year, say=_progress)
    _say(flow_text(cohort.flow))
    _say(f"{cohort.path}: {cohort.rows:,} index admissions, {cohort.readmitted:,} readmitted within 30 days")


def _train(options: argparse.Namespace) -> None:
    from pytest_readmit.mimic.training import DEFAULT_MODELS, train

    training = train(
        options.table,
        options.output,
        models=_models(options.model) if options.model else DEFAULT_MODELS,
        cutoff_year=options.cutoff_year,
        seed=options.seed,
        file_format=options.format,
        say=_progress,
    )
    for name, path in (*training.models.items(), *training.datasets.items()):
        rows = training.rows.get(name)
        _say(f"{path}" if rows is None else f"{path}: {rows:,} rows")
    _say(f"current begins with {training.cutoff_year}; {training.rows['left_out']:,} rows left out")


def _models(written: Sequence[str]) -> dict[str, "Kind"]:
    from pytest_readmit.mimic.training import KINDS

    kinds = {kind: kind for kind in KINDS}
    found: dict[str, Kind] = {}
    for text in written:
        name, _, kind = text.partition("=")
        if not name.isidentifier() or kind not in kinds:
            raise DataError(f"--model {text}: expected NAME=KIND with KIND {' or '.join(KINDS)}")
        found[name] = kinds[kind]
    return found


def _retrain(options: argparse.Namespace) -> None:
    from pytest_readmit.mimic.retraining import retrain

    done = retrain(
        options.data,
        tracking_uri=options.tracking_uri,
        model=options.model,
        kind=options.kind,
        cutoff_year=options.cutoff_year,
        seed=options.seed,
        say=_progress,
    )
    against = "there is no champion" if done.champion is None else f"champion is version {done.champion}"
    _progress(
        f"{options.model} version {done.version} is challenger, {against}; "
        f"{done.rows['current']:,} rows from {done.cutoff_year} on are left for the gates"
    )
    _say(done.version)


def _evaluate(options: argparse.Namespace) -> None:
    registered = (options.data, options.tracking_uri, options.model, options.output)
    if options.folder and not any((*registered, options.version)):
        from pytest_readmit.mimic.training import evaluate

        _say(evaluate(options.folder).to_string(index=False, float_format="{:.3f}".format))
        return
    if options.folder or not all(registered):
        raise DataError(
            "evaluate: name the folder that `train` wrote, or all of --data, --tracking-uri, --model and -o"
        )
    from pytest_readmit.mimic.retraining import evaluate_challenger

    found = evaluate_challenger(
        options.data,
        options.output,
        tracking_uri=options.tracking_uri,
        model=options.model,
        version=options.version,
        say=_progress,
    )
    _say(_markdown(found))


def _markdown(table: "pd.DataFrame") -> str:
    rows = [list(table.columns), ["---"] * len(table.columns), *table.astype(str).to_numpy().tolist()]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")


def _progress(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
