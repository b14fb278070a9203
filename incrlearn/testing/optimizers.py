"""Optimizers: whether they take the steps of their textbook, and what else must be true of every one of them.

An optimizer is anything with `step(theta, gradient)` that moves θ in place.
"""

import copy
import math
import pickle

import numpy as np

from .. import _checks
from .contracts import agree, asked, keeps, protected, real_numbers, same_bits
from .failure import Checked, Failure
from .search import code, needed, numbers, search

#: by which names the numbers in a textbook's rule are found at an optimizer
SETTINGS = {
    "learning_rate": ("learning_rate", "lr", "eta"),
    "momentum": ("momentum", "mu"),
    "beta1": ("beta1", "beta_1"),
    "beta2": ("beta2", "beta_2"),
    "epsilon": ("epsilon", "eps"),
}


def check_optimizer(
    make,
    rule=None,
    *,
    gradients=None,
    theta=None,
    settings=None,
    zero_stays=True,
    tolerance=1e-9,
    examples=30,
    seed=0,
):
    """Raise a Failure unless an optimizer takes the right steps, and behaves as an optimizer must.

        sgd           θ ← θ − η g
        momentum      v ← μ v + g          θ ← θ − η v
        adam          m ← β₁ m + (1−β₁) g          v ← β₂ v + (1−β₂) g²
                      θ ← θ − η m̂/(√v̂ + ε)          m̂ = m/(1−β₁ᵗ)          v̂ = v/(1−β₂ᵗ)

    Beyond the rule: θ is changed in place and keeps its dtype; gradients are not changed, nor kept; where
    all gradients are zero θ stays; every entry is for itself; two optimizers share nothing; when θ grows old
    entries move on as before, and new ones as if their gradients had been zero; the same gradients give the
    same steps; pickled or copied in the middle it goes on the same; float32 is close to float64.

    Parameters
    ----------
    make : callable
        make() returns a new optimizer, with step(theta, gradient).
    rule : {"sgd", "momentum", "adam"} or callable, optional
        What it must do: a textbook's rule, in which η, μ, β₁, β₂, ε are attributes of the optimizer. Or
        rule(theta, gradients) returns θ after all these steps.
    gradients : ndarray of shape (steps, entries), optional
        When None they are searched for, among them zeros, tiny and huge ones. That needs Hypothesis.
    theta : ndarray of shape (entries,), optional
        Where it begins; at random places when None.
    settings : dict, optional
        Numbers of the rule that are not attributes, such as {"learning_rate": 0.1}.
    zero_stays : bool
        Whether θ must stay where all gradients are zero; not so with weight decay.
    tolerance : float
        How far a step may be off, relative to the longest.
    examples, seed : int
        How many sequences to search, and where randomness begins.

    Returns
    -------
    Checked

    Raises
    ------
    Failure
        An AssertionError that says what is wrong, why maybe, and shows the smallest example.
    TypeError, ValueError
        If make() gives no optimizer, or a number of the rule is not known.
    ImportError
        If gradients are to be searched for, and Hypothesis is missing.

    References
    ----------
    Kingma and Ba, "Adam: a method for stochastic optimization", ICLR 2015, algorithm 1.

    Examples
    --------
    >>> from incrlearn import SGD
    >>> checked = check_optimizer(lambda: SGD(0.1), "sgd", gradients=[[1.0, -2.0], [3.0, 0.5]])
    >>> class Uphill:
    ...     learning_rate = 0.1
    ...     def step(self, theta, gradient):
    ...         theta += 0.1 * gradient
    >>> check_optimizer(Uphill, "sgd", gradients=[[1.0, -2.0]], theta=[0.0, 0.0])
    Traceback (most recent call last):
    incrlearn.testing.failure.Failure: θ after step 1 at [1] is -0.2, but must be 0.2...
    """
    one, other = _made(make), _made(make)
    if one is other:
        raise ValueError("make() must return a new optimizer each time, got the same object twice")
    known = _Rule(rule, one, settings or {})

    def check(example):
        with np.errstate(all="ignore"):
            try:
                return _Case(make, known, *example, zero_stays=zero_stays, tolerance=tolerance).check()
            except Failure as failure:
                raise failure.with_example(_code(example, rule)) from failure.__cause__

    if gradients is None:
        first = [_example(np.random.default_rng(seed + k), scale) for k, scale in enumerate((1, known.tiny))]
        together = [((1, 0),), ((0, 0), (1, 1))]
        return search(check, _examples(), first=first, examples=examples, seed=seed, together=together)
    gradients = _checks.rows("gradients", gradients).astype(np.float64)
    rng = np.random.default_rng(seed)
    theta = rng.normal(size=gradients.shape[1]) if theta is None else np.asarray(theta, np.float64)
    if theta.shape != gradients.shape[1:]:
        raise ValueError(f"theta must have shape {gradients.shape[1:]}, got {theta.shape}")
    return check((theta, gradients))


def _made(make):
    """Return a new optimizer."""
    if not callable(make):
        raise TypeError(f"make must be a function that returns an optimizer, got {make!r}: lambda: SGD(0.1)")
    optimizer = make()
    if not callable(getattr(optimizer, "step", None)):
        raise TypeError(f"make() must return an optimizer with step(theta, gradient), got {optimizer!r}")
    return optimizer


def _example(rng, scale):
    """Return θ and gradients in general position, one entry of them zero now and then."""
    gradients = rng.normal(size=(6, 4)) * scale
    gradients[1:4, 1] = 0.0
    return rng.normal(size=4), gradients


def _examples():
    st = needed().strategies

    @st.composite
    def example(draw):
        steps, entries = draw(st.integers(1, 8)), draw(st.integers(1, 4))
        largest = draw(st.sampled_from([4.0, 1e4, 1e-6]))
        gradients = draw(numbers((steps, entries), largest=largest))
        return draw(numbers((entries,))), gradients

    return example()


def _code(example, rule):
    theta, gradients = example
    named = "" if rule is None else f", {rule!r}" if isinstance(rule, str) else ", rule"
    lines = code("theta", theta), code("gradients", gradients)
    return "\n".join([*lines, f"check_optimizer(make{named}, gradients=gradients, theta=theta)"])


# ---- the textbook --------------------------------------------------------------------------------------


def sgd(theta, gradients, s, learning_rate):
    """θ ← θ − η g."""
    for g in gradients:
        theta = theta - learning_rate * s("sign", 1) * g
        yield theta


def momentum(theta, gradients, s, learning_rate, momentum):
    """v ← μ v + g, θ ← θ − η v."""
    v = np.zeros_like(theta)
    for g in gradients:
        v = (0 if s("forgets", False) else momentum * v) + s("fresh", 1) * g
        if s("nesterov", False):
            theta = theta - learning_rate * (g + momentum * v)
        else:
            theta = theta - learning_rate * s("sign", 1) * v
        yield theta


def adam(theta, gradients, s, learning_rate, beta1, beta2, epsilon):
    """Kingma and Ba, algorithm 1."""
    if s("exchanged", False):
        beta1, beta2 = beta2, beta1
    m = v = np.zeros_like(theta)
    for t, g in enumerate(gradients, start=s("start", 1)):
        if s("forgets", False):
            m = v = np.zeros_like(theta)
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g**2
        m_hat = m / (1 - beta1**t) if s("correct m", True) else m
        v_hat = v / (1 - beta2**t) if s("correct v", True) else v
        if s("inside", False):
            step = m_hat / np.sqrt(v_hat + epsilon)
        elif s("no root", False):
            step = m_hat / (v_hat + epsilon)
        else:
            step = m_hat / (np.sqrt(v_hat) + s("epsilon", 1) * epsilon)
        theta = theta - learning_rate * s("sign", 1) * step
        yield theta


RULES = {"sgd": sgd, "momentum": momentum, "adam": adam}

#: what each mistake changes in a textbook's rule: cause, what it is, how it is switched on
MISTAKES = [
    (
        "bias correction",
        "neither m nor v is corrected for its beginning at 0",
        {"correct m": False, "correct v": False},
    ),
    ("bias correction", "m is not corrected for its beginning at 0", {"correct m": False}),
    ("bias correction", "v is not corrected for its beginning at 0", {"correct v": False}),
    ("bias correction", "t is 2 at the first step, and not 1", {"start": 2}),
    ("bias correction", "t is 0 at the first step, and not 1", {"start": 0}),
    ("order", "β₁ and β₂ are exchanged", {"exchanged": True}),
    ("value", "ε stands inside of the root", {"inside": True}),
    ("missing", "ε is missing", {"epsilon": 0}),
    ("missing", "the root of v is missing", {"no root": True}),
    ("sign", "θ moves uphill", {"sign": -1}),
    ("missing", "nothing is kept from step to step", {"forgets": True}),
    ("value", "it is Nesterov's momentum", {"nesterov": True}),
]


class _Rule:
    """What an optimizer must do: a textbook's rule with the optimizer's own numbers, or a function."""

    def __init__(self, rule, optimizer, settings):
        self.rule, self.settings, self.tiny = rule, {}, 1e-8
        if rule is None or callable(rule):
            return
        self.rule = _checks.choice("rule", rule, RULES)
        names = self.rule.__code__.co_varnames[3 : self.rule.__code__.co_argcount]
        self.settings = {name: _setting(name, optimizer, settings) for name in names}
        self.tiny = self.settings.get("epsilon", self.tiny)

    def path(self, theta, gradients, mistakes=()):
        """Return θ after every step, with a mistake or without."""
        if self.rule in RULES.values():
            chosen = dict(mistakes)
            return np.array(list(self.rule(theta, gradients, chosen.get, **self.settings)))
        steps = range(1, len(gradients) + 1)
        return np.array([np.asarray(self.rule(theta.copy(), gradients[:t].copy())) for t in steps])


def _setting(name, optimizer, settings):
    if name in settings:
        return float(settings[name])
    for known in SETTINGS[name]:
        value = getattr(optimizer, known, None)
        if isinstance(value, int | float) and math.isfinite(value):
            return float(value)
    raise ValueError(
        f"the rule needs {name}: {type(optimizer).__name__} has no such attribute, so give "
        f"settings={{{name!r}: …}}"
    )


class _Case:
    """Optimizers, θ and gradients; every method that begins with `check_` is something that must hold."""

    def __init__(self, make, rule, theta, gradients, *, zero_stays, tolerance):
        self.make, self.rule, self.theta, self.gradients = make, rule, theta, gradients
        self.zero_stays, self.tolerance = zero_stays, tolerance

    def check(self):
        """Check everything, what tells most first."""
        self.check_in_place()
        self.path = self.walk(self.gradients)
        if not np.isfinite(self.path).all():
            self._not_finite()
            return Checked(checks=("in place",))
        self.check_repeated()
        self.check_kept()
        self.check_shared()
        self.check_rule()
        self.check_zero()
        self.check_entries()
        self.check_growth()
        self.check_saved()
        self.check_reset()
        self.check_float32()
        return Checked(entries=self.path.size, checks=CHECKS)

    def walk(self, gradients, theta=None, dtype=np.float64):
        """Return θ after every step of a new optimizer."""
        optimizer = self.make()
        theta = (self.theta if theta is None else theta).astype(dtype)
        return np.array([_step(optimizer, theta, g.astype(dtype)) for g in gradients])

    def limit(self, *paths):
        """Return how far two paths may be apart: a share of their longest step, and rounding of θ."""
        moved = max(np.abs(path - self.theta[: path.shape[1]]).max(initial=0.0) for path in paths)
        return self.tolerance * moved + 1e-14 * np.abs(self.theta).max(initial=0.0) + 1e-300

    def check_in_place(self):
        """θ is changed in place, keeping its shape and dtype; the gradient stays."""
        for dtype in (np.float64, np.float32):
            theta, optimizer = self.theta.astype(dtype), self.make()
            before = theta.copy()
            for g in self.gradients.astype(dtype):
                given = {"theta": theta, "gradient": g}
                returned = asked(
                    "step(theta, gradient)", optimizer.step, given, written=("theta",), shared=True
                )
            if (
                isinstance(returned, np.ndarray)
                and same_bits(theta, before)
                and not same_bits(returned, before)
            ):
                said = "step(theta, gradient) returns a new θ, but must change the one it is given, in place"
                raise Failure(
                    "θ in place", cause="missing", said=said, hint="write theta -= …, not theta = theta − …"
                )
            keeps("θ after step(theta, gradient)", theta, self.theta.shape, dtype)

    def _not_finite(self):
        """Say so where NaN came of ordinary numbers; huge ones may overflow."""
        expected = None if self.rule.rule is None else self.rule.path(self.theta, self.gradients)
        if expected is None or np.isfinite(expected).all():
            cause, hint = self._cause_of(self.path) if expected is not None else (None, None)
            if cause == "bias correction":
                raise Failure("θ", cause=cause, hint=hint, said="θ becomes NaN or infinite")
            real_numbers("θ after step(theta, gradient)", self.path)

    def check_repeated(self):
        """A new optimizer takes the same steps with the same gradients."""
        hint = "another optimizer, made before, has changed something that the new one uses"
        agree(
            "a second optimizer",
            self.walk(self.gradients),
            self.path,
            0.0,
            "state",
            hint,
            subject="θ with a second optimizer",
        )

    def check_kept(self):
        """Gradients are not kept: whoever writes the next one into the same memory changes nothing."""
        optimizer, theta = self.make(), self.theta.copy()
        buffer, path = np.empty_like(self.gradients[0]), []
        for g in self.gradients:
            buffer[:] = g
            path.append(_step(optimizer, theta, buffer))
        hint = "the gradient's memory is kept, and what is written there later is used: keep a copy"
        agree(
            "gradients in one memory",
            path,
            self.path,
            0.0,
            "stale",
            hint,
            subject="θ with all gradients in the same memory",
        )

    def check_shared(self):
        """Two optimizers that take turns do not disturb one another."""
        one, other = self.make(), self.make()
        theta, another = self.theta.copy(), -self.theta
        path = []
        for g in self.gradients:
            path.append(_step(one, theta, g.copy()))
            _step(other, another, 2 * g + 1)
        hint = "two optimizers share something: is it an attribute of the class, or a default argument?"
        agree("two optimizers", path, self.path, 0.0, "state", hint, subject="θ while another one steps too")

    # ---- the rule --------------------------------------------------------------------------------------

    def check_rule(self):
        """Every step is that of the rule."""
        if self.rule.rule is None:
            return
        expected = self.rule.path(self.theta, self.gradients)
        if expected.shape != self.path.shape:
            raise ValueError(f"rule must return θ of shape {self.theta.shape}, got {expected.shape[1:]}")
        limit = self.limit(expected, self.path)
        if not np.isfinite(expected).all():
            return
        for t, (came, wanted) in enumerate(zip(self.path, expected, strict=True), start=1):
            if not (np.abs(came - wanted) <= limit).all():
                cause, hint = self._cause_of(self.path)
                agree(f"θ after step {t}", came, wanted, limit, cause, hint)

    def _cause_of(self, path):
        """Return the cause and hint of the mistake that would give the same path, or a factor that does."""
        mistakes = MISTAKES if self.rule.settings else []
        known = [(cause, hint, self._mistaken(how)) for cause, hint, how in mistakes]
        known += [("stale", "every step is taken with the gradient of the step before", self._delayed())]
        for cause, hint, other in known:
            limit = 1e3 * self.limit(other, path) if np.isfinite(other).all() else 0.0
            same = np.isclose(path, other, rtol=0, atol=limit, equal_nan=True)
            if same.all():
                return cause, hint
        return self._factor_of(path)

    def _mistaken(self, how):
        try:
            return self.rule.path(self.theta, self.gradients, how.items())
        except ZeroDivisionError:  # 1 − β⁰ = 0
            return np.full(self.path.shape, np.nan)

    def _delayed(self):
        late = np.vstack([np.zeros_like(self.gradients[:1]), self.gradients[:-1]])
        return self.rule.path(self.theta, late)

    def _factor_of(self, path):
        expected = self.rule.path(self.theta, self.gradients) - self.theta
        came = path - self.theta
        square = np.sum(expected**2)
        factor = np.sum(came * expected) / square if square else 1.0
        if not np.allclose(came, factor * expected, 1e-6, 1e-9 * np.abs(came).max(initial=0.0)):
            return None, None
        two = min(abs(factor - 2), abs(factor - 0.5)) < 1e-6
        return "factor 2" if two else "factor", f"every step is {factor:.6g} times as long as it must be"

    # ---- the rest --------------------------------------------------------------------------------------

    def check_zero(self):
        """Where all gradients were zero θ stays."""
        theta, optimizer = self.theta.copy(), self.make()
        for _ in range(3):
            _step(optimizer, theta, np.zeros_like(theta))
        real_numbers("θ after gradients of zero", theta)
        if self.zero_stays:
            hint = "with weight decay that may be meant: zero_stays=False"
            agree("θ after gradients of zero", theta, self.theta, 0.0, "value", hint)

    def check_entries(self):
        """Every entry is for itself: permuted, or alone, it moves as before."""
        order = np.random.default_rng(0).permutation(len(self.theta))
        permuted = self.walk(self.gradients[:, order], self.theta[order])
        limit = self.limit(self.path)
        agree(
            "θ with entries permuted",
            permuted,
            self.path[:, order],
            limit,
            "order",
            "entries in another order move in another way",
        )
        alone = [self.walk(self.gradients[:, [j]], self.theta[[j]])[:, 0] for j in range(len(self.theta))]
        agree(
            "θ, entry by entry",
            np.transpose(alone),
            self.path,
            limit,
            "rows mixed",
            "an entry moves in another way when others are there",
        )

    def check_growth(self):
        """When θ has grown old entries go on as before, new ones as if all their gradients had been zero."""
        grown = np.concatenate([self.theta, [0.5, -1.0]])
        new = np.column_stack([self.gradients, self.gradients[:, :1] + 1, 1 - self.gradients[:, :1]])
        for after in sorted({1, len(self.gradients) // 2} - {0, len(self.gradients)}):
            new_before = new.copy()
            new_before[:after, -2:] = 0
            expected = self.walk(new_before, grown)
            optimizer, theta = self.make(), self.theta.copy()
            for g in self.gradients[:after]:
                _step(optimizer, theta, g.copy())
            theta = np.concatenate([theta, expected[after - 1, -2:]])
            path = [_step(optimizer, theta, g.copy()) for g in new_before[after:]]
            hint = "what is kept must be padded with zeros: old entries stay, new ones begin at 0"
            agree(
                f"θ that grows after step {after}",
                path,
                expected[after:],
                self.limit(self.path) + self.tolerance * np.abs(expected - grown).max(),
                "growth",
                hint,
            )

    def check_saved(self):
        """Copied or pickled in the middle it goes on the same."""
        half = len(self.gradients) // 2
        for way, again in (
            ("copied", copy.deepcopy),
            ("pickled", lambda one: pickle.loads(pickle.dumps(one))),
        ):
            optimizer, theta = self.make(), self.theta.copy()
            for g in self.gradients[:half]:
                _step(optimizer, theta, g.copy())
            try:
                other = again(optimizer)
            except (pickle.PicklingError, AttributeError, TypeError):
                if way == "pickled":  # classes inside of functions can not be
                    continue
                raise
            _step(optimizer, theta.copy(), np.ones_like(theta))  # the original goes its own way
            path = [_step(other, theta, g.copy()) for g in self.gradients[half:]]
            agree(
                f"θ with an optimizer {way} in the middle",
                path,
                self.path[half:],
                0.0,
                "saved",
                "something that it keeps gets lost, or is shared with the original",
            )

    def check_reset(self):
        """After reset(), where there is one, it is as if new."""
        optimizer = self.make()
        if not callable(getattr(optimizer, "reset", None)):
            return
        theta = self.theta.copy()
        for g in self.gradients:
            _step(optimizer, theta, g.copy())
        protected("reset()", optimizer.reset)
        theta = self.theta.copy()
        path = [_step(optimizer, theta, g.copy()) for g in self.gradients]
        agree("θ after reset()", path, self.path, 0.0, "state", "reset() leaves something from before")

    def check_float32(self):
        """In float32 steps are those of float64, but for rounding."""
        sizes = np.abs(self.gradients[self.gradients != 0])
        if sizes.size and (sizes.min() < 1e-12 or sizes.max() > 1e12):
            return
        narrow = self.walk(self.gradients.astype(np.float32), dtype=np.float32)
        wide = self.walk(
            self.gradients.astype(np.float32).astype(np.float64),
            self.theta.astype(np.float32).astype(np.float64),
        )
        limit = 1e-4 * np.abs(wide - self.theta).max() + 1e-6 * np.abs(wide).max(initial=0.0) + 1e-30
        agree("θ in float32", narrow, wide, limit, "precision", "rounding does not explain it")


#: names of what is checked
CHECKS = (
    "in place",
    "gradient unchanged",
    "repeated",
    "shared",
    "rule",
    "zero",
    "entries",
    "growth",
    "saved",
    "reset",
    "float32",
)


def _step(optimizer, theta, gradient):
    """Take a step; return a copy of θ."""
    protected("step(theta, gradient)", optimizer.step, theta, gradient)
    return theta.copy()
