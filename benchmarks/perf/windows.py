"""Time of a sliding window around a network that takes none, from a volume to labels: ours and MONAI's inferer.

python benchmarks/perf/windows.py [--small] [--repeats 3]

The network returns logits that are in memory already, and both sides call it for the same windows of 96x96x96 at an
overlap of 0.5. MONAI multiplies logits in place, so it gets a copy, whose time is left out. Labels must be equal.
"""

from __future__ import annotations

import argparse
import sys
import time

import numpy as np
import torch
from monai.inferers import sliding_window_inference
from numpy.typing import NDArray
from torch import Tensor

from benchmarks.perf.harness import Bars, Side, compare
from zoo.inference import WindowPlan, predict_masks
from zoo.types import Geometry, LabelSpace, Text

CLASSES, OVERLAP = 14, 0.5
BARS = Bars(speed=2.5, memory=0.5)

Labels = NDArray[np.uint8]


class StoredLogits:
    """A network whose logits are in memory.

    Attributes:
        clock: Seconds by the clock of its calls since the last `take`.
        processor: Processor time of these calls.
    """

    def __init__(self, patch: tuple[int, ...]) -> None:
        self.logits = torch.randn(1, CLASSES, *patch, generator=torch.Generator().manual_seed(0))
        self.clock = self.processor = 0.0

    def __call__(self, image: Tensor, text: Text | None = None) -> Tensor:
        """Return a copy of the logits."""
        start, begin = time.perf_counter(), time.process_time()
        logits = self.logits.clone()
        self.clock += time.perf_counter() - start
        self.processor += time.process_time() - begin
        return logits

    def take(self) -> tuple[float, float]:
        """Return both times and begin anew."""
        taken, self.clock, self.processor = (self.clock, self.processor), 0.0, 0.0
        return taken


def main() -> int:
    """Compare both sides."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--small", action="store_true", help="a smaller volume, to see that the script runs")
    arguments = parser.parse_args()
    shape, patch = ((64, 64, 48), (24, 24, 24)) if arguments.small else ((259, 259, 195), (96, 96, 96))
    image, network = torch.zeros(1, 1, *shape), StoredLogits(patch)
    geometry = Geometry(None, shape, tuple((0, n) for n in shape), (1.5, 1.5, 2.0), "mm")
    labels = LabelSpace(tuple(f"organ {n}" for n in range(1, CLASSES)), tuple((n,) for n in range(1, CLASSES)))

    def ours() -> Labels:
        (mask,) = predict_masks(network, image, Text(()), WindowPlan(patch, OVERLAP), [geometry], labels)
        if mask is None:
            raise ValueError("The logits are not finite.")
        return mask

    def by_monai() -> Labels:
        logits = sliding_window_inference(image, patch, 1, network, overlap=OVERLAP, mode="gaussian")
        found: Labels = torch.as_tensor(logits).argmax(1)[0].to(torch.uint8).numpy()
        return found

    sides = Side("zoo", ours, network.take), Side("MONAI", by_monai, network.take)
    claim = f"{CLASSES} classes, {shape} in windows of {patch}"
    return compare(claim, *sides, lambda one, other: float((one != other).mean()), BARS, arguments.repeats)


if __name__ == "__main__":
    sys.exit(main())
