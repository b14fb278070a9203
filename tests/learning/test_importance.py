"""Importances: Fisher information, sensitivity and path integral, beside plain loops and autograd."""

from functools import partial

import autograd
import autograd.numpy as anp
import numpy as np
import pytest
from scipy.sparse import csr_array

from incrlearn import Network
from incrlearn.learning import importance
from incrlearn.learning.importance import fisher, path_integral, sensitivity
from incrlearn.learning.samples import ALL, Batch, Classes, Part, Samples, Values
from incrlearn.network import Gate, Layer, Linear, ReLU, Sigmoid, Standardize, StandardizeSparse, Tanh
from tests import oracles
from tests.network.cases import INPUTS, activations, no_dense, observed, same_bits
from tests.oracles import agree

RNG = np.random.default_rng
N, OUTPUTS = 9, 5

NETWORKS = {
    "one layer": lambda: [Linear(INPUTS, OUTPUTS)],
    "Tanh": lambda: [Linear(INPUTS, 6), Tanh(), Linear(6, OUTPUTS)],
    "ReLU, three layers": lambda: [Linear(INPUTS, 6), ReLU(), Linear(6, 4), ReLU(), Linear(4, OUTPUTS)],
    "Sigmoid, no bias": lambda: [Linear(INPUTS, 6, bias=False), Sigmoid(), Linear(6, OUTPUTS, bias=False)],
    "Gate": lambda: [Linear(INPUTS, 6), Tanh(), Gate([1, 0, 1, 1, 0, 1]), Linear(6, OUTPUTS)],
    "Standardize": lambda: [observed(Standardize), Linear(INPUTS, 6), Tanh(), Linear(6, OUTPUTS)],
    "StandardizeSparse": lambda: [observed(StandardizeSparse), Linear(3, 6), ReLU(), Linear(6, OUTPUTS)],
    "an activation first": lambda: [Tanh(), Linear(INPUTS, 6), ReLU(), Linear(6, OUTPUTS), Tanh()],
}
LEFT, RIGHT = np.array([0, 3, 4, 8]), np.array([1, 2, 5, 6, 7])
PARTS = {
    "all classes": [(ALL, slice(0, OUTPUTS))],
    "the classes so far": [(ALL, slice(0, 3))],
    "the classes of a task": [(ALL, slice(2, 5))],
    "a task whose classes are scattered": [(ALL, np.array([0, 3, 4]))],
    "a single class": [(ALL, slice(1, 2))],
    "two tasks": [(LEFT, slice(0, 2)), (RIGHT, slice(2, 5))],
    "two tasks whose classes are scattered": [np.ix_(LEFT, [0, 3]), np.ix_(RIGHT, [1, 2, 4])],
    "tasks of every kind": [(LEFT, slice(0, 5)), np.ix_(RIGHT[:1], [2]), np.ix_(RIGHT[1:], [0, 1, 4])],
}
each_network = pytest.mark.parametrize("layers", NETWORKS.values(), ids=NETWORKS)
each_index = pytest.mark.parametrize("index", PARTS.values(), ids=PARTS)
DTYPES = {"float32": 1e-6, "float64": 1e-12}
each_dtype = pytest.mark.parametrize("dtype", DTYPES)


def build(layers, dtype="float64", seed=0):
    return Network(layers(), RNG(seed), dtype)


def rows(n=N, seed=1):
    return RNG(seed).normal(size=(n, INPUTS))


def selected(index, n=N):
    """Return which rows and which outputs an index selects, as two lists."""
    return [np.arange(size)[at].ravel().tolist() for size, at in zip((n, OUTPUTS), index, strict=True)]


def classes(index=PARTS["all classes"], x=None, seed=2):
    """Return a batch whose targets are classes, drawn among those that compete."""
    x = rows() if x is None else x
    parts, y = [], np.zeros(x.shape[0], int)
    for at in index:
        i, columns = selected(at, x.shape[0])
        within = RNG(seed).integers(len(columns), size=len(i))
        y[i] = np.array(columns)[within]
        parts.append(Part(at, within, len(i) / x.shape[0]))
    return Batch(x, y, parts, [slice(0, OUTPUTS)])


def values(x=None, seed=2, outputs=OUTPUTS):
    """Return a batch whose targets are values."""
    x = rows() if x is None else x
    y = RNG(seed).normal(size=(x.shape[0], outputs))
    return Batch(x, y, [Part((ALL, ALL), y, 1.0)], [ALL])


def distribution(z):
    e = np.exp(z - z.max())
    return e / e.sum()


def exact(z, y):
    """Return p(c|x) and ∂ log p(c|x)/∂z for every class c."""
    p = distribution(z)
    return [(p[c], np.eye(len(p))[c] - p) for c in range(len(p))]


def empirical(z, y):
    return [(1, np.eye(len(z))[y] - distribution(z))]


def exact_of_values(z, y):
    return [(1, direction) for direction in np.eye(len(z))]


def empirical_of_values(z, y):
    return [(1, y - z)]


def by_loop(network, batch, objectives, of=np.square):
    """Return Ω by a loop over samples and objectives: one row, one gradient at a time."""
    omega = np.zeros(len(network.theta))
    for part in batch.parts:
        i, columns = selected(part.index, len(batch))
        for row, y in zip(i, part.y, strict=True):
            a = network.forward(batch.x[[row]])
            for weight, gradient in objectives(a[-1][0, columns].astype(np.float64), y):
                at_logits = np.zeros((1, OUTPUTS))
                at_logits[0, columns] = gradient
                omega += weight * of(network.backward(a, {-1: at_logits}))
    return omega / len(batch)


def by_autograd(network, batch, objectives, of=np.square):
    """Return Ω from the logarithms of probabilities alone: objectives(z, y) gives weights and functions."""
    theta, omega = network.theta.copy(), np.zeros(len(network.theta))
    for part in batch.parts:
        i, columns = selected(part.index, len(batch))
        for row, y in zip(i, part.y, strict=True):
            x = batch.x[[row]]

            def competing(theta, x=x, columns=columns):
                return activations(network, theta, x)[-1][:, columns]

            for weight, function in objectives(competing(theta), y):

                def objective(theta, function=function, competing=competing):
                    return function(competing(theta)) + 0 * theta.sum()

                omega += weight * of(autograd.grad(objective)(theta))
    return omega / len(batch)


def log_p(c, z):
    return oracles.log_softmax(z)[0, c]


def log_normal(y, z):
    return -anp.sum((y - z) ** 2) / 2


ORACLES = {
    "exact": lambda z, y: [(np.exp(log_p(c, z)), partial(log_p, c)) for c in range(z.shape[1])],
    "empirical": lambda z, y: [(1, partial(log_p, y))],
}


# Fisher


@each_network
@each_index
@each_dtype
@pytest.mark.parametrize(("labels", "objectives"), [("exact", exact), ("empirical", empirical)])
def test_the_fisher_information_is_that_of_a_loop_over_samples_and_classes(
    layers, index, dtype, labels, objectives
):
    network, batch = build(layers, dtype), classes(index)
    omega = fisher(network, batch, labels)
    assert omega.dtype == dtype
    agree(omega, by_loop(network, batch, objectives), DTYPES[dtype], floor=1e-9)


@each_network
@each_index
@pytest.mark.parametrize("labels", ORACLES)
def test_the_fisher_information_agrees_with_autograd(layers, index, labels):
    network, batch = build(layers), classes(index)
    agree(fisher(network, batch, labels), by_autograd(network, batch, ORACLES[labels]), 1e-10, floor=1e-9)


@each_network
@each_dtype
@pytest.mark.parametrize(
    ("labels", "objectives"), [("exact", exact_of_values), ("empirical", empirical_of_values)]
)
def test_the_fisher_information_of_values_is_that_of_a_loop(layers, dtype, labels, objectives):
    network, batch = build(layers, dtype), values()
    omega = fisher(network, batch, labels)
    assert omega.dtype == dtype
    agree(omega, by_loop(network, batch, objectives), DTYPES[dtype])


@each_network
def test_the_empirical_fisher_information_of_values_is_that_of_a_normal_density(layers):
    network, batch = build(layers), values()
    oracle = by_autograd(network, batch, lambda z, y: [(1, partial(log_normal, y))])
    agree(fisher(network, batch, "empirical"), oracle, 1e-10)


@pytest.mark.parametrize("name", ["one layer", "ReLU, three layers", "StandardizeSparse"])
@each_dtype
@pytest.mark.parametrize("index", [PARTS["all classes"], PARTS["two tasks whose classes are scattered"]])
def test_sparse_rows_have_the_importances_of_dense_ones(name, dtype, index, monkeypatch):
    network = build(NETWORKS[name], dtype)
    x = rows() * (RNG(4).random((N, INPUTS)) < 0.5)
    measures = [sensitivity, *(partial(fisher, labels=labels) for labels in ORACLES)]
    expected = [measure(network, classes(index, x)) for measure in measures]
    sparse = classes(index, csr_array(x))
    no_dense(monkeypatch)
    for measure, wanted in zip(measures, expected, strict=True):
        agree(measure(network, sparse), wanted, DTYPES[dtype])


def logistic(theta, inputs=2, outputs=2):
    network = Network([Linear(inputs, outputs)], RNG(0), "float64")
    network.theta = theta
    return network


X, Y = np.array([[2.0, 1.0], [0.0, -3.0]]), np.array([0, 1])
#: p = (¼, ¾) whatever x is
THETA = [0, 0, 0, 0, 0, np.log(3)]


def of_two(x=X, y=Y):
    return Batch(x, y, [Part((ALL, slice(0, 2)), y, 1.0)], [slice(0, 2)])


def test_a_logistic_regression_worked_by_hand():
    """x² has the mean (2, 5); p(1 − p) = 3/16; (e_y − p)² = 9/16 in the first row, 1/16 in the second."""
    unit = [3 / 8, 15 / 16, 3 / 16]
    agree(fisher(logistic(THETA), of_two()), [*unit, *unit], 1e-14)
    unit = [9 / 8, 9 / 16, 5 / 16]
    agree(fisher(logistic(THETA), of_two(), "empirical"), [*unit, *unit], 1e-14)


def test_a_linear_regression_worked_by_hand():
    """The information about a weight is the mean of x², about a bias 1, wherever they are."""
    y = np.array([[1.0, -1.0], [5.0, 0.0]])
    batch = Batch(X, y, [Part((ALL, ALL), y, 1.0)], [ALL])
    for theta in (np.zeros(6), np.arange(6.0)):
        agree(fisher(logistic(theta), batch), [2, 5, 1, 2, 5, 1], 1e-14)
    # (y − z)² is 1 and 1 in the first row, 25 and 0 in the second
    agree(fisher(logistic(np.zeros(6)), batch, "empirical"), [2, 113, 13, 2, 0.5, 0.5], 1e-14)


def test_it_is_not_the_square_of_the_batch_s_mean_gradient():
    """At the minimum of the loss the mean gradient is zero, and the importance is not."""
    network, x = logistic(np.zeros(6)), np.array([[2.0, 1.0], [2.0, 1.0]])
    batch = of_two(x)
    a = network.forward(x)
    p = np.full((2, 2), 0.5)
    assert not network.backward(a, {-1: p - np.eye(2)[Y]}).any()
    for labels in ("exact", "empirical"):
        agree(fisher(network, batch, labels), [1, 0.25, 0.25] * 2, 1e-14)


MEASURES = {
    "exact": fisher,
    "empirical": partial(fisher, labels="empirical"),
    "sensitivity": sensitivity,
}
each_measure = pytest.mark.parametrize("measure", MEASURES.values(), ids=MEASURES)


@each_network
@each_measure
@pytest.mark.parametrize("index", [PARTS["all classes"], PARTS["two tasks"], None])
def test_a_duplicated_batch_and_another_order_of_rows_change_nothing(layers, measure, index):
    network = build(layers)
    whole = values() if index is None else classes(index)
    expected = measure(network, whole)

    def of_rows(order):
        parts = []
        for part in whole.parts:
            i, columns = selected(part.index)
            there = [place for place, row in enumerate(order) if row in i]
            y = np.array([part.y[i.index(order[place])] for place in there])
            parts.append(Part(np.ix_(there, columns), y, len(there) / len(order)))
        return Batch(whole.x[order], whole.y[order], parts, whole.heads)

    agree(measure(network, of_rows([*range(N), *range(N)])), expected, 1e-13)
    agree(measure(network, of_rows(RNG(5).permutation(N).tolist())), expected, 1e-13)


@each_network
@each_index
@each_measure
def test_importances_are_not_negative_and_zero_for_outputs_that_do_not_compete(layers, index, measure):
    network = build(layers, "float32")
    omega = measure(network, classes(index))
    assert omega.shape == network.theta.shape
    assert omega.min() >= 0
    head = next(layer for layer in reversed(network.layers) if isinstance(layer, Linear))
    units = omega[-head.n_parameters :].reshape(OUTPUTS, -1)
    competing = sorted({column for at in index for column in selected(at)[1]})
    assert not np.delete(units, competing, axis=0).any()
    if measure is sensitivity:
        assert units[competing].any(axis=1).all()


def test_a_single_class_tells_nothing_and_a_silent_unit_does_not_matter():
    assert not fisher(build(NETWORKS["Tanh"]), classes(PARTS["a single class"])).any()
    omega = fisher(build(NETWORKS["Gate"]), classes())
    units = omega[: 6 * (INPUTS + 1)].reshape(6, -1)
    assert units.any(axis=1).tolist() == [True, False, True, True, False, True]


@each_measure
@each_dtype
@pytest.mark.parametrize("index", [PARTS["all classes"], PARTS["tasks of every kind"], None])
@pytest.mark.parametrize("limits", [{"ROWS": 1}, {"ROWS": 2}, {"ENTRIES": 1}, {"ENTRIES": 100}], ids=str)
def test_blocks_of_rows_change_nothing(measure, dtype, index, limits, monkeypatch):
    network = build(NETWORKS["ReLU, three layers"], dtype)
    batch = values() if index is None else classes(index)
    expected = measure(network, batch)
    for name, limit in limits.items():
        monkeypatch.setattr(importance, name, limit)
    agree(measure(network, batch), expected, DTYPES[dtype])


@pytest.mark.parametrize(("limit", "rows_at_once"), [(10**9, 9), (5 * 6 * 4, 4), (5 * 6 * 4 - 1, 3), (1, 1)])
def test_as_many_rows_go_through_at_once_as_memory_allows(limit, rows_at_once, monkeypatch):
    """Five objectives of six units each; what is in front of the first weights has no δ to be held."""
    network = Network([Standardize(40), Linear(40, 6), Tanh(), Linear(6, OUTPUTS)], RNG(0))
    monkeypatch.setattr(importance, "ENTRIES", limit)
    sizes, forward = [], network.forward
    network.forward = lambda x: sizes.append(len(x)) or forward(x)
    fisher(network, classes(x=RNG(1).normal(size=(N, 40))))
    assert max(sizes) == rows_at_once
    assert sum(sizes) == N


def test_a_single_unit_and_a_single_objective_count_once(monkeypatch):
    network = Network([Linear(1, 1)], RNG(0))
    monkeypatch.setattr(importance, "ENTRIES", 4)
    sizes, forward = [], network.forward
    network.forward = lambda x: sizes.append(len(x)) or forward(x)
    fisher(network, values(np.ones((9, 1)), outputs=1))
    assert sizes == [4, 4, 1]


class Slopes(Layer):
    """y = θ x, one θ for every column."""

    def __init__(self, width):
        self.inputs = self.n_parameters = width

    def bind(self, theta):
        self.theta = theta

    def forward(self, x):
        return x * self.theta

    def gradient(self, x, delta, out):
        out[:] = (x * delta).sum(axis=0)


def test_a_layer_of_one_s_own_that_keeps_its_width_counts_with_it(monkeypatch):
    network = Network([Slopes(6), Linear(6, OUTPUTS)], RNG(0))
    monkeypatch.setattr(importance, "ENTRIES", OUTPUTS * 6 * 4)
    sizes, forward = [], network.forward
    network.forward = lambda x: sizes.append(len(x)) or forward(x)
    sensitivity(network, classes(x=RNG(1).normal(size=(N, 6))))
    assert sizes == [4, 4, 1]


@each_measure
@each_dtype
def test_what_enters_a_network_has_its_dtype_and_need_not_be_copied(measure, dtype):
    network = build(NETWORKS["Tanh"], dtype)
    entered, total = [], network.sum_over_samples
    network.sum_over_samples = lambda of, a, g: entered.append(g[-1].dtype) or total(of, a, g)
    measure(network, classes())
    assert entered == [dtype]


@pytest.mark.parametrize("labels", ORACLES)
@pytest.mark.parametrize("certainty", [5, 20, 40])
def test_what_little_a_certain_network_has_to_learn_is_not_rounded_away(labels, certainty):
    """1 − p is 2e-9 at 20: nothing in float32, where it is the difference of 1 and a p that is rounded."""
    certain = np.array([0, 0, 0, 0, 0, certainty], np.float32)
    network = Network([Linear(2, 2)], RNG(0), "float32")
    network.theta = certain
    batch = of_two(y=np.array([1, 1]))
    agree(fisher(network, batch, labels), fisher(logistic(certain), batch, labels), 1e-6)


def test_the_sum_over_thousands_of_rows_is_exact_enough_in_float32():
    narrow = build(NETWORKS["ReLU, three layers"], "float32")
    wide = build(NETWORKS["ReLU, three layers"])
    wide.theta = narrow.theta
    batch = classes(x=rows(20_000).astype(np.float32))
    for measure in MEASURES.values():
        agree(measure(narrow, batch), measure(wide, batch), 1e-6)


# Drawn labels


def in_the_mean(network, batch, draws=3000):
    """Return the mean over many draws of the sampled Fisher, and its standard error."""
    rng = RNG(6)
    drawn = np.array([fisher(network, batch, "sampled", rng) for _ in range(draws)])
    return drawn.mean(axis=0), drawn.std(axis=0) / draws**0.5


@pytest.mark.parametrize(
    "index", [PARTS["all classes"], PARTS["two tasks whose classes are scattered"], None]
)
def test_a_drawn_label_gives_the_exact_fisher_information_in_the_mean(index):
    network = build(NETWORKS["Tanh"])
    network.theta = 3 * network.theta  # so that some classes are rare
    batch = values() if index is None else classes(index)
    mean, error = in_the_mean(network, batch)
    expected = fisher(network, batch)
    assert (error[expected > 0] > 0).all()
    assert (np.abs(mean - expected) <= 4.5 * error + 1e-15).all()
    assert np.abs(mean - expected).max() < 0.05 * expected.max()


def test_a_drawn_label_ignores_the_true_one_and_draws_from_the_given_generator_alone():
    network, batch = build(NETWORKS["Tanh"]), classes(PARTS["two tasks"])
    other = classes(PARTS["two tasks"], seed=99)
    assert (batch.y != other.y).any()
    everyones = str(np.random.get_state())  # noqa: NPY002
    omega = fisher(network, batch, "sampled", RNG(0))
    assert same_bits(fisher(network, other, "sampled", RNG(0)), omega)
    assert not same_bits(fisher(network, batch, "sampled", RNG(1)), omega)
    assert str(np.random.get_state()) == everyones  # noqa: NPY002
    generator = RNG(0)
    for labels in ORACLES:
        fisher(network, batch, labels, generator)
    assert generator.bit_generator.state == RNG(0).bit_generator.state


def test_a_certain_network_draws_its_answer():
    network = logistic([0, 0, 0, 0, 0, 80.0])
    assert fisher(network, of_two(), "sampled", RNG(0)).max() < 1e-60
    assert fisher(network, of_two(), "empirical").max() > 1


def test_every_row_draws_a_label_of_its_own():
    """(e_c − p)² is 9/16 with probability ¼ and 1/16 with ¾: of 4000 equal rows the mean is near 3/16."""
    x = np.tile([[2.0, 1.0]], (4000, 1))
    omega = fisher(logistic(THETA), of_two(x, np.zeros(4000, int)), "sampled", RNG(0))
    agree(omega, [3 / 4, 3 / 16, 3 / 16] * 2, 0.05)


class Lowest(np.random.Generator):
    """A generator that always draws the smallest number there is."""

    def __init__(self):
        super().__init__(np.random.PCG64(0))

    def random(self, size=None):
        return np.zeros(size)


def test_a_class_without_any_probability_is_never_drawn():
    """p = (0, 1), as exp −800 is nothing, and a uniform number may be 0."""
    assert not fisher(logistic([0, 0, 0, 0, 0, 800.0]), of_two(), "sampled", Lowest()).any()


# Sensitivity


@each_network
@each_index
@each_dtype
def test_the_sensitivity_is_that_of_a_loop_over_samples(layers, index, dtype):
    network, batch = build(layers, dtype), classes(index)
    omega = sensitivity(network, batch)
    assert omega.dtype == dtype
    expected = by_loop(network, batch, lambda z, y: [(1, 2 * z)], np.abs)
    agree(omega, expected, DTYPES[dtype], floor=1e-9)


@each_network
@each_index
def test_the_sensitivity_agrees_with_autograd(layers, index):
    network, batch = build(layers), classes(index)
    expected = by_autograd(network, batch, lambda z, y: [(1, lambda z: anp.sum(z**2))], np.abs)
    agree(sensitivity(network, batch), expected, 1e-10, floor=1e-9)


def test_the_sensitivity_of_values_is_that_of_classes_that_all_compete():
    network = build(NETWORKS["Tanh"])
    assert same_bits(sensitivity(network, values()), sensitivity(network, classes()))


def test_a_sensitivity_worked_by_hand():
    """z = (x₁, 2) with x₁ = 2 and 0: |2z x| has the means (4, 2) and (4, 8), |2z| the means 2 and 4."""
    network = logistic([1, 0, 0, 0, 0, 2])
    agree(sensitivity(network, of_two()), [4, 2, 2, 4, 8, 4], 1e-14)


# What the learner hands over


def test_batches_of_the_learner_s_targets_are_taken_as_they_are():
    network, x = build(NETWORKS["Tanh"]), rows()
    told = Classes()
    y, task = np.zeros(N, int), np.zeros(N, int)
    for name, labels, i in (("first", "ace", LEFT), ("second", "bd", RIGHT)):
        y[i], task[i] = told.learn(RNG(0).choice(list(labels), len(i)), name)
    for tasks in (task, np.full(N, -1), np.where(task == 1, 1, -1)):
        batch = told.batch(Samples(x, y, tasks))
        agree(fisher(network, batch), by_loop(network, batch, exact), 1e-12)
    targets = RNG(1).normal(size=(N, OUTPUTS))
    batch = Values().batch(Samples(x, targets, np.full(N, -1)))
    agree(fisher(network, batch), by_loop(network, batch, exact_of_values), 1e-12)


@each_measure
def test_neither_the_network_nor_the_batch_is_changed(measure):
    network, batch = build(NETWORKS["Tanh"], "float32"), classes(PARTS["two tasks"])
    theta = network.theta.copy()
    for array in (batch.x, batch.y, *(part.y for part in batch.parts)):
        array.flags.writeable = False
    omega = measure(network, batch)
    assert same_bits(network.theta, theta)
    assert not np.shares_memory(omega, network.theta)


# What is refused


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"labels": "true"}, "^labels must be one of 'exact', 'sampled', 'empirical', got 'true'"),
        ({"labels": None}, "^labels must be one of .*got None"),
        ({"labels": "sampled"}, "^rng must be a numpy.random.Generator"),
        ({"labels": "sampled", "rng": 0}, "^rng must be a numpy.random.Generator"),
    ],
    ids=str,
)
@pytest.mark.parametrize("batch", [classes(), values()], ids=["classes", "values"])
def test_a_bad_argument_is_refused_by_name(arguments, message, batch):
    with pytest.raises((ValueError, TypeError), match=message):
        fisher(build(NETWORKS["Tanh"]), batch, **arguments)


@each_measure
def test_a_batch_without_a_sample_is_refused(measure):
    empty = Batch(np.empty((0, INPUTS)), np.empty(0, int), [], [slice(0, OUTPUTS)])
    with pytest.raises(ValueError, match=r"^batch must hold at least one sample"):
        measure(build(NETWORKS["Tanh"]), empty)


@each_measure
@pytest.mark.parametrize("size", [1e30, np.inf, np.nan])
def test_importances_that_overflow_are_reported_without_a_warning(measure, size):
    network = build(NETWORKS["one layer"], "float32")
    with pytest.raises(FloatingPointError, match=r"^the importances became (nan|inf)"):
        measure(network, classes(x=size * rows()))


# Path integral


def test_a_path_integral_worked_by_hand():
    agree(path_integral([1, -1, 0, 6, 2], [0.5, 0.5, 0, -1, 0], damping=1), [0.8, 0, 0, 3, 2], 1e-15)


@each_dtype
def test_a_path_integral_is_entry_by_entry_what_the_equation_says(dtype):
    w, delta = RNG(0).normal(size=(2, 50)).astype(dtype)
    expected = [max(0, w_j / (delta_j**2 + 0.1)) for w_j, delta_j in zip(w, delta, strict=True)]
    omega = path_integral(w, delta, 0.1)
    assert omega.dtype == dtype
    assert omega.min() == 0
    agree(omega, expected, DTYPES[dtype])


def test_along_a_path_the_steps_add_up_to_what_the_loss_has_lost():
    """w of all parameters is the loss's way down; each one's part of it is what its own slope made."""
    curvature, theta = np.array([1.0, 4.0, 0.0]), np.array([1.0, -2.0, 5.0])
    start, w = theta.copy(), np.zeros(3)
    for _ in range(4000):
        gradient = curvature * theta
        step = -1e-3 * gradient
        w -= gradient * step
        theta += step
    agree(w, curvature / 2 * (start**2 - theta**2), 3e-3)
    # of a parabola that was walked down to its minimum half the curvature, and nothing where it is flat
    agree(path_integral(w, theta - start, 1e-9)[1:], [2, 0], 1e-2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([1.0], [1.0, 2.0], 0.1), r"^w has shape \(1,\), but delta has shape \(2,\)"),
        (([np.nan], [1.0], 0.1), "^w must be finite"),
        (([1.0], [np.inf], 0.1), "^delta must be finite"),
        (([], [], 0.1), "^w must be a non-empty vector"),
        ((["a"], [1.0], 0.1), "^w must hold real numbers"),
        (([1.0], [], 0.1), "^delta must be a non-empty vector"),
        (([1.0], ["a"], 0.1), "^delta must hold real numbers"),
        (([1.0], [1.0], 0), "^damping must be a finite number > 0"),
        (([1.0], [1.0], -1.0), "^damping must be a finite number > 0"),
        (([1.0], [1.0], None), "^damping must be a finite number > 0"),
    ],
    ids=lambda part: part.split()[0] if isinstance(part, str) else str(part),
)
def test_a_path_that_can_not_be_is_refused(arguments, message):
    with pytest.raises((ValueError, TypeError), match=message):
        path_integral(*arguments)


def test_importances_near_the_largest_number_are_finite_each_and_need_not_be_in_the_sum():
    w = np.full(3, 3e38, np.float32)
    agree(path_integral(w, 0 * w, 1), w, 0)


def test_a_way_and_a_damping_too_small_for_float32_are_not_lost_in_it():
    """1e-20/(1e-50 + 1e-50)."""
    omega = path_integral(np.array([1e-20], np.float32), np.array([1e-25], np.float32), 1e-50)
    agree(omega, [5e29], 1e-6)


def test_a_long_way_matters_nothing_and_what_overflows_is_reported():
    assert path_integral(np.ones(1), np.array([1e200]), 0.1) == 0
    assert path_integral(np.ones(1, np.float32), np.array([1e30], np.float32), 0.1) < 1e-30
    with pytest.raises(FloatingPointError, match=r"^the importances became inf"):
        path_integral(np.array([1e30], np.float32), np.zeros(1, np.float32), 1e-20)
