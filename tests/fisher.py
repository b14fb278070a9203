"""What the exact Fisher information costs, ours beside a loop over samples: python -m tests.fisher

12,000 samples like MNIST's on 784-400-400-10 in float32: as many as a task of Split MNIST has. The loop asks
for the gradient of every class of every sample, as one has to where gradients come from automatic
differentiation; it is timed on the first 200 samples and scaled, and compared on those.
"""

import time

import numpy as np

from incrlearn import Network
from incrlearn.formulas import softmax
from incrlearn.learning.importance import fisher
from incrlearn.learning.samples import Classes, Samples

SAMPLES, LOOPED, CLASSES = 12_000, 200, 10


def rows_like_digits(n, rng):
    """Return rows of which a fifth is filled, with values in [0, 1], and a class for each."""
    y = rng.integers(CLASSES, size=n)
    filled = rng.random((CLASSES, 784)) < 0.2
    return (filled[y] * rng.random((n, 784))).astype(np.float32), y


def by_loop(network, x):
    """Return the Fisher information, one sample and one class at a time: 1/n Σᵢ Σ_c (√p_c ∂ log p_c/∂θ)²."""
    omega = np.zeros(len(network.theta))
    for row in x[:, None]:
        a = network.forward(row)
        p = softmax(a[-1].astype(np.float64))
        for c in range(CLASSES):
            gradient = network.backward(a, {-1: np.sqrt(p[0, c]) * (np.eye(CLASSES)[[c]] - p)})
            omega += np.square(gradient, out=gradient)
    return omega / len(x)


def timed(function, *arguments):
    """Return what the function returns, and the seconds it took."""
    start = time.perf_counter()
    return function(*arguments), time.perf_counter() - start


def main():
    """Measure and print."""
    rng = np.random.default_rng(0)
    x, y = rows_like_digits(SAMPLES, rng)
    network = Network.mlp(784, 400, 400, CLASSES, rng=rng)
    classes = Classes(range(CLASSES))

    def ours(n):
        return fisher(network, classes.batch(Samples(x[:n], y[:n], np.full(n, -1))))

    few = ours(LOOPED)
    loop, loop_seconds = timed(by_loop, network, x[:LOOPED])
    _, seconds = timed(ours, SAMPLES)
    scaled = loop_seconds * SAMPLES / LOOPED
    off = few - loop
    print(f"ours         {seconds:8.2f} s for {SAMPLES:,} samples")
    print(f"loop         {scaled:8.2f} s, from {loop_seconds:.2f} s for {LOOPED} samples")
    print(f"ratio      1/{scaled / seconds:.0f}")
    print(f"difference {np.linalg.norm(off) / np.linalg.norm(loop):10.1e} of the norm", end=", ")
    print(f"{np.abs(off).max() / loop.max():.1e} of the largest entry")


if __name__ == "__main__":
    main()
