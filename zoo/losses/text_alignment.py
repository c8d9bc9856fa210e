"""LG_SDG: places of the deepest map drawn to the text of the classes that lie there.

Kunhimon et al., "Language guided domain generalized medical image segmentation" (ISBI 2024).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from zoo.losses.distributed import gather_rows


def find_present(masks: Tensor, size: Sequence[int]) -> Tensor:
    """Find the classes of each cell of a grid.

    Args:
        masks: Masks of K classes, [B, K, *S], padded as the image is.
        size: Cells per axis.

    Returns:
        Bool [B, N, K]: the class has a voxel in the cell.
    """
    pool = F.adaptive_max_pool2d if masks.ndim == 4 else F.adaptive_max_pool3d
    return pool(masks.float(), list(size)).flatten(2).transpose(1, 2) > 0


def centre_classes(
    vectors: Tensor, present: Tensor, absent: Tensor, background: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Add the class "background", and subtract the mean of the classes.

    Text vectors of classes are nearly parallel. Without their mean, a cosine of 1 with one class and of -1 with all
    others is nearly possible.

    Args:
        vectors: Text vectors of K classes, [B, K, W].
        present: As of `find_present`.
        absent: The class has no voxel in the cell. A class may be neither: nobody knows.
        background: Text vector of the background, [1, W].

    Returns:
        Vectors [B, K + 1, W], present and absent [B, N, K + 1]: the background is where all classes are absent.
    """
    every = torch.cat([vectors, background.expand(len(vectors), 1, -1)], dim=1)
    empty, some = absent.all(2, keepdim=True), present.any(2, keepdim=True)
    return every - every.mean(1, keepdim=True), torch.cat([present, empty], dim=2), torch.cat([absent, some], dim=2)


def align_places(places: Tensor, vectors: Tensor, present: Tensor, absent: Tensor, total: bool = False) -> Tensor:
    """Compute the mean of 1 - cosine over present classes, plus the mean of 1 + cosine over absent classes.

    Args:
        places: Projected places of a map, [B, N, W].
        vectors: Text vectors of K classes, [B, K, W].
        present: As of `find_present`.
        absent: As in `centre_classes`.
        total: As released: the sum over places, divided by the samples. False: the mean over places.

    Returns:
        The mean over the samples of all devices.
    """
    cosine = F.normalize(places.float(), dim=2) @ F.normalize(vectors.float(), dim=2).transpose(1, 2)
    near = ((1 - cosine) * present).sum(2) / present.sum(2).clamp(min=1)
    far = ((1 + cosine) * absent).sum(2) / absent.sum(2).clamp(min=1)
    each = near + far
    samples = gather_rows(each.sum(1) if total else each.mean(1))[0]
    return samples.mean() / (len(samples) if total else 1)
