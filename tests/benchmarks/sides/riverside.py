"""River: a row at a time, as a dictionary. The dictionaries are made before the clock runs."""

import itertools

from river import linear_model, optim

from ... import streaming
from .. import data
from . import STEPS, Work


def rows(learner):
    """One row: by the class of that name in `river.linear_model`."""
    if learner == "SoftmaxRegression":
        x, y = data.samples_for((64, 10))
        model = linear_model.SoftmaxRegression(optim.SGD(STEPS["sgd"]))
    else:
        x, y = streaming.take(data.SAMPLES)
        model = getattr(linear_model, learner)()
    rows = [dict(enumerate(row)) for row in x.tolist()]
    pairs = itertools.cycle(zip(rows, y.tolist(), strict=True))
    return Work(lambda: model.learn_one(*next(pairs)))
