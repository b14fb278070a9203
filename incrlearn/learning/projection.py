"""Projection: terms that bend the gradient, so that a step on new data undoes nothing old."""

import numpy as np

from .. import _checks
from ..formulas import project_agem, project_gem, project_orthogonal
from ..network import pad
from .terms import Projection


class AGEM(Projection):
    """Averaged gradient episodic memory: no step uphill on the memory's average loss.

        g̃ = g − (g·r)/(r·r) r   if g·r < 0,   else g

    r is the gradient of L₀ on the replayed batch, which is not learned from otherwise.

    References
    ----------
    Chaudhry, Ranzato, Rohrbach and Elhoseiny, "Efficient lifelong learning with A-GEM", ICLR 2019, eq. 11.
    """

    replayed = True

    def samples(self, memory, replayed):
        """Return the replayed batch, once there is one."""
        return [] if replayed is None else [replayed]

    def __call__(self, gradient, references):
        """Return g̃."""
        return project_agem(gradient, references[0]) if references else gradient


class GEM(Projection):
    """Gradient episodic memory: no step uphill on the memory of any old task.

        g̃ = argmin ½ ‖g̃ − g‖²   subject to   g̃·rₜ ≥ 0 for every old task t

    rₜ is the gradient of L₀ on all stored samples of task t: a step costs a pass over the whole memory.

    References
    ----------
    Lopez-Paz and Ranzato, "Gradient episodic memory for continual learning", NIPS 2017, section 3.
    """

    replayed = True

    def samples(self, memory, replayed):
        """Return the memory, task by task."""
        return memory.by_task()

    def __call__(self, gradient, references):
        """Return g̃."""
        return project_gem(gradient, np.stack(references)) if references else gradient


class OGD(Projection):
    """Orthogonal gradient descent: no step along a direction in which an old answer would change.

        g̃ = g − Bᵀ (B g)

    B is an orthonormal basis of ∂z_y/∂θ, the gradients of the true class's logit, of `per_task` samples of
    every task. It keeps no sample, but as many vectors of θ's length: a method for small networks. What it
    promises holds for plain SGD, whose step is the gradient.

    Parameters
    ----------
    per_task : int
        How many gradients to keep of a task, ≥ 1.

    References
    ----------
    Farajtabar, Azizan, Mott and Li, "Orthogonal gradient descent for continual learning", AISTATS 2020,
    algorithm 1 (OGD-GTL).
    """

    def __init__(self, per_task=50):
        self.per_task = _checks.count("per_task", per_task)
        self.basis = None

    def __call__(self, gradient, references):
        """Return g̃."""
        none = self.basis is None or not len(self.basis)
        return gradient if none else project_orthogonal(gradient, self.basis)

    def begin_task(self, network, data, rng):
        """Lengthen the basis: in new units no direction is taken yet."""
        if self.basis is not None:
            self.basis = _rows_of([pad(row, len(network.theta)) for row in self.basis], network.theta)

    def end_task(self, network, data, rng):
        """Put the directions of some of the task's samples to the basis."""
        rows = rng.choice(len(data), min(self.per_task, len(data)), replace=False)
        new = np.stack([_of_true_outputs(network, data.x[i : i + 1], data.y[i]) for i in rows])
        self.basis = _orthonormal(new if self.basis is None else np.concatenate([self.basis, new]))

    def follow(self, move):
        """Move the directions as gradients are, and make them orthonormal again."""
        if self.basis is not None:
            moved = [move.gradient(row) for row in self.basis]
            self.basis = _orthonormal(_rows_of(moved, np.empty(move.size, self.basis.dtype)))


def _of_true_outputs(network, x, y):
    """Return the gradient of the true class's logit for one row; for values, of the sum of the outputs."""
    a = network.forward(x)
    entering = np.ones_like(a[-1])
    if np.ndim(y) == 0:
        entering = np.zeros_like(a[-1])
        entering[0, y] = 1
    return network.backward(a, {-1: entering})


def _rows_of(vectors, theta):
    """Return the vectors, each of θ's length, as a matrix, of which there may be none."""
    return np.array(vectors, theta.dtype).reshape(-1, len(theta))


def _orthonormal(vectors):
    """Return an orthonormal basis of what the rows span; what adds nothing but rounding is left out."""
    if not np.isfinite(vectors).all():
        raise FloatingPointError("the basis of OGD became infinite")
    _, sizes, directions = np.linalg.svd(vectors.astype(np.float64), full_matrices=False)
    return directions[sizes > 1e-6 * sizes.max(initial=0.0)].astype(vectors.dtype)
