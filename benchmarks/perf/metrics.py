"""Seconds to score a CT with 13 organs: ours, MONAI, medpy and surface-distance, in turn and on the same masks.

python benchmarks/perf/metrics.py [--repeats 3] [--small]

Ours computes Dice, HD95 (both kinds, in mm and in voxels), NSD and ASSD. MONAI computes Dice, HD95, NSD and ASSD of
all organs in one batch, surface-distance HD95, NSD and ASSD of each organ, and medpy only its HD95, which
most released codes report. Each side has one thread. The script fails if HD95 differs from that of MONAI.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable

import numpy as np
import torch
from medpy.metric import binary as medpy
from monai.metrics import compute_average_surface_distance, compute_dice, compute_hausdorff_distance
from monai.metrics import compute_surface_dice as compute_nsd
from numpy.typing import NDArray
from surface_distance import metrics as deepmind

from zoo.metrics.scoring import score_case
from zoo.types import LabelSpace

SHAPE, SMALL, SPACING = (512, 512, 150), (96, 96, 40), (0.76, 0.76, 3.0)
ORGANS, TOLERANCE = 13, 2.0
SPACE = LabelSpace(tuple(f"organ {n}" for n in range(ORGANS)), tuple((n + 1,) for n in range(ORGANS)), exclusive=True)

Label = NDArray[np.uint8]


def main() -> None:
    """Time each in turn, and print medians and ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--small", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    prediction, label = pair(SMALL if arguments.small else SHAPE)
    ways: dict[str, Callable[[Label, Label], list[float]]] = {
        "zoo": by_zoo,
        "MONAI": by_monai,
        "surface-distance": by_surface_distance,
        "medpy, HD95 alone": by_medpy,
    }
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    found = {}
    for _ in range(arguments.repeats):
        for name, way in ways.items():
            start = time.perf_counter()
            found[name] = way(prediction, label)
            seconds[name].append(time.perf_counter() - start)
    np.testing.assert_allclose(found["zoo"], found["MONAI"], rtol=1e-4)
    ours = statistics.median(seconds["zoo"])
    for name, taken in seconds.items():
        middle = statistics.median(taken)
        spread = f"{min(taken):.2f}/{middle:.2f}/{max(taken):.2f} s"
        sys.stdout.write(f"{name}: {spread}, {middle / ours:.1f} times the zoo's\n")


def pair(shape: tuple[int, int, int]) -> tuple[Label, Label]:
    """Make balls of several sizes as organs, and a prediction with errors of one or two voxels and with islands."""
    rng = np.random.default_rng(0)
    label, prediction = np.zeros(shape, np.uint8), np.zeros(shape, np.uint8)
    grid = np.ogrid[tuple(slice(-1, 1, n * 1j) for n in shape)]
    for organ in range(1, ORGANS + 1):
        centre = rng.uniform(-0.7, 0.7, 3)
        for array, shift in ((label, 0.0), (prediction, rng.uniform(-0.02, 0.02, 3))):
            far = sum((axis - place) ** 2 for axis, place in zip(grid, centre + shift, strict=True))
            array[far < (0.08 + 0.02 * organ) ** 2] = organ
        prediction[tuple(rng.integers(0, n - 3) + np.arange(3) for n in shape)] = organ
    return prediction, label


def masks(array: Label) -> list[NDArray[np.bool_]]:
    """Split a label map into one mask per organ."""
    return [array == number for number in range(1, ORGANS + 1)]


def by_zoo(prediction: Label, label: Label) -> list[float]:
    """Compute all scores; return HD95."""
    return [row.hd95 for row in score_case("case", prediction, label, SPACE, SPACING, "mm", TOLERANCE)]


def by_monai(prediction: Label, label: Label) -> list[float]:
    """Compute the same scores without the pooled HD95 and the scores in voxels."""
    one, other = (torch.from_numpy(np.stack(masks(array)))[None] for array in (prediction, label))
    compute_dice(one, other)
    compute_nsd(one, other, [TOLERANCE] * ORGANS, include_background=True, spacing=SPACING)
    compute_average_surface_distance(one, other, include_background=True, symmetric=True, spacing=SPACING)
    return [
        float(value)
        for value in compute_hausdorff_distance(one, other, include_background=True, percentile=95, spacing=SPACING)[0]
    ]


def by_surface_distance(prediction: Label, label: Label) -> list[float]:
    """Compute HD95, NSD and ASSD with one pass of distances each, in the convention of the library."""
    found = []
    for one, other in zip(masks(prediction), masks(label), strict=True):
        distances = deepmind.compute_surface_distances(other, one, SPACING)
        deepmind.compute_surface_dice_at_tolerance(distances, TOLERANCE)
        deepmind.compute_average_surface_distance(distances)
        found.append(deepmind.compute_robust_hausdorff(distances, 95))
    return found


def by_medpy(prediction: Label, label: Label) -> list[float]:
    """Compute HD95 of whole volumes, as released codes call it."""
    return [medpy.hd95(one, other, SPACING) for one, other in zip(masks(prediction), masks(label), strict=True)]


if __name__ == "__main__":
    main()
