"""Where a step's time goes: python -m tests.benchmarks.parts [784-128-10] [--batch N] [--optimizer adam] …

Or a prediction's, with --predict. The functions that it calls are wrapped in clocks, and it is done many
times: µs in each, medians, beside the bare products alone. What is left over is the loop itself, and its
looks for NaN. Layers that are shown alike share a row.
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
    """Put clocks on all that a step calls, or a prediction."""
    from incrlearn.learning import CrossEntropy, Learner
    from incrlearn.learning.samples import Classes, Samples
    from incrlearn.network import SGD, Adam, Linear, ReLU

    parts = [
        (Learner, "_features", "x, looked at"),
        (Samples, "__getitem__", "the rows of the batch"),
        (Classes, "batch", "which outputs compete"),
        *((kind, "forward", "{}, forward") for kind in (Linear, ReLU)),
        (Classes, "decode", "labels for outputs"),
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

    if options.predict:
        what, it, arguments = "predict", "the prediction", (options.widths, options.batch)
        of = f"predict, rows {options.batch}"
    else:
        what, it, arguments = "step", "the step", (options.widths, options.batch, options.optimizer)
        of = f"{options.optimizer}, batch {options.batch}"
    of_products, of_ours = getattr(limit, what), getattr(ours, what)
    products = microseconds(of_products(*arguments).unit, options.steps)
    plain = microseconds(of_ours(*arguments).unit, options.steps)
    seconds = defaultdict(list)
    watch(seconds)
    unit = of_ours(*arguments).unit
    unit(), seconds.clear()
    whole = microseconds(unit, options.steps)
    calls = {name: len(taken) / options.steps for name, taken in seconds.items()}
    times = {name: 1e6 * statistics.median(taken) * calls[name] for name, taken in seconds.items()}
    times |= {"all else": whole - sum(times.values()), f"{it}, with clocks": whole}
    times |= {it: plain, "the bare products": products}
    title = f"{'-'.join(map(str, options.widths))}, {of}, threads: {options.threads}"
    rows = [(name, f"{us:.{0 if whole > 100 else 1}f}", f"{us / whole:.0%}") for name, us in times.items()]
    report.show(title, ["part", "µs", "share"], rows)


def widths(text):
    """Return (784, 128, 10) for "784-128-10"."""
    return tuple(map(int, text.split("-")))


def main():
    """Read the options; the number of threads has to be known before NumPy comes."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.parts", description=__doc__.partition(": ")[0]
    )
    parser.add_argument("widths", nargs="?", type=widths, default=(784, 128, 10), help="784-128-10")
    parser.add_argument("--batch", type=int, default=128, help="rows of it, or to predict")
    parser.add_argument("--predict", action="store_true", help="a prediction in place of a step")
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
