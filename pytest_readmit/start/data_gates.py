"""The entries on the data: columns, keys, drift, missing values, outliers, units and ranges."""

from collections.abc import Iterator, Sequence

from pytest_readmit.start import figures, power
from pytest_readmit.start.facts import Facts
from pytest_readmit.start.fitted import Fitted
from pytest_readmit.start.guess import UNITS, is_age, words
from pytest_readmit.start.yaml_text import comment, listed, scalar

DRIFT = 0.10
MISSING = 0.05
NEVER_MISSING = 0.01
RARE = 0.002
MANY_VALUES = 10


def _schema(_: Fitted) -> Iterator[str]:
    yield from comment("Are the columns and their kinds those of the reference?", indent=2)
    yield "  - schema"


def _unique(fitted: Fitted) -> Iterator[str]:
    identifier = fitted.guess.column("id")
    if identifier is not None:
        yield f"  - unique: {{columns: [{scalar(identifier)}]}}"


def _data_drift(fitted: Fitted) -> Iterator[str]:
    features = fitted.chosen(fitted.guess.features)
    if not features:
        return
    reaches = power.drift(features, fitted.rows, DRIFT)
    yield from comment(
        f"Has a feature moved? {DRIFT:g}: a tenth of the rows elsewhere on the scale or in other categories. "
        f"{figures.figures(reaches)}",
        indent=2,
    )
    yield from figures.undecided(reaches, fitted)
    yield figures.entry("data_drift", [f"max: {DRIFT:g}"], reaches)


def _missing_drift(fitted: Fitted) -> Iterator[str]:
    features = fitted.chosen(fitted.guess.features)
    if not features:
        return
    reaches = [_missing(each, fitted.rows, len(features)) for each in features]
    usual = [reach for reach in reaches if reach.limit == MISSING]
    yield from comment(
        f"Are values missing more or less often: by {MISSING:g} of the rows, or by {NEVER_MISSING:g} where "
        f"the reference lacks none? {figures.figures(usual or reaches)}",
        indent=2,
    )
    yield from figures.undecided(reaches, fitted)
    yield figures.entry("missing_drift", (), reaches)


def _missing(each: Facts, rows: int, tests: int) -> power.Reach:
    effective = (each.rows / each.design_effect, rows / each.design_effect)
    if each.present == each.rows:
        return power.rare(each.name, effective[1], NEVER_MISSING, tests)
    return power.share(each.name, each.missing_share, effective, MISSING, tests)


def _rare(fitted: Fitted, names: Sequence[str]) -> list[power.Reach]:
    chosen = fitted.chosen(names)
    sizes = {each.name: each.effective * fitted.rows / each.rows for each in chosen}
    return [power.rare(name, rows, RARE, len(chosen)) for name, rows in sizes.items()]


def _unseen(fitted: Fitted) -> Iterator[str]:
    if fitted.guess.categorical:
        reaches = _rare(fitted, fitted.guess.categorical)
        yield from comment(
            f"Do more than {RARE:g} of the rows hold categories that the reference lacks? "
            f"{figures.figures(reaches)}",
            indent=2,
        )
        yield from figures.undecided(reaches, fitted)
        yield figures.entry("unseen_categories", (), reaches)


def _extremes(fitted: Fitted) -> Iterator[str]:
    wide = [each.name for each in fitted.chosen(fitted.guess.numerical) if each.distinct > MANY_VALUES]
    if wide:
        reaches = _rare(fitted, wide)
        yield from comment(
            "Are there more gross outliers, ten interquartile ranges from the median, by more than "
            f"{RARE:g} of the rows? {figures.figures(reaches)}",
            indent=2,
        )
        yield from figures.undecided(reaches, fitted)
        yield "  - extreme_values:"
        yield from listed("columns", wide, indent=6)
    measured = [name for name in wide if UNITS & set(words(name))]
    if measured:
        yield ""
        yield from comment("guessed from the names: these are measured in more than one unit.", indent=2)
        yield "  - unit_change:"
        yield from listed("columns", measured, indent=6)


def _ages(fitted: Fitted) -> list[str]:
    return [name for name in fitted.guess.numerical if is_age(name)]


def _ranges(fitted: Fitted) -> Iterator[str]:
    ages = _ages(fitted)
    if ages:
        yield from comment("Ranges are yours to state; they are never taken from the data.", indent=2)
        inner = ", ".join(f"{scalar(name)}: [0, 120]" for name in ages)
        yield f"  - out_of_range: {{ranges: {{{inner}}}}}"


ENTRIES = (_schema, _unique, _data_drift, _missing_drift, _unseen, _extremes, _ranges)
