"""A real Prometheus, a real Pushgateway and the exporter, on free ports of the loopback."""

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn
from urllib.error import URLError
from urllib.parse import urlencode
from urllib.request import ProxyHandler, Request, build_opener

import pytest

READMIT = [sys.executable, "-c", "import sys; from pytest_readmit.cli import main; sys.exit(main())"]
DEBIAN = "apt-get install prometheus prometheus-pushgateway"
SECONDS = 20
LOOPBACK = "127.0.0.1"


def absent(reason: str) -> NoReturn:
    """Skip on a machine without a tool; in CI its absence is an error."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


def program(name: str) -> str:
    """Return where a program is."""
    return shutil.which(name) or absent(f"needs {name}: {DEBIAN}")


def clean_environ(**more: str) -> dict[str, str]:
    """Return the environment without what pytest reads from it and without proxies."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("PYTEST_") and not name.lower().endswith("_proxy")
    }
    return {**kept, **more}


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind((LOOPBACK, 0))
        return int(taken.getsockname()[1])


def fetched(url: str, method: str = "GET") -> str:
    """Return the body of an answer."""
    with build_opener(ProxyHandler({})).open(Request(url, method=method), timeout=SECONDS) as answer:
        text: str = answer.read().decode()
        return text


def wait_until(done: Any, what: str) -> Any:
    """Call a function until it returns something true; its failure to connect is no."""
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        with contextlib.suppress(URLError, ConnectionError, TimeoutError):
            if found := done():
                return found
        time.sleep(0.05)
    raise AssertionError(f"{what}: not within {SECONDS} seconds")


@contextlib.contextmanager
def running(command: Sequence[Any], log: Path, **environ: str) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a program in the background; it is ended with SIGTERM, at the latest with SIGKILL."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*map(str, command)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=log.parent,
            env=clean_environ(**environ),
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextlib.contextmanager
def serving(command: Sequence[Any], log: Path, **environ: str) -> Iterator[int]:
    """Run an exporter by a command with `--port 0`; yield the port that it took."""
    with running(command, log, **environ) as process:

        def port() -> int:
            assert process.poll() is None, log.read_text()
            said = log.read_text().partition("/metrics")[0]
            return int(said.rpartition(":")[2]) if "://" in said else 0

        yield wait_until(port, "readmit metrics serves")


@contextlib.contextmanager
def exporter(records: Path, log: Path) -> Iterator[int]:
    """Run `readmit metrics` on a folder; yield its port."""
    with serving([*READMIT, "metrics", "--records", records, "--port", 0], log) as port:
        yield port


@contextlib.contextmanager
def pushgateway(log: Path) -> Iterator[int]:
    """Run a Pushgateway; yield its port."""
    port = free_port()
    address = f"--web.listen-address={LOOPBACK}:{port}"
    # Debian's gateway else keeps what was pushed for the next one.
    command = [program("prometheus-pushgateway"), address, "--persistence.file="]
    with running(command, log):
        wait_until(lambda: fetched(f"http://{LOOPBACK}:{port}/-/ready"), "the Pushgateway is ready")
        yield port


@dataclass(frozen=True)
class Prometheus:
    """A running Prometheus."""

    port: int

    def api(self, path: str, **parameters: str) -> Any:
        """Return the data of an answer of the HTTP API."""
        query = f"?{urlencode(parameters)}" if parameters else ""
        answer = json.loads(fetched(f"http://{LOOPBACK}:{self.port}/api/v1/{path}{query}"))
        assert answer["status"] == "success"
        return answer["data"]

    def query(self, expression: str, **parameters: str) -> list[dict[str, Any]]:
        """Return the samples that an expression gives, now unless another time is given."""
        found: list[dict[str, Any]] = self.api("query", query=expression, **parameters)["result"]
        return found

    def alerts(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.api("alerts")["alerts"]
        return found


@contextlib.contextmanager
def prometheus(folder: Path, config: Mapping[str, Any]) -> Iterator[Prometheus]:
    """
    Run a Prometheus that scrapes and evaluates twice a second.

    Args:
        folder: For its configuration and data; it must be there.
        config: Its configuration but for the intervals.
    """
    found, port = program("prometheus"), free_port()
    often = {"scrape_interval": "500ms", "scrape_timeout": "500ms", "evaluation_interval": "500ms"}
    # JSON is YAML.
    (folder / "prometheus.yml").write_text(json.dumps({**config, "global": often}))
    command = [
        found,
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address={LOOPBACK}:{port}",
    ]
    with running(command, folder / "prometheus.log"):
        wait_until(lambda: fetched(f"http://{LOOPBACK}:{port}/-/ready"), "Prometheus is ready")
        yield Prometheus(port)
