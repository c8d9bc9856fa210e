"""The loops of `label_kernels` as operations of torch, for a GPU and for a machine without numba."""

from __future__ import annotations

import torch
from torch import Tensor

from zoo.preprocessing.logit_rows import MARGIN, TINY, UNSURE, Axis, LogitRows

_TERMS = 2**24  # interpolated logits that are in memory at once


def code_rows(values: Tensor, start: int, stop: int, floor: int, codes: Tensor) -> bool:
    """Find the class with the largest logit in each voxel of some rows; see `label_kernels.code_rows`."""
    index = torch.arange(start, stop, device=values.device)
    rows = index % values.shape[1]
    lowest = torch.finfo(torch.float32).min
    best = torch.full((stop - start, values.shape[2]), 0.0 if floor else lowest, device=values.device)
    low, check = torch.full_like(best, lowest), torch.zeros_like(best)
    label = torch.zeros(best.shape, dtype=torch.uint8, device=values.device)
    for number, channel in enumerate(values):
        value = channel.index_select(0, rows)
        more = value > best
        low = torch.where(more, best, low)
        best = torch.where(more, value, best)
        label.masked_fill_(more, number + floor)
        check += value * 0.0  # not a number where the value is not finite
    sure = low + MARGIN * low.abs() + TINY < best - MARGIN * best.abs()
    codes[start:stop] = label.masked_fill_(~sure, UNSURE)
    return bool((check == 0).all())


def label_rows(
    rows: LogitRows, codes: Tensor, axes: tuple[Axis, Axis, Axis], start: int, stop: int, floor: int
) -> tuple[Tensor, Tensor]:
    """Find the class of each voxel of some rows of the output grid; see `label_kernels.label_rows`.

    Args:
        rows: The logits.
        codes: uint8 [X, Y, Z], as `code_rows` finds them.
        axes: The axes of the output grid.
        start: First output row.
        stop: Output row after the last one.
        floor: 1: a class 0 with the logit 0 comes before the channels.

    Returns:
        The classes, uint8 [rows, NY, NZ], and the rows with a voxel that rounding could decide, [rows, NY].
    """
    device = codes.device
    # per axis: low, high, share
    sides = [[torch.from_numpy(part).to(device) for part in axis[:3]] for axis in axes]
    sides[0] = [part[start:stop] for part in sides[0]]
    lowest, highest = codes, codes
    for dim, (low, high, _) in enumerate(sides):
        lowest = torch.minimum(lowest.index_select(dim, low), lowest.index_select(dim, high))
        highest = torch.maximum(highest.index_select(dim, low), highest.index_select(dim, high))
    mixed = ((lowest != highest) | (highest == UNSURE)).nonzero()
    unsure = torch.zeros(lowest.shape[:2], dtype=torch.bool, device=device)
    for places in mixed.split(max(1, _TERMS // len(rows.values))):
        label, close = _interpolate(rows, codes.shape, sides, places, floor)
        lowest[tuple(places.T)] = label
        doubtful = places[close]
        unsure[doubtful[:, 0], doubtful[:, 1]] = True
    return lowest, unsure


def _interpolate(
    rows: LogitRows, shape: tuple[int, ...], sides: list[list[Tensor]], places: Tensor, floor: int
) -> tuple[Tensor, Tensor]:
    """Return the class of each place [n, 3], and whether rounding could decide it."""
    _, height, width = shape
    values = rows.values.flatten(1)
    mean = torch.zeros(len(values), len(places), dtype=torch.float64, device=values.device)
    size = torch.zeros_like(mean)
    corners: list[Tensor] = []
    for corner in range(8):
        index, weight = [], torch.ones(len(places), dtype=torch.float64, device=values.device)
        for dim, (low, high, share) in enumerate(sides):
            upper = bool(corner & (4 >> dim))
            at = places[:, dim]
            index.append((high if upper else low)[at].long())
            weight *= (share if upper else 1 - share)[at].double()
        where = ((index[0] % rows.values.shape[1]) * height + index[1]) * width + index[2]
        if rows.weights is not None:
            total = rows.weights.flatten()[where]
            weight /= torch.where(total > 0, total, 1.0)
        for channel, line in enumerate(values):
            term = line[where] * weight
            mean[channel] += term
            size[channel] += term.abs()
        corners.append(where)
    if floor:
        mean, size = (torch.cat([torch.zeros_like(part[:1]), part]) for part in (mean, size))
    label = mean.argmax(0)
    top, slack = (part.gather(0, label[None])[0] for part in (mean, size))
    close = torch.zeros(len(places), dtype=torch.bool, device=values.device)
    for number in range(len(mean)):
        near = (label != number) & (top - mean[number] <= MARGIN * (slack + size[number]) + TINY)
        if not floor:
            near &= ~_same_logits(values, corners, label, number, near)
        close |= near
    return label.to(torch.uint8), close


def _same_logits(values: Tensor, corners: list[Tensor], label: Tensor, number: int, near: Tensor) -> Tensor:
    """Return where a class has the logits of the chosen one in all corners, so that any arithmetic finds a tie."""
    same = torch.zeros_like(near)
    some = near.nonzero()[:, 0]
    if len(some):
        equal = torch.ones(len(some), dtype=torch.bool, device=values.device)
        for where in corners:
            equal &= values[number, where[some]] == values[label[some], where[some]]
        same[some] = equal
    return same
