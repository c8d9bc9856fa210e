"""BTCV (Synapse): 13 organs in abdominal CT, portal venous phase."""

from __future__ import annotations

from pathlib import Path

from datamodules.prepare import Recipe
from datamodules.splits import Split, read_split
from datamodules.volume import VolumeDataModule
from zoo.errors import DataError
from zoo.types import Case


class BTCV(VolumeDataModule):
    """Volumes of `RawData/Training/{img,label}/{img,label}XXXX.nii.gz`, in Hounsfield units.

    `root` is the folder that holds `RawData`, or `RawData`, or `Training`. The window of
    -175 to 250 HU and 1.5x1.5x2.0 mm are those of the literature's 24/6 recipes, and serve the 18/12
    protocol too, whose papers use slices and -125 to 275 HU; the crop takes away the air around the body.
    """

    name = "btcv"

    def recipe(self) -> Recipe:
        """Window, body crop and spacing."""
        return Recipe(window=(-175.0, 250.0), crop_above=-175.0, spacing=self.spacing)

    def index(self) -> list[Case]:
        """Every image of the training folder; its number is case and subject."""
        folder = next((f for f in self._places() if (f / "img").is_dir() and (f / "label").is_dir()), None)
        if folder is None:
            raise DataError(
                f"{self.folder}: no RawData/Training/img and label in it.", "Give the folder that holds RawData."
            )
        images = {path.name.removeprefix("img"): path for path in sorted((folder / "img").glob("img*.nii.gz"))}
        labels = {path.name.removeprefix("label"): path for path in sorted((folder / "label").glob("label*.nii.gz"))}
        cases = []
        for end in sorted(images | labels):
            number = end.removesuffix(".nii.gz")
            image = images.get(end, folder / "img" / f"img{end}")  # a missing one is named by the checks
            cases.append(Case(number, (image,), labels.get(end, folder / "label" / f"label{end}"), subject=number))
        return cases

    def cut(self, cases: list[Case]) -> Split:
        """A published protocol of `configs/splits/btcv.json`."""
        return read_split(self.name, self.protocol, cases)

    def _places(self) -> list[Path]:
        return [self.folder / "RawData" / "Training", self.folder / "Training", self.folder]
