"""Hypothesis strategies for what a gradient is tested with: arrays, batches, tasks, layers, networks, terms.

    from hypothesis import given
    from incrlearn.testing import strategies

    @given(strategies.logits(3, 4))
    def test_a_loss(z): ...

Each shrinks to the plainest example: one row, one column, zeros, one layer. Those for arrays
and batches stand in `arrays`, those for tasks in `streams`. This module needs Hypothesis.
"""

from itertools import product
from typing import NamedTuple

import hypothesis.strategies as st
import numpy as np

from .. import _checks, learning
from ..learning import (
    AGEM,
    EWC,
    GEM,
    L1,
    L2,
    MAS,
    OGD,
    SI,
    AsymmetricCrossEntropy,
    BinaryCrossEntropy,
    CrossEntropy,
    DarkReplay,
    DistilledBinaryCrossEntropy,
    ElasticNet,
    Features,
    Logits,
    Relations,
    Replay,
    SoftReplay,
    SquaredError,
)
from ..network import ACTIVATIONS, Gate, Linear, Network, ReLU, Sigmoid, Standardize, StandardizeSparse, Tanh
from ..network.network import FRONT
from .arrays import arrays_for, bounds, label_batches, logits, size
from .streams import Task, tasks

__all__ = ["Task", "arrays_for", "label_batches", "layers", "logits", "networks", "tasks", "terms"]

#: how many rows are observed at once: 16 are enough for a scale that counts
ROWS = st.sampled_from([1, 2, 3, 16, 20])
SCALES = st.sampled_from([1.0, 1e4, 1e-4])
YES_OR_NO = st.sampled_from([True, False])


# ---- layers ------------------------------------------------------------------------------------------


def layers(inputs=None, *, outputs=None, kinds=None, dtype="float64", largest=4.0, smallest=0.0):
    """Draw a layer of `incrlearn.network`, with parameters; it shrinks to ReLU() or Linear(1, 1).

    Every kind there is: Linear with and without bias, the activations, gates, and layers that standardize,
    after rows that they have observed and before the first.

    Parameters
    ----------
    inputs : int, strategy or None
        The width of x. None is 1 to 5; a layer that takes any width does not say which it was.
    outputs : int, strategy or None
        The width of y, for Linear.
    kinds : class or list of classes, optional
        Which layers: keys of LAYERS, or what they are derived from. All of them when None.
    dtype : {"float64", "float32"} or numpy.dtype
    largest, smallest : float
        Bounds of the parameters, as for `arrays_for`.

    Returns
    -------
    SearchStrategy of Layer

    Raises
    ------
    TypeError, ValueError
        If an argument is not what is asked for.

    Examples
    --------
    >>> from hypothesis import find
    >>> find(layers(), lambda layer: True)
    ReLU()
    >>> layer = find(layers(inputs=2), lambda layer: layer.n_parameters > 0)
    >>> layer, layer.W, layer.b
    (Linear(2, 1), array([[0., 0.]]), array([0.]))
    """
    kinds, widths = chosen("kinds", kinds, LAYERS), (size("inputs", inputs, low=1), size("outputs", outputs))
    return _layers(kinds, *widths, bounds(dtype, largest, smallest))


def _linear(draw, width, outputs, bias=YES_OR_NO):
    return Linear(width, draw(outputs), bias=draw(bias))


def _gate(draw, width, outputs):
    return Gate(draw(st.lists(st.sampled_from([1.0, 0.0]), min_size=width, max_size=width)))


def _observed(draw, layer, rows_as=np.asarray, first=0.0):
    """Let a layer observe rows, of features of different size, twice, once, or where it can do so never."""
    scale = np.array([draw(SCALES) for _ in range(layer.inputs)])
    for _ in range(draw(st.integers(1 if first else 0, 2))):
        some = draw(arrays_for((st.integers(1, 3), layer.inputs), largest=4.0, smallest=0.01))
        rows = np.resize(some, (draw(ROWS), layer.inputs))
        rows[0, 0] = rows[0, 0] or first
        layer.observe(rows_as(rows * scale))
    return layer


def _standardize(draw, width, outputs):
    return _observed(draw, Standardize(width))


def _standardize_sparse(draw, width, outputs):
    from scipy.sparse import csr_array

    # one column is filled at least: without any the layer has no output
    return _observed(draw, StandardizeSparse(width, scaled=draw(YES_OR_NO)), csr_array, first=1.0)


#: how each kind is made, the plainest first: (draw, width of x, strategy for the width of y) -> layer
LAYERS = {
    ReLU: lambda draw, width, outputs: ReLU(),
    Tanh: lambda draw, width, outputs: Tanh(),
    Sigmoid: lambda draw, width, outputs: Sigmoid(),
    Linear: _linear,
    Gate: _gate,
    Standardize: _standardize,
    StandardizeSparse: _standardize_sparse,
}


def chosen(name, kinds, table):
    """Return the keys of a table that are of one of the kinds, in the table's order; all when None."""
    if kinds is None:
        return list(table)
    kinds = tuple(kinds) if isinstance(kinds, list | tuple | set) else (kinds,)
    for kind in kinds or ["nothing"]:
        if not isinstance(kind, type) or not any(issubclass(known, kind) for known in table):
            known = ", ".join(known.__name__ for known in table)
            raise ValueError(f"{name} must be of {known}, got {kind!r} (for your own: st.builds)")
    return [known for known in table if issubclass(known, kinds)]


@st.composite
def _layers(draw, kinds, inputs, outputs, of):
    layer = LAYERS[draw(st.sampled_from(kinds))](draw, draw(inputs), outputs)
    layer.bind(_parameters(draw, [layer], of))
    return layer


def _parameters(draw, layers, of):
    """Draw θ, in as many draws with and without biases: Hypothesis takes what needs fewer for simpler."""
    n = sum(layer.n_parameters for layer in layers)
    absent = sum(layer.outputs for layer in layers if isinstance(layer, Linear) and not layer.bias)
    return draw(arrays_for(n + absent, of.dtype, largest=of.largest, smallest=of.smallest))[:n]


# ---- networks ----------------------------------------------------------------------------------------


def networks(
    inputs=None, outputs=None, *, depth=3, kinds=None, head=True, dtype="float64", largest=4.0, smallest=0.0
):
    """Draw a Network, with parameters; it shrinks to one Linear(1, 1), all zeros.

        x ─► (a layer that standardizes) ─► up to `depth` layers of any kind ─► Linear

    Perceptrons are among them, and also: one layer, no activation, several in a row, one in front, layers
    without a bias, gates, units of no weight, and one unit wide.

    Parameters
    ----------
    inputs, outputs : int, strategy or None
        Widths. None is 1 to 5.
    depth : int
        How many layers there are at most before the head, ≥ 0, without those that standardize.
    kinds : class or list of classes, optional
        Which layers stand before the head, as for `layers`. All of them when None.
    head : bool
        Whether the last layer is always the Linear one. Otherwise activations may follow.
    dtype : {"float64", "float32"} or numpy.dtype
    largest, smallest : float
        Bounds of the parameters, as for `arrays_for`.

    Returns
    -------
    SearchStrategy of Network

    Raises
    ------
    TypeError, ValueError
        If an argument is not what is asked for.

    Examples
    --------
    >>> from hypothesis import find
    >>> find(networks(inputs=2), lambda network: True)
    Network([Linear(2, 1)]), 3 parameters, float64
    >>> find(networks(2, 3, kinds=Tanh), lambda network: len(network.layers) > 1)
    Network([Tanh(), Linear(2, 3)]), 9 parameters, float64
    """
    kinds = chosen("kinds", kinds, LAYERS)
    depth = _checks.count("depth", depth, low=0)
    _checks.flag("head", head)
    widths = size("inputs", inputs, low=1), size("outputs", outputs)
    return _networks(*widths, depth, kinds, head, bounds(dtype, largest, smallest))


@st.composite
def _networks(draw, inputs, outputs, depth, kinds, head, of):
    width, stack, hidden = draw(inputs), [], st.integers(1, 3)
    front = draw(st.sampled_from([*[None] * 4, *(kind for kind in kinds if issubclass(kind, FRONT))]))
    if front is not None:
        stack.append(LAYERS[front](draw, width, hidden))
        width = stack[-1].connect(width)
    inner = [kind for kind in kinds if not issubclass(kind, FRONT)]
    for kind in draw(_kinds_between(inner, depth)):
        stack.append(_layer_behind(draw, stack, kind, width, hidden))
        width = stack[-1].connect(width)
    stack.append(_linear(draw, width, outputs, _biases(stack)))
    activations = _activations(inner)
    if activations and not head:
        stack += [kind() for kind in draw(st.lists(st.sampled_from(activations), max_size=2))]
    network = Network(stack, np.random.default_rng(0), of.dtype)
    network.theta = _parameters(draw, stack, of)
    return network


@st.composite
def _kinds_between(draw, kinds, depth):
    """Draw what stands before the head: any layers, or Linear and activation in turn, or Linear alone."""
    any_kinds = draw(st.lists(st.sampled_from(kinds), max_size=depth)) if kinds else []
    plan = draw(st.integers(0, 2)) if Linear in kinds else 0
    if plan == 1 and depth > 1 and _activations(kinds):
        return [Linear, draw(st.sampled_from(_activations(kinds)))] * draw(st.integers(1, depth // 2))
    return [Linear] * len(any_kinds) if plan == 2 else any_kinds


def _activations(kinds):
    return [kind for kind in kinds if kind in ACTIVATIONS.values()]


def _layer_behind(draw, stack, kind, width, hidden):
    """Draw a layer of that kind; behind one that standardizes there must be a Linear."""
    if kind is Linear or (stack and isinstance(stack[-1], FRONT)):
        return _linear(draw, width, hidden, _biases(stack))
    return LAYERS[kind](draw, width, hidden)


def _biases(stack):
    """Whether a Linear may be without a bias: not behind a layer that standardizes."""
    return st.just(True) if stack and isinstance(stack[-1], FRONT) else YES_OR_NO


# ---- terms -------------------------------------------------------------------------------------------


def terms(kinds=None, *, values=False, teachers=None):
    """Draw a term of `incrlearn.learning`, with settings; it shrinks to one without any.

        L = L₀ + term

    Every kind there is, as it is given to a learner: nothing has been learned yet. Strengths may be 0 and
    large, shares 0 and 1, temperatures far from 1.

    Parameters
    ----------
    kinds : class or list of classes, optional
        Which terms: keys of TERMS, or what they are derived from, as ParameterTerm. All of them when None.
    values : bool
        Whether targets are real numbers, in place of classes: only terms that can do with them are drawn.
    teachers : strategy of Network, optional
        Teachers that may be given to a distillation. They are its own, from the tasks before, when None.

    Returns
    -------
    SearchStrategy of Term

    Raises
    ------
    TypeError, ValueError
        If an argument is not what is asked for, or no term is left.

    Examples
    --------
    >>> from hypothesis import find
    >>> find(terms(), lambda term: True)
    CrossEntropy()
    >>> find(terms(learning.ParameterTerm), lambda term: term.holds)
    MAS(strength=1.0)
    >>> find(terms(Features, teachers=networks(2, 3)), lambda term: term.given)
    Features(strength=1.0, at=-2)
    """
    _checks.flag("values", values)
    kinds = chosen("kinds", kinds, [kind for kind in TERMS if fits(kind, values)])
    setting = Setting(values, st.none() if teachers is None else st.none() | teachers)
    return st.sampled_from(kinds).flatmap({kind: TERMS[kind](setting) for kind in kinds}.__getitem__)


class Setting(NamedTuple):
    """Where a term stands: whether targets are values, and which teachers may be given."""

    values: bool
    teacher: st.SearchStrategy


def fits(kind, values):
    """Say whether terms of that kind can look at values, or at classes."""
    if issubclass(kind, learning.Loss):
        return (kind is SquaredError) == values
    return not (values and kind.of_classes)


#: λ, where 0 is nothing
STRENGTHS = st.sampled_from([1.0, 0.0, 0.1, 10.0, 1e4]) | st.floats(0, 100)
SHARES = st.sampled_from([0.5, 0.0, 1.0]) | st.floats(0, 1)
TEMPERATURES = st.sampled_from([1.0, 2.0, 0.5, 10.0, 100.0]) | st.floats(0.125, 8)
#: a[-2] is what the head sees, a[-1] the logits; a[1] is there in every network
PLACES = st.sampled_from([-2, -1, 1])
#: over all classes there is no reverse divergence: it would be infinite
DIVERGENCES = st.sampled_from([("reverse", "old"), *product(["forward", "cross_entropy"], ["old", "all"])])


def _logits_terms(setting):
    return st.builds(
        lambda alpha, T, q, teacher: Logits(alpha, T, q[0], teacher, q[1]),
        SHARES | st.just("1/k"),
        TEMPERATURES,
        DIVERGENCES,
        setting.teacher,
    )


def _replay_terms(setting):
    names = ["squared_error"] if setting.values else ["cross_entropy", "binary_cross_entropy"]
    return st.builds(Replay, SHARES | st.sampled_from(["1/k", "n/N"]), st.sampled_from([None, *names]))


#: how each kind is made, the plainest first: setting -> strategy
TERMS = {
    CrossEntropy: lambda _: st.builds(CrossEntropy),
    BinaryCrossEntropy: lambda _: st.builds(BinaryCrossEntropy),
    SquaredError: lambda _: st.builds(SquaredError, st.booleans()),
    L2: lambda _: st.builds(L2, STRENGTHS, st.booleans()),
    L1: lambda _: st.builds(L1, STRENGTHS, st.booleans()),
    ElasticNet: lambda _: st.builds(ElasticNet, STRENGTHS, SHARES, st.booleans()),
    MAS: lambda _: st.builds(MAS, STRENGTHS),
    SI: lambda _: st.builds(SI, STRENGTHS, st.sampled_from([0.1, 1e-3, 1.0])),
    EWC: lambda _: st.builds(
        EWC, STRENGTHS, st.sampled_from(["exact", "empirical", "sampled"]), st.booleans(), SHARES
    ),
    Logits: _logits_terms,
    Features: lambda setting: st.builds(Features, STRENGTHS, PLACES, setting.teacher),
    Relations: lambda setting: st.builds(Relations, STRENGTHS, STRENGTHS, PLACES, setting.teacher),
    DistilledBinaryCrossEntropy: lambda _: st.builds(DistilledBinaryCrossEntropy, TEMPERATURES),
    AsymmetricCrossEntropy: lambda _: st.builds(AsymmetricCrossEntropy),
    Replay: _replay_terms,
    SoftReplay: lambda _: st.builds(SoftReplay, SHARES | st.sampled_from(["1/k", "n/N"]), TEMPERATURES),
    DarkReplay: lambda _: st.builds(DarkReplay, STRENGTHS, STRENGTHS),
    AGEM: lambda _: st.builds(AGEM),
    GEM: lambda _: st.builds(GEM),
    OGD: lambda _: st.builds(OGD, st.integers(1, 3)),
}
