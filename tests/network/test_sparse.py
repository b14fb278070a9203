"""Sparse input: the same numbers as those of the same rows written out, and nothing is made dense."""

import tracemalloc

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given
from scipy import sparse
from scipy.sparse import coo_array, csr_array, csr_matrix

from incrlearn.network import Linear, Network, Sigmoid, Tanh
from tests.oracles import agree

from .cases import INPUTS, NETWORKS, anywhere, build, dense, entering, no_dense, same_bits

RNG = np.random.default_rng
#: those that begin with weights, or with a layer that standardizes
NAMES = [name for name in NETWORKS if name != "activations first"]
each_network = pytest.mark.parametrize("name", NAMES)
DTYPES = {"float32": 2e-6, "float64": 1e-14}
each_dtype = pytest.mark.parametrize("dtype", DTYPES)


def rows(seed=0, n=7, d=INPUTS, density=0.5):
    """Return sparse rows, among them an empty one and an empty column."""
    random = RNG(seed)
    x = random.normal(size=(n, d)) * (random.random((n, d)) < density)
    x[n // 2] = 0
    x[:, d // 2] = 0
    return csr_array(x)


@each_network
@each_dtype
def test_sparse_rows_give_the_activations_and_gradients_of_dense_ones(name, dtype):
    network, x = build(name, dtype), rows()
    a, b = network.forward(x), network.forward(x.toarray())
    for sparse_activation, wanted in zip(a, b, strict=True):
        agree(dense(sparse_activation), dense(wanted), DTYPES[dtype], floor=1)
    assert not sparse.issparse(a[-1])
    assert same_bits(network(x), a[-1])
    gradients = entering(b, anywhere(b))
    results = [network.backward(a, gradients)]
    expected = [network.backward(b, gradients)]
    for of in (np.abs, np.square):
        results.append(network.sum_over_samples(of, a, gradients))
        expected.append(network.sum_over_samples(of, b, gradients))
    for result, wanted in zip(results, expected, strict=True):
        assert result.dtype == dtype
        agree(result, wanted, 10 * DTYPES[dtype], floor=1)


@each_network
@pytest.mark.parametrize("of", [np.abs, np.square])
@pytest.mark.parametrize("indices", [lambda a: [-1], anywhere], ids=["logits", "everywhere"])
def test_the_sum_over_sparse_samples_is_that_of_a_loop_over_samples(name, of, indices):
    network, x = build(name), rows(n=6)
    a = network.forward(x)
    gradients = entering(a, indices(a))
    one_by_one = [network.forward(x[i : i + 1]) for i in range(6)]
    looped = sum(
        of(network.backward(single, {k: g[i : i + 1] for k, g in gradients.items()}))
        for i, single in enumerate(one_by_one)
    )
    actual = network.sum_over_samples(of, a, gradients)
    agree(actual, looped, 1e-12)
    assert not np.allclose(actual, of(network.backward(a, gradients)))


@given(st.integers(0, 2**32 - 1), st.integers(1, 6), st.integers(1, 6), st.floats(0, 1), st.booleans())
def test_a_linear_layer_of_sparse_rows_is_that_of_dense_rows(seed, n, d, density, bias):
    random = RNG(seed)
    layer, x = (
        Linear(d, 3, bias=bias),
        csr_array(random.normal(size=(n, d)) * (random.random((n, d)) < density)),
    )
    theta = random.normal(size=layer.n_parameters)
    layer.bind(theta)
    delta = random.normal(size=(n, 3))
    agree(layer.forward(x), layer.forward(x.toarray()), 1e-14, floor=1)
    gradients = [np.full_like(theta, np.nan) for _ in range(2)]
    layer.gradient(x, delta, gradients[0])
    layer.gradient(x.toarray(), delta, gradients[1])
    agree(*gradients, 1e-14, floor=1)


@each_dtype
def test_every_sparse_format_gives_the_same_bits(dtype):
    network, x = build("2 layers, Tanh", dtype), rows()
    logits = network(x)
    for form in ("csr", "csc", "coo", "lil", "dok"):
        for kind in ("array", "matrix"):
            assert same_bits(network(getattr(sparse, f"{form}_{kind}")(x)), logits)
    whole = csr_matrix(np.round(x.toarray() * 9).astype(np.int64))
    assert same_bits(network(whole), network(whole.astype(np.float64)))


def test_entries_in_several_pieces_are_summed_and_squared_as_one():
    network = Network([Linear(3, 1)], RNG(0), "float64")
    pieces = coo_array(([1.0, 2.0, -4.0], ([0, 0, 0], [1, 1, 2])), shape=(1, 3))
    doubled = csr_array((np.array([1.0, -4, 2]), np.array([1, 2, 1]), np.array([0, 3])), shape=(1, 3))
    for x in (pieces, doubled):
        a = network.forward(x)
        assert network.sum_over_samples(np.square, a, {-1: np.ones((1, 1))}).tolist() == [0, 9, 16, 1]
    assert doubled.data.tolist() == [1, -4, 2]


def test_rows_without_any_entry_give_the_biases():
    network = build("2 layers, Tanh")
    a = network.forward(csr_array((5, INPUTS)))
    agree(a[1], np.tile(network.layers[0].b, (5, 1)), 0)
    gradient = network.backward(a, {-1: np.ones_like(a[-1])})
    agree(
        gradient, network.backward(network.forward(np.zeros((5, INPUTS))), {-1: np.ones_like(a[-1])}), 1e-14
    )


def test_no_sparse_matrix_is_made_dense(monkeypatch):
    network, x = Network([Linear(1000, 3), Tanh(), Linear(3, 2), Sigmoid()], RNG(0)), rows(d=1000)
    no_dense(monkeypatch)
    a = network.forward(x)
    network.backward(a, {-1: np.ones((7, 2))})
    network.sum_over_samples(np.abs, a, {-1: np.ones((7, 2))})


def test_a_linear_layer_copies_only_the_weights_of_columns_that_are_not_empty():
    layer, x = Linear(50_000, 4), csr_array(([1.0, 2.0], ([0, 2], [7, 40_000])), shape=(3, 50_000))
    layer.bind(np.ones(layer.n_parameters))
    layer.forward(x)  # whatever is imported at the first time
    tracemalloc.start()
    y = layer.forward(x)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    agree(y, [[2] * 4, [1] * 4, [3] * 4], 0)
    assert peak < layer.W.nbytes / 20


def test_sparse_rows_of_another_width_are_refused():
    network = build("2 layers, Tanh")
    for use in (network, network.forward, lambda x: network.observe(x, RNG(0))):
        with pytest.raises(ValueError, match="x has 5 features, but the network was built for 4"):
            use(csr_array((3, 5)))
