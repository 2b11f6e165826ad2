"""The exporter: serves what the newest record of each suite says."""

import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from socketserver import TCPServer, ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from pytest_readmit.errors import SuiteError
from pytest_readmit.metrics.folder import Folder, Found
from pytest_readmit.metrics.runs import standings
from pytest_readmit.metrics.series import MOST_SUITES, families, text

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
PLAIN = "text/plain; charset=utf-8"
IDLE_SECONDS = 20

Start = Callable[[str, list[tuple[str, str]]], object]


class Exporter:
    """What is served: made once, and again when the folder has changed."""

    def __init__(self, records: Path) -> None:
        self._folder = Folder(records)
        self._lock = threading.Lock()
        self._found: Found | None = None
        self._text = ""

    def text(self) -> str:
        """
        Return the metrics.

        Raises:
            OSError: The folder cannot be listed.
        """
        with self._lock:
            found = self._folder.read()
            if found != self._found:
                every = sorted(standings(found.runs), key=lambda one: one.run.finished or 0, reverse=True)
                counts = {
                    "readmit_suites_omitted": max(0, len(every) - MOST_SUITES),
                    "readmit_records_unreadable": found.unreadable,
                    "readmit_records_unfinished": found.unfinished,
                }
                self._text = text(families(every[:MOST_SUITES], counts))
                self._found = found
            return self._text

    def __call__(self, environ: dict[str, Any], start: Start) -> Iterable[bytes]:
        """Answer a request."""
        status, kind, body = self._answer(environ["REQUEST_METHOD"], environ["PATH_INFO"])
        content = body.encode()
        headers = [("Content-Type", kind), ("Content-Length", str(len(content)))]
        start(status, [*headers, ("X-Content-Type-Options", "nosniff")])
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [content]

    def _answer(self, method: str, path: str) -> tuple[str, str, str]:
        if method not in ("GET", "HEAD"):
            return "405 Method Not Allowed", PLAIN, "GET or HEAD only\n"
        if path in ("/", "/-/healthy"):
            return "200 OK", PLAIN, "readmit metrics: see /metrics\n"
        if path != "/metrics":
            return "404 Not Found", PLAIN, "see /metrics\n"
        try:
            return "200 OK", CONTENT_TYPE, self.text()
        except OSError as error:
            sys.stderr.write(f"readmit: the folder of records cannot be listed: {error.strerror}\n")
            return "503 Service Unavailable", PLAIN, "the folder of records cannot be listed\n"


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True

    def server_bind(self) -> None:
        # The parent asks DNS for a name of the host that nobody needs.
        TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])
        self.setup_environ()

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002
        """Say in one line what went wrong; a reader who hung up is nothing to tell."""
        error = sys.exception()
        if not isinstance(error, OSError):
            sys.stderr.write(f"readmit: a request failed: {type(error).__name__}\n")


class _Handler(WSGIRequestHandler):
    timeout = IDLE_SECONDS

    def log_message(self, *_: object) -> None:
        """Log nothing."""


def serving(exporter: Exporter, host: str, port: int) -> WSGIServer:
    """
    Return a server that is bound and does not answer yet.

    Raises:
        SuiteError: It cannot be bound.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        kind = type("_Bound", (_Server,), {"address_family": family})
        server: WSGIServer = kind(address, _Handler)
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or type(error).__name__
        raise SuiteError([f"{host}:{port}: cannot be served: {reason}; choose --host and --port"]) from error
    server.set_app(exporter)
    return server


def serve_until_stopped(server: WSGIServer) -> None:
    """Answer requests until SIGTERM."""
    stop = threading.Event()
    before = signal.signal(signal.SIGTERM, lambda *_: stop.set())
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        stop.wait()
    finally:
        server.shutdown()
        server.server_close()
        signal.signal(signal.SIGTERM, before)
