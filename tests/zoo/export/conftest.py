"""Run folders of small untrained models."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from tests.helpers.untrained_runs import write_run
from zoo.models.base import SegModule
from zoo.preprocessing import PreprocessingSpec

MakeRun = Callable[[SegModule, PreprocessingSpec], Path]


@pytest.fixture
def make_run(tmp_path: Path) -> MakeRun:
    """Return a function that writes the run folder of a model, without a training."""
    return partial(write_run, tmp_path / "run")
