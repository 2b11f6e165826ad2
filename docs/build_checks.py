"""
Write docs/checks: a page per built-in check, from its docstring and signature.

Run it as `python docs/build_checks.py`; a test holds the pages to what it writes.
"""

import json
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pytest_readmit.parameters import describe
from pytest_readmit.registry import load
from pytest_readmit.report.actions import action, meaning
from pytest_readmit.signature import CheckSpec
from pytest_readmit.suite.schema import COMMON_KEYS, summary

FOLDER = Path(__file__).with_name("checks")
MODEL = "model.skops"
NEVER_OPEN = "never: it is decided by what was counted, without an interval"
ONE_CASE = re.compile(r"\bOne\s+case\s+([^.]*)\.\s*")
INJECTED = {
    "column": "the column in {}",
    "dataset": "{}",
    "scored": "labels and scores of {}",
    "models": "the models under `models`",
    "parts": "each feature in reference and current",
}

INDEX = """# The checks

Each page is written from the check's docstring by `python docs/build_checks.py`; `readmit list CHECK` prints
the same parameters. [Which gate, which limit, how many rows](../choosing.md) helps to choose.

| check | asks |
| --- | --- |
{checks}

## Keys of every entry

| key | takes | meaning |
| --- | --- | --- |
{keys}

## A model for the examples

The suites on the pages run as they stand. Those of [behavior](behavior.md) and [promotion](promotion.md) take
their model from `model.skops`. This writes one (`pip install 'pytest-readmit[behavior,skops]'`):

```python
# make_model.py
import numpy as np
import pandas as pd
import skops.io
from sklearn.linear_model import LogisticRegression

draw = np.random.default_rng(0)
rows = pd.DataFrame({{"age": draw.normal(65, 15, 5000), "prior_admissions": draw.poisson(1.5, 5000)}})
back = draw.random(5000) < 1 / (1 + np.exp(4 - 0.02 * rows["age"] - 0.4 * rows["prior_admissions"]))
skops.io.dump(LogisticRegression().fit(rows, back), "model.skops")
```
"""


def pages() -> dict[str, str]:
    """Return what docs/checks holds: file name to text."""
    specs = {name: spec for name, spec in sorted(load().items()) if spec.module.startswith("readmit_checks.")}
    found = {f"{name}.md": _page(spec) for name, spec in specs.items()}
    return {"README.md": _index(specs), **found}


def sections(doc: str) -> dict[str, list[str]]:
    """Return the lines of each section of a docstring, without indentation; the text before them under ""."""
    found: dict[str, list[str]] = {"": []}
    name = ""
    for line in doc.splitlines():
        head = re.fullmatch(r"([A-Z][a-z]+):", line)
        if head:
            name = head[1]
            found[name] = []
        else:
            found[name].append(line if not name else line[4:])
    return {name: "\n".join(lines).strip("\n").split("\n") for name, lines in found.items()}


def _page(spec: CheckSpec) -> str:
    parts = sections(spec.doc)
    question, *body = "\n".join(parts[""]).split("\n\n")
    facts = [f"* **Cases**: {_cases(spec, body)}.", f"* **Reads**: {_reads(spec)}."]
    blocks = [
        f"# {spec.name}",
        " ".join(question.split()),
        *(text for each in body if (text := ONE_CASE.sub("", each) if spec.cases else each)),
        "\n".join(facts),
        "## Example",
        _example(spec, parts["Example"]),
        "## Parameters",
        _parameters(spec),
        "Every entry also takes the [keys of every entry](README.md#keys-of-every-entry).",
        "## Verdicts",
        *([] if spec.census else ["By the default rule, `decide_by: interval`:"]),
        _verdicts(spec, parts.get("Raises", [])),
    ]
    if "References" in parts:
        blocks += ["## Sources", "\n".join(parts["References"])]
    return "\n\n".join(blocks) + "\n"


def _cases(spec: CheckSpec, body: list[str]) -> str:
    if spec.cases is None:
        kinds = f"{' or '.join(spec.kinds)} " if spec.kinds else ""
        return f"one per {kinds}column" if spec.per_column else "one"
    said = ONE_CASE.search("\n\n".join(body))
    if said is None:
        raise SystemExit(f"{spec.name}: its docstring does not say 'One case per ...'")
    return f"one {' '.join(said[1].split())}"


def _reads(spec: CheckSpec) -> str:
    by_kind: dict[str, list[str]] = {}
    for name, kind in spec.needs:
        if kind in INJECTED:
            by_kind.setdefault(kind, []).append(name)
    return "; ".join(INJECTED[kind].format(" and ".join(names)) for kind, names in by_kind.items())


def _example(spec: CheckSpec, lines: list[str]) -> str:
    suite = "\n".join(lines)
    needs = f"\n\n`{MODEL}` is the model that the [overview](README.md#a-model-for-the-examples) makes."
    return f"```yaml\n# {spec.name}.yml\n{suite}\n```{needs if MODEL in suite else ''}"


def _parameters(spec: CheckSpec) -> str:
    schema = spec.json_schema
    rows = [
        (f"`{name}`", describe(field, schema), _default(spec, name, field), field.get("description", ""))
        for name, field in schema["properties"].items()
    ]
    return _table(("key", "takes", "default", "meaning"), rows)


def _default(spec: CheckSpec, name: str, field: Mapping[str, Any]) -> str:
    if name not in spec.defaults:
        return "required"
    value = field["default"]
    if value is None:
        return "none"
    return f"`{value if isinstance(value, str) else json.dumps(value)}`"


def _verdicts(spec: CheckSpec, raises: list[str]) -> str:
    return _table(("verdict", "here it means"), list(_rows_of_verdicts(spec, raises)))


def _rows_of_verdicts(spec: CheckSpec, raises: list[str]) -> Iterator[tuple[str, str]]:
    fail = f"{meaning(spec.name, 'fail').lower()}. {action(spec.name, 'fail')}"
    fail += " A warning unless `severity: block` is given." if spec.severity == "warn" else ""
    if spec.census:
        yield "pass", "what was counted keeps the limit"
        yield "fail", f"what was counted is beyond the limit: {fail}"
        yield "inconclusive", NEVER_OPEN
    else:
        shown = "shown to hold: the one-sided 95% bound keeps the limit"
        yield "pass", shown if spec.may_block else "never: scores alone prove no performance"
        yield "fail", f"shown not to hold: {fail}"
        yield "inconclusive", _undecided(spec)
    told = " ".join(re.sub(r"^\w+: ", "", line) if line[:1] != " " else line.strip() for line in raises)
    common = "a dataset or column that it needs is not there."
    yield "error", f"could not be measured, and always blocks: {common} {told}".strip()


def _undecided(spec: CheckSpec) -> str:
    reaction = {
        "block": "It blocks, unless `inconclusive: warn` is given.",
        "warn": "A warning, unless `inconclusive: block` is given." if spec.may_block else "A warning.",
        "pass": "It is silent.",
    }[spec.inconclusive]
    return (
        "the data show neither; the message says what these data could certify and, where more rows help, "
        f"how many. {reaction}"
    )


def _index(specs: Mapping[str, CheckSpec]) -> str:
    checks = "\n".join(f"| [{name}]({name}.md) | {summary(spec.doc)} |" for name, spec in specs.items())
    root = {"$defs": {"variable": {}}}
    keys = "\n".join(
        f"| `{name}` | {_takes(schema, root)} | {words} |" for name, (schema, words) in COMMON_KEYS.items()
    )
    return INDEX.format(checks=checks, keys=keys)


def _takes(schema: Mapping[str, Any], root: Mapping[str, Any]) -> str:
    """Return what a common key takes, without the variable that may stand for any value."""
    options = [each for each in schema.get("anyOf", [schema]) if "$ref" not in each]
    return _cell(describe({"anyOf": options}, root))


def _table(heads: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [heads, tuple("---" for _ in heads), *(tuple(map(_cell, row)) for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def main() -> None:
    """Write the pages; a page of a check that is gone is removed."""
    FOLDER.mkdir(exist_ok=True)
    wanted = pages()
    for old in FOLDER.glob("*.md"):
        if old.name not in wanted:
            old.unlink()
    for name, text in wanted.items():
        (FOLDER / name).write_text(text, encoding="utf-8")
    sys.stdout.write(f"{len(wanted)} pages in {FOLDER}\n")


if __name__ == "__main__":
    main()
