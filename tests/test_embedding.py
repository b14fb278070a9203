"""What docs/embedding.md promises to those who embed the package; `python -m tests.benchmarks` measures."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np

from incrlearn import IncrementalClassifier

from .benchmarks.processes import peak
from .benchmarks.sides import ours
from .processes import run_python

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(300, 5)), RNG.integers(3, size=300)


def test_prediction_in_several_threads_gives_what_it_gives_in_one():
    model = IncrementalClassifier(n_epochs=1, random_state=0).fit(X, Y)
    alone = [model.predict_proba(X[k:]) for k in range(100)]
    with ThreadPoolExecutor(4) as threads:
        together = list(threads.map(lambda k: model.predict_proba(X[k:]), range(100)))
    assert all(np.array_equal(one, other) for one, other in zip(alone, together, strict=True))


def test_dense_rows_are_learned_saved_loaded_and_predicted_without_scipy(tmp_path):
    loaded = run_python(
        "import sys, numpy as np, incrlearn;"
        "model = incrlearn.IncrementalClassifier(n_epochs=1).fit(np.eye(4), [0, 0, 1, 1]);"
        f"model.save({str(tmp_path / 'm.npz')!r});"
        f"incrlearn.load({str(tmp_path / 'm.npz')!r}).predict(np.eye(4));"
        "print(*{name.split('.')[0] for name in sys.modules})"
    )
    assert not {"scipy", "sklearn", "pandas", "rich"} & set(loaded.split())


def test_loading_a_model_and_predicting_imports_no_part_of_numpy_that_is_slow_to_import(tmp_path):
    IncrementalClassifier(n_epochs=1).fit(X, Y).save(tmp_path / "m.npz")
    loaded = run_python(
        "import sys, numpy; before = set(sys.modules); import incrlearn;"
        f"incrlearn.load({str(tmp_path / 'm.npz')!r}).predict([[0.0] * 5]);"
        "print(*set(sys.modules) - before)"
    )
    slow = {"numpy.ma", "tempfile", "argparse", "csv", "incrlearn.benchmark", "incrlearn.analytic"}
    assert not slow & set(loaded.split())


def test_every_process_that_is_measured_does_what_its_name_says(tmp_path):
    for code in ours.codes(tmp_path).values():
        assert peak(code).unit() > 1
