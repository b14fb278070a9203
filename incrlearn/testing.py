"""Gradients that can be trusted: a check for any function that returns its value and its gradient."""

import numpy as np

from . import _checks


def check_gradient(function, x, tolerance=1e-6, step=1e-3):
    """Raise an AssertionError unless a function's gradient is the derivative of its value.

        ∂f/∂xⱼ ≈ 4/3 D(h/2) − 1/3 D(h)          D(h) = (f(x + h eⱼ) − f(x − h eⱼ)) / 2h

    The error of a central difference falls with h²: two of them, weighted so, cancel that part.

    Parameters
    ----------
    function : callable
        function(x) returns (value, gradient), the gradient of the shape of x.
    x : array_like
        Where to look, in float64; not at a kink.
    tolerance : float
        How far the two may differ, relative to the largest entry of the gradient.
    step : float
        h > 0, relative to the size of each entry of x, 1 at least.

    Raises
    ------
    AssertionError
        If they differ by more, or the shapes do: at which entry, what came, and what was expected.
    TypeError, ValueError
        If an argument is not what is asked for.

    References
    ----------
    Richardson, Philosophical Transactions of the Royal Society A 210, 1911 (the extrapolation).

    Examples
    --------
    >>> check_gradient(lambda x: (np.sum(x**3), 3 * x**2), [1.0, -2.0])
    >>> check_gradient(lambda x: (np.sum(x**3), 2 * x**2), [1.0, -2.0])
    Traceback (most recent call last):
    AssertionError: the gradient at [1] is 8, but differences of the value say 12
    """
    x = _checks.finite("x", np.array(x, np.float64))
    tolerance, step = _checks.positive("tolerance", tolerance), _checks.positive("step", step)
    gradient = np.asarray(function(x)[1], np.float64)
    assert gradient.shape == x.shape, f"the gradient has shape {gradient.shape}, but x has {x.shape}"
    expected = np.empty_like(x)
    for j in np.ndindex(x.shape):
        h = step * max(1.0, abs(x[j]))
        expected[j] = (4 * _difference(function, x, j, h / 2) - _difference(function, x, j, h)) / 3
    error = np.abs(gradient - expected)
    worst = np.unravel_index(np.argmax(np.where(np.isnan(error), np.inf, error)), x.shape) if x.size else ()
    scale = max(1e-3, np.abs(expected).max(initial=0.0))
    if x.size and not error[worst] <= tolerance * scale:
        place = list(map(int, worst))
        raise AssertionError(
            f"the gradient at {place} is {gradient[worst]:.10g}, "
            f"but differences of the value say {expected[worst]:.10g}"
        )


def _difference(function, x, j, h):
    """Return the central difference of the value in the direction of one entry."""
    above, below = x.copy(), x.copy()
    above[j] += h
    below[j] -= h
    return (function(above)[0] - function(below)[0]) / (above[j] - below[j])
