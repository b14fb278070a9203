"""Layers and losses that are unlike ours, each right, and some of them wrong in a way that people are.

A wrong one stands below its right one, and says what it gets wrong.
"""

import numpy as np

from incrlearn.formulas import log_softmax, sigmoid, softmax
from incrlearn.network import Layer

# ---- layers ------------------------------------------------------------------------------------------


class GELU(Layer):
    """y = x/2 (1 + tanh u), u = √(2/π) (x + 0.044715 x³)."""

    c = 0.7978845608

    def forward(self, x):
        return x * (1 + self.tanh(x)) / 2

    def tanh(self, x):
        return np.tanh(self.c * (x + 0.044715 * x**3))

    def backward(self, x, y, delta):
        t = self.tanh(x)
        return delta * ((1 + t) + x * (1 - t * t) * self.c * (1 + 0.134145 * x * x)) / 2


class GELUOfAConstantGate(GELU):
    """That the gate Φ(x) rises with x is forgotten."""

    def backward(self, x, y, delta):
        return delta * (1 + self.tanh(x)) / 2


class Softplus(Layer):
    def forward(self, x):
        return np.logaddexp(0, x).astype(x.dtype)

    def backward(self, x, y, delta):
        return delta * sigmoid(x)


class Swish(Layer):
    """y = x σ(βx), one β for every column."""

    def __init__(self, width):
        self.inputs = self.n_parameters = width

    def bind(self, theta):
        self.beta = theta

    def initialize(self, rng):
        self.beta[:] = 1

    def forward(self, x):
        return x * sigmoid(self.beta * x)

    def backward(self, x, y, delta):
        s = sigmoid(self.beta * x)
        return delta * (s + self.beta * x * s * (1 - s))

    def gradient(self, x, delta, out):
        s = sigmoid(self.beta * x)
        out[:] = np.sum(delta * x * x * s * (1 - s), axis=0)


class TwoMatrices(Layer):
    """Two outputs of three inputs, and a matrix W for each."""

    inputs, n_parameters = 3, 18

    def connect(self, width):
        return 2

    def bind(self, theta):
        self.W = theta.reshape(2, 3, 3)

    def initialize(self, rng):
        self.W[:] = rng.normal(size=self.W.shape)


class Maxout(TwoMatrices):
    """y is the largest of three linear units, for each of two outputs."""

    def units(self, x):
        return np.einsum("ni,oui->nou", x, self.W)

    def forward(self, x):
        return self.units(x).max(axis=2)

    def chosen(self, x, delta):
        """Return δ where the largest unit is: (n, outputs, units)."""
        return delta[..., None] * (self.units(x).argmax(axis=2)[..., None] == np.arange(3))

    def backward(self, x, y, delta):
        return np.einsum("nou,oui->ni", self.chosen(x, delta), self.W)

    def gradient(self, x, delta, out):
        out[:] = np.einsum("nou,ni->oui", self.chosen(x, delta), x).ravel()


class SoftMaximum(Layer):
    """y = log Σ exp x, a smooth maximum of each row."""

    def connect(self, width):
        return 1

    def forward(self, x):
        top = x.max(axis=1, keepdims=True)
        return top + np.log(np.exp(x - top).sum(axis=1, keepdims=True))

    def backward(self, x, y, delta):
        return delta * np.exp(x - y)


class SoftMaximumUnshifted(SoftMaximum):
    """exp overflows."""

    def forward(self, x):
        return np.log(np.exp(x).sum(axis=1, keepdims=True))


class GroupNorm(Layer):
    """Two groups of columns, each with its own μ and σ."""

    inputs = 4

    def groups(self, x):
        g = x.reshape(-1, 2, 2)
        d = g - g.mean(axis=2, keepdims=True)
        return d, np.sqrt(np.square(d).mean(axis=2, keepdims=True) + 1e-3)

    def forward(self, x):
        d, s = self.groups(x)
        return (d / s).reshape(x.shape)

    def backward(self, x, y, delta):
        y, delta = y.reshape(-1, 2, 2), delta.reshape(-1, 2, 2)
        inner = delta - delta.mean(axis=2, keepdims=True) - y * (delta * y).mean(axis=2, keepdims=True)
        return (inner / self.groups(x)[1]).reshape(x.shape)


class Bilinear(TwoMatrices):
    """yₖ = xᵀ Wₖ x."""

    def forward(self, x):
        return np.einsum("ni,kij,nj->nk", x, self.W, x)

    def backward(self, x, y, delta):
        return np.einsum("nk,kij,nj->ni", delta, self.W + self.W.transpose(0, 2, 1), x)

    def gradient(self, x, delta, out):
        out[:] = np.einsum("nk,ni,nj->kij", delta, x, x).ravel()


class BilinearByOneSide(Bilinear):
    """x stands there twice, and only the first is looked at."""

    def backward(self, x, y, delta):
        return np.einsum("nk,kij,nj->ni", delta, self.W, x)


class Attention(Layer):
    """A row is three words of two features, t; y = softmax(t tᵀ) t."""

    inputs = 6

    def words(self, x):
        t = x.reshape(-1, 3, 2)
        scores = t @ t.transpose(0, 2, 1)
        e = np.exp(scores - scores.max(axis=2, keepdims=True))
        return t, e / e.sum(axis=2, keepdims=True)

    def forward(self, x):
        t, p = self.words(x)
        return (p @ t).reshape(x.shape)

    def backward(self, x, y, delta):
        (t, p), delta = self.words(x), delta.reshape(-1, 3, 2)
        of_p = delta @ t.transpose(0, 2, 1)
        of_scores = p * (of_p - (of_p * p).sum(axis=2, keepdims=True))
        result = p.transpose(0, 2, 1) @ delta + (of_scores + of_scores.transpose(0, 2, 1)) @ t
        return result.reshape(x.shape)


class AttentionOfQueriesOnly(Attention):
    """Each word is query, key and value, and the keys are forgotten."""

    def backward(self, x, y, delta):
        (t, p), delta = self.words(x), delta.reshape(-1, 3, 2)
        of_p = delta @ t.transpose(0, 2, 1)
        of_scores = p * (of_p - (of_p * p).sum(axis=2, keepdims=True))
        return (p.transpose(0, 2, 1) @ delta + of_scores @ t).reshape(x.shape)


class Unit(Layer):
    """y = x/√(‖x‖² + ε)."""

    def length(self, x):
        return np.sqrt(np.square(x).sum(axis=1, keepdims=True) + 1e-6)

    def forward(self, x):
        return x / self.length(x)

    def backward(self, x, y, delta):
        return (delta - y * (y * delta).sum(axis=1, keepdims=True)) / self.length(x)


class Sorted(Layer):
    """Each row in order; equal entries have one kink each."""

    def forward(self, x):
        return np.sort(x, axis=1)

    def backward(self, x, y, delta):
        result = np.empty_like(delta)
        np.put_along_axis(result, np.argsort(x, axis=1, kind="stable"), delta, axis=1)
        return result


class SortedTwice(Sorted):
    """δ is put in order as x is, where it must be put back."""

    def backward(self, x, y, delta):
        return np.take_along_axis(delta, np.argsort(x, axis=1, kind="stable"), axis=1)


class HardSwish(Layer):
    """y = x · clip(x + 3, 0, 6)/6, with kinks at ±3."""

    def forward(self, x):
        return x * np.clip(x + 3, 0, 6) / 6

    def backward(self, x, y, delta):
        return delta * np.where(x < -3, 0, np.where(x > 3, 1, (2 * x + 3) / 6)).astype(x.dtype)


class GumbelSoftmax(Layer):
    """y = softmax((x + g)/T), the noise g drawn once and kept."""

    T = 0.5

    def noise(self, x):
        return np.random.default_rng(0).gumbel(size=x.shape[1]).astype(x.dtype)

    def forward(self, x):
        return softmax((x + self.noise(x)) / self.T)

    def backward(self, x, y, delta):
        return y * (delta - (delta * y).sum(axis=1, keepdims=True)) / self.T


class GumbelSoftmaxDrawn(GumbelSoftmax):
    """The noise is drawn anew in backward."""

    def __init__(self):
        self.rng = np.random.default_rng(0)

    def noise(self, x):
        return self.rng.gumbel(size=x.shape[1]).astype(x.dtype)


LAYERS = {
    GELU: (),
    Softplus: (),
    Swish: (3,),
    Maxout: (),
    SoftMaximum: (),
    GroupNorm: (),
    Bilinear: (),
    Attention: (),
    Unit: (),
    Sorted: (),
    HardSwish: (),
    GumbelSoftmax: (),
}
WRONG_LAYERS = {
    GELUOfAConstantGate: None,
    SoftMaximumUnshifted: "precision",
    BilinearByOneSide: None,
    AttentionOfQueriesOnly: None,
    SortedTwice: "order",
    GumbelSoftmaxDrawn: "state",
}

# ---- losses: (value, gradient) of z and what it is compared with ---------------------------------------


def cosine(z, t):
    """1/n Σ (1 − cos(z, t))."""
    z_length, t_length = (np.sqrt(np.square(a).sum(axis=1, keepdims=True) + 1e-6) for a in (z, t))
    u, v = z / z_length, t / t_length
    cos = (u * v).sum(axis=1, keepdims=True)
    return np.sum(1 - cos) / len(z), (cos * u - v) / z_length / len(z)


def cosine_of_constant_length(z, t):
    """‖z‖ is taken for a constant."""
    z_length, t_length = (np.sqrt(np.square(a).sum(axis=1, keepdims=True) + 1e-6) for a in (z, t))
    v = t / t_length
    return cosine(z, t)[0], -v / z_length / len(z)


def triplet(a, p, n):
    """1/n Σ max(0, 1 + ‖a − p‖² − ‖a − n‖²), and its three gradients; no large numbers cancel in it."""
    over = 1 + ((n - p) * (2 * a - p - n)).sum(axis=1)
    used = (2 / len(a) * (over > 0)[:, None]).astype(a.dtype)
    return np.maximum(over, 0).sum() / len(a), (used * (n - p), used * (p - a), used * (a - n))


def triplet_with_a_free_anchor(a, p, n):
    """The anchor is told of the positive only."""
    value, (_, of_p, of_n) = triplet(a, p, n)
    return value, (-of_p, of_p, of_n)


def hinge(z, y):
    """1/n Σᵢ Σ_{j≠yᵢ} max(0, 1 + zⱼ − z_{yᵢ})."""
    rows = np.arange(len(z))
    over = np.maximum(1 + z - z[rows, y][:, None], 0)
    over[rows, y] = 0
    gradient = (over > 0).astype(z.dtype)
    gradient[rows, y] = -gradient.sum(axis=1)
    return over.sum() / len(z), gradient / len(z)


def hinge_once(z, y):
    """The own class is pulled up once, however many others are too high."""
    value, gradient = hinge(z, y)
    rows = np.arange(len(z))
    gradient[rows, y] = np.sign(gradient[rows, y]) / len(z)
    return value, gradient


def focal(z, y):
    """−1/n Σ (1 − p)² log p, p that of the own class."""
    rows = np.arange(len(z))
    log_p, q = log_softmax(z), softmax(z)
    log_own, p = log_p[rows, y], q[rows, y]
    rest = q.copy()
    rest[rows, y] = 0
    rest = rest.sum(axis=1)  # 1 − p, without cancellation
    slope = rest**2 - 2 * rest * p * log_own
    gradient = slope[:, None] * q
    gradient[rows, y] = -slope * rest
    return -np.sum(rest**2 * log_own) / len(z), gradient / len(z)


def focal_of_a_constant_weight(z, y):
    """(1 − p)² is taken for a weight that does not depend on z."""
    rows, q = np.arange(len(z)), softmax(z)
    weight = (1 - q[rows, y]) ** 2
    q[rows, y] -= 1
    return focal(z, y)[0], weight[:, None] * q / len(z)


def pinball(z, t):
    """1/n Σ max(0.9 e, −0.1 e), e = t − z: the 90 % quantile."""
    e = t - z
    return np.maximum(0.9 * e, -0.1 * e).sum() / len(z), np.where(e > 0, -0.9, 0.1).astype(z.dtype) / len(z)


def log_cosh(z, t):
    e = z - t
    return np.sum(np.logaddexp(e, -e) - np.log(z.dtype.type(2))) / len(z), np.tanh(e) / len(z)


def info_nce(z, t):
    """Each row of z must find its own row of t among all of them."""
    scores = z @ t.T
    p = softmax(scores)
    return -np.trace(log_softmax(scores)) / len(z), (p - np.eye(len(z), dtype=z.dtype)) @ t / len(z)


def poisson(z, t):
    """1/n Σ exp z − t z."""
    return np.sum(np.exp(z) - t * z) / len(z), (np.exp(z) - t) / len(z)


def dice(z, t):
    """1 − 2 Σ p t / (Σ p + Σ t²), p = σ(z)."""
    p = sigmoid(z)
    above, below = 2 * np.sum(p * t), np.sum(p) + np.sum(t * t) + 1
    return 1 - above / below, (above / below - 2 * t) / below * p * sigmoid(-z)


LOSSES = [cosine, pinball, log_cosh, info_nce, poisson, dice]
OF_LABELS = [hinge, focal]
WRONG_LOSSES = [cosine_of_constant_length, triplet_with_a_free_anchor, hinge_once, focal_of_a_constant_weight]
