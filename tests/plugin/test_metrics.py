"""`--readmit-metrics` and `--readmit-pushgateway`: what a run leaves for Prometheus, and when it cannot."""

import base64
import os
import re
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import prometheus_client
import pytest

from pytest_readmit.metrics import push

MOVED = "- moved: {columns: [age, bmi], far: [bmi]}"
FILE = "out/readmit.prom"
METRICS = f"--readmit-metrics={FILE}"
LEFT = 'readmit_last_run_timestamp_seconds{suite="drift"} 1.7e+09\nreadmit_gate_blocked{suite="drift"} 0.0\n'

assert prometheus_client.CollectorRegistry  # imported once: pytester takes back what is new


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", push.USER, push.PASSWORD):
        monkeypatch.delenv(name, raising=False)


def text(project) -> str:
    found: str = (project.path / FILE).read_text()
    return found


def leave(project) -> None:
    """Leave what an earlier run may have written."""
    (project.path / "out").mkdir()
    (project.path / FILE).write_text(LEFT)


def untimed(metrics: str) -> str:
    return re.sub(r"((?:timestamp|duration)_seconds{.*}) .*", r"\1 TIME", metrics)


def test_a_blocked_run_writes_its_metrics_for_other_users_to_read(project) -> None:
    project.suite(MOVED + "\n- moved: {id: hurt, columns: [los], broken: [los]}")
    before = os.umask(0o077)
    try:
        result = project.run(METRICS)
    finally:
        os.umask(before)
    assert result.ret == 1
    result.stdout.fnmatch_lines([f"written: {FILE}"])
    found = text(project)
    for line in (
        'readmit_gate_blocked{case="moved::age",check="moved",suite="drift"} 0.0',
        'readmit_gate_blocked{case="moved::bmi",check="moved",suite="drift"} 1.0',
        'readmit_gate_verdict{case="hurt::los",check="moved",suite="drift",verdict="error"} 1.0',
        'readmit_run_blocked{suite="drift"} 1.0',
        'readmit_run_complete{suite="drift"} 1.0',
    ):
        assert f"{line}\n" in found
    assert (project.path / FILE).stat().st_mode & 0o777 == 0o644
    assert os.listdir(project.path / "out") == ["readmit.prom"]


@pytest.mark.slow
def test_workers_give_the_same_text(project) -> None:
    project.suite(MOVED)
    project.run(METRICS)
    alone = text(project)
    result = project.run_apart(METRICS, "-n2")
    assert result.ret == 1
    assert untimed(text(project)) == untimed(alone)
    assert "TIME" in untimed(alone)


@pytest.mark.parametrize(
    ("arguments", "suite", "code"),
    [
        ((), "suites/absent.yml", 4),
        (("--readmit-set=nothing",), "suites/drift.yml", 4),
        (("--collect-only",), "suites/drift.yml", 0),
        (("-k", "nothing"), "suites/drift.yml", 5),
    ],
)
def test_a_run_that_decides_nothing_leaves_no_old_verdict_and_no_fresh_time(
    project, arguments, suite, code
) -> None:
    project.suite(MOVED)
    leave(project)
    assert project.run(METRICS, *arguments, suite=suite).ret == code
    found = text(project)
    assert "readmit_gate" not in found.replace("readmit_gates_omitted", "")
    (last,) = re.findall(r'(?m)^readmit_last_run_timestamp_seconds{suite="drift"} (.*)$', found)
    assert float(last) == 1.7e9
    assert 'readmit_run_complete{suite="drift"} 0.0\n' in found


def test_history_tells_for_how_many_runs_a_gate_has_been_undecided(project) -> None:
    project.suite("- moved: {columns: [age], unsure: [age]}")
    for number in (1, 2):
        project.run(METRICS, f"--readmit-json=runs/{number}.json", "--readmit-history=runs")
        assert (
            f'readmit_gate_undecided_runs{{case="moved::age",check="moved",suite="drift"}} {number}.0'
            in text(project)
        )
    project.run(METRICS)
    assert 'undecided_runs{case="moved::age",check="moved",suite="drift"} 1.0' in text(project)


def test_without_prometheus_client_it_says_what_to_install_before_data_is_read(project, monkeypatch) -> None:
    project.suite(MOVED, head="suite: ward")
    (project.path / "suites" / "current.csv").unlink()
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    for option, name in ((METRICS, "--readmit-metrics"), ("--readmit-pushgateway=http://x", push.OPTION)):
        result = project.run(option)
        assert result.ret == 4
        assert (
            f"ERROR: {name} needs an extra: pip install 'pytest-readmit[prometheus]'" in result.stderr.lines
        )


@dataclass
class Gateway:
    """A server that keeps what is pushed to it."""

    url: str = ""
    code: int = 200
    answers: bool = True
    got: list[tuple[str, str, str | None, str]] = field(default_factory=list)


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    kept = Gateway()

    class Handler(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            kept.got.append((self.command, self.path, self.headers["Authorization"], body))
            if kept.answers:
                self.send_response(kept.code)
                self.send_header("Location", f"{kept.url}/elsewhere")
                self.end_headers()
            else:
                stop.wait(10)

        do_GET = do_PUT

        def log_message(self, *_: Any) -> None:
            pass

    stop = threading.Event()
    server = HTTPServer(("127.0.0.1", 0), Handler)
    kept.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield kept
    stop.set()
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_run_replaces_the_group_of_each_of_its_suites(project, gateway) -> None:
    project.suite(MOVED)
    project.suite("- moved: {columns: [age]}", name="other.yml", head="suite: the/other ward")
    result = project.run(
        "--readmit-suite=suites/other.yml", f"--readmit-pushgateway={gateway.url}/base/", METRICS
    )
    assert result.ret == 1
    result.stdout.fnmatch_lines([f"metrics pushed to {gateway.url}/base"])
    named = base64.urlsafe_b64encode(b"the/other ward").decode()
    assert [(method, path, auth) for method, path, auth, _ in gateway.got] == [
        ("PUT", "/base/metrics/job/readmit/suite/drift", None),
        ("PUT", f"/base/metrics/job/readmit/suite@base64/{named}", None),
    ]
    written = [line for line in text(project).splitlines() if not line.startswith("#")]
    pushed = "".join(body for *_, body in gateway.got)
    assert sorted(written) == sorted(line for line in pushed.splitlines() if not line.startswith("#"))


@pytest.mark.parametrize("arguments", [("--collect-only",), ("-k", "nothing")])
def test_a_run_that_decides_nothing_pushes_nothing(project, gateway, arguments) -> None:
    project.suite(MOVED)
    result = project.run(f"--readmit-pushgateway={gateway.url}", *arguments)
    assert gateway.got == []
    assert "metrics pushed" not in result.stdout.str()


def test_user_and_password_reach_the_gateway_and_nobody_else(project, gateway, monkeypatch) -> None:
    project.suite(MOVED)
    in_url = gateway.url.replace("//", "//ward:s3cr%2Ft@")
    expected = "Basic " + base64.b64encode(b"ward:s3cr/t").decode()
    result = project.run(f"--readmit-pushgateway={in_url}", "--readmit-json=record.json", METRICS)
    assert gateway.got[-1][2] == expected
    said = result.stdout.str() + result.stderr.str() + (project.path / "record.json").read_text()
    assert "s3cr" not in said + text(project)
    assert f"--readmit-pushgateway={gateway.url}" in said
    monkeypatch.setenv(push.USER, "ward")
    monkeypatch.setenv(push.PASSWORD, "s3cr/t")
    project.run(f"--readmit-pushgateway={gateway.url}")
    assert gateway.got[-1][2] == expected


@pytest.mark.parametrize(
    ("code", "answers", "reason"),
    [
        (302, True, "it answered 302"),
        (200, False, "no answer within 0.2 seconds"),
        (0, True, "Connection refused"),
    ],
)
def test_a_push_that_fails_is_exit_3_and_one_line_without_secrets(
    project, gateway, monkeypatch, code, answers, reason
) -> None:
    project.suite("- moved: {columns: [age]}")
    monkeypatch.setattr(push, "SECONDS", 0.2)
    gateway.code, gateway.answers = code, answers
    url = gateway.url if code else "http://127.0.0.1:1"
    result = project.run(
        f"--readmit-pushgateway={url.replace('//', '//ward:s3cr@')}", METRICS, "--readmit-json=record.json"
    )
    assert result.ret == 3
    result.stdout.fnmatch_lines([f"readmit: the metrics could not be pushed: {url}: {reason}"])
    assert "s3cr" not in result.stdout.str() + (project.path / "record.json").read_text()
    assert len(gateway.got) == bool(code)
    assert project.read()["exit_code"] == 3
    assert 'readmit_run_complete{suite="drift"} 0.0' in text(project)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("gateway:9091", "gateway:9091"),
        ("ward:s3cr@gateway:9091", "gateway:9091"),
        ("http://ward:s3cr@gateway:port", "http://gateway:port"),
        ("http://ward:p@s/s3cr@gateway", "http://gateway"),
        ("http://ward:p#s3cr@gateway", "http://..."),
        ("http://gateway/?token=s3cr", "http://gateway/"),
        ("http://gateway/?token=s3@cr", "http://..."),
    ],
)
def test_what_is_no_address_is_exit_4_before_data_is_read(project, url, shown) -> None:
    project.suite(MOVED)
    result = project.run(f"--readmit-pushgateway={url}", "--readmit-json=record.json")
    assert result.ret == 4
    (line,) = [line for line in result.stderr.lines if "--readmit-pushgateway" in line]
    assert line.startswith(f"ERROR: --readmit-pushgateway {shown}: ")
    said = result.stdout.str() + result.stderr.str() + (project.path / "record.json").read_text()
    assert "s3" not in said
