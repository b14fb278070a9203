"""Second derivatives of functions, checked against their gradients. NumPy only.

The gradient is trusted. H is looked at entry by entry, or along pairs of random directions.
"""

from dataclasses import replace

import numpy as np

from .. import _checks
from .derivatives import Around
from .failure import Failure
from .gradients import checked_options, compare, expected_at, wrong_entries


def check_second_order(function, x, second, *, tolerance=1e-5, context=None, rng=None, directions=20,
                       entries=20, name="∂²f/∂x²"):  # fmt: skip
    """Raise a Failure unless a function's second derivative is the derivative of its gradient.

        |uᵀH v − uᵀ ∂g/∂v| ≤ bound + tolerance · max |H|          H = Hᵀ,  H(v + 2w) = Hv + 2 Hw

    The gradient is trusted: check it first, with `check_gradient`.

    Parameters
    ----------
    function : callable
        function(x) returns (value, gradient), the gradient of the shape of x.
    x : array_like
        Where to look, in float64.
    second : callable or array_like
        second(x, v) returns H v, of the shape of x; or H itself, of shape (x.size, x.size).
    tolerance : float
        How far H may be off, relative to its largest entry.
    context : dict of str to float, optional
        Numbers that may have been forgotten or doubled.
    rng : numpy.random.Generator, optional
        Where random directions come from; default_rng(0) if left out.
    directions : int
        How many pairs u, v are looked along where x has more than `entries` entries.
    entries : int
        Up to so many entries of x, all of H is looked at.
    name : str
        What the second derivative is called in a Failure.

    Returns
    -------
    Checked

    Raises
    ------
    Failure
        If it is wrong: where, what came, what was expected, and the likely cause.
    TypeError, ValueError
        If an argument is not what is asked for.

    Examples
    --------
    >>> def cubes(x):
    ...     return np.sum(x**3), 3 * x**2
    >>> check_second_order(cubes, [1.0, -2.0], lambda x, v: 6 * x * v).entries
    4
    >>> check_second_order(cubes, [1.0, -2.0], lambda x, v: 3 * x * v)
    Traceback (most recent call last):
    incrlearn.testing.failure.Failure: the gradient ∂²f/∂x² at [1, 1] is -6, but must be -12 ± 1e-4
    2 of 4 entries are wrong
    likely cause: factor 2 — 2 of 4 entries are 2 times too small
    """
    x = np.array(_checks.finite("x", _checks.real_array("x", x)), np.float64)
    tolerance, rng, directions, entries = checked_options(tolerance, rng, directions, entries)
    times = _times_matrix(x, second)
    if x.size <= entries:
        left = right = np.eye(x.size)
        pairs = list(np.ndindex(x.size, x.size))
    else:
        left, right = rng.normal(size=(2, directions, x.size))
        pairs = [(k, k) for k in range(directions)]
    _refuse_nonlinear(times, x, rng, name)
    columns = {j: _column(times, x, right[j], name) for j in sorted({j for _, j in pairs})}
    came, expected, bound = [], [], []
    for i in sorted({i for i, _ in pairs}):
        around = Around(lambda x, u=left[i]: np.asarray(function(x)[1]).ravel() @ u, x)
        for j in [j for k, j in pairs if k == i]:
            slope = around.slope(right[j].reshape(x.shape))
            mine = float(left[i] @ columns[j])
            nearest, doubt, _ = expected_at([slope], np.array([mine]))
            came, expected, bound = [*came, mine], [*expected, nearest[0]], [*bound, doubt[0]]
    shape = (x.size, x.size) if x.size <= entries else (len(pairs),)
    parts = [np.array(part).reshape(shape) for part in (came, expected, bound)]
    try:
        checked = compare(name, *parts, tolerance=tolerance, context=context)
    except Failure as failure:
        if failure.cause is None and not _symmetric(times, x, rng, name):
            failure.cause, failure.hint = "not symmetric", _symmetric_part(*parts)
        raise
    return replace(checked, how="differences", entries=len(pairs) if x.size <= entries else 0,
                   directions=0 if x.size <= entries else len(pairs))  # fmt: skip


def _times_matrix(x, second):
    """Return v ↦ H v."""
    if callable(second):
        return lambda v: second(x.copy(), v.reshape(x.shape).copy())
    matrix = _checks.real_array("second", second)
    if matrix.shape != (x.size, x.size):
        raise ValueError(f"second must have shape {(x.size, x.size)}, got {matrix.shape}")
    return lambda v: (matrix @ v).reshape(x.shape)


def _column(times, x, v, name):
    """Return H v as a vector, or refuse its shape."""
    column = np.asarray(times(v))
    if column.shape != x.shape:
        said = f"{name} times v has shape {column.shape}, but must have that of x, {x.shape}"
        raise Failure(name, cause="shape", said=said)
    return column.ravel().astype(np.float64)


def _refuse_nonlinear(times, x, rng, name):
    """Raise a Failure unless H(v + 2w) = H v + 2 H w."""
    v, w = rng.normal(size=(2, x.size))
    both, parts = (
        _column(times, x, v + 2 * w, name),
        _column(times, x, v, name) + 2 * _column(times, x, w, name),
    )
    size = np.abs(parts).max(initial=0.0)
    if not np.all(np.abs(both - parts) <= 1e-6 * size):
        raise Failure(name, cause="nonlinear", said=f"{name} times v is not linear in v")


def _symmetric(times, x, rng, name):
    """Say whether vᵀH w = wᵀH v."""
    v, w = rng.normal(size=(2, x.size))
    one, other = v @ _column(times, x, w, name), w @ _column(times, x, v, name)
    return abs(one - other) <= 1e-6 * max(abs(one), abs(other))


def _symmetric_part(came, expected, bound):
    """Return what is to be said of a matrix that is not symmetric, where all of it is known."""
    half = (came + came.T) / 2
    if came.ndim == 2 and not wrong_entries(half, expected, bound + bound.T, 1e-5)[0].any():
        return "a Hessian is symmetric; (H + Hᵀ)/2 is right: was 2 A written for A + Aᵀ?"
    return None
