"""The models of a report: a row of the leaderboard with the jobs behind it."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from benchmarks.leaderboard.aggregate import TEXTS
from benchmarks.leaderboard.leaderboard import RankingGroup
from benchmarks.leaderboard.row import LeaderboardRow, unique_labels
from benchmarks.storage.layout import TRUE_TEXT_STEP
from benchmarks.storage.results import JobResult

Curve = list[tuple[float, float]]
"""(epoch from 1, value)."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A model of a ranking group with the jobs behind it.

    Attributes:
        row: The row.
        name: Its label, with the encoder where two rows of the group have the same label.
        jobs: The results of its jobs that are done, by seed and fold.
        place: Number of the row among the models of its group, which gives its colour.
    """

    row: LeaderboardRow
    name: str
    jobs: tuple[JobResult, ...]
    place: int

    def case_dices(self, label: str | None) -> list[float]:
        """Return the Dice of each case and query, averaged over the seeds, in the order of the ids.

        Args:
            label: A class; None for the mean over the classes of a case.
        """
        over_seeds: dict[tuple[str, str], list[float]] = {}
        for test in self.row.true_tests:
            dices: dict[tuple[str, str], list[float]] = {}
            for row in test.rows:
                if row.status != "absent" and label in (None, row.label):
                    dices.setdefault(row.key, []).append(row.dice)
            for key, values in dices.items():
                over_seeds.setdefault(key, []).append(fmean(values))
        return [fmean(over_seeds[key]) for key in sorted(over_seeds)]

    @property
    def texts(self) -> dict[str, float]:
        """The Dice with each text of a test."""
        dices = {"true": self.row.dice} | {text: getattr(self.row, f"dice_{text}") for text in TEXTS}
        return {text: dice for text, dice in dices.items() if dice is not None}


def make_entries(group: RankingGroup, results: Iterable[JobResult]) -> list[Entry]:
    """Return the models of a group with a job that is done, ranked models first.

    Args:
        group: The ranking group.
        results: The results of all jobs.
    """
    done = {one.job.id: one for one in results if TRUE_TEXT_STEP in one.tests}
    labels = unique_labels([*group.ranked, *group.unranked])
    jobs = {row: tuple(done[job] for job in row.jobs if job in done) for row in labels}
    shown = [row for row in labels if jobs[row]]
    return [Entry(row, labels[row], jobs[row], place) for place, row in enumerate(shown)]


def read_curves(folder: Path, names: Sequence[str]) -> dict[str, Curve]:
    """Read the logged values of each name, epoch by epoch; a run without `metrics.csv` has none.

    Args:
        folder: The run folder.
        names: Columns of `metrics.csv`.
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
    """Return a finite number; None for a line that a kill has cut short."""
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if math.isfinite(value) else None
