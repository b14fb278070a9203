"""The regressor: targets of any shape and scale."""

import numpy as np
import pytest
from scipy import sparse
from sklearn.metrics import r2_score

from incrlearn import IncrementalRegressor

from .helpers import VALUES, X, Y, regressor, state

BOTH = np.column_stack([VALUES, 3 - X[:, 1]])


@pytest.mark.parametrize(
    ("y", "shape"),
    [
        (VALUES, (60,)),
        (VALUES.tolist(), (60,)),
        (VALUES[:, None], (60,)),
        (BOTH, (60, 2)),
        (np.asfortranarray(BOTH), (60, 2)),
        (Y, (60,)),
        (Y.astype(object), (60,)),
        (Y > 0, (60,)),
        (np.column_stack([Y, -Y]).astype(np.int8), (60, 2)),
        (VALUES.astype(np.float32), (60,)),
    ],
)
def test_targets_may_be_numbers_of_any_kind_in_one_column_or_several(y, shape):
    model = regressor().partial_fit(X, y)
    assert model.predict(X).shape == model.predict(sparse.csr_array(X)).shape == shape
    assert model.partial_fit(X, y).score(X, y) > 0.9


@pytest.mark.parametrize(
    ("scale", "shift"), [(1e-6, 0), (1e6, 0), (1, 1e6), (1e-3, -1e3), (1e100, 0), (1e-100, 0)]
)
def test_targets_on_a_wild_scale_are_learned_as_well(scale, shift):
    expected = regressor().partial_fit(X[:30], VALUES[:30]).partial_fit(X[30:], VALUES[30:])
    y = VALUES * scale + shift
    model = regressor().partial_fit(X[:30], y[:30]).partial_fit(X[30:], y[30:])
    assert model.score(X, y) == pytest.approx(expected.score(X, VALUES), abs=1e-4)
    assert model.score(X, y) > 0.9


def test_of_outputs_on_different_scales_each_is_learned_and_counts_the_same():
    y = BOTH * [1e6, 1e-6]
    model = regressor().partial_fit(X[:30], y[:30]).partial_fit(X[30:], y[30:])
    assert r2_score(y, model.predict(X), multioutput="raw_values").min() > 0.9
    half = np.column_stack([y[:, 0], np.roll(y[:, 1], 1)])
    assert model.score(X, half) == pytest.approx(r2_score(half, model.predict(X)))
    assert model.score(X, half) < 0.5


def test_the_score_of_targets_that_are_all_the_same_is_one_or_zero():
    model = regressor(hidden_layer_sizes=()).fit(X, VALUES)
    for y in (np.full(60, 3.0), np.column_stack([np.full(60, 3.0)])):
        assert model.score(X, y) == r2_score(y, model.predict(X)) == 0
    assert model.score(X[:1], model.predict(X[:1])) == 1


def test_targets_that_first_vary_later_are_learned():
    model = regressor().partial_fit(X[:10], np.full(10, 7.0))
    assert np.allclose(model.predict(X[:10]), 7, atol=0.2)
    y = 1e6 * VALUES
    assert model.partial_fit(X, y).partial_fit(X, y).score(X, y) > 0.9


def test_a_single_row_is_learned_and_more_may_follow():
    model = regressor().partial_fit(X[:1], [5])
    assert model.predict(X[:1]) == pytest.approx([5], abs=0.2)
    for row in range(1, 60):
        model.partial_fit(X[[row]], VALUES[[row]])
    assert model.score(X, VALUES) > 0.9


@pytest.mark.parametrize(("method", "low", "high"), [("replay", 0.9, 1), ("none", -np.inf, 0.6)])
def test_one_end_of_a_curve_is_remembered_while_the_other_is_learned(method, low, high):
    x = np.linspace(-3, 3, 240)[:, None]
    y = np.sin(x[:, 0])
    model = regressor(method=method, n_epochs=40, batch_size=16)
    for part in np.array_split(np.arange(240), 3):
        model.partial_fit(x[part], y[part])
    assert low < model.score(x[:80], y[:80]) < high
    assert model.score(x[160:], y[160:]) > 0.7


def test_without_standardization_targets_are_learned_as_they_are():
    model = regressor(standardize=False, n_epochs=60).fit(X, VALUES)
    assert model.score(X, VALUES) > 0.9
    assert model.partial_fit(X, VALUES).score(X, VALUES) > 0.9


def test_a_task_is_taken_and_makes_no_difference():
    told, untold = regressor().partial_fit(X, VALUES, task="a"), regressor().partial_fit(X, VALUES)
    assert np.array_equal(told.predict(X, task="a"), untold.predict(X))
    assert told.score(X, VALUES, task="a") == untold.score(X, VALUES)
    with pytest.raises(ValueError, match="task must be one that was learned"):
        told.predict(X, task="b")


def test_it_has_no_probabilities_and_no_classes():
    for name in ("predict_proba", "decision_function", "classes_"):
        assert not hasattr(regressor().fit(X, VALUES), name)


@pytest.mark.parametrize(
    ("y", "error", "message"),
    [
        (np.where(Y == 1, np.nan, VALUES), ValueError, "y must be finite, but holds nan at index 1"),
        (np.where(Y == 1, np.inf, VALUES), ValueError, "y must be finite, but holds inf at index 1"),
        ([None, *VALUES[1:]], ValueError, "y must be finite, but holds nan at index 0"),
        (["a"] * 60, ValueError, "y must hold numbers, but at 0 could not convert string to float: 'a'"),
        (VALUES + 1j, ValueError, "y: Complex data not supported"),
        (VALUES.astype("M8[D]"), TypeError, "y must hold real numbers, got dtype datetime64"),
        (BOTH, ValueError, "y .* 1 outputs|y has shape"),
        (VALUES[:, None, None], ValueError, r"y must have shape \(n_samples,\) or \(n_samples, n_outputs\)"),
        (np.empty((60, 0)), ValueError, r"y must have shape \(n_samples,\) or \(n_samples, n_outputs\)"),
        (np.nan, ValueError, r"y must have shape \(n_samples,\) or \(n_samples, n_outputs\)"),
        ({}, ValueError, r"y must have shape \(n_samples,\) or \(n_samples, n_outputs\)"),
        (None, ValueError, "requires y to be passed, but the target y is None"),
        (VALUES[:5], ValueError, "X has 60 samples, but y has 5|y has shape"),
        ([[1], [1, 2]] * 30, ValueError, "y must be a rectangular array"),
    ],
    ids=lambda part: repr(part)[:20],
)
def test_targets_that_can_not_be_are_refused_and_leave_everything_as_it_was(y, error, message):
    model = regressor().fit(X, VALUES)
    before = state(model)
    for call in (model.partial_fit, model.score):
        with pytest.raises(error, match=message):
            call(X, y)
    assert state(model) == before


@pytest.mark.parametrize("y", [np.full(60, 1e308), np.arange(60) * 1e200])
def test_targets_too_large_to_be_squared_are_refused(y):
    model = regressor().fit(X, VALUES)
    before = state(model)
    with pytest.raises(ValueError, match="must have a finite variance"):
        model.partial_fit(X, y)
    assert state(model) == before


def test_classes_can_not_be_told_to_a_regressor():
    with pytest.raises(ValueError, match="classes can not be given where the targets are values"):
        regressor().partial_fit(X, VALUES, classes=[0, 1])


@pytest.mark.parametrize("seed", range(3))
def test_slow_sensors_that_come_row_by_row_are_learned(seed):
    """Neighbouring rows are nearly equal: their spread says little of the scale to come."""
    rng = np.random.default_rng(seed)
    x = np.cumsum(rng.normal(size=(300, 3)), axis=0) * 0.01 + 5
    x[:, 1] += np.linspace(0, 3, 300)
    y = np.sin(2 * x[:, 0]) + x[:, 1]
    model = IncrementalRegressor(n_epochs=5, random_state=0)
    for k in range(300):
        model.partial_fit(x[k : k + 1], y[k : k + 1])
    assert model.score(x, y) > 0.9
