"""The way from logits back to the grid of the file."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from zoo.preprocessing.undo import native_mask, ras_shape
from zoo.types import Geometry, LabelSpace

SPACE = LabelSpace(("a", "b"), ((1,), (2,)))


def geometry(shape: tuple[int, ...], crop: tuple[tuple[int, int], ...]) -> Geometry:
    """A grid without an affine."""
    return Geometry(None, shape, crop, (1.0,) * len(shape), "px")


def test_a_mask_is_recovered_after_resampling_and_crop() -> None:
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


def test_each_overlapping_region_has_its_own_mask() -> None:
    logits = torch.full((2, 4, 4), -1.0)
    logits[0, 1:3] = 1.0
    logits[1, 2] = 1.0
    mask = native_mask(logits, geometry((4, 4), ((0, 4), (0, 4))), LabelSpace(("w", "c"), ((1, 2), (2,)), False))
    assert mask.shape == (2, 4, 4)
    assert mask.sum(axis=(1, 2)).tolist() == [8, 4]


def test_ras_shape_follows_the_affine() -> None:
    affine = ((0.0, 0.0, 2.0, 0.0), (-1.0, 0.0, 0.0, 0.0), (0.0, 3.0, 0.0, 0.0), (0.0, 0.0, 0.0, 1.0))
    assert ras_shape(Geometry(affine, (5, 6, 7), ((0, 7), (0, 5), (0, 6)), (2.0, 1.0, 3.0), "mm")) == (7, 5, 6)


@pytest.mark.parametrize(("dims", "axis"), [(2, 0), (2, 1), (3, 0), (3, 1), (3, 2)])
@pytest.mark.parametrize("mirrored", [False, True])
def test_a_boundary_keeps_its_place_when_logits_are_resampled(dims: int, axis: int, mirrored: bool) -> None:
    """Voxel centres are half a voxel from the border on both grids, so that even a small shift fails."""
    coarse, fine, threshold = 4, 16, 0.5
    position = torch.arange(coarse, dtype=torch.float32) - threshold  # class a where it is above 0
    logits = torch.stack([torch.zeros(coarse), position, torch.full((coarse,), -9.0)])
    logits = (logits.flip(1) if mirrored else logits).reshape(3, *(coarse if a == axis else 1 for a in range(dims)))
    logits = logits.expand(3, *[coarse] * dims)
    mask = native_mask(logits, geometry((fine,) * dims, ((0, fine),) * dims), SPACE)
    centres = (np.arange(fine) + 0.5) * coarse / fine - 0.5  # centres of the fine voxels, on the coarse grid
    due = (centres > threshold)[::-1] if mirrored else centres > threshold
    found = np.moveaxis(mask, axis, 0).reshape(fine, -1)
    assert (found == due[:, None]).all()


def test_a_region_needs_a_logit_above_0() -> None:
    regions = LabelSpace(("a",), ((1,),), False)
    logits = torch.tensor([[[0.0, 1e-3], [-1e-3, 2.0]]])
    assert native_mask(logits, geometry((2, 2), ((0, 2), (0, 2))), regions).tolist() == [[[0, 1], [0, 1]]]
