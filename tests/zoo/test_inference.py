"""Whole-image logits and the way back to the file's grid."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from zoo.inference import native_mask, ras_shape, whole_logits
from zoo.types import ClassPrompt, Geometry, LabelSpace, Text

SPACE = LabelSpace(("a", "b"), ((1,), (2,)))
CLASSES = (ClassPrompt("a", "An a."), ClassPrompt("b", "A b."))


def geometry(shape: tuple[int, ...], crop: tuple[tuple[int, int], ...]) -> Geometry:
    """A grid without an affine."""
    return Geometry(None, shape, crop, (1.0,) * len(shape), "px")


def test_mask_returns_through_resampling_and_crop() -> None:
    truth = np.zeros((20, 30, 16), dtype=np.uint8)
    truth[6:12, 10:22, 4:12] = 1
    truth[12:16, 10:22, 4:12] = 2
    crop = ((4, 18), (8, 28), (2, 14))
    inner = torch.from_numpy(truth[4:18, 8:28, 2:14]).long()
    logits = 10.0 * torch.nn.functional.one_hot(inner, 3).permute(3, 0, 1, 2).float()
    assert np.array_equal(native_mask(logits, geometry(truth.shape, crop), SPACE), truth)
    coarse = torch.nn.functional.interpolate(logits[None], scale_factor=0.5, mode="trilinear")[0]
    back = native_mask(coarse, geometry(truth.shape, crop), SPACE)
    assert back.shape == truth.shape
    assert np.mean(back == truth) > 0.98


def test_regions_keep_a_mask_each() -> None:
    logits = torch.full((2, 4, 4), -1.0)
    logits[0, 1:3] = 1.0
    logits[1, 2] = 1.0
    mask = native_mask(logits, geometry((4, 4), ((0, 4), (0, 4))), LabelSpace(("w", "c"), ((1, 2), (2,)), False))
    assert mask.shape == (2, 4, 4)
    assert mask.sum(axis=(1, 2)).tolist() == [8, 4]


def test_ras_shape_follows_the_affine() -> None:
    affine = ((0.0, 0.0, 2.0, 0.0), (-1.0, 0.0, 0.0, 0.0), (0.0, 3.0, 0.0, 0.0), (0.0, 0.0, 0.0, 1.0))
    assert ras_shape(Geometry(affine, (5, 6, 7), ((0, 7), (0, 5), (0, 6)), (2.0, 1.0, 3.0), "mm")) == (7, 5, 6)


def test_sliding_window_brings_each_sample_its_own_report() -> None:
    seen: list[tuple[str, float]] = []

    def forward(image: Tensor, text: Text) -> Tensor:
        assert text.reports is not None
        assert len(text.reports) == len(image) == 1
        seen.append((text.reports[0], float(image.mean())))
        return image.repeat(1, 3, 1, 1)

    image = torch.stack([torch.zeros(1, 12, 9), torch.ones(1, 12, 9)])
    logits = whole_logits(forward, image, Text(CLASSES, ("zero", "one")), (8, 8), 0.5)
    assert logits.shape == (2, 3, 12, 9)
    torch.testing.assert_close(logits, image.repeat(1, 3, 1, 1))
    assert {(report, value) for report, value in seen} == {("zero", 0.0), ("one", 1.0)}


def test_small_images_go_through_in_one_piece() -> None:
    calls: list[tuple[int, ...]] = []

    def forward(image: Tensor, text: Text) -> Tensor:
        calls.append(tuple(image.shape))
        return image

    whole_logits(forward, torch.zeros(3, 1, 8, 6), Text(CLASSES), (8, 8), 0.5)
    assert calls == [(3, 1, 8, 6)]
