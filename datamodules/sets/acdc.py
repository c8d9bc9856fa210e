"""ACDC: the heart's chambers in cine MR, at end-diastole and end-systole."""

from __future__ import annotations

import logging
from functools import cached_property
from pathlib import Path

from datamodules.bases.volume import VolumeDataModule
from datamodules.files.nifti_layout import find_volume, list_volumes
from datamodules.index.splits import Split, cut_by_subject, hold_out_val
from zoo.errors import DataError
from zoo.preprocessing.spec import PreprocessingSpec
from zoo.types import Case
from zoo.utils.text_files import read_text

PHASES = ("ED", "ES")
log = logging.getLogger(__name__)


class ACDC(VolumeDataModule):
    """Folders `{training,testing}/patientXXX` with `Info.cfg` and one volume and one label per phase.

    `root` is the folder that contains `training`, or `ACDC/database` of the archive above it. The folder `testing` is
    used where it has labels, as it has since 2022. Slices are 5 to 10 mm apart and moved by breathing. The grid
    therefore stays coarse across them: 1.5625x1.5625 mm, the median pixel of the data set, and 10 mm. Each volume is
    normalised alone.
    """

    name = "acdc"

    def preprocessing(self) -> PreprocessingSpec:
        """Normalised, at the spacing of the options."""
        return PreprocessingSpec(spacing=self.spacing)

    def list_cases(self) -> list[Case]:
        """Two cases per patient, `patient001_ED` and `patient001_ES`: the frames that `Info.cfg` names."""
        cases = []
        for folder in [*self._patients["training"], *self._patients["testing"]]:
            info = read_info(folder / "Info.cfg")
            for phase in PHASES:
                frame = f"{folder.name}_frame{info[phase]:02d}"
                image, label = find_volume(folder, frame), find_volume(folder, f"{frame}_gt")
                cases.append(Case(f"{folder.name}_{phase}", (image,), label, subject=folder.name))
        return cases

    def split_cases(self, cases: list[Case]) -> Split:
        """By patient and diagnosis. The folder `testing`, or a fifth, is the test split; a tenth of the rest is val."""
        tested = {folder.name for folder in self._patients["testing"]}
        if self.protocol == "official":
            test = {case.case_id for case in cases if case.subject in tested}
            return hold_out_val(self.protocol, cases, test, group=self._diagnosis)
        training = [case for case in cases if case.subject not in tested]
        return cut_by_subject(self.protocol, training, shares=(0.7, 0.1, 0.2), group=self._diagnosis)

    @cached_property
    def _patients(self) -> dict[str, list[Path]]:
        """The folders of the patients in `training` and `testing`."""
        candidates = [self.folder, self.folder / "database", self.folder / "ACDC" / "database", self.folder / "ACDC"]
        database = next((one for one in candidates if (one / "training").is_dir()), None)
        if database is None:
            raise DataError(f"{self.folder}: no training/patientXXX in it.", "Give the folder that contains training.")
        found = {name: _patients_of(database / name) for name in ("training", "testing")}
        if not any(_has_labels(folder) for folder in found["testing"]):
            if found["testing"]:
                log.warning(
                    "%s: no labels in it (a copy from before 2022), its patients are left out", database / "testing"
                )
            found["testing"] = []
        return found

    @cached_property
    def _diagnoses(self) -> dict[str, str]:
        """Patient to diagnosis; empty where the file has none."""
        folders = [folder for patients in self._patients.values() for folder in patients]
        return {folder.name: str(read_info(folder / "Info.cfg").get("Group", "")) for folder in folders}

    def _diagnosis(self, case: Case) -> str:
        return self._diagnoses[case.subject]


def _patients_of(folder: Path) -> list[Path]:
    """The folders of the patients; an older archive unpacks to `training/training`."""
    inner = folder / folder.name
    return [path for path in sorted((inner if inner.is_dir() else folder).glob("patient*")) if path.is_dir()]


def _has_labels(patient: Path) -> bool:
    return any(name.endswith("_gt") for name in list_volumes(patient))


def read_info(path: Path) -> dict[str, int | str]:
    """Read an `Info.cfg`: lines of `key: value`.

    Returns:
        "ED" and "ES" as frame numbers; every other value as a text.

    Raises:
        DataError: The file cannot be read, has a key twice, or does not name both frames.
    """
    try:
        lines = read_text(path).splitlines()
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be read ({error}).", "Get the files of the patient again.") from error
    found: dict[str, int | str] = {}
    for line in lines:
        key, _, value = (part.strip() for part in line.partition(":"))
        if key in found and found[key] != value:
            raise DataError(f"{path}: '{key}' is there twice.", "Get the files of the patient again.")
        found[key] = value
    for phase in PHASES:
        value = str(found.get(phase, ""))
        if not value.isdecimal():
            raise DataError(f"{path}: no frame number for {phase} ('{value}').", "Get the files of the patient again.")
        found[phase] = int(value)
    return found
