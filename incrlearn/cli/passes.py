"""Passes over a table: what of a file is learned, predicted and measured, chunk by chunk.

A file may be larger than memory. So closed forms learn from it, and every model is measured on it and used
for it, in chunks of rows (`tables.read_chunks`); nothing that grows with the rows is kept. Networks, which
go through their rows many times, learn from the whole.
"""

import csv
import io
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..analytic import AnalyticClassifier, AnalyticRegressor
from ..estimators import IncrementalRegressor
from ..tables import BadValue, chunk_rows, label_kind, read_chunks, read_table


@dataclass(frozen=True)
class Data:
    """A table on disk, and what is to be read of it.

    Parameters
    ----------
    path, target : str
    ignore : list of str
        Columns that are no features.
    kind : {"n", "i", "U", "b"}, optional
        What the targets are: numbers, or one of the kinds of `Table.labels`. None: labels, as they come.
    names : list of str, optional
        The features that a model knows; if it knows none by name, they are taken by position.
    width : int, optional
        How many features it knows. None where there is no model yet, and all columns are features.
    model : str, optional
        The model's file.
    advice : str
        What to add where a feature is refused.
    """

    path: str
    target: str
    ignore: list
    kind: str | None = None
    names: list | None = None
    width: int | None = None
    model: str | None = None
    advice: str = ""

    def chunks(self, with_target=True, rows=None):
        """Yield the table in chunks of rows: see `tables.read_chunks`."""
        target = self.target if with_target else None
        yield from self._fitting(read_chunks(self.path, target, self.ignore, self.names, rows))

    def whole(self):
        """Return the whole table."""
        tables = (read_table(self.path, self.target, self.ignore, self.names) for _ in range(1))
        return next(self._fitting(tables))

    def targets(self, table):
        """Return a table's targets: numbers or labels, or a ValueError that names a bad one."""
        if self.kind == "n":
            return table.numbers()
        if self.kind is not None:
            return table.labels(self.kind)
        return _minding_numbers(table.labels, [table])

    def with_kind(self, bar):
        """Return the same with the kind of its labels, and how many there are: all are looked at."""
        rows = 0

        def seen(n):
            nonlocal rows
            rows = n
            bar(completed=n)

        kind = _minding_numbers(lambda: label_kind(self.path, self.target, seen), self.chunks())
        return replace(self, kind=kind), rows

    def _fitting(self, tables):
        """Pass tables on as an estimator takes them, if they fit the model."""
        try:
            for table in tables:
                found = table.shape[1]
                if self.width is not None and found != self.width:
                    raise ValueError(
                        f"{self.path} has {found:,} {'column' if found == 1 else 'columns'} of features, "
                        f"but {self.model} has learned from {self.width:,}"
                    )
                by_position = self.width is not None and self.names is None
                yield replace(table, columns=None) if by_position else table
        except BadValue as error:
            raise BadValue(f"{error}{self.advice}") from None


def _minding_numbers(read_labels, tables):
    """Return labels, or add to what is wrong with them that they are good numbers, where they are."""
    try:
        return read_labels()
    except ValueError as error:
        try:
            for table in tables:
                table.numbers()
        except ValueError:
            raise error from None
        raise ValueError(f"{error}; to predict numbers, use --regression") from None


def features_of(table):
    """Return what an estimator is given: a frame where the columns have names, otherwise an array."""
    return table if table.columns else table.values


def is_analytic(model):
    """Say whether a model is a closed form, which learns from chunks what it would from the whole."""
    return isinstance(model, AnalyticClassifier | AnalyticRegressor)


def is_regressor(model):
    """Say whether a model predicts numbers."""
    return isinstance(model, IncrementalRegressor | AnalyticRegressor)


def learn(model, data, task, bar, total=None):
    """Let the model learn a table, and return how many rows it had and the score on them.

    A closed form reads the table twice, in chunks: to learn, and to see what it has learned.

    Parameters
    ----------
    model : estimator
    data : Data
    task : str or None
    bar : callable
        Takes `description`, `completed` and `total`: see `screen.progress`.
    total : int, optional
        How many rows there are, if that is known.
    """
    name = Path(data.path).name
    if not is_analytic(model):
        table = data.whole()
        y = data.targets(table)
        bar(description=f"learning {name}")
        for done, total in model.partial_fit_steps(features_of(table), y, task=task):
            bar(completed=done, total=total)
        return len(table), float(model.score(features_of(table), y, task=task))
    bar(description=f"learning {name}", completed=0, total=total)
    rows = 0
    for table in data.chunks():
        model.partial_fit(features_of(table), data.targets(table), task=task)
        rows += len(table)
        bar(completed=rows)
    bar(description=f"measuring {name}", completed=0, total=rows)
    return rows, measure(model, data, task, bar).score


def measure(model, data, task, bar):
    """Return what a model is right and wrong about in a table, as `Accuracy` or as `Errors`."""
    found = Errors() if is_regressor(model) else Accuracy()
    for table in data.chunks(rows=_rows_for(model)):
        found.add(data.targets(table), model.predict(features_of(table), task=task))
        bar(completed=found.rows)
    return found


def predictions(model, data, task, proba):
    """Yield the lines of a CSV file with a model's predictions: how many rows they are for, and the text."""
    labels = [f"p({label})" for label in model.classes_.tolist()] if proba else []
    yield 0, _csv([[data.target, *labels]])
    for table in data.chunks(with_target=False, rows=_rows_for(model)):
        x = features_of(table)
        lines = [[value] for value in model.predict(x, task=task).tolist()]
        if proba:
            for line, shares in zip(lines, model.predict_proba(x, task=task), strict=True):
                line += [f"{share:.6g}" for share in shares.tolist()]
        yield len(table), _csv(lines)


def _csv(lines):
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(lines)
    return text.getvalue()


def _rows_for(model):
    """Return how many rows to look at together: what comes out of them takes memory, too."""
    return chunk_rows(model.n_features_in_ + (1 if is_regressor(model) else len(model.classes_)))


class Accuracy:
    """How often predicted labels were right, counted for every class.

    Examples
    --------
    >>> found = Accuracy()
    >>> found.add(np.array(["cat", "dog", "cat"]), np.array(["cat", "cat", "dog"]))
    >>> found.score, found.by_class()
    (0.3333333333333333, [('cat', 2, 1), ('dog', 1, 0)])
    """

    def __init__(self):
        self._rows, self._right = Counter(), Counter()

    def add(self, y, predicted):
        """Count labels and what was predicted, both of shape (n,)."""
        labels, place = np.unique(y, return_inverse=True)
        for counter, of_these in ((self._rows, place), (self._right, place[predicted == y])):
            times = np.bincount(of_these, minlength=len(labels)).tolist()
            counter.update(dict(zip(labels.tolist(), times, strict=True)))

    @property
    def rows(self):
        """How many there were."""
        return self._rows.total()

    @property
    def score(self):
        """The share of labels that were right."""
        return self._right.total() / self.rows

    def by_class(self):
        """Return label, rows and right ones of every class, in the order of labels."""
        return [(label, self._rows[label], self._right[label]) for label in sorted(self._rows)]


class Errors:
    """How far predicted numbers were from the true ones.

        R² = 1 − Σ (y − ŷ)² / Σ (y − ȳ)²

    Squares are added up about the mean of what has come, and moved along with it (`analytic.statistics` has
    the formula): Σ y² − n ȳ² would lose all digits where ȳ is large beside y's deviation.

    Examples
    --------
    >>> found = Errors()
    >>> for y in (np.array([1.0, 2.0]), np.array([3.0, 6.0])):
    ...     found.add(y, y + 0.5)
    >>> found.rows, found.mean_absolute, round(found.score, 6)
    (4, 0.5, 0.928571)
    """

    def __init__(self):
        self.rows = 0
        self._mean = self._variation = self._squares = self._absolute = 0.0
        self._low, self._high = np.inf, -np.inf

    def add(self, y, predicted):
        """Take in numbers and what was predicted, both of shape (n,)."""
        error, n = np.asarray(predicted, np.float64) - y, len(y)
        moved = y.mean() - self._mean
        self._variation += np.square(y - y.mean()).sum() + moved**2 * n * self.rows / (self.rows + n)
        self.rows += n
        self._mean += moved * n / self.rows
        self._low, self._high = min(self._low, y.min()), max(self._high, y.max())
        self._squares += np.square(error).sum()
        self._absolute += np.abs(error).sum()

    @property
    def score(self):
        """R²; of numbers that are all the same, 1 if they were met exactly, otherwise 0."""
        if self._low == self._high:  # the sum may have been rounded to something
            return float(self._squares == 0)
        return float(1 - self._squares / self._variation)

    @property
    def mean_absolute(self):
        """The mean of |y − ŷ|."""
        return float(self._absolute / self.rows)
