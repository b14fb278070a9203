"""The command that looks for accusations finds one, counts what was told, and draws the same by seed."""

import hypothesis.strategies as st
import numpy as np
import pytest

from incrlearn.testing import Untold, check_gradient

from . import accusations
from . import test_everything as walk
from .accusations import Subject, everybody, hear, main
from .gallery import GALLERY


def subject(check, strategy=None):
    return Subject("function", "mine", st.floats(-4, 4) if strategy is None else strategy, check)


def square(x, slope=2.0):
    return check_gradient(lambda x: (float(x**2), slope * x), np.float64(x))


def test_everything_that_the_walk_finds_is_there():
    there = {(one.kind, one.name) for one in everybody()}
    wanted = {("formula", formula.name) for formula in walk.FORMULAS}
    wanted |= {("layer", name) for name in walk.LAYERS}
    wanted |= {("term", kind.__name__) for kind in walk.kinds_of_terms()}
    wanted |= {("optimizer", name) for name in walk.RIGHT_OPTIMIZERS}
    wanted |= {("objective", kind.__name__) for kind in walk.OBJECTIVES}
    wanted |= {("method", name) for name in walk.TRAINED}
    wanted |= {("importance", name) for name in walk.IMPORTANCES}
    wanted |= {("twin", bug.name) for bug in GALLERY}
    assert wanted <= there
    assert {kind for kind, _ in there} == set(accusations.SHARES)


def test_a_wrong_one_is_accused_and_the_message_has_the_example():
    said, wrong = [], subject(lambda x: square(x, slope=3.0))
    hear([wrong], 20, 0, say=said.append)
    assert wrong.told >= 20
    assert wrong.accusations
    message = next(iter(wrong.accusations))
    assert message.startswith("Failure: the gradient ∂f/∂x at [] is")
    assert "example: " in message
    assert f"function mine: {message}" in said


def test_what_can_not_be_told_does_not_count():
    def untold(x):
        raise Untold("f(x)")

    one = subject(untold)
    hear([one], 20, 0)
    assert one.told == 0
    assert one.untold >= 20
    assert not one.accusations


def test_the_same_seed_draws_the_same_examples():
    def drawn(seed):
        seen = []
        hear([subject(lambda x: seen.append(x) or square(x))], 30, seed)
        return seen

    assert drawn(1) == drawn(1)
    assert drawn(1) != drawn(2)


@pytest.mark.parametrize(("slope", "accused"), [(2.0, False), (3.0, True)])
def test_the_command_says_how_many_and_fails_if_there_are_accusations(slope, accused, capsys, monkeypatch):
    monkeypatch.setattr(accusations, "everybody", lambda: [subject(lambda x: square(x, slope))])
    assert main(["--examples", "10", "--seed", "3"]) == accused
    lines = capsys.readouterr().out.splitlines()
    assert lines[-3].split()[:3] == ["function", "mine", "10"]
    assert lines[-1].startswith("10 examples, ")
    assert (" 0 accusations, seed 3, 0.0 minutes" in lines[-1]) == (not accused)


def test_it_ends_when_the_minutes_are_over(capsys, monkeypatch):
    monkeypatch.setattr(accusations, "everybody", lambda: [subject(square)] * 2)
    main(["--examples", "1000", "--minutes", "0"])
    assert capsys.readouterr().out.splitlines()[-3].split()[2] == "50"
