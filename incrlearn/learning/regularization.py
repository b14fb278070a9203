"""Regularization: terms that keep the parameters where they are, or near zero.

    L = L₀ + λ‖θ − θ*‖₁          L = L₀ + λ/2 ‖θ − θ*‖²          L = L₀ + λ/2 Σⱼ Ωⱼ (θⱼ − θⱼ*)²

The first two treat all parameters alike. The third asks how much each has mattered for old tasks: its Ω is
measured at the end of every task (`importance`), and no sample is kept.
"""

import numpy as np

from .. import _checks
from ..formulas import elastic_net, importance_weighted, l1, l2
from ..network import pad, parts, soft_threshold
from .importance import fisher, path_integral, sensitivity
from .terms import ParameterTerm, ProximalTerm


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
    def holds(self):
        """Whether it holds the parameters to what they were, and not to zero."""
        return self.anchored

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

    def _value(self, penalty, theta, *settings):
        """Return a penalty alone, part by part: nobody asks for its gradient, which would be as long as θ."""
        value = 0.0
        for part in parts(theta):
            anchor = None if self.anchor is None else self.anchor[part]
            value += penalty(theta[part], self.strength, *settings, anchor)[0]
        return value


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
        return self._value(l1, theta)

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
        return self._value(elastic_net, theta, self.ratio)

    def step(self, theta, learning_rate):
        """d ← sign(d) max(|d| − ηλρ, 0) / (1 + ηλ(1−ρ))."""
        lam = learning_rate * self.strength
        soft_threshold(theta, lam * self.ratio, self.anchor)
        shrink = 1 - 1 / (1 + lam * (1 - self.ratio))
        for part in parts(theta):
            x = theta[part]
            x -= shrink * (x if self.anchor is None else x - self.anchor[part])


# ---- importance ------------------------------------------------------------------------------------------


class _Consolidation(ParameterTerm):
    """What EWC, SI and MAS share: λ/2 Σⱼ Ωⱼ (θⱼ − θⱼ*)², with one Ω and one θ* for all old tasks."""

    holds = True

    def __init__(self, strength):
        self.strength = _checks.strength("strength", strength)
        self.importance = self.anchor = None

    @property
    def active(self):
        """Whether something has been measured: the first task has nothing to keep."""
        return self.importance is not None

    def __call__(self, theta):
        """Return the penalty and its gradient."""
        return importance_weighted(theta, self.strength, self.importance, self.anchor)

    def begin_task(self, network, data, rng):
        """Give new units no importance: they are free."""
        if self.active:
            size = len(network.theta)
            self.importance, self.anchor = pad(self.importance, size), pad(self.anchor, size)

    def follow(self, move):
        """Move the anchor as θ was moved, and Ω as squares of gradients are."""
        if self.active:
            self.anchor = move.parameters(self.anchor)
            self.importance = move.gradient(self.importance, power=2)

    def add(self, importance, network, decay=1.0):
        """Ω ← γ Ω + importance, and θ* ← θ."""
        old = self.importance if self.active else np.zeros_like(network.theta)
        self.importance, self.anchor = decay * old + importance, network.theta.copy()


class EWC(_Consolidation):
    """Elastic weight consolidation: what the old tasks' Fisher information holds fast, stays.

        L = L₀ + λ/2 Σₜ Σⱼ Fₜⱼ (θⱼ − θₜⱼ*)²          F = 1/n Σᵢ Σ_c p(c|xᵢ) (∂ log p(c|xᵢ)/∂θ)²

    Penalties of several tasks, each to an anchor of its own, are one penalty to their weighted mean, but for
    a constant: with Ω = Σ F and θ* = Σ F θₜ* / Ω. So what is kept does not grow with the tasks.

    Parameters
    ----------
    strength : float
        λ ≥ 0.
    labels : {"exact", "sampled", "empirical"}
        Over which classes the Fisher information goes: all of them, weighted by their probability; one that
        is drawn for every sample; or the sample's own label. See `importance.fisher`.
    online : bool
        False: a penalty a task. True: one penalty, to θ after the last task, with Ω ← γ Ω + F.
    decay : float
        γ in [0, 1]: what old importance still counts, online.

    References
    ----------
    Kirkpatrick et al., "Overcoming catastrophic forgetting in neural networks", PNAS 114, 2017, eq. 3;
    Huszár, "Note on the quadratic penalties in elastic weight consolidation", PNAS 115, 2018 (how they add
    up); online: Schwarz et al., "Progress & compress", ICML 2018, eq. 9.
    """

    def __init__(self, strength=100.0, labels="exact", online=False, decay=1.0):
        super().__init__(strength)
        _checks.choice("labels", labels, dict.fromkeys(("exact", "sampled", "empirical")))
        self.labels, self.online = labels, bool(online)
        self.decay = _checks.share("decay", decay)

    def end_task(self, network, data, rng):
        """Measure the Fisher information of the task, and put it to that of the others."""
        F = fisher(network, data, self.labels, rng)
        if self.online or not self.active:
            return self.add(F, network, self.decay)
        omega, anchor = self.importance + F, self.anchor
        # θ* + F/Ω (θ − θ*) is the weighted mean (Ω θ* + F θ)/(Ω + F), and stays exact where nothing moved
        self.anchor = anchor + F / np.where(omega > 0, omega, 1) * (network.theta - anchor)
        self.importance = omega


class SI(_Consolidation):
    """Synaptic intelligence: a parameter matters as much as its way has lowered the loss.

        L = L₀ + λ/2 Σⱼ Ωⱼ (θⱼ − θⱼ*)²          Ω = Σₜ max(0, ω/(Δ² + ξ))

    ω = −Σ over steps of ∂L₀/∂θ times the step that was taken, Δ a task's whole way. The paper's c is λ/2.

    Parameters
    ----------
    strength : float
        λ ≥ 0.
    damping : float
        ξ > 0: keeps Ω finite where a parameter has hardly moved.

    References
    ----------
    Zenke, Poole and Ganguli, "Continual learning through synaptic intelligence", ICML 2017, eq. 4 and 5.
    """

    watches = True

    def __init__(self, strength=1.0, damping=0.1):
        super().__init__(strength)
        self.damping = _checks.positive("damping", damping)
        self.w = self.start = None

    def begin_task(self, network, data, rng):
        """Begin a new path."""
        super().begin_task(network, data, rng)
        self.start, self.w = network.theta.copy(), np.zeros_like(network.theta)

    def watch(self, gradient, step):
        """ω ← ω − ∂L₀/∂θ · step."""
        self.w -= gradient * step  # in place: begin_task made it for this task alone

    def end_task(self, network, data, rng):
        """Add the task's Ω."""
        delta = network.theta - self.start
        self.add(path_integral(self.w, delta, self.damping), network)
        self.start = self.w = None


class MAS(_Consolidation):
    """Memory aware synapses: a parameter matters as much as the outputs change with it.

        L = L₀ + λ/2 Σⱼ Ωⱼ (θⱼ − θⱼ*)²          Ω = Σₜ 1/n Σᵢ |∂‖z(xᵢ)‖²/∂θ|

    No label is needed for that. The paper's λ is λ/2 here.

    Parameters
    ----------
    strength : float
        λ ≥ 0.

    References
    ----------
    Aljundi et al., "Memory aware synapses: learning what (not) to forget", ECCV 2018, eq. 3 and 4.
    """

    def __init__(self, strength=1.0):
        super().__init__(strength)

    def end_task(self, network, data, rng):
        """Add the task's Ω."""
        self.add(sensitivity(network, data), network)
