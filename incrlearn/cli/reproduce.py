"""`incrlearn reproduce split-mnist`: published numbers, run again, ours beside theirs."""

import math
import os
import re
import sys
from contextlib import closing
from pathlib import Path

from ..benchmark.reproduction import ROWS, CellsFailed, Settings, report, reproduce, summarize, usable_cores
from ..benchmark.scenarios import KINDS
from .screen import (
    CalledWrong,
    check_outputs,
    progress,
    require,
    say_defaults,
    size,
    table_of,
    wide_console,
    write_figure,
    write_json,
    wrong_call,
)

#: seeds are shown one by one where they differ by more points than this
SCATTER = 1.0
LEGEND = """\
ours       test accuracy, mean over all tasks after the last; ±: standard error over the seeds
published  van de Ven, Tuytelaars and Tolias 2022: means of 20 seeds, rounded, without their errors
points     ours − published
errors     the same in standard errors: ours alone, since theirs are not known
memory     what the method holds beside the network; * with stored samples
seconds    spent in learning, mean over the seeds
–          not served by the method, not published, not run yet, or not known from a single seed"""


def add_to(commands):
    """Add the command to the parser's commands."""
    command = commands.add_parser(
        "reproduce",
        help="run a published benchmark again, ours beside theirs",
        description="Run a published benchmark again, and print our numbers beside the published ones.",
    )
    command.set_defaults(run=_nothing_named, parser=command)
    reproductions = command.add_subparsers(metavar="NAME")
    _add_split_mnist(reproductions)


def _nothing_named(options):
    raise CalledWrong("say what to reproduce: incrlearn reproduce split-mnist")


def _add_split_mnist(reproductions):
    defaults = Settings()
    command = reproductions.add_parser(
        "split-mnist",
        help="Three types of incremental learning: 14 methods, 3 scenarios",
        description="Train every method of van de Ven, Tuytelaars and Tolias, 'Three types of incremental "
        "learning' (2022), on Split MNIST by their protocol. Finished cells are kept in a folder: an "
        "interrupted call goes on where it stopped. INCRLEARN_DATA names the folder with MNIST.",
        epilog="Methods: " + ", ".join(row.method for row in ROWS.values() if row.texts) + ".",
    )
    add = command.add_argument
    add("--methods", nargs="+", metavar="METHOD", help="default: all of the published table")
    add("--scenarios", nargs="+", metavar="SCENARIO", help=f"of {', '.join(KINDS)} (default: all)")
    add("--seeds", type=int, default=defaults.seeds, metavar="N", help="runs of each")
    add("--workers", type=int, default=usable_cores(), metavar="N", help="processes that share the cores")
    add("--results", default="split-mnist", metavar="FOLDER", help="where finished cells are kept")
    add("--steps", type=int, default=defaults.steps, metavar="N", help="of each task; fewer for a quick look")
    add("--json", metavar="FILE", help="write everything: matrices, settings, versions")
    add("--plot", metavar="FILE", help="draw ours beside published (.png, .svg, .pdf)")
    say_defaults(command)
    command.set_defaults(run=_split_mnist, parser=command, command="reproduce split-mnist")


def _split_mnist(options):
    settings = _settings(options)
    records, stopped = _run(settings)
    _print_tables(settings, records)
    if isinstance(stopped, KeyboardInterrupt):
        print(f"what is finished is kept in {options.results}: call again to go on", file=sys.stderr)
        raise stopped
    failures = stopped.failures if stopped else ()
    if options.json:
        write_json(options.json, report(settings, records, failures))
    if options.plot:
        from ..benchmark.plot import plot_reproduction

        title = _title(settings).replace(": ", ":\n")
        write_figure(options.plot, plot_reproduction(summarize(settings, records), title))
    if stopped:
        raise stopped


def _settings(options):
    """Return the settings, all that can be checked without the data being checked."""
    require("rich")
    check_outputs(options)
    _check_folder(Path(options.results))
    with wrong_call():
        return Settings(
            methods=_names(options.methods),
            scenarios=_names(options.scenarios) or KINDS,
            seeds=options.seeds,
            workers=options.workers,
            results=options.results,
            steps=options.steps,
        )


def _names(texts):
    """Return names that stand between blanks or commas, None where none do."""
    return tuple(name for text in texts or () for name in re.split(r"[,\s]+", text) if name) or None


def _check_folder(folder):
    """Refuse a folder for results that can not be made or written to."""
    if folder.exists() and not folder.is_dir():
        raise CalledWrong(f"--results {folder}: is no folder")
    if not folder.exists() and not folder.parent.is_dir():
        raise CalledWrong(f"--results {folder}: there is no folder {folder.parent}")
    if not os.access(folder if folder.exists() else folder.parent, os.W_OK):
        raise CalledWrong(f"--results {folder}: can not be written to")


def _run(settings):
    """Return all records, and what stopped the run or parts of it: Ctrl-C, CellsFailed, or None.

    A progress bar is shown where someone is looking, elsewhere a line a cell.
    """
    cells, watched = settings.cells(), sys.stderr.isatty()
    remarks, records, kept = [], [], []
    with progress("reading", len(cells)) as update:

        def on_cell(outcome):
            if outcome.status == "damaged":
                remarks.append(outcome.text)
                return
            update(advance=1, description=f"{outcome.cell}: {outcome.text}"[:60])
            if outcome.status == "kept":
                kept.append(outcome.cell)
            elif not watched:
                print(f"{outcome.cell}: {outcome.text}", file=sys.stderr, flush=True)

        with wrong_call():
            running = reproduce(settings, on_cell=on_cell)
        if kept:
            remarks.append(f"{len(kept)} of {len(cells)} cells were found in {settings.results}")
        if not watched:
            _print_remarks(remarks)
        stopped = _gather(running, records)
    if watched:  # not across the progress bar
        _print_remarks(remarks)
    return records, stopped


def _gather(running, records):
    """Append all records as they come; return what stopped them, or None."""
    try:
        with closing(running):
            for record in running:
                records.append(record)
    except (CellsFailed, KeyboardInterrupt) as reason:
        return reason


def _print_remarks(remarks):
    for remark in remarks:
        print(remark, file=sys.stderr, flush=True)


def _print_tables(settings, records):
    """Print a table a scenario."""
    console = wide_console()
    console.print(_title(settings), highlight=False)
    lines = summarize(settings, records)
    for scenario in settings.scenarios:
        of_scenario = [line for line in lines if line.scenario == scenario]
        console.print(f"\n{scenario}-incremental\n", style="bold", highlight=False)
        console.print(_table(settings, of_scenario))
        _print_scatter(console, of_scenario)
    console.print(f"\n{LEGEND}", style="dim", highlight=False)


def _title(settings):
    seeds = f"{settings.seeds} seed{'s' * (settings.seeds > 1)}"
    title = f"Split MNIST, 5 tasks, {settings.steps} steps each, {seeds}"
    if settings.is_protocol:
        return title
    return f"{title}: a quick look, not the protocol, which has {Settings.steps} steps"


def _table(settings, lines):
    """Return one scenario's table; a method that can not be run in it is dim."""
    several = settings.seeds > 1
    table = table_of(
        "method", "ours %", "published %", "points", "errors", "memory", "seconds", *["seeds"] * several
    )
    for line in lines:
        note = " (published only)" if line.text is None and ROWS[line.method].texts is None else ""
        done = len(line.accuracies)
        count = f"{done}" if done == settings.seeds else f"{done} of {settings.seeds}"
        table.add_row(
            line.method + note,
            _with_error(line.mean, line.error),
            _number(line.published, ".1f"),
            _number(line.difference, "+.1f"),
            _number(line.errors, "+.1f"),
            size(line.sample_bytes, line.other_bytes),
            _number(line.seconds, ".1f"),
            *["–" if line.text is None else count] * several,
            style="dim" if line.text is None else None,
        )
    return table


def _print_scatter(console, lines):
    """Print the seeds' own values where a mean hides how far they lie apart."""
    wide = [
        line for line in lines if line.accuracies and max(line.accuracies) - min(line.accuracies) > SCATTER
    ]
    if not wide:
        return
    console.print(f"\nseeds, where they differ by more than {SCATTER:.0f} point:", highlight=False)
    table = table_of("", "", left=2)
    table.show_header = False
    for line in wide:
        table.add_row(f"  {line.method}", "  ".join(f"{value:.1f}" for value in line.accuracies))
    table.columns[1].no_wrap = False  # twenty seeds take two lines
    console.print(table)


def _number(value, form):
    """Return a number, "–" where it is not known, and no minus before what is rounded to 0."""
    if value is None or math.isnan(value):
        return "–"
    digits = int(form[-2])
    return f"{round(value, digits) + 0.0:{form}}"


def _with_error(mean, error):
    return _number(mean, ".2f") + ("" if math.isnan(error) else f" ± {error:.2f}")
