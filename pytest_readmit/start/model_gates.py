"""The entries on outcome and score: their drift, performance, calibration and fairness."""

from collections.abc import Iterator, Sequence

from pytest_readmit.start import figures, power
from pytest_readmit.start.fitted import Fitted
from pytest_readmit.start.guess import is_age, words
from pytest_readmit.start.yaml_text import comment, listed, noted, scalar, some

TARGET = 0.02
LEVELS = 0.10
PREDICTION = 0.05
DROP = 0.05
CONCEPT_CASES = 4
ODDS = 0.10
MOST_MISSING = 0.05
WITHIN = "{min: 0.8, max: 1.25}"
RATIO = f"observed_expected: {WITHIN}"
AGES = "[18, 45, 65, 80]"


def _target_drift(fitted: Fitted) -> Iterator[str]:
    target = fitted.guess.column("target")
    if target is None:
        return
    facts = fitted.facts[target]
    if facts.missing_share > MOST_MISSING:
        yield from _too_many_missing("outcome", facts.missing_share)
        return
    if fitted.no_outcome is not None:
        yield from comment(f"No gate on the outcome: {fitted.no_outcome}", indent=2)
        return
    if fitted.guess.positive is None:
        if facts.distinct > 2:
            reaches = power.drift([facts], fitted.rows, LEVELS)
            yield from comment(f"Has the outcome's distribution moved? {figures.figures(reaches)}", indent=2)
            yield from figures.undecided(reaches, fitted)
            yield figures.entry("target_drift", [f"max: {LEVELS:g}"], reaches)
        return
    share_of = fitted.positive_share
    effective = (facts.effective, facts.effective * fitted.rows / facts.rows)
    reaches = [power.share(target, share_of, effective, TARGET)]
    yield from comment(f"Has the share of positives changed? {figures.figures(reaches)}", indent=2)
    yield from figures.undecided(reaches, fitted)
    yield figures.entry("target_drift", [f"max: {TARGET:g}"], reaches)


def _maturity(fitted: Fitted) -> Iterator[str]:
    guess = fitted.guess
    times = [name for name in (guess.column("time"), *guess.dates) if name is not None]
    if guess.column("target") is None or not times:
        return
    left = next((name for name in times if any(word.startswith("disch") for word in words(name))), times[0])
    yield from comment(
        "Outcomes that come later than the data end are no negatives. To see whether some may:", indent=2
    )
    yield f"  # - label_maturity: {{index_time: {scalar(left)}, horizon: 30d}}"


def _prediction_drift(fitted: Fitted) -> Iterator[str]:
    score = fitted.guess.column("score")
    if score is None:
        return
    if fitted.facts[score].missing_share > MOST_MISSING:
        yield from _too_many_missing("score", fitted.facts[score].missing_share)
        return
    reaches = power.drift([fitted.facts[score]], fitted.rows, PREDICTION)
    yield from comment(f"Has the score's distribution moved? {figures.figures(reaches)}", indent=2)
    yield from figures.undecided(reaches, fitted)
    yield figures.entry("prediction_drift", [f"max: {PREDICTION:g}"], reaches)


def _too_many_missing(what: str, share: float) -> Iterator[str]:
    yield from comment(
        f"No gate on the {what}: in the reference {share:.0%} are missing, and at most {MOST_MISSING:.0%} "
        "may be (max_missing_label).",
        indent=2,
    )


def _model(fitted: Fitted) -> Iterator[str]:
    guess = fitted.guess
    if fitted.no_model is not None:
        yield from comment(f"The gates on the model are left out: {fitted.no_model}", indent=2)
    elif fitted.area_error is not None:
        yield from _performance(fitted, fitted.area_error)
    elif guess.column("target") is not None:
        yield from comment(
            "Gates on the model (performance, calibration, fairness) need a score from 0 to 1 and a "
            "positive label: run readmit init in a new folder with --score COLUMN --positive-label VALUE.",
            indent=2,
        )


def _performance(fitted: Fitted, error: float) -> Iterator[str]:
    sizes = (fitted.data["reference"].rows, fitted.rows)
    reaches = [power.drop("roc_auc", error, sizes, DROP, CONCEPT_CASES)]
    positives = figures.rounded(fitted.positive_share * fitted.rows)
    yield from comment(
        f"The model; about {positives} positives are to be expected in current. Performance only reports: "
        "write the floors that your use needs, such as roc_auc: {min: 0.7}.",
        indent=2,
    )
    yield "  - performance: {metrics: {roc_auc: {}, average_precision: {}, brier: {}}}"
    yield ""
    yield from comment(
        f"Has it become worse since the reference: AUC by more than {DROP:g}, likewise average precision, or "
        f"calibration? {figures.figures(reaches)}",
        indent=2,
    )
    yield from figures.undecided(reaches, fitted)
    if fitted.logits:
        yield figures.entry("concept_drift", (), reaches)
    else:
        drops = ", ".join(f"{name}: {{max_drop: {DROP:g}}}" for name in ("roc_auc", "average_precision"))
        yield figures.entry("concept_drift", [f"metrics: {{{drops}, {RATIO}}}"], reaches)
    yield ""
    without = "" if fitted.logits else " Without slope: some scores are exactly 0 or 1 and have no logit."
    yield from comment(f"Do the risks mean what they say?{without}", indent=2)
    yield "  - calibration:"
    yield f"      measures: {{{f'slope: {WITHIN}, ' if fitted.logits else ''}{RATIO}}}"


def _fairness(fitted: Fitted) -> Iterator[str]:
    guess = fitted.guess
    if fitted.area_error is None or not guess.sensitive:
        return
    ages = [name for name in guess.sensitive if name in guess.numerical and is_age(name)]
    levels = [name for name in guess.sensitive if name not in guess.numerical]
    yield from _about_groups(fitted, levels)
    if levels:
        yield from _odds(fitted, levels)
    if levels and ages:
        yield ""
    if ages:
        yield from _odds(fitted, ages, ages=True)
    other = [name for name in guess.sensitive if name not in (*ages, *levels)]
    if other:
        yield from comment(
            f"{some(other)}: numbers; state the edges of their groups, `bins: {{...}}`.", indent=2
        )


def _about_groups(fitted: Fitted, names: Sequence[str]) -> Iterator[str]:
    need = power.positives_needed(ODDS)
    positives = fitted.positive_share * fitted.rows
    shares = {name: fitted.facts[name].shares for name in names}
    short = [name for name, each in shares.items() if each is not None and each.min() * positives < need]
    said = (
        f"Do error rates agree between groups? {ODDS:g} takes about {need} positives in the smallest group."
    )
    if short:
        said += f" Groups of {some(short)} hold fewer: they cannot pass until there are more."
    yield from comment(said, indent=2)


def _odds(fitted: Fitted, names: Sequence[str], *, ages: bool = False) -> Iterator[str]:
    yield "  - fairness:"
    if ages:
        yield "      id: fairness-by-age"
    yield from listed("columns", names, indent=6)
    if ages:
        inner = ", ".join(f"{scalar(name)}: {AGES}" for name in names)
        yield f"      bins: {{{inner}}}"
    given = fitted.threshold
    threshold = given if given is not None else round(min(max(fitted.positive_share, 0.01), 0.99), 2)
    note = None if given is not None else "guessed: the share of positives; state your own"
    yield noted(f"      threshold: {threshold:g}", note)
    yield f"      measures: {{equalised_odds: {{max: {ODDS}}}}}"
    yield "      inconclusive: warn"
    if given is None:
        yield "      severity: warn  # until the threshold is yours"


ENTRIES = (_target_drift, _maturity, _prediction_drift, _model, _fairness)
