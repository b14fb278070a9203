"""What people have and what they use: frames, sparse matrices, labels of any kind, scikit-learn's tools."""

import copy
import pickle

import numpy as np
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.metrics import r2_score
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.multioutput import MultiOutputClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

from incrlearn import AnalyticClassifier, AnalyticRegressor

from .helpers import FEATURES, SOLVERS, classes, classifier, examples, learned, linear, regressor, state

X, Y = classes(0, n=80)
WORDS = np.array(["red", "green", "blue", "a longer colour"])[Y]
VALUES = X[:, 0] - 3 * X[:, 1]


# ---- scikit-learn's tools ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", examples())
def test_a_clone_has_the_hyper_parameters_and_nothing_of_what_was_learned(name):
    model, *_ = learned(name)
    copied = clone(model)
    assert copied.get_params().keys() == model.get_params().keys()
    assert repr(copied) == repr(model)
    assert not hasattr(copied, "n_features_in_")


@pytest.mark.parametrize("name", examples())
@pytest.mark.parametrize(
    "duplicate",
    [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))],
    ids=["deepcopy", "pickle"],
)
def test_a_duplicate_goes_on_bit_for_bit_and_apart_from_the_original(name, duplicate):
    model, (x, y), _, another = learned(name)
    twin = duplicate(model)
    before = state(vars(model))
    assert state(vars(twin)) == before
    twin.partial_fit(x + 1, y, task=another).predict(x)
    assert state(vars(model)) == before
    model.partial_fit(x + 1, y, task=another).predict(x)
    assert state(vars(twin)) == state(vars(model))


def test_a_grid_search_over_strengths_finds_the_best():
    noise = np.random.default_rng(0).normal(size=(80, 61))
    search = GridSearchCV(regressor(), {"strength": [1e-6, 1e2, 1e8]}, cv=4)
    search.fit(np.hstack([X, noise[:, 1:]]), VALUES + 5 * noise[:, 0])
    assert search.best_params_ == {"strength": 1e2}
    chosen = GridSearchCV(
        classifier(), {"solver": list(SOLVERS), "features": ["identity", "fourier(units=20)"]}, cv=3
    )
    assert chosen.fit(X, WORDS).score(X, WORDS) > 0.5
    assert set(chosen.classes_) == set(WORDS)


def test_a_pipeline_ends_with_it():
    model = make_pipeline(StandardScaler(), PolynomialFeatures(2), classifier()).fit(X, WORDS)
    assert model.score(X, WORDS) > 0.6
    assert make_pipeline(StandardScaler(), regressor()).fit(X, VALUES).score(X, VALUES) > 0.999


def test_cross_validation_and_several_outputs_work():
    assert cross_val_score(AnalyticRegressor(), X, VALUES, cv=4).min() > 0.99
    both = np.column_stack([Y, Y % 2])
    model = MultiOutputClassifier(classifier()).partial_fit(X[:40], both[:40], classes=[[0, 1, 2, 3], [0, 1]])
    assert model.partial_fit(X[40:], both[40:]).predict(X).shape == both.shape


def test_the_score_is_the_metric_of_scikit_learn():
    x, y = X, np.column_stack([VALUES, X[:, 2] ** 2])
    model = regressor().fit(x, y)
    assert model.score(x, y) == pytest.approx(r2_score(y, model.predict(x)))
    assert classifier().fit(X, WORDS).score(X, WORDS) == np.mean(classifier().fit(X, Y).predict(X) == Y)


# ---- labels, frames, sparse matrices -----------------------------------------------------------------


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize(
    "labels", [WORDS, Y > 1, Y * 5 - 7, WORDS.astype(object), WORDS.tolist()], ids=lambda labels: None
)
def test_labels_of_any_kind_are_answered_in_their_kind(solver, labels):
    known = np.asarray(labels).astype(str) if np.asarray(labels).dtype == object else np.asarray(labels)
    model = classifier(solver=solver).partial_fit(X[:40], labels[:40]).partial_fit(X[40:], labels[40:])
    assert model.classes_.tolist() == np.unique(known).tolist()
    assert model.predict(X).dtype.kind == known.dtype.kind
    plain = classifier(solver=solver).fit(X, np.unique(known, return_inverse=True)[1])
    assert np.array_equal(model.predict(X), np.unique(known)[plain.predict(X)])
    assert np.allclose(model.predict_proba(X), plain.predict_proba(X))


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_a_frame_gives_what_its_array_gives_and_its_column_names_are_checked(library):
    frames = pytest.importorskip(library)
    frame = frames.DataFrame({name: X[:, k] for k, name in enumerate("abcd")})
    model, plain = classifier().fit(frame, Y), classifier().fit(X, Y)
    assert np.array_equal(model.coef_, plain.coef_)
    assert np.array_equal(model.predict(frame), plain.predict(X))
    assert model.feature_names_in_.tolist() == list("abcd")
    turned = frame[["b", "a", "c", "d"]]
    for call in (model.predict, lambda x: model.partial_fit(x, Y), lambda x: model.unlearn(x, Y)):
        with pytest.raises(ValueError, match="Feature names must be in the same order"):
            call(turned)


@pytest.mark.parametrize("features", [*FEATURES, "relu(units=30)"])
@pytest.mark.parametrize("kind", [sparse.csr_array, sparse.csc_matrix, sparse.coo_array])
def test_a_sparse_matrix_gives_exactly_what_its_array_gives(features, kind):
    x = X * (np.abs(X) > 1)
    for make, y in ((classifier, Y), (regressor, VALUES)):
        one = make(features).partial_fit(kind(x[:50]), y[:50]).partial_fit(kind(x[50:]), y[50:])
        two = make(features).partial_fit(x[:50], y[:50]).partial_fit(x[50:], y[50:])
        assert np.array_equal(linear(one), linear(two))
        assert np.array_equal(one.predict(kind(x)), two.predict(x))
        one.unlearn(kind(x[:5]), y[:5])
        assert np.array_equal(linear(one), linear(two.unlearn(x[:5], y[:5])))


def test_sparse_rows_are_learned_with_weights():
    x, weight = sparse.csr_array(X), np.arange(80) % 3
    one, two = (classifier().fit(part, Y, sample_weight=weight) for part in (x, X))
    assert np.array_equal(linear(one), linear(two))


@pytest.mark.parametrize("features", FEATURES)
def test_float32_rows_give_exactly_what_their_float64_copy_gives(features):
    x = X.astype(np.float32)
    for make, y in ((classifier, Y), (regressor, VALUES)):
        one, two = make(features).fit(x, y), make(features).fit(x.astype(float), y)
        assert np.array_equal(linear(one), linear(two))
        assert np.array_equal(one.predict(x), two.predict(x.astype(float)))


def test_a_file_that_is_mapped_into_memory_is_learned(tmp_path):
    np.save(tmp_path / "x.npy", X)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    assert np.array_equal(classifier().fit(mapped, Y).coef_, classifier().fit(X, Y).coef_)


def test_rows_may_stand_in_memory_in_any_order():
    expected = linear(classifier("relu(units=20)").fit(X, Y))
    for x in (np.asfortranarray(X), np.repeat(X, 2, axis=1)[:, ::2], X[::-1][::-1]):
        assert np.array_equal(linear(classifier("relu(units=20)").fit(x, Y)), expected)


# ---- what it looks like ------------------------------------------------------------------------------


def test_the_shapes_are_those_of_scikit_learn():
    model = AnalyticClassifier("relu(units=20)").fit(X, Y)
    assert (model.coef_.shape, model.intercept_.shape) == ((4, 24), (4,))
    assert (model.predict_proba(X).shape, model.decision_function(X).shape) == ((80, 4), (80, 4))
    assert classifier().fit(X, Y > 1).decision_function(X).shape == (80,)
    one, two = regressor().fit(X, VALUES), regressor().fit(X, np.column_stack([VALUES, VALUES]))
    assert (one.coef_.shape, np.shape(one.intercept_), one.predict(X).shape) == ((4,), (), (80,))
    assert (two.coef_.shape, two.intercept_.shape, two.predict(X).shape) == ((2, 4), (2,), (80, 2))
    assert np.allclose(two.predict(X)[:, 1], one.predict(X))


def test_of_two_classes_the_decision_is_positive_for_the_second():
    model = classifier().fit(X, WORDS == "red")
    assert np.array_equal(model.decision_function(X) > 0, model.predict(X))


def test_the_counts_are_of_rows_and_of_calls():
    model = classifier().fit(X, Y).partial_fit(X[:5], Y[:5]).unlearn(X[:2], Y[:2])
    assert (model.n_samples_seen_, model.n_updates_, model.n_features_in_) == (83, 2, 4)
    assert model.remembered() is None
    assert model.fit(X, Y).n_samples_seen_ == 80


def test_a_model_that_has_learned_nothing_says_so():
    for model in (AnalyticClassifier(), AnalyticRegressor()):
        for use in (
            "predict",
            "score",
            "coef_",
            "intercept_",
            "strength_",
            "features_",
            "unlearn",
            "n_updates_",
        ):
            with pytest.raises(ValueError, match=f"This {type(model).__name__} instance is not fitted yet"):
                model.predict(X) if use == "predict" else getattr(model, use)(X, Y)


def test_fitting_again_drops_what_was_learned():
    once = classifier("relu(units=20)").fit(X, Y)
    again = classifier("relu(units=20)").fit(-X[:30, :2], WORDS[:30]).fit(X, Y)
    assert state(vars(again)) == state(vars(once))


def test_a_generator_is_drawn_from_once_in_every_fit():
    first, second = (classifier("relu(units=5)", random_state=np.random.default_rng(3)) for _ in range(2))
    drawn = [model.fit(X, Y).features_.arrays["W"] for model in (first, second, first, second)]
    assert np.array_equal(drawn[0], drawn[1])
    assert np.array_equal(drawn[2], drawn[3])
    assert not np.array_equal(drawn[0], drawn[2])
    assert np.array_equal(first.partial_fit(X, Y).features_.arrays["W"], drawn[2])
