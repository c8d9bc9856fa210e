"""Peak memory of one CT of 512x512x400 with 30 queries: read, trained in patches, and scored.

python -m benchmarks.perf.many_queries [--slices 400] [--queries 30] [--steps 2] [--folder DIR]

The volume is written in the layout of ReXGroundingCT under three names: train, val and reported. One process then
prepares a training volume and the reported one, trains a small `film` in patches of the published size, predicts one
query of the reported volume, and scores a moved label of each query by the conventions of the data set.

It counts how often an image file is read, and watches its private memory: `RssAnon` of /proc/self/status, every 5 ms,
with the imports. Pages of mapped files do not count, because they are cache of the system. The exit code is 1 where a
bar is missed. Linux only; needs 20 GB of disk.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np

from benchmarks.perf.prepare import private
from datamodules.files.rex_listing import BASE, CHALLENGE, place_of

BAR = 4000.0
"""Largest private memory in MB."""

NAMES = {"train": ("train_1_a_1.nii.gz", "train_2_a_1.nii.gz"), "val": ("train_3_a_1.nii.gz",)}
CHANNELS = (16, 16, 32, 64, 128, 16)
PIXELS, SPACING = 512, (0.7, 0.7, 1.0)


def main() -> int:
    """Write the volume, measure in a process of its own, and print the peaks; return 1 where a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--slices", type=int, default=400)
    parser.add_argument("--queries", type=int, default=30)
    parser.add_argument("--steps", type=int, default=2)
    parser.add_argument("--folder", type=Path, help="folder of the files (default: a temporary one)")
    known = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=known.folder) as folder:
        root, cache = Path(folder) / "data", Path(folder) / "cache"
        write_volume(root, (PIXELS, PIXELS, known.slices), known.queries)
        os.environ |= {"ZOO_CACHE": str(cache), "OMP_NUM_THREADS": "1"}
        with ProcessPoolExecutor(1, get_context("spawn")) as pool:
            peaks, reads, volumes = pool.submit(measure, root, known.steps).result()
    for name, (seconds, peak) in peaks.items():
        sys.stdout.write(f"{name}: {seconds:.0f} s by the clock, private memory {peak:.0f} MB at its peak\n")
    met = max(peak for _, peak in peaks.values()) <= BAR and reads == volumes
    sys.stdout.write(f"{reads} image files read for {volumes} prepared volumes of {known.queries} queries; ")
    sys.stdout.write(f"bar {BAR:.0f} MB: {'met' if met else 'MISSED'}\n")
    return 0 if met else 1


def measure(root: Path, steps: int) -> tuple[dict[str, tuple[float, float]], int, int]:
    """Prepare, train and score.

    Returns:
        Seconds and peak of private memory in MB of each part, image files read, and volumes prepared.
    """
    import lightning as L
    import torch

    from datamodules.build import build_datamodule
    from zoo.io.readers import Reader
    from zoo.metrics.scored_cases import ScoredCases
    from zoo.models import FiLM
    from zoo.types import Prediction

    torch.set_num_threads(1)
    reads: list[Path] = []

    class CountingReader(Reader):
        """Notes each image file that is read."""

        def image(self, path: Path) -> Any:
            reads.append(path)
            return super().image(path)

    options: dict[str, Any] = {"root": str(root), "augment": "none", "num_workers": 1, "batch_size": 1}
    data = build_datamodule("rexgroundingct", "published", **options)
    data.reader = CountingReader(data.dropped_values)  # in place of the cached property
    model = FiLM(data.facts, encoder="tiny", freeze_text=True, channels=CHANNELS, overlap=0.0)
    limits: dict[str, Any] = {"max_steps": steps, "limit_val_batches": 0}
    quiet: dict[str, Any] = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    quiet |= {"accelerator": "cpu", "enable_model_summary": False, "num_sanity_val_steps": 0}
    trainer = L.Trainer(**limits, **quiet)
    peaks: dict[str, tuple[float, float]] = {}
    with watched(peaks, f"read, prepared and trained {steps} steps of patches of {'x'.join(map(str, data.patch))}"):
        trainer.fit(model, datamodule=data)
    with watched(peaks, "one query predicted by the network and scored"):
        L.Trainer(limit_test_batches=1, **quiet).test(model, datamodule=data, verbose=False)
    data.trainer = None  # without its limit
    scores = ScoredCases(data.labels, data.card.tolerance)
    scores.reset(data)
    with watched(peaks, "the labels of all queries, moved, scored"):
        for item in data.test_dataloader():
            [native], [case_id], [query] = item["native"], item["case_id"], item["query"]
            mask = np.roll(native.label, 2, axis=1)
            scores.score([Prediction(case_id, mask, native.geometry, query)], [native])
    if len(scores.rows) != len(data.cases_of("test")):
        raise RuntimeError(f"{len(scores.rows)} of {len(data.cases_of('test'))} queries were scored: {peaks}")
    return peaks, len(reads), len(set(reads))


@contextmanager
def watched(peaks: dict[str, tuple[float, float]], name: str) -> Iterator[None]:
    """Store the seconds and the peak of private memory of a part."""
    seen, done, start = [private()], threading.Event(), time.perf_counter()

    def watch() -> None:
        while not done.wait(0.005):
            seen.append(private())

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join()
    peaks[name] = (time.perf_counter() - start, max(seen))


def write_volume(root: Path, shape: tuple[int, int, int], queries: int) -> None:
    """Write a CT with one nodule per query, its masks slice by slice, and the listings."""
    rng = np.random.default_rng(0)
    centres = rng.uniform(0.2, 0.8, (queries, 3)) * shape
    radii = rng.uniform(4, 24, queries)
    first = NAMES["train"][0]
    masks, ct = root / "segmentations" / first, root / place_of(first)
    for path in (masks, ct):
        path.parent.mkdir(parents=True)
    x, y = np.ogrid[: shape[0], : shape[1]]
    pixels = np.zeros(queries, np.int64)
    with open_nifti(masks, (queries, *shape), np.uint8) as masks_file, open_nifti(ct, shape, np.int16) as ct_file:
        for number in range(shape[2]):
            rest = radii**2 - (number - centres[:, 2]) ** 2
            slices = np.zeros((queries, *shape[:2]), np.uint8)
            for query in np.flatnonzero(rest > 0):
                slices[query] = (x - centres[query, 0]) ** 2 + (y - centres[query, 1]) ** 2 < rest[query]
            image = rng.normal(-850, 40, shape[:2]) + 800 * slices.any(axis=0)
            pixels += slices.sum(axis=(1, 2), dtype=np.int64)
            masks_file.write(slices.tobytes(order="F"))
            ct_file.write(image.astype(np.int16).tobytes(order="F"))
    keys = [str(query) for query in range(queries)]
    entry = {
        "findings": {key: f"A nodule, number {key}." for key in keys},
        "entity_counts": dict.fromkeys(keys, 1),
        "categories": dict.fromkeys(keys, "2d"),
        "shape": list(shape),
        "pixels": dict(zip(keys, pixels.tolist(), strict=True)),
    }
    for name in [name for names in NAMES.values() for name in names if name != first]:
        (root / place_of(name)).parent.mkdir(parents=True)
        os.link(ct, root / place_of(name))
        os.link(masks, root / "segmentations" / name)
    content = {part: [{"name": name, **entry} for name in names] for part, names in NAMES.items()}
    for listing in (BASE, CHALLENGE):
        (root / listing).write_text(json.dumps({**content, "test": []}), encoding="utf-8")


@contextmanager
def open_nifti(path: Path, shape: tuple[int, ...], dtype: type[np.generic]) -> Iterator[gzip.GzipFile]:
    """Open a compressed NIfTI file behind its header, so that an array larger than the memory can be written."""
    header = nib.Nifti1Header()
    header.set_data_dtype(dtype)
    header.set_data_shape(shape)
    header.set_sform(np.diag([*SPACING, 1.0]), code="scanner")
    header["vox_offset"], header["magic"] = 352, b"n+1"
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.write(header.binaryblock)
        file.write(bytes(4))
        yield file


if __name__ == "__main__":
    sys.exit(main())
