"""AMOS22: 15 organs in abdominal CT and MR, in the layout of the archive."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from datamodules.bases.volume import VolumeDataModule, registered_name
from datamodules.files.nifti_layout import check_labels, list_volumes, read_listing
from datamodules.index.case_names import nifti_stem
from datamodules.index.splits import Split, cut_by_subject, hold_out_val
from zoo.errors import DataError
from zoo.preprocessing.spec import PreprocessingSpec
from zoo.types import Case

MODALITIES = ("both", "ct", "mr")
FOLDERS = {"Tr": "training", "Va": "validation"}
"""Endings of the labelled folders and their keys in `dataset.json`; the labels of `Ts` are not public."""

LAST_CT = 500
"""Numbers up to this one are CT, higher numbers are MR: 500 of the 600 scans are CT (labelled: to 410, from 507)."""

_NAMES = {
    "gallbladder": ("gall bladder",),
    "aorta": ("arota",),  # the spelling of the archive
    "postcava": ("inferior vena cava",),
    "prostate_or_uterus": ("prostate/uterus",),
}
"""Names that `dataset.json` may have for classes of the card."""

log = logging.getLogger(__name__)


class Amos22(VolumeDataModule):
    """Volumes of `{images,labels}{Tr,Va}/amos_XXXX.nii.gz`; each file is one subject.

    The archive names no persons. A published table of metadata has the same birth date, sex and day for some scans
    (431 and 435, 466 and 492), so that two splits may share a few persons. The table is not read.

    CT: window and body crop of `btcv` (soft tissue, -175 to 250 HU), the usual values for abdominal CT.
    MR: each volume is normalised alone, because its scale has no meaning. Both are resampled to 1.5x1.5x2.0 mm.

    Args:
        modality: "both", "ct" or "mr": the same as `--data amos22`, `amos22_ct` or `amos22_mr`.
        **kwargs: See `VolumeDataModule`.
    """

    listed = True

    def __init__(self, modality: str = "both", **kwargs: Any) -> None:
        self.name = registered_name("amos22", "--data.modality", modality, MODALITIES)
        super().__init__(**kwargs)
        self.modality = modality

    def preprocessing(self) -> PreprocessingSpec:
        """The preprocessing of the modality; that of CT for both modalities."""
        if self.modality == "mr":
            return PreprocessingSpec(spacing=self.spacing)
        return PreprocessingSpec(window=(-175.0, 250.0), crop_above=-175.0, spacing=self.spacing)

    def preprocessing_of(self, case: Case) -> PreprocessingSpec:
        """By the modality of the case."""
        return PreprocessingSpec(spacing=self.spacing) if modality_of(case) == "mr" else self.preprocessing()

    def preprocessing_by_kind(self) -> dict[str, PreprocessingSpec]:
        """That of CT and that of MR, if the training has both."""
        if self.modality != "both":
            return super().preprocessing_by_kind()
        return {"ct": self.preprocessing(), "mr": PreprocessingSpec(spacing=self.spacing)}

    def list_cases(self) -> list[Case]:
        """Every image and label of the two labelled folders, and every further case of `dataset.json`."""
        candidates = (self.folder, self.folder / "amos22", self.folder / "amos22" / "amos22")
        root = next((one for one in candidates if (one / "imagesTr").is_dir()), None)
        if root is None:
            raise DataError(
                f"{self.folder}: no imagesTr in it.", "Give the folder that contains imagesTr and imagesVa."
            )
        listing = root / "dataset.json"
        content = read_listing(listing, "AMOS22") if listing.is_file() else {}
        if "labels" in content:
            expected = {values[0]: (name, *_NAMES.get(name, ())) for name, values in self.card.classes.items()}
            check_labels(listing, content["labels"], expected)
        cases = []
        for ending, key in FOLDERS.items():
            images, labels = list_volumes(root / f"images{ending}"), list_volumes(root / f"labels{ending}")
            listed = [str(entry.get("image", "")) for entry in content.get(key, []) if isinstance(entry, dict)]
            if images and not labels:
                log.warning(
                    "%s: no labels for it (an archive from before the challenge's end)", root / f"images{ending}"
                )
                continue
            names = {nifti_stem(Path(name)) for name in listed}
            for name in sorted(n for n in images.keys() | labels.keys() | names if n.removeprefix("amos_").isdecimal()):
                image = images.get(
                    name, root / f"images{ending}" / f"{name}.nii.gz"
                )  # the checks report a missing file
                label = labels.get(name, root / f"labels{ending}" / f"{name}.nii.gz")
                cases.append(Case(name, (image,), label, subject=name))
        return [case for case in cases if self.modality in ("both", modality_of(case))]

    def split_cases(self, cases: list[Case]) -> Split:
        """The folder `imagesVa` is the test split; val is a tenth of each modality of the training folder.

        The protocol `by_case` shuffles the cases of both folders.
        """
        if self.protocol == "by_case":
            return cut_by_subject(self.protocol, cases, group=modality_of)
        test = {case.case_id for case in cases if case.images[0].parent.name == "imagesVa"}
        return hold_out_val(self.protocol, cases, test, group=modality_of)


def modality_of(case: Case) -> str:
    """The modality of a case, "ct" or "mr", from its number."""
    return "ct" if int(case.subject.removeprefix("amos_")) <= LAST_CT else "mr"
