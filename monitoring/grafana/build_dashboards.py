"""
Build the Grafana dashboards from the panels below.

    python monitoring/grafana/build_dashboards.py [FOLDER]
"""

import json
import sys
from pathlib import Path
from typing import Any

Json = dict[str, Any]
Query = str | tuple[str, str]
Size = tuple[int, int]

SOURCE = {"type": "prometheus", "uid": "readmit-prometheus"}
CASE = "suite, check, case"
SOME, ONE = 'suite=~"$suite"', 'suite="$suite"'
CHECKS = f'{ONE},check=~"$check"'
CASES = f'{CHECKS},case=~"$case"'
DAY = 86400
TO_SUITE = "/d/readmit-suite?var-suite=${__data.fields.Suite}"
TO_GATE = TO_SUITE + "&var-check=${__data.fields.Check}&var-case=${__data.fields.Gate}"
NAMES = {"suite": "Suite", "check": "Check", "case": "Gate", "verdict": "Verdict"}
MODELS = {"role": "Role", "name": "Model", "version": "Version"}
GREY = "#8e8e8e"
COLORS = {"pass": "green", "inconclusive": "yellow", "fail": "red", "error": "purple"}
COLORED_CELL = {"custom.cellOptions": {"type": "color-text"}}
LEGEND = {"displayMode": "table", "placement": "bottom", "showLegend": True, "calcs": ["lastNotNull"]}
BARS = {"displayMode": "basic", "orientation": "horizontal", "valueMode": "color"}
OPTIONS: dict[str, Json] = {
    "stat": {
        "colorMode": "background_solid",
        "graphMode": "none",
        "reduceOptions": {"calcs": ["lastNotNull"]},
    },
    "bargauge": BARS,
    "table": {"showHeader": True, "cellHeight": "sm", "frameIndex": 0},
    "timeseries": {"legend": LEGEND, "tooltip": {"mode": "multi", "sort": "desc"}},
    "state-timeline": {
        "showValue": "never",
        "rowHeight": 0.9,
        "mergeValues": True,
        "perPage": 40,
        "legend": {**LEGEND, "displayMode": "list", "calcs": []},
        "tooltip": {"mode": "single", "sort": "none"},
    },
}


def colors(*steps: tuple[float, str], unit: str = "none", **given: Any) -> Json:
    """Return a unit with the colour that holds from each value on; no value has the colour of none."""
    listed = [{"value": value, "color": color} for value, color in [(None, GREY), *steps]]
    return {"unit": unit, "thresholds": {"mode": "absolute", "steps": listed}, **given}


def texts(*pairs: tuple[str, str]) -> Json:
    """Return what to show for 0, 1, ...: a text and its colour."""
    shown = {
        str(value): {"text": text, "color": color, "index": value}
        for value, (text, color) in enumerate(pairs)
    }
    return {"unit": "none", "mappings": [{"type": "value", "options": shown}]}


GOOD_AT_0 = colors((0, "green"), (1, "red"))
GOOD_AT_1 = colors((0, "red"), (1, "green"))
WARNS_AT_1 = colors((0, "green"), (1, "yellow"))
AGE = colors((0, "green"), (7 * DAY, "yellow"), (8 * DAY, "red"), unit="s", decimals=1)
USED = colors((0, "green"), (0.8, "yellow"), (1, "red"), unit="percentunit", min=0)
UNDECIDED = colors((0, "green"), (1, "yellow"), (3, "red"), min=0)
SINCE = colors((0, "red"), unit="dateTimeFromNow")
BLOCKS = texts(("no", "green"), ("blocks", "red"))
YES = texts(("no", "red"), ("yes", "green"))


def latest(metric: str, labels: str, by: str = "suite") -> str:
    """Return one series per `by`, also where the exporter and the Pushgateway both have it."""
    return f"max by ({by}) (readmit_{metric}{{{labels}}})"


def age(labels: str) -> str:
    return f"time() - {latest('last_run_timestamp_seconds', labels)}"


def since(labels: str, by: str) -> str:
    """Return when the oldest block per `by` began, in milliseconds."""
    return f"1000 * min by ({by}) (readmit_gate_blocked_since_timestamp_seconds{{{labels}}})"


def of_models(expr: str) -> str:
    """Return what holds of a suite as what holds of its models."""
    return f"{latest('model_info', SOME, 'suite, role, name, version')} * on (suite) group_left () ({expr})"


def override(name: str, **properties: Any) -> Json:
    """Return what differs for the fields of a name, or of a /pattern/."""
    matcher = {"id": "byRegexp" if name.startswith("/") else "byName", "options": name}
    return {"matcher": matcher, "properties": [{"id": key, "value": of} for key, of in properties.items()]}


def color(name: str, of: str, **properties: Any) -> Json:
    return override(name, color={"mode": "fixed", "fixedColor": of}, **properties)


def link(name: str, url: str) -> Json:
    return override(name, links=[{"title": "Open over time", "url": url, "targetBlank": False}])


def panel(kind: str, size: Size, title: str, description: str, *queries: Query, **given: Any) -> Json:
    """Return a panel; what `given` holds beyond the parts of a panel are defaults of its fields."""
    over_time = kind in ("timeseries", "state-timeline")
    asked = {"format": "table" if kind == "table" else "time_series", "range": over_time}
    made = {"type": kind, "title": title, "description": description, "datasource": SOURCE}
    made |= {"gridPos": {"w": size[0], "h": size[1]}, "options": OPTIONS[kind]}
    made |= {key: given.pop(key) for key in ("transformations", "repeat", "maxPerRow") if key in given}
    overrides = given.pop("overrides", [])
    made["fieldConfig"] = {"defaults": {"color": {"mode": "thresholds"}, **given}, "overrides": overrides}
    made["targets"] = [
        {"datasource": SOURCE, "refId": chr(65 + number), **asked, "instant": not over_time}
        | dict(zip(("expr", "legendFormat"), (one, "") if isinstance(one, str) else one, strict=True))
        for number, one in enumerate(queries)
    ]
    return made


def stat(title: str, description: str, expr: str, **given: Any) -> Json:
    """Return a small panel of the value that holds now; a value that is not there is never shown as good."""
    return panel("stat", (4, 4), title, description, expr, **given)


def lines(size: Size, title: str, description: str, *queries: Query, **given: Any) -> Json:
    """Return lines over time that step from run to run, with the latest value in the legend."""
    custom = {"drawStyle": "line", "lineInterpolation": "stepAfter", "lineWidth": 2, "fillOpacity": 0}
    given["custom"] = {**custom, "showPoints": "never", **given.get("custom", {})}
    return panel(
        "timeseries", size, title, description, *queries, **{"color": {"mode": "palette-classic"}, **given}
    )


def timeline(size: Size, title: str, description: str, query: Query, states: Json) -> Json:
    """Return one row a series, a colour for each of its states."""
    custom = {"fillOpacity": 80, "lineWidth": 0}
    return panel("state-timeline", size, title, description, query, custom=custom, **states)


def table(size: Size, title: str, description: str, columns: dict[str, str], **given: Any) -> Json:
    """Return a table of what holds now, one row a set of labels; a column without a title is hidden."""
    several = len(columns) > 1
    values = [f"Value #{chr(65 + number)}" if several else "Value" for number in range(len(columns))]
    # Grafana calls it "Value" too where the other queries have no answer.
    renamed = {**given.pop("names"), "Value": next(iter(columns)), **dict(zip(values, columns, strict=True))}
    hidden = {name: True for name, title in [("Time", ""), *renamed.items()] if not title}
    organize = {"excludeByName": hidden, "renameByName": renamed, "indexByName": {}}
    steps = [{"id": "merge", "options": {}}, {"id": "organize", "options": organize}]
    return panel("table", size, title, description, *columns.values(), transformations=steps, **given)


def variable(name: str, label: str, of: str, *, every: bool = False, **given: Any) -> Json:
    """Return a variable that offers the values of a label."""
    asked = {"query": f"label_values(readmit_{of}, {name})", "refId": f"variable-{name}", "qryType": 1}
    made = {"type": "query", "name": name, "label": label, "datasource": SOURCE, "query": asked}
    many = {"multi": True, "includeAll": True, "current": {"text": ["All"], "value": ["$__all"]}}
    return {**made, "refresh": 2, "sort": 1, "options": [], **(many if every else {}), **given}


def dashboard(name: str, title: str, description: str, variables: list[Json], panels: list[Json]) -> Json:
    """Return a dashboard with its panels placed from left to right, line by line."""
    x = y = height = 0
    for number, one in enumerate(panels, 1):
        place = one["gridPos"]
        if x + place["w"] > 24:
            x, y, height = 0, y + height, 0
        one |= {"id": number, "gridPos": {**place, "x": x, "y": y}}
        x, height = x + place["w"], max(height, place["h"])
    other = {"type": "link", "title": "All suites", "url": "/d/readmit-overview", "icon": "dashboard"}
    other |= {"tooltip": "", "tags": [], "asDropdown": False, "includeVars": False, "keepTime": True}
    made = {"uid": name, "title": title, "description": description, "tags": ["readmit"]}
    made |= {"schemaVersion": 41, "editable": False, "graphTooltip": 1, "timezone": "utc", "refresh": "1m"}
    made |= {"time": {"from": "now-90d", "to": "now"}, "templating": {"list": variables}}
    made |= {"annotations": {"list": []}, "links": [{**other, "targetBlank": False}], "panels": panels}
    return made


def overview() -> Json:
    """Return the dashboard of all suites."""
    known = latest("run_complete", SOME)
    blocking = f"readmit_gate_verdict{{{SOME}}} == 1 and ignoring (verdict) readmit_gate_blocked == 1"
    side = SOME + ',side="{}"'
    by_block = f"and on ({CASE}) (readmit_gate_blocked == 1)"
    gate = [link("Gate", TO_GATE), link("Suite", TO_SUITE)]
    cells = [override("Blocks", **BLOCKS, **COLORED_CELL), override("Blocked since", **SINCE, **COLORED_CELL)]
    panels = [
        stat(
            "Suites that block",
            "Suites whose latest run blocks. Nothing may be deployed or promoted on them.",
            f"sum({latest('run_blocked', SOME)})",
            **GOOD_AT_0,
        ),
        stat(
            "Suites not certified",
            "Suites with a gate that is not passed, or a latest run that is not complete or died.",
            f"sum(({known} unless {latest('run_certified', SOME)} == 1) >= bool 0 or 0 * {known})",
            **WARNS_AT_1,
        ),
        stat(
            "Gates that block",
            "Gates whose outcome in the latest run is failed.",
            f"sum({latest('gate_blocked', SOME, CASE)})",
            **GOOD_AT_0,
        ),
        stat(
            "Oldest latest run",
            "Age of the latest run of the suite that has waited longest. An alert follows after 8 days.",
            f"max({age(SOME)})",
            **AGE,
        ),
        stat(
            "Sources of metrics down",
            "Exporter and Pushgateway that Prometheus cannot reach: what they hold is missing here.",
            'count(up{job=~"readmit-exporter|pushgateway"}) - sum(up{job=~"readmit-exporter|pushgateway"})',
            **GOOD_AT_0,
        ),
        stat(
            "Left out by the exporter",
            "Records that are damaged or of a run that came to no end, other files, suites beyond 200.",
            "max(readmit_records_unreadable) + max(readmit_records_unfinished) + max(readmit_suites_omitted)",
            **WARNS_AT_1,
        ),
        table(
            (24, 8),
            "Suites",
            "The latest run of each suite. The name leads to the suite over time.",
            {
                "Blocks": latest("run_blocked", SOME),
                "Blocked since": since(SOME, "suite"),
                "Certified": latest("run_certified", SOME),
                "Complete": latest("run_complete", SOME),
                "Age": age(SOME),
                "Took": latest("run_duration_seconds", SOME),
                "Gates without series": latest("gates_omitted", SOME),
            },
            names=NAMES,
            unit="none",
            overrides=[
                *cells,
                gate[1],
                override("/Certified|Complete/", **YES, **COLORED_CELL),
                override("Age", **AGE, **COLORED_CELL),
                override("Took", unit="s"),
            ],
        ),
        table(
            (24, 9),
            "Gates that block",
            "Each gate whose outcome is failed, since when, and its estimate against its limits. The run's"
            " report says why and what to do.",
            {
                "": f"max by ({CASE}, verdict) ({blocking})",
                "Blocked since": since(SOME, CASE),
                "Estimate": f"{latest('gate_estimate', SOME, CASE)} {by_block}",
                "At least": f"{latest('gate_limit', side.format('lower'), CASE)} {by_block}",
                "At most": f"{latest('gate_limit', side.format('upper'), CASE)} {by_block}",
            },
            names=NAMES,
            unit="none",
            decimals=3,
            noValue="No gate is known to block",
            overrides=[cells[1], *gate],
        ),
        table(
            (12, 9),
            "Models",
            "The models that suites name, and whether a gate of the suite blocks them.",
            {
                "Blocks": of_models(latest("run_blocked", SOME)),
                "Blocked since": of_models(since(SOME, "suite")),
            },
            names={**NAMES, **MODELS},
            unit="none",
            noValue="No suite names a model",
            overrides=[*cells, gate[1]],
        ),
        table(
            (12, 9),
            "Undecided gates",
            "Gates that the latest runs could not decide, and how many in a row. An alert follows at 3.",
            {"Runs in a row": f"{latest('gate_undecided_runs', SOME, CASE)} > 0"},
            names=NAMES,
            noValue="No gate is known to be undecided",
            overrides=[override("Runs in a row", **COLORED_CELL), *gate],
            **UNDECIDED,
        ),
        timeline(
            (12, 10),
            "Blocked over time",
            "Each suite from run to run: red where its latest run blocks, green where nothing blocks.",
            (latest("run_blocked", SOME), "{{suite}}"),
            BLOCKS,
        ),
        panel(
            "bargauge",
            (12, 10),
            "Gates nearest their limit",
            "How much of its limit an estimate uses: 1 is at the limit, 0.8 raises the drift alert.",
            (f"topk(15, {latest('gate_limit_used_ratio', SOME, CASE)})", "{{suite}} {{case}}"),
            **USED,
            max=1.2,
        ),
        timeline(
            (24, 7),
            "Alerts",
            "Alerts of these rules over time. What each asks for stands on the alerts page of Prometheus.",
            (
                'max by (alertname, suite, case) (ALERTS{alertname=~"Readmit.*"})',
                "{{alertname}} {{suite}} {{case}}",
            ),
            texts(("", "green"), ("pending or firing", "red")),
        ),
    ]
    text = "Every suite that reports here: what blocks since when, what is near its limit, undecided or old."
    suites = variable("suite", "Suite", "last_run_timestamp_seconds", every=True)
    return dashboard("readmit-overview", "Readmit: overview", text, [suites], panels)


def suite() -> Json:
    """Return the dashboard of one suite, the gates of one model, over time."""
    worst = " or ".join(
        f'readmit_gate_verdict{{{CHECKS},verdict="{verdict}"}} * {code}'
        for code, verdict in enumerate(COLORS)
    )
    dashed = {"custom.lineStyle": {"fill": "dash", "dash": [8, 6]}}
    panels = [
        stat(
            "Blocks", "Whether the latest run blocks.", latest("run_blocked", ONE), **{**GOOD_AT_0, **BLOCKS}
        ),
        stat(
            "Blocked since",
            "Since when the gate that has blocked longest blocks in every run.",
            f"min({since(ONE, 'suite')})",
            noValue="no gate is known to block",
            **SINCE,
        ),
        stat(
            "Certified",
            "Whether the latest run is complete and every gate passed.",
            latest("run_certified", ONE),
            **{**GOOD_AT_1, **YES},
        ),
        stat(
            "Complete",
            "Whether the latest run decided every gate of the suite.",
            latest("run_complete", ONE),
            **{**GOOD_AT_1, **YES},
        ),
        stat("Age of the latest run", "An alert follows after 8 days.", age(ONE), **AGE),
        stat(
            "Nearest its limit",
            "The largest part of its limit that the estimate of a chosen check uses.",
            f"max(readmit_gate_limit_used_ratio{{{CHECKS}}})",
            **USED,
        ),
        table(
            (12, 5),
            "Models",
            "The models of the latest run by role, where the suite names some.",
            {"": latest("model_info", ONE, "role, name, version")},
            names=MODELS,
            unit="none",
            noValue="The suite names no model",
        ),
        table(
            (12, 5),
            "Commit",
            "The commit of the project and the version of pytest-readmit in the latest run.",
            {"": latest("run_info", ONE, "commit, version")},
            names={"commit": "Commit", "version": "pytest-readmit"},
            unit="none",
        ),
        timeline(
            (24, 12),
            "Verdict of each gate",
            "Each gate of the chosen checks from run to run.",
            (f"max by (case) ({worst})", "{{case}}"),
            texts(*COLORS.items()),
        ),
        lines(
            (12, 9),
            "$case",
            "The estimate with its bounds, in the unit of the check, against the limits. A gate passes where"
            " its bounds lie within the limits, fails where they lie beyond, and is inconclusive between.",
            (latest("gate_estimate", CASES, "case"), "estimate"),
            (latest("gate_bound", CASES, "case, side"), "{{side}} bound"),
            (latest("gate_limit", CASES, "case, side"), "{{side}} limit"),
            unit="none",
            decimals=3,
            repeat="case",
            maxPerRow=2,
            overrides=[
                color("estimate", "blue"),
                color("lower bound", GREY),
                color("upper bound", GREY, **{"custom.fillBelowTo": "lower bound"}),
                color("/limit$/", "red", **dashed),
            ],
        ),
        lines(
            (12, 9),
            "Limit used",
            "How much of its limit each estimate uses: 1 is at the limit, 0.8 raises the drift alert.",
            (latest("gate_limit_used_ratio", CHECKS, "case"), "{{case}}"),
            custom={"thresholdsStyle": {"mode": "dashed"}},
            **USED,
        ),
        lines(
            (12, 9),
            "Rows of each gate",
            "Usable rows per dataset. Fewer rows widen the bounds; numbers too small to show are left out.",
            (latest("gate_rows", CHECKS, "case, dataset"), "{{case}} {{dataset}}"),
            unit="short",
            min=0,
        ),
        lines(
            (12, 9),
            "Gates by verdict",
            "Gates of each run by their verdict.",
            (latest("run_gates", ONE, "verdict"), "{{verdict}}"),
            unit="none",
            min=0,
            custom={"fillOpacity": 60, "lineWidth": 1, "stacking": {"mode": "normal", "group": "A"}},
            overrides=[color(verdict, of) for verdict, of in COLORS.items()],
        ),
        lines(
            (12, 9),
            "Duration of the run",
            "How long each run took.",
            (latest("run_duration_seconds", ONE), "duration"),
            unit="s",
            min=0,
        ),
    ]
    text = "One suite, the gates of one model, from run to run: verdicts, estimates, limits, rows and models."
    variables = [
        variable("suite", "Suite", "last_run_timestamp_seconds"),
        variable("check", "Check", f"gate_verdict{{{ONE}}}", every=True),
        variable("case", "Gate drawn", f"gate_verdict{{{CHECKS}}}", multi=True),
    ]
    return dashboard("readmit-suite", "Readmit: one suite over time", text, variables, panels)


def main(folder: Path) -> None:
    for made in (overview(), suite()):
        text = json.dumps(made, indent=1, ensure_ascii=False)
        (folder / f"{made['uid']}.json").write_text(text + "\n", encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "dashboards")
