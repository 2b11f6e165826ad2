"""What suites, columns and segments are called in node ids."""

import hashlib
import os
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

LONGEST_NAME = 80
# Brackets, control characters and those that turn the direction of text.
_UNFIT = re.compile(r"[\[\]\\\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]|::")


def shown_path(path: Path, root: Path) -> str:
    """Return a path as ids and messages show it: relative to root where possible, with slashes."""
    try:
        return Path(os.path.relpath(path, root)).as_posix()
    except ValueError:  # another drive on Windows
        return path.as_posix()


def safe_names(names: Sequence[str]) -> list[str]:
    """Return names fit for node ids: no brackets, colons or control characters, 80 characters, unique."""
    plain = [_UNFIT.sub("_", name) for name in names]
    taken = {
        name for name, text in zip(names, plain, strict=True) if name == text and len(name) <= LONGEST_NAME
    }
    altered = Counter(text for name, text in zip(names, plain, strict=True) if text != name)
    result = []
    for name, text in zip(names, plain, strict=True):
        clash = text != name and (text in taken or altered[text] > 1)
        if clash or len(text) > LONGEST_NAME or not text:
            mark = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:6]
            text = f"{text[: LONGEST_NAME - 7]}~{mark}"  # noqa: PLW2901 - the name that is used
        result.append(text)
    return result
