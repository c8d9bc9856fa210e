"""One table, four ways to write it: Markdown and LaTeX to read, CSV and JSON to compute with."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, fields

from benchmarks.rows import Row
from benchmarks.table import Block, Table

NAMES = ("Model", "Encoder", "Text")
FIGURES = ("Dice global", "HD95", "Missed", "Spurious")
DELTA = "Δ Dice"
GAINS = ("Text gain", "Blank gain")


def to_csv(table: Table) -> str:
    """Comma-separated values: the fields of `Row` in their order, fractions from 0 to 1, empty for "none"."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    names = [field.name for field in fields(Row)]
    writer.writerow(names)
    writer.writerows([_exact(getattr(row, name)) for name in names] for row in table.rows)
    return out.getvalue()


def to_json(table: Table) -> str:
    """An object with `rows` (one object each, the columns of the CSV) and `footnotes`."""
    rows = [
        {key: round(v, 6) + 0.0 if isinstance(v, float) else v for key, v in asdict(row).items()} for row in table.rows
    ]
    return json.dumps({"rows": rows, "footnotes": list(table.footnotes)}, indent=2, ensure_ascii=False) + "\n"


def to_markdown(table: Table) -> str:
    """One section a block: ranked rows with the best in bold, then unranked ones, then controls in italics.

    What the rungs of the ladders change stands under their table.
    """
    parts = []
    for block in table.blocks:
        heads = _heads(block)
        lines = [f"### {block.data}, text track: {block.track}", ""]
        lines += [_line(heads), _line(["---"] * 3 + ["---:"] * (len(heads) - 3))]
        for row in block.rows:
            cells = _cells(row, block, "**{}**".format, _pipe)
            lines.append(_line([f"*{cells[0]}*", *cells[1:]] if row.control else cells))
        for title, notes in (("Rungs", _legends(block)), ("Notes", _reasons(block))):
            lines += ["", f"{title}:", "", *(f"- {_pipe(note)}" for note in notes)] if notes else []
        parts.append("\n".join(lines))
    parts.append("\n".join(f"- {note}" for note in table.footnotes))
    return "\n\n".join(parts) + "\n"


def to_latex(table: Table) -> str:
    """One booktabs table a block, for the booktabs package; the best is bold."""
    return "\n\n".join(_latex_block(block) for block in table.blocks) + "\n\n" + _latex_notes(table)


FORMATS: dict[str, Callable[[Table], str]] = {"md": to_markdown, "csv": to_csv, "latex": to_latex, "json": to_json}


def _latex_block(block: Block) -> str:
    heads = _heads(block)
    lines = [
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{_tex(block.data)}, text track: {_tex(block.track)}. Dice as a fraction of 1, mean and standard "
        r"deviation over seeds.}",
        rf"\begin{{tabular}}{{lll{'r' * (len(heads) - 3)}}}",
        r"\toprule",
        " & ".join(map(_tex, heads)) + r" \\",
    ]
    for rows in block.parts:
        lines += [r"\midrule"] if rows else []
        for row in rows:
            cells = _cells(row, block, r"\textbf{{{}}}".format, _tex)
            cells[0] = rf"\emph{{{cells[0]}}}" if row.control else cells[0]
            lines.append(" & ".join(cells) + r" \\")
    lines += [r"\bottomrule", r"\end{tabular}"]
    notes = [f"{_tex(note)}." for note in (*_legends(block), *_reasons(block))]
    lines += [rf"\par\footnotesize {' '.join(notes)}"] if notes else []
    return "\n".join([*lines, r"\end{table}"])


def _latex_notes(table: Table) -> str:
    return "\n".join(f"% {note}" for note in table.footnotes) + "\n"


def _heads(block: Block) -> list[str]:
    """The heads of a block's columns; text gain only where a model reads text, the delta only beside rungs."""
    unit = f" ({block.unit})" if block.unit else ""
    figures = [f"{head}{unit}" if head == "HD95" else head for head in FIGURES]
    delta = [DELTA] if block.ladders else []
    gains = GAINS if block.track != "none" else ()
    return [*NAMES, "n", "Seeds", "Dice", *delta, *figures, *gains, "Params (M)"]


def _legends(block: Block) -> list[str]:
    return [f"{row.label}: {row.legend}" for row in block.rows if row.rung]


def _reasons(block: Block) -> list[str]:
    return [f"{row.label}: {row.reason}" for row in block.rows if row.reason]


def _cells(row: Row, block: Block, strong: Callable[[str], str], escape: Callable[[str], str]) -> list[str]:
    """The cells of a row in print, the best of the ranking strong."""
    dice, hd95 = _spread(row.dice, row.dice_std, 3), _spread(row.hd95, row.hd95_std, 2)
    if not block.unit and hd95:
        hd95 += f" {row.hd95_unit}"
    if row in block.ranked:
        dice = strong(dice) if row.dice == max(r.dice or 0.0 for r in block.ranked) else dice
        nearest = [r.hd95 for r in block.ranked if r.hd95 is not None]
        hd95 = strong(hd95) if nearest and block.unit and row.hd95 == min(nearest) else hd95
    cells = [escape(row.label), escape(row.encoder), escape(row.text_track)]
    cells += [_whole(row.n), _seeds(row), dice]
    cells += [_spread(row.delta_dice, row.delta_dice_std, 3, "+")] if block.ladders else []
    cells += [_fixed(row.dice_global, 3), hd95, _short(row.missed), _short(row.spurious)]
    if block.track != "none":
        cells += [_fixed(row.text_gain, 3, "+"), _fixed(row.text_gain_blank, 3, "+")]
    return [*cells, _fixed(None if row.params is None else row.params / 1e6, 2)]


def _seeds(row: Row) -> str:
    """How many seeds; for an incomplete row how many of how many."""
    if row.seeds is None:
        return ""
    return str(row.seeds) if row.seeds == row.seeds_planned else f"{row.seeds}/{row.seeds_planned}"


def _spread(mean: float | None, deviation: float | None, digits: int, sign: str = "") -> str:
    return _fixed(mean, digits, sign) + (f" ± {deviation:.{digits}f}" if deviation is not None else "")


def _fixed(value: float | None, digits: int, sign: str = "") -> str:
    return "" if value is None else f"{round(value, digits) + 0.0:{sign}.{digits}f}"  # + 0.0: never "-0.000"


def _short(value: float | None) -> str:
    return "" if value is None else f"{round(value, 2):g}"


def _whole(value: int | None) -> str:
    return "" if value is None else str(value)


def _exact(value: object) -> str:
    """Six digits after the point: more than any table prints, fewer than rounding errors need."""
    if value is None:
        return ""
    return repr(round(value, 6) + 0.0) if isinstance(value, float) else str(value)


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _pipe(text: str) -> str:
    return text.replace("|", r"\|").replace("*", r"\*")


_TEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "Δ": r"$\Delta$",  # pdflatex has no glyph for it in text
    **{mark: f"\\{mark}" for mark in "&%$#_{}"},
}


def _tex(text: str) -> str:
    return "".join(_TEX.get(mark, mark) for mark in text)
