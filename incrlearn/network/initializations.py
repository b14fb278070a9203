"""How a unit's weights begin, by name.

Each function draws `rows` of shape (units, inputs + 1), weights first and the bias last, from the generator
passed in. Drawn in float64, so that a float32 and a float64 network of the same seed begin alike.
"""

import numpy as np


def he(units, inputs, fan_out, rng):
    """Draw weights for ReLU layers: w ~ N(0, 2/inputs), b = 0 (He et al., ICCV 2015, eq. 10)."""
    return _with_bias(rng.normal(0, np.sqrt(2 / max(inputs, 1)), (units, inputs)), 0)


def glorot(units, inputs, fan_out, rng):
    """Draw weights for Tanh layers: w ~ U(±√(6/(inputs + outputs))), b = 0 (Glorot, AISTATS 2010, eq. 16)."""
    bound = np.sqrt(6 / max(inputs + fan_out, 1))
    return _with_bias(rng.uniform(-bound, bound, (units, inputs)), 0)


def pytorch(units, inputs, fan_out, rng):
    """Draw weights as `torch.nn.Linear` does: w, b ~ U(±1/√inputs); without an input b = 0."""
    bound = 1 / np.sqrt(inputs) if inputs else 0.0
    return rng.uniform(-bound, bound, (units, inputs + 1))


def zeros(units, inputs, fan_out, rng):
    """Begin at zero: right for a network of a single layer, which has no symmetry to break."""
    return np.zeros((units, inputs + 1))


def _with_bias(weights, bias):
    return np.column_stack([weights, np.full(len(weights), bias)])


INITIALIZATIONS = {"he": he, "glorot": glorot, "pytorch": pytorch, "zeros": zeros}
