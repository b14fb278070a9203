"""A saved closed form comes back bit for bit and goes on as if nothing had been; what is none is refused."""

import copy
import json
import zipfile

import numpy as np
import pytest

from incrlearn import AnalyticClassifier, AnalyticRegressor, Network, load, saving
from incrlearn.analytic import NetworkFeatures, Patches
from incrlearn.analytic.state import features_apart
from incrlearn.learning.state import StateError
from incrlearn.storage import ModelFileError, read_archive, write_archive
from tests import hostile_trees
from tests.saved import bits

from .helpers import FEATURES, SOLVERS, classes, classifier, examples, learned, regressor

NETWORK = Network.mlp(9, 5, 2, rng=np.random.default_rng(0))
KINDS = [
    *FEATURES,
    "patches(filters=3, size=2, cells=2)",
    "patches(filters=2, size=3, cells=1, learned=True)",
]
OBJECTS = [NetworkFeatures(NETWORK), NetworkFeatures(NETWORK, at=1), Patches(2, 2, 2, shape=(3, 3))]
X, Y = classes(0, d=9)
X = np.abs(X)


def contents(model):
    """Return every bit of what a model has learned and is told; of features, what matters: not the seed."""
    parts, learner = vars(model).copy(), vars(model._learner).copy()
    parts["features"], learner["features"] = map(features_apart, (model.features, model.features_))
    return bits([parts | {"_learner": None}, learner])


def save_and_load(model, folder):
    """Return the model as it comes back, every bit of it compared."""
    model.save(folder / "model.npz")
    again = load(folder / "model.npz")
    assert type(again) is type(model)
    assert contents(again) == contents(model)
    return again


def goes_on_exactly(model, folder, x, y, **told):
    """Assert that a model that was saved and loaded answers and goes on as the same one that was not."""
    again = save_and_load(model, folder)
    assert bits(again.predict(x, **told)) == bits(model.predict(x, **told))
    for one in (model, again):
        one.partial_fit(x[:20], y[:20], **told).unlearn(x[:3], y[:3])
        one.merge(copy.deepcopy(one)).predict(x)
    assert contents(again) == contents(model)
    assert bits(again.coef_) == bits(model.coef_)
    for one, name in ((model, "one"), (again, "other")):
        one.save(folder / name)
    assert (folder / "one").read_bytes() == (folder / "other").read_bytes()


# ---- it goes on as if nothing had been ---------------------------------------------------------------


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("features", [*KINDS, *OBJECTS], ids=[*KINDS, "network", "inner layer", "images"])
def test_every_kind_of_features_and_every_solver_goes_on_exactly(tmp_path, features, solver):
    model = classifier(features, solver).fit(X[20:], Y[20:])
    model.predict_proba(X)
    goes_on_exactly(model, tmp_path, X, Y)
    assert bits(load(tmp_path / "one").predict_proba(X)) == bits(model.predict_proba(X))


@pytest.mark.parametrize("features", [*KINDS, *OBJECTS], ids=[*KINDS, "network", "inner layer", "images"])
@pytest.mark.parametrize("values", [1, 3])
def test_every_kind_of_features_goes_on_exactly_where_values_are_learned(tmp_path, features, values):
    y = X[:, :values] * 3 - 1
    goes_on_exactly(regressor(features).fit(X, y), tmp_path, X, y)


@pytest.mark.parametrize("labels", [Y * 7 - 3, np.array(["a", "", "ä\u0000b", "longer"])[Y], Y > 1])
@pytest.mark.parametrize("task", ["a", 0, (1, ("b", None)), None])
def test_labels_and_tasks_of_every_kind_come_back(tmp_path, labels, task):
    model = classifier().partial_fit(X, labels, task=task, classes=np.unique(labels)[::-1])
    goes_on_exactly(model, tmp_path, X, labels, task=task)


def test_a_model_that_was_never_asked_goes_on_exactly(tmp_path):
    for told in ({}, {"task": "a"}):
        model = classifier("relu(units=9)").partial_fit(X, Y, **told)
        assert model._learner._solution is None
        goes_on_exactly(model, tmp_path, X, Y, **told)


def test_what_has_faded_stays_faded(tmp_path):
    model = classifier(forgetting=0.9).fit(X, Y)
    again = save_and_load(model, tmp_path).set_params(forgetting=1.0)
    with pytest.raises(ValueError, match="how far these rows have faded"):
        again.unlearn(X[:1], Y[:1])
    assert bits(again.set_params(forgetting=0.9).partial_fit(X, Y).coef_) == bits(
        model.partial_fit(X, Y).coef_
    )


def test_hyper_parameters_that_were_set_since_come_back(tmp_path):
    model = classifier("relu(units=9)").fit(X, Y).set_params(strength=3, solver="ridge", random_state=5)
    goes_on_exactly(model, tmp_path, X, Y)
    assert load(tmp_path / "one").get_params() == model.get_params()
    assert load(tmp_path / "one").strength_ == 3.0


@pytest.mark.parametrize("random_state", [np.random.default_rng(5), np.random.RandomState(5), None])
def test_features_drawn_from_a_generator_come_back_and_it_stays_with_its_owner(tmp_path, random_state):
    model = classifier("relu(units=9)", random_state=random_state).fit(X, Y)
    model.save(tmp_path / "model.npz")
    again = load(tmp_path / "model.npz")
    assert again.random_state is None
    assert bits(again.merge(model).coef_) == bits(model.merge(model).coef_)


def test_a_frame_s_names_and_notes_come_back(tmp_path):
    pandas = pytest.importorskip("pandas")
    model = classifier().fit(pandas.DataFrame(X[:, :2], columns=["a", "ä b"]), Y)
    model.notes_ = {"from": ["monday", 1]}
    again = save_and_load(model, tmp_path)
    assert again.feature_names_in_.tolist() == ["a", "ä b"]
    assert again.notes_ == {"from": ["monday", 1]}


def test_features_of_a_loaded_model_may_be_handed_over(tmp_path):
    model = save_and_load(classifier("relu(units=9)", random_state=None).fit(X, Y), tmp_path)
    other = classifier(model.features_).fit(X, Y)
    goes_on_exactly(model.merge(other), tmp_path, X, Y)
    goes_on_exactly(other, tmp_path, X, Y)


# ---- the file ----------------------------------------------------------------------------------------


def test_half_of_a_is_stored(tmp_path):
    x = np.random.default_rng(0).normal(size=(40, 400))
    classifier().fit(x, np.arange(40) % 2).save(tmp_path / "model.npz")
    assert 400**2 / 2 * 8 < (tmp_path / "model.npz").stat().st_size < 400**2 / 2 * 8 * 1.1


def test_features_of_a_model_are_in_the_file_and_no_row_is(tmp_path):
    classifier("relu(units=9)").fit(X, Y).save(tmp_path / "model.npz")
    with np.load(tmp_path / "model.npz", allow_pickle=False) as file:
        shapes = {name: file[name].shape for name in file if name.startswith("model")}
    assert shapes["model.learner.features.arrays.W"] == (9, 9)
    assert not any(len(X) in shape for shape in shapes.values())


@pytest.mark.parametrize("name", examples())
def test_a_file_is_plain_arrays_and_json_with_nothing_pickled_or_compressed(tmp_path, name):
    model, *_ = learned(name)
    model.save(tmp_path / "model.npz")
    with np.load(tmp_path / "model.npz", allow_pickle=False) as file:
        arrays = {key: file[key] for key in file}
    assert all(array.dtype.kind in "biufU" for array in arrays.values())
    header = json.loads(str(arrays["header"]))
    assert (header["format"], header["estimator"]) == (saving.FORMAT, type(model).__name__)
    with zipfile.ZipFile(tmp_path / "model.npz") as archive:
        assert {member.compress_type for member in archive.infolist()} == {zipfile.ZIP_STORED}


@pytest.mark.parametrize("name", examples())
def test_a_file_of_a_big_endian_machine_is_the_same_model(tmp_path, name):
    model, (x, _), task, _ = learned(name)
    model.save(tmp_path / "model.npz")
    with np.load(tmp_path / "model.npz") as file:
        arrays = {key: file[key].astype(file[key].dtype.newbyteorder(">")) for key in file}
    np.savez(tmp_path / "turned.npz", **arrays)
    again = load(tmp_path / "turned.npz")
    assert contents(again) == contents(model)
    assert bits(again.predict(x, task=task)) == bits(model.predict(x, task=task))


# ---- what is no model --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", examples())
@pytest.mark.filterwarnings("ignore:features depend on one another")  # where sums are absurd, they may
def test_whatever_is_changed_in_a_model_with_a_right_digest_it_works_or_is_refused(tmp_path, name):
    found = list(hostile_trees.sweep(name, tmp_path / "model.npz", every=197).values())
    assert len(found) > 25
    assert found.count("refused") > 0.7 * len(found)
    assert found.count("works") > 0


@pytest.fixture
def saved(tmp_path):
    """Return a function that changes a saved model's header and arrays, and the file that comes of it."""

    def changed(change, model=None):
        (model or classifier("relu(units=3)").fit(X, Y)).save(tmp_path / "model.npz")
        header, arrays = read_archive(tmp_path / "model.npz", saving.FORMAT)
        parts = header["model"]["dict"]
        change(parts["params"]["dict"], parts["learner"]["dict"], arrays)
        write_archive(tmp_path / "model.npz", header, arrays)
        return tmp_path / "model.npz"

    return changed


def of_array(name, make):
    def change(params, learner, arrays):
        arrays[f"model.learner.{name}"] = make(arrays[f"model.learner.{name}"])

    return change


def other_kind(params, learner, arrays):
    learner["features"]["dict"]["kind"] = "os.system"


def absurd_units(params, learner, arrays):
    learner["features"]["dict"]["settings"]["dict"]["units"] = 10**12


def absurd_inputs(params, learner, arrays):
    learner["features"]["dict"]["inputs"] = 10**12


def negative_weight(params, learner, arrays):
    learner["statistics"]["dict"]["n"] = -1.0


def negative_count(params, learner, arrays):
    learner["rows"]["integers"][0] = -1


REFUSED = {
    "features of no known kind": (other_kind, "the learner does not have features"),
    "more units than were drawn": (absurd_units, "what the features have drawn"),
    "other columns than were drawn for": (absurd_inputs, "what the features have drawn"),
    "a negative number of rows": (negative_weight, "a sum of weights"),
    "units that are not finite": (of_array("features.arrays.W", lambda W: W * np.nan), "features have drawn"),
    "units of fewer columns": (of_array("features.arrays.W", lambda W: W[:-1]), "features have drawn"),
    "sums that are not finite": (of_array("statistics.cross", lambda b: b / 0), "sums"),
    "sums in float32": (of_array("statistics.mean", lambda mean: mean.astype(np.float32)), "sums"),
    "less than half of A": (of_array("statistics.scatter", lambda A: A[:-1]), "half of a matrix"),
    "a mean of other features": (of_array("statistics.mean", lambda mean: mean[:-1]), "sums of one size"),
    "a negative count": (negative_count, "counts of rows"),
    "weights of other features": (
        of_array("solution.weights", lambda W: W.T.copy()),
        "a solution of this size",
    ),
}


@pytest.mark.parametrize("reason", REFUSED)
@pytest.mark.filterwarnings("ignore:divide by zero|invalid value")
def test_what_is_no_model_is_refused(saved, reason):
    change, message = REFUSED[reason]
    model = classifier("relu(units=3)").fit(X, Y)
    model.predict(X)
    path = saved(change, model)
    with pytest.raises(ModelFileError, match=message) as error:
        load(path)
    assert str(error.value).startswith(f"{path} is not a model that can be read: ")


def test_a_learner_of_another_estimator_is_refused(tmp_path):
    for model, other in ((classifier(), "AnalyticRegressor"), (regressor(), "IncrementalRegressor")):
        model.fit(X, Y).save(tmp_path / "model.npz")
        header, arrays = read_archive(tmp_path / "model.npz", saving.FORMAT)
        write_archive(tmp_path / "model.npz", {**header, "estimator": other}, arrays)
        with pytest.raises(ModelFileError, match=r"has no learner|does not have the hyper-parameters"):
            load(tmp_path / "model.npz")


def test_other_columns_than_the_features_were_made_for_are_refused(tmp_path):
    classifier().fit(X, Y).save(tmp_path / "model.npz")
    header, arrays = read_archive(tmp_path / "model.npz", saving.FORMAT)
    header["model"]["dict"]["fitted"]["dict"]["n_features_in_"] = 8
    write_archive(tmp_path / "model.npz", header, arrays)
    with pytest.raises(ModelFileError, match="the learner is not one of AnalyticClassifier"):
        load(tmp_path / "model.npz")


@pytest.mark.parametrize(
    ("params", "error", "message"),
    [
        ({"features": 3}, StateError, "the learner does not have features"),
        ({"features": None}, StateError, "the learner does not have features"),
        ({"strength": object()}, TypeError, "strength"),
        ({"standardize": "yes"}, TypeError, "standardize must be True or False, got 'yes'"),
    ],
)
def test_what_can_not_be_read_again_is_not_written(tmp_path, params, error, message):
    (tmp_path / "model.npz").write_bytes(b"old")
    for make in (AnalyticClassifier, AnalyticRegressor):
        model = make("identity").fit(X, Y).set_params(**params)
        with pytest.raises(error, match=message):
            model.save(tmp_path / "model.npz")
    assert (tmp_path / "model.npz").read_bytes() == b"old"


def test_nothing_learned_is_nothing_to_save(tmp_path):
    model = classifier()
    for one in (model, classifier().fit(X, Y).unlearn(X, Y)):
        with pytest.raises(ValueError, match="not fitted"):
            one.save(tmp_path / "model.npz")
    assert not list(tmp_path.iterdir())
