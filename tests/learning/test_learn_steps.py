"""Learning step by step: the same as at once, and what is left before its end has never happened."""

import copy
import gc

import numpy as np
import pytest

from incrlearn import Adam, Learner, Linear, Network, ReLU
from incrlearn.learning import SquaredError
from incrlearn.network import Standardize, StandardizeSparse

from .helpers import points, rng, small_network, state

RECIPES = [
    "none",
    "replay(per_class=4)+logits+l1_anchored(strength=0.001)",
    "joint+features",
    "relations+l2",
    "ewc+si+mas+ogd(per_task=3)",
    "derpp(size=9)+lwf",
    "gdumb(size=60)",
]
FRONTS = {"no": None, "Standardize": Standardize, "StandardizeSparse": StandardizeSparse}
OPTIONS = {"epochs": 2, "batch_size": 6}

each_recipe = pytest.mark.parametrize("recipe", RECIPES)
each_front = pytest.mark.parametrize("front", FRONTS.values(), ids=FRONTS)


def learner_of(recipe, front=None, tasks=1):
    network = small_network()
    if front is not None:
        widths = 0 if front is StandardizeSparse else 2
        network = Network([front(2), Linear(widths, 6), ReLU(), Linear(6, 0)], rng())
    learner = Learner(network, recipe, rng=rng(), optimizer=Adam(0.01), **OPTIONS)
    for k in range(tasks):
        x, y = points([2 * k, 2 * k + 1], seed=k)
        x[:, 1] = 0  # a column that is filled only later, and a feature that varies only later
        learner.learn(x, y)
    return learner


@each_recipe
@each_front
@pytest.mark.parametrize("tasks", [0, 1])
def test_step_by_step_is_bit_for_bit_what_is_learned_at_once(recipe, front, tasks):
    at_once, by_steps = (learner_of(recipe, front, tasks) for _ in range(2))
    at_once.learn(*points([1, 5]), task="t", classes=[6])
    for _ in by_steps.learn_steps(*points([1, 5]), task="t", classes=[6]):
        pass
    assert state(by_steps) == state(at_once)


def test_every_step_is_counted_and_how_many_there_are_is_said():
    learner = learner_of("none", tasks=0)
    assert list(learner.learn_steps(*points([0, 1]))) == [(step, 8) for step in range(1, 9)]
    learner.steps = 3
    assert list(learner.learn_steps(*points([0, 1]))) == [(1, 3), (2, 3), (3, 3)]
    joint = learner_of("joint", tasks=0)
    assert [list(joint.learn_steps(*points([k])))[-1] for k in range(3)] == [(4, 4), (8, 8), (10, 10)]


def test_a_step_has_been_taken_when_it_is_counted():
    learner = learner_of("none")
    thetas = [state(learner.network.theta)]
    for step, _ in learner.learn_steps(*points([0, 1])):
        assert len(learner.objective_values) == step
        assert learner.n_tasks == 1
        thetas.append(state(learner.network.theta))
    assert len(set(thetas)) == 9
    assert learner.n_tasks == 2


def leave_by_break(learner, steps):
    for step, _ in learner.learn_steps(*points([1, 5])):
        if step == steps:
            break


def leave_by_error(learner, steps):
    def interrupted():
        for step, _ in learner.learn_steps(*points([1, 5])):
            if step == steps:
                raise KeyboardInterrupt("enough")

    with pytest.raises(KeyboardInterrupt, match="enough"):
        interrupted()


def close(learner, steps):
    iterator = learner.learn_steps(*points([1, 5]))
    for _ in range(steps):
        next(iterator)
    iterator.close()


def forget(learner, steps):
    iterator = learner.learn_steps(*points([1, 5]))
    for _ in range(steps):
        next(iterator)
    held = [iterator]
    held.append(held)  # a circle, which only the garbage collector finds
    del iterator, held
    gc.collect(0)


@each_recipe
@each_front
@pytest.mark.parametrize("leave", [leave_by_break, leave_by_error, close, forget])
@pytest.mark.parametrize("steps", [1, 8])
def test_a_loop_that_is_left_before_its_end_leaves_the_learner_as_it_was(recipe, front, leave, steps):
    learner = learner_of(recipe, front)
    before, twin = state(learner), copy.deepcopy(learner)
    leave(learner, steps)
    assert state(learner) == before
    for one in (learner, twin):
        one.learn(*points([4, 0], seed=3))
    assert state(learner) == state(twin)


#: what is told tasks, or none, wants rows between 0 and 1, and is no single network
OTHERS = {
    "xdg": ["a", "b", "a"],
    "separate": ["a", "b", "a"],
    "icarl(per_class=3)": [None] * 3,
    "generative_replay(hidden=(3,), latent=2)": [None, "a", "a"],
    "bir(hidden=(3,), latent=2)": [None, "a", "a"],
    "generative_classifier(hidden=(3,), latent=2)": [None] * 3,
}


@pytest.mark.parametrize("recipe", OTHERS)
@pytest.mark.parametrize("front", [None, Standardize])
def test_a_method_of_another_kind_is_all_or_nothing_step_by_step(recipe, front):
    tasks = [(*points([k, k + 1], seed=k), task) for k, task in enumerate(OTHERS[recipe])]
    tasks = [((np.tanh(x / 9) + 1) / 2, y, task) for x, y, task in tasks]
    learner, twin = learner_of(recipe, front, tasks=0), learner_of(recipe, front, tasks=0)
    for x, y, task in tasks:
        before = state(learner)
        for _ in learner.learn_steps(x, y, task=task):
            break
        else:  # it takes no steps of its own
            assert recipe.startswith("generative_classifier")
            learner = copy.deepcopy(twin)
        assert state(learner) == before
        for _ in learner.learn_steps(x, y, task=task):
            pass
        assert state(learner) == state(twin.learn(x, y, task=task))


def test_leaving_a_loop_over_values_brings_back_the_scale_of_the_targets():
    network = Network([Standardize(2), Linear(2, 1)], rng())
    learner = Learner(network, rng=rng(), loss=SquaredError(standardized=True), **OPTIONS)
    x, _ = points([0, 1])
    learner.learn(x, x[:, 0])
    before = state(learner)
    for _ in learner.learn_steps(x + 9, 1e6 * x[:, 1]):
        break
    assert state(learner) == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([[1.0, 2.0]], [0, 1]), "x has 1 rows, but y has 2 targets"),
        (([[1.0, float("nan")]], [0]), "x must be finite"),
        (([[1.0, 2.0]], [0], [1]), "task must be hashable"),
        (([[1.0, 2.0]], [0], None, ["a"]), "classes holds strings"),
    ],
)
def test_what_is_wrong_is_said_when_the_first_step_is_asked_for(arguments, message):
    learner = learner_of("none")
    before = state(learner)
    steps = learner.learn_steps(*arguments)
    assert state(learner) == before
    with pytest.raises((ValueError, TypeError), match=message):
        next(steps)
    assert state(learner) == before


def test_nothing_happens_before_the_first_step_is_asked_for():
    learner = learner_of("none")
    before = state(learner)
    steps = learner.learn_steps(*points([0, 1]))
    assert state(learner) == before
    del steps
    assert state(learner) == before


def test_a_second_call_in_the_middle_of_a_first_is_refused_and_the_first_goes_on():
    x, y = np.eye(4), [0, 1, 0, 1]
    learner, other = (
        Learner(Network.mlp(4, 3, 0, rng=np.random.default_rng(0)), rng=np.random.default_rng(0), epochs=3)
        for _ in range(2)
    )
    steps = learner.learn_steps(x, y)
    next(steps)
    with pytest.raises(RuntimeError, match=r"^another learn_steps of this learner is under way"):
        learner.learn(x, y)
    assert list(steps) == [(2, 3), (3, 3)]
    assert np.array_equal(learner.network.theta, other.learn(x, y).network.theta)
    learner.learn(x, y)
    assert learner.n_tasks == 2
