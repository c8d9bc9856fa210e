"""Augmentation of a training batch on the device it lies on; every sample its own draw.

What is drawn depends on (seed, draw) alone, and what becomes of a sample not on the others of its batch.
`docs/augmentation.md` lists the presets with their ranges and what they are taken from.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from datamodules.augment.full import augment_full
from datamodules.augment.light import augment_light
from datamodules.augment.params import margin_of
from zoo.types import Batch

PRESETS = ("none", "light", "full", "elastic")
"""What `--data.augment` may say. "elastic" is "full" and bends a tenth of the samples."""


def margin(preset: str, patch: Sequence[int]) -> tuple[int, ...]:
    """How much wider on each side a patch is cut for a preset, that a turn may find image beyond its edges."""
    return margin_of(patch) if preset in ("full", "elastic") else (0,) * len(patch)


def augment(
    batch: Batch, seed: int, flips: Sequence[int] = (), preset: str = "light", patch: Sequence[int] | None = None
) -> Batch:
    """Augment a training batch.

    Args:
        batch: With `draw`, its images and labels cut `margin` wider on each side than `patch`.
        seed: Of the draws.
        flips: Spatial axes (0 is the first) along which an image may be mirrored.
        preset: One of `PRESETS`.
        patch: Size of the images that come out; by default that of those that go in.

    Returns:
        The batch with a new image and label, and the sides exchanged in the report of a sample that was
        mirrored along the left-right axis; nothing else changes. Outside the image there is 0.
    """
    if preset == "none":
        return batch
    image = batch["image"]
    # In full precision, whatever the network trains in: eight bits would move the voxels of a large image.
    with torch.autocast(image.device.type, enabled=False):
        whole = Batch(**{**batch, "image": image.float(), "spacing": batch["spacing"].float()})
        if preset == "light":
            moved = augment_light(whole, seed, flips)
        else:
            moved = augment_full(whole, seed, flips, patch or image.shape[2:], bend=preset == "elastic")
    return Batch(**{**moved, "image": moved["image"].to(image.dtype), "spacing": batch["spacing"]})
