"""Patches per second for training as with BTCV: the zoo's loader, MONAI's CacheDataset, and a plain copy.

python benchmarks/perf/patches.py [--small]

Patches of 96x96x96 (float32 image, uint8 label; two of three around foreground) are cut from four synthetic CTs of
240x230x200 on the network's grid. MONAI's cropping is that of its SwinUNETR tutorial for BTCV: all deterministic steps
are in the cache, and no random step follows the crop. `MONAI indices` also caches the positions of the foreground.
`copy` copies the same patches as `zoo` from memory to memory, with the same number of threads, into the same batches.
Each kind has its own process. They run one after the other and take turns in every repeat. Linux only.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import numpy as np

CLASSES, CROPS = 13, 4
MONAI, PROCESSES = "MONAI", "MONAI processes"
OVER_MONAI, OF_COPY = 10.0, 0.4
"""Required rate of the zoo: as a multiple of MONAI's, and as a share of the plain copy's."""


class Plan(NamedTuple):
    """Settings of the measurement.

    Attributes:
        folder: Folder of the volumes and the cache.
        shape: Shape of a volume.
        patch: Side length of a patch.
        threads: Number of threads or worker processes.
        patches: Number of patches per repeat; MONAI's kinds have a fifth of it.
    """

    folder: Path
    shape: tuple[int, int, int]
    patch: int
    threads: int
    patches: int


def main() -> int:
    """Measure and print; return 1 where a required rate is not reached."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", action="store_true", help="small volumes, for a test; no rate is required")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    kinds = list(KINDS)[: 3 if arguments.small else None]
    rates: dict[str, list[tuple[float, float]]] = {name: [] for name in kinds}
    memory: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        shape, patch, patches = ((60, 56, 50), 24, 40) if arguments.small else ((240, 230, 200), 96, 400)
        plan = Plan(Path(folder), shape, patch, arguments.threads, patches)
        write_volumes(plan)
        context = get_context("spawn")
        pools = {
            name: stack.enter_context(ProcessPoolExecutor(1, context, initializer=prepare_kind, initargs=(name, plan)))
            for name in kinds
        }
        for _ in range(arguments.repeats):
            for name, pool in pools.items():
                rates[name].append(pool.submit(measure_rate).result())
        for name, pool in pools.items():
            memory[name] = pool.submit(measure_peak).result()
    walls = {name: [wall for wall, _ in found] for name, found in rates.items()}
    for name, found in walls.items():
        figures = "/".join(f"{value:.0f}" for value in (min(found), median(found), max(found)))
        write_line(
            f"{name:<16}{figures:>18} patches/s (min/median/max of {len(found)}), private {memory[name]:5.0f} MB"
        )
    own, own_busy = (median(column) for column in zip(*rates["zoo"], strict=True))
    for name in kinds[1:]:
        busy = "" if name == PROCESSES else f", in processor time {own_busy / median(b for _, b in rates[name]):.2f}"
        write_line(f"zoo / {name}: {own / median(walls[name]):.2f}{busy}")
    peer = max(median(walls[name]) for name in kinds if name in (MONAI, PROCESSES))
    reached = own >= OVER_MONAI * peer and own >= OF_COPY * median(walls["copy"])
    return 0 if reached or arguments.small else 1


def write_line(line: str) -> None:
    """Write one line of the output."""
    sys.stdout.write(line + "\n")


# In each process

_pass: Callable[[], Iterator[int]]
_base = 0.0


def prepare_kind(name: str, plan: Plan) -> None:
    """Prepare a kind and run it once."""
    global _pass, _base  # noqa: PLW0603  (each process has one kind)
    import torch

    import datamodules.loading.datasets  # noqa: F401

    if name.startswith(MONAI):
        import monai.data
        import monai.transforms  # noqa: F401

    torch.set_num_threads(1)
    _base = private_memory()
    _pass = KINDS[name](plan)
    for _ in _pass():
        pass


def measure_rate() -> tuple[float, float]:
    """Return the patches per second of one pass, and per second of processor time of this process."""
    start, busy = time.perf_counter(), time.process_time()
    count = sum(_pass())
    return count / (time.perf_counter() - start), count / (time.process_time() - busy)


def measure_peak() -> float:
    """Return the largest private memory (`RssAnon`) during one pass, in MB above that of the imports."""
    return max(private_memory() for _ in _pass()) - _base


def private_memory() -> float:
    """Return the private memory of this process in MB, without pages of mapped files, which the system caches."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon")) / 1000


def run_zoo(plan: Plan) -> Callable[[], Iterator[int]]:
    """Run the training loader of the zoo."""
    from datamodules.loading.datasets import TrainingSet
    from datamodules.loading.loaders import make_loader
    from datamodules.loading.samplers import DrawSampler
    from datamodules.loading.text_source import SplitText

    prepared = load_volumes(plan)
    cases = list(prepared)
    data = TrainingSet(cases, prepared.__getitem__, (plan.patch,) * 3, 0, SplitText(()))
    sampler = DrawSampler(len(cases), plan.patches)
    loader = make_loader(data, sampler, CROPS, plan.threads)

    def go() -> Iterator[int]:
        sampler.set_epoch(sampler.epoch + 1)
        for batch in loader:
            yield len(batch["image"])

    return go


def run_copy(plan: Plan) -> Callable[[], Iterator[int]]:
    """Copy the same patches from arrays in memory."""
    from datamodules.loading.datasets import patch_start
    from datamodules.loading.samplers import case_of, generator

    prepared = list(load_volumes(plan).values())
    arrays = [(np.array(one.image), np.array(one.label)) for one in prepared]
    size = (plan.patch,) * 3
    places = []
    for draw in range(plan.patches):
        case = case_of(draw, len(arrays), 0)
        start = patch_start(prepared[case], size, generator(0, draw))
        places.append((case, (slice(None), *(slice(first, first + plan.patch) for first in start))))
    batches = [(np.zeros((1, *size), np.float32), np.zeros((1, *size), np.uint8)) for _ in range(plan.threads * CROPS)]

    def copy_share(thread: int) -> int:
        mine = places[thread :: plan.threads]
        for number, (case, where) in enumerate(mine):
            image, label = batches[thread * CROPS + number % CROPS]
            image[...] = arrays[case][0][where]
            label[...] = arrays[case][1][where]
        return len(mine)

    pool = ThreadPoolExecutor(plan.threads)
    return lambda: pool.map(copy_share, range(plan.threads))


def run_monai(plan: Plan, *, indices: bool = False, processes: bool = False) -> Callable[[], Iterator[int]]:
    """Run MONAI's CacheDataset and RandCropByPosNegLabeld."""
    import monai.transforms as mt
    from monai.data import CacheDataset, DataLoader, ThreadDataLoader
    from torch.utils.data import RandomSampler

    keys = ["image", "label"]
    steps: list[Any] = [mt.EnsureTyped(keys, track_meta=False)]
    crop: dict[str, Any] = {"pos": 2, "neg": 1, "num_samples": CROPS, "image_key": "image", "image_threshold": 0}
    if indices:
        steps.append(mt.FgBgToIndicesd("label", image_key="image", image_threshold=0))
        crop |= {"fg_indices_key": "label_fg_indices", "bg_indices_key": "label_bg_indices"}
    steps.append(mt.RandCropByPosNegLabeld(keys, "label", (plan.patch,) * 3, **crop))
    files = [{"image": np.array(one.image), "label": np.array(one.label)} for one in load_volumes(plan).values()]
    data = CacheDataset(files, mt.Compose(steps), progress=False)
    del files
    options: dict[str, Any] = {"num_workers": plan.threads, "persistent_workers": True} if processes else {}
    sampler = RandomSampler(data, replacement=True, num_samples=plan.patches // CROPS // 5)
    loader = (DataLoader if processes else ThreadDataLoader)(data, batch_size=1, sampler=sampler, **options)

    def go() -> Iterator[int]:
        for batch in loader:
            yield len(batch["image"])

    return go


KINDS: dict[str, Callable[[Plan], Callable[[], Iterator[int]]]] = {
    "zoo": run_zoo,
    "copy": run_copy,
    MONAI: run_monai,
    PROCESSES: lambda plan: run_monai(plan, processes=True),
    "MONAI indices": lambda plan: run_monai(plan, indices=True),
}


# The volumes


def write_volumes(plan: Plan) -> None:
    """Write four volumes with 13 organs to the cache."""
    load_volumes(plan)


def load_volumes(plan: Plan) -> dict[Any, Any]:
    """Return the prepared volumes by case; missing ones are made."""
    from datamodules.loading.cache import Cache
    from zoo.types import Case

    cache = Cache(plan.folder / "cache")
    cases = [Case(str(number), (), None, str(number)) for number in range(4)]
    return {case: cache.get(case.case_id, partial(make_volume, plan, int(case.case_id))) for case in cases}


def make_volume(plan: Plan, number: int) -> Any:
    """Make a body in air, with organs of many sizes."""
    from datamodules.loading.foreground import list_foreground
    from zoo.preprocessing.apply import PreparedCase
    from zoo.types import Geometry

    rng = np.random.default_rng(number)
    x, y, z = np.ogrid[tuple(slice(-1, 1, complex(n)) for n in plan.shape)]
    body = np.broadcast_to(x**2 / 0.9 + y**2 / 0.7 < 1, plan.shape)
    image = np.where(body, rng.random(plan.shape, np.float32), np.float32(0))[None]
    label = np.zeros((1, *plan.shape), np.uint8)
    for organ in range(CLASSES):
        a, b, c = rng.uniform(-0.5, 0.5, 3)
        label[0, (x - a) ** 2 + (y - b) ** 2 + (z - c) ** 2 < (0.08 + 0.02 * organ) ** 2] = organ + 1
    geometry = Geometry(None, plan.shape, tuple((0, n) for n in plan.shape), (1.5, 1.5, 2.0), "mm")
    return PreparedCase(image, label, geometry, None, list_foreground(label, True, CLASSES))


if __name__ == "__main__":
    sys.exit(main())
