"""The sections of a report: one per ranking group, with its tables and figures, and the summary of all groups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from benchmarks.leaderboard.leaderboard import Leaderboard, RankingGroup, make_leaderboard
from benchmarks.report import plots, sentences, sharing, tables
from benchmarks.report.common_cases import CommonCase, find_common_cases
from benchmarks.report.data_facts import DataFact, list_data_facts
from benchmarks.report.entries import Entry, make_entries, read_curves
from benchmarks.report.gallery import Gallery, read_gallery
from benchmarks.report.provenance import Shared, make_provenance
from benchmarks.report.svg import SERIES
from benchmarks.report.text_dots import draw_text_dots
from benchmarks.storage.results import Benchmark
from benchmarks.storage.scored import STATED
from benchmarks.tables.class_views import class_views
from benchmarks.tables.costs import FOOTNOTE
from benchmarks.tables.latex import latex_tables
from benchmarks.tables.views import TableView, leaderboard_view, ranking_view, stated_view
from benchmarks.tables.writers import to_csv

_CURVES = {"val/dice": "Validation Dice, pooled", "train/loss": "Training loss"}


@dataclass(frozen=True, slots=True)
class Section:
    """The section of one ranking group.

    Attributes:
        key: Target of links, unique on the page.
        title: The data set.
        about: The text track, and the recipe where it is not the equal one.
        track: The text track alone.
        lead: The result in a sentence.
        shared: What the rows share: (name, value).
        data: Where the data comes from.
        refused: (row, reason) of each row that is refused or not complete.
        warnings: The warnings of the comparability check.
        notes: (row, remark) of variants, controls and methods outside the zoo.
        leaderboard: The ranking, then the unranked rows, the variants and the controls.
        mark: What the mark of the test means, or that no row has it; empty without a test.
        all_columns: Every column of every row, as in the CSV.
        statistics: The statistics of the ranking; None where there is no ranking.
        stated: The paired tests against methods outside the zoo; None where there are none.
        stated_legend: What its columns mean.
        wins: Pairwise win rates.
        intervals: The intervals as a figure.
        legend: What the columns of the statistics mean.
        classes: One table per metric, with one column per class; none for a single class.
        sizes: Dice by the size of the object; None where no class has three objects.
        boxes: One figure per class, of the ranked models, which alone can be compared.
        tradeoffs: Dice against parameters and, where costs are measured, against latency.
        tradeoff_note: What is missing in the figures of costs.
        costs: The measured costs, None where there are none.
        text: Dice with each text.
        text_figure: The same as a figure.
        curves: The learning curves.
        models: (name, number of the colour, number of the dash) for the legends of the curves.
        galleries: The pictures, one gallery per model.
        common: The same case for each model.
        copies: "leaderboard", "statistics" and "classes" to the texts that a reader can copy: (format, text).
        left_out: What a report for others leaves out and why, one sentence each.
    """

    key: str
    title: str
    about: str
    track: str
    lead: str
    shared: Shared
    data: Sequence[DataFact]
    refused: Sequence[tuple[str, str]]
    warnings: Sequence[str]
    notes: Sequence[tuple[str, str]]
    leaderboard: TableView
    mark: str
    all_columns: TableView
    statistics: TableView | None
    stated: TableView | None
    stated_legend: Sequence[str]
    wins: TableView | None
    intervals: Markup | None
    legend: Sequence[str]
    classes: Sequence[TableView]
    sizes: TableView | None
    boxes: Sequence[Markup]
    tradeoffs: Sequence[Markup]
    tradeoff_note: str
    costs: TableView | None
    text: TableView | None
    text_figure: Markup | None
    curves: Sequence[Markup]
    models: Sequence[tuple[str, int, int]]
    galleries: Sequence[Gallery]
    common: Sequence[CommonCase]
    copies: Mapping[str, Sequence[tuple[str, str]]]
    left_out: Sequence[str]


@dataclass(frozen=True, slots=True)
class Report:
    """The content of a report.

    Attributes:
        title: Title of the page.
        summary: What was compared, in a sentence.
        settings: What was compared: (name, value).
        warnings: The warnings of the whole benchmark.
        sections: One section per ranking group.
        shared: What all runs share: (name, value).
        runs: The provenance of every run.
        footnotes: The footnotes of the leaderboard.
        costs_note: How costs are measured.
    """

    title: str
    summary: str
    settings: Shared
    warnings: Sequence[str]
    sections: Sequence[Section]
    shared: Shared
    runs: TableView
    footnotes: Sequence[str]
    costs_note: str


def make_report(benchmark: Benchmark, share: bool = False) -> Report:
    """Make the content of a report; the curves and pictures are read from the run folders.

    Args:
        benchmark: The results, controls and costs.
        share: Leave out what the terms of the data sets do not allow to publish (`benchmarks.report.sharing`).
    """
    leaderboard = make_leaderboard(benchmark)
    sections = [
        _make_section(f"b{count}", group, benchmark, share) for count, group in enumerate(leaderboard.groups, start=1)
    ]
    shared, runs = make_provenance(benchmark.results)
    return Report(
        title=", ".join(dict.fromkeys(group.data for group in leaderboard.groups)),
        summary=sentences.summarise_results(benchmark.results),
        settings=sentences.list_settings(benchmark.results, shared),
        warnings=sentences.list_warnings(benchmark.results, leaderboard),
        sections=sections,
        shared=shared,
        runs=runs,
        footnotes=leaderboard.footnotes,
        costs_note=FOOTNOTE,
    )


def _make_section(key: str, group: RankingGroup, benchmark: Benchmark, share: bool) -> Section:
    models, costs = make_entries(group, benchmark.results), benchmark.costs
    of_data = [one for one in benchmark.results if one.job.shown_data == group.data]
    terms = sharing.find_common_terms(of_data) if share else sharing.ALL
    galleries = [read_gallery(entry) for entry in models]
    galleries = galleries if terms.allows("images") else sharing.without_pictures(galleries)
    wins = tables.wins_table(group)
    ranked = [entry for entry in models if entry.row in group.ranked]  # figures show what can be compared
    labels = [one.label for row in group.ranked[:1] for one in row.per_class]
    drawn = [None, *labels] if len(labels) > 1 else labels
    measured = [costs.get(entry.jobs[0].job.cost_key, {}) for entry in ranked]
    tradeoffs, note = _draw_tradeoffs(key, ranked, measured)
    reasons = [(row, row.reason) for row in group.rows if row.reason]
    never_ranked = {"control", "variant", STATED}
    return Section(
        key=key,
        title=group.data,
        about=group.title.removeprefix(f"{group.data}, "),
        track=group.track,
        lead=sentences.write_lead(group),
        shared=sentences.list_shared_conditions(group),
        data=list_data_facts(of_data),
        refused=[(row.label, reason) for row, reason in reasons if row.status not in never_ranked],
        warnings=group.warnings,
        notes=[
            *((row.label, row.legend) for row in group.rows if row.variant),
            *((row.label, reason) for row, reason in reasons if row.status in never_ranked),
        ],
        leaderboard=tables.leaderboard_table(group),
        mark=sentences.explain_mark(group),
        all_columns=tables.all_columns_table(group),
        statistics=tables.ranking_table(group),
        stated=tables.stated_table(group),
        stated_legend=[line for _, lines in stated_view(group).notes for line in lines] if group.pairs else [],
        wins=wins,
        intervals=plots.fill_width(
            lambda width, more: plots.draw_intervals(ranked, f"{key}-i{more}", width), plots.ACROSS if wins else 1
        ),
        legend=[line for _, lines in ranking_view(group).notes for line in lines] if group.ranking.rows else [],
        classes=tables.class_tables(group),
        sizes=tables.size_table(group),
        boxes=_draw_boxes(key, ranked, drawn) if ranked and terms.allows("rows") else [],
        tradeoffs=tradeoffs,
        tradeoff_note=note,
        costs=tables.cost_table(ranked, measured),
        text=tables.text_table(group),
        text_figure=draw_text_dots(ranked, f"{key}-t"),
        curves=_draw_curves(key, models),
        models=[(e.name, e.place % len(SERIES), plots.find_dash(e.place)) for e in models],
        galleries=galleries,
        common=find_common_cases(galleries),
        copies=_write_copies(group),
        left_out=sharing.explain_left_out(terms, group.data),
    )


def _write_copies(group: RankingGroup) -> dict[str, list[tuple[str, str]]]:
    """Write the tables as `zoo bench table` does."""
    board = Leaderboard((group,))
    views = {"leaderboard": [leaderboard_view(group)], "classes": class_views(group)}
    forms: dict[str, dict[str, Any]] = {"leaderboard": {}, "classes": {"per_class": True}}
    if group.ranking.rows:
        views["statistics"], forms["statistics"] = [ranking_view(group)], {"stats": True}
    return {
        name: [("LaTeX", latex_tables(views[name])), ("CSV", to_csv(board, **form))] for name, form in forms.items()
    }


def _draw_boxes(key: str, ranked: Sequence[Entry], labels: Sequence[str | None]) -> list[Markup]:
    def draw(place: int, label: str | None) -> Markup | None:
        return plots.fill_width(
            lambda width, more: plots.draw_boxes(ranked, label, f"{key}-b{place}{more}", width), len(labels)
        )

    return [one for one in (draw(place, label) for place, label in enumerate(labels)) if one]


def _draw_curves(key: str, models: Sequence[Entry]) -> list[Markup]:
    histories = [(entry, [read_curves(job.folder, list(_CURVES)) for job in entry.jobs]) for entry in models]
    logged = [name for name in _CURVES if any(one[name] for _, jobs in histories for one in jobs)]

    def draw(place: int, name: str) -> Markup | None:
        curves = [(entry, [one[name] for one in jobs]) for entry, jobs in histories]
        return plots.fill_width(
            lambda width, more: plots.draw_curves(curves, _CURVES[name], f"{key}-c{place}{more}", width), len(logged)
        )

    return [one for one in (draw(place, name) for place, name in enumerate(logged)) if one]


def _draw_tradeoffs(
    key: str, models: Sequence[Entry], measured: Sequence[Mapping[str, object]]
) -> tuple[list[Markup], str]:
    params = [None if entry.row.params is None else entry.row.params / 1e6 for entry in models]
    seconds = [cost.get("case_s") for cost in measured]
    latency = [float(value) * 1e3 if isinstance(value, int | float) else None for value in seconds]
    axes = [("parameters (millions)", "p", params), ("latency (milliseconds per case)", "l", latency)]
    known = [axis for axis in axes if any(axis[2])]

    def draw(label: str, name: str, across: Sequence[float | None]) -> Markup | None:
        return plots.fill_width(
            lambda width, more: plots.draw_scatter(models, across, label, f"{key}-{name}{more}", width), len(known)
        )

    note = "" if any(latency) else "Latency is not shown: costs were not measured (`zoo bench costs`)."
    return [one for one in (draw(*axis) for axis in known) if one], note
