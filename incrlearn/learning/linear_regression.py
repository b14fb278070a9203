"""Linear regression as the document's section 4.1 has it: by gradient, and by its normal equations."""

import numpy as np

from .. import _checks
from ..formulas import importance_weighted, squared_error
from ..network import Linear, Network


class LinearRegression:
    """Linear regression with L2 regularization, the document's formula 4.1, incremental with an anchor.

        L(θ) = 1/(2n) Σᵢ (yᵢ − θ·xᵢ)² + λ/2 ‖θ − θ*‖²

    `fit` pulls θ to zero (θ* = 0), as the formula is written. `partial_fit` pulls it to what was learned
    before (θ* = θ after the last call), as the document's text asks: λ says how much of the old is kept.
    An intercept is one more entry of θ, the last, and is not pulled anywhere.

    Parameters
    ----------
    strength : float
        λ ≥ 0.
    intercept : bool
        Whether to learn a constant beside the weights. The document's example has none.
    solver : {"gradient", "normal"}
        "gradient" minimises L with its gradient, which comes from the layer stack (L-BFGS, SciPy).
        "normal" solves (XᵀX/n + λΩ) θ = Xᵀy/n + λΩθ*, Ω = 1 for weights and 0 for the intercept.

    Attributes
    ----------
    theta : ndarray of shape (d,) or (d + 1,), or None before the first call
        θ: the weights and, last, the intercept.

    Raises
    ------
    TypeError, ValueError
        If an argument is not what is asked for.

    References
    ----------
    The document, section 4.1; Hoerl and Kennard, "Ridge regression", Technometrics 12, 1970, eq. 2.1.

    Examples
    --------
    The document's model has two parameters, θ₁ and θ₂:

    >>> X, y = [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], [1.0, 2.0, 3.5]
    >>> LinearRegression(strength=0.1, intercept=False).fit(X, y).theta.round(6)
    array([0.298696, 0.317182])
    >>> LinearRegression(strength=0.1, intercept=False, solver="normal").fit(X, y).theta.round(6)
    array([0.298696, 0.317182])

    Learned beforehand: y = x₁ + x₂. The new data move θ, the less the larger λ is:

    >>> old = LinearRegression(strength=0.1, intercept=False)
    >>> old.theta = np.array([1.0, 1.0])
    >>> old.partial_fit(X, y).theta.round(6)
    array([0.3705  , 0.266394])
    >>> firm = LinearRegression(strength=100, intercept=False)
    >>> firm.theta = np.array([1.0, 1.0])
    >>> firm.partial_fit(X, y).theta.round(2)
    array([0.86, 0.82])
    """

    def __init__(self, strength=0.1, intercept=True, solver="gradient"):
        self.strength = _checks.strength("strength", strength)
        self.intercept = bool(intercept)
        self.solver = solver
        self._solver()
        self.theta = None

    def __repr__(self):
        return (
            f"LinearRegression(strength={self.strength}, intercept={self.intercept}, solver={self.solver!r})"
        )

    def fit(self, X, y):
        """Learn from nothing: minimise formula 4.1 with θ* = 0.

        Parameters
        ----------
        X : array_like of shape (n, d)
        y : array_like of shape (n,)

        Returns
        -------
        LinearRegression
            Itself.

        Raises
        ------
        TypeError, ValueError
            If X or y is not what is asked for.
        """
        X, y = _pairs(X, y)
        self.theta = self._solver()(X, y, np.zeros(X.shape[1] + self.intercept))
        return self

    def partial_fit(self, X, y):
        """Learn from new data alone, with θ* = θ as it is now (0 before the first call).

        Parameters
        ----------
        X : array_like of shape (n, d)
        y : array_like of shape (n,)

        Returns
        -------
        LinearRegression
            Itself.

        Raises
        ------
        TypeError, ValueError
            If X or y is not what is asked for.
        """
        if self.theta is None:
            return self.fit(X, y)
        X, y = _pairs(X, y)
        self._check_width(X)
        self.theta = self._solver()(X, y, self.theta)
        return self

    def predict(self, X):
        """Return θ·x for every row.

        Parameters
        ----------
        X : array_like of shape (n, d)

        Returns
        -------
        ndarray of shape (n,)

        Raises
        ------
        TypeError, ValueError
            If X is not what is asked for, or nothing has been learned yet.
        """
        X = _checks.rows("X", X).astype(np.float64)
        if self.theta is None:
            raise ValueError("nothing has been learned yet: call fit(X, y) first")
        self._check_width(X)
        return self._model(X.shape[1], self.theta)(X)[:, 0]

    def objective(self, theta, X, y, anchor=None):
        """Return formula 4.1 and its gradient, through the layer stack.

        Parameters
        ----------
        theta : array_like of shape (d,) or (d + 1,)
        X : array_like of shape (n, d)
        y : array_like of shape (n,)
        anchor : array_like of the shape of theta, optional
            θ*; zero when None.

        Returns
        -------
        value : float
        gradient : ndarray of the shape of theta

        Raises
        ------
        TypeError, ValueError
            If an argument is not what is asked for.

        Examples
        --------
        >>> X, y = [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], [1.0, 2.0, 3.5]
        >>> value, gradient = LinearRegression(0.1, intercept=False).objective([0.5, -0.25], X, y)
        >>> round(value, 6), gradient.round(6)
        (1.598958, array([-5.95    , -7.691667]))
        """
        X, y = _pairs(X, y)
        network = self._model(X.shape[1], theta)
        a = network.forward(X)
        loss, delta = squared_error(a[-1], y[:, None])
        penalty, slope = importance_weighted(network.theta, self.strength, self._omega(X), anchor)
        return loss + penalty, network.backward(a, {-1: delta}) + slope

    def _solver(self):
        solvers = {"gradient": self._by_gradient, "normal": self._by_normal_equations}
        return _checks.choice("solver", self.solver, solvers)

    def _by_gradient(self, X, y, anchor):
        from scipy.optimize import minimize

        # in units of y and of the columns, so that where L-BFGS stops does not depend on them
        unit = np.sqrt(np.square(y).mean()) or 1.0
        scale = unit / self._size(X)

        def scaled(z):
            value, gradient = self.objective(scale * z, X, y, anchor)
            return value / unit**2, scale * gradient / unit**2

        options = {"maxiter": 10_000, "maxfun": 100_000, "ftol": 1e-16, "gtol": 1e-13}
        result = minimize(scaled, anchor / scale, method="L-BFGS-B", jac=True, options=options)
        return scale * result.x

    def _by_normal_equations(self, X, y, anchor):
        n, omega, size = len(X), self._omega(X), self._size(X)
        Phi = self._with_ones(X)
        A = Phi.T @ Phi / n + self.strength * np.diag(omega)
        b = Phi.T @ y / n + self.strength * omega * anchor
        # A is brought to a diagonal of ones before it is solved. Least squares: where λ = 0 and columns
        # depend on one another, one solution of many
        return np.linalg.lstsq(A / np.outer(size, size), b / size, rcond=None)[0] / size

    def _with_ones(self, X):
        return np.column_stack([X, np.ones(len(X))]) if self.intercept else X

    def _size(self, X):
        """Return √ of the diagonal of XᵀX/n + λΩ: how much each entry of θ weighs in L."""
        size = np.sqrt(np.square(self._with_ones(X)).mean(axis=0) + self.strength * self._omega(X))
        return np.where(size > 0, size, 1)

    def _model(self, d, theta):
        """Return the model as a network of one layer with one unit."""
        layer = Linear(d, 1, bias=self.intercept, initialization="zeros")
        network = Network([layer], np.random.default_rng(0), "float64")
        network.theta = theta
        return network

    def _omega(self, X):
        """Return which entries of θ are pulled: 1 for weights, 0 for the intercept."""
        return np.concatenate([np.ones(X.shape[1]), np.zeros(int(self.intercept))])

    def _check_width(self, X):
        trained = len(self.theta) - self.intercept
        if X.shape[1] != trained:
            raise ValueError(f"X has {X.shape[1]} features, but the model was trained on {trained}")


def _pairs(X, y):
    X = _checks.rows("X", X).astype(np.float64)
    y = _checks.finite("y", _checks.real_array("y", y)).astype(np.float64)
    if y.shape != (len(X),):
        raise ValueError(f"y must have shape ({len(X)},), one value for each row of X, got {y.shape}")
    return X, y
