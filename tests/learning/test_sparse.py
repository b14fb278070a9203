"""Sparse rows in the learner: learned as the same rows written out, with columns that arrive over time."""

import copy

import numpy as np
import pytest
from scipy.sparse import coo_array, csc_matrix, csr_array, csr_matrix, lil_array

from incrlearn import SGD, Adam, Learner, Linear, Method, Network, Tanh
from incrlearn.learning import (
    L1,
    L2,
    METHODS,
    BatchTerm,
    ClassBalancedMemory,
    Everything,
    Features,
    Logits,
    Relations,
    Replay,
    ReservoirMemory,
    SharedMemory,
    method,
)
from incrlearn.network import Move, Standardize, StandardizeSparse
from tests.network.cases import no_dense
from tests.oracles import agree

from .helpers import rng, state

D = 6
MEMORIES = [None, ReservoirMemory(7), ClassBalancedMemory(3), SharedMemory(5), Everything()]
each_memory = pytest.mark.parametrize("memory", MEMORIES, ids=lambda memory: type(memory).__name__)


def rows(columns, labels, n=20, seed=0):
    """Return rows of which only the first columns are filled, here and there, and their labels."""
    random = rng(seed)
    y = np.resize(labels, n)
    x = (random.normal(size=(n, D)) + np.cos(y[:, None] * np.arange(D))) * (random.random((n, D)) < 0.6)
    x[:, columns:] = 0
    return x, y


TASKS = [rows(3, [0, 1]), rows(4, [1, 2], n=9, seed=1), rows(6, [0, 3], seed=2)]


def recipe(memory, *terms):
    replay = [Replay("n/N")] if memory is not None and not isinstance(memory, Everything) else []
    return Method([*replay, *terms], copy.deepcopy(memory))


def learner_of(layers, method, optimizer=None, dtype="float64"):
    network = Network([*layers, Tanh(), Linear(5, 0)], rng(1), dtype)
    return Learner(network, method, rng=rng(2), optimizer=optimizer or Adam(0.02), epochs=3, batch_size=6)


def plain():
    return [Linear(D, 5, initialization="zeros")]


def arriving():
    """The layers of a network whose columns are found as they arrive, and otherwise as the plain one's."""
    return [StandardizeSparse(D, scaled=False), Linear(0, 5, initialization="zeros")]


@each_memory
@pytest.mark.parametrize("front", [[], [Standardize(D)], [StandardizeSparse(D)]], ids=str)
def test_sparse_rows_are_learned_as_dense_ones(memory, front):
    layers = [*front, Linear(0 if front and isinstance(front[0], StandardizeSparse) else D, 5)]
    dense, sparse = (learner_of(layers, recipe(memory, Features())) for _ in range(2))
    for x, y in TASKS:
        dense.learn(x, y)
        sparse.learn(csr_array(x), y)
    agree(sparse.network.theta, dense.network.theta, 1e-9)
    x, y = rows(6, [0, 1, 2, 3], seed=5)
    agree(sparse.predict_proba(csr_array(x)), dense.predict_proba(x), 1e-9)
    assert sparse.score(csr_array(x), y) == dense.score(x, y)


@each_memory
@pytest.mark.parametrize("kinds", [(np.array, csr_array, np.array), (csr_array, np.array, csr_matrix)])
def test_sparse_and_dense_tasks_may_follow_one_another(memory, kinds):
    dense, mixed = (learner_of(plain(), recipe(memory, Logits())) for _ in range(2))
    for (x, y), kind in zip(TASKS, kinds, strict=True):
        dense.learn(x, y)
        mixed.learn(kind(x), y)
    agree(mixed.network.theta, dense.network.theta, 1e-9)
    if memory is not None:
        assert isinstance(mixed.memory.samples.x, csr_array)
        agree(mixed.memory.samples.x.toarray(), dense.memory.samples.x, 0)


@each_memory
@pytest.mark.parametrize(
    "optimizer", [SGD(0.1), SGD(0.05, momentum=0.9), Adam(0.02)], ids=["SGD", "momentum", "Adam"]
)
def test_a_column_that_arrives_later_is_learned_as_if_it_had_been_there_and_empty(memory, optimizer):
    """New inputs take their place among the old ones, and moments and anchors move along."""
    terms = [L2(0.1, anchored=True), L2(0.01), L1(1e-4, anchored=True), Logits()]
    wide, arrived = (
        learner_of(layers, recipe(memory, *terms), optimizer) for layers in (plain(), arriving())
    )
    for k, (x, y) in enumerate(TASKS):
        wide.learn(x, y)
        arrived.learn(csr_array(x), y)
        known = [3, 4, 6][k]
        assert arrived.network.layers[0].columns.tolist() == list(range(known))
        agree(arrived.network.layers[1].W, wide.network.layers[0].W[:, :known], 1e-9)
        assert not wide.network.layers[0].W[:, known:].any()
        agree(arrived.logits(csr_array(x)), wide.logits(x), 1e-9)
    agree(arrived.network.theta, wide.network.theta, 1e-9)


PAINTERS = [name for name in METHODS if name.startswith("generative") or name == "bir"]


@pytest.mark.parametrize("name", [name for name in METHODS if name not in PAINTERS])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_method_learns_sparse_rows_with_new_columns_without_making_them_dense(name, dtype, monkeypatch):
    learner = learner_of([StandardizeSparse(D), Linear(0, 5)], name, dtype=dtype)
    tasks = [(csr_array(x), y) for x, y in TASKS]
    no_dense(monkeypatch)
    for k, (x, y) in enumerate(tasks):
        task = k if method(name).scenarios == ("task",) else None
        learner.learn(x, y, task)
    assert learner.network.theta.dtype == learner.logits(x, task).dtype == dtype
    assert learner.classes.tolist() == [0, 1, 2, 3]
    assert learner.network.layers[1].inputs == D


def test_rows_of_a_million_million_columns_are_learned_remembered_and_predicted(monkeypatch):
    d, random = 2**40, rng()
    words = random.integers(d, size=8)
    columns = {label: words[4 * label : 4 * label + 4] for label in (0, 1)}

    def task(n=20):
        y = random.integers(2, size=n)
        places = [(i, column) for i, label in enumerate(y) for column in random.choice(columns[label], 2)]
        return coo_array((np.ones(2 * n), np.transpose(places)), shape=(n, d)), y

    no_dense(monkeypatch)
    layers = [StandardizeSparse(d), Linear(0, 5)]
    learner = learner_of(layers, Method([Replay("n/N"), Logits()], SharedMemory(10)))
    for _ in range(3):
        learner.learn(*task())
    assert learner.score(*task(50)) == 1
    assert learner.memory.samples.x.shape == (10, d)


def test_a_first_task_of_empty_rows_is_not_forgotten_when_columns_arrive():
    learner = learner_of([StandardizeSparse(D), Linear(0, 5)], "none")
    empty = csr_array((20, D))
    learner.learn(empty, [3] * 19 + [4])
    p = learner.predict_proba(empty)
    assert p[0, 0] > 0.6
    learner.network.observe(csr_array(TASKS[2][0]), rng())
    agree(learner.predict_proba(empty), p, 0)
    agree(learner.predict_proba(csr_array(TASKS[2][0] * 0)), p, 0)


def test_a_column_that_was_never_filled_changes_no_answer():
    learner = learner_of([StandardizeSparse(D), Linear(0, 5)], "none")
    x, y = TASKS[0]
    learner.learn(csr_array(x), y)
    more = x.copy()
    more[:, 4] = 99
    agree(learner.logits(csr_array(more)), learner.logits(csr_array(x)), 0)


@pytest.mark.parametrize("kind", [csc_matrix, coo_array, lil_array, csr_matrix])
def test_any_sparse_format_is_learned_with_the_same_bits_and_stays_as_it_was(kind):
    one, other = (learner_of([StandardizeSparse(D), Linear(0, 5)], "replay") for _ in range(2))
    for x, y in TASKS:
        given = kind(x)
        one.learn(csr_array(x), y)
        other.learn(given, y)
        assert isinstance(given, kind)
        assert (given.toarray() == x).all()
    assert state(one.network.theta) == state(other.network.theta)
    given = csr_array(x)
    learner = learner_of(plain(), "replay").learn(given, y)
    before = state(learner.memory)
    given.data[:] = 0
    assert state(learner.memory) == before


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (csr_array([[1.0, np.nan]]), "x must be finite"),
        (csr_array([[1.0, -np.inf]]), "x must be finite"),
        (csr_array([[1.0, 1e300]]), "x must be finite"),
        (csr_array([[1.0 + 1j, 1]]), "x must hold real numbers"),
        (csr_array((0, 2)), r"x must have shape \(n_samples, k\), each ≥ 1"),
        (csr_array((1, 3)), "x has 3 features, but the network was built for 2"),
        (csr_array((2, 2)), "x has 2 rows, but y has 1 targets"),
    ],
)
def test_bad_sparse_rows_are_refused_by_name_and_leave_no_trace(x, message):
    learner = Learner(Network.mlp(2, 3, 0, rng=rng()), "replay", rng=rng(), steps=2)
    learner.learn(csr_array(np.eye(2)), [0, 1])
    before = state(learner)
    with pytest.raises((ValueError, TypeError), match=message):
        learner.learn(x, [0])
    assert state(learner) == before
    if "targets" not in message:
        with pytest.raises((ValueError, TypeError), match=message):
            learner.predict(x)


class Importance(BatchTerm):
    """A user's term that remembers something of θ's layout, and something else."""

    def __init__(self, size):
        self.importance, self.other = np.arange(1.0, size + 1), np.ones(size + 1)
        self.table = np.ones((size, size))


def move(place, size):
    """Return a move that changes places alone."""
    return Move(None, 1, "compensate", None, None, place, size)


def test_whatever_has_the_layout_of_theta_moves_with_it_and_nothing_is_changed_in_place():
    optimizer, term, place = Adam(), Importance(4), np.array([0, 2, 3, 5])
    optimizer.m, optimizer.v = np.full(4, 2, np.float32), np.full(4, 3, np.float32)
    held = [{**vars(part)} for part in (optimizer, term)]
    before = state(held)
    for part in (optimizer, term):
        move(place, 7).carry(part)
    assert optimizer.m.tolist() == [2, 0, 2, 2, 0, 2, 0]
    assert optimizer.v.tolist() == [3, 0, 3, 3, 0, 3, 0]
    assert optimizer.m.dtype == np.float32
    assert term.importance.tolist() == [1, 0, 2, 3, 0, 4, 0]
    assert term.other is held[1]["other"]
    assert term.table is held[1]["table"]
    assert state(held) == before
    optimizer.m = moments = np.ones(7)
    move(np.arange(7), 7).carry(optimizer)
    assert optimizer.m is moments


@pytest.mark.parametrize("name", PAINTERS)
def test_sparse_rows_are_not_painted_and_refused_before_the_first_step(name):
    learner = learner_of([StandardizeSparse(D), Linear(0, 5)], name)
    before = state(learner)
    with pytest.raises(ValueError, match=r"^x must be dense where it is to be painted, got a sparse matrix"):
        next(learner.learn_steps(csr_array(np.eye(D)), np.arange(D)))
    assert state(learner) == before


#: what is anchored or measured in θ's layout, and goes along when inputs come into between
REMEMBERING = ["ewc", "ewc(online=True, decay=0.5)", "si", "mas", "ogd(per_task=5)"]


@pytest.mark.parametrize("name", REMEMBERING)
def test_what_a_method_has_measured_goes_along_when_a_column_arrives(name):
    """A network that had the columns from the beginning, with weights that begin at 0, learns the same."""
    wide, arrived = (learner_of(layers, name, SGD(0.05)) for layers in (plain(), arriving()))
    for x, y in TASKS:
        wide.learn(x, y)
        arrived.learn(csr_array(x), y)
        agree(arrived.logits(csr_array(x)), wide.logits(x), 1e-7)
    agree(arrived.network.theta, wide.network.theta, 1e-7)


def test_a_network_for_every_task_goes_along_when_a_column_arrives():
    learner = learner_of(arriving(), "separate")
    answers = []
    for k, (x, y) in enumerate(TASKS):
        learner.learn(csr_array(x), y, task=k)
        answers.append(learner.logits(csr_array(x), task=k))
    for k, (x, _) in enumerate(TASKS[:2]):
        agree(learner.logits(csr_array(x), task=k)[:, : k + 2], answers[k][:, : k + 2], 1e-12)


@pytest.mark.parametrize("name", ["icarl", "replay(memory='herding')"])
def test_samples_are_not_chosen_by_sparse_activations_which_is_said_before_the_first_step(name):
    network = Network([StandardizeSparse(4), Linear(0, 0)], rng())
    learner = Learner(network, name, rng=rng())
    before = state(learner)
    with pytest.raises(ValueError, match=r"^at must be behind a layer with weights where x is sparse"):
        next(learner.learn_steps(csr_array(np.eye(4)), [0, 1, 0, 1]))
    assert state(learner) == before


@pytest.mark.parametrize("term", [Features(), Relations(at=-2), Relations(at=0)])
def test_sparse_activations_are_not_distilled_and_refused_before_the_first_step(term):
    network = Network([StandardizeSparse(4), Linear(0, 0)], np.random.default_rng(0))
    learner = Learner(network, [term], rng=np.random.default_rng(0))
    with pytest.raises(ValueError, match=r"^at must be behind a layer with weights where x is sparse"):
        learner.learn(csr_array(np.eye(4)), [0, 1, 0, 1])
    assert learner.n_tasks == 0
