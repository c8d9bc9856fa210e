"""ConvNeXt with random weights, from a folder, and its errors."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from lightning.pytorch import LightningModule
from safetensors.torch import load_file, save_file
from transformers import ConvNextConfig, ConvNextModel

from zoo.callbacks.manifest import encoder_versions
from zoo.encoders.convnext import DEPTHS, ConvNeXtEncoder
from zoo.encoders.vision import build_vision_encoder
from zoo.encoders.vision_names import VISION_ENCODERS
from zoo.errors import ConfigError, ZooError

WIDTHS = [8, 16, 32, 64]


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small ConvNeXt as its library saves it."""
    folder = tmp_path_factory.mktemp("convnext")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        model = ConvNextModel(ConvNextConfig(num_channels=3, hidden_sizes=WIDTHS, depths=list(DEPTHS)))
    model.save_pretrained(folder)
    return folder


def test_stages_are_those_of_the_library(saved: Path) -> None:
    encoder = build_vision_encoder("convnext", 2, 3, 8, 3, str(saved)).eval()
    image = torch.randn(2, 3, 64, 96)
    with torch.no_grad():
        maps = encoder(image)
        model = ConvNextModel.from_pretrained(saved)
        states = model(image, output_hidden_states=True).hidden_states
    assert [m.shape[1] for m in maps] == WIDTHS
    assert [64 // m.shape[2] for m in maps] == [4, 8, 16, 32]
    assert (encoder.stem_stride, encoder.stride) == (4, 32)
    for mine, theirs in zip(maps, states[-4:], strict=True):
        torch.testing.assert_close(mine, theirs)


def test_gray_images_are_repeated_to_the_channels_of_the_weights(saved: Path) -> None:
    encoder = ConvNeXtEncoder(1, 8, 3, str(saved)).eval()
    colour = ConvNeXtEncoder(3, 8, 3, str(saved)).eval()
    image = torch.randn(1, 1, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(encoder.stem(image), colour.stem(image.expand(-1, 3, -1, -1)))


def test_without_weights_any_width_is_built_and_every_parameter_is_used() -> None:
    encoder = build_vision_encoder("convnext", 2, 1, 8, 2)
    assert encoder.widths == (8, 16, 32)
    sum(m.sum() for m in encoder(torch.randn(1, 1, 32, 32))).backward()
    assert not [n for n, p in encoder.named_parameters() if p.grad is None]


@pytest.mark.parametrize(("channels", "width", "stages"), [(1, 16, 3), (1, 8, 2), (2, 8, 3)])
def test_weights_of_other_sizes_are_refused(saved: Path, channels: int, width: int, stages: int) -> None:
    with pytest.raises(ConfigError, match="hidden_sizes"):
        build_vision_encoder("convnext", 2, channels, width, stages, str(saved))


def test_missing_weights_are_refused(saved: Path, tmp_path: Path) -> None:
    """The library would draw them at random and only print a table."""
    weights = load_file(saved / "model.safetensors")
    gone = [name for name in weights if "stages.2" in name][:2]
    kept = {name: value for name, value in weights.items() if name not in gone}
    save_file(kept, tmp_path / "model.safetensors", metadata={"format": "pt"})
    (tmp_path / "config.json").write_bytes((saved / "config.json").read_bytes())
    with pytest.raises(ConfigError, match="2 weights are missing"):
        build_vision_encoder("convnext", 2, 1, 8, 3, str(tmp_path))


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="not a readable ConvNeXt"):
        build_vision_encoder("convnext", 2, 1, 8, 3, str(tmp_path))


def test_offline_the_message_says_what_to_do() -> None:
    """The tests run with ZOO_OFFLINE=1."""
    with pytest.raises(ZooError, match=r"vision encoder 'nobody/convnext'.*vision_weights"):
        build_vision_encoder("convnext", 2, 1, 8, 3, "nobody/convnext")


def test_the_commit_of_downloaded_weights_is_in_the_record(
    saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[dict[str, str]] = []
    commit = tmp_path / ("e" * 40)
    commit.symlink_to(saved)

    def fetch(card: dict[str, str], *weights: str, what: str) -> Path:
        asked.append(card)
        return commit

    monkeypatch.setattr("zoo.encoders.convnext.fetch", fetch)
    for weights in ("some/convnext", f"some/convnext@{'e' * 40}"):
        module = LightningModule()
        module.vision = build_vision_encoder("convnext", 2, 1, 8, 3, weights)
        assert encoder_versions(module) == {weights: "e" * 40}
    assert asked == [{"repo": "some/convnext", "revision": version} for version in ("main", "e" * 40)]
    module.vision = build_vision_encoder("convnext", 2, 1, 8, 3)
    assert encoder_versions(module) == {}


@pytest.mark.parametrize(
    ("kind", "dims", "stages", "weights"),
    [("convnext", 3, 3, ""), ("convnext", 2, 4, ""), ("conv", 2, 3, "a/b"), ("swin_v2", 2, 4, "a/b")],
)
def test_an_unsupported_encoder_is_refused(kind: str, dims: int, stages: int, weights: str) -> None:
    with pytest.raises(ConfigError, match="No vision encoder"):
        build_vision_encoder(kind, dims, 1, 12, stages, weights)


def test_a_new_encoder_needs_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(VISION_ENCODERS, "mine", "zoo.encoders.conv.ConvEncoder")
    assert build_vision_encoder("mine", 2, 1, 4, 1).widths == (4, 8)
