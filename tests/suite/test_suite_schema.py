"""The JSON Schema for editors agrees with the reader."""

from typing import Any

import jsonschema
import pytest
import yaml

from pytest_readmit import registry, signature
from pytest_readmit.suite.schema import suite_schema

GOOD = """
suite: a
as_of: "2026-11-01"
schedule: {runs: 52}
data:
  reference: data/2023.parquet
  current: {path: data/2024.csv, where: "age >= 18", read: {delimiter: ";"}}
  later: {path: data/2025.csv, matured: {horizon: 30d, index_time: t}}
  shown: {demo: drifted}
columns: {target: y, positive_label: [1, yes], sensitive: [sex], features: age}
models: {champion: {score: risk}}
defaults: {severity: warn, confidence: 0.9}
checks:
  - data_drift
  - data_drift:
  - data_drift: {}
  - data_drift: {method: ks, p_value: 0.05, columns: [age], id: a, tags: nightly, timeout: 5m}
  - missing_drift: {max: "${READMIT_MAX}", segments: [sex, {column: insurance, min_rows: 5}]}
  - out_of_range: {ranges: {age: [0, 120]}, waiver: {until: "2026-12-01", by: me, reason: r}}
"""

BAD = [
    "checks: []",
    "suite: a",
    "{checks: [data_drift], ownr: a}",
    "checks: [data_drfit]",
    "checks: [{data_drift: {metod: ks}}]",
    "checks: [{data_drift: {method: kss}}]",
    "checks: [{data_drift: , missing_drift: }]",
    "checks: [{missing_drift: {max: 2}}]",
    "checks: [{missing_drift: {max: text}}]",
    "checks: [out_of_range: ]",
    "checks: [{data_drift: {tags: xfail}}]",
    "checks: [{data_drift: {waiver: {until: '2026-12-01', by: me}}}]",
    "checks: [{data_drift: {severity: blok}}]",
    "{checks: [data_drift], data: {current: {path: a, demo: b}}}",
    "{checks: [data_drift], data: {current: {path: a, read: {formt: csv}}}}",
    "{checks: [data_drift], data: {current: {path: a, whre: b}}}",
    "{checks: [data_drift], columns: {targt: y}}",
]


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    return suite_schema(registry.load())


def test_the_schema_is_a_schema(schema):
    jsonschema.Draft202012Validator.check_schema(schema)


def test_a_good_suite_is_valid(schema):
    jsonschema.validate(yaml.safe_load(GOOD), schema)


@pytest.mark.parametrize("text", BAD)
def test_a_bad_suite_is_not(schema, text):
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(yaml.safe_load(text), schema)


def test_every_check_and_parameter_is_described(schema):
    (*names, mapping) = schema["$defs"]["check"]["anyOf"]
    checks = registry.load()
    assert [each["const"] for each in names] == list(checks)
    assert all(each["description"] for each in names)
    for name, spec in checks.items():
        body = mapping["properties"][name]
        body = body["anyOf"][0] if "anyOf" in body else body
        assert set(spec.fields) | set(signature.COMMON_KEYS) == set(body["properties"])


def test_every_reference_is_defined(schema):
    def references(value: Any) -> list[str]:
        if isinstance(value, dict):
            own = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
            return own + [each for inner in value.values() for each in references(inner)]
        return [each for inner in value for each in references(inner)] if isinstance(value, list) else []

    known = {f"#/$defs/{name}" for name in schema["$defs"]}
    assert set(references(schema)) <= known
