"""The learner: what it learns and keeps, what it answers, and that nothing but its generator decides."""

import copy
import pickle

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given
from sklearn.metrics import r2_score

from incrlearn import SGD, Adam, Learner, Linear, Method, Network, ReLU
from incrlearn.formulas import softmax
from incrlearn.learning import (
    L1,
    L2,
    BatchTerm,
    ClassBalancedMemory,
    CrossEntropy,
    ElasticNet,
    Everything,
    Logits,
    Replay,
    ReservoirMemory,
    Samples,
    minibatches,
)

from .helpers import points, rng, small_network, state


def learner_of(method="none", *, dtype="float32", seed=0, **options):
    options = {"steps": 60, "batch_size": 16, "optimizer": Adam(0.02), **options}
    return Learner(small_network(dtype=dtype, seed=seed), method, rng=rng(seed), **options)


def values(n=40, outputs=1, seed=0):
    """Return points, and values that are linear in them."""
    x = rng(seed).normal(size=(n, 2))
    return x, x @ np.array([[2.0, -1.0, 0.5], [1.0, 3.0, -2.0]])[:, :outputs] + 1


# ---- forgetting --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "low", "high"), [("none", 0, 0.3), ("replay", 0.75, 1), ("joint", 0.85, 1)]
)
def test_fine_tuning_forgets_the_first_classes_and_replay_remembers_them(method, low, high):
    learner = learner_of(method).learn(*points([0, 1])).learn(*points([2, 3]))
    assert low <= learner.score(*points([0, 1], seed=9)) <= high
    assert learner.score(*points([2, 3], seed=9)) >= 0.8


class Beginning(Learner):
    """A learner that keeps θ as every task began, and the rows of every batch."""

    begun, rows = (), ()

    def _of_batches(self, new, replayed):
        if not self.objective_values:
            self.begun, self.rows = (*self.begun, self.network.theta.copy()), ()
        self.rows = (*self.rows, *map(tuple, new.x))
        return super()._of_batches(new, replayed)


@pytest.mark.parametrize(("method", "anew"), [("joint", True), ("gdumb", True), ("cumulative", False)])
def test_a_method_begins_a_task_with_new_parameters_or_goes_on(method, anew):
    learner = Beginning(small_network(), method, rng=rng(), steps=5)
    first = learner.network.theta.copy()
    learner.learn(*points([0, 1]))
    assert (learner.begun[0][: len(first)] == first).all()  # drawn once: a given network is not thrown away
    end = learner.network.theta.copy()
    assert learner.optimizer.t == 5
    learner.learn(*points([2, 3]))
    begun = learner.begun[1]
    assert (begun[: len(end)] != end).all() if anew else (begun[: len(end)] == end).all()
    assert learner.optimizer.t == (5 if anew else 10)  # nor does the optimizer remember
    limits = np.repeat([1 / np.sqrt(2), 1 / np.sqrt(12)], [36, len(begun) - 36])
    assert not anew or (np.abs(begun) <= limits).all()  # where the layers draw from


def test_gdumb_learns_from_the_memory_alone_and_of_every_class_as_much():
    learner = Beginning(small_network(), "gdumb(size=12)", rng=rng(), epochs=2, batch_size=5)
    for labels, each in (([0, 1], 6), ([2, 3], 3), ([4, 5], 2)):
        learner.learn(*points(labels))
        assert np.bincount(learner.memory.samples.y).tolist() == [each] * len(learner.classes)
        once = sorted(map(tuple, learner.memory.samples.x))
        assert sorted(learner.rows) == sorted(2 * once)


def test_what_gdumb_did_not_keep_it_has_not_learned():
    learners = [Learner(small_network(), "gdumb(size=6)", rng=rng(), steps=9) for _ in range(2)]
    x, y = points([0, 1])
    learners[0].learn(x, y)
    kept = {tuple(row) for row in learners[0].memory.samples.x}
    others = x.astype(np.float32)
    others[[tuple(row) not in kept for row in others]] = 0
    learners[1].learn(others, y)
    assert state(learners[0].network) == state(learners[1].network)


def test_an_optimizer_that_can_not_forget_is_refused_where_tasks_begin_anew():
    class Forgetless:
        learning_rate = 0.1

        def step(self, theta, gradient):
            theta -= self.learning_rate * gradient

    for method in ("joint", "separate", "gdumb"):
        with pytest.raises(TypeError, match="optimizer must have reset"):
            Learner(small_network(), method, rng=rng(), optimizer=Forgetless())
    assert Learner(small_network(), "cumulative", rng=rng(), optimizer=Forgetless()).n_tasks == 0


def test_the_gradient_of_the_loss_is_that_of_the_data_alone_whatever_terms_there_are():
    learner = learner_of("l2(strength=1)+logits", dtype="float64")
    learner.learn(*points([0, 1])).learn(*points([2]))
    x, y = points([0, 2], n=3)
    a = learner.network.forward(x)
    p = softmax(a[-1])
    p[np.arange(6), learner._targets.outputs(y)] -= 1
    expected = learner.network.backward(a, {-1: p / 6})
    samples = Samples(x, learner._targets.outputs(y), np.full(6, -1))
    assert np.allclose(learner.loss_gradient(samples), expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("method", ["logits", "l2_anchored", "features"])
def test_where_tasks_are_known_a_method_keeps_the_first(method):
    learner = learner_of(method).learn(*points([0, 1]), task="a").learn(*points([2, 3]), task="b")
    for task, labels in {"a": [0, 1], "b": [2, 3]}.items():
        assert learner.score(*points(labels, seed=9), task=task) >= 0.8


def test_the_upper_bound_trains_on_every_sample_so_far_once_an_epoch():
    learner = learner_of("joint", steps=None, epochs=1, batch_size=1)
    steps = [len(learner.learn(*points(labels)).objective_values) for labels in ([0, 1], [2], [0])]
    assert steps == [20, 30, 40]


# ---- classes -----------------------------------------------------------------------------------------


def test_new_classes_are_appended_to_the_head_in_order_of_arrival():
    learner, widths, known = learner_of(), [], []
    for labels in ([3, 1], [1], [2, 0, 3], [4]):
        learner.learn(*points(labels))
        widths.append(learner.network.outputs)
        known.append(learner.classes.tolist())
    assert known == [[1, 3], [1, 3], [1, 3, 0, 2], [1, 3, 0, 2, 4]]
    assert widths == [2, 2, 4, 5]


def test_a_head_with_room_grows_only_when_it_is_full():
    network = small_network(outputs=3)
    learner = Learner(network, rng=rng(), steps=2)
    widths = [learner.learn(*points(labels)).network.outputs for labels in ([5, 6], [1], [0])]
    assert widths == [3, 3, 4]
    assert learner.predict_proba(points([0])[0]).shape == (10, 4)


def test_classes_known_in_advance_compete_from_the_first_task():
    learner = learner_of(classes=[3, 2, 1, 0])
    assert learner.network.outputs == 4
    assert set(learner.predict(points([0])[0])) <= {0, 1, 2, 3}
    learner.learn(*points([0, 1]))
    assert learner.classes.tolist() == [3, 2, 1, 0]
    probabilities = learner.predict_proba(points([0], seed=9)[0])
    assert probabilities.argmax(axis=1).tolist() == [3] * 10
    assert (probabilities > 0).all()


LABELS = {
    "integers": ([0, 1], np.int64),
    "negative integers": ([-7, 10**12], np.int64),
    "whole floats": ([0.0, 1.0], np.int64),
    "strings": (["ape", "bee"], np.str_),
    "booleans": ([False, True], np.bool_),
}


@pytest.mark.parametrize(("labels", "kind"), LABELS.values(), ids=LABELS.keys())
def test_answers_are_labels_of_the_kind_that_was_learned(labels, kind):
    x, y = points([0, 1])
    learner = learner_of().learn(x, np.array(labels)[y])
    answers = learner.predict(x)
    assert answers.dtype.type is kind
    assert (answers == np.array(labels)[y]).mean() > 0.9
    assert learner.score(x, np.array(labels)[y].tolist()) > 0.9


def test_a_task_may_be_one_row_of_one_class():
    learner = learner_of().learn([[1.0, 2.0]], ["only"])
    assert learner.predict([[9.0, 9.0]]).tolist() == ["only"]
    assert learner.predict_proba([[9.0, 9.0]]).tolist() == [[1.0]]
    assert learner.learn([[0.0, 0.0]], ["other"]).classes.tolist() == ["only", "other"]


def test_labels_announced_with_a_task_have_an_output_whether_it_holds_them_or_not():
    learner = learner_of().learn(*points([0, 1]), classes=[4, 1])
    assert learner.classes.tolist() == [4, 1, 0]
    assert learner.network.outputs == 3
    learner.learn(*points([2, 4]), classes=[3, 0, 2])
    assert learner.classes.tolist() == [4, 1, 0, 3, 2]
    assert learner.predict_proba(points([3])[0]).shape == (10, 5)


@pytest.mark.parametrize("bad", [["a"], [1, 1], [0.5], [[1, 2], [3, 4]]])
def test_announced_labels_that_can_not_be_are_refused_by_name_and_leave_no_trace(bad):
    learner = learner_of().learn(*points([0, 1]))
    before = state(learner)
    with pytest.raises((ValueError, TypeError), match=r"\bclasses\b"):
        learner.learn(*points([0, 1]), classes=bad)
    assert state(learner) == before


def test_announced_labels_of_another_kind_than_the_first_task_s_are_refused():
    learner = learner_of()
    before = state(learner)
    with pytest.raises(TypeError, match=r"^y holds integers, but the labels known so far are strings$"):
        learner.learn(*points([0, 1]), classes=["ape", "bee"])
    assert state(learner) == before


def test_values_have_no_classes_to_announce():
    learner = Learner(Network.mlp(2, 1, rng=rng()), rng=rng(), loss="squared_error")
    with pytest.raises(ValueError, match=r"^classes can not be given where the targets are values"):
        learner.learn(*values(), classes=[1, 2])


# ---- tasks -------------------------------------------------------------------------------------------


def three_visits():
    """Task "a", task "b", and "a" again, with a new class and one that it shares with "b"."""
    learner = learner_of("replay").learn(*points([0, 4]), task="a").learn(*points([2, 3]), task="b")
    return learner.learn(*points([0, 1, 3]), task="a"), {"a": {0, 1, 3, 4}, "b": {2, 3}}


def test_an_answer_for_a_task_is_one_of_its_own_labels():
    learner, tasks = three_visits()
    x, _ = points([0, 1, 2, 3, 4])
    for task, labels in tasks.items():
        assert set(learner.predict(x, task)) == labels
        assert not set(learner.predict(x)) <= labels


def test_probabilities_are_the_softmax_over_the_labels_that_compete_and_zero_elsewhere():
    learner, tasks = three_visits()
    x, _ = points([0, 1, 2, 3, 4])
    for task, labels in {None: {0, 1, 2, 3, 4}, **tasks}.items():
        probabilities = learner.predict_proba(x, task=task)
        competing = np.isin(learner.classes, list(labels))
        assert (probabilities[:, ~competing] == 0).all()
        assert np.allclose(probabilities[:, competing], softmax(learner.logits(x)[:, competing]), rtol=1e-6)
        assert np.allclose(probabilities.sum(axis=1), 1)
        assert (learner.classes[probabilities.argmax(axis=1)] == learner.predict(x, task)).all()


def test_a_revisited_task_competes_with_all_that_it_ever_had():
    learner, _ = three_visits()
    for task, labels in {"a": [0, 1], "b": [2, 3]}.items():
        assert learner.score(*points(labels, seed=9), task=task) > 0.8


@pytest.mark.parametrize("task", [3, "three", (1, "b"), True, frozenset({1})])
def test_a_task_id_may_be_anything_hashable(task):
    learner = learner_of().learn(*points([0, 1]), task=task)
    assert set(learner.predict(points([0, 1])[0], task=task)) == {0, 1}


def test_classes_of_a_task_without_an_id_are_distilled_beside_those_of_known_tasks():
    learner = learner_of("logits", steps=2).learn(*points([0, 1])).learn(*points([2, 3]), task="a")
    distilled = np.concatenate([np.arange(4)[columns] for columns in learner.terms[0].heads])
    assert set(distilled) == {0, 1, 2, 3}


# ---- losses, penalties, answers ----------------------------------------------------------------------


@pytest.mark.parametrize("outputs", [1, 3])
@pytest.mark.parametrize("flat", [True, False])
def test_regression_learns_values_and_is_scored_by_r2(outputs, flat):
    x, y = values(outputs=outputs)
    if flat and outputs == 1:
        y = y[:, 0]
    learner = Learner(
        Network.mlp(2, outputs, rng=rng()), rng=rng(), loss="squared_error", optimizer=Adam(0.1), epochs=60
    )
    assert learner.learn(x, y).classes is None
    prediction = learner.predict(x)
    assert prediction.shape == ((40,) if outputs == 1 else (40, 3))
    expected = r2_score(y.reshape(prediction.shape), prediction, multioutput="variance_weighted")
    assert learner.score(x, y) == pytest.approx(expected, abs=1e-6)
    assert expected > 0.99


def test_binary_cross_entropy_learns_classes():
    learner = learner_of("joint", loss="binary_cross_entropy").learn(*points([0, 1])).learn(*points([2]))
    assert learner.score(*points([0, 1, 2], seed=9)) > 0.9


def test_the_score_of_labels_is_the_share_of_right_answers():
    learner = learner_of().learn(*points([0, 1]))
    x, _ = points([0, 1])
    answers = learner.predict(x)
    answers[:5] = 1 - answers[:5]
    assert learner.score(x, answers) == 0.75
    assert learner.score(x, answers + 50) == 0


def test_the_score_of_constant_values_is_one_for_the_right_constant_and_else_zero():
    network = Network([Linear(2, 1)], rng())
    network.theta = [0.0, 0.0, 1.0]
    learner = Learner(network, rng=rng(), loss="squared_error", steps=1)
    x, _ = values()
    learner.learn(x, np.ones(40))
    assert learner.score(x, np.ones(40)) == 1
    assert learner.score(x, np.full(40, 2.0)) == 0


@pytest.mark.parametrize("term", [L1, ElasticNet])
def test_l1_makes_exact_zeros_and_anchored_leaves_parameters_exactly_as_they_were(term):
    options = {"optimizer": SGD(0.05), "epochs": 10, "batch_size": 16}
    plain = Learner(small_network(), rng=rng(), **options).learn(*points([0, 1]))
    assert plain.network.theta.all()
    sparse = Learner(small_network(), [term(0.2)], rng=rng(), **options).learn(*points([0, 1]))
    assert (sparse.network.theta == 0).mean() > 0.1
    assert sparse.score(*points([0, 1], seed=9)) > 0.9
    anchored = Learner(small_network(), [term(0.2, anchored=True)], rng=rng(), **options)
    before = anchored.learn(*points([0, 1])).network.theta.copy()
    same = anchored.learn(*points([0, 1], seed=5)).network.theta == before
    assert 0.1 < same.mean() < 1
    assert before.all()


def test_long_inputs_are_answered_in_blocks_as_if_at_once():
    learner = learner_of().learn(*points([0, 1]))
    x = rng().normal(size=(10_000, 2)).astype(np.float32)
    assert np.allclose(learner.logits(x), learner.network(x), rtol=1e-5, atol=1e-5)
    assert len(learner.predict(x)) == 10_000


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("bad", [3, 5000])
def test_a_row_too_large_for_the_network_is_refused_with_its_number(dtype, bad):
    learner = learner_of(dtype=dtype).learn(*points([0, 1]))
    learner.network.theta *= 1e5
    x = rng().normal(size=(5010, 2))
    x[bad] = 1e38 if dtype == "float32" else 1e307
    for use in (learner.logits, learner.predict, learner.predict_proba):
        with pytest.raises(ValueError, match=rf"^x is too large for the network in row {bad}: its outputs"):
            use(x)


def test_values_learned_for_a_task_are_predicted_for_it():
    x, y = values()
    learner = Learner(Network.mlp(2, 1, rng=rng()), rng=rng(), loss="squared_error", steps=1)
    assert learner.learn(x, y, task="a").predict(x, task="a").shape == (40,)


@pytest.mark.parametrize("memory", [ReservoirMemory(10), Everything()])
def test_values_are_replayed_from_a_memory_that_needs_no_classes(memory):
    (x, y), (far, far_y) = values(), values(seed=1)
    replay = Method([Replay(loss="squared_error")] if isinstance(memory, ReservoirMemory) else [], memory)
    options = {"loss": "squared_error", "optimizer": Adam(0.1), "epochs": 30}
    errors = []
    for recipe in ("none", replay):
        learner = Learner(Network.mlp(2, 1, rng=rng()), recipe, rng=rng(), **options)
        learner.learn(x, y).learn(far, far_y + 5)
        errors.append(1 - learner.score(x, y))
    assert errors[1] < 0.8 * errors[0]


@pytest.mark.parametrize("recipe", ["replay", Method([Replay(loss="squared_error")], ClassBalancedMemory(3))])
def test_a_memory_by_class_is_refused_where_targets_are_values(recipe):
    with pytest.raises(ValueError, match="ClassBalancedMemory works with classes, but targets are values"):
        Learner(Network.mlp(2, 1, rng=rng()), recipe, rng=rng(), loss="squared_error")


# ---- batches -----------------------------------------------------------------------------------------


@given(st.integers(1, 30), st.integers(1, 40), st.integers(1, 4), st.none() | st.integers(1, 50))
def test_minibatches_take_every_row_once_before_any_comes_again(n, batch_size, epochs, steps):
    batches = list(minibatches(n, batch_size, epochs, steps, rng()))
    a_round = -(-n // batch_size)
    assert len(batches) == (epochs * a_round if steps is None else steps)
    for start in range(0, len(batches), a_round):
        rows = np.concatenate(batches[start : start + a_round]).tolist()
        assert len(set(rows)) == len(rows)
        if start + a_round <= len(batches):
            assert sorted(rows) == list(range(n))
    for k, rows in enumerate(batches):
        assert len(rows) == (batch_size if (k + 1) % a_round else n - (a_round - 1) * batch_size)


def test_every_epoch_is_shuffled_anew():
    first, second = minibatches(50, 50, 2, None, rng())
    assert first.tolist() != second.tolist() != list(range(50))


@pytest.mark.parametrize(
    ("options", "steps"),
    [
        ({"epochs": 3, "batch_size": 8}, 9),
        ({"epochs": 3, "batch_size": 8, "steps": 4}, 4),
        ({"steps": 70}, 70),
    ],
)
def test_a_task_takes_its_epochs_or_its_steps(options, steps):
    learner = Learner(small_network(), rng=rng(), **options)
    for tasks in (1, 2):
        learner.learn(*points([0, 1]))
        assert len(learner.objective_values) == steps
        assert learner.n_tasks == tasks


class Asked(ReservoirMemory):
    """A memory that keeps a record of how many samples it was asked for."""

    def draw(self, n, rng):
        self.asked = [*getattr(self, "asked", []), n]
        return super().draw(n, rng)


def test_at_every_step_as_many_samples_are_replayed_as_a_full_batch_has():
    learner = Learner(small_network(), Method([Replay()], Asked(9)), rng=rng(), batch_size=6, epochs=2)
    for _ in range(2):
        learner.learn(*points([0, 1]))
    assert learner.memory.asked == [6] * 16


# ---- nothing but the generator decides ---------------------------------------------------------------

MIXED = "replay(per_class=4)+logits+l1_anchored(strength=0.001)"


def two_tasks(learner):
    return learner.learn(*points([0, 1]), task=1).learn(*points([2, 0]), task=2)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_same_seed_gives_the_same_bits_and_another_seed_others(dtype):
    same, again, other = (two_tasks(learner_of(MIXED, dtype=dtype, seed=seed)) for seed in (1, 1, 2))
    assert state(same) == state(again)
    assert (same.network.theta != other.network.theta).all()
    assert same.network.theta.dtype == same.predict_proba(points([0])[0]).dtype == dtype


def test_one_recipe_optimizer_and_loss_serve_two_learners_and_stay_as_they_were():
    terms, memory, optimizer, loss = (
        [Replay(), Logits(), L2(0.1, anchored=True)],
        ClassBalancedMemory(4),
        Adam(),
        CrossEntropy(),
    )
    recipe = Method(terms, memory)
    before = state([recipe, optimizer, loss])
    learners = [learner_of(recipe, optimizer=optimizer, loss=loss, seed=seed) for seed in (1, 2)]
    for labels in ([0, 1], [2, 3]):
        for learner in learners:
            learner.learn(*points(labels))
    assert state([recipe, optimizer, loss]) == before
    alone = learner_of(
        Method([Replay(), Logits(), L2(0.1, anchored=True)], ClassBalancedMemory(4)), optimizer=Adam(), seed=2
    )
    alone.learn(*points([0, 1])).learn(*points([2, 3]))
    assert state(learners[1]) == state(alone)


@pytest.mark.parametrize("method", ["none", MIXED, "cumulative+features+elastic_net_anchored+relations"])
@pytest.mark.parametrize(
    "duplicate",
    [copy.deepcopy, lambda learner: pickle.loads(pickle.dumps(learner))],
    ids=["deepcopy", "pickle"],
)
def test_a_copy_goes_on_as_the_original_would_and_alone(method, duplicate):
    original = learner_of(method, steps=10).learn(*points([0, 1]), task="a")
    untouched = state(original)
    twin = two_tasks(duplicate(original))
    assert state(original) == untouched
    assert state(two_tasks(original)) == state(twin)


def test_using_a_learner_changes_nothing():
    learner = two_tasks(learner_of(MIXED))
    before = state(learner)
    x, y = points([0, 1])
    for task in (None, 1):
        learner.predict(x, task)
        learner.predict_proba(x, task)
        learner.score(x, y, task)
    learner.logits(x)
    repr(learner)
    assert state(learner) == before


@pytest.mark.parametrize("method", ["none", MIXED, "joint"])
def test_what_the_caller_does_to_his_arrays_afterwards_does_not_matter(method):
    learner, twin = learner_of(method), learner_of(method)
    x, y = points([0, 1])
    x = x.astype(np.float32)
    learner.learn(x, y)
    twin.learn(x.copy(), y.copy())
    x[:], y[:] = 0, 7
    assert state(learner.learn(*points([2, 3]))) == state(twin.learn(*points([2, 3])))


def test_learning_does_not_change_the_callers_arrays():
    x, y = points([0, 1])
    for array in (x, y):
        array.flags.writeable = False
    learner_of(MIXED).learn(x, y).learn(x, y)


# ---- a term of one's own -----------------------------------------------------------------------------


class Push(BatchTerm):
    """A term of a user's own: keeps half of L₀ and adds the mean of the first logit."""

    loss_weight = 0.5

    def __call__(self, a, batch):
        gradient = np.zeros_like(a[-1])
        gradient[:, 0] = 1 / len(a[-1])
        return float(a[-1][:, 0].mean()), {-1: gradient}


def test_a_term_of_ones_own_joins_the_objective():
    x, y = points([0, 1])
    options = {"steps": 1, "batch_size": 99, "dtype": "float64"}
    plain, own = learner_of(**options), learner_of([Push()], **options)
    (value,), (pushed,) = plain.learn(x, y).objective_values, own.learn(x, y).objective_values
    start = small_network(dtype="float64")
    start.grow(2, rng())
    assert pushed == pytest.approx(value / 2 + start(x)[:, 0].mean(), rel=1e-12)


# ---- bad arguments -----------------------------------------------------------------------------------

BAD = [
    *[("network", bad) for bad in (None, "mlp", Network, [Linear(2, 2)])],
    *[("method", bad) for bad in ("nonesuch", "", "logits(x)", ["logits"], [L2], [3], 3, None)],
    *[("rng", bad) for bad in (0, None, np.random.RandomState(0), np.random)],
    *[("loss", bad) for bad in ("hinge", None, CrossEntropy, L2(), Logits())],
    *[("optimizer", bad) for bad in (SGD, 0.1, "adam", small_network())],
    *[(name, bad) for name in ("batch_size", "epochs") for bad in (0, -1, 1.5, "32", None, True)],
    *[("steps", bad) for bad in (0, -1, 1.5, "32", True)],
    *[("classes", bad) for bad in ([1, 1], [0.5], [None, 1], [[1, 2], [3, 4]], 5)],
]


@pytest.mark.parametrize(("name", "bad"), BAD)
def test_a_bad_argument_is_refused_by_name_and_leaves_the_network_alone(name, bad):
    network = small_network()
    before = state(network)
    arguments = {"network": network, "method": "none", "rng": rng(), "classes": [1, 2], name: bad}
    with pytest.raises(
        (ValueError, TypeError),
        match=r"\bterms\b" if isinstance(bad, list) and name == "method" else rf"\b{name}\b",
    ):
        Learner(**arguments)
    assert state(network) == before


def test_a_generator_must_be_given():
    with pytest.raises(TypeError, match="rng"):
        Learner(small_network())


def test_values_have_no_classes():
    with pytest.raises((TypeError, ValueError), match=r"\bclasses\b"):
        Learner(small_network(), rng=rng(), loss="squared_error", classes=[0, 1])


def test_replay_needs_a_memory():
    with pytest.raises(ValueError, match="memory is missing"):
        Learner(small_network(), [Replay()], rng=rng())


@pytest.mark.parametrize("use", ["predict", "predict_proba", "score"])
@pytest.mark.parametrize("loss", ["cross_entropy", "squared_error"])
def test_before_the_first_task_there_is_no_answer(use, loss):
    learner = Learner(small_network(outputs=1), rng=rng(), loss=loss)
    arguments = ([[1.0, 2.0]], [1]) if use == "score" else ([[1.0, 2.0]],)
    with pytest.raises(ValueError, match="nothing has been learned yet"):
        getattr(learner, use)(*arguments)


def test_values_have_no_probabilities():
    learner = Learner(small_network(outputs=1), rng=rng(), loss="squared_error", steps=1)
    with pytest.raises(ValueError, match="probabilities are of classes"):
        learner.learn(*values()).predict_proba([[1.0, 2.0]])


def test_a_head_that_can_not_grow_refuses_a_new_class():
    learner = Learner(Network([Linear(2, 2), ReLU()], rng()), rng=rng(), steps=1)
    learner.learn(*points([0, 1]))
    with pytest.raises(ValueError, match="only a Linear head can grow"):
        learner.learn(*points([2]))
    assert learner.classes.tolist() == [0, 1]
