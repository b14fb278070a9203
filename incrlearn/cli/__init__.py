"""The command line. Exit status 0, 1 (ran and failed), 2 (was called wrong).

incrlearn fit data.csv --target label --model m.npz     a model of one's own data (`models`)
incrlearn update | predict | evaluate | show m.npz      what can be done with it
incrlearn compare                                       all methods on the same tasks (`compare`)
incrlearn reproduce split-mnist                         published numbers, ours beside theirs (`reproduce`)
"""

import argparse
import os
import sys

from .. import __version__
from . import compare, models, reproduce
from .screen import CalledWrong


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
        sys.stdout.flush()
    except CalledWrong as error:
        print(f"{name}: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # whoever reads the output has seen enough, as `head` has
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
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
    models.add_to(commands)
    compare.add_to(commands)
    reproduce.add_to(commands)
    return parser
