"""scikit-learn: MLPClassifier, by partial_fit."""

import pickle

import numpy as np
from sklearn.neural_network import MLPClassifier

from .. import data, processes
from . import STEPS, Work


def _classifier(widths, x, y, optimizer="sgd", batch=128):
    """Return a classifier that has our first parameters, and has not learned yet."""
    model = MLPClassifier(
        widths[1:-1],
        solver=optimizer,
        learning_rate_init=STEPS[optimizer],
        batch_size=batch,
        alpha=0,
        momentum=0,
        nesterovs_momentum=False,
        shuffle=False,
    )
    model.partial_fit(x[:batch], y[:batch], classes=np.arange(widths[-1]))  # it makes its arrays here
    for k, (W, b) in enumerate(data.parameters(widths)):
        model.coefs_[k][:], model.intercepts_[k][:] = W.T, b
    del model._optimizer  # it remembers that first step; it is made again at the next
    return model


def step(widths, batch, optimizer):
    """A step: partial_fit on one batch."""
    x, y = data.samples_for(widths)
    model = _classifier(widths, x, y, optimizer, batch)
    batches = data.batches(len(x), batch)

    def unit():
        rows = next(batches)
        model.partial_fit(x[rows], y[rows])

    def theta():
        return data.theta_of([(W.T, b) for W, b in zip(model.coefs_, model.intercepts_, strict=True)])

    return Work(unit, outcome=theta)


def predict(widths, rows):
    """Labels for rows."""
    model = _classifier(widths, *data.samples_for(widths))
    x, _ = data.rows_like_digits(rows, widths[0], widths[-1])
    return Work(lambda: model.predict(x), outcome=lambda: model.predict(x))


def startup(what):
    """A process that loads a model and predicts a row."""
    path = processes.FOLDER / "scikit.pickle"
    path.write_bytes(pickle.dumps(_classifier((64, 100, 10), *data.samples_for((64, 10)))))
    return processes.started(f"""
import pickle
with open({str(path)!r}, "rb") as file:
    model = pickle.load(file)
model.predict([[0.0] * 64])
""")


def memory(what):
    """The peak memory of a process that trains on the digits, a class at a time."""
    x, y = processes.digits(processes.FOLDER)
    return processes.peak(f"""
import numpy as np
from sklearn.neural_network import MLPClassifier
x, y = np.load({x!r}), np.load({y!r})
model = MLPClassifier((100,), batch_size=32, learning_rate_init=0.003)
for digit in range(10):
    for _ in range(50):
        model.partial_fit(x[y == digit], y[y == digit], classes=range(10))
""")
