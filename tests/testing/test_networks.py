"""check_network: our networks pass, each contract is tripped by a network that breaks it."""

import contextlib

import numpy as np
import pytest
from hypothesis import given, settings
from scipy.sparse import csr_array

from incrlearn.formulas import cross_entropy
from incrlearn.learning.terms import LOSSES
from incrlearn.network import Layer, Linear, Network, ReLU, Sigmoid, Tanh
from incrlearn.testing import Failure, check_network, strategies
from incrlearn.testing.failure import Untold
from tests.network.cases import NETWORKS, build, inputs

SIZES = (3, 4, 2)
X = np.random.default_rng(0).normal(size=(5, 3))
Y = np.array([0, 1, 1, 0, 1])


def network(*layers, kind=Network):
    layers = layers or (Linear(3, 4), Tanh(), Linear(4, 2))
    return kind(layers, np.random.default_rng(0), "float64")


def failure(network, loss="cross_entropy", *arguments, **options):
    with pytest.raises(Failure) as raised:
        check_network(network, loss, *arguments, **{"examples": 3, **options})
    return raised.value


def reproduce(failure, network, loss=None):
    """Paste the example; return the failure that it shows."""
    names = {"np": np, "check_network": check_network, "network": network, "loss": loss}
    with pytest.raises(Failure) as raised:
        exec(failure.example, names)
    return raised.value


def name(part):
    return getattr(part, "__name__", part)


# ---- what is right passes ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", NETWORKS)
def test_our_networks_pass(name):
    assert check_network(build(name), examples=3, objectives=True).examples >= 3


@pytest.mark.parametrize(
    "loss",
    [*LOSSES, *[kind() for kind in LOSSES.values()], cross_entropy],
    ids=lambda loss: getattr(loss, "__name__", repr(loss)),
)
def test_our_losses_pass(loss):
    check_network(network(), loss, examples=3)


@settings(max_examples=15)
@given(strategies.networks())
def test_drawn_networks_pass(network):
    x = np.random.default_rng(0).normal(size=(4, network.inputs or 2))
    with contextlib.suppress(Untold):
        check_network(network, "squared_error", x)


def test_a_function_of_the_logits_may_be_the_loss():
    check_network(network(), lambda z, y: (float(np.square(z).sum() / 2), z.copy()), examples=3)


@pytest.mark.parametrize("name", ["standardized, sparse", "2 layers, Tanh"])
def test_inputs_may_be_sparse_and_the_network_of_float32(name):
    small = build(name, "float32")
    check_network(small, "cross_entropy", csr_array(inputs(small)))


def test_the_network_stays_as_it_is():
    own = network()
    theta, before = own.theta, own.theta.copy()
    check_network(own, examples=2)
    assert own.theta is theta
    assert (theta == before).all()


def test_an_x_at_the_kink_of_hidden_units_is_no_failure():
    """relu(x) − relu(−x) is x: at 0 backward says 0, which is a choice, and differences say 1."""
    own = network(Linear(1, 2, bias=False), ReLU(), Linear(2, 1, bias=False))
    own.theta = np.array([1.0, -1.0, 1.0, -1.0])
    check_network(own, "squared_error", np.zeros((1, 1)), np.ones((1, 1)))


# ---- what is wrong is found --------------------------------------------------------------------------


class TanhDoubled(Tanh):
    def backward(self, x, y, delta):
        return 2 * super().backward(x, y, delta)


class WithoutB(Linear):
    def gradient(self, x, delta, out):
        super().gradient(x, delta, out)
        self._split(out)[1][:] = 0


class MaskKept(ReLU):
    def forward(self, x):
        self.mask = x > 0
        return np.maximum(x, 0)

    def backward(self, x, y, delta):
        return delta * self.mask


class Shifts(Layer):
    """The second call knows of the first."""

    shift = 0.0

    def forward(self, x):
        y = x - self.shift
        self.shift = 0.1 * float(x.mean())
        return y

    def backward(self, x, y, delta):
        return 1.0 * delta


class InPlace(ReLU):
    def forward(self, x):
        return np.maximum(x, 0, out=x)


class DeltaInPlace(ReLU):
    def backward(self, x, y, delta):
        delta *= y > 0
        return delta.copy()


class Centered(Layer):
    def forward(self, x):
        return x - x.mean(axis=0)

    def backward(self, x, y, delta):
        return delta - delta.mean(axis=0)


class Scale(Layer):
    """A factor that all entries share: its gradient is no product of δ and x."""

    n_parameters = 1

    def bind(self, theta):
        self.s = theta

    def initialize(self, rng):
        self.s[:] = 1.5

    def forward(self, x):
        return self.s * x

    def backward(self, x, y, delta):
        return self.s * delta

    def gradient(self, x, delta, out):
        out[:] = (x * delta).sum()


class ToFloat64(Sigmoid):
    def forward(self, x):
        return super().forward(x) * np.ones(1)


class Forgetful(Tanh):
    scale = 1.0

    def __getstate__(self):
        return {}

    def forward(self, x):
        self.scale = getattr(self, "own", 1.0)
        return np.tanh(x)


class Naive(Layer):
    def forward(self, x):
        e = np.exp(x)
        return e / e.sum(axis=1, keepdims=True)

    def backward(self, x, y, delta):
        return y * (delta - (delta * y).sum(axis=1, keepdims=True))


class MovesAtGrowth(Linear):
    """Units stand in θ from the last to the first: a new one moves all others."""

    def _split(self, vector):
        rows = vector.reshape(self.outputs, self.inputs + 1)[::-1]
        return rows[:, :-1], rows[:, -1]


LAYERS = {
    TanhDoubled: (lambda: (Linear(3, 4), TanhDoubled(), Linear(4, 2)), "factor 2"),
    WithoutB: (lambda: (WithoutB(3, 4), Tanh(), Linear(4, 2)), "missing"),
    MaskKept: (lambda: (Linear(3, 4), MaskKept(), Linear(4, 2)), "stale"),
    Shifts: (lambda: (Shifts(), Linear(3, 2)), "state"),
    InPlace: (lambda: (InPlace(), Linear(3, 2)), "modified"),
    DeltaInPlace: (lambda: (Linear(3, 2), DeltaInPlace()), "modified"),
    Centered: (lambda: (Linear(3, 4), Centered(), Linear(4, 2)), "rows mixed"),
    Scale: (lambda: (Linear(3, 4), Scale(), Linear(4, 2)), "rows mixed"),
    ToFloat64: (lambda: (Linear(3, 4), ToFloat64(), Linear(4, 2)), "dtype"),
    Naive: (lambda: (Linear(3, 4), Naive()), "not a number"),
    MovesAtGrowth: (lambda: (Linear(3, 4), Tanh(), MovesAtGrowth(4, 2)), "growth"),
}


@pytest.mark.parametrize("kind", LAYERS, ids=name)
def test_a_wrong_layer_is_found_and_blamed(kind):
    make, cause = LAYERS[kind]
    found = failure(network(*make()), "squared_error", examples=10)
    assert found.cause == cause, found
    assert reproduce(found, network(*make())).check == found.check


def test_the_wrong_layer_is_named():
    assert failure(network(*LAYERS[WithoutB][0]())).block == "b of layers[0]"


class NotAdded(Network):
    """What enters on the way is forgotten."""

    def _entering(self, a, gradients, several):
        entering = super()._entering(a, gradients, several)
        last = len(a) - 1
        return {k: g for k, g in entering.items() if k in (0, last)} if last in entering else entering


class OfTheBatch(Network):
    def sum_over_samples(self, of, a, gradients):
        return of(self.backward(a, {-1: np.atleast_3d(gradients[-1].T).T.sum(axis=0)}))


class ToInputFromTheHead(Network):
    def backward_to_input(self, a, gradients):
        gradient, delta = super().backward_to_input(a, gradients)
        return gradient, 2 * delta


class CallIsAnother(Network):
    def __call__(self, x):
        return 2 * super().__call__(x)


class GrowsAnew(Network):
    def grow(self, units, rng):
        super().grow(units, rng)
        self.initialize(rng)


class SharedCopy(Network):
    def copy(self):
        return self


class LostTheta(Network):
    def __getstate__(self):
        return {**vars(self), "_theta": np.zeros_like(self._theta)}


NETWORK_KINDS = {
    NotAdded: ("∂L/∂θ, L = Σₖ⟨Gₖ, aₖ⟩", None),
    OfTheBatch: ("Σᵢ |∂Lᵢ/∂θ|", "rows mixed"),
    ToInputFromTheHead: ("∂L/∂x", "factor 2"),
    CallIsAnother: ("network(x)", "value"),
    GrowsAnew: ("θ after growth", "growth"),
    SharedCopy: ("the network copied by copy()", "saved"),
    LostTheta: ("the network copied", "saved"),
}


@pytest.mark.parametrize(("kind", "expected"), NETWORK_KINDS.items(), ids=name)
def test_a_wrong_network_is_found_and_blamed(kind, expected):
    check, cause = expected
    found = failure(network(kind=kind), "squared_error")
    assert found.check == check, found
    assert found.cause == cause or cause is None


def twice(z, y):
    value, gradient = cross_entropy(z, y)
    return value, 2 * gradient


def test_a_wrong_loss_is_found():
    found = failure(network(), twice)
    assert found.cause == "factor 2"
    assert reproduce(found, network(), twice).cause == "factor 2"


def test_rows_and_samples_need_not_be_for_themselves_where_that_is_meant():
    check_network(network(Linear(3, 4), Centered(), Linear(4, 2)), examples=3, rows=False, per_sample=False)
    check_network(network(Linear(3, 4), Scale(), Linear(4, 2)), examples=3, per_sample=False)


@pytest.mark.parametrize(
    ("own", "loss", "x", "error", "message"),
    [
        (Linear(3, 2), "cross_entropy", None, TypeError, "network must be a Network, got Linear"),
        (network(), "hinge", None, ValueError, "loss"),
        (network(), lambda z, y: 1 / 0, X, ValueError, "the loss takes neither labels nor values"),
        (network(), "cross_entropy", X[0], ValueError, "x must have shape"),
    ],
)
def test_what_is_no_network_is_refused(own, loss, x, error, message):
    with pytest.raises(error, match=message):
        check_network(own, loss, x)
