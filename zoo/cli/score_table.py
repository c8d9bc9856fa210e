"""The short table at the end of `zoo test`."""

from __future__ import annotations

from pathlib import Path

from rich.table import Table

from zoo.cli.console import console
from zoo.metrics.case_scores import read_rows
from zoo.metrics.summary import MeanScores, summarise


def print_scores(path: Path) -> None:
    """Print Dice, HD95 and the missed and spurious cases, per class and in the mean.

    Args:
        path: The score file of a test.
    """
    rows = read_rows(path)
    summary = summarise(rows)
    table = Table(box=None, pad_edge=False)
    table.add_column("class")
    for title in ("dice", f"hd95 ({summary.unit})", "missed", "spurious"):
        table.add_column(title, justify="right", no_wrap=True)
    for name, scores in summary.per_class.items():
        table.add_row(name, *_cells(scores))
    if len(summary.per_class) > 1:
        table.add_row("mean", *_cells(summary))
    console.print(table)
    console.print(f"{summary.cases} cases, one row per case and class in {path}", soft_wrap=True)
    if any(row.mark for row in rows):
        console.print("marked: this protocol has subjects in more than one split, as its card declares", soft_wrap=True)


def _cells(scores: MeanScores) -> list[str]:
    numbers = ["" if n is None else f"{n:.{digits}f}" for n, digits in ((scores.dice, 4), (scores.hd95, 2))]
    return [*numbers, str(scores.missed), str(scores.spurious)]
