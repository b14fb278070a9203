"""The likely cause of a wrong array: each mistake leaves its pattern, and none is seen in noise."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from incrlearn.testing import CAUSES, likely_cause

RNG = np.random.default_rng(3)
WIDE = RNG.normal(size=(3, 5))
SQUARE = RNG.normal(size=(4, 4))
LONG = RNG.normal(size=7)


def with_zeros(array, *places):
    copy = array.copy()
    for place in places:
        copy[place] = 0
    return copy


def changed(array, place, factor):
    copy = array.copy()
    copy[place] *= factor
    return copy


KNOWN = {
    "the opposite sign": (-WIDE, WIDE, {}, "sign"),
    "one opposite sign": (changed(WIDE, (1, 2), -1), WIDE, {}, "sign"),
    "a sign that is lost": (np.abs(WIDE), WIDE, {}, "sign"),
    "twice": (2 * WIDE, WIDE, {}, "factor 2"),
    "half": (WIDE / 2, WIDE, {}, "factor 2"),
    "minus twice": (-2 * WIDE, WIDE, {}, "factor 2"),
    "one column twice": (changed(WIDE, np.s_[:, 1], 2), WIDE, {}, "factor 2"),
    "one entry twice": (changed(WIDE, (0, 0), 2), WIDE, {}, "factor 2"),
    "n too large": (6 * WIDE, WIDE, {"n": 6}, "mean against sum"),
    "n too small": (WIDE / 6, WIDE, {"n": 6}, "mean against sum"),
    "the number of rows": (3 * WIDE, WIDE, {}, "mean against sum"),
    "the number of columns": (WIDE / 5, WIDE, {}, "mean against sum"),
    "the number of entries": (15 * WIDE, WIDE, {}, "mean against sum"),
    "the length of a vector": (LONG / 7, LONG, {}, "mean against sum"),
    "T": (3 * WIDE, WIDE, {"n": 8, "T": 3.0}, "factor T"),
    "1/T": (WIDE / 2.5, WIDE, {"n": 8, "T": 2.5}, "factor T"),
    "T²": (9 * WIDE, WIDE, {"n": 8, "T": 3.0}, "factor T"),
    "1/T²": (WIDE / 9, WIDE, {"n": 8, "T": 3.0}, "factor T"),
    "T is 2": (2 * WIDE, WIDE, {"n": 8, "T": 2.0}, "factor T"),
    "n and T are 2": (2 * WIDE, WIDE, {"n": 2, "T": 2.0}, "factor"),
    "n is T²": (WIDE / 9, WIDE, {"n": 9, "T": 3.0}, "factor"),
    "a strength": (0.1 * WIDE, WIDE, {"n": 8, "strength": 0.1}, "factor"),
    "7/4": (1.75 * WIDE, WIDE, {}, "factor"),
    "the transpose of a square": (SQUARE.T, SQUARE, {}, "transpose"),
    "the transpose": (WIDE.T, WIDE, {}, "transpose"),
    "two swapped axes": (np.swapaxes(RNG.normal(size=(2, 3, 3)), 1, 2), None, {}, "transpose"),
    "rows that are not summed": (RNG.normal(size=(6, 5)), RNG.normal(size=5), {}, "broadcast sum"),
    "rows whose sum is right": (WIDE, WIDE.sum(axis=0), {}, "broadcast sum"),
    "every row is the sum": (np.tile(LONG, (4, 1)), LONG, {}, "broadcast sum"),
    "another shape": (RNG.normal(size=(2, 5)), WIDE, {}, "shape"),
    "a flat array": (WIDE.ravel(), WIDE, {}, "shape"),
    "nothing": (0 * WIDE, WIDE, {}, "missing"),
    "a row of nothing": (with_zeros(WIDE, 1), WIDE, {}, "missing"),
    "reversed": (WIDE[::-1], WIDE, {}, "order"),
    "rolled": (np.roll(LONG, 2), LONG, {}, "order"),
    "permuted": (LONG[[0, 3, 1, 2, 6, 5, 4]], LONG, {}, "order"),
    "a constant": (WIDE + 0.25, WIDE, {}, "constant"),
    "NaN": (np.where(WIDE > 0, np.nan, WIDE), WIDE, {}, "not a number"),
    "complex numbers": (WIDE + 0j, WIDE, {}, "dtype"),
    "chance": (RNG.normal(size=(3, 5)), WIDE, {}, None),
    "a number for nothing": (WIDE, 0 * WIDE, {}, None),
    "nothing wrong": (WIDE + 1e-12, WIDE, {}, None),
    "no entries": (np.zeros((0, 3)), np.zeros((0, 3)), {}, None),
    "one entry, twice": ([2.0], [1.0], {}, "factor 2"),
    "one entry, any factor": ([2.7], [1.0], {}, None),
    "one entry, n": ([2.7], [0.3], {"n": 9}, "mean against sum"),
}


@pytest.mark.parametrize("name", KNOWN)
def test_a_known_mistake_is_named(name):
    came, expected, context, cause = KNOWN[name]
    if expected is None:
        expected = np.swapaxes(came, 1, 2)
    found, hint = likely_cause(came, expected, 1e-9, context=context)
    assert found == cause
    assert (hint is None) == (cause is None)


@pytest.mark.parametrize("name", KNOWN)
def test_nothing_is_blamed_where_the_bound_is_larger_than_the_error(name):
    came, expected, context, _ = KNOWN[name]
    if expected is not None and np.shape(came) == np.shape(expected) and np.isrealobj(came):
        cause, _ = likely_cause(came, expected, 100.0, context=context)
        assert cause in (None, "not a number")


@pytest.mark.parametrize(
    "name", [name for name in KNOWN if KNOWN[name][3] not in ("dtype", "not a number", None)]
)
def test_a_cause_is_seen_through_a_little_noise(name):
    came, expected, context, cause = KNOWN[name]
    if expected is None:
        expected = np.swapaxes(came, 1, 2)
    noisy = expected + RNG.uniform(-1, 1, size=np.shape(expected)) * 1e-6 * np.abs(expected).max()
    bound = 1e-6 * np.abs(expected).max()
    assert likely_cause(came, noisy, bound, context=context)[0] == cause


@pytest.mark.parametrize("scale", [1e-300, 1e-30, 1e30, 1e300])
@pytest.mark.parametrize(
    "name", ["the opposite sign", "twice", "n too large", "reversed", "permuted", "a row of nothing"]
)
def test_the_size_of_the_numbers_does_not_matter(name, scale):
    came, expected, context, cause = KNOWN[name]
    assert likely_cause(scale * came, scale * expected, 0.0, context=context)[0] == cause


def test_a_hint_has_the_numbers():
    assert likely_cause(WIDE / 6, WIDE, context={"n": 6})[1] == "every entry is 6 times too small, and n = 6"
    assert (
        likely_cause(9 * WIDE, WIDE, context={"T": 3.0})[1] == "every entry is 9 times too large, and T² = 9"
    )
    assert likely_cause(1.75 * WIDE, WIDE)[1] == "every entry is 7/4 times what is expected"
    assert likely_cause(3 * WIDE, WIDE)[1] == "every entry is 3 times too large, and there are 3 rows"
    two = likely_cause(2 * WIDE, WIDE, context={"n": 2, "T": 2.0})[1]
    assert two == "every entry is 2 times too large, and n = 2 and T = 2: each would explain it"
    assert likely_cause(with_zeros(WIDE, 1), WIDE)[1] == "5 of 15 entries are 0, but must not be"
    assert likely_cause(np.roll(LONG, 6), LONG)[1] == "the entries are rolled by -1 along axis 0"
    assert likely_cause(WIDE - 0.25, WIDE)[1] == "every entry is 0.25 too small"


def test_what_came_from_an_earlier_call_is_stale():
    assert likely_cause(SQUARE[:3], SQUARE[1:], 1e-9, earlier=SQUARE[:3])[0] == "stale"
    assert likely_cause(SQUARE[:3], SQUARE[1:], 1e-9, earlier=[WIDE, SQUARE[:3]])[0] == "stale"


def test_what_adds_to_an_earlier_call_is_accumulated():
    assert likely_cause(SQUARE[1:] + SQUARE[:3], SQUARE[1:], 1e-9, earlier=SQUARE[:3])[0] == "accumulated"


def test_suspects_come_first():
    suspects = {
        "activation": [(2 * WIDE, "the derivative is not squared")],
        "missing": [(3 * WIDE, "a term")],
    }
    assert likely_cause(2 * WIDE, WIDE, suspects=suspects) == ("activation", "the derivative is not squared")
    assert likely_cause(3 * WIDE, WIDE, suspects=suspects) == ("missing", "a term")
    assert likely_cause(-WIDE, WIDE, suspects=suspects)[0] == "sign"


def test_a_suspect_that_would_be_right_is_not_blamed():
    assert likely_cause(WIDE, WIDE, 1e-9, suspects={"activation": [(WIDE, "no")]}) == (None, None)


def test_a_suspect_may_have_another_shape():
    suspects = {"broadcast sum": [(LONG[:1], "only one row")]}
    assert likely_cause(LONG[:1], LONG, suspects=suspects) == ("broadcast sum", "only one row")


def test_entries_of_which_nothing_is_known_are_left_out():
    came = 2 * WIDE
    came[0, 0] = 77
    bound = np.where(np.arange(15).reshape(3, 5) == 0, np.inf, 1e-9)
    assert likely_cause(came, WIDE, bound)[0] == "factor 2"


def test_an_unknown_cause_is_refused():
    with pytest.raises(ValueError, match="must be one of CAUSES, got 'magic'"):
        likely_cause(WIDE, WIDE, suspects={"magic": []})


@given(st.integers(0, 2**32 - 1), st.integers(1, 4), st.integers(1, 4))
def test_chance_is_not_a_cause(seed, rows, columns):
    rng = np.random.default_rng(seed)
    came, expected = rng.normal(size=(2, rows, columns))
    assert likely_cause(came, expected, 1e-9)[0] is None


@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from([-1.0, 2.0, 0.5, 6.0, 1 / 6]),
    st.integers(1, 5),
    st.integers(1, 5),
)
def test_a_factor_is_found_in_any_array(seed, factor, rows, columns):
    expected = np.random.default_rng(seed).normal(size=(rows, columns))
    cause, hint = likely_cause(factor * expected, expected, 1e-10, context={"n": 6})
    assert cause == {-1.0: "sign", 2.0: "factor 2", 0.5: "factor 2"}.get(factor, "mean against sum")
    assert hint


def test_every_cause_is_explained_in_a_sentence():
    assert all(len(text) > 10 and not text.endswith(".") for text in CAUSES.values())
