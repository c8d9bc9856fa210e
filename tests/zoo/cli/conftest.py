"""A finished run of a model and data of another package."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.helpers.stub_commands import FIT, train_stub


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run without an interruption."""
    out = tmp_path_factory.mktemp("run") / "whole"
    train_stub(FIT, out)
    return out
