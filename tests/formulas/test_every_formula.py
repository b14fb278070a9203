"""What is true of every formula, whatever it computes."""

import inspect
import re

import autograd
import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from tests.oracles import agree, central_difference

from .cases import FORMULAS, PROJECTIONS, Extreme, Seeded, each, outputs

DATA = st.data()
SEEDS = pytest.mark.parametrize("seed", range(5))


def arrays_to(convert, arguments):
    return [convert(value) if isinstance(value, np.ndarray) else value for value in arguments]


def narrow(array):
    return array.astype(np.float32) if array.dtype == np.float64 else array


def wide(array):
    return array.astype(np.float64) if array.dtype == np.float32 else array


def gradients_by_autograd(formula, arguments):
    return [autograd.grad(formula.oracle, position)(*arguments) for position in formula.wrt]


@each(FORMULAS)
@given(DATA)
def test_value_and_gradient_agree_with_autograd(formula, data):
    arguments = data.draw(formula.drawn())
    value, *gradients = outputs(formula.call(*arguments))
    agree(value, formula.oracle(*arguments), 1e-12, floor=1)
    for gradient, expected in zip(gradients, gradients_by_autograd(formula, arguments), strict=True):
        agree(gradient, expected, 1e-10, floor=1)


@each(FORMULAS)
@SEEDS
def test_small_gradients_agree_with_autograd_as_well(formula, seed):
    arguments = formula.arguments(Seeded(seed))
    value, *gradients = outputs(formula.call(*arguments))
    agree(value, formula.oracle(*arguments), 1e-12)
    for gradient, expected in zip(gradients, gradients_by_autograd(formula, arguments), strict=True):
        agree(gradient, expected, 1e-10)


@each(FORMULAS)
@SEEDS
def test_gradient_agrees_with_central_differences_of_the_value(formula, seed):
    arguments = formula.arguments(Seeded(seed))
    _, *gradients = outputs(formula.call(*arguments))
    for position, gradient in zip(formula.wrt, gradients, strict=True):

        def value(x, position=position):
            return formula.call(*arguments[:position], x, *arguments[position + 1 :])[0]

        agree(gradient, central_difference(value, arguments[position]), 1e-8)


@each([formula for formula in FORMULAS if formula.whole])
@given(DATA)
def test_a_batch_is_the_mean_or_the_sum_of_its_single_rows(formula, data):
    arguments = data.draw(formula.drawn())
    n = len(arguments[0])
    singles = [
        outputs(formula.call(*(a[i : i + 1] if j in formula.rows else a for j, a in enumerate(arguments))))
        for i in range(n)
    ]
    share = 1 / n if formula.whole is np.mean else 1
    value, *gradients = outputs(formula.call(*arguments))
    single_values, *single_gradients = zip(*singles, strict=True)
    agree(value, formula.whole(single_values), 1e-12, floor=1)
    for position, gradient, single in zip(formula.wrt, gradients, single_gradients, strict=True):
        whole = np.concatenate(single) if position in formula.rows else np.sum(single, axis=0)
        agree(gradient, share * whole, 1e-12, floor=1)


@each(FORMULAS)
@SEEDS
def test_permuted_rows_have_the_same_value_and_permuted_gradients(formula, seed):
    arguments = formula.arguments(Seeded(seed))
    order = np.random.default_rng(seed).permutation(len(arguments[0]))
    permuted = [a[order] if j in formula.rows else a for j, a in enumerate(arguments)]
    value, *gradients = outputs(formula.call(*arguments))
    new_value, *new_gradients = outputs(formula.call(*permuted))
    agree(new_value, value, 1e-12, floor=1)
    for position, new, gradient in zip(formula.wrt, new_gradients, gradients, strict=True):
        agree(new, gradient[order] if position in formula.rows else gradient, 1e-12, floor=1)


@each(FORMULAS + PROJECTIONS)
@SEEDS
def test_arguments_are_neither_modified_nor_returned(formula, seed):
    arguments = formula.arguments(Seeded(seed))
    arrays = [value for value in arguments if isinstance(value, np.ndarray)]
    for array in arrays:
        array.flags.writeable = False
    for output in outputs(formula.call(*arguments)):
        assert not any(np.shares_memory(output, array) for array in arrays)


@each(FORMULAS + PROJECTIONS)
@SEEDS
def test_lists_are_as_good_as_arrays(formula, seed):
    arguments = formula.arguments(Seeded(seed))
    results = outputs(formula.call(*arrays_to(np.ndarray.tolist, arguments)))
    for output, expected in zip(results, outputs(formula.call(*arguments)), strict=True):
        assert type(output) is type(expected)
        agree(output, expected, 1e-12, floor=1)


@each(FORMULAS + PROJECTIONS)
@SEEDS
def test_float32_stays_float32_and_is_close_to_float64(formula, seed):
    """NumPy's own scalars as the numbers: a float64 among them must not decide the gradient's dtype."""
    arguments = arrays_to(narrow, formula.arguments(Seeded(seed)))
    scalars = [np.float64(value) if isinstance(value, float) else value for value in arguments]
    single = outputs(formula.call(*scalars))
    for output, expected in zip(single, outputs(formula.call(*arrays_to(wide, arguments))), strict=True):
        if isinstance(expected, np.ndarray):
            assert output.dtype == np.float32
            assert expected.dtype == np.float64
        else:
            assert type(output) is type(expected) is float
        agree(output, expected, 1e-5, floor=1)


@each(FORMULAS + PROJECTIONS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_first_argument_alone_decides_the_dtype(formula, dtype):
    first, *others = arrays_to(narrow if dtype == np.float64 else wide, formula.arguments(Seeded(0)))
    gradients = outputs(formula.call(first.astype(dtype), *others))[-len(formula.wrt) :]
    assert [gradient.dtype for gradient in gradients] == [dtype] * len(gradients)


@each(FORMULAS)
@pytest.mark.parametrize("equal", [False, True], ids=["opposite", "equal"])
@pytest.mark.parametrize(("convert", "rtol"), [(wide, 1e-9), (narrow, 1e-4)], ids=["float64", "float32"])
def test_extreme_arguments_give_neither_nan_nor_infinity_nor_a_warning(formula, equal, convert, rtol):
    for n, k in [(1, 1), (1, 3), (3, 1), (4, 3)]:
        for T in (1e-3, 1.0, 1e3):
            arguments = formula.arguments(Extreme(n, k, T, equal))
            value, *gradients = outputs(formula.call(*arrays_to(convert, arguments)))
            agree(value, formula.oracle(*arguments), rtol, floor=1)
            for gradient, expected in zip(gradients, gradients_by_autograd(formula, arguments), strict=True):
                agree(gradient, expected, rtol, floor=1)


# Bad input: what is put in an argument's place


def with_last(value):
    def spoil(array):
        array = array.astype(np.float64)
        array.flat[-1] = value
        return array

    return spoil


BAD_ARRAYS = {
    "NaN": with_last(np.nan),
    "infinity": with_last(np.inf),
    "-infinity": with_last(-np.inf),
    "empty": lambda array: array[:0],
    "no columns": lambda array: array[..., :0],
    "too many dimensions": lambda array: array[None, None],
    "scalar": lambda array: 1.0,
    "strings": lambda array: array.astype(str),
    "a string": lambda array: "0.5",
    "complex": lambda array: array + 0j,
    "ragged": lambda array: [*array[:-1].tolist(), [[1.0], [1.0, 2.0]]],
    "object": lambda array: object(),
}

BAD_NUMBERS = ["1", None, True, np.True_, [1.0], np.ones(1), 1j, np.nan, np.inf, -np.inf, -1, -1e-9]
BAD_SHARES = [*BAD_NUMBERS, 1.0000001, 2]
BAD_TEMPERATURES = [*BAD_NUMBERS, 0, 0.0]
BAD_BY_NAME = {"strength": BAD_NUMBERS, "ratio": BAD_SHARES, "alpha": BAD_SHARES, "T": BAD_TEMPERATURES}


def named_arguments(formula):
    """Return good arguments by their names."""
    return dict(zip(inspect.signature(formula.call).parameters, formula.arguments(Seeded(0)), strict=False))


def arguments_of_kind(kind):
    return [
        pytest.param(formula, name, id=f"{formula.name}-{name}")
        for formula in FORMULAS + PROJECTIONS
        for name, value in named_arguments(formula).items()
        if isinstance(value, kind)
    ]


def must_match(formula, name):
    """Whether the argument has a row for each sample, and another array has too."""
    arguments = named_arguments(formula)
    arrays = [value for value in arguments.values() if isinstance(value, np.ndarray)]
    return len(arrays) > 1 and list(arguments).index(name) in formula.rows


def refuses(formula, name, bad):
    """Assert that the formula, its argument `name` being bad, raises an error that says so."""
    arguments = named_arguments(formula)
    arguments[name] = bad(arguments[name])
    with pytest.raises((ValueError, TypeError), match=rf"\b{re.escape(name)}\b"):
        formula.call(**arguments)


@pytest.mark.parametrize(("formula", "name"), arguments_of_kind(np.ndarray))
@pytest.mark.parametrize("bad", BAD_ARRAYS.values(), ids=BAD_ARRAYS.keys())
def test_a_bad_array_is_refused_by_name(formula, name, bad):
    refuses(formula, name, bad)


@pytest.mark.parametrize(
    ("formula", "name"), [case for case in arguments_of_kind(np.ndarray) if must_match(*case.values)]
)
def test_an_array_with_one_row_more_than_the_others_is_refused_by_name(formula, name):
    refuses(formula, name, lambda array: np.concatenate([array, array[-1:]]))


@pytest.mark.parametrize(("formula", "name"), arguments_of_kind(float))
def test_a_bad_number_is_refused_by_name(formula, name):
    for bad in BAD_BY_NAME[name]:
        refuses(formula, name, lambda _, bad=bad: bad)
