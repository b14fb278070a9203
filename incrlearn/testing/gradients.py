"""Gradients of functions, checked against their values. NumPy only.

A right answer needs a few values of the function for each coordinate. A wrong one is looked at again, with
every length of step, before it is called wrong.
"""

from dataclasses import replace

import numpy as np

from .. import _checks
from .blame import likely_cause
from .derivatives import EPSILON, NARROW, Around, quiet, slope_of_sum
from .failure import Checked, Failure, Untold, shown

MOST_UNTOLD = 1e-2  # a bound above this share of the largest entry tells nothing
LEAST = 1e-9  # … unless it is below this
ENOUGH = 12  # entries that are proven wrong with all steps, before a few steps do for the others
SMALLEST = float(np.finfo(np.float32).smallest_normal)  # what is below it float32 holds with fewer digits
NOTHING = 1e-12  # a gradient of this size is 0, where the rounding of x alone moves it as far
NEIGHBOURS, NEAR = 12, 1e-5  # points beside a kink, where the gradient may be what came at it
LOOKS = 5  # so many of these are looked at whose gradient is the same
SAMPLE = 2000  # most entries that are looked at to find the cause


def check_gradient(
    function, x, *, tolerance=1e-6, context=None, rng=None, directions=20, entries=200, earlier=None,
    suspects=None, blocks=None, name="∂f/∂x",
):  # fmt: skip
    """Raise a Failure unless a function's gradient is the derivative of its value.

        |gⱼ − ∂f/∂xⱼ| ≤ bound + tolerance · maxₖ |∂f/∂xₖ|

    The derivative and its bound come from values of the function alone: see `derivative`. At a kink, gⱼ must
    lie between the one-sided derivatives. The function must not change x, and not depend on earlier calls.

    Parameters
    ----------
    function : callable
        function(x) returns (value, gradient), the gradient of the shape of x, in floats.
    x : array_like
        Where to look. If it is float32, the function is compared with itself in float32, too.
    tolerance : float
        How far the two may differ, relative to the largest entry of the gradient. A function that computes
        in float32 is allowed a few hundred of its roundings.
    context : dict of str to float, optional
        Numbers that may have been forgotten or doubled, such as {"n": 6, "T": 2.0}: for the likely cause.
    rng : numpy.random.Generator, optional
        Where random directions come from; default_rng(0) if left out.
    directions : int
        How many of them are looked along where x has more than `entries` entries.
    entries : int
        So many entries at most are looked at one by one.
    earlier : array_like, optional
        A gradient of an earlier call: for the likely cause.
    suspects : dict, optional
        Gradients that known mistakes would have given: see `likely_cause`.
    blocks : dict of str to slice or array of int, optional
        Names of parts of x.ravel(), such as {"W": slice(0, 6), "b": slice(6, 8)}.
    name : str
        What the gradient is called in a Failure.

    Returns
    -------
    Checked

    Raises
    ------
    Failure
        If it is wrong: where, what came, what was expected, and the likely cause.
    Untold
        If the function is so rough or noisy everywhere that nothing can be told.
    TypeError, ValueError
        If an argument is not what is asked for.

    Examples
    --------
    >>> check_gradient(lambda x: (np.sum(x**3), 3 * x**2), [1.0, -2.0])  # doctest: +ELLIPSIS
    Checked(2 entries by complex step, ...)
    >>> check_gradient(lambda x: (np.sum(x**3), x**2), [1.0, -2.0], context={"n": 3})
    Traceback (most recent call last):
    incrlearn.testing.failure.Failure: the gradient ∂f/∂x at [1] is 4, but must be 12 ± 1e-5
    2 of 2 entries are wrong
    likely cause: mean against sum — every entry is 3 times too small, and n = 3
    """
    given = _checks.finite("x", _checks.real_array("x", x))
    tolerance, rng, directions, entries = checked_options(tolerance, rng, directions, entries)
    x = np.array(given, np.float64)
    calls = _Calls(function, x, name)
    told = {"context": context, "suspects": suspects, "blocks": blocks, "name": name}
    told["earlier"] = calls.earlier + ([] if earlier is None else [np.asarray(earlier)])
    checked = _of_calls(calls, told, tolerance, entries, directions, rng)
    if given.dtype == np.float32:
        _in_float32(function, given, calls, name)
    return checked


def checked_options(tolerance, rng, directions, entries):
    """Return what checks of derivatives are told beside a function and x, each refused if it is not that."""
    rng = np.random.default_rng(0) if rng is None else _checks.generator("rng", rng)
    directions, entries = _checks.count("directions", directions), _checks.count("entries", entries)
    return _checks.positive("tolerance", tolerance), rng, directions, entries


def compare(name, came, expected, bound=0.0, *, tolerance=1e-6, context=None, earlier=None, suspects=None,
            blocks=None):  # fmt: skip
    """Raise a Failure, with its likely cause, unless an array is what is expected.

        |came − expected| ≤ bound + tolerance · max |expected|

    Parameters
    ----------
    name : str
        What the array is, such as "∂L/∂W".
    came, expected : array_like
    bound : float or array_like
        How far each expected entry may be off; infinite where it is not known.
    tolerance : float
    context, earlier, suspects
        For the likely cause: see `likely_cause`.
    blocks : dict of str to slice or array of int, optional
        Names of parts of came.ravel().

    Returns
    -------
    Checked

    Raises
    ------
    Failure
        If the shapes or an entry differ.

    Examples
    --------
    >>> compare("y", [1.0, 2.0], [1.0, 4.0])
    Traceback (most recent call last):
    incrlearn.testing.failure.Failure: y at [1] is 2, but must be 4 ± 4e-6
    1 of 2 entries is wrong
    likely cause: factor 2 — one entry is half what is expected
    """
    came, expected = np.asarray(came), np.asarray(expected)
    cause, hint = likely_cause(came, expected, bound, context=context, earlier=earlier, suspects=suspects)
    if came.shape != expected.shape:
        said = f"{_subject(name)} has shape {came.shape}, but must have {expected.shape}"
        raise Failure(name, cause=cause or "shape", hint=hint, said=said)
    if came.dtype.kind not in "biuf":
        said = f"{_subject(name)} has dtype {came.dtype}, but must hold real numbers"
        raise Failure(name, cause="dtype", said=said)
    places = list(np.ndindex(came.shape))
    came, expected = came.ravel().astype(np.float64), expected.ravel().astype(np.float64)
    bound = np.broadcast_to(bound, np.shape(expected)) if np.ndim(bound) == 0 else np.ravel(bound)
    wrong, scale = wrong_entries(came, expected, bound, tolerance)
    if not wrong.any():
        error = np.abs(came - expected)[np.isfinite(bound)].max(initial=0.0)
        return Checked(entries=len(places), worst=float(error / scale) if scale else float(error))
    worst = _worst(wrong, came, expected, bound)
    block, parts = _blocks(blocks, wrong)
    raise Failure(name, place=places[worst], came=float(came[worst]), expected=float(expected[worst]),
                  bound=float(bound[worst] + tolerance * scale), cause=cause, hint=hint, block=block,
                  extent=_extent(wrong, parts))  # fmt: skip


def _of_calls(calls, told, tolerance, entries, directions, rng):
    calls.refuse_state()
    around = Around(calls.value_at, calls.x)
    epsilon = max(around.rounding, calls.epsilon)
    if epsilon > EPSILON:  # float32 inside
        tolerance = max(tolerance, 200 * epsilon)
    judge = _Judge(around, calls, tolerance, told)
    if calls.x.size <= entries:
        return judge.one_by_one()
    return judge.along(directions, entries, rng)


class _Calls:
    """A function that returns (value, gradient), called a few times to see whether it keeps its word."""

    def __init__(self, function, x, name):
        self.function, self.x, self.name = function, x, name
        self.earlier = self._elsewhere()
        kept = x.copy()
        self.value, self.gradient = self._told(function(kept))
        if not np.array_equal(kept, x):
            raise Failure("x", cause="modified", said="the function changes its argument x in place")

    def value_at(self, x):
        """Return the function's value alone."""
        return self.function(x)[0]

    def terms_at(self, x):
        """Return the array whose sum the value is, where the function tells it, or None."""
        return getattr(self.function(x.copy()), "terms", None)

    def gradient_at(self, x):
        """Return the function's gradient alone, or NaN where it refuses."""
        try:
            gradient = np.asarray(self.function(x.copy())[1], np.float64)
        except (ArithmeticError, AssertionError, ValueError):
            gradient = np.array(np.nan)
        return gradient if gradient.shape == self.x.shape else np.full(self.x.shape, np.nan)

    def _elsewhere(self):
        """Call the function at another point first: what it keeps from there must not come back at x."""
        self.other = other = np.flip(self.x) * np.linspace(0.7, 1.4, self.x.size).reshape(self.x.shape)
        try:
            with quiet():
                gradient = self.gradient_at(other).copy()
        except Exception:  # nobody asked for this point: what is wrong shows at x
            return []
        return [gradient] if np.isfinite(gradient).all() else []

    def _told(self, answer):
        """Return (value, gradient) as a float and a copied array, or say what is wrong with their kinds."""
        if not isinstance(answer, tuple | list) or len(answer) != 2:
            raise TypeError(f"function(x) must return (value, gradient), got {type(answer).__name__}")
        value, gradient = np.asarray(answer[0]), np.array(answer[1])
        if value.size != 1:
            said = f"the value has shape {value.shape}, but must be one number: was a sum forgotten?"
            raise Failure("f(x)", cause="shape", said=said)
        for what, array in (("f(x)", value), (self.name, gradient)):
            if array.dtype.kind not in "biuf":
                said = f"{what} has dtype {array.dtype}, but must hold real numbers"
                raise Failure(what, cause="dtype", said=said)
        if getattr(answer[1], "dtype", np.dtype(float)).kind in "biu":  # right at this x, by chance
            said = f"{self.name} has dtype {gradient.dtype}, but must have {np.dtype(np.float64)}"
            hint = "an array of whole numbers loses what is behind the point, without a word"
            raise Failure(self.name, cause="dtype", said=said, hint=hint)
        if not np.isfinite(value).all():
            said = f"the value at x is {value.item()}: no gradient can be compared with it"
            raise Failure("f(x)", came=float(value.item()), cause="not a number", said=said)
        self.epsilon = _rounding_of(gradient)
        return float(value.item()), gradient.astype(np.float64)

    def refuse_state(self):
        """Call the function at x again: the same must come."""
        value, again = self._told(self.function(self.x.copy()))
        slack = 1e-9 if self.epsilon == EPSILON else 1e-3
        if not np.isclose(value, self.value, rtol=slack, atol=slack * min(1.0, abs(self.value)) + 1e-14):
            said = (
                f"a second call at the same x returns the value {shown(value)}, the first {shown(self.value)}"
            )
            raise Failure("f(x)", came=value, expected=self.value, cause="state", said=said)
        if again.shape != self.gradient.shape:
            shapes = f"{self.gradient.shape} in the first call at x, {again.shape} in the second"
            said = f"{self.name} has shape {shapes}"
            raise Failure(self.name, cause="state", said=said)
        size = np.abs(self.gradient[np.isfinite(self.gradient)]).max(initial=0.0)
        same = np.isclose(again, self.gradient, rtol=slack, atol=slack * size + 1e-14, equal_nan=True)
        if not same.all():
            raise self._state_failure(again, same)

    def _state_failure(self, again, same):
        """Say which way a gradient depends on an earlier call."""
        place = tuple(int(i) for i in np.argwhere(~same)[0])
        cause, hint = "state", None
        for earlier in self.earlier:
            # if it adds up: g₁ = e + g, g₂ = e + 2 g
            if np.allclose(again - self.gradient, self.gradient - earlier, rtol=1e-6, atol=1e-12):
                cause, hint = "accumulated", "each call adds to what the calls before it left"
            elif np.allclose(self.gradient, earlier, rtol=1e-9, atol=0):
                cause, hint = (
                    "stale",
                    "the first call at x returns the gradient of the call before it",
                )
        if cause == "state" and again.any() and np.allclose(again, 2 * self.gradient, rtol=1e-9):
            cause, hint = "accumulated", "the second call returns twice what the first one did"
        said = (
            f"{self.name} at {list(place)} is {shown(self.gradient[place])} in the first call at x, "
            f"{shown(again[place])} in the second"
        )
        return Failure(self.name, place=place, came=float(again[place]), expected=float(self.gradient[place]),
                       cause=cause, hint=hint, said=said)  # fmt: skip


class _Judge:
    """Compares a gradient with slopes of the value."""

    def __init__(self, around, calls, tolerance, told):
        self.around, self.calls, self.x, self.came = around, calls, calls.x, calls.gradient
        self.tolerance, self.told = tolerance, told
        if self.came.shape != self.x.shape:
            self._refuse_shape()
        self.floor, self.near = self._rounding()

    def _rounding(self):
        """Return what rounding may leave in each entry: of numbers that cancel, and of x."""
        epsilon = max(self.around.rounding, self.calls.epsilon)
        floor = 16 * epsilon * self.around.natural_slope()
        if epsilon > EPSILON:  # float32 inside
            floor += SMALLEST
        rng = np.random.default_rng(1)
        near = np.zeros_like(self.x)
        # by turns first: what is moved alike may cancel, and random signs of two are alike half the time
        turns = np.where(np.arange(self.x.size) % 2, 1, -1).reshape(self.x.shape)
        with quiet():
            for signs in (turns, *rng.choice([-1, 1], size=(3, *self.x.shape))):
                moved = self.x * (1 + epsilon * signs)
                near = np.fmax(near, np.abs(self.calls.gradient_at(moved) - self.came))
        return floor, np.where(np.isfinite(near), 2 * near, 0.0)

    def slopes(self, places):
        """Return a Slope for each coordinate, a quick one where it agrees with what came."""
        quick = [self.quick(self.unit(place)) for place in places]
        sure = [abs(s.value) for s in quick if s.bound <= 0.1 * abs(s.value)]
        scale = max(sure, default=0.0)
        found, wrong = [], 0
        for place, slope in zip(places, quick, strict=True):
            slack = self.tolerance * scale + self.floor
            bends = abs(slope.right - slope.left) > 1e-3 * scale
            agrees = slope.bound <= slack and slope.allows(self.came[place], slack)
            if (not agrees or bends) and wrong < ENOUGH:
                slope = self.slope(place, slack + self._near(place, scale), excuse=not wrong)
                wrong += not slope.allows(self.came[place], slack + self._near(place, scale))
            elif not agrees and slope.bound > 1e-3 * abs(slope.value):
                slope = replace(slope, bound=np.inf)  # too weak to accuse
            found.append(slope)
        return found

    def slope(self, place, slack, excuse):
        """Return a Slope from steps of every length; at a kink a wider one if only that allows what came."""
        direction, came = self.unit(place), self.came[place]
        slope = self.around.slope(direction)
        if slope.allows(came, slack) or not np.isfinite(came):
            return slope
        if self.calls.terms_at(self.x) is not None:
            slope = slope_of_sum(self.calls.terms_at, self.x, direction) or slope
        if slope.allows(came, slack) or not excuse:
            return slope
        return self._with_neighbours(place, slope, slack)

    def _with_neighbours(self, place, slope, slack):
        """Return a Slope that allows what came, if a gradient near x, and right there, is the same.

        So it is where three numbers tie for the second place: each of them alone moves without any effect.
        """
        came, alike = self.came[place], 100 * slack + 1e-4 * abs(self.came[place])
        looks = 0
        for x in self._neighbours():
            with quiet():
                own = self.calls.gradient_at(x)[place]
            if not abs(own - came) <= alike:
                continue
            there = Around(self.calls.value_at, x).slope(self.unit(place))
            if np.isfinite(there.bound) and there.allows(own, slack):
                sides = slope.left, slope.right, came
                return replace(slope, left=min(sides), right=max(sides), side_bound=there.bound, kink=True)
            looks += 1
            if looks == LOOKS:
                break
        return slope

    def _neighbours(self):
        """Yield points near x: the first with its tiny numbers made larger in order, the others by chance."""
        tiny, rng = (self.x != 0) & (np.abs(self.x) < NEAR), np.random.default_rng(3)
        if tiny.any():
            ranks = np.unique(-np.abs(self.x[tiny]), return_inverse=True)[1].ravel()
            enlarged = self.x.copy()
            enlarged[tiny] = np.sign(self.x[tiny]) * NEAR * 4.0**-ranks
            enlarged[tiny] *= 1 + 1e-3 * rng.uniform(-1, 1, ranks.shape)  # what ties ties no more
            yield enlarged
        for _ in range(NEIGHBOURS):
            for size in (np.abs(self.x), np.abs(self.x).max(initial=0.0)):
                yield self.x + NEAR * np.maximum(1.0, size) * rng.uniform(-1, 1, self.x.shape)

    def quick(self, direction, slack=0.0):
        """Return the first quick slope that is narrow enough to agree with."""
        for step in (1e-3, 1e-4, 1e-5):
            slope = self.around.quick(direction, step)
            if slope.bound <= max(slack, self.tolerance * abs(slope.value) / 10):
                break
        return slope

    def _near(self, place, scale):
        """Return how far an entry may be off because x is rounded, but no more than little."""
        return min(self.near[place], self._little(scale))

    def _little(self, scale):
        """Return how far the rounding of x may take a gradient whose largest entry is known."""
        return max(max(1e-5, self.tolerance) * scale, NOTHING)

    def unit(self, place):
        """Return the direction of one coordinate."""
        direction = np.zeros_like(self.x)
        direction[place] = 1.0
        return direction

    def one_by_one(self):
        """Compare every entry."""
        places = list(np.ndindex(self.x.shape))
        slopes = self.slopes(places)
        return self.compare(places, slopes)

    def compare(self, places, slopes):
        """Return a Checked, or raise a Failure about entries whose slopes are known."""
        came = np.array([self.came[place] for place in places])
        expected, bound, kinks = expected_at(slopes, came)
        flat = np.array([slope.flat for slope in slopes], bool)
        sizes = np.array([max(abs(slope.left), abs(slope.right)) for slope in slopes], np.float64)
        scale = np.max(sizes[_knows(sizes, bound, flat)], initial=0.0)
        limit = bound + self.floor + np.array([self._near(place, scale) for place in places], np.float64)
        # in float32, numbers of x's size that cancel make a function flat
        limit += flat * NARROW * min(np.abs(self.x).max(initial=0.0), 1e3)
        untold = ~np.isfinite(limit) | (limit > max(MOST_UNTOLD * scale, LEAST)) & ~(
            flat & (np.abs(came) < 1e-6)
        )
        with np.errstate(invalid="ignore"):
            wrong = ~(np.abs(came - expected) <= limit + self.tolerance * scale)
        wrong &= np.isfinite(limit) | np.isnan(came)
        if wrong.any():
            raise self._failure(places, slopes, wrong, came, expected, limit, kinks, self.tolerance * scale)
        if places and untold.all():
            raise _untold(self.told["name"], len(places))
        error = np.abs(came - expected)[~untold].max(initial=0.0)
        how = "complex step" if all(s.how == "complex step" for s in slopes) else "differences"
        return Checked(entries=len(places), kinks=tuple(p for p, k in zip(places, kinks, strict=True) if k),
                       how=how if places else "", worst=float(error / scale) if scale else float(error),
                       untold=int(untold.sum()))  # fmt: skip

    def _failure(self, places, slopes, wrong, came, expected, bound, kinks, slack):
        """Return the Failure for entries of which some are wrong."""
        full = len(places) == self.x.size
        shape = self.x.shape if full else (len(places),)
        at_kinks = wrong & kinks
        use = np.where(kinks & wrong & (wrong & ~kinks).any(), np.inf, bound)
        cause, hint = likely_cause(
            came.reshape(shape), expected.reshape(shape), use.reshape(shape), context=self.told["context"],
            earlier=self._believed(self.told["earlier"]) if full else None,
            suspects=self.told["suspects"] if full else None,
        )  # fmt: skip
        worst = _worst(wrong, came, expected, bound)
        everywhere = np.zeros(self.x.shape, bool)
        everywhere[tuple(np.transpose([place for place, bad in zip(places, wrong, strict=True) if bad]))] = (
            True
        )
        block, parts = _blocks(self.told["blocks"], everywhere.ravel())
        said = None
        if np.isnan(came[worst]):
            cause = cause or "not a number"
        elif at_kinks[worst]:
            cause = cause if (wrong & ~kinks).any() else "kink"
            hint = hint if cause != "kink" else None
            low, high = sorted((slopes[worst].left, slopes[worst].right))
            subject = f"the gradient {self.told['name']} at {list(places[worst])} is {shown(came[worst])}"
            said = f"{subject}, but there is a kink: it must lie between {low:.6g} and {high:.6g}"
        return Failure(self.told["name"], place=tuple(map(int, places[worst])), came=float(came[worst]),
                       expected=float(expected[worst]), bound=float(bound[worst] + slack), cause=cause,
                       hint=hint, block=block, said=said, extent=_extent(wrong, parts))  # fmt: skip

    def _believed(self, earlier):
        """Return those gradients of an earlier call that may be blamed: those that are right there."""
        if not self.calls.earlier:
            return earlier
        mine, others = earlier[:1], earlier[1:]
        there = Around(self.calls.value_at, self.calls.other)
        for place in list(np.ndindex(self.x.shape))[:ENOUGH]:
            if not there.quick(self.unit(place)).allows(mine[0][place], 1e-4 * np.abs(mine[0]).max()):
                return others
        return earlier

    def _refuse_shape(self):
        """Raise the Failure for a gradient of a wrong shape, with what it should have been."""
        expected = np.full(self.x.shape, np.nan)
        if self.x.size <= SAMPLE:
            slopes = [self.around.quick(self.unit(place)) for place in np.ndindex(self.x.shape)]
            expected = np.array([slope.value for slope in slopes]).reshape(self.x.shape)
            bound = np.array([slope.bound for slope in slopes]).reshape(self.x.shape)
        cause, hint = likely_cause(
            self.came, expected, bound if self.x.size <= SAMPLE else 0.0, suspects=self.told["suspects"]
        )
        said = f"the gradient {self.told['name']} has shape {self.came.shape}, but must have {self.x.shape}"
        raise Failure(self.told["name"], cause=cause or "shape", hint=hint, said=said)

    def along(self, directions, entries, rng):
        """Compare slopes along random directions; find the entry where one is wrong by halving."""
        if not np.isfinite(self.came).all():
            places = [tuple(place) for place in np.argwhere(~np.isfinite(self.came))[:entries]]
            return self.compare(places, self.slopes(places))
        everywhere = np.arange(self.x.size)
        scale = np.abs(self.came).max()
        worst, untold, hows = 0.0, 0, []
        for _ in range(directions):
            weights = rng.normal(size=self.x.size)
            slope, error, limit = self._part(everywhere, weights, scale)
            if error > limit:
                looked = self._accuse(everywhere, weights, scale, entries, rng)
                if looked.entries == self.x.size:
                    return looked
                limit = np.inf
            told_it = limit <= max(MOST_UNTOLD * max(scale, abs(slope.value)), LEAST)
            worst = max(worst, error / scale if scale and told_it else 0.0)
            untold += not told_it
            hows.append(slope.how)
        if untold == directions:
            raise _untold(self.told["name"], self.x.size)
        how = "complex step" if set(hows) == {"complex step"} else "differences"
        return Checked(directions=directions, how=how, worst=float(worst), untold=untold)

    def _part(self, part, weights, scale):
        """Return the slope along a direction within some coordinates, its error, and what that may be."""
        direction = np.zeros(self.x.size)
        direction[part] = weights[part]
        came = float(self.came.ravel() @ direction)
        size = np.abs(direction)
        rounding = max(self.calls.epsilon, self.around.rounding) * float(np.abs(self.came.ravel()) @ size)
        near = min(float(self.near.ravel() @ size), self._little(scale))
        slack = self.tolerance * scale + rounding + self.floor * np.sqrt(np.sum(size**2)) + near
        direction = direction.reshape(self.x.shape)
        slope = self.quick(direction, slack)
        bends = abs(slope.right - slope.left) > 1e-3 * max(abs(came), scale)
        if bends or slope.bound > slack or not slope.allows(came, slack):
            slope = self.around.slope(direction)
        low, high = slope.interval()
        error = max(low - came, came - high, 0.0) if np.isfinite(slope.bound) else 0.0
        return slope, error, slack if np.isfinite(slope.bound) else np.inf

    def _accuse(self, part, weights, scale, entries, rng):
        """Halve a wrong direction down to an entry, look at it and others: at kinks all may be right."""
        while len(part) > 1:
            halves = np.array_split(part, 2)
            found = [self._part(half, weights, scale)[1:] for half in halves]
            excess = [error - limit if np.isfinite(limit) else -np.inf for error, limit in found]
            if max(excess) <= 0:
                break  # each half is right by itself, within its bound
            part = halves[int(np.argmax(excess))]
        if self.x.size <= SAMPLE:
            looked = np.arange(self.x.size)
        else:
            beside = np.clip(part[0] + np.arange(-entries // 4, entries // 4), 0, self.x.size - 1)
            looked = np.unique([*part[:entries], *beside, *rng.integers(self.x.size, size=entries // 2)])
        places = [tuple(map(int, np.unravel_index(j, self.x.shape))) for j in looked]
        try:
            return self.compare(places, self.slopes(places))
        except Failure as failure:
            if len(looked) < self.x.size:
                failure.extent = f"{failure.extent}, of those looked at; there are {self.x.size}"
            raise


def _in_float32(function, given, calls, name):
    """Raise a Failure unless the gradient at a float32 x is the float64 one, but for rounding."""
    with quiet():
        came = np.asarray(function(given.copy())[1], np.float64)
    epsilon = float(np.finfo(np.float32).eps)
    steep = Around(calls.value_at, calls.x).natural_slope()
    size = np.abs(calls.gradient).max(initial=0.0)
    if came.shape != calls.gradient.shape or max(size, np.abs(calls.x).max(initial=0.0)) > 1e18:
        return  # what float32 cannot hold
    rng, near = np.random.default_rng(2), np.zeros_like(calls.x)
    with quiet():
        for _ in range(4):
            moved = calls.x * (1 + epsilon * rng.choice([-1, 1], size=calls.x.shape))
            near = np.fmax(near, np.abs(calls.gradient_at(moved) - calls.gradient))
    bound = 8 * near + 16 * epsilon * min(1.0, abs(calls.value)) + 4 * epsilon * steep + 1e-30
    wrong, _ = wrong_entries(came, calls.gradient, bound, 200 * epsilon)
    if wrong.any():
        place = tuple(int(i) for i in np.argwhere(wrong)[0])
        raise Failure(f"{name} in float32", place=place, came=float(came[place]), bound=float(bound[place]),
                      expected=float(calls.gradient[place]), cause="precision")  # fmt: skip


def _rounding_of(gradient):
    """Return the relative rounding of an array: that of float32 also where it was only computed in it."""
    if gradient.dtype == np.float16:
        return float(np.finfo(np.float16).eps)
    with quiet():
        kept = gradient.astype(np.float32)
    narrow = gradient.dtype == np.float32 or (np.unique(kept).size > 2 and np.array_equal(kept, gradient))
    return float(np.finfo(np.float32).eps) if narrow else EPSILON


def expected_at(slopes, came):
    """Return expected numbers, their bounds, and where there are kinks: there, the nearest number allowed."""
    expected = np.array([slope.value for slope in slopes], np.float64)
    bound = np.array([slope.bound for slope in slopes], np.float64)
    kinks = np.array([slope.kink for slope in slopes], bool)
    for j in np.flatnonzero(kinks):
        low, high = sorted((slopes[j].left, slopes[j].right))
        expected[j], bound[j] = np.clip(came[j], low, high), slopes[j].side_bound
    return expected, bound, kinks


def _knows(expected, bound, flat):
    """Say for which entries the size is known."""
    return flat | (bound <= 0.1 * np.abs(expected))


def wrong_entries(came, expected, bound, tolerance):
    """Return which entries are wrong, and the size of the largest that is expected."""
    known = np.isfinite(bound) & np.isfinite(expected)
    scale = np.abs(expected[known]).max(initial=0.0)
    with np.errstate(invalid="ignore"):
        return known & ~(np.abs(came - expected) <= bound + tolerance * scale), scale


def _worst(wrong, came, expected, bound):
    """Return the place of the worst wrong entry: the largest error, or what is not a number."""
    with np.errstate(invalid="ignore"):
        error = np.where(wrong, np.abs(came - expected) - np.where(np.isfinite(bound), bound, 0), -1.0)
    return int(np.argmax(np.where(np.isnan(error), np.inf, error)))


def _extent(wrong, parts=""):
    """Say how many entries are wrong, and in which parts."""
    count = int(wrong.sum())
    return (
        f"{count} of {wrong.size} entries {'is' if count == 1 else 'are'} wrong{parts}"
        if wrong.size > 1
        else None
    )


def _blocks(blocks, wrong):
    """Return the name of the worst part, and a text that says which parts are wrong and which are right."""
    bad = {name: int(wrong[part].sum()) for name, part in (blocks or {}).items()}
    if not any(bad.values()):
        return None, ""
    worst = max(bad, key=bad.get)
    good = [name for name, count in bad.items() if not count]
    text = f", in {' and '.join(name for name, count in bad.items() if count)}"
    return worst, text + (f"; {' and '.join(good)} {'is' if len(good) == 1 else 'are'} right" if good else "")


def _subject(name):
    return f"the gradient {name}" if "∂" in name else name


def _untold(name, count):
    """Return the failure of a check that could not check anything."""
    said = (f"nothing can be told about {name}: the function is too rough, or its values too noisy, "
            "for differences of any step")  # fmt: skip
    return Untold(name, said=said, extent=f"{count} entries were looked at")
