"""Network: gradients, the one flat θ, copies, growth, dtypes, and what is refused."""

import copy
import inspect
import pickle
import re
from itertools import pairwise

import autograd
import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra.numpy import arrays

from incrlearn import formulas
from incrlearn.formulas import losses
from incrlearn.network import ACTIVATIONS, Gate, Layer, Linear, Network, ReLU, Sigmoid, Tanh
from tests import oracles
from tests.oracles import agree, central_difference

from .cases import (
    INPUTS,
    LAYERS,
    NETWORKS,
    activations,
    anywhere,
    build,
    dense,
    each_network,
    entering,
    inputs,
    memory,
    n_parameters,
    same_bits,
)

RNG = np.random.default_rng
EIGHTHS = st.integers(-24, 24).map(lambda i: i / 8)


def random_like(a, data):
    """Draw a gradient of the shape of an activation."""
    return data.draw(arrays(np.float64, a.shape, elements=EIGHTHS))


# Gradients

TARGETS = {
    "squared_error": lambda rng, n, k: rng.normal(size=(n, k)),
    "cross_entropy": lambda rng, n, k: rng.integers(k, size=n),
    "binary_cross_entropy": lambda rng, n, k: rng.uniform(size=(n, k)),
}


def test_every_layer_and_every_loss_is_tested_in_a_network():
    tested = {type(layer) for layers in NETWORKS.values() for layer in layers()}
    assert tested == {type(make()) for make in LAYERS.values()}
    functions = inspect.getmembers(losses, inspect.isfunction)
    public = [(name, f) for name, f in functions if f.__module__ == losses.__name__ and name[0] != "_"]
    assert {name for name, f in public if len(inspect.signature(f).parameters) == 2} == TARGETS.keys()


@each_network
def test_forward_agrees_with_the_equations_layer_by_layer(name):
    network = build(name)
    x = inputs(network)
    a = network.forward(x)
    expected = activations(network, network.theta, x)
    assert isinstance(a, list)
    for actual, wanted in zip(a, expected, strict=True):
        agree(dense(actual), wanted, 1e-14)
    agree(a[0], x, 0)
    assert same_bits(network(x), a[-1])


@each_network
@pytest.mark.parametrize("loss", TARGETS)
def test_the_gradient_of_every_loss_agrees_with_autograd_and_with_differences(name, loss):
    network = build(name)
    x = inputs(network)
    a = network.forward(x)
    y = TARGETS[loss](RNG(3), *a[-1].shape)
    function, oracle = getattr(formulas, loss), getattr(oracles, loss)
    actual = network.backward(a, {-1: function(a[-1], y)[1]})
    theta = network.theta.copy()
    agree(actual, autograd.grad(lambda theta: oracle(activations(network, theta, x)[-1], y))(theta), 1e-10)

    def objective(values):
        network.theta = values
        return function(network(x), y)[0]

    agree(actual, central_difference(objective, theta, step=1e-4), 1e-8)


def by_autograd(network, x, gradients):
    """Return ∂/∂θ of Σₖ ⟨gradients[k], a[k]⟩, whose gradients at the activations are those given."""

    def objective(theta):
        a = activations(network, theta, x)
        entered = sum((a[k] * gradient).sum() for k, gradient in gradients.items())
        return entered + 0 * theta.sum()  # autograd warns of what does not depend on θ

    return autograd.grad(objective)(network.theta.copy())


@each_network
@pytest.mark.parametrize(
    "indices",
    [
        lambda a: anywhere(a),
        lambda a: range(1, len(a) - 1),
        lambda a: [-2],
        lambda a: [1, -1],
        lambda a: [-1, len(a) - 1],
        lambda a: [0],
        lambda a: [0, len(a) // 2],
    ],
    ids=[
        "everywhere",
        "inner ones",
        "the last but one",
        "two",
        "one twice",
        "the input",
        "the input as well",
    ],
)
def test_gradients_that_enter_anywhere_agree_with_autograd(name, indices):
    network = build(name)
    x = inputs(network)
    a = network.forward(x)
    gradients = entering(a, indices(a))
    agree(network.backward(a, gradients), by_autograd(network, x, gradients), 1e-10)


@each_network
def test_an_index_given_from_both_ends_adds_up(name):
    network = build(name)
    a = network.forward(inputs(network))
    for k in range(len(a)):
        g = entering(a, [k, k - len(a)])
        both = network.backward(a, {k: g[k] + g[k - len(a)]})
        agree(network.backward(a, g), both, 1e-13, floor=1)


def test_gradients_below_the_first_parameters_change_nothing():
    network = build("activations first")
    a = network.forward(inputs(network))
    below, above = entering(a, [0, 1, 2, -6]), entering(a, [4, -1])
    assert not network.backward(a, below).any()
    assert same_bits(network.backward(a, below | above), network.backward(a, above))


def test_layers_below_the_first_parameters_and_the_first_with_parameters_need_not_send_back():
    network = build("activations first")
    a = network.forward(inputs(network))
    gradients = entering(a, anywhere(a))
    expected = network.backward(a, gradients)
    for layer in network.layers[:3]:
        layer.backward = None
    assert same_bits(network.backward(a, gradients), expected)


def test_layers_above_the_highest_gradient_have_none():
    network = build("4 layers, Tanh")
    a = network.forward(inputs(network))
    gradient = network.backward(a, entering(a, [3]))
    used = sum(n_parameters(layer) for layer in network.layers[:3])
    assert gradient[:used].all()
    assert not gradient[used:].any()


@each_network
def test_without_entering_gradients_or_without_rows_the_gradient_is_zero(name):
    network = build(name)
    a = network.forward(inputs(network))
    no_rows = network.forward(np.empty((0, INPUTS)))
    zero = np.zeros_like(network.theta)
    assert same_bits(network.backward(a, {}), zero)
    assert same_bits(network.backward(no_rows, entering(no_rows, anywhere(no_rows))), zero)


@given(st.data())
def test_backward_is_linear_in_the_entering_gradients(data):
    network = build(data.draw(st.sampled_from(list(NETWORKS))))
    a = network.forward(inputs(network))
    j, k = (data.draw(st.sampled_from(anywhere(a))) for _ in range(2))
    s, t = data.draw(EIGHTHS), data.draw(EIGHTHS)
    first, second, at_k = random_like(a[j], data), random_like(a[j], data), random_like(a[k], data)

    def backward(gradients):
        return network.backward(a, gradients)

    one_place = s * backward({j: first}) + t * backward({j: second})
    agree(backward({j: s * first + t * second}), one_place, 1e-12, floor=1)
    if j != k:
        agree(backward({j: first, k: at_k}), backward({j: first}) + backward({k: at_k}), 1e-12, floor=1)


class Scale(Layer):
    """A layer as a user writes one: y = s x, with one s for each column."""

    inputs = n_parameters = 3

    def bind(self, theta):
        self.s = theta

    def initialize(self, rng):
        self.s[:] = rng.uniform(1, 2, 3)

    def forward(self, x):
        return x * self.s

    def backward(self, x, y, delta):
        return delta * self.s

    def gradient(self, x, delta, out):
        out[:] = (delta * x).sum(axis=0)


def test_a_layer_of_one_s_own_needs_no_more_than_the_package_s():
    network = Network([Linear(INPUTS, 3), Scale(), Tanh(), Scale(), Linear(3, 2)], RNG(0), "float64")
    assert len(network.theta) == 15 + 3 + 3 + 8
    assert network.theta[15:18].min() >= 1
    a = network.forward(inputs(network))
    g = entering(a, [-1])[-1]
    theta = network.theta.copy()
    twin = pickle.loads(pickle.dumps(network))

    def objective(values):
        twin.theta = values
        return (twin(a[0]) * g).sum()

    agree(network.backward(a, {-1: g}), central_difference(objective, theta), 1e-8)
    agree(network.sum_over_samples(np.square, a, {-1: g}), by_loop(network, np.square, a, {-1: g}), 1e-12)


# Stateless


@each_network
def test_a_forward_pass_of_other_data_in_between_changes_nothing(name):
    network = build(name)
    x, other = inputs(network), inputs(network, n=7, seed=9)
    a = network.forward(x)
    gradients = entering(a, anywhere(a))
    expected = network.backward(a, gradients)
    a = network.forward(x)
    b = network.forward(other)
    network(other)
    network.backward(b, entering(b, anywhere(b)))
    assert same_bits(network.backward(a, gradients), expected)


@each_network
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_inputs_activations_gradients_and_parameters_are_not_modified(name, dtype):
    network = build(name, dtype)
    kept = list(vars(network))
    x = inputs(network).astype(dtype)
    x.flags.writeable = False
    theta = network.theta.copy()
    a = network.forward(x)
    gradients = {k: g.astype(dtype) for k, g in entering(a, anywhere(a)).items()}
    for array in [*map(memory, a), *gradients.values()]:
        array.flags.writeable = False
    network(x)
    results = [network.backward(a, gradients)]
    results += [network.sum_over_samples(of, a, gradients) for of in (np.abs, np.square)]
    assert same_bits(network.theta, theta)
    assert list(vars(network)) == kept
    given = [network.theta, *map(memory, a), *gradients.values()]
    for result in results:
        assert not any(np.shares_memory(result, array) for array in given)


@each_network
def test_a_batch_is_its_rows_and_its_gradient_the_sum_of_theirs(name):
    network = build(name)
    x = inputs(network)
    a = network.forward(x)
    gradients = entering(a, anywhere(a))
    singles = [network.forward(row) for row in x[:, None]]
    for k, activation in enumerate(a):
        agree(dense(activation), np.concatenate([dense(single[k]) for single in singles]), 1e-14)
    summed = sum(
        network.backward(single, {k: g[i : i + 1] for k, g in gradients.items()})
        for i, single in enumerate(singles)
    )
    agree(network.backward(a, gradients), summed, 1e-13)


# Sums over samples


def by_loop(network, of, a, gradients):
    """Return Σᵢ of(∂Lᵢ/∂θ), sample by sample."""
    return sum(
        of(
            network.backward(
                [activation[i : i + 1] for activation in a],
                {k: gradient[i : i + 1] for k, gradient in gradients.items()},
            )
        )
        for i in range(len(a[0]))
    )


@each_network
@pytest.mark.parametrize("of", [np.abs, np.square])
@pytest.mark.parametrize("indices", [lambda a: [-1], anywhere], ids=["logits", "everywhere"])
def test_the_sum_over_samples_is_that_of_a_loop_over_samples(name, of, indices):
    network = build(name)
    a = network.forward(inputs(network, n=6))
    gradients = entering(a, indices(a))
    actual = network.sum_over_samples(of, a, gradients)
    agree(actual, by_loop(network, of, a, gradients), 1e-12)
    whole_batch = of(network.backward(a, gradients))
    assert not np.allclose(actual, whole_batch)


@pytest.mark.parametrize(
    "of", [abs, np.sqrt, np.sum, lambda g: g * g, "square", None], ids=lambda of: str(of)[:12]
)
def test_the_sum_over_samples_of_any_other_function_is_refused(of):
    network = build("1 layer")
    a = network.forward(inputs(network))
    with pytest.raises(ValueError, match=r"^of must be numpy.abs or numpy.square"):
        network.sum_over_samples(of, a, entering(a, [-1]))


def several(a, k, objectives=3, seed=7):
    """Return random gradients of several objectives of every sample at a[k]."""
    return RNG(seed).normal(size=(objectives, *a[k].shape))


@each_network
@pytest.mark.parametrize("of", [np.abs, np.square])
@pytest.mark.parametrize("objectives", [1, 2, 5])
def test_several_objectives_a_sample_are_the_sum_over_them_one_by_one(name, of, objectives):
    network = build(name)
    a = network.forward(inputs(network, n=6))
    gradients = several(a, -1, objectives)
    one_by_one = [by_loop(network, of, a, {-1: gradient}) for gradient in gradients]
    agree(network.sum_over_samples(of, a, {-1: gradients}), sum(one_by_one), 1e-12)


@each_network
@pytest.mark.parametrize("of", [np.abs, np.square])
def test_what_enters_elsewhere_has_as_many_objectives_or_belongs_to_each(name, of):
    network = build(name)
    a = network.forward(inputs(network))
    k = len(a) // 2
    at_the_end, there = several(a, -1), several(a, k, seed=8)
    both = network.sum_over_samples(of, a, {-1: at_the_end, k: there})
    agree(
        both,
        sum(by_loop(network, of, a, {-1: g, k: h}) for g, h in zip(at_the_end, there, strict=True)),
        1e-12,
    )
    each = network.sum_over_samples(of, a, {-1: at_the_end, k: there[0]})
    agree(each, sum(by_loop(network, of, a, {-1: g, k: there[0]}) for g in at_the_end), 1e-12)


def test_several_objectives_are_not_one_whose_gradient_is_their_sum():
    network = build("3 layers, ReLU")
    a = network.forward(inputs(network))
    gradients = several(a, -1)
    one = network.sum_over_samples(np.square, a, {-1: gradients.sum(axis=0)})
    assert not np.allclose(network.sum_over_samples(np.square, a, {-1: gradients}), one)


@each_network
def test_several_objectives_in_float32_are_close_to_those_in_float64(name):
    narrow, wide = build(name, "float32"), build(name)
    wide.theta = narrow.theta
    x = inputs(wide).astype(np.float32)
    a, b = narrow.forward(x), wide.forward(x)
    gradients = {-1: several(b, -1)}
    result = narrow.sum_over_samples(np.square, a, gradients)
    assert result.dtype == np.float32
    agree(result, wide.sum_over_samples(np.square, b, gradients), 2e-5)


@pytest.mark.parametrize("shape", [(0, 5, 3), (2, 4, 3), (2, 5, 2), (2, 15), (2, 1, 5, 3), (5,)], ids=str)
def test_objectives_of_another_shape_are_refused(shape):
    network = build("2 layers, Tanh")
    a = network.forward(inputs(network))
    with pytest.raises(ValueError, match=r"^gradients\[-1\] has shape .*a\[-1\] has shape \(5, 3\)"):
        network.sum_over_samples(np.square, a, {-1: np.ones(shape)})


def test_a_gradient_is_of_one_objective_only():
    network = build("2 layers, Tanh")
    a = network.forward(inputs(network))
    for backward in (network.backward, network.backward_to_input):
        with pytest.raises(ValueError, match=r"^gradients\[-1\] has shape \(2, 5, 3\)"):
            backward(a, {-1: np.ones((2, 5, 3))})


# Down to the input


def at_the_input(network, x, gradients):
    """Return ∂/∂x of Σₖ ⟨gradients[k], a[k]⟩ by autograd."""
    theta = network.theta.copy()

    def objective(x):
        a = activations(network, theta, x)
        return sum((a[k] * gradient).sum() for k, gradient in gradients.items()) + 0 * x.sum()

    return autograd.grad(objective)(x)


@each_network
@pytest.mark.parametrize("indices", [lambda a: [-1], anywhere, lambda a: [0, -1]], ids=["logits", "all", "x"])
def test_the_gradient_at_the_input_agrees_with_autograd_and_with_differences(name, indices):
    network = build(name)
    x = inputs(network)
    a = network.forward(x)
    gradients = entering(a, indices(a))
    gradient, at_x = network.backward_to_input(a, gradients)
    assert same_bits(gradient, network.backward(a, gradients))
    agree(at_x, at_the_input(network, x, gradients), 1e-10, floor=1e-3)

    def objective(x):
        there = network.forward(x)
        return sum((dense(there[k]) * gradient).sum() for k, gradient in gradients.items())

    agree(at_x, central_difference(objective, x, step=1e-4), 1e-8, floor=1e-3)


@each_network
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_gradient_at_the_input_is_in_the_network_s_dtype_and_modifies_nothing(name, dtype):
    network = build(name, dtype)
    x = inputs(network).astype(dtype)
    theta = network.theta.copy()
    a = network.forward(x)
    gradients = {k: g.astype(dtype) for k, g in entering(a, anywhere(a)).items()}
    for array in [*map(memory, a), *gradients.values()]:
        array.flags.writeable = False
    gradient, at_x = network.backward_to_input(a, gradients)
    assert gradient.dtype == at_x.dtype == dtype
    assert at_x.shape == x.shape
    assert same_bits(network.theta, theta)


@each_network
def test_where_nothing_enters_the_gradient_at_the_input_is_zero(name):
    network = build(name)
    a = network.forward(inputs(network))
    gradient, at_x = network.backward_to_input(a, {})
    assert not gradient.any()
    assert same_bits(at_x, np.zeros((5, INPUTS)))


def test_a_network_behind_another_sends_its_gradient_back_into_it():
    first, second = build("2 layers, Tanh"), Network.mlp(3, 4, 2, rng=RNG(4), dtype="float64")
    whole = Network([*first.layers, *second.layers], RNG(0), "float64")
    whole.theta = np.concatenate([first.theta, second.theta])
    x = inputs(first)
    g = RNG(1).normal(size=(5, 2))
    a = first.forward(x)
    behind, between = second.backward_to_input(second.forward(a[-1]), {-1: g})
    expected = whole.backward(whole.forward(x), {-1: g})
    agree(np.concatenate([first.backward(a, {-1: between}), behind]), expected, 1e-13)


# One flat θ


def linear_layers(network):
    return [layer for layer in network.layers if isinstance(layer, Linear)]


def has_working_views(network):
    """Assert that θ is one contiguous vector, and all weights and biases are views into it."""
    theta = network.theta
    assert theta.ndim == 1
    assert theta.flags.c_contiguous
    for layer in linear_layers(network):
        assert np.shares_memory(layer.W, theta)
        assert not layer.bias or np.shares_memory(layer.b, theta)
    x = inputs(network)
    theta[:] = RNG(6).normal(size=len(theta))
    agree(network(x), activations(network, theta, x)[-1], 1e-14 if theta.dtype == np.float64 else 1e-5)


@each_network
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_writing_theta_changes_the_layers(name, dtype):
    network = build(name, dtype)
    assert len(network.theta) == sum(n_parameters(layer) for layer in network.layers)
    has_working_views(network)


def test_a_unit_is_a_row_of_weights_and_a_bias_and_the_head_comes_last():
    network = Network([Linear(2, 2), ReLU(), Linear(2, 1, bias=False)], RNG(0))
    network.theta = np.arange(8)
    first, _, head = network.layers
    agree(first.W, [[0, 1], [3, 4]], 0)
    agree(first.b, [2, 5], 0)
    agree(head.W, [[6, 7]], 0)
    assert head.b is None


def test_writing_a_weight_changes_theta():
    network = build("2 layers, Tanh")
    network.layers[-1].W[-1, -1] = 7
    network.layers[-1].b[-1] = 8
    agree(network.theta[-2:], [7, 8], 0)


@each_network
def test_assigning_theta_copies_the_values_into_the_same_memory(name):
    network = build(name)
    memory, values = network.theta, RNG(1).normal(size=len(network.theta))
    network.theta = values
    assert network.theta is memory
    assert same_bits(memory, values)
    assert not np.shares_memory(memory, values)
    network.theta = values.tolist()
    network.theta -= values
    assert network.theta is memory
    assert not memory.any()


def test_theta_keeps_its_dtype_whatever_is_assigned():
    network = build("1 layer", "float32")
    values = RNG(1).normal(size=len(network.theta))
    network.theta = values
    assert same_bits(network.theta, values.astype(np.float32))


COPIES = {
    "copy": Network.copy,
    "deepcopy": copy.deepcopy,
    "pickle": lambda network: pickle.loads(pickle.dumps(network)),
    "twice": lambda network: pickle.loads(pickle.dumps(network.copy())),
}
each_copy = pytest.mark.parametrize("duplicate", COPIES.values(), ids=COPIES)


@each_network
@each_copy
def test_a_copy_is_the_same_network_and_shares_nothing(name, duplicate):
    network = build(name, "float32")
    x = inputs(network)
    theta, logits = network.theta.copy(), network(x)
    twin = duplicate(network)
    assert repr(twin) == repr(network)
    assert same_bits(twin.theta, theta)
    assert same_bits(twin(x), logits)
    has_working_views(twin)
    assert same_bits(network.theta, theta)
    assert same_bits(network(x), logits)
    there = twin(x)
    has_working_views(network)
    network.theta = np.zeros_like(theta)
    assert same_bits(twin(x), there)


@each_copy
def test_a_copy_does_not_grow_with_the_original(duplicate):
    network = build("2 layers, Tanh")
    x = inputs(network)
    twin, logits = duplicate(network), network(x)
    network.grow(2, RNG(1))
    assert same_bits(twin(x), logits)
    twin.grow(1, RNG(1))
    assert (network.outputs, twin.outputs) == (5, 4)
    has_working_views(network)
    has_working_views(twin)


@each_copy
def test_a_copy_has_gradients_of_its_own(duplicate):
    network = build("3 layers, ReLU")
    twin = duplicate(network)
    network.theta = np.zeros_like(network.theta)
    x = inputs(twin)
    a = twin.forward(x)
    gradients = entering(a, anywhere(a))
    agree(twin.backward(a, gradients), by_autograd(twin, x, gradients), 1e-10)


@each_network
def test_becoming_another_network_takes_over_all_it_was(name):
    network, other = build("2 layers, Tanh", "float32"), build(name, seed=5)
    x = inputs(other)
    shown, theta, logits = repr(other), other.theta.copy(), other(x)
    assert network.become(other) is None
    assert repr(network) == shown
    assert same_bits(network.theta, theta)
    assert same_bits(network(x), logits)
    a = network.forward(x)
    gradients = entering(a, anywhere(a))
    agree(network.backward(a, gradients), by_autograd(network, x, gradients), 1e-10)
    has_working_views(network)


# Over another θ


@each_network
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_network_over_another_theta_reads_and_changes_that_very_vector(name, dtype):
    network = build(name, dtype)
    x, own = inputs(network), network.theta.copy()
    theta = RNG(3).normal(size=len(own)).astype(dtype)
    values = theta.copy()
    other = network.over(theta)
    assert other.theta is theta
    assert same_bits(theta, values)
    assert same_bits(network.theta, own)
    agree(other(x), activations(network, values, x)[-1], 1e-14 if dtype == "float64" else 1e-5)
    other.theta = 2 * values
    assert same_bits(theta, 2 * values)
    has_working_views(other)
    has_working_views(network)


def test_networks_over_one_theta_learn_together():
    network = build("3 layers, ReLU")
    x = inputs(network)
    other = network.over(network.theta)
    assert same_bits(other(x), network(x))
    other.layers[-1].b[:] = 7
    assert (network.layers[-1].b == 7).all()
    network.theta *= 0.5
    assert same_bits(other(x), network(x))
    assert other.layers[-1] is not network.layers[-1]


def test_a_vector_may_be_a_part_of_a_longer_one():
    network = build("2 layers, Tanh")
    n = len(network.theta)
    both = np.concatenate([network.theta, 2 * network.theta])
    halves = [network.over(both[:n]), network.over(both[n:])]
    x = inputs(network)
    assert same_bits(halves[0](x), network(x))
    agree(halves[1](x), activations(network, 2 * network.theta, x)[-1], 1e-14)
    halves[1].theta = np.zeros(n)
    assert both[:n].all()
    assert not both[n:].any()


def gated(network, *masks):
    """Return the layers of a perceptron with a gate behind every activation."""
    gates, layers = iter(masks), []
    for layer in network.layers:
        layers += [layer] if isinstance(layer, Linear) else [layer, Gate(next(gates))]
    return layers


def test_layers_without_parameters_may_be_put_between():
    network = build("3 layers, Tanh")
    theta = network.theta
    one = network.over(theta, gated(network, [1, 1, 0, 0, 0], [1, 1, 0]))
    other = network.over(theta, gated(network, [0, 0, 1, 1, 1], [0, 1, 1]))
    x = inputs(network)
    for view in (one, other):
        a = view.forward(x)
        gradients = entering(a, anywhere(a))
        agree(view(x), activations(view, theta, x)[-1], 1e-14)
        agree(view.backward(a, gradients), by_autograd(view, x, gradients), 1e-10)
        assert view.theta is network.theta
    assert not np.allclose(one(x), other(x))
    assert len(network.layers) == 5
    step = one.backward(one.forward(x), {-1: np.ones((5, 3))})
    head = network.layers[-1]
    unheard = step[-3 * (head.inputs + 1) :].reshape(3, -1)[:, 2]
    assert not unheard.any()  # what only the other one hears


def test_a_copy_of_a_network_over_a_theta_has_its_own():
    network = build("2 layers, Tanh")
    for duplicate in COPIES.values():
        twin = duplicate(network.over(network.theta))
        assert not np.shares_memory(twin.theta, network.theta)
        has_working_views(twin)


@pytest.mark.parametrize(
    ("theta", "layers", "message"),
    [
        (np.ones(43), None, "^theta must be an array of float32, got float64"),
        ([1.0] * 43, None, "^theta must be an array of float32, got list"),
        (None, None, "^theta must be an array of float32, got NoneType"),
        (np.ones(42, np.float32), None, r"^theta has shape \(42,\), but the network's theta has"),
        (np.ones((43, 1), np.float32), None, r"^theta has shape \(43, 1\)"),
        (np.ones(43, np.float32), [Linear(4, 5)], "^layers have 25 parameters, but theta has 43"),
        (np.ones(43, np.float32), [Linear(4, 5), Linear(5, 3), Linear(3, 1)], "^layers have 47 param"),
        (np.ones(43, np.float32), [Linear(4, 5), Gate([1]), Linear(5, 3)], r"wants 1 inputs, .* gives 5"),
        (np.ones(43, np.float32), [Linear(4, 5), np.tanh], r"^layers\[1\] must be a Layer"),
        (np.ones(43, np.float32), [], "^layers must be a non-empty list"),
    ],
    ids=lambda part: str(part)[:30],
)
def test_a_theta_or_layers_that_do_not_fit_are_refused(theta, layers, message):
    network = Network.mlp(4, 5, 3, rng=RNG(0))
    before = network.theta.copy()
    with pytest.raises((ValueError, TypeError), match=message):
        network.over(theta, layers)
    assert same_bits(network.theta, before)


# Beginning anew


@each_network
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_network_initialized_anew_is_the_one_it_might_have_begun_as(name, dtype):
    network, other = build(name, dtype), build(name, dtype, seed=9)
    vector, x = network.theta, inputs(network)
    assert network.initialize(RNG(9)) is None
    assert network.theta is vector
    assert same_bits(vector, other.theta)
    assert same_bits(network(x), other(x))


def test_a_network_that_has_grown_is_initialized_as_a_whole():
    network = Network.mlp(4, 3, 0, rng=RNG(0))
    network.grow(2, RNG(1))
    network.initialize(RNG(2))
    assert same_bits(network.theta, Network.mlp(4, 3, 2, rng=RNG(2)).theta)


@pytest.mark.parametrize(
    "rng", [None, 0, np.random, RNG, np.random.RandomState(0)], ids=lambda rng: repr(rng)[:20]
)
def test_a_network_is_not_initialized_without_a_generator(rng):
    network = build("1 layer")
    before = network.theta.copy()
    with pytest.raises(TypeError, match=r"^rng must be a numpy.random.Generator"):
        network.initialize(rng)
    assert same_bits(network.theta, before)


# Growth

GROWING = [name for name in NETWORKS if name != "activations last"]
each_growing = pytest.mark.parametrize("name", GROWING)


@each_growing
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_new_class_keeps_every_old_parameter_in_place(name, dtype):
    network = build(name, dtype)
    x = inputs(network)
    old, logits, classes = network.theta.copy(), network(x), network.outputs
    assert network.grow(2, RNG(1)) is None
    head = network.layers[-1]
    assert same_bits(network.theta[: len(old)], old)
    assert len(network.theta) == len(old) + 2 * (head.inputs + head.bias)
    assert (network.outputs, head.outputs, network(x).shape) == (classes + 2, classes + 2, (5, classes + 2))
    agree(network(x)[:, :classes], logits, 1e-14 if dtype == "float64" else 1e-6)
    has_working_views(network)


@each_growing
def test_gradients_of_a_grown_network_agree_with_autograd(name):
    network = build(name)
    network.grow(2, RNG(1))
    x = inputs(network)
    a = network.forward(x)
    gradients = entering(a, anywhere(a))
    agree(network.backward(a, gradients), by_autograd(network, x, gradients), 1e-10)
    agree(
        network.sum_over_samples(np.abs, a, gradients),
        by_loop(network, np.abs, a, gradients),
        1e-12,
    )


@pytest.mark.parametrize("widths", [(INPUTS, 0), (INPUTS, 5, 0), (INPUTS, 5, 3, 0)], ids=str)
def test_a_head_may_begin_without_a_class(widths):
    network = Network.mlp(*widths, rng=RNG(0), activation="tanh", dtype="float64")
    x = inputs(network)
    a = network.forward(x)
    assert (network.outputs, a[-1].shape) == (0, (5, 0))
    assert same_bits(network.backward(a, {-1: a[-1]}), np.zeros_like(network.theta))
    old = network.theta.copy()
    for classes in (1, 2, 3):
        network.grow(1, RNG(classes))
        assert network.outputs == classes
        assert same_bits(network.theta[: len(old)], old)
    a = network.forward(x)
    gradients = entering(a, anywhere(a))
    agree(network.backward(a, gradients), by_autograd(network, x, gradients), 1e-10)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_growing_draws_from_the_given_generator_alone(dtype):
    first, second = RNG(0), RNG(0)
    network, other = (Network.mlp(4, 3, 2, rng=rng, dtype=dtype) for rng in (first, second))
    second.normal(size=3)
    state, everyones = first.bit_generator.state, np.random.get_state()  # noqa: NPY002
    given_one = RNG(1)
    network.grow(3, given_one)
    other.grow(3, RNG(1))
    assert same_bits(network.theta, other.theta)
    assert first.bit_generator.state == state
    assert str(np.random.get_state()) == str(everyones)  # noqa: NPY002
    assert given_one.bit_generator.state != RNG(1).bit_generator.state


def test_a_float32_network_grows_as_the_float64_network_rounded():
    narrow, wide = build("2 layers, ReLU", "float32"), build("2 layers, ReLU")
    for network in (narrow, wide):
        network.grow(4, RNG(1))
    assert same_bits(narrow.theta, wide.theta.astype(np.float32))


# Numbers


@each_network
def test_float32_is_kept_and_close_to_float64(name):
    narrow, wide = build(name, "float32"), build(name)
    wide.theta = narrow.theta
    x = inputs(wide).astype(np.float32)
    a, b = narrow.forward(x), wide.forward(x)
    gradients = entering(b, anywhere(b))
    start = int(wide.layers[0].any_dtype)  # a layer that standardizes takes x as it comes
    results = [narrow.theta, *a[start:], narrow(x), narrow.backward(a, gradients)]
    wide_results = [wide.theta, *b[start:], wide(x), wide.backward(b, gradients)]
    for of in (np.abs, np.square):
        results.append(narrow.sum_over_samples(of, a, gradients))
        wide_results.append(wide.sum_over_samples(of, b, gradients))
    for result, expected in zip(results, wide_results, strict=True):
        assert result.dtype == np.float32
        assert expected.dtype == np.float64
        agree(dense(result), dense(expected), 2e-5)
    rounded = {k: g.astype(np.float32) for k, g in gradients.items()}
    assert same_bits(narrow.backward(a, gradients), narrow.backward(a, rounded))


@pytest.mark.parametrize(
    ("dtype", "expected"),
    [
        ("float32", "float32"),
        (np.float32, "float32"),
        (np.dtype("float32"), "float32"),
        ("float64", "float64"),
        (np.float64, "float64"),
        (float, "float64"),
    ],
    ids=str,
)
def test_float64_is_had_on_request(dtype, expected):
    for network in (Network([Linear(2, 1)], RNG(0), dtype), Network.mlp(2, 1, rng=RNG(0), dtype=dtype)):
        assert network.dtype == network.theta.dtype == network(np.ones((1, 2))).dtype == expected


def test_float32_is_had_without_request():
    assert Network([Linear(2, 1)], RNG(0)).theta.dtype == np.float32
    assert Network.mlp(2, 1, rng=RNG(0)).theta.dtype == np.float32


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    "convert",
    [
        np.ndarray.tolist,
        np.asfortranarray,
        *(lambda x, kind=kind: x.astype(kind) for kind in (np.uint8, np.int64, np.float32, np.float64)),
        lambda x: np.repeat(x, 2, axis=0)[::2],
    ],
    ids=["lists", "columns first", "uint8", "int64", "float32", "float64", "every other row"],
)
def test_rows_may_be_lists_and_numbers_of_any_kind(convert, dtype):
    network = build("2 layers, Tanh", dtype)
    x = np.array([[1.0, 0.0, 3.0, 2.0], [0.0, 5.0, 1.0, 0.0]])
    a = network.forward(convert(x))
    expected = network.forward(x.astype(dtype))
    for actual, wanted in zip(a, expected, strict=True):
        assert actual.dtype == dtype
        agree(actual, wanted, 1e-14 if dtype == "float64" else 1e-6)
    agree(network(convert(x)), expected[-1], 1e-14 if dtype == "float64" else 1e-6)
    gradients = entering(a, [-1])
    assert same_bits(
        network.backward(a, {-1: gradients[-1].tolist()}), network.backward(a, {-1: gradients[-1]})
    )


# How a network is made and shown


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("widths", [(4, 3), (4, 5, 3), (4, 5, 2, 3)], ids=str)
def test_mlp_puts_an_activation_between_linear_layers(activation, widths):
    layers = []
    for pair in pairwise(widths):
        layers += [Linear(*pair, initialization="he"), ACTIVATIONS[activation]()]
    by_hand = Network(layers[:-1], RNG(4), "float64")
    network = Network.mlp(*widths, rng=RNG(4), activation=activation, initialization="he", dtype="float64")
    assert repr(network) == repr(by_hand)
    assert same_bits(network.theta, by_hand.theta)
    assert (network.inputs, network.outputs) == (widths[0], widths[-1])


def test_mlp_has_relu_and_the_weights_of_pytorch_unless_told():
    network = Network.mlp(4, 5, 3, rng=RNG(0))
    assert repr(network) == "Network([Linear(4, 5), ReLU(), Linear(5, 3)]), 43 parameters, float32"
    assert {layer.initialization for layer in linear_layers(network)} == {"pytorch"}


@pytest.mark.parametrize(
    ("layers", "widths"),
    [
        ([Linear(2, 3)], (2, 3)),
        ([Tanh(), Linear(2, 3), Tanh()], (2, 3)),
        ([Tanh()], (None, None)),
        ([Linear(2, 0)], (2, 0)),
    ],
    ids=str,
)
def test_a_network_knows_its_widths_where_a_layer_says(layers, widths):
    network = Network(layers, RNG(0))
    assert (network.inputs, network.outputs) == widths


def test_a_network_without_parameters_has_an_empty_theta():
    network = Network([Tanh(), Sigmoid()], RNG(0))
    a = network.forward(np.ones((2, 3)))
    assert network.theta.shape == (0,)
    assert network.backward(a, {-1: a[-1]}).shape == (0,)
    assert network.copy().theta.shape == (0,)


def test_layers_may_come_from_any_iterable():
    layers = [Linear(2, 3), ReLU()]
    network = Network(iter(layers), RNG(0))
    assert repr(network.layers) == repr(layers)
    assert network.layers is not layers


def test_layers_may_serve_as_the_model_of_several_networks():
    layers = [Linear(2, 1)]
    one, other = Network(layers, RNG(0)), Network(layers, RNG(1))
    one.theta = np.zeros(3)
    assert one.layers[0] is not other.layers[0]
    assert (one(np.ones((1, 2))) == 0).all()
    assert (other(np.ones((1, 2))) != 0).all()


@pytest.mark.parametrize(
    ("x", "message"), [(np.ones((3, 5)), "x has 5 features"), (np.ones(2), "x must have")]
)
def test_rows_of_another_width_are_refused_by_name(x, message):
    network = Network([Linear(2, 1)], RNG(0))
    for use in (network, network.forward):
        with pytest.raises(ValueError, match=message):
            use(x)


def test_a_pickle_holds_the_parameters_once():
    network = Network.mlp(100, 100, 10, rng=RNG(0))
    assert len(pickle.dumps(network)) < 1.2 * network.theta.nbytes


# Bad input

BAD_RNGS = [None, 0, np.random, RNG, np.random.RandomState(0), "0"]
BAD_DTYPES = ["float16", "int32", "complex64", ">f4", "banana", int, object, "", 32, np.longdouble, None]
BAD_NAMES = ["Relu", "", None, 1, ReLU, ["relu"]]
BAD_UNITS = [0, -1, 1.0, "1", None, True, np.nan]
BAD_ARGUMENTS = {
    "rng": BAD_RNGS,
    "dtype": BAD_DTYPES,
    "activation": BAD_NAMES,
    "initialization": BAD_NAMES,
}


@pytest.mark.parametrize(
    ("name", "value"),
    [(name, value) for name, values in BAD_ARGUMENTS.items() for value in values],
    ids=lambda part: repr(part)[:20],
)
def test_a_bad_argument_is_refused_by_name(name, value):
    makers = [lambda **options: Network.mlp(2, 1, **options)]
    if name in ("rng", "dtype"):
        makers.append(lambda **options: Network([Linear(2, 1)], **options))
    for make in makers:
        with pytest.raises((ValueError, TypeError), match=f"^{name} must be .*got {re.escape(repr(value))}"):
            make(**{"rng": RNG(0), name: value})


def refused(*cases):
    """Run a test for every (call, message)."""
    return pytest.mark.parametrize(("call", "message"), cases, ids=[message for _, message in cases])


def of_layers(*layers):
    return lambda: Network(list(layers), RNG(0))


def of_widths(*widths):
    return lambda: Network.mlp(*widths, rng=RNG(0))


twice = Linear(2, 2)


@refused(
    (of_layers(), "^layers must be a non-empty list"),
    (of_layers(twice, twice), "^layers must be .* no layer stands twice"),
    (of_layers(twice, Tanh(), twice), "^layers must be .* no layer stands twice"),
    (of_layers(Linear(2, 1), np.tanh), r"^layers\[1\] must be a Layer, got <ufunc 'tanh'>"),
    (of_layers(Linear(2, 1), Tanh), r"^layers\[1\] must be a Layer, got <class"),
    (of_layers(None), r"^layers\[0\] must be a Layer, got None"),
    (of_layers(*"ab"), r"^layers\[0\] must be a Layer, got 'a'"),
    (of_layers(Linear(2, 3), Linear(2, 1)), r"Linear\(2, 1\) wants 2 inputs, .* gives 3"),
    (of_layers(Linear(2, 3), Tanh(), Linear(4, 1)), r"Linear\(4, 1\) wants 4 inputs, .* gives 3"),
    (of_layers(Linear(2, 0), Linear(1, 1)), r"Linear\(1, 1\) wants 1 inputs, .* gives 0"),
    (of_widths(), r"^widths must be at least two, inputs and outputs, got \(\)"),
    (of_widths(3), r"^widths must be at least two, inputs and outputs, got \(3,\)"),
    (of_widths(-1, 3), "^inputs must be a whole number ≥ 0, got -1"),
    (of_widths(4, -1, 3), "^outputs must be a whole number ≥ 0, got -1"),
    (of_widths(4, 3.0), r"^outputs must be a whole number, got 3\.0"),
    (of_widths(4, True), "^outputs must be a whole number, got True"),
    (of_widths([4, 3], 2), r"^inputs must be a whole number, got \[4, 3\]"),
)
def test_a_network_that_cannot_be_is_refused_with_the_reason(call, message):
    with pytest.raises((ValueError, TypeError), match=message):
        call()


def grow(units=1, rng=None):
    return lambda network, a: network.grow(units, rng)


def backward(gradients):
    """Send back gradients of the shapes of the activations, or the arrays given."""
    return lambda network, a: network.backward(a, gradients(a))


def assign(values):
    return lambda network, a: setattr(network, "theta", values)


BAD_LOGITS = [np.ones((5, 4)), np.ones((4, 3)), np.ones(3), np.ones((1, 3)), np.ones((5, 1)), 1.0, []]
BAD_THETAS = [np.ones(42), np.ones(44), np.ones((43, 1)), np.ones((1, 43)), 1.0, [], [1.0]]


@refused(
    *((grow(units, RNG(0)), "^units must be a whole number") for units in BAD_UNITS),
    *((grow(1, rng), "^rng must be a numpy.random.Generator") for rng in BAD_RNGS),
    *(
        (backward(lambda a, k=k: {k: a[0]}), f"^gradients has index {k}, but there are 4")
        for k in (4, -5, 99)
    ),
    *((backward(lambda a, g=g: {-1: g}), r"^gradients\[-1\] has .*a\[-1\] has shape") for g in BAD_LOGITS),
    (
        backward(lambda a: {1: a[1], 2: a[0]}),
        r"^gradients\[2\] has shape \(5, 4\), but a\[2\] has shape \(5, 5\)",
    ),
    (lambda network, a: network.backward(a[:-1], {0: a[0]}), "^a must hold 4 activations, got 3"),
    (lambda network, a: network.backward([*a, a[-1]], {-1: a[-1]}), "^a must hold 4 activations, got 5"),
    (lambda network, a: network.backward([], {}), "^a must hold 4 activations, got 0"),
    (lambda network, a: network.sum_over_samples(np.abs, a[1:], {}), "^a must hold 4 activations, got 3"),
    (lambda network, a: network.sum_over_samples(np.abs, a, {4: a[-1]}), "^gradients has index 4"),
    (lambda network, a: network.sum_over_samples(np.abs, a, {-1: a[0]}), r"^gradients\[-1\] has shape"),
    *((assign(values), r"^theta has shape .*network's theta has shape \(43,\)") for values in BAD_THETAS),
)
def test_a_refused_call_says_why_and_changes_nothing(call, message):
    network = Network.mlp(4, 5, 3, rng=RNG(0))
    a = network.forward(RNG(1).normal(size=(5, 4)))
    shown, memory, theta = repr(network), network.theta, network.theta.copy()
    with pytest.raises((ValueError, TypeError), match=message):
        call(network, a)
    assert repr(network) == shown
    assert network.theta is memory
    assert same_bits(memory, theta)
    assert same_bits(network(a[0]), a[-1])


@pytest.mark.parametrize("units", BAD_UNITS)
def test_a_refused_growth_draws_nothing(units):
    network, rng = build("1 layer"), RNG(1)
    with pytest.raises((ValueError, TypeError), match=r"^units"):
        network.grow(units, rng)
    assert rng.bit_generator.state == RNG(1).bit_generator.state


@pytest.mark.parametrize("layers", [[Linear(4, 3), Sigmoid()], [Tanh()]], ids=str)
def test_only_a_linear_head_can_grow(layers):
    network = Network(layers, RNG(0))
    theta = network.theta.copy()
    with pytest.raises(ValueError, match=rf"only a Linear head can grow.* {re.escape(repr(layers[-1]))}"):
        network.grow(1, RNG(0))
    assert same_bits(network.theta, theta)


def test_a_refused_network_leaves_the_layers_of_another_alone():
    network = build("2 layers, Tanh")
    x = inputs(network)
    logits = network(x)
    for layers in ([*network.layers, Linear(7, 1)], [*network.layers, None], [*network.layers] * 2):
        with pytest.raises((ValueError, TypeError)):
            Network(layers, RNG(1))
    assert same_bits(network(x), logits)
    has_working_views(network)
