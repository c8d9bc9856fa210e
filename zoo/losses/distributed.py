"""Gather tensors over ranks, with the gradient of the global loss."""

from __future__ import annotations

import torch
import torch.distributed as dist
from torch import Tensor
from torch.nn import functional as F


def gather_rows(*columns: Tensor) -> tuple[Tensor, ...]:
    """Gather the rows of all ranks, in the order of the ranks, with gradient.

    Only the rows of the own rank carry gradient, multiplied by the number of ranks. DDP's mean divides by
    that number, which gives the gradient of the global loss. No collective runs in the backward pass,
    because ranks with different graphs would call it in different order and wait forever.

    Args:
        columns: Tensors [P, ...] with the same P. P may differ between ranks and may be 0; the other
            dimensions, the types and the number of columns may not differ.
    """
    if not (dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1):
        return columns
    rank, world = dist.get_rank(), dist.get_world_size()
    count = torch.tensor([len(columns[0])], device=columns[0].device)
    counts = [torch.zeros_like(count) for _ in range(world)]
    dist.all_gather(counts, count)
    sizes = [int(c) for c in counts]

    def together(x: Tensor) -> Tensor:
        mine = x.detach()
        padded = F.pad(mine, (0, 0) * (x.ndim - 1) + (0, max(sizes) - len(x))).contiguous()
        parts = [torch.empty_like(padded) for _ in range(world)]
        dist.all_gather(parts, padded)
        rows = [part[:size] for part, size in zip(parts, sizes, strict=True)]
        rows[rank] = mine + world * (x - mine) if x.is_floating_point() else x
        return torch.cat(rows)

    return tuple(together(x) for x in columns) if any(sizes) else columns
