"""Why a gradient may be wrong: patterns that known mistakes leave. NumPy only.

Every pattern is a guess what the array would look like, had a certain mistake been made. A guess is believed
where all of it agrees, up to the bound of what is expected. The most specific ones come first; where two of
the same kind agree (n = 2 and T = 2, say), both are named, and the cause is only "factor".
"""

import math
from fractions import Fraction

import numpy as np

#: what each cause means, in a sentence
CAUSES = {
    "sign": "the sign is wrong",
    "factor 2": "a factor 2 was forgotten, or stands there twice",
    "mean against sum": "a mean was taken for a sum, or a sum for a mean",
    "factor T": "the temperature T is missing, or stands there once too often",
    "factor": "a constant factor was forgotten, or stands there twice",
    "transpose": "an array is transposed",
    "not symmetric": "a second derivative is symmetric, ∂²f/∂xᵢ∂xⱼ = ∂²f/∂xⱼ∂xᵢ, and this one is not",
    "broadcast sum": "a parameter that is used in every row needs the sum over the rows",
    "stale": "the result belongs to an earlier call",
    "accumulated": "the result is added to what an earlier call left",
    "missing": "a part of the gradient was left out",
    "activation": "the activation's derivative is missing, squared, or taken at the wrong place",
    "order": "the right entries stand at the wrong places",
    "constant": "every entry is off by the same number",
    "modified": "an input was changed in place",
    "shape": "the result has not the shape that it must have",
    "dtype": "the result has not the dtype that it must have",
    "rows mixed": "the result for a row depends on other rows",
    "value": "the gradient is right, but the value is not",
    "not a number": "there is NaN or infinity",
    "nonlinear": "backward is not linear in its incoming gradient",
    "state": "the result depends on an earlier call",
    "kink": "at a kink the gradient must lie between the one-sided derivatives",
    "precision": "the float32 result is further from the float64 one than rounding explains",
    "bias correction": "the bias correction of a running mean is missing or wrong",
    "growth": "a layer that grows must keep what it had learned",
    "saved": "what was loaded is not what was saved",
}


LIKE = 1e-5  # relative to the largest entry: how far an array may be from a guess, besides the bound
MOST_DOUBT = 0.05  # a bound above this share of what is expected: any guess would agree


def likely_cause(came, expected, bound=0.0, *, context=None, earlier=None, suspects=None):
    """Return the likely cause of a wrong array, and a sentence with the numbers that speak for it.

    Parameters
    ----------
    came, expected : array_like
        What came, and what must come, of one shape or not.
    bound : float or array_like
        How far each expected entry may be off.
    context : dict of str to float, optional
        Numbers that may have been forgotten or doubled, such as {"n": 6, "T": 2.0}.
    earlier : array_like or list of ndarray, optional
        What came, or would be right, for the arguments of an earlier call.
    suspects : dict of str to list of (array_like, str), optional
        For a cause, arrays that a known mistake would have given, each with the sentence that explains it.

    Returns
    -------
    cause : str or None
        A key of CAUSES; None where nothing known fits.
    hint : str or None

    Raises
    ------
    ValueError
        If a suspect's cause is not one of CAUSES.

    Examples
    --------
    >>> likely_cause([6.0, -12.0], [1.0, -2.0], 1e-9, context={"n": 6})
    ('mean against sum', 'every entry is 6 times too large, and n = 6')
    >>> likely_cause([[1.0, 3.0], [2.0, 4.0]], [[1.0, 2.0], [3.0, 4.0]])
    ('transpose', 'what came is the transpose of what is expected')
    """
    came, expected = np.asarray(came), np.asarray(expected)
    for cause in suspects or {}:
        if cause not in CAUSES:
            raise ValueError(f"a suspect's cause must be one of CAUSES, got {cause!r}")
    if came.dtype.kind not in "biuf" or expected.dtype.kind not in "biuf":
        return ("dtype", f"it has dtype {came.dtype}") if came.dtype.kind not in "biuf" else (None, None)
    found = _suspected(came, expected, bound, suspects or {})
    if found:
        return found
    if came.shape != expected.shape:
        return _wrong_shape(came.astype(np.float64), expected, bound)
    pair = _Pair(came, expected, bound)
    if pair.strange.any():
        return "not a number", f"{_share(pair.strange)} NaN or infinite"
    if not pair.wrong.any():
        return None, None
    for pattern in (_missing, _sign, _factor, _transpose, _earlier, _constant, _order):
        found = pattern(pair, context or {}, _listed(earlier))
        if found:
            return found
    return None, None


class _Pair:
    """What came and what is expected, and how well guesses agree with what came."""

    def __init__(self, came, expected, bound):
        self.came, self.expected = came.astype(np.float64), expected.astype(np.float64)
        self.told = np.isfinite(self.expected) & np.isfinite(bound)
        self.bound = np.where(self.told, np.broadcast_to(bound, came.shape), 0.0)
        self.strange = self.told & ~np.isfinite(self.came)
        self.expected = np.where(self.told, self.expected, 0.0)
        self.size = np.abs(self.expected).max(initial=0.0)
        with np.errstate(invalid="ignore", over="ignore"):
            self.wrong = self.told & ~(
                np.abs(self.came - self.expected) <= self.bound + LIKE / 10 * self.size
            )

    def like(self, guess, where=None, factor=1.0):
        """Say whether what came is a guess, up to the bound (times a factor), and not as good as right."""
        where = self.told if where is None else where
        if not where.any():
            return False
        with np.errstate(invalid="ignore", over="ignore"):
            size = max(np.abs(self.came[where]).max(), np.abs(np.asarray(guess)[where]).max())
            near = np.abs(self.came - guess) <= abs(factor) * self.bound + LIKE * size
            sure = self.bound[where].max() <= MOST_DOUBT * np.abs((self.came - self.expected)[where]).max()
        return bool(near[where].all() and sure)


def _suspected(came, expected, bound, suspects):
    """Return the first suspect that is what came."""
    for cause, guesses in suspects.items():
        for guess, hint in guesses:
            guess = np.asarray(guess, np.float64)
            if guess.shape != came.shape or not np.isfinite(came).all() or not np.isfinite(guess).all():
                continue
            slack = np.max(bound) if guess.shape != expected.shape else bound
            limit = np.where(np.isfinite(slack), slack, 0.0) + LIKE * np.abs(came).max(initial=0.0)
            right = guess.shape == expected.shape and np.all(np.abs(guess - expected) <= limit)
            if not right and np.all(np.abs(came - guess) <= limit):
                return cause, hint
    return None


def _wrong_shape(came, expected, bound):
    """Blame an array of another shape than is expected."""
    slack = np.max(np.where(np.isfinite(bound), bound, 0.0), initial=0.0)

    def like(guess):
        if guess.shape != expected.shape:
            return False
        size = np.abs(expected).max(initial=0.0)
        return bool(np.all(np.abs(guess - expected) <= slack * max(1, came.size) + LIKE * size))

    shapes = f"{came.shape}, not {expected.shape}"
    if came.ndim > 1 and came.T.shape == expected.shape and min(came.shape) > 1 and like(came.T):
        return "transpose", f"the shape is {shapes}, and its transpose is right"
    if came.size == expected.size and like(came.reshape(expected.shape)):
        return "shape", f"the shape is {shapes}: the entries are right"
    for axis in range(came.ndim):
        for kept in (False, True):
            if like(came.sum(axis=axis, keepdims=kept)):
                return "broadcast sum", f"the shape is {shapes}: summed over axis {axis} it is right"
            if like(came.mean(axis=axis, keepdims=kept)):
                return "broadcast sum", f"the shape is {shapes}: every row along axis {axis} is the whole sum"
    if came.size > expected.size and came.ndim >= expected.ndim and _stretches(expected, came):
        return "broadcast sum", f"the shape is {shapes}: what was broadcast was not summed"
    if expected.size > came.size and _stretches(came, expected):
        return "shape", f"the shape is {shapes}: entries were summed that stand for themselves"
    return "shape", f"the shape is {shapes}"


def _stretches(small, large):
    """Say whether an array broadcasts to the shape of another one."""
    try:
        return np.broadcast_shapes(small.shape, large.shape) == large.shape
    except ValueError:
        return False


def _missing(pair, context, earlier):
    """0 stands where there is something."""
    if pair.like(np.zeros_like(pair.came), pair.wrong) and not pair.came[pair.wrong].any():
        return "missing", f"{_share(pair.wrong, pair.told)} 0, but must not be"
    return None


def _sign(pair, context, earlier):
    """All that is wrong has the opposite sign."""
    if not pair.like(-pair.expected, pair.wrong):
        return None
    right = pair.told & ~pair.wrong & (np.abs(pair.expected) > LIKE * pair.size)
    if right.any() and (pair.came[pair.told] >= 0).all():
        return "sign", "every entry that must be negative is positive: the sign was lost"
    return "sign", f"{_share(pair.wrong, pair.told)} the negative of what is expected"


def _factor(pair, context, earlier):
    """All that is wrong is a multiple of what is expected."""
    here = pair.wrong
    square = np.sum((pair.expected[here] / (pair.size or 1.0)) ** 2)
    if not square or (here.sum() == 1 < pair.told.sum() and not context):
        return _lone_factor(pair)
    factor = np.sum(pair.came[here] / pair.size * pair.expected[here] / pair.size) / square
    if not factor or not math.isfinite(factor) or not pair.like(factor * pair.expected, here, factor):
        return None
    largest = np.argmax(np.where(here, np.abs(pair.expected), 0.0))
    doubt = pair.bound.flat[largest] / abs(pair.expected.flat[largest]) + LIKE
    if doubt > MOST_DOUBT:
        return None
    # one number is always a multiple of another: it must be one that somebody may have forgotten
    return _named(factor, doubt, context, pair.came.shape, _share(here, pair.told), here.sum() == 1)


def _lone_factor(pair):
    """One wrong entry among right ones: 2 and 1/2 are the only factors that say something."""
    if pair.wrong.sum() != 1 or not pair.size:
        return None
    for factor, words in ((2.0, "twice"), (0.5, "half")):
        if pair.like(factor * pair.expected, pair.wrong, factor):
            return "factor 2", f"one entry is {words} what is expected"
    return None


def _named(factor, doubt, context, shape, who, lone):
    """Return the cause that a factor speaks for."""
    says = f"{who} {_times(factor)}"
    known = [name for name in _candidates(context) if _close(factor, name[1], doubt)]
    if not known and not _close(abs(factor), 1, doubt):
        known = [name for name in _of_shape(shape) if _close(factor, name[1], doubt)]
        if any(_close(factor, two, doubt) for two in (2, 0.5)):
            known = []  # 2 columns, or a square's 2: the square's is the commoner mistake
    causes = {cause for cause, _, _ in known}
    values = " and ".join(dict.fromkeys(text for _, _, text in known))
    if len(causes) == 1:
        return causes.pop(), f"{says}, and {values}"
    if causes:
        return "factor", f"{says}, and {values}: each would explain it"
    if any(_close(factor, two, doubt) for two in (2, 0.5)):
        return "factor 2", says
    if any(_close(factor, two, doubt) for two in (-2, -0.5)):
        return "factor 2", f"{says}: the sign is wrong too"
    return None if lone else ("factor", says)


def _candidates(context):
    """Yield (cause, factor, words) for numbers that may have been forgotten or doubled."""
    for name, value in context.items():
        value = float(value)
        if not value or abs(value) == 1 or not math.isfinite(value):
            continue
        powers = [(value, 1), (1 / value, 1)]
        if name.lower() in ("t", "temperature"):
            cause, powers = "factor T", [*powers, (value**2, 2), (1 / value**2, 2)]
        else:
            cause = "mean against sum" if value == int(value) else "factor"
        for factor, power in powers:
            yield cause, factor, f"{name} = {value:.6g}" if power == 1 else f"{name}² = {value**2:.6g}"


def _of_shape(shape):
    """Yield (cause, factor, words) for the numbers of rows, columns and entries."""
    named = [("rows", shape[0]), ("columns", shape[-1])] if len(shape) == 2 else []
    named += [] if len(shape) == 2 else [(f"entries of axis {k}", size) for k, size in enumerate(shape[:-1])]
    for name, size in [*named, ("entries", math.prod(shape))]:
        if size > 2:
            yield "mean against sum", float(size), f"there are {size} {name}"
            yield "mean against sum", 1 / size, f"there are {size} {name}"


def _close(factor, value, doubt):
    return abs(factor - value) <= 2 * doubt * abs(value)


def _times(factor):
    """Say in words by what factor entries are wrong."""
    size = abs(factor)
    simple = Fraction(size).limit_denominator(100) if 0.01 < size < 1e6 else Fraction(0)
    text = str(simple) if simple and abs(float(simple) - size) <= LIKE * size else f"{size:.6g}"
    minus = "−" if factor < 0 else ""
    if factor < 0 or ("/" in text and size > 1):
        return f"{minus}{text} times what is expected"
    if size > 1:
        return f"{text} times too large"
    inverse = round(1 / size) if size > 1e-6 else 0
    if abs(inverse * size - 1) <= LIKE:
        return f"{inverse} times too small"
    return f"{text} times what is expected"


def _transpose(pair, context, earlier):
    """Two axes are swapped."""
    shape = pair.came.shape
    for a in range(len(shape)):
        for b in range(a + 1, len(shape)):
            if shape[a] == shape[b] > 1 and pair.like(np.swapaxes(pair.expected, a, b)):
                axes = "" if len(shape) == 2 else f" in the axes {a} and {b}"
                return "transpose", f"what came is the transpose of what is expected{axes}"
    return None


def _earlier(pair, context, earlier):
    """It belongs to an earlier call, or is added to what that left."""
    for before in earlier:
        if before.shape != pair.came.shape or not np.isfinite(before).all():
            continue
        if pair.like(before):
            return "stale", "what came belongs to the arguments of an earlier call"
        if before.any() and pair.like(pair.expected + before):
            return "accumulated", "what came is what is expected, and what an earlier call gave, added"
    return None


def _constant(pair, context, earlier):
    """Every entry is off by the same number."""
    if pair.told.sum() < 2 or not pair.wrong[pair.told].all():
        return None
    apart = float(np.mean((pair.came - pair.expected)[pair.told]))
    flat = np.ptp(pair.expected[pair.told]) <= LIKE * pair.size
    if not flat and pair.like(pair.expected + apart):
        return "constant", f"every entry is {abs(apart):.6g} too {'large' if apart > 0 else 'small'}"
    return None


def _order(pair, context, earlier):
    """The right entries stand at the wrong places."""
    for axis, size in enumerate(pair.came.shape):
        if size > 1 and pair.like(np.flip(pair.expected, axis)):
            return "order", f"the entries are reversed along axis {axis}"
        for by in range(1, size if size < 50 else 0):
            if pair.like(np.roll(pair.expected, by, axis)):
                return "order", f"the entries are rolled by {min(by, by - size, key=abs)} along axis {axis}"
    if pair.wrong.sum() < 2 or not pair.told.all():
        return None
    came, expected = np.sort(pair.came[pair.wrong]), np.sort(pair.expected[pair.wrong])
    bound = pair.bound.max()
    if np.all(np.abs(came - expected) <= bound + LIKE * pair.size) and bound <= MOST_DOUBT * pair.size:
        return "order", f"{_share(pair.wrong, pair.told)} right, but stand at wrong places".replace(
            " is ", " are "
        )
    return None


def _listed(earlier):
    """Return earlier results as a list of arrays."""
    if earlier is None:
        return []
    arrays = earlier if isinstance(earlier, list | tuple) else [earlier]
    return [np.asarray(array, np.float64) for array in arrays]


def _share(wrong, told=None):
    """Say how many entries: "every entry is", "3 of 6 entries are"."""
    count, every = int(wrong.sum()), int(wrong.size if told is None else told.sum())
    if count == every:
        return "every entry is" if every > 1 else "the entry is"
    return f"{count} of {every} entries {'is' if count == 1 else 'are'}"
