"""What the embedded data sets share: cases that exist by number, in parts of a given size."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from datamodules.bases.base import SegDataModule
from datamodules.index.splits import SPLITS, Split, make_split
from zoo.errors import ConfigError
from zoo.types import Case, Geometry

SET_SEED = 0
"""The seed of the data sets themselves. A run's seed never changes what is drawn into a set."""


class PhantomDataModule(SegDataModule):
    """A generated data set: no files, no cache, every case a pure function of its part and number.

    Args:
        counts: Subjects in train, val and test; one subject is in one part only.
        **kwargs: See `SegDataModule`.
    """

    def __init__(self, counts: Sequence[int], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if len(counts) != len(SPLITS) or min(counts) < 1:
            raise ConfigError(f"--data.counts {list(counts)} is unusable.", "Give three numbers of 1 or more.")
        self.counts = dict(zip(SPLITS, counts, strict=True))

    def list_cases(self) -> list[Case]:
        """The cases of train, val and test by number."""
        return [
            case for part, count in self.counts.items() for number in range(count) for case in self._of(part, number)
        ]

    def split_cases(self, cases: list[Case]) -> Split:
        """The parts as they were drawn."""
        homes = {part: [case.case_id for case in cases if part_and_number(case)[0] == part] for part in SPLITS}
        return make_split(self.protocol, homes, cases)

    def _of(self, part: str, number: int) -> list[Case]:
        """The cases of one subject."""
        name = f"{part}-{number:04d}"
        return [Case(case_id=name, images=(), label=None, subject=name)]


def part_and_number(case: Case) -> tuple[str, int]:
    """Where a generated case stands, from its subject's name ("train-0007")."""
    part, number = case.subject.split("-")
    return part, int(number)


def whole(
    shape: tuple[int, ...], spacing: tuple[float, ...], unit: str, affine: Sequence[Sequence[float]] | None = None
) -> Geometry:
    """The geometry of a generated array: RAS already, nothing cropped, no file behind it."""
    rows = None if affine is None else tuple(tuple(float(value) for value in row) for row in affine)
    return Geometry(rows, shape, tuple((0, size) for size in shape), spacing, unit)
