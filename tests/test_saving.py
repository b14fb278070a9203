"""A saved model comes back bit for bit and goes on as if nothing had been; what is no model is refused."""

import json
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import assume, given
from scipy.sparse import csr_array

from incrlearn import SGD, IncrementalClassifier, Method, load, saving, storage
from incrlearn.learning import (
    L2,
    BatchTerm,
    ClassBalancedMemory,
    Everything,
    Features,
    Logits,
    Replay,
    ReservoirMemory,
    SharedMemory,
    method,
)
from incrlearn.learning.state import StateError
from incrlearn.storage import ModelFileError, read_archive, write_archive

from .saved import (
    COLUMNS,
    RECIPES,
    ROWS,
    another_task,
    bits,
    classifier,
    data,
    examples,
    is_painted,
    learned,
    regressor,
    task_for,
    teacher,
)

# ---- it goes on as if nothing had been -----------------------------------------------------------------


def public(model):
    """Return everything of a model that a user sees."""
    attributes = ("n_features_in_", "n_samples_seen_", "n_updates_", "objective_values_", "notes_")
    optional = {name: getattr(model, name, None) for name in ("feature_names_in_", "classes_")}
    seen = {name: getattr(model, name) for name in attributes} | optional
    return bits([seen, model.get_params(), repr(model), repr(model.network_), model.remembered()])


def save_and_load(model, folder):
    """Return the model as it comes back, every bit of it compared."""
    model.save(folder / "model.npz")
    again = load(folder / "model.npz")
    assert type(again) is type(model)
    assert public(again) == public(model)
    assert bits(vars(again)) == bits(vars(model))
    return again


def goes_on_exactly(model, folder, calls, x):
    """Assert that a model that was saved and loaded learns on as the same one does that was not."""
    again = save_and_load(model, folder)
    for call in calls:
        for one in (model, again):
            one.partial_fit(*call[:2], **dict(call[2:]))
        assert bits(vars(again)) == bits(vars(model))
        told = dict(call[2:])
        assert bits(again.predict(x, **told)) == bits(model.predict(x, **told))
    for one, name in ((model, "one"), (again, "other")):
        one.save(folder / name)
    assert (folder / "one").read_bytes() == (folder / "other").read_bytes()


@pytest.mark.parametrize("name", examples())
def test_a_loaded_model_learns_on_exactly_as_the_saved_one(tmp_path, name):
    model, (x, y), task = learned(name)
    _, options, _ = examples()[name]
    calls = [(x, y, ("task", task)), (*data(3, **options), ("task", another_task(name)))]
    goes_on_exactly(model, tmp_path, calls, x)


LABELS = {
    "integers": np.arange(5) * 7 - 3,
    "strings": np.array(["a", "ccc", "", "ä\u0000b", "a much longer name"]),
    "booleans": np.array([False, True, True, False, True]),
}


def labelled(name, seed, classes, painted=False):
    """Return rows, and labels among the first so many."""
    rng = np.random.default_rng(seed)
    x = rng.random((ROWS, COLUMNS)) if painted else rng.normal(size=(ROWS, COLUMNS))
    return x, LABELS[name][rng.integers(0, classes, ROWS)]


METHOD_NAMES = [
    *RECIPES.values(),
    "replay+logits+l2_anchored",
    "cumulative+l1_anchored",
    "replay(per_class=2, alpha=0.3)+features+relations",
    "ewc(online=True)+lwf",
    "xdg+si",
]
OF_VALUES = [name for name in METHOD_NAMES if not any(part.of_classes for part in method(name).ingredients)]
CONFIGURATIONS = {
    "linear": {"hidden_layer_sizes": ()},
    "two hidden layers": {"hidden_layer_sizes": [3, 2], "activation": "tanh"},
    "a width alone": {"hidden_layer_sizes": 3, "activation": "sigmoid"},
    "sgd": {"optimizer": "sgd", "learning_rate": 0.1},
    "as it comes": {"standardize": False},
    "a list of terms": {"method": [Replay(), L2(0.1, anchored=True), Features(0.5)]},
    "a tuple of terms": {"method": (Logits(teacher=teacher(2)),)},
    "everything": {"method": Method([Logits()], Everything())},
    "a reservoir": {"method": Method([Replay(loss="cross_entropy")], ReservoirMemory(5))},
    "so many of each class": {"method": Method([Replay("n/N")], ClassBalancedMemory(2))},
    "shared": {"method": Method([Replay("1/k")], SharedMemory(7))},
}


def goes_on_exactly_after_two(model, folder, rows):
    """Assert the same of a model that has learned two tasks, of four."""
    wanted = [None, "a", None, "b"] if task_for(model.method, None) is None else [0, 1, 0, 2]
    tasks = [task_for(model.method, task) for task in wanted]
    calls = [(*xy, ("task", task)) for xy, task in zip(rows, tasks, strict=True)]
    for x, y, task in calls[:2]:
        model.partial_fit(x, y, **dict([task]))
    goes_on_exactly(model, folder, calls[2:], rows[0][0])


@pytest.mark.parametrize("name", METHOD_NAMES)
@pytest.mark.parametrize("labels", ["integers", "strings"])
def test_every_method_goes_on_exactly(tmp_path, name, labels):
    rows = [labelled(labels, k, k + 2, is_painted(name)) for k in range(4)]
    goes_on_exactly_after_two(classifier(name), tmp_path, rows)


@pytest.mark.parametrize("name", OF_VALUES)
def test_every_method_for_values_goes_on_exactly(tmp_path, name):
    if "per_class" in name:
        pytest.skip("it balances classes, of which there are none")
    goes_on_exactly_after_two(regressor(name), tmp_path, [data(k, values=2) for k in range(4)])


@pytest.mark.parametrize("options", CONFIGURATIONS.values(), ids=CONFIGURATIONS)
@pytest.mark.parametrize("sparse", [False, True])
def test_every_configuration_goes_on_exactly(tmp_path, options, sparse):
    calls = [data(seed, sparse=sparse) for seed in range(4)]
    model = classifier(**options)
    for call in calls[:2]:
        model.partial_fit(*call)
    goes_on_exactly(model, tmp_path, calls[2:], calls[0][0])


@pytest.mark.parametrize("labels", LABELS)
@pytest.mark.parametrize("task", [None, "a", "ä 1", 0, -7, True, 2.5, (1, ("b", None))])
def test_labels_and_tasks_of_every_kind_come_back(tmp_path, labels, task):
    model = classifier("replay+logits").partial_fit(*labelled(labels, 0, 3), task=task)
    calls = [(*labelled(labels, seed, 5), ("task", task)) for seed in (1, 2)]
    goes_on_exactly(model, tmp_path, calls, data()[0])
    assert bits(load(tmp_path / "one").predict(data()[0], task=task)) == bits(
        model.predict(data()[0], task=task)
    )


INPUTS = {
    "float32": lambda x: x.astype(np.float32),
    "columns first": np.asfortranarray,
    "every other column": lambda x: np.repeat(x, 2, axis=1)[:, ::2],
    "backwards": lambda x: x[::-1, ::-1],
    "big-endian": lambda x: x.astype(">f8"),
    "sparse float32": lambda x: csr_array(x.astype(np.float32)),
    "sparse with wide indices": lambda x: _with_wide_indices(csr_array(x)),
    "sparse with zeros that are written": lambda x: csr_array((np.zeros(1), ([0], [0])), shape=x.shape),
}


def _with_wide_indices(x):
    x.indices, x.indptr = x.indices.astype(np.int64), x.indptr.astype(np.int64)
    return x


@pytest.mark.parametrize("convert", INPUTS.values(), ids=INPUTS)
@pytest.mark.parametrize("method", ["replay+l2_anchored", "joint+features"])
def test_rows_of_every_kind_go_on_exactly(tmp_path, convert, method):
    calls = [(convert(x), y) for x, y in map(data, range(4))]
    model = classifier(method).partial_fit(*calls[0]).partial_fit(*calls[1])
    goes_on_exactly(model, tmp_path, calls[2:], calls[0][0])


def test_rows_that_become_sparse_later_go_on_exactly(tmp_path):
    model = classifier().partial_fit(*data()).partial_fit(*data(1, sparse=True))
    goes_on_exactly(model, tmp_path, [data(2), data(3, sparse=True)], data()[0])


CALLS = st.tuples(
    st.integers(1, 20),  # rows
    st.integers(1, 4),  # classes
    st.sampled_from([None, None, "a", 1]),  # task
    st.sampled_from([{}, {"learning_rate": 0.1}, {"batch_size": 3}, {"n_epochs": 2}]),
)


@given(
    st.sampled_from(METHOD_NAMES),
    st.sampled_from(["relu", "tanh", "sigmoid"]),
    st.sampled_from(["adam", "sgd"]),
    st.sampled_from([(), (2,), (3, 2)]),
    st.booleans(),
    st.sampled_from(["dense", "float32", "sparse"]),
    st.lists(CALLS, min_size=1, max_size=4),
)
def test_a_model_that_is_saved_after_every_call_is_the_one_that_never_was(
    tmp_path_factory, method, activation, optimizer, hidden, standardize, kind, calls
):
    # a sparse row is no feature to compare, and is not painted
    assume(kind != "sparse" or not is_painted(method))
    assume(kind != "sparse" or hidden or not {"features", "icarl"} & set(re.findall(r"\w+", method)))
    folder = tmp_path_factory.mktemp("models")
    options = {"hidden_layer_sizes": hidden, "activation": activation, "optimizer": optimizer}
    kept, saved = (classifier(method, standardize=standardize, **options) for _ in range(2))
    for rows, classes, task, params in calls:
        rng = np.random.default_rng(rows)
        x, y = rng.normal(size=(rows, COLUMNS)), rng.integers(0, classes, rows)
        x = np.abs(np.sin(x)) if is_painted(method) else x
        x = {"dense": np.asarray, "float32": np.float32, "sparse": csr_array}[kind](x)
        for model in (kept, saved):
            model.set_params(**params).partial_fit(x, y, task=task_for(method, task))
        saved = save_and_load(saved, folder)
    assert bits(vars(saved)) == bits(vars(kept))


def test_a_frame_s_names_come_back_and_are_checked(tmp_path):
    pandas = pytest.importorskip("pandas")
    x, y = data()
    frame = pandas.DataFrame(x, columns=["a", "ä", "c d"])
    again = save_and_load(classifier().fit(frame, y), tmp_path)
    assert again.feature_names_in_.tolist() == ["a", "ä", "c d"]
    with pytest.raises(ValueError, match="feature names should match"):
        again.predict(frame.rename(columns={"a": "b"}))


NOTES = {"target": "ä\n", "updates": [{"accuracy": 0.1 + 0.2, "rows": 10**30}, None, True], "": {"a": []}}


def test_notes_come_back_as_they_were(tmp_path):
    model = classifier().fit(*data())
    model.notes_ = NOTES
    assert save_and_load(model, tmp_path).notes_ == NOTES


@pytest.mark.parametrize("random_state", [np.random.default_rng(5), np.random.RandomState(5)])
def test_a_generator_that_was_passed_in_stays_with_its_owner(tmp_path, random_state):
    model = classifier(random_state=random_state).fit(*data())
    model.save(tmp_path / "model.npz")
    again = load(tmp_path / "model.npz")
    assert model.random_state is random_state
    assert again.random_state is None
    x, y = data(1)
    assert bits(again.partial_fit(x, y).predict(x)) == bits(model.partial_fit(x, y).predict(x))


def test_a_hyper_parameter_of_numpy_s_comes_back_as_python_s(tmp_path):
    x, y = data()
    model = classifier(
        hidden_layer_sizes=(np.int64(3),), learning_rate=np.float32(0.1), memory_size=np.int8(5)
    )
    model.fit(x, y).save(tmp_path / "model.npz")
    again = load(tmp_path / "model.npz")
    assert again.get_params() == model.get_params()
    assert {type(value) for value in (*again.hidden_layer_sizes, again.memory_size)} == {int}
    assert bits(again.partial_fit(x, y).predict(x)) == bits(model.partial_fit(x, y).predict(x))


@pytest.mark.parametrize("task", [np.int64(3), np.str_("c")])
def test_a_task_s_id_of_numpy_s_comes_back_as_python_s(tmp_path, task):
    x, y = data()
    model = classifier("replay+logits").partial_fit(x, y, task=task).partial_fit(x, y + 1, task=task)
    model.save(tmp_path / "model.npz")
    again = load(tmp_path / "model.npz")
    assert list(again._learner._targets.tasks) == [task.item()]
    assert bits(again.predict(x, task=task)) == bits(model.predict(x, task=task))


def test_thousands_of_tasks_are_no_thousands_of_arrays(tmp_path):
    model = classifier("logits").partial_fit(*data(), task=0)
    targets, term = model._learner._targets, model._learner.terms[0]
    targets.tasks = {k: np.array([0, 2]) for k in range(5000)}
    term.heads = [np.array([0, 2])] * 5000
    again = save_and_load(model, tmp_path)
    assert len(again._learner._targets.tasks) == 5000
    assert len(read_archive(tmp_path / "model.npz", saving.FORMAT)[1]) < 30


# ---- any NumPy opens it ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", examples())
def test_a_file_is_plain_arrays_and_json_with_nothing_pickled_or_compressed(tmp_path, name):
    model, *_ = learned(name)
    model.save(tmp_path / "model.npz")
    with np.load(tmp_path / "model.npz", allow_pickle=False) as file:
        arrays = {key: file[key] for key in file}
    assert all(array.dtype.kind in "biufU" for array in arrays.values())
    header = json.loads(str(arrays["header"]))
    assert header["format"] == saving.FORMAT
    assert header["estimator"] == type(model).__name__
    assert header["versions"]["numpy"] == np.__version__
    assert (arrays["model.learner.network.theta"] == model.network_.theta).all()
    with zipfile.ZipFile(tmp_path / "model.npz") as archive:
        assert {member.compress_type for member in archive.infolist()} == {zipfile.ZIP_STORED}


@pytest.mark.parametrize("name", examples())
def test_a_file_of_a_big_endian_machine_is_the_same_model(tmp_path, name):
    model, (x, y), task = learned(name)
    model.save(tmp_path / "model.npz")
    with np.load(tmp_path / "model.npz") as file:
        arrays = {key: file[key].astype(file[key].dtype.newbyteorder(">")) for key in file}
    np.savez(tmp_path / "turned.npz", **arrays)
    assert (tmp_path / "turned.npz").read_bytes() != (tmp_path / "model.npz").read_bytes()
    again = load(tmp_path / "turned.npz")
    for one in (again, model):
        one.partial_fit(x, y, task=task)
    assert bits(vars(again)) == bits(vars(model))


# ---- whole or not at all -----------------------------------------------------------------------------


class OwnTerm(BatchTerm):
    """A term of one's own, which no file could bring back."""

    def __call__(self, a, batch):
        return 0.0, {}


class OwnMemory(Everything):
    """A memory of one's own."""


def with_notes(notes):
    model = classifier().fit(*data())
    model.notes_ = notes
    return model


def with_parameter(name, value):
    return classifier().fit(*data()).set_params(**{name: value})


def with_broken_parameters():
    model = classifier().fit(*data())
    model.network_.theta[0] = np.nan
    return model


REFUSED = {
    "a term of one's own": (lambda: classifier([OwnTerm()]).fit(*data()), TypeError, "the class OwnTerm"),
    "a memory of one's own": (
        lambda: classifier(Method([], OwnMemory())).fit(*data()),
        TypeError,
        "the class OwnMemory",
    ),
    "a task's id of one's own": (
        lambda: classifier().partial_fit(*data(), task=frozenset("ab")),
        TypeError,
        "the class frozenset",
    ),
    "notes that are no dictionary": (
        lambda: with_notes([1]),
        TypeError,
        "notes_ must be a dictionary",
    ),
    "notes with an array": (lambda: with_notes({"a": np.zeros(1)}), TypeError, "notes_ must be"),
    "notes with NaN": (lambda: with_notes({"a": float("nan")}), TypeError, "notes_ must be"),
    "notes with infinity": (lambda: with_notes({"a": float("inf")}), TypeError, "notes_ must be"),
    "notes with numbers as keys": (lambda: with_notes({1: 2}), TypeError, "notes_ must be"),
    "notes with a tuple": (lambda: with_notes({"a": (1, 2)}), TypeError, "notes_ must be"),
    "a parameter of any class": (lambda: with_parameter("method", object()), TypeError, "the class object"),
    "a parameter that is a function": (
        lambda: with_parameter("method", len),
        TypeError,
        "can not be saved",
    ),
    "an array of objects": (
        lambda: with_parameter("hidden_layer_sizes", np.array([3, None])),
        TypeError,
        "it holds object",
    ),
    "NaN among the parameters": (with_broken_parameters, StateError, "theta does not hold what a Network"),
}


@pytest.mark.parametrize(("model", "error", "match"), REFUSED.values(), ids=REFUSED)
def test_what_can_not_be_read_again_is_not_written(tmp_path, model, error, match):
    path = tmp_path / "model.npz"
    path.write_bytes(b"old")
    with pytest.raises(error, match=match):
        model().save(path)
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["model.npz"]


def test_nothing_learned_is_nothing_to_save(tmp_path):
    with pytest.raises(ValueError, match="not fitted"):
        IncrementalClassifier().save(tmp_path / "model.npz")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("written", [0, 100, 5000])
def test_a_full_disk_leaves_the_old_model_and_nothing_beside_it(tmp_path, monkeypatch, written):
    path = tmp_path / "model.npz"
    model = classifier().fit(*data())
    model.save(path)
    old = path.read_bytes()

    def savez(file, **arrays):
        file.write(bytes(written))
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(storage.np, "savez", savez)
    with pytest.raises(OSError, match="No space left"):
        model.partial_fit(*data(1)).save(path)
    assert path.read_bytes() == old
    assert os.listdir(tmp_path) == ["model.npz"]


def test_a_folder_that_is_not_there_is_an_error_and_is_not_made(tmp_path):
    with pytest.raises(FileNotFoundError):
        classifier().fit(*data()).save(tmp_path / "nowhere" / "model.npz")
    assert os.listdir(tmp_path) == []


def test_a_killed_process_leaves_a_model_as_it_was_after_one_of_its_updates():
    kills = run("tests.kill_save", 60)
    assert kills["kills"] == 60
    assert kills["advanced"] > 5
    assert kills["killed while writing"] > 0


def test_what_a_kill_has_left_behind_disturbs_nothing(tmp_path):
    model = classifier().fit(*data())
    for k in range(3):
        (tmp_path / f".model.npz.{k}").write_bytes(b"half of it")
    save_and_load(model, tmp_path)
    assert len(os.listdir(tmp_path)) == 4


# ---- what is no model --------------------------------------------------------------------------------


def run(module, *arguments):
    """Run a module of the tests in a process of its own; return what it prints."""
    command = [sys.executable, "-m", module, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parent.parent)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_ten_thousand_damaged_files_are_the_saved_model_or_refused_and_take_little_memory():
    result = run("tests.hostile_files", 10_000)
    assert sum(result["found"].values()) == 10_000
    assert sum(n for what, n in result["found"].items() if "refused" in what) > 9000
    assert result["megabytes"] < 200


def test_whatever_is_changed_in_a_model_with_a_right_digest_it_works_or_is_refused():
    result = run("tests.hostile_trees", 101)
    assert result["found"]["refused"] > 2000
    assert result["found"]["works"] > 200
    assert result["found"]["a documented error"] < 100
    assert result["megabytes"] < 200


@pytest.fixture
def saved(tmp_path):
    """Return a function that changes a saved model's header and arrays, and the file that comes of it."""
    path = tmp_path / "model.npz"

    def changed(change, model=None):
        (model or classifier("replay+logits+l2_anchored").fit(*data())).save(path)
        header, arrays = read_archive(path, saving.FORMAT)
        change(header, arrays)
        write_archive(path, header, arrays)
        return path

    return changed


HEADERS = {
    "a newer format": (lambda header, arrays: header.update(format=3), "format 3, .* use the newer one"),
    "an estimator of another name": (
        lambda header, arrays: header.update(estimator="S"),
        "no estimator 'S'",
    ),
    "another kind of estimator": (
        lambda header, arrays: header.update(estimator="IncrementalRegressor"),
        "not one of IncrementalRegressor",
    ),
    "an estimator that is a list": (lambda header, arrays: header.update(estimator=[]), "."),
    "no model": (lambda header, arrays: header.pop("model"), "header does not have what"),
    "something more": (lambda header, arrays: header.update(more=1), "header does not have what"),
    "a model that is none": (lambda header, arrays: header.update(model={"dict": {}}), "."),
    "notes that are a list": (lambda header, arrays: header.update(notes=[]), "notes_ must be a dictionary"),
    "an array too many": (lambda header, arrays: arrays.update(more=np.zeros(1)), "has no place for more"),
    "an array that is missing": (lambda header, arrays: arrays.pop("model.learner.network.theta"), "theta"),
    "a hyper-parameter that is missing": (
        lambda header, arrays: parameters(header).pop("batch_size"),
        "hyper-parameters of this version",
    ),
    "a hyper-parameter of another version": (
        lambda header, arrays: parameters(header).update(depth=3),
        "hyper-parameters of this version",
    ),
}


def parameters(header):
    return header["model"]["dict"]["params"]["dict"]


@pytest.mark.parametrize(("change", "match"), HEADERS.values(), ids=HEADERS)
def test_a_header_that_is_not_a_model_s_is_refused(saved, change, match):
    path = saved(change)
    with pytest.raises(ModelFileError, match=match) as error:
        load(path)
    assert str(error.value).startswith(f"{path} is not a model that can be read: ")


def test_absurd_sizes_are_refused_before_there_is_memory_for_them(saved):
    def change(header, arrays):
        layers = header["model"]["dict"]["learner"]["network"]["layers"]
        layers[1]["outputs"] = layers[3]["inputs"] = 10**12

    with pytest.raises(ModelFileError, match="layers make up its θ"):
        load(saved(change))


def test_one_array_in_two_places_is_refused(saved):
    def change(header, arrays):
        learner = header["model"]["dict"]["learner"]
        learner["terms"][2]["anchored"], learner["terms"][2]["anchor"] = True, learner["optimizer"]["m"]

    with pytest.raises(ModelFileError, match=r"optimizer\.m"):
        load(saved(change))


def test_a_model_of_another_optimizer_than_it_was_made_with_is_a_model(saved):
    def change(header, arrays):
        header["model"]["dict"]["learner"]["optimizer"] = {
            "class": "SGD",
            "learning_rate": 0.5,
            "momentum": 0.0,
            "v": None,
        }
        for name in ("m", "v"):
            arrays.pop(f"model.learner.optimizer.{name}")

    model = load(saved(change))
    assert isinstance(model._learner.optimizer, SGD)
    model.partial_fit(*data())
