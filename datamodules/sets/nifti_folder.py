"""`nifti_folder`: a user's own volumes with the `dataset.json` of the Decathlon, MONAI or nnU-Net, without new code."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

from datamodules.bases.own_data import OwnDataModule
from datamodules.files.class_values import have_common_value
from datamodules.files.dataset_json import DatasetJson, read_dataset_json
from datamodules.files.find_files import FileFinder, path_exists
from datamodules.files.listed_cases import Entry
from datamodules.files.nifti_layout import find_volume, list_volumes
from datamodules.files.nnunet_folders import channel_files, check_endings, group_by_case
from datamodules.index.case_names import name_by_path, nifti_stem
from datamodules.index.cases import CaseIndex
from datamodules.index.split_files import SplitFile
from datamodules.index.splits import Split, cut_by_subject, hold_out_val, make_split
from zoo.errors import ConfigError, DataError
from zoo.io.readers import ChannelsReader, Reader
from zoo.preprocessing.spec import PreprocessingSpec
from zoo.types import Case

LISTING = "listing"
"""The protocol of a `dataset.json` that divides its cases."""


class NiftiFolder(OwnDataModule):
    """Volumes that `dataset.json` describes in one of three forms; see `docs/own_data.md`.

    - Decathlon and MONAI: `labels` {"1": "liver"}, `modality`, and the lists `training`, `validation` and `test` of
      {image, label}. Several channels are along a fourth axis, or `image` is a list of files. An entry may also have
      `text`, `subject` and `fold`; then all entries must have them.
    - nnU-Net: `labels` {"liver": 1} or {"whole": [1, 2]} for regions, `channel_names`, and the files
      `imagesTr/<case>_<channel>.nii.gz`, `labelsTr/<case>.nii.gz`. The listing of its first version has the form of
      the Decathlon.
    - nnU-Net with the key `dataset`, {case: {images, label}}, in place of the folders.

    The subjects are split 72/8/20, or as the lists or folds of the file say (protocol `listing`).

    Args:
        spacing: Voxel size of the network grid in mm; None for the voxel size of the files.
        window: (low, high) intensities that become 0 and 1; None: each volume is normalised by its
            mean and standard deviation.
        subject: Pattern whose first group is the subject in the name of a case; None: each case is a subject.
        **kwargs: See `OwnDataModule`.
    """

    name = "nifti_folder"

    def __init__(
        self,
        spacing: list[float] | None = None,
        window: list[float] | None = None,
        subject: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if spacing is not None and (len(spacing) != 3 or min(spacing) <= 0):
            raise ConfigError(f"--data.spacing {spacing} is not a voxel size.", "Give three positive numbers in mm.")
        if window is not None and (len(window) != 2 or window[0] >= window[1]):
            raise ConfigError(f"--data.window {window} is not a window.", "Give two numbers, low and high.")
        self.spacing = None if spacing is None else tuple(spacing)
        self.window = None if window is None else (window[0], window[1])
        self._subject = _pattern(subject)
        listing = self._listing
        if self._uses_folds:
            count = len({entry.fold for entry in listing.labelled})
            if kwargs.get("folds") not in (None, count):
                problem = f"--data.folds {kwargs['folds']}, but {listing.path} has {count} folds."
                raise ConfigError(problem, "Leave --data.folds out, or give --data.protocol by_subject.")
            self.folds = count
        self.describe(
            classes=listing.classes,
            exclusive=len(listing.classes) > 1 and not have_common_value(listing.classes),
            in_channels=listing.channels,
            **{"track": "report" if listing.has_text else "class", **listing.card},
        )

    def preprocessing(self) -> PreprocessingSpec:
        """Window and spacing of the options."""
        return PreprocessingSpec(window=self.window, spacing=self.spacing)

    @cached_property
    def reader(self) -> Reader:
        """Reads one file with all channels along its fourth axis, or one file per channel."""
        channels = self.card.in_channels
        if channels > 1 and self._listing.entries and not self._is_by_channel:
            return ChannelsReader(drop=self.dropped_values, channels=channels)
        return Reader(drop=self.dropped_values)

    def list_labelled(self) -> list[Case]:
        """The listed cases in their order, or the cases of `imagesTr` and `labelsTr` by name."""
        return [case for _, case in self._listed] if self._listing.entries else self._found

    def list_unlabelled(self) -> list[Case]:
        """The listed cases without a label, or those of `imagesTs`."""
        listing = self._listing
        if listing.entries:
            without = tuple(entry for entry in listing.entries if entry.label is None)
            return [case for _, case in self._cases_of(without)]
        found = group_by_case(self.folder / "imagesTs", listing)
        if found:
            listing.check_count("test", len(found), "imagesTs")
        return [Case(name, paths, None, self._subject_from_name(name)) for name, paths in found.items()]

    def choose_protocol(self, name: str | None) -> str:
        """`listing` by default where the file divides its cases, else `by_subject`."""
        return super().choose_protocol(name or (LISTING if self._listing.has_split else "by_subject"))

    def make_index(self) -> CaseIndex:
        """See `SegDataModule.make_index`. Folds of the file are used as those of a split file."""
        index = super().make_index()
        if self._uses_folds:
            index.options = replace(index.options, file=self._folds)
        return index

    def split_cases(self, cases: list[Case]) -> Split:
        """`listing`: the lists of the file. `by_subject`: 72 % train, 8 % val, 20 % test, shuffled once.

        Of two lists, the training cases are split into train and val by subject, and the other list is the test split.
        """
        if self.protocol != LISTING:
            return cut_by_subject(self.protocol, cases)
        lists: dict[str, list[str]] = {}
        for entry, case in self._listed:
            lists.setdefault(entry.part, []).append(case.case_id)
        if len(lists) < 2:
            problem = f"{self._listing.path}: no labelled cases in `validation` or `test`, and no folds."
            raise DataError(problem, "Write them, or give --data.protocol by_subject.")
        if len(lists) == 3:
            names = {"train": "training", "val": "validation", "test": "test"}
            return make_split(self.protocol, {split: lists[name] for split, name in names.items()}, cases)
        test = next(ids for part, ids in lists.items() if part != "training")
        return hold_out_val(self.protocol, cases, test)

    @cached_property
    def _listing(self) -> DatasetJson:
        return read_dataset_json(self.folder / "dataset.json")

    @property
    def _uses_folds(self) -> bool:
        """Whether the folds of the file are used: no protocol and no split file of the user replaces them."""
        return self.protocol == LISTING and self._listing.has_folds and self.split_options.file is None

    @cached_property
    def _is_by_channel(self) -> bool:
        """Whether each channel of a listed case is a file; the entry may name the file without the channel's number."""
        return any(len(entry.images) > 1 or self._lacks_channel(entry) for entry in self._listing.entries)

    def _lacks_channel(self, entry: Entry) -> bool:
        image = self._files.find(entry.images[0])
        return not path_exists(image) and path_exists(find_volume(image.parent, f"{nifti_stem(image)}_0000"))

    @cached_property
    def _files(self) -> FileFinder:
        return FileFinder(self.folder)

    @cached_property
    def _listed(self) -> list[tuple[Entry, Case]]:
        """The labelled entries, each with its case."""
        return self._cases_of(self._listing.labelled)

    def _cases_of(self, entries: tuple[Entry, ...]) -> list[tuple[Entry, Case]]:
        """The cases of entries. If two files have the same name, the whole paths are the names of the cases."""
        firsts = [entry.images[0] for entry in entries]
        names = name_by_path(firsts, [nifti_stem(Path(name.replace("\\", "/"))) for name in firsts])
        return [(entry, self._case_of(entry, entry.name or name)) for entry, name in zip(entries, names, strict=True)]

    def _case_of(self, entry: Entry, name: str) -> Case:
        images = tuple(self._files.find(image) for image in entry.images)
        if len(images) == 1 and self._lacks_channel(entry):
            images = channel_files(images[0].parent, nifti_stem(images[0]), self._listing)
        label = None if entry.label is None else self._files.find(entry.label)
        subject = self._subject_from_name(name) if entry.subject is None else entry.subject
        return Case(name, images, label, subject, entry.text)

    @cached_property
    def _found(self) -> list[Case]:
        """The cases of `imagesTr` and `labelsTr`."""
        images = group_by_case(self.folder / "imagesTr", self._listing)
        if not images and not list_volumes(self.folder / "imagesTs"):
            raise DataError(
                f"{self.folder}: no NIfTI files in imagesTr.", "For pictures give --data image_text_folder."
            )
        folder = self.folder / "labelsTr"
        check_endings(folder, self._listing)
        labels = list_volumes(folder)
        cases = []
        for name in sorted(images.keys() | labels.keys()):
            paths = images.get(name) or channel_files(self.folder / "imagesTr", name, self._listing)
            label = labels.get(name, folder / f"{name}{self._listing.file_ending or '.nii.gz'}")
            cases.append(Case(name, paths, label, self._subject_from_name(name)))
        if labels:
            self._listing.check_count("training", len(cases), "imagesTr and labelsTr")
        return cases

    @cached_property
    def _folds(self) -> SplitFile:
        """The folds of the entries as a split file; each fold is a test split."""
        tests: dict[int, list[str]] = {}
        for entry, case in self._listed:
            tests.setdefault(entry.fold or 0, []).append(case.case_id)
        everyone = [case.case_id for _, case in self._listed]
        folds = [{"train": [i for i in everyone if i not in set(ids)], "test": ids} for _, ids in sorted(tests.items())]
        return SplitFile(self._listing.path, {"protocol": LISTING, "folds": folds})

    def _subject_from_name(self, name: str) -> str:
        if self._subject is None:
            return name
        found = self._subject.search(name)
        if found is None or found.group(1) is None:
            raise DataError(f"{self.folder}: --data.subject finds no subject in '{name}'.", "Correct the pattern.")
        return found.group(1)


def _pattern(subject: str | None) -> re.Pattern[str] | None:
    """Compile the pattern, which must have a group."""
    if subject is None:
        return None
    try:
        compiled = re.compile(subject)
    except re.error as error:
        raise ConfigError(
            f"--data.subject '{subject}' is not a pattern ({error}).", "Write a regular expression."
        ) from error
    if not compiled.groups:
        raise ConfigError(f"--data.subject '{subject}' has no group.", "Put the subject in brackets: '(patient\\d+)_'.")
    return compiled
