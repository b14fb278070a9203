"""All or nothing: what a refused or failed call leaves behind is exactly nothing."""

import copy
import functools

import numpy as np
import pytest

from incrlearn import SGD, Adam, Learner, Linear, Method, Network, ReLU
from incrlearn.learning import METHODS, BatchTerm, ClassBalancedMemory, Everything, method
from incrlearn.network import Standardize, StandardizeSparse

from .helpers import learn_tasks, must_be_told, pixels, points, rng, small_network, state, tiny

# ---- a learner that can be made to fail at any moment, by a sample -----------------------------------

MOMENTS = {"begin": 1001.0, "batch": 1002.0, "end": 1003.0, "memory": 1004.0}
ERRORS = {1.0: RuntimeError, 2.0: KeyboardInterrupt}
STEEP = 1e9


def spring(moment, x):
    """Raise the error that a sample asks for at this moment."""
    for _, error in x[x[:, 0] == MOMENTS[moment]]:
        raise ERRORS[error](f"as asked for: {moment}")


class Trap(BatchTerm):
    """A user's term that may fail."""

    def begin_task(self, network, data, rng):
        self.began = data.x
        spring("begin", data.x)

    def __call__(self, a, batch):
        spring("batch", batch.x)
        return 0.0, {}

    def end_task(self, network, data, rng):
        self.ended = data.x
        spring("end", data.x)


class Fragile:
    """A memory that may fail once it has taken in a task."""

    def end_task(self, network, new, batches, rng):
        super().end_task(network, new, batches, rng)
        spring("memory", new.x)


class FragileMemory(Fragile, ClassBalancedMemory):
    pass


class FragileEverything(Fragile, Everything):
    pass


class FragileAdam(Adam):
    """An optimizer that may fail with the step half taken."""

    def step(self, theta, gradient):
        super().step(theta, gradient)
        if np.abs(gradient).max() > 1e6:
            theta[::2] = 0
            raise KeyboardInterrupt("as asked for: step")


#: recipes, and whether their tasks are known by ids
EVERY_RECIPE = pytest.mark.parametrize(
    ("recipe", "known"),
    [
        ("none", False),
        ("cumulative+logits", True),
        ("replay+logits+l1_anchored", False),
        ("replay+logits+l1_anchored", True),
        ("features+relations+l2_anchored", True),
    ],
)


@functools.cache
def trained(recipe, tasks, known):
    terms = method(recipe)
    memory = FragileEverything() if recipe.startswith("cumulative") else FragileMemory(4)
    terms = Method([*terms.terms, Trap()], memory)
    learner = Learner(small_network(), terms, rng=rng(), optimizer=FragileAdam(0.01), epochs=1, batch_size=6)
    for k in range(tasks):
        learner.learn(*points([2 * k, 2 * k + 1]), task=k if known else None)
    return learner


def learner_of(recipe, tasks=2, known=False):
    return copy.deepcopy(trained(recipe, tasks, known))


# ---- what goes wrong ---------------------------------------------------------------------------------

X, Y = points([1, 5])  # a class that is known, and one that is new


def with_row(row):
    """Return X with two rows, one of each class, that are as given."""
    x = X.copy()
    x[[np.flatnonzero(Y == 1)[0], np.flatnonzero(Y == 5)[0]]] = row
    return x


REFUSED = {
    "NaN in x": ((with_row([np.nan, 0]), Y), "x must be finite"),
    "infinity in x": ((with_row([0, -np.inf]), Y), "x must be finite"),
    "x too large for float32": ((with_row([1e300, 0]), Y), "x must be finite"),
    "x too wide": ((np.c_[X, X], Y), "x has 4 features, but the network was built for 2"),
    "x too narrow": ((X[:, :1], Y), "x has 1 features, but the network was built for 2"),
    "x without rows": ((X[:0], Y[:0]), "x must have at least one row"),
    "x of one dimension": ((X[:, 0], Y), "x must have shape"),
    "strings in x": ((X.astype(str), Y), "x must hold real numbers"),
    "complex x": ((X + 0j, Y), "x must hold real numbers"),
    "ragged x": (([*X[:-1].tolist(), [1.0]], Y), "x must be a rectangular array"),
    "x is None": ((None, Y), "x must hold real numbers"),
    "fewer labels than rows": ((X, Y[:-1]), "x has 20 rows, but y has 19"),
    "no labels": ((X, []), "x has 20 rows, but y has 0"),
    "a single label": ((X, 1), "y must be a vector"),
    "y of two columns": ((X, np.c_[Y, Y]), "y must be a vector"),
    "NaN among the labels": ((X, [np.nan, *Y[1:]]), "y must be finite"),
    "a fraction among the labels": ((X, [0.5, *Y[1:]]), "y must hold class labels"),
    "None among the labels": ((X, [None, *Y[1:]]), "y must hold integers or strings"),
    "strings after integers": ((X, Y.astype(str)), "y holds strings"),
    "booleans after integers": ((X, Y > 2), "y holds booleans"),
    "an unhashable task": ((X, Y, [1]), "task must be hashable"),
    "a task that hides a list": ((X, Y, (1, [2])), "task must be hashable"),
}
BROKEN = {
    **{
        f"{error.__name__} at {moment}": ((with_row([value, code]), Y), error, f"as asked for: {moment}")
        for moment, value in MOMENTS.items()
        for code, error in ERRORS.items()
    },
    "an interrupted step": ((with_row([STEEP, STEEP]), Y), KeyboardInterrupt, "as asked for: step"),
    "divergence": (
        (with_row([3e38, 3e38]), Y),
        FloatingPointError,
        r"^(the logits|the gradient|\w+) became (inf|-inf|nan) at step \d of task \d$",
    ),
}
OLD_CLASSES = np.minimum(Y, 3)  # without growth, what changes in place has nothing to be copied for
FAILURES = {
    **{f"{name}, old classes": ((x, OLD_CLASSES), *rest) for name, ((x, _), *rest) in BROKEN.items()},
    **{name: (arguments, (ValueError, TypeError), match) for name, (arguments, match) in REFUSED.items()},
    **BROKEN,
}


def leaves_no_trace(learner, call, error, match):
    """Assert that the call fails, and that without it everything would be, and go on, the same."""
    twin, before = copy.deepcopy(learner), state(learner)
    with pytest.raises(error, match=match):
        call(learner)
    assert state(learner) == before
    for one in (learner, twin):
        one.learn(*points([4, 0], seed=3), task="next")
    assert state(learner) == state(twin)


@EVERY_RECIPE
@pytest.mark.parametrize(("arguments", "error", "match"), FAILURES.values(), ids=FAILURES.keys())
def test_a_failed_task_leaves_no_trace(recipe, known, arguments, error, match):
    if known and len(arguments) == 2:
        arguments = (*arguments, 1)
    leaves_no_trace(learner_of(recipe, known=known), lambda learner: learner.learn(*arguments), error, match)


@EVERY_RECIPE
@pytest.mark.parametrize(("arguments", "error", "match"), BROKEN.values(), ids=BROKEN.keys())
def test_a_failed_first_task_leaves_no_trace(recipe, known, arguments, error, match):
    leaves_no_trace(learner_of(recipe, 0, known), lambda learner: learner.learn(*arguments), error, match)


FRONTS = {"Standardize": (Standardize(2), 2), "StandardizeSparse": (StandardizeSparse(2), 0)}
BEHIND = {
    **{name: rest for name, rest in BROKEN.items() if " at " in name},
    "too large to be squared": ((with_row([1.0, 1e200]), Y), ValueError, "^x must .* got .*1e"),
    "another kind of classes": ((X, Y, None, ["a"]), TypeError, r"holds \w+, but the labels known so far"),
    "NaN in x": ((with_row([np.nan, 0]), Y), ValueError, "x must be finite"),
}


@pytest.mark.parametrize(("front", "width"), FRONTS.values(), ids=FRONTS)
@pytest.mark.parametrize("tasks", [0, 1])
@pytest.mark.parametrize(("arguments", "error", "match"), BEHIND.values(), ids=BEHIND)
def test_a_failed_task_leaves_the_scale_of_features_as_it_was(front, width, tasks, arguments, error, match):
    """The second column is filled in the task that fails: it varies, or becomes a new input."""
    network = Network([front, Linear(width, 6), ReLU(), Linear(6, 0)], rng(), "float64")
    terms = [*method("replay+logits+features+l2_anchored").terms, Trap()]
    learner = Learner(network, Method(terms, FragileMemory(4)), rng=rng(), epochs=1, batch_size=6)
    for _ in range(tasks):
        learner.learn(points([0, 1])[0] * [1, 0], points([0, 1])[1])
    leaves_no_trace(learner, lambda learner: learner.learn(*arguments), error, match)


@pytest.mark.parametrize(
    ("use", "arguments", "match"),
    [
        *[
            (use, (X, "never learned"), "task must be one that was learned")
            for use in ("predict", "predict_proba")
        ],
        *[(use, (X[:, :1],), "x has 1 features") for use in ("logits", "predict", "predict_proba")],
        *[(use, (with_row(np.nan),), "x must be finite") for use in ("logits", "predict", "predict_proba")],
        ("score", (X, Y[:-1]), "x has 20 rows, but y has 19"),
        ("score", (X, Y.astype(str)), "y holds strings"),
        ("score", (X, Y, "never learned"), "task must be one that was learned"),
        *[(use, (X, [1]), "task must be hashable") for use in ("predict", "predict_proba")],
    ],
)
def test_a_refused_question_leaves_no_trace(use, arguments, match):
    leaves_no_trace(
        learner_of("replay+logits+l1_anchored", known=True),
        lambda learner: getattr(learner, use)(*arguments),
        (ValueError, TypeError),
        match,
    )


# ---- every method in the table -----------------------------------------------------------------------

TASKS = [pixels([0, 1]), pixels([2, 1], seed=1), pixels([3, 0], seed=2)]
#: what an interruption may come behind of
HOOKS = ["begin_task", "end_task"]


@functools.cache
def of_the_table(name):
    """Return a learner of that method that has learned a task."""
    options = {"rng": rng(), "optimizer": Adam(0.01), "steps": 8, "batch_size": 6}
    return learn_tasks(Learner(small_network(), tiny(name), **options), TASKS[0])


def learns_on_as_if_nothing_had_been(learner, twin, before):
    assert state(learner) == before
    for one in (learner, twin):
        learn_tasks(one, *TASKS[1:], first=1)
    assert state(learner) == state(twin)
    assert learner.n_tasks == 3


@pytest.mark.parametrize("front", [False, True], ids=["", "behind Standardize"])
@pytest.mark.parametrize(
    ("name", "k"),
    [
        *[(name, 3) for name in METHODS],
        *[("generative_replay", 12), ("bir", 10), ("bir", 11), ("bir", 12)],
        ("generative_classifier", 1),
    ],
)
def test_numbers_that_go_bad_at_any_step_of_any_method_leave_no_trace(name, k, front, monkeypatch):
    """At the k-th step of an optimizer: of the network's, and then of those of the method's own models."""
    learner = copy.deepcopy(of_the_table(name))
    if front:
        network = Network([Standardize(2), Linear(2, 6), ReLU(), Linear(6, 0)], rng())
        learner = Learner(network, tiny(name), rng=rng(), steps=8, batch_size=6)
        learn_tasks(learner, TASKS[0])
    twin, before, calls, step = copy.deepcopy(learner), state(learner), [], Adam.step

    def bad_step(self, theta, gradient):
        step(self, theta, gradient)
        calls.append(self)
        if len(calls) == k:
            theta[-1] = np.nan

    with monkeypatch.context() as patched:
        patched.setattr(Adam, "step", bad_step)
        with pytest.raises(FloatingPointError, match=r"became nan"):
            learn_tasks(learner, TASKS[1], first=1)
    learns_on_as_if_nothing_had_been(learner, twin, before)


def interruptions():
    """Yield every method with every ingredient of it and every moment at which that does something."""
    for name in METHODS:
        for k, part in enumerate(method(name).ingredients):
            for hook in HOOKS:
                if hasattr(part, hook):
                    yield pytest.param(name, k, hook, id=f"{name}, {type(part).__name__}.{hook}")


@pytest.mark.parametrize(("name", "k", "hook"), list(interruptions()))
def test_an_interruption_behind_what_any_ingredient_does_leaves_no_trace(name, k, hook, monkeypatch):
    learner = copy.deepcopy(of_the_table(name))
    twin, before = copy.deepcopy(learner), state(learner)
    part = learner.ingredients[k]
    original = getattr(type(part), hook)

    def interrupted(self, *arguments):
        original(self, *arguments)
        raise KeyboardInterrupt(hook)

    with monkeypatch.context() as patched:
        patched.setattr(type(part), hook, interrupted)
        with pytest.raises(KeyboardInterrupt, match=hook):
            learn_tasks(learner, TASKS[1], first=1)
    learns_on_as_if_nothing_had_been(learner, twin, before)


@pytest.mark.parametrize("name", [name for name in METHODS if name != "generative_classifier"])
def test_a_task_that_is_left_in_the_middle_leaves_no_trace_of_any_method(name):
    learner = copy.deepcopy(of_the_table(name))
    twin, before = copy.deepcopy(learner), state(learner)
    steps = learner.learn_steps(*TASKS[1], task=1 if must_be_told(learner) else None)
    for step, _ in steps:
        if step == 4:
            break
    assert state(learner) != before
    steps.close()
    learns_on_as_if_nothing_had_been(learner, twin, before)


# ---- divergence --------------------------------------------------------------------------------------


def diverging(dtype, learning_rate, steps, recipe="none", activation="relu"):
    """Return a learner that knows a task, and whose next step is far too large."""
    network = small_network(dtype=dtype, activation=activation)
    learner = Learner(
        network, recipe, rng=rng(), optimizer=SGD(0.01, momentum=0.5), steps=steps, batch_size=6
    )
    learner.learn(*points([0, 1]))
    learner.optimizer.learning_rate = learning_rate
    return learner


# λ is small: a step of L1 this long would pull every parameter back to where it was
@pytest.mark.parametrize("recipe", ["none", "replay+logits+l1_anchored(strength=1e-5)", "features+l2"])
@pytest.mark.parametrize(("dtype", "learning_rate"), [("float32", 1e25), ("float64", 1e200)])
def test_a_huge_learning_rate_is_reported_with_its_step_and_leaves_no_trace(recipe, dtype, learning_rate):
    learner = diverging(dtype, learning_rate, 30, recipe)
    before = state(learner)
    with pytest.raises(FloatingPointError, match=r"became (inf|-inf|nan) at step \d+ of task 2$"):
        learner.learn(*points([0, 2]))
    assert state(learner) == before
    twin = diverging(dtype, learning_rate, 30, recipe)
    for one in (learner, twin):
        one.optimizer.learning_rate = 0.01
        one.learn(*points([0, 2]))
    assert state(learner) == state(twin)


def test_a_number_that_goes_bad_is_reported_with_the_step_and_the_task_where_it_did():
    with pytest.raises(FloatingPointError, match=r"^θ became inf at step 1 of task 2$"):
        diverging("float32", 1e30, 5).learn(*points([0, 1]))
    slowly = Learner(small_network(), rng=rng(), optimizer=Growing(), steps=9, batch_size=6)
    with pytest.raises(FloatingPointError, match=r"^θ became inf at step 3 of task 1$"):
        slowly.learn(*points([0, 1]))


class Growing(SGD):
    """An optimizer that makes θ 10⁸ times as large at every step."""

    def step(self, theta, gradient):
        theta *= 1e8


@pytest.mark.parametrize(("dtype", "learning_rate"), [("float32", 1e25), ("float64", 1e200)])
def test_divergence_at_the_last_step_of_a_task_is_reported_as_well(dtype, learning_rate):
    learner = diverging(dtype, learning_rate, 1)
    with pytest.raises(FloatingPointError, match=r"^θ became inf at step 1 of task 2$"):
        learner.learn(*points([0, 2]))
