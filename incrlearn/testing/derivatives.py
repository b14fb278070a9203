"""Numerical derivatives that know how far they may be off, and say where a function has a kink. NumPy only.

A difference is wrong for two reasons: its step is too long for the function's bends, or too short for the
function's rounding. So several steps are taken, each with half of it; what they disagree by bounds the first,
the noise that is seen in the values bounds the second, and the step with the smallest bound wins.
"""

import warnings
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np

from .. import _checks

#: relative to the size of x; the longest is for straight lines, the shortest are almost swallowed by rounding
STEPS = tuple(10.0**-k for k in range(8))
SHORTEST = tuple(10.0**-k for k in range(8, 13))
QUICK = 1e-3
CONFIRMED = 1e-6  # differences must confirm six digits of a complex step
EPSILON = float(np.finfo(np.float64).eps)
NARROW = float(np.finfo(np.float32).eps)
TINY = float(np.finfo(np.float64).smallest_subnormal)


@dataclass(frozen=True)
class Slope:
    """A derivative along a direction, and how far it may be off.

    Parameters
    ----------
    value, bound : float
        The derivative is value ± bound; the bound is infinite where nothing can be told.
    left, right, side_bound : float
        The one-sided derivatives, each ± side_bound.
    kink : bool
        Whether they differ by more than their bounds.
    how : str
        "complex step" or "differences".
    flat : bool
        Whether the function had the very same value at every step.

    Examples
    --------
    >>> Slope(2.0, 1e-9, 2.0, 2.0, 1e-6, False, "differences").allows(2.0)
    True
    """

    value: float
    bound: float
    left: float
    right: float
    side_bound: float
    kink: bool
    how: str
    flat: bool = False

    def interval(self):
        """Return the lowest and the highest number that a right gradient may have here."""
        if not np.isfinite(self.bound):
            return -np.inf, np.inf
        if not self.kink:
            return self.value - self.bound, self.value + self.bound
        low, high = sorted((self.left, self.right))
        return low - self.side_bound, high + self.side_bound

    def allows(self, slope, slack=0.0):
        """Say whether a number may be the derivative, or lies between the one-sided ones of a kink."""
        low, high = self.interval()
        return bool(low - slack <= slope <= high + slack)


def derivative(function, x, direction):
    """Return the derivative of a function along a direction, with a bound of its error.

        Im f(x + i t d) / t,  t = 10⁻²⁰           where f takes complex numbers, and rightly
        R = (4 D(t/2) − D(t)) / 3,  D(t) = (f(x + t d) − f(x − t d)) / 2t                  otherwise
        bound = 3 |D(t/2) − D(t)| + 3/t · noise of f + what R differs by from shorter steps + |kink| / 2
        kink = 2 K(t/2) − K(t),  K(t) = (f(x + t d) + f(x − t d) − 2 f(x)) / t

    Steps of many lengths are tried, and the one with the smallest bound wins. A kink that is larger than its
    own bound is told as one; a smaller one may hide in the noise, and is part of the bound.

    Parameters
    ----------
    function : callable
        function(x) returns a number.
    x : array_like
        Where, in float64.
    direction : array_like
        d, of the shape of x.

    Returns
    -------
    Slope

    Raises
    ------
    TypeError, ValueError
        If x and the direction are not finite real arrays of one shape.

    References
    ----------
    Squire & Trapp, SIAM Review 40, 1998 (complex step); Ridders, Advances in Engineering Software 4, 1982
    (extrapolation with an error bound).

    Examples
    --------
    >>> slope = derivative(lambda x: float(np.sum(np.abs(x))), [0.0, 3.0], [1.0, 0.0])
    >>> slope.kink, round(slope.left, 6), round(slope.right, 6)
    (True, -1.0, 1.0)
    """
    x = _checks.finite("x", _checks.real_array("x", x)).astype(np.float64)
    direction = _checks.finite("direction", _checks.real_array("direction", direction)).astype(np.float64)
    _checks.same_shape("direction", direction, "x", x)
    return Around(function, x).slope(direction)


def slope_of_sum(terms, x, direction):
    """Return the Slope of a sum whose terms have a kink each, or None where none of them has.

        left, right = Σₖ min(leftₖ, rightₖ), Σₖ max(leftₖ, rightₖ)

    A right gradient chooses for each term by itself: |x| − |x| is 0, and yet 2 = 1 + 1 is a choice.

    Parameters
    ----------
    terms : callable
        terms(x) returns an array, the sum of which is the function.
    x, direction : ndarray of float64

    Returns
    -------
    Slope or None
    """
    bent = _bent(terms, x, direction)
    if not bent.any():
        return None
    functions = [lambda x, k=k: terms(x).flat[k] for k in np.flatnonzero(bent)]
    functions.append(lambda x: np.sum(terms(x)[~bent]))
    slopes = [Around(function, x).slope(direction) for function in functions]
    sides = np.sort([(slope.left, slope.right) for slope in slopes], axis=1).sum(axis=0)
    bounds = np.sum([(slope.bound, slope.side_bound) for slope in slopes], axis=0)
    kink = any(slope.kink for slope in slopes)
    return Slope(float(sides.mean()), *map(float, (bounds[0], *sides, bounds[1])), kink, "differences")


def _bent(terms, x, direction):
    """Say of which terms the slopes on both sides differ, and do so no less at a shorter step."""
    with quiet():
        at, step = terms(x), 1e-4 * _sizes(x, direction)[0]
        far, near = (
            np.abs(terms(x + t * direction) + terms(x - t * direction) - 2 * at) / t
            for t in (step, step / 10)
        )
        return (near > 0.5 * far) & (near > 1e3 * EPSILON * np.abs(at).max(initial=0.0) / step)


class Around:
    """A function around one point: its noise there, and its slopes along directions.

    Parameters
    ----------
    function : callable
        function(x) returns a number.
    x : ndarray of float64
        The point. The function is handed copies.

    Examples
    --------
    >>> around = Around(lambda x: float(x[0] ** 2), np.array([3.0]))
    >>> round(around.quick(np.array([1.0])).value, 6)
    6.0
    """

    def __init__(self, function, x):
        self.function, self.x = function, np.asarray(x)  # the sum of 0-d arrays is a number
        self.takes_complex, self.dtype = True, np.dtype(np.float64)
        with quiet():
            self.value = self.at(x)
            self.epsilon, self.jitter = self._noise()

    def at(self, x):
        """Return the function's value as a float: NaN where it refuses, or x is not finite."""
        if not np.isfinite(x).all():
            return np.nan
        try:
            value = np.asarray(self.function(x.copy()))
            self.dtype = value.dtype
            return float(value.item())
        except (ArithmeticError, AssertionError, ValueError):
            return np.nan  # x is out of its domain

    def quick(self, direction, step=QUICK):
        """Return a Slope from one pair of steps, good enough to agree with, but not to accuse."""
        with quiet():
            size = _sizes(self.x, direction)[0]
            level = self._level(_Line(self, direction), step * size)
            noise = self._value_noise([level])[0]
            slope, _ = _slope([level], [noise])
            return self._with_complex_step(direction, slope, noise)

    def slope(self, direction):
        """Return a Slope from steps of every length; still shorter ones, if these are all too long."""
        with quiet():
            line = _Line(self, direction)
            if min(_sizes(self.x, direction)) < STEPS[-1]:  # no gap between those of size 1 and those of x
                return self._from(line, STEPS + SHORTEST)
            slope = self._from(line, STEPS)
            if slope.bound > 1e-4 * abs(slope.value) and not slope.flat:
                slopes = self._from(line, STEPS, self._wobble(line)), self._from(line, STEPS + SHORTEST)
                slope = min(slopes, key=lambda slope: slope.bound)
            return slope

    def _wobble(self, line):
        """Return how far a value is off at the shortest steps, as far as their slopes disagree."""
        levels = [self._level(line, step) for step in self._steps(line.direction, SHORTEST)]
        return max((level.wobble for level in levels if level.finite()), default=0.0)

    def _from(self, line, steps, wobble=0.0):
        """Return a Slope from some steps, in the values of which a wobble has been seen elsewhere."""
        levels = [self._level(line, step) for step in self._steps(line.direction, steps)]
        levels = [level for level in levels if level.finite()]
        if not levels:
            return Slope(np.nan, np.inf, np.nan, np.nan, np.inf, False, "differences")
        noises, stair = self._value_noise(levels), _stair(line, levels)
        slope, won = _slope(levels, [noise + stair for noise in noises])
        doubt = 3 * wobble / levels[won].step  # not a noise, which would excuse what shorter steps say
        slope = replace(slope, bound=slope.bound + doubt, side_bound=slope.side_bound + doubt)
        if slope.flat:  # or it rounds so much, that it hides what happens
            hidden = NARROW * max(1.0, abs(self.value)) / min(1.0, levels[0].step)
            bound = max(slope.bound, hidden)
            return replace(slope, bound=bound, side_bound=bound)
        steepest = max(max(abs(level.wide), level.rise / level.step) - stair / level.step for level in levels)
        # the shortest steps that change anything tell what happens within a stair, or at a jump
        moving = [level for level in levels if not level.tied]
        untold = slope.bound > steepest / (100 if stair else 10) or self._rattles(moving)
        if untold or (stair and _contradicted(slope, moving[len(moving) // 2 :], stair)):
            return replace(slope, bound=np.inf, side_bound=np.inf)
        unseen = _unseen(line, slope, levels[: won + 1])
        slope = replace(slope, bound=slope.bound + unseen, side_bound=slope.side_bound + unseen)
        return self._with_complex_step(line.direction, slope, min(noises))

    def _rattles(self, levels):
        """Say whether x moved by its own rounding, or a very short step, changes as much as any step."""
        rise = max(level.rise for level in levels if np.isfinite(level.rise))
        jump = self.jitter - 4 * self.epsilon * abs(self.value)
        short = levels[4:][-3:] or levels[3:]
        last = [level.rise - 16 * self.epsilon * level.size for level in short]
        return max([jump, *last]) > 0.05 * rise

    def natural_slope(self):
        """Return how steep the function is on the way to 0: what cancels in a gradient has this size.

        Where p is 1 but for 10⁻²⁰, p − 1 is 0, and not −10⁻²⁰: nobody is to be blamed for that.
        """
        size = np.abs(self.x).max(initial=0.0)
        lengths = [size, size / 2, *(s for s in (1e3, 100.0, 30.0, 10.0, 3.0, 1.0, 0.3) if s < size / 4)]
        way = [self.x * (s / size) for s in [*lengths, size / 10, 0.0]] if size else []
        signs = np.where(np.arange(self.x.size) % 3 == 1, -1.0, 1.0).reshape(self.x.shape)
        with quiet():
            steep = self._steepest(way) if size else self._steepest([self.x - signs, self.x, self.x + signs])
            some = np.random.default_rng(0).random(self.x.shape) < 0.5  # what cancels when all of x moves
            return max(steep, *(self._steepest([self.x, to]) for to in (np.roll(self.x, 1), self.x * some)))

    def _steepest(self, way):
        """Return the largest slope between points of a way."""
        values = np.array([self.at(point) for point in way])
        far = np.array([np.abs(a - b).max(initial=0.0) for a, b in zip(way[1:], way[:-1], strict=True)])
        noise = 4 * self.rounding * np.maximum(np.abs(values[1:]), np.abs(values[:-1]))
        slopes = (np.abs(np.diff(values)) - noise)[far > 0] / far[far > 0]
        return float(slopes[np.isfinite(slopes)].max(initial=0.0))

    def _steps(self, direction, relative):
        """Return the lengths of steps, longest first: of the size of 1, of x, and where x is tiny."""
        least = 64 * np.spacing(np.abs(self.x[direction != 0])) / np.abs(direction[direction != 0])
        sizes = _sizes(self.x, direction)
        steps = {step * size for size in sizes[:2] for step in relative}
        steps |= {step * size for size in sizes[2:] for step in STEPS}  # shorter ones only move last digits
        steps = sorted(steps, reverse=True)
        wanted = [step for step in steps if step >= least.max(initial=0.0)]
        apart = wanted[:1]
        for step in wanted[1:]:
            if step < apart[-1] / 3:
                apart.append(step)
        return apart

    def _noise(self):
        """Return the relative rounding of the values, and how they jump where x moves by its own rounding."""
        rng = np.random.default_rng(0)

        def near(distance, times=4):
            moves = _moves(rng, times, self.x.shape)
            values = np.array([self.at(self.x * (1 + distance * move)) for move in moves])
            return values[np.isfinite(values)]

        far, epsilon = near(1e-3), EPSILON
        if self.dtype in (np.float16, np.float32):
            epsilon = float(np.finfo(self.dtype).eps)
        elif np.unique(far).size > 2 and np.array_equal(far, far.astype(np.float32)):
            epsilon = NARROW
        jump = np.abs(near(epsilon, 8) - self.value).max(initial=0.0)
        if (
            np.mean(near(1e-9, 8) == self.value) > 0.3
        ):  # the function rounds more than float64 does: float32 inside?
            jumps = [np.abs(near(distance) - self.value).max(initial=0.0) for distance in (1e-8, 1e-7, 1e-6)]
            jump = max(jump, next(filter(None, jumps), 0.0))
            self.rounding = NARROW if any(jumps) else epsilon
        else:
            self.rounding = epsilon
        if not np.any(far != self.value) and self._is_narrow_elsewhere():
            epsilon = self.rounding = NARROW
        return epsilon, jump

    def _is_narrow_elsewhere(self):
        """Say whether float32 is inside, where it shows at a distance of the size of 1, and not beside x."""
        rng, shape = np.random.default_rng(0), self.x.shape
        for x in self.x + _moves(rng, 4, shape):
            value = self.at(x)
            still, moved = (
                [self.at(x * (1 + distance * move)) == value for move in _moves(rng, 4, shape)]
                for distance in (1e-9, 1e-6)
            )
            if all(still) and not any(moved):
                return True
        return False

    def _level(self, line, step):
        """Return both differences, of a step and of half of it, and the one-sided ones."""
        up, down = line.step(step), line.step(-step)
        half_up, half_down = line.step(step / 2), line.step(-step / 2)
        above, below, near_above, near_below = (line(t) for t in (up, down, half_up, half_down))
        return _Level(
            step=step,
            wide=(above - below) / (up - down),
            narrow=(near_above - near_below) / (half_up - half_down),
            bend=(above - self.value) / up - (below - self.value) / down,
            near_bend=(near_above - self.value) / half_up - (near_below - self.value) / half_down,
            rise=max(abs(above - self.value), abs(below - self.value)),
            size=max(abs(above), abs(below), abs(self.value)),
            tied=above == below == near_above == near_below == self.value,
        )

    def _value_noise(self, levels):
        """Return how far one value may be off, for each step.

        Their rounding; what they jump by beside x; what shorter steps disagree by, which is noise too. Where
        steps change nothing, the function may hide its rounding: numbers of size 1 that cancel, say.
        """
        wobble = [level.wobble for level in levels]
        floor = EPSILON * max(1.0, abs(self.value)) if any(level.tied for level in levels) else 0.0
        floor += 2 * self.jitter + 4 * TINY
        shorter = [max(wobble[k + 1 :], default=0.0) for k in range(len(levels))]
        return [
            2 * self.epsilon * level.size + noise + floor
            for level, noise in zip(levels, shorter, strict=True)
        ]

    def _with_complex_step(self, direction, slope, noise):
        """Return the slope, more exact, if the function takes complex numbers and differences confirm it."""
        if not self.takes_complex or slope.kink or not np.isfinite(slope.bound):
            return slope
        t = 1e-20 * min(_sizes(self.x, direction))
        value = _complex_value(self.function, self.x + 1j * t * direction) if t > 1e-200 else None
        if value is None or abs(value.real - self.value) > noise:
            self.takes_complex = False
            return slope
        exact = value.imag / t
        apart = abs(exact - slope.value)
        # abs, max and comparisons take complex numbers, and answer wrongly: only what agrees is believed
        if not apart <= slope.bound <= CONFIRMED * abs(exact):
            return slope
        bound = min(slope.bound, 2 * apart + 8 * EPSILON * abs(exact) + 8 * TINY / t)
        return replace(slope, value=exact, bound=bound, how="complex step")


@contextmanager
def quiet():
    """Let no warning of NumPy, nor any other, out: a step may leave the function's domain."""
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


class _Line:
    """A function along a direction, t ↦ f(x + t d), for steps that floats can take."""

    def __init__(self, around, direction):
        self.around, self.direction = around, direction
        places = np.argwhere(direction)
        self.place = tuple(places[0]) if len(places) == 1 else None
        self.known = {}

    def __call__(self, t):
        """Return the value at t; it is asked for once, though several choices of steps may share t."""
        if t not in self.known:
            self.known[t] = self._value(t)
        return self.known[t]

    def _value(self, t):
        x, d = self.around.x, self.direction
        if self.place is None:
            return self.around.at(x + t * d)
        moved = x.copy()
        moved[self.place] += t * d[self.place]
        return self.around.at(moved)

    def step(self, t):
        """Return the step that is made when t is asked for: x + t is rounded."""
        if self.place is None:
            return t
        x, d = self.around.x[self.place], self.direction[self.place]
        return ((x + t * d) - x) / d


@dataclass(frozen=True)
class _Level:
    """Differences of one step and of half of it."""

    step: float
    wide: float
    narrow: float
    bend: float
    near_bend: float
    rise: float
    size: float
    tied: bool

    @property
    def wobble(self):
        return abs(self.wide - self.narrow) * self.step

    def finite(self):
        return bool(np.isfinite([self.wide, self.narrow]).all())


def _moves(rng, times, shape):
    """Return random moves, each entry of a size from 1 to 2, up or down."""
    shape = times, *shape
    return rng.uniform(1, 2, size=shape) * rng.choice([-1, 1], size=shape)


def _sizes(x, direction):
    """Return sizes that steps are relative to: that of x, 1 at least; 1; and that of the smallest entry."""
    moved = direction != 0
    if not moved.any():
        return (1.0,)
    one, size = 1 / np.abs(direction).max(), np.abs(x[moved])
    sizes = [one * max(1.0, size.max()), one]
    least = size[size > 0].min(initial=1.0)
    return tuple(map(float, [*sizes, one * least] if least < 0.1 else sizes))


def _slope(levels, noises):
    """Return the Slope that differences of several steps speak for, longest first, and which step won."""
    steps = np.array([level.step for level in levels])
    noise = 3 * np.array(noises) / steps
    wide, narrow, bend, near_bend = np.array(
        [(level.wide, level.narrow, level.bend, level.near_bend) for level in levels]
    ).T
    value, bound, won = _settled((4 * narrow - wide) / 3, 3 * np.abs(wide - narrow), noise)
    # right and left one differ by h f'' + …, or by a kink's angle, which halving leaves as it is
    angles = 2 * near_bend - bend
    shrinks = np.abs(np.diff(angles, append=0.0))
    angle, angle_bound, _ = _settled(angles, 3 * shrinks, 4 * noise)
    kink = abs(angle) > angle_bound
    flat = all(level.tied for level in levels)
    if not kink:  # a kink as small as the noise is still possible
        bound += (abs(angle) + angle_bound) / 2
        bound = np.inf if np.isnan(bound) else bound
        return Slope(value, bound, value, value, bound, False, "differences", flat), won
    side_bound = bound + angle_bound / 2
    sides = value - angle / 2, value + angle / 2
    return Slope(value, bound, *sides, side_bound, True, "differences", flat), won


def _contradicted(slope, shorter, stair):
    """Say whether shorter steps have another slope, by more than the stair explains."""
    low, high = slope.interval()
    return any(level.wide < low - 2 * stair / level.step or level.wide > high + 2 * stair / level.step
               for level in shorter)  # fmt: skip


def _settled(values, doubts, noise):
    """Return the value with the smallest bound, that bound, and its place; the shortest only confirms."""
    bounds = doubts + noise
    for k in range(len(values)):
        apart = np.abs(values[k] - values[k + 1 :]) - np.maximum(noise, doubts)[k + 1 :]
        apart = np.max(apart[np.isfinite(apart)], initial=0.0)
        bounds[k] += apart if apart <= bounds[k] else np.inf  # shorter steps say that this one is too long
        # halving must bring them together: else they have nowhere to go, or will creep there for ever
        if k and doubts[k] > max(doubts[k - 1] / 2, noise[k]):
            bounds[k] = np.inf
    bounds[~np.isfinite(values) | np.isnan(bounds)] = np.inf
    if len(values) > 1:
        bounds[-1] = np.inf
    best = int(np.argmin(bounds))
    return float(values[best]), float(bounds[best]), best


def _stair(line, levels):
    """Return the height of the steps of a function that stays where it is for a while, then jumps, or 0.

    Short steps then change nothing, and look as if the function were constant. One that is constant on this
    side and bends on that one (a ReLU) does so too, but never takes a value twice where it is not constant.
    """
    if not levels[-1].tied or all(level.tied for level in levels):
        return 0.0
    step = [level.step for level in levels if not level.tied][-1]
    places = np.sort(np.random.default_rng(0).uniform(-1, 1, size=40))
    for wide in (1, 3, 10):
        values = np.array([line(t) for t in wide * step * places])
        values = values[np.isfinite(values)]
        away = values[values != line.around.value]
        if away.size > 5:
            break
    if np.unique(away).size < away.size:
        return 2 * float(np.abs(np.diff(values)).max())
    jump = max(_jump(line, 0.0, 0.0, t, 0.0) for t in (step, -step))
    return 2 * jump if jump > NARROW / 4 * np.abs([line.around.value, *values]).max() else 0.0


def _unseen(line, slope, longer):
    """Return how far longer steps agree on another slope that shorter ones do not see: they are on a stair.

    A part of the function that moves by less than its own rounding stands still, while the others move.
    """
    low, high = slope.interval()
    sides = [sorted((level.wide, level.narrow)) for level in longer]
    apart = [max(low - least, most - high) for least, most in sides]
    agree = [k for k, (least, most) in enumerate(sides) if most - least < 0.1 * apart[k]]
    if slope.kink or not agree:
        return 0.0
    near, far, share = longer[-1].step, longer[agree[-1]].step, 0.1 * apart[agree[-1]]
    jump = max(_jump(line, slope.value, sign * near, sign * far, share) for sign in (1, -1))
    return max(apart[k] for k in agree) if jump > share * near else 0.0


def _jump(line, slope, near, far, share):
    """Return how far a function jumps where it leaves a straight line between two steps.

    It has left the line at t, if it is more than share · |t| away from it. What creeps away jumps by nothing.
    """

    def off(t):
        return line(t) - line.around.value - slope * t

    if not abs(off(far)) > share * abs(far):
        return 0.0
    for _ in range(60):
        t = (near + far) / 2
        near, far = (near, t) if abs(off(t)) > share * abs(t) else (t, far)
    return abs(off(far) - off(near)) if abs(far - near) < 1e-6 * abs(far) else 0.0  # or not found


def _complex_value(function, x):
    """Return a finite complex value of a function, or None where it does not take complex numbers."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", np.exceptions.ComplexWarning)  # the imaginary part was thrown away
        try:
            value = np.asarray(function(x))
        except Exception:  # whatever it is: it was not made for complex numbers
            return None
    if value.size != 1 or value.dtype.kind != "c" or not np.isfinite(value).all():
        return None
    return complex(value.item())
