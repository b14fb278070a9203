"""Losses L₀: how far a network's outputs are from what was asked for.

Each function returns `(value, gradient)`: the mean over the n rows of the batch as a Python float,
and its derivative with respect to the first argument, in that argument's shape and dtype. NumPy only.
"""

import numpy as np

from .. import _checks


def log_softmax(z):
    """Return the logarithm of the softmax of every row.

        log softmax(z)ₖ = zₖ − log Σⱼ exp zⱼ

    Subtracting the largest entry first changes nothing (softmax is invariant to a shift) and keeps
    every exponential within [0, 1]: nothing overflows, as long as differences of logits do not.

    Parameters
    ----------
    z : ndarray of shape (..., k)
        Logits, finite.

    Returns
    -------
    ndarray of shape (..., k)
        Logarithms of probabilities, all ≤ 0, in the dtype of z.

    Examples
    --------
    >>> log_softmax(np.array([[0.0, 0.0]]))
    array([[-0.69314718, -0.69314718]])
    """
    shifted = z - z.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


def softmax(z):
    """Return the softmax of every row: probabilities in proportion to exp z.

        softmax(z)ₖ = exp zₖ / Σⱼ exp zⱼ

    Parameters
    ----------
    z : ndarray of shape (..., k)
        Logits, finite.

    Returns
    -------
    ndarray of shape (..., k)
        Probabilities, each row sums to 1, in the dtype of z.

    Examples
    --------
    >>> softmax(np.array([[0.0, np.log(3.0)]]))
    array([[0.25, 0.75]])
    """
    e = np.exp(z - z.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def sigmoid(z):
    """Return the logistic sigmoid of every entry, without overflow.

        σ(z) = 1 / (1 + e⁻ᶻ) = eᶻ / (1 + eᶻ)

    Of the two forms each entry takes the one whose exponential is at most 1.

    Parameters
    ----------
    z : ndarray
        Logits of any shape, finite.

    Returns
    -------
    ndarray
        Probabilities in [0, 1], in the shape and dtype of z.

    Examples
    --------
    >>> sigmoid(np.array([-1000.0, 0.0, 1000.0]))
    array([0. , 0.5, 1. ])
    """
    e = np.exp(-np.abs(z))
    return np.where(z >= 0, 1, e) / (1 + e)


def squared_error(prediction, target):
    """Squared error, the L₀ of the document's formula 4.1.

        L₀ = 1/(2n) Σᵢ ‖ŷᵢ − yᵢ‖²          ∂L₀/∂ŷ = (ŷ − y)/n

    Parameters
    ----------
    prediction : array_like of shape (n,) or (n, m)
        Predictions ŷ, finite.
    target : array_like of the same shape
        Targets y, finite.

    Returns
    -------
    value : float
    gradient : ndarray of the shape and dtype of `prediction`

    Raises
    ------
    TypeError, ValueError
        If an argument is not made of finite numbers, is empty, or the shapes differ.

    References
    ----------
    The document, section 4.1.

    Examples
    --------
    >>> squared_error([1.0, 2.0], [1.0, 4.0])
    (1.0, array([ 0., -1.]))
    """
    prediction = _checks.finite("prediction", _checks.real_array("prediction", prediction))
    target = _checks.finite("target", _checks.real_array("target", target))
    _checks.same_shape("prediction", prediction, "target", target)
    if prediction.ndim not in (1, 2) or not prediction.size:
        raise ValueError(
            f"prediction must have shape (n,) or (n, m) with n, m ≥ 1, got shape {prediction.shape}"
        )
    n = len(prediction)
    difference = prediction - np.asarray(target, prediction.dtype)
    value = np.square(difference).sum() / (2 * n)
    gradient = difference / n
    return float(value), gradient


def cross_entropy(z, y):
    """Cross entropy of class labels or probability rows under softmax(z).

        L₀ = −1/n Σᵢ Σₖ yᵢₖ log softmax(zᵢ)ₖ          ∂L₀/∂z = (softmax(z) − y)/n

    Parameters
    ----------
    z : array_like of shape (n, k)
        Logits, finite.
    y : array_like of shape (n,) of integers in [0, k), or of shape (n, k)
        Class indices, or rows of probabilities (≥ 0, each row sums to 1).

    Returns
    -------
    value : float
    gradient : ndarray of shape (n, k), in the dtype of z

    Raises
    ------
    TypeError, ValueError
        If z is not finite, a label is not in [0, k), or a row of y is not a distribution.

    References
    ----------
    The document, section 3.2.1 step 3 and the L₀ of formula 4.2; Bishop, Pattern Recognition and
    Machine Learning, 2006, eq. 4.108 (value) and 4.109 (gradient).

    Examples
    --------
    >>> value, gradient = cross_entropy([[0.0, 0.0]], [1])
    >>> round(value, 6), gradient
    (0.693147, array([[ 0.5, -0.5]]))
    """
    z = _checks.rows("z", z)
    y = _probability_rows(y, z)
    n = len(z)
    log_p = log_softmax(z)
    value = -(y * log_p).sum() / n
    gradient = (np.exp(log_p) - y) / n
    return float(value), gradient


def binary_cross_entropy(z, y):
    """Binary cross entropy: every output is a yes-or-no question of its own.

        L₀ = −1/n Σᵢ Σₖ [yᵢₖ log σ(zᵢₖ) + (1 − yᵢₖ) log(1 − σ(zᵢₖ))]          ∂L₀/∂z = (σ(z) − y)/n

    Each entry's value is log(1 + eᶻ) − y z, with log(1 + eᶻ) = max(z, 0) + log(1 + exp −|z|), which never
    overflows.

    Parameters
    ----------
    z : array_like of shape (n, k)
        Logits, finite.
    y : array_like of shape (n, k)
        Probabilities in [0, 1].

    Returns
    -------
    value : float
    gradient : ndarray of shape (n, k), in the dtype of z

    Raises
    ------
    TypeError, ValueError
        If z is not finite, the shapes differ, or y leaves [0, 1].

    References
    ----------
    Bishop, Pattern Recognition and Machine Learning, 2006, eq. 4.90 (value) and 4.91 (gradient).

    Examples
    --------
    >>> value, gradient = binary_cross_entropy([[0.0]], [[1.0]])
    >>> round(value, 6), gradient
    (0.693147, array([[-0.5]]))
    """
    z = _checks.rows("z", z)
    y = np.asarray(_checks.rows("y", y), z.dtype)
    _checks.same_shape("z", z, "y", y)
    if y.min() < 0 or y.max() > 1:
        raise ValueError(f"y must lie in [0, 1], got values in [{y.min()}, {y.max()}]")
    n = len(z)
    value = (np.maximum(z, 0) - y * z + np.log1p(np.exp(-np.abs(z)))).sum() / n
    gradient = (sigmoid(z) - y) / n
    return float(value), gradient


def _probability_rows(y, z):
    """Return y as rows of probabilities in the dtype of z: class indices become one-hot rows."""
    n, k = z.shape
    y = _checks.as_array("y", y)
    if y.ndim == 1:
        if y.dtype.kind not in "iu":
            raise TypeError(f"y must hold integer class indices, got dtype {y.dtype}")
        if len(y) != n:
            raise ValueError(f"y has {len(y)} labels, but z has {n} rows")
        if y.min() < 0 or y.max() >= k:
            raise ValueError(f"y must hold class indices in [0, {k}), got values in [{y.min()}, {y.max()}]")
        one_hot = np.zeros((n, k), z.dtype)
        one_hot[np.arange(n), y] = 1
        return one_hot
    y = _checks.rows("y", y)
    _checks.same_shape("y", y, "z", z)
    if y.min() < 0 or np.abs(y.sum(axis=1) - 1).max() > 1e-4:
        raise ValueError("every row of y must be ≥ 0 and sum to 1")
    return np.asarray(y, z.dtype)
