"""Derivatives with a bound: it holds for every function, and is small where that can be."""

import warnings

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from incrlearn.formulas import forward_kl, relation_distance, reverse_kl
from incrlearn.testing import Slope, derivative
from incrlearn.testing.derivatives import Around

from .functions import KINKED, SMOOTH, functions, points, value_in_float32


def along_first(function, *x):
    """Return the slope along the first coordinate."""
    return derivative(function, np.array(x), np.eye(len(x))[0])


# function of one number, where, the derivative, and how large the bound may be
KNOWN = {
    "a line": (lambda x: 3 * x, 0.7, 3, 1e-12),
    "exp": (np.exp, 1.0, np.e, 1e-8),
    "log beside 0": (np.log, 1e-5, 1e5, 1e-2),
    "log of a tiny number": (np.log, 1e-200, 1e200, 1e194),
    "1/x of a tiny number": (lambda x: 1 / x, 1e-9, -1e18, 1e11),
    "a steep exp": (lambda x: np.exp(1e5 * x), 0.0, 1e5, 1e-3),
    "a large number": (lambda x: x**2, 1e10, 2e10, 1e4),
    "a huge number": (lambda x: 1e-300 * x, 1e300, 1e-300, 1e-309),
    "a quick wave": (lambda x: np.sin(1000 * x), 0.3, 1000 * np.cos(300), 1e-3),
    "a wave as long as a step": (lambda x: np.sin(20 * np.pi * x), 0.0, 20 * np.pi, 1e-6),
    "a constant": (lambda x: 5.0, 0.3, 0, 1e-6),
    "digits that are swallowed": (lambda x: 1e10 + x * x, 0.3, 0.6, 1e-3),
    "digits that cancel": (lambda x: (1e10 + x) - 1e10, 0.3, 1.0, 1e-3),
    "a grid": (lambda x: (1e12 + x) - 1e12, 0.3, 1.0, 1e-1),
    "float32": (lambda x: np.float32(np.exp(np.float32(x))), 1.0, np.e, 1e-2),
    "hidden float32": (lambda x: 1.1 * float(np.exp(np.float32(x))), 1.0, 1.1 * np.e, 1e-2),
    "float32 that agrees with itself": (lambda x: 0.33 * float(np.float32(x) ** 2), 2.0, 1.32, 1e-2),
    "a dead ReLU": (lambda x: max(x.real, 0.0), -5.0, 0, 1e-6),
    "a dead ReLU near its kink": (lambda x: max(x.real, 0.0), -0.05, 0, 1e-9),
    "abs near its kink": (abs, 1e-5, 1, 1e-9),
    "abs very near its kink": (abs, -1e-12, -1, 1e-9),
    "Huber where it bends": (lambda x: x * x / 2 if abs(x) < 1 else abs(x) - 0.5, 1.0, 1, 1e-5),
    "x^1.5": (lambda x: max(x.real, 0.0) ** 1.5, 0.0, 0, 1e-2),
    "a subnormal number": (lambda x: x * x, 5e-324, 0, 1e-9),
    "subnormal values": (lambda x: 1e-310 * x, 1.0, 1e-310, 1e-320),
}


@pytest.mark.parametrize("name", KNOWN)
def test_a_known_derivative_is_within_its_bound(name):
    function, x, expected, most = KNOWN[name]
    slope = along_first(lambda x: function(x[0]), x)
    assert abs(slope.value - expected) <= slope.bound <= most
    assert slope.allows(expected)


KINKS = {
    "abs": (abs, 0.0, -1, 1),
    "ReLU": (lambda x: max(x, 0.0), 0.0, 0, 1),
    "a small kink in a bend": (lambda x: x * x + 1e-9 * abs(x), 0.0, -1e-9, 1e-9),
    "a kink beside 1": (lambda x: abs(x - 1) + x, 1.0, 0, 2),
    "a kink nearer than any step": (lambda x: abs(x - 1e-14), 0.0, -1, 1),
    "max of two": (lambda x: max(2 * x, -3 * x), 0.0, -3, 2),
    "a concave one": (lambda x: -abs(x), 0.0, 1, -1),
    "a kink in float32": (lambda x: np.abs(np.float32(x)), 0.0, -1, 1),
}


@pytest.mark.parametrize("name", KINKS)
def test_a_kink_has_two_slopes(name):
    function, x, left, right = KINKS[name]
    slope = along_first(lambda x: function(x[0]), x)
    assert slope.kink
    assert abs(slope.left - left) <= slope.side_bound + 1e-6 * abs(left - right)
    assert abs(slope.right - right) <= slope.side_bound + 1e-6 * abs(left - right)
    assert slope.allows((left + right) / 2)
    assert slope.allows(left, slack=1e-6 * abs(left - right))
    assert not slope.allows(max(left, right) + 0.1 * abs(left - right))


NOTHING_TOLD = {
    "a jump": (lambda x: float(x >= 1), 1.0),
    "a root at its end": (lambda x: np.sqrt(x), 0.0),
    "a power that creeps": (lambda x: max(x, 0.0) ** 1.05, 0.0),
    "noise": (lambda x: np.sin(1e18 * x), 0.3),
    "a wave between all numbers": (np.sin, 3e89),
    "a tan at its pole": (np.tan, np.pi / 2),
    "a function of no numbers but this": (lambda x: 1.0 if x == 2 else np.nan, 2.0),
}


@pytest.mark.parametrize("name", NOTHING_TOLD)
def test_where_nothing_can_be_told_the_bound_is_large(name):
    function, x = NOTHING_TOLD[name]
    slope = along_first(lambda x: function(x[0].real), x)
    assert slope.bound > 0.1 * max(1.0, abs(slope.value)) or slope.bound == np.inf


def test_the_complex_step_is_exact_where_it_is_right():
    slope = along_first(lambda x: np.exp(x[0]) / np.sqrt(np.sin(x[0]) ** 3 + np.cos(x[0]) ** 3), 1.5)
    assert slope.how == "complex step"
    assert slope.value == pytest.approx(4.053427893898621, rel=1e-15)  # Squire & Trapp's own example


TRAPS = {
    "abs": lambda x: np.abs(x[0]) ** 2 + 0 * x[0],
    "the larger one": lambda x: np.maximum(x[0], 0.5) * 1.0 + np.abs(x[0]),
    "conjugate": lambda x: x[0] * np.conj(x[0]) + 0j * x[0],
    "real part": lambda x: x[0].real ** 2 + 0j * x[0],
    "sorted by the real part": lambda x: abs(x[0]) + 1j * x[0].imag * 3,
    "a small part that is lost": lambda x: np.exp(x[0]) + 1e-4 * np.abs(x[0]),
    "raises": lambda x: x[0] * float(x[0]),
    "raises something of its own": lambda x: x[0] if np.isrealobj(x) else {}["real numbers only"],
    "warns and casts": lambda x: np.square(x.astype(np.float64))[0],
    "writes into real numbers": lambda x: _written(x),
    "returns NaN": lambda x: x[0] ** 2 if np.isrealobj(x) else np.nan * x[0],
    "returns an array": lambda x: x[0] ** 2 if np.isrealobj(x) else x[:1] * np.ones(3),
    "compares": lambda x: x[0] ** 3 if x[0].imag == 0 else x[0] ** 2,
}


def _written(x):
    buffer = np.zeros(1)
    buffer[0] = x[0]
    return buffer[0] ** 2


@pytest.mark.parametrize("name", TRAPS)
def test_a_function_that_answers_complex_numbers_wrongly_is_not_believed(name):
    function = TRAPS[name]

    def value(x):
        return np.real(function(x)) if np.isrealobj(x) else function(x)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        slope = along_first(value, 1.3)
    h = 1e-5
    expected = (value(np.array([1.3 + h])) - value(np.array([1.3 - h]))) / (2 * h)
    assert slope.value == pytest.approx(float(np.real(expected)), rel=1e-6)
    assert slope.how == "differences"


def test_the_direction_may_be_any():
    x, d = np.array([[1.0, 2.0], [-1.0, 0.5]]), np.array([[1.0, -2.0], [0.3, 0.0]])
    slope = derivative(lambda x: np.sum(x**3), x, d)
    assert abs(slope.value - np.sum(3 * x**2 * d)) <= slope.bound <= 1e-6
    assert derivative(lambda x: np.sum(x**3), x, 0 * d).value == 0


def test_steps_that_leave_the_domain_are_lost():
    def log(x):
        if not (x > 0).all():
            raise ValueError("x must be positive")
        return np.sum(np.log(x))

    slope = along_first(log, 1e-3, 2.0)
    assert abs(slope.value - 1e3) <= slope.bound <= 1e-3


def test_no_warning_comes_out():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert along_first(lambda x: np.log(x[0]), 1e-3).bound < 1
        assert along_first(lambda x: x[0] ** 3, 1e100).bound < 1e196


def test_the_function_gets_copies():
    def vandal(x):
        value = np.sum(x**2)
        x[:] = np.nan
        return value

    x = np.array([1.0, 2.0])
    assert abs(derivative(vandal, x, [1.0, 0.0]).value - 2) < 1e-6
    np.testing.assert_array_equal(x, [1.0, 2.0])


@pytest.mark.parametrize(
    ("x", "direction", "error", "words"),
    [
        ([1.0, np.nan], [1.0, 0.0], ValueError, "x must be finite"),
        ([1.0, 2.0], [1.0], ValueError, "direction has shape"),
        (["a"], [1.0], TypeError, "x must hold real numbers"),
        ([1.0], [np.inf], ValueError, "direction must be finite"),
    ],
    ids=["nan", "shape", "text", "inf"],
)
def test_arguments_are_checked(x, direction, error, words):
    with pytest.raises(error, match=words):
        derivative(lambda x: 0.0, x, direction)


def test_a_slope_says_what_it_allows():
    slope = Slope(2.0, 0.5, 2.0, 2.0, 0.5, False, "differences")
    assert slope.interval() == (1.5, 2.5)
    assert slope.allows(2.5)
    assert not slope.allows(2.6)
    assert slope.allows(2.6, slack=0.2)
    assert not slope.allows(np.nan)
    kink = Slope(0.0, 0.0, 1.0, -1.0, 0.25, True, "differences")
    assert kink.interval() == (-1.25, 1.25)


def told(function, x):
    """Return (value, gradient) where both are finite, or refuse the example."""
    with np.errstate(all="ignore"):
        try:
            value, gradient = function(x)
        except ValueError:
            assume(False)
    assume(np.isfinite(value) and np.isfinite(gradient).all())
    return float(value), np.asarray(gradient, np.float64)


def inside(slope, right, scale, floor, narrow=False):
    """Say whether the derivative is within the bound, up to rounding of the right answer itself."""
    return slope.allows(right, slack=(1e-4 if narrow else 1e-9) * scale + floor)


@given(functions(SMOOTH + KINKED), points(), st.integers(0, 4))
def test_the_bound_holds_for_every_function_at_every_point(function, x, place):
    _, gradient = told(function, x)
    around = Around(lambda x: function(x)[0], x)
    slope = around.slope(np.eye(x.size)[place % x.size])
    floor = 16 * np.finfo(float).eps * around.natural_slope()
    assert inside(slope, gradient[place % x.size], np.abs(gradient).max(), floor)


@given(functions(SMOOTH + KINKED), points(), st.integers(0, 4))
def test_the_bound_holds_for_every_function_that_hides_float32(function, x, place):
    function = value_in_float32(function)
    _, gradient = told(function, x)
    around = Around(lambda x: function(x)[0], x)
    slope = around.slope(np.eye(x.size)[place % x.size])
    floor = 16 * np.finfo(np.float32).eps * around.natural_slope()
    assert inside(slope, gradient[place % x.size], np.abs(gradient).max(), floor, narrow=True)


@given(functions(SMOOTH, extreme=False), points(extreme=False), st.integers(0, 4))
def test_the_bound_is_small_for_ordinary_functions(function, x, place):
    _, gradient = told(function, x)
    assume(function.__name__[:4] != "norm" or np.abs(x).max() > 0.1)
    assume(function.__name__[:10] != "reciprocal" or np.abs(x).min() > 0.1)
    assume(not ((x != 0) & (np.abs(x) < 1e-100)).any())
    slope = derivative(lambda x: function(x)[0], x, np.eye(x.size)[place % x.size])
    assert slope.bound <= 1e-5 * max(2e-2 * slope.flat, 1e-3, np.abs(gradient).max(), abs(function(x)[0]))


@pytest.mark.parametrize("x", [(-46.5289783, -4.51893504e31), (-154.026947, 1.32517156e27)])
def test_a_wave_that_is_finer_than_the_steps_of_float32_is_untold(x):
    """At long steps its values differ by less and less of a slope: it looks flat."""

    def wave(x):
        return 1.1 * float(np.sum(np.sin(np.float32(0.3) * x.astype(np.float32))))

    assert derivative(wave, x, [0.0, 1.0]).bound == np.inf


@pytest.mark.parametrize(
    ("x", "beside", "c"),
    [(-689.47, 1e6, 0.3), (267.738, 35745, 7), (19.963, 201420, 7), (-263.18, 584076, 7)],
)
def test_a_stair_of_long_steps_is_untold(x, beside, c):
    """A wave in float32, beside a large number: steps long enough to move it are longer than the wave."""

    def wave(x):
        return 1.1 * float(np.float32(beside) + np.float32(np.sin(c * x[0])))

    slope = derivative(wave, [x], [1.0])
    assert slope.allows(1.1 * c * np.cos(c * x))


def test_a_tiny_number_that_float32_swallows_does_not_make_a_function_flat():
    """Steps of its size change nothing, and those of the size of 1 are too long for tanh 10⁶ x."""

    def steep(x):
        return 1.1 * float(np.sum(np.tanh(np.float32(1e6) * x.astype(np.float32))))

    slope = derivative(steep, [-4.0, 2.22044605e-016], [0.0, 1.0])
    assert slope.allows(1.1e6, 1e3)


FAR = [[69.15757361109235, 24.825076152434235], [-7.248748483315773, -291.1170118401957],
       [51.936770963606314, -268.28497305636023], [113.74015213782927, 77.8706966258017]]  # fmt: skip
BEYOND = [
    (reverse_kl, [[0, 0], [0, 0], [0, 0], [0, -1.125]], [[0, 0]] * 4, FAR, 1.5, (3, 0)),
    (reverse_kl, [[0, 0], [0, 0], [0, 0], [0, 0.625]], [[0, 0]] * 4, FAR, 1.5, (3, 0)),
    (reverse_kl, [[0, 0]] * 4, [[2, 0], [0, 0], [0, 0], [0, 0]], FAR, 1.5, (3, 0)),
    (forward_kl, [[-1.625, 0]], [[0, 0]], [[-38.42972977509412, -104.83211246400806]], 2.52, (0, 1)),
    (forward_kl, [[0, 0]], [[-1.625, 0]], [[-38.42972977509412, -107.08211246400806]], 2.52, (0, 0)),
    (forward_kl, [[-1.625, -2.25]], [[0, 0]], [[-38.42972977509412, -104.83211246400806]], 2.52, (0, 0)),
]


@pytest.mark.parametrize(("kl", "to_z", "to_t", "logits", "T", "place"), BEYOND)
def test_a_part_that_stands_still_at_short_steps_is_not_forgotten(kl, to_z, to_t, logits, T, place):
    """log p of the class that is all but certain is 10⁻¹², rounded to 10⁻¹⁶: short steps do not move it."""
    z, t = np.add(logits, to_z), np.add(logits, to_t)
    direction = np.zeros_like(z)
    direction[place] = 1.0
    around = Around(lambda z: kl(z, t, T)[0], z)
    slope = around.slope(direction)
    assert slope.allows(kl(z, t, T)[1][place], 16 * np.finfo(float).eps * around.natural_slope())
    assert slope.bound < 1e-9


@pytest.mark.parametrize("c", [1e-12, 1e-200])
def test_a_small_function_that_bends_beside_x_is_told_exactly(c):
    """Nothing in it is of size 1: what long steps say of it is no sign of rounding."""
    slope = derivative(lambda x: float(c * np.abs(x).sum()), [1e-5], [1.0])
    assert slope.allows(c)
    assert slope.bound < 1e-6 * c


def test_a_jump_away_from_x_to_all_sides_is_untold():
    """Directions of rows that all but coincide: any long step makes others of them, and tiny ones none."""
    s = np.finfo(float).tiny
    f = np.array([[-s, 1e-100, -s, -s], [-s, -s, 1e-100, 1e-100], [1e-100, -s, -s, 1e-100]])
    direction = np.zeros_like(f)
    direction[1, 0] = 1.0
    g = [[-1000.0, 1000.0], [-1000.0, -1000.0], [1000.0, 1000.0]]
    assert derivative(lambda f: relation_distance(f, g)[0], f, direction).bound == np.inf


def test_what_wobbles_at_the_shortest_steps_counts_at_longer_ones():
    """Beside its minimum a divergence is the rounding of numbers of size 1: by chance two steps hide it."""
    t = np.array([[-2.875, -1e-30]])
    slope = derivative(lambda z: reverse_kl(z, t, 0.5)[0], [[-2.875, 0.0]], [[1.0, 0.0]])
    assert slope.allows(0.0)


@pytest.mark.parametrize("c", [1.0, 3.0, 7.0])
def test_a_wave_that_is_shorter_than_most_steps_is_no_noise(c):
    slope = derivative(lambda x: float(np.sin(c * x[0])), [1e10], [1.0])
    assert slope.allows(c * np.cos(c * 1e10), slack=1e-3)


def test_float32_that_shows_only_far_from_a_tiny_x_is_seen():
    """In float32 both terms are 0 beside x, and the small one is swallowed everywhere else."""

    def hidden(x):
        x = x.astype(np.float32)
        return 1.1 * float(np.sum(x * x) + np.float32(1e-12) * np.sum(np.abs(x)))

    slope = derivative(hidden, [1.67956733e-40], [1.0])
    assert slope.allows(1.1e-12)


def test_where_only_the_longest_step_lifts_float32_off_its_stair_nothing_is_told():
    """A million and e^x: a step of x's size moves it, and so do no others."""

    def hidden(x):
        return 1.1 * float(np.float32(1e6) + np.exp(np.float32(0.3) * x.astype(np.float32)).sum())

    slope = derivative(hidden, [-36.14599839, 0.0, 1.0], [1.0, 0.0, 0.0])
    assert slope.allows(1.1 * 0.3 * np.exp(-0.3 * 36.14599839))
