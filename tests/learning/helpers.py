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


def pixels(labels, n=10, seed=0):
    """Return the same points in [0, 1], where they can be painted."""
    x, y = points(labels, n, seed)
    return np.clip(x / 20 + 0.5, 0, 1), y


#: generators so small that they cost nothing
TINY = {
    "generative_replay": "generative_replay(hidden=(8,), latent=2)",
    "bir": "bir(hidden=(8,), latent=2)",
    "generative_classifier": "generative_classifier(hidden=(8,), latent=2, samples=5)",
}


def tiny(name):
    """Return the text of the method by that name, of ordinary or of very small size."""
    return TINY.get(name, name) if isinstance(name, str) else name


def must_be_told(learner):
    return learner.isolation is not None


def learn_tasks(learner, *tasks, first=0):
    """Let the learner learn tasks, each a pair (x, y); tell it their ids where it must be told."""
    for number, (x, y) in enumerate(tasks, first):
        learner.learn(x, y, task=number if must_be_told(learner) else None)
    return learner


def arrays(thing, seen=None):
    """Yield every array that an object holds, wherever in it."""
    seen = set() if seen is None else seen
    if id(thing) in seen:
        return
    seen.add(id(thing))
    if isinstance(thing, np.ndarray):
        yield thing
    elif isinstance(thing, dict | list | tuple | set):
        for item in thing.values() if isinstance(thing, dict) else thing:
            yield from arrays(item, seen)
    elif hasattr(thing, "__dict__") and not inspect.isroutine(thing) and not inspect.isclass(thing):
        yield from arrays(vars(thing), seen)


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
