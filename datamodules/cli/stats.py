"""`zoo data stats`: what a set holds, in figures."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any

from rich.table import Table

from datamodules.cli.common import add_set, console, open_set, progress

HELP = "cases and subjects, shapes, spacing, class shares, captions, and what text alone predicts"


def add(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    add_set(parser)


def run(arguments: argparse.Namespace, options: Mapping[str, Any]) -> int:
    """Run the command."""
    data = open_set(arguments, options)
    from datamodules.analysis.statistics import describe_data

    facts, out = describe_data(data, progress), console()
    if arguments.json:
        out.print_json(data=facts)
        return 0
    for table in _tables(facts):
        out.print(table)
    return 0


def _tables(facts: Mapping[str, Any]) -> list[Table]:
    """The figures as tables: the set, its parts, its classes, its captions."""
    whole = _table(f"{facts['title']} ({facts['data']})", "", "")
    for key in ("protocol", "split_hash", "track", "prompt_version"):
        whole.add_row(key.replace("_", " "), str(facts[key]))
    for key in ("shape", "spacing"):
        about = facts[key]
        ranges = [_span(about, axis) for axis in range(len(about["least"]))]
        whole.add_row(f"{key} ({about.get('unit', 'voxels')})", " x ".join(ranges))
    parts = _table("parts", "part", "cases", "subjects", "empty masks")
    for name, part in facts["parts"].items():
        parts.add_row(name, *(str(part[key]) for key in ("cases", "subjects", "empty masks")))
    classes = _table("classes", "class", "share of voxels", "in cases")
    for name, one in facts["classes"].items():
        classes.add_row(name, f"{one['share']:.4%}", str(one["cases"]))
    return [whole, parts, classes, *(_caption_tables(facts) if "captions" in facts else [])]


def _caption_tables(facts: Mapping[str, Any]) -> list[Table]:
    captions = dict(facts["captions"])
    shared = captions.pop("test in train")
    lengths = _table("captions", "part", "cases", "distinct", "doubled", "empty", "words", "characters")
    frequent = _table("most frequent captions", "part", "cases", "caption")
    for name, part in captions.items():
        spans = [
            f"{part[key]['least']:g}-{part[key]['largest']:g} ({part[key]['middle']:g})"
            for key in ("words", "characters")
        ]
        lengths.add_row(name, *(str(part[key]) for key in ("cases", "distinct", "doubled", "empty")), *spans)
        for one in part["most frequent"]:
            frequent.add_row(name, str(one["count"]), one["caption"] or "(empty)")
    alone = _table("what text alone predicts (Dice on the test part)", "", "")
    for key, value in facts["text alone"].items():
        alone.add_row(key, "-" if value is None else f"{value:.4f}")
    alone.add_row("test captions that train has too", f"{shared['cases']} of {shared['of']}")
    return [lengths, frequent, alone]


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", show_header=any(columns))
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _span(about: Mapping[str, Any], axis: int) -> str:
    """Least to largest of an axis, and the middle in brackets; one number where they are the same."""
    least, middle, largest = (about[key][axis] for key in ("least", "middle", "largest"))
    return f"{least:g}" if least == largest else f"{least:g}-{largest:g} ({middle:g})"
