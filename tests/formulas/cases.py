"""The table of all formulas: what each is compared with, and where its arguments come from.

A property that every formula has is written once, in test_every_formula.py, and runs over this table.
"""

from collections.abc import Callable
from functools import cache, partial
from itertools import cycle
from typing import NamedTuple

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis.extra.numpy import arrays

from incrlearn import formulas
from tests import oracles

# Multiples of 1/8 are exact in float32, and two of them are equal or well apart
EIGHTHS = st.integers(-24, 24).map(lambda i: i / 8)
SIZES = st.integers(1, 4)
ARRAYS = cache(lambda shape: arrays(np.float64, shape, elements=EIGHTHS))
LABELS = cache(lambda n, k: arrays(np.int64, n, elements=st.integers(0, k - 1)))
NUMBERS = cache(st.floats)


class Drawn:
    """Arguments drawn by Hypothesis: few rows and columns, with equal rows and zeros among them."""

    def __init__(self, draw):
        self.draw = draw

    def size(self):
        return self.draw(SIZES)

    def array(self, *shape):
        return self.draw(ARRAYS(shape))

    def labels(self, n, k):
        return self.draw(LABELS(n, k))

    def number(self, low, high):
        return self.draw(NUMBERS(low, high))

    def temperature(self):
        return self.number(0.5, 8)


class Seeded:
    """Arguments from a random generator, in general position: nothing is zero, no two rows are equal."""

    def __init__(self, seed):
        self.rng = np.random.default_rng(seed)

    def size(self):
        return int(self.rng.integers(3, 6))

    def array(self, *shape):
        return self.rng.normal(size=shape)

    def labels(self, n, k):
        return self.rng.integers(k, size=n)

    def number(self, low, high):
        return float(self.rng.uniform(low, high))

    def temperature(self):
        return self.number(0.5, 3)


class Extreme(Seeded):
    """Arguments of the size 10⁴, of either sign or all equal, in n rows of k columns."""

    def __init__(self, n, k, T, equal):
        super().__init__(n + k)
        self.sizes, self.T, self.equal = cycle([n, k]), T, equal

    def size(self):
        return next(self.sizes)

    def array(self, *shape):
        return np.full(shape, 1e4) if self.equal else self.rng.choice([-1e4, 1e4], size=shape)

    def temperature(self):
        return self.T


class Formula(NamedTuple):
    """A function under test, an independent version of it, and its arguments."""

    name: str
    call: Callable  # the package's
    oracle: Callable  # ours
    build: Callable  # (source, n, k) -> the arguments
    rows: tuple  # the positions of the arguments that have a row for each sample (or parameter)
    whole: Callable | None = None  # np.mean or np.sum, where the whole is that of its single rows
    wrt: tuple = (0,)  # the positions of the arguments with respect to which there is a gradient

    def arguments(self, source):
        return self.build(source, source.size(), source.size())

    def drawn(self):
        """Return the Hypothesis strategy of this formula's arguments."""
        return st.composite(lambda draw: self.arguments(Drawn(draw)))()


def distributions(s, n, k):
    """Return rows that sum to 1, zeros allowed."""
    rows = np.abs(s.array(n, k))
    rows[:, 0] += 0.125
    return rows / rows.sum(axis=1, keepdims=True)


def shares(s, n, k):
    """Return entries in [0, 1]."""
    return np.clip(np.abs(s.array(n, k)) / 3, 0, 1)


def logits(s, n, k):
    return s.array(n, k), s.array(n, k), s.temperature()


def labelled_logits(s, n, k):
    return s.array(n, k), s.labels(n, k), s.array(n, k), s.number(0, 1), s.temperature()


def normals(s, n, k):
    """Return means, and logarithms of variances: those in [−3, 3], as exp 10⁴ is no number."""
    return s.array(n, k), s.array(n, k).clip(-3, 3)


def strength(s):
    return s.number(0, 3)


def orthonormal(s, m, b):
    return np.linalg.qr(s.array(m, b))[0].T


MEAN, SUM = np.mean, np.sum


def case(name, kind, build, *properties, **options):
    """Return the Formula called `name` in the package and in the oracles; options name functions of both."""
    call, oracle = (
        partial(getattr(room, name), **{key: getattr(room, value) for key, value in options.items()})
        for room in (formulas, oracles)
    )
    return Formula(f"{name} {kind}".strip(), call, oracle, build, *properties)


LOSSES = [
    case("squared_error", "vectors", lambda s, n, k: (s.array(n), s.array(n)), (0, 1), MEAN),
    case("squared_error", "matrices", lambda s, n, k: (s.array(n, k), s.array(n, k)), (0, 1), MEAN),
    case("cross_entropy", "labels", lambda s, n, k: (s.array(n, k), s.labels(n, k)), (0, 1), MEAN),
    case("cross_entropy", "rows", lambda s, n, k: (s.array(n, k), distributions(s, n, k)), (0, 1), MEAN),
    case("binary_cross_entropy", "", lambda s, n, k: (s.array(n, k), shares(s, n, k)), (0, 1), MEAN),
]

PLAIN = [
    case("l1", "", lambda s, m, _: (s.array(m), strength(s)), (0,), SUM),
    case("l2", "", lambda s, m, _: (s.array(m), strength(s)), (0,), SUM),
    case("elastic_net", "", lambda s, m, _: (s.array(m), strength(s), s.number(0, 1)), (0,), SUM),
    case("importance_weighted", "", lambda s, m, _: (s.array(m), strength(s), abs(s.array(m))), (0, 2), SUM),
]


def anchored(penalty):
    """Return the penalty with an anchor as its last argument."""
    last = len(penalty.build(Seeded(0), 1, 1))
    return penalty._replace(
        name=f"{penalty.name} anchored",
        build=lambda s, m, k: (*penalty.build(s, m, k), s.array(m)),
        rows=(*penalty.rows, last),
    )


ANCHORED = [anchored(penalty) for penalty in PLAIN]

DIVERGENCES = [
    case(name, "", logits, (0, 1), MEAN) for name in ("reverse_kl", "forward_kl", "soft_cross_entropy")
]

DISTILLED = [
    case("distilled_cross_entropy", name, labelled_logits, (0, 1, 2), MEAN, divergence=name)
    for name in ("reverse_kl", "forward_kl", "soft_cross_entropy")
]

FEATURES = [
    case("feature_distance", "", lambda s, n, k: (s.array(n, k), s.array(n, k)), (0, 1), MEAN),
    case(
        "feature_distance",
        "through R",
        lambda s, n, k: (s.array(n, k), s.array(n, 3), s.array(k, 3)),
        (0, 1),
        MEAN,
        (0, 2),
    ),
]

RELATIONS = [
    case(name, "", lambda s, n, k: (s.array(n, k), s.array(n, 2)), (0, 1))
    for name in ("relation_distance", "relation_angle")
]


KL = case("kl_to_normal", "", normals, (0, 1), MEAN, (0, 1))
KL_BETWEEN = case(
    "kl_between",
    "",
    lambda s, n, k: (*normals(s, n, k), *normals(s, n, k)),
    (0, 1, 2, 3),
    MEAN,
    (0, 1, 2, 3),
)


def half_square(mu, log_variance, epsilon):
    """Return 1/(2n) Σ‖z‖² of a draw z, and its gradients: reparametrize, chained to a loss."""
    z, slope = formulas.reparametrize(mu, log_variance, epsilon)
    value, delta = formulas.squared_error(z, np.zeros_like(z))
    return value, (delta, delta * slope)


REPARAMETRIZE = Formula(
    "reparametrize",
    half_square,
    lambda mu, log_variance, epsilon: oracles.squared_error(
        oracles.reparametrize(mu, log_variance, epsilon), 0.0
    ),
    lambda s, n, k: (*normals(s, n, k), s.array(n, k)),
    (0, 1, 2),
    MEAN,
    (0, 1),
)

VARIATIONAL = [KL, KL_BETWEEN, REPARAMETRIZE]

FORMULAS = [*LOSSES, *PLAIN, *ANCHORED, *DIVERGENCES, *DISTILLED, *FEATURES, *RELATIONS, *VARIATIONAL]

# These return the projected gradient alone
PROJECTIONS = [
    case("project_agem", "", lambda s, m, _: (s.array(m), s.array(m)), (0, 1)),
    case("project_gem", "", lambda s, m, t: (s.array(m), s.array(t, m)), (0,)),
    case("project_orthogonal", "", lambda s, m, b: (s.array(m), orthonormal(s, m, b)), (0,)),
]


def each(table):
    """Run a test once for every formula of a table."""
    return pytest.mark.parametrize("formula", table, ids=[formula.name for formula in table])


def outputs(result):
    """Return what a formula returned as a flat list: (value, gradient, ...), or the projected gradient."""
    if isinstance(result, tuple):
        return [output for part in result for output in outputs(part)]
    return [result]
