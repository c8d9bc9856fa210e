"""The published archives of every data set, a bad archive, and a killed unpacking."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from datamodules.acquire import sources
from datamodules.acquire.acquire import acquire_data_set
from datamodules.build import build_datamodule
from datamodules.cli import main
from datamodules.index.card import DataCard
from datamodules.sets.polyps import TABLES
from tests.helpers.acquired_folders import left
from tests.helpers.data_sets import REPLICAS
from zoo.registry import DATA

ON_DISK = [card for card in map(DataCard.of, DATA) if sources.access_kind(card) not in ("embedded", "own")]


def pack(root: Path, folder: Path, name: str) -> list[Path]:
    """The replica of a data set as its published archives with their top folders, and its caption tables."""
    if name in TABLES:
        packed = [_zip(root / part, folder / f"{part}.zip") for part in ("TrainDataset", "TestDataset")]
        return [*packed, *sorted((root / "text").glob("*.csv"))]
    top = {"acdc": root.parent, "btcv": root / "RawData"}.get(name, root)
    return [_zip(top, folder / "set.zip")]


def _zip(top: Path, archive: Path) -> Path:
    with zipfile.ZipFile(archive, "w") as out:
        for path in sorted(path for path in top.rglob("*") if path.is_file()):
            out.write(path, path.relative_to(top.parent))
    return archive


@pytest.mark.parametrize("name", [card.name for card in ON_DISK])
def test_the_archives_of_every_data_set_unpack_to_a_folder_that_its_module_reads(
    name: str, tmp_path: Path, folders: tuple[Path, Path]
) -> None:
    made = tmp_path / "made"
    made.mkdir()
    root = REPLICAS[name](made)
    card = DataCard.of(DATA.get(name))
    receipt = acquire_data_set(card, pack(root, tmp_path, name), download=False, root=None)
    assert receipt["data"] == card.folder_name
    found, due = build_datamodule(name, "tiny"), build_datamodule(name, "tiny", root=str(root))
    assert list(found.cases) == list(due.cases)
    assert found.split_hash == due.split_hash
    assert found.folder.parent == folders[0].resolve()
    paths = [path for case in found.cases.values() for path in (*case.images, case.label) if path]
    assert all(file.is_file() for path in paths for file in found.reader.files(path))


def test_a_bad_archive_leaves_nothing(
    tar: Path, tmp_path: Path, folders: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    bad = tmp_path / "bad.zip"
    with zipfile.ZipFile(bad, "w") as out:
        out.writestr("../x", "1")
    ours = tmp_path / "ours.zip"
    with zipfile.ZipFile(ours, "w") as out:
        out.writestr("source.json", "{}")
    twice = [tar, tar]
    for words, says in (
        ([tar, bad], "leads out"),
        (twice, "is in another archive too"),
        ([ours], "contains its own source.json"),
    ):
        assert main(["prepare", "hippocampus", "--from", *map(str, words)]) == 2
        assert says in capsys.readouterr().err
        assert left(folders[0]) == []


def test_a_killed_unpacking_leaves_nothing_that_looks_complete(
    tar: Path, folders: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    data, _ = folders
    code = (
        "import sys, time; from pathlib import Path; from datamodules.acquire.acquire import acquire_data_set; "
        "from datamodules.index.card import DataCard; from zoo.registry import DATA; "
        "wait = lambda what, *rest: what.startswith('Unpacking') and (print(what, flush=True), time.sleep(60)); "
        "acquire_data_set(DataCard.of(DATA.get('nifti_folder')), [Path(sys.argv[1])], False, sys.argv[2], wait)"
    )
    words = [sys.executable, "-c", code, str(tar), str(data / "hippocampus")]
    with subprocess.Popen(words, stdout=subprocess.PIPE, env=os.environ.copy()) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith(b"Unpacking")
        process.send_signal(signal.SIGKILL)
    assert left(data) == [".hippocampus.part"]
    assert not (data / ".hippocampus.part" / "source.json").exists()
    assert main(["prepare", "hippocampus"]) == 2
    assert "is missing" in capsys.readouterr().err
    assert main(["prepare", "hippocampus", "--from", str(tar)]) == 0
    assert left(data) == ["hippocampus"]
