"""The command line: python -m tests.benchmarks [GROUP …]"""

import argparse
import json
import os
import sys
from functools import partial
from pathlib import Path

from . import report
from .rounds import LIBRARIES, missing, race
from .works import GROUPS, TARGETS, contests

EPILOG = """\
groups:
  {groups}

A process for every entrant, the same number of threads and cores, the same data; warmed up, then rounds
in which everyone has a turn of 50 ms. Ratios are medians over rounds of ours to theirs: below 1 ours is
faster. ± is the largest distance of a quartile from its median. Leave the machine alone meanwhile:
everything takes some hours.
"""


def parser():
    """Return the options."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    groups = "\n  ".join(f"{name:10}{function.__doc__}" for name, function in GROUPS.items())
    made = argparse.ArgumentParser(
        prog="python -m tests.benchmarks",
        description="What it costs: ours beside PyTorch, JAX, scikit-learn, River and the bare products.",
        epilog=EPILOG.format(groups=groups),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = made.add_argument
    add("groups", nargs="*", metavar="GROUP", help="what to measure (default: all)")
    add("--threads", type=int, nargs="+", help="how many, one after another (default: 1 2, as cores allow)")
    add("--rounds", type=int, default=15, help="of every contest, at most (default: %(default)s)")
    add("--only", metavar="TEXT", default="", help="contests with this in their name")
    sides = ["ours", "limit", *LIBRARIES]
    add("--without", nargs="+", default=[], metavar="SIDE", choices=sides, help=", ".join(sides))
    add("--targets", action="store_true", help="the numbers to meet alone, and whether they are met")
    add("--json", metavar="FILE", type=Path, help="write everything down, after every contest")
    add("--resume", action="store_true", help="go on: what is in the file is not measured again")
    add("--list", action="store_true", help="say what would be measured")
    made.set_defaults(cores=cores)
    return made


def read_options(arguments):
    """Return the options, looked at."""
    command = parser()
    options = command.parse_args(arguments)
    if wrong := [group for group in options.groups if group not in GROUPS]:
        command.error(f"there is no group {wrong[0]!r}: choose from {', '.join(GROUPS)}")
    options.threads = options.threads or [n for n in (1, 2) if n <= options.cores]
    if not 1 <= min(options.threads) <= max(options.threads) <= options.cores:
        command.error(f"--threads must be from 1 to {options.cores}, the cores of this process")
    if options.rounds < 1:
        command.error(f"--rounds must be at least 1, got {options.rounds}")
    if options.resume and not options.json:
        command.error("--resume needs --json FILE, where it is to go on")
    return options


def chosen(options):
    """Return the contests that are asked for, each with a number of threads."""
    wanted = {target.contest for target in TARGETS}
    return [
        (contest, threads)
        for contest in contests()
        if not options.groups or contest.group in options.groups
        if options.only in str(contest)
        if not options.targets or str(contest) in wanted
        for threads in ([max(options.threads)] if contest.once else options.threads)
    ]


def kept(options, now):
    """Return the report to go on with: what the file has, or an empty one."""
    if not options.resume or not options.json.exists():
        return now | {"contests": []}
    before = json.loads(options.json.read_text(encoding="utf-8"))
    refused = f"can not go on with {options.json}: "
    for what in ("machine", "versions"):
        if before[what] != now[what]:
            sys.exit(f"{refused}its {what} was {before[what]}, now it is {now[what]}")
    if before["commit"] != now["commit"] and report.changed_since(before["commit"]):
        sys.exit(f"{refused}incrlearn/ has changed since it was measured, commit {before['commit']}")
    return before


def progress(*texts):
    """Show what is going on, in one line, where someone is looking."""
    if sys.stderr.isatty():
        print(f"\r\033[K{': '.join(texts)[:100]}", end="", file=sys.stderr, flush=True)


def main(arguments=None):
    """Measure what is asked for, show it, write it down."""
    options = read_options(arguments)
    todo = chosen(options)
    if options.list:
        for contest, threads in todo:
            print(f"{contest}, threads: {threads}")
        return
    for side, how in missing().items():
        print(f"{side} is not installed and left out ({how})")
    known = kept(options, report.circumstances())
    done = {(record["group"], record["name"], record["threads"]): record for record in known["contests"]}
    for k, (contest, threads) in enumerate(todo, 1):
        key = contest.group, contest.name, threads
        if key in done:
            continue
        say = partial(progress, f"{k}/{len(todo)} {contest}, threads: {threads}")
        done[key] = race(contest, threads, options.rounds, options.without, say)
        known["contests"] = list(done.values())
        if options.json:
            report.write(options.json, known)
    progress()
    show_all([done[contest.group, contest.name, threads] for contest, threads in todo], options)


def show_all(records, options):
    """Print all tables, why there are dashes, and whether the targets are met."""
    if not options.targets:
        for table in report.tables(records):
            report.show(*table)
    head, rows = report.targets(records)
    if rows:
        report.show("the numbers to meet", head, rows)
    for note in report.notes(records):
        print(note)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("stopped; with --resume it goes on after the contests that --json has written")
