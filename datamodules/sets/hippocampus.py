"""MSD Task04: hippocampus in brain MR, in the layout of the archive."""

from __future__ import annotations

from datamodules.bases.base import SegDataModule
from datamodules.index.splits import Split, cut_by_subject
from datamodules.sets.msd import checked_cases
from zoo.types import Case


class Hippocampus(SegDataModule):
    """Crops of about 35x50x35 voxels of 1 mm; a file's intensities have their own scale, so each is normalised alone.

    `root` is the folder `Task04_Hippocampus` or the one it lies in. A file is one subject.
    """

    name = "hippocampus"
    listed = True

    def list_cases(self) -> list[Case]:
        """The labelled cases that `dataset.json` lists, after a look at its label names."""
        return checked_cases(self.folder, "Task04_Hippocampus", self.card.listing)

    def split_cases(self, cases: list[Case]) -> Split:
        """72 % train, 8 % val, 20 % test, shuffled once."""
        return cut_by_subject(self.protocol, cases)
