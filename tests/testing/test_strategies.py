"""The strategies: what they draw, that every extreme is among it, and what it shrinks to."""

import copy
import inspect
import pickle
from functools import cache, partial

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, find, given, settings

from incrlearn import Learner, Method, learning, network
from incrlearn.learning import Loss, ReservoirMemory, SquaredError, Term
from incrlearn.network import (
    Gate,
    Layer,
    Linear,
    Network,
    ReLU,
    Sigmoid,
    Standardize,
    StandardizeSparse,
    Tanh,
)
from incrlearn.network.network import FRONT
from incrlearn.testing import strategies
from incrlearn.testing.strategies import (
    LAYERS,
    TERMS,
    Task,
    arrays_for,
    label_batches,
    layers,
    logits,
    networks,
    tasks,
    terms,
)

QUIET = settings(derandomize=True, database=None, deadline=None, suppress_health_check=list(HealthCheck))
#: within how many examples an extreme must come
SOON = settings(QUIET, max_examples=200, phases=[Phase.generate])
#: what is shrunk, without the reasons, which take longest
SMALLEST = settings(QUIET, max_examples=2000, phases=[Phase.generate, Phase.shrink])


@cache
def examples(strategy):
    """Return the examples among which an extreme must be."""
    drawn = []

    @SOON
    @given(strategy)
    def collect(example):
        drawn.append(example)

    collect()
    return drawn


def smallest(strategy, condition=lambda drawn: True):
    return find(strategy, condition, settings=SMALLEST)


def cases(table):
    """Run a test once for every entry of a table of tuples, by its name."""
    return pytest.mark.parametrize("arguments", [pytest.param(row, id=name) for name, row in table.items()])


def same(drawn, wanted):
    """Say whether arrays, or what they stand in, are the same: values, shapes and dtypes."""
    if isinstance(wanted, tuple | list):
        return len(drawn) == len(wanted) and all(map(same, drawn, wanted))
    if isinstance(wanted, np.ndarray):
        return drawn.dtype == wanted.dtype and drawn.shape == wanted.shape and (drawn == wanted).all()
    return drawn == wanted


MATRIX = arrays_for((None, None))
WIDE = arrays_for((None, None), largest=1e300)
SINGLE = arrays_for((None, None), "float32", largest=1e38)
LOGITS, BATCH = logits(), label_batches(k=3)
CLASSES, IDS = tasks("class", count=3, d=1), tasks("task", count=3, d=1)
LAYER, DENSE, SPARSE = layers(), layers(kinds=Standardize), layers(kinds=StandardizeSparse)
NETWORK = networks()
L2_TERM, LOGITS_TERM = terms(learning.L2), terms(learning.Logits)
TAUGHT = terms(learning.Features, teachers=networks(2, 3))


def has(low, high):
    return lambda x: ((low <= np.abs(x, dtype=float)) & (np.abs(x, dtype=float) < high)).any()


def late(y):
    """Say whether a class comes with the last row."""
    return len(y) > 2 and y[-1] not in y[:-1]


EXTREMES = {
    "a negative zero": (MATRIX, lambda x: ((x == 0) & np.signbit(x)).any()),
    "a subnormal number": (MATRIX, has(5e-324, 2e-308)),
    "the smallest number": (MATRIX, has(5e-324, 1e-323)),
    "1e-300": (MATRIX, has(1e-300, 1.1e-300)),
    "1e4": (MATRIX, has(1e4, np.inf)),
    "1e300": (WIDE, has(1e300, np.inf)),
    "a square that overflows": (WIDE, has(1e155, np.inf)),
    "huge beside tiny": (WIDE, lambda x: has(1e100, np.inf)(x) and has(1e-320, 1e-100)(x)),
    "nothing but huge": (MATRIX, lambda x: x.size > 3 and np.abs(x).min() > 1e3),
    "both signs of the largest": (MATRIX, lambda x: (x == 1e4).any() and (x == -1e4).any()),
    "a subnormal float32": (SINGLE, has(1e-45, 1e-38)),
    "the smallest float32": (SINGLE, has(1e-45, 2e-45)),
    "a huge float32": (SINGLE, has(9e37, np.inf)),
    "all equal": (MATRIX, lambda x: x.size > 5 and x.any() and (x == x[0, 0]).all()),
    "two numbers": (MATRIX, lambda x: x.size > 8 and len(np.unique(x)) == 2),
    "equal rows": (MATRIX, lambda x: min(x.shape) > 2 and len(np.unique(x)) > 1 and (x == x[0]).all()),
    "two equal rows": (MATRIX, lambda x: min(x.shape) > 2 and 1 < len(np.unique(x, axis=0)) < len(x)),
    "nothing equal": (MATRIX, lambda x: x.size > 8 and len(np.unique(np.abs(x))) == x.size),
    "one row": (MATRIX, lambda x: x.shape[0] == 1 and x.shape[1] > 2),
    "one column": (MATRIX, lambda x: x.shape[1] == 1 and x.shape[0] > 2),
    "more rows than columns": (MATRIX, lambda x: x.shape[0] > x.shape[1] > 1),
    "more columns than rows": (MATRIX, lambda x: x.shape[1] > x.shape[0] > 1),
    "a tie of the largest logits": (LOGITS, lambda z: z.shape[1] > 2 and (z == z.max()).sum() == 2),
    "a logit that outshines": (LOGITS, lambda z: z.shape[1] > 1 and np.diff(np.sort(z[0]))[-1] > 1e3),
    "logits far up, close together": (
        LOGITS,
        lambda z: any(row.min() > 800 and 0 < np.ptp(row) < 10 for row in z),
    ),
    "logits far down, close together": (
        LOGITS,
        lambda z: any(row.max() < -800 and 0 < np.ptp(row) < 10 for row in z),
    ),
    "one logit": (LOGITS, lambda z: z.shape[1] == 1),
    "one class": (BATCH, lambda batch: len(batch[1]) > 2 and len(set(batch[1])) == 1),
    "not every class": (BATCH, lambda batch: 0 not in batch[1] or 2 not in batch[1]),
    "every class": (BATCH, lambda batch: set(batch[1]) == {0, 1, 2}),
    "a late class": (BATCH, lambda batch: late(batch[1])),
    "a batch of one row": (BATCH, lambda batch: len(batch[1]) == 1),
    "equal rows of two classes": (
        BATCH,
        lambda batch: batch[0].any() and (batch[0] == batch[0][0]).all() and len(set(batch[1])) > 1,
    ),
    "a task of one row": (CLASSES, lambda stream: len(stream[1].y) == 1),
    "a task of one class": (CLASSES, lambda stream: len(stream[1].y) > 2 and len(set(stream[1].y)) == 1),
    "a late class in a task": (CLASSES, lambda stream: late(stream[1].y)),
    "labels that are strings": (CLASSES, lambda stream: stream[0].y.dtype.kind == "U"),
    "labels in no order": (CLASSES, lambda stream: min(stream[0].y.tolist()) > max(stream[1].y.tolist())),
    "a negative label": (CLASSES, lambda stream: stream[0].y.dtype.kind == "i" and stream[0].y.min() < 0),
    "an old class beside a new one": (CLASSES, lambda stream: set(stream[0].y) & set(stream[1].y)),
    "two new classes": (CLASSES, lambda stream: len(set(stream[1].y) - set(stream[0].y)) == 2),
    "an id that comes again": (IDS, lambda stream: stream[0].id == stream[2].id != stream[1].id),
    "a class of two ids": (
        IDS,
        lambda stream: stream[0].id != stream[1].id and set(stream[0].y) & set(stream[1].y),
    ),
    "an id with a class that is late": (
        IDS,
        lambda stream: stream[0].id == stream[1].id and set(stream[1].y) - set(stream[0].y),
    ),
    "a Linear without a bias": (LAYER, lambda layer: isinstance(layer, Linear) and not layer.bias),
    "a Linear of ties": (
        LAYER,
        lambda layer: isinstance(layer, Linear) and layer.W.size > 3 and not np.ptp(layer.W),
    ),
    "a gate that is open": (LAYER, lambda layer: isinstance(layer, Gate) and layer.mask.all()),
    "a gate that is shut": (LAYER, lambda layer: isinstance(layer, Gate) and not layer.mask.any()),
    "a gate that is half open": (
        LAYER,
        lambda layer: isinstance(layer, Gate) and 0 < layer.mask.mean() < 1,
    ),
    "before the first row": (DENSE, lambda layer: not layer.count),
    "one row observed": (DENSE, lambda layer: layer.count == 1),
    "many rows observed": (DENSE, lambda layer: layer.count > 20),
    "a feature that has not varied": (
        DENSE,
        lambda layer: 0 < (layer.squares == 0).sum() < layer.inputs,
    ),
    "features of different size": (
        DENSE,
        lambda layer: np.ptp(np.log10(layer.scale)) > 6,
    ),
    "a column that was never filled": (
        SPARSE,
        lambda layer: len(layer.columns) < layer.inputs,
    ),
    "a column that was filled later": (
        SPARSE,
        lambda layer: (np.diff(layer.columns) < 0).any(),
    ),
    "one layer": (NETWORK, lambda network: len(network.layers) == 1),
    "no activation": (NETWORK, lambda network: len(network.layers) > 1 and same_kind(network.layers)),
    "an activation in front": (NETWORK, lambda network: isinstance(network.layers[0], ReLU | Tanh)),
    "two activations in a row": (
        NETWORK,
        lambda network: any(
            not (layer.n_parameters or behind.n_parameters)
            for layer, behind in zip(network.layers, network.layers[1:], strict=False)
        ),
    ),
    "a perceptron": (
        NETWORK,
        lambda network: [type(layer) for layer in network.layers] == [Linear, Tanh, Linear],
    ),
    "a Standardize in front": (NETWORK, lambda network: isinstance(network.layers[0], Standardize)),
    "a sparse one in front": (NETWORK, lambda network: isinstance(network.layers[0], StandardizeSparse)),
    "a gate inside": (NETWORK, lambda network: any(isinstance(layer, Gate) for layer in network.layers)),
    "one unit wide": (
        NETWORK,
        lambda network: any(
            isinstance(layer, Linear) and layer.outputs == 1 for layer in network.layers[:-1]
        ),
    ),
    "a strength of 0": (L2_TERM, lambda term: term.strength == 0),
    "a large strength": (L2_TERM, lambda term: term.strength == 1e4),
    "a high temperature": (LOGITS_TERM, lambda term: term.T == 100),
    "a low temperature": (LOGITS_TERM, lambda term: term.T < 0.5),
    "a share of 1": (terms(learning.Replay), lambda term: term.alpha == 1),
    "a teacher": (
        TAUGHT,
        lambda term: term.given,
    ),
    "no teacher": (TAUGHT, lambda term: not term.given),
}


def same_kind(stack):
    return len({type(layer) for layer in stack}) == 1


@cases(EXTREMES)
def test_every_extreme_comes_soon(arguments):
    strategy, condition = arguments
    assert any(condition(example) for example in examples(strategy))


def a(*rows, dtype="float64"):
    return np.array(rows, dtype)


SHRUNK = {
    "an array": (MATRIX, lambda x: True, a([0])),
    "an array of float32": (SINGLE, lambda x: True, a([0], dtype="float32")),
    "a vector": (arrays_for(3), lambda x: True, a(0, 0, 0)),
    "a number": (arrays_for(()), lambda x: True, np.array(0.0)),
    "no rows": (arrays_for((0, 2)), lambda x: True, np.zeros((0, 2))),
    "something positive": (MATRIX, lambda x: x.max() > 0, a([1])),
    "something negative": (MATRIX, lambda x: x.min() < 0, a([-1])),
    "a fraction": (MATRIX, lambda x: (x % 1).any(), a([0.5])),
    "something large": (MATRIX, lambda x: x.max() > 1000, a([10_000])),
    "two rows": (MATRIX, lambda x: len(x) > 1, a([0], [0])),
    "two different rows": (MATRIX, lambda x: len(x) > 1 and (x[0] != x[1]).all(), a([0], [1])),
    "two columns": (MATRIX, lambda x: x.shape[1] > 1, a([0, 0])),
    "a sum": (arrays_for((2, 2)), lambda x: x.sum() > 2, a([0, 0], [0, 3])),
    "where nothing is zero": (arrays_for((2, 2)), np.all, a([1, 1], [1, 1])),
    "where all are different": (arrays_for(3), lambda x: len(np.unique(x)) == 3, a(0, 1, -1)),
    "where little is allowed": (arrays_for(2, largest=1.0), lambda x: x.max() > 0, a(0, 0.25)),
    "logits": (logits(), lambda z: True, a([0])),
    "a largest logit": (logits(2, 3), lambda z: z[1].argmax() == 1, a([0, 0, 0], [0, 1, 0])),
    "a batch": (label_batches(), lambda batch: True, (a([0]), a(0, dtype=int))),
    "two classes": (
        label_batches(d=2, k=3),
        lambda batch: len(set(batch[1])) > 1,
        (a([0, 0], [0, 0]), a(0, 1, dtype=int)),
    ),
    "labels that are given": (
        label_batches(labels=["b", "a"]),
        lambda batch: True,
        (a([0]), a("b", dtype=str)),
    ),
    "a stream": (tasks(), lambda stream: True, [Task(a([0]), a(0, dtype=int), None)]),
    "three tasks": (
        tasks("class"),
        lambda stream: len(stream) == 3,
        [Task(a([0]), a(t, dtype=int), None) for t in range(3)],
    ),
    "three domains": (
        tasks("domain", count=3),
        lambda stream: True,
        [Task(a([0]), a(0, dtype=int), None) for t in range(3)],
    ),
    "three tasks by id": (
        tasks("task", count=3),
        lambda stream: True,
        [Task(a([0]), a(t, dtype=int), t) for t in range(3)],
    ),
    "tasks of values": (
        tasks("domain", count=1, values=2),
        lambda stream: True,
        [Task(a([0]), a([0, 0]), None)],
    ),
}


@cases(SHRUNK)
def test_what_is_drawn_shrinks_to_what_a_human_would_write(arguments):
    strategy, condition, wanted = arguments
    drawn = smallest(strategy, condition)
    assert same(drawn, wanted), drawn


SHRUNK_BY_NAME = {
    "a layer": (layers(), lambda layer: True, "ReLU()"),
    "a layer with parameters": (layers(), lambda layer: layer.n_parameters, "Linear(1, 1)"),
    "a layer without a bias": (
        layers(inputs=2),
        lambda layer: layer.n_parameters and layer.b is None,
        "Linear(2, 1, bias=False)",
    ),
    "a gate": (layers(kinds=Gate), lambda layer: True, "Gate(1 of 1 units)"),
    "a layer that has observed": (layers(), lambda layer: getattr(layer, "count", 0), "Standardize(1)"),
    "a network": (networks(), lambda network: True, "Network([Linear(1, 1)]), 2 parameters, float64"),
    "a network with an activation": (
        networks(kinds=[Sigmoid, Tanh]),
        lambda network: any(isinstance(layer, Tanh) for layer in network.layers),
        "Network([Tanh(), Linear(1, 1)]), 2 parameters, float64",
    ),
    "a network that ends with an activation": (
        networks(head=False),
        lambda network: not isinstance(network.layers[-1], Linear),
        "Network([Linear(1, 1), ReLU()]), 2 parameters, float64",
    ),
    "a network of two layers": (
        networks(2, 3, kinds=Linear, dtype="float32"),
        lambda network: len(network.layers) == 2,
        "Network([Linear(2, 1), Linear(1, 3)]), 9 parameters, float32",
    ),
    "a term": (terms(), lambda term: True, "CrossEntropy()"),
    "a term of values": (terms(values=True), lambda term: True, "SquaredError()"),
    "a term with a teacher": (
        terms(teachers=networks(2, 3)),
        lambda term: getattr(term, "given", False),
        "Logits(alpha=0.5, T=1.0, over='old')",
    ),
}


@cases(SHRUNK_BY_NAME)
def test_what_is_built_shrinks_to_the_plainest(arguments):
    strategy, condition, wanted = arguments
    assert repr(smallest(strategy, condition)) == wanted


def test_parameters_shrink_to_zeros():
    assert not smallest(networks(), lambda network: len(network.layers) == 3).theta.any()
    assert not smallest(layers(kinds=Linear)).W.any()


BOUNDS = {
    "float64": ("float64", 1e4, 0.0),
    "float64, all": ("float64", np.finfo(np.float64).max, 0.0),
    "float64, ordinary": ("float64", 8.0, 1e-3),
    "float64, one size": ("float64", 0.3, 0.3),
    "float64, tiny": ("float64", 1e-300, 0.0),
    "float32": ("float32", 1e4, 0.0),
    "float32, all": ("float32", np.finfo(np.float32).max, 0.0),
    "float32, rounded up": ("float32", 0.1, 1e-5),
    "float32, of a type": (np.float32, 1.0, 0.0),
}


@cases(BOUNDS)
def test_every_number_is_within_the_bounds_and_of_its_dtype(arguments):
    dtype, largest, smallest = arguments
    options = {"dtype": dtype, "largest": float(largest), "smallest": smallest}
    batches = label_batches(**options).map(lambda batch: batch[0])

    @given(arrays_for((None, None), **options) | logits(**options) | batches)
    def check(x):
        size = np.abs(x.astype(np.float64))
        assert x.dtype == dtype
        assert np.isfinite(x).all()
        assert size.max() <= largest
        assert ((size == 0) | (size >= np.asarray(smallest, dtype))).all()
        assert x.flags.writeable
        assert x.flags.c_contiguous

    check()


def test_sizes_are_what_was_asked_for():
    assert smallest(arrays_for((2, 0, 3))).shape == (2, 0, 3)
    assert smallest(arrays_for((st.just(2), None, 3))).shape == (2, 1, 3)
    assert smallest(logits(st.integers(2, 9), 4)).shape == (2, 4)
    assert smallest(arrays_for((200, 30))).shape == (200, 30)
    assert {task.x.shape for task in smallest(tasks(count=2, n=3, d=2))} == {(3, 2)}
    assert {task.y.shape for task in smallest(tasks("task", count=2, n=3, values=2))} == {(3, 2)}


@given(label_batches(k=3), label_batches(labels=["x", "y"]))
def test_batches_hold_known_labels_one_for_each_row(batch, named):
    for (x, y), labels in ((batch, {0, 1, 2}), (named, {"x", "y"})):
        assert len(x) == len(y)
        assert set(y.tolist()) <= labels
    assert batch[1].dtype == np.int64


@given(tasks())
def test_all_tasks_of_a_stream_have_the_same_features_and_kind_of_labels(stream):
    assert len({task.x.shape[1] for task in stream}) == 1
    assert len({task.y.dtype.kind for task in stream}) == 1
    assert all(len(task.x) == len(task.y) >= 1 for task in stream)


@given(tasks("class", count=4))
def test_every_task_of_new_classes_has_one(stream):
    known = set()
    for task in stream:
        assert task.id is None
        assert set(task.y.tolist()) - known
        known |= set(task.y.tolist())


@given(tasks("domain", count=3), tasks("task", count=3))
def test_tasks_are_told_where_their_kind_says_so(domains, told):
    assert [task.id for task in domains] == [None] * 3
    assert told[0].id == 0
    assert all(isinstance(task.id, int) for task in told)


def public(room, base):
    return {kind for _, kind in inspect.getmembers(room, inspect.isclass) if issubclass(kind, base)}


def test_every_layer_of_the_package_is_drawn():
    assert set(LAYERS) == public(network, Layer) - {Layer}
    for kind in LAYERS:
        assert any(type(layer) is kind for layer in examples(LAYER))


def test_every_term_of_the_package_is_drawn():
    of_a_kind = {Term, Loss, *Term.__subclasses__(), learning.Distillation}
    assert set(TERMS) == public(learning, Term) - of_a_kind
    drawn = [type(term) for term in examples(terms() | terms(values=True))]
    assert set(drawn) == set(TERMS)


def rows_for(width, dtype="float64"):
    return arrays_for((3, width), dtype)


@given(st.data(), st.sampled_from(["float64", "float32"]))
def test_a_layer_can_be_used_as_it_comes(data, dtype):
    layer = data.draw(layers(inputs=3, dtype=dtype))
    x = data.draw(rows_for(3, dtype))
    y = layer.forward(x)
    y = y.toarray() if hasattr(y, "toarray") else y
    assert y.dtype == dtype
    assert y.shape == (3, layer.connect(3))
    assert np.isfinite(y).all()
    assert layer.backward(x, y, np.ones_like(y)).shape == x.shape
    gradient = np.zeros(layer.n_parameters, dtype)
    layer.gradient(x, y, gradient)
    assert np.isfinite(gradient).all()


@given(st.data(), st.sampled_from(["float64", "float32"]), st.booleans())
def test_a_network_can_be_used_as_it_comes(data, dtype, head):
    drawn = data.draw(networks(inputs=3, outputs=2, dtype=dtype, head=head))
    assert drawn.dtype == dtype
    assert np.abs(drawn.theta).max(initial=0) <= 4
    a = drawn.forward(data.draw(rows_for(3, dtype)))
    assert a[-1].shape == (3, 2)
    assert drawn.backward(a, {-1: np.ones_like(a[-1])}).shape == drawn.theta.shape
    if head:
        drawn.grow(1, np.random.default_rng(0))
        assert drawn.outputs == 3
    drawn.observe(np.ones((2, 3)), np.random.default_rng(0))


def test_a_network_may_begin_without_an_output():
    assert smallest(networks(2, 0)).outputs == 0


@given(networks(kinds=[Standardize, Tanh]))
def test_only_the_layers_asked_for_stand_before_the_head(drawn):
    front = isinstance(drawn.layers[0], FRONT)
    assert {type(layer) for layer in drawn.layers[:-1]} <= {Standardize, Tanh, *([Linear] if front else [])}


def learned(term, stream, values):
    """Let a learner with that term learn a stream of tasks; return the learner."""
    memory = ReservoirMemory(9, logits=term.wants_logits) if term.replayed else None
    layers = [Linear(2, 3), Tanh(), Linear(3, 2 if values else 0)]
    student = Network(layers, np.random.default_rng(0), "float64")
    learner = Learner(
        student,
        Method([term], memory),
        loss="squared_error" if values else "cross_entropy",
        steps=1,
        rng=np.random.default_rng(0),
    )
    for task in stream:
        learner.learn(*task)
    return learner


@given(st.data(), st.booleans())
def test_every_term_goes_with_every_stream(data, values):
    term = data.draw(terms(values=values))
    stream = data.draw(tasks(d=2, values=2 if values else None, largest=8.0))
    assert learned(term, stream, values).n_tasks == len(stream)


@given(st.data())
def test_terms_with_a_teacher_go_with_a_student_that_fits(data):
    term = data.draw(
        terms([learning.Features, learning.Relations], teachers=networks(2, 2, kinds=[Linear, Tanh]))
    )
    assert learned(term, data.draw(tasks("domain", d=2, values=2, largest=8.0)), values=True).n_tasks


@given(terms(), terms(values=True))
def test_terms_fit_the_kind_of_targets(of_classes, of_values):
    assert not isinstance(of_classes, SquaredError)
    assert not of_values.of_classes
    assert isinstance(of_values, SquaredError) or not isinstance(of_values, Loss)


def test_kinds_may_be_named_by_what_they_are_derived_from():
    drawn = smallest(terms(learning.Projection))
    assert isinstance(drawn, learning.AGEM)
    assert isinstance(smallest(layers(kinds=[Gate, Tanh])), Tanh)


def test_what_is_drawn_twice_shares_nothing():
    strategy = st.tuples(*[layers(kinds=Linear)] * 2)
    first, second = smallest(strategy)
    first.W += 1
    assert not second.W.any()
    x, other = smallest(st.tuples(MATRIX, MATRIX))
    x += 1
    assert not other.any()


def test_strategies_can_be_drawn_from_in_another_process():
    drawn = smallest(networks())
    assert repr(pickle.loads(pickle.dumps(drawn))) == repr(copy.deepcopy(drawn)) == repr(drawn)


REFUSED = {
    "a size": (partial(arrays_for, (2, -1)), ValueError, r"shape\[1\] must be a whole number ≥ 0, got -1"),
    "a size that is none": (partial(logits, 2.5), TypeError, "n must be a whole number, got 2.5"),
    "no rows of a task": (partial(tasks, n=0), ValueError, "n must be a whole number ≥ 1, got 0"),
    "a dtype": (partial(arrays_for, 2, "int64"), ValueError, "dtype must be float32 or float64, got 'int64'"),
    "no dtype": (partial(logits, dtype=None), ValueError, "dtype must be float32 or float64, got None"),
    "another dtype": (partial(layers, dtype="f3"), ValueError, "dtype must be float32 or float64, got 'f3'"),
    "a bound": (
        partial(arrays_for, 2, largest=0),
        ValueError,
        r"largest must be a number in \(0, 1.798e\+308\]",
    ),
    "a bound of float32": (
        partial(networks, dtype="float32", largest=1e39),
        ValueError,
        r"largest must be a number in \(0, 3.403e\+38\], got 1e\+39",
    ),
    "bounds that cross": (
        partial(label_batches, largest=1.0, smallest=2.0),
        ValueError,
        r"smallest must be a number in \[0, 1\], got 2.0",
    ),
    "no labels": (partial(label_batches, labels=[]), ValueError, "must be a whole number ≥ 1, got 0"),
    "a kind of stream": (partial(tasks, "clas"), ValueError, "kind must be one of 'class', 'domain', 'task'"),
    "values of classes": (partial(tasks, "class", values=1), ValueError, "kind must be 'domain' or 'task'"),
    "a kind of layer": (
        partial(layers, kinds=Network),
        ValueError,
        "kinds must be of ReLU, .* got .*Network",
    ),
    "a kind by its name": (partial(layers, kinds="ReLU"), ValueError, "kinds must be of ReLU, .* got 'R"),
    "no kinds": (partial(terms, []), ValueError, "kinds must be of CrossEntropy, .* got 'nothing'"),
    "a term of classes": (partial(terms, learning.Logits, values=True), ValueError, "kinds must be of"),
    "a flag": (partial(terms, values=1), TypeError, "values must be True or False, got 1"),
    "no head": (partial(networks, head=None), TypeError, "head must be True or False, got None"),
    "a depth": (partial(networks, depth=-1), ValueError, "depth must be a whole number ≥ 0, got -1"),
}


@cases(REFUSED)
def test_what_cannot_be_drawn_is_refused_at_once(arguments):
    make, error, message = arguments
    with pytest.raises(error, match=message):
        make()


def test_all_names_are_there_and_have_an_example():
    for name in strategies.__all__:
        assert name == "Task" or ">>>" in getattr(strategies, name).__doc__
