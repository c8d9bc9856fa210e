"""Segments many images, one after the other: a broken image is reported, and the others are segmented."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from zoo.errors import DataError, to_one_line
from zoo.io.dicom import DICOM, list_slices
from zoo.segment.dicom_seg import read_headers
from zoo.segment.inputs import ScanFile
from zoo.segment.record import AskedText, Record
from zoo.segment.result import Segmentation
from zoo.segment.segmenter import Segmenter
from zoo.utils.atomic_files import write_atomically
from zoo.utils.format import format_duration
from zoo.utils.safe_text import to_file_name
from zoo.visualization.overlay import draw_overlay, scale_to_bytes, turn_to_viewer


@dataclass(frozen=True, slots=True)
class Outputs:
    """What is written beside the masks.

    Attributes:
        probabilities: One file per class with its probability: NIfTI, or TIFF for a picture.
        overlay: A PNG with the outlines of the classes; of a volume, the slice with most of them.
    """

    probabilities: bool = False
    overlay: bool = False


def segment_all(
    segmenter: Segmenter,
    scans: Sequence[ScanFile],
    texts: Sequence[AskedText],
    record: Record,
    outputs: Outputs = Outputs(),
    kind: str = "",
    say: Callable[[str], None] = print,
    classes: Sequence[str] | None = None,
) -> list[str]:
    """Segment images that are not done yet.

    Args:
        segmenter: The model.
        scans: The images.
        texts: One text per image; see `Segmenter`.
        record: What is done.
        outputs: What is written beside the masks.
        kind: See `Segmenter`.
        say: Prints a line.
        classes: See `Segmenter`.

    Returns:
        The errors, one line per image that could not be read, or whose mask has no file of its form.

    Raises:
        TextError: A text is not of the kind of the training, whatever the image.
    """
    open_ones = [(scan, text) for scan, text in zip(scans, texts, strict=True) if not record.is_done(scan, text)]
    if len(open_ones) < len(scans):
        say(f"{len(scans) - len(open_ones)} of {len(scans)} images are done already")
    errors, begun = [], time.monotonic()
    for number, (scan, text) in enumerate(open_ones, start=1):
        try:
            if scan.suffix == DICOM:
                read_headers(list_slices(scan.path)[0])  # before the network computes for minutes
            found = segmenter(scan.path, text, kind=kind, classes=classes)
            files = _write(record.folder, scan, found, outputs)
        except DataError as error:
            errors.append(to_one_line(error))
            say(f"[{number}/{len(open_ones)}] {errors[-1]}")
            continue
        record.add(scan, text, found, files)
        left = (time.monotonic() - begun) / number * (len(open_ones) - number)
        warnings = "".join(f" {warning}" for warning in found.warnings)
        say(f"[{number}/{len(open_ones)}] {files[0]}, {format_duration(left)} to go.{warnings}")
    return errors


def _write(folder: Path, scan: ScanFile, found: Segmentation, outputs: Outputs) -> list[Path]:
    files = list(found.save(folder / f"{scan.name}{scan.suffix}"))
    if outputs.probabilities:
        files += [_write_probability(folder / scan.name, name, found) for name in found.asked]
    if outputs.overlay:
        path = folder / f"{scan.name}-overlay.png"
        write_atomically(path, draw(found).save)
        files.append(path)
    return files


def _write_probability(stem: Path, name: str, found: Segmentation) -> Path:
    values = found.probabilities(name)
    path = stem.with_name(f"{stem.name}-probability-{to_file_name(name)}")
    if found.geometry.affine is None:
        path = path.with_name(f"{path.name}.tiff")
        write_atomically(path, Image.fromarray(values).save)
    else:
        path = path.with_name(f"{path.name}.nii.gz")
        image = nib.Nifti1Image(values, np.array(found.geometry.affine))
        write_atomically(path, lambda temporary: nib.save(image, temporary))
    return path


def draw(found: Segmentation) -> Image.Image:
    """Draw the outlines of all classes on the prepared image; of a volume on the axial slice with most of them."""
    masks = found.masks()
    image, extent = found.image, found.geometry.spacing
    inside = tuple(slice(start, stop) for start, stop in found.geometry.crop)
    masks = masks[(slice(None), *inside)]
    if masks.ndim == 4:
        place = int(masks.any(axis=0).sum(axis=(0, 1)).argmax())
        seen = min(image.shape[3] - 1, place * image.shape[3] // masks.shape[3])
        masks, image = turn_to_viewer(masks[..., place]), turn_to_viewer(image[..., seen])
        extent = (extent[1], extent[0])
    lengths = [size * step for size, step in zip(masks.shape[1:], extent, strict=True)]
    shown = image if len(image) in (1, 3) else image[:1]
    empty: NDArray[np.bool_] = np.zeros_like(masks)
    return draw_overlay(scale_to_bytes(np.ascontiguousarray(shown)), masks, empty, lengths)
