"""The variational autoencoder: two networks, one that looks at rows and one that paints them.

    x ─► encoder ─► μ, log σ² ─► z = μ + σ ε ─► decoder ─► logits of x

A generative model of what was learned: it paints replayed rows, and says how likely a row is.
"""

import copy
import math
from contextlib import contextmanager

import numpy as np

from .. import _checks
from ..formulas import (
    binary_cross_entropy,
    kl_to_normal,
    log_bernoulli,
    log_mean_exp,
    log_normal,
    reparametrize,
    sigmoid,
)
from .network import Network
from .optimizers import Adam

#: how many rows are painted at once where log p(x) is estimated: as many as the cache holds
PAINTED_ROWS = 512


class VariationalAutoencoder:
    """A model of how rows x in [0, 1] come about: z is normal, and the decoder paints x from it.

        z ~ N(0, 1)          x ~ Bernoulli(σ(decoder(z))), pixel by pixel

    It learns by the evidence lower bound, with a second network, the encoder, to say which z may be behind x:

        L = 1/n Σᵢ [−log p(xᵢ|zᵢ) + KL(q(z|xᵢ) ‖ N(0, 1))] ≥ −1/n Σᵢ log p(xᵢ)

        q(z|x) = N(μ, σ²)          [μ, log σ²] = encoder(x)          z = μ + σ ε          ε ~ N(0, 1)

    Parameters
    ----------
    inputs : int
        How many pixels a row has.
    hidden : tuple of int
        Widths of the encoder's hidden layers, from input to latent; the decoder has them in reverse.
    latent : int
        How many entries z has.
    rng : numpy.random.Generator
        Where the first parameters are drawn from.
    dtype : {"float32", "float64"} or numpy.dtype
    learning_rate : float
        Of Adam, in (0, 1]: about as far as a parameter moves in a step.

    Attributes
    ----------
    encoder, decoder : Network
    encoder_optimizer, decoder_optimizer : Adam

    Raises
    ------
    TypeError, ValueError
        If an argument is not what is asked for.

    References
    ----------
    Kingma and Welling, "Auto-encoding variational Bayes", ICLR 2014; Rezende, Mohamed and Wierstra,
    "Stochastic backpropagation and approximate inference in deep generative models", ICML 2014.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> vae = VariationalAutoencoder(2, hidden=(8,), latent=1, rng=rng, learning_rate=0.01)
    >>> x = np.repeat([[0.0, 0.0], [1.0, 1.0]], 64, axis=0)
    >>> values = [vae.step([(1.0, x)], rng) for _ in range(500)]
    >>> values[0] > 1.3 and values[-1] < 1.0
    True
    >>> vae.sample(3, rng).shape
    (3, 2)
    >>> seen, never_seen = vae.log_likelihood([[1.0, 1.0], [1.0, 0.0]], samples=100, rng=rng)
    >>> bool(seen > never_seen)
    True
    """

    def __init__(self, inputs, hidden=(400, 400), latent=100, *, rng, dtype="float32", learning_rate=0.001):
        inputs, latent = _checks.count("inputs", inputs), _checks.count("latent", latent)
        hidden = _widths(hidden)
        # no larger step: then parameters stay finite as long as gradients are
        rate = _checks.number("learning_rate", learning_rate, "a number in (0, 1]", 0, 1, open_low=True)
        self.encoder = Network.mlp(inputs, *hidden, 2 * latent, rng=rng, dtype=dtype)
        self.decoder = Network.mlp(latent, *reversed(hidden), inputs, rng=rng, dtype=dtype)
        self.encoder_optimizer, self.decoder_optimizer = Adam(rate), Adam(rate)

    def __repr__(self):
        hidden = tuple(layer.outputs for layer in self.encoder.layers[:-1:2])
        n_parameters = len(self.encoder.theta) + len(self.decoder.theta)
        return (
            f"VariationalAutoencoder({self.inputs}, hidden={hidden}, latent={self.latent}), "
            f"{n_parameters:,} parameters, {self.dtype}"
        )

    @property
    def inputs(self):
        """How many pixels a row of x has."""
        return self.encoder.inputs

    @property
    def latent(self):
        """How many entries z has."""
        return self.decoder.inputs

    @property
    def dtype(self):
        """Of the parameters and of everything that is computed from them."""
        return self.encoder.dtype

    def copy(self):
        """Return a model of its own with the same parameters: who paints while the next task is learned."""
        return copy.deepcopy(self)

    __copy__ = copy  # a shallow copy would share its networks with the original

    # ---- learning ----------------------------------------------------------------------------------

    def objective(self, x, epsilon):
        """Return the negative evidence lower bound and its gradients, for given noise.

            L = 1/n Σᵢ [−log p(xᵢ|zᵢ) + KL(q(z|xᵢ) ‖ N(0, 1))]          z = μ + σ ε

            δ = ∂L/∂z          ∂L/∂μ = δ + ∂KL/∂μ          ∂L/∂log σ² = δ σ ε/2 + ∂KL/∂log σ²

        Parameters
        ----------
        x : array_like of shape (n, inputs)
            In [0, 1].
        epsilon : array_like of shape (n, latent)
            ε, drawn from N(0, 1).

        Returns
        -------
        value : float
        gradients : pair of ndarray
            With respect to `encoder.theta` and to `decoder.theta`.

        Raises
        ------
        TypeError, ValueError
            If an argument is not what is asked for.
        FloatingPointError
            If μ, log σ², z, the logits or the divergence become NaN or infinite.

        References
        ----------
        Kingma and Welling, ICLR 2014, eq. 10 with one draw a row; Rezende et al., ICML 2014, algorithm 1.
        """
        x = self._pixels(x)
        a = self.encoder.forward(x)
        mu, log_variance = self._halves(a[-1])
        kl, (kl_by_mu, kl_by_log_variance) = kl_to_normal(mu, log_variance)
        z, slope = reparametrize(mu, log_variance, epsilon)
        b = self.decoder.forward(z)
        _finite("the decoder's logits", b[-1])
        surprise, by_logits = binary_cross_entropy(b[-1], x)  # −log p(x|z)

        decoder_gradient, delta = self.decoder.backward_to_input(b, {-1: by_logits})
        by_mu = delta + kl_by_mu
        by_log_variance = delta * slope + kl_by_log_variance
        encoder_gradient = self.encoder.backward(a, {-1: np.hstack([by_mu, by_log_variance])})
        return surprise + kl, (encoder_gradient, decoder_gradient)

    def step(self, batches, rng):
        """Take one step of Adam on a weighted sum of batches, with fresh noise for each.

            L = Σ w L(x)          so generative replay is L = α L(new) + (1 − α) L(replayed)

        Parameters
        ----------
        batches : list of pairs (weight, x)
            w ≥ 0, and x as for `objective`.
        rng : numpy.random.Generator
            Where ε is drawn from.

        Returns
        -------
        float
            L, before the step.

        Raises
        ------
        TypeError, ValueError
            If an argument is not what is asked for.
        FloatingPointError
            If a number goes bad; it names which. Nothing has changed then, nor has `rng`.
        """
        batches = self._weighted(batches)
        with _untouched_by_errors(rng), np.errstate(over="ignore", invalid="ignore"):
            value, encoder_gradient, decoder_gradient = 0.0, 0.0, 0.0
            for weight, x in batches:
                part, (by_encoder, by_decoder) = self.objective(x, rng.standard_normal((len(x), self.latent)))
                value += weight * part
                encoder_gradient += weight * by_encoder
                decoder_gradient += weight * by_decoder
            _finite("the encoder's gradient", encoder_gradient @ encoder_gradient)
            _finite("the decoder's gradient", decoder_gradient @ decoder_gradient)
            self.encoder_optimizer.step(self.encoder.theta, encoder_gradient)
            self.decoder_optimizer.step(self.decoder.theta, decoder_gradient)
        return value

    # ---- using what was learned --------------------------------------------------------------------

    def sample(self, n, rng):
        """Paint rows: the probabilities of their pixels.

            x = σ(decoder(z))          z ~ N(0, 1)

        Parameters
        ----------
        n : int
            How many, ≥ 1.
        rng : numpy.random.Generator
            Where z is drawn from.

        Returns
        -------
        ndarray of shape (n, inputs)
            In [0, 1].

        Raises
        ------
        TypeError, ValueError
            If an argument is not what is asked for.
        FloatingPointError
            If the decoder's logits are NaN or infinite.
        """
        n = _checks.count("n", n)
        with _untouched_by_errors(rng), np.errstate(over="ignore", invalid="ignore"):
            logits = self.decoder(rng.standard_normal((n, self.latent)))
            _finite("the decoder's logits", logits)
        return sigmoid(logits)

    def log_likelihood(self, x, samples, rng):
        """Estimate log p(x) of every row by importance sampling.

            log p(x) ≈ log 1/S Σₛ p(x|zₛ) p(zₛ)/q(zₛ|x)          zₛ ~ q(z|x)

        In expectation never above log p(x), and nearer the larger S. Of models that know a class each, the
        one with the largest value says the class. All rows share the same ε, so that the answer for a row
        does not depend on the others.

        Parameters
        ----------
        x : array_like of shape (n, inputs)
            In [0, 1].
        samples : int
            S ≥ 1: how many z are drawn for a row.
        rng : numpy.random.Generator
            Where they are drawn from.

        Returns
        -------
        ndarray of shape (n,), float64

        Raises
        ------
        TypeError, ValueError
            If an argument is not what is asked for.
        FloatingPointError
            If a number goes bad.

        References
        ----------
        Burda, Grosse and Salakhutdinov, "Importance weighted autoencoders", ICLR 2016, eq. 8; van de Ven,
        Li and Tolias, "Class-incremental learning with generative classifiers", CVPR Workshops 2021.
        """
        x = self._pixels(x)
        samples = _checks.count("samples", samples)
        rows = max(1, PAINTED_ROWS // samples)
        with _untouched_by_errors(rng), np.errstate(over="ignore", invalid="ignore"):
            epsilon = rng.standard_normal((samples, self.latent))
            blocks = [x[i : i + rows] for i in range(0, len(x), rows)]
            return np.concatenate([log_mean_exp(self._log_weights(block, epsilon)) for block in blocks])

    def _log_weights(self, x, epsilon):
        """Return log p(x|z) + log p(z) − log q(z|x), shape (n, samples), for z = μ + σ ε of every row and ε.

        All that concerns z is computed in float64: it is little, and q may be narrow.
        """
        samples, n = len(epsilon), len(x)
        mu, log_variance = (
            part.astype(np.float64).repeat(samples, axis=0) for part in self._halves(self.encoder(x))
        )
        z, _ = reparametrize(mu, log_variance, np.tile(epsilon, (n, 1)))
        logits = self.decoder(z).reshape(n, samples, self.inputs)
        log_likelihood = _finite("log p(x|z)", log_bernoulli(x[:, None], logits))
        log_prior_to_posterior = log_normal(z) - log_normal(z, mu, log_variance)
        return log_likelihood + log_prior_to_posterior.reshape(n, samples)

    # ---- looking at arguments ----------------------------------------------------------------------

    def _pixels(self, x):
        """Return x in the model's dtype, its shape and range checked."""
        x = self.encoder.as_input(_checks.rows("x", x))
        if x.min() < 0 or x.max() > 1:
            raise ValueError(
                f"x must lie in [0, 1], got values in [{x.min()}, {x.max()}]: "
                "a Bernoulli decoder paints pixels between 0 and 1"
            )
        return x

    def _weighted(self, batches):
        """Return the batches of a step as pairs (weight, x), checked."""
        if not isinstance(batches, list | tuple):
            raise TypeError(f"batches must be a list of pairs (weight, x), got {type(batches).__name__}")
        if not batches:
            raise ValueError("batches must hold at least one pair (weight, x), got none")
        if not all(isinstance(pair, list | tuple) and len(pair) == 2 for pair in batches):
            raise TypeError("batches must be a list of pairs (weight, x), as [(0.5, new), (0.5, replayed)]")
        return [(_checks.strength("weight", weight), self._pixels(x)) for weight, x in batches]

    def _halves(self, encoded):
        """Return μ and log σ², the two halves of what the encoder says."""
        _finite("the encoder's μ or log σ²", encoded)
        return np.split(encoded, 2, axis=1)


@contextmanager
def _untouched_by_errors(rng):
    """Put the generator back where it was, if what happens inside fails."""
    state = _checks.generator("rng", rng).bit_generator.state
    try:
        yield
    except BaseException:
        rng.bit_generator.state = state
        raise


def _widths(hidden):
    if not isinstance(hidden, list | tuple):
        raise TypeError(f"hidden must be a tuple of widths such as (400, 400), got {hidden!r}")
    return [_checks.count("hidden", width) for width in hidden]


def _finite(what, array):
    """Return the array, or raise a FloatingPointError that says what has gone bad."""
    total = np.sum(array)
    if not math.isfinite(total):
        raise FloatingPointError(f"{what} became {total}")
    return array
