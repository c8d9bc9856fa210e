"""The parts of a report: one section a block of the table, with its figures, and what stands over them all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markupsafe import Markup

from benchmarks.leaderboard.leaderboard import Block, make_table
from benchmarks.report import plots as figures
from benchmarks.report import sentences as words
from benchmarks.report import tables
from benchmarks.report.cells import Grid
from benchmarks.report.entries import Entry, entries_of, read_curves
from benchmarks.report.gallery import Gallery, gallery_of
from benchmarks.report.provenance import Shared, provenance
from benchmarks.report.svg import SERIES
from benchmarks.storage.results import all_controls, read_results
from benchmarks.storage.stored_plan import load_plan
from benchmarks.tables.costs import FOOTNOTE, read_costs
from benchmarks.tables.views import statistics

_CURVES = {"val/dice": "Validation Dice, pooled", "train/loss": "Training loss"}


@dataclass(frozen=True, slots=True)
class Section:
    """One block.

    Attributes:
        key: For links, unique on the page.
        title: Its data set.
        about: Its text track, and its recipe where that is not the usual one.
        track: The text track alone.
        lead: The result in a sentence.
        facts: What its rows share: (name, value).
        refused: What the gate refused or what is lacking, each with its reason.
        warnings: What a reader must know of what is ranked.
        notes: Remarks on controls and the like.
        leaderboard: The ranking, then what is not ranked, the controls and the variants.
        mark: What the mark of the test says, or that no row bears it; empty without a test.
        every: Every column of every row, as in the CSV.
        standings: How sure the ranking is; None where there is none.
        wins: Who beats whom on how many subjects.
        intervals: The intervals as a figure.
        legend: What the columns of the statistics mean.
        classes: A table a figure, classes across; none for a single class, of which the leaderboard speaks.
        boxes: A figure a class, of the ranked models as all that compares.
        tradeoffs: Dice against parameters and, where measured, against latency.
        tradeoff_note: What is lacking there.
        costs: The measured costs, None where there are none.
        text: Dice with each text.
        text_figure: The same as a figure.
        curves: Figures.
        models: (name, number of its colour, number of its dash) for the legends of the curves.
        galleries: Pictures, a model each.
    """

    key: str
    title: str
    about: str
    track: str
    lead: str
    facts: Shared
    refused: Sequence[tuple[str, str]]
    warnings: Sequence[str]
    notes: Sequence[tuple[str, str]]
    leaderboard: Grid
    mark: str
    every: Grid
    standings: Grid | None
    wins: Grid | None
    intervals: Markup | None
    legend: Sequence[str]
    classes: Sequence[Grid]
    boxes: Sequence[Markup]
    tradeoffs: Sequence[Markup]
    tradeoff_note: str
    costs: Grid | None
    text: Grid | None
    text_figure: Markup | None
    curves: Sequence[Markup]
    models: Sequence[tuple[str, int, int]]
    galleries: Sequence[Gallery]


@dataclass(frozen=True, slots=True)
class Report:
    """All of a report.

    Attributes:
        title: Of the page.
        summary: What was compared, in a sentence.
        facts: What was compared: (name, value).
        warnings: Those of the whole table.
        sections: One a block.
        shared: What all runs share.
        runs: The provenance of every run.
        footnotes: Of the table.
        costs_note: How costs were measured.
    """

    title: str
    summary: str
    facts: Shared
    warnings: Sequence[str]
    sections: Sequence[Section]
    shared: Shared
    runs: Grid
    footnotes: Sequence[str]
    costs_note: str


def read_report(folder: Path) -> Report:
    """The report of a benchmark's folder.

    Raises:
        RunError: There is no benchmark in the folder, or a file of it cannot be read.
    """
    plan = load_plan(folder)
    results = read_results(folder, plan)
    table = make_table(results, all_controls(folder, plan.jobs))
    costs = read_costs(folder)
    sections = [
        _section(f"b{count}", block, entries_of(folder, block, results), costs)
        for count, block in enumerate(table.blocks, start=1)
    ]
    shared, runs = provenance(results)
    return Report(
        title=", ".join(dict.fromkeys(block.data for block in table.blocks)),
        summary=words.summary(results),
        facts=words.facts(results, shared),
        warnings=words.warnings(results, table),
        sections=sections,
        shared=shared,
        runs=runs,
        footnotes=table.footnotes,
        costs_note=FOOTNOTE,
    )


def _section(key: str, block: Block, models: Sequence[Entry], costs: Mapping[str, Mapping[str, Any]]) -> Section:
    ranked = [entry for entry in models if entry.row in block.ranked]  # what is not comparable has no figure beside
    labels = [one.label for row in block.ranked[:1] for one in row.per_class]
    drawn = [None, *labels] if len(labels) > 1 else labels
    measured = [costs.get(entry.runs[0].result.job.measured, {}) for entry in ranked]
    tradeoffs, note = _tradeoffs(key, ranked, measured)
    reasons = [(row, row.reason) for row in block.rows if row.reason]
    beside = {"control", "variant"}
    sure = tables.standings(block)
    return Section(
        key=key,
        title=block.data,
        about=block.title.removeprefix(f"{block.data}, "),
        track=block.track,
        lead=words.lead(block),
        facts=words.shared_facts(block),
        refused=[(row.label, reason) for row, reason in reasons if row.status not in beside],
        warnings=block.warnings,
        notes=[
            *((row.label, row.legend) for row in block.rows if row.variant),
            *((row.label, reason) for row, reason in reasons if row.status in beside),
        ],
        leaderboard=tables.leaderboard(block),
        mark=words.mark(block),
        every=tables.every(block),
        standings=sure,
        wins=tables.wins(block),
        intervals=figures.intervals(ranked, f"{key}-i"),
        legend=[line for _, lines in statistics(block).notes for line in lines] if sure else [],
        classes=[tables.classes(models, labels, name, block) for name in tables.OF_CLASS] if len(labels) > 1 else [],
        boxes=[figures.boxes(ranked, label, f"{key}-b{place}") for place, label in enumerate(drawn) if ranked],
        tradeoffs=tradeoffs,
        tradeoff_note=note,
        costs=tables.cost_table(ranked, measured),
        text=tables.text_table(block),
        text_figure=figures.text_dots(ranked, f"{key}-t"),
        curves=_curves(key, models),
        models=[(e.name, e.place % len(SERIES), figures.dash_index(e.place)) for e in models],
        galleries=[gallery_of(entry) for entry in models],
    )


def _curves(key: str, models: Sequence[Entry]) -> list[Markup]:
    histories = [(entry, [read_curves(run.folder, list(_CURVES)) for run in entry.runs]) for entry in models]
    drawn = [
        figures.curves([(entry, [one[name] for one in runs]) for entry, runs in histories], head, f"{key}-c{place}")
        for place, (name, head) in enumerate(_CURVES.items())
    ]
    return [one for one in drawn if one]


def _tradeoffs(key: str, models: Sequence[Entry], measured: Sequence[Mapping[str, object]]) -> tuple[list[Markup], str]:
    params = [None if entry.row.params is None else entry.row.params / 1e6 for entry in models]
    seconds = [cost.get("case_s") for cost in measured]
    latency = [float(value) * 1e3 if isinstance(value, int | float) else None for value in seconds]
    drawn = [
        figures.scatter(models, params, "parameters (millions)", f"{key}-p"),
        figures.scatter(models, latency, "latency (milliseconds a case)", f"{key}-l"),
    ]
    note = "" if drawn[1] else "Latency is not shown: costs were not measured (`zoo bench costs`)."
    return [one for one in drawn if one], note
