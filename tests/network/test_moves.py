"""Moves: when a scale moves, what has θ's layout follows, so that it says the same of raw rows as before."""

from types import SimpleNamespace

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given
from scipy.sparse import csr_array

from incrlearn.network import Linear, Move, Network, ReLU, Standardize, StandardizeSparse, Tanh
from tests.oracles import agree, central_difference

from .cases import same_bits

RNG = np.random.default_rng
SEEDS = st.integers(0, 2**32 - 1)
DTYPES = pytest.mark.parametrize("dtype", ["float32", "float64"])
D, HIDDEN, OUTPUTS = 3, 4, 2


def moved(dtype="float64", seed=0, rows=20, more=20, activation=Tanh, shifted=True):
    """Return a network as it was, as it is after its scale moved, and the move."""
    random = RNG(seed)
    layers = [Standardize(D), Linear(D, HIDDEN), activation(), Linear(HIDDEN, OUTPUTS)]
    network = Network(layers, random, dtype)
    x = random.normal(size=(rows, D)) * [1.0, 30.0, 0.01] + [0.0, 5.0, -3.0]
    network.observe(x, random)
    before = network.copy()
    y = random.normal(size=(more, D)) * [3.0, 10.0, 0.05] + [1.0, 50.0, -2.9]
    if not shifted:  # the same rows again and wider: the mean stays
        y = np.concatenate([x + (x - x.mean(axis=0)), x.mean(axis=0) - (x - x.mean(axis=0))])
    move = network.observe(y, random)
    return before, network, move


def moved_sparse(dtype="float64", seed=0, new=2):
    """Return the same for sparse rows, whose new ones also fill columns that were empty before."""
    random = RNG(seed)
    network = Network(
        [StandardizeSparse(6), Linear(0, HIDDEN), ReLU(), Linear(HIDDEN, OUTPUTS)], random, dtype
    )
    x = random.normal(size=(20, 6)) * (random.random((20, 6)) < 0.7)
    network.observe(csr_array(x * ([1] * (6 - new) + [0] * new)), random)
    before = network.copy()
    move = network.observe(csr_array(5 * x), random)
    return before, network, move


def with_theta(network, theta):
    """Return a copy of the network with other parameters."""
    twin = network.copy()
    twin.theta = theta
    return twin


def test_a_network_without_a_scale_has_no_move():
    network = Network.mlp(D, HIDDEN, OUTPUTS, rng=RNG(0))
    theta = network.theta.copy()
    assert network.observe(np.ones((3, D)), RNG(0)) is None
    assert same_bits(network.theta, theta)


# Parameters


@DTYPES
@given(SEEDS, st.integers(0, 40), st.integers(1, 40))
def test_an_anchor_moves_to_what_the_network_would_have_become_with_it(dtype, seed, rows, more):
    before, network, _ = moved(dtype, seed, max(rows, 1), more)
    random = RNG(seed)
    anchor = random.normal(size=len(before.theta)).astype(dtype)
    # the same rows observed by a network whose parameters are the anchor's
    _, there, move = moved(dtype, seed, max(rows, 1), more)
    other = with_theta(before, anchor)
    other.layers[1].compensate(*_r_and_c(before, network))
    assert same_bits(move.parameters(anchor), other.theta)
    assert same_bits(move.parameters(before.theta), there.theta)


def _r_and_c(before, network):
    """Return by what the second layer was compensated, a second time: old y = r (new y) + c."""
    old, new = before.layers[0], network.layers[0]
    known = (old.squares > 0) & (old.count >= 16)
    scale = np.where(known, old.scale, new.scale)
    return new.scale / scale, np.where(new.squares > 0, (new.mean - old.mean) / scale, 0.0)


@pytest.mark.parametrize("activation", [Tanh, ReLU])
@given(SEEDS)
def test_an_anchor_is_the_same_function_of_raw_rows_after_the_move(activation, seed):
    before, network, move = moved(seed=seed, activation=activation)
    random = RNG(seed)
    anchor = random.normal(size=len(before.theta))
    x = random.normal(size=(7, D)) * [2.0, 20.0, 0.1]
    after = with_theta(network, move.parameters(anchor))
    agree(after(x), with_theta(before, anchor)(x), 1e-11, floor=1)


@given(SEEDS, st.integers(0, 3))
def test_an_anchor_of_sparse_rows_is_the_same_function_after_the_move(seed, new):
    before, network, move = moved_sparse(seed=seed, new=new)
    anchor = RNG(seed).normal(size=len(before.theta))
    kept = anchor.copy()
    x = np.zeros((9, 6))
    x[:, : 6 - new] = RNG(seed).normal(size=(9, 6 - new))  # rows as they were before the new columns
    after = with_theta(network, move.parameters(anchor))
    agree(after(csr_array(x)), with_theta(before, anchor)(csr_array(x)), 1e-12, floor=1)
    assert same_bits(anchor, kept)


@DTYPES
def test_the_network_s_own_parameters_move_as_it_did(dtype):
    for make in (moved, moved_sparse):
        before, network, move = make(dtype)
        theta = move.parameters(before.theta)
        assert theta.dtype == dtype
        assert len(theta) == len(network.theta) == move.size
        assert same_bits(theta[move.place], network.theta[move.place])


def test_parameters_given_are_not_changed_nor_is_the_network():
    before, network, move = moved()
    anchor, theta = before.theta.copy(), network.theta.copy()
    anchor.flags.writeable = False
    result = move.parameters(anchor)
    assert not np.shares_memory(result, anchor)
    assert same_bits(network.theta, theta)
    assert same_bits(result, move.parameters(anchor))  # and the move keeps nothing of it


def test_the_difference_from_an_anchor_is_linear_in_it():
    """What is an anchor at one place and a step from it at another moves as one."""
    before, _, move = moved()
    random = RNG(1)
    first, step = random.normal(size=(2, len(before.theta)))
    zero = move.parameters(np.zeros_like(first))
    assert not zero.any()
    agree(move.parameters(first + step), move.parameters(first) + move.parameters(step), 1e-13)


def test_a_shorter_anchor_is_lengthened_with_zeros():
    before, _, move = moved()
    anchor = before.theta[:-5]
    agree(move.parameters(anchor), move.parameters(np.concatenate([anchor, np.zeros(5)])), 0)
    agree(move.gradient(anchor), move.gradient(np.concatenate([anchor, np.zeros(5)])), 0)


# Gradients


def loss(network, x):
    """Return a function of raw rows, and its gradient with respect to θ."""
    a = network.forward(x)
    g = np.sin(np.arange(a[-1].size)).reshape(a[-1].shape)
    return (a[-1] * g).sum(), network.backward(a, {-1: g})


@given(SEEDS)
def test_gradients_of_a_function_of_raw_rows_move_with_scale_and_mean(seed):
    before, network, move = moved(seed=seed)
    x = RNG(seed).normal(size=(5, D)) * [1.0, 30.0, 0.01]
    agree(move.gradient(loss(before, x)[1]), loss(network, x)[1], 1e-9, floor=1)


@given(SEEDS, st.integers(0, 3))
def test_gradients_of_a_function_of_sparse_rows_move_with_their_scale(seed, new):
    before, network, move = moved_sparse(seed=seed, new=new)
    x = np.zeros((9, 6))
    x[:, : 6 - new] = RNG(seed).normal(size=(9, 6 - new))
    x = csr_array(x)
    after = with_theta(network, move.parameters(before.theta))
    agree(move.gradient(loss(before, x)[1]), loss(after, x)[1], 1e-11, floor=1)


def test_gradients_with_respect_to_moved_parameters_agree_with_differences():
    before, network, move = moved()
    x = RNG(2).normal(size=(5, D)) * [1.0, 30.0, 0.01]
    twin = network.copy()

    def objective(theta):
        twin.theta = theta
        return loss(twin, x)[0]

    agree(move.gradient(loss(before, x)[1]), central_difference(objective, network.theta), 1e-8)


@given(SEEDS)
def test_squares_of_gradients_move_with_the_square_of_the_scale(seed):
    before, network, move = moved(seed=seed, shifted=False)
    x = RNG(seed).normal(size=(5, D)) * [1.0, 30.0, 0.01]
    g = np.sin(np.arange(10.0)).reshape(5, 2)
    squares = before.sum_over_samples(np.square, before.forward(x), {-1: g})
    expected = network.sum_over_samples(np.square, network.forward(x), {-1: g})
    agree(move.gradient(squares, power=2), expected, 1e-9)
    absolute = before.sum_over_samples(np.abs, before.forward(x), {-1: g})
    expected = network.sum_over_samples(np.abs, network.forward(x), {-1: g})
    agree(move.gradient(absolute), expected, 1e-9)


def test_the_importance_of_a_quadratic_penalty_moves_to_the_diagonal_of_what_it_becomes():
    """½ dᵀ Ω d in the old parameters is ½ d′ᵀ (Jᵀ Ω J) d′ in the moved ones, d = J d′."""
    before, _, move = moved()
    importance = RNG(4).random(len(before.theta))
    # d′ = parameters(d) is linear, so its inverse has the moved unit vectors for columns
    inverse = np.stack([move.parameters(unit) for unit in np.eye(len(importance))], axis=1)
    J = np.linalg.inv(inverse)
    agree(move.gradient(importance, power=2), np.diag(J.T * importance @ J), 1e-9)


def test_a_penalty_costs_after_the_move_what_it_cost_before():
    before, _, move = moved(shifted=False)
    random = RNG(3)
    theta, anchor = random.normal(size=(2, len(before.theta)))
    importance = random.random(len(theta))
    cost = np.sum(importance * (theta - anchor) ** 2)
    d = move.parameters(theta) - move.parameters(anchor)
    agree(np.sum(move.gradient(importance, power=2) * d**2), cost, 1e-9)


@DTYPES
def test_importances_stay_non_negative_and_in_their_dtype(dtype):
    for make in (moved, moved_sparse):
        before, _, move = make(dtype)
        importance = RNG(0).random(len(before.theta)).astype(dtype)
        kept = importance.copy()
        importance.flags.writeable = False
        result = move.gradient(importance, power=2)
        assert result.dtype == dtype
        assert result.min() >= 0
        assert len(result) == move.size
        assert not np.shares_memory(result, importance)
        assert same_bits(importance, kept)


def of_factor(factor, size=3, dtype="float64"):
    """Return a move that multiplies the outputs by a factor, and adds 1."""
    network = Network([Linear(size - 1, 1)], RNG(0), dtype)
    return Move(network, -1, "rescale", np.array([factor]), np.ones(1), np.arange(size), size)


@DTYPES
def test_a_factor_and_a_shift_worked_by_hand(dtype):
    move = of_factor(4, dtype=dtype)
    agree(move.parameters(np.array([1, 2, 3], dtype)), [4, 8, 13], 0)
    agree(move.gradient(np.array([1, 2, 8], dtype)), [0.25, 0.5, 2], 0)
    agree(move.gradient(np.array([16, 0, 8], dtype), power=2), [1, 0, 0.5], 0)


@DTYPES
@pytest.mark.parametrize("factor", [1e-25, 1e25])
def test_a_scale_that_moves_far_is_squared_without_overflow(dtype, factor):
    move = of_factor(factor, dtype=dtype)
    gradient = np.array([1e-20, 0, 1e-20] if factor < 1 else [1e20, 0, 1e20], dtype)
    expected = gradient.astype(np.float64) / np.float64(np.asarray(factor, dtype)) ** 2
    agree(move.gradient(gradient, power=2), expected, 1e-6)


def test_what_was_scaled_to_nothing_has_neither_gradient_nor_importance():
    """As the outputs of values that had not varied: whatever they were, they say the same."""
    network = Network([Linear(1, 2)], RNG(0), "float64")
    r, shift = np.array([0.0, 2.0]), np.array([5.0, 7.0])
    move = Move(network, -1, "rescale", r, shift, np.arange(4), 4)
    agree(move.parameters(np.ones(4)), [0, 5, 2, 9], 0)
    agree(move.gradient(np.ones(4)), [0, 0, 0.5, 0.5], 0)
    agree(move.gradient(np.ones(4), power=2), [0, 0, 0.25, 0.25], 0)


# Places


def test_vectors_are_placed_where_the_parameters_now_stand():
    before, network, move = moved_sparse()
    vector = np.arange(1.0, len(before.theta) + 1)
    placed = move.placed(vector)
    assert placed.shape == network.theta.shape
    assert same_bits(placed[move.place], vector)
    assert np.count_nonzero(placed) == len(vector)
    new = np.setdiff1d(np.arange(move.size), move.place)
    for result in (move.parameters(vector), move.gradient(vector), move.gradient(vector, 2)):
        assert not result[new].any()
    head, old_head = network.layers[-1].n_parameters, before.layers[-1].n_parameters
    assert same_bits(placed[-head:], vector[-old_head:])


def test_what_has_theta_s_layout_is_carried_along_and_replaced():
    before, network, move = moved_sparse()
    n = len(before.theta)
    moments, other, single = np.arange(n, dtype=np.float32), np.ones(n + 1), np.float64(3)
    part = SimpleNamespace(moments=moments, other=other, single=single, name="part", nothing=None)
    move.carry(part)
    assert part.moments.dtype == np.float32
    assert same_bits(part.moments, move.placed(moments))
    assert len(part.moments) == len(network.theta)
    assert same_bits(moments, np.arange(n, dtype=np.float32))
    assert (part.other is other, part.single is single, part.name, part.nothing) == (True, True, "part", None)


def test_where_no_place_changes_vectors_stay_the_same_objects():
    before, _, move = moved()
    vector = np.arange(float(len(before.theta)))
    assert move.placed(vector) is vector
    part = SimpleNamespace(moments=vector)
    move.carry(part)
    assert part.moments is vector
