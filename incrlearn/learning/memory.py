"""Memories: which samples of old tasks are kept, and how they come back.

A memory holds raw samples, and that is its price. It says what the loop trains on (`training_set`), draws
the batch that is replayed beside every new one (`draw`), and takes in a task once it is learned (`end_task`).
"""

import numpy as np

from .. import _checks


class Memory:
    """What all memories share. A memory is empty until the first task has ended."""

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


class ClassBalancedMemory(Memory):
    """At most `per_class` samples of every class, chosen uniformly from all that were ever seen of it.

    Every sample is given a random number once, and of each class those with the smallest are kept: the same
    as drawing from all samples of the class at the end, without having kept them (reservoir sampling).

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
    Vitter, "Random sampling with a reservoir", 1985 (algorithm R, here with random keys); Chaudhry et al.,
    "On tiny episodic memories in continual learning", 2019 (ring buffer: a share for every class).
    """

    def __init__(self, per_class=20):
        super().__init__()
        self.per_class = _checks.count("per_class", per_class)
        self.keys = np.empty(0)

    def end_task(self, new, rng):
        """Take in a task: keep, of each class, the samples with the smallest keys."""
        keys = np.concatenate([self.keys, rng.random(len(new))])
        samples = new if self.samples is None else self.samples + new
        by_key = np.argsort(keys)
        kept = [by_key[samples.y[by_key] == output][: self.per_class] for output in np.unique(samples.y)]
        kept = np.sort(np.concatenate(kept))
        self.samples, self.keys = samples[kept], keys[kept]


class Everything(Memory):
    """Keep all samples, and train on all of them together: no method, but the upper bound `joint`."""

    def training_set(self, new):
        """Return all old samples and the new ones."""
        return new if self.samples is None else self.samples + new

    def draw(self, n, rng):
        """Return None: old samples are among the new ones already."""
        return None

    def end_task(self, new, rng):
        """Keep the task."""
        self.samples = self.training_set(new)
