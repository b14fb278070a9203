"""Recursive least squares: the exact ridge solution after every single row, at O(d²) a row.

With z = (x, 1), or z = x without an intercept, one row is learned by (Sherman-Morrison)

    f = Sᵀz          α = γ + f·f          k = S f/α          e = y − Wᵀz
    W ← W + k eᵀ          S ← (S − S f fᵀ/(α + √(γα)))/√γ

and a block of k rows Z, Y (Woodbury; first row i is multiplied by √γᵏ⁻ⁱ, and S divided by √γᵏ) by

    F = ZS          RᵀR = I + FᵀF          E = Y − ZW
    S ← S R⁻¹          W ← W + S R⁻ᵀFᵀ E

The textbook's P ← (P − k zᵀP)/γ subtracts, and rounding may leave a P that is neither symmetric nor positive.
What is kept here is a square root S of P, so P = SSᵀ is both, whatever rounding does to S.

With forgetting, the penalty λ fades as rows do, and a P with nothing to hold it grows without bound in every
direction in which no rows come (wind-up). So the penalty is renewed: each time it has faded to half, what is
missing is put back, as d rows √c eⱼ with target 0 would. It is always between λ/2 and λ, and P ≤ 2I/λ.

Imports NumPy, and SciPy's BLAS when the first row comes.
"""

import math
from functools import cache

import numpy as np

from .. import _checks

#: x, y and e must be shorter than this, and λ be between it and its inverse: then no product overflows
LARGEST = 1e100
LARGEST_SQUARE = LARGEST**2

#: Rows for every entry of a column of W. Fewer cost less one by one than the d³ of a block; more are cut.
FEWEST, MOST = 0.5, 4


class RecursiveLeastSquares:
    """Linear regression that is exact after every row, without keeping any.

        W = argmin Σᵢ γᴺ⁻ⁱ ‖yᵢ − Wᵀzᵢ‖² + λ γʳ ‖W‖²          zᵢ = (xᵢ, 1)

    After N rows. Without forgetting, γ = 1, it is ridge regression on all of them. With γ < 1 rows count the
    less the older they are, and λ stands for ever against what 1/(1 − γ) rows weigh: the penalty fades with
    the rows, but is λ again as soon as it would be less than λ/2 after the next; r counts rows since then.

    However rows are cut into calls of `update` and `update_block`, the result is the same, to rounding. That
    is 1e-16, but √(x·x/λ) times as much where the first rows come by `update`: where this is a million or
    more, and ten digits will not do, give the first d rows as a block.

    Parameters
    ----------
    n_features : int
        d ≥ 1.
    n_outputs : int
        m ≥ 1.
    strength : float
        λ in [1e-100, 1e100]. It holds every entry of W, the intercept's too, as scikit-learn's
        `Ridge(alpha=λ, fit_intercept=False)` does on rows with a column of ones.
    forgetting : float
        γ in [0.5, 1]. At 0.5 the last row weighs as much as all before it.
    intercept : bool
        Whether to learn a constant beside the weights.

    Attributes
    ----------
    coef_ : ndarray of shape (d,), or (m, d) if m > 1
        The weights; zeros before the first row.
    intercept_ : float, or ndarray of shape (m,) if m > 1
    covariance : ndarray of shape (d + 1, d + 1), or (d, d) without an intercept
        P = (Σᵢ γᴺ⁻ⁱ zᵢzᵢᵀ + λγʳI)⁻¹, the intercept last. Times the noise's variance: how uncertain W is.
    n_rows : int
        N.
    strength, forgetting, intercept
        As given.

    Raises
    ------
    TypeError, ValueError
        If an argument is not what is asked for.

    References
    ----------
    Plackett, "Some theorems in least squares", Biometrika 37, 1950, for the recursion. Its square-root form:
    Potter 1963, in Kaminski, Bryson and Schmidt, "Discrete square root filtering: a survey of current
    techniques", IEEE Transactions on Automatic Control 16, 1971; Bierman, "Factorization methods for discrete
    sequential estimation", 1977, chapters 2 and 5. Wind-up: Åström and Wittenmark, "Adaptive control", 2nd
    edition, 1995, chapter 11; against it, a penalty that does not fade away: Gunnarsson, "Combining tracking
    and regularization in recursive least squares identification", 35th IEEE Conference on Decision and
    Control, 1996.

    Examples
    --------
    Formula 4.1's worked example; there λ is per row, here for all three:

    >>> model = RecursiveLeastSquares(2, strength=3 * 0.1, intercept=False)
    >>> model.update([1.0, 2.0], 1.0).coef_.round(6)
    array([0.188679, 0.377358])
    >>> model.update_block([[3.0, 4.0], [5.0, 6.0]], [2.0, 3.5]).coef_.round(6)
    array([0.298696, 0.317182])
    >>> model.predict([[7.0, 8.0]]).round(6)
    array([4.628332])
    """

    def __init__(self, n_features, n_outputs=1, *, strength=1.0, forgetting=1.0, intercept=True):
        self.n_features = _checks.count("n_features", n_features)
        self.n_outputs = _checks.count("n_outputs", n_outputs)
        bounds = 1 / LARGEST, LARGEST
        self.strength = _checks.number("strength", strength, "a number in [1e-100, 1e100]", *bounds)
        self.forgetting = _checks.number("forgetting", forgetting, "a number in [0.5, 1]", 0.5, 1)
        self.intercept = _checks.flag("intercept", intercept)
        self.n_rows = 0
        self._faded = 0  # r
        # the penalty has then faded to half, or would with the next row
        self._period = math.inf if forgetting == 1 else int(math.log(0.5) / math.log(self.forgetting))
        size = self.n_features + self.intercept
        # columns lie in one piece each, so that BLAS changes both in place
        self._S = np.asfortranarray(np.eye(size) / math.sqrt(self.strength))
        self._W = np.zeros((size, self.n_outputs), order="F")

    def __repr__(self):
        return (
            f"RecursiveLeastSquares({self.n_features}, {self.n_outputs}, strength={self.strength}, "
            f"forgetting={self.forgetting}, intercept={self.intercept})"
        )

    @property
    def coef_(self):
        """The weights, as scikit-learn's linear models have them: (d,), or (m, d) if m > 1."""
        weights = self._W[: self.n_features].T
        return weights[0].copy() if self.n_outputs == 1 else weights.copy()

    @property
    def intercept_(self):
        """The constant: a number, or (m,) if m > 1; 0 without an intercept."""
        constant = self._W[-1] if self.intercept else np.zeros(self.n_outputs)
        return float(constant[0]) if self.n_outputs == 1 else constant.copy()

    @property
    def covariance(self):
        """P = SSᵀ, symmetric to the last bit."""
        return self._S @ self._S.T

    def update(self, x, y):
        """Learn one row, by the first recursion on top of this file.

        Parameters
        ----------
        x : array_like of shape (d,)
        y : float, or array_like of shape (m,) if m > 1

        Returns
        -------
        RecursiveLeastSquares
            Itself.

        Raises
        ------
        TypeError, ValueError
            If x or y is not what is asked for, not finite, or 1e100 or more. Nothing has changed then.

        Examples
        --------
        >>> model = RecursiveLeastSquares(1, strength=0.5, intercept=False)
        >>> for _ in range(2):
        ...     print(model.update([1.0], 3.0).coef_, model.covariance)
        [2.] [[0.66666667]]
        [2.4] [[0.4]]
        """
        self._S, self._W = self._learned_row(self._S, self._W, self._row(x), self._target(y))
        self.n_rows += 1
        if self.forgetting < 1:
            self._faded += 1
            if self._faded == self._period:
                self._S, self._W, self._faded = self._renewed(self._S, self._W)
        return self

    def update_block(self, X, Y):
        """Learn rows, as `update` would one after the other, in blocks.

        Parameters
        ----------
        X : array_like of shape (n, d)
        Y : array_like of shape (n,), or (n, m) if m > 1

        Returns
        -------
        RecursiveLeastSquares
            Itself.

        Raises
        ------
        TypeError, ValueError
            If X or Y is not what is asked for, not finite, or 1e100 or more. Nothing has changed then.

        Examples
        --------
        >>> model = RecursiveLeastSquares(1, strength=0.5, intercept=False)
        >>> model.update_block([[1.0], [1.0]], [3.0, 3.0]).coef_
        array([2.4])
        """
        Z, Y = self._rows(X), _checks.finite("Y", _checks.real_array("Y", Y)).astype(np.float64)
        wanted = (len(Z),) if self.n_outputs == 1 else (len(Z), self.n_outputs)
        if Y.shape != wanted:
            raise ValueError(f"Y must have shape {wanted}, one target for each row of X, got {Y.shape}")
        Y = Y.reshape(len(Z), self.n_outputs)
        S, W, faded, start = self._S.copy("F"), self._W.copy("F"), self._faded, 0
        while start < len(Z):
            k = int(min(len(Z) - start, MOST * len(W), self._period - faded))
            S, W = self._learned_block(S, W, Z[start : start + k], Y[start : start + k])
            start, faded = start + k, faded + k
            if faded == self._period:
                S, W, faded = self._renewed(S, W)
        self._S, self._W, self._faded = S, W, faded
        self.n_rows += len(Z)
        return self

    def predict(self, X):
        """Return Wᵀz for every row; zeros before anything has been learned.

        Parameters
        ----------
        X : array_like of shape (n, d)

        Returns
        -------
        ndarray of shape (n,), or (n, m) if m > 1

        Raises
        ------
        TypeError, ValueError
            If X is not what is asked for.

        Examples
        --------
        >>> RecursiveLeastSquares(2).predict([[1.0, 2.0]])
        array([0.])
        """
        prediction = self._rows(X) @ self._W
        return prediction[:, 0] if self.n_outputs == 1 else prediction

    def _learned_row(self, S, W, z, y, names=("x", "y")):
        """Return S and W, changed in place: the first recursion on top of this file."""
        gamma, one = self.forgetting, self.n_outputs == 1  # y and e are numbers then: that saves a third
        dot, add, add_outer = _blas()
        # NaN and infinity reach these two products, from y by way of e: no need to look at every entry
        if not dot(z, z) < LARGEST_SQUARE:
            _refuse(names, z[: self.n_features], y)
        e = y - (dot(z, W[:, 0]) if one else z.dot(W))
        if not (abs(e) < LARGEST if one else dot(e, e) < LARGEST_SQUARE):
            _refuse(names, z[: self.n_features], y)
        f = z.dot(S)
        alpha = gamma + dot(f, f)
        Sf = S.dot(f)
        if one:
            add(Sf, W[:, 0], len(z), e / alpha)
        else:
            W = add_outer(1 / alpha, Sf, e, 1, 1, W, 1, 1, 1)
        S = add_outer(-1 / (alpha + math.sqrt(gamma * alpha)), Sf, f, 1, 1, S, 1, 1, 1)
        if gamma < 1:
            S /= math.sqrt(gamma)
        return S, W

    def _learned_block(self, S, W, Z, Y):
        """Return the new S and W: the second recursion on top of this file."""
        k, names = len(Z), ("X", "Y")
        if k < FEWEST * len(W):
            for z, y in zip(Z, Y if self.n_outputs > 1 else Y[:, 0].tolist(), strict=True):
                S, W = self._learned_row(S, W, z, y, names)
            return S, W
        weight = self.forgetting ** (np.arange(k - 1, -1, -1)[:, None] / 2)
        S, Z, Y = S / self.forgetting ** (k / 2), weight * Z, weight * Y
        with np.errstate(over="ignore", invalid="ignore"):
            F, E = Z @ S, Y - Z @ W
        if not all(np.abs(entries).max() < LARGEST for entries in (Z, Y, E)):
            _refuse(names, Z[:, : self.n_features], Y)
        # R from QR: were FᵀF formed, it would have twice the digits of F, and I would be lost. F stands above
        # I: where small rows are first, Householder's reflections lose them (Cox and Higham 1998)
        R = np.linalg.qr(np.vstack([F, np.eye(len(W))]), mode="r")
        S = _divided(S, R)
        return S, np.asfortranarray(W + S @ _divided(E.T @ F, R).T)

    def _renewed(self, S, W):
        """Return S, W and r = 0, with a penalty of λ again: P⁻¹ ← P⁻¹ + cI, c = λ(1 − γʳ).

        RᵀR = I + cSᵀS, S ← S R⁻¹, W ← W − cPW. As P ≤ 2I/λ, RᵀR is well conditioned: nothing is lost.
        """
        c = self.strength * (1 - self.forgetting**self._period)
        S = _divided(S, np.linalg.cholesky(np.eye(len(S)) + c * (S.T @ S)).T)
        return S, np.asfortranarray(W - c * (S @ (S.T @ W))), 0

    def _row(self, x):
        """Return z = (x, 1), finite or not."""
        if not (isinstance(x, np.ndarray) and x.dtype == np.float64):
            x = _checks.real_array("x", x)
        if x.shape != (self.n_features,):
            raise ValueError(f"x must have shape ({self.n_features},), got {_checks.shape_of(x)}")
        z = np.empty(len(self._W))
        z[: self.n_features] = x
        if self.intercept:
            z[-1] = 1
        return z

    def _rows(self, X):
        """Return Z: finite rows, with a column of ones where there is an intercept."""
        X = _checks.rows("X", X).astype(np.float64)
        if X.shape[1] != self.n_features:
            raise ValueError(f"X has {X.shape[1]} features, but the model was made for {self.n_features}")
        return np.column_stack([X, np.ones(len(X))]) if self.intercept else X

    def _target(self, y):
        """Return y as a number, or as an array of shape (m,) if m > 1, finite or not."""
        if self.n_outputs == 1 and isinstance(y, float):
            return y
        y = _checks.real_array("y", y)
        if y.shape != (() if self.n_outputs == 1 else (self.n_outputs,)):
            wanted = f"have shape ({self.n_outputs},)" if self.n_outputs > 1 else "be a number"
            raise ValueError(f"y must {wanted}, got {_checks.shape_of(y)}")
        return y.astype(np.float64) if self.n_outputs > 1 else float(y)


def _refuse(names, x, y):
    """Say what is wrong with a row, or rows, that hold no number or too large a one, or are too far off."""
    (x_name, y_name), y = names, np.atleast_1d(y)
    _checks.finite(x_name, x)
    _checks.finite(y_name, y)
    raise ValueError(
        f"{x_name} or {y_name} is too large: both, and what prediction leaves of {y_name}, must be less than "
        f"{LARGEST}, got {x_name} up to {np.abs(x).max()} and {y_name} up to {np.abs(y).max()}"
    )


def _divided(S, R):
    """Return S R⁻¹ for an upper triangular R, with columns in one piece each."""
    from scipy.linalg.blas import dtrsm

    return dtrsm(1.0, R, S, side=1)


@cache
def _blas():
    """Return x·y, y ← y + a x, and A ← A + a x yᵀ. They are not kept in the model: they cannot be pickled.

    The second is called with x, y, their length and a; the third with a, x, y, their strides, A, and thrice
    the leave to overwrite: keywords would cost a microsecond.
    """
    from scipy.linalg.blas import daxpy, ddot, dger

    return ddot, daxpy, dger
