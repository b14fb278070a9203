"""Where a step's time goes: python -m tests.benchmarks.parts [784-128-10] [--batch N] [--optimizer adam] …

The functions that a step calls are wrapped in clocks, and the step is taken many times: µs in each, medians,
beside the bare products alone. What is left over is the loop itself, and its looks for NaN. Layers that are
shown alike share a row.
"""

import argparse
import os
import statistics
import sys
import time
from collections import defaultdict

from .rounds import environment


def clocked(function, seconds, name):
    """Return the function, with the seconds of every call put into a list under its name."""

    def run(*arguments, **options):
        start = time.perf_counter()
        result = function(*arguments, **options)
        seconds[name(*arguments)].append(time.perf_counter() - start)
        return result

    return run


def watch(seconds):
    """Put clocks on all that a step calls."""
    from incrlearn.learning import CrossEntropy
    from incrlearn.learning.samples import Classes, Samples
    from incrlearn.network import SGD, Adam, Linear, ReLU

    parts = [
        (Samples, "__getitem__", "the rows of the batch"),
        (Classes, "batch", "which outputs compete"),
        *((kind, "forward", "{}, forward") for kind in (Linear, ReLU)),
        (CrossEntropy, "__call__", "the loss"),
        *((kind, "backward", "{}, ∂L/∂x") for kind in (Linear, ReLU)),
        (Linear, "gradient", "{}, ∂L/∂θ"),
        *((kind, "step", "the optimizer") for kind in (SGD, Adam)),
    ]
    for kind, method, text in parts:
        plain = getattr(kind, method)
        setattr(kind, method, clocked(plain, seconds, lambda it, *_, text=text: text.format(it)))


def microseconds(unit, times):
    """Return the median µs of a call."""
    taken = []
    for _ in range(times):
        start = time.perf_counter()
        unit()
        taken.append(time.perf_counter() - start)
    return 1e6 * statistics.median(taken)


def show(options):
    """Measure and print."""
    from . import report
    from .sides import limit, ours

    arguments = {"widths": options.widths, "batch": options.batch, "optimizer": options.optimizer}
    products = microseconds(limit.step(**arguments).unit, options.steps)
    plain = microseconds(ours.step(**arguments).unit, options.steps)
    seconds = defaultdict(list)
    watch(seconds)
    step = ours.step(**arguments).unit
    step(), seconds.clear()
    whole = microseconds(step, options.steps)
    calls = {name: len(taken) / options.steps for name, taken in seconds.items()}
    times = {name: 1e6 * statistics.median(taken) * calls[name] for name, taken in seconds.items()}
    times |= {"all else": whole - sum(times.values()), "the step, with clocks": whole}
    times |= {"the step": plain, "the bare products": products}
    name = "-".join(map(str, options.widths))
    title = f"{name}, {options.optimizer}, batch {options.batch}, threads: {options.threads}"
    rows = [(name, f"{us:.0f}", f"{us / whole:.0%}") for name, us in times.items()]
    report.show(title, ["part", "µs a step", "share"], rows)


def widths(text):
    """Return (784, 128, 10) for "784-128-10"."""
    return tuple(map(int, text.split("-")))


def main():
    """Read the options; the number of threads has to be known before NumPy comes."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.parts", description=__doc__.partition(": ")[0]
    )
    parser.add_argument("widths", nargs="?", type=widths, default=(784, 128, 10), help="784-128-10")
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--optimizer", choices=["sgd", "adam"], default="sgd")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--steps", type=int, default=1000)
    options = parser.parse_args()
    wanted = environment(options.threads)
    if wanted.items() - os.environ.items():
        os.environ.update(wanted)
        os.execv(sys.executable, [sys.executable, "-m", "tests.benchmarks.parts", *sys.argv[1:]])
    show(options)


if __name__ == "__main__":
    main()
