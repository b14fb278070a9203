"""From statistics to a linear model in closed form: ridge regression, discriminant analysis, nearest mean.

    ŷ = Wᵀ (x − x̄) + c

    ridge           W = (A + λI)⁻¹ b                        c = ȳ
    lda             W = Σ⁻¹ M,    mₖ = μₖ − x̄               cₖ = ln πₖ − ½ mₖᵀ Σ⁻¹ mₖ
    nearest_mean    W = M                                   cₖ = − ½ mₖᵀ mₖ

A solver sees standardized features: Aᵢᵢ = n for every feature that varies, so one λ serves them all, whatever
their units are. A feature that never varied has weight 0.
"""

import warnings
from dataclasses import dataclass

import numpy as np

from .. import _inputs

#: the strengths that "auto" chooses among: λ is these times the largest of A's diagonal, which is n, the rows
STRENGTHS = 10.0 ** np.linspace(-6, 1, 29)
EPSILON = np.finfo(np.float64).eps


@dataclass(frozen=True, eq=False)
class Solution:
    """A linear model ŷ = Wᵀ (x − x̄) + c.

    Parameters
    ----------
    weights : ndarray of shape (d, m)
        W, for features as they come.
    mean : ndarray of shape (d,)
        x̄.
    constant : ndarray of shape (m,)
        c.
    strength : float or None
        λ, or the shrinkage, in use.
    """

    weights: np.ndarray
    mean: np.ndarray
    constant: np.ndarray
    strength: float | None

    def __call__(self, x):
        """Return ŷ for rows x."""
        return (x - self.mean) @ self.weights + self.constant


def ridge(statistics, strength="auto", standardize=True):
    """Solve a ridge regression with a constant that is not penalised.

        W = argmin Σ wᵢ ‖yᵢ − ȳ − Wᵀ(xᵢ − x̄)‖² + λ ‖W‖² = (A + λI)⁻¹ b

    Parameters
    ----------
    statistics : Statistics
        Of at least one row.
    strength : float or "auto"
        λ ≥ 0, or to be chosen by `choose_strength`.
    standardize : bool
        Whether λ is for features divided by their standard deviation.

    Returns
    -------
    Solution

    References
    ----------
    Hoerl and Kennard, "Ridge regression", Technometrics 12, 1970, eq. 2.1.

    Examples
    --------
    >>> from incrlearn.analytic import Statistics
    >>> x, y = np.array([[0.0], [1.0], [2.0]]), np.array([[1.0], [3.0], [5.0]])
    >>> found = ridge(Statistics.of(x, y), strength=0.0)
    >>> found.weights.round(9).tolist(), found(np.array([[10.0]])).round(9).tolist()
    ([[2.0]], [[21.0]])
    """
    A, b, scale = _scaled(statistics, standardize)
    if strength == "auto":
        strength, W = choose_strength(A, b, statistics.target_squares, statistics.n)
    else:
        W = _solve(A, b, strength)
    return Solution(W / scale, statistics.mean, statistics.target_mean, float(strength))


def choose_strength(A, b, s, n):
    """Choose λ by generalised cross-validation, from sums alone, for all of `STRENGTHS` at the price of one.

        A = V diag(a) Vᵀ,    c = Vᵀb
        RSS(λ) = Σₖ (sₖ − Σⱼ cⱼₖ² (aⱼ + 2λ)/(aⱼ + λ)²)          df(λ) = 1 + Σⱼ aⱼ/(aⱼ + λ)
        GCV(λ) = RSS(λ)/n / (1 − df(λ)/n)²

    GCV estimates the mean square error for a row that was left out.

    Parameters
    ----------
    A : ndarray of shape (d, d)
    b : ndarray of shape (d, m)
    s : ndarray of shape (m,)
        Σ wᵢ (yᵢ − ȳ)².
    n : float
        Σ wᵢ.

    Returns
    -------
    strength : float
        The largest λ whose GCV is the smallest, to 1e-9.
    W : ndarray of shape (d, m)
        (A + λI)⁻¹ b.

    References
    ----------
    Golub, Heath and Wahba, "Generalized cross-validation as a method for choosing a good ridge parameter",
    Technometrics 21, 1979, eq. 1.3.

    Examples
    --------
    Three rows, one feature, y = 2x without noise: the weakest is the best.

    >>> strength, W = choose_strength(np.array([[3.0]]), np.array([[6.0]]), np.array([12.0]), 3.0)
    >>> round(strength / 3, 9), W.round(4).tolist()
    (1e-06, [[2.0]])
    """
    a, V = np.linalg.eigh(A)
    size = A.diagonal().max() or n  # all is divided by it: squares of the features may be very large or small
    a, c = np.maximum(a / size, 0), V.T @ b / np.sqrt(size)
    squares, total = np.square(c).sum(axis=1), max(s.sum(), 0.0)
    values = np.empty(len(STRENGTHS))
    for k, strength in enumerate(STRENGTHS):
        # what is left of y is never less than its rounding, nor what is left of the rows' freedom
        rss = max(total - (squares * (a + 2 * strength) / (a + strength) ** 2).sum(), 1e-13 * total)
        free = max(1 - (1 + (a / (a + strength)).sum()) / n, 1e-13)
        values[k] = rss / n / free**2
    best = np.flatnonzero(values <= values.min() * (1 + 1e-9))[-1]
    return float(size * STRENGTHS[best]), V @ (c / (a + STRENGTHS[best])[:, None]) / np.sqrt(size)


def lda(statistics, shrinkage="auto", standardize=True):
    """Solve linear discriminant analysis: a normal distribution for every class, all of one covariance Σ.

        S = (A − Σₖ nₖ mₖ mₖᵀ)/n,    mₖ = μₖ − x̄          Σ = (1 − ρ) S + ρ tr(S)/d I
        ln p(k|x) = mₖᵀ Σ⁻¹ (x − x̄) − ½ mₖᵀ Σ⁻¹ mₖ + ln nₖ/n + a constant

    Parameters
    ----------
    statistics : Statistics
        Of at least one row; the targets are 1 for a row's class and 0 for the others.
    shrinkage : float or "auto"
        ρ in [0, 1]; "auto" takes the estimate that comes nearest to the true Σ were x normal.
    standardize : bool
        Whether ρ is for features divided by their standard deviation.

    Returns
    -------
    Solution

    References
    ----------
    Hastie, Tibshirani and Friedman, "The elements of statistical learning", 2009, eq. 4.10 (LDA); Chen,
    Wiesel, Eldar and Hero, "Shrinkage algorithms for MMSE covariance estimation", IEEE Trans. Signal
    Processing 58, 2010, eq. 23 (ρ); Hayes and Kanan, "Lifelong machine learning with deep streaming LDA",
    CVPR Workshops 2020.

    Examples
    --------
    >>> from incrlearn.analytic import Statistics
    >>> x, y = np.array([[0.0], [2.0], [10.0], [12.0]]), np.repeat(np.eye(2), 2, axis=0)
    >>> lda(Statistics.of(x, y))(np.array([[1.0], [5.9], [6.1]])).argmax(axis=1)
    array([0, 0, 1])
    """
    A, b, scale = _scaled(statistics, standardize)
    share, n = statistics.target_mean, statistics.n
    M, share = _class_means(b, share, n), np.maximum(share, np.finfo(float).tiny)
    S = (A - (M * (n * share)) @ M.T) / n
    p = max(np.count_nonzero(A.diagonal()), 1)  # of features that vary
    if shrinkage == "auto":
        shrinkage = _oracle_shrinkage(S, n, p)
    rounding = 16 * EPSILON * np.trace(A) / n  # classes may differ where nothing varies within them
    W = _solve((1 - shrinkage) * S, M, max(shrinkage * np.trace(S) / p, rounding))
    constant = np.log(share) - np.einsum("ij,ij->j", M, W) / 2
    return Solution(W / scale, statistics.mean, constant, float(shrinkage))


def nearest_mean(statistics, strength=None, standardize=True):
    """Solve for the class whose mean is the nearest: ‖x − μₖ‖² = ‖x − x̄‖² − 2 (mₖᵀ(x − x̄) − ½ ‖mₖ‖²).

    Parameters
    ----------
    statistics : Statistics
        Of at least one row; the targets are 1 for a row's class and 0 for the others.
    strength : None or "auto"
        There is nothing to choose.
    standardize : bool
        Whether distances are of features divided by their standard deviation.

    Returns
    -------
    Solution

    References
    ----------
    Rebuffi et al., "iCaRL", CVPR 2017, eq. 2; Mensink et al., IEEE Trans. PAMI 35, 2013, eq. 1.

    Examples
    --------
    >>> from incrlearn.analytic import Statistics
    >>> x, y = np.array([[0.0], [2.0], [10.0], [12.0]]), np.repeat(np.eye(2), 2, axis=0)
    >>> nearest_mean(Statistics.of(x, y))(np.array([[1.0], [5.9], [6.1]])).argmax(axis=1)
    array([0, 0, 1])
    """
    _, b, scale = _scaled(statistics, standardize)
    M = _class_means(b, statistics.target_mean, statistics.n)
    return Solution(M / scale, statistics.mean, -np.square(M).sum(axis=0) / 2, None)


def temperature(solver, statistics, solution, standardize=True):
    """Return T > 0 of the probabilities softmax(ŷ/T) that a solution's outputs stand for.

        ridge           T = ½ √GCV(λ)
        lda             T = 1
        nearest_mean    T = Σₖ πₖ mₖᵀ S mₖ / Σₖ πₖ mₖᵀ mₖ

    Outputs of lda are log probabilities already. Those of nearest_mean would be, were the variance within a
    class the same in all directions: T is that variance, in the directions in which classes differ. Outputs
    of ridge miss their target by √GCV in the mean; half of it makes probabilities that are right on the
    average, which is measured (`tests/analytic/test_probabilities.py`), not derived.

    Parameters
    ----------
    solver : {"ridge", "lda", "nearest_mean"}
    statistics : Statistics
    solution : Solution
        The solver's, of these statistics.
    standardize : bool
        As it was for the solver.
    """
    if solver == "lda":
        return 1.0
    A, b, scale = _scaled(statistics, standardize)
    n, share = statistics.n, statistics.target_mean
    if solver == "nearest_mean":
        M = _class_means(b, share, n)
        within = (A - (M * (n * share)) @ M.T) / n
        M = M / (np.abs(M).max() or 1.0)
        apart = (share * np.square(M)).sum()
        return _above_zero((share * M * (within @ M)).sum() / apart if apart else 1.0)
    W = solution.weights * np.where(np.isinf(scale), 0, scale)
    left = statistics.target_squares - np.einsum("ij,ij->j", W, 2 * b - A @ W)
    a = np.maximum(np.linalg.eigvalsh(A), 0)
    free = 1 - (1 + (a[a > 0] / (a[a > 0] + solution.strength)).sum()) / n
    outputs = max(1, np.count_nonzero(statistics.target_squares))  # but those of classes yet to come
    return _above_zero(np.sqrt(np.maximum(left, 0).sum() / outputs / n) / max(free, 1 / n) / 2)


SOLVERS = {"ridge": ridge, "lda": lda, "nearest_mean": nearest_mean}


def _scaled(statistics, standardize):
    """Return A and b of features divided by their scale, and the scale, a column."""
    variance = statistics.scatter.diagonal() / statistics.n
    # what varies less than its mean is rounded, or than what was taken away again, has not varied
    rounding = np.square(16 * EPSILON * statistics.mean) + 256 * EPSILON * statistics.peak / statistics.n
    varies = variance > rounding
    scale = np.sqrt(variance, where=varies, out=np.ones(len(variance)))
    if not standardize:
        scale[varies] = 1.0
    divisor = np.where(varies, scale, np.inf)[:, None]
    return statistics.scatter / divisor / divisor.T, statistics.cross / divisor, divisor


def _class_means(b, share, n):
    """Return mₖ = μₖ − x̄ for every class, 0 for one without rows."""
    return np.divide(b, share * n, where=share > 0, out=np.zeros_like(b))


def _oracle_shrinkage(S, n, p):
    """Return ρ of Chen et al., eq. 23, for p features."""
    trace = np.trace(S)
    square = np.square(S / trace).sum() if trace > 0 else 0.0  # tr(S²)/tr²(S)
    spread = square - 1 / p
    if spread <= EPSILON:  # it is a multiple of I already
        return 1.0
    return float(min(1.0, ((1 - 2 / p) * square + 1) / ((n + 1 - 2 / p) * spread)))


def _solve(A, b, strength):
    """Return (A + λI)⁻¹ b by Cholesky; of many solutions, where A does not tell them apart, the smallest."""
    from scipy.linalg import LinAlgError, cho_factor, cho_solve

    some = A.any(axis=1) | b.any(axis=1)
    if not some.all():  # what does not vary has no weight
        W = np.zeros_like(b)
        W[some] = _solve(A[np.ix_(some, some)], b[some], strength) if some.any() else 0
        return W
    shifted = A.copy()
    shifted.flat[:: len(A) + 1] += strength
    scale = np.sqrt(np.maximum(shifted.diagonal(), 0))[:, None]
    if scale.all():
        shifted /= scale  # as features of one size: a scale alone is no dependence
        shifted /= scale.T
        try:
            factor = cho_factor(shifted, lower=True, overwrite_a=True)
            if np.square(factor[0].diagonal()).min() > 16 * len(A) * EPSILON:
                return cho_solve(factor, b / scale) / scale
        except LinAlgError:
            pass
    a, V = np.linalg.eigh(A)
    told = a + strength > len(A) * EPSILON * max(a.max() + strength, np.finfo(float).tiny)
    warnings.warn(
        f"features depend on one another ({told.sum()} directions of {len(A)} are told apart): of all "
        "solutions the smallest is taken; a larger strength makes it unique",
        RuntimeWarning,
        stacklevel=_inputs.outside(),
    )
    inverse = np.divide(1.0, a + strength, where=told, out=np.zeros(len(a)))
    return V @ (inverse[:, None] * (V.T @ b))


def _above_zero(variance):
    """Return a temperature that can be divided by."""
    return float(max(variance, 1e-6))
