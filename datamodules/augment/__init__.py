"""Augmentation of a training batch on its device; each sample has its own random parameters.

The parameters depend on (seed, draw number) only, and the result for a sample does not depend on the other samples of
its batch. `docs/augmentation.md` lists the presets, their ranges and their sources.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from datamodules.augment.full import augment_full
from datamodules.augment.light import augment_light
from datamodules.augment.params import compute_margin
from zoo.types import Batch

PRESETS = ("none", "light", "full", "elastic")
"""Values of `--data.augment`. "elastic" is "full" with an elastic deformation of a tenth of the samples."""


def margin(preset: str, patch: Sequence[int]) -> tuple[int, ...]:
    """Return how much wider a patch is cut on each side, in voxels, so that a rotated patch contains image only."""
    return compute_margin(patch) if preset in ("full", "elastic") else (0,) * len(patch)


def augment(
    batch: Batch, seed: int, flips: Sequence[int] = (), preset: str = "light", patch: Sequence[int] | None = None
) -> Batch:
    """Augment a training batch.

    Args:
        batch: A batch with `draw`. Its images and labels are wider than `patch` by `margin` on each side.
        seed: Seed of the random parameters.
        flips: Spatial axes (0 is the first) along which an image may be mirrored.
        preset: One of `PRESETS`.
        patch: Size of the images in the result; default: the size of the images in `batch`.

    Returns:
        The batch with new images and labels. In the report of a sample that was mirrored along the left-right axis,
        left and right are exchanged. Nothing else changes. Voxels from outside of the image are 0.
    """
    if preset == "none":
        return batch
    image = batch["image"]
    # Always in full precision: the coordinates of bfloat16 have 8 bits and would shift the voxels of a large image.
    with torch.autocast(image.device.type, enabled=False):
        full = Batch(**{**batch, "image": image.float(), "spacing": batch["spacing"].float()})
        if preset == "light":
            moved = augment_light(full, seed, flips)
        else:
            moved = augment_full(full, seed, flips, patch or image.shape[2:], elastic=preset == "elastic")
    return Batch(**{**moved, "image": moved["image"].to(image.dtype), "spacing": batch["spacing"]})
