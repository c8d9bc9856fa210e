"""From the files of a case to the arrays that the network sees: crop, normalise, resample; label values to classes."""

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
from zoo.io.same_grid import check_same_voxels
from zoo.preprocessing.spec import PreprocessingSpec
from zoo.types import Case, Geometry, LabelSpace

_DOUBLE = 2**24  # voxels per step in double precision, so that no second copy of a volume is needed
_CHUNK = 2**20  # voxels per look-up: numpy needs many times their memory for it


class PreparedCase(NamedTuple):
    """A case as arrays. S is the shape of the network's grid, in RAS order or (H, W).

    Attributes:
        image: float32 [C, *S].
        label: uint8 [1, *S] of 0..K where classes are exclusive, else [K, *S] of 0 and 1. None: the case has no
            label.
        geometry: What `native_mask` needs to return to the grid of the file.
        native: The label on the grid of the file, with the layout of `zoo.types.Native.label`. None: `label` is on
            this grid already.
        foreground: int32 [n, 1 + D], one row (class number from 0, voxel in S) per listed voxel. None: no voxel is
            listed yet.

    Example:
        >>> geometry = Geometry(affine=None, shape=(8, 6), crop=((0, 8), (0, 6)), spacing=(1.0, 1.0), unit="px")
        >>> prepared = preprocess(np.ones((1, 8, 6), np.float32), None, geometry, PreprocessingSpec(size=(4, 4)))
        >>> prepared.label is None
        True
    """

    image: NDArray[np.float32]
    label: NDArray[np.uint8] | None
    geometry: Geometry
    native: NDArray[np.uint8] | None = None
    foreground: NDArray[np.int32] | None = None


def load_case(case: Case, spec: PreprocessingSpec, labels: LabelSpace, reader: Reader | None = None) -> PreparedCase:
    """Read, check and preprocess one case.

    Args:
        case: The case. A new scan has no label.
        spec: The preprocessing.
        labels: The values of the label file that belong to each class.
        reader: Reads the files. Default: NIfTI and pictures.

    Raises:
        DataError: A file is missing or unreadable, shapes or affines differ, or a label value belongs to no class.
            The message begins with the file.

    Example:
        >>> import tempfile
        >>> from PIL import Image
        >>> labels = LabelSpace(names=("lesion",), values=((1,),))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = Path(folder) / "a.png"
        ...     Image.new("L", (6, 8), 7).save(file)
        ...     load_case(Case("a", (file,), None, "patient-1"), PreprocessingSpec(), labels).image.shape
        (1, 8, 6)
    """
    reader = reader or Reader()
    prepared = load_image(case, spec, reader)
    return prepared if case.label is None else add_label(prepared, load_label(case, prepared.geometry, labels, reader))


def load_image(case: Case, spec: PreprocessingSpec, reader: Reader) -> PreparedCase:
    """Read, check and preprocess the image of a case, without its label; see `load_case`."""
    channels = [reader.image(path) for path in case.images]
    geometry = channels[0][1]
    for path, (_, other) in zip(case.images[1:], channels[1:], strict=True):
        check_same_voxels(path, other, case.images[0], geometry)
    image = channels[0][0] if len(channels) == 1 else np.concatenate([array for array, _ in channels])
    del channels  # each copy of a CT has 150 MB
    return _prepare_image(image, geometry, spec)


def load_label(case: Case, geometry: Geometry, labels: LabelSpace, reader: Reader) -> NDArray[np.uint8]:
    """Read and check the label of a case that has one, on the grid of its file; see `load_case`."""
    path = case.label
    if path is None:
        raise ValueError(f"{case.key} has no label")
    raw, other = reader.label(path)
    check_same_voxels(path, other, case.images[0], geometry)
    return to_classes(raw, labels, path)


def to_classes(raw: NDArray[np.int32], labels: LabelSpace, path: Path) -> NDArray[np.uint8]:
    """Convert the values of a label file to classes.

    Args:
        raw: int32 [*S] with the values of the file; 0 is background.
        labels: The values of the label file that belong to each class.
        path: The file, for the error message.

    Returns:
        uint8 [*S] of 0..K where classes are exclusive, else [K, *S] of 0 and 1.

    Raises:
        DataError: A value belongs to no class.
    """
    known = sorted({value for values in labels.values for value in values} | {0})
    flat = raw.reshape(-1)
    chunks = [slice(start, start + _CHUNK) for start in range(0, flat.size, _CHUNK)]
    unknown: set[int] = set()
    for chunk in chunks:
        unknown.update(np.unique(flat[chunk][~np.isin(flat[chunk], known)]).tolist())
    if unknown:
        problem = f"{path}: unexpected label values {sorted(unknown)[:8]}."
        raise DataError(problem, f"The data card lists {known}: correct the file or the card.", "label_values")
    if not labels.exclusive:
        return np.stack([np.isin(raw, values) for values in labels.values]).astype(np.uint8)
    numbers = np.zeros(len(known), dtype=np.uint8)
    for number, values in enumerate(labels.values, start=1):
        numbers[np.searchsorted(known, values)] = number
    classes = np.empty(flat.shape, np.uint8)
    if known[-1] < _CHUNK:
        table = np.zeros(known[-1] + 1, dtype=np.uint8)
        table[known] = numbers
        for chunk in chunks:
            classes[chunk] = table[flat[chunk]]
    else:  # a table up to the largest value would take as many bytes
        for chunk in chunks:
            classes[chunk] = numbers[np.searchsorted(known, flat[chunk])]
    return classes.reshape(raw.shape)


def preprocess(
    image: NDArray[np.float32], native: NDArray[np.uint8] | None, geometry: Geometry, spec: PreprocessingSpec
) -> PreparedCase:
    """Bring arrays from the grid of their file to the grid of the network.

    Args:
        image: float32 [C, *N] on the grid of the file, with raw intensities.
        native: The label on this grid, with the layout of `zoo.types.Native.label`, or None.
        geometry: The geometry of this grid; its `crop` is not read.
        spec: The preprocessing.

    Example:
        >>> geometry = Geometry(affine=None, shape=(8, 6), crop=((0, 8), (0, 6)), spacing=(1.0, 1.0), unit="px")
        >>> prepared = preprocess(np.ones((1, 8, 6), np.float32), None, geometry, PreprocessingSpec(size=(4, 4)))
        >>> prepared.image.shape
        (1, 4, 4)
    """
    prepared = _prepare_image(image, geometry, spec)
    return prepared if native is None else add_label(prepared, native)


def _prepare_image(image: NDArray[np.float32], geometry: Geometry, spec: PreprocessingSpec) -> PreparedCase:
    """Crop, normalise and resample an image; the result has no label yet."""
    crop = _box(image, spec.crop_above)
    inside = tuple(slice(start, stop) for start, stop in crop)
    cropped = image[(slice(None), *inside)]
    size = _network_size(cropped.shape[1:], geometry.spacing, spec)
    return PreparedCase(_resample(_normalise(cropped, spec.window), size), None, replace(geometry, crop=crop))


def add_label(prepared: PreparedCase, native: NDArray[np.uint8]) -> PreparedCase:
    """Add a label to a prepared image, whose array is shared: an image with many queries is prepared once.

    Args:
        prepared: The image, with or without another label.
        native: The label on the grid of the file, with the layout of `zoo.types.Native.label`.

    Example:
        >>> geometry = Geometry(affine=None, shape=(8, 6), crop=((0, 8), (0, 6)), spacing=(1.0, 1.0), unit="px")
        >>> image = preprocess(np.ones((1, 8, 6), np.float32), None, geometry, PreprocessingSpec(size=(4, 4)))
        >>> add_label(image, np.ones((1, 8, 6), np.uint8)).image is image.image
        True
    """
    crop, size = prepared.geometry.crop, prepared.image.shape[1:]
    stacked = native[None] if native.ndim == len(size) else native
    whole = stacked.shape[1:]
    label = _resample_label(np.ascontiguousarray(stacked[(slice(None), *(slice(*part) for part in crop))]), size)
    same_grid = tuple(stop - start for start, stop in crop) == whole == size
    return prepared._replace(label=label, native=None if same_grid else native, foreground=None)


def _box(image: NDArray[np.float32], above: float | None) -> tuple[tuple[int, int], ...]:
    """The smallest box around the voxels above an intensity in any channel; without such a voxel, the full image."""
    full = tuple((0, int(n)) for n in image.shape[1:])
    if above is None:
        return full
    mask = (image > above).any(axis=0)
    if not mask.any():
        return full
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
    for target, channel in zip(normal.reshape(len(image), -1), image, strict=True):
        flat = channel.reshape(-1)
        chunks = [slice(start, start + _DOUBLE) for start in range(0, flat.size, _DOUBLE)]
        mean = flat.mean(dtype=np.float64)
        std = np.sqrt(sum(np.square(flat[chunk] - mean).sum() for chunk in chunks) / flat.size)
        for chunk in chunks:
            target[chunk] = (flat[chunk] - mean) / max(std, 1e-6)
    return normal


def _network_size(shape: tuple[int, ...], spacing: tuple[float, ...], spec: PreprocessingSpec) -> tuple[int, ...]:
    if spec.size is not None:
        return spec.size
    if spec.spacing is None:
        return shape
    steps = zip(shape, spacing, spec.spacing, strict=True)
    return tuple(max(1, round(n * native / network)) for n, native, network in steps)


def _resample(image: NDArray[np.float32], size: tuple[int, ...]) -> NDArray[np.float32]:
    """Resample linearly; voxel centres are half a voxel from the border. 2-D images are smoothed where they shrink."""
    if image.shape[1:] == size:
        return image
    options: dict[str, Any] = {"mode": "bilinear", "antialias": True} if len(size) == 2 else {"mode": "trilinear"}
    return F.interpolate(torch.from_numpy(image)[None], size=size, align_corners=False, **options)[0].numpy()


def _resample_label(label: NDArray[np.uint8], size: tuple[int, ...]) -> NDArray[np.uint8]:
    if label.shape[1:] == size:
        return label
    return F.interpolate(torch.from_numpy(label)[None], size=size, mode="nearest-exact")[0].numpy()
