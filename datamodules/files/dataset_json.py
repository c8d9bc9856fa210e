"""The `dataset.json` of a user's volumes, in the form of the Decathlon, of MONAI or of nnU-Net.

Each key is used, describes the data, or is refused with the reason. No key is ignored.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from datamodules.files.class_values import class_values, has_colours
from datamodules.files.listed_cases import LISTS, Entry, check_folds, read_entries, read_lists
from datamodules.files.nifti_layout import SUFFIXES, read_listing
from zoo.errors import DataError, did_you_mean

_COUNTS = {"training": "numTraining", "validation": "numValidation", "test": "numTest"}
_OF_CARD = ("track", "laterality", "flips", "tolerance", "empty_masks")
_USED = (
    *("labels", "channel_names", "modality", *LISTS, "testing", "dataset", *_COUNTS.values(), *_OF_CARD),
    *("file_ending", "overwrite_image_reader_writer", "regions_class_order"),
)
_DESCRIPTIVE = frozenset(
    [
        *("name", "dataset_name", "title", "description", "reference", "references", "citation", "licence", "license"),
        *("release", "relase", "version", "date", "author", "authors", "contact", "homepage", "url", "converted_by"),
        *("comment", "comments", "note", "notes", "tensorimagesize"),
    ]
)
"""Keys that describe the data, in lower case: they have no influence on cases, channels and classes."""

_NIFTI_READERS = ("NibabelIO", "NibabelIOWithReorient", "SimpleITKIO", "SimpleITKIOWithReorient")


@dataclass(frozen=True, slots=True)
class DatasetJson:
    """The content of a `dataset.json`.

    Attributes:
        path: The file.
        classes: Class name to label values.
        channels: Number of channels.
        file_ending: Ending of every file of the folders; None where the file does not say it.
        entries: The listed cases; empty where the folders `imagesTr` and `labelsTr` have them.
        counts: Stated number of cases per list.
        card: Values of the card: `track`, `laterality`, `flips`, `tolerance`, `empty_masks`.
    """

    path: Path
    classes: Mapping[str, tuple[int, ...]]
    channels: int
    file_ending: str | None
    entries: tuple[Entry, ...]
    counts: Mapping[str, int] = field(default_factory=dict)
    card: Mapping[str, Any] = field(default_factory=dict)

    @property
    def labelled(self) -> tuple[Entry, ...]:
        """The entries with a label."""
        return tuple(entry for entry in self.entries if entry.label is not None)

    @property
    def has_text(self) -> bool:
        """Whether an entry has a report."""
        return any(entry.text is not None for entry in self.entries)

    @property
    def has_folds(self) -> bool:
        """Whether the entries are divided into folds."""
        return any(entry.fold is not None for entry in self.entries)

    @property
    def has_split(self) -> bool:
        """Whether the file divides its labelled cases: into folds, or into several lists."""
        return self.has_folds or len({entry.part for entry in self.labelled}) > 1

    def check_count(self, part: str, found: int, where: str) -> None:
        """Check the stated number of cases.

        Args:
            part: One of `LISTS`.
            found: The number of cases.
            where: Where the cases are, for the message.

        Raises:
            DataError: The file states another number.
        """
        stated = self.counts.get(part, found)
        if stated != found:
            problem = f"{self.path}: {_COUNTS[part]} is {stated}, but {found} cases are in {where}."
            raise DataError(problem, f"Get the missing cases, or write {found}.")


def read_dataset_json(path: Path) -> DatasetJson:
    """Read a `dataset.json`.

    Raises:
        DataError: The file cannot be read; a key is unknown, is there twice, or has a wrong value; two keys contradict
            each other.
    """
    content = read_listing(path, "your data", "Correct the file.")
    _check_keys(path, content)
    labels = _labels_by_name(path, content.get("labels"))
    classes = class_values(labels, str(path))
    if has_colours(labels, str(path)):
        raise DataError(f"{path}: a volume's classes are no colours.", "Give each class its label values.")
    _check_regions(path, content.get("regions_class_order"), len(classes))
    lists = read_lists(path, content)
    entries = read_entries(path, content, lists)
    found = DatasetJson(
        path,
        classes,
        _count_channels(path, content),
        _file_ending(path, content),
        tuple(entries),
        {part: _count(path, key, content[key]) for part, key in _COUNTS.items() if content.get(key) is not None},
        {key: content[key] for key in _OF_CARD if key in content},
    )
    _check_entries(found)
    _check_counts(found, {part: len(listed) for part, listed in lists.items()})
    if "track" in found.card and not found.has_text:
        raise DataError(f"{path}: `track` is given, but no entry has a text.", "Remove it, or write the texts.")
    return found


def _check_keys(path: Path, content: Mapping[str, Any]) -> None:
    for key in content:
        if key not in _USED and key.lower() not in _DESCRIPTIVE:
            hint = did_you_mean(key, _USED, most=1, cutoff=0.7)
            raise DataError(f"{path}: unknown key '{key}'.", hint or "Remove it; `description` may hold any text.")
    reader = content.get("overwrite_image_reader_writer")
    if reader not in (None, *_NIFTI_READERS):
        fix = "Convert the files to NIfTI and remove the key; for pictures give --data image_text_folder."
        raise DataError(f"{path}: overwrite_image_reader_writer is {reader!r}, which does not read NIfTI.", fix)


def _labels_by_name(path: Path, labels: Any) -> dict[str, Any] | None:
    """The labels as name to value, from both forms; None where the file has none."""
    if not isinstance(labels, Mapping):
        return None
    if "ignore" in {str(key).lower() for key in (*labels, *labels.values()) if isinstance(key, str)}:
        raise DataError(f"{path}: a label to ignore.", "Make it background or a class.")
    if not all(key.isdecimal() for key in labels):
        return dict(labels)
    values = [int(key) for key in labels]
    names = [str(name) for name in labels.values()]
    for what, found in (("name", names), ("value", values)):
        if len(set(found)) < len(found):
            raise DataError(f"{path}: two labels with one {what}.", "Rename one.")
    return dict(zip(names, values, strict=True))


def _check_regions(path: Path, order: Any, classes: int) -> None:
    """Check `regions_class_order`. Nothing else needs it, because a prediction has one mask per region."""
    if order is None:
        return
    if not isinstance(order, list) or not all(type(value) is int for value in order) or len(order) != classes:
        problem = f"{path}: regions_class_order is {order!r} for {classes} classes."
        raise DataError(problem, "Write one label value per class, or remove the key.")


def _count_channels(path: Path, content: Mapping[str, Any]) -> int:
    """The number of named channels; 1 where the file names none."""
    named = {key: content[key] for key in ("channel_names", "modality") if content.get(key) is not None}
    counts = {key: _count_names(path, key, names) for key, names in named.items()}
    if len(set(counts.values())) > 1:
        found = " and ".join(f"{key} {count}" for key, count in counts.items())
        raise DataError(f"{path}: different numbers of channels: {found}.", "Keep one of the keys.")
    return next(iter(counts.values()), 1)


def _count_names(path: Path, key: str, names: Any) -> int:
    if isinstance(names, str):
        return 1
    numbered = isinstance(names, Mapping) and set(names) == {str(number) for number in range(len(names))}
    if not names or not (numbered or isinstance(names, list)):
        fix = f'Write `"{key}": {{"0": "T1", "1": "T2"}}`, counted from 0.'
        raise DataError(f"{path}: {key} is {names!r}, which does not name the channels.", fix)
    return len(names)


def _file_ending(path: Path, content: Mapping[str, Any]) -> str | None:
    ending = content.get("file_ending")
    if ending is not None and str(ending).lower() not in SUFFIXES:
        fix = "Convert the files to NIfTI; for pictures give --data image_text_folder."
        raise DataError(f"{path}: file_ending is {ending!r}, not one of {', '.join(SUFFIXES)}.", fix)
    return None if ending is None else str(ending).lower()


def _count(path: Path, key: str, value: Any) -> int:
    if type(value) is not int and not (isinstance(value, str) and value.isdecimal()):
        raise DataError(f"{path}: {key} is {value!r}, not a number of cases.", "Write a whole number.")
    return int(value)


def _check_entries(listing: DatasetJson) -> None:
    """Check that the entries agree with each other."""
    path, labelled = listing.path, listing.labelled
    for_training = {entry.part for entry in labelled if entry.part != "test"} | ({"training"} if labelled else set())
    without = next((entry for entry in listing.entries if entry.label is None and entry.part in for_training), None)
    if without:
        fix = "Write it, or move the case to `test`, whose cases `zoo predict` reads."
        raise DataError(f"{path}: {without.place} has no `label`, although others have one.", fix)
    for entry in listing.entries:
        if len(entry.images) not in (1, listing.channels):
            problem = f"{path}: {entry.place} has {len(entry.images)} images for {listing.channels} channels."
            raise DataError(problem, "Name each channel in `channel_names`, and give each entry one file per channel.")
    if len({len(entry.images) for entry in listing.entries}) > 1:
        raise DataError(f"{path}: some entries have one image, some have several.", "Write all in one form.")
    if any(entry.subject is not None for entry in labelled):
        nobody = next((entry for entry in labelled if not entry.subject), None)
        if nobody:
            problem = f"{path}: an entry without subject, although others have one: {nobody.place}."
            raise DataError(problem, "Write it, because splits are made by subject.")
    if listing.has_folds:
        check_folds(path, labelled)


def _check_counts(listing: DatasetJson, written: Mapping[str, int]) -> None:
    """Check the stated numbers of listed cases. Some files count the hidden files of macOS, and some do not."""
    for part, stated in listing.counts.items():
        found = len([entry for entry in listing.entries if entry.part == part])
        of_folders = part == "test" if listing.entries else part != "validation"
        if stated not in (found, written.get(part)) and not (of_folders and part not in written):
            listing.check_count(part, found, "the file")
