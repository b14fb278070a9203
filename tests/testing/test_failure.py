"""How a failure prints, and what travels with it."""

import copy
import pickle

import numpy as np
import pytest

from incrlearn.testing import Checked, Failure, Untold, check_gradient
from incrlearn.testing.failure import shown


def full():
    return Failure("∂L/∂W", place=(1, 0), came=8.0, expected=12.0, bound=1e-9, cause="factor",
                   hint="every entry is 2/3 of what is expected", block="W",
                   extent="3 of 6 entries are wrong, in W; b is right",
                   example="x = np.array([[1.0, -2.0]])\ncheck_layer(layer, x)\n")  # fmt: skip


def test_a_failure_prints_what_where_why_and_an_example():
    assert str(full()) == (
        "the gradient ∂L/∂W at [1, 0] is 8, but must be 12 ± 1e-9\n"
        "3 of 6 entries are wrong, in W; b is right\n"
        "likely cause: factor — every entry is 2/3 of what is expected\n"
        "smallest example:\n"
        "    x = np.array([[1.0, -2.0]])\n"
        "    check_layer(layer, x)"
    )


def test_what_is_no_gradient_is_called_by_its_name():
    assert str(Failure("forward(x)", came=1.0, expected=2.0)) == "forward(x) is 1, but must be 2"
    assert str(Failure("forward(x)")) == "forward(x) is wrong"


def test_a_cause_without_a_hint_is_explained():
    text = str(Failure("y", place=(0,), came=1.0, expected=2.0, cause="kink"))
    assert "likely cause: kink — at a kink the gradient must lie between" in text


def test_a_sentence_that_says_it_all_needs_no_explanation():
    text = str(Failure("x", cause="modified", said="backward changes its argument x"))
    assert text == "backward changes its argument x"


def test_no_line_is_wider_than_a_terminal_but_code():
    failure = Failure("y", said="word " * 60, hint="other " * 60, cause="factor", extent="3 of 6 " * 30)
    assert max(map(len, str(failure).splitlines())) <= 80
    code = "x = " + "1 + " * 60 + "1"
    assert f"    {code}" in str(failure.with_example(code)).splitlines()


def test_arrays_are_shortened():
    text = str(Failure("y", came=np.arange(1000.0), expected=np.ones((50, 50))))
    assert len(text) < 300
    assert "…" in text


def test_a_failure_is_an_assertion_error():
    with pytest.raises(AssertionError, match="must be 12"):
        raise full()


@pytest.mark.parametrize(
    "make", [full, lambda: Untold("∂f/∂x", said="nothing can be told")], ids=["full", "untold"]
)
def test_a_failure_survives_a_process(make):
    failure = make()
    for other in (pickle.loads(pickle.dumps(failure)), copy.copy(failure)):
        assert type(other) is type(failure)
        assert str(other) == str(failure)
        assert vars(other) == vars(failure)


def test_with_example_is_a_copy():
    failure = full()
    other = failure.with_example("pass")
    assert other.example == "pass"
    assert failure.example != "pass"
    assert other.cause == "factor"


def test_with_name_is_a_copy_for_another_check():
    other = full().with_name("∂L/∂b", block="b")
    assert (other.check, other.block) == ("∂L/∂b", "b")
    assert full().with_name("∂L/∂b").block == "W"


def test_a_cause_that_is_not_known_is_refused():
    with pytest.raises(ValueError, match="one of CAUSES, got 'bad luck'"):
        Failure("y", cause="bad luck")


@pytest.mark.parametrize(
    ("value", "text"),
    [(1.0, "1"), (np.float32(0.5), "0.5"), (1 / 3, "0.3333333333"), ([1, 2], "[1, 2]"), (None, "None"),
     (np.zeros((2, 2)), "[[0, 0], [0, 0]]"), (np.nan, "nan"), (["a"], "['a']"), (True, "True")],
)  # fmt: skip
def test_numbers_are_shown_short(value, text):
    assert shown(value) == text


def test_a_check_that_found_nothing_prints_in_a_line():
    assert repr(Checked()) == "Checked()"
    assert repr(Checked(entries=1, how="complex step")) == "Checked(1 entry by complex step, no error)"
    assert repr(Checked(examples=50, checks=("shape", "dtype"))) == "Checked(50 examples and 2 checks)"
    more = Checked(directions=20, how="differences", kinks=((0,),), untold=3, worst=2e-9)
    assert repr(more) == "Checked(20 directions by differences, 1 kink, 3 untold, worst error 2e-9)"


def test_checks_add_up():
    one = Checked(entries=2, how="differences", worst=1e-9, checks=("a",), kinks=((0,),))
    two = Checked(entries=3, how="complex step", worst=1e-8, checks=("a", "b"), untold=1)
    both = one + two
    assert (both.entries, both.worst, both.checks, both.untold, both.kinks) == (
        5,
        1e-8,
        ("a", "b"),
        1,
        ((0,),),
    )
    assert both.how == "complex step and differences"
    assert (Checked() + one).how == "differences"
    assert (one + Checked()).how == "differences"
    assert sum([one, two], Checked()).entries == 5


def test_names_of_other_checks_are_noted_once():
    checked = Checked(checks=("shape",)).with_checks("shape", "dtype", examples=7)
    assert (checked.checks, checked.examples) == (("shape", "dtype"), 7)


def test_pytest_shows_the_text_of_a_failure(capsys):
    with pytest.raises(Failure) as caught:
        check_gradient(lambda x: (np.sum(x * x), x), [1.0, 2.0])
    assert "likely cause: factor 2 — every entry is 2 times too small" in str(caught.value)
