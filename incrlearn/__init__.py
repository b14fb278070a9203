"""incrlearn learns from data that keeps arriving, without forgetting and without retraining, in NumPy alone.

The rooms, from the ground floor up: `formulas` (every equation, as a pure function), `network` (the layer
stack over one flat vector), `learning` (terms, memories, methods, the one training loop), `analytic`
(learners with a closed form), `benchmark` (datasets, scenarios, metrics, comparison). Imports point downward
only.
"""

from importlib import import_module

from .estimators import IncrementalClassifier, IncrementalRegressor, load
from .learning import Learner, LinearRegression, Method
from .network import SGD, Adam, Linear, Network, ReLU, Sigmoid, Tanh

__version__ = "0.1.0"

# what is loaded with `analytic`, when it is first asked for: start-up is part of the product
_ANALYTIC = {"AnalyticClassifier", "AnalyticRegressor", "RecursiveLeastSquares"}

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


def __getattr__(name):
    if name not in {"analytic", *_ANALYTIC}:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    analytic = import_module(".analytic", __name__)
    return analytic if name == "analytic" else getattr(analytic, name)


def __dir__():
    return sorted({*globals(), *__all__})
