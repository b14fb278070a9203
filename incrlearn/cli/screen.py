"""What all commands share: how they say no, show that they are at work, and lay out what they found."""

import argparse
import os
from contextlib import contextmanager
from functools import partial
from importlib.util import find_spec
from pathlib import Path


class CalledWrong(Exception):
    """What was asked for can not be done; the message is one line for the user."""


@contextmanager
def wrong_call():
    """Turn bad input into one line for the user."""
    try:
        yield
    except FileNotFoundError as error:
        raise CalledWrong(f"{error.filename}: no such file" if error.filename else error) from None
    except (ValueError, TypeError, ModuleNotFoundError) as error:
        raise CalledWrong(error) from None


def require(package):
    """Refuse to go on without a package of the extra `cli`."""
    if find_spec(package) is None:
        raise CalledWrong(f"{package} is not installed: pip install 'incrlearn[cli]'")


def check_writable(option, path):
    """Refuse a path that can not be written to, before the work is done."""
    if path is None:
        return
    folder = Path(path).parent
    if not folder.is_dir():
        raise CalledWrong(f"--{option} {path}: there is no folder {folder}")
    if Path(path).is_dir() or not os.access(folder, os.W_OK):
        raise CalledWrong(f"--{option} {path}: can not be written to")


def widths(text):
    """Read "400,400"."""
    return tuple(int(width) for width in text.split(","))


def say_defaults(command):
    """Add "(default …)" to the help of every option that has one."""
    for action in command._actions:
        default = action.default
        if default is None or default is argparse.SUPPRESS or isinstance(default, bool | list):
            continue
        action.help += f" (default {','.join(map(str, default)) if isinstance(default, tuple) else default})"


@contextmanager
def progress(description, total=None):
    """Show a progress bar, where someone is looking; yield what changes it: `update(completed=3)`."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    text = TextColumn("{task.description}", markup=False)
    columns = text, BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bars:
        yield partial(bars.update, bars.add_task(description, total=total))


def table_of(*headers, left=1):
    """Return an empty table; the first `left` columns hold words, the others numbers."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0))
    for k, header in enumerate(headers):
        table.add_column(header, justify="left" if k < left else "right", no_wrap=k >= left)
    return table
