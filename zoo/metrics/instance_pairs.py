"""The instances of two masks, their overlaps and their distances, in little memory beside the two numberings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_erosion, find_objects, generate_binary_structure, label
from scipy.spatial import cKDTree

from zoo.metrics.instance_rules import CENTROID, InstanceRule

Numbers = NDArray[np.int32]
Indices = NDArray[np.intp]


@dataclass(frozen=True)
class InstancePairs:
    """The instances of a prediction and of a label, and the pairs that share voxels.

    Attributes:
        guessed: Number of the predicted instance of each voxel, from 1; 0 outside, [*S].
        true: Number of the instance of the label, [*S].
        sizes: Voxels of each predicted instance, [n].
        true_sizes: Voxels of each instance of the label, [m].
        first: Predicted instance of each pair that shares voxels, from 0, [p].
        second: Its instance of the label, [p].
        shared: Its number of shared voxels, [p].
    """

    guessed: Numbers
    true: Numbers
    sizes: Indices
    true_sizes: Indices
    first: Indices
    second: Indices
    shared: Indices

    def overlaps(self) -> dict[tuple[int, int], int]:
        """The number of shared voxels by (predicted instance, instance of the label)."""
        keys = zip(self.first.tolist(), self.second.tolist(), strict=True)
        return dict(zip(keys, self.shared.tolist(), strict=True))


def find_instances(
    prediction: NDArray[np.generic], truth: NDArray[np.generic], rule: InstanceRule, numbered: bool
) -> tuple[Numbers, Numbers]:
    """Number the instances of both masks from 1, within the smallest box around them.

    Args:
        prediction: Mask of 0 and 1, [*S].
        truth: Mask of the label, [*S].
        rule: What a predicted instance is.
        numbered: Whether each value of `truth` above 0 is one instance.
    """
    box = _box(prediction, truth)
    guessed = _components(prediction[box], rule.steps)
    sizes = _sizes(guessed)
    kept = np.flatnonzero(sizes >= rule.smallest)
    if rule.most is not None and len(kept) > rule.most:
        kept = np.sort(kept[np.argsort(-sizes[kept], kind="stable")[: rule.most]])
    if len(kept) < len(sizes):
        _renumber(guessed, kept + 1)
    if not numbered:
        return guessed, _components(truth[box], rule.steps)
    true = truth[box].astype(np.int32)
    _renumber(true, np.flatnonzero(_sizes(true)) + 1)
    return guessed, true


def pair_instances(guessed: Numbers, true: Numbers) -> InstancePairs:
    """Count the voxels of each instance, and those that two of them share.

    Args:
        guessed: Number of the predicted instance of each voxel, from 1 without gaps, [*S].
        true: Number of the instance of the label, [*S].
    """
    sizes, true_sizes = _sizes(guessed), _sizes(true)
    keys, counts = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    for plane, other in zip(guessed, true, strict=True):
        both = np.flatnonzero((plane.ravel() > 0) & (other.ravel() > 0))
        ours, theirs = plane.ravel()[both].astype(np.int64) - 1, other.ravel()[both] - 1
        found, times = np.unique(ours * len(true_sizes) + theirs, return_counts=True)
        keys.append(found)
        counts.append(times)
    pairs, places = np.unique(np.concatenate(keys), return_inverse=True)
    shared = np.bincount(places, weights=np.concatenate(counts), minlength=len(pairs)).astype(np.intp)
    first, second = np.divmod(pairs, max(1, len(true_sizes)))
    return InstancePairs(guessed, true, sizes, true_sizes, first, second, shared)


def find_close_pairs(
    pairs: InstancePairs, measure: str, spacing: Sequence[float], limit: float
) -> tuple[Indices, Indices, NDArray[np.float64]]:
    """Find the pairs of instances whose distance is within a limit.

    Args:
        pairs: The instances.
        measure: `CENTROID` or `ASSD`.
        spacing: Size of a voxel along each axis.
        limit: Largest distance, in the unit of the spacing.

    Returns:
        The predicted instances, the instances of the label, and the distances in the unit of the spacing.
    """
    find = _centroid_pairs if measure == CENTROID else _surface_pairs
    filled = len(pairs.sizes) and len(pairs.true_sizes)
    found = list(find(pairs, np.asarray(spacing, np.float64), limit)) if filled else []
    first, second, distances = zip(*found, strict=True) if found else ((), (), ())
    return np.array(first, np.intp), np.array(second, np.intp), np.array(distances, np.float64)


def _centroid_pairs(
    pairs: InstancePairs, spacing: NDArray[np.float64], limit: float
) -> Iterator[tuple[int, int, float]]:
    """Yield the pairs with centroids within the limit, and the distance of the centroids."""
    ours, theirs = _centroids(pairs.guessed, spacing), _centroids(pairs.true, spacing)
    tree = cKDTree(theirs)
    for first, point in enumerate(ours):
        for second in tree.query_ball_point(point, 2 * limit, return_sorted=True):
            distance = float(np.linalg.norm(point - theirs[second]))
            if distance <= limit:
                yield first, second, distance


def _surface_pairs(
    pairs: InstancePairs, spacing: NDArray[np.float64], limit: float
) -> Iterator[tuple[int, int, float]]:
    """Yield the pairs whose average symmetric surface distance is within the limit, and this distance."""
    boxes, others = find_objects(pairs.guessed), find_objects(pairs.true)

    @cache
    def surface(number: int) -> tuple[NDArray[np.float64], cKDTree]:
        points = _border_points(pairs.true, number, others[number], spacing)
        return points, cKDTree(points)

    for first, box in enumerate(boxes):
        # Boxes that are farther apart have no point within the limit.
        near = [second for second, other in enumerate(others) if _gap(box, other, spacing) <= limit]
        if not near:
            continue
        points = _border_points(pairs.guessed, first, box, spacing)
        tree = cKDTree(points)
        for second in near:
            theirs, other_tree = surface(second)
            distances = np.sum(other_tree.query(points)[0]) + np.sum(tree.query(theirs)[0])
            mean = float(distances / (len(points) + len(theirs)))
            if mean <= limit:
                yield first, second, mean


def _gap(box: tuple[slice, ...], other: tuple[slice, ...], spacing: NDArray[np.float64]) -> float:
    """Return the distance of the nearest voxels of two boxes."""
    steps = [max(0, a.start - b.stop + 1, b.start - a.stop + 1) for a, b in zip(box, other, strict=True)]
    return float(np.linalg.norm(np.array(steps) * spacing))


def _centroids(numbers: Numbers, spacing: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the centroid of each instance, [n, D] in the unit of the spacing."""
    centroids = []
    for number, box in enumerate(find_objects(numbers), start=1):
        inside = numbers[box] == number
        axes = range(inside.ndim)
        planes = [inside.sum(axis=tuple(one for one in axes if one != axis)) for axis in axes]
        centroids.append([np.average(np.arange(len(n)), weights=n) + s.start for n, s in zip(planes, box, strict=True)])
    return np.array(centroids) * spacing


def _border_points(
    numbers: Numbers, index: int, box: tuple[slice, ...], spacing: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the voxels of an instance that have a neighbour outside of it across a face, [n, D]."""
    inside = numbers[box] == index + 1
    border = inside & ~binary_erosion(inside)
    voxels = np.argwhere(border) + np.array([one.start for one in box])
    return np.asarray(voxels * spacing, np.float64)


def _components(mask: NDArray[np.generic], steps: int) -> Numbers:
    """Number the connected components of a mask from 1."""
    numbers, _ = label(mask.astype(bool, copy=False), generate_binary_structure(mask.ndim, min(steps, mask.ndim)))
    return np.asarray(numbers, np.int32)


def _sizes(numbers: Numbers) -> Indices:
    """Count the voxels of each number from 1 on, plane by plane: counting needs 8 bytes per voxel."""
    sizes = np.zeros(int(numbers.max(initial=0)) + 1, np.intp)
    for plane in numbers:
        sizes += np.bincount(plane.ravel(), minlength=len(sizes))
    return sizes[1:]


def _renumber(numbers: Numbers, kept: Indices) -> None:
    """Number the kept instances from 1 without gaps, and make the others background."""
    table = np.zeros(int(numbers.max(initial=0)) + 1, np.int32)
    table[kept] = np.arange(1, len(kept) + 1)
    for index in range(len(numbers)):
        numbers[index] = table[numbers[index]]


def _box(*masks: NDArray[np.generic]) -> tuple[slice, ...]:
    """Return the smallest box that contains the voxels of all masks; one without a voxel if all are empty."""
    box = []
    for axis in range(masks[0].ndim):
        rest = tuple(one for one in range(masks[0].ndim) if one != axis)
        filled = np.flatnonzero(np.logical_or.reduce([np.any(mask, axis=rest) for mask in masks]))
        box.append(slice(int(filled[0]), int(filled[-1]) + 1) if len(filled) else slice(0, 0))
    return tuple(box)
