"""Logits and masks of whole images, by a sliding window where an image exceeds the patch."""

from zoo.inference.mirrors import average_mirrored as average_mirrored
from zoo.inference.mirrors import list_mirrors as list_mirrors
from zoo.inference.whole_images import predict_logits as predict_logits
from zoo.inference.whole_images import predict_masks as predict_masks
from zoo.inference.windows import WindowOptions as WindowOptions
from zoo.inference.windows import WindowPlan as WindowPlan
from zoo.inference.windows import middle_of as middle_of

__all__ = [
    "WindowOptions",
    "WindowPlan",
    "average_mirrored",
    "list_mirrors",
    "middle_of",
    "predict_logits",
    "predict_masks",
]
