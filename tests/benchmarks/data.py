"""What all sides are given: the same samples, first parameters, and batches. NumPy alone."""

import itertools

import numpy as np

#: a multiple of every batch size, so that all batches are full: compilers are not asked for a second shape
SAMPLES = 12_288


def rows_like_digits(n, inputs=784, classes=10, seed=0):
    """Return float32 rows of which a fifth is filled, with values in [0, 1], and a class for each."""
    rng = np.random.default_rng(seed)
    y = rng.integers(classes, size=n)
    filled = rng.random((classes, inputs)) < 0.2
    return (filled[y] * rng.random((n, inputs))).astype(np.float32), y


def samples_for(widths):
    """Return the samples that a network of these widths learns from."""
    return rows_like_digits(SAMPLES, widths[0], widths[-1])


def parameters(widths, seed=1):
    """Return the first W (outputs, inputs) and b (outputs,) of every layer: U(±1/√inputs), float32."""
    rng = np.random.default_rng(seed)
    pairs = []
    for inputs, outputs in itertools.pairwise(widths):
        rows = rng.uniform(-1, 1, (outputs, inputs + 1)) / np.sqrt(inputs)
        pairs.append((rows[:, :-1].astype(np.float32), rows[:, -1].astype(np.float32)))
    return pairs


def theta_of(pairs):
    """Return the W and b of all layers as one vector as incrlearn has it: a unit is a row, its bias last."""
    return np.concatenate([np.column_stack(pair).reshape(-1) for pair in pairs])


def batches(n, batch):
    """Yield row numbers for ever, every row once before any comes again: those that incrlearn draws."""
    rng = np.random.default_rng(0)
    while True:
        order = rng.permutation(n)
        for start in range(0, n, batch):
            yield order[start : start + batch]
