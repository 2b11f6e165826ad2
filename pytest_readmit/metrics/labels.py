"""Texts of a record as label values: printable, bounded, and still told apart."""

import hashlib
import sys

MOST = 200


def label(text: str, most: int = MOST) -> str:
    """
    Return a text as a label value, without characters that are not printable and of bounded length.

    What had to be changed ends in ``~`` and six hex digits of the text as it was, as in node ids, so that
    two names never become one series.
    """
    kept = "".join(character for character in text if character.isprintable())
    if kept == text and 0 < len(text) <= most:
        return sys.intern(text)
    mark = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:6]
    return sys.intern(f"{kept[: most - 7]}~{mark}")
