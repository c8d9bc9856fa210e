"""Pictures of cases: a plane as radiologists look at it, with the outlines of truth and prediction.

The truth is a solid band, the prediction a thin line of dashes with black between them, so that the two
are told apart without colour and where they run on each other.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageColor, ImageDraw

COLOURS = ("#56B4E9", "#E69F00", "#009E73", "#F0E442", "#CC79A7", "#D55E00", "#0072B2")
"""Okabe and Ito's, which stay apart for the colour-blind, without black; the next seven classes have lighter tints."""

_SAMPLE = 10_000  # so many pixels tell the brightness of all
_BLACK = "#000000"
_TRUTH, _PREDICTION, _DASH = 4, 2, 8  # widths and the period of the dashes, in pixels of the picture
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


def class_colours(classes: int) -> list[tuple[str, str]]:
    """(truth, prediction) of each class; a single class has two colours, else both bear the colour of their class."""
    if classes == 1:
        return [(COLOURS[0], COLOURS[1])]
    return [(_colour(number), _colour(number)) for number in range(classes)]


def _colour(number: int) -> str:
    turn, place = divmod(number, len(COLOURS))
    parts = ImageColor.getrgb(COLOURS[place])[:3]
    return COLOURS[place] if turn % 2 == 0 else "#" + "".join(f"{(part + 255) // 2:02X}" for part in parts)


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
    scale = side / max(extent)
    height, width = (max(1, round(length * scale)) for length in extent)
    colours = class_colours(len(truth))
    picture = _tones(image, (width, height), [_BLACK, *(colour for pair in colours for colour in pair)])
    draw = ImageDraw.Draw(picture)
    step = np.array([width / truth.shape[2], height / truth.shape[1]])
    for number, mask in enumerate(truth):
        for loop in outlines(mask):
            _line(draw, loop * step, _TONES + 1 + 2 * number, _TRUTH)
    for number, mask in enumerate(prediction):
        for loop in outlines(mask):
            _line(draw, loop * step, _TONES, _PREDICTION)
            for dash in dashes(loop * step, _DASH):
                _line(draw, dash, _TONES + 2 + 2 * number, _PREDICTION)
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


def outlines(mask: NDArray[np.bool_]) -> list[NDArray[np.float64]]:
    """The closed lines around the pixels of a mask [H, W], along their edges, as corners (x, y) from (0, 0).

    Each line holds its first corner again at the end. A hole has a line of its own.
    """
    inside = np.pad(np.asarray(mask, bool), 1)
    here = inside[1:-1, 1:-1]
    # of each outer edge the corner where it begins and the one where it ends, (row, column), the mask on its right
    sides = (
        (inside[:-2, 1:-1], (0, 0), (0, 1)),
        (inside[1:-1, 2:], (0, 1), (1, 1)),
        (inside[2:, 1:-1], (1, 1), (1, 0)),
        (inside[1:-1, :-2], (1, 0), (0, 0)),
    )
    follows: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for beyond, first, last in sides:
        for row, column in np.argwhere(here & ~beyond).tolist():
            follows.setdefault((row + first[0], column + first[1]), []).append((row + last[0], column + last[1]))
    lines = []
    while follows:
        start = corner = next(iter(follows))
        line = [start]
        while not (corner == start and len(line) > 1):
            ends = follows[corner]
            following = ends.pop()  # where two pixels touch at a corner alone, either way closes the line
            if not ends:
                del follows[corner]
            corner = following
            line.append(corner)
        lines.append(np.array(line, dtype=np.float64)[:, ::-1])
    return lines


def dashes(line: NDArray[np.float64], period: float) -> Iterator[NDArray[np.float64]]:
    """Every other half period along a line of corners [N, 2]."""
    along = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(line, axis=0).T))])
    for start in np.arange(0.0, along[-1], period):
        stop = min(start + period / 2, along[-1])
        places = np.concatenate([[start], along[(along > start) & (along < stop)], [stop]])
        yield np.stack([np.interp(places, along, line[:, axis]) for axis in (0, 1)], axis=1)


def _line(draw: ImageDraw.ImageDraw, corners: NDArray[np.float64], colour: int, width: int) -> None:
    draw.line([(x, y) for x, y in corners.tolist()], colour, width)
