"""A layer that is looked at: copies of it, its parts by name, and examples for it."""

import inspect

import numpy as np

from .. import _checks
from ..network import Layer
from .contracts import dense, protected, twin
from .search import normal

#: what a layer without one of these is given: no parameters, any width
DEFAULTS = Layer()


class Subject:
    """A layer under test: what is asked of it is asked of copies, which remember nothing."""

    def __init__(self, layer):
        self.layer = layer
        self.sought = None  # what has failed: then other derivatives need not be looked at any more
        name = type(layer).__name__
        if isinstance(layer, type):
            raise TypeError(f"layer must be a layer, got the class {layer.__name__}: make one of it")
        self.n_parameters = getattr(layer, "n_parameters", 0)
        needed = {"forward": "x", "backward": "x, y, delta"}
        if self.n_parameters:
            needed |= {"bind": "theta", "gradient": "x, delta, out"}
        for method, arguments in needed.items():
            self._need(method, arguments)
        inherited = getattr(type(layer), "n_parameters", None) is Layer.n_parameters
        overridden = getattr(type(layer), "gradient", Layer.gradient) is not Layer.gradient
        if isinstance(layer, Layer) and "n_parameters" not in vars(layer) and inherited and overridden:
            raise TypeError(f"{name} has a gradient, but does not say how many parameters: set n_parameters")
        self.size = _checks.count("n_parameters", self.n_parameters, low=0)
        self.inputs = getattr(layer, "inputs", None)
        self.blocks = self._blocks()

    def _need(self, method, arguments):
        """Raise a TypeError unless the layer has a method that takes such arguments."""
        name, own = type(self.layer).__name__, getattr(self.layer, method, None)
        why = f", as it has {self.n_parameters} parameters" if method in ("bind", "gradient") else ""
        if not callable(own) or getattr(type(self.layer), method, None) is getattr(Layer, method):
            raise TypeError(f"layer must have {method}({arguments}){why}; {name} has none")
        count = len(arguments.split(", "))
        try:
            inspect.signature(own).bind(*[None] * count)
        except TypeError:
            parameters = inspect.signature(own)
            raise TypeError(
                f"{method} must take ({arguments}){why}; that of {name} takes {parameters}"
            ) from None
        except ValueError:  # compiled, nothing is known of its arguments
            return

    def fresh(self, theta):
        """Return a copy of the layer over a copy of θ."""
        layer = twin(self.layer)
        getattr(layer, "bind", DEFAULTS.bind)(theta.copy())
        return layer

    def _blocks(self):
        """Return {name: places in θ} of the layer's views, and "θ" for what none of them covers."""
        if not self.size:
            return {}
        marks = np.arange(self.size, dtype=np.float64)
        layer = twin(self.layer)
        protected("bind", layer.bind, marks)
        blocks, left = {}, np.ones(self.size, bool)
        for name, value in vars(layer).items() if hasattr(layer, "__dict__") else ():
            if isinstance(value, np.ndarray) and value.size and np.shares_memory(value, marks):
                places = value.astype(np.intp)
                if (left[places].all() and value.size < self.size) or not blocks:
                    blocks[name], left[places] = places, False
        return {**blocks, **({"θ": np.flatnonzero(left)} if left.any() else {})}

    def parameters(self, rng):
        """Return the layer's own parameters where it has some, or those it begins with and a little noise."""
        theta = np.zeros(self.size)
        own = getattr(self.layer, "__dict__", {})
        bound = [name for name in self.blocks if isinstance(own.get(name), np.ndarray)]
        if self.size and len(bound) == len(self.blocks):
            for name in bound:
                theta[self.blocks[name]] = own[name]
            return theta
        if self.size and hasattr(self.layer, "initialize"):
            layer = twin(self.layer)
            layer.bind(theta)
            protected("initialize", layer.initialize, rng)
        return theta + 0.5 * rng.normal(size=self.size)

    def example(self, seed, theta=None):
        """Return an example in general position: nothing is zero, no two rows are equal."""
        rng = np.random.default_rng(seed)
        x = normal((5, self.inputs or 3), seed)
        theta = self.parameters(rng) if theta is None else np.asarray(theta, np.float64)
        return x, rng.normal(size=(len(x), self.width(x))), theta

    def first(self, seed, theta=None):
        """Return examples to begin with; rows of some are far from 0 (float32 has no e¹⁰⁰) or tie."""
        x, delta, parameters = self.example(seed + 1, theta)
        return [
            self.example(seed, theta),
            (x + 1000.0, delta, parameters),
            (x + 100.0, delta, parameters),
            (x.round().clip(-1, 1), delta, parameters),
        ]

    def width(self, x):
        """Return the width of the output for x."""
        if hasattr(self.layer, "connect"):
            return protected("connect", twin(self.layer).connect, x.shape[1])
        y = np.asarray(dense(self.forward(x, np.zeros(self.size))))
        return y.shape[1] if y.ndim == 2 else 1

    # ---- what a layer answers, as functions of arrays --------------------------------------------------

    def forward(self, x, theta):
        """Return y."""
        return dense(protected("forward(x)", self.fresh(theta).forward, x))

    def backward(self, x, y, delta, theta):
        """Return ∂L/∂x; forward has looked at the same x before."""
        layer = self.fresh(theta)
        layer.forward(x)
        return protected("backward(x, y, delta)", layer.backward, x, y, delta)

    def gradient(self, x, delta, theta, fill=0.0):
        """Return what gradient writes over an array of one number."""
        layer, out = self.fresh(theta), np.full(self.size, fill, theta.dtype)
        layer.forward(x)
        protected("gradient(x, delta, out)", layer.gradient, x, delta, out)
        return out


def put(theta, places, part):
    """Return θ with other values at some places, complex where they are."""
    theta = theta.astype(np.result_type(theta, part))
    theta[places] = part
    return theta
