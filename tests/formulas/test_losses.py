"""Losses: what is true of them and of no other formula."""

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from incrlearn.formulas import (
    binary_cross_entropy,
    cross_entropy,
    l2,
    log_softmax,
    sigmoid,
    softmax,
    squared_error,
)
from tests import oracles
from tests.oracles import agree

from .cases import LOSSES, Drawn, each

X, Y = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]), np.array([1.0, 2.0, 3.5])


def formula_4_1(theta, anchor=None):
    """The document's 4.1 for a linear model: the squared error, chained through X, and L2 with λ = 0.1."""
    theta = np.array(theta)
    loss, output_gradient = squared_error(X @ theta, Y)
    penalty, penalty_gradient = l2(theta, 0.1, anchor)
    return loss + penalty, X.T @ output_gradient + penalty_gradient


def test_formula_4_1_gives_the_sheet_s_numbers():
    value, gradient = formula_4_1([0.5, -0.25])
    agree(value, 1.598958333333333, 1e-15)
    agree(gradient, [-5.95, -7.691666666666666], 1e-15)


@pytest.mark.parametrize(
    ("minimizer", "anchor"),
    [
        ([0.298696244405526, 0.317182331192839], None),
        ([0.370500097295193, 0.266394240124539], [1.0, 1.0]),
    ],
    ids=["plain", "anchored"],
)
def test_formula_4_1_has_no_slope_at_its_minimizer(minimizer, anchor):
    agree(formula_4_1(minimizer, anchor)[1], [0, 0], 1e-13, floor=1)


logits = st.composite(lambda draw: Drawn(draw).array(Drawn(draw).size(), Drawn(draw).size()))()
shifts = st.integers(-8000, 8000).map(lambda i: i / 8)


@given(logits)
def test_softmax_gives_distributions_and_log_softmax_their_logarithms(z):
    p = softmax(z)
    agree(p.sum(axis=1), np.ones(len(z)), 1e-15 * 4)
    agree(np.log(p), log_softmax(z), 1e-14, floor=1)
    agree(log_softmax(z), oracles.log_softmax(z), 1e-14, floor=1)
    agree(softmax(log_softmax(z)), p, 1e-14)


def test_rows_that_lie_far_apart_have_distributions_of_their_own():
    z = np.array([[0, np.log(3)], [1e4, 1e4], [-1e4, -2e4]])
    agree(softmax(z), [[0.25, 0.75], [0.5, 0.5], [1, 0]], 1e-15)
    agree(log_softmax(z), [[-np.log(4), np.log(0.75)], [-np.log(2)] * 2, [0, -1e4]], 1e-15)


def test_logits_compete_along_the_last_axis_whatever_stands_before_it():
    z = np.random.default_rng(0).normal(size=(3, 2, 4))
    p = np.exp(z) / np.exp(z).sum(axis=2)[:, :, None]
    for at in ((), (0,), (0, 0)):
        agree(softmax(z[at]), p[at], 1e-14)
        agree(log_softmax(z[at]), np.log(p[at]), 1e-14)


@given(logits)
def test_sigmoid_is_the_softmax_of_a_logit_and_zero(z):
    agree(sigmoid(z), softmax(np.stack([z, 0 * z], axis=-1))[..., 0], 1e-14)
    agree(sigmoid(z) + sigmoid(-z), np.ones(z.shape), 1e-15)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("function", [softmax, log_softmax, sigmoid])
def test_logits_of_ten_thousand_give_exact_limits(function, dtype):
    """A warning would be an error here."""
    z = np.array([[1e4, -1e4], [-1e4, 1e4], [1e4, 1e4]], dtype)
    expected = {
        softmax: [[1, 0], [0, 1], [0.5, 0.5]],
        log_softmax: [[0, -2e4], [-2e4, 0], [-np.log(2), -np.log(2)]],
        sigmoid: [[1, 0], [0, 1], [1, 1]],
    }
    assert function(z).dtype == dtype
    agree(function(z)[:2], expected[function][:2], 0)
    agree(function(z)[2], expected[function][2], 1e-6)


@pytest.mark.parametrize("function", [softmax, log_softmax, lambda z: cross_entropy(z, [0] * len(z))[1]])
@given(logits, shifts)
def test_a_shift_of_all_logits_changes_nothing(function, z, shift):
    agree(function(z + shift), function(z), 1e-12, floor=1)


@given(logits, st.data())
def test_cross_entropy_gradients_sum_to_zero_over_a_row(z, data):
    y = data.draw(st.lists(st.integers(0, z.shape[1] - 1), min_size=len(z), max_size=len(z)))
    agree(cross_entropy(z, y)[1].sum(axis=1), np.zeros(len(z)), 1e-15, floor=1)


@given(logits, st.data())
def test_a_label_is_the_distribution_that_is_certain_of_it(z, data):
    n, k = z.shape
    y = np.array(data.draw(st.lists(st.integers(0, k - 1), min_size=n, max_size=n)))
    by_label, by_row = cross_entropy(z, y), cross_entropy(z, np.eye(k)[y])
    agree(by_label[0], by_row[0], 0)
    agree(by_label[1], by_row[1], 0)


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int64, np.uint64])
def test_labels_may_be_integers_of_any_kind(dtype):
    assert cross_entropy([[0.0, 1.0], [2.0, 0.0]], np.array([1, 0], dtype))[0] == pytest.approx(
        0.220095, rel=1e-5
    )


@each(LOSSES)
@given(st.data())
def test_a_loss_is_never_negative(formula, data):
    assert formula.call(*data.draw(formula.drawn()))[0] >= 0


Z = [[0.0, 1.0, 2.0], [0.5, 0.0, 0.0]]
HALVES = [[0.5, 0.5, 0.0], [0.0, 0.0, 1.0]]


@pytest.mark.parametrize(
    "y",
    [
        [0, 3],
        [-1, 0],
        [0, 1, 2],
        [0],
        [],
        [0.0, 1.0],
        [True, False],
        ["0", "1"],
        [None, 0],
        [[0], [1]],
        [[0.5, 0.5], [0.5, 0.5]],
        [[0.5, 0.5, 0.1], [0, 0, 1]],
        [[0.5, 0.25, 0.0], [0, 0, 1]],
        [[1.5, -0.5, 0.0], [0, 0, 1]],
        [[1, 0, 0], [1]],
    ],
    ids=str,
)
def test_cross_entropy_refuses_what_is_neither_labels_nor_distributions(y):
    with pytest.raises((ValueError, TypeError), match=r"\by\b"):
        cross_entropy(Z, y)


@pytest.mark.parametrize(
    "y", [[[1.5, 0, 0], [0, 0, 0]], [[-0.1, 0, 0], [0, 0, 0]], [[1, 0], [0, 1]], [0, 1]], ids=str
)
def test_binary_cross_entropy_refuses_what_are_no_probabilities_of_the_logits_shape(y):
    with pytest.raises(ValueError, match=r"\by\b"):
        binary_cross_entropy(Z, y)


@pytest.mark.parametrize("target", [[1.0], 1.0, [[1.0, 2.0]], [[1.0], [2.0]], [[[1.0]]]], ids=str)
def test_squared_error_refuses_to_broadcast(target):
    with pytest.raises(ValueError, match=r"\btarget\b"):
        squared_error([1.0, 2.0], target)


def test_squared_error_refuses_images():
    with pytest.raises(ValueError, match="prediction must have shape"):
        squared_error(np.zeros((1, 2, 2)), np.zeros((1, 2, 2)))


def test_an_error_says_what_came_and_what_was_wanted():
    with pytest.raises(ValueError, match=r"class indices in \[0, 3\), got values in \[0, 7\]"):
        cross_entropy(Z, [0, 7])
    with pytest.raises(ValueError, match=r"z must be finite, got nan at index \(1, 2\)"):
        cross_entropy([[0, 0, 0], [0, 0, np.nan]], HALVES)
