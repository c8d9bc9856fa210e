"""`zoo data stats`: statistics of a data set."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any

from rich.table import Table

from datamodules.cli.common import add_data_arguments, console, open_data, progress
from zoo.errors import ConfigError

HELP = "count cases and subjects, shapes, spacing, class shares and captions, and score what text alone predicts"


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    add_data_arguments(parser)
    parser.add_argument("--fold", metavar="F", type=int, help="fold of a k-fold by subject, from 0")


def run(arguments: argparse.Namespace, options: Mapping[str, Any]) -> int:
    """Run the command."""
    if arguments.fold is not None:
        if "fold" in options:
            raise ConfigError("zoo data stats: --fold beside --data.fold.", "Leave one of them out.")
        options = {**options, "fold": str(arguments.fold)}
    data = open_data(arguments, options)
    from datamodules.analysis.statistics import describe_data
    from datamodules.analysis.training_summary import store_summary

    summary, path = store_summary(data, progress)
    facts, out = describe_data(data, progress), console()
    facts["training"] = {"file": str(path), "hash": summary.hash, **summary.to_dict()}
    if arguments.json:
        out.print_json(data=facts)
        return 0
    for table in _tables(facts):
        out.print(table)
    return 0


def _tables(facts: Mapping[str, Any]) -> list[Table]:
    """The statistics as tables: the data set, its splits, its classes, its captions."""
    overview = _table(f"{facts['title']} ({facts['data']})", "", "")
    for key in ("protocol", "split_hash", "track", "prompt_version"):
        overview.add_row(key.replace("_", " "), str(facts[key]))
    for key in ("shape", "spacing"):
        sizes = facts[key]
        ranges = [_span(sizes, axis) for axis in range(len(sizes["least"]))]
        overview.add_row(f"{key} ({sizes.get('unit', 'voxels')})", " x ".join(ranges))
    training = facts["training"]
    overview.add_row("training cases", str(sum(grid["cases"] for grid in training["grids"])))
    overview.add_row("training summary", f"{training['file']} ({training['hash'][:12]})")
    splits = _table("splits", "split", "cases", "subjects", "empty masks")
    for name, split in facts["parts"].items():
        splits.add_row(name, *(str(split[key]) for key in ("cases", "subjects", "empty masks")))
    classes = _table("classes", "class", "share of voxels", "in cases")
    for name, one in facts["classes"].items():
        classes.add_row(name, f"{one['share']:.4%}", str(one["cases"]))
    return [overview, splits, classes, *(_caption_tables(facts) if "captions" in facts else [])]


def _caption_tables(facts: Mapping[str, Any]) -> list[Table]:
    captions = dict(facts["captions"])
    shared = captions.pop("test in train")
    lengths = _table("captions", "split", "cases", "distinct", "doubled", "empty", "words", "characters")
    frequent = _table("most frequent captions", "split", "cases", "caption")
    for name, split in captions.items():
        spans = [
            f"{split[key]['least']:g}-{split[key]['largest']:g} ({split[key]['middle']:g})"
            for key in ("words", "characters")
        ]
        lengths.add_row(name, *(str(split[key]) for key in ("cases", "distinct", "doubled", "empty")), *spans)
        for one in split["most frequent"]:
            frequent.add_row(name, str(one["count"]), one["caption"] or "(empty)")
    alone = _table("what text alone predicts (Dice on the test split)", "", "")
    for key, value in facts["text alone"].items():
        alone.add_row(key, "-" if value is None else f"{value:.4f}")
    alone.add_row("test captions that train has too", f"{shared['cases']} of {shared['of']}")
    return [lengths, frequent, alone]


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", show_header=any(columns))
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _span(sizes: Mapping[str, Any], axis: int) -> str:
    """Smallest and largest value of an axis, with the middle in brackets; one number where they are equal."""
    least, middle, largest = (sizes[key][axis] for key in ("least", "middle", "largest"))
    return f"{least:g}" if least == largest else f"{least:g}-{largest:g} ({middle:g})"
