"""Patches per second of the preset "full" in batches, and of nnU-Net v2's default training transforms in workers.

python benchmarks/perf/augmentation.py [--labels 8] [--threads 1] [--small]

The peer is batchgeneratorsv2 (pip install batchgeneratorsv2==0.3.6) with the transforms and parameters of
nnUNetTrainer.get_training_transforms (nnunetv2 2.8.1), without the smaller labels of deep supervision. Both read the
same larger patches and return 96x96x96 with one channel. The rate of the peer is that of its transforms, summed over
the workers, without loading, queue and collation. Each repeat uses the same random numbers, with ours and the peer in
turn, so that the spread is the spread of the machine.
"""

from __future__ import annotations

import argparse
import math
import statistics
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from multiprocessing import get_context
from typing import Any

import numpy as np
import torch
from torch import Tensor

from datamodules.augment import augment, margin
from zoo.engine.cpu_allocator import keep_freed_memory
from zoo.types import Batch

CORES, BATCH = 2, 2


def main() -> None:
    """Measure both in turn, and print patches per second and the ratios of throughput and processor time."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--labels", type=int, default=14, help="number of labels, with the background")
    parser.add_argument(
        "--threads",
        type=int,
        default=CORES,
        help="threads of our side; two threads wait for each other on a busy machine",
    )
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--patches", type=int, default=240, help="patches per repeat")
    parser.add_argument("--small", action="store_true", help="a smoke test: 24x24x24, 8 patches, one repeat")
    args = parser.parse_args()
    side, patches, repeats = (24, 8, 1) if args.small else (96, args.patches, args.repeats)
    keep_freed_memory()
    torch.set_num_threads(args.threads)
    found: dict[str, list[tuple[float, float]]] = {"ours": [], "peer": []}
    with ProcessPoolExecutor(CORES, mp_context=get_context("spawn")) as pool:
        list(pool.map(peer, [side] * CORES, [args.labels] * CORES, [2] * CORES, range(CORES)))  # not measured
        ours(side, args.labels, 2 * BATCH)
        for _ in range(repeats):
            found["ours"].append(ours(side, args.labels, patches))
            share = [patches // CORES] * CORES
            parts = list(pool.map(peer, [side] * CORES, [args.labels] * CORES, share, range(CORES)))
            found["peer"].append((sum(rate for rate, _ in parts), statistics.mean(spent for _, spent in parts)))
    for name, runs in found.items():
        rates, spent = zip(*runs, strict=True)
        line = "/".join(f"{pick(rates):.1f}" for pick in (min, statistics.median, max))
        sys.stdout.write(f"{name:<5}{line} patches/s (min/median/max), {1e3 * min(spent):.1f} ms of a core a patch\n")
    median, best, cost = (
        pick(column(run) for run in found["ours"]) / pick(column(run) for run in found["peer"])
        for pick, column in ((statistics.median, _rate), (max, _rate), (min, _spent))
    )
    sys.stdout.write(f"ratio {median:.2f} of medians, {best:.2f} of the best, {1 / cost:.2f} in processor time\n")


def _rate(run: tuple[float, float]) -> float:
    return run[0]


def _spent(run: tuple[float, float]) -> float:
    return run[1]


def ours(side: int, labels: int, patches: int) -> tuple[float, float]:
    """Measure patches per second and core seconds per patch, in batches."""
    size = (side,) * 3
    image, label = wide_patch(side, labels)
    batch = Batch(
        image=image.expand(BATCH, *image.shape).contiguous(),
        label=label.expand(BATCH, *label.shape).contiguous(),
        case_id=["0"] * BATCH,
        spacing=torch.ones(BATCH, 3),
        classes=(),
    )
    start, begin = time.perf_counter(), time.process_time()
    for first in range(0, patches, BATCH):
        batch["draw"] = list(range(first, first + BATCH))
        augment(batch, 0, (0, 1, 2), "full", size)
    return patches / (time.perf_counter() - start), (time.process_time() - begin) / patches


def peer(side: int, labels: int, patches: int, seed: int) -> tuple[float, float]:
    """Measure the same for one worker with one thread."""
    keep_freed_memory()
    torch.set_num_threads(1)
    transforms = peer_transforms(side)
    np.random.seed(seed)
    torch.manual_seed(seed)
    image, label = wide_patch(side, labels)
    wall = spent = 0.0
    for _ in range(patches):
        sample = {
            "image": image.clone(),
            "segmentation": label.to(torch.int16),
        }  # a copy, because the transform changes its input; not timed
        start, begin = time.perf_counter(), time.process_time()
        transforms(**sample)
        wall, spent = wall + time.perf_counter() - start, spent + time.process_time() - begin
    return patches / wall, spent / patches


@cache
def wide_patch(side: int, labels: int) -> tuple[Tensor, Tensor]:
    """Make an image [1, *S] and its label map with overlapping ellipsoids, at the size before the crop."""
    rng = np.random.default_rng(0)
    n = side + 2 * margin("full", (side,) * 3)[0]
    axes = np.ogrid[:n, :n, :n]
    label = np.zeros((n, n, n), dtype=np.uint8)
    for number in range(1, labels):
        centre, radius = rng.uniform(0, n, 3), rng.uniform(0.06, 0.25, 3) * n
        far = sum(((axis - c) / r) ** 2 for axis, c, r in zip(axes, centre, radius, strict=True))
        label[far < 1] = number
    image = label * 0.2 + rng.normal(0, 0.3, label.shape)
    return torch.from_numpy(image.astype(np.float32))[None], torch.from_numpy(label)[None]


@cache
def peer_transforms(side: int) -> Any:
    """Build nnU-Net's default 3D training transforms for a patch with equal sides."""
    from batchgeneratorsv2.transforms.intensity.brightness import MultiplicativeBrightnessTransform
    from batchgeneratorsv2.transforms.intensity.contrast import BGContrast, ContrastTransform
    from batchgeneratorsv2.transforms.intensity.gamma import GammaTransform
    from batchgeneratorsv2.transforms.intensity.gaussian_noise import GaussianNoiseTransform
    from batchgeneratorsv2.transforms.noise.gaussian_blur import GaussianBlurTransform
    from batchgeneratorsv2.transforms.spatial.low_resolution import SimulateLowResolutionTransform
    from batchgeneratorsv2.transforms.spatial.mirroring import MirrorTransform
    from batchgeneratorsv2.transforms.spatial.spatial import SpatialTransform
    from batchgeneratorsv2.transforms.utils.compose import ComposeTransforms
    from batchgeneratorsv2.transforms.utils.random import RandomTransform
    from batchgeneratorsv2.transforms.utils.remove_label import RemoveLabelTansform

    angle = math.radians(30)
    own: dict[str, Any] = {"synchronize_channels": False, "p_per_channel": 1}
    half: dict[str, Any] = {"synchronize_channels": False, "p_per_channel": 0.5}
    bright, bowed = BGContrast((0.75, 1.25)), BGContrast((0.7, 1.5))
    return ComposeTransforms(
        [
            SpatialTransform(
                (side,) * 3, 0, False, p_rotation=0.2, rotation=(-angle, angle), p_scaling=0.2, scaling=(0.7, 1.4),
                p_synchronize_scaling_across_axes=1, border_mode_seg="constant", padding_value_seg=-1,
            ),
            RandomTransform(GaussianNoiseTransform((0, 0.1), p_per_channel=1, synchronize_channels=True), 0.1),
            RandomTransform(GaussianBlurTransform((0.5, 1.0), synchronize_axes=False, benchmark=True, **half), 0.2),
            RandomTransform(MultiplicativeBrightnessTransform(bright, **own), 0.15),
            RandomTransform(ContrastTransform(bright, preserve_range=True, **own), 0.15),
            RandomTransform(
                SimulateLowResolutionTransform((0.5, 1), synchronize_axes=True, ignore_axes=None, **half), 0.25
            ),
            RandomTransform(GammaTransform(bowed, p_invert_image=1, p_retain_stats=1, **own), 0.1),
            RandomTransform(GammaTransform(bowed, p_invert_image=0, p_retain_stats=1, **own), 0.3),
            MirrorTransform((0, 1, 2)),
            RemoveLabelTansform(-1, 0),
        ]
    )  # fmt: skip


if __name__ == "__main__":
    main()
