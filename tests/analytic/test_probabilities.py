"""Probabilities add up to one, agree with the answers, and, on real data, say how often these are right."""

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine
from sklearn.model_selection import train_test_split

from incrlearn import AnalyticClassifier

from .helpers import FEATURES, SOLVERS, classes, classifier

#: breast_cancer has 569 rows, the others fewer or digits
DATA = {"digits": load_digits, "wine": load_wine, "breast_cancer": load_breast_cancer, "iris": load_iris}


def split(name, seed):
    """Return a stratified quarter held out, and the rest."""
    x, y = DATA[name](return_X_y=True)
    return train_test_split(x, y, test_size=0.25, stratify=y, random_state=seed)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("features", FEATURES)
@pytest.mark.parametrize("standardize", [True, False])
def test_probabilities_add_up_to_one_and_the_largest_is_the_answer_s(solver, features, standardize):
    x, y = classes(0)
    model = classifier(features, solver, standardize=standardize).fit(x, np.array(["d", "b", "a", "c"])[y])
    away = np.vstack([x, 1e3 * x, -x, np.zeros_like(x), 1e100 * x, np.full((1, 4), 1e300)])
    p = model.predict_proba(away)
    assert p.shape == (301, 4)
    assert np.isfinite(p).all()
    assert (p >= 0).all()
    assert np.allclose(p.sum(axis=1), 1, rtol=1e-12)
    answers = model.predict(away)
    assert np.array_equal(p[np.arange(301), np.searchsorted(model.classes_, answers)], p.max(axis=1))
    z = model.decision_function(away)
    assert np.array_equal(model.classes_[z.argmax(axis=1)], answers)


@pytest.mark.parametrize("solver", SOLVERS)
def test_one_class_alone_is_certain(solver):
    for n in (1, 5):
        model = classifier(solver=solver).fit(np.ones((n, 2)) * np.arange(n)[:, None], ["a"] * n)
        assert model.predict_proba([[0.0, 9.0]]).tolist() == [[1.0]]
        assert model.predict([[0.0, 9.0]]).tolist() == ["a"]


@pytest.mark.parametrize("name", DATA)
@pytest.mark.parametrize("seed", range(2))
def test_the_largest_probability_is_on_average_the_accuracy(name, seed):
    x, x_test, y, y_test = split(name, seed)
    model = AnalyticClassifier("relu(units=300)").fit(x, y)
    confidence = model.predict_proba(x_test).max(axis=1).mean()
    assert abs(confidence - model.score(x_test, y_test)) <= 0.05


def test_so_it_is_with_default_settings():
    x, x_test, y, y_test = split("breast_cancer", 2)
    model = AnalyticClassifier().fit(x, y)
    confidence = model.predict_proba(x_test).max(axis=1).mean()
    assert abs(confidence - model.score(x_test, y_test)) <= 0.05


def test_rows_near_a_border_are_less_certain_and_noise_is_not_certain_at_all():
    x = np.r_[np.linspace(-3, -0.5, 50), np.linspace(0.5, 3, 50)][:, None]
    model = classifier().fit(x, x[:, 0] > 0)
    p = model.predict_proba([[-2.0], [0.1], [2.0]])[:, 1]
    assert p[0] < 0.05
    assert 0.4 < p[1] < 0.8
    assert p[2] > 0.95
    noise = np.random.default_rng(0).normal(size=(400, 3))
    p = classifier().fit(noise, np.arange(400) % 2).predict_proba(noise)
    assert p.max(axis=1).mean() < 0.62
