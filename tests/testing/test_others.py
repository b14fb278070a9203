"""Layers and losses that are unlike ours: right ones pass, at their kinks too, and wrong ones do not."""

import hypothesis.strategies as st
import numpy as np
import pytest

from incrlearn.network import Layer
from incrlearn.testing import Failure, check_gradient, check_layer, check_term
from incrlearn.testing.strategies import arrays_for

from . import others

LABELLED = st.tuples(st.integers(1, 4), st.integers(1, 4)).flatmap(
    lambda shape: st.tuples(
        arrays_for(shape, largest=100.0),
        st.lists(st.integers(0, shape[1] - 1), min_size=shape[0], max_size=shape[0]).map(np.array),
    )
)


def name(thing):
    return getattr(thing, "__name__", str(thing))


def check_loss(loss, **options):
    if "triplet" in loss.__name__:
        return check_term(loss, wrt=(0, 1, 2), **options)
    labels = loss in others.OF_LABELS or "hinge" in loss.__name__ or "focal" in loss.__name__
    return check_term(loss, *([LABELLED] if labels else []), **options)


@pytest.mark.parametrize("kind", others.LAYERS, ids=name)
def test_a_right_layer_passes(kind):
    assert check_layer(kind(*others.LAYERS[kind]), examples=4, seed=1).entries


@pytest.mark.parametrize("loss", [*others.LOSSES, *others.OF_LABELS, others.triplet], ids=name)
def test_a_right_loss_passes(loss):
    assert check_loss(loss, examples=8, seed=1).entries


@pytest.mark.parametrize(("kind", "cause"), others.WRONG_LAYERS.items(), ids=name)
def test_a_wrong_layer_is_found(kind, cause):
    with pytest.raises(Failure) as raised:
        check_layer(kind(), examples=4)
    assert raised.value.cause == cause


@pytest.mark.parametrize("loss", others.WRONG_LOSSES, ids=name)
def test_a_wrong_loss_is_found(loss):
    with pytest.raises(Failure, match="the gradient ∂value/∂"):
        check_loss(loss, examples=8)


@pytest.mark.parametrize("place", range(3))
def test_where_three_numbers_tie_the_middle_one_may_be_any(place):
    """Each of them alone moves without any effect on the median."""
    delta = np.eye(3)[[place]]
    check_layer(others.Sorted(), np.zeros((1, 3)), delta)
    with pytest.raises(Failure):
        check_layer(others.SortedTwice(), np.array([[1.0, 3.0, 0.0]]), delta)


def test_where_tiny_numbers_tie_the_middle_one_may_be_any():
    a, t = 2.2e-6, -3.5e-43
    x = np.array([[a, t, t], [t, t, a], [t, t, t], [a, t, a]])
    delta = np.array(
        [[-0.625, -2.0, 0.125], [2.5, -2.625, -0.125], [-2.0, 2.625, -2.75], [2.25, -2.25, 0.625]]
    )
    check_layer(others.Sorted(), x, delta)
    x = np.array([[-5.3e-73, -1e4, -1.2e-290, 2e-200]])
    check_layer(others.Sorted(), x, np.array([[-900.0, 890, -900, 890]]))


def test_units_whose_weights_are_tiny_are_on_or_off_row_by_row():
    """Σ δᵢ relu(w·xᵢ) at w = (1e-150, 1e-300): ∂/∂w₂ is that of rows with x₁ > 0, 8; on its sides 2 and 6."""
    x, delta = np.array([[1.0, 1], [1, -1], [-1, 1], [-1, -1]]), np.array([5.0, -3, 1, 1])

    def units(w, more=0.0):
        return delta @ np.maximum(x @ w, 0), (delta * (x @ w > 0)) @ x + more

    check_gradient(units, [1e-150, 1e-300])
    with pytest.raises(Failure):
        check_gradient(lambda w: units(w, 1.0), [1e-150, 1e-300])


def test_what_cancels_in_float32_is_not_accused():
    """1 − cos is 0, and its gradient cos u − v a difference of ones."""
    check_term(others.cosine, np.array([[1.0]]), np.array([[1.0]]))


@pytest.mark.parametrize(
    ("z", "t"),
    [
        ([-1.875, -1.875], [100.0, -100.0]),
        ([-2.5, 0.125, 0.125, -2.5], [2.125] * 4),
        ([99.21075407179727, -0.8695654800283426], [9.194744148860012, 27.804555736239585]),
    ],
)
def test_what_cancels_in_float32_in_rows_of_opposite_kind_is_not_accused(z, t):
    """What is steep in one row is cancelled by another, but not the rounding of their gradients."""
    check_term(others.cosine, np.array(z)[:, None], np.array(t)[:, None])


def test_what_saturates_in_float32_is_not_accused():
    """σ(9) is all but 1: what 1 − σ(9) has lost, x² makes large."""
    x = np.array([[4545.017381174666, -1663.1942610106294, 2279.329459605991]])
    delta = np.array([[0.0, 168.59313946415818, 168.59313946415818]])
    check_layer(others.Swish(3), x, delta, theta=np.full(3, 0.003907096694563944))


def test_attention_whose_words_all_point_in_one_direction_is_not_accused():
    """δ of the weights, 10⁷, cancels; its rounding is multiplied by words of 10⁴."""
    x = 1e4 * np.array([[1.0, -1, 1, -1, 1, -1], [1, -1, 1, 1, -1, -1]])
    delta = [-143.72168101662712, 219.67798548441687, -0.6732140825148178, -66.83425658222744]
    delta += [-68.96540630398302, -86.00010829837245, 22.13411307750863, -868.1740367559496]
    delta += [934.4677575758317, -56.345445631719954, 73.06520612708398, 5.762815819912879]
    check_layer(others.Attention(), x, np.reshape(delta, (2, 6)))


def test_where_last_digits_decide_float32_is_not_accused():
    """Scores of 10⁸ tie: which word is attended to, their rounding says."""
    x = 1e4 * np.array([[1.0, -1, 1, -1, 1, -1], [-1, -1, 1, 1, -1, -1], [-1, 1, -1, -1, 1, 1]])
    check_layer(others.Attention(), x, np.tile([-2.375, -0.125, 1.375, -1.5, 1.625, 2.5], (3, 1)))


def test_a_loss_that_float32_can_not_hold_is_not_accused():
    check_term(others.poisson, np.array([[100.0]]), np.array([[1.0]]))


# ---- what people write at first, and what they are told -------------------------------------------------


def test_attention_that_multiplies_large_x_with_itself_is_not_called_nonlinear():
    x = np.array(
        [[-9837.1, 9377.6, -6e-08, 0.003, 0.0, -4842.7], [5334.0, 0.7, -7464.5, 0.0, 12.97, -7067.8]]
    )
    delta = np.where(np.arange(12).reshape(2, 6) % 6 // 2 == 1, -263.34, 0.1)
    assert check_layer(others.Attention(), x, delta)


class OfAnyWidth(others.Attention):
    inputs = None


class Narrower(Layer):
    def forward(self, x):
        return x.sum(axis=1, keepdims=True)

    def backward(self, x, y, delta):
        return delta * np.ones_like(x)


class BatchNorm(Layer):
    def forward(self, x):
        return x - x.mean(axis=0)

    def backward(self, x, y, delta):
        return delta - delta.mean(axis=0)


class Widening(Layer):
    def forward(self, x):
        return x @ np.eye(x.shape[1])

    def backward(self, x, y, delta):
        return delta @ np.eye(x.shape[1])


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (OfAnyWidth, "any width of x was tried: which one the layer takes, its attribute inputs says"),
        (Narrower, "connect(2) must return how wide y is for 2 inputs: it says 2"),
        (BatchNorm, "if that is meant, rows=False"),
        (Widening, "what it is given is float32: an array of its own makes it wider"),
    ],
    ids=name,
)
def test_a_layer_that_does_not_fit_is_told_how_it_would(kind, words):
    with pytest.raises(Failure) as raised:
        check_layer(kind(), examples=4)
    assert words in " ".join(str(raised.value).split())


@pytest.mark.parametrize(
    ("term", "words"),
    [
        (others.hinge, "every argument was an array of floats, all of one shape: give others, or strategies"),
        (lambda z, t: (1.0, z, t), "must return (value, gradient) or (value, (gradient, …)), got 3 things"),
        (lambda z, t: 1.0, "must return (value, gradient) or (value, (gradient, …)), got float"),
    ],
    ids=["labels", "three", "one"],
)
def test_a_loss_that_does_not_fit_is_told_how_it_would(term, words):
    with pytest.raises(Failure) as raised:
        check_term(term, examples=4)
    assert words in " ".join(str(raised.value).split())
