"""The metrics: worked numbers, and what must hold for every accuracy matrix."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from incrlearn.benchmark.metrics import (
    average_accuracy,
    average_incremental_accuracy,
    backward_transfer,
    forgetting,
    forward_transfer,
    intransigence,
    mean_and_error,
)

R = np.array([[0.9, 0.2, 0.1], [0.95, 0.8, 0.3], [0.6, 0.7, 0.85]])
LOWER = np.where(np.tri(3, dtype=bool), R, np.nan)
OF_R = [average_accuracy, average_incremental_accuracy, backward_transfer, forgetting]
ALL = [*OF_R, lambda R: forward_transfer(R, np.zeros(len(R))), lambda R: intransigence(R, np.ones(len(R)))]


@st.composite
def matrices(draw, low=1):
    t = draw(st.integers(low, 6))
    values = draw(st.lists(st.floats(0, 1), min_size=t * t, max_size=t * t))
    return np.array(values).reshape(t, t)


def test_average_accuracy_is_the_mean_of_the_last_row():
    assert average_accuracy(R) == pytest.approx((0.6 + 0.7 + 0.85) / 3)


def test_average_incremental_accuracy_takes_only_the_tasks_learned_so_far():
    assert average_incremental_accuracy(R) == pytest.approx(
        (0.9 + (0.95 + 0.8) / 2 + (0.6 + 0.7 + 0.85) / 3) / 3
    )


def test_backward_transfer_compares_the_end_with_the_moment_of_learning():
    assert backward_transfer(R) == pytest.approx(((0.6 - 0.9) + (0.7 - 0.8)) / 2)


def test_forward_transfer_compares_the_moment_before_learning_with_the_baseline():
    assert forward_transfer(R, [0.5, 0.1, 0.2]) == pytest.approx(((0.2 - 0.1) + (0.3 - 0.2)) / 2)


def test_forgetting_compares_the_end_with_the_best_there_was():
    assert forgetting(R) == pytest.approx(((0.95 - 0.6) + (0.8 - 0.7)) / 2)


def test_the_last_row_is_not_among_the_best_there_was():
    assert forgetting([[0.5, np.nan], [0.75, 1.0]]) == -0.25


def test_an_accuracy_before_the_task_was_learned_cannot_be_forgotten():
    lucky = R.copy()
    lucky[0, 1] = 1.0
    assert forgetting(lucky) == forgetting(R)


def test_intransigence_compares_the_diagonal_with_the_reference():
    assert intransigence(R, [1.0, 0.9, 0.8]) == pytest.approx((0.1 + 0.1 - 0.05) / 3)


def test_a_learner_as_good_as_its_reference_is_not_intransigent():
    assert intransigence(R, R.diagonal()) == 0


@pytest.mark.parametrize("metric", OF_R)
def test_entries_above_the_diagonal_need_not_be_measured(metric):
    assert metric(LOWER) == metric(R)


def test_forward_transfer_is_nan_when_it_was_not_measured():
    assert math.isnan(forward_transfer(LOWER, np.zeros(3)))


def test_forward_transfer_needs_only_the_entries_next_to_the_diagonal():
    partly = R.copy()
    partly[0, 2] = np.nan
    assert forward_transfer(partly, np.zeros(3)) == forward_transfer(R, np.zeros(3))


@pytest.mark.parametrize("metric", [backward_transfer, forgetting, lambda R: forward_transfer(R, [0.5])])
def test_a_single_task_has_no_transfer_and_no_forgetting(metric):
    assert math.isnan(metric([[0.5]]))


def test_a_single_task_has_an_accuracy_and_an_intransigence():
    assert average_accuracy([[0.5]]) == average_incremental_accuracy([[0.5]]) == 0.5
    assert intransigence([[0.5]], [0.75]) == 0.25


@given(matrices(low=2))
def test_forgetting_is_at_least_what_backward_transfer_lost(R):
    assert forgetting(R) >= -backward_transfer(R) - 1e-12


@given(matrices(low=2))
def test_every_metric_stays_in_its_range(R):
    assert 0 <= average_accuracy(R) <= 1
    assert 0 <= average_incremental_accuracy(R) <= 1
    assert all(-1 <= metric(R) <= 1 for metric in ALL)


@given(st.lists(st.floats(0, 1), min_size=2, max_size=6))
def test_a_learner_that_forgets_nothing_has_no_forgetting_and_no_backward_transfer(accuracies):
    t = len(accuracies)
    R = np.where(np.tri(t, dtype=bool), np.array(accuracies), np.nan)
    assert forgetting(R) == backward_transfer(R) == 0
    assert average_accuracy(R) == pytest.approx(np.mean(accuracies))


@given(matrices(low=2))
def test_what_was_measured_before_learning_changes_only_forward_transfer(R):
    lower = np.where(np.tri(len(R), dtype=bool), R, np.nan)
    assert all(metric(R) == metric(lower) for metric in OF_R)


@given(matrices(low=2), st.floats(0, 1))
def test_transfer_and_forgetting_do_not_change_when_every_accuracy_moves_alike(R, shift):
    R = R / 2
    for metric in (backward_transfer, forgetting):
        assert metric(R + shift / 2) == pytest.approx(metric(R), abs=1e-12)
    baseline = np.zeros(len(R))
    assert forward_transfer(R + shift / 2, baseline + shift / 2) == pytest.approx(
        forward_transfer(R, baseline)
    )


@given(matrices(), st.floats(0, 1))
def test_every_metric_scales_with_the_accuracies(R, scale):
    for metric in OF_R:
        assert metric(scale * R) == pytest.approx(scale * metric(R), abs=1e-12, nan_ok=True)


@pytest.mark.parametrize("metric", ALL)
def test_the_matrix_is_left_as_it_was(metric):
    before = R.copy()
    assert isinstance(metric(R), float)
    np.testing.assert_array_equal(R, before)


@pytest.mark.parametrize("metric", ALL)
@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (np.zeros((2, 3)), r"R must be square, with shape \(t, t\) and t ≥ 1, got shape \(2, 3\)"),
        (np.zeros(4), r"R must be square.*got shape \(4,\)"),
        (np.zeros((0, 0)), r"R must be square.*got shape \(0, 0\)"),
        ([[0.5, np.nan], [np.nan, 0.5]], r"NaN above the diagonal, got R\[1, 0\] = nan"),
        ([[np.nan]], r"got R\[0, 0\] = nan"),
        ([[0.5, np.inf], [0.5, 0.5]], r"got R\[0, 1\] = inf"),
        ([[0.5, 0.5], [1.5, 0.5]], r"R must lie in \[0, 1\].*got R\[1, 0\] = 1.5"),
        ([[95.0]], r"got R\[0, 0\] = 95"),
        ([[0.5, -0.1], [0.5, 0.5]], r"got R\[0, 1\] = -0.1"),
        ([[0.5, 0.5], [0.5]], "R must be a rectangular array"),
    ],
)
def test_what_is_not_an_accuracy_matrix_is_refused(metric, wrong, message):
    with pytest.raises(ValueError, match=message):
        metric(wrong)


def test_a_matrix_of_words_is_refused():
    with pytest.raises(TypeError, match="R must hold real numbers"):
        average_accuracy([["good"]])


@pytest.mark.parametrize(("metric", "name"), [(forward_transfer, "baseline"), (intransigence, "reference")])
@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ([0.5, 0.5], "has 2 entries, but R has 3 tasks"),
        ([0.5, 0.5, 1.5], r"must lie in \[0, 1\]"),
        ([0.5, 0.5, np.nan], r"must lie in \[0, 1\]"),
        (0.5, "must be a non-empty vector"),
    ],
)
def test_a_vector_of_other_accuracies_must_fit_the_matrix(metric, name, wrong, message):
    with pytest.raises(ValueError, match=f"{name} {message}"):
        metric(R, wrong)


def test_the_mean_comes_with_its_standard_error():
    mean, error = mean_and_error([1.0, 2.0, 3.0, 6.0])
    assert mean == 3
    assert error == pytest.approx(math.sqrt((4 + 1 + 0 + 9) / 3 / 4))


def test_one_value_has_a_mean_but_no_error():
    mean, error = mean_and_error([0.5])
    assert mean == 0.5
    assert math.isnan(error)


def test_an_undefined_measure_makes_mean_and_error_undefined():
    assert all(math.isnan(value) for value in mean_and_error([0.5, np.nan]))


@given(st.lists(st.floats(-1, 1), min_size=2, max_size=20), st.floats(-10, 10))
def test_a_shift_moves_the_mean_and_not_the_error(values, shift):
    mean, error = mean_and_error(values)
    shifted_mean, shifted_error = mean_and_error(np.array(values) + shift)
    assert shifted_mean == pytest.approx(mean + shift, abs=1e-9)
    assert shifted_error == pytest.approx(error, abs=1e-9)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [([], "non-empty vector"), ([[1.0]], "vector"), ([np.inf, 1.0], "must not hold infinity")],
)
def test_what_cannot_be_averaged_is_refused(wrong, message):
    with pytest.raises(ValueError, match=f"values must.*{message}|values {message}"):
        mean_and_error(wrong)
