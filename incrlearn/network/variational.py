"""The variational autoencoder: two networks, one that looks at rows and one that paints them.

    x ─► encoder ─► μ, log σ² ─► z = μ + σ ε ─► decoder ─► logits of x

A generative model of what was learned: it paints replayed rows, and says how likely a row is. Where z has a
prior for every class, it paints rows of the class asked for: `ConditionalAutoencoder`.
"""

import copy
import math
from contextlib import contextmanager

import numpy as np

from .. import _checks
from ..formulas import (
    binary_cross_entropy,
    kl_between,
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

    #: what `step` takes, item by item
    _batch = ("weight", "x")

    def __init__(self, inputs, hidden=(400, 400), latent=100, *, rng, dtype="float32", learning_rate=0.001):
        inputs, latent = _checks.count("inputs", inputs), _checks.count("latent", latent)
        hidden = _checks.widths("hidden", hidden)
        # no larger step: then parameters stay finite as long as gradients are
        rate = _checks.number("learning_rate", learning_rate, "a number in (0, 1]", 0, 1, open_low=True)
        self.encoder = Network.mlp(inputs, *hidden, 2 * latent, rng=rng, dtype=dtype)
        self.decoder = Network.mlp(latent, *reversed(hidden), inputs, rng=rng, dtype=dtype)
        self.encoder_optimizer, self.decoder_optimizer = Adam(rate), Adam(rate)

    def __repr__(self):
        hidden = tuple(layer.outputs for layer in self.encoder.layers[:-1:2])
        n_parameters = sum(len(theta) for _, theta, _ in self._learning())
        return (
            f"{type(self).__name__}({self.inputs}, hidden={hidden}, latent={self.latent}), "
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
        return self._objective(self._pixels(x), epsilon, kl_to_normal)

    def _objective(self, x, epsilon, divergence):
        """Return the value and the gradients, those that the divergence has of its own behind the others."""
        a = self.encoder.forward(x)
        mu, log_variance = self._halves(a[-1])
        kl, (kl_by_mu, kl_by_log_variance, *others) = divergence(mu, log_variance)
        z, slope = reparametrize(mu, log_variance, epsilon)
        b = self.decoder.forward(z)
        _finite("the decoder's logits", b[-1])
        surprise, by_logits = binary_cross_entropy(b[-1], x)  # −log p(x|z)

        decoder_gradient, delta = self.decoder.backward_to_input(b, {-1: by_logits})
        by_mu = delta + kl_by_mu
        by_log_variance = delta * slope + kl_by_log_variance
        encoder_gradient = self.encoder.backward(a, {-1: np.hstack([by_mu, by_log_variance])})
        return surprise + kl, (encoder_gradient, decoder_gradient, *others)

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
            value, gradients = 0.0, [0.0] * len(self._learning())
            for weight, x, *y in batches:
                part, by = self.objective(x, rng.standard_normal((len(x), self.latent)), *y)
                value += weight * part
                gradients = [gradient + weight * one for gradient, one in zip(gradients, by, strict=True)]
            for (name, _, _), gradient in zip(self._learning(), gradients, strict=True):
                _finite(f"the {name}'s gradient", gradient @ gradient)
            for (_, theta, optimizer), gradient in zip(self._learning(), gradients, strict=True):
                optimizer.step(theta, gradient)
        return value

    def _learning(self):
        """Return what learns: names, vectors of parameters and optimizers, in the order of the gradients."""
        return [
            ("encoder", self.encoder.theta, self.encoder_optimizer),
            ("decoder", self.decoder.theta, self.decoder_optimizer),
        ]

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
            return self._paint(rng.standard_normal((n, self.latent)))

    def _paint(self, z):
        return sigmoid(_finite("the decoder's logits", self.decoder(z)))

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
        log_prior_to_posterior = self._log_prior(z) - log_normal(z, mu, log_variance)
        return log_likelihood + log_prior_to_posterior.reshape(n, samples)

    def _log_prior(self, z):
        return log_normal(z)

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
        """Return the batches of a step, checked."""
        size = len(self._batch)
        one = f"{'pair' if size == 2 else 'triple'}{{}} ({', '.join(self._batch)})"
        if not isinstance(batches, list | tuple):
            raise TypeError(f"batches must be a list of {one.format('s')}, got {type(batches).__name__}")
        if not batches:
            raise ValueError(f"batches must hold at least one {one.format('')}, got none")
        if not all(isinstance(batch, list | tuple) and len(batch) == size for batch in batches):
            raise TypeError(f"batches must be a list of {one.format('s')}, such as [new, replayed]")
        return [(_checks.strength("weight", weight), self._pixels(x), *y) for weight, x, *y in batches]

    def _halves(self, encoded):
        """Return μ and log σ², the two halves of what the encoder says."""
        _finite("the encoder's μ or log σ²", encoded)
        return np.split(encoded, 2, axis=1)


class ConditionalAutoencoder(VariationalAutoencoder):
    """A model of how rows of every class come about: each class c has its own Gaussian in the latent space.

        c ~ all classes evenly          z ~ N(μ_c, σ_c²)          x ~ Bernoulli(σ(decoder(z)))

    μ_c and log σ_c² are learned with encoder and decoder, each class's from its own rows:

        L = 1/n Σᵢ [−log p(xᵢ|zᵢ) + KL(q(z|xᵢ) ‖ N(μ_yᵢ, σ_yᵢ²))]          q(z|x) = N(μ, σ²)

    Parameters
    ----------
    inputs, hidden, latent, rng, dtype, learning_rate :
        As for `VariationalAutoencoder`.
    classes : int
        How many classes there are to begin with, ≥ 0; `grow` adds more.

    Attributes
    ----------
    prior : ndarray of shape (classes, 2 latent)
        A row [μ_c, log σ_c²] for every class. At first μ_c ~ N(0, 1), so that no two are alike, and σ_c = 1.
    prior_optimizer : Adam

    References
    ----------
    Van de Ven, Siegelmann and Tolias, "Brain-inspired replay for continual learning with artificial neural
    networks", Nature Communications 11, 2020.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> vae = ConditionalAutoencoder(2, (8,), 1, classes=2, rng=rng, learning_rate=0.01)
    >>> x, y = np.repeat([[0.0, 0.0], [1.0, 1.0]], 64, axis=0), np.repeat([0, 1], 64)
    >>> values = [vae.step([(1.0, x, y)], rng) for _ in range(500)]
    >>> vae.sample_of([1, 0, 1], rng).round()
    array([[1., 1.],
           [0., 0.],
           [1., 1.]], dtype=float32)
    """

    _batch = ("weight", "x", "y")

    def __init__(self, inputs, hidden=(400, 400), latent=100, classes=0, *, rng, **options):
        super().__init__(inputs, hidden, latent, rng=rng, **options)
        self.prior = np.empty((0, 2 * self.latent), self.dtype)
        self.prior_optimizer = Adam(self.encoder_optimizer.learning_rate)
        self.grow(_checks.count("classes", classes, low=0), rng)

    def grow(self, n, rng):
        """Add the Gaussians of n more classes; those that there are stay."""
        shape = _checks.count("n", n, low=0), self.latent
        rows = np.hstack([_checks.generator("rng", rng).standard_normal(shape), np.zeros(shape)])
        self.prior = np.concatenate([self.prior, rows.astype(self.dtype)])

    def objective(self, x, epsilon, y):
        """Return the negative evidence lower bound of rows and their classes, and its gradients.

            L = 1/n Σᵢ [−log p(xᵢ|zᵢ) + KL(q(z|xᵢ) ‖ N(μ_yᵢ, σ_yᵢ²))]          z = μ + σ ε

        What reaches a class's μ_c and log σ_c² is the sum over its own rows.

        Parameters
        ----------
        x : array_like of shape (n, inputs)
            In [0, 1].
        epsilon : array_like of shape (n, latent)
            ε, drawn from N(0, 1).
        y : array_like of shape (n,)
            The rows' classes, from 0.

        Returns
        -------
        value : float
        gradients : three ndarrays
            With respect to `encoder.theta`, `decoder.theta` and, row after row, `prior`.

        Raises
        ------
        TypeError, ValueError, FloatingPointError
            As `VariationalAutoencoder.objective`, and if y does not hold a class for every row.
        """
        x = self._pixels(x)
        y = self._classes(y)
        if len(y) != len(x):
            raise ValueError(f"y must hold a class for each of {len(x)} rows, got {len(y)}")
        return self._objective(x, epsilon, lambda mu, log_variance: self._to_prior(mu, log_variance, y))

    def _to_prior(self, mu, log_variance, y):
        """Return how far q is from each row's own Gaussian, and the gradients, that of the prior the last."""
        kl, (by_mu, by_log_variance, *by_prior) = kl_between(mu, log_variance, *self._halves(self.prior[y]))
        is_of_class = np.equal.outer(np.arange(len(self.prior)), y).astype(self.dtype)
        return kl, (by_mu, by_log_variance, (is_of_class @ np.hstack(by_prior)).reshape(-1))

    def _learning(self):
        return [*super()._learning(), ("prior", self.prior.reshape(-1), self.prior_optimizer)]

    def sample(self, n, rng):
        """Paint n rows, of classes that are drawn evenly. See `VariationalAutoencoder.sample`."""
        n = _checks.count("n", n)
        self._need_classes()
        with _untouched_by_errors(rng):
            return self.sample_of(rng.integers(len(self.prior), size=n), rng)

    def sample_of(self, y, rng):
        """Paint a row of every class that is asked for: the probabilities of its pixels.

            x = σ(decoder(z))          z ~ N(μ_y, σ_y²)

        Parameters
        ----------
        y : array_like of shape (n,)
            Classes, from 0.
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
            If z or the decoder's logits are NaN or infinite.
        """
        mu, log_variance = np.split(self.prior[self._classes(y)], 2, axis=1)
        with _untouched_by_errors(rng), np.errstate(over="ignore", invalid="ignore"):
            z, _ = reparametrize(mu, log_variance, rng.standard_normal(mu.shape))
            return self._paint(z)

    def log_likelihood(self, x, samples, rng):
        """Estimate log p(x) of every row, whatever its class. See `VariationalAutoencoder.log_likelihood`."""
        self._need_classes()
        return super().log_likelihood(x, samples, rng)

    def _log_prior(self, z):
        """Return log p(z), p the mixture 1/C Σ_c N(μ_c, σ_c²) of all classes."""
        mu, log_variance = np.split(self.prior.astype(np.float64), 2, axis=1)
        return log_mean_exp(log_normal(z[:, None], mu, log_variance))

    def _need_classes(self):
        if not len(self.prior):
            raise ValueError("there must be a class to paint: call grow(n, rng)")

    def _classes(self, y):
        """Return y as classes that have a Gaussian."""
        y = _checks.as_array("y", y)
        if y.ndim != 1 or not len(y):
            raise ValueError(f"y must be a vector of classes, got shape {y.shape}")
        if y.dtype.kind not in "iu":
            raise TypeError(f"y must hold classes, whole numbers from 0, got dtype {y.dtype}")
        if y.min() < 0 or y.max() >= len(self.prior):
            raise ValueError(
                f"y must hold classes from 0 to {len(self.prior) - 1}, got {y.min()} to {y.max()}"
            )
        return y


@contextmanager
def _untouched_by_errors(rng):
    """Put the generator back where it was, if what happens inside fails."""
    state = _checks.generator("rng", rng).bit_generator.state
    try:
        yield
    except BaseException:
        rng.bit_generator.state = state
        raise


def _finite(what, array):
    """Return the array, or raise a FloatingPointError that says what has gone bad."""
    total = np.sum(array)
    if not math.isfinite(total):
        raise FloatingPointError(f"{what} became {total}")
    return array
