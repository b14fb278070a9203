"""What is wrong with a layer's derivative: mistakes that only who can ask the layer can tell.

A suspect is a cause, a sentence, and the array that the mistake would have given. Some mistakes are told the
other way round: what comes right once the mistake is made good was wrong because of it.
"""

import numpy as np

from .contracts import dense
from .derivatives import derivative
from .subjects import put


def first_like(came, bound, suspects):
    """Return cause and sentence of the first suspect that is what came, or (None, None).

    Parameters
    ----------
    came : ndarray
    bound : ndarray
        How far a suspect may be off.
    suspects : iterable of (cause, sentence, ndarray)
    """
    for cause, hint, would_be in suspects:
        if would_be.shape == came.shape and (np.abs(came - would_be) <= bound).all():
            return cause, hint
    return None, None


def of_x(case, expected, came):
    """Yield what known mistakes in backward would have given.

    Parameters
    ----------
    case : the layer with its x, y, δ and θ
    expected, came : ndarray
        ∂L/∂x, as it must be and as it came.
    """
    if case.x.shape == case.y.shape:
        yield from _of_activation(case, expected, came)
    for name, W in _matrices(case):
        for matrix in (W, W.T):
            if matrix.shape[0] == case.delta.shape[1]:
                product = case.delta @ matrix
                if not close(product, expected):
                    yield "transpose", f"it is what {name} transposed would give", product
    if case.rows and len(case.x) > 1 and close(_tried(case.rows_alone), expected):
        yield "rows mixed", "row by row it is right: in a batch rows are mixed up", came


def _of_activation(case, expected, came):
    """Yield mistakes in the derivative of a layer whose y is of the shape of x."""
    x, y, delta, subject = case.x, case.y, case.delta, case.subject

    def total(x):
        return np.sum(dense(subject.forward(x, case.theta)))

    if not close(delta, expected):
        yield "activation", "δ is passed on as it is: the activation's derivative is missing", delta
    own = delta * _own_slopes(case)
    if not close(own, expected):
        yield "missing", "it is δ ∂yⱼ/∂xⱼ alone: that xⱼ changes the other outputs is left out", own
    twice = expected * numerical(total, x)[0]
    yield "activation", "the activation's derivative stands there twice", twice
    yield "activation", "the activation's derivative is taken at y, not at x", delta * numerical(total, y)[0]
    # what comes right when arguments are exchanged was wrong because they were taken for one another
    for hint, arguments in (("uses x where y belongs", (y, y)), ("uses y where x belongs", (x, x))):
        other = _tried(lambda arguments=arguments: subject.backward(*arguments, delta, case.theta))
        if close(other, expected):
            yield "activation", f"backward {hint}", came


def _own_slopes(case):
    """Return ∂yⱼ/∂xⱼ of every entry."""
    slopes = np.zeros_like(case.x)
    for place in np.ndindex(case.x.shape):
        direction = np.zeros_like(case.x)
        direction[place] = 1

        def output(x, place=place):
            return dense(case.subject.forward(x, case.theta))[place]

        slopes[place] = derivative(output, case.x, direction).value
    return slopes


def _matrices(case):
    """Yield the names and values of the layer's parameters that are matrices."""
    for name, places in case.subject.blocks.items():
        if places.ndim == 2:
            yield name, case.theta[places]


def of_block(case, places, expected, came):
    """Yield what known mistakes in gradient would have given.

    Parameters
    ----------
    case : the layer with its x, y, δ and θ
    places : ndarray of int
        Where the block stands in θ.
    expected, came : ndarray
        The block of ∂L/∂θ, as it must be and as it came.
    """
    n = len(case.x)
    if n < 2:
        return
    for i in (0, n - 1):
        hint = f"it is that of row {i} alone: the sum over rows is missing"
        yield "broadcast sum", hint, _of_row(case, places, i)
    yield "mean against sum", "it is the mean over the rows, and not the sum", expected / n
    own = _tried(lambda: sum(case.row_alone(i)[places] for i in range(n)))
    if case.rows and close(own, expected):
        yield "rows mixed", "row by row it is right: in a batch rows are mixed up", came


def _of_row(case, places, i):
    """Return what one row adds to the gradient of a block."""
    delta = np.zeros_like(case.delta)
    delta[i] = case.delta[i]

    def value(part):
        return np.sum(delta * dense(case.subject.forward(case.x, put(case.theta, places, part))))

    return numerical(value, case.theta[places])[0]


def _tried(function):
    try:
        return dense(function())
    except Exception:  # it is only a guess
        return None


def close(came, expected):
    """Say whether there is an array, and it is as expected, as far as differences tell."""
    return came is not None and came.shape == expected.shape and np.allclose(came, expected, 1e-6, 1e-9)


def numerical(value, at):
    """Return the numerical gradient of value(x), and how far each entry may be off.

    Parameters
    ----------
    value : callable
        value(x) returns a number.
    at : ndarray

    Returns
    -------
    gradient, bound : ndarray of the shape of `at`

    Examples
    --------
    >>> numerical(lambda x: float(np.sum(x**2)), np.array([1.0, -3.0]))[0].round(6)
    array([ 2., -6.])
    """
    slopes = []
    for place in np.ndindex(at.shape):
        direction = np.zeros(at.shape)
        direction[place] = 1
        slopes.append(derivative(value, at, direction))
    gradient = np.array([slope.value for slope in slopes]).reshape(at.shape)
    bound = np.array([slope.bound for slope in slopes]).reshape(at.shape)
    return gradient, np.nan_to_num(bound, nan=np.inf)
