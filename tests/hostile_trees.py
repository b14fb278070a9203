"""Change everything in a saved model, one thing at a time, with a digest that is right, and see what happens.

    python -m tests.hostile_trees          every change of every example: some minutes
    python -m tests.hostile_trees 31       one in 31

A model made by hand must be refused with the one clear error, or become a model that works: it predicts,
learns and is saved, or says in a documented way what is wrong. What becomes of every change is counted.
"""

import copy
import json
import resource
import sys
import tempfile
import time
import warnings
from collections import Counter
from pathlib import Path

import numpy as np

from incrlearn import (
    AnalyticClassifier,
    AnalyticRegressor,
    IncrementalClassifier,
    IncrementalRegressor,
    load,
    saving,
)
from incrlearn.learning.state import FIELDS
from incrlearn.storage import ModelFileError, read_archive

from .analytic import helpers as analytic
from .saved import another_task, examples, learned, peak_megabytes

DOCUMENTED = (ValueError, TypeError, FloatingPointError)
ESTIMATORS = (IncrementalClassifier, IncrementalRegressor, AnalyticClassifier, AnalyticRegressor)
#: what a change may ask for before it is an error here: a model of this size has no use for it
ADDRESS_SPACE = 3 << 30

# ---- one thing at a time -----------------------------------------------------------------------------

NODES = [
    *(None, True, False, -1, 0, 1, 2, 7, 2**53 - 1, 10**18, 2**70, -0.5, 0.0, 1e-320, 0.5, 1e300, "", "relu"),
    *([], {}, [[]], [0, 1], {"float": "nan"}, {"float": "inf"}, {"float": "-inf"}, {"floats": []}),
    *({"dict": {}}, {"pairs": []}, {"tuple": []}, {"tuple": [-5]}, {"pairs": [[[1], 2]]}, {"dict": []}),
    *({"slice": [0, 1]}, {"slice": [None, None]}, {"slice": [3, 1]}, {"slice": [0, 10**15]}),
    *({"slice": [-1, 9]}, {"slice": [0, 9, 2]}, {"slice": [{}, 1]}, {"slice": {}}),
    *({"integers": []}, {"integers": [0]}, {"integers": [-1]}, {"integers": [10**9]}, {"integers": [0.5]}),
    *({"integers": [2**70]}, {"named": "divergence forward"}, {"named": "targets Values"}, {"named": []}),
    *({"dtype": "float32"}, {"dtype": "float64"}, {"dtype": "object"}, {"array": "nowhere"}, {"array": 3}),
    *({"generator": {}}, {"csr": {}}, {"nothing": 1}, {"class": "nothing"}, {"class": []}, {"array": {}}),
    *({"class": "Learner"}, {"class": "ReLU"}, {"class": "CrossEntropy"}),
    {"class": "SquaredError", "targets": {"named": "targets Values"}},
    {"class": "Everything", "samples": None},
    {"class": "SGD", "learning_rate": 0.1, "momentum": 0.5, "v": None},
    {"class": "Linear", "inputs": 0, "outputs": 10**12, "bias": False, "initialization": "zeros"},
    {"class": "Linear", "inputs": 10**12, "outputs": 1, "bias": True, "initialization": "zeros"},
]


def places(tree, place=()):
    """Yield where every node of a tree stands."""
    yield place
    for key, branch in (
        tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    ):
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
    types = (
        "float32",
        "float64",
        "float16",
        "longdouble",
        "int64",
        "int8",
        "uint64",
        "bool",
        "U3",
        ">f8",
        ">i8",
    )
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
        return load("made by hand")
    finally:
        saving.read_archive = read_archive


def becomes(header, arrays, xy, task, another, path):
    """Return what becomes of a model: "refused", "works", or a documented error when it is used."""
    try:
        model = open_model(header, arrays)
    except ModelFileError as error:
        _is_clear(str(error))
        return "refused"
    x, y = xy
    closed, whole = isinstance(model, ESTIMATORS[2:]), repr(getattr(model, "forgetting", None)) == "1.0"
    for use in (
        *[lambda: model.coef_, lambda: model.merge(copy.deepcopy(model))][: closed + whole],
        *[lambda: model.unlearn(x[:1], y[:1])] * whole,
        *[lambda: model.predict_proba(x, task=task)] * isinstance(model, AnalyticClassifier),
        lambda: model.predict(x, task=task),
        lambda: model.score(x, y, task=task),
        lambda: repr(model),
        lambda: model.remembered(),
        lambda: model.partial_fit(x, y, task=task),
        lambda: model.partial_fit(x, y, task=another),
        lambda: model.predict(x, task=another),
        lambda: model.save(path),
    ):
        try:
            with np.errstate(all="ignore"):  # absurd numbers may overflow anywhere
                use()
        except DOCUMENTED as error:
            return f"{type(error).__name__}: {error}"
    load(path)
    return "works"


def _is_clear(message):
    named = message.startswith("made by hand is not a model that can be read: ")
    if not named or "MemoryError" in message or "allocate" in message:
        raise AssertionError(f"refused, but like this: {message}")


def sweep(name, path, every=1):
    """Return what becomes of one change in `every`, of the example with that name."""
    if name in analytic.examples():
        model, *use = analytic.learned(name)
    else:
        model, xy, task = learned(name)
        use = xy, task, another_task(name)
    model.save(path)
    header, arrays = read_archive(path, saving.FORMAT)
    use = *use, path
    if becomes(header, arrays, *use) != "works":
        raise AssertionError(f"{name} does not work without a change")
    changes = [(place, tree, arrays) for place, tree in changed_trees(header)]
    changes += [(place, header, other) for place, other in changed_arrays(arrays)]
    found = {}
    for place, tree, other in changes[::every]:
        try:
            found[place] = becomes(tree, other, *use)
        except Exception as error:
            raise AssertionError(f"{name}, {place}: {type(error).__name__}: {error}") from error
    return found


def main():
    warnings.simplefilter("error")
    warnings.filterwarnings("ignore", "features depend on one another")  # where sums are absurd, they may
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    every = int(sys.argv[1]) if len(sys.argv) > 1 else 1
    started, found, errors = time.perf_counter(), Counter(), Counter()
    with tempfile.TemporaryDirectory() as folder:
        for name in (*examples(), *analytic.examples()):
            for what in sweep(name, Path(folder) / "model.npz", every).values():
                found[what if what in ("works", "refused") else "a documented error"] += 1
                errors[what.split(",")[0]] += what not in ("works", "refused")
    megabytes = peak_megabytes()
    seconds = round(time.perf_counter() - started, 1)
    result = {"found": found, "errors": errors.most_common(20), "megabytes": megabytes, "seconds": seconds}
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
