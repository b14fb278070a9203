"""A gate and its experts: a closed form for every task, and one that tells which task a row is from."""

import copy

import numpy as np

from ..learning.samples import Classes


class ExpertGate:
    """One expert for every task, and a gate that hands each row to one of them.

        t* = argmax_t ln p(t|x)          ŷ(x) = ŷ_t*(x)

    For tasks whose rows look different but have the same classes: seen through other sensors, or with the
    pixels in another order. One linear model of all of them has to make a compromise; experts need none.
    Every call of `learn` is a task, but for an id that has come before. There are sums for every task, so
    memory grows with the tasks, and time to predict does not.

    Parameters
    ----------
    expert, gate : AnalyticLearner
        Which have learned nothing yet. Every task gets a copy of the expert; the gate's classes are tasks.

    References
    ----------
    Aljundi, Chakravarty and Tuytelaars, "Expert Gate: lifelong learning with a network of experts", CVPR
    2017, section 3. Their gate is an autoencoder for every task; ours is a closed form too.

    Examples
    --------
    What means cat in the first task means dog in the second, whose rows lie elsewhere:

    >>> from incrlearn.analytic import AnalyticLearner, Identity
    >>> expert, gate = AnalyticLearner(Identity(), "lda"), AnalyticLearner(Identity(), "lda")
    >>> learner = ExpertGate(expert, gate)
    >>> learner.learn(np.array([[1.0, 0.1], [2.0, 0.0], [2.1, 0.2]]), np.array(["cat", "dog", "dog"]))
    >>> learner.learn(np.array([[1.0, 9.1], [2.0, 9.0], [1.9, 9.2]]), np.array(["dog", "cat", "cat"]))
    >>> learner.predict(np.array([[1.0, 0.0], [1.0, 9.0]]))
    array(['cat', 'dog'], dtype='<U3')
    """

    def __init__(self, expert, gate):
        self._new, self.gate = expert, gate
        self.experts, self.numbers = [], {}  # of the tasks, and the number of those that have an id
        self.targets = Classes()

    @property
    def seed(self):
        """Of the features."""
        return self._new.seed

    @seed.setter
    def seed(self, seed):
        self._new.seed = self.gate.seed = seed

    @property
    def classes(self):
        """The labels in the order in which they came."""
        return self.targets.labels

    @property
    def solution(self):
        """The linear models of the gate and of every expert, solved where they have learned something new."""
        return [learner.solution for learner in (self.gate, *self.experts)]

    def learn(self, x, y, task=None):
        """Learn a task. If it is refused, everything is as it was.

        Parameters
        ----------
        x : ndarray or CSR array of shape (n, d)
        y : ndarray of shape (n,), labels
        task : hashable, optional
            The task's id: more rows of a task are told by it.

        Raises
        ------
        TypeError, ValueError, FloatingPointError
            As `AnalyticLearner.learn`.
        """
        number = len(self.experts) if task is None else self.numbers.get(task, len(self.experts))
        known = number < len(self.experts)
        gate, expert = copy.copy(self.gate), copy.copy(self.experts[number] if known else self._new)
        targets = copy.copy(self.targets)
        targets.learn(y, task)
        expert.learn(x, y)
        gate.learn(x, np.full(len(y), number))
        self.gate, self.targets = gate, targets
        self.experts = [*self.experts[:number], expert, *self.experts[number + 1 :]]
        if task is not None:
            self.numbers = {**self.numbers, task: number}
        self._new = copy.copy(self._new)
        self._new.features = expert.features  # drawn once: all experts look through the same

    def predict(self, x, task=None):
        """Return the label for every row: by the task's expert, or by the one that the gate chooses.

        Raises
        ------
        ValueError
            If there is no such task.
        """
        if task is not None:
            if task not in self.numbers:
                raise ValueError(f"task {task!r} is unknown: {len(self.numbers)} were learned with an id")
            return self.experts[self.numbers[task]].predict(x)
        whose, labels = self.gate.predict(x), np.empty(x.shape[0], self.classes.dtype)
        for number in np.unique(whose):
            labels[whose == number] = self.experts[number].predict(x[whose == number])
        return labels

    def score(self, x, y, task=None):
        """Return the share of rows whose label is the predicted one."""
        return float(np.mean(self.predict(x, task) == y))

    def held_bytes(self):
        """Return the bytes of what is kept beside the solutions: no samples."""
        return {"samples": 0, "other": sum(part.held_bytes()["other"] for part in (self.gate, *self.experts))}
