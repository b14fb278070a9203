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
        old = new[:0] if self.samples is None else self.samples
        keys = np.concatenate([self.keys, rng.random(len(new))])
        kept = np.sort(self.smallest(keys, np.concatenate([old.y, new.y])))
        n = len(old)
        self.samples = old[kept[kept < n]] + new[kept[kept >= n] - n]
        self.keys = keys[kept]

    def smallest(self, keys, y):
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

    def smallest(self, keys, y):
        """Return which samples to keep: of each class those with the smallest keys."""
        return np.concatenate([rows[: self.per_class] for rows in _by_class(keys, y)])


class SharedMemory(ReservoirMemory):
    """At most `size` samples, shared among the classes as evenly as they allow; within a class by chance.

    So no class is ever crowded out by a frequent one. They come back as they came: a class is drawn in
    proportion to how often it was seen, then one of its samples. Of what a uniform reservoir would replay
    the proportions are the same, but of a rare class more samples are there.

    Parameters
    ----------
    size : int
        How many samples to keep in all, ≥ 1.

    Raises
    ------
    TypeError, ValueError
        If size is not a whole number ≥ 1.

    References
    ----------
    Chrysakis and Moens, "Online continual learning from imbalanced data", ICML 2020 (a reservoir balanced
    over classes).
    """

    of_classes = True

    def __init__(self, size=500):
        super().__init__(size)
        self.seen = np.zeros(0)  # how many samples of every class were ever seen

    def end_task(self, new, rng):
        """Take in a task, and count its classes."""
        super().end_task(new, rng)
        counts = np.bincount(new.y, minlength=len(self.seen)).astype(float)
        counts[: len(self.seen)] += self.seen
        self.seen = counts

    def draw(self, n, rng):
        """Return n samples to replay, each standing for as many as were seen for one that is kept."""
        if not len(self):
            return None
        kept = np.bincount(self.samples.y, minlength=len(self.seen))
        weights = (self.seen / np.maximum(kept, 1))[self.samples.y].cumsum()
        n = min(n, 32 * len(self))  # more than that would only say the same again
        # searchsorted on the running sum: a draw with these weights, quicker than rng.choice
        rows = np.searchsorted(weights, rng.random(n) * weights[-1], side="right")
        return self.samples[np.minimum(rows, len(self) - 1)]

    def smallest(self, keys, y):
        """Return which samples to keep: the n-th of every class before the (n+1)-th of any."""
        groups = _by_class(keys, y)
        rows = np.concatenate(groups)
        place = np.concatenate([np.arange(len(group)) for group in groups])
        return rows[np.lexsort((keys[rows], place))][: self.size]


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


def _by_class(keys, y):
    """Return the row numbers of each class, those with the smallest keys first."""
    order = np.argsort(keys)
    return [order[y[order] == c] for c in np.unique(y)]
