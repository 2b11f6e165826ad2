"""YAML's own syntax errors in words that help."""

from typing import Any


def explain(error: Any, text: str) -> tuple[tuple[int, int], str]:
    """Return where a YAML error is, 1-based, and a message that says what to do."""
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    place = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    said = getattr(error, "problem", None) or "cannot be read"
    lines = text.splitlines()
    line = lines[place[0] - 1] if place[0] <= len(lines) else ""
    if "\t" in line[: len(line) - len(line.lstrip())]:
        column = line.index("\t") + 1
        return (place[0], column), "YAML: a tab cannot indent; use spaces"
    context = getattr(error, "context", None) or ""
    began = getattr(error, "context_mark", None)
    since = f" that began on line {began.line + 1}" if began and began.line + 1 < place[0] else ""
    ending = f" ({context}{since})" if context else ""
    advice = _advice(f"{said} {context}", line[place[1] - 1 :], line)
    return place, f"YAML: {said}{ending}{advice}"


def _advice(said: str, here: str, line: str) -> str:
    """Return what the writer most likely meant, for the mistakes that YAML's own words do not explain."""
    if "${" in line and here.startswith(("{", "${")):
        return "; inside [ ] and { } put ${NAME} in quotes"
    if "quoted scalar" in said:
        return "; a quote is not closed"
    if here.startswith(("*", "&", "@", "`", "%", "!", "|", ">")) or "alias" in said:
        return "; put text that begins with a special character in quotes"
    if "mapping values are not allowed" in said:
        return "; put text with a ':' in quotes, or correct the indentation"
    if "expected key" in said or "block" in said:
        return "; the indentation does not fit the lines above, or a ':' is missing"
    if "expected ',' or" in said:
        return "; a bracket is not closed, or text with a quote or a ',' is not in quotes"
    return ""
