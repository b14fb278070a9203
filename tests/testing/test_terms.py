"""check_term: our formulas and terms pass, each contract is tripped by a small term that breaks it."""

import contextlib
import functools

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from incrlearn import formulas, learning
from incrlearn.formulas import cross_entropy, l1, reverse_kl, squared_error
from incrlearn.learning import (
    AGEM,
    EWC,
    GEM,
    L1,
    L2,
    OGD,
    BatchTerm,
    CrossEntropy,
    ElasticNet,
    Features,
    Logits,
    ParameterTerm,
    Projection,
    ProximalTerm,
    Relations,
    Replay,
    SquaredError,
    Term,
)
from incrlearn.network import soft_threshold
from incrlearn.testing import Failure, check_term, strategies
from incrlearn.testing.failure import Untold
from incrlearn.testing.terms import _Moment
from tests.formulas.cases import FORMULAS, Extreme, Seeded, each

rng = np.random.default_rng(0)
Z, T = rng.normal(size=(5, 3)), rng.normal(size=(5, 3))
Y = np.array([0, 2, 1, 2, 0])


def failure(term, *arguments, **options):
    with pytest.raises(Failure) as raised:
        check_term(term, *arguments, **options)
    return raised.value


def reproduce(failure, term):
    """Paste the example; return the failure that it shows."""
    with pytest.raises(Failure) as raised:
        exec(failure.example, {"np": np, "check_term": check_term, "term": term})
    return raised.value


def name(part):
    return getattr(part, "__name__", part)


# ---- what is right passes ----------------------------------------------------------------------------


@each(FORMULAS)
@pytest.mark.parametrize("seed", range(2))
def test_our_formulas_pass(formula, seed):
    check_term(formula.call, *formula.arguments(Seeded(seed)), wrt=formula.wrt, rows=formula.rows)


@each(FORMULAS)
@settings(max_examples=5)
@given(st.data())
def test_our_formulas_pass_with_equal_rows_and_zeros(formula, data):
    arguments = data.draw(formula.drawn())
    with contextlib.suppress(Untold):  # where all rows are equal angles are not defined
        check_term(formula.call, *arguments, wrt=formula.wrt, rows=formula.rows)


@each(FORMULAS)
@pytest.mark.parametrize("equal", [False, True], ids=["opposite", "equal"])
def test_our_formulas_pass_where_arguments_are_huge(formula, equal):
    arguments = formula.arguments(Extreme(3, 2, 1.0, equal))
    with contextlib.suppress(Untold):
        check_term(formula.call, *arguments, wrt=formula.wrt, rows=formula.rows)


@pytest.mark.parametrize("t", [0.0, 847.4709385134922], ids=["far", "equal"])
def test_zero_is_right_where_what_is_not_zero_is_the_rounding_of_x(t):
    """Both logits are alike: moved together they change nothing, and moved apart the last digit."""
    z = np.full((1, 2), 847.4709385134922)
    assert check_term(reverse_kl, z, np.full((1, 2), t), 7.32391904545802, rows=(0, 1))


@pytest.mark.parametrize("function", [squared_error, reverse_kl, formulas.kl_to_normal], ids=name)
def test_arguments_of_a_function_are_searched_for(function):
    wrt = (0, 1) if function is formulas.kl_to_normal else (0,)
    assert check_term(function, wrt=wrt, examples=10).examples >= 10


def test_arguments_may_be_strategies():
    assert check_term(reverse_kl, strategies.logits(3, 2), strategies.logits(3, 2), 2.0, examples=5).entries
    batches = strategies.label_batches(d=3, k=3, largest=100.0)
    assert check_term(cross_entropy, batches, examples=5).entries


def kinds():
    """Return every term of the package that can be made without arguments."""
    found = [getattr(learning, each) for each in learning.__all__]
    found = [kind for kind in found if isinstance(kind, type) and issubclass(kind, Term)]
    bases = {Term, BatchTerm, ParameterTerm, ProximalTerm, Projection, learning.Loss, learning.Distillation}
    return [kind for kind in found if kind not in bases]


@pytest.mark.parametrize("kind", kinds(), ids=name)
def test_our_terms_pass_after_two_tasks(kind):
    assert check_term(kind(), examples=4).examples == 4


@settings(max_examples=30)
@given(strategies.terms(), st.integers(0, 99))
def test_our_terms_pass_with_any_settings(term, seed):
    with contextlib.suppress(Untold):
        check_term(term, examples=1, seed=seed)


@pytest.mark.parametrize(
    "term",
    [
        L1(anchored=True),
        L2(anchored=True),
        ElasticNet(anchored=True),
        SquaredError(standardized=True),
        Logits(divergence="forward", over="all"),
        EWC(online=True),
        Relations(at=-2),
    ],
    ids=repr,
)
def test_other_forms_of_our_terms_pass(term):
    check_term(term, examples=4)


def test_a_term_may_be_asked_at_given_activations_parameters_and_gradients():
    here = _Moment(Logits(), 0)
    assert check_term(here.term, *here.arguments()).entries
    here = _Moment(EWC(), 0)
    assert check_term(here.term, *here.arguments()).entries
    assert check_term(L1(0.3), np.linspace(-1, 1, 5), 0.5).entries
    check_term(AGEM(), np.array([1.0, -1.0]), [np.array([0.0, 2.0])])


def test_the_term_stays_as_it_is():
    term = EWC()
    check_term(term, examples=2)
    assert not term.active


# ---- functions that are wrong ------------------------------------------------------------------------


def without_n(z, t):
    value, gradient = squared_error(z, t)
    return value, gradient * len(z)


def turned(z, t):
    value, gradient = squared_error(z, t)
    return value, -gradient


def without_T(z, t, T):
    value, gradient = reverse_kl(z, t, T)
    return value, gradient / T


def transposed(z, t):
    value, gradient = squared_error(z, t)
    return value, gradient.T.copy()


def a_row(z, t):
    return squared_error(z, t)[0], (z - t)[0] / len(z)


def a_value_a_row(z, t):
    return np.square(z - t).sum(axis=1) / 2, z - t


def no_gradient(z, t):
    return squared_error(z, t)[0]


def of_one_dtype(z, t):
    value, gradient = squared_error(z, t)
    return value, gradient.astype(np.float64)


def z_changed(z, t):
    z -= t
    return float(np.square(z).sum() / 2), z.copy()


def t_changed(z, t):
    result = squared_error(z, t)
    t[:] = 0
    return result


def its_own_argument(z, t):
    return float(np.square(z).sum() / 2), z


def naive(z, t):
    p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    return float(-(t * np.log(p)).sum()), p * t.sum(axis=1, keepdims=True) - t


def one_pass(z, t):
    """A variance as a small difference: in float32 nothing is left of it."""
    variance = np.square(z).mean() - z.mean() ** 2
    return float(variance), 2 * (z - z.mean()) / z.size


def half_at_zero(z, t):
    return float(np.abs(z).sum()), np.where(z == 0, 2.0, np.sign(z)).astype(z.dtype)


def grumbling(z, t):
    if z.size > 4:
        raise ValueError("no more than 4 numbers")
    return squared_error(z, t)


WRONG = {
    without_n: "mean against sum",
    turned: "sign",
    a_row: "shape",
    a_value_a_row: "shape",
    no_gradient: "shape",
    of_one_dtype: "dtype",
    z_changed: "modified",
    t_changed: "modified",
    its_own_argument: "modified",
    naive: "not a number",
    half_at_zero: "kink",
    grumbling: None,
}


@pytest.mark.parametrize(("function", "cause"), WRONG.items(), ids=name)
def test_a_wrong_function_is_found_and_blamed(function, cause):
    found = failure(function)
    assert found.cause == cause, found
    assert reproduce(found, function).cause == cause


def test_a_forgotten_temperature_is_named():
    found = failure(without_T, Z, T, 2.5)
    assert found.cause == "factor T"
    assert "T = 2.5" in found.example


def test_a_transposed_gradient_is_named():
    assert failure(transposed, Z[:3], T[:3]).cause == "transpose"
    assert failure(transposed, Z, T).cause == "transpose"


def test_what_float32_loses_is_found():
    assert failure(one_pass, 1000 + Z, T).cause == "precision"


def test_rows_in_another_order_must_give_the_same():
    weights = np.arange(5.0)[:, None]

    def weighted(z, t):
        return float((weights * np.square(z - t)).sum() / 2), (weights * (z - t)).astype(z.dtype)

    check_term(weighted, Z, T)
    assert failure(weighted, Z, T, rows=(0, 1)).cause == "rows mixed"


class Remembers:
    """A function that keeps its last gradient."""

    def __init__(self, how):
        self.how, self.last = how, 0.0

    def __call__(self, z, t):
        value, gradient = squared_error(z, t)
        self.last = self.last + gradient if self.how == "adds" else gradient
        self.calls = getattr(self, "calls", 0) + 1
        if self.how == "value":
            return value + self.calls, gradient
        return value, np.array(self.last)


@pytest.mark.parametrize(("how", "cause"), [("adds", "accumulated"), ("value", "state")])
def test_a_function_that_depends_on_earlier_calls_is_found(how, cause):
    assert failure(Remembers(how), Z, T).cause in (cause, "state")


def two(z, t, wrong=1.0):
    value, gradient = squared_error(z, t)
    return value, (gradient, -wrong * gradient)


def test_several_gradients_are_checked_each_by_its_name():
    check_term(two, Z, T, wrt=(0, 1))
    found = failure(functools.partial(two, wrong=2.0), Z, T, wrt=(0, 1))
    assert (found.block, found.check, found.cause) == ("t", "∂value/∂t", "factor 2")
    assert "2 gradients, but must give those by z" in str(failure(two, Z, T))


def test_a_refusal_of_what_is_too_large_is_no_failure():
    checked = check_term(formulas.kl_to_normal, np.ones((1, 1)), np.full((1, 1), 1e4), wrt=(0, 1))
    assert checked.checks == ("refused",)


@pytest.mark.parametrize(
    ("term", "arguments", "error", "message"),
    [
        (3, (), TypeError, "term must be a function or a Term"),
        (L2, (), TypeError, "term must be a function or a Term"),
        (max, (), TypeError, "the term's arguments are not known"),
        (Term(), (), TypeError, "term must be a function or a Term"),
        (EWC(), (Z[0],), ValueError, "has nothing to say yet"),
        (L2(), (Z[0], 1, 2), TypeError, "the term is asked with theta, got 3"),
    ],
    ids=repr,
)
def test_what_is_no_term_is_refused(term, arguments, error, message):
    with pytest.raises(error, match=message):
        check_term(term, *arguments)


# ---- terms of a learner that are wrong ---------------------------------------------------------------


class Doubled(CrossEntropy):
    def __call__(self, a, batch):
        value, gradients = super().__call__(a, batch)
        return value, {-1: 2 * gradients[-1]}


class HalfOfFeatures(Features):
    """It has a say at two activations, and tells of one."""

    def __call__(self, a, batch):
        value, gradients = super().__call__(a, batch)
        return value + float(np.square(a[1]).sum()), gradients


class OutOfRange(CrossEntropy):
    def __call__(self, a, batch):
        value, gradients = super().__call__(a, batch)
        return value, {7: gradients[-1]}


class NoDict(CrossEntropy):
    def __call__(self, a, batch):
        value, gradients = super().__call__(a, batch)
        return value, gradients[-1]


class AChanged(CrossEntropy):
    def __call__(self, a, batch):
        a[-1] -= a[-1].max()
        return super().__call__(a, batch)


class BatchChanged(Replay):
    def __call__(self, a, batch):
        result = super().__call__(a, batch)
        batch.x[:] = 0
        return result


class Counting(L2):
    """What it remembers changes when it is asked."""

    def __init__(self):
        super().__init__(1.0)
        self.asked = np.zeros(1)

    def __call__(self, theta):
        self.asked += 1
        return super().__call__(theta)


class WithoutAnchor(L2):
    def __init__(self):
        super().__init__(1.0, anchored=True)

    def __call__(self, theta):
        return super().__call__(theta)[0], self.strength * theta


class Uphill(L2):
    def __call__(self, theta):
        value, gradient = super().__call__(theta)
        return value, -gradient


class NoPair(L2):
    def __call__(self, theta):
        return super().__call__(theta)[0]


class WithoutRate(L1):
    def step(self, theta, learning_rate):
        soft_threshold(theta, self.strength, self.anchor)


class AwayFromZero(L1):
    def step(self, theta, learning_rate):
        theta += learning_rate * self.strength * np.sign(theta)


class NotInPlace(L1):
    def step(self, theta, learning_rate):
        theta = theta.copy()
        super().step(theta, learning_rate)
        return theta


class PairOfL1(L1):
    def __call__(self, theta):
        return l1(theta, self.strength, self.anchor)


class Reflects(AGEM):
    def __call__(self, gradient, references):
        (r,) = references
        conflict = min(gradient @ r, 0.0)
        return gradient - 2 * conflict / (r @ r) * r


class OtherWay(AGEM):
    def __call__(self, gradient, references):
        (r,) = references
        return gradient if gradient @ r < 0 else gradient - gradient @ r / (r @ r) * r


class Unscaled(AGEM):
    def __call__(self, gradient, references):
        (r,) = references
        return gradient - min(gradient @ r, 0.0) * r


class Always(AGEM):
    """Projected where there is no conflict as well."""

    def __call__(self, gradient, references):
        (r,) = references
        return gradient - gradient @ r / (r @ r) * r


class Half(OGD):
    def __call__(self, gradient, references):
        return (gradient + super().__call__(gradient, references)) / 2


class OnlyTheFirst(GEM):
    def __call__(self, gradient, references):
        return super().__call__(gradient, references[:1])


class InPlace(AGEM):
    def __call__(self, gradient, references):
        gradient[:] = super().__call__(gradient, references)
        return gradient


WRONG_TERMS = {
    Doubled: "factor 2",
    HalfOfFeatures: "missing",
    OutOfRange: "shape",
    NoDict: "shape",
    AChanged: "modified",
    BatchChanged: "modified",
    Counting: "state",
    WithoutAnchor: None,
    Uphill: "sign",
    NoPair: "shape",
    WithoutRate: None,
    AwayFromZero: None,
    NotInPlace: "missing",
    PairOfL1: "dtype",
    Reflects: "factor",
    OtherWay: "sign",
    Unscaled: "factor",
    Always: "value",
    Half: "value",
    OnlyTheFirst: "sign",
    InPlace: "modified",
}


@pytest.mark.parametrize(("kind", "cause"), WRONG_TERMS.items(), ids=name)
def test_a_wrong_term_is_found_and_blamed(kind, cause):
    found = failure(kind())
    if cause is not None:
        assert found.cause == cause, found
    assert reproduce(found, kind()).check == found.check


def test_a_projection_need_not_be_the_nearest_where_that_is_meant():
    check_term(Reflects(), nearest=False)
