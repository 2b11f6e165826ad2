"""Inputs of two datasets, folds by patient, and how well classifiers tell the datasets apart."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from pytest_readmit.stats import domain, inputs
from pytest_readmit.stats.effect import Undefined
from pytest_readmit.stats.inputs import Basis, Inputs, Levels, Numbers, levels, numbers
from pytest_readmit.stats.measure import level
from pytest_readmit.stats.rare import Values

pytestmark = pytest.mark.slow


def normals(n: int, m: int, shift: float = 0.0, *, columns: int = 4, seed: int = 0) -> Inputs:
    random = np.random.default_rng(seed)
    before, after = random.normal(size=(n, columns)), random.normal(size=(m, columns))
    after[:, 0] += shift
    made = tuple(numbers(f"x{j}", before[:, j], after[:, j]) for j in range(columns))
    return Inputs(made, n, m)


def test_levels_are_those_of_both_sides_and_missing_stays_missing() -> None:
    found = levels("ward", [0] * 30 + [1] * 30 + [-1], ["a", "b"], [1] * 30 + [0] * 30, ["b", "c"])
    assert (found.count, found.pooled) == (3, 0)
    a, b, c = found.codes[0], found.codes[30], found.codes[61]
    assert sorted([a, b, c]) == [0, 1, 2]
    assert (found.codes[60], found.codes[-1]) == (-1, b)


def test_rare_levels_are_one_level_and_counted() -> None:
    codes = [0] * 100 + [1] * 5 + [2] * 5
    found = levels("ward", codes, ["a", "b", "c"], [0] * 100, ["d"])
    assert (found.count, found.pooled) == (3, 2)
    assert found.codes[100] == found.codes[109] == 2
    assert found.rare is not None
    assert len(set(found.rare[100:110])) == 2
    assert set(found.rare[:100]) == set(found.rare[110:]) == {-1}


def test_an_infinite_value_is_refused_not_dropped() -> None:
    with pytest.raises(Undefined, match="age holds infinite"):
        numbers("age", [1.0, np.inf], [1.0])


def test_no_inputs_and_too_few_rows_are_refused() -> None:
    with pytest.raises(Undefined, match="no inputs"):
        Inputs((), 10, 10)
    with pytest.raises(Undefined, match="two rows"):
        Inputs((numbers("x", [1.0], [1.0, 2.0]),), 1, 2)


@given(
    owners=st.lists(st.integers(0, 30), min_size=12, max_size=80),
    cut=st.floats(0.2, 0.8),
)
@settings(max_examples=60, deadline=None)
def test_patients_stay_on_one_side_and_every_fold_has_both_datasets(owners: list[int], cut: float) -> None:
    n = int(len(owners) * cut)
    people = np.array(owners)
    if min(len(set(owners[:n])), len(set(owners[n:]))) < 2:
        return
    made = Inputs((numbers("x", people[:n], people[n:]),), n, len(owners) - n, people)
    for person in people:
        assert len(set(made.fold[people == person])) == 1
    for fold in range(made.folds):
        assert set(made.current[made.fold == fold]) == {True, False}
        assert not set(people[made.training(fold)]) & set(people[made.fold == fold])


def test_training_rows_are_capped_and_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inputs, "MOST_TRAINING", 300)
    made = normals(500, 500, 1.0)
    assert made.trained_on == 300
    assert len(made.training(0)) == 300
    assert not set(made.training(0)) & set(np.flatnonzero(made.fold == 0))
    found = domain.classify(made)
    assert found.auc.details["trained_on_rows"] == 300
    assert found.auc.estimate > 0.7


def test_the_basis_is_standardised_and_survives_constant_missing_and_huge_values() -> None:
    random = np.random.default_rng(0)
    huge = random.uniform(-1.7, 1.7, size=200) * 1e308
    huge[0] = np.nan
    columns = (
        Numbers("constant", np.ones(200)),
        Numbers("empty", np.full(200, np.nan)),
        Numbers("huge", huge),
        Levels("one", np.zeros(200, dtype=np.int64), 1),
    )
    made = Inputs(columns, 100, 100)
    seen = Basis(made).in_fold(0).rows(np.arange(200))
    assert np.isfinite(seen).all()
    assert seen[:, 1:].mean(axis=0) == pytest.approx(0.0, abs=1e-9)
    assert seen[:, 1:].std(axis=0) == pytest.approx(1.0)
    assert 0 <= domain.classify(made).auc.estimate <= 1


@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_the_weighted_auc_is_that_of_repeated_rows_and_its_slope_is_its_derivative(
    data: st.DataObject,
) -> None:
    n = data.draw(st.integers(4, 25))
    positive = np.array(data.draw(st.lists(st.booleans(), min_size=n, max_size=n)))
    positive[:2] = [True, False]
    score = np.array(data.draw(st.lists(st.integers(0, 6), min_size=n, max_size=n)), dtype=float)
    weight = np.array(data.draw(st.lists(st.integers(1, 4), min_size=n, max_size=n)), dtype=float)
    repeated = np.repeat(np.arange(n), weight.astype(int))
    value, slope = domain.auc(positive, score, weight)
    assert value == pytest.approx(roc_auc_score(positive[repeated], score[repeated]))
    step = 1e-5
    for row in range(n):
        more, less = weight.copy(), weight.copy()
        more[row] += step
        less[row] -= step
        found = (domain.auc(positive, score, more)[0] - domain.auc(positive, score, less)[0]) / (2 * step)
        assert slope[row] == pytest.approx(found, abs=1e-7)


def test_the_same_law_cannot_be_told_apart_and_a_moved_one_can() -> None:
    same, moved = domain.classify(normals(1500, 1500)), domain.classify(normals(1500, 1500, 1.0))
    assert level(same.auc).bounds(0.05)[1] < 0.6
    assert same.telling == ()
    assert level(moved.auc).bounds(0.05)[0] > 0.7
    assert moved.telling == ("x0",)


def test_what_no_single_input_shows_is_found_in_how_they_go_together() -> None:
    random = np.random.default_rng(1)
    before, after = (
        random.multivariate_normal([0, 0], [[1, rho], [rho, 1]], size=2000) for rho in (0.6, -0.6)
    )
    made = Inputs(tuple(numbers(f"x{j}", before[:, j], after[:, j]) for j in (0, 1)), 2000, 2000)
    assert level(domain.classify(made).auc).bounds(0.05)[0] > 0.65
    assert domain.auc_by_fold(domain.additive(made).log_odds, made).estimate < 0.55


def test_missing_values_and_levels_tell_datasets_apart() -> None:
    random = np.random.default_rng(2)
    value = random.normal(size=2000)
    missing = np.where(random.random(1000) < 0.5, np.nan, value[1000:])
    column = numbers("lactate", value[:1000], missing)
    assert domain.classify(Inputs((column,), 1000, 1000)).auc.estimate > 0.7
    before, after = random.choice(2, 1000, p=[0.5, 0.5]), random.choice(2, 1000, p=[0.9, 0.1])
    made = Inputs((levels("ward", before, ["a", "b"], after, ["a", "b"]),), 1000, 1000)
    assert domain.classify(made).auc.estimate > 0.65


def rare(
    before: np.ndarray, after: np.ndarray, names: str = "aa", owners: np.ndarray | None = None
) -> Inputs:
    """One column of many levels, named by a letter and their number."""
    texts = [
        [f"{letter}{i}" for i in range(int(side.max()) + 1)]
        for letter, side in zip(names, (before, after), strict=True)
    ]
    return Inputs((levels("t", before, texts[0], after, texts[1]),), len(before), len(after), owners)


def test_a_row_and_its_patient_say_nothing_of_themselves() -> None:
    values = Values(np.array([0, 0, 0, 1, 1, 2, -1]), np.array([0, 0, 1, 2, 2, 3, 4]))
    everyone = np.ones(7, dtype=bool)
    assert values.elsewhere(everyone).tolist() == [1, 1, 2, 0, 0, 0, 0]
    assert values.elsewhere(np.arange(7) < 2).tolist() == [0, 0, 2, 0, 0, 0, 0]
    assert Values(values.codes).elsewhere(everyone).tolist() == [2, 2, 2, 1, 1, 0, 0]


def test_rare_levels_tell_as_far_as_they_repeat() -> None:
    number = np.arange(2000)
    replaced = domain.classify(rare(number // 10, number // 10, "ab"))
    assert replaced.auc.estimate > 0.95
    assert replaced.telling == ("t",)
    ids = rare(number, number, "ab")
    assert domain.classify(ids).auc.estimate == 0.5
    assert ids.hardly_repeated == ("t",)
    own = rare(number // 10, number // 10, "ab", np.arange(4000) // 10)
    assert domain.classify(own).auc.estimate == 0.5
    assert own.hardly_repeated == ("t",)


@pytest.mark.parametrize("each", [1, 2, 5])
def test_the_same_rows_on_both_sides_are_not_told_by_whose_copy_they_lack(each: int) -> None:
    number = np.arange(2000) // each
    assert domain.classify(rare(number, number)).auc.estimate < 0.53


def test_many_frequent_levels_that_move_are_found() -> None:
    random = np.random.default_rng(4)
    weights = np.where(np.arange(100) % 2 == 0, 0.8, 0.2) / 50
    before, after = random.choice(100, 5000, p=weights), random.choice(100, 5000, p=weights[::-1])
    assert domain.classify(rare(before, after)).auc.estimate > 0.75


@pytest.mark.slow
@pytest.mark.parametrize("of", [2000, 600, 300])
def test_rare_levels_that_do_not_move_tell_nothing(of: int) -> None:
    """40 runs of 3,000 rows a side: unlike other levels, rare ones are judged by what was learnt of each."""
    found = []
    for seed in range(40):
        drawn = np.random.default_rng(seed).permutation(np.arange(6000) % of)
        found.append(domain.classify(rare(drawn[:3000], drawn[3000:])).auc)
    assert np.mean([each.estimate for each in found]) == pytest.approx(0.5, abs=0.01)
    beyond = np.mean([level(each).bounds(0.05)[0] > 0.5 for each in found])
    assert beyond <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 40)


def test_the_result_depends_on_the_data_alone() -> None:
    one, two = domain.classify(normals(400, 300, 0.4)), domain.classify(normals(400, 300, 0.4))
    assert (one.auc.estimate, one.auc.standard_error) == (two.auc.estimate, two.auc.standard_error)


def test_patients_with_many_equal_rows_make_the_auc_less_certain() -> None:
    random = np.random.default_rng(3)
    values = np.repeat(random.normal(size=(200, 2)), 5, axis=0)
    columns = tuple(numbers(f"x{j}", values[:500, j], values[500:, j]) for j in (0, 1))
    by_patient = domain.classify(Inputs(columns, 500, 500, np.repeat(np.arange(200), 5))).auc
    by_row = domain.classify(Inputs(columns, 500, 500)).auc
    # By rows, the classifiers meet the same patients again and know them.
    assert by_row.estimate > by_patient.estimate + 0.1
    assert by_patient.standard_error > 1.5 * by_row.standard_error


def test_more_rows_of_current_shrink_only_their_part() -> None:
    inputs = normals(500, 500, 0.5)
    found = domain.effect(domain.classify(inputs).auc, inputs)
    assert found.bounds
    assert found.projected
    now, many = found.bounds(0.05), found.projected(0.05, 1e9)
    assert found.projected(0.05, 500) == pytest.approx(now)
    assert (many[1] - many[0]) / (now[1] - now[0]) == pytest.approx(np.sqrt(0.5), abs=0.1)
