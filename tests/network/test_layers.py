"""Layers: values, derivatives, how their parameters begin."""

import copy
import pickle
import re

import autograd
import numpy as np
import pytest
from scipy import stats

from incrlearn.network import (
    ACTIVATIONS,
    Gate,
    Layer,
    Linear,
    Network,
    ReLU,
    Sigmoid,
    Standardize,
    StandardizeSparse,
    Tanh,
)
from incrlearn.network.initializations import INITIALIZATIONS
from tests.oracles import agree, central_difference

from .cases import FUNCTIONS, LAYERS, dense, each_layer, memory, same_bits

DTYPES = pytest.mark.parametrize("dtype", [np.float32, np.float64])


def layers_of_the_package(above=Layer):
    below = [layer for layer in above.__subclasses__() if layer.__module__.startswith("incrlearn.")]
    return {*below, *(deeper for layer in below for deeper in layers_of_the_package(layer))}


def bound(name, dtype=np.float64, n=6):
    """Return a layer with random parameters θ, and random x and δ, no x near a kink."""
    rng = np.random.default_rng(0)
    layer = LAYERS[name]()
    theta = rng.normal(size=layer.n_parameters).astype(dtype)
    layer.bind(theta)
    width = layer.inputs or 4
    x = (rng.uniform(0.1, 2, (n, width)) * rng.choice([-1, 1], (n, width))).astype(dtype)
    delta = rng.normal(size=(n, layer.connect(width))).astype(dtype)
    return layer, theta, x, delta


def gradient_of(layer, theta, x, delta):
    """Return ∂L/∂θ: written over NaN, so that nothing is left out and nothing added to."""
    out = np.full_like(theta, np.nan)
    layer.gradient(x, delta, out)
    return out


def test_every_layer_of_the_package_is_tested():
    tested = {type(make()) for make in LAYERS.values()}
    assert layers_of_the_package() == tested == set(FUNCTIONS)
    assert {Linear, Gate, Standardize, StandardizeSparse, *ACTIVATIONS.values()} == tested


@each_layer
def test_forward_agrees_with_the_equation(name):
    layer, theta, x, _ = bound(name)
    agree(dense(layer.forward(x)), FUNCTIONS[type(layer)](layer, theta, x), 1e-14)


@each_layer
def test_backward_agrees_with_autograd_and_with_central_differences(name):
    layer, theta, x, delta = bound(name)
    actual = layer.backward(x, layer.forward(x), delta)
    function = FUNCTIONS[type(layer)]
    agree(actual, autograd.grad(lambda x: (function(layer, theta, x) * delta).sum())(x), 1e-10)
    agree(actual, central_difference(lambda x: (layer.forward(x) * delta).sum(), x), 1e-9)


@pytest.mark.parametrize("name", [name for name, make in LAYERS.items() if make().n_parameters])
def test_gradient_agrees_with_autograd_and_with_central_differences(name):
    layer, theta, x, delta = bound(name)
    actual = gradient_of(layer, theta, x, delta)
    function = FUNCTIONS[type(layer)]
    agree(actual, autograd.grad(lambda theta: (function(layer, theta, x) * delta).sum())(theta), 1e-10)

    def objective(values):
        layer.bind(values)
        return (layer.forward(x) * delta).sum()

    agree(actual, central_difference(objective, theta), 1e-9)


@each_layer
@DTYPES
def test_a_layer_keeps_nothing_and_modifies_nothing(name, dtype):
    layer, theta, x, delta = bound(name, dtype)
    before = dict(vars(layer))
    y = layer.forward(x)
    for array in (theta, x, memory(y), delta):
        array.flags.writeable = False
    results = [layer.forward(x), layer.backward(x, y, delta), gradient_of(layer, theta, x, delta)]
    assert vars(layer).keys() == before.keys()
    assert all(vars(layer)[key] is value for key, value in before.items())
    for result in results:
        assert result.dtype == dtype
        assert not any(np.shares_memory(memory(result), memory(array)) for array in (theta, x, y, delta))


@each_layer
def test_rows_are_independent_and_their_gradients_add_up(name):
    layer, theta, x, delta = bound(name)
    y = dense(layer.forward(x))
    rows = [slice(i, i + 1) for i in range(len(x))]
    agree(y, np.concatenate([dense(layer.forward(x[i])) for i in rows]), 1e-14)
    singles = [layer.backward(x[i], y[i], delta[i]) for i in rows]
    agree(layer.backward(x, y, delta), np.concatenate(singles), 1e-14)
    if layer.n_parameters:
        singles = [gradient_of(layer, theta, x[i], delta[i]) for i in rows]
        agree(gradient_of(layer, theta, x, delta), sum(singles), 1e-14)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_gradient_of_one_row_is_the_product_that_blas_would_have_made(dtype):
    rng = np.random.default_rng(0)
    layer, out = Linear(7, 5), np.full(40, np.nan, dtype)
    x, delta = rng.normal(size=(1, 7)).astype(dtype), rng.normal(size=(1, 5)).astype(dtype)
    layer.gradient(x, delta, out)
    np.testing.assert_array_equal(out.reshape(5, 8), np.hstack([delta.T @ x, delta.T]), strict=True)


def test_a_linear_layer_worked_by_hand():
    layer = Linear(2, 2)
    layer.bind(np.array([1.0, 2.0, 0.5, 3.0, 4.0, -1.0]))
    x, delta = np.array([[1.0, -1.0]]), np.array([[2.0, 1.0]])
    y = layer.forward(x)
    agree(y, [[-0.5, -2.0]], 0)
    agree(layer.backward(x, y, delta), [[5.0, 8.0]], 0)
    agree(gradient_of(layer, np.zeros(6), x, delta), [2.0, -2.0, 2.0, 1.0, -1.0, 1.0], 0)


@DTYPES
@pytest.mark.parametrize(
    ("layer", "limits"), [(ReLU, [0, 1e4]), (Tanh, [-1, 1]), (Sigmoid, [0, 1])], ids=lambda part: str(part)
)
def test_extreme_inputs_give_exact_limits_and_no_warning(layer, limits, dtype):
    x = np.array([[-1e4, 1e4]], dtype)
    y = layer().forward(x)
    agree(y, [limits], 0)
    agree(layer().backward(x, y, np.ones_like(x)), [[0, 1 if layer is ReLU else 0]], 0)


def test_the_derivative_of_relu_at_its_kink_is_zero():
    x = np.array([[-0.0, 0.0]])
    agree(ReLU().backward(x, ReLU().forward(x), np.ones_like(x)), [[0, 0]], 0)


def test_a_layer_must_say_what_it_computes_but_need_not_have_parameters():
    layer, x = Layer(), np.ones((1, 2))
    assert (layer.n_parameters, layer.inputs, layer.connect(7)) == (0, None, 7)
    for call in (layer.forward, lambda x: layer.backward(x, x, x)):
        with pytest.raises(NotImplementedError):
            call(x)


@pytest.mark.parametrize("name", [name for name in LAYERS if "Gate" not in name])
def test_a_layer_is_shown_as_it_is_written(name):
    layer = LAYERS[name]()
    assert repr(eval(repr(layer))) == repr(layer)
    assert ("bias" in repr(layer)) == (getattr(layer, "bias", True) is False)


def test_a_copy_of_a_linear_layer_has_no_parameters_until_they_are_bound():
    """Its W and b would be views into the first network's θ, or take a second copy of it along."""
    assert Linear(2, 3).W is Linear(2, 3).b is None
    layer, theta, x, _ = bound("Linear")
    for twin in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert vars(twin) == {**vars(layer), "W": None, "b": None}
        twin.bind(theta)
        assert same_bits(twin.forward(x), layer.forward(x))


# Scales that move


def wide_linear(dtype=np.float32, size=30):
    """Return a linear layer, copies of its W and b, and a factor and a shift in float64."""
    rng = np.random.default_rng(0)
    layer = Linear(size, size)
    layer.bind(rng.normal(size=layer.n_parameters).astype(dtype))
    return layer, layer.W.copy(), layer.b.copy(), rng.uniform(0.1, 3, size), rng.normal(size=size)


def test_a_float32_layer_follows_its_scale_in_float32():
    """Bit by bit: a pass over a float64 copy would round once where this rounds twice."""
    layer, W, b, r, c = wide_linear()
    narrow = r.astype(np.float32)
    layer.compensate(r, c)
    assert same_bits(layer.W, W * narrow)
    assert same_bits(layer.b, b + (W @ c).astype(np.float32))
    layer, W, b, r, c = wide_linear()
    layer.compensate_gradient(r, c, 1)
    assert same_bits(layer.W, (W - (b[:, None] * c).astype(np.float32)) / narrow)
    assert same_bits(layer.b, b)
    layer, W, b, r, c = wide_linear()
    layer.rescale(r, c)
    assert same_bits(layer.W, W * narrow[:, None])
    assert same_bits(layer.b, (b * r + c).astype(np.float32))
    layer, W, b, r, c = wide_linear()
    layer.rescale_gradient(r, c, 1)
    assert same_bits(layer.W, W / narrow[:, None])
    assert same_bits(layer.b, b / narrow)


@pytest.mark.parametrize("power", [1, 2])
@pytest.mark.parametrize(
    ("move", "r", "c"),
    [
        ("compensate_gradient", 1e-30, 0.0),  # 1e30/r in float32
        ("compensate_gradient", 1.0, 1e60),  # b c in float32
        ("compensate_gradient", 1.0, np.inf),  # and where b = 0, 0·∞ in float64
        ("rescale_gradient", 1e-30, 0.0),
    ],
)
def test_gradients_that_overflow_with_their_scale_give_no_warning(move, r, c, power):
    """The learner looks at what has come out: here it is an infinity, or none at all."""
    layer = Linear(2, 2)
    layer.bind(np.array([1e30, 1e30, 1e30, 1e30, 1e30, 0], np.float32))
    getattr(layer, move)(np.full(2, r), np.full(2, c), power)
    assert np.isinf(layer.W[0]).all()


@pytest.mark.parametrize("c", [1e60, np.inf, -np.inf], ids=str)
@pytest.mark.parametrize("size", [1.0, 1e30, 0.0])
def test_parameters_that_overflow_with_their_scale_give_no_warning(size, c):
    """1e60 overflows in float32 only; with size 0 a weight is 0 and the bias 0·∞."""
    layer = Linear(2, 2)
    layer.bind(np.full(6, size, np.float32))
    layer.compensate(np.full(2, 1e30), np.array([c, -c]))
    assert np.isinf(layer.W).all() == (size == 1e30)
    assert np.isnan(layer.b).all() == (abs(c) == np.inf)


# Gates


def test_a_gate_worked_by_hand():
    gate, x, delta = Gate([1, 0, 1]), np.array([[2.0, -3.0, 4.0]]), np.array([[5.0, 6.0, -7.0]])
    y = gate.forward(x)
    agree(y, [[2, 0, 4]], 0)
    agree(gate.backward(x, y, delta), [[5, 0, -7]], 0)
    assert (gate.n_parameters, gate.inputs, gate.connect(3), gate.connect(None)) == (0, 3, 3, 3)


def test_a_gate_is_shown_by_how_far_it_is_open():
    assert repr(Gate([1, 0, 1])) == "Gate(2 of 3 units)"


def test_a_gate_passes_back_every_objective_of_a_sample():
    gate, x, delta = Gate([1, 0]), np.ones((3, 2)), np.ones((4, 3, 2))
    assert gate.backward(x, x, delta).sum(axis=(0, 1)).tolist() == [12, 0]


@DTYPES
@pytest.mark.parametrize("kind", [bool, int, np.float32, np.float64])
def test_a_gate_takes_the_dtype_of_its_network_whatever_its_mask_is_made_of(kind, dtype):
    given = Gate(np.array([1, 0, 1], kind))
    network = Network([Linear(2, 3), given, Linear(3, 1)], np.random.default_rng(0), dtype)
    a = network.forward(np.ones((4, 2)))
    assert {activation.dtype for activation in a} == {np.dtype(dtype)}
    assert not a[2][:, 1].any()
    gradient = network.backward(a, {-1: np.ones((4, 1))})
    assert gradient.dtype == dtype
    head = gradient[-4:]
    assert head[1] == 0
    assert head[[0, 2, 3]].all()
    assert not gradient[3:6].any()  # the silent unit's row


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        ([0.5, 1.0], r"^mask must hold zeros and ones, got \[0\.5, 1\.0\]"),
        ([1, 2], "^mask must hold zeros and ones"),
        ([-1, 1], "^mask must hold zeros and ones"),
        ([np.nan, 1], "^mask must hold zeros and ones"),
        ([np.inf], "^mask must hold zeros and ones"),
        ([], "^mask must be a non-empty vector"),
        (1, "^mask must be a non-empty vector"),
        ([[1, 0]], "^mask must be a non-empty vector"),
        (["1", "0"], "^mask must hold real numbers"),
        (None, "^mask must hold real numbers"),
    ],
    ids=lambda part: part.split()[0] if isinstance(part, str) else str(part),
)
def test_a_mask_that_is_not_zeros_and_ones_is_refused(mask, message):
    with pytest.raises((ValueError, TypeError), match=message):
        Gate(mask)


@pytest.mark.parametrize("layers", [[Linear(2, 3), Gate([1, 0])], [Gate([1, 0, 1]), Linear(2, 3)]])
def test_a_gate_of_another_width_than_its_neighbours_is_refused(layers):
    with pytest.raises(ValueError, match=r"wants \d inputs, but the layer before gives \d"):
        Network(layers, np.random.default_rng(0))


# How parameters begin

UNITS, WIDE = 4000, 6


def he(inputs, outputs):
    return stats.norm(0, (2 / inputs) ** 0.5), None


def glorot(inputs, outputs):
    bound = (6 / (inputs + outputs)) ** 0.5
    return stats.uniform(-bound, 2 * bound), None


def pytorch(inputs, outputs):
    bound = 1 / inputs**0.5
    return (stats.uniform(-bound, 2 * bound),) * 2


def zeros(inputs, outputs):
    return None, None


# The distributions of weights and of biases; None where all are zero
DISTRIBUTIONS = {"he": he, "glorot": glorot, "pytorch": pytorch, "zeros": zeros}

each_initialization = pytest.mark.parametrize("initialization", DISTRIBUTIONS)


def follows(values, distribution):
    """Assert that values look as if drawn from the distribution, or are all zero."""
    if distribution is None:
        assert not values.any()
        return
    assert stats.kstest(values.ravel(), distribution.cdf).pvalue > 0.01
    low, high = distribution.support()
    assert low <= values.min()
    assert values.max() <= high
    spread = values.std() / distribution.std()
    assert spread == pytest.approx(1, abs=0.02)


def single(initialization, units=UNITS, dtype="float64", seed=0, **options):
    layer = Linear(WIDE, units, initialization=initialization, **options)
    return Network([layer], np.random.default_rng(seed), dtype)


def test_every_initialization_is_tested():
    assert DISTRIBUTIONS.keys() == INITIALIZATIONS.keys()


@each_initialization
@pytest.mark.parametrize("bias", [True, False])
def test_parameters_begin_as_the_name_of_the_initialization_says(initialization, bias):
    head = single(initialization, bias=bias).layers[0]
    weights, biases = DISTRIBUTIONS[initialization](WIDE, UNITS)
    follows(head.W, weights)
    if bias:
        follows(head.b, biases)


@each_initialization
def test_units_of_a_new_class_begin_as_all_units_began(initialization):
    network = single(initialization, units=UNITS - 3000)
    network.grow(3000, np.random.default_rng(5))
    weights, biases = DISTRIBUTIONS[initialization](WIDE, UNITS)
    follows(network.layers[0].W[-3000:], weights)
    follows(network.layers[0].b[-3000:], biases)


@each_initialization
def test_a_head_without_units_grows_into_the_head_it_might_have_begun_as(initialization):
    network = single(initialization, units=0, seed=8)
    network.grow(4, np.random.default_rng(9))
    assert same_bits(network.theta, single(initialization, units=4, seed=9).theta)


@each_initialization
def test_the_same_seed_gives_the_same_bits(initialization):
    theta = single(initialization).theta
    assert same_bits(single(initialization).theta, theta)
    assert (single(initialization, seed=1).theta != theta).any() == (initialization != "zeros")


@each_initialization
def test_a_float32_network_begins_as_the_float64_network_rounded(initialization):
    theta = single(initialization, dtype="float32").theta
    assert same_bits(theta, single(initialization).theta.astype(np.float32))


def test_pytorch_is_what_a_layer_begins_with_unless_told():
    default = Network([Linear(WIDE, UNITS)], np.random.default_rng(0), "float64").theta
    assert same_bits(default, single("pytorch").theta)


BAD_COUNTS = [-1, 2.0, "2", None, True, np.True_, np.nan, [2], 2j]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("inputs", value) for value in BAD_COUNTS),
        *(("outputs", value) for value in BAD_COUNTS),
        *(("initialization", value) for value in ["He", "", None, 1, INITIALIZATIONS["he"], ["he"]]),
    ],
    ids=lambda part: getattr(part, "__name__", repr(part)[:20]),
)
def test_a_bad_argument_of_a_linear_layer_is_refused_by_name(name, value):
    with pytest.raises((ValueError, TypeError), match=rf"^{name} must be .*{re.escape(repr(value))}"):
        Linear(**{"inputs": 2, "outputs": 3, name: value})


def test_widths_may_be_integers_of_any_kind():
    layer = Linear(np.int64(2), np.uint8(3))
    assert repr(layer) == "Linear(2, 3)"
    assert layer.n_parameters == 9
