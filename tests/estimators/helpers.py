"""Small data and small estimators: what the tests of this folder share."""

import numpy as np

from incrlearn import IncrementalClassifier, IncrementalRegressor

from ..learning.helpers import state

__all__ = ["VALUES", "X", "Y", "classifier", "dense", "regressor", "state"]

#: three clouds of points, well apart
X = np.random.default_rng(0).normal(size=(60, 4)) + 5 * np.eye(4)[np.arange(60) % 3]
Y = np.arange(60) % 3
VALUES = X @ np.array([2.0, -1.0, 0.5, 0.0]) + 1
#: an estimator that learns these quickly
SMALL = {
    "hidden_layer_sizes": (16,),
    "learning_rate": 0.02,
    "batch_size": 8,
    "n_epochs": 10,
    "random_state": 0,
}


def classifier(**options):
    return IncrementalClassifier(**{**SMALL, **options})


def regressor(**options):
    return IncrementalRegressor(**{**SMALL, **options})


def dense(x):
    return x.toarray() if hasattr(x, "toarray") else np.asarray(x)
