"""check_gradient and check_second_order: no right gradient is accused, no wrong one gets away."""

import contextlib
import copy
import warnings

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.optimize import check_grad

from incrlearn.testing import Checked, Failure, Untold, check_gradient, check_second_order, compare

from .functions import KINKED, SMOOTH, functions, in_float32, points, value_in_float32

RNG = np.random.default_rng(5)
X, W, Y = RNG.normal(size=(6, 4)), RNG.normal(size=(4, 3)), RNG.normal(size=(6, 3))


def mean_square(w):
    """1/2n ‖XW − Y‖²: what the tests below get wrong."""
    r = X @ w - Y
    return 0.5 * np.sum(r * r) / 6, X.T @ r / 6


def wrong(change, function=mean_square):
    """Return the function with its gradient changed."""

    def changed(x):
        value, gradient = function(x)
        return value, change(gradient)

    return changed  # fmt: skip


def failure_of(function, x=W, **options):
    with pytest.raises(Failure) as caught:
        check_gradient(function, x, **options)
    return caught.value


def with_factor(place, factor):
    def change(gradient):
        gradient = gradient.copy()
        gradient[place] *= factor
        return gradient

    return change  # fmt: skip


# right answers


def test_a_right_gradient_is_checked_entry_by_entry():
    checked = check_gradient(mean_square, W)
    assert (checked.entries, checked.directions, checked.untold, checked.kinks) == (12, 0, 0, ())
    assert checked.worst < 1e-12
    assert checked.how == "complex step"


@pytest.mark.parametrize("shape", [(), (1,), (3,), (2, 3), (2, 1, 3), (0,), (0, 2)], ids=str)
def test_x_may_have_any_shape(shape):
    x = RNG.normal(size=shape)
    assert check_gradient(lambda x: (np.sum(x**3), 3 * x**2), x).entries == x.size


def test_a_wrong_derivative_by_one_number_is_found():
    assert failure_of(lambda x: (x**2, x), 1.5).cause == "factor 2"


def test_x_may_be_a_list_of_integers():
    assert check_gradient(lambda x: (np.sum(x**3), 3 * x**2), [[1, 2], [3, 4]]).entries == 4


def test_value_and_gradient_may_come_as_lists_and_integers():
    check_gradient(lambda x: [int(3 * x[0]) * 0 + 5, [0, 0]], [1.0, 2.0])
    check_gradient(lambda x: (np.array([[np.sum(x)]]), [1, 1]), [1.0, 2.0])


@pytest.mark.parametrize("dtype", [int, bool, np.uint8])
def test_an_array_of_whole_numbers_is_no_gradient_even_where_it_is_right(dtype):
    failure = failure_of(lambda x: (np.sum(x), np.ones(2, dtype)), [1.0, 2.0])
    assert failure.cause == "dtype"
    assert f"∂f/∂x has dtype {np.dtype(dtype)}, but must have float64" in str(failure)
    assert "loses what is behind the point" in str(failure)


def test_more_entries_than_a_few_hundred_are_looked_at_along_directions():
    checked = check_gradient(
        lambda x: (np.sum(np.cos(x)), -np.sin(x)), RNG.normal(size=(50, 40)), directions=7
    )
    assert (checked.entries, checked.directions, checked.untold) == (0, 7, 0)


def test_directions_look_at_networks_with_many_kinks():
    weights, x = RNG.normal(size=(300, 40)), RNG.normal(size=(40, 10))

    def relu(x):
        h = np.maximum(weights @ x, 0)
        return h.sum(), weights.T @ (h > 0)

    assert check_gradient(relu, x).untold < 20


def test_kinks_are_found_and_listed():
    def l1(x):
        return np.abs(x).sum(), np.sign(x)

    checked = check_gradient(l1, [0.0, 1.0, -1e-9, 0.0])
    assert checked.kinks == ((0,), (3,))


@pytest.mark.parametrize("answer", [-1.0, -0.3, 0.0, 1.0])
def test_at_a_kink_any_slope_between_the_one_sided_ones_is_right(answer):
    check_gradient(lambda x: (np.abs(x).sum(), np.where(x == 0, answer, np.sign(x))), [0.0, 2.0])


@pytest.mark.parametrize("n", [3, 300])
def test_entries_at_their_kinks_need_not_fit_together_along_a_direction(n):
    weights = RNG.normal(size=n)

    def relu(x):
        return weights @ np.maximum(x, 0), weights * (x >= 0)

    assert check_gradient(relu, np.zeros(n)).entries == n
    failure_of(wrong(lambda g: 1.1 * g, relu), np.zeros(n))


def test_random_directions_come_from_the_generator_that_is_given():
    seen = []

    def remember(x):
        seen.append(x.copy())
        return np.sum(x**2), 2 * x

    x = np.ones(500)
    check_gradient(remember, x, rng=np.random.default_rng(1))
    one, seen = seen, []
    check_gradient(remember, x, rng=np.random.default_rng(1))
    two, seen = seen, []
    check_gradient(remember, x)
    assert all(np.array_equal(a, b) for a, b in zip(one, two, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(one, seen, strict=False))


def test_a_flat_float32_value_hides_no_more_than_it_must():
    failure_of(lambda x: (np.float32(1.0), np.full_like(x, 1e-3)), [1.0, 2.0])


def sure(function, x):
    """Return the function, where it and its gradient are finite."""
    with np.errstate(all="ignore"):
        try:
            value, gradient = function(x)
        except ValueError:
            assume(False)
    assume(np.isfinite(value) and np.isfinite(gradient).all())
    return function


def accuse_nothing(function, x):
    with np.errstate(all="ignore"), contextlib.suppress(Untold):
        check_gradient(sure(function, x), x)


@given(functions(SMOOTH), points())
def test_no_smooth_function_is_accused(function, x):
    accuse_nothing(function, x)


@given(functions(KINKED), points())
def test_no_function_with_kinks_is_accused(function, x):
    accuse_nothing(function, x)


@given(functions(SMOOTH + KINKED), points())
def test_no_function_in_float32_is_accused(function, x):
    accuse_nothing(in_float32(function), x)


@given(functions(SMOOTH + KINKED), points())
def test_no_function_that_hides_float32_is_accused(function, x):
    accuse_nothing(value_in_float32(function), x)


@given(functions(SMOOTH), points(extreme=False), st.integers(0, 2**32 - 1))
def test_no_sum_of_functions_is_accused_along_directions(function, x, seed):
    rng = np.random.default_rng(seed)
    mix = rng.normal(size=(x.size, 20))

    def mixed(z):
        value, gradient = function(x + mix @ z)
        return value, mix.T @ gradient

    with np.errstate(all="ignore"), contextlib.suppress(Untold):
        check_gradient(sure(mixed, np.zeros(20)), np.zeros(20), entries=5, directions=3)


# wrong answers

PLANTED = [1 + 1e-4, 1 - 1e-4, 2.0, 0.5, -1.0, 0.0, 1.5, 1 / 6]


@given(functions(SMOOTH + KINKED, extreme=False), points(extreme=False), st.sampled_from(PLANTED))
def test_an_error_of_a_ten_thousandth_is_always_caught(function, x, factor):
    _, gradient = sure(function, x)(x)
    # where slopes change by as much as they are, nearer to a pole or a root than any step, little can be told
    assume(np.abs(gradient).max() > 1e-3 and np.abs(x[x != 0]).min(initial=1.0) > 0.1)
    assume(np.abs(gradient).max() < 1e3)
    place = int(np.argmax(np.abs(gradient)))
    at_kink = function.__name__.split(",")[0] in {kind.__name__ for kind in KINKED}
    assume(not at_kink or not {0.0, 1.0, -1.0, 0.3, 7.0}.intersection(np.abs(x)))
    assume(function.__name__.split(",")[0] != "largest" or np.sum(x == x.max()) == 1)
    failure_of(wrong(with_factor(place, factor), function), x)


MISTAKES = {
    "sign": (lambda g: -g, "sign"),
    "n": (lambda g: 6 * g, "mean against sum"),
    "1/n": (lambda g: g / 6, "mean against sum"),
    "2": (lambda g: 2 * g, "factor 2"),
    "T²": (lambda g: g / 6.25, "factor T"),
    "T": (lambda g: 2.5 * g, "factor T"),
    "transpose": (lambda g: g.T, "transpose"),
    "missing": (lambda g: 0 * g, "missing"),
    "constant": (lambda g: g + 1, "constant"),
    "order": (lambda g: g[::-1], "order"),
    "shape": (lambda g: g.sum(), "shape"),
    "flat": (lambda g: g.ravel(), "shape"),
    "not a number": (lambda g: g * np.nan, "not a number"),
    "complex": (lambda g: g + 0j, "dtype"),
    "text": (lambda g: g.astype(str), "dtype"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_caught_and_its_cause_is_named(name):
    change, cause = MISTAKES[name]
    assert failure_of(wrong(change), context={"n": 6, "T": 2.5}).cause == cause


def test_a_failure_says_where_what_came_and_what_was_expected():
    failure = failure_of(wrong(with_factor((2, 1), 1.5)))
    right = mean_square(W)[1][2, 1]
    assert failure.place == (2, 1)
    assert failure.came == pytest.approx(1.5 * right)
    assert failure.expected == pytest.approx(right)
    assert failure.bound < 1e-5
    assert failure.extent == "1 of 12 entries is wrong"
    assert str(failure).startswith("the gradient ∂f/∂x at [2, 1] is ")


def test_blocks_are_named():
    blocks = {"W": slice(0, 8), "b": np.arange(8, 12)}
    failure = failure_of(wrong(with_factor((3, slice(None)), 2.0)), blocks=blocks, name="∂L/∂θ")
    assert failure.block == "b"
    assert failure.extent == "3 of 12 entries are wrong, in b; W is right"
    assert str(failure).startswith("the gradient ∂L/∂θ at [3, ")


def test_a_wrong_entry_among_thousands_is_found():
    x = RNG.normal(size=(50, 100))

    def cosine(x):
        return np.sum(np.cos(x)), -np.sin(x)

    place = np.unravel_index(np.argmax(np.abs(np.sin(x))), x.shape)
    failure = failure_of(wrong(with_factor(place, 1.001), cosine), x)
    assert failure.place == place
    assert "there are 5000" in failure.extent


def test_a_wrong_block_among_thousands_is_named_with_its_cause():
    x = RNG.normal(size=900)

    def cosine(x):
        return np.sum(np.cos(x)), -np.sin(x)

    blocks = {"W": slice(0, 880), "b": slice(880, 900)}
    failure = failure_of(wrong(with_factor(slice(880, 900), -1), cosine), x, blocks=blocks)
    assert (failure.block, failure.cause) == ("b", "sign")
    assert "W is right" in failure.extent


def test_one_nan_among_thousands_is_found():
    def squares(x):
        gradient = 2 * x
        gradient[777] = np.nan
        return np.sum(x * x), gradient

    failure = failure_of(squares, np.ones(1000))
    assert (failure.place, failure.cause) == ((777,), "not a number")


def test_a_slope_outside_a_kink_is_wrong():
    failure = failure_of(lambda x: (np.abs(x).sum(), np.where(x == 0, 2.0, np.sign(x))), [0.0, 2.0])
    assert (failure.cause, failure.place) == ("kink", (0,))
    assert "it must lie between -1 and 1" in " ".join(str(failure).split())


def test_a_mistake_beside_kinks_is_not_blamed_on_them():
    failure = failure_of(lambda x: (np.abs(x).sum(), np.where(x == 0, 3.0, 2 * np.sign(x))), [0.0, 2.0, -1.0])
    assert failure.cause == "factor 2"


def test_a_suspect_of_ones_own_is_named():
    def exponential(x):
        return np.sum(np.exp(x)), x

    suspects = {"activation": [(W, "the input came back")]}
    failure = failure_of(exponential, W, suspects=suspects)
    assert (failure.cause, failure.hint) == ("activation", "the input came back")


def test_a_small_tolerance_is_kept():
    check_gradient(mean_square, W, tolerance=1e-12)
    failure_of(wrong(lambda g: g * (1 + 1e-10)), tolerance=1e-12)
    check_gradient(wrong(lambda g: g * (1 + 1e-3)), W, tolerance=1e-2)


@pytest.mark.parametrize("scale", [1e-200, 1e-30, 1e30, 1e150])
def test_the_size_of_the_value_does_not_matter(scale):
    def scaled(w):
        value, gradient = mean_square(w)
        return scale * value, scale * gradient

    check_gradient(scaled, W)
    assert failure_of(wrong(lambda g: 2 * g, scaled)).cause == "factor 2"


@pytest.mark.parametrize("scale", [1e-100, 1e-8, 1e8, 1e100])
def test_the_size_of_x_does_not_matter(scale):
    def scaled(w):
        value, gradient = mean_square(w / scale)
        return value, gradient / scale

    check_gradient(scaled, W * scale)
    assert failure_of(wrong(lambda g: 2 * g, scaled), W * scale).cause == "factor 2"


# functions that do not keep their word


class Accumulating:
    """Adds each gradient to the last one, in place."""

    def __init__(self):
        self.gradient = np.zeros((4, 3))

    def __call__(self, w):
        value, gradient = mean_square(w)
        self.gradient += gradient
        return value, self.gradient


class Stale:
    """Returns the gradient for the x of the call before."""

    def __init__(self):
        self.x = None

    def __call__(self, w):
        before, self.x = (w if self.x is None else self.x), w.copy()
        return mean_square(w)[0], mean_square(before)[1]


class Frozen:
    """Keeps the first gradient for ever."""

    def __init__(self):
        self.gradient = None

    def __call__(self, w):
        value, gradient = mean_square(w)
        self.gradient = gradient if self.gradient is None else self.gradient
        return value, self.gradient


class Counting:
    """The value depends on how often it was asked for."""

    def __init__(self):
        self.calls = 0

    def __call__(self, w):
        self.calls += 1
        value, gradient = mean_square(w)
        return value * self.calls, gradient * self.calls


@pytest.mark.parametrize(
    ("kind", "cause"),
    [(Accumulating, "accumulated"), (Stale, "stale"), (Frozen, "stale"), (Counting, "state")],
    ids=lambda kind: getattr(kind, "__name__", kind),
)
def test_a_function_that_remembers_is_caught(kind, cause):
    assert failure_of(kind()).cause == cause


def test_a_wrong_gradient_that_is_constant_is_not_called_stale():
    failure = failure_of(lambda x: (3 * x[0] + x[1], np.array([1.0, 5.0])), [1.0, 2.0])
    assert failure.cause is None


def test_noise_in_the_gradient_is_caught():
    rng = np.random.default_rng(0)
    assert (
        failure_of(lambda w: (mean_square(w)[0], mean_square(w)[1] * rng.uniform(0.9, 1.1))).cause == "state"
    )


def test_a_function_that_changes_x_is_caught():
    def vandal(w):
        value, gradient = mean_square(w)
        w *= 2
        return value, gradient

    kept = W.copy()
    failure = failure_of(vandal)
    assert failure.cause == "modified"
    np.testing.assert_array_equal(W, kept)


def test_a_function_may_reuse_its_buffer():
    buffer = np.zeros((4, 3))

    def reusing(w):
        value, buffer[...] = mean_square(w)
        return value, buffer

    check_gradient(reusing, W)


def test_a_function_may_return_x_itself():
    check_gradient(lambda x: (0.5 * np.sum(x * x), x), W)


def test_a_value_that_is_an_array_is_caught():
    failure = failure_of(lambda x: (x * x, 2 * x), [1.0, 2.0])
    assert failure.cause == "shape"
    assert "was a sum forgotten?" in str(failure)


def test_a_value_that_is_not_finite_is_no_place_to_look():
    failure = failure_of(lambda x: (np.inf, x), [1.0])
    assert "the value at x is inf" in str(failure)


def test_where_nothing_can_be_told_the_check_fails_and_says_so():
    with pytest.raises(Untold, match="nothing can be told about ∂f/∂x"):
        check_gradient(lambda x: (np.sum(np.sin(1e18 * x)), x), [0.3, 0.4])
    with pytest.raises(Untold):
        check_gradient(lambda x: (np.sum(np.sin(1e18 * x)), x), RNG.normal(size=300))


# float32


def cubes(x):
    return (x**3).sum(), 3 * x**2


def test_a_float32_x_is_checked_in_float64_and_compared_in_float32():
    assert check_gradient(cubes, RNG.normal(size=9).astype(np.float32)).worst < 1e-9


def test_a_gradient_that_cancels_in_float32_is_caught():
    def cancelling(x):
        return (x**3).sum(), 3 * (x + 1000) ** 2 - 6000 * x - 3_000_000

    x = RNG.normal(size=9)
    check_gradient(cancelling, x)
    assert failure_of(cancelling, x.astype(np.float32)).cause == "precision"


def test_what_cancels_in_float32_and_looks_flat_hides_a_little():
    """log Σ exp x − x₀ in float32, x₀ = 16: exp(1 − 16) is lost beside 16."""

    def rest(x, more=0.0):
        narrow = x.astype(np.float32)
        p = np.exp(narrow - narrow[0])
        value = narrow[0] + np.log(p.sum()) - narrow[0]
        return float(value), np.array([0, p[1]], float) + more

    check_gradient(rest, [16.0, 1.0])
    failure_of(lambda x: rest(x, 1e-3), [16.0, 1.0])


def test_a_gradient_of_subnormal_float32_may_lack_digits():
    """1/x of 10¹⁶ times 10⁻¹² is one subnormal number of float32; there is none between it and its double."""

    def subnormal(x):
        return np.float32(1e-12) * np.sum(1 / x), np.float32(-1e-12) / x**2

    with np.errstate(over="ignore"):  # the other x is infinite in float32
        check_gradient(value_in_float32(subnormal), [-1.2e117, 2.6e16])


@pytest.mark.parametrize("function", [in_float32(cubes), value_in_float32(cubes)], ids=["open", "hidden"])
def test_a_function_in_float32_is_allowed_its_rounding_but_no_mistake(function):
    x = RNG.normal(size=9)
    check_gradient(function, x)
    assert failure_of(wrong(lambda g: 2 * g, function), x).cause == "factor 2"


# arguments


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"tolerance": 0.0}, ValueError, "tolerance must be a finite number > 0"),
        ({"entries": 0}, ValueError, "entries must be a whole number ≥ 1"),
        ({"directions": 1.5}, TypeError, "directions must be a whole number"),
        ({"rng": 3}, TypeError, "rng must be a numpy.random.Generator"),
    ],
    ids=["tolerance", "entries", "directions", "rng"],
)
def test_arguments_are_checked(options, error, words):
    with pytest.raises(error, match=words):
        check_gradient(mean_square, W, **options)


def test_x_must_be_finite_numbers():
    with pytest.raises(ValueError, match="x must be finite, got nan at index 1"):
        check_gradient(cubes, [1.0, np.nan])
    with pytest.raises(TypeError, match="x must hold real numbers"):
        check_gradient(cubes, ["a"])


@pytest.mark.parametrize("answer", [3.0, (1.0,), (1.0, 2.0, 3.0)], ids=str)
def test_a_function_must_return_a_value_and_a_gradient(answer):
    with pytest.raises(TypeError, match=r"must return \(value, gradient\)"):
        check_gradient(lambda x: answer, [1.0])


def test_an_error_of_the_function_at_x_comes_out():
    def broken(x):
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        check_gradient(broken, [1.0])


def test_no_warning_comes_out_of_steps_that_leave_the_domain():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_gradient(lambda x: (np.sum(np.log(x)), 1 / x), [1e-3, 2.0])


def test_scipy_has_one_number_where_this_has_a_reason():
    def value(x):
        return mean_square(x.reshape(4, 3))[0]

    def gradient(x):
        return 6 * mean_square(x.reshape(4, 3))[1].ravel()

    assert check_grad(value, gradient, W.ravel()) > 1
    assert (
        failure_of(wrong(lambda g: 6 * g), context={"n": 6}).hint
        == "every entry is 6 times too large, and n = 6"
    )


# compare


def test_arrays_that_agree_are_compared():
    assert compare("y", W, W + 1e-9) == Checked(
        entries=12, worst=pytest.approx(1e-9 / np.abs(W + 1e-9).max())
    )
    compare("y", W + 0.1, W, 0.2)
    compare("y", W + 0.1, W, np.where(W == W, np.inf, 0.0))
    compare("y", np.zeros((0, 2)), np.zeros((0, 2)))


@pytest.mark.parametrize(
    ("came", "cause"),
    [(2 * W, "factor 2"), (W.T, "transpose"), (W + 0j, "dtype"), (W * np.nan, "not a number")],
    ids=["factor", "transpose", "complex", "nan"],
)  # fmt: skip
def test_arrays_that_differ_fail_with_a_cause(came, cause):
    with pytest.raises(Failure) as caught:
        compare("∂L/∂W", came, W)
    assert caught.value.cause == cause


# second order


def test_a_right_second_derivative_is_checked_as_a_matrix_and_as_a_product():
    hessian = np.kron(X.T @ X / 6, np.eye(3))
    assert check_second_order(mean_square, W, hessian).entries == 144
    assert check_second_order(mean_square, W, lambda w, v: X.T @ (X @ v) / 6).entries == 144


def test_many_entries_are_looked_at_along_pairs_of_directions():
    x = RNG.normal(size=100)
    assert check_second_order(cubes, x, lambda x, v: 6 * x * v, directions=4).directions == 4
    with pytest.raises(Failure) as caught:
        check_second_order(cubes, x, lambda x, v: 3 * x * v)
    assert caught.value.cause == "factor 2"


SECOND = {
    "half": (lambda x, v: 3 * x * v, "factor 2"),
    "sign": (lambda x, v: -6 * x * v, "sign"),
    "missing": (lambda x, v: 0 * v, "missing"),
    "not linear": (lambda x, v: 6 * x * v**2, "nonlinear"),
    "shape": (lambda x, v: (6 * x * v)[:1], "shape"),
}


@pytest.mark.parametrize("name", SECOND)
def test_a_wrong_second_derivative_is_caught(name):
    second, cause = SECOND[name]
    with pytest.raises(Failure) as caught:
        check_second_order(cubes, [1.0, -2.0, 0.5], second)
    assert caught.value.cause == cause


def bilinear(A):
    return lambda x: (x @ A @ x, (A + A.T) @ x)


@pytest.mark.parametrize("size", [3, 30])
def test_half_of_a_second_derivative_is_blamed_for_not_being_symmetric(size):
    A = RNG.normal(size=(size, size))
    check_second_order(bilinear(A), np.ones(size), A + A.T)
    with pytest.raises(Failure) as caught:
        check_second_order(bilinear(A), np.ones(size), 2 * A)
    assert caught.value.cause == "not symmetric"
    assert ("(H + Hᵀ)/2 is right" in str(caught.value)) == (size == 3)


def test_what_is_symmetric_and_wrong_is_not_blamed_for_that():
    A, B = RNG.normal(size=(2, 3, 3))
    with pytest.raises(Failure) as caught:
        check_second_order(bilinear(A), np.ones(3), B + B.T)
    assert caught.value.cause is None
    with pytest.raises(Failure) as caught:
        check_second_order(bilinear(A), np.ones(3), B)
    assert caught.value.cause == "not symmetric"
    assert "is right" not in str(caught.value)


def test_a_matrix_must_have_a_row_for_every_entry():
    with pytest.raises(ValueError, match=r"second must have shape \(2, 2\), got \(3, 3\)"):
        check_second_order(cubes, [1.0, 2.0], np.eye(3))


def test_a_failed_check_can_be_copied():
    failure = failure_of(wrong(lambda g: 2 * g))
    assert str(copy.deepcopy(failure)) == str(failure)


def test_what_is_no_number_at_a_kink_is_not_called_a_kink():
    """The gradient of ‖x‖ at 0 is 0/0."""

    def norm(x):
        with np.errstate(invalid="ignore"):
            return np.linalg.norm(x), x / np.linalg.norm(x)

    with pytest.raises(Failure) as raised:
        check_gradient(norm, np.zeros(3))
    assert raised.value.cause == "not a number"
    assert "kink" not in str(raised.value)
