"""AMOS22: 15 organs in abdominal CT and MR, in the layout of the archive."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from datamodules.bases.volume import VolumeDataModule, registered_name
from datamodules.files.nifti_layout import check_labels, list_volumes, nifti_stem, read_listing
from datamodules.index.splits import Split, cut_by_subject, hold_out_val
from zoo.errors import DataError
from zoo.preprocessing.spec import PreprocessingSpec
from zoo.types import Case

MODALITIES = ("both", "ct", "mr")
PARTS = {"Tr": "training", "Va": "validation"}
"""The archive's labelled parts and their keys in `dataset.json`; the labels of `Ts` are not public."""

LAST_CT = 500
"""Ids up to this are CT, those above MR: 500 CT of the 600 scans; the labelled ones end at 410 and begin at 507."""

_NAMES = {
    "gallbladder": ("gall bladder",),
    "aorta": ("arota",),  # so spelt in the archive
    "postcava": ("inferior vena cava",),
    "prostate_or_uterus": ("prostate/uterus",),
}
"""Other names of the card's classes in a `dataset.json`."""

log = logging.getLogger(__name__)


class Amos22(VolumeDataModule):
    """Volumes of `{images,labels}{Tr,Va}/amos_XXXX.nii.gz`; a file is one subject.

    The archive itself names no persons. The table of metadata that is published beside it gives some scans one
    birth date, sex and day (431 and 435, 466 and 492), so that its parts may share a few persons; it is not read.

    CT: window and body crop as for `btcv` (soft tissue, -175 to 250 HU), the usual ones of abdominal CT.
    MR: each volume normalised alone, because its scale says nothing. Both at 1.5x1.5x2.0 mm.

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
        """That of the modality; of CT, where it is both."""
        if self.modality == "mr":
            return PreprocessingSpec(spacing=self.spacing)
        return PreprocessingSpec(window=(-175.0, 250.0), crop_above=-175.0, spacing=self.spacing)

    def preprocessing_of(self, case: Case) -> PreprocessingSpec:
        """By the case's modality."""
        return PreprocessingSpec(spacing=self.spacing) if modality_of(case) == "mr" else self.preprocessing()

    def list_cases(self) -> list[Case]:
        """Every image and label of the two labelled parts, and what `dataset.json` lists beside them."""
        homes = (self.folder, self.folder / "amos22", self.folder / "amos22" / "amos22")
        home = next((f for f in homes if (f / "imagesTr").is_dir()), None)
        if home is None:
            raise DataError(f"{self.folder}: no imagesTr in it.", "Give the folder that holds imagesTr and imagesVa.")
        listing = home / "dataset.json"
        content = read_listing(listing, "AMOS22") if listing.is_file() else {}
        if "labels" in content:
            due = {values[0]: (name, *_NAMES.get(name, ())) for name, values in self.card.classes.items()}
            check_labels(listing, content["labels"], due)
        cases = []
        for part, key in PARTS.items():
            images, labels = list_volumes(home / f"images{part}"), list_volumes(home / f"labels{part}")
            listed = [str(entry.get("image", "")) for entry in content.get(key, []) if isinstance(entry, dict)]
            if images and not labels:
                log.warning("%s: no labels for it (an archive from before the challenge's end)", home / f"images{part}")
                continue
            names = {nifti_stem(Path(name)) for name in listed}
            for name in sorted(n for n in images.keys() | labels.keys() | names if n.removeprefix("amos_").isdigit()):
                image = images.get(name, home / f"images{part}" / f"{name}.nii.gz")  # a missing one is for the checks
                label = labels.get(name, home / f"labels{part}" / f"{name}.nii.gz")
                cases.append(Case(name, (image,), label, subject=name))
        return [case for case in cases if self.modality in ("both", modality_of(case))]

    def split_cases(self, cases: list[Case]) -> Split:
        """The archive's validation part is the test part; val is a tenth of each modality of its training part.

        By case, both parts are cut anew.
        """
        if self.protocol == "by_case":
            return cut_by_subject(self.protocol, cases, group=modality_of)
        test = {case.case_id for case in cases if case.images[0].parent.name == "imagesVa"}
        return hold_out_val(self.protocol, cases, test, group=modality_of)


def modality_of(case: Case) -> str:
    """The modality, "ct" or "mr", from the number of a case."""
    return "ct" if int(case.subject.removeprefix("amos_")) <= LAST_CT else "mr"
