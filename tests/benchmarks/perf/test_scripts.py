"""The scripts of `benchmarks/perf` that measure the data path run through; what they measure is not tested."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.helpers.paths import REPOSITORY

PERF = REPOSITORY / "benchmarks" / "perf"


@pytest.mark.slow
def test_patches_are_measured_beside_their_peers() -> None:
    command = [sys.executable, str(PERF / "patches.py"), "--small", "--repeats", "1"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for line in ("zoo ", "copy ", "MONAI ", "zoo / MONAI: ", "zoo / copy: "):
        assert line in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize(("script", "claims"), [("metrics", 5), ("loop_dice", 2)])
def test_scores_are_measured_beside_their_peers(script: str, claims: int) -> None:
    command = [sys.executable, "-m", f"benchmarks.perf.{script}", "--small", "--repeats", "1"]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", check=False, cwd=REPOSITORY)
    assert done.returncode in (0, 1), done.stderr
    assert done.stdout.count("  zoo: ") == done.stdout.count("largest difference") == claims
