"""The segmentation of one new image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

import zoo
from zoo.io.dicom import DICOM
from zoo.io.image import prediction_suffix, to_file_axes, write_prediction
from zoo.preprocessing.undo import INTERPOLATION, ras_shape
from zoo.segment.dicom_seg import SOFTWARE, Algorithm, write_dicom_seg
from zoo.types import Geometry, LabelSpace, Prediction, Text


@dataclass(frozen=True)
class Segmentation:
    """The segmentation of one image, on the grid of its file.

    Attributes:
        mask: uint8 [*N] with the axes of the file: 0..K where classes exclude each other, 0 and 1 for one class. For
            overlapping classes [K, *N] of 0 and 1.
        labels: The names of the K classes.
        text: The text that the network read.
        track: Where the text of the training came from, one of `zoo.types.TRACKS`; "none" if the network reads none.
        warnings: What the user should know of this image, one sentence each.
        prediction: The mask in RAS order, for `write_prediction`.
        image: float32 [C, *S], what the network saw.
        logits: float32 [K, *S], or [1 + K, *S] where classes exclude each other, on the grid of the network.
        network: The name of the network.
        weights: SHA-256 of each checkpoint.
        classes: The classes that were asked for, in label order; empty for all of them.

    Example:
        >>> labels = LabelSpace(("lesion",), ((1,),), exclusive=False)
        >>> geometry = Geometry(None, (4, 4), ((0, 4), (0, 4)), (1.0, 1.0), "px")
        >>> mask = np.eye(4, dtype=np.uint8)
        >>> prediction = Prediction("a", mask[None], geometry)
        >>> image, logits = np.zeros((1, 4, 4), np.float32), torch.zeros(1, 4, 4)
        >>> found = Segmentation(mask, labels, Text(()), "none", (), prediction, image, logits)
        >>> found.volumes(), float(found.probabilities().max())
        ({'lesion': 4.0}, 0.5)
    """

    mask: NDArray[np.uint8]
    labels: LabelSpace
    text: Text
    track: str
    warnings: tuple[str, ...]
    prediction: Prediction = field(repr=False)
    image: NDArray[np.float32] = field(repr=False)
    logits: Tensor = field(repr=False)
    network: str = ""
    weights: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()

    @property
    def asked(self) -> tuple[str, ...]:
        """The classes that were asked for, in label order."""
        return self.classes or self.labels.names

    @property
    def geometry(self) -> Geometry:
        """How the grid of the network lies in the file."""
        return self.prediction.geometry

    def volumes(self) -> dict[str, float]:
        """Compute the size of each class: millilitres where voxels have a size in mm, else pixels."""
        voxel = float(np.prod(self.geometry.spacing)) / 1000 if self.geometry.unit == "mm" else 1.0
        return {name: voxels * voxel for name, voxels in self.voxels().items()}

    def voxels(self) -> dict[str, int]:
        """Count the voxels of each class."""
        return {name: int(np.count_nonzero(self._mask_of(name, self.mask))) for name in self.asked}

    def box(self, name: str) -> list[tuple[int, int]] | None:
        """Compute the box around a class: (start, stop) per axis of the file; None where the class is absent."""
        mask = self._mask_of(name, self.mask)
        if not mask.any():
            return None
        hits = [np.flatnonzero(mask.any(axis=tuple({*range(mask.ndim)} - {axis}))) for axis in range(mask.ndim)]
        return [(int(hit[0]), int(hit[-1]) + 1) for hit in hits]

    def masks(self) -> NDArray[np.bool_]:
        """Return one mask per class, bool [K, *N], in RAS order."""
        mask = self.prediction.mask
        return np.stack([self._mask_of(name, mask) for name in self.labels.names])

    def _mask_of(self, name: str, mask: NDArray[np.uint8]) -> NDArray[np.bool_]:
        place = self.labels.names.index(name)
        if self.labels.exclusive:
            return np.asarray(mask == place + 1)
        stacked = mask if mask.ndim > len(self.geometry.shape) else mask[None]
        return np.asarray(stacked[place] > 0)

    def probabilities(self, name: str | None = None) -> NDArray[np.float32]:
        """Compute the probability of a class on the grid of the file.

        The logits are resampled before the softmax or sigmoid, as for `mask`. Outside of the crop the probability is 0.

        Args:
            name: The class; by default the only one.

        Returns:
            float32 [*N] with the axes of the file.

        Raises:
            ValueError: There is no such class, or several and none was named.
        """
        names = self.labels.names
        if name is None and len(names) == 1:
            name = names[0]
        if name not in names:
            raise ValueError(f"'{name}' is not one of the classes {', '.join(names)}")
        crop = self.geometry.crop
        size = [stop - start for start, stop in crop]
        grid = F.interpolate(self.logits[None].float(), size=size, mode=INTERPOLATION[len(size)], align_corners=False)
        place = names.index(name) + self.labels.exclusive
        inner = (torch.softmax(grid[0], 0) if self.labels.exclusive else torch.sigmoid(grid[0]))[place]
        whole = np.zeros(ras_shape(self.geometry), np.float32)
        whole[tuple(slice(start, stop) for start, stop in crop)] = inner.cpu().numpy()
        return to_file_axes(whole, self.geometry, Path(name))

    def save(self, path: str | Path) -> tuple[Path, ...]:
        """Write the mask with the axes and the affine of the image: NIfTI, PNG for a picture, or DICOM SEG.

        Args:
            path: The file. Without a suffix it gets that of its format. With the suffix `.dcm` the mask of a DICOM
                series is written as DICOM SEG.

        Returns:
            The written files; see `zoo.io.image.write_prediction`.

        Raises:
            DataError: The image has no form for this suffix; see `zoo.segment.dicom_seg.write_dicom_seg`.
            RunError: The folder cannot be written.
        """
        file = Path(path).expanduser()
        if not file.suffix:
            file = file.with_name(f"{file.name}{prediction_suffix(self.geometry)}")
        if file.suffix.lower() == DICOM:
            return write_dicom_seg(file, self.prediction, self.labels, self._texts(), self._algorithm())
        return write_prediction(file, self.prediction)

    def _texts(self) -> tuple[str, ...]:
        """The text of each class, or that of the image; none where the network reads none."""
        if self.track == "none":
            return ()
        return self.text.reports or tuple(prompt.sentence for prompt in self.text.classes)

    def _algorithm(self) -> Algorithm:
        known = {"text_track": self.track, "weights": " ".join(self.weights)}
        return Algorithm(self.network or SOFTWARE, zoo.__version__, {key: word for key, word in known.items() if word})


def keep_classes(mask: NDArray[np.uint8], labels: LabelSpace, names: Sequence[str]) -> NDArray[np.uint8]:
    """Keep some classes of a mask; the others become background. The numbers of the classes stay.

    Args:
        mask: uint8 [*N] of 0..K where classes exclude each other, else [K, *N] of 0 and 1.
        labels: The K classes.
        names: The classes to keep.

    Example:
        >>> labels = LabelSpace(("liver", "spleen"), ((1,), (2,)), exclusive=True)
        >>> keep_classes(np.array([0, 1, 2], np.uint8), labels, ["spleen"]).tolist()
        [0, 0, 2]
    """
    kept = np.array([name in names for name in labels.names])
    if kept.all():
        return mask
    if labels.exclusive:
        numbers = np.array([0, *(np.arange(1, len(kept) + 1) * kept)], np.uint8)
        return numbers[mask]
    return mask * kept.astype(np.uint8).reshape(-1, *[1] * (mask.ndim - 1))
