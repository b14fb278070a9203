"""check_optimizer: ours pass, each contract is tripped by a small optimizer that breaks it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from incrlearn.network import OPTIMIZERS, SGD, Adam
from incrlearn.testing import Failure, check_optimizer

GRADIENTS = np.random.default_rng(0).normal(size=(6, 3))

RIGHT = {
    "sgd": (lambda: SGD(0.1), "sgd"),
    "momentum": (lambda: SGD(0.1, 0.9), "momentum"),
    "momentum of 1": (lambda: SGD(0.1, 1.0), "momentum"),
    "adam": (lambda: Adam(0.1), "adam"),
    "adam, other numbers": (lambda: Adam(0.01, 0.5, 0.9, 1e-3), "adam"),
    "adam, no memory": (lambda: Adam(1.0, 0.0, 0.0, 1e-30), "adam"),
    "no rule": (Adam, None),
}


def failure(make, rule=None, **options):
    with pytest.raises(Failure) as raised:
        check_optimizer(make, rule, **{"examples": 5, **options})
    return raised.value


def reproduce(failure, make, rule=None):
    """Paste the example; return the failure that it shows."""
    with pytest.raises(Failure) as raised:
        exec(failure.example, {"np": np, "check_optimizer": check_optimizer, "make": make, "rule": rule})
    return raised.value


# ---- what is right passes ----------------------------------------------------------------------------


def test_every_optimizer_of_the_package_is_checked():
    assert {type(make()) for make, _ in RIGHT.values()} == set(OPTIMIZERS.values())


@pytest.mark.parametrize("name", RIGHT)
def test_our_optimizers_pass(name):
    make, rule = RIGHT[name]
    assert check_optimizer(make, rule, examples=30).examples >= 30


@settings(max_examples=20)
@given(
    st.floats(1e-6, 10), st.floats(0, 1 - 1e-6), st.floats(0, 1 - 1e-6), st.sampled_from([1e-30, 1e-8, 1.0])
)
def test_adam_of_any_numbers_passes(rate, beta1, beta2, epsilon):
    check_optimizer(lambda: Adam(rate, beta1, beta2, epsilon), "adam", gradients=GRADIENTS)


def test_a_rule_may_be_a_function():
    def rule(theta, gradients):
        return theta - 0.1 * gradients.sum(axis=0)

    check_optimizer(lambda: SGD(0.1), rule, examples=5)
    found = failure(lambda: SGD(0.2), rule)
    assert (found.cause, found.check) == ("factor 2", "θ after step 1")
    assert reproduce(found, lambda: SGD(0.2), rule).cause == "factor 2"


class Plain:
    """No optimizer of ours, and nothing but what is needed."""

    def step(self, theta, gradient):
        theta -= 0.5 * gradient


def test_any_object_with_a_step_is_an_optimizer():
    check_optimizer(Plain, examples=5)
    check_optimizer(Plain, "sgd", settings={"learning_rate": 0.5}, examples=5)
    assert failure(Plain, "sgd", settings={"learning_rate": 0.25}).cause == "factor 2"


class Decaying(Plain):
    def step(self, theta, gradient):
        theta -= 0.5 * (gradient + 0.01 * theta)


def test_weight_decay_passes_where_it_is_meant():
    check_optimizer(Decaying, examples=5, zero_stays=False)
    assert failure(Decaying).check == "θ after gradients of zero"


# ---- what is wrong is found --------------------------------------------------------------------------


class Momentum:
    """The right one, from which the wrong ones are made."""

    learning_rate, momentum = 0.1, 0.9

    def __init__(self):
        self.v = None

    def step(self, theta, gradient):
        if self.v is None:
            self.v = np.zeros_like(theta)
        self.v = np.concatenate([self.v, np.zeros(len(theta) - len(self.v), theta.dtype)])
        self.move(theta, gradient)

    def move(self, theta, gradient):
        self.v = self.momentum * self.v + gradient
        theta -= self.learning_rate * self.v


class Uphill(Momentum):
    def move(self, theta, gradient):
        self.v = self.momentum * self.v + gradient
        theta += self.learning_rate * self.v


class Doubled(Momentum):
    def move(self, theta, gradient):
        super().move(theta, 2 * gradient)


class Tripled(Momentum):
    def move(self, theta, gradient):
        super().move(theta, 3 * gradient)


class Forgets(Momentum):
    def move(self, theta, gradient):
        theta -= self.learning_rate * gradient


class Delayed(Momentum):
    last = 0.0

    def move(self, theta, gradient):
        last, self.last = self.last, gradient.copy()
        super().move(theta, last + 0 * gradient)


class Nesterov(Momentum):
    def move(self, theta, gradient):
        self.v = self.momentum * self.v + gradient
        theta -= self.learning_rate * (gradient + self.momentum * self.v)


class Adaptive:
    """Adam as it is written, from which the wrong ones are made."""

    learning_rate, beta1, beta2, epsilon = 0.1, 0.9, 0.999, 1e-8
    first = 1

    def __init__(self):
        self.m = self.v = np.zeros(0)
        self.t = self.first - 1

    def step(self, theta, gradient):
        more = np.zeros(len(theta) - len(self.m), theta.dtype)
        dtype = theta.dtype
        self.m = np.concatenate([self.m, more]).astype(dtype)
        self.v = np.concatenate([self.v, more]).astype(dtype)
        self.t += 1
        self.m = self.beta1 * self.m + (1 - self.beta1) * gradient
        self.v = self.beta2 * self.v + (1 - self.beta2) * gradient**2
        theta -= self.learning_rate * self.direction().astype(dtype)

    def corrected(self):
        return self.m / (1 - self.beta1**self.t), self.v / (1 - self.beta2**self.t)

    def direction(self):
        m, v = self.corrected()
        return m / (np.sqrt(v) + self.epsilon)


class Uncorrected(Adaptive):
    def corrected(self):
        return self.m, self.v


class OnlyV(Adaptive):
    def corrected(self):
        return self.m, super().corrected()[1]


class OnlyM(Adaptive):
    def corrected(self):
        return super().corrected()[0], self.v


class FromZero(Adaptive):
    first = 0

    def corrected(self):
        with np.errstate(all="ignore"):
            return tuple(np.divide(a, 1 - b**self.t) for a, b in ((self.m, self.beta1), (self.v, self.beta2)))


class FromTwo(Adaptive):
    first = 2


class InsideTheRoot(Adaptive):
    def direction(self):
        m, v = self.corrected()
        return m / np.sqrt(v + self.epsilon)


class NoRoot(Adaptive):
    def direction(self):
        m, v = self.corrected()
        return m / (v + self.epsilon)


class Exchanged(Adaptive):
    def step(self, theta, gradient):
        self.beta1, self.beta2 = 0.999, 0.9
        super().step(theta, gradient)
        self.beta1, self.beta2 = 0.9, 0.999


class AdamUphill(Adaptive):
    def direction(self):
        return -super().direction()


class Stateless(Adaptive):
    def step(self, theta, gradient):
        self.m, self.v = np.zeros(len(theta)), np.zeros(len(theta))
        super().step(theta, gradient)


RULES = {
    "momentum": {
        Uphill: "sign",
        Doubled: "factor 2",
        Tripled: "factor",
        Forgets: "missing",
        Delayed: "stale",
        Nesterov: "value",
    },
    "adam": {
        Uncorrected: "bias correction",
        OnlyV: "bias correction",
        OnlyM: "bias correction",
        FromZero: "bias correction",
        FromTwo: "bias correction",
        InsideTheRoot: "value",
        NoRoot: "missing",
        Exchanged: "order",
        AdamUphill: "sign",
        Stateless: "missing",
    },
}
WRONG = [(kind, rule, cause) for rule, kinds in RULES.items() for kind, cause in kinds.items()]


def name(part):
    return getattr(part, "__name__", part)


@pytest.mark.parametrize(("kind", "rule"), [(Momentum, "momentum"), (Adaptive, "adam")], ids=name)
def test_what_the_wrong_ones_are_made_from_is_right(kind, rule):
    check_optimizer(kind, rule, examples=10)


@pytest.mark.parametrize(("kind", "rule", "cause"), WRONG, ids=name)
def test_a_step_that_is_not_the_textbooks_is_found_and_blamed(kind, rule, cause):
    found = failure(kind, rule)
    assert found.cause == cause, found
    assert reproduce(found, kind).cause == cause


class GradientChanged(Plain):
    def step(self, theta, gradient):
        gradient *= 0.5
        theta -= gradient


class NotInPlace(Plain):
    def step(self, theta, gradient):
        return theta - 0.5 * gradient


class Promoted(Adaptive):
    def step(self, theta, gradient):
        if theta.dtype == np.float32:
            raise TypeError("float64 only")
        super().step(theta, gradient)


class KeepsTheGradient(Momentum):
    def move(self, theta, gradient):
        self.v = self.momentum * self.v + (gradient if not hasattr(self, "last") else self.last)
        self.last = gradient
        theta -= self.learning_rate * self.v


class SharedList(Plain):
    past = []  # noqa: RUF012  the mistake

    def step(self, theta, gradient):
        self.past.append(1)
        theta -= 0.5 * gradient / len(self.past)


class SharedWhileAlive(Plain):
    """A table of all optimizers of the class: one that begins takes over the other's state."""

    table = {}  # noqa: RUF012  the mistake

    def __init__(self):
        self.table.clear()

    def step(self, theta, gradient):
        v = self.table.get(len(theta), 0) * 0.5 + gradient
        self.table[len(theta)] = v
        theta -= 0.1 * v


class ZeroOverZero(Plain):
    def step(self, theta, gradient):
        with np.errstate(all="ignore"):
            theta -= 0.5 * gradient / np.abs(gradient) if not gradient.any() else 0.5 * gradient


class ByNorm(Plain):
    def step(self, theta, gradient):
        theta -= 0.5 * gradient / (1 + np.sqrt(gradient @ gradient))


class ByPlace(Plain):
    def step(self, theta, gradient):
        theta -= (0.5 * gradient * np.arange(1, len(theta) + 1)).astype(theta.dtype)


class LosesAtGrowth(Momentum):
    def step(self, theta, gradient):
        if self.v is None or len(self.v) != len(theta):
            self.v = np.zeros_like(theta)
        self.move(theta, gradient)


class DoesNotGrow(Momentum):
    def step(self, theta, gradient):
        if self.v is None:
            self.v = np.zeros_like(theta)
        self.move(theta, gradient)


class LostInThePickle(Momentum):
    def __getstate__(self):
        return {"v": None}


class NeverResets(Momentum):
    def reset(self):
        pass


class Coarse(Plain):
    def step(self, theta, gradient):
        step = 0.5 * gradient
        theta -= step if theta.dtype == np.float64 else step.astype(np.float16)


CONTRACTS = {
    GradientChanged: "modified",
    NotInPlace: "missing",
    KeepsTheGradient: "stale",
    SharedList: "state",
    SharedWhileAlive: "state",
    ZeroOverZero: "not a number",
    ByNorm: "rows mixed",
    ByPlace: "order",
    LosesAtGrowth: "growth",
    DoesNotGrow: "shape",
    LostInThePickle: "saved",
    NeverResets: "state",
    Coarse: "precision",
}


@pytest.mark.parametrize(("kind", "cause"), CONTRACTS.items(), ids=name)
def test_a_broken_contract_is_found_and_blamed(kind, cause):
    found = failure(kind)
    assert found.cause == cause, found
    if kind is not SharedList:  # whose list has grown
        assert reproduce(found, kind).cause == cause


def test_what_an_optimizer_raises_is_said_with_the_example():
    found = failure(Promoted)
    assert "raises TypeError: float64 only" in str(found)
    assert isinstance(found.__cause__, TypeError)


def test_the_example_is_small():
    found = failure(Uphill, "momentum")
    names = {}
    exec(found.example.rsplit("\n", 1)[0], {"np": np}, names)
    assert names["gradients"].shape == (1, 1)
    assert names["theta"].shape == (1,)


# ---- what is no optimizer ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "rule", "error", "message"),
    [
        (SGD(0.1), None, TypeError, "make must be a function that returns an optimizer"),
        (lambda: 3, None, TypeError, r"make\(\) must return an optimizer with step\(theta, gradient\)"),
        (lambda one=SGD(0.1): one, None, ValueError, "the same object twice"),  # noqa: B008
        (Plain, "sgd", ValueError, "the rule needs learning_rate: Plain has no such attribute"),
        (lambda: SGD(0.1), "rmsprop", ValueError, "rule"),
    ],
)
def test_what_is_no_optimizer_is_refused(make, rule, error, message):
    with pytest.raises(error, match=message):
        check_optimizer(make, rule)


def test_theta_must_fit_the_gradients():
    with pytest.raises(ValueError, match="theta must have shape"):
        check_optimizer(Plain, gradients=GRADIENTS, theta=[1.0])
