"""Sequences of tasks made from a dataset: its classes split, its pixels permuted, its images rotated.

The three kinds of scenario are those of van de Ven, Tuytelaars and Tolias, "Three types of incremental
learning", Nature Machine Intelligence 4, 2022:

    task      the learner is told which task it is; only the outputs of that task compete
    domain    it is not told, and need not find out: every task has the same labels
    class     it is not told, and all classes seen so far compete

NumPy, and SciPy to rotate.
"""

from dataclasses import dataclass

import numpy as np

from .. import _checks

KINDS = ("task", "domain", "class")


@dataclass(frozen=True, eq=False)
class Task:
    """One task: what to learn next, and what to be asked about it ever after.

    Parameters
    ----------
    name : str
        What sets this task apart, for a table.
    x : ndarray of shape (n, d)
        Training samples.
    y : ndarray of shape (n,)
        Their labels.
    x_test : ndarray of shape (m, d)
        Test samples.
    y_test : ndarray of shape (m,)
        Their labels.
    id : int, optional
        What the learner is told: `learn(x, y, task=id)`, `predict(x, task=id)`. None where the task is
        not known, in the domain and class scenarios.
    """

    name: str
    x: np.ndarray
    y: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray
    id: int | None = None


@dataclass(frozen=True, eq=False)
class Scenario:
    """Tasks in the order in which they are learned.

    Parameters
    ----------
    name : str
        How it was made, of which dataset.
    kind : {"task", "domain", "class"}
        What the learner is told and what competes; see the module's head.
    tasks : tuple of Task
    """

    name: str
    kind: str
    tasks: tuple[Task, ...]


def split(dataset, n_tasks=5, kind="class", rng=None):
    """Split a dataset by its classes: every task brings classes that were not there before.

    The classes are dealt into groups as equal as can be, larger ones first.

    Parameters
    ----------
    dataset : Dataset
    n_tasks : int
        Number of tasks, at most the number of classes.
    kind : {"task", "domain", "class"}
        In "task" and "class" the labels are the dataset's own. In "domain" a label is the integer
        position of the class within its group, so all groups must be equally large.
    rng : numpy.random.Generator, optional
        Shuffles the classes. If None, they stay in sorted order.

    Returns
    -------
    Scenario

    Raises
    ------
    TypeError, ValueError
        If there are more tasks than classes, the groups of a "domain" scenario cannot be equally large,
        a task would have no test sample, or an argument is not one of the above.

    References
    ----------
    Zenke, Poole and Ganguli, "Continual learning through synaptic intelligence", ICML 2017 (Split
    MNIST); van de Ven, Tuytelaars and Tolias, Nature Machine Intelligence 4, 2022.

    Examples
    --------
    >>> from incrlearn.benchmark.datasets import load_digits
    >>> scenario = split(load_digits(), n_tasks=4)
    >>> [task.name for task in scenario.tasks]
    ['classes 0, 1, 2', 'classes 3, 4, 5', 'classes 6, 7', 'classes 8, 9']
    """
    classes = _classes(dataset)
    _checks.count("n_tasks", n_tasks)
    _checks.choice("kind", kind, dict.fromkeys(KINDS))
    if n_tasks > len(classes):
        raise ValueError(f"n_tasks must be at most the number of classes, {len(classes)}, got {n_tasks}")
    if kind == "domain" and len(classes) % n_tasks:
        raise ValueError(
            f"a domain scenario needs groups of one size, but n_tasks={n_tasks} does not divide "
            f"{len(classes)} classes"
        )
    if rng is not None:
        classes = _checks.generator("rng", rng).permutation(classes)
    groups = np.array_split(classes, n_tasks)
    tasks = tuple(_task_of_classes(dataset, t, group, kind) for t, group in enumerate(groups))
    return Scenario(f"split {dataset.name}", kind, tasks)


def permuted(dataset, n_tasks=10, kind="domain", rng=None):
    """Permute the pixels: every task has all the classes, and an order of the pixels of its own.

    The first task keeps the dataset's order. Every later one is a copy of the data: 10 tasks of MNIST
    take 2 GB.

    Parameters
    ----------
    dataset : Dataset
    n_tasks : int
        Number of tasks.
    kind : {"task", "domain", "class"}
        In "domain" the labels are the dataset's own. In "task" and "class" the classes of every task
        are new ones: with c classes, the k-th one (from 0, in sorted order) has in task t (from 0) the
        integer label t · c + k, whether the dataset's labels are integers or strings.
    rng : numpy.random.Generator
        Draws the permutations.

    Returns
    -------
    Scenario

    Raises
    ------
    TypeError, ValueError
        If an argument is not one of the above.

    References
    ----------
    Goodfellow, Mirza, Xiao, Courville and Bengio, "An empirical investigation of catastrophic
    forgetting in gradient-based neural networks", ICLR 2014.

    Examples
    --------
    >>> from incrlearn.benchmark.datasets import load_digits
    >>> scenario = permuted(load_digits(), n_tasks=3, kind="class", rng=np.random.default_rng(0))
    >>> [np.unique(task.y)[[0, -1]].tolist() for task in scenario.tasks]
    [[0, 9], [10, 19], [20, 29]]
    """
    _checks.count("n_tasks", n_tasks)
    _checks.choice("kind", kind, dict.fromkeys(KINDS))
    _checks.generator("rng", rng)
    tasks = [_task_of_inputs(dataset, "permutation 0", 0, dataset.x, dataset.x_test, kind)]
    for t in range(1, n_tasks):
        order = rng.permutation(dataset.x.shape[1])
        # not x[:, order], which is 4 times slower and leaves the pixels of a sample far apart in memory
        x, x_test = dataset.x.take(order, axis=1), dataset.x_test.take(order, axis=1)
        tasks.append(_task_of_inputs(dataset, f"permutation {t}", t, x, x_test, kind))
    return Scenario(f"permuted {dataset.name}", kind, tuple(tasks))


def rotated(dataset, n_tasks=5, kind="domain", rng=None, max_angle=180):
    """Rotate the images: every task has all the classes, at an angle of its own.

    Task t (from 0) is turned by max_angle · t / n_tasks degrees about the middle, with linear
    interpolation; corners that come into sight have the smallest value of the data. Every task but the
    first is a copy of the data, and takes 8 seconds for MNIST.

    Parameters
    ----------
    dataset : Dataset
        Of images: its `image_shape` says how a row is to be folded.
    n_tasks : int
        Number of tasks.
    kind : {"task", "domain", "class"}
        Labels as in `permuted`.
    rng : numpy.random.Generator, optional
        Not used: nothing here is random. It is accepted so that all variants can be called alike.
    max_angle : float in (0, 360]
        Where the angles end, in degrees; no task is turned that far.

    Returns
    -------
    Scenario

    Raises
    ------
    TypeError, ValueError
        If the dataset has no image shape, or an argument is not one of the above.

    References
    ----------
    Lopez-Paz and Ranzato, "Gradient episodic memory for continual learning", NeurIPS 2017, section 5
    (MNIST Rotations).

    Examples
    --------
    >>> from incrlearn.benchmark.datasets import load_digits
    >>> [task.name for task in rotated(load_digits(), n_tasks=3, max_angle=90).tasks]
    ['rotation 0°', 'rotation 30°', 'rotation 60°']
    """
    _checks.count("n_tasks", n_tasks)
    _checks.choice("kind", kind, dict.fromkeys(KINDS))
    _checks.number("max_angle", max_angle, "a number in (0, 360]", low=0, high=360, open_low=True)
    shape, d = dataset.image_shape, dataset.x.shape[1]
    if shape is None:
        raise ValueError(f"only images can be rotated, but dataset {dataset.name!r} has no image_shape")
    if np.prod(shape) != d:
        raise ValueError(f"dataset {dataset.name!r} has image_shape {shape}, but {d} features a sample")
    tasks = []
    for t in range(n_tasks):
        angle = max_angle * t / n_tasks
        x, x_test = _rotate(dataset.x, shape, angle), _rotate(dataset.x_test, shape, angle)
        tasks.append(_task_of_inputs(dataset, f"rotation {angle:g}°", t, x, x_test, kind))
    return Scenario(f"rotated {dataset.name}", kind, tuple(tasks))


VARIANTS = {"split": split, "permuted": permuted, "rotated": rotated}


def _classes(dataset):
    """Return the sorted classes of a dataset; every class of the test part can be learned."""
    classes = np.unique(dataset.y)
    unknown = np.setdiff1d(dataset.y_test, classes)
    if unknown.size:
        raise ValueError(
            f"dataset {dataset.name!r} has test samples of class {unknown[0].item()!r}, but none to train on"
        )
    return classes


def _task_of_classes(dataset, t, group, kind):
    """Return task t of a split: the samples of the classes in `group`."""
    name = f"classes {', '.join(map(str, group.tolist()))}"
    rows = np.isin(dataset.y, group)
    test_rows = np.isin(dataset.y_test, group)
    if not test_rows.any():
        raise ValueError(f"task {t} ({name}) has no test samples: its accuracy cannot be measured")
    y, y_test = dataset.y[rows], dataset.y_test[test_rows]
    if kind == "domain":
        y, y_test = _position(y, group), _position(y_test, group)
    return Task(name, dataset.x[rows], y, dataset.x_test[test_rows], y_test, _told(kind, t))


def _task_of_inputs(dataset, name, t, x, x_test, kind):
    """Return task t of a scenario that changes the inputs; except in "domain", its classes are new."""
    classes = _classes(dataset)
    y, y_test = dataset.y, dataset.y_test
    if kind != "domain":
        first = t * len(classes)
        y, y_test = first + _position(y, classes), first + _position(y_test, classes)
    return Task(name, x, y, x_test, y_test, _told(kind, t))


def _told(kind, t):
    """Return what the learner is told about task t."""
    return t if kind == "task" else None


def _position(y, classes):
    """Return the integer position of each label within `classes`, which need not be sorted."""
    order = np.argsort(classes)
    return order[np.searchsorted(classes, y, sorter=order)]


def _rotate(x, image_shape, angle):
    """Return the images turned by `angle` degrees; no value leaves the range it had."""
    if not angle or not x.size:
        return x
    from scipy import ndimage  # loading it takes longer than all of this package

    low, high = x.min(), x.max()
    images = x.reshape(-1, *image_shape)
    turned = ndimage.rotate(images, angle, axes=(1, 2), reshape=False, order=1, cval=low)
    return np.clip(turned, low, high).reshape(x.shape)
