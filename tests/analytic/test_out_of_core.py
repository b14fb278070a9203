"""Rows that lie in a file, and never in memory: a `numpy.memmap` is read block by block."""

from pathlib import Path

import numpy as np
import pytest

from incrlearn import AnalyticRegressor

from ..processes import run_python

FEATURES, MB = 40, 2**20
SIZE, ALLOWED = 200 * MB, 60 * MB

#: learns a whole file in one call; prints by how many bytes the memory that is no file's grew meanwhile, what
#: the process held at most, pages of the file included, how many rows it learned, and the coefficients
LEARN = """
import threading
import numpy as np
from incrlearn import AnalyticRegressor

def memory(name):
    with open("/proc/self/status") as file:
        return next(1024 * int(line.split()[1]) for line in file if line.startswith(name))

x = np.memmap({path!r}, {dtype!r}, "r").reshape(-1, {features})
y = np.arange(len(x)) % 97.0
AnalyticRegressor().fit(x[:5000], y[:5000]).coef_  # imports what is imported late
before, seen, done = memory("RssAnon"), [], threading.Event()

def watch():
    while not done.wait(0.002):
        seen.append(memory("RssAnon"))

watcher = threading.Thread(target=watch)
watcher.start()
model = AnalyticRegressor().partial_fit(x, y)
done.set()
watcher.join()
print(max(seen) - before, memory("VmHWM"), model.n_samples_seen_, *model.coef_)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux says how much memory is held")
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_file_is_learned_in_one_call_without_being_copied_and_gives_what_chunks_give(dtype, tmp_path):
    path, chunk = tmp_path / "rows", SIZE // 10 // 8 // FEATURES
    scale = np.arange(1, FEATURES + 1)
    some = np.random.default_rng(0).normal(3, scale, (chunk, FEATURES)).astype(dtype)
    n = SIZE // some.nbytes * chunk
    with path.open("wb") as file:
        for _ in range(n // chunk):
            some.tofile(file)
    printed = run_python(LEARN.format(path=str(path), dtype=dtype, features=FEATURES), OMP_NUM_THREADS="1")
    grown, peak, learned, *coef = (float(number) for number in printed.split())
    print(f"{dtype}: RssAnon grew by {grown / MB:.1f} MB, VmHWM is {peak / MB:.0f} MB")
    assert learned == n
    assert grown < ALLOWED
    model, y = AnalyticRegressor(), np.arange(n) % 97.0
    for start in range(0, n, chunk):
        model.partial_fit(some, y[start : start + chunk])
    assert np.abs(model.coef_ - coef).max() < 1e-10 * np.abs(model.coef_).max()
