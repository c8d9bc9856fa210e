"""The plain U-Net from encoder and decoder: equal to MONAI's network, and usable with every vision encoder."""

from __future__ import annotations

import pytest
import torch
from monai.networks.nets import BasicUNet

from zoo import make_facts, models
from zoo.cards import ModelCard
from zoo.encoders.staged_encoder import StagedEncoder
from zoo.errors import ConfigError
from zoo.models import UNet
from zoo.models.base import SegModule
from zoo.registry import MODELS
from zoo.types import Text

CHANNELS = (4, 4, 8, 16, 32, 4)


def build(name: str, dims: int, **options: object) -> SegModule:
    """Return a small model by its name."""
    card = MODELS.get(name)
    kind = getattr(models, card.config["model"]["class_path"].rpartition(".")[2])
    encoder = {"encoder": "tiny"} if ModelCard.of(card).reads_text else {}
    model: SegModule = kind(make_facts(["liver"], patch=[32] * dims), **encoder, **options)
    return model


@pytest.mark.parametrize("dims", [2, 3])
def test_the_network_is_the_one_of_monai_with_equal_start_and_logits(dims: int) -> None:
    torch.manual_seed(7)
    other = BasicUNet(dims, 1, 1, CHANNELS).eval()
    torch.manual_seed(7)
    model = build("unet", dims, channels=CHANNELS).eval()
    for mine, theirs in zip(model.parameters(), other.parameters(), strict=True):
        assert mine.equal(theirs)
    image = torch.randn(1, 1, *[32] * dims)
    with torch.no_grad():
        assert model(image, Text(model.facts.prompts)).equal(other(image))


def test_a_checkpoint_of_one_network_named_net_is_still_read() -> None:
    other = BasicUNet(2, 1, 1, CHANNELS)
    for name in ("unet", "film"):
        model = build(name, 2, channels=CHANNELS)
        parts = ("vision.", "decoder.", "head.")
        rest = {key: value for key, value in model.state_dict().items() if not key.startswith(parts)}
        model.load_state_dict(rest | {f"net.{key}": value for key, value in other.state_dict().items()})
        loaded = [value for key, value in model.state_dict().items() if key.startswith(parts)]
        assert all(mine.equal(theirs) for mine, theirs in zip(loaded, other.state_dict().values(), strict=True))


def test_width_and_stages_replace_the_channels() -> None:
    model = build("unet", 2, channels=CHANNELS, width=2, stages=3)
    assert isinstance(model, UNet)
    assert isinstance(model.vision, StagedEncoder)
    assert model.vision.widths == (2, 4, 8, 16)
    assert model.decoder.width == 2
    wider = build("unet", 2, channels=CHANNELS, width=6).vision
    assert isinstance(wider, StagedEncoder)
    assert wider.widths == (6, 12, 24, 48, 96)


NAMES = [card.name for card in MODELS if not card.broken and ModelCard.of(card).vision != "own"]


@pytest.mark.parametrize(
    ("vision", "stages", "dims"),
    [("unet", 3, 2), ("unet", 2, 3), ("conv", 2, 2), ("convnext", 2, 2), ("timm:mobilenetv3_small_050", 2, 2)],
)
@pytest.mark.parametrize("name", NAMES)
def test_every_model_runs_on_every_vision_encoder(name: str, vision: str, stages: int, dims: int) -> None:
    model = build(name, dims, vision=vision, width=8, stages=stages).eval()
    found = [part for part in model.modules() if isinstance(part, StagedEncoder)]
    assert [type(part).__name__.lower().startswith(vision.partition(":")[0]) for part in found] == [True]
    size = [20] * dims  # no multiple of the stride
    with torch.no_grad():
        logits = model(torch.randn(2, 1, *size), Text(model.facts.prompts))
    assert logits.shape == (2, 1, *size)
    assert torch.isfinite(logits).all()


@pytest.mark.parametrize("name", ["lan_guide", "bipvl"])
def test_a_network_without_a_map_for_the_text_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="text needs a map"):
        build(name, 2, vision="unet", width=8, stages=1)
