"""The Medical Segmentation Decathlon: all ten tasks in the layout of the archive, each described by its card.

`dataset.json` lists the cases and names the labels. The card has the expected name of each label value (`listing`), the
number of channels along the fourth axis of a file (`in_channels`) and the classes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from datamodules.bases.base import SegDataModule
from datamodules.bases.volume import VolumeDataModule
from datamodules.files.nifti_layout import check_labels, find_volume, read_listing
from datamodules.index.case_names import nifti_stem
from datamodules.index.splits import Split, cut_by_subject
from zoo.errors import ConfigError, DataError
from zoo.io.readers import ChannelsReader, Reader
from zoo.preprocessing.spec import PreprocessingSpec
from zoo.types import Case

_TASK = re.compile(r"Task\d\d_([A-Za-z]+)")


class MSD(VolumeDataModule):
    """One task: `imagesTr`, `labelsTr` and `dataset.json`. Each file is one subject; test labels are not public.

    `root` is the folder of the task or the folder that contains it. Spacings and windows are on the cards. CT windows
    are near the percentiles 0.5 and 99.5 of the foreground, spacings are near the medians, as nnU-Net finds them. In
    MR, each channel of each volume is normalised alone.

    The headers of several CT tasks are reported to say RAS although the voxels are in LPS order
    (github.com/Project-MONAI/model-zoo/issues/766). The body is then turned by half around its long axis. It is not
    mirrored, so that left and right keep their relation.

    Args:
        task: Name of the task in the archive, such as "Task03_Liver".
        window: Smallest and largest intensity of CT; None: each volume is normalised alone.
        crop_above: Crop to the box of the voxels above this intensity; None: no crop.
        **kwargs: See `VolumeDataModule`.
    """

    listed = True

    def __init__(
        self, task: str, window: list[float] | None = None, crop_above: float | None = None, **kwargs: Any
    ) -> None:
        self.name = task_name(task)
        super().__init__(**kwargs)
        if window is not None and (len(window) != 2 or window[0] >= window[1]):
            raise ConfigError(
                f"--data.window {window} is not a window.", "Give the smallest and the largest intensity."
            )
        self.task, self.crop_above = task, crop_above
        self.window = None if window is None else (float(window[0]), float(window[1]))

    @cached_property
    def reader(self) -> Reader:
        """Reads channels along the fourth axis where the card has several channels."""
        channels = self.card.in_channels
        return ChannelsReader(self.dropped_values, channels) if channels > 1 else Reader(self.dropped_values)

    def preprocessing(self) -> PreprocessingSpec:
        """The preprocessing of the options."""
        return PreprocessingSpec(window=self.window, crop_above=self.crop_above, spacing=self.spacing)

    def list_cases(self) -> list[Case]:
        """The labelled cases that `dataset.json` lists, after a check of its label names."""
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
        ConfigError: There is no such task.
    """
    found = _TASK.fullmatch(task)
    if not found:
        raise ConfigError(f"--data.task '{task}' is not a task.", "Write it as in the archive: Task03_Liver.")
    return "msd_" + re.sub(r"(?<=[a-z])(?=[A-Z])", "_", found[1]).lower()


def checked_cases(root: Path, task: str, expected: Mapping[Any, str]) -> list[Case]:
    """The labelled cases of one task, in the order of `dataset.json`.

    Args:
        root: The folder of the task, or the folder that contains it.
        task: Name of the task in the archive, such as "Task04_Hippocampus".
        expected: The name that the listing must have for each label value.

    Raises:
        DataError: There is no `dataset.json`, it is not that of the archive, or it has another name for a label.
    """
    candidates = (root, root / task, root / task / task)  # some programs unpack into a folder of the archive's name
    folder = next((one for one in candidates if (one / "dataset.json").is_file()), root / task)
    listing = folder / "dataset.json"
    content = read_listing(listing, task)
    try:
        pairs = [(_file(folder, entry["image"]), _file(folder, entry["label"])) for entry in content["training"]]
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"{listing}: not the listing of the archive ({error!r}).", "Get the archive again.") from error
    check_labels(listing, content.get("labels"), expected)
    cases = []
    for image, label in pairs:
        if image.name.startswith("._"):  # a hidden file of macOS
            continue
        case_id = nifti_stem(image)
        cases.append(Case(case_id, (image,), label, subject=case_id))
    return cases


def _file(folder: Path, name: Any) -> Path:
    if not isinstance(name, str) or Path(name).is_absolute() or ".." in Path(name).parts:
        raise ValueError(f"{name!r} leads out of the folder")
    path = folder / name
    return find_volume(
        path.parent, nifti_stem(path)
    )  # the files of the archive are packed, those of some copies are not
