"""A closed-form learner as plain values and arrays, and back: what stands in a saved model.

    taken_apart(learner) ─► a dictionary          put_together(dictionary) ─► learner, or a StateError

Of A, which is symmetric, half is kept; the solution, where there is one, so that a model that was loaded
answers at once.
"""

import dataclasses

import numpy as np

from ..learning.samples import Classes, Values
from ..learning.state import StateError
from .features import FEATURES, Features, NetworkFeatures
from .learner import AnalyticLearner
from .solvers import Solution
from .statistics import Statistics

KINDS = {kind.__name__: kind for kind in (*FEATURES.values(), NetworkFeatures)}
#: what stands in the dictionary beside what `tune` sets
PARTS = ("features", "targets", "rows", "statistics", "faded", "solution", "temperature", "seed", "n_tasks")


def taken_apart(learner):
    """Return what a learner consists of: numbers, words, arrays, and dictionaries of these.

    Parameters
    ----------
    learner : AnalyticLearner
        That has learned something.
    """
    sums = dict(vars(learner.statistics))
    sums["scatter"] = sums["scatter"][np.tri(len(sums["scatter"]), dtype=bool)]
    solution = learner._solution
    return {
        "settings": dict(
            zip(("solver", "strength", "standardize", "forgetting"), learner.settings, strict=True)
        ),
        "features": features_apart(learner.features),
        "targets": learner.targets,
        "rows": learner.rows,
        "statistics": sums,
        "faded": learner.faded,
        "solution": None if solution is None else dict(vars(solution)),
        "temperature": learner._temperature,
        "seed": learner.seed,
        "n_tasks": learner.n_tasks,
    }


def features_apart(features):
    """Return features as a dictionary: of a text, or None, itself."""
    if not isinstance(features, Features):
        return features
    return {
        "kind": type(features).__name__,
        "settings": {field.name: getattr(features, field.name) for field in dataclasses.fields(features)},
        "inputs": features.inputs,
        "arrays": features.arrays,
    }


def put_together(parts):
    """Return the learner that was taken apart.

    Parameters
    ----------
    parts : dict

    Raises
    ------
    StateError
        If it is not one, or its parts do not fit together.
    """
    try:
        return _learner(parts)
    except StateError:
        raise
    except Exception as error:  # what was made by hand can be wrong in any way
        raise StateError(f"the learner is not what was taken apart: {error}") from None


def features_together(parts):
    """Return features from their dictionary; a text is what it was."""
    if isinstance(parts, str):
        return parts
    whole = isinstance(parts, dict) and set(parts) == {"kind", "settings", "inputs", "arrays"}
    _require(whole and parts["kind"] in KINDS, "features")
    kind = KINDS[parts["kind"]]
    names = {field.name for field in dataclasses.fields(kind)}
    _require(set(parts["settings"]) == names, "settings of the features")
    features = kind(**parts["settings"])
    features.inputs, features.arrays = parts["inputs"], parts["arrays"]
    _require(type(features.inputs) is int and features.inputs >= 0, "the features' inputs")
    if features.inputs:
        shapes = features.shapes()
        found = {name: array.shape for name, array in features.arrays.items() if _is_float(array)}
        _require(found == shapes and set(features.arrays) == set(shapes), "what the features have drawn")
    else:
        _require(features.arrays is None, "what the features have drawn")
    return features


def _learner(parts):
    _require(set(parts) == {"settings", *PARTS}, "all that a learner consists of")
    targets, rows = parts["targets"], parts["rows"]
    _require(type(targets) in (Classes, Values), "targets")
    _require(type(parts["seed"]) is int and type(parts["n_tasks"]) is int, "numbers")
    _require(type(parts["faded"]) is bool, "whether old rows have faded")
    features = features_together(parts["features"])
    learner = AnalyticLearner(
        features, **parts["settings"], seed=parts["seed"], regression=type(targets) is Values
    )
    _require(learner.settings == tuple(parts["settings"].values()), "settings as they were")
    statistics = _statistics(parts["statistics"])
    d, m = statistics.cross.shape
    _require(features.inputs > 0 and features.outputs == d, "sums of these features")
    classes = targets.labels
    known = 1 if classes is None else len(classes)
    _require(rows.dtype == np.int64 and rows.shape == (known,) and (rows >= 0).all(), "counts of rows")
    _require(classes is None or known == m, "sums of every class")
    for outputs in () if classes is None else (*targets.tasks.values(), targets.untold):
        _require(((outputs >= 0) & (outputs < m)).all(), "outputs of the tasks")
    learner.targets, learner.rows, learner.statistics = targets, rows, statistics
    learner.faded, learner.n_tasks = parts["faded"], parts["n_tasks"]
    learner._solution = _solution(parts["solution"], d, m)
    learner._temperature = parts["temperature"]
    fits = learner._temperature is None or (type(learner._temperature) is float and learner._temperature > 0)
    _require(fits, "a temperature")
    return learner


def _statistics(parts):
    names = [field.name for field in dataclasses.fields(Statistics)]
    _require(set(parts) == set(names), "sums")
    _require(type(parts["n"]) is float and np.isfinite(parts["n"]) and parts["n"] >= 0, "a sum of weights")
    arrays = [parts[name] for name in names if name != "n"]
    _require(all(_is_float(array) and array.dtype == np.float64 for array in arrays), "sums")
    d, m = parts["cross"].shape
    _require(len(parts["scatter"]) == d * (d + 1) // 2, "half of a matrix")
    lower = np.tri(d, dtype=bool)
    scatter = np.zeros((d, d))
    scatter[lower] = parts["scatter"]
    scatter.T[lower] = parts["scatter"]
    shapes = [parts[name].shape for name in ("mean", "peak", "target_mean", "target_squares")]
    _require(shapes == [(d,), (d,), (m,), (m,)], "sums of one size")
    return Statistics(**{**parts, "scatter": scatter})


def _solution(parts, d, m):
    if parts is None:
        return None
    _require(set(parts) == {"weights", "mean", "constant", "strength"}, "a solution")
    arrays = [parts[name] for name in ("weights", "mean", "constant")]
    _require(all(map(_is_float, arrays)), "a solution")
    _require([array.shape for array in arrays] == [(d, m), (d,), (m,)], "a solution of this size")
    _require(parts["strength"] is None or type(parts["strength"]) is float, "a strength")
    return Solution(**parts)


def _is_float(value):
    return isinstance(value, np.ndarray) and value.dtype.kind == "f" and bool(np.isfinite(value).all())


def _require(holds, what):
    if not holds:
        raise StateError(f"the learner does not have {what}")
