"""Regularization: what it costs the parameters to be where they are.

Every penalty is a function of d = θ − θ*, where θ* is the *anchor*. Without an anchor θ* = 0, and the
penalty pulls the parameters to zero, as the document's formula 4.1 is written. With the parameters after
the previous task as the anchor it pulls them to what was learned, as the document's text asks (3.1).

Each function returns `(value, gradient)`. NumPy only.
"""

import math

import numpy as np

from .. import _checks


def l1(theta, strength, anchor=None):
    """L1 regularization, section 3.1 of the document.

        λ‖d‖₁          ∂/∂θ = λ sign(d), 0 at d = 0          d = θ − θ*

    Parameters
    ----------
    theta : array_like of shape (m,)
        Parameters θ, finite.
    strength : float
        λ ≥ 0.
    anchor : array_like of shape (m,), optional
        θ*; zero when None.

    Returns
    -------
    value : float
    gradient : ndarray of shape (m,), in the dtype of theta

    Raises
    ------
    TypeError, ValueError
        If λ < 0, the shapes differ, or a number is not finite.
    FloatingPointError
        If the value overflows.

    References
    ----------
    The document, section 3.1; Tibshirani, Journal of the Royal Statistical Society B 58, 1996, eq. 1.

    Examples
    --------
    >>> l1([3.0, -4.0], 0.5)
    (3.5, array([ 0.5, -0.5]))
    >>> l1([3.0, -4.0], 0.5, anchor=[3.0, 0.0])
    (2.0, array([ 0. , -0.5]))
    """
    lam = _checks.strength("strength", strength)
    d = _from_anchor(theta, anchor)
    value = lam * np.abs(d).sum()
    gradient = lam * np.sign(d)
    return _finite_value(value, theta, anchor), gradient


def l2(theta, strength, anchor=None):
    """L2 regularization, the second half of the document's formula 4.1.

        λ/2 ‖d‖²          ∂/∂θ = λ d          d = θ − θ*

    Parameters
    ----------
    theta : array_like of shape (m,)
        Parameters θ, finite.
    strength : float
        λ ≥ 0.
    anchor : array_like of shape (m,), optional
        θ*; zero when None.

    Returns
    -------
    value : float
    gradient : ndarray of shape (m,), in the dtype of theta

    Raises
    ------
    TypeError, ValueError
        If λ < 0, the shapes differ, or a number is not finite.
    FloatingPointError
        If the value overflows.

    References
    ----------
    The document, sections 3.1.1 and 4.1; anchored: Evgeniou and Pontil, "Regularized multi-task
    learning", KDD 2004, and as L2-SP: Li, Grandvalet and Davoine, ICML 2018, section 3.

    Examples
    --------
    >>> l2([3.0, -4.0], 0.5)
    (6.25, array([ 1.5, -2. ]))
    >>> l2([3.0, -4.0], 0.5, anchor=[3.0, 0.0])
    (4.0, array([ 0., -2.]))
    """
    lam = _checks.strength("strength", strength)
    d = _from_anchor(theta, anchor)
    value = lam / 2 * (d @ d)
    gradient = lam * d
    return _finite_value(value, theta, anchor), gradient


def elastic_net(theta, strength, ratio, anchor=None):
    """Elastic Net regularization, section 3.1 of the document: L1 and L2 in the ratio ρ.

        λ [ρ‖d‖₁ + (1−ρ)/2 ‖d‖²]          ∂/∂θ = λ [ρ sign(d) + (1−ρ) d]          d = θ − θ*

    Parameters
    ----------
    theta : array_like of shape (m,)
        Parameters θ, finite.
    strength : float
        λ ≥ 0.
    ratio : float
        ρ in [0, 1]: 1 is pure L1, 0 pure L2.
    anchor : array_like of shape (m,), optional
        θ*; zero when None.

    Returns
    -------
    value : float
    gradient : ndarray of shape (m,), in the dtype of theta

    Raises
    ------
    TypeError, ValueError
        If λ < 0, ρ is outside [0, 1], the shapes differ, or a number is not finite.
    FloatingPointError
        If the value overflows.

    References
    ----------
    The document, section 3.1; Zou and Hastie, Journal of the Royal Statistical Society B 67,
    2005, eq. 3, in the parametrization of Friedman, Hastie and Tibshirani, Journal of Statistical
    Software 33, 2010, eq. 2.

    Examples
    --------
    >>> elastic_net([3.0, -4.0], 0.5, ratio=0.5)
    (4.875, array([ 1.  , -1.25]))
    """
    lam = _checks.strength("strength", strength)
    rho = _checks.share("ratio", ratio)
    d = _from_anchor(theta, anchor)
    value = lam * (rho * np.abs(d).sum() + (1 - rho) / 2 * (d @ d))
    gradient = lam * (rho * np.sign(d) + (1 - rho) * d)
    return _finite_value(value, theta, anchor), gradient


def importance_weighted(theta, strength, importance, anchor=None):
    """L2 regularization in which every parameter counts as much as it matters (EWC, SI, MAS).

        λ/2 Σⱼ Ωⱼ dⱼ²          ∂/∂θ = λ Ω d          d = θ − θ*

    Parameters
    ----------
    theta : array_like of shape (m,)
        Parameters θ, finite.
    strength : float
        λ ≥ 0.
    importance : array_like of shape (m,)
        Ω ≥ 0, one number a parameter.
    anchor : array_like of shape (m,), optional
        θ*; zero when None.

    Returns
    -------
    value : float
    gradient : ndarray of shape (m,), in the dtype of theta

    Raises
    ------
    TypeError, ValueError
        If λ < 0, an importance is negative, the shapes differ, or a number is not finite.
    FloatingPointError
        If the value overflows.

    References
    ----------
    Kirkpatrick et al., PNAS 114, 2017, eq. 3; Zenke, Poole and Ganguli, ICML 2017, eq. 4;
    Aljundi et al., ECCV 2018, section 4.

    Examples
    --------
    >>> importance_weighted([3.0, -4.0], 0.5, importance=[0.0, 2.0])
    (8.0, array([ 0., -4.]))
    """
    lam = _checks.strength("strength", strength)
    d = _from_anchor(theta, anchor)
    omega = np.asarray(_checks.vector("importance", importance), d.dtype)
    _checks.same_shape("theta", d, "importance", omega)
    if omega.min() < 0:
        raise ValueError(f"importance must be ≥ 0, got {omega.min()}")
    gradient = lam * omega * d
    value = gradient @ d / 2
    return _finite_value(value, theta, anchor, omega), gradient


def _from_anchor(theta, anchor):
    """Return d = θ − θ*, in the dtype of θ."""
    theta = _checks.vector("theta", theta)
    if anchor is None:
        return theta
    anchor = _checks.vector("anchor", anchor)
    _checks.same_shape("theta", theta, "anchor", anchor)
    return theta - np.asarray(anchor, theta.dtype)


def _finite_value(value, theta, anchor, importance=None):
    """Return the value as a float; where it is not finite, find out which argument is to blame.

    NaN and infinity always reach the value, so this one look at a scalar replaces a pass over every
    argument at every step.
    """
    if math.isfinite(value):
        return float(value)
    arguments = {"theta": theta, "anchor": anchor, "importance": importance}
    for name, argument in arguments.items():
        if argument is not None:
            _checks.finite(name, np.asarray(argument))
    raise FloatingPointError(f"the penalty overflows to {value}: theta is too far from its anchor")
