"""KiTS23: kidneys, tumours and cysts in CT, as the three overlapping regions of the challenge."""

from __future__ import annotations

import logging
import re

from datamodules.bases.volume import VolumeDataModule
from datamodules.files.nifti_layout import find_root, find_volume, list_folders
from datamodules.index.splits import Split, cut_by_subject
from zoo.errors import DataError
from zoo.preprocessing.spec import PreprocessingSpec
from zoo.types import Case

_CASE = re.compile(r"case_\d+")
log = logging.getLogger(__name__)


class KiTS23(VolumeDataModule):
    """Folders `case_00000` with `imaging.nii.gz` and `segmentation.nii.gz`; each folder is one subject.

    `root` is the folder `dataset` of the authors' repository, or the repository. The repository has all labels, and
    its command downloads the images: a case without an image is left out with a warning. The test cases are not
    public.

    -175 to 250 HU, the soft-tissue window of `btcv` (our choice).
    """

    name = "kits23"

    def preprocessing(self) -> PreprocessingSpec:
        """Window and spacing."""
        return PreprocessingSpec(window=(-175.0, 250.0), spacing=self.spacing)

    def list_cases(self) -> list[Case]:
        """Every case that has an image.

        Raises:
            DataError: There is no folder of a case, or no case has an image.
        """
        fix = "Give the folder that contains case_00000."
        root = find_root(self.folder, lambda folder: bool(list_folders(folder, _CASE)), "case_00000", fix)
        cases: list[Case] = []
        without: list[Case] = []
        for folder in list_folders(root, _CASE).values():
            image, label = find_volume(folder, "imaging"), find_volume(folder, "segmentation")
            (cases if image.is_file() else without).append(Case(folder.name, (image,), label, subject=folder.name))
        if without and cases:
            names = ", ".join(case.case_id for case in without[:5])
            log.warning("%s: %d cases have no image and are left out: %s", self.name, len(without), names)
        if not cases:
            problem = f"{without[0].images[0]}: no such file, nor any other image."
            raise DataError(problem, "Run `kits23_download_data` of the authors' repository.", "missing_file")
        return cases

    def split_cases(self, cases: list[Case]) -> Split:
        """72 % train, 8 % val, 20 % test, shuffled once."""
        return cut_by_subject(self.protocol, cases)
