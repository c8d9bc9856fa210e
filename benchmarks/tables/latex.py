r"""Tables for a paper: booktabs, the best bold, the second underlined, a dagger where the test finds a difference."""

from __future__ import annotations

import re
from collections.abc import Iterable

from benchmarks.leaderboard.leaderboard import Table
from benchmarks.tables.views import Cell, Sheet, sheets

_MINUS = re.compile(r"(?<![\w.)-])-(?=\d)")  # of a number, and not within a name
PREAMBLE = r"% \usepackage{booktabs,graphicx}"
FIT = r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%"
"""What is wider than the page is made as wide as it; nothing is made larger."""
NARROW = 8
"""Columns that a column of two-column text holds; with more a table spans both."""

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


def to_latex(table: Table, stats: bool = False, per_class: bool = False) -> str:
    """One booktabs table a block and sheet; what the document must load stands in the first line, as a comment.

    Args:
        table: The table.
        stats: With a table of the statistics of each ranking, and one of the texts.
        per_class: With a table of the Dice of each class.
    """
    return write_sheets([one for block in table.blocks for one in sheets(block, stats, per_class)], table.footnotes)


def write_sheets(found: Iterable[Sheet], footnotes: Iterable[str] = ()) -> str:
    """Sheets one after the other, the footnotes as comments."""
    notes = "\n".join(f"% {note}" for note in footnotes)
    return "\n\n".join(filter(None, [PREAMBLE, *map(_sheet, found), notes])) + "\n"


def _sheet(sheet: Sheet) -> str:
    place = "table" if len(sheet.heads) <= NARROW else "table*"
    lines = [
        rf"\begin{{{place}}}",
        r"\centering",
        rf"\caption{{{escape(sheet.caption).strip()}}}",
        FIT,
        rf"\begin{{tabular}}{{{'l' * sheet.names}{'r' * (len(sheet.heads) - sheet.names)}}}",
        r"\toprule",
        " & ".join(map(escape, sheet.heads)) + r" \\",
    ]
    for group in sheet.groups:
        lines += [r"\midrule"] if group else []
        for cells in group:
            first = escape(cells[0].text)
            first = rf"\emph{{{first}}}" if cells[0].text in sheet.controls else first
            lines.append(" & ".join([first, *map(_cell, cells[1:])]) + r" \\")
    lines += [r"\bottomrule", r"\end{tabular}}"]
    notes = [escape(note if note.endswith(".") else f"{note}.") for _, group in sheet.notes for note in group]
    lines += [rf"\par\footnotesize {' '.join(notes)}"] if notes else []
    return "\n".join([*lines, rf"\end{{{place}}}"])


def _cell(cell: Cell) -> str:
    text = _MINUS.sub("$-$", escape(cell.text))
    styles = {"best": r"\textbf{%s}", "second": r"\underline{%s}"}
    text = styles[cell.place] % text if cell.place and text else text
    return text + _TEX["†"] if cell.marked else text


def escape(text: str) -> str:
    """Text as TeX prints it."""
    return "".join(_TEX.get(mark, mark) for mark in text)
