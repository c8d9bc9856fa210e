"""Refuses sizes that cannot fit into the memory of this machine, before anything of these sizes is allocated."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import torch

from zoo.errors import ConfigError
from zoo.utils.format import format_bytes
from zoo.utils.machine import memory_bytes

LEAST = 8
"""Bytes per voxel of an image and of its logits in float32, for each verb."""

TRAINING = 128
"""Least bytes per voxel of a batch in a training step. Our models keep 400 to 1,300 for the backward pass."""

_FLOAT = 4
_PREFETCH = 2  # batches per worker, as torch's DataLoader has it


def check_fits(shape: Sequence[int], option: str, per_voxel: int = LEAST) -> None:
    """Refuse an image or a patch that is larger than the memory.

    Args:
        shape: Its voxels per axis.
        option: The option that sets them, for the message: "--data.patch".
        per_voxel: Bytes that each voxel needs at least.

    Raises:
        ConfigError: It cannot fit.

    Example:
        >>> check_fits([10**6, 10**6], "--data.patch")
        Traceback (most recent call last):
        ...
        zoo.errors.ConfigError: --data.patch [1000000, 1000000] needs at least 8.0 TB of memory, ...
    """
    _refuse(prod(shape) * per_voxel, f"{option} {list(shape)}", "Give smaller numbers.")


def check_training_fits(patch: Sequence[int], batch_size: int, num_workers: int) -> None:
    """Refuse a training whose batches are larger than the memory.

    Args:
        patch: Voxels of a sample per axis.
        batch_size: Samples per batch over all devices.
        num_workers: Threads that make batches ahead.

    Raises:
        ConfigError: They cannot fit.
    """
    voxels = prod(patch) * batch_size
    shown = f"--data.patch {list(patch)} with --data.batch_size {batch_size}"
    _refuse(voxels * TRAINING, shown, "Give a smaller patch or fewer samples per batch.")
    ahead = 1 + _PREFETCH * num_workers
    shown = f"{shown} and --data.num_workers {num_workers}, which make {ahead} batches ahead,"
    _refuse(voxels * _FLOAT * ahead, shown, "Give fewer workers, a smaller patch or fewer samples per batch.")


def _refuse(needed: int, what: str, fix: str) -> None:
    if needed <= memory_bytes() or needed <= _memory_of_gpus():
        return
    most = max(memory_bytes(), _memory_of_gpus())
    raise ConfigError(f"{what} needs at least {format_bytes(needed)} of memory, more than {format_bytes(most)}.", fix)


def _memory_of_gpus() -> int:
    """Return the memory of all GPUs in bytes."""
    if not torch.cuda.is_available():
        return 0
    return sum(torch.cuda.get_device_properties(number).total_memory for number in range(torch.cuda.device_count()))
