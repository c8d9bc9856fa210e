"""`zoo data stats`: what a set holds, in figures."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any

from datamodules.cli.common import add_set, open_set, print_facts, progress

HELP = "cases and subjects, shapes, spacing, class shares, captions"


def add(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    add_set(parser)


def run(arguments: argparse.Namespace, options: Mapping[str, Any]) -> int:
    """Run the command."""
    data = open_set(arguments, options)
    from datamodules.stats import describe

    return print_facts(describe(data, progress), arguments.json)
