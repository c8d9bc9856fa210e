"""Seconds and peak private memory of the preparation of CT volumes of 512x512x150, per number of workers.

python benchmarks/perf/prepare.py [--volumes 12] [--workers 1 2]

Private memory is `RssAnon` of /proc/self/status, read every 5 ms, minus the memory before the preparation. Pages of
mapped files do not count, because they are cache of the system, which it frees when needed. Linux only.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import nibabel as nib
import numpy as np

SHAPE, SPACING = (512, 512, 150), (0.76, 0.76, 3.0)


def main() -> None:
    """Write the volumes, measure each number of workers in its own process, and print the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--volumes", type=int, default=12)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as root:
        write(Path(root), arguments.volumes)
        for workers in arguments.workers:
            with tempfile.TemporaryDirectory() as cache, ProcessPoolExecutor(1, get_context("spawn")) as pool:
                os.environ["ZOO_CACHE"] = cache
                seconds, peak, base = pool.submit(measure, root, workers).result()
            sys.stdout.write(
                f"{arguments.volumes} volumes, {workers} workers: {seconds:.1f} s, "
                f"private memory {peak:.0f} MB at its peak over {base:.0f} MB after the imports\n"
            )


def measure(root: str, workers: int) -> tuple[float, float, float]:
    """Measure seconds, the peak of private memory above the imports in MB, and the memory of the imports in MB."""
    import torch

    from datamodules.build import build_datamodule

    torch.set_num_threads(1)
    data = build_datamodule("btcv", root=root)
    base, seen, done = private(), [0.0], threading.Event()

    def watch() -> None:
        while not done.wait(0.005):
            seen.append(private())

    watcher = threading.Thread(target=watch)
    watcher.start()
    start = time.perf_counter()
    data.prepared_cases.make_all(workers)
    seconds = time.perf_counter() - start
    done.set()
    watcher.join()
    return seconds, max(seen) - base, base


def private() -> float:
    """Read the private memory of this process in MB."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon")) / 1000


def write(root: Path, volumes: int) -> None:
    """Write one body with 13 organs under the names of all volumes, in the layout of BTCV."""
    rng = np.random.default_rng(0)
    x, y, z = np.ogrid[-1 : 1 : SHAPE[0] * 1j, -1 : 1 : SHAPE[1] * 1j, -1 : 1 : SHAPE[2] * 1j]
    image = np.full(SHAPE, -1000, np.int16)
    body = np.broadcast_to(x**2 / 0.8 + y**2 / 0.5 < 1, SHAPE)
    image[body] = rng.normal(40, 30, int(body.sum())).astype(np.int16)
    label = np.zeros(SHAPE, np.uint8)
    for organ in range(13):
        a, b, c = rng.uniform(-0.5, 0.5, 3)
        label[(x - a) ** 2 + (y - b) ** 2 + (z - c) ** 2 < (0.05 + 0.02 * organ) ** 2] = organ + 1
    folder = root / "RawData" / "Training"
    for kind, array in (("img", image), ("label", label)):
        (folder / kind).mkdir(parents=True)
        first = folder / kind / f"{kind}0001.nii.gz"
        nib.save(nib.Nifti1Image(array, np.diag([*SPACING, 1.0])), first)
        for number in range(2, volumes + 1):
            os.link(first, folder / kind / f"{kind}{number:04d}.nii.gz")


if __name__ == "__main__":
    main()
