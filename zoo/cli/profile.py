"""`zoo profile`: what a model costs on a data set."""

from __future__ import annotations

import json
import os
import sys

from rich.table import Table

from zoo.cli.console import print_table, quiet
from zoo.cli.help import usage
from zoo.cli.run import compose_request, engine_of
from zoo.engine.arguments import parse
from zoo.errors import ConfigError


def main(argv: list[str]) -> int:
    """Runs the command and returns the exit code.

    Args:
        argv: The words after `profile`: those of `zoo fit`, `--repeats N` and `--json`.
    """
    repeats, words = _taken(argv, "--repeats", "5")
    request = parse("profile", [word for word in words if word != "--json"])
    if request.help:
        sys.stdout.write(usage())
        return 0
    if not repeats.isdecimal():
        raise ConfigError(f"--repeats {repeats}: a whole number is due.", "Write `--repeats 5`.")
    os.environ["PYTHONSAFEPATH"] = "1"  # as for a run: workers must not find a user's folder in place of ours
    quiet()
    composed, _ = compose_request(request)
    cli = engine_of(composed, request)
    cli.build(logger=False, enable_checkpointing=False)

    from zoo.engine.profile import profile
    from zoo.models.base import SegModule

    if not isinstance(cli.model, SegModule):
        raise ConfigError(f"{type(cli.model).__name__} is no SegModule.", "Only models of the zoo's base are profiled.")
    found = profile(cli.model, cli.datamodule, cli.trainer.strategy.root_device, int(repeats))
    facts = {"model": composed.model, "size": composed.size, "data": composed.data} | found.to_dict()
    if "--json" in words:
        sys.stdout.write(json.dumps(facts) + "\n")
        return 0
    table = Table(show_header=False, box=None, pad_edge=False)
    for key, value in facts.items():
        table.add_row(key, f"{value:.4g}" if isinstance(value, float) else str(value))
    print_table(table)
    return 0


def _taken(argv: list[str], option: str, default: str) -> tuple[str, list[str]]:
    """The value of an option of this command alone, and the other words."""
    if option not in argv:
        return default, argv
    place = argv.index(option)
    return "".join(argv[place + 1 : place + 2]), [*argv[:place], *argv[place + 2 :]]
