"""Learners with a closed form: no gradient, nothing to forget, and they add up.

estimators    AnalyticClassifier, AnalyticRegressor
learner       sums over φ(x) and y: learn, unlearn, merge, predict
features      φ: identity, random units, patches of images, a trained network
solvers       from sums to a linear model: ridge, discriminant analysis, nearest mean
expert_gate   a closed form for every task, and one that tells the tasks apart
recursive     least squares, up to date after every row
statistics    the sums
"""

from .estimators import AnalyticClassifier, AnalyticRegressor
from .expert_gate import ExpertGate
from .features import (
    FEATURES,
    Features,
    Identity,
    NetworkFeatures,
    Patches,
    RandomFourier,
    RandomReLU,
    as_features,
)
from .learner import AnalyticLearner
from .methods import METHODS, analytic_method, is_analytic
from .recursive import RecursiveLeastSquares
from .solvers import SOLVERS, Solution, choose_strength, lda, nearest_mean, ridge
from .statistics import Statistics

__all__ = [
    "FEATURES",
    "METHODS",
    "SOLVERS",
    "AnalyticClassifier",
    "AnalyticLearner",
    "AnalyticRegressor",
    "ExpertGate",
    "Features",
    "Identity",
    "NetworkFeatures",
    "Patches",
    "RandomFourier",
    "RandomReLU",
    "RecursiveLeastSquares",
    "Solution",
    "Statistics",
    "analytic_method",
    "as_features",
    "choose_strength",
    "is_analytic",
    "lda",
    "nearest_mean",
    "ridge",
]
