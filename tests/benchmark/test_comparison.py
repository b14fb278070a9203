"""The comparison is fair, repeatable, and shows what the project is about."""

import json
import math

import numpy as np
import pytest

from incrlearn import analytic
from incrlearn.benchmark.comparison import Run, Settings, compare, measures, prepare, report, run, summarize
from incrlearn.benchmark.datasets import load
from incrlearn.benchmark.scenarios import split
from incrlearn.learning import METHODS

#: methods that hold nothing beside the network
FREE = {"none", "l1", "l2", "elastic_net"}
SMALL = {"tasks": 2, "epochs": 2, "hidden": (8,)}


class Parrot:
    """A learner that only knows the labels of the last task."""

    def learn(self, x, y, task):
        self.labels, self.task = set(y.tolist()), task

    def score(self, x, y, task):
        return float(set(y.tolist()) <= self.labels)


def accuracies(methods, **settings):
    return {run.method: run.matrix for run in compare(Settings(methods=methods, **settings))}


@pytest.fixture(scope="module")
def class_incremental():
    return accuracies(("none", "joint", "replay"))


def test_fine_tuning_forgets_the_digits(class_incremental):
    assert class_incremental["none"][-1].mean() <= 0.30
    assert np.diag(class_incremental["none"]).mean() >= 0.95


def test_joint_training_knows_all_digits(class_incremental):
    assert class_incremental["joint"][-1].mean() >= 0.95


def test_replay_of_twenty_a_class_remembers_the_digits(class_incremental):
    assert class_incremental["replay"][-1].mean() >= 0.80


def test_with_the_task_known_distillation_by_logits_remembers_the_digits():
    assert accuracies(("logits",), scenario="task")["logits"][-1].mean() >= 0.95


def test_an_anchored_penalty_and_distillation_keep_more_than_fine_tuning_where_labels_are_shared():
    runs = list(compare(Settings(methods=("none", "l1_anchored", "logits"), scenario="domain", seeds=3)))
    final = {name: row["average_accuracy"][0] for name, row in summarize(runs)}
    assert min(final["l1_anchored"], final["logits"]) > final["none"] + 0.02


def test_plain_l2_keeps_nothing_of_old_tasks_even_where_the_task_is_known():
    final = accuracies(("none", "l2(strength=0.1)"), scenario="task")
    assert final["l2(strength=0.1)"][-1].mean() < final["none"][-1].mean() - 0.1


@pytest.mark.parametrize("scenario", ["class", "task", "domain"])
def test_every_method_runs_in_the_scenarios_that_it_serves_and_its_price_is_counted(scenario):
    for one in compare(Settings(scenario=scenario, **SMALL)):
        assert np.isfinite(one.matrix[np.tril_indices(2)]).all()
        measured = measures(one)
        assert (measured["sample_bytes"], measured["other_bytes"]) == (one.held["samples"], one.held["other"])
        assert (measured["sample_bytes"] + measured["other_bytes"] > 0) == (one.method not in FREE)


def test_a_method_is_refused_where_it_can_not_serve_and_left_out_where_all_are_asked_for():
    with pytest.raises(ValueError, match="icarl can not take part: NearestMean serves class-incremental"):
        Settings(scenario="domain", methods=("none", "icarl"))
    assert "icarl" not in Settings(scenario="domain").methods
    of_any = set(Settings(scenario="task").methods) | set(Settings(scenario="class").methods)
    assert of_any == {*METHODS, *analytic.METHODS}


def test_closed_forms_learn_the_same_tasks_know_nothing_before_and_hold_no_samples():
    methods = ("analytic(features='relu(units=50)')", "streaming_lda(features='identity')", "nearest_mean")
    for one in compare(Settings(tasks=2, scenario="domain", methods=methods)):
        assert one.matrix.shape == (2, 2)
        assert np.isnan(one.baseline).all()
        assert one.held["samples"] == 0 < one.held["other"]
        assert one.seconds > 0


@pytest.mark.parametrize("text", ["analytic(units=3)", "streaming_lda(shrinkage=2.0)", "nearest_mean(3)"])
def test_a_closed_form_with_options_that_can_not_be_is_refused_with_its_settings(text):
    with pytest.raises(ValueError, match=r"shrinkage|strength|option|must read like"):
        Settings(methods=(text,))


@pytest.mark.parametrize("variant", ["permuted", "rotated"])
def test_every_variant_runs(variant):
    (R,) = accuracies(("none",), variant=variant, scenario="domain", **SMALL).values()
    assert R[0, 0] > 0.2


def test_the_same_seed_gives_the_same_bits():
    settings = Settings(methods=("replay", "features"), seeds=2, **SMALL)
    for one, other in zip(compare(settings), compare(settings), strict=True):
        assert (one.method, one.seed) == (other.method, other.seed)
        np.testing.assert_array_equal(one.matrix, other.matrix)


def test_another_seed_gives_another_order_of_classes():
    none, other = compare(Settings(methods=("none",), seeds=2, **SMALL))
    assert not np.array_equal(none.matrix, other.matrix, equal_nan=True)


def test_methods_begin_with_the_same_network_and_the_same_tasks():
    # before there is anything to remember every method is fine-tuning: the first entry is the same
    first = {R[0, 0] for R in accuracies(("none", "replay", "logits", "l2_anchored"), **SMALL).values()}
    assert len(first) == 1


def test_a_run_measures_every_task_learned_so_far():
    matrix, seconds = run(Parrot(), split(load("digits"), 2, "class"))
    np.testing.assert_array_equal(matrix, [[1, np.nan], [0, 1]])
    assert seconds >= 0


def test_a_run_tells_the_task_only_where_it_is_known():
    told = []
    for kind in ("task", "class", "domain"):
        learner = Parrot()
        run(learner, split(load("digits"), 2, kind))
        told.append(learner.task)
    assert told == [1, None, None]


def test_in_a_domain_scenario_tasks_are_measured_before_they_are_learned():
    (result,) = compare(Settings(methods=("none",), scenario="domain", **SMALL))
    assert np.isfinite(result.matrix).all()
    assert np.isfinite(measures(result)["forward_transfer"])


def test_what_can_not_be_asked_before_it_is_learned_has_no_forward_transfer():
    (result,) = compare(Settings(methods=("none",), **SMALL))
    assert math.isnan(measures(result)["forward_transfer"])


def a_run(method, seed, final):
    return Run(method, seed, np.array([[1.0, np.nan], [final, 1.0]]), np.full(2, np.nan), 1.0)


def test_a_summary_has_the_best_method_first_with_mean_and_standard_error():
    runs = [a_run("poor", 0, 0.0), a_run("good", 0, 0.8), a_run("poor", 1, 0.2), a_run("good", 1, 0.8)]
    (first, good), (second, poor) = summarize(runs)
    assert (first, second) == ("good", "poor")
    assert good["average_accuracy"] == pytest.approx((0.9, 0.0))
    assert poor["average_accuracy"] == pytest.approx((0.55, 0.05))
    assert poor["backward_transfer"] == pytest.approx((-0.9, 0.1))


def test_intransigence_is_relative_to_joint_training_with_the_same_seed():
    joint = Run("joint", 0, np.array([[1.0, np.nan], [1.0, 0.6]]), np.full(2, np.nan), 1.0)
    rows = dict(summarize([joint, a_run("none", 0, 0.0)]))
    assert rows["none"]["intransigence"][0] == pytest.approx(-0.2)
    assert math.isnan(dict(summarize([a_run("none", 0, 0.0)]))["none"]["intransigence"][0])


def test_a_report_is_json_and_holds_everything():
    settings = Settings(methods=("none", "joint"), **SMALL)
    runs = list(compare(settings))
    text = json.dumps(report(settings, runs), allow_nan=False)
    read = json.loads(text)
    assert read["settings"]["methods"] == ["none", "joint"]
    assert {"incrlearn", "numpy", "scipy", "python", "platform"} <= set(read["versions"])
    assert read["runs"][0]["accuracy_matrix"][0][1] is None
    assert read["runs"][0]["accuracy_matrix"][1][1] == runs[0].matrix[1, 1]
    assert {row["method"] for row in read["summary"]} == {"none", "joint"}
    assert read["summary"][0]["seconds"][0] > 0


def test_columns_of_a_table_are_brought_to_one_scale(tmp_path):
    rng = np.random.default_rng(0)
    x = np.column_stack([1e6 + 1e5 * rng.normal(size=40), 1e-6 * rng.normal(size=40), np.ones(40)])
    np.savez(tmp_path / "wild.npz", x=x, y=np.repeat([0, 1], 20))
    x = prepare(Settings(data=str(tmp_path / "wild.npz"))).x
    np.testing.assert_allclose(x.mean(axis=0), 0, atol=1e-3)
    np.testing.assert_allclose(x.std(axis=0), [1, 1, 0], atol=1e-3)


def test_pixels_are_left_as_they_are():
    np.testing.assert_array_equal(prepare(Settings()).x, load("digits").x)


def test_tasks_that_can_not_be_made_are_refused_before_any_work():
    with pytest.raises(ValueError, match="n_tasks"):
        compare(Settings(tasks=11))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"scenario": "episodic"}, "scenario"),
        ({"variant": "flipped"}, "variant"),
        ({"tasks": 0}, "tasks"),
        ({"seeds": 0}, "seeds"),
        ({"epochs": 0}, "epochs"),
        ({"batch_size": 0}, "batch_size"),
        ({"hidden": (0,)}, "hidden"),
        ({"learning_rate": 0.0}, "learning_rate"),
        ({"learning_rate": math.nan}, "learning_rate"),
        ({"methods": ()}, "methods"),
        ({"methods": ("none", "none")}, "twice"),
        ({"methods": ("amnesia",)}, "method must be one of .*, got 'amnesia'"),
        ({"methods": ("logits(T=0)",)}, "T must be"),
        ({"methods": ("logits(t=1)",)}, "option of logits"),
        ({"methods": ("logits +",)}, "method must read like"),
        ({"methods": ("logits(T=print(1))",)}, "T must be a number"),
    ],
)
def test_bad_settings_are_refused_by_name(settings, message):
    with pytest.raises(ValueError, match=message):
        Settings(**settings)
