"""The gate and its experts: each expert is a closed form of its own task, and the gate finds the task."""

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from incrlearn.analytic import AnalyticLearner, ExpertGate, Identity, RandomReLU
from incrlearn.benchmark import datasets, scenarios


def expert_gate(features=None):
    return ExpertGate(AnalyticLearner(features or Identity(), "lda"), AnalyticLearner(Identity(), "lda"))


def task(seed, shift, labels=(3, 5)):
    """Return rows of two classes, somewhere; what tells the classes apart is the task's own."""
    rng = np.random.default_rng(seed)
    y = np.repeat(labels, 20)
    apart = rng.normal(size=4)
    x = rng.normal(size=(40, 4)) * 0.3 + np.where(y == labels[0], 1, -1)[:, None] * apart
    return x + shift, y


TASKS = [task(0, 0.0), task(1, 40.0), task(2, -40.0)]


def learned(tasks=TASKS, ids=None):
    learner = expert_gate()
    for k, (x, y) in enumerate(tasks):
        learner.learn(x, y, ids and ids[k])
    return learner


def state(learner):
    """Return all that is known, as bytes."""
    sums = [part.statistics for part in (learner.gate, *learner.experts) if part.statistics]
    arrays = [np.asarray(value).tobytes() for of in sums for value in vars(of).values()]
    labels = None if learner.classes is None else learner.classes.tolist()
    return arrays, labels, dict(learner.numbers), len(learner.experts)


def test_every_row_is_handed_to_the_expert_of_its_task():
    learner = learned()
    for number, (x, y) in enumerate(TASKS):
        alone = AnalyticLearner(Identity(), "lda")
        alone.learn(x, y)
        assert (learner.gate.predict(x) == number).all()
        assert (learner.predict(x) == alone.predict(x)).all()
        assert (learner.predict(x) == y).all()


def test_rows_of_several_tasks_come_back_in_their_order():
    learner = learned()
    x, y = (np.concatenate(parts) for parts in zip(*TASKS, strict=True))
    order = np.random.default_rng(0).permutation(len(x))
    assert (learner.predict(x[order]) == y[order]).all()
    assert learner.score(x[order], y[order]) == 1


def test_what_is_no_linear_model_of_all_tasks_is_learned():
    """The second task exchanges the classes: one linear model of both knows nothing."""
    (x, y), far = TASKS[0], np.full(4, 9.0)
    exchanged = x + far, np.where(y == 3, 5, 3)
    learner, one = learned([(x, y), exchanged]), AnalyticLearner(Identity(), "lda")
    one.learn(x, y)
    one.learn(*exchanged)
    assert learner.score(x, y) == learner.score(*exchanged) == 1
    assert (one.score(x, y) + one.score(*exchanged)) / 2 < 0.8


@given(st.permutations(range(3)), st.integers(1, 39))
def test_a_task_may_come_in_parts_and_between_others(order, cut):
    whole, parts = learned(ids="abc"), expert_gate()
    for rows in (slice(cut), slice(cut, None)):
        for k in order:
            parts.learn(TASKS[k][0][rows], TASKS[k][1][rows], "abc"[k])
    assert len(parts.experts) == 3
    for k, (x, _) in enumerate(TASKS):
        assert (parts.predict(x) == whole.predict(x)).all()
        assert (parts.predict(x, "abc"[k]) == whole.predict(x, "abc"[k])).all()


def test_a_task_that_is_told_is_not_guessed():
    learner = learned(ids="abc")
    x, _ = TASKS[1]
    assert (learner.predict(x, "a") == learner.experts[0].predict(x)).all()
    with pytest.raises(ValueError, match="task 'z' is unknown: 3 were learned with an id"):
        learner.predict(x, "z")


def test_classes_of_later_tasks_are_new_ones():
    learner = learned([task(0, 0.0, ("dog", "cat")), task(1, 40.0, ("elephant", "ant"))])
    assert learner.classes.tolist() == ["cat", "dog", "ant", "elephant"]
    assert set(learner.predict(task(1, 40.0)[0])) == {"ant", "elephant"}


@pytest.mark.parametrize(
    ("x", "y", "error"),
    [
        (np.ones((2, 4)), np.array(["cat", "dog"]), TypeError),
        (np.ones((2, 3)), np.array([3, 5]), ValueError),
        (np.full((2, 4), 1e200), np.array([3, 5]), FloatingPointError),
    ],
    ids=["labels of another kind", "fewer columns", "squares that are infinite"],
)
@pytest.mark.parametrize("name", ["a", "new"])
def test_a_refused_task_changes_nothing(x, y, error, name):
    learner = learned(ids="abc")
    before = state(learner)
    with pytest.raises(error):
        learner.learn(x, y, name)
    assert state(learner) == before


def test_all_experts_look_through_the_same_features_and_the_seed_draws_them():
    learner = expert_gate(RandomReLU(5))
    learner.seed = 7
    for x, y in TASKS:
        learner.learn(x, y)
    drawn = RandomReLU(5).fixed(TASKS[0][0], seed=7)
    assert all(expert.features.arrays is learner.experts[0].features.arrays for expert in learner.experts)
    assert drawn.same(learner.experts[2].features)


def test_memory_is_that_of_all_sums():
    one, three = learned(TASKS[:1]).held_bytes(), learned().held_bytes()
    assert one["samples"] == three["samples"] == 0
    assert 2 * one["other"] < 2 * three["other"] < 6 * one["other"]


def test_permuted_digits_are_known_better_than_by_one_model_of_all():
    scenario = scenarios.permuted(datasets.load("digits"), 4, "domain", np.random.default_rng(0))
    learner, one = expert_gate(RandomReLU(300)), AnalyticLearner(RandomReLU(300), "lda")
    for part in scenario.tasks:
        learner.learn(part.x, part.y)
        one.learn(part.x, part.y)
    gated, shared = (
        np.mean([model.score(part.x_test, part.y_test) for part in scenario.tasks])
        for model in (learner, one)
    )
    assert gated > 0.96
    assert gated > shared + 0.015
