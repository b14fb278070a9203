"""Projections: what they promise about a step holds at every step of a run."""

import copy

import numpy as np
import pytest
from scipy.sparse import csr_array

from incrlearn import SGD, Learner, Linear, Method, Network, ReLU
from incrlearn.learning import AGEM, GEM, OGD, BatchTerm, ClassBalancedMemory, ReservoirMemory, method
from incrlearn.network import Standardize, StandardizeSparse
from tests import oracles
from tests.oracles import agree

from .helpers import points, rng, small_network, state

TASKS = [points([0, 1]), points([2, 1], seed=1), points([3, 0], seed=2)]


def learner_of(recipe, network=None, **options):
    network = network or small_network(dtype="float64", activation="tanh")
    options = {"optimizer": SGD(0.1), "steps": 12, "batch_size": 6, **options}
    return Learner(network, recipe, rng=rng(), **options)


def plain_gradient(network, x, y):
    """The gradient of the mean cross entropy over all classes."""
    a = network.forward(x)
    p = np.exp(a[-1] - a[-1].max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    p[np.arange(len(y)), y] -= 1
    return network.backward(a, {-1: p / len(y)})


class Recorded:
    """A projection that keeps what it was given and what it returned, and looks at what it is shown."""

    def begin_task(self, network, data, rng):
        super().begin_task(network, data, rng)
        self.network, self.steps = network, []

    def samples(self, memory, replayed):
        self.shown = super().samples(memory, replayed)
        return self.shown

    def __call__(self, gradient, references):
        bent = super().__call__(gradient, references)
        for samples, r in zip(self.shown, references, strict=True):
            agree(r, plain_gradient(self.network, samples.x, samples.y), 1e-10)
        self.steps = [*self.steps, (gradient, references, bent)]
        return bent


class RecordedAGEM(Recorded, AGEM):
    pass


class RecordedGEM(Recorded, GEM):
    pass


class RecordedOGD(Recorded, OGD):
    pass


def test_no_step_of_a_gem_goes_uphill_on_the_replayed_batch():
    learner, bends = learner_of(Method([RecordedAGEM()], ClassBalancedMemory(5))), 0
    for number, (x, y) in enumerate(TASKS):
        learner.learn(x, y)
        assert len(learner.terms[0].steps) == 12
        for g, references, bent in learner.terms[0].steps:
            assert len(references) == (number > 0)
            if not number:
                assert (bent == g).all()
                continue
            r = references[0]
            if g @ r >= 0:
                assert (bent == g).all()
            else:
                bends += 1
                agree(bent, g - (g @ r) / (r @ r) * r, 1e-12)
            assert bent @ r >= -1e-12 * np.linalg.norm(bent) * np.linalg.norm(r)
    assert bends > 5


def test_no_step_of_gem_goes_uphill_on_the_whole_memory_of_any_old_task():
    learner, bends = learner_of(Method([RecordedGEM()], ClassBalancedMemory(5, per_task=True))), 0
    for number, (x, y) in enumerate(TASKS):
        learner.learn(x, y)
        for g, references, bent in learner.terms[0].steps:
            assert len(references) == number
            if not number:
                assert (bent == g).all()
                continue
            R = np.stack(references)
            agree(bent, oracles.project_gem(g, R), 1e-8)
            assert (bent @ R.T >= -1e-10 * np.linalg.norm(g) * np.linalg.norm(R, axis=1)).all()
            bends += (bent != g).any()
        shown = learner.terms[0].shown
        assert [len(samples) for samples in shown] == [10] * number
        for samples, (old, _) in zip(shown, TASKS, strict=False):
            assert {*map(tuple, samples.x)} <= {*map(tuple, old)}
    assert bends > 5


def test_no_step_of_ogd_moves_along_a_stored_gradient():
    learner = learner_of([RecordedOGD(4)])
    for number, (x, y) in enumerate(TASKS):
        if number:
            basis = learner.terms[0].basis.copy()
        learner.learn(x, y)
        for g, references, bent in learner.terms[0].steps:
            assert references == []
            if not number:
                assert (bent == g).all()
                continue
            padded = np.pad(basis, ((0, 0), (0, len(g) - basis.shape[1])))
            assert np.abs(padded @ bent).max() < 1e-12 * np.linalg.norm(g)
            agree(bent, oracles.project_orthogonal(g, padded), 1e-8)
        assert len(learner.terms[0].basis) == 4 * (number + 1)


def true_logits(network, x, y):
    return network(x)[np.arange(len(y)), y]


def test_the_basis_of_ogd_is_orthonormal_and_spans_the_gradients_of_the_true_logits_of_old_samples():
    learner, gradients = learner_of([OGD(99)]), []
    for x, y in TASKS[:2]:
        learner.learn(x, y)
        network = learner.network
        for row, label in zip(x, learner._targets.outputs(y), strict=True):
            one = np.eye(network.outputs)[[label]]
            gradients.append(network.backward(network.forward(row[None]), {-1: one}))
    basis = learner.terms[0].basis
    agree(basis @ basis.T, np.eye(len(basis)), 1e-10)
    G = np.stack([np.pad(g, (0, basis.shape[1] - len(g))) for g in gradients])
    left = np.linalg.norm(G - G @ basis.T @ basis, axis=1)
    assert left.max() < 1e-5 * np.linalg.norm(G)


@pytest.mark.parametrize(("recipe", "order"), [([OGD(99)], 2), ("none", 1)])
def test_one_step_of_ogd_by_sgd_changes_old_answers_only_to_second_order(recipe, order):
    (x, y), new, changes = points([0, 1], n=3), points([1, 2], n=3, seed=4), []
    learned = learner_of(recipe, batch_size=99, steps=5).learn(x, y)
    before = true_logits(learned.network, x, y)
    for rate in (1e-3, 1e-4):
        learner = copy.deepcopy(learned)
        learner.optimizer.learning_rate, learner.steps = rate, 1
        learner.learn(*new)
        changes.append(np.abs(true_logits(learner.network, x, y) - before).max())
    assert changes[0] / changes[1] == pytest.approx(10**order, rel=0.2)


def test_ogd_holds_values_by_the_gradient_of_their_sum():
    network = Network.mlp(2, 5, 2, rng=rng(), dtype="float64", activation="tanh")
    learner = learner_of([OGD(2)], network, loss="squared_error")
    x, _ = points([0, 1], n=1)
    learner.learn(x, x)
    basis = learner.terms[0].basis
    for row in x:
        g = network.backward(network.forward(row[None]), {-1: np.ones((1, 2))})
        agree(basis.T @ (basis @ g), g, 1e-10)


def test_where_old_answers_can_not_change_nothing_is_projected():
    """A network whose hidden units are all dead, and whose head has no bias: every gradient is zero."""
    network = Network([Linear(2, 3), ReLU(), Linear(3, 0, bias=False)], rng(), "float64")
    network.theta = np.where(np.arange(9) % 3 == 2, -1e9, 0.0)
    learner = learner_of([OGD(3)], network)
    for labels in ([0, 1], [2]):
        learner.learn(*points(labels))
    assert learner.terms[0].basis.shape == (0, len(network.theta))


@pytest.mark.parametrize("kind", [Standardize, StandardizeSparse])
def test_directions_of_ogd_follow_the_scale_of_features(kind):
    """In the new scale, too, they are orthonormal and span the gradients of the very same answers."""
    dense = kind is Standardize
    network = Network([kind(3), Linear(3 if dense else 0, 4), ReLU(), Linear(4, 0)], rng(), "float64")
    learner = learner_of([OGD(99)], network, steps=3)
    random = rng(1)
    x, y = random.normal(size=(20, 3)) * [1, 5, 0], np.arange(20) % 2
    as_given = (lambda x: x) if dense else csr_array
    learner.learn(as_given(x), y)
    move = learner.network.observe(as_given(random.normal(size=(40, 3)) * 3 + 1), rng())
    learner._follow(move)
    basis, network = learner.terms[0].basis, learner.network
    agree(basis @ basis.T, np.eye(len(basis)), 1e-8)
    for row, label in zip(x, y, strict=True):
        a = network.forward(as_given(row[None]))
        g = network.backward(a, {-1: np.eye(2)[[label]]})
        if dense:  # where inputs come in between, their weights are directions of their own
            agree(basis.T @ (basis @ g), g, 1e-4)


class Steep(BatchTerm):
    """A term whose gradient is not finite though its value is."""

    def __call__(self, a, batch):
        return 0.0, {-1: np.full_like(a[-1], np.inf)}


@pytest.mark.parametrize("recipe", ["agem", "gem", "ogd"])
def test_a_gradient_that_has_gone_bad_is_reported_as_such_and_not_as_a_bad_argument(recipe):
    learner = learner_of(recipe).learn(*TASKS[0])
    learner.terms.append(Steep())
    before = state(learner)
    with pytest.raises(FloatingPointError, match=r"^the gradient became (nan|inf) at step 1 of task 2$"):
        learner.learn(*TASKS[1])
    assert state(learner) == before


def test_gem_sees_tasks_by_when_they_came_and_a_gem_what_is_drawn():
    for recipe, memory in ((AGEM(), ReservoirMemory(7)), (GEM(), ReservoirMemory(7))):
        learner = learner_of(Method([recipe], memory))
        for x, y in TASKS:
            learner.learn(x, y)
        shown = learner.terms[0].samples(learner.memory, "drawn")
        if isinstance(recipe, AGEM):
            assert shown == ["drawn"]
        else:
            assert sum(map(len, shown)) == 7


@pytest.mark.parametrize("bad", [0, -1, 1.5, "3", None, True])
def test_a_bad_number_of_directions_is_refused_by_name(bad):
    with pytest.raises((ValueError, TypeError), match=r"\bper_task\b"):
        OGD(bad)


@pytest.mark.parametrize("name", ["agem", "gem", "ogd(per_task=5)"])
def test_projections_bend_penalties_too(name):
    """What is projected is the whole gradient: a penalty can not undo what was promised."""
    learner = learner_of(method(name) + method("l2(strength=1)"))
    learner.terms[0].__class__ = {"agem": RecordedAGEM, "gem": RecordedGEM}.get(name, RecordedOGD)
    for x, y in TASKS[:2]:
        basis = getattr(learner.terms[0], "basis", None)
        learner.learn(x, y)
    for g, references, bent in learner.terms[0].steps:
        directions = np.pad(basis, ((0, 0), (0, len(g) - basis.shape[1]))) if name[0] == "o" else references
        along = np.stack(list(directions)) @ bent
        assert (along >= -1e-10 * np.linalg.norm(g) * np.linalg.norm(directions)).all()
        if name[0] == "o":
            assert np.abs(along).max() < 1e-10 * np.linalg.norm(g)
