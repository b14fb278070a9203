"""What closed-form learners remember of data: sums, which add up, and can be taken away again.

    n = Σ wᵢ          x̄ = Σ wᵢ xᵢ / n          ȳ = Σ wᵢ yᵢ / n
    A = Σ wᵢ (xᵢ − x̄)(xᵢ − x̄)ᵀ          b = Σ wᵢ (xᵢ − x̄)(yᵢ − ȳ)ᵀ          s = Σ wᵢ (yᵢ − ȳ)²

Of any two sets of rows, with δ = x̄₂ − x̄₁:

    n = n₁ + n₂          x̄ = x̄₁ + δ n₂/n          A = A₁ + A₂ + δδᵀ n₁n₂/n          and so for ȳ, b and s

so neither the order of rows, nor how they were cut, nor which machine has seen them, makes a difference. The
sums are about the mean, not about 0: Σ xxᵀ − n x̄x̄ᵀ would lose all digits where x̄ is large beside x's
deviation.

All sums are float64, whatever comes. The product of two float32 numbers is exact in float64, so only the
sums round, by 1e-16 of what they have grown to; sums in float32 would depend on the order by 1e-7.
"""

from dataclasses import dataclass, replace

import numpy as np

#: of rows that are looked at together: they stay in a core's cache from one pass to the next
BLOCK_BYTES = 2**20
#: at least so many rows in a block, where they are wide: A is gone through once a block
BLOCK_ROWS = 1024
#: squared means, in variances: below NEAR, a column is near 0; beyond FAR, too far from where it is looked at
NEAR, FAR = 4.0, 16.0
#: what the mean of rows that are all alike may differ from them by, a part of it
ROUNDING = 16 * np.finfo(np.float64).eps


@dataclass(frozen=True, eq=False)
class Statistics:
    """Sums over rows, about their means. It is never changed: + and − return another.

    Parameters
    ----------
    n : float
        Sum of the rows' weights.
    mean : ndarray of shape (d,), float64
    target_mean : ndarray of shape (m,), float64
    scatter : ndarray of shape (d, d), float64
        A.
    cross : ndarray of shape (d, m), float64
        b.
    target_squares : ndarray of shape (m,), float64
        s.
    peak : ndarray of shape (d,), float64
        The largest that A's diagonal has ever been, or a difference of means that was taken away from it has:
        what rounding is to be measured by, where rows were taken away.

    References
    ----------
    Chan, Golub and LeVeque, "Algorithms for computing the sample variance", American Statistician 37, 1983,
    eq. 1.5.

    Examples
    --------
    >>> x, y = np.array([[1.0], [3.0], [8.0]]), np.array([[1.0], [0.0], [1.0]])
    >>> one, two = Statistics.of(x[:2], y[:2]), Statistics.of(x[2:], y[2:])
    >>> both = one + two
    >>> both.n, both.mean.tolist(), both.scatter.tolist()
    (3.0, [4.0], [[26.0]])
    >>> (both - two).mean.tolist(), (both - two).scatter.tolist()
    ([2.0], [[2.0]])
    """

    n: float
    mean: np.ndarray
    target_mean: np.ndarray
    scatter: np.ndarray
    cross: np.ndarray
    target_squares: np.ndarray
    peak: np.ndarray

    @classmethod
    def empty(cls, d, m):
        """Return the statistics of no row with d features and m targets."""
        return cls(
            0.0, np.zeros(d), np.zeros(m), np.zeros((d, d)), np.zeros((d, m)), np.zeros(m), np.zeros(d)
        )

    @classmethod
    def of(cls, x, y, weight=None):
        """Return the statistics of rows.

        Parameters
        ----------
        x : ndarray of shape (n, d)
        y : ndarray of shape (n, m)
        weight : ndarray of shape (n,), optional
            Every row's weight, ≥ 0: 2 says that it came twice. 1 when None.

        Raises
        ------
        FloatingPointError
            If a sum is not finite: squares of numbers beyond 1e154 are not.
        """
        return cls.gather([(x, y, weight)], x.shape[1], y.shape[1])

    @classmethod
    def gather(cls, parts, d, m, about=None):
        """Return the statistics of many rows that come in parts, of which one at a time is looked at.

        Parameters
        ----------
        parts : iterable of (x, y, weight)
            As for `of`.
        d, m : int
            Columns of x and of y.
        about : ndarray of shape (d,), optional
            Where rows are expected: `origin` of those before them; 0 when None. A good guess saves time.

        Raises
        ------
        FloatingPointError
            As `of`.
        """
        total, sums = cls.empty(d, m), None
        room = np.empty((0, d))  # memory that is used again is in the cache already
        with np.errstate(over="ignore", invalid="ignore"):
            for x, y, weight in parts:
                if not len(x) or (weight is not None and not weight.any()):
                    continue
                if len(room) < len(x):
                    room = np.empty((len(x), d))
                if sums is None:
                    sums = _Sums(np.zeros(d) if about is None else about, _mean(y, weight))
                if not sums.add(x, y, weight, room):
                    total = total + sums.statistics()
                    sums = _Sums(_mean(x, weight), _mean(y, weight))
                    sums.add(x, y, weight, room, anyway=True)
            return total if sums is None else total + sums.statistics()

    @property
    def origin(self):
        """Where such rows are best looked at from: their mean, or 0 in a column where that is near."""
        far = self.n * np.square(self.mean) > NEAR * self.scatter.diagonal()
        return np.where(far, self.mean, 0.0)

    def __add__(self, other):
        """Return the statistics of the rows of both, or raise a FloatingPointError as `of`."""
        n = self.n + other.n
        return self if not other.n else other if not self.n else self._joined(other, n, other.n / n, 1)

    def __sub__(self, other):
        """Return the statistics of the rows without those of the other, which must be among them."""
        n = self.n - other.n
        if abs(n) <= 1e-12 * self.n:  # nothing that could be told from rounding
            return Statistics.empty(*self.cross.shape)
        if n < 0:
            raise ValueError(f"rows of weight {other.n:g} can not be taken away from {self.n:g}")
        return self._joined(other, n, -other.n / n, -1)

    def _joined(self, other, n, share, sign):
        """Return the sums with the other's added or taken away; the mean moves a share of the way."""
        shift, target_shift = other.mean - self.mean, other.target_mean - self.target_mean
        weight = self.n * share
        peak = np.maximum(self.peak, other.peak)
        with np.errstate(over="ignore", invalid="ignore"):
            scatter = np.outer(shift, shift)  # no other matrix of this size is made
            scatter *= weight
            scatter += self.scatter
            (np.add if sign > 0 else np.subtract)(scatter, other.scatter, out=scatter)
            if sign < 0:  # δ is known to 1e-16 of the means, which may be large beside it
                means = np.abs(self.mean) + np.abs(other.mean)
                peak = np.maximum(peak, np.abs(weight * shift) * means / 32)
            sums = Statistics(
                n,
                self.mean + share * shift,
                self.target_mean + share * target_shift,
                scatter,
                self.cross + sign * other.cross + weight * np.outer(shift, target_shift),
                self.target_squares + sign * other.target_squares + weight * target_shift**2,
                np.maximum(peak, scatter.diagonal()),
            )
        return sums._if_finite()

    def _if_finite(self):
        """Return the sums, if they are numbers."""
        for part in (self.n, self.peak, self.cross, self.target_squares):  # |Aᵢⱼ|² ≤ Aᵢᵢ Aⱼⱼ ≤ peak²
            if not np.isfinite(part).all():
                raise FloatingPointError("squares of the rows do not add up to a finite number")
        return self

    def faded(self, share):
        """Return the statistics with every weight multiplied by a share in [0, 1]."""
        if share == 1:
            return self
        return Statistics(
            self.n * share,
            self.mean,
            self.target_mean,
            self.scatter * share,
            self.cross * share,
            self.target_squares * share,
            self.peak * share,
        )

    def with_targets(self, columns, m):
        """Return the statistics with the targets in other columns of m, and 0 for every row in the rest.

        Examples
        --------
        >>> some = Statistics.of(np.array([[1.0], [3.0]]), np.array([[1.0], [0.0]]))
        >>> some.with_targets([1], 2).target_mean.tolist()
        [0.0, 0.5]
        """
        target_mean, cross, squares = np.zeros(m), np.zeros((len(self.mean), m)), np.zeros(m)
        target_mean[columns] = self.target_mean
        cross[:, columns] = self.cross
        squares[columns] = self.target_squares
        return replace(self, target_mean=target_mean, cross=cross, target_squares=squares)

    def only_targets(self, columns):
        """Return the statistics of some targets alone."""
        return replace(
            self,
            target_mean=self.target_mean[columns],
            cross=self.cross[:, columns],
            target_squares=self.target_squares[columns],
        )


class _Sums:
    """Sums over rows about an origin (o, o′), of which statistics are made when all have been added.

        zᵢ = xᵢ − o,    tᵢ = yᵢ − o′          n = Σ wᵢ          p = Σ wᵢ zᵢ          q = Σ wᵢ tᵢ
        A = Σ wᵢ zᵢzᵢᵀ − ppᵀ/n          b = Σ wᵢ zᵢtᵢᵀ − pqᵀ/n          s = Σ wᵢ tᵢ² − q²/n

    These differences keep their digits, but for the last, as long as no mean is further from the origin than
    √FAR deviations. Most columns are as near as that to 0, and where all are, no row has to be moved: that
    would take a third as long as the products.
    """

    def __init__(self, origin, target_origin):
        d, m = len(origin), len(target_origin)
        self.origin, self.target_origin, self.moved = origin, target_origin, origin.any()
        self.rounding = ROUNDING * np.append(origin, target_origin)
        self.n, self.q, self.squares = 0.0, np.zeros(m), np.zeros(m)
        self.products, self.cross = np.zeros((d, d)), np.zeros((1 + m, d))  # zᵀz; p and tᵀz

    def add(self, x, y, weight, room, anyway=False):
        """Add rows and return True; or add nothing and return False, because digits would be lost."""
        z, t = x, np.ones((1 + len(self.q), len(x)))
        np.subtract(y.T, self.target_origin[:, None], out=t[1:])
        if self.moved or weight is not None or x.dtype != np.float64:
            z = np.subtract(x, self.origin, out=room[: len(x)], dtype=np.float64)
        weighed = t if weight is None else t * weight
        share = weighed.sum(axis=1)
        n, q = self.n + float(share[0]), self.q + share[1:]
        cross, squares = self.cross + weighed @ z, self.squares + np.einsum("ij,ij->i", weighed[1:], t[1:])
        if weight is not None:
            z *= np.sqrt(weight)[:, None]
        products = z.T @ z
        diagonal = self.products.diagonal() + products.diagonal()
        if not anyway and self._far(np.append(cross[0], q), np.append(diagonal, squares), n):
            return False
        self.n, self.q, self.cross, self.squares = n, q, cross, squares
        self.products += products
        return True

    def statistics(self):
        """Return what has been added, as statistics."""
        n, p, q = self.n, self.cross[0], self.q
        if not n:
            return Statistics.empty(len(p), len(q))
        between = p / np.sqrt(n)
        self.products -= np.outer(between, between)
        diagonal = np.maximum(self.products.diagonal(), 0)
        np.fill_diagonal(self.products, diagonal)
        return Statistics(
            n,
            self.origin + p / n,
            self.target_origin + q / n,
            self.products,
            np.ascontiguousarray(self.cross[1:].T) - np.outer(p / n, q),
            np.maximum(self.squares - q * q / n, 0),
            diagonal,
        )._if_finite()

    def _far(self, first, second, n):
        """Say whether second − first²/n would lose digits or is no number, but for means that only round."""
        lost = (1 + FAR) * np.square(first) - FAR * n * second
        return not (lost <= np.square(n * self.rounding)).all()


def _mean(x, weight):
    """Return the mean of rows."""
    weight = np.ones(len(x)) if weight is None else weight
    return weight @ np.asarray(x, np.float64) / weight.sum()


def blocks(n, row_bytes):
    """Return slices that cut n rows into blocks that fit into a core's cache.

    Examples
    --------
    >>> blocks(2500, 1024)
    [slice(0, 1024, None), slice(1024, 2048, None), slice(2048, 2500, None)]
    """
    rows = max(BLOCK_ROWS, BLOCK_BYTES // max(1, row_bytes))
    return [slice(start, min(start + rows, n)) for start in range(0, n, rows)]
