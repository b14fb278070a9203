"""Is anybody accused who has done nothing? python -m tests.testing.accusations [--examples N] [--seed N]

All correct code goes through the kit, with random examples from Hypothesis: what test_everything walks to,
the correct twins of the gallery, and functions and layers of other kinds, with kinks, ties, cancellation and
float32 inside. An example counts where the kit could tell something of it. Every accusation's message is
printed, and at the end how many examples and accusations there were for each.

The same seed draws the same examples, unless --minutes ends it earlier.
"""

import argparse
import contextlib
import itertools
import sys
import time
import zlib
from collections import Counter
from dataclasses import dataclass, field

import hypothesis
import hypothesis.strategies as st
import numpy as np

from incrlearn.learning import SquaredError
from incrlearn.testing import (
    Checked,
    Untold,
    check_gradient,
    check_layer,
    check_optimizer,
    check_second_order,
    check_term,
)
from incrlearn.testing.strategies import arrays_for, terms
from tests.formulas.cases import Drawn

from . import others
from . import test_everything as walk
from .functions import KINKED, SMOOTH, functions, in_float32, points, value_in_float32
from .gallery import GALLERY
from .test_others import LABELLED

#: what an example costs differs: of a hundred examples so many are of each kind
SHARES = {
    "formula": 22,
    "layer": 8,
    "term": 4,
    "optimizer": 14,
    "objective": 0.3,
    "method": 0.3,
    "importance": 0.3,
    "twin": 12,
    "other": 9,
    "function": 30.1,
}
BATCH = 50  # examples that Hypothesis draws at a time


@dataclass
class Subject:
    """What is checked, and what has come of it.

    kind, name: which it is
    strategy: of examples
    check: of an example; it returns a Checked, or raises a Failure
    """

    kind: str
    name: str
    strategy: st.SearchStrategy
    check: object
    told: int = 0
    untold: int = 0
    accusations: Counter = field(default_factory=Counter)

    def run(self, example):
        """Check one example, and count it."""
        try:
            with np.errstate(all="ignore"):
                checked = self.check(example)
        except (Untold, FloatingPointError):  # or the code says itself that numbers are too large
            self.untold += 1
        except (AssertionError, ArithmeticError, ValueError, TypeError, IndexError) as error:
            self.told += 1
            shown = "" if getattr(error, "example", None) else f"\nexample: {example!r}"
            self.accusations[f"{type(error).__name__}: {error}{shown}"] += 1
        else:
            compared = checked.entries + checked.directions > checked.untold
            compared |= "nearest" in checked.checks  # a projection has no derivative
            self.told += compared
            self.untold += not compared

    def draw(self, count, seed):
        """Check so many random examples."""
        run = hypothesis.given(self.strategy)(self.run_without_self())
        hypothesis.seed(seed)(settings(count)(run))()

    def run_without_self(self):
        """Return `run` as a function, as Hypothesis wants it."""

        def run(example):
            self.run(example)

        return run


def settings(count):
    return hypothesis.settings(
        max_examples=count,
        database=None,
        deadline=None,
        phases=[hypothesis.Phase.generate],
        suppress_health_check=list(hypothesis.HealthCheck),
    )


# ---- who is checked --------------------------------------------------------------------------------


class Wild(Drawn):
    """Arguments with ties, and with huge, tiny and subnormal numbers."""

    def array(self, *shape):
        """Draw an array."""
        return self.draw(arrays_for(shape, largest=1e3))


def of_formulas():
    for formula in walk.FORMULAS:
        wild = st.composite(lambda draw, formula=formula: formula.arguments(Wild(draw)))()

        def check(arguments, formula=formula):
            return check_term(formula.call, *arguments, wrt=formula.wrt, rows=formula.rows)

        yield "formula", formula.name, formula.drawn() | wild, check


@st.composite
def rows_for(draw, layer, width=None):
    """Draw x, δ and θ for a layer."""
    width = width or layer.inputs or draw(st.integers(1, 4))
    x = draw(arrays_for((st.integers(1, 4), width), largest=1e4))
    delta = draw(arrays_for((len(x), layer.connect(width)), largest=1e3))
    return x, delta, draw(arrays_for(layer.n_parameters))


def of_layers(kind, makes, widths=None):
    for name, make in makes.items():

        def check(example, make=make):
            x, delta, theta = example
            return check_layer(make(), x, delta, theta=theta)

        yield kind, name, rows_for(make(), (widths or {}).get(name)), check


def of_terms():
    for kind in walk.kinds_of_terms():
        example = st.tuples(terms(kind, values=kind is SquaredError), st.integers(0, 10**6))
        yield "term", kind.__name__, example, lambda pair: check_term(pair[0], seed=pair[1], examples=1)


@st.composite
def gradients_and_theta(draw):
    """Draw gradients of some steps, and θ."""
    steps, entries = draw(st.integers(1, 6)), draw(st.integers(1, 4))
    largest = draw(st.sampled_from([4.0, 1e4, 1e-6]))
    return draw(arrays_for((steps, entries), largest=largest)), draw(arrays_for(entries))


def of_optimizers(kind, makes):
    for name, (make, rule) in makes.items():

        def check(example, make=make, rule=rule):
            return check_optimizer(make, rule, gradients=example[0], theta=example[1])

        yield kind, name, gradients_and_theta(), check


def of_objectives():
    made = {("objective", kind.__name__): makes for kind, makes in walk.OBJECTIVES.items()}
    made |= {("method", name): [lambda name=name: walk.of_a_method(name)] for name in walk.TRAINED}
    for (kind, name), makes in made.items():
        for objective, theta in (make() for make in makes):
            example = arrays_for(theta.shape, largest=4.0)
            yield kind, name, example, lambda x, objective=objective: check_gradient(objective, x)


def of_importances():
    for name, check in walk.IMPORTANCES.items():

        def checked(x, check=check):
            check(x)
            return Checked(entries=x.size)

        yield "importance", name, arrays_for((st.integers(1, 5), 3), largest=4.0, smallest=1e-3), checked


def of_twins():
    layers = {bug.name: lambda bug=bug: bug.twin(*bug.arguments) for bug in GALLERY if bug.kind == "layer"}
    widths = {bug.name: bug.at.shape[1] for bug in GALLERY if bug.kind == "layer"}
    yield from of_layers("twin", layers, widths)
    makes = {bug.name: (lambda bug=bug: bug.twin(*bug.arguments), bug.rule) for bug in GALLERY if bug.rule}
    yield from of_optimizers("twin", makes)
    for bug in GALLERY:
        if bug.kind not in ("layer", "optimizer"):
            near = arrays_for(bug.at.shape, largest=1e3)
            yield "twin", bug.name, near, lambda x, bug=bug: check_twin(bug, x)


def check_twin(bug, x):
    """Check the right function of the gallery at x."""
    if bug.kind == "second derivative":
        return check_second_order(bug.function, x, bug.twin)
    return check_term(bug.twin, x, *bug.arguments) if bug.arguments else check_gradient(bug.twin, x)


def of_others():
    makes = {kind.__name__: lambda kind=kind: kind(*others.LAYERS[kind]) for kind in others.LAYERS}
    yield from of_layers("other", makes)
    for loss in others.LOSSES:
        yield "other", loss.__name__, alike(2), lambda example, loss=loss: check_term(loss, *example)
    yield "other", "triplet", alike(3), lambda example: check_term(others.triplet, *example, wrt=(0, 1, 2))
    for loss in others.OF_LABELS:
        yield "other", loss.__name__, LABELLED, lambda example, loss=loss: check_term(loss, *example)


def alike(count):
    """Draw arrays of one shape."""
    shapes = st.tuples(st.integers(1, 4), st.integers(1, 4))
    return shapes.flatmap(lambda shape: st.tuples(*[arrays_for(shape, largest=100.0)] * count))


def of_functions():
    ways = {"": lambda f: f, ", in float32": in_float32, ", with float32 hidden": value_in_float32}
    for (way, change), one in itertools.product(ways.items(), SMOOTH + KINKED):

        def check(example, change=change):
            function, x = change(example[0]), example[1]
            try:
                value, gradient = function(x)
            except ValueError:  # x is out of its domain
                raise Untold("f(x)") from None
            if not np.isfinite(value) or not np.isfinite(gradient).all():
                raise Untold("f(x)")
            return check_gradient(function, x)

        yield "function", one.__name__ + way, st.tuples(functions([one]), points()), check


def everybody():
    """Return all subjects."""
    parts = [of_formulas(), of_layers("layer", walk.LAYERS), of_terms(), of_importances(), of_objectives()]
    parts += [of_optimizers("optimizer", walk.RIGHT_OPTIMIZERS), of_twins(), of_others(), of_functions()]
    return [Subject(*one) for one in itertools.chain(*parts)]


# ---- running ---------------------------------------------------------------------------------------


def hear(subjects, examples, seed, minutes=np.inf, say=print):
    """Check as many random examples, in turns, and say how far it is."""
    start, said = time.monotonic(), 0.0
    several = Counter(subject.kind for subject in subjects)
    shares = {kind: SHARES[kind] / sum(SHARES[kind] for kind in several) for kind in several}
    wanted = {id(one): int(np.ceil(examples * shares[one.kind] / several[one.kind])) for one in subjects}
    for turn in range(2 * max(wanted.values()) // BATCH + 2):
        for subject in subjects:
            missing = wanted[id(subject)] - subject.told
            if missing <= 0:
                continue
            before = set(subject.accusations)
            of_its_own = zlib.crc32(f"{seed} {turn} {subject.kind} {subject.name}".encode())
            subject.draw(min(BATCH, missing), of_its_own)
            for message in subject.accusations.keys() - before:
                say(f"{subject.kind} {subject.name}: {message}")
            seconds = time.monotonic() - start
            if seconds > said + 10:
                said = seconds
                say(f"{minutes_of(seconds)}: {sentence(subjects)}; at {subject.kind} {subject.name}")
            if seconds > 60 * minutes:
                return


def minutes_of(seconds):
    return f"{seconds / 60:.1f} minutes"


def sentence(subjects):
    """Say how many examples and accusations there were."""
    told, accusations = (sum(counts) for counts in zip(*map(counts_of, subjects), strict=True))
    return f"{told:,} examples, {accusations} accusations"


def counts_of(subject):
    return subject.told, subject.accusations.total()


def report(subjects):
    """Print what was said of whom, and the totals."""
    for subject in subjects:
        for message, count in subject.accusations.most_common(5):
            print(f"---- {subject.kind} {subject.name}, {count} times\n{message}\n")
    row = "{:10} {:44} {:>9} {:>8} {:>11}"
    print(row.format("kind", "name", "examples", "untold", "accusations"))
    print(*(width * "-" for width in (10, 44, 9, 8, 11)))
    for subject in subjects:
        told, accusations = counts_of(subject)
        print(row.format(subject.kind, subject.name, told, subject.untold, accusations))


def main(arguments=None):
    """Check everybody; return whether anybody was accused."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--examples", type=int, default=100_000, metavar="N", help="100,000 if left out")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="other seeds, other examples")
    parser.add_argument("--minutes", type=float, default=np.inf, metavar="M", help="no longer than that")
    parser.add_argument("--only", default="", metavar="TEXT", help="those with this in their kind or name")
    options = parser.parse_args(arguments)
    subjects = [one for one in everybody() if options.only in f"{one.kind} {one.name}"]
    say = lambda line: print(line, file=sys.stderr, flush=True)  # noqa: E731
    start = time.monotonic()
    with contextlib.suppress(KeyboardInterrupt):  # what there is until then
        hear(subjects, options.examples, options.seed, options.minutes, say)
    report(subjects)
    print(f"\n{sentence(subjects)}, seed {options.seed}, {minutes_of(time.monotonic() - start)}")
    return any(subject.accusations for subject in subjects)


if __name__ == "__main__":
    sys.exit(main())
