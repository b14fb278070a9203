"""The scenarios: which samples and labels every task gets, and what the learner is told."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from incrlearn.benchmark.datasets import Dataset, load_digits
from incrlearn.benchmark.scenarios import KINDS, VARIANTS, permuted, rotated, split

DIGITS = load_digits()


def numbered(n_classes, per_class=3, words=False):
    """A dataset whose first feature numbers its samples, the test samples on from the training ones."""
    n = n_classes * per_class
    y = np.random.default_rng(0).permutation(np.arange(n) % n_classes)
    y = np.array([f"class {k}" for k in range(n_classes)])[y] if words else y
    x = np.arange(n * 4, dtype=np.float32).reshape(n, 4)
    return Dataset("numbered", x, y, x + n * 4, y, image_shape=(2, 2))


def identity_images():
    """64 images with one bright pixel each: what is done to them shows what is done to every pixel."""
    return Dataset("pixels", np.eye(64), np.arange(64) % 2, np.eye(64), np.arange(64) % 2)


def classes_of(task):
    return np.unique(task.y).tolist()


# Split


@given(data=st.data(), kind=st.sampled_from(KINDS), words=st.booleans(), seed=st.none() | st.integers(0, 99))
def test_a_split_loses_and_doubles_no_sample(data, kind, words, seed):
    n_classes = data.draw(st.integers(1, 9))
    sizes = [t for t in range(1, n_classes + 1) if kind != "domain" or n_classes % t == 0]
    dataset = numbered(n_classes, words=words)
    rng = None if seed is None else np.random.default_rng(seed)
    tasks = split(dataset, data.draw(st.sampled_from(sizes)), kind, rng).tasks
    for part in ("x", "x_test"):
        rows = np.concatenate([getattr(task, part) for task in tasks])
        np.testing.assert_array_equal(rows[np.argsort(rows[:, 0])], getattr(dataset, part))


@given(n_classes=st.integers(1, 9), n_tasks=st.integers(1, 9), seed=st.integers(0, 99))
def test_the_groups_of_a_split_are_as_equal_as_can_be(n_classes, n_tasks, seed):
    n_tasks = min(n_tasks, n_classes)
    tasks = split(numbered(n_classes), n_tasks, "class", np.random.default_rng(seed)).tasks
    sizes = [len(classes_of(task)) for task in tasks]
    assert len(sizes) == n_tasks
    assert sum(sizes) == n_classes
    assert max(sizes) - min(sizes) <= 1


def test_without_a_generator_the_classes_keep_their_order():
    assert [classes_of(task) for task in split(DIGITS).tasks] == [[0, 1], [2, 3], [4, 5], [6, 7], [8, 9]]


def test_a_generator_shuffles_the_classes_and_the_same_seed_shuffles_them_alike():
    names = [
        [task.name for task in split(DIGITS, rng=np.random.default_rng(seed)).tasks] for seed in (1, 1, 2)
    ]
    assert names[0] == names[1] != names[2]
    assert names[0] != [task.name for task in split(DIGITS).tasks]


@pytest.mark.parametrize("words", [False, True])
@pytest.mark.parametrize("kind", ["task", "class"])
def test_a_split_keeps_the_labels_of_the_dataset(kind, words):
    dataset = numbered(6, words=words)
    for task in split(dataset, 3, kind, np.random.default_rng(0)).tasks:
        np.testing.assert_array_equal(task.y, dataset.y[task.x[:, 0].astype(int) // 4])
        assert set(task.y_test) == set(task.y)


@pytest.mark.parametrize("words", [False, True])
@pytest.mark.parametrize("seed", [None, 0, 1])
def test_in_a_domain_split_a_label_is_the_position_within_the_group(words, seed):
    dataset = numbered(6, words=words)
    shuffle = np.arange(6) if seed is None else np.random.default_rng(seed).permutation(6)
    rng = None if seed is None else np.random.default_rng(seed)
    tasks = split(dataset, 2, "domain", rng).tasks
    for group, task in zip(np.unique(dataset.y)[shuffle].reshape(2, 3), tasks, strict=True):
        own = dataset.y[task.x[:, 0].astype(int) // 4]
        np.testing.assert_array_equal(group[task.y], own)
        assert np.issubdtype(task.y.dtype, np.integer)
        np.testing.assert_array_equal(np.unique(task.y_test), [0, 1, 2])


def test_a_domain_split_into_unequal_groups_is_refused():
    with pytest.raises(
        ValueError, match="needs groups of one size, but n_tasks=3 does not divide 10 classes"
    ):
        split(DIGITS, 3, "domain")


def test_more_tasks_than_classes_are_refused():
    with pytest.raises(ValueError, match="n_tasks must be at most the number of classes, 10, got 11"):
        split(DIGITS, 11)


def test_a_task_without_test_samples_is_refused():
    y = np.array([0, 0, 1])
    dataset = Dataset("lonely", np.zeros((3, 1)), y, np.zeros((1, 1)), y[:1])
    with pytest.raises(ValueError, match=r"task 1 \(classes 1\) has no test samples"):
        split(dataset, 2)


@pytest.mark.parametrize("make", [split, permuted])
def test_a_class_that_is_only_in_the_test_part_is_refused(make):
    dataset = Dataset("odd", np.zeros((4, 1)), np.array(list("aabb")), np.zeros((1, 1)), np.array(["c"]))
    with pytest.raises(ValueError, match="dataset 'odd' has test samples of class 'c', but none to train on"):
        make(dataset, 2, "class", np.random.default_rng(0))


# Permuted


@given(n_tasks=st.integers(1, 4), kind=st.sampled_from(KINDS), seed=st.integers(0, 99))
def test_a_permutation_is_the_same_for_all_samples_and_can_be_undone(n_tasks, kind, seed):
    tasks = permuted(DIGITS, n_tasks, kind, np.random.default_rng(seed)).tasks
    probes = permuted(identity_images(), n_tasks, kind, np.random.default_rng(seed)).tasks
    for task, probe in zip(tasks, probes, strict=True):
        order = probe.x.argmax(axis=0)
        assert sorted(order) == list(range(64))
        np.testing.assert_array_equal(task.x[:, np.argsort(order)], DIGITS.x)
        np.testing.assert_array_equal(task.x_test[:, np.argsort(order)], DIGITS.x_test)


def test_the_first_task_is_not_permuted_and_not_copied():
    task = permuted(DIGITS, 2, rng=np.random.default_rng(0)).tasks[0]
    assert task.x is DIGITS.x
    assert task.x_test is DIGITS.x_test


def test_every_task_has_a_permutation_of_its_own_and_the_same_seed_the_same_ones():
    first, again = (permuted(DIGITS, 4, rng=np.random.default_rng(5)).tasks for _ in range(2))
    for t, task in enumerate(first):
        np.testing.assert_array_equal(task.x, again[t].x)
        assert not any(np.array_equal(task.x, other.x) for other in first[:t])


def test_the_pixels_of_a_permuted_sample_lie_side_by_side():
    assert permuted(DIGITS, 2, rng=np.random.default_rng(0)).tasks[1].x.flags.c_contiguous


def test_the_permutations_need_a_generator():
    with pytest.raises(TypeError, match=r"rng must be a numpy\.random\.Generator.*got None"):
        permuted(DIGITS)


# Rotated


def test_the_angles_are_equally_spaced_and_leave_out_the_last():
    names = [task.name for task in rotated(numbered(2), 4).tasks]
    assert names == ["rotation 0°", "rotation 45°", "rotation 90°", "rotation 135°"]
    assert [task.name for task in rotated(numbered(2), 2, max_angle=45).tasks][1] == "rotation 22.5°"


def test_a_quarter_turn_is_a_quarter_turn_of_every_image():
    task = rotated(DIGITS, 2).tasks[1]
    for turned, x in ((task.x, DIGITS.x), (task.x_test, DIGITS.x_test)):
        expected = np.rot90(x.reshape(-1, 8, 8), axes=(1, 2)).reshape(-1, 64)
        np.testing.assert_allclose(turned, expected, atol=1e-6)


def test_the_first_task_is_not_turned_and_not_copied():
    task = rotated(DIGITS, 2).tasks[0]
    assert task.x is DIGITS.x
    assert task.x_test is DIGITS.x_test


def test_corners_that_come_into_sight_are_as_dark_as_the_data_can_be():
    x = np.ones((2, 64), np.float32)
    x[0, 27] = -2  # in the middle
    dataset = Dataset("light", x, np.arange(2), x, np.arange(2), image_shape=(8, 8))
    turned = rotated(dataset, 4).tasks[1].x.reshape(2, 8, 8)
    assert (turned[:, 0, 0] == -2).all()


def test_an_image_that_is_not_square_keeps_its_shape_when_turned():
    x = np.random.default_rng(0).random((4, 15), np.float32)
    dataset = Dataset("bars", x, np.arange(4) % 2, x, np.arange(4) % 2, image_shape=(3, 5))
    turned = rotated(dataset, 2, max_angle=360).tasks[1].x  # half a turn
    np.testing.assert_allclose(turned, x[:, ::-1], atol=1e-6)


@given(low=st.floats(-5, 5), width=st.floats(0, 5), seed=st.integers(0, 99), max_angle=st.floats(1, 360))
def test_no_value_leaves_the_range_it_had(low, width, seed, max_angle):
    x = (low + width * np.random.default_rng(seed).random((3, 16))).astype(np.float32)
    dataset = Dataset("noise", x, np.arange(3), x, np.arange(3), image_shape=(4, 4))
    for task in rotated(dataset, 3, max_angle=max_angle).tasks:
        assert x.min() <= task.x.min() <= task.x.max() <= x.max()
        assert task.x.dtype == np.float32


def test_only_images_can_be_rotated():
    dataset = Dataset("table", np.zeros((2, 4)), np.arange(2), np.zeros((2, 4)), np.arange(2))
    with pytest.raises(
        ValueError, match="only images can be rotated, but dataset 'table' has no image_shape"
    ):
        rotated(dataset)


def test_an_image_shape_that_does_not_fit_is_refused():
    dataset = Dataset("odd", np.zeros((2, 4)), np.arange(2), np.zeros((2, 4)), np.arange(2), (3, 2))
    with pytest.raises(ValueError, match=r"dataset 'odd' has image_shape \(3, 2\), but 4 features a sample"):
        rotated(dataset)


@pytest.mark.parametrize("angle", [0, -10, 361, float("nan")])
def test_a_largest_angle_that_is_none_is_refused(angle):
    with pytest.raises(ValueError, match=r"max_angle must be a number in \(0, 360\]"):
        rotated(DIGITS, max_angle=angle)


# All of them


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("kind", KINDS)
def test_the_learner_is_told_the_task_in_a_task_scenario_only(variant, kind):
    scenario = VARIANTS[variant](DIGITS, 2, kind, np.random.default_rng(0))
    assert [task.id for task in scenario.tasks] == ([0, 1] if kind == "task" else [None, None])
    assert (scenario.name, scenario.kind) == (f"{variant} digits", kind)


@pytest.mark.parametrize("words", [False, True])
@pytest.mark.parametrize("variant", ["permuted", "rotated"])
@pytest.mark.parametrize("kind", KINDS)
def test_changed_inputs_keep_their_labels_or_get_labels_of_the_task_s_own(variant, kind, words):
    dataset = numbered(3, words=words)
    position = np.unique(dataset.y, return_inverse=True)[1]
    for t, task in enumerate(VARIANTS[variant](dataset, 3, kind, np.random.default_rng(0)).tasks):
        expected = dataset.y if kind == "domain" else 3 * t + position
        np.testing.assert_array_equal(task.y, expected)
        np.testing.assert_array_equal(task.y_test, expected)


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_scenario_leaves_the_dataset_as_it_was(variant):
    x, y = DIGITS.x.copy(), DIGITS.y.copy()
    VARIANTS[variant](DIGITS, 5, "domain", np.random.default_rng(0))
    np.testing.assert_array_equal(DIGITS.x, x)
    np.testing.assert_array_equal(DIGITS.y, y)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize(
    ("changed", "error", "message"),
    [
        ({"n_tasks": 0}, ValueError, "n_tasks must be a whole number ≥ 1, got 0"),
        ({"n_tasks": 2.0}, TypeError, "n_tasks must be a whole number, got 2.0"),
        ({"kind": "instance"}, ValueError, "kind must be one of 'task', 'domain', 'class', got 'instance'"),
    ],
)
def test_arguments_that_make_no_scenario_are_refused(variant, changed, error, message):
    with pytest.raises(error, match=message):
        VARIANTS[variant](DIGITS, **({"n_tasks": 2, "rng": np.random.default_rng(0)} | changed))


def test_a_seed_in_place_of_a_generator_is_refused():
    with pytest.raises(TypeError, match=r"rng must be a numpy\.random\.Generator"):
        split(DIGITS, rng=0)
