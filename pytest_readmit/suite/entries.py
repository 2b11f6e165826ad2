"""The items of `checks`: each becomes an Entry with its defaults applied."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pytest_readmit.errors import did_you_mean
from pytest_readmit.suite.common import COMMON, DEFAULTS, Known
from pytest_readmit.suite.model import CheckLike, Entry, FaultLike
from pytest_readmit.suite.nodes import Listing, Node, Problems, Scalar, Table, quoted
from pytest_readmit.suite.scope import Scope


@dataclass(frozen=True, slots=True)
class Draft:
    """An item of `checks` after its form is known: which check, where, and its keys."""

    check: str
    line: int
    column: int
    table: Table


@dataclass(slots=True)
class EntryReader:
    """
    Reads the items of `checks`.

    Args:
        checks: Every registered check.
        known: Datasets, models and the day.
        defaults: What `defaults` says.
        problems: Where problems are noted.
    """

    checks: Mapping[str, CheckLike]
    known: Known
    defaults: Mapping[str, Any]
    problems: Problems
    warnings: list[str] = field(default_factory=list)

    def read(self, node: Listing) -> tuple[Entry, ...]:
        """Return the entries; with problems noted they are incomplete."""
        drafts = [draft for item in node.items if (draft := self._draft(item))]
        common = [self._common(draft) for draft in drafts]
        ids = self._ids(drafts, common)
        return tuple(
            self._entry(draft, given, name) for draft, given, name in zip(drafts, common, ids, strict=True)
        )

    def _draft(self, node: Node) -> Draft | None:
        scope = Scope("checks", self.problems)
        if isinstance(node, Scalar) and isinstance(node.value, str) and node.text:
            if self._is_known(node.text, (node.line, node.column), node.shown, secret=node.secret):
                return Draft(node.text, node.line, node.column, Table(line=node.line, column=node.column))
            return None
        if not isinstance(node, Table) or not node.items:
            found = "an empty mapping" if isinstance(node, Table) else node.shown
            scope.add(node, f"an entry is a check's name, or its name with its keys under it, not {found}")
            return None
        name = self._name(node, scope)
        return None if name is None else self._draft_of(name, node)

    def _draft_of(self, name: str, node: Table) -> Draft | None:
        value = node.items[name]
        line, column = node.marks[name]
        if isinstance(value, Scalar) and value.value is None and value.public is None:
            value = Table(line=line, column=column)
        if not isinstance(value, Table):
            message = f"its keys must be a mapping such as {{max: 0.1}}, not {value.shown}"
            self.problems.add(value, name, message)
            return None
        return Draft(name, line, column, value)

    def _name(self, node: Table, scope: Scope) -> str | None:
        """Return the check that an item names; note keys that stand beside it."""
        keys = list(node.items)
        name = next((key for key in keys if key in self.checks), keys[0])
        sound = self._is_known(name, node.marks[name], quoted(name), secret=False)
        for key in keys:
            if key == name or not sound:
                continue
            where = Scope(name, scope.problems)
            if key in self.checks:
                where.add(node.marks[key], f"two checks in one entry; begin `{key}` with its own `-`")
            else:
                where.add(node.marks[key], f"indent `{key}` under `{name}`")
        return name if sound else None

    def _is_known(self, name: str, place: tuple[int, int], shown: str, *, secret: bool) -> bool:
        if name in self.checks:
            return True
        hint = "" if secret else did_you_mean(name, self.checks)
        listed = "" if hint else "; `readmit list` names the checks"
        self.problems.add(place, "checks", f"unknown check {shown}{hint}{listed}")
        return False

    def _common(self, draft: Draft) -> dict[str, Any]:
        """Return the common keys of an entry that could be read."""
        scope = Scope(draft.check, self.problems)
        found = {
            key: COMMON[key](scope, key, node, self.known)
            for key, node in draft.table.items.items()
            if key in COMMON
        }
        return {key: value for key, value in found.items() if value is not None}

    def _ids(self, drafts: list[Draft], common: list[dict[str, Any]]) -> list[str]:
        """Return each entry's id: its own, else the check's name, then ``-2``, ``-3``."""
        explicit: dict[str, Draft] = {}
        for draft, given in zip(drafts, common, strict=True):
            name = given.get("id")
            if name is not None and explicit.setdefault(name, draft) is not draft:
                node = draft.table.items["id"]
                message = f"`id` {node.shown} is already that of line {explicit[name].line}"
                self.problems.add(node, draft.check, message)
        counts: dict[str, int] = {}
        ids: list[str] = []
        for draft, given in zip(drafts, common, strict=True):
            name = given.get("id")
            ids.append(name if name is not None else self._numbered(draft, counts, explicit))
        return ids

    def _numbered(self, draft: Draft, counts: dict[str, int], taken: Mapping[str, Draft]) -> str:
        while True:
            counts[draft.check] = number = counts.get(draft.check, 0) + 1
            name = draft.check if number == 1 else f"{draft.check}-{number}"
            if name not in taken:
                break
        if number > 1:
            self.warnings.append(
                f"{self.problems.shown}:{draft.line}:{draft.column}: {draft.check}: repeated without `id`; "
                f"{name!r} will name another entry when one is added or moved"
            )
        return name

    def _entry(self, draft: Draft, given: Mapping[str, Any], name: str) -> Entry:
        spec = self.checks[draft.check]
        policy = self._policy(draft, given, spec)
        rest = {key: value for key, value in given.items() if key not in policy and key != "id"}
        return Entry(
            id=name,
            check=draft.check,
            parameters=self._parameters(draft, spec, policy["decide_by"]),
            given=frozenset(draft.table.items),
            line=draft.line,
            column=draft.column,
            marks=draft.table.marks,
            **policy,
            **rest,
        )

    def _policy(self, draft: Draft, given: Mapping[str, Any], spec: CheckLike) -> dict[str, Any]:
        """Return how the entry is decided: its own keys, else `defaults`, else the check's, else ours."""
        own: dict[str, Any] = {"severity": spec.severity, "inconclusive": spec.inconclusive}
        # A check that may never block warns whatever is the rule for the others.
        shared = {key: value for key, value in self.defaults.items() if spec.may_block or key != "severity"}
        chosen = {**own, **shared, **{key: given[key] for key in DEFAULTS if key in given}}
        items = draft.table.items
        if "p_value" in items and "decide_by" not in items:
            chosen["decide_by"] = "p_value"
        by_p_value = chosen.get("decide_by") == "p_value"
        if by_p_value and "correction" not in items:
            chosen["correction"] = "none"
        self._agree(draft, chosen, spec)
        return chosen | {"decide_by": chosen.get("decide_by", "interval")}

    def _agree(self, draft: Draft, chosen: Mapping[str, Any], spec: CheckLike) -> None:
        """Note keys that contradict each other."""
        scope = Scope(draft.check, self.problems)
        items = draft.table.items
        here = (draft.line, draft.column)
        if chosen.get("decide_by") == "p_value" and "p_value" not in items:
            place = items.get("decide_by", here)
            scope.add(place, "`decide_by: p_value` needs a threshold, such as `p_value: 0.05`")
        if "p_value" in items and chosen.get("decide_by") == "interval":
            scope.add(items["p_value"], "`p_value` decides by p-value; leave out `decide_by: interval`")
        if chosen.get("severity") == "block" and not spec.may_block:
            place = items.get("severity", here)
            scope.add(place, "`severity: block` is not possible: it only ever warns; leave it out")
        if chosen.get("inconclusive") == "block" and not spec.may_block:
            place = items.get("inconclusive", here)
            scope.add(
                place, "`inconclusive: block` is not possible: it never passes; write `inconclusive: warn`"
            )

    def _parameters(self, draft: Draft, spec: CheckLike, decide_by: str) -> dict[str, Any]:
        scope = Scope(draft.check, self.problems)
        table = draft.table
        own: dict[str, Any] = {}
        for key, node in table.items.items():
            if key in COMMON:
                continue
            if key in spec.fields:
                own[key] = node.plain
            else:
                hint = did_you_mean(key, [*spec.fields, *COMMON])
                takes = ", ".join(spec.fields) or "no parameters"
                ending = hint or f"; it takes {takes} and the keys of every entry"
                scope.add(table.marks[key], f"unknown parameter {quoted(key)}{ending}")
        parameters, faults = spec.read(own)
        faults = list(faults)
        for fault in faults:
            self._note(fault, draft, scope)
        if not faults and spec.validate is not None:
            self._note_all(spec.validate(parameters, decide_by), draft, scope)
        return parameters

    def _note(self, fault: FaultLike, draft: Draft, scope: Scope) -> None:
        """Note what is wrong with one parameter, at its value (or its key, where it should not be)."""
        node: Node = draft.table
        place: Node | tuple[int, int] = (draft.line, draft.column)
        path = list(fault.path)
        for part in path:
            inner = _child(node, part)
            if inner is None:
                break
            place = node.marks[part] if isinstance(node, Table) and not fault.shows_value else inner  # type: ignore[index]
            node = inner
        dotted = ".".join(str(part) for part in (path if fault.shows_value else path[:-1]))
        colon = "" if fault.shows_value else ":"
        said = f"`{dotted}`{colon} {fault.message}" if dotted else fault.message
        if fault.shows_value:
            shown = f"a list of {len(node.items)}" if isinstance(node, Listing) else node.shown
            said += f", not {shown}{'' if node.secret else fault.hint}"
        scope.add(place, said)

    def _note_all(self, found: Iterable[tuple[str, str]], draft: Draft, scope: Scope) -> None:
        for key, message in found:
            scope.add(draft.table.marks.get(key, (draft.line, draft.column)), _public(message, draft.table))


def _child(node: Node, part: str | int) -> Node | None:
    if isinstance(node, Table) and isinstance(part, str):
        return node.items.get(part)
    if isinstance(node, Listing) and isinstance(part, int) and 0 <= part < len(node.items):
        return node.items[part]
    return None


def _public(message: str, node: Node) -> str:
    """Return a check's own message without values of the environment."""
    if isinstance(node, Scalar):
        return message.replace(node.text, node.public or "…") if node.secret and node.text else message
    items = (
        node.items.values() if isinstance(node, Table) else node.items if isinstance(node, Listing) else ()
    )
    for item in items:
        if item.secret:
            message = _public(message, item)
    return message
