"""Hypothesis strategies for arrays and batches: the plain ones, and on purpose the extreme ones.

What is drawn shrinks to what a human would write: one row, one column, zeros, class 0. On the way there are
ties, equal rows, one class, a class that comes with the last row, negative zeros, subnormal, tiny and huge
numbers. How large and how small is bounded by `largest` and `smallest`.

They are public in `incrlearn.testing.strategies`.
"""

import math
from functools import lru_cache
from typing import NamedTuple

import hypothesis.strategies as st
import numpy as np
from hypothesis.extra.numpy import arrays

from .. import _checks
from ..network.network import DTYPES

#: sizes where none is given: more rows than columns, fewer, and as many
SIZES = st.integers(1, 5)
#: multiples of 1/8 up to 3, those first that are best read: two of them are equal or well apart
PLAIN = sorted((i / 8 for i in range(25)), key=lambda size: (size % 1 > 0, size % 0.5 > 0, size))
#: entries of an array that are drawn one by one; of larger ones most are equal
FEW = 100


class Bounds(NamedTuple):
    """Which numbers an array may hold: 0, and those with smallest ≤ |x| ≤ largest."""

    dtype: np.dtype
    largest: float
    smallest: float


def arrays_for(shape, dtype="float64", *, largest=1e4, smallest=0.0):
    """Draw arrays of floats, extreme ones among them; they shrink to zeros.

        smallest ≤ |x| ≤ largest   or   x = 0

    An array holds multiples of 1/8; or also ±0, ±largest, powers of ten, and the smallest normal and
    subnormal numbers; or any floats. In some only two numbers are left, or equal rows, or only ±largest
    and 0; to some normal numbers are added, so that nothing is equal and nothing is zero.

    Parameters
    ----------
    shape : int, or tuple of int, strategy or None
        A size may be a strategy for one. None is 1 to 5.
    dtype : {"float64", "float32"} or numpy.dtype
    largest : float
        > 0. The squares of more than 1e154, in float32 of 1e19, are infinite.
    smallest : float
        ≥ 0. 0 lets subnormal numbers in.

    Returns
    -------
    SearchStrategy of ndarray

    Raises
    ------
    TypeError, ValueError
        If an argument is not what is asked for.

    Examples
    --------
    >>> from hypothesis import find
    >>> find(arrays_for((None, 2)), lambda x: x.sum() > 2)
    array([[0., 3.]])
    >>> find(arrays_for(1, "float32", largest=1.0), lambda x: 0 < x[0] < 1e-39) < 1e-39
    array([ True])
    """
    shape = shape if isinstance(shape, tuple) else (shape,)
    sizes = tuple(size(f"shape[{k}]", each) for k, each in enumerate(shape))
    return _arrays(sizes, bounds(dtype, largest, smallest))


def logits(n=None, k=None, dtype="float64", *, largest=1e4, smallest=0.0):
    """Draw logits z, a row for each sample and a column for each class; they shrink to zeros.

        z = z′   or   z = z′/2 ± largest/2, row by row

    Softmax does not change with a row's shift, and its exponentials overflow there unless that is used. For
    z′ as for `arrays_for`: ties for the largest, rows with one that outshines the others, equal rows.

    Parameters
    ----------
    n, k : int, strategy or None
        Rows and columns. None is 1 to 5.
    dtype, largest, smallest :
        As for `arrays_for`.

    Returns
    -------
    SearchStrategy of ndarray of shape (n, k)

    Raises
    ------
    TypeError, ValueError
        If an argument is not what is asked for.

    Examples
    --------
    >>> from hypothesis import find
    >>> find(logits(), lambda z: True)
    array([[0.]])
    >>> find(logits(1, 2), lambda z: z.min() > 1000)
    array([[5000., 5000.]])
    """
    return _logits(size("n", n), size("k", k), bounds(dtype, largest, smallest))


def label_batches(n=None, d=None, k=None, *, labels=None, dtype="float64", largest=1e4, smallest=0.0):
    """Draw batches (x, y), features and labels; they shrink to one row of zeros, of class 0.

    Not every class need be there. Some batches are of one class; in some the last class comes late, with the
    last row. Rows may be equal, with different labels.

    Parameters
    ----------
    n, d, k : int, strategy or None
        Rows, features and classes, the labels being 0 to k − 1. None is 1 to 5.
    labels : list, optional
        The labels, in place of 0 to k − 1.
    dtype, largest, smallest :
        Of x, as for `arrays_for`.

    Returns
    -------
    SearchStrategy of (ndarray of shape (n, d), ndarray of shape (n,))

    Raises
    ------
    TypeError, ValueError
        If an argument is not what is asked for.

    Examples
    --------
    >>> from hypothesis import find
    >>> find(label_batches(d=2, k=3), lambda batch: len(set(batch[1])) > 1)
    (array([[0., 0.],
           [0., 0.]]), array([0, 1]))
    >>> find(label_batches(n=2, d=1, labels=["cat", "dog"]), lambda batch: True)[1].tolist()
    ['cat', 'cat']
    """
    if labels is not None:
        labels = _checks.as_array("labels", labels)
        k = _checks.count("the number of labels", len(labels))
    sizes = size("n", n), size("d", d), size("k", k, low=1)
    return _label_batches(*sizes, labels, bounds(dtype, largest, smallest))


# ---- arguments ---------------------------------------------------------------------------------------


def size(name, value, low=0):
    """Return a strategy for a size: that one, or the strategy itself, or 1 to 5."""
    if value is None:
        return SIZES
    return value if isinstance(value, st.SearchStrategy) else _just(_checks.count(name, value, low))


def bounds(dtype, largest, smallest):
    """Return the Bounds, which must leave numbers of that dtype between them."""
    try:
        kind = None if dtype is None else np.dtype(dtype)
    except TypeError:
        kind = None
    if kind is None or kind not in DTYPES:  # to NumPy, None equals float64
        raise ValueError(f"dtype must be float32 or float64, got {dtype!r}")
    dtype = kind
    most = float(np.finfo(dtype).max)
    largest = _checks.number("largest", largest, f"a number in (0, {most:.4g}]", 0, most, open_low=True)
    smallest = _checks.number("smallest", smallest, f"a number in [0, {largest:.4g}]", 0, largest)
    return Bounds(dtype, largest, smallest)


# ---- arrays ------------------------------------------------------------------------------------------
#
# Hypothesis takes fewer draws, and smaller ones, for simpler. So an entry is the number i of one in a table,
# plain ones before extreme ones, and −i is its negative; and what makes an array extreme, equal rows say, is
# done to one that has been drawn: when that is left out in shrinking, the array is still there.


@lru_cache
def _table(of):
    """Return the numbers, plain and then extreme, that an entry can be but for its sign."""
    info = np.finfo(of.dtype)
    unit = 1.0 if of.largest >= PLAIN[3] else 2.0 ** np.floor(np.log2(of.largest / PLAIN[3]))
    powers = [10.0**p for p in (4, 8, 16, 30, 100, 150, 300, -4, -8, -16, -30, -100, -150, -300)]
    smallest = [float(number) for number in (info.tiny, info.tiny / 4, info.smallest_subnormal)]
    inside = [p for p in (*powers, *smallest) if max(of.smallest, smallest[-1]) <= p <= of.largest]
    return np.array([*(unit * number for number in PLAIN), of.largest, *inside, 0.0])  # whose negative is −0


# To make a strategy takes longer than to draw from it.
_just = lru_cache(1000)(st.just)
_whole = lru_cache(1000)(st.integers)
_floats = lru_cache(100)(st.floats)


@lru_cache(1000)
def _array(dtype, elements, shape):
    """Return a strategy for arrays of such entries, each drawn for itself unless they are many."""
    fill = st.nothing() if math.prod(shape) <= FEW else elements
    return arrays(dtype, shape, elements=elements, fill=fill)


def _entries(draw, shape, of):
    """Draw plain entries, any from the table, or any floats."""
    how = draw(_whole(0, 2))
    if how == 2:
        return draw(_array(np.float64, _floats(-of.largest, of.largest), shape))
    table = _table(of)
    last = len(PLAIN) - 1 if how == 0 else len(table) - 1
    i = draw(_array(np.int64, _whole(-last, last), shape))
    return np.copysign(table[np.abs(i)], i)


def _bits(draw, shape):
    return draw(_array(np.int64, _whole(0, 1), shape)) > 0


def _as_drawn(draw, x, of):
    return x


def _ties(draw, x, of):
    return np.where(_bits(draw, x.shape), x.flat[-1], x.flat[0])


def _equal_rows(draw, x, of):
    return np.broadcast_to(x[:1], x.shape)


def _repeated_rows(draw, x, of):
    return np.where(_bits(draw, (len(x), *[1] * (x.ndim - 1))), x[:1], x)


def _largest(draw, x, of):
    return np.sign(x) * of.largest


def _normal(draw, x, of):
    scale = (min(1.0, of.largest / 8), 1e-6, of.largest / 8)[draw(_whole(0, 2))]
    rng = np.random.default_rng(draw(_whole(0, 9999)))
    return x + rng.normal(size=x.shape).clip(-4, 4) * scale


CHANGES = st.sampled_from([_as_drawn, _ties, _equal_rows, _repeated_rows, _largest, _normal])


@lru_cache(1000)
@st.composite
def _arrays(draw, sizes, of):
    shape = tuple(draw(each) for each in sizes)
    x = _entries(draw, shape, of)
    return _within(draw(CHANGES)(draw, x, of) if x.ndim and x.size else x, of)


def _within(x, of):
    """Return x in its dtype and within the bounds, memory of its own."""
    largest, smallest = np.array([of.largest, of.smallest], of.dtype)
    if float(largest) > of.largest:  # rounded up
        largest = np.nextafter(largest, largest * 0)
    with np.errstate(under="ignore"):
        x = x.clip(-of.largest, of.largest).astype(of.dtype).clip(-largest, largest)
    return np.where((x != 0) & (np.abs(x) < smallest), of.dtype.type(0), x)


SHIFTS = st.integers(-1, 1)


@st.composite
def _logits(draw, n, k, of):
    z = draw(_arrays((n, k), of))
    shift = of.dtype.type(of.largest / 2)
    for row in z:
        by = shift * draw(SHIFTS)
        if by:
            row[:] = row / 2 + by
    return _within(z, of)


@st.composite
def _label_batches(draw, n, d, k, labels, of):
    x, k = draw(_arrays((n, d), of)), draw(k)
    y = draw(targets(len(x), k))
    return x, y if labels is None else labels[y]


HOW = st.sampled_from(["any", "one class", "late"])


@lru_cache(1000)
@st.composite
def targets(draw, n, k):
    """Draw n numbers below k: any, or one, or 0 and at last k − 1."""
    how = draw(HOW)
    y = draw(_array(np.int64, _whole(0, k - 1), (n,)))
    if how == "one class":
        y[:] = y[:1]
    if how == "late":
        y[:-1], y[-1:] = 0, k - 1
    return y
