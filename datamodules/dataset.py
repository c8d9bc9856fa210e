"""Prepared cases as torch datasets: random patches to train on, whole images to evaluate on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader, Dataset, Sampler

from datamodules.prepare import Prepared
from datamodules.sampler import generator
from zoo.types import Batch, Case, ClassPrompt, Native

FOREGROUND_SHARE = 2 / 3
"""Share of the patches that are centred on a foreground voxel of a class drawn among those present."""

Item = dict[str, Any]


class TrainingSet(Dataset[Item]):
    """Patches of training cases.

    Args:
        cases: The cases.
        prepared: Gives a case's arrays.
        patch: Size of a patch; a smaller volume is padded with 0 on both sides.
        seed: Of the draws.
        margin: How much wider than the patch to cut on each side; it does not move the patch. Default 0.
    """

    def __init__(
        self,
        cases: Sequence[Case],
        prepared: Callable[[Case], Prepared],
        patch: tuple[int, ...],
        seed: int,
        margin: Sequence[int] | None = None,
    ) -> None:
        self.cases, self.prepared, self.patch, self.seed = cases, prepared, patch, seed
        self.margin = tuple(margin or [0] * len(patch))

    def __len__(self) -> int:
        return len(self.cases)

    def __getitem__(self, place: tuple[int, int]) -> Item:
        """The patch of (case index, draw number), a pure function of the two and the seed."""
        index, draw = place
        case = self.cases[index]
        prepared = self.prepared(case)
        start = patch_start(prepared, self.patch, generator(self.seed, draw))
        start = [first - more for first, more in zip(start, self.margin, strict=True)]
        size = [n + 2 * more for n, more in zip(self.patch, self.margin, strict=True)]
        item = {**_item(case, prepared), "draw": draw, "image": cut(prepared.image, start, size)}
        if prepared.label is not None:
            item["label"] = cut(prepared.label, start, size)
        return item


class EvaluationSet(Dataset[Item]):
    """Whole images on the network's grid, with what scoring on the native grid needs.

    Args:
        cases: The cases.
        prepared: Gives a case's arrays.
        exclusive: Whether the label holds class numbers.
    """

    def __init__(self, cases: Sequence[Case], prepared: Callable[[Case], Prepared], exclusive: bool) -> None:
        self.cases, self.prepared, self.exclusive = cases, prepared, exclusive

    def __len__(self) -> int:
        return len(self.cases)

    def __getitem__(self, index: int) -> Item:
        case = self.cases[index]
        prepared = self.prepared(case)
        native = prepared.native
        if native is None and prepared.label is not None:
            native = prepared.label[0] if self.exclusive else prepared.label
        item = {**_item(case, prepared), "image": np.array(prepared.image)}
        item["native"] = Native(prepared.geometry, None if native is None else np.array(native))
        if prepared.label is not None:
            item["label"] = np.array(prepared.label)
        return item


def _item(case: Case, prepared: Prepared) -> Item:
    geometry = prepared.geometry
    sizes = zip(geometry.crop, geometry.spacing, prepared.image.shape[1:], strict=True)
    spacing = [(stop - start) * step / n for (start, stop), step, n in sizes]
    return {"case_id": case.case_id, "report": case.report, "spacing": spacing}


def patch_start(prepared: Prepared, patch: tuple[int, ...], rng: np.random.Generator) -> list[int]:
    """Where a patch begins on each axis; negative where the volume is smaller than the patch.

    Args:
        prepared: The case; `foreground` lists the voxels to centre on.
        patch: Size of the patch.
        rng: The draw's generator.
    """
    shape = prepared.image.shape[1:]
    low = [-(max(size - n, 0) // 2) for n, size in zip(shape, patch, strict=True)]
    high = [max(n - size, 0) + first for n, size, first in zip(shape, patch, low, strict=True)]
    foreground = prepared.foreground
    if foreground is not None and len(foreground) and rng.random() < FOREGROUND_SHARE:
        label = rng.choice(np.unique(foreground[:, 0]))
        first, last = np.searchsorted(foreground[:, 0], [label, label + 1])
        centre = foreground[rng.integers(first, last), 1:]
        start = np.clip(centre - np.array(patch) // 2, low, high)
    else:
        start = rng.integers(low, high, endpoint=True)
    return [int(first) for first in start]


def cut(array: NDArray[Any], start: Sequence[int], size: Sequence[int]) -> NDArray[Any]:
    """A block of [C, *S] from `start` of `size`, 0 where it sticks out; always a copy."""
    block = np.zeros((array.shape[0], *size), dtype=array.dtype)
    source, target = [slice(None)], [slice(None)]
    for first, length, n in zip(start, size, array.shape[1:], strict=True):
        begin, end = max(first, 0), min(first + length, n)
        source.append(slice(begin, end))
        target.append(slice(begin - first, end - first))
    block[tuple(target)] = array[tuple(source)]
    return block


def collate(
    items: Sequence[Item],
    classes: tuple[ClassPrompt, ...],
    reports: Mapping[str, str] | None = None,
    *,
    spare: bool = False,
) -> Batch:
    """Items to a batch.

    Args:
        items: Of one of the sets above.
        classes: The class prompts that the batch carries.
        reports: Reports by case id that stand in for the cases' own (a text control).
        spare: Mark the batch as one that another rank scores.
    """
    batch = Batch(
        image=torch.from_numpy(np.stack([item["image"] for item in items])),
        case_id=[item["case_id"] for item in items],
        spacing=torch.tensor([item["spacing"] for item in items], dtype=torch.float32),
        classes=classes,
    )
    if all("label" in item for item in items):
        batch["label"] = torch.from_numpy(np.stack([item["label"] for item in items]))
    if all(item["report"] is not None for item in items):
        own = [item["report"] for item in items]
        batch["reports"] = own if reports is None else [reports[item["case_id"]] for item in items]
    if "native" in items[0]:
        batch["native"] = [item["native"] for item in items]
    if spare:
        batch["spare"] = True
    if "draw" in items[0]:
        batch["draw"] = [item["draw"] for item in items]
    return batch


def make_loader(
    dataset: Dataset[Item], sampler: Sampler[Any], batch_size: int, workers: int, collate_fn: Callable[..., Batch]
) -> DataLoader[Any]:
    """A loader whose order is the sampler's alone and which leaves the global random state as it was."""
    return DataLoader(
        dataset,
        batch_size=batch_size,
        sampler=sampler,
        num_workers=workers,
        collate_fn=collate_fn,
        generator=torch.Generator(),  # else each pass takes a number from the global one
        persistent_workers=workers > 0,
        pin_memory=torch.cuda.is_available(),
    )
