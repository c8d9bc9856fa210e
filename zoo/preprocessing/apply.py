"""From a case's files to the arrays that the network sees: normalise, crop, resample; labels to classes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from zoo.errors import DataError
from zoo.io.readers import Reader
from zoo.io.same_grid import same_voxels
from zoo.preprocessing.spec import PreprocessingSpec
from zoo.types import Case, Geometry, LabelSpace

_DOUBLE = 2**24  # voxels that are held in double precision at once
_CHUNK = 2**20  # voxels that are looked up at once: numpy needs many times their memory for it


class PreparedCase(NamedTuple):
    """A case as arrays; `S` is the network's grid in RAS order, or (H, W).

    Attributes:
        image: float32 [C, *S].
        label: uint8 [1, *S] of 0..K where classes are exclusive, else {0, 1} [K, *S]; None without a label.
        geometry: The way back to the file's grid.
        native: The label on the native grid, laid out as `zoo.types.Native.label`; None where `label`
            lies on the native grid already.
        foreground: int32 [n, 1 + D], rows of (class number from 0, voxel of S); None: not listed yet.
    """

    image: NDArray[np.float32]
    label: NDArray[np.uint8] | None
    geometry: Geometry
    native: NDArray[np.uint8] | None = None
    foreground: NDArray[np.int32] | None = None


def load_case(case: Case, spec: PreprocessingSpec, labels: LabelSpace, reader: Reader | None = None) -> PreparedCase:
    """Read, check and prepare one case.

    Args:
        case: The case.
        spec: The preprocessing.
        labels: Which values make up which class.
        reader: How its files become arrays; default NIfTI and rasters.

    Raises:
        DataError: A file is missing or unreadable, shapes or affines differ, or a label value is
            unexpected; the message begins with the file.
    """
    reader = reader or Reader()
    channels = [reader.image(path) for path in case.images]
    geometry = channels[0][1]
    for path, (_, other) in zip(case.images[1:], channels[1:], strict=True):
        same_voxels(path, other, case.images[0], geometry)
    image = channels[0][0] if len(channels) == 1 else np.concatenate([array for array, _ in channels])
    del channels  # before the label is read: of a CT each copy is 150 MB
    native = None
    if case.label is not None:
        raw, other = reader.label(case.label)
        same_voxels(case.label, other, case.images[0], geometry)
        native = to_classes(raw, labels, case.label)
        del raw
    return preprocess(image, native, geometry, spec)


def to_classes(raw: NDArray[np.int32], labels: LabelSpace, path: Path) -> NDArray[np.uint8]:
    """A file's label values as classes.

    Args:
        raw: int32 [*S] with the file's values; 0 is background.
        labels: Which values make up which class.
        path: The file, for the message.

    Returns:
        uint8 [*S] of 0..K where classes are exclusive, else {0, 1} [K, *S].

    Raises:
        DataError: A value belongs to no class.
    """
    known = sorted({value for values in labels.values for value in values} | {0})
    flat = raw.reshape(-1)
    parts = [slice(start, start + _CHUNK) for start in range(0, flat.size, _CHUNK)]
    strange: set[int] = set()
    for part in parts:
        strange.update(np.unique(flat[part][~np.isin(flat[part], known)]).tolist())
    if strange:
        problem = f"{path}: unexpected label values {sorted(strange)[:8]}."
        raise DataError(problem, f"The data card knows {known}.", "label_values")
    if not labels.exclusive:
        return np.stack([np.isin(raw, values) for values in labels.values]).astype(np.uint8)
    table = np.zeros(known[-1] + 1, dtype=np.uint8)
    for number, values in enumerate(labels.values, start=1):
        table[list(values)] = number
    classes = np.empty(flat.shape, np.uint8)
    for part in parts:
        classes[part] = table[flat[part]]
    return classes.reshape(raw.shape)


def preprocess(
    image: NDArray[np.float32], native: NDArray[np.uint8] | None, geometry: Geometry, spec: PreprocessingSpec
) -> PreparedCase:
    """Bring arrays on the native grid to the network's.

    Args:
        image: float32 [C, *N] on the native grid, raw intensities.
        native: The label on the native grid, laid out as `zoo.types.Native.label`.
        geometry: Of the native grid, crop of any kind.
        spec: The preprocessing.
    """
    crop = _box(image, spec.crop_above)
    inside = tuple(slice(start, stop) for start, stop in crop)
    cropped = image[(slice(None), *inside)]
    size = _network_size(cropped.shape[1:], geometry.spacing, spec)
    network = _resample(_normalise(cropped, spec.window), size)
    geometry = replace(geometry, crop=crop)
    if native is None:
        return PreparedCase(network, None, geometry)
    stacked = native[None] if native.ndim == image.ndim - 1 else native
    label = _resample_label(np.ascontiguousarray(stacked[(slice(None), *inside)]), size)
    moved = cropped.shape != image.shape or label.shape[1:] != image.shape[1:]
    return PreparedCase(network, label, geometry, native if moved else None)


def _box(image: NDArray[np.float32], above: float | None) -> tuple[tuple[int, int], ...]:
    """The smallest box around the voxels above an intensity in any channel; all where there are none."""
    whole = tuple((0, int(n)) for n in image.shape[1:])
    if above is None:
        return whole
    mask = (image > above).any(axis=0)
    if not mask.any():
        return whole
    box = []
    for axis in range(mask.ndim):
        others = tuple(a for a in range(mask.ndim) if a != axis)
        hit = np.flatnonzero(np.any(mask, axis=others))
        box.append((int(hit[0]), int(hit[-1]) + 1))
    return tuple(box)


def _normalise(image: NDArray[np.float32], window: tuple[float, float] | None) -> NDArray[np.float32]:
    if window is not None:
        low, high = window
        scaled: NDArray[np.float32] = np.clip(image, low, high, out=np.empty(image.shape, np.float32))
        scaled -= np.float32(low)
        scaled /= np.float32(high - low)
        return scaled
    normal = np.empty(image.shape, np.float32)
    for channel, given in zip(normal.reshape(len(image), -1), image, strict=True):
        flat = given.reshape(-1)
        parts = [slice(start, start + _DOUBLE) for start in range(0, flat.size, _DOUBLE)]
        mean = flat.mean(dtype=np.float64)
        std = np.sqrt(sum(np.square(flat[part] - mean).sum() for part in parts) / flat.size)
        for part in parts:
            channel[part] = (flat[part] - mean) / max(std, 1e-6)
    return normal


def _network_size(shape: tuple[int, ...], spacing: tuple[float, ...], spec: PreprocessingSpec) -> tuple[int, ...]:
    if spec.size is not None:
        return spec.size
    if spec.spacing is None:
        return shape
    steps = zip(shape, spacing, spec.spacing, strict=True)
    return tuple(max(1, round(n * native / due)) for n, native, due in steps)


def _resample(image: NDArray[np.float32], size: tuple[int, ...]) -> NDArray[np.float32]:
    """Linear, voxel centres half a voxel from the border; 2-D images are smoothed where they shrink."""
    if image.shape[1:] == size:
        return image
    options: dict[str, Any] = {"mode": "bilinear", "antialias": True} if len(size) == 2 else {"mode": "trilinear"}
    return F.interpolate(torch.from_numpy(image)[None], size=size, align_corners=False, **options)[0].numpy()


def _resample_label(label: NDArray[np.uint8], size: tuple[int, ...]) -> NDArray[np.uint8]:
    if label.shape[1:] == size:
        return label
    return F.interpolate(torch.from_numpy(label)[None], size=size, mode="nearest-exact")[0].numpy()
