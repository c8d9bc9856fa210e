"""A contact sheet of a data set: each case's image, the outline of its mask, and its text."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from datamodules.index.splits import SPLITS
from zoo.preprocessing.apply import PreparedCase
from zoo.types import Case
from zoo.utils.atomic_files import write_atomically
from zoo.visualization.outline import class_colours, draw_outlines
from zoo.visualization.overlay import scale_to_bytes, turn_to_viewer

if TYPE_CHECKING:
    from datamodules.bases.base import SegDataModule

TILE = 256
"""Width and largest height of an image on the sheet, in pixels."""

LINE = 2
"""Width of an outline, in pixels."""

_BACK, _INK, _GAP, _LINE, _WRAP = "#181818", "#EBEBEB", 8, 15, 40


def write_contact_sheet(
    data: SegDataModule,
    path: Path,
    count: int = 12,
    progress: Callable[[Iterable[Case]], Iterable[Case]] = iter,
) -> list[str]:
    """Write a contact sheet as a PNG file, completely or not at all.

    Of a volume, the sheet shows the middle one of the axial slices with a label, seen from the feet: the right of the
    patient is on the left, the front at the top. Images are shown on the grid of the network.

    Args:
        data: The data set; the shown cases are prepared if needed.
        path: The file to write.
        count: Number of cases, evenly spread over train, val and test.
        progress: Wraps the cases while they are read, for a progress bar.

    Returns:
        The names of the shown cases.

    Raises:
        DataError: A file of a case is faulty.
        RunError: The file cannot be written.
    """
    cases = [(case, split) for split in SPLITS for case in data.index.cases_of(split)]
    chosen = [cases[i] for i in np.linspace(0, len(cases) - 1, min(max(count, 1), len(cases))).astype(int)]
    split_of = {case.key: split for case, split in chosen}
    tiles = []
    for case in progress([case for case, _ in chosen]):
        picture, present = _picture(data, data.prepared(case))
        text = case.report if case.report is not None else ", ".join(present) or "no class on this slice"
        tiles.append(_tile(picture, f"{case.key} ({split_of[case.key]})", text))
    sheet = _sheet(tiles, data)
    write_atomically(path, lambda temporary: sheet.save(temporary, format="PNG"))
    return [str(case.key) for case, _ in chosen]


def _picture(data: SegDataModule, prepared: PreparedCase) -> tuple[Image.Image, list[str]]:
    """Draw a case with its outlines; also return the names of the classes in the picture."""
    image, label = np.asarray(prepared.image), prepared.label
    names, exclusive = data.labels.names, data.labels.exclusive
    masks = np.zeros((len(names), *image.shape[1:]), bool)
    if label is not None:
        masks = np.stack([label[0] == k + 1 if exclusive else label[k] == 1 for k in range(len(names))])
    geometry = prepared.geometry
    sizes = zip(geometry.crop, geometry.spacing, image.shape[1:], strict=True)
    spacing = [(stop - start) * step / n for (start, stop), step, n in sizes]
    if image.ndim == 4:
        level = np.flatnonzero(masks.any(axis=(0, 1, 2)))
        middle = int(level[len(level) // 2]) if len(level) else image.shape[-1] // 2
        image, masks = turn_to_viewer(image[..., middle]), turn_to_viewer(masks[..., middle])
        spacing = [spacing[1], spacing[0]]
    gray = scale_to_bytes(image if image.shape[0] == 3 else image[:1])
    colours = np.repeat(gray, 3, axis=0) if len(gray) == 1 else gray
    height, width = (n * step for n, step in zip(image.shape[1:], spacing, strict=True))
    scale = TILE / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    picture = Image.fromarray(np.moveaxis(colours, 0, -1).copy()).resize(size, Image.Resampling.BILINEAR)
    draw = ImageDraw.Draw(picture)
    step = np.array([size[0] / masks.shape[2], size[1] / masks.shape[1]])
    for mask, (colour, _) in zip(masks, class_colours(len(names)), strict=True):
        draw_outlines(draw, mask, step, colour, LINE)
    return picture, [name for name, mask in zip(names, masks, strict=True) if mask.any()]


def _tile(picture: Image.Image, title: str, text: str) -> Image.Image:
    """Put title and text under a picture; the tile is as high as they need."""
    lines = [*textwrap.wrap(title, _WRAP), *(textwrap.wrap(text, _WRAP) or ["(empty text)"])]
    tile = Image.new("RGB", (TILE, TILE + _GAP + _LINE * len(lines)), _BACK)
    tile.paste(picture, ((TILE - picture.width) // 2, (TILE - picture.height) // 2))
    draw = ImageDraw.Draw(tile)
    for number, line in enumerate(lines):
        _write_text(draw, (0, TILE + _GAP + _LINE * number), line, _INK)
    return tile


def _sheet(tiles: Sequence[Image.Image], data: SegDataModule) -> Image.Image:
    """Arrange the tiles in rows, under a line with the name of the data set and a legend of the classes."""
    columns = min(4, len(tiles))
    rows = [tiles[first : first + columns] for first in range(0, len(tiles), columns)]
    heights = [max(tile.height for tile in row) for row in rows]
    width = columns * (TILE + _GAP) + _GAP
    legend = _legend(data.labels.names, width)
    top = _GAP + _LINE * (2 + legend[-1][1]) + _GAP
    sheet = Image.new("RGB", (width, top + sum(heights) + _GAP * len(rows)), _BACK)
    draw = ImageDraw.Draw(sheet)
    _write_text(draw, (_GAP, _GAP), f"{data.name}, protocol {data.protocol}, text track: {data.card.track}", _INK)
    names = data.labels.names
    for name, (colour, _), (left, line) in zip(names, class_colours(len(names)), legend, strict=True):
        _write_text(draw, (left, _GAP + _LINE * (1 + line)), name, colour)
    for row, height in zip(rows, heights, strict=True):
        for column, tile in enumerate(row):
            sheet.paste(tile, (_GAP + column * (TILE + _GAP), top))
        top += height + _GAP
    return sheet


def _legend(names: Sequence[str], width: int) -> list[tuple[int, int]]:
    """Per class name, its first pixel and its line in the legend."""
    places, left, line = [], _GAP, 0
    for name in names:
        needed = round(_font().getlength(name)) + 2 * _GAP
        if left > _GAP and left + needed > width:
            left, line = _GAP, line + 1
        places.append((left, line))
        left += needed
    return places


def _font() -> Any:
    return ImageFont.load_default(12)


def _write_text(draw: ImageDraw.ImageDraw, place: tuple[int, int], text: str, colour: str) -> None:
    try:
        draw.text(place, text, colour, font=_font())
    except UnicodeEncodeError:  # Pillow without FreeType has only Latin letters
        draw.text(place, text.encode("latin-1", "replace").decode("latin-1"), colour, font=_font())
