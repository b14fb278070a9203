"""Optimizers: every paper's update a second time, plainly, and where the steps lead."""

import re
from functools import partial

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra.numpy import arrays
from scipy import optimize

from incrlearn.learning import L1, ElasticNet
from incrlearn.network import OPTIMIZERS, SGD, Adam, Network, pad, soft_threshold
from tests.oracles import agree

from .cases import same_bits


class PlainSGD:
    """θ ← θ − η vₜ with vₜ = Σₛ μᵗ⁻ˢ gₛ, from the gradients so far."""

    def __init__(self, learning_rate=0.1, momentum=0.0):
        self.rate, self.momentum, self.past = learning_rate, momentum, []

    def step(self, theta, gradient):
        self.past.append(gradient.copy())
        v = sum(self.momentum**age * g for age, g in enumerate(reversed(self.past)))
        theta[:] = theta - self.rate * v


class PlainAdam:
    """Algorithm 1 of Kingma and Ba, line by line, with the moments summed from the gradients so far."""

    def __init__(self, learning_rate=0.001, beta1=0.9, beta2=0.999, epsilon=1e-8):
        self.rate, self.beta1, self.beta2, self.epsilon, self.past = learning_rate, beta1, beta2, epsilon, []

    def step(self, theta, gradient):
        self.past.append(gradient.copy())
        t, ages = len(self.past), list(enumerate(reversed(self.past)))
        m = sum((1 - self.beta1) * self.beta1**age * g for age, g in ages) / (1 - self.beta1**t)
        v = sum((1 - self.beta2) * self.beta2**age * g**2 for age, g in ages) / (1 - self.beta2**t)
        theta[:] = theta - self.rate * m / (v**0.5 + self.epsilon)


CASES = {
    "SGD": (SGD, PlainSGD, {}),
    "SGD, rate": (SGD, PlainSGD, {"learning_rate": 0.5}),
    "momentum": (SGD, PlainSGD, {"momentum": 0.9}),
    "momentum 1": (SGD, PlainSGD, {"learning_rate": 0.01, "momentum": 1}),
    "Adam": (Adam, PlainAdam, {}),
    "Adam, rate": (Adam, PlainAdam, {"learning_rate": 0.1}),
    "Adam, no memory": (Adam, PlainAdam, {"beta1": 0, "beta2": 0.0}),
    "Adam, all": (Adam, PlainAdam, {"learning_rate": 1, "beta1": 0.5, "beta2": 0.8, "epsilon": 0.1}),
}

each_case = pytest.mark.parametrize(("make", "plain", "numbers"), CASES.values(), ids=CASES)


def run(optimizer, theta, gradients):
    """Return θ after a step with each of the gradients."""
    theta = np.array(theta)
    for gradient in gradients:
        assert optimizer.step(theta, np.asarray(gradient, theta.dtype)) is None
    return theta


def random_gradients(steps, size=4, seed=0):
    return np.random.default_rng(seed).normal(size=(steps, size)) * np.logspace(-2, 2, size)


def test_every_optimizer_is_tested():
    assert {make for make, _, _ in CASES.values()} == set(OPTIMIZERS.values())


@each_case
def test_every_step_agrees_with_the_paper_s_update(make, plain, numbers):
    optimizer, expected = make(**numbers), plain(**numbers)
    theta, plain_theta = np.arange(4.0), np.arange(4.0)
    for gradient in random_gradients(100):
        optimizer.step(theta, gradient)
        expected.step(plain_theta, gradient)
        agree(theta, plain_theta, 1e-12)


def test_momentum_worked_by_hand():
    optimizer, theta = SGD(0.1, momentum=0.5), np.array([1.0])
    for gradient, expected in [(1, 0.9), (1, 0.75), (0, 0.675), (-2, 0.8375)]:
        optimizer.step(theta, np.array([gradient]))
        agree(theta, [expected], 1e-15)


def test_adam_worked_by_hand():
    """First m̂ = 1/½, v̂ = 2/½; then, without a gradient, m̂ = ½/¾, v̂ = 1/¾."""
    optimizer, theta = Adam(1, beta1=0.5, beta2=0.5, epsilon=1), np.array([1.0])
    for gradient, expected in [(2, 1 / 3), (0, 1 / 3 - (2 / 3) / ((4 / 3) ** 0.5 + 1))]:
        optimizer.step(theta, np.array([gradient]))
        agree(theta, [expected], 1e-14)


@pytest.mark.parametrize("gradient", [-300.0, 0.01, 7.0])
def test_under_a_constant_gradient_adam_steps_by_its_learning_rate(gradient):
    theta = run(Adam(0.01, epsilon=1e-30), [0.0], [[gradient]] * 500)
    agree(theta, [-0.01 * 500 * np.sign(gradient)], 1e-12)


def test_under_a_constant_gradient_momentum_speeds_up_to_a_limit():
    """vₜ = g (1 − μᵗ)/(1 − μ), and θ has moved by −η Σ vₜ."""
    t, rate, mu, g = 50, 0.1, 0.8, 3.0
    moved = rate * g / (1 - mu) * (t - mu * (1 - mu**t) / (1 - mu))
    agree(run(SGD(rate, mu), [0.0], [[g]] * t), [-moved], 1e-12)


def quadratic(size=4, seed=3):
    """Return A and b of ½ θᵀAθ − bᵀθ, with eigenvalues between 0.5 and 2."""
    rng = np.random.default_rng(seed)
    Q = np.linalg.qr(rng.normal(size=(size, size)))[0]
    return Q @ np.diag(np.linspace(0.5, 2, size)) @ Q.T, rng.normal(size=size)


@pytest.mark.parametrize(
    ("optimizer", "steps"), [(SGD(0.5), 200), (SGD(0.1, 0.9), 600), (Adam(0.01), 4000)], ids=repr
)
def test_the_minimum_that_scipy_finds_is_reached(optimizer, steps):
    A, b = quadratic()
    found = optimize.minimize(lambda theta: theta @ A @ theta / 2 - b @ theta, np.zeros(4), tol=1e-10)
    theta = np.zeros(4)
    for _ in range(steps):
        optimizer.step(theta, A @ theta - b)
    agree(theta, found.x, 1e-5)


def test_without_momentum_a_step_is_bare_gradient_descent_and_keeps_no_state():
    optimizer = SGD(0.25)
    agree(run(optimizer, [1.0, 2.0], [[4.0, -8.0]]), [0.0, 4.0], 0)
    assert optimizer.v is None


@each_case
def test_only_theta_is_changed_and_in_place(make, plain, numbers):
    optimizer, theta, gradient = make(**numbers), np.ones(3), np.array([1.0, -1.0, 2.0])
    gradient.flags.writeable = False
    for _ in range(2):
        before = theta.copy()
        optimizer.step(theta, gradient)
        assert (theta != before).all()
    agree(gradient, [1.0, -1.0, 2.0], 0)


@each_case
def test_a_step_moves_the_network_whose_theta_it_is_given(make, plain, numbers):
    network = Network.mlp(3, 4, 2, rng=np.random.default_rng(0))
    x = np.ones((1, 3))
    before, memory = network(x), network.theta
    make(**numbers).step(network.theta, np.ones_like(network.theta))
    assert (network(x) != before).all()
    assert network.theta is memory


@each_case
def test_float32_stays_float32_and_is_close_to_float64(make, plain, numbers):
    """NumPy's own scalars as the numbers: a float64 among them must not decide the state's dtype."""
    gradients = random_gradients(30)
    optimizer = make(**{name: np.float64(value) for name, value in numbers.items()})
    narrow = run(optimizer, np.ones(4, np.float32), gradients)
    state = [value for value in vars(optimizer).values() if isinstance(value, np.ndarray)]
    assert all(array.dtype == np.float32 for array in [narrow, *state])
    agree(narrow, run(make(**numbers), np.ones(4), gradients), 1e-5)


class Watched(np.ndarray):
    """An array that notes the dtype of everything computed from it."""

    def __array_ufunc__(self, ufunc, method, *operands, out=None, **options):
        def plain(operand):
            return operand.view(np.ndarray) if isinstance(operand, Watched) else operand

        if out is not None:
            options["out"] = tuple(plain(array) for array in out)
        result = getattr(ufunc, method)(*(plain(operand) for operand in operands), **options)
        Watched.seen.add(result.dtype)
        return out[0] if out is not None else result.view(Watched)


@each_case
@pytest.mark.parametrize(
    "anchor", [None, np.zeros(4, np.float32), np.zeros(4)], ids=["plain", "anchored", "anchored in float64"]
)
def test_a_float32_step_never_passes_through_float64(make, plain, numbers, anchor, monkeypatch):
    monkeypatch.setattr(Watched, "seen", set(), raising=False)
    theta = np.ones(4, np.float32).view(Watched)
    optimizer = make(**numbers)
    for gradient in random_gradients(64).astype(np.float32).view(Watched):
        optimizer.step(theta, gradient)
        soft_threshold(theta, np.float64(0.01), anchor)
    assert Watched.seen - {np.dtype(bool)} == {np.dtype(np.float32)}


@each_case
def test_old_parameters_move_as_if_no_class_had_come(make, plain, numbers):
    grown, twin = make(**numbers), make(**numbers)
    before, after = random_gradients(3), random_gradients(3, size=6, seed=1)
    theta = run(grown, np.arange(4.0), before)
    grown_theta = run(grown, pad(theta, 6), after)
    twin_theta = run(twin, run(twin, np.arange(4.0), before), after[:, :4])
    assert same_bits(grown_theta[:4], twin_theta)


@each_case
def test_new_parameters_move_as_if_their_gradients_had_been_zero_before(make, plain, numbers):
    grown, twin = make(**numbers), make(**numbers)
    before, after = random_gradients(3), random_gradients(3, size=6, seed=1)
    grown_theta = run(grown, pad(run(grown, np.zeros(4), before), 6), after)
    twin_theta = run(twin, np.zeros(6), [*(pad(g, 6) for g in before), *after])
    assert same_bits(grown_theta, twin_theta)


def test_padding_appends_and_leaves_what_was_given_alone():
    vector = np.array([1.0, 2.0], np.float32)
    longer = pad(vector, 4, value=0.5)
    assert same_bits(longer, np.array([1.0, 2.0, 0.5, 0.5], np.float32))
    assert not np.shares_memory(longer, vector)
    assert same_bits(pad(vector, 2), vector)
    assert same_bits(pad(vector[:0], 1), np.zeros(1, np.float32))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("first", [1e3, 1.0, -1e-3])
def test_a_parameter_without_gradient_leaves_no_subnormal_number_in_adam_s_first_moment(first, dtype):
    optimizer, theta = Adam(), np.array([0.0], dtype)
    optimizer.step(theta, np.array([first], dtype))
    subnormal = 0
    for _ in range(1200):
        optimizer.step(theta, np.zeros(1, dtype))
        subnormal += int(0 < abs(optimizer.m[0]) < np.finfo(dtype).tiny)
    assert subnormal == 0
    assert optimizer.m[0] == 0


def test_moments_that_have_shrunk_to_nothing_are_set_to_zero_at_every_64th_step():
    """The first entry has m = 1e-31 and v = 1e-63, the second m = 1e-18 and v = 1e-37, the third neither."""
    optimizer, theta = Adam(), np.zeros(3)
    optimizer.step(theta, np.array([1e-30, 1e-17, 1e-3]))
    for t in range(2, 129):
        optimizer.step(theta, np.zeros(3))
        assert (optimizer.m != 0).tolist() == [t < 64, True, True]
        assert (optimizer.v != 0).tolist() == [t < 64, t < 64, True]
    agree(optimizer.v[2], 1e-9 * 0.999**127, 1e-12)


def test_moments_are_set_to_zero_below_1e_30_and_1e_36_and_not_there():
    """With these numbers m is the last gradient, and v half its square."""
    optimizer, theta = Adam(beta1=0, beta2=0.5), np.zeros(4)
    for _ in range(63):
        optimizer.step(theta, np.zeros(4))
    optimizer.step(theta, np.array([1e-30, 9.9e-31, np.sqrt(2e-36), 1.41e-18]))
    assert (optimizer.m != 0).tolist() == [True, False, True, True]
    assert (optimizer.v != 0).tolist() == [False, False, True, False]
    assert optimizer.v[2] == 1e-36


@pytest.mark.parametrize("size", [1, 3, 4, 5, 10, 11])
def test_a_vector_of_many_parts_moves_as_one_of_a_single_part(size, monkeypatch):
    gradients = random_gradients(70, size=10)
    whole, narrow = Adam(0.1), Adam(0.1)
    expected = run(whole, np.ones(10), gradients)
    monkeypatch.setattr("incrlearn.network.optimizers.PART", size)
    assert same_bits(run(narrow, np.ones(10), gradients), expected)
    assert same_bits(narrow.m, whole.m)
    assert same_bits(narrow.v, whole.v)


def test_flushing_moves_no_parameter_by_anything_that_counts():
    gradients = np.zeros((300, 3))
    gradients[0], gradients[:, 2] = [1e-26, -1.0, 0.0], 1e-6
    agree(run(Adam(), np.zeros(3), gradients), run(PlainAdam(), np.zeros(3), gradients), 1e-12)


@each_case
def test_after_a_reset_an_optimizer_steps_as_a_new_one_does(make, plain, numbers):
    used, gradients = make(**numbers), random_gradients(5)
    run(used, np.ones(4), random_gradients(70, seed=1))
    assert used.reset() is None
    assert vars(used) == vars(make(**numbers))
    assert same_bits(run(used, np.ones(4), gradients), run(make(**numbers), np.ones(4), gradients))


@each_case
@pytest.mark.parametrize("size", [3, 5])
def test_a_gradient_of_another_shape_is_refused_and_nothing_is_changed(make, plain, numbers, size):
    optimizer, theta = make(**numbers), np.ones(4)
    message = rf"^gradient has shape \({size},\), but theta has shape \(4,\)"
    with pytest.raises(ValueError, match=message):
        optimizer.step(theta, np.ones(size))
    agree(theta, np.ones(4), 0)
    assert vars(optimizer) == vars(make(**numbers))


# The proximal step

EIGHTHS = st.integers(-24, 24).map(lambda i: i / 8)


@pytest.mark.parametrize("size", [1, 3, 4, 5, 10, 11])
@pytest.mark.parametrize("make", [L1, ElasticNet])
def test_penalties_take_their_step_part_by_part_and_know_their_value(make, size, monkeypatch):
    rng = np.random.default_rng(0)
    theta, term = rng.normal(size=10), make(0.3, anchored=True)
    term.anchor = theta + rng.choice([0.0, 0.01, 1.0], 10)
    whole = theta.copy()
    value = term(theta)
    term.step(whole, 0.1)
    monkeypatch.setattr("incrlearn.network.optimizers.PART", size)
    agree(term(theta), value, 1e-15)
    term.step(theta, 0.1)
    assert same_bits(theta, whole)


VECTORS = arrays(np.float64, 3, elements=EIGHTHS)
THRESHOLDS = st.integers(0, 24).map(lambda i: i / 8)
anchored = pytest.mark.parametrize("is_anchored", [False, True], ids=["plain", "anchored"])


def shrunk(theta, threshold, anchor=None):
    """Return what soft_threshold makes of a copy of θ."""
    theta = np.array(theta)
    assert soft_threshold(theta, threshold, anchor) is None
    return theta


@anchored
@given(VECTORS, THRESHOLDS, VECTORS)
def test_the_proximal_step_finds_the_minimum_of_its_objective(is_anchored, theta, threshold, anchor):
    """The objective is convex, piecewise quadratic: of θ*, θ − ηλ and θ + ηλ, the best is the minimum."""
    about = anchor if is_anchored else 0 * anchor

    def objective(x):
        return (x - theta) ** 2 / 2 + threshold * abs(x - about)

    x = shrunk(theta, threshold, anchor if is_anchored else None)
    best = np.min([objective(about), objective(theta - threshold), objective(theta + threshold)], axis=0)
    agree(objective(x), best, 1e-15, floor=1)


@anchored
@pytest.mark.parametrize("theta", [-2.0, -0.3, 0.0, 0.1, 0.9, 5.0])
def test_the_proximal_step_finds_what_scipy_finds(theta, is_anchored):
    anchor = 0.25 if is_anchored else 0.0

    def objective(x):
        return (x - theta) ** 2 / 2 + 0.7 * abs(x - anchor)

    found = optimize.minimize_scalar(objective, bounds=(-6, 6), method="bounded", options={"xatol": 1e-9})
    agree(shrunk([theta], 0.7, np.array([anchor]) if is_anchored else None), [found.x], 1e-5, floor=1)


@anchored
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_parameters_within_the_threshold_become_exactly_zero_or_exactly_the_anchor(dtype, is_anchored):
    rng = np.random.default_rng(0)
    anchor = rng.normal(size=1000).astype(dtype) if is_anchored else np.zeros(1000, dtype)
    distance = rng.uniform(-1, 1, 1000).astype(dtype)
    theta = shrunk(anchor + distance, 0.5, anchor if is_anchored else None)
    assert theta.dtype == dtype
    near = np.abs(distance) < 0.499
    assert same_bits(theta[near], anchor[near])
    beyond = np.abs(distance) > 0.501
    agree(theta[beyond] - anchor[beyond], (distance - 0.5 * np.sign(distance))[beyond], 1e-6)


def test_a_parameter_at_the_very_threshold_becomes_exactly_the_anchor():
    """0.4 − (0.4 − 0.1) is 0.09999999999999998."""
    assert shrunk([0.4, -0.2], 0.4 - 0.1, [0.1, 0.1]).tolist() == [0.1, 0.1]


@anchored
@given(VECTORS, VECTORS)
def test_a_threshold_of_zero_changes_nothing(is_anchored, theta, anchor):
    assert (shrunk(theta, 0, anchor if is_anchored else None) == theta).all()


@given(VECTORS, THRESHOLDS)
def test_an_anchor_of_zero_is_no_anchor(theta, threshold):
    agree(shrunk(theta, threshold, np.zeros(3)), shrunk(theta, threshold), 0)


def test_the_anchor_is_left_alone():
    anchor = np.ones(2)
    anchor.flags.writeable = False
    theta = shrunk([1.5, 4.0], 1.0, anchor)
    agree(theta, [1.0, 3.0], 0)
    assert not np.shares_memory(theta, anchor)


@anchored
def test_gradient_steps_and_proximal_steps_lead_to_the_lasso(is_anchored):
    """SciPy minimizes the same with θ = θ* + p − n, where p, n ≥ 0 and the penalty is λ Σ (p + n)."""
    (A, b), strength, rate = quadratic(), 0.4, 0.4
    anchor = np.array([0.5, 0.0, -0.5, 1.0]) if is_anchored else np.zeros(4)

    def objective(parts):
        theta = anchor + parts[:4] - parts[4:]
        return theta @ A @ theta / 2 - b @ theta + strength * parts.sum()

    found = optimize.minimize(objective, np.ones(8), bounds=[(0, None)] * 8, tol=1e-14).x
    theta, optimizer = np.zeros(4), SGD(rate)
    for _ in range(300):
        optimizer.step(theta, A @ theta - b)
        soft_threshold(theta, rate * strength, anchor if is_anchored else None)
    agree(theta, anchor + found[:4] - found[4:], 1e-5)
    assert 0 < (theta == anchor).sum() < 4


# Bad input

BAD = ["1", None, True, np.True_, [1.0], np.ones(1), 1j, np.nan, np.inf, -np.inf, -1, -1e-9]
BAD_NUMBERS = {
    (SGD, "learning_rate"): [*BAD, 0, 0.0],
    (SGD, "momentum"): [*BAD, 1.0000001, 2],
    (Adam, "learning_rate"): [*BAD, 0, 0.0],
    (Adam, "beta1"): [*BAD, 1, 1.0, 1 - 1e-13, 2],
    (Adam, "beta2"): [*BAD, 1, 1.0, 1 - 1e-13, 2],
    (Adam, "epsilon"): [*BAD, 0, 0.0, 9e-31],
    (partial(soft_threshold, np.ones(3)), "threshold"): BAD,
}
WANTED = {
    "learning_rate": "a finite number > 0",
    "momentum": "a number in [0, 1]",
    "beta1": "a number in [0, 1)",
    "beta2": "a number in [0, 1)",
    "epsilon": "a finite number ≥ 1e-30",
    "threshold": "a finite number ≥ 0",
}


@pytest.mark.parametrize(
    ("make", "name", "value"),
    [(make, name, value) for (make, name), values in BAD_NUMBERS.items() for value in values],
    ids=lambda part: getattr(part, "__name__", None) or repr(part)[:20],
)
def test_a_bad_number_is_refused_by_name(make, name, value):
    message = rf"^{name} must be {re.escape(WANTED[name])}, got .*{re.escape(str(value))}"
    with pytest.raises((ValueError, TypeError), match=message):
        make(**{name: value})


def test_the_largest_and_the_smallest_numbers_that_are_allowed_are_taken():
    assert SGD(5e-324, momentum=1).momentum == 1
    adam = Adam(5e-324, beta1=1 - 1e-12, beta2=1 - 1e-12, epsilon=1e-30)
    assert (adam.beta1, adam.beta2, adam.epsilon) == (1 - 1e-12, 1 - 1e-12, 1e-30)


@pytest.mark.parametrize("anchor", [np.ones(2), np.ones(4), np.ones((3, 1)), np.ones((1, 3)), np.ones(())])
def test_an_anchor_of_another_shape_is_refused_and_theta_left_as_it_was(anchor):
    theta = np.array([1.0, 2.0, 3.0])
    with pytest.raises(ValueError, match=r"anchor has shape .*theta has shape \(3,\)"):
        soft_threshold(theta, 0.5, anchor)
    agree(theta, [1.0, 2.0, 3.0], 0)


@pytest.mark.parametrize("threshold", [-0.5, np.nan, "0.5", None])
def test_a_refused_threshold_leaves_theta_as_it_was(threshold):
    theta = np.array([1.0, 2.0, 3.0])
    with pytest.raises((ValueError, TypeError), match="threshold"):
        soft_threshold(theta, threshold)
    agree(theta, [1.0, 2.0, 3.0], 0)


def test_an_optimizer_says_what_it_is():
    assert repr(SGD(0.5, 0.9)) == "SGD(learning_rate=0.5, momentum=0.9)"
    assert repr(Adam(0.5)) == "Adam(learning_rate=0.5)"
