"""A long stream through sums: python -m tests.streaming_rows [--rows N] [--chunk N] [--float32] [--mean M]

10 million rows of 50 features, 100,000 a call, through `AnalyticRegressor.partial_fit`; and by turns with the
calls, for as many rows, the product `chunk.T @ chunk` alone, which nothing can do without that sums up
products. How many rows a second either takes, the ratio, and by how much the process has grown. Sums are
float64, so of rows in float32 there is the product in float32, and in float64.
"""

import argparse
import time

import numpy as np

from incrlearn import AnalyticRegressor

FEATURES, HELD = 50, 200_000


def chunks(n, dtype, mean):
    """Return a few chunks of n rows of correlated features about a mean, and noisy targets."""
    rng = np.random.default_rng(0)
    mix = rng.normal(size=(FEATURES, FEATURES)) / np.sqrt(FEATURES)
    weights = rng.normal(size=FEATURES)
    made = []
    for _ in range(max(2, HELD // n)):
        x = rng.normal(size=(n, FEATURES)) @ mix + mean
        made.append((x.astype(dtype), x @ weights + rng.normal(size=n)))
    return made


def peak(anew=False):
    """Return the bytes that this process has held at most: ever, or since it was asked to begin anew."""
    if anew:
        with open("/proc/self/clear_refs", "w") as file:
            file.write("5")
    with open("/proc/self/status") as file:
        return next(1024 * int(line.split()[1]) for line in file if line.startswith("VmHWM"))


def seconds(function, *arguments):
    """Return the seconds that a call takes."""
    start = time.perf_counter()
    function(*arguments)
    return time.perf_counter() - start


def product(x, dtype=None):
    """Return the products of all columns with all, as NumPy makes them."""
    x = x if dtype is None else x.astype(dtype)
    return x.T @ x


def main():
    """Read the options, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=10_000_000, help="how many (%(default)s)")
    parser.add_argument("--chunk", type=int, default=100_000, help="how many a call (%(default)s)")
    parser.add_argument("--float32", action="store_true", help="rows of float32")
    parser.add_argument("--mean", type=float, default=1.0, help="of features that deviate by 1 (%(default)s)")
    options = parser.parse_args()
    dtype = np.float32 if options.float32 else np.float64
    given, calls = chunks(options.chunk, dtype, options.mean), options.rows // options.chunk
    model = AnalyticRegressor()

    turns = {"partial_fit": model.partial_fit, "chunk.T @ chunk": lambda x, y: product(x)}
    if options.float32:
        turns["in float64"] = lambda x, y: product(x, np.float64)
    for turn in turns.values():
        turn(*given[0])
    before, times = peak(anew=True), {name: [] for name in turns}
    for k in range(calls):
        for after, (name, turn) in enumerate(turns.items()):  # each gets rows that the others left alone
            times[name].append(seconds(turn, *given[(k + after) % len(given)]))
    after = peak()

    print(f"{calls * options.chunk:,} rows of {FEATURES} features about {options.mean:g}, {np.dtype(dtype)}")
    print(f"{'':16}      rows/s  ms a call: median   ratio, of medians")
    ours = times["partial_fit"]
    for name, of_calls in times.items():
        rate, median = calls * options.chunk / sum(of_calls), 1e3 * np.median(of_calls)
        ratio = sum(ours) / sum(of_calls), np.median(ours) / np.median(of_calls)
        print(f"{name:16}{rate:12,.0f}  {median:17.2f}   {ratio[0]:5.2f}  {ratio[1]:9.2f}")
    print(f"peak memory {after / 1e6:.1f} MB, {before / 1e6:.1f} MB after the first call")


if __name__ == "__main__":
    main()
