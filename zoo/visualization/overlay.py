"""Pictures of cases: a plane in radiological orientation, with the outlines of truth and prediction.

The truth is a solid band, the prediction a thin dashed line with black gaps. Therefore both can be distinguished
without colour, also where one is on the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageColor, ImageDraw

from zoo.visualization.outline import class_colours, draw_outlines

_SAMPLE = 10_000  # number of pixels from which the range of brightness is estimated
_BLACK = "#000000"
_TRUTH, _PREDICTION = 4, 2  # widths of the lines, in pixels of the picture
_TONES = 64  # number of tones of the image: the difference is not visible, and the file has a third of the size


def scale_to_bytes(image: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Scale [C, H, W] to 8 bits; the values between the 1st and the 99th percentile of all channels span the range."""
    sample = image.ravel()[:: max(1, image.size // _SAMPLE)]
    low, high = np.percentile(sample, (1, 99))
    scaled = (image - low) / max(float(high - low), 1e-6)
    return np.asarray(np.clip(scaled, 0, 1) * 255, dtype=np.uint8)


def turn_to_viewer(plane: NDArray[Any]) -> NDArray[Any]:
    """Turn a plane [..., A, B] of a volume in RAS order into the rows and columns of a picture.

    An axial plane is seen from the feet, a coronal plane from the front; in both, the right of the patient is on the
    left. In a sagittal plane, the front is on the left. The top is the front in an axial plane, else the head.
    """
    return np.swapaxes(plane, -1, -2)[..., ::-1, ::-1]


def draw_overlay(
    image: NDArray[np.uint8],
    truth: NDArray[np.bool_],
    prediction: NDArray[np.bool_],
    extent: Sequence[float],
    side: int = 320,
) -> Image.Image:
    """Draw an image with the outlines of all classes.

    Args:
        image: [1 or 3, h, w]; its resolution may differ from that of the masks.
        truth: [K, H, W], the mask of each class.
        prediction: [K, H, W], the mask of each class.
        extent: Height and width in one unit of length, for the aspect ratio.
        side: Length of the longer side of the picture, in pixels.
    """
    pixels = side / max(extent)
    height, width = (max(1, round(length * pixels)) for length in extent)
    colours = class_colours(len(truth))
    # many classes share a colour, and a palette has 256 entries
    lines = list(dict.fromkeys([_BLACK, *(colour for pair in colours for colour in pair)]))
    entries = {colour: _TONES + place for place, colour in enumerate(lines)}
    picture = _tones(image, (width, height), lines)
    draw = ImageDraw.Draw(picture)
    scale = np.array([width / truth.shape[2], height / truth.shape[1]])
    for mask, (colour, _) in zip(truth, colours, strict=True):
        draw_outlines(draw, mask, scale, entries[colour], _TRUTH)
    for mask, (_, colour) in zip(prediction, colours, strict=True):
        draw_outlines(draw, mask, scale, entries[colour], _PREDICTION, gap=entries[_BLACK])
    return picture


def _tones(image: NDArray[np.uint8], size: tuple[int, int], colours: Sequence[str]) -> Image.Image:
    """The image with a palette: first its tones, then the colours of the lines."""
    if len(image) == 1:
        resized = Image.fromarray(np.ascontiguousarray(image[0])).resize(size, Image.Resampling.BILINEAR)
        picture = Image.fromarray(np.asarray(resized) // np.uint8(256 // _TONES))
        tones = [tone * 255 // (_TONES - 1) for tone in range(_TONES) for _ in range(3)]
    else:
        resized = Image.fromarray(np.ascontiguousarray(np.moveaxis(image, 0, -1)))
        resized = resized.resize(size, Image.Resampling.BILINEAR)
        picture = resized.quantize(_TONES, dither=Image.Dither.NONE)
        tones = (picture.getpalette() or [])[: 3 * _TONES]
        tones += [0] * (3 * _TONES - len(tones))
    picture.putpalette(tones + [part for colour in colours for part in ImageColor.getrgb(colour)[:3]])
    return picture
