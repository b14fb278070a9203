"""Projections: what a step may not undo.

Each function takes the gradient g of the new data and returns the nearest gradient that does not harm the
old tasks, by one definition of harm or another. NumPy only.
"""

import numpy as np

from .. import _checks


def project_agem(g, r):
    """Averaged gradient episodic memory: do not step uphill on the memory's average loss.

        g̃ = g − (g·r)/(r·r) r   if g·r < 0,   else g

    Parameters
    ----------
    g : array_like of shape (m,)
        Gradient on the new data, finite.
    r : array_like of shape (m,)
        Gradient on a batch from the memory, finite.

    Returns
    -------
    ndarray of shape (m,), in the dtype of g
        The nearest vector to g with g̃·r ≥ 0.

    Raises
    ------
    TypeError, ValueError
        If the shapes differ or a number is not finite.

    References
    ----------
    Chaudhry, Ranzato, Rohrbach and Elhoseiny, "Efficient lifelong learning with A-GEM", ICLR 2019,
    eq. 11.

    Examples
    --------
    >>> project_agem([1.0, -1.0], [0.0, 2.0])
    array([1., 0.])
    >>> project_agem([1.0, 1.0], [0.0, 2.0])
    array([1., 1.])
    """
    g, r = _gradient("g", g), _gradient("r", r)
    _checks.same_shape("g", g, "r", r)
    r = np.asarray(_unit_scale(r), g.dtype)
    g_r = g @ r
    return g - g_r / (r @ r) * r if g_r < 0 else g.copy()


def project_gem(g, R):
    """Gradient episodic memory: do not step uphill on any old task.

        g̃ = argmin ½ ‖g̃ − g‖²   subject to   g̃·rₜ ≥ 0 for every row rₜ of R

    Its dual is a small quadratic program, a non-negative least-squares problem in one unknown a task:

        g̃ = g + Rᵀ v          v = argmin_{v ≥ 0} ½ ‖Rᵀ v + g‖²

    Parameters
    ----------
    g : array_like of shape (m,)
        Gradient on the new data, finite.
    R : array_like of shape (t, m)
        Gradients on the memories of t old tasks, one a row, finite.

    Returns
    -------
    ndarray of shape (m,), in the dtype of g

    Raises
    ------
    TypeError, ValueError
        If the shapes do not fit or a number is not finite.

    References
    ----------
    Lopez-Paz and Ranzato, "Gradient episodic memory for continual learning", NIPS 2017,
    section 3 (the quadratic program and its dual).

    Examples
    --------
    >>> project_gem([-1.0, -1.0, 1.0], [[1.0, 0.0, 0.0], [0.0, 2.0, 0.0]])
    array([0., 0., 1.])
    """
    g, R = _gradient("g", g), _checks.rows("R", R)
    if R.shape[1] != len(g):
        raise ValueError(f"R has {R.shape[1]} columns, but g has {len(g)} entries")
    size = float(np.abs(g).max()) or 1.0
    g_unit, R = np.asarray(g, np.float64) / size, _unit_scale(np.asarray(R, np.float64))
    # Rᵀ = Q S turns the m equations of the least-squares problem into t, with the same solution
    Q, S = np.linalg.qr(R.T)
    v = _nonnegative_least_squares(S, -(Q.T @ g_unit))
    return (size * (g_unit + R.T @ v)).astype(g.dtype)


def project_orthogonal(g, basis):
    """Orthogonal gradient descent: leave every direction that mattered to an old task alone.

        g̃ = g − Bᵀ (B g)          B Bᵀ = I

    Parameters
    ----------
    g : array_like of shape (m,)
        Gradient on the new data, finite.
    basis : array_like of shape (b, m)
        B: orthonormal rows that span the stored gradients.

    Returns
    -------
    ndarray of shape (m,), in the dtype of g
        Orthogonal to every row of the basis.

    Raises
    ------
    TypeError, ValueError
        If the shapes do not fit, a number is not finite, or the rows are not of unit length.

    References
    ----------
    Farajtabar, Azizan, Mott and Li, "Orthogonal gradient descent for continual learning", AISTATS
    2020, algorithm 1.

    Examples
    --------
    >>> project_orthogonal([3.0, 4.0], [[1.0, 0.0]])
    array([0., 4.])
    """
    g, B = _gradient("g", g), _checks.rows("basis", basis)
    if B.shape[1] != len(g):
        raise ValueError(f"basis has {B.shape[1]} columns, but g has {len(g)} entries")
    B = np.asarray(B, g.dtype)
    length = np.sqrt(np.square(B).sum(axis=1))
    if np.abs(length - 1).max() > 1e-3:
        raise ValueError(f"the rows of basis must have length 1, got {length.min()} to {length.max()}")
    return g - B.T @ (B @ g)


def _nonnegative_least_squares(A, b):
    """Return argmin_{v ≥ 0} ‖A v − b‖ by the active-set method of Lawson and Hanson (1974, chapter 23).

    Written out, because scipy.optimize.nnls of SciPy 1.12 to 1.15 gives up, or is wrong, where columns
    depend on one another, as the gradients of similar tasks do.
    """
    v, free = np.zeros(A.shape[1]), np.zeros(A.shape[1], bool)
    tolerance = 1e-12 * max(np.abs(b).max(), 1e-300)
    for _ in range(10 * len(v) + 10):
        slope = np.where(free, -np.inf, A.T @ (b - A @ v))
        if slope.max() <= tolerance:
            break
        free[slope.argmax()] = True
        while free.any():
            wanted = np.zeros_like(v)
            wanted[free] = np.linalg.lstsq(A[:, free], b, rcond=None)[0]
            blocking = free & (wanted <= 0)
            if not blocking.any():
                v = wanted
                break
            # go towards it until the first entry becomes zero, and hold that one there
            step = (v[blocking] / np.maximum(v[blocking] - wanted[blocking], 1e-300)).min()
            v = v + step * (wanted - v)
            free = v > 1e-14
    return v


def _gradient(name, values):
    """Return a finite vector."""
    return _checks.finite(name, _checks.vector(name, values))


def _unit_scale(r):
    """Divide every vector by its largest entry: only directions count, and r·r must not underflow."""
    largest = np.abs(r).max(axis=-1, keepdims=True)
    return r / np.where(largest > 0, largest, np.inf)
