"""The split of a performance change: terms that add up, weights, and standard errors with the fit inside."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit

from pytest_readmit.stats import disde
from pytest_readmit.stats.effect import Undefined
from pytest_readmit.stats.inputs import Inputs, numbers
from pytest_readmit.stats.predictions import Predictions

METRICS = ("roc_auc", "log_loss")
shares = st.floats(0.01, 0.99)


@given(
    before=st.lists(st.tuples(st.floats(0, 5), shares), min_size=1, max_size=30),
    after=st.lists(st.tuples(st.floats(0, 5), shares), min_size=1, max_size=30),
)
@settings(max_examples=100, deadline=None)
def test_the_three_terms_add_up(before: list[tuple[float, float]], after: list[tuple[float, float]]) -> None:
    terms = disde.split_mean(*np.array(before).T, *np.array(after).T)
    assert terms.to_shared + terms.relation + terms.from_shared == pytest.approx(terms.total)
    assert 0 < terms.ess_reference <= len(before) + 1e-9
    assert 0 < terms.ess_current <= len(after) + 1e-9


def test_a_classifier_that_cannot_tell_leaves_everything_to_the_relation() -> None:
    loss = np.arange(10.0)
    terms = disde.split_mean(loss, np.full(10, 1 / 3), loss[:5] + 1, np.full(5, 1 / 3))
    assert (terms.to_shared, terms.from_shared) == (pytest.approx(0), pytest.approx(0))
    assert terms.relation == pytest.approx(terms.total)
    assert (terms.ess_reference, terms.ess_current) == (pytest.approx(10), pytest.approx(5))


def test_shared_weights_do_not_depend_on_how_many_rows_each_side_has() -> None:
    ratio = np.array([0.2, 1.0, 4.0])
    for prior in (0.1, 0.5, 0.8):
        share = ratio * prior / (ratio * prior + 1 - prior)
        assert disde.shared_weights(share, prior, current=False) == pytest.approx(ratio / (1 + ratio))
        assert disde.shared_weights(share, prior, current=True) == pytest.approx(1 / (1 + ratio))


def test_nothing_in_common_and_no_rows_are_undefined() -> None:
    with pytest.raises(Undefined, match="share no inputs"):
        disde.split_mean([1.0], [0.0], [1.0], [1.0])
    with pytest.raises(Undefined, match="rows on both sides"):
        disde.split_mean([], [], [1.0], [0.5])


Sides = tuple[Predictions, Predictions, Inputs]


def drawn(
    n: int, *, shift: float, slope: float = 1.0, up: float = 0.0, seed: int = 0, each: int = 1
) -> Sides:
    """Two datasets whose score is right for the reference; `each` copies of every row make a patient."""
    random = np.random.default_rng(seed)
    sides, values = [], []
    for moved in (False, True):
        x = random.normal(size=(n, 3)) + (np.array([shift, -shift, 0.0]) if moved else 0.0)
        odds = x @ np.array([0.8, -0.5, 0.4])
        truth = expit(-2.0 + (slope * odds + up if moved else odds))
        positive = random.random(n) < truth
        owners = np.repeat(np.arange(n), each) if each > 1 else None
        sides.append(Predictions(np.repeat(positive, each), np.repeat(expit(-2.0 + odds), each), owners))
        values.append(np.repeat(x, each, axis=0))
    people = np.repeat(np.arange(2 * n), each) if each > 1 else None
    columns = tuple(numbers(f"x{j}", values[0][:, j], values[1][:, j]) for j in range(3))
    return sides[0], sides[1], Inputs(columns, n * each, n * each, people)


def split(sides: Sides, metric: str) -> disde.Split:
    before, after, inputs = sides
    return disde.split(before, after, disde.overlap(inputs), metric)  # type: ignore[arg-type]


@pytest.mark.parametrize("metric", METRICS)
def test_inputs_that_move_leave_the_relation_alone(metric: str) -> None:
    found = split(drawn(6000, shift=0.7), metric)
    assert abs(found.relation.estimate) < 3 * found.relation.standard_error
    assert found.relation.standard_error < 0.02
    assert found.inputs.estimate + found.relation.estimate == pytest.approx(found.total.estimate)
    assert found.current - found.reference == pytest.approx(found.total.estimate)


def test_log_loss_that_rose_with_the_inputs_is_laid_on_the_inputs() -> None:
    found = split(drawn(6000, shift=0.7), "log_loss")
    assert found.total.estimate > 0.05
    assert found.inputs.estimate - 3 * found.inputs.standard_error > 0.04


def test_a_flatter_relation_is_seen_by_the_area_and_a_higher_level_by_the_loss() -> None:
    flatter, higher = drawn(6000, shift=0.4, slope=0.3), drawn(6000, shift=0.4, up=0.8)
    area, loss = (disde.harm(split(flatter, metric).relation, metric) for metric in METRICS)  # type: ignore[arg-type]
    assert area.estimate - 3 * area.standard_error > 0.05
    assert loss.estimate < 0.03
    area, loss = (disde.harm(split(higher, metric).relation, metric) for metric in METRICS)  # type: ignore[arg-type]
    assert abs(area.estimate) < 0.04
    assert loss.estimate - 3 * loss.standard_error > 0.05


@pytest.mark.slow
@pytest.mark.parametrize("metric", METRICS)
def test_the_standard_error_is_that_of_a_bootstrap_that_fits_the_classifiers_anew(metric: str) -> None:
    before, after, inputs = drawn(400, shift=0.5)
    found = split((before, after, inputs), metric)
    random = np.random.default_rng(5)
    seen = []
    for _ in range(80):
        # A row drawn twice is one patient, so that no classifier meets in training what it is asked later.
        rows = [random.integers(0, 400, 400) + start for start in (0, 400)]
        columns = tuple(numbers(c.name, c.values[rows[0]], c.values[rows[1]]) for c in inputs.columns)  # type: ignore[union-attr]
        again = Inputs(columns, 400, 400, np.concatenate(rows))
        seen.append(split((before.take(rows[0]), after.take(rows[1] - 400), again), metric).relation.estimate)
    assert found.relation.standard_error == pytest.approx(np.std(seen), rel=0.25)


@pytest.mark.parametrize("metric", METRICS)
def test_copies_of_rows_make_nothing_more_certain(metric: str) -> None:
    once, thrice = split(drawn(1500, shift=0.4), metric), split(drawn(1500, shift=0.4, each=3), metric)
    assert thrice.total.standard_error == pytest.approx(once.total.standard_error, rel=1e-6)
    assert thrice.relation.standard_error == pytest.approx(once.relation.standard_error, rel=0.05)


def test_patients_on_both_sides_make_a_total_that_their_differences_make() -> None:
    before, _, inputs = drawn(800, shift=0.0)
    both = Inputs(
        tuple(numbers(c.name, c.values[:800], c.values[:800]) for c in inputs.columns),  # type: ignore[union-attr]
        800,
        800,
        np.tile(np.arange(800), 2),
    )
    found = split((before, before, both), "log_loss")
    assert found.total.standard_error == pytest.approx(0.0, abs=1e-12)
    assert found.relation.estimate == pytest.approx(0.0, abs=0.005)


def test_one_class_is_undefined() -> None:
    before, after, inputs = drawn(100, shift=0.0)
    none = Predictions(np.zeros(100, dtype=bool), after.score)
    with pytest.raises(Undefined, match="events and non-events"):
        split((before, none, inputs), "roc_auc")
