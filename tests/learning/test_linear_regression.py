"""Linear regression: the document's worked example, and two solvers that must agree."""

import copy
import pickle

import autograd
import numpy as np
import pytest
from sklearn.linear_model import Ridge

from incrlearn import LinearRegression
from tests import oracles
from tests.oracles import agree

from .helpers import rng, state

SOLVERS = pytest.mark.parametrize("solver", ["gradient", "normal"])
SEEDS = pytest.mark.parametrize("seed", range(3))

# the document's example, section 4.1
X = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
Y = np.array([1.0, 2.0, 3.5])
MINIMISER = [0.298696244405526, 0.317182331192839]
ANCHORED = [0.370500097295193, 0.266394240124539]


def data(seed, n=30, d=4, scales=1.0, dependence=0.0):
    """Return X, with columns of these scales that depend on one another, and y."""
    random = rng(seed)
    x = random.normal(size=(n, d))
    x = ((1 - dependence) * x + dependence * x[:, :1]) * scales
    return x, x / scales @ random.normal(size=d) + 3 + random.normal(size=n) / 2


def formula(theta, x, y, strength, anchor=0.0):
    """Formula 4.1 by the oracle; an intercept, where θ has one more entry than x columns, is free."""
    d = x.shape[1]
    prediction = oracles.anp.dot(x, theta[:d]) + sum(theta[d:])
    pull = oracles.l2((theta - anchor)[:d], strength)
    return oracles.squared_error(prediction, y) + pull


# ---- the document ------------------------------------------------------------------------------------


def test_the_objective_reproduces_the_worked_numbers():
    value, gradient = LinearRegression(0.1, intercept=False).objective([0.5, -0.25], X, Y)
    agree(value, 1.598958333333333, 1e-14)
    agree(gradient, [-5.95, -7.691666666666666], 1e-14)


@SOLVERS
def test_fit_reproduces_the_worked_minimiser(solver):
    agree(LinearRegression(0.1, False, solver).fit(X, Y).theta, MINIMISER, 1e-7)


@SOLVERS
def test_partial_fit_reproduces_the_worked_anchored_minimiser(solver):
    model = LinearRegression(0.1, False, solver)
    model.theta = np.array([1.0, 1.0])
    agree(model.partial_fit(X, Y).theta, ANCHORED, 1e-7)


# ---- the objective and its minimum -------------------------------------------------------------------


@SEEDS
@pytest.mark.parametrize("intercept", [False, True])
@pytest.mark.parametrize("anchored", [False, True])
def test_the_objective_agrees_with_autograd(seed, intercept, anchored):
    x, y = data(seed)
    theta, anchor = rng(seed).normal(size=(2, 4 + intercept))
    anchor = anchor if anchored else None
    value, gradient = LinearRegression(0.7, intercept).objective(theta, x, y, anchor)
    arguments = x, y, 0.7, 0.0 if anchor is None else anchor
    agree(value, formula(theta, *arguments), 1e-13)
    agree(gradient, autograd.grad(formula)(theta, *arguments), 1e-12)


DATA = {
    "well conditioned": ({}, 1e-6),
    "nearly dependent columns": ({"dependence": 0.999}, 1e-4),
    "scales from 1 to 1000": ({"scales": [1, 10, 100, 1000]}, 1e-5),
    "fewer rows than columns": ({"n": 3}, 1e-6),
    "one row": ({"n": 1}, 1e-6),
}


@SEEDS
@pytest.mark.parametrize("strength", [1e-3, 1])
@pytest.mark.parametrize(("options", "tolerance"), DATA.values(), ids=DATA.keys())
def test_gradient_and_normal_equations_find_the_same_minimum(seed, strength, options, tolerance):
    x, y = data(seed, **options)
    old_x, old_y = data(seed + 100, **options)
    models = [
        LinearRegression(strength, solver=solver).fit(old_x, old_y) for solver in ("gradient", "normal")
    ]
    for _ in range(2):
        by_gradient, by_normal = (model.theta * np.append(x.std(axis=0) + 1e-3, 1) for model in models)
        agree(by_gradient, by_normal, tolerance)
        for model in models:
            model.partial_fit(x, y)


@SOLVERS
@SEEDS
def test_at_the_minimum_the_gradient_is_zero(solver, seed):
    x, y = data(seed)
    model = LinearRegression(0.3, solver=solver).fit(x, y)
    assert np.abs(model.objective(model.theta, x, y)[1]).max() < 1e-7
    anchor, (x, y) = model.theta, data(seed + 100)
    model.partial_fit(x, y)
    assert np.abs(model.objective(model.theta, x, y, anchor)[1]).max() < 1e-7


@SOLVERS
@SEEDS
@pytest.mark.parametrize("intercept", [False, True])
def test_fit_is_scikit_learns_ridge_with_alpha_n_times_lambda(solver, seed, intercept):
    x, y = data(seed)
    model = LinearRegression(0.2, intercept, solver).fit(x, y)
    ridge = Ridge(alpha=30 * 0.2, fit_intercept=intercept, solver="svd").fit(x, y)
    agree(model.theta, np.append(ridge.coef_, ridge.intercept_)[: 4 + intercept], 1e-6)
    agree(model.predict(x), ridge.predict(x), 1e-6)


@SOLVERS
def test_the_intercept_is_not_pulled(solver):
    x, y = data(0)
    model = LinearRegression(1e6, solver=solver).fit(x, y)
    agree(model.theta[-1], y.mean(), 1e-4)
    assert np.abs(model.theta[:-1]).max() < 1e-4
    x, y = data(1)
    agree(model.partial_fit(x, y + 100).theta[-1], (y + 100).mean(), 1e-4)


@SOLVERS
def test_without_regularization_it_is_least_squares(solver):
    x, y = data(0)
    agree(LinearRegression(0, False, solver).fit(x, y).theta, np.linalg.lstsq(x, y, rcond=None)[0], 1e-6)


@SOLVERS
def test_the_stronger_the_anchor_the_less_new_data_moves(solver):
    moved = []
    for strength in (0.01, 1, 100):
        model = LinearRegression(strength, False, solver)
        model.theta = np.ones(4)
        moved.append(np.linalg.norm(model.partial_fit(*data(0)).theta - 1))
    assert moved[0] > moved[1] > moved[2] > 0


@SOLVERS
def test_the_first_partial_fit_is_a_fit(solver):
    first, fitted = (LinearRegression(0.1, solver=solver) for _ in range(2))
    assert state(first.partial_fit(X, Y)) == state(fitted.fit(X, Y))


@SOLVERS
def test_fit_forgets_what_was_learned_and_may_change_the_width(solver):
    again = LinearRegression(0.1, solver=solver).fit(*data(0)).fit(X, Y)
    assert state(again) == state(LinearRegression(0.1, solver=solver).fit(X, Y))


@SOLVERS
@SEEDS
@pytest.mark.parametrize(
    ("scales", "unit"), [([1e8, 1, 1e-3, 1], 1), (1, 1e-8), (1, 1e8), ([1, 1e5, 1, 1], 1e6)]
)
def test_the_units_of_x_and_y_do_not_matter(solver, seed, scales, unit):
    x, y = data(seed, scales=scales)
    model = LinearRegression(0.1, solver=solver).fit(x, unit * y)
    ridge = Ridge(alpha=30 * 0.1, solver="svd").fit(x, unit * y)
    agree(model.predict(x), ridge.predict(x), 1e-6)


# ---- use ---------------------------------------------------------------------------------------------


@SOLVERS
@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
def test_a_copy_goes_on_as_the_original_would_and_alone(solver, duplicate):
    original = LinearRegression(0.1, solver=solver).fit(X, Y)
    before = state(original)
    twin = duplicate(original).partial_fit(X + 1, Y)
    assert state(original) == before
    assert state(original.partial_fit(X + 1, Y)) == state(twin)


def test_predicting_changes_neither_the_model_nor_the_data():
    x = X.copy()
    x.flags.writeable = False
    model = LinearRegression(0.1).fit(x, Y)
    before = state(model)
    assert model.predict(x).shape == (3,)
    assert state(model) == before


@SOLVERS
@pytest.mark.parametrize("kind", [np.ndarray.tolist, lambda a: a.astype(np.float32), lambda a: a.astype(int)])
def test_lists_and_other_kinds_of_numbers_will_do(solver, kind):
    y = np.array([1.0, 2.0, 4.0])
    model = LinearRegression(0.1, solver=solver)
    assert state(model.fit(kind(X), kind(y))) == state(LinearRegression(0.1, solver=solver).fit(X, y))


BAD = {
    "NaN in X": ((np.where(X == 4, np.nan, X), Y), "X must be finite"),
    "infinity in X": ((np.where(X == 4, np.inf, X), Y), "X must be finite"),
    "X of one dimension": ((X[:, 0], Y), "X must have shape"),
    "X without rows": ((X[:0], Y[:0]), "X must have at least one row"),
    "strings in X": ((X.astype(str), Y), "X must hold real numbers"),
    "NaN in y": ((X, [np.nan, 1, 2]), "y must be finite"),
    "too few values": ((X, Y[:2]), r"y must have shape \(3,\)"),
    "y of two dimensions": ((X, Y[:, None]), r"y must have shape \(3,\)"),
    "strings in y": ((X, ["a", "b", "c"]), "y must hold real numbers"),
}


@SOLVERS
@pytest.mark.parametrize("use", ["fit", "partial_fit"])
@pytest.mark.parametrize(("arguments", "match"), BAD.values(), ids=BAD.keys())
def test_bad_data_is_refused_and_leaves_the_model_as_it_was(solver, use, arguments, match):
    model = LinearRegression(0.1, solver=solver).fit(X, Y)
    before = state(model)
    with pytest.raises((ValueError, TypeError), match=match):
        getattr(model, use)(*arguments)
    assert state(model) == before


@pytest.mark.parametrize(("use", "arguments"), [("partial_fit", (X[:, :1], Y)), ("predict", (X[:, :1],))])
def test_data_of_another_width_is_refused_and_leaves_the_model_as_it_was(use, arguments):
    model = LinearRegression(0.1).fit(X, Y)
    before = state(model)
    with pytest.raises(ValueError, match="X has 1 features, but the model was trained on 2"):
        getattr(model, use)(*arguments)
    assert state(model) == before


def test_before_the_first_fit_there_is_no_answer():
    with pytest.raises(ValueError, match="nothing has been learned yet"):
        LinearRegression().predict(X)


@pytest.mark.parametrize(
    ("name", "bad"),
    [
        *[("strength", bad) for bad in (-1, np.nan, np.inf, "1", None, True)],
        *[("solver", bad) for bad in ("lbfgs", None, 3)],
    ],
)
def test_a_bad_argument_is_refused_by_name(name, bad):
    with pytest.raises((ValueError, TypeError), match=rf"\b{name}\b"):
        LinearRegression(**{name: bad})


@pytest.mark.parametrize(("theta", "anchor"), [([1.0], None), ([1.0, 2.0, 3.0], None), ([1.0, 2.0], [1.0])])
def test_parameters_of_another_length_are_refused_by_name(theta, anchor):
    with pytest.raises(ValueError, match=r"\b(theta|anchor)\b"):
        LinearRegression(intercept=False).objective(theta, X, Y, anchor)
