"""From logits on the network's grid back to a label mask on the grid of the file."""

from __future__ import annotations

from types import EllipsisType

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from zoo.types import Geometry, LabelSpace

INTERPOLATION = {2: "bilinear", 3: "trilinear"}
"""Mode of `torch.nn.functional.interpolate` by the number of spatial dimensions."""


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
    size = [stop - start for start, stop in geometry.crop]
    mode = INTERPOLATION[len(size)]
    grid = F.interpolate(logits[None].float(), size=size, mode=mode, align_corners=False)[0]
    decision = grid.argmax(dim=0) if labels.exclusive else grid > 0
    inner = decision.to(torch.uint8).cpu().numpy()
    window: tuple[EllipsisType | slice, ...] = (..., *(slice(start, stop) for start, stop in geometry.crop))
    shape = inner.shape[: inner.ndim - len(size)] + ras_shape(geometry)
    mask = np.zeros(shape, dtype=np.uint8)
    mask[window] = inner
    return mask


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
