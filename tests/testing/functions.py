"""Functions with right gradients, to see that nobody accuses them: smooth, kinked, huge, tiny, in float32."""

import numpy as np
from hypothesis import strategies as st

ORDINARY = st.floats(-4, 4) | st.integers(-3, 3).map(float)
EXTREME = (
    ORDINARY
    | st.sampled_from([0.0, -0.0, 1.0, -1.0, 1e-8, 1e-300, 5e-324, -1e-310, 1e10, -1e16, 1e100, -40.0, 750.0])
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.floats(-1e3, 1e3)
)


def polynomial(x, c=(1.0, -2.0, 0.5)):
    value = sum(a * np.sum(x**k) for k, a in enumerate(c))
    return value, sum((k * a * x ** (k - 1) for k, a in enumerate(c) if k), np.zeros_like(x))


def exponential(x, c=1.0):
    return np.sum(np.exp(c * x)), c * np.exp(c * x)


def logarithm(x, c=1.0):
    if (x <= 0).any():
        raise ValueError("x must be positive")
    return c * np.sum(np.log(x)), c / x


def reciprocal(x, c=1.0):
    return c * np.sum(1 / x), -c / x**2


def cross_entropy(x, label=0, c=1.0):
    """Mean over two equal rows, the label of one of which is the next class."""
    shifted = x - x.max()
    log_p = shifted - np.log(np.sum(np.exp(shifted)))
    target = np.zeros_like(x)
    target[label % x.size] += 0.5
    target[(label + 1) % x.size] += 0.5
    used = target > 0
    return -c * np.sum(target[used] * log_p[used]), c * (np.exp(log_p) - target)


def own_class(x, label=0, c=1.0):
    shifted = x - x.max()
    log_p = shifted - np.log(np.sum(np.exp(shifted)))
    target = (np.arange(x.size) == label % x.size) * 1.0
    return -c * log_p[label % x.size], c * (np.exp(log_p) - target)


def log_sum_exp(x, c=1.0):
    """The value without care for cancellation."""
    top = x.max()
    value = np.log(np.sum(np.exp(x - top))) + top
    return c * (value - x[0]), c * (np.exp(x - value) - (np.arange(x.size) == 0))


def arsinh(x, c=1.0):
    return c * np.sum(np.arcsinh(x)), c / np.hypot(1, x)


def tangent(x, c=1.0):
    return np.sum(np.tanh(c * x)), c * (1 - np.tanh(c * x) ** 2)


def binary(x, label=0, c=1.0):
    y = np.arange(x.size) % 2 == label % 2
    return np.mean(np.logaddexp(0, x) - y * x), (1 / (1 + np.exp(-x)) - y) / x.size


def squares(x, c=1.0):
    return 0.5 * c * np.sum(x * x), c * x


def norm(x, c=1.0):
    value = np.sqrt(np.sum(x * x))
    return c * value, c * x / value if value else np.zeros_like(x)


def product(x, c=1.0):
    return c * np.prod(x), c * np.array([np.prod(np.delete(x, j)) for j in range(x.size)])


def wave(x, c=3.0):
    return np.sum(np.sin(c * x)), c * np.cos(c * x)


def gauss(x, c=1.0):
    return np.exp(-c * np.sum(x * x)), -2 * c * x * np.exp(-c * np.sum(x * x))


def constant(x, c=1.0):
    return c, np.zeros_like(x)


def absolute(x, c=1.0):
    return c * np.sum(np.abs(x)), c * np.sign(x)


def relu(x, c=1.0):
    return np.sum(np.maximum(c * x, 0)), c * (c * x > 0)


def huber(x, c=1.0):
    small = np.abs(x) <= c
    return np.sum(np.where(small, 0.5 * x * x, c * (np.abs(x) - c / 2))), np.where(small, x, c * np.sign(x))


def hinge(x, c=1.0):
    return np.sum(np.maximum(0, 1 - c * x) ** 2), -2 * c * np.maximum(0, 1 - c * x)


def largest(x, c=1.0):
    return c * x.max(), c * (np.arange(x.size) == np.argmax(x))


def clipped(x, c=1.0):
    return np.sum(np.clip(x, -c, c) * x), np.where(np.abs(x) < c, 2 * x, c * np.sign(x))


def elastic(x, c=1.0):
    return np.sum(x * x) + c * np.sum(np.abs(x)), 2 * x + c * np.sign(x)


def power(x, c=1.5):
    return np.sum(np.abs(x) ** 1.5), 1.5 * np.sign(x) * np.sqrt(np.abs(x))


SMOOTH = [exponential, logarithm, reciprocal, cross_entropy, own_class, log_sum_exp, arsinh, tangent, binary]
SMOOTH += [squares, norm, product, wave, gauss, constant, polynomial]
KINKED = [absolute, relu, huber, hinge, largest, clipped, elastic, power]


def in_float32(function):
    """Compute in float32."""
    return lambda x: function(x.astype(np.float32))


def value_in_float32(function):
    """Compute in float32, and hide it."""

    def hidden(x):
        value, gradient = function(x.astype(np.float32))
        return float(value) * 1.1, np.asarray(gradient, np.float64) * 1.1

    return hidden  # fmt: skip


def moved(function, offset, scale):
    """Add a number to the value, which swallows digits, and multiply."""

    def other(x):
        value, gradient = function(x)
        return scale * value + offset, scale * gradient

    return other  # fmt: skip


@st.composite
def functions(draw, kinds, extreme=True):
    """Draw a function with its right gradient, and a name for it."""
    kind = draw(st.sampled_from(kinds))
    c = draw(st.sampled_from([1.0, 0.3, 7.0, *([1e-12, 1e6, 1e-200] if extreme else [])]))
    label = draw(st.integers(0, 3))
    if kind is polynomial:
        c = tuple(draw(st.lists(ORDINARY, min_size=1, max_size=5)))
    more = {"label": label} if "label" in kind.__code__.co_varnames else {}

    def function(x):
        return kind(x, c=c, **more)

    function.__name__ = f"{kind.__name__}, c={c}, {more}"
    if extreme and draw(st.integers(0, 4)) == 0:
        c = (0.3, -1.0) if kind is polynomial else 0.3
        offset, scale = draw(st.sampled_from([(1e6, 1.0), (0.0, 1e-30), (1e3, 1e3), (-1.0, 1e-9)]))
        name = f"{function.__name__} · {scale} + {offset}"
        function = moved(function, offset, scale)
        function.__name__ = name
    return function


def points(extreme=True):
    """Draw where to look."""
    lists = st.lists(EXTREME if extreme else ORDINARY, min_size=1, max_size=5)
    if extreme:
        lists = lists | st.builds(lambda v, n: [v] * n, EXTREME, st.integers(1, 4))
    return lists.map(np.array)
