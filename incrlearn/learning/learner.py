"""Learner: the one training loop.

    x, y ─► a = network.forward(x) ─► each batch term: value, {k: ∂L/∂a[k]} ─► network.backward ─► gradient
    θ ──────────────────────────────► each parameter term: value, ∂L/∂θ ─────► added to gradient
    gradient ─► each projection ─► optimizer.step(θ, gradient) ─► each proximal term: its own step

There and no back: no callbacks into the loop, no term that reaches into another.
"""

import copy
import math
from contextlib import contextmanager
from functools import partial

import numpy as np

from .. import _checks
from .._allocation import keep_freed_memory
from ..formulas import softmax
from ..network import Adam, Network
from .distillation import Distillation
from .methods import Method, ingredients_of
from .methods import method as method_by_name
from .samples import Samples, Values
from .terms import BatchTerm, ParameterTerm, Projection, ProximalTerm, Term, as_loss

PREDICTION_ROWS = 1024


class Learner:
    """A network that learns task after task.

        L(θ) = w L₀ + Σ terms          w = the product of what the terms leave to L₀

    Parameters
    ----------
    network : Network
        Learns in place. Its head grows by a unit with every class that it has no output for.
    method : str, list of Term, or Method
        How it keeps what it knows: a name such as "logits" or "replay+logits", a list of terms to add to
        L₀, or a recipe with a memory. "none" and the empty list are plain fine-tuning. The learner works
        on a copy, `learner.terms` and `learner.memory`: one recipe may serve many learners.
    rng : numpy.random.Generator
        Where every random draw comes from: batches, new units, the memory's choice.
    loss : {"cross_entropy", "binary_cross_entropy", "squared_error"} or Loss
        L₀. With "squared_error" targets are values, otherwise labels.
    optimizer : optimizer, optional
        An object with `step(theta, gradient)` and `learning_rate`; `Adam()` when None. The learner's copy
        of it lives on from task to task.
    batch_size : int
        Rows of a batch, ≥ 1.
    epochs : int
        How often a task's samples are gone through, ≥ 1.
    steps : int, optional
        How many steps a task takes, instead of `epochs`.
    classes : array_like, optional
        Labels known in advance, in the order of the network's outputs.

    Attributes
    ----------
    network, optimizer, terms, memory
    classes : ndarray or None
        The labels known so far, in the order of their outputs.
    n_tasks : int
        How many tasks have been learned.
    objective_values : list of float
        L at every step of the last task.

    Raises
    ------
    TypeError, ValueError
        If an argument is not what is asked for.

    Examples
    --------
    Two classes first, then a third, of points around three corners:

    >>> rng = np.random.default_rng(0)
    >>> corners = np.array([[0.0, 0.0], [0.0, 9.0], [9.0, 0.0]])
    >>> y = np.repeat([0, 1, 2], 50)
    >>> x = corners[y] + rng.normal(size=(150, 2))
    >>> learner = Learner(Network.mlp(2, 16, 0, rng=rng), "replay", optimizer=Adam(0.01), rng=rng)
    >>> learner.learn(x[y < 2], y[y < 2]).learn(x[y == 2], y[y == 2])
    Learner(Network([Linear(2, 16), ReLU(), Linear(16, 3)]), 99 parameters, float32), 2 tasks learned
    >>> learner.predict(corners)
    array([0, 1, 2])
    """

    def __init__(
        self,
        network,
        method="none",
        *,
        rng,
        loss="cross_entropy",
        optimizer=None,
        batch_size=32,
        epochs=10,
        steps=None,
        classes=None,
    ):
        if not isinstance(network, Network):
            raise TypeError(f"network must be a Network, got {network!r} ({type(network).__name__})")
        recipe = copy.deepcopy(as_method(method))  # terms remember: they must not serve two learners
        self.network = network
        self.terms, self.memory = recipe.terms, recipe.memory
        self.isolation, self.decision, self.restart = recipe.isolation, recipe.decision, recipe.restart
        self.rng = _checks.generator("rng", rng)
        self.loss = copy.deepcopy(as_loss(loss))
        for term in self.terms:
            term.prepare(self.loss)
        self.optimizer = Adam() if optimizer is None else copy.deepcopy(optimizer)
        for attribute in ("step", "learning_rate", *(["reset"] if self._restarts else [])):
            if not hasattr(self.optimizer, attribute):
                raise TypeError(f"optimizer must have {attribute}, got {optimizer!r}")
        self.batch_size = _checks.count("batch_size", batch_size)
        self.epochs = _checks.count("epochs", epochs)
        self.steps = None if steps is None else _checks.count("steps", steps)
        self._targets = self.loss.targets(classes)
        for part in recipe.ingredients if issubclass(self.loss.targets, Values) else []:
            if part.of_classes:
                raise ValueError(f"{type(part).__name__} works with classes, but targets are values")
        self._targets.prepare_head(network, self.rng)
        self.n_tasks = 0
        self.objective_values = []

    #: whether somebody is in the middle of `learn_steps`
    _under_way = False

    @property
    def ingredients(self):
        """What its method is made of: terms, memory, isolation, decision."""
        return ingredients_of(self)

    @property
    def _restarts(self):
        """Whether a task begins with an optimizer that remembers nothing."""
        return self.restart or (self.isolation is not None and self.isolation.fresh)

    def __repr__(self):
        return f"Learner({self.network}), {self.n_tasks} tasks learned"

    @property
    def classes(self):
        """The labels known so far, in the order of their outputs; None before the first."""
        return self._targets.labels

    # ---- learning --------------------------------------------------------------------------------

    def learn(self, x, y, task=None, classes=None):
        """Learn a task from its samples. What goes wrong leaves the learner exactly as it was.

        Parameters
        ----------
        x : array_like of shape (n, inputs)
            Features, finite.
        y : array_like of shape (n,), or (n, outputs) for values
            Labels (integers, strings or booleans), known or new, or values.
        task : hashable, optional
            The task's id, where it is known: then only its own classes compete, here and in
            `predict(x, task)`. None: all classes seen so far compete.
        classes : array_like, optional
            Labels to give an output to now, whether y holds them or not.

        Returns
        -------
        Learner
            Itself.

        Raises
        ------
        TypeError, ValueError
            If x or y is not what is asked for.
        FloatingPointError
            If the objective, the gradient or θ becomes NaN or infinite: at which step, and in which term.
        """
        for _ in self.learn_steps(x, y, task, classes):
            pass
        return self

    def learn_steps(self, x, y, task=None, classes=None):
        """Learn a task step by step: for progress bars, and for those who want to look on.

        As `learn`, and as much all or nothing: a loop that is left before its end leaves the learner as it
        was before its beginning.

        Parameters
        ----------
        x, y, task, classes :
            As for `learn`.

        Yields
        ------
        step, steps : int
            How many steps have been taken, and how many there are.

        Raises
        ------
        TypeError, ValueError, FloatingPointError
            As `learn`, when the first step is asked for.
        RuntimeError
            If another `learn_steps` of this learner has begun and not ended.
        """
        x = self._features(x)
        y = self._targets.check(y, self.network.outputs)
        if x.shape[0] != len(y):
            raise ValueError(f"x has {x.shape[0]} rows, but y has {len(y)} targets")
        _checks.hashable("task", task)
        self._refuse_scenario(task)
        with self._all_or_nothing():
            self._follow(self.network.observe(x, self.rng))
            self._targets.announce(classes)
            outputs, number = self._targets.learn(y, task)
            for term in self.terms:
                if isinstance(term, Distillation) and term.active and not term.given:
                    term.teacher = self._targets.follow(term.teacher)
            self._follow(self._targets.prepare_head(self.network, self.rng))
            yield from self._learn_task(Samples(x, outputs, np.full(y.shape[0], number)))
        self.n_tasks += 1

    def _refuse_scenario(self, task):
        """Refuse to be told a task, or not to be told one, where an ingredient can not do with that."""
        told = task is not None
        for part in self.ingredients:
            if ("task" not in part.scenarios) if told else (part.scenarios == ("task",)):
                must = "must not be told the task" if told else "must be told the task, task=…"
                raise ValueError(f"{type(part).__name__} {must}: {part.reason}")

    def _follow(self, move):
        """Let everything that is remembered in θ's layout go where θ has gone."""
        if move is not None:
            move.carry(self.optimizer)
            for part in self.ingredients:
                part.follow(move)

    def _learn_task(self, new):
        number, rng = int(new.task[0]), self.rng
        if self.restart and self.n_tasks:
            self.network.initialize(rng)
        if self.isolation is not None:
            self.isolation.begin_task(self.network, number, rng)
        if self._restarts:
            self.optimizer.reset()
        network, task = self._network_of(number), self._targets.batch(new)
        if self.memory is not None:
            self.memory.begin_task(network, new, rng)
        for term in self.terms:
            term.begin_task(network, task, rng)
        if self.decision is None or self.decision.trains:
            samples = new if self.memory is None else self.memory.training_set(new)
            yield from self._train(new.numbered() if samples is new else samples)
        for term in self.terms:
            term.end_task(network, task, rng)
        if self.memory is not None:
            self.memory.end_task(network, new, self._batches, rng)
        if self.decision is not None:
            self.decision.end_task(network, self.memory, new, self._batches, rng)

    def _network_of(self, number):
        """Return the network that answers for the task of that number."""
        return self.network if self.isolation is None else self.isolation.of_task(self.network, number)

    def _batches(self, n, share=1.0):
        """Yield the row numbers of one batch of n samples after another, as many as a share of a task."""
        steps = None if self.steps is None else max(1, round(share * self.steps))
        return minibatches(n, self.batch_size, self.epochs, steps, self.rng)

    def _train(self, samples):
        """Take all steps of a task; a number that goes bad is reported with its step."""
        keep_freed_memory()
        self.objective_values = []
        n = len(samples)
        steps = self.epochs * math.ceil(n / self.batch_size) if self.steps is None else self.steps
        batches = self._batches(n)
        for step, rows in enumerate(batches, 1):
            try:
                self.objective_values.append(float(self._step(samples[rows])))
            except FloatingPointError as error:
                where = f"at step {step} of task {self.n_tasks + 1}"
                raise FloatingPointError(f"{error} {where}") from None
            yield step, steps

    def _step(self, new):
        """Take one step on a batch of new samples, and a replayed one; return the objective's value."""
        replayed = None if self.memory is None else self.memory.draw(self.batch_size, self.rng)
        theta = self.network.theta
        watching = [term for term in self.terms if term.watches]
        # no warning from somewhere below: what overflows is found in the results
        with np.errstate(over="ignore", invalid="ignore"):
            value, gradient = self._of_batches(new, replayed)
            of_data = gradient.copy() if watching else None
            value = self._add_parameter_terms(value, gradient)
            for term in self._active(Projection):
                references = [self.loss_gradient(wanted) for wanted in term.samples(self.memory, replayed)]
                for vector in (gradient, *references):
                    _finite("the gradient", vector @ vector)
                gradient = term(gradient, references)
            _finite("the gradient", gradient @ gradient)
            before = theta.copy() if watching else None
            self.optimizer.step(theta, gradient)
            for term in self._active(ProximalTerm):
                term.step(theta, self.optimizer.learning_rate)
            for term in watching:
                term.watch(of_data, theta - before)
            _finite("θ", theta @ theta)
        return value

    def objective(self, new, replayed=None):
        """Return the objective and its gradient, on a batch of new samples and a replayed one.

            L = w L₀(new) + Σ batch terms + Σ parameter terms + Σ proximal terms

        The proximal terms are in the value, not in the gradient: their step is their own.

        Parameters
        ----------
        new : Samples
        replayed : Samples, optional

        Returns
        -------
        value : float
        gradient : ndarray of shape (n_parameters,)

        Raises
        ------
        FloatingPointError
            If the logits or the value of a term become NaN or infinite.
        """
        value, gradient = self._of_batches(new, replayed)
        return self._add_parameter_terms(value, gradient), gradient

    def loss_gradient(self, samples):
        """Return the gradient of L₀ alone on some samples, a vector like θ."""
        return self._through_network(samples, [(1.0, self.loss)])[1]

    def _of_batches(self, new, replayed):
        """Return the part of the objective that looks at samples, and its gradient."""
        terms = self._active(BatchTerm)
        new_terms = [(1.0, term) for term in terms if not term.replayed]
        replayed_terms = [(1.0, term) for term in terms if term.replayed]
        weight = math.prod(term.loss_weight for term in self._active(Term))
        loss = [(weight, self.loss)] if weight or not new_terms else []  # another may stand in its place
        value, gradient = self._through_network(new, [*loss, *new_terms])
        if replayed is not None and replayed_terms:
            part, slope = self._through_network(replayed, replayed_terms)
            value += part
            gradient += slope
        return value, gradient

    def _add_parameter_terms(self, value, gradient):
        """Return the value with the part of the objective that looks at θ; add its gradient in place."""
        theta = self.network.theta
        for term in self._active(ParameterTerm):
            part, slope = term(theta)
            value += _finite(term, part)
            gradient += slope
        for term in self._active(ProximalTerm):
            value += _finite(term, term(theta))
        return value

    def _through_network(self, samples, weighted_terms):
        """Return the weighted sum of batch terms, and its gradient with respect to θ."""
        batch, network = self._targets.batch(samples), self._network_of(samples.task[0])
        a = network.forward(batch.x)
        _finite("the logits", a[-1].sum())
        value, entering = 0.0, {}
        for weight, term in weighted_terms:
            part, gradients = term(a, batch)
            value += weight * _finite(term, part)
            for k, gradient in gradients.items():
                weighted = gradient if weight == 1 else weight * gradient
                entering[k] = entering[k] + weighted if k in entering else weighted
        return value, network.backward(a, entering)

    def _active(self, kind):
        return [term for term in self.terms if term.active and isinstance(term, kind)]

    @contextmanager
    def _all_or_nothing(self):
        """Put everything back as it was, if what happens inside fails.

        The network and the optimizer change in place, so they are copied; terms, memory and targets replace
        what they hold, so it is enough to remember what they held.
        """
        if self._under_way:  # what it took back at its end would be this call's, too
            raise RuntimeError("another learn_steps of this learner is under way: go to its end, or close it")
        changing = [self._targets, *self.ingredients]
        before = [(part, dict(vars(part))) for part in changing]
        before.append((self.optimizer, copy.deepcopy(vars(self.optimizer))))
        network = self.network.copy()
        own = self.objective_values, self.rng.bit_generator.state
        self._under_way = True
        try:
            yield
        except BaseException:
            for part, state in before:
                vars(part).clear()
                vars(part).update(state)
            self.network.become(network)
            self.objective_values, self.rng.bit_generator.state = own
            raise
        finally:
            del self._under_way

    # ---- using what was learned ------------------------------------------------------------------

    def logits(self, x, task=None):
        """Return the network's outputs, or what the method's decision says in their place.

        Parameters
        ----------
        x : array_like of shape (n, inputs)
        task : hashable, optional
            The task's id, where the network depends on it.

        Returns
        -------
        ndarray of shape (n, outputs)

        Raises
        ------
        TypeError, ValueError
            If x is not what is asked for, or the task is unknown.
        """
        x = self._features(x)
        network = self.network
        if self.isolation is not None:
            self._columns(task)
            if task is None:
                part = self.isolation
                raise ValueError(f"task must be given: {type(part).__name__} needs it, {part.reason}")
            network = self._network_of(list(self._targets.tasks).index(task))
        decide = network if self.decision is None else partial(self.decision.logits, network)
        blocks = range(0, x.shape[0], PREDICTION_ROWS)
        with np.errstate(over="ignore", invalid="ignore"):
            z = np.concatenate([decide(x[i : i + PREDICTION_ROWS]) for i in blocks])
        finite = np.isfinite(z).all(axis=1)
        if not finite.all():
            row = finite.argmin()
            raise ValueError(f"x is too large for the network in row {row}: its outputs are not finite")
        return z

    def predict(self, x, task=None):
        """Return the most probable label of every row, or its values.

        Parameters
        ----------
        x : array_like of shape (n, inputs)
        task : hashable, optional
            The task's id: only its classes compete. None: all classes seen so far.

        Returns
        -------
        ndarray of shape (n,), or (n, outputs) for several values

        Raises
        ------
        TypeError, ValueError
            If x is not what is asked for, the task is unknown, or nothing has been learned yet.
        """
        self._columns(task)
        return self._targets.decode(self.logits(x, task), task)

    def predict_proba(self, x, task=None):
        """Return the probability of every class: softmax over the outputs that compete.

        Parameters
        ----------
        x : array_like of shape (n, inputs)
        task : hashable, optional

        Returns
        -------
        ndarray of shape (n, n_classes)
            In the order of `classes`; 0 for classes that do not compete.

        Raises
        ------
        TypeError, ValueError
            As `predict`; also if the targets are values.
        """
        columns, z = self._columns(task), self.logits(x, task)
        if self.classes is None:
            raise ValueError("probabilities are of classes, but this learner's targets are values")
        probabilities = np.zeros((len(z), len(self.classes)), z.dtype)
        probabilities[:, columns] = softmax(z[:, columns])
        return probabilities

    def score(self, x, y, task=None):
        """Return the accuracy, or for values the coefficient of determination R².

        Parameters
        ----------
        x : array_like of shape (n, inputs)
        y : array_like of shape (n,) or (n, outputs)
        task : hashable, optional

        Returns
        -------
        float

        Raises
        ------
        TypeError, ValueError
            As `predict`; also if y does not fit x.
        """
        y = self._targets.check(y, self.network.outputs)
        prediction = self.predict(x, task)
        if len(prediction) != len(y):
            raise ValueError(f"x has {len(prediction)} rows, but y has {len(y)} targets")
        if self.classes is not None:
            return float(np.mean(prediction == y))
        y = y.reshape(prediction.shape)
        error, variation = np.square(y - prediction).sum(), np.square(y - y.mean(axis=0)).sum()
        return float(1 - error / variation) if variation else float(not error)

    def held_bytes(self):
        """Return what the method holds beyond the one network: every array counted once, nothing declared.

        Returns
        -------
        dict of str to int
            "samples": bytes of stored samples, their targets and logits; "other": of everything else, such as
            anchors, importances, teachers, generators, masks, the networks of other tasks.
        """
        held, seen = {"samples": 0, "other": 0}, {}
        for part in self.ingredients:
            _count_bytes(part, "other", held, seen)
        return held

    def _columns(self, task):
        if not self.n_tasks and not len(self._targets):
            raise ValueError("nothing has been learned yet: call learn(x, y) first")
        if _checks.hashable("task", task) is not None and task not in self._targets.tasks:
            known = ", ".join(repr(known) for known in self._targets.tasks) or "none"
            raise ValueError(f"task must be one that was learned ({known}), got {task!r}")
        return self._targets.columns(task)

    def _features(self, x):
        sparse = _checks.is_sparse(x)
        x = _checks.sparse_rows("x", x) if sparse else _checks.rows("x", x)
        with np.errstate(over="ignore"):  # what does not fit into float32 is infinite, and refused as such
            converted = self.network.as_input(x)
        if converted.dtype != x.dtype:
            _checks.finite("x", converted.data if sparse else converted)
        return converted


def _count_bytes(thing, kind, held, seen):
    """Add the bytes of every array in a thing, and in what it consists of, that was not seen before."""
    if id(thing) in seen:
        return
    seen[id(thing)] = thing  # held, so that no other thing gets its id
    kind = "samples" if isinstance(thing, Samples) else kind
    if isinstance(thing, np.ndarray):
        held[kind] += thing.nbytes
    elif isinstance(thing, list | tuple | dict):
        for entry in thing.values() if isinstance(thing, dict) else thing:
            _count_bytes(entry, kind, held, seen)
    elif isinstance(thing, Network):
        held[kind] += thing.theta.nbytes
        for layer in map(copy.copy, thing.layers):  # a copy is without its views into θ
            _count_bytes(layer, kind, held, seen)
    elif _checks.is_sparse(thing):
        held[kind] += thing.data.nbytes + thing.indices.nbytes + thing.indptr.nbytes
    elif hasattr(thing, "__dict__") and not isinstance(thing, type):
        for entry in vars(thing).values():
            _count_bytes(entry, kind, held, seen)


def minibatches(n, batch_size, epochs, steps, rng):
    """Yield the row numbers of one batch after another, every row once before any comes again.

    Parameters
    ----------
    n : int
        How many rows there are.
    batch_size : int
        Rows of a batch; the last batch of an epoch holds what is left.
    epochs : int
        How often to go through all rows.
    steps : int or None
        How many batches to yield, instead of `epochs`.
    rng : numpy.random.Generator

    Yields
    ------
    ndarray of int

    Examples
    --------
    >>> [len(rows) for rows in minibatches(5, 2, 1, None, np.random.default_rng(0))]
    [2, 2, 1]
    >>> len(list(minibatches(5, 2, 1, 7, np.random.default_rng(0))))
    7
    """
    steps = epochs * math.ceil(n / batch_size) if steps is None else steps
    while steps > 0:
        order = rng.permutation(n)
        for start in range(0, n, batch_size)[:steps]:
            yield order[start : start + batch_size]
            steps -= 1


def as_method(method):
    """Return a Method: from its name, a list of terms, or the recipe itself."""
    if isinstance(method, Method):
        return method
    if isinstance(method, str):
        return method_by_name(method)
    if isinstance(method, list | tuple):
        return Method(method)
    raise TypeError(f"method must be a name, a list of terms or a Method, got {method!r}")


def _finite(what, value):
    """Return the value, or raise a FloatingPointError that says what has gone bad."""
    if not math.isfinite(value):
        name = what if isinstance(what, str) else type(what).__name__
        raise FloatingPointError(f"{name} became {value}")
    return value
