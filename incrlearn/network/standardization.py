"""Standardization: the layer in front of all others, which brings features of any scale to one.

Its statistics run along: every task moves them (`observe`). What a network has learned is a function of the
standardized features, so a scale that moved would silently change it. Therefore `observe` also says by how
much, and the layer behind is compensated: the network's function stays what it was, to rounding.

    (x − μ)/s = r (x − μ′)/s′ + c          r = s′/s          c = (μ′ − μ)/s

A teacher is a copy of the whole network, this layer included, and so keeps its own scale.
"""

import math

import numpy as np

from .. import _checks
from .layers import Layer

BLOCK_ROWS = 4096
#: the spread of fewer rows says little: where it moves, weights are kept as if nothing had varied yet
ENOUGH = 16
#: a feature whose spread was never above this share of its mean is a constant, but for rounding
ROUNDING = 1e-14


class Standardize(Layer):
    """Bring every feature to mean 0 and standard deviation 1, over all rows observed so far.

        y = (x − μ)/s

    A feature that has not varied yet becomes 0. It has taught the next layer nothing, whose weights for it
    are therefore kept as they are when it first varies. So they are while fewer than 16 rows were observed:
    two neighbouring rows of a slow sensor would make a scale that is a thousand times too small.

    Parameters
    ----------
    inputs : int
        How many features, ≥ 1.

    Attributes
    ----------
    count : int
        Rows observed so far.
    mean, squares : ndarray of shape (inputs,)
        μ, and the sum of squared deviations from it, in float64.
    scale : ndarray of shape (inputs,)
        s, the standard deviation; 1 where a feature has not varied, whose `squares` are 0.

    Raises
    ------
    TypeError, ValueError
        If inputs is not a whole number ≥ 1.

    References
    ----------
    Chan, Golub and LeVeque, "Updating formulae and a pairwise algorithm for computing sample variances",
    1979, eq. 2.1.

    Examples
    --------
    >>> layer = Standardize(1)
    >>> _ = layer.observe(np.array([[1.0], [3.0]]))
    >>> layer.forward(np.array([[1.0], [2.0], [3.0]])).ravel()
    array([-1.,  0.,  1.])
    """

    any_dtype = True

    def __init__(self, inputs):
        self.inputs = _checks.count("inputs", inputs)
        self.count = 0
        self.mean, self.squares = np.zeros(self.inputs), np.zeros(self.inputs)
        self.scale = np.ones(self.inputs)
        self.dtype = np.dtype(np.float64)

    def __repr__(self):
        return f"Standardize({self.inputs})"

    def connect(self, width):
        """Return how many features there are."""
        return self.inputs

    def bind(self, theta):
        """Take the network's dtype: y is of that."""
        self.dtype = theta.dtype

    def observe(self, x, name="x", enough=ENOUGH):
        """Move μ and s to those of all rows so far, these included; nothing is changed in place.

        Parameters
        ----------
        x : ndarray or sparse array of shape (n, inputs)
        name : str
            What x is called in an error.
        enough : int
            How many rows a scale must come from to count as one.

        Returns
        -------
        r, c : ndarray of shape (inputs,)
            Old y = r (new y) + c.
        new : int
            How many inputs the next layer must gain: none.

        Raises
        ------
        ValueError
            If a feature is too large to be squared.
        """
        count, mean, squares = self.count, self.mean, self.squares
        for start in range(0, x.shape[0], BLOCK_ROWS):
            block = _dense(x[start : start + BLOCK_ROWS]).astype(np.float64, copy=False)
            count, mean, squares = _with_block(name, block, count, mean, squares)
        varied, known = squares > 0, (self.squares > 0) & (self.count >= enough)
        scale = np.where(varied, np.sqrt(squares) / math.sqrt(max(count, 1)), 1.0)
        r, c = np.ones(self.inputs), np.zeros(self.inputs)
        if self.count:
            # where nothing had varied all rows were 0: any scale says the same of them, so take the new one;
            # and a scale that came from a few rows is no reason to blow weights up when the true one appears
            old = np.where(known, self.scale, scale)
            r, c = scale / old, np.where(varied, (mean - self.mean) / old, 0.0)
        self.count, self.mean, self.squares, self.scale = count, mean, squares, scale
        return r, c, 0

    def _slope(self):
        """Return ∂y/∂x: 1/s, and 0 where a feature has not varied; 1 before the first row."""
        return np.where(self.squares > 0, 1 / self.scale, 0.0) if self.count else 1 / self.scale

    def forward(self, x):
        """y = (x − μ)/s, and 0 where a feature has not varied."""
        return ((_dense(x) - self.mean) * self._slope()).astype(self.dtype)

    def inverse(self, y):
        """x = μ + s y, and μ where a feature has not varied."""
        return self.mean + np.where(self.squares > 0, self.scale, 0.0) * y

    def backward(self, x, y, delta):
        """∂L/∂x = δ/s, and 0 where a feature has not varied."""
        return (delta * self._slope()).astype(self.dtype)


class StandardizeSparse(Layer):
    """Keep the columns of a sparse matrix that were ever filled, and bring their entries to size 1.

        y = x[:, columns]/s          s = root mean square of a column's non-zero entries

    A zero stays a zero, so nothing becomes dense; a column that is always empty costs nothing. A column that
    is filled for the first time becomes a new input of the next layer, at its end: old rows are empty there,
    so for them the network's function stays.

    Parameters
    ----------
    inputs : int
        How many columns the sparse matrices have, ≥ 1.
    scaled : bool
        Whether to divide by s, or by 1.

    Attributes
    ----------
    columns : ndarray of int
        The columns filled so far, in the order of their arrival.
    filled, squares, scale : ndarray, as long as `columns`
        How often each was filled, the sum of its squares, and s, in float64.

    Raises
    ------
    TypeError, ValueError
        If inputs is not a whole number ≥ 1.

    Examples
    --------
    >>> from scipy.sparse import csr_array
    >>> layer = StandardizeSparse(1_000_000)
    >>> x = csr_array(([3.0, 3.0, 5.0], ([0, 1, 1], [77, 77, 999_999])), shape=(2, 1_000_000))
    >>> _ = layer.observe(x)
    >>> layer.forward(x).toarray()
    array([[1., 0.],
           [1., 1.]])
    """

    any_dtype = True

    def __init__(self, inputs, scaled=True):
        self.inputs = _checks.count("inputs", inputs)
        self.scaled = bool(scaled)
        self.columns = np.empty(0, np.int64)
        self.filled, self.squares, self.scale = np.empty(0), np.empty(0), np.empty(0)
        self.dtype = np.dtype(np.float64)

    def __repr__(self):
        return f"StandardizeSparse({self.inputs}{'' if self.scaled else ', scaled=False'})"

    def connect(self, width):
        """Return how many columns were filled so far."""
        return len(self.columns)

    def bind(self, theta):
        """Take the network's dtype: y is of that."""
        self.dtype = theta.dtype

    def observe(self, x):
        """Take note of filled columns and the size of their entries; nothing is changed in place.

        Parameters
        ----------
        x : ndarray or sparse array of shape (n, inputs)

        Returns
        -------
        r, c : ndarray
            Old y = r (new y) + c, for the columns known before; c = 0.
        new : int
            How many columns were filled for the first time.

        Raises
        ------
        ValueError
            If an entry is too large to be squared.
        """
        x = _checks.csr(x)
        data = x.data[x.data != 0]
        found, entries = np.unique(x.indices[x.data != 0], return_inverse=True)
        new = found[~np.isin(found, self.columns)]
        columns, old = np.concatenate([self.columns, new]), self.scale
        place, _ = _places(columns, found)
        filled, squares = _padded(self.filled, len(new)), _padded(self.squares, len(new))
        filled[place] += np.bincount(entries, minlength=len(found))
        with np.errstate(over="ignore"):
            added = np.square(data, dtype=np.float64)
            squares[place] += np.bincount(entries, added, minlength=len(found))
        if not np.isfinite(squares).all():
            raise ValueError(f"x must be possible to square, got {data[added.argmax()]}")
        s = np.sqrt(squares) / np.sqrt(filled)
        self.columns, self.filled, self.squares = columns, filled, squares
        self.scale = np.where((s > 0) & self.scaled, s, 1.0)  # a square may have vanished
        return self.scale[: len(old)] / old, np.zeros(len(old)), len(new)

    def forward(self, x):
        """y = x[:, columns]/s; entries in columns that were empty so far are left out."""
        x = _checks.csr(x)
        place, known = _places(self.columns, x.indices)
        place, before = place[known], np.concatenate([[0], known.cumsum()])
        entries = (x.data[known] / self.scale[place]).astype(self.dtype)
        return type(x)((entries, place, before[x.indptr]), shape=(x.shape[0], len(self.columns)))

    def backward(self, x, y, delta):
        """∂L/∂x = δ/s at the columns filled so far, 0 elsewhere."""
        gradient = np.zeros(x.shape, self.dtype)
        gradient[:, self.columns] = delta / self.scale
        return gradient


def _with_block(name, x, count, mean, squares):
    """Chan's update: d = mean_b − mean, squares ← squares + squares_b + d² n n_b/(n + n_b)."""
    with np.errstate(over="ignore", invalid="ignore"):
        n, total = len(x), count + len(x)
        centred = x - x[0]  # of a constant exactly 0, whatever rounding makes of its mean
        shift = centred.mean(axis=0)
        centred -= shift
        d = x[0] + shift - mean
        mean = mean + d * (n / total)
        moved = squares + np.square(centred).sum(axis=0) + np.square(d) * (count * n / total)
        rounding = total * np.square(ROUNDING * mean)
    for column in np.flatnonzero(~np.isfinite(moved)):
        largest = np.abs(x[:, column]).max()
        raise ValueError(f"{name} must have a finite variance, got values up to {largest} in column {column}")
    return total, mean, np.where((squares > 0) | (moved > rounding), moved, 0.0)


def _places(known, columns):
    """Return where among the known ones each of the columns stands, and whether it does."""
    if not len(known):
        return np.zeros(len(columns), np.intp), np.zeros(len(columns), bool)
    order = np.argsort(known)
    place = order[np.searchsorted(known, columns, sorter=order).clip(max=len(order) - 1)]
    return place, known[place] == columns


def _padded(vector, zeros):
    """Return a copy with zeros behind it."""
    return np.concatenate([vector, np.zeros(zeros)])


def _dense(x):
    """Return a block of rows as an ordinary array."""
    return x.toarray() if _checks.is_sparse(x) else x
