"""The short table at the end of `zoo test`."""

from __future__ import annotations

from pathlib import Path

from rich.table import Table

from zoo.cli.console import console
from zoo.metrics.case_scores import CaseScore, read_rows
from zoo.metrics.conventions import CONVENTIONS
from zoo.metrics.score_files import about_path
from zoo.metrics.scorer_means import SCORER_MEANS, scorer_means
from zoo.metrics.summary import MeanScores, summarise
from zoo.utils.json_objects import read_object


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
    _print_scorers(rows, path)
    console.print(f"{summary.cases} cases, one row per case and class in {path}", soft_wrap=True)
    if any(row.mark for row in rows):
        console.print("marked: this protocol has subjects in more than one split, as its card declares", soft_wrap=True)


def _print_scorers(rows: list[CaseScore], path: Path) -> None:
    """Print the means by the scorers of challenges, one line per scorer."""
    about = about_path(path)
    found = scorer_means(rows, read_object(about) if about.is_file() else {})
    for convention in CONVENTIONS:
        means = [one for one in SCORER_MEANS if one.convention == convention and one.key in found]
        if means:
            listed = ", ".join(f"{one.title} {found[one.key]:.4f}" for one in means)
            console.print(f"{convention}: {listed}", soft_wrap=True)


def _cells(scores: MeanScores) -> list[str]:
    numbers = ["" if n is None else f"{n:.{digits}f}" for n, digits in ((scores.dice, 4), (scores.hd95, 2))]
    return [*numbers, str(scores.missed), str(scores.spurious)]
