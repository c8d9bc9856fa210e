"""`LabelGrid`: from logits on the network grid to classes on the native grid, without interpolating all logits.

A class that has the largest logit at all corners of a cell has the largest one inside the cell too. So only the voxels
between corners of different classes are interpolated, and the memory does not grow with the number of classes.

The result equals `torch.nn.functional.interpolate` and `argmax` voxel for voxel. Where rounding could decide between
two classes, torch's own function computes the row.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from zoo.compiled import has_numba
from zoo.preprocessing import label_steps
from zoo.preprocessing.logit_rows import LogitRows, exact_row, make_axes
from zoo.utils.parallel import map_in_order

_BLOCK = 2**19  # voxels per step of a thread


class LabelGrid:
    """Classes on an output grid, filled row by row along the first axis as logits arrive.

    Args:
        size: Shape of the network grid, two or three axes.
        labels: Receives the classes: uint8 [*N] where classes are exclusive, else [K, *N] of 0 and 1.
        exclusive: True: the class with the largest logit. False: each channel where its logit is above 0.
        channels: Number of channels of the logits.
        device: Where the logits are.

    Attributes:
        finite: Whether all logits so far are finite. The classes around others are not defined.

    Example:
        >>> labels = np.zeros((2, 4), np.uint8)
        >>> grid = LabelGrid((2, 2), labels, exclusive=True, channels=2, device=torch.device("cpu"))
        >>> values = torch.tensor([[[0.0, 1.0], [0.0, 1.0]], [[1.0, 0.0], [1.0, 0.0]]])  # [C, Y, Z]
        >>> grid.add(LogitRows(values[:, :, None]), 2)
        >>> labels.tolist()
        [[1, 1, 0, 0], [1, 1, 0, 0]]
    """

    def __init__(
        self, size: Sequence[int], labels: NDArray[np.uint8], exclusive: bool, channels: int, device: torch.device
    ) -> None:
        self.finite = True
        self._floor = int(not exclusive)
        masks = labels[None] if exclusive else labels
        self._out = masks.shape[1:]
        self._axes = make_axes(size, self._out, channels, device)
        if len(size) == 2:
            size = (size[0], 1, size[1])
            masks = masks[:, :, None]
        self._masks = masks
        self._codes = torch.empty((len(masks), *size), dtype=torch.uint8, device=device)
        self._compiled = device.type == "cpu" and has_numba()
        self._threads = torch.get_num_threads() if device.type == "cpu" else 0
        self._read, self._written = 0, 0

    def add(self, rows: LogitRows, stop: int) -> None:
        """Take the logits of the rows that follow, and fill all output rows that need no later one.

        Args:
            rows: The logits. They hold the new rows and the last one before them.
            stop: The row after the last one that is complete.
        """
        written = int(np.searchsorted(self._axes[0].high, stop))
        for number in range(len(self._masks)):
            self._code(rows, number, stop)
            self._fill(rows, number, written)
        self._read, self._written = stop, written

    def _code(self, rows: LogitRows, number: int, stop: int) -> None:
        """Find the classes of the new rows on the network grid."""
        values, codes = self._part(rows, number).values.flatten(2), self._codes[number].flatten(1)

        def code(block: tuple[int, int]) -> bool:
            if not self._compiled:
                return label_steps.code_rows(values, *block, self._floor, codes)
            from zoo.preprocessing import label_kernels

            return bool(label_kernels.code_rows(values.numpy(), *block, self._floor, codes.numpy()))

        blocks = split_rows(self._read, stop, codes.shape[1])
        self.finite &= all(list(map_in_order(code, blocks, self._threads_for(blocks))))

    def _fill(self, rows: LogitRows, number: int, stop: int) -> None:
        """Fill output rows of a mask."""
        codes, mask, part = self._codes[number], self._masks[number], self._part(rows, number)

        def fill(block: tuple[int, int]) -> None:
            start, end = block
            if self._compiled:
                labels, unsure = self._compute_block(part, codes, start, end)
            else:
                found, doubts = label_steps.label_rows(part, codes, self._axes, start, end, self._floor)
                labels, unsure = found.cpu().numpy(), doubts.cpu().numpy()
            for row, column in np.argwhere(unsure):
                logits = exact_row(rows, self._axes, start + int(row), int(column), self._out)
                decision = logits[number] > 0 if self._floor else logits.argmax(0)
                labels[row, column] = decision.to(torch.uint8).cpu().numpy()
            mask[start:end] = labels

        blocks = split_rows(self._written, stop, mask[0].size)
        list(map_in_order(fill, blocks, self._threads_for(blocks)))

    def _compute_block(
        self, rows: LogitRows, codes: Tensor, start: int, stop: int
    ) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        from zoo.preprocessing import label_kernels

        labels = np.empty((stop - start, *self._masks.shape[2:]), np.uint8)
        unsure = np.zeros(labels.shape[:2], np.uint8)
        weights = np.empty(0, np.float32) if rows.weights is None else rows.weights.flatten().numpy()
        first, second, third = self._axes
        label_kernels.label_rows(
            rows.values.flatten(1).numpy(),
            weights,
            codes.numpy(),
            (first.low, second.low, third.low),
            (first.high, second.high, third.high),
            (first.share, second.share, third.share),
            start,
            self._floor,
            labels,
            unsure,
        )
        return labels, unsure

    def _part(self, rows: LogitRows, number: int) -> LogitRows:
        """Return the channels that decide one mask: all of exclusive classes, else its own."""
        return rows._replace(values=rows.values[number : number + 1]) if self._floor else rows

    def _threads_for(self, blocks: Sequence[object]) -> int:
        return min(self._threads, len(blocks)) if len(blocks) > 1 and self._threads > 1 else 0


def split_rows(start: int, stop: int, width: int) -> list[tuple[int, int]]:
    """Split rows into blocks of about half a million voxels.

    Args:
        start: First row.
        stop: Row after the last one.
        width: Voxels of a row.

    Example:
        >>> split_rows(0, 5, 2**18)
        [(0, 2), (2, 4), (4, 5)]
    """
    step = max(1, _BLOCK // max(width, 1))
    return [(begin, min(begin + step, stop)) for begin in range(start, stop, step)]
