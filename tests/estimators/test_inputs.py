"""What X may be: arrays, frames with named columns, and what is refused with a clear error."""

import numpy as np
import pytest
import sklearn
from scipy import sparse
from sklearn.naive_bayes import GaussianNB

from .helpers import VALUES, X, Y, classifier, regressor, state

NAMES = list("abcd")
LEARNED = classifier().fit(X, Y)


def frame(library, columns=NAMES, x=X):
    library = pytest.importorskip(library)
    if library.__name__ == "pandas":
        return library.DataFrame(x, columns=list(columns))
    return library.DataFrame(x, schema=list(columns))


# ---- arrays ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "as_kind",
    [
        np.ndarray.tolist,
        np.asfortranarray,
        lambda x: x.astype(object),
        lambda x: x.astype(np.longdouble),
        lambda x: np.repeat(x, 2, axis=0)[::2],
        lambda x: list(x),
        memoryview,
    ],
)
def test_whatever_is_like_an_array_gives_the_same_result(as_kind):
    model = classifier().fit(as_kind(X), Y)
    assert np.array_equal(model.decision_function(as_kind(X)), LEARNED.decision_function(X))


@pytest.mark.parametrize("dtype", [bool, np.int8, np.uint64, np.float16])
def test_numbers_of_other_kinds_are_computed_in_float64(dtype):
    x = np.abs(X).round().astype(dtype)
    model = classifier().fit(x, Y)
    assert model.network_.dtype == np.float64
    assert np.array_equal(model.predict_proba(x), classifier().fit(x.astype(float), Y).predict_proba(x))


@pytest.mark.parametrize(("make", "y"), [(classifier, Y), (regressor, VALUES)])
def test_float32_stays_float32_in_parameters_and_memory_and_later_float64_does_not_change_that(make, y):
    model = make().fit(X.astype(np.float32), y)
    assert model.network_.theta.dtype == model.remembered()[0].dtype == np.float32
    model.partial_fit(X, y)
    assert model.network_.theta.dtype == np.float32
    assert model.score(X, y) > 0.9


def test_probabilities_and_decisions_are_of_the_precision_of_the_parameters():
    for dtype in (np.float32, np.float64):
        x = X.astype(dtype)
        model = classifier().fit(x, Y)
        assert model.predict_proba(x).dtype == model.decision_function(x).dtype == dtype


def test_what_the_caller_does_with_the_arrays_afterwards_changes_nothing():
    for copy_of in (np.copy, sparse.csr_array):
        for method in ("replay", "joint"):
            x, y = copy_of(X), Y.copy()
            model = classifier(method=method).fit(x, y)
            before = state(model)
            np.copyto(x.data if sparse.issparse(x) else x, 99)
            y[:] = 2
            assert state(model) == before


def test_arrays_that_can_not_be_written_are_taken_and_left_as_they_are():
    x, y, s = X.copy(), Y.copy(), sparse.csr_array(X)
    for array in (x, y, s.data, s.indices, s.indptr):
        array.flags.writeable = False
    for features in (x, s):
        classifier().fit(features, y).partial_fit(features, y).predict(features)
    assert np.array_equal(x, X)
    assert np.array_equal(s.toarray(), X)


# ---- refused -----------------------------------------------------------------------------------------


def with_entry(value, dtype=float, where=(5, 1)):
    x = X.astype(dtype)
    x[where] = value
    return x


REFUSED = {
    "NaN": (with_entry(np.nan), ValueError, r"X must be finite, but holds nan at index \(5, 1\)"),
    "infinity": (with_entry(-np.inf), ValueError, r"X must be finite, but holds -inf at index \(5, 1\)"),
    "infinities of both signs": (
        with_entry([np.inf, -np.inf], where=(5, [1, 2])),
        ValueError,
        r"inf at index \(5, 1\)",
    ),
    "NaN in float32": (with_entry(np.nan, np.float32), ValueError, r"nan at index \(5, 1\)"),
    "sparse NaN": (sparse.csr_array(with_entry(np.nan)), ValueError, r"holds nan at index \(5, 1\)"),
    "sparse NaN by columns": (
        sparse.csc_matrix(with_entry(np.nan)),
        ValueError,
        r"holds nan at index \(5, 1\)",
    ),
    "too large for float64": (
        np.full((60, 4), np.longdouble("1e4000"))
        if np.finfo(np.longdouble).max > 1e308
        else with_entry(np.inf),
        ValueError,
        r"X must be finite, but holds inf at index \(0, 0\)",
    ),
    "None": (with_entry(None, object), ValueError, r"X must be finite, but holds nan at index \(5, 1\)"),
    "a word": (with_entry("x", object), ValueError, r"X must hold numbers, but at \(5, 1\) .*'x'"),
    "a word behind None": (
        with_entry(["x", None], object, (5, [1, 0])),
        ValueError,
        r"missing value at index \(5, 0\)",
    ),
    "a dictionary": (with_entry({}, object), TypeError, r"X must hold numbers, but at \(5, 1\) .*'dict'"),
    "a huge integer": (
        with_entry(10**400, object),
        ValueError,
        r"X must hold numbers, but at \(5, 1\) int too large",
    ),
    "too few columns": (X[:, :3], ValueError, "X has 3 features, but .*Classifier is expecting 4 features"),
    "too many columns": (np.hstack([X, X]), ValueError, "X has 8 features, but .* is expecting 4 features"),
    "too few sparse columns": (sparse.csr_array(X[:, :3]), ValueError, "X has 3 features"),
    "no rows": (X[:0], ValueError, r"X: found array with 0 sample\(s\)"),
    "no columns": (X[:, :0], ValueError, r"X: found array with 0 feature\(s\)"),
    "no sparse rows": (sparse.csr_array((0, 4)), ValueError, r"X: found array with 0 sample\(s\)"),
    "one dimension": (X[:, 0], ValueError, r"expected 2D array, got 1D array instead.*reshape\(-1, 1\)"),
    "three dimensions": (X[:, :, None], ValueError, "X: expected 2D array, got 3D array instead"),
    "a number": (3.0, ValueError, "X: expected 2D array, got 0D array instead"),
    "a mapping": ({"a": [1, 2]}, ValueError, "X: expected 2D array, got 0D array instead"),
    "a sparse vector": (sparse.coo_array(X[0]), ValueError, "X: expected 2D array, got 1D array instead"),
    "complex numbers": (X + 1j, ValueError, "X: Complex data not supported"),
    "sparse complex numbers": (sparse.csr_array(X + 1j), ValueError, "X: Complex data not supported"),
    "strings": (X.astype(str), TypeError, "X must hold real numbers, got dtype <U32"),
    "dates": (X.astype("M8[D]"), TypeError, "X must hold real numbers, got dtype datetime64"),
    "rows of unequal length": ([[1, 2, 3, 4], [1, 2]], ValueError, "X must be a rectangular array"),
}


@pytest.mark.parametrize("reason", REFUSED)
def test_features_that_can_not_be_are_refused_and_leave_everything_as_it_was(reason):
    x, error, message = REFUSED[reason]
    if reason == "a sparse vector" and x.ndim == 2:
        pytest.skip("this SciPy knows no sparse vectors")
    model = classifier().fit(X, Y)
    before = state(model)
    for call in (model.partial_fit, model.score):
        with pytest.raises(error, match=message):
            call(x, Y)
    for call in (model.predict, model.predict_proba, model.decision_function):
        with pytest.raises(error, match=message):
            call(x)
    if "columns" not in reason or reason == "no columns":  # another fit may have other columns
        for refit in (model, classifier()):
            with pytest.raises(error, match=message):
                refit.fit(x, Y)
    assert state(model) == before


@pytest.mark.parametrize("n_rows", [59, 61])
@pytest.mark.parametrize("as_kind", [np.array, sparse.csr_array])
def test_another_number_of_labels_than_rows_is_refused_and_leaves_everything_as_it_was(n_rows, as_kind):
    model, x, y = classifier().fit(X, Y), as_kind(X), np.resize(Y, n_rows)
    before = state(model)
    for call in (model.partial_fit, model.fit, model.score):
        with pytest.raises(ValueError, match=rf"60.*but y has {n_rows}"):
            call(x, y)
    assert state(model) == before


def test_a_failing_fit_leaves_what_was_learned():
    model = classifier().fit(frame("pandas"), Y)
    before = state(model)
    for x, y in ((X[:, :2], [None] * 60), (X, Y[:3]), (with_entry(np.nan), Y), (X * 1e200, Y)):
        with pytest.raises(ValueError, match=r"missing|samples|finite|variance"):
            model.fit(x, y)
    assert state(model) == before


def test_a_failing_first_call_leaves_an_estimator_that_has_learned_nothing():
    model = classifier()
    for call in (model.fit, model.partial_fit):
        with pytest.raises(ValueError, match="X must be finite"):
            call(with_entry(np.nan), Y)
    assert vars(model) == vars(classifier())


def test_numbers_that_go_bad_in_training_leave_what_was_learned():
    model = classifier(optimizer="sgd", standardize=False).fit(X, Y)
    before, theta = model.predict_proba(X), model.network_.theta.copy()
    with pytest.raises(FloatingPointError, match="at step 1 of task 2"):
        model.partial_fit(np.full((4, 4), 1e300), [0, 1, 2, 3])
    assert np.array_equal(model.network_.theta, theta)
    assert np.array_equal(model.predict_proba(X), before)
    assert model.classes_.tolist() == [0, 1, 2]
    assert (model.n_updates_, model.n_samples_seen_) == (1, 60)


# ---- frames ------------------------------------------------------------------------------------------

LIBRARIES = pytest.mark.parametrize("library", ["pandas", "polars"])


@LIBRARIES
def test_a_frame_gives_the_same_result_as_its_array_and_its_column_names_are_remembered(library):
    model = classifier().fit(frame(library), Y)
    assert np.array_equal(model.network_.theta, LEARNED.network_.theta)
    assert model.feature_names_in_.tolist() == NAMES
    assert model.feature_names_in_.dtype == object
    assert np.array_equal(model.partial_fit(frame(library), Y).predict(frame(library)), Y)
    assert not hasattr(LEARNED, "feature_names_in_")


@LIBRARIES
@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ("bacd", "Feature names must be in the same order as they were in fit"),
        ("abcz", "unseen at fit time:\n- z\nFeature names seen at fit time, yet now missing:\n- d\n$"),
        ("abc", "Feature names seen at fit time, yet now missing:\n- d\n$"),
        ("abcde", "Feature names unseen at fit time:\n- e\n$"),
        ("nmlkjihg", r"unseen at fit time:\n- g\n- h\n- i\n- j\n- k\n- \.\.\.\nFeature names seen"),
    ],
)
def test_other_columns_are_refused_and_leave_everything_as_it_was(library, columns, message):
    x = frame(library, columns, np.resize(X, (60, len(columns))))
    model = classifier().fit(frame(library), Y)
    before = state(model)
    for call in (model.predict, lambda x: model.partial_fit(x, Y), lambda x: model.score(x, Y)):
        with pytest.raises(ValueError, match=message):
            call(x)
    assert state(model) == before
    assert model.fit(x, Y).feature_names_in_.tolist() == list(columns)


@pytest.mark.skipif(int(sklearn.__version__.split(".")[1]) < 2, reason="an older scikit-learn only warns")
@pytest.mark.parametrize("columns", ["bacd", "abcz", "abc", "abcde", "nmlkjihg"])
def test_other_columns_are_refused_in_the_words_of_scikit_learn(columns):
    x, said = frame("pandas", columns, np.resize(X, (60, len(columns)))), []
    for model in (classifier(), GaussianNB()):
        with pytest.raises(ValueError, match="feature names should match") as error:
            model.fit(frame("pandas"), Y).predict(x)
        said.append(str(error.value))
    assert said[0] == said[1]


def test_frames_of_one_library_may_follow_those_of_another():
    model = classifier().fit(frame("pandas"), Y).partial_fit(frame("polars"), Y)
    assert model.score(frame("polars"), Y) == model.score(frame("pandas"), Y) > 0.9


@LIBRARIES
def test_names_that_are_missing_later_or_are_new_give_a_warning_that_points_to_the_caller(library):
    named, bare = classifier().fit(frame(library), Y), classifier().fit(X, Y)
    without, suddenly = "X does not have valid feature names, but", "X has feature names, but"
    for model, x, message in (
        (named, X, without),
        (named, sparse.csr_array(X), without),
        (bare, frame(library), suddenly),
    ):
        for call in (model.predict, model.predict_proba, lambda x, m=model: m.partial_fit(x, Y)):
            with pytest.warns(UserWarning, match=message) as warned:
                call(x)
            assert [warning.filename for warning in warned] == [__file__]
    assert named.feature_names_in_.tolist() == NAMES
    assert not hasattr(bare, "feature_names_in_")


def test_a_new_fit_takes_the_names_of_its_own_frame_or_none():
    model = classifier().fit(frame("pandas"), Y).fit(frame("pandas", "wxyz"), Y)
    assert model.feature_names_in_.tolist() == list("wxyz")
    assert not hasattr(model.fit(X, Y), "feature_names_in_")


@pytest.mark.parametrize("columns", [[0, 1, 2, 3], [("a", 1), ("a", 2), ("b", 1), ("b", 2)]])
def test_column_names_that_are_no_strings_are_not_remembered(columns):
    model = classifier().fit(frame("pandas", columns), Y)
    assert not hasattr(model, "feature_names_in_")
    assert model.score(X, Y) > 0.9


def test_column_names_of_several_kinds_are_refused():
    with pytest.raises(TypeError, match=r"Feature names are only supported if all .* has \['int', 'str'\]"):
        classifier().fit(frame("pandas", ["a", 1, "b", 2]), Y)


def test_the_rows_of_a_frame_and_of_a_series_are_matched_by_position_as_in_scikit_learn():
    pandas = pytest.importorskip("pandas")
    y = pandas.Series(Y, index=np.arange(60)[::-1])
    assert np.array_equal(classifier().fit(frame("pandas"), y).network_.theta, LEARNED.network_.theta)


@pytest.mark.parametrize("dtype", ["Int64", "Float64", "boolean", "category"])
def test_columns_of_the_nullable_kinds_of_pandas_are_numbers_unless_one_is_missing(dtype):
    pandas = pytest.importorskip("pandas")
    x = frame("pandas")
    x["b"] = pandas.Series(np.arange(60) % 2).astype("bool" if dtype == "boolean" else float).astype(dtype)
    assert classifier().fit(x, Y).score(x, Y) > 0.9
    x["b"] = pandas.Series([1, None] * 30, dtype=dtype)
    with pytest.raises(ValueError, match=r"\(1, 1\)"):
        classifier().fit(x, Y)


def test_a_missing_value_in_a_polars_frame_is_refused_with_its_place():
    polars = pytest.importorskip("polars")
    x = frame("polars").with_columns(c=polars.Series([1.0] * 7 + [None] + [1.0] * 52))
    with pytest.raises(ValueError, match=r"X must be finite, but holds nan at index \(7, 2\)"):
        classifier().fit(x, Y)


@LIBRARIES
def test_a_column_of_words_is_refused_with_its_place(library):
    words = np.array([["1", "2", "3", "x"]] * 60, object)
    with pytest.raises(ValueError, match=r"X must hold numbers, but at \(0, 3\) could not convert"):
        classifier().fit(frame(library, x=words), Y)


@LIBRARIES
def test_values_to_predict_may_be_a_series_or_a_frame(library):
    series = frame(library, x=np.tile(VALUES[:, None], 4))["a"]
    assert regressor().fit(X, series).predict(X).shape == (60,)
    assert regressor().fit(X, frame(library)).predict(X).shape == (60, 4)


@pytest.mark.parametrize("bad", ["yes", "False", None, 1])
def test_standardize_must_be_true_or_false(bad):
    with pytest.raises(TypeError, match=r"^standardize must be True or False, got"):
        classifier(standardize=bad).fit(X, Y)
