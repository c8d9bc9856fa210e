"""The leaderboard of a benchmark: rows in groups that may be ranked.

There is one row per model, size, encoder, data set and text track. A group has one data set, one text track and one
recipe. Rows of models without text are in the group of each track. Only a complete row that passes the
comparability check is ranked. The variants of an ablation follow their full method and are not ranked.
The order of the results changes nothing: the same results give the same bytes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Any

from benchmarks.leaderboard.aggregate import Owners, make_control_row, make_row, make_variant_row
from benchmarks.leaderboard.comparability import check_control, check_rows, find_warnings
from benchmarks.leaderboard.matched_rows import mark_sizes
from benchmarks.leaderboard.over_no_text import add_over_no_text
from benchmarks.leaderboard.ranking import RankedRow, Ranking, add_intervals, add_samples, rank_rows
from benchmarks.leaderboard.row import LeaderboardRow
from benchmarks.leaderboard.stated_rows import FOOTNOTE as STATED_FOOTNOTE
from benchmarks.leaderboard.stated_rows import as_result, check_stated, compare_stated, make_stated_rows
from benchmarks.leaderboard.statistics import Test
from benchmarks.leaderboard.subjects import most_recorded
from benchmarks.storage.results import Benchmark, JobResult
from benchmarks.storage.scored import STATED
from benchmarks.storage.seeds import CARD
from zoo.metrics.case_scores import LEAK

FOOTNOTES = (
    "dice: mean over cases within a class, then over classes; dice_global: tp, fp and fn pooled over cases. "
    "Fractions of 1; mean ± standard deviation over seeds (ddof 1), none for a single seed.",
    "hd95: the larger of the two directed 95th percentiles. A missed or spurious class has dice 0 and the image's "
    "diagonal as its distance. Millimetres (mm) and pixels (px) are never averaged together.",
    "missed, spurious: number of (case, class) pairs of one seed, mean over seeds. n: number of cases.",
    "text_gain: dice with the true text minus dice with shuffled text, text_gain_blank: minus dice with no text, "
    "text_gain_names: minus dice with the names of the classes alone, and likewise for rewritten text; same "
    "checkpoint, mean over seeds; empty for models that read no text.",
    "Controls are not models, and they are never ranked.",
)

LEAKING = f"[{LEAK}]: the protocol has subjects in two or more splits, as its card declares."

ABLATION = (
    "delta_dice (Δ Dice), of a variant: dice minus that of its full method, seed by seed, mean ± standard deviation "
    "(ddof 1) over the seeds that both have. A variant is its full method with one change: it is never ranked."
)

CARDS = "Recipe of each row: card (no model was tuned with `zoo bench tune`)."

FOLDS = (
    "A row over folds pools the test cases of all folds of a seed, each case once, before any mean is taken; "
    "n counts all of them."
)


@dataclass(frozen=True, slots=True)
class RankingGroup:
    """The rows that may be compared: of one data set, one text track and one recipe.

    Attributes:
        data: The data set.
        track: The text track of the models, or at least of a control, that read text; "none" where no row reads text.
        ranked: The rows of the ranking, best Dice first.
        unranked: The other models, each with its reason.
        controls: The rows of the controls.
        variants: Row of a full method, ranked or not, to the rows of its variants.
        recipe: One of `benchmarks.plan.job.RECIPES`, or "stated": methods outside the zoo alone.
        ranking: The statistics of the ranked rows.
        warnings: Warnings of the comparability check, which refuse no row.
        pairs: The paired tests against methods outside the zoo, which are among the unranked rows.

    Example:
        >>> metrics = {"dice": 0.9, "hd95": 2.0, "hd95_pooled": 1.5, "nsd": 0.8, "assd": 0.7}
        >>> row = LeaderboardRow(model="unet", data="btcv", hd95_unit="mm", **metrics)
        >>> RankingGroup("btcv", "none", ranked=(row,), unranked=(), controls=()).unit
        'mm'
    """

    data: str
    track: str
    ranked: tuple[LeaderboardRow, ...]
    unranked: tuple[LeaderboardRow, ...]
    controls: tuple[LeaderboardRow, ...]
    variants: Mapping[LeaderboardRow, tuple[LeaderboardRow, ...]] = field(default_factory=dict)
    recipe: str = "equal"
    ranking: Ranking = field(default_factory=Ranking)
    warnings: tuple[str, ...] = ()
    pairs: tuple[RankedRow, ...] = ()

    @property
    def title(self) -> str:
        """What the group compares, in words."""
        if self.recipe == STATED:
            return f"{self.data}, methods outside the zoo"
        return f"{self.data}, text track: {self.track}" + ("" if self.recipe == "equal" else f", {self.recipe} recipes")

    @property
    def sections(self) -> tuple[tuple[LeaderboardRow, ...], ...]:
        """Ranked rows, unranked rows and controls; the variants of a row follow it."""
        ranked, unranked = (
            tuple(chain.from_iterable((row, *self.variants.get(row, ())) for row in rows))
            for rows in (self.ranked, self.unranked)
        )
        return ranked, unranked, self.controls

    @property
    def rows(self) -> tuple[LeaderboardRow, ...]:
        """All rows in the order of tables."""
        return tuple(chain(*self.sections))

    @property
    def unit(self) -> str:
        """The unit of the distances of all rows; empty where there are two units."""
        units = {row.hd95_unit for row in self.rows} - {""}
        return units.pop() if len(units) == 1 else ""


@dataclass(frozen=True, slots=True)
class Leaderboard:
    """The leaderboard of a benchmark.

    Attributes:
        groups: The groups of rows that may be ranked, sorted by data set, recipe and text track; then the data sets
            that have methods outside the zoo alone.
        footnotes: What the columns mean, one sentence or two per footnote.

    Example:
        >>> metrics = {"dice": 0.9, "hd95": 2.0, "hd95_pooled": 1.5, "nsd": 0.8, "assd": 0.7}
        >>> row = LeaderboardRow(model="unet", data="btcv", hd95_unit="mm", **metrics)
        >>> group = RankingGroup("btcv", "none", ranked=(row,), unranked=(), controls=())
        >>> [row.model for row in Leaderboard(groups=(group,)).rows]
        ['unet']
    """

    groups: tuple[RankingGroup, ...]
    footnotes: tuple[str, ...] = FOOTNOTES

    @property
    def rows(self) -> list[LeaderboardRow]:
        """Every row once, in the order of tables."""
        return list(dict.fromkeys(row for group in self.groups for row in group.rows))


def make_leaderboard(benchmark: Benchmark, test: Test | None = "wilcoxon") -> Leaderboard:
    """Make rows of the results of a benchmark, and groups of the rows; no file is read.

    Args:
        benchmark: The results and controls (`benchmarks.read_benchmark`).
        test: The paired test of each row against the best: "wilcoxon" or "permutation". None leaves out the tests and
            intervals of all rows, which takes a tenth of the time.

    Example:
        >>> from benchmarks import Benchmark
        >>> make_leaderboard(Benchmark(results=())).rows
        []
    """
    results = benchmark.results
    by_row: dict[tuple[Any, ...], dict[str, list[JobResult]]] = {}
    for result in results:
        by_row.setdefault(_row_key(result), {}).setdefault(result.job.variant, []).append(result)
    scored = [as_result(part) for part in benchmark.scored]
    owners, spacing = (most_recorded([*results, *scored], key) for key in ("subjects", "spacing"))
    ablations = [_make_ablation(by_row[key], owners) for key in sorted(by_row)]
    shown = {result.job.data: result.job.shown_data for result in results}
    named = [replace(control, data=shown.get(control.data, control.data)) for control in benchmark.controls]
    controls = [make_control_row(control, spacing) for control in named]
    stated = make_stated_rows(benchmark.scored, owners)
    sampled = add_samples([*chain(*ablations), *controls, *stated], owners)
    rows = iter(add_intervals(sampled) if test else sampled)
    ablations = [[next(rows) for _ in ablation] for ablation in ablations]
    ablations = [[add_over_no_text(full, variants), *variants] for full, *variants in ablations]
    controls, stated = [next(rows) for _ in controls], list(rows)
    groups = []
    for data, recipe in sorted({(full.data, full.recipe) for full, *_ in ablations}):
        mine = [ablation for ablation in ablations if (ablation[0].data, ablation[0].recipe) == (data, recipe)]
        own_controls = [row for row in controls if row.data == data]
        tracks = {row.text_track for row in [*(full for full, *_ in mine), *own_controls]}
        for track in sorted(tracks - {"none"}) or ["none"]:
            of_track = [ablation for ablation in mine if ablation[0].text_track in {"none", track}]
            beside = [row for row in own_controls if row.text_track in {"none", track}]
            groups.append(_make_group(data, track, recipe, of_track, beside, test))
    alone = sorted({row.data for row in stated} - {group.data for group in groups})
    groups += [_make_group(data, "none", STATED, [], [], test) for data in alone]
    groups = [_with_stated(group, [row for row in stated if row.data == group.data], test) for group in groups]
    further = [*_further_footnotes(ablations), *([STATED_FOOTNOTE] if stated else [])]
    return Leaderboard(tuple(groups), (*FOOTNOTES, *further, *benchmark.notes))


def _row_key(result: JobResult) -> tuple[Any, ...]:
    """Return what the jobs of one row share, with its variants, seeds and folds."""
    job = result.job
    own = tuple(pair for pair in job.overrides if pair[0].startswith("data."))  # two protocols are two rows
    folds = job.fold is not None
    if result.training:  # it has the encoder and all options
        return (job.shown_data, job.model, job.settings.size, "", job.settings.recipe, folds, (result.training,))
    return (job.data, job.model, job.settings.size, job.encoder, job.settings.recipe, folds, own)


def _make_ablation(jobs: Mapping[str, Sequence[JobResult]], owners: Owners) -> list[LeaderboardRow]:
    """Return the row of a full method, then the rows of its variants by name; a plan has both."""
    full = jobs[""]
    return [make_row(full, owners), *(make_variant_row(jobs[name], full, owners) for name in sorted(jobs) if name)]


def _make_group(
    data: str,
    track: str,
    recipe: str,
    ablations: Sequence[Sequence[LeaderboardRow]],
    controls: Sequence[LeaderboardRow],
    test: Test | None,
) -> RankingGroup:
    rows, common = check_rows([full for full, *_ in ablations])
    rows = mark_sizes(rows)
    ranked = sorted((row for row in rows if row.status == "ok"), key=lambda row: (-(row.dice or 0.0), *_name_key(row)))
    unranked = sorted((row for row in rows if row.status != "ok"), key=_name_key)
    leaking = {row.split_hash for row in rows if LEAK in row.mark}
    return RankingGroup(
        data,
        track,
        tuple(ranked),
        tuple(unranked),
        tuple(check_control(row, common, row.split_hash in leaking) for row in controls),
        {row: tuple(variants) for row, (_, *variants) in zip(rows, ablations, strict=True) if variants},
        recipe,
        rank_rows(ranked, test) if test else Ranking(),
        find_warnings(ranked, unranked, controls),
    )


def _with_stated(group: RankingGroup, stated: Sequence[LeaderboardRow], test: Test | None) -> RankingGroup:
    """Add methods outside the zoo to a group, below its ranking, which they do not change."""
    checked = check_stated(stated, group.ranked)
    unranked = (*group.unranked, *checked)
    warnings = find_warnings(group.ranked, unranked, group.controls) if checked else group.warnings
    pairs = compare_stated(checked, group.ranked, test) if test else ()
    return replace(group, unranked=unranked, warnings=warnings, pairs=pairs)


def _further_footnotes(ablations: Sequence[Sequence[LeaderboardRow]]) -> list[str]:
    full = [ablation[0] for ablation in ablations]
    leaking = [LEAKING] if any(LEAK in row.mark for row in full) else []
    variants = [ABLATION] if any(len(ablation) > 1 for ablation in ablations) else []
    cards = [CARDS] if full and all(row.tuning == CARD for row in full) else []
    return [*cards, *leaking, *variants, *([FOLDS] if any(row.folds for row in full) else [])]


def _name_key(row: LeaderboardRow) -> tuple[str, ...]:
    """Return the order of rows without a rank, and of rows with the same Dice."""
    return (row.model, row.size, row.encoder, row.text_track, row.options)
