"""Generative models in the place of samples: memories that imagine, and a classifier that is made of them.

All paint with a Bernoulli decoder (`VariationalAutoencoder`), so x must lie in [0, 1], as pixels do.
"""

import numpy as np

from .. import _checks
from ..network import ConditionalAutoencoder, VariationalAutoencoder
from .decisions import Decision
from .memory import Memory
from .samples import Samples

#: the logit of a class that has no model yet
UNKNOWN = -1e30
#: as many z as a likelihood may be estimated from: they are held at once, for a row
MOST_SAMPLES = 10_000


class GeneratorMemory(Memory):
    """A memory that holds no sample: it imagines old ones (deep generative replay).

    After every task a variational autoencoder learns to paint what the task and all before it look like:

        L = 1/k L_VAE(new) + (1 − 1/k) L_VAE(imagined by the generator as it was)

    and the network, as it is then, says what is painted. At 1/k every task counts alike.

    Parameters
    ----------
    hidden : tuple of int
        Widths of the encoder's hidden layers; the decoder's are the same, the other way round.
    latent : int
        Width of z.
    learning_rate : float
        Of the generator's Adam, in (0, 1].

    References
    ----------
    Shin, Lee, Kim and Kim, "Continual learning with deep generative replay", NeurIPS 2017, section 3.
    """

    of_classes = True
    #: what paints
    kind = VariationalAutoencoder

    def __init__(self, hidden=(400, 400), latent=100, learning_rate=0.001):
        super().__init__()
        self.hidden = _checks.widths("hidden", hidden)
        self.latent = _checks.count("latent", latent)
        self.learning_rate = _learning_rate(learning_rate)
        self.generator = self.labeller = None
        self.heads = {}  # number of a task, −1 where it is not told -> the outputs seen in it
        self.tasks = 0

    def begin_task(self, network, new, rng):
        """Refuse samples that can not be painted."""
        paintable(new.x)

    def draw(self, n, rng):
        """Return n imagined samples with the labels that the network gave them; None before the first task.

        Where tasks are told, one of them is drawn for each sample: its own classes compete for the label.
        """
        if self.generator is None:
            return None
        x = self.generator.sample(n, rng)
        z = self.labeller(x)
        numbers = np.array(sorted(self.heads))
        task = numbers[rng.integers(len(numbers), size=n)]
        y = np.empty(n, np.intp)
        for number in numbers:
            rows, outputs = task == number, self.heads[number]
            y[rows] = outputs[z[rows][:, outputs].argmax(axis=1)]
        return Samples(x, y, task)

    def end_task(self, network, new, batches, rng):
        """Let the generator learn the task, beside what the old one imagines."""
        old = self.generator
        generator = self._next(new, network.dtype, rng)
        alpha = 1 / (self.tasks + 1)
        for rows in batches(len(new)):
            imagined = [] if old is None else [(1 - alpha, *self._imagine(len(rows), rng))]
            generator.step([(alpha, *self._look_at(new, rows)), *imagined], rng)
        number = int(new.task[0])
        outputs = np.union1d(self.heads.get(number, new.y[:0]), new.y)
        self.heads = {**self.heads, number: outputs}
        self.generator, self.labeller = generator, network.copy()
        self.tasks += 1

    def _next(self, new, dtype, rng):
        """Return the generator that is to learn the task: a new one, or a copy of the old."""
        if self.generator is not None:
            return self.generator.copy()
        sizes = new.x.shape[1], self.hidden, self.latent
        return self.kind(*sizes, rng=rng, dtype=dtype, learning_rate=self.learning_rate)

    def _look_at(self, new, rows):
        """Return what the generator is shown of samples."""
        return (new.x[rows],)

    def _imagine(self, n, rng):
        """Return the same of n imagined ones."""
        return (self.generator.sample(n, rng),)


class ConditionalGeneratorMemory(GeneratorMemory):
    """A memory that imagines old samples class by class, and what the network said of them (BI-R style).

        z ~ N(μ_c, σ_c²)          x = σ(decoder(z))          c evenly among all classes seen

    The generator is a `ConditionalAutoencoder`: every class has its own Gaussian, so that each is replayed
    as often as any other, and no label has to be guessed. It learns as that of `GeneratorMemory` does. With a
    sample come the logits of the network as the last task left it, for `SoftReplay`.

    Of brain-inspired replay, these are the parts that hold for any rows. The paper's decoder also silences
    hidden units class by class, its generator shares the encoder with the classifier (replay through
    feedback), and its internal replay paints hidden features; none of these is here.

    Parameters
    ----------
    hidden, latent, learning_rate :
        As for `GeneratorMemory`.

    References
    ----------
    Van de Ven, Siegelmann and Tolias, "Brain-inspired replay for continual learning with artificial neural
    networks", Nature Communications 11, 2020.
    """

    logits = True
    kind = ConditionalAutoencoder

    def draw(self, n, rng):
        """Return n imagined samples with the network's logits; None before the first task.

        All classes seen are drawn evenly: where tasks are told, each in every task in which it was seen.
        """
        if self.generator is None:
            return None
        x, y, task = self._imagine_of_tasks(n, rng)
        return Samples(x, y, task, self.labeller(x))

    def _imagine_of_tasks(self, n, rng):
        """Return n imagined rows, their classes and the numbers of their tasks."""
        seen = [(c, number) for number in sorted(self.heads) for c in self.heads[number].tolist()]
        y, task = np.array(seen)[rng.integers(len(seen), size=n)].T
        return self.generator.sample_of(y, rng), y, task

    def _next(self, new, dtype, rng):
        """Return the generator that is to learn the task, with a Gaussian for every class in it."""
        generator = super()._next(new, dtype, rng)
        generator.grow(max(0, int(new.y.max()) + 1 - len(generator.prior)), rng)
        return generator

    def _look_at(self, new, rows):
        return new.x[rows], new.y[rows]

    def _imagine(self, n, rng):
        return self._imagine_of_tasks(n, rng)[:2]


class GenerativeClassifier(Decision):
    """A generative model for every class: the class that makes x most likely is the answer.

        y = argmax_c log p(x | c)          log p(x|c) ≈ log 1/S Σₛ p(x|zₛ, c) p(zₛ)/q(zₛ|x, c)

    A class that comes is a model more, and no other model is touched: there is nothing to forget. No sample
    is kept, and the learner's own network is not used.

    Parameters
    ----------
    hidden : tuple of int
        Widths of the hidden layers of every encoder and, the other way round, of every decoder.
    latent : int
        Width of z.
    samples : int
        S from 1 to 10,000: how many z a likelihood is estimated from.
    learning_rate : float
        Of Adam, in (0, 1].

    References
    ----------
    Van de Ven, Li and Tolias, "Class-incremental learning with generative classifiers", CVPR Workshops 2021.
    """

    reason = "it has one model for every class, which does not know of tasks"
    trains = False

    def __init__(self, hidden=(85, 85, 85), latent=5, samples=50, learning_rate=0.001):
        self.hidden = _checks.widths("hidden", hidden)
        self.latent = _checks.count("latent", latent)
        self.samples = _checks.count("samples", samples)
        if self.samples > MOST_SAMPLES:
            raise ValueError(f"samples must be at most {MOST_SAMPLES}, got {samples}")
        self.learning_rate = _learning_rate(learning_rate)
        self.models = {}  # output -> its model
        self.seed = 0  # of the noise in likelihoods: the same rows get the same answer, always

    def end_task(self, network, memory, new, batches, rng):
        """Let every class of the task learn its own model: the task's steps are shared among them."""
        paintable(new.x)
        classes, models = np.unique(new.y), dict(self.models)
        sizes = new.x.shape[1], self.hidden, self.latent
        options = {"dtype": network.dtype, "learning_rate": self.learning_rate}
        for c in classes.tolist():
            x = new.x[new.y == c]
            known = c in models
            model = models[c].copy() if known else VariationalAutoencoder(*sizes, rng=rng, **options)
            for rows in batches(len(x), 1 / len(classes)):
                model.step([(1.0, x[rows])], rng)
            for optimizer in (model.encoder_optimizer, model.decoder_optimizer):
                optimizer.reset()  # it takes twice the room of the model, and the class has been learned
            models[c] = model
        self.models = models
        self.seed = int(rng.integers(2**32))

    def logits(self, network, x):
        """Return log p(x|c) for every class c; far below all others for a class without a model."""
        paintable(x)
        z = np.full((x.shape[0], network.outputs), UNKNOWN)
        for c, model in self.models.items():
            z[:, c] = model.log_likelihood(x, self.samples, np.random.default_rng(self.seed))
        return z


def _learning_rate(value):
    """Return the learning rate, in (0, 1]: what the generators ask for is refused before they are made."""
    return _checks.number("learning_rate", value, "a number in (0, 1]", 0, 1, open_low=True)


def paintable(x):
    """Raise a ValueError unless x is dense and lies in [0, 1]."""
    if _checks.is_sparse(x):
        raise ValueError("x must be dense where it is to be painted, got a sparse matrix: use x.toarray()")
    if x.size and not (x.min() >= 0 and x.max() <= 1):
        raise ValueError(
            f"x must lie in [0, 1] where it is to be painted, got values from {x.min():g} to {x.max():g}"
        )
