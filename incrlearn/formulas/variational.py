"""The variational autoencoder: a latent z that is normal, and rows x that are painted from it.

    log p(x) ≥ E_q [log p(x|z)] − KL(q(z|x) ‖ p(z))          q(z|x) = N(μ, σ²)          p(z) = N(0, 1)

The second term is `kl_to_normal`, or `kl_between` where p(z) is another normal distribution; `reparametrize`
draws the z of the first, for which `binary_cross_entropy` is −log p(x|z). `log_normal`, `log_bernoulli` and
`log_mean_exp` estimate log p(x) itself. NumPy only.
"""

import math

import numpy as np

from .. import _checks

LOG_2_PI = math.log(2 * math.pi)


def kl_to_normal(mu, log_variance):
    """How far a normal distribution with a variance for every dimension is from the standard normal one.

        KL(N(μ, σ²) ‖ N(0, 1)) = −1/(2n) Σᵢ Σₖ [1 + log σ² − μ² − σ²]

        ∂/∂μ = μ/n          ∂/∂log σ² = (σ² − 1)/(2n)

    Parameters
    ----------
    mu : array_like of shape (n, k)
        Means μ, finite.
    log_variance : array_like of shape (n, k)
        log σ², finite.

    Returns
    -------
    value : float
        ≥ 0, the mean over the rows.
    gradients : pair of ndarray of shape (n, k), in the dtype of mu
        ∂/∂μ and ∂/∂log σ².

    Raises
    ------
    TypeError, ValueError
        If the shapes differ, or a number is not finite.
    FloatingPointError
        If the value overflows.

    References
    ----------
    Kingma and Welling, "Auto-encoding variational Bayes", ICLR 2014, appendix B.

    Examples
    --------
    >>> value, (by_mu, by_log_variance) = kl_to_normal([[1.0, 0.0]], [[0.0, np.log(3.0)]])
    >>> round(value, 6), by_mu, by_log_variance.round(6)
    (0.950694, array([[1., 0.]]), array([[0., 1.]]))
    """
    mu = _checks.rows("mu", mu)
    log_variance = _like("log_variance", log_variance, mu)
    n = len(mu)
    with np.errstate(over="ignore"):  # reported below
        variance_less_1 = np.expm1(log_variance)  # σ² − 1, exact where σ is near 1
        value = (np.square(mu) + variance_less_1 - log_variance).sum() / (2 * n)
    _finite("the divergence", value)
    return float(value), (mu / n, variance_less_1 / (2 * n))


def kl_between(mu, log_variance, prior_mu, prior_log_variance):
    """How far one normal distribution with a variance for every dimension is from another one.

        KL(N(μ, σ²) ‖ N(m, s²)) = 1/(2n) Σᵢ Σₖ [log s² − log σ² + (σ² + (μ − m)²)/s² − 1]

        ∂/∂μ = (μ − m)/(n s²)          ∂/∂log σ² = (σ²/s² − 1)/(2n)

        ∂/∂m = −∂/∂μ          ∂/∂log s² = (1 − (σ² + (μ − m)²)/s²)/(2n)

    With m = 0 and s = 1 it is `kl_to_normal`.

    Parameters
    ----------
    mu, log_variance : array_like of shape (n, k)
        μ and log σ², finite.
    prior_mu, prior_log_variance : array_like of shape (n, k)
        m and log s², finite: for every row those of its own prior.

    Returns
    -------
    value : float
        ≥ 0, the mean over the rows.
    gradients : four ndarrays of shape (n, k), in the dtype of mu
        ∂/∂μ, ∂/∂log σ², ∂/∂m and ∂/∂log s².

    Raises
    ------
    TypeError, ValueError
        If the shapes differ, or a number is not finite.
    FloatingPointError
        If the value overflows.

    References
    ----------
    Van de Ven, Siegelmann and Tolias, "Brain-inspired replay for continual learning with artificial neural
    networks", Nature Communications 11, 2020 (a prior for every class).

    Examples
    --------
    >>> value, (by_mu, by_log_variance, by_m, by_log_s2) = kl_between([[3.0]], [[0.0]], [[1.0]], [[0.0]])
    >>> value, by_mu, by_log_variance, by_m, by_log_s2
    (2.0, array([[2.]]), array([[0.]]), array([[-2.]]), array([[-2.]]))
    """
    mu = _checks.rows("mu", mu)
    log_variance = _like("log_variance", log_variance, mu)
    prior_mu = _like("prior_mu", prior_mu, mu)
    prior_log_variance = _like("prior_log_variance", prior_log_variance, mu)
    n = len(mu)
    with np.errstate(over="ignore", invalid="ignore"):  # reported below
        log_ratio, distance = log_variance - prior_log_variance, mu - prior_mu
        ratio_less_1 = np.expm1(log_ratio)  # σ²/s² − 1, exact where σ is near s
        by_mu = distance * np.exp(-prior_log_variance) / n
        square = n * distance * by_mu  # (μ − m)²/s²
        value = (square + ratio_less_1 - log_ratio).sum() / (2 * n)
        by_log_variance = ratio_less_1 / (2 * n)
    _finite("the divergence", value)
    return float(value), (by_mu, by_log_variance, -by_mu, -by_log_variance - square / (2 * n))


def reparametrize(mu, log_variance, epsilon):
    """Make N(0, 1) noise a draw from N(μ, σ²) that has derivatives with respect to μ and σ.

        z = μ + σ ε          ∂z/∂μ = 1          ∂z/∂log σ² = σ ε/2

    Every entry of z depends on its own μ and σ alone. So with δ = ∂L/∂z and the slope σ ε/2 that is returned
    with z, ∂L/∂μ = δ and ∂L/∂log σ² = δ · slope.

    Parameters
    ----------
    mu : array_like of shape (n, k)
        Means μ, finite.
    log_variance : array_like of shape (n, k)
        log σ², finite.
    epsilon : array_like of shape (n, k)
        ε, drawn from N(0, 1).

    Returns
    -------
    z : ndarray of shape (n, k), in the dtype of mu
    slope : ndarray of shape (n, k), in the dtype of mu
        ∂z/∂log σ².

    Raises
    ------
    TypeError, ValueError
        If the shapes differ, or a number is not finite.
    FloatingPointError
        If z overflows.

    References
    ----------
    Kingma and Welling, ICLR 2014, section 2.4; Rezende, Mohamed and Wierstra, "Stochastic
    backpropagation and approximate inference in deep generative models", ICML 2014, section 3.

    Examples
    --------
    >>> z, slope = reparametrize([[1.0]], [[np.log(4.0)]], epsilon=[[-3.0]])
    >>> z, slope
    (array([[-5.]]), array([[-3.]]))
    """
    mu = _checks.rows("mu", mu)
    log_variance = _like("log_variance", log_variance, mu)
    epsilon = _like("epsilon", epsilon, mu)
    with np.errstate(over="ignore", invalid="ignore"):  # reported below
        noise = np.exp(log_variance / 2) * epsilon
        z = mu + noise
        _finite("z", z.sum())
    return z, noise / 2


def log_normal(x, mu=0.0, log_variance=0.0):
    """Return the logarithm of the normal density at every row; of N(0, 1) where no more is said.

        log N(x; μ, σ²) = −½ Σₖ [log 2π + log σ² + (x − μ)²/σ²]

    Parameters
    ----------
    x : ndarray of shape (..., k)
        Finite.
    mu, log_variance : ndarray that broadcasts to the shape of x
        μ and log σ², finite.

    Returns
    -------
    ndarray of shape (...)
        In the dtype of x.

    References
    ----------
    Bishop, Pattern Recognition and Machine Learning, 2006, eq. 2.43, with a diagonal covariance.

    Examples
    --------
    >>> log_normal(np.array([[0.0, 0.0], [3.0, 4.0]])).round(6)
    array([ -1.837877, -14.337877])
    """
    mu, log_variance = (np.asarray(part, x.dtype) for part in (mu, log_variance))
    return -(LOG_2_PI + log_variance + np.square(x - mu) * np.exp(-log_variance)).sum(axis=-1) / 2


def log_bernoulli(x, logits):
    """Return the log-likelihood of every row under yes-or-no questions with probabilities σ(a).

        log p(x|a) = Σₖ [xₖ log σ(aₖ) + (1 − xₖ) log(1 − σ(aₖ))] = Σₖ [xₖ aₖ − log(1 + exp aₖ)]

    The mean of −log p(x|a) over the rows is `binary_cross_entropy(a, x)`. This one is for millions of rows:
    log(1 + eᵃ) = max(a, 0) + log(1 + exp −|a|) never overflows, and vectorizes.

    Parameters
    ----------
    x : ndarray of shape (..., k)
        In [0, 1]. It broadcasts: one row of x may meet many rows of logits.
    logits : ndarray of shape (..., k)
        a, finite.

    Returns
    -------
    ndarray of shape (...)
        In the dtype of the logits, if x has no wider one.

    References
    ----------
    Kingma and Welling, ICLR 2014, appendix C.1.

    Examples
    --------
    >>> log_bernoulli(np.array([[1.0, 0.0]]), np.array([[0.0, -1000.0]])).round(6)
    array([-0.693147])
    """
    softplus = np.log1p(np.exp(-np.abs(logits)))
    softplus += np.maximum(logits, 0)
    return np.einsum("...k,...k->...", x, logits) - softplus.sum(axis=-1)


def log_mean_exp(log_w):
    """Return the logarithm of the mean weight of every row, from logarithms of weights.

        log 1/S Σₛ wₛ = m + log 1/S Σₛ exp(log wₛ − m)          m = maxₛ log wₛ

    With weights w = p(x|z) p(z)/q(z|x) and z drawn from q, the mean weight is an unbiased estimate of p(x)
    (importance sampling), and its logarithm in expectation a lower bound of log p(x) that rises with S.

    Parameters
    ----------
    log_w : ndarray of shape (..., S)
        Logarithms of weights, finite.

    Returns
    -------
    ndarray of shape (...)
        In the dtype of log_w.

    References
    ----------
    Burda, Grosse and Salakhutdinov, "Importance weighted autoencoders", ICLR 2016, eq. 8 and theorem 1.

    Examples
    --------
    >>> log_mean_exp(np.log(np.array([[1.0, 3.0]]))).round(6)
    array([0.693147])
    """
    m = log_w.max(axis=-1, keepdims=True)
    return m[..., 0] + np.log(np.exp(log_w - m).mean(axis=-1))


def _like(name, values, mu):
    """Return the rows of an argument, which must be as many and as wide as those of mu, in its dtype."""
    array = np.asarray(_checks.rows(name, values), mu.dtype)
    _checks.same_shape(name, array, "mu", mu)
    return array


def _finite(what, value):
    if not math.isfinite(value):
        raise FloatingPointError(f"{what} overflows to {value}: mu or log_variance is too large")
