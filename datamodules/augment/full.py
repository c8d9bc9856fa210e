"""The preset "full": what nnU-Net v2 trains with, on the device, one sample after the other.

A sample is worked on alone, and only by what it drew, in place in the batch that comes out: so its values
cannot depend on its neighbours (a sum over a batch is cut up by the batch's size), and two thirds of the
samples cost a copy. A 3-D batch is two or four samples: more than a launch a sample is not to be saved.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from datamodules.augment.intensity import change_intensity
from datamodules.augment.labels import resample_labels
from datamodules.augment.params import Draw, draw_full
from datamodules.augment.spatial import locate, resample_image
from datamodules.loading.samplers import generator
from zoo.text.laterality import AXIS, follow_mirror
from zoo.types import Batch

_STREAM = 2  # of the draw's generators: 0 chooses the patch, 1 the light preset


def augment_full(batch: Batch, seed: int, flips: Sequence[int], patch: Sequence[int], *, bend: bool = False) -> Batch:
    """Augment a training batch.

    Args:
        batch: With `draw`; image [B, C, *S] and label [B, L, *S] as large as `patch` or larger, which is cut from
            their centre. One label channel holds class numbers, several hold overlapping masks of 0 and 1.
        seed: Of the draws.
        flips: Axes that may be mirrored along.
        patch: Size that comes out.
        bend: Whether a share of the samples is deformed elastically.

    Returns:
        The batch with a new image and label, and reports that follow a mirror.
    """
    image, label, size = batch["image"], batch.get("label"), tuple(patch)
    draws = [
        draw_full(
            generator(seed, number, _STREAM),
            image.shape[1],
            size,
            spacing,
            flips,
            told="reports" in batch,
            bend=bend,
        )
        for number, spacing in zip(batch["draw"], batch["spacing"].tolist(), strict=True)
    ]
    out = Batch(**{**batch, "image": image.new_empty((*image.shape[:2], *size))})
    if label is not None:
        out["label"] = label.new_empty((*label.shape[:2], *size), dtype=torch.uint8)
    for place, draw in enumerate(draws):
        into = None if label is None else out["label"][place]
        _move(image[place], None if label is None else label[place], draw, out["image"][place], into)
        change_intensity(out["image"][place], draw)
    sided = AXIS[len(size)]
    return follow_mirror(out, [sided in draw.flips for draw in draws])


def _move(image: Tensor, label: Tensor | None, draw: Draw, image_out: Tensor, label_out: Tensor | None) -> None:
    """Fill one sample's [C, *patch] and [L, *patch]: a piece of the input, or its resampling."""
    size = image_out.shape[1:]
    if draw.matrix is None and draw.control is None:
        for source, target in ((image, image_out), (label, label_out)):
            if source is not None and target is not None:
                piece = _centre(source, size)
                target.copy_(piece.flip([axis + 1 for axis in draw.flips]) if draw.flips else piece)
        return
    cells = locate(draw, image.shape[1:], size, image.device)
    resample_image(image, cells, image_out)
    if label is not None and label_out is not None:
        resample_labels(label, cells, label_out)


def _centre(array: Tensor, size: Sequence[int]) -> Tensor:
    """The middle [C, *size] of an array as large or larger."""
    for axis, length in enumerate(size, 1):
        array = array.narrow(axis, (array.shape[axis] - length) // 2, length)
    return array
