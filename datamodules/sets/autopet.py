"""autoPET: FDG-avid tumour lesions in whole-body PET with CT."""

from __future__ import annotations

import re

from datamodules.bases.volume import VolumeDataModule
from datamodules.files.nifti_layout import find_root, find_volume, list_folders
from datamodules.index.splits import Split, cut_by_subject
from zoo.preprocessing.spec import PreprocessingSpec
from zoo.types import Case

CHANNELS = ("CTres", "SUV")
"""The files of the channels, in their order: the CT on the grid of the PET, and the PET in SUV."""

_PATIENT = re.compile("PETCT_.*", re.DOTALL)


class AutoPET(VolumeDataModule):
    """Folders `PETCT_<patient>/<study>` with `CTres.nii.gz`, `SUV.nii.gz` and `SEG.nii.gz`.

    `root` is the folder `FDG-PET-CT-Lesions`, or the folder that contains it. Several studies may show one patient, who
    is the subject. A study without lesions has an empty mask: 513 of the 1014 studies. Each channel of each study is
    normalised alone.
    """

    name = "autopet"

    def preprocessing(self) -> PreprocessingSpec:
        """Normalised, at the spacing of the options."""
        return PreprocessingSpec(spacing=self.spacing)

    def list_cases(self) -> list[Case]:
        """One case per study; its name is that of the patient and the study, without blanks.

        Raises:
            DataError: There is no folder of a patient.
        """
        fix = "Give the folder FDG-PET-CT-Lesions."
        root = find_root(self.folder, lambda folder: bool(list_folders(folder, _PATIENT)), "PETCT_*", fix)
        cases = []
        for patient in list_folders(root, _PATIENT).values():
            for study in sorted(path for path in patient.iterdir() if path.is_dir()):
                images = tuple(find_volume(study, channel) for channel in CHANNELS)
                name = re.sub(r"\s+", "_", f"{patient.name}_{study.name}")
                cases.append(Case(name, images, find_volume(study, "SEG"), subject=patient.name))
        return cases

    def split_cases(self, cases: list[Case]) -> Split:
        """72 % train, 8 % val, 20 % test of the patients, shuffled once."""
        return cut_by_subject(self.protocol, cases)
