"""Fixed features φ(x): what makes a linear model see more than lines. Chosen once, never trained again.

    identity    φ = x
    relu        φ = [x, max(0, W ψ(x) + β)],    ψ(x) = arsinh x
    fourier     φ = √(2/k) cos(W x + β)
    patches     φ = √ mean over a cell of max(0, wₖᵀ p − t),    p every patch of an image
    network     φ = an inner activation of a trained network

A sum over rows can only be added to another if both are of the same features. So these are drawn from a seed,
and not from the data, wherever that is possible: two machines that never met have the same ones.
"""

from dataclasses import dataclass, replace

import numpy as np

from .. import _checks
from .._recipes import made, parsed
from ..network import Network

#: how features read
EXAMPLE = "relu(units=2000)"
#: images that patches are looked at of, at once
AT_ONCE = 8
#: first images that filters are learned from, at most, and how often patches are given to centres
LEARNED_FROM, ROUNDS = 1000, 10


class Features:
    """A map from rows (n, d) to rows (n, k). Subclasses are dataclasses of their settings."""

    #: width d of the rows, 0 until `fixed` has been told
    inputs = 0
    #: what was drawn at random, or learned from the first rows: name -> array
    arrays = None
    #: whether φ(x) holds x itself, so that what is not finite in x is not in φ(x) either
    shows = False
    #: whether `fixed` looks at the rows: then machines that begin with other rows have other features
    looks = False

    def fixed(self, x, seed):
        """Return the same features, ready for rows as wide as x.

        Parameters
        ----------
        x : ndarray of shape (n, d)
            The first rows; only their width is looked at, unless `looks`.
        seed : int
            Of all that is drawn.
        """
        made = replace(self)
        made.inputs = x.shape[1]
        made.arrays = made._drawn(x, np.random.default_rng(seed))
        return made

    def _drawn(self, x, rng):
        return {}

    def shapes(self):
        """Return the shape that every one of the arrays must have."""
        return {}

    def __call__(self, x):
        """Return φ(x), shape (n, k); of a row it is the same, whatever rows come with it."""
        raise NotImplementedError

    @property
    def outputs(self):
        """How many features there are, k."""
        raise NotImplementedError

    def like(self, other):
        """Say whether the other is of the same kind, with the same settings."""
        return type(other) is type(self) and other == self

    def same(self, other):
        """Say whether the other's features are these, in all that was drawn or seen."""
        if not self.like(other) or other.inputs != self.inputs:
            return False
        return all(np.array_equal(array, other.arrays[name]) for name, array in self.arrays.items())


@dataclass
class Identity(Features):
    """The columns as they are: φ(x) = x.

    Examples
    --------
    >>> Identity().fixed(np.ones((1, 3)), seed=0).outputs
    3
    """

    shows = True

    def __call__(self, x):
        """Return φ(x)."""
        return x

    @property
    def outputs(self):
        """How many features there are."""
        return self.inputs


@dataclass
class RandomReLU(Features):
    """The columns, and random units that see combinations of them.

        φ(x) = [x, max(0, W ψ(x) + β)]          ψ(x) = arsinh x = sign(x) ln(|x| + √(x² + 1))

    W ~ N(0, 1/d); β ~ N(0, 1) for every other unit, 0 for the rest. ψ is x for small x and a logarithm for
    large, so that a column of incomes does not drown a column of ages; nothing about it is taken from the
    data.

    Parameters
    ----------
    units : int
        How many, ≥ 1.

    References
    ----------
    Pao, Park and Sobajic, "Learning and generalization characteristics of the random vector functional-link
    net", Neurocomputing 6, 1994; McDonnell et al., "RanPAC", NeurIPS 2023, section 3.

    Examples
    --------
    >>> features = RandomReLU(5).fixed(np.ones((1, 2)), seed=0)
    >>> features(np.array([[3.0, -4.0]])).shape, features.outputs
    ((1, 7), 7)
    """

    units: int = 1000
    shows = True

    def __post_init__(self):
        _checks.count("units", self.units)

    def shapes(self):
        """Return the shapes of W and β."""
        return {"W": (self.inputs, self.units), "bias": (self.units,)}

    def _drawn(self, x, rng):
        d = x.shape[1]
        bias = rng.normal(size=self.units)
        bias[::2] = 0
        return {"W": rng.normal(0, 1 / np.sqrt(d), (d, self.units)), "bias": bias}

    def __call__(self, x):
        """Return φ(x)."""
        x = x.astype(np.float64, copy=False)  # in float32, z would depend on how rows are cut, by 1e-7
        z = np.arcsinh(x) @ self.arrays["W"]
        z += self.arrays["bias"]
        return np.hstack([x, np.maximum(z, 0, out=z)])

    @property
    def outputs(self):
        """How many features there are."""
        return self.inputs + self.units


@dataclass
class RandomFourier(Features):
    """Random waves, whose inner products are nearly those of the Gaussian kernel exp(−‖x − x′‖² / 2ℓ²).

        φ(x) = √(2/k) cos(W x + β)          W ~ N(0, 1/ℓ²),   β ~ U(0, 2π)

    Parameters
    ----------
    units : int
        k ≥ 1.
    scale : float or None
        ℓ > 0, the distance at which rows begin to differ. √d when None: right for columns of deviation 1.

    References
    ----------
    Rahimi and Recht, "Random features for large-scale kernel machines", NIPS 2007, algorithm 1.

    Examples
    --------
    >>> features = RandomFourier(20000, scale=1.0).fixed(np.ones((1, 2)), seed=0)
    >>> near = features(np.array([[0.0, 0.0], [0.6, 0.8]]))
    >>> [round(float(value), 1) for value in (near[0] @ near[1], np.exp(-0.5))]
    [0.6, 0.6]
    """

    units: int = 1000
    scale: float | None = None

    def __post_init__(self):
        _checks.count("units", self.units)
        if self.scale is not None:
            self.scale = _checks.positive("scale", self.scale)

    def shapes(self):
        """Return the shapes of W and β."""
        return {"W": (self.inputs, self.units), "bias": (self.units,)}

    def _drawn(self, x, rng):
        d = x.shape[1]
        W = rng.normal(0, 1 / (self.scale or np.sqrt(d)), (d, self.units))
        return {"W": W, "bias": rng.uniform(0, 2 * np.pi, self.units)}

    def __call__(self, x):
        """Return φ(x)."""
        z = x.astype(np.float64, copy=False) @ self.arrays["W"]  # as for RandomReLU
        z += self.arrays["bias"]
        np.cos(z, out=z)
        z *= np.sqrt(2 / self.units)
        return z

    @property
    def outputs(self):
        """How many features there are."""
        return self.units


@dataclass
class Patches(Features):
    """What filters find in the patches of an image, summed up in each of its cells.

        φ_kc = √( mean over the patches p of cell c of max(0, wₖᵀ p̂ − t) )
        p̂ = (p − p̄)/√(‖p − p̄‖² + the mean of ‖p − p̄‖² over the image)

    Brightness and contrast of an image, the unit of its pixels among them, make no difference. Every filter
    wₖ has mean 0 and length 1. It is drawn from a normal distribution, or, where `learned`, is a centre of
    spherical k-means of patches of the first rows.

    Parameters
    ----------
    filters : int
        How many, ≥ 1.
    size : int
        Side of a patch in pixels, ≥ 2.
    cells : int
        Cells along a side of the image, ≥ 1.
    overlap : int
        By how many patches a cell reaches into its neighbours, ≥ 0.
    threshold : float
        t ≥ 0: how much of a filter must be there.
    learned : bool
        Whether filters are learned from the first rows, and not drawn.
    shape : tuple of int or None
        (height, width) or (height, width, channels) of an image, whose pixels are a row. A square when None.

    References
    ----------
    Coates and Ng, "Learning feature representations with k-means", 2012, sections 2 and 4; Coates, Lee and
    Ng, AISTATS 2011, section 3.

    Examples
    --------
    >>> features = Patches(filters=5, size=3, cells=2).fixed(np.ones((1, 64)), seed=0)
    >>> features(np.ones((2, 64))).shape
    (2, 20)
    """

    filters: int = 256
    size: int = 6
    cells: int = 4
    overlap: int = 2
    threshold: float = 0.2
    learned: bool = False
    shape: tuple | None = None

    def __post_init__(self):
        for name in ("filters", "cells"):
            _checks.count(name, getattr(self, name))
        _checks.count("size", self.size, low=2)
        _checks.count("overlap", self.overlap, low=0)
        self.threshold = _checks.strength("threshold", self.threshold)
        _checks.flag("learned", self.learned)
        if self.shape is not None:
            self.shape = _checks.widths("shape", self.shape)
            if len(self.shape) not in (2, 3):
                raise ValueError(
                    f"shape must be (height, width) or (height, width, channels), got {self.shape}"
                )

    @property
    def looks(self):
        """Whether the first rows are looked at."""
        return self.learned

    @property
    def outputs(self):
        """How many features there are."""
        return self.filters * self.cells**2

    def shapes(self):
        """Return the shape of the filters."""
        return {"w": (self.filters, self.size**2 * self._image(self.inputs)[2])}

    def _drawn(self, x, rng):
        height, width, channels = self._image(x.shape[1])
        if min(height, width) - self.size + 1 < self.cells:
            raise ValueError(
                f"size={self.size} and cells={self.cells} are too many for {height} x {width} pixels"
            )
        length = self.size**2 * channels
        drawn = rng.normal(size=(self.filters, length))
        w = self._centres(x, drawn, rng) if self.learned else drawn
        w = w - w.mean(axis=1, keepdims=True)
        return {"w": w / np.linalg.norm(w, axis=1, keepdims=True)}

    def _image(self, d):
        """Return height, width and channels of an image of d numbers."""
        if self.shape is None:
            side = int(np.sqrt(d))
            shape = side, side, 1
        else:
            shape = (*self.shape, 1)[:3]
        if np.prod(shape) != d:
            wanted = "a square" if self.shape is None else f"{self.shape}"
            raise ValueError(
                f"X must hold images, {wanted}, a row each, but a row has {d} numbers: see shape"
            )
        return shape

    def _centres(self, x, w, rng):
        """Return filters learned from the first rows, beginning with w: centres of k-means on the sphere.

        A patch belongs to the centre with the largest |wᵀp|, and a centre becomes the direction of the sum of
        its patches, each with the sign it has there.
        """
        patches = self._patches(x[rng.permutation(len(x))[:LEARNED_FROM]]).reshape(-1, w.shape[1])
        patches = patches[rng.permutation(len(patches))[: 100 * self.filters]]
        for _ in range(ROUNDS):
            match = patches @ w.T
            mine = np.abs(match).argmax(axis=1)
            sign = np.sign(match[np.arange(len(mine)), mine])
            sums = np.zeros_like(w)
            np.add.at(sums, mine, sign[:, None] * patches)
            found = np.linalg.norm(sums, axis=1) > 0  # a centre without patches stays where it is
            w[found] = sums[found] / np.linalg.norm(sums[found], axis=1, keepdims=True)
        return w

    def _patches(self, x):
        """Return p̂ for all patches of images, shape (n, patches of an image, numbers of a patch)."""
        images = x.reshape(len(x), *self._image(x.shape[1]))
        windows = np.lib.stride_tricks.sliding_window_view(images, (self.size, self.size), axis=(1, 2))
        p = windows.reshape(len(x), windows.shape[1] * windows.shape[2], -1)
        p = p - p.mean(axis=2, keepdims=True)
        squares = np.einsum("npl,npl->np", p, p)
        size = np.sqrt(squares + squares.mean(axis=1, keepdims=True))
        size[size == 0] = 1  # nothing is to be seen in such an image
        p /= size[:, :, None]
        return p

    def __call__(self, x):
        """Return φ(x)."""
        made = np.empty((len(x), self.outputs), x.dtype)
        w, pool = (part.astype(x.dtype) for part in (self.arrays["w"].T, self._pool(x.shape[1])))
        for start in range(0, len(x), AT_ONCE):  # few images: what is in between stays in a core's cache
            rows = slice(start, start + AT_ONCE)
            found = self._patches(x[rows]) @ w
            found -= x.dtype.type(self.threshold)
            np.maximum(found, 0, out=found)
            np.sqrt((pool @ found).reshape(len(found), -1), out=made[rows])
        return made

    def _pool(self, d):
        """Return the matrix that takes the mean over each cell, shape (cells², patches)."""
        height, width, _ = self._image(d)
        down, across = (_cells(side - self.size + 1, self.cells, self.overlap) for side in (height, width))
        return np.kron(down, across)


def _cells(n, cells, overlap):
    """Return the matrix that takes the mean over each of the cells that n places are cut into, (cells, n)."""
    edges = np.linspace(0, n, cells + 1).round().astype(int)
    of_cell = np.zeros((cells, n))
    for row, start, stop in zip(of_cell, edges, edges[1:], strict=False):
        row[max(0, start - overlap) : min(n, stop + overlap)] = 1
    return of_cell / of_cell.sum(axis=1, keepdims=True)


@dataclass(eq=False)
class NetworkFeatures(Features):
    """An inner activation of a trained network: φ(x) = a[at](x).

    The network is copied, and not trained any more: train it on the first task, and hand it over.

    Parameters
    ----------
    network : Network
    at : int
        Which activation, counted as `Network.forward` returns them: 0 is x, −1 the logits, −2 what the head
        sees.

    References
    ----------
    McDonnell et al., "RanPAC", NeurIPS 2023; Zhuang et al., "ACIL: Analytic class-incremental learning with
    absolute memorization and privacy protection", NeurIPS 2022, section 3.

    Examples
    --------
    >>> from incrlearn import Network
    >>> network = Network.mlp(4, 8, 2, rng=np.random.default_rng(0))
    >>> NetworkFeatures(network).fixed(np.ones((1, 4)), seed=0).outputs
    8
    """

    network: Network
    at: int = -2

    def __post_init__(self):
        if not isinstance(self.network, Network):
            raise TypeError(f"network must be a Network, got {self.network!r}")
        layers = len(self.network.layers)
        if not isinstance(self.at, int) or not -layers - 1 <= self.at <= layers:
            raise ValueError(
                f"at must be the number of an activation, −{layers + 1} to {layers}, got {self.at!r}"
            )
        self.network = self.network.copy()

    def __call__(self, x):
        """Return φ(x)."""
        return self.network.forward(x)[self.at]

    @property
    def outputs(self):
        """How many features there are."""
        return self(np.zeros((1, self.network.inputs), self.network.dtype)).shape[1]

    def like(self, other):
        """Say whether the other's network is the same."""
        if type(other) is not type(self) or self.at != other.at:
            return False
        mine, theirs = self.network, other.network
        return repr(mine.layers) == repr(theirs.layers) and np.array_equal(mine.theta, theirs.theta)


FEATURES = {
    "identity": Identity,
    "relu": RandomReLU,
    "fourier": RandomFourier,
    "patches": Patches,
}


def as_features(features):
    """Return features from what people write: features themselves, or a text such as "relu(units=2000)".

    Parameters
    ----------
    features : str or Features

    Returns
    -------
    Features

    Raises
    ------
    TypeError, ValueError
        If there are no such features or options.

    Examples
    --------
    >>> as_features("patches(filters=100)").filters
    100
    """
    if isinstance(features, Features):
        return features
    return made("features", parsed("features", features, EXAMPLE), features, FEATURES, EXAMPLE)
