"""The comparison: every method learns the same tasks from the same first network, and is asked about all.

R[i, j] = accuracy on task j after learning task i
"""

import dataclasses
import math
import platform
import time
from dataclasses import dataclass, field

import numpy as np

from .. import _checks, analytic
from ..learning import METHODS, Learner, method
from ..network import Adam, Network
from . import metrics
from .datasets import load
from .scenarios import KINDS, VARIANTS


@dataclass(frozen=True)
class Settings:
    """What is compared, on what, and how. Every field is an option of `incrlearn compare`.

    Parameters
    ----------
    data : str
        "digits", "mnist", or the path of a .npz or .csv file.
    variant : {"split", "permuted", "rotated"}
        How the data become tasks.
    scenario : {"class", "task", "domain"}
        What the learner is told, and what competes.
    tasks : int
        How many tasks, ≥ 1.
    methods : tuple of str, optional
        As `incrlearn.learning.method` or `incrlearn.analytic.analytic_method` reads them; all that serve the
        scenario when None.
    seeds : int
        How many runs of each method, ≥ 1, with the seeds 0, 1, … A seed draws the order of classes, the
        permutations, the first network and the batches: the same for every method.
    hidden : tuple of int
        Widths of the hidden layers.
    epochs : int
        How often a task's samples are gone through.
    batch_size : int
    learning_rate : float
        Of Adam.

    Raises
    ------
    TypeError, ValueError
        If an entry is not what is asked for.

    Examples
    --------
    >>> Settings(tasks=2, methods=("none", "replay")).hidden
    (100,)
    """

    data: str = "digits"
    variant: str = "split"
    scenario: str = "class"
    tasks: int = 5
    methods: tuple | None = None
    seeds: int = 1
    hidden: tuple = (100,)
    epochs: int = 20
    batch_size: int = 32
    learning_rate: float = 0.001

    def __post_init__(self):
        _checks.choice("variant", self.variant, VARIANTS)
        _checks.choice("scenario", self.scenario, dict.fromkeys(KINDS))
        for name in ("tasks", "seeds", "epochs", "batch_size"):
            _checks.count(name, getattr(self, name))
        for width in self.hidden:
            _checks.count("hidden", width)
        _checks.positive("learning_rate", self.learning_rate)
        if self.methods is None:
            object.__setattr__(self, "methods", serving(self.scenario))
        if not self.methods:
            raise ValueError("methods must name at least one method")
        for name in self.methods:
            refusal = _refusal(name, self.scenario)
            if refusal:
                raise ValueError(f"{name} can not take part: {refusal}")
        if len(set(self.methods)) < len(self.methods):
            raise ValueError(f"methods must not name a method twice, got {', '.join(self.methods)}")


def serving(scenario):
    """Return the names of all methods that serve a scenario: those of networks, and closed forms.

    Examples
    --------
    >>> [name for name in serving("task") if name not in serving("domain")]
    ['xdg', 'separate']
    """
    return tuple(name for name in (*METHODS, *analytic.METHODS) if _refusal(name, scenario) is None)


def _refusal(name, scenario):
    """Say why a method can not serve a scenario, or return None."""
    if analytic.is_analytic(name):
        analytic.analytic_method(name)  # refuses what it can not read
        return None
    return method(name).refusal(scenario)


@dataclass(frozen=True)
class Run:
    """One method's way through the tasks, with one seed.

    matrix : ndarray (t, t), R, NaN where not measured; baseline : ndarray (t,), accuracy of the untrained
    network on every task, NaN where not measured; seconds : float, spent in learning; held : dict, the bytes
    that the method holds in the end, as `Learner.held_bytes` counts them.
    """

    method: str
    seed: int
    matrix: np.ndarray
    baseline: np.ndarray
    seconds: float
    held: dict = field(default_factory=dict)


def prepare(settings):
    """Read the data of a comparison; columns that are not pixels are brought to mean 0, deviation 1.

    Parameters
    ----------
    settings : Settings

    Returns
    -------
    Dataset

    Raises
    ------
    ValueError, FileNotFoundError
        If there are no such data.
    """
    dataset = load(settings.data)
    return dataset if dataset.image_shape else _standardized(dataset)


def compare(settings, dataset=None, on_task=lambda name, seed, task: None):
    """Run every method with every seed.

    Parameters
    ----------
    settings : Settings
    dataset : Dataset, optional
        What `prepare(settings)` returned; read anew when None.
    on_task : function, optional
        Called with the method's name, the seed and the number of the task after every task.

    Returns
    -------
    iterator of Run
        Each as soon as it is done.

    Raises
    ------
    ValueError, FileNotFoundError
        If there are no such data, or they can not be made into such tasks.

    Examples
    --------
    >>> runs = list(compare(Settings(tasks=2, methods=("none", "replay"), epochs=5)))
    >>> [(run.method, run.matrix.shape) for run in runs]
    [('none', (2, 2)), ('replay', (2, 2))]
    """
    dataset = prepare(settings) if dataset is None else dataset
    first = _scenario(settings, dataset, 0)  # at once: what can not be done is refused before any work
    return _runs(settings, dataset, first, on_task)


def run(learner, scenario, on_task=lambda task: None):
    """Let a learner learn the tasks one after another, and measure it after each.

    Parameters
    ----------
    learner : object with `learn(x, y, task)` and `score(x, y, task)`
    scenario : Scenario
    on_task : function, optional
        Called with the number of the task after every task.

    Returns
    -------
    matrix : ndarray of shape (t, t)
        R. In a "domain" scenario tasks not yet learned are measured too; otherwise those are NaN: there
        are no outputs for them.
    seconds : float
        Spent in learning.
    """
    t = len(scenario.tasks)
    matrix, seconds = np.full((t, t), np.nan), 0.0
    for i, task in enumerate(scenario.tasks):
        start = time.perf_counter()
        learner.learn(task.x, task.y, task.id)
        seconds += time.perf_counter() - start
        known = scenario.tasks if scenario.kind == "domain" else scenario.tasks[: i + 1]
        matrix[i, : len(known)] = [_accuracy(learner, task) for task in known]
        on_task(i)
    return matrix, seconds


def run_method(name, scenario, seed, settings, on_task=lambda name, seed, task: None, **pace):
    """Let a fresh learner learn the tasks of a scenario by a method, with what is drawn from the seed.

    In a domain scenario the outputs are known, and the untrained network is measured too; otherwise the head
    grows.

    Parameters
    ----------
    name : str
        As in `Settings`.
    scenario : Scenario
    seed : int
    settings : object with hidden, batch_size and learning_rate
    on_task : function, optional
        As for `compare`.
    pace : dict
        epochs or steps, as for `Learner`.

    Returns
    -------
    Run
    """
    baseline = np.full(len(scenario.tasks), np.nan)
    if analytic.is_analytic(name):  # knows nothing before it has learned: there is no baseline
        learner = analytic.analytic_method(name)
        learner.seed = seed
        matrix, seconds = run(_Solving(learner), scenario, lambda task: on_task(name, seed, task))
        return Run(name, seed, matrix, baseline, seconds, learner.held_bytes())
    rng, first, is_domain = np.random.default_rng([seed, 1]), scenario.tasks[0], scenario.kind == "domain"
    learner = Learner(
        Network.mlp(first.x.shape[1], *settings.hidden, 0, rng=rng),
        name,
        rng=rng,
        optimizer=Adam(settings.learning_rate),
        batch_size=settings.batch_size,
        classes=np.unique(first.y) if is_domain else None,
        **pace,
    )
    if is_domain:
        baseline[:] = [_accuracy(learner, task) for task in scenario.tasks]
    matrix, seconds = run(learner, scenario, lambda task: on_task(name, seed, task))
    return Run(name, seed, matrix, baseline, seconds, learner.held_bytes())


class _Solving:
    """A closed form that is solved as soon as it has learned: that is part of its price."""

    def __init__(self, learner):
        self.learner, self.score = learner, learner.score

    def learn(self, x, y, task):
        self.learner.learn(x, y, task)
        return self.learner.solution


def measures(run, reference=None):
    """Return every metric of a run by its name.

    Parameters
    ----------
    run : Run
    reference : Run, optional
        The run of `joint` with the same seed, to which intransigence is relative.

    Returns
    -------
    dict of str to float
        NaN for what is not defined: transfer and forgetting of a single task, forward transfer where tasks
        not yet learned can not be asked for, intransigence without a reference, bytes that nobody counted.
    """
    R = run.matrix
    return {
        "average_accuracy": metrics.average_accuracy(R),
        "average_incremental_accuracy": metrics.average_incremental_accuracy(R),
        "forgetting": metrics.forgetting(R),
        "backward_transfer": metrics.backward_transfer(R),
        "forward_transfer": (
            math.nan if np.isnan(run.baseline).any() else metrics.forward_transfer(R, run.baseline)
        ),
        "intransigence": (
            math.nan if reference is None else metrics.intransigence(R, reference.matrix.diagonal())
        ),
        "seconds": run.seconds,
        "sample_bytes": run.held.get("samples", math.nan),
        "other_bytes": run.held.get("other", math.nan),
    }


def summarize(runs):
    """Return a row for every method, best average accuracy first: mean and standard error over the seeds.

    Parameters
    ----------
    runs : list of Run

    Returns
    -------
    list of (str, dict of str to (float, float))
        The method's name, and (mean, standard error) of every measure.
    """
    by_method = {}
    for run, measured in _measured(runs):
        by_method.setdefault(run.method, []).append(measured)
    rows = [
        (name, {key: metrics.mean_and_error([m[key] for m in of_seeds]) for key in of_seeds[0]})
        for name, of_seeds in by_method.items()
    ]
    return sorted(rows, key=lambda row: -row[1]["average_accuracy"][0])


def report(settings, runs):
    """Return everything about a comparison as plain lists, dictionaries, numbers and strings, for JSON.

    Parameters
    ----------
    settings : Settings
    runs : list of Run

    Returns
    -------
    dict
        NaN, what is not defined or was not measured, is None.
    """
    return {
        "settings": dataclasses.asdict(settings),
        "versions": versions(),
        "summary": [
            {"method": name} | {key: plain(pair) for key, pair in row.items()}
            for name, row in summarize(runs)
        ],
        "runs": [
            {
                "method": run.method,
                "seed": run.seed,
                "accuracy_matrix": [plain(row) for row in run.matrix],
                "baseline": plain(run.baseline),
                "measures": dict(zip(measured, plain(measured.values()), strict=True)),
            }
            for run, measured in _measured(runs)
        ],
    }


def _measured(runs):
    """Return every run with its measures, relative to the run of `joint` with its seed, if there is one."""
    joint = {run.seed: run for run in runs if run.method == "joint"}
    return [(run, measures(run, joint.get(run.seed))) for run in runs]


def _standardized(dataset):
    """Return the dataset with columns of mean 0 and deviation 1 over the training part."""
    mean, deviation = dataset.x.mean(axis=0), dataset.x.std(axis=0)
    deviation = np.where(deviation > 0, deviation, 1)
    x, x_test = ((part - mean) / deviation for part in (dataset.x, dataset.x_test))
    return dataclasses.replace(dataset, x=x, x_test=x_test)


def _runs(settings, dataset, scenario, on_task):
    for seed in range(settings.seeds):
        if seed:
            scenario = _scenario(settings, dataset, seed)
        for name in settings.methods:
            yield run_method(name, scenario, seed, settings, on_task, epochs=settings.epochs)


def _scenario(settings, dataset, seed):
    make = VARIANTS[settings.variant]
    return make(dataset, settings.tasks, settings.scenario, np.random.default_rng([seed, 0]))


def _accuracy(learner, task):
    return learner.score(task.x_test, task.y_test, task.id)


def plain(values):
    """Return numbers as JSON has them: what is not defined, NaN, is None."""
    return [None if math.isnan(value) else float(value) for value in values]


def versions():
    """Return what the numbers were made with, for JSON."""
    import scipy

    from .. import __version__

    return {
        "incrlearn": __version__,
        "numpy": np.__version__,
        "scipy": scipy.__version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
    }
