"""Pictures of cases: a plane as radiologists look at it, with the outlines of truth and prediction.

The truth is a solid band, the prediction a thin line of dashes with black between them, so that the two
are told apart without colour and where they run on each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageColor, ImageDraw

from zoo.visualization.outline import class_colours, draw_outlines

_SAMPLE = 10_000  # so many pixels tell the brightness of all
_BLACK = "#000000"
_TRUTH, _PREDICTION = 4, 2  # widths of the lines, in pixels of the picture
_TONES = 64  # of the image under the lines: as good to the eye, and the file shrinks to a third


def to_bytes(image: NDArray[np.float32]) -> NDArray[np.uint8]:
    """[C, H, W] between its first and last hundredth, together over the channels."""
    sample = image.ravel()[:: max(1, image.size // _SAMPLE)]
    low, high = np.percentile(sample, (1, 99))
    scaled = (image - low) / max(float(high - low), 1e-6)
    return np.asarray(np.clip(scaled, 0, 1) * 255, dtype=np.uint8)


def facing(plane: NDArray[Any]) -> NDArray[Any]:
    """A plane [..., A, B] of a volume in RAS order as [..., rows, columns] of a picture.

    An axial plane is seen from the feet and a coronal one from the front, the patient's right on the left;
    a sagittal one has the front on the left. The front, or else the head, is at the top.
    """
    return np.swapaxes(plane, -1, -2)[..., ::-1, ::-1]


def overlay(
    image: NDArray[np.uint8],
    truth: NDArray[np.bool_],
    prediction: NDArray[np.bool_],
    extent: Sequence[float],
    side: int = 320,
) -> Image.Image:
    """A picture with the outlines of all classes.

    Args:
        image: [1 or 3, h, w]; it may be coarser or finer than the masks.
        truth: [K, H, W].
        prediction: [K, H, W].
        extent: Height and width in one unit of length, for the aspect ratio.
        side: Of the picture's longer side, in pixels.
    """
    pixels = side / max(extent)
    height, width = (max(1, round(length * pixels)) for length in extent)
    colours = class_colours(len(truth))
    picture = _tones(image, (width, height), [_BLACK, *(colour for pair in colours for colour in pair)])
    draw = ImageDraw.Draw(picture)
    scale = np.array([width / truth.shape[2], height / truth.shape[1]])
    for number, mask in enumerate(truth):
        draw_outlines(draw, mask, scale, _TONES + 1 + 2 * number, _TRUTH)
    for number, mask in enumerate(prediction):
        draw_outlines(draw, mask, scale, _TONES + 2 + 2 * number, _PREDICTION, gap=_TONES)
    return picture


def _tones(image: NDArray[np.uint8], size: tuple[int, int], colours: Sequence[str]) -> Image.Image:
    """The image with a palette of few tones, and behind them of the colours to draw with."""
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
