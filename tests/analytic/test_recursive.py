"""Recursive least squares: the exact solution after every row, however rows are cut, for ever."""

import copy
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.linalg import lstsq
from sklearn.linear_model import Ridge

from incrlearn.analytic.recursive import RecursiveLeastSquares
from tests.learning.helpers import rng, state
from tests.oracles import agree

SEEDS = pytest.mark.parametrize("seed", range(3))
INTERCEPT = pytest.mark.parametrize("intercept", [False, True])
FORGETTING = pytest.mark.parametrize("forgetting", [1.0, 0.99, 0.9, 0.75, 0.5])


def data(seed, n=60, d=4, m=1, scales=1.0, dependence=0.0):
    """Return rows, with columns of these scales that depend on one another, and m targets of each."""
    random = rng(seed)
    x = random.normal(size=(n, d))
    x = (1 - dependence) * x + dependence * x[:, :1]
    y = x @ random.normal(size=(d, m)) + 2 + random.normal(size=(n, m)) / 2
    return x * scales, y[:, 0] if m == 1 else y


def rows_since_renewal(n, forgetting):
    """Count r as it is defined: γʳ is 1 again where it would be less than ½ after one row more."""
    r = 0
    for _ in range(n if forgetting < 1 else 0):
        r = r + 1 if forgetting ** (r + 2) >= 0.5 else 0
    return r


def rows_of_the_problem(x, strength, forgetting, intercept):
    """Return all rows and the penalty's, times the roots of their weights, and these roots for the rows."""
    n = len(x)
    z = np.column_stack([x, np.ones(n)]) if intercept else x
    weight = forgetting ** ((n - 1 - np.arange(n)[:, None]) / 2)
    penalty = strength * forgetting ** rows_since_renewal(n, forgetting)
    return np.vstack([weight * z, np.sqrt(penalty) * np.eye(z.shape[1])]), weight


def solution(x, y, strength=1.0, forgetting=1.0, intercept=True):
    """Return W of all rows at once, (d + intercept, m), by least squares."""
    rows, weight = rows_of_the_problem(x, strength, forgetting, intercept)
    targets = np.zeros((len(rows), np.size(y[0])))
    targets[: len(x)] = weight * y.reshape(len(x), -1)
    return lstsq(rows, targets)[0]


def learned(model):
    """Return W as `solution` does."""
    coef, constant = np.atleast_2d(model.coef_), np.atleast_1d(model.intercept_)
    return np.vstack([coef.T, constant]) if model.intercept else coef.T


def one_by_one(model, x, y):
    for row, target in zip(x, y, strict=True):
        model.update(row, target)
    return model


# ---- numbers worked by hand --------------------------------------------------------------------------


def test_three_rows_by_hand():
    model = RecursiveLeastSquares(2, intercept=False)
    model.update([1, 0], 2)  # A = [[2, 0], [0, 1]], b = (2, 0)
    agree(model.coef_, [1, 0], 1e-15)
    agree(model.covariance, [[1 / 2, 0], [0, 1]], 1e-15)
    model.update([1, 1], 4)  # A = [[3, 1], [1, 2]], b = (6, 4)
    agree(model.coef_, [8 / 5, 6 / 5], 1e-15)
    agree(model.covariance, np.array([[2, -1], [-1, 3]]) / 5, 1e-15)
    model.update([0, 2], 2)  # A = [[3, 1], [1, 6]], b = (6, 8)
    agree(model.coef_, [28 / 17, 18 / 17], 1e-15)
    agree(model.covariance, np.array([[6, -1], [-1, 3]]) / 17, 1e-15)
    agree(model.predict([[1, 1], [17, 0]]), [46 / 17, 28], 1e-15)
    assert model.n_rows == 3


def test_a_block_by_hand():
    model = RecursiveLeastSquares(2, intercept=False).update_block([[1, 0], [1, 1], [0, 2]], [2, 4, 2])
    agree(model.coef_, [28 / 17, 18 / 17], 1e-15)
    agree(model.covariance, np.array([[6, -1], [-1, 3]]) / 17, 1e-15)
    assert model.n_rows == 3


def test_an_intercept_by_hand():
    model = one_by_one(RecursiveLeastSquares(1), [[1], [-1]], [2, 0])  # A = 3 I, b = (2, 2)
    agree(model.coef_, [2 / 3], 1e-15)
    agree(model.intercept_, 2 / 3, 1e-15)
    agree(model.covariance, np.eye(2) / 3, 1e-15)


def test_forgetting_by_hand():
    model = RecursiveLeastSquares(1, forgetting=3 / 4, intercept=False)
    model.update([1], 1)  # the penalty is 3/4, A = 7/4, b = 1
    agree(model.coef_, [4 / 7], 1e-15)
    model.update([2], 4)  # it would be 9/16 and then less than 1/2: it is 1 again; A = 3/4 + 4 + 1
    agree(model.coef_, [35 / 23], 1e-15)
    agree(model.covariance, [[4 / 23]], 1e-15)
    model.update([1], 0)  # A = 9/16 + 3 + 1 + 3/4, b = 9/16 + 6
    agree(model.coef_, [21 / 17], 1e-15)


def test_before_the_first_row_it_answers_zero_and_is_as_uncertain_as_the_penalty_says():
    model = RecursiveLeastSquares(2, strength=4.0)
    assert model.predict([[1.0, 2.0]]).tolist() == [0.0]
    agree(model.covariance, np.eye(3) / 4, 1e-15)


# ---- the solution of all rows at once ----------------------------------------------------------------

DATA = {
    "well conditioned": {},
    "nearly dependent columns": {"dependence": 0.999},
    "scales from 1 to 1000": {"scales": [1, 10, 100, 1000]},
    "fewer rows than columns": {"n": 3},
    "one row": {"n": 1},
    "one column": {"d": 1},
    "many rows": {"n": 1000},
}


@INTERCEPT
@FORGETTING
@pytest.mark.parametrize("m", [1, 3])
@pytest.mark.parametrize("options", DATA.values(), ids=DATA.keys())
def test_rows_and_blocks_give_the_solution_of_all_rows_at_once(intercept, forgetting, m, options):
    x, y = data(m, m=m, **options)
    settings = {"strength": 0.3, "forgetting": forgetting, "intercept": intercept}
    expected = solution(x, y, **settings)
    rows = rows_of_the_problem(x, *settings.values())[0]
    for learn in one_by_one, RecursiveLeastSquares.update_block:
        model = learn(RecursiveLeastSquares(x.shape[1], m, **settings), x, y)
        agree(learned(model), expected, 1e-10)
        agree(model.covariance @ (rows.T @ rows), np.eye(len(expected)), 1e-8)


def test_it_is_the_solution_after_every_row():
    x, y = data(0)
    model = RecursiveLeastSquares(4, strength=1e-3, forgetting=0.9)
    for n, (row, target) in enumerate(zip(x, y, strict=True), 1):
        model.update(row, target)
        agree(learned(model), solution(x[:n], y[:n], 1e-3, 0.9), 1e-10)


@SEEDS
def test_it_is_scikit_learns_ridge_with_a_column_of_ones(seed):
    x, y = data(seed, m=2)
    model = RecursiveLeastSquares(4, 2, strength=0.7).update_block(x, y)
    ridge = Ridge(alpha=0.7, fit_intercept=False).fit(np.column_stack([x, np.ones(len(x))]), y)
    agree(np.column_stack([model.coef_, model.intercept_]), ridge.coef_, 1e-10)
    agree(model.predict(x), ridge.predict(np.column_stack([x, np.ones(len(x))])), 1e-10)


@st.composite
def cuts(draw):
    """Draw numbers of rows; those that are 1 are learned by `update` or as a block of one."""
    return draw(st.lists(st.tuples(st.integers(1, 40), st.booleans()), min_size=1, max_size=12))


@given(
    cuts=cuts(),
    seed=st.integers(0, 2**32 - 1),
    d=st.integers(1, 6),
    m=st.integers(1, 2),
    forgetting=st.sampled_from([1.0, 0.999, 0.95, 0.8, 0.6, 0.5]),
    strength=st.sampled_from([1e-3, 1.0, 1e3]),
    intercept=st.booleans(),
)
def test_any_cut_into_rows_and_blocks_gives_the_same(cuts, seed, d, m, forgetting, strength, intercept):
    x, y = data(seed, sum(n for n, _ in cuts), d, m)
    settings = {"strength": strength, "forgetting": forgetting, "intercept": intercept}
    model = RecursiveLeastSquares(d, m, **settings)
    start = 0
    for n, single in cuts:
        part = slice(start, start + n)
        (one_by_one if single else RecursiveLeastSquares.update_block)(model, x[part], y[part])
        start += n
    whole = RecursiveLeastSquares(d, m, **settings).update_block(x, y)
    agree(learned(model), learned(whole), 1e-8)
    agree(model.covariance, whole.covariance, 1e-8)
    agree(learned(model), solution(x, y, **settings), 1e-8)
    assert model.n_rows == whole.n_rows == len(x)


@SEEDS
def test_without_forgetting_the_order_of_rows_makes_no_difference(seed):
    x, y = data(seed)
    order = rng(seed).permutation(len(x))
    forth, back = (one_by_one(RecursiveLeastSquares(4), *rows) for rows in ((x, y), (x[order], y[order])))
    agree(learned(forth), learned(back), 1e-12)


def test_several_outputs_are_learned_as_each_would_be_alone():
    x, y = data(0, m=3)
    together = one_by_one(RecursiveLeastSquares(4, 3), x, y)
    assert together.coef_.shape == (3, 4)
    assert together.intercept_.shape == (3,)
    assert together.predict(x).shape == (60, 3)
    for k in range(3):
        alone = one_by_one(RecursiveLeastSquares(4), x, y[:, k])
        assert alone.coef_.shape == (4,)
        assert alone.predict(x).shape == (60,)
        agree(together.coef_[k], alone.coef_, 1e-12)
        agree(together.intercept_[k], alone.intercept_, 1e-12)


def test_without_an_intercept_the_constant_is_zero():
    x, y = data(0, m=2)
    assert RecursiveLeastSquares(4, intercept=False).update(x[0], 1.0).intercept_ == 0
    assert RecursiveLeastSquares(4, 2, intercept=False).update(x[0], y[0]).intercept_.tolist() == [0, 0]


@SEEDS
@pytest.mark.parametrize("n", [5, 50])
def test_a_direction_without_rows_keeps_its_penalty_beside_large_rows(seed, n):
    u = rng(seed).normal(size=5)
    rows, outer = np.outer(1e6 * np.arange(1, n + 1), u), np.outer(u, u) / (u @ u)
    for learn in one_by_one, RecursiveLeastSquares.update_block:
        model = learn(RecursiveLeastSquares(5, intercept=False), rows, np.zeros(n))
        agree(model.covariance, np.eye(5) - outer, 1e-11)


# ---- for ever ----------------------------------------------------------------------------------------


def is_positive_definite(covariance):
    return (covariance == covariance.T).all() and np.linalg.eigvalsh(covariance).min() > 0


@pytest.mark.parametrize("forgetting", [1.0, 0.999])
def test_p_stays_symmetric_and_positive_for_20000_nearly_collinear_rows_of_scales_1e6_apart(forgetting):
    x, y = data(0, 20_000, 6, scales=10.0 ** np.array([-3, -2, -1, 1, 2, 3]), dependence=1 - 1e-4)
    model = one_by_one(RecursiveLeastSquares(6, forgetting=forgetting), x, y)
    assert is_positive_definite(model.covariance)
    expected = RecursiveLeastSquares(6, forgetting=forgetting).update_block(x, y)
    agree(model.predict(x), expected.predict(x), 1e-9)
    agree(expected.predict(x), x @ solution(x, y, 1, forgetting)[:6, 0] + expected.intercept_, 1e-9)


@pytest.mark.parametrize(("forgetting", "n"), [(0.98, 100_000), (0.5, 2_000)])
def test_a_constant_input_winds_nothing_up(forgetting, n):
    model = RecursiveLeastSquares(2, strength=0.1, forgetting=forgetting)
    x, y = np.tile([1.0, 2.0], (n, 1)), np.full(n, 3.0)
    one_by_one(model, x[n // 2 :], y[n // 2 :]).update_block(x[: n // 2], y[: n // 2])
    assert is_positive_definite(model.covariance)
    assert np.linalg.eigvalsh(model.covariance).max() <= 2 / 0.1
    agree(learned(model), solution(x, y, 0.1, forgetting), 1e-9)


def test_what_never_varied_is_learned_at_once_when_it_does():
    model = RecursiveLeastSquares(2, strength=1e-3, forgetting=0.9, intercept=False)
    model.update_block(np.tile([1.0, 0.0], (1000, 1)), np.ones(1000))
    for _ in range(20):
        model.update([1.0, 1.0], 3.0)
        model.update([1.0, 0.0], 1.0)
    agree(model.coef_, [1, 2], 1e-3)


@SEEDS
def test_it_follows_what_changes_if_it_forgets(seed):
    x = rng(seed).normal(size=(600, 3))
    y = np.concatenate([x[:300] @ [1, 2, 3], x[300:] @ [3, 2, 1]])
    agree(RecursiveLeastSquares(3, strength=1e-3, forgetting=0.9).update_block(x, y).coef_, [3, 2, 1], 1e-3)
    assert np.abs(RecursiveLeastSquares(3).update_block(x, y).coef_ - [3, 2, 1]).max() > 0.5


# ---- refused -----------------------------------------------------------------------------------------

ROW, TARGETS = np.array([1.0, -2.0, 0.5]), np.array([1.0, 2.0])


def with_entry(array, index, value):
    array = np.array(array)
    array[index] = value
    return array


BAD_ROWS = {
    "NaN in x": ((with_entry(ROW, 1, np.nan), TARGETS), r"x must be finite, got nan at index 1"),
    "infinity in x": ((with_entry(ROW, 2, -np.inf), TARGETS), r"x must be finite, got -inf at index 2"),
    "NaN in y": ((ROW, with_entry(TARGETS, 1, np.nan)), r"y must be finite, got nan at index 1"),
    "infinity in y": ((ROW, with_entry(TARGETS, 0, np.inf)), r"y must be finite, got inf at index 0"),
    "x whose square overflows": ((1e200 * ROW, TARGETS), r"x or y is too large"),
    "x at the end of float64": ((5e307 * ROW, TARGETS), r"x or y is too large"),
    "y whose square overflows": ((ROW, 1e200 * TARGETS), r"x or y is too large"),
    "x too short": ((ROW[:2], TARGETS), r"x must have shape \(3,\), got shape \(2,\)"),
    "x of two dimensions": ((ROW[None], TARGETS), r"x must have shape \(3,\), got shape \(1, 3\)"),
    "strings in x": ((["1", "2", "3"], TARGETS), r"x must hold real numbers"),
    "ragged x": (([1, [2, 3], 4], TARGETS), r"x must be a rectangular array"),
    "no x": ((None, TARGETS), r"x must hold real numbers"),
    "y too short": ((ROW, TARGETS[:1]), r"y must have shape \(2,\), got shape \(1,\)"),
    "a number as y": ((ROW, 1.0), r"y must have shape \(2,\), got shape \(\)"),
    "strings in y": ((ROW, ["1", "2"]), r"y must hold real numbers"),
}


@pytest.mark.parametrize("forgetting", [1.0, 0.75])
@pytest.mark.parametrize("seen", [0, 5])
@pytest.mark.parametrize(("arguments", "match"), BAD_ROWS.values(), ids=BAD_ROWS.keys())
def test_a_bad_row_is_refused_and_leaves_the_model_as_it_was(seen, forgetting, arguments, match):
    model = one_by_one(RecursiveLeastSquares(3, 2, forgetting=forgetting), *data(0, seen, 3, 2))
    before = state(model)
    with pytest.raises((ValueError, TypeError), match=match):
        model.update(*arguments)
    assert state(model) == before


@pytest.mark.parametrize("y", [np.nan, np.inf, 1e101, np.array(-np.inf), [1.0], "1", None, 1j])
def test_a_bad_number_as_the_only_output_is_refused_and_leaves_the_model_as_it_was(y):
    model = RecursiveLeastSquares(3).update(ROW, 1.0)
    before = state(model)
    with pytest.raises((ValueError, TypeError), match=r"\by\b"):
        model.update(ROW, y)
    assert state(model) == before


X, Y = data(0, 300, 3, 2)
BAD_BLOCKS = {
    "NaN in X": ((with_entry(X, (299, 1), np.nan), Y), r"X must be finite, got nan at index \(299, 1\)"),
    "infinity in X": ((with_entry(X, (0, 0), np.inf), Y), r"X must be finite"),
    "NaN in Y": ((X, with_entry(Y, (299, 1), np.nan)), r"Y must be finite, got nan at index \(299, 1\)"),
    "a late row whose square overflows": ((with_entry(X, (299, 1), 1e200), Y), r"X or Y is too large"),
    "a row at the end of float64": ((with_entry(X, 150, 1e308), Y), r"X or Y is too large"),
    "a late target whose square overflows": ((X, with_entry(Y, (299, 1), 1e200)), r"X or Y is too large"),
    "a single row too large": ((1e200 * X[:1], Y[:1]), r"X or Y is too large"),
    "too few columns": ((X[:, :2], Y), "X has 2 features, but the model was made for 3"),
    "X of one dimension": ((X[0], Y[0]), "X must have shape"),
    "no rows": ((X[:0], Y[:0]), "X must have at least one row"),
    "strings in X": ((X.astype(str), Y), "X must hold real numbers"),
    "too few targets": (
        (X, Y[:5]),
        r"Y must have shape \(300, 2\), .* of X, got \(5, 2\)",
    ),
    "one output of two": ((X, Y[:, 0]), r"Y must have shape \(300, 2\)"),
    "strings in Y": ((X, Y.astype(str)), "Y must hold real numbers"),
}


@pytest.mark.parametrize("forgetting", [1.0, 0.99, 0.5])
@pytest.mark.parametrize(("arguments", "match"), BAD_BLOCKS.values(), ids=BAD_BLOCKS.keys())
def test_a_bad_block_is_refused_and_leaves_the_model_as_it_was(forgetting, arguments, match):
    model = RecursiveLeastSquares(3, 2, forgetting=forgetting).update_block(X[:20], Y[:20])
    before = state(model)
    with pytest.raises((ValueError, TypeError), match=match):
        model.update_block(*arguments)
    assert state(model) == before


def test_one_output_wants_numbers_not_a_column():
    with pytest.raises(ValueError, match=r"Y must have shape \(300,\), .* got \(300, 1\)"):
        RecursiveLeastSquares(3).update_block(X, Y[:, :1])


@pytest.mark.parametrize(
    ("x", "match"), [(X[:, :2], "X has 2 features"), (X[0], "shape"), (with_entry(X, 0, np.nan), "finite")]
)
def test_predicting_refuses_what_it_cannot_answer(x, match):
    with pytest.raises(ValueError, match=match):
        RecursiveLeastSquares(3).predict(x)


@pytest.mark.parametrize(
    ("name", "bad"),
    [
        *[(name, bad) for name in ("n_features", "n_outputs") for bad in (0, -1, 1.5, "2", None, True)],
        *[("strength", bad) for bad in (0, -1, np.nan, np.inf, 1e-101, 1e101, "1", None, True)],
        *[("forgetting", bad) for bad in (0, 0.49, 1.01, -1, np.nan, "1", None, True)],
        *[("intercept", bad) for bad in (0, None, "yes")],
    ],
)
def test_a_bad_argument_is_refused_by_name(name, bad):
    with pytest.raises((ValueError, TypeError), match=rf"\b{name}\b"):
        RecursiveLeastSquares(**{"n_features": 2, name: bad})


# ---- use ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("learn", [one_by_one, RecursiveLeastSquares.update_block])
@pytest.mark.parametrize("scale", [1e-200, 1e-90, 1e9, 1e90])
def test_rows_of_any_size_are_learned(scale, learn):
    x, y = data(0, 50, 2)
    model = learn(RecursiveLeastSquares(2, intercept=False), scale * x, y)
    if scale < 1:  # the penalty is all there is
        agree(model.coef_ / scale, x.T @ y, 1e-12)
        agree(model.covariance, np.eye(2), 1e-12)
    elif scale < 1e10:  # the penalty is nothing; row by row, 1e9 of 1e16 digits go
        agree(model.coef_ * scale, lstsq(x, y)[0], 1e-7 if learn is one_by_one else 1e-12)
    assert np.isfinite(learned(model)).all()
    assert is_positive_definite(model.covariance / model.covariance.max())


@pytest.mark.parametrize("strength", [1e-100, 1e100])
@pytest.mark.parametrize("forgetting", [1.0, 0.5])
def test_the_weakest_and_the_strongest_penalty_will_do(strength, forgetting):
    x, y = data(0, 50, 2)
    for learn in one_by_one, RecursiveLeastSquares.update_block:
        model = learn(RecursiveLeastSquares(2, strength=strength, forgetting=forgetting), x, y)
        assert np.isfinite(model.coef_).all()
        assert np.isfinite(model.covariance).all()


@pytest.mark.parametrize("forgetting", [1.0, 0.75])
@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
def test_a_copy_goes_on_as_the_original_would_and_alone(duplicate, forgetting):
    x, y = data(0)
    original = RecursiveLeastSquares(4, forgetting=forgetting).update_block(x, y)
    one_by_one(original, x[:5], y[:5])
    before = state(original)
    twin = one_by_one(duplicate(original), x, y).update_block(x, y)
    assert state(original) == before
    assert state(one_by_one(original, x, y).update_block(x, y)) == state(twin)


def test_what_it_is_given_and_gives_away_is_nobodys_but_the_users():
    x, y = data(0, m=2)
    x.flags.writeable = y.flags.writeable = False
    model = one_by_one(RecursiveLeastSquares(4, 2), x, y).update_block(x, y)
    before = state(model)
    for given_away in model.coef_, model.intercept_, model.covariance, model.predict(x):
        given_away[...] = np.nan
    assert state(model) == before
    single = RecursiveLeastSquares(4).update(x[0], 1.0)
    before = state(single)
    single.coef_[...] = np.nan
    assert state(single) == before


@pytest.mark.parametrize(
    "kind",
    [np.ndarray.tolist, lambda a: a.astype(np.float32), lambda a: a.astype(int), lambda a: a.astype(">f8")],
)
def test_lists_and_other_kinds_of_numbers_will_do(kind):
    x, y = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 7.0]]), np.array([1.0, 2.0, 4.0])
    plain, other = RecursiveLeastSquares(2), RecursiveLeastSquares(2)
    assert state(one_by_one(other, kind(x), kind(y))) == state(one_by_one(plain, x, y))
    assert state(other.update_block(kind(x), kind(y))) == state(plain.update_block(x, y))


def test_rows_may_lie_in_memory_as_they_like():
    x, y = data(0)
    strided = np.asfortranarray(x)
    assert state(one_by_one(RecursiveLeastSquares(4), strided, y)) == state(
        one_by_one(RecursiveLeastSquares(4), x, y)
    )


def test_it_says_what_it_is():
    expected = "RecursiveLeastSquares(3, 2, strength=0.5, forgetting=0.9, intercept=False)"
    assert repr(RecursiveLeastSquares(3, 2, strength=0.5, forgetting=0.9, intercept=False)) == expected
