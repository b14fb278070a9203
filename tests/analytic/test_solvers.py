"""Solvers against scikit-learn, SciPy and a hat matrix; and where there is hardly anything to solve."""

import itertools
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.linalg import lstsq, solve
from sklearn.covariance import OAS
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import Ridge
from sklearn.neighbors import NearestCentroid

from incrlearn.analytic.solvers import (
    SOLVERS,
    STRENGTHS,
    choose_strength,
    lda,
    nearest_mean,
    ridge,
    temperature,
)
from incrlearn.analytic.statistics import Statistics
from tests.oracles import agree

SEEDS = pytest.mark.parametrize("seed", range(4))
SCALES = np.array([1e-3, 1.0, 50.0, 1e4])


def values(seed, n=60, m=2):
    """Return rows of four columns on other scales, and m noisy values of each."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 4)) * SCALES + 3 * SCALES
    return x, x / SCALES @ rng.normal(size=(4, m)) + 2 + rng.normal(size=(n, m))


def labels(seed, n=60, classes=3):
    """Return rows of four columns on other scales, of classes of other sizes, and each row's class."""
    rng = np.random.default_rng(seed)
    y = np.concatenate([np.repeat(np.arange(classes), 3), rng.integers(0, classes, n - 3 * classes) // 2])
    centres = rng.normal(size=(classes, 4))
    mixed = rng.normal(size=(n, 4)) @ rng.normal(size=(4, 4))
    return SCALES * (centres[y] + mixed) + SCALES, y


def one_hot(y, classes=None):
    return np.eye(classes or y.max() + 1)[y]


def standardized(x):
    return (x - x.mean(axis=0)) / x.std(axis=0)


# ---- ridge -------------------------------------------------------------------------------------------


@SEEDS
@pytest.mark.parametrize("strength", [1e-3, 1.0, 100.0])
@pytest.mark.parametrize("standardize", [True, False])
def test_ridge_is_scikit_learns_and_solves_its_equations(seed, strength, standardize):
    x, y = values(seed)
    z = standardized(x) if standardize else x - x.mean(axis=0)
    found = ridge(Statistics.of(x, y), strength, standardize)
    agree(found(x), Ridge(alpha=strength, solver="svd").fit(z, y).predict(z), 1e-9)
    weights = solve(z.T @ z + strength * np.eye(4), z.T @ (y - y.mean(axis=0)))
    agree(found.weights * (x.std(axis=0)[:, None] if standardize else 1), weights, 1e-8)
    assert found.strength == strength


@SEEDS
@pytest.mark.parametrize("standardize", [True, False])
def test_without_a_penalty_ridge_is_least_squares(seed, standardize):
    x, y = values(seed)
    found = ridge(Statistics.of(x, y), 0.0, standardize)
    best = lstsq(np.column_stack([x, np.ones(60)]), y)[0]
    agree(found.weights * SCALES[:, None], best[:4] * SCALES[:, None], 1e-9)
    agree(found.constant - found.mean @ found.weights, best[4], 1e-9)


@SEEDS
def test_a_weight_counts_as_scikit_learn_counts_it(seed):
    x, y = values(seed)
    weight = np.random.default_rng(seed).exponential(size=60)
    found = ridge(Statistics.of(x, y, weight), 3.0, standardize=False)
    agree(found(x), Ridge(alpha=3.0, solver="svd").fit(x, y, weight).predict(x), 1e-9)


@SEEDS
def test_columns_on_scales_a_million_million_apart_are_solved_without_standardization(seed):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(50, 3))
    y = x @ rng.normal(size=(3, 1))
    scales = np.array([1e-6, 1.0, 1e6])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = ridge(Statistics.of(x * scales, y), 0.0, standardize=False)
    agree(found(x * scales), y, 1e-9)


def test_a_column_that_does_not_vary_changes_nothing_and_has_no_weight():
    x, y = values(0)
    wide = np.column_stack([x[:, :2], np.full(60, 1e6), x[:, 2:], np.full(60, 0.1)])
    for solver, strength, standardize in itertools.product(SOLVERS, ("auto", 0.5, 0.0), (True, False)):
        targets = y if solver == "ridge" else one_hot(labels(0)[1])
        narrow, wider = (
            SOLVERS[solver](Statistics.of(part, targets), strength, standardize) for part in (x, wide)
        )
        assert not wider.weights[[2, 5]].any()
        agree(wider.weights[[0, 1, 3, 4]] * SCALES[:, None], narrow.weights * SCALES[:, None], 1e-9)


# ---- the strength ------------------------------------------------------------------------------------


def gcv(z, y, strength):
    """Return n ‖(I − H) y‖² / tr(I − H)², H the hat matrix with its constant (Golub et al., eq. 1.3)."""
    n, d = z.shape
    H = z @ np.linalg.solve(z.T @ z + strength * np.eye(d), z.T) + 1 / n
    left = np.eye(n) - H
    return n * np.square(left @ y).sum() / np.trace(left) ** 2


def left_out(z, y, strength):
    """Return the mean square error for a row that was left out, of as many fits as there are rows."""
    n, d = z.shape
    errors = 0.0
    for k in range(n):
        rest = np.delete(np.arange(n), k)
        u, v = z[rest] - z[rest].mean(axis=0), y[rest] - y[rest].mean(axis=0)
        W = np.linalg.solve(u.T @ u + strength * np.eye(d), u.T @ v)
        errors += np.square(y[k] - y[rest].mean(axis=0) - (z[k] - z[rest].mean(axis=0)) @ W).sum()
    return errors / n


@SEEDS
@pytest.mark.parametrize(("n", "noise"), [(15, 3.0), (40, 1.0), (200, 10.0), (8, 0.1)])
def test_the_strength_that_is_chosen_has_the_least_generalised_cross_validation_of_all(seed, n, noise):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 6)) @ rng.normal(size=(6, 6))
    y = x @ rng.normal(size=(6, 2)) + noise * rng.normal(size=(n, 2))
    z = standardized(x)
    found = ridge(Statistics.of(x, y))
    scores = [gcv(z, y, strength * n) for strength in STRENGTHS]
    assert found.strength == pytest.approx(n * STRENGTHS[np.argmin(scores)])
    agree(found(x), Ridge(alpha=found.strength, solver="svd").fit(z, y).predict(z), 1e-9)


@SEEDS
def test_the_strength_does_not_depend_on_the_scale_of_the_features_or_the_targets(seed):
    x, y = values(seed, m=1)
    expected = ridge(Statistics.of(standardized(x), y), standardize=False)
    for scale in (1e-6, 1.0, 1e6):
        found = ridge(Statistics.of(scale * standardized(x), 1e3 * y), standardize=False)
        assert found.strength == pytest.approx(scale**2 * expected.strength)
        agree(found(scale * standardized(x)), 1e3 * expected(standardized(x)), 1e-9)


@pytest.mark.parametrize("seed", range(2))
def test_of_many_rows_the_error_of_a_row_left_out_is_as_small_as_that_of_any_strength(seed):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(150, 20))
    y = x @ rng.normal(size=(20, 1)) / 5 + rng.normal(size=(150, 1))
    z = standardized(x)
    chosen = ridge(Statistics.of(x, y)).strength
    errors = [left_out(z, y, 150 * strength) for strength in STRENGTHS[::2]]
    assert left_out(z, y, chosen) <= 1.01 * min(errors)
    assert gcv(z, y, chosen) == pytest.approx(left_out(z, y, chosen), rel=0.05)


def test_values_that_are_all_the_same_are_answered_whatever_the_strength():
    x, _ = values(0)
    found = ridge(Statistics.of(x, np.full((60, 1), 7.0)))
    assert np.array_equal(found(x), np.full((60, 1), 7.0))
    assert choose_strength(np.eye(1), np.zeros((1, 1)), np.zeros(1), 60.0)[0] == pytest.approx(10.0)


# ---- linear discriminant analysis --------------------------------------------------------------------


@SEEDS
@pytest.mark.parametrize("shrinkage", [0.0, 0.1, 0.7, 1.0])
def test_lda_answers_as_scikit_learns(seed, shrinkage):
    x, y = labels(seed)
    z = standardized(x)
    theirs = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=shrinkage).fit(z, y)
    ours, outputs = lda(Statistics.of(x, one_hot(y)), shrinkage)(x), theirs.decision_function(z)
    agree(ours - ours[:, :1], outputs - outputs[:, :1], 1e-8)
    agree(_softmax(ours), _by_hand(z, y, shrinkage), 1e-8)


def _by_hand(z, y, shrinkage):
    """Return the probability of each class by Bayes' rule from normal densities, by the textbook."""
    classes, n, d = y.max() + 1, len(y), z.shape[1]
    means = np.array([z[y == k].mean(axis=0) for k in range(classes)])
    within = (z - means[y]).T @ (z - means[y]) / n
    Sigma = (1 - shrinkage) * within + shrinkage * np.trace(within) / d * np.eye(d)
    logs = np.empty((n, classes))
    for k in range(classes):
        away = z - means[k]
        logs[:, k] = np.log(np.mean(y == k)) - np.einsum("ij,ij->i", away @ np.linalg.inv(Sigma), away) / 2
    return _softmax(logs)


def _softmax(z):
    p = np.exp(z - z.max(axis=1, keepdims=True))
    return p / p.sum(axis=1, keepdims=True)


@SEEDS
@pytest.mark.parametrize("n", [12, 60, 400])
def test_the_shrinkage_is_chens_equation_23_and_scikit_learns_but_for_two_in_p(seed, n):
    x, y = labels(seed, n)
    z = standardized(x)
    means = np.array([z[y == k].mean(axis=0) for k in range(3)])
    rows = z - means[y]
    S, p = rows.T @ rows / n, 4
    square, trace = np.trace(S @ S), np.trace(S)
    by_hand = ((1 - 2 / p) * square + trace**2) / ((n + 1 - 2 / p) * (square - trace**2 / p))
    found = lda(Statistics.of(x, one_hot(y))).strength
    assert found == pytest.approx(min(1.0, by_hand))
    theirs = OAS(assume_centered=True).fit(rows).shrinkage_
    assert found == pytest.approx(min(1.0, theirs), rel=0.2 if p < 10 else 0.02)


def test_classes_that_do_not_vary_within_themselves_are_told_apart():
    for x in (np.eye(3), np.repeat(np.eye(3), 5, axis=0), np.arange(3.0)[:, None]):
        y = one_hot(np.repeat(np.arange(3), len(x) // 3))
        for shrinkage in ("auto", 0.0, 0.5, 1.0):
            found = lda(Statistics.of(x, y), shrinkage)
            assert np.isfinite(found.weights).all()
            assert found(x).argmax(axis=1).tolist() == y.argmax(axis=1).tolist()


# ---- the nearest mean --------------------------------------------------------------------------------


@SEEDS
@pytest.mark.parametrize("standardize", [True, False])
def test_the_nearest_mean_is_scikit_learns(seed, standardize):
    x, y = labels(seed)
    z = standardized(x) if standardize else x
    found = nearest_mean(Statistics.of(x, one_hot(y)), standardize=standardize)
    theirs = NearestCentroid().fit(z, y)
    assert found(x).argmax(axis=1).tolist() == theirs.predict(z).tolist()
    distance = np.square(z[:, None] - theirs.centroids_).sum(axis=2)
    ours = -2 * found(x)
    agree(ours - ours[:, :1], distance - distance[:, :1], 1e-8)
    assert found.strength is None


# ---- temperature -------------------------------------------------------------------------------------


def test_the_temperature_of_the_nearest_mean_is_the_variance_within_classes_where_they_differ():
    x = np.array([[0.0, 0], [2, 0], [4, 0], [10, 9], [12, -9], [14, 0]])
    sums = Statistics.of(x, one_hot(np.repeat([0, 1], 3)))
    found = nearest_mean(sums, standardize=False)
    # the means, (2, 0) and (12, 0), differ in the first column; there the variance within is 8/3
    assert temperature("nearest_mean", sums, found, standardize=False) == pytest.approx(8 / 3)
    x[:, 0] *= 10
    sums = Statistics.of(x, one_hot(np.repeat([0, 1], 3)))
    scaled = temperature("nearest_mean", sums, nearest_mean(sums, standardize=False), standardize=False)
    assert scaled == pytest.approx(800 / 3)


@SEEDS
@pytest.mark.parametrize("strength", ["auto", 0.0, 5.0])
@pytest.mark.parametrize("standardize", [True, False])
def test_the_temperature_of_ridge_is_half_the_root_of_the_cross_validated_error(seed, strength, standardize):
    x, y = labels(seed)
    sums = Statistics.of(x, one_hot(y))
    found = ridge(sums, strength, standardize)
    z = standardized(x) if standardize else x - x.mean(axis=0)
    expected = np.sqrt(gcv(z, one_hot(y), found.strength) / 3) / 2
    assert temperature("ridge", sums, found, standardize) == pytest.approx(expected, rel=1e-6)


def test_the_temperature_of_lda_is_one():
    assert temperature("lda", None, None) == 1.0


@pytest.mark.parametrize("solver", ["ridge", "nearest_mean"])
def test_a_class_that_is_yet_to_come_does_not_change_the_temperature(solver):
    x, y = labels(0)
    sums, wider = Statistics.of(x, one_hot(y)), Statistics.of(x, one_hot(y, 7))
    found = [temperature(solver, some, SOLVERS[solver](some)) for some in (sums, wider)]
    assert found[0] == pytest.approx(found[1])


def test_a_temperature_can_be_divided_by_where_nothing_is_uncertain():
    x, y = np.repeat(np.eye(2), 10, axis=0), one_hot(np.repeat([0, 1], 10))
    for solver in SOLVERS:
        sums = Statistics.of(x, y)
        assert temperature(solver, sums, SOLVERS[solver](sums)) >= 1e-6


# ---- where there is hardly anything to solve ---------------------------------------------------------

ONES = np.ones((12, 1))
NOISE = np.random.default_rng(0).normal(size=(12, 4))
HARD = {
    "columns twice": np.column_stack([NOISE, NOISE, 3 * NOISE[:, :1]]),
    "sums of columns": np.column_stack([NOISE, NOISE.sum(axis=1)]),
    "nearly the same": np.column_stack([NOISE, NOISE + 1e-9 * NOISE[::-1]]),
    "constant columns": np.column_stack([NOISE, ONES, 1e9 * ONES]),
    "all constant": np.column_stack([ONES, 0 * ONES, -3e7 * ONES]),
    "scales": NOISE * np.array([1e-6, 1.0, 1e6, 1e3]),
    "tiny": 1e-100 * NOISE,
    "huge": 1e100 * NOISE,
    "far from 0": NOISE + 1e8,
    "constant but for rounding": 0.1 * (np.arange(12) % 3)[:, None] * 0 + 0.1 * 3 + np.zeros((12, 2)),
    "one column": NOISE[:, :1],
    "more columns than rows": np.random.default_rng(1).normal(size=(12, 40)),
    "two rows": NOISE[:2],
    "one row": NOISE[:1],
    "one row a hundred times": np.repeat(NOISE[:1], 100, axis=0),
    "one that differs": np.eye(30)[:, :2],
}
TARGETS = {"classes": lambda n: one_hot(np.arange(n) % 3, 3), "one class": lambda n: np.ones((n, 1))}


@pytest.mark.parametrize("targets", TARGETS)
@pytest.mark.parametrize("name", HARD)
@pytest.mark.parametrize("standardize", [True, False])
def test_every_solver_answers_with_numbers_and_at_most_one_warning(name, targets, standardize):
    x = HARD[name]
    sums = Statistics.of(x, TARGETS[targets](len(x)))
    for solver, strength in itertools.product(SOLVERS, ("auto", 0.0, 0.3, 1.0)):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            found = SOLVERS[solver](sums, strength, standardize)
            T = temperature(solver, sums, found, standardize)
        for numbers in (found.weights, found.constant, found(x)):
            assert np.isfinite(numbers).all()
        assert np.isfinite(T)
        assert T > 0
        assert len(caught) <= (strength == 0.0)
        for warning in caught:
            assert warning.category is RuntimeWarning
            assert str(warning.message).startswith("features depend on one another (")


def test_the_warning_says_how_many_directions_there_are_and_what_to_do():
    x = np.column_stack([NOISE, NOISE[:, :2], ONES])
    message = (
        r"features depend on one another \(4 directions of 6 are told apart\): of all solutions the smallest "
        "is taken; a larger strength makes it unique"
    )
    with pytest.warns(RuntimeWarning, match=message):
        found = ridge(Statistics.of(x, NOISE[:, :1]), 0.0)
    agree(found(x), NOISE[:, :1], 1e-9)
    agree(found.weights, np.array([[0.5, 0, 0, 0, 0.5, 0, 0]]).T, 1e-9)


def test_a_penalty_however_small_shares_the_weight_among_columns_that_are_the_same():
    x = np.column_stack([NOISE, NOISE])
    found = ridge(Statistics.of(x, NOISE[:, :1]), 1e-3)
    agree(found.weights[:4], found.weights[4:], 1e-9)


@given(st.integers(0, 2**32 - 1), st.integers(1, 30), st.integers(1, 8), st.integers(1, 4))
def test_whatever_the_rows_are_like_all_answers_are_numbers(seed, n, d, classes):
    rng = np.random.default_rng(seed)
    x = rng.choice([0.0, 1.0, -1.0, 1e-8, 1e8, 0.1], (n, d)) * 10.0 ** rng.integers(-9, 10, d)
    x[:, rng.random(d) < 0.3] = x[:, :1]
    sums = Statistics.of(x, one_hot(rng.integers(0, classes, n), classes))
    for solver, strength, standardize in itertools.product(SOLVERS, ("auto", 0.0, 1.0), (True, False)):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            warnings.filterwarnings("ignore", "features depend on one another")
            found = SOLVERS[solver](sums, strength, standardize)
            assert np.isfinite(found(x)).all()
            assert 0 < temperature(solver, sums, found, standardize) < np.inf
