"""The guided decoder and LanGuideMedSeg: text of any length, the released length, and what reads what."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from tests.zoo.models.test_tevia import FACTS, PROMPT, REPORTS, batch
from zoo.encoders.vision import build_vision_encoder
from zoo.layers.guided_decoder import RELEASED_LENGTHS, GuidedDecoder, GuideStage, TextProjection
from zoo.layers.tokens import sequence_positions
from zoo.models.base import text_of
from zoo.models.lan_guide import LanGuide
from zoo.types import Text


def module(**changes: Any) -> LanGuide:
    """A very small one, the same at every call."""
    torch.manual_seed(0)
    small: dict[str, Any] = {"encoder": "tiny", "vision": "conv", "width": 8, "stages": 2, "head_width": 8, "heads": 2}
    return LanGuide(FACTS.to_dict(), **{**small, "norm": "instance", **changes})


def stage(**changes: Any) -> GuideStage:
    """16 channels to 8, text of 12."""
    torch.manual_seed(0)
    sizes: dict[str, Any] = {"spatial_dims": 2, "width": 16, "width_out": 8, "text_width": 12, "heads": 2, "gain": 1.0}
    return GuideStage(**{**sizes, "norm": "instance", "tokens": None, "kept": 0, **changes}).eval()


def logits(model: LanGuide, *reports: str) -> Tensor:
    """One image, once a report."""
    image = batch("", side=32)["image"].expand(len(reports), -1, -1, -1)
    with torch.no_grad():
        out: Tensor = model.eval()(image, Text((PROMPT,), reports))
    return out


def test_tokens_of_any_length_are_projected_one_by_one() -> None:
    project = TextProjection(12, 16)
    text, mask = torch.randn(2, 5, 12), torch.ones(2, 5, dtype=torch.bool)
    mask[1, 3:] = False
    out, same = project(text, mask)
    assert out.shape == (2, 5, 16)
    assert same.equal(mask)
    torch.testing.assert_close(project(text[:, 1:2], mask[:, 1:2])[0], out[:, 1:2])


@pytest.mark.parametrize("length", [3, 24, 40])
def test_the_released_length_cuts_and_fills_and_mixes(length: int) -> None:
    torch.manual_seed(0)
    project = TextProjection(12, 16, tokens=24, kept=9)
    text, mask = torch.randn(2, length, 12), torch.ones(2, length, dtype=torch.bool)
    mask[:, 2:] = False
    out, real = project(text, mask)
    assert out.shape == (2, 9, 16)
    assert real.all()  # padding is read, as released
    assert not out.equal(project(text.flip(1), mask)[0])
    longer = torch.cat([text, torch.randn(2, 30, 12)], dim=1)[:, : 24 + length]
    assert project(longer, mask)[0].equal(out) == (length >= 24)


def test_deeper_stages_keep_more_tokens_of_the_released_length() -> None:
    encoder = build_vision_encoder("conv", 2, 1, 8, 4)
    decoder = GuidedDecoder(2, encoder, 12, head_width=8, norm="instance", tokens=24)
    texts = decoder.project(torch.randn(1, 7, 12), torch.ones(1, 7, dtype=torch.bool))
    assert [t.shape[1] for t, _ in texts] == [*RELEASED_LENGTHS, RELEASED_LENGTHS[-1]]
    assert [t.shape[2] for t, _ in texts] == [128, 64, 32, 16]


def test_a_stage_ignores_padding_and_reads_words_their_order_and_the_place() -> None:
    block = stage()
    x, skip = torch.randn(1, 16, 4, 4), torch.randn(1, 8, 8, 8)
    text, mask = torch.randn(1, 6, 16), torch.ones(1, 6, dtype=torch.bool)
    mask[:, 4:] = False
    out = block(x, skip, text, mask)
    assert out.shape == (1, 8, 8, 8)
    noisy = text.clone()
    noisy[:, 4:] += 7
    torch.testing.assert_close(block(x, skip, noisy, mask), out)
    torch.testing.assert_close(block(x, skip, text[:, :4], mask[:, :4]), out)
    swapped = text[:, [1, 0, 2, 3, 4, 5]]
    assert not torch.allclose(block(x, skip, swapped, mask), out, atol=1e-4)
    turned = block(x.flip(-1), skip.flip(-1), text, mask).flip(-1)
    image_alone = stage(gain=0.0)(x, skip, text, mask)
    assert not torch.allclose(turned, out, atol=1e-4)
    assert image_alone.equal(stage(gain=0.0)(x, skip, swapped, mask))


def test_a_prototype_of_zeros_changes_nothing() -> None:
    block = stage()
    x, skip = torch.randn(1, 16, 4, 4), torch.randn(1, 8, 8, 8)
    text, mask = torch.randn(1, 6, 16), torch.ones(1, 6, dtype=torch.bool)
    out = block(x, skip, text, mask)
    assert block(x, skip, text, mask, torch.zeros(16)).equal(out)
    assert not torch.allclose(block(x, skip, text, mask, torch.rand(16)), out, atol=1e-6)


def test_positions_of_tokens_are_of_any_length_and_tell_them_apart() -> None:
    device = torch.device("cpu")
    long = sequence_positions(200, 15, device)
    assert long.shape == (1, 200, 15)
    assert long[:, :20].equal(sequence_positions(20, 15, device))
    assert len(long[0].unique(dim=0)) == 200


@pytest.mark.parametrize("side", [32, 37])
def test_a_longer_report_beside_it_changes_nothing_and_another_report_does(side: int) -> None:
    model = module().eval()
    image = batch(*REPORTS, side=side)["image"][:1].expand(2, -1, -1, -1)
    with torch.no_grad():
        both = model(image, Text((PROMPT,), REPORTS))
        alone = model(image[:1], Text((PROMPT,), REPORTS[:1]))
    assert both.shape == (2, 1, side, side)
    torch.testing.assert_close(both[:1], alone, atol=1e-5, rtol=1e-5)
    assert (both[0] - both[1]).abs().max() > 1e-3


def test_without_guidance_the_image_alone_counts_and_every_parameter_trains() -> None:
    model = module(guidance=False)
    out = logits(model, *REPORTS)
    assert out[0].equal(out[1])
    one = batch(*REPORTS)
    model.train()
    model.total_loss(model.compute_losses(one, model.forward_features(one["image"], text_of(one)))).backward()
    assert not [n for n, p in model.named_parameters() if p.requires_grad and p.grad is None]
    assert not [n for n, p in model.named_parameters() if n.endswith("gain") and p.requires_grad]


def test_a_batch_of_one_trains() -> None:
    model = module(norm="batch")
    one = batch(REPORTS[0])
    model.total_loss(model.compute_losses(one, model.forward_features(one["image"], text_of(one)))).backward()
