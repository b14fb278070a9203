"""What the tests of saved models share: small models of every kind, and a look at every bit."""

import inspect
from functools import partial

import numpy as np
from scipy.sparse import csr_array, issparse

from incrlearn import IncrementalClassifier, IncrementalRegressor, Method, Network
from incrlearn.learning import (
    AGEM,
    EWC,
    GEM,
    L1,
    MAS,
    METHODS,
    OGD,
    SI,
    AsymmetricCrossEntropy,
    ConditionalGeneratorMemory,
    DarkReplay,
    DistilledBinaryCrossEntropy,
    ElasticNet,
    Everything,
    Features,
    Gating,
    GenerativeClassifier,
    GeneratorMemory,
    GreedyMemory,
    HerdingMemory,
    Logits,
    NearestMean,
    Relations,
    Replay,
    ReservoirMemory,
    SoftReplay,
    as_method,
)

ROWS, COLUMNS = 12, 3


def peak_megabytes():
    """Return the most memory that this process ever held (ru_maxrss would count the parent's, too)."""
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) // 1024


def data(seed=0, *, sparse=False, values=0, painted=False):
    """Return a few rows of features, in [0, 1] if they are to be painted, and labels or values."""
    rng = np.random.default_rng(seed)
    x = rng.random((ROWS, COLUMNS)) if painted else rng.normal(size=(ROWS, COLUMNS))
    if sparse:
        x = csr_array(np.where(rng.random(x.shape) < 0.5, x, 0.0))
    return x, rng.normal(size=(ROWS, values)) if values else rng.integers(0, 3, ROWS)


def teacher(outputs, hidden=2):
    return Network.mlp(COLUMNS, hidden, outputs, rng=np.random.default_rng(0), dtype="float64")


SMALL = {"hidden_layer_sizes": (2,), "n_epochs": 1, "random_state": 0, "memory_size": 8}
classifier = partial(IncrementalClassifier, **SMALL)
regressor = partial(IncrementalRegressor, **SMALL)


#: the recipes by name, those that paint with models that are as small as everything here
RECIPES = {name: name for name in METHODS} | {
    name: f"{name}(hidden=(3,), latent=2)" for name in ("generative_replay", "bir", "generative_classifier")
}


def is_painted(method):
    """Say whether a method wants rows in [0, 1]."""
    parts = as_method(method).ingredients
    return any(isinstance(part, GeneratorMemory | GenerativeClassifier) for part in parts)


def task_for(method, wanted):
    """Return the task that a method can be told: the one that is wanted, None, or in its place another."""
    scenarios = as_method(method).scenarios
    if scenarios == ("task",):
        return "told" if wanted is None else wanted
    return wanted if "task" in scenarios else None


def examples():
    """Return models, what their data is like, and a task's id: together they hold whatever a file can."""
    consolidated = Method([EWC(online=True, decay=0.5), SI(), MAS(), OGD(2)])
    bent = Method([AGEM(), GEM(), DarkReplay(0.3, 0.5)], ReservoirMemory(5, logits=True))
    means = Method(
        [DistilledBinaryCrossEntropy()], HerdingMemory(2, mixed=True, size=5), decision=NearestMean()
    )
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
        "values": (regressor("replay+features+l1_anchored"), {"values": 2}, None),
        "plain values": (
            regressor(Method([Replay()], ReservoirMemory(5)), standardize=False),
            {"values": 1},
            1,
        ),
        "consolidated": (classifier(consolidated), {}, None),
        "consolidated, sparse": (classifier("ewc+ogd(per_task=2)"), {"sparse": True}, "a"),
        "bent": (classifier(bent, optimizer="sgd"), {}, None),
        "means": (classifier(means), {}, None),
        "greedy": (
            classifier(Method([AsymmetricCrossEntropy()], GreedyMemory(5), restart=True)),
            {},
            None,
        ),
        "imagined": (
            classifier(Method([Replay("1/k")], GeneratorMemory((3,), 2))),
            {"painted": True},
            "a",
        ),
        "imagined by class": (
            classifier(Method([SoftReplay()], ConditionalGeneratorMemory((3,), 2))),
            {"painted": True},
            "a",
        ),
        "a model for every class": (
            classifier(Method(decision=GenerativeClassifier((2,), 1, samples=3))),
            {"painted": True},
            None,
        ),
        "gates": (classifier(Method([MAS()], isolation=Gating(0.5)), hidden_layer_sizes=(3, 2)), {}, "a"),
        "separate": (classifier("separate"), {}, "a"),
        "separate values": (regressor("separate"), {"values": 1}, "a"),
    }


def another_task(name):
    """Return another task's id for an example, None where tasks can not be told."""
    return task_for(examples()[name][0]._method(), "another")


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
