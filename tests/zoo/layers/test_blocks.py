"""Grids, staged encoders, the decoder and the fusion block."""

from __future__ import annotations

import pytest
import torch

from zoo.encoders.vision import build_vision_encoder
from zoo.errors import ConfigError
from zoo.layers.tokens import crop_to, pad_to_stride, positions, to_map, to_tokens
from zoo.models.bipvl.decoder import UDecoder
from zoo.models.bipvl.fusion import BidirectionalFusion


@pytest.mark.parametrize("size", [(7, 10), (8, 8), (5, 6, 9)])
def test_padding_is_undone_by_cropping(size: tuple[int, ...]) -> None:
    x = torch.randn(2, 3, *size)
    padded = pad_to_stride(x, 4)
    assert all(n % 4 == 0 for n in padded.shape[2:])
    assert crop_to(padded, size).equal(x)


def test_tokens_and_map_are_inverse() -> None:
    x = torch.randn(2, 5, 3, 4, 2)
    assert to_map(to_tokens(x), (3, 4, 2)).equal(x)


def test_positions_tell_every_place_apart() -> None:
    for size, width in (((8, 6), 32), ((4, 5, 6), 32)):
        code = positions(size, width, torch.device("cpu"))
        assert code.shape == (1, torch.Size(size).numel(), width)
        assert len(code[0].unique(dim=0)) == code.shape[1]


@pytest.mark.parametrize(
    ("kind", "stages", "dims"),
    [
        *(("conv", 2, 2), ("conv", 3, 3), ("swin_v2", 4, 2), ("swin_v2", 4, 3)),
        *(("unet", 3, 2), ("unet", 2, 3), ("convnext", 1, 2)),
        *(("swin", 4, 2), ("swin", 4, 3), ("segresnet", 4, 2), ("segresnet", 2, 3)),
        *(("mednext", 4, 2), ("mednext", 4, 3)),
    ],
)
def test_encoder_and_decoder_fit(kind: str, stages: int, dims: int) -> None:
    width, side = 24, 64
    encoder = build_vision_encoder(kind, dims, 1, width, stages)
    image = torch.randn(1, 1, *[side] * dims)
    maps = [encoder.stem(image)]
    for i in range(1, stages + 1):
        maps.append(encoder.stage(i, maps[-1]))
    assert tuple(m.shape[1] for m in maps) == encoder.widths
    assert [m.shape[2] for m in maps] == [side // (encoder.stem_stride * 2**i) for i in range(stages + 1)]
    assert encoder.stride == side // maps[-1].shape[2]
    assert UDecoder(dims, 1, encoder, 4, full_width=6)(image, maps).shape == (1, 4, *[side] * dims)


@pytest.mark.parametrize(("kind", "width"), [("swin", 16), ("swin_v2", 16), ("segresnet", 12)])
def test_a_width_that_heads_or_groups_do_not_divide_is_refused(kind: str, width: int) -> None:
    with pytest.raises(ConfigError, match=rf"--model.width {width}: the .*\n?.*Give"):
        build_vision_encoder(kind, 2, 1, width, 4)


def test_unknown_encoder_is_refused() -> None:
    with pytest.raises(ConfigError, match="swin_v2"):
        build_vision_encoder("swin_v2", 2, 1, 12, 3)


def test_fusion_ignores_padding_and_reads_text_and_place() -> None:
    torch.manual_seed(0)
    block = BidirectionalFusion(16, 24, heads=4).eval()
    torch.nn.init.ones_(block.gate)
    vision, size = torch.randn(2, 12, 16), (3, 4)
    text, mask = torch.randn(2, 6, 24), torch.ones(2, 6, dtype=torch.bool)
    mask[:, 4:] = False

    def run(vision: torch.Tensor, text: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        seen = block.see(vision, size)
        after, read = block.read(text, mask, seen)
        return block.write(seen, read, mask), after

    out, after = run(vision, text)
    noisy = text.clone()
    noisy[:, 4:] += 7
    out_noisy, after_noisy = run(vision, noisy)
    torch.testing.assert_close(out, out_noisy)
    torch.testing.assert_close(after[:, :4], after_noisy[:, :4])
    assert not torch.allclose(out, run(vision, text.flip(0))[0], atol=1e-3)
    assert not torch.allclose(out.flip(1), run(vision.flip(1), text)[0], atol=1e-3)


def test_fusion_leaves_text_alone_at_the_start() -> None:
    block = BidirectionalFusion(16, 24, heads=4)
    text, mask = torch.randn(1, 3, 24), torch.ones(1, 3, dtype=torch.bool)
    after, _ = block.read(text, mask, block.see(torch.randn(1, 4, 16), (2, 2)))
    assert after.equal(text)
