"""Memories: which samples of old tasks are kept, and how they come back.

A memory holds raw samples, and that is its price. It says what the loop trains on (`training_set`), draws
the batch that is replayed beside every new one (`draw`), and takes in a task once it is learned (`end_task`).
What holds no samples, but makes them up, is a memory too: `generative`.
"""

import dataclasses

import numpy as np

from .. import _checks
from .ingredient import Ingredient


class Memory(Ingredient):
    """What all memories share. A memory is empty until the first task has ended."""

    #: whether it keeps the logits of its samples, too
    logits = False

    def __init__(self):
        self.samples = None

    def __len__(self):
        return 0 if self.samples is None else len(self.samples)

    def begin_task(self, network, new, rng):
        """Prepare for a task: called after the head has grown, before the first step."""

    def training_set(self, new):
        """Return the samples that new batches are drawn from: by default, those of the new task alone."""
        return new

    def draw(self, n, rng):
        """Return n samples to replay (all, where there are fewer), or None where nothing is replayed."""
        if not len(self):
            return None
        return self.samples[rng.choice(len(self), min(n, len(self)), replace=False)]

    def by_task(self):
        """Return what is kept, task by task: a list of samples. Here nothing is known of tasks."""
        return [self.samples] if len(self) else []

    def follow(self, move):
        """Stay as it is: samples are kept raw, and nothing here has θ's layout, whatever its length."""

    def end_task(self, network, new, batches, rng):
        """Take in the samples of a task that has been learned.

        `network` is as the task has left it; `batches(n)` yields the row numbers of one batch after another,
        as the learner went through its samples: for a memory that has to learn something itself.
        """
        raise NotImplementedError


class ReservoirMemory(Memory):
    """At most `size` samples, chosen uniformly from all that were ever seen.

    Every sample is given a random number once, and those with the smallest are kept: the same as drawing
    from all samples at the end, without having kept them.

    Parameters
    ----------
    size : int
        How many samples to keep, ≥ 1.
    logits : bool
        Whether to keep with each sample what the network answered when it was stored.
    at_once : bool
        Whether a task is taken in as it begins, and replayed beside itself, not when it has been learned.

    Raises
    ------
    TypeError, ValueError
        If size is not a whole number ≥ 1.

    References
    ----------
    Vitter, "Random sampling with a reservoir", ACM Transactions on Mathematical Software 11, 1985.
    """

    def __init__(self, size=200, logits=False, at_once=False):
        super().__init__()
        self.size = _checks.count("size", size)
        self.logits, self.at_once = bool(logits), bool(at_once)
        self.keys = np.empty(0)
        self.came = np.empty(0, np.int64)  # with which task each sample came
        self.tasks = 0

    @property
    def of_classes(self):
        """Logits are kept of classes: the scale of values may move."""
        return self.logits

    def begin_task(self, network, new, rng):
        """Ask the network what it says of stored samples in outputs that have just been added."""
        if self.logits and len(self):
            old, z = self.samples.logits, network(self.samples.x)
            logits = np.concatenate([old, z[:, old.shape[1] :]], axis=1)
            self.samples = dataclasses.replace(self.samples, logits=logits)
        if self.at_once:
            self.take_in(network, new, rng)

    def end_task(self, network, new, batches, rng):
        """Take in a task that has been learned."""
        if not self.at_once:
            self.take_in(network, new, rng)

    def take_in(self, network, new, rng):
        """Keep the samples with the smallest keys, of those that are there and of new ones."""
        old = new[:0] if self.samples is None else self.samples
        keys = np.concatenate([self.keys, self.draw_keys(network, new, rng)])
        came = np.concatenate([self.came, np.full(len(new), self.tasks)])
        kept = np.sort(self.smallest(keys, np.concatenate([old.y, new.y]), came))
        n = len(old)
        new = new[kept[kept >= n] - n]
        if self.logits:
            new = dataclasses.replace(new, logits=network(new.x))
            old = old if self.samples is not None else dataclasses.replace(old, logits=new.logits[:0])
        self.samples = old[kept[kept < n]] + new
        self.keys, self.came = keys[kept], came[kept]
        self.tasks += 1

    def by_task(self):
        """Return what is kept, task by task: a list of samples."""
        return [self.samples[self.came == task] for task in sorted(set(self.came.tolist()))]

    def draw_keys(self, network, new, rng):
        """Return a number for every new sample: those with the smallest are kept."""
        return rng.random(len(new))

    def smallest(self, keys, y, came):
        """Return which samples to keep, given the keys, classes and tasks of all."""
        return np.argsort(keys)[: self.size]


class ClassBalancedMemory(ReservoirMemory):
    """At most `per_class` samples of every class, chosen uniformly from all that were ever seen of it.

    Parameters
    ----------
    per_class : int
        How many samples to keep of each class, ≥ 1.
    per_task : bool
        Whether a class gets such a share anew in every task in which it comes, as where tasks have the same
        labels: a task is a call of `learn`.
    logits, at_once : bool
        As for `ReservoirMemory`.

    Raises
    ------
    TypeError, ValueError
        If per_class is not a whole number ≥ 1.

    References
    ----------
    Chaudhry et al., "On tiny episodic memories in continual learning", 2019 (a share for every class).
    """

    of_classes = True

    def __init__(self, per_class=20, per_task=False, logits=False, at_once=False):
        super().__init__(logits=logits, at_once=at_once)
        self.per_class = _checks.count("per_class", per_class)
        self.per_task = bool(per_task)

    def smallest(self, keys, y, came):
        """Return which samples to keep: of each class those with the smallest keys."""
        group = came * (1 + y.max()) + y if self.per_task else y
        return np.concatenate([rows[: self.per_class] for rows in _by_class(keys, group)])


class HerdingMemory(ClassBalancedMemory):
    """Of every class those `per_class` samples whose mean feature is nearest to that of the whole class.

        pₖ = argmin_x ‖μ − 1/k (φ(x) + Σⱼ₍<ₖ₎ φ(pⱼ))‖          μ = the mean of φ(x) over the class

    The features φ, of unit length, are the activations a[at] of the network that has learned the task. Of a
    class that comes again the first choices of each time are kept.

    Parameters
    ----------
    per_class : int
        How many samples to keep of each class, ≥ 1.
    per_task : bool
        As for `ClassBalancedMemory`.
    at : int
        Which activations are the features; −2 is what the head sees.
    mixed : bool
        True: old samples are mixed with the new ones, and batches are drawn from both together, as iCaRL
        does it. False: they come back as replayed batches.
    size : int, optional
        How many samples to keep in all, shared evenly among the classes, in place of per_class of each.

    Raises
    ------
    TypeError, ValueError
        If per_class or size is not a whole number ≥ 1.

    References
    ----------
    Welling, "Herding dynamical weights to learn", ICML 2009; Rebuffi, Kolesnikov, Sperl and Lampert,
    "iCaRL", CVPR 2017, algorithm 4.
    """

    def __init__(self, per_class=20, per_task=False, at=-2, mixed=False, size=None):
        super().__init__(per_class, per_task)
        self.at = _checks.count("at", at, low=-1_000)
        self.mixed = bool(mixed)
        self.size = None if size is None else _checks.count("size", size)

    def begin_task(self, network, new, rng):
        """Refuse an index that the network does not have, before the first step."""
        super().begin_task(network, new, rng)
        check_activation(network, new.x, self.at)

    def training_set(self, new):
        """Return the new samples, where they are to be mixed those of the memory too."""
        return self.samples + new if self.mixed and len(self) else new

    def draw(self, n, rng):
        """Return n samples to replay; None where old samples are among the new ones already."""
        return None if self.mixed else super().draw(n, rng)

    def draw_keys(self, network, new, rng):
        """Return the place of each sample in the order of herding within its class; nothing is drawn."""
        keys = np.full(len(new), float(len(new)))
        for c in np.unique(new.y):
            rows = np.flatnonzero(new.y == c)
            chosen = herding(unit_features(network, new.x[rows], self.at), self.size or self.per_class)
            keys[rows[chosen]] = np.arange(len(chosen))
        return keys

    def smallest(self, keys, y, came):
        """Return which samples to keep: the first choices of each class."""
        return super().smallest(keys, y, came) if self.size is None else _evenly(keys, y, self.size)


class SharedMemory(ReservoirMemory):
    """At most `size` samples, shared among the classes as evenly as they allow; within a class by chance.

    So no class is ever crowded out by a frequent one. They come back as they came: a class is drawn in
    proportion to how often it was seen, then one of its samples. Of what a uniform reservoir would replay
    the proportions are the same, but of a rare class more samples are there.

    Parameters
    ----------
    size : int
        How many samples to keep in all, ≥ 1.
    at_once : bool
        As for `ReservoirMemory`.

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

    def __init__(self, size=500, at_once=False):
        super().__init__(size, at_once=at_once)
        self.seen = np.zeros(0)  # how many samples of every class were ever seen

    def take_in(self, network, new, rng):
        """Take in samples, and count their classes."""
        super().take_in(network, new, rng)
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

    def smallest(self, keys, y, came):
        """Return which samples to keep: of each class those with the smallest keys."""
        return _evenly(keys, y, self.size)


class GreedyMemory(SharedMemory):
    """At most `size` samples, shared among the classes as in `SharedMemory`, and nothing else to learn from.

    A task is taken in before anything is learned of it, and what is learned, from the memory alone, is all
    classes at once: the sampler of GDumb, for tasks that come whole.

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
    Prabhu, Torr and Dokania, "GDumb: a simple approach that questions our progress in continual learning",
    ECCV 2020, algorithm 1.
    """

    def __init__(self, size=500):
        super().__init__(size, at_once=True)

    def training_set(self, new):
        """Return what the memory holds."""
        return self.samples

    def draw(self, n, rng):
        """Return None: all that is learned from is the memory."""
        return None


class Everything(Memory):
    """Keep all samples, and train on all of them together: no method, but the upper bound `joint`."""

    def training_set(self, new):
        """Return all old samples and the new ones."""
        return new if self.samples is None else self.samples + new

    def draw(self, n, rng):
        """Return None: old samples are among the new ones already."""
        return None

    def end_task(self, network, new, batches, rng):
        """Keep the task, in memory of its own: the caller's arrays may change."""
        self.samples = new.copy() if self.samples is None else self.samples + new


def _evenly(keys, y, size):
    """Return which samples to keep of all: the n-th of every class before the (n+1)-th of any."""
    groups = _by_class(keys, y)
    rows = np.concatenate(groups)
    place = np.concatenate([np.arange(len(group)) for group in groups])
    return rows[np.lexsort((keys[rows], place))][:size]


def _by_class(keys, y):
    """Return the row numbers of each class, those with the smallest keys first."""
    order = np.argsort(keys, kind="stable")
    return [order[y[order] == c] for c in np.unique(y)]


def herding(features, n):
    """Return the order in which samples are chosen so that the mean of the chosen stays near that of all.

        pₖ = argmin_i ‖μ − 1/k (φᵢ + Σⱼ₍<ₖ₎ φ(pⱼ))‖

    Parameters
    ----------
    features : ndarray of shape (m, d)
        φ, one row a sample.
    n : int
        How many to choose; all m, where there are fewer.

    Returns
    -------
    ndarray of int, of shape (min(n, m),)
        Row numbers, the first choice first.

    References
    ----------
    Welling, "Herding dynamical weights to learn", ICML 2009; iCaRL, CVPR 2017, algorithm 4.

    Examples
    --------
    The mean of the rows is (1, 0): its nearest comes first, then what brings the mean of both there.

    >>> herding(np.array([[0.0, 1.0], [1.0, 0.5], [2.0, -1.5]]), 2)
    array([1, 2])
    """
    mean, total = features.mean(axis=0), np.zeros(features.shape[1], features.dtype)
    free, chosen = np.ones(len(features), bool), []
    squares = np.einsum("ij,ij->i", features, features)
    for k in range(1, min(n, len(features)) + 1):
        # ‖k μ − total − φ‖² but for a term that is the same for all
        distance = squares - 2 * (features @ (k * mean - total))
        best = int(np.where(free, distance, np.inf).argmin())
        free[best] = False
        total += features[best]
        chosen.append(best)
    return np.array(chosen, np.intp)


def unit_features(network, x, at=-2):
    """Return the activations a[at] with rows of length 1; a row of zeros stays as it is.

    Parameters
    ----------
    network : Network
    x : ndarray of shape (n, inputs)
    at : int

    Returns
    -------
    ndarray of shape (n, d)

    Raises
    ------
    ValueError
        If there are no such activations, or they are sparse.
    """
    check_activation(network, x, at)
    blocks = range(0, x.shape[0], 4096)
    features = np.concatenate([network.forward(x[i : i + 4096])[at] for i in blocks])
    length = np.linalg.norm(features, axis=1, keepdims=True)
    return features / np.where(length > 0, length, 1)


def check_activation(network, x, at):
    """Raise a ValueError unless a[at] are activations of the network, and those of x are dense.

    Parameters
    ----------
    network : Network
    x : ndarray or CSR array of shape (n, inputs)
    at : int

    Raises
    ------
    ValueError
        If they are not.
    """
    n = len(network.layers) + 1
    if not -n <= at < n:
        raise ValueError(f"at must be the index of one of {n} activations, got {at}")
    if at % n <= 1 and _checks.is_sparse(network.forward(x[:1])[at]):
        raise ValueError(f"at must be behind a layer with weights where x is sparse, got {at}")
