"""Our scores equal those of MONAI, medpy and DeepMind's surface-distance, where those are defined."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
import torch
from medpy.metric import binary as medpy
from monai.metrics import DiceMetric, HausdorffDistanceMetric, SurfaceDiceMetric, SurfaceDistanceMetric
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from surface_distance import metrics as deepmind

from zoo.metrics.case_scores import CaseScore
from zoo.metrics.scoring import score_case
from zoo.metrics.surface import border, directed_distances
from zoo.types import LabelSpace

Mask = NDArray[np.bool_]
pytestmark = pytest.mark.usefixtures("way")
ONE = LabelSpace(names=("organ",), values=((1,),), exclusive=False)
TOLERANCE = 2.0


def score(prediction: Mask, truth: Mask, spacing: tuple[float, ...], tolerance: float = TOLERANCE) -> CaseScore:
    masks = [np.asarray(mask, dtype=np.uint8)[None] for mask in (prediction, truth)]
    return score_case("case", masks[0], masks[1], ONE, spacing, "mm", tolerance)[0]


def blob(rng: np.random.Generator, shape: tuple[int, ...]) -> Mask:
    """A few smooth lumps, with islands, often cut by the image's edge."""
    field = gaussian_filter(rng.normal(size=shape), rng.uniform(0.5, 2.0))
    return np.asarray(field > np.quantile(field, rng.uniform(0.5, 0.97)))


def shapes_of(rng: np.random.Generator, shape: tuple[int, ...]) -> list[Mask]:
    """One mask of each kind that has gone wrong somewhere: blob, noise, one voxel, full, cut by the edge."""
    one, slab = np.zeros(shape, bool), np.zeros(shape, bool)
    one[tuple(rng.integers(0, n) for n in shape)] = True
    slab[: max(shape[0] // 3, 1)] = True
    return [blob(rng, shape), rng.random(shape) < 0.1, one, np.ones(shape, bool), slab]


def pairs() -> list[tuple[Mask, Mask, tuple[float, ...]]]:
    """Every kind against every kind, in 2D and 3D, isotropic and not, with the thinnest images among them.

    The spacings are exact in single precision, so that MONAI's rounding decides no tie at the tolerance.
    """
    rng = np.random.default_rng(0)
    grids: list[tuple[tuple[int, ...], tuple[float, ...]]] = [
        ((17, 23), (1.0, 1.0)),
        ((24, 13), (0.75, 2.5)),
        ((1, 9), (1.0, 1.5)),
        ((12, 9, 14), (1.0, 1.0, 1.0)),
        ((15, 16, 5), (0.75, 0.75, 3.0)),
        ((6, 1, 11), (0.5, 2.0, 1.25)),
    ]
    found = []
    for shape, spacing in grids:
        for first, second in product(shapes_of(rng, shape), shapes_of(rng, shape)):
            if first.any() and second.any():
                found.append((first, second, spacing))
    return found


PAIRS = pairs()


def test_the_pairs_of_masks_cover_every_kind() -> None:
    assert len(PAIRS) > 140
    assert any((first & second).sum() == 0 for first, second, _ in PAIRS)
    assert any(first.all() and second.all() for first, second, _ in PAIRS)


def test_scores_equal_those_of_monai() -> None:
    for first, second, spacing in PAIRS:
        row = score(first, second, spacing)
        tensors = [torch.from_numpy(mask)[None, None].float() for mask in (first, second)]
        dice = DiceMetric()(*tensors).item()
        hd95 = HausdorffDistanceMetric(include_background=True, percentile=95)(*tensors, spacing=spacing).item()
        assd = SurfaceDistanceMetric(include_background=True, symmetric=True)(*tensors, spacing=spacing).item()
        nsd = SurfaceDiceMetric(class_thresholds=[TOLERANCE], include_background=True)(*tensors, spacing=spacing).item()
        assert (row.dice, row.hd95, row.assd, row.nsd) == pytest.approx((dice, hd95, assd, nsd), rel=1e-5, abs=1e-6)


def test_scores_equal_those_of_medpy() -> None:
    for first, second, spacing in PAIRS:
        row = score(first, second, spacing)
        hd95 = medpy.hd95(first, second, voxelspacing=spacing)
        assd = medpy.assd(first, second, voxelspacing=spacing)
        dice = medpy.dc(first, second)
        assert (row.hd95_pooled, row.assd, row.dice) == pytest.approx((hd95, assd, dice), rel=1e-12)


def test_the_two_hd95_differ_as_their_references_do() -> None:
    """A line of 119 voxels and one that runs on for 22 more: 15.0 where the directions are kept apart, 9.05 pooled."""
    short, long = np.zeros((1, 141), bool), np.ones((1, 141), bool)
    short[0, :119] = True
    row = score(long, short, (1.0, 1.0))
    tensors = [torch.from_numpy(mask)[None, None].float() for mask in (long, short)]
    # 119 zeros and 1..22: rank 0.95 * 140 = 133 is the 15th of those; pooled, 238 zeros: rank 0.95 * 259 = 246.05.
    assert (row.hd95, row.hd95_pooled) == pytest.approx((15.0, 9.05))
    assert HausdorffDistanceMetric(include_background=True, percentile=95)(*tensors).item() == pytest.approx(15.0)
    assert medpy.hd95(long, short) == pytest.approx(9.05)


def test_an_island_changes_one_hd95_and_not_the_other() -> None:
    truth = np.zeros((40, 40), bool)
    truth[18:22, 18:22] = True
    island = truth.copy()
    island[0, 39] = True
    row = score(island, truth, (1.0, 1.0))
    far = math.hypot(18, 18)  # of 1 in 13 border voxels of one mask, of 1 in 25 of both
    assert (row.hd95, row.hd95_pooled) == pytest.approx((0.4 * far, 0.0))


@pytest.mark.filterwarnings("ignore")
def test_monai_drops_the_missed_organ_and_we_do_not() -> None:
    truth = np.zeros((20, 20, 10), bool)
    truth[4:9, 4:9, 2:6] = True
    nothing = np.zeros_like(truth)
    tensors = [torch.from_numpy(mask)[None, None].float() for mask in (nothing, truth)]
    metric = HausdorffDistanceMetric(include_background=True, percentile=95)
    assert math.isnan(metric(*tensors).item())
    assert metric.aggregate().item() == 0.0
    assert score(nothing, truth, (1.0, 1.0, 3.0)).hd95 == pytest.approx(math.hypot(19, 19, 27))


# DeepMind's surface is made of elements at the corners of voxels, weighed by their area. Its numbers
# are ours only where every element is equally far, or equally large; else the two surfaces lie within
# half a voxel's diagonal of each other, which bounds how far the numbers can be apart.


def deepmind_distances(first: Mask, second: Mask, spacing: tuple[float, ...]) -> dict[str, NDArray[np.float64]]:
    found: dict[str, NDArray[np.float64]] = deepmind.compute_surface_distances(first, second, spacing)
    return found


@pytest.mark.parametrize(
    ("offset", "spacing"), [((3, 5), (1.0, 1.0)), ((4, 2), (0.75, 2.5)), ((2, 3, 1), (0.8, 0.8, 3.0))]
)
def test_scores_of_two_voxels_equal_those_of_deepmind(offset: tuple[int, ...], spacing: tuple[float, ...]) -> None:
    """At least 1 in 8 corners of a voxel is as far from the other voxel as the centres are: more than 5 %."""
    first, second = np.zeros((12,) * len(offset), bool), np.zeros((12,) * len(offset), bool)
    first[(3,) * len(offset)] = True
    second[tuple(3 + step for step in offset)] = True
    found = deepmind_distances(first, second, spacing)
    distance = math.hypot(*(step * size for step, size in zip(offset, spacing, strict=True)))
    assert deepmind.compute_robust_hausdorff(found, 95) == pytest.approx(distance)
    row = score(first, second, spacing)
    assert (row.hd95, row.hd95_pooled, row.assd) == pytest.approx((distance,) * 3)
    for tolerance, expected in ((distance + 0.01, 1.0), (0.0, 0.0)):
        assert score(first, second, spacing, tolerance).nsd == expected
        assert deepmind.compute_surface_dice_at_tolerance(found, tolerance) == expected


def test_scores_of_identical_masks_equal_those_of_deepmind() -> None:
    for first, second, spacing in PAIRS:
        if (first == second).all() and min(first.shape) > 1:
            found = deepmind_distances(first, second, spacing)
            row = score(first, second, spacing)
            assert row.hd95 == deepmind.compute_robust_hausdorff(found, 95) == 0
            assert row.nsd == deepmind.compute_surface_dice_at_tolerance(found, TOLERANCE) == 1


def test_distances_differ_from_deepmind_by_at_most_a_voxel() -> None:
    """The largest distances differ by at most a voxel's diagonal, and perfect agreement survives that much slack."""
    rng = np.random.default_rng(1)
    grids: list[tuple[tuple[int, ...], tuple[float, ...]]] = [((25, 31), (0.8, 2.0)), ((14, 12, 10), (0.8, 0.8, 2.5))]
    for shape, spacing in grids * 15:
        first, second = (np.pad(blob(rng, shape), 2) for _ in range(2))
        voxel = math.hypot(*spacing)
        found = deepmind_distances(first, second, spacing)
        ours = max(float(d.max()) for d in directed_distances(border(first), border(second), spacing))
        assert ours == pytest.approx(deepmind.compute_robust_hausdorff(found, 100), abs=voxel)
        assert score(first, second, spacing, ours).nsd == 1
        assert deepmind.compute_surface_dice_at_tolerance(found, ours + voxel) == 1


def test_distances_of_spheres_are_near_those_of_deepmind() -> None:
    """Concentric spheres: every convention must find the difference of the radii, to within a voxel."""
    spacing = (1.0, 1.0, 2.0)
    axes = np.ogrid[-20:21, -20:21, -10:11]
    radius = np.sqrt(sum((axis * size) ** 2 for axis, size in zip(axes, spacing, strict=True)))
    first, second = radius < 17, radius < 11
    found = deepmind_distances(first, second, spacing)
    row = score(first, second, spacing)
    voxel = math.hypot(*spacing)
    assert row.hd95 == pytest.approx(6, abs=voxel)
    assert row.hd95 == pytest.approx(deepmind.compute_robust_hausdorff(found, 95), abs=voxel)
    assert row.assd == pytest.approx(6, abs=voxel / 2)
    for tolerance, expected in ((6 - voxel, 0.0), (6 + voxel, 1.0)):
        assert score(first, second, spacing, tolerance).nsd == pytest.approx(expected, abs=0.02)
        assert deepmind.compute_surface_dice_at_tolerance(found, tolerance) == pytest.approx(expected, abs=0.02)
