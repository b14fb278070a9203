"""What a step of learning does, counted: products, passes over θ, memory taken, pages asked for, calls.

Counts are the same on every machine, however busy; seconds are measured by `python -m tests.benchmarks`.
"""

import platform
import sys
import tracemalloc
from collections import Counter

import numpy as np
import pytest

from incrlearn import SGD, Adam, Learner, Network
from incrlearn.learning import Distillation
from tests.processes import run_python

WIDTHS, BATCH = (40, 30, 20, 10), 16


class Counted(np.ndarray):
    """An array that notes every operation with it, in `noted`: its name and its largest operand's size."""

    noted = None

    def __array_ufunc__(self, ufunc, method, *inputs, out=None, **options):
        plain = [_plain(x) for x in inputs]
        if out is not None:
            options["out"] = tuple(_plain(x) for x in out)
        result = getattr(ufunc, method)(*plain, **options)
        operands = [x for x in [*plain, *options.get("out", ()), result] if isinstance(x, np.ndarray)]
        name = "dot" if ufunc is np.matmul and operands[0].ndim == 1 else ufunc.__name__
        Counted.noted.append((name, max(x.size for x in operands)))
        if out is not None:
            return out[0]
        return result.view(Counted) if isinstance(result, np.ndarray) else result


def _plain(x):
    return x.view(np.ndarray) if isinstance(x, Counted) else x


def steps_of(method="none", optimizer=None, widths=WIDTHS, batch=BATCH):
    """Return a learner at its second task, and an iterator over its steps; the first has been taken."""
    rng = np.random.default_rng(0)
    x, y = (
        rng.normal(size=(8 * batch, widths[0])).astype(np.float32),
        rng.integers(widths[-1], size=8 * batch),
    )
    learner = Learner(Network.mlp(*widths, rng=rng), method, rng=rng, optimizer=optimizer, batch_size=batch,
                      steps=1, classes=range(widths[-1]))  # fmt: skip
    learner.learn(x, y)
    learner.steps = 20
    return learner, learner.learn_steps(x, y)


def counted(method="none", optimizer=None, after=1):
    """Return how often a step does what, and how often it passes over vectors as long as θ."""
    learner, steps = steps_of(method, optimizer)
    teachers = [term.teacher for term in learner.terms if isinstance(term, Distillation)]
    for network in (learner.network, *teachers):
        network._bind(network.theta.view(Counted))
    learner.optimizer.reset()
    Counted.noted = []
    for _ in range(after):  # the first step makes what the others find
        next(steps)
    Counted.noted.clear()
    next(steps)
    long = Counter(name for name, size in Counted.noted if size == len(learner.network.theta))
    return Counter(name for name, _ in Counted.noted), long


def test_a_step_has_three_products_a_layer_but_for_the_input_of_the_first():
    every, _ = counted(optimizer=SGD(0.1))
    layers = len(WIDTHS) - 1
    assert every["matmul"] == 3 * layers - 1


def test_a_step_of_sgd_passes_over_theta_twice_and_looks_at_it_twice():
    _, long = counted(optimizer=SGD(0.1))
    assert long == {"dot": 2, "multiply": 1, "subtract": 1}


def test_a_step_of_adam_passes_over_theta_twelve_times_and_looks_at_it_twice():
    _, long = counted(optimizer=Adam())
    assert long.pop("dot") == 2
    assert sum(long.values()) == 12


@pytest.mark.parametrize(
    ("method", "products", "passes"),
    [("l2", 0, 2), ("l2_anchored", 0, 3), ("ewc", 0, 5), ("replay", 8, 1), ("logits", 3, 0)],
)
def test_a_method_adds_to_a_step_what_its_formula_has(method, products, passes):
    """Passes are λ d, Ω d, θ − θ*, a look at the sign of Ω, and the sum of two gradients."""
    (plain, plainly_long), (every, long) = counted(), counted(method)
    assert every["matmul"] - plain["matmul"] == products
    long, plainly_long = (sum(n for name, n in c.items() if name != "dot") for c in (long, plainly_long))
    assert long - plainly_long <= passes


def test_a_teacher_is_asked_once_for_a_row_however_often_it_comes():
    (plain, _), (first, _), (second, _) = counted(), counted("logits"), counted("logits", after=9)
    assert first["matmul"] - plain["matmul"] == 3
    assert second["matmul"] == plain["matmul"]


@pytest.mark.parametrize(("optimizer", "vectors"), [(SGD(0.1), 2), (Adam(), 2)])
def test_a_step_takes_memory_for_the_batch_its_activations_and_two_vectors_like_theta(optimizer, vectors):
    learner, steps = steps_of(optimizer=optimizer, widths=(300, 200, 100, 10))
    next(steps), next(steps)
    tracemalloc.start()
    try:
        tracemalloc.reset_peak()
        before = tracemalloc.get_traced_memory()[0]
        next(steps)
        taken = tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()
    activations = 4 * BATCH * (300 + 4 * (200 + 100 + 10))
    assert taken <= vectors * learner.network.theta.nbytes + activations + 20_000


def test_a_step_of_a_small_network_makes_few_calls():
    """What Python does beside NumPy is what a small network's step takes."""
    _, steps = steps_of(optimizer=SGD(0.1), widths=(64, 32, 10))
    next(steps), next(steps)
    calls = Counter()

    def note(frame, event, argument):
        calls[event] += 1

    sys.setprofile(note)
    try:
        next(steps)
    finally:
        sys.setprofile(None)
    assert calls["call"] + calls["c_call"] <= 230


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other allocators have other ways")
@pytest.mark.parametrize("method", ["none", "l2_anchored", "elastic_net_anchored", "ewc"])
def test_a_step_asks_the_system_for_no_memory_that_the_step_before_had(method):
    faults = run_python(
        "import resource; from tests.learning.test_hot_step import steps_of;"
        f"_, steps = steps_of({method!r}, widths=(784, 400, 400, 10));"
        "[next(steps) for _ in range(5)];"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt;"
        "[next(steps) for _ in range(10)];"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)",
        MALLOC_TRIM_THRESHOLD_=None,  # as Dask sets it, for all that its process starts
    )
    assert int(faults) < 200  # θ alone is 467 pages
