"""Optimizers: how θ moves, given the gradient. Each is its paper's update, in place on one vector.

An optimizer's state has the layout of θ. When θ has grown, the state is padded with zeros at the next step:
a new parameter moves as if it had been there all along, and its gradient had been zero.
"""

import math

import numpy as np

from .. import _checks
from .network import pad

PART = 1 << 15


def parts(vector):
    """Yield slices of a vector, so short that every pass over a part but the first finds it in the cache.

    Parameters
    ----------
    vector : ndarray of shape (m,)

    Yields
    ------
    slice

    Examples
    --------
    >>> list(parts(np.zeros(40_000)))
    [slice(0, 32768, None), slice(32768, 65536, None)]
    """
    return (slice(k, k + PART) for k in range(0, len(vector), PART))


class SGD:
    """Stochastic gradient descent with momentum.

        v ← μ v + g          θ ← θ − η v

    Parameters
    ----------
    learning_rate : float
        η > 0.
    momentum : float
        μ in [0, 1].

    Raises
    ------
    TypeError, ValueError
        If a number is out of range.

    References
    ----------
    Polyak, "Some methods of speeding up the convergence of iteration methods", 1964; in the form of
    Sutskever et al., ICML 2013, eq. 1 and 2, with η taken out of v as PyTorch does.

    Examples
    --------
    >>> theta = np.array([1.0, 2.0])
    >>> SGD(0.1).step(theta, np.array([10.0, 0.0]))
    >>> theta
    array([0., 2.])
    """

    def __init__(self, learning_rate=0.1, momentum=0.0):
        self.learning_rate = _checks.positive("learning_rate", learning_rate)
        self.momentum = _checks.share("momentum", momentum)
        self.v = None

    def __repr__(self):
        return f"SGD(learning_rate={self.learning_rate}, momentum={self.momentum})"

    def reset(self):
        """Forget all past gradients."""
        self.v = None

    def step(self, theta, gradient):
        """Move θ, in place, by one step against the gradient."""
        _checks.same_shape("gradient", gradient, "theta", theta)
        if not self.momentum:
            theta -= self.learning_rate * gradient
            return
        self.v = _like(theta, self.v)
        self.v *= self.momentum
        self.v += gradient
        theta -= self.learning_rate * self.v


class Adam:
    """Adam: every parameter's step is scaled by the recent size of its own gradient.

        m ← β₁ m + (1−β₁) g          v ← β₂ v + (1−β₂) g²

        θ ← θ − η m̂ / (√v̂ + ε)          m̂ = m/(1−β₁ᵗ)          v̂ = v/(1−β₂ᵗ)

    Parameters
    ----------
    learning_rate : float
        η > 0.
    beta1, beta2 : float
        β₁ and β₂ in [0, 1).
    epsilon : float
        ε ≥ 1e-30, so that it is more than zero in float32 too.

    Raises
    ------
    TypeError, ValueError
        If a number is out of range.

    References
    ----------
    Kingma and Ba, "Adam: a method for stochastic optimization", ICLR 2015, algorithm 1.

    Examples
    --------
    >>> theta = np.array([1.0, 2.0])
    >>> Adam(0.1).step(theta, np.array([10.0, 0.0]))
    >>> theta
    array([0.9, 2. ])
    """

    def __init__(self, learning_rate=0.001, beta1=0.9, beta2=0.999, epsilon=1e-8):
        self.learning_rate = _checks.positive("learning_rate", learning_rate)
        self.beta1 = _checks.number("beta1", beta1, "a number in [0, 1)", low=0, high=1 - 1e-12)
        self.beta2 = _checks.number("beta2", beta2, "a number in [0, 1)", low=0, high=1 - 1e-12)
        self.epsilon = _checks.number("epsilon", epsilon, "a finite number ≥ 1e-30", low=1e-30)
        self.m = self.v = None
        self.t = 0

    def __repr__(self):
        return f"Adam(learning_rate={self.learning_rate})"

    def reset(self):
        """Forget all past gradients, and how many there were."""
        self.m = self.v = None
        self.t = 0

    def step(self, theta, gradient):
        """Move θ, in place, by one step of Adam."""
        _checks.same_shape("gradient", gradient, "theta", theta)
        self.m, self.v = _like(theta, self.m), _like(theta, self.v)
        self.t += 1
        for part in parts(theta):
            self._step_part(theta[part], gradient[part], self.m[part], self.v[part])

    def _step_part(self, theta, gradient, m, v):
        m *= self.beta1
        m += (1 - self.beta1) * gradient
        v *= self.beta2
        v += (1 - self.beta2) * np.square(gradient)
        # η m̂/(√v̂ + ε) = η √c₂/c₁ m/(√v + ε √c₂): both corrections in two scalars, a pass less
        c1, root_c2 = 1 - self.beta1**self.t, math.sqrt(1 - self.beta2**self.t)
        step = np.sqrt(v)
        step += self.epsilon * root_c2
        np.divide(m, step, out=step)
        step *= self.learning_rate * root_c2 / c1
        theta -= step
        if self.t % 64 == 0:
            # Where a gradient has become exactly zero m and v shrink for ever, into the subnormal numbers,
            # where arithmetic is many times slower and from where they never leave.
            m[np.abs(m) < 1e-30] = 0
            v[v < 1e-36] = 0


def soft_threshold(theta, threshold, anchor=None):
    """Take the proximal step of an L1 penalty, in place: it is this step that produces exact zeros.

        θ ← θ* + sign(d) max(|d| − ηλ, 0)          d = θ − θ*

    which is argmin_x ½‖x − θ‖² + ηλ‖x − θ*‖₁.

    Parameters
    ----------
    theta : ndarray of shape (m,)
        Parameters θ, changed in place.
    threshold : float
        ηλ ≥ 0: learning rate times strength.
    anchor : ndarray of shape (m,), optional
        θ*; zero when None.

    Raises
    ------
    TypeError, ValueError
        If the threshold is negative or not a number, or the shapes differ.

    References
    ----------
    Beck and Teboulle, "A fast iterative shrinkage-thresholding algorithm", 2009, eq. 1.5.

    Examples
    --------
    >>> theta = np.array([3.0, -0.5, 0.2])
    >>> soft_threshold(theta, 1.0)
    >>> theta
    array([2., 0., 0.])
    """
    threshold = _checks.number("threshold", threshold, "a finite number ≥ 0", low=0)
    threshold = min(threshold, float(np.finfo(theta.dtype).max))
    if anchor is None:
        theta -= np.clip(theta, -threshold, threshold)
        return
    anchor = np.asarray(anchor, theta.dtype)
    _checks.same_shape("anchor", anchor, "theta", theta)
    for part in parts(theta):
        x, a = theta[part], anchor[part]
        d = x - a
        x[:] = np.where(np.abs(d) <= threshold, a, x - threshold * np.sign(d))


OPTIMIZERS = {"sgd": SGD, "adam": Adam}


def _like(theta, state):
    """Return the state in the layout of θ: zeros at first, padded with zeros where θ has grown."""
    return np.zeros_like(theta) if state is None else pad(state, len(theta))
