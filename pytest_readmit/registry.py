"""A check's name leads to its function: how checks are registered, found and loaded."""

import importlib
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal, TypeVar, overload

from pytest_readmit.claim import Claim
from pytest_readmit.errors import SuiteError
from pytest_readmit.signature import CaseMaker, CheckSpec, Validator, read_signature

GROUP = "readmit.checks"
Function = TypeVar("Function", bound=Callable[..., Claim])

_REGISTERED: dict[str, dict[str, CheckSpec]] = {}
_BROUGHT: dict[str, tuple[CheckSpec, ...]] = {}


@overload
def check(function: Function, /) -> Function: ...
@overload
def check(
    *,
    cases: CaseMaker | None = None,
    validate: Validator | None = None,
    kinds: Sequence[str] = (),
    part: Callable[..., Any] | None = None,
    census: bool = False,
    severity: Literal["block", "warn"] = "block",
    inconclusive: Literal["block", "warn", "pass"] = "warn",
    may_block: bool = True,
    rowless: Callable[[Mapping[str, Any]], bool] | None = None,
    sources: Callable[[Mapping[str, Any]], Sequence[Any]] | None = None,
) -> Callable[[Function], Function]: ...
def check(  # noqa: D417 - the options are those of the overload
    function: Function | None = None, /, **options: Any
) -> Function | Callable[[Function], Function]:
    """
    Register a function as a check; the function itself is returned unchanged.

    Args:
        function: The function; its injected parameters say what it measures, its keyword-only
            parameters are its YAML keys.
        cases: Expands an entry to cases from its parameters and the data's column names and kinds.
        validate: From parameters and `decide_by`, (key, message) for each problem.
        kinds: Kinds of column that it measures (``numerical``, ``categorical``); default: all.
        part: Map step for a check that takes ``parts``: called for each selected feature with the
            columns, ``context`` and the parameters.
        census: True if its Claims never have bounds.
        severity: What a fail does where neither the entry nor `defaults` says.
        inconclusive: What an undecided case does where neither the entry nor `defaults` says.
        may_block: False if `inconclusive: block` is to be refused.
        rowless: From parameters, whether no dataset is read; the check is then given None in its place.
        sources: From parameters, the sources of further models, as a suite writes them.

    Raises:
        SuiteError: If the signature cannot be a check's.
    """

    def register(function: Function) -> Function:
        spec = read_signature(function, **options)
        known = _REGISTERED.setdefault(spec.module, {})
        other = known.get(spec.name)
        if other is not None and _same_load(other.function, function):
            raise SuiteError([f"check {spec.name!r} is registered twice, both times by {spec.module}"])
        known[spec.name] = spec
        function.__readmit_check__ = spec  # type: ignore[attr-defined]
        return function

    return register if function is None else register(function)


def _same_load(one: Callable[..., Any], other: Callable[..., Any]) -> bool:
    """Whether two functions of one name come from one run of a module (a reload replaces)."""
    same_place = one.__code__.co_firstlineno == other.__code__.co_firstlineno
    return one.__globals__ is other.__globals__ and not same_place


class Registry(Mapping[str, CheckSpec]):
    """The checks of one run by name."""

    def __init__(self, checks: Mapping[str, CheckSpec]) -> None:
        self._checks = dict(sorted(checks.items()))

    def __getitem__(self, name: str) -> CheckSpec:
        return self._checks[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._checks)

    def __len__(self) -> int:
        return len(self._checks)


def load(modules: Sequence[str] = (), *, named_by: str = "ini readmit_checks") -> Registry:
    """
    Return every check of installed packages and of the named modules.

    Args:
        modules: Importable names.
        named_by: What named them, for messages.

    Raises:
        SuiteError: If a module cannot be imported, or two checks have one name.
    """
    from importlib.metadata import entry_points

    packs = {entry.module: f"the installed package {_package(entry)}" for entry in entry_points(group=GROUP)}
    named = dict.fromkeys(modules, named_by)
    found: dict[str, CheckSpec] = {}
    problems: list[str] = []
    for module, source in (packs | named).items():
        try:
            specs = _import(module, source)
        except SuiteError as error:
            problems += [str(problem) for problem in error.problems]
            continue
        for spec in specs:
            other = found.setdefault(spec.name, spec)
            if other is not spec:
                problems.append(
                    f"check {spec.name!r} is registered twice: by {other.module} and by {spec.module}"
                )
    if problems:
        raise SuiteError(problems)
    return Registry(found)


def _package(entry: Any) -> str:
    return str(entry.dist.name if entry.dist else entry.name)


def _import(module: str, source: str) -> tuple[CheckSpec, ...]:
    """Import a module; return the checks that it defines, holds or brought in."""
    before = (
        {id(s) for specs in _REGISTERED.values() for s in specs.values()}
        if module not in sys.modules
        else None
    )
    try:
        loaded = importlib.import_module(module)
    except SuiteError:
        raise
    except Exception as error:
        said = f"{type(error).__name__}: {error}".splitlines()[0]
        raise SuiteError([f"{source}: cannot import {module!r} ({said})"]) from error
    if before is not None:
        now = {id(s): s for specs in _REGISTERED.values() for s in specs.values()}
        _BROUGHT[module] = tuple(s for key, s in now.items() if key not in before)
    own = [
        spec
        for name, specs in _REGISTERED.items()
        if name == module or name.startswith(f"{module}.")
        for spec in specs.values()
    ]
    held = [getattr(value, "__readmit_check__", None) for value in vars(loaded).values()]
    every = [*own, *_BROUGHT.get(module, ()), *(spec for spec in held if isinstance(spec, CheckSpec))]
    return tuple({id(spec): spec for spec in every}.values())


def spec_of(function: Callable[..., Any]) -> CheckSpec:
    """
    Return what `check` registered for a function.

    Raises:
        SuiteError: If it is not a check.
    """
    spec = getattr(function, "__readmit_check__", None)
    if not isinstance(spec, CheckSpec):
        raise SuiteError(
            [f"{getattr(function, '__name__', function)!r} is not a check: decorate it with @check"]
        )
    return spec
