"""The plain vision transformer: pre-trained weights of every layout, and what is refused."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import torch
from open_clip.transformer import VisionTransformer
from safetensors.torch import save_file
from timm.layers import QuickGELU
from timm.models import vision_transformer as timm_vit
from torch import Tensor, nn

from zoo.callbacks.manifest import describe_pretraining
from zoo.encoders.plain_vit import PlainViT
from zoo.errors import ConfigError, TextError

SIZES: dict[str, Any] = {"width": 16, "depth": 2, "heads": 2, "patch": 8, "places": 4}


class QuickActivation(nn.Module):
    """The GELU of CLIP, which open_clip's blocks call without arguments."""

    def forward(self, x: Tensor) -> Tensor:
        """Compute it."""
        return x * torch.sigmoid(1.702 * x)


def load(file: Path, **sizes: Any) -> PlainViT:
    """Return a transformer with the weights of a file, in evaluation mode and without CLIP's statistics."""
    vit = PlainViT(2, in_channels=3, weights=str(file), **{**SIZES, "projected": 6, **sizes}).eval()
    vit.scale.fill_(1)
    vit.shift.zero_()
    return vit


def test_weights_of_open_clip_give_its_tokens(tmp_path: Path) -> None:
    """A checkpoint of a whole CLIP, as `save_pretrained` of open_clip and UniMed-CLIP write it."""
    theirs = VisionTransformer(
        32, 8, 16, 2, 2, 4.0, act_layer=QuickActivation, output_dim=6, output_tokens=True, pool_type="tok"
    ).eval()
    state = {f"module.visual.{name}": weight for name, weight in theirs.state_dict().items()}
    torch.save({"state_dict": {**state, "module.logit_scale": torch.ones(())}}, tmp_path / "clip.pt")
    vit, image = load(tmp_path / "clip.pt"), torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        pooled, tokens = theirs(image)
        last = vit(image)[-1]
        torch.testing.assert_close(vit.norm(last)[:, 1:], tokens)
        torch.testing.assert_close(vit.project(last)[:, 0], pooled)
    assert re.fullmatch(r".*clip\.pt \(local, SHA-256 [0-9a-f]{12}\)", describe_pretraining(vit))


def test_weights_of_timm_give_its_states_and_fewer_blocks_may_be_built(tmp_path: Path) -> None:
    theirs = timm_vit.VisionTransformer(
        32, 8, embed_dim=16, depth=3, num_heads=2, num_classes=6, pre_norm=True, act_layer=QuickGELU
    ).eval()
    for module in theirs.modules():
        if isinstance(module, nn.LayerNorm):
            module.eps = 1e-5  # as CLIP
    save_file(theirs.state_dict(), tmp_path / "model.safetensors")
    vit, image = load(tmp_path, projected=0), torch.randn(1, 3, 32, 32)
    with torch.no_grad():
        states = theirs.forward_intermediates(
            image, indices=[0, 1], norm=False, intermediates_only=True, output_fmt="NLC"
        )
        for mine, state in zip(vit(image), states, strict=True):
            torch.testing.assert_close(mine[:, 1:], state)


def test_weights_of_other_places_are_resampled_and_a_gray_image_is_repeated(tmp_path: Path) -> None:
    save_file(PlainViT(2, in_channels=3, **SIZES).state_dict(), tmp_path / "model.safetensors")
    vit = PlainViT(2, in_channels=1, weights=str(tmp_path), **{**SIZES, "places": 6})
    assert vit.pos_embed.shape == (1, 37, 16)
    gray = torch.randn(1, 1, 16, 24)
    assert vit.embed(gray).shape == (1, 7, 16)


def test_weights_that_do_not_fit_are_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_file(PlainViT(2, in_channels=3, **SIZES).state_dict(), tmp_path / "model.safetensors")
    with pytest.raises(ConfigError, match="tensors of the network are missing"):
        load(tmp_path, depth=3)
    with pytest.raises(ConfigError, match=r"the shape of .* is"):
        load(tmp_path, width=32, projected=0)
    with pytest.raises(ConfigError, match="no pre-trained weights in 3D"):
        PlainViT(3, in_channels=1, weights=str(tmp_path), **SIZES)
    with pytest.raises(ConfigError, match="not a multiple of --model"):
        PlainViT(2, in_channels=1, **{**SIZES, "heads": 3})
    with pytest.raises(ConfigError, match="hub: this network has no weights on the hub"):
        PlainViT(2, in_channels=1, weights="hub", **SIZES)
    monkeypatch.setenv("ZOO_OFFLINE", "1")
    with pytest.raises(TextError, match=r"'some/repository' is not on this machine.*trains from scratch"):
        PlainViT(2, in_channels=1, weights="some/repository@" + "a" * 40, **SIZES)
