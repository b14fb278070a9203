"""incrlearn: what a user calls, as it is called."""

import copy
import dataclasses
import itertools
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from importlib import metadata
from pathlib import Path

import numpy as np

import incrlearn
from incrlearn import SGD, Adam, IncrementalClassifier, Learner, Network
from incrlearn._allocation import keep_freed_memory
from incrlearn.analytic.recursive import RecursiveLeastSquares
from incrlearn.benchmark import reproduction
from incrlearn.learning import importance
from incrlearn.learning.samples import Classes, Samples

from ... import streaming
from .. import data, processes
from ..rounds import ROOT
from . import STEPS, Work

FOREVER = 10**9


def _learner(widths, optimizer="sgd", batch=128, method="none", steps=FOREVER):
    network = Network.mlp(*widths, rng=np.random.default_rng(0))
    network.theta = data.theta_of(data.parameters(widths))
    return Learner(
        network,
        method,
        rng=np.random.default_rng(0),
        optimizer={"sgd": SGD, "adam": Adam}[optimizer](STEPS[optimizer]),
        batch_size=batch,
        steps=steps,
        classes=range(widths[-1]),
    )


def step(widths, batch, optimizer):
    """A step of learning, as the library's own loop takes it."""
    learner = _learner(widths, optimizer, batch)
    steps = learner.learn_steps(*data.samples_for(widths))
    return Work(lambda: next(steps), outcome=lambda: learner.network.theta.copy())


def predict(widths, rows):
    """Labels for rows, from an array to an array."""
    learner = _learner(widths)
    x, _ = data.rows_like_digits(rows, widths[0], widths[-1])
    return Work(lambda: learner.predict(x), outcome=lambda: learner.predict(x))


def rows(learner):
    """One row: "exact", recursive least squares, or "softmax", the step of a linear classifier."""
    if learner == "softmax":
        return step((64, 10), 1, "sgd")
    x, y = streaming.take(data.SAMPLES)
    pairs = itertools.cycle(zip(list(x), y.tolist(), strict=True))
    model = RecursiveLeastSquares(streaming.FEATURES)
    return Work(lambda: model.update(*next(pairs)))


def terms(widths, batch, optimizer, method):
    """A step of a method in its second task of two."""
    x, y = data.samples_for(widths)
    learner = _learner(widths, optimizer, batch, method, steps=20)
    learner.learn(x, y)
    learner.steps = FOREVER
    steps = learner.learn_steps(x, y)
    return Work(lambda: next(steps))


def fisher(widths, samples):
    """The exact Fisher information of samples."""
    network = _learner(widths).network
    x, y = data.rows_like_digits(samples, widths[0], widths[-1])
    batch = Classes(range(widths[-1])).batch(Samples(x, y, np.full(samples, -1)))

    def unit():
        return importance.fisher(network, batch)

    return Work(unit, outcome=unit)


def growth(widths):
    """A class more, and the next step of Adam, whose state has to follow; the original stays as it was."""
    rng = np.random.default_rng(0)
    keep_freed_memory()  # as a learner does when it begins its first task
    original = _learner(widths).network
    adam = Adam(STEPS["adam"])
    adam.step(original.theta, np.ones_like(original.theta))
    gradient = np.ones(len(original.theta) + widths[-2] + 1, np.float32)

    def unit():
        network, optimizer = original.over(original.theta), copy.copy(adam)
        network.grow(1, rng)
        optimizer.step(network.theta, gradient)
        return network.theta

    return Work(unit, outcome=unit)


def runs(method, steps):
    """A whole run of Split MNIST, class-incremental, as `incrlearn reproduce` has it; data are read first."""
    cell = reproduction.Cell(method, "class", 0, reproduction.ROWS[method].text("class"), steps=steps)
    reproduction.run_cell(dataclasses.replace(cell, text="none", steps=1))
    return Work(lambda: reproduction.run_cell(cell))


def startup(what):
    """A process, from its start to its end; see `codes`."""
    return processes.started(codes(processes.FOLDER)[what])


def memory(what):
    """The peak memory of a process, in MB; see `codes`."""
    return processes.peak(codes(processes.FOLDER)[what])


def codes(folder):
    """Return the code of every process whose start or memory is measured; what it loads is in that folder."""
    model = str(Path(folder, "m.npz"))
    x, y = processes.digits(folder)
    if not Path(model).exists():
        IncrementalClassifier(n_epochs=1, random_state=0).fit(np.load(x), np.load(y)).save(model)
    return {
        "python": "pass",
        "import numpy": "import numpy",
        "import incrlearn": "import incrlearn",
        "predict": f"import incrlearn; incrlearn.load({model!r}).predict([[0.0] * 64])",
        "train": f"""
import numpy as np
from incrlearn import IncrementalClassifier
x, y = np.load({x!r}), np.load({y!r})
model = IncrementalClassifier(random_state=0)
for digit in range(10):
    model.partial_fit(x[y == digit], y[y == digit])
""",
    }


def size(what):
    """Megabytes: of the wheel, or of an installed distribution."""
    return Work(lambda: (_wheel() if what == "wheel" else _installed(what)) / 1e6)


def _wheel():
    """Return the bytes of the wheel, built from a copy: building leaves things behind."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "source")
        source.mkdir()
        for name in ("pyproject.toml", "setup.cfg", "README.md", "LICENSE"):
            shutil.copy(ROOT / name, source)
        shutil.copytree(ROOT / "incrlearn", source / "incrlearn")
        command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", folder, str(source)]
        subprocess.run(command, check=True)
        (wheel,) = Path(folder).glob("*.whl")
        return wheel.stat().st_size


def _installed(name):
    """Return the bytes of all files of a distribution but compiled ones; of ours, those of the package."""
    if name == "incrlearn":
        files = [path for path in Path(incrlearn.__file__).parent.rglob("*") if path.suffix != ".pyc"]
    else:
        files = [path.locate() for path in metadata.files(name) if path.suffix != ".pyc"]
    return sum(Path(path).stat().st_size for path in files if Path(path).is_file())


def tasks(method):
    """What the tasks 91 to 100 cost in ratio to the tasks 11 to 20, medians."""

    def unit():
        learner = _learner((64, 100, 10), "adam", 32, method, steps=10)
        seconds = []
        for k in range(100):
            x, y = data.rows_like_digits(256, 64, 10, seed=k)
            start = time.perf_counter()
            learner.learn(x, y)
            seconds.append(time.perf_counter() - start)
        return statistics.median(seconds[90:]) / statistics.median(seconds[10:20])

    return Work(unit)


def estimator(widths, batch):
    """4096 rows learned by the estimator with its defaults, and as many replayed."""
    x, y = data.rows_like_digits(4096, widths[0], widths[-1])
    model = IncrementalClassifier(
        hidden_layer_sizes=widths[1:-1], batch_size=batch, n_epochs=1, random_state=0
    )
    return Work(lambda: model.partial_fit(x, y))
