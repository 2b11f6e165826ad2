"""What a plain scalar means by the core schema of YAML 1.2."""

import math
import re
from typing import Any

_LONGEST_NUMBER = 400
_NULL = frozenset(("", "~", "null", "Null", "NULL"))
_BOOLEANS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INTEGER = re.compile(r"[-+]?[0-9]+")
_OCTAL = re.compile(r"0o[0-7]+")
_HEXADECIMAL = re.compile(r"0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")


class NotFinite(ValueError):
    """A number that is infinite, not a number, or too large for arithmetic."""


def resolve(text: str) -> Any:
    """
    Return the value of a plain scalar by the core schema of YAML 1.2.

    Raises:
        NotFinite: If it is a number, but not a finite one.
    """
    if text in _NULL:
        return None
    if text in _BOOLEANS:
        return _BOOLEANS[text]
    if text[0] not in "+-.0123456789":
        return text
    return _number(text)


def _number(text: str) -> Any:
    value: Any = text
    if _NOT_FINITE.fullmatch(text):
        raise NotFinite(text)
    if _FLOAT.fullmatch(text):
        if len(text) > _LONGEST_NUMBER:
            raise NotFinite(text)
        value = int(text) if _INTEGER.fullmatch(text) else float(text)
    elif len(text) <= _LONGEST_NUMBER and _OCTAL.fullmatch(text):
        value = int(text[2:], 8)
    elif len(text) <= _LONGEST_NUMBER and _HEXADECIMAL.fullmatch(text):
        value = int(text[2:], 16)
    if isinstance(value, str):
        return value
    if (isinstance(value, float) and not math.isfinite(value)) or abs(value) > 1e308:
        raise NotFinite(text)
    return value
