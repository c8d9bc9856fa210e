"""Patches a second for BTCV-like training: the zoo's loader, MONAI's CacheDataset, and a plain copy of the patches.

python benchmarks/perf/patches.py [--small]

Patches of 96x96x96 (float32 image, uint8 label; two of three around foreground) are cut from four synthetic CTs of
240x230x200 that are already on the network's grid. MONAI's cropping is that of its SwinUNETR tutorial for BTCV, with
all that is deterministic in the cache and nothing random after the crop; `indices` also caches where the foreground
lies. `copy` copies the very patches of `zoo` from memory to memory, in as many threads, into one batch again and again.
Each runs in a process of its own, one after the other, in turn for every repeat. Linux only.
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
"""What must be reached: times MONAI's, and share of the plain copy's."""


class Plan(NamedTuple):
    """What is measured.

    Attributes:
        folder: Of the volumes and the cache.
        shape: Of a volume.
        patch: Side of a patch.
        threads: Threads or worker processes.
        patches: Patches of a repeat; MONAI's have a fifth of them.
    """

    folder: Path
    shape: tuple[int, int, int]
    patch: int
    threads: int
    patches: int


def main() -> int:
    """Measure, print, and return 1 where less than due was reached."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", action="store_true", help="small volumes, for a test; nothing need be reached")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    kinds = list(KINDS)[: 3 if arguments.small else None]
    rates: dict[str, list[tuple[float, float]]] = {name: [] for name in kinds}
    memory: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        shape, patch, patches = ((60, 56, 50), 24, 40) if arguments.small else ((240, 230, 200), 96, 400)
        plan = Plan(Path(folder), shape, patch, arguments.threads, patches)
        write(plan)
        context = get_context("spawn")
        pools = {
            name: stack.enter_context(ProcessPoolExecutor(1, context, initializer=begin, initargs=(name, plan)))
            for name in kinds
        }
        for _ in range(arguments.repeats):
            for name, pool in pools.items():
                rates[name].append(pool.submit(rate).result())
        for name, pool in pools.items():
            memory[name] = pool.submit(private_peak).result()
    walls = {name: [wall for wall, _ in found] for name, found in rates.items()}
    for name, found in walls.items():
        figures = "/".join(f"{value:.0f}" for value in (min(found), median(found), max(found)))
        say(f"{name:<16}{figures:>18} patches/s (min/median/max of {len(found)}), private {memory[name]:5.0f} MB")
    own, own_busy = (median(column) for column in zip(*rates["zoo"], strict=True))
    for name in kinds[1:]:
        busy = "" if name == PROCESSES else f", in processor time {own_busy / median(b for _, b in rates[name]):.2f}"
        say(f"zoo / {name}: {own / median(walls[name]):.2f}{busy}")
    peer = max(median(walls[name]) for name in kinds if name in (MONAI, PROCESSES))
    reached = own >= OVER_MONAI * peer and own >= OF_COPY * median(walls["copy"])
    return 0 if reached or arguments.small else 1


def say(line: str) -> None:
    """One line of the output."""
    sys.stdout.write(line + "\n")


# In each process

_pass: Callable[[], Iterator[int]]
_base = 0.0


def begin(name: str, plan: Plan) -> None:
    """Make a kind ready and go through it once."""
    global _pass, _base  # noqa: PLW0603  (a process holds one kind)
    import torch

    import datamodules.loading.datasets  # noqa: F401

    if name.startswith(MONAI):
        import monai.data
        import monai.transforms  # noqa: F401

    torch.set_num_threads(1)
    _base = private()
    _pass = KINDS[name](plan)
    for _ in _pass():
        pass


def rate() -> tuple[float, float]:
    """Patches a second of one pass, and patches a second of this process's processor time."""
    start, busy = time.perf_counter(), time.process_time()
    count = sum(_pass())
    return count / (time.perf_counter() - start), count / (time.process_time() - busy)


def private_peak() -> float:
    """Most private memory (`RssAnon`) at any batch of one pass, in MB over that of the imports."""
    return max(private() for _ in _pass()) - _base


def private() -> float:
    """This process's private memory in MB: pages of mapped files are the system's cache."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon")) / 1000


def ours(plan: Plan) -> Callable[[], Iterator[int]]:
    """The zoo's training loader."""
    from datamodules.loading.datasets import TrainingSet
    from datamodules.loading.loaders import make_loader
    from datamodules.loading.samplers import DrawSampler
    from datamodules.loading.text_source import SplitText

    prepared = stored(plan)
    cases = list(prepared)
    data = TrainingSet(cases, prepared.__getitem__, (plan.patch,) * 3, 0, SplitText(()))
    sampler = DrawSampler(len(cases), plan.patches)
    loader = make_loader(data, sampler, CROPS, plan.threads)

    def go() -> Iterator[int]:
        sampler.set_epoch(sampler.epoch + 1)
        for batch in loader:
            yield len(batch["image"])

    return go


def copy(plan: Plan) -> Callable[[], Iterator[int]]:
    """The same patches, copied from arrays in memory."""
    from datamodules.loading.datasets import patch_start
    from datamodules.loading.samplers import case_of, generator

    prepared = list(stored(plan).values())
    arrays = [(np.array(one.image), np.array(one.label)) for one in prepared]
    size = (plan.patch,) * 3
    places = []
    for draw in range(plan.patches):
        case = case_of(draw, len(arrays), 0)
        start = patch_start(prepared[case], size, generator(0, draw))
        places.append((case, (slice(None), *(slice(first, first + plan.patch) for first in start))))
    rooms = [(np.zeros((1, *size), np.float32), np.zeros((1, *size), np.uint8)) for _ in range(plan.threads * CROPS)]

    def share(thread: int) -> int:
        mine = places[thread :: plan.threads]
        for number, (case, where) in enumerate(mine):
            room = rooms[thread * CROPS + number % CROPS]
            room[0][...] = arrays[case][0][where]
            room[1][...] = arrays[case][1][where]
        return len(mine)

    pool = ThreadPoolExecutor(plan.threads)
    return lambda: pool.map(share, range(plan.threads))


def monai(plan: Plan, *, indices: bool = False, processes: bool = False) -> Callable[[], Iterator[int]]:
    """MONAI's CacheDataset and RandCropByPosNegLabeld."""
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
    files = [{"image": np.array(one.image), "label": np.array(one.label)} for one in stored(plan).values()]
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
    "zoo": ours,
    "copy": copy,
    MONAI: monai,
    PROCESSES: lambda plan: monai(plan, processes=True),
    "MONAI indices": lambda plan: monai(plan, indices=True),
}


# The volumes


def write(plan: Plan) -> None:
    """Four volumes with 13 organs, in the zoo's cache."""
    stored(plan)


def stored(plan: Plan) -> dict[Any, Any]:
    """The prepared volumes by case, made where they are not there."""
    from datamodules.loading.cache import Cache
    from zoo.types import Case

    cache = Cache(plan.folder / "cache")
    cases = [Case(str(number), (), None, str(number)) for number in range(4)]
    return {case: cache.get(case.case_id, partial(volume, plan, int(case.case_id))) for case in cases}


def volume(plan: Plan, number: int) -> Any:
    """A body in air, with organs of many sizes."""
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
