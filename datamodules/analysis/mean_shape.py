"""Segmenters that see no image: the mean shape of the training masks, over all of them or over those with one text."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from datamodules.loading.datasets import native_of
from zoo.errors import DataError
from zoo.types import Case, Geometry, LabelSpace

if TYPE_CHECKING:
    from datamodules.bases.base import SegDataModule

log = logging.getLogger(__name__)

MEAN_SHAPE, TEXT_ONLY = "mean-shape", "text-only"
"""Names of the two: over all training cases, over those with the same text."""

THRESHOLDS = tuple(np.round(np.arange(0.05, 1.0, 0.05), 2).tolist())
"""Shares of training cases from which a voxel is predicted; the one with the best training Dice is taken."""

Mask = NDArray[np.uint8]
Share = NDArray[np.float32]


def coverage(mask: Mask, labels: LabelSpace, grid: Sequence[int]) -> Share:
    """How much of each cell of a common grid each class covers.

    Args:
        mask: uint8 laid out as `zoo.types.Native.label`.
        labels: The label space.
        grid: Shape of the common grid.

    Returns:
        float32 [K, *grid] in [0, 1].
    """
    classes = [mask == k for k in range(1, len(labels.names) + 1)] if labels.exclusive else mask.astype(bool)
    cells = [
        F.interpolate(
            torch.from_numpy(np.ascontiguousarray(one, dtype=np.float32))[None, None], tuple(grid), mode="area"
        )
        for one in classes
    ]
    return torch.cat(cells, dim=1)[0].numpy()


class Prior:
    """The share of training cases in which a class stands at a place.

    Where classes exclude each other, the label that most training cases have at a place is predicted.
    Elsewhere a class is predicted where its share passes a threshold, chosen a class on the training
    cases: small scattered objects rarely fill half of the cases at any place, and the control would
    be empty.

    Args:
        labels: The label space.
        by_text: Take the mean over the cases with the same text instead of over all.
    """

    def __init__(self, labels: LabelSpace, by_text: bool = False) -> None:
        self.labels = labels
        self.by_text = by_text
        self._sums: dict[str | None, NDArray[np.float64]] = {}
        self._counts: Counter[str | None] = Counter()
        self._masks: list[tuple[str | None, NDArray[np.bool_]]] = []  # kept only where thresholds are chosen

    def add(self, share: Share, text: str = "") -> None:
        """Takes in a training case: its coverage, float32 [K, *grid], and its text."""
        own = text if self.by_text else None
        for key in {None, own}:
            self._sums[key] = self._sums.get(key, 0.0) + share.astype(np.float64)
            self._counts[key] += 1
        if not self.labels.exclusive:
            self._masks.append((own, share >= 0.5))

    def mean(self, text: str | None = None) -> Share:
        """The mean coverage of the cases with a text; of all where there are none, or for None."""
        key = text if text in self._sums else None
        return (self._sums[key] / self._counts[key]).astype(np.float32)

    @cached_property
    def thresholds(self) -> NDArray[np.float64]:
        """For each class the threshold whose masks have the largest mean Dice with the training masks."""
        axes = tuple(range(1, self._masks[0][1].ndim))
        scores = np.zeros((len(THRESHOLDS), len(self.labels.names)))
        for text, mask in self._masks:
            share = self.mean(text)
            for place, threshold in enumerate(THRESHOLDS):
                guess = share >= threshold
                total = guess.sum(axes) + mask.sum(axes)
                scores[place] += np.where(total > 0, 2 * (guess & mask).sum(axes) / np.maximum(total, 1), 0.0)
        best: NDArray[np.float64] = np.array(THRESHOLDS)[scores.argmax(axis=0)]
        return best

    def predict(self, shape: Sequence[int], text: str | None = None) -> Mask:
        """The mask for an image.

        Args:
            shape: Shape S of the image's native grid.
            text: The image's text; one that no training case has gets the mean of all.

        Returns:
            uint8 laid out as `zoo.types.Native.label`.
        """
        share = torch.from_numpy(self.mean(text if self.by_text else None))
        mode = "bilinear" if len(shape) == 2 else "trilinear"
        native = F.interpolate(share[None], tuple(shape), mode=mode)[0].numpy()
        if self.labels.exclusive:
            background = 1 - native.sum(axis=0, keepdims=True)
            label: Mask = np.concatenate([background, native]).argmax(axis=0).astype(np.uint8)
            return label
        return (native >= self.thresholds.reshape(-1, *(1,) * len(shape))).astype(np.uint8)


def fit_priors(data: SegDataModule) -> dict[str, Prior]:
    """The priors of a set's training part by name; that of the text only where the set has reports.

    Raises:
        DataError: A file is not what the card says, or a case has no label.
    """
    priors = {MEAN_SHAPE: Prior(data.labels)}
    if data.card.has_reports:
        priors[TEXT_ONLY] = Prior(data.labels, by_text=True)
    log.info("%s: mean shapes of the training cases on a grid of %s", data.name, list(data.patch))
    for case, mask, _ in native_labels(data, "train"):
        share = coverage(mask, data.labels, data.patch)
        for prior in priors.values():
            prior.add(share, case.report or "")
    return priors


def native_labels(data: SegDataModule, split: str) -> Iterator[tuple[Case, Mask, Geometry]]:
    """Each case of a split with its native label and its geometry.

    Raises:
        DataError: A file is not what the card says, or a case has no label.
    """
    for case in data.index.cases_of(split):
        native = native_of(data.prepared(case), data.labels.exclusive)
        if native.label is None:
            raise DataError(f"{data.name}: case {case.key} of the {split} split has no label.", "Leave it out.")
        yield case, native.label, native.geometry


def prior_dice(data: SegDataModule) -> dict[str, float]:
    """What each prior scores on the test part.

    Returns:
        By name the mean Dice over the cases of a class, then over classes, as results tables have it: a class that
        neither mask has counts nowhere, one that only one of them has counts 0. NaN where nothing counts.
    """
    priors = fit_priors(data)
    scores: dict[str, list[list[float]]] = {name: [] for name in priors}
    for case, mask, _ in native_labels(data, "test"):
        shape = mask.shape if data.labels.exclusive else mask.shape[1:]
        for name, prior in priors.items():
            scores[name].append(class_dice(prior.predict(shape, case.report or ""), mask, data.labels))
    return {name: _mean_of_means(np.array(rows)) for name, rows in scores.items()}


def class_dice(guess: Mask, mask: Mask, labels: LabelSpace) -> list[float]:
    """The Dice of each class of one case, NaN for a class that neither mask has.

    Args:
        guess: uint8 laid out as `zoo.types.Native.label`.
        mask: Likewise.
        labels: The label space.
    """
    found = []
    for place in range(len(labels.names)):
        ours, theirs = ((m == place + 1 if labels.exclusive else m[place] > 0) for m in (guess, mask))
        total = int(ours.sum()) + int(theirs.sum())
        found.append(2 * int((ours & theirs).sum()) / total if total else float("nan"))
    return found


def _mean_of_means(scores: NDArray[np.float64]) -> float:
    """The mean over the classes (columns) that occur of the mean over the cases (rows) in which they do."""
    means = [column[~np.isnan(column)].mean() for column in scores.T if not np.isnan(column).all()]
    return float(np.mean(means)) if means else float("nan")
