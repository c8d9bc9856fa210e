"""Resample labels by the argmax of their linearly interpolated one-hot encoding, without making this encoding.

Where the 2^D corners of a cell have the same label, this label has the full weight everywhere in the cell. Therefore
weights are only computed for cells with different corners, which are along the borders of objects.
"""

from __future__ import annotations

from itertools import product

import torch
from torch import Tensor

from datamodules.augment.spatial import Cells, pad_flat

_MIXED = 255
"""Mark of a cell with different corners. A cell whose corners all have the label 255 is treated alike; its result is
255."""

_BITS = 8


def resample_labels(label: Tensor, cells: Cells, out: Tensor) -> None:
    """Resample [L, *S] at the cells into uint8 [L, *patch]; voxels from outside are 0.

    One channel contains class numbers: a voxel gets the class with the largest interpolated weight; of equal weights,
    the lowest number. Several channels contain masks of 0 and 1: a voxel is inside where the weight is above one half.
    """
    if len(label) == 1:
        out[0] = _vote(pad_flat(label[0].to(torch.uint8)), cells, 0).view(cells.shape)
        return
    for first in range(
        0, len(label), _BITS
    ):  # the bits of one number, so that the borders of all masks are found at once
        masks = label[first : first + _BITS].to(torch.uint8)
        code = torch.zeros_like(masks[0])
        for bit, mask in enumerate(masks):
            code |= mask << bit
        voted = _vote(pad_flat(code), cells, len(masks)).view(cells.shape)
        for bit in range(len(masks)):
            out[first + bit] = (voted >> bit) & 1


def _vote(flat: Tensor, cells: Cells, bits: int) -> Tensor:
    low = high = flat
    for step in cells.steps:
        low, high = torch.minimum(low[step:], low[:-step]), torch.maximum(high[step:], high[:-step])
    common = low | (low != high).to(torch.uint8) * _MIXED
    out = common.index_select(0, cells.low)
    mixed = (out == _MIXED).nonzero().flatten()
    base = cells.low.index_select(0, mixed)
    parts = [part.index_select(0, mixed) for part in cells.parts]
    corners, weights = [], []
    for corner in product((0, 1), repeat=len(parts)):
        offset = sum(step for step, far in zip(cells.steps, corner, strict=True) if far)
        corners.append(flat[offset:].index_select(0, base))
        weight = torch.ones_like(parts[0])
        for part, far in zip(parts, corner, strict=True):
            weight = weight * (part if far else 1 - part)
        weights.append(weight)
    out[mixed] = _choose_labels(torch.stack(corners), torch.stack(weights), bits)
    return out


def _choose_labels(corners: Tensor, weights: Tensor, bits: int) -> Tensor:
    """Choose the labels [M] of cells from the labels [2^D, M] and the weights [2^D, M] of their corners."""
    if bits:
        inside = [((weights * ((corners >> bit) & 1)).sum(0) > 0.5).to(torch.uint8) << bit for bit in range(bits)]
        return torch.stack(inside).sum(0, dtype=torch.uint8)
    scores = torch.stack([(weights * (corners == corner)).sum(0) for corner in corners])
    return torch.where(scores == scores.amax(0), corners, _MIXED).amin(0)
