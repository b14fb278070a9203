"""Distillation: terms that keep the student's answers near a teacher's, the student of yesterday."""

import numpy as np

from .. import _checks
from ..formulas import (
    binary_cross_entropy,
    feature_distance,
    forward_kl,
    relation_angle,
    relation_distance,
    reverse_kl,
    sigmoid,
    soft_cross_entropy,
)
from ..network import Network
from .memory import check_activation
from .terms import BatchTerm


class Distillation(BatchTerm):
    """What logits, features and relations share: a teacher, by default the student after the last task.

    Parameters
    ----------
    teacher : Network, optional
        A teacher given once and for all. Its outputs must stand for the student's first classes, in the
        student's order. When None, the term copies the student at the end of every task.
    """

    #: what the teacher has said in the task that is learned
    answers = None

    def __init__(self, teacher=None):
        if teacher is not None and not isinstance(teacher, Network):
            raise TypeError(f"teacher must be a Network, got {teacher!r} ({type(teacher).__name__})")
        self.teacher = teacher
        self.given = teacher is not None
        self.heads = [slice(0, teacher.outputs)] if self.given else None

    @property
    def active(self):
        """Whether there is a teacher yet."""
        return self.teacher is not None

    def begin_task(self, network, data, rng):
        """Refuse a given teacher that can not take the student's samples, before the first step."""
        if self.given and self.teacher.inputs != network.inputs:
            raise ValueError(f"teacher takes {self.teacher.inputs} features, the student {network.inputs}")
        self.answers = _Answers(len(data))

    def ask(self, batch):
        """Return the teacher's logits t."""
        if self.answers is None or batch.number is None:
            return self.teacher(batch.x)
        return self.answers(self.teacher, batch)

    def end_task(self, network, data, rng):
        """Take the network, as it is now, for the next task's teacher."""
        if not self.given:
            self.teacher, self.heads = network.copy(), data.heads
        vars(self).pop("answers", None)  # they were for this task


class _Answers:
    """A teacher's answers to the n rows of a task: it is asked once for a row, however often that comes."""

    def __init__(self, n):
        self.known, self.logits = np.zeros(n, bool), None

    def __call__(self, teacher, batch):
        """Return the logits of a batch whose rows have numbers."""
        if self.known[batch.number].all():
            return self.logits[batch.number]
        t = teacher(batch.x)
        if self.logits is None:
            self.logits = np.empty((len(self.known), t.shape[1]), t.dtype)
        self.logits[batch.number] = t
        self.known[batch.number] = True
        return t


DIVERGENCES = {"reverse": reverse_kl, "forward": forward_kl, "cross_entropy": soft_cross_entropy}


class Logits(Distillation):
    """Distillation by logits, the document's formula 4.2.

        L = α L₀ + (1 − α) T² KL(q‖p)

    Over the teacher's own classes: a class that it has never seen is left to L₀. Where tasks are known by
    their ids each old task is a softmax of its own, and the divergence is their mean.

    Parameters
    ----------
    alpha : float or {"1/k"}
        α in [0, 1]: what the labels weigh once there is a teacher; "1/k" for 1/k at the k-th task.
    T : float
        Temperature > 0.
    divergence : {"reverse", "forward", "cross_entropy"}
        KL(q‖p) as formula 4.2 has it, KL(p‖q) as Hinton and LwF, or the cross entropy of section 3.2.1.
    teacher : Network, optional
        See `Distillation`.
    over : {"old", "all"}
        The classes of q: those that the teacher knows, or all that compete now, p being 0 for those that
        it does not know. The latter is not for the reverse divergence, which would be infinite.

    References
    ----------
    The document, sections 3.2.1 and 4.2; Li and Hoiem, "Learning without forgetting", ECCV 2016.
    """

    of_classes = True

    def __init__(self, alpha=0.5, T=2.0, divergence="reverse", teacher=None, over="old"):
        super().__init__(teacher)
        self.alpha = alpha if alpha == "1/k" else _checks.share("alpha", alpha)
        self.T = _checks.positive("T", T)
        self.divergence = _checks.choice("divergence", divergence, DIVERGENCES)
        self.over = over
        _checks.choice("over", over, dict.fromkeys(("old", "all")))
        if over == "all" and self.divergence is reverse_kl:
            raise ValueError("over='all' is not for the reverse divergence, which is infinite where p is 0")
        self.tasks = 0

    @property
    def loss_weight(self):
        """α."""
        return 1 / (self.tasks + 1) if self.alpha == "1/k" else self.alpha

    def end_task(self, network, data, rng):
        """Take the next teacher, and count the task."""
        super().end_task(network, data, rng)
        self.tasks += 1

    def begin_task(self, network, data, rng):
        """Refuse a given teacher that knows more classes than the student, before the first step."""
        super().begin_task(network, data, rng)
        if self.given and self.teacher.outputs > network.outputs:
            raise ValueError(
                f"teacher has {self.teacher.outputs} outputs, the student only {network.outputs}: "
                f"tell the learner their classes in advance"
            )

    def __call__(self, a, batch):
        """Return (1 − α) T² KL and its gradient at the logits."""
        z, t = a[-1], self.ask(batch)
        weight = (1 - self.loss_weight) / len(self.heads)
        value, gradient = 0.0, np.zeros_like(z)
        for columns in self.heads:
            told = t[:, columns]
            if self.over == "all":
                columns, told = _among_all(columns, t, batch.heads, z.shape[1], self.T)
            kl, kl_gradient = self.divergence(z[:, columns], told, self.T)
            value += weight * kl
            gradient[:, columns] += weight * kl_gradient
        return value, {-1: gradient}


def _among_all(columns, t, heads, outputs, T):
    """Return the head that an old one has become, and the teacher's logits in it: p = 0 for new classes."""
    every = np.arange(outputs)
    old = every[: t.shape[1]][columns]
    union = np.unique(np.concatenate([every[head] for head in heads]))
    # the union, where the old head has been divided among several
    head = next((head for head in heads if np.isin(old, every[head]).all()), union)
    return head, told_of(t, old, outputs, T)[:, head]


def told_of(t, old, outputs, T):
    """Return logits of all outputs: the teacher's for old ones, and for others such that p = 0."""
    # so low that p rounds to 0; −∞ would make 0 · ∞ of it
    told = np.full((len(t), outputs), t.min() - 1000 * T, t.dtype)
    told[:, old] = t[:, old]
    return told


class _InnerDistillation(Distillation):
    """Distillation that compares one list entry of the activations, a[at], of student and teacher."""

    def __init__(self, at, teacher):
        super().__init__(teacher)
        self.at = _checks.count("at", at, low=-1_000)

    def begin_task(self, network, data, rng):
        """Refuse an index that the network does not have, before the first step."""
        super().begin_task(network, data, rng)
        check_activation(network, data.x, self.at)


class Features(_InnerDistillation):
    """Distillation by features, section 3.2 of the document: an inner layer answers as the teacher's did.

        L = L₀ + λ/(2n) Σᵢ ‖fᵢ − gᵢ‖²

    Where a given teacher's features have another width, fᵢ R stands for fᵢ. The matrix R is learned at the
    beginning of every task, by least squares on the task's samples, and then held.

    Parameters
    ----------
    strength : float
        λ ≥ 0.
    at : int
        Which activations a[at] are the features, of student and teacher alike; −2 is what the head sees.
    teacher : Network, optional
        See `Distillation`.

    References
    ----------
    Romero et al., "FitNets", ICLR 2015, eq. 3.
    """

    def __init__(self, strength=1.0, at=-2, teacher=None):
        super().__init__(at, teacher)
        self.strength = _checks.strength("strength", strength)
        self.R = None

    def begin_task(self, network, data, rng):
        """Learn R, where the student's features are not as wide as the teacher's."""
        super().begin_task(network, data, rng)
        if self.active:
            f, g = network.forward(data.x)[self.at], self.teacher.forward(data.x)[self.at]
            noise = np.finfo(f.dtype).eps * max(f.shape)  # what is smaller in f is rounding
            self.R = None if f.shape == g.shape else np.linalg.lstsq(f, g, rcond=noise)[0]

    def __call__(self, a, batch):
        """Return λ times the feature distance and its gradient at the features."""
        g = self.teacher.forward(batch.x)[self.at]
        value, gradient = feature_distance(a[self.at], g, self.R)
        if self.R is not None:
            gradient, _ = gradient
        return self.strength * value, {self.at: self.strength * gradient}


class Relations(_InnerDistillation):
    """Distillation by relations, section 3.2 of the document: samples stay where they were to one another.

        L = L₀ + λ_D RKD-D + λ_A RKD-A

    Parameters
    ----------
    distance : float
        λ_D ≥ 0, what distances between pairs weigh.
    angle : float
        λ_A ≥ 0, what angles in triples weigh. Their price grows with the cube of the batch.
    at : int
        Which activations a[at] are compared. −1, the outputs, as the document says; of a head that has grown
        the outputs that the teacher has.
    teacher : Network, optional
        See `Distillation`.

    References
    ----------
    Park, Kim, Lu and Cho, "Relational knowledge distillation", CVPR 2019, section 3.2 (weights: 4.1).
    """

    def __init__(self, distance=1.0, angle=2.0, at=-1, teacher=None):
        super().__init__(at, teacher)
        self.distance = _checks.strength("distance", distance)
        self.angle = _checks.strength("angle", angle)

    def __call__(self, a, batch):
        """Return both relational losses and their gradient at the compared activations."""
        g = self.teacher.forward(batch.x)[self.at]
        outputs = self.at in (-1, len(a) - 1)
        old = slice(0, g.shape[1]) if outputs else slice(None)  # only a head has units that came later
        f = a[self.at][:, old]
        value, gradient = 0.0, np.zeros_like(a[self.at])
        for weight, loss in ((self.distance, relation_distance), (self.angle, relation_angle)):
            if weight:
                part, part_gradient = loss(f, g)
                value += weight * part
                gradient[:, old] += weight * part_gradient
        return value, {self.at: gradient}


class DistilledBinaryCrossEntropy(Distillation):
    """The L₀ of iCaRL: old classes are answered as the teacher did, new ones as the labels say.

        L = −1/n Σᵢ Σₖ [yᵢₖ log σ(zᵢₖ) + (1 − yᵢₖ) log(1 − σ(zᵢₖ))]

    yᵢₖ = σ(tᵢₖ/T) for the classes k of tasks before this one, t the teacher's logits; the one-hot label for
    the others. In place of L₀.

    Parameters
    ----------
    T : float
        Temperature > 0; 1 in the paper, 2 in the code of van de Ven et al., 2022.

    References
    ----------
    Rebuffi, Kolesnikov, Sperl and Lampert, "iCaRL: Incremental classifier and representation learning",
    CVPR 2017, algorithm 3.
    """

    loss_weight = 0.0
    of_classes = True

    def __init__(self, T=1.0):
        super().__init__()
        self.T = _checks.positive("T", T)
        self.old = np.empty(0, np.intp)  # the outputs that have been learned in earlier tasks

    @property
    def active(self):
        """Always: without a teacher it is plain binary cross entropy."""
        return True

    def __call__(self, a, batch):
        """Return L and its gradient at the logits."""
        z = a[-1]
        y = np.eye(z.shape[1], dtype=z.dtype)[batch.y]
        if self.teacher is not None:
            y[:, self.old] = sigmoid(self.ask(batch)[:, self.old] / self.T)
        value, gradient = binary_cross_entropy(z, y)
        return value, {-1: gradient}

    def end_task(self, network, data, rng):
        """Take the teacher, and note which classes it knows."""
        super().end_task(network, data, rng)
        self.old = np.union1d(self.old, data.y)
