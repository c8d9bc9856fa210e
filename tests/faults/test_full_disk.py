"""A disk that is full under a run: one line, exit code 2, nothing half-written."""

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
def test_a_checkpoint_is_the_old_one_and_torch_says_nothing_of_positions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, room: int
) -> None:
    """Torch's writer of archives complains of the cut archive over the system's error."""
    path, opened = tmp_path / "last.ckpt", Path.open
    AtomicCheckpointIO().save_checkpoint({"weight": torch.ones(2)}, path)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", lambda self, *words: FullDisk(opened(self, *words), room))
        with pytest.raises(RunError, match=r"last.ckpt: cannot be written: .*No space left") as caught:
            AtomicCheckpointIO().save_checkpoint({"weight": torch.zeros(5_000)}, path)
    assert "\n" not in str(caught.value)
    assert [left.name for left in tmp_path.iterdir()] == ["last.ckpt"]
    assert load(path)["weight"].tolist() == [1, 1]


def test_what_else_goes_wrong_with_a_checkpoint_is_no_full_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> NoReturn:
        raise RuntimeError("a bug of ours")

    monkeypatch.setattr(torch, "save", broken)
    with pytest.raises(RuntimeError, match="a bug of ours"):
        AtomicCheckpointIO().save_checkpoint({}, tmp_path / "last.ckpt")
    assert not list(tmp_path.iterdir())


def test_a_status_is_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "status.json"
    write_json(path, {"state": "done"})
    before = path.read_bytes()
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(RunError, match=r"status.json: cannot be written: No space left"):
        write_json(path, {"state": "failed"})
    assert [left.name for left in tmp_path.iterdir()] == ["status.json"]
    assert path.read_bytes() == before


def test_any_write_that_meets_a_full_disk_is_one_line_and_no_other_fault_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(full) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "No space left on device" in said

    def missing() -> NoReturn:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), "a")

    with pytest.raises(FileNotFoundError):
        run_command(missing)
