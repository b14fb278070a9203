"""check_layer: our layers pass, a small layer trips each of the contracts, and examples reproduce."""

import contextlib

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from incrlearn.formulas import softmax
from incrlearn.network import Layer, Linear, ReLU, Sigmoid, Tanh
from incrlearn.testing import Failure, check_layer, strategies
from incrlearn.testing.failure import Untold
from tests.network.cases import LAYERS

X = np.random.default_rng(0).normal(size=(5, 3))


def failure(layer, *arguments, **options):
    with pytest.raises(Failure) as raised:
        check_layer(layer, *arguments, **{"examples": 5, **options})
    return raised.value


def reproduce(failure, layer):
    """Paste the example; return the failure that it shows."""
    with pytest.raises(Failure) as raised:
        exec(failure.example, {"np": np, "check_layer": check_layer, "layer": layer})
    return raised.value


# ---- what is right passes ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", LAYERS)
def test_our_layers_pass(name):
    assert check_layer(LAYERS[name](), examples=8).examples >= 5


@settings(max_examples=15)
@given(strategies.layers(), st.data())
def test_drawn_layers_with_parameters_pass(layer, data):
    width = layer.inputs or data.draw(st.integers(1, 4))
    x = data.draw(strategies.arrays_for((st.integers(1, 4), width), largest=1e6))
    delta = data.draw(strategies.arrays_for((len(x), layer.connect(width)), largest=1e6))
    with contextlib.suppress(Untold):  # too extreme for anything to be told
        check_layer(layer, x, delta)


class Cube:
    """No Layer, and nothing but what is needed."""

    def forward(self, x):
        return x * x * x

    def backward(self, x, y, delta):
        return 3 * delta * x * x


class Softmax(Layer):
    def forward(self, x):
        return softmax(x)

    def backward(self, x, y, delta):
        return y * (delta - (delta * y).sum(axis=1, keepdims=True))


def test_where_large_numbers_cancel_the_rest_need_not_be_linear():
    """y is 1 but for 1e-80: δ − Σδy is 0 or 1e-78, as δ is there, and nobody can help it."""
    check_layer(Softmax(), np.array([[0.0, 185.0]]), np.array([[678.0, -1e-308]]))


def test_any_object_with_forward_and_backward_is_a_layer():
    assert check_layer(Cube(), X).entries == 15
    assert check_layer(Cube(), examples=5).examples >= 5


class Standardized(Layer):
    """A layer whose rows depend on one another, as in batch normalization: right, but not for every row."""

    def forward(self, x):
        return x - x.mean(axis=0)

    def backward(self, x, y, delta):
        return delta - delta.mean(axis=0)


def test_layers_that_mix_rows_pass_where_that_is_meant():
    assert failure(Standardized()).cause == "rows mixed"
    check_layer(Standardized(), examples=5, rows=False)


class Logarithm(Layer):
    def forward(self, x):
        return np.log(x)

    def backward(self, x, y, delta):
        return delta / x


def test_inputs_may_be_drawn_from_where_a_layer_is_at_home():
    positive = st.integers(1, 4).flatmap(lambda n: st.just(np.linspace(0.5, 2.0, 2 * n).reshape(n, 2)))
    assert check_layer(Logarithm(), positive, examples=5).examples >= 4
    assert failure(Logarithm()).cause == "not a number"


class PReLU(Layer):
    """A gradient that is no product of δ and x: its samples can not be summed by |x| and |δ|."""

    n_parameters = 1

    def bind(self, theta):
        self.slope = theta

    def initialize(self, rng):
        self.slope[:] = 0.25

    def forward(self, x):
        return np.where(x > 0, x, self.slope * x).astype(x.dtype)

    def backward(self, x, y, delta):
        return np.where(x > 0, delta, self.slope * delta)

    def gradient(self, x, delta, out):
        out[:] = (delta * np.minimum(x, 0)).sum()


def test_a_parameter_without_a_product_passes_unless_its_samples_are_asked_for():
    check_layer(PReLU(), examples=5)
    found = failure(PReLU(), per_sample=True)
    assert found.check.startswith("Σᵢ")


class BothReLUs(Layer):
    """y = [relu(x), relu(−x)], the derivative of both being 0 at 0."""

    def __init__(self, at_zero=0.0):
        self.at_zero = at_zero

    def connect(self, width):
        return 2 * width

    def forward(self, x):
        return np.hstack([np.maximum(x, 0), np.maximum(-x, 0)])

    def backward(self, x, y, delta):
        up, down = np.hsplit(delta, 2)
        at_zero = (self.at_zero * (x == 0)).astype(x.dtype)
        return up * ((x > 0) + at_zero) - down * ((x < 0) + at_zero)


@pytest.mark.parametrize("at_zero", [0.0, 0.25, 1.0])
@pytest.mark.parametrize("delta", [(1, 1), (1, -1), (-0.5, 2)])
def test_at_a_kink_each_output_may_choose_its_slope(at_zero, delta):
    """The kinks of two outputs may cancel: relu(x) − relu(−x) is x, with slope 1, not 0 − 0."""
    assert check_layer(BothReLUs(at_zero), np.array([[0.0]]), np.array([delta])).kinks == ((0, 0),)


def test_outputs_that_choose_their_slopes_pass_for_every_x():
    check_layer(BothReLUs(), examples=20)
    check_layer(BothReLUs(), np.zeros((30, 8)))


def test_no_output_may_choose_a_slope_beyond_its_own():
    assert failure(BothReLUs(1.5), np.array([[0.0, 2.0]]), np.array([[1.0, 1, -1, 1]])).cause == "kink"
    assert failure(BothReLUs(-0.5)).check == "∂L/∂x"


@pytest.mark.parametrize("width", [1, 2, lambda inputs: 2 * inputs, lambda inputs: (inputs + 1) // 2])
def test_the_example_is_small_where_outputs_are_more_or_fewer_than_inputs(width):
    class Mixed(Layer):
        """y = xM, where M is of any width; ∂L/∂x is half of what it must be."""

        def connect(self, inputs):
            return width(inputs) if callable(width) else width

        def M(self, x):
            return np.cos(np.arange(x.shape[1])[:, None] + np.arange(self.connect(x.shape[1]))).astype(
                x.dtype
            )

        def forward(self, x):
            return x @ self.M(x)

        def backward(self, x, y, delta):
            return delta @ self.M(x).T / 2

    found = failure(Mixed())
    assert found.cause == "factor 2"
    assert reproduce(found, Mixed()).cause == "factor 2"
    assert "x = np.array([[" in found.example
    assert found.example.count("],") == 0


def test_the_layer_stays_as_it_is():
    theta = np.random.default_rng(0).normal(size=8)
    layer = Linear(3, 2)
    layer.bind(theta)
    before, W = theta.copy(), layer.W
    check_layer(layer, examples=3)
    assert layer.W is W
    assert np.shares_memory(W, theta)
    assert (theta == before).all()


def test_a_layer_of_many_parameters_is_checked_along_directions():
    checked = check_layer(Linear(40, 20), examples=1)
    assert checked.directions


# ---- what is wrong is found --------------------------------------------------------------------------


class Half(Layer):
    """The derivative is too small by a factor."""

    def __init__(self, share=0.5):
        self.share = share

    def forward(self, x):
        return x**2

    def backward(self, x, y, delta):
        return self.share * 2 * delta * x


class Passed(Tanh):
    def backward(self, x, y, delta):
        return delta.copy()


class Twice(Tanh):
    def backward(self, x, y, delta):
        return delta * (1 - y * y) ** 2


class AtX(Tanh):
    def backward(self, x, y, delta):
        return delta * (1 - x * x)


class AtY(Tanh):
    """tanh′(x) = 1 − tanh² x, at y."""

    def backward(self, x, y, delta):
        return delta * (1 - np.tanh(y) ** 2)


class Uphill(ReLU):
    def backward(self, x, y, delta):
        return -delta * (y > 0)


class OwnOutputOnly(Layer):
    def forward(self, x):
        return x * x.sum(axis=1, keepdims=True)

    def backward(self, x, y, delta):
        return delta * (x.sum(axis=1, keepdims=True) + x)


class Transposed(Linear):
    def backward(self, x, y, delta):
        return delta @ self.W.T


class OneRow(Linear):
    def gradient(self, x, delta, out):
        super().gradient(x[:1], delta[:1], out)


class OneRowOfB(Linear):
    def gradient(self, x, delta, out):
        super().gradient(x, delta, out)
        self._split(out)[1][:] = delta[-1]


class Mean(Linear):
    def gradient(self, x, delta, out):
        super().gradient(x, delta, out)
        out /= len(x)


class WithoutB(Linear):
    def gradient(self, x, delta, out):
        super().gradient(x, delta, out)
        self._split(out)[1][:] = 0


class RowsMixedInBackward(Sigmoid):
    def backward(self, x, y, delta):
        return delta * y * (1 - y) * len(x) / (1 + (len(x) - 1) * np.exp(-np.abs(x - x[0]).max()))


class MaskKept(ReLU):
    def forward(self, x):
        self.mask = x > 0
        return np.maximum(x, 0)

    def backward(self, x, y, delta):
        return delta * self.mask


class InputKept(Linear):
    def forward(self, x):
        self.x = x
        return super().forward(x)

    def gradient(self, x, delta, out):
        super().gradient(self.x, delta, out)


class Counts(Layer):
    calls = 0

    def forward(self, x):
        self.calls += 1
        return x * self.calls

    def backward(self, x, y, delta):
        return delta * self.calls


class RunningMean(Layer):
    """The second call knows of the first."""

    mean = 0.0

    def forward(self, x):
        y = x - self.mean
        self.mean = 0.9 * self.mean + 0.1 * float(x.mean())
        return y

    def backward(self, x, y, delta):
        return 1.0 * delta


class AddsUp(Layer):
    """What backward returns grows from call to call."""

    total = 0.0

    def forward(self, x):
        return 3 * x

    def backward(self, x, y, delta):
        self.total = self.total + 3 * delta
        return self.total


class Added(Linear):
    def gradient(self, x, delta, out):
        W, b = self._split(out)
        W += delta.T @ x
        b += delta.sum(axis=0)


class NotWritten(Linear):
    def gradient(self, x, delta, out):
        self._split(out)[0][:] = delta.T @ x


class Returned(Linear):
    def gradient(self, x, delta, out):
        return np.column_stack([delta.T @ x, delta.sum(axis=0)]).ravel()


class XInPlace(ReLU):
    def forward(self, x):
        return np.maximum(x, 0, out=x)


class DeltaInPlace(ReLU):
    def backward(self, x, y, delta):
        delta *= y > 0
        return delta


class YInPlace(Tanh):
    def backward(self, x, y, delta):
        y *= -y
        y += 1
        return delta * y


class ThetaInPlace(Linear):
    def gradient(self, x, delta, out):
        super().gradient(x, delta, out)
        self.W *= 0.9


class Same(Layer):
    def forward(self, x):
        return x

    def backward(self, x, y, delta):
        return 1.0 * delta


class SameDelta(Layer):
    def forward(self, x):
        return 1.0 * x

    def backward(self, x, y, delta):
        return delta


class Clipped(Tanh):
    def backward(self, x, y, delta):
        return np.clip(super().backward(x, y, delta), -1, 1)


class Squared(Tanh):
    def backward(self, x, y, delta):
        return super().backward(x, y, delta) * np.abs(delta)


class ClippedGradient(Linear):
    def gradient(self, x, delta, out):
        super().gradient(x, delta, out)
        out /= max(1.0, np.sqrt(out @ out))


class ToFloat64(Tanh):
    def forward(self, x):
        return np.tanh(x) * np.ones(1)


class ToFloat64InBackward(Tanh):
    def backward(self, x, y, delta):
        return delta * (1 - y * y) * np.ones(1)


class ToFloat32(Tanh):
    def forward(self, x):
        return np.tanh(x).astype(np.float32)


class OneColumn(Tanh):
    def backward(self, x, y, delta):
        return super().backward(x, y, delta).sum(axis=1, keepdims=True)


class Turned(Tanh):
    def backward(self, x, y, delta):
        return super().backward(x, y, delta).T


class AsList(Tanh):
    def backward(self, x, y, delta):
        return super().backward(x, y, delta).tolist()


class NaiveSoftmax(Layer):
    def forward(self, x):
        e = np.exp(x)
        return e / e.sum(axis=1, keepdims=True)

    def backward(self, x, y, delta):
        return y * (delta - (delta * y).sum(axis=1, keepdims=True))


class OnePass(Layer):
    """E[x²] − E[x]²: a small difference of large numbers."""

    def forward(self, x):
        variance = np.square(x).mean(axis=1, keepdims=True) - x.mean(axis=1, keepdims=True) ** 2
        return x * np.maximum(variance, 0)

    def backward(self, x, y, delta):
        mean = x.mean(axis=1, keepdims=True)
        variance = np.maximum(np.square(x).mean(axis=1, keepdims=True) - mean**2, 0)
        return delta * variance + 2 / x.shape[1] * (x - mean) * (delta * x).sum(axis=1, keepdims=True)


class HalfAtZero(Layer):
    """At the kink the derivative is one of neither side."""

    def forward(self, x):
        return np.abs(x)

    def backward(self, x, y, delta):
        return delta * np.where(x == 0, 2.0, np.sign(x)).astype(x.dtype)


class EveryMaximum(Layer):
    def connect(self, width):
        return 1

    def forward(self, x):
        return x.max(axis=1, keepdims=True)

    def backward(self, x, y, delta):
        return delta * (x == y)


class Copies(Linear):
    def bind(self, theta):
        W, b = self._split(theta)
        self.W, self.b = W.copy(), b.copy()


class GlobalRandom(Linear):
    rng = np.random.default_rng(0)

    def initialize(self, rng, first=0):
        super().initialize(GlobalRandom.rng, first)


class NewUnitsFirst(Linear):
    """What is drawn for a new unit is written over the first one."""

    def initialize(self, rng, first=0):
        super().initialize(rng, first)
        if first:
            self.W[:first] = 0


class GrowsBackwards(Linear):
    """Units stand in θ from the last to the first: a new one moves all others."""

    def _split(self, vector):
        rows = vector.reshape(self.outputs, self.inputs + 1)[::-1]
        return rows[:, :-1], rows[:, -1]


class Forgetful(Tanh):
    def __init__(self):
        self.scale = 2.0

    def __getstate__(self):
        return {"scale": 1.0}

    def forward(self, x):
        return np.tanh(x) * x.dtype.type(self.scale)

    def backward(self, x, y, delta):
        s = x.dtype.type(self.scale)
        return delta * (s - y * y / s)


class Lost(Forgetful):
    def __getstate__(self):
        return {"scal": 1.0}


class Raises(Tanh):
    def backward(self, x, y, delta):
        return delta @ np.ones((7, 7))


WRONG = {
    Half: "factor 2",
    Passed: "activation",
    Twice: "activation",
    AtX: "activation",
    AtY: "activation",
    Uphill: "sign",
    OwnOutputOnly: "missing",
    RowsMixedInBackward: "rows mixed",
    MaskKept: "stale",
    Counts: "state",
    RunningMean: "state",
    AddsUp: "accumulated",
    XInPlace: "modified",
    DeltaInPlace: "modified",
    YInPlace: "modified",
    Same: "modified",
    SameDelta: "modified",
    Clipped: "nonlinear",
    Squared: "nonlinear",
    ToFloat64: "dtype",
    ToFloat64InBackward: "dtype",
    ToFloat32: "dtype",
    OneColumn: "shape",
    Turned: "transpose",
    AsList: "shape",
    NaiveSoftmax: "not a number",
    OnePass: "precision",
    HalfAtZero: "kink",
    EveryMaximum: "kink",
    Forgetful: "saved",
    Lost: "saved",
    Raises: "shape",
}

WRONG_PARAMETERS = {
    Transposed: "transpose",
    OneRow: "broadcast sum",
    OneRowOfB: "broadcast sum",
    Mean: "mean against sum",
    WithoutB: "missing",
    InputKept: "stale",
    Added: "accumulated",
    NotWritten: "missing",
    Returned: "missing",
    ThetaInPlace: "modified",
    ClippedGradient: "nonlinear",
    Copies: "stale",
    GlobalRandom: "state",
    NewUnitsFirst: "growth",
    GrowsBackwards: "growth",
}


@pytest.mark.parametrize(("kind", "cause"), WRONG.items(), ids=lambda part: getattr(part, "__name__", part))
def test_a_wrong_layer_is_found_and_blamed(kind, cause):
    found = failure(kind())
    assert found.cause == cause, found
    assert reproduce(found, kind()).cause == cause


@pytest.mark.parametrize(
    ("kind", "cause"), WRONG_PARAMETERS.items(), ids=lambda part: getattr(part, "__name__", part)
)
def test_a_wrong_layer_with_parameters_is_found_and_blamed(kind, cause):
    found = failure(kind(3, 3))
    assert found.cause == cause, found
    if kind is not GlobalRandom:  # whose generator has gone on
        assert reproduce(found, kind(3, 3)).cause == cause


@pytest.mark.parametrize(
    ("kind", "block"), [(OneRowOfB, "b"), (WithoutB, "b"), (OneRow, "W"), (NotWritten, "b")]
)
def test_the_block_that_is_wrong_is_named(kind, block):
    assert failure(kind(3, 2)).block == block


def test_a_failure_says_the_check_the_place_the_numbers_and_the_example():
    found = failure(Half(), np.array([[1.0, 3.0, 2.0]]), np.array([[1.0, 1.0, 1.0]]))
    text = str(found)
    assert "∂L/∂x at [0, 1] is 3, but must be 6" in text
    assert "factor 2" in text
    assert "x = np.array([[1.0, 3.0, 2.0]])" in text
    assert text.endswith("check_layer(layer, x, delta)")


def test_the_example_is_small():
    found = failure(Half())
    names = {}
    exec(found.example.rsplit("\n", 1)[0], {"np": np}, names)
    assert names["x"].shape == (1, 1)
    assert names["x"][0, 0] in (1, 3)


@pytest.mark.parametrize("x", [None, X], ids=["searched", "given"])
def test_samples_that_do_not_add_up_are_found(x):
    class Signed(Linear):
        """Right for a gradient; but of |δ| it takes the sign of what it was before."""

        def gradient(self, x, delta, out):
            super().gradient(x, delta, out)
            if (delta >= 0).all() and (x >= 0).all() and len(x) > 1:
                out *= 2

    # as a gradient it is wrong too, for such x: given ones are not
    assert failure(Signed(3, 2), x).check.startswith(("Σᵢ", "∂L", "gradient"))
    if x is not None:
        assert failure(Signed(3, 2), x).check.startswith("Σᵢ")


def test_rows_in_another_order_must_give_the_same():
    class First(Layer):
        """The first row's mean is taken from all."""

        def forward(self, x):
            return x - x[:1].mean()

        def backward(self, x, y, delta):
            result = delta.copy()
            result[0] -= delta.sum() / x.shape[1]
            return result

    assert failure(First(), rows=False).check == "forward(x), rows permuted"


# ---- what is no layer --------------------------------------------------------------------------------


class NoBackward:
    def forward(self, x):
        return x


class BaseOnly(Layer):
    def forward(self, x):
        return x


class OldProtocol:
    def forward(self, x):
        return x

    def backward(self, delta):
        return delta


class NoBind(Cube):
    n_parameters = 3


class NoCount(Layer):
    def forward(self, x):
        return x

    def backward(self, x, y, delta):
        return delta

    def gradient(self, x, delta, out):
        out[:] = 1


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (NoBackward(), r"layer must have backward\(x, y, delta\); NoBackward has none"),
        (BaseOnly(), r"layer must have backward\(x, y, delta\); BaseOnly has none"),
        (OldProtocol(), r"backward must take \(x, y, delta\); that of OldProtocol takes \(delta\)"),
        (NoBind(), r"layer must have bind\(theta\), as it has 3 parameters; NoBind has none"),
        (NoCount(), "NoCount has a gradient, but does not say how many parameters: set n_parameters"),
        (Cube, "layer must be a layer, got the class Cube"),
        (None, "layer must have forward"),
    ],
)
def test_what_is_no_layer_is_refused(layer, message):
    with pytest.raises(TypeError, match=message):
        check_layer(layer)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"x": [1.0]}, "x must have shape"),
        ({"x": [[np.nan]]}, "x must be finite"),
        ({"x": X, "delta": X[:2]}, "delta has shape"),
        ({"x": X, "theta": np.ones(2)}, "theta must have shape"),
    ],
)
def test_bad_arguments_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        check_layer(Tanh(), **options)
