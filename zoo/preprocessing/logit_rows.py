"""Logits of consecutive rows of an image, and the output voxels between them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

UNSURE = 255
"""Mark of a voxel in which a class of a lower number has nearly the largest logit."""

MARGIN = 1e-6
"""Relative error of an interpolated logit in single precision is below this: at most eight roundings of 6e-8."""

TINY = 1e-30
"""Absolute error below the normal numbers is far below this."""

SMALL = 128
"""Images whose sides sum up to this at most are interpolated by another function of torch, channel by channel."""


class LogitRows(NamedTuple):
    """Logits of the rows of one image along its first axis. A two-dimensional image has Y = 1.

    Attributes:
        values: float32 [C, R, Y, Z]; row x of the image is at x % R, so that R rows can wander through an image.
        weights: float32 [R, Y, Z]: the logits are `values` over `weights`, or 0 where a weight is 0. None: all are 1.
    """

    values: Tensor
    weights: Tensor | None = None

    def means(self, rows: Sequence[int]) -> Tensor:
        """Return the logits of some rows of the image, [C, rows, Y, Z]."""
        index = torch.tensor([row % self.values.shape[1] for row in rows], device=self.values.device)
        values = self.values.index_select(1, index)
        if self.weights is None:
            return values
        weights = self.weights.index_select(0, index)
        return values.div_(torch.where(weights > 0, weights, 1.0))


class Axis(NamedTuple):
    """Where the voxels of the output grid lie between those of the network grid, along one axis.

    Attributes:
        low: int32 [N], the lower of the two voxels.
        high: int32 [N], the upper one; the lower one again where only that counts.
        share: float32 [N], the weight of the upper one; the lower one has 1 minus it.
        scale: Output size over input size, as torch rounds it.
    """

    low: NDArray[np.int32]
    high: NDArray[np.int32]
    share: NDArray[np.float32]
    scale: float = 1.0


def interpolate_axes(values: Tensor, size: Sequence[int], scales: Sequence[float | None]) -> Tensor:
    """Interpolate linearly with the scale of each axis given; None: the ratio of the sizes.

    `torch.nn.functional.interpolate` computes the same for `size` alone.

    Args:
        values: [B, C, *S] with two or three axes.
        size: Output size per axis.
        scales: Output size over input size, per axis.
    """
    up = torch.ops.aten.upsample_bilinear2d if values.ndim == 4 else torch.ops.aten.upsample_trilinear3d
    result: Tensor = up.default(values, list(size), False, *scales)
    return result


def make_axes(size: Sequence[int], out: Sequence[int], channels: int, device: torch.device) -> tuple[Axis, Axis, Axis]:
    """Measure where `torch.nn.functional.interpolate` reads the voxels of each axis.

    Its weights are measured and not computed, because rounding differs between processors and versions.

    Args:
        size: Shape of the network grid, two or three axes; two are the first and the last of three.
        out: Shape of the output grid.
        channels: Number of channels C; torch has several functions, and chooses one by it.
        device: Where the logits are.
    """
    axes = [_make_axis(n, m, out, channels, device) for n, m in zip(size, out, strict=True)]
    middle = Axis(np.zeros(1, np.int32), np.zeros(1, np.int32), np.zeros(1, np.float32))
    return axes[0], axes[1] if len(axes) == 3 else middle, axes[-1]


def _make_axis(size: int, out: int, shape: Sequence[int], channels: int, device: torch.device) -> Axis:
    # one more, because the last voxel is its own neighbour; not `out`, because torch copies where sizes are equal
    number = torch.arange(size + 1 if size + 1 != out else size + 2, device=device)
    others = [1] * (len(shape) - 1)
    third = torch.stack([(number % 3 == n).float() for n in range(3)]).view(3, 1, -1, *others)
    third = third.expand(3, channels, -1, *others).contiguous()
    wide = [_beside(out, shape)] if len(shape) == 2 else others
    measured = interpolate_axes(third, (out, *wide), (_natural_scale(size, out), *[None for _ in others]))
    weights = measured[:, 0].reshape(3, out, -1)[..., 0].T.cpu().numpy()
    position = np.maximum((np.arange(out) + 0.5) * size / out - 0.5, 0.0)
    low = np.minimum(np.floor(position), size - 1).astype(np.int32)
    nearest = np.round(position).astype(np.int32)
    rows = np.arange(out)
    below = weights[rows, (nearest - 1) % 3] > 0  # torch has rounded the position to just below a voxel
    close = np.abs(position - nearest) < 1e-3
    low = np.where(close, np.where(below, nearest - 1, nearest), low).astype(np.int32)
    low = np.clip(low, 0, size - 1)
    share = np.ascontiguousarray(weights[rows, (low + 1) % 3])
    high = np.where((share == 0) | (low == size - 1), low, low + 1).astype(np.int32)
    return Axis(low, high, share, _natural_scale(size, out))


def exact_row(rows: LogitRows, axes: Sequence[Axis], i: int, j: int, size: Sequence[int]) -> Tensor:
    """Interpolate the logits of one row of the output grid with torch's own arithmetic.

    Args:
        rows: The logits.
        axes: The three axes of the output grid.
        i: Output row of the first axis.
        j: Output row of the second axis.
        size: Output size of the image, two or three axes.

    Returns:
        [C, NZ].
    """
    corners = rows.means(_pair(axes[0], i))
    first, upright = _place(axes[0], i)
    if len(size) == 2:
        high = _length(max(first + 1, _beside(size[-1], size)) - 1)
        return interpolate_axes(corners[None, :, :, 0], (high, size[-1]), (upright, None))[0, :, first]
    second, level = _place(axes[1], j)
    corners = corners.index_select(2, torch.tensor(_pair(axes[1], j), device=corners.device))
    shape = (_length(first), _length(second), size[-1])
    return interpolate_axes(corners[None], shape, (upright, level, None))[0, :, first, second]


def _pair(axis: Axis, n: int) -> list[int]:
    """Return the two voxels beside an output voxel."""
    return [int(axis.low[n]), int(axis.high[n])]


def _beside(length: int, shape: Sequence[int]) -> int:
    """Return a length beside another one for which torch takes the function that it takes for an image.

    See `SMALL`.
    """
    return 1 if sum(shape) <= SMALL else max(1, SMALL + 1 - length)


def _length(last: int) -> int:
    """Return an output length that holds a voxel and is not 2, because torch copies where both lengths are equal."""
    return last + 1 if last != 1 else 3


def _place(axis: Axis, n: int) -> tuple[int, float]:
    """Return the output voxel and the scale for which two input voxels have the weights of output voxel `n`.

    Between the first two voxels, it is the voxel itself. The weight of a later one has few digits, so that it is half a
    step minus one half for a step without rounding.
    """
    if axis.low[n] == 0:
        return n, axis.scale
    return 0, 1 / (2 * (float(axis.share[n]) + 0.5))


def _natural_scale(size: int, out: int) -> float:
    return 1 / float(np.float32(size) / np.float32(out))
