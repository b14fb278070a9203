"""`incrlearn compare`: every method on the same sequence of tasks, and one table."""

import re
from pathlib import Path

from .. import analytic
from ..benchmark.comparison import Settings, compare, prepare, report, summarize
from ..benchmark.scenarios import KINDS, VARIANTS
from ..learning import BOUNDS, METHODS
from .screen import (
    check_outputs,
    progress,
    require,
    say_defaults,
    size,
    table_of,
    wide_console,
    widths,
    write_figure,
    write_json,
    wrong_call,
)

LEGEND = """\
accuracy    of the test samples, mean over all tasks, after the last task
forgetting  points lost since each task was known best
backward    points gained or lost since each task had just been learned
memory      what the method holds beside the network; * with stored samples
seconds     spent in learning"""


def add_to(commands):
    """Add the command to the parser's commands."""
    defaults = Settings()
    command = commands.add_parser(
        "compare",
        help="train every method on the same tasks and print one table",
        description="Train every method on the same sequence of tasks, and print one table, best first.",
        epilog="Methods: "
        + ", ".join((*METHODS, *analytic.METHODS))
        + ". Options go in brackets and + joins methods: "
        '--methods none "logits(T=4)" replay+logits.',
    )
    add = command.add_argument
    add("--data", default=defaults.data, help="digits (shipped), mnist, or a .npz or .csv file")
    add("--variant", default=defaults.variant, choices=tuple(VARIANTS), help="how data become tasks")
    add("--scenario", default=defaults.scenario, choices=KINDS, help="what the learner is told")
    add("--tasks", type=int, default=defaults.tasks, metavar="N", help="how many tasks")
    add("--methods", nargs="+", metavar="METHOD", help="default: all that serve the scenario")
    add("--seeds", type=int, default=defaults.seeds, metavar="N", help="runs of each method")
    add("--hidden", type=widths, default=defaults.hidden, metavar="N,N", help="hidden layers' widths")
    add("--epochs", type=int, default=defaults.epochs, metavar="N", help="passes over each task")
    add("--batch-size", type=int, default=defaults.batch_size, metavar="N", help="rows of a batch")
    add("--learning-rate", type=float, default=defaults.learning_rate, metavar="X", help="Adam's")
    add("--json", metavar="FILE", help="write everything: matrices, settings, versions")
    add("--plot", metavar="FILE", help="draw accuracy on every task after every task (.png, .svg, .pdf)")
    say_defaults(command)
    command.set_defaults(run=_compare, parser=command)


def _compare(options):
    settings = _settings(options)
    runs = _run_with_progress(settings)
    _print_table(settings, runs)
    if options.json:
        write_json(options.json, report(settings, runs))
    if options.plot:
        from ..benchmark.plot import plot

        write_figure(options.plot, plot(summarize(runs), runs, _title(settings), settings.tasks))


def _settings(options):
    """Return the settings, all that can be checked without the data being checked."""
    require("rich")
    check_outputs(options)
    # commas between methods are welcome too, but not those between a method's options
    texts = options.methods
    if texts is not None:
        texts = tuple(name for text in texts for name in re.split(r",(?![^(]*\))", text) if name)
    fields = {name: getattr(options, name) for name in Settings.__dataclass_fields__}
    with wrong_call():
        return Settings(**fields | {"methods": texts})


def _run_with_progress(settings):
    """Run the comparison; a progress bar is shown where someone is looking."""
    total = len(settings.methods) * settings.seeds * settings.tasks
    with progress("reading", total) as update:

        def on_task(name, seed, task):
            seed = f", seed {seed}" if settings.seeds > 1 else ""
            update(advance=1, description=f"{name}{seed}, task {task + 1} learned")

        with wrong_call():
            runs = compare(settings, prepare(settings), on_task)
        return list(runs)


def _print_table(settings, runs):
    console = wide_console()
    console.print(f"{_title(settings)}\n", highlight=False)
    table = table_of("method", "accuracy %", "forgetting", "backward", "memory", "seconds")
    for name, row in summarize(runs):
        bound = f" ({BOUNDS[name]})" if name in BOUNDS else ""
        table.add_row(
            name + bound,
            _points(row["average_accuracy"]),
            _points(row["forgetting"]),
            _points(row["backward_transfer"], sign="+"),
            size(row["sample_bytes"][0], row["other_bytes"][0]),
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
