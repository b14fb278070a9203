"""Network: layers over ONE flat vector θ.

All parameters are one contiguous vector, `network.theta`, and a gradient is a second vector of the same
layout. Penalties, projections, optimizers and gradient checks are then one line of vector arithmetic each.
"""

import copy
import itertools

import numpy as np

from .. import _checks
from .layers import ACTIVATIONS, Layer, Linear
from .standardization import Standardize, StandardizeSparse

FRONT = Standardize, StandardizeSparse
DTYPES = (np.dtype(np.float32), np.dtype(np.float64))


class Network:
    """A stack of layers over one flat vector of parameters θ.

        a₀ = x          aₖ₊₁ = layerₖ(aₖ)          logits z = a₋₁

    `forward` returns the list of activations, and that list is the whole tape: `backward` needs nothing
    else, and takes gradients that enter at any of them.

    Parameters
    ----------
    layers : list of Layer
        From input to output. The head, which grows with every new class, is the last.
    rng : numpy.random.Generator
        Where the first parameters are drawn from.
    dtype : {"float32", "float64"} or numpy.dtype
        Of the parameters and of everything that is computed from them.

    Attributes
    ----------
    theta : ndarray of shape (n_parameters,)
        All parameters θ. Assigning copies the values into the same memory.
    layers : list of Layer
    dtype : numpy.dtype

    Raises
    ------
    TypeError, ValueError
        If the layers do not fit together, or an argument is not what is asked for.

    References
    ----------
    Rumelhart, Hinton and Williams, "Learning representations by back-propagating errors", Nature 323, 1986.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> network = Network([Linear(4, 3), ACTIVATIONS["relu"](), Linear(3, 2)], rng)
    >>> a = network.forward(np.ones((5, 4)))
    >>> [layer_output.shape for layer_output in a]
    [(5, 4), (5, 3), (5, 3), (5, 2)]
    >>> gradient = network.backward(a, {-1: np.ones((5, 2))})
    >>> gradient.shape == network.theta.shape
    True
    """

    def __init__(self, layers, rng, dtype="float32"):
        _checks.generator("rng", rng)
        self.layers = _separate_layers(layers)
        self.dtype = _dtype(dtype)
        width = None
        for layer in self.layers:
            width = layer.connect(width)
        self._bind(np.zeros(sum(layer.n_parameters for layer in self.layers), self.dtype))
        for layer in self.layers:
            layer.initialize(rng)

    @classmethod
    def mlp(cls, *widths, rng, activation="relu", initialization="pytorch", dtype="float32"):
        """Build a multi-layer perceptron, for example `Network.mlp(784, 128, 10, rng=rng)`.

        Parameters
        ----------
        widths : two or more int
            Inputs, hidden units of every layer, outputs. Outputs may be 0: the head then grows with the
            classes that arrive.
        rng : numpy.random.Generator
        activation : {"relu", "tanh", "sigmoid"}
        initialization : {"he", "glorot", "pytorch", "zeros"}
        dtype : {"float32", "float64"}

        Returns
        -------
        Network

        Raises
        ------
        TypeError, ValueError
            If a width is not a whole number in range, or a name is unknown.

        Examples
        --------
        >>> Network.mlp(784, 128, 10, rng=np.random.default_rng(0))
        Network([Linear(784, 128), ReLU(), Linear(128, 10)]), 101,770 parameters, float32
        """
        if len(widths) < 2:
            raise ValueError(f"widths must be at least two, inputs and outputs, got {widths}")
        between = _checks.choice("activation", activation, ACTIVATIONS)
        layers = []
        for inputs, outputs in itertools.pairwise(widths):
            layers += [Linear(inputs, outputs, initialization=initialization), between()]
        return cls(layers[:-1], rng, dtype)

    def __repr__(self):
        return f"Network({self.layers}), {len(self.theta):,} parameters, {self.dtype}"

    @property
    def theta(self):
        """All parameters θ, one contiguous vector."""
        return self._theta

    @theta.setter
    def theta(self, values):
        values = np.asarray(values)
        _checks.same_shape("theta", values, "the network's theta", self._theta)
        self._theta[:] = values

    @property
    def inputs(self):
        """How many features a row of x has; None where no layer says."""
        return next((layer.inputs for layer in self.layers if layer.inputs is not None), None)

    @property
    def outputs(self):
        """How many logits a row has; None where no layer says."""
        width = None
        for layer in self.layers:
            width = layer.connect(width)
        return width

    def as_input(self, x):
        """Return x as the network takes it, its shape checked.

        Parameters
        ----------
        x : array_like or sparse matrix of shape (n, inputs)
            A sparse one stays sparse up to the first layer with weights.

        Returns
        -------
        ndarray or sparse array of shape (n, inputs)
            In the network's dtype; before a layer that standardizes, in its own.

        Raises
        ------
        ValueError
            If x does not have that shape.
        """
        dtype = None if self.layers[0].any_dtype else self.dtype
        x = _checks.csr(x, dtype) if _checks.is_sparse(x) else np.asarray(x, dtype)
        if x.ndim != 2:
            raise ValueError(f"x must have shape (n_samples, n_features), got shape {x.shape}")
        inputs = self.inputs
        if inputs is not None and x.shape[1] != inputs:
            raise ValueError(f"x has {x.shape[1]} features, but the network was built for {inputs}")
        return x

    def forward(self, x):
        """Return all activations: a[0] = x, …, a[-1] = the logits.

        Parameters
        ----------
        x : ndarray of shape (n, inputs)

        Returns
        -------
        list of ndarray, one more than there are layers

        Raises
        ------
        ValueError
            If x does not have that shape.
        """
        a = [self.as_input(x)]
        for layer in self.layers:
            a.append(layer.forward(a[-1]))
        return a

    def __call__(self, x):
        """Return the logits alone, keeping no activations.

        Parameters
        ----------
        x : ndarray of shape (n, inputs)

        Returns
        -------
        ndarray of shape (n, outputs)

        Raises
        ------
        ValueError
            If x does not have that shape.
        """
        x = self.as_input(x)
        for layer in self.layers:
            x = layer.forward(x)
        return x

    def backward(self, a, gradients):
        """Return ∂L/∂θ from the gradients ∂L/∂a[k] that enter at any activations.

        From the last layer to the first, with δ = ∂L/∂aₖ₊₁: the layer's own ∂L/∂θ, then δ ← ∂L/∂aₖ.

        Parameters
        ----------
        a : list of ndarray
            What `forward` returned.
        gradients : dict of int to ndarray
            {k: ∂L/∂a[k]}, each of the shape of a[k]; k may be negative, −1 being the logits.

        Returns
        -------
        ndarray of shape (n_parameters,)
            In the layout of `theta`.

        Raises
        ------
        ValueError
            If an index or a shape does not fit the activations.
        """
        return self._backward(a, gradients, of=None)[0]

    def backward_to_input(self, a, gradients):
        """Return ∂L/∂θ and ∂L/∂x: for a network that stands behind another, as a decoder does.

        Parameters
        ----------
        a, gradients :
            As for `backward`.

        Returns
        -------
        gradient : ndarray of shape (n_parameters,)
        ndarray of shape (n, inputs)
            ∂L/∂x, x = a[0].

        Raises
        ------
        ValueError
            As `backward`.
        """
        gradient, delta = self._backward(a, gradients, of=None, to_input=True)
        return gradient, np.zeros(a[0].shape, self.dtype) if delta is None else delta

    def sum_over_samples(self, of, a, gradients):
        """Return Σᵢ of(∂Lᵢ/∂θ), the sum over samples of |·| or (·)² of per-sample gradients.

        One sample's weight gradient is the outer product of its δ and its x, and |·| and (·)² of an outer
        product are outer products of |·| and (·)². So the sum is an ordinary gradient, one matrix product a
        layer, of of(x) and of(δ).

        Parameters
        ----------
        of : numpy.abs or numpy.square
        a, gradients :
            As for `backward`. The gradients are those of each sample's own objective Lᵢ: not divided by n.
            Those at the logits, {−1: …}, may have shape (c, n, outputs): c objectives a sample, all summed.
            They share the product with x, which is what makes the exact Fisher cheap. What enters elsewhere
            has as many, or belongs to each of them.

        Returns
        -------
        ndarray of shape (n_parameters,)

        Raises
        ------
        ValueError
            If `of` is another function, or an index or a shape does not fit the activations.

        References
        ----------
        Goodfellow, "Efficient per-example gradient computations", 2015, section 4.
        """
        if of not in (np.abs, np.square):
            raise ValueError(f"of must be numpy.abs or numpy.square, got {of!r}")
        return self._backward(a, gradients, of)[0]

    def _backward(self, a, gradients, of, to_input=False):
        entering = self._entering(a, gradients, several=of is not None)
        gradient = np.empty_like(self.theta)  # every layer writes all of its part
        last = 0 if to_input else self._first  # nothing below has parameters or needs a gradient
        delta = entering.get(len(self.layers))
        for k in range(len(self.layers) - 1, last - 1, -1):
            layer, out = self.layers[k], gradient[self._slices[k]]
            if delta is None:
                out[:] = 0
            elif of is None:
                layer.gradient(a[k], delta, out)
            else:
                # every objective of a sample meets the same x: the sum over them comes first
                layer.gradient(_entrywise(of, a[k]), _sum_of_objectives(of(delta)), out)
            if k == last and not to_input:
                break
            if delta is not None:
                delta = layer.backward(a[k], a[k + 1], delta)
            if k in entering:
                delta = entering[k] if delta is None else delta + entering[k]
        return gradient, delta

    def copy(self):
        """Return a network of its own with the same parameters: the teacher of the next task."""
        return copy.deepcopy(self)

    __copy__ = copy  # a shallow copy would share its layers with the original

    def over(self, theta, layers=None):
        """Return a network of the same layers over another vector of parameters, which is not copied.

        So many networks can share one θ, as where every task opens a part of the units, or one network can
        have many, as where every task has its own.

        Parameters
        ----------
        theta : ndarray of shape (n_parameters,)
            In the network's dtype. The new network reads and changes this very vector.
        layers : list of Layer, optional
            What to put in place of the layers; those with parameters must be the network's own, in order.

        Returns
        -------
        Network

        Raises
        ------
        TypeError, ValueError
            If the vector is of another dtype or shape, or the layers do not fit together or to it.

        Examples
        --------
        >>> network = Network.mlp(2, 1, rng=np.random.default_rng(0))
        >>> other = network.over(np.zeros_like(network.theta))
        >>> other(np.ones((1, 2)))
        array([[0.]], dtype=float32)
        """
        if not isinstance(theta, np.ndarray) or theta.dtype != self.dtype:
            kind = getattr(theta, "dtype", type(theta).__name__)
            raise TypeError(f"theta must be an array of {self.dtype}, got {kind}")
        _checks.same_shape("theta", theta, "the network's theta", self._theta)
        network = object.__new__(type(self))
        network.layers = _separate_layers(self.layers if layers is None else layers)
        network.dtype = self.dtype
        network.outputs  # noqa: B018  each layer refuses a width that does not fit
        n_parameters = sum(layer.n_parameters for layer in network.layers)
        if n_parameters != len(theta):
            raise ValueError(f"layers have {n_parameters} parameters, but theta has {len(theta)}")
        network._bind(theta)
        return network

    def initialize(self, rng):
        """Draw all parameters anew, as when the network was built: it forgets everything.

        Parameters
        ----------
        rng : numpy.random.Generator
        """
        _checks.generator("rng", rng)
        for layer in self.layers:
            layer.initialize(rng)

    def become(self, other):
        """Take over the layers and parameters of another network, which is not to be used any more.

        Parameters
        ----------
        other : Network

        Raises
        ------
        TypeError
            If it is not a Network.
        """
        if not isinstance(other, Network):
            raise TypeError(f"other must be a Network, got {other!r} ({type(other).__name__})")
        self.__setstate__(vars(other))

    def grow(self, units, rng):
        """Append units to the head: new rows at the end of θ, every old index stays where it was.

        Parameters
        ----------
        units : int
            How many outputs to add, ≥ 1.
        rng : numpy.random.Generator
            Where the new rows are drawn from.

        Raises
        ------
        TypeError, ValueError
            If an argument is not what is asked for, or the last layer is not `Linear`.
        """
        units = _checks.count("units", units)
        _checks.generator("rng", rng)
        head = self.layers[-1]
        if not isinstance(head, Linear):
            raise ValueError(f"only a Linear head can grow, but the last layer is {head!r}")
        old = head.outputs
        head.outputs += units
        self._bind(pad(self.theta, len(self.theta) + units * (head.inputs + head.bias)))
        head.initialize(rng, first=old)

    def observe(self, x, rng):
        """Let the layer in front take note of new rows; the network's function stays what it was.

        `Standardize` moves its mean and scale, and the layer behind it is compensated; `StandardizeSparse`
        may also give that layer new inputs. Without such a layer nothing happens.

        Parameters
        ----------
        x : ndarray or sparse array of shape (n, inputs)
        rng : numpy.random.Generator
            Where the weights of new inputs are drawn from.

        Returns
        -------
        Move or None
            What became of the parameters, for whatever has θ's layout; None where nothing happened.

        Raises
        ------
        ValueError
            If x does not have that shape, or a feature is too large to be squared.
        """
        _checks.generator("rng", rng)
        x = self.as_input(x)
        front = self.layers[0]
        if not isinstance(front, FRONT):
            return None
        before = self.over(self.theta)
        r, c, new = front.observe(x)
        layer = self.layers[1]
        layer.compensate(r, c)
        place = self._widen(layer, new, rng) if new else np.arange(len(self.theta))
        return Move(before, 1, "compensate", r, c, place, len(self.theta))

    def _widen(self, layer, new, rng):
        """Give the first layer with weights new inputs; return where every old parameter now stands.

        A unit is one row of θ, weights and then bias: each row gains `new` entries before its bias.
        """
        old = layer.inputs
        place = np.arange(len(self.theta))
        unit, entry = np.divmod(place, old + 1)
        place += np.where(unit < layer.outputs, unit + (entry == old), layer.outputs) * new
        theta = np.zeros(len(self.theta) + layer.outputs * new, self.dtype)
        theta[place] = self.theta
        layer.inputs += new
        self._bind(theta)
        layer.initialize_inputs(rng, old)
        return place

    def _bind(self, theta):
        """Make θ the network's parameters, and every layer's parameters views into it."""
        self._theta = theta
        ends = np.cumsum([0] + [layer.n_parameters for layer in self.layers])
        self._slices = [slice(i, j) for i, j in itertools.pairwise(ends)]
        with_parameters = [k for k, layer in enumerate(self.layers) if layer.n_parameters]
        self._first = min(with_parameters, default=len(self.layers))
        for layer, part in zip(self.layers, self._slices, strict=True):
            layer.bind(theta[part])

    def __setstate__(self, state):
        """Restore a copied or unpickled network: views do not survive, so bind them again."""
        self.__dict__.update(state)
        self._bind(self._theta)

    def _entering(self, a, gradients, several):
        """Return the gradients by non-negative index, their shapes checked; several objectives or one."""
        if len(a) != len(self.layers) + 1:
            raise ValueError(f"a must hold {len(self.layers) + 1} activations, got {len(a)}")
        entering = {}
        for k, gradient in gradients.items():
            if not isinstance(k, int | np.integer):
                raise TypeError(f"gradients must have whole numbers as keys, got {k!r}")
            if not -len(a) <= k < len(a):
                raise ValueError(f"gradients has index {k}, but there are {len(a)} activations")
            gradient = np.asarray(gradient, self.dtype)
            one = gradient[0] if several and gradient.ndim == 3 and len(gradient) else gradient
            _checks.same_shape(f"gradients[{k}]", one, f"a[{k}]", a[k])
            k %= len(a)
            entering[k] = entering[k] + gradient if k in entering else gradient
        return entering


class Move:
    """What became of θ when a scale moved and a layer was changed to match, or inputs came into between.

    Whatever has θ's layout has to follow: parameters, gradients, squares of gradients.

    Parameters
    ----------
    before : Network
        The network's layers, as they were.
    k : int
        Which layer was changed.
    how : {"compensate", "rescale"}
        By which method of `Linear`; the one with `_gradient` behind it is the rule for gradients.
    r, c : ndarray
        By what.
    place : ndarray of int, as long as θ was
        Where every old parameter now stands.
    size : int
        How long θ is now.
    """

    def __init__(self, before, k, how, r, c, place, size):
        self.before, self.k, self.how, self.r, self.c = before, k, how, r, c
        self.place, self.size = place, size

    def parameters(self, theta):
        """Return parameters, an anchor say, as they have to be now."""
        theta = pad(theta, len(self.place)).copy()
        getattr(self.before.over(theta).layers[self.k], self.how)(self.r, self.c)
        return self.placed(theta)

    def gradient(self, gradient, power=1):
        """Return a gradient with respect to the parameters as they are now; power 2 for its square."""
        gradient = pad(gradient, len(self.place)).copy()
        layer = self.before.over(gradient).layers[self.k]
        getattr(layer, f"{self.how}_gradient")(self.r, self.c, power)
        return self.placed(gradient)

    def placed(self, vector):
        """Return a vector in the new layout, 0 where new parameters are."""
        if self.size == len(vector):
            return vector
        moved = np.zeros(self.size, vector.dtype)
        moved[self.place] = vector
        return moved

    def carry(self, part):
        """Place every attribute that has θ's layout: replaced, not changed in place."""
        for name, value in vars(part).items():
            if isinstance(value, np.ndarray) and value.shape == self.place.shape:
                setattr(part, name, self.placed(value))


def pad(vector, size, value=0):
    """Return the vector lengthened to `size`: how an optimizer's state follows a growing θ.

    Parameters
    ----------
    vector : ndarray of shape (m,)
    size : int
        ≥ m.
    value : float
        What the new entries hold.

    Returns
    -------
    ndarray of shape (size,)

    Examples
    --------
    >>> pad(np.array([1.0, 2.0]), 3)
    array([1., 2., 0.])
    """
    if len(vector) == size:
        return vector
    return np.concatenate([vector, np.full(size - len(vector), value, vector.dtype)])


def _sum_of_objectives(delta):
    """Return δ, or its sum over a leading axis: several objectives of the same samples."""
    return delta.sum(axis=0) if delta.ndim == 3 else delta


def _separate_layers(layers):
    """Return copies of the layers, which must be distinct Layer objects."""
    try:
        layers = list(layers)
    except TypeError:
        raise TypeError(f"layers must be a list of Layer, got {layers!r}") from None
    for k, layer in enumerate(layers):
        if not isinstance(layer, Layer):
            raise TypeError(f"layers[{k}] must be a Layer, got {layer!r} ({type(layer).__name__})")
    for k, layer in enumerate(layers):
        behind = layers[k + 1] if k + 1 < len(layers) else None
        if isinstance(layer, FRONT) and (k or not isinstance(behind, Linear) or not behind.bias):
            raise ValueError(f"{layer!r} must be the first layer, and the second a Linear with a bias")
    if not layers or len({id(layer) for layer in layers}) < len(layers):
        raise ValueError("layers must be a non-empty list in which no layer stands twice")
    return [copy.copy(layer) for layer in layers]  # a layer may serve as the model of several networks


def _entrywise(of, x):
    """Return numpy.abs or numpy.square of every entry, sparse or not."""
    if _checks.is_sparse(x):
        return type(x)((of(x.data), x.indices, x.indptr), shape=x.shape)
    return of(x)


def _dtype(dtype):
    """Return float32 or float64."""
    try:
        resolved = None if dtype is None else np.dtype(dtype)
    except TypeError:
        resolved = None
    # not `resolved in DTYPES`: to NumPy, None equals float64
    if resolved is None or resolved not in DTYPES:
        raise ValueError(f"dtype must be float32 or float64, got {dtype!r}")
    return resolved
