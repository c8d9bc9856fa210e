"""A replica as an archive, and an empty `ZOO_DATA`."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest

from datamodules.acquire import sources
from tests.helpers.data_sets import make_hippocampus


@pytest.fixture(scope="module")
def tar(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The replica of the hippocampus data set as a tar archive."""
    folder = tmp_path_factory.mktemp("tar")
    path = folder / "Task04_Hippocampus.tar"
    with tarfile.open(path, "w") as out:
        out.add(make_hippocampus(folder, 5), "Task04_Hippocampus")
    return path


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """The folder `ZOO_DATA`, and an empty folder for source files."""
    data, known = tmp_path / "data", tmp_path / "known"
    known.mkdir()
    monkeypatch.setenv("ZOO_DATA", str(data))
    monkeypatch.setattr(sources, "SOURCES", known)
    return data, known
