"""The scores of a row by seed, case and class, and the subject of each case: what statistics over subjects need."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.leaderboard.statistics import Floats, Sums, sum_subjects
from benchmarks.storage.results import JobResult, TestScores
from zoo.metrics.case_scores import case_name
from zoo.utils.hashing import hash_lines

INTERVAL_METRICS = ("dice", "hd95")
"""The metrics that have an interval."""


@dataclass(frozen=True, eq=False)
class Sample:
    """The scores of one row under one text.

    Attributes:
        cases: The names of the N cases, sorted; a case with several queries counts once per query.
        subjects: The S subjects, sorted.
        classes: The K classes, in the order of the label space.
        owners: (N,), the number of the subject of each case.
        values: For each of `INTERVAL_METRICS` the scores, (R seeds, N, K), NaN where the object is absent.
        known: Whether the runs have recorded the subjects; else each case is a subject of its own.
    """

    cases: tuple[str, ...]
    subjects: tuple[str, ...]
    classes: tuple[str, ...]
    owners: NDArray[np.int64]
    values: Mapping[str, Floats]
    known: bool

    @cached_property
    def cohort(self) -> str:
        """Hash of the subjects and their cases: rows of one cohort have the same bootstrap samples."""
        return hash_lines([*self.subjects, *self.cases, str(self.owners.tolist())])

    def sums(self, metric: str) -> Sums:
        """Sum a metric over the cases of each subject."""
        return sum_subjects(self.values[metric], self.owners, len(self.subjects))


def most_recorded(results: Iterable[JobResult], key: str) -> dict[tuple[str, str], Any]:
    """Return the recorded value of each case; where runs differ, the value that most runs have recorded.

    The value belongs to the data set: a value that one run has recorded holds for controls and older runs too.

    Args:
        results: The results of all jobs.
        key: "subjects" or "spacing", a mapping of `about.json` from case to value.

    Returns:
        (data set, case) to the value.
    """
    recorded: dict[tuple[str, str], Counter[Any]] = {}
    for result in results:
        for test in result.tests.values():
            for case, value in test.about.get(key, {}).items():
                counts = recorded.setdefault((result.job.shown_data, case), Counter())
                counts.update([tuple(value) if isinstance(value, list) else value])
    return {case: min(counts, key=lambda value: (-counts[value], str(value))) for case, counts in recorded.items()}


def make_sample(tests: Sequence[TestScores], data: str, owners: Mapping[tuple[str, str], str]) -> Sample:
    """Collect the scores of all seeds of a row.

    Args:
        tests: One test per seed, of the same cases and classes.
        data: The data set.
        owners: The subject of each case (`most_recorded`). Where one of the cases is missing, each case is a subject
            of its own.
    """
    case_ids = {case_name(row): row.case_id for row in tests[0].rows}
    cases = tuple(sorted(case_ids))
    classes = tuple(label for _, label in sorted({(row.index, row.label) for row in tests[0].rows}))
    known = all((data, case) in owners for case in case_ids.values())
    of_case = [owners[data, case_ids[name]] if known else case_ids[name] for name in cases]
    subjects = tuple(sorted(set(of_case)))
    number = {subject: place for place, subject in enumerate(subjects)}
    places = {name: place for place, name in enumerate(cases)}, {name: place for place, name in enumerate(classes)}
    values = {metric: np.full((len(tests), len(cases), len(classes)), np.nan) for metric in INTERVAL_METRICS}
    for seed, test in enumerate(tests):
        for row in test.rows:
            for metric in INTERVAL_METRICS:
                values[metric][seed, places[0][case_name(row)], places[1][row.label]] = getattr(row, metric)
    owned = np.array([number[subject] for subject in of_case], dtype=np.int64)
    return Sample(cases, subjects, classes, owned, values, known)
