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
from datamodules.files.nifti_layout import is_volume, unwrap_folder
from datamodules.index.case_names import nifti_stem
from datamodules.index.splits import Split, cut_by_subject
from zoo.errors import DataError
from zoo.io.readers import Reader
from zoo.preprocessing.spec import PreprocessingSpec
from zoo.types import Case, Geometry

MODALITIES = ("both", "ct", "mr")
WRONG_VALUE, LEFT_ATRIUM = 421, 420
"""A wrong value inside the left atrium of some label files, and the value of the left atrium."""

_NAME = re.compile(r"(ct|mr)_train_(\d+)_(image|label)")
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class MmwhsReader(Reader):
    """Reads labels; a label with the wrong value is refused, or corrected with a warning.

    Attributes:
        correct: Whether 421 is read as 420.
    """

    correct: bool = False

    def label(self, path: Path) -> tuple[NDArray[np.int32], Geometry]:
        """See `Reader.label`."""
        array, geometry = super().label(path)
        wrong = array == WRONG_VALUE
        count = int(np.count_nonzero(wrong))
        if count and not self.correct:
            raise DataError(
                f"{path}: unexpected label values [{WRONG_VALUE}] in {count} voxels.",
                f"It stands for {LEFT_ATRIUM}, left atrium, in this data set: --data.mend_labels true reads it so.",
                "label_values",
            )
        if count:
            log.warning("%s: %d voxels of %d are read as %d, left atrium", path, count, WRONG_VALUE, LEFT_ATRIUM)
            array = np.where(wrong, np.int32(LEFT_ATRIUM), array)
        return array, geometry


class MMWHS(VolumeDataModule):
    """Files `{ct,mr}_train_XXXX_{image,label}.nii.gz`, in `ct_train` and `mr_train` or in any folder of `root`.

    The labels of the test data are not public. CT: -200 to 600 HU, from fat to blood with contrast (our choice, because
    publications crop and scale in many ways). MR: each volume is normalised alone. Both are resampled to 1 mm.

    Args:
        modality: "both", "ct" or "mr": the same as `--data mmwhs`, `mmwhs_ct` or `mmwhs_mr`.
        mend_labels: Whether the wrong label value 421 is read as 420, the left atrium, with a warning per file.
        **kwargs: See `VolumeDataModule`.
    """

    def __init__(self, modality: str = "both", mend_labels: bool = False, **kwargs: Any) -> None:
        self.name = registered_name("mmwhs", "--data.modality", modality, MODALITIES)
        super().__init__(**kwargs)
        self.modality, self.mend_labels = modality, mend_labels

    @cached_property
    def reader(self) -> MmwhsReader:
        """Corrects labels where the option says so."""
        return MmwhsReader(self.dropped_values, self.mend_labels)

    def preprocessing(self) -> PreprocessingSpec:
        """The preprocessing of the modality; that of CT for both modalities."""
        window = None if self.modality == "mr" else (-200.0, 600.0)
        return PreprocessingSpec(window=window, spacing=self.spacing)

    def preprocessing_of(self, case: Case) -> PreprocessingSpec:
        """By the modality of the case."""
        return PreprocessingSpec(spacing=self.spacing) if modality_of(case) == "mr" else self.preprocessing()

    def preprocessing_by_kind(self) -> dict[str, PreprocessingSpec]:
        """That of CT and that of MR, if the training has both."""
        if self.modality != "both":
            return super().preprocessing_by_kind()
        return {"ct": self.preprocessing(), "mr": PreprocessingSpec(spacing=self.spacing)}

    def list_cases(self) -> list[Case]:
        """Every labelled case; the name of its image without `_image` is the case id and the subject."""
        files: dict[str, dict[str, Path]] = {}
        for path in sorted(path for path in self.folder.rglob("*_train_*") if is_volume(path)):
            found = _NAME.fullmatch(nifti_stem(path))
            file = unwrap_folder(path)
            if found and file.is_file() and self.modality in ("both", found[1]):
                files.setdefault(f"{found[1]}_train_{found[2]}", {}).setdefault(found[3], file)
        if not files:
            what = "ct_train or mr_train" if self.modality == "both" else f"{self.modality}_train"
            raise DataError(f"{self.folder}: no {what} files in it.", "Give the folder that contains them.")
        cases = []
        for name, pair in sorted(files.items()):
            folder = next(iter(pair.values())).parent  # the checks report a missing file
            image, label = (pair.get(kind, folder / f"{name}_{kind}.nii.gz") for kind in ("image", "label"))
            cases.append(Case(name, (image,), label, subject=name))
        return cases

    def split_cases(self, cases: list[Case]) -> Split:
        """72 % train, 8 % val, 20 % test of each modality, shuffled once."""
        return cut_by_subject(self.protocol, cases, group=modality_of)


def modality_of(case: Case) -> str:
    """The modality of a case, "ct" or "mr", from its name."""
    return case.case_id[:2]
