"""Labels become outputs in the order in which they arrive, and only the right outputs compete."""

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from incrlearn.learning import Samples
from incrlearn.learning.samples import Classes, Values

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
