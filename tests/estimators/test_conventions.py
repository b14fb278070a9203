"""scikit-learn's conventions: its own checks, its tags, and that it is not imported by us."""

import dataclasses
import inspect
import warnings
from unittest import SkipTest

import numpy as np
import pytest
import scipy
from sklearn.base import clone
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.utils import estimator_checks

from incrlearn import AnalyticClassifier, AnalyticRegressor, IncrementalClassifier, IncrementalRegressor
from incrlearn.learning import ClassBalancedMemory, Logits, Method, Replay

from ..processes import run_python
from .helpers import VALUES, X, Y, classifier, regressor, state

BOTH = [IncrementalClassifier, IncrementalRegressor]
CONFIGURATIONS = [
    {},
    {"method": "none", "standardize": False, "n_epochs": 10, "learning_rate": 0.01},
    {"hidden_layer_sizes": (), "optimizer": "sgd", "learning_rate": 0.5, "n_epochs": 15},
]
CLOSED = [
    AnalyticClassifier("relu(units=30)"),
    AnalyticClassifier("relu(units=30)", "lda"),
    AnalyticClassifier("relu(units=30)", "nearest_mean"),
    AnalyticClassifier("identity"),
    AnalyticRegressor(),
    AnalyticRegressor("fourier(units=50)", standardize=False),
]
#: why a check may be skipped: something that it needs is not installed or not switched on
ABSENT = ("SCIPY_ARRAY_API is not set", "pandas is not installed", "polars is not installed")


def checks_of(estimator):
    """Return all checks that scikit-learn, old or new, has for an estimator."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that we do not inherit from BaseEstimator, which we must not import
        if hasattr(estimator_checks, "estimator_checks_generator"):
            pairs = estimator_checks.estimator_checks_generator(estimator, legacy=True)
        else:
            pairs = estimator_checks.check_estimator(estimator, generate_only=True)
        return [check for _, check in pairs]


def name_of(check):
    return getattr(check, "func", check).__name__


def all_checks():
    estimators = [kind(**options) for options in CONFIGURATIONS for kind in BOTH] + CLOSED
    pairs = [(estimator, check) for estimator in estimators for check in checks_of(estimator)]
    return [pytest.param(*pair, id=f"{pair[0]}-{name_of(pair[1])}") for pair in pairs]


def skip_where_something_is_absent(reason):
    assert reason.startswith(ABSENT)
    pytest.skip(reason)


def tags_of(estimator):
    """Return scikit-learn's tags as one flat dictionary."""
    try:
        from sklearn.utils import get_tags
    except ImportError:
        from sklearn.utils._tags import _safe_tags

        return _safe_tags(estimator)
    tags = dataclasses.asdict(get_tags(estimator))
    groups = {name: group for name, group in tags.items() if isinstance(group, dict)}
    flat = {f"{name}.{key}": value for name, group in groups.items() for key, value in group.items()}
    return {**flat, **{name: value for name, value in tags.items() if name not in groups}}


# ---- scikit-learn's own checks -----------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore")  # a check that looks for warnings turns them on itself
@pytest.mark.parametrize(("estimator", "check"), all_checks())
def test_the_estimator_passes_scikit_learns_check(estimator, check):
    try:
        check(estimator)
    except SkipTest as reason:
        skip_where_something_is_absent(str(reason))


@pytest.mark.skipif(not hasattr(estimator_checks, "estimator_checks_generator"), reason="older scikit-learn")
@pytest.mark.skipif(int(scipy.__version__.split(".")[1]) < 14, reason="SciPy without its array API")
def test_the_check_that_needs_scipys_array_api_to_be_switched_on_passes_with_it():
    out = run_python(
        "from sklearn.utils.estimator_checks import estimator_checks_generator\n"
        "from incrlearn import IncrementalClassifier, IncrementalRegressor\n"
        "for kind in (IncrementalClassifier, IncrementalRegressor):\n"
        "    for estimator, check in estimator_checks_generator(kind(n_epochs=2)):\n"
        "        if check.func.__name__ == 'check_array_api_input':\n"
        "            check(estimator)\n"
        "            print('passed')",
        SCIPY_ARRAY_API="1",
    )
    assert out.split() == ["passed", "passed"]


@pytest.mark.parametrize(
    ("ours", "theirs", "different"),
    [
        # MLPClassifier takes several labels a row, which our labels that arrive one after another do not
        (IncrementalClassifier, MLPClassifier, {"classifier_tags.multi_label", "multilabel"}),
        # MLPRegressor has several outputs, too, but does not say so
        (IncrementalRegressor, MLPRegressor, {"target_tags.multi_output", "multioutput"}),
    ],
)
def test_the_tags_are_those_of_scikit_learns_own_network_but_for_a_single_one(ours, theirs, different):
    our_tags, their_tags = tags_of(ours()), tags_of(theirs())
    assert our_tags.keys() == their_tags.keys()
    found = {name for name, value in our_tags.items() if value != their_tags[name]}
    assert len(found) == 1
    assert found < different


@pytest.mark.parametrize(
    ("ours", "theirs"), [(IncrementalClassifier, MLPClassifier), (IncrementalRegressor, MLPRegressor)]
)
def test_every_check_of_scikit_learns_own_network_is_ours_but_for_weights_and_several_labels(ours, theirs):
    have = {name_of(check) for check in checks_of(ours())}
    missing = {name_of(check) for check in checks_of(theirs())} - have
    assert {name for name in missing if "sample_weight" not in name and "multilabel" not in name} == set()


# ---- what is imported --------------------------------------------------------------------------------


def test_learning_from_arrays_imports_neither_scikit_learn_nor_pandas_nor_scipy():
    loaded = run_python(
        "import sys, copy, pickle, numpy as np\n"
        "from incrlearn import IncrementalClassifier as C, IncrementalRegressor as R\n"
        "X = np.random.default_rng(0).normal(size=(20, 3)); y = np.arange(20) % 2\n"
        "for model in (C(n_epochs=2), R(n_epochs=2)):\n"
        "    model.partial_fit(X, y).partial_fit(X.tolist(), y.tolist()).fit(X, y)\n"
        "    model.predict(X), model.score(X, y), model.remembered(), repr(model)\n"
        "    model.set_params(n_epochs=1)\n"
        "    pickle.loads(pickle.dumps(copy.deepcopy(model))).partial_fit(X, y)\n"
        "    try: model.predict(X[:, :2])\n"
        "    except ValueError: pass\n"
        "    try: type(model)().predict(X)\n"
        "    except ValueError: pass\n"
        "model = C(n_epochs=2).fit(X, y); model.predict_proba(X), model.decision_function(X)\n"
        "print(*{name.split('.')[0] for name in sys.modules})"
    )
    assert {"numpy", "incrlearn"} <= set(loaded.split())
    assert not {"sklearn", "pandas", "polars", "scipy", "narwhals"} & set(loaded.split())


def test_without_scikit_learn_the_unfitted_estimator_raises_what_is_a_value_and_an_attribute_error():
    out = run_python(
        "from incrlearn import IncrementalClassifier\n"
        "try: IncrementalClassifier().predict([[1.0]])\n"
        "except ValueError as error: print(isinstance(error, AttributeError), error)"
    )
    assert out.startswith("True This IncrementalClassifier instance is not fitted yet")


# ---- hyper-parameters --------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", BOTH)
def test_the_hyper_parameters_are_kept_as_they_came_and_returned_by_get_params(kind):
    options = {"method": "none", "hidden_layer_sizes": [3, 4], "activation": "tanh", "optimizer": "sgd"}
    options |= {"learning_rate": 0.5, "batch_size": 7, "n_epochs": 3, "memory_size": 9, "standardize": False}
    options["random_state"] = np.random.RandomState(0)
    params = kind(**options).get_params()
    assert params.keys() == inspect.signature(kind).parameters.keys()
    assert all(params[name] is value for name, value in options.items())


@pytest.mark.parametrize("estimator", [classifier(method="none"), regressor(hidden_layer_sizes=())])
def test_a_clone_has_the_hyper_parameters_and_nothing_of_what_was_learned(estimator):
    copy = clone(estimator.fit(X, Y))
    assert copy.get_params() == estimator.get_params()
    assert not hasattr(copy, "n_features_in_")


@pytest.mark.parametrize(
    "method", [[Replay()], [Logits(0.5)], Method([Replay()], ClassBalancedMemory(3)), "replay+logits(T=4)"]
)
def test_a_method_of_terms_survives_a_clone_and_serves_two_estimators_apart(method):
    first = classifier(method=method).fit(X, Y)
    before = state(first)
    clone(first).fit(X, Y).partial_fit(X, Y + 1)
    assert state(first) == before


def test_setting_an_unknown_parameter_sets_none():
    model = classifier()
    with pytest.raises(ValueError, match="Invalid parameter 'alpha' for estimator IncrementalClassifier"):
        model.set_params(learning_rate=0.7, alpha=1)
    assert model.learning_rate == 0.02


def test_parameters_in_the_wrong_range_are_refused_when_fit_is_called_and_not_before():
    model = classifier(learning_rate=-1, n_epochs=0)
    with pytest.raises(ValueError, match="learning_rate must be a finite number > 0, got -1"):
        model.fit(X, Y)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"method": "rplay"}, ValueError, "method must be one of 'none', .*, got 'rplay'"),
        ({"method": 3}, TypeError, "method must be a name, a list of terms or a Method, got 3"),
        ({"method": [3]}, TypeError, r"terms\[0\] must be a Term, got 3"),
        ({"hidden_layer_sizes": (4, 0)}, ValueError, "hidden_layer_sizes must be a whole number ≥ 1, got 0"),
        ({"hidden_layer_sizes": (3.5,)}, TypeError, r"hidden_layer_sizes must be whole numbers .* \(3.5,\)"),
        ({"hidden_layer_sizes": None}, TypeError, "hidden_layer_sizes must be whole numbers ≥ 1, got None"),
        ({"activation": "relo"}, ValueError, "activation must be one of 'relu', .*, got 'relo'"),
        ({"optimizer": "lbfgs"}, ValueError, "optimizer must be one of 'sgd', 'adam', got 'lbfgs'"),
        ({"learning_rate": "fast"}, TypeError, "learning_rate must be a finite number > 0, got 'fast'"),
        ({"batch_size": 1.5}, TypeError, "batch_size must be a whole number, got 1.5"),
        ({"n_epochs": 0}, ValueError, "n_epochs must be a whole number ≥ 1, got 0"),
        ({"memory_size": 0}, ValueError, "memory_size must be a whole number ≥ 1, got 0"),
        ({"random_state": "a"}, TypeError, "random_state must be a whole number, got 'a'"),
        ({"random_state": -1}, ValueError, "random_state must be a whole number ≥ 0, got -1"),
    ],
)
def test_a_bad_hyper_parameter_is_named(options, error, message):
    for make, y in ((classifier, Y), (regressor, VALUES)):
        with pytest.raises(error, match=message):
            make(**options).fit(X, y)


@pytest.mark.parametrize("sizes", [5, (5,), [5], np.array([5]), np.int64(5)])
def test_hidden_layer_sizes_may_be_a_number_or_any_sequence(sizes):
    assert classifier(hidden_layer_sizes=sizes).fit(X, Y).network_.layers[1].outputs == 5


def test_a_method_that_replays_gets_a_memory_of_the_given_size():
    for method in ("replay", "replay+l2", [Replay()]):
        for make in (classifier, regressor):
            assert len(make(method=method, memory_size=11).fit(X, Y).remembered()[0]) == 11


def test_a_memory_that_was_asked_for_by_its_own_size_is_the_one_that_is_used():
    for method in ("replay(per_class=2)", Method([Replay()], ClassBalancedMemory(2))):
        _, y = classifier(method=method).fit(X, Y).remembered()
        assert sorted(y.tolist()) == [0, 0, 1, 1, 2, 2]


def test_the_representation_shows_what_differs_from_the_defaults():
    assert repr(IncrementalRegressor()) == "IncrementalRegressor()"
    changed = IncrementalClassifier("none", np.array([3, 4]), n_epochs=3)
    shown = "IncrementalClassifier(method='none', hidden_layer_sizes=array([3, 4]), n_epochs=3)"
    assert repr(changed) == shown
