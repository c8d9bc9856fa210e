"""A file is complete or missing, also if its writer is killed or the disk is full."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from zoo.engine.run_folder import RunFolder
from zoo.errors import RunError
from zoo.utils.atomic_files import UNFINISHED, new_folder, remove_unfinished, write_atomically, write_text

KILLED_WHILE_WRITING = """
import os, signal, sys
from pathlib import Path
from zoo.utils.atomic_files import write_atomically

def write(path):
    path.write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)

write_atomically(Path(sys.argv[1]), write)
"""


@pytest.mark.parametrize("durable", [False, True])
def test_a_text_is_written_as_it_is_into_a_new_folder(tmp_path: Path, durable: bool) -> None:
    path = tmp_path / "a" / "b" / "text.csv"
    for text in ("ä,1\r\n\n", ""):
        write_text(path, text, durable=durable)
        assert path.read_bytes() == text.encode()
    assert [one.name for one in path.parent.iterdir()] == ["text.csv"]


def test_a_durable_file_is_on_disk_before_it_has_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, synced = tmp_path / "a.json", []

    def fsync(descriptor: int) -> None:
        synced.append((os.fstat(descriptor).st_size, path.exists()))

    monkeypatch.setattr(os, "fsync", fsync)
    write_text(path, "12345", durable=True)
    assert synced == [(5, False)]
    write_text(path, "12345")
    assert len(synced) == 1


def test_the_writer_sees_the_suffix_and_a_failure_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "scan.nii.gz"
    write_text(path, "old")

    def full(temporary: Path) -> None:
        assert temporary.name.startswith(UNFINISHED)
        assert temporary.suffixes[-2:] == path.suffixes
        temporary.write_text("half", encoding="utf-8")
        raise OSError(28, "No space left on device", str(temporary))

    with pytest.raises(RunError, match=r"scan\.nii\.gz: cannot be written: No space left on device\. Buy a disk\.$"):
        write_atomically(path, full, fix="Buy a disk.")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_cannot_be_made_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match=r"x\.json: cannot be written"):
        write_text(tmp_path / "file" / "x.json", "")
    (tmp_path / "folder.json").mkdir()
    with pytest.raises(RunError, match=r"folder\.json: cannot be written"):
        write_text(tmp_path / "folder.json", "")
    assert sorted(one.name for one in tmp_path.iterdir()) == ["file", "folder.json"]


def test_the_hidden_file_of_a_killed_writer_is_removed(tmp_path: Path) -> None:
    path = tmp_path / "test" / "cases.csv"
    killed = subprocess.run([sys.executable, "-c", KILLED_WHILE_WRITING, str(path)], check=False)
    assert killed.returncode == -signal.SIGKILL
    (left,) = path.parent.iterdir()
    assert left.name.startswith(UNFINISHED)
    write_text(path, "whole")
    assert path.read_text() == "whole"
    remove_unfinished(tmp_path)
    assert list(path.parent.iterdir()) == [path]


def write_half(folder: Path) -> None:
    (folder / "half.txt").write_text("half")
    raise OSError(28, "No space left on device")


def test_a_folder_appears_with_all_its_files_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "a" / "packed"
    said = r"packed: cannot be written: No space left on device\. Choose another --to\."
    with pytest.raises(RunError, match=said), new_folder(target, "Choose another --to.") as folder:
        write_half(folder)
    assert list(target.parent.iterdir()) == []
    target.mkdir()
    with new_folder(target) as folder:
        (folder / "whole.txt").write_text("whole")
        assert list(target.iterdir()) == []
    assert [path.name for path in target.iterdir()] == ["whole.txt"]
    with pytest.raises(RunError, match="there is something already"), new_folder(target):
        pass
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    with new_folder(Path("b")) as folder:
        assert folder.parent == tmp_path / "here"


def test_the_unfinished_folder_of_another_command_stays(tmp_path: Path) -> None:
    left = tmp_path / f"{UNFINISHED}1-packed"
    left.mkdir()
    remove_unfinished(tmp_path)
    RunFolder(tmp_path).remove_unfinished()
    assert left.is_dir()
