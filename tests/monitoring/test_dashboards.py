"""The dashboards: what builds them, what Grafana's own types say of them, what a reader needs."""

import json
import os
import subprocess
import sys
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import yaml

from ..metrics.servers import absent
from .files import DASHBOARDS, MONITORING

GRAFANA = MONITORING / "grafana"
KINDS = {
    "bargauge": "bargauge",
    "stat": "stat",
    "state-timeline": "statetimeline",
    "table": "table",
    "timeseries": "timeseries",
}
PLAIN = """
type Plain<T> = T extends string ? `${T}` : T extends number | boolean | null | undefined ? T
  : T extends (infer U)[] ? Plain<U>[] : T extends object ? { [K in keyof T]: Plain<T[K]> } : T;
"""

each = pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)


def read(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def test_the_files_are_what_the_program_builds(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, GRAFANA / "build_dashboards.py", tmp_path], check=False)
    assert done.returncode == 0
    built = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert built == {path.name: path.read_bytes() for path in DASHBOARDS}


@each
def test_a_reader_knows_what_each_panel_shows(path: Path) -> None:
    dashboard = read(path)
    assert dashboard["description"]
    for panel in dashboard["panels"]:
        assert panel["title"]
        assert len(panel["description"]) > 20, panel["title"]
        defaults = panel["fieldConfig"]["defaults"]
        assert defaults.get("unit"), panel["title"]
        wanted = {"stat": "thresholds", "bargauge": "thresholds", "state-timeline": "mappings"}
        assert wanted.get(panel["type"], "unit") in defaults, panel["title"]


@each
def test_panels_stand_beside_each_other(path: Path) -> None:
    dashboard = read(path)
    places = [panel["gridPos"] for panel in dashboard["panels"]]
    assert all(place["x"] + place["w"] <= 24 for place in places)
    for one, other in combinations(places, 2):
        apart = (
            one["x"] + one["w"] <= other["x"]
            or other["x"] + other["w"] <= one["x"]
            or one["y"] + one["h"] <= other["y"]
            or other["y"] + other["h"] <= one["y"]
        )
        assert apart, (one, other)
    ids = [panel["id"] for panel in dashboard["panels"]]
    assert len(set(ids)) == len(ids)


def test_links_lead_to_dashboards_and_give_their_variables() -> None:
    dashboards = {found["uid"]: found for found in map(read, DASHBOARDS)}
    texts = [path.read_text(encoding="utf-8") for path in DASHBOARDS]
    urls = {part.split('"')[0] for text in texts for part in text.split('"url": "')[1:]}
    assert urls
    for url in urls:
        address, _, given = url.partition("?")
        target = dashboards[address.removeprefix("/d/")]
        names = {part.split("=")[0].removeprefix("var-") for part in given.split("&") if part}
        assert names <= {variable["name"] for variable in target["templating"]["list"]}


def test_what_is_provisioned_is_what_the_dashboards_use() -> None:
    source = yaml.safe_load((GRAFANA / "provisioning/datasources/prometheus.yml").read_text())["datasources"]
    assert len(source) == 1
    named = {
        json.dumps(panel["datasource"], sort_keys=True)
        for path in DASHBOARDS
        for panel in read(path)["panels"]
    }
    assert named == {json.dumps({"type": source[0]["type"], "uid": source[0]["uid"]}, sort_keys=True)}


def typed(dashboards: list[dict[str, Any]], folder: Path) -> subprocess.CompletedProcess[str]:
    """Check dashboards, and the options and custom fields of their panels, with Grafana's own types."""
    npm = os.environ.get("READMIT_GRAFANA_SCHEMA")
    if not npm or not Path(npm).is_dir():
        absent(
            "needs READMIT_GRAFANA_SCHEMA=FOLDER of `npm install --prefix FOLDER @grafana/schema typescript`"
        )
    modules = Path(str(npm)).resolve() / "node_modules"
    raw = modules / "@grafana/schema/dist/types/raw"
    lines = [f'import type {{ Dashboard }} from "{raw}/dashboard/x/types.gen";']
    lines += [
        f'import type * as {name} from "{raw}/composable/{name}/panelcfg/x/types.gen";'
        for name in KINDS.values()
    ]
    lines.append(PLAIN)
    for number, dashboard in enumerate(dashboards):
        lines.append(f"export const dashboard{number}: Plain<Dashboard> = {json.dumps(dashboard)};")
        for panel in dashboard["panels"]:
            name, mark = KINDS[panel["type"]], f"{number}_{panel['id']}"
            options = json.dumps(panel["options"])
            lines.append(f"export const options{mark}: Plain<Partial<{name}.Options>> = {options};")
            if custom := panel["fieldConfig"]["defaults"].get("custom"):
                lines.append(
                    f"export const custom{mark}: Plain<Partial<{name}.FieldConfig>> = {json.dumps(custom)};"
                )
    (folder / "dashboards.ts").write_text("\n".join(lines), encoding="utf-8")
    flags = ("--noEmit", "--strict", "--skipLibCheck", "--module", "esnext", "--moduleResolution", "bundler")
    return subprocess.run(
        [modules / ".bin" / "tsc", *flags, "dashboards.ts"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.real
def test_grafana_s_own_types_accept_the_dashboards(tmp_path: Path) -> None:
    done = typed([read(path) for path in DASHBOARDS], tmp_path)
    assert done.returncode == 0, done.stdout


@pytest.mark.real
def test_grafana_s_own_types_refuse_what_is_wrong(tmp_path: Path) -> None:
    dashboard = read(DASHBOARDS[0])
    first = dashboard["panels"][0]
    first["fieldConfig"]["defaults"]["thresholds"]["mode"] = "absolut"
    first["options"]["colourMode"] = "value"
    done = typed([dashboard], tmp_path)
    assert done.returncode != 0
    assert "absolut" in done.stdout
    assert "colourMode" in done.stdout
