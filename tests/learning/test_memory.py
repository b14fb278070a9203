"""Memories: what is kept, how fairly, and how it comes back."""

import copy
import functools
import operator

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from incrlearn import Learner, Linear, Method, Network, ReLU
from incrlearn.learning import (
    ClassBalancedMemory,
    Everything,
    GreedyMemory,
    HerdingMemory,
    Replay,
    ReservoirMemory,
    Samples,
    SharedMemory,
    herding,
    method,
)
from incrlearn.learning.memory import unit_features
from incrlearn.network import StandardizeSparse

from .helpers import points, rng, small_network, state

STREAMS = st.lists(st.lists(st.integers(0, 4), min_size=1, max_size=20), min_size=1, max_size=5)


def samples(y, first=0, task=-1):
    """Return samples of these outputs, every one with a number of its own for its only feature."""
    numbers = np.arange(first, first + len(y), dtype=float)
    return Samples(numbers[:, None], np.asarray(y), np.full(len(y), task))


def filled(memory, stream, random):
    """Let the memory take in one task after another; return all samples that it ever saw."""
    seen = None
    for task, y in enumerate(stream):
        new = samples(y, 0 if seen is None else len(seen), task)
        memory.end_task(None, new, None, random)
        seen = new if seen is None else seen + new
    return seen


@given(STREAMS, st.integers(1, 6), st.integers(0, 9))
def test_of_every_class_as_many_samples_are_kept_as_there_were_but_at_most_per_class(stream, per_class, seed):
    memory = ClassBalancedMemory(per_class)
    seen = filled(memory, stream, rng(seed))
    kept, numbers = memory.samples, memory.samples.x[:, 0].astype(int)
    for output in range(5):
        assert (kept.y == output).sum() == min((seen.y == output).sum(), per_class)
    assert len(set(numbers)) == len(memory) == len(kept)
    assert (kept.y == seen.y[numbers]).all()
    assert (kept.task == seen.task[numbers]).all()


@given(STREAMS, st.integers(1, 20), st.integers(0, 9))
def test_a_reservoir_keeps_as_many_samples_as_there_were_but_at_most_its_size(stream, size, seed):
    memory = ReservoirMemory(size)
    seen = filled(memory, stream, rng(seed))
    numbers = memory.samples.x[:, 0].astype(int)
    assert len(set(numbers)) == len(memory) == min(len(seen), size)
    assert state(memory.samples) == state(seen[numbers])


@pytest.mark.parametrize("kind", [ClassBalancedMemory, ReservoirMemory, SharedMemory])
def test_what_is_kept_is_uniform_over_all_that_was_ever_seen(kind):
    """50 samples of a class, in four tasks of unequal size, of which 10 are kept: each 1 time in 5."""
    stream, runs, random = [[0] * 2, [0] * 30, [0] * 3, [0] * 15], 1000, rng()
    counts, together = np.zeros(50), 0
    for _ in range(runs):
        memory = kind(10)
        filled(memory, stream, random)
        kept = memory.samples.x[:, 0].astype(int)
        counts[kept] += 1
        together += {0, 40} <= set(kept)
    # binomial with p = 1/5: no count further off than 4 standard deviations
    assert np.abs(counts - runs / 5).max() < 4 * np.sqrt(runs * 0.2 * 0.8)
    # and pairs as when 10 are drawn from 50 at once, p = 10·9/(50·49): the first and a late one
    p = 10 * 9 / (50 * 49)
    assert abs(together - runs * p) < 4 * np.sqrt(runs * p * (1 - p))


def filled_evenly(counts, size):
    """Pour in one of each class at a time: return what each holds, what is left, and who could take more."""
    kept, level = [0] * len(counts), 0
    while True:
        open_classes = [k for k, count in enumerate(counts) if count > level]
        if not open_classes or sum(kept) + len(open_classes) > size:
            return kept, (size - sum(kept) if open_classes else 0), open_classes
        for k in open_classes:
            kept[k] += 1
        level += 1


@given(STREAMS, st.integers(1, 40), st.integers(0, 9))
def test_a_shared_memory_is_shared_as_evenly_as_the_classes_allow(stream, size, seed):
    memory = SharedMemory(size)
    seen = filled(memory, stream, rng(seed))
    counts = np.bincount(seen.y, minlength=5).tolist()
    kept = np.bincount(memory.samples.y, minlength=5)
    level, more, open_classes = filled_evenly(counts, size)
    assert len(memory) == min(len(seen), size)
    extra = kept - level
    assert extra.sum() == more
    assert set(np.flatnonzero(extra)) <= set(open_classes)
    assert set(extra) <= {0, 1}
    numbers = memory.samples.x[:, 0].astype(int)
    assert len(set(numbers)) == len(numbers)
    assert state(memory.samples) == state(seen[numbers])
    assert memory.seen.tolist() == counts[: seen.y.max() + 1]


@given(STREAMS, st.integers(1, 40), st.integers(0, 9))
def test_a_shared_memory_keeps_what_it_would_choose_from_all_that_was_ever_seen(stream, size, seed):
    """Whatever the order of the tasks: what was dropped early would have been dropped at the end."""
    in_tasks, at_once = SharedMemory(size), SharedMemory(size)
    seen = filled(in_tasks, stream, rng(seed))
    at_once.end_task(None, seen, None, rng(seed))
    for name in ("samples", "keys", "seen"):
        assert state(getattr(in_tasks, name)) == state(getattr(at_once, name))


def test_a_shared_memory_replays_classes_as_often_as_they_were_seen_however_few_are_kept():
    memory, random = SharedMemory(30), rng()
    filled(memory, [[0] * 700, [1] * 200 + [2] * 96, [2] * 3 + [3]], random)
    assert np.bincount(memory.samples.y).tolist() in ([10, 10, 9, 1], [10, 9, 10, 1], [9, 10, 10, 1])
    n = 100_800
    draws = [memory.draw(900, random) for _ in range(n // 900)]
    drawn = functools.reduce(operator.add, draws)
    assert len(drawn) == n
    p = np.array([0.7, 0.2, 0.099, 0.001])
    assert (np.abs(np.bincount(drawn.y) - n * p) < 5 * np.sqrt(n * p * (1 - p))).all()
    for output in range(3):  # within a class each is as likely as any other
        own = drawn.x[drawn.y == output, 0]
        numbers, counts = np.unique(own, return_counts=True)
        kept = memory.samples.x[memory.samples.y == output, 0]
        assert set(numbers) == set(kept)
        share = 1 / len(kept)
        assert (np.abs(counts - len(own) * share) < 5 * np.sqrt(len(own) * share)).all()


def test_a_shared_memory_with_fewer_places_than_classes_replays_those_that_it_has():
    memory, random = SharedMemory(2), rng()
    filled(memory, [[0, 1, 2, 3, 4]], random)
    assert len(memory) == 2
    assert set(memory.draw(50, random).y) == set(memory.samples.y)


def test_a_place_that_can_not_be_shared_goes_to_any_of_the_classes():
    random, kept = rng(), np.zeros(3)
    for _ in range(300):
        memory = SharedMemory(4)
        filled(memory, [[0] * 5, [1] * 5 + [2] * 5], random)
        kept += np.bincount(memory.samples.y) - 1
    assert kept.sum() == 300
    assert np.abs(kept - 100).max() < 4 * np.sqrt(300 * 2 / 9)


def test_a_rare_class_keeps_its_samples_where_a_uniform_reservoir_would_lose_them():
    shared, uniform = SharedMemory(20), ReservoirMemory(20)
    for memory in (shared, uniform):
        filled(memory, [[1] * 10, [0] * 5000], rng())
    assert (shared.samples.y == 1).sum() == 10
    assert (uniform.samples.y == 1).sum() < 3


@given(st.integers(1, 20), st.integers(1, 30))
def test_a_draw_holds_no_sample_twice_and_all_where_there_are_fewer(kept, n):
    memory = ClassBalancedMemory(kept)
    filled(memory, [[0] * kept], rng())
    drawn = memory.draw(n, rng())
    assert len(drawn) == len(set(drawn.x[:, 0])) == min(n, kept)


def test_a_draw_is_uniform_over_the_memory():
    memory, random = ClassBalancedMemory(12), rng()
    filled(memory, [[0] * 12], random)
    counts = np.zeros(12)
    for _ in range(1000):
        counts[memory.draw(3, random).x[:, 0].astype(int)] += 1
    assert np.abs(counts - 250).max() < 4 * np.sqrt(1000 * 0.25 * 0.75)


@pytest.mark.parametrize("kind", [ClassBalancedMemory, ReservoirMemory, SharedMemory, Everything])
def test_an_empty_memory_replays_nothing_and_draws_no_random_number(kind):
    random = rng()
    before = state(random)
    assert kind().draw(4, random) is None
    assert len(kind()) == 0
    assert state(random) == before


@pytest.mark.parametrize("kind", [ClassBalancedMemory, ReservoirMemory, SharedMemory])
def test_drawing_does_not_change_the_memory(kind):
    memory = kind(5)
    filled(memory, [[0, 1] * 9], rng())
    before = state(memory)
    memory.draw(4, rng())
    assert state(memory) == before


@pytest.mark.parametrize("kind", [ClassBalancedMemory, ReservoirMemory, SharedMemory])
def test_a_memory_is_determined_by_its_generator(kind):
    memories = [kind(3) for _ in range(3)]
    for memory, seed in zip(memories, (1, 1, 2), strict=True):
        filled(memory, [[0, 1] * 9, [1, 2] * 9], rng(seed))
    same, again, other = memories
    assert state(same) == state(again) != state(other)
    assert state(same.draw(4, rng(5))) == state(again.draw(4, rng(5))) != state(same.draw(4, rng(6)))


@pytest.mark.parametrize(
    "memory",
    [ClassBalancedMemory(2), ReservoirMemory(6), SharedMemory(5), Everything()],
    ids=lambda m: type(m).__name__,
)
@given(STREAMS)
def test_what_a_memory_holds_is_replaced_and_never_changed_in_place(memory, stream):
    memory, random = copy.deepcopy(memory), rng()
    for task, y in enumerate(stream):
        held = dict(vars(memory))
        before = state(held)
        memory.end_task(None, samples(y, task=task), None, random)
        assert state(held) == before


def test_a_small_memory_leaves_the_training_set_alone():
    memory, new = ClassBalancedMemory(2), samples([0, 1])
    filled(memory, [[0, 1]], rng())
    assert memory.training_set(new) is new


def test_everything_adds_all_so_far_to_the_training_set_and_replays_nothing():
    memory = Everything()
    seen = filled(memory, [[0, 0, 1], [2], [1, 1]], rng())
    new = samples([3, 3], 6, 9)
    assert state(memory.samples) == state(seen)
    assert state(memory.training_set(new)) == state(seen + new)
    assert memory.draw(2, rng()) is None
    assert len(memory) == 6


@pytest.mark.parametrize("bad", [0, -1, 1.5, "3", None, True])
def test_a_bad_size_is_refused_by_name(bad):
    by_class, in_all = (ClassBalancedMemory, HerdingMemory), (ReservoirMemory, SharedMemory, GreedyMemory)
    for kind, name in [*((kind, "per_class") for kind in by_class), *((kind, "size") for kind in in_all)]:
        with pytest.raises((ValueError, TypeError), match=rf"\b{name}\b"):
            kind(bad)


def test_a_batch_of_absurd_size_asks_a_shared_memory_for_no_absurd_number_of_rows():
    memory = SharedMemory(5)
    memory.end_task(None, samples([0, 1, 1]), None, rng())
    assert len(memory.draw(10**12, np.random.default_rng(0))) == 32 * 3
    assert len(memory.draw(96, np.random.default_rng(0))) == 96


# ---- tasks apart ---------------------------------------------------------------------------------------


@given(STREAMS, st.integers(1, 4), st.integers(0, 9))
def test_by_task_a_class_has_its_share_anew_in_every_task(stream, per_class, seed):
    memory = ClassBalancedMemory(per_class, per_task=True)
    seen = filled(memory, stream, rng(seed))
    for task, y in enumerate(stream):
        for output in range(5):
            kept = (memory.samples.y == output) & (memory.samples.task == task)
            assert kept.sum() == min(y.count(output), per_class)
    numbers = memory.samples.x[:, 0].astype(int)
    assert len(set(numbers)) == len(numbers)
    assert state(memory.samples) == state(seen[numbers])


@pytest.mark.parametrize(
    "memory",
    [ClassBalancedMemory(2), ClassBalancedMemory(2, per_task=True), ReservoirMemory(6), SharedMemory(5)],
    ids=["balanced", "balanced by task", "reservoir", "shared"],
)
@given(STREAMS)
def test_what_is_kept_comes_back_task_by_task(memory, stream):
    """A task is a call of `learn`, whatever its id: here the samples' ids say which it was."""
    memory = copy.deepcopy(memory)
    filled(memory, stream, rng())
    groups = memory.by_task()
    came = [set(group.task) for group in groups]
    assert came == [{task} for task in sorted(set(memory.samples.task))]
    assert sum(map(len, groups)) == len(memory)
    for group, (task,) in zip(groups, came, strict=True):
        assert state(group) == state(memory.samples[memory.samples.task == task])


def test_tasks_without_an_id_are_kept_apart_by_when_they_came():
    memory = ClassBalancedMemory(2, per_task=True)
    for number in range(3):
        memory.end_task(None, samples([0, 0, 1], 3 * number), None, rng())
    assert [group.x[:, 0].astype(int).tolist() for group in memory.by_task()] == [
        [0, 1, 2],
        [3, 4, 5],
        [6, 7, 8],
    ]


@pytest.mark.parametrize("memory", [ClassBalancedMemory(2), Everything()])
def test_an_empty_memory_has_no_tasks(memory):
    assert memory.by_task() == []


def test_everything_knows_nothing_of_tasks():
    memory = Everything()
    filled(memory, [[0, 1], [2]], rng())
    (group,) = memory.by_task()
    assert group is memory.samples


# ---- herding -------------------------------------------------------------------------------------------


@given(st.integers(0, 2**32 - 1), st.integers(1, 12), st.integers(1, 4), st.integers(1, 15))
def test_herding_chooses_of_all_that_are_left_what_brings_the_mean_of_the_chosen_nearest(seed, m, d, n):
    features = rng(seed).normal(size=(m, d))
    chosen = herding(features, n).tolist()
    assert len(chosen) == len(set(chosen)) == min(n, m)
    for k in range(len(chosen)):
        left = [i for i in range(m) if i not in chosen[:k]]
        means = [features[[*chosen[:k], i]].mean(axis=0) for i in left]
        gaps = [np.linalg.norm(features.mean(axis=0) - mean) for mean in means]
        assert gaps[left.index(chosen[k])] <= min(gaps) + 1e-12


def test_herding_keeps_the_mean_of_the_chosen_nearer_than_chance_does():
    features = rng().normal(size=(200, 5))
    chosen = herding(features, 10)
    by_chance = [np.linalg.norm(features[rng(k).choice(200, 10, False)].mean(axis=0)) for k in range(50)]
    assert np.linalg.norm(features[chosen].mean(axis=0) - features.mean(axis=0)) < min(by_chance)


@given(STREAMS, st.integers(1, 4))
def test_a_herding_memory_keeps_of_every_class_what_comes_first_in_its_order(stream, per_class):
    network = small_network(outputs=5, dtype="float64")
    memory, kept, number = HerdingMemory(per_class), {}, 0
    for y in map(np.array, stream):
        new = Samples(rng(number).normal(size=(len(y), 2)), y, np.full(len(y), -1))
        memory.end_task(network, new, None, None)  # draws nothing: there is no generator
        number += len(y)
        for c in set(y):
            x = new.x[y == c]
            order = herding(unit_features(network, x), per_class)
            first = [(place, number, tuple(x[i])) for place, i in enumerate(order)]
            # of a class that comes again the first choices of each time, the older ones first
            kept[c] = sorted([*kept.get(c, []), *first])[:per_class]
    for c, rows in kept.items():
        assert {*map(tuple, memory.samples.x[memory.samples.y == c])} == {x for _, _, x in rows}
    assert len(memory) == sum(map(len, kept.values()))


def test_features_are_of_unit_length_but_for_those_that_are_zero():
    network = small_network(outputs=2)
    x = rng().normal(size=(5000, 2)).astype(np.float32)
    features = unit_features(network, x)
    assert features.dtype == np.float32
    assert np.allclose(
        features, network.forward(x)[-2] / np.linalg.norm(network.forward(x)[-2], axis=1)[:, None]
    )
    network.theta[:] = 0
    assert not unit_features(network, x).any()


def test_mixed_samples_come_back_among_the_new_ones_and_others_beside_them():
    network, new = small_network(outputs=2), Samples(*points([0, 1]), np.full(20, -1))
    for mixed in (False, True):
        memory = HerdingMemory(3, mixed=mixed)
        assert memory.training_set(new) is new
        memory.end_task(network, new, None, rng())
        together = memory.training_set(new)
        assert state(together) == state(memory.samples + new if mixed else new)
        assert (memory.draw(4, rng()) is None) == mixed


# ---- logits that are stored with the samples -----------------------------------------------------------


def test_stored_logits_are_those_at_storing_time_and_of_later_classes_those_when_they_were_added():
    learner = Learner(small_network(dtype="float64"), "der(size=12)", rng=rng(), steps=5)
    expected = {}
    for number, labels in enumerate(([0, 1], [1, 2], [3, 4])):
        known = learner.network.outputs
        steps = learner.learn_steps(*points(labels, seed=number))
        next(steps)  # θ has moved by a step, and memory has been told of the new outputs before it
        for x, h in expected.items():
            (row,) = np.flatnonzero((learner.memory.samples.x == x).all(axis=1)) if number else [0]
            stored = learner.memory.samples.logits[row]
            assert (stored[: len(h)] == h).all()
            assert len(stored) == learner.network.outputs
            if len(stored) > len(h):
                assert len(h) == known
            expected[x] = stored
        for _ in steps:
            pass
        kept = learner.memory.samples
        z = learner.network(kept.x)
        now = {tuple(x): h for x, h in zip(kept.x, kept.logits, strict=True)}
        for (x, h), answer in zip(now.items(), z, strict=True):
            if x in expected:
                assert (h == expected[x]).all()
                assert (h != answer).any()
            else:
                assert np.allclose(h, answer, rtol=1e-12)
        assert set(now) - set(expected)
        expected = now
    assert len(learner.memory) == 12


@pytest.mark.parametrize(
    "memory",
    [
        ReservoirMemory(9, logits=True),
        ClassBalancedMemory(3, logits=True),
        ClassBalancedMemory(2, True, True),
    ],
    ids=["reservoir", "balanced", "balanced by task"],
)
def test_every_memory_that_keeps_logits_serves_dark_replay(memory):
    recipe = Method(method("der++").terms, memory)
    learner = Learner(small_network(), recipe, rng=rng(), steps=4)
    for labels in ([0, 1], [2], [0, 3]):
        learner.learn(*points(labels))
        assert learner.memory.samples.logits.shape == (len(learner.memory), learner.network.outputs)
        assert len(learner.memory.draw(3, rng()).logits) == 3
        for group in learner.memory.by_task():
            assert len(group.logits) == len(group)


# ---- GDumb ---------------------------------------------------------------------------------------------


@given(STREAMS, st.integers(1, 12), st.integers(0, 9))
def test_a_greedy_memory_takes_a_task_in_before_it_is_learned_and_shows_nothing_else(stream, size, seed):
    greedy, shared = GreedyMemory(size), SharedMemory(size)
    random, other, first = rng(seed), rng(seed), 0
    for task, y in enumerate(stream):
        new = samples(y, first, task)
        first += len(y)
        greedy.begin_task(None, new, random)
        shared.end_task(None, new, None, other)
        assert state(greedy.training_set(new)) == state(greedy.samples) == state(shared.samples)
        before = state(greedy)
        greedy.end_task(None, new, None, random)
        assert state(greedy) == before
        assert greedy.draw(5, random) is None


# ---- nothing of it has θ's layout ----------------------------------------------------------------------


def test_a_memory_as_long_as_theta_is_not_taken_for_something_of_theta_s_layout():
    """With new inputs everything that is as long as θ moves; keys are not meant, whatever their number."""
    network = Network([StandardizeSparse(2), Linear(0, 3), ReLU(), Linear(3, 0)], rng())
    learner = Learner(network, Method([Replay()], ReservoirMemory(14)), rng=rng(), steps=2)
    x, y = points([0, 1])
    learner.learn(x * [1, 0], y)
    assert len(network.theta) == len(learner.memory) == 14
    keys, came = learner.memory.keys, learner.memory.came
    learner.learn(x, y)
    assert len(learner.memory.keys) == len(learner.memory.came) == len(learner.memory) == 14
    assert set(learner.memory.keys[learner.memory.came == 0]) <= set(keys)
    assert not came.any()
