"""Decisions: how iCaRL answers, and what it learns to answer from."""

import numpy as np
import pytest

from incrlearn import Learner, Method, Network
from incrlearn.formulas import sigmoid
from incrlearn.learning import (
    ClassBalancedMemory,
    DistilledBinaryCrossEntropy,
    HerdingMemory,
    NearestMean,
    Samples,
    method,
)
from tests.oracles import agree

from .helpers import points, rng, small_network, state
from .scenes import Halfway

X, _ = points([0, 1, 2, 3, 4], n=4, seed=9)


def icarl(tasks=([0, 1], [2, 3], [1, 4]), dtype="float64", **options):
    recipe = Method([DistilledBinaryCrossEntropy()], HerdingMemory(3, mixed=True), decision=NearestMean())
    options = {"steps": 12, "batch_size": 8, **options}
    learner = Halfway(small_network(dtype=dtype), recipe, rng=rng(), **options)
    for labels in tasks:
        learner.learn(*points(labels))
    return learner


def unit(vector):
    return vector / np.linalg.norm(vector) if vector.any() else vector


def features(learner, x):
    """φ(x), row by row, straight from the weights."""
    W, b = learner.network.layers[0].W, learner.network.layers[0].b
    return [unit(np.maximum(W @ row + b, 0)) for row in x]


@pytest.mark.parametrize("tasks", [([0, 1],), ([0, 1], [2, 3]), ([0, 1], [2, 3], [1, 4])])
def test_the_nearest_mean_agrees_with_a_loop(tasks):
    learner = icarl(tasks)
    kept = learner.memory.samples
    means = [
        unit(np.mean([f for f, y in zip(features(learner, kept.x), kept.y, strict=True) if y == c], axis=0))
        for c in range(len(learner.classes))
    ]
    distances = [[np.sum((f - mean) ** 2) for mean in means] for f in features(learner, X)]
    agree(learner.logits(X), -np.array(distances), 1e-12)
    assert learner.predict(X).tolist() == [learner.classes[np.argmin(row)] for row in distances]


def test_a_class_of_which_nothing_is_stored_is_never_the_answer():
    learner = icarl(([0, 1],), classes=[7, 0, 8, 1])
    assert set(learner.predict(X)) <= {0, 1}
    assert learner.logits(X).shape == (20, 4)
    assert learner.predict_proba(X)[:, [0, 2]].max() == 0


def test_classes_known_before_the_first_task_are_answered_without_a_mean():
    learner = icarl((), classes=[0, 1])
    assert learner.predict(X).shape == (20,)
    assert np.isfinite(learner.predict_proba(X)).all()


def test_features_that_are_all_zero_have_no_direction_and_do_no_harm():
    learner = icarl(([0, 1],))
    learner.network.theta[:] = 0
    learner.learn(*points([2, 3]))
    learner.network.theta[:] = 0
    assert np.isfinite(learner.logits(X)).all()


def test_the_means_are_those_of_the_network_as_it_is_after_every_task():
    learner = icarl(([0, 1],))
    before = learner.decision.means.copy()
    learner.learn(*points([2, 3]))
    assert (learner.decision.means[:2] != before).any()


def test_old_classes_are_taught_the_teacher_s_answer_and_new_ones_the_label():
    """On old samples and new ones alike, and for a class that comes again the teacher's answer, too."""
    learner = icarl(([0, 1], [2, 3]))
    teacher = learner.network.copy()
    learner.learn(*points([1, 4]))
    stopped, batch, replayed = learner.halfway
    assert replayed is None
    a = stopped.network.forward(batch.x)
    targets = np.zeros_like(a[-1])
    for i, (row, y) in enumerate(zip(batch.x, batch.y, strict=True)):
        targets[i] = [*sigmoid(teacher(row[None])[0]), float(y == 4)]
    expected = stopped.network.backward(a, {-1: (sigmoid(a[-1]) - targets) / len(batch)})
    agree(stopped.objective(batch)[1], expected, 1e-12)


def test_batches_are_drawn_from_old_and_new_samples_together():
    learner = icarl(([0, 1],), steps=None, epochs=1, batch_size=1)
    stored = learner.memory.samples
    learner.learn(*points([2, 3]))
    assert len(learner.objective_values) == 20 + len(stored) == 26


def test_what_is_stored_of_a_class_was_chosen_by_the_network_that_had_learned_it():
    """Greedily, the next that brings the mean of the chosen nearest to that of all: by brute force."""
    learner, (x, y) = icarl(()), points([0, 1])
    learner.learn(x, y)
    phi = np.array(features(learner, x))
    for c in (0, 1):
        rows, chosen = np.flatnonzero(y == c), []
        mean = phi[rows].mean(axis=0)
        for _ in range(3):
            left = [r for r in rows if r not in chosen]
            chosen.append(min(left, key=lambda r: np.linalg.norm(mean - phi[[*chosen, r]].mean(axis=0))))
        kept = learner.memory.samples
        assert {*map(tuple, kept.x[kept.y == c])} == {*map(tuple, x[chosen])}
    first = {row.tobytes() for row in learner.memory.samples.x}
    learner.learn(*points([2, 3]))
    assert first <= {row.tobytes() for row in learner.memory.samples.x}


def test_icarl_remembers_where_fine_tuning_forgets():
    scores = {}
    for name in ("none", "icarl"):
        learner = Learner(small_network(), name, rng=rng(), steps=200, batch_size=16)
        learner.learn(*points([0, 1])).learn(*points([2, 3]))
        scores[name] = learner.score(*points([0, 1], seed=9))
    assert scores["none"] < 0.4 < 0.7 < scores["icarl"]


@pytest.mark.parametrize("memory", [ClassBalancedMemory(2), HerdingMemory(2)])
def test_a_nearest_mean_goes_with_any_memory_of_classes_and_any_terms(memory):
    learner = Learner(small_network(), Method([], memory, decision=NearestMean()) + method("ewc"), rng=rng())
    learner.learn(*points([0, 1])).learn(*points([2]))
    assert set(learner.predict(X)) <= {0, 1, 2}


def test_a_decision_sees_features_at_the_index_it_is_given():
    network = Network.mlp(2, 4, 3, 2, rng=rng(), dtype="float64")
    memory = ClassBalancedMemory(5)
    memory.end_task(network, Samples(X, np.arange(20) % 2, np.full(20, -1)), None, rng())
    for at, width in ((1, 4), (-2, 3), (-1, 2)):
        decision = NearestMean(at)
        decision.end_task(network, memory, None, None, rng())
        assert decision.means.shape == (2, width)
        before = state(decision)
        decision.logits(network, X)
        assert state(decision) == before
