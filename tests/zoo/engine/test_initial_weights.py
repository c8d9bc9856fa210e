"""Weights of another run or file in a new model: what is loaded, new and left out, and which files are refused."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from zoo.engine.initial_weights import load_weights, match_weights, read_weights
from zoo.errors import CheckpointError, RunError


def network(classes: int = 1) -> nn.Module:
    net = nn.Sequential()
    net.add_module("encoder", nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4)))
    net.add_module("head", nn.Conv2d(4, classes, 1))
    return net


def test_names_with_equal_shapes_are_loaded_and_the_others_are_listed(tmp_path: Path) -> None:
    old, new = network(classes=3), network()
    old.add_module("extra", nn.Linear(2, 2))
    new.add_module("decoder", nn.Linear(5, 5))
    torch.save(old.state_dict(), tmp_path / "old.pt")
    before = {name: value.clone() for name, value in new.state_dict().items()}
    report = load_weights(new, tmp_path / "old.pt")
    after = new.state_dict()
    assert all(torch.equal(after[name], old.state_dict()[name]) for name in report.loaded)
    assert {name.partition(".")[0] for name in report.loaded} == {"encoder"}
    assert len(report.loaded) == 7, "weights and statistics"
    kept = [*report.new, *report.reshaped]
    assert sorted(kept) == ["decoder.bias", "decoder.weight", "head.bias", "head.weight"]
    assert all(torch.equal(after[name], before[name]) for name in kept)
    assert report.reshaped["head.weight"] == ((3, 4, 1, 1), (1, 4, 1, 1))
    assert report.unused == ("extra.bias", "extra.weight")
    assert list(report.rows()) == [
        ("encoder", 7, 4 * 9 + 4 + 4 * 4 + 1, "loaded"),
        ("decoder", 2, 30, "new: the file has no such weights"),
        ("extra", 2, 6, "left out: the model has no such weights"),
        ("head.bias", 1, 1, "new: [3] in the file, [1] in the model"),
        ("head.weight", 1, 4, "new: [3, 4, 1, 1] in the file, [1, 4, 1, 1] in the model"),
    ]


def test_the_hash_is_that_of_the_content_in_any_format_and_place(tmp_path: Path) -> None:
    state = network().state_dict()
    save_file(state, tmp_path / "a.safetensors")
    torch.save({"state_dict": state, "epoch": 3}, tmp_path / "b.ckpt")
    hashes = {read_weights(tmp_path / name).sha256 for name in ("a.safetensors", "b.ckpt")}
    assert len(hashes) == 1
    state["head.bias"][0] += 1
    torch.save(state, tmp_path / "c.pt")
    assert read_weights(tmp_path / "c.pt").sha256 not in hashes


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "model."])
def test_the_prefix_of_a_wrapper_is_removed(prefix: str, tmp_path: Path) -> None:
    torch.save({f"{prefix}{name}": value for name, value in network().state_dict().items()}, tmp_path / "w.pt")
    report = load_weights(network(), tmp_path / "w.pt")
    assert (report.new, report.unused, dict(report.reshaped)) == ((), (), {})


def test_minus_infinity_in_a_mask_is_accepted_as_zoo_test_accepts_it(tmp_path: Path) -> None:
    mask = torch.zeros(3).masked_fill(torch.tensor([False, True, True]), -torch.inf)
    torch.save({"state_dict": {**network().state_dict(), "mask": mask}}, tmp_path / "w.pt")
    assert load_weights(network(), tmp_path / "w.pt").unused == ("mask",)
    torch.save({"state_dict": {**network().state_dict(), "mask": mask + 1}}, tmp_path / "w.pt")
    with pytest.raises(CheckpointError, match=r"mask holds values that are not finite"):
        read_weights(tmp_path / "w.pt")


def test_unusable_weights_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "w.pt"
    with pytest.raises(CheckpointError, match="no such checkpoint"):
        read_weights(path)
    with pytest.raises(CheckpointError, match="cannot be read"):
        read_weights(tmp_path / "w.safetensors")
    (tmp_path / "w.safetensors").write_bytes(b"no tensors")
    with pytest.raises(CheckpointError, match="cannot be read"):
        read_weights(tmp_path / "w.safetensors")
    path.write_bytes(b"no tensors")
    with pytest.raises(CheckpointError, match="not a checkpoint"):
        read_weights(path)
    torch.save({"state_dict": {"epoch": 3}}, path)
    with pytest.raises(CheckpointError, match="no weights are in this file"):
        read_weights(path)
    torch.save([torch.zeros(3)], path)
    with pytest.raises(CheckpointError, match="its content is not that of a checkpoint"):
        read_weights(path)
    torch.save({"head.bias": torch.tensor([float("nan")])}, path)
    with pytest.raises(CheckpointError, match=r"head\.bias holds values that are not finite"):
        read_weights(path)
    torch.save({"other": torch.zeros(3)}, path)
    with pytest.raises(CheckpointError, match="none of its 1 weights has a name and a shape"):
        match_weights(network(), read_weights(path))
    with pytest.raises(RunError, match="no run is here"):
        read_weights(tmp_path)
