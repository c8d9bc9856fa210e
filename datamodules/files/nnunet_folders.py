"""The files of nnU-Net's folders: `imagesTr/<case>_<channel>.nii.gz`, one file per channel."""

from __future__ import annotations

import re
from pathlib import Path

from datamodules.files.dataset_json import DatasetJson
from datamodules.files.nifti_layout import find_volume, is_volume, list_volumes
from datamodules.index.case_names import nifti_stem
from zoo.errors import DataError

_CHANNEL = re.compile(r"_(\d{4})$")


def group_by_case(folder: Path, listing: DatasetJson) -> dict[str, tuple[Path, ...]]:
    """Return the channels of each case of a folder, by the name of the case.

    A file without the number of a channel is a case whose channels are missing, which the checks report.

    Raises:
        DataError: A file has another ending than the listing says, a channel without a name, or an ending of its own
            beside another file of the same name.
    """
    check_endings(folder, listing)
    found = list_volumes(folder)
    unnamed = next((path for name, path in found.items() if _number(name) >= listing.channels), None)
    if unnamed is not None:
        count = f"{listing.channels} channel{'s' if listing.channels > 1 else ''}"
        problem = f"{unnamed}: channel {_number(nifti_stem(unnamed))}, but dataset.json names {count}."
        raise DataError(problem, 'Name each channel in `channel_names`, from "0" on, or move the file away.')
    names = dict.fromkeys(_CHANNEL.sub("", name) for name in found)
    return {name: channel_files(folder, name, listing) for name in names}


def channel_files(folder: Path, name: str, listing: DatasetJson) -> tuple[Path, ...]:
    """Return the files of the channels of one case; a missing file has the path that it should have."""
    return tuple(find_volume(folder, f"{name}_{number:04d}") for number in range(listing.channels))


def check_endings(folder: Path, listing: DatasetJson) -> None:
    """Check that the volumes of a folder have the ending of the listing, and that no two have the same stem.

    Raises:
        DataError: They do not.
    """
    stems: dict[str, Path] = {}
    for path in sorted(path for path in folder.iterdir() if is_volume(path)) if folder.is_dir() else []:
        ending = ".nii.gz" if path.name.lower().endswith(".gz") else ".nii"
        if listing.file_ending not in (None, ending):
            problem = f"{path}: the ending is {ending}, but file_ending is {listing.file_ending} in dataset.json."
            raise DataError(problem, "Correct `file_ending`, or move the file away.")
        stem = path.name.lower().removesuffix(ending)
        if stem in stems:
            raise DataError(f"{path}: the same case as {stems[stem].name}.", "Keep one of the two files.", "case_twice")
        stems[stem] = path


def _number(name: str) -> int:
    """The channel in the name of a file; -1 where there is none."""
    found = _CHANNEL.search(name)
    return int(found[1]) if found else -1
