"""incrlearn: what a user calls, as it is called."""

import numpy as np

from incrlearn import SGD, Adam, Learner, Network

from .. import data
from . import STEPS, Work

FOREVER = 10**9


def _learner(widths, optimizer="sgd", batch=128, method="none", steps=FOREVER):
    network = Network.mlp(*widths, rng=np.random.default_rng(0))
    network.theta = data.theta_of(data.parameters(widths))
    return Learner(
        network,
        method,
        rng=np.random.default_rng(0),
        optimizer={"sgd": SGD, "adam": Adam}[optimizer](STEPS[optimizer]),
        batch_size=batch,
        steps=steps,
        classes=range(widths[-1]),
    )


def step(widths, batch, optimizer):
    """A step of learning, as the library's own loop takes it."""
    learner = _learner(widths, optimizer, batch)
    steps = learner.learn_steps(*data.samples_for(widths))
    return Work(lambda: next(steps), outcome=lambda: learner.network.theta.copy())


def predict(widths, rows):
    """Labels for rows, from an array to an array."""
    learner = _learner(widths)
    x, _ = data.rows_like_digits(rows, widths[0], widths[-1])
    return Work(lambda: learner.predict(x), outcome=lambda: learner.predict(x))
