"""Methods: the table of recipes is complete, and every recipe in it works."""

import inspect
import re

import numpy as np
import pytest

from incrlearn import Learner, Method, Network
from incrlearn.formulas import forward_kl, reverse_kl, soft_cross_entropy
from incrlearn.learning import (
    AGEM,
    BOUNDS,
    EWC,
    GEM,
    L1,
    L2,
    MAS,
    METHODS,
    OGD,
    SI,
    AsymmetricCrossEntropy,
    BatchTerm,
    ClassBalancedMemory,
    ConditionalGeneratorMemory,
    DarkReplay,
    DistilledBinaryCrossEntropy,
    ElasticNet,
    Everything,
    Features,
    Gating,
    GenerativeClassifier,
    GeneratorMemory,
    GreedyMemory,
    HerdingMemory,
    Logits,
    NearestMean,
    Relations,
    Replay,
    ReservoirMemory,
    Samples,
    Separate,
    SoftReplay,
    method,
)

from .helpers import arrays, learn_tasks, must_be_told, pixels, small_network, state, tiny
from .helpers import rng as seeded

EACH = pytest.mark.parametrize("name", METHODS)

#: what each recipe must be made of: terms with what is special about them, and all else that there is
RECIPES = {
    "none": ([], {}),
    "joint": ([], {"memory": Everything, "restart": True}),
    "cumulative": ([], {"memory": Everything}),
    "l1": ([(L1, {"anchored": False})], {}),
    "l1_anchored": ([(L1, {"anchored": True})], {}),
    "l2": ([(L2, {"anchored": False})], {}),
    "l2_anchored": ([(L2, {"anchored": True})], {}),
    "elastic_net": ([(ElasticNet, {"anchored": False})], {}),
    "elastic_net_anchored": ([(ElasticNet, {"anchored": True})], {}),
    "ewc": ([(EWC, {"labels": "exact", "online": False})], {}),
    "si": ([(SI, {"damping": 0.1})], {}),
    "mas": ([(MAS, {})], {}),
    "logits": ([(Logits, {"divergence": reverse_kl, "over": "old"})], {}),
    "logits_forward": ([(Logits, {"divergence": forward_kl, "over": "old"})], {}),
    "logits_cross_entropy": ([(Logits, {"divergence": soft_cross_entropy, "over": "old"})], {}),
    "lwf": ([(Logits, {"divergence": forward_kl, "over": "all", "alpha": "1/k", "T": 2.0})], {}),
    "features": ([(Features, {"at": -2})], {}),
    "relations": ([(Relations, {"at": -1})], {}),
    "replay": ([(Replay, {"alpha": "n/N"})], {"memory": ClassBalancedMemory}),
    "er_ace": (
        [(AsymmetricCrossEntropy, {}), (Replay, {"alpha": 0.0})],
        {"memory": ClassBalancedMemory},
    ),
    "der": ([(DarkReplay, {"alpha": 0.3, "beta": 0.0})], {"memory": ReservoirMemory}),
    "derpp": ([(DarkReplay, {"alpha": 0.3, "beta": 0.5})], {"memory": ReservoirMemory}),
    "icarl": ([(DistilledBinaryCrossEntropy, {})], {"memory": HerdingMemory, "decision": NearestMean}),
    "gdumb": ([], {"memory": GreedyMemory, "restart": True}),
    "agem": ([(AGEM, {})], {"memory": ClassBalancedMemory}),
    "gem": ([(GEM, {})], {"memory": ClassBalancedMemory}),
    "ogd": ([(OGD, {"per_task": 50})], {}),
    "generative_replay": ([(Replay, {"alpha": "1/k"})], {"memory": GeneratorMemory}),
    "bir": ([(SoftReplay, {"alpha": "1/k", "T": 2.0})], {"memory": ConditionalGeneratorMemory}),
    "generative_classifier": ([], {"decision": GenerativeClassifier}),
    "xdg": ([], {"isolation": Gating}),
    "separate": ([], {"isolation": Separate}),
}
#: which methods do not serve all scenarios, and in which words they refuse the others
SERVED = {
    **{
        name: (
            ("task",),
            f"{kind} serves task-incremental learning only: "
            "it has to know which part of the network is the task's",
        )
        for name, kind in (("xdg", "Gating"), ("separate", "Separate"))
    },
    "icarl": (
        ("class",),
        "NearestMean serves class-incremental learning only: "
        "a class has one mean, over all tasks, and every class is compared with every other",
    ),
    "generative_classifier": (
        ("class",),
        "GenerativeClassifier serves class-incremental learning only: "
        "it has one model for every class, which does not know of tasks",
    ),
}


def learner_of(name, dtype="float32", seed=0, **options):
    options = {"steps": 8, "batch_size": 8, **options}
    return Learner(small_network(dtype=dtype, seed=seed), tiny(name), rng=seeded(seed), **options)


def two_tasks(name, dtype="float32", seed=0):
    return learn_tasks(learner_of(name, dtype, seed), pixels([0, 1]), pixels([2, 3]))


@EACH
def test_every_name_stands_for_its_recipe(name):
    expected, others = RECIPES[name]
    recipe = method(name)
    for part in ("memory", "isolation", "decision"):
        assert type(getattr(recipe, part)) is others.get(part, type(None))
    assert recipe.restart is others.get("restart", False)
    assert [type(term) for term in recipe.terms] == [kind for kind, _ in expected]
    for term, (_, special) in zip(recipe.terms, expected, strict=True):
        assert special.items() <= vars(term).items()


def test_the_table_of_recipes_is_complete():
    assert set(METHODS) == set(RECIPES)


@EACH
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_method_learns_two_tasks_in_the_networks_own_precision(name, dtype):
    learner = two_tasks(name, dtype)
    x, _ = pixels([0])
    z = learner.logits(x, 0 if must_be_told(learner) else None)
    assert learner.network.theta.dtype == dtype
    assert z.dtype == ("float64" if name == "generative_classifier" else dtype)
    assert learner.classes.tolist() == [0, 1, 2, 3]
    assert np.isfinite(learner.objective_values).all()


@EACH
def test_every_method_learns_tasks_of_a_single_row_and_class(name):
    learner = learner_of(name, steps=3)
    learn_tasks(learner, *(pixels([label], n=1) for label in (0, 1, 0)))
    assert learner.classes.tolist() == [0, 1]
    assert np.isfinite(learner.network.theta).all()


@EACH
def test_every_method_is_determined_by_its_generator(name):
    same, again, other = two_tasks(name), two_tasks(name), two_tasks(name, seed=1)
    assert state(same) == state(again)
    assert (same.network.theta != other.network.theta).any()


@EACH
@pytest.mark.parametrize("use", ["predict", "predict_proba", "logits"])
def test_to_use_any_method_changes_nothing_and_draws_nothing(name, use):
    learner, (x, _) = two_tasks(name), pixels([0, 3])
    task = 1 if must_be_told(learner) else None
    before = state(learner)
    assert state(getattr(learner, use)(x, task)) == state(getattr(learner, use)(x, task))
    assert state(learner) == before


@pytest.mark.parametrize("name", [name for name in METHODS if name not in ("none", "generative_classifier")])
def test_every_method_changes_what_is_learned(name):
    """But for the one that does not use the learner's network."""
    learner, plain = learner_of(name), learner_of("none")
    for number, labels in enumerate(([0, 1], [2, 3], [1, 2])):
        for one in (learner, plain):
            one.learn(*pixels(labels), task=number if must_be_told(learner) else None)
    assert (learner.network.theta != plain.network.theta).any()


#: for what has no equation of its own: a network that is not shared
WITHOUT_EQUATION = {"separate"}


@pytest.mark.parametrize("name", [name for name in METHODS if name not in WITHOUT_EQUATION])
def test_every_recipe_says_what_it_is_with_its_equation(name):
    """In the recipe's own words, or in those of what it is made of."""
    parts = [METHODS[name], *(type(part) for part in method(name).ingredients)]
    assert any(re.search(r"L = |g̃ = |a ← |y = argm", part.__doc__) for part in parts)


@EACH
def test_every_recipe_names_where_it_comes_from(name):
    own_words = METHODS[name].__doc__
    assert name in BOUNDS or re.search(r"\b20[0-2]\d\b|section 3|formula 4|Elastic Net|Hinton", own_words)


# ---- scenarios -----------------------------------------------------------------------------------------


@EACH
def test_every_method_says_which_scenarios_it_serves_and_why_no_others(name):
    served, refusal = SERVED.get(name, (("task", "domain", "class"), None))
    recipe = method(name)
    assert recipe.scenarios == served
    for scenario in ("task", "domain", "class"):
        assert recipe.refusal(scenario) == (None if scenario in served else refusal)


@EACH
@pytest.mark.parametrize("told", [True, False])
def test_a_learner_refuses_to_be_told_or_not_told_the_task_where_its_method_can_not_do_with_that(name, told):
    served, refusal = SERVED.get(name, (("task", "domain", "class"), None))
    learner, x_y = learner_of(name), pixels([0, 1])
    before = state(learner)
    task = "a" if told else None
    if ("task" in served) if told else (served != ("task",)):
        assert learner.learn(*x_y, task=task).n_tasks == 1
        return
    reason = refusal.partition(": ")[2]
    with pytest.raises(ValueError, match=f"must{' not' * told} be told the task[^:]*: {re.escape(reason)}$"):
        learner.learn(*x_y, task=task)
    assert state(learner) == before


@pytest.mark.parametrize("name", ["xdg", "separate"])
def test_an_answer_is_refused_where_the_task_is_needed_and_not_given(name):
    learner = two_tasks(name)
    for use in (learner.predict, learner.predict_proba, learner.logits):
        with pytest.raises(ValueError, match=r"^task must be given: .* needs it, it has to know which part"):
            use(pixels([0])[0])
        with pytest.raises(ValueError, match=r"^task must be one that was learned \(0, 1\), got 7$"):
            use(pixels([0])[0], 7)


@EACH
def test_values_are_learned_by_every_method_that_needs_no_classes_and_refused_by_name_by_others(name):
    recipe = method(tiny(name))
    (x, _), options = pixels([0, 1]), {"rng": seeded(), "loss": "squared_error", "steps": 3}
    network = Network.mlp(2, 6, 1, rng=seeded())
    of_classes = [type(part).__name__ for part in recipe.ingredients if part.of_classes]
    if of_classes:
        with pytest.raises(ValueError, match=f"^{of_classes[0]} works with classes, but targets are values$"):
            Learner(network, recipe, **options)
        return
    learner = Learner(network, recipe, **options)
    for number in range(2):
        learner.learn(x, x.sum(axis=1), task=number if must_be_told(learner) else None)
    assert np.isfinite(learner.predict(x, 0 if must_be_told(learner) else None)).all()


# ---- what is held --------------------------------------------------------------------------------------


@EACH
def test_raw_samples_are_held_only_where_the_docstring_says_so(name):
    learner = two_tasks(name)
    says_so = re.search("raw samples|every sample", METHODS[name].__doc__) is not None
    assert (learner.held_bytes()["samples"] > 0) == says_so
    rows = {row.tobytes() for labels in ([0, 1], [2, 3]) for row in pixels(labels)[0].astype(np.float32)}
    held = {row.tobytes() for array in arrays(learner) if array.ndim == 2 for row in array.astype(np.float32)}
    assert bool(rows & held) == says_so


#: bytes after two tasks of 2 classes and 20 rows each, in float32, θ of 12·3 + 4·13 = 88 parameters
THETA = 4 * 88
ROW = 2 * 4 + 8 + 8  # a sample: two features, its output and its task
HELD = {
    "none": (0, 0),
    "l2": (0, 0),
    "joint": (40 * ROW, 0),
    "l2_anchored": (0, THETA),
    "ewc": (0, 2 * THETA),
    "si": (0, 2 * THETA),
    "mas": (0, 2 * THETA),
    "lwf": (0, THETA),
    "ewc+lwf": (0, 3 * THETA),
    "replay(per_class=3)": (12 * ROW, 12 * 16),  # and of each sample its key and when it came
    "gem(per_class=3)": (12 * ROW, 12 * 16),
    "der(size=10)": (10 * (ROW + 4 * 4), 10 * 16),  # and its four logits
    "ogd(per_task=3)": (0, 6 * THETA),
    "xdg": (0, 2 * 12 * 8),  # a mask a task
    "separate": (0, THETA),  # the network of the other task
    "icarl(per_class=3)": (12 * ROW, 12 * 16 + THETA + 4 * 8 + 4 * 12 * 4),  # teacher, its outputs, means
}


@pytest.mark.parametrize(("name", "held"), HELD.items())
def test_what_a_method_holds_is_counted_to_the_byte(name, held):
    assert two_tasks(name).held_bytes() == dict(zip(("samples", "other"), held, strict=True))


def test_what_two_ingredients_hold_together_is_counted_once():
    learner = two_tasks("replay(per_class=3)")
    learner.terms[0].the_same = learner.memory.samples
    assert learner.held_bytes()["samples"] == 12 * ROW


def test_generators_are_counted_with_their_optimizers():
    vae = 2 * 8 + 8 + 8 * 4 + 4, 2 * 8 + 8 + 8 * 2 + 2
    held = two_tasks("generative_replay").held_bytes()
    network_and_heads = THETA + 4 * 8
    assert held == {"samples": 0, "other": 3 * 4 * sum(vae) + network_and_heads}
    priors = 4 * (2 * 2) * 4  # of four classes, each a mean and a variance of two entries
    held = two_tasks("bir").held_bytes()
    assert held == {"samples": 0, "other": 3 * (4 * sum(vae) + priors) + network_and_heads + 4 * 8}


# ---- options and joined names --------------------------------------------------------------------------

#: another value for options that 1 or 0.5 is none for
OTHER = {
    "labels": "empirical",
    "online": True,
    "per_task": True,
    "memory": "herding",
    "hidden": (7,),
    "share": 0.5,
}


@EACH
def test_every_option_of_a_recipe_can_be_written_after_its_name(name):
    options = {option: p.default for option, p in inspect.signature(METHODS[name]).parameters.items()}
    for option, default in options.items():
        other = 7 if (name, option) == ("ogd", "per_task") else OTHER.get(option, 1 if default != 1 else 0.5)
        assert state(method(f"{name}({option}={default!r})")) == state(method(name))
        assert state(method(f"{name}({option}={other!r})")) != state(method(name))


def test_options_reach_the_terms_and_the_memory():
    replay = method("replay(per_class=3, alpha='1/k')")
    assert replay.terms[0].alpha == "1/k"
    assert replay.memory.per_class == 3
    assert method("si(c=3)").terms[0].strength == 6  # the paper's c is λ/2
    (term,) = method("elastic_net_anchored(strength=2, ratio=0.25)").terms
    assert (term.strength, term.ratio, term.anchored) == (2, 0.25, True)


def test_names_joined_by_plus_are_one_recipe_in_that_order():
    joined = method(" replay(alpha=0.2) + logits(T=4)+l2_anchored ")
    assert [type(term) for term in joined.terms] == [Replay, Logits, L2]
    assert (joined.terms[0].alpha, joined.terms[1].T) == (0.2, 4)
    assert isinstance(joined.memory, ClassBalancedMemory)
    assert repr(joined) == "Method([Replay, Logits, L2], memory=ClassBalancedMemory)"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("joint", "Method([], memory=Everything, restart=True)"),
        ("xdg+ewc", "Method([EWC], isolation=Gating)"),
        ("ewc+replay", "Method([EWC, Replay], memory=ClassBalancedMemory)"),
        (
            "icarl+ewc",
            "Method([DistilledBinaryCrossEntropy, EWC], memory=HerdingMemory, decision=NearestMean)",
        ),
        ("der++", "Method([DarkReplay], memory=ReservoirMemory)"),
        ("der+++si", "Method([DarkReplay, SI], memory=ReservoirMemory)"),
        ("ewc+der++(beta=2)", "Method([EWC, DarkReplay], memory=ReservoirMemory)"),
    ],
)
def test_a_recipe_shows_all_that_it_is_made_of(text, expected):
    assert repr(method(text)) == expected


def test_der_plus_plus_is_written_as_in_its_paper_or_as_a_name():
    assert state(method("der++")) == state(method("derpp"))
    assert method("der++(beta=2)").terms[0].beta == 2


@pytest.mark.parametrize("text", ["ewc+replay", "icarl+ewc", "xdg+ewc", "xdg+si", "der++ + lwf", "agem+l2"])
def test_joined_methods_learn(text):
    learner = learn_tasks(learner_of(text), pixels([0, 1]), pixels([2, 3]))
    assert learner.n_tasks == 2
    assert np.isfinite(learner.objective_values).all()


def test_new_parameters_for_every_task_are_asked_for_by_one_of_two_joined_methods():
    for text in ("joint+l2", "l2+joint"):
        assert method(text).restart


def test_a_joined_method_learns():
    learner = two_tasks("replay(per_class=5)+logits(T=4)+features+l1_anchored(strength=0.01)+ewc+lwf")
    assert learner.classes.tolist() == [0, 1, 2, 3]


def test_every_recipe_is_made_anew():
    first, second = method("replay"), method("replay")
    assert first.terms[0] is not second.terms[0]
    assert first.memory is not second.memory
    assert [type(term) for term in method("l2+l2").terms] == [L2, L2]


def test_the_bounds_are_methods():
    assert set(BOUNDS) <= set(METHODS)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("nonesuch", "method must be one of 'none', 'joint'"),
        ("logits+nonesuch", "method must be one of 'none', 'joint'"),
        ("", "method must read like"),
        ("+", "method must read like"),
        ("logits(", "method must read like"),
        ("logits-l2", "method must read like"),
        ("logits(4)", "method must read like"),
        ("logits(**{})", "method must read like"),
        ("l2(strength=0.1)(2)", "method must read like"),
        ("os.system", "method must read like"),
        ("logits(temperature=4)", "option of logits must be one of 'alpha', 'T'"),
        ("none(strength=1)", "option of none"),
        ("logits(T=print(1))", "T must be a number or a quoted word"),
        ("logits(T=-1)", "T must be a finite number > 0"),
        ("logits(T='2')", "T must be a finite number > 0"),
        ("logits(alpha=2)", r"alpha must be a number in \[0, 1\]"),
        ("replay(per_class=0)", "per_class must be a whole number"),
        ("logits(T={[]: 1})", "T must be a number or a quoted word"),
        ("replay+joint", "only one of the methods may have a memory"),
        ("icarl+replay", "only one of the methods may have a memory"),
        ("icarl+generative_classifier", "only one of the methods may have a decision"),
        ("xdg+separate", "only one of the methods may have an isolation"),
        ("xdg+replay", "isolation leaves each task its own network, but Replay wants one for all"),
        ("xdg+ogd", "isolation leaves each task its own network, but OGD wants one for all"),
        ("separate+joint", "isolation leaves each task its own network: a memory has nobody to remind"),
        ("xdg+generative_classifier", "isolation leaves each task its own network"),
        ("ewc(labels='all')", "labels must be one of 'exact', 'sampled', 'empirical'"),
        ("replay(memory='all')", "memory must be one of 'balanced', 'herding', 'reservoir'"),
        ("xdg(share=1)", "share must be a number in"),
        ("replay+replay", "only one of the methods may have a memory"),
        (None, "method must be a name"),
        (3, "method must be a name"),
    ],
)
def test_a_bad_name_or_option_is_refused_by_name(text, match):
    with pytest.raises((ValueError, TypeError), match=match):
        method(text)


TERM = L2()


class Only(L2):
    """A term of a user's own, for one scenario."""

    scenarios = ("class",)
    reason = "it is made so"


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        (([3],), r"terms\[0\] must be a Term"),
        (([TERM, L2],), r"terms\[1\] must be a Term"),
        (([TERM, TERM],), "terms must not hold the same term twice"),
        (([], 3), "memory must be a Memory"),
        (([], ClassBalancedMemory), "memory must be a Memory"),
        (([Replay()],), "memory is missing"),
        *[((bad,), "terms must be a list of Term") for bad in (3, None, TERM, "l2")],
        (([], None, Everything()), "isolation must be a Isolation|isolation must be an Isolation"),
        (([], None, None, Gating()), "decision must be a Decision"),
        (([DarkReplay()], ReservoirMemory()), "memory must keep logits.* DarkReplay"),
        (([SoftReplay()], ReservoirMemory()), "memory must keep logits.* SoftReplay"),
        (([SoftReplay()], GeneratorMemory()), "memory must keep logits.* SoftReplay"),
        (([DarkReplay()],), "memory is missing"),
        (([AGEM()],), "memory is missing, but AGEM"),
        (([], None, None, NearestMean()), "memory is missing, but NearestMean"),
        (([], None, Gating(), None, True), "isolation leaves each task its own network"),
        (([Only()], None, Gating()), "serves no scenario: its ingredients have none in common"),
    ],
)
def test_a_bad_recipe_is_refused_by_name(arguments, match):
    with pytest.raises((ValueError, TypeError), match=match):
        Method(*arguments)


def test_a_recipe_is_not_joined_with_itself():
    recipe = Method([TERM])
    with pytest.raises(ValueError, match="twice"):
        recipe + recipe


# ---- a method of one's own -----------------------------------------------------------------------------


class Drift(BatchTerm):
    """L = L₀ + λ/(2n) Σ‖z − z*‖², z* what the network said when the task began: a dozen lines."""

    def __init__(self, strength):
        self.strength, self.old = strength, None

    def begin_task(self, network, data, rng):
        self.old = network.copy()

    def __call__(self, a, batch):
        gap = a[-1] - self.old(batch.x)
        return self.strength * np.sum(gap**2) / 2 / len(gap), {-1: self.strength * gap / len(gap)}


def test_a_dozen_lines_of_one_s_own_compose_with_the_methods_of_the_table():
    recipe = Method([Drift(0.1)]) + method("ewc+replay(per_class=4)")
    learner = learn_tasks(learner_of(recipe, "float64"), pixels([0, 1]), pixels([2, 3]))
    learner.terms[0].begin_task(learner.network, None, None)
    start = learner.network.theta.copy()
    learner.network.theta[:] += seeded(3).normal(size=len(start))  # away from where it costs nothing
    x, y = pixels([0, 1, 2, 3], n=2)
    new, old = (Samples(x, y, np.full(len(y), -1)), learner.memory.draw(5, seeded()))
    value, gradient = learner.objective(new, old)
    theta, h = learner.network.theta.copy(), 1e-6
    for j in range(0, len(theta), 7):
        ends = []
        for step in (h, -h):
            learner.network.theta[:] = theta
            learner.network.theta[j] += step
            ends.append(learner.objective(new, old)[0])
        assert gradient[j] == pytest.approx((ends[0] - ends[1]) / (2 * h), rel=1e-4, abs=1e-6 * value)


@pytest.mark.parametrize("text", ["separate+ewc", "joint+si", "gdumb+l2_anchored", "separate+mas"])
def test_nothing_is_held_to_what_it_was_where_every_task_begins_with_parameters_of_its_own(text):
    with pytest.raises(ValueError, match="every task begins with parameters of its own"):
        method(text)
    assert method(text.replace("l2_anchored", "l2").split("+")[0] + "+l2").terms
