"""What a report needs of the runs behind each row of the table, read from a benchmark's folder."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from benchmarks import store
from benchmarks.results import Control, Result
from benchmarks.rows import Row
from benchmarks.table import Block
from zoo.metrics.rows import ScoreRow, read_rows
from zoo.metrics.summary import Summary

TRUE = "test"
"""The step that tests with the true text; the others are `test-<text>`."""

Curve = list[tuple[float, float]]
"""(epoch from 1, value)."""


@dataclass(frozen=True, slots=True)
class Run:
    """One job that is done.

    Attributes:
        result: Its manifest and the summaries of its tests.
        folder: Its run folder.
        cases: The rows of the test with the true text.
    """

    result: Result
    folder: Path
    cases: tuple[ScoreRow, ...]

    @property
    def seed(self) -> int:
        """The seed."""
        return self.result.job.seed


@dataclass(frozen=True, slots=True)
class Entry:
    """A row of the table with the runs behind it.

    Attributes:
        row: The row.
        name: Its label, with the encoder where two rows of the block share the label.
        runs: What is done of it, by seed; empty for a control.
        per_class: Summaries a seed, of a control a single one; their `per_class` has the figures of each class.
        place: Number of the row among the models of its block, by which it has its colour.
    """

    row: Row
    name: str
    runs: tuple[Run, ...]
    per_class: tuple[Summary, ...]
    place: int

    def case_dices(self, label: str | None) -> list[float]:
        """Dice of each case, seeds averaged first, in the order of the ids.

        Args:
            label: A class; None for the mean of a case's classes.
        """
        by_case: dict[str, list[float]] = {}
        for run in self.runs:
            own: dict[str, list[float]] = {}
            for row in run.cases:
                if row.status != "absent" and label in (None, row.label):
                    own.setdefault(row.case_id, []).append(row.dice)
            for case_id, dices in own.items():
                by_case.setdefault(case_id, []).append(fmean(dices))
        return [fmean(by_case[case_id]) for case_id in sorted(by_case)]

    def texts(self) -> dict[str, list[float | None]]:
        """Dice of each seed with each text: "true", "shuffled", "blank" and what else was tested."""
        steps = list(dict.fromkeys(step for run in self.runs for step in run.result.tests))
        tests = [run.result.tests for run in self.runs]
        return {
            step.partition("-")[2] or "true": [test[step].dice if step in test else None for test in tests]
            for step in steps
        }


def entries_of(folder: Path, block: Block, results: Sequence[Result], controls: Sequence[Control]) -> list[Entry]:
    """The models of a block that have results, then its controls.

    Args:
        folder: Of the benchmark.
        block: The block.
        results: Of all jobs.
        controls: Of the block's data set.
    """
    rows = [row for row in (*block.ranked, *block.unranked) if any(done(runs_of(row, results)))]
    labels = [row.label for row in rows]
    entries = []
    for place, row in enumerate(rows):
        runs = tuple(
            Run(one, path, tuple(read_rows(store.cases_path(path, TRUE))))
            for one in sorted(done(runs_of(row, results)), key=lambda one: one.job.seed)
            for path in [store.job_folder(folder, one.job.id)]
        )
        name = f"{row.label}, {row.encoder}" if labels.count(row.label) > 1 and row.encoder else row.label
        entries.append(Entry(row, name, runs, tuple(run.result.tests[TRUE] for run in runs), place))
    summaries = {f"control:{one.name}": one.summary for one in controls}
    for row in block.controls:
        summary = summaries.get(row.model)
        entries.append(Entry(row, row.label, (), (summary,) if summary else (), len(rows)))
    return entries


def runs_of(row: Row, results: Iterable[Result]) -> list[Result]:
    """The jobs that a row is made of."""
    return [
        one
        for one in results
        if (one.job.model, one.job.data, one.job.settings.size, one.job.rung)
        == (row.model, row.data, row.size, row.rung)
        and (not row.encoder or row.encoder in {one.job.encoder, one.facts.get("encoder")})
    ]


def done(results: Iterable[Result]) -> list[Result]:
    """Those with a test of the true text."""
    return [one for one in results if one.state == "done" and TRUE in one.tests]


def read_curves(folder: Path, names: Sequence[str]) -> dict[str, Curve]:
    """What was logged under each name, epoch by epoch; a run without a history has none.

    Args:
        folder: The run folder.
        names: As they stand in the head of `metrics.csv`.
    """
    path = folder / "metrics.csv"
    curves: dict[str, Curve] = {name: [] for name in names}
    if not path.is_file():
        return curves
    with path.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            for name in names:
                point = _number(row.get("epoch")), _number(row.get(name))
                if point[0] is not None and point[1] is not None:
                    curves[name].append((point[0] + 1, point[1]))
    return curves


def costs_of(row: Row, costs: Iterable[Mapping[str, object]]) -> Mapping[str, object]:
    """What was measured of a row's model on its data; empty where nothing was."""
    for cost in costs:
        if all(cost.get(key) == getattr(row, key) for key in ("model", "data", "size", "encoder", "rung")):
            return cost
    return {}


def _number(text: str | None) -> float | None:
    """A finite number; a line that was cut short by a kill has none."""
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if math.isfinite(value) else None
