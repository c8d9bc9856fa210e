"""Time to score label maps: ours, and the same scores by MONAI, medpy or surface-distance, on the same masks.

python benchmarks/perf/metrics.py [--claim NAME] [--small] [--repeats 3]

The claims `ct` and `ct-all` are about a CT of 512x512x150 with 13 organs, `images` and `images-all` about 32 images of
224x224 with one class. Ours always computes all scores: Dice, both HD95 in mm and in voxels, HD, NSD and ASSD.
MONAI computes Dice and HD95, and with `-all` NSD and ASSD too; `images-deepmind` compares HD95 and NSD of
surface-distance, whose convention is another, so its numbers are not compared. `ct-surfels` and `images-surfels`
compute HD95 and NSD in the convention of surface-distance on both sides. Each side has one thread.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from functools import partial

import numpy as np
import torch
from monai.metrics import compute_average_surface_distance, compute_dice, compute_hausdorff_distance
from monai.metrics import compute_surface_dice as compute_nsd
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from surface_distance import metrics as deepmind

from benchmarks.perf.harness import Bars, Side, compare
from zoo.metrics.scoring import score_case
from zoo.metrics.surfels import compare_surfels
from zoo.types import LabelSpace

SHAPE, SMALL, SPACING = (512, 512, 150), (96, 96, 40), (0.76, 0.76, 3.0)
IMAGES, PIXELS = 32, 224
ORGANS, TOLERANCE = 13, 2.0

Label = NDArray[np.uint8]
Values = NDArray[np.float64]
Pairs = Sequence[tuple[Label, Label]]

BARS = {
    "ct": Bars(speed=150, memory=0.1, difference=1e-4),
    "ct-all": Bars(speed=250, memory=0.1, difference=1e-4),
    "images": Bars(speed=40, difference=1e-4),
    "images-all": Bars(speed=40, difference=1e-4),
    "images-deepmind": Bars(speed=12, difference=float("inf")),
    "ct-surfels": Bars(speed=30, memory=0.5, difference=1e-9),
    "images-surfels": Bars(speed=4, difference=1e-9),
}


def main() -> int:
    """Compare our way with one or all others."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--small", action="store_true", help="smaller images, to see that the script runs")
    parser.add_argument("--claim", choices=[*BARS], action="append", help="default: all")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    failed = 0
    for claim in arguments.claim or BARS:
        spacing: Sequence[float]
        if claim.startswith("ct"):
            pairs, classes, spacing = [make_ct(SMALL if arguments.small else SHAPE)], ORGANS, SPACING
            about = f"CT of {pairs[0][0].shape} with {ORGANS} organs"
        else:
            pairs, classes, spacing = make_images(IMAGES, 64 if arguments.small else PIXELS), 1, (1.0, 1.0)
            about = f"{IMAGES} images of {pairs[0][0].shape}"
        if claim.endswith(("deepmind", "surfels")):
            peer: Side[Values] = Side("surface-distance", partial(by_surface_distance, pairs, classes, spacing))
        else:
            peer = Side("MONAI", partial(by_monai, pairs, classes, spacing, claim.endswith("all")))
        if claim.endswith("surfels"):
            ours = Side("zoo", partial(by_surfels, pairs, classes, spacing))
        else:
            ours = Side("zoo", partial(by_zoo, pairs, classes, spacing, claim.endswith("all")))
        title = f"{claim}: scores of {about}"
        failed |= compare(title, ours, peer, largest_difference, BARS[claim], arguments.repeats)
    return failed


def make_ct(shape: tuple[int, int, int]) -> tuple[Label, Label]:
    """Make balls of several sizes as organs, and a prediction with errors of some voxels and with islands."""
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


def make_images(number: int, pixels: int) -> list[tuple[Label, Label]]:
    """Make blobs on 15 % of an image, and predictions with another outline."""
    rng = np.random.default_rng(0)
    found = []
    for _ in range(number):
        field = gaussian_filter(rng.normal(size=(pixels, pixels)), pixels / 18)
        noise = gaussian_filter(rng.normal(size=field.shape), pixels / 40)
        threshold = np.quantile(field, 0.85)
        guess = field + 0.3 * field.std() / noise.std() * noise
        found.append(((guess > threshold).astype(np.uint8), (field > threshold).astype(np.uint8)))
    return found


def make_masks(array: Label, classes: int) -> NDArray[np.bool_]:
    """Split a label map into one mask per class."""
    return np.stack([array == value for value in range(1, classes + 1)])


def by_zoo(pairs: Pairs, classes: int, spacing: Sequence[float], whole: bool) -> Values:
    """Compute all scores; return those that MONAI computes."""
    labels = LabelSpace(tuple(f"organ {n}" for n in range(classes)), tuple((n + 1,) for n in range(classes)))
    rows = [row for pair in pairs for row in score_case("case", *pair, labels, spacing, "mm", TOLERANCE)]
    return np.array([(row.dice, row.hd95, *((row.nsd, row.assd) if whole else ())) for row in rows])


def by_surfels(pairs: Pairs, classes: int, spacing: Sequence[float]) -> Values:
    """Compute NSD and HD95 in the convention of surface-distance."""
    labels = LabelSpace(tuple(f"organ {n}" for n in range(classes)), tuple((n + 1,) for n in range(classes)))
    scores = [one for pair in pairs for one in compare_surfels(*pair, labels, spacing, TOLERANCE)]
    return np.array([(one.nsd, one.hd95) for one in scores])


def by_monai(pairs: Pairs, classes: int, spacing: Sequence[float], whole: bool) -> Values:
    """Compute Dice and HD95, and with `whole` NSD and ASSD, of all classes and images in one batch."""
    prediction, label = (
        torch.from_numpy(np.stack([make_masks(pair[side], classes) for pair in pairs])) for side in range(2)
    )
    options = {"include_background": True, "spacing": spacing}
    found = [
        compute_dice(prediction, label),
        compute_hausdorff_distance(prediction, label, percentile=95, **options),
    ]
    if whole:
        found.append(compute_nsd(prediction, label, [TOLERANCE] * classes, **options))
        found.append(compute_average_surface_distance(prediction, label, symmetric=True, **options))
    return np.stack([one.double().numpy().reshape(-1) for one in found], axis=1)


def by_surface_distance(pairs: Pairs, classes: int, spacing: Sequence[float]) -> Values:
    """Compute HD95 and NSD with one search for distances, in the convention of the library."""
    found = []
    for prediction, label in pairs:
        for one, other in zip(make_masks(prediction, classes), make_masks(label, classes), strict=True):
            distances = deepmind.compute_surface_distances(other, one, spacing)
            nsd = deepmind.compute_surface_dice_at_tolerance(distances, TOLERANCE)
            found.append((nsd, deepmind.compute_robust_hausdorff(distances, 95)))
    return np.array(found)


def largest_difference(one: Values, other: Values) -> float:
    """Return the largest absolute difference."""
    return float(np.abs(one - other).max())


if __name__ == "__main__":
    sys.exit(main())
