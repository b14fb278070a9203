"""Terms: what each formula adds to the objective, task by task.

    L = L₀ + term + term + …

A term is one of three things. A `BatchTerm` looks at activations: losses, distillation, replay. A
`ParameterTerm` looks at θ and has a gradient: L2. A `ProximalTerm` looks at θ and has none at its kink: L1,
whose step is taken in closed form, after the optimizer's. Each has a moment at the beginning and at the end
of a task, where it takes the teacher, moves the anchor or measures what matters.

To evaluate a term changes nothing. What a term remembers is *replaced* at those two moments, never changed in
place: that is how a learner that fails in the middle of a task can go back to what it was.
"""

import inspect

import numpy as np

from .. import _checks
from ..formulas import (
    binary_cross_entropy,
    cross_entropy,
    elastic_net,
    feature_distance,
    forward_kl,
    l1,
    l2,
    relation_angle,
    relation_distance,
    reverse_kl,
    soft_cross_entropy,
    squared_error,
)
from ..network import Network, soft_threshold
from .samples import Classes, StandardizedValues, Values


class Term:
    """One summand of the objective."""

    #: False as long as the term has nothing to say: no teacher yet, no anchor yet
    active = True
    #: the weight that the term leaves to L₀, α in formula 4.2
    loss_weight = 1.0

    def __repr__(self):
        settings = {name: getattr(self, name, None) for name in inspect.signature(type(self)).parameters}
        plain = [f"{k}={value!r}" for k, value in settings.items() if isinstance(value, int | float | str)]
        return f"{type(self).__name__}({', '.join(plain)})"

    def prepare(self, loss):
        """Take note of the learner's L₀: called once, when a learner takes the term."""

    def begin_task(self, network, data, rng):
        """Prepare for a task: called after the head has grown, before the first step.

        `data` is the whole task as a `Batch`; draws come from `rng`.
        """

    def end_task(self, network, data, rng):
        """Remember what the next task needs: called after the last step of a task."""


class BatchTerm(Term):
    """A term that looks at a batch: `term(a, batch)` returns its value and {k: ∂L/∂a[k], …}.

    It looks at the batch of new samples or, where `replayed` is true, at one drawn from the memory.
    """

    replayed = False

    def __call__(self, a, batch):
        """Return (value, {k: gradient with respect to the activations a[k]})."""
        raise NotImplementedError


class ParameterTerm(Term):
    """A term that looks at the parameters: `term(theta)` returns its value and ∂L/∂θ."""

    def __call__(self, theta):
        """Return (value, gradient)."""
        raise NotImplementedError


class ProximalTerm(Term):
    """A term that looks at the parameters and has a kink: it takes its own step, exactly.

        θ ← argmin_x ½‖x − θ‖² + η term(x)

    after every step of the optimizer, with η the optimizer's learning rate.
    """

    def __call__(self, theta):
        """Return the value."""
        raise NotImplementedError

    def step(self, theta, learning_rate):
        """Move θ, in place, by the proximal step."""
        raise NotImplementedError


# ---- losses: the L₀ of the objective ---------------------------------------------------------------


class Loss(BatchTerm):
    """A term that may stand as L₀: it knows whether its targets are `Classes` or `Values`."""

    targets = Classes


class CrossEntropy(Loss):
    """L₀ for classes: `cross_entropy` of the outputs that compete for each row."""

    def __call__(self, a, batch):
        """Return L₀ and its gradient at the logits."""
        return _over_parts(cross_entropy, a[-1], batch)


class BinaryCrossEntropy(Loss):
    """L₀ for classes, every output a question of its own: `binary_cross_entropy` with one-hot rows."""

    def __call__(self, a, batch):
        """Return L₀ and its gradient at the logits."""
        return _over_parts(lambda z, y: binary_cross_entropy(z, np.eye(z.shape[1])[y]), a[-1], batch)


class SquaredError(Loss):
    """L₀ for values, as in formula 4.1: `squared_error`.

    Parameters
    ----------
    standardized : bool
        Whether the network's outputs stand for (y − μ)/s instead of y, with μ and s of all targets so far.
    """

    def __init__(self, standardized=False):
        self.targets = StandardizedValues if standardized else Values

    def __call__(self, a, batch):
        """Return L₀ and its gradient at the outputs."""
        return _over_parts(squared_error, a[-1], batch)


LOSSES = {
    "cross_entropy": CrossEntropy,
    "binary_cross_entropy": BinaryCrossEntropy,
    "squared_error": SquaredError,
}


def _over_parts(loss, z, batch):
    """Return the loss over rows whose competing outputs differ: the mean over all rows."""
    value, gradient = 0.0, np.zeros_like(z)
    for part in batch.parts:
        part_value, part_gradient = loss(z[part.index], part.y)
        value += part.share * part_value
        gradient[part.index] = part.share * part_gradient
    return value, {-1: gradient}


# ---- replay ------------------------------------------------------------------------------------------


class Replay(BatchTerm):
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

    replayed = True

    def __init__(self, alpha=0.5, loss=None):
        self.alpha = alpha if alpha in ("1/k", "n/N") else _checks.share("alpha", alpha)
        self.loss = None if loss is None else as_loss(loss)
        self.tasks = 0
        self.n, self.seen = 0, 0  # samples of this task, and of all before it

    def prepare(self, loss):
        """Replay with the learner's loss, where no other was given."""
        self.loss = self.loss or loss

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

    def __call__(self, a, batch):
        """Return (1 − α) L₀ of the replayed batch and its gradient at the logits."""
        value, gradients = self.loss(a, batch)
        weight = 1 - self.loss_weight
        return weight * value, {k: weight * gradient for k, gradient in gradients.items()}

    def begin_task(self, network, data, rng):
        """Count the task's samples."""
        self.n = len(data)

    def end_task(self, network, data, rng):
        """Count the task."""
        self.tasks += 1
        self.seen += self.n


# ---- distillation ------------------------------------------------------------------------------------


class Distillation(BatchTerm):
    """What logits, features and relations share: a teacher, by default the student after the last task.

    Parameters
    ----------
    teacher : Network, optional
        A teacher given once and for all. Its outputs must stand for the student's first classes, in the
        student's order. When None, the term copies the student at the end of every task.
    """

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

    def end_task(self, network, data, rng):
        """Take the network, as it is now, for the next task's teacher."""
        if not self.given:
            self.teacher, self.heads = network.copy(), data.heads


DIVERGENCES = {"reverse": reverse_kl, "forward": forward_kl, "cross_entropy": soft_cross_entropy}


class Logits(Distillation):
    """Distillation by logits, the document's formula 4.2.

        L = α L₀ + (1 − α) T² KL(q‖p)

    Over the teacher's own classes: a class that it has never seen is left to L₀. Where tasks are known by
    their ids each old task is a softmax of its own, and the divergence is their mean.

    Parameters
    ----------
    alpha : float
        α in [0, 1]: what the labels weigh once there is a teacher.
    T : float
        Temperature > 0.
    divergence : {"reverse", "forward", "cross_entropy"}
        KL(q‖p) as formula 4.2 has it, KL(p‖q) as Hinton and LwF, or the cross entropy of section 3.2.1.
    teacher : Network, optional
        See `Distillation`.

    References
    ----------
    The document, sections 3.2.1 and 4.2; Li and Hoiem, "Learning without forgetting", ECCV 2016.
    """

    def __init__(self, alpha=0.5, T=2.0, divergence="reverse", teacher=None):
        super().__init__(teacher)
        self.alpha = _checks.share("alpha", alpha)
        self.T = _checks.positive("T", T)
        self.divergence = _checks.choice("divergence", divergence, DIVERGENCES)

    @property
    def loss_weight(self):
        """α."""
        return self.alpha

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
        z, t = a[-1], self.teacher(batch.x)
        weight = (1 - self.alpha) / len(self.heads)
        value, gradient = 0.0, np.zeros_like(z)
        for columns in self.heads:
            kl, kl_gradient = self.divergence(z[:, columns], t[:, columns], self.T)
            value += weight * kl
            gradient[:, columns] += weight * kl_gradient
        return value, {-1: gradient}


class _InnerDistillation(Distillation):
    """Distillation that compares one list entry of the activations, a[at], of student and teacher."""

    def __init__(self, at, teacher):
        super().__init__(teacher)
        self.at = _checks.count("at", at, low=-1_000)

    def begin_task(self, network, data, rng):
        """Refuse an index that the network does not have, before the first step."""
        super().begin_task(network, data, rng)
        n = len(network.layers) + 1
        if not -n <= self.at < n:
            raise ValueError(f"at must be the index of one of {n} activations, got {self.at}")
        if self.at % n <= 1 and _checks.is_sparse(network.forward(data.x[:1])[self.at]):
            raise ValueError(f"at must be behind a layer with weights where x is sparse, got {self.at}")


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


# ---- regularization ----------------------------------------------------------------------------------


class _Anchored:
    """What the penalties share: to zero, or to θ* = θ as it was when the task began.

    The unit of a new class is anchored where it begins. Left free, it would outgrow the old ones: on the
    digits in two tasks that costs a third of the accuracy (docs/design.md).
    """

    def __init__(self, strength, anchored):
        self.strength = _checks.strength("strength", strength)
        self.anchored = bool(anchored)
        self.anchor = None
        self.tasks = 0

    @property
    def active(self):
        """Whether there is an anchor, if one is wanted: the first task has nothing to keep."""
        return self.anchor is not None or not self.anchored

    def begin_task(self, network, data, rng):
        """Move the anchor to where the parameters are now."""
        if self.anchored and self.tasks:
            self.anchor = network.theta.copy()

    def end_task(self, network, data, rng):
        """Count the task."""
        self.tasks += 1


class L2(_Anchored, ParameterTerm):
    """L2 regularization, the document's formula 4.1.

        L = L₀ + λ/2 ‖θ − θ*‖²

    Parameters
    ----------
    strength : float
        λ ≥ 0.
    anchored : bool
        False: θ* = 0, formula 4.1 as it is written. True: θ* = θ as the last task left it, what the
        document's text asks for; the penalty then begins with the second task.

    References
    ----------
    The document, sections 3.1.1 and 4.1.
    """

    def __init__(self, strength=0.01, anchored=False):
        super().__init__(strength, anchored)

    def __call__(self, theta):
        """Return the penalty and its gradient."""
        return l2(theta, self.strength, self.anchor)


class L1(_Anchored, ProximalTerm):
    """L1 regularization, section 3.1 of the document, by its proximal step.

        L = L₀ + λ ‖θ − θ*‖₁

    The step leaves exact zeros in θ, or, anchored, parameters that stay exactly as they were.

    Parameters
    ----------
    strength : float
        λ ≥ 0.
    anchored : bool
        As for `L2`.

    References
    ----------
    The document, section 3.1; Beck and Teboulle, 2009.
    """

    def __init__(self, strength=0.1, anchored=False):
        super().__init__(strength, anchored)

    def __call__(self, theta):
        """Return the penalty."""
        return l1(theta, self.strength, self.anchor)[0]

    def step(self, theta, learning_rate):
        """Move every parameter towards its anchor by ηλ, and onto it if it is nearer than that."""
        soft_threshold(theta, learning_rate * self.strength, self.anchor)


class ElasticNet(_Anchored, ProximalTerm):
    """Elastic Net regularization, section 3.1 of the document, by its proximal step.

        L = L₀ + λ [ρ‖θ − θ*‖₁ + (1−ρ)/2 ‖θ − θ*‖²]

    Parameters
    ----------
    strength : float
        λ ≥ 0.
    ratio : float
        ρ in [0, 1]: 1 is pure L1, 0 pure L2.
    anchored : bool
        As for `L2`.

    References
    ----------
    The document, section 3.1; Parikh and Boyd, "Proximal algorithms", 2014, section 6.5.3.
    """

    def __init__(self, strength=0.1, ratio=0.5, anchored=False):
        super().__init__(strength, anchored)
        self.ratio = _checks.share("ratio", ratio)

    def __call__(self, theta):
        """Return the penalty."""
        return elastic_net(theta, self.strength, self.ratio, self.anchor)[0]

    def step(self, theta, learning_rate):
        """d ← sign(d) max(|d| − ηλρ, 0) / (1 + ηλ(1−ρ))."""
        lam = learning_rate * self.strength
        soft_threshold(theta, lam * self.ratio, self.anchor)
        shrink = 1 - 1 / (1 + lam * (1 - self.ratio))
        theta -= shrink * (theta if self.anchor is None else theta - self.anchor)


def as_loss(loss):
    """Return a Loss: one of LOSSES by name, or the object itself."""
    if isinstance(loss, Loss):
        return loss
    return _checks.choice("loss", loss, LOSSES)()
