"""Tables that name regions of a label map, with several texts per region: one row per text."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from zoo.errors import DataError
from zoo.io.tables import read_numbered_rows

COLUMNS = ("Image", "Mask", "Mask_ID", "Question")
_FIX = "Get the table of the release, unchanged."


@dataclass(frozen=True, slots=True)
class Region:
    """A region of a label map.

    Attributes:
        case: Folder of the image and the label map, which names the case.
        image: File name of the image in this folder.
        mask: File name of the label map in this folder.
        value: Value of the region in the label map.
        questions: The distinct texts that ask for the region: those of `Question_Type` 0 first, else as in the table.
    """

    case: str
    image: str
    mask: str
    value: int
    questions: tuple[str, ...]


def read_regions(paths: Iterable[Path]) -> list[Region]:
    """Read the regions of tables, in the order in which they first occur. Rows of one region are joined.

    Args:
        paths: CSV files with the columns `Image` and `Mask` (`s0000/ct.nii.gz`), `Mask_ID`, `Question`, and possibly
            `Question_Type`: 0 for questions that describe the region, 1 for those that need medical knowledge.

    Raises:
        DataError: A table cannot be read or lacks a column, or a row has no file, no value or no text.
    """
    found: dict[tuple[str, str, str, int], list[tuple[int, str]]] = {}
    for path in paths:
        header, rows = read_numbered_rows(path, ", ".join(COLUMNS))
        places = {name.lower(): place for place, name in enumerate(header)}
        missing = [name for name in COLUMNS if name.lower() not in places]
        if missing:
            raise DataError(f"{path}: the column '{missing[0]}' is missing.", _FIX, "caption_table")
        for number, row in rows:
            cells = {name: row[place] for name, place in places.items()}
            where = f"{path}: row {number}"
            case, image = _split_path(where, "Image", cells["image"])
            other, mask = _split_path(where, "Mask", cells["mask"])
            if other != case:
                raise DataError(f"{where}: Image is in {case}, but Mask in {other}.", _FIX, "caption_table")
            if not cells["question"]:
                raise DataError(f"{where}: Question is empty.", _FIX, "caption_empty")
            key = (case, image, mask, _parse_value(where, cells["mask_id"]))
            kind = 0 if cells.get("question_type", "0").partition(".")[0] in ("", "0") else 1
            found.setdefault(key, []).append((kind, cells["question"]))
    return [Region(*key, tuple(dict.fromkeys(_in_order(texts)))) for key, texts in found.items()]


def _in_order(texts: list[tuple[int, str]]) -> list[str]:
    return [text for _, text in sorted(texts, key=lambda one: one[0])]


def _split_path(where: str, column: str, given: str) -> tuple[str, str]:
    """The folder and the name of a file; some tables have the folders of their author before them."""
    parts = PurePosixPath(given.replace("\\", "/")).parts
    if len(parts) < 2 or ".." in parts[-2:]:
        raise DataError(f"{where}: {column} '{given[:80]}' is not FOLDER/FILE.", _FIX, "caption_table")
    return parts[-2], parts[-1]


def _parse_value(where: str, given: str) -> int:
    """The value of a region; programs that know no whole numbers write 3.0."""
    text = given.removesuffix(".0")
    if not (text.isascii() and text.isdecimal()) or not 0 < int(text[:12]) < 2**31:
        raise DataError(f"{where}: Mask_ID '{given[:40]}' is no whole number from 1.", _FIX, "caption_table")
    return int(text)
