"""Checkpoints are hashed while they are written; a damaged one and that of another run are refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from tests.helpers.hostile_files import save_with_code
from zoo.callbacks import checkpoints
from zoo.callbacks.checkpoints import AtomicCheckpointIO, load
from zoo.callbacks.manifest import RUN_KEY
from zoo.errors import CheckpointError
from zoo.utils.seals import hash_file


def saved(run: Path, owner: str = "a" * 64) -> Path:
    path = run / "checkpoints" / "last.ckpt"
    plugin = AtomicCheckpointIO()
    plugin.save_checkpoint({"state_dict": {"weight": torch.arange(4000.0)}, RUN_KEY: owner}, path)
    assert plugin.digests == {path.resolve(): hash_file(path)}
    return path


def test_a_saved_checkpoint_is_loaded_and_its_hash_is_known(tmp_path: Path) -> None:
    assert torch.equal(load(saved(tmp_path))["state_dict"]["weight"], torch.arange(4000.0))


def test_ctrl_c_while_a_checkpoint_is_written_stays_ctrl_c(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """torch closes its archive and reports an unexpected position."""
    path = saved(tmp_path)
    before, write, pressed = path.read_bytes(), checkpoints._HashingFile.write, iter([False, False, True])

    def interrupt_once(file: checkpoints._HashingFile, content: bytes) -> int:
        if next(pressed, False):
            raise KeyboardInterrupt
        return write(file, content)

    monkeypatch.setattr(checkpoints._HashingFile, "write", interrupt_once)
    with pytest.raises(KeyboardInterrupt):
        AtomicCheckpointIO().save_checkpoint({"state_dict": {"weight": torch.zeros(4000)}}, path)
    assert path.read_bytes() == before
    assert [one.name for one in path.parent.iterdir()] == [path.name]


def test_flipped_exponents_of_weights_are_found_without_a_seal(tmp_path: Path) -> None:
    path = saved(tmp_path)
    content = bytearray(path.read_bytes())
    start = content.index(torch.arange(4000.0).numpy().tobytes()[:64])
    for place in range(start + 4 * 100 + 3, start + 4 * 1100 + 3, 4):
        content[place] ^= 4
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"last\.ckpt: the file is damaged"):
        load(path)


def test_the_checkpoint_of_another_run_in_a_run_folder_is_refused(tmp_path: Path) -> None:
    path = saved(tmp_path)
    manifest = tmp_path / "manifest.json"
    for known in ({"config_hash": "a" * 64}, {}):
        manifest.write_text(json.dumps(known))
        assert load(path)
    manifest.write_text(json.dumps({"config_hash": "b" * 64}))
    with pytest.raises(CheckpointError, match=r"the checkpoint of another run \(configuration aaaa.*not bbbb.*zoo fit"):
        load(path)


@pytest.mark.parametrize("archive", [True, False], ids=["zip", "old"])
def test_code_in_a_checkpoint_is_refused_and_not_run(tmp_path: Path, archive: bool) -> None:
    path = tmp_path / "last.ckpt"
    trace = save_with_code(path, {"state_dict": {"weight": torch.zeros(2)}}, archive=archive)
    with pytest.raises(CheckpointError, match=r"last\.ckpt"):
        load(path)
    with pytest.raises(CheckpointError, match=r"last\.ckpt"):
        AtomicCheckpointIO().load_checkpoint(path, weights_only=False)
    assert not trace.exists()
