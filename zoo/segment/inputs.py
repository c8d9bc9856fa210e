"""The images and texts of `zoo segment`: which images there are, what their masks are called, and their texts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from zoo.errors import ConfigError, DataError
from zoo.io.dicom import DICOM, list_slices
from zoo.io.image import NIFTI, is_nifti
from zoo.io.itk import is_itk, itk_name
from zoo.io.pictures import SUFFIXES
from zoo.io.tables import read_numbered_rows
from zoo.utils.format import list_some

FILE_COLUMN = "file"
"""Column of a table of texts that names the image."""

TEXT_COLUMN = "text"
"""Column of a table of texts with the report, or the sentence of the only class."""


@dataclass(frozen=True, slots=True)
class ScanFile:
    """One image to segment.

    Attributes:
        path: A file, or the folder of a DICOM series.
        name: Name of its mask without suffix, unique in a command.
        suffix: Suffix of its mask.
    """

    path: Path
    name: str
    suffix: str


def list_scans(inputs: Iterable[str], nifti: bool = False) -> list[ScanFile]:
    """List the images of files and folders, in order.

    A folder with DICOM files is one series. Another folder stands for the images that lie in it, not deeper.

    Args:
        inputs: Files and folders.
        nifti: Whether masks of volumes are NIfTI files, and not in the form of the image.

    Raises:
        DataError: There is no such file, a folder has no image, or two images would have one name.
    """
    paths = [path for word in inputs for path in _expand(Path(word).expanduser())]
    scans = [_describe(path, nifti) for path in dict.fromkeys(paths)]
    places: dict[str, list[str]] = {}
    for scan in scans:
        places.setdefault(scan.name, []).append(str(scan.path))
    doubled = next((found for found in places.values() if len(found) > 1), None)
    if doubled:
        raise DataError(f"{list_some(doubled)} would have one name.", "Segment them with an --out of their own.")
    return scans


def _expand(path: Path) -> list[Path]:
    if not path.exists():
        raise DataError(f"{path}: no such file or folder.", "Name images, or folders with images.", "missing_file")
    if not path.is_dir() or _is_series(path):
        return [path]
    inside = [one for one in sorted(path.iterdir()) if not one.name.startswith(".")]
    found = [one for one in inside if (_is_series(one) if one.is_dir() else _is_image(one))]
    if not found:
        raise DataError(
            f"{path}: no image in it.", "Name a folder with NIfTI, NRRD or MHA files, pictures or DICOM series."
        )
    return found


def _is_series(path: Path) -> bool:
    return path.is_dir() and bool(list_slices(path))


def _is_image(path: Path) -> bool:
    return is_nifti(path) or is_itk(path) or path.suffix.lower() in SUFFIXES


def _describe(path: Path, nifti: bool) -> ScanFile:
    if path.is_dir():
        return ScanFile(path, path.resolve().name, NIFTI[-1] if nifti else DICOM)
    if is_nifti(path):
        stem = path.name[: path.name.lower().rindex(".nii")]
        return ScanFile(path, stem, path.name[len(stem) :].lower())
    if is_itk(path):
        return ScanFile(path, path.stem, NIFTI[-1] if nifti else Path(itk_name(path.name)).suffix)
    return ScanFile(path, path.stem, ".png")


def read_texts(table: Path, scans: Sequence[ScanFile]) -> list[str | Mapping[str, str]]:
    """Read the text of each image from a table.

    Args:
        table: CSV or xlsx (`zoo.io.tables`) with the columns `file` and `text`, or `file` and one column per class.
            `file` is the name of the image file, with or without its suffix.
        scans: The images.

    Returns:
        One text per image, in their order: a string, or class -> sentence.

    Raises:
        DataError: The table is not readable (`read_numbered_rows`), or an image has no row or several.
    """
    head, lines = read_numbered_rows(table, f"{FILE_COLUMN} and {TEXT_COLUMN}")
    if FILE_COLUMN not in head or len(head) < 2:
        raise DataError(f"{table}: the header is {', '.join(head)}.", f"Write {FILE_COLUMN},{TEXT_COLUMN}.")
    rows: dict[str, dict[str, str]] = {}
    for number, line in lines:
        row = dict(zip(head, line, strict=True))
        name = row.pop(FILE_COLUMN)
        if name in rows:
            raise DataError(f"{table}, row {number}: a second row for '{name}'.", "Remove one.")
        rows[name] = row
    missing = [scan.path.name for scan in scans if not {scan.path.name, scan.name} & rows.keys()]
    if missing:
        raise DataError(f"{table}: no row for {list_some(missing)}.", "Add a row per image.")
    found = [rows.get(scan.path.name) or rows[scan.name] for scan in scans]
    return [row[TEXT_COLUMN] if {*row} == {TEXT_COLUMN} else row for row in found]


def parse_class_texts(words: Iterable[str]) -> dict[str, str]:
    """Read words of the form `CLASS=SENTENCE`.

    Raises:
        ConfigError: A word has another form, or a class comes twice.

    Example:
        >>> parse_class_texts(["liver=The large organ on the right."])
        {'liver': 'The large organ on the right.'}
    """
    found: dict[str, str] = {}
    for word in words:
        name, equals, sentence = word.partition("=")
        if not equals or not name or name in found:
            raise ConfigError(f"--class-text '{word}' is not of the form CLASS=SENTENCE.", "Give each class once.")
        found[name] = sentence
    return found
