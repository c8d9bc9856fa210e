"""The parts of a report: one section a block of the table, with its figures, and what stands over them all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from statistics import fmean

from markupsafe import Markup

from benchmarks.costs import read_costs
from benchmarks.plan import load_plan
from benchmarks.report import figures
from benchmarks.report.cells import DOWN, UP, Cell, Column, Grid, Line, chosen, number, place, seeds_cell
from benchmarks.report.gallery import Gallery, gallery_of
from benchmarks.report.provenance import Shared, period, provenance
from benchmarks.report.runs import Entry, costs_of, entries_of, read_curves
from benchmarks.report.svg import SERIES
from benchmarks.results import Result, read_controls, read_results
from benchmarks.rows import Row
from benchmarks.table import Block, Table, read_table
from zoo.metrics.summary import Figures

_CURVES = {"val/dice": "Validation Dice, pooled", "train/loss": "Training loss"}

_OTHERS = ("hd95", "nsd")
"""Figures of the classes that have a table beside Dice."""


@dataclass(frozen=True, slots=True)
class Section:
    """One block.

    Attributes:
        key: For links, unique on the page.
        title: Its data set.
        track: Its text track.
        lead: The result in a sentence.
        facts: What its rows share: (name, value).
        warnings: What the gate refused or what is lacking, each with its reason.
        notes: Remarks on controls and the like.
        leaderboard: The ranking, then what is not ranked, the controls and the rungs.
        every: Every column of every row, as in the CSV.
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
    track: str
    lead: str
    facts: Shared
    warnings: Sequence[tuple[str, str]]
    notes: Sequence[tuple[str, str]]
    leaderboard: Grid
    every: Grid
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
    """

    title: str
    summary: str
    facts: Shared
    warnings: Sequence[str]
    sections: Sequence[Section]
    shared: Shared
    runs: Grid
    footnotes: Sequence[str]


def read_report(folder: Path) -> Report:
    """The report of a benchmark's folder.

    Raises:
        RunError: There is no benchmark in the folder, or a file of it cannot be read.
    """
    results = read_results(folder, load_plan(folder))
    table = read_table(folder)
    costs = list(read_costs(folder).values())
    sections = []
    for count, block in enumerate(table.blocks, start=1):
        entries = entries_of(folder, block, results, read_controls(folder, block.data))
        sections.append(_section(f"b{count}", block, entries, costs))
    shared, runs = provenance(results)
    return Report(
        title=", ".join(dict.fromkeys(block.data for block in table.blocks)),
        summary=_summary(results),
        facts=_facts(results, shared),
        warnings=_warnings(results, table),
        sections=sections,
        shared=shared,
        runs=runs,
        footnotes=table.footnotes,
    )


def _summary(results: Sequence[Result]) -> str:
    models = sorted({one.job.model for one in results})
    data, seeds = {one.job.data for one in results}, {one.job.seed for one in results}
    runs = len(results)
    finished = sum(one.state == "done" for one in results)
    return (
        f"{_counted(len(models), 'model')} ({', '.join(models)}) on {_counted(len(data), 'data set')}, "
        f"{_counted(len(seeds), 'seed')}: {_counted(runs, 'run')}, {'all' if finished == runs else finished} complete."
    )


def _facts(results: Sequence[Result], shared: Shared) -> Shared:
    job = results[0].job
    known = dict(shared)
    overrides = ", ".join(f"--{key} {value}" for key, value in job.settings.overrides)
    facts = [
        ("Seeds", ", ".join(str(seed) for seed in sorted({one.job.seed for one in results}))),
        ("Size", job.settings.size),
        ("Trainer", job.settings.trainer or "default"),
        ("Overrides", overrides),
        ("Budget", known.get("budget", "")),
        ("Metric version", known.get("metric version", "")),
        ("textseg-zoo", known.get("textseg-zoo", "")),
        ("Commit", known.get("commit", "")),
        ("Run", period(results)),
    ]
    return [(name, value) for name, value in facts if value]


def _warnings(results: Sequence[Result], table: Table) -> list[str]:
    """What speaks against the whole: jobs that are not done, rows marked as leaking, what the table itself says."""
    lines = []
    lacking = [one for one in results if one.state != "done"]
    if lacking:
        states = {state: sum(one.state == state for one in lacking) for state in sorted({r.state for r in lacking})}
        counted = ", ".join(f"{count} {state}" for state, count in states.items())
        lines.append(f"{len(lacking)} of {len(results)} runs are not done ({counted}): their rows are not ranked.")
    if any("-dirty" in str(one.facts.get("git_commit")) for one in results):
        lines.append("Some runs are of a checkout with uncommitted changes (commit ends in -dirty).")
    leaking = sorted({row.data for row in table.rows if row.mark})
    if leaking:
        lines.append(f"{', '.join(leaking)}: the protocol has subjects in more than one part, as its card declares.")
    for block in table.blocks:
        if block.unranked:
            total = len(block.ranked) + len(block.unranked)
            lines.append(
                f"{block.data}: {len(block.unranked)} of {_counted(total, 'model')} not ranked, for the reasons below."
            )
    return lines + [str(line) for line in getattr(table, "warnings", ())]


def _section(key: str, block: Block, entries: Sequence[Entry], costs: Sequence[Mapping[str, object]]) -> Section:
    models = [entry for entry in entries if entry.runs]
    ranked = [entry for entry in models if entry.row in block.ranked]  # what is not comparable has no figure beside
    labels = list(models[0].per_class[0].per_class) if models else []
    drawn = [None, *labels] if len(labels) > 1 else labels
    measured = [costs_of(entry.row, costs) for entry in ranked]
    tradeoffs, note = _tradeoffs(key, ranked, measured)
    texts = [(entry, {text: _mean(dices) for text, dices in entry.texts().items()}) for entry in ranked]
    histories = [(entry, [read_curves(run.folder, list(_CURVES)) for run in entry.runs]) for entry in models]
    drawings = [
        figures.curves([(e, [c[name] for c in seeds]) for e, seeds in histories], head, f"{key}-c{place}")
        for place, (name, head) in enumerate(_CURVES.items())
    ]
    said = [(row.label, row.reason) for row in block.rows if row.reason and row.status not in {"control", "rung"}]
    remarks = [(row.label, row.reason) for row in block.rows if row.reason and row.status in {"control", "rung"}]
    rungs = [(row.label, row.legend) for row in block.rows if row.rung]
    return Section(
        key=key,
        title=block.data,
        track=block.track,
        lead=_lead(block),
        facts=_shared_facts(block),
        warnings=said + [("", str(line)) for line in getattr(block, "warnings", ())],
        notes=[*rungs, *remarks],
        leaderboard=_leaderboard(block),
        every=_every(block),
        classes=[_classes(entries, labels, name, block) for name in ("dice", *_OTHERS)] if len(labels) > 1 else [],
        boxes=[figures.boxes(ranked, label, f"{key}-b{place}") for place, label in enumerate(drawn) if ranked],
        tradeoffs=tradeoffs,
        tradeoff_note=note,
        costs=_costs(ranked, measured),
        text=_texts(ranked),
        text_figure=figures.text_dots(texts, f"{key}-t"),
        curves=[one for one in drawings if one],
        models=[(e.name, e.place % len(SERIES), figures.dash_index(e.place)) for e in models],
        galleries=[gallery_of(entry) for entry in models],
    )


def _lead(block: Block) -> str:
    """The ranking in a sentence, without a claim that no test backs."""
    if not block.ranked:
        return "No row is complete and comparable: there is no ranking."
    best, *others = block.ranked
    line = f"{best.label} has the highest Dice, {_spread(best)}"
    if others:
        gap = (best.dice or 0.0) - (others[0].dice or 0.0)
        line += f", {gap:.3f} above {others[0].label}"
    controls = [row for row in block.controls if row.dice is not None and row.n is not None]
    if controls:
        top = max(controls, key=lambda row: (row.dice or 0.0, row.model))
        word = "above" if (best.dice or 0.0) > (top.dice or 0.0) else "not above"
        line += f", and {word} the best control ({top.model.removeprefix('control:')}, {top.dice:.3f})"
    return f"{line}."


def _spread(row: Row) -> str:
    return number(row.dice, 3, row.dice_std).text


def _shared_facts(block: Block) -> Shared:
    """What the gate found to agree, and how many rows stand in the ranking."""
    first = next(iter((*block.ranked, *block.unranked)), None)
    if first is None:
        return []
    facts = [
        ("Test cases", "" if first.n is None else str(first.n)),
        ("Seeds", "" if first.seeds_planned is None else str(first.seeds_planned)),
        ("Split", first.split_hash),
        ("Metric version", first.metric_version),
        ("Budget", first.budget.replace(" ", ", ").replace("=", " ").replace("_", " ")),
        ("Ranked", f"{len(block.ranked)} of {len(block.ranked) + len(block.unranked)} models"),
    ]
    return [(name, value) for name, value in facts if value]


def _leaderboard(block: Block) -> Grid:
    columns = chosen(block.rows, block.unit)
    ranked = {row: [pick(row) for _, pick in columns] for row in block.ranked}
    for number_, (column, _) in enumerate(columns):
        if column.ranks and len(ranked) > 1:
            for row, cell in zip(
                ranked, place([cells[number_] for cells in ranked.values()], column.first), strict=True
            ):
                ranked[row][number_] = cell
    rank = {row: count for count, row in enumerate(block.ranked, start=1)}
    rungs = [row for row in block.rows if row.rung]

    def line(row: Row, kind: str) -> Line:
        first = Cell(str(rank[row]), rank[row]) if row in rank else Cell()
        return Line(
            row.label.removeprefix("control:"), [first, *(ranked.get(row) or [p(row) for _, p in columns])], kind
        )

    groups = [
        ("", [line(row, "") for row in block.ranked]),
        ("Not ranked", [line(row, row.status) for row in block.unranked]),
        ("Ablation rungs", [line(row, "rung") for row in rungs]),
        ("Controls", [line(row, "control") for row in block.controls]),
    ]
    heads = [Column("Rank", "by Dice", True, DOWN), *(column for column, _ in columns)]
    caption = f"Leaderboard, {block.data}: best bold, second underlined, among ranked models"
    return Grid("Model", heads, [(head, lines) for head, lines in groups if lines], caption)


def _every(block: Block) -> Grid:
    """Every field of `Row`, whatever it is by now."""
    names = [one.name for one in fields(Row) if one.name not in {"model", "data"}]
    lines = [Line(row.label, [_raw(getattr(row, name)) for name in names], row.status) for row in block.rows]
    kept = [place_ for place_ in range(len(names)) if any(line.cells[place_].text for line in lines)]
    columns = [
        Column(names[place_], "", any(isinstance(x.cells[place_].value, float) for x in lines)) for place_ in kept
    ]
    lines = [Line(line.head, [line.cells[place_] for place_ in kept], line.kind) for line in lines]
    return Grid("row", columns, [("", lines)], "Every column, as in the CSV")


def _raw(value: object) -> Cell:
    if value is None or value == "":
        return Cell()
    if isinstance(value, int | float) and not isinstance(value, bool):
        text = str(value) if isinstance(value, int) else repr(round(value, 6) + 0.0)
        return Cell(text, float(value))
    return Cell(str(value), str(value))


def _classes(entries: Sequence[Entry], labels: Sequence[str], name: str, block: Block) -> Grid:
    """One figure of each class, mean ± over seeds; the best two among the ranked models are marked."""
    digits, first = (2, DOWN) if name == "hd95" else (3, UP)
    head = {"dice": "Dice", "hd95": "HD95" + (f" ({block.unit})" if block.unit else ""), "nsd": "NSD"}[name]
    ranked = [entry for entry in entries if entry.row in block.ranked]
    marks: dict[str, list[Cell]] = {entry.name: [] for entry in ranked}
    for label in labels:
        cells = [seeds_cell(_of_class(entry, label, name), digits) for entry in ranked]
        for entry, cell in zip(ranked, place(cells, first), strict=True):
            marks[entry.name].append(cell)
    lines = [Line(entry.name, marks[entry.name]) for entry in ranked]
    others: dict[str, list[Line]] = {"Not ranked": [], "Controls": []}
    for entry in entries:
        if entry not in ranked and entry.per_class and entry.row.dice is not None:  # no mean over an incomplete row
            cells = [seeds_cell(_of_class(entry, label, name), digits) for label in labels]
            control = entry.row.control
            line = Line(entry.name.removeprefix("control:"), cells, "control" if control else entry.row.status)
            others["Controls" if control else "Not ranked"].append(line)
    groups = [(title, group) for title, group in (("", lines), *others.items()) if group]
    columns = [Column(label, f"{head} of {label}", True, first) for label in labels]
    return Grid("Model", columns, groups, f"{head} by class, mean ± standard deviation over seeds")


def _of_class(entry: Entry, label: str, name: str) -> list[float | None]:
    found: list[Figures | None] = [summary.per_class.get(label) for summary in entry.per_class]
    return [None if one is None else getattr(one, name) for one in found]


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


def _costs(models: Sequence[Entry], measured: Sequence[Mapping[str, object]]) -> Grid | None:
    """Every number that was measured of a model's costs."""
    names = list(dict.fromkeys(k for cost in measured for k, v in cost.items() if _measure(v)))
    if not names:
        return None
    lines = [
        Line(entry.name, [_significant(cost.get(name)) for name in names])
        for entry, cost in zip(models, measured, strict=True)
    ]
    columns = [Column(name.replace("_", " "), name) for name in names]
    return Grid("Model", columns, [("", lines)], "Costs as measured; the names end in their units")


def _measure(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _significant(value: object) -> Cell:
    return Cell(f"{value:.4g}", float(value)) if isinstance(value, int | float) and _measure(value) else Cell()


def _texts(models: Sequence[Entry]) -> Grid | None:
    """Dice with each text and the gains, of the models that were tested with several."""
    readers = [entry for entry in models if len(entry.texts()) > 1]
    names = list(dict.fromkeys(text for entry in readers for text in entry.texts()))
    if not readers:
        return None
    lines = []
    for entry in readers:
        texts = entry.texts()
        cells = [seeds_cell(texts.get(name, [])) for name in names]
        for name in names[1:]:
            gaps = [
                None if one is None or other is None else one - other
                for one, other in zip(texts["true"], texts.get(name, [None] * len(texts["true"])), strict=True)
            ]
            gain = seeds_cell(gaps)
            cells.append(Cell(f"+{gain.text}" if (gain.value or 0) > 0 else gain.text, gain.value))  # type: ignore[operator]
        lines.append(Line(entry.name, cells))
    columns = [Column(name, f"Dice with {name} text", True, UP) for name in names]
    columns += [Column(f"true \N{MINUS SIGN} {name}", "difference, seed by seed", True, UP) for name in names[1:]]
    return Grid("Model", columns, [("", lines)], "Dice with each text, same checkpoint, mean ± over seeds")


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if known and len(known) == len(values) else None


def _counted(count: int, thing: str) -> str:
    return f"{count} {thing}{'' if count == 1 else 's'}"
