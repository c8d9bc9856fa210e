"""BiPVL-Seg against its release: the network without text, and the sum of the learned weights."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from monai.networks.nets import SwinUNETR

from tests.golden.test_bipvl import RELEASED, REPORTS, batch, losses, module
from zoo.data_facts import DataFacts
from zoo.models.base import text_of
from zoo.models.bipvl.model import BiPVL
from zoo.models.bipvl.released import BiPVLReleased
from zoo.models.bipvl.uncertainty_weights import LearnedWeights
from zoo.types import Text

SWIN: dict[str, Any] = {"vision": "swin_v2", "width": 12, "stages": 4, "heads": 2}


def test_without_fusion_the_released_network_is_swin_unetr() -> None:
    """The decoder had one residual block more, on the deepest skip, than SwinUNETR, which the release uses."""
    facts = DataFacts("made_up", 2, 1, (64, 64), REPORTS.labels, REPORTS.prompts, "report")
    torch.manual_seed(0)
    peer = SwinUNETR(in_channels=1, out_channels=1, feature_size=12, spatial_dims=2, use_v2=True).eval()
    model = module(facts, **SWIN, released=BiPVLReleased(network=True), fusion=False).eval()
    load(model, peer)
    image = torch.randn(1, 1, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(model(image, Text(facts.prompts)), peer(image), atol=1e-5, rtol=1e-5)


def load(model: BiPVL, peer: SwinUNETR) -> None:
    """Copy every weight of MONAI's network, and require that no weight is left over on either side."""
    decoder: Any = model.decoder
    vision: Any = model.vision
    vision.swin.load_state_dict(peer.swinViT.state_dict())
    decoder.full_skip.load_state_dict(peer.encoder1.state_dict())
    for mine, other in zip(
        decoder.skips, (peer.encoder2, peer.encoder3, peer.encoder4, torch.nn.Identity()), strict=True
    ):
        mine.load_state_dict(other.state_dict())
    decoder.bottleneck.load_state_dict(peer.encoder10.layer.state_dict())
    for mine, other in zip(
        decoder.ups, (peer.decoder1, peer.decoder2, peer.decoder3, peer.decoder4, peer.decoder5), strict=True
    ):
        mine.load_state_dict(other.state_dict())
    decoder.head.load_state_dict(peer.out.conv.conv.state_dict())
    count = sum(p.numel() for part in (model.vision, decoder) for p in part.parameters())
    assert count == sum(p.numel() for p in peer.parameters())


@pytest.mark.parametrize(("whole", "share"), [(False, 0.5), (True, 1.0)])
def test_learned_weights_add_half_of_s_or_all_of_it_as_released(whole: bool, share: float) -> None:
    weights = LearnedWeights(("a", "b", "absent"), whole)
    with torch.no_grad():
        for name, value in {"a": 0.2, "b": -0.3, "absent": 7.0}.items():
            weights.log_variance[name].fill_(value)
    by_hand = 1.5 / (2 * math.exp(0.2)) + share * 0.2 + 4.0 / (2 * math.exp(-0.3)) - share * 0.3
    assert weights({"a": torch.tensor(1.5), "b": torch.tensor(4.0)}).item() == pytest.approx(by_hand)


def test_the_switches_reach_the_learned_weights_and_the_alignment() -> None:
    one = batch()
    totals = []
    for whole in (False, True):
        model = module(released=BiPVLReleased(whole_penalty=whole))
        with torch.no_grad():
            model.weights.log_variance["alignment"].fill_(0.5)
        totals.append(model.total_loss(losses(model, one)).item())
    assert totals[1] - totals[0] == pytest.approx(0.25, abs=1e-5)


@pytest.mark.parametrize("changes", [{}, {"network": True}], ids=["figure", "release"])
def test_the_alignment_reads_the_mean_token_or_the_first_as_released(changes: dict[str, bool]) -> None:
    one, found = batch(), {}
    for first in (False, True):
        model = module(released=BiPVLReleased(first_token=first, **changes))
        caught: list[torch.Tensor] = []
        model.text_projection.register_forward_pre_hook(lambda _, args: caught.append(args[0]))  # noqa: B023
        model.compute_losses(one, model.forward_features(one["image"], text_of(one)))
        found[first] = caught[0]
    model = module(**RELEASED)
    read = model.text(["lesion", "Left upper zone", "small"])  # the concepts of the first sample
    if changes:
        torch.testing.assert_close(found[True][:3], read.tokens[:, 0], atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(found[False][:3], read.pooled, atol=1e-5, rtol=1e-4)
    assert not torch.allclose(found[True], found[False], atol=1e-3)
