"""How a network learns task after task: terms, memories, methods, and the one training loop."""

from .decisions import Decision, NearestMean
from .distillation import Distillation, DistilledBinaryCrossEntropy, Features, Logits, Relations
from .generative import ConditionalGeneratorMemory, GenerativeClassifier, GeneratorMemory
from .importance import fisher, path_integral, sensitivity
from .isolation import Gating, Isolation, Separate
from .learner import Learner, as_method, minibatches
from .linear_regression import LinearRegression
from .memory import (
    ClassBalancedMemory,
    Everything,
    GreedyMemory,
    HerdingMemory,
    Memory,
    ReservoirMemory,
    SharedMemory,
    herding,
)
from .methods import BOUNDS, METHODS, Method, method
from .projection import AGEM, GEM, OGD
from .regularization import EWC, L1, L2, MAS, SI, ElasticNet
from .replay import AsymmetricCrossEntropy, DarkReplay, Replay, SoftReplay
from .samples import Batch, Part, Samples
from .terms import (
    BatchTerm,
    BinaryCrossEntropy,
    CrossEntropy,
    Loss,
    ParameterTerm,
    Projection,
    ProximalTerm,
    SquaredError,
    Term,
)

__all__ = [
    "AGEM",
    "BOUNDS",
    "EWC",
    "GEM",
    "L1",
    "L2",
    "MAS",
    "METHODS",
    "OGD",
    "SI",
    "AsymmetricCrossEntropy",
    "Batch",
    "BatchTerm",
    "BinaryCrossEntropy",
    "ClassBalancedMemory",
    "ConditionalGeneratorMemory",
    "CrossEntropy",
    "DarkReplay",
    "Decision",
    "Distillation",
    "DistilledBinaryCrossEntropy",
    "ElasticNet",
    "Everything",
    "Features",
    "Gating",
    "GenerativeClassifier",
    "GeneratorMemory",
    "GreedyMemory",
    "HerdingMemory",
    "Isolation",
    "Learner",
    "LinearRegression",
    "Logits",
    "Loss",
    "Memory",
    "Method",
    "NearestMean",
    "ParameterTerm",
    "Part",
    "Projection",
    "ProximalTerm",
    "Relations",
    "Replay",
    "ReservoirMemory",
    "Samples",
    "Separate",
    "SharedMemory",
    "SoftReplay",
    "SquaredError",
    "Term",
    "as_method",
    "fisher",
    "herding",
    "method",
    "minibatches",
    "path_integral",
    "sensitivity",
]
