"""Files in and out: images, labels and predictions, each on its own grid."""

from zoo.io.image import (
    prediction_suffix,
    read_channels,
    read_image,
    read_label,
    to_ras,
    write_prediction,
)

__all__ = [
    "prediction_suffix",
    "read_channels",
    "read_image",
    "read_label",
    "to_ras",
    "write_prediction",
]
