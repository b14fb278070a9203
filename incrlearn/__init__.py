"""incrlearn learns from data that keeps arriving, without forgetting and without retraining, in NumPy alone.

The rooms, from the ground floor up: `formulas` (every equation, as a pure function), `network` (the layer
stack over one flat vector), `learning` (terms, memories, methods, the one training loop), `analytic`
(learners with a closed form), `benchmark` (datasets, scenarios, metrics, comparison). Imports point downward
only.
"""

from .analytic import AnalyticClassifier, AnalyticRegressor, RecursiveLeastSquares
from .estimators import IncrementalClassifier, IncrementalRegressor, load
from .learning import Learner, LinearRegression, Method
from .network import SGD, Adam, Linear, Network, ReLU, Sigmoid, Tanh

__version__ = "0.1.0"

__all__ = [
    "SGD",
    "Adam",
    "AnalyticClassifier",
    "AnalyticRegressor",
    "IncrementalClassifier",
    "IncrementalRegressor",
    "Learner",
    "Linear",
    "LinearRegression",
    "Method",
    "Network",
    "ReLU",
    "RecursiveLeastSquares",
    "Sigmoid",
    "Tanh",
    "load",
]
