"""How a network learns task after task: terms, memories, methods, and the one training loop."""

from .learner import Learner, as_method, minibatches
from .linear_regression import LinearRegression
from .memory import ClassBalancedMemory, Everything, Memory, ReservoirMemory, SharedMemory
from .methods import BOUNDS, METHODS, Method, method
from .samples import Batch, Part, Samples
from .terms import (
    L1,
    L2,
    BatchTerm,
    BinaryCrossEntropy,
    CrossEntropy,
    ElasticNet,
    Features,
    Logits,
    Loss,
    ParameterTerm,
    ProximalTerm,
    Relations,
    Replay,
    SquaredError,
    Term,
)

__all__ = [
    "BOUNDS",
    "L1",
    "L2",
    "METHODS",
    "Batch",
    "BatchTerm",
    "BinaryCrossEntropy",
    "ClassBalancedMemory",
    "CrossEntropy",
    "ElasticNet",
    "Everything",
    "Features",
    "Learner",
    "LinearRegression",
    "Logits",
    "Loss",
    "Memory",
    "Method",
    "ParameterTerm",
    "Part",
    "ProximalTerm",
    "Relations",
    "Replay",
    "ReservoirMemory",
    "Samples",
    "SharedMemory",
    "SquaredError",
    "Term",
    "as_method",
    "method",
    "minibatches",
]
