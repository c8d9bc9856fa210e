"""The table of `zoo fit --init-from`: what was loaded, what is new, what was left out."""

from __future__ import annotations

from rich.table import Table

from zoo.cli.console import print_table
from zoo.engine.initial_weights import LoadedWeights


def print_weights(report: LoadedWeights) -> None:
    """Print one row per part of the model and kind of weights."""
    table = Table(
        title=f"Weights of {report.source} ({report.sha256[:12]})", title_justify="left", box=None, pad_edge=False
    )
    for title in ("part", "tensors", "values", "state"):
        table.add_column(title, justify="right" if title in ("tensors", "values") else "left")
    for part, tensors, values, state in report.rows():
        table.add_row(part, str(tensors), f"{values:,}", state)
    print_table(table)
