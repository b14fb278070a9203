"""Layers: their derivatives, and what else must be true of every one of them.

A layer need not be one of ours: whatever has `forward(x)` and `backward(x, y, delta)` will do.
"""

import copy
import inspect
import pickle
from functools import cached_property

import numpy as np

from .. import _checks
from ..network import Linear, pad
from .blame import likely_cause
from .contracts import (
    DIGITS,
    Both,
    agree,
    asked,
    dense,
    finite,
    keeps,
    ordinary,
    protected,
    real_numbers,
    rounding,
    same_bits,
    sizes,
    twin,
)
from .derivatives import EPSILON, derivative
from .failure import Checked, Failure, Untold
from .gradients import check_gradient
from .search import code, is_strategy, needed, numbers, search
from .subjects import DEFAULTS, Subject, put
from .suspects import first_like, numerical, of_block, of_x

#: of arrays with more entries the gradient is not computed a second time to find out what is wrong with it
MANY = 200


def check_layer(
    layer, x=None, delta=None, *, theta=None, rows=True, per_sample=None, tolerance=1e-6, examples=50, seed=0
):
    """Raise a Failure unless a layer's derivatives are right, and it behaves as a layer must.

        L = Σ δ · forward(x)          backward(x, y, δ) = ∂L/∂x          gradient(x, δ, out): out = ∂L/∂θ

    Beyond the derivatives: shapes and dtypes are kept; x, y, δ and θ are not changed, nor shared with
    results; nothing depends on an earlier call; both derivatives are linear in δ; a batch is the sum of its
    rows, in any order; float32 is close to float64; a layer that grows keeps its old outputs; copied and
    pickled it is the same.

    Parameters
    ----------
    layer : Layer, or any object with forward(x) and backward(x, y, delta)
        With `n_parameters` > 0 it also has bind(theta), initialize(rng) and gradient(x, delta, out). It stays
        as it is: copies of it are tried.
    x : ndarray of shape (n, inputs), or a Hypothesis strategy for such, optional
        Where to look. When None inputs are searched for, among them extreme ones, and a failure is made as
        small as it gets. That needs Hypothesis.
    delta : ndarray of shape (n, outputs), optional
        δ; random when None.
    theta : ndarray of shape (n_parameters,), optional
        The parameters; when None the layer's own, or random ones.
    rows : bool
        Whether every row must be for itself; False for layers such as batch normalization.
    per_sample : bool, optional
        Whether Σᵢ |∂Lᵢ/∂θ| and Σᵢ (∂Lᵢ/∂θ)² must be what `gradient` says of |x| and |δ|, of x² and δ², as
        `Network.sum_over_samples` needs it. When None this is asked of `Linear` alone.
    tolerance : float
        How far derivatives may be off, relative to the largest entry.
    examples : int
        How many inputs to search.
    seed : int
        Of all that is random.

    Returns
    -------
    Checked
        What was looked at.

    Raises
    ------
    Failure
        An AssertionError that says what is wrong, where, why maybe, and shows the smallest example.
    TypeError, ValueError
        If the object is no layer, or an argument is not what is asked for.
    ImportError
        If inputs are to be searched for, and Hypothesis is missing.

    Examples
    --------
    >>> from incrlearn import Linear
    >>> x = np.array([[1.0, -2.0], [0.5, 3.0]])
    >>> checked = check_layer(Linear(2, 3), x)
    >>> class Square:
    ...     def forward(self, x):
    ...         return x**2
    ...     def backward(self, x, y, delta):
    ...         return delta * x
    >>> check_layer(Square(), x)
    Traceback (most recent call last):
    incrlearn.testing.failure.Failure: the gradient ∂L/∂x at [...
    """
    options = {"rows": rows, "tolerance": tolerance, "seed": seed}
    options["per_sample"] = isinstance(layer, Linear) if per_sample is None else per_sample
    subject = Subject(layer)

    def check(example):
        try:
            with np.errstate(all="ignore"):
                return _Case(subject, *copy.deepcopy(example), **options).check()
        except Failure as failure:
            subject.sought = failure.check
            if x is None and subject.inputs is None and failure.check.startswith("forward(x) raises"):
                failure.hint = (
                    "any width of x was tried: which one the layer takes, its attribute inputs says"
                )
            raise failure.with_example(_code(example, seed)) from failure.__cause__

    if x is None or is_strategy(x):
        first = [] if x is not None else subject.first(seed, theta)
        columns = [((0, 1), (1, 1))] if subject.inputs is None and not subject.size else []
        return search(
            check,
            _examples(subject, x, theta),
            first=first,
            examples=examples,
            seed=seed,
            together=[((0, 0), (1, 0)), *columns],
            cuts=x is None,
        )
    return check(_given(subject, x, delta, theta, seed))


def _given(subject, x, delta, theta, seed):
    """Return the example that was given, what is missing drawn, all checked."""
    rng = np.random.default_rng(seed)
    x = _checks.rows("x", dense(x)).astype(np.float64)
    theta = subject.parameters(rng) if theta is None else _checks.real_array("theta", theta)
    if theta.shape != (subject.size,):
        raise ValueError(f"theta must have shape ({subject.size},), got {theta.shape}")
    y = subject.forward(x, theta.astype(np.float64))
    if delta is None:
        delta = rng.normal(size=y.shape)
    delta = _checks.finite("delta", _checks.real_array("delta", delta))
    _checks.same_shape("delta", delta, "the layer's output", y)
    return x, delta.astype(np.float64), theta.astype(np.float64)


def _examples(subject, x, theta):
    """Return a strategy for examples (x, δ, θ)."""
    st = needed().strategies

    @st.composite
    def example(draw):
        if x is None:
            width = subject.inputs or draw(st.integers(1, 4))
            rows = draw(numbers((draw(st.integers(1, 4)), width), largest=1e4))
        else:
            rows = np.asarray(draw(x), np.float64)
        shape = len(rows), subject.width(rows)
        parameters = draw(numbers((subject.size,))) if theta is None else np.asarray(theta, np.float64)
        return rows, draw(numbers(shape, largest=1e3)), parameters

    return example()


def _code(example, seed):
    """Return the code that shows a failure again."""
    x, delta, theta = example
    lines = [code("x", x), code("delta", delta), *([code("theta", theta)] if theta.size else [])]
    more = (", theta=theta" if theta.size else "") + (f", seed={seed}" if seed else "")
    return "\n".join([*lines, f"check_layer(layer, x, delta{more})"])


class _Case:
    """A layer with an example: every method that begins with `check_` is one of the things that must hold."""

    def __init__(self, subject, x, delta, theta, *, rows, per_sample, tolerance, seed):
        self.subject, self.x, self.delta, self.theta = subject, x, delta, theta
        self.rows, self.per_sample = rows, per_sample
        self.tolerance, self.seed = tolerance, seed
        self.untold = None

    def check(self):
        """Check everything, what tells most first; return a Checked."""
        result = Checked()
        self.check_calls(np.float64, shared=True)
        if not finite(self.y):  # too large for any derivative
            return result.with_checks("shapes")
        self.check_written()
        self.check_earlier_calls()
        self.check_linearity()
        result += self.check_derivatives()
        self.check_rows()
        self.check_permutation()
        self.check_samples()
        self.check_calls(np.float64)
        self.check_calls(np.float32)
        self.check_float32()
        self.check_parameters()
        self.check_growth()
        self.check_saved()
        if self.untold and not result.entries + result.directions:
            raise self.untold
        return result.with_checks(*CHECKS)

    @property
    def size(self):
        return self.subject.size

    def check_calls(self, dtype, shared=False):
        """Shapes and dtypes are kept, nothing given is changed, nor shared, unless it may be."""
        x, delta, theta = (array.astype(dtype) for array in (self.x, self.delta, self.theta))
        if dtype == np.float32 and not ordinary(x, delta, theta):
            return
        layer = twin(self.subject.layer)
        getattr(layer, "bind", DEFAULTS.bind)(theta)
        shape = len(x), self.subject.width(x)
        y = asked("forward(x)", lambda x, theta: layer.forward(x), {"x": x, "theta": theta}, shared=shared)
        self._keeps_width(y, shape)
        keeps("forward(x)", y, shape, dtype)
        real_numbers("forward(x)", y)
        if dtype == np.float64:
            self.y = dense(y)
        if not finite(y):
            return
        given = {"x": x, "y": dense(y), "delta": delta, "theta": theta}
        name = "backward(x, y, delta)"
        dx = asked(name, lambda x, y, delta, theta: layer.backward(x, y, delta), given, shared=shared)
        keeps(name, dx, x.shape, dtype)
        real_numbers(name, dx)
        if self.size:
            out = np.zeros(self.size, dtype)
            given = {"x": x, "delta": delta, "theta": theta, "out": out}
            name = "gradient(x, delta, out)"
            asked(
                name,
                lambda x, delta, theta, out: _nothing(layer.gradient(x, delta, out), out),
                given,
                written=("out",),
            )
            real_numbers(name, out)

    def _keeps_width(self, y, shape):
        """Raise a Failure where y is not as wide as connect says."""
        if np.shape(y)[:1] == shape[:1] and np.ndim(y) == 2 and y.shape not in (shape, shape[::-1]):
            inputs = self.x.shape[1]
            hint = f"connect({inputs}) must return how wide y is for {inputs} inputs: it says {shape[1]}"
            said = f"forward(x) has shape {y.shape}, but must have {shape}"
            raise Failure("forward(x)", cause="shape", said=said, hint=hint)

    def check_written(self):
        """The gradient is written over what stood in out, all of it."""
        if not self.size:
            return
        zero, one = (self.subject.gradient(self.x, self.delta, self.theta, fill) for fill in (0.0, 1.0))
        for name, places in self.subject.blocks.items():
            before, after = zero[places], one[places]
            if same_bits(before, after):
                continue
            check = f"gradient writes ∂L/∂{name}"
            if not before.any():
                raise Failure(
                    check,
                    cause="missing",
                    block=name,
                    said=f"gradient(x, delta, out) does not write ∂L/∂{name} into out",
                )
            raise Failure(
                check,
                cause="accumulated",
                block=name,
                said=f"∂L/∂{name} is another where out held ones, and not zeros",
                hint="gradient(x, delta, out) must write over what stands in out, all of it",
            )

    def check_earlier_calls(self):
        """Nothing depends on an earlier call."""
        self._forward_twice()
        for name, call in self._derivatives().items():
            alone, after = call(), call(before=self.other)
            hint = f"after forward({'another x'}) it is another one: the layer keeps what it was shown last"
            if not same_bits(after, alone):
                stale = same_bits(after, call(instead=self.other))
                cause = "stale" if stale or not self._changes(alone, after) else "state"
                cause = "stale" if name != "forward(x)" else cause
                agree(f"{name} after another call", after, alone, 0.0, cause, hint, subject=name)
            twice = call(times=2)
            if not same_bits(twice, alone):
                sums = np.abs(twice - 2 * alone).max() <= 1e-9 * np.abs(alone).max()
                hint = "called again with the same arguments it gives something else"
                agree(
                    f"{name} twice", twice, alone, 0.0, "accumulated" if sums else "state", hint, subject=name
                )

    @staticmethod
    def _changes(first, second):
        return first.shape == second.shape

    @property
    def other(self):
        """Another x of the same shape: entries of x, a little smaller, so that the layer is at home there."""
        return np.flip(self.x) * np.random.default_rng(self.seed).uniform(0.4, 0.9, self.x.shape)

    def _forward_twice(self):
        layer = self.subject.fresh(self.theta)
        first = dense(layer.forward(self.x)).copy()
        again = dense(layer.forward(self.x)).copy()
        hint = "the same x gives another y when forward is called again"
        agree("forward(x) twice", again, first, 0.0, "state", hint, subject="forward(x), called again,")
        layer.forward(self.other)
        layer.backward(self.x, first.copy(), self.delta)
        if self.size:
            layer.gradient(self.x, self.delta, np.zeros(self.size))
        again = dense(layer.forward(self.x))
        hint = "after calls with another x the same x gives another y"
        agree("forward(x) after other calls", again, first, 0.0, "state", hint, subject="forward(x), later,")

    def _derivatives(self):
        """Return both derivatives as functions of what was called before."""

        def derivative_by(ask):
            def call(before=None, times=1, instead=None):
                layer, x = self.subject.fresh(self.theta), self.x if instead is None else instead
                y = dense(layer.forward(x)).copy()
                if before is not None:
                    layer.forward(before)
                for _ in range(times):
                    result = ask(layer, x, y)
                return dense(result).copy()

            return call

        calls = {"∂L/∂x": derivative_by(lambda layer, x, y: layer.backward(x, y, self.delta.copy()))}
        if self.size:
            calls["∂L/∂θ"] = derivative_by(lambda layer, x, y: self._written(layer, x))
        return calls

    def _written(self, layer, x):
        out = np.zeros(self.size)
        layer.gradient(x, self.delta.copy(), out)
        return out

    def check_linearity(self):
        """Both derivatives are linear in δ."""
        rng = np.random.default_rng(self.seed)
        second = self.delta[::-1] * 0.5 + 0.25 * rng.choice([-1.0, 1.0], self.delta.shape)
        functions = {"∂L/∂x": self._backward}
        if self.size:
            functions["∂L/∂θ"] = self._gradient
        for name, function in functions.items():
            one, two = function(self.delta), function(second)
            both = function(-3 * self.delta + second)
            limit = 4 * (self._limit(function, self.delta) + self._limit(function, second))
            limit += self._limit(function, -3 * self.delta + second)
            hint = "twice the δ must give twice the result, and a sum of δs the sum of the results"
            subject = f"{name} for −3 δ + δ′"
            agree(f"{name} is linear in δ", both, -3 * one + two, limit, "nonlinear", hint, subject=subject)

    def _limit(self, function, delta):
        """Return how far what a function gives for δ may be off: δ, times x, times x again, may cancel."""
        size = np.abs(delta).max(initial=0.0) * max(1.0, np.abs(self.x).max(initial=0.0)) ** 2
        return rounding(function, delta) + 16 * EPSILON * size

    def _backward(self, delta):
        return self.subject.backward(self.x, self.y, delta, self.theta)

    def _gradient(self, delta):
        return self.subject.gradient(self.x, delta, self.theta)

    # ---- derivatives -----------------------------------------------------------------------------------

    def check_derivatives(self):
        """Both derivatives are those of forward."""
        came = self._backward(self.delta)
        other = self.other
        earlier = self.subject.backward(
            other, self.subject.forward(other, self.theta), self.delta, self.theta
        )
        result = self._derivative("∂L/∂x", self.x, came, self._both_at_x, of_x, earlier)
        if result.kinks:
            self._check_kinks()
        if not self.size:
            return result
        gradient, earlier = self._gradient(self.delta), self.subject.gradient(other, self.delta, self.theta)
        for name, places in self.subject.blocks.items():
            result += self._derivative(
                f"∂L/∂{name}",
                self.theta[places],
                gradient[places],
                lambda part, places=places: self._both_at(put(self.theta, places, part), places),
                lambda case, expected, came, places=places: of_block(case, places, expected, came),
                earlier[places],
                name,
            )
        return result

    # one copy serves for all values: that forward depends on no earlier call was checked before

    @cached_property
    def _over_theta(self):
        return self.subject.fresh(self.theta)

    @cached_property
    def _over_any(self):
        return self.subject.fresh(self.theta)

    def _both_at_x(self, x):
        def gradient():
            return self.subject.backward(x, self.subject.forward(x, self.theta), self.delta, self.theta)

        terms = self.delta * dense(self._over_theta.forward(x))
        return Both(np.sum(terms), gradient, terms)

    def _both_at(self, theta, places):
        self._over_any.bind(theta)
        terms = self.delta * dense(self._over_any.forward(self.x))
        return Both(np.sum(terms), lambda: self.subject.gradient(self.x, self.delta, theta)[places], terms)

    def _derivative(self, name, at, came, both, suspects, earlier, block=None):
        """Check one derivative; where it is wrong, find out more than its numbers alone can tell."""
        if not (self.subject.sought or name).startswith(name):
            return Checked()
        n, k = self.delta.shape
        options = {"context": sizes(n, k), "earlier": earlier}
        try:
            return check_gradient(both, at, tolerance=self.tolerance, name=name, **options)
        except Untold as untold:
            self.untold = untold
            return Checked(untold=at.size)
        except Failure as failure:
            failure.block = block or failure.block
            off = np.inf if failure.came is None else abs(failure.came - failure.expected)
            if off <= 1e-10 * self._size_of_terms:
                return Checked(untold=1)  # no more than what is left where large numbers cancel
            if at.size <= MANY and came.shape == at.shape:
                expected, bound = numerical(lambda x: both(x)[0], at)
                bound = bound + self.tolerance * np.abs(expected).max(initial=0.0)
                found = first_like(came, bound, suspects(self, expected, came))
                if found[0] is None:
                    found = likely_cause(came, expected, bound, **options)
                if found[0] is not None:
                    failure.cause, failure.hint = found
            raise failure from None

    def _check_kinks(self):
        """At a kink, one output's derivative lies between the one-sided ones, in other directions as well."""
        for place in [tuple(kink) for kink in np.ndindex(self.delta.shape)][:12]:
            delta = np.zeros_like(self.delta)
            delta[place] = 1.0
            came = self._backward(delta)
            direction = np.zeros_like(self.x)
            direction[place[0]] = 1.0
            slope = derivative(
                lambda x, place=place: dense(self._over_theta.forward(x))[place], self.x, direction
            )
            along = float((came * direction).sum())
            slack = slope.bound + self.tolerance * np.abs(came).max() + 1e-10 * self._size_of_terms
            if np.isfinite(slack) and not slope.allows(along, slack):
                low, high = slope.interval()
                raise Failure(
                    "∂L/∂x at a kink",
                    came=along,
                    expected=slope.value,
                    bound=slope.bound,
                    cause="kink",
                    said=f"when all of row {place[0]} of x rises alike, output {list(place)} rises "
                    f"{along:.6g} times as much by ∂L/∂x, but it does {low:.6g} to {high:.6g} times",
                    hint="at a kink the choices for single entries must fit together",
                )

    @cached_property
    def _size_of_terms(self):
        """How large a derivative is where nothing cancels: with random signs of δ."""
        rng, size = np.random.default_rng(0), 0.0
        for _ in range(4):
            delta = self.delta * rng.choice([-1.0, 1.0], self.delta.shape)
            size = max(size, np.abs(self._backward(delta)).max(initial=0.0))
            if self.size:
                size = max(size, np.abs(self._gradient(delta)).max(initial=0.0))
        return size

    def row_alone(self, i):
        """Return ∂L/∂θ of one row."""
        return self.subject.gradient(self.x[i : i + 1], self.delta[i : i + 1], self.theta)

    def rows_alone(self):
        """Return ∂L/∂x of one row after another."""
        rows = [(self.x[i : i + 1], self.y[i : i + 1], self.delta[i : i + 1]) for i in range(len(self.x))]
        return np.concatenate([self.subject.backward(*row, self.theta) for row in rows])

    # ---- rows ------------------------------------------------------------------------------------------

    def check_rows(self):
        """Every row is for itself, and a batch's gradient is the sum over its rows."""
        if not self.rows:
            return
        rows = range(len(self.x))
        self._alike(
            "row by row",
            "a row alone gives another result than in its batch: if that is meant, rows=False",
            lambda: np.concatenate([self.subject.forward(self.x[i : i + 1], self.theta) for i in rows]),
            self.rows_alone,
            lambda: sum(self.row_alone(i) for i in rows),
        )

    def check_permutation(self):
        """Rows in another order give the same, in that order."""
        order = np.random.default_rng(self.seed).permutation(len(self.x))
        x, y, delta, back = self.x[order], self.y[order], self.delta[order], np.argsort(order)
        self._alike(
            "rows permuted",
            "rows in another order give another result",
            lambda: self.subject.forward(x, self.theta)[back],
            lambda: self.subject.backward(x, y, delta, self.theta)[back],
            lambda: self.subject.gradient(x, delta, self.theta),
        )

    def _alike(self, how, hint, forward, backward, gradient):
        """Raise a Failure unless three functions give y, ∂L/∂x and ∂L/∂θ, computed in another way."""
        limit = rounding(self.subject.forward, self.x, self.theta)
        agree(f"forward(x), {how}", self.y, forward(), limit, "rows mixed", hint, subject="forward(x)")
        limit = self._limit(self._backward, self.delta)
        came = self._backward(self.delta)
        agree(f"∂L/∂x, {how}", came, backward(), limit, "rows mixed", hint, subject="∂L/∂x")
        if self.size:
            came, limit = self._gradient(self.delta), self._limit_of_sum(np.asarray)
            agree(f"∂L/∂θ, {how}", came, gradient(), limit, "rows mixed", hint, subject="∂L/∂θ")

    def _limit_of_sum(self, of):
        """Return how far a sum over rows may be off by rounding."""

        def gradient(x, delta):
            return self.subject.gradient(of(x), of(delta), self.theta)

        return rounding(gradient, self.x, self.delta)

    def check_samples(self):
        """Sums of per-sample absolutes and squares are what gradient says of |x| and |δ|, of x² and δ²."""
        if not (self.per_sample and self.size):
            return
        for name, of in (("|∂Lᵢ/∂θ|", np.abs), ("(∂Lᵢ/∂θ)²", np.square)):
            came = self.subject.gradient(of(self.x), of(self.delta), self.theta)
            expected = sum(of(self.row_alone(i)) for i in range(len(self.x)))
            hint = "the gradient of one row is no product of its δ and its x"
            limit = 2 * self._limit_of_sum(of)
            agree(f"Σᵢ {name}", came, expected, limit, "rows mixed", hint)

    # ---- the rest --------------------------------------------------------------------------------------

    def check_float32(self):
        """What is computed in float32 is what float64 says, but for rounding."""
        x, y, delta, theta = (a.astype(np.float32) for a in (self.x, self.y, self.delta, self.theta))
        if not ordinary(x, y, delta, theta):
            return
        wide = [array.astype(np.float64) for array in (x, y, delta, theta)]
        subject = self.subject
        functions = {
            "forward(x)": lambda x, y, delta, theta: subject.forward(x, theta),
            "∂L/∂x": lambda x, y, delta, theta: subject.backward(x, y, delta, theta),
        }
        if self.size:
            functions["∂L/∂θ"] = lambda x, y, delta, theta: subject.gradient(x, delta, theta)
        # what a layer adds up on its way may be as large as this, though its answer is small: 1 − σ(9), say
        digits = DIGITS[np.dtype(np.float32)]
        floor = digits * max(1.0, np.abs(x).max(initial=0.0))
        for name, function in functions.items():
            limit = rounding(function, *wide, dtype=np.float32)
            if name == "forward(x)":
                limit += floor
            else:
                limit += floor * np.abs(delta).max(initial=0.0)
                limit += digits * self._largest_nearby(name, function, wide[0], wide[2], wide[3])
            hint = "rounding does not explain it: is something lost by cancellation, or overflowing?"
            agree(
                f"{name} in float32",
                function(x, y, delta, theta),
                function(*wide),
                limit,
                "precision",
                hint,
                subject=f"{name} in float32",
            )

    def _largest_nearby(self, name, derivative, x, delta, theta):
        """Return how large a derivative is at other points: what cancels or saturates at x has taken digits.

        Parts of θ's way to 0: there is more left of 1 − σ(8) than of 1 − σ(16). Halves of x at 0: words that
        all point in one direction get the same attention, whatever δ.
        """
        columns = np.arange(x.shape[1])
        left, even = 2 * columns < x.shape[1], columns % 2 == 0
        points = {
            "∂L/∂θ": [(x, share * theta) for share in (0.5, 0.25, 0.0)],
            "∂L/∂x": [(np.where(kept, x, 0.0), theta) for kept in (left, ~left, even, ~even)],
        }
        with np.errstate(all="ignore"):
            found = [derivative(z, self.subject.forward(z, p), delta, p) for z, p in points[name]]
        return np.max(np.abs(found), initial=0.0, where=np.isfinite(found))

    def check_parameters(self):
        """The parameters are views into θ, and are drawn from the generator that is given."""
        if not self.size:
            return
        theta = np.zeros(self.size)
        layer = twin(self.subject.layer)
        layer.bind(theta)
        theta[:] = self.theta
        agree(
            "bind(theta)",
            layer.forward(self.x),
            self.y,
            0.0,
            "stale",
            "when θ changes in place the layer must change: bind must make views, and no copies",
            subject="forward(x) after a change of θ",
        )
        if not hasattr(self.subject.layer, "initialize"):
            return
        first, second = (self._initialized() for _ in range(2))
        agree("initialize(rng)", second, first, 0.0, "state", "the same generator gives other parameters")
        if not finite(first):
            raise Failure(
                "initialize(rng)", cause="not a number", said="initialize(rng) gives NaN or infinity"
            )

    def _initialized(self):
        theta = np.zeros(self.size)
        layer = twin(self.subject.layer)
        layer.bind(theta)
        protected("initialize(rng)", layer.initialize, np.random.default_rng(self.seed))
        return theta

    def check_growth(self):
        """A layer that grows keeps its old outputs, and its old parameters where they are."""
        layer = twin(self.subject.layer)
        old = getattr(layer, "outputs", None)
        takes = inspect.signature(layer.initialize).parameters if hasattr(layer, "initialize") else ()
        if not self.size or not isinstance(old, int) or "first" not in takes:
            return
        try:
            layer.outputs = old + 2
        except AttributeError:  # it can not be set: the layer does not grow
            return
        theta = pad(self.theta, layer.n_parameters)
        theta = theta.copy() if theta is self.theta else theta
        layer.bind(theta)
        protected("initialize(rng, first)", lambda: layer.initialize(np.random.default_rng(0), first=old))
        agree(
            "θ after growth",
            theta[: self.size],
            self.theta,
            0.0,
            "growth",
            "a new unit must stand at the end of θ, and old ones stay",
        )
        limit = rounding(self.subject.forward, self.x, self.theta)
        agree(
            "forward(x) after growth",
            layer.forward(self.x)[:, :old],
            self.y,
            limit,
            "growth",
            "the outputs that there were must stay",
        )

    def check_saved(self):
        """Copied or pickled the layer is the same."""
        for way, make in (("copied", copy.copy), ("copied deeply", copy.deepcopy), ("pickled", _pickled)):
            try:
                layer = make(self.subject.layer)
            except (pickle.PicklingError, AttributeError, TypeError) as error:
                if way == "pickled":  # classes inside of functions can not be; that is no fault of the layer
                    continue
                raise Failure(
                    f"the layer {way}", cause="saved", said=f"it can not be {way}: {error}"
                ) from error
            getattr(layer, "bind", DEFAULTS.bind)(self.theta.copy())
            said = f"forward(x) of the layer {way}"
            try:
                y = layer.forward(self.x)
                dx = layer.backward(self.x, self.y.copy(), self.delta)
            except Exception as error:
                said = f"the layer {way} raises {type(error).__name__}: {error}"
                raise Failure(f"the layer {way}", cause="saved", said=said) from error
            agree(f"the layer {way}", y, self.y, 0.0, "saved", subject=said)
            agree(
                f"the layer {way}",
                dx,
                self._backward(self.delta),
                0.0,
                "saved",
                subject=f"∂L/∂x of the layer {way}",
            )


#: names of what is checked beside derivatives
CHECKS = (
    "shapes",
    "dtypes",
    "arguments unchanged",
    "earlier calls",
    "linearity",
    "rows",
    "permutation",
    "samples",
    "float32",
    "parameters",
    "growth",
    "saved",
)


def _pickled(layer):
    return pickle.loads(pickle.dumps(layer))


def _nothing(returned, out):
    """Raise a Failure where a gradient was returned that should have been written."""
    is_other = isinstance(returned, np.ndarray) and not np.shares_memory(returned, out)
    if is_other and returned.any() and not out.any():
        said = "gradient(x, delta, out) returns an array, but does not write into out"
        raise Failure(
            "gradient(x, delta, out)", cause="missing", said=said, hint="write it there: out[:] = …"
        )
