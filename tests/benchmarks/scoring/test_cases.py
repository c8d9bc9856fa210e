"""Cases scored in several processes have the rows, the faults and the order of one process."""

from __future__ import annotations

import os
import pickle
import signal
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

import pytest

from benchmarks.scoring import cases as module
from benchmarks.scoring.cases import CaseScorer, score_cases
from benchmarks.scoring.files import find_files
from benchmarks.scoring.masks import MaskReader
from benchmarks.scoring.score import Method, score_label_images
from benchmarks.scoring.values import choose_values
from datamodules.build import build_datamodule
from tests.helpers.data_sets import make_hippocampus
from tests.helpers.label_images import copy_volumes
from zoo.errors import DataError, RunError


def send(thing: Any) -> Any:
    """Return what another process gets."""
    return pickle.loads(pickle.dumps(thing))  # noqa: S301 - our own bytes


class PicklingPool:
    """A pool without processes: what goes to one and comes back is pickled. A call fails where `broken` says so."""

    broken = False

    def __init__(self, processes: int, context: Any, start: Callable[..., None], arguments: tuple[Any, ...]) -> None:
        assert context.get_start_method() == "spawn"
        self.ended = False
        start(*send(arguments))

    def submit(self, function: Callable[..., Any], *arguments: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            if self.broken:
                raise BrokenProcessPool
            future.set_result(send(function(*send(arguments))))
        except Exception as error:  # noqa: BLE001 - what a process raises is raised where its result is asked for
            future.set_exception(send(error))
        return future

    def shutdown(self, wait: bool, cancel_futures: bool) -> None:
        self.ended = wait and cancel_futures


@pytest.fixture
def _without_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ProcessPoolExecutor", PicklingPool)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    monkeypatch.setattr(os, "environ", dict(os.environ))


def make_scorer(folder: Path) -> tuple[CaseScorer, list[Any]]:
    task = make_hippocampus(folder)
    files = copy_volumes(task, folder / "files")
    data = build_datamodule("hippocampus", "tiny", root=str(task))
    cases = list(data.index.cases_of("test"))
    found = find_files(files, data.cases.values(), {case.key for case in cases}, data.labels)
    values = choose_values("", files, data.labels, data.dropped_values)
    return CaseScorer(data, found, MaskReader(data.labels, values, data.reader), 1.0), cases


@pytest.mark.slow  # a process that loads Lightning
def test_a_new_process_finds_the_rows_of_this_one(tmp_path: Path) -> None:
    scorer, cases = make_scorer(tmp_path)
    here = [scorer.score(case) for case in cases]
    there = list(module._score_in_processes(scorer, cases, 1))
    assert there == here
    assert len(there) == 2


@pytest.mark.usefixtures("_without_processes")
def test_the_order_of_the_rows_is_that_of_the_cases(tmp_path: Path) -> None:
    scorer, cases = make_scorer(tmp_path)
    many = cases * 5
    assert score_cases(scorer, many, 2) == score_cases(scorer, many)
    method = Method("Ours", tmp_path / "files", processes=9)
    assert len(score_label_images(scorer.data, method).part.rows) == 4


@pytest.mark.usefixtures("_without_processes")
def test_each_file_that_cannot_be_scored_is_named_whichever_process_read_it(tmp_path: Path) -> None:
    scorer, cases = make_scorer(tmp_path)
    files = [scorer.found.files(case)[0] for case in cases]
    for broken in (files[1:], files):
        for path in broken:
            path.write_bytes(b"")
        with pytest.raises(DataError) as here:
            score_cases(scorer, cases)
        with pytest.raises(DataError) as there:
            score_cases(scorer, cases, 2)
        assert str(there.value) == str(here.value)
        assert (there.value.kind, there.value.fix) == (here.value.kind, here.value.fix)
        assert all(path.name in str(there.value) for path in broken)


@pytest.mark.usefixtures("_without_processes")
def test_a_process_that_ends_is_one_line_with_the_case(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scorer, cases = make_scorer(tmp_path)
    monkeypatch.setattr(PicklingPool, "broken", True)
    with pytest.raises(RunError, match=rf"Case '{cases[0].case_id}' was not scored: a process .* Give fewer --workers"):
        score_cases(scorer, cases, 2)
