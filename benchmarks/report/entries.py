"""What a report needs of the runs behind each row of the table, read from a benchmark's folder."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from benchmarks.leaderboard.aggregate import TEXTS
from benchmarks.leaderboard.leaderboard import Block
from benchmarks.leaderboard.row import Row, names_of
from benchmarks.storage import layout as store
from benchmarks.storage.results import Result
from benchmarks.storage.seeds import TRUE, named
from zoo.metrics.case_scores import CaseScore

Curve = list[tuple[float, float]]
"""(epoch from 1, value)."""


@dataclass(frozen=True, slots=True)
class Run:
    """One job that is done.

    Attributes:
        result: Its manifest and the rows of its tests.
        folder: Its run folder.
    """

    result: Result
    folder: Path

    @property
    def cases(self) -> Sequence[CaseScore]:
        """The rows of the test with the true text."""
        return self.result.scored[TRUE].rows

    @property
    def name(self) -> str:
        """Its seed, and its fold where it has one."""
        return named(self.result)


@dataclass(frozen=True, slots=True)
class Entry:
    """A model of the table with the runs behind it.

    Attributes:
        row: The row.
        name: Its label, with the encoder where two rows of the block share the label.
        runs: What is done of it, by seed and fold.
        place: Number of the row among the models of its block, by which it has its colour.
    """

    row: Row
    name: str
    runs: tuple[Run, ...]
    place: int

    def case_dices(self, label: str | None) -> list[float]:
        """Dice of each case, seeds averaged first, in the order of the ids.

        Args:
            label: A class; None for the mean of a case's classes.
        """
        by_case: dict[str, list[float]] = {}
        for scored in self.row.scored:
            own: dict[str, list[float]] = {}
            for row in scored.rows:
                if row.status != "absent" and label in (None, row.label):
                    own.setdefault(row.case_id, []).append(row.dice)
            for case_id, dices in own.items():
                by_case.setdefault(case_id, []).append(fmean(dices))
        return [fmean(by_case[case_id]) for case_id in sorted(by_case)]

    @property
    def texts(self) -> dict[str, float]:
        """Dice with each text that it was tested with."""
        dices = {"true": self.row.dice} | {text: getattr(self.row, f"dice_{text}") for text in TEXTS}
        return {text: dice for text, dice in dices.items() if dice is not None}


def entries_of(folder: Path, block: Block, results: Iterable[Result]) -> list[Entry]:
    """The models of a block of which something is done, ranked ones first.

    Args:
        folder: Of the benchmark.
        block: The block.
        results: Of all jobs.
    """
    done = {one.job.id: Run(one, store.job_folder(folder, one.job.id)) for one in results if TRUE in one.scored}
    names = names_of([*block.ranked, *block.unranked])
    runs = {row: tuple(done[job] for job in row.jobs if job in done) for row in names}
    return [Entry(row, names[row], runs[row], place) for place, row in enumerate(row for row in names if runs[row])]


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


def _number(text: str | None) -> float | None:
    """A finite number; a line that was cut short by a kill has none."""
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if math.isfinite(value) else None
