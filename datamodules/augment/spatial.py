"""Where each voxel of a turned, scaled, bent and mirrored patch comes from, and the image there.

The cell of 2^D voxels that a place lies in is found once and serves every channel of image and label.
Around the input lies one layer of 0, which is what `cut` pads with: beyond it every value is 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from datamodules.augment.params import Draw


class Cells(NamedTuple):
    """The cell of each of P output voxels in the padded input.

    Attributes:
        low: [P] int32, the cell's lowest corner as an index into the flat padded volume.
        parts: D tensors [P], how far into the cell along each axis, 0 to 1.
        steps: How far apart neighbours along each axis lie in the flat volume.
        shape: Of the output.
    """

    low: Tensor
    parts: tuple[Tensor, ...]
    steps: tuple[int, ...]
    shape: tuple[int, ...]


def locate(draw: Draw, source: Sequence[int], size: Sequence[int], device: torch.device) -> Cells:
    """Find the cells of a patch of `size`, taken about the centre of an input of the shape `source`.

    A patch bends before it turns, and is mirrored before both, as the input coordinates are M (x + u(x)) of the
    mirrored x about the centre.
    """
    dims = len(size)
    lines = []
    for axis, n in enumerate(size):
        line = torch.arange(n, dtype=torch.float32, device=device) - (n - 1) / 2
        line = line.flip(0) if axis in draw.flips else line
        lines.append(line.view([-1 if axis == other else 1 for other in range(dims)]))
    if draw.control is not None:
        bends = bend(torch.as_tensor(draw.control, dtype=torch.float32, device=device), size, draw.flips)
        lines = [line + by for line, by in zip(lines, bends, strict=True)]
    low, parts = torch.zeros(1, dtype=torch.int32, device=device), []
    for axis, n in enumerate(source):
        row = [float(axis == other) for other in range(dims)] if draw.matrix is None else draw.matrix[axis].tolist()
        at = torch.zeros(1, device=device)
        for factor, line in zip(row, lines, strict=True):
            at = torch.add(at, line, alpha=factor)
        at = at.add_((n - 1) / 2).clamp_(-1, n)
        floor = at.floor().clamp_(max=n - 1)
        parts.append(at.sub_(floor).flatten())
        low = low.mul(n + 2).add(floor.add_(1).to(torch.int32))
    steps = [1]
    for n in reversed(source[1:]):
        steps.insert(0, steps[0] * (n + 2))
    return Cells(low.flatten(), tuple(parts), tuple(steps), tuple(size))


def bend(control: Tensor, size: Sequence[int], flips: Sequence[int] = ()) -> Tensor:
    """The shift [D, *size] that cubic B-splines make of control points [D, *points].

    Free-form deformation (Rueckert et al., IEEE TMI 18, 1999): the tensor product of the four cubic
    B-splines about each place, here as one matrix an axis.
    """
    shift = control
    for axis, n in enumerate(size):
        spans = control.shape[axis + 1] - 3
        at = torch.linspace(0, spans, n, device=control.device)
        near = (at[:, None] + 1 - torch.arange(spans + 3, device=control.device)).abs()
        inner, outer = 2 / 3 - near**2 + near**3 / 2, (2 - near).clamp(min=0) ** 3 / 6
        basis = torch.where(near < 1, inner, outer)
        basis = basis.flip(0) if axis in flips else basis
        shift = torch.tensordot(shift, basis, dims=([axis + 1], [1])).movedim(-1, axis + 1)
    return shift


def pad_flat(channel: Tensor) -> Tensor:
    """One channel [*S] with a layer of 0 around it, flat."""
    return F.pad(channel, [1, 1] * channel.ndim).flatten()


def resample_image(image: Tensor, cells: Cells, out: Tensor) -> None:
    """Linear interpolation of [C, *S] at the cells into [C, *patch]; 0 outside."""
    for channel, target in zip(image, out, strict=True):
        target.copy_(_interpolate(pad_flat(channel), cells, 0, 0).view(cells.shape))


def _interpolate(flat: Tensor, cells: Cells, offset: int, axis: int) -> Tensor:
    """Between the two faces of the cells across an axis, each interpolated across the axes after it."""
    if axis == len(cells.steps):
        return flat[offset:].index_select(0, cells.low)
    low = _interpolate(flat, cells, offset, axis + 1)
    high = _interpolate(flat, cells, offset + cells.steps[axis], axis + 1)
    return low.lerp_(high, cells.parts[axis])
