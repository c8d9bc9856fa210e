"""`WindowSums`: the weighted sums of the logits of windows, for the rows of an image that windows still reach."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import torch
from torch import Tensor

from zoo.compiled import has_numba
from zoo.preprocessing.logit_rows import LogitRows
from zoo.utils.parallel import map_in_order

_HELD = 0.8  # share of the free memory of a GPU that sums may take; windows need the rest


class WindowSums:
    """Weighted sums of logits and of weights, which wander through an image along its first axis.

    Args:
        channels: Number of logit channels C.
        rows: Number of rows R that are held; row x of the image is at x % R.
        shape: The other axes of the image: Y and Z, or Z alone in two dimensions.
        importance: The weight of each voxel of a window.
    """

    def __init__(self, channels: int, rows: int, shape: Sequence[int], importance: Tensor) -> None:
        flat = len(shape) == 1
        self._importance = importance[:, None] if flat else importance
        size = (rows, *((1,) if flat else ()), *shape)
        place = choose_place(channels, size, importance)
        self.values = torch.zeros(channels, *size, dtype=importance.dtype, device=place)
        self.weights = torch.zeros(size, dtype=importance.dtype, device=place)
        self._weight_here = self._importance.to(place)
        self._compiled = place.type == "cpu" and importance.dtype in (torch.float32, torch.float64) and has_numba()

    def add(self, start: Sequence[int], logits: Tensor) -> None:
        """Add one window.

        Args:
            start: Its first voxel in the image.
            logits: Its logits [C, *patch].
        """
        place = (start[0], *((0,) if len(start) == 2 else ()), *start[1:])
        window = logits.detach().reshape(len(logits), *self._importance.shape)
        weight = self._weight_here
        if window.dtype != self.values.dtype:
            # rounded to the precision of the network, as MONAI's inferer does
            window = (window * self._importance.to(window.device)).to(window.dtype).to(self.values.dtype)
            weight = torch.ones_like(weight)
        window = window.to(self.values.device)
        self._add(self.values, place, window, weight)
        self._add(self.weights[None], place, self._weight_here[None], torch.ones_like(weight))

    def clear(self, start: int, stop: int) -> None:
        """Set rows to 0, whose places hold earlier rows."""
        for low, high, _ in self._pieces(start, stop - start):
            self.values[:, low:high] = 0
            self.weights[low:high] = 0

    def rows(self, place: Sequence[slice]) -> LogitRows:
        """Return the rows without the padding of an image.

        Args:
            place: Where the image is in the padded one. Where the first axis is padded, all rows are held.
        """
        inner = (place[0], slice(None), place[1]) if len(place) == 2 else tuple(place)
        if inner[0].start == 0:
            inner = (slice(None), *inner[1:])
        return LogitRows(self.values[(slice(None), *inner)].contiguous(), self.weights[inner].contiguous())

    def _add(self, sums: Tensor, place: tuple[int, ...], window: Tensor, weight: Tensor) -> None:
        if self._compiled:
            from zoo.inference.window_kernels import add_window

            arrays = sums.numpy(), (place[0], place[1], place[2]), window.contiguous().numpy(), weight.numpy()
            threads = min(torch.get_num_threads(), len(sums))
            bounds = [len(sums) * n // threads for n in range(threads + 1)]
            channels = list(itertools.pairwise(bounds))
            list(map_in_order(lambda part: add_window(*arrays, *part), channels, threads if threads > 1 else 0))
            return
        inner = tuple(slice(begin, begin + size) for begin, size in zip(place[1:], weight.shape[1:], strict=True))
        for low, high, first in self._pieces(place[0], len(weight)):
            part = slice(first, first + high - low)
            sums[(slice(None), slice(low, high), *inner)] += window[:, part] * weight[part]

    def _pieces(self, start: int, count: int) -> list[tuple[int, int, int]]:
        """Return where rows are held, at most twice in one piece: first place, place after the last, rows before."""
        ring = len(self.weights)
        low = start % ring
        first = min(count, ring - low)
        return [(low, low + first, 0)] + ([(0, count - first, first)] if first < count else [])


def choose_place(channels: int, shape: Sequence[int], like: Tensor) -> torch.device:
    """Return the device of the sums: that of the network, or the CPU where a GPU has not enough free memory.

    Args:
        channels: Number of channels.
        shape: Shape of the sums of a channel.
        like: A tensor of their type on the device of the network.
    """
    if like.device.type != "cuda":
        return like.device
    needed = (channels + 1) * torch.Size(shape).numel() * like.element_size()
    free = torch.cuda.mem_get_info(like.device)[0]
    unused = torch.cuda.memory_reserved(like.device) - torch.cuda.memory_allocated(like.device)
    return like.device if needed <= _HELD * (free + unused) else torch.device("cpu")
