"""Whether the checkpoints of a plan fit on the disk."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.plan.job import Job
from datamodules.index.card import DataCard
from zoo.cards import ModelCard
from zoo.engine.cost_estimate import is_published
from zoo.errors import ConfigError, ZooError
from zoo.registry import DATA, MODELS
from zoo.utils.format import format_bytes, format_quantity

_RESERVE = 1 << 30  # bytes that stay free: score files, logs, pictures
_CHECKPOINT_BYTES = 12  # per parameter: the weight and two moments of AdamW


def find_full_disk(jobs: Sequence[Job], out: Path | None) -> Iterator[ZooError]:
    """Compare the checkpoints of all jobs, as far as cards tell their size, with the free space."""
    if out is None:
        return
    needed = sum(2 * _CHECKPOINT_BYTES * _parameters(job) for job in jobs) + _RESERVE
    existing = next(path for path in (out.absolute(), *out.absolute().parents) if path.exists())
    free = shutil.disk_usage(existing).free
    if free < needed:
        yield ConfigError(
            f"{out}: the checkpoints of {format_quantity(len(jobs), 'job')} need about "
            f"{format_bytes(needed)}, and {format_bytes(free)} are free.",
            "Free some space, or choose another --out.",
        )


def _parameters(job: Job) -> int:
    if not is_published(job.model, job.settings.size):
        return 0
    facts = DataCard.of(DATA.get(job.data))
    return int(ModelCard.of(MODELS.get(job.model)).parameters.get(facts.spatial_dims, 0))
