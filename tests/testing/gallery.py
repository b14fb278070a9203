"""Forty classic gradient bugs, each beside its correct twin: what `incrlearn.testing` is measured on.

Every bug is a function or class of its own, in the shape in which it comes about: its docstring tells how,
and above it stands the twin that does it as it should be done. `python -m tests.testing.gallery` prints which
are caught, what they are blamed on, and what `scipy.optimize.check_grad` says of the same.

A loss, a penalty or a distillation is a function that returns (value, gradient). A layer is a
`Layer`: y = forward(x), ∂L/∂x = backward(x, y, δ), and gradient(x, δ, out) writes ∂L/∂θ. An optimizer has
`step(theta, gradient)`. A second derivative is a function of x and v that returns H v.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np

from incrlearn import testing
from incrlearn.formulas import log_softmax, sigmoid, softmax
from incrlearn.network import SGD, Adam, Layer, Linear, ReLU, Sigmoid, Tanh

# What the bugs are shown with. None of the numbers n, k, T and T² is a multiple of another one, so that a
# factor has one explanation.
N, K, T = 5, 3, 2.5
LAM, RHO = 0.7, 0.2
_rng = np.random.default_rng(6)
Z = _rng.normal(size=(N, K))
TEACHER = _rng.normal(size=(N, K))
LABELS = np.array([0, 2, 1, 2, 0])
Y = np.eye(K)[LABELS]
TARGET = _rng.normal(size=(N, K))
X = _rng.normal(size=(N, 4))
THETA = np.array([1.5, -0.4, 0.9, -2.0, 0.3, 0.7])
OTHER = np.vstack([X[:1], X[:-1]])  # the first row is the same
TEXT = np.array([0, 2, 2, 1, 2])  # words, by their number: word 2 comes three times
VECTORS = _rng.normal(size=(4, 3))


@dataclass(frozen=True, eq=False)
class Bug:
    """One entry of the gallery.

    name: what goes wrong, in a few words
    kind: "loss", "distillation", "penalty", "layer", "optimizer" or "second derivative"
    cause: what a good checker should name, one of `incrlearn.testing.CAUSES`
    wrong, twin: the bug, and the same without it; of a layer or an optimizer the class
    at: the x at which to look
    arguments: what a function is given after x, or what a class is made with
    rule: of an optimizer, the textbook's name for it
    function: of a second derivative, the function that returns (value, gradient)
    reference: where it has happened, or is warned of; empty where no case is known well enough
    """

    name: str
    kind: str
    cause: str
    wrong: object
    twin: object
    at: object = None
    arguments: tuple = ()
    rule: str | None = None
    function: object = None
    reference: str = ""

    @property
    def story(self):
        """How it comes about."""
        return " ".join(self.wrong.__doc__.split())


GALLERY = []


def bug(name, kind, cause, twin, **more):
    """Put what is below into the gallery, as the wrong one beside its twin."""

    def enter(wrong):
        GALLERY.append(Bug(name, kind, cause, wrong, twin, **more))
        return wrong

    return enter


# ---- losses ----------------------------------------------------------------------------------------


def squared_error(prediction, target):
    error = prediction - target
    return np.square(error).sum() / (2 * len(error)), error / len(error)


@bug("target − prediction", "loss", "sign", squared_error, at=Z, arguments=(TARGET,))
def squared_error_turned_round(prediction, target):
    """The square does not mind which way round the difference is taken, its derivative does: the −1 of
    the inner derivative is forgotten.
    """
    error = target - prediction
    return np.square(error).sum() / (2 * len(error)), error / len(error)


def mean_of_squares(prediction, target):
    error = prediction - target
    return np.square(error).sum() / len(error), 2 * error / len(error)


@bug("the square's 2 forgotten", "loss", "factor 2", mean_of_squares, at=Z, arguments=(TARGET,))
def mean_of_squares_without_2(prediction, target):
    """Books write ½‖ŷ − y‖² so that the 2 cancels, libraries report ‖ŷ − y‖²: the value is taken from one
    and the gradient from the other.
    """
    error = prediction - target
    return np.square(error).sum() / len(error), error / len(error)


def cross_entropy(z, y):
    return -(y * log_softmax(z)).sum() / len(z), (softmax(z) - y) / len(z)


@bug("the batch's 1/n forgotten", "loss", "mean against sum", cross_entropy, at=Z, arguments=(Y,))
def cross_entropy_summed(z, y):
    """softmax(z) − y is the formula that everybody knows, and it is that of one row. Learning still
    works, until the batch becomes larger and the learning rate with it.
    """
    return -(y * log_softmax(z)).sum() / len(z), softmax(z) - y


@bug(
    "mean over entries for mean over rows",
    "loss",
    "mean against sum",
    cross_entropy,
    at=Z,
    arguments=(Y,),
    reference="PyTorch's KLDivLoss: its documentation warns of reduction='mean', and asks for 'batchmean'",
)
def cross_entropy_over_entries(z, y):
    """`mean()` of an array divides by all n k entries, where the loss is a mean over the n rows: the
    gradient is k times too small.
    """
    return -(y * log_softmax(z)).sum() / len(z), (softmax(z) - y) / z.size


@bug("a class without its one-hot", "loss", "missing", cross_entropy, at=Z, arguments=(Y,))
def cross_entropy_from_class_1(z, y):
    """p − y is written class by class, and the loop begins at 1, as classes do in the paper: class 0 is
    pushed away by every row, its own ones too.
    """
    gradient = softmax(z)
    for k in range(1, y.shape[1]):
        gradient[:, k] -= y[:, k]
    return -(y * log_softmax(z)).sum() / len(z), gradient / len(z)


def binary_cross_entropy(z, y):
    value = (np.logaddexp(0, z) - y * z).sum() / len(z)
    return value, (sigmoid(z) - y) / len(z)


@bug(
    "σ′ once more behind cross entropy",
    "loss",
    "activation",
    binary_cross_entropy,
    at=Z,
    arguments=(Y,),
    reference="the slowdown of which Nielsen, Neural Networks and Deep Learning, 2015, chapter 3, tells",
)
def binary_cross_entropy_with_slope(z, y):
    """The delta of squared error, (p − y) σ′(z), is kept when the loss becomes cross entropy, in whose
    gradient at the logits σ′ has cancelled: units that are sure and wrong hardly learn.
    """
    p = sigmoid(z)
    value = (np.logaddexp(0, z) - y * z).sum() / len(z)
    return value, (p - y) * p * (1 - p) / len(z)


def log_sum_exp(z):
    e = np.exp(z - z.max())
    return z.max() + np.log(e.sum()), e / e.sum()


@bug("the shift of log Σ exp forgotten", "loss", "factor", log_sum_exp, at=Z[0])
def log_sum_exp_shifted_once(z):
    """The largest entry is subtracted so that nothing overflows, and not everywhere: numerator and
    denominator of the softmax differ by the factor exp(max z).
    """
    e = np.exp(z - z.max())
    return z.max() + np.log(e.sum()), np.exp(z) / e.sum()


def regression(prediction, answers):
    error = prediction - answers[:, None]
    return np.square(error).sum() / (2 * len(error)), error / len(error)


@bug(
    "(n, 1) minus (n,)",
    "loss",
    "shape",
    regression,
    at=Z[:, :1],
    arguments=(TARGET[:, 0],),
    reference="pytorch issue 4938; mse_loss warns that it 'will likely lead to incorrect results'",
)
def regression_broadcast(prediction, answers):
    """A column of predictions minus a vector of answers is a table of all pairs, and its mean looks like
    a loss. It learns the mean of all answers.
    """
    error = prediction - answers
    return np.square(error).sum() / (2 * len(error)), error / len(error)


@bug("softmax that overflows", "loss", "not a number", cross_entropy, at=1000 * Z, arguments=(Y,))
def cross_entropy_without_shift(z, y):
    """exp z / Σ exp z as it is printed: right for the logits of the first steps, ∞/∞ for those of a
    network that has become sure.
    """
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
        return -(y * np.log(p)).sum() / len(z), (p - y) / len(z)


def distance(x, other):
    d = x - other
    length = np.sqrt(np.square(d).sum(axis=1, keepdims=True))
    return length.sum(), d / np.where(length > 0, length, 1)


@bug(
    "0/0 at distance 0",
    "loss",
    "not a number",
    distance,
    at=X,
    arguments=(OTHER,),
    reference="pytorch issue 2421, HIPS/autograd issue 151: the gradient of a norm at 0 was NaN",
)
def distance_of_equal_rows(x, other):
    """d/‖d‖ has no value where two rows are the same, as duplicates in a batch are; one such pair makes
    every parameter NaN.
    """
    d = x - other
    length = np.sqrt(np.square(d).sum(axis=1, keepdims=True))
    with np.errstate(invalid="ignore"):
        return length.sum(), d / length


def huber(prediction, target):
    error = prediction - target
    inside = np.abs(error) <= 1
    return np.where(inside, error**2 / 2, np.abs(error) - 0.5).sum(), np.clip(error, -1, 1)


@bug(
    "Huber's loss without a slope outside",
    "loss",
    "missing",
    huber,
    at=Z,
    arguments=(TARGET,),
    reference="OpenAI, Baselines: DQN, 2017, on what 'clip the error term' in the paper of DQN was taken for",
)
def huber_cut_off(prediction, target):
    """'The error is clipped' is read as a clipped loss, which is flat outside: the largest errors, of
    all, have no gradient.
    """
    error = prediction - target
    inside = np.abs(error) <= 1
    return np.where(inside, error**2 / 2, np.abs(error) - 0.5).sum(), error * inside


def embedding(table, text, target):
    error = table[text] - target
    gradient = np.zeros_like(table)
    np.add.at(gradient, text, error)
    return np.square(error).sum() / 2, gradient


@bug(
    "a repeated index counted once",
    "loss",
    "missing",
    embedding,
    at=VECTORS,
    arguments=(TEXT, TARGET),
    reference="NumPy's documentation of ufunc.at: a[[0, 0]] += 1 adds 1 once",
)
def embedding_by_plus_equals(table, text, target):
    """g[i] += δ reads, adds and writes all rows at once: of a word that comes three times only the last
    occurrence is kept. `np.add.at` adds them all.
    """
    error = table[text] - target
    gradient = np.zeros_like(table)
    gradient[text] += error
    return np.square(error).sum() / 2, gradient


def tied_autoencoder(W, x):
    code = x @ W
    error = code @ W.T - x
    return np.square(error).sum() / 2, x.T @ (error @ W) + error.T @ code


@bug("a shared weight counted once", "loss", "missing", tied_autoencoder, at=VECTORS[:, :2], arguments=(X,))
def tied_autoencoder_decoder_only(W, x):
    """The decoder takes the encoder's W, transposed. A parameter used in two places has the sum of two
    gradients, and here only the decoder's is there.
    """
    code = x @ W
    error = code @ W.T - x
    return np.square(error).sum() / 2, error.T @ code


@bug("a gradient in whole numbers", "loss", "dtype", cross_entropy, at=Z, arguments=(Y,))
def cross_entropy_truncated(z, y):
    """The gradient is written into a copy of the one-hot labels, which are integers: NumPy cuts off what
    is behind the point, without a word, and nothing is left.
    """
    gradient = y.astype(int)
    gradient[:] = (softmax(z) - y) / len(z)
    return -(y * log_softmax(z)).sum() / len(z), gradient


# ---- distillation ----------------------------------------------------------------------------------


def distilled(z, t, T):
    q, p = softmax(z / T), softmax(t / T)
    return -(T**2) * (p * log_softmax(z / T)).sum() / len(z), T * (q - p) / len(z)


@bug("the temperature forgotten", "distillation", "factor T", distilled, at=Z, arguments=(TEACHER, T))
def distilled_without_inner_derivative(z, t, T):
    """The chain rule of z/T gives a factor 1/T, and with T² in front T is left. What came out of the
    lecture notes, q − p, holds for T = 1 alone.
    """
    q, p = softmax(z / T), softmax(t / T)
    return -(T**2) * (p * log_softmax(z / T)).sum() / len(z), (q - p) / len(z)


@bug(
    "T² in the gradient only",
    "distillation",
    "factor T",
    distilled,
    at=Z,
    arguments=(TEACHER, T),
    reference="Hinton, Vinyals and Dean, 2015, section 2: gradients fall with 1/T², hence the factor",
)
def distilled_without_T2(z, t, T):
    """The factor T² keeps gradients as large as at T = 1. It is put where it is needed, in the gradient,
    and the reported loss goes without.
    """
    q, p = softmax(z / T), softmax(t / T)
    return -(p * log_softmax(z / T)).sum() / len(z), T * (q - p) / len(z)


@bug("teacher and student exchanged", "distillation", "sign", distilled, at=Z, arguments=(TEACHER, T))
def distilled_exchanged(z, t, T):
    """One paper calls the student q and the teacher p, the next the other way round. In the difference it
    is the teacher that is led to the student.
    """
    p, q = softmax(z / T), softmax(t / T)
    return -(T**2) * (q * log_softmax(z / T)).sum() / len(z), T * (q - p) / len(z)


def forward_kl(z, t, T):
    log_q, log_p = log_softmax(z / T), log_softmax(t / T)
    q, p = np.exp(log_q), np.exp(log_p)
    return T**2 * (p * (log_p - log_q)).sum() / len(z), T * (q - p) / len(z)


@bug(
    "the divergence's direction exchanged",
    "distillation",
    "value",
    forward_kl,
    at=Z,
    arguments=(TEACHER, T),
    reference="PyTorch's kl_div(input, target) is KL(target ‖ input), the other way round than it reads",
)
def forward_kl_of_the_other_way(z, t, T):
    """KL(p‖q) is not KL(q‖p). The gradient is that of the one, q − p, the value that of the other: both
    fall in training, and neither looks wrong.
    """
    log_q, log_p = log_softmax(z / T), log_softmax(t / T)
    q, p = np.exp(log_q), np.exp(log_p)
    return T**2 * (q * (log_q - log_p)).sum() / len(z), T * (q - p) / len(z)


# ---- penalties -------------------------------------------------------------------------------------


def l2(theta, strength):
    return strength / 2 * theta @ theta, strength * theta


@bug("λ/2 with the gradient of λ", "penalty", "factor 2", l2, at=THETA, arguments=(LAM,))
def l2_twice(theta, strength):
    """The value is λ/2 ‖θ‖², the gradient 2λθ, that of λ‖θ‖²: both conventions are common, and the best λ
    of the one is half that of the other.
    """
    return strength / 2 * theta @ theta, 2 * strength * theta


def elastic_net(theta, strength, ratio):
    value = strength * (ratio * np.abs(theta).sum() + (1 - ratio) / 2 * theta @ theta)
    return value, strength * (ratio * np.sign(theta) + (1 - ratio) * theta)


@bug("the mixture exchanged", "penalty", "value", elastic_net, at=THETA, arguments=(LAM, RHO))
def elastic_net_exchanged(theta, strength, ratio):
    """Is ρ the share of L1 or that of L2? Books and libraries differ, and here value and gradient do: the
    gradient has ρ of L1, the value ρ of L2.
    """
    value = strength * ((1 - ratio) * np.abs(theta).sum() + ratio / 2 * theta @ theta)
    return value, strength * (ratio * np.sign(theta) + (1 - ratio) * theta)


# ---- layers ----------------------------------------------------------------------------------------


@bug("δ Wᵀ for δ W", "layer", "transpose", Linear, arguments=(4, 4), at=X)
class Transposed(Linear):
    """With as many outputs as inputs the shapes of δ Wᵀ and δ W are the same, and no error is raised;
    square hidden layers are where it is found last.
    """

    def backward(self, x, y, delta):
        return delta @ self.W.T


@bug("the bias of the last row", "layer", "broadcast sum", Linear, arguments=(4, 2), at=X)
class LastRowsBias(Linear):
    """The bias is the same for all rows, so its gradient is a sum over them. In a loop over the rows =
    stands where += should, and the last row wins.
    """

    def gradient(self, x, delta, out):
        super().gradient(x, delta, out)
        _, b = self._split(out)
        for row in delta:
            b[:] = row


@bug(
    "added to what stood in out",
    "layer",
    "accumulated",
    Linear,
    arguments=(4, 2),
    at=X,
    reference="what PyTorch's backward() does on purpose: zero_grad() must be called before it",
)
class Accumulating(Linear):
    """The gradient is added to `out` instead of written into it. All is well for the first batch, whose
    out is zero; then the gradients of all batches pile up.
    """

    def gradient(self, x, delta, out):
        W, b = self._split(out)
        W += delta.T @ x
        b += delta.sum(axis=0)


@bug(
    "ReLU in place",
    "layer",
    "modified",
    ReLU,
    at=X,
    reference="pytorch/vision issue 807: adding to what ReLU(inplace=True) returned breaks the backward pass",
)
class ReLUInPlace(ReLU):
    """y is written over x to save memory. Whoever needs x, the layer before or a skip connection, finds y
    there.
    """

    def forward(self, x):
        return np.maximum(x, 0, out=x)


@bug("the mask of another batch", "layer", "stale", ReLU, at=X)
class ReLUWithMemory(ReLU):
    """`forward` keeps where x was positive for `backward`. The teacher's batch, or the evaluation between
    two steps, goes through the same layer and leaves its own mask behind.
    """

    def forward(self, x):
        self.positive = x > 0
        return np.maximum(x, 0)

    def backward(self, x, y, delta):
        return delta * self.positive


@bug("σ′ at y in place of x", "layer", "activation", Sigmoid, at=X)
class SigmoidTwice(Sigmoid):
    """σ′ = σ (1 − σ), and what `backward` is given is y, which is σ(x) already: σ is taken twice."""

    def backward(self, x, y, delta):
        return delta * sigmoid(y) * (1 - sigmoid(y))


@bug("1 − x² for 1 − y²", "layer", "activation", Tanh, at=X)
class TanhAtX(Tanh):
    """tanh′ = 1 − tanh², taken of the input: near 0, where tanh x ≈ x, nobody notices, and at large x the
    gradient explodes with the wrong sign.
    """

    def backward(self, x, y, delta):
        return delta * (1 - x * x)


class Clip(Layer):
    def forward(self, x):
        return np.clip(x, -1, 1)

    def backward(self, x, y, delta):
        return delta * (np.abs(x) < 1)


@bug(
    "clip lets every gradient through",
    "layer",
    "activation",
    Clip,
    at=X,
    reference="on purpose it is the straight-through estimator of Bengio, Léonard and Courville, 2013",
)
class ClipStraightThrough(Clip):
    """Clipping is thought of as a safeguard, not as a function, and is left out of the backward pass:
    outside, where y is constant, x goes on being pushed.
    """

    def backward(self, x, y, delta):
        return 1 * delta


class Dropout(Layer):
    """What dropout is for one batch: a fixed mask, and a factor that keeps the mean."""

    inputs, keep = 4, 0.8

    def forward(self, x):
        return x * np.array([1, 0, 1, 1], x.dtype) / self.keep

    def backward(self, x, y, delta):
        return delta * np.array([1, 0, 1, 1], delta.dtype) / self.keep


@bug("dropout's 1/(1 − p) forgotten", "layer", "factor", Dropout, at=X)
class DropoutUnscaled(Dropout):
    """The factor 1/(1 − p) moved from evaluation to training, "inverted dropout", and into the forward
    pass only.
    """

    def backward(self, x, y, delta):
        return delta * np.array([1, 0, 1, 1], delta.dtype)


class Softmax(Layer):
    def forward(self, x):
        return softmax(x)

    def backward(self, x, y, delta):
        return y * (delta - (delta * y).sum(axis=1, keepdims=True))


@bug("softmax with the slope of σ", "layer", "missing", Softmax, at=X)
class SoftmaxDiagonal(Softmax):
    """∂yᵢ/∂xᵢ = yᵢ (1 − yᵢ) looks like the sigmoid's derivative, and is taken for the whole. That every
    other output falls when xᵢ rises is missing.
    """

    def backward(self, x, y, delta):
        return delta * y * (1 - y)


class LayerNorm(Layer):
    """y = (x − μ)/σ with each row's own μ and σ² = mean (x − μ)² + ε."""

    epsilon = 1e-3

    def forward(self, x):
        d = x - x.mean(axis=1, keepdims=True)
        return d / self.deviation(x)

    def deviation(self, x):
        d = x - x.mean(axis=1, keepdims=True)
        return np.sqrt(np.square(d).mean(axis=1, keepdims=True) + self.epsilon)

    def backward(self, x, y, delta):
        inner = delta - delta.mean(axis=1, keepdims=True) - y * (delta * y).mean(axis=1, keepdims=True)
        return inner / self.deviation(x)


@bug(
    "μ and σ taken for constants",
    "layer",
    "missing",
    LayerNorm,
    at=X,
    reference="Ioffe and Szegedy, ICML 2015, section 2: with such a gradient their model blew up",
)
class LayerNormConstant(LayerNorm):
    """y = (x − μ)/σ has the derivative 1/σ only as long as μ and σ stand still. They are functions of x
    as well, and two terms are missing.
    """

    def backward(self, x, y, delta):
        return delta / self.deviation(x)


@bug(
    "E[x²] − E[x]²",
    "layer",
    "precision",
    LayerNorm,
    at=X + 300,
    reference="pytorch issue 51102 and its pull request 55044: LayerNorm, in float32, of rows far from 0",
)
class LayerNormInOnePass(LayerNorm):
    """The variance in one pass: a small difference of two large numbers. In float64 it passes every test,
    in float32 rows far from 0 have no digit left, and at times a negative variance.
    """

    def deviation(self, x):
        variance = np.square(x).mean(axis=1, keepdims=True) - x.mean(axis=1, keepdims=True) ** 2
        return np.sqrt(np.maximum(variance, 0) + self.epsilon)


class MaxOfPairs(Layer):
    """y is the larger one of x₁ and x₂, the larger one of x₃ and x₄."""

    inputs = 4

    def connect(self, width):
        return 2

    def forward(self, x):
        return x.reshape(-1, 2, 2).max(axis=2)

    def backward(self, x, y, delta):
        first = x.reshape(-1, 2, 2).argmax(axis=2)[..., None] == [0, 1]
        return (delta[..., None] * first).reshape(x.shape)


@bug(
    "every maximum gets the gradient",
    "layer",
    "kink",
    MaxOfPairs,
    at=np.array([[1.0, 1.0, -0.5, 2.0], [0.3, -1.0, 0.0, 0.0]]),
    reference="Theano issues 4568 and 5248: 'not always in the subdifferential'",
)
class MaxOfPairsTies(MaxOfPairs):
    """Whoever equals the maximum gets the gradient. Behind a ReLU, or in images, equal entries are
    common, and each is told that it alone decides.
    """

    def backward(self, x, y, delta):
        equal = x.reshape(-1, 2, 2) == y[..., None]
        return (delta[..., None] * equal).reshape(x.shape)


class Convolution(Layer):
    """y = x ∗ w, row by row, with a kernel w of three weights."""

    n_parameters, inputs = 3, 6

    def connect(self, width):
        return 4

    def bind(self, theta):
        self.w = theta

    def initialize(self, rng):
        self.w[:] = rng.normal(size=3)

    def forward(self, x):
        return np.stack([np.convolve(row, self.w, "valid") for row in x])

    def backward(self, x, y, delta):
        return np.stack([np.correlate(row, self.w, "full") for row in delta])

    def gradient(self, x, delta, out):
        rows = zip(x, delta, strict=True)
        out[:] = sum(np.correlate(row, d, "valid")[::-1] for row, d in rows)


@bug("the kernel not flipped", "layer", "order", Convolution, at=np.hstack([X, X[:, :2] + 1]))
class ConvolutionUnflipped(Convolution):
    """A convolution runs through its kernel backwards, a correlation forwards. Most libraries compute the
    one and call it the other; where the two meet, the gradient comes out reversed.
    """

    def gradient(self, x, delta, out):
        rows = zip(x, delta, strict=True)
        out[:] = sum(np.correlate(row, d, "valid") for row, d in rows)


class Centered(Layer):
    """y = x − μ, with the μ that was observed in training."""

    mean = 0.25

    def forward(self, x):
        return x - x.dtype.type(self.mean)

    def backward(self, x, y, delta):
        return 1 * delta


@bug(
    "the statistics of the batch",
    "layer",
    "rows mixed",
    Centered,
    at=X,
    reference="He et al., CVPR 2020, section 3.3: batch statistics leak the answer from row to row",
)
class CenteredByTheBatch(Centered):
    """The layer stays in training mode at prediction: μ is the mean of whatever batch comes by, and a
    row's answer depends on its company. Every derivative is right.
    """

    def forward(self, x):
        return x - x.mean(axis=0)

    def backward(self, x, y, delta):
        return delta - delta.mean(axis=0)


@bug("δ clipped on its way back", "layer", "nonlinear", Tanh, at=X)
class TanhClipped(Tanh):
    """Against exploding gradients δ is clipped inside `backward`, where small tests with small δ never
    see it. What comes back is no longer the gradient of anything.
    """

    def backward(self, x, y, delta):
        return np.clip(super().backward(x, y, delta), -1, 1)


# ---- optimizers ------------------------------------------------------------------------------------


@bug(
    "Adam without bias correction",
    "optimizer",
    "bias correction",
    Adam,
    arguments=(0.1,),
    rule="adam",
    reference="BERT's Adam: Zhang et al., Revisiting few-sample BERT fine-tuning, ICLR 2021, section 4",
)
class AdamUncorrected(Adam):
    """m and v begin at 0, and are divided by 1 − βᵗ to make up for it. Left out, as the last lines of the
    algorithm, the first steps are three times as long as they should be.
    """

    def _step_part(self, theta, gradient, m, v):
        m += (1 - self.beta1) * (gradient - m)
        v += (1 - self.beta2) * (np.square(gradient) - v)
        theta -= self.learning_rate * m / (np.sqrt(v) + self.epsilon)


@bug("momentum uphill", "optimizer", "sign", SGD, arguments=(0.1, 0.9), rule="momentum")
class MomentumUphill(SGD):
    """v ← μ v − g with θ ← θ + v, and v ← μ v + g with θ ← θ − v, are the same method. Half of the one
    and half of the other climbs.
    """

    def step(self, theta, gradient):
        self.v = self.momentum * (0 if self.v is None else self.v) - gradient
        theta -= self.learning_rate * self.v


@bug("momentum lost at a new class", "optimizer", "growth", SGD, arguments=(0.1, 0.9), rule="momentum")
class MomentumLost(SGD):
    """A new class makes θ longer, and the optimizer's state no longer fits. Making a new one, all zeros,
    is the shortest way to silence the error.
    """

    def step(self, theta, gradient):
        if self.v is None or len(self.v) != len(theta):
            self.v = np.zeros_like(theta)
        self.v = self.momentum * self.v + gradient
        theta -= self.learning_rate * self.v


# ---- second derivatives ----------------------------------------------------------------------------

A = _rng.normal(size=(6, 6))


def quadratic_form(x):
    return x @ A @ x, (A + A.T) @ x


def both_halves(x, v):
    return (A + A.T) @ v


@bug(
    "2 A for A + Aᵀ",
    "second derivative",
    "not symmetric",
    both_halves,
    at=THETA,
    function=quadratic_form,
    reference="Deisenroth, Faisal and Ong, Mathematics for Machine Learning, 2020, eq. 5.107, has it right",
)
def one_half_twice(x, v):
    """The derivative of a x² is 2 a x, so that of xᵀ A x is 2 A x: for a symmetric A. The Hessian that
    comes out is not symmetric, as every Hessian is.
    """
    return 2 * A @ v


# ---- measuring -------------------------------------------------------------------------------------

EXAMPLES = 10  # inputs to search for a layer: enough for every one of these bugs


def layer_with_delta(bug, kind):
    """Return a layer with parameters, these parameters, and a δ for its outputs."""
    layer, rng = kind(*bug.arguments), np.random.default_rng(1)
    theta = rng.normal(size=layer.n_parameters)
    layer.bind(theta)
    return layer, theta, rng.normal(size=(len(bug.at), layer.connect(bug.at.shape[1])))


def layer_as_function(bug, kind):
    """Return L = Σ δ y and its gradient as a function of x and θ in one vector, and where to look at it."""
    layer, theta, delta = layer_with_delta(bug, kind)

    def function(vector):
        x = vector[: bug.at.size].reshape(bug.at.shape)
        theta[:] = vector[bug.at.size :]
        y = layer.forward(x)
        gradient = np.zeros_like(vector)
        gradient[: x.size] = layer.backward(x, y, delta).ravel()
        layer.gradient(x, delta, gradient[x.size :])
        return (delta * y).sum(), gradient

    return function, np.concatenate([bug.at.ravel(), theta])


def check(bug, subject):
    """Let the kit look at a bug, or at its twin, as a user would who does not know what is wrong."""
    if bug.kind == "layer":
        return testing.check_layer(subject(*bug.arguments), examples=EXAMPLES)
    if bug.kind == "optimizer":
        return testing.check_optimizer(lambda: subject(*bug.arguments), rule=bug.rule)
    if bug.kind == "second derivative":
        return testing.check_second_order(bug.function, bug.at, subject)
    if bug.arguments:
        return testing.check_term(subject, bug.at, *bug.arguments)
    return testing.check_gradient(subject, bug.at)


@cache
def verdict(bug, subject):
    """Return the kit's Failure, or None."""
    try:
        check(bug, subject)
    except testing.Failure as failure:
        return failure
    return None


def scipy_number(bug, subject):
    """Return the error that `scipy.optimize.check_grad` finds, and whether it is too large.

    The error is a 2-norm: NaN where check_grad raises, None of an optimizer, which has no gradient. Too
    large is what users write: more than 1e-6, or than 1e-6 of the gradient's norm where that is above 1.
    """
    from scipy.optimize import check_grad

    if bug.kind == "optimizer":
        return None, False
    value, gradient, x = _for_scipy(bug, subject)
    try:
        with np.errstate(all="ignore"):
            size = np.linalg.norm(gradient(x.copy()))
            error = check_grad(value, gradient, x.copy())
    except ValueError:
        return np.nan, True
    return float(error), not error <= 1e-6 * max(1.0, size)


def _for_scipy(bug, subject):
    """Return what check_grad is given: a function, its gradient, each of one vector, and the vector."""
    if bug.kind == "second derivative":  # the gradient is the function, and all of H its gradient
        return (
            lambda x: bug.function(x)[1],
            lambda x: np.stack([subject(x, unit) for unit in np.eye(len(x))], axis=1),
            bug.at,
        )
    if bug.kind == "layer":
        function, x = layer_as_function(bug, subject)
    else:
        function, x = lambda v: subject(v.reshape(bug.at.shape), *bug.arguments), bug.at.ravel()
    return lambda v: function(v)[0], lambda v: np.ravel(function(v)[1]), x


ROW = "{:38} {:17} {:6} {:17} {:7} {:>8}"


def main():
    """Print for every bug what the kit says, and check_grad's number: in brackets where it lets it pass."""
    print(ROW.format("bug", "kind", "caught", "blamed on", "rightly", "SciPy"))
    print(*(width * "-" for width in (38, 17, 6, 17, 7, 8)))
    for bug in GALLERY:
        failure, (number, caught) = verdict(bug, bug.wrong), scipy_number(bug, bug.wrong)
        says = "" if number is None else "raises" if np.isnan(number) else f"{number:.0e}"
        blame = (failure.cause or "—", yes(failure.cause == bug.cause)) if failure else ("—", "no")
        print(ROW.format(bug.name, bug.kind, yes(failure), *blame, says if caught else f"({says or '—'})"))
    print()
    for line in totals():
        print(line)


def totals():
    """Return two sentences: how many are caught, blamed rightly, and accused without having done anything."""
    kit = [[verdict(bug, bug.wrong), verdict(bug, bug.twin)] for bug in GALLERY]
    scipy = [[scipy_number(bug, bug.wrong)[1], scipy_number(bug, bug.twin)[1]] for bug in GALLERY]
    rightly = sum(map(blames_rightly, GALLERY))
    return [_total("incrlearn.testing", kit, rightly), _total("scipy.optimize.check_grad", scipy, 0)]


def _total(name, verdicts, rightly):
    caught, accused = (sum(map(bool, column)) for column in zip(*verdicts, strict=True))
    return f"{name}: {caught} of {len(GALLERY)} caught, {rightly} blamed rightly, {accused} twins accused"


def blames_rightly(bug):
    """Whether the kit names the cause that the gallery gives."""
    failure = verdict(bug, bug.wrong)
    return failure is not None and failure.cause == bug.cause


def yes(fact):
    """Return yes or no."""
    return "yes" if fact else "no"


if __name__ == "__main__":
    main()
