"""Names of NIfTI files, extra files of macOS, and class names of a `dataset.json`: common to several layouts."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from datamodules.files.find_files import find_file, path_exists
from datamodules.index.case_names import nifti_stem
from zoo.errors import DataError
from zoo.utils.text_files import read_json

SUFFIXES = (".nii.gz", ".nii")


def is_volume(path: Path) -> bool:
    """Return whether the name of a file is that of a NIfTI file, also in capitals. Files `._*` of macOS are none."""
    return path.name.lower().endswith(SUFFIXES) and not path.name.startswith(".")


def list_volumes(folder: Path) -> dict[str, Path]:
    """List the NIfTI files of a folder by stem, sorted. Files `._*` of macOS are ignored."""
    found = sorted(path for path in folder.iterdir() if is_volume(path)) if folder.is_dir() else []
    return {nifti_stem(path): unwrap_folder(path) for path in found}


def find_root(folder: Path, is_root: Callable[[Path], bool], lacks: str, fix: str) -> Path:
    """Find the folder of a layout: the folder itself, or else the first folder in it.

    Args:
        folder: The folder of the data set.
        is_root: Whether a folder has the layout.
        lacks: What a folder without the layout lacks, for the message.
        fix: What to do then.

    Raises:
        DataError: Neither the folder nor one in it has the layout.
    """
    inside = (path for path in sorted(folder.iterdir()) if path.is_dir())
    root = next((one for one in (folder, *inside) if is_root(one)), None)
    if root is None:
        raise DataError(f"{folder}: no {lacks} in it.", fix)
    return root


def list_folders(folder: Path, pattern: re.Pattern[str]) -> dict[str, Path]:
    """List the folders in a folder whose whole names fit a pattern, by name, sorted."""
    found = sorted(path for path in folder.iterdir() if pattern.fullmatch(path.name))
    return {path.name: path for path in found if path.is_dir()}


def pair_volumes(images: Path, labels: Path, ending: str = "") -> dict[str, tuple[Path, Path]]:
    """Pair the images and the labels of two folders by name, sorted; a missing file has the path that it should have.

    Args:
        images: The folder of the images.
        labels: The folder of the labels.
        ending: What the stem of an image has after the name, such as the number of the channel.
    """
    names = {name.removesuffix(ending) for name in list_volumes(images) if name.endswith(ending)}
    names |= list_volumes(labels).keys()
    return {name: (find_volume(images, f"{name}{ending}"), find_volume(labels, name)) for name in sorted(names)}


def find_volume(folder: Path, name: str) -> Path:
    """Find a NIfTI file, compressed or not. If there is none, return the compressed name, which the checks report."""
    candidates = (unwrap_folder(folder / f"{name}{end}") for end in SUFFIXES)
    found = next((path for path in candidates if path_exists(path) and path.is_file()), None)
    return found or next(
        (path for end in SUFFIXES if path_exists(path := find_file(folder, f"{name}{end}"))),
        unwrap_folder(folder / f"{name}{SUFFIXES[0]}"),
    )


def unwrap_folder(path: Path) -> Path:
    """Return the single NIfTI file in a folder that has the name of a file, or else the path itself.

    Copies of ACDC and of BraTS 2021 on Kaggle have `patient001_frame01.nii/CMD03Gate1.nii`: a program unpacked the
    `.nii.gz` file into a folder of its name, and the file inside kept its original name.
    """
    if not path_exists(path) or not path.is_dir():
        return path
    inside = [file for file in path.iterdir() if is_volume(file)]
    return inside[0] if len(inside) == 1 else path


def find_subfolder(folder: Path, *names: str) -> Path | None:
    """Find a subfolder by its names, in upper or lower case; None where it does not exist."""
    for name in names:
        exact = folder / name
        found = sorted(folder.iterdir()) if folder.is_dir() and not exact.is_dir() else [exact]
        folder = next((path for path in found if path.is_dir() and path.name.lower() == name.lower()), exact)
    return folder if folder.is_dir() else None


def read_listing(path: Path, whose: str, fix: str = "Download the archive again.") -> dict[str, Any]:
    """Read a `dataset.json`.

    Args:
        path: The file.
        whose: Whose folder has such a file, for the error text.
        fix: What to do about a file with another content.

    Raises:
        DataError: The file cannot be read, is not a JSON object, or has a key twice.
    """
    try:
        content = read_json(path)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}).", f"Give the folder of {whose}.") from error
    except ValueError as error:
        raise DataError(f"{path}: not a readable listing: {error}.", fix) from error
    if not isinstance(content, dict):
        raise DataError(f"{path}: not a listing, because it is no JSON object.", fix)
    return content


def check_labels(path: Path, listed: Any, expected: Mapping[Any, str | Iterable[str]]) -> None:
    """Check that a `dataset.json` and the card give each label value the same name, so that no classes are swapped.

    Upper case, spaces and the two spellings of tumour are ignored.

    Args:
        path: The listing, for the error message.
        listed: `labels` of the listing: {"0": "background", "1": "liver"}.
        expected: Per value, its name on the card, or several accepted names that begin with the name on the card.

    Raises:
        DataError: A value is missing, has another name, or is not on the card.
    """
    if not isinstance(listed, Mapping):
        raise DataError(f"{path}: no `labels` in it.", "Download the archive again.")
    found = {str(value): str(name) for value, name in listed.items() if str(value) != "0"}
    names = {str(value): [name] if isinstance(name, str) else list(name) for value, name in expected.items()}
    for value in sorted(found.keys() | names.keys(), key=lambda key: (len(key), key)):
        known = names.get(value, ["no class"])
        if _plain(found.get(value, "")) not in {_plain(name) for name in known}:
            raise DataError(
                f"{path}: label {value} is '{found.get(value, '')}' here, but '{known[0]}' on the data card.",
                "Download the archive again; a data set with other labels needs its own card.",
            )


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", " ", name.lower().replace("tumour", "tumor")).strip()
