"""What stands in words becomes an object: `replay(per_class=20)` on the command line, as in Python.

A text is a name and, in brackets, options by name. It is parsed, never run.
"""

import ast
import inspect

from . import _checks


def parsed(what, text, example):
    """Return the tree of a text; refuse what does not read like the example."""
    if not isinstance(text, str):
        raise TypeError(f"{what} must be a name, got {text!r} ({type(text).__name__})")
    try:
        return ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise ValueError(f"{what} must read like {example}, got {text!r}") from None


def made(what, tree, text, known, example):
    """Call one of the known functions or classes: the tree says which, and with what options.

    Examples
    --------
    >>> tree = parsed("word", "twice(of='a')", "twice(of='b')")
    >>> made("word", tree, "twice(of='a')", {"twice": lambda of: 2 * of}, "twice(of='b')")
    'aa'
    """
    call = tree if isinstance(tree, ast.Call) else ast.Call(tree, [], [])
    if not isinstance(call.func, ast.Name) or call.args or any(k.arg is None for k in call.keywords):
        raise ValueError(f"{what} must read like {example}, got {text!r}")
    make = _checks.choice(what, call.func.id, known)
    possible = inspect.signature(make).parameters
    options = {}
    for keyword in call.keywords:
        _checks.choice(f"option of {call.func.id}", keyword.arg, possible)
        if keyword.arg in options:
            raise ValueError(f"{keyword.arg} stands twice in {text!r}")
        try:
            options[keyword.arg] = ast.literal_eval(keyword.value)
        except (ValueError, TypeError):
            raise ValueError(f"{keyword.arg} must be a number or a quoted word, got {text!r}") from None
    return make(**options)
