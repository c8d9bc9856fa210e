"""The fusion of BiPVL-Seg's released code: its sizes as measured there, and the one correction."""

from __future__ import annotations

import pytest
import torch

from zoo.models.bipvl.two_way_fusion import TwoWayFusion


@pytest.mark.parametrize(("width", "millions"), [(96, 1.75), (192, 3.83), (384, 8.97), (768, 23.24)])
def test_released_blocks_have_the_released_sizes(width: int, millions: float) -> None:
    with torch.device("meta"):
        block = TwoWayFusion(width, 768, heads=8)
    around = (block.text_in, block.text_out)
    projections = sum(p.numel() for layer in around for p in layer.parameters())
    assert round((sum(p.numel() for p in block.parameters()) - projections) / 1e6, 2) == millions
    assert projections == (0 if width == 768 else 2 * 768 * width + 768 + width)


def test_released_block_lets_padding_change_nothing() -> None:
    torch.manual_seed(0)
    block = TwoWayFusion(16, 24, heads=4)
    text, vision, mask = torch.randn(2, 6, 24), torch.randn(2, 12, 16), torch.ones(2, 6, dtype=torch.bool)
    mask[:, 4:] = False
    noisy = text.clone()
    noisy[:, 4:] += 7
    plain, padded = block(text, mask, vision, (3, 4)), block(noisy, mask, vision, (3, 4))
    torch.testing.assert_close(plain.vision, padded.vision)
    torch.testing.assert_close(plain.text[:, :4], padded.text[:, :4])
    other = block(text.flip(0), mask, vision, (3, 4))
    assert not torch.allclose(plain.vision, other.vision, atol=1e-3)
