"""The Medical Segmentation Decathlon: all ten tasks in the archive's layout, each described by its card.

`dataset.json` lists the cases and names the labels; the card says which name is due for which value
(`listing`), how many channels lie along a file's fourth axis (`in_channels`) and what the classes are.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from datamodules.bases.base import SegDataModule
from datamodules.bases.volume import VolumeDataModule
from datamodules.files.nifti_layout import check_labels, find_volume, nifti_stem, read_listing
from datamodules.index.splits import Split, cut_by_subject
from zoo.errors import ConfigError, DataError
from zoo.io.readers import ChannelsReader, Reader
from zoo.preprocessing.spec import PreprocessingSpec
from zoo.types import Case

_TASK = re.compile(r"Task\d\d_([A-Za-z]+)")


class MSD(VolumeDataModule):
    """A task: `imagesTr`, `labelsTr` and `dataset.json`. A file is one subject; test labels are not public.

    `root` is the task's folder or the one it lies in. Spacing and windows stand on the cards: CT windows are
    near the 0.5 and 99.5 percentiles of the foreground, spacings near the medians, as nnU-Net finds them;
    MR is normalised, each channel of each volume alone.

    Of several of its CT tasks the headers are reported to say RAS of voxels that lie as in LPS
    (github.com/Project-MONAI/model-zoo/issues/766): the body is then turned half around its long axis, and
    not mirrored, so that left and right stay what they are to each other.

    Args:
        task: Its name in the archive, as "Task03_Liver".
        window: Least and largest intensity of CT; none: normalised alone.
        crop_above: Crop to the box of what is above this intensity; none: no crop.
        **kwargs: See `VolumeDataModule`.
    """

    listed = True

    def __init__(
        self, task: str, window: list[float] | None = None, crop_above: float | None = None, **kwargs: Any
    ) -> None:
        self.name = task_name(task)
        super().__init__(**kwargs)
        if window is not None and (len(window) != 2 or window[0] >= window[1]):
            raise ConfigError(f"--data.window {window} is none.", "Give the least and the largest intensity.")
        self.task, self.crop_above = task, crop_above
        self.window = None if window is None else (float(window[0]), float(window[1]))

    @cached_property
    def reader(self) -> Reader:
        """Channels along the fourth axis where the card has several."""
        channels = self.card.in_channels
        return ChannelsReader(self.dropped_values, channels) if channels > 1 else Reader(self.dropped_values)

    def preprocessing(self) -> PreprocessingSpec:
        """As the card says."""
        return PreprocessingSpec(window=self.window, crop_above=self.crop_above, spacing=self.spacing)

    def list_cases(self) -> list[Case]:
        """The labelled cases that `dataset.json` lists, after a look at its label names."""
        return checked_cases(self.folder, self.task, self.card.listing)

    def split_cases(self, cases: list[Case]) -> Split:
        """72 % train, 8 % val, 20 % test, shuffled once."""
        return cut_by_subject(self.protocol, cases)


class Hippocampus(SegDataModule):
    """Task04: crops of about 35x50x35 voxels of 1 mm.

    The intensities of each file have a scale of their own, so that each file is normalised alone. `root` is the
    folder `Task04_Hippocampus` or the folder that contains it. A file is one subject.
    """

    name = "hippocampus"
    listed = True

    def list_cases(self) -> list[Case]:
        """The labelled cases that `dataset.json` lists, after a check of its label names."""
        return checked_cases(self.folder, "Task04_Hippocampus", self.card.listing)

    def split_cases(self, cases: list[Case]) -> Split:
        """72 % train, 8 % val, 20 % test, shuffled once."""
        return cut_by_subject(self.protocol, cases)


def task_name(task: str) -> str:
    """The registered name of a task: "Task08_HepaticVessel" is `msd_hepatic_vessel`.

    Raises:
        ConfigError: It is no task's name.
    """
    found = _TASK.fullmatch(task)
    if not found:
        raise ConfigError(f"--data.task '{task}' is no task.", "Write it as in the archive: Task03_Liver.")
    return "msd_" + re.sub(r"(?<=[a-z])(?=[A-Z])", "_", found[1]).lower()


def checked_cases(root: Path, task: str, due: Mapping[Any, str]) -> list[Case]:
    """The labelled cases of one task, in the order of `dataset.json`.

    Args:
        root: The task's folder, or the folder it lies in.
        task: Its name in the archive, as "Task04_Hippocampus".
        due: The name that the listing must have for each label value.

    Raises:
        DataError: No `dataset.json`, it is not the archive's, or it names a label differently.
    """
    homes = (root, root / task, root / task / task)  # the last where an unpacker made a folder of the archive's name
    folder = next((home for home in homes if (home / "dataset.json").is_file()), root / task)
    listing = folder / "dataset.json"
    content = read_listing(listing, task)
    try:
        pairs = [(_file(folder, entry["image"]), _file(folder, entry["label"])) for entry in content["training"]]
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"{listing}: not the archive's listing ({error!r}).", "Fetch the archive again.") from error
    check_labels(listing, content.get("labels"), due)
    cases = []
    for image, label in pairs:
        if image.name.startswith("._"):  # what macOS leaves beside a file
            continue
        case_id = nifti_stem(image)
        cases.append(Case(case_id, (image,), label, subject=case_id))
    return cases


def _file(folder: Path, name: Any) -> Path:
    if not isinstance(name, str) or Path(name).is_absolute() or ".." in Path(name).parts:
        raise ValueError(f"{name!r} leads out of the folder")
    path = folder / name
    return find_volume(path.parent, nifti_stem(path))  # the archive's files are packed, some copies' are not
