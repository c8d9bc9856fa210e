"""The lists of cases in a `dataset.json`: `training`, `validation` and `test`, or nnU-Net's `dataset`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datamodules.files.nifti_layout import SUFFIXES
from zoo.errors import DataError

LISTS = ("training", "validation", "test")
"""The lists of a Decathlon or MONAI listing; MONAI also calls the last one `testing`."""

_ENTRY = ("image", "label", "text", "subject", "fold")


@dataclass(frozen=True, slots=True)
class Entry:
    """One case of a listing.

    Attributes:
        part: The list of the case, one of `LISTS`.
        images: The image files as written: one with all channels, or one per channel.
        label: The label file as written; None where the case has none.
        text: The report; None where the entry has none.
        subject: The subject; None where the entry has none.
        fold: The fold; None where the entry has none.
        name: The name of the case; empty where its file names it.
        place: Where the entry is, for messages: "training[3]".
    """

    part: str
    images: tuple[str, ...]
    label: str | None
    text: str | None = None
    subject: str | None = None
    fold: int | None = None
    name: str = ""
    place: str = ""


def read_lists(path: Path, content: Mapping[str, Any]) -> dict[str, list[Any]]:
    """The lists of the file by their names in `LISTS`."""
    if "test" in content and "testing" in content:
        raise DataError(f"{path}: both `test` and `testing`.", "Keep one of them.")
    found = {"test" if key == "testing" else key: content[key] for key in (*LISTS, "testing") if key in content}
    for key, listed in found.items():
        if not isinstance(listed, list):
            raise DataError(f"{path}: `{key}` is no list.", "Write a list of {image, label}.")
    return {key: listed for key, listed in found.items() if listed}


def read_entries(path: Path, content: Mapping[str, Any], lists: Mapping[str, list[Any]]) -> list[Entry]:
    """Read the cases of the lists, or those of nnU-Net's key `dataset`. Hidden files of macOS are no cases.

    Raises:
        DataError: An entry has an unknown key or a wrong value, or both forms list cases.
    """
    if "dataset" in content:
        entries = _read_by_name(path, content["dataset"], content)
    else:
        entries = [_read_entry(path, part, n, one) for part, listed in lists.items() for n, one in enumerate(listed)]
    return [entry for entry in entries if not Path(entry.images[0]).name.startswith("._")]


def _read_by_name(path: Path, cases: Any, content: Mapping[str, Any]) -> list[Entry]:
    """The cases of nnU-Net's key `dataset`: name to {images, label}."""
    double = next((key for key in LISTS if key in content), None)
    if double:
        raise DataError(f"{path}: both `dataset` and `{double}` list cases.", "Keep one of them.")
    if not isinstance(cases, Mapping) or not cases:
        raise DataError(f"{path}: `dataset` lists no case.", "Write {name: {images: [...], label: ...}}.")
    entries = []
    for name, case in cases.items():
        given = dict(case) if isinstance(case, Mapping) else {}
        images = given.pop("images", None)
        if "image" in given or not isinstance(images, list):
            raise DataError(f"{path}: dataset[{name}] has no list `images`.", "Write one path per channel.")
        entries.append(_read_entry(path, "training", name, {**given, "image": images}, name=name, of="dataset"))
    return entries


def _read_entry(path: Path, part: str, number: Any, given: Any, name: str = "", of: str = "") -> Entry:
    place = f"{of or part}[{number}]"
    entry: Mapping[str, Any] = {"image": given} if isinstance(given, str) and part != "training" else given
    if not isinstance(entry, Mapping):
        raise DataError(f"{path}: {place} is {given!r}.", "Write {image, label}.")
    unknown = next((key for key in entry if key not in _ENTRY), None)
    if unknown is not None:
        raise DataError(f"{path}: {place} has the unknown key '{unknown}'.", f"Known: {', '.join(_ENTRY)}.")
    image, label, fold = entry.get("image"), entry.get("label"), entry.get("fold")
    images = tuple(image) if isinstance(image, list) else (image,)
    files = [*images, *([] if label in (None, "") else [label])]
    if not images or not all(isinstance(file, str) and file.lower().endswith(SUFFIXES) for file in files):
        raise DataError(
            f"{path}: {place} does not name an image and a label in NIfTI: {dict(entry)}.",
            "Correct it; for pictures give --data image_text_folder.",
        )
    if fold is not None and not (type(fold) is int and fold >= 0):
        raise DataError(f"{path}: {place} has the fold {fold!r}.", "Write a number, counted from 0.")
    text = None if entry.get("text") is None else str(entry["text"]).strip()
    subject = None if entry.get("subject") is None else str(entry["subject"]).strip()
    return Entry(part, images, label or None, text, subject, fold, name, place)


def check_folds(path: Path, entries: Sequence[Entry]) -> None:
    """Check that all labelled entries are in one list and have a fold, from 0 on.

    Raises:
        DataError: They are not.
    """
    other = next((entry for entry in entries if entry.part != "training"), None)
    if other:
        problem = f"{path}: folds in `training`, and labelled cases in `{other.part}`."
        raise DataError(problem, "Move these cases to `training`, or remove `fold`.")
    missing = next((entry for entry in entries if entry.fold is None), None)
    if missing:
        raise DataError(f"{path}: {missing.place} has no `fold`, although others have one.", "Write it.")
    folds = sorted({entry.fold for entry in entries if entry.fold is not None})
    if folds != list(range(len(folds))) or len(folds) < 2:
        raise DataError(f"{path}: the folds are {folds}.", "Count from 0, without a gap; two folds are the fewest.")
