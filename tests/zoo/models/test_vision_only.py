"""Parts of the vision-only models that are not MONAI's: pyramids, larger kernels, codes of places, nested heads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn import functional as F

from zoo import make_facts
from zoo.encoders.vision import build_vision_encoder
from zoo.engine.initial_weights import InitialWeights, match_weights
from zoo.errors import ConfigError
from zoo.models import UNETR, MedNeXt, SegResNet, SwinUNETR, UNetPlusPlus
from zoo.models.fpn import PyramidDecoder
from zoo.types import Batch, Text

IMAGE = torch.randn(2, 1, 32, 32, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(("kind", "levels"), [("unet", 2), ("conv", 3)])
def test_a_pyramid_reads_the_maps_of_stride_4_or_more(kind: str, levels: int) -> None:
    encoder = build_vision_encoder(kind, 2, 1, 4, 3)
    decoder = PyramidDecoder(2, encoder, 8, 8)
    maps = [one.detach().requires_grad_() for one in encoder(torch.randn(1, 1, 64, 64))]
    total = decoder(maps)
    assert total.shape == (1, 8, 16, 16)
    total.square().sum().backward()
    read = [one.grad is not None and bool(one.grad.abs().max() > 0) for one in maps]
    assert read == [False] * (len(maps) - levels) + [True] * levels


def test_a_pyramid_without_a_map_of_stride_4_reads_the_deepest_one() -> None:
    encoder = build_vision_encoder("unet", 2, 1, 4, 1)
    assert PyramidDecoder(2, encoder, 8, 8)(encoder(IMAGE)).shape == (2, 8, 16, 16)


@pytest.mark.parametrize("dims", [2, 3])
def test_the_kernels_of_a_smaller_mednext_are_interpolated_and_all_other_weights_are_loaded(dims: int) -> None:
    facts = make_facts(["liver"], patch=[32] * dims)
    small, large = (MedNeXt(facts, width=4, kernel=kernel) for kernel in (3, 5))
    report, values = match_weights(large, InitialWeights(Path("small.pt"), small.state_dict(), ""))
    assert (report.new, report.unused, dict(report.reshaped)) == ((), (), {})
    depthwise = [name for name in small.state_dict() if name.endswith("conv1.weight")]
    assert list(report.resized) == sorted(depthwise)
    assert report.to_dict()["resized"][depthwise[0]] == [[4, 1, *[3] * dims], [4, 1, *[5] * dims]]
    large.load_state_dict(values)
    mode = "bilinear" if dims == 2 else "trilinear"
    for name, weight in small.state_dict().items():
        resized = F.interpolate(weight, size=[5] * dims, mode=mode) if name in depthwise else weight
        torch.testing.assert_close(large.state_dict()[name], resized)
    assert "loaded, resized by interpolation" in {row[3] for row in report.rows()}


def test_the_head_of_another_number_of_classes_is_not_resized() -> None:
    one, five = (MedNeXt(make_facts(names, patch=[32, 32]), width=4) for names in (["liver"], list("abcde")))
    report, _ = match_weights(five, InitialWeights(Path("one.pt"), one.state_dict(), ""))
    assert not report.resized
    assert {name.split(".")[1] for name in report.reshaped} == {"out_0", "out_blocks"}


@pytest.mark.parametrize(
    ("options", "message"), [({"variant": "XL"}, "XL: MedNeXt has no"), ({"kernel": 4}, "odd size")]
)
def test_an_unknown_mednext_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        MedNeXt(make_facts(["liver"], patch=[32, 32]), width=4, **options)


def test_a_mednext_trains_each_head_on_the_label_of_its_grid() -> None:
    model = MedNeXt(make_facts(["liver"], patch=[32, 32]), width=4).train()
    label = torch.zeros(2, 1, 20, 20, dtype=torch.uint8)
    label[..., 4:12, 4:12] = 1
    image = IMAGE[..., :20, :20]
    output = model.forward_features(image, Text(model.facts.prompts))
    assert {stride: side.shape[2] for stride, side in output.extra["sides"].items()} == {2: 16, 4: 8, 8: 4, 16: 2}
    batch: Batch = {
        "image": image,
        "label": label,
        "case_id": ["a", "b"],
        "spacing": torch.ones(2, 2),
        "classes": model.facts.prompts,
    }
    model.total_loss(model.compute_losses(batch, output)).backward()
    heads = [model.net.out_0, *model.net.out_blocks]
    assert all(bool(head.conv_out.weight.grad.abs().max() > 0) for head in heads)


def test_the_codes_of_places_of_a_unetr_follow_the_grid_of_the_image() -> None:
    model = UNETR(make_facts(["liver"], patch=[32, 48]), width=4, token_width=8, feed_width=8, heads=2)
    codes = model.net.vit.patch_embedding.position_embeddings
    assert model._places((2, 3)) is codes
    with torch.no_grad():
        codes.copy_(torch.tensor([0.0, 0, 0, 1, 1, 1]).view(1, 6, 1).expand_as(codes))  # the row of a place
        rows = model._places((4, 2))[0, :, 0].view(4, 2)
    torch.testing.assert_close(rows[:, 0], torch.tensor([0.0, 0.25, 0.75, 1.0]))
    assert rows[:, 0].equal(rows[:, 1])


def test_the_loss_of_a_unetpp_is_the_mean_over_its_four_heads() -> None:
    model = UNetPlusPlus(make_facts(["liver"], patch=[32, 32]), channels=(4,) * 6)
    label = (IMAGE > 0).to(torch.uint8)
    output = model.forward_features(IMAGE, Text(model.facts.prompts))
    batch: Batch = {
        "image": IMAGE,
        "label": label,
        "case_id": ["a", "b"],
        "spacing": torch.ones(2, 2),
        "classes": model.facts.prompts,
    }
    heads = [*output.extra["earlier"], output.logits]
    expected = sum(model.segmentation_loss(head, label)["dice"] for head in heads) / 4
    torch.testing.assert_close(model.compute_losses(batch, output)["dice"], expected)


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        (SwinUNETR, {"width": 16}, "16 is not a multiple of 12"),
        (SegResNet, {"width": 12}, "has 8 groups"),
        (SegResNet, {"blocks_down": (1, 1)}, "blocks_up has 3 levels, and --model.blocks_down 2"),
    ],
)
def test_a_shape_that_the_network_does_not_have_is_refused(
    kind: type[SwinUNETR] | type[SegResNet], options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        kind(make_facts(["liver"], patch=[32, 32]), **options)
