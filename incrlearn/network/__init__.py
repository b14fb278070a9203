"""The layer stack: layers over one flat vector θ, and the optimizers that move it."""

from .initializations import INITIALIZATIONS
from .layers import ACTIVATIONS, Layer, Linear, ReLU, Sigmoid, Tanh
from .network import Network, pad
from .optimizers import OPTIMIZERS, SGD, Adam, soft_threshold
from .standardization import Standardize, StandardizeSparse

__all__ = [
    "ACTIVATIONS",
    "INITIALIZATIONS",
    "OPTIMIZERS",
    "SGD",
    "Adam",
    "Layer",
    "Linear",
    "Network",
    "ReLU",
    "Sigmoid",
    "Standardize",
    "StandardizeSparse",
    "Tanh",
    "pad",
    "soft_threshold",
]
