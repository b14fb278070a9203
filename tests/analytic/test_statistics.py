"""Sums over rows: however these are cut, ordered, weighted, added and taken away, they are the same."""

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from incrlearn.analytic.statistics import Statistics, blocks

NAMES = ("mean", "target_mean", "scatter", "cross", "target_squares")
SEEDS = st.integers(0, 2**32 - 1)


def direct(x, y, weight=None):
    """Return the sums of all rows at once, in long doubles."""
    x, y = np.asarray(x, np.longdouble), np.asarray(y, np.longdouble)
    w = np.ones(len(x), np.longdouble) if weight is None else np.asarray(weight, np.longdouble)
    n = w.sum()
    mean, target_mean = w @ x / n, w @ y / n
    u, v = x - mean, y - target_mean
    wu = w[:, None] * u
    found = {"n": n, "mean": mean, "target_mean": target_mean, "scatter": wu.T @ u, "cross": wu.T @ v}
    return {**found, "target_squares": w @ v**2}


def are(statistics, expected, rtol=1e-12, scale=1.0):
    """Assert that these are the sums: A and b relative to what columns vary, means to how large they are."""
    assert statistics.n == pytest.approx(float(expected["n"]), rel=1e-14)
    of_x = np.sqrt(expected["scatter"].diagonal()) + np.multiply(scale, 0.1)
    of_y = np.sqrt(expected["target_squares"]) + 0.1
    sizes = {"mean": of_x, "target_mean": of_y, "target_squares": of_y**2}
    sizes |= {"scatter": np.outer(of_x, of_x), "cross": np.outer(of_x, of_y)}
    for name in NAMES:
        error = np.abs((getattr(statistics, name) - expected[name]) / sizes[name]).max()
        assert error <= rtol, f"{name} is off by {error:.2g}"


def rows(seed, n=40, d=3, m=2, offset=0.0):
    rng = np.random.default_rng(seed)
    scales = 10.0 ** rng.integers(-3, 4, d)
    return scales * rng.normal(size=(n, d)) + offset, rng.normal(size=(n, m))


def cut(seed, n):
    """Return slices that cut n rows into parts, some of a single row."""
    rng = np.random.default_rng(seed)
    edges = [0, *np.sort(rng.integers(0, n + 1, rng.integers(0, 6))), n]
    return [slice(a, b) for a, b in pairwise(edges) if b > a]


# ---- by hand -----------------------------------------------------------------------------------------


def test_the_sums_of_four_rows_are_those_worked_by_hand():
    x, y = np.array([[1.0, 0], [3, 0], [5, 6], [7, 6]]), np.array([[2.0], [0], [0], [2]])
    found = Statistics.of(x, y)
    assert (found.n, found.mean.tolist(), found.target_mean.tolist()) == (4, [4, 3], [1])
    # x − x̄ = (−3, −3), (−1, −3), (1, 3), (3, 3);  y − ȳ = 1, −1, −1, 1
    assert found.scatter.tolist() == [[20, 24], [24, 36]]
    assert found.cross.tolist() == [[0], [0]]
    assert found.target_squares.tolist() == [4]
    assert found.peak.tolist() == [20, 36]


def test_weighted_sums_are_those_worked_by_hand():
    found = Statistics.of(np.array([[0.0], [4.0]]), np.array([[1.0], [5.0]]), np.array([3.0, 1.0]))
    assert (found.n, found.mean.tolist(), found.target_mean.tolist()) == (4, [1], [2])
    assert (found.scatter.tolist(), found.cross.tolist()) == ([[3 + 9]], [[3 + 9]])
    assert found.target_squares.tolist() == [12]


def test_two_sums_join_by_what_lies_between_their_means():
    one = Statistics.of(np.array([[0.0], [2.0]]), np.array([[0.0], [1.0]]))
    two = Statistics.of(np.array([[7.0]]), np.array([[2.0]]))
    both = one + two
    assert (both.n, both.mean.tolist(), both.target_mean.tolist()) == (3, [3], [1])
    assert (both.scatter.tolist(), both.cross.tolist()) == ([[26]], [[7]])  # 9+1+16; (−3)(−1) + 0 + 4·1
    back = both - two
    assert (back.n, back.mean.tolist(), back.scatter.tolist(), back.cross.tolist()) == (2, [1], [[2]], [[1]])


# ---- against all rows at once ------------------------------------------------------------------------


@given(SEEDS, st.integers(1, 60), st.integers(1, 5), st.integers(1, 3))
def test_rows_in_parts_in_any_order_have_the_sums_of_all_at_once(seed, n, d, m):
    x, y = rows(seed, n, d, m)
    expected, order = direct(x, y), np.random.default_rng(seed).permutation(n)
    parts = cut(seed, n)
    gathered = Statistics.gather([(x[order][part], y[order][part], None) for part in parts], d, m)
    total = Statistics.empty(d, m)
    for part in parts:
        total = total + Statistics.of(x[order][part], y[order][part])
    scale = np.abs(x).max(axis=0)
    for found in (Statistics.of(x, y), gathered, total):
        are(found, expected, scale=scale)
        assert np.array_equal(found.scatter, found.scatter.T)


@given(SEEDS, st.integers(2, 40))
def test_any_tree_of_additions_gives_the_same(seed, n):
    x, y = rows(seed, n)
    rng = np.random.default_rng(seed)
    leaves = [Statistics.of(x[part], y[part]) for part in cut(seed, n)]
    while len(leaves) > 1:
        a, b = (leaves.pop(rng.integers(len(leaves))) for _ in range(2))
        leaves.append(a + b)
    are(leaves[0], direct(x, y), scale=np.abs(x).max(axis=0))


@given(SEEDS, st.integers(1, 30))
def test_a_weight_says_how_often_a_row_came(seed, n):
    x, y = rows(seed, n)
    weight = np.random.default_rng(seed).integers(0, 4, n)
    assume(weight.any())
    found = Statistics.of(x, y, weight.astype(float))
    repeated = direct(np.repeat(x, weight, axis=0), np.repeat(y, weight, axis=0))
    are(found, repeated, scale=np.abs(x).max(axis=0))


@given(SEEDS, st.integers(2, 30))
def test_weights_need_not_be_whole(seed, n):
    x, y = rows(seed, n)
    weight = np.random.default_rng(seed).exponential(size=n) ** 3
    parts = [(x[part], y[part], weight[part]) for part in cut(seed, n)]
    are(Statistics.gather(parts, 3, 2), direct(x, y, weight), 1e-11, scale=np.abs(x).max(axis=0))


@given(SEEDS, st.integers(3, 40))
def test_what_is_taken_away_has_never_been(seed, n):
    x, y = rows(seed, n)
    gone = np.random.default_rng(seed).random(n) < 0.5
    assume(2 <= gone.sum() < n)
    left = Statistics.of(x, y) - Statistics.of(x[gone], y[gone])
    assert left.n == (~gone).sum()
    are(left, direct(x[~gone], y[~gone]), rtol=1e-10, scale=np.abs(x).max(axis=0))


@given(st.lists(st.integers(-1000, 1000), min_size=2, max_size=8), st.integers(1, 7))
def test_whole_numbers_have_the_sums_of_fractions(values, first):
    x = np.array(values, float)[:, None]
    found = Statistics.of(x[:first], x[:first]) + Statistics.of(x[first:], x[first:])
    mean = sum(map(Fraction, values)) / len(values)
    squares = sum((value - mean) ** 2 for value in values)
    assert found.mean[0] == pytest.approx(float(mean), abs=1e-12 * max(map(abs, values)))
    for sums in (found.scatter[0, 0], found.cross[0, 0], found.target_squares[0]):
        assert sums == pytest.approx(float(squares), rel=1e-13)


# ---- what rounds -------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(5))
def test_a_mean_of_a_hundred_million_beside_a_deviation_of_one_costs_no_more_than_half_of_the_digits(seed):
    rng = np.random.default_rng(seed)
    x, y = 1e8 + rng.normal(size=(1000, 3)), rng.normal(size=(1000, 2))
    expected = direct(x, y)
    parts = [(x[k : k + 10], y[k : k + 10], None) for k in range(0, 1000, 10)]
    total = Statistics.empty(3, 2)
    for part in parts:
        total = total + Statistics.of(*part)
    for found in (Statistics.of(x, y), Statistics.gather(parts, 3, 2), total):
        are(found, expected, rtol=1e-8)
    left = total - Statistics.of(x[:500], y[:500])
    are(left, direct(x[500:], y[500:]), rtol=1e-7)


def test_float32_gives_exactly_what_its_float64_copy_gives():
    x, y = (part.astype(np.float32) for part in rows(0, 300))
    x += 1e4
    weight = np.arange(300) % 5 / 3
    for w in (None, weight):
        narrow, wide = Statistics.of(x, y, w), Statistics.of(x.astype(float), y.astype(float), w)
        for name in NAMES:
            assert getattr(narrow, name).dtype == np.float64
            assert np.array_equal(getattr(narrow, name), getattr(wide, name))


def test_what_is_taken_away_down_to_nothing_leaves_nothing():
    x, y = rows(1)
    total = Statistics.of(x, y)
    for part in cut(1, len(x)):
        total = total - Statistics.of(x[part], y[part])
    assert total.n == 0
    assert not any(getattr(total, name).any() for name in NAMES)
    again = total + Statistics.of(x, y)
    assert np.array_equal(again.scatter, Statistics.of(x, y).scatter)


def test_more_than_there_is_can_not_be_taken_away():
    x, y = rows(0)
    with pytest.raises(ValueError, match="rows of weight 40 can not be taken away from 10"):
        Statistics.of(x[:10], y[:10]) - Statistics.of(x, y)


def test_the_peak_tells_of_what_was_taken_away():
    x = np.array([[0.0], [0.0], [1e6]])
    left = Statistics.of(x, x) - Statistics.of(x[2:], x[2:])
    assert left.peak[0] >= 6e11
    assert abs(left.scatter[0, 0]) <= 1e-15 * left.peak[0]


@pytest.mark.parametrize(
    "parts",
    [
        [np.array([[1e200], [0.0]])],
        [np.array([[1e308], [1e308]]), np.array([[-1e308]])],
        [np.array([[1.2e154], [0.0]])] * 4,
        [np.array([[1e200]]), np.array([[0.0]])],
    ],
    ids=["squares", "means", "sums", "between"],
)
def test_what_is_too_large_to_be_squared_is_refused(parts):
    zeros = [np.zeros((len(part), 1)) for part in parts]

    def added(pairs):
        total = Statistics.empty(1, 1)
        for pair in pairs:
            total = total + Statistics.of(*pair)

    message = "squares of the rows do not add up to a finite number"
    for x, y in ((parts, zeros), (zeros, parts)):
        pairs = list(zip(x, y, strict=True))
        with pytest.raises(FloatingPointError, match=message):
            added(pairs)
        with pytest.raises(FloatingPointError, match=message):
            Statistics.gather([(*pair, None) for pair in pairs], 1, 1)


def test_rows_without_weight_are_not_there():
    x, y = rows(0, 5)
    assert Statistics.of(x, y, np.zeros(5)).n == 0
    some = Statistics.gather([(x, y, np.zeros(5)), (x, y, None)], 3, 2)
    assert np.array_equal(some.scatter, Statistics.of(x, y).scatter)


# ---- other sums of the same rows ---------------------------------------------------------------------


def test_faded_sums_are_those_of_lighter_rows():
    x, y = rows(2)
    expected = direct(x, y, np.full(40, 0.25))
    are(Statistics.of(x, y).faded(0.25), expected, scale=np.abs(x).max(axis=0))


def test_targets_may_stand_in_other_columns_and_be_left_out_again():
    x, y = rows(3)
    wide = np.zeros((40, 5))
    wide[:, [3, 1]] = y
    moved = Statistics.of(x, y).with_targets([3, 1], 5)
    are(moved, direct(x, wide), scale=np.abs(x).max(axis=0))
    back = moved.only_targets([3, 1])
    assert all(np.array_equal(getattr(back, name), getattr(Statistics.of(x, y), name)) for name in NAMES)


@given(st.integers(1, 10**6), st.integers(1, 10**8))
def test_blocks_cut_all_rows_and_are_never_too_small(n, row_bytes):
    found = blocks(n, row_bytes)
    assert found[0].start == 0
    assert found[-1].stop == n
    assert all(a.stop == b.start for a, b in pairwise(found))
    assert all(part.stop - part.start >= 1024 for part in found[:-1])
