r"""Tables for a paper: booktabs, the best bold, the second underlined, a dagger where the test finds a difference."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from typing import Any

from benchmarks.leaderboard.leaderboard import Leaderboard
from benchmarks.tables.choice import Choice, make_views
from benchmarks.tables.column import Cell
from benchmarks.tables.views import TableView
from zoo.utils.safe_text import to_printable

_MINUS = re.compile(r"(?<![\w.)-])-(?=\d)")  # of a number, and not within a name
PREAMBLE = r"% \usepackage{booktabs,graphicx}"
FIT = r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%"
"""Makes a table that is wider than the page as wide as the page; a narrower table stays."""
NARROW = 8
"""Number of columns that a column of two-column text holds; a table with more spans both."""

_TEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"$<$",
    ">": r"$>$",
    "Δ": r"$\Delta$",  # pdflatex has no glyph for it in text
    "±": r"$\pm$",
    "†": r"$^{\dagger}$",
    "|": r"\textbar{}",  # a dash in the fonts of plain LaTeX
    **{mark: f"\\{mark}" for mark in "&%$#_{}"},
}


def to_latex(leaderboard: Leaderboard, stats: bool = False, per_class: bool = False, **more: Any) -> str:
    """Return one booktabs table per group and view; the first line, a comment, names the packages to load.

    Args:
        leaderboard: The leaderboard.
        stats: Whether to add a table of the statistics of each ranking, and a table of the texts.
        per_class: Whether to add the scores of each class.
        **more: Further attributes of `Choice`.
    """
    choice = Choice(stats, per_class, **more)
    views = [view for group in leaderboard.groups for view in make_views(group, choice)]
    return latex_tables(views, leaderboard.footnotes)


def latex_tables(views: Iterable[TableView], footnotes: Iterable[str] = ()) -> str:
    """Return the tables one after the other, and the footnotes as comments."""
    notes = "\n".join(f"% {to_printable(note)}" for note in footnotes)  # a line end would end the comment
    labels: Counter[str] = Counter()
    tables = []
    for view in views:
        label = make_label(view.title)
        labels[label] += 1
        tables.append(_table(view, label if labels[label] == 1 else f"{label}-{labels[label]}"))
    return "\n\n".join(filter(None, [PREAMBLE, *tables, notes])) + "\n"


def make_label(title: str) -> str:
    """Return the label of a table from its title, so that a table that is written again keeps its label.

    Example:
        >>> make_label("btcv, text track: class: statistics")
        'tab:btcv-text-track-class-statistics'
    """
    return f"tab:{re.sub(r'[^a-z0-9]+', '-', title.lower()).strip('-')}"


def _table(view: TableView, label: str) -> str:
    environment = "table" if len(view.heads) <= NARROW else "table*"
    aligned = "".join("l" if column.words else "r" for column in view.columns)
    lines = [
        rf"\begin{{{environment}}}",
        r"\centering",
        rf"\caption{{{escape_latex(view.caption).strip()}}}",
        rf"\label{{{label}}}",
        FIT,
        rf"\begin{{tabular}}{{l{aligned}}}",
        r"\toprule",
        " & ".join(map(escape_latex, view.heads)) + r" \\",
    ]
    for _, group in view.groups:
        lines += [r"\midrule"] if group else []
        for line in group:
            head = escape_latex(line.head)
            head = rf"\emph{{{head}}}" if line.kind == "control" else head
            lines.append(" & ".join([head, *map(_cell, line.cells)]) + r" \\")
    lines += [r"\bottomrule", r"\end{tabular}}"]
    notes = [escape_latex(note if note.endswith(".") else f"{note}.") for _, group in view.notes for note in group]
    lines += [rf"\par\footnotesize {' '.join(notes)}"] if notes else []
    return "\n".join([*lines, rf"\end{{{environment}}}"])


def _cell(cell: Cell) -> str:
    text = _MINUS.sub("$-$", escape_latex(cell.text))
    styles = {0: "%s", 1: r"\textbf{%s}", 2: r"\underline{%s}"}
    return styles[cell.place] % text + (_TEX["†"] if cell.marked else "")


def escape_latex(text: str) -> str:
    """Return text that TeX prints as it is."""
    return "".join(_TEX.get(mark, mark) for mark in to_printable(" ".join(text.splitlines())))
