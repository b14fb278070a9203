"""What it costs to embed the package: python -m tests.embedding prints the tables of docs/embedding.md.

Start-up is measured as medians of processes started in turn, memory as their peak (VmHWM, Linux), a step of
learning with one and with two threads of BLAS.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from incrlearn import IncrementalClassifier
from incrlearn.benchmark import datasets

PEAK = "; print(next(line for line in open('/proc/self/status') if line.startswith('VmHWM')).split()[1])"
STEP = """
import time, numpy as np
from incrlearn import IncrementalClassifier
rng = np.random.default_rng(0)
x, y = rng.random((4096, {inputs}), np.float32), rng.integers(10, size=4096)
model = IncrementalClassifier(hidden_layer_sizes={hidden}, batch_size={batch}, n_epochs=1, random_state=0)
model.partial_fit(x, y)
seconds = []
for _ in range(3):
    start = time.perf_counter()
    model.partial_fit(x, y)
    seconds.append(time.perf_counter() - start)
print(min(seconds) / (4096 / {batch}))
"""


def run(code, threads=1):
    """Run Python code in a process of its own; return its seconds and what it printed."""
    names = "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"
    environment = {**os.environ, **dict.fromkeys(names, str(threads))}
    start = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    return time.perf_counter() - start, done.stdout


def start_ups(model):
    """Return the code of every process whose start is measured."""
    return {
        "python": "pass",
        "import numpy": "import numpy",
        "import incrlearn": "import incrlearn",
        "load a model, predict a row": (
            f"import incrlearn; incrlearn.load({str(model)!r}).predict([[0.0] * 64])"
        ),
    }


def print_start_up(model):
    """Print the time from a process's start to its first prediction, and its memory."""
    codes = start_ups(model)
    seconds = {name: [] for name in codes}
    for _ in range(15):
        for name, code in codes.items():
            seconds[name].append(run(code)[0])
    numpy = statistics.median(seconds["import numpy"])
    print(f"{'process':<30}{'ms':>6}{'ratio':>8}{'MB':>6}")
    for name, code in codes.items():
        median, peak = statistics.median(seconds[name]), int(run(code + PEAK)[1]) / 1000
        print(f"{name:<30}{1000 * median:6.0f}{median / numpy:8.2f}{peak:6.0f}")


def print_steps():
    """Print the time of a step, replay included, with one thread and with two."""
    print(f"\n{'one step, replay included':<30}{'1 thread':>10}{'2 threads':>11}  (ms)")
    for inputs, hidden, batch in ((64, (100,), 32), (784, (100,), 32), (784, (400, 400), 128)):
        code = STEP.format(inputs=inputs, hidden=hidden, batch=batch)
        one, two = (1000 * float(run(code, threads)[1]) for threads in (1, 2))
        name = f"{'-'.join(map(str, (inputs, *hidden, 10)))}, batch {batch}"
        print(f"{name:<30}{one:10.2f}{two:11.2f}")


def main():
    """Print both tables."""
    digits = datasets.load("digits")
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / "m.npz"
        learned = IncrementalClassifier(random_state=0).fit(digits.x.astype(np.float32), digits.y)
        learned.save(model)
        print(f"model of the digits: {model.stat().st_size / 1000:.0f} kB\n")
        print_start_up(model)
    print_steps()


if __name__ == "__main__":
    main()
