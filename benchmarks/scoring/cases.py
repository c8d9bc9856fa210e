"""Scores label images case by case, in this process or in several."""

from __future__ import annotations

import os
import signal
from collections import deque
from collections.abc import Collection, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context
from typing import Any, NamedTuple

from benchmarks.scoring.files import FoundFiles
from benchmarks.scoring.masks import MaskReader, read_truth
from datamodules.bases.base import SegDataModule
from zoo.callbacks.scores import describe_image
from zoo.errors import DataError, RunError
from zoo.metrics.case_scores import CaseScore, describe_case
from zoo.metrics.scoring import score_case
from zoo.types import Case, Native
from zoo.utils.format import list_some

_AHEAD = 2
"""Cases per process that are given out before a result is asked for."""


class ScoredCase(NamedTuple):
    """What was found for one case.

    Attributes:
        case_id: The case.
        rows: Its rows; none with a fault.
        image: What `about.json` has of its image.
        fault: Why its label image cannot be scored.
    """

    case_id: str
    rows: list[CaseScore]
    image: dict[str, list[Any]]
    fault: DataError | None = None


@dataclass(frozen=True)
class CaseScorer:
    """Reads and scores a case; a process of a pool gets a copy.

    Attributes:
        data: The data set.
        found: The label images.
        reader: Reads them.
        tolerance: Tolerance of NSD.
        conventions: Further conventions to score by.
    """

    data: SegDataModule
    found: FoundFiles
    reader: MaskReader
    tolerance: float
    conventions: Collection[str] = ()

    def score(self, case: Case) -> ScoredCase:
        """Score a case, or return why its label image cannot be scored.

        Raises:
            DataError: The label of the case cannot be used.
        """
        truth = read_truth(self.data, case)
        try:
            mask = self.reader.read(self.found.of_case.get(case.key, {}), case, truth)
        except DataError as error:
            return ScoredCase(case.case_id, [], {}, error)
        grid = truth.geometry
        rows = score_case(
            case.case_id,
            mask,
            truth.label,
            self.data.labels,
            grid.spacing,
            grid.unit,
            self.tolerance,
            query=case.query,
            conventions=self.conventions,
            instances=self.data.describe_instances(case, grid) if self.conventions else None,
        )
        return ScoredCase(case.case_id, rows, describe_image(Native(truth.geometry, truth.label)))


def score_cases(
    scorer: CaseScorer, cases: Iterable[Case], processes: int = 1
) -> tuple[list[CaseScore], dict[str, dict[str, list[Any]]]]:
    """Score cases; their order decides the order of the rows, and the number of processes changes nothing.

    Args:
        scorer: Scores a case.
        cases: The cases.
        processes: Number of processes that read and score; 1: this process alone.

    Returns:
        The rows, and what `about.json` has of each image.

    Raises:
        DataError: Label images cannot be scored; the message names each.
        RunError: A process ended.
    """
    rows: list[CaseScore] = []
    images: dict[str, dict[str, list[Any]]] = {}
    faults: list[DataError] = []
    for one in map(scorer.score, cases) if processes == 1 else _score_in_processes(scorer, cases, processes):
        if one.fault:
            faults.append(one.fault)
            continue
        rows += one.rows
        images[one.case_id] = one.image
    if len(faults) == 1:
        raise faults[0]
    if faults:
        problems = list_some([error.problem.rstrip(".") for error in faults], "; ")
        raise DataError(f"{len(faults)} label images cannot be scored: {problems}.", faults[0].fix, faults[0].kind)
    return rows, images


def _score_in_processes(scorer: CaseScorer, cases: Iterable[Case], processes: int) -> Iterator[ScoredCase]:
    """Yield the scores of the cases in their order.

    The processes are new ones and no forks, because a fork of a process with threads may hang.
    """
    os.environ["PYTHONSAFEPATH"] = "1"  # a folder `zoo` in the working directory must not hide our package there
    pool = ProcessPoolExecutor(processes, get_context("spawn"), _start, (scorer,))
    due: deque[tuple[Case, Future[ScoredCase]]] = deque()
    try:
        for case in cases:
            due.append((case, _submit(pool, case)))
            if len(due) > _AHEAD * processes:
                yield _wait(*due.popleft())
        while due:
            yield _wait(*due.popleft())
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _submit(pool: ProcessPoolExecutor, case: Case) -> Future[ScoredCase]:
    try:
        return pool.submit(_score, case)
    except BrokenProcessPool as error:
        raise _explain_end(case) from error


def _wait(case: Case, future: Future[ScoredCase]) -> ScoredCase:
    try:
        return future.result()
    except BrokenProcessPool as error:
        raise _explain_end(case) from error


def _explain_end(case: Case) -> RunError:
    return RunError(
        f"{describe_case(case.case_id, case.query)} was not scored: a process of --workers ended, probably for lack of "
        "memory.",
        "Give fewer --workers.",
    )


_HERE: list[CaseScorer] = []
"""In a process of a pool: its scorer."""


def _start(scorer: CaseScorer) -> None:
    """Prepare a process of a pool: one thread, and Ctrl-C is for the process that waits."""
    os.environ["OMP_NUM_THREADS"] = "1"
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _HERE[:] = [scorer]


def _score(case: Case) -> ScoredCase:
    return _HERE[0].score(case)
