"""Replay: terms that look at old samples, drawn from a memory, beside the new ones."""

import numpy as np

from .. import _checks
from ..formulas import cross_entropy, forward_kl, squared_error
from .distillation import told_of
from .terms import BatchTerm, as_loss, over_parts


class _Rehearsal(BatchTerm):
    """What terms share that look at old samples in the place of old data: how much these weigh, 1 − α."""

    replayed = True

    def __init__(self, alpha):
        self.alpha = alpha if alpha in ("1/k", "n/N") else _checks.share("alpha", alpha)
        self.tasks = 0
        self.n, self.seen = 0, 0  # samples of this task, and of all before it

    @property
    def active(self):
        """Whether a task has been learned before."""
        return self.tasks > 0

    @property
    def loss_weight(self):
        """α."""
        if self.alpha == "1/k":
            return 1 / (self.tasks + 1)
        return self.n / (self.n + self.seen) if self.alpha == "n/N" else self.alpha

    def begin_task(self, network, data, rng):
        """Count the task's samples."""
        self.n = len(data)

    def end_task(self, network, data, rng):
        """Count the task."""
        self.tasks += 1
        self.seen += self.n


class Replay(_Rehearsal):
    """Replay: the loss on old samples beside the loss on new ones.

        L = α L₀(new) + (1 − α) L₀(replayed)

    Parameters
    ----------
    alpha : float or {"1/k", "n/N"}
        The weight of the new batch, α in [0, 1]; "1/k" for 1/k at the k-th task, so that every task counts
        alike; "n/N" for n new samples among N seen in all, so that every sample counts alike: with a memory
        that replays classes as often as they were seen (reservoir, shared), the objective is an unbiased
        estimate of the one that all data together would give, whatever the tasks' sizes.
        The first task, which has nothing to replay, has the weight 1 in any case.
    loss : Loss or str, optional
        L₀ of the replayed samples; the learner's own when None.

    References
    ----------
    Ratcliff, "Connectionist models of recognition memory", Psychological Review 97, 1990 (rehearsal);
    Chaudhry et al., "On tiny episodic memories in continual learning", 2019 (ER).
    """

    def __init__(self, alpha=0.5, loss=None):
        super().__init__(alpha)
        self.loss = None if loss is None else as_loss(loss)

    def prepare(self, loss):
        """Replay with the learner's loss, where no other was given."""
        self.loss = self.loss or loss

    def __call__(self, a, batch):
        """Return (1 − α) L₀ of the replayed batch and its gradient at the logits."""
        value, gradients = self.loss(a, batch)
        weight = 1 - self.loss_weight
        return weight * value, {k: weight * gradient for k, gradient in gradients.items()}


class SoftReplay(_Rehearsal):
    """Replay with soft targets: an old sample is to be answered as it was, in probabilities.

        L = α L₀(new) + (1 − α) T² KL(p‖q)(replayed)          p = softmax(h/T)          q = softmax(z/T)

    h are the logits that come with each sample from the memory. Over all outputs that compete for the sample
    now: where its task is told, those of its task. p is 0 for classes of which nothing had been learned.

    Parameters
    ----------
    alpha : float or {"1/k", "n/N"}
        What the new batch weighs, as for `Replay`.
    T : float
        Temperature > 0.

    References
    ----------
    Van de Ven, Siegelmann and Tolias, "Brain-inspired replay for continual learning with artificial neural
    networks", Nature Communications 11, 2020 (BI-R); Hinton, Vinyals and Dean, "Distilling the knowledge in
    a neural network", 2015, section 2 (T²).
    """

    wants_logits = True
    of_classes = True

    def __init__(self, alpha="1/k", T=2.0):
        super().__init__(alpha)
        self.T = _checks.positive("T", T)
        self.old = np.empty(0, np.intp)  # the outputs that have been learned in earlier tasks

    def __call__(self, a, batch):
        """Return (1 − α) T² KL of the replayed batch, and its gradient at the logits."""
        z = a[-1]
        told = told_of(batch.logits, self.old, z.shape[1], self.T)
        value, gradient = 0.0, np.zeros_like(z)
        for part in batch.parts:
            weight = (1 - self.loss_weight) * part.share
            kl, slope = forward_kl(z[part.index], told[part.index], self.T)
            value += weight * kl
            gradient[part.index] = weight * slope
        return value, {-1: gradient}

    def end_task(self, network, data, rng):
        """Count the task, and note its classes."""
        super().end_task(network, data, rng)
        self.old = np.union1d(self.old, data.y)


class AsymmetricCrossEntropy(BatchTerm):
    """The L₀ of ER-ACE: new samples push only against the classes that are new with them.

        L = cross entropy(new; classes in the batch) + …

    In place of L₀. Old classes are then not pushed down by samples that are none of theirs; what sets old and
    new apart is learned from the replayed samples alone, where all classes compete.

    References
    ----------
    Caccia et al., "New insights on reducing abrupt representation change in online continual learning",
    ICLR 2022, eq. 4 (ER-ACE).
    """

    loss_weight = 0.0
    of_classes = True

    def __call__(self, a, batch):
        """Return the cross entropy among the batch's own classes, and its gradient at the logits."""
        return over_parts(_among_present, a[-1], batch)


def _among_present(z, y):
    """Return the cross entropy of those columns of z that y holds, and its gradient at z."""
    present = np.flatnonzero(np.bincount(y, minlength=z.shape[1]))
    value, slope = cross_entropy(z[:, present], np.searchsorted(present, y))
    gradient = np.zeros_like(z)
    gradient[:, present] = slope
    return value, gradient


class DarkReplay(BatchTerm):
    """Dark experience replay: an old sample is to be answered as it was when it was stored.

        L = L₀(new) + α/n Σᵢ ‖zᵢ − hᵢ‖² + β L₀(replayed)

    h are the logits that the memory has kept with each sample; of a class that came later what the network
    said of the sample when its output was added, before it had learned anything. β = 0 is DER, β > 0 DER++.
    Both parts look at one replayed batch, where the paper draws two, and samples are stored when their task
    ends, where the paper stores them on the way.

    Parameters
    ----------
    alpha : float
        α ≥ 0, what the stored logits weigh.
    beta : float
        β ≥ 0, what the stored labels weigh.

    References
    ----------
    Buzzega, Boschini, Porrello, Abati and Calderara, "Dark experience for general continual learning",
    NeurIPS 2020, eq. 5 and 6.
    """

    replayed = True
    wants_logits = True
    of_classes = True

    def __init__(self, alpha=0.3, beta=0.0):
        self.alpha = _checks.strength("alpha", alpha)
        self.beta = _checks.strength("beta", beta)
        self.loss = None

    def prepare(self, loss):
        """Replay labels with the learner's loss."""
        self.loss = loss

    def __call__(self, a, batch):
        """Return both parts on the replayed batch, and their gradient at the logits."""
        z, h = a[-1], batch.logits
        old = slice(0, h.shape[1])  # a memory that imagines has no logits of later outputs
        distance, slope = squared_error(z[:, old], h)
        value, gradient = 2 * self.alpha * distance, np.zeros_like(z)
        gradient[:, old] = 2 * self.alpha * slope
        if self.beta:
            loss, gradients = self.loss(a, batch)
            value, gradient = value + self.beta * loss, gradient + self.beta * gradients[-1]
        return value, {-1: gradient}
