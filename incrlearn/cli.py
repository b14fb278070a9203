"""The command line: `incrlearn compare`. Exit status 0, 1 (ran and failed), 2 (was called wrong)."""

import argparse
import json
import os
import re
import sys
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from . import __version__
from .benchmark.comparison import Settings, compare, prepare, report, summarize
from .benchmark.scenarios import KINDS, VARIANTS
from .learning import BOUNDS, METHODS
from .storage import whole_file

PLOT_FORMATS = (".png", ".svg", ".pdf")
LEGEND = """\
accuracy    of the test samples, mean over all tasks, after the last task
forgetting  points lost since each task was known best
backward    points gained or lost since each task had just been learned
seconds     spent in learning"""


class CalledWrong(Exception):
    """What was asked for can not be done; the message is one line for the user."""


def main(arguments=None):
    """Run the command line and return its exit status.

    Parameters
    ----------
    arguments : list of str, optional
        What stands behind `incrlearn`; taken from the process when None.

    Returns
    -------
    int
        0, 1 (ran and failed) or 2 (was called wrong).
    """
    options, unknown = _parser().parse_known_args(arguments)
    if unknown:  # said by the command itself, whose --help has the answer
        options.parser.error(f"unrecognized arguments: {' '.join(unknown)}")
    name = f"incrlearn {options.command}"
    try:
        options.run(options)
    except CalledWrong as error:
        print(f"{name}: {error}", file=sys.stderr)
        return 2
    except (FloatingPointError, OSError) as error:
        print(f"{name}: failed: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"{name}: interrupted", file=sys.stderr)
        return 130
    return 0


class _Parser(argparse.ArgumentParser):
    """A parser that says what is wrong in one line."""

    def error(self, message):
        print(f"{self.prog}: {message} (see {self.prog} --help)", file=sys.stderr)
        sys.exit(2)


def _parser():
    parser = _Parser(
        prog="incrlearn",
        description="Incremental learning, without forgetting and without retraining, in NumPy alone.",
    )
    parser.add_argument("--version", action="version", version=f"incrlearn {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_compare(commands)
    return parser


def _add_compare(commands):
    defaults = Settings()
    command = commands.add_parser(
        "compare",
        help="train every method on the same tasks and print one table",
        description="Train every method on the same sequence of tasks, and print one table, best first.",
        epilog="Methods: " + ", ".join(METHODS) + ". Options go in brackets and + joins methods: "
        '--methods none "logits(T=4)" replay+logits.',
    )
    add = command.add_argument
    add("--data", default=defaults.data, help="digits (shipped), mnist, or a .npz or .csv file")
    add("--variant", default=defaults.variant, choices=tuple(VARIANTS), help="how data become tasks")
    add("--scenario", default=defaults.scenario, choices=KINDS, help="what the learner is told")
    add("--tasks", type=int, default=defaults.tasks, metavar="N", help="how many tasks")
    add("--methods", nargs="+", default=list(METHODS), metavar="METHOD", help="default: all of them")
    add("--seeds", type=int, default=defaults.seeds, metavar="N", help="runs of each method")
    add("--hidden", type=_widths, default=defaults.hidden, metavar="N,N", help="hidden layers' widths")
    add("--epochs", type=int, default=defaults.epochs, metavar="N", help="passes over each task")
    add("--batch-size", type=int, default=defaults.batch_size, metavar="N", help="rows of a batch")
    add("--learning-rate", type=float, default=defaults.learning_rate, metavar="X", help="Adam's")
    add("--json", metavar="FILE", help="write everything: matrices, settings, versions")
    add("--plot", metavar="FILE", help="draw accuracy on every task after every task (.png, .svg, .pdf)")
    for action in command._actions:
        if action.help and action.default not in (None, argparse.SUPPRESS) and action.dest != "methods":
            action.help += f" (default {_text(action.default)})"
    command.set_defaults(run=_compare, parser=command)


def _widths(text):
    """Read "400,400"."""
    return tuple(int(width) for width in text.split(","))


def _text(value):
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


# ---- compare -----------------------------------------------------------------------------------------


def _compare(options):
    settings = _settings(options)
    runs = _run_with_progress(settings)
    _print_table(settings, runs)
    if options.json:
        with whole_file(options.json) as file:
            file.write((json.dumps(report(settings, runs), indent=1) + "\n").encode())
        print(f"wrote {options.json}")
    if options.plot:
        _write_plot(options.plot, settings, runs)
        print(f"wrote {options.plot}")


def _settings(options):
    """Return the settings, all that can be checked without the data being checked."""
    _require("rich")
    if options.plot:
        _require("matplotlib")
        if Path(options.plot).suffix.lower() not in PLOT_FORMATS:
            raise CalledWrong(f"--plot must end in {', '.join(PLOT_FORMATS)}, got {options.plot!r}")
    for option in ("json", "plot"):
        _check_writable(option, getattr(options, option))
    # commas between methods are welcome too, but not those between a method's options
    methods = [name for text in options.methods for name in re.split(r",(?![^(]*\))", text) if name]
    fields = {name: getattr(options, name) for name in Settings.__dataclass_fields__}
    with _wrong_call():
        return Settings(**fields | {"methods": tuple(methods)})


@contextmanager
def _wrong_call():
    """Turn bad input into one line for the user."""
    try:
        yield
    except (ValueError, TypeError, FileNotFoundError) as error:
        raise CalledWrong(error) from None


def _require(package):
    if find_spec(package) is None:
        raise CalledWrong(f"{package} is not installed: pip install 'incrlearn[cli]'")


def _check_writable(option, path):
    if path is None:
        return
    folder = Path(path).parent
    if not folder.is_dir():
        raise CalledWrong(f"--{option} {path}: there is no folder {folder}")
    if Path(path).is_dir() or not os.access(folder, os.W_OK):
        raise CalledWrong(f"--{option} {path}: can not be written to")


def _run_with_progress(settings):
    """Run the comparison; a progress bar is shown where someone is looking."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    console = Console(stderr=True)
    total = len(settings.methods) * settings.seeds * settings.tasks
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        bar = progress.add_task("reading", total=total)

        def on_task(name, seed, task):
            seed = f", seed {seed}" if settings.seeds > 1 else ""
            progress.update(bar, advance=1, description=f"{name}{seed}, task {task + 1} learned")

        with _wrong_call():
            runs = compare(settings, prepare(settings), on_task)
        return list(runs)


def _print_table(settings, runs):
    from rich.console import Console
    from rich.table import Table

    console = Console()
    console.print(f"{_title(settings)}\n", highlight=False)
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0))
    for header in ("method", "accuracy %", "forgetting", "backward", "seconds"):
        table.add_column(header, justify="left" if header == "method" else "right", no_wrap=True)
    for name, row in summarize(runs):
        bound = f" ({BOUNDS[name]})" if name in BOUNDS else ""
        table.add_row(
            name + bound,
            _points(row["average_accuracy"]),
            _points(row["forgetting"]),
            _points(row["backward_transfer"], sign="+"),
            f"{row['seconds'][0]:.1f}",
            style="dim" if bound else None,
        )
    console.print(table)
    console.print(f"\n{LEGEND}", style="dim", highlight=False)
    if settings.seeds > 1:
        console.print(f"±: standard error of the mean of {settings.seeds} seeds", style="dim")


def _title(settings):
    tasks = f"{settings.tasks} task{'s' * (settings.tasks > 1)}"
    return f"{settings.variant} {Path(settings.data).stem}, {settings.scenario}-incremental, {tasks}"


def _points(pair, sign=""):
    """Return (mean, standard error) of a share as percentage points."""
    mean, error = (100 * number for number in pair)
    if mean != mean:
        return "–"
    return f"{mean:{sign}.1f}" + ("" if error != error else f" ± {error:.1f}")


def _write_plot(path, settings, runs):
    from .benchmark.plot import plot

    figure = plot(summarize(runs), runs, _title(settings), settings.tasks)
    with whole_file(path) as file:
        figure.savefig(file, format=Path(path).suffix[1:].lower(), dpi=120)
