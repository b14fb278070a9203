"""What the tests of this folder share: small problems, and a look at everything an object holds."""

import inspect

import numpy as np

from incrlearn import Network

CORNERS = 6.0 * np.array([[0, 0], [0, 1], [1, 0], [1, 1], [0, -1], [-1, 0], [-1, 1], [1, -1]])


def rng(seed=0):
    return np.random.default_rng(seed)


def points(labels, n=10, seed=0):
    """Return n points round the corner of every label, and their labels, shuffled."""
    random = rng(seed)
    y = random.permutation(np.repeat(labels, n))
    return CORNERS[y] + random.normal(size=(len(y), 2)), y


def small_network(*, outputs=0, dtype="float32", seed=0, **options):
    return Network.mlp(2, 12, outputs, rng=rng(seed), dtype=dtype, **options)


def state(thing):
    """Return everything an object holds, as nested tuples that compare bit by bit."""
    if isinstance(thing, np.ndarray):
        return thing.dtype.str, thing.shape, thing.tobytes()
    if isinstance(thing, np.random.Generator):
        return state(thing.bit_generator.state)
    if isinstance(thing, dict):
        return tuple((repr(key), state(value)) for key, value in thing.items())
    if isinstance(thing, list | tuple):
        return tuple(state(item) for item in thing)
    if hasattr(thing, "__dict__") and not inspect.isroutine(thing) and not inspect.isclass(thing):
        return type(thing).__name__, tuple((name, state(part)) for name, part in sorted(vars(thing).items()))
    return repr(thing)
