"""Standardization: the layer in front of all others, which brings features of any scale to one.

Its statistics run along: every task moves them (`observe`). What a network has learned is a function of the
standardized features, so a scale that moved would silently change it. Therefore `observe` also says by how
much, and the layer behind is compensated: the network's function stays what it was, to rounding.

    (x − μ)/s = r (x − μ′)/s′ + c          r = s′/s          c = (μ′ − μ)/s

A teacher is a copy of the whole network, this layer included, and so keeps its own scale.
"""

import numpy as np

from .. import _checks
from .layers import Layer

BLOCK_ROWS = 4096
#: a spread below this share of the mean is what rounding makes of a constant
ROUNDING = 1e-14


class Standardize(Layer):
    """Bring every feature to mean 0 and standard deviation 1, over all rows observed so far.

        y = (x − μ)/s

    A feature that has not varied yet becomes 0. It has taught the next layer nothing, whose weights for it
    are therefore kept as they are when it first varies.

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
        s, the standard deviation; 1 where a feature has not varied.

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

    def _deviation(self):
        """Return the standard deviation, exactly 0 where a feature has not varied."""
        s = np.sqrt(self.squares / max(self.count, 1))
        return np.where(s > ROUNDING * np.abs(self.mean), s, 0.0)

    def bind(self, theta):
        """Take the network's dtype: y is of that."""
        self.dtype = theta.dtype

    def observe(self, x):
        """Move μ and s to those of all rows so far, these included; nothing is changed in place.

        Parameters
        ----------
        x : ndarray or sparse array of shape (n, inputs)

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
        count, mean, old = self.count, self.mean, self._deviation()
        for start in range(0, x.shape[0], BLOCK_ROWS):
            self._observe_block(_dense(x[start : start + BLOCK_ROWS]).astype(np.float64, copy=False))
        s = self._deviation()
        self.scale = np.where(s > 0, s, 1.0)
        if not count:
            return np.ones(self.inputs), np.zeros(self.inputs), 0
        # all rows so far were 0 where old is 0: any scale says the same of them, so take the new one
        old = np.where(old > 0, old, self.scale)
        return self.scale / old, (self.mean - mean) / old, 0

    def _observe_block(self, x):
        """Chan's update: d = mean_b − mean, squares ← squares + squares_b + d² n n_b/(n + n_b)."""
        with np.errstate(over="ignore", invalid="ignore"):
            n, mean = len(x), x.mean(axis=0)
            d, total = mean - self.mean, self.count + n
            squares = self.squares + np.square(x - mean).sum(axis=0) + np.square(d) * (self.count * n / total)
        for column in np.flatnonzero(~np.isfinite(squares)):
            largest = np.abs(x[:, column]).max()
            raise ValueError(f"x must have a finite variance, got values up to {largest} in column {column}")
        self.count, self.mean, self.squares = total, self.mean + d * (n / total), squares

    def forward(self, x):
        """y = (x − μ)/s."""
        return ((_dense(x) - self.mean) / self.scale).astype(self.dtype)

    def backward(self, x, y, delta):
        """∂L/∂x = δ/s."""
        return (delta / self.scale).astype(self.dtype)


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
        x, old = _checks.csr(x), self.scale
        with np.errstate(over="ignore"):
            squares = np.square(x.data, dtype=np.float64)
        if not np.isfinite(squares.sum()):
            raise ValueError(f"x must be possible to square, got {x.data[squares.argmax()]}")
        columns, entries = np.unique(x.indices[x.data != 0], return_inverse=True)
        new = columns[~np.isin(columns, self.columns)]
        self.columns = np.concatenate([self.columns, new])
        place, _ = self._places(columns)
        self.filled = _padded(self.filled, len(new))
        self.filled[place] += np.bincount(entries, minlength=len(columns))
        self.squares = _padded(self.squares, len(new))
        self.squares[place] += np.bincount(entries, squares[x.data != 0], minlength=len(columns))
        s = np.sqrt(self.squares / self.filled)
        self.scale = np.where((s > 0) & self.scaled, s, 1.0)  # a square may have vanished
        return self.scale[: len(old)] / old, np.zeros(len(old)), len(new)

    def forward(self, x):
        """y = x[:, columns]/s; entries in columns that were empty so far are left out."""
        x = _checks.csr(x)
        place, known = self._places(x.indices)
        entries = np.where(known, x.data / self.scale[place], 0) if len(self.columns) else 0 * x.data
        return type(x)((entries.astype(self.dtype), place, x.indptr), shape=(x.shape[0], len(self.columns)))

    def backward(self, x, y, delta):
        """∂L/∂x = δ/s at the columns filled so far, 0 elsewhere."""
        gradient = np.zeros(x.shape, self.dtype)
        gradient[:, self.columns] = delta / self.scale
        return gradient

    def _places(self, columns):
        """Return where in `self.columns` each of the columns stands, and whether it does."""
        if not len(self.columns):
            return np.zeros(len(columns), np.intp), np.zeros(len(columns), bool)
        order = np.argsort(self.columns)
        place = order[np.searchsorted(self.columns, columns, sorter=order).clip(max=len(order) - 1)]
        return place, self.columns[place] == columns


def _padded(vector, zeros):
    """Return a copy with zeros behind it."""
    return np.concatenate([vector, np.zeros(zeros)])


def _dense(x):
    """Return a block of rows as an ordinary array."""
    return x.toarray() if _checks.is_sparse(x) else x
