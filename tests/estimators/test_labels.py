"""Labels: of every kind, known in advance or not, and which classes compete."""

import numpy as np
import pytest

from incrlearn import IncrementalClassifier

from .helpers import X, Y, classifier, state

# ---- classes that arrive -----------------------------------------------------------------------------


def test_the_first_call_need_not_say_what_classes_there_will_be():
    model, known = classifier(), []
    for label in (7, 3, 7, 5):
        model.partial_fit(X[label % 3 == Y], np.full(20, label))
        known.append(model.classes_.tolist())
    assert known == [[7], [3, 7], [3, 7], [3, 5, 7]]
    assert model.network_.outputs == 3


def test_each_answer_stands_in_the_order_of_the_sorted_classes():
    model = classifier()
    for label in (2, 0, 1):
        model.partial_fit(X[label == Y], Y[label == Y] + 10)
    assert model.classes_.tolist() == [10, 11, 12]
    assert np.array_equal(model.classes_[model.predict_proba(X).argmax(axis=1)], model.predict(X))
    assert np.array_equal(model.classes_[model.decision_function(X).argmax(axis=1)], model.predict(X))
    assert model.score(X, Y + 10) > 0.9


@pytest.mark.parametrize("n_rows", [1, 2, 20])
def test_one_class_alone_is_certain(n_rows):
    model = classifier().partial_fit(X[:n_rows], ["a"] * n_rows)
    assert model.predict(X).tolist() == ["a"] * 60
    assert np.array_equal(model.predict_proba(X), np.ones((60, 1)))
    assert model.decision_function(X).shape == (60, 1)
    assert model.score(X[:n_rows], ["a"] * n_rows) == 1


def test_of_two_classes_the_decision_is_the_log_odds_of_the_second():
    model = classifier().fit(X[Y < 2], np.array(["no", "yes"])[Y[Y < 2]])
    decision, probability = model.decision_function(X), model.predict_proba(X)
    assert decision.shape == (60,)
    assert np.allclose(decision, np.log(probability[:, 1] / probability[:, 0]))
    assert np.array_equal(model.predict(X) == "yes", decision > 0)


def test_longer_strings_than_before_are_kept_whole():
    model = classifier().partial_fit(X[Y == 0], ["a"] * 20).partial_fit(X[Y == 1], ["a long word"] * 20)
    assert model.classes_.tolist() == ["a", "a long word"]
    assert model.predict(X[Y == 1]).tolist() == ["a long word"] * 20


def test_the_empty_string_is_a_label():
    assert classifier().fit(X[:2], ["", "b"]).classes_.tolist() == ["", "b"]


# ---- classes that are told ---------------------------------------------------------------------------


def test_classes_told_in_advance_have_an_answer_before_a_sample_of_them_came():
    model = classifier().partial_fit(X[:1], [7], classes=[9, 7, 1])
    assert model.classes_.tolist() == [1, 7, 9]
    assert model.predict_proba(X).shape == (60, 3)


def test_classes_may_be_told_at_any_call_and_need_not_hold_those_of_y():
    model = classifier().partial_fit(X[:3], [1, 2, 1])
    for classes, known in (([4], [1, 2, 4]), ([2, 1], [1, 2, 4]), ([9, 1], [1, 2, 4, 9]), ([], [1, 2, 4, 9])):
        assert model.partial_fit(X[:2], [2, 1], classes).classes_.tolist() == known
    assert model.partial_fit(X[:1], [5], classes=[1, 6]).classes_.tolist() == [1, 2, 4, 5, 6, 9]


def test_to_tell_the_classes_that_are_there_changes_nothing_for_who_learns():
    told = classifier().partial_fit(X[:30], Y[:30], classes=[0, 1, 2])
    assert told.partial_fit(X[30:], Y[30:], classes=[0, 1, 2]).score(X, Y) > 0.95


@pytest.mark.parametrize(
    "classes",
    [[2, 0, 1], (0, 1, 2), range(3), np.arange(3), np.array([0, 1, 2], object), [0.0, 1.0, 2.0]],
    ids=repr,
)
def test_classes_may_be_any_sequence(classes):
    assert classifier().partial_fit(X[:1], [1], classes=classes).classes_.tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("classes", "error", "message"),
    [
        ([1, 1], ValueError, "classes must not hold a label twice"),
        (["a", "b"], TypeError, "classes holds strings, but y holds integers"),
        ([True, False], TypeError, "classes holds booleans, but y holds integers"),
        ([1, "a"], TypeError, "classes must hold labels of one kind"),
        ([[0, 1], [1, 2]], ValueError, "classes should be a 1d array"),
        (3, ValueError, "classes should be a 1d array"),
        ({1, 2}, ValueError, "classes should be a 1d array"),
        ([0, np.nan], ValueError, "classes must be finite, but holds nan at index 1"),
        ([0.5], ValueError, "classes must hold class labels, got 0.5"),
        ([None, 1], ValueError, "classes must hold labels, but one is missing at index 0"),
    ],
)
@pytest.mark.parametrize("call", ["first", "second"])
def test_classes_that_can_not_be_are_refused_and_leave_everything_as_it_was(classes, error, message, call):
    model = classifier()
    if call == "second":
        model.partial_fit(X, Y)
    before = state(model)
    with pytest.raises(error, match=message):
        model.partial_fit(X, Y, classes=classes)
    assert state(model) == before


# ---- kinds of labels ---------------------------------------------------------------------------------


def pandas_labels(values, dtype):
    return pytest.importorskip("pandas").Series(values, dtype=dtype)


def polars_labels(values, dtype):
    polars = pytest.importorskip("polars")
    return polars.Series(values, dtype=getattr(polars, dtype))


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ([3, 1], [1, 3]),
        (np.array([3, 200], np.uint8), [3, 200]),
        (np.array([1, 2], object), [1, 2]),
        ([np.int8(1), 2], [1, 2]),
        ([1.0, 2.0], [1, 2]),
        (np.array([1, 2.0], object), [1, 2]),
        (range(2), [0, 1]),
        ([True, False], [False, True]),
        (np.array([True, False], object), [False, True]),
        (["b", "a"], ["a", "b"]),
        (np.array(["b", "a"]), ["a", "b"]),
        (np.array(["b", "a"], object), ["a", "b"]),
        (["1", "2"], ["1", "2"]),
        ((-(2**63), 2**63 - 1), [-(2**63), 2**63 - 1]),
    ],
    ids=repr,
)
def test_labels_may_be_integers_strings_or_booleans_in_any_container(labels, expected):
    model = classifier(n_epochs=30).partial_fit(X[:2], labels)
    assert model.classes_.tolist() == expected
    assert model.predict(X[:2]).tolist() == list(labels)
    assert model.score(X[:2], labels) == 1


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        (["b", "a"], "category"),
        (["b", "a"], "string"),
        (["b", "a"], None),
        (["b", "a"], object),
        ([2, 1], "category"),
        ([2, 1], "Int64"),
        ([2, 1], "UInt8"),
        ([2, 1], "Float64"),
        ([True, False], "boolean"),
    ],
)
def test_labels_may_be_a_pandas_series_of_any_kind(values, dtype):
    model = classifier().partial_fit(
        X[:2], pandas_labels(values, dtype), classes=pandas_labels(values, dtype)
    )
    assert model.partial_fit(X[:1], pandas_labels(values[:1], dtype)).classes_.tolist() == sorted(values)
    assert type(model.classes_[0].item()) is type(values[0])


def test_a_category_that_no_row_has_is_no_class():
    pandas = pytest.importorskip("pandas")
    labels = pandas.Categorical(["a", "b"], categories=["a", "b", "c"])
    assert classifier().fit(X[:2], labels).classes_.tolist() == ["a", "b"]


@pytest.mark.parametrize(
    ("values", "dtype"),
    [(["b", "a"], "String"), (["b", "a"], "Categorical"), ([2, 1], "UInt8"), ([True, False], "Boolean")],
)
def test_labels_may_be_a_polars_series(values, dtype):
    model = classifier().partial_fit(X[:2], polars_labels(values, dtype))
    assert model.partial_fit(X[:1], polars_labels(values[:1], dtype)).classes_.tolist() == sorted(values)


def test_a_column_of_labels_is_taken_with_the_warning_that_scikit_learn_gives():
    from sklearn.exceptions import DataConversionWarning

    with pytest.warns(DataConversionWarning, match="A column-vector y was passed") as warned:
        model = classifier().partial_fit(X, Y[:, None])
    assert model.classes_.tolist() == [0, 1, 2]
    assert warned[0].filename == __file__


@pytest.mark.parametrize(
    ("labels", "error", "message"),
    [
        (["a", "b", 1], TypeError, "y must hold labels of one kind, .* got int, str"),
        (["a", "b", "c"], TypeError, "y holds strings, but the labels known so far are integers"),
        ([True, False, True], TypeError, "y holds booleans, but the labels known so far are integers"),
        ([1, 2.5, 3], ValueError, "Unknown label type: continuous. y must hold class labels, got 2.5"),
        ([1, 2, np.nan], ValueError, "y must be finite, but holds nan at index 2"),
        ([1, np.inf, 2], ValueError, "y must be finite, but holds inf at index 1"),
        ([1, None, 2], ValueError, "y must hold labels, but one is missing at index 1"),
        (["a", None, "b"], ValueError, "y must hold labels, but one is missing at index 1"),
        (
            np.array(["a", "b", np.nan], object),
            ValueError,
            "y must hold labels, but one is missing at index 2",
        ),
        ([b"a", b"b", b"c"], TypeError, "y must hold integers or strings"),
        ([1j, 1, 2], TypeError, "y must hold integers or strings, got dtype complex128"),
        (np.arange(3).astype("M8[D]"), TypeError, "y must hold integers or strings, got dtype datetime64"),
        (np.array([(1, 2), (3, 4), None], object)[[0, 1, 1]], TypeError, "y must hold labels of one kind"),
        ([1, 2, 2**63], ValueError, "y must hold integers of at most 64 bits, got 9"),
        ([1, 2, -(2**70)], ValueError, "y must hold integers of at most 64 bits"),
        (np.array([1, 2, 2**64 - 1], np.uint64), ValueError, "y must hold integers of at most 64 bits"),
        ([[1, 2], [1, 2], [1, 2]], ValueError, "y should be a 1d array of labels"),
        ([[1], [1, 2], [3]], ValueError, "y must be a rectangular array"),
        (1, ValueError, "y should be a 1d array of labels"),
        (None, ValueError, "requires y to be passed, but the target y is None"),
        ([1, 2], ValueError, "X has 3 samples, but y has 2: inconsistent numbers of samples"),
        ([], ValueError, "X has 3 samples, but y has 0: inconsistent numbers of samples"),
    ],
    ids=repr,
)
def test_labels_that_can_not_be_are_refused_and_leave_everything_as_it_was(labels, error, message):
    model = classifier().partial_fit(X, Y)
    before = state(model)
    with pytest.raises(error, match=message):
        model.partial_fit(X[:3], labels)
    assert state(model) == before


@pytest.mark.parametrize(
    ("values", "dtype"), [([1, None], "Int64"), ([True, None], "boolean"), (["a", None], "string")]
)
def test_a_missing_label_in_a_pandas_series_is_refused_with_its_place(values, dtype):
    with pytest.raises(ValueError, match="index 1"):
        classifier().fit(X[:2], pandas_labels(values, dtype))


def test_integers_after_strings_are_refused_and_leave_everything_as_it_was():
    model = classifier().partial_fit(X, np.array(["a", "b", "c"])[Y])
    before = state(model)
    for refused in ([1], [True], [1.0]):
        with pytest.raises(TypeError, match="but the labels known so far are strings"):
            model.partial_fit(X[:1], refused)
        with pytest.raises(TypeError, match="but the labels known so far are strings"):
            model.score(X[:1], refused)
    assert state(model) == before


# ---- tasks -------------------------------------------------------------------------------------------


def two_tasks():
    model = classifier()
    return model.partial_fit(X, Y, task="day").partial_fit(-X, Y + 5, task="night")


def test_where_the_task_is_told_only_its_classes_compete():
    model = two_tasks()
    assert set(model.predict(X, task="day")) <= {0, 1, 2}
    assert set(model.predict(X, task="night")) <= {5, 6, 7}
    assert model.score(X, Y, task="day") > 0.9
    assert model.score(-X, Y + 5, task="night") > 0.9
    probability = model.predict_proba(X, task="night")
    assert np.array_equal(probability[:, :3], np.zeros((60, 3)))
    assert np.allclose(probability.sum(axis=1), 1)


def test_a_task_that_comes_back_may_bring_a_new_class():
    elsewhere = X[:, [3, 0, 1, 2]]
    model = two_tasks().partial_fit(elsewhere[Y == 2], Y[Y == 2] + 1, task="day")
    assert set(model.predict(np.vstack([X, -X]), task="day")) <= {0, 1, 2, 3}
    assert model.predict(elsewhere[Y == 2], task="day").tolist() == [3] * 20
    assert model.score(X, Y, task="day") > 0.9


def test_told_and_untold_data_may_be_mixed():
    model = classifier().partial_fit(X, Y).partial_fit(-X, Y + 5, task=1).partial_fit(X, Y)
    assert model.score(X, Y) > 0.9
    assert set(model.predict(X, task=1)) <= {5, 6, 7}
    assert set(model.predict(np.vstack([X, -X]))) <= {0, 1, 2, 5, 6, 7}


@pytest.mark.parametrize("method", ["predict", "predict_proba"])
def test_an_unknown_task_is_named_and_so_are_those_that_are_known(method):
    with pytest.raises(
        ValueError, match="task must be one that was learned \\('day', 'night'\\), got 'dusk'"
    ):
        getattr(two_tasks(), method)(X, task="dusk")
    with pytest.raises(ValueError, match=r"task must be one that was learned \(none\), got 3"):
        getattr(classifier().fit(X, Y), method)(X, task=3)


def test_a_task_that_can_be_no_key_is_refused_and_leaves_everything_as_it_was():
    model = two_tasks()
    before = state(model)
    with pytest.raises(TypeError, match=r"task must be hashable, such as a number or a string, got \[1\]"):
        model.partial_fit(X, Y, task=[1])
    assert state(model) == before


def test_a_new_fit_forgets_classes_and_tasks():
    model = two_tasks().fit(X[:2], ["a", "b"])
    assert model.classes_.tolist() == ["a", "b"]
    assert (model.n_updates_, model.n_samples_seen_) == (1, 2)
    with pytest.raises(ValueError, match="task must be one that was learned"):
        model.predict(X, task="day")


def test_an_estimator_that_has_learned_nothing_says_so():
    from sklearn.exceptions import NotFittedError

    for call in (
        lambda model: model.predict(X),
        lambda model: model.predict_proba(X),
        lambda model: model.decision_function(X),
        lambda model: model.score(X, Y),
        lambda model: model.remembered(),
    ):
        with pytest.raises(NotFittedError, match="IncrementalClassifier instance is not fitted yet"):
            call(IncrementalClassifier())
    learned = ("classes_", "n_features_in_", "n_updates_", "network_", "n_samples_seen_", "objective_values_")
    assert not any(hasattr(IncrementalClassifier(), name) for name in learned)
