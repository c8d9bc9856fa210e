"""FLARE22: 13 organs in the 50 labelled CTs of the challenge."""

from __future__ import annotations

from pathlib import Path

from datamodules.bases.volume import VolumeDataModule
from datamodules.files.nifti_layout import find_root, pair_volumes
from datamodules.index.splits import Split, cut_by_subject
from zoo.preprocessing.spec import PreprocessingSpec
from zoo.types import Case

LAYOUTS = (("images", "labels"), ("imagesTr", "labelsTr"))
"""The folders of images and labels: of the archive, and of copies for nnU-Net."""


class FLARE22(VolumeDataModule):
    """Volumes `images/FLARE22_Tr_0001_0000.nii.gz` with labels `labels/FLARE22_Tr_0001.nii.gz`; a file is one subject.

    `root` is the folder `FLARE22Train`, or the folder that contains it. The CTs are some of those of `msd_pancreas`, so
    that a model that was trained on one of the two sets must not be tested on the other. The unlabelled cases of the
    challenge are not read, and the labels of its test cases are not public.

    -175 to 250 HU, the soft-tissue window of `btcv` (our choice).
    """

    name = "flare22"

    def preprocessing(self) -> PreprocessingSpec:
        """Window, body crop and spacing."""
        return PreprocessingSpec(window=(-175.0, 250.0), crop_above=-175.0, spacing=self.spacing)

    def list_cases(self) -> list[Case]:
        """Every image and label.

        Raises:
            DataError: There is no folder of images with a folder of labels.
        """
        fix = "Give the folder FLARE22Train."
        root = find_root(self.folder, lambda folder: bool(_layout_of(folder)), "images with labels", fix)
        images, labels = _layout_of(root)
        pairs = pair_volumes(root / images, root / labels, "_0000")
        return [Case(name, (image,), label, subject=name) for name, (image, label) in pairs.items()]

    def split_cases(self, cases: list[Case]) -> Split:
        """72 % train, 8 % val, 20 % test, shuffled once."""
        return cut_by_subject(self.protocol, cases)


def _layout_of(folder: Path) -> tuple[str, ...]:
    """The names of the folders of images and labels in a folder; empty where it has no such pair."""
    return next((names for names in LAYOUTS if all((folder / name).is_dir() for name in names)), ())
