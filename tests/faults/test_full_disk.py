"""A disk that becomes full during a run: one line, exit code 2, no incomplete file."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import NoReturn

import pytest
import torch

from benchmarks.storage.layout import write_json
from tests.helpers.full_disk import FullDisk, full
from zoo.callbacks.checkpoints import AtomicCheckpointIO, load
from zoo.errors import RunError
from zoo.utils.exit_codes import run_command


@pytest.mark.parametrize("room", [0, 100, 5_000])
def test_old_checkpoint_stays_and_the_error_is_that_of_the_system(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, room: int
) -> None:
    """Torch reports the incomplete archive and not the error of the system."""
    path, opened = tmp_path / "last.ckpt", Path.open
    AtomicCheckpointIO().save_checkpoint({"weight": torch.ones(2)}, path)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", lambda self, *words: FullDisk(opened(self, *words), room))
        with pytest.raises(RunError, match=r"last.ckpt: cannot be written: .*No space left") as caught:
            AtomicCheckpointIO().save_checkpoint({"weight": torch.zeros(5_000)}, path)
    assert "\n" not in str(caught.value)
    assert [left.name for left in tmp_path.iterdir()] == ["last.ckpt"]
    assert load(path)["weight"].tolist() == [1, 1]


def test_other_error_of_a_checkpoint_is_not_reported_as_a_full_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> NoReturn:
        raise RuntimeError("a bug of ours")

    monkeypatch.setattr(torch, "save", broken)
    with pytest.raises(RuntimeError, match="a bug of ours"):
        AtomicCheckpointIO().save_checkpoint({}, tmp_path / "last.ckpt")
    assert not list(tmp_path.iterdir())


def test_old_status_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "status.json"
    write_json(path, {"state": "done"})
    before = path.read_bytes()
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(RunError, match=r"status.json: cannot be written: No space left"):
        write_json(path, {"state": "failed"})
    assert [left.name for left in tmp_path.iterdir()] == ["status.json"]
    assert path.read_bytes() == before


def test_full_disk_is_one_line_and_other_errors_are_not(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(full) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "No space left on device" in said

    def missing() -> NoReturn:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), "a")

    with pytest.raises(FileNotFoundError):
        run_command(missing)
