"""Labels become outputs in the order in which they arrive, and only the right outputs compete."""

import dataclasses

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given
from scipy.sparse import coo_array, csr_array, issparse

from incrlearn import Linear, Network, Tanh
from incrlearn.learning import Samples
from incrlearn.learning.samples import Classes, StandardizedValues, Values

#: a few tasks: id (None where it is not known), and the labels seen in it
TASKS = st.lists(
    st.tuples(st.sampled_from([None, "a", "b", 3]), st.lists(st.integers(-3, 9), min_size=1, max_size=6)),
    min_size=1,
    max_size=5,
)


def samples(y, task=-1, d=2):
    y = np.asarray(y)
    return Samples(np.arange(len(y) * d, dtype=float).reshape(-1, d), y, np.full(len(y), task))


def learn(classes, tasks):
    """Let the classes learn the tasks; return all samples, and their ids and labels."""
    everything, ids, labels = None, [], []
    for task, y in tasks:
        new = samples(*classes.learn(classes.check(y, 0), task))
        everything = new if everything is None else everything + new
        ids += [task] * len(y)
        labels += y
    return everything, ids, labels


@given(TASKS)
def test_outputs_are_given_out_in_order_of_arrival_and_never_change(tasks):
    classes, known = Classes(), []
    for task, y in tasks:
        known += sorted(set(y) - set(known))
        outputs, _ = classes.learn(classes.check(y, 0), task)
        assert outputs.tolist() == [known.index(label) for label in y]
        assert classes.labels.tolist() == known


@given(TASKS)
def test_the_parts_of_a_batch_cover_every_row_once_with_the_outputs_of_its_task(tasks):
    classes = Classes()
    everything, ids, labels = learn(classes, tasks)
    batch = classes.batch(everything)
    logits = np.arange(len(labels) * len(classes), dtype=float).reshape(len(labels), -1)
    covered = []
    for part in batch.parts:
        z = logits[part.index]
        rows = (z[:, 0] // len(classes)).astype(int)
        covered += rows.tolist()
        assert part.share == len(rows) / len(labels)
        for row, own_logits, target in zip(rows, z, part.y, strict=True):
            competing = [classes.labels[int(logit) % len(classes)] for logit in own_logits]
            assert competing[target] == labels[row]
            of_the_task = [y for task, y in zip(ids, labels, strict=True) if task == ids[row]]
            assert set(competing) == set(labels if ids[row] is None else of_the_task)
    assert sorted(covered) == list(range(len(labels)))
    assert batch.x is everything.x
    assert batch.y is everything.y
    assert len(batch) == len(labels)


@given(TASKS)
def test_there_is_a_head_for_every_known_task_and_one_for_all_others(tasks):
    classes = Classes()
    everything, ids, labels = learn(classes, tasks)
    told = [task for task in dict.fromkeys(ids) if task is not None]
    expected = [
        {label for other, label in zip(ids, labels, strict=True) if other == task}
        for task in [*told, *{None}.intersection(ids)]
    ]
    heads = [set(classes.labels[head].tolist()) for head in classes.batch(everything).heads]
    assert heads == expected


@given(TASKS)
def test_the_label_of_the_largest_competing_logit_is_the_answer(tasks):
    classes = Classes()
    _, ids, labels = learn(classes, tasks)
    logits = -np.arange(len(classes), dtype=float)[None]  # the class that came first wins
    for task in set(ids):
        among = [label for other, label in zip(ids, labels, strict=True) if task in (None, other)]
        first = min(among, key=classes.labels.tolist().index)
        assert classes.decode(logits, task).tolist() == [first]


@pytest.mark.parametrize(
    ("y", "kind"),
    [
        ([3, 1, 3], np.int64),
        (np.array([3, 1, 3], np.uint8), np.int64),
        ([3.0, 1.0, 3.0], np.int64),
        (np.array([3, 1, 3], np.float32), np.int64),
        ([[3], [1], [3]], np.int64),
        (["three", "one", "three"], np.str_),
        (np.array(["three", "one", "three"], object), np.str_),
        ([True, False, True], np.bool_),
    ],
)
def test_labels_may_be_integers_strings_booleans_or_whole_floats(y, kind):
    classes = Classes()
    labels = classes.check(y, 0)
    outputs, number = classes.learn(labels, None)
    assert labels.dtype.type is kind
    assert labels.tolist() == np.ravel(y).tolist()
    assert outputs.tolist() == [1, 0, 1]
    assert number == -1


@pytest.mark.parametrize("y", [[["a"], ["b"]], np.array([["a"], ["b"]], object)], ids=["lists", "objects"])
def test_labels_may_be_a_column_of_strings(y):
    assert Classes().check(y, 0).tolist() == ["a", "b"]


@pytest.mark.parametrize("label", [2**63 - 1, -(2**63)])
def test_any_integer_of_64_bits_may_be_a_label(label):
    assert Classes().check([label], 0).tolist() == [label]


def test_no_classes_known_in_advance_say_nothing_about_their_kind():
    assert Classes([]).check(["a"], 0).tolist() == ["a"]


def test_longer_strings_that_arrive_later_are_not_cut():
    classes = Classes(["cat"])
    classes.learn(classes.check(["elephant", "cat"], 0), None)
    assert classes.labels.tolist() == ["cat", "elephant"]


def test_classes_known_in_advance_have_their_outputs_in_the_given_order():
    classes = Classes([7, 3, 5])
    assert classes.outputs(classes.check([3, 5, 7, 4], 0)).tolist() == [1, 2, 0, -1]
    assert classes.learn(classes.check([4, 3], 0), None)[0].tolist() == [3, 1]
    assert classes.labels.tolist() == [7, 3, 5, 4]


@pytest.mark.parametrize(
    ("y", "match"),
    [
        ([0.5, 1.0], "y must hold class labels, got the fraction 0.5"),
        ([1.0, np.nan], "y must be finite"),
        ([1.0, np.inf], "y must be finite"),
        ([1j], "y must hold integers or strings"),
        ([None, 1], "y must hold integers or strings, got NoneType, int"),
        ([b"a"], "y must hold integers or strings"),
        (3, "y must be a vector"),
        ([[1, 2], [3, 4]], "y must be a vector"),
        (["a", "b"], "y holds strings, but the labels known so far are integers"),
        ([True], "y holds booleans, but the labels known so far are integers"),
    ],
)
def test_what_can_not_be_a_label_is_refused(y, match):
    with pytest.raises((ValueError, TypeError), match=match):
        Classes([0, 1]).check(y, 0)


@pytest.mark.parametrize("y", [[1e300], [-1e19], np.array([2**63], np.uint64), [1, "a"], [True, "a"]])
def test_a_label_that_would_have_to_be_changed_is_refused(y):
    with pytest.raises((ValueError, TypeError), match=r"\by\b"):
        Classes().check(y, 0)


@pytest.mark.parametrize("labels", [[1, 1], [0.5], ["a", 1.5, None], [[1, 2], [3, 4]]])
def test_bad_classes_are_refused_by_name(labels):
    with pytest.raises((ValueError, TypeError), match=r"\bclasses\b"):
        Classes(labels)


def test_values_stay_values_and_all_outputs_are_one_head():
    values = Values()
    y = values.check([1.5, -2.0], 1)
    batch = values.batch(samples(y))
    assert y.shape == (2, 1)
    (part,) = batch.parts
    assert (part.y == y).all()
    assert part.share == 1
    logits = np.arange(6.0).reshape(2, 3)
    assert (logits[part.index] == logits).all()
    assert [logits[:, head].shape for head in batch.heads] == [(2, 3)]


@pytest.mark.parametrize("y", [[1.0, np.nan], [[1.0, 2.0, 3.0]], ["a"], [1.0, np.inf], [None], 1.0])
def test_bad_values_are_refused_by_name(y):
    with pytest.raises((ValueError, TypeError), match=r"\by\b"):
        Values().check(y, 2 if np.ndim(y) == 2 else 1)


def test_samples_are_selected_and_joined_with_all_that_belongs_to_them():
    both = samples([4, 5, 6], task=0)[[2, 0]] + samples([7], task=1)
    assert both.y.tolist() == [6, 4, 7]
    assert both.task.tolist() == [0, 0, 1]
    assert both.x.tolist() == [[4, 5], [0, 1], [0, 1]]


def test_logits_are_selected_joined_and_copied_with_their_samples():
    with_logits = dataclasses.replace(samples([4, 5, 6]), logits=np.arange(6.0).reshape(3, 2))
    both = with_logits[[2, 0]] + with_logits[1:2]
    assert both.logits.tolist() == [[4, 5], [0, 1], [2, 3]]
    assert with_logits[[True, False, True]].logits.tolist() == [[0, 1], [4, 5]]
    twin = with_logits.copy()
    with_logits.logits[:] = 9
    assert twin.logits.tolist() == [[0, 1], [2, 3], [4, 5]]
    classes = Classes([4, 5, 6])
    assert classes.batch(dataclasses.replace(twin, y=np.arange(3))).logits is twin.logits
    assert classes.batch(samples([0, 1])).logits is None


def test_values_of_a_task_carry_its_number():
    values, numbers = Values(), []
    for task in (None, "a", "b", "a", None):
        y, number = values.learn(values.check([1.0, 2.0], 1), task)
        numbers.append(number)
        assert y.shape == (2, 1)
    assert numbers == [-1, 0, 1, 0, -1]
    assert StandardizedValues().learn(np.eye(2), "a")[1] == 0


@pytest.mark.parametrize("kinds", [(csr_array, csr_array), (csr_array, np.array), (np.array, coo_array)])
def test_sparse_samples_are_selected_and_joined_with_dense_ones_and_stay_sparse(kinds):
    x = np.array([[0, 1.0, 0], [2, 0, 0], [0, 0, 0]])
    first, second = (Samples(kind(x), np.arange(3), np.zeros(3, int)) for kind in kinds)
    both = first + second
    assert isinstance(both.x, csr_array)
    assert len(both) == 6
    assert both.x.toarray().tolist() == [*x.tolist(), *x.tolist()]
    for rows in ([4, 0], slice(1, 3), np.array([], int), np.arange(6) > 3):
        chosen = both[rows]
        assert chosen.x.toarray().tolist() == np.concatenate([x, x])[rows].tolist()
        assert chosen.y.tolist() == both.y[rows].tolist()
    twin = both.copy()
    both.x.data[:] = 0
    assert twin.x.toarray().any()


def test_dense_samples_stay_dense():
    assert not issparse((samples([1]) + samples([2])).x)


def test_announced_labels_have_outputs_from_then_on_in_the_order_in_which_they_are_given():
    classes = Classes([5])
    classes.announce([9, 5, 7])
    assert classes.labels.tolist() == [5, 9, 7]
    outputs, _ = classes.learn(classes.check([7, 1], 0), None)
    assert outputs.tolist() == [2, 3]
    assert classes.labels.tolist() == [5, 9, 7, 1]
    for nothing in (None, [], np.array([])):
        classes.announce(nothing)
    assert len(classes) == 4


@pytest.mark.parametrize("bad", [["a"], [1, 1], [0.5], [None], [[1, 2], [3, 4]], [True]])
def test_labels_that_can_not_be_announced_are_refused_by_name(bad):
    classes = Classes([0, 1])
    with pytest.raises((ValueError, TypeError), match=r"\bclasses\b"):
        classes.announce(bad)
    assert classes.labels.tolist() == [0, 1]


@pytest.mark.parametrize(("y", "announced"), [([0, 1], ["a"]), (["a"], [1]), ([1], [True]), ([True], [0])])
def test_labels_of_another_kind_than_those_just_announced_are_refused(y, announced):
    classes = Classes()
    y = classes.check(y, 0)
    classes.announce(announced)
    with pytest.raises(TypeError, match=r"^y holds \w+, but the labels known so far are \w+$"):
        classes.learn(y, None)
    assert classes.labels.tolist() == announced


# ---- values of any scale -----------------------------------------------------------------------------


def a_head(outputs, dtype="float64", seed=0):
    return Network([Linear(3, 4), Tanh(), Linear(4, outputs)], np.random.default_rng(seed), dtype)


def next_targets(values, network, y):
    y = values.check(y, network.outputs)
    values.learn(y, None)
    values.prepare_head(network, None)
    return y


@given(
    st.integers(0, 2**32 - 1),
    st.integers(1, 3),
    st.integers(-100, 100),
    st.sampled_from([0, 1, 1e3]),
    st.integers(0, 2),
)
def test_predictions_stay_as_mean_and_scale_of_the_targets_move(seed, outputs, exponent, offset, constant):
    """Of targets of any scale; and of those that have not varied so far it is their one value."""
    random, network, values = np.random.default_rng(seed), a_head(outputs), StandardizedValues()
    x, scale = random.normal(size=(20, 3)), 10.0**exponent
    for _ in range(4):
        y = scale * (random.normal(size=(9, outputs)) * 10 ** random.uniform(-1, 1) + offset)
        y[:, :constant] = scale * 0.7
        if values.statistics is None:
            next_targets(values, network, y[: random.integers(1, 9)])
        before = values.decode(network(x))
        assert (before.reshape(20, -1)[:, :constant] == scale * 0.7).all()
        next_targets(values, network, y)
        size = np.abs(before).max() + np.abs(y).max()
        assert np.abs(values.decode(network(x)) - before).max() <= 1e-11 * size
    y[:, :constant] *= 1 + random.normal(size=y[:, :constant].shape)
    before = values.decode(network(x))
    next_targets(values, network, y)
    assert np.abs(values.decode(network(x)) - before).max() <= 1e-11 * (size + np.abs(y).max())


def test_what_a_network_is_taught_are_targets_of_mean_zero_and_deviation_one():
    values, network, random = StandardizedValues(), a_head(2), np.random.default_rng(0)
    parts = [next_targets(values, network, 1e9 + 5 * random.normal(size=(n, 2))) for n in (3, 20, 7)]
    y = np.concatenate(parts)
    batch = values.batch(samples(y))
    assert np.abs(batch.y.mean(axis=0)).max() < 1e-6
    assert np.abs(batch.y.std(axis=0) - 1).max() < 1e-6
    assert np.abs(values.decode(batch.y) - y).max() < 1e-6
    (part,) = batch.parts
    assert part.y is batch.y


def test_a_teacher_follows_the_scale_of_the_targets_and_a_class_keeps_its_output():
    values, network, random = StandardizedValues(), a_head(2), np.random.default_rng(0)
    next_targets(values, network, random.normal(size=(5, 2)))
    teacher, x = network.copy(), random.normal(size=(6, 3))
    before, theta = values.decode(teacher(x)), teacher.theta.copy()
    values.learn(values.check(100 + 50 * random.normal(size=(5, 2)), 2), None)
    follower = values.follow(teacher)
    assert np.allclose(values.decode(follower(x)), before, rtol=1e-12)
    assert (teacher.theta == theta).all()
    values.prepare_head(network, None)
    assert (network.theta == follower.theta).all()
    for others in (Classes([1, 2]), Values()):
        assert others.follow(teacher) is teacher


@pytest.mark.parametrize("bad", [1e200, -1e300])
def test_targets_too_large_to_be_squared_are_refused_by_name(bad):
    values, network = StandardizedValues(), a_head(2)
    next_targets(values, network, [[1.0, 2.0], [3.0, 4.0]])
    before = vars(values).copy()
    with pytest.raises(ValueError, match=r"^y must have a finite variance, got .* in column 1$"):
        values.learn(np.array([[0.0, bad]]), None)
    assert vars(values) == before


@pytest.mark.parametrize(
    "layers", [[Linear(2, 1, bias=False)], [Linear(2, 1), Tanh()]], ids=["without a bias", "not Linear"]
)
def test_a_head_that_can_not_be_compensated_is_refused(layers):
    network = Network(layers, np.random.default_rng(0))
    with pytest.raises(
        ValueError, match=r"must be a Linear with a bias, so that targets can be standardized"
    ):
        StandardizedValues().prepare_head(network, None)
