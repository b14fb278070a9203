"""Methods: the table of recipes is complete, and every recipe in it works."""

import inspect

import numpy as np
import pytest

from incrlearn import Learner, Method
from incrlearn.formulas import forward_kl, reverse_kl, soft_cross_entropy
from incrlearn.learning import (
    BOUNDS,
    L1,
    L2,
    METHODS,
    ClassBalancedMemory,
    ElasticNet,
    Everything,
    Features,
    Logits,
    Relations,
    Replay,
    method,
)

from .helpers import points, small_network, state
from .helpers import rng as seeded

EACH = pytest.mark.parametrize("name", METHODS)

#: what each recipe must be made of: terms with what is special about them, and the memory
RECIPES = {
    "none": ([], None),
    "joint": ([], Everything),
    "l1": ([(L1, {"anchored": False})], None),
    "l1_anchored": ([(L1, {"anchored": True})], None),
    "l2": ([(L2, {"anchored": False})], None),
    "l2_anchored": ([(L2, {"anchored": True})], None),
    "elastic_net": ([(ElasticNet, {"anchored": False})], None),
    "elastic_net_anchored": ([(ElasticNet, {"anchored": True})], None),
    "logits": ([(Logits, {"divergence": reverse_kl})], None),
    "logits_forward": ([(Logits, {"divergence": forward_kl})], None),
    "logits_cross_entropy": ([(Logits, {"divergence": soft_cross_entropy})], None),
    "features": ([(Features, {"at": -2})], None),
    "relations": ([(Relations, {"at": -1})], None),
    "replay": ([(Replay, {"alpha": "n/N"})], ClassBalancedMemory),
}


def two_tasks(name, dtype="float32", seed=0):
    network = small_network(dtype=dtype, seed=seed)
    learner = Learner(network, name, rng=seeded(seed), steps=8, batch_size=8)
    return learner.learn(*points([0, 1])).learn(*points([2, 3]))


@EACH
def test_every_name_stands_for_its_recipe(name):
    expected, expected_memory = RECIPES[name]
    recipe = method(name)
    assert isinstance(recipe.memory, expected_memory or type(None))
    assert [type(term) for term in recipe.terms] == [kind for kind, _ in expected]
    for term, (_, special) in zip(recipe.terms, expected, strict=True):
        assert special.items() <= vars(term).items()


def test_the_table_of_recipes_is_complete():
    assert set(METHODS) == set(RECIPES)


@EACH
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_method_learns_two_tasks_in_the_networks_own_precision(name, dtype):
    learner = two_tasks(name, dtype)
    assert learner.network.theta.dtype == dtype
    assert learner.logits(points([0])[0]).dtype == dtype
    assert learner.classes.tolist() == [0, 1, 2, 3]
    assert np.isfinite(learner.objective_values).all()


@EACH
def test_every_method_learns_tasks_of_a_single_row_and_class(name):
    learner = Learner(small_network(), name, rng=seeded(), steps=3)
    for label in (0, 1, 0):
        learner.learn(*points([label], n=1))
    assert learner.classes.tolist() == [0, 1]
    assert np.isfinite(learner.network.theta).all()


@EACH
def test_every_method_is_determined_by_its_generator(name):
    same, again, other = two_tasks(name), two_tasks(name), two_tasks(name, seed=1)
    assert state(same) == state(again)
    assert (same.network.theta != other.network.theta).any()


@pytest.mark.parametrize("name", [name for name in METHODS if name != "none"])
def test_every_method_changes_what_is_learned(name):
    assert (two_tasks(name).network.theta != two_tasks("none").network.theta).any()


@EACH
def test_every_recipe_says_what_it_is_with_its_equation(name):
    assert "L = " in METHODS[name].__doc__


@EACH
def test_every_option_of_a_recipe_can_be_written_after_its_name(name):
    options = {option: p.default for option, p in inspect.signature(METHODS[name]).parameters.items()}
    for option, default in options.items():
        other = 1 if default != 1 else 0.5
        assert state(method(f"{name}({option}={default!r})")) == state(method(name))
        assert state(method(f"{name}({option}={other})")) != state(method(name))


def test_options_reach_the_terms_and_the_memory():
    replay = method("replay(per_class=3, alpha='1/k')")
    assert replay.terms[0].alpha == "1/k"
    assert replay.memory.per_class == 3
    (term,) = method("elastic_net_anchored(strength=2, ratio=0.25)").terms
    assert (term.strength, term.ratio, term.anchored) == (2, 0.25, True)


def test_names_joined_by_plus_are_one_recipe_in_that_order():
    joined = method(" replay(alpha=0.2) + logits(T=4)+l2_anchored ")
    assert [type(term) for term in joined.terms] == [Replay, Logits, L2]
    assert (joined.terms[0].alpha, joined.terms[1].T) == (0.2, 4)
    assert isinstance(joined.memory, ClassBalancedMemory)
    assert repr(joined) == "Method([Replay, Logits, L2], memory=ClassBalancedMemory)"


def test_a_joined_method_learns():
    learner = two_tasks("replay(per_class=5)+logits(T=4)+features+l1_anchored(strength=0.01)")
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
        ("replay+joint", "only one of the methods may have a memory"),
        ("replay+replay", "only one of the methods may have a memory"),
        (None, "method must be a name"),
        (3, "method must be a name"),
    ],
)
def test_a_bad_name_or_option_is_refused_by_name(text, match):
    with pytest.raises((ValueError, TypeError), match=match):
        method(text)


TERM = L2()


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
    ],
)
def test_a_bad_recipe_is_refused_by_name(arguments, match):
    with pytest.raises((ValueError, TypeError), match=match):
        Method(*arguments)


def test_a_recipe_is_not_joined_with_itself():
    recipe = Method([TERM])
    with pytest.raises(ValueError, match="twice"):
        recipe + recipe
