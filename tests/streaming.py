"""Rows that come one at a time: python -m tests.streaming [--rows N] [--long [N]]

Without --long: how many rows of 50 features a second recursive least squares learns, and River's linear
regression, on the same rows, by turns. Each gets its rows as it likes them, arrays or dictionaries, which are
made before the clock runs. With --long: how exact the solution still is after N rows, or 10 million.
"""

import argparse
import itertools
import statistics
import time

import numpy as np

from incrlearn.analytic.recursive import RecursiveLeastSquares

FEATURES, ROUNDS, ROWS, LONG, BLOCK = 50, 7, 20_000, 10_000_000, 10_000


def stream(seed=0):
    """Yield blocks of rows of correlated features about a mean that is not 0, and noisy targets, for ever."""
    rng = np.random.default_rng(seed)
    mix = rng.normal(size=(FEATURES, FEATURES)) / np.sqrt(FEATURES)
    weights = rng.normal(size=FEATURES)
    while True:
        x = rng.normal(size=(BLOCK, FEATURES)) @ mix + 1
        yield x, x @ weights + 3 + rng.normal(size=BLOCK)


def take(n, seed=0):
    """Return the first n rows of the stream, and their targets."""
    blocks = itertools.islice(stream(seed), -(-n // BLOCK))
    x, y = (np.concatenate(parts) for parts in zip(*blocks, strict=True))
    return x[:n], y[:n]


def learners():
    """Return for every learner a function that makes one and returns its call, and what makes its rows."""

    def named(x):
        return [dict(enumerate(row)) for row in x.tolist()]

    ours = {
        "incrlearn, exact": (lambda: RecursiveLeastSquares(FEATURES).update, list),
        "incrlearn, γ = 0.999": (lambda: RecursiveLeastSquares(FEATURES, forgetting=0.999).update, list),
    }
    try:
        from river import linear_model
    except ImportError:
        print("River is not installed (pip install river), so ours is measured alone.")
        return ours
    return ours | {
        "River, LinearRegression (SGD)": (lambda: linear_model.LinearRegression().learn_one, named),
        "River, BayesianLinearRegression": (lambda: linear_model.BayesianLinearRegression().learn_one, named),
    }


def seconds(learn, rows, targets):
    """Return how long learning these rows took, one at a time."""
    start = time.perf_counter()
    for row, target in zip(rows, targets, strict=True):
        learn(row, target)
    return time.perf_counter() - start


def rates(n):
    """Measure and print rows a second: medians of rounds in which every learner has its turn."""
    x, y = take(n)
    targets = y.tolist()
    table = {name: (make, view(x), []) for name, (make, view) in learners().items()}
    for _ in range(ROUNDS):
        for make, rows, times in table.values():
            times.append(seconds(make(), rows, targets) / n)
    print(f"{FEATURES} features, one row a call, {n:,} rows, median of {ROUNDS} rounds")
    print(f"{'':32}   rows/s   µs a row: median, fastest, slowest")
    for name, (_, _, times) in table.items():
        median = statistics.median(times)
        row = [f"{1e6 * value:8.1f}" for value in (median, min(times), max(times))]
        print(f"{name:32} {1 / median:8,.0f}          ", *row)


def exactness(n):
    """Learn n rows one at a time; print how far W and P are from the solution of all at once.

    That solution comes from QR, block after block. Its error is 1e-16 times the condition of the rows; with
    sums of squares it would be 1e-16 times the square of that, and larger than what is to be seen.
    """
    model, spent = RecursiveLeastSquares(FEATURES), 0.0
    size = FEATURES + 1
    root = np.eye(size, size + 1)  # of the rows (z, y) so far, and the penalty's
    for x, y in itertools.islice(stream(), n // BLOCK):
        spent += seconds(model.update, x, y.tolist())
        rows = np.column_stack([x, np.ones(BLOCK), y])
        root = np.linalg.qr(np.vstack([rows, root]), mode="r")
    inverse = np.linalg.inv(root[:size, :size])
    exact, covariance, P = inverse @ root[:size, size], inverse @ inverse.T, model.covariance
    off = np.append(model.coef_, model.intercept_) - exact
    eigenvalues = 1 / np.linalg.svd(root[:size, :size], compute_uv=False) ** 2
    print(f"{model.n_rows:,} rows one at a time, {model.n_rows / spent:,.0f} a second")
    print(f"relative error of W      {np.linalg.norm(off) / np.linalg.norm(exact):.1e}")
    print(f"relative error of P      {np.linalg.norm(P - covariance) / np.linalg.norm(covariance):.1e}")
    print(f"P's smallest eigenvalue  {np.linalg.eigvalsh(P).min():.9e}, exactly {eigenvalues.min():.9e}")
    print(f"P's largest eigenvalue   {np.linalg.eigvalsh(P).max():.9e}, exactly {eigenvalues.max():.9e}")
    print(f"asymmetry max |P − Pᵀ|   {np.abs(P - P.T).max():.1e}")


def main():
    """Read the options, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=ROWS, help="rows of a round (%(default)s)")
    parser.add_argument("--long", type=int, nargs="?", const=LONG, metavar="N", help="exactness after N rows")
    options = parser.parse_args()
    if options.long is None:
        rates(options.rows)
    else:
        exactness(options.long)


if __name__ == "__main__":
    main()
