"""WORD: 16 organs in CT of the whole abdomen."""

from __future__ import annotations

import logging
from functools import cached_property
from pathlib import Path

from datamodules.bases.volume import VolumeDataModule
from datamodules.files.nifti_layout import find_root, list_volumes, pair_volumes
from datamodules.index.splits import Split, cut_by_subject, hold_out_val, make_split
from zoo.preprocessing.spec import PreprocessingSpec
from zoo.types import Case

ENDINGS = {"train": "Tr", "val": "Val", "test": "Ts"}
"""Endings of the folders of each split."""

log = logging.getLogger(__name__)


class WORD(VolumeDataModule):
    """Volumes of `{images,labels}{Tr,Val,Ts}/word_XXXX.nii.gz`; each file is one subject.

    `root` is the folder `WORD-V0.1.0`, or the folder that contains it. A folder of images without labels is left out
    with a warning: the labels of the test cases come in an archive of their own.

    -175 to 250 HU, the soft-tissue window of `btcv` (our choice).
    """

    name = "word"

    def preprocessing(self) -> PreprocessingSpec:
        """Window, body crop and spacing."""
        return PreprocessingSpec(window=(-175.0, 250.0), crop_above=-175.0, spacing=self.spacing)

    def list_cases(self) -> list[Case]:
        """Every image and label of the folders with labels."""
        return [case for cases in self._parts.values() for case in cases]

    def split_cases(self, cases: list[Case]) -> Split:
        """`official`: the folders; without `imagesVal`, val is a tenth of the train cases.

        `by_case`: 72 % train, 8 % val, 20 % test of the cases of all folders, shuffled once.
        """
        if self.protocol == "by_case":
            return cut_by_subject(self.protocol, cases)
        found = {case.case_id for case in cases}
        ids = {part: [case.case_id for case in of if case.case_id in found] for part, of in self._parts.items()}
        return (
            make_split(self.protocol, ids, cases)
            if ids["val"]
            else hold_out_val(self.protocol, cases, set(ids["test"]))
        )

    @cached_property
    def _parts(self) -> dict[str, list[Case]]:
        """The cases of each split.

        Raises:
            DataError: There is no folder `imagesTr`.
        """
        fix = "Give the folder that contains imagesTr."
        root = find_root(self.folder, lambda folder: (folder / "imagesTr").is_dir(), "imagesTr", fix)
        return {part: _cases_of(root / f"images{end}", root / f"labels{end}") for part, end in ENDINGS.items()}


def _cases_of(images: Path, labels: Path) -> list[Case]:
    """The cases of one split; none where it has no labels."""
    if list_volumes(images) and not list_volumes(labels):
        log.warning("%s: no labels for it in %s; its cases are left out", images, labels)
        return []
    return [Case(name, (image,), label, subject=name) for name, (image, label) in pair_volumes(images, labels).items()]
