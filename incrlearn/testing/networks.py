"""Networks: their derivatives, through all layers, and what else must be true of every one of them."""

import copy
import pickle

import numpy as np

from .. import _checks
from ..formulas import binary_cross_entropy, cross_entropy, squared_error
from ..learning import Loss
from ..learning.samples import ALL, Batch, Part, Values
from ..network import Linear, Network
from .contracts import (
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
)
from .failure import Checked, Failure, Untold
from .gradients import check_gradient
from .search import code, is_strategy, needed, numbers, search
from .subjects import Subject


def check_network(
    network,
    loss="cross_entropy",
    x=None,
    y=None,
    *,
    rows=True,
    per_sample=True,
    objectives=False,
    tolerance=1e-6,
    examples=20,
    seed=0,
):
    """Raise a Failure unless a network's derivatives are right, and it behaves as a network must.

        L = loss(z, y)          z = a₋₁          a = network.forward(x)

    ∂L/∂θ is compared with differences of the loss; so are gradients that enter at other activations, and
    ∂L/∂x. Beyond the derivatives: nothing given is changed; nothing depends on an earlier call; a batch is
    the sum of its rows; sums of per-sample squares and absolutes equal a loop; growth keeps old outputs; a
    copy, and what was pickled, is the same and shares nothing; float32 is close to float64.

    Parameters
    ----------
    network : Network
        It stays as it is: a copy of it, in float64, is looked at.
    loss : {"cross_entropy", "binary_cross_entropy", "squared_error"}, Loss, or function
        loss(z, y) returns its value and gradient.
    x : ndarray of shape (n, inputs), or sparse matrix, optional
        Where to look, with the network's own θ. When None inputs and parameters are searched for, among them
        extreme ones. That needs Hypothesis.
    y : ndarray, optional
        Targets; random when None: labels where the loss takes them, or else values.
    rows : bool
        Whether every row must be for itself.
    per_sample : bool
        Whether `sum_over_samples` must be right; not so where a layer's gradient is no product of δ and x.
    objectives : bool
        Whether that must be so of several objectives a sample too, δ being of shape (c, n, outputs), as the
        exact Fisher information needs it.
    tolerance : float
        How far derivatives may be off, relative to the largest entry.
    examples, seed : int
        How many inputs to search, and where randomness begins.

    Returns
    -------
    Checked

    Raises
    ------
    Failure
        An AssertionError that says what is wrong, in which layer, why maybe, and shows the smallest example.
    TypeError, ValueError
        If an argument is not what is asked for.
    ImportError
        If inputs are to be searched for, and Hypothesis is missing.

    Examples
    --------
    >>> from incrlearn import Network
    >>> network = Network.mlp(2, 3, 2, rng=np.random.default_rng(0), activation="tanh")
    >>> x, y = np.array([[1.0, -2.0], [0.5, 3.0], [0.0, 1.0]]), np.array([0, 1, 1])
    >>> checked = check_network(network, "cross_entropy", x, y)
    """
    if not isinstance(network, Network):
        raise TypeError(f"network must be a Network, got {type(network).__name__}")
    options = {"rows": rows, "per_sample": per_sample, "objectives": objectives, "tolerance": tolerance}
    subject = _Subject(network, loss, **options)

    def check(example):
        with np.errstate(all="ignore"):
            try:
                return _Case(subject, *copy.deepcopy(example)).check()
            except Failure as failure:
                subject.sought = failure.check
                raise failure.with_example(_code(example, loss)) from failure.__cause__

    if x is None or is_strategy(x):
        rng = np.random.default_rng(seed)
        first = [] if x is not None else [_example(subject, rng) for _ in range(2)]
        return search(
            check,
            _examples(subject, x),
            first=first,
            examples=examples,
            seed=seed,
            together=[((0, 0), (1, 0))],
            cuts=x is None,
        )
    if not _checks.is_sparse(x):
        x = _checks.rows("x", x)
    if y is None:
        y = subject.targets(x, np.random.default_rng(seed))
    return check((x, np.asarray(y), network.theta.astype(np.float64)))


def _example(subject, rng):
    """Return x, y and θ in general position."""
    x = rng.normal(size=(5, subject.inputs or 3))
    theta = subject.network.theta.astype(np.float64) + 0.3 * rng.normal(size=subject.size)
    return x, subject.targets(x, rng), theta


def _examples(subject, x):
    st = needed().strategies

    @st.composite
    def example(draw):
        if x is None:
            width = subject.inputs or draw(st.integers(1, 4))
            rows = draw(numbers((draw(st.integers(1, 4)), width), largest=1e3))
        else:
            rows = np.asarray(draw(x), np.float64)
        y = subject.targets(rows, np.random.default_rng(draw(st.integers(0, 9))))
        return rows, y, draw(numbers((subject.size,), largest=3.0))

    return example()


def _code(example, loss):
    x, y, theta = example
    shown = code("x", x) if isinstance(x, np.ndarray) else "x = ...  # the sparse matrix"
    named = repr(loss) if isinstance(loss, str) else "loss"
    lines = [shown, code("y", y), code("network.theta", theta)]
    return "\n".join([*lines, f"check_network(network, {named}, x, y)"])


class _Subject:
    """A network under test and its loss."""

    def __init__(self, network, loss, *, rows, per_sample, objectives, tolerance):
        self.network, self.inputs, self.size = network, network.inputs, len(network.theta)
        self.rows, self.per_sample, self.objectives = rows, per_sample, objectives
        self.tolerance = tolerance
        self.loss, self.takes = _as_function(loss)
        self.sought = None  # what has failed: then other derivatives need not be looked at any more

    def over(self, theta, dtype="float64"):
        """Return a network of the same layers with other parameters."""
        rng = np.random.default_rng(0)
        try:
            network = type(self.network)(self.network.layers, rng, dtype)
        except TypeError:  # it is built in another way
            network = (
                self.network.copy()
                if self.network.dtype == dtype
                else Network(self.network.layers, rng, dtype)
            )
        network.theta = theta
        return network

    def targets(self, x, rng):
        """Return targets for the rows of x: labels, or values where the loss takes none."""
        z = self.over(np.zeros(self.size))(x.copy())
        kinds = {
            "labels": lambda: rng.integers(z.shape[1], size=len(z)),
            "values": lambda: rng.normal(size=z.shape),
        }
        if self.takes:
            return kinds[self.takes]()
        for kind in ("labels", "values"):
            y = kinds[kind]()
            try:
                _, gradient = self.loss(z, y)
            except Exception:  # then it wants others
                continue
            if np.shape(gradient) == z.shape:
                return y
        raise ValueError("the loss takes neither labels nor values of the outputs' shape: give x and y")

    def blocks(self):
        """Return {name: places in θ} of all layers' parameters."""
        blocks, start = {}, 0
        for k, layer in enumerate(self.network.layers):
            for name, places in Subject(layer).blocks.items():
                blocks[f"{name} of layers[{k}]"] = (start + places).ravel()
            start += layer.n_parameters
        return blocks


def _as_function(loss):
    """Return loss(z, y) -> (value, gradient), and whether it takes labels or values, if that is known."""
    named = {
        "cross_entropy": (cross_entropy, "labels"),
        "binary_cross_entropy": (lambda z, y: binary_cross_entropy(z, np.eye(z.shape[1])[y]), "labels"),
        "squared_error": (squared_error, "values"),
    }
    if isinstance(loss, Loss):
        kind = "values" if issubclass(loss.targets, Values) else "labels"
        return lambda z, y: _of_loss(loss, z, y), kind
    if callable(loss) and not isinstance(loss, type):
        return loss, None
    return _checks.choice("loss", loss, named)


def _of_loss(loss, z, y):
    value, gradients = loss([z], Batch(z, y, [Part((ALL, ALL), y, 1.0)], [ALL]))
    return value, gradients[-1]


class _Case:
    """A network, θ, x and y; every method that begins with `check_` is something that must hold."""

    def __init__(self, subject, x, y, theta):
        self.subject, self.x, self.y, self.theta = subject, x, y, theta
        self.network = subject.over(theta)
        self.rng = np.random.default_rng(0)
        self.untold = None

    def check(self):
        """Check everything, what tells most first; return a Checked."""
        self.check_forward()
        if not finite(*self.a):
            return Checked(checks=("shapes",))
        value, self.delta = self._loss_at(self.a[-1])
        if not np.isfinite(value):
            return Checked(checks=("shapes",))
        self.check_earlier_calls()
        result = self.check_loss() + self.check_entering() + self.check_input()
        self.check_rows()
        self.check_samples()
        self.check_growth()
        self.check_saved()
        self.check_float32()
        if self.untold and not result.entries + result.directions:
            raise self.untold
        return result.with_checks(*CHECKS)

    def _loss_at(self, z):
        value, delta = protected("the loss", self.subject.loss, z.copy(), self.y)
        keeps("the loss's gradient", delta, z.shape, np.float64)
        return value, delta

    def check_forward(self):
        """forward returns all activations, the call the last of them; x and θ stay."""
        theta = self.network.theta
        given = {"x": self.x, "theta": theta}
        self.a = asked("forward(x)", lambda x, theta: self.network.forward(x), given, shared=True)
        layers = self.network.layers
        if not isinstance(self.a, list) or len(self.a) != len(layers) + 1:
            said = (
                f"forward must return a list of {len(layers) + 1} activations, one more than there are layers"
            )
            raise Failure("forward(x)", cause="shape", said=said)
        for k, one in enumerate(self.a[1:]):
            name = f"layers[{k}].forward"
            if one.shape[0] != self.x.shape[0]:
                raise Failure(
                    name, cause="shape", said=f"{name} returns {one.shape[0]} rows for {self.x.shape[0]}"
                )
            keeps(name, one, one.shape, np.float64)
            real_numbers(name, one)
        called = dense(self.subject.over(self.theta)(self.x))
        agree("network(x)", called, dense(self.a[-1]), 0.0, "value", "it must be forward(x)[-1]")

    def check_earlier_calls(self):
        """Nothing depends on an earlier call, and backward changes nothing that it is given."""
        entering = {-1: self.delta}
        given = {"a": self.a, "gradients": entering, "theta": self.network.theta}
        self.gradient = asked(
            "backward(a, gradients)", lambda a, g, theta: self.network.backward(a, g), given
        )
        keeps("backward(a, gradients)", self.gradient, self.theta.shape, np.float64)
        network = self.subject.over(self.theta)
        a = network.forward(self.x)
        other = self.x * 0.6 if _checks.is_sparse(self.x) else np.flip(self.x, 0) * 0.6
        network.backward(network.forward(other), {-1: self.delta + 1})
        again = network.backward(a, entering)
        hint = "after a forward of another batch it is another one: a layer keeps what it was shown last"
        limit = rounding(lambda delta: network.backward(a, {-1: delta}), self.delta)
        agree("∂L/∂θ after another batch", again, self.gradient, limit, "stale", hint, subject="∂L/∂θ")
        agree(
            "forward(x) after another batch",
            network(self.x),
            dense(self.a[-1]),
            0.0,
            "state",
            "after another batch the same x gives something else",
            subject="network(x)",
        )

    # ---- derivatives -----------------------------------------------------------------------------------

    def check_loss(self):
        """∂L/∂θ is the derivative of the loss."""

        def both(theta):
            network = self._at(theta)
            a = network.forward(self.x)
            value, delta = self.subject.loss(dense(a[-1]), self.y)
            return Both(value, lambda: network.backward(a, {-1: delta}))

        return self._derivative("∂L/∂θ", both, self.theta, self._blocks())

    def check_entering(self):
        """Gradients may enter at every activation."""
        entering = {k: self.rng.normal(size=one.shape) for k, one in enumerate(self.a)}
        last = len(self.a) - 1

        def both(theta):
            network = self._at(theta)
            a = network.forward(self.x)
            value = sum(np.sum(entering[k] * dense(one)) for k, one in enumerate(a) if k)
            return Both(value, lambda: network.backward(a, entering))

        result = self._derivative("∂L/∂θ, L = Σₖ⟨Gₖ, aₖ⟩", both, self.theta, self._blocks())
        together = self.network.backward(self.a, entering)
        single = [self.network.backward(self.a, {k - last - 1: entering[k]}) for k in entering]
        limit = 4 * rounding(lambda *g: self.network.backward(self.a, dict(enumerate(g))), *entering.values())
        agree(
            "gradients that enter together",
            together,
            sum(single),
            limit,
            "nonlinear",
            "what enters at several activations must add up",
        )
        return result

    def check_input(self):
        """backward_to_input also gives ∂L/∂x."""
        gradient, to_input = self.network.backward_to_input(self.a, {-1: self.delta})
        limit = rounding(lambda delta: self.network.backward(self.a, {-1: delta}), self.delta)
        agree("∂L/∂θ of backward_to_input", gradient, self.gradient, limit, "value")
        keeps("∂L/∂x of backward_to_input", to_input, self.x.shape, np.float64)

        def both(x):
            a = self.network.forward(x)
            value, delta = self.subject.loss(dense(a[-1]), self.y)
            return Both(value, lambda: self.network.backward_to_input(a, {-1: delta})[1])

        return self._derivative("∂L/∂x", both, np.asarray(dense(self.x), np.float64))

    def _at(self, theta):
        """Return one network that is used for all differences, with these parameters."""
        if not hasattr(self, "_moving"):
            self._moving = self.subject.over(self.theta)
        self._moving.theta = theta
        return self._moving

    def _blocks(self):
        return self.subject.blocks()

    def _derivative(self, name, both, at, blocks=None):
        """Check a derivative; what is right everywhere near may be wrong at a kink of some unit."""
        n, k = dense(self.a[-1]).shape
        options = {"context": sizes(n, k), "blocks": blocks, "name": name}
        if not at.size or not (self.subject.sought or name).startswith(name):
            return Checked()
        try:
            return check_gradient(both, at, tolerance=self.subject.tolerance, **options)
        except Untold as untold:
            self.untold = untold
            return Checked(untold=at.size)
        except Failure:
            if self._right_nearby(both, at, options):
                return Checked(untold=at.size)
            raise

    def _right_nearby(self, both, at, options):
        rng = np.random.default_rng(1)
        own_x, own_theta = self.x, self.theta
        try:
            for _ in range(2):
                # both x and θ, as a unit may be at its kink whatever x is, and whatever its weights are
                shift = 1e-2 * rng.normal(size=at.shape) * np.maximum(1.0, np.abs(at))
                self._shift(rng, at is own_theta)
                check_gradient(both, at + shift, tolerance=1e2 * self.subject.tolerance, **options)
        except Failure:
            return False
        finally:
            self.x, self.theta = own_x, own_theta
            self.network.theta = own_theta
        return True

    def _shift(self, rng, by_theta):
        """Move what stays fixed in a derivative a little as well."""
        if by_theta:
            x = np.asarray(dense(self.x), np.float64)
            self.x = x + 1e-2 * rng.normal(size=x.shape) * np.maximum(1.0, np.abs(x))
        else:
            self.network.theta = self.theta + 1e-2 * rng.normal(size=self.theta.shape)

    # ---- rows ------------------------------------------------------------------------------------------

    def check_rows(self):
        """Every row is for itself, and a batch's gradient is the sum over its rows."""
        if not self.subject.rows:
            return
        z, rows = dense(self.a[-1]), [self.x[i : i + 1] for i in range(self.x.shape[0])]
        limit = rounding(self._logits, np.asarray(dense(self.x), np.float64), self.theta)
        hint = "a row alone gives another result than in its batch"
        agree(
            "network(x), row by row",
            z,
            np.concatenate([dense(self.network(row)) for row in rows]),
            limit,
            "rows mixed",
            hint,
            subject="network(x)",
        )
        parts = self._of_rows(self.delta)
        agree(
            "∂L/∂θ, row by row",
            self.gradient,
            sum(parts),
            self._limit_of_sum(np.asarray),
            "rows mixed",
            hint,
            subject="∂L/∂θ",
        )

    def _logits(self, x, theta):
        return dense(self._at(theta)(x))

    def _of_rows(self, delta):
        """Return ∂Lᵢ/∂θ of every row, from the activations of the whole batch: kinks are decided once."""
        parts = []
        for i in range(self.x.shape[0]):
            a = [one[i : i + 1] for one in self.a]
            parts.append(self.network.backward(a, {-1: delta[i : i + 1]}))
        return parts

    def _limit_of_sum(self, of):
        """Return how far a sum over rows may be off by rounding."""

        def total(delta, *a):
            parts = [[np.asarray(one)[i : i + 1] for one in a] for i in range(len(delta))]
            return sum(of(self.network.backward(part, {-1: delta[[i]]})) for i, part in enumerate(parts))

        dense_a = [np.asarray(dense(one), np.float64) for one in self.a]
        return 4 * rounding(total, self.delta, *dense_a)

    def check_samples(self):
        """sum_over_samples is the sum of |·| or (·)² of per-sample gradients."""
        if not self.subject.per_sample or not self.subject.size:
            return
        for name, of in (("|∂Lᵢ/∂θ|", np.abs), ("(∂Lᵢ/∂θ)²", np.square)):
            expected = sum(of(part) for part in self._of_rows(self.delta))
            limit = self._limit_of_sum(of)
            came = self.network.sum_over_samples(of, self.a, {-1: self.delta})
            hint = (
                "is a layer's gradient no product of its δ and its x, or no product of δ and a factor a unit?"
            )
            batch = of(self.gradient)
            if len(self.delta) > 1 and np.allclose(came, batch, 1e-9, limit):
                hint = "it is that of the batch's gradient: samples must be taken one by one"
            agree(f"Σᵢ {name}", came, expected, limit, "rows mixed", hint)
            if self.subject.objectives:
                other = np.flip(self.delta, 0) * 0.5
                came = self.network.sum_over_samples(of, self.a, {-1: np.stack([self.delta, other])})
                expected = expected + sum(of(part) for part in self._of_rows(other))
                agree(f"Σᵢ {name} of two objectives", came, expected, 4 * limit, "rows mixed", hint)

    # ---- the rest --------------------------------------------------------------------------------------

    def check_growth(self):
        """A head that grows keeps its old outputs, its old parameters and their gradient."""
        if not isinstance(self.network.layers[-1], Linear):
            return
        network, size = self.subject.over(self.theta), self.subject.size
        protected("grow", network.grow, 2, np.random.default_rng(0))
        old = dense(self.a[-1]).shape[1]
        agree(
            "θ after growth",
            network.theta[:size],
            self.theta,
            0.0,
            "growth",
            "a new unit must stand at the end of θ, and old ones stay",
        )
        limit = rounding(self._logits, np.asarray(dense(self.x), np.float64), self.theta)
        a = network.forward(self.x)
        agree("network(x) after growth", a[-1][:, :old], self.a[-1], limit, "growth", "old outputs must stay")
        delta = np.hstack([self.delta, np.zeros((len(self.delta), 2))])
        limit = rounding(lambda delta: self.network.backward(self.a, {-1: delta}), self.delta)
        came = network.backward(a, {-1: delta})
        agree(
            "∂L/∂θ after growth",
            came[:size],
            self.gradient,
            4 * limit,
            "growth",
            "the gradient of old parameters must stay",
        )

    def check_saved(self):
        """A copy, and what was pickled, is the same and shares nothing."""
        ways = {
            "copied": copy.copy,
            "copied deeply": copy.deepcopy,
            "copied by copy()": lambda one: one.copy(),
            "pickled": lambda one: pickle.loads(pickle.dumps(one)),
        }
        for way, again in ways.items():
            try:
                other = again(self.network)
            except (pickle.PicklingError, AttributeError, TypeError):
                if way == "pickled":  # classes inside of functions can not be
                    continue
                raise
            name = f"the network {way}"
            agree(name, dense(other(self.x)), dense(self.a[-1]), 0.0, "saved", subject=f"network(x), {way}")
            other.theta = other.theta + 1.0
            if not same_bits(self.network.theta, self.theta.astype(np.float64)):
                said = f"{name} shares θ with the original"
                raise Failure(name, cause="saved", said=said)
            agree(
                name,
                dense(self.network(self.x)),
                dense(self.a[-1]),
                0.0,
                "saved",
                "when the copy learns the original changes",
            )

    def check_float32(self):
        """In float32 logits and ∂L/∂θ are those of float64, but for rounding."""
        x = np.asarray(dense(self.x), np.float32).astype(np.float64)
        theta = self.theta.astype(np.float32).astype(np.float64)
        if not ordinary(x, theta, *self.a):
            return
        narrow, hint = self.subject.over(theta, "float32"), "rounding does not explain it"
        a = narrow.forward(x.astype(np.float32))
        for k, one in enumerate(a[1:]):
            keeps(f"layers[{k}].forward in float32", one, one.shape, np.float32)
        limit = rounding(self._logits, x, theta, dtype=np.float32)
        agree("network(x) in float32", dense(a[-1]), self._logits(x, theta), limit, "precision", hint)
        delta = self.delta.astype(np.float32)
        came = narrow.backward(a, {-1: delta})
        keeps("backward in float32", came, theta.shape, np.float32)

        def gradient(theta, delta, *a):
            return self._at(theta).backward(list(a), {-1: delta})

        # from the float32 activations, so that every kink is decided alike
        wide = [np.asarray(dense(one), np.float64) for one in a]
        limit = 4 * rounding(gradient, theta, delta.astype(np.float64), *wide, dtype=np.float32)
        agree(
            "∂L/∂θ in float32",
            came,
            gradient(theta, delta.astype(np.float64), *wide),
            limit,
            "precision",
            hint,
        )


#: names of what is checked beside derivatives
CHECKS = ("shapes", "earlier calls", "rows", "samples", "growth", "saved", "float32")
