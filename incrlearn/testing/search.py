"""Searching for the smallest example on which a check fails, with Hypothesis, and writing it down as code.

The search is the same every time: no database, no clock, a fixed seed. It may run inside of another search.
Hypothesis is imported where it is used: checks with explicit inputs do without it.
"""

import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from .failure import Checked, Failure, Untold

#: how often a failing example is tried to be made smaller by Hypothesis, and then by taking things away
SHRINKS, CUTS = 80, 80
#: how many tries of Hypothesis may come to nothing before they are run, on the way
DRAWS = 800
#: causes that small examples confuse: the mean over two rows is half of their sum
FACTORS = {"factor 2", "mean against sum", "factor T", "factor"}
#: arrays of more entries are described by a seed, in code and where they are drawn
MANY = 60
#: so many seeds there are for them
SEEDS = 20


def search(check, strategy, *, first=(), examples=50, seed=0, together=(), cuts=True):
    """Run a check on many examples; raise the Failure of the smallest one that fails in the same way.

    The same way is: the same check, the same block, the same likely cause. A small example alone may not say
    what the cause is, as a mean over two rows is half of their sum: then it is what the first one said.

    Parameters
    ----------
    check : callable
        check(example) returns a Checked, or raises a Failure with its example as code.
    strategy : SearchStrategy
        Where examples come from.
    first : list
        Examples to begin with, in general position: what fails there is easiest told apart.
    examples : int
        How many examples to draw.
    seed : int
        Another seed, other examples.
    together : tuple of tuples of (int, int)
        Where examples are tuples of arrays: which axes of which of them, (array, axis), lose an index
        together. The rows of the first two are ((0, 0), (1, 0)).
    cuts : bool
        Whether examples may lose entries: not where only some inputs are allowed.

    Returns
    -------
    Checked
        The sum of what was checked.

    Raises
    ------
    Failure
        If a check failed.

    Examples
    --------
    >>> import hypothesis.strategies as st
    >>> def check(n):
    ...     if n > 7:
    ...         raise Failure("n", came=n, expected=7, example=f"check({n})")
    ...     return Checked()
    >>> search(check, st.integers(0, 1000))
    Traceback (most recent call last):
    incrlearn.testing.failure.Failure: n is 8, but must be 7
    smallest example:
        check(8)
    """
    hypothesis = needed()
    seen = _Seen(check)
    for example in first:
        if not seen.smallest:
            seen.run(example)
    if not seen.smallest:
        _draw(hypothesis, seen, strategy, examples, seed)
    if seen.smallest:
        if cuts:
            cut(seen, together)
        # a copy, for Hypothesis puts notes of its own to what was raised
        raise seen.smallest.with_example(seen.smallest.example) from seen.smallest.__cause__
    if seen.untold and not seen.told:
        raise seen.untold
    return seen.checked


def _draw(hypothesis, seen, strategy, examples, seed):
    """Run a check on drawn examples, and on smaller and smaller ones where it fails."""
    settings = hypothesis.settings(
        max_examples=examples,
        derandomize=True,
        database=None,
        deadline=None,
        print_blob=False,
        report_multiple_bugs=False,
        verbosity=hypothesis.Verbosity.quiet,
        phases=[hypothesis.Phase.generate, hypothesis.Phase.shrink],
        suppress_health_check=list(hypothesis.HealthCheck),
    )

    def run(example):
        failure = seen.run(example)
        if failure:
            raise failure

    counted = hypothesis.strategies.builds(seen.count_draw).flatmap(lambda _: strategy)
    inside = hypothesis.currently_in_test_context()
    decorate = _given_elsewhere(counted) if inside else hypothesis.given(counted)
    run = hypothesis.seed(seed)(settings(decorate(run)))
    try:
        run()
    except _Enough:
        pass
    except Exception:  # what failed once and not again is a failure as well, the one that was seen
        if not seen.smallest:
            raise


def _given_elsewhere(strategy):
    """Return hypothesis.given(strategy), made in another thread: inside of a search it would be refused.

    It warns of a search in a search because that takes as long as both; here each is short.
    """
    import hypothesis

    with ThreadPoolExecutor(1) as thread:
        return thread.submit(hypothesis.given, strategy).result()


class _Enough(BaseException):
    """The search has taken long enough. No Exception, as those are what Hypothesis searches for."""


class _Seen:
    """What a check has said so far: what went well, and the smallest of the failures of one kind."""

    def __init__(self, check):
        self.check, self.checked = check, Checked()
        self.smallest = self.first = self.example = None
        self.shrinks, self.draws = 0, 0
        self.untold, self.told = None, False

    def run(self, example):
        """Return the Failure on an example, if it is of the kind of the first; None where there is none."""
        self.shrinks += self.smallest is not None
        if self.shrinks > SHRINKS:
            raise _Enough
        return self.fails(example)

    def fails(self, example):
        """Return the same, however many there were before."""
        try:
            self.checked += self.check(example).with_checks(examples=1)
            self.told = True
        except Untold as untold:  # some examples are too extreme for anything to be told of them
            self.untold = untold
        except Failure as failure:
            if self.smallest is None:
                self.smallest = self.first = failure
                self.example = example
            elif not self._is_like_the_first(failure):
                return None
            elif _size(failure) <= _size(self.smallest):
                self.smallest, self.example = failure, example
            return failure
        return None

    def _is_like_the_first(self, failure):
        """Say whether a failure is of the same kind; where small ones say less, the first tells the cause."""
        if (failure.check, failure.block) != (self.first.check, self.first.block):
            return False
        if failure.cause != self.first.cause:
            if {failure.cause, self.first.cause} - FACTORS:
                return False
            hint = f"in a larger example {self.first.hint}" if self.first.hint else None
            failure.cause, failure.hint = self.first.cause, hint
        return True

    def count_draw(self):
        """Count an example that is about to be drawn."""
        self.draws += self.smallest is not None
        if self.draws > DRAWS:
            raise _Enough


def cut(seen, together=()):
    """Take away what the failure does not need: rows, columns, entries, digits.

    Parameters
    ----------
    seen : _Seen
        It has found a failure; its smallest example becomes smaller.
    together : tuple of tuples of (int, int)
        As for `search`.
    """
    tries = iter(range(CUTS))
    for axes in together:
        sizes = {seen.example[k].shape[axis] for k, axis in axes}
        for i in reversed(range(min(sizes) if len(sizes) == 1 else 0)):
            if seen.example[axes[0][0]].shape[axes[0][1]] > 1:
                _try(seen, tries, [(k, np.delete(seen.example[k], i, axis)) for k, axis in axes])
    if not isinstance(seen.example, tuple):
        return
    for plain in (np.zeros_like, np.ones_like, _three, np.round, lambda entry: np.round(entry, 1)):
        for k, array in enumerate(seen.example):
            if isinstance(array, np.ndarray) and array.dtype.kind == "f" and array.size <= MANY:
                _simplify(seen, tries, k, np.argwhere((array != plain(array)) & (array != 0)), plain)


def _simplify(seen, tries, k, places, plain):
    """Make entries plain: all of them at once, or else one half after the other."""
    if not len(places):
        return
    changed = seen.example[k].copy()
    where = tuple(np.transpose(places))
    changed[where] = plain(changed[where])
    if not _try(seen, tries, [(k, changed)]) and len(places) > 1:
        _simplify(seen, tries, k, places[: len(places) // 2], plain)
        _simplify(seen, tries, k, places[len(places) // 2 :], plain)


def _three(entries):
    """Return 3 for what is neither 0 nor a small whole number."""
    kept = (entries == np.round(entries)) & (np.abs(entries) < 10)
    return np.where(kept, entries, 3.0)


def _try(seen, tries, parts):
    """Make a failing example smaller by other parts; say whether it fails in the same way."""
    if next(tries, None) is None:
        return True
    example = list(seen.example)
    for k, part in parts:
        example[k] = part
    try:
        seen.fails(tuple(example))
    except Exception:  # it is not an example any more
        return False
    return seen.example[parts[0][0]] is example[parts[0][0]]


def _size(failure):
    """Return how long the code is: short numbers in small arrays come before others."""
    return len(failure.example or "")


def needed():
    """Return the module hypothesis; say how to install it where it is missing."""
    try:
        import hypothesis
    except ImportError:
        raise ImportError(
            "to search for inputs needs Hypothesis: pip install hypothesis, or give the inputs yourself, "
            "as in check_layer(layer, x)"
        ) from None
    return hypothesis


def is_strategy(value):
    """Say whether a value is a Hypothesis strategy. Where there is one, Hypothesis has been imported."""
    hypothesis = sys.modules.get("hypothesis")
    return hypothesis is not None and isinstance(value, hypothesis.strategies.SearchStrategy)


def numbers(shape, largest=4.0, **bounds):
    """Return a strategy for float64 arrays; large ones come from a seed, and shrink to another seed.

    Parameters
    ----------
    shape : tuple of int
    largest : float
        No entry is larger.

    Returns
    -------
    SearchStrategy of ndarray
    """
    from hypothesis import strategies

    from .arrays import arrays_for

    if np.prod(shape) > MANY:
        return strategies.integers(0, SEEDS - 1).map(lambda seed: normal(shape, seed))
    return arrays_for(shape, largest=largest, **bounds)


def normal(shape, seed):
    """Return normal numbers that can be told by their seed.

    Parameters
    ----------
    shape : tuple of int
    seed : int
        From 0 to SEEDS − 1.

    Returns
    -------
    ndarray
    """
    return np.random.default_rng(seed).normal(size=shape)


def code(name, value):
    """Return a line, or some, that set a name to a value, bit by bit the same.

    Parameters
    ----------
    name : str
    value : ndarray, number or anything with a repr

    Returns
    -------
    str

    Examples
    --------
    >>> print(code("x", np.array([[0.1, -2.0], [1e-30, 3.0]])))
    x = np.array([[0.1, -2.0],
                  [1e-30, 3.0]])
    >>> print(code("y", np.array([1, 0])), code("T", 2.0), sep="; ")
    y = np.array([1, 0]); T = 2.0
    """
    if not isinstance(value, np.ndarray):
        return f"{name} = {value!r}"
    if value.size > MANY:
        seeds = (seed for seed in range(SEEDS) if np.array_equal(normal(value.shape, seed), value))
        seed = next(seeds, None)
        told = f"np.random.default_rng({seed}).normal(size={value.shape})"
        return f"{name} = ...  # as it was given" if seed is None else f"{name} = {told}"
    dtype = "" if value.dtype in (np.float64, np.int64, np.bool_) else f", np.{value.dtype}"
    if not value.size:
        return f"{name} = np.zeros({value.shape}{dtype})"
    between = ",\n" + " " * (len(name) + len(" = np.array(["))
    rows = between.join(map(repr, value.tolist())) if value.ndim > 1 else repr(value.tolist())[1:-1]
    plain = f"{name} = np.array([{rows}]{dtype})"
    return plain.replace("nan", "np.nan").replace("inf", "np.inf")
