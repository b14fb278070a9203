"""The layers: what each one computes, and its derivative right below.

A layer knows its sizes and holds *views* into its slice of the network's one vector θ. It keeps nothing
between calls: `backward` and `gradient` are given the activations x and y = forward(x) that they need, so
that teacher and student, new batch and replayed batch never overwrite one another.

A batch stands in rows; δ is the gradient of the objective with respect to the layer's output, ∂L/∂y.
"""

import numpy as np

from .. import _checks
from ..formulas import sigmoid
from .initializations import INITIALIZATIONS


class Layer:
    """One function in a network: y = forward(x). Subclasses write the function and its derivatives.

    A layer without parameters needs `forward` and `backward` only. A layer with parameters also sets
    `n_parameters` and writes `bind`, `initialize` and `gradient`; see `Linear`.
    """

    #: how many entries of θ belong to the layer
    n_parameters = 0
    #: how wide its input must be; None where any width will do
    inputs = None
    #: whether it takes inputs as they come, or wants them in the network's dtype
    any_dtype = False

    def connect(self, width):
        """Return the width of the output for inputs of that width; refuse a width that does not fit."""
        return width

    def bind(self, theta):
        """Make views into the layer's slice of θ: from now on these are its parameters."""

    def initialize(self, rng):
        """Draw first values for the parameters."""

    def forward(self, x):
        """Return y, shape (n, outputs), for x of shape (n, inputs)."""
        raise NotImplementedError

    def backward(self, x, y, delta):
        """Return ∂L/∂x from δ = ∂L/∂y."""
        raise NotImplementedError

    def gradient(self, x, delta, out):
        """Write ∂L/∂θ, summed over the rows, into `out`, the layer's slice of a gradient vector."""


class Linear(Layer):
    """A fully connected layer.

        y = x Wᵀ + b          ∂L/∂x = δ W          ∂L/∂W = δᵀ x          ∂L/∂b = Σᵢ δᵢ

    In θ a unit is one row, its weights and then its bias, so that a new unit is a new row at the end.

    Parameters
    ----------
    inputs, outputs : int
        Widths ≥ 0: a head may begin without a class, a layer behind `StandardizeSparse` without an input.
    bias : bool
        Whether units have a bias b.
    initialization : {"he", "glorot", "pytorch", "zeros"}
        How the parameters begin: He, Glorot, PyTorch's uniform, or zero.

    Raises
    ------
    TypeError, ValueError
        If a width is not a whole number in range, or the initialization is unknown.

    References
    ----------
    Bishop, Pattern Recognition and Machine Learning, 2006, section 5.3.

    Examples
    --------
    >>> layer = Linear(2, 1)
    >>> layer.bind(np.array([1.0, 10.0, 0.5]))
    >>> layer.forward(np.array([[3.0, 4.0]]))
    array([[43.5]])
    """

    def __init__(self, inputs, outputs, *, bias=True, initialization="pytorch"):
        self.inputs = _checks.count("inputs", inputs, low=0)
        self.outputs = _checks.count("outputs", outputs, low=0)
        self.bias = bool(bias)
        _checks.choice("initialization", initialization, INITIALIZATIONS)
        self.initialization = initialization
        self.W = self.b = None

    def __repr__(self):
        bias = "" if self.bias else ", bias=False"
        return f"Linear({self.inputs}, {self.outputs}{bias})"

    @property
    def n_parameters(self):
        """One row a unit: its weights, and its bias."""
        return self.outputs * (self.inputs + self.bias)

    def __getstate__(self):
        """Leave the views out of copies and pickles: the network binds new ones."""
        return {**vars(self), "W": None, "b": None}

    def connect(self, width):
        """Return `outputs`; the layer before must have `inputs` of them."""
        if width is not None and width != self.inputs:
            raise ValueError(f"{self!r} wants {self.inputs} inputs, but the layer before gives {width}")
        return self.outputs

    def bind(self, theta):
        """Make W and b views into θ."""
        self.W, self.b = self._split(theta)

    def initialize(self, rng, first=0):
        """Draw the rows from `first` on: all of them, or the units that were just added."""
        draw = INITIALIZATIONS[self.initialization]
        rows = draw(self.outputs - first, self.inputs, self.outputs, rng)
        self.W[first:] = rows[:, :-1]
        if self.bias:
            self.b[first:] = rows[:, -1]

    def initialize_inputs(self, rng, first):
        """Draw the weights of the inputs from `first` on, which were just added; biases stay."""
        draw = INITIALIZATIONS[self.initialization]
        self.W[:, first:] = draw(self.outputs, self.inputs, self.outputs, rng)[:, first:-1]

    def compensate(self, r, c):
        """Do to x′ what was done to x = r x′ + c: b ← b + W c, W ← W r."""
        with np.errstate(over="ignore", invalid="ignore"):  # what overflows is found by the learner
            if self.bias:
                self.b += (self.W @ c).astype(self.b.dtype)
            self.W *= r.astype(self.W.dtype)

    def compensate_gradient(self, r, c, power):
        """Do the same where W and b hold gradients, or their squares: W ← (W + (−c)ᵖ b)/rᵖ, p the power.

        Exact for gradients, by the chain rule; of squares it is the diagonal of what Ω becomes.
        """
        with np.errstate(over="ignore", invalid="ignore"):
            self.W += (self.b[:, None] * (-c) ** power).astype(self.W.dtype)
            for _ in range(power):  # r² may overflow, or vanish, where the result does not
                self.W /= r.astype(self.W.dtype)

    def rescale(self, r, c):
        """Return r y + c where y was returned: W ← r W, b ← r b + c."""
        self.W *= r[:, None].astype(self.W.dtype)
        self.b[:] = r * self.b + c

    def rescale_gradient(self, r, c, power):
        """Do the same where W and b hold gradients, or their squares: W ← W/rᵖ, b ← b/rᵖ, p the power.

        What was scaled to nothing can be anything: its gradient is 0.
        """
        r = np.where(r != 0, r, np.inf).astype(self.W.dtype)
        with np.errstate(over="ignore"):
            for _ in range(power):
                self.W /= r[:, None]
                self.b /= r

    def forward(self, x):
        """y = x Wᵀ + b."""
        if _checks.is_sparse(x):
            x, columns = _filled(x)
            y = x @ np.ascontiguousarray(self.W[:, columns].T)
        else:
            y = x @ self.W.T
        if self.bias:
            y += self.b.copy()  # b is a column of θ: side by side, its entries are added much faster
        return y

    def backward(self, x, y, delta):
        """∂L/∂x = δ W."""
        return delta @ self.W

    def gradient(self, x, delta, out):
        """∂L/∂W = δᵀ x and ∂L/∂b = Σᵢ δᵢ, written straight into θ's layout."""
        W, b = self._split(out)
        if _checks.is_sparse(x):
            x, columns = _filled(x)
            W[:] = 0
            W[:, columns] = (x.T @ delta).T
        elif len(x) == 1:
            np.multiply(delta.T, x, out=W)  # the same numbers: BLAS is slow at products of one row
        else:
            np.matmul(delta.T, x, out=W)
        if self.bias:
            b[:] = delta.sum(axis=0)

    def _split(self, vector):
        rows = vector.reshape(self.outputs, self.inputs + self.bias)
        return rows[:, : self.inputs], rows[:, self.inputs] if self.bias else None


def _filled(x):
    """Return a sparse x without its empty columns, and which columns those are that are left."""
    columns, places = np.unique(x.indices, return_inverse=True)
    return type(x)((x.data, places, x.indptr), shape=(x.shape[0], len(columns))), columns


class ReLU(Layer):
    """The rectifier.

        y = max(x, 0)          ∂L/∂x = δ where y > 0, else 0

    At the kink, x = 0, the derivative is taken to be 0.

    References
    ----------
    Nair and Hinton, ICML 2010.

    Examples
    --------
    >>> ReLU().forward(np.array([[-1.0, 2.0]]))
    array([[0., 2.]])
    """

    def __repr__(self):
        return "ReLU()"

    def forward(self, x):
        """y = max(x, 0)."""
        return np.maximum(x, 0)

    def backward(self, x, y, delta):
        """∂L/∂x = δ [y > 0]."""
        return delta * (y > 0)


class Tanh(Layer):
    """The hyperbolic tangent.

        y = tanh x          ∂L/∂x = δ (1 − y²)

    References
    ----------
    LeCun, Bottou, Orr and Müller, "Efficient BackProp", 1998, section 4.4.

    Examples
    --------
    >>> Tanh().forward(np.array([[0.0]]))
    array([[0.]])
    """

    def __repr__(self):
        return "Tanh()"

    def forward(self, x):
        """y = tanh x."""
        return np.tanh(x)

    def backward(self, x, y, delta):
        """∂L/∂x = δ (1 − y²)."""
        return delta * (1 - y * y)


class Sigmoid(Layer):
    """The logistic sigmoid.

        y = 1/(1 + e⁻ˣ)          ∂L/∂x = δ y (1 − y)

    References
    ----------
    Rumelhart, Hinton and Williams, Nature 323, 1986, eq. 2.

    Examples
    --------
    >>> Sigmoid().forward(np.array([[0.0]]))
    array([[0.5]])
    """

    def __repr__(self):
        return "Sigmoid()"

    def forward(self, x):
        """y = σ(x)."""
        return sigmoid(x)

    def backward(self, x, y, delta):
        """∂L/∂x = δ y (1 − y)."""
        return delta * (y * (1 - y))


class Gate(Layer):
    """A gate: some units pass, the others are silent.

        y = m x          ∂L/∂x = m δ

    Parameters
    ----------
    mask : array_like of shape (units,)
        m: 1 where a unit passes, 0 where it is silent.

    Raises
    ------
    TypeError, ValueError
        If the mask is not a vector of zeros and ones.

    References
    ----------
    Masse, Grant and Freedman, "Alleviating catastrophic forgetting using context-dependent gating and
    synaptic stabilization", PNAS 115, 2018.

    Examples
    --------
    >>> Gate([1, 0]).forward(np.array([[3.0, 4.0]]))
    array([[3., 0.]])
    """

    def __init__(self, mask):
        self.mask = _checks.vector("mask", mask).copy()
        if not np.isin(self.mask, (0, 1)).all():
            raise ValueError(f"mask must hold zeros and ones, got {self.mask.tolist()}")
        self.inputs = len(self.mask)

    def __repr__(self):
        return f"Gate({int(self.mask.sum())} of {len(self.mask)} units)"

    def connect(self, width):
        """Return the width of the mask, which must be that of the layer before."""
        if width is not None and width != self.inputs:
            raise ValueError(f"{self!r} wants {self.inputs} inputs, but the layer before gives {width}")
        return self.inputs

    def bind(self, theta):
        """Take the network's dtype."""
        self.mask = np.asarray(self.mask, theta.dtype)

    def forward(self, x):
        """y = m x."""
        return x * self.mask

    def backward(self, x, y, delta):
        """∂L/∂x = m δ."""
        return delta * self.mask


ACTIVATIONS = {"relu": ReLU, "tanh": Tanh, "sigmoid": Sigmoid}
