"""The batch size that fills the memory of a preset, and the caps that it has."""

from __future__ import annotations

import math
from typing import NamedTuple

from zoo.planner.patch import Search
from zoo.planner.presets import COVERAGE, LEAST_BATCH, MAX_BATCH_2D, REFERENCE_BATCH, Preset


class BatchSize(NamedTuple):
    """A batch size and where it comes from.

    Attributes:
        size: The batch size after all caps.
        of_rule: The batch size by nnU-Net's own rule, with its own cap.
        caps: The names of the caps of this planner that hold.
    """

    size: int
    of_rule: int
    caps: tuple[str, ...]


def choose_batch(found: Search, voxels: float, preset: Preset) -> BatchSize:
    """Choose the batch size.

    Args:
        found: The patch.
        voxels: The voxels of all training cases on the network grid.
        preset: The kind of network and its memory.

    Example:
        >>> from zoo.planner.patch import search_patch
        >>> from zoo.planner.presets import PRESETS
        >>> slices = search_patch((1.0, 1.0), (50, 35), PRESETS["M"], labels=3)
        >>> choose_batch(slices, 36 * 50 * 35 * 260, PRESETS["M"])
        BatchSize(size=128, of_rule=1618, caps=('COVERAGE', 'MAX_BATCH_2D'))
    """
    axes = len(found.topology.patch)
    filling = round(preset.reference[axes] / found.values * REFERENCE_BATCH[axes])
    covering = round(voxels * COVERAGE / math.prod(found.topology.patch))
    of_rule = max(min(filling, covering) if preset.capped_by_rule else filling, LEAST_BATCH)
    limits = {"COVERAGE": covering, **({"MAX_BATCH_2D": MAX_BATCH_2D} if axes == 2 else {})}
    size, caps = of_rule, []
    for name, limit in limits.items():
        if max(limit, LEAST_BATCH) < size:
            size = max(limit, LEAST_BATCH)
            caps.append(name)
    return BatchSize(size, of_rule, tuple(caps))
