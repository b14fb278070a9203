"""Who is measured: a file for every side, in it a function for every kind of work that it can do.

A function is given the arguments of an entrant (`works.py`) and returns the `Work` to be timed.
"""

from collections.abc import Callable
from dataclasses import dataclass

STEPS = {"sgd": 0.01, "adam": 0.001}  # optimizers, by everyone's name for them, and their learning rates


def nothing():
    """Return None."""


@dataclass
class Work:
    """Work to be measured.

    unit : function, called again and again: one step, one prediction; where not seconds are asked for it
    returns what is; finish : function, returns when all units are really done; outcome : function, returns
    what has come of them: what tests compare between the sides.
    """

    unit: Callable
    finish: Callable = nothing
    outcome: Callable = nothing
