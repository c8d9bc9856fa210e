"""Entry of `zoo bench VERB`: one command turns a matrix of models, data sets and seeds into a leaderboard.

A verb is a module with `add(verbs, about)`. It adds a parser and sets `action`, a function of the known and the further
arguments. Only the module of the command's verb is imported, and it imports its implementation when it is called, so
that the help needs no torch.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module

from zoo.utils.exit_codes import run_command
from zoo.utils.flags import Parser

VERBS = {
    "plan": "list the jobs of a plan and their costs",
    "run": "train and test the jobs that are not done",
    "status": "one line per job",
    "table": "write the leaderboard",
    "report": "write one HTML file with tables, figures and cases",
    "compare": "published numbers beside ours, each in its convention",
    "cite": "write the references as BibTeX, print the paragraph on the methods",
    "costs": "measure operations, time and memory of each model, one after the other",
    "tune": "give every model of a plan the same trials, and write tuned recipes",
    "submit": "write results as entries of a leaderboard",
    "check": "check the entries of a leaderboard",
    "site": "write the pages of a leaderboard",
}
"""The verbs, in the order of the help, and a line about each."""


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
    known, further = make_parser(words[0] if words else "").parse_known_args(words)
    return int(known.action(known, further))


def make_parser(verb: str | None = None) -> argparse.ArgumentParser:
    """Return the parser of the verbs; `zoo completion` reads it too.

    Args:
        verb: Add the flags of this verb only, and none if it is no verb. None: add those of all verbs.
    """
    about = "One command turns a matrix of models, data sets and seeds into a leaderboard."
    parser = Parser(prog="zoo bench", description=about, allow_abbrev=False)
    verbs = parser.add_subparsers(required=True, metavar="|".join(VERBS))
    for name, line in VERBS.items():
        if verb in (None, name):
            import_module(f"benchmarks.cli.{name}").add(verbs, line)
        else:
            verbs.add_parser(name, help=line)
    return parser
