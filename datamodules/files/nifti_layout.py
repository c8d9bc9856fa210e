"""What several layouts have in common: NIfTI names, strays of macOS, the class names of a `dataset.json`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from zoo.errors import DataError

SUFFIXES = (".nii.gz", ".nii")


def stem(path: Path) -> str:
    """A NIfTI file's name without its suffix."""
    return path.name.removesuffix(".gz").removesuffix(".nii")


def volumes(folder: Path) -> dict[str, Path]:
    """The NIfTI files of a folder by stem, sorted; `._*`, which macOS leaves beside a file, are none."""
    found = (path for path in folder.glob("*.nii*") if path.name.endswith(SUFFIXES) and not path.name.startswith("."))
    return {stem(path): unwrapped(path) for path in sorted(found)}


def volume_file(folder: Path, name: str) -> Path:
    """A NIfTI file of a folder, packed or not; where there is none, the packed name, for the checks to report."""
    candidates = [unwrapped(folder / f"{name}{end}") for end in SUFFIXES]
    return next((path for path in candidates if path.is_file()), candidates[0])


def unwrapped(path: Path) -> Path:
    """The one NIfTI in a folder that bears a file's name, else the path itself.

    Copies of ACDC and of BraTS 2021 on Kaggle have `patient001_frame01.nii/CMD03Gate1.nii`: what unpacked
    the `.nii.gz` made a folder of its name, with the file under the name that it was once packed under.
    """
    if not path.is_dir():
        return path
    inside = [file for file in path.iterdir() if file.name.endswith(SUFFIXES) and not file.name.startswith(".")]
    return inside[0] if len(inside) == 1 else path


def below(folder: Path, *names: str) -> Path | None:
    """The folder that a chain of names leads to, however they are capitalised; None where one is missing."""
    for name in names:
        exact = folder / name
        found = sorted(folder.iterdir()) if folder.is_dir() and not exact.is_dir() else [exact]
        folder = next((path for path in found if path.is_dir() and path.name.lower() == name.lower()), exact)
    return folder if folder.is_dir() else None


def read_listing(path: Path, whose: str) -> dict[str, Any]:
    """The content of a `dataset.json`.

    Raises:
        DataError: It cannot be read or is no JSON object.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}).", f"Give the folder of {whose}.") from error
    except ValueError as error:
        raise DataError(f"{path}: not the archive's listing ({error!r}).", "Fetch the archive again.") from error
    if not isinstance(content, dict):
        raise DataError(f"{path}: not the archive's listing (no object).", "Fetch the archive again.")
    return content


def check_labels(path: Path, listed: Any, due: Mapping[Any, str | Iterable[str]]) -> None:
    """That a `dataset.json` names each label value as the card does: a swapped pair is never trained on.

    Case, spaces and the two spellings of tumour make no difference.

    Args:
        path: The listing, for the message.
        listed: Its `labels`: {"0": "background", "1": "liver"}.
        due: Value to name, or to the names that are known for it.

    Raises:
        DataError: A value is missing, has another name, or is unknown to the card.
    """
    if not isinstance(listed, Mapping):
        raise DataError(f"{path}: no `labels` in it.", "Fetch the archive again.")
    found = {str(value): str(name) for value, name in listed.items() if str(value) != "0"}
    names = {str(value): [name] if isinstance(name, str) else list(name) for value, name in due.items()}
    for value in sorted(found.keys() | names.keys(), key=lambda key: (len(key), key)):
        known = names.get(value, ["no class"])
        if _plain(found.get(value, "")) not in {_plain(name) for name in known}:
            raise DataError(
                f"{path}: label {value} is named '{found.get(value, '')}', but the data card says '{known[0]}'.",
                "Fetch the archive again; a set with other labels needs a card of its own.",
            )


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", " ", name.lower().replace("tumour", "tumor")).strip()
