"""Prepared cases as torch data sets: random patches for training, whole images for evaluation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from datamodules.loading.samplers import generator
from datamodules.loading.text_source import SplitText
from zoo.errors import DataError
from zoo.preprocessing.apply import PreparedCase
from zoo.types import Batch, Case, CaseKey, Native

FOREGROUND_SHARE = 2 / 3
"""Default share of the patches around a foreground voxel. The class of the voxel is drawn among those of the case."""

Item = dict[str, Any]
BatchBuffer = dict[str, Tensor]
"""The tensors of a batch that is not filled yet, by name."""


class TrainingSet(Dataset[Batch]):
    """Patches of training cases.

    Args:
        cases: The cases.
        prepared: Gives the arrays of a case.
        patch: Size of a patch; a smaller volume is padded with 0 on both sides.
        seed: Seed of the draws.
        text: The text that a batch carries.
        margin: Voxels on each side that are cut beside the patch; they do not move the patch. Default 0.
        foreground_share: Share of the patches around a foreground voxel.
    """

    def __init__(
        self,
        cases: Sequence[Case],
        prepared: Callable[[Case], PreparedCase],
        patch: tuple[int, ...],
        seed: int,
        text: SplitText,
        margin: Sequence[int] | None = None,
        foreground_share: float = FOREGROUND_SHARE,
    ) -> None:
        self.cases, self.prepared, self.patch, self.seed, self.text = cases, prepared, patch, seed, text
        self.foreground_share = foreground_share
        self.margin = tuple(margin or [0] * len(patch))

    def __len__(self) -> int:
        return len(self.cases)

    def __getitem__(self, draw: tuple[int, int]) -> Batch:
        """The batch of one patch."""
        return self.fill(self.buffer(1), [draw])

    def buffer(self, count: int) -> BatchBuffer:
        """Memory of unknown content for a batch, pinned where there is a GPU."""
        size = [n + 2 * more for n, more in zip(self.patch, self.margin, strict=True)]
        return {
            name: torch.empty(count, channels, *size, dtype=dtype, pin_memory=torch.cuda.is_available())
            for name, (channels, dtype) in self._kinds.items()
        }

    def fill(self, buffer: BatchBuffer, draws: Sequence[tuple[int, int]]) -> Batch:
        """The patches of pairs (case index, draw number). Each patch is a pure function of its pair and the seed.

        The voxels are copied from the memory map into the batch, without a copy in between.

        Args:
            buffer: Made by `buffer`; becomes part of the batch.
            draws: Pairs (case index, draw number), as many as the buffer has samples.

        Raises:
            DataError: A case has other channels than the first case, or no label although the first case has one.
        """
        items = []
        for slot, (index, draw) in enumerate(draws):
            case = self.cases[index]
            prepared = self.prepared(case)
            start = patch_start(prepared, self.patch, generator(self.seed, draw), self.foreground_share)
            wider = [first - more for first, more in zip(start, self.margin, strict=True)]
            for name, (channels, _) in self._kinds.items():
                array = getattr(prepared, name)
                if array is None or len(array) != channels:
                    found = 0 if array is None else len(array)
                    raise DataError(f"{case.case_id}: {found} channels of {name}, but the first case has {channels}.")
                cut_into(buffer[name][slot].numpy(), array, wider)
            items.append(_item(case, prepared))
        batch = _batch(buffer["image"], items, self.text)
        if "label" in buffer:
            batch["label"] = buffer["label"]
        batch["draw"] = [draw for _, draw in draws]
        if self.text.class_wordings:
            batch["classes"] = self.text.draw_classes(batch["draw"][0], self.seed)
        reports = self.text.draw_reports([item["key"] for item in items], batch["draw"], self.seed)
        if reports is not None:
            batch["reports"] = reports
        return batch

    @cached_property
    def _kinds(self) -> dict[str, tuple[int, torch.dtype]]:
        """Channels and type of image and label in the first case."""
        first = self.prepared(self.cases[0])
        label = {} if first.label is None else {"label": (len(first.label), torch.uint8)}
        return {"image": (len(first.image), torch.float32), **label}


class EvaluationSet(Dataset[Item]):
    """Whole images on the network grid, with what scores on the native grid need.

    Args:
        cases: The cases.
        prepared: Gives the arrays of a case.
        exclusive: Whether the label holds class numbers.
        text: The text that a batch carries.
    """

    def __init__(
        self, cases: Sequence[Case], prepared: Callable[[Case], PreparedCase], exclusive: bool, text: SplitText
    ) -> None:
        self.cases, self.prepared, self.exclusive, self.text = cases, prepared, exclusive, text

    def __len__(self) -> int:
        return len(self.cases)

    def __getitem__(self, index: int) -> Item:
        case = self.cases[index]
        prepared = self.prepared(case)
        item = {**_item(case, prepared), "image": np.array(prepared.image)}
        item["native"] = native_of(prepared, self.exclusive)
        if prepared.label is not None:
            item["label"] = np.array(prepared.label)
        return item

    def collate(self, items: Sequence[Item], *, spare: bool = False) -> Batch:
        """Whole images as a batch.

        Args:
            items: Items of this data set.
            spare: Mark the batch as one that another rank scores.
        """
        batch = _batch(torch.from_numpy(np.stack([item["image"] for item in items])), items, self.text)
        if all("label" in item for item in items):
            batch["label"] = torch.from_numpy(np.stack([item["label"] for item in items]))
        batch["native"] = [item["native"] for item in items]
        if spare:
            batch["spare"] = True
        return batch


def native_of(prepared: PreparedCase, exclusive: bool) -> Native:
    """What scoring a case on its native grid needs; a copy, because prepared arrays may be read-only.

    Args:
        prepared: The case.
        exclusive: Whether the label holds class numbers.
    """
    native = prepared.native
    if native is None and prepared.label is not None:
        native = prepared.label[0] if exclusive else prepared.label
    return Native(prepared.geometry, None if native is None else np.array(native))


def _item(case: Case, prepared: PreparedCase) -> Item:
    geometry = prepared.geometry
    sizes = zip(geometry.crop, geometry.spacing, prepared.image.shape[1:], strict=True)
    spacing = [(stop - start) * step / n for (start, stop), step, n in sizes]
    return {"key": case.key, "spacing": spacing}


def patch_start(
    prepared: PreparedCase,
    patch: tuple[int, ...],
    rng: np.random.Generator,
    foreground_share: float = FOREGROUND_SHARE,
) -> list[int]:
    """The first voxel of a patch on each axis; negative where the volume is smaller than the patch.

    Args:
        prepared: The case; `foreground` lists the voxels that a patch may be centred on.
        patch: Size of the patch.
        rng: The random generator of the draw.
        foreground_share: Probability of a patch around a foreground voxel.
    """
    shape = prepared.image.shape[1:]
    low = [-(max(size - n, 0) // 2) for n, size in zip(shape, patch, strict=True)]
    high = [max(n - size, 0) + first for n, size, first in zip(shape, patch, low, strict=True)]
    foreground = prepared.foreground
    if foreground is not None and len(foreground) and rng.random() < foreground_share:
        column = foreground[:, 0]  # sorted
        edges = np.searchsorted(column, np.arange(column[-1] + 2))
        label = rng.choice(np.flatnonzero(np.diff(edges)))
        centre = foreground[rng.integers(edges[label], edges[label + 1]), 1:]
        start = np.clip(centre - np.array(patch) // 2, low, high)
    else:
        start = rng.integers(low, high, endpoint=True)
    return [int(first) for first in start]


def cut_into(block: NDArray[Any], array: NDArray[Any], start: Sequence[int]) -> None:
    """Fill a block from an array.

    Args:
        block: [C, *size] of unknown content; it becomes 0 outside of the array.
        array: [C, *S].
        start: First voxel on each axis of S; may be negative.
    """
    source, target = [slice(None)], [slice(None)]
    for first, length, n in zip(start, block.shape[1:], array.shape[1:], strict=True):
        begin, end = max(first, 0), min(first + length, n)
        source.append(slice(begin, end))
        target.append(slice(begin - first, end - first))
        block[(*target[:-1], slice(0, begin - first))] = 0
        block[(*target[:-1], slice(end - first, None))] = 0
    block[tuple(target)] = array[tuple(source)]


def _batch(image: Tensor, items: Sequence[Item], text: SplitText) -> Batch:
    """What every batch has."""
    keys: list[CaseKey] = [item["key"] for item in items]
    batch = Batch(
        image=image,
        case_id=[key.case_id for key in keys],
        spacing=torch.tensor([item["spacing"] for item in items], dtype=torch.float32),
        classes=text.classes,
    )
    if any(key.query for key in keys):
        batch["query"] = [key.query for key in keys]
    reports = text.reports_of(keys)
    if reports is not None:
        batch["reports"] = reports
    return batch
