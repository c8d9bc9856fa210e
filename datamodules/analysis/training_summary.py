"""Measure the training cases of a split for the planner. No file of a val or test case is read."""

from __future__ import annotations

import math
from array import array
from collections import Counter
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from datamodules.bases.stored_summary import origin_of
from zoo.errors import DataError
from zoo.planner.files import write_summary
from zoo.planner.summary import CT, DatasetSummary, Grid, Intensities
from zoo.preprocessing.apply import PreparedCase
from zoo.types import UNKNOWN, Case

if TYPE_CHECKING:
    from pathlib import Path

    from datamodules.bases.base import SegDataModule

_LOWEST, _BINS = -(2**15), 2**16  # one bin per Hounsfield unit


class ForegroundIntensities:
    """Mean, deviation and percentiles of the foreground of all cases, in constant memory.

    Percentiles are those of a histogram with one bin per Hounsfield unit, which is exact for whole numbers.

    Args:
        channels: The number of channels.
    """

    def __init__(self, channels: int) -> None:
        self._counts = np.zeros((channels, _BINS), np.int64)
        self._sums = np.zeros((2, channels))

    def add(self, channel: int, values: NDArray[np.float32]) -> None:
        """Add the foreground values of one channel of a case, float32 [n]."""
        bins = np.clip(np.rint(values), _LOWEST, _LOWEST + _BINS - 1).astype(np.int64) - _LOWEST
        self._counts[channel] += np.bincount(bins, minlength=_BINS)
        self._sums[:, channel] += values.sum(dtype=np.float64), np.square(values, dtype=np.float64).sum()

    def results(self) -> tuple[Intensities, ...]:
        """The intensities of each channel; none where no value was added."""
        return tuple(self._result(channel) for channel in range(len(self._counts)) if self._counts[channel].any())

    def _result(self, channel: int) -> Intensities:
        reached = self._counts[channel].cumsum()
        total = int(reached[-1])
        mean, square = (float(value) / total for value in self._sums[:, channel])
        low, high = (int(np.searchsorted(reached, share * (total - 1), side="right")) for share in (0.005, 0.995))
        std = math.sqrt(max(square - mean**2, 0.0))
        return Intensities(float(low + _LOWEST), float(high + _LOWEST), round(mean, 6), round(std, 6))


def measure_training(
    data: SegDataModule, progress: Callable[[Iterable[Case]], Iterable[Case]] = iter
) -> DatasetSummary:
    """Measure the training cases of the protocol and fold of a data set.

    Args:
        data: The data set.
        progress: Wraps the cases while they are read, for a progress bar.

    Raises:
        DataError: A file of a training case is faulty, or no case of a CT data set has a foreground.
    """
    grids: Counter[tuple[tuple[int, ...], tuple[float, ...]]] = Counter()
    kept, foreground = array("d"), ForegroundIntensities(data.card.in_channels)
    seen: set[str] = set()
    is_ct = data.card.modality == CT and not data.card.embedded
    for case in progress(data.index.cases_of("train")):
        prepared = _load_alone(data, case)
        if case.case_id not in seen:  # the queries of an image have one grid
            seen.add(case.case_id)
            geometry = prepared.geometry
            shape = tuple(stop - start for start, stop in geometry.crop)
            grids[shape, tuple(round(float(step), 6) for step in geometry.spacing)] += 1
            kept.append(math.prod(shape) / math.prod(geometry.shape))
        if is_ct:
            _add_foreground(foreground, data, case, prepared)
    found = foreground.results()
    if is_ct and len(found) != data.card.in_channels:
        raise DataError(f"{data.name}: no training case has a labelled voxel.", "Correct the labels or the split.")
    return DatasetSummary(
        grids=tuple(Grid(shape, spacing, count) for (shape, spacing), count in sorted(grids.items())),
        labels=len(data.labels.names) + 1,
        in_channels=data.card.in_channels,
        modality=data.card.modality,
        kept=round(float(np.median(kept)), 6),
        intensities=found,
        unit=data.card.unit,
    )


def store_summary(
    data: SegDataModule, progress: Callable[[Iterable[Case]], Iterable[Case]] = iter
) -> tuple[DatasetSummary, Path]:
    """Measure the training cases and store the summary; return it and its file.

    Raises:
        DataError: As `measure_training`.
        RunError: The file cannot be written.
    """
    origin = origin_of(data)
    summary = measure_training(data, progress)
    return summary, write_summary(summary, origin)


def _load_alone(data: SegDataModule, case: Case) -> PreparedCase:
    """The arrays of a case. The entry of all pictures would read val and test as well, so it is not used."""
    alone = data.card.spatial_dims == 2 or data.card.embedded
    return data.load(case) if alone else data.prepared(case)


def _add_foreground(found: ForegroundIntensities, data: SegDataModule, case: Case, prepared: PreparedCase) -> None:
    native = prepared.native if prepared.native is not None else prepared.label
    if native is None:
        return
    labelled = (native > 0) & (native != UNKNOWN)
    mask = labelled if labelled.ndim == data.card.spatial_dims else labelled.any(axis=0)
    channel = 0
    for path in case.images:
        for image in data.reader.image(path)[0]:
            found.add(channel, image[mask])
            channel += 1
