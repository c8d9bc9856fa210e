"""The preset "full": the augmentation of nnU-Net v2 on the device, one sample after the other.

Each sample is processed alone, in place in the new batch, with only the operations of its own parameters. Therefore its
values cannot depend on other samples (sums over a batch are split according to the batch size), and two thirds of the
samples only need a copy. A 3-D batch has two or four samples, so that one launch per sample costs little.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from datamodules.augment.intensity import change_intensity
from datamodules.augment.labels import resample_labels
from datamodules.augment.params import AugmentParams, draw_params
from datamodules.augment.spatial import locate_cells, resample_image
from datamodules.loading.samplers import generator
from zoo.text.laterality import AXIS, follow_mirror
from zoo.types import Batch

_STREAM = 2  # number of the random stream: 0 chooses the patch, 1 is the preset light


def augment_full(
    batch: Batch, seed: int, flips: Sequence[int], patch: Sequence[int], *, elastic: bool = False
) -> Batch:
    """Augment a training batch.

    Args:
        batch: A batch with `draw`, image [B, C, *S] and label [B, L, *S]. S is at least `patch`, and the patch is cut
            from the centre. One label channel contains class numbers; several contain overlapping masks of 0 and 1.
        seed: Seed of the random parameters.
        flips: Axes along which an image may be mirrored.
        patch: Size of the images in the result.
        elastic: Whether a share of the samples is deformed elastically.

    Returns:
        The batch with new images, labels and, where a sample was mirrored, reports.
    """
    image, label, size = batch["image"], batch.get("label"), tuple(patch)
    params = [
        draw_params(
            generator(seed, number, _STREAM),
            image.shape[1],
            size,
            spacing,
            flips,
            has_report="reports" in batch,
            elastic=elastic,
        )
        for number, spacing in zip(batch["draw"], batch["spacing"].tolist(), strict=True)
    ]
    out = Batch(**{**batch, "image": image.new_empty((*image.shape[:2], *size))})
    if label is not None:
        out["label"] = label.new_empty((*label.shape[:2], *size), dtype=torch.uint8)
    for index, own in enumerate(params):
        label_out = None if label is None else out["label"][index]
        _transform(image[index], None if label is None else label[index], own, out["image"][index], label_out)
        change_intensity(out["image"][index], own)
    left_right = AXIS[len(size)]
    return follow_mirror(out, [left_right in own.flips for own in params])


def _transform(
    image: Tensor, label: Tensor | None, params: AugmentParams, image_out: Tensor, label_out: Tensor | None
) -> None:
    """Fill image [C, *patch] and label [L, *patch] of one sample: the centre of the input, or its resampling."""
    size = image_out.shape[1:]
    if params.matrix is None and params.control is None:
        for source, target in ((image, image_out), (label, label_out)):
            if source is not None and target is not None:
                piece = _centre(source, size)
                target.copy_(piece.flip([axis + 1 for axis in params.flips]) if params.flips else piece)
        return
    cells = locate_cells(params, image.shape[1:], size, image.device)
    resample_image(image, cells, image_out)
    if label is not None and label_out is not None:
        resample_labels(label, cells, label_out)


def _centre(array: Tensor, size: Sequence[int]) -> Tensor:
    """The centre [C, *size] of an array that is at least as large."""
    for axis, length in enumerate(size, 1):
        array = array.narrow(axis, (array.shape[axis] - length) // 2, length)
    return array
