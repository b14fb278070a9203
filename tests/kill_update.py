"""Kill `incrlearn update` at random moments, and look at the model that is left.

    python -m tests.kill_update 200

Each time the same update of the same model is started and killed (SIGKILL) somewhere between its start and
a little after its end. What is then found must be a model that loads: the old or the new, byte for byte.
"""

import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np

from incrlearn import IncrementalClassifier, load

ROWS, COLUMNS = 200, 8


def table(path, rng, labels):
    """Write a CSV of points around a corner for each label."""
    y = rng.choice(labels, ROWS)
    x = rng.normal(size=(ROWS, COLUMNS)) + 3 * y[:, None]
    rows = zip(x, y, strict=True)
    lines = [",".join([*(f"{value:.4f}" for value in row), f"c{label}"]) for row, label in rows]
    names = ",".join([*(f"x{k}" for k in range(COLUMNS)), "label"])
    path.write_text("\n".join([names, *lines]) + "\n")


def update(model, data):
    """Start the command, as a user would."""
    command = [sys.executable, "-m", "incrlearn", "update", str(model), str(data)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def kill_often(folder, times, rng):
    """Kill `times` updates; return how often the old and how often the new model was found."""
    model, data = folder / "m.npz", folder / "new.csv"
    table(data, rng, [2, 3])
    first = IncrementalClassifier(n_epochs=3, random_state=0)
    first.fit(rng.normal(size=(50, COLUMNS)), ["c0", "c1"] * 25)
    first.notes_ = {"target": "label"}
    first.save(model)
    old = model.read_bytes()
    started = time.perf_counter()
    process = update(model, data)
    assert process.wait() == 0, process.stderr.read().decode()
    process.stderr.close()
    seconds = time.perf_counter() - started
    new = model.read_bytes()
    found = Counter()
    for _ in range(times):
        model.write_bytes(old)
        with update(model, data) as process:
            # half of them in the last fifth, where the file is written
            late = rng.random() < 0.5
            time.sleep(seconds * (rng.uniform(0.8, 1.1) if late else rng.uniform(0, 0.8)))
            process.kill()
        left = model.read_bytes()
        load(model)
        found["old" if left == old else "new" if left == new else "other"] += 1
    return found


def main():
    """Kill as often as the command line says, and print what was found."""
    times = int(sys.argv[1])
    with tempfile.TemporaryDirectory() as folder:
        found = kill_often(Path(folder), times, np.random.default_rng(0))
    print(f"{times} updates killed: " + ", ".join(f"{n} times the {kind} model" for kind, n in found.items()))


if __name__ == "__main__":
    main()
