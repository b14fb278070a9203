"""What a check says: `Checked` where all is well, a `Failure` where something is wrong. NumPy only."""

import re
import textwrap
from dataclasses import dataclass, fields, replace

import numpy as np

from .blame import CAUSES

WIDTH = 80  # columns of a terminal: no line of a failure is longer, but for code
PARTS = ("place", "came", "expected", "bound", "cause", "hint", "example", "block", "said", "extent")


class Failure(AssertionError):
    """What is wrong, where, what was expected, and why it may be.

    Parameters
    ----------
    check : str
        What was checked, such as "∂L/∂x" or "shape of forward(x)".
    place : tuple of int or None
        The worst entry.
    came, expected : float or ndarray or None
        What came there, and what must come.
    bound : float or None
        How far `expected` itself may be off.
    cause : str or None
        The likely cause, a key of CAUSES.
    hint : str or None
        One sentence with the numbers that speak for the cause.
    example : str or None
        Code that shows the failure when it is pasted.
    block : str or None
        The part that is wrong, such as "W".
    said : str or None
        The first sentence, where it is not "∂L/∂x at [0] is 8, but must be 12".
    extent : str or None
        How much is wrong: "3 of 6 entries are wrong, in W; b is right".

    Raises
    ------
    ValueError
        If the cause is not one of CAUSES.

    Examples
    --------
    >>> print(Failure("∂L/∂w", place=(1,), came=8.0, expected=12.0, bound=1e-9))
    the gradient ∂L/∂w at [1] is 8, but must be 12 ± 1e-9
    """

    def __init__(self, check, *, place=None, came=None, expected=None, bound=None, cause=None, hint=None,
                 example=None, block=None, said=None, extent=None):  # fmt: skip
        if cause is not None and cause not in CAUSES:
            raise ValueError(f"cause must be one of CAUSES, got {cause!r}")
        self.check, self.place, self.came, self.expected, self.bound = check, place, came, expected, bound
        self.cause, self.hint, self.example, self.block = cause, hint, example, block
        self.said, self.extent = said, extent
        super().__init__(check)

    def __str__(self):
        lines = [self._first(), *([self.extent] if self.extent else []), *self._why()]
        text = "\n".join(_wrapped(line) for line in lines)
        if self.example:
            text += "\nsmallest example:\n" + textwrap.indent(self.example.strip("\n"), "    ")
        return text

    def __reduce__(self):  # a process that tests hands its failures to another one
        return _rebuild, (type(self), self.check, self._parts())

    def with_example(self, code):
        """Return the same failure with code that shows it."""
        return type(self)(self.check, **{**self._parts(), "example": code})

    def with_name(self, check, block=None):
        """Return the same failure under another name, and maybe of another block."""
        parts = self._parts() if block is None else {**self._parts(), "block": block}
        return type(self)(check, **parts)

    def _parts(self):
        return {name: getattr(self, name) for name in PARTS}

    def _first(self):
        if self.said:
            return self.said
        subject = f"the gradient {self.check}" if "∂" in self.check else self.check
        where = "" if self.place is None else f" at {list(self.place)}"
        if self.came is None:
            return f"{subject}{where} is wrong"
        wanted = "" if self.expected is None else f", but must be {shown(self.expected)}"
        doubt = f" ± {_short(self.bound)}" if wanted and self.bound else ""
        return f"{subject}{where} is {shown(self.came)}{wanted}{doubt}"

    def _why(self):
        if self.cause and (self.hint or not self.said):
            return [f"likely cause: {self.cause} — {self.hint or CAUSES[self.cause]}"]
        return [self.hint] if self.hint else []


class Untold(Failure):
    """A check that could not tell anything: the function is too rough or too noisy at x.

    Nothing is known to be wrong. Another x, or a function that computes in float64, may help.

    Examples
    --------
    >>> issubclass(Untold, AssertionError)
    True
    """


def _rebuild(kind, check, parts):
    return kind(check, **parts)


def _short(number):
    """Return a number with one digit: 1e-9."""
    return re.sub(r"e([-+])0", r"e\1", f"{number:.0e}") if np.isfinite(number) else str(number)


def shown(value):
    """Return a number or an array as short text: ten digits, a few entries.

    Parameters
    ----------
    value : float or array_like

    Examples
    --------
    >>> shown(1 / 3), shown([[1.0, 2.0]]), shown(range(10))
    ('0.3333333333', '[[1, 2]]', '[0, 1, 2, …, 7, 8, 9]')
    """
    array = np.asarray(value)
    if array.ndim == 0:
        return f"{array.item():.10g}" if array.dtype.kind in "fiuc" else str(value)
    text = np.array2string(
        array, separator=", ", threshold=6, edgeitems=3 if array.ndim == 1 else 2, max_line_width=10_000,
        formatter={"float_kind": "{:.6g}".format},
    )  # fmt: skip
    return re.sub(r"\s*\n\s*", " ", text).replace("...", "…")


def _wrapped(line):
    """Break a line at the width of a terminal; what follows is indented."""
    return textwrap.fill(
        line, WIDTH, subsequent_indent="    ", break_long_words=False, break_on_hyphens=False
    )


@dataclass(frozen=True, repr=False)
class Checked:
    """What a check that found nothing wrong has looked at.

    Parameters
    ----------
    entries : int
        Coordinates whose derivative was compared.
    directions : int
        Random directions along which derivatives were compared, where there were too many coordinates.
    kinks : tuple of tuple of int
        Places where the function has a kink, and the answer lies between its one-sided derivatives.
    how : str
        "complex step", "differences", or "" where nothing was differentiated.
    worst : float
        The largest error, relative to the largest entry of the gradient.
    untold : int
        Coordinates where the function is too rough or too noisy to tell.
    examples : int
        Inputs that were tried.
    checks : tuple of str
        Names of what else was checked.

    Examples
    --------
    >>> Checked(entries=6, how="differences", worst=2e-11)
    Checked(6 entries by differences, worst error 2e-11)
    """

    entries: int = 0
    directions: int = 0
    kinks: tuple = ()
    how: str = ""
    worst: float = 0.0
    untold: int = 0
    examples: int = 0
    checks: tuple = ()

    def __repr__(self):
        words = [
            _several(self.entries, "entry", "entries"),
            _several(self.directions, "direction"),
            _several(self.examples, "example"),
            _several(len(self.checks), "check"),
        ]
        text = " and ".join(word for word in words if word)
        text += f" by {self.how}" if self.how else ""
        more = [_several(len(self.kinks), "kink"), f"{self.untold} untold" if self.untold else ""]
        if self.entries or self.directions:
            more.append(f"worst error {_short(self.worst)}" if self.worst else "no error")
        return f"Checked({', '.join(part for part in [text, *more] if part)})"

    def __add__(self, other):
        """Return the sum of two checks."""
        hows = {how for both in (self.how, other.how) for how in both.split(" and ") if how}
        sums = {
            field.name: getattr(self, field.name) + getattr(other, field.name)
            for field in fields(self)
            if field.name not in ("how", "worst")
        }
        checks = tuple(dict.fromkeys(sums.pop("checks")))
        return Checked(
            **sums, checks=checks, how=" and ".join(sorted(hows)), worst=max(self.worst, other.worst)
        )

    def with_checks(self, *names, examples=None):
        """Return the same with names of what else was checked, and maybe the number of inputs."""
        count = self.examples if examples is None else examples
        return replace(self, checks=tuple(dict.fromkeys(self.checks + names)), examples=count)


def _several(count, one, many=None):
    """Return "3 entries", or nothing for none."""
    return f"{count} {one if count == 1 else many or one + 's'}" if count else ""
