"""A finished run of a model and data of another package."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.helpers.stub_commands import FIT, HERE
from zoo.cli.main import main


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run without an interruption."""
    out = tmp_path_factory.mktemp("run") / "whole"
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(HERE))
        patch.setenv("PYTHONSAFEPATH", "0")
        assert main([*FIT, "--out", str(out)]) == 0
    return out
