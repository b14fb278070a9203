"""Features and targets of any scale: learned alike, and what was learned stays while the scale moves."""

from itertools import pairwise

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given
from scipy.sparse import csr_array
from sklearn.metrics import r2_score

from incrlearn import Adam, Learner, Linear, Method, Network, Tanh
from incrlearn.learning import (
    EWC,
    L2,
    MAS,
    OGD,
    SI,
    ClassBalancedMemory,
    Everything,
    Features,
    Relations,
    Replay,
    ReservoirMemory,
    Separate,
    SharedMemory,
    SquaredError,
)
from incrlearn.network import SGD, Standardize, StandardizeSparse
from tests.oracles import agree

from .helpers import points, rng, state

WEIGHTS = np.array([[2.0, -1.0, 0.5], [1.0, 3.0, -2.0]])


def regressor(method="none", outputs=1, front=True, dtype="float64", **options):
    layers = [Standardize(2)] if front else []
    network = Network([*layers, Linear(2, 8), Tanh(), Linear(8, outputs)], rng(), dtype)
    options = {"optimizer": Adam(0.02), "epochs": 20, "batch_size": 16, **options}
    return Learner(network, method, rng=rng(1), loss=SquaredError(standardized=True), **options)


def values(n=60, outputs=1, seed=0):
    x = rng(seed).normal(size=(n, 2))
    return x, x @ WEIGHTS[:, :outputs]


@pytest.mark.parametrize("outputs", [1, 3])
@pytest.mark.parametrize(("scale", "shift"), [(1, 0), (1, 1e9), (1e150, 0), (1e-150, 0), (1e9, -1e12)])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_targets_of_any_scale_are_learned(outputs, scale, shift, dtype):
    learner = regressor(outputs=outputs, dtype=dtype, epochs=60)
    x, y = values(outputs=outputs)
    y = scale * y + shift
    learner.learn(x[:20], y[:20]).learn(x[20:], y[20:])
    unit = (learner.predict(x).reshape(y.shape) - shift) / scale
    expected = r2_score((y - shift) / scale, unit, multioutput="variance_weighted")
    assert expected > 0.97
    if scale < 1e100:
        assert learner.score(x, y) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("first", ["a row", "constants", "rows"])
@pytest.mark.parametrize("exponent", [-400, -30, 30, 400])
def test_the_unit_of_features_and_targets_makes_no_difference(first, exponent):
    """2ᵏ times as large, and the answers are 2ᵏ times as large to the bit, whatever came first."""
    x, y = values()
    cuts = {"a row": [0, 1, 30, 60], "constants": [0, 10, 60], "rows": [0, 20, 60]}[first]
    if first == "constants":
        y[:10] = 3
    unit = 2.0**exponent
    one, other = (regressor(Method([Replay("n/N")], ReservoirMemory(20)), epochs=2) for _ in range(2))
    for i, j in pairwise(cuts):
        one.learn(x[i:j], y[i:j])
        other.learn(x[i:j] * unit, y[i:j] * unit)
        assert (other.predict(x * unit) == one.predict(x) * unit).all()
    assert state(one.network.theta) == state(other.network.theta)


def test_targets_that_have_not_varied_are_predicted_as_what_they_were():
    learner = regressor(outputs=2)
    x, _ = values()
    learner.learn(x, np.tile([0.1, 1e20 / 3], (60, 1)))
    assert (learner.predict(10 * x) == [0.1, 1e20 / 3]).all()
    assert learner.score(x, np.tile([0.1, 1e20 / 3], (60, 1))) == 1


@pytest.mark.parametrize("front", [True, False])
@pytest.mark.parametrize("outputs", [1, 3])
def test_what_was_predicted_is_predicted_still_when_the_scales_move(front, outputs):
    """Steps of a length of almost nothing: what changes is the scale alone."""
    learner = regressor(outputs=outputs, front=front)
    x, y = values(outputs=outputs)
    learner.learn(x, y)
    before = learner.predict(x)
    learner.optimizer = SGD(1e-30)
    far = 100 * x + 50 if front else x
    learner.learn(far, 1e3 * y + 7e3)
    assert learner._targets.statistics.scale.min() > 100
    agree(learner.predict(x), before, 1e-9)
    learner.learn(x[:1], y[:1])
    agree(learner.predict(x), before, 1e-9)


#: what a student has in common with its teacher when a task begins: all
TEACHERS = {
    "logits as values": Features(1.0, at=-1),
    "features": Features(1.0),
    "relations of features": Relations(at=-2),
    "relations of one value": Relations(),
}


@pytest.mark.parametrize("term", TEACHERS.values(), ids=TEACHERS)
def test_when_a_task_begins_the_student_says_what_its_teacher_says_in_whatever_scale(term):
    x, y = values()
    options = {"optimizer": SGD(0.01), "steps": 5, "batch_size": 60}
    plain, taught = regressor(**options), regressor([term], **options)
    for learner in (plain, taught):
        learner.learn(x, y).learn(2 * x + 1, 1e4 * y + 1e5)
    agree(taught.objective_values[0], plain.objective_values[0], 1e-12)
    assert taught.objective_values[1] > plain.objective_values[1]


def test_a_network_that_teaches_values_holds_the_student_to_what_it_said():
    """Without the teacher it forgets; with one it does not, although the targets' scale has moved by 10⁴."""
    x, y = values()
    errors = []
    for terms in ([], [Features(1e3, at=-1)]):
        learner = regressor(terms).learn(x, y)
        learner.learn(x, 1e4 * np.abs(y) + 1e4)
        errors.append(np.abs(learner.predict(x) - y[:, 0]).mean())
    assert errors[1] < 100 < 1e4 < errors[0]


def test_a_given_teacher_stays_as_it_was_given():
    teacher = Network.mlp(2, 3, 1, rng=rng(5), dtype="float64")
    learner = regressor([Features(1.0, at=-1, teacher=teacher)], epochs=1)
    x, y = values()
    learner.learn(x, y).learn(x, 100 * y)
    assert state(learner.terms[0].teacher.theta) == state(teacher.theta)


@pytest.mark.parametrize("memory", [ReservoirMemory(30), Everything()], ids=lambda m: type(m).__name__)
def test_replayed_values_are_taught_in_the_scale_of_today(memory):
    terms = [Replay("n/N")] if isinstance(memory, ReservoirMemory) else []
    learner = regressor(Method([*terms, L2(1e-6, anchored=True)], memory), epochs=60)
    (x, y), (far, far_y) = values(), values(seed=1)
    learner.learn(x, y[:, 0]).learn(far + 8, 50 * far_y[:, 0] + 300)
    assert np.abs(learner.predict(x) - y[:, 0]).mean() < 20
    assert learner.score(far + 8, 50 * far_y[:, 0] + 300) > 0.9
    assert np.isin(learner.memory.samples.y, np.concatenate([y[:, 0], 50 * far_y[:, 0] + 300])).all()


@pytest.mark.parametrize("memory", [ClassBalancedMemory(3), SharedMemory(3)], ids=lambda m: type(m).__name__)
def test_a_memory_by_class_is_refused_where_targets_are_standardized_values(memory):
    with pytest.raises(ValueError, match=r"Memory works with classes, but targets are values"):
        regressor(Method([Replay()], memory))


def test_a_head_that_can_not_be_compensated_is_refused_before_anything_is_learned():
    with pytest.raises(ValueError, match=r"^Linear\(2, 1, bias=False\) must be a Linear with a bias"):
        Learner(Network([Linear(2, 1, bias=False)], rng()), rng=rng(), loss=SquaredError(standardized=True))


def test_targets_too_large_are_refused_by_name_and_leave_no_trace():
    learner = regressor("features").learn(*values())
    before = state(learner)
    with pytest.raises(
        ValueError, match=r"^y must have a finite variance, got values up to 1e\+200 in column 0"
    ):
        learner.learn([[1.0, 2.0]], [1e200])
    assert state(learner) == before


# ---- features ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("method", ["none", "replay", "logits", "features"])
def test_features_of_any_scale_are_learned_as_if_they_were_of_size_one(dtype, method):
    def classifier():
        network = Network([Standardize(2), Linear(2, 8), Tanh(), Linear(8, 0)], rng(), dtype)
        return Learner(network, method, rng=rng(1), optimizer=Adam(0.02), epochs=10)

    one, other = classifier(), classifier()
    unit = np.array([2.0**80, 2.0**-80])
    for k in (0, 2):
        x, y = points([k, k + 1])
        one.learn(x, y)
        other.learn(x * unit, y)
    assert state(one.network.theta) == state(other.network.theta)
    x, _ = points([0, 1, 2, 3], seed=9)
    assert (other.logits(x * unit) == one.logits(x)).all()


def test_a_teacher_leaves_out_a_feature_that_had_not_varied_when_it_was_taught():
    """It has learned nothing of it, so that it may be of any size in the next task."""
    x, y = points([0, 1])
    network = Network([Standardize(3), Linear(3, 8), Tanh(), Linear(8, 0)], rng(), "float64")
    learner = Learner(network, "logits", rng=rng(1), epochs=2)
    learner.learn(np.c_[x, np.full(20, 0.1)], y)
    teacher = learner.terms[0].teacher
    answers = teacher(np.c_[x, np.full(20, 0.1)])
    agree(teacher(np.c_[x, 1e12 * x[:, 1]]), answers, 0)
    learner.learn(np.c_[x, 1e12 * x[:, 1]], y)
    assert max(learner.objective_values) < 2


def test_a_scale_that_moves_further_than_float32_reaches_is_reported_and_leaves_no_trace():
    network = Network([Standardize(1), Linear(1, 3), Tanh(), Linear(3, 0)], rng())
    learner = Learner(network, "replay", rng=rng(), steps=3)
    learner.learn([[1e-20], [2e-20]] * 8, [0, 1] * 8)
    before = state(learner)
    with pytest.raises(FloatingPointError, match=r"became (inf|-inf|nan) at step 1 of task 2$"):
        learner.learn([[1e25], [2e25]], [0, 1])
    assert state(learner) == before


# ---- what is measured in θ's layout ------------------------------------------------------------------

SCALES = st.lists(st.floats(1e-3, 1e3), min_size=2, max_size=2)
SHIFTS = st.lists(st.floats(-100, 100), min_size=2, max_size=2)
CONSOLIDATING = [EWC(1.0), EWC(1.0, online=True, decay=0.5), SI(1.0), MAS(1.0)]
each_consolidating = pytest.mark.parametrize("term", CONSOLIDATING, ids=lambda term: type(term).__name__)


def after_two_tasks(term, sparse=False):
    """Return a learner that has learned two tasks, and has gone on a little from there."""
    front = [StandardizeSparse(2), Linear(0, 8)] if sparse else [Standardize(2), Linear(2, 8)]
    network = Network([*front, Tanh(), Linear(8, 0)], rng(), "float64")
    method = term if isinstance(term, Method) else [term]
    learner = Learner(network, method, rng=rng(1), optimizer=SGD(0.05), epochs=2)
    for k in (0, 2):
        x, y = points([k, k + 1], n=20)
        learner.learn(csr_array(x) if sparse else x, y, task=k)
    return learner


def move_on(learner, rows):
    """Let the scale see other rows, and everything that is remembered follow; return the move."""
    move = learner.network.observe(rows, learner.rng)
    learner._follow(move)
    return move


def as_wide(network, scale):
    """Return rows after which the features' scale is as many times what it was, and their mean the same."""
    front = network.layers[0]
    away = front.scale * np.sqrt(2 * np.square(scale) - 1) if min(scale) >= 1 else front.scale * scale
    ways = np.repeat([[1.0], [-1.0]], front.count // 2, axis=0)
    return front.mean + ways * away


@each_consolidating
@given(SCALES)
def test_where_features_are_only_rescaled_a_penalty_is_what_it_was_and_so_is_its_gradient(term, scale):
    """λ/2 Σ Ω (θ − θ*)² is the same number, and its gradient that of the same function."""
    learner = after_two_tasks(term)
    learner.network.theta += rng(5).normal(size=len(learner.network.theta))
    value, gradient = learner.terms[0](learner.network.theta)
    mean = learner.network.layers[0].mean
    move = move_on(learner, as_wide(learner.network, scale))
    agree(learner.network.layers[0].mean, mean, 1e-9, floor=1)
    moved, its_gradient = learner.terms[0](learner.network.theta)
    agree(moved, value, 1e-6)
    agree(its_gradient, move.gradient(gradient), 1e-6, floor=np.abs(its_gradient).max())
    assert value > 0


@each_consolidating
@given(SCALES)
def test_where_sparse_columns_are_only_rescaled_a_penalty_is_what_it_was(term, scale):
    learner = after_two_tasks(term, sparse=True)
    learner.network.theta += rng(5).normal(size=len(learner.network.theta))
    value, gradient = learner.terms[0](learner.network.theta)
    x, _ = points([1, 3])
    move = move_on(learner, csr_array(x * scale))
    moved, its_gradient = learner.terms[0](learner.network.theta)
    agree(moved, value, 1e-9)
    agree(its_gradient, move.gradient(gradient), 1e-9, floor=np.abs(its_gradient).max())


@each_consolidating
@given(SCALES, SHIFTS)
def test_wherever_the_scale_goes_a_penalty_is_zero_where_the_network_is_what_it_was(term, scale, shift):
    learner = after_two_tasks(term)
    x, _ = points([1, 3])
    learner.network.theta = learner.terms[0].anchor
    kept = learner.logits(x)
    move_on(learner, x * scale + shift)
    value, gradient = learner.terms[0](learner.network.theta)
    strength = learner.terms[0].importance.max()
    assert value <= 1e-15 * strength * np.square(learner.network.theta).max()
    assert np.abs(gradient).max() <= 1e-9 * strength * np.abs(learner.network.theta).max()
    agree(learner.logits(x), kept, 1e-9, floor=1)
    assert (learner.terms[0].importance >= 0).all()


@given(SCALES, SHIFTS)
def test_directions_that_are_kept_span_the_same_wherever_the_scale_goes(scale, shift):
    """A step that leaves them alone leaves old answers alone, to the first order, as it did before."""
    learner = after_two_tasks(OGD(5))
    term = learner.terms[0]
    old = term.basis
    x, _ = points([1, 3])
    move = move_on(learner, x * scale + shift)
    agree(term.basis @ term.basis.T, np.eye(len(term.basis)), 1e-9, floor=1)
    for row in old:
        moved = move.gradient(row)
        outside = moved - term.basis.T @ (term.basis @ moved)
        assert np.linalg.norm(outside) <= 1e-4 * np.linalg.norm(moved)


@given(SCALES, SHIFTS)
def test_a_network_for_every_task_answers_as_it_did_wherever_the_scale_goes(scale, shift):
    learner = after_two_tasks(Method(isolation=Separate()))
    x, _ = points([0, 1, 2, 3])
    before = [learner.logits(x, task=k) for k in (0, 2)]
    move_on(learner, x * scale + shift)
    for k, logits in zip((0, 2), before, strict=True):
        agree(learner.logits(x, task=k), logits, 1e-9, floor=1)


@pytest.mark.parametrize("name", ["ewc", "si", "mas", "ogd(per_task=5)", "separate", "replay+lwf"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_unit_of_features_makes_no_difference_to_what_is_remembered_of_them(name, dtype):
    """2ᵏ times as large from the beginning, and everything is the same to the bit."""
    unit, thetas = np.array([2.0**60, 2.0**-60]), []
    for scale in (1, unit):
        network = Network([Standardize(2), Linear(2, 8), Tanh(), Linear(8, 0)], rng(), dtype)
        learner = Learner(network, name, rng=rng(1), optimizer=SGD(0.01), epochs=3)
        for k in (0, 1, 2):
            x, y = points([k, k + 1], seed=k)
            learner.learn(x * (1 + k) * scale, y, task=k)
        thetas.append(state(network.theta))
    assert thetas[0] == thetas[1]


@pytest.mark.parametrize("name", ["ewc", "si", "mas", "ogd(per_task=2)", "separate"])
def test_what_is_remembered_may_be_moved_further_than_float32_reaches_only_with_an_error(name):
    network = Network([Standardize(1), Linear(1, 3), Tanh(), Linear(3, 0)], rng())
    learner = Learner(network, name, rng=rng(), optimizer=SGD(0.01), steps=3)
    learner.learn([[1e-20], [2e-20]] * 8, [0, 1] * 8, task="a")
    before = state(learner)
    with pytest.raises(
        (FloatingPointError, ValueError), match="inf"
    ):  # the activations hide it from the logits
        learner.learn([[1e25], [2e25]], [0, 1], task="a")
    assert state(learner) == before
