"""What the estimators are for: data keep arriving, and what was learned is kept."""

import numpy as np
import pytest
from scipy import sparse
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from incrlearn import IncrementalClassifier

from .helpers import VALUES, X, Y, classifier, regressor, state

BOTH = pytest.mark.parametrize(("make", "y"), [(classifier, Y), (regressor, VALUES)])


# ---- digits, one class at a time ---------------------------------------------------------------------


def learn_digits(model, scale=1.0, shift=0.0, labels=None):
    """Learn digits one class at a time in ten calls; return the accuracy on a stratified quarter held out."""
    x, y = load_digits(return_X_y=True)
    x = x * scale + shift
    y = y if labels is None else np.array(labels)[y]
    x, x_test, y, y_test = train_test_split(x, y, test_size=0.25, stratify=y, random_state=0)
    for label in np.unique(y):
        model.partial_fit(x[y == label], y[y == label])
    return model.score(x_test, y_test)


@pytest.mark.parametrize("seed", range(3))
def test_digits_that_arrive_one_class_at_a_time_are_all_known_at_the_end_with_default_settings(seed):
    assert learn_digits(IncrementalClassifier(random_state=seed)) >= 0.94


def test_without_a_method_only_the_last_digit_is_known():
    assert learn_digits(IncrementalClassifier("none", n_epochs=5, random_state=0)) < 0.2


def test_digits_on_wild_scales_are_known_as_well():
    scale = 10.0 ** np.linspace(-6, 6, 64)
    tame, wild = (IncrementalClassifier(n_epochs=5, random_state=0) for _ in range(2))
    shift = scale * np.linspace(-100, 100, 64)
    assert abs(learn_digits(wild, scale, shift) - learn_digits(tame)) < 0.01


def test_digits_may_be_called_by_their_names():
    names = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
    model = IncrementalClassifier(n_epochs=5, random_state=0)
    assert learn_digits(model, labels=names) > 0.9
    assert model.classes_.tolist() == sorted(names)


# ---- batches of any size -----------------------------------------------------------------------------


def test_a_stream_of_single_rows_is_learned():
    x, y = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(y))
    model = IncrementalClassifier(n_epochs=2, random_state=0)
    for row in order[:250]:
        model.partial_fit(x[[row]], y[[row]])
    assert model.score(x[order[250:]], y[order[250:]]) > 0.85
    assert (model.n_updates_, model.n_samples_seen_) == (250, 250)


def test_a_feature_that_first_varies_later_is_learned_and_what_was_known_stays():
    constant = X.copy()
    constant[:, 1] = 1e6
    model = classifier().partial_fit(constant[Y != 1], Y[Y != 1])
    assert model.score(constant[Y != 1], Y[Y != 1]) > 0.9
    moved = constant + 10 * np.eye(4)[1]
    model.partial_fit(moved[Y == 1], Y[Y == 1])
    assert model.score(np.where((Y == 1)[:, None], moved, constant), Y) > 0.9


@BOTH
@pytest.mark.parametrize("as_kind", [np.array, sparse.csr_array])
def test_when_the_scale_moves_what_was_learned_stays_what_it_was(make, y, as_kind):
    model = make(method="none", optimizer="sgd").partial_fit(as_kind(X), y)
    before, theta = model.predict(X), model.network_.theta.copy()
    outputs = model.decision_function(X) if make is classifier else before
    model.set_params(learning_rate=1e-300)  # so that nothing but the scale can change anything
    model.partial_fit(as_kind(1e3 * X), y if make is classifier else 1e6 * y - 1e3)
    assert not np.allclose(model.network_.theta, theta, rtol=0.1)
    assert np.allclose(model.decision_function(X) if make is classifier else model.predict(X), outputs)
    assert np.allclose(model.predict(X), before)


# ---- the same seed, the same result ------------------------------------------------------------------


@BOTH
@pytest.mark.parametrize("method", ["replay", "replay+l2_anchored", "joint", "none"])
def test_the_same_seed_gives_the_same_result_bit_for_bit(make, y, method):
    models = [make(method=method).partial_fit(X[:30], y[:30]).partial_fit(X[30:], y[30:]) for _ in range(2)]
    assert state(models[0]) == state(models[1])
    other = make(method=method, random_state=1).partial_fit(X[:30], y[:30]).partial_fit(X[30:], y[30:])
    assert not np.array_equal(other.network_.theta, models[0].network_.theta)


@BOTH
def test_fitting_again_forgets_all_that_was_learned(make, y):
    once = make().fit(X, y)
    again = (
        make()
        .partial_fit(-X[:30, :2], y[:30])
        .partial_fit(-X[:30, :2], y[:30], task=None)
        .fit(X, y)
        .fit(X, y)
    )
    assert state(again) == state(once)
    assert state(make().partial_fit(X, y)) == state(once)


@pytest.mark.parametrize("kind", [np.random.default_rng, np.random.RandomState])
def test_a_generator_gives_a_result_that_can_be_repeated_and_another_at_every_fit(kind):
    first, second = (classifier(random_state=kind(3)) for _ in range(2))
    thetas = [model.fit(X, Y).network_.theta.copy() for model in (first, second, first, second)]
    assert np.array_equal(thetas[0], thetas[1])
    assert np.array_equal(thetas[2], thetas[3])
    assert not np.array_equal(thetas[0], thetas[2])


def test_a_generator_is_drawn_from_once_in_every_fit_and_never_after():
    used, expected = np.random.default_rng(3), np.random.default_rng(3)
    model = classifier(random_state=used).fit(X, Y).partial_fit(X, Y)
    model.predict(X)
    expected.integers(2**63)
    assert used.bit_generator.state == expected.bit_generator.state


def test_without_a_seed_every_result_is_another_and_numpys_global_generator_is_left_alone():
    np.random.seed(0)  # noqa: NPY002
    before = np.random.get_state()[1:3]  # noqa: NPY002
    a, b = (classifier(random_state=None).fit(X, Y).network_.theta for _ in range(2))
    assert not np.array_equal(a, b)
    after = np.random.get_state()[1:3]  # noqa: NPY002
    assert np.array_equal(before[0], after[0])
    assert before[1] == after[1]


# ---- between two calls -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "steps"),
    [({"batch_size": 20}, 3 * 10), ({"n_epochs": 2}, 8 * 2), ({"n_epochs": 1, "batch_size": 60}, 1)],
)
def test_batch_size_and_epochs_may_change_between_two_calls(options, steps):
    model = classifier().partial_fit(X, Y)
    assert len(model.objective_values_) == 8 * 10
    assert len(model.set_params(**options).partial_fit(X, Y).objective_values_) == steps


def test_the_learning_rate_may_change_between_two_calls():
    model = classifier(optimizer="sgd").partial_fit(X, Y)
    theta = model.network_.theta.copy()
    model.set_params(learning_rate=1e-12).partial_fit(X, Y)
    assert np.allclose(model.network_.theta, theta, atol=1e-8)
    model.set_params(learning_rate=0.1).partial_fit(X, Y)
    assert np.abs(model.network_.theta - theta).max() > 1e-3


@pytest.mark.parametrize("options", [{"learning_rate": 0}, {"batch_size": 0}, {"n_epochs": 1.5}])
def test_a_bad_parameter_between_two_calls_is_refused_and_the_model_goes_on_with_a_good_one(options):
    model, twin = classifier().partial_fit(X, Y), classifier().partial_fit(X, Y)
    good = {name: getattr(model, name) for name in options}
    with pytest.raises((TypeError, ValueError), match="must be a"):
        model.set_params(**options).partial_fit(X, Y)
    assert state(model.set_params(**good)) == state(twin)
    assert state(model.partial_fit(X, Y)) == state(twin.partial_fit(X, Y))


def test_parameters_of_the_network_and_the_method_take_effect_at_the_next_fit():
    model = classifier().partial_fit(X, Y).set_params(hidden_layer_sizes=(3,), method="none", memory_size=5)
    model.partial_fit(X, Y)
    assert model.network_.layers[1].outputs == 16
    assert len(model.remembered()[0]) == 120
    model.fit(X, Y)
    assert model.network_.layers[1].outputs == 3
    assert model.remembered() is None


# ---- step by step ------------------------------------------------------------------------------------


@BOTH
def test_to_learn_step_by_step_is_to_learn(make, y):
    model, stepwise = make(), make()
    for rows in (slice(0, 30), slice(30, 60)):
        model.partial_fit(X[rows], y[rows])
        steps = list(stepwise.partial_fit_steps(X[rows], y[rows]))
        assert steps == [(k, 40) for k in range(1, 41)]
    assert state(stepwise) == state(model)


@BOTH
def test_a_loop_over_steps_that_is_left_early_has_changed_nothing(make, y):
    fresh, learned = make(), make().partial_fit(X, y)
    for model in (fresh, learned):
        before = state(model)
        for step, _ in model.partial_fit_steps(X + 1, y + 1):
            if step == 3:
                break
        assert state(model) == before


def test_nothing_happens_before_the_first_step_is_asked_for():
    model = classifier()
    steps = model.partial_fit_steps("nonsense", None)
    assert vars(model) == vars(classifier())
    with pytest.raises(ValueError, match="expected 2D array"):
        next(steps)


# ---- what is remembered ------------------------------------------------------------------------------


def test_remembered_samples_are_rows_as_they_came_with_their_labels():
    words, scaled = np.array(["a", "b", "c"])[Y], X * [1, 1e6, 1e-6, 1]
    model = (
        classifier(memory_size=12).partial_fit(scaled[:30], words[:30]).partial_fit(scaled[30:], words[30:])
    )
    x, y = model.remembered()
    assert x.shape == (12, 4)
    assert np.unique(y, return_counts=True)[1].tolist() == [4, 4, 4]
    for row, label in zip(x, y, strict=True):
        assert label in words[(scaled == row).all(axis=1)]


def test_remembered_values_have_the_shape_in_which_they_came():
    for y in (VALUES, np.column_stack([VALUES, -VALUES])):
        x, values = regressor(memory_size=7).fit(X, y).remembered()
        assert values.shape == (7, *y.shape[1:])
        for row, value in zip(x, values, strict=True):
            assert np.array_equal(y[(row == X).all(axis=1)][0], value)


@pytest.mark.parametrize(
    ("method", "kept"), [("none", None), ("l2_anchored", None), ("joint", 60), ("replay", 50)]
)
def test_what_is_remembered_is_what_the_method_keeps(method, kept):
    model = classifier(method=method, memory_size=50).fit(X, Y)
    assert model.remembered() is None if kept is None else len(model.remembered()[1]) == kept


@BOTH
def test_the_counts_are_of_rows_and_of_calls(make, y):
    model = make().partial_fit(X, y).partial_fit(X[:7], y[:7])
    assert (model.n_samples_seen_, model.n_updates_, model.n_features_in_) == (67, 2, 4)
    assert model.notes_ == {}
