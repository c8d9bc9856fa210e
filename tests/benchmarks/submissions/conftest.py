"""A leaderboard of one entry that a test may damage: a copy of an entry of the project."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from benchmarks.submissions.folder import SUBMISSION
from tests.helpers.paths import REPOSITORY

OURS = REPOSITORY / "leaderboard"
GROUP = Path("phantom_chest") / "generated"
TMCA = next(OURS.glob(f"{GROUP}/tmca-*")).name


@pytest.fixture
def board(tmp_path: Path) -> Path:
    """Copy the entry of `tmca`."""
    shutil.copytree(OURS / GROUP / TMCA, tmp_path / "board" / GROUP / TMCA)
    return tmp_path / "board"


@pytest.fixture
def entry(board: Path) -> Path:
    """The folder of the only entry."""
    folder = board / GROUP / TMCA
    assert (folder / SUBMISSION).is_file()
    return folder
