"""Our own proof: the package is walked, and everything in it that has a gradient goes through the kit.

What is found and not in a table here fails a test, so nothing new can be forgotten.
"""

import importlib
import inspect
import pkgutil

import numpy as np
import pytest

from incrlearn import Learner, LinearRegression, formulas, learning, network
from incrlearn.learning import METHODS, Samples, Term, fisher, path_integral, sensitivity
from incrlearn.network import (
    OPTIMIZERS,
    ConditionalAutoencoder,
    Layer,
    Network,
    VariationalAutoencoder,
    soft_threshold,
)
from incrlearn.testing import check_gradient, check_layer, check_optimizer, check_term
from tests.formulas.cases import FORMULAS, Seeded
from tests.learning.helpers import learn_tasks, must_be_told, pixels, rng, small_network, tiny
from tests.network.cases import LAYERS
from tests.oracles import agree

from .test_optimizers import RIGHT as RIGHT_OPTIMIZERS
from .test_terms import kinds as kinds_of_terms

ROOMS = formulas, network, learning
#: formulas that have no gradient of their own, and where theirs is seen to
WITHOUT = {
    "softmax": "in cross_entropy",
    "log_softmax": "in cross_entropy",
    "sigmoid": "in the layer Sigmoid",
    "log_bernoulli": "a likelihood to measure by, in no objective",
    "log_normal": "a likelihood to measure by, in no objective",
    "log_mean_exp": "a likelihood to measure by, in no objective",
    "project_agem": "in the term AGEM",
    "project_gem": "in the term GEM",
    "project_orthogonal": "in the term OGD",
}
#: methods that train no network by an objective
OTHERWISE = {"generative_classifier": "autoencoders alone, which have an objective of their own"}


def everything():
    """Return every public function and class of the rooms with formulas, by room and name."""
    found = {}
    for room in ROOMS:
        names = [f"{room.__name__}.{module.name}" for module in pkgutil.iter_modules(room.__path__)]
        for module in map(importlib.import_module, names):
            for name, thing in vars(module).items():
                if getattr(thing, "__module__", None) == module.__name__ and not name.startswith("_"):
                    found[f"{room.__name__.split('.')[-1]}.{name}"] = thing
    return found


def classes_with(*methods):
    """Return the classes that have all of the methods."""
    kinds = [thing for thing in everything().values() if inspect.isclass(thing)]
    return {kind for kind in kinds if all(callable(getattr(kind, name, None)) for name in methods)}


def concrete(above):
    """Return the classes below one that are not only there to be inherited from."""
    kinds = {kind for kind in classes_with() if issubclass(kind, above)}
    return {kind for kind in kinds if not any(issubclass(other, kind) for other in kinds - {kind})}


# ---- nothing is forgotten --------------------------------------------------------------------------


def test_the_walk_finds_what_is_there():
    some = {"formulas.l2", "network.Linear", "network.Adam", "learning.EWC", "learning.fisher"}
    assert some <= set(everything())


def test_every_formula_goes_through_the_kit():
    checked = {formula.name.split()[0] for formula in FORMULAS}
    there = {name.split(".")[1] for name in everything() if name.startswith("formulas.")}
    assert checked | set(WITHOUT) == there
    assert not checked & set(WITHOUT)


def test_every_layer_goes_through_the_kit():
    assert concrete(Layer) == {type(make()) for make in LAYERS.values()}


def test_every_term_goes_through_the_kit():
    assert concrete(Term) <= set(kinds_of_terms())


def test_every_optimizer_goes_through_the_kit():
    stepping = {kind for kind in classes_with("step") if not issubclass(kind, Term)}
    stepping = {kind for kind in stepping if "gradient" in inspect.signature(kind.step).parameters}
    assert stepping == set(OPTIMIZERS.values()) == {type(make()) for make, _ in RIGHT_OPTIMIZERS.values()}


def test_every_objective_goes_through_the_kit():
    assert classes_with("objective") == {*OBJECTIVES, Learner}


def test_every_importance_goes_through_the_kit():
    there = {
        thing.__name__
        for thing in everything().values()
        if inspect.isfunction(thing) and thing.__module__ == "incrlearn.learning.importance"
    }
    assert there == set(IMPORTANCES)


# ---- objectives ------------------------------------------------------------------------------------


def of_an_autoencoder(part):
    """Return the objective as a function of the encoder, the decoder or the Gaussians, and these."""
    kind = ConditionalAutoencoder if part == 2 else VariationalAutoencoder
    model = kind(5, (4,), 2, rng=rng(), dtype="float64")
    x, epsilon, y = rng(1).random((6, 5)), rng(2).normal(size=(6, 2)), np.arange(6) % 3
    if part == 2:
        model.grow(3, rng(3))
    own = [model.encoder.theta, model.decoder.theta, getattr(model, "prior", np.zeros(0)).reshape(-1)][part]

    def objective(theta):
        own[:] = theta
        value, gradients = model.objective(x, epsilon, *([y] if part == 2 else []))
        return value, gradients[part].reshape(-1)

    return objective, own.copy()


def of_linear_regression():
    X, y, anchor = rng(0).normal(size=(7, 3)), rng(1).normal(size=7), rng(2).normal(size=4)
    model = LinearRegression(0.3)
    return lambda theta: model.objective(theta, X, y, anchor), rng(3).normal(size=4)


OBJECTIVES = {
    VariationalAutoencoder: [lambda: of_an_autoencoder(0), lambda: of_an_autoencoder(1)],
    ConditionalAutoencoder: [lambda: of_an_autoencoder(2)],
    LinearRegression: [of_linear_regression],
}


@pytest.mark.parametrize("kind", OBJECTIVES, ids=lambda kind: kind.__name__)
def test_an_objectives_gradient_is_right(kind):
    for make in OBJECTIVES[kind]:
        assert not check_gradient(*make(), context={"n": 6}).untold


# ---- methods ---------------------------------------------------------------------------------------


def of_a_method(name):
    """Return the objective of a method's third task as a function of θ, and its θ."""
    learner = Learner(small_network(dtype="float64", activation="tanh"), tiny(name), rng=rng(), steps=3)
    learn_tasks(learner, pixels([0, 1]), pixels([2, 3]))
    x, y = pixels([2, 3], n=3, seed=5)
    told = np.full(len(y), 1 if must_be_told(learner) else -1)
    new = Samples(x, learner._targets.outputs(y), told)
    memory = getattr(learner.memory, "samples", None)
    old = memory if memory is not None and len(memory) else None
    own, proximal = learner.network.theta, [t for t in learner.terms if isinstance(t, learning.ProximalTerm)]

    def objective(theta):
        own[:] = theta
        value, gradient = learner.objective(new, old)
        return value - sum(term(theta) for term in proximal), gradient

    return objective, own + rng(3).normal(size=own.shape) / 10


TRAINED = [name for name in METHODS if name not in OTHERWISE]


@pytest.mark.parametrize("name", TRAINED)
def test_a_methods_objective_is_right_after_two_tasks(name):
    objective, theta = of_a_method(name)
    assert check_gradient(objective, theta).untold < theta.size / 10


def test_methods_without_a_network_of_their_own_are_known():
    assert set(OTHERWISE) < set(METHODS)


# ---- importances -----------------------------------------------------------------------------------


def rows_of(loss, model, x):
    """Return ∂ loss/∂θ for every row by itself, each gradient checked."""
    for i in range(len(x)):

        def function(theta, i=i):
            model.theta = theta
            a = model.forward(x[i : i + 1])
            value, delta = loss(a[-1])
            return value, model.backward(a, {-1: delta})

        at = model.theta.copy()
        check_gradient(function, at)
        yield function(at)[1]


def network_and_batch(classes, x):
    """Return a network of three inputs, and the batch that rows are."""
    empty = Network.mlp(3, 4, 0, rng=rng(), activation="tanh", dtype="float64")
    learner = Learner(empty, "none", classes=np.arange(classes), rng=rng())
    return learner.network, learner._targets.batch(
        Samples(x, np.arange(len(x)) % classes, np.full(len(x), -1))
    )


def of_fisher(x):
    """Fisher is the mean over rows of squares of checked gradients."""
    model, batch = network_and_batch(3, x)
    expected = 0.0
    for c in range(3):
        p = formulas.softmax(model(x))[:, c]
        squares = [g**2 for g in rows_of(lambda z, c=c: formulas.cross_entropy(z, np.array([c])), model, x)]
        expected = expected + p @ np.array(squares) / len(x)
    agree(fisher(model, batch), expected, 1e-12)


def of_sensitivity(x):
    """Sensitivity is the mean over rows of checked gradients."""
    model, batch = network_and_batch(2, x)
    rows = rows_of(lambda z: (float((z**2).sum()), 2 * z), model, x)
    agree(sensitivity(model, batch), np.mean(np.abs(list(rows)), axis=0), 1e-12)


def of_a_path_integral(x):
    """Σ w is L(θ₀) − L(θ₁) for steps so small that the loss is straight along them."""

    def loss(theta):
        return float(np.sum(np.cos(theta))), -np.sin(theta)

    check_gradient(loss, x[0])
    theta, w = x[0].copy(), np.zeros(3)
    start = theta.copy()
    for _ in range(2000):
        step = -1e-3 * loss(theta)[1]
        w -= loss(theta + step / 2)[1] * step
        theta += step
    agree(w.sum(), loss(start)[0] - loss(theta)[0], 1e-6)
    agree(path_integral(w, theta - start, 0.1), np.maximum(0, w / ((theta - start) ** 2 + 0.1)), 1e-14)


IMPORTANCES = {"fisher": of_fisher, "sensitivity": of_sensitivity, "path_integral": of_a_path_integral}


@pytest.mark.parametrize("name", IMPORTANCES)
def test_an_importance_is_made_of_checked_gradients(name):
    IMPORTANCES[name](np.array([[0.3, 2.0, 4.0], *rng(1).normal(size=(4, 3))]))


# ---- what the walk has shown goes through the kit ----------------------------------------------------


@pytest.mark.parametrize("formula", FORMULAS, ids=lambda formula: formula.name)
def test_a_formula_is_right(formula):
    check_term(formula.call, *formula.arguments(Seeded(7)), wrt=formula.wrt, rows=formula.rows)


@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_is_right(name):
    check_layer(LAYERS[name](), examples=5, seed=7)


@pytest.mark.parametrize("kind", kinds_of_terms(), ids=lambda kind: kind.__name__)
def test_a_term_is_right(kind):
    check_term(kind(), seed=7)


@pytest.mark.parametrize("name", RIGHT_OPTIMIZERS)
def test_an_optimizer_is_right(name):
    make, rule = RIGHT_OPTIMIZERS[name]
    check_optimizer(make, rule, examples=5, seed=7)


def test_the_proximal_step_is_the_minimum_of_its_objective():
    at, threshold = rng().normal(size=6), 0.4
    stepped = at.copy()
    soft_threshold(stepped, threshold)
    check_gradient(lambda x: (np.sum((x - at) ** 2) / 2, x - at), stepped)
    still = np.sign(stepped) * threshold + (stepped - at)  # the subgradient, where x is not 0
    agree(still[stepped != 0], 0 * still[stepped != 0], 1e-12, floor=1)
    assert (np.abs(at[stepped == 0]) <= threshold).all()
