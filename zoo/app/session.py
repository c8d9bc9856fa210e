"""What a page of `zoo app` has: the dropped files, the image as it is shown, and a segmentation per panel."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from threading import RLock
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from zoo.app.points import plane_of, probability_at, voxel_at
from zoo.errors import ConfigError, DataError
from zoo.segment.result import Segmentation
from zoo.segment.scan import Scan, read_scan
from zoo.segment.segmenter import Segmenter
from zoo.utils.safe_text import to_file_name
from zoo.visualization.outline import class_colours
from zoo.visualization.overlay import draw_overlay, scale_to_bytes

PANELS = 2
"""Masks that are seen side by side."""

SIDE = 480
"""Pixels of the longer side of a picture."""

_SERIES = ".dcm"


class Session:
    """The state of a page. Its functions may be called by several threads.

    Args:
        segmenters: The models by the name of their run.
        folder: An empty folder for dropped files, which belongs to the session.
    """

    def __init__(self, segmenters: Mapping[str, Segmenter], folder: Path) -> None:
        self.segmenters, self.folder = dict(segmenters), folder
        self._lock = RLock()
        self._scan: Scan | None = None
        self._image: NDArray[np.uint8] = np.zeros((1, 0, 0), np.uint8)
        self._spacing: tuple[float, ...] = ()
        self._found: dict[int, Segmentation] = {}

    def describe(self) -> list[dict[str, Any]]:
        """Describe each model for the page: its text, its classes with their sentences and colours."""
        return [self._describe(name, one) for name, one in self.segmenters.items()]

    def _describe(self, name: str, segmenter: Segmenter) -> dict[str, Any]:
        facts = segmenter.model.facts
        colours = [pair[1] for pair in class_colours(len(facts.labels.names))]
        text = "none" if not segmenter.reads_text else "report" if segmenter.reads_reports else "class"
        prompts = {prompt.name: prompt.sentence for prompt in facts.prompts}
        classes = [
            {"name": one, "colour": colour, "sentence": prompts.get(one, "")}
            for one, colour in zip(facts.labels.names, colours, strict=True)
        ]
        kinds = [*segmenter.images.preprocessing]
        return {"name": name, "text": text, "classes": classes, "kinds": kinds, "dims": facts.spatial_dims}

    def begin(self) -> None:
        """Forget the last image, and remove its files."""
        with self._lock:
            self._scan, self._found = None, {}
            for path in self.folder.iterdir():
                shutil.rmtree(path) if path.is_dir() else path.unlink()

    def place_for(self, name: str) -> Path:
        """Return where a dropped file goes: into the folder of the session, whatever its name.

        Raises:
            DataError: The name is no name of a file, or a file with this name was dropped just now.
        """
        stem, dot, suffixes = name.replace("\\", "/").rpartition("/")[2].partition(".")
        safe = "".join([to_file_name(stem) or "image", dot, *(c for c in suffixes if c.isalnum() or c in "._-")])
        place = self.folder / safe
        if place.exists():
            raise DataError(f"Two dropped files have the name {safe}.", "Drop files with names of their own.")
        return place

    def open(self) -> dict[str, Any]:
        """Read the dropped files as one image: a file, the DICOM files of a series, or one file per channel.

        Returns:
            The sizes of the image along its axes.

        Raises:
            DataError: The files are no image, or not one for the first model.
        """
        with self._lock:
            files = sorted(path for path in self.folder.iterdir() if path.is_file())
            first = next(iter(self.segmenters.values())).model.facts
            if files and all(path.suffix.lower() == _SERIES for path in files):
                scan: Scan = self.folder
            else:
                scan = files[0] if len(files) == 1 else files
            array, geometry = read_scan(scan, first.in_channels, first.spatial_dims)
            shown = array if len(array) in (1, 3) else array[:1]
            self._scan, self._image, self._spacing = scan, scale_to_bytes(shown), geometry.spacing
            return {"sizes": list(array.shape[1:]), "files": [path.name for path in files]}

    def segment(self, panel: int, run: str, text: str | Mapping[str, str] | None, kind: str) -> dict[str, Any]:
        """Segment the image for a panel.

        Returns:
            Sizes of the classes, the text that was read, and warnings.

        Raises:
            ConfigError: There is no such model.
            DataError: There is no image yet, or it is not one for this model.
            TextError: The text is not of the kind of the training.
        """
        with self._lock:
            if self._scan is None:
                raise DataError("There is no image yet.", "Drop one onto the page.")
            if run not in self.segmenters or panel not in range(PANELS):
                raise ConfigError(f"There is no model '{run}'.", "Choose one of the list.")
            found = self.segmenters[run](self._scan, text, kind=kind)
            self._found[panel] = found
            read = found.text.reports or tuple(prompt.sentence for prompt in found.text.classes)
            return {
                "volumes": found.volumes(),
                "unit": "ml" if found.geometry.unit == "mm" else "px",
                "text": list(read) if found.track != "none" else [],
                "track": found.track,
                "warnings": list(found.warnings),
            }

    def draw(self, panel: int, axis: int, place: int) -> Image.Image:
        """Draw a plane of the image, with the outlines of the panel's classes."""
        with self._lock:
            image, found = self._image, self._found.get(panel)
            masks = np.zeros((0, *image.shape[1:]), bool) if found is None else found.masks()
            plane, outlines = plane_of(image, axis, place), plane_of(masks, axis, place)
            steps = _steps(self._spacing, axis)
        extent = [size * step for size, step in zip(plane.shape[1:], steps, strict=True)]
        empty: NDArray[np.bool_] = np.zeros_like(outlines)
        return draw_overlay(np.ascontiguousarray(plane), empty, np.ascontiguousarray(outlines), extent, SIDE)

    def probability(self, panel: int, axis: int, place: int, across: float, down: float) -> dict[str, float]:
        """Return the probability of each class at a point of a picture, whose shares of width and height are given."""
        with self._lock:
            found = self._found.get(panel)
            if found is None:
                return {}
            return probability_at(found, voxel_at(self._image.shape[1:], axis, place, across, down))


def _steps(spacing: Sequence[float], axis: int) -> tuple[float, float]:
    """Return the sizes of a pixel of a plane, down and across."""
    if len(spacing) == 2:
        return spacing[0], spacing[1]
    kept = [step for place, step in enumerate(spacing) if place != axis]
    return kept[1], kept[0]
