"""`zoo.load_run`: the trained model of a run folder."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
import yaml

import zoo
from datamodules import build_datamodule
from tests.helpers.hostile_files import save_with_code
from zoo.engine.run_folder import RunFolder
from zoo.engine.run_seals import seal_files
from zoo.errors import CheckpointError, ConfigError, RunError
from zoo.models import UNet
from zoo.utils.seals import FILES, add_seal


def write_run(folder: Path, class_path: str, checkpoints: dict[str, object]) -> Path:
    (folder / "checkpoints").mkdir(parents=True)
    config = {"model": {"class_path": class_path, "init_args": {}}, "data": {}, "trainer": {}}
    (folder / "config.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    for name, content in checkpoints.items():
        torch.save(content, folder / "checkpoints" / name)
    return folder


def checkpoint_of(model: UNet) -> dict[str, object]:
    version = "2.6.4"  # Lightning reads it to migrate older checkpoints
    return {
        "state_dict": model.state_dict(),
        "hyper_parameters": dict(model.hparams),
        "pytorch-lightning_version": version,
    }


def test_the_best_checkpoint_is_loaded_and_else_the_last_or_the_one_that_is_given(tmp_path: Path) -> None:
    facts = build_datamodule("phantom_chest", "tiny").facts
    best, last = (UNet(facts, channels=(8, 8, 8, 8, 8, 8)) for _ in range(2))
    run = write_run(
        tmp_path / "run", "zoo.models.UNet", {"best.ckpt": checkpoint_of(best), "last.ckpt": checkpoint_of(last)}
    )
    image, text = torch.rand(1, 1, 32, 32), zoo.Text(best.facts.prompts)
    loaded = zoo.load_run(run)
    assert isinstance(loaded, UNet)
    assert not loaded.training
    assert loaded.facts == best.facts
    assert torch.equal(loaded(image, text), best.eval()(image, text))
    given = zoo.load_run(str(run), run / "checkpoints" / "last.ckpt")
    assert torch.equal(given(image, text), last.eval()(image, text))
    (run / "checkpoints" / "best.ckpt").unlink()
    assert torch.equal(zoo.load_run(run)(image, text), last(image, text))


def test_weights_with_which_an_encoder_started_need_not_be_on_this_machine(tmp_path: Path) -> None:
    model = UNet(build_datamodule("phantom_chest", "tiny").facts, vision="timm:mobilenetv3_small_050", stages=2)
    content, gone = checkpoint_of(model), str(tmp_path / "gone.safetensors")
    content["hyper_parameters"] = {**dict(model.hparams), "vision_weights": gone}
    run = write_run(tmp_path / "run", "zoo.models.UNet", {"last.ckpt": content})
    config = yaml.safe_load((run / "config.yaml").read_text(encoding="utf-8"))
    config["model"]["init_args"] = {"vision_weights": gone}
    (run / "config.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    image, text = torch.rand(1, 1, 32, 32), zoo.Text(model.facts.prompts)
    assert torch.equal(zoo.load_run(run)(image, text), model.eval()(image, text))


def test_what_is_no_run_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no run is here"):
        zoo.load_run(tmp_path)
    with pytest.raises(CheckpointError, match="no checkpoint is here"):
        zoo.load_run(write_run(tmp_path / "new", "zoo.models.UNet", {}))
    with pytest.raises(ConfigError, match=r"LightningModule is no SegModule.*load_from_checkpoint"):
        zoo.load_run(write_run(tmp_path / "other", "lightning.pytorch.LightningModule", {}))
    cut = write_run(tmp_path / "cut", "zoo.models.UNet", {})
    (cut / "checkpoints" / "last.ckpt").write_bytes(b"PK\x03\x04 cut short")
    with pytest.raises(CheckpointError, match="not a checkpoint that can be loaded"):
        zoo.load_run(cut)


def test_a_checkpoint_that_is_not_what_the_training_wrote_is_not_loaded(tmp_path: Path) -> None:
    model = UNet(build_datamodule("phantom_chest", "tiny").facts, channels=(8, 8, 8, 8, 8, 8))
    run = write_run(tmp_path / "run", "zoo.models.UNet", {"last.ckpt": checkpoint_of(model)})
    content = {"finished": "2026-01-31", FILES: seal_files(RunFolder(run), {})}
    (run / "manifest.json").write_text(json.dumps(add_seal(content)))
    assert zoo.load_run(run)
    torch.save(checkpoint_of(UNet(model.facts.to_dict(), channels=(8, 8, 8, 8, 8, 8))), run / "checkpoints/last.ckpt")
    with pytest.raises(CheckpointError, match=r"last\.ckpt: this is not the checkpoint that the training wrote"):
        zoo.load_run(run)


@pytest.mark.parametrize("sealed", [False, True])
def test_code_in_the_checkpoint_of_a_run_is_refused_and_not_run(tmp_path: Path, sealed: bool) -> None:
    model = UNet(build_datamodule("phantom_chest", "tiny").facts, channels=(8, 8, 8, 8, 8, 8))
    run = write_run(tmp_path / "run", "zoo.models.UNet", {})
    trace = save_with_code(run / "checkpoints" / "last.ckpt", checkpoint_of(model))
    if sealed:
        content = {"finished": "2026-01-31", FILES: seal_files(RunFolder(run), {})}
        (run / "manifest.json").write_text(json.dumps(add_seal(content)))
    with pytest.raises(CheckpointError, match=r"last\.ckpt"):
        zoo.load_run(run)
    assert not trace.exists()
