"""The table of rooms: what each room may import, on load and inside functions, as a walk over the source."""

import ast
import importlib.util
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

LONGEST = 400
# Modules that may be longer, each with the most lines it may have. Splitting one deletes its row.
LONGER: dict[str, int] = {}


@dataclass(frozen=True)
class Room:
    """What a room may import: other rooms, libraries on load, and libraries only inside functions."""

    rooms: str = ""
    on_load: str = ""
    inside: str = ""


TABLE = {
    "errors": Room(),
    "claim": Room(),
    "rule": Room("claim"),
    "suite": Room("errors", inside="yaml"),
    "parameters": Room("errors", on_load="pydantic"),
    "signature": Room("claim errors parameters", on_load="pydantic"),
    "registry": Room("claim errors signature"),
    "stats": Room(on_load="numpy", inside="scipy sklearn threadpoolctl"),
    "data": Room("errors stats", on_load="numpy", inside="duckdb dvc mlflow pandas pyarrow yaml"),
    "selection": Room("signature data errors"),
    "names": Room(),
    "needs": Room("suite registry signature errors"),
    "settings": Room(),
    "models": Room("data errors", on_load="numpy", inside="joblib mlflow pandas skops"),
    "inputs": Room("suite registry needs settings data models errors"),
    "baseline": Room("suite registry settings inputs data errors"),
    "cases": Room("inputs settings suite registry signature selection names needs rule data models errors"),
    "findings": Room("cases rule claim"),
    "run": Room("cases inputs findings needs rule claim data errors"),
    "provenance": Room(),
    "privacy": Room("claim"),
    "cells": Room(""),
    "record": Room("claim errors cells privacy provenance"),
    "report": Room("record errors", on_load="markupsafe", inside="jinja2"),
    "mlops": Room("record report models provenance errors", inside="filelock"),
    "metrics": Room("record report errors", inside="prometheus_client"),
    "tracking": Room(
        "errors data models stats report record privacy provenance",
        on_load="numpy markupsafe",
        inside="mlflow pandas shap sklearn skops threadpoolctl",
    ),
    "api": Room("cases settings run claim errors registry record provenance report", inside="pandas"),
    "calibrate": Room(
        "cases settings run claim rule data models stats privacy errors",
        on_load="numpy",
    ),
    "start": Room("errors data stats suite", on_load="numpy"),
    "collect": Room("cases settings names run claim rule errors privacy", on_load="pytest"),
    "terminal": Room("record"),
    "builds": Room("report"),
    "workers": Room(),
    "reporter": Room(
        "workers builds terminal collect record report metrics mlops tracking provenance privacy errors",
        on_load="pytest",
    ),
    "mimic": Room(
        "errors api record mlops tracking",
        on_load="numpy",
        inside="duckdb joblib pandas sklearn skops threadpoolctl",
    ),
    "plugin": Room("*", on_load="pytest"),
    "cli": Room("*"),
    "__init__": Room("*"),
    # The check pack sees the public names and the statistics, as anybody's pack does; `Field` of pydantic
    # states the bounds of its parameters.
    "readmit_checks": Room("__init__ stats", on_load="numpy pydantic", inside="hypothesis"),
}
ROOFS = {"plugin", "cli"}
ON_LOAD_STDLIB_ONLY = {"plugin", "__init__"}


@dataclass(frozen=True)
class Import:
    """One import statement: who, what, where, and whether loading the module runs it."""

    module: str
    target: str
    line: int
    on_load: bool
    type_only: bool


@cache
def sources() -> dict[str, Path]:
    """Return every module of both packages by its dotted name."""
    found: dict[str, Path] = {}
    for package in ("pytest_readmit", "readmit_checks"):
        spec = importlib.util.find_spec(package)
        assert spec is not None
        assert spec.origin is not None
        top = Path(spec.origin).parent
        for path in sorted(top.rglob("*.py")):
            parts = [package, *path.relative_to(top).with_suffix("").parts]
            if parts[-1] == "__init__" and len(parts) > 1:
                parts.pop()
            found[".".join(parts)] = path
    return found


def room(module: str) -> str:
    """Return the room a module of ours belongs to."""
    head, *rest = module.split(".")
    if head == "readmit_checks":
        return head
    return rest[0] if rest else "__init__"


def is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING")


def targets(module: str, path: Path, node: ast.Import | ast.ImportFrom) -> list[str]:
    """Return the dotted modules a statement imports; a submodule taken with `from` is named in full."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    base = node.module or ""
    if node.level:
        parts = module.split(".")
        drop = node.level - (1 if path.name == "__init__.py" else 0)
        base = ".".join([*parts[: len(parts) - drop], *([node.module] if node.module else [])])
    return [f"{base}.{alias.name}" if f"{base}.{alias.name}" in sources() else base for alias in node.names]


def walk(
    module: str, path: Path, node: ast.AST, *, on_load: bool = True, type_only: bool = False
) -> list[Import]:
    """Return every import below a node."""
    found: list[Import] = []
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import | ast.ImportFrom):
            found += [
                Import(module, target, child.lineno, on_load and not type_only, type_only)
                for target in targets(module, path, child)
            ]
            continue
        inside = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        found += walk(
            module,
            path,
            child,
            on_load=on_load and not inside,
            type_only=type_only or is_type_checking(child),
        )
    return found


@cache
def imports() -> tuple[Import, ...]:
    found: list[Import] = []
    for module, path in sources().items():
        found += walk(module, path, ast.parse(path.read_text(encoding="utf-8")))
    return tuple(found)


def ours(target: str) -> bool:
    return target.split(".", maxsplit=1)[0] in ("pytest_readmit", "readmit_checks")


def place(one: Import) -> str:
    return f"{sources()[one.module].name}:{one.line} ({one.module}) imports {one.target}"


def test_every_module_belongs_to_a_room_of_the_table() -> None:
    assert {room(module) for module in sources()} <= set(TABLE)


def test_a_room_imports_only_the_rooms_its_row_names() -> None:
    broken = []
    for one in imports():
        if not ours(one.target):
            continue
        here, there = room(one.module), room(one.target)
        allowed = TABLE[here].rooms.split()
        if here != there and there not in allowed and "*" not in allowed:
            broken.append(place(one))
    assert not broken


def test_a_room_imports_only_the_libraries_its_row_names_and_the_heavy_ones_inside_functions() -> None:
    broken = []
    for one in imports():
        library = one.target.split(".")[0]
        if ours(one.target) or library in sys.stdlib_module_names:
            continue
        row = TABLE[room(one.module)]
        allowed = row.on_load.split() + ([] if one.on_load else row.inside.split())
        if library not in allowed:
            broken.append(place(one))
    assert not broken


def test_nobody_imports_the_roofs() -> None:
    assert [
        place(one) for one in imports() if room(one.target) in ROOFS and room(one.module) != room(one.target)
    ] == []


def test_the_plugin_loads_nothing_of_ours_when_pytest_starts() -> None:
    assert [
        place(one)
        for one in imports()
        if room(one.module) in ON_LOAD_STDLIB_ONLY and one.on_load and ours(one.target)
    ] == []


def test_there_is_no_import_cycle_not_even_lazy_or_type_only() -> None:
    graph: dict[str, set[str]] = {module: set() for module in sources()}
    for one in imports():
        # The package's own `__init__` names every public module lazily; it is a door, not a room.
        if ours(one.target) and "pytest_readmit" not in (one.module, one.target):
            graph[one.module].add(one.target)
    assert find_cycle(graph) is None


def find_cycle(graph: dict[str, set[str]]) -> list[str] | None:
    """Return one cycle as the modules along it, or None."""
    done: set[str] = set()

    def visit(module: str, trail: list[str]) -> list[str] | None:
        if module in trail:
            return [*trail[trail.index(module) :], module]
        if module in done:
            return None
        for target in sorted(graph.get(module, ())):
            cycle = visit(target, [*trail, module])
            if cycle:
                return cycle
        done.add(module)
        return None

    for module in sorted(graph):
        cycle = visit(module, [])
        if cycle:
            return cycle
    return None


def test_a_planted_cycle_is_found() -> None:
    assert find_cycle({"a": {"b"}, "b": {"c"}, "c": {"a"}}) == ["a", "b", "c", "a"]


def test_a_planted_import_is_seen_wherever_it_stands() -> None:
    text = "def f():\n    import scipy\nif TYPE_CHECKING:\n    from pytest_readmit.run import Session\n"
    found = walk("pytest_readmit.stats.x", Path("x.py"), ast.parse(text))
    assert [(one.target, one.on_load, one.type_only) for one in found] == [
        ("scipy", False, False),
        ("pytest_readmit.run", False, True),
    ]


@pytest.mark.parametrize("module", sorted(sources()))
def test_a_module_opens_with_one_line_that_says_its_job(module: str) -> None:
    text = ast.get_docstring(ast.parse(sources()[module].read_text(encoding="utf-8")))
    assert text, "no docstring"
    assert text.splitlines()[0].endswith((".", ":", "?"))


def test_a_module_is_short_enough_to_read_in_one_go() -> None:
    lengths = {
        module: len(path.read_text(encoding="utf-8").splitlines()) for module, path in sources().items()
    }
    too_long = {name: n for name, n in lengths.items() if n > LONGER.get(name, LONGEST)}
    assert not too_long
    assert not {name for name in LONGER if lengths.get(name, 0) <= LONGEST}, "a row is no longer needed"


def test_no_module_of_ours_is_named_by_its_kind() -> None:
    vague = {"utils", "util", "helpers", "base", "manager", "misc"}
    assert not [module for module in sources() if module.rsplit(".", 1)[-1] in vague]
