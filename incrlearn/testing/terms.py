"""Terms of an objective: functions that return a value and gradients, and the terms of a learner.

A function is asked as it stands. A term of a learner has something to say only after tasks were learned: a
few small ones are learned before it is asked.
"""

import copy
import inspect

import numpy as np

from .. import _checks
from ..learning import BatchTerm, CrossEntropy, Loss, Memory, ParameterTerm, Projection, ProximalTerm, Term
from ..learning.samples import Classes, Samples
from ..network import Linear, Network, Tanh
from .blame import likely_cause
from .contracts import (
    Both,
    agree,
    arrays_in,
    asked,
    dense,
    finite,
    keeps,
    ordinary,
    protected,
    real_numbers,
    rounding,
    same_bits,
    sizes,
    state,
)
from .derivatives import NARROW, Around
from .failure import Checked, Failure, Untold
from .gradients import check_gradient
from .search import code, is_strategy, needed, numbers, search


def check_term(
    term, *arguments, wrt=(0,), rows=(), context=None, nearest=True, tolerance=1e-6, examples=None, seed=0
):
    """Raise a Failure unless a term's gradients are those of its value, and it behaves as a term must.

        term(z, …) = (value, ∂value/∂z)   or   (value, (∂value/∂z, …))

    Beyond the derivatives: the value is one number; gradients have the shape and dtype of what they belong
    to; nothing given is changed or returned; nothing depends on an earlier call; float32 is close to float64.
    Of a `BatchTerm` every activation is looked at, those too for which it gives no gradient. A `ProximalTerm`
    must step to argmin_x ½‖x − θ‖² + η term(x); what a `Projection` returns must not conflict.

    Parameters
    ----------
    term : callable or Term
        A function as those of `incrlearn.formulas`, or a term of a learner. It stays as it is.
    arguments : optional
        Of a function: what it is given, as arrays and numbers, or Hypothesis strategies for them, or one
        strategy for tuples of them. Without any, each parameter that has no default is an array of one shape
        (n, k), and searched for, which needs Hypothesis. Of a `BatchTerm`: a, batch. Of a `ParameterTerm`:
        theta. Of a `ProximalTerm`: theta, learning_rate. Of a `Projection`: gradient, references. Without any
        a term is asked after two small tasks that are made up.
    wrt : tuple of int
        Of a function: for which of its arguments there are gradients, in order.
    rows : tuple of int
        Of a function: which arguments have a row for each sample, if their order must not matter.
    context : dict, optional
        Numbers that may have been forgotten or doubled, such as {"T": 2.0}; numbers among the arguments are
        there anyway.
    nearest : bool
        Of a `Projection`: whether what it returns must be the nearest that does not conflict.
    tolerance : float
        How far gradients may be off, relative to the largest entry.
    examples, seed : int
        How many inputs to try, 30 where they are searched for and 8 moments of a learner; and the first seed.

    Returns
    -------
    Checked

    Raises
    ------
    Failure
        An AssertionError that says what is wrong, where, why maybe, and how to see it.
    TypeError, ValueError
        If an argument is not what is asked for.
    ImportError
        If inputs are to be searched for, and Hypothesis is missing.

    Examples
    --------
    >>> from incrlearn.formulas import reverse_kl, squared_error
    >>> checked = check_term(reverse_kl, np.array([[0.7, 0.2]]), np.array([[0.8, 0.1]]), 2.0)
    >>> def without_n(prediction, target):
    ...     return squared_error(prediction, target)[0], prediction - target
    >>> check_term(without_n, np.array([1.0, 2.0, 0.5]), np.array([0.0, -1.0, 2.0]))
    Traceback (most recent call last):
    incrlearn.testing.failure.Failure: the gradient ∂value/∂prediction at [1] is 3, but must be 1...
    """
    if isinstance(term, type) or not callable(term):
        raise TypeError(f"term must be a function or a Term, got {term!r}")
    options = {"tolerance": tolerance, "context": context or {}}
    if isinstance(term, Term):
        return _check_learners(term, arguments, nearest, options, examples or 8, seed)
    names = _names(term, arguments)
    subject = _Function(term, names, tuple(wrt), tuple(rows), **options)
    if arguments and not any(map(is_strategy, arguments)):
        return _explained(subject, _as_arrays(arguments), names)
    strategy, first = _examples(names, arguments), []
    if not arguments:
        rng = np.random.default_rng(seed)
        first = [tuple(rng.normal(size=(5, 3)) for _ in names)]
    return search(
        lambda example: _explained(subject, example, names, searched=not arguments),
        strategy,
        first=first,
        examples=examples or 30,
        seed=seed,
        together=[tuple((k, axis) for k in range(len(names))) for axis in (0, 1)] if not arguments else [],
        cuts=not arguments,
    )


def _names(function, arguments):
    """Return the names of a function's arguments: those that are given, or those without a default."""
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except ValueError:
        parameters = []
    if not arguments:
        needed = [p.name for p in parameters if p.default is p.empty and p.kind in (0, 1)]
        if not needed:
            raise TypeError("the term's arguments are not known: give them, as in check_term(term, z, y)")
        return needed
    known = [p.name for p in parameters if p.kind in (0, 1)]
    return (known + [f"argument{k}" for k in range(len(known), len(arguments))])[
        : max(len(arguments), len(known))
    ]


def _as_arrays(arguments):
    """Return lists as arrays; float32 stays."""
    return tuple(np.asarray(a) if isinstance(a, list | tuple | np.ndarray) else a for a in arguments)


def _examples(names, arguments):
    """Return a strategy for tuples of arguments."""
    st = needed().strategies

    if len(arguments) == 1:
        return arguments[0].map(lambda one: _as_arrays(one) if isinstance(one, tuple) else (one,))
    if arguments:
        return st.tuples(*[a if is_strategy(a) else st.just(a) for a in arguments]).map(_as_arrays)
    shapes = st.tuples(st.integers(1, 4), st.integers(1, 4))
    return shapes.flatmap(lambda shape: st.tuples(*[numbers(shape, largest=1e3) for _ in names]))


def _explained(subject, example, names, searched=False):
    """Check an example; put the code for it into what is raised."""
    try:
        with np.errstate(all="ignore"):
            return subject.check(example)
    except Failure as failure:
        names = names[: len(example)]
        lines = [code(name, value) for name, value in zip(names, example, strict=True)]
        more = "" if subject.wrt == (0,) else f", wrt={subject.wrt}"
        more += f", rows={subject.rows}" if subject.rows else ""
        lines.append(f"check_term(term, {', '.join(names)}{more})")
        if searched and failure.check.startswith("the term raises"):
            failure.hint = (
                "every argument was an array of floats, all of one shape: give others, or strategies"
            )
        raise failure.with_example("\n".join(lines)) from failure.__cause__


class _Function:
    """A function that returns a value and gradients; every method `check_…` is something that must hold."""

    def __init__(self, function, names, wrt, rows, *, tolerance, context, value="value"):
        self.function, self.names, self.wrt, self.rows = function, names, wrt, rows
        self.tolerance, self.context, self.value = tolerance, context, value
        self.untold = None

    def name(self, position):
        """Return how the gradient is called."""
        return f"∂{self.value}/∂{self.names[position]}"

    def check(self, arguments):
        """Check everything, what tells most first; return a Checked."""
        self.untold = None
        if max(self.wrt) >= len(arguments):
            raise ValueError(f"wrt must be positions of {len(arguments)} arguments, got {self.wrt}")
        arguments = self._with_floats(arguments)
        try:
            value, gradients = self.check_call(arguments)
        except FloatingPointError:  # it says itself that numbers are too large
            return Checked(checks=("refused",))
        if not np.isfinite(value) or not finite(*gradients):
            real_numbers("the gradient", *gradients)
            return Checked(checks=CHECKS[:2])
        self.check_earlier_calls(arguments, value, gradients)
        result = self.check_derivatives(arguments)
        self.check_rows(arguments, value, gradients)
        self.check_call(arguments, shared=False)
        self.check_float32(arguments)
        if self.untold and not result.entries + result.directions:
            raise self.untold
        return result.with_checks(*CHECKS)

    def _with_floats(self, arguments):
        """Return the arguments with a gradient in float64."""
        return tuple(
            np.asarray(argument, np.float64) if k in self.wrt else argument
            for k, argument in enumerate(arguments)
        )

    def call(self, arguments):
        """Return (value, gradients) for copies of the arguments."""
        return self._parts(protected("the term", self.function, *copy.deepcopy(arguments)))

    def _parts(self, result):
        """Return the value and the list of gradients that a result is made of."""
        if not isinstance(result, tuple) or len(result) != 2:
            got = f"{len(result)} things" if isinstance(result, tuple) else type(result).__name__
            said = f"the term must return (value, gradient) or (value, (gradient, …)), got {got}"
            raise Failure("the term's result", cause="shape", said=said)
        value, gradients = result
        gradients = list(gradients) if isinstance(gradients, tuple | list) else [gradients]
        if len(gradients) != len(self.wrt):
            wanted = ", ".join(self.names[k] for k in self.wrt)
            said = f"the term gives {len(gradients)} gradients, but must give those by {wanted}"
            raise Failure("the term's result", cause="shape", said=said)
        return value, gradients

    def check_call(self, arguments, dtype=np.float64, shared=True):
        """The value is a number, gradients have the shapes and dtypes of their arguments, nothing changes."""
        arguments = copy.deepcopy(arguments)
        given = {name: argument for name, argument in zip(self.names, arguments, strict=False)}
        value, gradients = self._parts(asked("the term", self.function, given, shared=shared))
        if (
            np.ndim(value)
            or not isinstance(value, float | np.floating | np.ndarray)
            or isinstance(value, complex)
        ):
            words = f"shape {np.shape(value)}" if np.ndim(value) else f"a {type(value).__name__}"
            hint = "was a sum over the rows forgotten?" if np.ndim(value) else None
            raise Failure(
                "the value",
                cause="shape" if np.ndim(value) else "dtype",
                hint=hint,
                said=f"the value must be one float, got {words}",
            )
        if np.isnan(value):
            raise Failure("the value", cause="not a number", said="the value is NaN, for finite inputs")
        for position, gradient in zip(self.wrt, gradients, strict=True):
            self._keeps_kind(position, gradient, arguments[position].shape, dtype, arguments)
        return float(value), gradients

    def _keeps_kind(self, position, gradient, shape, dtype, arguments):
        """Raise a Failure unless a gradient has that shape and dtype; say why, if its numbers tell."""
        name = self.name(position)
        if isinstance(gradient, np.ndarray) and gradient.shape != shape and dtype == np.float64:
            at = arguments[position]
            check_gradient(
                lambda x: self._both(arguments, position, x),
                at,
                tolerance=self.tolerance,
                name=name,
                context=self._context(arguments),
            )
        keeps(name, gradient, shape, dtype, block=self.names[position] if len(self.wrt) > 1 else None)

    def _other(self, arguments):
        """Return other arguments of the same shapes, as large at most."""
        return tuple(
            np.flip(a) * np.random.default_rng(k).uniform(0.4, 0.9, a.shape) if k in self.wrt else a
            for k, a in enumerate(arguments)
        )

    def check_earlier_calls(self, arguments, value, gradients):
        """The same arguments give the same, whatever was asked before."""
        for way in ("called again", "called after other arguments"):
            if "other" in way:
                try:
                    self.call(self._other(arguments))
                except (Failure, FloatingPointError):  # where the term is not at home
                    continue
            again, others = self.call(arguments)
            agree(f"the value, {way}", again, value, 0.0, "state", "the same arguments give something else")
            for position, one, other in zip(self.wrt, gradients, others, strict=True):
                sums = same_bits(np.asarray(other), np.asarray(2 * one)) and one.any()
                agree(
                    f"{self.name(position)}, {way}",
                    other,
                    one,
                    0.0,
                    "accumulated" if sums else "state",
                    "the same arguments give something else",
                    subject=self.name(position),
                )

    def check_derivatives(self, arguments):
        """Every gradient is the derivative of the value."""
        result = Checked()
        for position in self.wrt:
            try:
                result += check_gradient(
                    lambda x, position=position: self._both(arguments, position, x),
                    arguments[position],
                    tolerance=self.tolerance,
                    context=self._context(arguments),
                    name=self.name(position),
                )
            except Untold as untold:
                self.untold = untold
                result += Checked(untold=1)
            except Failure as failure:
                if len(self.wrt) > 1:
                    failure.block = self.names[position]
                raise
        return result

    def _both(self, arguments, position, x):
        """Return the value and one gradient where one of the arguments is another."""
        changed = list(arguments)
        changed[position] = x
        value, gradients = self._parts(self.function(*changed))
        gradient = gradients[self.wrt.index(position)]
        return Both(value, lambda: gradient)

    def _context(self, arguments):
        """Return the numbers that may have been forgotten: sizes, and those among the arguments."""
        shape = np.shape(arguments[self.wrt[0]])
        size = sizes(*shape[:2]) if shape else {}
        given = {
            name: value
            for name, value in zip(self.names, arguments, strict=False)
            if isinstance(value, int | float) and not isinstance(value, bool)
        }
        return {**size, **given, **self.context}

    def check_rows(self, arguments, value, gradients):
        """Rows in another order have the same value, and the same gradients in that order."""
        if not self.rows:
            return
        order = np.random.default_rng(0).permutation(len(arguments[self.rows[0]]))
        permuted = tuple(a[order] if k in self.rows else a for k, a in enumerate(arguments))
        other, others = self.call(permuted)
        hint = "rows in another order give another result"
        limit = self._limit(arguments, None)
        agree("the value, rows permuted", other, value, limit, "rows mixed", hint)
        for k, position in enumerate(self.wrt):
            expected = gradients[k][order] if position in self.rows else gradients[k]
            limit = self._limit(arguments, k)
            agree(
                f"{self.name(position)}, rows permuted",
                others[k],
                expected,
                limit,
                "rows mixed",
                hint,
                subject=self.name(position),
            )

    def _limit(self, arguments, which, dtype=np.float64):
        """Return how far the value, or one of the gradients, may be off by rounding."""
        places = [k for k, a in enumerate(arguments) if _is_float(a)]

        def answer(*arrays):
            changed = list(arguments)
            for k, array in zip(places, arrays, strict=True):
                changed[k] = array
            try:
                value, gradients = self.call(tuple(changed))
            except (Failure, FloatingPointError):  # a distribution, say, that does not sum to 1 any more
                return np.asarray(np.nan)
            return np.asarray(value if which is None else gradients[which])

        return rounding(answer, *[arguments[k] for k in places], dtype=dtype)

    def _steepness(self, arguments, position):
        """Return how steep the value is on the way to 0, of all of an argument or of one entry alone."""
        x = arguments[position]
        around = Around(lambda x: self._both(arguments, position, x)[0], x)
        steep = around.natural_slope()
        for place in map(tuple, np.argwhere(x)[:MOST_ALONE]):
            without = x.copy()
            without[place] = 0.0
            steep = np.fmax(steep, abs(around.at(without) - around.value) / abs(x[place]))
        return steep

    def check_float32(self, arguments):
        """In float32 it is what float64 says, but for rounding; gradients are of float32."""
        floats = [a for a in arguments if _is_float(a)]
        if not ordinary(*floats):
            return
        narrow = tuple(a.astype(np.float32) if _is_float(a) else a for a in arguments)
        wide = tuple(a.astype(np.float64) if _is_float(a) else a for a in narrow)
        try:
            expected, expecteds = self.call(wide)
            value, gradients = self.check_call(narrow, np.float32)
        except FloatingPointError:
            return
        if max(abs(expected), *(np.abs(each).max(initial=0.0) for each in expecteds)) > 1e30:
            return  # what float32 can not hold
        hint = "rounding does not explain it: is something lost by cancellation, or overflowing?"
        size = max(1.0, abs(expected))
        limit = self._limit(wide, None, np.float32) + 1e-5 * size
        agree("the value in float32", value, expected, limit, "precision", hint)
        for k, position in enumerate(self.wrt):
            limit = self._limit(wide, k, np.float32) + 1e-5 * max(1e-3, np.abs(expecteds[k]).max(initial=0.0))
            limit += 4 * NARROW * self._steepness(wide, position)  # what cancels in a gradient has this size
            agree(
                f"{self.name(position)} in float32",
                gradients[k],
                expecteds[k],
                limit,
                "precision",
                hint,
                subject=f"{self.name(position)} in float32",
            )


MOST_ALONE = 64  # entries that are set to 0 one by one
#: names of what is checked beside derivatives
CHECKS = ("shapes", "arguments unchanged", "earlier calls", "rows", "float32")


def _is_float(argument):
    return isinstance(argument, np.ndarray) and argument.dtype.kind == "f"


# ---- terms of a learner ------------------------------------------------------------------------------


def _check_learners(term, arguments, nearest, options, examples, seed):
    """Check a term of a learner: at what is given, or at a few moments of a learner that is made up."""
    kinds = {
        BatchTerm: _check_batch,
        ParameterTerm: _check_parameters,
        ProximalTerm: _check_proximal,
        Projection: _check_projection,
    }
    known = [check for kind, check in kinds.items() if isinstance(term, kind)]
    if not known:
        raise TypeError(f"term must be one of {', '.join(kind.__name__ for kind in kinds)}, got {term!r}")
    options["nearest"] = nearest
    if arguments:
        if not term.active:
            raise ValueError(
                f"{term!r} has nothing to say yet: leave the arguments out, or let tasks be learned"
            )
        with np.errstate(all="ignore"):
            return known[0](term, arguments, options)
    result = Checked()
    for number in range(seed, seed + examples):
        try:
            with np.errstate(all="ignore"):
                moment = _Moment(term, number)
                result += known[0](moment.term, moment.arguments(), options).with_checks(examples=1)
        except Untold:
            result += Checked(untold=1)
        except Failure as failure:
            example = f"check_term(term, seed={number}, examples=1)"
            raise failure.with_example(example) from failure.__cause__
    return result


class _OfTwoTasks(Memory):
    """A memory that holds two tasks of five samples."""

    def __init__(self, samples):
        super().__init__()
        self.samples = samples

    def by_task(self):
        """Return the samples of each."""
        return [self.samples[:5], self.samples[5:]]


class _Moment:
    """A small network in the middle of its third task, and a term that has gone all the way with it.

    Every other moment tells tasks by an id, so that outputs compete within their task only.
    """

    def __init__(self, term, seed):
        self.rng, self.seed = np.random.default_rng(seed), seed
        self.term = copy.deepcopy(term)
        kind = self.term.targets if isinstance(term, Loss) else Classes
        self.targets = kind()
        outputs = 0 if kind is Classes else 3
        self.network = Network([Linear(3, 4), Tanh(), Linear(4, outputs)], self.rng, "float64")
        self.stored, self.told = None, bool(seed % 2)
        self.term.prepare(CrossEntropy())
        for number, labels in enumerate(([5, 7], [3, 7, 1], [5, 2])):
            self._begin(number, labels)
            if number < 2:
                self._learn()

    def _begin(self, number, labels):
        x = self.rng.normal(size=(5, 3))
        y = self.rng.permutation(np.resize(labels, 5))
        if self.targets.labels is None and not isinstance(self.targets, Classes):
            y = self.rng.normal(size=(5, 3))
        outputs, which = self.targets.learn(y, "abc"[number] if self.told else None)
        self.targets.prepare_head(self.network, self.rng)
        self.samples = Samples(x, outputs, np.full(5, which), self.network(x))
        self.data = self.targets.batch(self.samples)
        self.term.begin_task(self.network, self.data, self.rng)

    def _learn(self):
        """Move θ as if a task was learned, tell the term of the way, and store the samples."""
        for _ in range(3):
            gradient = self.rng.normal(size=len(self.network.theta))
            step = -0.3 * gradient + 0.1 * self.rng.normal(size=gradient.shape)
            self.network.theta = self.network.theta + step
            if self.term.watches:
                self.term.watch(gradient, step)
        self.term.end_task(self.network, self.data, self.rng)
        new = Samples(self.samples.x, self.samples.y, self.samples.task, self.network(self.samples.x))
        if self.stored is not None:
            width = new.logits.shape[1] - self.stored.logits.shape[1]
            old = self.stored
            logits = (
                np.hstack([old.logits, self.network(old.x)[:, old.logits.shape[1] :]])
                if width
                else old.logits
            )
            new = Samples(old.x, old.y, old.task, logits) + new
        self.stored = new

    def arguments(self):
        """Return what the term is asked with."""
        theta = self.rng.normal(size=len(self.network.theta)) * 0.7
        self.network.theta = theta
        if isinstance(self.term, BatchTerm):
            samples = self.samples if not self.term.replayed else self._replayed()
            batch = self.targets.batch(samples)
            return self.network.forward(samples.x), batch
        if isinstance(self.term, Projection):
            gradient = self.rng.normal(size=len(theta)) * (1.0, 1e3, 1e-3)[self.seed % 3]
            # in turn: all in conflict, some, and none
            lean = (-0.5, 0.0, 2.0)[self.seed // 2 % 3] * gradient / np.abs(gradient).max()
            wanted = self.term.samples(_OfTwoTasks(self.stored), self._replayed())
            return gradient, [self.rng.normal(size=len(theta)) + lean for _ in wanted]
        return (theta,) if isinstance(self.term, ParameterTerm) else (theta, (0.5, 0.01, 2.0)[self.seed % 3])

    def _replayed(self):
        old = self.stored
        rows = self.rng.permutation(len(old))[:6]
        missing = self.network(old.x)[:, old.logits.shape[1] :]
        return Samples(old.x, old.y, old.task, np.hstack([old.logits, missing]))[rows]


def _check_parameters(term, arguments, options):
    (theta,) = _counted(arguments, "theta", 1, 1)
    theta = _checks.vector("theta", theta).astype(np.float64)
    before = state(term)
    subject = _Function(lambda theta: _pair(term(theta)), ["θ"], (0,), (), value="L", **_plain(options))
    result = subject.check((theta,))
    _unchanged(term, before)
    return result


def _plain(options):
    return {key: options[key] for key in ("tolerance", "context")}


def _pair(result):
    if not isinstance(result, tuple) or len(result) != 2:
        said = f"the term must return (value, gradient), got {type(result).__name__}"
        raise Failure("the term's result", cause="shape", said=said)
    return result


def _counted(arguments, wanted, low, high):
    if not low <= len(arguments) <= high:
        raise TypeError(f"the term is asked with {wanted}, got {len(arguments)} arguments")
    return arguments


def _unchanged(term, before):
    """Raise a Failure if a term has changed while it was asked."""
    after = state(term)
    if len(after) != len(before) or not all(map(same_bits, after, before)):
        said = "to evaluate the term changes what it remembers"
        raise Failure("the term's memory", cause="state", said=said)


def _check_batch(term, arguments, options):
    """Check a term that looks at activations: the gradients at all of them, given or not."""
    a, batch = _counted(arguments, "a, batch", 2, 2)
    a = [np.asarray(dense(one), np.float64) for one in a]
    before = state(term)
    given = copy.deepcopy(batch)

    def function(*a):
        value, gradients = _pair(term(list(a), batch))
        return value, tuple(gradient for k, gradient in _at_each(a, gradients) if k in given_at)

    given_at = _looked_at(term, a, batch)
    others = [k for k in range(len(a)) if k not in given_at]
    names = [f"a[{k}]" for k in range(len(a))]
    context = {"n": len(a[0]), **_numbers_of(term), **options["context"]}
    subject = _Function(
        function, names, tuple(given_at), (), value="L", tolerance=options["tolerance"], context=context
    )
    _check_left_out(subject, a, others)
    result = subject.check(tuple(a))
    _unchanged(term, before)
    if not all(map(same_bits, arrays_in(given), arrays_in(batch))):
        raise Failure("the batch", cause="modified", said="the term changes its batch in place")
    return result


def _numbers_of(term):
    """Return a term's settings that are numbers: T, strength and so on."""
    return {name: value for name, value in vars(term).items() if isinstance(value, float) and value}


def _looked_at(term, a, batch):
    """Return the indices of those activations for which a term gives a gradient."""
    _, gradients = _pair(protected("the term", term, [one.copy() for one in a], copy.deepcopy(batch)))
    if not isinstance(gradients, dict):
        said = f"a BatchTerm must return (value, {{k: gradient}}), got {type(gradients).__name__}"
        raise Failure("the term's result", cause="shape", said=said)
    for k in gradients:
        if not isinstance(k, int | np.integer) or not -len(a) <= k < len(a):
            said = f"the keys must be indices of {len(a)} activations, got {k!r}"
            raise Failure("the term's result", cause="shape", said=said)
    if not gradients:
        raise Failure("the term's result", cause="missing", said="the term gives no gradient at all")
    return sorted({k % len(a) for k in gradients})


def _at_each(a, gradients):
    """Yield each index for which there is a gradient, and the gradient: the sum where it is given twice."""
    own = {}
    for k, gradient in gradients.items():
        place = k % len(a)
        own[place] = own[place] + gradient if place in own else gradient
    yield from sorted(own.items(), key=lambda pair: pair[0])


def _check_left_out(subject, a, others):
    """Raise a Failure where the value changes with an activation for which there is no gradient."""
    rng = np.random.default_rng(0)
    value, _ = subject.call(tuple(a))
    for k in others:
        for _ in range(3):
            moved = list(a)
            moved[k] = a[k] + 0.1 * rng.normal(size=a[k].shape)
            other, _ = subject.call(tuple(moved))
            if abs(other - value) > 1e-12 * max(1.0, abs(value)):
                said = f"the value changes with a[{k}], but there is no gradient ∂L/∂a[{k}]"
                raise Failure(f"∂L/∂a[{k}]", cause="missing", said=said)


# ---- proximal steps ----------------------------------------------------------------------------------


def _check_proximal(term, arguments, options):
    """Check that the step goes to argmin_x ½‖x − θ‖² + η term(x)."""
    theta, rate = (*_counted(arguments, "theta, learning_rate", 1, 2), 0.5)[:2]
    theta = _checks.vector("theta", theta).astype(np.float64)
    rate = _checks.positive("learning_rate", rate)
    before, end = state(term), theta.copy()
    value = protected("the term", term, theta.copy())
    if not isinstance(value, float | np.floating) or np.isnan(value):
        raise Failure("the value", cause="dtype", said=f"a ProximalTerm must return one float, got {value!r}")
    returned = protected("step(theta, learning_rate)", term.step, end, rate)
    keeps("θ after step(theta, learning_rate)", end, theta.shape, np.float64)
    if isinstance(returned, np.ndarray) and same_bits(end, theta) and not same_bits(returned, theta):
        raise Failure("θ in place", cause="missing", said="step returns a new θ, but must change it in place")
    _unchanged(term, before)
    again = theta.copy()
    term.step(again, rate)
    agree("θ after a second step from the same place", again, end, 0.0, "state")
    _check_argmin(term, theta, rate, end)
    narrow = theta.astype(np.float32)
    term.step(narrow, rate)
    keeps("θ after a step in float32", narrow, theta.shape, np.float32)
    limit = 1e-5 * max(1.0, np.abs(theta).max())
    agree("θ after a step in float32", narrow, end, limit, "precision")
    return Checked(entries=theta.size, how="differences", checks=("argmin", "in place", "float32"))


def _check_argmin(term, theta, rate, end):
    """Raise a Failure where a point near the end of the step is better than the end."""

    def cost(x):
        return 0.5 * np.sum((x - theta) ** 2) + rate * term(x)

    best = end.copy()
    for j in range(len(theta)):
        best[j] = _lowest(lambda t, j=j: cost(_with(end, j, t)), end[j], 1.0 + abs(theta[j] - end[j]))
    gain = np.array([cost(end) - cost(_with(end, j, best[j])) for j in range(len(theta))])
    noise = 1e-13 * max(1.0, abs(cost(end)))
    if (gain <= noise + 1e-12 * np.square(theta).max()).all():
        return
    j = int(gain.argmax())
    cause, hint = _cause_of_step(theta, end, best)
    raise Failure(
        "the proximal step",
        place=(j,),
        came=float(end[j]),
        expected=float(best[j]),
        bound=1e-6,
        cause=cause,
        hint=hint,
    )


def _cause_of_step(theta, end, best):
    cause, hint = likely_cause(end - theta, best - theta, 1e-6)
    return (cause, f"of the way: {hint}") if cause else (None, None)


def _with(x, j, value):
    x = x.copy()
    x[j] = value
    return x


def _lowest(cost, start, width):
    """Return where a convex function of one number is lowest, by golden section around its start."""
    low, high = start - 8 * width, start + 8 * width
    ratio = (np.sqrt(5) - 1) / 2
    inner, outer = high - ratio * (high - low), low + ratio * (high - low)
    at_inner, at_outer = cost(inner), cost(outer)
    for _ in range(80):
        if at_inner <= at_outer:
            high, outer, at_outer = outer, inner, at_inner
            inner = high - ratio * (high - low)
            at_inner = cost(inner)
        else:
            low, inner, at_inner = inner, outer, at_outer
            outer = low + ratio * (high - low)
            at_outer = cost(outer)
    return (low + high) / 2


# ---- projections -------------------------------------------------------------------------------------


def _check_projection(term, arguments, options):
    """Check that what is returned does not conflict, is the nearest such gradient, and stays where it is."""
    gradient, references = (*_counted(arguments, "gradient, references", 1, 2), [])[:2]
    gradient = _checks.vector("gradient", gradient).astype(np.float64)
    references = [_checks.vector("references", row).astype(np.float64) for row in references]
    before = state(term)
    name = "the projection"
    given = {"gradient": gradient, "references": references}
    came = asked(name, term, given, shared=True)
    keeps(name, came, gradient.shape, np.float64)
    real_numbers(name, came)
    _unchanged(term, before)
    agree("the projection, called again", term(gradient, references), came, 0.0, "state")
    size = np.sqrt(gradient @ gradient)
    for row in references:
        length = np.sqrt(row @ row)
        if came @ row < -1e-8 * size * length:
            raise Failure(
                "g̃·r",
                came=float(came @ row),
                expected=0.0,
                bound=1e-8 * size * length,
                cause="sign",
                said=f"the projected gradient conflicts: g̃·r is {came @ row:.6g}, but must be ≥ 0",
            )
    if references and all(gradient @ row >= 0 for row in references):
        agree("a gradient without conflict", came, gradient, 1e-10 * size, "value", "it must stay as it is")
    agree(
        "the projection of a projection",
        term(came, references),
        came,
        1e-7 * size,
        "value",
        "what does not conflict must stay as it is",
    )
    if options["nearest"]:
        too_far = f"the part taken away must be orthogonal to what is left: (g − g̃)·g̃ = 0, ‖g̃‖ = {size:.3g}"
        agree("(g − g̃)·g̃", (gradient - came) @ came, 0.0, 1e-7 * size**2, "factor", too_far)
    narrow = term(gradient.astype(np.float32), [row.astype(np.float32) for row in references])
    keeps(f"{name} in float32", narrow, gradient.shape, np.float32)
    agree(f"{name} in float32", narrow, came, 1e-3 * size, "precision")
    return Checked(checks=("no conflict", "nearest", "idempotent", "float32"))
