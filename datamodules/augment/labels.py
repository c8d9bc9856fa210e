"""Labels resampled by the argmax of their linearly interpolated one-hot, without a one-hot.

Where the 2^D corners of a cell agree, their label has the whole weight anywhere in the cell. So one look at
the cell settles all but the voxels along the borders of objects, and only these are voted on.
"""

from __future__ import annotations

from itertools import product

import torch
from torch import Tensor

from datamodules.augment.spatial import Cells, pad_flat

_MIXED = 255
"""Of a cell whose corners differ; a cell of nothing but 255 is voted on like these, and comes to 255."""

_BITS = 8


def resample_labels(label: Tensor, cells: Cells, out: Tensor) -> None:
    """Resample [L, *S] at the cells into uint8 [L, *patch]; 0 outside.

    One channel holds class numbers, and a voxel takes the class of the largest interpolated weight (of equal ones
    the lowest number); several hold masks of 0 and 1, and a voxel is inside where a mask's weight is over a half.
    """
    if len(label) == 1:
        out[0] = _vote(pad_flat(label[0].to(torch.uint8)), cells, 0).view(cells.shape)
        return
    for first in range(0, len(label), _BITS):  # as one number: its masks have their borders looked for at once
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
    out[mixed] = _settle(torch.stack(corners), torch.stack(weights), bits)
    return out


def _settle(corners: Tensor, weights: Tensor, bits: int) -> Tensor:
    """The label [M] of cells with the labels [2^D, M] and the weights [2^D, M] at their corners."""
    if bits:
        inside = [((weights * ((corners >> bit) & 1)).sum(0) > 0.5).to(torch.uint8) << bit for bit in range(bits)]
        return torch.stack(inside).sum(0, dtype=torch.uint8)
    scores = torch.stack([(weights * (corners == corner)).sum(0) for corner in corners])
    return torch.where(scores == scores.amax(0), corners, _MIXED).amin(0)
