"""`nifti_folder`: a user's own volumes with the `dataset.json` of the Decathlon or of nnU-Net, without new code."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cached_property
from typing import Any

from datamodules.bases.own_data import OwnDataModule, class_values, has_colours, have_common_value
from datamodules.files.nifti_layout import SUFFIXES, find_volume, list_volumes, nifti_stem, read_listing
from datamodules.index.splits import Split, cut_by_subject
from zoo.errors import ConfigError, DataError
from zoo.io.readers import ChannelsReader, Reader
from zoo.preprocessing.spec import PreprocessingSpec
from zoo.types import Case

_CHANNEL = re.compile(r"_(\d{4})$")


class NiftiFolder(OwnDataModule):
    """Volumes that `dataset.json` describes in one of two forms.

    - Decathlon: `labels` {"1": "liver"}, `modality`, and `training`, a list of {image, label}; several
      channels are along a fourth axis. An entry may also have `text` and `subject`; then all entries must have them.
    - nnU-Net: `labels` {"liver": 1} or {"whole": [1, 2]} for regions, `channel_names`, and the files
      `imagesTr/<case>_<channel>.nii.gz`, `labelsTr/<case>.nii.gz`. The listing of its first version has the form of
      the Decathlon.

    The subjects are split 72/8/20. See `docs/own_data.md`.

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
        where = str(self.folder / "dataset.json")
        classes = class_values(self._classes(listing), where)
        if has_colours(self._classes(listing), where):
            raise DataError(f"{where}: a volume's classes are no colours.", "Give each class its label values.")
        has_text = any("text" in entry for entry in self._entries)
        self.describe(
            classes=classes,
            exclusive=len(classes) > 1 and not have_common_value(classes),
            in_channels=max(1, len(listing.get("channel_names") or listing.get("modality") or {})),
            track=str(listing.get("track", "report")) if has_text else "class",
            **{key: listing[key] for key in ("laterality", "flips", "tolerance", "empty_masks") if key in listing},
        )

    def preprocessing(self) -> PreprocessingSpec:
        """Window and spacing of the options."""
        return PreprocessingSpec(window=self.window, spacing=self.spacing)

    @cached_property
    def reader(self) -> Reader:
        """Reads one file with all channels in the form of the Decathlon, one file per channel in that of nnU-Net."""
        channels = self.card.in_channels
        if channels > 1 and self._entries:
            return ChannelsReader(drop=self.dropped_values, channels=channels)
        return Reader(drop=self.dropped_values)

    def list_cases(self) -> list[Case]:
        """The listed cases in their order, or the cases of `imagesTr` and `labelsTr` by name."""
        return self._listed() if self._entries else self._found()

    def split_cases(self, cases: list[Case]) -> Split:
        """72 % train, 8 % val, 20 % test of the subjects, shuffled once."""
        return cut_by_subject(self.protocol, cases)

    @cached_property
    def _listing(self) -> dict[str, Any]:
        return read_listing(self.folder / "dataset.json", "your data", "Correct the file.")

    @cached_property
    def _entries(self) -> list[Mapping[str, Any]]:
        """The entries in the form of the Decathlon; empty for nnU-Net, whose first version lists its cases as well."""
        found = self._listing.get("training")
        entries = [entry for entry in found if isinstance(entry, Mapping)] if isinstance(found, list) else []
        return [] if any(self._is_by_channel(entry) for entry in entries) else entries

    def _is_by_channel(self, entry: Mapping[str, Any]) -> bool:
        """Whether the image of an entry is one file per channel."""
        image = self.folder / str(entry.get("image", ""))
        first = find_volume(image.parent, f"{nifti_stem(image)}_0000")
        return set(entry) <= {"image", "label"} and not image.exists() and first.is_file()

    def _classes(self, listing: Mapping[str, Any]) -> dict[str, Any]:
        """Names to values, from both forms, without the background."""
        labels = listing.get("labels")
        if not isinstance(labels, Mapping):
            return {}
        if "ignore" in {str(key).lower() for key in (*labels, *labels.values()) if isinstance(key, str)}:
            raise DataError(f"{self.folder / 'dataset.json'}: a label to ignore.", "Make it background or a class.")
        by_value = all(str(key).isdigit() for key in labels)
        pairs = {str(name): int(value) for value, name in labels.items()} if by_value else dict(labels)
        if by_value and len(pairs) < len(labels):
            raise DataError(f"{self.folder / 'dataset.json'}: two labels with one name.", "Rename one.")
        return {name: value for name, value in pairs.items() if value not in (0, [0])}

    def _listed(self) -> list[Case]:
        listing, with_subject = self.folder / "dataset.json", any("subject" in entry for entry in self._entries)
        cases = []
        for entry in self._entries:
            names = [entry.get(key) for key in ("image", "label")]
            if not all(isinstance(name, str) and name.endswith(SUFFIXES) for name in names):
                raise DataError(
                    f"{listing}: an entry without image and label (NIfTI): {dict(entry)}.",
                    "Correct it; for pictures give --data image_text_folder.",
                )
            image, label = (self.folder / str(name) for name in names)
            if image.name.startswith("._"):  # a hidden file of macOS
                continue
            text = entry.get("text")
            subject = self._subject_of(entry) if with_subject else self._subject_from_name(nifti_stem(image))
            cases.append(Case(nifti_stem(image), (image,), label, subject, None if text is None else str(text).strip()))
        return cases

    def _subject_of(self, entry: Mapping[str, Any]) -> str:
        """The subject of an entry. A number counts, also 0. An empty subject is refused."""
        subject = entry.get("subject")
        if subject is None or not str(subject).strip():
            raise DataError(
                f"{self.folder / 'dataset.json'}: an entry without subject, although others have one: {dict(entry)}.",
                "Write it, because splits are made by subject.",
            )
        return str(subject).strip()

    def _found(self) -> list[Case]:
        images, labels = list_volumes(self.folder / "imagesTr"), list_volumes(self.folder / "labelsTr")
        if not images:
            raise DataError(
                f"{self.folder}: no NIfTI files in imagesTr.", "For pictures give --data image_text_folder."
            )
        names = sorted({_CHANNEL.sub("", name) for name in images} | set(labels))
        cases = []
        for name in names:
            files = [f"{name}_{number:04d}" for number in range(self.card.in_channels)]
            paths = tuple(images.get(file, self.folder / "imagesTr" / f"{file}.nii.gz") for file in files)
            label = labels.get(name, self.folder / "labelsTr" / f"{name}.nii.gz")
            cases.append(Case(name, paths, label, self._subject_from_name(name)))
        return cases

    def _subject_from_name(self, name: str) -> str:
        if self._subject is None:
            return name
        found = self._subject.search(name)
        if found is None:
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
