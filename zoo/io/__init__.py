"""Files in and out: images, labels and predictions, each on its own grid."""

from zoo.io.image import prediction_suffix, read_image, read_label, write_prediction

__all__ = ["prediction_suffix", "read_image", "read_label", "write_prediction"]
