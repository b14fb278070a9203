"""Saved models: an estimator as one .npz file, and back. What stands in it, and in which order.

header     format, versions, the estimator's name, its hyper-parameters, its learner as a tree
model.…    the arrays of that tree: θ, moments, anchors, remembered samples, labels
digest     SHA-256 of all the rest
"""

import json
import platform

import numpy as np

from .learning.state import StateError, list_of, maybe, put_together, size, take_apart
from .storage import ModelFileError, read_archive, refusing, write_archive

#: raised by one whenever an older version could not read what a newer one writes
FORMAT = 2
#: what an estimator knows beside its learner
FITTED = {
    "n_features_in_": size,
    "n_samples_seen_": size,
    "feature_names_in_": maybe(list_of(lambda name: type(name) is str)),
}


def save(model, path):
    """Write a fitted estimator to a file, whole or not at all.

    Parameters
    ----------
    model : IncrementalClassifier or IncrementalRegressor
    path : str or path

    Raises
    ------
    TypeError, OSError
        As the estimator's `save`.
    StateError
        A ValueError: if what was learned is no model any more, because NaN was written into θ, for example.
        So what is written can be read.
    """
    from . import __version__

    params, learner = model._taken_apart()
    if isinstance(params["random_state"], np.random.Generator | np.random.RandomState):
        params["random_state"] = None  # its owner goes on drawing from it
    tree, arrays = take_apart({"params": params, "learner": learner, "fitted": _fitted(model)}, "model")
    _model(type(model), tree, arrays)
    header = {
        "format": FORMAT,
        "estimator": type(model).__name__,
        "versions": {"incrlearn": __version__, "numpy": np.__version__, "python": platform.python_version()},
        "notes": _json(model.notes_),
        "model": tree,
    }
    write_archive(path, header, arrays)


def _fitted(model):
    """Return what an estimator knows beside its learner."""
    names = getattr(model, "feature_names_in_", None)
    return {
        "n_features_in_": model.n_features_in_,
        "n_samples_seen_": model.n_samples_seen_,
        "feature_names_in_": None if names is None else [str(name) for name in names],
    }


def _json(notes):
    """Return the notes, if JSON brings them back as they are."""
    try:
        same = json.loads(json.dumps(notes, allow_nan=False)) == notes and isinstance(notes, dict)
    except (TypeError, ValueError, RecursionError):
        same = False
    if not same:
        raise TypeError(f"notes_ must be a dictionary of JSON values, got {notes!r}")
    return notes


def load(path, estimator_named):
    """Return the estimator that `save` wrote.

    Parameters
    ----------
    path : str or path
    estimator_named : callable
        estimator_named(name) returns the class of that name, or None.

    Returns
    -------
    estimator

    Raises
    ------
    OSError, ModelFileError
        As `incrlearn.load`.
    """
    header, arrays = read_archive(path, FORMAT)
    with refusing(path):
        return _restore(header, arrays, estimator_named)


def _restore(header, arrays, estimator_named):
    if set(header) != {"format", "estimator", "versions", "notes", "model"}:
        raise ModelFileError("its header does not have what this version writes")
    kind = estimator_named(header["estimator"])
    if kind is None:
        raise ModelFileError(f"there is no estimator {header['estimator']!r}")
    params, learner, fitted = _model(kind, header["model"], arrays)
    model = kind()
    if set(params) != set(model.get_params()):
        raise ModelFileError("it does not have the hyper-parameters of this version")
    model.set_params(**params)
    model._restore(learner, **fitted, notes_=_json(header["notes"]))
    return model


def _model(kind, tree, arrays):
    """Return hyper-parameters, learner and the rest, if they are what an estimator consists of."""
    parts = put_together(tree, arrays)
    if not isinstance(parts, dict) or set(parts) != {"params", "learner", "fitted"}:
        raise StateError("it is no estimator")
    params, learner, fitted = parts["params"], parts["learner"], parts["fitted"]
    if not isinstance(params, dict) or not isinstance(fitted, dict):
        raise StateError("it is no estimator")
    if set(fitted) != set(FITTED) or not all(fits(fitted[name]) for name, fits in FITTED.items()):
        raise StateError("it does not say what it was fitted to")
    return *kind._put_together(params, learner), fitted
