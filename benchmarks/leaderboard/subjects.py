"""The scores of a test by seed, case and class, and whose the cases are: what statistics over subjects need."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.leaderboard.statistics import Floats, Sums, sum_subjects
from benchmarks.storage.results import Result, Scored
from zoo.metrics.case_scores import case_name
from zoo.utils.hashing import hash_lines

METRICS = ("dice", "hd95")
"""What gets an interval."""


@dataclass(frozen=True, eq=False)
class Sample:
    """The scores of one row under one text.

    Attributes:
        cases: The names of the N cases, sorted; a case with several queries counts once per query.
        subjects: The S subjects, sorted.
        classes: The K classes, in the order of the label space.
        owners: (N,), the number of each case's subject.
        values: For each of `METRICS` the scores, (R seeds, N, K), NaN where the object is absent.
        known: Whether the run said whose the cases are; else each case is a subject of its own.
    """

    cases: tuple[str, ...]
    subjects: tuple[str, ...]
    classes: tuple[str, ...]
    owners: NDArray[np.int64]
    values: Mapping[str, Floats]
    known: bool

    @cached_property
    def cohort(self) -> str:
        """Hash of who was tested: rows of one cohort are resampled together."""
        return hash_lines([*self.subjects, *self.cases, str(self.owners.tolist())])

    def sums(self, metric: str) -> Sums:
        """A metric summed over the cases of each subject."""
        return sum_subjects(self.values[metric], self.owners, len(self.subjects))


def recorded(results: Iterable[Result], key: str) -> dict[tuple[str, str], Any]:
    """(data set, case) to the case's "subjects" or "spacing", as far as any run of the data set has said it.

    It is a fact of the data set, so that what one run says holds for a control and a run of an older version too.
    Where runs differ, it is what the most say.
    """
    told: dict[tuple[str, str], Counter[Any]] = {}
    for result in results:
        for test in result.scored.values():
            for case, fact in test.about.get(key, {}).items():
                counts = told.setdefault((result.job.data, case), Counter())
                counts[tuple(fact) if isinstance(fact, list) else fact] += 1
    return {case: min(counts, key=lambda fact: (-counts[fact], str(fact))) for case, counts in told.items()}


def make_sample(tests: Sequence[Scored], data: str, owners: Mapping[tuple[str, str], str]) -> Sample:
    """The scores of all seeds of a row.

    Args:
        tests: One a seed, of the same cases and classes.
        data: The data set.
        owners: The "subjects" of `recorded`; where it lacks one of the cases, each case is a subject of its own.
    """
    case_ids = {case_name(row): row.case_id for row in tests[0].rows}
    cases = tuple(sorted(case_ids))
    classes = tuple(label for _, label in sorted({(row.index, row.label) for row in tests[0].rows}))
    known = all((data, case) in owners for case in case_ids.values())
    of_case = [owners[data, case_ids[name]] if known else case_ids[name] for name in cases]
    subjects = tuple(sorted(set(of_case)))
    number = {subject: place for place, subject in enumerate(subjects)}
    places = {name: place for place, name in enumerate(cases)}, {name: place for place, name in enumerate(classes)}
    values = {metric: np.full((len(tests), len(cases), len(classes)), np.nan) for metric in METRICS}
    for seed, test in enumerate(tests):
        for row in test.rows:
            for metric in METRICS:
                values[metric][seed, places[0][case_name(row)], places[1][row.label]] = getattr(row, metric)
    owned = np.array([number[subject] for subject in of_case], dtype=np.int64)
    return Sample(cases, subjects, classes, owned, values, known)
