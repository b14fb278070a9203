"""Small data and models with a closed form: what the tests of this folder share."""

from itertools import pairwise

import numpy as np
import pytest

from incrlearn import AnalyticClassifier, AnalyticRegressor, Network
from incrlearn.analytic import NetworkFeatures, Patches
from tests.learning.helpers import state

__all__ = ["FEATURES", "MODELS", "SOLVERS", "classes", "cut", "linear", "regressor", "same", "state"]

FEATURES = ("identity", "relu(units=20)", "fourier(units=20)")
SOLVERS = ("ridge", "lda", "nearest_mean")


def classes(seed=0, n=60, d=4, k=4):
    """Return rows of columns on other scales and k overlapping classes, each of several rows."""
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.concatenate([np.repeat(np.arange(k), 4), rng.integers(0, k, n - 4 * k)]))
    return rng.normal(size=(n, d)) * np.logspace(-1, 1, d) + rng.normal(size=(k, d))[y] + 2, y


def classifier(features="identity", solver="ridge", **options):
    return AnalyticClassifier(features, solver, **options)


def regressor(features="identity", solver=None, **options):
    return AnalyticRegressor(features, **options)


# ---- saved models ------------------------------------------------------------------------------------


def examples():
    """Return models, and the ids of two tasks or None: together they hold whatever a file can."""
    network = Network.mlp(4, 3, 2, rng=np.random.default_rng(0))
    patches = Patches(filters=2, size=2, cells=1, shape=(3, 3, 1))
    return {
        "closed, by default": (classifier("relu(units=3)"), None, None),
        "closed, tasks": (classifier("identity", "lda", strength=0.5), "a", (1, "b")),
        "closed, waves": (classifier("fourier(units=3, scale=2.0)", "nearest_mean"), None, None),
        "closed, patches": (classifier(patches, standardize=False), None, None),
        "closed, network": (classifier(NetworkFeatures(network), "lda"), None, None),
        "closed, values": (regressor("identity", random_state=None), None, None),
        "closed, fading": (regressor("relu(units=2)", forgetting=0.9, strength=1.0), "a", "b"),
    }


def learned(name):
    """Return an example that has learned twice and answered, its data, and the ids of two tasks."""
    model, *tasks = examples()[name]
    x, y = classes(0, n=24, d=9 if "patches" in name else 4)
    x = np.abs(x)
    y = y[:, None] - x[:, :2] if isinstance(model, AnalyticRegressor) else y
    model.partial_fit(x[:12], y[:12], task=tasks[0]).partial_fit(x[12:], y[12:], task=tasks[0])
    model.predict_proba(x) if isinstance(model, AnalyticClassifier) else model.predict(x)
    return model, (x, y), *tasks


#: which model, and what it learns of the rows and classes
MODELS = {
    **{solver: (classifier, lambda x, y: y) for solver in SOLVERS},
    "values": (regressor, lambda x, y: np.column_stack([y - x[:, 0], np.sin(x[:, 1])])),
    "a value": (regressor, lambda x, y: y - x[:, 0]),
}


def cut(rng, n):
    """Return slices that cut n rows into parts, some of a single row."""
    edges = [0, *np.sort(rng.integers(1, n, rng.integers(0, 6))), n]
    return [slice(a, b) for a, b in pairwise(edges) if b > a]


def linear(model):
    """Return the linear model of φ(x) as one matrix, its constants last, a row for every class or value."""
    coef, constant = np.atleast_2d(model.coef_), np.atleast_1d(model.intercept_)
    return np.column_stack([coef, constant])


def same(one, two, x, rtol=1e-8):
    """Assert that two models are the same but for rounding: their weights, their answers, what they know."""
    a, b = linear(one), linear(two)
    assert a.shape == b.shape
    # of its features each, as they vary: columns are on scales of their own
    size = np.append(np.sqrt(two._learner.statistics.scatter.diagonal() / two._learner.statistics.n), 1)
    error, largest = np.abs((a - b) * size).max(), max(np.abs(b * size).max(), 1e-3)
    assert error <= rtol * largest, f"off by {error:.2g} of {largest:.2g}"
    for name in ("strength_", "n_samples_seen_", "n_features_in_"):
        assert getattr(one, name) == (getattr(two, name) if name != "strength_" else _near(two.strength_))
    if hasattr(two, "classes_"):
        assert one.classes_.tolist() == two.classes_.tolist()
        assert np.abs(one.predict_proba(x) - two.predict_proba(x)).max() <= 1e-6
        sure = np.ptp(np.sort(two.predict_proba(x), axis=1)[:, -2:], axis=1) > 1e-5
        assert (one.predict(x)[sure] == two.predict(x)[sure]).all()
    else:
        assert np.allclose(
            one.predict(x), two.predict(x), rtol=rtol, atol=rtol * np.abs(two.predict(x)).max()
        )


def _near(strength):
    return None if strength is None else pytest.approx(strength, rel=1e-8)
