"""`readmit metrics`: what it takes and says."""

import argparse
from collections.abc import Callable, Generator
from pathlib import Path

from pytest_readmit.errors import SuiteError
from pytest_readmit.metrics.series import need_client

OK = 0
HOST = "127.0.0.1"
PORT = 8000

Lines = Generator[str, None, int]
AddCommand = Callable[[str, Callable[[argparse.Namespace], Lines], str], argparse.ArgumentParser]


def add_commands(add: AddCommand) -> None:
    """Add the command, which yields its lines and returns its exit code."""
    command = add("metrics", _metrics, "serve the newest record of each suite to Prometheus")
    command.add_argument("--records", required=True, metavar="DIR", help="a folder of records, *.json")
    command.add_argument(
        "--port", type=_port, default=PORT, metavar="N", help=f"default: {PORT}; 0 takes a free one"
    )
    command.add_argument(
        "--host", default=HOST, metavar="ADDR", help=f"the address to listen on; default: {HOST}"
    )


def _port(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text}: write a number from 0 to 65535")
    return int(text)


def _metrics(options: argparse.Namespace) -> Lines:
    from pytest_readmit.metrics.server import Exporter, serve_until_stopped, serving

    need_client("readmit metrics")
    folder = Path(options.records)
    exporter = Exporter(folder)
    server = serving(exporter, options.host, options.port)
    try:
        exporter.text()
    except OSError as error:
        server.server_close()
        raise SuiteError([f"--records {folder}: no folder of records ({error.strerror})"]) from error
    host = f"[{options.host}]" if ":" in options.host else options.host
    yield f"serving http://{host}:{server.server_port}/metrics from {folder}"
    serve_until_stopped(server)
    return OK
