"""CHAOS: abdominal organs in MR (two sequences), the liver in CT: DICOM series with PNG masks."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

from datamodules.bases.volume import VolumeDataModule, registered_name
from datamodules.index.splits import Split, cut_by_subject
from zoo.errors import DataError
from zoo.io.dicom import SeriesReader
from zoo.preprocessing.spec import PreprocessingSpec
from zoo.types import Case

SERIES = ("t2spir", "t1dual", "ct")
RANGES = ((55, 70, 63), (110, 135, 126), (175, 200, 189), (240, 255, 252))
"""The grey ranges of the challenge for liver, right kidney, left kidney and spleen, each with its middle."""

_FOLDERS = {
    "t2spir": ("MR", "T2SPIR", ("DICOM_anon",)),
    "t1dual": ("MR", "T1DUAL", ("DICOM_anon/InPhase", "DICOM_anon/OutPhase")),
    "ct": ("CT", "", ("DICOM_anon",)),
}


class Chaos(VolumeDataModule):
    """Folders `Train_Sets/MR/<patient>/{T1DUAL,T2SPIR}/{DICOM_anon,Ground}` and `Train_Sets/CT/<patient>/...`.

    `root` is the folder that contains `MR` and `CT`, or one of `Train_Sets` and `CHAOS_Train_Sets` above it. The labels
    of the test data are not public. Each MR volume is normalised alone; CT has the soft-tissue window and body crop of
    `btcv`. The spacings are near the middle of the series (our choice). T1DUAL has two channels of one breath-hold,
    in-phase and opposed-phase.

    Args:
        series: "t2spir", "t1dual" or "ct": the same as `--data chaos`, `chaos_t1dual` or `chaos_ct`.
        **kwargs: See `VolumeDataModule`.
    """

    def __init__(self, series: str = "t2spir", **kwargs: Any) -> None:
        self.name = registered_name("chaos", "--data.series", series, SERIES)
        super().__init__(**kwargs)
        self.series = series

    @cached_property
    def reader(self) -> SeriesReader:
        """Reads DICOM, and masks of MR by their grey ranges."""
        return SeriesReader(self.dropped_values, () if self.series == "ct" else RANGES)

    def preprocessing(self) -> PreprocessingSpec:
        """By the modality."""
        if self.series == "ct":
            return PreprocessingSpec(window=(-175.0, 250.0), crop_above=-175.0, spacing=self.spacing)
        return PreprocessingSpec(spacing=self.spacing)

    def list_cases(self) -> list[Case]:
        """One case per patient, by the number of the folder."""
        modality, inner, channels = _FOLDERS[self.series]
        candidates = [self.folder, self.folder / "Train_Sets", self.folder / "CHAOS_Train_Sets" / "Train_Sets"]
        patients = next((one / modality for one in candidates if (one / modality).is_dir()), None)
        if patients is None:
            raise DataError(f"{self.folder}: no Train_Sets/{modality} in it.", "Give the folder of CHAOS_Train_Sets.")
        cases = []
        for patient in sorted(
            (path for path in patients.iterdir() if path.name.isdecimal()), key=lambda path: int(path.name)
        ):
            folder = patient / inner if inner else patient
            images = tuple(self._first(folder / channel, ".dcm") for channel in channels)
            name = f"{modality.lower()}_{patient.name}"
            cases.append(Case(name, images, self._first(folder / "Ground", ".png"), subject=name))
        return cases

    def split_cases(self, cases: list[Case]) -> Split:
        """72 % train, 8 % val, 20 % test of the patients, shuffled once."""
        return cut_by_subject(self.protocol, cases)

    def _first(self, folder: Path, suffix: str) -> Path:
        """The first file of a series; where there is none, a path that the checks report."""
        return self.reader.files(folder / f"*{suffix}")[0]
