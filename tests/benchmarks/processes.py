"""Processes that are measured as a whole: from start to end, or by the most memory that they ever held."""

import tempfile
from pathlib import Path

import numpy as np

from incrlearn.benchmark import datasets

from ..processes import run_python
from .sides import Work

_FOLDER = tempfile.TemporaryDirectory()  # goes when this process does
FOLDER = Path(_FOLDER.name)
PEAK = "\nprint(next(line for line in open('/proc/self/status') if line.startswith('VmHWM')).split()[1])"


def run(code):
    """Return what the code prints; modules are compiled once and kept, as pip does it."""
    return run_python(code, PYTHONDONTWRITEBYTECODE="")


def started(code):
    """Return the work of a process: it is started, runs the code, and ends."""
    run(code)
    return Work(lambda: run(code))


def peak(code):
    """Return the work of finding the most memory that a process ever held, in MB (Linux)."""
    return Work(lambda: int(run(code + PEAK)) / 1000)


def digits(folder):
    """Write the training part of the shipped digits in float32; return the paths of x and y."""
    paths = Path(folder, "x.npy"), Path(folder, "y.npy")
    known = datasets.load("digits")
    np.save(paths[0], known.x.astype(np.float32))
    np.save(paths[1], known.y)
    return tuple(map(str, paths))
