"""Source positions of the voxels of a rotated, scaled, deformed and mirrored patch, and the image at these positions.

The cell of 2^D voxels around a position is found once and used for every channel of image and label. The input gets one
layer of 0 around it, because `cut_into` pads with 0 too; everything outside of it is 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from datamodules.augment.params import AugmentParams


class Cells(NamedTuple):
    """The cell in the padded input for each of the P output voxels.

    Attributes:
        low: [P] int32, the lowest corner of the cell as an index into the flat padded volume.
        parts: D tensors [P], position within the cell along each axis, 0 to 1.
        steps: Distance in the flat volume between neighbours along each axis.
        shape: Shape of the output.
    """

    low: Tensor
    parts: tuple[Tensor, ...]
    steps: tuple[int, ...]
    shape: tuple[int, ...]


def locate_cells(params: AugmentParams, source: Sequence[int], size: Sequence[int], device: torch.device) -> Cells:
    """Find the cells of a patch with shape `size` at the centre of an input with shape `source`.

    The input coordinates are M (x + u(x)) about the centre, where x is mirrored first. So the order is: mirror, elastic
    deformation u, rotation and scaling M.
    """
    dims = len(size)
    lines = []
    for axis, n in enumerate(size):
        line = torch.arange(n, dtype=torch.float32, device=device) - (n - 1) / 2
        line = line.flip(0) if axis in params.flips else line
        lines.append(line.view([-1 if axis == other else 1 for other in range(dims)]))
    if params.control is not None:
        control = torch.as_tensor(params.control, dtype=torch.float32, device=device)
        lines = [line + by for line, by in zip(lines, interpolate_shifts(control, size, params.flips), strict=True)]
    low, parts = torch.zeros(1, dtype=torch.int32, device=device), []
    for axis, n in enumerate(source):
        unit = [float(axis == other) for other in range(dims)]
        row = unit if params.matrix is None else params.matrix[axis].tolist()
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


def interpolate_shifts(control: Tensor, size: Sequence[int], flips: Sequence[int] = ()) -> Tensor:
    """Interpolate the shifts [D, *size] from control points [D, *points] by cubic B-splines.

    This is free-form deformation (Rueckert et al., IEEE TMI 18, 1999): the tensor product of the four cubic B-splines
    around each position, here as one matrix per axis.
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
    """Return one channel [*S] with a layer of 0 around it, flattened."""
    return F.pad(channel, [1, 1] * channel.ndim).flatten()


def resample_image(image: Tensor, cells: Cells, out: Tensor) -> None:
    """Interpolate [C, *S] linearly at the cells into [C, *patch]; voxels from outside are 0."""
    for channel, target in zip(image, out, strict=True):
        target.copy_(_interpolate(pad_flat(channel), cells, 0, 0).view(cells.shape))


def _interpolate(flat: Tensor, cells: Cells, offset: int, axis: int) -> Tensor:
    """Interpolate along an axis between the two faces of the cells, which are interpolated along the later axes."""
    if axis == len(cells.steps):
        return flat[offset:].index_select(0, cells.low)
    low = _interpolate(flat, cells, offset, axis + 1)
    high = _interpolate(flat, cells, offset + cells.steps[axis], axis + 1)
    return low.lerp_(high, cells.parts[axis])
