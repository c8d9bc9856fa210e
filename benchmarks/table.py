"""The leaderboard: one row a model, size, encoder, data set and text track, in blocks that may be ranked.

A block is one data set and one text track; text-free rows stand beside any one track, two tracks are
two blocks. A row is ranked only where it is complete and agrees with its block in what `GATE` names;
the rungs of its ladder stand under it and are not ranked.
Everything is made from stored files and sorted, so that the same results give the same bytes.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from benchmarks.plan import load_plan
from benchmarks.results import Control, Result, read_controls, read_results
from benchmarks.rows import GATE, Row, control_row, make_row, rung_row
from zoo.metrics.rows import LEAK

FOOTNOTES = (
    "dice: mean over cases within a class, then over classes; dice_global: tp, fp and fn pooled over cases. "
    "Fractions of 1; mean ± standard deviation over seeds (ddof 1), none for a single seed.",
    "hd95: the larger of the two directed 95th percentiles. A missed or spurious class has dice 0 and the image's "
    "diagonal as its distance. Millimetres (mm) and pixels (px) are never averaged together.",
    "missed, spurious: (case, class) pairs of one seed, averaged over seeds. n: cases.",
    "text_gain: dice with the true text minus dice with shuffled text, text_gain_blank: minus dice with no text; "
    "same checkpoint, mean over seeds; empty for text-free models.",
    "Controls are no models and are never ranked.",
    f"[{LEAK}]: the protocol has subjects in more than one part, as its card declares.",
)

LADDER = (
    "delta_dice (Δ Dice), of a rung: dice minus that of its full method, seed by seed, mean ± standard deviation "
    "(ddof 1) over the seeds that both have. A rung is its full method with one change, no competitor: never ranked."
)


@dataclass(frozen=True, slots=True)
class Block:
    """What may be compared: the rows of one data set and one text track.

    Attributes:
        data: The data set.
        track: The text track of the models, or at least of a control, that read text; "none" where nothing does.
        ranked: Rows that stand in the ranking, best Dice first.
        unranked: Rows that do not, each with its reason.
        controls: Rows of controls.
        ladders: The rungs of a ranked or unranked row. They are no competitors and are never ranked.
    """

    data: str
    track: str
    ranked: tuple[Row, ...]
    unranked: tuple[Row, ...]
    controls: tuple[Row, ...]
    ladders: Mapping[Row, tuple[Row, ...]] = field(default_factory=dict)

    @property
    def parts(self) -> tuple[tuple[Row, ...], ...]:
        """Ranked rows, unranked rows and controls; each row's rungs directly under it."""
        ranked, unranked = (
            tuple(line for row in rows for line in (row, *self.ladders.get(row, ())))
            for rows in (self.ranked, self.unranked)
        )
        return ranked, unranked, self.controls

    @property
    def rows(self) -> tuple[Row, ...]:
        """All rows in the order of print."""
        return tuple(row for part in self.parts for row in part)

    @property
    def unit(self) -> str:
        """The unit of the block's distances."""
        units = {row.hd95_unit for row in self.rows} - {""}
        return units.pop() if len(units) == 1 else ""


@dataclass(frozen=True, slots=True)
class Table:
    """The leaderboard of a benchmark."""

    blocks: tuple[Block, ...]
    footnotes: tuple[str, ...] = FOOTNOTES

    @property
    def rows(self) -> list[Row]:
        """Every row once, in the order of print."""
        return list(dict.fromkeys(row for block in self.blocks for row in block.rows))


def read_table(folder: Path) -> Table:
    """The table of a benchmark's folder.

    Raises:
        RunError: There is no benchmark in the folder, or a file of it cannot be read.
    """
    results = read_results(folder, load_plan(folder))
    controls = [control for name in sorted({r.job.data for r in results}) for control in read_controls(folder, name)]
    return make_table(results, controls)


def make_table(results: Iterable[Result], controls: Iterable[Control]) -> Table:
    """Groups results into rows and rows into blocks."""
    groups: dict[tuple[str, ...], dict[str, list[Result]]] = {}
    named: dict[str, str] = {}
    for result in results:
        job = result.job
        named[job.data] = job.shown_data
        key = (job.data, job.model, job.settings.size, job.encoder)
        groups.setdefault(key, {}).setdefault(job.rung, []).append(result)
    ladders = dict(_ladder(groups[key]) for key in sorted(groups))
    lines = [control_row(control, named.get(control.data, "")) for control in controls]
    blocks = []
    for data in sorted({row.data for row in ladders}):
        mine = [row for row in ladders if row.data == data]
        known = {row.text_track for row in (*mine, *(line for line in lines if line.data == data))}
        for track in sorted(known - {"none"}) or ["none"]:
            shown = {row: ladders[row] for row in mine if row.text_track in {"none", track}}
            beside = [row for row in lines if row.data == data and row.text_track in {"none", track}]
            blocks.append(_block(data, track, shown, beside))
    return Table(tuple(blocks), (*FOOTNOTES, LADDER) if any(ladders.values()) else FOOTNOTES)


def _ladder(runs: Mapping[str, Sequence[Result]]) -> tuple[Row, tuple[Row, ...]]:
    """The row of a full method, and those of its rungs by name."""
    full = runs[""]  # a plan has it beside every rung
    return make_row(full), tuple(rung_row(runs[name], full) for name in sorted(runs) if name)


def _block(data: str, track: str, rows: Mapping[Row, tuple[Row, ...]], controls: Sequence[Row]) -> Block:
    """Lets the gate decide which rows are ranked; their rungs go with them."""
    whole = [row for row in rows if row.status == "ok"]
    reference = _reference([_gated(row) for row in whole])
    ranked, unranked = [], [row for row in rows if row.status != "ok"]
    ladders = dict(rows)
    for row in whole:
        differing = [key for key, value in _gated(row).items() if value != reference[key]]
        reasons = [f"{key} {_shown(getattr(row, key))}, not {_shown(reference[key])}" for key in differing]
        if row.dice is None:
            reasons.append("no class in any case")
        if reasons:
            unranked.append(replace(row, status="refused", reason=f"not comparable: {'; '.join(reasons)}"))
            ladders[unranked[-1]] = ladders.pop(row)
        else:
            ranked.append(row)
    ranked.sort(key=lambda row: (-(row.dice or 0.0), row.model, row.size, row.encoder))
    unranked.sort(key=lambda row: (row.model, row.size, row.encoder, row.text_track))
    leaking = {row.split_hash for row in whole if row.mark}
    marked = [replace(row, mark=LEAK) if row.split_hash in leaking else row for row in controls]
    stale = tuple(_stale(row, reference) for row in marked)
    return Block(data, track, tuple(ranked), tuple(unranked), stale, {row: r for row, r in ladders.items() if r})


def _gated(row: Row) -> dict[str, Any]:
    return {key: getattr(row, key) for key in GATE}


def _reference(facts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What most rows of a block share; among equals the one that sorts first."""
    counts = Counter(json.dumps(fact, sort_keys=True) for fact in facts)
    if not counts:
        return {}
    best: dict[str, Any] = json.loads(min(counts, key=lambda text: (-counts[text], text)))
    return best


def _stale(row: Row, reference: Mapping[str, Any]) -> Row:
    """Says of a control that it was computed on other cases or by another metric than the models."""
    keys = [key for key in ("split_hash", "metric_version", "n") if getattr(row, key) not in ("", None)]
    other = [key for key in keys if getattr(row, key) != reference.get(key, getattr(row, key))]
    note = f"other {' and '.join(other)} than the models" if other else ""
    return replace(row, reason="; ".join(filter(None, [row.reason, note])))


def _shown(value: object) -> str:
    text = str(value) if value not in ("", None) else "(none)"
    return f"{text[:12]}..." if len(text) == 64 else text  # a hash
