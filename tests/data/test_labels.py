import numpy as np
import pytest

from pytest_readmit.errors import DataError


def labels_of(open_source, values, positive, negative=None, max_missing=0.5):
    array = values if isinstance(values, np.ndarray) else np.array(values, dtype=object)
    dataset = open_source({"y": array}, target="y", positive_label=positive, negative_label=negative)
    return dataset.labels(max_missing)


@pytest.mark.parametrize(
    ("values", "positive"),
    [
        ([1, 0, 1, None], 1),
        ([1, 0, 1, None], "1"),
        ([1, 0, 1, None], 1.0),
        ([1, 0, 1, None], True),
        (np.array([1.0, 0.0, 1.0, np.nan]), 1),
        (["1", "0", "1", None], 1),
        ([True, False, True, None], True),
        ([True, False, True, None], "true"),
        ([True, False, True, None], 1),
        (["True", "False", "True", None], True),
        (["yes", "no", "yes", None], "yes"),
        (["<30", ">30", "<30", None], "<30"),
    ],
)
def test_the_positive_label_is_found_by_its_text(open_source, values, positive):
    labels = labels_of(open_source, values, positive)
    assert labels.positive.tolist() == [True, False, True, False]
    assert labels.known.tolist() == [True, True, True, False]
    assert (labels.n, labels.missing) == (3, 1)
    assert (labels.proportion.events, labels.proportion.rows) == (2, 3)


def test_several_labels_can_be_positive_or_negative(open_source):
    labels = labels_of(open_source, ["<30", ">30", "NO", "<30"], ["<30", ">30"], ["NO"])
    assert labels.positive.tolist() == [True, True, False, True]


def test_two_other_labels_need_negative_label(open_source):
    with pytest.raises(
        DataError,
        match=r"2 other labels \(fewer than 11 rows\) beside positive_label; .*columns.negative_label",
    ):
        labels_of(open_source, ["<30", ">30", "NO", "NO"], "<30")


def test_a_label_that_is_neither_is_an_error_that_counts_rows_and_shows_none(open_source):
    with pytest.raises(DataError, match="fewer than 11 rows hold a label that is neither") as caught:
        labels_of(open_source, ["yes", "no", "CANARY", "CANARY"], "yes", "no")
    assert "CANARY" not in str(caught.value)


def test_a_positive_label_that_no_row_has_is_an_error_that_shows_no_level(open_source):
    with pytest.raises(
        DataError, match=r"no row holds columns\.positive_label; the 2 levels present are texts"
    ) as caught:
        labels_of(open_source, ["CANARY", "other"], "yes")
    assert "CANARY" not in str(caught.value)
    with pytest.raises(DataError, match="the 2 levels present are whole numbers"):
        labels_of(open_source, [0, 2], 1)


def test_one_class_only_is_an_error(open_source):
    with pytest.raises(DataError, match="every label is positive; two classes are needed"):
        labels_of(open_source, [1, 1], 1)
    with pytest.raises(DataError, match=r"no row holds columns\.positive_label"):
        labels_of(open_source, [0, 0], 1, 0)


def test_no_label_at_all_is_an_error(open_source):
    with pytest.raises(DataError, match="has no labels: every row is missing"):
        labels_of(open_source, [None, None], 1)
    with pytest.raises(DataError, match="has no labels"):
        labels_of(open_source, np.array([np.nan, np.nan]), 1)


def test_too_many_missing_labels_are_an_error(open_source):
    values = [1, 0] * 9 + [None] * 2
    assert labels_of(open_source, values, 1, max_missing=0.1).missing == 2
    with pytest.raises(DataError, match=r"fewer than 11 of 20 labels are missing; at most 5.0% may be"):
        labels_of(open_source, values, 1, max_missing=0.05)


def test_labels_need_a_target_and_a_positive_label(open_source):
    with pytest.raises(DataError, match=r"columns\.target is not set"):
        open_source({"y": np.array([0, 1])}).labels()
    with pytest.raises(DataError, match=r"columns\.positive_label is not set; it is never guessed"):
        open_source({"y": np.array([0, 1])}, target="y").labels()
    with pytest.raises(DataError, match="has no column 'yy', did you mean 'y'"):
        open_source({"y": np.array([0, 1])}, target="yy", positive_label=1).labels()


def test_labels_carry_patients(open_source):
    frame = {"y": np.array([1, 1, 0, 0, 1]), "who": np.array([1, 1, 1, 2, 3])}
    proportion = open_source(frame, target="y", positive_label=1, patient="who").labels().proportion
    assert (proportion.units, proportion.event_units, proportion.non_event_units) == (3, 2, 2)
