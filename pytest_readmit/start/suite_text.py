"""The text of the suite: its head, its data and its columns, with a mark on what was guessed."""

from collections.abc import Iterator, Mapping

from pytest_readmit.start import data_gates, model_gates
from pytest_readmit.start.figures import exactly
from pytest_readmit.start.fitted import SUITE, Data, Fitted
from pytest_readmit.start.guess import Role
from pytest_readmit.start.yaml_text import comment, label, listed, noted, scalar, some

VARIABLES = {"reference": "READMIT_REFERENCE", "current": "READMIT_CURRENT"}


def write_suite(fitted: Fitted) -> str:
    """Return the suite."""
    lines = [*_head(fitted), "", *_data(fitted), "", *_columns(fitted), "", "checks:"]
    for written in (*data_gates.ENTRIES, *model_gates.ENTRIES):
        entry = list(written(fitted))
        lines += [*entry, ""] if entry else []
    return "\n".join(lines).rstrip() + "\n"


def _head(fitted: Fitted) -> Iterator[str]:
    before, after = (exactly(fitted.data[name].rows) for name in ("reference", "current"))
    yield from comment(
        f"Written by `readmit init` for {before} rows of reference and {after} of current. To run it from "
        "the folder above this one:"
    )
    yield f"#   pytest --readmit-suite={SUITE} --readmit-report=report.html"
    yield from comment(
        "What says `guessed` was guessed from names and values of the reference: check it. Limits are "
        "defaults: change what your use needs, and give each entry its reason, `because: ...`, which the "
        "report shows. `Catches` is a change that would fail in 8 of 10 windows of this size, `false alarm` "
        "how often a gate of the entry fails with nothing wrong; `readmit calibrate` measures both."
    )
    yield f"suite: {scalar(fitted.name)}"
    yield "# owner: who answers for these limits, such as clinical-ml@hospital.example"


def _data(fitted: Fitted) -> Iterator[str]:
    if any(each.kind == "path" for each in fitted.data.values()):
        yield from comment(
            "Paths start at this file's folder. The environment's READMIT_REFERENCE and READMIT_CURRENT, or "
            "--readmit-data current=FILE, put other files in their place."
        )
    yield "data:"
    for name, each in fitted.data.items():
        yield f"  {name}: {_source(name, each)}"


def _source(name: str, data: Data) -> str:
    if data.kind != "path":
        return f"{{{data.kind}: {scalar(data.value)}}}"
    path = quoted = scalar(data.value)
    if not any(sign in data.value for sign in "${}"):  # these signs would end the variable
        inner = quoted[1:-1] if quoted.startswith('"') else quoted
        path = f'"${{{VARIABLES[name]}:-{inner}}}"'
    if not data.read:
        return path
    read = ", ".join(f"{key}: {_read(value)}" for key, value in data.read.items())
    return f"{{path: {path}, read: {{{read}}}}}"


def _read(value: str | list[str]) -> str:
    return scalar(value) if isinstance(value, str) else f"[{', '.join(map(scalar, value))}]"


def _columns(fitted: Fitted) -> Iterator[str]:
    lines = list(_roles(fitted))
    said = any(not line.lstrip().startswith("#") for line in lines)
    yield "columns:" if said else "# columns:"
    yield from lines


def _roles(fitted: Fitted) -> Iterator[str]:
    guess = fitted.guess
    yield from _target(fitted)
    for role in ("score", "patient", "id", "time"):
        found = guess.roles.get(role)
        if found is not None:
            yield _role(role, found)
    if guess.sensitive:
        (*above, last) = listed("sensitive", guess.sensitive, indent=2)
        yield from above
        yield noted(last, None if guess.sensitive_given else "guessed from the names, check this")
    if guess.numerical:
        yield from listed("numerical", guess.numerical, indent=2)
    if guess.recoded:
        yield from comment(
            f"guessed: {some(guess.recoded)} {'hold' if len(guess.recoded) > 1 else 'holds'} numbers that "
            "name kinds, so they are compared as categories.",
            indent=2,
        )
    if guess.categorical:
        yield from listed("categorical", guess.categorical, indent=2)
    yield from _ignored(guess.ignore)
    if guess.dates:
        yield from comment(f"Dates are not compared: {some(guess.dates, 10)}.", indent=2)


def _target(fitted: Fitted) -> Iterator[str]:
    guess = fitted.guess
    target = guess.roles.get("target")
    if target is None:
        yield from comment(
            "target: no outcome was found; name it, and the value that is positive, for the gates on the "
            "outcome: --target COLUMN --positive-label VALUE",
            indent=2,
        )
        return
    yield _role("target", target)
    if guess.positive is not None:
        why = guess.positive.why
        note = None if why is None else f"GUESSED: {why}. Is this the event that you predict?"
        yield noted(f"  positive_label: {label(guess.positive.label)}", note)
        if guess.negatives:
            inner = ", ".join(label(each) for each in guess.negatives)
            yield noted(f"  negative_label: [{inner}]", "guessed: all other values")
    elif guess.no_positive is not None:
        yield from comment(
            f"positive_label: not guessed, since {guess.no_positive}; state it for the gates on outcome and "
            "model: --positive-label VALUE",
            indent=2,
        )


def _role(role: str, found: Role) -> str:
    note = None if found.why is None else f"guessed from {found.why}, check this"
    return noted(f"  {role}: {scalar(found.column)}", note)


def _ignored(ignore: Mapping[str, str]) -> Iterator[str]:
    if not ignore:
        return
    yield "  ignore:"
    for reason in dict.fromkeys(ignore.values()):
        yield f"    # {reason}"
        yield from (f"    - {scalar(name)}" for name, why in ignore.items() if why == reason)
