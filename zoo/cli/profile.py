"""`zoo profile`: the costs of a model on a data set."""

from __future__ import annotations

import json
import sys

from rich.table import Table

from zoo.cli.console import print_table
from zoo.cli.help import print_help
from zoo.cli.process import load_lightning, prepared_process
from zoo.engine.arguments import compose_request, parse
from zoo.engine.early_checks import check_early
from zoo.errors import ConfigError
from zoo.utils.activity import set_activity


def main(argv: list[str]) -> int:
    """Run the command and return the exit code.

    Args:
        argv: The words after `profile`: those of `zoo fit`, `--repeats N` and `--json`.
    """
    repeats, words = _take_option(argv, "--repeats", "5")
    request = parse("profile", [word for word in words if word != "--json"])
    if request.help:
        print_help(request)
        return 0
    if not repeats.isdecimal():
        raise ConfigError(f"--repeats {repeats} is not a whole number.", "Write `--repeats 5`.")
    with prepared_process():
        composed = compose_request(request)
        check_early(request, composed)
        cli = load_lightning().from_request(request, composed)
        set_activity("building the model")
        cli.build(logger=False, enable_checkpointing=False)

        from zoo.engine.profile import profile
        from zoo.models.base import SegModule

        if not isinstance(cli.model, SegModule):
            raise ConfigError(
                f"{type(cli.model).__name__} is no SegModule.", "`zoo profile` takes subclasses of zoo.SegModule only."
            )
        set_activity("measuring")
        costs = profile(cli.model, cli.datamodule, cli.trainer.strategy.root_device, int(repeats))
    rows = {"model": composed.model, "size": composed.size, "data": composed.data} | costs.to_dict()
    if "--json" in words:
        sys.stdout.write(json.dumps(rows) + "\n")
        return 0
    table = Table(show_header=False, box=None, pad_edge=False)
    for key, value in rows.items():
        table.add_row(key, f"{value:.4g}" if isinstance(value, float) else str(value))
    print_table(table)
    return 0


def _take_option(argv: list[str], option: str, default: str) -> tuple[str, list[str]]:
    """Return the value of an option and the words without it."""
    if option not in argv:
        return default, argv
    index = argv.index(option)
    return "".join(argv[index + 1 : index + 2]), [*argv[:index], *argv[index + 2 :]]
