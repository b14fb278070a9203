"""Change everything in a saved model, one thing at a time, with a digest that is right, and see what happens.

    python -m tests.hostile_trees

A model made by hand must be refused with the one clear error, or become a model that works: it predicts,
learns and is saved, or says in a documented way what is wrong. What becomes of every change is counted.
"""

import copy
import resource
import sys
import tempfile
import warnings
from collections import Counter
from functools import partial
from pathlib import Path

import numpy as np

from incrlearn import IncrementalClassifier, IncrementalRegressor, Method, Network, load, saving
from incrlearn.learning import L1, ElasticNet, Everything, Features, Logits, Relations, Replay, ReservoirMemory
from incrlearn.learning.state import FIELDS
from incrlearn.storage import ModelFileError, read_archive

DOCUMENTED = (ValueError, TypeError, FloatingPointError)
ROWS, COLUMNS = 12, 3
ESTIMATORS = (IncrementalClassifier, IncrementalRegressor)


# ---- models that hold everything there is ------------------------------------------------------------


def data(seed=0, *, sparse=False, values=0):
    """Return a few rows of features, and labels or values."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(ROWS, COLUMNS))
    if sparse:
        from scipy.sparse import csr_array

        x = csr_array(np.where(rng.random(x.shape) < 0.5, x, 0.0))
    return x, rng.normal(size=(ROWS, values)) if values else rng.integers(0, 3, ROWS)


def teacher(outputs, inputs=COLUMNS):
    return Network.mlp(inputs, 2, outputs, rng=np.random.default_rng(0), dtype="float64")


def examples():
    """Return models, their data and the task's id, that together hold every class and every array."""
    small = {"hidden_layer_sizes": (2,), "n_epochs": 1, "random_state": 0, "memory_size": 8}
    terms = [Logits(0.5, 2.0), Features(1.0), Relations(1.0, 2.0), L1(0.1), ElasticNet(0.1, 0.5, anchored=True)]
    given = [Logits(teacher=teacher(3)), Features(teacher=teacher(3)), Relations(teacher=teacher(2))]
    classifier, regressor = partial(IncrementalClassifier, **small), partial(IncrementalRegressor, **small)
    return {
        "by default": (classifier(), data(), None),
        "tasks": (classifier("replay+logits+l2_anchored"), data(), "a"),
        "every term": (classifier([Replay("1/k"), *terms], activation="tanh"), data(), (1, "b")),
        "given teachers": (classifier(Method(given, Everything()), optimizer="sgd"), data(), 3),
        "sparse": (classifier("replay+features+l2_anchored"), data(sparse=True), None),
        "sparse as it comes": (classifier("joint", standardize=False), data(sparse=True), None),
        "balanced": (classifier("replay(per_class=2)", activation="sigmoid"), data(), None),
        "values": (regressor("replay+logits+l1_anchored"), data(values=2), None),
        "plain values": (regressor(Method([Replay()], ReservoirMemory(5)), standardize=False), data(values=1), 1),
    }


def learned(model, xy, task):
    x, y = xy
    return model.partial_fit(x, y, task=task).partial_fit(x, y, task=task)


# ---- one thing at a time -----------------------------------------------------------------------------

NODES = [
    *(None, True, False, -1, 0, 1, 2, 7, 2**53 - 1, 10**18, 2**70, -0.5, 0.0, 1e-320, 0.5, 1e300, "", "relu"),
    *([], {}, [[]], [0, 1], {"float": "nan"}, {"float": "inf"}, {"float": "-inf"}, {"floats": []}),
    *({"dict": {}}, {"pairs": []}, {"tuple": []}, {"tuple": [-5]}, {"pairs": [[[1], 2]]}, {"class": "Learner"}),
    *({"slice": [0, 1]}, {"slice": [None, None]}, {"slice": [3, 1]}, {"slice": [0, 10**15]}, {"slice": [-1, 9]}),
    *({"integers": []}, {"integers": [0]}, {"integers": [-1]}, {"integers": [10**9]}, {"integers": [0.5]}),
    *({"integers": [2**70]}, {"named": "divergence forward"}, {"named": "targets Values"}, {"named": []}),
    *({"dtype": "float32"}, {"dtype": "float64"}, {"dtype": "object"}, {"array": "nowhere"}, {"array": 3}),
    *({"generator": {}}, {"csr": {}}, {"nothing": 1}, {"class": "nothing"}, {"class": []}, {"array": {}}),
    {"class": "ReLU"},
    {"class": "CrossEntropy"},
    {"class": "SquaredError", "targets": {"named": "targets Values"}},
    {"class": "Everything", "samples": None},
    {"class": "SGD", "learning_rate": 0.1, "momentum": 0.5, "v": None},
    {"class": "SharedMemory", "samples": None, "size": 4, "keys": {"array": 0}, "seen": {"array": 1}},
    {"class": "Linear", "inputs": 0, "outputs": 10**12, "bias": False, "initialization": "zeros"},
    {"class": "Linear", "inputs": 10**12, "outputs": 1, "bias": True, "initialization": "zeros"},
]


def places(tree, place=()):
    """Yield where every node of a tree stands."""
    yield place
    for key, branch in tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ():
        yield from places(branch, (*place, key))


def at(tree, place):
    for key in place:
        tree = tree[key]
    return tree


def changed(tree, place, node):
    """Return the tree with another node at a place; the rest is shared with the old one."""
    if not place:
        return node
    first, *rest = place
    branches = tree.copy()
    branches[first] = changed(tree[first], rest, node)
    return branches


def without(tree, place):
    *parent, last = place
    branches = at(tree, parent).copy()
    del branches[last]
    return changed(tree, parent, branches)


def absurdly_long(place, node):
    """Say whether a change only asks for more work than there is time: a user may do so, too."""
    return place[-1:] in (("n_epochs",), ("batch_size",), ("steps",)) and isinstance(node, int) and node > 100


def changed_trees(tree):
    """Yield trees that differ in one place: another value, another class, a field too many or too few."""
    for place in places(tree):
        was = at(tree, place)
        for node in NODES:
            if (type(node), node) != (type(was), was) and not absurdly_long(place, node):
                yield (*place, repr(node)), changed(tree, place, node)
        if place:
            yield (*place, "missing"), without(tree, place)
        if isinstance(was, dict):
            yield (*place, "one more"), changed(tree, place, {**was, "more": 1})
        if isinstance(was, dict) and "class" in was:
            for kind in FIELDS:
                if kind.__name__ != was["class"]:
                    yield (*place, kind.__name__), changed(tree, place, {**was, "class": kind.__name__})
        if isinstance(was, list) and was:
            yield (*place, "twice"), changed(tree, place, [*was, was[0]])
            yield (*place, "reversed"), changed(tree, place, was[::-1])


def changed_arrays(arrays):
    """Yield sets of arrays that differ in one of them, or in the places of two."""
    for name, array in arrays.items():
        for what, other in other_arrays(array).items():
            yield (name, what), {**arrays, name: other}
        yield (name, "missing"), {key: value for key, value in arrays.items() if key != name}
        for other in arrays:
            if other < name:
                yield (name, other), {**arrays, name: arrays[other], other: array}
    yield ("one more",), {**arrays, "model.more": np.zeros(1)}


def other_arrays(array):
    """Return arrays that are not quite the one that was there."""
    types = ("float32", "float64", "float16", "longdouble", "int64", "int8", "uint64", "bool", "U3", ">f8", ">i8")
    others = {f"as {dtype}": array.astype(dtype) for dtype in types if array.dtype != dtype}
    others |= {"empty": array[:0], "no dimension": np.resize(array, ()), "a column": array[..., None]}
    others |= {"longer": np.concatenate([array, array]), "shorter": array[:-1], "one": array[:1]}
    others |= {"backwards": array[::-1].copy(), "turned": array.T, "flat": array.reshape(-1)}
    if array.dtype.kind in "biuf":
        values = (-1, 0, 1, 2, 10**9, 2**60, 0.5, 1e-320, 1e30, 1e300, -1e300, np.nan, np.inf, -np.inf)
        for value in values:
            with np.errstate(all="ignore"), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                for rows in (slice(None), slice(0, 1)):
                    other = array.copy()
                    other[rows] = np.float64(value).astype(array.dtype)
                    others[f"{value} {'somewhere' if rows.stop else 'everywhere'}"] = other
    return others


# ---- what becomes of it ------------------------------------------------------------------------------


def open_model(header, arrays):
    """Load a header and arrays as if they had come from a file with the right digest."""
    saving.read_archive = lambda path, version: (header, copy.deepcopy(arrays))
    try:
        return saving.load("made by hand", ESTIMATORS)
    finally:
        saving.read_archive = read_archive


def becomes(header, arrays, xy, task, path):
    """Return what becomes of a model: "refused", "works", or a documented error when it is used."""
    try:
        model = open_model(header, arrays)
    except ModelFileError as error:
        assert "made by hand is not a model that can be read" in str(error)
        assert "allocate" not in str(error), error
        assert "MemoryError" not in str(error), error
        return "refused"
    x, y = xy
    for use in (
        lambda: model.predict(x),
        lambda: model.score(x, y),
        lambda: repr(model),
        lambda: model.remembered(),
        lambda: model.partial_fit(x, y, task=task),
        lambda: model.partial_fit(x, y, task="another"),
        lambda: model.predict(x, task="another"),
        lambda: model.save(path),
    ):
        try:
            with np.errstate(all="ignore"):  # absurd numbers may overflow anywhere
                use()
        except DOCUMENTED as error:
            return f"{type(error).__name__}: {error}"
    load(path)
    return "works"


def sweep(name, path, every=1):
    """Return what becomes of one change in `every`, of the example with that name."""
    model, xy, task = examples()[name]
    learned(model, xy, task).save(path)
    header, arrays = read_archive(path, saving.FORMAT)
    assert becomes(header, arrays, xy, task, path) == "works"
    changes = [(place, tree, arrays) for place, tree in changed_trees(header)]
    changes += [(place, header, other) for place, other in changed_arrays(arrays)]
    found = {}
    for place, tree, other in changes[::every]:
        try:
            found[place] = becomes(tree, other, xy, task, path)
        except Exception as error:
            raise AssertionError(f"{name}, {place}: {type(error).__name__}: {error}") from error
    return found


def main():
    warnings.simplefilter("error")
    resource.setrlimit(resource.RLIMIT_AS, (3 << 30, 3 << 30))
    import time
    with tempfile.TemporaryDirectory() as folder:
        for name in examples():
            t = time.time()
            found = sweep(name, Path(folder) / "m.npz")
            print(name, len(found), Counter(one if one in ("works","refused") else "error" for one in found.values()), round(time.time()-t,1))
            for place, what in found.items():
                if what not in ("works", "refused") and "-v" in sys.argv:
                    print("   ", *place, "->", what[:150])
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024, "MB")


if __name__ == "__main__":
    main()
