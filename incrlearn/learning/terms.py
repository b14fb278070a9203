"""Terms: what each formula adds to the objective, task by task.

    L = L₀ + term + term + …

A term is one of four things. A `BatchTerm` looks at activations: losses, distillation, replay. A
`ParameterTerm` looks at θ and has a gradient: L2, EWC. A `ProximalTerm` looks at θ and has none at its kink:
L1, whose step is taken in closed form, after the optimizer's. A `Projection` adds nothing to the objective
and bends its gradient: A-GEM. Each has a moment at the beginning and at the end of a task, where it takes
the teacher, moves the anchor or measures what matters.

Here stand the kinds, and the losses. The terms themselves stand in the files of their families:
`regularization`, `distillation`, `replay`, `projection`.

To evaluate a term changes nothing. What a term remembers is *replaced* at those two moments, never changed in
place: that is how a learner that fails in the middle of a task can go back to what it was.
"""

import inspect

import numpy as np

from .. import _checks
from ..formulas import binary_cross_entropy, cross_entropy, squared_error
from .ingredient import Ingredient
from .samples import Classes, StandardizedValues, Values


class Term(Ingredient):
    """One summand of the objective."""

    #: False as long as the term has nothing to say: no teacher yet, no anchor yet
    active = True
    #: the weight that the term leaves to L₀, α in formula 4.2
    loss_weight = 1.0
    #: whether it looks at samples from the memory
    replayed = False
    #: whether the memory must have kept the logits of its samples
    wants_logits = False
    #: whether it holds the parameters to what they were
    holds = False
    #: whether it wants to be told of every step
    watches = False

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

    def watch(self, gradient, step):
        """Take note of a step that was taken: ∂L₀/∂θ without parameter terms, and what was added to θ."""

    def end_task(self, network, data, rng):
        """Remember what the next task needs: called after the last step of a task."""


class BatchTerm(Term):
    """A term that looks at a batch: `term(a, batch)` returns its value and {k: ∂L/∂a[k], …}.

    It looks at the batch of new samples or, where `replayed` is true, at one drawn from the memory.
    """

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


class Projection(Term):
    """A term that adds nothing, but has a say in where the step goes: it changes the whole gradient."""

    def samples(self, memory, replayed):
        """Return the samples whose gradients of L₀ it wants to see: a list of `Samples`."""
        return []

    def __call__(self, gradient, references):
        """Return the gradient to follow, given those on the samples asked for, a row each."""
        raise NotImplementedError


# ---- losses: the L₀ of the objective ---------------------------------------------------------------


class Loss(BatchTerm):
    """A term that may stand as L₀: it knows whether its targets are `Classes` or `Values`."""

    targets = Classes


class CrossEntropy(Loss):
    """L₀ for classes: `cross_entropy` of the outputs that compete for each row."""

    def __call__(self, a, batch):
        """Return L₀ and its gradient at the logits."""
        return over_parts(cross_entropy, a[-1], batch)


class BinaryCrossEntropy(Loss):
    """L₀ for classes, every output a question of its own: `binary_cross_entropy` with one-hot rows."""

    def __call__(self, a, batch):
        """Return L₀ and its gradient at the logits."""
        return over_parts(lambda z, y: binary_cross_entropy(z, np.eye(z.shape[1])[y]), a[-1], batch)


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
        return over_parts(squared_error, a[-1], batch)


LOSSES = {
    "cross_entropy": CrossEntropy,
    "binary_cross_entropy": BinaryCrossEntropy,
    "squared_error": SquaredError,
}


def as_loss(loss):
    """Return a Loss: one of LOSSES by name, or the object itself."""
    if isinstance(loss, Loss):
        return loss
    return _checks.choice("loss", loss, LOSSES)()


def over_parts(loss, z, batch):
    """Return the loss over rows whose competing outputs differ: the mean over all rows."""
    value, gradient = 0.0, np.zeros(z.shape, z.dtype)
    for part in batch.parts:
        part_value, part_gradient = loss(z[part.index], part.y)
        value += part.share * part_value
        gradient[part.index] = part_gradient if part.share == 1 else part.share * part_gradient
    return value, {-1: gradient}
