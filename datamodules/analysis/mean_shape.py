"""Controls that see no image: the mean shape of the training masks, over all cases or over the cases with one text."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property, lru_cache, partial
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from datamodules.loading.datasets import native_of
from zoo.errors import DataError
from zoo.metrics.definitions import dice_of_counts
from zoo.types import Case, CaseKey, Geometry, LabelSpace

if TYPE_CHECKING:
    from datamodules.bases.base import SegDataModule

log = logging.getLogger(__name__)

MEAN_SHAPE, TEXT_ONLY = "mean-shape", "text-only"
"""Names of the two controls: the mean over all training cases, and over those with the same text."""

THRESHOLDS = tuple(np.round(np.arange(0.05, 1.0, 0.05), 2).tolist())
"""Candidates for the share of training cases from which a voxel is predicted; the best training Dice decides."""

KEPT = 16
"""Number of coverages, and of mean shapes, that are kept in memory at once. The others are computed when needed."""

Mask = NDArray[np.uint8]
Share = NDArray[np.float32]


def compute_coverage(mask: Mask, labels: LabelSpace, grid: Sequence[int]) -> Share:
    """Compute which share of each cell of a common grid a class covers.

    Args:
        mask: uint8 with the layout of `zoo.types.Native.label`.
        labels: The label space.
        grid: Shape of the common grid.

    Returns:
        float32 [K, *grid] in [0, 1].
    """
    classes = [mask == k for k in range(1, len(labels.names) + 1)] if labels.exclusive else mask == 1
    cells = [
        F.interpolate(
            torch.from_numpy(np.ascontiguousarray(one, dtype=np.float32))[None, None], tuple(grid), mode="area"
        )
        for one in classes
    ]
    return torch.cat(cells, dim=1)[0].numpy()


class MeanShape:
    """The share of training cases that have a class at a position.

    Exclusive classes: the prediction is the most frequent label at a position. Other classes: a class is predicted
    where its share reaches a threshold, which is chosen per class on the training cases. A fixed threshold of one half
    would give an empty control, because small scattered objects rarely cover a position in half of the cases.

    Args:
        labels: The label space.
        by_text: True: the mean is over the cases with the same text. False: it is over all cases.
    """

    def __init__(self, labels: LabelSpace, by_text: bool = False) -> None:
        self.labels = labels
        self.by_text = by_text
        self._shares: list[Callable[[], Share]] = []
        self._places: dict[str | None, list[int]] = {}
        self._mean = lru_cache(KEPT)(self._compute_mean)

    def add(self, share: Share | Callable[[], Share], text: str = "") -> None:
        """Add a training case.

        Args:
            share: Its coverage, float32 [K, *grid], or a function that gives it at each call. Of thousands of cases,
                memory cannot hold the coverage.
            text: Its text.
        """
        for key in {None, text if self.by_text else None}:
            self._places.setdefault(key, []).append(len(self._shares))
        self._shares.append(share if callable(share) else partial(np.asarray, share))
        self._mean.cache_clear()

    def mean(self, text: str | None = None) -> Share:
        """Return the mean coverage of the cases with a text; of all cases if no case has the text or it is None.

        The means of a few texts are kept. Ask for one text after the other.
        """
        return self._mean(text if text in self._places else None)

    def _compute_mean(self, key: str | None) -> Share:
        places = self._places[key]
        total = self._shares[places[0]]().astype(np.float64)
        for place in places[1:]:
            total += self._shares[place]()
        mean: Share = (total / len(places)).astype(np.float32)
        return mean

    @cached_property
    def thresholds(self) -> NDArray[np.float64]:
        """Per class, the threshold whose prediction has the largest mean Dice with the training masks."""
        dices = np.zeros((len(self._shares), len(THRESHOLDS), len(self.labels.names)))
        for text, places in self._places.items():
            if (text is None) == self.by_text:  # each case is compared with the mean of its text, or with that of all
                continue
            share = self.mean(text)
            guesses = [share >= threshold for threshold in THRESHOLDS]
            axes = tuple(range(1, share.ndim))
            for place in places:
                mask = self._shares[place]() >= 0.5
                for index, guess in enumerate(guesses):
                    total = guess.sum(axes) + mask.sum(axes)
                    dices[place, index] = np.where(total > 0, 2 * (guess & mask).sum(axes) / np.maximum(total, 1), 0.0)
        scores = np.zeros(dices.shape[1:])
        for one in dices:  # in the order of the cases, because the order of a sum changes its last digits
            scores += one
        best: NDArray[np.float64] = np.array(THRESHOLDS)[scores.argmax(axis=0)]
        return best

    def predict(self, shape: Sequence[int], text: str | None = None) -> Mask:
        """Predict the mask of an image.

        Args:
            shape: Shape S of the native grid of the image.
            text: Text of the image. If no training case has it, the mean over all cases is used.

        Returns:
            uint8 with the layout of `zoo.types.Native.label`.
        """
        share = torch.from_numpy(self.mean(text if self.by_text else None))
        mode = "bilinear" if len(shape) == 2 else "trilinear"
        native = F.interpolate(share[None], tuple(shape), mode=mode)[0].numpy()
        if self.labels.exclusive:
            background = 1 - native.sum(axis=0, keepdims=True)
            label: Mask = np.concatenate([background, native]).argmax(axis=0).astype(np.uint8)
            return label
        return (native >= self.thresholds.reshape(-1, *(1,) * len(shape))).astype(np.uint8)


def fit_mean_shapes(data: SegDataModule) -> dict[str, MeanShape]:
    """Compute the mean shapes of the training cases, by name; `TEXT_ONLY` only if the data set has reports.

    Raises:
        DataError: A file does not fit the card, or a case has no label.
    """
    shapes = {MEAN_SHAPE: MeanShape(data.labels)}
    if data.card.has_reports:
        shapes[TEXT_ONLY] = MeanShape(data.labels, by_text=True)
    log.info("%s: mean shapes of the training cases on a grid of %s", data.name, list(data.patch))

    @lru_cache(KEPT)
    def coverage_of(case: Case) -> Share:
        return compute_coverage(load_native_label(data, case, "train")[0], data.labels, data.patch)

    for case in data.index.cases_of("train"):
        for shape in shapes.values():
            shape.add(partial(coverage_of, case), case.report or "")
    return shapes


def load_native_labels(data: SegDataModule, split: str) -> Iterator[tuple[Case, Mask, Geometry]]:
    """Yield each case of a split with its native label and its geometry; cases with the same text follow each other.

    Raises:
        DataError: A file does not fit the card, or a case has no label.
    """
    for case in sorted(data.index.cases_of(split), key=lambda case: case.report or ""):
        yield case, *load_native_label(data, case, split)


def load_native_label(data: SegDataModule, case: Case, split: str) -> tuple[Mask, Geometry]:
    """Read the native label of a case, and its geometry.

    Raises:
        DataError: A file does not fit the card, or the case has no label.
    """
    native = native_of(data.prepared(case), data.labels.exclusive)
    data.prepared_cases.release_memory()
    if native.label is None:
        raise DataError(f"{data.name}: case {case.key} of the {split} split has no label.", "Remove it from the split.")
    return native.label, native.geometry


def score_mean_shapes(data: SegDataModule) -> dict[str, float]:
    """Compute the Dice of each mean shape on the test split.

    Returns:
        By name, the mean Dice over the cases of each class, then over the classes, as in result tables. A class that
        is in neither mask does not count; a class in one mask only counts 0. NaN if nothing counts.
    """
    shapes = fit_mean_shapes(data)
    scores: dict[str, dict[CaseKey, list[float]]] = {name: {} for name in shapes}
    for case, mask, _ in load_native_labels(data, "test"):
        size = mask.shape if data.labels.exclusive else mask.shape[1:]
        for name, shape in shapes.items():
            scores[name][case.key] = compute_dice(shape.predict(size, case.report or ""), mask, data.labels)
    order = [case.key for case in data.index.cases_of("test")]
    return {name: _mean_of_means(np.array([found[key] for key in order])) for name, found in scores.items()}


def compute_dice(prediction: Mask, truth: Mask, labels: LabelSpace) -> list[float]:
    """Compute the Dice of each class of one case; NaN for a class that is in neither mask.

    Args:
        prediction: uint8 with the layout of `zoo.types.Native.label`.
        truth: uint8 with the same layout.
        labels: The label space.
    """
    found = []
    for number in range(len(labels.names)):
        one, other = ((m == number + 1 if labels.exclusive else m[number] > 0) for m in (prediction, truth))
        tp = int((one & other).sum())
        found.append(dice_of_counts(tp, int(one.sum()) - tp, int(other.sum()) - tp))
    return found


def _mean_of_means(scores: NDArray[np.float64]) -> float:
    """The mean over the classes (columns) of the mean over their cases (rows). NaN does not count."""
    means = [column[~np.isnan(column)].mean() for column in scores.T if not np.isnan(column).all()]
    return float(np.mean(means)) if means else float("nan")
