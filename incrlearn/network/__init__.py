"""The layer stack: layers over one flat vector θ, and the optimizers that move it."""

from .initializations import INITIALIZATIONS
from .layers import ACTIVATIONS, Gate, Layer, Linear, ReLU, Sigmoid, Tanh
from .network import Move, Network, pad
from .optimizers import OPTIMIZERS, SGD, Adam, parts, soft_threshold
from .standardization import Standardize, StandardizeSparse
from .variational import ConditionalAutoencoder, VariationalAutoencoder

__all__ = [
    "ACTIVATIONS",
    "INITIALIZATIONS",
    "OPTIMIZERS",
    "SGD",
    "Adam",
    "ConditionalAutoencoder",
    "Gate",
    "Layer",
    "Linear",
    "Move",
    "Network",
    "ReLU",
    "Sigmoid",
    "Standardize",
    "StandardizeSparse",
    "Tanh",
    "VariationalAutoencoder",
    "pad",
    "parts",
    "soft_threshold",
]
