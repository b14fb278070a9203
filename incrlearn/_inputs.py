"""What people have becomes arrays: lists, frames, sparse matrices, labels of any kind.

A frame is anything with `columns` that becomes an array: pandas, polars, or one's own. None of them is
imported here, and neither is scikit-learn, whose conventions these messages keep.
"""

import sys
import warnings

import numpy as np

from . import _checks

#: what scikit-learn says of it
NAN = "Input contains NaN, infinity or a value too large for dtype('float64')."


def features(X, name="X", looked_at=True):
    """Return X as a finite array of floats, or a CSR array, of shape (n, d) with n, d ≥ 1.

    That it is finite is left to the caller unless `looked_at`: see `finite`.
    """
    array = X if _checks.is_sparse(X) else _checks.as_array(name, X)
    if array.ndim != 2:
        raise ValueError(
            f"{name}: expected 2D array, got {array.ndim}D array instead, of shape {array.shape}. "
            "Reshape your data: array.reshape(-1, 1) if it has a single feature, array.reshape(1, -1) "
            "if it is a single sample"
        )
    if _checks.is_sparse(X):
        array = _checks.csr(_not_empty(name, X))
        array.data = _real(name, array.data)
        _finite(name, array.data, array)
        return array
    # sums over columns round otherwise than sums over rows: a frame must give what its array gives
    array = _real(name, _not_empty(name, array))
    return np.ascontiguousarray(_finite(name, array) if looked_at else array)


def finite(x, name="X"):
    """Raise a ValueError that says where, if an array or a CSR array holds NaN or infinity."""
    if _checks.is_sparse(x):
        _finite(name, x.data, x)
    else:
        _finite(name, x)


def _not_empty(name, X):
    for what, n in zip(("sample", "feature"), X.shape, strict=True):
        if not n:
            raise ValueError(
                f"{name}: found array with 0 {what}(s) (shape={X.shape}) while a minimum of 1 is required."
            )
    return X


def _real(name, array):
    """Return numbers as float32 or float64; objects that are numbers too."""
    if array.dtype.kind == "c":
        raise ValueError(f"{name}: Complex data not supported, got dtype {array.dtype}")
    if array.dtype.kind == "O":
        return _from_objects(name, array)
    with np.errstate(over="ignore"):  # a long double may become infinite, which is found out later
        return _checks.real_array(name, array)


def _from_objects(name, array):
    """Return objects as float64; an entry that is no number is named with its place."""
    try:
        return array.astype(np.float64)
    except (TypeError, ValueError, OverflowError):
        for where, value in np.ndenumerate(array):
            where = where if len(where) > 1 else where[0]
            if _is_missing(value):
                raise ValueError(f"{name} has a missing value at index {where}. {NAN}") from None
            try:
                float(value)
            except (TypeError, ValueError, OverflowError) as error:
                kind = TypeError if isinstance(error, TypeError) else ValueError
                raise kind(f"{name} must hold numbers, but at {where} {error}") from None
        raise


def _is_missing(value):
    """Say whether a value is None, NaN or pandas.NA."""
    return value is None or type(value).__name__ == "NAType" or (isinstance(value, float) and value != value)


def _finite(name, array, csr=None):
    """Return the array, or say where it is not finite: as the entries of a CSR array by row and column."""
    with np.errstate(over="ignore", invalid="ignore"):
        if np.isfinite(array.sum(dtype=np.float64)) or np.isfinite(array).all():
            return array
    where = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
    value = array[where]
    if csr is not None:
        where = int(np.searchsorted(csr.indptr, where[0], side="right")) - 1, int(csr.indices[where[0]])
    raise ValueError(
        f"{name} must be finite, but holds {value} at index {where if len(where) > 1 else where[0]}. {NAN}"
    )


def as_labels(y, name="y"):
    """Return y as a vector of labels, as a Learner takes them: integers, strings or booleans."""
    y = _one_column(name, _target(name, y))
    if y.dtype.kind == "O":
        y = _plain(name, y)
    if y.dtype.kind == "f":
        y = _finite(name, y)
        if (y != np.floor(y)).any():
            raise ValueError(
                f"Unknown label type: continuous. {name} must hold class labels, "
                f"got {y[y != np.floor(y)][0]}; IncrementalRegressor learns real numbers"
            )
    return y


def as_classes(classes, y):
    """Return classes told in advance as a vector of labels; refuse those of another kind than y's."""
    classes = as_labels(classes, "classes")
    told, came = _checks.kind_of_labels(classes), _checks.kind_of_labels(y)
    if len(classes) and told != came:
        raise TypeError(f"classes holds {told}, but y holds {came}")
    return classes


def as_values(y):
    """Return y as finite float64 values of shape (n, m)."""
    y = _target("y", y)
    if y.ndim not in (1, 2) or not y.size:
        raise ValueError(f"y must have shape (n_samples,) or (n_samples, n_outputs), got shape {y.shape}")
    return _finite("y", _real("y", y).astype(np.float64, order="C")).reshape(len(y), -1)


def weights(sample_weight, n):
    """Return the weights of n rows as float64, finite and ≥ 0; of a single number, as many."""
    weight = _real("sample_weight", _checks.as_array("sample_weight", sample_weight)).astype(np.float64)
    if weight.ndim == 0:
        weight = np.full(n, weight)
    if weight.shape != (n,):
        raise ValueError(f"sample_weight.shape == {weight.shape}, expected {(n,)}: one weight for every row")
    if (_finite("sample_weight", weight) < 0).any():
        where = int(np.argmax(weight < 0))
        raise ValueError(f"sample_weight must be ≥ 0, got {weight[where]} at index {where}")
    return weight


def _target(name, y):
    if y is None:
        raise ValueError("this estimator requires y to be passed, but the target y is None")
    array = _checks.as_array(name, y)
    if array.dtype.kind == "U" and not hasattr(y, "dtype"):
        array = np.asarray(y, object)  # as they came: NumPy has made the string "1" of the number 1
    return array


def _one_column(name, y):
    """Return a vector; a column is one too, with the warning that scikit-learn gives."""
    if y.ndim == 2 and y.shape[1] == 1:
        warnings.warn(
            f"A column-vector {name} was passed when a 1d array was expected. Please change its shape to "
            "(n_samples,), for example using ravel().",
            _sklearn_name("DataConversionWarning", UserWarning),
            stacklevel=outside(),
        )
        return y[:, 0]
    if y.ndim != 1:
        raise ValueError(f"{name} should be a 1d array of labels, got an array of shape {y.shape} instead")
    return y


def _plain(name, y):
    """Return a vector of objects as one of strings, integers or booleans, where they are all of one kind."""
    for where, label in enumerate(y):
        if _is_missing(label):
            raise ValueError(f"{name} must hold labels, but one is missing at index {where}. {NAN}")
        if isinstance(label, int | np.integer) and not -(2**63) <= label < 2**63:
            raise ValueError(f"{name} must hold integers of at most 64 bits, got {label}")
    for kind, dtype in ((str, str), (bool | np.bool_, bool), (int | np.integer, np.int64)):
        if all(isinstance(label, kind) for label in y):
            return y.astype(dtype)
    if all(isinstance(label, int | float | np.integer | np.floating) for label in y):
        return y.astype(np.float64)
    kinds = ", ".join(sorted({type(label).__name__ for label in y}))
    raise TypeError(
        f"{name} must hold labels of one kind, argument must be a string or a number, got {kinds}"
    )


# ---- column names ------------------------------------------------------------------------------------


def column_names(X):
    """Return a frame's column names, or None where X has none or they are not strings."""
    columns = getattr(X, "columns", None)
    if columns is None or _checks.is_sparse(X) or not hasattr(X, "__array__"):
        return None
    names = list(columns)
    strings = [isinstance(name, str) for name in names]
    if any(strings) and not all(strings):
        kinds = sorted({type(name).__name__ for name in names})
        raise TypeError(
            "Feature names are only supported if all input features have string names, but your input has "
            f"{kinds} as feature name / column name types"
        )
    return np.array(names, object) if names and all(strings) else None


def same_columns(estimator, names, seen):
    """Raise a ValueError unless the column names are those seen before, in their order."""
    if names is None or seen is None:
        if names is None and seen is not None:
            warnings.warn(
                f"X does not have valid feature names, but {estimator} was fitted with feature names",
                UserWarning,
                stacklevel=outside(),
            )
        if names is not None and seen is None:
            warnings.warn(
                f"X has feature names, but {estimator} was fitted without feature names",
                UserWarning,
                stacklevel=outside(),
            )
        return
    if list(names) == list(seen):
        return
    unseen, missing = sorted(set(names) - set(seen)), sorted(set(seen) - set(names))
    message = "The feature names should match those that were passed during fit.\n"
    for title, columns in (("unseen at fit time", unseen), ("seen at fit time, yet now missing", missing)):
        if columns:
            shown = columns[:5] + ["..."] * (len(columns) > 5)
            message += f"Feature names {title}:\n" + "".join(f"- {column}\n" for column in shown)
    if not unseen and not missing:
        message += "Feature names must be in the same order as they were in fit.\n"
    raise ValueError(message)


def outside():
    """Return the `stacklevel` of the nearest caller outside this package: that is whom a warning is for."""
    level, frame = 1, sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith(f"{__package__}."):
        level, frame = level + 1, frame.f_back
    return level


def _sklearn_name(name, otherwise):
    """Return an exception or a warning of scikit-learn's, where it has been imported; else our own."""
    return getattr(sys.modules.get("sklearn.exceptions"), name, otherwise)


class _NotFitted(ValueError, AttributeError):
    """Raised where an estimator is used before it has learned anything."""


def not_fitted(estimator):
    """Return the error that says so: scikit-learn's NotFittedError, where it has been imported."""
    error = _sklearn_name("NotFittedError", _NotFitted)
    return error(f"This {estimator} instance is not fitted yet: call 'fit' or 'partial_fit' before using it")
