"""BTCV (Synapse): 13 organs in abdominal CT, portal venous phase."""

from __future__ import annotations

from pathlib import Path

from datamodules.bases.volume import VolumeDataModule
from datamodules.files.nifti_layout import find_subfolder, list_volumes
from datamodules.index.splits import Split, cut_by_subject, read_split
from zoo.errors import DataError
from zoo.preprocessing.spec import PreprocessingSpec
from zoo.types import Case

_PLACES = (("Abdomen", "RawData", "Training"), ("RawData", "Training"), ("Training",), ())
_FOLDERS = (("img", "label"), ("imagesTr", "labelsTr"))
_OTHER_SETS = ("averaged-training-images", "Cervix", "RegData")
"""Other folders of the project: cardiac CT of another challenge, another challenge, the volumes after registration."""


class BTCV(VolumeDataModule):
    """Volumes of `RawData/Training/{img,label}/{img,label}XXXX.nii.gz`, in Hounsfield units.

    `root` is the folder that contains `RawData`, `RawData`, `Training`, or the download of the project with
    `Abdomen/RawData`. A folder of `imagesTr/imgXXXX` and `labelsTr/labelXXXX`, the layout of UNETR's instructions, is
    read as well. Files may be unpacked, and folders may have other capitals. The window of -175 to 250 HU and
    1.5x1.5x2.0 mm are those of publications with the 24/6 protocol. The 18/12 protocol has the same values here,
    although its publications use slices and -125 to 275 HU. The crop removes the air around the body.
    """

    name = "btcv"

    def preprocessing(self) -> PreprocessingSpec:
        """Window, body crop and spacing."""
        return PreprocessingSpec(window=(-175.0, 250.0), crop_above=-175.0, spacing=self.spacing)

    def list_cases(self) -> list[Case]:
        """Every image of the training folder; its number is the case id and the subject."""
        img, label = self._training
        images = _by_number(img, "img")
        labels = _by_number(label, "label")
        cases = []
        for number in sorted(images | labels):
            image = images.get(number, img / f"img{number}.nii.gz")  # the checks report a missing file
            mask = labels.get(number, label / f"label{number}.nii.gz")
            cases.append(Case(number, (image,), mask, subject=number))
        return cases

    def split_cases(self, cases: list[Case]) -> Split:
        """A published protocol of `configs/splits/btcv.json`, or all existing cases, shuffled once."""
        if self.protocol == "by_case":
            return cut_by_subject(self.protocol, cases)
        return read_split(self.name, self.protocol, cases)

    @property
    def _training(self) -> tuple[Path, Path]:
        """The folders of images and labels."""
        for place in _PLACES:
            for names in _FOLDERS:
                found = [find_subfolder(self.folder, *place, name) for name in names]
                if found[0] and found[1] and _by_number(found[0], "img"):
                    return found[0], found[1]
        other = next((name for name in _OTHER_SETS if find_subfolder(self.folder, name)), None)
        note = f" ({other} is another data set)" if other else ""
        raise DataError(
            f"{self.folder}: no RawData/Training/img and label in it{note}.",
            "Unpack Abdomen/RawData.zip and give the folder that contains RawData.",
        )


def _by_number(folder: Path, start: str) -> dict[str, Path]:
    """The files of a folder by the part of their names after `start`."""
    found = list_volumes(folder).items()
    return {name.removeprefix(start): path for name, path in found if name.startswith(start)}
