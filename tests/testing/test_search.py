"""The search for the smallest example: the same every time, inside of another search, as code to paste."""

import sys

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from incrlearn.testing import Checked, Failure, check_layer, check_optimizer
from incrlearn.testing.failure import Untold
from incrlearn.testing.search import MANY, code, normal, numbers, search

from .test_layers import Half


def above(limit):
    """Return a check that fails for whole numbers above a limit, and remembers what it has seen."""

    def check(n):
        check.seen.append(n)
        if n > limit:
            raise Failure("n", came=n, expected=limit, example=f"check({n})")
        return Checked(entries=1)

    check.seen = []
    return check


def test_all_examples_are_counted():
    assert search(above(10), st.integers(0, 10), first=[3], examples=20).examples >= 11


@pytest.mark.parametrize("limit", [0, 7, 600])
def test_the_smallest_example_is_found_and_put_into_the_failure(limit):
    with pytest.raises(Failure) as raised:
        search(above(limit), st.integers(0, 100_000))
    assert raised.value.came == limit + 1
    assert str(raised.value).endswith(f"smallest example:\n    check({limit + 1})")
    assert not getattr(raised.value, "__notes__", [])


def test_the_search_is_the_same_every_time_and_another_with_another_seed():
    seen = []
    for seed in (0, 0, 1):
        check = above(10**9)
        search(check, st.integers(0, 10**9), seed=seed)
        seen.append(check.seen)
    assert seen[0] == seen[1] != seen[2]


@settings(max_examples=5)
@given(st.integers(0, 50))
def test_a_search_may_run_inside_of_another(limit):
    with pytest.raises(Failure) as raised:
        search(above(limit), st.integers(0, 100_000))
    assert raised.value.came == limit + 1


@settings(max_examples=3)
@given(st.floats(0.25, 0.75))
def test_a_layer_may_be_checked_inside_of_a_search(share):
    with pytest.raises(Failure) as raised:
        check_layer(Half(share), examples=3)
    assert raised.value.example


def test_a_smaller_example_fails_for_the_same_cause():
    """Below 10 another thing is wrong: the failure must not slip there."""

    def check(n):
        if n > 3:
            raise Failure("n", cause="sign" if n < 10 else "factor", example=f"check({n})")
        return Checked()

    with pytest.raises(Failure) as raised:
        search(check, st.integers(0, 10**6), first=[500])
    assert raised.value.cause == "factor"


def test_a_cause_that_only_a_larger_example_shows_says_so():
    """A sum of two rows is twice their mean: the sentence's numbers are not those of the smallest example."""

    def check(n):
        if n > 1:
            cause = "factor 2" if n == 2 else "mean against sum"
            raise Failure("n", cause=cause, hint=f"it is {n} times too large", example=f"check({n})")
        return Checked()

    with pytest.raises(Failure) as raised:
        search(check, st.integers(0, 1000))
    assert raised.value.example == "check(2)"
    assert raised.value.cause == "mean against sum"
    assert raised.value.hint.startswith("in a larger example it is ")
    assert raised.value.hint != "in a larger example it is 2 times too large"


def test_what_fails_only_once_is_a_failure_too():
    """A check that keeps something from call to call does not fail again when Hypothesis asks."""
    calls = []

    def check(n):
        calls.append(n)
        if len(calls) == 4:
            raise Failure("once", example=f"check({n})")
        return Checked()

    with pytest.raises(Failure, match="once"):
        search(check, st.integers(0, 100))


def test_another_error_is_raised_as_it_is():
    def check(n):
        raise ZeroDivisionError("n")

    with pytest.raises(ZeroDivisionError):
        search(check, st.integers(0, 100))


def test_where_no_example_tells_anything_that_is_said():
    def check(n):
        raise Untold("f", said="nothing can be told")

    with pytest.raises(Untold):
        search(check, st.integers(0, 100))


def test_where_some_examples_tell_nothing_the_others_count():
    def check(n):
        if n % 2:
            raise Untold("f", said="nothing can be told")
        return Checked(entries=1)

    assert search(check, st.integers(0, 100)).entries


def test_rows_columns_entries_and_digits_that_are_not_needed_are_cut():
    def check(example):
        x, y = example
        if (x > 2).any() and len(x) == len(y):
            raise Failure("x", example=code("x", x) + "\n" + code("y", y))
        return Checked()

    rng = np.random.default_rng(0)
    example = rng.normal(size=(5, 3)) + 3, rng.normal(size=(5, 2))
    with pytest.raises(Failure) as raised:
        search(check, st.nothing(), first=[example], together=[((0, 0), (1, 0)), ((0, 1),)])
    x, y = run(raised.value.example)["x"], run(raised.value.example)["y"]
    assert x.shape == (1, 1)
    assert x[0, 0] == round(x[0, 0]) > 2
    assert y.tolist() == [[0, 0]]


def run(lines):
    names = {"np": np}
    exec(lines, names)
    return names


ARRAYS = [
    np.array([[0.1, -2.0], [1e-30, 3.0]]),
    np.array([1.0]),
    np.array([-0.0, 5e-324, 1.7976931348623157e308, np.nan, np.inf, -np.inf]),
    np.array([[0.1]], np.float32),
    np.array([1, 2]),
    np.array([True, False]),
    np.zeros((0, 3)),
    np.zeros((2, 0), np.float32),
    np.ones((2, 2, 2)),
    normal((20, 10), 3),
]


@pytest.mark.parametrize("array", ARRAYS, ids=lambda array: f"{array.dtype}-{array.shape}")
def test_code_for_an_array_gives_the_same_bits(array):
    again = run(code("x", array))["x"]
    assert (again.dtype, again.shape) == (array.dtype, array.shape)
    assert again.tobytes() == array.tobytes()


def test_large_arrays_are_told_by_their_seed():
    assert code("x", normal((20, 10), 3)) == "x = np.random.default_rng(3).normal(size=(20, 10))"
    assert code("x", np.ones(100)) == "x = ...  # as it was given"


@settings(max_examples=20)
@given(st.data())
def test_large_arrays_are_drawn_by_a_seed(data):
    array = data.draw(numbers((MANY + 1,)))
    assert code("x", array).startswith("x = np.random.default_rng(")


@pytest.mark.parametrize("check", [lambda: check_layer(Half(0.5)), lambda: check_optimizer(Nothing)])
def test_without_hypothesis_it_is_said_how_to_install_it(monkeypatch, check):
    monkeypatch.setitem(sys.modules, "hypothesis", None)
    with pytest.raises(ImportError, match="pip install hypothesis"):
        check()


class Nothing:
    def step(self, theta, gradient):
        pass


def test_without_hypothesis_given_inputs_are_checked(monkeypatch):
    monkeypatch.setitem(sys.modules, "hypothesis", None)
    with pytest.raises(Failure):
        check_layer(Half(0.5), np.ones((2, 2)))
    check_optimizer(Nothing, gradients=np.ones((2, 2)))
