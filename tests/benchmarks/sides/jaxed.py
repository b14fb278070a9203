"""JAX: every kind of work one jitted function, with its state donated; Adam by hand."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from .. import data, processes
from . import STEPS, Work

BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8


def _logits(parameters, x):
    for W, b in parameters[:-1]:
        x = jax.nn.relu(x @ W.T + b)
    W, b = parameters[-1]
    return x @ W.T + b


def _loss(parameters, x, y):
    log_p = jax.nn.log_softmax(_logits(parameters, x))
    return -jnp.take_along_axis(log_p, y[:, None], axis=1).mean()


def _parameters(widths):
    return jax.tree.map(jnp.asarray, data.parameters(widths))


@partial(jax.jit, donate_argnums=0)
def _sgd(state, x, y, rows):
    (parameters,) = state
    gradient = jax.grad(_loss)(parameters, x[rows], y[rows])
    return (jax.tree.map(lambda p, g: p - STEPS["sgd"] * g, parameters, gradient),)


@partial(jax.jit, donate_argnums=0)
def _adam(state, x, y, rows):
    parameters, m, v, t = state
    gradient = jax.grad(_loss)(parameters, x[rows], y[rows])
    t = t + 1
    m = jax.tree.map(lambda m, g: BETA1 * m + (1 - BETA1) * g, m, gradient)
    v = jax.tree.map(lambda v, g: BETA2 * v + (1 - BETA2) * g * g, v, gradient)
    c1, c2 = 1 - BETA1**t, 1 - BETA2**t
    parameters = jax.tree.map(
        lambda p, m, v: p - STEPS["adam"] * (m / c1) / (jnp.sqrt(v / c2) + EPSILON), parameters, m, v
    )
    return parameters, m, v, t


def step(widths, batch, optimizer):
    """A step, the gather of its batch inside."""
    x, y = data.samples_for(widths)
    x, y = jnp.asarray(x), jnp.asarray(y.astype(np.int32))
    batches = data.batches(len(x), batch)
    parameters = _parameters(widths)
    zeros = [jax.tree.map(jnp.zeros_like, parameters) for _ in "mv"]
    states = {"sgd": (parameters,), "adam": (parameters, *zeros, jnp.float32(0))}
    state, stepped = states[optimizer], {"sgd": _sgd, "adam": _adam}[optimizer]

    def unit():
        nonlocal state
        state = stepped(state, x, y, next(batches).astype(np.int32))

    return Work(unit, lambda: jax.block_until_ready(state), lambda: data.theta_of(state[0]))


def predict(widths, rows):
    """Labels for rows."""
    parameters = _parameters(widths)
    labels = jax.jit(lambda parameters, x: _logits(parameters, x).argmax(1))
    x, _ = data.rows_like_digits(rows, widths[0], widths[-1])

    def unit():
        return np.asarray(labels(parameters, x))

    return Work(unit, outcome=unit)


def startup(what):
    """A process that loads weights and predicts a row."""
    path = str(processes.FOLDER / "jax.npz")
    (W1, b1), (W2, b2) = data.parameters((64, 100, 10))
    np.savez(path, W1=W1, b1=b1, W2=W2, b2=b2)
    return processes.started(f"""
import numpy as np, jax
with np.load({path!r}) as p:
    p = dict(p)
logits = jax.jit(lambda p, x: jax.nn.relu(x @ p["W1"].T + p["b1"]) @ p["W2"].T + p["b2"])
np.asarray(logits(p, np.zeros((1, 64), np.float32)).argmax(1))
""")
