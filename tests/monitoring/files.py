"""The monitoring files, and what their tests read from them."""

import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
MONITORING = ROOT / "monitoring"
DASHBOARDS = sorted((MONITORING / "grafana" / "dashboards").glob("*.json"))
RULES = MONITORING / "prometheus" / "rules" / "readmit.yml"


def queries(dashboard: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the title of each panel with each expression of it."""
    return [(panel["title"], target["expr"]) for panel in dashboard["panels"] for target in panel["targets"]]


def filled(expression: str, **values: str) -> str:
    """Return an expression with its variables replaced, as Grafana does with those that take several."""
    for name, value in values.items():
        expression = re.sub(rf"\$(?:{name}\b|{{{name}}})", value.replace("\\", r"\\"), expression)
    return expression
