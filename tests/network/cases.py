"""The layers and networks under test, and what they compute, a second time and in autograd.numpy.

None of the package's arithmetic is used: a layer's type and sizes say which function it is, and θ is cut up
by the rule alone: layer after layer, unit after unit, a unit's weights and then its bias.
"""

import inspect
from functools import partial
from itertools import pairwise

import autograd.numpy as anp
import numpy as np
import pytest
from scipy import sparse
from scipy.sparse import csr_array, issparse

from incrlearn.network import Gate, Linear, Network, ReLU, Sigmoid, Standardize, StandardizeSparse, Tanh

INPUTS = 4
#: what the layers that standardize have observed; the second feature has not varied, and was never filled
OBSERVED = np.array([[3.0, 0, 0, -2], [-1, 0, 0, 40], [0, 0, 0.5, 10], [2, 0, -0.25, 0]])
ARRIVED = [0, 3, 2]  # where they are observed two at a time


def linear(layer, theta, x):
    units = anp.reshape(theta, (layer.outputs, layer.inputs + layer.bias))
    y = anp.dot(x, anp.transpose(units[:, : layer.inputs]))
    return y + units[:, -1] if layer.bias else y


def standardize(layer, theta, x):
    if not layer.count:
        return 1.0 * x
    mean, deviation = OBSERVED.mean(axis=0), OBSERVED.std(axis=0)
    return (x - mean) * np.array([1 / s if s else 0 for s in deviation])


def standardize_sparse(layer, theta, x):
    filled = (column[column != 0] for column in OBSERVED[:, ARRIVED].T)
    return x[:, ARRIVED] / [np.mean(entries**2) ** 0.5 if layer.scaled else 1 for entries in filled]


FUNCTIONS = {
    Standardize: standardize,
    StandardizeSparse: standardize_sparse,
    Linear: linear,
    ReLU: lambda layer, theta, x: anp.where(x > 0, x, 0 * x),
    Tanh: lambda layer, theta, x: anp.sinh(x) / anp.cosh(x),
    Sigmoid: lambda layer, theta, x: 1 / (1 + anp.exp(-x)),
    Gate: lambda layer, theta, x: anp.where(layer.mask == 1, x, 0 * x),
}


def observed(kind, **options):
    """Return a layer that has observed its rows."""
    layer = kind(INPUTS, **options)
    for rows in (OBSERVED[:2], OBSERVED[2:]):
        layer.observe(csr_array(rows) if kind is StandardizeSparse else rows)
    return layer


# How each layer is built
LAYERS = {
    "Standardize": partial(observed, Standardize),
    "Standardize, before the first row": partial(Standardize, INPUTS),
    "StandardizeSparse": partial(observed, StandardizeSparse),
    "StandardizeSparse, not scaled": partial(observed, StandardizeSparse, scaled=False),
    "Linear": partial(Linear, INPUTS, 3),
    "Linear, one unit": partial(Linear, INPUTS, 1),
    "Linear, one input": partial(Linear, 1, 3),
    "Linear, no bias": partial(Linear, INPUTS, 3, bias=False),
    "ReLU": ReLU,
    "Tanh": Tanh,
    "Sigmoid": Sigmoid,
    "Gate": partial(Gate, [1.0, 0.0, 1.0]),
    "Gate, of truth values": partial(Gate, np.array([True, False])),
    "Gate, closed": partial(Gate, [0]),
}


def n_parameters(layer):
    return layer.outputs * (layer.inputs + layer.bias) if isinstance(layer, Linear) else 0


def activations(network, theta, x):
    """Return what network.forward(x) should be, its parameters being theta."""
    a, start = [x], 0
    for layer in network.layers:
        end = start + n_parameters(layer)
        a.append(FUNCTIONS[type(layer)](layer, theta[start:end], a[-1]))
        start = end
    assert start == len(theta)
    return a


def stack(activation, *widths):
    """Return the layers of a perceptron."""
    layers = [layer for sizes in pairwise(widths) for layer in (Linear(*sizes), activation())]
    return layers[:-1]


WIDTHS = [INPUTS, 5, 3, 4]

# How the list of layers is built; all have 4 inputs
NETWORKS = {
    "1 layer": partial(stack, Tanh, INPUTS, 3),
    **{
        f"{depth} layers, {activation.__name__}": partial(stack, activation, *WIDTHS[:depth], 3)
        for depth in (2, 3, 4)
        for activation in (ReLU, Tanh, Sigmoid)
    },
    "one output": partial(stack, Tanh, INPUTS, 3, 1),
    "one unit wide": partial(stack, Tanh, INPUTS, 1, 3),
    "activations first": lambda: [Tanh(), Sigmoid(), Linear(INPUTS, 5), ReLU(), Linear(5, 3)],
    "activations last": lambda: [Linear(INPUTS, 5), Tanh(), Linear(5, 3), Sigmoid(), Tanh()],
    "activations in a row": lambda: [Linear(INPUTS, 5), Tanh(), ReLU(), Sigmoid(), Linear(5, 3)],
    "no activations": lambda: [Linear(INPUTS, 5), Linear(5, 3)],
    "no bias": lambda: [Linear(INPUTS, 5, bias=False), Tanh(), Linear(5, 3, bias=False)],
    "gated": lambda: [
        *(Linear(INPUTS, 5), Tanh(), Gate([1.0, 0.0, 1.0, 1.0, 0.0])),
        *(Linear(5, 3), ReLU(), Gate([0, 1, 1]), Linear(3, 2)),
    ],
    "standardized": lambda: [observed(Standardize), *stack(Tanh, *WIDTHS)],
    "standardized, one layer": lambda: [observed(Standardize), Linear(INPUTS, 3)],
    "standardized, sparse": lambda: [observed(StandardizeSparse), *stack(ReLU, 3, 5, 3)],
    "no bias in the middle": lambda: [Linear(INPUTS, 3), Linear(3, 3, bias=False), Tanh(), Linear(3, 2)],
}

each_layer = pytest.mark.parametrize("name", LAYERS)
each_network = pytest.mark.parametrize("name", NETWORKS)


def build(name, dtype="float64", seed=0):
    return Network(NETWORKS[name](), np.random.default_rng(seed), dtype)


def inputs(network, n=5, seed=1):
    """Return random rows for which no ReLU stands near its kink, where a difference says nothing."""
    rng = np.random.default_rng(seed)
    for _ in range(1000):
        x = rng.normal(size=(n, INPUTS))
        a = network.forward(x)
        relus = [a[k] for k, layer in enumerate(network.layers) if isinstance(layer, ReLU)]
        if all(np.abs(before).min() > 2e-3 for before in relus):
            return x
    raise AssertionError("no inputs found away from the kinks")


def entering(a, indices, seed=2):
    """Return a random ∂L/∂a[k] for every k of the indices."""
    rng = np.random.default_rng(seed)
    return {k: rng.normal(size=a[k].shape) for k in indices}


def dense(x):
    """Return an activation as an ordinary array."""
    return x.toarray() if issparse(x) else x


def memory(x):
    """Return the array that holds an activation's numbers."""
    return x.data if issparse(x) else x


def no_dense(monkeypatch):
    """Let every sparse matrix refuse to become an ordinary one."""

    def refuse(*arguments, **options):
        raise AssertionError("made dense")

    kinds = [kind for _, kind in inspect.getmembers(sparse, inspect.isclass) if hasattr(kind, "toarray")]
    assert csr_array in kinds
    for kind in kinds:
        for name in ("toarray", "todense"):
            monkeypatch.setattr(kind, name, refuse)


def anywhere(a):
    """Return every index there is, each twice: from the front and from the back."""
    return range(-len(a), len(a))


def same_bits(first, second):
    return first.dtype == second.dtype and first.shape == second.shape and first.tobytes() == second.tobytes()
