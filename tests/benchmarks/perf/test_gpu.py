"""Every part of `make perf-gpu` runs, here on the CPU; what it measures is not tested."""

from __future__ import annotations

import pytest
import torch

from benchmarks.perf.gpu import PARTS, main
from benchmarks.perf.gpu_clock import judge


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("part", "says"),
    [
        ("step", "eager float32 over gpu_fast"),
        ("wait", "of it, wait for the loader"),
        ("windows", "speed over the bare forward"),
        ("score", "seconds"),
        ("deterministic", "deterministic over free"),
        ("text", "1 in the first step, 0 in the next one"),
    ],
)
def test_each_part_runs_in_small_on_the_cpu(part: str, says: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert part in PARTS
    assert main(["--device", "cpu", "--small", "--part", part]) == 0
    out = capfd.readouterr().out
    assert says in out
    assert "not judged" in out
    assert not torch.are_deterministic_algorithms_enabled()


def test_all_parts_are_tested() -> None:
    assert set(PARTS) == {"step", "wait", "windows", "score", "deterministic", "text"}


def test_without_a_gpu_one_line_says_so(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert main([]) == 2
    error = capsys.readouterr().err
    assert error.startswith("zoo: error: torch sees no GPU. ")
    assert error.count("\n") == 1


def test_a_bar_is_reached_from_above_or_from_below() -> None:
    assert judge("ratio", 3.1, 3.0, at_least=True)
    assert not judge("ratio", 2.9, 3.0, at_least=True)
    assert judge("share", 0.01, 0.02)
    assert not judge("share", 0.03, 0.02)
