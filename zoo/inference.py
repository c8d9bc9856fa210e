"""From logits on the network's grid to label masks on the file's own grid."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import EllipsisType

import numpy as np
import torch
from monai.inferers import SlidingWindowInferer
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from zoo.types import Geometry, LabelSpace, Text

INTERPOLATION = {2: "bilinear", 3: "trilinear"}


def whole_logits(
    forward: Callable[[Tensor, Text], Tensor],
    image: Tensor,
    text: Text,
    patch: Sequence[int],
    overlap: float,
) -> Tensor:
    """Logits of whole images, by a sliding window with Gaussian weights where they exceed the patch.

    Args:
        forward: A model's forward: ([B, C, *S], text) -> [B, K, *S].
        image: [B, C, *S].
        text: The text of the B samples.
        patch: Window size on each axis of S.
        overlap: Share of a window that its neighbour covers again, in [0, 1).

    Returns:
        [B, K, *S].
    """
    if all(size <= window for size, window in zip(image.shape[2:], patch, strict=True)):
        return forward(image, text)
    window = SlidingWindowInferer(roi_size=tuple(patch), sw_batch_size=1, overlap=overlap, mode="gaussian")
    parts = []
    for i in range(len(image)):
        # One window at a time, so that the sample's own report stands beside it.
        single = Text(text.classes, None if text.reports is None else text.reports[i : i + 1])
        parts.append(window(image[i : i + 1], lambda x, single=single: forward(x, single)))
    return torch.cat(parts)


def native_mask(logits: Tensor, geometry: Geometry, labels: LabelSpace) -> NDArray[np.uint8]:
    """The decision on the file's grid (RAS order): logits are resampled, then decided, then uncropped.

    Args:
        logits: [K, *S] of one sample.
        geometry: The way back.
        labels: Tells softmax from sigmoid.

    Returns:
        uint8 laid out as `Native.label`.
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
    """The file's shape with its axes in RAS order."""
    if geometry.affine is None:
        return geometry.shape
    from nibabel.orientations import io_orientation

    axes = io_orientation(np.asarray(geometry.affine))[:, 0].astype(int)  # world axis of each file axis
    shape = [0] * len(axes)
    for file_axis, world_axis in enumerate(axes):
        shape[world_axis] = geometry.shape[file_axis]
    return tuple(shape)
