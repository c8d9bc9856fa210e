"""The base of the embedded data sets: cases by number, in splits of a given size."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from datamodules.bases.base import SegDataModule
from datamodules.index.splits import SPLITS, Split, make_split
from zoo.errors import ConfigError
from zoo.types import Case, Geometry

SET_SEED = 0
"""The seed of the data sets. The seed of a run never changes which cases a data set has."""


MOST_SUBJECTS = 1_000_000
"""Each has an entry in the list of cases, which is in memory."""


class PhantomDataModule(SegDataModule):
    """A generated data set without files and cache. Every case is a pure function of its split and its number.

    Args:
        counts: Numbers of subjects in train, val and test. A subject is in one split only.
        **kwargs: See `SegDataModule`.
    """

    def __init__(self, counts: Sequence[int], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if len(counts) != len(SPLITS) or min(counts) < 1:
            raise ConfigError(f"--data.counts {list(counts)} is unusable.", "Give three numbers of 1 or more.")
        if sum(counts) > MOST_SUBJECTS:
            raise ConfigError(f"--data.counts {list(counts)} is unusable.", f"Give {MOST_SUBJECTS} or fewer in all.")
        self.counts = dict(zip(SPLITS, counts, strict=True))

    def list_cases(self) -> list[Case]:
        """The cases of train, val and test by number."""
        return [
            case
            for split, count in self.counts.items()
            for number in range(count)
            for case in self.subject_cases(split, number)
        ]

    def split_cases(self, cases: list[Case]) -> Split:
        """The splits for which the cases are generated."""
        ids = {split: [case.case_id for case in cases if split_and_number(case)[0] == split] for split in SPLITS}
        return make_split(self.protocol, ids, cases)

    def subject_cases(self, split: str, number: int) -> list[Case]:
        """The cases of one subject."""
        name = f"{split}-{number:04d}"
        return [Case(case_id=name, images=(), label=None, subject=name)]


def split_and_number(case: Case) -> tuple[str, int]:
    """The split and the number of a generated case, from the name of its subject ("train-0007")."""
    split, number = case.subject.split("-")
    return split, int(number)


def uncropped_geometry(
    shape: tuple[int, ...], spacing: tuple[float, ...], unit: str, affine: Sequence[Sequence[float]] | None = None
) -> Geometry:
    """The geometry of a generated array: in RAS order, without a crop and without a file."""
    rows = None if affine is None else tuple(tuple(float(value) for value in row) for row in affine)
    return Geometry(rows, shape, tuple((0, size) for size in shape), spacing, unit)
