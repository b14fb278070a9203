"""What is asked of every function that others have written, whatever it computes.

It keeps shapes and dtypes, changes none of its arguments, returns memory of its own, and gives the same
answer for the same question. How far two answers may differ by rounding is measured: as much as an answer
changes when its arguments change in their last digits. NumPy only.
"""

import copy
import dataclasses

import numpy as np

from .. import _checks
from .failure import Failure

#: a relative change far above rounding, and far below anything wrong, for every dtype
DIGITS = {np.dtype(np.float64): 2.0**-40, np.dtype(np.float32): 2.0**-21}
#: below these numbers there is no relative precision any more, with room for products
TINY = {np.dtype(np.float64): 1e-280, np.dtype(np.float32): 1e-30}


def asked(name, function, arguments, *, written=(), shared=False):
    """Return function(*arguments); raise a Failure if it raises, changes an argument or returns its memory.

    Parameters
    ----------
    name : str
        How the function is called, as in "backward".
    function : callable
    arguments : dict
        What it is given, by name, in order: arrays, or lists and dicts of them.
    written : tuple of str
        Those that it is to change.
    shared : bool
        Whether it may return their memory.

    Raises
    ------
    Failure
    FloatingPointError
        If the function says itself that numbers have become too large.
    """
    watched = {key: list(arrays_in(value)) for key, value in arguments.items() if key not in written}
    before = {key: [array.copy() for array in arrays] for key, arrays in watched.items()}
    result = protected(name, function, *arguments.values())
    for key, arrays in watched.items():
        if not all(map(same_bits, arrays, before[key])):
            raise Failure(name, cause="modified", said=f"{name} changes {key} in place", block=None)
        same = not shared and any(
            np.may_share_memory(out, array) and np.shares_memory(out, array)
            for out in arrays_in(result)
            for array in arrays
        )
        if same:
            raise Failure(
                name,
                cause="modified",
                said=f"what {name} returns shares its memory with {key}",
                hint=f"who changes one of them changes the other: return a copy of {key}",
            )
    return result


def protected(name, function, *arguments):
    """Return function(*arguments), without warnings; what it raises becomes a Failure that says so."""
    with np.errstate(all="ignore"):
        try:
            return function(*arguments)
        except (Failure, FloatingPointError):
            raise
        except Exception as error:
            words = ("shape", "dimension", "broadcast", "matmul", "aligned", "axis", "mismatch")
            said = f"{name} raises {type(error).__name__}: {error}"
            cause = "shape" if any(word in str(error) for word in words) else None
            raise Failure(f"{name} raises {type(error).__name__}", cause=cause, said=said) from error


def keeps(name, array, shape, dtype, block=None):
    """Raise a Failure unless an array is one, of that shape and dtype."""
    if not isinstance(array, np.ndarray) and not _checks.is_sparse(array):
        kind = type(array).__name__
        raise Failure(name, cause="shape", said=f"{name} must be an array, got {kind}", block=block)
    if array.shape != shape:
        said = f"{name} has shape {array.shape}, but must have {shape}"
        cause = "transpose" if array.shape == shape[::-1] else "shape"
        raise Failure(name, cause=cause, said=said, block=block)
    if array.dtype != dtype:
        said = f"{name} has dtype {array.dtype}, but must have {np.dtype(dtype)}"
        wider = (array.dtype, dtype) == (np.float64, np.float32)
        hint = "what it is given is float32: an array of its own makes it wider" if wider else None
        raise Failure(name, cause="dtype", said=said, hint=hint, block=block)


def agree(check, came, expected, limit, cause, hint=None, *, subject=None, block=None):
    """Raise a Failure unless two arrays agree, to the limit; where the expected is not finite, all agree.

    Parameters
    ----------
    check : str
        What is compared.
    came, expected : array_like
    limit : float
        How far they may differ.
    cause : str
        What it means if they do, a key of CAUSES.
    hint : str, optional
        The same as a sentence.
    subject : str, optional
        How what came is called in the message: the name of the check if it is left out.
    """
    came, expected = np.asarray(dense(came)), np.asarray(dense(expected))
    if came.shape != expected.shape:
        said = f"{subject or check} has shape {came.shape}, but must have {expected.shape}"
        raise Failure(check, cause=cause, hint=hint, said=said, block=block)
    with np.errstate(all="ignore"):
        error = np.abs(came.astype(np.float64) - expected.astype(np.float64))
        wrong = ~(error <= limit) & np.isfinite(expected)
    if not wrong.any():
        return
    places = np.argwhere(wrong)
    sizes = np.nan_to_num(error[wrong], nan=np.inf)
    place = tuple(int(i) for i in places[sizes.argmax()])
    said = None
    if subject:
        where = f" at {list(place)}" if place else ""
        said = f"{subject}{where} is {came[place]:.10g}, but must be {expected[place]:.10g}"
    raise Failure(
        check,
        place=place or None,
        came=float(came[place]),
        expected=float(expected[place]),
        bound=float(limit),
        cause=cause,
        hint=hint,
        said=said,
        block=block,
    )


def rounding(function, *arguments, dtype=np.float64):
    """Return how far a function's answer may be off by rounding, from how it answers a changed last digit.

        limit = ε max|f(x)| + 8 max|f(x (1 ± ε u)) − f(x)|          u random, in [1/2, 1]

    with ε far above the precision of the dtype, so that the limit holds for any order of summation. Changes
    go both ways: one of them moves a number that is zero but for rounding over the kink, if there is one.

    Parameters
    ----------
    function : callable
        Of arrays, to an array. It is called in float64.
    arguments : ndarray
    dtype : {np.float64, np.float32}

    Returns
    -------
    float
        Infinite where there is no telling.
    """
    epsilon = DIGITS[np.dtype(dtype)]
    rng = np.random.default_rng(0)
    with np.errstate(all="ignore"):
        answer = np.asarray(dense(function(*arguments)))
        change = 0.0
        for _ in range(2):
            u = [_signs(rng, array) * rng.uniform(0.5, 1, array.shape) for array in arguments]
            for way in (epsilon, -epsilon):
                moved = (array * (1 + way * part) for array, part in zip(arguments, u, strict=True))
                other = np.asarray(dense(function(*moved)))
                change = max(change, np.abs(other - answer).max(initial=0.0))
        size = np.abs(answer).max(initial=0.0)
        limit = epsilon * size + 8 * change + TINY[np.dtype(dtype)]
    hopeless = dtype == np.float32 and change > size / 4 > 0  # last digits decide
    return np.inf if np.isnan(limit) or hopeless else float(limit)


class Both(tuple):
    """A value and its gradient, which is only computed when it is asked for: differences need no gradients.

    `terms` is the array whose sum the value is, if it is one: at kinks each of them chooses its slope.

    Examples
    --------
    >>> value, gradient = Both(3.0, lambda: np.ones(2))
    >>> value, gradient
    (3.0, array([1., 1.]))
    """

    def __new__(cls, value, gradient, terms=None):
        """Make the pair; gradient is a function without arguments."""
        both = super().__new__(cls, (value, gradient))
        both.terms = terms
        return both

    def __getitem__(self, index):
        item = super().__getitem__(index)
        return item() if index == 1 else item

    def __iter__(self):
        return iter((self[0], self[1]))


def _signs(rng, array):
    return rng.choice([-1.0, 1.0], array.shape)


def ordinary(*arrays):
    """Say whether all numbers are 0 or of ordinary size: neither they nor their squares leave float32."""
    sizes = np.concatenate([np.abs(dense(array)).ravel() for array in arrays])
    return bool(((sizes == 0) | ((sizes > 1e-6) & (sizes < 1e6))).all())


def sizes(n, k=1):
    """Return the numbers of n rows and k columns that a mean may have been taken over, by name.

    Two columns, or entries, are left out: a factor 2 is rather that of a square.
    """
    return {"n": n, **{name: size for name, size in (("columns", k), ("entries", n * k)) if size != 2}}


def finite(*arrays):
    """Say whether there is neither NaN nor infinity."""
    return all(np.isfinite(dense(array)).all() for array in arrays)


def real_numbers(name, *arrays):
    """Raise a Failure if there is a NaN; infinity may be what is right, for inputs that are large enough."""
    for array in arrays:
        array = dense(array)
        if np.isnan(array).any():
            place = tuple(int(i) for i in np.argwhere(np.isnan(array))[0])
            raise Failure(
                name,
                place=place,
                cause="not a number",
                said=f"{name} is NaN at {list(place)}, for finite inputs",
                hint="is it 0/0, ∞ − ∞, or is an input outside of what is allowed? Then give inputs that are",
            )


def same_bits(first, second):
    """Say whether two arrays are the same, NaN and the sign of zero included."""
    same_kind = first.dtype == second.dtype and first.shape == second.shape
    return same_kind and first.tobytes() == second.tobytes()


def arrays_in(value):
    """Yield the arrays in a value: an array, a sparse matrix, or lists, dicts and dataclasses of them."""
    if isinstance(value, np.ndarray):
        yield value
    elif _checks.is_sparse(value):
        yield value.data
    elif isinstance(value, list | tuple):
        for part in value:
            yield from arrays_in(part)
    elif isinstance(value, dict):
        yield from arrays_in(list(value.values()))
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        yield from arrays_in(list(vars(value).values()))


def state(thing):
    """Return copies of all arrays that an object holds: whether it changed can be told by them."""
    return [array.copy() for array in arrays_in(vars(thing))] if hasattr(thing, "__dict__") else []


def dense(x):
    """Return an ordinary array for a sparse one; arrays stay."""
    return x.toarray() if _checks.is_sparse(x) else x


def twin(thing):
    """Return a deep copy, not made by the object's own way of copying: that is to be checked itself."""
    if not hasattr(thing, "__dict__") or any("__slots__" in vars(kind) for kind in type(thing).mro()[:-1]):
        return copy.deepcopy(thing)
    other = object.__new__(type(thing))
    other.__dict__.update(copy.deepcopy(vars(thing)))
    return other
