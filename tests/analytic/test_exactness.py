"""The promise: order, chunks, machines and detours make no difference, and all rows at once give the same."""

import copy
import itertools
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.linalg import lstsq, solve

from incrlearn import AnalyticClassifier, AnalyticRegressor, Network
from incrlearn.analytic import NetworkFeatures, Patches

from .helpers import FEATURES, MODELS, classes, classifier, cut, linear, regressor, same, state

SEEDS = st.integers(0, 2**32 - 1)
KINDS = list(itertools.product(MODELS, FEATURES))
EVERY = pytest.mark.parametrize(("kind", "features"), KINDS, ids=[f"{a}, {b}" for a, b in KINDS])
ALL = st.tuples(st.sampled_from(list(MODELS)), st.sampled_from(FEATURES))
#: "auto", and one of each solver's kind
STRENGTHS = st.sampled_from(["auto", 0.1])


def made(kind, seed, features, n=60, **options):
    """Return a model that has learned nothing, rows, and what it learns of them."""
    make, targets = MODELS[kind]
    x, y = classes(seed, n)
    options = {"strength": "auto"} | options
    return make(features, **({"solver": kind} if make is classifier else {}), **options), x, targets(x, y)


# ---- order, chunks and machines ----------------------------------------------------------------------


@given(ALL, SEEDS, STRENGTHS, st.booleans())
def test_rows_in_any_order_and_any_chunks_give_the_same_model(which, seed, strength, standardize):
    kind, features = which
    one, x, y = made(kind, seed % 7, features, strength=strength, standardize=standardize)
    rng, many = np.random.default_rng(seed), copy.deepcopy(one)
    order = rng.permutation(len(x))
    for part in cut(rng, len(x)):
        many.partial_fit(x[order][part], y[order][part])
    same(many, one.fit(x, y), x)


@given(ALL, SEEDS, STRENGTHS)
def test_models_of_parts_merge_to_the_same_model_by_any_tree(which, seed, strength):
    kind, features = which
    one, x, y = made(kind, seed % 7, features, strength=strength)
    rng, leaves = np.random.default_rng(seed), []
    order = rng.permutation(len(x))
    for part in cut(rng, len(x)):
        leaf = copy.deepcopy(one)
        if rng.random() < 0.2:
            leaves.append(copy.deepcopy(one))  # one that has learned nothing
        leaves.append(leaf.partial_fit(x[order][part], y[order][part]))
    while len(leaves) > 1:
        a, b = (leaves.pop(rng.integers(len(leaves))) for _ in range(2))
        before = state(vars(b))
        leaves.append(a.merge(b))
        assert state(vars(b)) == before
    same(leaves[0], one.fit(x, y), x)
    assert leaves[0].features_.same(one.features_)


def of_all_rows(model, x, y):
    """Return the ridge regression of φ(x) on all rows at once, by SciPy, and how φ(x) varies."""
    phi = model.features_(x)
    center, scale = phi.mean(axis=0), phi.std(axis=0)
    varies = scale > 1e-12
    z = np.zeros_like(phi)
    z[:, varies] = (phi - center)[:, varies] / scale[varies]
    t = y[:, None] == model.classes_ if hasattr(model, "classes_") else y.reshape(len(y), -1)
    target = t - t.mean(axis=0)
    W = solve(z.T @ z + model.strength_ * np.eye(z.shape[1]), z.T @ target, assume_a="pos")
    return z @ W + t.mean(axis=0)


@pytest.mark.parametrize("kind", ["ridge", "values", "a value"])
@pytest.mark.parametrize("features", FEATURES)
@pytest.mark.parametrize("strength", ["auto", 0.3])
def test_it_is_the_ridge_regression_that_scipy_finds_for_all_rows_at_once(kind, features, strength):
    model, x, y = made(kind, 3, features, strength=strength)
    for rows in (slice(0, 7), slice(7, 8), slice(8, 60)):
        model.partial_fit(x[rows], y[rows])
    found = model.decision_function(x) if kind == "ridge" else model.predict(x)
    expected = of_all_rows(model, x, y)
    assert np.abs(found.reshape(expected.shape) - expected).max() <= 1e-8 * np.abs(expected).max()


def test_without_a_penalty_it_is_least_squares():
    x, y = classes(0)
    model = AnalyticRegressor(strength=0.0).partial_fit(x[:20], y[:20]).partial_fit(x[20:], y[20:])
    best = lstsq(np.column_stack([x, np.ones(60)]), y.astype(float))[0]
    assert np.allclose(linear(model)[0], best, rtol=1e-9)


def test_coefficients_of_the_features_stand_in_the_order_of_the_classes():
    x, y = classes(1)
    for rows in (slice(None), slice(None, None, -1)):
        model = classifier("relu(units=20)").fit(x[rows], np.array(["d", "b", "a", "c"])[y[rows]])
        z = model.features_(x) @ model.coef_.T + model.intercept_
        assert np.allclose(z, model.decision_function(x))


def test_classes_that_come_one_at_a_time_are_learned_as_if_they_had_come_together():
    x, y = classes(2)
    for solver, features in itertools.product(("ridge", "lda", "nearest_mean"), FEATURES):
        one_by_one = classifier(features, solver)
        for label in (2, 0, 3, 1):
            one_by_one.partial_fit(x[y == label], y[y == label])
        same(one_by_one, classifier(features, solver).fit(x, y), x)


# ---- weights -----------------------------------------------------------------------------------------


@given(ALL, SEEDS)
def test_a_row_of_weight_two_came_twice_and_one_of_weight_zero_never(which, seed):
    kind, features = which
    one, x, y = made(kind, seed % 7, features)
    weight = np.random.default_rng(seed).integers(0, 4, len(x))
    weight[:3] = 1, 0, 2
    repeated, two = np.repeat(np.arange(60), weight), copy.deepcopy(one)
    for rows in (slice(0, 25), slice(25, 60)):
        one.partial_fit(x[rows], y[rows], sample_weight=weight[rows])
    two.fit(x[repeated], y[repeated])
    assert one.n_samples_seen_ == (weight > 0).sum()
    two.n_samples_seen_ = one.n_samples_seen_
    same(one, two, x)


def test_rows_of_weight_zero_bring_no_class():
    model = classifier().fit([[0.0], [1.0], [2.0]], ["a", "b", "c"], sample_weight=[1, 0, 1])
    assert model.classes_.tolist() == ["a", "c"]


def test_a_single_weight_is_that_of_all_rows():
    x, y = classes(0)
    assert state(vars(classifier().fit(x, y, 2))) == state(vars(classifier().fit(x, y, np.full(60, 2.0))))


@pytest.mark.parametrize(
    ("weight", "error", "message"),
    [
        (np.ones(59), ValueError, r"sample_weight.shape == \(59,\), expected \(60,\)"),
        (np.ones((60, 1)), ValueError, r"sample_weight.shape == \(60, 1\), expected \(60,\)"),
        (np.r_[-1.0, np.ones(59)], ValueError, "sample_weight must be ≥ 0, got -1.0 at index 0"),
        (np.r_[np.nan, np.ones(59)], ValueError, "sample_weight must be finite, but holds nan at index 0"),
        (np.r_[1, np.inf, np.ones(58)], ValueError, "sample_weight must be finite, but holds inf at index 1"),
        (np.zeros(60), ValueError, "sample_weight must not be zero for every row"),
        (["heavy"] * 60, TypeError, "sample_weight must hold real numbers"),
        (np.full(60, 1e308), FloatingPointError, "do not add up to a finite number"),
    ],
)
def test_weights_that_can_not_be_are_refused_and_leave_everything_as_it_was(weight, error, message):
    x, y = classes(0)
    for kind in MODELS:
        model, x, y = made(kind, 0, "identity")
        before = state(vars(model.fit(x, y)))
        for call in (model.fit, model.partial_fit):
            with pytest.raises(error, match=message):
                call(x, y, sample_weight=weight)
        assert state(vars(model)) == before


# ---- forgetting --------------------------------------------------------------------------------------


@given(ALL, SEEDS, st.sampled_from([0.5, 0.9, 0.999]))
def test_forgetting_is_a_weight_that_falls_with_every_row_however_they_are_cut(which, seed, forgetting):
    kind, features = which
    fading, x, y = made(kind, seed % 7, features, forgetting=forgetting, strength=0.1)
    weighted, _, _ = made(kind, seed % 7, features, strength=0.1)
    given_weight = np.random.default_rng(seed).integers(1, 3, 60)
    for part in cut(np.random.default_rng(seed), 60):
        fading.partial_fit(x[part], y[part], sample_weight=given_weight[part])
    weight = given_weight * forgetting ** np.arange(59.0, -1.0, -1.0)
    same(fading, weighted.fit(x, y, sample_weight=weight), x, rtol=1e-6)


def test_what_faded_long_ago_is_nothing_at_all():
    x, y = classes(0, n=40)
    model = classifier(forgetting=0.5)
    for _ in range(60):
        model.partial_fit(x, y)
    model.partial_fit(x + 5, y)
    same(
        model.set_params(strength=0.1), _seen(2440, classifier(forgetting=0.5, strength=0.1).fit(x + 5, y)), x
    )


def _seen(rows, model):
    """Return the model as one that has seen so many rows."""
    model.n_samples_seen_ = rows
    return model


@pytest.mark.parametrize("change", ["never", "afterwards"])
def test_what_fades_is_neither_unlearned_nor_merged(change):
    x, y = classes(0)
    fading, other = classifier(forgetting=0.9).fit(x, y), classifier().fit(x, y)
    if change == "afterwards":
        fading.set_params(forgetting=1.0)
        fading.predict(x)
    before = state([vars(fading), vars(other)])
    with pytest.raises(ValueError, match="forgetting must be 1 to unlearn: how far these rows have faded"):
        fading.unlearn(x, y)
    for one, two in ((fading, other), (other, fading)):
        with pytest.raises(ValueError, match="forgetting must be 1 to merge: which rows are older"):
            one.merge(two)
    assert state([vars(fading), vars(other)]) == before
    with pytest.raises(ValueError, match="forgetting must be 1 to merge"):
        classifier(forgetting=0.9).merge(other)
    with pytest.raises(ValueError, match="forgetting must be 1 to merge"):
        classifier().merge(fading)


# ---- unlearning --------------------------------------------------------------------------------------


@given(ALL, SEEDS, STRENGTHS)
def test_unlearned_rows_have_never_been_learned(which, seed, strength):
    kind, features = which
    one, x, y = made(kind, seed % 7, features, strength=strength)
    rng, never = np.random.default_rng(seed), copy.deepcopy(one)
    gone = rng.permutation(60)[: rng.integers(1, 25)]
    kept = np.setdiff1d(np.arange(60), gone)
    one.fit(x, y)
    for part in cut(rng, len(gone)) if len(gone) > 1 else [slice(None)]:
        one.unlearn(x[gone[part]], y[gone[part]])
    same(one, never.fit(x[kept], y[kept]), x)


@pytest.mark.parametrize("features", FEATURES)
@pytest.mark.parametrize("solver", ["ridge", "lda", "nearest_mean"])
@pytest.mark.parametrize("label", range(4))
def test_a_class_that_is_unlearned_is_not_known_any_more(features, solver, label):
    x, y = classes(1)
    model = classifier(features, solver).fit(x, y).unlearn(x[y == label], y[y == label])
    assert label not in model.classes_
    rest = y != label
    same(model, classifier(features, solver).fit(x[rest], y[rest]), x)
    same(model.partial_fit(x[~rest], y[~rest]), classifier(features, solver).fit(x, y), x)


def test_unlearning_keeps_classes_that_were_announced_and_tasks_that_are_left():
    x, y = classes(1)
    model = classifier().partial_fit(x[y < 2], y[y < 2], classes=[9, 1, 0], task="a")
    model.partial_fit(x[y >= 2], y[y >= 2], task="b").partial_fit(x[y == 0], y[y == 0] + 5, task="a")
    model.unlearn(x[y == 0], y[y == 0] + 5).unlearn(x[y == 0], y[y == 0])
    assert model.classes_.tolist() == [1, 2, 3, 9]
    assert set(model.predict(x, task="a")) == {1}
    assert set(model.predict(x, task="b")) == {2, 3}
    never = classifier().partial_fit(x[y == 1], y[y == 1], task="a", classes=[9])
    never.partial_fit(x[y >= 2], y[y >= 2], task="b")
    same(model, never, x)
    assert np.array_equal(model.predict(x, task="b"), never.predict(x, task="b"))
    model.unlearn(x[y >= 2], y[y >= 2])
    with pytest.raises(ValueError, match="task 'b' is unknown: 1 were learned"):
        model.predict(x, task="b")


@pytest.mark.parametrize("kind", MODELS)
def test_a_model_that_has_unlearned_everything_has_learned_nothing(kind):
    model, x, y = made(kind, 0, "relu(units=20)")
    before = state(vars(model))
    model.fit(x, y).unlearn(x[:30], y[:30]).unlearn(x[30:], y[30:])
    assert state(vars(model)) == before
    with pytest.raises(ValueError, match="is not fitted yet"):
        model.predict(x)
    other, _, _ = made(kind, 0, "relu(units=20)")
    same(model.partial_fit(x[:, :3], y), other.fit(x[:, :3], y), x[:, :3])


@pytest.mark.parametrize("kind", MODELS)
def test_rows_with_weights_are_unlearned_with_their_weights(kind):
    model, x, y = made(kind, 0, "identity")
    weight = np.linspace(0.5, 2, 60)
    model.fit(x, y, sample_weight=weight).unlearn(x[20:], y[20:], sample_weight=weight[20:])
    never, _, _ = made(kind, 0, "identity")
    same(model, never.fit(x[:20], y[:20], sample_weight=weight[:20]), x)


UNLEARNED = {
    "a label never learned": (lambda x, y: (x, y + 3), "y holds a label that was never learned, at index"),
    "too many of a class": (
        lambda x, y: (np.repeat(x[y == 2], 60, axis=0), np.repeat(y[y == 2], 60)),
        r"y holds \d+ rows of class .*2.*, but only \d+ were learned",
    ),
    "too many": (
        lambda x, y: (np.vstack([x, x]), np.r_[y, y]),
        r"y holds \d+ rows.*, but only \d+ were learned",
    ),
    "rows far away": (lambda x, y: (x[:5] + 1e6, y[:5]), "X, y and sample_weight are not of rows that were"),
    "too heavy": (
        lambda x, y: (x[:5], y[:5], np.full(5, 30.0)),
        "can not be taken away from|not of rows that",
    ),
    "too light": (lambda x, y: (x, y, np.full(60, 0.5)), "X, y and sample_weight are not of rows that were"),
    "a class too light": (
        lambda x, y: (x[y == 1], y[y == 1], np.full((y == 1).sum(), 0.5)),
        "X, y and sample_weight are not of rows that were",
    ),
    "nearly all of a class": (
        lambda x, y: (x[y == 1][1:], y[y == 1][1:], np.full((y == 1).sum() - 1, 1.6)),
        "X, y and sample_weight are not of rows that were",
    ),
    "other columns": (lambda x, y: (x[:, :2], y), "X has 2 features, but Analytic.* is expecting 4"),
    "NaN": (lambda x, y: (x * np.nan, y), "X must be finite"),
}


@pytest.mark.parametrize("reason", UNLEARNED)
@pytest.mark.parametrize("kind", MODELS)
def test_rows_that_were_not_learned_are_not_unlearned_and_everything_is_as_it_was(kind, reason):
    make, message = UNLEARNED[reason]
    model, x, y = made(kind, 0, "identity")
    if kind in ("values", "a value") and ("class" in reason or "label" in reason):
        pytest.skip("values have no classes")
    before = state(vars(model.fit(x, y)))
    with pytest.raises(ValueError, match=message):
        model.unlearn(*make(x, y))
    assert state(vars(model)) == before


def test_labels_of_another_kind_and_values_of_another_number_are_not_unlearned():
    x, y = classes(0)
    model = classifier().fit(x, y)
    before = state(vars(model))
    with pytest.raises(TypeError, match="y holds strings, but the labels known so far are integers"):
        model.unlearn(x, y.astype(str))
    assert state(vars(model)) == before
    values = regressor().fit(x, np.column_stack([y, y]))
    with pytest.raises(ValueError, match="y must have one column for each of 2 outputs"):
        values.unlearn(x, y)


def test_unlearning_works_where_columns_are_far_from_0():
    x, y = classes(0)
    x = x + 1e8
    for kind in ("ridge", "lda", "nearest_mean"):
        model = classifier("identity", kind).fit(x, y).unlearn(x[5:], y[5:])
        assert model.n_samples_seen_ == 5
        never = classifier("identity", kind).fit(x[:5], y[:5])
        assert np.abs(model.decision_function(x[:5]) - never.decision_function(x[:5])).max() < 0.1
        assert np.isfinite(linear(model.unlearn(x[1:5], y[1:5]))).all()


# ---- merging -----------------------------------------------------------------------------------------


def test_merging_shares_nothing():
    for (kind, features), first in itertools.product(KINDS, (0, 30)):
        a, x, y = made(kind, 0, features)
        b = copy.deepcopy(a).fit(x[30:], y[30:])
        if first:
            a.fit(x[:first], y[:first])
        a.merge(b)
        before = state(vars(b))
        a.partial_fit(x + 1, y).unlearn(x[30:], y[30:]).predict(x)
        assert state(vars(b)) == before
        before = state(vars(a))
        b.partial_fit(x - 1, y).unlearn(x[30:], y[30:]).predict(x)
        assert state(vars(a)) == before


def test_a_model_merged_with_itself_has_learned_everything_twice():
    x, y = classes(0)
    model = classifier().fit(x, y)
    same(model.merge(model), classifier().fit(np.vstack([x, x]), np.r_[y, y]), x)


def test_classes_tasks_and_counts_are_united():
    x, y = classes(3)
    names = np.array(["b", "dd", "a", "c"])[y]
    a = classifier().partial_fit(x[y < 2], names[y < 2], task=0, classes=["z"])
    b = classifier().partial_fit(x[y > 0], names[y > 0], task=1).partial_fit(x[y == 0], names[y == 0], task=0)
    a.merge(b)
    whole = classifier().partial_fit(x[y < 2], names[y < 2], task=0, classes=["z"])
    whole.partial_fit(x[y > 0], names[y > 0], task=1).partial_fit(x[y == 0], names[y == 0], task=0)
    same(a, whole, x)
    for task in (0, 1):
        assert np.array_equal(a.predict(x, task=task), whole.predict(x, task=task))
    assert (a.n_updates_, a.n_samples_seen_) == (3, whole.n_samples_seen_)
    assert a.classes_.tolist() == ["a", "b", "c", "dd", "z"]


def test_tasks_of_values_are_united():
    x, y = classes(3)
    a = regressor().partial_fit(x[:30], y[:30], task="a")
    a.merge(regressor().partial_fit(x[30:], y[30:], task="b"))
    assert np.array_equal(a.predict(x, task="b"), a.predict(x))


def test_probabilities_are_those_of_the_rows_of_both():
    x, y = classes(3)
    a, b = classifier().fit(x[:30], y[:30]), classifier().fit(x[30:], y[30:])
    a.predict_proba(x)  # which finds a temperature
    assert np.allclose(a.merge(b).predict_proba(x), classifier().fit(x, y).predict_proba(x))


X, Y = classes(0)
NETWORKS = [NetworkFeatures(Network.mlp(4, 8, 2, rng=np.random.default_rng(k))) for k in range(2)]
APART = {
    "another class": (classifier(), lambda: regressor().fit(X, Y), TypeError, "must be a AnalyticClassifier"),
    "no model": (classifier(), lambda: 3, TypeError, "other must be a AnalyticClassifier, got 3"),
    "other features": (
        classifier(),
        lambda: classifier("relu(units=20)").fit(X, Y),
        ValueError,
        r"other's features are not the same: RandomReLU\(units=20\) for 4 columns, here Identity\(\) for 4",
    ),
    "other options": (
        classifier("relu(units=5)"),
        lambda: classifier("relu(units=6)").fit(X, Y),
        ValueError,
        r"RandomReLU\(units=6\) for 4 columns, here RandomReLU\(units=5\) for 4 columns, each with what was",
    ),
    "other columns": (
        classifier(),
        lambda: classifier().fit(X[:, :3], Y),
        ValueError,
        r"Identity\(\) for 3 columns, here Identity\(\) for 4 columns",
    ),
    "another seed": (
        classifier("relu(units=5)"),
        lambda: classifier("relu(units=5)", random_state=1).fit(X, Y),
        ValueError,
        "other's features are not the same",
    ),
    "no seed": (
        classifier("fourier(units=5)", random_state=None),
        lambda: classifier("fourier(units=5)", random_state=None).fit(X, Y),
        ValueError,
        "each with what was drawn or seen first",
    ),
    "another network": (
        classifier(NETWORKS[0]),
        lambda: classifier(NETWORKS[1]).fit(X, Y),
        ValueError,
        "other's features are not the same",
    ),
    "labels of another kind": (
        classifier(),
        lambda: classifier().fit(X, Y.astype(str)),
        TypeError,
        "classes holds strings, but the labels known so far are integers",
    ),
    "more values": (
        regressor(),
        lambda: regressor().fit(X, np.column_stack([Y, Y])),
        ValueError,
        "other must have learned as many values for a row as this",
    ),
    "sums that are too large": (
        regressor(),
        lambda: regressor().fit(X * 0 + 1e200, Y),
        FloatingPointError,
        "squares of the rows do not add up to a finite number",
    ),
}


@pytest.mark.parametrize("reason", APART)
def test_models_that_do_not_add_up_are_not_merged_and_stay_as_they_were(reason):
    model, make, error, message = APART[reason]
    model, other = copy.deepcopy(model).fit(X, Y), make()
    before, others = state(vars(model)), state(vars(other)) if hasattr(other, "fit") else None
    with pytest.raises(error, match=message):
        model.merge(other)
    assert state(vars(model)) == before
    assert others is None or state(vars(other)) == others


def test_a_model_that_has_learned_nothing_is_not_merged_with_one_of_other_features_either():
    model = classifier("relu(units=5)")
    with pytest.raises(
        ValueError, match=r"Identity\(\) for 4 columns, here RandomReLU\(units=5\), each with"
    ):
        model.merge(classifier().fit(X, Y))
    assert not hasattr(model, "n_features_in_")


def test_two_that_have_learned_nothing_have_learned_nothing():
    assert not classifier().merge(classifier()).__sklearn_is_fitted__()


def test_models_made_on_different_machines_have_the_same_features_by_default():
    a, b = (AnalyticClassifier().fit(X[rows], Y[rows]) for rows in (slice(0, 30), slice(30, 60)))
    assert np.array_equal(a.merge(b).predict(X), AnalyticClassifier().fit(X, Y).predict(X))


IMAGES, _ = classes(0, d=9)
FILTERS = Patches(filters=3, size=2, cells=1, learned=True)


@pytest.mark.parametrize(
    ("features", "x"),
    [("relu(units=5)", X), (FILTERS, IMAGES), (NETWORKS[0], X)],
    ids=["drawn", "learned", "trained"],
)
def test_features_that_are_handed_over_are_the_same_and_can_be_merged(features, x):
    a = classifier(features, random_state=None).fit(x[:30], Y[:30])
    b = classifier(a.features_, random_state=None).fit(x[30:], Y[30:])
    assert b.features_.same(a.features_)
    same(a.merge(b), classifier(a.features_).fit(x, Y), x)
    with pytest.raises(ValueError, match=f"X has 3 features, but features is made for {x.shape[1]}"):
        classifier(a.features_).fit(x[:, :3], Y)


def test_features_that_were_learned_from_other_rows_are_not_the_same():
    a, b = (classifier(FILTERS).fit(IMAGES[rows], Y[rows]) for rows in (slice(0, 30), slice(30, 60)))
    with pytest.raises(
        ValueError, match=r"other's features are not the same: .*what was drawn or seen first"
    ):
        a.merge(b)


def test_an_image_may_be_a_single_patch():
    model = classifier(Patches(filters=3, size=3, cells=1)).fit(IMAGES, Y)
    assert model.coef_.shape == (4, 3)


def test_columns_of_other_names_are_not_merged():
    pandas = pytest.importorskip("pandas")
    a = classifier().fit(pandas.DataFrame(X, columns=list("abcd")), Y)
    b = classifier().fit(pandas.DataFrame(X, columns=list("abce")), Y)
    with pytest.raises(ValueError, match="feature names should match"):
        a.merge(b)
    assert classifier().merge(b).feature_names_in_.tolist() == list("abce")


# ---- what was refused has not been -------------------------------------------------------------------

REFUSED = {
    "NaN": (lambda x, y: (np.where(np.arange(4) == 2, np.nan, x), y), ValueError, "X must be finite"),
    "another width": (lambda x, y: (x[:, :3], y), ValueError, "X has 3 features, but Analytic"),
    "fewer rows than targets": (lambda x, y: (x[:9], y), ValueError, "X has 9 samples, but y has 60"),
    "too large": (lambda x, y: (np.where(np.eye(60, 4), 1e200, x), y), FloatingPointError, "do not add up"),
    "missing targets": (lambda x, y: (x, None), ValueError, "y is None"),
}


@EVERY
@pytest.mark.parametrize("reason", REFUSED)
def test_a_refused_batch_leaves_the_model_exactly_as_it_was(kind, features, reason):
    make, error, message = REFUSED[reason]
    model, x, y = made(kind, 0, features)
    if reason == "too large" and "fourier" in features:
        pytest.skip("waves are never too large")
    if reason != "another width":
        before = state(vars(model))
        with pytest.raises(error, match=message):
            model.partial_fit(*make(x, y))
        assert state(vars(model)) == before
    model.partial_fit(x, y, task="a")
    before = state(vars(model))
    for task in (None, "b"):
        with pytest.raises(error, match=message):
            model.partial_fit(*make(x, y), task=task)
        assert state(vars(model)) == before


def test_targets_of_another_kind_leave_the_model_exactly_as_it_was():
    x, y = classes(0)
    model = classifier().partial_fit(x, y)
    before = state(vars(model))
    for bad, error, message in (
        (y.astype(str), TypeError, "y holds strings, but the labels known so far are integers"),
        (y + 0.5, ValueError, "Unknown label type: continuous"),
        (y > 1, TypeError, "y holds booleans"),
        (np.column_stack([y, y]), ValueError, "y should be a 1d array"),
    ):
        with pytest.raises(error, match=message):
            model.partial_fit(x, bad)
    for classes_, error, message in (
        (["a"], TypeError, "classes holds strings, but y holds integers"),
        ([1, 1], ValueError, "classes must not hold a label twice"),
    ):
        with pytest.raises(error, match=message):
            model.partial_fit(x, y, classes=classes_)
    with pytest.raises(TypeError, match=r"task must be hashable, such as a number or a string, got \[1\]"):
        model.partial_fit(x, y, task=[1])
    assert state(vars(model)) == before


@pytest.mark.parametrize("columns", [1, 3])
def test_another_number_of_values_leaves_the_model_exactly_as_it_was(columns):
    x, y = classes(0)
    model = regressor().fit(x, np.column_stack([y, y]))
    before = state(vars(model))
    with pytest.raises(
        ValueError, match=rf"y must have one column for each of 2 outputs, got \(60, {columns}\)"
    ):
        model.partial_fit(x, np.repeat(y[:, None], columns, axis=1))
    with pytest.raises(ValueError, match="classes can not be given where the targets are values"):
        model.partial_fit(x, np.column_stack([y, y]), classes=[0])
    assert state(vars(model)) == before


# ---- what may be known in advance --------------------------------------------------------------------


@pytest.mark.parametrize("solver", ["ridge", "lda", "nearest_mean"])
def test_classes_that_were_announced_change_no_answer_before_they_come_and_none_after(solver):
    x, y = classes(0)
    rows = y < 3
    told = classifier(solver=solver).partial_fit(x[rows], y[rows], classes=[3, 2, 1, 0, 8])
    plain = classifier(solver=solver).partial_fit(x[rows], y[rows])
    assert told.classes_.tolist() == [0, 1, 2, 3, 8]
    assert np.allclose(told.predict_proba(x)[:, :3], plain.predict_proba(x), atol=1e-9)
    assert not told.predict_proba(x)[:, 3:].any()
    assert np.array_equal(told.predict(x), plain.predict(x))
    told.partial_fit(x[~rows], y[~rows])
    plain.partial_fit(x[~rows], y[~rows], classes=[8])
    same(told, plain, x)


@pytest.mark.parametrize("solver", ["ridge", "lda", "nearest_mean"])
def test_where_the_task_is_told_only_its_classes_compete(solver):
    x, y = classes(0)
    model = classifier(solver=solver)
    model.partial_fit(x[y % 2 == 0], y[y % 2 == 0], task="even").partial_fit(
        x[y % 2 == 1], y[y % 2 == 1], task=1
    )
    free = model.decision_function(x)
    for task, known in (("even", [0, 2]), (1, [1, 3])):
        assert np.array_equal(model.predict(x, task=task), np.array(known)[free[:, known].argmax(axis=1)])
        p = model.predict_proba(x, task=task)
        assert np.allclose(p[:, known].sum(axis=1), 1)
        assert not p[:, np.setdiff1d(range(4), known)].any()
        rows = np.isin(y, known)
        assert model.score(x[rows], y[rows], task=task) >= model.score(x[rows], y[rows])
    for call in (model.predict, model.predict_proba, lambda x, task: model.score(x, y, task=task)):
        with pytest.raises(ValueError, match="task 'odd' is unknown: 2 were learned"):
            call(x, task="odd")


# ---- hyper-parameters --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "use", ["predict", "decision_function", "predict_proba", "score", "coef_", "strength_"]
)
def test_another_strength_or_solver_takes_effect_without_learning_again(use):
    x, y = classes(0)
    for changes in ({"strength": 500.0}, {"solver": "lda"}, {"standardize": False, "strength": 0.5}):
        model, expected = (
            classifier("relu(units=20)").fit(x, y),
            classifier("relu(units=20)", **changes).fit(x, y),
        )
        model.score(x, y)
        model.set_params(**changes)
        found, wanted = (
            getattr(one, use)
            if use.endswith("_")
            else getattr(one, use)(x, y)
            if use == "score"
            else getattr(one, use)(x)
            for one in (model, expected)
        )
        assert np.array_equal(found, wanted)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"features": "rbf"}, ValueError, "features must be one of 'identity', 'relu', .*, got 'rbf'"),
        ({"features": "relu(width=3)"}, ValueError, "option of relu must be one of 'units', got 'width'"),
        ({"features": "relu(units=0)"}, ValueError, "units must be a whole number ≥ 1, got 0"),
        ({"features": "relu("}, ValueError, r"features must read like relu\(units=2000\), got 'relu\('"),
        ({"features": 3}, TypeError, "features must be a name, got 3"),
        ({"features": "relu(units=20_000)"}, ValueError, "features would be 20,004 columns, 20,000 at most"),
        ({"solver": "svm"}, ValueError, "solver must be one of 'ridge', 'lda', 'nearest_mean', got 'svm'"),
        ({"strength": -1}, ValueError, "strength must be 'auto' or a number ≥ 0, got -1"),
        ({"strength": "aut"}, TypeError, "strength must be 'auto' or a number ≥ 0, got 'aut'"),
        ({"strength": np.nan}, ValueError, "strength must be 'auto' or a number ≥ 0, got nan"),
        ({"strength": None}, TypeError, "strength must be 'auto' or a number ≥ 0, got None"),
        (
            {"solver": "lda", "strength": 2},
            ValueError,
            r"strength must be 'auto' or a number in \[0, 1\], got",
        ),
        ({"standardize": 1}, TypeError, "standardize must be True or False, got 1"),
        ({"forgetting": 0}, ValueError, r"forgetting must be a number in \(0, 1\], got 0"),
        ({"forgetting": 1.1}, ValueError, r"forgetting must be a number in \(0, 1\], got 1.1"),
        ({"random_state": "a"}, TypeError, "random_state must be a whole number, got 'a'"),
    ],
)
def test_a_bad_hyper_parameter_is_named_and_leaves_what_was_learned(options, error, message):
    x, y = classes(0)
    for make in (AnalyticClassifier, AnalyticRegressor):
        if make is AnalyticRegressor and "solver" in options:
            continue
        with pytest.raises(error, match=message):
            make(**options).fit(x, y)
        model = make("identity").fit(x, y)
        before = state(model._learner), state(linear(model))
        with pytest.raises(error, match=message):
            model.set_params(**options).fit(x, y)
        model.set_params(**make("identity").get_params())
        assert (state(model._learner), state(linear(model)))[1] == before[1]


def test_nothing_warns_where_nothing_is_wrong():
    x, y = classes(0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for kind, features in KINDS:
            model, x, y = made(kind, 0, features)
            model.partial_fit(x[:1], y[:1]).predict(x)
            model.partial_fit(x, y).predict(x)
            model.unlearn(x[:1], y[:1]).predict(x)
            model.merge(copy.deepcopy(model)).score(x, y)
