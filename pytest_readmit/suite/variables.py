"""``${NAME}`` in a suite: replaced, or bound where the text is SQL; values of the environment stay hidden."""

import re
from collections.abc import Iterable, Mapping

from pytest_readmit.errors import did_you_mean
from pytest_readmit.suite.model import Settings
from pytest_readmit.suite.nodes import Node, Problems, Scalar
from pytest_readmit.suite.scalars import NotFinite, resolve

PREFIX = "READMIT_"
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# A default may hold variables of its own, such as ${STORE:-sqlite:///${FOLDER}/mlflow.db}.
_PIECE = re.compile(r"\$\$\{|\$\{(?P<inner>[^{}]*(?:\$\{[^{}]*\}[^{}]*)*)\}|\$\{")
_SQL = re.compile(rf"(?P<quoted>'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\")|{_PIECE.pattern}")


class Variables:
    """Looks names up, and remembers which values came from the environment."""

    def __init__(self, settings: Settings, problems: Problems) -> None:
        self.secrets: dict[str, str] = {}
        self._settings = settings
        self._problems = problems

    def replace_all(self, scalars: Iterable[Scalar]) -> None:
        """Replace the variables of every scalar in place."""
        for scalar in scalars:
            before = len(self._problems)
            self._replace(scalar)
            if len(self._problems) > before:
                self._problems.mute((scalar.line, scalar.column))

    def bind(self, node: Scalar, where: str, key: str = "where") -> tuple[str, Mapping[str, str]]:
        """Return SQL text with ``$NAME`` for ``${NAME}``, and the values to bind by name."""
        bound: dict[str, str] = {}

        def parameter(match: re.Match[str]) -> str:
            if match.group() == "$${":
                return "${"
            name, value = self._name(match, node), self._value(match, node)
            if name is None or value is None:
                return ""
            if bound.setdefault(name, value) != value:
                self._problems.add(node, where, f"`{key}`: ${{{name}}} has two defaults here; keep one")
            return f"${name}"

        def piece(match: re.Match[str]) -> str:
            if match.lastgroup != "quoted":
                return parameter(match)
            inside = next((each for each in _PIECE.finditer(match.group()) if each["inner"]), None)
            if inside:
                said = f"write {inside.group()} without quotes: it is bound as a value, not pasted"
                self._problems.add(node, where, f"`{key}`: {said}")
            return match.group().replace("$${", "${")

        return _SQL.sub(piece, node.raw), bound

    def _replace(self, scalar: Scalar) -> None:
        told: set[str] = set()
        replaced: list[str] = []

        def piece(match: re.Match[str], *, public: bool) -> str:
            if match.group() == "$${":
                return "${"
            value = None if match.group() in told else self._value(match, scalar)
            if value is None:
                told.add(match.group())
                return ""
            name = match["inner"].partition(":-")[0]
            replaced.append(name)
            hidden = self.secrets.get(name) == value
            scalar.hides = scalar.hides or hidden
            return f"${{{name}}}" if hidden and public else value

        scalar.text = _PIECE.sub(lambda match: piece(match, public=False), scalar.raw)
        scalar.value = scalar.text
        if replaced and not told:
            scalar.public = _PIECE.sub(lambda match: piece(match, public=True), scalar.raw)
            self._resolve_alone(scalar)

    def _resolve_alone(self, scalar: Scalar) -> None:
        """A scalar that is one variable and nothing else means what its value means."""
        alone = _PIECE.fullmatch(scalar.raw)
        if not alone or alone.group() == "$${":
            return
        try:
            scalar.value = resolve(scalar.text)
        except NotFinite:
            self._problems.add(scalar, "suite", f"a number must be finite, not {scalar.shown}")
            scalar.value = 0

    def _name(self, match: re.Match[str], node: Node) -> str | None:
        inner = match["inner"]
        name = inner.partition(":-")[0] if inner is not None else ""
        if _NAME.fullmatch(name):
            return name
        self._problems.add(
            node,
            "suite",
            "`${` begins a variable, ${NAME} or ${NAME:-default}; write `$${` for the text itself",
        )
        return None

    def _value(self, match: re.Match[str], node: Node) -> str | None:
        """Return a variable's value; None with a problem noted where it has none."""
        name = self._name(match, node)
        if name is None:
            return None
        settings = self._settings
        if name in settings.variables:
            return settings.variables[name]
        readable = name.startswith(PREFIX) or name in settings.allowed_env
        if readable and name in settings.environ:
            value = settings.environ[name]
            self.secrets[name] = value
            return value
        _, separator, default = match["inner"].partition(":-")
        if separator:
            return self._default(name, default, node)
        where = "the environment or --readmit-set" if readable else f"--readmit-set {name}=VALUE"
        hint = did_you_mean(name, settings.variables)
        more = (
            ""
            if readable or hint
            else f" (the environment is read for {PREFIX}… and names in ini readmit_env)"
        )
        self._problems.add(node, "suite", f"variable ${{{name}}} is not set; set it by {where}{hint}{more}")
        return None

    def _default(self, name: str, text: str, node: Node) -> str | None:
        """Return a default with its own variables replaced; it is as secret as they are."""
        values = {
            match.group(): "${" if match.group() == "$${" else self._value(match, node)
            for match in _PIECE.finditer(text)
        }
        if None in values.values():
            return None
        value = _PIECE.sub(lambda match: str(values[match.group()]), text)
        names = {match["inner"].partition(":-")[0] for match in _PIECE.finditer(text) if match["inner"]}
        if names & self.secrets.keys():
            self.secrets[name] = value
        return value
