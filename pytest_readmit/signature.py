"""What a check's signature says: what it measures, and the keys of its YAML."""

import inspect
import json
import math
import re
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from typing import Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PydanticUserError,
    ValidationError,
    WithJsonSchema,
    create_model,
)

from pytest_readmit.claim import Context
from pytest_readmit.errors import SuiteError
from pytest_readmit.parameters import Fault, as_duration, faults, json_value, parameter_notes

COMMON_KEYS = (
    "id",
    "title",
    "because",
    "columns",
    "on",
    "model",
    "segments",
    "severity",
    "inconclusive",
    "confidence",
    "decide_by",
    "p_value",
    "correction",
    "warn_above",
    "tags",
    "waiver",
    "timeout",
)
"""Keys of every entry; no check may use them for its own parameters."""

_DURATION = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([smhdw])\s*", re.ASCII)
_LONGEST = 1e11
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


def duration(text: Any) -> timedelta:
    """
    Return the time that a text such as ``30d``, ``12h``, ``45m``, ``10s`` or ``2w`` names.

    Raises:
        ValueError: If it is no such text.
    """
    match = _DURATION.fullmatch(text) if isinstance(text, str) else None
    seconds = float(match[1]) * _UNITS[match[2]] if match else math.inf
    if seconds > _LONGEST:
        raise ValueError("must be a duration such as 30d, 12h or 45m")
    return timedelta(seconds=seconds)


Share = typing.Annotated[float, Field(ge=0, le=1)]
"""A number from 0 to 1."""
Positive = typing.Annotated[float, Field(gt=0)]
"""A number above 0."""
Direction = Literal["either", "up", "down"]
"""Which way a change counts."""
Duration = typing.Annotated[
    timedelta, BeforeValidator(duration), WithJsonSchema({"type": "string", "format": "duration"})
]
"""A time written as ``30d``, ``12h``, ``45m``, ``10s`` or ``2w``."""


class Parts(dict[str, Any]):
    """What `part` returned (or the error it met), by feature; injected into a check that asks for it."""

    __readmit_injected__ = "parts"


class Selected(tuple[str, ...]):
    """The entry's `columns` as column names, empty if it names none; injected beside whole datasets."""

    __slots__ = ()
    __readmit_injected__ = "selected"


@dataclass(frozen=True, slots=True)
class Case:
    """
    One case that a check expands to.

    Args:
        subject: What the case is about, shown in its id; None for the entry's only case.
        arguments: Keyword arguments that replace or add to the entry's parameters.
        column: The column to inject where the check takes a Column.
    """

    subject: str | None
    arguments: Mapping[str, Any] = field(default_factory=dict)
    column: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Schema:
    """
    What `cases` may know of the data: names and kinds, never rows.

    Args:
        columns: Kind of every column of the reference (of current, if there is no reference).
        features: Names of the features.
        roles: Role to column name, of the roles that the suite names one column for.
        selected: The columns that the entry's `columns` names; None if it names none.
        sensitive: Names of the sensitive columns.
    """

    columns: Mapping[str, str]
    features: tuple[str, ...] = ()
    roles: Mapping[str, str] = field(default_factory=dict)
    selected: tuple[str, ...] | None = None
    sensitive: tuple[str, ...] = ()


CaseMaker = Callable[[Mapping[str, Any], Schema], Sequence[Case]]
Validator = Callable[[Mapping[str, Any], str], Iterable[tuple[str, str]]]


@dataclass(frozen=True)
class CheckSpec:
    """
    A registered check.

    Args:
        name: Its name in a suite: the function's.
        module: The module that defines it.
        function: The function, as written.
        doc: Its docstring, without indentation.
        needs: (parameter, kind) of what is injected, kind one of ``column``, ``dataset``, ``scored``,
            ``models``, ``parts``.
        takes_context: Whether it has a parameter ``context``.
        kinds: Kinds of column it measures; empty: all.
        census: Whether it never has bounds, so its cases take no share of alpha.
        cases: Expands an entry to cases; None: one per column, or one.
        validate: Finds problems in the parameters beyond their types.
        part: Map step of a check that takes ``parts``.
        severity: What a fail does where neither entry nor defaults say: ``block`` or ``warn``.
        inconclusive: What an undecided case does, likewise: ``block``, ``warn`` or ``pass``.
        may_block: Whether `inconclusive: block` is allowed.
        rowless: Whether an entry with these parameters reads no dataset; None: each reads its own.
        sources: The sources of models among these parameters; None: there are none.
        fields: Parameter to (annotation, default); the default is Ellipsis where it is required.
    """

    name: str
    module: str
    function: Callable[..., Any]
    doc: str
    needs: tuple[tuple[str, str], ...]
    takes_context: bool
    kinds: tuple[str, ...]
    fields: Mapping[str, tuple[Any, Any]]
    census: bool = False
    cases: CaseMaker | None = None
    validate: Validator | None = None
    part: Callable[..., Any] | None = None
    severity: Literal["block", "warn"] = "block"
    inconclusive: Literal["block", "warn", "pass"] = "warn"
    may_block: bool = True
    rowless: Callable[[Mapping[str, Any]], bool] | None = None
    sources: Callable[[Mapping[str, Any]], Sequence[Any]] | None = None

    @property
    def per_column(self) -> bool:
        """Whether it measures one column at a time."""
        return any(kind == "column" for _, kind in self.needs)

    @property
    def defaults(self) -> dict[str, Any]:
        """Parameters that may be left out, with their values."""
        return {name: default for name, (_, default) in self.fields.items() if default is not ...}

    @cached_property
    def parameters(self) -> type[BaseModel]:
        """
        The pydantic model of its parameters.

        Raises:
            SuiteError: If an annotation is none that YAML can be read as.
        """
        # The fields get names of their own, so that a parameter may be called `copy` or `schema`.
        notes = parameter_notes(self.doc)
        fields: dict[str, Any] = {
            f"parameter_{name}": (annotation, Field(default, alias=name, description=notes.get(name)))
            for name, (annotation, default) in self.fields.items()
        }
        config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, title=self.name)
        try:
            model: type[BaseModel] = create_model(self.name, __config__=config, **fields)
        except PydanticUserError as error:
            said = str(error).splitlines()[0]
            raise SuiteError(
                [f"check {self.module}.{self.name}: YAML cannot be read as a parameter: {said}"]
            ) from error
        return model

    @cached_property
    def json_schema(self) -> dict[str, Any]:
        """JSON Schema of its parameters."""
        schema = self.parameters.model_json_schema()
        for name, default in self.defaults.items():
            if isinstance(default, timedelta):
                schema["properties"][name]["default"] = as_duration(default)
        return schema

    def read(self, given: Mapping[str, Any]) -> tuple[dict[str, Any], list[Fault]]:
        """Return the parameters as plain values, defaults filled in, or what is wrong with them."""
        try:
            text = json.dumps(given, allow_nan=False, default=json_value)
        except (TypeError, ValueError):
            return {}, [Fault((), "parameters must be plain values with finite numbers", shows_value=False)]
        try:
            # JSON mode: a list may become a tuple and a text a date, yet a text never a number.
            model = self.parameters.model_validate_json(text)
        except ValidationError as error:
            return {}, faults(error, given, self.json_schema)
        return self._filled(model.model_dump(by_alias=True, exclude_unset=True)), []

    def _filled(self, given: Mapping[str, Any]) -> dict[str, Any]:
        return {name: given.get(name, default) for name, (_, default) in self.fields.items()}


def read_signature(
    function: Callable[..., Any],
    *,
    kinds: Sequence[str] = (),
    cases: CaseMaker | None = None,
    validate: Validator | None = None,
    part: Callable[..., Any] | None = None,
    **options: Any,
) -> CheckSpec:
    """
    Return a function as a check; the options are those of `pytest_readmit.check`.

    Raises:
        SuiteError: If the signature cannot be a check's.
    """
    name, where = function.__name__, f"check {function.__module__}.{function.__name__}"
    try:
        hints = typing.get_type_hints(function, include_extras=True)
    except Exception as error:
        raise SuiteError(
            [f"{where}: an annotation cannot be evaluated ({type(error).__name__}: {error})"]
        ) from error
    needs: list[tuple[str, str]] = []
    fields: dict[str, tuple[Any, Any]] = {}
    takes_context = False
    for parameter in inspect.signature(function).parameters.values():
        annotation = hints.get(parameter.name)
        injected = getattr(annotation, "__readmit_injected__", None)
        if parameter.kind in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL):
            _default(parameter, where, annotated=True)
        elif annotation is Context:
            takes_context = _named(parameter, "context", where)
        elif isinstance(injected, str):
            needs.append((parameter.name, injected))
        else:
            fields[parameter.name] = (
                annotation,
                _default(parameter, where, annotated=parameter.name in hints),
            )
    if part is not None and ("parts", "parts") not in needs:
        raise SuiteError([f"{where}: `part` needs a parameter `parts: Parts`"])
    return CheckSpec(
        name=name,
        module=function.__module__,
        function=function,
        doc=inspect.getdoc(function) or "",
        needs=tuple(needs),
        takes_context=takes_context,
        kinds=tuple(kinds),
        cases=cases,
        validate=validate,
        part=part,
        fields=fields,
        **options,
    )


def _named(parameter: inspect.Parameter, name: str, where: str) -> bool:
    if parameter.name != name:
        raise SuiteError([f"{where}: call the parameter {parameter.name!r} {name!r}"])
    return True


def _default(parameter: inspect.Parameter, where: str, *, annotated: bool) -> Any:
    """Return a YAML parameter's default (Ellipsis: required), or say why it cannot be one."""
    name = parameter.name
    problem = None
    if parameter.kind in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL):
        problem = f"`{parameter}` would hide misspelt keys; name every parameter"
    elif parameter.kind is not parameter.KEYWORD_ONLY:
        problem = (
            f"parameter {name!r} is neither injected (Column, Dataset, ...) nor keyword-only (after `*`)"
        )
    elif not annotated:
        problem = f"parameter {name!r} has no annotation, so its YAML cannot be checked"
    elif name in COMMON_KEYS:
        problem = f"parameter {name!r} is a key of every entry; choose another name"
    if problem:
        raise SuiteError([f"{where}: {problem}"])
    return ... if parameter.default is parameter.empty else parameter.default
