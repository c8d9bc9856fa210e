"""The files of a finished run are those that its training wrote, or a command refuses them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.helpers.sealed_runs import CONFIG, write_run
from zoo.config import config_hash
from zoo.engine.run_folder import RunFolder
from zoo.engine.run_seals import check_run, choose_checkpoint
from zoo.errors import CheckpointError, RunError


def test_the_files_of_a_finished_run_are_accepted(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    assert check_run(folder) == {}
    write_run(folder.path, {"seed": 0})
    manifest = check_run(folder)
    assert sorted(manifest["files"]) == ["checkpoints/best.ckpt", "checkpoints/last.ckpt", "config.yaml"]
    assert choose_checkpoint(folder, None, manifest).name == "best.ckpt"
    assert choose_checkpoint(folder, folder.last, manifest).name == "last.ckpt"


def test_a_folder_of_checkpoints_may_be_a_link_to_another_disk(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    write_run(folder.path, {})
    folder.checkpoints.rename(tmp_path / "scratch")
    folder.checkpoints.symlink_to(tmp_path / "scratch")
    assert choose_checkpoint(folder, None, check_run(folder)).name == "best.ckpt"


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (
            lambda run: run.config.write_text(run.config.read_text() + "# a comment\n"),
            "config.yaml: the file was damag",
        ),
        (lambda run: run.config.unlink(), "config.yaml: the configuration of the run is missing"),
        (
            lambda run: run.manifest.write_text(run.manifest.read_text().replace('"seed": 0', '"seed": 1')),
            "manifest.json: the content does not match its seal",
        ),
        (
            lambda run: run.manifest.write_text(
                json.dumps({key: value for key, value in run.read_manifest().items() if key != "seal"})
            ),
            "manifest.json: the content does not match its seal",
        ),
    ],
)
def test_an_edited_manifest_or_configuration_is_refused(
    spoil: Callable[[RunFolder], object], says: str, tmp_path: Path
) -> None:
    folder = RunFolder(tmp_path / "run")
    write_run(folder.path, {"seed": 0})
    spoil(folder)
    with pytest.raises(RunError) as caught:
        check_run(folder)
    assert says in str(caught.value)
    assert "`zoo fit`" in str(caught.value)


def test_the_configuration_of_an_unfinished_or_older_run_has_the_hash_of_its_manifest(tmp_path: Path) -> None:
    """A resumed run writes its configuration before its manifest: another number of workers is no damage."""
    folder = RunFolder(tmp_path)
    folder.manifest.write_text(json.dumps({"config_hash": config_hash(CONFIG), "finished": None}))
    folder.config.write_text(json.dumps({**CONFIG, "data": {"init_args": {"num_workers": 3}}}))
    check_run(folder)
    folder.config.write_text(json.dumps({**CONFIG, "data": {"init_args": {"patch": [32, 32]}}}))
    with pytest.raises(RunError, match="not the configuration with which the run began"):
        check_run(folder)


def test_a_damaged_exchanged_or_missing_checkpoint_is_refused(tmp_path: Path) -> None:
    folder, other = RunFolder(tmp_path / "s0"), RunFolder(tmp_path / "s1")
    for run in (folder, other):
        write_run(run.path, {})
    manifest, best = check_run(folder), folder.checkpoints / "best.ckpt"
    content = best.read_bytes()
    best.write_bytes((other.checkpoints / "best.ckpt").read_bytes())
    with pytest.raises(CheckpointError, match=r"best\.ckpt: this is not the checkpoint that the training wrote"):
        choose_checkpoint(folder, None, manifest)
    best.unlink()
    with pytest.raises(CheckpointError, match=r"best\.ckpt: the checkpoint is missing.*--ckpt .*last\.ckpt"):
        choose_checkpoint(folder, None, manifest)
    assert choose_checkpoint(folder, folder.last, manifest) == folder.last
    best.write_bytes(bytes([content[0] ^ 64]) + content[1:])
    with pytest.raises(CheckpointError, match=r"damaged or exchanged.*zoo fit"):
        choose_checkpoint(folder, None, manifest)
