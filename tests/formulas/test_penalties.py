"""Penalties: what is true of them and of no other formula."""

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from incrlearn.formulas import elastic_net, importance_weighted, l1, l2
from tests.oracles import agree

from .cases import ANCHORED, PLAIN, Drawn, each


@st.composite
def thetas(draw):
    """Return parameters and an anchor for them, some of both equal."""
    source = Drawn(draw)
    m = source.size()
    return source.array(m), source.array(m)


strengths, ratios = st.floats(0, 10), st.floats(0, 1)


def both_agree(result, expected, rtol=1e-12):
    agree(result[0], expected[0], rtol, floor=1)
    agree(result[1], expected[1], rtol, floor=1)


@each(ANCHORED)
@given(st.data())
def test_an_anchored_penalty_is_the_plain_one_of_the_difference(formula, data):
    theta, *others, anchor = data.draw(formula.drawn())
    both_agree(formula.call(theta, *others, anchor), formula.call(theta - anchor, *others))


@each(ANCHORED)
@given(st.data())
def test_a_penalty_is_zero_and_flat_at_the_anchor_and_nowhere_negative(formula, data):
    theta, *others, anchor = data.draw(formula.drawn())
    assert formula.call(theta, *others, anchor)[0] >= 0
    value, gradient = formula.call(anchor, *others, anchor)
    assert value == 0
    assert not gradient.any()


@each(PLAIN)
@given(st.data())
def test_without_an_anchor_the_anchor_is_zero(formula, data):
    theta, *others = data.draw(formula.drawn())
    both_agree(formula.call(theta, *others), formula.call(theta, *others, np.zeros(len(theta))), 0)


@each(PLAIN)
@given(st.data())
def test_a_penalty_is_proportional_to_its_strength(formula, data):
    theta, strength, *others = data.draw(formula.drawn())
    value, gradient = formula.call(theta, 1.0, *others)
    both_agree(formula.call(theta, strength, *others), (strength * value, strength * gradient))


@given(thetas(), strengths, ratios)
def test_elastic_net_is_its_two_parts(pair, strength, ratio):
    theta, anchor = pair
    value_1, gradient_1 = l1(theta, strength * ratio, anchor)
    value_2, gradient_2 = l2(theta, strength * (1 - ratio), anchor)
    both_agree(elastic_net(theta, strength, ratio, anchor), (value_1 + value_2, gradient_1 + gradient_2))


@pytest.mark.parametrize(("ratio", "pure"), [(1, l1), (0, l2)])
@given(thetas(), strengths)
def test_elastic_net_is_pure_at_either_end(ratio, pure, pair, strength):
    theta, anchor = pair
    both_agree(elastic_net(theta, strength, ratio, anchor), pure(theta, strength, anchor))


@given(thetas(), strengths)
def test_equal_importance_is_l2(pair, strength):
    theta, anchor = pair
    both_agree(importance_weighted(theta, strength, np.ones(len(theta)), anchor), l2(theta, strength, anchor))


def test_a_parameter_of_no_importance_is_free():
    value, gradient = importance_weighted([5.0, 2.0], 1.0, importance=[0.0, 1.0])
    assert value == 2
    assert gradient.tolist() == [0, 2]


@pytest.mark.parametrize("penalty", [l1, lambda theta, strength: elastic_net(theta, strength, 1)])
def test_an_absolute_value_has_no_slope_at_zero(penalty):
    assert penalty([0.0, -0.0, 1e-300, -1e-300], 2.0)[1].tolist() == [0, 0, 2, -2]


def test_a_negative_importance_is_refused_by_name():
    with pytest.raises(ValueError, match=r"importance must be ≥ 0, got -1\.0"):
        importance_weighted([1.0, 1.0], 1.0, importance=[1.0, -1.0])


@pytest.mark.parametrize("bad", [np.nan, np.inf], ids=str)
@pytest.mark.parametrize("name", ["theta", "anchor", "importance"])
def test_the_error_blames_the_argument_that_is_not_finite(name, bad):
    arguments = {"theta": [1.0, 2.0], "anchor": [0.0, 0.0], "importance": [1.0, 1.0]}
    arguments[name] = [1.0, bad]
    with pytest.raises(ValueError, match=f"^{name} must be finite, got {bad} at index 1"):
        importance_weighted(strength=1.0, **arguments)


@each(PLAIN[1:])
@pytest.mark.filterwarnings("ignore:overflow")
def test_a_penalty_that_overflows_is_an_error_and_not_infinite(formula):
    others = {"elastic_net": (0.5,), "importance_weighted": ([1.0],)}.get(formula.name, ())
    with pytest.raises(FloatingPointError, match="overflows to inf: theta is too far from its anchor"):
        formula.call([1e200], 1.0, *others)
