"""Networks of MONAI give MONAI's logits and maps on equal weights, and have the published numbers of parameters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
import torch
from monai.networks import nets
from torch import Tensor, nn

import zoo.models
from tests.helpers.no_weights import no_weights
from zoo import make_facts
from zoo.encoders.vision import build_vision_encoder
from zoo.models.base import SegModule
from zoo.types import Text

Build = Callable[[int], nn.Module]


def mednext(dims: int, down: tuple[int, ...], deepest: int, up: tuple[int, ...]) -> nn.Module:
    """Return a narrow MedNeXt of MONAI with the expansion ratios of a published size."""
    sides = {"deep_supervision": True, "use_residual_connection": True}
    net: nn.Module = nets.MedNeXt(dims, 4, 1, 3, down, up, deepest, 3, **sides)
    return net


NETWORKS: list[tuple[str, Mapping[str, Any], Build]] = [
    (
        "SegResNet",
        {"width": 8, "blocks_down": (1, 1, 2), "blocks_up": (1, 1)},
        lambda dims: nets.SegResNet(dims, 8, 1, 3, dropout_prob=0.2, blocks_down=(1, 1, 2), blocks_up=(1, 1)),
    ),
    ("AttentionUNet", {"channels": (4, 8, 12)}, lambda dims: nets.AttentionUnet(dims, 1, 3, (4, 8, 12), (2, 2))),
    ("UNetPlusPlus", {"channels": (4,) * 6}, lambda dims: nets.BasicUNetPlusPlus(dims, 1, 3, features=(4,) * 6)),
    ("SwinUNETR", {"width": 12}, lambda dims: nets.SwinUNETR(1, 3, feature_size=12, spatial_dims=dims)),
    (
        "SwinUNETR",
        {"width": 12, "convolutions": True},
        lambda dims: nets.SwinUNETR(1, 3, feature_size=12, spatial_dims=dims, use_v2=True),
    ),
    (
        "UNETR",
        {"width": 4, "token_width": 24, "feed_width": 8, "heads": 2},
        lambda dims: nets.UNETR(1, 3, 32, 4, 24, 8, 2, spatial_dims=dims),
    ),
    ("MedNeXt", {"variant": "S", "width": 4}, lambda dims: mednext(dims, (2, 2, 2, 2), 2, (2, 2, 2, 2))),
    ("MedNeXt", {"variant": "B", "width": 4}, lambda dims: mednext(dims, (2, 3, 4, 4), 4, (4, 4, 3, 2))),
]


UNREACHED = 12 * 2 * 768
"""Parameters of MONAI's UNETR that no forward pass reaches: a norm per layer, of an attention that is not there."""

PATCH = {"UNETR-2": 224, "UNETR-3": 96}
"""Patches of the networks whose number of parameters depends on the patch."""


def build(name: str, dims: int, classes: int, patch: int = 32, **options: Any) -> SegModule:
    """Return a model of exclusive classes, whose logits have the background too; one class has one channel."""
    names = [f"class_{number}" for number in range(classes)]
    model: SegModule = getattr(zoo.models, name)(make_facts(names, patch=[patch] * dims), **options)
    return model


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize(("name", "options", "monai"), NETWORKS, ids=[name for name, *_ in NETWORKS])
def test_a_network_of_monai_gives_its_logits(name: str, options: Mapping[str, Any], monai: Build, dims: int) -> None:
    torch.manual_seed(0)
    theirs = monai(dims).eval()
    model = build(name, dims, 2, **options).eval()
    weights = {f"net.{key}": weight for key, weight in theirs.state_dict().items() if "norm_cross_attn" not in key}
    model.load_state_dict(weights)
    longest = 64 if name == "SwinUNETR" else 32  # MONAI's instance norm needs two places in the deepest map
    image = torch.randn(2, 1, *[32] * (dims - 1), longest)
    with torch.no_grad():
        found = theirs(image)
        torch.testing.assert_close(
            model(image, Text(model.facts.prompts)), found[0] if isinstance(found, list) else found
        )


def swin_maps(net: nn.Module, image: Tensor) -> list[Tensor]:
    """Return the maps of MONAI's Swin before the norm of the skips."""
    maps: list[Tensor] = net(image, normalize=False)
    return maps


def mednext_maps(net: Any, image: Tensor) -> list[Tensor]:
    """Return what the hooks of each level of MONAI's MedNeXt see."""
    maps: list[Tensor] = []
    for level in (*net.enc_stages, net.bottleneck):
        level.register_forward_hook(lambda module, inputs, output: maps.append(output))
    net(image)
    return maps


HOSTS: list[tuple[str, int, int, Mapping[str, str], Build, Callable[[Any, Tensor], list[Tensor]]]] = [
    (
        "segresnet",
        8,
        3,
        {"first.": "convInit.", "levels.": "down_layers."},
        lambda dims: nets.SegResNet(dims, 8, 1, 1),
        lambda net, image: net.encode(image)[1],
    ),
    (
        "mednext",
        4,
        4,
        {"first.": "stem.", "down.": "down_blocks.", "levels.4.": "bottleneck.", "levels.": "enc_stages."},
        lambda dims: mednext(dims, (2, 2, 2, 2), 2, (2, 2, 2, 2)),
        mednext_maps,
    ),
    (
        "swin",
        12,
        4,
        {"swin.": ""},
        lambda dims: nets.SwinUNETR(1, 1, feature_size=12, spatial_dims=dims).swinViT,
        swin_maps,
    ),
]


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize(("kind", "width", "stages", "names", "monai", "maps_of"), HOSTS, ids=[one[0] for one in HOSTS])
def test_a_host_gives_the_maps_of_the_network_that_it_stands_for(
    kind: str,
    width: int,
    stages: int,
    names: Mapping[str, str],
    monai: Build,
    maps_of: Callable[[Any, Tensor], list[Tensor]],
    dims: int,
) -> None:
    theirs, encoder = monai(dims).eval(), build_vision_encoder(kind, dims, 1, width, stages).eval()
    weights = theirs.state_dict()
    of = {
        key: next(key.replace(mine, other, 1) for mine, other in names.items() if key.startswith(mine))
        for key in encoder.state_dict()
    }
    encoder.load_state_dict({key: weights[name] for key, name in of.items()})
    image = torch.randn(1, 1, *[32] * dims)
    with torch.no_grad():
        for mine, expected in zip(encoder(image), maps_of(theirs, image), strict=True):
            torch.testing.assert_close(mine, expected)


@pytest.mark.parametrize(
    ("name", "dims", "classes", "parameters"),
    [
        ("SegResNet", 2, 1, 6_298_497),
        ("SegResNet", 3, 13, 18_796_398),
        ("AttentionUNet", 2, 1, 31_739_185),
        ("AttentionUNet", 3, 1, 94_482_865),
        ("UNetPlusPlus", 2, 1, 2_410_180),
        ("UNetPlusPlus", 3, 1, 6_979_844),
        ("SwinUNETR", 3, 13, 62_187_296),
        ("SwinUNETR", 2, 1, 25_137_931),
        ("UNETR", 3, 13, 92_802_478 - UNREACHED),
        ("UNETR", 2, 1, 87_287_729 - UNREACHED),
        ("MedNeXt", 3, 2, 5_553_839),
    ],
)
def test_the_published_network_has_the_published_number_of_parameters(
    name: str, dims: int, classes: int, parameters: int
) -> None:
    with no_weights():
        model = build(name, dims, classes, PATCH.get(f"{name}-{dims}", 32))
        assert model.params_trainable == parameters


@pytest.mark.parametrize(
    ("variant", "kernel", "dims", "classes", "parameters"),
    [
        ("B", 3, 3, 2, 10_513_775),
        ("M", 3, 3, 2, 17_536_431),
        ("L", 3, 3, 2, 61_729_679),
        ("S", 5, 3, 2, 5_983_471),
        ("L", 5, 3, 2, 62_943_311),
    ],
)
def test_each_size_of_mednext_has_its_published_number_of_parameters(
    variant: str, kernel: int, dims: int, classes: int, parameters: int
) -> None:
    with no_weights():
        assert build("MedNeXt", dims, classes, variant=variant, kernel=kernel).params_trainable == parameters


def test_swinunetr_v2_has_the_published_number_of_parameters() -> None:
    with no_weights():
        assert build("SwinUNETR", 3, 13, convolutions=True).params_trainable == 72_762_656
        assert build("SwinUNETR", 2, 1, convolutions=True).params_trainable == 28_663_051
