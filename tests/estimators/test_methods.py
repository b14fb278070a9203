"""Every method by its name: what it keeps, what it answers, and what it can not do, said before it begins."""

import numpy as np
import pytest
from scipy import sparse

from incrlearn.learning import (
    METHODS,
    ClassBalancedMemory,
    DarkReplay,
    GreedyMemory,
    HerdingMemory,
    Method,
    Replay,
    ReservoirMemory,
    SharedMemory,
    as_method,
)

from ..saved import RECIPES, is_painted, task_for
from .helpers import VALUES, X, Y, classifier, regressor, state

#: the rows of one class after another
ONE_BY_ONE = [np.flatnonzero(label == Y) for label in range(3)]
#: the same rows as pixels
UNIT = (X - X.min(axis=0)) / (X.max(axis=0) - X.min(axis=0))
OF_CLASSES = [name for name in METHODS if any(part.of_classes for part in as_method(name).ingredients)]
TOLD = [name for name in METHODS if as_method(name).scenarios == ("task",)]
#: in a regressor a choice of samples is made without classes
OF_VALUES = [name for name in METHODS if name not in OF_CLASSES] + ["replay", "agem", "gem"]


def learned(make, name, y, rows=(slice(0, 30), slice(30, 60)), **options):
    """Return an estimator that has learned two parts of the rows, a task's id for each, and all rows."""
    x = UNIT if is_painted(RECIPES[name]) else X
    model = make(method=RECIPES[name], memory_size=12, n_epochs=3, **options)
    tasks = [task_for(RECIPES[name], None) and k for k in ("a", "b")]
    for part, task in zip(rows, tasks, strict=True):
        model.partial_fit(x[part], y[part], task=task)
    return model, tasks, x


# ---- what it answers ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", METHODS)
def test_probabilities_and_answers_agree_and_are_of_all_classes(name):
    model, tasks, x = learned(classifier, name, Y)
    for task in tasks:
        p = model.predict_proba(x, task=task)
        assert p.shape == (60, 3)
        assert np.isfinite(p).all()
        assert (p >= 0).all()
        assert np.allclose(p.sum(axis=1), 1, rtol=1e-5)
        assert (model.classes_[p.argmax(axis=1)] == model.predict(x, task=task)).all()
    if name not in TOLD:
        assert model.decision_function(x).shape == (60, 3)


@pytest.mark.parametrize("name", ["icarl", "gdumb", "replay", "derpp"])
def test_what_keeps_samples_knows_classes_that_came_one_after_another(name):
    model = classifier(method=name, memory_size=30, n_epochs=30)
    for rows in ONE_BY_ONE:
        model.partial_fit(X[rows], Y[rows])
    assert model.score(X, Y) > 0.9


def test_models_of_classes_know_those_that_came_one_after_another():
    model = classifier(method="generative_classifier(hidden=(8,), latent=2)", n_epochs=60)
    for rows in ONE_BY_ONE:
        model.partial_fit(UNIT[rows], Y[rows])
    assert model.score(UNIT, Y) > 0.8


def test_a_class_of_which_nothing_was_seen_is_never_the_answer():
    for name in ("icarl", RECIPES["generative_classifier"]):
        model = classifier(method=name).partial_fit(UNIT, Y, classes=[0, 1, 2, 7])
        assert 7 in model.classes_
        assert not model.predict_proba(UNIT)[:, 3].any()
        assert np.isfinite(model.decision_function(UNIT)).all()


# ---- what it keeps -----------------------------------------------------------------------------------

KEPT = {
    "replay": (SharedMemory, ReservoirMemory),
    "er_ace": (SharedMemory, None),
    "der": (ReservoirMemory, None),
    "derpp": (ReservoirMemory, None),
    "icarl": (HerdingMemory, None),
    "gdumb": (GreedyMemory, None),
    "agem": (SharedMemory, ReservoirMemory),
    "gem": (SharedMemory, ReservoirMemory),
}


@pytest.mark.parametrize("name", METHODS)
def test_a_choice_of_samples_is_as_large_as_the_memory_is_said_to_be(name):
    model, _, x = learned(classifier, name, Y)
    kept = model.remembered()
    if name in KEPT:
        assert type(model._learner.memory) is KEPT[name][0]
        assert kept[0].shape == (12, 4)
        assert {tuple(row) for row in kept[0]} <= {tuple(row) for row in x}
    else:
        assert len(kept[1]) == 60 if name in ("joint", "cumulative") else kept is None


@pytest.mark.parametrize("name", KEPT)
def test_a_regressor_keeps_a_choice_without_classes_or_refuses(name):
    if KEPT[name][1] is None:
        return
    model, *_ = learned(regressor, name, VALUES)
    assert type(model._learner.memory) is KEPT[name][1]
    assert len(model.remembered()[1]) == 12


@pytest.mark.parametrize(
    ("text", "kind", "size"),
    [
        ("replay(per_class=2)", ClassBalancedMemory, 6),
        ("er_ace(per_class = 2)", ClassBalancedMemory, 6),
        ("agem(per_class=1)+logits", ClassBalancedMemory, 3),
        ("gem(per_class=1)", ClassBalancedMemory, 6),
        ("icarl(per_class=3)", HerdingMemory, 9),
        ("gdumb(size=7)", GreedyMemory, 7),
        ("der(size=7)", ReservoirMemory, 7),
        ("der++(size=7)", ReservoirMemory, 7),
        ("replay(per_task=True)", ClassBalancedMemory, 60),
        ("replay(memory='herding')", HerdingMemory, 12),
        ("replay(memory='reservoir')", ReservoirMemory, 12),
        ("replay(memory='reservoir', per_class=2)", ReservoirMemory, 20),
        ("replay+ogd(per_task=5)", SharedMemory, 12),
        ("der(alpha=1)", ReservoirMemory, 12),
    ],
)
def test_what_a_method_s_text_says_of_its_memory_holds_and_memory_size_otherwise(text, kind, size):
    model = classifier(method=text, memory_size=12, n_epochs=1)
    model.partial_fit(X[:30], Y[:30]).partial_fit(X[30:], Y[30:])
    assert type(model._learner.memory) is kind
    assert len(model.remembered()[1]) == size


def test_herded_samples_are_shared_among_the_classes_evenly_and_the_first_choices_stay():
    model, kept = classifier(method="icarl", memory_size=12, n_epochs=1), []
    for rows in ONE_BY_ONE:
        model.partial_fit(X[rows], Y[rows])
        x, y = model.remembered()
        classes = len(kept) + 1
        assert np.bincount(y).tolist() == [12 // classes] * classes
        kept.append({tuple(row) for row in x[y == 0]})
    assert kept[0] > kept[1] > kept[2]


def test_a_list_of_terms_has_a_memory_of_the_kind_that_they_look_at():
    for terms, kind in (([Replay()], SharedMemory), ([DarkReplay(), Replay()], ReservoirMemory)):
        model = classifier(method=terms, memory_size=9).fit(X, Y).partial_fit(X, Y)
        assert type(model._learner.memory) is kind
        assert len(model.remembered()[1]) == 9


def test_a_recipe_of_one_s_own_keeps_what_it_says():
    recipe = Method([Replay()], ClassBalancedMemory(2))
    assert len(classifier(method=recipe, memory_size=50).fit(X, Y).remembered()[1]) == 6


# ---- values ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", OF_VALUES)
def test_a_method_of_values_learns_them_one_part_after_another(name):
    model, tasks, x = learned(regressor, name, VALUES)
    for task in tasks:
        assert np.isfinite(model.predict(x, task=task)).all()
    assert model.score(x[30:], VALUES[30:], task=tasks[1]) > 0.2


@pytest.mark.parametrize("name", sorted(set(OF_CLASSES) - {"replay", "agem", "gem"}))
def test_a_method_of_classes_is_refused_by_a_regressor_before_anything_is_learned(name):
    model = regressor(method=RECIPES[name])
    before = state(model)
    with pytest.raises(ValueError, match=r"^\w+ works with classes, but targets are values$"):
        model.fit(X, VALUES)
    assert state(model) == before


# ---- what must be told, and what must not ------------------------------------------------------------


@pytest.mark.parametrize("name", TOLD)
@pytest.mark.parametrize(("make", "y"), [(classifier, Y), (regressor, VALUES)])
def test_a_method_that_must_be_told_the_task_says_so(name, make, y):
    model = make(method=name)
    before = state(model)
    with pytest.raises(ValueError, match=r"must be told the task, as in partial_fit\(X, y, task=…\): it"):
        model.fit(X, y)
    with pytest.raises(ValueError, match=r"must be told the task, task=…: it has to know which part"):
        model.partial_fit(X, y)
    assert state(model) == before
    model.partial_fit(X, y, task="a")
    before = state(model)
    with pytest.raises(ValueError, match="task must be given"):
        model.predict(X)
    with pytest.raises(ValueError, match="task must be one that was learned"):
        model.predict(X, task="b")
    assert state(model) == before


@pytest.mark.parametrize("make", [classifier, regressor])
def test_networks_of_different_tasks_answer_differently_and_stay_as_they_were(make):
    y = Y if make is classifier else VALUES
    model = make(method="separate").partial_fit(X, y, task="a")
    before = model.predict(X, task="a")
    model.partial_fit(X, y[::-1], task="b")
    assert np.allclose(model.predict(X, task="a"), before)
    assert model.score(X, y, task="a") > 0.9
    assert model.score(X, y[::-1], task="b") > model.score(X, y, task="b")


@pytest.mark.parametrize("name", ["icarl", "generative_classifier"])
def test_a_method_that_must_not_be_told_the_task_says_so(name):
    model = classifier(method=RECIPES[name])
    before = state(model)
    with pytest.raises(ValueError, match=r"^\w+ must not be told the task: .* every "):
        model.partial_fit(UNIT, Y, task="a")
    assert state(model) == before


# ---- what is painted ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["generative_replay", "bir", "generative_classifier"])
@pytest.mark.parametrize("learned_before", [False, True])
@pytest.mark.parametrize(
    ("x", "message"),
    [
        (UNIT - 0.01, r"x must lie in \[0, 1\] where it is to be painted, got values from -0.01 to 0.99$"),
        (UNIT * 255, r"x must lie in \[0, 1\] where it is to be painted, got values from 0 to 255$"),
        (sparse.csr_array(UNIT), "x must be dense where it is to be painted, got a sparse matrix"),
    ],
)
def test_what_can_not_be_painted_is_refused_and_leaves_everything_as_it_was(name, learned_before, x, message):
    model = classifier(method=RECIPES[name], n_epochs=1)
    if learned_before:
        model.partial_fit(UNIT, Y)
    before = state(model)
    with pytest.raises(ValueError, match=message):
        model.partial_fit(x, Y)
    assert state(model) == before


# ---- scales that move --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["ewc(strength=100)", "si(c=10)", "mas", "ogd", "agem", "replay"])
@pytest.mark.parametrize("kind", [np.array, sparse.csr_array])
def test_what_was_learned_is_kept_although_features_become_a_thousand_times_as_large(name, kind):
    """The same question, asked of other columns, on another scale."""
    y, columns = (X[:, 0] > X[:, 1]).astype(int), [2, 3]
    first, later = X.copy(), 1000 * X[:, [2, 3, 0, 1]]
    first[:, columns] = 0
    later[:, [0, 1]] = 0
    model = classifier(method=name, n_epochs=30).partial_fit(kind(first), y).partial_fit(kind(later), y)
    assert model.score(kind(later), y) > 0.9
    assert model.score(kind(first), y) > 0.9
