"""Digits that come one class at a time are all known at the end, with default settings."""

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from incrlearn import AnalyticClassifier
from incrlearn.benchmark import datasets


@pytest.fixture(scope="module")
def digits():
    return datasets.load("digits")


def learn_one_class_at_a_time(model, x, y):
    for label in np.unique(y):
        model.partial_fit(x[y == label], y[y == label])
    return model


@pytest.mark.parametrize("random_state", range(5))
def test_digits_that_come_one_class_at_a_time_are_all_known_at_the_end(digits, random_state):
    model = AnalyticClassifier(random_state=random_state)
    learn_one_class_at_a_time(model, digits.x, digits.y)
    assert model.score(digits.x_test, digits.y_test) >= 0.97


@pytest.mark.parametrize("seed", range(3))
def test_so_are_those_of_any_quarter_that_is_held_out(seed):
    x, y = load_digits(return_X_y=True)
    x, x_test, y, y_test = train_test_split(x, y, test_size=0.25, stratify=y, random_state=seed)
    assert learn_one_class_at_a_time(AnalyticClassifier(), x, y).score(x_test, y_test) >= 0.97


def test_digits_on_wild_scales_are_known_as_well(digits):
    scale = 10.0 ** np.linspace(-2, 2, 64)
    model = learn_one_class_at_a_time(AnalyticClassifier("identity"), digits.x * scale + scale, digits.y)
    tame = learn_one_class_at_a_time(AnalyticClassifier("identity"), digits.x, digits.y)
    assert np.allclose(model.predict_proba(digits.x_test * scale + scale), tame.predict_proba(digits.x_test))
