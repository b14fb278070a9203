"""Split MNIST as published: every method of the table, in three scenarios, ours beside theirs.

    a cell = a method, a scenario, a seed          difference = our mean − published mean

The table is that of van de Ven, Tuytelaars and Tolias, "Three types of incremental learning", Nature Machine
Intelligence 4, 2022, and so is the protocol: MNIST in [0, 1], the classes shuffled by the seed, five tasks of
two; a network 784-400-400-c; Adam, learning rate 0.001; per task 2000 steps of 128 samples; test accuracy
averaged over the tasks after the last. Cells know nothing of one another: they run in parallel, and what is
finished is kept in files.
"""

import hashlib
import json
import math
import os
import signal
import threading
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import asdict, dataclass
from functools import lru_cache
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from .. import _checks
from ..storage import whole_file
from . import metrics
from .comparison import measures, plain, run_method, versions
from .datasets import load
from .scenarios import KINDS, split

TASKS = 5


@dataclass(frozen=True)
class Row:
    """A method of the published table.

    Parameters
    ----------
    method : str
        What we call it.
    page : str
        What the table calls it.
    published : tuple of float or None
        Test accuracy in %, in the scenarios task, domain and class; None where it does not serve one.
    texts : str, tuple of str, or None
        What `incrlearn.learning.method` reads, with the reference's settings: one text, or one a scenario.
        None: published, but not ours.
    hidden : tuple of int, optional
        Widths of the hidden layers, where they are not everyone's.

    Examples
    --------
    >>> ROWS["ewc"].text("domain"), ROWS["xdg"].scenarios
    ('ewc(strength=1e10)', ('task',))
    """

    method: str
    page: str
    published: tuple
    texts: str | tuple | None
    hidden: tuple | None = None

    def value(self, scenario):
        """Return the published value, or None."""
        return self.published[KINDS.index(scenario)]

    def text(self, scenario):
        """Return what is run in a scenario, or None."""
        if self.texts is None or self.value(scenario) is None:
            return None
        return self.texts if isinstance(self.texts, str) else self.texts[KINDS.index(scenario)]

    @property
    def scenarios(self):
        """The scenarios in which we can run it."""
        return tuple(kind for kind in KINDS if self.text(kind) is not None)


ROWS = {
    row.method: row
    for row in (
        # our name, theirs, published in % and what we run: (task, domain, class), or the same in all
        Row("none", "none", (84.3, 60.1, 19.9), "none"),
        Row("joint", "joint", (99.7, 98.6, 98.2), "joint"),
        Row("separate", "separate networks", (99.6, None, None), "separate", hidden=(100, 100)),
        Row("xdg", "XdG", (99.1, None, None), "xdg(share=0.9)"),
        Row(
            "ewc", "EWC", (99.1, 63.0, 20.6), ("ewc(strength=1e5)", "ewc(strength=1e10)", "ewc(strength=1e9)")
        ),
        Row("si", "SI", (99.2, 66.9, 21.2), ("si(c=10)", "si(c=5e4)", "si(c=5e3)")),
        Row("lwf", "LwF", (99.6, 71.2, 21.9), "lwf"),
        Row("fromp", "FROMP, 100 a class", (99.1, 84.9, 77.4), None),
        Row(
            "generative_replay",
            "DGR",
            (99.5, 95.6, 90.4),
            "generative_replay(hidden=(400, 400), latent=100, learning_rate=0.001)",
        ),
        Row(
            "bir",
            "BI-R",
            (99.6, 97.3, 94.4),
            "bir(hidden=(400, 400), latent=100, learning_rate=0.001, T=2)",
        ),
        Row(
            "replay",
            "ER, 100 a class",
            (99.0, 93.8, 88.8),
            "replay(per_class=100, alpha='1/k', per_task=True)",
        ),
        Row("agem", "A-GEM, 100 a class", (98.6, 87.7, 65.1), "agem(per_class=100, per_task=True)"),
        Row(
            "generative_classifier",
            "generative classifier",
            (None, None, 93.8),
            "generative_classifier(hidden=(85, 85, 85), latent=5, samples=50, learning_rate=0.001)",
        ),
        Row("icarl", "iCaRL, 100 a class", (None, None, 92.5), "icarl(per_class=100, T=2)"),
    )
}
#: methods whose runs take long, the longest first: they begin first, so that no worker is left alone with one
LONGEST = ("generative_classifier", "bir", "generative_replay")
LONGEST += ("icarl", "ewc", "agem", "replay", "lwf", "si")


@dataclass(frozen=True)
class Cell:
    """One run: all that it depends on, and nothing else.

    Parameters
    ----------
    method : str
        Its name in the table.
    scenario : {"task", "domain", "class"}
    seed : int
        Draws the order of the classes, the first network and the batches: the same for every method.
    text : str
        What `incrlearn.learning.method` reads.
    data : str
        As `incrlearn.benchmark.datasets.load` reads it.
    steps : int
        Of every task.
    batch_size : int
    hidden : tuple of int
        Widths of the hidden layers.
    learning_rate : float
        Of Adam.

    Examples
    --------
    >>> print(Cell("replay", "class", 0, "replay(per_class=100)"))
    replay, class, seed 0
    """

    method: str
    scenario: str
    seed: int
    text: str
    data: str = "mnist"
    steps: int = 2000
    batch_size: int = 128
    hidden: tuple = (400, 400)
    learning_rate: float = 0.001

    def __str__(self):
        return f"{self.method}, {self.scenario}, seed {self.seed}"


@dataclass(frozen=True)
class Settings:
    """Which cells are run, and where.

    Parameters
    ----------
    methods : tuple of str, optional
        Names of the table; all of it when None.
    scenarios : tuple of {"task", "domain", "class"}
    seeds : int
        How many runs of each, ≥ 1, with the seeds 0, 1, …
    workers : int, optional
        How many processes, where no executor is given; as many as there are usable cores when None.
    results : path, optional
        The folder in which finished cells are kept and found; made where it is missing. None: none are kept.
    data, steps, batch_size, hidden, learning_rate :
        As for `Cell`. Others than the defaults are not the protocol.

    Raises
    ------
    TypeError, ValueError
        If an entry is not what is asked for, or a method that is named serves none of the scenarios.

    Examples
    --------
    >>> [str(cell) for cell in Settings(("xdg", "none"), ("task", "class")).cells()]
    ['xdg, task, seed 0', 'none, task, seed 0', 'none, class, seed 0']
    """

    methods: tuple | None = None
    scenarios: tuple = KINDS
    seeds: int = 1
    workers: int | None = None
    results: str | os.PathLike | None = None
    data: str = Cell.data
    steps: int = Cell.steps
    batch_size: int = Cell.batch_size
    hidden: tuple = Cell.hidden
    learning_rate: float = Cell.learning_rate

    def __post_init__(self):
        for name in ("seeds", "steps", "batch_size"):
            _checks.count(name, getattr(self, name))
        if self.workers is not None:
            _checks.count("workers", self.workers)
        for width in self.hidden:
            _checks.count("hidden", width)
        _checks.positive("learning_rate", self.learning_rate)
        for name in ("methods", "scenarios"):
            values = getattr(self, name)
            if values is not None and (not values or len(set(values)) < len(values)):
                raise ValueError(f"{name} must name at least one, and none twice, got {', '.join(values)}")
        for scenario in self.scenarios:
            _checks.choice("scenario", scenario, dict.fromkeys(KINDS))
        for name in self.methods or ():
            _check_serves(_checks.choice("method", name, ROWS), self.scenarios)

    @property
    def rows(self):
        """The rows of the table that are asked for."""
        return tuple(ROWS.values()) if self.methods is None else tuple(ROWS[name] for name in self.methods)

    @property
    def is_protocol(self):
        """Whether what is run is what was published."""
        names = ("data", "steps", "batch_size", "hidden", "learning_rate")
        return all(getattr(self, name) == getattr(Cell, name) for name in names)

    def cells(self):
        """Return every cell that can be run: by scenario, method and seed, in the order asked for."""
        return [
            Cell(
                row.method,
                scenario,
                seed,
                row.text(scenario),
                self.data,
                self.steps,
                self.batch_size,
                tuple(row.hidden or self.hidden),
                self.learning_rate,
            )
            for scenario in self.scenarios
            for row in self.rows
            if row.text(scenario) is not None
            for seed in range(self.seeds)
        ]


def _check_serves(row, scenarios):
    """Refuse a method that was named and can not be run in any of the scenarios asked for."""
    if row.texts is None:
        raise ValueError(f"{row.method} is published ({row.page}), but not among the methods of incrlearn")
    if not set(row.scenarios) & set(scenarios):
        raise ValueError(
            f"{row.method} serves the scenario {', '.join(row.scenarios)}, not {', '.join(scenarios)}"
        )


# ---- one cell ----------------------------------------------------------------------------------------


def run_cell(cell):
    """Train and measure one cell. It needs nothing but its argument: any process anywhere can do it.

    Parameters
    ----------
    cell : Cell

    Returns
    -------
    dict
        JSON values; what is not defined, or was not measured, is None:
        cell: what was run; accuracy_matrix: R; average_accuracy, and all other measures of
        `comparison.measures`; steps, of all tasks; seconds, spent in learning; held_bytes: what the learner
        holds beside its network, samples and other; threads: what OMP_NUM_THREADS says; versions.

    Raises
    ------
    TypeError, ValueError
        If there are no such data, there is no such method, or it refuses the scenario.
    FloatingPointError
        If learning diverges.

    Examples
    --------
    >>> record = run_cell(Cell("none", "class", 0, "none", "digits", steps=5, batch_size=8, hidden=(8,)))
    >>> len(record["accuracy_matrix"]), record["steps"], record["held_bytes"]["samples"]
    (5, 25, 0)
    """
    scenario = split(_dataset(cell.data), TASKS, cell.scenario, np.random.default_rng([cell.seed, 0]))
    run = run_method(cell.text, scenario, cell.seed, cell, steps=cell.steps)
    known = measures(run)
    return {
        "cell": _identity(cell),
        "accuracy_matrix": [plain(row) for row in run.matrix],
        "average_accuracy": known["average_accuracy"],
        "measures": dict(zip(known, plain(known.values()), strict=True)),
        "steps": TASKS * cell.steps,
        "seconds": run.seconds,
        "held_bytes": run.held,
        "threads": os.environ.get("OMP_NUM_THREADS"),
        "versions": versions(),
    }


@lru_cache(maxsize=1)
def _dataset(name):
    """Return the dataset, read once a process."""
    return load(name)


# ---- all cells ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Outcome:
    """What has become of a cell, for those who look on.

    status : "kept" (finished earlier), "damaged" (its file can not be used, it is run again), "finished" or
    "failed"; text : the same in words.
    """

    cell: Cell
    status: str
    text: str


class CellsFailed(ChildProcessError):
    """Some cells failed; all others are finished. `failures` is a list of (Cell, Exception)."""

    def __init__(self, failures, n_cells):
        self.failures = failures
        lines = [f"{len(failures)} of {n_cells} cells"]
        lines += [f"  {cell}: {_in_words(error)}" for cell, error in failures]
        super().__init__("\n".join(lines))


def reproduce(settings, executor=None, on_cell=lambda outcome: None):
    """Run all cells, the longest first; what is kept of an earlier call with the same settings is not run.

    A cell that fails does not stop the others. Whoever stops early, by Ctrl-C or by closing the iterator,
    keeps what is finished: cells that wait are not begun, and processes of our own are ended at once.

    Parameters
    ----------
    settings : Settings
    executor : concurrent.futures.Executor, optional
        Where cells are run: Dask's `client.get_executor()`, mpi4py's `MPIPoolExecutor()`, threads. It stays
        open. When None, `settings.workers` processes of our own share the cores; a script then needs
        `if __name__ == "__main__":` around the call, as for all new processes.
    on_cell : function, optional
        Called with an Outcome whenever something has become of a cell.

    Returns
    -------
    iterator of dict
        What `run_cell` returned: those kept first, then each as soon as it is done.

    Raises
    ------
    TypeError, ValueError, FileNotFoundError
        At once, if there are no such data.
    OSError
        If `settings.results` can not be made, read or written.
    CellsFailed
        By the iterator, when all others are done.

    Examples
    --------
    >>> from concurrent.futures import ThreadPoolExecutor
    >>> small = {"data": "digits", "steps": 5, "batch_size": 8, "hidden": (8,)}
    >>> with ThreadPoolExecutor(2) as threads:
    ...     records = list(reproduce(Settings(("none",), ("task", "class"), **small), threads))
    >>> sorted(record["cell"]["scenario"] for record in records)
    ['class', 'task']
    """
    cells, kept = settings.cells(), {}
    if settings.results is not None:
        kept = {cell: record for cell in cells if (record := _kept(settings, cell, on_cell))}
    cells = sorted((cell for cell in cells if cell not in kept), key=_place)
    if cells:
        load(settings.data)  # at once: what can not be done is refused before any process begins
        if settings.results is not None:
            Path(settings.results).mkdir(exist_ok=True)
    return _records(settings, kept.values(), cells, executor, on_cell)


def _records(settings, kept, cells, executor, on_cell):
    """Yield all records; the errors come at the end."""
    yield from kept
    failures = []
    workers = max(1, min(settings.workers or usable_cores(), len(cells)))
    threads = None if executor is not None else max(1, usable_cores() // workers)
    with _processes(workers) if executor is None else nullcontext(executor) as pool:
        with _threads(threads):  # processes begin while cells are submitted, and inherit it
            futures = {pool.submit(run_cell, cell): cell for cell in cells}
        try:
            for future in as_completed(futures):
                cell = futures[future]
                try:
                    record = future.result()
                except Exception as error:  # also a process that was killed, and a future cancelled elsewhere
                    failures.append((cell, error))
                    on_cell(Outcome(cell, "failed", f"failed: {_in_words(error)}"))
                    continue
                if settings.results is not None:
                    _keep(settings, cell, record)
                on_cell(Outcome(cell, "finished", _finished(record)))
                yield record
        finally:
            for future in futures:
                future.cancel()
    if failures:
        raise CellsFailed(failures, len(kept) + len(cells))


def _place(cell):
    """Return a number by which cells are sorted, the longest first."""
    return LONGEST.index(cell.method) if cell.method in LONGEST else len(LONGEST)


def usable_cores():
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@contextmanager
def _processes(n):
    """Yield a pool of n new processes, which ends at once where the block is left early or its process dies.

    They hold one end of a pipe; that the other end is closed is all they need to know.
    """
    context = get_context("spawn")
    leash, hand = context.Pipe(duplex=False)
    pool = ProcessPoolExecutor(n, mp_context=context, initializer=_on_leash, initargs=(leash,))
    try:
        yield pool
    except BaseException:
        hand.close()
        raise
    finally:
        pool.shutdown(cancel_futures=True)
        hand.close()
        leash.close()


def _on_leash(leash):
    """In a new process: leave Ctrl-C to the parent, and end when it lets go."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def wait():
        with suppress(OSError):
            leash.poll(None)  # nothing is ever sent: this returns when the other end is closed
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


@contextmanager
def _threads(n):
    """Set how many threads a BLAS takes in processes that begin now; None leaves the environment alone."""
    names = () if n is None else ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    before = {name: os.environ.get(name) for name in names}
    os.environ.update(dict.fromkeys(names, str(n)))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _in_words(error):
    return f"{type(error).__name__}: {error}"


def _finished(record):
    return f"{100 * record['average_accuracy']:.2f} % after {record['seconds']:.0f} s"


# ---- kept cells --------------------------------------------------------------------------------------


def _kept(settings, cell, on_cell):
    """Return the record of a cell that was finished earlier, or None."""
    path = _path(settings, cell)
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    try:
        record = json.loads(content)
        if record.pop("digest") != _digest(record) or record["cell"] != _identity(cell):
            raise ValueError
    except (
        ValueError,
        TypeError,
        KeyError,
        AttributeError,
        RecursionError,
    ):  # made by hand, it can be anything
        on_cell(Outcome(cell, "damaged", f"{path} is damaged: its cell is run again"))
        return None
    on_cell(Outcome(cell, "kept", _finished(record)))
    return record


def _keep(settings, cell, record):
    """Write a record, whole or not at all."""
    content = json.dumps({**record, "digest": _digest(record)}, indent=1)
    with whole_file(_path(settings, cell)) as file:
        file.write(f"{content}\n".encode())


def _path(settings, cell):
    """Return the file of a cell: other settings have another name."""
    name = f"{cell.method}-{cell.scenario}-{cell.seed}-{_digest(_identity(cell))[:8]}.json"
    return Path(settings.results, name)


def _identity(cell):
    """Return the cell as JSON values."""
    return asdict(cell) | {"hidden": list(cell.hidden)}


def _digest(values):
    """Return the SHA-256 of JSON values, in hexadecimal."""
    return hashlib.sha256(json.dumps(values, sort_keys=True, allow_nan=False).encode()).hexdigest()


# ---- ours beside theirs ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Line:
    """A method in a scenario, ours beside the published value: accuracies in %, NaN what is not known.

    accuracies : the seeds' own, in their order, of those that are finished; mean, error : over these, error
    the standard error of the mean; difference : mean − published; errors : the difference in standard errors,
    ours alone, since those of the published means are not known; sample_bytes, other_bytes : what the method
    holds beside the network; these and seconds are means over the seeds.
    """

    method: str
    page: str
    scenario: str
    text: str | None
    published: float | None
    accuracies: tuple
    mean: float
    error: float
    difference: float
    errors: float
    sample_bytes: float
    other_bytes: float
    seconds: float


def summarize(settings, records):
    """Return a Line for every method and scenario that was asked for, served and run or not.

    Parameters
    ----------
    settings : Settings
    records : list of dict
        What `reproduce` yielded, in any order.

    Returns
    -------
    list of Line
        By scenario, then by method, as in the table.

    Examples
    --------
    >>> cell = {"method": "none", "scenario": "class"}
    >>> held = {"samples": 0, "other": 0}
    >>> records = [
    ...     {"cell": cell | {"seed": i}, "average_accuracy": a, "held_bytes": held, "seconds": 9.0}
    ...     for i, a in enumerate((0.1982, 0.1990))
    ... ]
    >>> (line,) = summarize(Settings(("none",), ("class",), seeds=2), records)
    >>> round(line.mean, 4), round(line.error, 4), round(line.difference, 4), round(line.errors, 4)
    (19.86, 0.04, -0.04, -1.0)
    """
    found = {}
    for record in sorted(records, key=lambda record: record["cell"]["seed"]):
        found.setdefault((record["cell"]["method"], record["cell"]["scenario"]), []).append(record)
    return [
        _line(row, scenario, found.get((row.method, scenario), []))
        for scenario in settings.scenarios
        for row in settings.rows
    ]


def _line(row, scenario, records):
    accuracies = tuple(100 * record["average_accuracy"] for record in records)
    mean, error = metrics.mean_and_error(accuracies) if records else (math.nan, math.nan)
    published = row.value(scenario)
    difference = mean - (math.nan if published is None else published)
    return Line(
        row.method,
        row.page,
        scenario,
        row.text(scenario),
        published,
        accuracies,
        mean,
        error,
        difference,
        difference / error if error else math.nan,
        _mean(record["held_bytes"]["samples"] for record in records),
        _mean(record["held_bytes"]["other"] for record in records),
        _mean(record["seconds"] for record in records),
    )


def _mean(values):
    values = list(values)
    return float(np.mean(values)) if values else math.nan


def report(settings, records, failures=()):
    """Return everything about a reproduction as plain lists, dictionaries, numbers and strings, for JSON.

    Parameters
    ----------
    settings : Settings
    records : list of dict
        What `reproduce` yielded.
    failures : list of (Cell, Exception)
        Of `CellsFailed`.

    Returns
    -------
    dict
        NaN, what is not known, is None.
    """
    order = {_digest(_identity(cell)): k for k, cell in enumerate(settings.cells())}
    wanted = {"results": None if settings.results is None else str(settings.results)}
    return {
        "settings": asdict(settings) | wanted,
        "is_protocol": settings.is_protocol,
        "summary": [
            {key: None if value != value else value for key, value in asdict(line).items()}
            for line in summarize(settings, records)
        ],
        "failures": [{"cell": _identity(cell), "error": _in_words(error)} for cell, error in failures],
        "cells": sorted(records, key=lambda record: order[_digest(record["cell"])]),
    }
