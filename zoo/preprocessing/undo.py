"""From logits on the network's grid back to a label mask on the grid of the file."""

from __future__ import annotations

from collections.abc import Sequence
from types import EllipsisType

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from zoo.preprocessing.label_grid import LabelGrid
from zoo.preprocessing.logit_rows import SMALL, LogitRows
from zoo.types import Geometry, LabelSpace

INTERPOLATION = {2: "bilinear", 3: "trilinear"}
"""Mode of `torch.nn.functional.interpolate` by the number of spatial dimensions."""


class NativeMask:
    """The label mask of an image on the grid of its file, filled while logits arrive.

    Args:
        network: Shape of the network grid.
        geometry: Geometry of the image, as `preprocess` returns it.
        labels: The label space.
        device: Where the logits are.

    Attributes:
        mask: uint8 with the layout of `zoo.types.Native.label`, in RAS order.
        grid: Receives the logits.
    """

    def __init__(self, network: Sequence[int], geometry: Geometry, labels: LabelSpace, device: torch.device) -> None:
        shape = ras_shape(geometry)
        self.mask = np.zeros(shape if labels.exclusive else (labels.channels, *shape), np.uint8)
        window: tuple[EllipsisType | slice, ...] = (..., *(slice(start, stop) for start, stop in geometry.crop))
        self.inner = self.mask[window]
        self.grid = LabelGrid(network, self.inner, labels.exclusive, labels.channels, device)


def native_mask(logits: Tensor, geometry: Geometry, labels: LabelSpace) -> NDArray[np.uint8]:
    """Compute the label mask of an image on the grid of its file, in RAS order.

    The logits are resampled before the class is chosen, and the crop is undone afterwards: a voxel outside of the
    crop is background.

    Args:
        logits: Logits of one image, [K, *S], or [1 + K, *S] where classes are exclusive.
        geometry: Geometry of the image, as `preprocess` returns it.
        labels: The label space: exclusive classes are chosen by the largest logit, others by a logit above 0.

    Returns:
        uint8 with the layout of `zoo.types.Native.label`.

    Example:
        >>> geometry = Geometry(affine=None, shape=(8, 6), crop=((0, 8), (0, 6)), spacing=(1.0, 1.0), unit="px")
        >>> labels = LabelSpace(names=("lesion",), values=((1,),), exclusive=False)
        >>> native_mask(torch.ones(1, 4, 4), geometry, labels).shape
        (1, 8, 6)
    """
    native = NativeMask(logits.shape[1:], geometry, labels, logits.device)
    rows, size = logits.detach().float().contiguous(), native.inner.shape[-logits.ndim + 1 :]
    if len(size) == 3 or sum(size) > SMALL:  # a smaller image takes no time
        native.grid.add(LogitRows(rows if rows.ndim == 4 else rows[:, :, None]), rows.shape[1])
        if native.grid.finite:
            return native.mask
    grid = F.interpolate(rows[None], size=size, mode=INTERPOLATION[len(size)], align_corners=False)[0]
    native.inner[...] = (grid.argmax(dim=0) if labels.exclusive else grid > 0).to(torch.uint8).cpu().numpy()
    return native.mask


def ras_shape(geometry: Geometry) -> tuple[int, ...]:
    """Return the shape of a file with its axes in RAS order."""
    if geometry.affine is None:
        return geometry.shape
    from nibabel.orientations import io_orientation

    axes = io_orientation(np.asarray(geometry.affine))[:, 0].astype(int)  # world axis of each file axis
    shape = [0] * len(axes)
    for file_axis, world_axis in enumerate(axes):
        shape[world_axis] = geometry.shape[file_axis]
    return tuple(shape)
