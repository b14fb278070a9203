"""What the formulas are compared with: the equations of the sheet a second time, by other means.

Values only, in `autograd.numpy`, so that `autograd.grad` finds the gradients by itself. Plain where the
package is fast: loops over pairs and triples, every subset of the constraints. Nothing here may import
from the package.
"""

from itertools import chain, combinations, product

import autograd.numpy as anp
import numpy as np


def agree(actual, expected, rtol, floor=0.0):
    """Assert equal shapes, and entries equal to `rtol` times the largest expected one, at least `floor`."""
    actual, expected = np.asarray(actual, np.float64), np.asarray(expected, np.float64)
    assert actual.shape == expected.shape, f"shape {actual.shape}, expected {expected.shape}"
    largest = max(np.abs(expected).max(), floor)
    error = np.abs(actual - expected).max()
    assert error <= rtol * largest, f"off by {error:.3g} of {largest:.3g}:\n{actual}\nexpected\n{expected}"


def central_difference(function, x, step=1e-3):
    """Return the gradient of a scalar function of an array, good to about 1e-10.

    Central differences over h, h/2 and h/4, extrapolated twice to h = 0 (Richardson).
    """
    x = np.asarray(x, np.float64)

    def difference(index, h):
        forth, back = x.copy(), x.copy()
        forth[index] += h
        back[index] -= h
        return (function(forth) - function(back)) / (2 * h)

    gradient = np.empty_like(x)
    for index in np.ndindex(x.shape):
        coarse, middle, fine = (difference(index, step / 2**power) for power in range(3))
        once = (4 * middle - coarse) / 3, (4 * fine - middle) / 3
        gradient[index] = (16 * once[1] - once[0]) / 15
    return gradient


# Losses


def _log_sum_exp(z):
    top = anp.max(z, axis=1, keepdims=True)
    return top + anp.log(anp.sum(anp.exp(z - top), axis=1, keepdims=True))


def log_softmax(z):
    return z - _log_sum_exp(z)


def squared_error(prediction, target):
    return anp.sum((prediction - target) ** 2) / 2 / len(prediction)


def cross_entropy(z, y):
    log_p = log_softmax(z)
    if y.ndim == 1:
        return -anp.mean(log_p[np.arange(len(y)), y])
    return -anp.mean(anp.sum(y * log_p, axis=1))


def binary_cross_entropy(z, y):
    """Every output as a softmax over the two classes yes (logit z) and no (logit 0)."""
    yes = anp.reshape(z, (-1,))
    log_p = log_softmax(anp.stack([yes, 0 * yes], axis=1))
    return -anp.sum(log_p * np.stack([y.ravel(), 1 - y.ravel()], axis=1)) / len(z)


# Penalties


def l1(theta, strength, anchor=0.0):
    return strength * anp.sum(anp.abs(theta - anchor))


def l2(theta, strength, anchor=0.0):
    return strength / 2 * anp.sum((theta - anchor) ** 2)


def elastic_net(theta, strength, ratio, anchor=0.0):
    return l1(theta, strength * ratio, anchor) + l2(theta, strength * (1 - ratio), anchor)


def importance_weighted(theta, strength, importance, anchor=0.0):
    return strength / 2 * anp.sum(importance * (theta - anchor) ** 2)


# Distillation


def reverse_kl(z, t, T=1.0):
    log_q, log_p = log_softmax(z / T), log_softmax(t / T)
    return T**2 * anp.mean(anp.sum(anp.exp(log_q) * (log_q - log_p), axis=1))


def forward_kl(z, t, T=1.0):
    log_q, log_p = log_softmax(z / T), log_softmax(t / T)
    return T**2 * anp.mean(anp.sum(anp.exp(log_p) * (log_p - log_q), axis=1))


def soft_cross_entropy(z, t, T=1.0):
    return -(T**2) * anp.mean(anp.sum(anp.exp(log_softmax(t / T)) * log_softmax(z / T), axis=1))


def distilled_cross_entropy(z, y, t, alpha, T=1.0, divergence=reverse_kl):
    return alpha * cross_entropy(z, y) + (1 - alpha) * divergence(z, t, T)


def feature_distance(f, g, R=None):
    return squared_error(f if R is None else anp.dot(f, R), g)


def relation_distance(f, g):
    pairs = [(i, j) for i, j in product(range(len(f)), repeat=2) if i != j]
    if not pairs:
        return 0 * anp.sum(f)

    def normalized(rows):
        distances = [_distance(rows[i], rows[j]) for i, j in pairs]
        mean = sum(distances) / len(distances)
        return [distance / mean if mean > 0 else distance for distance in distances]

    return sum(_huber(u - v) for u, v in zip(normalized(f), normalized(g), strict=True)) / len(pairs)


def relation_angle(f, g):
    n = len(f)

    def cosines(rows):
        e = [[_direction(rows[i], rows[j]) for j in range(n)] for i in range(n)]
        return [anp.sum(e[i][j] * e[i][k]) for i, j, k in product(range(n), repeat=3)]

    return sum(_huber(a - b) for a, b in zip(cosines(f), cosines(g), strict=True)) / n**3


def _distance(a, b):
    return 0 * anp.sum(a) if np.all(a == b) else anp.sqrt(anp.sum((a - b) ** 2))


def _direction(a, b):
    return 0 * a if np.all(a == b) else (b - a) / _distance(a, b)


def _huber(x):
    return x * x / 2 if abs(x) <= 1 else abs(x) - 0.5


# The variational autoencoder


def reparametrize(mu, log_variance, epsilon):
    return mu + anp.exp(log_variance / 2) * epsilon


def kl_to_normal(mu, log_variance):
    """The mean of log q(z) − log p(z) over z ~ q, by Gauss and Hermite: exact, as it is quadratic in z."""
    total = 0.0
    for noise, share in zip(*np.polynomial.hermite_e.hermegauss(3), strict=True):
        z = reparametrize(mu, log_variance, noise)
        log_q_to_p = z**2 / 2 - noise**2 / 2 - log_variance / 2
        total = total + share / np.sqrt(2 * np.pi) * anp.sum(log_q_to_p)
    return total / len(mu)


def kl_between(mu, log_variance, prior_mu, prior_log_variance):
    """The same for any normal prior: (z − m)/s in place of z leaves it as it is, and the prior is N(0, 1)."""
    s = anp.exp(prior_log_variance / 2)
    return kl_to_normal((mu - prior_mu) / s, log_variance - prior_log_variance)


# Projections


def project_gem(g, R):
    """The nearest point to g with R g̃ ≥ 0: of all faces, the nearest feasible projection on one.

    At the solution some constraints hold with equality, and it is the projection of g onto those. Every
    other feasible candidate is at least as far from g.
    """
    R = np.atleast_2d(R)
    subsets = chain.from_iterable(combinations(range(len(R)), size) for size in range(len(R) + 1))
    candidates = [project_orthogonal(g, R[list(subset)]) for subset in subsets]
    feasible = [point for point in candidates if (R @ point).min() >= -1e-10]
    return min(feasible, key=lambda point: np.linalg.norm(point - g))


project_agem = project_gem  # a memory of one row


def project_orthogonal(g, basis):
    """What is left of g after the best fit by the rows of `basis`, which need not be orthonormal."""
    return g - basis.T @ np.linalg.lstsq(basis.T, g, rcond=1e-10)[0]
