"""A learner with a closed form: what it knows are sums, so there is nothing that it could forget.

learn     sums ← sums + sums(φ(x), y)      unlearn    sums ← sums − sums(φ(x), y)
merge     sums ← sums + another's sums     predict    Wᵀ(φ(x) − φ̄) + c, W solved from the sums
"""

import copy

import numpy as np

from .. import _checks
from ..learning.samples import Classes, Values
from .features import Features
from .solvers import SOLVERS, temperature
from .statistics import Statistics, blocks

#: the widest φ(x): A then is a matrix of 3.2 GB
WIDEST = 20_000


class AnalyticLearner:
    """Learns linear models of fixed features in closed form: the same for every order of the data.

    Parameters
    ----------
    features : Features
        φ, not yet fixed: it will be with the first rows.
    solver : {"ridge", "lda", "nearest_mean"}
        How sums become a model.
    strength : float or "auto"
        λ ≥ 0 of ridge, or the shrinkage of lda, in [0, 1].
    standardize : bool
        Whether features are divided by their standard deviation.
    forgetting : float
        γ in (0, 1]: with every row, the weight of all rows before it is multiplied by γ.
    seed : int
        Of the features.
    regression : bool
        Whether targets are values; otherwise they are labels.

    Examples
    --------
    >>> from incrlearn.analytic import Identity
    >>> learner = AnalyticLearner(Identity())
    >>> learner.learn(np.array([[1.0, 9.0], [2.0, 9.0], [8.0, 1.0]]), np.array(["cat", "cat", "dog"]))
    >>> learner.learn(np.array([[-8.0, -7.0]]), np.array(["fish"]))
    >>> learner.predict(np.array([[1.5, 9.2], [-8.5, -7.5]]))
    array(['cat', 'fish'], dtype='<U4')
    """

    def __init__(
        self,
        features,
        solver="ridge",
        strength="auto",
        standardize=True,
        forgetting=1.0,
        seed=0,
        regression=False,
    ):
        if not isinstance(features, Features):
            raise TypeError(f"features must be Features, got {features!r}")
        self.features = features
        self.seed = seed
        self.tune(solver, strength, standardize, forgetting)
        self.targets = Values() if regression else Classes()
        self.rows = np.zeros(0, np.int64)  # how many of each class; of all, where targets are values
        self.statistics = None
        self.faded = False  # whether old rows may weigh less than they did
        self.n_tasks = 0

    def tune(self, solver, strength, standardize, forgetting):
        """Set what may change between two calls: nothing of it is in the sums but γ, from now on."""
        _checks.choice("solver", solver, SOLVERS)
        if not isinstance(strength, str) or strength != "auto":
            wanted, high = ("a number ≥ 0", np.inf) if solver != "lda" else ("a number in [0, 1]", 1)
            strength = _checks.number("strength", strength, f"'auto' or {wanted}", 0, high)
        forgetting = _checks.number("forgetting", forgetting, "a number in (0, 1]", 0, 1, open_low=True)
        standardize = _checks.flag("standardize", standardize)
        self.solver, self.strength, self.standardize = solver, strength, standardize
        self.forgetting = forgetting
        self._solution = self._temperature = None

    @property
    def settings(self):
        """What `tune` has set."""
        return self.solver, self.strength, self.standardize, self.forgetting

    @property
    def classes(self):
        """The labels in the order of their outputs, or None."""
        return self.targets.labels

    # ---- learning --------------------------------------------------------------------------------

    def learn(self, x, y, task=None, classes=None, weight=None):
        """Learn from more rows. If they are refused, everything is as it was.

        Parameters
        ----------
        x : ndarray or CSR array of shape (n, d)
        y : ndarray of shape (n,), labels, or (n, m), values
        task : hashable, optional
            The task's id, where it is known.
        classes : array_like, optional
            Labels to be known from now on.
        weight : ndarray of shape (n,), optional
            Every row's weight > 0.

        Raises
        ------
        TypeError, ValueError
            If labels are of another kind than those before.
        FloatingPointError
            If squares of features do not add up to a finite number.
        """
        features = self.features if self.statistics is not None else self._fixed(x)
        targets = copy.copy(self.targets)
        targets.announce(classes)
        task = None if task is None else _checks.hashable("task", task)
        y, _ = targets.learn(self._checked(y), task)
        rows, m = self._count(y, targets)
        age = self.forgetting ** np.arange(len(y) - 1.0, -1.0, -1.0) if self.forgetting < 1 else None
        if age is not None:
            weight = age if weight is None else weight * age
        sums = self._sums(features, x, y, weight, m)
        if self.statistics is not None:
            known, before = self.statistics, len(self.statistics.target_mean)
            known = known if before == m else known.with_targets(np.arange(before), m)
            sums = known.faded(self.forgetting ** len(y)) + sums
        self.features, self.targets, self.statistics = features, targets, sums
        self.rows = rows + _padded(self.rows, len(rows))
        self.faded = self.faded or self.forgetting < 1
        self.n_tasks += 1
        self._solution = self._temperature = None

    def unlearn(self, x, y, weight=None):
        """Take rows away that were learned: what is left is as if they had never come.

        A class of which no row is left is not known any more; of no rows at all, `statistics` is None.

        Parameters
        ----------
        x, y, weight :
            As they were given to `learn`.

        Raises
        ------
        ValueError
            If more rows of a class are given than were learned, rows are not among those that were, or old
            rows have faded: then everything is as it was.
        """
        if self.faded or self.forgetting < 1:
            raise ValueError("forgetting must be 1 to unlearn: how far these rows have faded is not known")
        y = self._checked(y)
        if self.classes is not None:
            y = self.targets.outputs(y)
            if (y < 0).any():
                raise ValueError(f"y holds a label that was never learned, at index {int(np.argmax(y < 0))}")
        rows, m = self._count(y, self.targets)
        if (rows > self.rows).any():
            k = int(np.argmax(rows > self.rows))
            what = "rows" if self.classes is None else f"rows of class {self.classes[k]!r}"
            raise ValueError(f"y holds {rows[k]} {what}, but only {self.rows[k]} were learned")
        left = self.statistics - self._sums(self.features, x, y, weight, m)
        if not self._could_be_left(left, self.rows - rows):
            raise ValueError("X, y and sample_weight are not of rows that were learned")
        self._keep(left, self.rows - rows, self.rows > 0)

    def _could_be_left(self, left, rows):
        """Say whether sums are of so many rows of each class, as far as sums can tell."""
        known, rounding = self.statistics, np.finfo(float).eps
        variance = left.scatter.diagonal()
        noise = 1e-9 * known.scatter.diagonal() + 256 * rounding * left.peak
        shares = (known.target_mean, left.target_mean) if self.classes is not None else (np.ones(1),) * 2
        before, after = known.n * shares[0], left.n * shares[1]
        nothing = np.abs(after) <= 1e-9 * before + 64 * rounding * known.n
        return bool((variance >= -noise).all() and np.where(rows > 0, after > 0, nothing).all())

    def _keep(self, statistics, rows, seen):
        """Keep the sums, without the classes that were seen and of which there is no row any more."""
        self._solution = self._temperature = None
        if not rows.any():
            self.targets, self.rows, self.statistics = type(self.targets)(), rows[:0], None
            return
        kept = (rows > 0) | ~seen
        if self.classes is not None and not kept.all():
            targets, number = Classes(self.classes[kept]), np.cumsum(kept) - 1
            for task, outputs in self.targets.tasks.items():
                if kept[outputs].any():
                    targets.tasks[task] = number[outputs[kept[outputs]]]
            targets.untold = number[self.targets.untold[kept[self.targets.untold]]]
            self.targets, rows, statistics = targets, rows[kept], statistics.only_targets(kept)
        self.rows, self.statistics = rows, statistics

    def merge(self, other):
        """Add what another learner has learned: as if its rows had come here.

        Parameters
        ----------
        other : AnalyticLearner
            It stays as it is.

        Raises
        ------
        TypeError, ValueError
            If it looks at rows through other features, has other targets, or one of them forgets.
        """
        self._check_mergeable(other)
        targets = copy.copy(self.targets)
        if self.classes is None:
            place = np.arange(len(other.statistics.target_mean))
            if other.classes is not None or len(place) != len(self.statistics.target_mean):
                raise ValueError("other must have learned as many values for a row as this")
            m, rows = len(place), self.rows + other.rows
            targets.tasks = {**targets.tasks, **other.targets.tasks}
        else:
            targets.announce(other.classes[~np.isin(other.classes, self.classes)])
            place, m = targets.outputs(other.classes), len(targets)
            rows = _padded(self.rows, m)
            rows[place] += other.rows
            for task, outputs in other.targets.tasks.items():
                before = targets.tasks.get(task, outputs[:0])
                targets.tasks = {**targets.tasks, task: np.union1d(before, place[outputs])}
            targets.untold = np.union1d(targets.untold, place[other.targets.untold])
        here = self.statistics.with_targets(np.arange(len(self.rows) if self.classes is not None else m), m)
        self.statistics = here + other.statistics.with_targets(place, m)
        self.targets, self.rows = targets, rows
        self._solution = self._temperature = None
        self.n_tasks += other.n_tasks

    def _check_mergeable(self, other):
        """Raise a ValueError unless the sums are of the same features and do not fade."""
        if self.faded or other.faded or min(self.forgetting, other.forgetting) < 1:
            raise ValueError("forgetting must be 1 to merge: which rows are older is not known")
        if not (self.features.same if self.features.inputs else self.features.like)(other.features):
            here = f"{self.features!r}" + f" for {self.features.inputs} columns" * (self.features.inputs > 0)
            raise ValueError(
                f"other's features are not the same: {other.features!r} for {other.features.inputs} columns, "
                f"here {here}, each with what was drawn or seen first"
            )

    def become(self, other):
        """Take over all that another learner with such features has learned, as `merge`."""
        self._check_mergeable(other)
        self.features, self.targets = other.features, copy.copy(other.targets)
        self.rows, self.statistics, self.n_tasks = other.rows, other.statistics, other.n_tasks
        self._solution = self._temperature = None

    def _fixed(self, x):
        """Return the features, ready for such rows: those of another model, which are ready, as they are."""
        features = self.features
        if not features.inputs:
            features = features.fixed(x, self.seed)
        elif features.inputs != x.shape[1]:
            raise ValueError(f"X has {x.shape[1]} features, but features is made for {features.inputs}")
        if features.outputs > WIDEST:
            raise ValueError(
                f"features would be {features.outputs:,} columns, {WIDEST:,} at most: their products are a "
                f"matrix of {8e-9 * features.outputs**2:,.0f} GB. IncrementalClassifier has no such matrix"
            )
        return features

    def _checked(self, y):
        """Return y as labels of the kind that is known, or as so many values a row."""
        columns = y.shape[1:] if self.statistics is None else self.statistics.target_mean.shape
        return self.targets.check(y, *columns or (1,))

    def _count(self, y, targets):
        """Return how many rows of each class y has, or of all where targets are values; and their number."""
        if targets.labels is None:
            return np.array([len(y)]), y.shape[1]
        return np.bincount(y, minlength=len(targets)), len(targets)

    def _sums(self, features, x, y, weight, m):
        """Return the statistics of rows, looked at block by block; of targets, all m."""
        present, place = (None, None) if y.ndim == 2 else np.unique(y, return_inverse=True)
        columns = np.arange(m) if present is None else present

        def parts():
            for rows in blocks(len(y), 8 * features.outputs):
                t = y[rows] if present is None else place[rows, None] == np.arange(len(present))
                seen = x[rows].toarray() if _checks.is_sparse(x) else x[rows]
                yield features(seen), t, None if weight is None else weight[rows]

        about = None if self.statistics is None else self.statistics.origin
        sums = Statistics.gather(parts(), features.outputs, len(columns), about)
        return sums if present is None else sums.with_targets(columns, m)

    # ---- what was learned ------------------------------------------------------------------------

    @property
    def solution(self):
        """The linear model, solved from the sums when it is first asked for."""
        if self._solution is None:
            solve = SOLVERS[self.solver]
            self._solution = solve(self.statistics, self.strength, self.standardize)
        return self._solution

    @property
    def temperature(self):
        """T of the probabilities softmax(ŷ/T)."""
        if self._temperature is None:
            settings = self.solver, self.statistics, self.solution, self.standardize
            self._temperature = temperature(*settings)
        return self._temperature

    def logits(self, x):
        """Return ŷ for every row, −∞ for a class that was announced and never seen, shape (n, m)."""
        solution, found = self.solution, []
        for rows in blocks(x.shape[0], 8 * self.features.outputs):
            seen = x[rows].toarray() if _checks.is_sparse(x) else x[rows]
            found.append(solution(self.features(seen)))
        z = np.concatenate(found)
        if self.classes is not None:
            z[:, self.rows == 0] = -np.inf
        return z

    def predict(self, x, task=None):
        """Return the label, or the values, for every row.

        Raises
        ------
        ValueError
            If there is no such task.
        """
        self._check_task(task)
        return self.targets.decode(self.logits(x), task)

    def predict_proba(self, x, task=None):
        """Return the probability of every class, in the order of outputs; 0 where it does not compete."""
        self._check_task(task)
        columns = self.targets.columns(task)
        z = self.logits(x)[:, columns] / self.temperature
        p = np.exp(z - z.max(axis=1, keepdims=True))
        shares = np.zeros((len(z), len(self.classes)))
        shares[:, columns] = p / p.sum(axis=1, keepdims=True)
        return shares

    def score(self, x, y, task=None):
        """Return the share of rows whose label is the predicted one."""
        return float(np.mean(self.predict(x, task) == y))

    def held_bytes(self):
        """Return the bytes of what is kept beside the solution: no samples."""
        held = [] if self.statistics is None else vars(self.statistics).values()
        arrays = [part for part in held if isinstance(part, np.ndarray)]
        return {"samples": 0, "other": sum(part.nbytes for part in arrays)}

    def _check_task(self, task):
        if task is not None and task not in self.targets.tasks:
            raise ValueError(f"task {task!r} is unknown: {len(self.targets.tasks)} were learned")


def _padded(rows, m):
    return np.concatenate([rows, np.zeros(m - len(rows), rows.dtype)])
