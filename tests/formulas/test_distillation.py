"""Distillation: what is true of it and of no other formula."""

from itertools import pairwise

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import assume, given

from incrlearn.formulas import (
    cross_entropy,
    distilled_cross_entropy,
    feature_distance,
    forward_kl,
    relation_angle,
    relation_distance,
    reverse_kl,
    soft_cross_entropy,
    softmax,
)
from tests.oracles import agree

from .cases import DIVERGENCES, EIGHTHS, RELATIONS, Drawn, Seeded, each

P, Q = np.array([[0.8, 0.1, 0.1]]), np.array([[0.7, 0.2, 0.1]])
KLS = pytest.mark.parametrize("divergence", [reverse_kl, forward_kl])


# The sheet's worked numbers


@pytest.mark.parametrize(
    ("divergence", "value"),
    [
        (reverse_kl, 0.045157461274823),
        (forward_kl, 0.037510396043624),
        (soft_cross_entropy, 0.676542255693801),
    ],
)
def test_the_example_of_4_2_as_probabilities(divergence, value):
    agree(divergence(np.log(Q), np.log(P))[0], value, 1e-13)


@pytest.mark.parametrize(
    ("divergence", "value", "gradient"),
    [
        (reverse_kl, 0.0034825167, [-0.036204253842070, 0.033623031057071, 0.002581222784998]),
        (forward_kl, 0.0034728930, [-0.036319581780076, 0.033234515415099, 0.003085066364977]),
        (soft_cross_entropy, 4.3398810928, [-0.036319581780076, 0.033234515415099, 0.003085066364977]),
    ],
)
def test_the_example_of_4_2_as_logits(divergence, value, gradient):
    actual, actual_gradient = divergence(Q, P, T=2)
    agree(actual, value, 5.1e-11, floor=1)
    agree(actual_gradient, [gradient], 1e-15, floor=1)


def test_all_of_4_2_means_the_reverse_divergence():
    value, gradient = distilled_cross_entropy(Q, [0], P, alpha=0.5, T=2)
    agree(value, 0.385716032815477, 1e-15, floor=1)
    agree(gradient, [[-0.286120412938630, 0.157515537551551, 0.128604875387079]], 1e-15, floor=1)


@pytest.mark.parametrize(
    ("relation", "value", "gradient"),
    [
        (
            relation_distance,
            0.226030068481663,
            [
                [-0.008089867201, 0.028148258426],
                [-0.003738977788, -0.000239882272],
                [0.003027776083, 0.003131168873],
                [0.008801068906, -0.031039545026],
            ],
        ),
        (
            relation_angle,
            0.200354476818348,
            [
                [-0.046369253276, 0.000338580178],
                [-0.005833491064, 0.005719025023],
                [-0.000916353710, 0.000882871508],
                # the sheet prints −0.006940470710, a slip: its column would not sum to 0
                [0.053119098050, -0.006940476710],
            ],
        ),
    ],
)
def test_relations_give_the_sheet_s_numbers(relation, value, gradient):
    f, g = [[0, 0], [3, 4], [6, 8], [0, 1]], [[0, 0], [1, 0], [0, 2], [2, 2]]
    actual, actual_gradient = relation(f, g)
    agree(actual, value, 1e-14)
    agree(actual_gradient, gradient, 1e-12, floor=1)


# By the logits


@st.composite
def students_and_teachers(draw):
    source = Drawn(draw)
    n, k = source.size(), source.size()
    return source.array(n, k), source.array(n, k), source.temperature()


shifts = st.lists(EIGHTHS, min_size=4, max_size=4).map(np.array)


@KLS
@given(students_and_teachers(), shifts)
def test_a_kl_is_zero_where_student_and_teacher_give_the_same_distribution(divergence, drawn, shift):
    _, t, T = drawn
    value, gradient = divergence(t + shift[: len(t), None], t, T)
    assert 0 <= value < 1e-13
    agree(gradient, np.zeros(t.shape), 1e-14, floor=1)


@KLS
@given(students_and_teachers())
def test_a_kl_is_positive_where_student_and_teacher_differ(divergence, drawn):
    z, t, T = drawn
    assume(np.ptp(z - t, axis=1).any())
    assert divergence(z, t, T)[0] > 1e-9


@each(DIVERGENCES)
@given(students_and_teachers(), shifts, shifts)
def test_a_shift_of_a_row_of_logits_changes_nothing(formula, drawn, shift, teacher_shift):
    z, t, T = drawn
    value, gradient = formula.call(z, t, T)
    shifted = z + shift[: len(z), None], t + teacher_shift[: len(z), None]
    agree(formula.call(*shifted, T)[0], value, 1e-12, floor=1)
    agree(formula.call(*shifted, T)[1], gradient, 1e-12, floor=1)


@each(DIVERGENCES)
@given(students_and_teachers())
def test_gradients_sum_to_zero_over_a_row(formula, drawn):
    z, t, T = drawn
    agree(formula.call(z, t, T)[1].sum(axis=1), np.zeros(len(z)), 1e-14, floor=1)


@given(students_and_teachers())
def test_forward_kl_and_the_teacher_s_entropy_are_the_soft_cross_entropy(drawn):
    z, t, T = drawn
    p = softmax(t / T)
    entropy = T**2 * -(p * np.log(p)).sum() / len(p)
    kl, kl_gradient = forward_kl(z, t, T)
    value, gradient = soft_cross_entropy(z, t, T)
    agree(kl + entropy, value, 1e-12, floor=1)
    agree(kl_gradient, gradient, 1e-14, floor=1)


@given(students_and_teachers())
def test_at_temperature_1_the_soft_cross_entropy_is_the_cross_entropy_of_the_teacher_s_rows(drawn):
    z, t, _ = drawn
    for soft, hard in zip(soft_cross_entropy(z, t), cross_entropy(z, softmax(t)), strict=True):
        agree(soft, hard, 1e-12, floor=1)


@KLS
def test_the_gradient_s_size_does_not_depend_on_a_high_temperature(divergence):
    """What the factor T² is for: in the limit the gradient is (z̄ − t̄)/(n k), bars for less the row's mean."""
    z, t, _ = DIVERGENCES[0].arguments(Seeded(1))
    difference = z - t
    limit = (difference - difference.mean(axis=1, keepdims=True)) / z.size
    for T in (1e3, 1e5):
        agree(divergence(z, t, T)[1], limit, 10 / T)


@pytest.mark.parametrize("divergence", [reverse_kl, forward_kl, soft_cross_entropy])
@given(students_and_teachers(), st.floats(0, 1), st.data())
def test_4_2_is_the_weighted_sum_of_its_parts(divergence, drawn, alpha, data):
    z, t, T = drawn
    y = data.draw(st.lists(st.integers(0, z.shape[1] - 1), min_size=len(z), max_size=len(z)))
    whole = distilled_cross_entropy(z, y, t, alpha, T, divergence)
    for actual, hard, soft in zip(whole, cross_entropy(z, y), divergence(z, t, T), strict=True):
        agree(actual, alpha * hard + (1 - alpha) * soft, 1e-14, floor=1)


@pytest.mark.parametrize("divergence", [reverse_kl, forward_kl, soft_cross_entropy])
def test_where_no_temperature_is_given_it_is_1(divergence):
    z, t = [[1.0, 2.0, 4.0]], [[2.0, 1.0, 0.0]]
    for whole, soft in [
        (divergence(z, t), divergence(z, t, 1)),
        (distilled_cross_entropy(z, [0], t, 0, divergence=divergence), divergence(z, t, 1)),
    ]:
        assert whole[0] == soft[0]
        agree(whole[1], soft[1], 0)


# By the features


@given(st.data())
def test_features_through_the_identity_are_features(data):
    source = Drawn(data.draw)
    n, d = source.size(), source.size()
    f, g = source.array(n, d), source.array(n, d)
    value, gradient = feature_distance(f, g)
    mapped_value, (mapped_gradient, _) = feature_distance(f, g, np.eye(d))
    agree(mapped_value, value, 1e-14)
    agree(mapped_gradient, gradient, 1e-14)


@pytest.mark.parametrize(
    "R",
    [np.ones((3, 1)), np.ones((2, 2)), np.ones((1, 2)), np.ones(2), [[np.nan], [1.0]]],
    ids=["a row more", "a column more", "transposed", "a vector", "NaN"],
)
def test_a_matrix_that_does_not_fit_the_features_is_refused_by_name(R):
    with pytest.raises(ValueError, match=r"\bR\b"):
        feature_distance([[1.0, 2.0]], [[1.0]], R)


def test_features_of_different_widths_need_a_matrix():
    with pytest.raises(ValueError, match=r"f has shape \(1, 2\), but g has shape \(1, 1\)"):
        feature_distance([[1.0, 2.0]], [[1.0]])


# By the relations


@st.composite
def different_rows(draw):
    """Return the features of two to four samples, no two of them equal."""
    source = Drawn(draw)
    f = source.array(draw(st.integers(2, 4)), source.size())
    assume(len(np.unique(f, axis=0)) == len(f))
    return f


def rotation(d, seed):
    return np.linalg.qr(np.random.default_rng(seed).normal(size=(d, d)))[0]


seeds = st.integers(0, 1000)


@each(RELATIONS)
@given(different_rows(), different_rows(), seeds, EIGHTHS, st.floats(0.01, 100))
def test_relations_do_not_see_where_the_student_s_features_are(formula, f, g, seed, shift, scale):
    """Rotated, enlarged and moved: the same value, and a gradient that is rotated and made smaller."""
    n = min(len(f), len(g))
    f, g, Q = f[:n], g[:n], rotation(f.shape[1], seed)
    value, gradient = formula.call(f, g)
    moved_value, moved_gradient = formula.call(scale * f @ Q + shift, g)
    agree(moved_value, value, 1e-9, floor=1)
    agree(scale * moved_gradient, gradient @ Q, 1e-9, floor=1)


@each(RELATIONS)
@given(different_rows(), different_rows(), seeds, EIGHTHS, st.floats(0.01, 100))
def test_relations_do_not_see_where_the_teacher_s_features_are(formula, f, g, seed, shift, scale):
    n = min(len(f), len(g))
    f, g, Q = f[:n], g[:n], rotation(g.shape[1], seed)
    value, gradient = formula.call(f, g)
    moved_value, moved_gradient = formula.call(f, scale * g @ Q + shift)
    agree(moved_value, value, 1e-9, floor=1)
    agree(moved_gradient, gradient, 1e-9, floor=1)


@each(RELATIONS)
@given(different_rows(), seeds, st.floats(0.01, 100))
def test_relations_of_similar_features_are_the_same(formula, f, seed, scale):
    value, gradient = formula.call(f, scale * f @ rotation(f.shape[1], seed))
    agree(value, 0, 1e-12, floor=1)
    agree(gradient, np.zeros(f.shape), 1e-10, floor=1)


@each(RELATIONS)
@given(st.data())
def test_moving_all_rows_together_or_apart_has_no_slope(formula, data):
    """The gradient is orthogonal to a translation (its rows sum to 0) and to a dilation."""
    f, g = data.draw(formula.drawn())
    _, gradient = formula.call(f, g)
    agree(gradient.sum(axis=0), np.zeros(f.shape[1]), 1e-12, floor=1)
    agree((gradient * f).sum(), 0, 1e-12, floor=1)


@each(RELATIONS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n", [1, 2, 4])
def test_rows_that_all_coincide_have_no_gradient(formula, dtype, n):
    value, gradient = formula.call(np.ones((n, 2), dtype), np.arange(2.0 * n).reshape(n, 2))
    assert np.isfinite(value)
    assert not gradient.any()


@each(RELATIONS)
def test_one_row_has_no_relations(formula):
    value, gradient = formula.call([[1.0, 2.0]], [[3.0]])
    assert value == 0
    assert gradient.tolist() == [[0, 0]]


@each(RELATIONS)
@pytest.mark.parametrize("gap", [2.0**-52, 2.0**-40, 2.0**-20])
def test_nearly_equal_rows_away_from_the_origin_have_the_gradient_they_have_near_it(formula, gap):
    """The move by 1 is exact in floating point, so nothing at all may change."""
    f, g = np.array([[0.0], [gap], [2.0]]), [[0.0], [1.0], [2.0]]
    agree(formula.call(f + 1, g)[1], formula.call(f, g)[1], 1e-12)


@each(RELATIONS)
@pytest.mark.parametrize(("dtype", "size"), [(np.float32, 1e-20), (np.float64, 1e-160)])
def test_features_that_are_nearly_zero_have_a_finite_gradient(formula, dtype, size):
    value, gradient = formula.call(
        (np.array([[0.0], [1.0], [3.0]]) * size).astype(dtype), [[0.0], [1.0], [2.0]]
    )
    assert np.isfinite(value)
    assert np.isfinite(gradient).all()


def test_the_values_by_hand_on_three_points_of_a_line():
    """Distances 1, 1, 2 to 1, 2, 3: over their means, 3/4, 3/4, 3/2 to 1/2, 1, 3/2. All angles are equal."""
    f, g = [[0.0], [1.0], [2.0]], [[0.0], [1.0], [3.0]]
    assert relation_distance(f, g)[0] == pytest.approx((1 / 32 + 1 / 32 + 0) / 3, rel=1e-14)
    assert relation_angle(f, g)[0] == 0


def test_huber_is_linear_far_out():
    """Four points, three of them in one place for the student, another three for the teacher."""
    f, g = [[0.0], [0.0], [0.0], [1.0]], [[1.0], [0.0], [0.0], [0.0]]
    # of the six distances over their mean 1/2, two are 2 against 0, two 0 against 2 and the rest are equal
    assert relation_distance(f, g)[0] == pytest.approx(4 * 1.5 / 6, rel=1e-14)


def test_distillation_pulls_the_student_to_the_teacher():
    """Three hundred steps down each divergence, none of them uphill: the distributions meet."""
    z, t, _ = DIVERGENCES[0].arguments(Seeded(2))
    for formula in DIVERGENCES:
        student, values = z, []
        for _ in range(300):
            value, gradient = formula.call(student, t, 2.0)
            student = student - 2.0 * gradient
            values.append(value)
        assert all(later <= earlier + 1e-12 for earlier, later in pairwise(values))
        agree(softmax(student / 2), softmax(t / 2), 1e-3)


@pytest.mark.parametrize("T", [1e-320, 1e200])
@pytest.mark.parametrize("formula", [reverse_kl, forward_kl, soft_cross_entropy])
def test_a_temperature_whose_square_is_no_number_is_refused_by_name(formula, T):
    with pytest.raises(ValueError, match="T must lie between"):
        formula([[1.0, 2.0]], [[2.0, 1.0]], T)


@pytest.mark.parametrize("T", [1e-100, 1e100])
@pytest.mark.parametrize("formula", [reverse_kl, forward_kl, soft_cross_entropy])
def test_the_lowest_and_the_highest_temperature_give_numbers(formula, T):
    value, gradient = formula([[1.0, 2.0]], [[2.0, 1.0]], T)
    assert np.isfinite(value)
    assert np.isfinite(gradient).all()


def test_a_divergence_must_be_a_function():
    with pytest.raises(TypeError, match="divergence must be a function"):
        distilled_cross_entropy([[1.0, 2.0]], [0], [[2.0, 1.0]], 0.5, divergence="reverse")
