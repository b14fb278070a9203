"""Decisions: how a learner answers, where it does not by the largest logit of its network."""

import numpy as np

from .ingredient import Ingredient
from .memory import unit_features

#: the logit of a class without a mean
FAR = -1e6


class Decision(Ingredient):
    """What answers in place of the network's head."""

    scenarios = ("class",)
    of_classes = True
    #: whether the network is trained; otherwise what answers learns by itself
    trains = True

    def end_task(self, network, memory, new, batches, rng):
        """Learn what is needed to answer, from the memory or the task's samples.

        `batches(n, share)` yields the row numbers of one batch after another, as many as the learner takes in
        a task, or a share of them.
        """
        raise NotImplementedError

    def logits(self, network, x):
        """Return a number for every class, in the order of the outputs: the largest is the answer."""
        raise NotImplementedError


class NearestMean(Decision):
    """The nearest mean of exemplars (iCaRL): a class is where the stored samples of it are.

        y = argmin_c ‖φ(x) − μ_c‖          logits −‖φ(x) − μ_c‖²

    φ are the activations a[at] with length 1, and μ_c the mean of φ over the memory's samples of class c, of
    length 1 too. The means are taken anew after every task, with the network as it is then.

    References
    ----------
    Rebuffi, Kolesnikov, Sperl and Lampert, "iCaRL: Incremental classifier and representation learning",
    CVPR 2017, algorithm 1.
    """

    reason = "a class has one mean, over all tasks, and every class is compared with every other"

    def __init__(self, at=-2):
        self.at = at
        self.means = None  # (classes, d), NaN for a class without a sample

    def end_task(self, network, memory, new, batches, rng):
        """Take the mean of every class that the memory holds."""
        samples = memory.samples
        features = unit_features(network, samples.x, self.at)
        means = np.full((network.outputs, features.shape[1]), np.nan, features.dtype)
        for c in np.unique(samples.y):
            mean = features[samples.y == c].mean(axis=0)
            means[c] = mean / (np.linalg.norm(mean) or 1)
        self.means = means

    def logits(self, network, x):
        """Return −‖φ(x) − μ_c‖² for every class; far below all others for a class without a mean."""
        if self.means is None:
            return np.full((x.shape[0], network.outputs), FAR, network.dtype)
        features = unit_features(network, x, self.at)
        if self.means is None:  # classes may be known before the first task
            return np.zeros((len(features), network.outputs), features.dtype)
        means = np.where(np.isnan(self.means), 0, self.means)
        squares = np.square(features).sum(axis=1)[:, None] + np.square(means).sum(axis=1)
        z = 2 * features @ means.T - squares
        known = ~np.isnan(self.means[:, 0])
        return np.where(known, z, FAR).astype(features.dtype)
