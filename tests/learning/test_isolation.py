"""Isolation: what belongs to one task is not touched by another."""

import copy
import itertools

import numpy as np
import pytest

from incrlearn import SGD, Adam, Learner, Linear, Method, Network, Tanh
from incrlearn.learning import EWC, Gating, Samples, Separate
from incrlearn.network import Standardize
from tests.oracles import agree, central_difference

from .helpers import points, rng, small_network, state

VISITS = [("a", [0, 1]), ("b", [2, 3]), ("a", [4, 0]), ("c", [1, 5])]


def learner_of(isolation, network=None, terms=(), **options):
    network = network or small_network(dtype="float64", activation="tanh")
    options = {"optimizer": SGD(0.1), "steps": 6, "batch_size": 8, **options}
    return Learner(network, Method(list(terms), isolation=isolation), rng=rng(), **options)


def deep_network(outputs=0, dtype="float64"):
    return Network([Linear(2, 10), Tanh(), Linear(10, 5), Tanh(), Linear(5, outputs)], rng(), dtype)


# ---- gates ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("share", [0.0, 0.3, 0.8, 0.999])
def test_every_task_shuts_the_share_of_every_layer_but_for_one_unit_at_least(share):
    learner = learner_of(Gating(share), deep_network())
    for task, labels in VISITS:
        learner.learn(*points(labels), task=task)
    masks = learner.isolation.masks
    assert list(masks) == [0, 1, 2]
    for gates in masks.values():
        assert [len(mask) for mask in gates] == [10, 5]
        assert [int(mask.sum()) for mask in gates] == [max(1, n - round(share * n)) for n in (10, 5)]
        assert {*np.concatenate(gates)} <= {0, 1}


def test_masks_differ_from_task_to_task_and_are_kept():
    learner, kept = learner_of(Gating(0.5)), {}
    for task, labels in VISITS:
        learner.learn(*points(labels), task=task)
        for number, mask in kept.items():
            assert state(learner.isolation.masks[number]) == state(mask)
        kept = copy.deepcopy(learner.isolation.masks)
    assert len({state(mask) for mask in kept.values()}) == 3


def test_any_unit_is_as_likely_to_be_silent_as_any_other():
    network, random, silent, runs = small_network(outputs=2), rng(), np.zeros(12), 600
    for _ in range(runs):
        gating = Gating(0.25)
        gating.begin_task(network, 0, random)
        silent += 1 - gating.masks[0][0]
    assert np.abs(silent - runs / 4).max() < 4 * np.sqrt(runs * 0.25 * 0.75)


def touched(network, before):
    """Return which hidden units have a parameter that differs: their own, or the head's for them."""
    size = len(before)
    now = network.copy()
    now.theta[:size] -= before
    now.theta[size:] = 0  # new units of the head
    hidden, head = now.layers[0], now.layers[2]
    return hidden.W.any(axis=1) | (hidden.b != 0) | head.W.any(axis=0)


def test_parameters_of_silent_units_are_never_touched():
    learner, other_outputs = learner_of(Gating(0.6)), []
    for task, labels in VISITS:
        before, known = learner.network.theta.copy(), learner.network.outputs
        learner.learn(*points(labels), task=task)
        number = list(learner._targets.tasks).index(task)
        (mask,) = learner.isolation.masks[number]
        moved = touched(learner.network, before)
        assert not moved[mask == 0].any()
        assert moved[mask == 1].all()
        head = learner.network.layers[2]
        was = learner.network.over(np.pad(before, (0, len(learner.network.theta) - len(before))))
        others = np.setdiff1d(np.arange(known), learner._targets.tasks[task])
        assert (head.W[others] == was.layers[2].W[others]).all()  # nor those of other tasks' classes
        other_outputs += others.tolist()
    assert other_outputs


def test_the_optimizer_goes_on_from_task_to_task_where_units_are_shared_and_begins_anew_where_none_are():
    for isolation, times in ((Gating(0.6), 2), (Separate(), 1)):
        learner = learner_of(isolation, optimizer=Adam(0.05))
        learner.learn(*points(VISITS[0][1]), task=VISITS[0][0])
        steps = learner.optimizer.t
        learner.learn(*points(VISITS[1][1]), task=VISITS[1][0])
        assert learner.optimizer.t == times * steps


def test_a_task_is_answered_by_the_network_in_which_its_silent_units_say_zero():
    learner, (x, _) = learner_of(Gating(0.4), deep_network()), points([0, 1, 2])
    for task, labels in VISITS:
        learner.learn(*points(labels), task=task)
    first, _, second, _, head = learner.network.layers
    for number, task in enumerate("abc"):
        m, n = learner.isolation.masks[number]
        f = m * np.tanh(x @ first.W.T + first.b)
        g = n * np.tanh(f @ second.W.T + second.b)
        agree(learner.logits(x, task), g @ head.W.T + head.b, 1e-12)
    assert (learner.logits(x, "a") != learner.logits(x, "b")).any()


@pytest.mark.parametrize("terms", [(), (EWC(0.5),)], ids=["alone", "with ewc"])
def test_gradients_through_gates_agree_with_central_differences(terms):
    learner = learner_of(Gating(0.5), deep_network(), terms)
    for task, labels in VISITS:
        learner.learn(*points(labels), task=task)
    learner.network.theta[:] = rng(5).normal(size=len(learner.network.theta)) * 0.5
    start = learner.network.theta.copy()
    x, y = points([0, 4], n=3)
    new = Samples(x, learner._targets.outputs(y), np.zeros(6, int))

    def value(theta):
        learner.network.theta = theta
        return learner.objective(new)[0]

    _, gradient = learner.objective(new)
    agree(gradient, central_difference(value, start), 1e-7)


def test_of_a_gated_network_the_fisher_information_is_that_of_the_open_units():
    learner = learner_of(Gating(0.5), terms=[EWC(1.0)])
    learner.learn(*points([0, 1]), task="a")
    (mask,) = learner.isolation.masks[0]
    importance = learner.network.over(learner.terms[0].importance)
    own = importance.layers[0].W.any(axis=1), importance.layers[2].W.any(axis=0)
    for units in own:
        assert (units == (mask == 1)).all()


def test_gated_tasks_disturb_one_another_less():
    scores = {}
    for name, isolation in {"gates": Gating(0.5), "none": None}.items():
        learner = learner_of(isolation, small_network(), optimizer=Adam(0.02), steps=150)
        learner.learn(*points([0, 1]), task="a")
        x, y = points([0, 1])
        learner.learn(*points([0, 1], seed=1)[::1], task="a").learn(x, 1 - y, task="b")
        scores[name] = learner.score(x, y, task="a")
    assert scores["none"] < 0.5 < scores["gates"]


# ---- separate networks ---------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_network_of_a_task_is_bit_identical_after_others_were_learned(dtype):
    learner, (x, _), told = learner_of(Separate(), small_network(dtype=dtype)), points([0, 1, 5]), {}
    for task, labels in VISITS:
        learner.learn(*points(labels), task=task)
        for other, (theta, answers, z) in told.items():
            if other != task:
                own = learner.isolation.of_task(learner.network, list(told).index(other))
                assert (own.theta[: len(theta)] == theta).all()
                assert (learner.predict(x, other) == answers).all()
                agree(learner.logits(x, other)[:, : z.shape[1]], z, 1e-5)  # a wider head, other rounding
        told[task] = learner.network.theta.copy(), learner.predict(x, task), learner.logits(x, task)
    thetas = [theta[:62] for theta, _, _ in told.values()]  # as long as the first
    assert all((first != second).all() for first, second in itertools.combinations(thetas, 2))


class Watched(Separate):
    """Separate networks that keep θ as each task began."""

    begun = ()

    def begin_task(self, network, task, rng):
        super().begin_task(network, task, rng)
        self.begun = (*self.begun, network.theta.copy())


def test_a_task_that_comes_again_goes_on_where_it_ended_and_a_new_one_begins_anew():
    learner, ends = learner_of(Watched()), []
    for task, labels in VISITS:
        learner.learn(*points(labels), task=task)
        ends.append(learner.network.theta.copy())
    of_a, of_b, again, of_c = learner.isolation.begun
    assert (again[: len(ends[0])] == ends[0]).all()
    assert len(again) > len(ends[0])
    for new, old in ((of_b, ends[0]), (of_c, ends[2]), (of_b, of_a)):
        assert (new[: len(old)] != old).all()
    assert learner.isolation.current == 2
    assert set(learner.isolation.thetas) == {0, 1}


def test_a_task_twice_in_a_row_is_learned_on_as_if_there_were_no_other():
    apart, plain = learner_of(Separate()), learner_of(None)
    for labels in ([0, 1], [1, 2]):
        apart.learn(*points(labels), task="a")
        plain.learn(*points(labels), task="a")
    assert (apart.network.theta == plain.network.theta).all()


def test_the_optimizer_remembers_nothing_of_another_network():
    learner = learner_of(Watched(), optimizer=Adam(0.01), steps=1, batch_size=99)
    learner.learn(*points([0, 1]), task="a")
    learner.learn(*points([0, 1]), task="b")
    step = learner.network.theta - learner.isolation.begun[-1]
    assert learner.optimizer.t == 1
    assert np.abs(step[step != 0]).min() > 0.9 * 0.01  # Adam's first step is ±η wherever there is a gradient


@pytest.mark.parametrize("isolation", [Separate(), Gating(0.5)], ids=["separate", "gates"])
def test_what_a_task_is_answered_stays_as_the_scale_of_features_moves(isolation):
    network = Network([Standardize(2), Linear(2, 8), Tanh(), Linear(8, 0)], rng(), "float64")
    learner = learner_of(isolation, network, steps=4)
    (x, y), (far, other) = points([0, 1]), points([2, 3])
    learner.learn(x, y, task="a").learn(x * 2, y, task="b")
    before = {task: learner.logits(x, task) for task in "ab"}
    move = learner.network.observe(far * 100, rng())
    learner._follow(move)
    for task, z in before.items():
        agree(learner.logits(x, task), z, 1e-10)
    learner.learn(far * 100, other, task="c")


@pytest.mark.parametrize("bad", [-0.1, 1, 1.5, np.nan, "0.5", None, True])
def test_a_bad_share_is_refused_by_name(bad):
    with pytest.raises((ValueError, TypeError), match=r"\bshare\b"):
        Gating(bad)
