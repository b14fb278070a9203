"""Models that learned in other processes add up to one that has seen every row, whoever runs them."""

import contextlib
import copy
import itertools
import os
import signal
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np

from incrlearn import AnalyticClassifier, AnalyticRegressor

PARTITIONS, ROWS, FEATURES = 8, 1500, 12
CLASSIFIER, REGRESSOR = AnalyticClassifier(features="relu(units=40)"), AnalyticRegressor()
PATIENCE = 300  # seconds: the machine may be busy with something else


def partition(number, regression):
    """Return the rows of a partition: drawn where they are needed, and nowhere else."""
    rng = np.random.default_rng(number)
    mix = np.random.default_rng(99).normal(size=(FEATURES, FEATURES))
    x = rng.normal(number, 1 + number, (ROWS, FEATURES)) @ mix
    if regression:
        return x, x.sum(axis=1) + rng.normal(size=ROWS)
    here = np.array([f"class {number}", "everywhere"])  # one that no other partition has
    return x, here[(x[:, 0] + rng.normal(size=ROWS) > 0).astype(int)]


def trained(model, number, diary=None):
    """Return a copy of a model that has learned a partition; of all that keep a diary, one process dies.

    It is the first that begins with a third partition, and so it takes two models along. The diary has a file
    for it, and a line for every time that a partition was begun.
    """
    if diary is not None:
        with open(diary / "begun", "a") as file:
            file.write(f"{number}\n")
        mine = diary / f"of {os.getpid()}"
        mine.write_text(mine.read_text() + "x" if mine.exists() else "x")
        if mine.read_text() == "xxx":
            with contextlib.suppress(FileExistsError):  # somebody has died already
                (diary / "dead").touch(exist_ok=False)
                os.kill(os.getpid(), signal.SIGKILL)
    return copy.deepcopy(model).partial_fit(*partition(number, isinstance(model, AnalyticRegressor)))


def merged(model, *others):
    """Return a new model of the rows of all: what an engine has handed over it may hand over again."""
    model = copy.deepcopy(model)
    for other in others:
        model.merge(other)
    return model


def tree_reduced(client, models):
    """Return the future of the sum of all models: pairs are merged where they are, then pairs of those."""
    while len(models) > 1:
        models = [client.submit(merged, *models[i : i + 2]) for i in range(0, len(models), 2)]
    return models[0]


def whole(model, numbers):
    """Return a model that has learned all partitions in one call, and their rows."""
    parts = [partition(number, isinstance(model, AnalyticRegressor)) for number in numbers]
    x, y = (np.concatenate(part) for part in zip(*parts, strict=True))
    return copy.deepcopy(model).fit(x, y), x


def assert_equal(model, expected, x):
    """The model is the other, which has learned x, to 1e-8, and has counted as many rows."""
    assert model.n_samples_seen_ == model._learner.statistics.n == len(x)
    same("mean", model._learner.statistics.mean, expected._learner.statistics.mean)
    same("scatter", model._learner.statistics.scatter, expected._learner.statistics.scatter)
    if isinstance(model, AnalyticRegressor):
        same("prediction", model.predict(x), expected.predict(x))
    else:
        assert model.classes_.tolist() == expected.classes_.tolist()
        same("prediction", model.predict_proba(x), expected.predict_proba(x))


def same(name, found, wanted):
    assert np.abs(found - wanted).max() < 1e-8 * np.abs(wanted).max(), name


def test_models_of_several_processes_merged_in_any_order_equal_one_model_of_all_rows():
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        kinds = [kind for kind in (CLASSIFIER, REGRESSOR) for _ in range(4)]
        found = list(pool.map(trained, kinds, [*range(4)] * 2, timeout=PATIENCE))
    for kind, models in ((CLASSIFIER, found[:4]), (REGRESSOR, found[4:])):
        expected, x = whole(kind, range(4))
        for order in itertools.permutations(models):
            assert_equal(merged(*order), expected, x)


def test_a_dask_cluster_adds_models_up_and_counts_every_row_once_though_a_worker_is_killed(tmp_path):
    import dask
    from distributed import Client, LocalCluster

    patient = {f"distributed.comm.timeouts.{what}": f"{PATIENCE}s" for what in ("connect", "tcp")}
    here = {"host": "127.0.0.1", "dashboard_address": ":0", "local_directory": str(tmp_path / "dask")}
    with (
        dask.config.set(patient),
        LocalCluster(n_workers=2, threads_per_worker=1, processes=True, memory_limit=None, **here) as cluster,
        Client(cluster, timeout=PATIENCE) as client,
    ):
        models = [client.submit(trained, CLASSIFIER, number, tmp_path) for number in range(PARTITIONS)]
        model = tree_reduced(client, models).result(timeout=PATIENCE)
    assert (tmp_path / "dead").exists()
    assert len((tmp_path / "begun").read_text().splitlines()) > PARTITIONS
    assert_equal(model, *whole(CLASSIFIER, range(PARTITIONS)))
