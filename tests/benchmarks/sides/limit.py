"""The limit: the bare matrix products of the same work, on arrays that lie as incrlearn's do.

forward y = x Wᵀ          gradient of W = δᵀ x          gradient of x = δ W, but for the first layer
"""

import itertools
import time

import numpy as np

from .. import data
from . import Work


def step(widths, batch, optimizer):
    """The products of a step; of the optimizer nothing."""
    layers = _layers(widths)
    gradients = [W for W, _ in _split(np.zeros_like(data.theta_of(data.parameters(widths))), widths)]
    x, _ = data.samples_for(widths)
    a = [x[:batch].copy(), *(np.empty((batch, width), np.float32) for width in widths[1:])]
    deltas = [np.empty_like(activation) for activation in a]
    deltas[-1][:] = np.random.default_rng(2).normal(size=deltas[-1].shape)
    weight_gradient = _fastest_outer(deltas[-1], a[-2], gradients[-1]) if batch == 1 else _product

    def unit():
        for k, W in enumerate(layers):
            np.matmul(a[k], W.T, out=a[k + 1])
        for k in reversed(range(len(layers))):
            weight_gradient(deltas[k + 1], a[k], gradients[k])
            if k:
                np.matmul(deltas[k + 1], layers[k], out=deltas[k])

    return Work(unit, outcome=lambda: (a, deltas, gradients))


def predict(widths, rows):
    """The products of a prediction."""
    layers = _layers(widths)
    x, _ = data.rows_like_digits(rows, widths[0], widths[-1])
    a = [x, *(np.empty((rows, width), np.float32) for width in widths[1:])]

    def unit():
        for k, W in enumerate(layers):
            np.matmul(a[k], W.T, out=a[k + 1])

    return Work(unit, outcome=lambda: a)


def _layers(widths):
    return [W for W, _ in _split(data.theta_of(data.parameters(widths)), widths)]


def _split(theta, widths):
    """Return views of every layer's W and b in a vector in incrlearn's layout."""
    views, start = [], 0
    for inputs, outputs in itertools.pairwise(widths):
        rows = theta[start : start + outputs * (inputs + 1)].reshape(outputs, inputs + 1)
        views.append((rows[:, :-1], rows[:, -1]))
        start += rows.size
    return views


def _product(delta, x, out):
    np.matmul(delta.T, x, out=out)


def _outer(delta, x, out):
    np.multiply(delta.T, x, out=out)


def _fastest_outer(*arrays):
    """Return which of two ways to the product of a column and a row is the faster here."""

    def seconds(product):
        start = time.perf_counter()
        for _ in range(100):
            product(*arrays)
        return time.perf_counter() - start

    return min((_product, _outer), key=lambda product: min(seconds(product) for _ in range(3)))
