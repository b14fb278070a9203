"""Kill a process at random moments while it learns and saves without a pause, and look at what is left.

    python -m tests.kill_save 200

Each time a process is started that goes on with the model in the file: `partial_fit`, `save`, and again. It
is killed (SIGKILL) after a random while. The file must then hold the model as it was after one of the
updates, to the last bit. A temporary file that is left behind says that the kill came while one was written.
"""

import json
import os
import signal
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from incrlearn import IncrementalClassifier, load

from .saved import bits

ROWS, COLUMNS, LONGEST = 20, 200, 0.08


def update(model):
    """Learn a few rows that depend on nothing but how often the model has learned."""
    rng = np.random.default_rng(model.n_updates_)
    return model.partial_fit(rng.normal(size=(ROWS, COLUMNS)), rng.integers(0, 3, ROWS))


def learn_and_save(path, ready):
    """Learn and save for ever, once it is said that all is ready."""
    model = load(path)
    os.write(ready, b"!")
    while True:
        update(model).save(path)


def kill_often(folder, times, rng):
    """Kill `times` processes; return how often a new model was found, or one half written."""
    path = folder / "model.npz"
    model = IncrementalClassifier(hidden_layer_sizes=(5,), n_epochs=1, random_state=0, memory_size=300)
    model.partial_fit(np.zeros((1, COLUMNS)), [0]).save(path)
    advanced, writing = 0, 0
    for kill in range(times):
        waiting, ready = os.pipe()
        child = os.fork()
        if not child:
            try:
                learn_and_save(path, ready)
            finally:
                os._exit(1)  # only an error comes here
        os.close(ready)
        os.read(waiting, 1)
        os.close(waiting)
        time.sleep(rng.uniform(0, LONGEST))
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        if not os.WIFSIGNALED(status):
            raise AssertionError(f"kill {kill}: the process had failed before")
        found, before = load(path), model.n_updates_
        while model.n_updates_ < found.n_updates_:
            update(model)
        if bits(vars(found)) != bits(vars(model)):
            raise AssertionError(f"kill {kill}: neither the old model nor a new one")
        advanced += found.n_updates_ > before
        left = [name for name in os.listdir(folder) if name != path.name]
        if any(not name.startswith(f".{path.name}.") for name in left) or len(left) > 1:
            raise AssertionError(f"kill {kill}: it has left {left}")
        writing += len(left)
        for name in left:
            (folder / name).unlink()
    return {
        "kills": times,
        "updates": model.n_updates_,
        "advanced": advanced,
        "killed while writing": writing,
    }


def main():
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(kill_often(Path(folder), int(sys.argv[1]), np.random.default_rng())))


if __name__ == "__main__":
    main()
