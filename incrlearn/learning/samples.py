"""Samples, and which outputs compete for them: what the learner, the terms and the memories hand around.

The learner turns labels into *outputs*, the index of the unit that stands for a class, in the order in which
classes arrive. Which outputs compete for a sample depends on what is known of its task: all classes seen so
far where nothing is, the task's own classes where the task is known (van de Ven et al., 2022).
"""

import copy
from dataclasses import dataclass

import numpy as np

from .. import _checks
from ..network import Linear, Move, Standardize

ALL = slice(None)


@dataclass(frozen=True)
class Samples:
    """Rows of features with their targets: a task, or what a memory holds.

    x : ndarray or CSR array (n, d), features; y : ndarray (n,) of output indices or (n, m) of values;
    task : ndarray (n,) of int, the number of each sample's task where it is known, −1 where it is not;
    logits : ndarray (n, outputs) or None, what the network answered when they were stored.
    """

    x: np.ndarray
    y: np.ndarray
    task: np.ndarray
    logits: np.ndarray | None = None
    #: each row's number in the task that is learned; None but for `Numbered`
    number = None

    def __len__(self):
        return len(self.y)

    def __getitem__(self, rows):
        logits = None if self.logits is None else self.logits[rows]
        return Samples(_rows(self.x, rows), self.y[rows], self.task[rows], logits)

    def numbered(self):
        """Return the same samples, each with its row's number."""
        return Numbered(**vars(self), number=np.arange(len(self)))

    def copy(self):
        """Return the same samples in memory of their own."""
        logits = None if self.logits is None else self.logits.copy()
        return Samples(self.x.copy(), self.y.copy(), self.task.copy(), logits)

    def __add__(self, other):
        return Samples(
            _stack(self.x, other.x),
            np.concatenate([self.y, other.y]),
            np.concatenate([self.task, other.task]),
            None if self.logits is None else np.concatenate([self.logits, other.logits]),
        )


@dataclass(frozen=True)
class Numbered(Samples):
    """Samples of the one task that is learned, or a batch of them: terms know a row again by its number."""

    number: np.ndarray | None = None

    def __getitem__(self, rows):
        return Numbered(**vars(super().__getitem__(rows)), number=self.number[rows])


@dataclass(frozen=True)
class Batch:
    """What a term looks at: samples, and which outputs compete for which rows.

    x : ndarray (n, d); y : ndarray (n,) of output indices or (n, m) of values;
    parts : list of `Part`, which together cover every row once;
    heads : list of column selections, one for every task known so far, or a single one for all classes;
    logits : ndarray (n, outputs) or None, what the network answered when they were stored;
    number : ndarray (n,) of int or None, each row's number in the task, where it is one of the task's own.
    """

    x: np.ndarray
    y: np.ndarray
    parts: list
    heads: list
    logits: np.ndarray | None = None
    number: np.ndarray | None = None

    def __len__(self):
        return len(self.y)


@dataclass(frozen=True)
class Part:
    """Rows of a batch for which the same outputs compete.

    index : selects those rows and outputs from the logits, as in z[index];
    y : their targets, counted within those outputs; share : their share of the batch's rows.
    """

    index: tuple
    y: np.ndarray
    share: float


class Classes:
    """Targets that are labels: which output stands for which label, and which outputs compete.

    Parameters
    ----------
    labels : array_like, optional
        Labels known in advance, in the order of their outputs.
    """

    def __init__(self, labels=None):
        # replaced, never changed in place
        self.labels = None
        self.tasks = {}  # task id -> sorted array of its outputs
        self.untold = np.empty(0, np.intp)  # outputs that were learned without an id
        self.announce(labels)

    def __len__(self):
        return 0 if self.labels is None else len(self.labels)

    def announce(self, labels):
        """Give an output to labels known in advance."""
        if labels is None or not len(_checks.as_array("classes", labels).reshape(-1)):
            return
        labels = self._of_one_kind("classes", labels)
        if len(np.unique(labels)) < len(labels):
            raise ValueError(f"classes must not hold a label twice, got {labels.tolist()}")
        self._give_outputs(labels)

    def check(self, y, n_outputs):
        """Return y as an array of labels; refuse what can not be a label or is of another kind."""
        return self._of_one_kind("y", y)

    def _of_one_kind(self, name, labels):
        labels, kind_of = _labels(name, labels), _checks.kind_of_labels
        if self.labels is not None and kind_of(labels) != kind_of(self.labels):
            known = kind_of(self.labels)
            raise TypeError(f"{name} holds {kind_of(labels)}, but the labels known so far are {known}")
        return labels

    def _give_outputs(self, labels):
        """Append those labels that are not known yet."""
        known = labels[:0] if self.labels is None else self.labels
        self.labels = np.concatenate([known, labels[~np.isin(labels, known)]])

    def learn(self, y, task):
        """Give an output to every label not seen before; return y as outputs, and the task's number."""
        y = self._of_one_kind("y", y)  # labels may have been announced since it was checked
        self._give_outputs(np.unique(y))
        outputs = self.outputs(y)
        if task is None:
            self.untold = np.union1d(self.untold, outputs)
            return outputs, -1
        columns = np.union1d(self.tasks.get(task, outputs[:0]), outputs)
        self.tasks = {**self.tasks, task: columns}
        return outputs, list(self.tasks).index(task)

    def outputs(self, y):
        """Return the output that stands for each known label, and −1 for an unknown one."""
        order = np.argsort(self.labels)
        place = np.searchsorted(self.labels, y, sorter=order)
        output = order[np.minimum(place, len(order) - 1)]
        return np.where(self.labels[output] == y, output, -1)

    def prepare_head(self, network, rng):
        """Give every class an output; return how old parameters have moved, if they have."""
        missing = len(self) - network.outputs
        if missing > 0:
            network.grow(missing, rng)

    def follow(self, teacher):
        """Return the teacher, as it has to answer now: an old class keeps its output."""
        return teacher

    def columns(self, task=None):
        """Return the outputs that compete where the task is known by its id, or is not known."""
        return slice(0, len(self)) if task is None else _as_slice(self.tasks[task])

    def heads(self):
        """Return the outputs of every task known by its id, in order, and behind them those of all others.

        Where no task was ever told, that is one head with all outputs.
        """
        if not self.tasks:
            return [self.columns()]
        groups = [*self.tasks.values(), self.untold]
        return [_as_slice(columns) for columns in groups if len(columns)]

    def batch(self, samples):
        """Return the samples with the outputs that compete for each."""
        n, heads = len(samples), self.heads()
        first = samples.task[0]
        if samples.number is not None or (samples.task == first).all():  # the common case, without a search
            columns = self.columns() if first < 0 else heads[first]
            parts = [Part((ALL, columns), _within(columns, samples.y), 1.0)]
        else:
            parts = []
            for task in np.unique(samples.task):
                rows = np.flatnonzero(samples.task == task)
                columns = self.columns() if task < 0 else heads[task]
                index = (rows, columns) if isinstance(columns, slice) else np.ix_(rows, columns)
                parts.append(Part(index, _within(columns, samples.y[rows]), len(rows) / n))
        return Batch(samples.x, samples.y, parts, heads, samples.logits, samples.number)

    def decode(self, z, task=None):
        """Return the label whose logit is the largest among those that compete."""
        columns = self.columns(task)
        return self.labels[columns][z[:, columns].argmax(axis=1)]


class Values:
    """Targets that are real numbers: every output is a value of its own, and nothing competes."""

    labels = None

    def __init__(self, labels=None):
        self.announce(labels)
        self.tasks = {}

    def __len__(self):
        return 0

    def check(self, y, n_outputs):
        """Return y with shape (n, m), m the network's outputs; refuse what is not finite."""
        y = _checks.finite("y", _checks.real_array("y", y))
        if y.ndim == 1 and n_outputs == 1:
            y = y[:, None]
        if y.ndim != 2 or y.shape[1] != n_outputs:
            raise ValueError(f"y must have one column for each of {n_outputs} outputs, got {y.shape}")
        return y

    def announce(self, labels):
        """Refuse labels: values have none."""
        if labels is not None:
            raise ValueError(f"classes can not be given where the targets are values, got {labels!r}")

    def learn(self, y, task):
        """Remember the task's id; return y as it is, and the task's number."""
        if task is None:
            return y, -1
        self.tasks = {**self.tasks, task: ALL}
        return y, list(self.tasks).index(task)

    def prepare_head(self, network, rng):
        """Leave the head as it is."""

    def follow(self, teacher):
        """Return the teacher, as it has to answer now."""
        return teacher

    def columns(self, task=None):
        """Return all outputs."""
        return ALL

    def heads(self):
        """Return all outputs as one head."""
        return [ALL]

    def batch(self, samples):
        """Return the samples as one part."""
        return Batch(samples.x, samples.y, [Part((ALL, ALL), samples.y, 1.0)], self.heads())

    def decode(self, z, task=None):
        """Return the outputs themselves, as a vector where there is one."""
        return z[:, 0] if z.shape[1] == 1 else z


class StandardizedValues(Values):
    """Targets that are real numbers of any scale: the network's outputs are standardized ones.

        z = (y − μ)/s          y = μ + s z

    μ and s run along with the targets seen so far, and the head is compensated as they move: what the
    network predicts stays what it was. A value that has not varied yet is predicted as what it always was.
    """

    def __init__(self, labels=None):
        super().__init__(labels)
        self.statistics = None  # a Standardize layer for the targets; replaced, never changed in place
        self.moved = None  # how old outputs become new ones, until the head is told

    def learn(self, y, task):
        """Move μ and s to those of all targets so far; return y as it is."""
        statistics = Standardize(y.shape[1]) if self.statistics is None else copy.copy(self.statistics)
        told = (statistics.squares > 0) | (statistics.count == 0)  # else the answer was μ, whatever z was
        r, c, _ = statistics.observe(y, "y", enough=1)  # old z = r (new z) + c
        self.statistics, self.moved = statistics, (np.where(told, 1 / r, 0.0), -c / r)
        return super().learn(y, task)

    def prepare_head(self, network, rng):
        """Let the head say in the new scale what it said in the old one; return how its parameters moved."""
        head = network.layers[-1]
        if not isinstance(head, Linear) or not head.bias:
            raise ValueError(f"{head!r} must be a Linear with a bias, so that targets can be standardized")
        if self.moved is None:
            return None
        r, c = self.moved
        head.rescale(r, c)
        self.moved = None
        size = len(network.theta)
        return Move(network, -1, "rescale", r, c, np.arange(size), size)

    def follow(self, teacher):
        """Return the teacher, as it has to answer now: in the new scale."""
        teacher = teacher.copy()
        teacher.layers[-1].rescale(*self.moved)
        return teacher

    def batch(self, samples):
        """Return the samples as one part, with standardized targets."""
        y = self.statistics.forward(samples.y)
        return Batch(samples.x, y, [Part((ALL, ALL), y, 1.0)], self.heads())

    def decode(self, z, task=None):
        """Return y = μ + s z, as a vector where there is one."""
        if self.statistics is not None:
            z = self.statistics.inverse(z)
        return super().decode(z, task)


def _rows(x, rows):
    """Return x[rows]; the rows of a batch, which are numbers, are copied whole."""
    numbers = isinstance(rows, np.ndarray) and rows.dtype.kind == "i"
    return x.take(rows, axis=0) if numbers and isinstance(x, np.ndarray) else x[rows]


def _stack(x, other):
    """Return the rows of both, sparse if one of them is: nothing sparse is ever made dense."""
    if not _checks.is_sparse(x) and not _checks.is_sparse(other):
        return np.concatenate([x, other])
    from scipy.sparse import csr_array, vstack

    return csr_array(vstack([csr_array(x), csr_array(other)]))


def _within(columns, outputs):
    """Return outputs counted within the columns: 7 is the second of the columns 6 and 7."""
    if isinstance(columns, slice):
        return outputs - columns.start if columns.start else outputs
    return np.searchsorted(columns, outputs)


def _as_slice(columns):
    """Return neighbouring columns as a slice: a view is cheaper than a selection."""
    if columns[-1] - columns[0] + 1 == len(columns):
        return slice(int(columns[0]), int(columns[-1]) + 1)
    return columns


def _labels(name, values):
    """Return a vector of integer, string or boolean labels."""
    labels = _checks.as_array(name, values)
    if labels.dtype.kind == "U" and not isinstance(values, np.ndarray):
        labels = np.asarray(values, object)  # as they came: NumPy has made the string "1" of the number 1
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim != 1:
        raise ValueError(f"{name} must be a vector of labels, got shape {labels.shape}")
    if labels.dtype.kind == "O":
        kinds = sorted({type(label).__name__ for label in labels if not isinstance(label, str)})
        if kinds:
            raise TypeError(f"{name} must hold integers or strings, got {', '.join(kinds)}")
        return labels.astype(str)
    if labels.dtype.kind in "iuf":
        return _integers(name, labels)
    if labels.dtype.kind not in "bU":
        raise TypeError(f"{name} must hold integers or strings, got dtype {labels.dtype}")
    return labels


def _integers(name, labels):
    """Return the numbers as int64, one type for all, so that batches can be joined."""
    _checks.finite(name, labels)
    for fraction in labels[labels != np.floor(labels)]:
        raise ValueError(f"{name} must hold class labels, got the fraction {fraction}")
    if labels.dtype.kind != "i":
        for too_large in labels[np.abs(labels.astype(np.float64)) >= 2.0**63]:
            raise ValueError(f"{name} must hold integers of at most 64 bits, got {too_large}")
    return labels.astype(np.int64)
