"""The compose file and the Dockerfile, read as an engine would read them; no engine runs here."""

import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from ..metrics.servers import LOOPBACK, fetched, serving
from .files import MONITORING, ROOT

COMPOSE = ROOT / "docker-compose.monitoring.yml"
DOCKERFILE = MONITORING / "Dockerfile.metrics-exporter"
PORTS = {"prometheus": 9090, "grafana": 3000, "exporter": 8000, "pushgateway": 9091}
PINNED = re.compile(r"[\w./-]+:v?\d+\.\d+\.\d+[\w.-]*@sha256:[0-9a-f]{64}")

content = yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))
each = pytest.mark.parametrize("name", sorted(content["services"]))


def instructions() -> list[tuple[str, str]]:
    """Return the instructions of the Dockerfile with what they say."""
    text = re.sub(r"\\\n", "", DOCKERFILE.read_text(encoding="utf-8"))
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [(line.split()[0], line.split(maxsplit=1)[1]) for line in lines]


def said(instruction: str) -> list[str]:
    return [text for name, text in instructions() if name == instruction]


def mounts(service: dict[str, Any]) -> list[tuple[str, str, bool]]:
    """Return source, target and whether it is read only, of each mount."""
    found = []
    for mount in service.get("volumes", ()):
        if isinstance(mount, dict):
            found.append((mount["source"], mount["target"], mount.get("read_only", False)))
        else:
            source, target, *mode = mount.split(":")
            found.append((source, target, mode == ["ro"]))
    return found


def test_it_has_the_services_of_the_stack_on_their_ports_and_on_loopback_only() -> None:
    assert "version" not in content
    published = {name: service["ports"] for name, service in content["services"].items()}
    assert published == {name: [f"127.0.0.1:{port}:{port}"] for name, port in PORTS.items()}


@each
def test_a_service_is_pinned_hardened_and_watched(name: str) -> None:
    service = content["services"][name]
    assert "build" in service or PINNED.fullmatch(service["image"])
    assert not service["image"].endswith(":latest")
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["restart"] == "unless-stopped"
    assert not {"privileged", "network_mode", "pid", "cap_add", "env_file"} & set(service)
    assert "healthcheck" in service or ("build" in service and said("HEALTHCHECK"))
    checked = " ".join(service.get("healthcheck", {}).get("test", said("HEALTHCHECK")))
    assert str(PORTS[name]) in checked
    assert set(service.get("depends_on", ())) <= set(content["services"])


@each
def test_what_a_service_mounts_is_there_and_read_only(name: str) -> None:
    for source, _, read_only in mounts(content["services"][name]):
        if source.startswith("./"):
            assert (ROOT / source).exists()
            assert read_only
        elif not source.startswith("$"):
            assert source in content["volumes"]


def test_the_records_are_a_folder_that_must_be_there_and_cannot_be_written() -> None:
    (mount,) = content["services"]["exporter"]["volumes"]
    assert mount["source"] == "${READMIT_RECORDS:-./records}"
    assert mount["read_only"] is True
    assert mount["bind"] == {"create_host_path": False}


def test_grafana_starts_only_with_a_password_that_somebody_chose() -> None:
    given = content["services"]["grafana"]["environment"]
    assert re.fullmatch(r"\$\{GRAFANA_ADMIN_PASSWORD:\?[^}]+\}", given["GF_SECURITY_ADMIN_PASSWORD"])
    assert given["GF_AUTH_ANONYMOUS_ENABLED"] == "false"
    assert given["GF_USERS_ALLOW_SIGN_UP"] == "false"


def test_the_services_find_each_other() -> None:
    scraped = yaml.safe_load((MONITORING / "prometheus" / "prometheus.yml").read_text(encoding="utf-8"))
    targets = {
        target
        for job in scraped["scrape_configs"]
        for static in job["static_configs"]
        for target in static["targets"]
    }
    assert targets == {f"{name}:{PORTS[name]}" for name in ("exporter", "pushgateway")}
    (pushed,) = [job for job in scraped["scrape_configs"] if job["job_name"] == "pushgateway"]
    assert pushed["honor_labels"] is True
    provisioning = MONITORING / "grafana" / "provisioning"
    (source,) = yaml.safe_load((provisioning / "datasources" / "prometheus.yml").read_text())["datasources"]
    assert source["url"] == "http://prometheus:9090"
    (provider,) = yaml.safe_load((provisioning / "dashboards" / "readmit.yml").read_text())["providers"]
    targets = {target for _, target, _ in mounts(content["services"]["grafana"])}
    assert provider["options"]["path"] in targets
    home = content["services"]["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert (MONITORING / "grafana" / "dashboards" / Path(home).name).exists()


def test_the_image_is_pinned_and_runs_without_rights() -> None:
    bases = {text.split()[0] for text in said("FROM")}
    assert len(bases) == 1
    assert PINNED.fullmatch(bases.pop())
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", said("USER")[-1])
    after = [name for name, _ in instructions()]
    assert not {"RUN", "COPY", "ADD"} & set(after[after.index("USER") :])
    assert "ADD" not in after
    assert said("HEALTHCHECK")[-1].partition("CMD ")[2].startswith('["python", "-c"')
    build = content["services"]["exporter"]["build"]
    assert (ROOT / build["context"]).resolve() == ROOT
    assert ROOT / build["dockerfile"] == DOCKERFILE


def copied() -> list[str]:
    """Return what the build takes from the repository."""
    lines = [shlex.split(text) for text in said("COPY") if not text.startswith("--from")]
    return [name for line in lines for name in line[:-1]]


def test_only_what_the_image_is_built_from_enters_the_build() -> None:
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    lines = [line for line in lines if line and not line.startswith("#")]
    assert lines[0] == "*"
    assert sorted(line[1:] for line in lines if line.startswith("!")) == sorted(copied())


@pytest.mark.real
def test_the_schema_of_compose_files_accepts_it() -> None:
    check = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", COMPOSE]
    done = subprocess.run(check, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.real
def test_what_the_image_would_install_and_start_answers(tmp_path: Path) -> None:
    """Its RUN without the dependencies, which are those of this environment; its CMD on loopback."""
    for name in copied():
        source, target = ROOT / name, tmp_path / "src" / name
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, target)
    (run,) = said("RUN")
    assert run.endswith('pip install --no-cache-dir ".[prometheus]"')
    installed, records = tmp_path / "installed", tmp_path / "records"
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", installed, tmp_path / "src"]
    subprocess.run(pip, check=True)
    records.mkdir()
    command, *arguments = json.loads(said("CMD")[-1])
    assert command == "readmit"
    here = {"/records": str(records), "0.0.0.0": "127.0.0.1", "8000": "0"}
    start = [sys.executable, installed / "bin" / "readmit", *(here.get(text, text) for text in arguments)]
    check = json.loads(said("HEALTHCHECK")[-1].partition("CMD ")[2])
    with serving(start, tmp_path / "log", PYTHONPATH=str(installed), PYTHONUNBUFFERED="1") as port:
        assert "readmit_records_unreadable 0.0" in fetched(f"http://{LOOPBACK}:{port}/metrics")
        code = [sys.executable, "-c", check[2].replace("8000", str(port))]
        assert subprocess.run(code, check=False).returncode == 0
        records.rmdir()
        assert subprocess.run(code, check=False).returncode == 1
    assert subprocess.run(code, capture_output=True, check=False).returncode == 1
