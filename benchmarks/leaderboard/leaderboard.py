"""The leaderboard: one row a model, size, encoder, data set and text track, in blocks that may be ranked.

A block is one data set, one text track and one recipe; text-free rows stand beside any one track, two tracks
are two blocks. A row is ranked only where it is complete and the gate lets it pass; the variants of its ablation
stand under it and are not ranked.
Everything is made from stored files and sorted, so that the same results give the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import Any

from benchmarks.leaderboard import comparability as gate
from benchmarks.leaderboard.aggregate import control_row, make_row, variant_row
from benchmarks.leaderboard.ranking import Ranking, rank_rows, with_intervals
from benchmarks.leaderboard.row import Row
from benchmarks.leaderboard.statistics import Test
from benchmarks.leaderboard.subjects import recorded
from benchmarks.storage.results import Control, Result, all_controls, read_results
from benchmarks.storage.stored_plan import load_plan
from zoo.metrics.case_scores import LEAK

FOOTNOTES = (
    "dice: mean over cases within a class, then over classes; dice_global: tp, fp and fn pooled over cases. "
    "Fractions of 1; mean ± standard deviation over seeds (ddof 1), none for a single seed.",
    "hd95: the larger of the two directed 95th percentiles. A missed or spurious class has dice 0 and the image's "
    "diagonal as its distance. Millimetres (mm) and pixels (px) are never averaged together.",
    "missed, spurious: (case, class) pairs of one seed, averaged over seeds. n: cases.",
    "text_gain: dice with the true text minus dice with shuffled text, text_gain_blank: minus dice with no text, "
    "text_gain_names: minus dice with the names of the classes alone; same checkpoint, mean over seeds; empty for "
    "text-free models.",
    "Controls are no models and are never ranked.",
)

LEAKING = f"[{LEAK}]: the protocol has subjects in more than one part, as its card declares."

VARIANTS = (
    "delta_dice (Δ Dice), of a variant: dice minus that of its full method, seed by seed, mean ± standard deviation "
    "(ddof 1) over the seeds that both have. A variant is its full method with one change, no competitor: never ranked."
)

FOLDS = (
    "A row over folds pools the test cases of all folds of a seed, each case once, before any mean is taken; "
    "n counts all of them."
)


@dataclass(frozen=True, slots=True)
class Block:
    """What may be compared: the rows of one data set, one text track and one recipe.

    Attributes:
        data: The data set.
        track: The text track of the models, or at least of a control, that read text; "none" where nothing does.
        ranked: Rows that stand in the ranking, best Dice first.
        unranked: Rows that do not, each with its reason.
        controls: Rows of controls.
        variants: The variants of a ranked or unranked row. They are no competitors and are never ranked.
        recipe: "equal": one budget for all; "published": each model's own.
        ranking: The statistics of the ranked rows.
        warnings: What the gate has to say that refuses no row.
    """

    data: str
    track: str
    ranked: tuple[Row, ...]
    unranked: tuple[Row, ...]
    controls: tuple[Row, ...]
    variants: Mapping[Row, tuple[Row, ...]] = field(default_factory=dict)
    recipe: str = "equal"
    ranking: Ranking = field(default_factory=Ranking)
    warnings: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """What the block compares, in words."""
        return f"{self.data}, text track: {self.track}" + ("" if self.recipe == "equal" else f", {self.recipe} recipes")

    @property
    def parts(self) -> tuple[tuple[Row, ...], ...]:
        """Ranked rows, unranked rows and controls; each row's variants directly under it."""
        ranked, unranked = (
            tuple(line for row in rows for line in (row, *self.variants.get(row, ())))
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


def read_table(folder: Path, test: Test = "wilcoxon") -> Table:
    """The table of a benchmark's folder.

    Args:
        folder: The benchmark's folder.
        test: What rows are tested with against the best.

    Raises:
        RunError: There is no benchmark in the folder, or a file of it cannot be read.
    """
    plan = load_plan(folder)
    return make_table(read_results(folder, plan), all_controls(folder, plan.jobs), test)


def make_table(results: Iterable[Result], controls: Iterable[Control], test: Test = "wilcoxon") -> Table:
    """Groups results into rows and rows into blocks."""
    results = list(results)
    groups: dict[tuple[Any, ...], dict[str, list[Result]]] = {}
    for result in results:
        groups.setdefault(_group(result), {}).setdefault(result.job.variant, []).append(result)
    owners, spacing = recorded(results, "subjects"), recorded(results, "spacing")
    made = [_full_and_variants(groups[key], owners) for key in sorted(groups)]
    lines = [control_row(control, owners, spacing) for control in controls]
    named = {result.job.data: result.job.shown_data for result in results}
    made_rows = [replace(row, data=named.get(row.data, row.data)) for row in [*chain(*made), *lines]]
    rows = iter(with_intervals(made_rows))
    ablations = [[next(rows) for _ in ablation] for ablation in made]
    lines = list(rows)
    blocks = []
    for data, recipe in sorted({(row.data, row.recipe) for row, *_ in ablations}):
        mine = [ablation for ablation in ablations if (ablation[0].data, ablation[0].recipe) == (data, recipe)]
        tracks = {
            row.text_track for row in [*(row for row, *_ in mine), *(line for line in lines if line.data == data)]
        }
        for track in sorted(tracks - {"none"}) or ["none"]:
            shown = [ablation for ablation in mine if ablation[0].text_track in {"none", track}]
            beside = [row for row in lines if row.data == data and row.text_track in {"none", track}]
            blocks.append(_block(data, track, recipe, shown, beside, test))
    variants = [VARIANTS] if any(len(ablation) > 1 for ablation in ablations) else []
    folds = [FOLDS] if any(row.folds for row, *_ in ablations) else []
    leaking = [LEAKING] if any(LEAK in row.mark for row, *_ in ablations) else []
    return Table(tuple(blocks), (*FOOTNOTES, *leaking, *variants, *folds))


def _group(result: Result) -> tuple[Any, ...]:
    """What one row, with its variants, seeds and folds, has in common."""
    job = result.job
    own = tuple(pair for pair in job.overrides if pair[0].startswith("data."))  # two protocols, say
    folds = job.fold is not None
    return (job.data, job.model, job.settings.size, job.encoder, job.settings.recipe, folds, own)


def _full_and_variants(runs: Mapping[str, Sequence[Result]], owners: Mapping[tuple[str, str], str]) -> list[Row]:
    """The row of a full method, and those of its variants by name."""
    full = runs[""]  # a plan has it beside every variant
    return [make_row(full, owners), *(variant_row(runs[name], full, owners) for name in sorted(runs) if name)]


def _block(
    data: str, track: str, recipe: str, ablations: Sequence[Sequence[Row]], controls: Sequence[Row], test: Test
) -> Block:
    """Lets the gate decide which rows are ranked; their variants go with them."""
    rows, common = gate.judge([row for row, *_ in ablations])
    ranked = sorted((row for row in rows if row.status == "ok"), key=lambda row: (-(row.dice or 0.0), *_key(row)))
    unranked = sorted((row for row in rows if row.status != "ok"), key=_key)
    leaking = {row.split_hash for row in rows if LEAK in row.mark}
    return Block(
        data,
        track,
        tuple(ranked),
        tuple(unranked),
        tuple(gate.beside(row, common, row.split_hash in leaking) for row in controls),
        {row: tuple(variants) for row, (_, *variants) in zip(rows, ablations, strict=True) if variants},
        recipe,
        rank_rows(ranked, test),
        gate.warnings(ranked, unranked, controls),
    )


def _key(row: Row) -> tuple[str, ...]:
    """The order of rows of which none is better."""
    return (row.model, row.size, row.encoder, row.text_track)
