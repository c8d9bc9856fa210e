"""Outlines of masks, drawn along the edges of the pixels, and the colours of the classes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from PIL import ImageColor, ImageDraw

COLOURS = ("#56B4E9", "#E69F00", "#009E73", "#F0E442", "#CC79A7", "#D55E00", "#0072B2")
"""Okabe and Ito's palette without black: colour-blind readers tell its colours apart. Further classes get lighter
tints."""

_DASH = 8  # period of the dashes, in pixels of the picture

Colour = str | int
"""The text of a colour, or its index in the palette of a picture."""


def class_colours(classes: int) -> list[tuple[str, str]]:
    """Return the colours (truth, prediction) of each class. They only differ if there is a single class."""
    if classes == 1:
        return [(COLOURS[0], COLOURS[1])]
    return [(_colour(number), _colour(number)) for number in range(classes)]


def _colour(number: int) -> str:
    turn, place = divmod(number, len(COLOURS))
    parts = ImageColor.getrgb(COLOURS[place])[:3]
    return COLOURS[place] if turn % 2 == 0 else "#" + "".join(f"{(part + 255) // 2:02X}" for part in parts)


def draw_outlines(
    draw: ImageDraw.ImageDraw,
    mask: NDArray[np.bool_],
    scale: NDArray[np.float64],
    colour: Colour,
    width: int,
    gap: Colour | None = None,
) -> None:
    """Draw the outlines of a mask into a picture.

    Args:
        draw: The picture.
        mask: [H, W].
        scale: Pixels of the picture per pixel of the mask, (x, y).
        colour: Colour of the lines.
        width: Width of the lines, in pixels of the picture.
        gap: Colour between the dashes of a dashed line. None: the line is solid.
    """
    for line in trace_outlines(mask):
        corners = line * scale
        _draw_line(draw, corners, colour if gap is None else gap, width)
        if gap is not None:
            for dash in split_into_dashes(corners, _DASH):
                _draw_line(draw, dash, colour, width)


def trace_outlines(mask: NDArray[np.bool_]) -> list[NDArray[np.float64]]:
    """Trace the closed lines around the pixels of a mask [H, W], along the pixel edges.

    Returns:
        One line per region or hole, as corners (x, y) from (0, 0); the first corner is repeated at the end.
    """
    inside = np.pad(np.asarray(mask, bool), 1)
    here = inside[1:-1, 1:-1]
    # for each outer edge: its first and last corner (row, column), with the mask on the right of the edge
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
            following = ends.pop()  # where two pixels only touch at a corner, both ways close the line
            if not ends:
                del follows[corner]
            corner = following
            line.append(corner)
        lines.append(np.array(line, dtype=np.float64)[:, ::-1])
    return lines


def split_into_dashes(line: NDArray[np.float64], period: float) -> Iterator[NDArray[np.float64]]:
    """Yield the dashes of a line of corners [N, 2]: every other half period."""
    along = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(line, axis=0).T))])
    for start in np.arange(0.0, along[-1], period):
        stop = min(start + period / 2, along[-1])
        places = np.concatenate([[start], along[(along > start) & (along < stop)], [stop]])
        yield np.stack([np.interp(places, along, line[:, axis]) for axis in (0, 1)], axis=1)


def _draw_line(draw: ImageDraw.ImageDraw, corners: NDArray[np.float64], colour: Colour, width: int) -> None:
    draw.line([(x, y) for x, y in corners.tolist()], colour, width)
