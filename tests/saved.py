"""What the tests of saved models share: small models of every kind, and a look at every bit."""

import inspect
from functools import partial

import numpy as np
from scipy.sparse import csr_array, issparse

from incrlearn import IncrementalClassifier, IncrementalRegressor, Method, Network
from incrlearn.learning import (
    L1,
    ElasticNet,
    Everything,
    Features,
    Logits,
    Relations,
    Replay,
    ReservoirMemory,
)

ROWS, COLUMNS = 12, 3


def peak_megabytes():
    """Return the most memory that this process ever held (ru_maxrss would count the parent's, too)."""
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) // 1024


def data(seed=0, *, sparse=False, values=0):
    """Return a few rows of features, and labels or values."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(ROWS, COLUMNS))
    if sparse:
        x = csr_array(np.where(rng.random(x.shape) < 0.5, x, 0.0))
    return x, rng.normal(size=(ROWS, values)) if values else rng.integers(0, 3, ROWS)


def teacher(outputs, hidden=2):
    return Network.mlp(COLUMNS, hidden, outputs, rng=np.random.default_rng(0), dtype="float64")


SMALL = {"hidden_layer_sizes": (2,), "n_epochs": 1, "random_state": 0, "memory_size": 8}
classifier = partial(IncrementalClassifier, **SMALL)
regressor = partial(IncrementalRegressor, **SMALL)


def examples():
    """Return models, what their data is like, and a task's id: together they hold whatever a file can."""
    terms = [Logits(), Features(), Relations(), L1(0.1), ElasticNet(0.1, 0.5, anchored=True)]
    given = [Logits(teacher=teacher(3)), Features(teacher=teacher(3, 4)), Relations(teacher=teacher(2))]
    replayed = [Replay("1/k", loss="binary_cross_entropy")]
    return {
        "by default": (classifier(), {}, None),
        "tasks known by id": (classifier("replay+logits+l2_anchored"), {}, "a"),
        "every term": (classifier([*replayed, *terms], activation="tanh"), {}, (1, "b")),
        "given teachers": (classifier(Method(given, Everything()), optimizer="sgd"), {}, 3),
        "sparse": (classifier("replay+features+l2_anchored"), {"sparse": True}, None),
        "sparse, as it comes": (classifier("joint", standardize=False), {"sparse": True}, None),
        "balanced": (classifier("replay(per_class=2)", activation="sigmoid"), {}, None),
        "values": (regressor("replay+logits+l1_anchored"), {"values": 2}, None),
        "plain values": (
            regressor(Method([Replay()], ReservoirMemory(5)), standardize=False),
            {"values": 1},
            1,
        ),
    }


def learned(name):
    """Return an example that has learned twice, its data, and its task's id."""
    model, options, task = examples()[name]
    for seed in range(2):
        model.partial_fit(*data(seed, **options), task=task)
    return model, data(2, **options), task


def bits(thing):
    """Return everything an object holds, as nested tuples that compare bit by bit."""
    if isinstance(thing, np.ndarray) and thing.dtype != object:
        return thing.dtype.str, thing.shape, thing.flags.fnc, thing.tobytes()
    if issparse(thing):
        return thing.format, bits([thing.data, thing.indices, thing.indptr, thing.shape])
    if isinstance(thing, np.random.Generator):
        return bits(thing.bit_generator.state)
    if isinstance(thing, dict):
        return tuple((repr(key), bits(value)) for key, value in thing.items())
    if isinstance(thing, list | tuple | np.ndarray):
        return type(thing).__name__, tuple(bits(item) for item in thing)
    if hasattr(thing, "__dict__") and not inspect.isroutine(thing) and not inspect.isclass(thing):
        return type(thing).__name__, tuple((name, bits(part)) for name, part in sorted(vars(thing).items()))
    return repr(thing)
