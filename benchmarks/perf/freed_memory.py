"""A training step of a U-Net on a CPU with freed memory kept, and the same step with the defaults of glibc.

python benchmarks/perf/freed_memory.py
"""

from __future__ import annotations

import resource
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import torch

STEPS = 5


def main() -> None:
    """Measure both sides, each in its own process, and print the results with their ratio."""
    found = {}
    for keep in (False, True):
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            found[keep] = pool.submit(measure, keep).result()
        wall, user, system, peak = found[keep]
        name = "kept" if keep else "default"
        sys.stdout.write(f"{name:<8}{wall:6.2f} s a step (user {user:.2f}, system {system:.2f}), peak {peak:.2f} GiB\n")
    sys.stdout.write(f"ratio {sum(found[False][1:3]) / sum(found[True][1:3]):.2f} in processor time\n")


def measure(keep: bool) -> tuple[float, float, float, float]:
    """Measure wall, user and system seconds per step of the tiny `unet` (16 images of 128x128), and the peak in GiB."""
    from monai.networks.nets import BasicUNet

    from zoo.engine.cpu_allocator import keep_freed_memory

    if keep:
        keep_freed_memory()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    net = BasicUNet(2, 1, 1, features=(16, 32, 64, 128, 256, 16))
    image = torch.randn(16, 1, 128, 128)
    net(image).sum().backward()  # not timed
    begin, start = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    for _ in range(STEPS):
        net(image).sum().backward()
    wall, end = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF)
    user, system = end.ru_utime - begin.ru_utime, end.ru_stime - begin.ru_stime
    return wall / STEPS, user / STEPS, system / STEPS, end.ru_maxrss / 2**20


if __name__ == "__main__":
    main()
