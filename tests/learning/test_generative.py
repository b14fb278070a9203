"""Generative models in the place of samples: what they learn from, what they imagine, what they refuse."""

import re

import numpy as np
import pytest
from scipy.sparse import csr_array

from incrlearn import Learner, Method, Network
from incrlearn.formulas import forward_kl
from incrlearn.learning import (
    ConditionalGeneratorMemory,
    DarkReplay,
    GenerativeClassifier,
    GeneratorMemory,
    Replay,
    SoftReplay,
)
from incrlearn.network import ConditionalAutoencoder, VariationalAutoencoder
from tests.oracles import agree

from .helpers import arrays, pixels, rng, small_network, state

SMALL = {"hidden": (8,), "latent": 2}
TASKS = [pixels([0, 1]), pixels([2, 3], seed=1), pixels([1, 4], seed=2)]


def replaying(told=False, tasks=2, dtype="float32", **options):
    recipe = Method([Replay("1/k")], GeneratorMemory(**SMALL))
    options = {"steps": 6, "batch_size": 8, **options}
    learner = Learner(small_network(dtype=dtype), recipe, rng=rng(), **options)
    for number, (x, y) in enumerate(TASKS[:tasks]):
        learner.learn(x, y, task=number if told else None)
    return learner


def by_class(told=False, tasks=2, dtype="float32", terms=None, **options):
    recipe = Method(terms or [SoftReplay()], ConditionalGeneratorMemory(**SMALL))
    options = {"steps": 6, "batch_size": 8, **options}
    learner = Learner(small_network(dtype=dtype), recipe, rng=rng(), **options)
    for number, (x, y) in enumerate(TASKS[:tasks]):
        learner.learn(x, y, task=number if told else None)
    return learner


def classifying(tasks=2, **options):
    recipe = Method(decision=GenerativeClassifier(**SMALL, samples=5))
    options = {"steps": 6, "batch_size": 8, **options}
    learner = Learner(small_network(), recipe, rng=rng(), **options)
    for x, y in TASKS[:tasks]:
        learner.learn(x, y)
    return learner


@pytest.fixture
def steps(monkeypatch):
    """A record of all steps of all generators: which it was, and its pairs (weight, x)."""
    taken, step = [], VariationalAutoencoder.step

    def recorded(self, batches, rng):
        taken.append((self, batches))
        return step(self, batches, rng)

    monkeypatch.setattr(VariationalAutoencoder, "step", recorded)
    return taken


# ---- a memory that imagines ----------------------------------------------------------------------------


@pytest.mark.parametrize("told", [False, True])
def test_what_is_imagined_is_labelled_by_the_network_among_the_outputs_of_its_task(told):
    learner = replaying(told, 3)
    drawn = learner.memory.draw(300, rng(1))
    z = learner.network(drawn.x)
    outputs = {0: [0, 1], 1: [2, 3], 2: [1, 4]} if told else {-1: [0, 1, 2, 3, 4]}
    assert drawn.x.shape == (300, 2)
    assert (drawn.x >= 0).all()
    assert (drawn.x <= 1).all()
    assert set(drawn.task) == set(outputs)
    for row, y, task in zip(z, drawn.y, drawn.task, strict=True):
        assert y == max(outputs[task], key=lambda k: row[k])
    counts = np.unique(drawn.task, return_counts=True)[1]
    assert np.abs(counts - 300 / len(outputs)).max() < 4 * np.sqrt(300)


def test_what_is_imagined_is_labelled_by_the_network_as_the_last_task_left_it():
    learner = replaying()
    labeller = learner.memory.labeller.theta.copy()
    assert (labeller == learner.network.theta).all()
    for k, _ in enumerate(learner.learn_steps(*TASKS[2])):
        assert (learner.memory.labeller.theta == labeller).all()
        assert (k == 0) or (learner.network.theta[: len(labeller)] != labeller).any()


def test_a_class_that_was_only_announced_is_never_imagined():
    learner = replaying(classes=[9, 0, 1, 2, 3, 8])
    assert set(learner.memory.draw(200, rng()).y) <= {1, 2, 3, 4}


def test_before_the_first_task_nothing_is_imagined_and_no_number_drawn():
    random = rng()
    before = state(random)
    assert GeneratorMemory(**SMALL).draw(5, random) is None
    assert state(random) == before


def test_drawing_changes_nothing_but_the_generator_of_random_numbers():
    memory = replaying().memory
    before = state(memory)
    same, again, other = (memory.draw(5, rng(seed)) for seed in (1, 1, 2))
    assert state(memory) == before
    assert state(same) == state(again) != state(other)


def test_at_task_k_the_generator_learns_from_the_new_task_by_1_over_k_and_else_from_what_it_imagines(steps):
    learner = replaying(tasks=0)
    for k, (x, y) in enumerate(TASKS, 1):
        steps.clear()
        old = learner.memory.generator
        frozen = state(old)
        learner.learn(x, y)
        rows = {row.tobytes() for row in x.astype(np.float32)}
        assert len(steps) == 6  # as many as the network took
        for generator, batches in steps:
            assert generator is learner.memory.generator is not old
            (new_weight, new), *imagined = batches
            assert new_weight == 1 / k
            assert {row.tobytes() for row in new} <= rows
            assert [weight for weight, _ in imagined] == [1 - 1 / k] * (k > 1)
            for _, painted in imagined:
                assert len(painted) == len(new)
                assert not {row.tobytes() for row in painted} & rows
        assert state(old) == frozen  # the one that imagined is another, and stays as it was


@pytest.mark.parametrize("learner", [replaying, by_class, classifying])
def test_no_row_that_was_learned_is_held_anywhere(learner):
    learner = learner(tasks=3)
    rows = {row.tobytes() for x, _ in TASKS for row in x.astype(np.float32)}
    held = [array.astype(np.float32) for array in arrays(learner) if array.ndim and array.shape[-1] == 2]
    assert held
    assert not rows & {row.tobytes() for array in held for row in array.reshape(-1, 2)}
    assert learner.held_bytes()["samples"] == 0


def test_the_generator_is_of_the_network_s_precision():
    for dtype in ("float32", "float64"):
        memory = replaying(tasks=1, dtype=dtype).memory
        assert memory.generator.dtype == dtype
        assert memory.draw(3, rng()).x.dtype == dtype


# ---- a memory that imagines class by class -------------------------------------------------------------


@pytest.mark.parametrize("told", [False, True])
def test_every_class_that_was_seen_is_imagined_as_often_with_what_the_network_says(told):
    learner = by_class(told, 3)
    drawn = learner.memory.draw(1000, rng(1))
    pairs = [(0, 0), (0, 1), (1, 2), (1, 3), (2, 1), (2, 4)] if told else [(-1, c) for c in range(5)]
    found, counts = np.unique(np.stack([drawn.task, drawn.y], axis=1), axis=0, return_counts=True)
    assert list(map(tuple, found.tolist())) == pairs
    assert np.abs(counts - 1000 / len(pairs)).max() < 4 * np.sqrt(1000 / len(pairs))
    assert ((drawn.x >= 0) & (drawn.x <= 1)).all()
    assert state(drawn.logits) == state(learner.network(drawn.x))


def test_what_is_imagined_is_painted_from_the_gaussian_of_its_class(monkeypatch):
    asked, sample_of = [], ConditionalAutoencoder.sample_of
    monkeypatch.setattr(
        ConditionalAutoencoder,
        "sample_of",
        lambda self, y, rng: asked.append(sample_of(self, y, rng)) or asked.append(y) or asked[-2],
    )
    drawn = by_class().memory.draw(20, rng(1))
    assert state(asked[-2]) == state(drawn.x)
    assert state(asked[-1]) == state(drawn.y)


def test_a_class_that_was_only_announced_is_never_imagined_by_class():
    learner = by_class(classes=[9, 0, 1, 2, 3, 8])
    assert set(learner.memory.draw(200, rng()).y) == {1, 2, 3, 4}


def test_nothing_is_imagined_by_class_before_the_first_task_and_no_number_drawn():
    random = rng()
    before = state(random)
    assert ConditionalGeneratorMemory(**SMALL).draw(5, random) is None
    assert state(random) == before


def test_drawing_by_class_changes_nothing():
    memory = by_class().memory
    before = state(memory)
    same, again, other = (memory.draw(5, rng(seed)) for seed in (1, 1, 2))
    assert state(memory) == before
    assert state(same) == state(again) != state(other)


def test_the_prior_grows_by_a_row_a_class_and_the_generator_learns_old_and_new_by_class(monkeypatch):
    steps, step = [], ConditionalAutoencoder.step
    monkeypatch.setattr(
        ConditionalAutoencoder,
        "step",
        lambda self, batches, rng: steps.append(batches) or step(self, batches, rng),
    )
    learner, seen = by_class(tasks=0), set()
    for k, ((x, y), classes) in enumerate(zip(TASKS, (2, 4, 5), strict=True), 1):
        steps.clear()
        old = learner.memory.generator
        frozen = state(old)
        learner.learn(x, y)
        label_of = {row.tobytes(): label for row, label in zip(x.astype(np.float32), y, strict=True)}
        assert len(learner.memory.generator.prior) == classes
        assert len(steps) == 6
        for (new_weight, rows, labels), *imagined in steps:
            assert new_weight == 1 / k
            assert [label_of[row.tobytes()] for row in rows] == labels.tolist()
            assert [weight for weight, _, _ in imagined] == [1 - 1 / k] * (k > 1)
            assert all(set(old_classes) <= seen for _, _, old_classes in imagined)
        assert state(old) == frozen
        seen |= set(y.tolist())


def test_soft_replay_is_worked_out_by_hand():
    """At the third task, of classes 1 and 4: what the network said, in 1/T, and of class 4 nothing."""
    learner = by_class(tasks=2, dtype="float64")
    learner._targets.learn(np.array([4]), None)
    learner.network.grow(1, rng())
    drawn = learner.memory.draw(7, rng(2))
    a = [None, rng(3).normal(size=(7, 5))]
    value, gradients = learner.terms[0](a, learner._targets.batch(drawn))
    p = np.exp(drawn.logits / 2)
    p /= p.sum(axis=1, keepdims=True)
    q = np.exp(a[-1] / 2)
    q /= q.sum(axis=1, keepdims=True)
    agree(value, (1 - 1 / 3) * 4 * np.mean(np.sum(p * np.log(p / q[:, :4]), axis=1)), 1e-12)
    agree(gradients[-1], (1 - 1 / 3) * 2 * (q - np.pad(p, ((0, 0), (0, 1)))) / 7, 1e-12)


def test_soft_replay_of_told_tasks_looks_at_the_outputs_of_each_row_s_task():
    learner = by_class(True, 2, "float64")
    drawn = learner.memory.draw(9, rng(2))
    z = rng(3).normal(size=(9, 4))
    value, gradients = learner.terms[0]([None, z], learner._targets.batch(drawn))
    expected = 0.0
    for i, task in enumerate(drawn.task):
        head = slice(2 * task, 2 * task + 2)
        kl, slope = forward_kl(z[i : i + 1, head], drawn.logits[i : i + 1, head], 2.0)
        expected += (1 - 1 / 3) * kl / 9
        agree(gradients[-1][i, head], (1 - 1 / 3) * slope[0] / 9, 1e-12)
        assert not np.delete(gradients[-1][i], [2 * task, 2 * task + 1]).any()
    agree(value, expected, 1e-12)


def test_what_the_network_said_of_classes_that_it_had_not_learned_is_no_target():
    learner = by_class(tasks=1, classes=[0, 1, 7, 8])
    drawn = learner.memory.draw(5, rng())
    z = np.zeros((5, 4), np.float32)
    _, gradients = learner.terms[0]([None, z], learner._targets.batch(drawn))
    assert (gradients[-1][:, 2:] > 0).all()  # down: p = 0


def test_logits_of_what_is_imagined_serve_dark_replay_with_classes_that_come():
    learner = by_class(tasks=3, terms=[DarkReplay(0.3)])
    assert np.isfinite(learner.network.theta).all()
    a = [None, rng(3).normal(size=(7, 6))]
    drawn = learner.memory.draw(7, rng(2))
    value, gradients = learner.terms[0](a, learner._targets.batch(drawn))
    agree(value, 0.3 * np.mean(np.sum((a[-1][:, :5] - drawn.logits) ** 2, axis=1)), 1e-6)
    assert not gradients[-1][:, 5:].any()


# ---- a classifier that is made of generators -----------------------------------------------------------


def test_a_new_class_is_a_model_more_and_no_other_model_is_touched():
    learner = classifying(1)
    models = learner.decision.models
    before = {c: state(model) for c, model in models.items()}
    assert list(before) == [0, 1]
    learner.learn(*TASKS[1])
    assert list(learner.decision.models) == [0, 1, 2, 3]
    assert {c: state(learner.decision.models[c]) for c in (0, 1)} == before
    assert all(learner.decision.models[c] is models[c] for c in (0, 1))


def test_a_class_that_comes_again_is_learned_on_and_the_others_stay():
    learner = classifying(2)
    models = learner.decision.models
    before = {c: state(model) for c, model in models.items()}
    learner.learn(*TASKS[2])
    after = {c: state(model) for c, model in learner.decision.models.items()}
    assert {c for c in before if after[c] != before[c]} == {1}
    assert {c: state(model) for c, model in models.items()} == before  # replaced, not changed in place
    assert set(after) == {0, 1, 2, 3, 4}
    for model in learner.decision.models.values():  # what the optimizer remembers is not kept
        assert model.encoder_optimizer.m is model.decoder_optimizer.m is None


@pytest.mark.parametrize(
    ("options", "each"), [({"steps": 6}, 3), ({"steps": 1}, 1), ({"steps": None, "epochs": 2}, 4)]
)
def test_the_steps_of_a_task_are_shared_among_its_classes(steps, options, each):
    """By epochs every class goes through its own rows: 2 epochs of 10 rows are 4 batches of at most 8."""
    learner = classifying(0, **options)
    x, y = TASKS[0]
    learner.learn(x, y)
    for c, model in learner.decision.models.items():
        own = [batches for generator, batches in steps if generator is model]
        rows = {row.tobytes() for row in x[y == c].astype(np.float32)}
        assert len(own) == each
        for ((weight, batch),) in own:
            assert weight == 1
            assert {row.tobytes() for row in batch} <= rows
    assert len(steps) == 2 * each


def test_the_learner_s_own_network_is_not_used():
    learner = classifying(0)
    theta = learner.network.theta.copy()
    learner.learn(*TASKS[0])
    assert (learner.network.theta[: len(theta)] == theta).all()
    assert learner.objective_values == []
    x, _ = TASKS[0]
    before = learner.logits(x)
    learner.network.theta[:] = 7
    assert (learner.logits(x) == before).all()


def test_the_answer_is_the_class_whose_model_finds_a_row_most_likely():
    learner = classifying(2, classes=[5, 0, 1, 2, 3])
    x, _ = pixels([0, 1, 2, 3], n=3, seed=5)
    likelihoods = np.stack(
        [model.log_likelihood(x, 5, rng(learner.decision.seed)) for model in learner.decision.models.values()]
    )
    assert learner.predict(x).tolist() == likelihoods.argmax(axis=0).tolist()
    assert (learner.logits(x)[:, 1:] == likelihoods.T).all()
    assert (learner.predict_proba(x)[:, 0] == 0).all()  # announced, but never seen
    assert learner.predict_proba(x).sum(axis=1) == pytest.approx(np.ones(12))


def test_well_trained_models_tell_all_classes_apart_whenever_they_came():
    recipe = Method(decision=GenerativeClassifier((16,), 2, 20, learning_rate=0.01))
    learner = Learner(small_network(), recipe, rng=rng(), steps=200)
    for x, y in (pixels([0, 3]), pixels([4]), pixels([5])):
        learner.learn(x.round(), y)  # corners, as a Bernoulli decoder can paint them
    answers = {tuple(row): set(learner.predict(row[None])) for row in x.round()}
    assert all(len(answer) == 1 for answer in answers.values())


# ---- refusals ------------------------------------------------------------------------------------------

UNPAINTABLE = {
    "below 0": (pixels([2, 3])[0] - 1, "x must lie in [0, 1] where it is to be painted, got values from -"),
    "above 1": (pixels([2, 3])[0] * 3, "x must lie in [0, 1] where it is to be painted, got values from "),
    "sparse": (csr_array(pixels([2, 3])[0]), "x must be dense where it is to be painted"),
}


@pytest.mark.parametrize(("x", "message"), UNPAINTABLE.values(), ids=UNPAINTABLE)
@pytest.mark.parametrize("tasks", [0, 1])
@pytest.mark.parametrize("learner", [replaying, by_class, classifying])
def test_what_can_not_be_painted_is_refused_and_leaves_the_learner_as_it_was(learner, tasks, x, message):
    learner = learner(tasks=tasks)
    before = state(learner)
    with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
        learner.learn(x, pixels([2, 3])[1])
    assert state(learner) == before
    assert learner.learn(*TASKS[1]).n_tasks == tasks + 1


@pytest.mark.parametrize("bad", ["below 0", "above 1", "sparse"])
def test_a_question_about_what_can_not_be_painted_is_refused_by_name(bad):
    learner, (x, message) = classifying(), UNPAINTABLE[bad]
    for use in (learner.predict, learner.predict_proba, learner.logits):
        with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
            use(x)


def test_what_can_not_be_painted_is_refused_before_the_first_step(steps):
    learner = replaying(tasks=0)
    with pytest.raises(ValueError, match="x must lie in"):
        next(iter(learner.learn_steps(UNPAINTABLE["above 1"][0], pixels([2, 3])[1])))
    assert steps == []


@pytest.mark.parametrize("kind", [GeneratorMemory, ConditionalGeneratorMemory, GenerativeClassifier])
@pytest.mark.parametrize(
    ("name", "bad"),
    [
        *[("hidden", bad) for bad in ((0,), ("8",), (1.5,), 8)],
        *[("latent", bad) for bad in (0, 1.5, "2")],
        *[("learning_rate", bad) for bad in (0, -1, np.nan, 2, "0.1")],
    ],
)
def test_a_bad_size_of_a_generator_is_refused_by_name(kind, name, bad):
    with pytest.raises((ValueError, TypeError), match=rf"\b{name}\b"):
        kind(**{name: bad})


@pytest.mark.parametrize("bad", [0, 1.5, "3"])
def test_a_bad_number_of_samples_is_refused_by_name(bad):
    with pytest.raises((ValueError, TypeError), match=r"\bsamples\b"):
        GenerativeClassifier(samples=bad)


def test_a_network_of_one_hidden_layer_need_not_be_as_wide_as_the_generator():
    network = Network.mlp(2, 3, 0, rng=rng())
    learner = Learner(network, Method([Replay("1/k")], GeneratorMemory((5, 4), 3)), rng=rng(), steps=2)
    learner.learn(*TASKS[0]).learn(*TASKS[1])
    assert [layer.outputs for layer in learner.memory.generator.encoder.layers[::2]] == [5, 4, 6]
    assert [layer.outputs for layer in learner.memory.generator.decoder.layers[::2]] == [4, 5, 2]
