"""What a good argument looks like: the one place where bad input is turned into a clear error.

Every function takes the argument's name first, so that the message can say which argument it was,
what came and what was wanted. Below every other room; imports NumPy only.
"""

import math
import sys
from numbers import Real

import numpy as np


def as_array(name, values):
    """Return `values` as an array of any kind; refuse rows of unequal length."""
    try:
        return np.asarray(values)
    except ValueError as error:
        raise ValueError(f"{name} must be a rectangular array: {error}") from None


def real_array(name, values):
    """Return `values` as a float32 or float64 array: float32 stays, other numbers become float64."""
    values = as_array(name, values)
    if values.dtype == np.float32 or values.dtype == np.float64:
        return values
    if values.dtype.kind not in "biuf":
        raise TypeError(f"{name} must hold real numbers, got dtype {values.dtype}")
    return values.astype(np.float64)


def finite(name, array):
    """Raise a ValueError that says where, if `array` holds NaN or infinity."""
    ok = np.isfinite(array)
    if not ok.all():
        where = tuple(int(i) for i in np.argwhere(~ok)[0])
        raise ValueError(
            f"{name} must be finite, got {array[where]} at index {where[0] if len(where) == 1 else where}"
        )
    return array


def rows(name, values):
    """Return `values` as a finite float array of shape (n, k) with n, k ≥ 1."""
    array = real_array(name, values)
    if array.ndim != 2:
        raise ValueError(f"{name} must have shape (n_samples, k), got {shape_of(array)}")
    if not array.size:
        raise ValueError(f"{name} must have at least one row and one column, got {array.shape}")
    return finite(name, array)


def is_sparse(x):
    """Say whether x is a SciPy sparse matrix or array. Where there is one, SciPy has been imported."""
    sparse = sys.modules.get("scipy.sparse")
    return sparse is not None and sparse.issparse(x)


def csr(x, dtype=None):
    """Return a sparse matrix as a CSR array, with its entries in one place each."""
    from scipy.sparse import csr_array

    array = csr_array(x, dtype=dtype)
    if not array.has_canonical_format:
        array = array.copy()  # x may share its memory
        array.sum_duplicates()
    return array


def sparse_rows(name, x):
    """Return a sparse matrix as a finite CSR array of floats, of shape (n, k) with n, k ≥ 1."""
    if x.ndim != 2 or not min(x.shape):
        raise ValueError(f"{name} must have shape (n_samples, k), each ≥ 1, got {shape_of(x)}")
    array = csr(x)
    array.data = finite(name, real_array(name, array.data))
    return array


def vector(name, values):
    """Return `values` as a non-empty float array of shape (m,), finite or not."""
    array = real_array(name, values)
    if array.ndim != 1 or not array.size:
        raise ValueError(f"{name} must be a non-empty vector, got {shape_of(array)}")
    return array


def widths(name, values):
    """Return the widths of hidden layers as a tuple of counts."""
    if not isinstance(values, list | tuple):
        raise TypeError(f"{name} must be a tuple of widths such as (400, 400), got {values!r}")
    return tuple(count(name, width) for width in values)


def same_shape(name, array, other_name, other):
    """Raise a ValueError unless the two arrays have the same shape."""
    if array.shape != other.shape:
        raise ValueError(
            f"{name} has {shape_of(array)}, but {other_name} has {shape_of(other)}: they must be equal"
        )


def shape_of(array):
    """Say an array's shape in words that fit into a message."""
    return f"shape {array.shape}"


def number(name, value, wanted="a finite number", low=-math.inf, high=math.inf, open_low=False):
    """Return `value` as a float in [low, high] (or (low, high], where `open_low`)."""
    if isinstance(value, bool | np.bool_) or not isinstance(value, Real):
        raise TypeError(f"{name} must be {wanted}, got {value!r} ({type(value).__name__})")
    value = float(value)
    too_low = value <= low if open_low else value < low
    if not math.isfinite(value) or too_low or value > high:
        raise ValueError(f"{name} must be {wanted}, got {value!r}")
    return value


def strength(name, value):
    """Return a penalty's strength λ: a finite number ≥ 0."""
    return number(name, value, "a finite number ≥ 0", low=0)


def positive(name, value):
    """Return a finite number > 0: a temperature, a learning rate."""
    return number(name, value, "a finite number > 0", low=0, open_low=True)


def share(name, value):
    """Return a number in [0, 1]: α or ρ."""
    return number(name, value, "a number in [0, 1]", low=0, high=1)


def count(name, value, low=1):
    """Return a whole number ≥ `low`: a size, a number of epochs."""
    if isinstance(value, bool | np.bool_) or not isinstance(value, int | np.integer):
        raise TypeError(f"{name} must be a whole number, got {value!r} ({type(value).__name__})")
    if value < low:
        raise ValueError(f"{name} must be a whole number ≥ {low}, got {value}")
    return int(value)


def flag(name, value):
    """Return True or False."""
    if not isinstance(value, bool | np.bool_):
        raise TypeError(f"{name} must be True or False, got {value!r} ({type(value).__name__})")
    return bool(value)


def choice(name, value, options):
    """Return options[value], or say which options there are."""
    if not isinstance(value, str) or value not in options:
        known = ", ".join(repr(option) for option in options)
        error = ValueError if isinstance(value, str) else TypeError
        raise error(f"{name} must be one of {known}, got {value!r}")
    return options[value]


def generator(name, value):
    """Return `value`, if it is a numpy.random.Generator: every random draw comes from one."""
    if not isinstance(value, np.random.Generator):
        raise TypeError(
            f"{name} must be a numpy.random.Generator such as numpy.random.default_rng(0), "
            f"got {value!r} ({type(value).__name__})"
        )
    return value


def kind_of_labels(labels):
    """Say what labels are, in a word that fits into a message: strings, booleans or integers."""
    return {"U": "strings", "b": "booleans"}.get(labels.dtype.kind, "integers")


def hashable(name, value):
    """Return `value`, if it can be the key of a dictionary."""
    try:
        hash(value)
    except TypeError:
        raise TypeError(f"{name} must be hashable, such as a number or a string, got {value!r}") from None
    return value
