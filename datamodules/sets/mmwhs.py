"""MM-WHS: seven structures of the whole heart in CT angiography and in MR."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datamodules.bases.volume import VolumeDataModule, registered_name
from datamodules.files.nifti_layout import unwrap_folder
from datamodules.index.splits import Split, cut_by_subject
from zoo.errors import DataError
from zoo.io.readers import Reader
from zoo.preprocessing.spec import PreprocessingSpec
from zoo.types import Case, Geometry

MODALITIES = ("both", "ct", "mr")
STRAY, LEFT_ATRIUM = 421, 420
"""A value that some label files have beside that of the left atrium, which it lies in."""

_NAME = re.compile(r"(ct|mr)_train_(\d+)_(image|label)\.nii(\.gz)?")
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class MmwhsReader(Reader):
    """The label's stray value is told, or mended and told.

    Attributes:
        mend: Whether 421 is read as 420.
    """

    mend: bool = False

    def label(self, path: Path) -> tuple[NDArray[np.int32], Geometry]:
        """See `Reader.label`."""
        array, geometry = super().label(path)
        stray = array == STRAY
        count = int(np.count_nonzero(stray))
        if count and not self.mend:
            raise DataError(
                f"{path}: unexpected label values [{STRAY}] in {count} voxels.",
                f"Known in this set and meant as {LEFT_ATRIUM}, left atrium: --data.mend_labels true reads it so.",
                "label_values",
            )
        if count:
            log.warning("%s: %d voxels of %d are read as %d, left atrium", path, count, STRAY, LEFT_ATRIUM)
            array = np.where(stray, np.int32(LEFT_ATRIUM), array)
        return array, geometry


class MMWHS(VolumeDataModule):
    """Files `{ct,mr}_train_XXXX_{image,label}.nii.gz`, in `ct_train` and `mr_train` or in any folder of `root`.

    The labels of the test part are not public. CT: -200 to 600 HU, from fat to blood with contrast, our
    choice, as papers crop and scale in many ways. MR: each volume normalised alone. Both at 1 mm.

    Args:
        modality: "both", "ct" or "mr": the same as `--data mmwhs`, `mmwhs_ct` or `mmwhs_mr`.
        mend_labels: Read the stray label value 421 as 420, the left atrium; each file that has it is named.
        **kwargs: See `VolumeDataModule`.
    """

    def __init__(self, modality: str = "both", mend_labels: bool = False, **kwargs: Any) -> None:
        self.name = registered_name("mmwhs", "--data.modality", modality, MODALITIES)
        super().__init__(**kwargs)
        self.modality, self.mend_labels = modality, mend_labels

    @cached_property
    def reader(self) -> MmwhsReader:
        """Mends labels on request."""
        return MmwhsReader(self.dropped_values, self.mend_labels)

    def preprocessing(self) -> PreprocessingSpec:
        """That of the modality; of CT, where it is both."""
        window = None if self.modality == "mr" else (-200.0, 600.0)
        return PreprocessingSpec(window=window, spacing=self.spacing)

    def preprocessing_of(self, case: Case) -> PreprocessingSpec:
        """By the case's modality."""
        return PreprocessingSpec(spacing=self.spacing) if modality_of(case) == "mr" else self.preprocessing()

    def list_cases(self) -> list[Case]:
        """Every labelled case; its file's name without `_image` is case and subject."""
        files: dict[str, dict[str, Path]] = {}
        for path in sorted(self.folder.rglob("*_train_*.nii*")):
            found = _NAME.fullmatch(path.name)
            file = unwrap_folder(path)
            if found and file.is_file() and self.modality in ("both", found[1]):
                files.setdefault(f"{found[1]}_train_{found[2]}", {}).setdefault(found[3], file)
        if not files:
            what = "ct_train or mr_train" if self.modality == "both" else f"{self.modality}_train"
            raise DataError(f"{self.folder}: no {what} files in it.", "Give the folder that holds them.")
        cases = []
        for name, pair in sorted(files.items()):
            home = next(iter(pair.values())).parent  # a missing one is for the checks
            image, label = (pair.get(kind, home / f"{name}_{kind}.nii.gz") for kind in ("image", "label"))
            cases.append(Case(name, (image,), label, subject=name))
        return cases

    def split_cases(self, cases: list[Case]) -> Split:
        """72 % train, 8 % val, 20 % test of each modality, shuffled once."""
        return cut_by_subject(self.protocol, cases, group=modality_of)


def modality_of(case: Case) -> str:
    """The modality, "ct" or "mr", from a case's name."""
    return case.case_id[:2]
