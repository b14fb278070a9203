"""Projections: what a projected gradient satisfies, and that nothing nearer does."""

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given
from scipy.optimize import minimize

from incrlearn.formulas import project_agem, project_gem, project_orthogonal
from tests.oracles import agree

from .cases import PROJECTIONS, Seeded, each

AGEM, GEM, OGD = PROJECTIONS
TINY_TO_HUGE = [1e-200, 1e-20, 1.0, 1e20, 1e200]


@each(PROJECTIONS)
@given(st.data())
def test_a_projection_is_the_nearest_point_that_harms_no_old_task(formula, data):
    arguments = data.draw(formula.drawn())
    agree(formula.call(*arguments), formula.oracle(*arguments), 1e-10, floor=1)


@each(PROJECTIONS)
@given(st.data())
def test_projecting_twice_is_projecting_once(formula, data):
    g, memory = data.draw(formula.drawn())
    once = formula.call(g, memory)
    agree(formula.call(once, memory), once, 1e-10, floor=1)


@each([AGEM, GEM])
@given(st.data())
def test_the_projected_gradient_goes_uphill_on_no_old_task(formula, data):
    g, R = data.draw(formula.drawn())
    assert (R @ formula.call(g, R)).min() >= -1e-10


@each([AGEM, GEM])
@given(st.data())
def test_a_gradient_that_violates_nothing_is_returned_unchanged(formula, data):
    g, R = data.draw(formula.drawn())
    harmless = R * np.where(R @ g < 0, -1.0, 1.0)[..., None]
    agree(formula.call(g, harmless), g, 1e-10, floor=1)


@given(GEM.drawn())
def test_gem_satisfies_the_optimality_conditions(drawn):
    """Karush, Kuhn and Tucker: the correction is made of rows that bind, and orthogonal to the result."""
    g, R = drawn
    projected = project_gem(g, R)
    correction = projected - g
    agree(correction @ projected, 0, 1e-10, floor=1)
    active = R[R @ projected < 1e-9]
    left = correction - active.T @ np.linalg.lstsq(active.T, correction, rcond=1e-10)[0]
    agree(left, np.zeros(len(g)), 1e-10, floor=1)


@pytest.mark.parametrize(
    ("g", "R"),
    [
        ([-0.625, -1], [[2.375, -1.5], [-1.625, 1.25], [0.75, -2.75], [-2.5, -0.75]]),
        ([2.875, -0.5, 0, 0], [[0.125, 0, 0, 0.25], [-0.25, -0.125, -0.125, 0.25], [-0.25, 0, 0, -0.25]]),
        (
            [0, -1, 1, 0, 0],
            [[0, 1, 1, 0, 1], [3, 2, -2, -1, 1], [3, 3, 2, -1, 3], [3, -1, 2, -1, 2], [-1, 1, -2, 0, -2]],
        ),
    ],
    ids=["SciPy 1.12 to 1.14 give up", "SciPy 1.15 is wrong", "a step too long goes round in a circle"],
)
def test_gem_solves_what_some_releases_of_nnls_do_not(g, R):
    g, R = np.array(g, float), np.array(R, float)
    agree(project_gem(g, R), GEM.oracle(g, R), 1e-10, floor=1)


@pytest.mark.parametrize("seed", range(10))
def test_gem_agrees_with_a_general_solver(seed):
    rng = np.random.default_rng(seed)
    g, R = rng.normal(size=8), rng.normal(size=(5, 8))
    solved = minimize(
        lambda x: 0.5 * np.square(x - g).sum(),
        g,
        jac=lambda x: x - g,
        method="SLSQP",
        constraints={"type": "ineq", "fun": lambda x: R @ x, "jac": lambda x: R},
        options={"ftol": 1e-15, "maxiter": 1000},
    )
    agree(project_gem(g, R), solved.x, 1e-6)


@pytest.mark.parametrize(
    ("g", "R", "expected"),
    [
        # (0, 1, 1) is row 0 and twice row 1; row 2, which g violates as much as row 1, need not be held
        ([-1, -1, -1], [[0, -1, 1], [0, 1, 0], [-1, 1, 2]], [-1, 0, 0]),
        # (1, −1, 1) is row 1 and three times row 2; row 0 binds, and does not push
        ([-2, 0, -1], [[0, -1, 1], [1, -1, -2], [0, 0, 1]], [-1, -1, 0]),
    ],
)
@pytest.mark.parametrize("size", [1.0, 1e-6, 1e-14])
def test_gem_lets_go_of_a_task_that_others_take_care_of_worked_by_hand(g, R, expected, size):
    """Also where next to nothing of the gradient is in the way, its fourth entry being 1."""
    g, R = np.array([*g, 1 / size]), np.pad(R, ((0, 0), (0, 1)))
    agree(project_gem(size * g, R)[:3] / size, expected, 1e-12, floor=1)


@pytest.mark.parametrize("seed", range(20))
def test_gem_with_many_similar_tasks_satisfies_the_optimality_conditions(seed):
    """Most tasks are violated, and many in the way of one another: those that bind push, and none pulls."""
    rng = np.random.default_rng(seed)
    R = rng.normal(size=(20, 30)) + rng.normal(size=30)
    g = rng.normal(size=30) - R.mean(axis=0) * 20**0.5
    projected = project_gem(g, R)
    slack = R @ projected
    assert slack.min() >= -1e-12
    active = R[slack < 1e-9]
    assert 10 < len(active) < 20
    push = np.linalg.lstsq(active.T, projected - g, rcond=None)[0]
    assert push.min() > 0
    agree(active.T @ push, projected - g, 1e-12)


@given(AGEM.drawn())
def test_gem_with_one_old_task_is_agem(drawn):
    g, r = drawn
    agree(project_gem(g, [r]), project_agem(g, r), 1e-12, floor=1)


@given(GEM.drawn(), st.data())
def test_duplicate_scaled_and_zero_rows_change_nothing_in_gem(drawn, data):
    g, R = drawn
    more = np.concatenate([R, R, 3 * R, np.zeros((2, len(g)))])
    order = data.draw(st.permutations(range(len(more))))
    agree(project_gem(g, more[order]), project_gem(g, R), 1e-10, floor=1)


@each([AGEM, GEM])
@pytest.mark.parametrize("memory_size", TINY_TO_HUGE)
@pytest.mark.parametrize("size", TINY_TO_HUGE)
def test_only_the_direction_of_a_memory_counts_however_tiny_or_huge(formula, size, memory_size):
    for seed in range(5):
        g, R = formula.arguments(Seeded(seed))
        agree(formula.call(size * g, memory_size * R) / size, formula.call(g, R), 1e-12)


def test_one_task_s_gradient_may_be_tiny_and_another_s_huge():
    g, R = np.array([-1.0, -2.0, 3.0, -4.0]), np.array([[1.0, 1, 0, 0], [0, 1, 1, 1], [1, 0, 0, 2]])
    agree(project_gem(g, R * [[1e-200], [1.0], [1e200]]), project_gem(g, R), 1e-12)


@each([AGEM, GEM])
@pytest.mark.parametrize("memory_size", TINY_TO_HUGE)
def test_a_memory_in_float64_counts_for_a_gradient_in_float32(formula, memory_size):
    for seed in range(5):
        g, R = formula.arguments(Seeded(seed))
        projected = formula.call(g.astype(np.float32), memory_size * R)
        assert projected.dtype == np.float32
        agree(projected, formula.call(g, R), 1e-5)


def test_gem_computes_in_float64_and_rounds_once():
    for seed in range(5):
        g, R = (array.astype(np.float32) for array in GEM.arguments(Seeded(seed)))
        expected = project_gem(g.astype(np.float64), R.astype(np.float64)).astype(np.float32)
        assert project_gem(g, R).tolist() == expected.tolist()
        assert project_gem(g, R.astype(np.float64)).tolist() == expected.tolist()


@each([AGEM, GEM])
@pytest.mark.parametrize("size", [1e-17, 1e-15, 1e-13, 1e-10])
def test_a_violation_of_the_size_of_rounding_errors_is_no_trouble(formula, size):
    g, r = -size * np.ones(1000), np.ones(1000)
    memory = r if formula is AGEM else r[None]
    agree(formula.call(g, memory) / size, 0 * g, 1e-12, floor=1)


@pytest.mark.parametrize(("violation", "left"), [(1e-12, 1e-12), (1.01e-12, 0.0)])
def test_a_violation_of_1e_12_of_the_gradient_s_largest_entry_is_none_for_gem(violation, left):
    assert project_gem([-violation, 1.0], np.eye(2)).tolist() == [-left, 1.0]


@pytest.mark.parametrize("size", TINY_TO_HUGE)
def test_ogd_is_linear_however_tiny_or_huge_the_gradient(size):
    g, basis = OGD.arguments(Seeded(0))
    agree(project_orthogonal(size * g, basis) / size, project_orthogonal(g, basis), 1e-12)


@each([AGEM, GEM])
def test_a_memory_without_gradient_asks_for_nothing(formula):
    g, R = formula.arguments(Seeded(0))
    assert formula.call(g, 0 * R).tolist() == g.tolist()


@given(OGD.drawn())
def test_the_result_of_ogd_is_orthogonal_to_every_old_direction(drawn):
    g, basis = drawn
    agree(basis @ project_orthogonal(g, basis), np.zeros(len(basis)), 1e-14, floor=len(g))


def test_nothing_is_left_when_the_basis_spans_everything():
    agree(project_orthogonal([3.0, -4.0], np.eye(2)), [0, 0], 0)


@pytest.mark.parametrize("length", [0, 1e-200, 0.9, 1.1, 10])
def test_a_basis_whose_rows_have_not_unit_length_is_refused_by_name(length):
    with pytest.raises(ValueError, match="rows of basis must have length 1"):
        project_orthogonal([1.0, 1.0], [[length, 0.0]])


@pytest.mark.parametrize(
    ("project", "memory", "name"),
    [
        (project_agem, [1.0, 2.0, 3.0], "r"),
        (project_agem, [[1.0, 2.0]], "r"),
        (project_gem, [[1.0, 2.0, 3.0]], "R"),
        (project_gem, [1.0, 2.0], "R"),
        (project_orthogonal, [[1.0, 0.0, 0.0]], "basis"),
        (project_orthogonal, [1.0, 0.0], "basis"),
    ],
)
def test_a_memory_that_does_not_fit_the_gradient_is_refused_by_name(project, memory, name):
    with pytest.raises(ValueError, match=rf"\b{name}\b"):
        project([1.0, 2.0], memory)
