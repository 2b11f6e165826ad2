"""An in-toto Statement of what a record decided, and what it must agree with."""

import base64
import binascii
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_readmit.errors import ReadmitError

STATEMENT = "https://in-toto.io/Statement/v1"
TEST_RESULT = "https://in-toto.io/attestation/test-result/v0.1"
PAYLOAD_TYPE = "application/vnd.in-toto+json"
RECORD = "record"
_SHA256 = "sha256:"


@dataclass(frozen=True, slots=True)
class Attestation:
    """
    A Statement as it was found.

    Args:
        statement: The Statement.
        signatures: How many signatures stand beside it; whose they are is for the tool that made them.
    """

    statement: Mapping[str, Any]
    signatures: int


def statement(record: Mapping[str, Any]) -> dict[str, Any] | None:
    """
    Return the Statement on a record, or None where it identifies nothing that it could be about.

    Its subject is the model that was tested; without one, the datasets; without those, the suites.
    """
    subject = _models(record) or _datasets(record) or _suites(record)
    if not subject:
        return None
    return {
        "_type": STATEMENT,
        "subject": subject,
        "predicateType": TEST_RESULT,
        "predicate": {
            "result": _result(record),
            "configuration": _configuration(record),
            "passedTests": [case["id"] for case in record["cases"] if _group(case) == "PASSED"],
            "warnedTests": [case["id"] for case in record["cases"] if _group(case) == "WARNED"],
            "failedTests": [case["id"] for case in record["cases"] if _group(case) == "FAILED"],
        },
    }


def dumps(made: Mapping[str, Any]) -> str:
    """Return a Statement as JSON text."""
    return json.dumps(made, indent=1, allow_nan=False) + "\n"


def read(path: Path) -> Attestation:
    """
    Return the Statement in a file: bare, in a DSSE envelope, or in a bundle around one.

    Raises:
        ReadmitError: There is none.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ReadmitError(f"{path}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise ReadmitError(f"{path}: no attestation: not text") from None
    try:
        return _opened(json.loads(text))
    except (AttributeError, KeyError, RecursionError, TypeError, ValueError):
        raise ReadmitError(
            f"{path}: no attestation: neither an in-toto Statement nor an envelope or bundle of one"
        ) from None


def contradictions(attestation: Attestation, record: Mapping[str, Any]) -> list[str]:
    """Return where a Statement and a record disagree; empty if it speaks of just this record."""
    found, expected = attestation.statement, statement(record)
    if expected is None:
        return ["the record identifies nothing that an attestation could be about"]
    if found.get("predicateType") != TEST_RESULT:
        return [f"the attestation is no test result: its predicate is {found.get('predicateType')!r}"]
    reasons = []
    if _identities(found.get("subject")) != _identities(expected["subject"]):
        reasons.append("the attestation is about another model or other data: its subject differs")
    predicate = found.get("predicate")
    predicate = predicate if isinstance(predicate, Mapping) else {}
    stated = _identities(predicate.get("configuration"))
    for name, sha256 in sorted(_identities(expected["predicate"]["configuration"]) - stated):
        reasons.append(f"the attestation does not hold the digest of {name} ({sha256[:12]}…)")
    reasons += [
        f"the attestation differs from the record in {key}"
        for key in ("result", "passedTests", "warnedTests", "failedTests")
        if predicate.get(key) != expected["predicate"][key]
    ]
    return reasons


def _opened(found: Any, signatures: int = 0) -> Attestation:
    if found.get("_type") == STATEMENT:
        return Attestation(found, signatures)
    envelope = found.get("dsseEnvelope") or found
    if envelope["payloadType"] != PAYLOAD_TYPE:
        raise ValueError("another payload")
    try:
        payload = base64.b64decode(envelope["payload"], validate=True)
    except binascii.Error as error:
        raise ValueError("not base64") from error
    inner = json.loads(payload)
    if inner["_type"] != STATEMENT:
        raise ValueError("no Statement")
    return Attestation(inner, len(envelope.get("signatures") or ()))


def _result(record: Mapping[str, Any]) -> str:
    if record["blocked"]:
        return "FAILED"
    groups = {_group(case) for case in record["cases"]}
    return "PASSED" if record["complete"] and groups == {"PASSED"} else "WARNED"


def _group(case: Mapping[str, Any]) -> str:
    if case["outcome"] == "failed":
        return "FAILED"
    return "WARNED" if case["verdict"] != "pass" or case["warned"] else "PASSED"


def _configuration(record: Mapping[str, Any]) -> list[dict[str, Any]]:
    digest = str(record["digest"]).removeprefix(_SHA256)
    own = {
        "name": RECORD,
        "digest": {"sha256": digest},
        "mediaType": "application/json",
        "annotations": {"digestOf": "canonical JSON of the record without its key `digest`"},
    }
    return [own, *_suites(record), *_datasets(record)]


def _models(record: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the model that was tested: the challenger, else whatever is not the champion, else that."""
    models = {name: facts for name, facts in record["provenance"]["models"].items() if facts}
    known = {name: facts for name, facts in models.items() if facts.get("digest")}
    chosen = [name for name in known if name.rpartition(":")[2] == "challenger"]
    chosen = chosen or [name for name in known if name.rpartition(":")[2] != "champion"] or [*known]
    return [_resource(_model_name(name, known[name]), known[name]["digest"]) for name in chosen]


def _model_name(name: str, facts: Mapping[str, Any]) -> str:
    version = facts.get("version")
    return f"model:{facts.get('name') or name}" + (f"/{version}" if version is not None else "")


def _datasets(record: Mapping[str, Any]) -> list[dict[str, Any]]:
    datasets = record["provenance"]["datasets"].items()
    return [_resource(f"dataset:{name}", one["sha256"]) for name, one in datasets if one.get("sha256")]


def _suites(record: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [_resource(f"suite:{suite['path']}", suite["sha256"]) for suite in record["suites"]]


def _resource(name: str, digest: str) -> dict[str, Any]:
    return {"name": name, "digest": {"sha256": str(digest).removeprefix(_SHA256)}}


def _identities(resources: Any) -> set[tuple[str, str]]:
    return set(_pairs(resources if isinstance(resources, Sequence) else ()))


def _pairs(resources: Sequence[Any]) -> Iterator[tuple[str, str]]:
    for one in resources:
        digest = one.get("digest") if isinstance(one, Mapping) else None
        if isinstance(digest, Mapping):
            yield str(one.get("name")), str(digest.get("sha256"))
