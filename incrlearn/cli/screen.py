"""What all commands share: how they say no, show that they are at work, and lay out what they found."""

import argparse
import json
import math
import os
from contextlib import contextmanager
from functools import partial
from importlib.util import find_spec
from pathlib import Path

from ..storage import whole_file

PLOT_FORMATS = (".png", ".svg", ".pdf")
#: of tables that are not printed on a terminal
WIDTH = 100


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


def check_outputs(options):
    """Refuse, before the work is done, what --json and --plot can not write."""
    if options.plot:
        require("matplotlib")
        if Path(options.plot).suffix.lower() not in PLOT_FORMATS:
            raise CalledWrong(f"--plot must end in {', '.join(PLOT_FORMATS)}, got {options.plot!r}")
    for option in ("json", "plot"):
        check_writable(option, getattr(options, option))


def write_json(path, values):
    """Write JSON values, the file whole or not at all, and say so."""
    with whole_file(path) as file:
        file.write((json.dumps(values, indent=1) + "\n").encode())
    print(f"wrote {path}")


def write_figure(path, figure):
    """Write a picture, the file whole or not at all, and say so."""
    with whole_file(path) as file:
        figure.savefig(file, format=Path(path).suffix[1:].lower(), dpi=120)
    print(f"wrote {path}")


def size(samples, other):
    """Return bytes for people, 0 B, 12 kB, 3.4 MB, with a star where samples are among them."""
    n_bytes = samples + other
    if math.isnan(n_bytes):
        return "– "
    star = "*" if samples else " "
    for unit, of_unit in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if n_bytes >= of_unit:
            return f"{n_bytes / of_unit:.{1 if n_bytes < 10 * of_unit else 0}f} {unit}{star}"
    return f"{n_bytes:.0f} B{star}"


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


def wide_console():
    """Return where tables are printed: as wide as the terminal, or wide enough for ours."""
    from rich.console import Console

    console = Console()
    return console if console.is_terminal else Console(width=WIDTH)


def table_of(*headers, left=1):
    """Return an empty table; the first `left` columns hold words, the others numbers."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0))
    for k, header in enumerate(headers):
        table.add_column(header, justify="left" if k < left else "right", no_wrap=k >= left)
    return table
