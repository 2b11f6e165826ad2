"""Check a `where:` expression before any engine evaluates it: one question about a row, nothing else."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from pytest_readmit.data.engine import Engine, EngineRefusal
from pytest_readmit.errors import DataError, did_you_mean

_CLASSES = frozenset(
    {
        "BETWEEN",
        "CASE",
        "CAST",
        "COLUMN_REF",
        "COMPARISON",
        "CONJUNCTION",
        "CONSTANT",
        "FUNCTION",
        "OPERATOR",
        "PARAMETER",
        "TYPE",
    }
)
# Operators are functions to the parser: ~~ is LIKE, ~~* ILIKE, !~~ NOT LIKE, || joins texts.
_FUNCTION_NAMES = """
    + - * / // % || ~~ !~~ ~~* !~~*
    abs round floor ceil ceiling trunc sign sqrt ln log log10 log2 exp power pow mod
    lower upper trim ltrim rtrim length strlen substr substring left right concat
    starts_with prefix suffix ends_with contains regexp_matches regexp_full_match array_extract
    like_escape ilike_escape not_like_escape not_ilike_escape
    date_part date_trunc date_diff datediff year month day hour minute second quarter week
    dayofweek dayofyear epoch to_days to_weeks to_months to_years to_hours to_minutes to_seconds
    coalesce greatest least nullif ifnull isnan isinf isfinite
"""
_TYPE_NAMES = """
    BOOLEAN TINYINT SMALLINT INTEGER BIGINT HUGEINT UTINYINT USMALLINT UINTEGER UBIGINT FLOAT DOUBLE
    REAL DECIMAL NUMERIC VARCHAR TEXT DATE TIME TIMESTAMP INTERVAL
    BOOL INT INT1 INT2 INT4 INT8 LONG SHORT STRING CHAR FLOAT4 FLOAT8 DATETIME
"""
_FUNCTIONS = frozenset(_FUNCTION_NAMES.split())
_TYPES = frozenset(_TYPE_NAMES.split())
_DEEPEST = 100


def check_where(
    engine: Engine, expression: str, columns: Sequence[str], parameters: Mapping[str, str], shown: str
) -> tuple[str, ...]:
    """
    Return the columns that an expression uses.

    Args:
        engine: To parse with; nothing is run.
        expression: The text of `where:`, with ``$NAME`` for bound values.
        columns: The columns of the dataset.
        parameters: The bound values.
        shown: How errors name the dataset.

    Raises:
        DataError: It is not one plain expression over these columns.
    """
    _refuse_signs(expression, shown)
    tree = _parsed(engine, expression, shown)
    used: dict[str, None] = {}
    for node in _nodes(tree):
        kind = node["class"]
        if kind not in _CLASSES:
            raise DataError(f"{shown}: where may not hold {_named(kind)}; it is one question about a row")
        if kind == "COLUMN_REF":
            used[_column(node["column_names"], columns, shown)] = None
        elif kind == "FUNCTION":
            _check_function(node, shown)
        elif kind == "PARAMETER":
            _check_parameter(str(node.get("identifier")), parameters, shown)
        elif kind == "TYPE" and str(node.get("type_name", "")).upper() not in _TYPES:
            raise DataError(f"{shown}: where casts to a type that it may not use")
    _refuse_twins(used, shown)
    return tuple(used)


def _refuse_twins(used: Iterable[str], shown: str) -> None:
    """Refuse two columns that the engine, which ignores letter case, would take for one."""
    spelled: dict[str, str] = {}
    for name in sorted(used):
        other = spelled.setdefault(name.lower(), name)
        if other != name:
            raise DataError(
                f"{shown}: where names {other!r} and {name!r}, which differ in letter case alone; "
                "give one another name with rename:"
            )


def _refuse_signs(expression: str, shown: str) -> None:
    """Refuse comments, semicolons and dollar quotes outside quoted text."""
    if not expression.strip():
        raise DataError(f"{shown}: where is empty")
    bare = "".join(_outside_quotes(expression))
    for sign, name in (
        ("--", "a comment"),
        ("/*", "a comment"),
        (";", "a semicolon"),
        ("$$", "a dollar quote"),
    ):
        if sign in bare:
            raise DataError(f"{shown}: where may not hold {name}; it is one question about a row")


def _outside_quotes(text: str) -> Iterator[str]:
    quote = ""
    for sign in text:
        if quote:
            quote = "" if sign == quote else quote
        elif sign in "'\"":
            quote = sign
            yield " "
        else:
            yield sign


def _parsed(engine: Engine, expression: str, shown: str) -> Any:
    try:
        answer = engine.rows("SELECT json_serialize_sql(?::VARCHAR)", [f"SELECT {expression}"])
    except EngineRefusal:
        raise DataError(f"{shown}: where could not be parsed") from None
    parsed = json.loads(answer[0][0])
    if parsed.get("error") or len(parsed.get("statements", ())) != 1:
        raise DataError(f"{shown}: where is not one SQL expression; is a quote or a bracket open?")
    node = parsed["statements"][0]["node"]
    alone = (
        node.get("type") == "SELECT_NODE"
        and len(node.get("select_list", ())) == 1
        and node.get("from_table", {}).get("type") == "EMPTY"
        and not any(
            node.get(key)
            for key in (
                "where_clause",
                "group_expressions",
                "group_sets",
                "having",
                "sample",
                "qualify",
                "modifiers",
            )
        )
        and not node.get("cte_map", {}).get("map")
        and not node["select_list"][0].get("alias")
    )
    if not alone:
        raise DataError(f"{shown}: where is one expression, without SELECT, FROM or commas")
    return node["select_list"][0]


def _nodes(tree: Any) -> Iterator[dict[str, Any]]:
    """Walk every expression of a parsed tree."""
    pending: list[tuple[Any, int]] = [(tree, 0)]
    while pending:
        item, depth = pending.pop()
        if depth > _DEEPEST:
            raise DataError("where is nested too deeply")
        if isinstance(item, list):
            pending.extend((child, depth + 1) for child in item)
        elif isinstance(item, dict):
            if "class" in item:
                yield item
            pending.extend((child, depth + 1) for child in item.values() if isinstance(child, dict | list))


def _named(kind: str) -> str:
    names = {
        "SUBQUERY": "a subquery",
        "WINDOW": "a window function",
        "STAR": "a star",
        "LAMBDA": "a lambda",
        "COLLATE": "a collation",
        "POSITIONAL_REFERENCE": "a column number",
        "DEFAULT": "DEFAULT",
    }
    return names.get(kind, "this kind of expression")


def _column(names: Sequence[str], columns: Sequence[str], shown: str) -> str:
    name = ".".join(names)
    if len(names) == 1 and name in columns:
        return name
    same = [column for column in columns if column.lower() == name.lower()]
    if len(names) == 1 and len(same) == 1:
        return same[0]
    if name in columns:
        raise DataError(f'{shown}: where names the column {name!r}; write it in double quotes: "{name}"')
    near = did_you_mean(name, columns) or f"; if it is a text, put it in single quotes: '{name}'"
    raise DataError(f"{shown}: where names {name!r}, which is no column{near}")


def _check_function(node: Mapping[str, Any], shown: str) -> None:
    name = str(node.get("function_name", "")).lower()
    plain = (
        not node.get("schema")
        and not node.get("catalog")
        and not node.get("filter")
        and not node.get("distinct")
    )
    if name not in _FUNCTIONS or not plain:
        raise DataError(f"{shown}: where may not use the function {name!r}")
    if (node.get("order_bys") or {}).get("orders"):
        raise DataError(f"{shown}: where may not order the arguments of {name!r}")


def _check_parameter(name: str, parameters: Mapping[str, str], shown: str) -> None:
    if name not in parameters:
        raise DataError(f"{shown}: where uses ${name}; write ${{{name}}} and set it with --readmit-set")
