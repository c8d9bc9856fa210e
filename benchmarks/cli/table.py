"""`zoo bench table`: write the leaderboard to standard output or to a file."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.cli.common import add_folders, read_results, refuse_further
from zoo.errors import ConfigError
from zoo.utils.atomic_files import write_text
from zoo.utils.flags import split_names
from zoo.utils.printing import write_output


def add(verbs: Any, about: str) -> None:
    """Add the parser of the verb."""
    table = verbs.add_parser("table", help=about, allow_abbrev=False)
    add_folders(table)
    table.add_argument("--format", choices=("md", "csv", "latex", "json"), default="md")
    table.add_argument("--stats", action="store_true", help="intervals, tests, effect sizes and rank stability")
    table.add_argument("--per-class", action="store_true", help="the scores of each class")
    table.add_argument(
        "--columns", type=split_names, default=(), help="keys of columns (those of --format csv), separated by commas"
    )
    table.add_argument(
        "--controls", choices=("rows", "note"), default="rows", help="controls as rows, or their scores in a note"
    )
    table.add_argument(
        "--test", choices=("wilcoxon", "permutation"), default="wilcoxon", help="paired test over subjects"
    )
    table.add_argument(
        "--protocol", default="", help="convention of another paper for the stored cases; nothing is ranked"
    )
    table.add_argument(
        "--costs", action="store_true", help="the costs that `zoo bench costs` has measured, instead of the scores"
    )
    table.add_argument("--out", type=Path, help="file to write (default: standard output)")
    table.set_defaults(action=_table)


def _table(known: argparse.Namespace, further: Sequence[str]) -> int:
    refuse_further(further)
    from benchmarks.tables.choice import Choice

    choice = Choice(known.stats, known.per_class, tuple(known.columns), known.controls)
    if (known.protocol or known.costs) and choice != Choice():
        alone = "--protocol" if known.protocol else "--costs"
        others = "--stats, --per-class, --columns and --controls"
        raise ConfigError(f"zoo bench table: {alone} is a table of its own.", f"Leave out {others}.")
    choice.check(known.format)
    from benchmarks.leaderboard.leaderboard import make_leaderboard
    from benchmarks.tables.conventions import find_convention, write_convention
    from benchmarks.tables.costs import write_costs
    from benchmarks.tables.writers import FORMATS

    if known.protocol:
        find_convention(known.protocol)  # a wrong name ends the command before anything is read
    if known.costs:
        return _write(write_costs(read_results(known.folders).costs, known.format), known.out)
    plain = not known.protocol and not choice.needs_statistics(known.format)
    leaderboard = make_leaderboard(read_results(known.folders), None if plain else known.test)
    if known.protocol:
        return _write(write_convention(leaderboard, known.format, known.protocol), known.out)
    return _write(FORMATS[known.format](leaderboard, **asdict(choice)), known.out)


def _write(text: str, out: Path | None) -> int:
    if out is None:
        write_output(text)
        return 0
    write_text(out, text)
    return 0
