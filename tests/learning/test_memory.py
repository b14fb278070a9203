"""Memories: what is kept, how fairly, and how it comes back."""

import copy
import functools
import operator

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from incrlearn.learning import ClassBalancedMemory, Everything, ReservoirMemory, Samples, SharedMemory

from .helpers import rng, state

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
        memory.end_task(new, random)
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
    at_once.end_task(seen, rng(seed))
    assert state(in_tasks) == state(at_once)


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
        memory.end_task(samples(y, task=task), random)
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
    for kind, name in ((ClassBalancedMemory, "per_class"), (ReservoirMemory, "size"), (SharedMemory, "size")):
        with pytest.raises((ValueError, TypeError), match=rf"\b{name}\b"):
            kind(bad)


def test_a_batch_of_absurd_size_asks_a_shared_memory_for_no_absurd_number_of_rows():
    memory = SharedMemory(5)
    memory.end_task(Samples(np.eye(3), np.array([0, 1, 1]), np.full(3, -1)), np.random.default_rng(0))
    assert len(memory.draw(10**12, np.random.default_rng(0))) == 32 * 3
    assert len(memory.draw(96, np.random.default_rng(0))) == 96
