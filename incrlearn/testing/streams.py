"""Hypothesis strategies for streams of tasks: class-incremental, domain-incremental, task-incremental.

They shrink to tasks of one row of zeros, with classes 0, 1, 2 in the order in which they come.

They are public in `incrlearn.testing.strategies`.
"""

from functools import partial
from typing import Any, NamedTuple

import hypothesis.strategies as st
import numpy as np

from .. import _checks
from .arrays import arrays_for, bounds, size, targets

KINDS = ("class", "domain", "task")


class Task(NamedTuple):
    """A task of a stream, in the order of a learner's arguments: `learner.learn(*task)`.

    x : ndarray (n, d), features; y : ndarray (n,) of labels or (n, m) of values; id : int or None, what the
    learner is told.
    """

    x: np.ndarray
    y: np.ndarray
    id: Any = None


def tasks(kind=None, count=None, n=None, d=None, *, values=None, dtype="float64", largest=1e4, smallest=0.0):
    """Draw streams of tasks, [Task(x, y, id), …]; they shrink to tasks of one row of zeros.

        class     every task has a class that is new, and maybe old ones; it is not told
        domain    every task has the same classes; it is not told
        task      every task is told by its id, which has classes of its own; ids may come again

    Labels are whole numbers or strings, and do not come in their order. A class may be of one row, and come
    with the last one; a task may be of one class.

    Parameters
    ----------
    kind : {"class", "domain", "task"}, optional
        Any of them when None; where targets are values "domain" or "task".
    count : int or strategy, optional
        How many tasks, 1 to 3 when None.
    n, d : int, strategy or None
        Rows of a task, and features of the stream. None is 1 to 5.
    values : int or strategy, optional
        How many real numbers a target is, in place of a label.
    dtype, largest, smallest :
        Of x, and of y where targets are values, as for `arrays_for`.

    Returns
    -------
    SearchStrategy of list of Task

    Raises
    ------
    TypeError, ValueError
        If an argument is not what is asked for.

    Examples
    --------
    >>> from hypothesis import find
    >>> for task in find(tasks("class", count=2, n=1, d=1), lambda stream: True):
    ...     print(task)
    Task(x=array([[0.]]), y=array([0]), id=None)
    Task(x=array([[0.]]), y=array([1]), id=None)
    """
    if kind is not None:
        _checks.choice("kind", kind, dict.fromkeys(KINDS))
    if values is not None and kind == "class":
        raise ValueError("kind must be 'domain' or 'task' where targets are values, got 'class'")
    bounds(dtype, largest, smallest)  # refuses what is wrong now, not when something is drawn
    array = partial(arrays_for, dtype=dtype, largest=largest, smallest=smallest)
    kinds = st.sampled_from(KINDS if values is None else KINDS[1:]) if kind is None else st.just(kind)
    count = st.integers(1, 3) if count is None else size("count", count, low=1)
    values = None if values is None else size("values", values, low=1)
    return _tasks(kinds, count, size("n", n, low=1), size("d", d), values, array)


@st.composite
def _tasks(draw, kinds, count, n, d, values, array):
    kind, count, d = draw(kinds), draw(count), draw(d)
    ids = draw(_ids(count)) if kind == "task" else [None] * count
    x = [draw(array((n, d))) for _ in range(count)]
    if values is not None:
        m = draw(values)
        y = [draw(array((len(rows), m))) for rows in x]
    else:
        numbers = draw(NUMBERED[kind]([len(rows) for rows in x], ids))
        names = draw(_names(1 + max(number.max() for number in numbers)))
        y = [names[number] for number in numbers]
    return [Task(*task) for task in zip(x, y, ids, strict=True)]


@st.composite
def _ids(draw, count):
    """Draw the ids of tasks: every task a new one, or one that was there."""
    ids = [0]
    while len(ids) < count:
        ids.append(draw(st.sampled_from([max(ids) + 1, *sorted(set(ids))])))
    return ids


@st.composite
def _names(draw, k):
    """Draw the labels of k classes: their numbers, others in no order, or strings."""
    how = draw(st.sampled_from(["numbers", "no order", "strings"]))
    if how == "numbers":
        return np.arange(k)
    names = np.array(draw(st.permutations(range(k))))
    return 7 * names - 3 if how == "no order" else np.array([f"class {name}" for name in names])


@st.composite
def _numbers_of_new_classes(draw, rows, ids):
    """Draw targets of tasks, each with a class that is new, and maybe another, and maybe old ones."""
    numbers, known = [], 0
    for n in rows:
        first, new = draw(st.sampled_from([known, 0])), draw(st.integers(1, 2))
        y = first + draw(targets(n, known + new - first))
        y[-1] = known
        numbers.append(y)
        known = max(known, int(y.max()) + 1)
    return numbers


@st.composite
def _numbers_of_the_same_classes(draw, rows, ids):
    k = draw(st.integers(1, 3))
    return [draw(targets(n, k)) for n in rows]


@st.composite
def _numbers_by_id(draw, rows, ids):
    """Draw targets of tasks, each among the classes of its id, which other ids may have, too."""
    classes, known = {}, 0
    for each in ids:
        first, k = draw(st.sampled_from([known, 0])), draw(st.integers(1, 3))
        first, k = classes.setdefault(each, (first, k))
        known = max(known, first + k)
    return [classes[each][0] + draw(targets(n, classes[each][1])) for n, each in zip(rows, ids, strict=True)]


NUMBERED = {
    "class": _numbers_of_new_classes,
    "domain": _numbers_of_the_same_classes,
    "task": _numbers_by_id,
}
