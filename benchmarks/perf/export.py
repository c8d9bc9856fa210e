"""Time from logits of 14 classes to labels on the grid of the file: ours, and the ways of torch and of nnU-Net.

python benchmarks/perf/export.py [--small] [--repeats 3] [--peer torch|nnunet]

torch interpolates all logits and takes the largest. nnU-Net 2 by default resamples each class with cubic splines of
scikit-image, here of order 1, as for its probabilities, and takes the largest; it is compared where `nnunetv2` can be
imported. Labels must equal torch's voxel for voxel.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from benchmarks.perf.harness import Bars, Side, compare
from zoo.preprocessing.undo import native_mask
from zoo.types import Geometry, LabelSpace

CLASSES, SPACING, NETWORK_SPACING = 14, (0.76, 0.76, 2.0), (1.5, 1.5, 2.0)
NETWORK, NATIVE = (130, 130, 144), (256, 256, 144)
SMALL_NETWORK, SMALL_NATIVE = (33, 33, 24), (65, 65, 24)
BARS = {"torch": Bars(speed=40, memory=0.1), "nnunet": Bars(speed=100, memory=0.1)}

Labels = NDArray[np.uint8]


def main() -> int:
    """Compare our way with one or both others."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--small", action="store_true", help="a smaller image, to see that the script runs")
    parser.add_argument("--peer", choices=[*BARS], action="append", help="default: both, where nnunetv2 is installed")
    arguments = parser.parse_args()
    network, native = (SMALL_NETWORK, SMALL_NATIVE) if arguments.small else (NETWORK, NATIVE)
    logits = make_logits(network)
    geometry = Geometry(None, native, tuple((0, n) for n in native), SPACING, "mm")
    labels = LabelSpace(
        tuple(f"organ {n}" for n in range(1, CLASSES)), tuple((n,) for n in range(1, CLASSES)), exclusive=True
    )

    def ours() -> Labels:
        return native_mask(logits, geometry, labels)

    def by_torch() -> Labels:
        grid = F.interpolate(logits[None], size=native, mode="trilinear", align_corners=False)[0]
        found: Labels = grid.argmax(0).to(torch.uint8).numpy()
        return found

    ways: dict[str, Callable[[], Labels]] = {"torch": by_torch}
    try:
        from nnunetv2.preprocessing.resampling.default_resampling import resample_data_or_seg_to_shape
    except ImportError:
        if "nnunet" in (arguments.peer or ()):
            parser.error("nnunetv2 is not installed: install it in a folder aside, and add the folder to PYTHONPATH.")
    else:

        def by_nnunet() -> Labels:
            grid = resample_data_or_seg_to_shape(
                logits.numpy(), native, NETWORK_SPACING, SPACING, is_seg=False, order=1, order_z=0
            )
            found: Labels = np.asarray(grid).argmax(0).astype(np.uint8)
            return found

        ways["nnunet"] = by_nnunet
    failed = 0
    for name in arguments.peer or ways:
        claim = f"{CLASSES} classes, {network} to {native}, beside {name}"
        ways_of_both = Side("zoo", ours), Side(name, ways[name])
        failed |= compare(claim, *ways_of_both, share_of_other_labels, BARS[name], arguments.repeats)
    return failed


def make_logits(shape: tuple[int, int, int]) -> torch.Tensor:
    """Make smooth logits of balls of several sizes with noise, [CLASSES, *shape]."""
    generator = torch.Generator().manual_seed(0)
    grid = [torch.linspace(-1, 1, n).view([-1 if a == axis else 1 for a in range(3)]) for axis, n in enumerate(shape)]
    logits = torch.empty(CLASSES, *shape)
    logits[0] = 0.0
    for organ in range(1, CLASSES):
        centre = torch.rand(3, generator=generator) * 1.4 - 0.7
        far = sum((axis - place) ** 2 for axis, place in zip(grid, centre, strict=True))
        logits[organ] = 12 * (0.06 + 0.02 * organ - torch.as_tensor(far).sqrt())
    coarse = torch.randn(CLASSES, *(n // 3 for n in shape), generator=generator)
    return logits.add_(F.interpolate(coarse[None], size=shape, mode="trilinear")[0], alpha=0.3)


def share_of_other_labels(one: Labels, other: Labels) -> float:
    """Return the share of voxels whose labels differ."""
    return float((one != other).mean())


if __name__ == "__main__":
    sys.exit(main())
