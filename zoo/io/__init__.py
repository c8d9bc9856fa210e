"""Readers and writers of one image, label or prediction, each on the grid of its file; loaded at first use."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zoo.utils.lazy import lazy_exports

if TYPE_CHECKING:
    from zoo.io.image import prediction_suffix as prediction_suffix
    from zoo.io.image import read_channels as read_channels
    from zoo.io.image import read_image as read_image
    from zoo.io.image import read_label as read_label
    from zoo.io.image import to_ras as to_ras
    from zoo.io.image import write_prediction as write_prediction

__all__ = [
    "prediction_suffix",
    "read_channels",
    "read_image",
    "read_label",
    "to_ras",
    "write_prediction",
]

__getattr__, __dir__ = lazy_exports(__name__, dict.fromkeys(__all__, "zoo.io.image"))
