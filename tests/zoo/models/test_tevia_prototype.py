"""The visual prototype of TeViA: how a foreground becomes a vector."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from zoo.models.tevia.prototype import FOREGROUNDS, Foreground, layout


def test_layouts_are_the_released_ones_and_fill_any_width() -> None:
    assert [layout(w, 2) for w in (768, 384, 192)] == [(3, 16), (6, 8), (3, 8)]
    assert [layout(w, 3) for w in (768, 384, 192, 96, 48)] == [(12, 4), (6, 4), (3, 4), (12, 2), (6, 2)]
    for dims in (2, 3):
        for width in range(1, 300):
            groups, grid = layout(width, dims)
            assert groups * grid**dims == width


def disc(radius: int, row: int, column: int, side: int = 224) -> Tensor:
    """bool [1, 1, side, side]."""
    y, x = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    return (((y - row) ** 2 + (x - column) ** 2) <= radius**2)[None, None]


@pytest.mark.parametrize("radius", [1, 5])
def test_small_lesions_vanish_in_the_released_form_alone(radius: int) -> None:
    feature = torch.rand(1, 24, 224, 224, generator=torch.Generator().manual_seed(0)) + 0.1
    places = [(40 + 9 * i, 60 + 7 * i) for i in range(12)]
    lost = dict.fromkeys(FOREGROUNDS, 0)
    for kind in FOREGROUNDS:
        reduce = Foreground(kind, 2, 24, [768, 384, 192])
        for row, column in places:
            lost[kind] += sum(not v.any() for v in reduce(feature, disc(radius, row, column)))
    assert lost["adaptive"] == lost["masked_mean"] == 0
    assert lost["resize"] > 0


def test_released_foreground_is_an_interpolation_of_space_then_channels() -> None:
    feature = torch.randn(2, 24, 224, 224, generator=torch.Generator().manual_seed(0))
    mask = disc(60, 100, 110).expand(2, 1, -1, -1)
    deep, middle, _ = Foreground("resize", 2, 24, [768, 384, 192])(feature, mask)
    space = F.interpolate(feature * mask, size=(16, 16), mode="bilinear", align_corners=False)
    torch.testing.assert_close(deep.view(2, 3, 16, 16), (space[:, 3::8] + space[:, 4::8]) / 2)
    space = F.interpolate(feature * mask, size=(8, 8), mode="bilinear", align_corners=False)
    torch.testing.assert_close(middle.view(2, 6, 8, 8), (space[:, 1::4] + space[:, 2::4]) / 2)


def test_adaptive_foreground_is_an_average_of_space_and_channels() -> None:
    feature = torch.randn(1, 24, 32, 32, 32, generator=torch.Generator().manual_seed(0))
    mask = torch.rand(1, 2, 32, 32, 32) > 0.5
    (vector,) = Foreground("adaptive", 3, 24, [768])(feature, mask)
    assert vector.shape == (1, 2, 768)
    cells = (feature * mask[:, 1:]).view(12, 2, 4, 8, 4, 8, 4, 8).mean((1, 3, 5, 7))
    torch.testing.assert_close(vector[0, 1], cells.flatten())


def test_masked_mean_forgets_the_place_and_is_drawn_alike() -> None:
    feature = torch.randn(1, 8, 1, 1).expand(1, 8, 32, 32)
    one, other = (Foreground("masked_mean", 2, 8, [64, 32]) for _ in range(2))
    mask = torch.zeros(2, 1, 1, 32, 32, dtype=torch.bool)
    mask[0, ..., :4, :4] = mask[1, ..., 20:30, 20:22] = True
    for a, b in zip(one(feature, mask[0]), other(feature, mask[1]), strict=True):
        torch.testing.assert_close(a, b)
