"""What is made of SLURM's answers, where a script answers for it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.run import slurm_queue
from zoo.errors import RunError

Answer = Callable[[str], None]
ORDER = {"options": {"time": "5"}}


@pytest.fixture
def answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Answer:
    """Writes a script that stands for `squeue`, the only program there is."""
    monkeypatch.setenv("PATH", str(tmp_path))

    def write(script: str) -> None:
        path = tmp_path / "squeue"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    return write


@pytest.fixture
def bench(tmp_path: Path) -> Path:
    folder = tmp_path / "bench"
    slurm_queue.record(folder, {name: f"7_{n}" for n, name in enumerate("abcde")}, ORDER)
    return folder


def listing(folder: Path, *rows: str) -> str:
    script = folder.resolve() / "slurm" / "submission.sh"
    return "\n".join(f"echo '{row} {script}'" for row in rows)


def test_each_state_says_what_brings_it_back(bench: Path, answer: Answer) -> None:
    states = listing(bench, "7_0 PENDING", "7_1 COMPLETING", "7_2 CANCELLED", "7_3 FAILED")
    answer(f"{states}\necho '7_4 RUNNING /another/benchmark/slurm/submission.sh'")
    found = slurm_queue.read_elements(bench)
    assert [element.queued for element in found.values()] == [True, True, False, False, False]
    assert [element.ended_by_slurm for element in found.values()] == [False, False, True, False, False]
    assert [element.describe() for element in found.values()] == [
        "SLURM 7_0 pending",
        "SLURM 7_1 completing",
        "SLURM 7_2 cancelled: the same `zoo bench run` or `scontrol requeue 7_2` restarts it",
        "SLURM 7_3 failed: the same `zoo bench run` submits it again",
        "SLURM 7_4 no longer known: the same `zoo bench run` submits it again",
    ]
    assert found["a"].order == ORDER


def test_where_slurm_does_not_answer_nothing_is_taken_for_forgotten(bench: Path, answer: Answer) -> None:
    answer("echo 'slurm_load_jobs error: Unable to contact slurm controller' >&2; exit 1")
    with pytest.raises(RunError, match="squeue does not answer: slurm_load_jobs error"):
        slurm_queue.read_elements(bench)


@pytest.mark.usefixtures("answer")
def test_without_slurm_there_are_no_elements(bench: Path) -> None:
    assert slurm_queue.read_elements(bench) == {}
