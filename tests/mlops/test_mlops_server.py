"""Promotion against a real `mlflow server`, which is killed between and within the steps."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

PROCESSES = 8
SERVER_NEEDS = ("mlflow", "flask", "flask_cors", "aiohttp", "graphene")


class Server:
    """An MLflow server on loopback."""

    def __init__(self, database: Path, artifacts: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.uri = f"http://127.0.0.1:{self.port}"
        self.log = artifacts.with_name("server.log")
        self._stores = (
            *("--backend-store-uri", f"sqlite:///{database}", "--artifacts-destination", str(artifacts)),
        )
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--workers", "1"]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [*command, "--port", str(self.port), *self._stores],
                env={**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        until = time.monotonic() + 90
        while time.monotonic() < until and self._process.poll() is None:
            with contextlib.suppress(OSError), urlopen(f"{self.uri}/health", timeout=5):
                return
            time.sleep(0.2)
        raise AssertionError(self.log.read_text())

    def kill(self) -> None:
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None


@pytest.fixture
def server(demo: Any, tmp_path: Path) -> Iterator[Server]:
    if not all(find_spec(name) for name in SERVER_NEEDS):
        assert os.environ.get("CI") != "true", "install mlflow in full"
        pytest.skip("needs the whole of mlflow")
    started = Server(demo.copy("served.db"), tmp_path / "artifacts")
    try:
        yield started
    finally:
        started.kill()


def register_by_http(uri: str) -> None:
    """Register version 2 once more as version 3, its files sent to the server."""
    from mlflow import MlflowClient

    from pytest_readmit.models.mlflow import resolve

    client = MlflowClient(uri, uri)
    run = client.create_run(client.create_experiment("served"))
    client.log_artifacts(run.info.run_id, str(resolve("models:/readmission/2", uri).path), "model")
    assert run.info.artifact_uri.startswith("mlflow-artifacts:")
    client.create_model_version("readmission", f"{run.info.artifact_uri}/model", run.info.run_id)
    client.set_registered_model_alias("readmission", "challenger", "3")


def test_a_server_killed_between_and_within_the_steps_loses_nothing(
    demo: Any, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    from pytest_readmit import cli
    from pytest_readmit.mlops.registry import Registry

    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    record = str(tmp_path / "record.json")

    def readmit(*arguments: str, code: int = 0) -> str:
        found = cli.main([*arguments, "--tracking-uri", server.uri])
        said = capsys.readouterr()
        assert found == code, said
        return said.out + said.err

    register_by_http(server.uri)
    gates = ("--readmit-suite=demo/promotion.yml", f"--readmit-json={record}")
    assert "5 passed" in demo.pytest(*gates, "--readmit-set", f"TRACKING_URI={server.uri}")
    assert "would be promoted from version 1 to 3" in readmit("promote", "--record", record, "--dry-run")

    set_alias = Registry.set_alias

    def killing(self: Registry, name: str, alias: str, number: str | None) -> None:
        if alias == "champion":
            server.kill()
        set_alias(self, name, alias, number)

    with monkeypatch.context() as patch:
        patch.setattr(Registry, "set_alias", killing)
        said = readmit("promote", "--record", record, code=3)
    assert "run the same command again" in said
    server.start()
    assert "was begun at" in readmit("history", "readmission")

    script = Path(__file__).with_name("killed.py")
    done = subprocess.run(
        [sys.executable, script, "at-once", server.uri, *[record] * PROCESSES],
        env={**os.environ, "TMPDIR": str(Path(record).parent)},  # they end without tidying up
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    found = json.loads(done.stdout)
    assert sorted(found["codes"]) == [0, *[1] * (PROCESSES - 1)], found
    lost = [text for text in found["said"] if text not in ("promoted", "finished")]
    assert all("version 3 is champion already" in text for text in lost)
    end = found["end"]
    assert (end["champion"], end["previous"], end["pending"], end["breaks"]) == ("3", "1", 0, [])
    assert end["entries"] == ["None>1", "1>3"]

    server.kill()
    server.start()
    assert "the chain is whole" in readmit("history", "readmission", "--verify")
    assert "version 1 is champion, before it version 3" in readmit("rollback", "readmission")
    server.kill()
    assert "does not answer" in demo.readmit("history", "readmission", "--tracking-uri", server.uri, code=3)
    server.start()
    assert "champion is version 1; 3 entries" in readmit("history", "readmission", "--verify")
