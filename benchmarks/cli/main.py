"""Entry of `zoo bench VERB`: one command turns a matrix of models, data sets and seeds into a leaderboard.

A verb is a module with `add(verbs)`. It adds a parser and sets `action`, a function of the known and the further
arguments. A verb imports its implementation when it is called, so that the help needs no torch.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from benchmarks.cli import check, cite, compare, costs, plan, report, run, site, status, submit, table, tune
from zoo.utils.exit_codes import run_command
from zoo.utils.flags import Parser

VERBS = (plan, run, status, table, report, compare, cite, costs, tune, submit, check, site)
"""The verbs, in the order of the help."""


def main(argv: list[str] | None = None) -> int:
    """Run `zoo bench`.

    Args:
        argv: Arguments after `bench`; None for those of the process.

    Returns:
        0; 1 where a job failed; 2 where the command is wrong (one line on standard error); 130 after Ctrl-C.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    return run_command(lambda: _dispatch(arguments))


def _dispatch(arguments: Sequence[str]) -> int:
    words = list(arguments)
    if words[:1] in (["plan"], ["tune"]) and words[1:] and not words[1].startswith("-"):
        words.insert(1, "--plan")  # argparse would take the value of a further option as the plan
    known, further = make_parser().parse_known_args(words)
    return int(known.action(known, further))


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of all commands; `zoo completion` reads it too."""
    about = "One command turns a matrix of models, data sets and seeds into a leaderboard."
    parser = Parser(prog="zoo bench", description=about, allow_abbrev=False)
    names = "|".join(verb.__name__.rpartition(".")[2] for verb in VERBS)
    verbs = parser.add_subparsers(required=True, metavar=names)
    for verb in VERBS:
        verb.add(verbs)
    return parser
