"""What each column probably is, from its name and a few facts; every answer says what it rests on."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from pytest_readmit.errors import MIN_CELL, SuiteError, did_you_mean
from pytest_readmit.start.facts import FEW_LEVELS, Facts

ROLES = ("target", "score", "patient", "id", "time")
FEW_ROWS_A_LEVEL = 10
MANY_LEVELS = 50
MOST_CODES = 1000
MOST_GROUPS = 50
FEWEST_UNIQUE = 300
LIKE = {
    "": "free text or codes: too many different values to compare",
    "dates": "dates as text: written as 2024-12-31 they are read as dates",
    "commas": "numbers with commas, read as text: write decimal points, and no thousands separators",
    "numbers": "numbers with other text among them: if they are measured, say what stands for a missing "
    "value, --read null_values=TEXT",
}
"""What a text that is too varied to compare looks like, and what to do."""


def _set(text: str) -> frozenset[str]:
    return frozenset(text.split())


_TARGET = _set(
    "outcome label target readmitted readmission readmit mortality died dead deceased death expired expire "
    "churn churned relapse survived"
)
_WHOLE_TARGET = frozenset(("y", "class", "event", "outcome", "label", "target", "readmitted"))
_SCORE = _set("score risk prob proba probability pred prediction predicted")
_PERSON = _set(
    "subject patient person member mrn empi beneficiary participant individual customer client user"
)
_IDENTIFIER = _set("id ids nbr no number num key hash uuid guid identifier mrn empi")
_CODE = _set("id code cd type kind class group category cat status source disposition zip")
_SENSITIVE = _set("sex gender race ethnicity ethnic insurance age")
_BEGIN = ("admittime", "admit", "admission", "admitted", "index", "encounter", "visit", "start", "charttime")
_NOT_INDEX = _set("birth dob death dod deathtime end stop disch dischtime discharge")
_AFFIRMATIVE = frozenset(("1", "true", "yes", "y", "positive", "pos"))
UNITS = _set(
    "glucose creatinine bilirubin haemoglobin hemoglobin urea bun calcium magnesium phosphate potassium "
    "cholesterol triglycerides lactate albumin troponin platelets weight height"
)
"""Words in the name of a measurement that is recorded in more than one unit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """A column with a role; `why` is what the guess rests on, None where the user said so."""

    column: str
    why: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Positive:
    """The level that the model predicts."""

    label: str
    why: str | None = None


@dataclass(slots=True, kw_only=True)
class Guess:
    """
    What the columns are taken for.

    Args:
        roles: Role to column.
        positive: The positive label, where one is known or guessed.
        negatives: The other labels, where there are several.
        no_positive: Why none is, where the target has two values.
        near: Role that no column has to why the column named like it does not.
        sensitive: Columns whose groups must be served alike.
        numerical: Features compared as numbers.
        categorical: Features compared as categories.
        recoded: Those of `categorical` that hold numbers.
        ignore: Columns that are left out, and why.
        dates: Columns that hold times and have no role.
    """

    roles: dict[str, Role] = field(default_factory=dict)
    positive: Positive | None = None
    negatives: tuple[str, ...] = ()
    no_positive: str | None = None
    near: dict[str, str] = field(default_factory=dict)
    sensitive: tuple[str, ...] = ()
    sensitive_given: bool = False
    numerical: tuple[str, ...] = ()
    categorical: tuple[str, ...] = ()
    recoded: tuple[str, ...] = ()
    ignore: dict[str, str] = field(default_factory=dict)
    dates: tuple[str, ...] = ()

    @property
    def features(self) -> tuple[str, ...]:
        return (*self.numerical, *self.categorical)

    def column(self, role: str) -> str | None:
        found = self.roles.get(role)
        return None if found is None else found.column


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What the command line says, which is never guessed at."""

    roles: Mapping[str, str] = field(default_factory=dict)
    positive_label: str | None = None
    sensitive: Sequence[str] = ()

    def check(self, names: Iterable[str], shown: str) -> None:
        """
        Refuse what cannot be.

        Raises:
            SuiteError: A column that is not there, or one with two roles.
        """
        known = tuple(names)
        flags = [(f"--{role}", column) for role, column in self.roles.items()]
        problems = [
            f"{flag} {column}: {shown} has no such column{did_you_mean(column, known)}"
            for flag, column in [*flags, *(("--sensitive", column) for column in self.sensitive)]
            if column not in known
        ]
        taken: dict[str, str] = {}
        for flag, column in flags:
            if taken.setdefault(column, flag) != flag:
                problems.append(f"{taken[column]} and {flag} name one column, {column}")
        if problems:
            raise SuiteError(problems)


def words(name: str) -> tuple[str, ...]:
    """Return the words of a column's name, in lower case: subjectId and SUBJECT_ID are the same."""
    parted = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)
    return tuple(word for word in re.split(r"[\W_]+", parted.lower()) if word)


def is_age(name: str) -> bool:
    """Whether a column is named as an age in years."""
    return words(name) in (("age",), ("anchor", "age"), ("age", "years"), ("age", "at", "admission"))


def patient_candidates(names: Iterable[str]) -> Iterator[str]:
    """Yield the columns that are named like a person's identifier."""
    for name in names:
        parts = words(name)
        if parts and (parts[-1] in _IDENTIFIER or len(parts) == 1) and _PERSON & set(parts):
            yield name


def is_patient(facts: Facts) -> bool:
    """Whether a column that is named like a person's identifier can be one: it repeats, and has many."""
    return not facts.trouble and FEW_LEVELS < facts.distinct < facts.present


def guess(facts: Mapping[str, Facts], said: Said, *, patient: Role | None, absent: Iterable[str]) -> Guess:
    """
    Return what the columns probably are.

    Args:
        facts: What is known of the reference's columns.
        said: What the user said.
        patient: The patient's column, which had to be known before.
        absent: Columns of the reference that current lacks.
    """
    found = Guess(sensitive_given=bool(said.sensitive))
    missing = set(absent)
    # A suite cannot name a column that has no name: it is compared as what its type says.
    facts = {name: each for name, each in facts.items() if name.strip()}
    open_to = {name: each for name, each in facts.items() if name not in missing}
    for role in ROLES:
        column = said.roles.get(role)
        if role == "patient":
            if patient is not None:
                found.roles[role] = patient
        elif column is not None:
            found.roles[role] = Role(column=column)
    for role, candidate in (("target", _target), ("score", _score), ("id", _id), ("time", _time)):
        if role not in found.roles:
            taken = {each.column for each in found.roles.values()} | set(said.roles.values())
            guessed = candidate({name: each for name, each in open_to.items() if name not in taken})
            if guessed is not None:
                found.roles[role] = guessed
    _positive(found, facts, said)
    _features(found, facts, missing)
    _sensitive(found, facts, said)
    _near(found, facts)
    return found


def _near(found: Guess, facts: Mapping[str, Facts]) -> None:
    for role, named in (("target", _named_target), ("score", _named_score)):
        name = next((name for name in facts if named(name)), None)
        if role not in found.roles and name is not None and name not in map(found.column, ROLES):
            usual = "it has too many values" if role == "target" else "it is no number from 0 to 1"
            found.near[role] = f"not {name}: {found.ignore.get(name, usual).split(':')[0]}"


def _named_target(name: str) -> bool:
    parts = words(name)
    return parts[-1:] != ("id",) and bool(_TARGET & set(parts) or "_".join(parts) in _WHOLE_TARGET)


def _named_score(name: str) -> bool:
    return bool(_SCORE & set(words(name)))


def _target(facts: Mapping[str, Facts]) -> Role | None:
    likely = [
        each
        for each in facts.values()
        if each.kind in ("numerical", "categorical") and _named_target(each.name)
    ]
    two = [each for each in likely if each.distinct == 2]
    if two:
        best = min(two, key=lambda each: (each.name.lower() not in _WHOLE_TARGET, each.missing_share))
        return Role(column=best.name, why="its name and its two values")
    several = [
        each for each in likely if 2 < each.distinct <= FEW_LEVELS and each.name.lower() in _WHOLE_TARGET
    ]
    if several:
        return Role(column=several[0].name, why=f"its name; it has {several[0].distinct} values, not two")
    return None


def _score(facts: Mapping[str, Facts]) -> Role | None:
    for each in facts.values():
        fits = each.kind == "numerical" and each.unit_interval and each.distinct > 2 and not each.whole
        if fits and _named_score(each.name):
            return Role(column=each.name, why="its name and values from 0 to 1")
    return None


def _id(facts: Mapping[str, Facts]) -> Role | None:
    unique = [each for each in facts.values() if _names_rows(each) and each.distinct == each.rows > 1]
    unique.sort(key=lambda each: bool(_PERSON & set(words(each.name))))
    return Role(column=unique[0].name, why="its name; no value repeats") if unique else None


def _names_rows(facts: Facts) -> bool:
    is_key = facts.kind == "categorical" or (facts.kind == "numerical" and facts.whole)
    return is_key and bool(_IDENTIFIER & set(words(facts.name)[-1:]) or words(facts.name)[:1] == ("id",))


def _time(facts: Mapping[str, Facts]) -> Role | None:
    def rank(each: Facts) -> tuple[int, float]:
        parts = words(each.name)
        order = [place for place, word in enumerate(_BEGIN) if word in parts]
        return (min(order, default=len(_BEGIN)), each.missing_share)

    times = [
        each
        for each in facts.values()
        if each.kind == "time" and each.present and not _NOT_INDEX & set(words(each.name))
    ]
    return Role(column=min(times, key=rank).name, why="its type and name") if times else None


def _positive(found: Guess, facts: Mapping[str, Facts], said: Said) -> None:
    target = found.column("target")
    if target is None:
        if said.positive_label is not None:
            raise SuiteError(
                [f"--positive-label {said.positive_label}: name the outcome with --target COLUMN"]
            )
        return
    levels = dict(facts[target].levels)
    if said.positive_label is not None:
        _given_label(found, facts[target], said.positive_label)
    elif len(levels) != 2:
        several = facts[target].distinct > 2
        found.no_positive = "it has more than two values" if several else "it does not have two values"
    else:
        _guessed_label(found, levels)


def _guessed_label(found: Guess, levels: Mapping[str, int]) -> None:
    yes = [level for level in levels if level.casefold() in _AFFIRMATIVE]
    rarer = min(levels, key=lambda level: levels[level])
    label, why = (yes[0], "the value that says yes") if len(yes) == 1 else (rarer, "the rarer of two values")
    if levels[label] < MIN_CELL:
        found.no_positive = f"fewer than {MIN_CELL} rows hold the value that looks positive"
    else:
        found.positive = Positive(label=label, why=why)


def _given_label(found: Guess, target: Facts, label: str) -> None:
    """Take the user's word where the data hold it; name the other labels where there are several."""
    levels = dict(target.levels)
    spelled = next((level for level in levels if label.casefold() == level.casefold()), label)
    if levels and spelled not in levels:
        shown = ", ".join(level for level, rows in levels.items() if rows >= MIN_CELL)
        raise SuiteError([f"--positive-label {label}: no row of {target.name} holds it (it holds {shown})"])
    found.positive = Positive(label=spelled)
    others = [level for level in levels if level != spelled]
    if target.distinct > 2:
        if others and all(levels[level] >= MIN_CELL for level in others):
            found.negatives = tuple(others)
        else:
            said = f"{target.name} has {target.distinct:,} values, too many or too rare to be written down"
            raise SuiteError(
                [f"--positive-label {label}: {said}; write positive_label and negative_label into the suite"]
            )


def _features(found: Guess, facts: Mapping[str, Facts], absent: set[str]) -> None:
    taken = {role.column for role in found.roles.values()}
    numerical, categorical, recoded, dates = [], [], [], []
    for name, each in facts.items():
        if name in taken:
            continue
        why = "not in current" if name in absent else _why_ignored(each)
        if why is not None:
            found.ignore[name] = why
        elif each.kind == "time":
            dates.append(name)
        elif each.kind == "numerical" and not _is_code(each):
            numerical.append(name)
        else:
            categorical.append(name)
            if each.kind == "numerical":
                recoded.append(name)
    found.numerical, found.categorical = tuple(numerical), tuple(categorical)
    found.recoded, found.dates = tuple(recoded), tuple(dates)


def _why_ignored(facts: Facts) -> str | None:
    if facts.trouble:
        return facts.trouble
    if not facts.present:
        return "no value in any row"
    if facts.kind == "time":
        return None
    if facts.distinct == 1 and facts.present == facts.rows:
        return "one value in every row"
    many = facts.rows >= FEWEST_UNIQUE or words(facts.name)[:1] == ("unnamed",)
    if facts.whole and facts.distinct == facts.rows and many:
        return "row numbers or an identifier: no value repeats"
    few_a_level = facts.distinct > MANY_LEVELS and facts.present < FEW_ROWS_A_LEVEL * facts.distinct
    if facts.kind == "categorical" and (few_a_level or facts.distinct > max(FEW_LEVELS, facts.present / 2)):
        return LIKE[facts.like]
    if (
        facts.kind == "numerical"
        and facts.whole
        and words(facts.name)[-1:]
        and (words(facts.name)[-1] in _IDENTIFIER and (few_a_level or facts.distinct > MOST_CODES))
    ):
        return "an identifier by its name and values"
    return None


def _is_code(facts: Facts) -> bool:
    """Whether numbers name kinds: two values, or few whole ones under a name such as admission_type_id."""
    if facts.distinct <= 2:
        return facts.whole
    last = words(facts.name)[-1:]
    return facts.whole and facts.distinct <= MOST_CODES and bool(_CODE & set(last))


def _sensitive(found: Guess, facts: Mapping[str, Facts], said: Said) -> None:
    if said.sensitive:
        found.sensitive = tuple(said.sensitive)
        for name in said.sensitive:
            if name in found.ignore and not facts[name].trouble:
                del found.ignore[name]
                found.categorical = (*found.categorical, name)
        return
    found.sensitive = tuple(
        name
        for name in found.features
        if _SENSITIVE & set(words(name))
        and (is_age(name) if name in found.numerical else facts[name].distinct <= MOST_GROUPS)
    )
