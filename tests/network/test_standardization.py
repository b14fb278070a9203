"""Standardization: running statistics, what they do to features, and that the network's function stays."""

import copy
from itertools import pairwise
from unittest import mock

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given
from scipy import sparse, stats
from scipy.sparse import coo_array, csr_array

from incrlearn.network import Linear, Network, ReLU, Standardize, StandardizeSparse, Tanh, standardization
from incrlearn.network.initializations import INITIALIZATIONS
from incrlearn.network.standardization import ENOUGH
from tests.oracles import agree

from .cases import no_dense, same_bits

RNG = np.random.default_rng
SEEDS = st.integers(0, 2**32 - 1)
#: where a table of so many rows is cut into the batches that are observed
CUTS = st.lists(st.integers(0, 40), max_size=4).map(sorted)
BOTH_DTYPES = pytest.mark.parametrize("dtype", ["float32", "float64"])


def in_batches(x, cuts):
    """Return the rows of x in batches; empty ones are left out."""
    bounds = [0, *(min(cut, x.shape[0]) for cut in cuts), x.shape[0]]
    return [x[i:j] for i, j in pairwise(bounds) if i < j]


def observed(layer, x, cuts=(), block=4096):
    with mock.patch.object(standardization, "BLOCK_ROWS", block):
        for rows in in_batches(x, cuts):
            layer.observe(rows)
    return layer


def held(layer):
    """Return copies of all that a layer holds."""
    return copy.deepcopy(vars(layer))


def is_as(layer, before):
    assert vars(layer).keys() == before.keys()
    for name, value in vars(layer).items():
        assert np.array_equal(value, before[name]), name


# Standardize


@given(
    SEEDS,
    st.integers(1, 40),
    st.lists(st.integers(-150, 140), min_size=1, max_size=4),
    st.sampled_from([0.0, 1.0, -1e3, 1e6]),
    CUTS,
    st.integers(1, 50),
    st.sampled_from([np.float32, np.float64]),
)
def test_mean_and_deviation_are_those_of_all_rows_however_they_arrive(
    seed, n, exponents, offset, cuts, block, dtype
):
    scales = 10.0 ** np.array(exponents if dtype == np.float64 else [e / 10 for e in exponents])
    x = (scales * (RNG(seed).normal(size=(n, len(scales))) + offset)).astype(dtype)
    layer = observed(Standardize(len(scales)), x, cuts, block)
    exact = x.astype(np.longdouble)
    mean, deviation = exact.mean(axis=0), exact.std(axis=0)
    assert layer.count == n
    agree(layer.mean / scales, mean / scales, 1e-14, floor=1)
    if n > 1:
        agree(layer.scale / deviation, np.ones(len(scales)), 1e-8)
        y = layer.forward(x)
        agree(y, (exact - mean) / deviation, 1e-7)
        assert y.dtype == np.float64


CONSTANTS = st.floats(-1e150, 1e150) | st.sampled_from([0.0, 0.1, 1 / 3, 1e20 / 3, 1e150 / 3, -7e9 / 11])


@given(
    st.lists(CONSTANTS, min_size=1, max_size=4), st.integers(1, 3000), CUTS, st.integers(1, 5000), CONSTANTS
)
def test_a_feature_that_has_not_varied_becomes_zero_whatever_its_value(values, n, cuts, block, another):
    """Not only almost: whatever rounding leaves of a sum of n equal numbers."""
    layer = observed(Standardize(len(values)), np.tile(values, (n, 1)), cuts, block)
    assert layer.mean.tolist() == values
    assert layer.scale.tolist() == [1.0] * len(values)
    for value in ([values], [[another] * len(values)]):  # nothing is known of another value either
        assert not layer.forward(np.array(value)).any()
    assert not layer.backward(None, None, np.ones((1, len(values)))).any()


def test_what_rounding_makes_of_a_constant_has_not_varied():
    sums = np.array([[0.1 + 0.2], [0.3]])
    assert sums[0] != sums[1]
    layer = observed(Standardize(1), sums)
    assert not layer.forward(sums).any()
    layer.observe(np.array([[0.4]]))
    agree(layer.forward(sums), np.full((2, 1), -(0.5**0.5)), 1e-12)


def test_what_rounding_makes_of_a_constant_does_not_move_the_network():
    network = stack_behind(Standardize(1), "float64")
    network.observe(np.array([[1e20]]), RNG(0))
    theta = network.theta.copy()
    network.observe(np.full((9, 1), 1e20 + 20_000), RNG(0))
    assert network.layers[0].mean > 1e20
    assert same_bits(network.theta, theta)


def test_a_feature_that_once_varied_stays_one_that_does():
    """A million equal rows make its deviation as small as one likes, and it is still no constant."""
    layer = observed(Standardize(1), np.array([[1.0], [1.0 + 1e-13]] * 8))
    for _ in range(4):
        r, _, _ = layer.observe(np.ones((50_000, 1)))
        assert 0 < r < 1
    assert layer.scale < 1e-14
    assert layer.forward(np.array([[1.0 + 1e-13]])) > 100


def test_before_the_first_row_features_pass_as_they_are():
    layer, x = Standardize(3), RNG(0).normal(size=(4, 3))
    assert same_bits(layer.forward(x), x)
    assert same_bits(layer.backward(x, x, x), x)
    assert layer.observe(x[:0])[2] == 0
    assert same_bits(layer.forward(x), x)


@given(SEEDS, st.integers(1, 4))
def test_the_inverse_brings_back_what_varied_and_the_value_of_what_has_not(seed, d):
    random = RNG(seed)
    x = random.normal(size=(6, d)) * 10.0 ** random.integers(-9, 9, d) + random.normal(size=d)
    x[:, 0] = 7.0
    layer = observed(Standardize(d), x)
    agree(layer.inverse(layer.forward(x)) / layer.scale, x / layer.scale, 1e-14, floor=1)
    assert (layer.inverse(random.normal(size=(6, d)))[:, 0] == 7).all()


@pytest.mark.parametrize("row", [0, 3, 5])
@pytest.mark.parametrize("value", [1e200, -1e300, 1.7e308, np.inf, np.nan])
@pytest.mark.parametrize("first", [0, 4])
def test_a_variance_that_overflows_is_refused_with_its_column_and_nothing_is_changed(row, value, first):
    x = RNG(0).normal(size=(6, 3))
    layer = observed(Standardize(3), x[:first]) if first else Standardize(3)
    before = held(layer)
    bad = x.copy()
    bad[row, 2] = value
    with (
        mock.patch.object(standardization, "BLOCK_ROWS", 2),  # the bad row stands in a later block, or not
        pytest.raises(ValueError, match=r"^x must have a finite variance, got values up to .* in column 2$"),
    ):
        layer.observe(bad)
    is_as(layer, before)


def test_the_error_calls_the_rows_what_the_caller_calls_them():
    with pytest.raises(ValueError, match=r"^prices must have a finite variance, got .*1e\+200 in column 0$"):
        Standardize(1).observe(np.array([[1e200], [0.0]]), "prices")


@BOTH_DTYPES
def test_features_beyond_float32_are_standardized_for_a_float32_network(dtype):
    x = np.array([[1e150, 1e-150], [3e150, 3e-150]])
    network = Network([Standardize(2), Linear(2, 1)], RNG(0), dtype)
    network.observe(x, RNG(0))
    assert network.forward(x)[1].dtype == dtype
    agree(network.forward(x)[1], [[-1, -1], [1, 1]], 1e-6 if dtype == "float32" else 1e-14)


# Standardize of sparse matrices


def random_sparse(random, n, d, density=0.4, scales=1.0):
    x = random.normal(size=(n, d)) * (random.random((n, d)) < density) * scales
    return csr_array(x)


@given(SEEDS, st.integers(1, 40), st.integers(1, 6), st.integers(-100, 100), CUTS, st.booleans())
def test_columns_stand_in_order_of_arrival_and_are_divided_by_the_size_of_their_entries(
    seed, n, d, exponent, cuts, scaled
):
    x = random_sparse(RNG(seed), n, d, scales=10.0**exponent)
    layer = observed(StandardizeSparse(d, scaled=scaled), x, cuts)
    arrived = []
    for batch in in_batches(x.toarray(), cuts):
        arrived += [column for column in range(d) if batch[:, column].any() and column not in arrived]
    assert layer.columns.tolist() == arrived
    assert layer.connect(None) == len(arrived)
    expected = np.zeros((n, len(arrived)))
    for k, column in enumerate(x.toarray()[:, arrived].T):
        entries = column[column != 0]
        assert layer.filled[k] == len(entries)
        size = np.sqrt(np.mean((entries / 10.0**exponent) ** 2)) * 10.0**exponent if scaled else 1
        expected[:, k] = column / size
    y = layer.forward(x)
    assert y.nnz == x.nnz
    if len(arrived):
        agree(y.toarray(), expected, 1e-12)


FORMATS = ["csr", "csc", "coo", "lil", "dok", "bsr", "dia"]


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("kind", ["array", "matrix"])
def test_any_sparse_format_and_a_dense_array_are_taken_alike(form, kind):
    x = random_sparse(RNG(0), 7, 5)
    other = getattr(sparse, f"{form}_{kind}")(x)
    layers = [StandardizeSparse(5) for _ in range(3)]
    for layer, rows in zip(layers, (x, other, x.toarray()), strict=True):
        layer.observe(rows)
        agree(layer.forward(rows).toarray(), layers[0].forward(x).toarray(), 0)


def test_an_entry_in_several_pieces_is_their_sum_and_the_caller_s_matrix_stays_as_it_was():
    pieces = coo_array(([1.0, 2.0, 4.0], ([0, 0, 1], [3, 3, 0])), shape=(2, 5))
    unsorted = csr_array((np.array([2.0, 4.0, 1.0]), np.array([3, 0, 3]), np.array([0, 3])), shape=(1, 5))
    for x, columns, size in ((pieces, [0, 3], [4, 3]), (unsorted, [0, 3], [4, 3])):
        before = copy.deepcopy(vars(x))
        layer = StandardizeSparse(5)
        layer.observe(x)
        assert layer.columns.tolist() == columns
        assert layer.scale.tolist() == size
        assert layer.forward(x).toarray().sum(axis=0).tolist() == [1, 1]
        for name in ("data", "indices"):
            if name in before:
                assert np.array_equal(getattr(x, name), before[name])


def test_zeros_that_are_written_down_fill_no_column():
    x = csr_array((np.array([0.0, 2.0, -0.0]), np.array([0, 1, 2]), np.array([0, 3])), shape=(1, 4))
    layer = StandardizeSparse(4)
    assert layer.observe(x)[2] == 1
    assert layer.columns.tolist() == [1]
    assert layer.filled.tolist() == [1]


def test_entries_in_columns_that_were_never_filled_are_left_out():
    layer = observed(StandardizeSparse(6), csr_array([[0, 2.0, 0, 0, 4, 0]]))
    y = layer.forward(csr_array([[5.0, 4, 3, 0, 0, 9], [7, 0, 0, 0, 0, 0], [0, 0, 0, 0, 8, 0]]))
    assert y.toarray().tolist() == [[2, 0], [0, 0], [0, 2]]
    assert y.nnz == 2


def test_where_no_column_was_filled_yet_rows_have_no_entries():
    layer, x = StandardizeSparse(6), csr_array([[5.0, 4, 3, 0, 0, 9]])
    r, c, new = layer.observe(csr_array((3, 6)))
    assert (len(r), len(c), new) == (0, 0, 0)
    assert layer.forward(x).shape == (1, 0)
    network = Network([layer, Linear(0, 2)], RNG(0))
    assert same_bits(network(x), network(csr_array((1, 6))))


def test_squares_that_vanish_leave_entries_as_they_are_and_squares_that_overflow_are_refused():
    layer = observed(StandardizeSparse(2), csr_array([[1e-200, 1.0]]))
    assert layer.scale.tolist() == [1, 1]
    for first, bad in ((csr_array([[0, 1.0]]), 1e200), (csr_array([[0, 1e154]]), 1e154)):
        layer = observed(StandardizeSparse(2), first)
        before = held(layer)
        with pytest.raises(ValueError, match=r"^x must be possible to square, got .*e\+"):
            layer.observe(csr_array([[3.0, bad]]))
        is_as(layer, before)


WIDE = 2**40


def wide_rows(random, n, known=20):
    """Return n rows of 2⁴⁰ columns, of which few are filled."""
    columns = random.integers(WIDE, size=known)
    rows, places = np.divmod(random.choice(n * known, n * 3, replace=False), known)
    return coo_array((random.normal(size=n * 3), (rows, columns[places])), shape=(n, WIDE)).tocsr()


def test_a_million_million_columns_cost_nothing_and_nothing_is_made_dense(monkeypatch):
    no_dense(monkeypatch)
    random = RNG(0)
    network = Network([StandardizeSparse(WIDE), Linear(0, 4), Tanh(), Linear(4, 2)], RNG(0), "float64")
    for _ in range(3):
        x = wide_rows(random, 30)
        network.observe(x, random)
        a = network.forward(x)
        gradient = network.backward(a, {-1: np.ones((30, 2))})
        assert gradient.shape == network.theta.shape
        assert np.isfinite(network.sum_over_samples(np.square, a, {-1: np.ones((30, 2))})).all()
    assert 20 < network.layers[1].inputs <= 60


# The network's function stays


def stack_behind(front, dtype, seed=0, hidden=5):
    width = front.connect(None)
    return Network([front, Linear(width, hidden), Tanh(), Linear(hidden, 2)], RNG(seed), dtype)


def rounding_of_the_first_layer(network, x):
    """Return how large the numbers are that are added up in the first layer with weights."""
    front, layer = network.layers[:2]
    standardized = (np.abs(x) + np.abs(front.mean)) / front.scale
    return standardized @ np.abs(layer.W.astype(np.float64)).T + np.abs(layer.b)


def table(random, n, constants, exponents):
    """Return rows of features of very different scales and offsets, some of them constants."""
    d = len(constants)
    varying = 10.0 ** random.uniform(*exponents, d) * (random.normal(size=(n, d)) + random.normal(size=d))
    return np.where(random.random(d) < 0.5, varying, constants)


@BOTH_DTYPES
@given(SEEDS, st.integers(1, 5), st.booleans())
def test_what_is_observed_does_not_change_the_function_on_old_rows(dtype, seed, d, wild):
    """To rounding: of the numbers that are added up, before and after."""
    random = RNG(seed)
    exponents = (-140, 140) if wild and dtype == "float64" else (-10, 10) if wild else (-1, 1)
    network = stack_behind(Standardize(d), dtype)
    old, constants = np.empty((0, d)), 10.0 ** random.uniform(*exponents, d)
    for _ in range(4):
        new = table(random, random.integers(1, 9) + (0 if len(old) else ENOUGH), constants, exponents)
        if not len(old):
            network.observe(new, random)
        else:
            before, size = network.forward(old)[2], rounding_of_the_first_layer(network, old)
            logits = network(old)
            network.observe(new, random)
            size = size + rounding_of_the_first_layer(network, old)
            difference = np.abs(network.forward(old)[2].astype(np.float64) - before)
            assert (difference <= 32 * np.finfo(dtype).eps * size).all()
            if not wild:
                agree(network(old), logits, 1e-3 if dtype == "float32" else 1e-11, floor=1)
        old = np.concatenate([old, new])


@BOTH_DTYPES
@given(SEEDS, st.integers(1, 8), st.booleans())
def test_new_columns_and_new_sizes_do_not_change_the_function_on_old_rows(dtype, seed, d, scaled):
    random = RNG(seed)
    network = stack_behind(StandardizeSparse(d, scaled=scaled), dtype)
    old = csr_array((1, d))  # a row without an entry is one that may come first
    for k in range(4):
        new = random_sparse(random, random.integers(1, 5), d, 0.3, 10.0 ** random.uniform(-3, 3, d))
        logits = network(old)
        network.observe(new, random)
        agree(network(old), logits, 1e-4 if dtype == "float32" else 1e-12, floor=1)
        network.theta += random.normal(size=len(network.theta)) / 10  # biases are not what they began as
        old = csr_array(sparse.vstack([old, new]))
        assert k or network(old).any()


def test_the_weights_of_a_feature_that_first_varies_later_are_kept_as_they_are():
    network = stack_behind(Standardize(2), "float64")
    network.observe(np.array([[1.0, 5.0], [3.0, 5.0]] * 8), RNG(0))
    weights = network.layers[1].W.copy()
    network.observe(np.array([[2.0, 1e9], [2.0, -1e9]] * 8), RNG(0))
    assert same_bits(network.layers[1].W[:, 1].copy(), weights[:, 1].copy())
    agree(network.layers[1].W[:, 0], weights[:, 0] * 0.5**0.5, 1e-14)


def test_a_scale_that_fewer_than_sixteen_rows_gave_keeps_its_weights_when_it_moves():
    """And the mean is compensated still: for a row in the middle of the old ones the function stays."""
    network = stack_behind(Standardize(1), "float64")
    network.observe(np.array([[4.0], [6.0]]), RNG(0))
    weights, middle = network.layers[1].W.copy(), network(np.array([[5.0]]))
    network.observe(np.array([[-1e6], [1e6]] * 4), RNG(0))
    assert same_bits(network.layers[1].W.copy(), weights)
    agree(network(np.array([[5.0]])), middle, 1e-12)
    network.observe(np.zeros((6, 1)), RNG(0))  # the sixteenth row: from now on the scale counts
    network.observe(np.array([[1e9]]), RNG(0))
    assert np.abs(network.layers[1].W).max() > 100 * np.abs(weights).max()


@pytest.mark.parametrize("front", [Standardize, StandardizeSparse])
def test_a_copy_keeps_its_own_scale(front):
    random = RNG(0)
    network = stack_behind(front(3), "float32")
    network.observe(random_sparse(random, 9, 2).toarray() @ np.eye(2, 3), random)
    teacher = network.copy()
    x = random.normal(size=(5, 3))
    logits, theta, layer = teacher(x), teacher.theta.copy(), held(teacher.layers[0])
    network.observe(1e3 * random.normal(size=(5, 3)) + 7, random)
    assert same_bits(teacher(x), logits)
    assert same_bits(teacher.theta, theta)
    is_as(teacher.layers[0], layer)
    network.become(teacher)
    assert same_bits(network(x), logits)


@pytest.mark.parametrize("front", [Standardize, StandardizeSparse])
def test_an_observed_layer_may_serve_as_the_model_of_several_networks(front):
    layer = observed(front(2), np.array([[1.0, 2.0], [4.0, 8.0]]))
    before = held(layer)
    one, other = (Network([layer, Linear(2, 1)], RNG(0)) for _ in range(2))
    x = RNG(0).normal(size=(3, 2))
    logits = other(x)
    one.observe(np.array([[100.0, -50.0]]), RNG(0))
    is_as(layer, {**before, "dtype": layer.dtype})
    assert same_bits(other(x), logits)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.array([[1.0, 1e200], [0, 1]]), "in column 1"),
        (np.ones((3, 1)), "x has 1 features, but the network was built for 2"),
        (np.ones(2), "x must have shape"),
    ],
)
def test_rows_that_a_network_can_not_observe_are_refused_and_change_nothing(x, message):
    network = stack_behind(Standardize(2), "float64")
    network.observe(np.array([[1.0, 2.0], [3.0, 5.0]]), RNG(0))
    theta, layer, random = network.theta.copy(), held(network.layers[0]), RNG(5)
    with pytest.raises(ValueError, match=message):
        network.observe(x, random)
    assert same_bits(network.theta, theta)
    is_as(network.layers[0], layer)
    assert random.bit_generator.state == RNG(5).bit_generator.state


def test_a_network_that_does_not_standardize_observes_nothing():
    network = Network.mlp(2, 3, 1, rng=RNG(0))
    theta = network.theta.copy()
    assert network.observe(np.array([[1.0, 2.0]]), RNG(0)) is None
    assert same_bits(network.theta, theta)
    with pytest.raises(TypeError, match=r"^rng must be"):
        network.observe(np.ones((1, 2)), 0)


@pytest.mark.parametrize(
    "layers",
    [
        lambda front: [front],
        lambda front: [front, Tanh(), Linear(2, 1)],
        lambda front: [front, Linear(2, 1, bias=False)],
        lambda front: [Linear(2, 2), front, Linear(2, 1)],
        lambda front: [front, copy.copy(front), Linear(2, 1)],
    ],
    ids=["alone", "before an activation", "before weights without a bias", "in the middle", "twice"],
)
@pytest.mark.parametrize("front", [Standardize, StandardizeSparse])
def test_a_layer_that_standardizes_stands_in_front_of_a_linear_one_with_a_bias(front, layers):
    with pytest.raises(
        ValueError, match=r"\(2\) must be the first layer, and the second a Linear with a bias"
    ):
        Network(layers(front(2)), RNG(0))


@pytest.mark.parametrize(("front", "width"), [(Standardize(3), 3), (StandardizeSparse(3), 0)])
def test_the_layer_behind_must_be_as_wide_as_what_it_is_given(front, width):
    with pytest.raises(ValueError, match=rf"Linear\(4, 1\) wants 4 inputs, .* gives {width}"):
        Network([front, Linear(4, 1)], RNG(0))


@pytest.mark.parametrize("bad", [0, -1, 1.5, "3", None, True])
@pytest.mark.parametrize("front", [Standardize, StandardizeSparse])
def test_a_bad_number_of_inputs_is_refused_by_name(front, bad):
    with pytest.raises((ValueError, TypeError), match=r"^inputs must be"):
        front(bad)


# New inputs


@given(SEEDS, st.integers(1, 4), st.integers(0, 4), st.integers(1, 3), st.integers(0, 2))
def test_every_old_parameter_stands_where_place_says_and_in_its_old_role(seed, hidden, old, new, outputs):
    random = RNG(seed)
    x = csr_array(np.eye(old + new))
    network = Network(
        [
            observed(StandardizeSparse(old + new), x[:old]),
            Linear(old, hidden),
            ReLU(),
            Linear(hidden, outputs),
        ],
        random,
        "float64",
    )
    network.theta = random.normal(size=len(network.theta))
    before = network.copy()
    place = network.observe(x[old:], random).place
    assert same_bits(network.theta[place], before.theta)
    assert len(network.theta) == len(before.theta) + hidden * new
    assert network.layers[1].inputs == old + new
    for k, kept in ((1, slice(old)), (3, slice(None))):
        now, then = network.layers[k], before.layers[k]
        assert np.array_equal(now.W[:, kept], then.W)
        assert np.array_equal(now.b, then.b)
        assert np.shares_memory(now.b, network.theta) or not now.outputs
    added = np.setdiff1d(np.arange(len(network.theta)), place)
    assert np.array_equal(network.theta[added].reshape(hidden, new), network.layers[1].W[:, old:])


def test_where_the_head_is_the_layer_behind_it_gains_inputs_and_classes():
    network, x = Network([StandardizeSparse(4), Linear(0, 0)], RNG(0), "float64"), csr_array(np.eye(4))
    for columns, classes in ((2, 1), (3, 3), (4, 4)):
        before, logits = network.theta.copy(), network(x[: columns - 1])
        assert len(network.observe(x[:columns], RNG(1)).place) == len(before)
        widened = network.theta.copy()
        network.grow(classes - network.outputs, RNG(2))
        assert same_bits(network.theta[: len(widened)], widened)
        if columns > 2:
            agree(network(x[: columns - 1])[:, : logits.shape[1]], logits, 1e-14)
        assert network(x).shape == (4, classes)
        assert network.theta.size == classes * (columns + 1)


@pytest.mark.parametrize("initialization", INITIALIZATIONS)
def test_weights_of_new_inputs_begin_as_those_of_a_layer_of_that_width_began(initialization):
    units, d = 3000, 12
    layer = Linear(0, units, initialization=initialization)
    network, x = Network([StandardizeSparse(d), layer], RNG(0), "float64"), csr_array(np.eye(d))
    assert not network.theta.any()
    network.observe(x[:4], RNG(1))
    network.layers[1].b[:] = 7
    network.observe(x, RNG(2))
    W = network.layers[1].W
    assert (network.layers[1].b == 7).all()
    for weights, inputs in ((W[:, :4], 4), (W[:, 4:], d)):
        wanted = (
            Network([Linear(inputs, units, initialization=initialization)], RNG(3), "float64").layers[0].W
        )
        assert stats.ks_2samp(weights.ravel(), wanted.ravel()).pvalue > 0.01
        assert len(np.unique(weights)) == (weights.size if initialization != "zeros" else 1)


@BOTH_DTYPES
def test_new_inputs_are_drawn_from_the_given_generator_alone(dtype):
    networks = [stack_behind(StandardizeSparse(3), dtype) for _ in range(2)]
    everyones = str(np.random.get_state())  # noqa: NPY002
    for network in networks:
        network.observe(csr_array(np.eye(3)), RNG(4))
    assert same_bits(networks[0].theta, networks[1].theta)
    assert networks[0].theta.dtype == dtype
    assert str(np.random.get_state()) == everyones  # noqa: NPY002
