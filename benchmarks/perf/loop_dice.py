"""Time of Dice in the validation loop, from label maps of 14 values: ours, torchmetrics and MONAI.

python benchmarks/perf/loop_dice.py [--small] [--repeats 7] [--peer torchmetrics|monai]

All sides have the same prediction and label as integers, and one thread. MONAI needs masks, which count for it.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable

import torch
from monai.metrics import compute_dice
from monai.networks.utils import one_hot
from torch import Tensor
from torchmetrics.functional.segmentation import dice_score

from benchmarks.perf.harness import Bars, Side, compare
from zoo.metrics.validation_scores import count_labels

VALUES, SIDE, SMALL = 14, 96, 24
BARS = {"torchmetrics": Bars(speed=100, difference=1e-6), "monai": Bars(speed=20, difference=1e-6)}


def main() -> int:
    """Compare our way with one or both others."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--small", action="store_true", help="a smaller image, to see that the script runs")
    parser.add_argument("--peer", choices=[*BARS], action="append", help="default: both")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    prediction, label = make_labels(SMALL if arguments.small else SIDE)

    def ours() -> Tensor:
        return dice_of(count_labels(prediction, label, VALUES))

    def by_torchmetrics() -> Tensor:
        per_image: Tensor = dice_score(
            prediction.view(1, -1), label.long().view(1, -1), VALUES, average="none", input_format="index"
        )
        return per_image[0]

    def by_monai() -> Tensor:
        masks = (one_hot(one.view(1, 1, -1), VALUES, dim=1) for one in (prediction, label))
        per_image: Tensor = compute_dice(*masks, include_background=True)
        return per_image[0]

    ways: dict[str, Callable[[], Tensor]] = {"torchmetrics": by_torchmetrics, "monai": by_monai}
    failed = 0
    for name in arguments.peer or ways:
        claim = f"Dice of {tuple(label.shape)} voxels with {VALUES} values, beside {name}"
        sides = Side("zoo", ours), Side(name, ways[name])
        failed |= compare(claim, *sides, largest_difference, BARS[name], arguments.repeats)
    return failed


def make_labels(side: int) -> tuple[Tensor, Tensor]:
    """Make blocks of random labels as uint8, and the same labels moved by three voxels as an argmax gives them."""
    generator = torch.Generator().manual_seed(0)
    label = torch.randint(0, VALUES, (2, 1, *[side // 8] * 3), generator=generator).to(torch.uint8)
    for axis in (2, 3, 4):
        label = label.repeat_interleave(8, axis)
    return label.roll(3, 2).long(), label


def dice_of(counts: Tensor) -> Tensor:
    """Compute Dice per label from the counts of pairs."""
    return 2 * counts.diagonal() / (counts.sum(0) + counts.sum(1))


def largest_difference(one: Tensor, other: Tensor) -> float:
    """Return the largest absolute difference."""
    return float((one.double() - other.double()).abs().max())


if __name__ == "__main__":
    sys.exit(main())
