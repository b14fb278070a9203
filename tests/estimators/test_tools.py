"""The estimators in the hands of scikit-learn's tools: pipelines, searches, ensembles."""

import copy
import pickle
import warnings

import numpy as np
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import (
    BaggingRegressor,
    StackingClassifier,
    StackingRegressor,
    VotingClassifier,
    VotingRegressor,
)
from sklearn.feature_extraction.text import HashingVectorizer
from sklearn.inspection import partial_dependence, permutation_importance
from sklearn.metrics import accuracy_score, r2_score
from sklearn.model_selection import GridSearchCV, cross_val_predict, cross_val_score, learning_curve
from sklearn.multiclass import OneVsOneClassifier, OneVsRestClassifier
from sklearn.multioutput import MultiOutputClassifier, MultiOutputRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import estimator_html_repr

from .helpers import VALUES, X, Y, classifier, regressor, state

BOTH = [(classifier, Y), (regressor, VALUES)]
WORDS = np.array(["red", "green", "blue"])[Y]


@pytest.mark.parametrize(("make", "y"), BOTH)
def test_a_pipeline_ends_with_it(make, y):
    assert make_pipeline(StandardScaler(), make()).fit(X, y).score(X, y) > 0.9


def test_a_pipeline_feeds_it_text():
    good, bad = ["a good film", "good food", "good"], ["a bad film", "bad food", "bad"]
    model = make_pipeline(HashingVectorizer(n_features=2**18), classifier())
    assert model.fit(good + bad, ["+"] * 3 + ["-"] * 3).predict(["good phone", "bad phone"]).tolist() == [
        "+",
        "-",
    ]


def test_a_pipeline_is_shown_as_html_with_its_parameters():
    page = estimator_html_repr(make_pipeline(StandardScaler(), classifier(learning_rate=0.125)))
    assert "IncrementalClassifier" in page
    assert "learning_rate=0.125" in page


def test_a_grid_search_tries_methods_and_finds_the_best():
    search = GridSearchCV(classifier(), {"n_epochs": [1, 12], "method": ["none", "replay"]}, cv=2).fit(
        X, WORDS
    )
    assert search.best_params_["n_epochs"] == 12
    assert search.score(X, WORDS) > 0.9
    assert search.classes_.tolist() == ["blue", "green", "red"]


@pytest.mark.parametrize(("make", "y"), BOTH)
def test_cross_validation_in_two_processes_gives_the_same_scores_as_in_one(make, y):
    one, two = (cross_val_score(make(), X, y, cv=2, n_jobs=n) for n in (1, 2))
    assert np.array_equal(one, two)
    assert one.min() > 0.8


@pytest.mark.parametrize("scoring", ["accuracy", "neg_log_loss", "roc_auc_ovr"])
def test_cross_validation_scores_by_what_it_is_told(scoring):
    scores = cross_val_score(classifier(), X, WORDS, cv=2, scoring=scoring)
    assert scores.min() > {"neg_log_loss": -0.6}.get(scoring, 0.9)


@pytest.mark.parametrize(
    ("method", "labels", "shape"),
    [
        ("predict", 3, (60,)),
        ("predict_proba", 3, (60, 3)),
        ("decision_function", 3, (60, 3)),
        ("decision_function", 2, (40,)),
    ],
)
def test_cross_validated_predictions_have_the_shape_that_is_asked_for(method, labels, shape):
    rows = labels > Y
    assert cross_val_predict(classifier(), X[rows], Y[rows], cv=2, method=method).shape == shape


@pytest.mark.parametrize("method", ["sigmoid", "isotonic"])
def test_probabilities_can_be_calibrated(method):
    model = CalibratedClassifierCV(classifier(), method=method, cv=2).fit(X, WORDS)
    assert model.score(X, WORDS) > 0.9
    assert np.allclose(model.predict_proba(X).sum(axis=1), 1)


@pytest.mark.parametrize(
    "ensemble",
    [
        VotingClassifier([("a", classifier()), ("b", classifier(method="none"))], voting="soft"),
        StackingClassifier([("a", classifier())], final_estimator=classifier(), cv=2),
        OneVsRestClassifier(classifier()),
        OneVsOneClassifier(classifier()),
    ],
    ids=lambda ensemble: type(ensemble).__name__,
)
def test_an_ensemble_of_classifiers_learns(ensemble):
    assert ensemble.fit(X, Y).score(X, Y) > 0.9


@pytest.mark.parametrize(
    "ensemble",
    [
        VotingRegressor([("a", regressor()), ("b", regressor(method="none"))]),
        StackingRegressor([("a", regressor())], final_estimator=regressor(), cv=2),
        BaggingRegressor(regressor(), n_estimators=2, random_state=0),
    ],
    ids=lambda ensemble: type(ensemble).__name__,
)
def test_an_ensemble_of_regressors_learns(ensemble):
    assert ensemble.fit(X, VALUES).score(X, VALUES) > 0.8


@pytest.mark.parametrize("wrapper", [OneVsRestClassifier, OneVsOneClassifier])
def test_a_wrapper_that_learns_incrementally_tells_it_the_classes(wrapper):
    model = wrapper(classifier()).partial_fit(X[:30], Y[:30], classes=[0, 1, 2])
    assert model.partial_fit(X[30:], Y[30:]).score(X, Y) > 0.9


def test_several_outputs_are_learned_by_one_estimator_each():
    both = np.column_stack([Y, Y % 2])
    model = MultiOutputClassifier(classifier()).partial_fit(X, both, classes=[[0, 1, 2], [0, 1]])
    assert model.score(X, both) > 0.9
    values = np.column_stack([VALUES, -VALUES])
    assert MultiOutputRegressor(regressor()).fit(X, values).score(X, values) > 0.9


@pytest.mark.parametrize(("make", "y"), BOTH)
def test_a_learning_curve_is_drawn_by_partial_fit(make, y):
    sizes, _, test = learning_curve(
        make(),
        X,
        y,
        cv=2,
        train_sizes=[0.3, 1.0],
        exploit_incremental_learning=True,
        shuffle=True,
        random_state=0,
    )
    assert sizes.tolist() == [9, 30]
    assert test[1].mean() > max(test[0].mean(), 0.8)


@pytest.mark.parametrize(("make", "y"), BOTH)
def test_the_features_that_matter_are_found(make, y):
    importance = permutation_importance(make().fit(X, y), X, y, n_repeats=3, random_state=0).importances_mean
    assert importance.argmin() == 3
    assert (
        partial_dependence(make().fit(X, y), X, [0], grid_resolution=3, kind="average")["average"].shape[-1]
        == 3
    )


def test_nothing_but_a_scikit_learn_of_old_needs_the_estimator_type():
    from sklearn.base import is_classifier, is_regressor

    assert [is_classifier(classifier()), is_regressor(classifier())] == [True, False]
    assert [is_classifier(regressor()), is_regressor(regressor())] == [False, True]


@pytest.mark.parametrize(("make", "y"), BOTH)
def test_the_score_is_the_metric_of_scikit_learn(make, y):
    model, other = make().fit(X, y), np.concatenate([y[:40], y[:20]])
    metric = accuracy_score if make is classifier else r2_score
    assert model.score(X, other) == pytest.approx(metric(other, model.predict(X)))
    assert model.score(X, other) < 0.9 < model.score(X, y)


@pytest.mark.parametrize(
    "duplicate",
    [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))],
    ids=["deepcopy", "pickle"],
)
@pytest.mark.parametrize("method", ["replay", "replay+logits", "l2_anchored", "joint"])
@pytest.mark.parametrize(("make", "y"), BOTH)
def test_a_duplicate_continues_bit_for_bit_and_apart_from_the_original(make, y, method, duplicate):
    if make is regressor and "logits" in method:
        method = "replay+features"
    original = make(method=method).partial_fit(X[:30], y[:30])
    before, twin = state(original), duplicate(original)
    assert state(twin) == before
    twin.partial_fit(X[30:], y[30:])
    assert state(original) == before
    assert state(original.partial_fit(X[30:], y[30:])) == state(twin)


def test_no_warning_is_given_where_nothing_is_wrong():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = classifier().fit(X, Y).partial_fit(X[:1], [7], classes=[0, 7, 8])
        model.predict(X), model.predict_proba(X), model.decision_function(X), model.score(X, Y), repr(model)
        regressor().fit(X, VALUES).partial_fit(X[:1], [1]).predict(X)
