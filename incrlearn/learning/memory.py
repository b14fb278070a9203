"""Memories: which samples of old tasks are kept, and how they come back.

A memory holds raw samples, and that is its price. It says what the loop trains on (`training_set`), draws
the batch that is replayed beside every new one (`draw`), and takes in a task once it is learned (`end_task`).
"""

import numpy as np

from .. import _checks


class Memory:
    """What all memories share. A memory is empty until the first task has ended."""

    #: whether it can hold only samples that have a class
    of_classes = False

    def __init__(self):
        self.samples = None

    def __len__(self):
        return 0 if self.samples is None else len(self.samples)

    def training_set(self, new):
        """Return the samples that new batches are drawn from: by default, those of the new task alone."""
        return new

    def draw(self, n, rng):
        """Return n samples to replay (all, where there are fewer), or None where nothing is replayed."""
        if not len(self):
            return None
        return self.samples[rng.choice(len(self), min(n, len(self)), replace=False)]

    def end_task(self, new, rng):
        """Take in the samples of a task that has been learned."""
        raise NotImplementedError


class ReservoirMemory(Memory):
    """At most `size` samples, chosen uniformly from all that were ever seen.

    Every sample is given a random number once, and those with the smallest are kept: the same as drawing
    from all samples at the end, without having kept them.

    Parameters
    ----------
    size : int
        How many samples to keep, ≥ 1.

    Raises
    ------
    TypeError, ValueError
        If size is not a whole number ≥ 1.

    References
    ----------
    Vitter, "Random sampling with a reservoir", ACM Transactions on Mathematical Software 11, 1985.
    """

    def __init__(self, size=200):
        super().__init__()
        self.size = _checks.count("size", size)
        self.keys = np.empty(0)

    def end_task(self, new, rng):
        """Take in a task: keep the samples with the smallest keys."""
        keys = np.concatenate([self.keys, rng.random(len(new))])
        samples = new if self.samples is None else self.samples + new
        kept = np.sort(self.smallest(keys, samples))
        self.samples, self.keys = samples[kept], keys[kept]

    def smallest(self, keys, samples):
        """Return which samples to keep."""
        return np.argsort(keys)[: self.size]


class ClassBalancedMemory(ReservoirMemory):
    """At most `per_class` samples of every class, chosen uniformly from all that were ever seen of it.

    Parameters
    ----------
    per_class : int
        How many samples to keep of each class, ≥ 1.

    Raises
    ------
    TypeError, ValueError
        If per_class is not a whole number ≥ 1.

    References
    ----------
    Chaudhry et al., "On tiny episodic memories in continual learning", 2019 (a share for every class).
    """

    of_classes = True

    def __init__(self, per_class=20):
        super().__init__()
        self.per_class = _checks.count("per_class", per_class)

    def smallest(self, keys, samples):
        """Return which samples to keep: of each class those with the smallest keys."""
        by_key = np.argsort(keys)
        classes = np.unique(samples.y)
        return np.concatenate([by_key[samples.y[by_key] == c][: self.per_class] for c in classes])


class Everything(Memory):
    """Keep all samples, and train on all of them together: no method, but the upper bound `joint`."""

    def training_set(self, new):
        """Return all old samples and the new ones."""
        return new if self.samples is None else self.samples + new

    def draw(self, n, rng):
        """Return None: old samples are among the new ones already."""
        return None

    def end_task(self, new, rng):
        """Keep the task, in memory of its own: the caller's arrays may change."""
        self.samples = new.copy() if self.samples is None else self.samples + new
